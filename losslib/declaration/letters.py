"""The letters of ``LossInfo.definitions``: which are functions, which have an index, and all of them as text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

__all__ = ["definition_lines", "function_of_key", "is_equation", "is_indexed"]

_FUNCTION = re.compile(r"(\w+)\((\w+(?:, \w+)*)\)")


def function_of_key(key: str) -> tuple[str, tuple[str, ...]] | None:
    """Return name and parameters if the key of a definition is a function, such as ``d(u, v)``."""
    found = _FUNCTION.fullmatch(key)
    return (found[1], tuple(found[2].split(", "))) if found else None


def is_indexed(tree: ast.AST) -> bool:
    """True if a text speaks of an entry ``c`` that no sum or maximum in it runs over: the letter is then ``p_c``."""
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id in ("sum_c", "max_c"):
        return False
    if isinstance(tree, ast.Name):
        return tree.id == "c" or tree.id.endswith("_c")
    return any(is_indexed(child) for child in ast.iter_child_nodes(tree))


def is_equation(letter: str, tree: ast.AST) -> bool:
    """True if a text is an equation that the letter solves."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return isinstance(tree, ast.Compare) and letter in names


def definition_lines(definitions: Mapping[str, str | Mapping[str, str]]) -> Iterator[str]:
    """Yield what each letter stands for, as a line of text."""
    for key, value in definitions.items():
        texts = {"": value} if isinstance(value, str) else value
        for word, text in texts.items():
            tree = ast.parse(text, mode="eval").body
            if is_equation(key, tree):
                yield f"{key} solves {text}"
                continue
            index = "_c" if function_of_key(key) is None and is_indexed(tree) else ""
            yield f"{key}{index} = {text}" + (f" for {word!r}" if word else "")
