"""The geometry of comparable pairs: each event against all who are observed beyond it, by one score a sample.

Samples are sorted by time here; ``pyx/lists/pairs.pxd`` lets each event meet those behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import fit_sample_weight, read_where
from losslib.declaration.schema import LossInfo
from losslib.geometries.base import Geometry, Reading, Samples, Work
from losslib.geometries.censoring import (
    COUNTED,
    draw_censored,
    order_by_time,
    partners_of,
    read_numbers,
    read_one_score,
    require_times,
)
from losslib.geometries.kaplan_meier import estimate_censoring

__all__ = ["geometry"]


@dataclass(kw_only=True)
class Comparable(Reading):
    """Times and events of all samples, the order of those that count, and what a pair of each event weighs."""

    time: np.ndarray
    event: np.ndarray
    order: np.ndarray
    pair_weight: np.ndarray


class OfComparable(Geometry):
    kernels = "lists"
    nothing_is_zero = True
    chunked = False
    uncut = "samples that are compared with all who are observed longer"

    def read(
        self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]
    ) -> Comparable:
        first = info.inputs[0].name
        scores = read_one_score(first, raw[0])
        shape = scores.shape
        time, event = (
            read_numbers(name, obj, first, shape) for name, obj in zip(("time", "event"), raw[1:], strict=True)
        )
        weight = options.pop("sample_weight", None)  # of the pairs of an event, whose number the mean divides by
        mask = read_where(options, shape, COUNTED)
        order = order_by_time(time, event != 0, mask)
        known, happened = time[order], event[order] != 0
        of_event = np.where(happened, 1.0, 0.0)
        if values["ipcw"] and len(order):
            of_event *= estimate_censoring(known, happened).inverse_at(known) ** 2
        number = (len(order) - partners_of(known, happened)) * of_event
        pairs, pair_weight = np.zeros(shape), np.zeros(shape)
        pairs[order], pair_weight[order] = number, of_event
        if weight is not None:
            factor = fit_sample_weight(arrays.read_array("sample_weight", weight), shape).astype(np.float64)
            pair_weight = np.where(pair_weight != 0, pair_weight * factor, 0.0)
            if values["reduction"] == "weighted_mean":
                pairs = np.where(pairs != 0, pairs * factor, 0.0)
        return Comparable(
            given=[scores],
            shape=shape,
            dtype=scores.dtype,
            mask=mask,
            divides_by_weight=True,
            kernel_weight=pairs,
            empty_is_zero=scores.size > 0 and not pairs.any(),
            time=time,
            event=event,
            order=order,
            pair_weight=pair_weight,
        )

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, Comparable)
        if values["check"]:
            time, mask = reading.time, reading.mask
            require_times(info, "time", time, np.isnan(time), mask, "times must be numbers that can be sorted")
            arrays.require_domain("event", reading.event, info.inputs[2].domain, info.inputs[2].fix, mask, info.name)
            require_times(info, "event", reading.event, np.isnan(reading.event), mask, "an event is 0 or 1")

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Comparable,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        order = reading.order
        outputs = {item.order: np.zeros(len(order)) for item in work.derivatives}
        each = np.zeros(len(order))

        def call(weight: np.ndarray, each: np.ndarray, grad: np.ndarray | None, hess: np.ndarray | None) -> None:
            self.driver.lists(
                "by_time",
                reading.given[0][order].astype(np.float64),
                reading.time[order],
                (reading.event[order] != 0).astype(np.float64),
                np.ascontiguousarray(weight[order]),
                np.array([0, len(order)], np.int64),
                factor=None,
                sigma=values["sigma"],
                values=None,
                each=each,
                grad=grad,
                hess=hess,
            )

        if samples.upstream is None:
            call(reading.pair_weight, each, outputs.get(1), outputs.get(2))
        else:  # a factor of the pairs of each event
            call(reading.pair_weight, each, None, None)
            upstream = np.where(reading.pair_weight != 0, samples.upstream.astype(np.float64), 0.0)
            call(reading.pair_weight * upstream, np.zeros(len(order)), outputs.get(1), outputs.get(2))
        found.fill(0.0)
        found[order] = each
        for item in work.derivatives:
            full = np.zeros(reading.shape)
            if not reading.empty_is_zero:  # else the mean has no denominator
                full[order] = outputs[item.order] * samples.scale
            np.copyto(item.array, full, casting="same_kind")

    def meets_all(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        return True

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        return [
            rng.standard_normal(elements),
            *(draw_censored(item, item.domain, rng, elements) for item in info.inputs[1:]),
        ]


geometry = OfComparable()
