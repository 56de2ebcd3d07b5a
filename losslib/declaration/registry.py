"""The table of all losses, by every name that they have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from losslib.declaration.schema import LossInfo, closest
from losslib.errors import ParameterError

__all__ = ["add", "all_losses", "class_of", "function_of", "info_of", "is_own", "lookup", "takes"]

_losses: dict[str, LossInfo] = {}
_functions: dict[str, Any] = {}
_classes: dict[str, Any] = {}
_names: dict[str, str] = {}


def add(info: LossInfo, function: Any, cls: Any) -> None:
    """Enter a loss under its function name, class name and aliases; a name taken twice is an error."""
    spellings = {info.name, info.class_name, *info.aliases}
    if info.name.endswith("_loss"):
        spellings.add(info.name.removesuffix("_loss"))
    taken = sorted(spellings & _names.keys())
    if taken:
        raise RuntimeError(f"{taken[0]!r} names both {_names[taken[0]]} and {info.name}")
    _names.update(dict.fromkeys(spellings, info.name))
    _losses[info.name] = info
    _functions[info.name] = function
    _classes[info.name] = cls


def is_own(name: str) -> bool:
    """True if a loss has this very name; `lookup` also folds case and hyphens."""
    return name in _names


def takes(name: str, parameters: Iterable[str]) -> bool:
    """True if a loss has this very name and all these parameters."""
    info = _losses.get(_names.get(name, ""))
    return info is not None and all(item in info.parameter_names or item in info.class_order for item in parameters)


def lookup(name: str) -> str:
    """Return the function name of the loss with this name, class name or alias."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    found = _names.get(name)
    if found is None:
        folded = name.strip().lower().replace("-", "_").replace(" ", "_")
        found = _names.get(folded)
    if found is None:
        raise ParameterError(
            f"no loss is called {name!r}{closest(name, _names)}; losslib.list_losses() shows all of them"
        )
    return found


def function_of(name: str) -> Any:
    """Return the function object of a loss by any of its names."""
    return _functions[lookup(name)]


def class_of(name: str) -> Any:
    """Return the class of a loss by any of its names."""
    return _classes[lookup(name)]


def info_of(name: str) -> LossInfo:
    """Return the declaration of a loss by any of its names."""
    return _losses[lookup(name)]


def all_losses() -> tuple[LossInfo, ...]:
    """Return all declarations in the order of the source."""
    return tuple(_losses.values())
