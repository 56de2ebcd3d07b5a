"""The overlap geometry weighted by distances from boundaries: the Hausdorff loss by distance transforms.

The distances of both regions are weights of the squared errors, and constant in the derivative.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib.declaration.schema import LossInfo
from losslib.geometries.overlap import Counts, Overlap
from losslib.geometries.overlap_ratios import Ratios
from losslib.geometries.regions import Regions, positions_kept, shape_around

__all__ = ["geometry"]


class OverlapByBoundary(Overlap):
    def region(self, info: LossInfo, values: Mapping[str, Any], reading: Regions, **more: Any) -> Any:
        array = reading.given[0]
        used = np.zeros(reading.input.shape[1], bool)
        used[reading.classes] = True
        distances = np.zeros(reading.input.shape)
        super().region(info, values, reading, **more).distances(
            np.empty(reading.input.shape, reading.computed),
            distances,
            used,
            lengths=shape_around(array, reading.axis)[1:],
            alpha=float(values["alpha"]),
        )
        if reading.position_weight is not None:
            distances *= reading.position_weight[:, np.newaxis]
        return super().region(info, values, reading, counting="squared", weight=distances, **more)

    def ratios(
        self, info: LossInfo, values: Mapping[str, Any], reading: Regions, counts: Counts, pooling: np.ndarray
    ) -> Ratios:
        if reading.position_weight is not None:  # the driver counts positions; the mean is over their weights
            counts.extras[:, 2] = weights_kept(values, reading)
        return super().ratios(info, values, reading, counts, pooling)


def weights_kept(values: Mapping[str, Any], reading: Regions) -> np.ndarray:
    """Return the sum of the weights of the positions that count, for each sample."""
    assert reading.position_weight is not None
    keep = positions_kept(values, reading)
    weight = reading.position_weight if keep is None else np.where(keep, reading.position_weight, 0.0)
    total: np.ndarray = weight.sum(axis=1)
    return total


geometry = OverlapByBoundary()
