"""What should not be passed to a loss, and some things that may be, though nobody expects them."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

#: Numbers at the edges of the types; a NaN with a payload, subnormals, the largest and the smallest.
SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 5e-324, 1e-310, 1e-40, 1e308, -1e308, 3.4e38, 65504.0, 2**53, 0.5]
)
PAYLOAD = np.array([0x7FF8DEADBEEF0001, 0xFFF0000000000001], np.uint64).view(np.float64)

#: Class indices that are none.
INDICES = (
    -1, -2, -100, -101, 7, 40, 2**15, 2**31 - 1, 2**31, 2**32, 2**32 + 1, 2**62, 2**63 - 1, -(2**31), -(2**63),
)  # fmt: skip

#: Objects that are no array and no number.
THINGS: tuple[Any, ...] = (
    None, "", "abc", b"\x00\xff", {}, {"a": 1}, {1, 2}, (), [], [[1.0], [1.0, 2.0]], [None, 1.0], ["a", 1.0], object(),
    Ellipsis, int, len, range(3), slice(3), memoryview(b"abcdefgh"), bytearray(b"12345678"),
    datetime.datetime(2020, 1, 1), 1j, True, 10**400, -(10**400), 2**64, float("nan"), float("inf"), -0.0, 3,
    np.float64(2.0), np.timedelta64(1, "s"), np.datetime64("NaT"), np.str_("x"), np.void(b"abc"),
)  # fmt: skip

#: Types whose elements are no floats.
DTYPES = (
    "O", "c8", "c16", "g", "M8[s]", "m8[s]", "U3", "S3", "V5", "?", "i1", "u1", "i8", "u8", ">i4", ">u8",
    [("x", "f4"), ("y", "i8")],
)  # fmt: skip

#: Values for a parameter, right or wrong.
PARAMETERS: tuple[Any, ...] = (
    *THINGS, 0, 1, -1, 2, 0.0, 1e-300, 1e300, -1e-12, 1.0 + 1e-12, 0.5, 2**63, [0.5], "mean", "sum", "none",
    "batchmean", "weighted_mean", "MEAN", "mean\0", "\udcff", np.zeros(3), np.zeros((0, 2)), np.array("mean"),
    np.array(0.5), np.float32(0.25), np.int64(-(2**63)), ("input",), ("input", "target"), ("input", "input"),
    "input", "target", "weight",
)  # fmt: skip


def with_specials(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the array with some of its floats, or class indices, replaced by numbers of the edges."""
    changed = array.copy()
    if changed.size == 0:
        return changed
    places = rng.random(changed.shape) < 1.5 / changed.size + 0.05
    count = int(places.sum())
    with np.errstate(all="ignore"):
        if changed.dtype.kind in "iu":
            limits = np.iinfo(changed.dtype)
            wanted = [int(np.clip(INDICES[k], limits.min, limits.max)) for k in rng.integers(0, len(INDICES), count)]
            changed[places] = np.array(wanted, changed.dtype)
        else:
            pool = np.concatenate([SPECIAL, PAYLOAD])
            changed[places] = pool[rng.integers(0, len(pool), count)].astype(changed.dtype)
    return changed


def other_shape(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the array with an axis more, an axis less, another length or another order of axes."""
    kind = int(rng.integers(8))
    if kind == 0 or array.ndim == 0:
        return array[np.newaxis]
    if kind == 1:
        return array[..., np.newaxis]
    if kind == 2:
        return array[0] if array.shape[0] else array.reshape(-1)
    if kind == 3:
        return np.concatenate([array, array[:1]])
    if kind == 4:
        return array[:-1]
    if kind == 5:
        return array.T
    if kind == 6:
        return array.reshape(-1)[:0]
    return array.reshape((1,) * 64) if array.size == 1 else array.reshape(-1)


def other_type(array: np.ndarray, rng: np.random.Generator) -> Any:
    """Return an array of the same shape whose elements are something else."""
    dtype = np.dtype(DTYPES[int(rng.integers(len(DTYPES)))])
    with np.errstate(all="ignore"):
        try:
            return array.astype(dtype)
        except (ValueError, TypeError):
            return np.zeros(array.shape, dtype)


def thing(rng: np.random.Generator) -> Any:
    return THINGS[int(rng.integers(len(THINGS)))]


def parameter(rng: np.random.Generator) -> Any:
    return PARAMETERS[int(rng.integers(len(PARAMETERS)))]
