"""The geometry of DeepHit: the likelihood of each sample on a grid of intervals, and pairs of samples in order.

The likelihood is that of ``pmf_loss``; the pairs compare distribution functions, in ``pyx/risk/comparisons.pxd``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib.declaration.schema import LossInfo
from losslib.geometries.base import Reading, Samples, Work
from losslib.geometries.censoring import input_in_float64, order_by_time, partners_of
from losslib.geometries.intervals import KINDS, OfIntervals, Rows

__all__ = ["geometry"]


class OfHits(OfIntervals):
    chunked = False
    uncut = "samples that are compared with all who are observed longer"

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        """Intervals and causes are addresses, which `read` has checked."""

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Rows,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        scores = reading.given[0]
        rows = input_in_float64(scores, work.shares).reshape(len(scores), math.prod(scores.shape[1:]))
        factor, alpha = samples.factor_per_sample(), values["alpha"]
        grad = np.zeros(rows.shape) if work.derivatives else None
        self.driver.rows(
            KINDS["mass"],
            rows,
            reading.interval,
            reading.event,
            None,
            causes=reading.causes,
            pad=values["pad"],
            cumulative=False,
            factor=alpha * factor,
            values=found,
            grad=grad,
            hess=None,
        )
        found *= alpha
        happened = reading.event != 0
        order = order_by_time(reading.interval.astype(np.float64), happened, reading.mask)
        share = (1.0 - alpha) / max(len(order), 1)
        sums = np.zeros(len(order))
        part = None if grad is None else np.zeros((len(order), rows.shape[1]))
        self.driver.hits(
            np.ascontiguousarray(rows[order]),
            reading.interval[order],
            reading.event[order].astype(np.int64),
            partners_of(reading.interval[order].astype(np.float64), happened[order]),
            causes=reading.causes,
            pad=values["pad"],
            sigma=values["sigma"],
            factor=share * factor[order],
            sums=sums,
            grad=part,
        )
        found[order] += share * sums
        for item in work.derivatives:
            assert grad is not None
            assert part is not None
            grad[order] += part
            np.copyto(item.array, grad.reshape(item.array.shape), casting="same_kind")

    def meets_all(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        return True

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return ()


geometry = OfHits()
