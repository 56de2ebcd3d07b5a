"""A call of a loss on pairs or triplets of rows, prepared in full: arrays laid out as rows, one pass, results arranged.

Each row gives one number; what the rows are compared by (a norm of the difference, a cosine) is the business of
``pyx/distance.pyx``. Everything is checked before anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib import _kernels, calls, checks
from losslib.errors import ShapeError
from losslib.operands import Operands
from losslib.outputs import Output, prepare_derivatives
from losslib.registry import BINARY, SIGN, LossInfo
from losslib.rows import prepare_values, read_samples

__all__ = ["evaluate"]

_rows: Any = _kernels.load("distance")

#: Estimated costs are those of AVX-512; the baseline has a quarter of its lanes and no fused multiply-add.
_ISA_FACTOR = 3.0 if _kernels.ISA == "baseline" else 1.0

#: Losses whose last input is one label for each row, behind the vectors.
LABELLED = ("cosine_embedding_loss", "contrastive_loss")

#: The labels of a domain.
LABELS = {SIGN.name: (-1.0, 1.0), BINARY.name: (0.0, 1.0)}

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def evaluate(loss: Any, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a call of a distance loss: the value, the gradients or both, as ``mode`` says."""
    info: LossInfo = loss.info
    owner, raw, options = calls.read_call(info, mode, args, kwargs, ())
    values = loss.parameters
    reduction: str = values["reduction"]
    labelled = info.name in LABELLED
    vectors, dtype = read_vectors(info, raw[:2] if labelled else raw)
    axis = read_axis(info, values, vectors[0])
    moved = [array if axis == array.ndim - 1 else np.moveaxis(array, axis, -1) for array in vectors]
    shape = moved[0].shape[:-1]
    labels = read_labels(info, raw[2], shape) if labelled else None

    with np.errstate(all="ignore"):  # infinities and NaN of weights and of float16 results are results, not warnings
        samples = read_samples(shape, reduction, options)
        out = options.pop("out", None)
        positions: tuple[int, ...] = ()
        single = True
        if mode != calls.VALUE:
            positions, single = calls.wrt_positions(info, options.pop("wrt", None), owner)
        double_precision = dtype == FLOAT64
        computed = FLOAT64 if double_precision else FLOAT32
        rows = int(np.prod(shape, dtype=np.int64))
        columns = moved[0].shape[-1]
        inputs = [as_rows(array, rows, columns, computed) for array in moved]

        value_array: np.ndarray | None = None
        if mode == calls.VALUE:
            value_array = prepare_values(out, reduction, shape, dtype)
        read_in_place = [
            array for array, matrix in zip(vectors, inputs, strict=True) if np.may_share_memory(array, matrix)
        ]
        derivatives: list[Output] = []
        shares = False
        if mode != calls.VALUE:
            operands = Operands(
                vectors[0].shape, vectors, vectors, [], samples.mask, None, None, double_precision, dtype
            )
            derivatives, _, shares = prepare_derivatives(info, False, positions, operands, out, read_in_place, owner)

        if labels is not None and values["check"]:
            item = info.inputs[2]
            given = np.broadcast_to(labels, shape)
            checks.require_domain(item.name, given, item.domain, item.fix, samples.mask, info.name)

        grads: list[np.ndarray | None] = [None] * len(inputs)
        for k, (position, output) in enumerate(zip(positions, derivatives, strict=True)):
            target = output.array if axis == output.array.ndim - 1 else np.moveaxis(output.array, axis, -1)
            matrix = as_output_rows(target, rows, columns, computed)
            if matrix is None:
                matrix = np.empty((rows, columns), computed)
                full = np.moveaxis(matrix.reshape(*shape, columns), -1, axis)
                derivatives[k] = Output(full, output.result)
            grads[position] = matrix

        per_row = np.empty(rows, np.float64)
        kernel, numbers = info.resolve_kernel(values)
        _rows.run(
            kernel,
            inputs,
            grads,
            per_row,
            margin=numbers[0],
            degree=numbers[1],
            eps=numbers[2],
            swap=bool(numbers[3]),
            target=None if labels is None else one_per_row(labels, shape),
            scale=one_per_row(samples.scale, shape) if isinstance(samples.scale, np.ndarray) else samples.scale,
            mask=None if samples.mask is None else np.ascontiguousarray(samples.mask).reshape(-1),
            stage=shares,
            isa_factor=_ISA_FACTOR,
        )
        value = None if mode == calls.GRAD else samples.reduce(per_row.reshape(shape), dtype, value_array)
        return calls.arrange(mode, value, [item.finish() for item in derivatives], single)


