"""The overlap geometry of sorted errors: the Lovász extensions of the Jaccard loss.

The probabilities of all classes are written into one array of the size of the input, the gradient's own where that is
possible; errors are sorted segment by segment in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib.call.samples import Terms
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, ShapeError
from losslib.geometries.base import Reading, Samples, Work, domains_of
from losslib.geometries.overlap import BAD_CLASS, Counts, Overlap, derivative_places
from losslib.geometries.overlap_ratios import POOLED, Ratios, absent_of, per_of, ratio_weights, reduce_ratios
from losslib.geometries.regions import Regions

__all__ = ["geometry"]


class SortedOverlap(Overlap):
    def compute(self, info: LossInfo, values: Mapping[str, Any], reading: Reading, samples: Samples, work: Work) -> Any:
        assert isinstance(reading, Regions)
        pools = 0 in POOLED[per_of(values)]
        if reading.position_weight is not None or (pools and (reading.sample_weight != 1).any()):
            raise ShapeError(
                f"sample_weight of {info.name} must be one weight for each sample, with per='sample_class' or "
                f"'sample': sorted errors have no weights of their own"
            )
        hinge = "activation" not in values
        if hinge and reading.input.shape[1] != 1:
            raise ShapeError(
                f"{info.inputs[0].name} of {info.name} has {reading.input.shape[1]} classes along its axis; it takes "
                f"logits of one class, and lovasz_softmax_loss several"
            )
        region = self.region(info, values, reading)
        counts = Counts(np.empty((*reading.input.shape[:2], 4)), np.empty((len(reading.input), 3)))
        first, second = domains_of(info, values)
        checked = BAD_CLASS | (1 if first.code else 0) | (2 if second.code else 0)
        violated = region.count(counts.table, counts.extras) & checked
        if violated & BAD_CLASS or (violated and values["check"]):
            self.look(info, values, reading)
            raise DomainError(
                f"an input of {info.name} left its domain during the call; it was changed by another thread"
            )
        used = np.zeros(reading.input.shape[1], bool)
        used[reading.classes] = True
        field = np.empty(reading.input.shape, reading.computed)
        segments = np.empty(reading.input.shape[1] if pools else reading.input.shape[:2])
        region.lovasz(field, segments.reshape(-1), used, pools_samples=pools, hinge=hinge)
        found = segments[..., reading.classes].reshape(reading.shape)
        sizes = counts.table[:, reading.classes, 3]
        absent = ((sizes.sum(axis=0) if pools else sizes) == 0).reshape(reading.shape)
        if absent_of(values) != "include":
            found = np.where(absent, 0.0, found)
        counted = ~absent if absent_of(values) == "skip" else np.ones(reading.shape, bool)
        ratios = Ratios(found, np.zeros((*reading.shape, 3)), ratio_weights(values, reading), counted)
        number = samples.scale * samples.divisor if samples.divisor else 1.0
        value, factor = reduce_ratios(values, ratios, samples, number, reading.dtype, work)
        if work.derivatives:
            if absent_of(values) != "include":
                factor = np.where(absent, 0.0, factor)
            slopes = np.zeros((*reading.input.shape[:2], 3))
            spread = factor.reshape(factor.shape if factor.ndim == 2 else (1, -1) if pools else (-1, 1))
            slopes[:, reading.classes, 0] = spread
            places = derivative_places(reading, work)
            self.differentiate(region, reading, work, places, slopes=slopes, field=field)
        return value if work.wants_value or isinstance(value, Terms) else None


geometry = SortedOverlap()
