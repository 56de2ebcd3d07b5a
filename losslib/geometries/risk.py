"""The geometry of risk sets: one score for each sample, compared at each event with everybody still at risk.

Samples are sorted by stratum and time here; ``pyx/risk/cox.pxd`` goes through them once in each direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import fit_sample_weight, read_where
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError
from losslib.geometries.base import Geometry, Reading, Samples, Work
from losslib.geometries.censoring import (
    COUNTED,
    draw_censored,
    order_by_time,
    read_numbers,
    read_one_score,
    require_times,
)

__all__ = ["geometry"]


@dataclass(kw_only=True)
class RiskSets(Reading):
    """Scores, times and events of all samples; float64 copies but for the scores."""

    time: np.ndarray
    event: np.ndarray
    strata: np.ndarray | None
    entry: np.ndarray | None


class OfRisk(Geometry):
    kernels = "risk"
    nothing_is_zero = True
    chunked = False
    uncut = "samples that are compared with all others at risk"

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> RiskSets:
        first = info.inputs[0].name
        scores = read_one_score(first, raw[0])
        shape = scores.shape
        time = read_numbers("time", raw[1], first, shape)
        event = read_numbers("event", raw[2], first, shape)
        strata, entry = (
            None if values[name] is None else read_numbers(name, values[name], first, shape)
            for name in ("strata", "entry")
        )
        weight = options.pop("sample_weight", None)  # it belongs into the risk sets, not before the values
        if weight is not None:
            weight = fit_sample_weight(arrays.read_array("sample_weight", weight), shape).astype(np.float64)
        mask = read_where(options, shape, COUNTED)
        counts = event != 0 if mask is None else (event != 0) & mask
        return RiskSets(
            given=[scores],
            shape=shape,
            dtype=scores.dtype,
            mask=mask,
            counted=event != 0,
            divides_by_weight=True,
            kernel_weight=weight,
            empty_is_zero=scores.size > 0 and not (counts if weight is None else counts & (weight != 0)).any(),
            time=time,
            event=event,
            strata=strata,
            entry=entry,
        )

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, RiskSets)
        if not values["check"]:
            return
        time, mask = reading.time, reading.mask
        require_times(info, "time", time, np.isnan(time), mask, "times must be numbers that can be sorted")
        arrays.require_domain("event", reading.event, info.inputs[2].domain, info.inputs[2].fix, mask, info.name)
        require_times(info, "event", reading.event, np.isnan(reading.event), mask, "an event is 0 or 1")
        if reading.strata is not None:
            require_times(info, "strata", reading.strata, np.isnan(reading.strata), mask, "strata are told by numbers")
        if reading.entry is not None:
            require_times(
                info, "entry", reading.entry, ~(reading.entry < time), mask, "a sample must enter before its time"
            )
        weight = reading.kernel_weight
        if weight is not None and bool(((weight < 0) & (True if mask is None else mask)).any()):
            place, value = arrays.first(weight < 0, weight)
            raise DomainError(
                f"sample_weight{place} is {float(value):g}; weights of {info.name} are part of the risk sets and must "
                f"hold numbers >= 0; check=False computes the formula regardless"
            )

    def compute(self, info: LossInfo, values: Mapping[str, Any], reading: Reading, samples: Samples, work: Work) -> Any:
        found = np.zeros(reading.shape, np.float64)
        self.run(info, values, reading, samples, found, work)
        return samples.reduce(found, reading.dtype, work.values) if work.wants_value else None

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Any,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        order, sizes = sort_samples(reading)
        score = reading.given[0][order].astype(np.float64)
        weight = np.ones(len(order)) if reading.kernel_weight is None else reading.kernel_weight[order]
        entry = None if reading.entry is None else reading.entry[order]
        outputs = {item.order: np.zeros(len(order)) for item in work.derivatives}
        sorted_values = np.zeros(len(order)) if work.wants_value else None
        self.driver.cox(
            reading.time[order],
            (reading.event[order] != 0).astype(np.uint8),
            score,
            weight,
            score if reading.kernel_weight is None else score + np.log(weight),
            entry,
            None if entry is None else by_falling_entry(entry, sizes),
            None if samples.upstream is None else samples.upstream[order].astype(np.float64),
            sizes,
            efron=values["ties"] == "efron",
            deaths=int(np.count_nonzero(reading.event)),
            values=sorted_values,
            grad=outputs.get(1),
            hess=outputs.get(2),
        )
        if sorted_values is not None:
            found[order] = sorted_values
        for item in work.derivatives:
            item.array.fill(0.0)
            if not reading.empty_is_zero:  # else the mean has no denominator
                item.array[order] = outputs[item.order] * samples.scale

    def meets_all(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        return True

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        return [
            rng.standard_normal(elements),
            *(draw_censored(item, item.domain, rng, elements) for item in info.inputs[1:]),
        ]


def sort_samples(reading: RiskSets) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples that count by stratum, time and event, events first, and how many each stratum has."""
    order = order_by_time(reading.time, reading.event != 0, reading.mask)
    if reading.strata is None:
        return order, np.array([len(order)], np.int64)
    _, codes, sizes = np.unique(reading.strata[order], return_inverse=True, return_counts=True)
    return order[np.argsort(codes, kind="stable")], sizes.astype(np.int64)


def by_falling_entry(entry: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return for each stratum its rows by falling entry, counted from its first."""
    stratum = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((-entry, stratum))
    return np.asarray(order - np.repeat(np.cumsum(sizes) - sizes, sizes), np.int64)


geometry = OfRisk()
