"""Reading calls of losses of regions: arrays of (samples, classes, positions), in the memory that they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError
from losslib.geometries.base import Reading

__all__ = [
    "Regions", "as_region", "by_position", "from_region", "positions_kept", "read_axis", "read_class_weight",
    "read_classes_used", "read_target", "read_weights", "require_classes", "require_ignorable", "require_target",
    "shape_around",
]  # fmt: skip


@dataclass(kw_only=True)
class Regions(Reading):
    """A call as arrays of (samples, classes, positions)."""

    axis: int | None
    #: Of the input and of the target; class indices have no class axis.
    input: np.ndarray
    target: np.ndarray
    indices: bool
    classes: np.ndarray  # those whose ratios enter
    class_weight: np.ndarray  # of all classes
    sample_weight: np.ndarray  # of the samples
    #: Mask and weights of positions, of shape (samples, positions).
    keep: np.ndarray | None
    position_weight: np.ndarray | None


def shape_around(array: np.ndarray, axis: int | None) -> tuple[int, ...]:
    """Return the shape of an array without its class axis."""
    return array.shape if axis is None else array.shape[:axis] + array.shape[axis + 1 :]


def as_region(array: np.ndarray, axis: int | None) -> np.ndarray:
    """Return an array as (samples, classes, positions), in the memory it has if that is possible."""
    samples = array.shape[0]
    moved = array[:, np.newaxis] if axis is None else array if axis == 1 else np.moveaxis(array, axis, 1)
    positions = 1
    for length in moved.shape[2:]:
        positions *= length
    return moved.reshape(samples, moved.shape[1], positions)


def by_position(array: np.ndarray) -> np.ndarray:
    """Return an array without a class axis as (samples, positions)."""
    return as_region(array, None)[:, 0]


def from_region(array: np.ndarray, shape: tuple[int, ...], axis: int | None) -> np.ndarray:
    """Return (samples, classes, positions) in the shape of the array that it was made from."""
    if axis is None:
        return array.reshape(shape)
    around = shape[1:axis] + shape[axis + 1 :]
    return np.moveaxis(array.reshape(shape[0], shape[axis], *around), 1, axis)


def read_axis(info: LossInfo, values: Mapping[str, Any], array: np.ndarray) -> int | None:
    """Return the class axis counted from 0, or None."""
    name, axis = info.inputs[0].name, values.get("axis", 1)
    if axis is None:
        if array.ndim == 0:
            raise ShapeError(f"{name} of {info.name} needs an axis of samples, got a number; expected (N, d1, ...)")
        return None
    if array.ndim < 2:
        raise ShapeError(
            f"{name} of {info.name} has shape {array.shape}; expected (N, C, d1, ...) with a class axis, or axis=None "
            f"for one class without one"
        )
    if not -array.ndim <= axis < array.ndim or axis % array.ndim == 0:
        raise ShapeError(
            f"axis={axis} is no class axis of {name} of shape {array.shape}; expected 1 to {array.ndim - 1}, or "
            f"negative from the end: axis 0 holds the samples"
        )
    return int(axis % array.ndim)


def read_target(name: str, obj: Any) -> np.ndarray:
    """Read a mask or class indices of any integer or float type, without a copy where that is possible."""
    array = arrays.to_numpy(name, obj)
    if array.dtype.kind not in "biu":
        return arrays.read_array(name, array if array.size or array.dtype.kind == "f" else array.astype(np.int64))
    if not array.dtype.isnative or not array.flags.aligned:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def require_target(info: LossInfo, array: np.ndarray, target: np.ndarray, axis: int | None, indices: bool) -> None:
    """Raise unless the target is of the shape of the input, or has class indices in that shape without classes."""
    name, reference = info.inputs[1].name, info.inputs[0].name
    if indices:
        expected = shape_around(array, axis)
        if array.shape[axis or 0] == 1:
            raise ShapeError(
                f"{name} has shape {target.shape} and {reference} has one class, shape {array.shape}: a mask of one "
                f"class has the shape of {reference}, or both go without the class axis and with axis=None; class "
                f"indices need two classes"
            )
        if target.shape != expected:
            raise ShapeError(
                f"{name} has shape {target.shape}; expected {expected}, a class index for each position of {reference} "
                f"of shape {array.shape}, or that shape itself for a mask of each class"
            )
        if target.dtype.kind not in "iu":
            raise DTypeError(
                f"{name} has dtype {target.dtype} and one axis less than {reference}: class indices must be integers; "
                f"use {name}.astype(numpy.int64)"
            )
        return
    if target.shape != array.shape and axis is not None:
        raise ShapeError(
            f"{name} has shape {target.shape}; expected {array.shape}, the shape of {reference}, for a mask of each "
            f"class, or {shape_around(array, axis)} for class indices along axis {axis}"
        )
    arrays.require_same_shape(name, target, reference, array)


def require_ignorable(info: LossInfo, values: Mapping[str, Any], indices: bool, classes: int) -> None:
    """Raise for an ``ignore_index`` where the target has no single number for each position."""
    ignored = values.get("ignore_index")
    if ignored is not None and not indices and classes != 1:
        raise ParameterError(
            f"ignore_index={ignored}: a mask of each of {classes} classes has no one number at a position to ignore; "
            f"use where, or class indices as {info.inputs[1].name}"
        )


def positions_kept(values: Mapping[str, Any], reading: Regions) -> np.ndarray | None:
    """Return which positions of (samples, positions) count by mask and ``ignore_index``; None for all."""
    ignored = values.get("ignore_index")
    if ignored is None:
        return reading.keep
    target = reading.target if reading.indices else reading.target[:, 0]
    kept: np.ndarray = target != (ignored if target.dtype.kind in "biu" else np.float64(ignored))
    return kept if reading.keep is None else np.logical_and(kept, reading.keep)


def require_classes(info: LossInfo, values: Mapping[str, Any], reading: Regions) -> None:
    """Raise for the first class index that is no class and counts."""
    target, classes = reading.given[1], reading.input.shape[1]
    bad = (target < 0) | (target >= classes)
    ignored = values.get("ignore_index")
    kept = positions_kept(values, reading)
    if kept is not None:
        bad &= kept.reshape(target.shape)
    if bad.any():
        place, index = arrays.first(bad, target)
        advice = f" or ignore_index={ignored}" if ignored is not None else ""
        raise DomainError(
            f"{info.inputs[1].name}{place} is {int(index)}, outside the classes: expected 0 to {classes - 1}{advice}"
        )


def read_weights(
    options: dict[str, Any], around: tuple[int, ...], samples: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Take sample_weight out of the options: a weight of each sample, and one of each position or None."""
    given = options.pop("sample_weight", None)
    if given is None:
        return np.ones(samples), None
    array = arrays.read_array("sample_weight", given).astype(np.float64)
    if array.ndim == 0:
        return np.full(samples, float(array)), None
    if array.shape == (samples,):
        return array, None
    expected = f"({samples},) for one weight a sample, or a shape that broadcasts to that of the positions"
    wide = arrays.broadcast_to("sample_weight", array, around, expected)
    return np.ones(samples), by_position(wide)


def read_class_weight(values: Mapping[str, Any], count: int) -> np.ndarray:
    weight = values.get("weight")
    if weight is None or isinstance(weight, float):
        return np.ones(count)
    if weight.shape not in ((count,), ()):
        raise ShapeError(f"weight has shape {weight.shape}, expected ({count},): one weight for each class")
    return np.ascontiguousarray(np.broadcast_to(weight, (count,)), np.float64)


def read_classes_used(values: Mapping[str, Any], count: int) -> np.ndarray:
    """Return the classes whose ratios enter."""
    classes = values.get("classes")
    if classes is None:
        return np.arange(count)
    for index in classes:
        if not -count <= index < count:
            raise ShapeError(f"classes holds {index}, but the input has {count} classes; expected 0 to {count - 1}")
    return np.array([index % count for index in classes], np.intp)
