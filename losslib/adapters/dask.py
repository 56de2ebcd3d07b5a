"""Losses of Dask arrays, chunk by chunk: values, per-element values and gradients of pointwise and row losses.

Every chunk is read by one task, which computes with one thread. A mean is the sum of all numerators divided by the sum
of all denominators, whatever the chunks are. Nothing is computed before ``compute``, with one exception: a gradient
whose denominator depends on the data (a mask, weights, an ignored class) needs it first, and reads the data for it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.layers import ArrayBlockIdDep

import losslib
from losslib import geometries, parallelism
from losslib.call import arrays as call_arrays
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, ParameterError, ShapeError
from losslib.geometries.adaptive_softmax import is_pairs
from losslib.geometries.base import Geometry
from losslib.sums.accumulator import Accumulator, flatten, grad_of_batch
from losslib.sums.groups import Keys, read_keys
from losslib.sums.pieces import cut_axes, in_whole, sample_axes, term_axes

__all__ = ["accumulate", "grad", "value", "value_and_grad", "values"]

#: Accumulators that one task merges.
FAN_IN = 8
#: Axes of an array of NumPy, at most.
MOST_AXES = 64

#: The shapes of pairs of matrices.
_Shapes = list[list[tuple[int, ...]]]


def value(loss: Any, *inputs: Any, sample_weight: Any = None, where: Any = None, by: Any = None) -> Any:
    """Return the reduced value of a loss, to be computed.

    Parameters
    ----------
    loss : Loss or str
        A loss object with a reduction, or the name of a loss.
    *inputs : dask or NumPy arrays
        The inputs of the loss, in its order.
    sample_weight : array, optional
        One weight a sample or an element.
    where : array of bool, optional
        Elements or samples that count.
    by : array, optional
        The group of each sample or element; the value is a dict then.

    Returns
    -------
    dask.delayed.Delayed
        Computes to a float, or to a dict of floats by group.

    Examples
    --------
    >>> import dask.array as da
    >>> from losslib.adapters import dask as losslib_dask
    >>> prediction, target = da.arange(8.0, chunks=3), da.zeros(8, chunks=3)
    >>> losslib_dask.value(losslib.MSELoss(), prediction, target).compute()
    17.5
    """
    total = accumulate(loss, *inputs, sample_weight=sample_weight, where=where, by=by)
    return dask.delayed(Accumulator.result)(total)


def accumulate(loss: Any, *inputs: Any, sample_weight: Any = None, where: Any = None, by: Any = None) -> Any:
    """Return the `losslib.Accumulator` of a loss over Dask arrays, to be computed.

    Parameters
    ----------
    loss : Loss or str
        A loss object with a reduction, or the name of a loss.
    *inputs : dask or NumPy arrays
        The inputs of the loss, in its order.
    sample_weight : array, optional
        One weight a sample or an element.
    where : array of bool, optional
        Elements or samples that count.
    by : array, optional
        The group of each sample or element.

    Returns
    -------
    dask.delayed.Delayed
        Computes to an `Accumulator`, which can be merged with others.
    """
    call = _Call(_bind(loss), inputs, {"sample_weight": sample_weight, "where": where, "by": by})
    Accumulator(call.loss)  # refuses a loss without a reduction now, not in a worker
    chunks = call.blockwise(
        _accumulate_block, call.value_axes, np.dtype(object), call.options, loss=call.loss, keys=call.keys
    )
    level = list(np.asarray(chunks.to_delayed(), object).reshape(-1))
    merge = dask.delayed(_merge)
    while len(level) > 1:
        level = [merge(level[start : start + FAN_IN]) for start in range(0, len(level), FAN_IN)]
    return level[0]


def values(loss: Any, *inputs: Any, sample_weight: Any = None, where: Any = None) -> da.Array:
    """Return the value of every element or sample, as the loss gives it with ``reduction="none"``.

    Parameters
    ----------
    loss : Loss or str
        A loss object or the name of a loss; its reduction does not matter.
    *inputs : dask or NumPy arrays
        The inputs of the loss, in its order.
    sample_weight : array, optional
        One weight a sample or an element.
    where : array of bool, optional
        Elements or samples that count.

    Returns
    -------
    dask.array.Array
        In the chunks of the first input.
    """
    call = _Call(_with_reduction(_bind(loss), "none"), inputs, {"sample_weight": sample_weight, "where": where})
    return call.blockwise(_values_block, call.value_axes, call.dtype, call.options, loss=call.loss)


def grad(loss: Any, *inputs: Any, sample_weight: Any = None, where: Any = None, wrt: str | None = None) -> Any:
    """Return the gradient of the value with respect to one input.

    Parameters
    ----------
    loss : Loss or str
        A loss object or the name of a loss.
    *inputs : dask or NumPy arrays
        The inputs of the loss, in its order.
    sample_weight : array, optional
        One weight a sample or an element.
    where : array of bool, optional
        Elements or samples that count.
    wrt : str, optional
        Name of the input; by default the first.

    Returns
    -------
    dask.array.Array
        Of the shape and dtype of that input, in its chunks where these hold whole samples; pairs of such arrays by an
        input that is pairs of matrices. If the denominator depends on the data, they are read once now.
    """
    bound = _bind(loss)
    call = _Call(bound, inputs, {"sample_weight": sample_weight, "where": where})
    name = call.info.input_names[0] if wrt is None else wrt
    if name not in call.info.input_names:
        raise ParameterError(f"wrt={wrt!r} is no input of {call.info.name}: {', '.join(call.info.input_names)}")
    position = call.info.input_names.index(name)
    divisors = call.known_divisors()
    if divisors is None:
        divisors = accumulate(loss, *inputs, sample_weight=sample_weight, where=where).compute().divisors()
    array, axes = call.arrays[position]
    if axes is None:
        raise ParameterError(f"wrt={name!r}: a number has no gradient in chunks; pass an array")
    dtype = array.dtype if _is_float(array.dtype) else np.dtype(np.float64)
    if call.info.inputs[position].shared:
        parts = call.blockwise(
            _grad_object, call.value_axes, np.dtype(object), call.options, loss=bound, divisors=divisors, wrt=name
        )
        level = list(np.asarray(parts.to_delayed(), object).reshape(-1))
        added = da.from_delayed(dask.delayed(_add)(level, dtype), array.shape, dtype)
        return _in_pairs(added, call.pairs[position]) if position in call.pairs else added
    return call.blockwise(_grad_block, axes, dtype, call.options, loss=bound, divisors=divisors, wrt=name)


def value_and_grad(
    loss: Any, *inputs: Any, sample_weight: Any = None, where: Any = None, wrt: str | None = None
) -> tuple[Any, Any]:
    """Return the value and the gradient with respect to one input; see `value` and `grad`.

    Parameters
    ----------
    loss : Loss or str
        A loss object or the name of a loss.
    *inputs : dask or NumPy arrays
        The inputs of the loss, in its order.
    sample_weight : array, optional
        One weight a sample or an element.
    where : array of bool, optional
        Elements or samples that count.
    wrt : str, optional
        Name of the input; by default the first.

    Returns
    -------
    dask.delayed.Delayed
        The value.
    dask.array.Array
        The gradient.
    """
    options = {"sample_weight": sample_weight, "where": where}
    return value(loss, *inputs, **options), grad(loss, *inputs, **options, wrt=wrt)


# ---- which chunks meet -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Literal:
    """A number in the place of an array: the same for every chunk."""

    number: Any


class _Call:
    """The arrays of a call with the axes of the first input that each of them runs along."""

    def __init__(self, loss: Any, inputs: Sequence[Any], options: dict[str, Any]) -> None:
        self.loss = loss
        self.info: LossInfo = flatten(loss)[0][1].info
        names = self.info.input_names
        least = sum(not item.optional for item in self.info.inputs)
        if not least <= len(inputs) <= len(names):
            raise TypeError(f"{self.info.name} takes {len(names)} arrays ({', '.join(names)}), got {len(inputs)}")
        inputs = [*inputs, *(item.default for item in self.info.inputs[len(inputs) :])]
        first = _as_dask(names[0], inputs[0])
        if first.ndim == 0:
            raise ShapeError(f"{names[0]} is a number; expected an array in chunks")
        for _, part in flatten(loss):
            geometry = geometries.find(part.info.geometry)
            if not geometry.in_chunks(part.info, part.parameters):
                known = geometry.uncut != Geometry.uncut
                reason = f"are {geometry.uncut}" if known else "do not fit those of the first input"
                raise ParameterError(
                    f"{part.info.name} is not computed in chunks: its samples {reason}; compute the arrays first, and "
                    f"call it on what belongs together"
                )
        every = tuple(range(first.ndim))
        self.value_axes = sample_axes(loss, first.ndim)
        self._cut = set(cut_axes(loss, first.ndim))
        self._whole = set(every) - self._cut
        terms = term_axes(loss, first.ndim)
        self.arrays: list[tuple[Any, tuple[int, ...] | None]] = [self._place(first, every)]
        #: Position of an input of pairs of matrices, which tasks take as one row of numbers, and their shapes.
        self.pairs: dict[int, _Shapes] = {}
        for item, obj in zip(self.info.inputs[1:], inputs[1:], strict=True):
            if obj is None and item.optional:
                self.arrays.append((_Literal(None), None))
                continue
            if item.shared and is_pairs(obj):
                matrices = [[_as_dask(item.name, matrix) for matrix in pair] for pair in obj]
                self.pairs[len(self.arrays)] = [[matrix.shape for matrix in pair] for pair in matrices]
                obj = da.concatenate([matrix.reshape(-1) for pair in matrices for matrix in pair])
            array = _as_dask(item.name, obj)
            if array.ndim == 0:
                self.arrays.append((_Literal(obj), None))
            elif item.shared:
                self.arrays.append((array.rechunk(-1), self._own_axes(array.ndim)))
            elif array.ndim == first.ndim:
                self.arrays.append(self._place(array, self._beside(array)))
            elif array.ndim == len(self.value_axes):
                self.arrays.append(self._place(array, self.value_axes))
            elif item.broadcasts and array.ndim == first.ndim - 1:
                self.arrays.append(self._place(array, every[:-1]))
            else:
                raise ShapeError(
                    f"{item.name} has {array.ndim} axes and {names[0]} has {first.ndim}; {self.info.name} needs them "
                    f"to agree as for arrays in memory"
                )
        self.options: list[tuple[str, Any, Any]] = []
        self.keys: list[Any] | None = None  # of groups that are no Dask array: the array holds their positions
        for name, obj in options.items():
            if obj is None:
                continue
            if name == "by":
                array, self.keys = _keys_as_dask(obj)
            else:
                array = _as_dask(name, obj)
            if name == "where":  # NumPy's rule: the last axes
                axes = terms[len(terms) - array.ndim :]
            elif array.ndim == 1:
                axes = terms[:1]
            else:
                axes = terms
            if array.ndim != len(axes):
                raise ShapeError(f"{name} has {array.ndim} axes, expected at most {len(terms)}")
            self.options.append((name, *self._place(array, axes)))

    def _own_axes(self, ndim: int) -> tuple[int, ...]:
        """Return axes that only the next array runs along: numbers that no other array has."""
        return tuple(MOST_AXES * (len(self.arrays) + 1) + axis for axis in range(ndim))

    def _beside(self, array: da.Array) -> tuple[int, ...]:
        """Return the axes of an array that has those of the first input, or, along whole ones, lengths of its own."""
        shape = self.arrays[0][0].shape
        return tuple(
            own if axis in self._whole and array.shape[axis] != shape[axis] else axis
            for axis, own in enumerate(self._own_axes(array.ndim))
        )

    def _place(self, array: da.Array, axes: tuple[int, ...]) -> tuple[da.Array, tuple[int, ...]]:
        whole = {position: -1 for position, axis in enumerate(axes) if axis not in self._cut}
        return (array.rechunk(whole) if whole else array), axes

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of unreduced values, as for arrays in memory."""
        indices = self.info.geometry in ("softmax", "softmax_classes", "margin")
        layered = any(item.shared for item in self.info.inputs)
        found = [
            array.dtype if _is_float(array.dtype) else np.dtype(np.float64)
            for item, (array, axes) in zip(self.info.inputs, self.arrays, strict=True)
            if axes is not None and (len(axes) == self.arrays[0][0].ndim or item.shared)
            if _is_float(array.dtype) or not indices
            # Beside a layer only its weights and what they are multiplied with say it.
            if not layered or (not item.indices and not item.optional)
        ]
        return np.result_type(*found)

    def blockwise(
        self, function: Any, axes: tuple[int, ...], dtype: Any, options: list[tuple[str, Any, Any]], **keywords: Any
    ) -> da.Array:
        """Call a function on the chunks that belong together."""
        pairs: list[Any] = []
        for array, along in [*self.arrays, *((array, along) for _, array, along in options)]:
            pairs += [array, along]
        chunks, aligned = da.core.unify_chunks(*pairs)
        pairs = [item for pair in zip(aligned, pairs[1::2], strict=True) for item in pair]
        names = [*self.info.input_names, *(name for name, _, _ in options)]
        place = _Place(
            axes,
            {axis: _starts(chunks[axis]) for axis in axes},
            {name: along for name, along in zip(names, pairs[1::2], strict=True) if along is not None},
            self.pairs,
        )
        return da.blockwise(
            function,
            axes,
            ArrayBlockIdDep(tuple(chunks[axis] for axis in axes)),
            axes,
            *pairs,
            dtype=dtype,
            meta=np.empty((0,) * len(axes), dtype),
            concatenate=True,
            align_arrays=False,
            adjust_chunks={axis: chunks[axis] for axis in axes},
            place=place,
            names=tuple(name for name, _, _ in options),
            inputs=len(self.arrays),
            **keywords,
        )

    def known_divisors(self) -> list[float] | None:
        """Return what the sum of each part is divided by, or None where only the data can tell."""
        found = []
        shape = self.arrays[0][0].shape
        for _, part in flatten(self.loss):
            size = float(np.prod([shape[axis] for axis in self.value_axes], dtype=np.float64))
            masked = any(name == "where" for name, _, _ in self.options)
            if part.reduction in ("none", "sum"):
                found.append(1.0)
            elif part.reduction == "batchmean" and shape[0] == shape[0]:  # not NaN: chunks of known length
                found.append(float(shape[0]))
            elif (
                part.reduction == "mean"
                and not masked
                and size == size
                and "ignore_index" not in part.parameters
                and (
                    part.info.mean_divisor in ("count", "target_length")  # the latter divides each sample
                    or (part.info.mean_divisor == "weight" and part.parameters.get("weight", 1) is None)
                )
            ):
                found.append(size)
            else:
                return None
        return found


