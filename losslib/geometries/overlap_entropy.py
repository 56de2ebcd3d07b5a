"""The overlap geometry with a cross-entropy of the same logits beside the ratios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib.call.samples import Reading, Samples, TermByTerm, ratio
from losslib.declaration.schema import LossInfo
from losslib.errors import ParameterError
from losslib.geometries.base import Work
from losslib.geometries.overlap import Counts, Overlap, Regions

__all__ = ["geometry"]


class OverlapWithEntropy(Overlap):
    def region(self, info: LossInfo, values: Mapping[str, Any], reading: Regions, **more: Any) -> Any:
        weighted = values.get("weight") is not None
        return super().region(
            info,
            values,
            reading,
            addend="cross_entropy",
            class_weight=reading.class_weight if weighted else None,
            smoothing=values["label_smoothing"],
            **more,
        )

    def compute(self, info: LossInfo, values: Mapping[str, Any], reading: Reading, samples: Samples, work: Work) -> Any:
        if isinstance(samples.reduction, TermByTerm):
            raise ParameterError(
                f"{info.name} is a mean of ratios plus a mean over positions, which have no terms that add up; "
                f"accumulate dice_loss and cross_entropy by themselves"
            )
        return super().compute(info, values, reading, samples, work)

    def share(self, values: Mapping[str, Any]) -> float:
        return float(values["dice_weight"])

    def addend(
        self, values: Mapping[str, Any], reading: Regions, counts: Counts, samples: Samples, number: float
    ) -> tuple[float, np.ndarray | None]:
        terms, divisors = counts.extras[:, 0], counts.extras[:, 1]
        divisor = float(divisors.sum()) if samples.reduction == "mean" else 1.0
        weight = float(values["ce_weight"])
        scale = weight * ratio(1.0, divisor)
        value = ratio(weight * float((terms * reading.sample_weight).sum()), divisor)
        return value, np.ascontiguousarray(scale * number * reading.sample_weight)

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return ()  # two means with two denominators are no terms that add up


geometry = OverlapWithEntropy()
