"""Losses of data that come in pieces: `Accumulator`."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

import losslib
from losslib import geometries
from losslib._kernels.loss import Loss
from losslib.call.samples import Terms, ratio
from losslib.combine.weighted_sum import WeightedSum, add_up
from losslib.declaration.schema import LossInfo
from losslib.errors import ParameterError, ShapeError
from losslib.sums.exact import ExactSums, quotient
from losslib.sums.groups import canonical, read_keys
from losslib.sums.terms import read_terms

if TYPE_CHECKING:
    from losslib.geometries.base import Geometry

__all__ = ["Accumulator", "flatten", "grad_of_batch"]


class Accumulator:
    """The value of a loss over data that come in pieces, as exact as if they had come at once.

    Numerator and denominator of the loss are summed in fixed point, without rounding, and divided when the result is
    asked for. The result is therefore never a mean of means, and it is the same to the last bit for every split of the
    data and every order of updates and merges.

    Parameters
    ----------
    loss : Loss or str
        A loss object, or the name of a loss with its default parameters. Its reduction says what `result` is; a
        weighted sum of losses works too.

    Raises
    ------
    ParameterError
        If the loss has ``reduction="none"``.

    Notes
    -----
    A group takes about a kilobyte. An update holds eight bytes for each element of its arrays. An accumulator can be
    copied, and pickled and sent to another process; it is not for several threads at a time: give each its own, and
    merge.

    Examples
    --------
    >>> mean = losslib.Accumulator(losslib.HuberLoss(delta=1.0))
    >>> mean.update(np.array([0.5, 3.0]), np.array([0.0, 0.0]))
    >>> mean.update(np.array([1.0]), np.array([1.0]))
    >>> mean.result()
    0.875

    One value for each group:

    >>> by_region = losslib.Accumulator("mse")
    >>> by_region.update(np.array([1.0, 2.0, 4.0]), np.zeros(3), by=["north", "south", "south"])
    >>> by_region.result()
    {'north': 1.0, 'south': 10.0}
    """

    def __init__(self, loss: Any) -> None:
        self._loss = losslib.get(loss) if isinstance(loss, str) else loss
        self._parts = [_Part(coefficient, part) for coefficient, part in flatten(self._loss)]
        self._grouped: bool | None = None  # not known before the first update
        self._rows: dict[Hashable, int] = {}

    @property
    def loss(self) -> Any:
        """The loss whose values are accumulated."""
        return self._loss

    def update(self, *inputs: Any, by: Any = None, sample_weight: Any = None, where: Any = None, **named: Any) -> None:
        """Add the terms of a batch.

        Parameters
        ----------
        *inputs : array_like
            The inputs of the loss, in its order; they may be given by name too.
        by : array_like, optional
            The group of each sample (first axis) or of each element: integers, strings, or any hashable objects; in a
            list, a tuple is one key. A missing key (NaN, NaT, None, a null) is None. Given at every update or at none.
        sample_weight : array_like, optional
            As in a call of the loss.
        where : array_like of bool, optional
            As in a call of the loss.
        **named : array_like
            Inputs by name.

        Raises
        ------
        ValueError
            If the loss refuses the arrays; nothing has been added then.
        TypeError
            If `by` is a masked array or holds what is not hashable; nothing has been added then either.
        """
        options = {"sample_weight": sample_weight, "where": where, **named}
        self._require_grouping(by is not None)
        for part in self._parts:
            part.require_whole(more=True, grouped=by is not None)
        terms = [read_terms(part.loss, inputs, options) for part in self._parts]
        rows: np.ndarray | None = None
        if by is not None:
            codes, keys = read_keys(by)
            fitted = [_fit_groups(codes, item.values.shape) for item in terms]
            rows = self._rows_of(keys)
            for part, item, group in zip(self._parts, terms, fitted, strict=True):
                part.add(item, rows[group])
        else:
            for part, item in zip(self._parts, terms, strict=True):
                part.add(item, None)
        self._grouped = by is not None

    def merge(self, other: Accumulator) -> Accumulator:
        """Add what another accumulator of the same loss has seen; the other stays as it is.

        Parameters
        ----------
        other : Accumulator
            Accumulates an equal loss, by group if and only if this one does.

        Returns
        -------
        Accumulator
            This object, so that ``functools.reduce(Accumulator.merge, parts)`` works.
        """
        if not isinstance(other, Accumulator):
            raise TypeError(f"other must be an Accumulator, got {type(other).__name__}")
        if other._loss != self._loss:
            raise ParameterError(f"other accumulates {other._loss!r}, expected {self._loss!r}")
        if other._grouped is None:
            return self
        self._require_grouping(other._grouped)
        rows = self._rows_of([canonical(key) for key in other._rows]) if other._grouped else np.zeros(1, np.int64)
        for mine, theirs in zip(self._parts, other._parts, strict=True):
            mine.require_whole(more=theirs.seen, grouped=False)
        for mine, theirs in zip(self._parts, other._parts, strict=True):
            mine.merge(theirs, rows)
        self._grouped = other._grouped
        return self

    def result(self) -> Any:
        """Return the value of the loss over everything that was added.

        Returns
        -------
        float or dict
            One value; with groups a dict of them, in the order of the keys where they have one, None last. Without
            any sample it is what the loss gives for an empty array: 0.0 for a sum and NaN for a mean.
        """
        if not self._grouped:
            return self._value(0)
        keys: list[Any] = list(self._rows)
        with suppress(TypeError):  # keys without an order stay as they came
            keys = sorted(key for key in keys if key is not None) + [None] * (None in self._rows)
        return {key: self._value(self._rows[key]) for key in keys}

    def divisors(self) -> list[float]:
        """Return what the sums of the losses are divided by: of the loss, or of each loss of a weighted sum in turn.

        Returns
        -------
        list of float
            1.0 for a sum, the number of elements for a mean, and so on.
        """
        if self._grouped:
            raise ParameterError("divisors are those of all data; this accumulator holds groups")
        return [part.divisor(0) for part in self._parts]

    def reset(self) -> None:
        """Forget everything that was added, groups included."""
        self._parts = [_Part(part.coefficient, part.loss) for part in self._parts]
        self._grouped = None
        self._rows = {}

    def __repr__(self) -> str:
        groups = f", {len(self._rows)} groups" if self._grouped else ""
        return f"<Accumulator of {self._loss!r}{groups}>"

    def __copy__(self) -> Accumulator:
        """Return an accumulator of its own: what is added to one does not show in the other."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._parts = copy.deepcopy(self._parts)
        other._rows = dict(self._rows)
        return other

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._rows = {canonical(key): row for key, row in self._rows.items()}

    def _value(self, row: int) -> float:
        return add_up([part.value(row) for part in self._parts])

    def _require_grouping(self, grouped: bool) -> None:
        if self._grouped is not None and grouped != self._grouped:
            raise ParameterError(
                "by was given before and is missing now; give the group of every sample, or use reset() first"
                if self._grouped
                else "by is given now and was not before; use another Accumulator for values by group, or reset() first"
            )

    def _rows_of(self, keys: list[Hashable]) -> np.ndarray:
        """Return the rows of these keys, new ones for keys that are new."""
        rows = np.array([self._rows.setdefault(key, len(self._rows)) for key in keys], np.int64)
        for part in self._parts:
            part.grow(len(self._rows))
        return rows


