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
from losslib.call import arrays
from losslib.call.samples import Terms
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, ParameterError, ShapeError
from losslib.geometries.base import Geometry, Reading, Samples, Work, domains_of
from losslib.geometries.overlap_ratios import (
    POOLED,
    Ratios,
    absent_of,
    counting_of,
    inverse_sizes,
    per_of,
    ratio_weights,
    reduce_ratios,
    spread_shape,
)  # fmt: skip
from losslib.geometries.regions import (
    Regions,
    as_region,
    by_position,
    from_region,
    positions_kept,
    read_axis,
    read_class_weight,
    read_classes_used,
    read_target,
    read_weights,
    require_classes,
    require_ignorable,
    require_target,
    shape_around,
)  # fmt: skip

__all__ = ["BAD_CLASS", "Counts", "Overlap", "geometry"]

#: Estimated costs are those of AVX-512.
ISA_FACTOR = 3.0 if _kernels.ISA == "baseline" else 1.0

#: Bits of what the driver found.
BAD_CLASS = 4


@dataclass
class Counts:
    """What was counted: common, false positive, false negative and target of each sample and class."""

    table: np.ndarray  # (samples, classes, 4)
    extras: np.ndarray  # (samples, 3): addend, divisor of its mean, positions


#: Where the driver writes the derivatives by input and target; None for one that is not wanted.
Places = tuple[np.ndarray | None, np.ndarray | None]


def derivative_places(reading: Regions, work: Work) -> Places:
    """Return the arrays that the driver writes: the outputs, or others where it cannot write those in place."""
    places: list[np.ndarray | None] = [None, None]
    for output in work.derivatives:
        apart = output.position == 1 and work.shares  # it is read again behind the derivatives
        flat = as_region(output.array, reading.axis)
        if apart or not np.may_share_memory(flat, output.array):
            flat = np.empty(flat.shape, flat.dtype)
        places[output.position] = flat
    return places[0], places[1]


class Overlap(Geometry):
    kernels = "overlap"
    uncut = "counted together"
    chunked = False
    looks_in_pass = True

    # -- reading

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Regions:
        item, other = info.inputs
        array = arrays.read_array(item.name, raw[0])
        axis = read_axis(info, values, array)
        target = read_target(other.name, raw[1])
        count = 1 if axis is None else array.shape[axis]
        if values.get("activation") == "softmax" and count < 2:
            raise ShapeError(
                f"{item.name} of {info.name} has {'no class axis' if axis is None else 'one class'}: a softmax over "
                f"one class is 1 everywhere; use activation='sigmoid'"
            )
        around = array.shape if axis is None else array.shape[:axis] + array.shape[axis + 1 :]
        indices = axis is not None and target.ndim == array.ndim - 1
        require_target(info, array, target, axis, indices)
        dense_float = not indices and target.dtype.kind not in "biu"
        dtype = arrays.promote([array, target] if dense_float else [array], raw)
        require_ignorable(info, values, indices, count)
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
        kept = positions_kept(values, reading)
        kept = kept if kept is None else kept.reshape(shape_around(array, reading.axis))
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
        places = derivative_places(reading, work)
        counts = Counts(np.empty((*reading.input.shape[:2], 4)), np.empty((len(reading.input), 3)))
        first, second = domains_of(info, values)
        checked = BAD_CLASS | (1 if first.code else 0) | (2 if second.code else 0)
        # Until it takes the derivatives, an array that nothing is read from takes what both passes need.
        spare = None if work.shares or places[1] is not None else places[0]
        violated = region.count(counts.table, counts.extras, spare) & checked
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
            slopes *= self.share(values)
            self.differentiate(region, reading, work, places, slopes=slopes, addend_scale=addend_scale)
        if not work.wants_value or isinstance(value, np.ndarray | Terms):
            return value if work.wants_value else None
        return value * self.share(values) + addend

    def region(self, info: LossInfo, values: Mapping[str, Any], reading: Regions, **more: Any) -> Any:
        """Return the driver's view of a call."""
        settings = {
            "activation": values.get("activation", "none"),
            "counting": counting_of(values),
            "ignore_index": values.get("ignore_index"),
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

    def differentiate(self, region: Any, reading: Regions, work: Work, places: Places, **arguments: Any) -> None:
        """Write the derivatives where they belong; what the driver cannot write in place goes through a copy."""
        region.differentiate(*places, **arguments)
        for output in work.derivatives:
            computed = places[output.position]
            if computed is not None and not np.may_share_memory(computed, output.array):
                np.copyto(output.array, from_region(computed, output.array.shape, reading.axis))

    # -- what others ask

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        # A mean over the classes of a sample and then over samples is no multiple of the sum, of which a batch would
        # take its gradient.
        nested = absent_of(values) == "skip" and per_of(values) == "sample_class"
        return () if nested or 0 in POOLED[per_of(values)] else (0,)

    def meets_all(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        return 0 in POOLED[per_of(values)]

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


geometry = Overlap()
