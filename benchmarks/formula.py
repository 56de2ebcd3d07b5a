"""Writes the formula of a loss in the language of another array package.

A peer that lacks a loss is measured on what its user would write by hand. That is taken from
``LossInfo.formula``: branches that the parameters decide are gone, constants are folded, and a subexpression
that occurs twice is computed once.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from losslib.formula import folding
from losslib.formula.language import ABBREVIATIONS, names_in, tree_of
from losslib.formula.reader import Reader

SCALAR_FUNCTIONS: dict[str, Callable[..., Any]] = {**folding.FUNCTIONS, "max": max, "min": min}

#: Calls that a memory-bound kernel may hold; a root is one instruction.
ARITHMETIC = frozenset({"abs", "max", "min", "sign", "sqrt", "where"})

COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow,
}  # fmt: skip

#: A constant, or the name of what a line has computed; truths have names too.
Node = float | bool | str


class Lines:
    """An arithmetic of text: every operation on more than constants is a line, and the same one only once."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}
        self.conditions: set[str] = set()
        #: Functions and powers that the lines hold.
        self.called: set[str] = set()

    def line(self, text: str) -> str:
        return self.lines.setdefault(text, f"s{len(self.lines)}")

    def operation(self, symbol: str, a: Any, b: Any) -> Any:
        if not isinstance(a, str) and not isinstance(b, str):
            return OPERATORS[symbol](a, b)
        if symbol == "**" and (isinstance(b, str) or b != int(b)):
            self.called.add("power")
        return self.line(f"{written(a)} {symbol} {written(b)}")

    def add(self, a: Node, b: Node) -> Node:
        return self.operation("+", a, b)

    def sub(self, a: Node, b: Node) -> Node:
        return self.operation("-", a, b)

    def mul(self, a: Node, b: Node) -> Node:
        return self.operation("*", a, b)

    def div(self, a: Node, b: Node) -> Node:
        return self.operation("/", a, b)

    def power(self, a: Node, b: Node) -> Node:
        return self.operation("**", a, b)

    def neg(self, a: Any) -> Node:
        return self.line(f"-{a}") if isinstance(a, str) else -a

    def constant(self, value: float) -> Node:
        return value

    def truth(self, value: bool) -> Node:
        return value

    def known(self, node: Node) -> None:
        """Constants are folded here, so nobody need ask for them."""

    def is_truth(self, node: Node) -> bool:
        return isinstance(node, bool) or node in self.conditions

    def decided(self, condition: Node) -> bool | None:
        return condition if isinstance(condition, bool) else None

    def condition(self, text: str) -> str:
        name = self.line(text)
        self.conditions.add(name)
        return name

    def compare(self, op: str, a: Any, b: Any) -> Node:
        if not isinstance(a, str) and not isinstance(b, str):
            return bool(folding.COMPARISONS[op](a, b))
        return self.condition(f"{written(a)} {COMPARISONS[op]} {written(b)}")

    def both(self, a: Node, b: Node) -> Node:
        return self.condition(f"{a} & {b}")

    def either(self, a: Node, b: Node) -> Node:
        return self.condition(f"{a} | {b}")

    def no(self, a: Node) -> Node:
        return not a if isinstance(a, bool) else self.condition(f"~{a}")

    def select(self, condition: Node, a: Node, b: Node) -> Node:
        return self.line(f"where({condition}, {written(a)}, {written(b)})")

    def call(self, name: str, *args: Node) -> Node:
        if not any(isinstance(arg, str) for arg in args):
            return SCALAR_FUNCTIONS[name](*args)
        self.called.add(name)
        return self.line(f"{name}({', '.join(map(written, args))})")


def written(node: Node) -> str:
    """Return an operand as it stands in a line."""
    if isinstance(node, str):
        return node
    return f"({node!r})" if node < 0 else repr(node)


def read(
    formula: str, inputs: tuple[str, ...], parameters: Mapping[str, Any], definitions: Mapping[str, Any]
) -> tuple[Lines, Node]:
    """Return the lines of a formula and the name of its value; ``parameters`` go by their names in the formula."""
    lines = Lines()
    names: dict[str, Node] = {name: name for name in inputs}
    names |= {name: value for name, value in parameters.items() if isinstance(value, int | float)}
    reader: Reader[Node] = Reader(lines, names)
    used = {name for text in (formula, *definitions.values()) for name in names_in(tree_of(text))}
    for letter, text in (ABBREVIATIONS | dict(definitions)).items():
        if letter in used:
            reader.define(letter, reader.read(text, tree_of(text)))
    return lines, reader.read(formula, tree_of(formula))


def is_arithmetic(
    formula: str, inputs: tuple[str, ...], parameters: Mapping[str, Any], definitions: Mapping[str, Any]
) -> bool:
    """Say whether the formula needs no elementary function, so that memory should limit its speed."""
    return read(formula, inputs, parameters, definitions)[0].called <= ARITHMETIC


def compose(
    formula: str,
    inputs: tuple[str, ...],
    parameters: Mapping[str, Any],
    functions: Mapping[str, Any],
    definitions: Mapping[str, Any],
) -> Callable[..., Any]:
    """Return the formula as a function of arrays.

    Parameters
    ----------
    formula : str
        An expression in the language of `losslib.declaration.schema.LossInfo.formula`.
    inputs : tuple of str
        The names of the inputs in the formula, in call order.
    parameters : mapping
        Values by their names in the formula.
    functions : mapping
        What ``exp``, ``where`` … mean in the package.
    definitions : mapping
        What further letters of the formula stand for.
    """
    lines, value = read(formula, inputs, parameters, definitions)
    body = "\n    ".join([*(f"{name} = {text}" for text, name in lines.lines.items()), f"return {written(value)}"])
    names: dict[str, Any] = {"inf": math.inf, **functions}
    exec(f"def loss({', '.join(inputs)}):\n    {body}\n", names)
    return names["loss"]
