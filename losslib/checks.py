"""Every check of arguments, and every message.

A message names the argument, what came, what is expected and, where there is a likely one, the fix.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from losslib import columns
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError
from losslib.registry import Array, Domain, LossInfo, closest

__all__ = ["bind", "class_arguments", "read_array", "require_domain"]

FLOATS = ("float16", "bfloat16", "float32", "float64")

#: Advice for dtypes that are refused, by dtype kind.
_DTYPE_ADVICE = {
    "c": "take the real part or the absolute value first",
    "O": "an object array holds Python objects; convert it with .astype(float)",
    "U": "these are strings; convert them to numbers first",
    "S": "these are bytes; convert them to numbers first",
    "M": "convert dates to numbers first",
    "m": "convert time differences to numbers first",
    "V": "pass one field of the structured array",
}
_OTHER_ADVICE = "convert it with .astype(numpy.float64)"


# ---- arrays ----------------------------------------------------------------------------------------------------


def read_array(name: str, obj: Any) -> np.ndarray:
    """Return ``obj`` as a plain array of a float type that the kernels read, without a copy where that is possible.

    Integers, booleans and lists become float64; float16, bfloat16, float32 and float64 stay as they are.
    """
    array = to_numpy(name, obj)
    dtype = array.dtype
    if dtype.kind in "biu":
        return array.astype(np.float64)
    if dtype.name not in FLOATS:
        raise DTypeError(_dtype_message(name, dtype))
    if not dtype.isnative:
        array = array.astype(dtype.newbyteorder("="))
    if not array.flags.aligned:
        array = array.copy()
    return array


def to_numpy(name: str, obj: Any) -> np.ndarray:
    """Return ``obj`` as an array of any dtype, without a copy where that is possible."""
    if obj is None:
        raise TypeError(f"{name} must be an array, got None")
    if type(obj) is not np.ndarray:
        refuse_masked(name, obj)
        obj = columns.plain(name, obj)
    try:
        if not hasattr(obj, "__array__") and hasattr(obj, "__dlpack__"):
            return np.from_dlpack(obj)
        return np.asarray(obj)
    except ValueError as error:
        raise ShapeError(f"{name} cannot be read as an array: {error}") from error
    except (TypeError, RuntimeError, BufferError) as error:
        raise DTypeError(f"{name} of type {type(obj).__name__} cannot be read as an array: {error}") from error


def refuse_masked(name: str, obj: Any) -> None:
    """Raise ``DTypeError`` for a masked array, whose mask would be lost without a word."""
    if isinstance(obj, np.ma.MaskedArray):
        raise DTypeError(f"{name} is a masked array; pass its data and the mask apart: {name}.data, where=~{name}.mask")


def read_integers(name: str, obj: Any) -> np.ndarray:
    """Return ``obj`` as an array of any dtype; an empty list, which has none, holds integers."""
    array = to_numpy(name, obj)
    if not array.size and isinstance(obj, list | tuple):
        return array.astype(np.int64)
    return array


def _dtype_message(name: str, dtype: np.dtype[Any]) -> str:
    advice = _DTYPE_ADVICE.get("V" if dtype.fields else dtype.kind.replace("V", ""), _OTHER_ADVICE)
    return f"{name} has dtype {dtype}; expected {', '.join(FLOATS)}, an integer type or bool: {advice}"


def read_mask(obj: Any) -> np.ndarray:
    """Return ``where`` as a boolean array."""
    mask = to_numpy("where", obj)
    if mask.dtype != np.bool_:
        raise DTypeError(
            f"where has dtype {mask.dtype}; expected bool (True keeps an element): use where=mask.astype(bool)"
        )
    return mask


def require_same_shape(name: str, array: np.ndarray, reference_name: str, reference: np.ndarray) -> None:
    """Raise ``ShapeError`` unless the shapes agree exactly."""
    if array.shape == reference.shape:
        return
    fix = ""
    if array.size == reference.size:
        fix = f"; if the elements are in the same order, reshape: {name}.reshape({reference_name}.shape)"
    if {array.shape, reference.shape} == {(reference.size,), (reference.size, 1)}:
        fix = (
            f"; (n,) against (n, 1) would broadcast to n x n, which is never meant: "
            f"use {name}.reshape({reference_name}.shape)"
        )
    raise ShapeError(f"{name} has shape {array.shape}, expected {reference.shape}, the shape of {reference_name}{fix}")


def broadcast_to(name: str, array: np.ndarray, shape: tuple[int, ...], expected: str) -> np.ndarray:
    """Return a view of the array in this shape by NumPy's rule, or raise ``ShapeError``."""
    if array.shape == shape:
        return array
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ShapeError(f"{name} has shape {array.shape}, expected {expected}, here {shape}") from None


