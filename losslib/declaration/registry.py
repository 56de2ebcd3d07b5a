"""The table of all losses, by every name that they have.

Which module declares a name is known beforehand (``losslib/declaration/index.py``): a module of ``losslib.losses`` is
imported when the first of its losses is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from losslib.declaration.index import INDEX
from losslib.declaration.schema import LossInfo
from losslib.errors import ParameterError

__all__ = ["add", "all_losses", "class_of", "function_of", "holds", "info_of", "is_own", "lookup", "takes"]

#: Every spelling, and the function name of the loss that it stands for.
_names: dict[str, str] = {}
#: Function name, and the module that declares it.
_modules: dict[str, str] = {}

for _module, _losses_of_module in INDEX.items():
    for _spellings in _losses_of_module:
        _modules[_spellings[0]] = _module
        for _spelling in _spellings:
            _names[_spelling] = _spellings[0]

_losses: dict[str, LossInfo] = {}
_functions: dict[str, Any] = {}
_classes: dict[str, Any] = {}


def spellings_of(info: LossInfo) -> tuple[str, ...]:
    """Return every name of a loss: function, class, aliases, and the function without its ending."""
    short = (info.name.removesuffix("_loss"),) if info.name.endswith("_loss") else ()
    return tuple(dict.fromkeys((info.name, info.class_name, *info.aliases, *short)))


def add(info: LossInfo, function: Any, cls: Any) -> None:
    """Enter a loss under all its names; a name taken twice is an error."""
    spellings = spellings_of(info)
    for name in spellings:
        taken = _names.get(name, info.name)
        if taken != info.name or (name == info.name and name in _losses):
            raise RuntimeError(f"{name!r} names both {taken} and {info.name}")
    _names.update(dict.fromkeys(spellings, info.name))
    _losses[info.name] = info
    _functions[info.name] = function
    _classes[info.name] = cls


def holds(info: LossInfo) -> bool:
    """True if this declaration is in the table."""
    return _losses.get(info.name) is info


def is_own(name: str) -> bool:
    """True if a loss has this very name; `lookup` also folds case and hyphens."""
    return name in _names


def takes(name: str, parameters: Iterable[str]) -> bool:
    """True if a loss has this very name and all these parameters."""
    if name not in _names:
        return False
    info = info_of(name)
    return all(item in info.parameter_names or item in info.class_order for item in parameters)


def lookup(name: str) -> str:
    """Return the function name of the loss with this name, class name or alias."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    found = _names.get(name)
    if found is None:
        folded = name.strip().lower().replace("-", "_").replace(" ", "_")
        found = _names.get(folded)
    if found is None:
        from losslib.names.unknown import reason  # only for messages, as it knows other packages

        raise ParameterError(reason(name, _names))
    return found


def _load(name: str) -> str:
    """Import the module that declares a loss; return its function name."""
    found = lookup(name)
    if found not in _losses:
        importlib.import_module(f"losslib.losses.{_modules[found]}")
    return found


def function_of(name: str) -> Any:
    """Return the function object of a loss by any of its names."""
    return _functions[_load(name)]


def class_of(name: str) -> Any:
    """Return the class of a loss by any of its names."""
    return _classes[_load(name)]


def info_of(name: str) -> LossInfo:
    """Return the declaration of a loss by any of its names."""
    return _losses[_load(name)]


def all_losses() -> tuple[LossInfo, ...]:
    """Return all declarations in the order of the documentation; those made by hand come last."""
    listed = [_losses[_load(name)] for name in _modules]
    return (*listed, *(info for name, info in _losses.items() if name not in _modules))
