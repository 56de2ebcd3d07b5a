"""The softmax geometry with its linear layer: hidden states and class vectors come in, logits exist by chunks of rows.

Rows that do not count leave before the product. A chunk of logits becomes their gradient in place, and two more
products take it back to hidden states and weights. The products are ``numpy.matmul``'s, on the threads of NumPy's BLAS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.outputs import Output
from losslib.declaration.schema import PROBABILITY, LossInfo
from losslib.errors import ParameterError, ShapeError
from losslib.geometries.base import COMPONENTS, Reading, Samples, Work
from losslib.geometries.products import add_product
from losslib.geometries.softmax import ClassAxis, Classes, Softmax

__all__ = ["geometry"]

#: Bytes of logits that exist at a time, and the least rows of a chunk.
CHUNK, LEAST_ROWS = 40 << 20, 64
#: Positions of the inputs.
HIDDEN, WEIGHT, TARGET, BIAS = 0, 1, 2, 3


@dataclass(kw_only=True)
class Layer(Classes):
    """Hidden states (N, D), class vectors (C, D) and their bias."""

    hidden: np.ndarray
    linear_weight: np.ndarray
    linear_bias: np.ndarray | None


class LinearSoftmax(Softmax):
    uncut = "rows that share the weights of a layer"
    chunked = False

    def plain(self, info: LossInfo, values: Mapping[str, Any]) -> Any:
        return None

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Classes:
        hidden = arrays.read_array(info.inputs[HIDDEN].name, raw[HIDDEN])
        weight = arrays.read_array(info.inputs[WEIGHT].name, raw[WEIGHT])
        bias = None if raw[BIAS] is None else arrays.read_array(info.inputs[BIAS].name, raw[BIAS])
        require_layer(info, hidden, weight, bias)
        dtype = arrays.promote([hidden, weight])
        # Logits of the right shape that take no memory: what the classes are compared with.
        logits = np.broadcast_to(np.zeros((), dtype), (*hidden.shape[:-1], len(weight)))
        axis = ClassAxis(logits.shape, -1, info.inputs[HIDDEN].name)
        found = self.read_classes(info, values, logits, axis, info.inputs[TARGET], raw[TARGET], options)
        fields = {name: getattr(found, name) for name in Classes.__dataclass_fields__}
        fields |= {"given": [hidden, weight, found.target, bias], "dtype": dtype}
        rows = hidden.reshape(-1, hidden.shape[-1])
        return Layer(**fields, hidden=rows, linear_weight=weight, linear_bias=bias)

    def offer(self, info: LossInfo, reading: Reading, positions: tuple[int, ...], hessian: bool, owner: str) -> None:
        if BIAS in positions and reading.given[BIAS] is None:
            raise ParameterError(f"wrt={info.inputs[BIAS].name!r}: the call has no such input")

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Any) -> None:
        if values["check"] and reading.soft:
            fix = "divide each row by its sum"
            mask = None
            if reading.mask is not None:
                mask = np.broadcast_to(reading.mask[..., np.newaxis], reading.target.shape)
            arrays.require_domain("target", reading.target, PROBABILITY, fix, mask, info.name)

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Any,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        dtype, classes = reading.computed, len(reading.linear_weight)
        values_of_rows = found.reshape(-1)
        values_of_rows.fill(0.0)
        counted = np.ones(len(reading.hidden), bool) if reading.keep is None else reading.keep != 0
        rows = np.flatnonzero(counted)
        sums = {item.position: Gradient(item, dtype) for item in work.derivatives}
        target = reading.target.reshape(-1, classes) if reading.soft else reading.target.reshape(-1)
        factor = samples.factor_per_sample()
        bias = None if reading.linear_bias is None else reading.linear_bias.astype(dtype)
        step = values["chunk_rows"] or max(LEAST_ROWS, CHUNK // (classes * dtype.itemsize))
        logits = np.empty((min(step, len(rows)), classes), dtype)
        kernel, numbers = info.resolve_kernel(values)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            whole = len(rows) == len(reading.hidden)
            hidden = reading.hidden[start : start + step] if whole else reading.hidden[part]
            hidden = np.ascontiguousarray(hidden, dtype)
            chunk = logits[: len(part)]
            for block, weight in blocks(reading.linear_weight, dtype):
                np.matmul(hidden, weight.T, out=chunk[:, block])
            if bias is not None:
                chunk += bias
            value = np.empty(len(part))
            self.driver.run(
                kernel,
                numbers,
                chunk[:, :, np.newaxis],
                target[part][:, :, np.newaxis] if reading.soft else np.ascontiguousarray(target[part])[:, np.newaxis],
                double_precision=reading.double_precision,
                soft=reading.soft,
                class_weight=reading.class_weight,
                keep=None,
                scale=np.ascontiguousarray(factor[part]),
                scale_all=0.0,
                values=value,
                smoothing=values["label_smoothing"],
                z_loss=values["z_loss"],
                **({"grad": chunk[:, :, np.newaxis]} if sums else {}),
            )
            values_of_rows[part] = value
            if sums:
                back(sums, chunk, hidden, reading.linear_weight, part)
        for gradient in sums.values():
            gradient.finish()

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return ()

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return tuple(range(ndim - 1))

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        rows = max(1, elements // COMPONENTS)
        weight = rng.standard_normal((COMPONENTS, COMPONENTS))
        return [
            rng.standard_normal((rows, COMPONENTS)),
            weight,
            rng.integers(0, COMPONENTS, rows),
            rng.standard_normal(COMPONENTS),
        ]


class Gradient:
    """The derivative by one input, added up in the type that is computed in."""

    def __init__(self, item: Output, dtype: np.dtype[Any]) -> None:
        self.wanted = item.array
        direct = item.array.dtype == dtype and item.array.flags.c_contiguous
        self.array = item.array if direct else np.empty(item.array.shape, dtype)
        self.array.fill(0.0)
        self.untouched = True

    def add_product(self, matrix: np.ndarray, others: np.ndarray) -> None:
        if self.untouched:
            np.matmul(matrix, others, out=self.array)
            self.untouched = False
        else:
            add_product(self.array, matrix, others)

    def finish(self) -> None:
        if self.array is not self.wanted:
            np.copyto(self.wanted, self.array, casting="same_kind")


def back(
    sums: Mapping[int, Gradient], chunk: np.ndarray, hidden: np.ndarray, linear_weight: np.ndarray, part: np.ndarray
) -> None:
    """Take the gradient by a chunk of logits back to hidden states, class vectors and bias."""
    if HIDDEN in sums:
        rows = sums[HIDDEN].array.reshape(-1, hidden.shape[1])
        total: np.ndarray | None = None
        for block, weight in blocks(linear_weight, chunk.dtype):
            product = chunk[:, block] @ weight
            total = product if total is None else total + product
        rows[part] = total
    if WEIGHT in sums:
        sums[WEIGHT].add_product(chunk.T, hidden)
    if BIAS in sums:
        sums[BIAS].array += chunk.sum(axis=0, dtype=np.float64).astype(chunk.dtype)


def blocks(weight: np.ndarray, dtype: np.dtype[Any]) -> Iterator[tuple[slice, np.ndarray]]:
    """Go through the class vectors: all at once, or, where they have to be widened, in blocks that stay small."""
    if weight.dtype == dtype:
        yield slice(None), weight
        return
    step = max(1, CHUNK // max(1, weight.shape[1] * dtype.itemsize))
    for start in range(0, len(weight), step):
        block = slice(start, start + step)
        yield block, weight[block].astype(dtype)


def require_layer(info: LossInfo, hidden: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> None:
    """Raise unless hidden states, class vectors and bias fit together."""
    names = [item.name for item in info.inputs]
    if hidden.ndim == 0:
        raise ShapeError(f"{names[HIDDEN]} is a number; expected (…, D): one hidden state a row")
    if weight.ndim != 2 or not len(weight) or weight.shape[1] != hidden.shape[-1]:
        raise ShapeError(
            f"{names[WEIGHT]} has shape {weight.shape}, expected (C, D) with D = {hidden.shape[-1]}, the last axis of "
            f"{names[HIDDEN]}"
        )
    if bias is not None and bias.shape != (len(weight),):
        raise ShapeError(f"{names[BIAS]} has shape {bias.shape}, expected ({len(weight)},): one number for each class")


geometry = LinearSoftmax()