def require_domain(
    name: str, array: np.ndarray, domain: Domain, fix: str, mask: np.ndarray | None, loss_name: str
) -> None:
    """Raise ``DomainError`` with the first offending position, if there is one."""
    values = array.astype(np.float32) if array.dtype.name == "bfloat16" else array
    bad = ~domain.contains(values)
    if mask is not None:
        bad &= mask
    if not bad.any():
        return
    position = np.unravel_index(int(np.argmax(bad)), bad.shape)
    index = ", ".join(str(int(k)) for k in position)
    value = values[position]
    where = f"{name}[{index}]" if index else name
    advice = fix or domain.fix
    raise DomainError(
        f"{where} is {float(value):g}, outside the domain of {loss_name}: {name} must hold {domain.meaning}"
        + (f"; {advice}" if advice else "")
        + "; check=False computes the formula regardless"
    )


# ---- parameters ------------------------------------------------------------------------------------------------


def read_bound_array(parameter: Array, value: Any) -> np.ndarray | None:
    """Return a read-only float64 copy of an array parameter, or None."""
    if value is None:
        return None
    array = read_array(parameter.name, value).astype(np.float64, copy=True)
    if parameter.least is not None and bool((array < parameter.least).any()):
        raise DomainError(f"{parameter.name} must be >= {parameter.least:g} everywhere, got {float(array.min()):g}")
    if not array.size:
        array.flags.writeable = False
        return array
    return np.frombuffer(array.tobytes()).reshape(array.shape)  # bytes cannot be made writeable again


def legacy_reduction(size_average: Any, reduce: Any, stacklevel: int) -> str:
    """Translate PyTorch's two deprecated flags into a reduction, with a warning at the caller's line."""
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
            expected = "its parameters as keywords"
        raise TypeError(f"{owner} takes {expected}, got {len(values)} positional values too many or unnamed")
    return dict(zip(order, values, strict=False))


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


def domain_codes(info: LossInfo, values: Mapping[str, Any]) -> tuple[Domain, ...]:
    """Return the domains of the inputs of a loss with these parameters, as they are declared."""
    if info.input_domains is not None:
        return info.input_domains(values)
    return tuple(item.domain for item in info.inputs)


#: For a geometry: makes what answers plain calls of a loss object, (info, values) -> callable or None.
QUICK: dict[str, Callable[[LossInfo, Mapping[str, Any]], Any]] = {}


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
    if info.geometry != "pointwise":
        make = QUICK.get(info.geometry)
        return values, key_of(values), None, (), (), None if make is None else make(info, values)
    kernel, numbers = info.resolve_kernel(values)
    domains = domain_codes(info, values)
    codes = tuple(domain.code if values["check"] else 0 for domain in domains)
    arrays = [values[item.name] for item in info.parameters if isinstance(item, Array)]
    plain = all(array is None for array in arrays)
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


def unknown_reduction(value: Any, info: LossInfo) -> ParameterError:
    """Return the error for a reduction that the loss does not have."""
    return ParameterError(f"reduction must be one of {', '.join(map(repr, info.reductions))}, got {value!r}")
