"""Writes the formula of a loss in the language of another array package.

A peer that lacks a loss is measured on what its user would write by hand. That is taken from
``LossInfo.formula``: branches that the parameters decide are gone, constants are folded, and a subexpression
that occurs twice is computed once.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any

from losslib.formula import folding
from losslib.formula.language import CONSTANTS, names_in, parse

SCALAR_FUNCTIONS: dict[str, Callable[..., Any]] = {**folding.FUNCTIONS, "max": max, "min": min}

#: Calls that a memory-bound kernel may hold; a root is one instruction.
ARITHMETIC = frozenset({"abs", "max", "min", "sign", "sqrt", "where"})


class _Fold(ast.NodeTransformer):
    """Replaces what depends on parameters alone by its value."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.names = {**SCALAR_FUNCTIONS, **CONSTANTS, **parameters}

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "where":
            condition = self.visit(node.args[0])
            if isinstance(condition, ast.Constant):
                return self.visit(node.args[1 if condition.value else 2])
            return ast.Call(node.func, [condition, *map(self.visit, node.args[1:])], [])
        if isinstance(node, ast.expr) and not isinstance(node, ast.Constant):
            names = {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}
            if names <= self.names.keys() and "where" not in names:
                code = compile(ast.fix_missing_locations(ast.Expression(node)), "formula", "eval")
                return ast.Constant(eval(code, {"__builtins__": {}}, dict(self.names)))
        if isinstance(node, ast.Call):
            return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])
        return self.generic_visit(node)


def simplified(formula: str, parameters: Mapping[str, Any]) -> ast.expr:
    """Return the formula as a tree over the inputs alone; ``parameters`` go by their names in the formula."""
    folded = _Fold(parameters).visit(parse(formula))
    return ast.fix_missing_locations(folded)


def is_arithmetic(formula: str, parameters: Mapping[str, Any]) -> bool:
    """Say whether the formula needs no elementary function, so that memory should limit its speed."""
    for node in ast.walk(simplified(formula, parameters)):
        if isinstance(node, ast.Call) and node.func.id not in ARITHMETIC:
            return False
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            exponent = node.right.value if isinstance(node.right, ast.Constant) else None
            if exponent is None or exponent != int(exponent):
                return False
    return True


class _Steps(ast.NodeTransformer):
    """Gives every operation a line of its own, and the same operation only one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.known: dict[str, str] = {}

    def visit(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, ast.BinOp | ast.UnaryOp | ast.Call | ast.Compare):
            return node
        children = node.args if isinstance(node, ast.Call) else list(ast.iter_child_nodes(node))
        for child in children:
            if isinstance(child, ast.expr):
                replaced = self.visit(child)
                for field, value in ast.iter_fields(node):
                    if value is child:
                        setattr(node, field, replaced)
                    elif isinstance(value, list):
                        setattr(node, field, [replaced if item is child else item for item in value])
        text = ast.unparse(node)
        if text not in self.known:
            self.known[text] = f"s{len(self.known)}"
            self.lines.append(f"{self.known[text]} = {text}")
        return ast.Name(self.known[text], ast.Load())


def compose(
    formula: str, inputs: tuple[str, ...], parameters: Mapping[str, Any], functions: Mapping[str, Any]
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
    """
    steps = _Steps()
    result = ast.unparse(steps.visit(simplified(formula, parameters)))
    difference = ["d = x - t"] if {"x", "t"} <= set(inputs) and "d" in names_in(parse(formula)) else []
    body = "\n    ".join([*difference, *steps.lines, f"return {result}"])
    names: dict[str, Any] = {"inf": math.inf, **functions}
    exec(f"def loss({', '.join(inputs)}):\n    {body}\n", names)
    return names["loss"]
