"""The parameters of a loss object: bound, checked, compared and written out again."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from losslib import geometries
from losslib.call.arrays import read_array
from losslib.declaration.schema import Array, LossInfo, closest
from losslib.errors import DomainError, ParameterError

__all__ = ["bind", "class_arguments", "legacy_reduction", "positional", "require_least"]


def read_bound_array(parameter: Array, value: Any) -> np.ndarray | None:
    """Return a read-only float64 copy of an array parameter, or None."""
    if value is None:
        return None
    array = require_least(parameter, read_array(parameter.name, value).astype(np.float64, copy=True))
    if not array.size:
        array.flags.writeable = False
        return array
    return np.frombuffer(array.tobytes()).reshape(array.shape)  # bytes cannot be made writeable again


def require_least(parameter: Array, array: np.ndarray) -> np.ndarray:
    """Return the array, or raise ``DomainError`` if it holds less than the parameter allows."""
    if parameter.least is not None and bool((array < parameter.least).any()):
        raise DomainError(f"{parameter.name} must be >= {parameter.least:g} everywhere, got {float(array.min()):g}")
    return array


def legacy_reduction(size_average: Any, reduce: Any, stacklevel: int) -> str:
    """Translate PyTorch's two deprecated flags into a reduction, with a warning at the caller's line."""
    for name, value in (("size_average", size_average), ("reduce", reduce)):
        if not (value is None or isinstance(value, bool | np.bool_ | int)):
            raise ParameterError(
                f"{name} must be True or False, got {reprlib.repr(value)}; by position PyTorch's deprecated flags come "
                "before reduction: give parameters by name, as in reduction='sum'"
            )
    if reduce is not None and not reduce:
        reduction = "none"
    elif size_average is not None and not size_average:
        reduction = "sum"
    else:
        reduction = "mean"
    warnings.warn(
        f"size_average and reduce are deprecated in PyTorch; use reduction={reduction!r}",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
    return reduction


def positional(info: LossInfo, order: Sequence[str], values: Sequence[Any], owner: str) -> dict[str, Any]:
    """Name the positional parameters by PyTorch's order."""
    if len(values) > len(order):
        if order:
            expected = f"at most {len(order)} positional parameters ({', '.join(order)})"
        else:
            expected = f"its parameters by name ({', '.join(info.parameter_names)})"
        raise TypeError(f"{owner} takes {expected}, got {len(values)} positional")
    named = dict(zip(order, values, strict=False))
    if not isinstance(named.get("reduction", ""), str):
        raise ParameterError(
            f"{owner} takes reduction in the place of {reprlib.repr(named['reduction'])}: by position the parameters "
            f"come in the order {', '.join(order)}; give them by name"
        )
    return named


def bind_values(info: LossInfo, given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Check the parameters of a loss object and fill in the defaults."""
    given = dict(given)
    if "size_average" in info.class_order:
        size_average, reduce = given.pop("size_average", None), given.pop("reduce", None)
        if size_average is not None or reduce is not None:
            given["reduction"] = legacy_reduction(size_average, reduce, stacklevel=4)
    values: dict[str, Any] = {}
    for parameter in info.parameters:
        name = parameter.name
        value = given.pop(name, parameter.default)
        values[name] = read_bound_array(parameter, value) if isinstance(parameter, Array) else parameter.check(value)
    if given:
        name = next(iter(given))
        raise TypeError(
            f"{owner} has no parameter {name!r}{closest(name, info.parameter_names)}; "
            f"it takes {', '.join(info.parameter_names)}"
        )
    return values


def key_of(values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what equality and hash of a loss compare: the values, arrays by shape and bytes."""
    return tuple(
        (name, (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value)
        for name, value in values.items()
    )


def bind(
    info: LossInfo, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[dict[str, Any], tuple[Any, ...], str | None, tuple[float, ...], tuple[int, ...], Any]:
    """Bind the parameters of a loss object; what ``Loss.__cinit__`` stores.

    Returns the values, the key for equality, the pointwise kernel (None for another geometry) with its numbers, the
    domain codes, and whether a call on plain arrays may take the fast path (for another geometry: what answers it).
    """
    given = positional(info, info.class_order, args, info.class_name)
    for name in kwargs:
        if name in given:
            raise TypeError(f"{info.class_name} got {name!r} twice, by position and by keyword")
    given.update(kwargs)
    values = bind_values(info, given, info.class_name)
    kernel, numbers, codes, plain = geometries.find(info.geometry).bind(info, values)
    return values, key_of(values), kernel, numbers, codes, plain


def class_arguments(values: Mapping[str, Any], info: LossInfo) -> str:
    """Write parameter values as the arguments of a call that gives the same object back."""
    texts = []
    for parameter in info.parameters:
        value = values[parameter.name]
        if (isinstance(parameter, Array) or parameter.name == "check") and value is parameter.default:
            continue
        texts.append(f"{parameter.name}={_literal(value)}")
    return ", ".join(texts)


def _literal(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, float) and not np.isfinite(value):
        return f"float('{value}')"
    return repr(value)
