"""The formulas of the declarations: what ``LossInfo.formula`` says with its definitions, over any numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from losslib.declaration.schema import LossInfo
from losslib.formula import language
from losslib.formula.reader import Arithmetic, Reader

__all__ = ["definitions_of", "letters_of", "names_used", "read_element", "texts_of"]

N = TypeVar("N")


def definitions_of(info: LossInfo, parameters: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return what the letters of a formula stand for, where a word chooses with the word of these parameters."""
    found = {}
    for letter, text in info.definitions.items():
        if isinstance(text, str):
            found[letter] = text
            continue
        choice = next(item for item in info.parameters if set(text) <= set(getattr(item, "choices", ())))
        found[letter] = text[(parameters or {}).get(choice.name, choice.default)]
    return found


def texts_of(info: LossInfo) -> Iterator[tuple[str, str]]:
    """Yield letter and text of every definition in their order, abbreviations that are used first, the formula last."""
    own = list(info.definitions.items())
    texts = [(letter, text) for letter, value in own for text in _texts(value)]
    used = {name for _, text in [*texts, ("", info.formula)] for name in language.names_in(language.tree_of(text))}
    yield from ((letter, text) for letter, text in language.ABBREVIATIONS.items() if letter in used)
    yield from texts
    yield "", info.formula


def _texts(value: str | Mapping[str, str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value.values())


def names_used(info: LossInfo) -> set[str]:
    """Return the names of numbers that a formula and its definitions use, letters that are defined left out."""
    letters = {letter for letter, _ in texts_of(info)}
    return {name for _, text in texts_of(info) for name in language.names_in(language.tree_of(text))} - letters


def letters_of(info: LossInfo) -> dict[str, str]:
    """Return for every input and parameter the name that it has in the formula."""
    short = {name: letter for letter, name in info.symbols.items()}
    return {name: short.get(name, name) for name in (*info.input_names, *info.parameter_names)}


def read_element(info: LossInfo, arithmetic: Arithmetic[N], names: Mapping[str, N]) -> N:
    """Return the value of one element, from what the names of inputs and parameters in the formula stand for."""
    reader = Reader(arithmetic, names)
    node = arithmetic.constant(0)
    for letter, text in texts_of(info):
        node = reader.read(text, language.tree_of(text))
        if letter:
            reader.define(letter, node)
    return node
