"""The softmax geometry with a number between two classes as target: its row of probabilities has two entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, ShapeError
from losslib.geometries.base import COMPONENTS
from losslib.geometries.softmax import ClassAxis, Classes, Softmax

__all__ = ["geometry"]


class SoftmaxBetween(Softmax):
    def plain(self, info: LossInfo, values: Mapping[str, Any]) -> Any:
        return None

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Classes:
        first = arrays.read_array(info.inputs[0].name, raw[0])
        item, axis = info.inputs[1], ClassAxis(first.shape, values["axis"], info.inputs[0].name)
        target = arrays.read_array(item.name, raw[1])
        if target.shape != axis.samples:
            raise ShapeError(
                f"{item.name} has shape {target.shape}, expected {axis.samples}: one number for each sample"
            )
        if axis.classes < 2:
            raise ShapeError(f"{info.inputs[0].name} of {info.name} has one bin; a number lies between two")
        where = options.get("where")
        kept = None if where is None else arrays.broadcast_to("where", arrays.read_mask(where), axis.samples, "a mask")
        rows = between(item.name, target.astype(np.float64), axis, kept)
        # Half types would round the shares of the two bins.
        narrow = first.dtype != np.float64
        reading = super().read(info, values, [first, rows.astype(np.float32) if narrow else rows], options)
        reading.dtype = first.dtype
        return reading

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        rows = max(1, elements // COMPONENTS)
        return [rng.standard_normal((rows, COMPONENTS)), rng.uniform(0, COMPONENTS - 1, rows)]


def between(name: str, target: np.ndarray, axis: ClassAxis, kept: np.ndarray | None) -> np.ndarray:
    """Return rows of probabilities: a number between two bins belongs to each of them by its nearness."""
    last = axis.classes - 1
    bad = (target < 0) | (target > last)
    if kept is not None:
        bad &= kept
    if bad.any():
        place, number = arrays.first(bad, target)
        raise DomainError(
            f"{name}{place} is {float(number):g}, outside the bins: expected 0 to {last}, in units of one bin"
        )
    lost = np.isnan(target) if kept is None else np.isnan(target) | ~kept
    low = np.clip(np.floor(np.where(lost, 0.0, target)), 0, last - 1).astype(np.intp)
    share = target - low
    rows = np.zeros((*target.shape, axis.classes))
    np.put_along_axis(rows, low[..., np.newaxis], 1 - share[..., np.newaxis], axis=-1)
    np.put_along_axis(rows, low[..., np.newaxis] + 1, share[..., np.newaxis], axis=-1)
    if kept is not None:
        rows[~kept] = 0.0
    return np.moveaxis(rows, -1, axis.position)


geometry = SoftmaxBetween()
