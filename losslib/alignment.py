"""From frames to labels: greedy decoding, and the best alignment of a known target, for models trained with CTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from losslib import _kernels
from losslib.call import arrays
from losslib.declaration.schema import Integer
from losslib.errors import DomainError
from losslib.geometries.ctc import Alignments, frames_of, read_alignments, read_scores

__all__ = ["ctc_forced_align", "ctc_greedy_decode"]

if TYPE_CHECKING:
    from losslib._kernels.baseline import ctc as _lattice
else:
    _lattice = _kernels.load("ctc")
_BLANK = Integer("blank", 0, "The class that stands for no label; a negative one counts from the last.")


def ctc_greedy_decode(scores: Any, input_lengths: Any = None, *, blank: int = 0) -> tuple[Any, Any]:
    """Decode frames of class scores: the best class of each, repetitions merged, blanks left out.

    Parameters
    ----------
    scores : array_like
        Log-probabilities or logits, which decode alike: shape (T, N, C) for T frames, N samples and C classes, or
        (T, C) for a single sequence.
    input_lengths : array_like of int, optional
        Frames of each sample, N integers from 0 to T (a number for a single sequence); None takes all frames.
    blank : int, default 0
        The class that stands for no label; a negative one counts from the last.

    Returns
    -------
    labels : list of ndarray, or ndarray
        The decoded labels of each sample; one array for a single sequence.
    path_scores : ndarray, or float
        The sum of the best scores along the frames of each sample: for log-probabilities the log-probability of the
        best path, a lower bound of that of its labels.

    Raises
    ------
    ShapeError, DTypeError, ParameterError
        If arguments do not fit together or `blank` is no class.
    DomainError
        If a length is negative or beyond the frames.

    See Also
    --------
    ctc_forced_align : Align a target that is known.
    ctc_loss_with_logits : Train a model for it.

    Notes
    -----
    The most probable path need not give the most probable labels, of which many paths may be a little less probable
    each; a beam search finds more. Of equal scores the first class wins.

    Examples
    --------
    >>> frames = np.array([[0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.9, 0.0, 0.1], [0.1, 0.6, 0.3], [0.2, 0.0, 0.8]])
    >>> labels, score = losslib.ctc_greedy_decode(np.log(frames + 1e-9))
    >>> labels
    array([1, 1, 2])
    """
    array = read_scores("scores", scores)
    shape = array.shape[1:-1]
    frames, count = array.shape[0], shape[0] if shape else 1
    blank = arrays.require_blank(read_blank(blank), array.shape[-1], "scores")
    if input_lengths is None:
        lengths = np.full(count, frames, np.int64)
    else:
        given = np.reshape(input_lengths, -1) if not shape and np.ndim(input_lengths) == 0 else input_lengths
        lengths = arrays.read_lengths("input_lengths", given, count, frames, "the frames of scores")
    labels = np.empty((count, frames), np.int64)
    counts = np.empty(count, np.int64)
    path_scores = np.empty(count, np.float64)
    if count:
        view = array if shape else array[:, np.newaxis]
        _lattice.decode(view, lengths, blank=blank, labels=labels, counts=counts, scores=path_scores)
    decoded = [row[:n].copy() for row, n in zip(labels, counts, strict=True)]
    return (decoded, path_scores) if shape else (decoded[0], float(path_scores[0]))


def ctc_forced_align(
    log_probs: Any, targets: Any, input_lengths: Any = None, target_lengths: Any = None, *, blank: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Align a target with frames: the most probable of all paths that give it (Viterbi).

    Parameters
    ----------
    log_probs : array_like
        Log-probabilities: shape (T, N, C) for T frames, N samples and C classes, or (T, C) for a single sequence.
    targets : array_like of int
        Labels as for `ctc_loss`: (N, S) padded, or all in one row; (S,) for a single sequence.
    input_lengths, target_lengths : array_like of int, optional
        Frames and labels of each sample as for `ctc_loss`; None takes all frames, and all labels of a row.
    blank : int, default 0
        The class that stands for no label; a negative one counts from the last.

    Returns
    -------
    paths : ndarray of int64
        The class of each frame, shape (N, T), or (T,) for a single sequence; -1 beyond the length of a sample.
    scores : ndarray
        The log-probability of that class at its frame, of the same shape; 0 beyond the length of a sample.

    Raises
    ------
    ShapeError, DTypeError, ParameterError
        If arguments do not fit together or `blank` is no class.
    DomainError
        If a label is no class or the blank, a length is out of range, or no path gives the target: too few frames, or
        none with a probability.

    See Also
    --------
    ctc_greedy_decode : Where no target is known.
    ctc_loss : The sum over all paths in place of the best one.

    Notes
    -----
    Paths and scores are those of ``torchaudio.functional.forced_align``, which takes (N, T, C). Where two paths are
    equally good, this one stays with its class as long as it can.

    Examples
    --------
    >>> frames = np.array([[0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.9, 0.0, 0.1], [0.1, 0.6, 0.3], [0.2, 0.0, 0.8]])
    >>> path, scores = losslib.ctc_forced_align(np.log(frames + 1e-9), [1, 2])
    >>> path
    array([1, 1, 0, 2, 2])
    """
    names = ("log_probs", "targets", "input_lengths", "target_lengths")
    array = read_scores("log_probs", log_probs)
    shape = array.shape[1:-1]
    frames, count = array.shape[0], shape[0] if shape else 1
    if input_lengths is None:
        input_lengths = np.full(count, frames)
    if target_lengths is None:
        target_lengths = np.full(count, np.shape(targets)[-1] if np.ndim(targets) else 0)
    blank = arrays.require_blank(read_blank(blank), array.shape[-1], "log_probs")
    batch = read_alignments(names, array, [targets, input_lengths, target_lengths], blank)
    paths = np.full((count, frames), -1, np.int64)
    values = np.empty(count, np.float64)
    if count:
        view = frames_of(array)
        _lattice.align(
            view,
            batch.labels,
            batch.offsets,
            batch.input_lengths,
            batch.target_lengths,
            blank=blank,
            values=values,
            paths=paths,
        )
        require_paths(batch, values)
        inside = paths >= 0
        picked = np.take_along_axis(view.swapaxes(0, 1), np.where(inside, paths, 0)[..., np.newaxis], axis=-1)
        scores = np.where(inside, picked[..., 0], array.dtype.type(0))
    else:
        scores = np.zeros((count, frames), array.dtype)
    return (paths, scores) if shape else (paths[0], scores[0])


def read_blank(blank: Any) -> int:
    """Return the number of the blank, or raise ``ParameterError``."""
    number = _BLANK.check(blank)
    assert number is not None  # the parameter is not optional
    return number


def require_paths(batch: Alignments, values: np.ndarray) -> None:
    """Raise ``DomainError`` for the first sample that no path explains."""
    impossible = np.isinf(values) & (values > 0)
    if impossible.any():
        n = int(np.argmax(impossible))
        raise DomainError(
            f"no path gives the target of sample {n}: it has {int(batch.target_lengths[n])} labels and "
            f"{int(batch.input_lengths[n])} frames; expected a frame for each label, one more between equal labels, "
            f"and a probability above 0 along some path"
        )
