"""What the losses of rows have in common: class targets, one weight and mask a sample, reductions over samples.

A row loss gives one number for each sample (each row of classes, each pair or triplet of vectors). The compiled drivers
write these numbers in float64 and multiply gradients by a factor for each sample; this module prepares the factors and
reduces the numbers, in sample order and in 16 lanes, so that the sums do not depend on threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib import _kernels
from losslib.call import arrays
from losslib.call.answer import TermByTerm, Terms, ratio
from losslib.call.operands import fit_sample_weight
from losslib.call.outputs import prepare_output
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError

__all__ = [
    "Samples",
    "as_output_rows",
    "as_rows",
    "lies_in_rows",
    "prepare_values",
    "read_blank",
    "read_classes",
    "read_mask",
    "read_samples",
    "slabs",
]

_total = _kernels.load("softmax").total

SLAB = 1 << 20  #: elements that are converted at a time


def read_blank(blank: int, classes: int, name: str) -> int:
    """Return the class of the blank; a negative one counts from the last."""
    if not -classes <= blank < classes:
        raise ParameterError(
            f"blank={blank} is none of the {classes} classes of {name}: expected {-classes} to {classes - 1}, where "
            f"negative numbers count from the last class"
        )
    return blank % classes


def read_classes(
    name: str,
    obj: Any,
    shape: tuple[int, ...],
    classes: int,
    *,
    ignore_index: int | None = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Read class indices as int64 and check their shape and range; ignored and masked samples may hold anything.

    The range is a matter of memory safety: it is checked with ``check=False`` too, on the very values that the
    kernels read afterwards: a copy, which no other thread can change.
    """
    array = arrays.read_integers(name, obj)
    if array.dtype.kind not in "iu":
        raise DTypeError(
            f"{name} has dtype {array.dtype}; class indices must be integers: use {name}.astype(numpy.int64)"
        )
    if array.shape != shape:
        raise ShapeError(f"{name} has shape {array.shape}, expected {shape}: one class index for each sample")
    indices = array.astype(np.int64)  # always a copy
    bad = (array < 0) | (array >= classes)
    if ignore_index is not None:
        bad &= array != ignore_index
    if mask is not None:
        bad &= mask
    if bad.any():
        position = np.unravel_index(int(np.argmax(bad)), bad.shape)
        place = "[" + ", ".join(str(int(k)) for k in position) + "]" if position else ""
        allowed = "" if ignore_index is None else f" or ignore_index={ignore_index}"
        raise DomainError(
            f"{name}{place} is {int(array[position])}, outside the classes: expected 0 to {classes - 1}{allowed}"
        )
    if mask is not None:
        indices[~mask] = 0
    return indices


@dataclass
class Samples:
    """Weights, mask, reduction and upstream gradient of a call, one entry for each sample.

    ``weight`` multiplies values and derivatives; ``scale`` multiplies derivatives (weight, upstream gradient and
    denominator together). Both are float64 arrays of ``shape`` or None and a number, where nothing differs by sample.
    """

    shape: tuple[int, ...]
    reduction: str
    weight: np.ndarray | None
    mask: np.ndarray | None
    divisor: float
    scale: np.ndarray | float
    #: What each sample adds to the divisor, where that is asked for term by term.
    divisors: np.ndarray | None = None

    def reduce(self, values: np.ndarray, dtype: np.dtype[Any], out: np.ndarray | None = None) -> Any:
        """Return the reduced value of float64 values a sample, the values in this dtype, or what would be added."""
        if self.weight is not None:
            values = values * self.weight
        if self.mask is not None:
            values = np.where(self.mask, values, 0.0)
        if isinstance(self.reduction, TermByTerm):
            return Terms(np.asarray(values, np.float64).reshape(self.shape), self.divisors)
        if self.reduction == "none":
            result = np.empty(self.shape, dtype) if out is None else out
            np.copyto(result, values.reshape(self.shape), casting="same_kind")
            return result
        return ratio(_total(np.ascontiguousarray(values, np.float64)), self.divisor)


