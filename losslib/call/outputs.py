"""Where the results of a call go: new arrays, or the caller's own.

An array given as ``out`` may be an input; then a block is read before it is written. One that overlaps an input in any
other way gets a temporary, so that every result is what it would be without the overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from losslib.declaration.schema import LossInfo
from losslib.errors import DTypeError, ParameterError, ShapeError

__all__ = ["Output", "Work", "lay_out", "output_array", "prepare_output", "prepare_values"]


@dataclass
class Output:
    """One derivative (or the values) on its way to the caller."""

    array: np.ndarray  # what the pass writes, of the full shape
    result: np.ndarray  # what the caller gets
    summed_to: tuple[int, ...] | None = None  # shape of a broadcast input, whose derivative is a sum
    position: int = 0  # of the input that is differentiated
    order: int = 1  # of the derivative

    def finish(self) -> np.ndarray:
        if self.summed_to is not None:
            np.copyto(self.result, sum_to_shape(self.array, self.summed_to), casting="same_kind")
        elif self.array is not self.result:
            np.copyto(self.result, self.array)
        return self.result


@dataclass
class Work:
    """What a pass is to deliver."""

    wants_value: bool = True
    #: Where unreduced values go; None where the value is a number.
    values: np.ndarray | None = None
    derivatives: list[Output] = field(default_factory=list)
    #: True if an output shares memory with what is read; the domains have been looked at then.
    shares: bool = False


def sum_to_shape(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum in float64 over the axes along which an input of this shape was broadcast."""
    if len(shape) == array.ndim:
        axes = tuple(k for k, length in enumerate(shape) if length == 1 and array.shape[k] != 1)
        return np.asarray(array.sum(axis=axes, dtype=np.float64, keepdims=True))
    if shape == array.shape[:-1] and shape:
        return np.asarray(array.sum(axis=-1, dtype=np.float64))
    return np.asarray(array.sum(dtype=np.float64))


def prepare_output(
    name: str, out: Any, shape: tuple[int, ...], dtype: np.dtype[Any], like: np.ndarray | None
) -> np.ndarray:
    """Check an array given as `out`, or allocate the result in the memory order of the input."""
    if out is None:
        if like is not None and like.shape == shape and like.dtype == dtype:
            return np.empty_like(like, subok=False)
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a numpy.ndarray, got {type(out).__name__}")
    if out.dtype != dtype:
        raise DTypeError(f"{name} has dtype {out.dtype}, expected {dtype} exactly")
    if out.shape != shape:
        raise ShapeError(f"{name} has shape {out.shape}, expected {shape} exactly")
    if not out.flags.writeable:
        raise ValueError(f"{name} is read-only; expected an array that can be written")
    if out.size and any(stride == 0 and length > 1 for stride, length in zip(out.strides, out.shape, strict=True)):
        raise ShapeError(f"{name} has elements that share memory (a broadcast view); expected an ordinary array")
    return out


def prepare_values(
    out: Any, reduction: str, shape: tuple[int, ...], dtype: np.dtype[Any], like: np.ndarray | None = None
) -> np.ndarray | None:
    """Check the array that is to take unreduced values, or allocate it; None where the value is a number."""
    if reduction == "none":
        return prepare_output("out", out, shape, dtype, like)
    if out is not None:
        raise ParameterError(
            f"out: with reduction={reduction!r} the value is a float; out takes the values of reduction='none'"
        )
    return None


def same_memory(a: np.ndarray, b: np.ndarray) -> bool:
    """True if two arrays are one and the same piece of memory, element by element."""
    return (
        a.shape == b.shape
        and a.strides == b.strides
        and a.dtype == b.dtype
        and a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
    )


def output_array(result: np.ndarray, sources: Sequence[np.ndarray]) -> tuple[np.ndarray, bool]:
    """Return the array to compute into, and whether it shares memory with what is read.

    An output that is an operand, element for element, is safe: a block is read before it is written. One that overlaps
    an operand in any other way gets a temporary.
    """
    shared = False
    for source in sources:
        if np.may_share_memory(result, source):
            shared = True
            if not same_memory(result, source):
                return np.empty_like(result, subok=False), True
    if not result.flags.aligned or not result.dtype.isnative:
        return np.empty(result.shape, result.dtype.newbyteorder("=")), shared
    return result, shared


def lay_out(
    info: LossInfo,
    with_hessian: bool,
    positions: tuple[int, ...],
    given: Sequence[np.ndarray],
    out: Any,
    sources: Sequence[np.ndarray],
    owner: str,
    shape: tuple[int, ...] | None = None,
) -> tuple[list[Output], bool]:
    """Lay out the arrays of the derivatives, gradients first; say whether one shares memory with what is read.

    Parameters
    ----------
    positions
        The inputs that are differentiated.
    given
        The inputs as they came, whose shapes and types the derivatives have.
    sources
        All arrays that are read while the derivatives are written.
    shape
        The shape that inputs are broadcast to, where they are: derivatives of a smaller one are summed up.
    """
    wanted = [(position, order) for order in ((1, 2) if with_hessian else (1,)) for position in positions]
    outs = [None] * len(wanted) if out is None else list(out) if isinstance(out, tuple | list) else [out]
    if len(outs) != len(wanted):
        names = ", ".join(
            f"{'gradient' if order == 1 else 'Hessian'} of {info.input_names[position]}" for position, order in wanted
        )
        expected = "one array" if len(wanted) == 1 else f"{len(wanted)} arrays ({names})"
        raise ParameterError(f"out of {owner} must be {expected}, got {len(outs)}")
    outputs: list[Output] = []
    shares = False
    for (position, order), item in zip(wanted, outs, strict=True):
        like = given[position]
        label = "out" if len(wanted) == 1 else f"out[{len(outputs)}]"
        result = prepare_output(label, item, like.shape, like.dtype, like)
        if item is not None and any(np.may_share_memory(result, other.result) for other in outputs):
            raise ParameterError(f"{label} shares memory with another array of out")
        if shape is not None and like.shape != shape:
            full = np.empty(shape, np.float64)
            shares = shares or any(np.may_share_memory(result, source) for source in sources)
            outputs.append(Output(full, result, like.shape, position, order))
            continue
        # A new array shares memory with nothing, and was made as the kernels write it.
        array, shared = (result, False) if item is None else output_array(result, sources)
        shares = shares or shared
        outputs.append(Output(array, result, None, position, order))
    return outputs, shares