def _bind(loss: Any) -> Any:
    return losslib.get(loss) if isinstance(loss, str) else loss


def _with_reduction(loss: Any, reduction: str) -> Any:
    parts = [factor * part.replace(reduction=reduction) for factor, part in flatten(loss)]
    return sum(parts[1:], parts[0]) if hasattr(loss, "terms") else loss.replace(reduction=reduction)


def _as_dask(name: str, obj: Any) -> da.Array:
    if hasattr(obj, "to_dask_array"):  # a column of a Dask frame
        return obj.to_dask_array()
    if isinstance(obj, da.Array):
        return obj
    if hasattr(obj, "dask"):  # another lazy array, such as one of xarray
        return da.asarray(obj)
    return da.from_array(call_arrays.to_numpy(name, obj))  # refuses masked arrays and nulls, as in memory


def _keys_as_dask(by: Any) -> tuple[da.Array, list[Any] | None]:
    """Return groups as a Dask array: lazy ones as they are, others as the positions of their keys, with the keys."""
    if hasattr(by, "to_dask_array"):
        return by.map_partitions(_positions, meta=("by", object)).to_dask_array(), None
    if hasattr(by, "dask"):
        return da.asarray(by), None
    codes, keys = read_keys(by)
    return da.from_array(codes), keys


