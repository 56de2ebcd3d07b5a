"""Formulas evaluated with dual numbers of second order over mpmath: values and derivatives to any number of digits.

Written from calculus, for tests of the compiled formulas. Where a formula has a kink, a pole or no value, evaluation
raises ArithmeticError or ValueError: there is nothing to compare there.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from typing import Any

import mpmath
from mpmath import mp, mpf


class NoDerivative(ArithmeticError):
    """The point is a kink, a pole or outside the domain, of the formula or of a part of it."""


@dataclass
class Dual:
    value: Any
    first: Any = 0
    second: Any = 0
    operations: int = 0

    @property
    def parts(self) -> tuple[Any, Any, Any]:
        return self.value, self.first, self.second

    def through(self, f: Any, slope: Any, curvature: Any) -> Dual:
        for part in (f, slope, curvature):
            if isinstance(part, mpmath.mpc) or not mp.isfinite(part):
                raise NoDerivative
        return Dual(f, slope * self.first, curvature * self.first**2 + slope * self.second)

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.value + other.value, self.first + other.first, self.second + other.second)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.first, -self.second)

    def __sub__(self, other: Dual) -> Dual:
        return self + -other

    def __mul__(self, other: Dual) -> Dual:
        a, b = self, other
        return Dual(
            a.value * b.value,
            a.value * b.first + b.value * a.first,
            a.value * b.second + 2 * a.first * b.first + b.value * a.second,
        )

    def __truediv__(self, other: Dual) -> Dual:
        if other.value == 0:
            raise NoDerivative
        v = other.value
        return self * other.through(1 / v, -1 / v**2, 2 / v**3)


def _log(a: Dual) -> Dual:
    if a.value <= 0:
        raise NoDerivative
    return a.through(mp.log(a.value), 1 / a.value, -1 / a.value**2)


def _power(a: Dual, b: Dual) -> Dual:
    whole = b.first == 0 and b.second == 0 and b.value == int(b.value)
    if whole:
        n = int(b.value)
        if a.value == 0 and n < 3:
            raise NoDerivative
        return a.through(a.value**n, n * a.value ** (n - 1), n * (n - 1) * a.value ** (n - 2))
    if a.value <= 0:
        raise NoDerivative
    return _function("exp", b * _log(a))


def _loggamma_family(order: int, a: Dual) -> Dual:
    if a.value <= 0:
        raise NoDerivative
    values = [mp.loggamma(a.value)] if order == 0 else []
    values += [mp.psi(k, a.value) for k in range(max(order - 1, 0), order + 2)]
    return a.through(*values[:3])


def _function(name: str, a: Dual) -> Dual:
    v = a.value
    if abs(v) > 700 and name in ("exp", "expm1", "cosh", "sigmoid", "softplus", "tanh"):
        raise NoDerivative
    match name:
        case "exp":
            e = mp.exp(v)
            return a.through(e, e, e)
        case "expm1":
            e = mp.exp(v)
            return a.through(e - 1, e, e)
        case "log":
            return _log(a)
        case "log1p":
            return _log(a + Dual(mpf(1)))
        case "sqrt":
            if v <= 0:
                raise NoDerivative
            root = mp.sqrt(v)
            return a.through(root, 1 / (2 * root), -1 / (4 * root**3))
        case "abs":
            if v == 0:
                raise NoDerivative
            return a if v > 0 else -a
        case "sign":
            if v == 0:
                raise NoDerivative
            return Dual(mp.sign(v))
        case "sin":
            return a.through(mp.sin(v), mp.cos(v), -mp.sin(v))
        case "cos":
            return a.through(mp.cos(v), -mp.sin(v), -mp.cos(v))
        case "tanh":
            h, s = mp.tanh(v), mp.sech(v) ** 2
            return a.through(h, s, -2 * h * s)
        case "cosh":
            return a.through(mp.cosh(v), mp.sinh(v), mp.cosh(v))
        case "sigmoid":
            p, q = 1 / (1 + mp.exp(-v)), 1 / (1 + mp.exp(v))
            return a.through(p, p * q, p * q * (q - p))
        case "softplus":
            p, q = 1 / (1 + mp.exp(-v)), 1 / (1 + mp.exp(v))
            return a.through(mp.log1p(mp.exp(v)), p, p * q)
        case "erf":
            slope = 2 / mp.sqrt(mp.pi) * mp.exp(-v * v)
            return a.through(mp.erf(v), slope, -2 * v * slope)
        case "loggamma":
            return _loggamma_family(0, a)
        case "digamma":
            return _loggamma_family(1, a)
    raise KeyError(name)


class _Walk:
    """One evaluation, in which one result is moved a little: ``disturb`` is the number of the move and its size.

    Each result of an operation can be moved as a whole, in its first derivative alone and in its second alone.
    """

    def __init__(self, names: dict[str, Dual], disturb: tuple[int, Any] | None) -> None:
        self.names = names
        self.disturb = disturb
        self.count = 0

    def number(self, node: ast.expr) -> Dual:
        result = self.plain(node)
        if isinstance(node, ast.Constant | ast.Name):
            return result
        return self.noted(result, node)

    def noted(self, result: Dual, node: ast.expr | None = None) -> Dual:
        for part in result.parts:
            if part != 0 and not mpf("1e-80") < abs(part) < mpf("1e80"):
                raise NoDerivative  # float64 would lose products of such numbers
        self.count += 3
        if self.disturb is None or self.disturb[0] // 3 != self.count // 3 - 1:
            return result
        kind, eta = self.disturb[0] % 3, self.disturb[1]
        if kind == 1:
            return Dual(result.value, result.first * (1 + eta), result.second)
        if kind == 2:
            return Dual(result.value, result.first, result.second * (1 + eta))
        result = result * Dual(1 + eta)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("loggamma", "digamma"):
            # These have zeros, where only their absolute error is small.
            slope = abs(_Walk(self.names, None).plain(node.args[0]).first)
            result = result + Dual(eta, eta * slope, eta * slope**2)
        return result

    def plain(self, node: ast.expr) -> Dual:
        match node:
            case ast.Constant(value=value):
                return Dual(mpf(value))
            case ast.Name(id="pi"):
                return Dual(mpf(math.pi))  # a number of the language is one of float64
            case ast.Name(id=name):
                return self.names[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.number(operand)
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self.number(left), self.number(right)
                match op:
                    case ast.Add():
                        return a + b
                    case ast.Sub():
                        return a - b
                    case ast.Mult():
                        return a * b
                    case ast.Div():
                        return a * self.noted(Dual(mpf(1)) / b)
                    case ast.Pow():
                        return _power(a, b)
            case ast.Call(func=ast.Name(id="where"), args=[condition, yes, no]):
                return self.number(yes if self.truth(condition) else no)
            case ast.Call(func=ast.Name(id="max" | "min" | "clip" as name), args=args):
                return self.extreme(name, [self.number(arg) for arg in args])
            case ast.Call(func=ast.Name(id=name), args=[arg]):
                return _function(name, self.number(arg))
        raise KeyError(ast.unparse(node))

    def extreme(self, name: str, args: list[Dual]) -> Dual:
        if name == "clip":
            return self.extreme("min", [self.extreme("max", args[:2]), args[2]])
        a, b = args
        if abs(a.value - b.value) < mpf("1e-12"):
            raise NoDerivative
        return a if (a.value > b.value) == (name == "max") else b

    def truth(self, node: ast.expr) -> bool:
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self.truth(operand)
            case ast.BoolOp(op=op, values=values):
                truths = [self.truth(value) for value in values]
                return all(truths) if isinstance(op, ast.And) else any(truths)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                a, b = self.number(left).value, self.number(right).value
                if abs(a - b) < mpf("1e-12") and not (a == b and _is_plain(left) and _is_plain(right)):
                    raise NoDerivative  # rounding may decide either way
                below = a < b or (a == b and isinstance(op, ast.LtE | ast.GtE))
                return below if isinstance(op, ast.Lt | ast.LtE) else (a > b or (a == b and isinstance(op, ast.GtE)))
        raise KeyError(ast.unparse(node))


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Constant)


def evaluate(tree: ast.expr, names: dict[str, Dual], disturb: tuple[int, Any] | None = None) -> Dual:
    """Return the value of a formula with its derivatives, and how many operations it has."""
    walk = _Walk(names, disturb)
    result = walk.number(tree)
    return Dual(*result.parts, operations=walk.count)
