"""The geometry of sampled classes: the true classes of a row before those that all rows share as a sample.

Logits are corrected here for how often a class is expected in the sample; then they are rows of a softmax, or of
questions that are answered each by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib import _kernels
from losslib.call import arrays
from losslib.call.samples import read_where
from losslib.declaration.schema import LossInfo
from losslib.errors import ShapeError
from losslib.geometries.base import COMPONENTS, Geometry, Reading, Samples, Work
from losslib.geometries.censoring import Deliveries, input_in_float64

__all__ = ["geometry"]


@dataclass(kw_only=True)
class SampledReading(Reading):
    """Logits (N, T + S) of which T are true, corrected, as float64."""

    corrected: np.ndarray
    true: int


class SampledClasses(Geometry):
    kernels = "softmax"

    def read(
        self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]
    ) -> SampledReading:
        name, true = info.inputs[0].name, int(values["num_true"])
        logits = arrays.read_array(name, raw[0])
        if logits.ndim != 2 or logits.shape[1] < true:
            raise ShapeError(f"{name} has shape {logits.shape}, expected (N, T + S) with T = {true} true classes")
        rows, sampled = len(logits), logits.shape[1] - true
        corrected = input_in_float64(logits, shares=True)
        for key, part, shape in (
            ("true_log_expected", slice(None, true), (rows, true)),
            ("sampled_log_expected", slice(true, None), (sampled,)),
        ):
            if values[key] is not None:
                corrected[:, part] -= fit(key, values[key], shape)
        if values["accidental_hits"] is not None:
            hits = fit("accidental_hits", values["accidental_hits"], (rows, sampled))
            corrected[:, true:][hits != 0] = -np.inf
        return SampledReading(
            given=[logits],
            shape=(rows,),
            dtype=logits.dtype,
            mask=read_where(options, (rows,), "a mask of the samples"),
            corrected=corrected,
            true=true,
        )

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: SampledReading,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        if not len(found):
            return
        target = np.zeros(reading.corrected.shape)
        target[:, : reading.true] = 1.0 / reading.true
        keep = None if reading.mask is None else np.ascontiguousarray(reading.mask).view(np.uint8)
        deliveries = Deliveries(work)
        grad, hess = deliveries.array(0, 1), deliveries.array(0, 2)
        if info.kernel == "nce":
            ordinal = _kernels.load("ordinal")
            ordinal.run(
                ordinal.KINDS["levels"], reading.corrected, np.zeros(len(found), np.int64), target, None,
                factor=samples.factor_per_sample(), keep=keep, values=found if work.wants_value else None,
                grad=grad, hess=hess,
            )  # fmt: skip
        else:
            planes = {
                key: array[:, :, np.newaxis] for key, array in (("grad", grad), ("hess", hess)) if array is not None
            }
            self.driver.run(
                "cross_entropy", (), reading.corrected[:, :, np.newaxis], target[:, :, np.newaxis],
                double_precision=True, soft=True, keep=keep, scale=samples.factor_per_sample(), scale_all=0.0,
                values=found if work.wants_value else None, **planes,
            )  # fmt: skip
        deliveries.finish()

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        of_rows = any(values[key] is not None for key in ("true_log_expected", "accidental_hits"))
        return () if of_rows else (0,)

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,)

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        return [rng.standard_normal((max(1, elements // COMPONENTS), COMPONENTS))]


def fit(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape != shape:
        raise ShapeError(f"{name} has shape {array.shape}, expected {shape}")
    return array


geometry = SampledClasses()
