"""The softmax geometry for losses that know more of their classes: how frequent they are, their cosines, their centres.

What is known becomes one number a class, by which the driver shifts the logits; a table of target and class never
exists. Of several centres a class counts by its nearest, which is picked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.declaration.schema import COSINE, LossInfo
from losslib.errors import DomainError, ShapeError
from losslib.geometries.base import Samples, Work
from losslib.geometries.softmax import ClassAxis, Classes, Softmax

__all__ = ["geometry"]


class SoftmaxOfClasses(Softmax):
    def plain(self, info: LossInfo, values: Mapping[str, Any]) -> Any:
        return None

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Classes:
        first = arrays.read_array(info.inputs[0].name, raw[0])
        centers: int = values.get("sub_centers", 1)
        nearest = first if centers == 1 else nearest_center(info, values, first, centers)[0]
        reading = super().read(info, values, [nearest, *raw[1:]], options)
        reading.given[0] = first
        if info.name == "normalized_cross_entropy" and reading.axis.classes < 2:
            raise ShapeError(f"{info.inputs[0].name} of {info.name} has one class; expected at least two")
        if "class_counts" in values:
            read_counts(info, values, reading.axis.classes)
        if isinstance(values.get("scale"), np.ndarray):
            read_stretch(values, reading)
        return reading

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Classes,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        centers: int = values.get("sub_centers", 1)
        if centers == 1:
            super().run(info, values, reading, samples, found, work)
            return
        first = reading.given[0]
        nearest, places = nearest_center(info, values, first, centers)
        gradients = [np.empty(nearest.shape, item.array.dtype) for item in work.derivatives]
        inner = replace(
            work,
            derivatives=[replace(item, array=to) for item, to in zip(work.derivatives, gradients, strict=True)],
        )
        super().run(info, values, replace(reading, given=[nearest, *reading.given[1:]]), samples, found, inner)
        axis = values["axis"] if first.ndim > 1 else 0
        for item, gradient in zip(work.derivatives, gradients, strict=True):
            item.array.fill(0.0)
            np.put_along_axis(item.array, places, gradient, axis=axis)

    def known_of_classes(self, info: LossInfo, values: Mapping[str, Any], reading: Classes) -> dict[str, Any]:
        known: dict[str, Any] = {}
        if "class_counts" in values:
            counts = read_counts(info, values, reading.axis.classes)
            known["offset"] = OFFSETS[info.name](counts, values)
        if isinstance(values.get("scale"), np.ndarray):
            known["stretch"] = read_stretch(values, reading)
        return known

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        if isinstance(values.get("scale"), np.ndarray) and values["scale"].ndim:
            return ()  # one number for each sample of the whole
        return super().cut_axes(info, values, ndim)

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        first, target = super().draw(info, values, rng, elements)
        if info.inputs[0].domain is COSINE and values.get("sub_centers", 1) > 1:
            first = np.repeat(first, values["sub_centers"], axis=1 if values["axis"] in (1, -1) else 0)
        return [first, target]


def nearest_center(
    info: LossInfo, values: Mapping[str, Any], first: np.ndarray, centers: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest cosine of each class, and where it stands; the first of equal ones."""
    axis = ClassAxis(first.shape, values["axis"], info.inputs[0].name)
    if axis.classes % centers:
        raise ShapeError(
            f"{info.inputs[0].name} of {info.name} has {axis.classes} columns; expected a multiple of "
            f"sub_centers={centers}, the centres of a class side by side"
        )
    shape = (axis.outer, axis.classes // centers, centers, axis.inner)
    apart = first.reshape(shape)
    winner = apart.astype(np.float32 if first.dtype.itemsize < 4 else first.dtype, copy=False).argmax(axis=2)
    places = winner + centers * np.arange(shape[1])[:, np.newaxis]
    outside = (*first.shape[: axis.position], shape[1], *first.shape[axis.position + 1 :])
    places = places.reshape(outside)
    return np.take_along_axis(first, places, axis=axis.position), places


def read_counts(info: LossInfo, values: Mapping[str, Any], classes: int) -> np.ndarray:
    """Return how often each class occurs, as float64; equal numbers where nothing is given."""
    given = values["class_counts"]
    if given is None:
        return np.ones(classes)
    counts = np.asarray(given, np.float64)
    if counts.shape != (classes,):
        raise ShapeError(f"class_counts has shape {counts.shape}, expected ({classes},): one number for each class")
    if info.name != "seesaw_loss" and not (counts > 0).all():
        place, number = arrays.first(~(counts > 0), counts)
        raise DomainError(
            f"class_counts{place} is {float(number):g}; {info.name} needs numbers > 0: drop a class that never occurs"
        )
    return counts


def read_stretch(values: Mapping[str, Any], reading: Classes) -> np.ndarray:
    """Return the scale of each sample as a contiguous row of float64."""
    scale = values["scale"]
    if scale.shape not in ((), reading.axis.samples):
        raise ShapeError(
            f"scale has shape {scale.shape}; expected a number or {reading.axis.samples}, one for each sample"
        )
    return np.ascontiguousarray(np.broadcast_to(scale, reading.axis.samples), np.float64).reshape(-1)


def adjusting(counts: np.ndarray, values: Mapping[str, Any]) -> np.ndarray:
    """tau log of the share of each class (Menon et al. 2021, equation 10)."""
    return np.asarray(values["tau"] * (np.log(counts) - np.log(counts.sum())))


def label_distribution_margins(counts: np.ndarray, values: Mapping[str, Any]) -> np.ndarray:
    """Margins that fall with the fourth root of the count (Cao et al. 2019, equation 13)."""
    return np.asarray(values["max_margin"] * (counts.min() / counts) ** 0.25)


def log_counts(counts: np.ndarray, values: Mapping[str, Any]) -> np.ndarray:
    return np.asarray(np.log(np.maximum(counts, 1.0)))


#: What shifts the logits of a class, by loss.
OFFSETS = {
    "logit_adjusted_cross_entropy": adjusting,
    "ldam_loss": label_distribution_margins,
    "seesaw_loss": log_counts,
}

geometry = SoftmaxOfClasses()
