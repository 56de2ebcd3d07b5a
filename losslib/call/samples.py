"""What a call adds up: weights, mask, upstream gradient and denominator of every geometry, found in one place.

An entry is what carries a weight: an element of a pointwise loss, a sample (a row of classes, a pair of vectors, a
sequence) of the others. Nothing here knows which; a geometry says it with the fields of its `Reading`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from losslib._kernels.loss import execute, total
from losslib.call import arrays
from losslib.errors import ShapeError

__all__ = ["Reading", "Samples", "TermByTerm", "Terms", "fit_sample_weight", "ratio", "read_samples", "read_where"]


class TermByTerm(str):
    """A reduction whose terms are wanted instead of their sum: it equals the word, and a call answers with `Terms`."""

    __slots__ = ()


@dataclass(frozen=True)
class Terms:
    """What a call adds up: the sum of ``values`` over the sum of ``divisors`` is the reduced value."""

    #: What each element or sample adds to the numerator, in float64, weighted and 0 where masked out.
    values: np.ndarray
    #: What it adds to the denominator, broadcasting to the values; None for a sum, which has none.
    divisors: np.ndarray | None


@dataclass(kw_only=True)
class Reading:
    """The arguments of a call as a geometry has read them; each adds the fields that its driver needs."""

    #: The inputs as they came, in the order of the declaration.
    given: list[np.ndarray]
    #: The shape of the entries, and the type of unreduced values.
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    #: ``where``, and the entries that count for another reason (not ``ignore_index``); None for all.
    mask: np.ndarray | None = None
    counted: np.ndarray | None = None
    #: The loss's own weight of each entry, and whether ``mean`` divides by its sum.
    weight: np.ndarray | None = None
    divides_by_weight: bool = False
    #: A weight of each entry that the driver multiplies by itself; it belongs to the denominators all the same.
    kernel_weight: np.ndarray | None = None
    #: What ``mean`` divides by where none of the above says it.
    mean_divisor: float | None = None
    #: What every unreduced value is an average over: the last axis, which values do not have.
    averages_last_axis: bool = False
    #: True if the mean over nothing is 0.0 here and not NaN.
    empty_is_zero: bool = False

    @property
    def value_shape(self) -> tuple[int, ...]:
        """The shape of unreduced values."""
        return self.shape[:-1] if self.averages_last_axis else self.shape

    @property
    def double_precision(self) -> bool:
        return self.dtype == np.float64

    @property
    def computed(self) -> np.dtype[Any]:
        """The type that drivers compute in: half types are widened."""
        return np.dtype(np.float64 if self.double_precision else np.float32)

    def sources(self) -> list[np.ndarray]:
        """Return the arrays that are read while outputs are written."""
        return [array for array in (*self.given, self.mask, self.weight) if array is not None]


@dataclass
class Samples:
    """Weights, mask, reduction and upstream gradient of a call."""

    shape: tuple[int, ...]
    reduction: str
    #: Factors of values and derivatives, each of the shape of the entries.
    weights: list[np.ndarray] = field(default_factory=list)
    #: The entries that count; None for all.
    mask: np.ndarray | None = None
    #: Upstream gradient of each entry, a factor of derivatives; None where it is a number, which is part of `scale`.
    upstream: np.ndarray | None = None
    divisor: float = 1.0
    #: Factor of every derivative: denominator and upstream number.
    scale: float = 1.0
    #: What each entry adds to the divisor, where that is asked for term by term.
    divisors: np.ndarray | None = None
    empty_is_zero: bool = False

    def sources(self) -> list[np.ndarray]:
        """Return the arrays that are read while outputs are written."""
        return self.weights if self.upstream is None else [*self.weights, self.upstream]

    def weight(self) -> np.ndarray | None:
        """Return the product of the weights in float64; None where nothing has a weight."""
        product: np.ndarray | None = None
        for array in self.weights:
            wide = array.astype(np.float64)
            product = wide if product is None else product * wide
        return product

    def factor(self) -> np.ndarray | float:
        """Return what multiplies the derivatives of each sample: a float64 array of the shape, or one number."""
        factor: np.ndarray | float = self.scale
        if self.upstream is not None:
            factor = factor * self.upstream.astype(np.float64)
        weight = self.weight()
        if weight is not None:
            factor = factor * weight
        return factor if self.mask is None else np.where(self.mask, factor, 0.0)

    def factor_per_sample(self) -> np.ndarray:
        """Return `factor` as a contiguous row of float64, one for each sample."""
        factor = self.factor()
        row = np.empty(math.prod(self.shape))
        row.reshape(self.shape)[...] = factor
        return row

    def reduce(self, values: np.ndarray, dtype: np.dtype[Any], out: np.ndarray | None = None) -> Any:
        """Return the reduced value of float64 values a sample, the values in this dtype, or what would be added."""
        weight = self.weight()
        if weight is not None:
            values = values * weight
        if self.mask is not None:
            values = np.where(self.mask, values, 0.0)
        if isinstance(self.reduction, TermByTerm):
            return Terms(np.asarray(values, np.float64).reshape(self.shape), self.divisors)
        if self.reduction == "none":
            result = np.empty(self.shape, dtype) if out is None else out
            np.copyto(result, values.reshape(self.shape), casting="same_kind")
            return result
        return self.divide(total(np.ascontiguousarray(values, np.float64)))

    def divide(self, numerator: float) -> float:
        """Return the value of a numerator."""
        return 0.0 if self.empty_is_zero else ratio(numerator, self.divisor)


def read_samples(reading: Reading, reduction: str, options: dict[str, Any]) -> Samples:
    """Take sample_weight and grad_output out of the options of a call and combine them with what was read."""
    shape = reading.shape
    kept = reading.mask
    if reading.counted is not None:
        kept = reading.counted if kept is None else kept & reading.counted
    weights = [] if reading.weight is None else [reading.weight]
    sample_weight = options.pop("sample_weight", None)
    if sample_weight is not None:
        weights.append(fit_sample_weight(arrays.read_array("sample_weight", sample_weight), shape))
    divisor = find_divisor(reading, reduction, weights, kept)
    upstream, number = read_grad_output(options.pop("grad_output", None), reduction, reading)
    return Samples(
        shape,
        reduction,
        weights,
        kept,
        upstream,
        divisor,
        ratio(1.0, divisor) * number,
        find_divisors(reading, reduction, weights, kept) if isinstance(reduction, TermByTerm) else None,
        reading.empty_is_zero and reduction in ("mean", "weighted_mean"),
    )


def counting_weights(reading: Reading, reduction: str, weights: list[np.ndarray]) -> list[np.ndarray]:
    """Return the weights whose products a denominator adds up."""
    inner = [] if reading.kernel_weight is None else [reading.kernel_weight]
    if reduction == "weighted_mean":
        return [*weights, *inner]
    if reduction == "mean" and reading.divides_by_weight:
        return [*([] if reading.weight is None else [reading.weight]), *inner]
    return []


def find_divisor(reading: Reading, reduction: str, weights: list[np.ndarray], kept: np.ndarray | None) -> float:
    """Return what the sum of the weighted values is divided by."""
    if reduction == "mean" and reading.mean_divisor is not None:
        return reading.mean_divisor
    if reduction in ("mean", "weighted_mean"):
        return add_products(counting_weights(reading, reduction, weights), kept, reading.shape)
    if reduction == "batchmean":
        return float(reading.shape[0]) if reading.shape else 1.0
    return float(reading.shape[-1]) if reading.averages_last_axis else 1.0


def find_divisors(
    reading: Reading, reduction: str, weights: list[np.ndarray], kept: np.ndarray | None
) -> np.ndarray | None:
    """Return the denominator term by term, where the numerator is that of the reduction "sum"."""
    shape = reading.shape
    if reduction == "batchmean":  # one for each sample of the first axis, at its first element
        divisors = np.zeros((shape[0] if shape else 1, math.prod(shape[1:])))
        divisors[:, :1] = 1.0
        return divisors.reshape(shape)
    if reduction not in ("mean", "weighted_mean"):
        return None
    # A row without classes has no element that could add something.
    divisors = np.asarray(1.0 / shape[-1] if reading.averages_last_axis and shape[-1] else 1.0)
    for weight in counting_weights(reading, reduction, weights):
        divisors = divisors * weight.astype(np.float64)
    return divisors if kept is None else np.where(kept, divisors, 0.0)


def add_products(weights: list[np.ndarray], mask: np.ndarray | None, shape: tuple[int, ...]) -> float:
    """Add the products of the weights over the entries that count, in the fixed order of the pointwise driver."""
    if not weights:
        return float(math.prod(shape) if mask is None else np.count_nonzero(mask))
    zero = np.broadcast_to(np.float64(0.0), shape)
    found, _ = execute(
        "BiasError",
        (),
        double_precision=True,
        inputs=[weights[0], zero],
        factors=weights[1:],
        value_factors=len(weights) - 1,
        mask=mask,
        reduce=True,
    )
    return float(found)


def ratio(numerator: float, divisor: float) -> float:
    """Divide as IEEE 754 does: the mean over no element is NaN, not an exception."""
    if divisor:
        return float(numerator) / float(divisor)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(numerator) / np.float64(divisor))


# ---- arguments of a call -----------------------------------------------------------------------------------------


def read_where(options: dict[str, Any], shape: tuple[int, ...], of: str, *, copy: bool = True) -> np.ndarray | None:
    """Take the mask out of the options of a call, broadcast to the shape of the entries."""
    where = options.pop("where", None)
    return None if where is None else arrays.broadcast_to("where", arrays.read_mask(where, copy=copy), shape, of)


def fit_sample_weight(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One weight for each element, or one for each sample of the first axis, or a number for all."""
    if array.shape == shape:
        return array
    if array.ndim == 0:
        return np.broadcast_to(array, shape)
    if array.ndim == 1 and len(shape) > 1 and array.shape[0] == shape[0]:
        return np.broadcast_to(array.reshape((-1,) + (1,) * (len(shape) - 1)), shape)
    if array.ndim == len(shape) and all(a in (1, b) for a, b in zip(array.shape, shape, strict=True)):
        return np.broadcast_to(array, shape)
    per_sample = f"({shape[0]},) for one weight a sample, or " if len(shape) > 1 else ""
    raise ShapeError(f"sample_weight has shape {array.shape}; expected {per_sample}{shape} for one an element")


def read_grad_output(grad_output: Any, reduction: str, reading: Reading) -> tuple[np.ndarray | None, float]:
    """Return the upstream gradient as an array of the shape of the entries, or as a number."""
    if grad_output is None:
        return None, 1.0
    array = arrays.read_array("grad_output", grad_output)
    if array.ndim == 0:
        return None, float(array)
    if reduction != "none":
        raise ShapeError(
            f"grad_output has shape {array.shape}; with reduction={reduction!r} the value is a number and so is its "
            f"upstream gradient"
        )
    expected = reading.value_shape
    if array.shape != expected:
        raise ShapeError(f"grad_output has shape {array.shape}, expected {expected}, the shape of the values")
    if reading.averages_last_axis:
        array = np.broadcast_to(array[..., np.newaxis], reading.shape)
    return array, 1.0
