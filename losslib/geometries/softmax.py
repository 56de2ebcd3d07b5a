"""The softmax geometry: rows of logits, log-probabilities or probabilities against a class or a distribution.

The class axis is brought to the middle of a three-dimensional view (outer, classes, inner), class indices are looked at
once (range, ``ignore_index``, ``where``, weights for the denominator), and one pass of ``pyx/softmax`` gives the value
of each sample and the derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import TermByTerm, read_where
from losslib.declaration.schema import PROBABILITY, REAL, Input, LossInfo
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError
from losslib.geometries.base import COMPONENTS, Geometry, Reading, Samples, Work, domains_of, draw_rows

__all__ = ["geometry"]


class ClassAxis:
    """Where the classes of an array are, and the shape of the samples around them."""

    def __init__(self, shape: tuple[int, ...], axis: int, name: str) -> None:
        ndim = len(shape)
        if ndim == 0:
            raise ShapeError(f"{name} is a number; expected an array with a class axis")
        position = 0 if ndim == 1 and axis == 1 else axis
        if not -ndim <= position < ndim:
            raise ShapeError(f"axis={axis} is not an axis of {name}, which has shape {shape}")
        position %= ndim
        self.position = position
        self.outer = math.prod(shape[:position])
        self.classes = shape[position]
        self.inner = math.prod(shape[position + 1 :])
        self.samples = shape[:position] + shape[position + 1 :]
        if self.classes == 0:
            raise ShapeError(f"{name} has shape {shape}: no classes along axis {axis}")

    def rows(self, array: np.ndarray) -> np.ndarray:
        """View an array of the input's shape as (outer, classes, inner); a copy only where no view exists."""
        return array.reshape(self.outer, self.classes, self.inner)


@dataclass(kw_only=True)
class Classes(Reading):
    """The arrays of a call around their class axis."""

    axis: ClassAxis
    target: np.ndarray
    #: True if the target is a distribution (or logits) of the input's shape.
    soft: bool
    class_weight: np.ndarray | None
    #: One byte a sample that says whether it counts, for the driver; None where all do.
    keep: np.ndarray | None


