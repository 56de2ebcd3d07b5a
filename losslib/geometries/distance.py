"""The distance geometry: pairs and triplets of rows, compared by a norm of their difference or a cosine.

Each row gives one number; what the rows are compared by is the business of ``pyx/distance``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib import _kernels
from losslib.call import arrays
from losslib.call.samples import read_where
from losslib.declaration.schema import BINARY, SIGN, LossInfo
from losslib.errors import ShapeError
from losslib.geometries.base import COMPONENTS, Geometry, Reading, Samples, Work, domains_of, draw_rows
from losslib.geometries.rows import as_output_rows, as_rows, lies_in_rows, slabs

__all__ = ["geometry"]

#: Estimated costs are those of AVX-512; the baseline has a quarter of its lanes and no fused multiply-add.
_ISA_FACTOR = 3.0 if _kernels.ISA == "baseline" else 1.0

#: The labels of a domain.
LABELS = {SIGN.name: (-1.0, 1.0), BINARY.name: (0.0, 1.0)}


def label_of(info: LossInfo) -> int | None:
    """Return the position of the input that holds one label a row, behind the vectors; None without one."""
    return next((k for k, item in enumerate(info.inputs) if item.holds == "label"), None)


@dataclass(kw_only=True)
class Vectors(Reading):
    """The vectors of a call, components last, and their labels."""

    axis: int
    #: At least two-dimensional, components last.
    rows: list[np.ndarray]
    labels: np.ndarray | None


class Distance(Geometry):
    kernels = "distance"

    def plain(self, info: LossInfo, values: Mapping[str, Any]) -> Any:
        if values["reduction"] not in ("mean", "sum") or values.get("axis", -1) != -1:
            return None
        labels: tuple[float, ...] | None = None
        place = label_of(info)
        if place is not None:
            labels = LABELS[info.inputs[place].domain.name] if values["check"] else ()
        kernel, numbers = info.resolve_kernel(values)
        positions = tuple(info.input_names.index(name) for name in info.default_wrt)
        return self.driver.PlainDistance(kernel, numbers, positions, labels, values["reduction"] == "mean", _ISA_FACTOR)

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Vectors:
        place = label_of(info)
        count = len(info.inputs) if place is None else place
        vectors = [arrays.read_array(item.name, obj) for item, obj in zip(info.inputs[:count], raw, strict=False)]
        require_vectors(info, vectors)
        axis = read_axis(info, values, vectors[0])
        moved = [array if axis == array.ndim - 1 else np.moveaxis(array, axis, -1) for array in vectors]
        shape = moved[0].shape[:-1]
        labels = None if place is None else read_labels(info, raw[place], shape)
        mask = read_where(options, shape, "a mask of the samples, broadcasting to the shape of the unreduced values")
        return Vectors(
            given=vectors,
            shape=shape,
            dtype=arrays.promote(vectors),
            mask=mask,
            axis=axis,
            rows=[array if array.ndim > 1 else array[np.newaxis] for array in moved],
            labels=labels,
        )

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, Vectors)
        if reading.labels is not None and values["check"]:
            item = info.inputs[len(reading.given)]
            given = np.broadcast_to(reading.labels, reading.shape)
            arrays.require_domain(item.name, given, item.domain, item.fix, reading.mask, info.name)

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Vectors,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        inputs, computed = reading.rows, reading.computed
        around = inputs[0].shape[:-1]
        gradients = {
            item.position: np.moveaxis(item.array, reading.axis, -1).reshape(inputs[0].shape)
            for item in work.derivatives
        }
        per_row = found.reshape(around)
        target = None if reading.labels is None else np.broadcast_to(reading.labels, around)
        mask = None if reading.mask is None else reading.mask.reshape(around)
        scale = samples.factor()
        if isinstance(scale, np.ndarray):
            scale = np.broadcast_to(scale, reading.shape).reshape(around)
        kernel, numbers = info.resolve_kernel(values)
        converted = not all(lies_in_rows(array, computed) for array in (*inputs, *gradients.values()))
        for part in slabs(inputs[0], converted):
            grads = [
                as_output_rows(gradients[k][part], computed) if k in gradients else None for k in range(len(inputs))
            ]
            self.driver.run(
                kernel,
                [as_rows(array[part], computed) for array in inputs],
                grads,
                per_row[part].reshape(-1),
                margin=numbers[0],
                degree=numbers[1],
                eps=numbers[2],
                swap=bool(numbers[3]),
                target=None if target is None else one_per_row(target[part]),
                scale=one_per_row(scale[part]) if isinstance(scale, np.ndarray) else scale,
                mask=None if mask is None else np.ascontiguousarray(mask[part]).reshape(-1),
                stage=work.shares,
                isa_factor=_ISA_FACTOR,
            )
            for k, gradient in gradients.items():
                matrix = grads[k]
                if matrix is not None and not np.may_share_memory(matrix, gradient):
                    np.copyto(gradient[part], matrix.reshape(gradient[part].shape), casting="same_kind")

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return self.sample_axes(info, values, ndim)

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        axis = values.get("axis", -1) % ndim
        return tuple(k for k in range(ndim) if k != axis)

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        rows = max(1, elements // COMPONENTS)
        drawn = [
            draw_rows(item, domain, rng, rows)
            for item, domain in zip(info.inputs, domains_of(info, values), strict=True)
        ]
        if values.get("axis", -1) in (0, -2):
            drawn = [array.T.copy() if array.ndim > 1 else array for array in drawn]
        return drawn


def require_vectors(info: LossInfo, vectors: Sequence[np.ndarray]) -> None:
    """Raise ``ShapeError`` unless the vectors have an axis of components and one shape."""
    first = vectors[0]
    if first.ndim == 0:
        raise ShapeError(
            f"{info.inputs[0].name} of {info.name} needs an axis of components, got a number; "
            f"expected shape (D,) for one vector or (N, D) for N of them"
        )
    for item, array in zip(info.inputs[1:], vectors[1:], strict=False):
        arrays.require_same_shape(item.name, array, info.inputs[0].name, first)


def read_axis(info: LossInfo, values: Mapping[str, Any], first: np.ndarray) -> int:
    """Return the axis of components, counted from 0."""
    axis: int = values.get("axis", -1)
    if not -first.ndim <= axis < first.ndim:
        raise ShapeError(
            f"axis={axis} is outside {info.inputs[0].name} of shape {first.shape}; "
            f"expected {-first.ndim} to {first.ndim - 1}"
        )
    return axis % first.ndim


def read_labels(info: LossInfo, obj: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Read one label for each row, or one for all, as a float64 copy that nobody else can change."""
    item = next(item for item in info.inputs if item.holds == "label")
    array = arrays.read_array(item.name, obj)
    if array.shape not in (shape, ()):
        vectors = info.inputs[0].name
        fix = f": use {item.name}.reshape({shape})" if array.size == math.prod(shape) else ""
        raise ShapeError(
            f"{item.name} has shape {array.shape}, expected {shape}, one label for each row of {vectors}, "
            f"or a number{fix}"
        )
    return array.astype(np.float64, copy=True)


def one_per_row(array: np.ndarray) -> np.ndarray:
    """Return a contiguous float64 array with one number for each row."""
    return np.ascontiguousarray(array, np.float64).reshape(-1)


geometry = Distance()
