"""Data larger than memory, in pieces: which axes may be cut, and where an error of a piece lies in the whole."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from losslib import geometries
from losslib.errors import DomainError, ParameterError
from losslib.sums.accumulator import flatten

__all__ = ["cut_axes", "in_whole", "sample_axes", "term_axes"]


def cut_axes(loss: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes of the first input along which the terms of all pieces add up to those of the whole."""
    axes = set(range(ndim))
    for _, part in flatten(loss):
        axes &= set(geometries.find(part.info.geometry).cut_axes(part.info, part.parameters, ndim))
    return tuple(sorted(axes))


def sample_axes(loss: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes of the first input that the values of ``reduction="none"`` run along."""
    parts = [part for _, part in flatten(loss)]
    found = {geometries.find(part.info.geometry).sample_axes(part.info, part.parameters, ndim) for part in parts}
    if len(found) > 1:
        raise ParameterError("the losses of the sum run along different axes")
    return found.pop()


def term_axes(loss: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes that weights, masks and groups run along: of the elements, or of the samples."""
    if all(part.info.per == "element" for _, part in flatten(loss)):
        return tuple(range(ndim))
    return sample_axes(loss, ndim)


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
