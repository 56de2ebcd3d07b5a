"""Sums that do not depend on the order or the split of what is added, one for each group.

``pyx/exact.pyx`` adds float64 numbers in fixed point; here these sums grow with the number of groups, merge, and are
rounded once, when they are divided.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from losslib import _kernels
from losslib.call.samples import ratio

__all__ = ["ExactSums", "quotient"]

if TYPE_CHECKING:
    from losslib._kernels.baseline import exact as _exact
else:
    _exact = _kernels.load("exact")

#: Numbers that a sum takes before its carries must be passed on.
CAPACITY = 2**30


class ExactSums:
    """Exact sums of float64 numbers, one for each group.

    A sum takes 560 bytes. Adding and merging are exact, hence associative and commutative, to the bit.
    """

    def __init__(self, groups: int = 1) -> None:
        self._sums = np.zeros((groups, _exact.width), np.int64)
        self._pending = 0

    def grow(self, groups: int) -> None:
        """Make room for more groups."""
        if groups > len(self._sums):
            # At least double: keys that appear one after the other must not copy all sums each time.
            grown = np.zeros((max(groups, 2 * len(self._sums)), self._sums.shape[1]), np.int64)
            grown[: len(self._sums)] = self._sums
            self._sums = grown

    def add(self, numbers: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Add float64 numbers to the only sum, or each to the sum in its row."""
        numbers = np.ascontiguousarray(numbers, np.float64).reshape(-1)
        rows = None if rows is None else np.ascontiguousarray(rows, np.int64).reshape(-1)
        for start in range(0, numbers.size, CAPACITY):
            part = numbers[start : start + CAPACITY]
            self._reserve(part.size)
            _exact.add(self._sums, part, None if rows is None else rows[start : start + CAPACITY])

    def merge(self, other: ExactSums, rows: np.ndarray) -> None:
        """Add the sums of another object; its row k goes to ``rows[k]``, each to a row of its own."""
        theirs = other._sums[: len(rows)].copy()
        _exact.carry(theirs)
        self._reserve(1)
        self._sums[rows] += theirs

    def _reserve(self, numbers: int) -> None:
        if self._pending + numbers > CAPACITY:
            _exact.carry(self._sums)
            self._pending = 1
        self._pending += numbers

    def value(self, row: int) -> float | int:
        """Return a sum in units of 2**-1074, an exact integer, or the infinity or NaN that it has become."""
        entries = self._sums[row : row + 1].copy()
        _exact.carry(entries)
        plus, minus, nan = entries[0, _exact.digits :].tolist()
        if nan or (plus and minus):
            return math.nan
        if plus or minus:
            return math.inf if plus else -math.inf
        digits = entries[0, : _exact.digits - 1].astype("<u4").tobytes()
        top = int(entries[0, _exact.digits - 1])
        low: int = int.from_bytes(digits, "little")
        shift: int = 32 * (_exact.digits - 1)
        return low + (top << shift)


def quotient(numerator: float | int, divisor: float | int) -> float:
    """Divide two sums as IEEE 754 does, with one rounding where both are exact."""
    if isinstance(numerator, int) and isinstance(divisor, int) and divisor:
        try:
            return numerator / divisor  # of integers: correctly rounded
        except OverflowError:
            return math.inf if (numerator < 0) == (divisor < 0) else -math.inf
    # What is left are infinities, NaN and zero, for which the size of a finite number does not matter.
    return ratio(_signed_unit(numerator), _signed_unit(divisor))


def _signed_unit(number: float | int) -> float:
    return number if isinstance(number, float) else float((number > 0) - (number < 0))
