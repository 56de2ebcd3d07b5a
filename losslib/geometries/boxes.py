"""The boxes geometry: predicted boxes against true ones, row by row.

Each pair of boxes gives one number. Rows of float32 or float64 go to ``pyx/boxes``, which knows the three formats.
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
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, ShapeError
from losslib.geometries.base import Geometry, Reading, Samples, Work
from losslib.geometries.rows import as_output_rows, as_rows, lies_in_rows, slabs

__all__ = ["geometry"]

#: Estimated costs are those of AVX-512.
_ISA_FACTOR = 3.0 if _kernels.ISA == "baseline" else 1.0

#: What the columns of a format are, for messages.
COLUMNS = {"xyxy": "x1, y1, x2, y2", "xywh": "x, y, width, height", "cxcywh": "centre x, centre y, width, height"}


@dataclass(kw_only=True)
class Boxes(Reading):
    """The boxes of a call, at least two-dimensional."""

    rows: list[np.ndarray]


class BoxPairs(Geometry):
    kernels = "boxes"
    looks_in_pass = True

    def plain(self, info: LossInfo, values: Mapping[str, Any]) -> Any:
        if values["reduction"] not in ("mean", "sum"):
            return None
        kernel, numbers = info.resolve_kernel(values)
        mean = values["reduction"] == "mean"
        return self.driver.PlainBoxes(kernel, numbers, values["box_format"], mean, values["check"], _ISA_FACTOR)

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Boxes:
        boxes = [arrays.read_array(item.name, obj) for item, obj in zip(info.inputs, raw, strict=True)]
        require_boxes(info, values, boxes)
        shape = boxes[0].shape[:-1]
        mask = read_where(options, shape, "a mask of the boxes, broadcasting to the shape of the unreduced values")
        counted = math.prod(shape) if mask is None else int(np.count_nonzero(mask))
        return Boxes(
            given=boxes,
            shape=shape,
            dtype=arrays.promote(boxes),
            mask=mask,
            rows=[array if array.ndim > 1 else array[np.newaxis] for array in boxes],
            empty_is_zero=counted == 0 and values["empty"] == "zero",
        )

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        if not values["check"]:
            return
        box_format: str = values["box_format"]
        for item, array in zip(info.inputs, reading.given, strict=True):
            wide = array.astype(np.float64)
            sides = wide[..., 2:] - wide[..., :2] if box_format == "xyxy" else wide[..., 2:]
            bad = np.asarray((sides < 0).any(axis=-1))
            if reading.mask is not None:
                bad &= reading.mask
            if bad.any():
                place, _ = arrays.first(bad, bad)
                box = wide[bad][0].tolist()
                advice = (
                    "x2 >= x1 and y2 >= y1; if these are width and height, pass box_format='xywh' or 'cxcywh'"
                    if box_format == "xyxy"
                    else "width and height >= 0; if these are the other corner, pass box_format='xyxy'"
                )
                raise DomainError(
                    f"{item.name}{place} is {box}, no box: as {COLUMNS[box_format]} it needs {advice}; "
                    f"check=False computes the formula regardless"
                )

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Boxes,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        if not found.size:
            return
        inputs, computed = reading.rows, reading.computed
        around = inputs[0].shape[:-1]
        gradients = {item.position: item.array.reshape(inputs[0].shape) for item in work.derivatives}
        per_row = found.reshape(around)
        mask = None if reading.mask is None else reading.mask.reshape(around)
        scale = samples.factor()
        if isinstance(scale, np.ndarray):
            scale = np.broadcast_to(scale, reading.shape).reshape(around)
        kernel, numbers = info.resolve_kernel(values)
        converted = not all(lies_in_rows(array, computed) for array in (*inputs, *gradients.values()))
        for part in slabs(inputs[0], converted):
            grads = [as_output_rows(gradients[k][part], computed) if k in gradients else None for k in (0, 1)]
            violated = self.driver.run(
                kernel,
                numbers,
                values["box_format"],
                as_rows(inputs[0][part], computed),
                as_rows(inputs[1][part], computed),
                grads[0],
                grads[1],
                per_row[part].reshape(-1),
                scale=np.ascontiguousarray(scale[part]).reshape(-1) if isinstance(scale, np.ndarray) else scale,
                mask=None if mask is None else np.ascontiguousarray(mask[part]).reshape(-1),
                isa_factor=_ISA_FACTOR,
            )
            if violated and values["check"] and not work.shares:
                self.look(info, values, reading)
            for k, gradient in gradients.items():
                matrix = grads[k]
                if matrix is not None and not np.may_share_memory(matrix, gradient):
                    np.copyto(gradient[part], matrix.reshape(gradient[part].shape), casting="same_kind")

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return self.sample_axes(info, values, ndim)

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return tuple(range(ndim - 1))

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        """Draw boxes in an image of 100 x 100, each true one near the predicted one."""
        rows = max(1, elements // 4)
        centre, size = rng.uniform(20, 80, (rows, 2)), rng.uniform(4, 40, (rows, 2))
        boxes = []
        for _ in info.inputs:
            if values["box_format"] == "xyxy":
                boxes.append(np.concatenate([centre - size / 2, centre + size / 2], axis=1))
            else:
                corner = centre if values["box_format"] == "cxcywh" else centre - size / 2
                boxes.append(np.concatenate([corner, size], axis=1))
            centre, size = centre + rng.normal(0, 4, (rows, 2)), size * rng.uniform(0.7, 1.4, (rows, 2))
        return boxes


def require_boxes(info: LossInfo, values: Mapping[str, Any], boxes: list[np.ndarray]) -> None:
    """Raise unless both inputs have the same shape and four numbers a row."""
    first = boxes[0]
    if first.ndim == 0 or first.shape[-1] != 4:
        raise ShapeError(
            f"{info.inputs[0].name} of {info.name} has shape {first.shape}; expected (N, 4), or (4,) for one box: "
            f"{COLUMNS[values['box_format']]} in a row"
        )
    for item, array in zip(info.inputs[1:], boxes[1:], strict=True):
        if array.ndim == first.ndim == 2 and array.shape[1] == 4 and len(array) != len(first):
            raise ShapeError(
                f"{item.name} has {len(array)} boxes and {info.inputs[0].name} has {len(first)}; {info.name} compares "
                f"them row by row: match them first, it does not try all pairs"
            )
        arrays.require_same_shape(item.name, array, info.inputs[0].name, first)


geometry = BoxPairs()
