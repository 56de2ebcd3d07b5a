"""The probability to be uncensored beyond a time, by Kaplan and Meier's estimate with the roles exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.errors import DomainError, ShapeError

__all__ = ["Censoring", "estimate_censoring", "read_training"]


@dataclass
class Censoring:
    """A step function of time: `remaining` from each of `times` on, 1 before the first."""

    times: np.ndarray
    remaining: np.ndarray

    def at(self, time: np.ndarray) -> np.ndarray:
        """Return the probability at each time, the steps at that very time taken."""
        place = np.searchsorted(self.times, time, side="right")
        return np.asarray(np.concatenate([[1.0], self.remaining])[place])

    def inverse_at(self, time: np.ndarray) -> np.ndarray:
        """Return its inverse, 0 where the probability is 0: nobody is known that far."""
        found = self.at(time)
        return np.asarray(np.divide(1.0, found, out=np.zeros_like(found), where=found > 0))


def read_training(name: str, times: Any, events: Any, *, check: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the times and events of ``train_time`` and ``train_event``, None if there are none."""
    if (times is None) != (events is None):
        raise ShapeError("train_time and train_event belong together; pass both or none")
    if times is None:
        return None
    time, event = arrays.read_array("train_time", times), arrays.read_array("train_event", events)
    if time.ndim != 1 or time.shape != event.shape:
        raise ShapeError(f"train_time has shape {time.shape}, train_event {event.shape}; expected (M,) for both")
    wrong = (
        ("train_time", time, np.isnan(time), "numbers that can be sorted"),
        ("train_event", event, (event != 0) & (event != 1), "labels 0 or 1"),
    )
    for key, array, bad, expected in wrong if check else ():
        if bad.any():
            place, value = arrays.first(bad, array)
            raise DomainError(f"{key}{place} is {float(value):g}; {name} takes {expected}")
    return time.astype(np.float64), event


def estimate_censoring(time: np.ndarray, event: np.ndarray) -> Censoring:
    """Estimate it from samples; events at a time come before its censorings and are not at risk of them."""
    times, inverse, tied = np.unique(time, return_inverse=True, return_counts=True)
    happened = np.bincount(inverse, event != 0, len(times))
    at_risk = np.cumsum(tied[::-1])[::-1] - happened
    lost = tied - happened
    kept = np.divide(at_risk - lost, at_risk, out=np.ones(len(times)), where=at_risk > 0)
    return Censoring(times, np.cumprod(kept))
