"""The CTC geometry: sequences of class scores against shorter sequences of labels, whatever the alignment.

Targets and lengths are copied to int64 and checked, once and always: they are addresses in the compiled part, and no
other thread can change the copies. One pass of ``pyx/ctc`` gives the value of each sample and the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import read_where
from losslib.declaration.schema import LossInfo
from losslib.errors import ShapeError
from losslib.geometries.base import COMPONENTS, Geometry, Reading, Samples, Work

__all__ = ["Alignments", "geometry", "read_alignments", "read_scores"]


@dataclass
class Alignments:
    """Targets and lengths of a batch, checked: labels in one piece, lengths of every sample."""

    shape: tuple[int, ...]  # of unreduced values: (N,), or () for a single sequence
    labels: np.ndarray
    offsets: np.ndarray  # where each sample's labels begin
    input_lengths: np.ndarray  # -1 where a sample is masked out
    target_lengths: np.ndarray


@dataclass(kw_only=True)
class Sequences(Reading):
    """Scores (T, N, C) or (T, C) and what they are to be aligned with."""

    alignments: Alignments
    blank: int


class CTC(Geometry):
    kernels = "ctc"
    chunked = False

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Sequences:
        scores = read_scores(info.inputs[0].name, raw[0])
        shape = scores.shape[1:-1]
        mask = read_where(options, shape, "a mask of the samples, broadcasting to the shape of the unreduced values")
        blank = arrays.require_blank(values["blank"], scores.shape[-1], info.inputs[0].name)
        kept = None if mask is None else mask.reshape(-1)
        alignments = read_alignments(info.input_names, scores, raw[1:], blank, mask=kept, check=values["check"])
        return Sequences(given=[scores], shape=shape, dtype=scores.dtype, mask=mask, alignments=alignments, blank=blank)

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Sequences,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        batch = reading.alignments
        per_sample, scale = found.reshape(-1), samples.factor_per_sample()
        if not scale.size:
            return
        # A mean divides by the length of the target first, as PyTorch does.
        lengths = np.maximum(batch.target_lengths, 1) if samples.reduction in ("mean", "weighted_mean") else None
        self.driver.run(
            frames_of(reading.given[0]),
            batch.labels,
            batch.offsets,
            batch.input_lengths,
            batch.target_lengths,
            blank=reading.blank,
            logits=info.kernel == "logits",
            zero_infinity=values["zero_infinity"],
            scale=scale if lengths is None else scale / lengths,
            values=per_sample,
            grad=frames_of(work.derivatives[0].array) if work.derivatives else None,
        )
        if lengths is not None:
            per_sample /= lengths

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return self.sample_axes(info, values, ndim)

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (1,) if ndim == 3 else ()

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        samples, labels = max(1, elements // (8 * COMPONENTS)), 3
        scores = rng.standard_normal((8, samples, COMPONENTS))
        if info.inputs[0].name == "log_probs":
            scores -= np.log(np.exp(scores).sum(-1, keepdims=True))
        blank = values["blank"] % COMPONENTS
        targets = rng.integers(1, COMPONENTS, (samples, labels))
        targets = np.where(targets <= blank, targets - 1, targets)
        return [scores, targets, rng.integers(7, 9, samples), rng.integers(0, labels + 1, samples)]


def frames_of(array: np.ndarray) -> np.ndarray:
    """View an array of the shape of the scores as (T, N, C)."""
    return array if array.ndim == 3 else array[:, np.newaxis]


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


def read_alignments(
    names: tuple[str, ...],
    scores: np.ndarray,
    raw: Sequence[Any],
    blank: int,
    *,
    mask: np.ndarray | None = None,
    check: bool = True,
) -> Alignments:
    """Read targets, input lengths and target lengths, and check every number that the compiled part goes by."""
    frames, classes = scores.shape[0], scores.shape[-1]
    shape = scores.shape[1:-1]
    count = shape[0] if shape else 1
    targets_name, input_lengths_name, target_lengths_name = names[1:]
    targets = arrays.read_integers(targets_name, raw[0])
    arrays.require_integers(targets_name, targets)
    input_lengths, target_lengths = (np.reshape(obj, -1) if not shape and np.ndim(obj) == 0 else obj for obj in raw[1:])
    of_frames = f"the frames of {names[0]}"
    input_lengths = arrays.read_lengths(input_lengths_name, input_lengths, count, frames, of_frames, mask, masked=-1)
    if targets.ndim == 1 and shape:  # all targets in one row
        limit = f"the labels in {targets_name}"
        target_lengths = arrays.read_lengths(target_lengths_name, target_lengths, count, targets.size, limit)
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
        target_lengths = arrays.read_lengths(target_lengths_name, target_lengths, count, width, limit, mask)
        offsets = np.arange(count, dtype=np.int64) * width
        used = (np.arange(width) < target_lengths[:, np.newaxis]).reshape(targets.shape)
    labels = arrays.read_class_sequences(targets_name, targets, used, classes, blank, check=check)
    return Alignments(shape, labels.reshape(-1), offsets, input_lengths, target_lengths)


geometry = CTC()
