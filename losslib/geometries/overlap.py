"""The overlap geometry: what a predicted region and the true one have in common.

``pyx/overlap`` counts it over positions, for each sample and class, and turns the derivatives of the loss by the counts
into those by the input. Between its two passes stands a small table: here the counts are pooled, their ratios weighted
and reduced, and all of it is taken back to the counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib import _kernels
from losslib._kernels.loss import total
from losslib.call import arrays
from losslib.call.outputs import Output
from losslib.call.samples import TermByTerm, Terms, ratio
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError
from losslib.geometries.base import Geometry, Reading, Samples, Work, domains_of

__all__ = ["Overlap", "Regions", "geometry"]

#: Estimated costs are those of AVX-512.
ISA_FACTOR = 3.0 if _kernels.ISA == "baseline" else 1.0

#: The axes of (samples, classes) that a ratio is taken over, by the word of ``per``.
POOLED: dict[str, tuple[int, ...]] = {"sample_class": (), "class": (0,), "sample": (1,), "all": (0, 1)}

#: Bits of what the driver found.
BAD_CLASS = 4


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


@dataclass
class Counts:
    """What was counted: common, false positive, false negative and target of each sample and class."""

    table: np.ndarray  # (samples, classes, 4)
    extras: np.ndarray  # (samples, 3): addend, divisor of its mean, positions


@dataclass
class Ratios:
    """The ratios of a call on their way to the value, a table of the shape that ``per`` says."""

    values: np.ndarray
    slopes: np.ndarray  # by common, false positive and false negative
    weights: np.ndarray
    counted: np.ndarray


class Overlap(Geometry):
    kernels = "overlap"
    chunked = False
    looks_in_pass = True

    # -- reading

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Regions:
        item, other = info.inputs
        array = arrays.read_array(item.name, raw[0])
        axis = read_axis(info, values, array)
        target = read_target(other.name, raw[1])
        around = array.shape if axis is None else array.shape[:axis] + array.shape[axis + 1 :]
        indices = axis is not None and target.ndim == array.ndim - 1
        require_target(info, array, target, axis, indices)
        dense_float = not indices and target.dtype.kind not in "biu"
        dtype = arrays.promote([array, target] if dense_float else [array], raw)
        count = 1 if axis is None else array.shape[axis]
        if values.get("activation") == "softmax" and count < 2:
            raise ShapeError(
                f"{item.name} of {info.name} has {'no class axis' if axis is None else 'one class'}: a softmax over "
                f"one class is 1 everywhere; use activation='sigmoid'"
            )
        where = options.pop("where", None)
        keep = None
        if where is not None:
            expected = f"a mask of positions, broadcasting to the shape of {item.name} without its class axis"
            keep = arrays.broadcast_to("where", arrays.read_mask(where), around, expected)
            keep = by_position(keep)
        sample_weight, position_weight = read_weights(options, around, array.shape[0])
        classes = read_classes_used(values, count)
        pooled = POOLED[per_of(values)]
        shape = tuple(n for k, n in enumerate((array.shape[0], len(classes))) if k not in pooled)
        return Regions(
            given=[array, target],
            shape=shape,
            dtype=dtype,
            mean_divisor=1.0,  # found with the counts
            axis=axis,
            input=as_region(array, axis),
            target=by_position(target) if indices else as_region(target, axis),
            indices=indices,
            classes=classes,
            class_weight=read_class_weight(values, count),
            sample_weight=sample_weight,
            keep=keep,
            position_weight=position_weight,
        )

    def offer(self, info: LossInfo, reading: Reading, positions: tuple[int, ...], hessian: bool, owner: str) -> None:
        if 1 in positions and reading.given[1].dtype.kind in "biu":
            name = info.inputs[1].name
            raise ParameterError(
                f"wrt={name!r}: {name} has dtype {reading.given[1].dtype}; only a target of a float type has a "
                f"derivative"
            )

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, Regions)
        array, target = reading.given
        if reading.indices:
            require_classes(info, values, reading)
        if not values["check"]:
            return
        kept = None if reading.keep is None else reading.keep.reshape(shape_around(array, reading.axis))
        spread = kept
        if kept is not None and reading.axis is not None:
            spread = np.broadcast_to(np.expand_dims(kept, reading.axis), array.shape)
        first, second = domains_of(info, values)
        item, other = info.inputs
        if first.code:
            arrays.require_domain(item.name, array, first, item.fix, spread, info.name)
        if second.code and not reading.indices and target.dtype.kind != "b":
            wide = target if target.dtype.kind == "f" or target.dtype.name == "bfloat16" else target.astype(np.float64)
            arrays.require_domain(other.name, wide, second, other.fix, spread, info.name)

    # -- computing

    def compute(self, info: LossInfo, values: Mapping[str, Any], reading: Reading, samples: Samples, work: Work) -> Any:
        assert isinstance(reading, Regions)
        region = self.region(info, values, reading)
        counts = Counts(np.empty((*reading.input.shape[:2], 4)), np.empty((len(reading.input), 3)))
        first, second = domains_of(info, values)
        checked = BAD_CLASS | (1 if first.code else 0) | (2 if second.code else 0)
        violated = region.count(counts.table, counts.extras) & checked
        if violated & BAD_CLASS or (violated and values["check"]):
            self.look(info, values, reading)
            raise DomainError(
                f"an input of {info.name} left its domain during the call; it was changed by another thread"
            )
        pooling = self.pooling(values, reading, counts)
        ratios = self.ratios(info, values, reading, counts, pooling)
        number = samples.scale * samples.divisor if samples.divisor else 1.0  # the upstream gradient
        value, factor = reduce_ratios(values, ratios, samples, number, reading.dtype, work)
        addend, addend_scale = self.addend(values, reading, counts, samples, number)
        if work.derivatives:
            slopes = np.zeros((*reading.input.shape[:2], 3))
            back = (factor[..., np.newaxis] * ratios.slopes).reshape(spread_shape(reading, per_of(values)))
            slopes[:, reading.classes] = back * pooling[:, reading.classes]
            self.differentiate(region, reading, work, slopes=slopes * self.share(values), addend_scale=addend_scale)
        if not work.wants_value or isinstance(value, np.ndarray | Terms):
            return value if work.wants_value else None
        return value * self.share(values) + addend

    def region(self, info: LossInfo, values: Mapping[str, Any], reading: Regions, **more: Any) -> Any:
        """Return the driver's view of a call."""
        settings = {
            "activation": values.get("activation", "none"),
            "counting": counting_of(values),
            "ignore_index": values.get("ignore_index") if reading.indices else None,
            "keep": reading.keep,
            "weight": reading.position_weight,
            "check": values["check"],
            "isa_factor": ISA_FACTOR,
        }
        return self.driver.Region(reading.input, reading.target, wide=reading.double_precision, **{**settings, **more})

    def pooling(self, values: Mapping[str, Any], reading: Regions, counts: Counts) -> np.ndarray:
        """Return the weights of (samples, classes, counts) in the sums of a ratio; 1 where nothing is pooled."""
        weights = np.ones((*reading.input.shape[:2], 1))
        pooled = POOLED[per_of(values)]
        if 0 in pooled:
            weights = weights * reading.sample_weight[:, np.newaxis, np.newaxis]
        if 1 in pooled:
            weights = weights * reading.class_weight[:, np.newaxis]
        if "weighting" in values:
            weights = weights * inverse_sizes(counts.table[..., 3:] * weights, values["weighting"], pooled)
        return weights

    def ratios(
        self, info: LossInfo, values: Mapping[str, Any], reading: Regions, counts: Counts, pooling: np.ndarray
    ) -> Ratios:
        """Return the ratios of the pooled counts, and which of them count."""
        pooled = POOLED[per_of(values)]
        used = counts.table[:, reading.classes]
        weights = pooling[:, reading.classes]
        table = np.empty((*used.shape[:2], 4))
        table[..., :3] = used[..., :3] * weights
        table[..., 3] = counts.extras[:, 2:] * weights[..., 0]
        table = np.ascontiguousarray(table.sum(axis=pooled).reshape(-1, 4))
        jets = np.empty((len(table), 4))
        kernel, numbers = info.resolve_kernel(values)
        self.driver.ratios(kernel, numbers, table, jets)
        found = (used[..., 3] * (weights[..., 0] != 0)).sum(axis=pooled).reshape(reading.shape)
        ratios = Ratios(
            jets[:, 0].reshape(reading.shape),
            jets[:, 1:].reshape(*reading.shape, 3),
            ratio_weights(values, reading),
            np.ones(reading.shape, bool),
        )
        absent = found == 0
        if absent_of(values) != "include":
            ratios.values[absent] = 0.0
            ratios.slopes[absent] = 0.0
        if absent_of(values) == "skip":
            ratios.counted = ~absent
        return ratios

    def share(self, values: Mapping[str, Any]) -> float:
        """Return the factor of the ratios in the value."""
        return 1.0

    def addend(
        self, values: Mapping[str, Any], reading: Regions, counts: Counts, samples: Samples, number: float
    ) -> tuple[float, np.ndarray | None]:
        """Return what is added to the ratios, and the factor of its derivatives for each sample."""
        return 0.0, None

    def differentiate(self, region: Any, reading: Regions, work: Work, **arguments: Any) -> None:
        """Write the derivatives where they belong; what the driver cannot write in place goes through a copy."""
        outputs: list[Output | None] = [None, None]
        targets: list[np.ndarray | None] = [None, None]
        for output in work.derivatives:
            outputs[output.position] = output
            apart = output.position == 1 and work.shares  # it is read again behind the derivatives
            flat = as_region(output.array, reading.axis)
            if apart or not np.may_share_memory(flat, output.array):
                flat = np.empty(flat.shape, flat.dtype)
            targets[output.position] = flat
        region.differentiate(targets[0], targets[1], **arguments)
        for written, computed in zip(outputs, targets, strict=True):
            if written is not None and computed is not None and not np.may_share_memory(computed, written.array):
                np.copyto(written.array, from_region(computed, written.array.shape, reading.axis))

    # -- what others ask

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,) if 0 not in POOLED[per_of(values)] else ()

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        axis = values.get("axis", 1)
        kept = {"sample_class": (0, axis), "class": (axis,), "sample": (0,), "all": ()}[per_of(values)]
        return tuple(0 if k is None else k % ndim for k in kept)

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        """Draw scores of four classes on square images, and a true class for each position."""
        axis, count = values.get("axis", 1), 4
        side = max(1, int((elements / (2 * count)) ** 0.5))
        shape = [2, side, side]
        target = rng.integers(0, count, shape)
        marks = np.moveaxis(np.eye(count)[target], -1, 1)
        scores = rng.standard_normal((2, count, side, side)) + marks
        if "activation" not in values:  # logits of one class
            return [scores[:, 0], marks[:, 0]]
        if values["activation"] == "none":
            scores = 1 / (1 + np.exp(-scores))
        if axis is None:
            return [scores, marks]
        if info.inputs[1].holds == "row":
            return [np.moveaxis(scores, 1, axis), np.moveaxis(marks, 1, axis)]
        return [np.moveaxis(scores, 1, axis), target]


