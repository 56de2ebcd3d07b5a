"""Group keys of any kind, turned into row numbers.

Arrow dictionaries and pandas categories bring their rows along; integers of a small range are counted; other arrays are
sorted, and Python objects go through a dict.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np

from losslib.call.arrays import columns_of, count_nulls, refuse_masked, refuse_without_array
from losslib.errors import DTypeError, ShapeError

__all__ = ["Keys", "canonical", "join", "read_keys"]

#: pandas' words for a missing entry, told by name: losslib does not import pandas.
MISSING = ("NAType", "NaTType")


@dataclass(frozen=True)
class Keys:
    """Group keys that have been read: the key of entry k is ``keys[codes[k]]``. Slices share the keys."""

    codes: np.ndarray
    keys: list[Hashable]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: slice) -> Keys:
        return Keys(self.codes[rows], self.keys)

    @staticmethod
    def concatenate(parts: Sequence[Keys]) -> Keys:
        """Return the entries of all parts, one after the other."""
        found: dict[Hashable, int] = {}
        rows = [np.array([found.setdefault(key, len(found)) for key in part.keys], np.int64) for part in parts]
        codes = [row[part.codes] for row, part in zip(rows, parts, strict=True)]
        return Keys(np.concatenate(codes), list(found))


def read_keys(by: Any) -> tuple[np.ndarray, list[Hashable]]:
    """Return for each entry of `by` the position of its key, and the keys; a missing key is None."""
    if isinstance(by, Keys):
        return used(by.codes, by.keys)
    refuse_masked("by", by)
    refuse_without_array("by", by)
    if hasattr(by, "unify_dictionaries"):  # an Arrow column of several chunks; NumPy would take dictionaries apart
        by = by.unify_dictionaries().combine_chunks()
    if hasattr(by, "dictionary") and hasattr(by, "indices"):  # an Arrow dictionary array
        keys = [*map(canonical, by.dictionary.to_pylist()), None]
        indices = by.indices.cast("int64")  # which the row of the nulls fits in
        if indices.null_count:
            indices = indices.fill_null(len(keys) - 1)
        return used(np.from_dlpack(indices), keys)  # asarray imports pandas for this, if it is there
    if hasattr(by, "cat") and hasattr(by.cat, "categories"):  # a pandas Series of categories
        by = by.cat
    if hasattr(by, "categories") and hasattr(by, "codes"):
        codes = np.asarray(by.codes, np.int64)
        keys = [*map(canonical, by.categories.tolist()), None]
        return used(np.where(codes < 0, len(keys) - 1, codes), keys)
    if getattr(by, "ndim", 1) == 2 and hasattr(by, "columns"):  # a frame, whose columns may be of several types
        return beside([read_keys(column) for _, column in columns_of(by)], len(by))
    if not isinstance(by, list | tuple | np.ndarray) and count_nulls(by):
        return read_around_nulls(by)
    if isinstance(by, list | tuple):
        entries, shape = unnest(by)
        array = read_uniform(entries)
        if array is None:
            return numbered(entries, shape)
        array = array.reshape(shape + array.shape[1:])
    else:
        array = read_array(by)
    if array.dtype.kind in "bui" and array.size:
        least, most = int(array.min()), int(array.max())
        if most - least <= 4 * array.size:
            return counted(array, least, most)
    if array.dtype.kind in "biufSUMm":
        unique, codes = np.unique(array, return_inverse=True)
        keys = list(unique) if array.dtype.kind in "Mm" else unique.tolist()
        if array.dtype.kind in "fMm":
            keys = [canonical(key) for key in keys]
        return codes.reshape(array.shape), keys
    return numbered(array.astype(object).reshape(-1).tolist(), array.shape)


def read_around_nulls(by: Any) -> tuple[np.ndarray, list[Hashable]]:
    """Read a column of pandas, polars or pyarrow that has nulls, which NumPy would turn into a NaN among floats."""
    missing = np.asarray(by.is_null() if hasattr(by, "is_null") else by.isna(), bool)
    drop = next(getattr(by, name) for name in ("drop_null", "drop_nulls", "dropna") if hasattr(by, name))
    present, keys = read_keys(drop())
    codes = np.full(missing.shape, len(keys), np.int64)
    codes[~missing] = present
    return codes, [*keys, None]


def beside(columns: Sequence[tuple[np.ndarray, list[Hashable]]], n: int) -> tuple[np.ndarray, list[Hashable]]:
    """Put columns of keys side by side: one key an element, of shape (n, columns)."""
    found: dict[Hashable, int] = {}
    codes = np.empty((n, len(columns)), np.int64)
    for k, (column, keys) in enumerate(columns):
        rows = np.array([found.setdefault(key, len(found)) for key in keys], np.int64)
        codes[:, k] = rows[column] if len(keys) else 0
    return codes, list(found)


def join(columns: Sequence[Keys]) -> Keys:
    """Return keys of several parts, a tuple for each combination that occurs."""
    codes = np.stack([column.codes for column in columns], axis=1)
    unique, joined = np.unique(codes, axis=0, return_inverse=True)
    keys = [tuple(column.keys[code] for column, code in zip(columns, row, strict=True)) for row in unique.tolist()]
    return Keys(joined.reshape(-1).astype(np.int64), list(keys))


def read_array(by: Any) -> np.ndarray:
    try:
        return np.asarray(by)
    except ValueError as error:
        raise ShapeError(f"by cannot be read as an array: {error}") from error
    except (TypeError, RuntimeError, BufferError) as error:
        raise DTypeError(f"by of type {type(by).__name__} cannot be read as an array: {error}") from error


def unnest(by: Sequence[Any]) -> tuple[Sequence[Any], tuple[int, ...]]:
    """Return the entries of lists in lists, and the shape of the lists; a tuple in a list is an entry, a key."""
    entries: Sequence[Any] = by
    shape: tuple[int, ...] = (len(by),)
    while entries and all(map(is_row, entries)):
        if all(isinstance(row, np.ndarray) and row.dtype == entries[0].dtype for row in entries):
            break  # NumPy stacks them
        lengths = sorted(set(map(len, entries)))
        if len(lengths) > 1:
            raise ShapeError(
                f"by has rows of {lengths[0]} and of {lengths[-1]} keys; expected one key a sample, or as many in "
                f"every row; a key of several parts is a tuple"
            )
        entries, shape = list(chain.from_iterable(entries)), (*shape, *lengths)
    return entries, shape


def is_row(entry: Any) -> bool:
    if isinstance(entry, list):
        return True
    refuse_masked("by", entry)
    return isinstance(entry, np.ndarray) and entry.ndim > 0


def read_uniform(entries: Sequence[Any]) -> np.ndarray | None:
    """Return the entries of a list as an array, or None where NumPy would make another key of one of them."""
    kind = type(entries[0]) if entries else int
    if kind is int or kind is bool:
        with suppress(ValueError, TypeError):
            array = np.asarray(entries)
            if array.dtype.kind in "biu":
                return array
    elif hasattr(kind, "__array__") and set(map(type, entries)) == {kind}:
        return read_array(entries)
    return None


def numbered(entries: Sequence[Any], shape: tuple[int, ...]) -> tuple[np.ndarray, list[Hashable]]:
    """Return rows and keys of Python objects: what a dict holds for one key is one key."""
    found: defaultdict[Any, int] = defaultdict(count().__next__)
    try:
        codes = np.fromiter(map(found.__getitem__, entries), np.int64, len(entries))
    except TypeError as error:
        raise TypeError(
            f"{first_unhashable(entries, shape)} cannot be a key: {error}; expected integers, strings, dates or other "
            f"hashable objects, such as tuples for keys of several parts"
        ) from error
    keys: dict[Hashable, int] = {}
    rows = [keys.setdefault(canonical(entry), len(keys)) for entry in found]
    if len(keys) < len(rows):  # several NaN
        codes = np.array(rows, np.int64)[codes]
    return codes.reshape(shape), list(keys)


def first_unhashable(entries: Sequence[Any], shape: tuple[int, ...]) -> str:
    for position, entry in enumerate(entries):
        try:
            hash(entry)
        except TypeError:
            index = ", ".join(str(int(k)) for k in np.unravel_index(position, shape))
            return f"by[{index}]" if index else "by"
    return "an entry of by"


def canonical(key: Any) -> Hashable:
    """Return None for every missing key, be it NaN, NaT or NA: unequal to itself, each would make its own group."""
    if isinstance(key, float | np.floating):
        return None if math.isnan(key) else key
    if isinstance(key, np.datetime64 | np.timedelta64):
        return None if np.isnat(key) else key
    if type(key).__name__ in MISSING:
        return None
    return tuple(map(canonical, key)) if type(key) is tuple else key


def counted(array: np.ndarray, least: int, most: int) -> tuple[np.ndarray, list[Hashable]]:
    """Return rows and keys of integers of a small range, in time proportional to their number."""
    if array.dtype.kind == "u":  # beyond int64, perhaps, but never below the least
        offsets = (array - array.dtype.type(least)).astype(np.int64)
    else:  # the range may be wider than the type
        offsets = array.astype(np.int64, copy=False) - least
    present = np.zeros(most - least + 1, bool)
    present[offsets] = True
    position = np.cumsum(present) - 1
    kind = bool if array.dtype.kind == "b" else int
    return position[offsets], [kind(offset + least) for offset in np.flatnonzero(present).tolist()]


def used(codes: np.ndarray, keys: list[Hashable]) -> tuple[np.ndarray, list[Hashable]]:
    """Leave out the keys that no entry has: a category without samples is no group."""
    present = np.bincount(codes.reshape(-1), minlength=len(keys)) > 0
    return (np.cumsum(present) - 1)[codes], [key for key, there in zip(keys, present, strict=True) if there]
