"""Calls of the lattice geometry: sequences of class scores against shorter sequences of labels (CTC).

Targets and lengths are copied to int64 and checked here, once and always: they are addresses in the compiled part, and
no other thread can change the copies. One pass of ``pyx/lattice.pyx`` gives the value of each sample and the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib import _kernels
from losslib.call import answer, arrays
from losslib.call.outputs import prepare_gradient
from losslib.call.samples import prepare_values, read_blank, read_samples
from losslib.declaration.modes import GRAD, VALUE
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, DTypeError, ShapeError

__all__ = ["Batch", "evaluate", "read_batch"]

_lattice = _kernels.load("ctc")


@dataclass
class Batch:
    """The inputs of a call, checked: scores as (T, N, C), labels in one piece, lengths of every sample."""

    given: np.ndarray  # the scores as they came
    shape: tuple[int, ...]  # of unreduced values: (N,), or () for a single sequence
    labels: np.ndarray
    offsets: np.ndarray  # where each sample's labels begin
    input_lengths: np.ndarray  # -1 where a sample is masked out
    target_lengths: np.ndarray

    def frames(self, array: np.ndarray) -> np.ndarray:
        """View an array of the shape of the scores as (T, N, C)."""
        return array if array.ndim == 3 else array[:, np.newaxis]


def evaluate(loss: Any, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a call of a lattice loss: the value, the gradient or both, as ``mode`` says."""
    info: LossInfo = loss.info
    owner, raw, options = answer.read_call(info, mode, args, kwargs, ())
    values = loss.parameters
    reduction: str = values["reduction"]
    scores = read_scores(info.inputs[0].name, raw[0])
    shape = scores.shape[1:-1]
    with np.errstate(all="ignore"):  # infinite values and weights are results, not warnings
        samples = read_samples(shape, reduction, options)
        mask = None if samples.mask is None else samples.mask.reshape(-1)
        blank = read_blank(values["blank"], scores.shape[-1], info.inputs[0].name)
        batch = read_batch(info.input_names, scores, raw[1:], blank, mask=mask, check=values["check"])
        out = options.pop("out", None)
        single = True
        if mode != VALUE:
            _, single = answer.wrt_positions(info, options.pop("wrt", None), owner)
        value_out: np.ndarray | None = None
        if mode == VALUE:
            value_out = prepare_values(out, reduction, shape, scores.dtype)
        gradient = None if mode == VALUE else prepare_gradient(out, scores, owner)

        scale = np.array(np.broadcast_to(samples.scale, shape), np.float64).reshape(-1)
        divided = reduction in ("mean", "weighted_mean")  # by the length of the target, as PyTorch does
        if divided:
            scale /= np.maximum(batch.target_lengths, 1)
        per_sample = np.empty(scale.shape, np.float64)
        if scale.size:
            _lattice.run(
                batch.frames(scores),
                batch.labels,
                batch.offsets,
                batch.input_lengths,
                batch.target_lengths,
                blank=blank,
                logits=info.kernel == "logits",
                zero_infinity=values["zero_infinity"],
                scale=scale,
                values=per_sample,
                grad=None if gradient is None else batch.frames(gradient.array),
            )
        if divided:
            per_sample /= np.maximum(batch.target_lengths, 1)
        value = None if mode == GRAD else samples.reduce(per_sample.reshape(shape), scores.dtype, value_out)
    return answer.arrange(mode, value, [] if gradient is None else [gradient.finish()], single)


# ---- inputs ------------------------------------------------------------------------------------------------------


def read_scores(name: str, obj: Any) -> np.ndarray:
    """Read log-probabilities or logits of shape (T, N, C) or (T, C)."""
    scores = arrays.read_array(name, obj)
    if scores.ndim not in (2, 3):
        raise ShapeError(
            f"{name} has shape {scores.shape}, expected (T, N, C): frames, samples, classes; "
            f"or (T, C) for a single sequence"
        )
    if scores.shape[-1] == 0:
        raise ShapeError(f"{name} has shape {scores.shape}: no classes along its last axis")
    return scores