class _Part:
    """One loss of a weighted sum with its coefficient, its numerators and its denominators, a row for each group."""

    def __init__(self, coefficient: float, loss: Any) -> None:
        self.coefficient = coefficient
        self.loss = loss
        if loss.reduction == "none":
            raise ParameterError(
                f'{loss!r} adds nothing up; use loss.replace(reduction="mean") or another of its reductions'
            )
        self.numerators = ExactSums()
        self.divisors = None if loss.reduction == "sum" else ExactSums()
        #: True when samples were added, of which perhaps none counted.
        self.seen = False

    @property
    def geometry(self) -> Geometry:
        return geometries.find(self.loss.info.geometry)

    def require_whole(self, *, more: bool, grouped: bool) -> None:
        """Raise for a second piece, or for groups, of a loss whose samples meet each other."""
        met = self.geometry.meets_all(self.loss.info, self.loss.parameters)
        if met and (grouped or (more and self.seen)):
            raise ParameterError(
                f"{self.loss.info.name} does not add up over {'groups' if grouped else 'several updates'}: its samples "
                f"are {self.geometry.uncut}, wherever they are; give all of them in one update"
            )

    def grow(self, rows: int) -> None:
        self.numerators.grow(rows)
        if self.divisors is not None:
            self.divisors.grow(rows)

    def add(self, terms: Terms, rows: np.ndarray | None) -> None:
        self.numerators.add(terms.values, rows)
        self.seen = self.seen or terms.values.size > 0
        if self.divisors is None or terms.divisors is None:
            return
        if terms.divisors.ndim or float(terms.divisors) != 1.0:
            self.divisors.add(np.broadcast_to(terms.divisors, terms.values.shape), rows)
        elif rows is None:  # a mean over all elements: their number
            self.divisors.add(np.array([float(terms.values.size)]))
        else:
            counts = np.bincount(rows.reshape(-1))
            counted = np.flatnonzero(counts)
            self.divisors.add(counts[counted].astype(np.float64), counted)

    def merge(self, other: _Part, rows: np.ndarray) -> None:
        self.numerators.merge(other.numerators, rows)
        self.seen = self.seen or other.seen
        if self.divisors is not None and other.divisors is not None:
            self.divisors.merge(other.divisors, rows)

    def divisor(self, row: int) -> float:
        return 1.0 if self.divisors is None else quotient(self.divisors.value(row), _ONE)

    def value(self, row: int) -> float:
        numerator = self.numerators.value(row)
        divisor = _ONE if self.divisors is None else self.divisors.value(row)
        if divisor == 0 and (
            self.loss.parameters.get("empty") == "zero" or (self.geometry.nothing_is_zero and self.seen)
        ):
            return 0.0
        return self.coefficient * quotient(numerator, divisor)


