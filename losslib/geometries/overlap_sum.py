"""The overlap geometry with a mean over positions beside the ratios: a cross-entropy, or the unified focal loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from losslib.call.samples import Reading, Samples, TermByTerm, Terms, ratio
from losslib.declaration.schema import LossInfo
from losslib.geometries.base import Work
from losslib.geometries.overlap import Counts, Overlap
from losslib.geometries.overlap_ratios import Ratios
from losslib.geometries.regions import Regions

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
        if not isinstance(samples.reduction, TermByTerm):
            return super().compute(info, values, reading, samples, work)
        # Two means with two denominators: all there is, is one term.
        whole = replace(samples, reduction=str(samples.reduction))
        value = super().compute(info, values, reading, whole, work)
        return Terms(np.array([value]), None if whole.reduction == "sum" else np.ones(1))

    def ratios(
        self, info: LossInfo, values: Mapping[str, Any], reading: Regions, counts: Counts, pooling: np.ndarray
    ) -> Ratios:
        found = super().ratios(info, values, reading, counts, pooling)
        if "delta" in values:  # the background, class 0, has no power
            plain = super().ratios(info, {**values, "gamma": 0.0}, reading, counts, pooling)
            found.values[:, :1], found.slopes[:, :1] = plain.values[:, :1], plain.slopes[:, :1]
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

    def meets_all(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        return True  # two means with two denominators

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return ()


geometry = OverlapSum()
