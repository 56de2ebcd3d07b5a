"""Arrays as users hand them over: reading them without a copy, and what is checked of every one of them.

NumPy reads pandas, polars and pyarrow columns and CPU tensors without a copy; they are told by what they can do, and no
package is imported for it. NumPy also turns nulls into NaN without a word: here they are an error that
names the column.
A message names the argument, what came, what is expected and, where there is a likely one, the fix.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from losslib.declaration.schema import Domain
from losslib.errors import DomainError, DTypeError, ShapeError

__all__ = [
    "FLOATS",
    "broadcast_to",
    "read_array",
    "read_integers",
    "read_mask",
    "refuse_masked",
    "require_domain",
    "require_same_shape",
    "to_numpy",
]

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
        obj = without_nulls(name, obj)
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
        f"{where} is {in_full(value)}, outside the domain of {loss_name}: {name} must hold {domain.meaning}"
        + (f"; {advice}" if advice else "")
        + "; check=False computes the formula regardless"
    )


def in_full(value: Any) -> str:
    """Write a number with as many digits as tell it from its neighbours: 1.0000001 is not 1."""
    short = f"{float(value):g}"
    return short if float(short) == float(value) else str(value)


# ---- columns and tensors of other packages ----


def without_nulls(name: str, obj: Any) -> Any:
    """Return what ``numpy.asarray`` reads with nothing lost on the way; for most that is the object itself."""
    if isinstance(obj, np.ndarray | np.generic | int | float | list | tuple):
        return obj
    for column, data in columns_of(obj):
        missing = count_nulls(data)
        if missing:
            where = f"{name} has" if column is None else f"{name}: column {column!r} has"
            raise DTypeError(
                f"{where} {missing} null{'s' if missing > 1 else ''}, which losslib does not read; drop these rows or "
                f"fill them (fill_null, fillna), and to leave filled elements out pass where= with False at them"
            )
    if str(getattr(obj, "dtype", "")) == "torch.bfloat16":
        return bfloat16_bits(name, obj)
    return obj


def columns_of(obj: Any) -> Iterator[tuple[str | None, Any]]:
    """Yield name and data of every column of a frame, or of the one column that `obj` is."""
    names = getattr(obj, "column_names", None)  # pyarrow
    if names is None and (hasattr(obj, "iterrows") or hasattr(obj, "iter_rows")):  # a frame of pandas or polars
        names = obj.columns
    if names is None:
        label = getattr(obj, "name", None)
        yield (label if isinstance(label, str) and label else None), obj
    else:
        for label in names:
            yield str(label), obj[label]


def count_nulls(column: Any) -> int:
    """Return the number of nulls of a column; NaN is a number here and no null."""
    count = getattr(column, "null_count", None)  # pyarrow, polars
    if count is not None:
        return int(count() if callable(count) else count)
    dtype = getattr(column, "dtype", None)
    if dtype is not None and not isinstance(dtype, np.dtype) and hasattr(column, "isna"):  # a pandas extension type
        return int(column.isna().sum())
    return 0


def bfloat16_bits(name: str, tensor: Any) -> np.ndarray:
    """View a PyTorch tensor of bfloat16, which PyTorch does not hand to NumPy, as an array of that type."""
    try:
        import ml_dtypes
    except ImportError:
        raise DTypeError(
            f"{name} is a torch.bfloat16 tensor; install ml_dtypes to have bfloat16 in NumPy, or pass {name}.float()"
        ) from None
    bits = np.asarray(tensor.view(sys.modules["torch"].uint16))
    return bits.view(ml_dtypes.bfloat16)
