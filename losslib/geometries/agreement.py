"""The geometry of chance-corrected agreement: one number of a batch, a ratio of two expected costs.

Both costs are linear in the probabilities of a row, so ``pyx/ordinal`` computes them row by row from a table of costs,
and the gradient by another table that combines the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib._kernels.loss import total
from losslib.call import arrays
from losslib.call.samples import fit_sample_weight, ratio, read_where
from losslib.declaration.schema import LossInfo
from losslib.errors import ShapeError
from losslib.geometries.base import COMPONENTS, Geometry, Reading, Samples, Work
from losslib.geometries.censoring import Deliveries, input_in_rows

__all__ = ["geometry"]


@dataclass(kw_only=True)
class Agreement(Reading):
    """Logits (N, K), classes, and the weight of each sample, 0 for one that does not count."""

    target: np.ndarray
    sample_weight: np.ndarray


class OfAgreement(Geometry):
    kernels = "ordinal"
    chunked = False
    nothing_is_zero = True
    uncut = "samples whose frequencies are compared with those of all others"

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Agreement:
        item, other = info.inputs
        rows = arrays.read_array(item.name, raw[0])
        if rows.ndim != 2 or rows.shape[1] < 2:
            raise ShapeError(f"{item.name} has shape {rows.shape}, expected (N, K) with at least two classes")
        shape = (len(rows),)
        mask = read_where(options, shape, "a mask of the samples")
        given = options.pop("sample_weight", None)
        weight = np.ones(shape)
        if given is not None:
            weight = fit_sample_weight(arrays.read_array("sample_weight", given), shape).astype(np.float64)
        if mask is not None:
            weight = np.where(mask, weight, 0.0)
        target = arrays.read_classes(other.name, raw[1], shape, rows.shape[1], mask)
        return Agreement(
            given=[rows, target],
            shape=(),
            dtype=rows.dtype,
            mean_divisor=1.0,
            target=target,
            sample_weight=weight,
        )

    def compute(self, info: LossInfo, values: Mapping[str, Any], reading: Reading, samples: Samples, work: Work) -> Any:
        assert isinstance(reading, Agreement)
        rows, weight = input_in_rows(reading.given[0], work.shares), reading.sample_weight
        classes = rows.shape[1]
        costs = distances(classes, values["weights"])
        mass = total(weight)
        frequencies = np.bincount(reading.target, weight, classes)
        by_chance = np.broadcast_to(costs @ (frequencies / mass if mass else frequencies), (classes, classes))
        observed = self.expected(rows, reading, costs)
        expected = self.expected(rows, reading, by_chance) + values["eps"]
        score = ratio(observed, expected)
        value, slope = score, 1.0
        if values["log"]:
            value, slope = float(np.log(score + values["eps"])), ratio(1.0, score + values["eps"])
        if not mass:
            value, slope = 0.0, 0.0
        if work.derivatives:
            table = slope * (costs / expected - observed / expected**2 * by_chance)
            deliveries = Deliveries(work, float32=True)
            self.pass_over(rows, reading, table, weight * samples.scale, None, deliveries.array(0, 1))
            deliveries.finish()
        if not work.wants_value:
            return None
        return samples.reduce(np.asarray(value), reading.dtype, work.values)

    def expected(self, rows: np.ndarray, reading: Agreement, table: np.ndarray) -> float:
        """Return the sum of the expected costs of all samples."""
        values = np.empty(len(rows))
        self.pass_over(rows, reading, table, reading.sample_weight, values, None)
        return float(total(values * reading.sample_weight))

    def pass_over(
        self,
        rows: np.ndarray,
        reading: Agreement,
        table: np.ndarray,
        factor: np.ndarray,
        values: np.ndarray | None,
        gradient: np.ndarray | None,
    ) -> None:
        self.driver.run(
            self.driver.KINDS["costs"],
            rows,
            reading.target,
            None,
            np.ascontiguousarray(table),
            factor=np.ascontiguousarray(factor),
            keep=(reading.sample_weight != 0).view(np.uint8),
            values=values,
            grad=gradient,
            hess=None,
        )

    def meets_all(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        return True

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        rows = max(1, elements // COMPONENTS)
        return [rng.standard_normal((rows, COMPONENTS)), rng.integers(0, COMPONENTS, rows)]


def distances(classes: int, weights: str) -> np.ndarray:
    """Return the cost of each class for each target, of shape (target, class)."""
    apart = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes))) / (classes - 1)
    return np.asarray(apart**2 if weights == "quadratic" else apart)


geometry = OfAgreement()
