"""Rows in memory: how arrays of any layout reach drivers that go through one contiguous row after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["as_output_rows", "as_rows", "lies_in_rows", "slabs"]

SLAB = 1 << 20  #: elements that are converted at a time


def slabs(array: np.ndarray, converted: bool) -> list[slice]:
    """Return the parts of the first axis to compute one after the other.

    That is everything at once, or where arrays have to be converted so few rows that the copies stay small.
    """
    if not converted or array.size <= SLAB or array.ndim < 2:
        return [slice(None)]
    step = max(1, SLAB * len(array) // array.size)
    return [slice(start, start + step) for start in range(0, len(array), step)]


def lies_in_rows(array: np.ndarray, dtype: np.dtype[Any]) -> bool:
    """True if the kernels can take the array as it is: its type, and rows whose components lie in one piece."""
    in_rows = array.ndim == 2 and (array.shape[1] <= 1 or array.strides[1] == array.itemsize)
    return array.dtype == dtype and array.flags.aligned and (in_rows or array.flags.c_contiguous)


def as_rows(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Return an input as rows, in the memory it has if that is possible."""
    if not lies_in_rows(array, dtype):
        array = np.ascontiguousarray(array, dtype)
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def as_output_rows(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Return rows to write a gradient into: the memory of the array itself if the kernels can write it."""
    if not lies_in_rows(array, dtype):
        array = np.empty(array.shape, dtype)
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])
