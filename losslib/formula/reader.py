"""The one evaluator of the formula language: it reads a syntax tree over whatever can be computed with.

What numbers are is said by an `Arithmetic`: nodes of a graph that is compiled (`losslib.formula.expression.Graph`),
numbers and arrays (`losslib.formula.numbers.Numbers`), or text in another language. `Reader` owns what the language is:
precedence is Python's, and what is no number, no condition or no known name is an error that shows its place.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping
from typing import Generic, Protocol, TypeVar

from losslib.declaration.schema import closest
from losslib.errors import FormulaError
from losslib.formula.expression import TooLargeError
from losslib.formula.language import CONSTANTS, DEEPEST, FUNCTIONS

__all__ = ["Arithmetic", "Reader"]

N = TypeVar("N")


class Arithmetic(Protocol[N]):
    """What a `Reader` computes with. Conditions are numbers of their own kind, told apart by ``is_truth``."""

    def constant(self, value: float, /) -> N:
        """Return a number of the formula."""

    def truth(self, value: bool, /) -> N:
        """Return True or False."""

    def is_truth(self, node: N, /) -> bool:
        """Say whether a result is a condition."""

    def known(self, node: N, /) -> float | None:
        """Return the value of a constant, None for what is none or need not be told."""

    def decided(self, condition: N, /) -> bool | None:
        """Return what a condition is where that is known now: the branch that is not taken is then not read."""

    def compare(self, op: str, a: N, b: N, /) -> N:
        """Compare by "lt", "le", "gt", "ge", "eq" or "ne"."""

    def select(self, condition: N, a: N, b: N, /) -> N:
        """Return a where the condition holds, else b."""

    def call(self, name: str, /, *args: N) -> N:
        """Apply a function of the language."""

    def neg(self, a: N, /) -> N: ...
    def add(self, a: N, b: N, /) -> N: ...
    def sub(self, a: N, b: N, /) -> N: ...
    def mul(self, a: N, b: N, /) -> N: ...
    def div(self, a: N, b: N, /) -> N: ...
    def power(self, a: N, b: N, /) -> N: ...
    def both(self, a: N, b: N, /) -> N: ...
    def either(self, a: N, b: N, /) -> N: ...
    def no(self, a: N, /) -> N: ...


_COMPARISONS = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}
_OPERATORS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "power"}

#: What people write by habit, and what the language has in its place.
_ADVICE: dict[str, str] = {
    "maximum": "max", "minimum": "min", "fabs": "abs", "ln": "log", "gammaln": "loggamma", "lgamma": "loggamma",
    "psi": "digamma", "expit": "sigmoid", "clamp": "clip", "pow": "a**b", "power": "a**b", "square": "a**2",
    "logaddexp": "softplus", "relu": "max(a, 0)", "heaviside": "where(a > 0, 1, 0)",
}  # fmt: skip

_CONSTRUCTS: dict[type, str] = {
    ast.Attribute: "attributes; write exp(a), not np.exp(a)",
    ast.Subscript: "indices: a formula speaks of one element",
    ast.Lambda: "functions of your own; give a definition as a keyword",
    ast.IfExp: "'a if c else b'; write where(c, a, b)",
    ast.NamedExpr: "':='; give a definition as a keyword",
    ast.FloorDiv: "'//'",
    ast.Mod: "'%'",
    ast.MatMult: "'@'",
    ast.BitAnd: "'&'; write 'and'",
    ast.BitOr: "'|'; write 'or'",
    ast.BitXor: "'^'; a power is written a**b",
    ast.Invert: "'~'; write 'not'",
}


class Reader(Generic[N]):
    """Reads formulas with the meaning of every name."""

    def __init__(self, arithmetic: Arithmetic[N], names: Mapping[str, N], hints: Iterable[str] = ()) -> None:
        self.arithmetic = arithmetic
        self.names = dict(names)
        self.used: set[str] = set()
        self.hints = tuple(hints)
        self._text = ""
        self._what = "the formula"

    def read(self, text: str, tree: ast.expr, what: str = "the formula") -> N:
        """Return the value of a formula."""
        self._text, self._what = text, what
        try:
            node = self._number(tree, 0)
        except TooLargeError:
            raise FormulaError(f"{what} has too many operations") from None
        return node

    def define(self, name: str, node: N) -> None:
        """Give a name a meaning."""
        self.names[name] = node

    # ---- nodes

    def _number(self, tree: ast.expr, depth: int) -> N:
        node = self._read(tree, depth)
        if self.arithmetic.is_truth(node) or (isinstance(tree, ast.Constant) and isinstance(tree.value, bool)):
            raise self._error("a condition stands where a number belongs; write where(condition, 1, 0)", tree)
        return node

    def _condition(self, tree: ast.expr, depth: int) -> N:
        node = self._read(tree, depth)
        if self.arithmetic.is_truth(node):
            return node
        constant = self.arithmetic.known(node)
        is_comparison = isinstance(tree, ast.Compare | ast.BoolOp) or (
            isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
        )
        if constant in (0.0, 1.0) and (is_comparison or isinstance(tree, ast.Name | ast.Constant)):
            return node  # a flag, or a comparison of constants
        raise self._error("a number stands where a condition belongs; write a comparison, such as a != 0", tree)

    def _read(self, tree: ast.expr, depth: int) -> N:
        if depth > DEEPEST:
            raise self._error(f"{self._what} is nested too deeply; at most {DEEPEST} levels are read", tree)
        numbers, below = self.arithmetic, depth + 1
        match tree:
            case ast.Constant(value=bool(value)):
                return numbers.truth(value)
            case ast.Constant(value=int() | float() as value):
                if not abs(value) <= sys.float_info.max:
                    raise self._error("the number is beyond every float", tree)
                return numbers.constant(float(value))
            case ast.Name(id=name):
                return self._name(name, tree)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                node: N = getattr(numbers, _OPERATORS[type(op)])(self._number(left, below), self._number(right, below))
                return node
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return numbers.neg(self._number(operand, below))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._number(operand, below)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return numbers.no(self._condition(operand, below))
            case ast.Compare():
                return self._compare(tree, below)
            case ast.BoolOp(op=op, values=values):
                combine = numbers.both if isinstance(op, ast.And) else numbers.either
                result = self._condition(values[0], below)
                for part in values[1:]:
                    result = combine(result, self._condition(part, below))
                return result
            case ast.Call():
                return self._call(tree, below)
            case ast.Constant(value=value):
                raise self._error(f"{value!r} is no number", tree)
        what = getattr(tree, "op", tree)
        raise self._error(f"the language has no {_CONSTRUCTS.get(type(what), 'such expression')}", tree)

    def _name(self, name: str, tree: ast.expr) -> N:
        found = self.names.get(name)
        if found is not None:
            self.used.add(name)
            return found
        if name in CONSTANTS:
            return self.arithmetic.constant(CONSTANTS[name])
        if name in FUNCTIONS:
            raise self._error(f"{name} is a function; write {_usage(name)}", tree)
        known = (*self.names, *CONSTANTS)
        hint = closest(name, known)
        advice = "".join(f"; {text}" for text in self.hints) if not hint else ""
        raise self._error(f"unknown name {name!r}{hint}; known are {', '.join(known)}{advice}", tree)

    def _compare(self, tree: ast.Compare, depth: int) -> N:
        if len(tree.ops) > 1:
            raise self._error("a chain of comparisons; write 'a < b and b < c'", tree)
        op = _COMPARISONS.get(type(tree.ops[0]))
        if op is None:
            raise self._error("the language compares numbers: < <= > >= == !=", tree)
        return self.arithmetic.compare(op, self._number(tree.left, depth), self._number(tree.comparators[0], depth))

    def _call(self, tree: ast.Call, depth: int) -> N:
        if not isinstance(tree.func, ast.Name):
            raise self._error(f"the language has no {_CONSTRUCTS.get(type(tree.func), 'such call')}", tree.func)
        name, args = tree.func.id, tree.args
        function = FUNCTIONS.get(name)
        if function is None:
            hint = f" (did you mean {_ADVICE[name]}?)" if name in _ADVICE else closest(name, FUNCTIONS)
            raise self._error(f"unknown function {name!r}{hint}; known are {', '.join(FUNCTIONS)}", tree.func)
        if tree.keywords or any(isinstance(arg, ast.Starred) for arg in args):
            raise self._error(f"{name} takes its arguments by position, as {_usage(name)}", tree)
        if len(args) != function.arity:
            raise self._error(f"{name} takes {_count(function.arity)}, as {_usage(name)}; got {len(args)}", tree)
        if name == "where":
            condition = self._condition(args[0], depth)
            decided = self.arithmetic.decided(condition)
            if decided is not None:
                return self._number(args[1 if decided else 2], depth)
            return self.arithmetic.select(condition, self._number(args[1], depth), self._number(args[2], depth))
        numbers = [self._number(arg, depth) for arg in args]
        if name == "clip":
            return self.arithmetic.call("min", self.arithmetic.call("max", numbers[0], numbers[1]), numbers[2])
        return self.arithmetic.call(name, *numbers)

    def _error(self, message: str, tree: ast.expr) -> FormulaError:
        return FormulaError(message, self._text, tree.col_offset, tree.end_col_offset or tree.col_offset + 1)


def _usage(name: str) -> str:
    if name == "where":
        return "where(condition, a, b)"
    if name == "clip":
        return "clip(a, least, most)"
    return f"{name}({', '.join('ab'[: FUNCTIONS[name].arity])})"


def _count(n: int) -> str:
    return ("", "one argument", "two arguments", "three arguments")[n]
