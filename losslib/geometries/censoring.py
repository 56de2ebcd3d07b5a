"""What survival losses are given beside predictions: times, events, intervals and causes, one for each sample."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from losslib import _kernels
from losslib.call import arrays
from losslib.declaration.schema import Domain, Input, LossInfo
from losslib.errors import DomainError, ShapeError
from losslib.geometries.base import Work, draw_numbers

__all__ = [
    "COUNTED",
    "Deliveries",
    "draw_censored",
    "input_in_float64",
    "input_in_rows",
    "order_by_number",
    "order_by_time",
    "partners_of",
    "read_causes",
    "read_intervals",
    "read_numbers",
    "read_one_score",
    "require_times",
]

#: What a mask of these losses is.
COUNTED = "a mask of the samples, broadcasting to the shape of the unreduced values"

#: Intervals of a grid that is drawn.
INTERVALS = 8


def read_numbers(name: str, obj: Any, first_name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Read times, bounds, events or fractions as a contiguous float64 copy of this shape; a number holds for all."""
    array = arrays.read_array(name, obj)
    if array.ndim and array.shape != shape:
        fix = f"; if they are in the same order, reshape: {name}.reshape({shape})" if array.shape != () else ""
        fix = fix if array.size == math.prod(shape) else ""
        raise ShapeError(
            f"{name} has shape {array.shape}, expected {shape}, one number for each sample of {first_name}{fix}"
        )
    copy = np.empty(shape, np.float64)
    copy[...] = array
    return copy


def read_intervals(name: str, obj: Any, samples: int, intervals: int, mask: np.ndarray | None) -> np.ndarray:
    """Read the interval of each sample, an index: it is checked with ``check=False`` too."""
    return arrays.read_classes(name, obj, (samples,), intervals, mask, unit="interval", units="intervals")


def read_causes(name: str, obj: Any, samples: int, causes: int, mask: np.ndarray | None) -> np.ndarray:
    """Read 0 for a censored sample, else its cause 1 … causes, an index, as float64."""
    array = arrays.to_numpy(name, obj)
    if array.dtype.kind == "f" and bool((array == np.floor(array)).all()):
        array = array.astype(np.int64)  # 0.0 and 1.0, as events come from data frames
    elif array.dtype.kind == "b":
        array = array.astype(np.int64)
    return arrays.read_classes(name, array, (samples,), causes + 1, mask, unit="cause", units="causes").astype(
        np.float64
    )


def read_one_score(name: str, obj: Any) -> np.ndarray:
    """Read the scores of samples that have one each."""
    scores = arrays.read_array(name, obj)
    if scores.ndim != 1:
        fix = f"; use {name}.reshape(-1)" if scores.size == max(scores.shape, default=0) else ""
        raise ShapeError(f"{name} has shape {scores.shape}, expected (N,): one score for each sample{fix}")
    return scores


def require_times(
    info: LossInfo, name: str, time: np.ndarray, bad: np.ndarray, mask: np.ndarray | None, expected: str
) -> None:
    """Raise ``DomainError`` for the first sample that counts and whose time is marked as bad."""
    if mask is not None:
        bad = bad & mask
    if bad.any():
        place, value = arrays.first(bad, time)
        raise DomainError(
            f"{name}{place} is {float(value):g}, outside the domain of {info.name}: {expected}; check=False computes "
            f"the formula regardless"
        )


def input_in_rows(array: np.ndarray, shares: bool) -> np.ndarray:
    """Return an input as a contiguous array of its own type, a copy where outputs may be its memory."""
    return np.array(array, order="C") if shares else np.ascontiguousarray(array)


def input_in_float64(array: np.ndarray, shares: bool) -> np.ndarray:
    """Return an input as contiguous float64, a copy where outputs may be its memory."""
    return np.array(array, np.float64, order="C") if shares else np.ascontiguousarray(array, np.float64)


@dataclass
class Deliveries:
    """Contiguous float64 arrays that a driver writes, and the outputs of other types or layouts they are copied to.

    A driver that writes ``float32`` too gets such outputs as they are. Half precision it does not write: from float64
    by way of float32 a number would be rounded twice.
    """

    work: Work
    float32: bool = False
    pending: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def array(self, position: int, order: int) -> np.ndarray | None:
        """Return what takes the derivative by an input, the caller's own array where that can be; None if unwanted."""
        for item in self.work.derivatives:
            if (item.position, item.order) == (position, order):
                array = item.array
                fits = array.dtype == np.float64 or (self.float32 and array.dtype == np.float32)
                if fits and array.flags.c_contiguous and array.flags.aligned:
                    return array
                self.pending.append((np.empty(array.shape, np.float64), array))
                return self.pending[-1][0]
        return None

    def finish(self) -> None:
        for written, wanted in self.pending:
            np.copyto(wanted, written, casting="same_kind")


def order_by_time(time: np.ndarray, happened: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Return the samples that count by time, the events of a time before its censorings."""
    return order_by_number(time, happened, mask)


def order_by_number(number: np.ndarray, first: np.ndarray | None = None, mask: np.ndarray | None = None) -> np.ndarray:
    """Return the places of float64 numbers by size, of equal ones the marked first, and else as they come."""
    order = np.empty(len(number), np.int64)
    marks = (None if array is None else np.ascontiguousarray(array) for array in (first, mask))
    return order[: _kernels.load("risk").rising_order(np.ascontiguousarray(number), *marks, order)]


def partners_of(time: np.ndarray, happened: np.ndarray) -> np.ndarray:
    """Return for each of the sorted samples the first that is comparable with it: behind the events of its time."""
    starts = np.flatnonzero((time[1:] != time[:-1]) | (happened[1:] != happened[:-1])) + 1
    bounds = np.concatenate([[0], starts, [len(time)]])
    return np.asarray(np.repeat(bounds[1:], np.diff(bounds)), np.int64)


def draw_censored(item: Input, domain: Domain, rng: np.random.Generator, samples: int) -> np.ndarray:
    """Draw what an input beside the predictions holds."""
    if item.holds == "time":
        return rng.integers(1, 31, samples) / 10.0  # some are tied
    if item.holds == "interval":
        return rng.integers(0, INTERVALS - 1, samples)  # not the last, after which there may be no mass
    if item.holds in ("cause", "event"):
        return rng.integers(0, 2, samples)
    return draw_numbers(domain, rng, (samples,))
