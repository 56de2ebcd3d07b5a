"""The formula language: Python's syntax for expressions, and of it only what is listed here.

`parse` returns a syntax tree; `Reader` (in ``reader.py``) goes through it and refuses what the language has not. Both
are the only ones for ``LossInfo.formula``, its definitions and the formulas of users; nothing is ever evaluated as
Python.
"""

from __future__ import annotations

import ast
import functools
import math
from dataclasses import dataclass

from losslib.errors import FormulaError

__all__ = ["ABBREVIATIONS", "CONSTANTS", "DEEPEST", "FUNCTIONS", "Function", "names_in", "parse", "tree_of"]

#: Bounds on what is read: beyond them a formula is refused, in a time that does not depend on its length.
LONGEST = 10_000
DEEPEST = 150

CONSTANTS = {"pi": math.pi, "inf": math.inf}

#: What every formula may use without a definition of its own, where its inputs have these names.
ABBREVIATIONS = {"d": "x - t"}


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


@functools.lru_cache(maxsize=1024)
def tree_of(text: str) -> ast.expr:
    """Return the syntax tree of a text that comes again and again, such as a declaration's; nobody may change it."""
    return parse(text)


def names_in(tree: ast.AST) -> set[str]:
    """Return the names that a formula uses for numbers: those of functions are not among them."""
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in functions}