def _positions(column: Any) -> Any:
    """Replace the entries of a pandas column by their keys, as objects: a null would make floats of integers."""
    codes, keys = read_keys(column)
    objects = np.empty(len(keys), object)
    objects[:] = keys
    return type(column)(objects[codes], index=column.index, dtype=object)


def _is_float(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "f" or dtype.name == "bfloat16"


def _starts(chunks: tuple[float, ...]) -> tuple[int | None, ...]:
    """Return where each chunk of an axis begins, None behind chunks of unknown length."""
    starts: list[int | None] = [0]
    for length in chunks[:-1]:
        known = starts[-1] is not None and length == length
        starts.append(int(starts[-1] + length) if known else None)  # type: ignore[operator]
    return tuple(starts)


@dataclass(frozen=True)
class _Place:
    """Where a task's chunks lie in the whole."""

    axes: tuple[int, ...]  # that the tasks are numbered along
    starts: dict[int, tuple[int | None, ...]]  # of the chunks along these axes
    arrays: dict[str, tuple[int, ...]]  # the axes of each array
    pairs: dict[int, _Shapes]  # the inputs whose numbers are those of pairs of matrices

    @contextmanager
    def errors(self, block: tuple[int, ...]) -> Iterator[None]:
        """Make errors tell positions in the whole."""
        begin = {axis: self.starts[axis][number] for axis, number in zip(self.axes, block, strict=True)}
        try:
            yield
        except DomainError as error:
            starts = {name: [begin.get(axis, 0) for axis in axes] for name, axes in self.arrays.items()}
            raise in_whole(error, starts) from None


# ---- what a task does --------------------------------------------------------------------------------------------


class _Serial:
    """Switches losslib's own threads off while any task of this process runs: the scheduler fills the cores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks = 0
        self._width = 1

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._tasks == 0:
                self._width = parallelism.get_num_threads()
                parallelism.set_num_threads(1)
            self._tasks += 1
        try:
            yield
        finally:
            with self._lock:
                self._tasks -= 1
                if self._tasks == 0:
                    parallelism.set_num_threads(self._width)


serial = _Serial()


def _in_pairs(row: Any, shapes: _Shapes) -> list[tuple[Any, ...]]:
    """Cut a row of numbers into pairs of matrices."""
    found, start = [], 0
    for pair in shapes:
        matrices = []
        for shape in pair:
            stop = start + math.prod(shape)
            matrices.append(row[start:stop].reshape(shape))
            start = stop
        found.append(tuple(matrices))
    return found


def _split(
    arrays: Sequence[Any], place: _Place, names: tuple[str, ...], inputs: int
) -> tuple[list[Any], dict[str, Any]]:
    plain = [array.number if isinstance(array, _Literal) else array for array in arrays]
    for position, shapes in place.pairs.items():
        plain[position] = _in_pairs(plain[position], shapes)
    return plain[:inputs], dict(zip(names, plain[inputs:], strict=True))


def _accumulate_block(
    block: tuple[int, ...],
    *arrays: Any,
    place: _Place,
    names: tuple[str, ...],
    inputs: int,
    loss: Any,
    keys: list[Any] | None = None,
) -> Accumulator:
    args, options = _split(arrays, place, names, inputs)
    by = options.pop("by", None)
    if keys is not None:
        by = Keys(by, keys)
    accumulator = Accumulator(loss)
    with serial(), place.errors(block):
        accumulator.update(*args, **options, by=by)
    return accumulator


def _values_block(
    block: tuple[int, ...], *arrays: Any, place: _Place, names: tuple[str, ...], inputs: int, loss: Any
) -> np.ndarray:
    args, options = _split(arrays, place, names, inputs)
    with serial(), place.errors(block):
        return np.asarray(loss(*args, **options))


def _grad_block(
    block: tuple[int, ...],
    *arrays: Any,
    place: _Place,
    names: tuple[str, ...],
    inputs: int,
    loss: Any,
    divisors: list[float],
    wrt: str,
) -> np.ndarray:
    args, options = _split(arrays, place, names, inputs)
    with serial(), place.errors(block):
        return grad_of_batch(loss, divisors, args, options, wrt)


def _grad_object(block: tuple[int, ...], *arrays: Any, **keywords: Any) -> np.ndarray:
    """Return the gradient of a chunk by what all samples share, as one object."""
    part = np.empty((1,) * len(block), object)
    part[...] = [_grad_block(block, *arrays, **keywords)]
    return part


def _add(parts: list[np.ndarray], dtype: np.dtype[Any]) -> np.ndarray:
    """Add gradients by what all samples share, in the order of the chunks."""
    total = np.zeros(())
    for part in parts:
        total = total + part.item().astype(np.float64)
    return total.astype(dtype)


def _merge(parts: list[Accumulator]) -> Accumulator:
    merged = Accumulator(parts[0].loss)
    for part in parts:
        merged.merge(part)
    return merged
