"""Formulas over numbers: floats, arrays, numbers of any precision, numbers that carry derivatives."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from losslib.errors import FormulaError

__all__ = ["Numbers"]

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    name: getattr(operator, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")
}


class Numbers:
    """The arithmetic of numbers that have Python's operators, with the functions that the language has for them.

    A condition on single numbers is decided at once, and the branch that is not taken is never computed: it may lie
    outside the domain of a function. Conditions on arrays choose element by element.
    """

    def __init__(self, functions: Mapping[str, Callable[..., Any]], constant: Callable[[float], Any] = float) -> None:
        self.functions = dict(functions)
        self.constant = constant

    def truth(self, value: bool) -> Any:
        return value

    def is_truth(self, node: Any) -> bool:
        return isinstance(node, bool | np.bool_) or (isinstance(node, np.ndarray) and node.dtype == np.bool_)

    def known(self, node: Any) -> None:
        """Nothing is simplified, so no number need be told from another."""

    def decided(self, condition: Any) -> bool | None:
        return bool(condition) if np.ndim(condition) == 0 else None

    def compare(self, op: str, a: Any, b: Any) -> Any:
        return _COMPARISONS[op](a, b)

    def select(self, condition: Any, a: Any, b: Any) -> Any:
        return np.where(condition, a, b)

    def call(self, name: str, *args: Any) -> Any:
        if name not in self.functions:
            raise FormulaError(f"these numbers have no {name}")
        return self.functions[name](*args)

    def power(self, a: Any, b: Any) -> Any:
        return self.functions["power"](a, b) if "power" in self.functions else a**b

    def neg(self, a: Any) -> Any:
        return -a

    def add(self, a: Any, b: Any) -> Any:
        return a + b

    def sub(self, a: Any, b: Any) -> Any:
        return a - b

    def mul(self, a: Any, b: Any) -> Any:
        return a * b

    def div(self, a: Any, b: Any) -> Any:
        return a / b

    def both(self, a: Any, b: Any) -> Any:
        return np.logical_and(a, b)

    def either(self, a: Any, b: Any) -> Any:
        return np.logical_or(a, b)

    def no(self, a: Any) -> Any:
        return np.logical_not(a)
