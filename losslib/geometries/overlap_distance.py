"""The overlap geometry by classes that differ in how far they are from one another: generalized Wasserstein Dice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib.declaration.schema import LossInfo
from losslib.errors import DTypeError, ShapeError
from losslib.geometries.overlap import Counts, Overlap
from losslib.geometries.regions import Regions

__all__ = ["geometry"]


class OverlapByDistance(Overlap):
    def region(self, info: LossInfo, values: Mapping[str, Any], reading: Regions, **more: Any) -> Any:
        if not reading.indices:
            raise DTypeError(
                f"{info.name} takes class indices as target, in the shape of the input without its classes"
            )
        distances = read_distances(values.get("distances"), reading.input.shape[1])
        return super().region(info, values, reading, distances=distances, **more)

    def pooling(self, values: Mapping[str, Any], reading: Regions, counts: Counts) -> np.ndarray:
        """The background has no part in what is right, but in what is wrong; or all are divided by their size."""
        weights = np.ones((*reading.input.shape[:2], 3))
        if values["per"] == "all":
            weights = weights * reading.sample_weight[:, np.newaxis, np.newaxis]
        if values["weighting"] == "size":
            return weights / (counts.table[..., 3:] + 1.0)
        weights[:, :1, 0] = 0.0
        return weights


def read_distances(given: np.ndarray | None, classes: int) -> np.ndarray:
    """Return the distances of the classes, the largest 1."""
    if given is None:
        return 1.0 - np.eye(classes)
    wide = given.astype(np.float64)
    if wide.shape == (classes,):
        wide = np.abs(wide[:, np.newaxis] - wide)
    if wide.shape != (classes, classes):
        raise ShapeError(
            f"distances has shape {given.shape}, expected ({classes}, {classes}), a number for each pair of classes, "
            f"or ({classes},), their places on a line"
        )
    largest = float(wide.max(initial=0.0))
    return np.ascontiguousarray(wide / largest if largest else wide)


geometry = OverlapByDistance()
