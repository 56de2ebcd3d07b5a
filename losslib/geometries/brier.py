"""The geometry of survival curves: a row of probabilities for each sample, at times that all samples share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import read_where
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, ShapeError
from losslib.geometries.base import Geometry, Reading, Samples, Work
from losslib.geometries.censoring import (
    COUNTED,
    Deliveries,
    draw_censored,
    input_in_float64,
    read_numbers,
    require_times,
)
from losslib.geometries.kaplan_meier import Censoring, estimate_censoring, read_training

__all__ = ["geometry"]

#: Times of the curves that are drawn.
TIMES = 3


@dataclass(kw_only=True)
class Curves(Reading):
    """Curves with the time and event of each sample, and the times of the grid."""

    time: np.ndarray
    event: np.ndarray
    grid: np.ndarray
    censoring: Censoring


class OfCurves(Geometry):
    kernels = "risk"
    nothing_is_zero = True
    chunked = False
    uncut = "samples that estimate the censoring together"

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Curves:
        name = info.inputs[0].name
        curves = arrays.read_array(name, raw[0])
        if curves.ndim != 2:
            raise ShapeError(f"{name} has shape {curves.shape}, expected (N, T): a curve of T times for each sample")
        shape = curves.shape[:1]
        time, event = (read_numbers(key, obj, name, shape) for key, obj in zip(("time", "event"), raw[1:], strict=True))
        grid = read_grid(values["eval_times"], name, curves.shape[1])
        mask = read_where(options, shape, COUNTED)
        return Curves(
            given=[curves],
            shape=shape,
            dtype=curves.dtype,
            mask=mask,
            empty_is_zero=shape[0] > 0 and mask is not None and not mask.any(),
            time=time,
            event=event,
            grid=grid,
            censoring=read_censoring(info, values, time, event, mask),
        )

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, Curves)
        if not values["check"]:
            return
        time, mask = reading.time, reading.mask
        rows = None if mask is None else np.broadcast_to(mask[:, np.newaxis], reading.given[0].shape)
        arrays.require_domain(
            info.inputs[0].name, reading.given[0], info.inputs[0].domain, info.inputs[0].fix, rows, info.name
        )
        require_times(info, "time", time, np.isnan(time), mask, "times must be numbers that can be compared")
        arrays.require_domain("event", reading.event, info.inputs[2].domain, info.inputs[2].fix, mask, info.name)
        require_times(info, "event", reading.event, np.isnan(reading.event), mask, "an event is 0 or 1")
        bad = ~(np.diff(reading.grid, prepend=-np.inf) > 0)
        if bad.any():
            place, value = arrays.first(bad, reading.grid)
            raise DomainError(f"eval_times{place} is {value:g}; the times of the curves must rise")

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Curves,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        outputs = Deliveries(work)
        curves = input_in_float64(reading.given[0], work.shares)
        grad, hess = outputs.array(0, 1), outputs.array(0, 2)
        self.driver.brier(
            curves,
            reading.time,
            reading.event,
            reading.censoring.inverse_at(reading.time),
            reading.grid,
            reading.censoring.inverse_at(reading.grid),
            shares(reading.grid, integrate=values["integrate"]),
            factor=samples.factor_per_sample(),
            values=found,
            grad=grad,
            hess=hess,
        )
        outputs.finish()

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,)

    def meets_all(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        return values["train_time"] is None  # else the samples estimate the censoring themselves

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return () if self.meets_all(info, values) else (0,)

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        samples = max(1, elements // TIMES)
        curves = np.sort(rng.uniform(0.01, 0.99, (samples, TIMES)))[:, ::-1].copy()
        return [
            curves,
            *(draw_censored(item, item.domain, rng, samples) for item in info.inputs[1:]),
        ]


def read_grid(given: np.ndarray | None, first: str, times: int) -> np.ndarray:
    """Return the times of the curves in float64."""
    if given is None:
        return np.arange(1.0, times + 1.0)
    grid = np.ascontiguousarray(given, np.float64)
    if grid.shape != (times,):
        raise ShapeError(f"eval_times has shape {grid.shape}, expected ({times},): one time for each column of {first}")
    return grid


def read_censoring(
    info: LossInfo, values: Mapping[str, Any], time: np.ndarray, event: np.ndarray, mask: np.ndarray | None
) -> Censoring:
    """Estimate the censoring from the training data if they are given, else from the samples that count."""
    known = read_training(info.name, values["train_time"], values["train_event"], check=values["check"])
    if known is not None:
        return estimate_censoring(*known)
    return estimate_censoring(*((time, event) if mask is None else (time[mask], event[mask])))


def shares(grid: np.ndarray, *, integrate: bool) -> np.ndarray:
    """Return what each time counts: by the trapezoids around it, over the range of all, or all alike."""
    if len(grid) < 2 or not integrate:
        return np.full(len(grid), 1.0 / max(len(grid), 1))
    steps = np.diff(grid)
    return np.asarray((np.append(steps, 0.0) + np.append(0.0, steps)) / (2.0 * (grid[-1] - grid[0])))


geometry = OfCurves()
