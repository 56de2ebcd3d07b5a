"""Calls of other packages as text, read back: ``keras.losses.Huber(delta=2.0)(t, x)`` is ``keras:Huber`` with delta 2.

The pages execute such calls (`Equivalent`); reading them ties each to the binding that `losslib.get` uses.
"""

from __future__ import annotations

import ast
from typing import Any

from losslib.combine.weighted_sum import first_term
from losslib.declaration import registry
from losslib.declaration.schema import Equivalent, LossInfo
from losslib.errors import ParameterError
from losslib.names.binding import bind, losses_of
from losslib.names.plain import FORM
from losslib.names.schema import Binding
from losslib.names.tables import PACKAGES, SYNONYMS, find

__all__ = ["disagreement", "read_call"]


def read_call(text: str) -> tuple[str, Binding, dict[str, Any]] | None:
    """Return the package, the binding and the parameters of a call, or None if it is no plain call of a known name."""
    node = ast.parse(text, mode="eval").body
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Call):  # a class is made, then called
        node = node.func
    root, _, name = ast.unparse(node.func).partition(".")
    key = SYNONYMS.get(root, root)
    if key not in PACKAGES:
        return None
    try:
        binding = find(key, name)
        given = {item.arg: ast.literal_eval(item.value) for item in node.keywords if item.arg in binding.parameters}
    except (ParameterError, ValueError):  # no known name, or a parameter that is computed
        return None
    return key, binding, {name: value for name, value in given.items() if name is not None}


def disagreement(info: LossInfo, equivalent: Equivalent) -> str:
    """Say in what a row about the same loss elsewhere differs from what `losslib.get` gives for its call, or "".

    Rows whose call is more than a name with parameters, and those about a loss that coincides with another for some
    parameters, have no binding of their own.
    """
    found = read_call(equivalent.call) if equivalent.call else None
    if found is None or info.name not in losses_of(found[1]):
        return ""
    try:
        bound = first_term(bind(*found))
    except ParameterError:
        return ""
    wanted = registry.class_of(info.name)(**equivalent.arguments)
    if bound.info is not info:
        return f"{equivalent.call} is {bound!r} by name and {wanted!r} on the page of {info.name}"
    differ = [
        f"{name} is {bound.parameters[name]!r} by name and {value!r} on the page"
        for name, value in wanted.parameters.items()
        if name not in FORM and bound.parameters[name] != value
    ]
    return f"{equivalent.call}: {', '.join(differ)}" if differ else ""
