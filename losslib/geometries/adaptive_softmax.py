"""The adaptive softmax: a head over frequent classes and clusters of rare ones, and a tail for each cluster.

A row meets the head and, if its class is rare, the tail of its cluster, which looks at a projection of the hidden
state. Each is a linear layer whose logits exist by chunks of rows, as in ``linear_softmax``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import read_where
from losslib.declaration.schema import LossInfo
from losslib.errors import ParameterError, ShapeError
from losslib.geometries.base import COMPONENTS, Geometry, Reading, Samples, Work
from losslib.geometries.linear_softmax import Gradient, Layer, by_chunks

__all__ = ["geometry", "is_pairs"]

#: Positions of the inputs.
HIDDEN, TARGET, HEAD, TAILS, BIAS = 0, 1, 2, 3, 4
#: Rare classes of the one tail that is drawn.
DRAWN = 5


@dataclass
class Tail:
    """A cluster of rare classes: the projection (h, D) of hidden states and the class vectors (size, h)."""

    projection: np.ndarray
    weight: np.ndarray
    #: The first of its classes, and where its numbers stand in one row of all tails.
    first: int = 0
    place: int = 0

    @property
    def size(self) -> int:
        return self.projection.size + self.weight.size

    def split(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """View the part of a row of all tails that belongs to this one as its two matrices."""
        middle = self.place + self.projection.size
        projection = numbers[self.place : middle].reshape(self.projection.shape)
        return projection, numbers[middle : self.place + self.size].reshape(self.weight.shape)


@dataclass(kw_only=True)
class Clusters(Reading):
    """Hidden states (rows, D), the class of each, and the layers."""

    hidden: np.ndarray
    target: np.ndarray
    head: np.ndarray
    bias: np.ndarray | None
    tails: list[Tail]
    #: True if tails came as pairs of matrices, which their derivative comes as too.
    in_pairs: bool

    def sources(self) -> list[np.ndarray]:
        return [*super().sources(), *(array for tail in self.tails for array in (tail.projection, tail.weight))]


class AdaptiveSoftmax(Geometry):
    kernels = "softmax"

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Clusters:
        names = info.input_names
        hidden = arrays.read_array(names[HIDDEN], raw[HIDDEN])
        head = arrays.read_array(names[HEAD], raw[HEAD])
        bias = None if raw[BIAS] is None else arrays.read_array(names[BIAS], raw[BIAS])
        if not hidden.ndim or not hidden.shape[-1]:
            raise ShapeError(f"{names[HIDDEN]} has shape {hidden.shape}; expected (…, D): one hidden state a row")
        components = hidden.shape[-1]
        require_ascending(values["cutoffs"])
        if head.ndim != 2 or len(head) < 2 or head.shape[1] != components:
            raise ShapeError(
                f"{names[HEAD]} has shape {head.shape}, expected (frequent classes + clusters, D) with D = "
                f"{components}, the last axis of {names[HIDDEN]}"
            )
        if bias is not None and bias.shape != (len(head),):
            raise ShapeError(f"{names[BIAS]} has shape {bias.shape}, expected ({len(head)},): one number for each row")
        in_pairs = is_pairs(raw[TAILS])
        if in_pairs:
            tails = read_pairs(names[TAILS], raw[TAILS], components)
            numbers = [array for tail in tails for array in (tail.projection, tail.weight)]
            # Takes no memory: what a derivative by all tails is as large as.
            row = np.broadcast_to(np.zeros((), arrays.promote(numbers)), (sum(array.size for array in numbers),))
        else:
            row = arrays.read_array(names[TAILS], raw[TAILS])
            numbers = [row]
            tails = cut_row(names[TAILS], row, values, len(head), components)
        classes = place(tails, len(head), values["cutoffs"], names)
        shape = hidden.shape[:-1]
        mask = read_where(options, shape, "a mask of the samples")
        target = arrays.read_classes(names[TARGET], raw[TARGET], shape, classes, mask)
        given: list[Any] = [hidden, target, head, row, bias]
        return Clusters(
            given=given,
            shape=shape,
            dtype=arrays.promote([hidden, head, *numbers]),
            mask=mask,
            hidden=hidden.reshape(-1, components),
            target=target.reshape(-1),
            head=head,
            bias=bias,
            tails=tails,
            in_pairs=in_pairs,
        )

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Clusters,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        dtype, first = reading.computed, reading.tails[0].first
        each = found.reshape(-1)
        each.fill(0.0)
        sums = {item.position: Gradient(item, dtype) for item in work.derivatives}
        factor = samples.factor_per_sample()
        target = reading.target
        counted = None if reading.mask is None else reading.mask.reshape(-1)
        cluster = np.searchsorted([tail.first for tail in reading.tails], target, side="right")
        parts = {"hidden": HIDDEN, "weight": HEAD, "bias": BIAS}
        by_chunks(
            self.layer(reading.head, reading.bias, values),
            reading.hidden,
            np.where(cluster > 0, first + cluster - 1, target),
            dtype,
            rows=None if counted is None else np.flatnonzero(counted),
            factor=factor,
            values=each,
            sums={name: sums[position] for name, position in parts.items() if position in sums},
        )
        for k, tail in enumerate(reading.tails):
            of_tail = cluster == k + 1
            rows = np.flatnonzero(of_tail if counted is None else of_tail & counted)
            if len(rows):
                self.run_tail(tail, rows, reading, values, factor, each, sums)
        for gradient in sums.values():
            gradient.finish()

    def run_tail(
        self,
        tail: Tail,
        rows: np.ndarray,
        reading: Clusters,
        values: Mapping[str, Any],
        factor: np.ndarray,
        found: np.ndarray,
        sums: Mapping[int, Gradient],
    ) -> None:
        """Add what the rows of one cluster owe to its tail."""
        dtype = reading.computed
        hidden = np.ascontiguousarray(reading.hidden[rows], dtype)
        projection = tail.projection.astype(dtype, copy=False)
        projected = hidden @ projection.T
        each = np.empty(len(rows))
        parts: dict[str, Any] = {}
        if sums.keys() & {HIDDEN, TAILS}:
            parts["hidden"] = SimpleNamespace(array=np.empty(projected.shape, dtype))
        by_projection: np.ndarray | None = None
        if TAILS in sums:
            by_projection, by_weight = tail.split(sums[TAILS].array)
            parts["weight"] = SimpleNamespace(array=by_weight)
        by_chunks(
            self.layer(tail.weight, None, values),
            projected,
            reading.target[rows] - tail.first,
            dtype,
            rows=None,
            factor=factor[rows],
            values=each,
            sums=parts,
        )
        found[rows] += each
        if by_projection is not None:
            by_projection += parts["hidden"].array.T @ hidden
        if HIDDEN in sums:
            sums[HIDDEN].array.reshape(-1, hidden.shape[1])[rows] += parts["hidden"].array @ projection

    def layer(self, weight: np.ndarray, bias: np.ndarray | None, values: Mapping[str, Any]) -> Layer:
        return Layer(
            driver=self.driver,
            kernel="cross_entropy",
            numbers=(),
            weight=weight,
            bias=bias,
            chunk_rows=values["chunk_rows"],
        )

    def hand_over(self, reading: Reading, position: int, derivative: np.ndarray) -> Any:
        """Return the derivative by tails in pairs as such pairs, views of one row."""
        assert isinstance(reading, Clusters)
        if position != TAILS or not reading.in_pairs:
            return derivative
        return [tail.split(derivative) for tail in reading.tails]

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return tuple(range(ndim - 1))

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return self.sample_axes(info, values, ndim)

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        cutoffs = values["cutoffs"] or (COMPONENTS,)
        widths = [width(values["div_value"], COMPONENTS, k) for k in range(len(cutoffs))]
        classes = [*cutoffs, cutoffs[-1] + DRAWN]
        sizes = [h * (COMPONENTS + stop - start) for h, (start, stop) in zip(widths, pairwise(classes), strict=True)]
        rows, head = max(1, elements // COMPONENTS), cutoffs[0] + len(cutoffs)
        return [
            rng.standard_normal((rows, COMPONENTS)),
            rng.integers(0, classes[-1], rows),
            rng.standard_normal((head, COMPONENTS)),
            rng.standard_normal(sum(sizes)),
            rng.standard_normal(head),
        ]


def width(div_value: float, components: int, tail: int) -> int:
    """Return to how many components a tail projects hidden states, as PyTorch's module has it."""
    return int(components // np.float64(div_value) ** (tail + 1))


def require_ascending(cutoffs: tuple[int, ...] | None) -> None:
    """Raise unless every tail, and the head, has a class."""
    if cutoffs is not None and (cutoffs[0] < 1 or any(a >= b for a, b in pairwise(cutoffs))):
        raise ParameterError(f"cutoffs={cutoffs}: expected positive integers that rise, the first class of each tail")


def is_pairs(tails: Any) -> bool:
    """True for a sequence of pairs of matrices, one pair a tail."""
    return (
        isinstance(tails, list | tuple)
        and len(tails) > 0
        and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in tails)
    )


