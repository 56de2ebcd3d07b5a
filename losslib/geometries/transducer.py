"""The transducer geometry: a lattice of frames and labels for each sample (RNN-T).

Targets and lengths are copied, so that nobody can change them between the check and the kernel, and one call of
``pyx/transducer`` gives the value of each sample and the gradient.
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

__all__ = ["geometry"]


@dataclass(kw_only=True)
class Lattices(Reading):
    """Logits (N, T, U + 1, C) with labels (N, U) and the lengths of every sample."""

    targets: np.ndarray
    frames: np.ndarray
    labels: np.ndarray
    blank: int


class Transducer(Geometry):
    kernels = "transducer"
    chunked = False

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Lattices:
        name = info.inputs[0].name
        logits = read_logits(name, raw[0])
        samples, frames, columns, classes = logits.shape
        blank = arrays.require_blank(values["blank"], classes, name)
        expected = "a mask of the samples, broadcasting to the shape of the unreduced values"
        mask = read_where(options, (samples,), expected)
        room = f"{name} has room for {{}} {{}}"
        frame_counts = arrays.read_lengths(
            "logit_lengths", raw[2], samples, frames, room.format(frames, "frames"), mask
        )
        label_counts = arrays.read_lengths(
            "target_lengths", raw[3], samples, columns - 1, room.format(columns - 1, "labels"), mask
        )
        targets = read_targets(raw[1], logits.shape, label_counts, blank, check=values["check"])
        return Lattices(
            given=[logits],
            shape=(samples,),
            dtype=logits.dtype,
            mask=mask,
            targets=targets,
            frames=frame_counts,
            labels=label_counts,
            blank=blank,
        )

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Lattices,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        found.fill(0.0)
        if not reading.given[0].size:
            found[reading.labels > 0] = np.inf  # no frames: only the empty sequence can be written
            return
        self.driver.run(
            reading.given[0],
            reading.targets,
            reading.frames,
            reading.labels,
            blank=reading.blank,
            fused=values["fused_log_softmax"],
            clamp=values["clamp"],
            fastemit=values["fastemit_lambda"],
            scale=samples.factor_per_sample(),
            values=found if work.wants_value else None,
            grad=work.derivatives[0].array if work.derivatives else None,
        )

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,)

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,)

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        samples, frames, labels = max(1, elements // (12 * COMPONENTS)), 4, 2
        blank = values["blank"] % COMPONENTS
        targets = rng.integers(0, COMPONENTS - 1, (samples, labels))
        return [
            rng.standard_normal((samples, frames, labels + 1, COMPONENTS)),
            np.where(targets >= blank, targets + 1, targets),
            rng.integers(1, frames + 1, samples),
            rng.integers(0, labels + 1, samples),
        ]


def read_logits(name: str, obj: Any) -> np.ndarray:
    """Read the output of the joint network, four axes of which the last two are never empty."""
    logits = arrays.read_array(name, obj)
    if logits.ndim != 4:
        fix = f"; a single sample is a batch of one: {name}[numpy.newaxis]" if logits.ndim == 3 else ""
        raise ShapeError(
            f"{name} has shape {logits.shape}, expected (N, T, U + 1, C): samples, frames, labels written and "
            f"classes{fix}"
        )
    if logits.shape[2] == 0 or logits.shape[3] == 0:
        what = "row for the start of the labels" if logits.shape[2] == 0 else "class"
        raise ShapeError(f"{name} has shape {logits.shape}, expected (N, T, U + 1, C) with at least one {what}")
    return logits


def read_targets(obj: Any, logits_shape: tuple[int, ...], counts: np.ndarray, blank: int, *, check: bool) -> np.ndarray:
    """Read the labels as an int64 copy whose padding is class 0; padding may hold anything."""
    samples, _, columns, classes = logits_shape
    shape = (samples, columns - 1)
    array = arrays.read_integers("targets", obj)
    arrays.require_integers("targets", array)
    if array.shape != shape and not (array.size == 0 and samples * (columns - 1) == 0):
        raise ShapeError(
            f"targets has shape {array.shape}, expected {shape}: for each sample the U labels that logits of shape "
            f"{logits_shape}, (N, T, U + 1, C), has room for"
        )
    used = np.arange(columns - 1) < counts[:, np.newaxis]
    return arrays.read_class_sequences("targets", array.reshape(shape), used, classes, blank, check=check)


geometry = Transducer()
