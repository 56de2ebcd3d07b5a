"""Group keys of any kind, turned into row numbers.

Arrow dictionaries and pandas categories bring their rows along; integers of a small range are counted; other arrays are
sorted, and Python objects go through a dict.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np

__all__ = ["read_keys"]


def read_keys(by: Any) -> tuple[np.ndarray, list[Hashable]]:
    """Return for each entry of `by` the position of its key, and the keys; a missing key is None."""
    if hasattr(by, "dictionary") and hasattr(by, "indices"):  # an Arrow dictionary array
        indices, keys = by.indices, [*by.dictionary.to_pylist(), None]
        if indices.null_count:
            indices = indices.fill_null(len(keys) - 1)
        return used(np.from_dlpack(indices).astype(np.int64), keys)  # asarray imports pandas for this, if it is there
    if hasattr(by, "cat") and hasattr(by.cat, "categories"):  # a pandas Series of categories
        by = by.cat
    if hasattr(by, "categories") and hasattr(by, "codes"):
        codes = np.asarray(by.codes, np.int64)
        keys = [*by.categories.tolist(), None]
        return used(np.where(codes < 0, len(keys) - 1, codes), keys)
    array = np.asarray(by)
    if array.dtype.kind in "bui" and array.size:
        least, most = int(array.min()), int(array.max())
        if most - least <= 4 * array.size:
            return counted(array, least, most)
    if array.dtype.kind in "biufSUMm":
        unique, codes = np.unique(array, return_inverse=True)
        keys = list(unique) if array.dtype.kind in "Mm" else unique.tolist()
        return codes.reshape(array.shape), [canonical(key) for key in keys]
    rows: dict[Hashable, int] = {}
    flat = array.astype(object).reshape(-1).tolist()
    codes = np.fromiter((rows.setdefault(canonical(key), len(rows)) for key in flat), np.int64, len(flat))
    return codes.reshape(array.shape), list(rows)


def canonical(key: Any) -> Hashable:
    """Return one and the same NaN for every NaN: unequal to itself, it would make a group of its own each time."""
    return math.nan if isinstance(key, float) and math.isnan(key) else key


def counted(array: np.ndarray, least: int, most: int) -> tuple[np.ndarray, list[Hashable]]:
    """Return rows and keys of integers of a small range, in time proportional to their number."""
    if array.dtype.kind == "b":
        offsets = array.astype(np.int64) - least
    else:
        offsets = (array - array.dtype.type(least)).astype(np.int64)
    present = np.zeros(most - least + 1, bool)
    present[offsets] = True
    position = np.cumsum(present) - 1
    found = (np.flatnonzero(present) + least).tolist()
    kind = bool if array.dtype.kind == "b" else int
    return position[offsets], [kind(key) for key in found]


def used(codes: np.ndarray, keys: list[Hashable]) -> tuple[np.ndarray, list[Hashable]]:
    """Leave out the keys that no entry has: a category without samples is no group."""
    present = np.bincount(codes, minlength=len(keys)) > 0
    return (np.cumsum(present) - 1)[codes], [key for key, there in zip(keys, present, strict=True) if there]
