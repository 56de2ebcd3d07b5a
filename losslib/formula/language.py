"""The formula language: Python's syntax for expressions, and of it only what is listed here.

This is the one reader of ``LossInfo.formula`` and of the formulas of users. `parse` returns a syntax tree that holds
nothing but what the language has; `Reader` turns a tree into nodes of a graph. Nothing is ever evaluated as Python.
"""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from losslib.declaration.schema import closest
from losslib.errors import FormulaError
from losslib.formula.expression import Graph, TooLargeError

__all__ = ["CONSTANTS", "FUNCTIONS", "Function", "Reader", "names_in", "parse"]

#: Bounds on what is read: beyond them a formula is refused, in a time that does not depend on its length.
LONGEST = 10_000
DEEPEST = 150

CONSTANTS = {"pi": math.pi, "inf": math.inf}


@dataclass(frozen=True)
class Function:
    """A function of the language: how many arguments it takes, and what a reader is told about it."""

    arity: int
    meaning: str


FUNCTIONS: dict[str, Function] = {
    "where": Function(3, "the second argument where the first, a condition, holds, else the third"),
    "abs": Function(1, "the absolute value"),
    "sign": Function(1, "-1, 0 or 1"),
    "max": Function(2, "the larger of two"),
    "min": Function(2, "the smaller of two"),
    "clip": Function(3, "the first argument, at least the second and at most the third"),
    "exp": Function(1, "the exponential"),
    "expm1": Function(1, "exp(a) - 1, accurate near 0"),
    "log": Function(1, "the natural logarithm"),
    "log1p": Function(1, "log(1 + a), accurate near 0"),
    "sqrt": Function(1, "the square root"),
    "sin": Function(1, "the sine"),
    "cos": Function(1, "the cosine"),
    "tanh": Function(1, "the hyperbolic tangent"),
    "cosh": Function(1, "the hyperbolic cosine"),
    "sigmoid": Function(1, "1/(1 + exp(-a))"),
    "softplus": Function(1, "log(1 + exp(a))"),
    "erf": Function(1, "the error function"),
    "loggamma": Function(1, "the logarithm of the gamma function of a number > 0"),
    "digamma": Function(1, "the derivative of loggamma"),
}

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


def parse(text: str, what: str = "the formula") -> ast.expr:
    """Return the syntax tree of a formula.

    Raises
    ------
    FormulaError
        If the text is too long or too deep, or is no expression in Python's syntax.
    """
    if not isinstance(text, str):
        raise FormulaError(f"{what} must be a string, got {type(text).__name__}")
    if len(text) > LONGEST:
        raise FormulaError(f"{what} has {len(text)} characters; at most {LONGEST} are read")
    if not text.isascii():
        column = next(k for k, letter in enumerate(text) if not letter.isascii())
        raise FormulaError(f"{what} holds {text[column]!r}; names and signs are ASCII", text, column, column + 1)
    if (column := text.find("#")) >= 0:
        raise FormulaError("a formula has no comments", text, column, column + 1)
    # A line break is a blank, so that a place in the text is a column.
    line = text.translate(_BLANKS)
    start = len(line) - len(line.lstrip())
    if not line.strip():
        raise FormulaError(f"{what} is empty")
    try:
        tree = ast.parse(line[start:], mode="eval").body
    except (RecursionError, MemoryError):
        raise FormulaError(f"{what} is nested too deeply; at most {DEEPEST} levels are read") from None
    except (SyntaxError, ValueError) as error:
        place = start + ((getattr(error, "offset", None) or 1) - 1)
        if "nested" in str(error):
            raise FormulaError(f"{what} is nested too deeply; at most {DEEPEST} levels are read") from None
        message = getattr(error, "msg", None) or str(error)
        raise FormulaError(f"{what} is no expression: {message}", text, place, place + 1) from None
    if start:
        for node in ast.walk(tree):
            if isinstance(node, ast.expr):
                node.col_offset += start
                node.end_col_offset = (node.end_col_offset or 0) + start
    return tree


_BLANKS = str.maketrans("\n\r\t\f\v", "     ")


def names_in(tree: ast.AST) -> set[str]:
    """Return the names that a formula uses for numbers: those of functions are not among them."""
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in functions}


