"""Where the results of a call go: new arrays, or the caller's own.

An array given as ``out`` may be an input; then a block is read before it is written. One that overlaps an input in any
other way gets a temporary, so that every result is what it would be without the overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call.operands import Operands
from losslib.declaration.schema import LossInfo
from losslib.errors import DTypeError, ParameterError, ShapeError

__all__ = ["Output", "output_array", "prepare_derivatives", "prepare_gradient", "prepare_output"]


@dataclass
class Output:
    """One derivative (or the values) on its way to the caller."""

    array: np.ndarray  # what the pass writes, of the full shape
    result: np.ndarray  # what the caller gets
    summed_to: tuple[int, ...] | None = None  # shape of a broadcast input, whose derivative is a sum

    def finish(self) -> np.ndarray:
        if self.summed_to is not None:
            np.copyto(self.result, sum_to_shape(self.array, self.summed_to), casting="same_kind")
        elif self.array is not self.result:
            np.copyto(self.result, self.array)
        return self.result


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


def same_memory(a: np.ndarray, b: np.ndarray) -> bool:
    """True if two arrays are one and the same piece of memory, element by element."""
    return (
        a.shape == b.shape
        and a.strides == b.strides
        and a.dtype == b.dtype
        and a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
    )


def output_array(result: np.ndarray, operands: list[np.ndarray]) -> tuple[np.ndarray, bool]:
    """Return the array to compute into, and whether it is the memory of an operand.

    An output that is an operand, element for element, is safe: a block is read before it is written. One that overlaps
    an operand in any other way gets a temporary.
    """
    shared = False
    for operand in operands:
        if np.may_share_memory(result, operand):
            shared = True
            if not same_memory(result, operand):
                return np.empty_like(result, subok=False), True
    if not result.flags.aligned or not result.dtype.isnative:
        return np.empty(result.shape, result.dtype.newbyteorder("=")), shared
    return result, shared


def prepare_derivatives(
    info: LossInfo,
    with_hessian: bool,
    positions: tuple[int, ...],
    operands: Operands,
    out: Any,
    sources: list[np.ndarray],
    owner: str,
) -> tuple[list[Output], tuple[int, ...], bool]:
    """Lay out the arrays of the derivatives: gradients of every input asked for, then the Hessians."""
    orders = (1, 2) if with_hessian else (1,)
    wanted = [(position, order) for order in orders for position in positions]
    outs = [None] * len(wanted) if out is None else list(out) if isinstance(out, tuple | list) else [out]
    if len(outs) != len(wanted):
        names = ", ".join(
            f"{'gradient' if order == 1 else 'Hessian'} of {info.input_names[position]}" for position, order in wanted
        )
        raise ParameterError(f"out of {owner} must be {len(wanted)} arrays ({names}), got {len(outs)}")
    outputs: list[Output] = []
    shares = False
    for (position, _order), item in zip(wanted, outs, strict=True):
        given = operands.given[position]
        label = "out" if len(wanted) == 1 else f"out[{len(outputs)}]"
        result = prepare_output(label, item, given.shape, given.dtype, given)
        if item is not None and any(np.may_share_memory(result, other.result) for other in outputs):
            raise ParameterError(f"{label} shares memory with another array of out")
        if given.shape != operands.shape:
            full = np.empty(operands.shape, np.float64 if operands.double_precision else np.float32)
            outputs.append(Output(full, result, summed_to=given.shape))
            shares = shares or any(np.may_share_memory(result, source) for source in sources)
            continue
        array, shared = output_array(result, sources)
        shares = shares or shared
        outputs.append(Output(array, result))
    # The plane of each derivative in a block: grad, hess of the first input, then of the second, then of the third.
    planes = tuple(1 + 2 * position + (order - 1) for position, order in wanted)
    return outputs, planes, shares


def prepare_gradient(out: Any, source: np.ndarray, owner: str) -> Output:
    """Lay out the gradient of the one input that has one: a new array, or the caller's, which may be the input."""
    outs = [None] if out is None else list(out) if isinstance(out, tuple | list) else [out]
    if len(outs) != 1:
        raise ParameterError(f"out of {owner} must be one array, got {len(outs)}")
    result = prepare_output("out", outs[0], source.shape, source.dtype, source)
    array, _ = output_array(result, [source])
    return Output(array, result)
