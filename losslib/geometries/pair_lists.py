"""Pairs that are given one by one, in place of labels: who is preferred to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, ShapeError
from losslib.geometries.grouping import Grouping
from losslib.geometries.ranking import Plan

__all__ = ["GivenPairs", "read_pairs", "run_pairs"]


@dataclass
class GivenPairs:
    """Winner and loser among the items that count, the weight of each pair, and the list that it belongs to."""

    winner: np.ndarray
    loser: np.ndarray
    weight: np.ndarray
    of_list: np.ndarray

    def count(self, lists: int, weighted: bool) -> np.ndarray:
        return np.bincount(self.of_list, self.weight if weighted else None, lists).astype(np.float64)


def read_pairs(
    info: LossInfo, values: Mapping[str, Any], scores: np.ndarray, grouping: Grouping, mask: np.ndarray | None
) -> GivenPairs | None:
    """Read ``pairs`` and their weights; a pair with an item that a mask leaves out does not count."""
    pairs, weight = values.get("pairs"), values.get("pairs_weight")
    if pairs is None:
        return None
    if scores.ndim != 1:
        raise ShapeError(f"{info.inputs[0].name} has shape {scores.shape}, expected (N,) with pairs, which name items")
    pairs = np.array(pairs, np.float64)  # a copy, which no other thread can change between the check and the use
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ShapeError(f"pairs has shape {pairs.shape}, expected (P, 2): the winner and the loser of each pair")
    bad = ~((pairs >= 0) & (pairs < scores.size) & (pairs == np.floor(pairs)))
    if bad.any():
        place, value = arrays.first(bad, pairs)
        raise DomainError(f"pairs{place} is {value:g}, expected the position of an item, 0 to {scores.size - 1}")
    weight = np.ones(len(pairs)) if weight is None else np.asarray(weight, np.float64)
    if weight.shape != (len(pairs),):
        raise ShapeError(f"pairs_weight has shape {weight.shape}, expected ({len(pairs)},): one for each pair")
    positions = pairs.astype(np.int64)
    number, of_list = np.full(scores.size, -1), np.zeros(scores.size, np.int64)
    places = np.arange(scores.size) if grouping.places is None else grouping.places
    number[places] = np.arange(len(places))
    of_list[places] = grouping.list_of_items()
    if mask is not None:
        kept = (number[positions] >= 0).all(axis=1)
        positions, weight = positions[kept], weight[kept]
    lists = of_list[positions]
    apart = lists[:, 0] != lists[:, 1]
    if apart.any():
        winner, loser = positions[int(np.argmax(apart))]
        raise DomainError(f"pairs name {winner} and {loser}, items of different lists, which are not compared")
    order = np.ascontiguousarray(number[positions].T, np.int64)
    return GivenPairs(order[0], order[1], np.ascontiguousarray(weight), lists[:, 0])


def run_pairs(
    driver: ModuleType,
    plan: Plan,
    pairs: GivenPairs,
    scores: np.ndarray,
    factor: np.ndarray,
    found: np.ndarray,
    grad: np.ndarray | None,
    hess: np.ndarray | None,
) -> None:
    """Compute the losses of all pairs, and add them up for each list."""
    for target in (grad, hess):
        if target is not None:
            target.fill(0.0)
    each = np.empty(len(pairs.winner))
    driver.explicit_pairs(
        plan.kind,
        scores,
        pairs.winner,
        pairs.loser,
        pairs.weight,
        np.ascontiguousarray(factor[pairs.of_list]),
        sigma=plan.options["sigma"],
        values=each,
        grad=grad,
        hess=hess,
    )
    found[:] = np.bincount(pairs.of_list, each, len(found))