class Reader:
    """Turns formulas into nodes of a graph, with the meaning of every name."""

    def __init__(self, graph: Graph, names: Mapping[str, int], hints: Iterable[str] = ()) -> None:
        self.graph = graph
        self.names = dict(names)
        self.used: set[str] = set()
        self.hints = tuple(hints)
        self._text = ""
        self._what = "the formula"

    def read(self, text: str, tree: ast.expr, what: str = "the formula") -> int:
        """Return the node of a formula's value."""
        self._text, self._what = text, what
        try:
            node = self._number(tree, 0)
        except TooLargeError:
            raise FormulaError(f"{what} has too many operations") from None
        return node

    def define(self, name: str, node: int) -> None:
        """Give a name a meaning."""
        self.names[name] = node

    # ---- nodes

    def _number(self, tree: ast.expr, depth: int) -> int:
        node = self._read(tree, depth)
        if self.graph.is_truth(node) or (isinstance(tree, ast.Constant) and isinstance(tree.value, bool)):
            raise self._error("a condition stands where a number belongs; write where(condition, 1, 0)", tree)
        return node

    def _condition(self, tree: ast.expr, depth: int) -> int:
        node = self._read(tree, depth)
        if self.graph.is_truth(node):
            return node
        constant = self.graph.values[node]
        is_comparison = isinstance(tree, ast.Compare | ast.BoolOp) or (
            isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
        )
        if constant in (0.0, 1.0) and (is_comparison or isinstance(tree, ast.Name | ast.Constant)):
            return node  # a flag, or a comparison of constants
        raise self._error("a number stands where a condition belongs; write a comparison, such as a != 0", tree)

    def _read(self, tree: ast.expr, depth: int) -> int:
        if depth > DEEPEST:
            raise self._error(f"{self._what} is nested too deeply; at most {DEEPEST} levels are read", tree)
        graph, below = self.graph, depth + 1
        match tree:
            case ast.Constant(value=bool(value)):
                return graph.truth(value)
            case ast.Constant(value=int() | float() as value):
                if not abs(value) <= sys.float_info.max:
                    raise self._error("the number is beyond every float", tree)
                return graph.constant(float(value))
            case ast.Name(id=name):
                return self._name(name, tree)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                node: int = getattr(graph, _OPERATORS[type(op)])(self._number(left, below), self._number(right, below))
                return node
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return graph.neg(self._number(operand, below))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._number(operand, below)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return graph.no(self._condition(operand, below))
            case ast.Compare():
                return self._compare(tree, below)
            case ast.BoolOp(op=op, values=values):
                combine = graph.both if isinstance(op, ast.And) else graph.either
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

    def _name(self, name: str, tree: ast.expr) -> int:
        found = self.names.get(name)
        if found is not None:
            self.used.add(name)
            return found
        if name in CONSTANTS:
            return self.graph.constant(CONSTANTS[name])
        if name in FUNCTIONS:
            raise self._error(f"{name} is a function; write {_usage(name)}", tree)
        known = (*self.names, *CONSTANTS)
        hint = closest(name, known)
        advice = "".join(f"; {text}" for text in self.hints) if not hint else ""
        raise self._error(f"unknown name {name!r}{hint}; known are {', '.join(known)}{advice}", tree)

    def _compare(self, tree: ast.Compare, depth: int) -> int:
        if len(tree.ops) > 1:
            raise self._error("a chain of comparisons; write 'a < b and b < c'", tree)
        op = _COMPARISONS.get(type(tree.ops[0]))
        if op is None:
            raise self._error("the language compares numbers: < <= > >= == !=", tree)
        return self.graph.compare(op, self._number(tree.left, depth), self._number(tree.comparators[0], depth))

    def _call(self, tree: ast.Call, depth: int) -> int:
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
        graph = self.graph
        if name == "where":
            condition = self._condition(args[0], depth)
            return graph.select(condition, self._number(args[1], depth), self._number(args[2], depth))
        numbers = [self._number(arg, depth) for arg in args]
        if name == "clip":
            return graph.call("min", graph.call("max", numbers[0], numbers[1]), numbers[2])
        return graph.call(name, *numbers)

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
