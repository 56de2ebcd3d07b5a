"""The geometry of lists: the items of a list are compared with each other, by labels, by pairs or by ranks.

Lists are the last axis of an array, or groups of a long one (`losslib.geometries.grouping`). What a mask leaves out is
taken out here, so that ``pyx/lists`` sees lists of items that all count, one after the other, in float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import Samples, read_where
from losslib.declaration.schema import BINARY, LossInfo
from losslib.errors import DomainError, ShapeError
from losslib.geometries.base import Geometry, Reading, Work
from losslib.geometries.censoring import Deliveries, input_in_float64
from losslib.geometries.grouping import Grouping, read_grouping, split_weight
from losslib.geometries.pair_lists import GivenPairs, read_pairs, run_pairs
from losslib.geometries.ranking import Plan, gains_of, plan_of
from losslib.geometries.roots import compute_root

__all__ = ["geometry"]

#: What a mask of these losses is.
ITEMS = "a mask of the items, broadcasting to the shape of the input, or of the lists"

#: Items of a list that is drawn.
DRAWN = 10


@dataclass(kw_only=True)
class Lists(Reading):
    """Scores, and what is known of the items that count, list after list."""

    grouping: Grouping
    plan: Plan
    label: np.ndarray
    item_weight: np.ndarray | None
    gamma: np.ndarray | None
    pairs: GivenPairs | None


class OfLists(Geometry):
    kernels = "lists"
    nothing_is_zero = True
    uncut = "items that are compared with the others of their list"

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Lists:
        name = info.inputs[0].name
        scores = arrays.read_array(name, raw[0])
        mask = read_mask(options, scores)
        grouping = read_grouping(name, scores, values, mask)
        per_list, per_item = split_weight(options, scores, grouping)
        pairs = read_pairs(info, values, scores, grouping, mask)
        label = np.zeros(grouping.offsets[-1])
        if pairs is None:
            label = grouping.gather(read_labels(info, raw[1], scores))
        plan = plan_of(info, values)
        if per_list is not None and plan.balances_weights:
            per_list = per_list * ratio_or_one(per_list.size, float(per_list.sum()))
        if per_list is not None:
            options["sample_weight"] = per_list
        reading = Lists(
            given=[scores],
            shape=grouping.shape,
            dtype=scores.dtype,
            grouping=grouping,
            plan=plan,
            label=label,
            item_weight=per_item,
            gamma=read_gamma(values, scores, grouping),
            pairs=pairs,
        )
        self.count(info, values, reading, per_list)
        reading.empty_is_zero = scores.size > 0 and reading.empty_is_zero
        return reading

    def count(self, info: LossInfo, values: Mapping[str, Any], reading: Lists, per_list: np.ndarray | None) -> None:
        """Say which lists count, and what each adds to the denominator."""
        sizes, plan, reduction = reading.grouping.sizes, reading.plan, str(values["reduction"])
        of_weights = reduction == "weighted_mean"
        weight = reading.item_weight if of_weights else None
        if plan.counts == "lists":
            counts = (sizes > 0).astype(np.float64)
        elif plan.counts == "lists with gains":
            worth = gains_of(info, values, reading.label, None)
            assert worth is not None
            counts = np.minimum(add_by_list((worth != 0).astype(np.float64), reading.grouping), 1.0)
        elif plan.counts == "weights":
            counts = add_by_list(reading.item_weight, reading.grouping)
        elif plan.counts == "all pairs":
            counts = sizes * add_by_list(weight, reading.grouping)
        elif reading.pairs is not None:
            counts = reading.pairs.count(len(sizes), of_weights)
        elif reduction in ("mean", "weighted_mean"):
            counts = self.count_pairs(reading, weight)
        else:
            return
        reading.counted = (counts != 0).reshape(reading.shape)
        if plan.counts in ("pairs", "all pairs", "weights"):
            reading.kernel_weight, reading.divides_by_weight = counts.reshape(reading.shape), True
        if per_list is not None and of_weights:
            counts = counts * per_list.reshape(-1)
        reading.empty_is_zero = not counts.any()

    def count_pairs(self, reading: Lists, weight: np.ndarray | None) -> np.ndarray:
        """Return for each list its pairs of different labels, weighted by their preferred items if these are."""
        found = np.empty(len(reading.grouping.sizes))
        self.driver.lists(
            "count", reading.label, reading.label, None, weight, reading.grouping.offsets, factor=None, values=found
        )
        return found

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, Lists)
        if not values["check"] or reading.pairs is not None:
            return
        target, label, grouping = info.inputs[1], reading.label, reading.grouping
        domain = BINARY if reading.plan.binary else target.domain
        bad = np.isnan(label)
        if domain.code:
            bad |= ~domain.contains(label)
        if bad.any():
            at = int(np.argmax(bad))
            place = arrays.at(at if grouping.places is None else int(grouping.places[at]), reading.given[0].shape)
            expected = domain.meaning if domain.code else "numbers that can be sorted"
            raise DomainError(
                f"{target.name}{place} is {label[at]:g}, outside the domain of {info.name}: {target.name} must hold "
                f"{expected}; check=False computes the formula regardless"
            )

    def compute(self, info: LossInfo, values: Mapping[str, Any], reading: Reading, samples: Samples, work: Work) -> Any:
        assert isinstance(reading, Lists)
        if not values.get("root", False):
            return super().compute(info, values, reading, samples, work)
        grouping = reading.grouping
        scores = grouping.gather(input_in_float64(reading.given[0], work.shares))
        ones, counted = np.ones(len(grouping.sizes)), add_by_list(reading.item_weight, grouping)

        def squares(sums: np.ndarray, grad: np.ndarray | None, hess: np.ndarray | None) -> None:
            self.run_lists(info, values, reading, scores, ones, sums, grad, hess)

        return compute_root(squares, grouping, counted, samples, work)

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Lists,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        grouping, factor = reading.grouping, samples.factor_per_sample()
        flat = found.reshape(-1)
        scores = grouping.gather(input_in_float64(reading.given[0], work.shares))
        if grouping.places is None and not work.shares:
            outputs = Deliveries(work)
            grad, hess = (outputs.array(0, order) for order in (1, 2))
            grad, hess = (None if part is None else part.reshape(-1) for part in (grad, hess))
        else:
            outputs = None
            wanted = [item.order for item in work.derivatives]
            grad, hess = (np.empty(len(scores)) if order in wanted else None for order in (1, 2))
        if reading.pairs is not None:
            run_pairs(self.driver, reading.plan, reading.pairs, scores, factor, flat, grad, hess)
        else:
            self.run_lists(info, values, reading, scores, factor, flat, grad, hess)
        if outputs is not None:
            outputs.finish()
            return
        for item in work.derivatives:
            grouping.scatter(grad if item.order == 1 else hess, item.array)  # type: ignore[arg-type]

    def run_lists(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Lists,
        scores: np.ndarray,
        factor: np.ndarray,
        found: np.ndarray,
        grad: np.ndarray | None,
        hess: np.ndarray | None,
    ) -> None:
        plan, offsets = reading.plan, reading.grouping.offsets
        scale = None
        if plan.averages_pairs:
            counts = self.count_pairs(reading, None)
            scale = np.divide(1.0, counts, out=np.zeros_like(counts), where=counts > 0)
            factor = factor * scale
        gain = gains_of(info, values, reading.label, reading.gamma)

        def call(x: np.ndarray, y: np.ndarray, gain: np.ndarray | None, *targets: np.ndarray | None) -> None:
            self.driver.lists(
                plan.kind,
                x,
                y,
                gain,
                reading.item_weight,
                offsets,
                factor=factor,
                values=targets[0],
                grad=targets[1],
                hess=targets[2],
                **plan.options,
            )

        call(scores, reading.label, gain, found, grad, hess)
        if plan.symmetric:
            mirrored = turn_labels(reading.label, reading.grouping)
            others = [None if part is None else np.empty_like(part) for part in (found, grad, hess)]
            call(-scores, mirrored, gains_of(info, values, mirrored, None), *others)
            for part, other, sign in zip((found, grad, hess), others, (1.0, -1.0, 1.0), strict=True):
                if part is not None and other is not None:
                    part += sign * other
                    part *= 0.5
        if scale is not None:
            found *= scale

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        given = any(values.get(name) is not None for name in ("group_ids", "group_sizes", "pairs", "gamma"))
        return () if given or self.meets_all(info, values) else tuple(range(ndim - 1))

    def meets_all(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        return bool(values.get("root", False)) and values["reduction"] in ("mean", "weighted_mean")

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return tuple(range(ndim - 1))

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        shape = (max(1, elements // DRAWN), DRAWN)
        most = 2 if plan_of(info, values).binary else 4
        return [rng.standard_normal(shape), rng.integers(0, most, shape).astype(np.float64)]


def read_mask(options: dict[str, Any], scores: np.ndarray) -> np.ndarray | None:
    """Take ``where`` out of the options: one for each item, or one for each list along the last axis."""
    where = options.get("where")
    if where is not None and scores.ndim > 1 and np.shape(where) == scores.shape[:-1]:
        options["where"] = arrays.read_mask(where)[..., np.newaxis]
    return read_where(options, scores.shape, ITEMS)


def read_labels(info: LossInfo, obj: Any, scores: np.ndarray) -> np.ndarray:
    """Read the labels as a contiguous float64 copy of the shape of the scores."""
    name, first = info.inputs[1].name, info.inputs[0].name
    label = arrays.read_array(name, obj)
    arrays.require_same_shape(name, label, first, scores)
    return np.array(label, np.float64, order="C")


def read_gamma(values: Mapping[str, Any], scores: np.ndarray, grouping: Grouping) -> np.ndarray | None:
    """Read what xe_ndcg_loss takes off the gain of each item."""
    gamma = values.get("gamma")
    if gamma is None:
        return None
    gamma = np.asarray(gamma, np.float64)
    if gamma.ndim and gamma.shape != scores.shape:
        raise ShapeError(f"gamma has shape {gamma.shape}, expected {scores.shape}, one number for each item")
    if values["check"]:
        bad = ~((gamma >= 0) & (gamma < 1))
        if bad.any():
            place, value = arrays.first(bad, gamma)
            raise DomainError(f"gamma{place} is {value:g}, expected numbers in [0, 1)")
    return grouping.gather(np.array(np.broadcast_to(gamma, scores.shape)))


def add_by_list(weight: np.ndarray | None, grouping: Grouping) -> np.ndarray:
    """Return the sum of a number of each item over each list, the number of items for None."""
    if weight is None:
        return grouping.sizes.astype(np.float64)
    return np.bincount(grouping.list_of_items(), weight, len(grouping.sizes))


def turn_labels(label: np.ndarray, grouping: Grouping) -> np.ndarray:
    """Return the largest label of each list less the label."""
    filled = grouping.sizes > 0
    largest = np.maximum.reduceat(label, grouping.offsets[:-1][filled]) if filled.any() else label[:0]
    return np.asarray(np.repeat(largest, grouping.sizes[filled]) - label)


def ratio_or_one(count: int, total: float) -> float:
    return count / total if total > 0 else 1.0


geometry = OfLists()