def read_batch(
    names: tuple[str, ...],
    scores: np.ndarray,
    raw: list[Any],
    blank: int,
    *,
    mask: np.ndarray | None = None,
    check: bool = True,
) -> Batch:
    """Read targets, input lengths and target lengths, and check every number that the compiled part goes by."""
    frames, classes = scores.shape[0], scores.shape[-1]
    shape = scores.shape[1:-1]
    count = shape[0] if shape else 1
    targets_name, input_lengths_name, target_lengths_name = names[1:]
    targets = read_integers(targets_name, raw[0], "class indices")
    input_lengths = read_integers(input_lengths_name, raw[1], "lengths", shape)
    target_lengths = read_integers(target_lengths_name, raw[2], "lengths", shape)

    input_lengths = require_lengths(
        input_lengths_name, input_lengths, frames, f"the frames of {names[0]}", mask, masked=-1
    )
    if targets.ndim == 1 and shape:  # all targets in one row
        limit = f"the labels in {targets_name}"
        target_lengths = require_lengths(target_lengths_name, target_lengths, targets.size, limit, None)
        offsets = np.zeros(count, np.int64)
        np.cumsum(target_lengths[:-1], out=offsets[1:])
        total = int(target_lengths.sum())
        if total != targets.size:
            raise ShapeError(
                f"{targets_name} has {targets.size} labels in one row, and {target_lengths_name} add up to {total}; "
                f"expected the same, or {targets_name} of shape (N, S) padded to the longest"
            )
        used: np.ndarray = np.repeat(np.ones(count, bool) if mask is None else mask, target_lengths)
    else:
        expected = (count,) if shape else ()
        if targets.ndim != len(expected) + 1 or targets.shape[:-1] != expected:
            wanted = f"({count}, S), or one row of all labels" if shape else "(S,)"
            raise ShapeError(f"{targets_name} has shape {targets.shape}, expected {wanted}")
        width = targets.shape[-1]
        limit = f"the room for labels in {targets_name}"
        target_lengths = require_lengths(target_lengths_name, target_lengths, width, limit, mask)
        offsets = np.arange(count, dtype=np.int64) * width
        used = (np.arange(width) < target_lengths[:, np.newaxis]).reshape(targets.shape)
    labels = require_labels(targets_name, targets, used, classes, blank, check=check)
    return Batch(scores, shape, labels, offsets, input_lengths, target_lengths)


def read_integers(name: str, obj: Any, meaning: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Read an integer array; with a shape of samples, one number for each of them."""
    array = arrays.to_numpy(name, obj)
    if array.size == 0 and isinstance(obj, list | tuple):
        array = array.astype(np.int64)  # an empty list has no type
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{name} has dtype {array.dtype}; {meaning} must be integers: use {name}.astype(numpy.int64)")
    if shape is None:
        return array
    count = shape[0] if shape else 1
    if array.shape != (count,) and not (array.shape == () and not shape):
        given = f"{array.size} lengths" if array.ndim == 1 else f"shape {array.shape}"
        raise ShapeError(f"{name} has {given}, expected {count}: one for each sample")
    return array.reshape(-1)


def require_lengths(
    name: str, lengths: np.ndarray, most: int, limit: str, mask: np.ndarray | None, masked: int = 0
) -> np.ndarray:
    """Return the lengths as int64, or raise ``DomainError`` for the first that is negative or beyond the limit."""
    bad = (lengths < 0) | (lengths > most)
    if mask is not None:
        bad &= mask
    if bad.any():
        raise DomainError(f"{_place(name, bad)} is {int(lengths[bad][0])}, expected 0 to {most}, {limit}")
    checked = lengths.astype(np.int64)  # always a copy
    if mask is not None:
        checked[~mask] = masked
    return checked


def require_labels(
    name: str, targets: np.ndarray, used: np.ndarray, classes: int, blank: int, *, check: bool
) -> np.ndarray:
    """Return the labels as int64 in one row; those that no length reaches may be anything."""
    labels = np.where(used, targets, 0)  # a copy, which nobody else can change
    bad = (labels < 0) | (labels >= classes)
    if bad.any():
        raise DomainError(
            f"{_place(name, bad)} is {int(labels[bad][0])}, outside the classes: expected 0 to {classes - 1}"
        )
    if check:
        bad = (labels == blank) & used
        if bad.any():
            raise DomainError(
                f"{_place(name, bad)} is {blank}, the blank, which no target contains: leave it out, or give the class "
                f"that is the blank as blank=; check=False computes the formula regardless"
            )
    return np.ascontiguousarray(labels, np.int64).reshape(-1)


def _place(name: str, bad: np.ndarray) -> str:
    """Write the first marked position as an index."""
    position = np.unravel_index(int(np.argmax(bad)), bad.shape)
    return f"{name}[{', '.join(str(int(k)) for k in position)}]"


answer.GEOMETRIES["ctc"] = evaluate
