"""Numbers that carry their first and second derivative along one direction, in mpmath's precision.

A formula evaluated with these gives the derivatives of exactly what is written, whatever it is made of.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath

from losslib.formula.numbers import Numbers

_ZERO = mpmath.mpf(0)


@dataclass(frozen=True, eq=False)
class Taylor:
    """Value, first and second derivative; comparisons look at the value."""

    value: Any
    first: Any = _ZERO
    second: Any = _ZERO

    def apply(self, value: Any, slope: Any, curvature: Any) -> Taylor:
        """Return f(self) from f, f' and f'' at the value."""
        if not self.varies:
            return Taylor(value)
        return Taylor(value, slope * self.first, curvature * self.first**2 + slope * self.second)

    @property
    def varies(self) -> bool:
        return bool(self.first or self.second)

    def __add__(self, other: Any) -> Taylor:
        b = taylor(other)
        return Taylor(self.value + b.value, self.first + b.first, self.second + b.second)

    def __mul__(self, other: Any) -> Taylor:
        b = taylor(other)
        if any(not factor.varies and factor.value == 0 for factor in (self, b)):
            return Taylor(mpmath.mpf(0))  # 0 times an infinite logarithm is 0, as in every entropy
        return Taylor(
            self.value * b.value,
            self.first * b.value + self.value * b.first,
            self.second * b.value + 2 * self.first * b.first + self.value * b.second,
        )

    def __neg__(self) -> Taylor:
        return Taylor(-self.value, -self.first, -self.second)

    def __sub__(self, other: Any) -> Taylor:
        return self + -taylor(other)

    def __truediv__(self, other: Any) -> Taylor:
        b = taylor(other)
        inverse = 1 / b.value
        return self * b.apply(inverse, -(inverse**2), 2 * inverse**3)

    def __pow__(self, other: Any) -> Taylor:
        n = taylor(other)
        if n.varies:
            return exp(n * log(self))
        if not self.varies:
            return Taylor(self.value**n.value)
        a, p = self.value, n.value
        slope = p * a ** (p - 1) if p else mpmath.mpf(0)
        curvature = p * (p - 1) * a ** (p - 2) if p * (p - 1) else mpmath.mpf(0)
        return self.apply(a**p, slope, curvature)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> Taylor:
        return taylor(other) - self

    def __rtruediv__(self, other: Any) -> Taylor:
        return taylor(other) / self

    def __eq__(self, other: object) -> bool:
        return bool(self.value == taylor(other).value)

    def __lt__(self, other: Any) -> bool:
        return bool(self.value < taylor(other).value)

    def __le__(self, other: Any) -> bool:
        return bool(self.value <= taylor(other).value)

    def __gt__(self, other: Any) -> bool:
        return bool(self.value > taylor(other).value)

    def __ge__(self, other: Any) -> bool:
        return bool(self.value >= taylor(other).value)


def taylor(number: Any) -> Taylor:
    """Return a constant as a Taylor number."""
    return number if isinstance(number, Taylor) else Taylor(mpmath.mpf(number))


def exp(a: Any) -> Taylor:
    a = taylor(a)
    value = mpmath.exp(a.value)
    return a.apply(value, value, value)


def log(a: Any) -> Taylor:
    a = taylor(a)
    if a.value == 0:
        return Taylor(mpmath.ninf)
    return a.apply(mpmath.log(a.value), 1 / a.value, -1 / a.value**2)


def sqrt(a: Any) -> Taylor:
    a = taylor(a)
    root = mpmath.sqrt(a.value)
    return a.apply(root, 1 / (2 * root), -1 / (4 * root**3)) if a.varies else Taylor(root)


def absolute(a: Any) -> Taylor:
    a = taylor(a)
    return -a if a < 0 else a


def sign(a: Any) -> Taylor:
    value = taylor(a).value
    return Taylor(mpmath.mpf((value > 0) - (value < 0)))


@functools.lru_cache(maxsize=1024)
def decimal(value: float, precision: int) -> Taylor:
    """Return the decimal number that is written in a formula, in a precision."""
    return Taylor(mpmath.mpf(str(value)))


#: These numbers for the formula language.
NUMBERS = Numbers(
    {"exp": exp, "log": log, "sqrt": sqrt, "abs": absolute, "sign": sign, "max": max, "min": min},
    lambda value: decimal(value, mpmath.mp.prec),
)


def solve(falling: Callable[[Any], Any], entries: Sequence[Taylor]) -> Taylor:
    """Return the zero of a falling function, with its derivatives: Newton's steps carry them along.

    Left of where the function is defined its values are complex, as powers of negative numbers are, and count as large.
    """

    def is_positive(place: Any) -> bool:
        value = falling(Taylor(place)).value
        return isinstance(value, mpmath.mpc) or value > 0

    left = right = max(entry.value for entry in entries)
    step = mpmath.mpf(1)
    while not is_positive(left):
        left, step = left - step, 2 * step
    while is_positive(right):
        right, step = right + step, 2 * step
    for _ in range(6):
        middle = (left + right) / 2
        left, right = (middle, right) if is_positive(middle) else (left, middle)
    # The secant method finds the place; a step with the slope there then adds one more derivative each time.
    places = [right, left]
    values = [falling(Taylor(place)).value for place in places]
    while values[1] != 0 and abs(places[1] - places[0]) > mpmath.eps * 100:
        slope = (values[1] - values[0]) / (places[1] - places[0])
        places = [places[1], places[1] - values[1] / slope]
        values = [values[1], falling(Taylor(places[1])).value]
    root = Taylor(places[1])
    nearby = mpmath.sqrt(mpmath.eps)
    slope = (falling(Taylor(root.value + nearby)).value - falling(Taylor(root.value - nearby)).value) / (2 * nearby)
    for _ in range(4):
        root = root - falling(root) / slope
    return root