# ---- reading -----------------------------------------------------------------------------------------------------


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
        if target.shape != expected:
            raise ShapeError(
                f"{name} has shape {target.shape}; expected {expected}, a class index for each position of {reference} "
                f"of shape {array.shape}, or that shape itself for a mask of each class"
            )
        if target.dtype.kind not in "iu":
            mask = " or a mask of one class goes with axis=None" if array.shape[axis or 0] == 1 else ""
            raise DTypeError(
                f"{name} has dtype {target.dtype} and one axis less than {reference}: class indices must be integers; "
                f"use {name}.astype(numpy.int64){mask}"
            )
        return
    if target.shape != array.shape and axis is not None:
        raise ShapeError(
            f"{name} has shape {target.shape}; expected {array.shape}, the shape of {reference}, for a mask of each "
            f"class, or {shape_around(array, axis)} for class indices along axis {axis}"
        )
    arrays.require_same_shape(name, target, reference, array)


def require_classes(info: LossInfo, values: Mapping[str, Any], reading: Regions) -> None:
    """Raise for the first class index that is no class and counts."""
    target, classes = reading.given[1], reading.input.shape[1]
    bad = (target < 0) | (target >= classes)
    ignored = values.get("ignore_index")
    if ignored is not None:
        bad &= target != ignored
    if reading.keep is not None:
        bad &= reading.keep.reshape(target.shape)
    if bad.any():
        place, index = arrays.first(bad, target)
        advice = f" or ignore_index={ignored}" if ignored is not None else ""
        if classes == 1:
            advice += "; a mask of one class has the shape of the input, or goes with axis=None"
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


def per_of(values: Mapping[str, Any]) -> str:
    """Return what one ratio counts."""
    return str(values.get("per", "sample_class"))


def absent_of(values: Mapping[str, Any]) -> str:
    return str(values.get("absent", "include"))


def counting_of(values: Mapping[str, Any]) -> str:
    if values.get("squared"):  # where the norm is that of L2, what two numbers have in common is their product
        return "squared"
    return str(values.get("intersection", "product"))


# ---- ratios ------------------------------------------------------------------------------------------------------


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
        if 0 in POOLED[per_of(values)]:
            raise ParameterError(
                f"per={per_of(values)!r} pools the samples of a batch, so that batches have no terms that add up; "
                f"use per='sample_class' or 'sample', or compute the loss of all samples at once"
            )
        return Terms(entries, None if reduction == "sum" else counted), inner
    divisor = 1.0 if reduction == "sum" else float(counted.sum())
    if ratios.values.size and divisor == 0.0 and absent_of(values) == "skip":
        return 0.0, np.zeros_like(weights)  # nothing to find
    value = ratio(total(np.ascontiguousarray(entries, np.float64)), divisor)
    return value, inner * ratio(number, divisor)


geometry = Overlap()
