"""Metrics of ranked lists without a gradient: NDCG and the mean average precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.declaration.schema import Choice, Integer, Real
from losslib.errors import DomainError, ShapeError
from losslib.geometries.grouping import Grouping, read_grouping, split_weight
from losslib.geometries.lists import add_by_list, read_mask
from losslib.geometries.ranking import look_up, require_finite_gains

__all__ = ["mean_average_precision", "ndcg"]

TOPN = Integer("topn", None, "", least=1, optional=True)
GAIN = Choice("gain", "exp2", "", choices=("exp2", "linear"))
EMPTY = Real("empty", None, "", optional=True)


def ndcg(
    input: Any,
    target: Any,
    *,
    topn: int | None = None,
    gain: str = "exp2",
    label_gain: Any = None,
    empty: float | None = None,
    group_ids: Any = None,
    group_sizes: Any = None,
    sample_weight: Any = None,
    where: Any = None,
) -> float:
    """Return the mean NDCG of lists: the discounted gains in the order of the scores over those in the best order.

    Parameters
    ----------
    input : array_like
        Score of each item, larger for a better rank: lists along the last axis, or (N,) with groups.
    target : array_like
        Label of each item, larger for a better item.
    topn : int, optional
        Ranks that count; None for all.
    gain : {"exp2", "linear"}, default "exp2"
        What a label is worth: 2**y - 1, of labels up to 1000, or y.
    label_gain : array_like, optional
        The gains of the labels 0, 1, ... as a table, in place of `gain`.
    empty : float, optional
        What a list without any gain counts as. None leaves it out; LightGBM and XGBoost take 1.
    group_ids : array_like, optional
        The list that each of N items belongs to, in any order.
    group_sizes : array_like, optional
        Numbers of items of lists that lie one after the other.
    sample_weight : array_like, optional
        One weight for each list.
    where : array_like of bool, optional
        Items to count.

    Returns
    -------
    float
        At most 1; NaN if no list counts.

    Raises
    ------
    ShapeError, DTypeError
        If arguments do not fit together.
    DomainError
        If a score or label is NaN, a gain too large, or a weight negative or NaN.
    ParameterError
        If another argument is of the wrong kind.

    See Also
    --------
    approx_ndcg_loss : With a gradient.
    lambdarank_loss : Pairs weighted by what they mean for it.

    Notes
    -----
    Ranks are told by falling score; equal scores keep their order, as in boosters. scikit-learn's ``ndcg_score``
    averages over the orders of equal scores, and has linear gains.

    Examples
    --------
    >>> import losslib
    >>> round(losslib.ndcg([0.1, 0.9, 0.5], [2, 1, 0]), 6)
    0.688529
    """
    number, gain = EMPTY.check(empty), GAIN.check(gain)
    table = None if label_gain is None else arrays.read_array("label_gain", label_gain)
    read = Ranked("ndcg", input, target, topn, group_ids, group_sizes, sample_weight, where)
    require_finite_gains("ndcg", "target", read.label, gain, table)
    if table is not None:
        worth = look_up(table.astype(np.float64), read.label, "target")
    else:
        worth = np.exp2(read.label) - 1.0 if gain == "exp2" else read.label
    found, ideal = (read.discounted(worth, by) for by in (read.score, worth))
    return read.mean(found, ideal, number)


def mean_average_precision(
    input: Any,
    target: Any,
    *,
    topn: int | None = None,
    empty: float | None = None,
    group_ids: Any = None,
    group_sizes: Any = None,
    sample_weight: Any = None,
    where: Any = None,
) -> float:
    """Return the mean over lists of the average precision at the ranks of the relevant items.

    Parameters
    ----------
    input : array_like
        Score of each item, larger for a better rank: lists along the last axis, or (N,) with groups.
    target : array_like
        Label of each item; relevant are those above 0.
    topn : int, optional
        Ranks that count; None for all. The precisions at relevant items among them are divided by the number of
        relevant items, at most `topn`, as LightGBM does.
    empty : float, optional
        What a list without a relevant item counts as. None leaves it out; LightGBM and XGBoost take 1.
    group_ids : array_like, optional
        The list that each of N items belongs to, in any order.
    group_sizes : array_like, optional
        Numbers of items of lists that lie one after the other.
    sample_weight : array_like, optional
        One weight for each list.
    where : array_like of bool, optional
        Items to count.

    Returns
    -------
    float
        From 0 to 1; NaN if no list counts.

    Raises
    ------
    ShapeError, DTypeError
        If arguments do not fit together.
    DomainError
        If a score or label is NaN, or a weight negative or NaN.
    ParameterError
        If another argument is of the wrong kind.

    See Also
    --------
    lambdarank_loss : With ``metric="map"`` pairs are weighted by what they mean for it.

    Examples
    --------
    The relevant items have the ranks 1 and 3:

    >>> import losslib
    >>> round(losslib.mean_average_precision([0.9, 0.5, 0.1], [1, 0, 1]), 6)
    0.833333
    """
    number_of_empty = EMPTY.check(empty)
    read = Ranked("mean_average_precision", input, target, topn, group_ids, group_sizes, sample_weight, where)
    order, rank = read.ranked(read.score)
    hits = read.label[order] > 0
    before = np.cumsum(hits) - hits
    first = np.minimum(read.grouping.offsets[:-1], max(len(before) - 1, 0))
    passed = before[first] if len(before) else np.zeros(len(first))
    number = np.cumsum(hits) - np.repeat(passed, read.grouping.sizes)
    counted = hits & (rank < read.topn)
    found = add_by_list(np.where(counted, number / (1.0 + rank), 0.0), read.grouping)
    relevant = add_by_list(hits.astype(np.float64), read.grouping)
    return read.mean(found, np.minimum(relevant, float(read.topn)), number_of_empty)


class Ranked:
    """Scores and labels of lists, as a metric has read them."""

    def __init__(
        self,
        name: str,
        input: Any,
        target: Any,
        topn: int | None,
        group_ids: Any,
        group_sizes: Any,
        sample_weight: Any,
        where: Any,
    ) -> None:
        first = TOPN.check(topn)
        scores, labels = arrays.read_array("input", input), arrays.read_array("target", target)
        arrays.require_same_shape("target", labels, "input", scores)
        options = {"where": where, "sample_weight": sample_weight}
        groups: Mapping[str, Any] = {
            key: None if obj is None else arrays.read_array(key, obj)
            for key, obj in (("group_ids", group_ids), ("group_sizes", group_sizes))
        }
        self.grouping: Grouping = read_grouping("input", scores, groups, read_mask(options, scores))
        self.topn = first or 1 << 62
        self.score, self.label = self.grouping.gather(scores), self.grouping.gather(labels)
        for key, numbers in (("input", self.score), ("target", self.label)):
            if np.isnan(numbers).any():
                raise DomainError(f"{key} holds NaN; {name} takes numbers that can be sorted")
        if sample_weight is not None:
            arrays.require_weights(name, arrays.read_array("sample_weight", sample_weight))
        self.weight, per_item = split_weight(options, scores, self.grouping)
        if per_item is not None and scores.ndim == 1 and self.grouping.shape == ():
            raise ShapeError(f"sample_weight of {name} is one for each list, got one for each item of a single list")
        if per_item is not None:
            self.weight = add_by_list(per_item, self.grouping) / np.maximum(self.grouping.sizes, 1)

    def ranked(self, by: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the items list after list by falling numbers, equal ones in their order, and the ranks from 0."""
        order = np.lexsort((-by, self.grouping.list_of_items()))
        return order, np.arange(len(by)) - np.repeat(self.grouping.offsets[:-1], self.grouping.sizes)

    def discounted(self, worth: np.ndarray, by: np.ndarray) -> np.ndarray:
        """Return for each list the sum of what its first items are worth, over log2 of 1 more than their ranks."""
        order, rank = self.ranked(by)
        return add_by_list(np.where(rank < self.topn, worth[order] / np.log2(2.0 + rank), 0.0), self.grouping)

    def mean(self, found: np.ndarray, best: np.ndarray, empty: float | None) -> float:
        """Return the weighted mean of shares; lists whose best is 0 count as `empty`, or not at all."""
        weight = np.ones(len(found)) if self.weight is None else self.weight.reshape(-1).astype(np.float64)
        counts = (best != 0) if empty is None else np.ones(len(found), bool)
        share = np.divide(found, best, out=np.full(len(found), 0.0 if empty is None else empty), where=best != 0)
        total = float(weight[counts].sum())
        return float((weight * share)[counts].sum() / total) if total > 0 else float("nan")