def read_pairs(name: str, pairs: Sequence[Sequence[Any]], components: int) -> list[Tail]:
    """Read the projection and the class vectors of each tail."""
    tails: list[Tail] = []
    for k, pair in enumerate(pairs):
        projection, weight = (arrays.read_array(f"{name}[{k}][{j}]", matrix) for j, matrix in enumerate(pair))
        if projection.ndim != 2 or projection.shape[1] != components or not len(projection):
            raise ShapeError(
                f"{name}[{k}][0] has shape {projection.shape}, expected (h, D) with D = {components}: the projection "
                f"of hidden states to h components"
            )
        if weight.ndim != 2 or weight.shape[1] != len(projection) or not len(weight):
            raise ShapeError(
                f"{name}[{k}][1] has shape {weight.shape}, expected (classes, h) with h = {len(projection)}, the rows "
                f"of {name}[{k}][0]"
            )
        tails.append(Tail(projection, weight))
    return tails


def cut_row(name: str, row: np.ndarray, values: Mapping[str, Any], head: int, components: int) -> list[Tail]:
    """Cut one row of numbers into the matrices of the tails, whose shapes follow from cutoffs and div_value."""
    if row.ndim != 1:
        raise ShapeError(
            f"{name} has shape {row.shape}; expected one pair of matrices for each tail, [((h, D), (classes, h)), …], "
            f"or the same numbers in one row"
        )
    cutoffs = values["cutoffs"] or (head - 1,)
    sizes: list[int] = [stop - start for start, stop in pairwise(cutoffs)]
    tails, start = [], 0
    for k in range(len(cutoffs)):
        h = width(values["div_value"], components, k)
        if h < 1:
            raise ParameterError(
                f"div_value={values['div_value']:g} leaves tail {k} none of {components} components; give {name} as "
                f"pairs of matrices, or a smaller div_value"
            )
        middle = start + h * components
        # The last one ends where the row ends.
        classes = sizes[k] if k < len(sizes) else (len(row) - middle) // h
        stop = middle + classes * h
        if classes < 1 or stop > len(row) or (k == len(sizes) and stop != len(row)):
            raise ShapeError(
                f"{name} has {len(row)} numbers, which do not make tails with projections to "
                f"{', '.join(str(width(values['div_value'], components, j)) for j in range(len(cutoffs)))} components"
            )
        projection, weight = row[start:middle].reshape(h, components), row[middle:stop].reshape(classes, h)
        tails.append(Tail(projection, weight))
        start = stop
    return tails


def place(tails: list[Tail], head: int, cutoffs: tuple[int, ...] | None, names: Sequence[str]) -> int:
    """Give each tail its first class and its place in one row; return the number of all classes."""
    first = head - len(tails)
    if first < 1:
        raise ShapeError(
            f"{names[HEAD]} has {head} rows; expected more than the {len(tails)} of the clusters, one for each "
            f"frequent class and one for each tail"
        )
    start, position = first, 0
    for tail in tails:
        tail.first, tail.place = start, position
        start += len(tail.weight)
        position += tail.size
    found = tuple(tail.first for tail in tails)
    if cutoffs is not None and cutoffs != found:
        raise ParameterError(
            f"cutoffs={cutoffs} do not fit the weights: {names[HEAD]} and {names[TAILS]} have {found}, the first class "
            f"of each tail"
        )
    return start


geometry = AdaptiveSoftmax()