def read_vectors(info: LossInfo, raw: list[Any]) -> tuple[list[np.ndarray], np.dtype[Any]]:
    """Read the inputs that are compared; they promote as the inputs of pointwise losses do, labels do not count."""
    arrays = [checks.read_array(item.name, obj) for item, obj in zip(info.inputs, raw, strict=False)]
    first = arrays[0]
    if first.ndim == 0:
        raise ShapeError(
            f"{info.inputs[0].name} of {info.name} needs an axis of components, got a number; "
            f"expected shape (D,) for one vector or (N, D) for N of them"
        )
    for item, array in zip(info.inputs[1:], arrays[1:], strict=False):
        checks.require_same_shape(item.name, array, info.inputs[0].name, first)
    dtype = first.dtype
    for other in arrays[1:]:
        if other.dtype != dtype:
            try:
                dtype = np.result_type(dtype, other.dtype)
            except TypeError:  # float16 with bfloat16: neither holds the other
                dtype = FLOAT32
    return arrays, dtype


def read_axis(info: LossInfo, values: dict[str, Any], first: np.ndarray) -> int:
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
    item = info.inputs[2]
    array = checks.read_array(item.name, obj)
    if array.shape not in (shape, ()):
        vectors = info.inputs[0].name
        fix = f": use {item.name}.reshape({shape})" if array.size == int(np.prod(shape)) else ""
        raise ShapeError(
            f"{item.name} has shape {array.shape}, expected {shape}, one label for each row of {vectors}, "
            f"or a number{fix}"
        )
    return array.astype(np.float64, copy=True)


def as_rows(array: np.ndarray, rows: int, columns: int, dtype: np.dtype[Any]) -> np.ndarray:
    """Return the array as rows x columns with contiguous columns, in the memory it has if that is possible."""
    matrix = array.reshape(rows, columns)
    if matrix.dtype != dtype or (columns > 1 and matrix.strides[1] != matrix.itemsize):
        matrix = np.ascontiguousarray(matrix, dtype)
    return matrix


def as_output_rows(array: np.ndarray, rows: int, columns: int, dtype: np.dtype[Any]) -> np.ndarray | None:
    """Return a view of the array as rows x columns that the kernels can write, or None if there is none."""
    if array.dtype != dtype or not array.flags.aligned:
        return None
    matrix = array.reshape(rows, columns)
    if columns > 1 and matrix.strides[1] != matrix.itemsize:
        return None
    if matrix.size and not np.may_share_memory(matrix, array):  # the reshape made a copy
        return None
    return matrix


def one_per_row(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a contiguous float64 array with one number for each row."""
    return np.ascontiguousarray(np.broadcast_to(array, shape), np.float64).reshape(-1)


def quick(info: LossInfo, values: Mapping[str, Any]) -> Any:
    """Return what answers plain calls of a loss object with these parameters, or None."""
    if values["reduction"] not in ("mean", "sum") or values.get("axis", -1) != -1:
        return None
    labels: tuple[float, ...] | None = None
    if info.name in LABELLED:
        labels = LABELS[info.inputs[2].domain.name] if values["check"] else ()
    kernel, numbers = info.resolve_kernel(values)
    positions = tuple(info.input_names.index(name) for name in info.default_wrt)
    return _rows.Quick(kernel, numbers, positions, labels, values["reduction"] == "mean", _ISA_FACTOR)


calls.GEOMETRIES["distance"] = evaluate
checks.QUICK["distance"] = quick
