"""A call of a loss on pairs or triplets of rows, prepared in full: arrays laid out as rows, one pass, results arranged.

Each row gives one number; what the rows are compared by (a norm of the difference, a cosine) is the business of
``pyx/distance.pyx``. Everything is checked before anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib import _kernels
from losslib.call import answer, arrays, parameters
from losslib.call.operands import Operands
from losslib.call.outputs import Output, prepare_derivatives
from losslib.call.samples import as_output_rows, as_rows, lies_in_rows, prepare_values, read_samples, slabs
from losslib.declaration import modes
from losslib.declaration.schema import BINARY, SIGN, LossInfo
from losslib.errors import ShapeError

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
    owner, raw, options = answer.read_call(info, mode, args, kwargs, ())
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
        if mode != modes.VALUE:
            positions, single = answer.wrt_positions(info, options.pop("wrt", None), owner)
        double_precision = dtype == FLOAT64
        computed = FLOAT64 if double_precision else FLOAT32

        value_array: np.ndarray | None = None
        if mode == modes.VALUE:
            value_array = prepare_values(out, reduction, shape, dtype)
        derivatives: list[Output] = []
        shares = False
        if mode != modes.VALUE:
            operands = Operands(
                vectors[0].shape, vectors, vectors, [], samples.mask, None, None, double_precision, dtype
            )
            derivatives, _, shares = prepare_derivatives(info, False, positions, operands, out, vectors, owner)

        if labels is not None and values["check"]:
            item = info.inputs[2]
            given = np.broadcast_to(labels, shape)
            arrays.require_domain(item.name, given, item.domain, item.fix, samples.mask, info.name)

        inputs = [array if array.ndim > 1 else array[np.newaxis] for array in moved]
        gradients = {
            position: np.moveaxis(output.array, axis, -1).reshape(inputs[0].shape)
            for position, output in zip(positions, derivatives, strict=True)
        }
        per_row = np.empty(shape, np.float64).reshape(inputs[0].shape[:-1])
        target = None if labels is None else np.broadcast_to(labels, per_row.shape)
        mask = None if samples.mask is None else samples.mask.reshape(per_row.shape)
        scale = samples.scale
        if isinstance(scale, np.ndarray):
            scale = np.broadcast_to(scale, shape).reshape(per_row.shape)
        kernel, numbers = info.resolve_kernel(values)
        converted = not all(lies_in_rows(array, computed) for array in (*inputs, *gradients.values()))
        for part in slabs(inputs[0], converted):
            matrices = [as_rows(array[part], computed) for array in inputs]
            grads = [
                as_output_rows(gradients[k][part], computed) if k in gradients else None for k in range(len(inputs))
            ]
            _rows.run(
                kernel,
                matrices,
                grads,
                per_row[part].reshape(-1),
                margin=numbers[0],
                degree=numbers[1],
                eps=numbers[2],
                swap=bool(numbers[3]),
                target=None if target is None else one_per_row(target[part]),
                scale=one_per_row(scale[part]) if isinstance(scale, np.ndarray) else scale,
                mask=None if mask is None else np.ascontiguousarray(mask[part]).reshape(-1),
                stage=shares,
                isa_factor=_ISA_FACTOR,
            )
            for k, gradient in gradients.items():
                matrix = grads[k]
                if matrix is not None and not np.may_share_memory(matrix, gradient):
                    np.copyto(gradient[part], matrix.reshape(gradient[part].shape), casting="same_kind")
        value = None if mode == modes.GRAD else samples.reduce(per_row.reshape(shape), dtype, value_array)
        return answer.arrange(mode, value, [item.finish() for item in derivatives], single)


def read_vectors(info: LossInfo, raw: list[Any]) -> tuple[list[np.ndarray], np.dtype[Any]]:
    """Read the inputs that are compared; they promote as the inputs of pointwise losses do, labels do not count."""
    vectors = [arrays.read_array(item.name, obj) for item, obj in zip(info.inputs, raw, strict=False)]
    first = vectors[0]
    if first.ndim == 0:
        raise ShapeError(
            f"{info.inputs[0].name} of {info.name} needs an axis of components, got a number; "
            f"expected shape (D,) for one vector or (N, D) for N of them"
        )
    for item, array in zip(info.inputs[1:], vectors[1:], strict=False):
        arrays.require_same_shape(item.name, array, info.inputs[0].name, first)
    dtype = first.dtype
    for other in vectors[1:]:
        if other.dtype != dtype:
            try:
                dtype = np.result_type(dtype, other.dtype)
            except TypeError:  # float16 with bfloat16: neither holds the other
                dtype = FLOAT32
    return vectors, dtype


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
    array = arrays.read_array(item.name, obj)
    if array.shape not in (shape, ()):
        vectors = info.inputs[0].name
        fix = f": use {item.name}.reshape({shape})" if array.size == int(np.prod(shape)) else ""
        raise ShapeError(
            f"{item.name} has shape {array.shape}, expected {shape}, one label for each row of {vectors}, "
            f"or a number{fix}"
        )
    return array.astype(np.float64, copy=True)


def one_per_row(array: np.ndarray) -> np.ndarray:
    """Return a contiguous float64 array with one number for each row."""
    return np.ascontiguousarray(array, np.float64).reshape(-1)


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


answer.GEOMETRIES["distance"] = evaluate
parameters.QUICK["distance"] = quick
