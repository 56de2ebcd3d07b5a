"""How the items of lists lie in arrays: along the last axis, or one after the other with groups.

`read_grouping` finds for every way the same thing: the items list after list, and where each list begins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import fit_sample_weight
from losslib.errors import DomainError, ParameterError, ShapeError

__all__ = ["Grouping", "read_grouping", "split_weight"]

#: From here on whole numbers are too large to be told apart in float64.
LARGEST_ID = 2.0**53

NOT_IDS = "group_ids are told by numbers; use numpy.unique(group_ids, return_inverse=True)[1]"


@dataclass
class Grouping:
    """The items that count, list after list."""

    #: The shape of unreduced values: one for each list.
    shape: tuple[int, ...]
    #: Where each list begins among the items that count, and where the last ends.
    offsets: np.ndarray
    #: Positions of these items in the flat input; None if they are all items in their order.
    places: np.ndarray | None

    @property
    def sizes(self) -> np.ndarray:
        sizes: np.ndarray = self.offsets[1:] - self.offsets[:-1]  # np.diff takes ten times as long for a few lists
        return sizes

    def gather(self, array: np.ndarray) -> np.ndarray:
        """Return one number for each item that counts, in float64."""
        flat = array.reshape(-1)
        return np.ascontiguousarray(flat if self.places is None else flat[self.places], np.float64)

    def scatter(self, found: np.ndarray, target: np.ndarray) -> None:
        """Write one number for each item that counts to its position, 0 to all others."""
        if self.places is None:
            np.copyto(target, found.reshape(target.shape), casting="same_kind")
            return
        full = np.zeros(target.shape)
        full.reshape(-1)[self.places] = found
        np.copyto(target, full, casting="same_kind")

    def list_of_items(self) -> np.ndarray:
        """Return for each item that counts the number of its list."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.sizes)


def read_grouping(name: str, scores: np.ndarray, values: Mapping[str, Any], mask: np.ndarray | None) -> Grouping:
    """Find the lists of a call from the shape of its scores and from ``group_ids`` or ``group_sizes``."""
    ids, sizes = values.get("group_ids"), values.get("group_sizes")
    if scores.ndim == 0:
        raise ShapeError(f"{name} is a number; expected the items of a list (N,), or lists along the last axis (…, I)")
    if ids is None and sizes is None:
        lists, length = scores.shape[:-1], scores.shape[-1]
        count = math.prod(lists)
        grouping = Grouping(lists, np.arange(count + 1, dtype=np.int64) * length, None)
        return grouping if mask is None else leave_out(grouping, mask)
    if ids is not None and sizes is not None:
        raise ParameterError("group_ids and group_sizes both say what the lists are; pass one of them")
    given = "group_sizes" if ids is None else "group_ids"
    if scores.ndim != 1:
        raise ShapeError(
            f"{name} has shape {scores.shape}, expected (N,) with {given}; lists along the last axis need no groups"
        )
    grouping = from_sizes(name, scores.size, sizes) if ids is None else from_ids(name, scores.size, ids)
    return grouping if mask is None else leave_out(grouping, mask)


def from_sizes(name: str, items: int, sizes: Any) -> Grouping:
    """Lists of neighbouring items; their number is a matter of memory safety."""
    sizes = np.array(sizes, np.float64)  # a copy, which no other thread can change between the check and the use
    if sizes.ndim != 1:
        raise ShapeError(f"group_sizes has shape {sizes.shape}, expected one number of items for each list: (lists,)")
    bad = ~((sizes >= 0) & (sizes == np.floor(sizes)) & (sizes < LARGEST_ID))
    if bad.any():
        place, value = arrays.first(bad, sizes)
        raise DomainError(f"group_sizes{place} is {value:g}, expected the number of items of a list")
    if sizes.sum() != items:
        raise ShapeError(f"group_sizes add up to {sizes.sum():g}, but {name} has {items} items")
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes.astype(np.int64), out=offsets[1:])
    return Grouping((len(sizes),), offsets, None)


def from_ids(name: str, items: int, ids: Any) -> Grouping:
    """Items with the same number are a list, wherever they stand; lists come in the order of their first items."""
    ids = np.asarray(ids, np.float64)
    if ids.shape != (items,):
        raise ShapeError(f"group_ids has shape {ids.shape}, expected ({items},): the list of each item of {name}")
    bad = ~(np.abs(ids) < LARGEST_ID)
    if bad.any():
        place, value = arrays.first(bad, ids)
        raise DomainError(f"group_ids{place} is {value:g}; {NOT_IDS}")
    begins = np.flatnonzero(np.diff(ids, prepend=np.nan) != 0)  # NaN differs from everything
    runs = ids[begins]
    unique, first, inverse = np.unique(runs, return_index=True, return_inverse=True)
    lengths = np.diff(np.append(begins, items))
    if len(unique) == len(runs):
        return Grouping((len(runs),), np.append(begins, items).astype(np.int64), None)
    number = np.empty(len(unique), np.int64)  # of each list, by its first item
    number[np.argsort(first)] = np.arange(len(unique))
    of_items = np.repeat(number[inverse], lengths)
    offsets = np.zeros(len(unique) + 1, np.int64)
    np.cumsum(np.bincount(of_items, minlength=len(unique)), out=offsets[1:])
    return Grouping((len(unique),), offsets, np.argsort(of_items, kind="stable"))


def leave_out(grouping: Grouping, mask: np.ndarray) -> Grouping:
    """Keep the items that a mask of the input keeps; a list may become empty."""
    flat = np.ascontiguousarray(mask).reshape(-1)
    if flat.all():
        return grouping
    kept = flat if grouping.places is None else flat[grouping.places]
    places = np.flatnonzero(flat) if grouping.places is None else grouping.places[kept]
    passed = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(kept, out=passed[1:])
    return Grouping(grouping.shape, passed[grouping.offsets], places)


def split_weight(
    options: dict[str, Any], scores: np.ndarray, grouping: Grouping
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Take ``sample_weight`` out of the options; return it as (one weight for each list, one for each item)."""
    given = options.pop("sample_weight", None)
    if given is None:
        return None, None
    weight = arrays.read_array("sample_weight", given)
    if weight.ndim == 0 or weight.shape == grouping.shape:
        return fit_sample_weight(weight, grouping.shape), None
    if weight.shape == scores.shape:
        return None, grouping.gather(weight)
    if weight.shape == (*grouping.shape, 1):
        return weight.reshape(grouping.shape), None
    raise ShapeError(
        f"sample_weight has shape {weight.shape}; expected {grouping.shape} for one weight a list, or {scores.shape} "
        f"for one an item"
    )
