"""The geometry of lifetimes: each time by itself, known or between bounds, with one or two predictions.

Arrays of any shape, computed in float64 by ``pyx/risk``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import read_where
from losslib.declaration.schema import LossInfo
from losslib.geometries.base import Geometry, Reading, Samples, Work, domains_of, draw_numbers
from losslib.geometries.censoring import (
    COUNTED,
    Deliveries,
    draw_censored,
    input_in_float64,
    read_numbers,
    require_times,
)

__all__ = ["geometry"]


@dataclass(kw_only=True)
class Lifetimes(Reading):
    """Predictions and, as float64 copies, what is known of the times."""

    known: list[np.ndarray]


class OfLifetimes(Geometry):
    kernels = "risk"
    nothing_is_zero = True

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Lifetimes:
        count = len(info.differentiable)
        given = [arrays.read_array(item.name, obj) for item, obj in zip(info.inputs[:count], raw, strict=False)]
        first = info.inputs[0].name
        for item, array in zip(info.inputs[1:count], given[1:], strict=True):
            arrays.require_same_shape(item.name, array, first, given[0])
        shape = given[0].shape
        known = [
            read_numbers(item.name, obj, first, shape)
            for item, obj in zip(info.inputs[count:], raw[count:], strict=True)
        ]
        mask = read_where(options, shape, COUNTED)
        return Lifetimes(
            given=given,
            shape=shape,
            dtype=arrays.promote(given, raw),
            mask=mask,
            known=known,
            empty_is_zero=given[0].size > 0 and mask is not None and not mask.any(),
        )

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, Lifetimes)
        if not values["check"]:
            return
        count = len(reading.given)
        for item, array in zip(info.inputs[count:], reading.known, strict=True):
            arrays.require_domain(item.name, array, item.domain, item.fix, reading.mask, info.name)
        if info.inputs[-1].name == "upper":
            lower, upper = reading.known
            require_times(
                info,
                "lower",
                lower,
                lower > upper,
                reading.mask,
                "lower must not be above upper, which is smaller here",
            )
            # A known time is the only one whose lower bound has to be positive.
            require_times(
                info, "upper", upper, np.isinf(lower) & (lower > 0), reading.mask, "lower is inf: no time lies there"
            )

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Lifetimes,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        count = len(reading.given)
        outputs = Deliveries(work)
        grads = [outputs.array(k, 1) if k < count else None for k in range(2)]
        hessians = [outputs.array(k, 2) if k < count else None for k in range(2)]
        predictions = [input_in_float64(array, work.shares).reshape(-1) for array in reading.given]
        self.driver.elements(
            values["distribution"] if info.kernel == "aft" else info.kernel,
            [*predictions, *(array.reshape(-1) for array in reading.known)],
            scale=values.get("scale", 1.0),
            clamped=values.get("xgboost_clamps", False),
            factor=samples.factor_per_sample(),
            values=found if work.wants_value else None,
            grads=grads,
            hessians=hessians,
        )
        outputs.finish()

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return tuple(range(ndim))

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        drawn = [
            draw_numbers(domain, rng, (elements,))
            if item.name in info.differentiable
            else draw_censored(item, domain, rng, elements)
            for item, domain in zip(info.inputs, domains_of(info, values), strict=True)
        ]
        if info.kernel == "aft":  # a third known, a third without an upper bound, the others between two
            kind = rng.integers(0, 3, elements)
            lower, span = drawn[1], drawn[2]
            drawn[2] = np.where(kind == 0, lower, np.where(kind == 1, np.inf, lower + span))
        return drawn


geometry = OfLifetimes()
