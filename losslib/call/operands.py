"""The arrays of a call, read and brought to one shape without copying.

Arguments are read in the order in which a user would look for the mistake: inputs, weight, sample weight, mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.declaration.schema import Array, LossInfo
from losslib.errors import DomainError, ShapeError

__all__ = ["Operands", "read_operands"]


@dataclass
class Operands:
    """The arrays of a call, all of one shape."""

    shape: tuple[int, ...]
    given: list[np.ndarray]  # the inputs as they came
    inputs: list[np.ndarray]  # broadcast to the shape
    weights: list[np.ndarray]
    mask: np.ndarray | None
    weight: np.ndarray | None  # the loss's own weight, one of `weights`
    pos_weight: np.ndarray | None
    double_precision: bool
    dtype: np.dtype[Any]  # of unreduced values


def read_inputs(info: LossInfo, raw: Sequence[Any]) -> tuple[list[np.ndarray], np.dtype[Any]]:
    """Read the input arrays and find the dtype that they promote to; Python numbers do not promote."""
    given = [arrays.read_array(item.name, obj) for item, obj in zip(info.inputs, raw, strict=True)]
    strong = [a.dtype for a, obj in zip(given, raw, strict=True) if type(obj) not in (int, float, bool)]
    if not strong:
        strong = [np.dtype(np.float64)]
    dtype = strong[0]
    for other in strong[1:]:
        if other != dtype:
            try:
                dtype = np.result_type(dtype, other)
            except TypeError:  # float16 with bfloat16: neither holds the other
                dtype = np.dtype(np.float32)
    return given, dtype


def fit_inputs(info: LossInfo, given: list[np.ndarray]) -> list[np.ndarray]:
    """Bring the inputs to the shape of the first: exact for targets, broadcast for a third input such as `var`."""
    first = given[0]
    fitted = [first]
    for item, array in zip(info.inputs[1:], given[1:], strict=True):
        if array.ndim == 0:
            fitted.append(np.broadcast_to(array, first.shape))
        elif item.broadcasts:
            fitted.append(fit_third_input(item.name, array, info.inputs[0].name, first))
        else:
            arrays.require_same_shape(item.name, array, info.inputs[0].name, first)
            fitted.append(array)
    return fitted


def fit_third_input(name: str, array: np.ndarray, first_name: str, first: np.ndarray) -> np.ndarray:
    """PyTorch's rule for a variance: the input's shape, or without its last axis, or with axes of length 1."""
    if array.shape == first.shape:
        return array
    if array.shape == first.shape[:-1]:
        return np.broadcast_to(array[..., np.newaxis], first.shape)
    if array.ndim == first.ndim and all(a in (1, b) for a, b in zip(array.shape, first.shape, strict=True)):
        return np.broadcast_to(array, first.shape)
    raise ShapeError(
        f"{name} has shape {array.shape}; expected {first.shape}, the shape of {first_name}, or that shape without "
        f"its last axis, or with axes of length 1, or a number"
    )


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


def read_operands(loss: Any, info: LossInfo, raw: list[Any], options: dict[str, Any]) -> Operands:
    """Read and fit every array of a call."""
    given, dtype = read_inputs(info, raw)
    inputs = fit_inputs(info, given)
    shape = inputs[0].shape
    weights: list[np.ndarray] = []
    weight = call_array(loss, info, options, "weight")
    if weight is not None:
        expected = f"an array that broadcasts to the shape of {info.inputs[0].name}"
        weight = arrays.broadcast_to("weight", weight, shape, expected)
        weights.append(weight)
    pos_weight = call_array(loss, info, options, "pos_weight")
    if pos_weight is not None:
        pos_weight = arrays.broadcast_to(
            "pos_weight", pos_weight, shape, "an array that broadcasts to the shape of target"
        )
    sample_weight = options.pop("sample_weight", None)
    if sample_weight is not None:
        weights.append(fit_sample_weight(arrays.read_array("sample_weight", sample_weight), shape))
    mask = options.pop("where", None)
    if mask is not None:
        mask = arrays.broadcast_to(
            "where",
            arrays.read_mask(mask),
            shape,
            f"a mask that broadcasts to the shape of {info.inputs[0].name}",
        )
    return Operands(shape, given, inputs, weights, mask, weight, pos_weight, dtype == np.float64, dtype)


def call_array(loss: Any, info: LossInfo, options: dict[str, Any], name: str) -> np.ndarray | None:
    """Return an array parameter: given at the call of a function, or bound to the object."""
    parameter = next((item for item in info.parameters if item.name == name), None)
    if not isinstance(parameter, Array):
        if name in options:
            raise TypeError(f"{info.name} has no parameter {name!r}; it takes {', '.join(info.parameter_names)}")
        return None
    if options.get(name) is None:
        options.pop(name, None)
        bound: np.ndarray | None = loss.parameters[name]
        return bound
    array = arrays.read_array(name, options.pop(name))
    if parameter.least is not None and bool((array < parameter.least).any()):
        raise DomainError(f"{name} must be >= {parameter.least:g} everywhere, got {float(array.min()):g}")
    return array
