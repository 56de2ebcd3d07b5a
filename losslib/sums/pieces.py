"""Data larger than memory, in pieces: which axes may be cut, and where an error of a piece lies in the whole."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, ParameterError, ShapeError
from losslib.sums.accumulator import flatten

__all__ = ["cut_axes", "in_whole", "value_axes"]


def cut_axes(loss: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes of the first input along which the terms of all pieces add up to those of the whole."""
    axes = set(range(ndim))
    for _, part in flatten(loss):
        axes &= set(_cut_axes(part.info, part.parameters, ndim))
    return tuple(sorted(axes))


def value_axes(loss: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes of the first input that the values of ``reduction="none"`` run along."""
    found = {_value_axes(part.info, part.parameters, ndim) for _, part in flatten(loss)}
    if len(found) > 1:
        raise ParameterError("the losses of the sum run along different axes")
    return found.pop()


def _value_axes(info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
    axis = -1
    if info.geometry == "pointwise":
        return tuple(range(ndim - info.averages_last_axis))
    if info.geometry == "transducer":
        return (0,)
    if info.geometry == "ctc":
        return (1,) if ndim == 3 else ()
    if info.geometry == "softmax":
        axis = 0 if ndim == 1 else values.get("axis", 1)
    elif info.geometry == "distance":
        axis = values.get("axis", -1)
    if not -ndim <= axis < ndim:
        raise ShapeError(f"axis={axis} is not an axis of {info.input_names[0]}, which has {ndim}")
    return tuple(k for k in range(ndim) if k != axis % ndim)


def _cut_axes(info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
    axes = set(_value_axes(info, values, ndim))
    for name in info.array_parameter_names if info.geometry == "pointwise" else ():
        bound = values[name]  # weights of elements, which must see their axes whole
        if bound is not None:
            axes -= {ndim - 1 - k for k in range(bound.ndim) if bound.shape[bound.ndim - 1 - k] != 1}
    return tuple(sorted(axes))


# ---- errors ------------------------------------------------------------------------------------------------------

#: How every message about a value begins: the name of the array and a position.
_PLACE = re.compile(r"(\w+)\[(\d+(?:, \d+)*)\]")


def in_whole(error: DomainError, starts: Mapping[str, Sequence[int | None]]) -> DomainError:
    """Return the error of a piece with the position in the whole of its data.

    `starts` holds for each array where the piece begins along its axes, None where that is not known; axes that are
    not named begin at 0.
    """
    message = str(error)
    place = _PLACE.match(message)
    if place is None or place[1] not in starts:
        return error
    indices = [int(text) for text in place[2].split(", ")]
    known = [*starts[place[1]], *[0] * len(indices)][: len(indices)]
    if None in known:
        return DomainError(f"{message} (the position is that in a chunk: chunks before it have unknown lengths)")
    moved = ", ".join(str(index + (start or 0)) for index, start in zip(indices, known, strict=True))
    return DomainError(f"{place[1]}[{moved}]{message[place.end() :]}")
