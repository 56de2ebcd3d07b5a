"""The square root of a mean of squares over lists, as CatBoost reports QueryRMSE: what follows from the squares."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from losslib.call.samples import Samples, TermByTerm, Terms
from losslib.geometries.base import Work
from losslib.geometries.grouping import Grouping

__all__ = ["ROOTS_OF_CALLS", "compute_root", "exponents_of"]

#: Exponents of two up to which squares of numbers, and their sums, neither overflow nor vanish.
PLAIN_EXPONENT = 300

#: Reductions that have one root, that of the whole call.
ROOTS_OF_CALLS = ("mean", "weighted_mean")

#: Fills sums of squares of lists, and for each item their first and second derivative.
Squares = Callable[[np.ndarray, np.ndarray | None, np.ndarray | None], None]


def exponents_of(arrays: tuple[np.ndarray, ...], grouping: Grouping, *, of_call: bool) -> np.ndarray:
    """Return for each list the power of two that its numbers are to be divided by before they are squared.

    It is 0 where that changes nothing. Numbers under one root have one power.
    """
    largest = np.zeros(len(grouping.sizes))
    filled = grouping.sizes > 0
    for array in arrays if filled.any() else ():
        size = np.where(np.isfinite(array), np.abs(array), 0.0)
        largest[filled] = np.maximum(largest[filled], np.maximum.reduceat(size, grouping.offsets[:-1][filled]))
    if of_call:
        largest[:] = largest.max(initial=0.0)
    exponents = np.frexp(largest)[1]
    return np.where(np.abs(exponents) > PLAIN_EXPONENT, exponents, 0)


def compute_root(
    squares: Squares, exponents: np.ndarray, grouping: Grouping, divisors: np.ndarray, samples: Samples, work: Work
) -> Any:
    """Return the value and write the derivatives of r = √(Σ share·S), S the sum of squares of a list.

    A mean has one root, that of the whole call, in which a list has the share weight/divisor; without a mean each list
    has its own, and S is divided by what is counted in the list. With S' and S'' by an item,

        r' = share·S'/(2r),  r'' = share·S''/(2r) - (share·S')²/(4r³) ≥ 0,

    both 0 where r is 0: there is a kink. The squares are those of numbers divided by 2 to the power of `exponents`,
    which r is multiplied by and r'' divided by.
    """
    of_call = samples.reduction in ROOTS_OF_CALLS
    sums = np.empty(divisors.shape)
    items = int(grouping.offsets[-1])
    first, second = (np.empty(items) if work.derivatives else None for _ in range(2))
    squares(sums, first, second)
    share: np.ndarray
    root: np.ndarray
    upstream: np.ndarray
    if of_call:
        plain = dataclasses.replace(samples, reduction=str(samples.reduction))
        scaled = float(np.sqrt(plain.reduce(sums, sums.dtype)))
        value: Any = float(np.ldexp(scaled, exponents[0])) if len(exponents) else scaled
        weight = samples.weight()
        share = np.ones(sums.shape) if weight is None else weight.reshape(-1)
        kept = np.ones(sums.shape, bool) if samples.mask is None else samples.mask.reshape(-1)
        number = samples.scale * samples.divisor if samples.divisor else 0.0  # the upstream gradient
        share = np.where(kept, share, 0.0) / (samples.divisor or 1.0)
        root, upstream = np.full(sums.shape, scaled), np.full(sums.shape, number)
    else:
        share = np.divide(1.0, divisors, out=np.zeros(divisors.shape), where=divisors != 0)
        root, upstream = np.sqrt(sums * share), samples.factor_per_sample()
        found = np.ldexp(root, exponents)
        value = samples.reduce(found, found.dtype, work.values) if work.wants_value else None
    if first is not None and second is not None:
        sizes = grouping.sizes
        inverse = np.repeat(np.divide(0.5, root, out=np.zeros(root.shape), where=root != 0), sizes)
        share, upstream = np.repeat(share, sizes), np.repeat(upstream, sizes)
        slope = share * first * inverse
        bend = np.maximum(share * second * inverse - 2.0 * inverse * slope**2, 0.0)
        bend = np.ldexp(bend, -np.repeat(exponents, sizes))
        for item in work.derivatives:
            grouping.scatter(np.where(upstream != 0, upstream * (slope if item.order == 1 else bend), 0.0), item.array)
    if of_call and isinstance(samples.reduction, TermByTerm):
        return Terms(np.asarray(value), np.asarray(1.0))
    return value if work.wants_value else None