class Softmax(Geometry):
    kernels = "softmax"

    def plain(self, info: LossInfo, values: Mapping[str, Any]) -> Any:
        kernel, numbers = info.resolve_kernel(values)
        target, ignored = info.inputs[1], values.get("ignore_index")
        logits = target.holds == "row"
        # No probability is of a class to ignore.
        rows = logits or (target.or_row and (ignored is None or ignored < 0))
        plain = (
            (target.indices or rows)
            and info.inputs[0].domain is REAL
            and values["reduction"] in ("mean", "sum")
            and values.get("axis", 1) == 1
            and all(values[name] is None for name in info.array_parameter_names if name != "weight")
            and (values.get("weight") is None or values["weight"].ndim == 1)
        )
        if not plain:
            return None
        domain = PROBABILITY.code if values["check"] and not logits else 0
        return self.driver.PlainSoftmax(kernel, numbers, values, target.indices, rows, domain)

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Classes:
        first = arrays.read_array(info.inputs[0].name, raw[0])
        axis = ClassAxis(first.shape, values.get("axis", 1), info.inputs[0].name)
        return self.read_classes(info, values, first, axis, info.inputs[1], raw[1], options)

    def read_classes(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        first: np.ndarray,
        axis: ClassAxis,
        item: Input,
        obj: Any,
        options: dict[str, Any],
    ) -> Classes:
        """Read the target of these rows, class weights, mask and what of them counts."""
        target, soft = read_target(item, obj, first, axis)
        rows = item.holds == "row"
        weight = class_weight(values, axis.classes)
        ignore_index = values.get("ignore_index")
        if soft and not rows and ignore_index is not None and ignore_index >= 0:
            raise ParameterError(
                f"ignore_index={ignore_index}: probabilities as target have no class to ignore; use where"
            )
        mask = read_where(options, axis.samples, "a mask of the samples")
        keep, count, weight_sum = self.scan(target, soft, axis, ignore_index, mask, weight)
        counted = None if keep is None else keep.reshape(axis.samples) != 0
        reduction = values["reduction"]
        # The driver multiplies by the weight of the class; denominators count it where PyTorch does.
        in_mean = values.get("weight") is not None and not soft and info.mean_divisor == "weight"
        kernel_weight = None
        if (
            weight is not None
            and values.get("weight") is not None
            and (reduction == "weighted_mean" or (in_mean and isinstance(reduction, TermByTerm)))
        ):
            if soft:
                kernel_weight = np.tensordot(target.astype(np.float64), weight, axes=(axis.position, 0))
            else:
                kernel_weight = weight[target if counted is None else np.where(counted, target, 0)]
        return Classes(
            given=[first, target],
            shape=axis.samples,
            dtype=arrays.promote([first, target]) if soft else first.dtype,
            mask=mask,
            counted=counted,
            divides_by_weight=in_mean,
            kernel_weight=kernel_weight,
            mean_divisor=weight_sum if in_mean else None,
            empty_is_zero=values.get("empty") == "zero" and count == 0,
            axis=axis,
            target=target,
            soft=soft,
            class_weight=weight,
            keep=keep,
        )

    def scan(
        self,
        target: np.ndarray,
        soft: bool,
        axis: ClassAxis,
        ignore_index: int | None,
        mask: np.ndarray | None,
        weight: np.ndarray | None,
    ) -> tuple[np.ndarray | None, int, float]:
        """Check the class indices and count: (samples that count or None for all, their number, their weight)."""
        bits = None if mask is None else np.ascontiguousarray(mask).reshape(-1).view(np.uint8)
        total = axis.outer * axis.inner
        if soft:
            count = total if bits is None else int(np.count_nonzero(bits))
            return bits, count, float(count)
        keep = np.empty(total, np.uint8)
        count, weight_sum, bad = self.driver.scan(
            target.reshape(axis.outer, axis.inner), axis.classes, ignore_index, bits, weight, keep
        )
        if bad >= 0:
            index = target[np.unravel_index(bad, axis.samples)] if axis.samples else target
            allowed = "" if ignore_index is None else f", or ignore_index={ignore_index}"
            raise DomainError(
                f"target{arrays.at(bad, axis.samples)} is {int(index)}, outside the classes: "
                f"expected 0 to {axis.classes - 1}{allowed}"
            )
        return (None if count == total else keep), count, weight_sum

    def offer(self, info: LossInfo, reading: Reading, positions: tuple[int, ...], hessian: bool, owner: str) -> None:
        assert isinstance(reading, Classes)
        if hessian and positions != (0,):
            raise ParameterError(f"{owner} offers the Hessian with respect to {info.inputs[0].name} only")
        if 1 in positions and not reading.soft:
            raise ParameterError(f"wrt='target': class indices have no derivative; {owner} offers it for probabilities")

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, Classes)
        if not values["check"]:
            return
        axis, first = reading.axis, reading.given[0]
        mask: np.ndarray | None = None
        if reading.mask is not None:
            around = reading.mask.reshape(axis.outer, 1, axis.inner)
            mask = np.broadcast_to(around, (axis.outer, axis.classes, axis.inner)).reshape(first.shape)
        if reading.soft and info.inputs[1].or_row:
            fix = f"divide each row by its sum; class indices are integers of shape {axis.samples}"
            arrays.require_domain("target", reading.target, PROBABILITY, fix, mask, info.name)
        self.require_domains(info, domains_of(info, values)[:1], reading.given, mask)

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Classes,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        axis, first, target = reading.axis, reading.given[0], reading.target
        if axis.outer * axis.inner == 0:
            return
        arrays_of = {(0, 1): "grad", (0, 2): "hess", (1, 1): "target_grad"}
        planes: dict[str, np.ndarray] = {}
        for item in work.derivatives:
            if not np.may_share_memory(axis.rows(item.array), item.array):
                item.array = np.empty(item.array.shape, item.array.dtype)  # no view of this layout
            planes[arrays_of[item.position, item.order]] = axis.rows(item.array)
        factor = samples.factor()
        kernel, numbers = info.resolve_kernel(values)
        self.driver.run(
            kernel,
            numbers,
            axis.rows(first),
            axis.rows(target) if reading.soft else target.reshape(axis.outer, axis.inner),
            double_precision=reading.double_precision,
            soft=reading.soft,
            class_weight=reading.class_weight,
            keep=reading.keep,
            scale=samples.factor_per_sample() if isinstance(factor, np.ndarray) else None,
            scale_all=0.0 if isinstance(factor, np.ndarray) else factor,
            values=found.reshape(-1) if work.wants_value else None,
            smoothing=values.get("label_smoothing") or 0.0,
            z_loss=values.get("z_loss") or 0.0,
            **planes,
            **self.known_of_classes(info, values, reading),
        )

    def known_of_classes(self, info: LossInfo, values: Mapping[str, Any], reading: Classes) -> dict[str, Any]:
        """Return further arguments of the driver: what shifts the logits of each class."""
        return {}

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return self.sample_axes(info, values, ndim)

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        axis = values.get("axis", 1)
        position = 0 if ndim == 1 and axis == 1 else axis % ndim
        return tuple(k for k in range(ndim) if k != position)

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        rows = max(1, elements // COMPONENTS)
        domains = domains_of(info, values)
        drawn = [draw_rows(item, domain, rng, rows) for item, domain in zip(info.inputs, domains, strict=True)]
        if values.get("axis", 1) in (0, -2):
            drawn = [array.T.copy() if array.ndim > 1 else array for array in drawn]
        return drawn


def read_target(item: Input, obj: Any, first: np.ndarray, axis: ClassAxis) -> tuple[np.ndarray, bool]:
    """Return the target and whether it is a distribution (or logits) of the input's shape."""
    array = arrays.read_integers(item.name, obj)
    if array.dtype.kind in "iu" and item.indices:
        if array.shape != axis.samples:
            hint = ""
            if array.shape == first.shape:
                hint = "; one-hot targets are probabilities: use target.astype(float)"
            raise ShapeError(
                f"target has shape {array.shape}, expected {axis.samples}: one class for each sample{hint}"
            )
        if not array.dtype.isnative or not array.flags.aligned:
            array = array.astype(array.dtype.newbyteorder("="))
        return array, False
    if item.indices and not item.or_row:
        raise DTypeError(
            f"target has dtype {array.dtype}; class indices must be integers: use target.astype(numpy.int64)"
        )
    if item.indices and array.shape == axis.samples and array.shape != first.shape:
        raise DTypeError(
            f"target has dtype {array.dtype} and one entry a sample; class indices must be integers: "
            f"use target.astype(numpy.int64)"
        )
    target = arrays.read_array(item.name, obj)
    arrays.require_same_shape(item.name, target, "input", first)
    return target, True


def class_weight(values: Mapping[str, Any], classes: int) -> np.ndarray | None:
    """Return the weight of each class as contiguous float64: `weight`, or the `alpha` of the focal loss."""
    name = "weight" if values.get("weight") is not None else "alpha"
    given = values.get(name)
    if given is None or (name == "alpha" and not isinstance(given, np.ndarray | list | tuple | float | int)):
        return None
    if name == "alpha" and "gamma" not in values:
        return None  # a number with another meaning
    array = arrays.read_array(name, given).astype(np.float64)
    if array.shape not in ((classes,), ()) or (name == "weight" and array.shape == ()):
        raise ShapeError(f"{name} has shape {array.shape}, expected ({classes},): one weight for each class")
    return np.ascontiguousarray(np.broadcast_to(array, (classes,)))


geometry = Softmax()