def read_samples(
    shape: tuple[int, ...],
    reduction: str,
    options: dict[str, Any],
    *,
    class_weight: np.ndarray | None = None,
    counted: np.ndarray | None = None,
    mean_divisor: float | None = None,
    kernel_weight: np.ndarray | None = None,
) -> Samples:
    """Take sample_weight, where and grad_output out of the options of a call and combine them.

    Parameters
    ----------
    shape
        The shape of the unreduced values.
    class_weight
        The loss's own weight of each sample (gathered by class), float64; multiplies the values.
    counted
        Samples that ``mean`` counts (False at ignore_index); those not counted give 0.
    mean_divisor
        What ``mean`` divides by, where it is not the number of counted samples.
    kernel_weight
        A weight of each sample that the kernel multiplies by itself; ``weighted_mean`` divides by it too, and
        ``mean`` where `mean_divisor` is its sum.
    """
    mask = read_mask(options.pop("where", None), shape)
    kept = mask if counted is None else counted if mask is None else mask & counted
    sample_weight = options.pop("sample_weight", None)
    weight = class_weight
    if sample_weight is not None:
        array = fit_sample_weight(arrays.read_array("sample_weight", sample_weight).astype(np.float64), shape)
        weight = array if weight is None else weight * array
    if reduction == "mean":
        if mean_divisor is not None:
            divisor = mean_divisor
        elif kept is None:
            divisor = float(np.prod(shape, dtype=np.float64))
        else:
            divisor = float(np.count_nonzero(kept))
    elif reduction == "weighted_mean":
        total = np.ones(shape) if weight is None else weight
        if kernel_weight is not None:
            total = total * kernel_weight
        divisor = float(np.sum(total if kept is None else np.where(kept, total, 0.0), dtype=np.float64))
    else:
        divisor = 1.0
    divisors: np.ndarray | None = None
    if isinstance(reduction, TermByTerm) and reduction != "sum":
        divisors = np.asarray(1.0)
        if reduction == "weighted_mean" and weight is not None:
            divisors = weight
        if kernel_weight is not None:
            divisors = divisors * kernel_weight
        if kept is not None:
            divisors = np.where(kept, divisors, 0.0)
    scale: np.ndarray | float = ratio(1.0, divisor)
    upstream = options.pop("grad_output", None)
    if upstream is not None:
        array = arrays.read_array("grad_output", upstream).astype(np.float64)
        if array.ndim == 0:
            scale = scale * float(array)
        elif reduction != "none":
            raise ShapeError(
                f"grad_output has shape {array.shape}; with reduction={reduction!r} the value is a number and so is "
                f"its upstream gradient"
            )
        elif array.shape != shape:
            raise ShapeError(f"grad_output has shape {array.shape}, expected {shape}, the shape of the values")
        else:
            scale = scale * array
    if weight is not None:
        scale = scale * weight
    if kept is not None:
        scale = np.where(kept, scale, 0.0)
    return Samples(shape, reduction, weight, kept, divisor, scale, divisors)


def slabs(array: np.ndarray, converted: bool) -> list[slice]:
    """Return the parts of the first axis to compute one after the other.

    That is everything at once, or where arrays have to be converted so few rows that the copies stay small.
    """
    if not converted or array.size <= SLAB or array.ndim < 2:
        return [slice(None)]
    step = max(1, SLAB * len(array) // array.size)
    return [slice(start, start + step) for start in range(0, len(array), step)]


def lies_in_rows(array: np.ndarray, dtype: np.dtype[Any]) -> bool:
    """True if the kernels can take the array as it is: its type, and rows whose components lie in one piece."""
    in_rows = array.ndim == 2 and (array.shape[1] <= 1 or array.strides[1] == array.itemsize)
    return array.dtype == dtype and array.flags.aligned and (in_rows or array.flags.c_contiguous)


def as_rows(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Return an input as rows, in the memory it has if that is possible."""
    if not lies_in_rows(array, dtype):
        array = np.ascontiguousarray(array, dtype)
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def as_output_rows(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Return rows to write a gradient into: the memory of the array itself if the kernels can write it."""
    if not lies_in_rows(array, dtype):
        array = np.empty(array.shape, dtype)
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def read_mask(where: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return the mask of the samples, or None."""
    if where is None:
        return None
    expected = "a mask of the samples, broadcasting to the shape of the unreduced values"
    return arrays.broadcast_to("where", arrays.read_mask(where), shape, expected)


def prepare_values(out: Any, reduction: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray | None:
    """Check the array that is to take the values; None if there is none."""
    if out is None:
        return None
    if reduction != "none":
        raise ParameterError(
            f"out: with reduction={reduction!r} the value is a float; out takes the values of reduction='none'"
        )
    return prepare_output("out", out, shape, dtype, None)
