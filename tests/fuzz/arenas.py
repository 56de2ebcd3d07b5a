"""Arrays in memory of their own, laid out in every way that NumPy allows, whose every changed byte is seen."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: Bytes before and after the array, which nobody may touch.
GUARD = 64
PATTERN = 0xA5

#: Ways to lay out the same values.
LAYOUTS = (
    "plain", "fortran", "gaps", "reversed", "misaligned", "swapped", "field", "read-only", "mapped", "mapped read-only",
    "broadcast", "subclass",
)  # fmt: skip


class Subclass(np.ndarray):
    """An array of another type, as pandas, astropy and memory maps make them."""


@dataclass
class Arena:
    """An array and the memory that it lies in."""

    layout: str
    array: np.ndarray
    memory: np.ndarray = field(repr=False)
    covered: np.ndarray = field(repr=False)  # for each byte of the memory: does it belong to the array?
    before: np.ndarray = field(repr=False)

    def __repr__(self) -> str:
        return f"<{self.layout} {self.array.dtype} {self.array.shape} strides {self.array.strides}>"

    def changed(self) -> np.ndarray:
        """Return for each byte of the memory whether it is another than before."""
        return np.asarray(self.memory) != self.before


def arena(values: np.ndarray, layout: str = "plain") -> Arena:
    """Lay out values; ``broadcast`` repeats the first entry of the first axis, every other layout keeps all of them."""
    dtype = values.dtype
    if layout == "swapped" and dtype.byteorder in "=<>" and dtype.kind in "fiu":  # not those of ml_dtypes
        dtype = dtype.newbyteorder("S")
    shape, size = values.shape, dtype.itemsize
    pad = 3 if layout == "field" else 0
    step = size + pad
    order = range(values.ndim) if layout == "fortran" else range(values.ndim - 1, -1, -1)
    strides = [0] * values.ndim
    for axis in order:
        if layout == "gaps" and axis == values.ndim - 1:
            step *= 3
        strides[axis] = step
        step *= max(1, shape[axis])
    if layout == "broadcast" and values.ndim:
        strides[0] = 0
    extent = size + sum(stride * max(0, length - 1) for stride, length in zip(strides, shape, strict=True))
    offset = GUARD + (1 if layout == "misaligned" else pad)
    memory = allocate(extent + offset + GUARD, layout.startswith("mapped"))
    view = np.ndarray(shape, dtype, buffer=memory, offset=offset, strides=strides)
    if layout == "reversed" and values.ndim:
        view = view[(slice(None, None, -1),) * values.ndim]
    view[...] = values[:1] if layout == "broadcast" and values.ndim else values
    shadow = np.zeros(memory.shape, np.uint8)
    np.ndarray(shape, f"V{size}", buffer=shadow, offset=offset, strides=strides)[...] = np.void(b"\xff" * size)
    array: Any = view
    if layout.startswith("mapped") and values.size:
        array = memory[offset : offset + extent].view(dtype).reshape(shape)  # keeps the class numpy.memmap
    if layout == "subclass":
        array = view.view(Subclass)
    if layout in ("read-only", "mapped read-only"):
        array.flags.writeable = False
    return Arena(layout, array, memory, shadow.astype(bool), np.array(memory, copy=True, subok=False))


def allocate(length: int, mapped: bool) -> Any:
    """Return bytes of a recognisable pattern, in memory or in a file mapped into it."""
    if not mapped:
        return np.full(length, PATTERN, np.uint8)
    with tempfile.TemporaryFile() as file:
        memory = np.memmap(file, np.uint8, "w+", shape=(length,))
    memory[:] = PATTERN
    return memory
