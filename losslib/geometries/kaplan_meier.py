"""The probability to be uncensored beyond a time, by Kaplan and Meier's estimate with the roles exchanged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Censoring", "estimate_censoring"]


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


def estimate_censoring(time: np.ndarray, event: np.ndarray) -> Censoring:
    """Estimate it from samples; events at a time come before its censorings and are not at risk of them."""
    times, inverse, tied = np.unique(time, return_inverse=True, return_counts=True)
    happened = np.bincount(inverse, event != 0, len(times))
    at_risk = np.cumsum(tied[::-1])[::-1] - happened
    lost = tied - happened
    kept = np.divide(at_risk - lost, at_risk, out=np.ones(len(times)), where=at_risk > 0)
    return Censoring(times, np.cumprod(kept))
