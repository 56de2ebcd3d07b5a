"""Values of ``--set``: what a parameter is declared to be says how its text is read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from losslib.declaration.schema import Array, Choice, Flag, Indices, LossInfo
from losslib.errors import ParameterError
from losslib.names.schema import Binding, Chooses, Only, Reduces

__all__ = ["literal", "read_binding_setting", "read_setting"]

#: Words for values, in any case.
CONSTANTS = {"none": None, "null": None, "true": True, "false": False}

#: What an array may be, for messages.
NUMBERS = "a number, several such as 0.5,2, rows such as [[0,1],[1,0]], or a .npy file"


def read_setting(info: LossInfo, name: str, text: str) -> Any:
    """Read the value of a parameter of a loss; its own check says what is wrong with a value of the right kind."""
    parameter = info.parameter(name)
    if isinstance(parameter, Choice):  # "none" and "nan" may be words there
        value = literal(text) if text.lower() in CONSTANTS else text
        return value if text not in parameter.choices and any(value is given for given, _ in parameter.also) else text
    if isinstance(parameter, Array):
        return _read_array(name, text)
    if isinstance(parameter, Indices):
        value = _read_numbers(text)
        return [value] if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(parameter, Flag) and text.lower() in ("yes", "no"):
        return text.lower() == "yes"
    return literal(text)


def read_binding_setting(binding: Binding, name: str, text: str) -> Any:
    """Read the value of a parameter of another package, which declares no kinds."""
    if text in _words(binding, name):
        return text
    return _read_array(name, text) if text.endswith(".npy") else _read_numbers(text)


def _words(binding: Binding, name: str) -> Iterable[Any]:
    """Return the words that a parameter of another package is known to take."""
    parameter = binding.parameters[name]
    if isinstance(parameter, Reduces):
        return parameter.words
    if isinstance(parameter, Chooses):
        return [case.when[name] for case in binding.cases if name in case.when]
    return (parameter.default, *parameter.also) if isinstance(parameter, Only) else (parameter.default,)


def _read_array(name: str, text: str) -> Any:
    """Read numbers, or an array from a file."""
    if text.endswith(".npy"):
        try:
            return np.load(text, allow_pickle=False)
        except FileNotFoundError:
            raise ParameterError(f"--set {name}={text}: there is no file {text!r}") from None
        except (OSError, ValueError, EOFError) as error:
            raise ParameterError(f"--set {name}={text}: {error}") from None
    value = _read_numbers(text)
    try:
        if value is not None:
            np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"--set {name}={text}: expected {NUMBERS}") from None
    return value


def _read_numbers(text: str) -> Any:
    """Read numbers with commas between as a list, and anything else as `literal` does."""
    parts = [literal(part.strip()) for part in text.split(",")]
    if len(parts) > 1 and all(isinstance(part, int | float) for part in parts):
        return parts
    return literal(text)


def literal(text: str) -> Any:
    """Read a number, true, false, none or a list in brackets; anything else is a word."""
    if text.lower() in CONSTANTS:
        return CONSTANTS[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return float(text)  # inf
    except ValueError:
        return text
