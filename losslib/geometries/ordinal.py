"""The geometry of ordered classes: cumulative logits of a row, or a score between thresholds that all samples share.

Rows and scores go to ``pyx/ordinal`` in their own type. The derivative by a threshold is a sum over the samples beside
it: the driver writes what each of them adds, and it is added up here in the order of the samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import read_where
from losslib.declaration.schema import PROBABILITY, LossInfo
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError
from losslib.geometries.base import COMPONENTS, Geometry, Reading, Samples, Work
from losslib.geometries.censoring import Deliveries, input_in_rows

__all__ = ["OrdinalReading", "geometry", "keep_of"]

COUNTED = "a mask of the samples"
#: Position of the thresholds among the inputs.
THRESHOLDS = 2


@dataclass(kw_only=True)
class OrdinalReading(Reading):
    """Rows (N, K - 1) or scores (N,), and the class of each."""

    target: np.ndarray
    #: What each question is answered with, where targets are rows of answers.
    levels: np.ndarray | None = None


class Ordinal(Geometry):
    kernels = "ordinal"

    def read(
        self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]
    ) -> OrdinalReading:
        return self.read_scores(info, raw, options) if len(raw) > THRESHOLDS else self.read_rows(info, raw, options)

    def read_scores(self, info: LossInfo, raw: Sequence[Any], options: dict[str, Any]) -> OrdinalReading:
        name = info.inputs[0].name
        scores = arrays.read_array(name, raw[0])
        if scores.ndim not in (1, 2) or (scores.ndim == 2 and scores.shape[1] != 1):
            raise ShapeError(f"{name} has shape {scores.shape}, expected (N,) or (N, 1): one score for each sample")
        thresholds = arrays.read_array(info.inputs[THRESHOLDS].name, raw[THRESHOLDS])
        if thresholds.ndim != 1 or not thresholds.size:
            raise ShapeError(
                f"{info.inputs[THRESHOLDS].name} has shape {thresholds.shape}, expected (K - 1,) for K classes, "
                f"at least one"
            )
        shape = (len(scores),)
        mask = read_where(options, shape, COUNTED)
        target = arrays.read_classes(info.inputs[1].name, raw[1], shape, len(thresholds) + 1, mask)
        return OrdinalReading(
            given=[scores, target, thresholds],
            shape=shape,
            dtype=arrays.promote([scores, thresholds]),
            mask=mask,
            target=target,
        )

    def read_rows(self, info: LossInfo, raw: Sequence[Any], options: dict[str, Any]) -> OrdinalReading:
        item, other = info.inputs[:2]
        rows = arrays.read_array(item.name, raw[0])
        if rows.ndim != 2 or not rows.shape[1]:
            fix = f"; a single sample is a batch of one: {item.name}[numpy.newaxis]" if rows.ndim == 1 else ""
            raise ShapeError(
                f"{item.name} has shape {rows.shape}, expected (N, K - 1) for K classes: one logit for each question "
                f"whether the class is above{fix}"
            )
        shape = (len(rows),)
        mask = read_where(options, shape, COUNTED)
        labels = arrays.read_integers(other.name, raw[1])
        levels = None
        if other.or_row and labels.ndim == 2:
            levels = arrays.read_array(other.name, raw[1]).astype(np.float64, order="C")
            arrays.require_same_shape(other.name, levels, item.name, rows)
            target = np.zeros(shape, np.int64)
        else:
            if labels.dtype.kind == "f":
                raise DTypeError(
                    f"{other.name} has dtype {labels.dtype}; classes must be integers: use {other.name}.astype("
                    f"numpy.int64)"
                )
            target = arrays.read_classes(other.name, raw[1], shape, rows.shape[1] + 1, mask)
        asked = None
        if info.mean_divisor == "weight":  # the questions that a sample is asked
            asked = np.minimum(target + 1, rows.shape[1]).astype(np.float64)
        return OrdinalReading(
            given=[rows, target if levels is None else levels],
            shape=shape,
            dtype=rows.dtype,
            mask=mask,
            target=target,
            levels=levels,
            kernel_weight=asked,
            divides_by_weight=asked is not None,
        )

    def offer(self, info: LossInfo, reading: Reading, positions: tuple[int, ...], hessian: bool, owner: str) -> None:
        if hessian and positions != (0,):
            raise ParameterError(f"{owner} offers the Hessian with respect to {info.inputs[0].name} only")

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, OrdinalReading)
        if not values["check"]:
            return
        if reading.levels is not None:
            mask = None if reading.mask is None else np.broadcast_to(reading.mask[:, np.newaxis], reading.levels.shape)
            fix = "levels are 1 where the class is above, else 0"
            arrays.require_domain(info.inputs[1].name, reading.levels, PROBABILITY, fix, mask, info.name)
        if len(reading.given) > THRESHOLDS:
            thresholds = reading.given[THRESHOLDS].astype(np.float64)
            falling = np.diff(thresholds) < 0
            if falling.any():
                k = int(falling.argmax()) + 1
                raise DomainError(
                    f"{info.inputs[THRESHOLDS].name}[{k}] is {thresholds[k]:g}, less than the one before, "
                    f"{thresholds[k - 1]:g}; thresholds must not fall: sort them; check=False computes the formula "
                    f"regardless"
                )

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: OrdinalReading,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        rows, count = input_in_rows(reading.given[0], work.shares), len(reading.given[0])
        scored = len(reading.given) > THRESHOLDS
        numbers = numbers_of(info, values, reading)
        deliveries = Deliveries(work, float32=True)
        gradients = {item.position: item.array for item in work.derivatives if item.order == 1}
        upper = np.empty(count) if THRESHOLDS in gradients else None
        lower = np.empty(count) if THRESHOLDS in gradients else None
        self.driver.run(
            self.driver.KINDS[info.resolve_kernel(values)[0]],
            rows.reshape(-1) if scored else rows,
            reading.target,
            reading.levels,
            numbers,
            factor=samples.factor_per_sample(),
            keep=keep_of(reading),
            values=found if work.wants_value else None,
            grad=deliveries.array(0, 1),
            hess=deliveries.array(0, 2),
            upper=upper,
            lower=lower,
        )
        deliveries.finish()
        if upper is not None and lower is not None:
            sums = add_beside(reading.target, upper, lower, len(reading.given[THRESHOLDS]))
            np.copyto(gradients[THRESHOLDS], sums, casting="same_kind")

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,)

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,)

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        if len(info.inputs) > THRESHOLDS:
            count = max(1, elements)
            thresholds = np.linspace(-1.5, 1.5, 4)
            return [rng.standard_normal(count), rng.integers(0, 5, count), thresholds]
        rows = max(1, elements // COMPONENTS)
        logits = -np.sort(-rng.standard_normal((rows, COMPONENTS)), axis=1)
        return [logits, rng.integers(0, COMPONENTS + 1, rows)]


def keep_of(reading: Reading) -> np.ndarray | None:
    """Return the mask of the samples as the driver reads it."""
    return None if reading.mask is None else np.ascontiguousarray(reading.mask).view(np.uint8)


def numbers_of(info: LossInfo, values: Mapping[str, Any], reading: OrdinalReading) -> np.ndarray | None:
    """Return the thresholds, or the weights of the questions, as contiguous float64."""
    if len(reading.given) > THRESHOLDS:
        return np.array(reading.given[THRESHOLDS], np.float64)
    weights = values.get("importance_weights")
    if weights is None:
        return None
    questions = reading.given[0].shape[1]
    if weights.shape != (questions,):
        raise ShapeError(
            f"importance_weights has shape {weights.shape}, expected ({questions},): one number for each question"
        )
    return np.ascontiguousarray(weights, np.float64)


def add_beside(target: np.ndarray, upper: np.ndarray, lower: np.ndarray, count: int) -> np.ndarray:
    """Add up slopes by the threshold above each sample and by the one below."""
    above = np.bincount(target, upper, count + 1)[:count]
    below = np.bincount(target, lower, count + 1)[1:]
    return np.asarray(above + below)


geometry = Ordinal()
