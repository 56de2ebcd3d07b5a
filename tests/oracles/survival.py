"""Survival losses written from their definitions, in plain loops over all pairs of samples."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np


def at_risk(time: np.ndarray, k: int, strata: np.ndarray | None, entry: np.ndarray | None) -> np.ndarray:
    """Say who is at risk when sample k has its event."""
    inside = time >= time[k]
    if strata is not None:
        inside &= strata == strata[k]
    if entry is not None:
        inside &= entry < time[k]
    return inside


def cox_values(
    x: Any,
    time: np.ndarray,
    event: np.ndarray,
    *,
    ties: str = "efron",
    strata: np.ndarray | None = None,
    entry: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    exp: Any = np.exp,
    log: Any = np.log,
) -> list[Any]:
    """Return the value of each sample; x may hold any numbers that `exp` and `log` understand."""
    w = np.ones(len(time)) if weight is None else weight
    values: list[Any] = [0.0] * len(time)
    for k in range(len(time)):
        if not event[k]:
            continue
        dying = [
            i
            for i in range(len(time))
            if event[i] and time[i] == time[k] and (strata is None or strata[i] == strata[k])
        ]
        risk = np.flatnonzero(at_risk(time, k, strata, entry))
        whole = sum(w[j] * exp(x[j]) for j in risk)
        tied = sum(w[j] * exp(x[j]) for j in dying)
        m = len(dying)
        mean = sum(w[j] for j in dying) / m
        total = -sum(w[j] * x[j] for j in dying)
        for l in range(m):  # noqa: E741  # the letter of the formula
            total = total + mean * log(whole - (l / m if ties == "efron" else 0.0) * tied)
        values[k] = total / m
    return values


def cox_derivatives(
    x: np.ndarray, time: np.ndarray, event: np.ndarray, digits: int = 60, **options: Any
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return value, gradient and Hessian's diagonal of the sum by central differences in many digits."""
    with mpmath.workdps(digits):
        step = mpmath.mpf(10) ** (-digits // 4)
        numbers = [mpmath.mpf(float(number)) for number in x]

        def total(row: list[Any]) -> Any:
            return mpmath.fsum(cox_values(row, time, event, exp=mpmath.exp, log=mpmath.log, **options))

        middle = total(numbers)
        grad, hess = np.empty(len(x)), np.empty(len(x))
        for j, number in enumerate(numbers):
            up, down = (total([*numbers[:j], number + sign * step, *numbers[j + 1 :]]) for sign in (1, -1))
            grad[j] = float((up - down) / (2 * step))
            hess[j] = float((up - 2 * middle + down) / step**2)
        return float(middle), grad, hess


# ---- times between bounds --------------------------------------------------------------------------------------

#: Distribution -> -log of its density, the probability above a place, and that below it, in mpmath.
DENSITIES = {
    "normal": lambda z: z**2 / 2 + mpmath.log(2 * mpmath.pi) / 2,
    "logistic": lambda z: z + 2 * mpmath.log1p(mpmath.exp(-z)),
    "extreme": lambda z: mpmath.exp(z) - z,
}
ABOVE = {
    "normal": lambda z: mpmath.erfc(z / mpmath.sqrt(2)) / 2,
    "logistic": lambda z: 1 / (1 + mpmath.exp(z)),
    "extreme": lambda z: mpmath.exp(-mpmath.exp(z)),
}
BELOW = {
    "normal": lambda z: mpmath.erfc(-z / mpmath.sqrt(2)) / 2,
    "logistic": lambda z: 1 / (1 + mpmath.exp(-z)),
    "extreme": lambda z: -mpmath.expm1(-mpmath.exp(z)),
}


def aft_value(x: Any, lower: float, upper: float, distribution: str, scale: float) -> Any:
    """Return the value of one sample in mpmath."""
    if lower == upper:
        z = (mpmath.log(mpmath.mpf(lower)) - x) / scale
        return DENSITIES[distribution](z) + mpmath.log(mpmath.mpf(scale) * mpmath.mpf(lower))
    l = (mpmath.log(mpmath.mpf(lower)) - x) / scale if lower > 0 else -mpmath.inf  # noqa: E741
    u = (mpmath.log(mpmath.mpf(upper)) - x) / scale if upper < np.inf else mpmath.inf
    above, below = ABOVE[distribution], BELOW[distribution]
    outside = (below(l) if lower > 0 else 0) + (above(u) if upper < np.inf else 0)
    if outside < 0.5:
        return -mpmath.log1p(-outside)
    if l < 0:  # on the side where both are small
        return -mpmath.log(below(u) - (below(l) if lower > 0 else 0))
    return -mpmath.log(above(l) - (above(u) if upper < np.inf else 0))


def weibull_value(log_scale: Any, log_shape: Any, time: float, event: float) -> Any:
    k, u = mpmath.exp(log_shape), mpmath.log(mpmath.mpf(time)) - log_scale
    return mpmath.exp(k * u) - event * (log_shape - log_scale + (k - 1) * u)


# ---- a grid of intervals ---------------------------------------------------------------------------------------


def softplus(x: Any) -> Any:
    return mpmath.log1p(mpmath.exp(x))


def logistic_hazard_value(x: Any, interval: int, event: float) -> Any:
    return mpmath.fsum(softplus(number) for number in x[: interval + 1]) - event * x[interval]


def pc_hazard_value(x: Any, interval: int, event: float, fraction: float) -> Any:
    here = softplus(x[interval])
    return mpmath.fsum(softplus(number) for number in x[:interval]) + fraction * here - event * mpmath.log(here)


def pmf_value(x: Any, interval: int, event: int, *, pad: bool = True, cumulative: bool = False) -> Any:
    """Return the value of one sample; x is a list of causes, each a list of intervals."""
    if cumulative:
        x = [[mpmath.fsum(row[k:]) for k in range(len(row))] for row in x]
    mass = [[mpmath.exp(number) for number in row] for row in x]
    rest = mpmath.mpf(1 if pad else 0)
    total = mpmath.fsum(number for row in mass for number in row) + rest
    if event:
        return -mpmath.log(mass[event - 1][interval] / total)
    return -mpmath.log((mpmath.fsum(number for row in mass for number in row[interval + 1 :]) + rest) / total)


def derivatives(function: Any, x: list[Any], place: int, digits: int = 80) -> tuple[float, float, float]:
    """Return value and two derivatives of a function of a flat list by one of its numbers."""
    with mpmath.workdps(digits):
        step = mpmath.mpf(10) ** (-digits // 4)
        numbers = [mpmath.mpf(float(number)) for number in x]
        middle = function(numbers)
        up, down = (function([*numbers[:place], numbers[place] + s * step, *numbers[place + 1 :]]) for s in (1, -1))
        return float(middle), float((up - down) / (2 * step)), float((up - 2 * middle + down) / step**2)
