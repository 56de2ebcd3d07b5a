"""Arithmetic on constants as IEEE 754 has it: infinities and NaN where ``math`` raises."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

__all__ = ["COMPARISONS", "FUNCTIONS", "divide", "extremum", "power"]

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    name: getattr(operator, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")
}


def divide(a: float, b: float) -> float:
    if b == 0.0:
        return math.nan if a == 0.0 or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0.0 and b % 2.0 == 1.0 else math.inf
    except ValueError:
        return math.inf if a == 0.0 else math.nan


def extremum(name: str, a: float, b: float) -> float:
    if a != a or b != b:
        return math.nan
    return max(a, b) if name == "max" else min(a, b)


def _guarded(function: Callable[[float], float]) -> Callable[[float], float]:
    """Overflow gives infinity; what is undefined gives NaN."""

    def guarded(a: float) -> float:
        try:
            return function(a)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    return guarded


def _log(a: float) -> float:
    return -math.inf if a == 0.0 else math.log(a)


def _log1p(a: float) -> float:
    return -math.inf if a == -1.0 else math.log1p(a)


def _sign(a: float) -> float:
    return 1.0 if a > 0.0 else -1.0 if a < 0.0 else a * 0.0


def _sigmoid(a: float) -> float:
    e = math.exp(-abs(a))
    return (e if a < 0.0 else 1.0) / (1.0 + e)


def _softplus(a: float) -> float:
    return a if a != a else max(a, 0.0) + math.log1p(math.exp(-abs(a)))


def _log_cosh(a: float) -> float:
    return abs(a) + math.log1p(math.expm1(-2.0 * abs(a)) / 2.0)


def _loggamma(a: float) -> float:
    return math.lgamma(a) if a > 0.0 else math.inf if a == 0.0 else math.nan


#: The coefficients of the asymptotic series: those of log Gamma(z) for 1/z, 1/z^3, 1/z^5 ...
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)


def _polygamma(order: int) -> Callable[[float], float]:
    """Derivative number ``order`` + 1 of log Gamma for positive numbers, by its recurrence and its series."""

    def polygamma(a: float) -> float:
        if a <= 0.0:
            return math.nan if a < 0.0 else (-math.inf, math.inf, -math.inf)[order]
        if a == math.inf:
            return math.inf if order == 0 else (0.0, -0.0)[order - 1]
        total, sign = 0.0, (-1.0, 1.0, -1.0)[order]
        while a < 12.0:
            total += sign * math.factorial(order) / a ** (order + 1)
            a += 1.0
        leading = (math.log(a) - 0.5 / a, 1.0 / a + 0.5 / a**2, -1.0 / a**2 - 1.0 / a**3)[order]
        series = 0.0
        for k, coefficient in enumerate(_STIRLING):
            exponent, factor = -(2 * k + 1), coefficient
            for _ in range(order + 1):
                factor *= exponent
                exponent -= 1
            series += factor * a**exponent
        return leading + series + total

    return polygamma


_PLAIN: dict[str, Callable[[float], float]] = {
        "abs": abs, "sign": _sign, "sqrt": math.sqrt,
        "sqrt1pm1": lambda a: a / (math.sqrt(1.0 + a) + 1.0), "exp": math.exp, "expm1": math.expm1, "log": _log,
        "log1p": _log1p, "sin": math.sin, "cos": math.cos, "tanh": math.tanh, "cosh": lambda a: math.cosh(a),
        "sinh": math.sinh, "sigmoid": _sigmoid, "softplus": _softplus, "log_cosh": _log_cosh, "erf": math.erf,
        "loggamma": _loggamma, "digamma": _polygamma(0), "trigamma": _polygamma(1), "tetragamma": _polygamma(2),
}  # fmt: skip

#: The functions of one argument by name.
FUNCTIONS = {name: _guarded(function) for name, function in _PLAIN.items()}
