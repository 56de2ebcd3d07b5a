"""The table of ratios of the overlap geometry: what one counts, its weight, and its way to the value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib._kernels.loss import total
from losslib.call.samples import TermByTerm, Terms, ratio
from losslib.geometries.base import Samples, Work
from losslib.geometries.regions import Regions

__all__ = [
    "POOLED", "Ratios", "absent_of", "counting_of", "inverse_sizes", "per_of", "ratio_weights", "reduce_ratios",
    "spread_shape",
]  # fmt: skip

#: The axes of (samples, classes) that a ratio is taken over, by the word of ``per``.
POOLED: dict[str, tuple[int, ...]] = {"sample_class": (), "class": (0,), "sample": (1,), "all": (0, 1)}


@dataclass
class Ratios:
    """The ratios of a call on their way to the value, a table of the shape that ``per`` says."""

    values: np.ndarray
    slopes: np.ndarray  # by common, false positive and false negative
    weights: np.ndarray
    counted: np.ndarray


def per_of(values: Mapping[str, Any]) -> str:
    """Return what one ratio counts."""
    return str(values.get("per", "sample_class"))


def absent_of(values: Mapping[str, Any]) -> str:
    return str(values.get("absent", "include"))


def counting_of(values: Mapping[str, Any]) -> str:
    if values.get("squared"):  # where the norm is that of L2, what two numbers have in common is their product
        return "squared"
    return str(values.get("intersection", "product"))


def spread_shape(reading: Regions, per: str) -> tuple[int, ...]:
    """Return the shape in which a table of ratios goes with (samples, classes, counts)."""
    whole = (len(reading.input), len(reading.classes))
    return (*(1 if k in POOLED[per] else n for k, n in enumerate(whole)), 3)


def ratio_weights(values: Mapping[str, Any], reading: Regions) -> np.ndarray:
    """Return the weight of each ratio: of its sample and of its class, unless they are pooled in it."""
    per = per_of(values)
    weights = np.ones(reading.shape)
    if per in ("sample_class", "sample"):
        weights = weights * reading.sample_weight.reshape((-1,) + (1,) * (len(reading.shape) - 1))
    if per in ("sample_class", "class"):
        weights = weights * reading.class_weight[reading.classes]
    return weights


def inverse_sizes(sizes: np.ndarray, weighting: str, pooled: tuple[int, ...]) -> np.ndarray:
    """Return the weights of classes by the size of their targets; an empty one takes the largest weight there is."""
    if weighting == "uniform":
        return np.ones_like(sizes)
    if 0 in pooled:
        sizes = sizes.sum(axis=0, keepdims=True)
    empty = sizes == 0
    weights = np.zeros_like(sizes)
    np.divide(1.0, sizes * sizes if weighting == "square" else sizes, out=weights, where=~empty)
    return np.where(empty, weights.max(axis=1, keepdims=True, initial=0.0), weights)


def reduce_ratios(
    values: Mapping[str, Any], ratios: Ratios, samples: Samples, number: float, dtype: np.dtype[Any], work: Work
) -> tuple[Any, np.ndarray]:
    """Return the reduced value, or the table; and the derivative of the result by each ratio."""
    reduction = samples.reduction
    weights = np.where(ratios.counted, ratios.weights, 0.0)
    if reduction == "none":
        factor = weights * number if samples.upstream is None else weights * samples.upstream.astype(np.float64)
        result = work.values
        if result is not None:
            np.copyto(result, ratios.values * weights, casting="same_kind")
        return result, factor
    nested = absent_of(values) == "skip" and values["per"] == "sample_class" and reduction != "sum"
    if nested:  # over the classes of a sample that count, then over the samples
        divisors = (ratios.counted if reduction == "mean" else weights).sum(axis=1, dtype=np.float64)
        inner = np.divide(
            weights, divisors[:, np.newaxis], out=np.zeros_like(weights), where=divisors[:, np.newaxis] != 0
        )
        entries, counted = (inner * ratios.values).sum(axis=1), np.ones(len(divisors))
    else:
        inner = weights
        entries = weights * ratios.values
        counted = (ratios.counted if reduction == "mean" else weights).astype(np.float64)
    if isinstance(reduction, TermByTerm):
        return Terms(entries, None if reduction == "sum" else counted), inner
    divisor = 1.0 if reduction == "sum" else float(counted.sum())
    if ratios.values.size and divisor == 0.0 and absent_of(values) == "skip":
        return 0.0, np.zeros_like(weights)  # nothing to find
    value = ratio(total(np.ascontiguousarray(entries, np.float64)), divisor)
    return value, inner * ratio(number, divisor)
