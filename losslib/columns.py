"""Columns and tensors of other packages, told by what they can do: no package is imported for it.

NumPy reads pandas, polars and pyarrow columns and CPU tensors without a copy. It also turns nulls into NaN without a
word; here they are an error that names the column.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from losslib.errors import DTypeError

__all__ = ["plain"]


def plain(name: str, obj: Any) -> Any:
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
