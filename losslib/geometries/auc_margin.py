"""The geometry of the AUC's margin: items of lists, each compared with the centre of its class, which is learnt.

The items and their lists are those of `losslib.geometries.lists`; a, b and alpha are numbers of all lists, or of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib._kernels.loss import total
from losslib.call import arrays
from losslib.call.samples import Samples
from losslib.declaration.schema import LossInfo
from losslib.errors import ShapeError
from losslib.geometries.base import Work
from losslib.geometries.censoring import input_in_float64
from losslib.geometries.lists import Lists, OfLists, add_by_list

__all__ = ["geometry"]

#: Where the numbers that are learnt stand among the inputs.
CENTERS = slice(2, 5)


@dataclass(kw_only=True)
class Centred(Lists):
    """The items of lists, and a, b, alpha and the share of positives of each list."""

    centers: np.ndarray


class OfMargins(OfLists):
    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Centred:
        lists = super().read(info, values, raw, options)
        shape = lists.shape
        named = list(zip(info.inputs[CENTERS], raw[CENTERS], strict=True))
        numbers = [arrays.read_array(item.name, obj) for item, obj in named]
        columns = [fit_number(item.name, array, shape) for (item, _), array in zip(named, numbers, strict=True)]
        share = np.nan if values["imratio"] is None else values["imratio"]
        columns.append(np.full(math.prod(shape), share))
        known = {name: getattr(lists, name) for name in Lists.__dataclass_fields__}
        known["given"] = [lists.given[0], lists.label, *numbers]
        return Centred(**known, centers=np.ascontiguousarray(np.stack(columns, axis=1)))

    def count(self, info: LossInfo, values: Mapping[str, Any], reading: Lists, per_list: np.ndarray | None) -> None:
        """Lists with both classes count; where the share of positives is told, lists with an item."""
        if values["imratio"] is not None and values["version"] == "v1":
            counted = reading.grouping.sizes > 0
        else:
            weight = np.ones(len(reading.label)) if reading.item_weight is None else reading.item_weight
            positive = reading.label > 0
            counted = add_by_list(weight * positive, reading.grouping) > 0
            counted &= add_by_list(weight * ~positive, reading.grouping) > 0
        reading.counted = counted.reshape(reading.shape)
        if per_list is not None and values["reduction"] == "weighted_mean":
            counted = counted & (per_list.reshape(-1) != 0)
        reading.empty_is_zero = not counted.any()

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Any,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        grouping, factor = reading.grouping, samples.factor_per_sample()
        scores = grouping.gather(input_in_float64(reading.given[0], work.shares))
        grad = np.empty(len(scores)) if any(item.position == 0 for item in work.derivatives) else None
        slopes = np.zeros((len(factor), 3))  # lists without items are passed over
        self.driver.lists(
            reading.plan.kind,
            scores,
            reading.label,
            None,
            reading.item_weight,
            grouping.offsets,
            factor=factor,
            values=found.reshape(-1),
            grad=grad,
            centers=reading.centers,
            slopes=slopes,
            **reading.plan.options,
        )
        slopes = np.where(factor[:, np.newaxis] != 0, slopes * factor[:, np.newaxis], 0.0)
        for item in work.derivatives:
            if item.position == 0:
                grouping.scatter(grad, item.array)
                continue
            column = np.ascontiguousarray(slopes[:, item.position - CENTERS.start])
            of_each = item.array.shape == reading.shape
            item.array[...] = column.reshape(reading.shape) if of_each else total(column)

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return ()  # a, b and alpha may belong to single lists

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        return [*super().draw(info, values, rng, elements), *np.array([[0.6], [0.3], [0.2]])]


def fit_number(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a number of all lists, or one of each, as one float64 number for each list."""
    if array.size != 1 and array.shape != shape:
        expected = "a number" + (f", or {shape} for one of each list" if shape else "")
        raise ShapeError(f"{name} has shape {array.shape}; expected {expected}")
    wide = array.astype(np.float64).reshape(-1 if array.shape == shape else ())
    return np.array(np.broadcast_to(wide, math.prod(shape)))


geometry = OfMargins()
