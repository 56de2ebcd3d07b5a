"""The overlap geometry with a mean over positions beside the ratios: a cross-entropy, or the unified focal loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib.call.samples import Reading, Samples, TermByTerm, ratio
from losslib.declaration.schema import LossInfo
from losslib.errors import ParameterError
from losslib.geometries.base import Work
from losslib.geometries.overlap import Counts, Overlap, Ratios, Regions

__all__ = ["geometry"]


class OverlapSum(Overlap):
    def region(self, info: LossInfo, values: Mapping[str, Any], reading: Regions, **more: Any) -> Any:
        if "delta" in values:
            more |= {"addend": "unified_focal", "clip": 1e-7, "delta": values["delta"], "gamma": values["gamma"]}
        else:
            weighted = values.get("weight") is not None
            more |= {
                "addend": "cross_entropy",
                "class_weight": reading.class_weight if weighted else None,
                "smoothing": values["label_smoothing"],
            }
        return super().region(info, values, reading, **more)

    def compute(self, info: LossInfo, values: Mapping[str, Any], reading: Reading, samples: Samples, work: Work) -> Any:
        if isinstance(samples.reduction, TermByTerm):
            raise ParameterError(
                f"{info.name} is a mean of ratios plus a mean over positions, which have no terms that add up; "
                f"accumulate the two losses by themselves"
            )
        return super().compute(info, values, reading, samples, work)

    def ratios(
        self, info: LossInfo, values: Mapping[str, Any], reading: Regions, counts: Counts, pooling: np.ndarray
    ) -> Ratios:
        found = super().ratios(info, values, reading, counts, pooling)
        if "delta" in values:  # the background, class 0, has no power
            plain = super().ratios(info, {**values, "gamma": 0.0}, reading, counts, pooling)
            found.values[:, 0], found.slopes[:, 0] = plain.values[:, 0], plain.slopes[:, 0]
        return found

    def share(self, values: Mapping[str, Any]) -> float:
        return 1.0 - float(values["weight"]) if "delta" in values else float(values["dice_weight"])

    def addend(
        self, values: Mapping[str, Any], reading: Regions, counts: Counts, samples: Samples, number: float
    ) -> tuple[float, np.ndarray | None]:
        terms, divisors = counts.extras[:, 0], counts.extras[:, 1]
        divisor = float(divisors.sum()) if samples.reduction == "mean" else 1.0
        weight = float(values["weight"] if "delta" in values else values["ce_weight"])
        value = ratio(weight * float((terms * reading.sample_weight).sum()), divisor)
        return value, np.ascontiguousarray(ratio(weight * number, divisor) * reading.sample_weight)

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return ()  # two means with two denominators are no terms that add up


geometry = OverlapSum()