#: The number 1 in the units of `ExactSums.value`.
_ONE = 2**1074


def flatten(loss: Any, coefficient: float = 1.0) -> list[tuple[float, Any]]:
    """Return the losses of a weighted sum, which may hold further sums, with their coefficients."""
    if isinstance(loss, WeightedSum):
        return [part for factor, term in loss.terms for part in flatten(term, coefficient * factor)]
    if isinstance(loss, Loss) and type(loss).info is None:
        raise ParameterError(
            f"{loss!r} clips its inputs or reduces rows in a way of its own, which is not added up over pieces; give "
            f"the "
            f"loss inside with the reduction mean, sum or none"
        )
    if not isinstance(loss, Loss) or not hasattr(loss, "reduction"):
        raise TypeError(
            f"loss must be a loss object such as losslib.HuberLoss(delta=2.0), or the name of a loss, "
            f"got {_describe(loss)}"
        )
    return [(coefficient, loss)]


def _describe(thing: Any) -> str:
    """Say what was given in place of a loss object and, where a loss stands behind it, how to make one."""
    came = f"the class {thing.__name__}" if isinstance(thing, type) else type(thing).__name__
    info = getattr(thing, "info", None)
    return f"{came}; write losslib.{info.class_name}()" if isinstance(info, LossInfo) else came


def grad_of_batch(
    loss: Any, divisors: list[float], inputs: Sequence[Any], options: Mapping[str, Any], wrt: str
) -> np.ndarray:
    """Return the gradient of the value over all data in one batch of them, given `Accumulator.divisors` of all data.

    That by an input of several matrices comes as all their numbers in one row.
    """
    parts = []
    for (coefficient, part), divisor in zip(flatten(loss), divisors, strict=True):
        summed = part if part.reduction == "none" else part.replace(reduction="sum")
        scale = coefficient * ratio(1.0, divisor)
        if geometries.find(part.info.geometry).meets_all(part.info, part.parameters):  # the batch is all there is
            summed, scale = part, coefficient
        found = summed.grad(*inputs, **options, wrt=wrt, grad_output=scale)
        if isinstance(found, list):  # pairs of matrices, each
            found = np.concatenate([matrix.reshape(-1) for pair in found for matrix in pair])
        parts.append(np.asarray(found))
    return parts[0] if len(parts) == 1 else np.asarray(np.sum(parts, axis=0, dtype=parts[0].dtype))


def _fit_groups(codes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bring one group a sample, or one an element, to the shape of the values."""
    if codes.shape == shape:
        return codes
    if codes.ndim == 1 and shape and codes.shape[0] == shape[0]:
        return np.broadcast_to(codes.reshape((-1,) + (1,) * (len(shape) - 1)), shape)
    per_sample = f"({shape[0]},) for one group a sample" if shape else ""
    per_element = f"{shape} for one an element" if len(shape) != 1 else ""  # else a sample is an element
    expected = " or ".join(filter(None, (per_sample, per_element)))
    raise ShapeError(f"by has shape {codes.shape}; expected {expected}")
