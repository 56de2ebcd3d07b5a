"""The softmax geometry with its linear layer: hidden states and class vectors come in, logits exist by chunks of rows.

Rows that do not count leave before the product. A chunk of logits becomes their gradient in place, and two more
products take it back to hidden states and weights. The products are ``numpy.matmul``'s, on the threads of NumPy's BLAS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.outputs import Output
from losslib.declaration.schema import PROBABILITY, LossInfo
from losslib.errors import ParameterError, ShapeError
from losslib.geometries.base import COMPONENTS, Reading, Samples, Work
from losslib.geometries.products import add_product
from losslib.geometries.softmax import ClassAxis, Classes, Softmax

__all__ = ["Gradient", "Layer", "by_chunks", "geometry"]

#: Bytes of logits that exist at a time, and the least rows of a chunk.
CHUNK, LEAST_ROWS = 40 << 20, 64
#: Positions of the inputs.
HIDDEN, WEIGHT, TARGET, BIAS = 0, 1, 2, 3
#: What the derivative by an input is called in `by_chunks`.
PARTS = {HIDDEN: "hidden", WEIGHT: "weight", TARGET: "target", BIAS: "bias"}


@dataclass(kw_only=True)
class Layered(Classes):
    """Hidden states (N, D), class vectors (C, D) and their bias."""

    hidden: np.ndarray
    linear_weight: np.ndarray
    linear_bias: np.ndarray | None


class LinearSoftmax(Softmax):
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
        return Layered(**fields, hidden=rows, linear_weight=weight, linear_bias=bias)

    def offer(self, info: LossInfo, reading: Reading, positions: tuple[int, ...], hessian: bool, owner: str) -> None:
        assert isinstance(reading, Layered)
        if TARGET in positions and not reading.soft:
            raise ParameterError(f"wrt='target': class indices have no derivative; {owner} offers it for probabilities")

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
        dtype = reading.computed
        values_of_rows = found.reshape(-1)
        values_of_rows.fill(0.0)
        sums = {item.position: Gradient(item, dtype) for item in work.derivatives}
        kernel, numbers = info.resolve_kernel(values)
        by_chunks(
            Layer(
                driver=self.driver,
                kernel=kernel,
                numbers=numbers,
                weight=reading.linear_weight,
                bias=reading.linear_bias,
                class_weight=reading.class_weight,
                smoothing=values["label_smoothing"],
                z_loss=values["z_loss"],
                chunk_rows=values["chunk_rows"],
            ),
            reading.hidden,
            reading.target.reshape(-1, len(reading.linear_weight)) if reading.soft else reading.target.reshape(-1),
            dtype,
            rows=None if reading.keep is None else np.flatnonzero(reading.keep),
            factor=samples.factor_per_sample(),
            values=values_of_rows,
            sums={PARTS[position]: gradient for position, gradient in sums.items()},
        )
        for gradient in sums.values():
            gradient.finish()

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return self.sample_axes(info, values, ndim)

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


@dataclass(kw_only=True)
class Layer:
    """A linear layer below a softmax, and what the cross entropy of its logits is computed with."""

    driver: ModuleType
    kernel: str
    numbers: tuple[float, ...]
    weight: np.ndarray
    bias: np.ndarray | None
    class_weight: np.ndarray | None = None
    smoothing: float = 0.0
    z_loss: float = 0.0
    #: Rows whose logits exist at a time; None for as many as make `CHUNK` bytes.
    chunk_rows: int | None = None


class Gradient:
    """The derivative by one input, added up in the type that is computed in."""

    def __init__(self, item: Output, dtype: np.dtype[Any]) -> None:
        self.wanted = item.array
        direct = item.array.dtype == dtype and item.array.flags.c_contiguous
        self.array = item.array if direct else np.empty(item.array.shape, dtype)
        self.array.fill(0.0)

    def finish(self) -> None:
        if self.array is not self.wanted:
            np.copyto(self.wanted, self.array, casting="same_kind")


def by_chunks(
    layer: Layer,
    hidden: np.ndarray,
    target: np.ndarray,
    dtype: np.dtype[Any],
    *,
    rows: np.ndarray | None,
    factor: np.ndarray,
    values: np.ndarray,
    sums: Mapping[str, Any],
) -> None:
    """Write the cross entropy of rows of hidden states, and add its derivatives, times the factor of each row.

    Parameters
    ----------
    target
        One class a row, or (soft) one row of probabilities.
    rows
        The rows that are computed; None for all.
    sums
        What holds an ``array`` of the type `dtype` for each derivative that is wanted: by ``hidden`` and ``target``,
        whose rows are written, by ``weight`` and ``bias``, which are added to.
    """
    classes, soft = len(layer.weight), target.ndim == 2
    vectors = layer.weight
    if not (vectors.flags.c_contiguous or vectors.flags.f_contiguous):
        vectors = np.ascontiguousarray(vectors)  # NumPy hands no other layout to BLAS
    bias = None if layer.bias is None else layer.bias.astype(dtype)
    count = len(hidden) if rows is None else len(rows)
    step = layer.chunk_rows or max(LEAST_ROWS, CHUNK // (classes * dtype.itemsize))
    logits = np.empty((min(step, count), classes), dtype)
    by_target = sums["target"].array.reshape(-1, classes) if "target" in sums else None
    for start in range(0, count, step):
        part: Any = slice(start, min(start + step, count)) if rows is None else rows[start : start + step]
        states = np.ascontiguousarray(hidden[part], dtype)
        chunk = logits[: len(states)]
        for block, weight in blocks(vectors, dtype):
            np.matmul(states, weight.T, out=chunk[:, block])
        if bias is not None:
            chunk += bias
        wanted = np.ascontiguousarray(target[part])
        value = np.empty(len(states))
        planes = {"grad": chunk[:, :, np.newaxis]} if sums.keys() - {"target"} else {}
        if by_target is not None:
            planes["target_grad"] = np.empty((len(states), classes, 1), dtype)
        layer.driver.run(
            layer.kernel,
            layer.numbers,
            chunk[:, :, np.newaxis],
            wanted[:, :, np.newaxis] if soft else wanted[:, np.newaxis],
            double_precision=dtype == np.float64,
            soft=soft,
            class_weight=layer.class_weight,
            keep=None,
            scale=np.ascontiguousarray(factor[part]),
            scale_all=0.0,
            values=value,
            smoothing=layer.smoothing,
            z_loss=layer.z_loss,
            **planes,
        )
        values[part] = value
        if by_target is not None:
            by_target[part] = planes["target_grad"][:, :, 0]
        back(sums, chunk, states, vectors, part)


def back(
    sums: Mapping[str, Any], chunk: np.ndarray, hidden: np.ndarray, linear_weight: np.ndarray, part: np.ndarray | slice
) -> None:
    """Take the gradient by a chunk of logits back to hidden states, class vectors and bias."""
    if "hidden" in sums:
        rows = sums["hidden"].array.reshape(-1, hidden.shape[1])
        total: np.ndarray | None = None
        for block, weight in blocks(linear_weight, chunk.dtype):
            product = chunk[:, block] @ weight
            total = product if total is None else total + product
        rows[part] = total
    if "weight" in sums:
        add_product(sums["weight"].array, chunk.T, hidden)
    if "bias" in sums:
        sums["bias"].array += chunk.sum(axis=0, dtype=np.float64).astype(chunk.dtype)


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
