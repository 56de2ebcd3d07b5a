"""Arrays as users hand them over: reading them without a copy, and what is checked of every one of them.

NumPy reads pandas, polars and pyarrow columns and CPU tensors without a copy; they are told by what they can do, and no
package is imported for it. NumPy also turns nulls into NaN without a word: here they are an error that
names the column.
A message names the argument, what came, what is expected and, where there is a likely one, the fix.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from losslib.declaration.schema import Domain
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError

__all__ = [
    "FLOATS",
    "at",
    "broadcast_to",
    "first",
    "promote",
    "read_array",
    "read_class_sequences",
    "read_classes",
    "read_integers",
    "read_lengths",
    "read_mask",
    "refuse_masked",
    "refuse_without_array",
    "require_blank",
    "require_domain",
    "require_integers",
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
    if dtype.char not in "efd" and dtype.name not in FLOATS:  # the name of a type takes NumPy a microsecond
        raise DTypeError(_dtype_message(name, dtype))
    if not dtype.isnative:
        array = array.astype(dtype.newbyteorder("="))
    if not array.flags.aligned:
        array = array.copy()
    return array


def to_numpy(name: str, obj: Any) -> np.ndarray:
    """Return ``obj`` as an array of any dtype, without a copy where that is possible."""
    if type(obj) is np.ndarray:
        return obj
    if obj is None:
        raise TypeError(f"{name} must be an array, got None")
    refuse_masked(name, obj)
    refuse_without_array(name, obj)
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


def refuse_without_array(name: str, obj: Any) -> None:
    """Raise ``DTypeError`` for what holds no array yet: a query of polars, a sparse matrix of SciPy."""
    if hasattr(obj, "__array__") or isinstance(obj, list | tuple | int | float):
        return
    for method, kind in (("collect", "a lazy frame, which has not been read"), ("toarray", "a sparse matrix")):
        if callable(getattr(obj, method, None)):
            raise DTypeError(f"{name} is {kind}; pass {name}.{method}()")


def read_integers(name: str, obj: Any) -> np.ndarray:
    """Return ``obj`` as an array of any dtype; an empty list, which has none, holds integers."""
    array = to_numpy(name, obj)
    if not array.size and isinstance(obj, list | tuple):
        return array.astype(np.int64)
    return array


def _dtype_message(name: str, dtype: np.dtype[Any]) -> str:
    advice = _DTYPE_ADVICE.get("V" if dtype.fields else dtype.kind.replace("V", ""), _OTHER_ADVICE)
    return f"{name} has dtype {dtype}; expected {', '.join(FLOATS)}, an integer type or bool: {advice}"


def read_mask(obj: Any, *, copy: bool = True) -> np.ndarray:
    """Return ``where`` as a boolean array: a copy, which no other thread can change while places are counted by it.

    ``copy=False`` is for kernels that use each element by itself.
    """
    mask = to_numpy("where", obj)
    if mask.dtype != np.bool_:
        raise DTypeError(
            f"where has dtype {mask.dtype}; expected bool (True keeps an element): use where=mask.astype(bool)"
        )
    return mask.copy() if copy else mask


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
    # The name of a type takes NumPy a microsecond; bfloat16 is none of its own.
    values = array.astype(np.float32) if array.dtype.kind not in "fiub" and array.dtype.name == "bfloat16" else array
    bad = ~domain.contains(values)
    if mask is not None:
        bad &= mask
    if not bad.any():
        return
    place, value = first(bad, values)
    advice = fix or domain.fix
    raise DomainError(
        f"{name}{place} is {in_full(value)}, outside the domain of {loss_name}: {name} must hold {domain.meaning}"
        + (f"; {advice}" if advice else "")
        + "; check=False computes the formula regardless"
    )


def in_full(value: Any) -> str:
    """Write a number with as many digits as tell it from its neighbours: 1.0000001 is not 1."""
    short = f"{float(value):g}"
    return short if float(short) == float(value) else str(value)


# ---- types and addresses ---------------------------------------------------------------------------------------------


def promote(given: Sequence[np.ndarray], raw: Sequence[Any] = ()) -> np.dtype[Any]:
    """Return the type that arrays are computed in; Python numbers among `raw`, from which they were read, have none."""
    dtype: np.dtype[Any] | None = None
    for k, array in enumerate(given):
        if k < len(raw) and type(raw[k]) in (int, float, bool):
            continue
        if dtype is None or dtype == array.dtype:
            dtype = array.dtype
            continue
        try:
            dtype = np.result_type(dtype, array.dtype)
        except TypeError:  # float16 with bfloat16: neither holds the other
            dtype = np.dtype(np.float32)
    return np.dtype(np.float64) if dtype is None else dtype


def at(position: int | np.signedinteger[Any], shape: tuple[int, ...]) -> str:
    """Write the position of an element, counted in C order, as an index: "[3, 0]"; "" for a number."""
    if not shape:
        return ""
    return "[" + ", ".join(str(int(k)) for k in np.unravel_index(int(position), shape)) + "]"


def first(bad: np.ndarray, array: np.ndarray) -> tuple[str, Any]:
    """Return the first marked position as an index, and what the array holds there."""
    position = int(np.argmax(bad))
    return at(position, bad.shape), array[np.unravel_index(position, bad.shape)]


def require_weights(name: str, weight: np.ndarray, mask: np.ndarray | None = None) -> None:
    """Raise ``DomainError`` for the first weight of a metric that is negative, infinite or NaN."""
    bad = ~((weight >= 0) & np.isfinite(weight))
    if mask is not None:
        bad &= mask
    if bad.any():
        place, value = first(bad, weight)
        raise DomainError(f"sample_weight{place} is {float(value):g}; {name} takes finite weights >= 0")


def require_integers(name: str, array: np.ndarray, meaning: str = "class indices") -> None:
    """Raise ``DTypeError`` unless an array holds integers; one without elements may have any type."""
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"{name} has dtype {array.dtype}; {meaning} must be integers: use {name}.astype(numpy.int64)")


def read_classes(
    name: str,
    obj: Any,
    shape: tuple[int, ...],
    classes: int,
    mask: np.ndarray | None = None,
    *,
    unit: str = "class",
    units: str = "classes",
) -> np.ndarray:
    """Read one class index a sample as int64 and check its range; masked samples may hold anything.

    `unit` and `units` are what messages call a class.

    The range is a matter of memory safety: it is checked with ``check=False`` too, on the very values that the
    kernels read afterwards: a copy, which no other thread can change.
    """
    array = read_integers(name, obj)
    if array.dtype.kind not in "iu":
        require_integers(name, array if array.size else np.empty(1, array.dtype), f"{unit} indices")
    if array.shape != shape:
        raise ShapeError(f"{name} has shape {array.shape}, expected {shape}: one {unit} index for each sample")
    indices = array.astype(np.int64)  # always a copy
    bad = indices.view(np.uint64) >= classes  # one comparison: what is negative is large without its sign
    if mask is not None:
        bad &= mask
    if np.count_nonzero(bad):
        place, index = first(bad, array)
        raise DomainError(f"{name}{place} is {int(index)}, outside the {units}: expected 0 to {classes - 1}")
    if mask is not None:
        indices[~mask] = 0
    return indices


def read_lengths(
    name: str, obj: Any, samples: int, most: int, limit: str, mask: np.ndarray | None = None, *, masked: int = 0
) -> np.ndarray:
    """Read one length a sample as an int64 copy, from 0 to `most`; masked samples get `masked` and may hold anything.

    `limit` says what `most` comes from.
    """
    array = read_integers(name, obj)
    require_integers(name, array, "lengths")
    if array.shape != (samples,):
        raise ShapeError(f"{name} has shape {array.shape}, expected ({samples},): one length for each sample")
    if not samples:
        return np.zeros(0, np.int64)  # of whatever type
    lengths = array.astype(np.int64)  # always a copy
    bad = lengths.view(np.uint64) > most
    if mask is not None:
        bad &= mask
    if np.count_nonzero(bad):
        place, length = first(bad, array)
        raise DomainError(f"{name}{place} is {int(length)}, expected 0 to {most}, {limit}")
    if mask is not None:
        lengths[~mask] = masked
    return lengths


def read_class_sequences(
    name: str, array: np.ndarray, used: np.ndarray, classes: int, blank: int, *, check: bool
) -> np.ndarray:
    """Return labels as a contiguous int64 copy, 0 where no length reaches; none may be the blank if `check` is true."""
    if not array.size:
        return np.zeros(array.shape, np.int64)  # of whatever type
    labels: np.ndarray = np.where(used, array, 0)  # a copy, which nobody else can change
    bad = (labels < 0) | (labels >= classes)
    if bad.any():
        place, label = first(bad, labels)
        raise DomainError(f"{name}{place} is {int(label)}, outside the classes: expected 0 to {classes - 1}")
    if check:
        bad = (labels == blank) & used
        if bad.any():
            place, _ = first(bad, labels)
            raise DomainError(
                f"{name}{place} is {blank}, the blank, which no target contains: leave it out, or give the class that "
                f"is the blank as blank=; check=False computes the formula regardless"
            )
    return np.ascontiguousarray(labels, np.int64)


def require_blank(blank: int, classes: int, name: str) -> int:
    """Return the class of the blank; a negative one counts from the last."""
    if not -classes <= blank < classes:
        raise ParameterError(
            f"blank={blank} is no class of {name}, which has {classes}: expected {-classes} to {classes - 1}, where "
            f"negative numbers count from the last class"
        )
    return blank % classes


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
