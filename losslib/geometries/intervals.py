"""The geometry of intervals: time on a grid, a row of scores for each sample, the interval in which it ended.

Rows of (N, K) scores, or (N, R, K) with R causes that compete, computed in float64 by ``pyx/risk``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import read_where
from losslib.declaration.schema import LossInfo
from losslib.errors import ShapeError
from losslib.geometries.base import Geometry, Reading, Samples, Work, domains_of
from losslib.geometries.censoring import (
    COUNTED,
    INTERVALS,
    draw_censored,
    input_in_float64,
    read_causes,
    read_intervals,
    read_numbers,
)
from losslib.geometries.rows import slabs

__all__ = ["geometry"]

#: The kinds of rows in pyx/risk/rows.pxd.
KINDS = {"logistic_hazard": 0, "constant_hazard": 1, "mass": 2}


@dataclass(kw_only=True)
class Rows(Reading):
    """Scores with the interval of each sample, its event or cause, and what else was given."""

    causes: int
    interval: np.ndarray
    event: np.ndarray
    fraction: np.ndarray | None


class OfIntervals(Geometry):
    kernels = "risk"
    nothing_is_zero = True

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Rows:
        competing = info.inputs[2].holds == "cause"
        first = info.inputs[0].name
        scores = read_scores(first, raw[0], competing)
        count, shape = len(scores), (len(scores),)
        mask = read_where(options, shape, COUNTED)
        causes = scores.shape[1] if scores.ndim == 3 else 1
        name = info.inputs[2].name
        return Rows(
            given=[scores],
            shape=shape,
            dtype=scores.dtype,
            mask=mask,
            causes=causes,
            interval=read_intervals(info.inputs[1].name, raw[1], count, scores.shape[-1], mask),
            event=read_causes(name, raw[2], count, causes, mask)
            if competing
            else read_numbers(name, raw[2], first, shape),
            fraction=read_numbers(info.inputs[3].name, raw[3], first, shape) if len(info.inputs) > 3 else None,
            empty_is_zero=count > 0 and mask is not None and not mask.any(),
        )

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, Rows)
        if not values["check"]:
            return
        for item, array in zip(info.inputs[2:], (reading.event, reading.fraction), strict=False):
            if array is not None and item.domain.code:
                arrays.require_domain(item.name, array, item.domain, item.fix, reading.mask, info.name)

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Rows,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        scores, factor = reading.given[0], samples.factor_per_sample()
        targets = {item.order: item.array for item in work.derivatives}
        converted = any(not lies_flat(array) for array in (scores, *targets.values()))
        for part in slabs(scores, converted):
            outputs = {order: as_output(array[part]) for order, array in targets.items()}
            rows = input_in_float64(scores[part], work.shares)
            self.driver.rows(
                KINDS[str(info.kernel)],
                rows.reshape(len(rows), math.prod(scores.shape[1:])),
                reading.interval[part],
                reading.event[part],
                None if reading.fraction is None else reading.fraction[part],
                causes=reading.causes,
                pad=values.get("pad", False),
                cumulative=values.get("cumulative", False),
                factor=factor[part],
                values=found[part] if work.wants_value else None,
                grad=outputs.get(1),
                hess=outputs.get(2),
            )
            for order, written in outputs.items():
                if not np.may_share_memory(written, targets[order]):
                    np.copyto(targets[order][part], written, casting="same_kind")

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,)

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,)

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        samples = max(1, elements // INTERVALS)
        return [
            rng.standard_normal((samples, INTERVALS)),
            *(
                draw_censored(item, domain, rng, samples)
                for item, domain in zip(info.inputs[1:], domains_of(info, values)[1:], strict=True)
            ),
        ]


def read_scores(name: str, obj: Any, competing: bool) -> np.ndarray:
    """Read the scores of all intervals, of which there is at least one."""
    scores = arrays.read_array(name, obj)
    expected = "(N, K) or (N, R, K): samples, causes and intervals" if competing else "(N, K): samples and intervals"
    if scores.ndim != 2 and not (competing and scores.ndim == 3):
        fix = f"; a single sample is a batch of one: {name}[numpy.newaxis]" if scores.ndim == 1 else ""
        raise ShapeError(f"{name} has shape {scores.shape}, expected {expected}{fix}")
    if 0 in scores.shape[1:]:
        raise ShapeError(f"{name} has shape {scores.shape}, expected {expected}, at least one of the latter")
    return scores


def lies_flat(array: np.ndarray) -> bool:
    """True if the driver can take an array as it is."""
    return array.dtype == np.float64 and array.flags.c_contiguous and array.flags.aligned


def as_output(array: np.ndarray) -> np.ndarray:
    """Return the array itself if the driver can write it, else a new one."""
    return array if lies_flat(array) else np.empty(array.shape, np.float64)


geometry = OfIntervals()
