"""Weighted sums of losses on the same inputs: ``0.3 * A + 0.7 * B``.

float16 and bfloat16 inputs are widened before the terms see them, so that every term is computed, scaled and added in
float32 and the sum is rounded once. Results are written to ``out`` after every term has read its inputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from losslib._kernels.loss import Loss
from losslib.call import arrays
from losslib.call.answer import arrange
from losslib.call.outputs import prepare_output
from losslib.declaration.modes import GRAD, VALUE, VALUE_AND_GRAD, VALUE_GRAD_HESS
from losslib.declaration.schema import Input, LossInfo
from losslib.errors import ParameterError, ShapeError

__all__ = [
    "METHODS",
    "WeightedSum",
    "add",
    "add_up",
    "deliver",
    "first_term",
    "info_of",
    "names_of_derivatives",
    "scale",
    "take_apart",
    "value_and_scaled_grad",
    "value_of",
    "widen",
]

Term = tuple[float, Loss]

#: The methods that answer the modes of a call.
METHODS = ("__call__", "grad", "value_and_grad", "value_grad_hess")

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
LEAST_FLOAT32, MOST_FLOAT32 = 2.0**-126, float(np.finfo(np.float32).max)  # the normal numbers
HALF_PRECISION = ("float16", "bfloat16")


class WeightedSum(Loss):
    """A weighted sum of losses that take the same inputs; made by ``*`` and ``+``.

    It is called as its terms are. All terms must reduce in the same way to one kind of value: all to numbers, or all
    with ``reduction="none"`` to arrays of one shape.

    Parameters
    ----------
    terms : tuple of (float, Loss)
        Coefficients and losses. The terms of a weighted sum among them take its place.

    Raises
    ------
    ParameterError
        If there is no term, a coefficient is not finite, or the losses do not fit together.

    Notes
    -----
    float16 and bfloat16 are computed, scaled and added in float32; the sum is rounded once. A term with the coefficient
    0 counts as well: where it is infinite the sum is NaN.

    Examples
    --------
    >>> loss = 0.5 * losslib.L1Loss() + 2.0 * losslib.MSELoss()
    >>> loss(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    4.5
    >>> loss.grad(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    array([0.  , 4.25])
    """

    __slots__ = ("_terms",)
    _terms: tuple[Term, ...]

    def __init__(self, terms: tuple[Term, ...] = ()) -> None:
        if hasattr(self, "_terms"):
            raise AttributeError("a loss is immutable; make a new one")
        checked = _read_terms(terms)
        if not checked:
            raise ParameterError("terms must hold at least one (coefficient, loss)")
        names = {info_of(loss).input_names for _, loss in checked}
        if len(names) > 1:
            listed = " and ".join(f"({', '.join(item)})" for item in sorted(names))
            raise ParameterError(f"losses are added on the same inputs, got losses of {listed}")
        if len({loss.reduction == "none" for _, loss in checked}) > 1:
            raise ParameterError('all terms must have reduction="none", or none of them')
        object.__setattr__(self, "_terms", checked)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a loss is immutable; make a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a loss is immutable; make a new one")

    @property
    def terms(self) -> tuple[Term, ...]:
        """The coefficients and losses."""
        return self._terms

    @property
    def parameters(self) -> dict[str, Any]:
        """The terms, by name, as the class takes them."""
        return {"terms": self._terms}

    @property
    def reduction(self) -> str:
        """The reduction of the first term."""
        return str(self._terms[0][1].reduction)

    def replace(self, **changes: Any) -> WeightedSum:
        """Return a sum with other terms."""
        return WeightedSum(**{**self.parameters, **changes})

    def __repr__(self) -> str:
        return " + ".join(f"{coefficient!r} * {loss!r}" for coefficient, loss in self._terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WeightedSum) and self._terms == other._terms

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._terms)

    def __reduce__(self) -> tuple[Any, ...]:
        return WeightedSum, (self._terms,)

    def __call__(self, *args: Any, out: np.ndarray | None = None, **kwargs: Any) -> Any:
        """Return the weighted sum of the values."""
        if self.reduction == "none":
            return self._answer(VALUE, args, kwargs, out)
        if out is not None:
            raise ParameterError(
                f"out: with reduction={self.reduction!r} the value is a float; out takes the values of reduction='none'"
            )
        call = widen(info_of(self), args, kwargs)
        return add_up([coefficient * loss(*call.args, **call.kwargs) for coefficient, loss in self._terms])

    def grad(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Return the weighted sum of the gradients."""
        return self._answer(GRAD, args, kwargs, out)

    def value_and_grad(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Return the weighted sums of values and gradients."""
        return self._answer(VALUE_AND_GRAD, args, kwargs, out)

    def value_grad_hess(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Return the weighted sums of values, gradients and Hessian diagonals."""
        return self._answer(VALUE_GRAD_HESS, args, kwargs, out)

    def _answer(self, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
        with np.errstate(all="ignore"):  # infinities and NaN are results, not warnings
            return self._evaluate(mode, args, kwargs, out)

    def _evaluate(self, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
        """Answer a call for derivatives, or for unreduced values."""
        info = info_of(self)
        call = widen(info, args, kwargs)
        numbers: list[float] = []  # the values of the terms, where they are reduced
        values: np.ndarray | None = None  # their sum, where they are arrays
        totals: list[np.ndarray] = []  # the derivatives, gradients first
        single = True
        for position, (coefficient, loss) in enumerate(self._terms):
            value, derivatives, single = take_apart(mode, getattr(loss, METHODS[mode])(*call.args, **call.kwargs))
            if isinstance(value, np.ndarray):
                if values is not None and value.shape != values.shape:
                    raise ShapeError(
                        f"with reduction='none' the values of all terms must have one shape: {self._label(0)} gives "
                        f"{values.shape}, {self._label(position)} gives {value.shape}; reduce them, or call them apart"
                    )
                scaled = _times(coefficient, value)
                values = scaled if values is None else np.add(values, scaled, out=values)
            elif mode != GRAD:
                numbers.append(coefficient * value)
            parts = [_times(coefficient, part) for part in derivatives]
            if position == 0:
                totals = parts
            else:
                for total, part in zip(totals, parts, strict=True):
                    np.add(total, part, out=total)
        if mode == VALUE and values is not None:
            return deliver([("out", values, call.dtype_of_values(values), out)])[0]
        result: Any = None
        if values is not None:
            result = values.astype(call.dtype_of_values(values), copy=False)
        elif mode != GRAD:
            result = add_up(numbers)
        return arrange(mode, result, self._derivatives(mode, call, info, totals, kwargs.get("wrt"), out), single)

    def _derivatives(
        self, mode: int, call: Call, info: LossInfo, totals: list[np.ndarray], wrt: Any, out: Any
    ) -> list[np.ndarray]:
        """Round the sums of the derivatives to the types of their inputs and put them where the caller wants them."""
        if out is None and not call.dtypes:
            return totals
        names = names_of_derivatives(info, wrt)
        orders = ("gradient", "Hessian") if mode == VALUE_GRAD_HESS else ("gradient",)
        wanted = [(order, name) for order in orders for name in names]
        outs = [None] * len(wanted) if out is None else list(out) if isinstance(out, tuple | list) else [out]
        if len(outs) != len(wanted):
            listed = ", ".join(f"{order} of {name}" for order, name in wanted)
            raise ParameterError(
                f"out of {METHODS[mode]} of a weighted sum must be {len(wanted)} arrays ({listed}), got {len(outs)}"
            )
        return deliver(
            [
                ("out" if len(wanted) == 1 else f"out[{k}]", total, call.dtypes.get(name, total.dtype), item)
                for k, ((_, name), total, item) in enumerate(zip(wanted, totals, outs, strict=True))
            ]
        )

    def _label(self, position: int) -> str:
        return f"terms[{position}] ({info_of(self._terms[position][1]).class_name})"


# ---- terms -------------------------------------------------------------------------------------------------------


def _read_terms(terms: Any) -> tuple[Term, ...]:
    """Check coefficients and losses; sums among them are replaced by their terms."""
    if not isinstance(terms, Iterable):
        raise TypeError(f"terms must be a tuple of (coefficient, loss), got {type(terms).__name__}")
    found: list[Term] = []
    for position, item in enumerate(terms):
        if not isinstance(item, Sequence) or isinstance(item, str | bytes) or len(item) != 2:
            raise ParameterError(f"terms[{position}] must be (coefficient, loss), got {item!r}")
        coefficient, loss = _coefficient(item[0]), item[1]
        if isinstance(loss, WeightedSum):
            found += [(_coefficient(coefficient * inner), term) for inner, term in loss.terms]
        elif isinstance(loss, Loss):
            found.append((coefficient, loss))
        else:
            raise TypeError(f"terms must be losses, got {type(loss).__name__}")
    return tuple(found)


def first_term(loss: Any) -> Any:
    """Return the first loss of a combination that is none itself; another loss as it is."""
    while loss.info is None:
        loss = loss.terms[0][1]
    return loss


def info_of(loss: Loss) -> LossInfo:
    """Return the declaration of a loss, for a combination that of its first term."""
    info: LossInfo = first_term(loss).info
    return info


def _is_number(value: object) -> bool:
    return isinstance(value, Real | np.number) and not isinstance(value, bool | np.complexfloating)


def _coefficient(value: Any) -> float:
    if not _is_number(value):
        raise TypeError(f"a coefficient must be a number, got {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:  # an int beyond the largest float
        raise ParameterError("a coefficient must be finite, got an integer beyond every float") from None
    if not math.isfinite(number):
        raise ParameterError(f"a coefficient must be finite, got {value!r}")
    return number


# ---- inputs of half precision ------------------------------------------------------------------------------------


class Call(NamedTuple):
    """The arguments of a call with float16 and bfloat16 widened, and the types that its results are rounded to."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    #: The type of the derivative of each widened input, by name.
    dtypes: Mapping[str, np.dtype[Any]]
    #: The type that the inputs promote to, None where nothing was widened.
    promoted: np.dtype[Any] | None

    def dtype_of_values(self, values: np.ndarray) -> np.dtype[Any]:
        """Return the type of unreduced values, which the terms gave in float32 or float64."""
        return values.dtype if self.promoted is None or values.dtype == FLOAT64 else self.promoted


def widen(info: LossInfo, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """Replace the inputs of half precision by float32, or float64 where the others are; the values stay the same.

    Class indices, lengths and labels have no part in the type of the computation and are left alone, and so is what
    cannot be read: the loss says why.
    """
    if len(args) == len(info.inputs) and all(type(obj) is np.ndarray and obj.dtype.itemsize != 2 for obj in args):
        return Call(args, kwargs, {}, None)
    names = info.input_names
    given = dict(zip(names, args, strict=False))
    if kwargs:
        given.update((name, kwargs[name]) for name in names if name in kwargs)
    read = {name: array for name, obj in given.items() if (array := _read(name, obj)) is not None}
    if not any(map(_is_half, read.values())):
        return Call(args, kwargs, {}, None)
    first = read.get(names[0])
    parts = {
        item.name: read[item.name]
        for item in info.inputs
        if item.name in read and takes_part(item, read[item.name], first)
    }
    promoted: np.dtype[Any] | None = None
    for array in parts.values():
        dtype = FLOAT64 if array.dtype.kind in "biu" else array.dtype.newbyteorder("=")
        try:
            promoted = dtype if promoted is None else np.result_type(promoted, dtype)
        except TypeError:  # float16 with bfloat16: neither holds the other
            promoted = FLOAT32
    wide = FLOAT64 if promoted == FLOAT64 else FLOAT32
    halves = {name: array for name, array in parts.items() if _is_half(array)}
    return Call(
        (
            *(halves[name].astype(wide) if name in halves else obj for name, obj in zip(names, args, strict=False)),
            *args[len(names) :],
        ),
        {name: halves[name].astype(wide) if name in halves else obj for name, obj in kwargs.items()},
        {name: array.dtype.newbyteorder("=") for name, array in halves.items()},
        promoted,
    )


def takes_part(item: Input, array: np.ndarray, first: np.ndarray | None) -> bool:
    """True if the type of an input counts in the type of the computation: numbers and rows, no labels or classes."""
    if item.holds in ("number", "row"):
        return True
    return item.or_row and first is not None and array.shape == first.shape and array.dtype.kind not in "biu"


def _read(name: str, obj: Any) -> np.ndarray | None:
    """Return an input as an array; None for a number of Python, which has no type, and for what losses refuse."""
    if type(obj) is np.ndarray:
        return obj
    if type(obj) in (int, float, bool) or isinstance(obj, np.ma.MaskedArray):
        return None
    try:
        return arrays.to_numpy(name, obj)
    except (TypeError, ValueError):
        return None


def _is_half(array: np.ndarray) -> bool:
    return array.dtype.itemsize == 2 and array.dtype.name in HALF_PRECISION


# ---- results -----------------------------------------------------------------------------------------------------


def value_of(loss: Loss, args: tuple[Any, ...]) -> float:
    """Return the value of a reduced loss, as `value_and_scaled_grad` computes it."""
    call = widen(info_of(loss), args, {})
    return float(loss(*call.args, **call.kwargs))


def value_and_scaled_grad(coefficient: float, loss: Loss, args: tuple[Any, ...]) -> tuple[float, Any]:
    """Return the value of a reduced loss, and its gradient times the coefficient."""
    info = info_of(loss)
    call = widen(info, args, {})
    with np.errstate(all="ignore"):
        value, gradient = loss.value_and_grad(*call.args, **call.kwargs)
        _, parts, single = take_apart(GRAD, gradient)
        scaled = [
            _times(coefficient, part).astype(call.dtypes.get(name, part.dtype), copy=False)
            for name, part in zip(names_of_derivatives(info, None), parts, strict=True)
        ]
    return float(value), arrange(GRAD, None, scaled, single)


def add_up(numbers: Sequence[float]) -> float:
    """Add numbers with one rounding; infinities and NaN by the rules of IEEE 754."""
    try:
        return math.fsum(numbers)
    except ValueError:  # infinities of both signs
        return math.nan
    except OverflowError:  # on the way: the sum itself may be finite
        return math.fsum(number * 2.0**-64 for number in numbers) * 2.0**64


def take_apart(mode: int, result: Any) -> tuple[Any, list[np.ndarray], bool]:
    """Take the result of a call apart: the value, the derivatives in one list, whether they are those of one input."""
    if mode == VALUE:
        return result, [], True
    value, *derivatives = (None, result) if mode == GRAD else result
    if isinstance(derivatives[0], tuple):
        return value, [item for group in derivatives for item in group], False
    return value, derivatives, True


def names_of_derivatives(info: LossInfo, wrt: Any) -> tuple[str, ...]:
    """Return the names of the inputs of the derivatives of a call that has been answered."""
    if wrt is None:
        return info.default_wrt
    return (wrt,) if isinstance(wrt, str) else tuple(wrt)


def _times(coefficient: float, part: np.ndarray) -> np.ndarray:
    """Scale a fresh array in place; in float64 where float32 does not hold the coefficient."""
    if coefficient == 1.0:
        return part
    if part.dtype == FLOAT64 or coefficient == 0.0 or LEAST_FLOAT32 <= abs(coefficient) <= MOST_FLOAT32:
        np.multiply(part, part.dtype.type(coefficient), out=part)
    else:
        np.multiply(part, coefficient, out=part, dtype=np.float64, casting="same_kind")
    return part


def deliver(results: list[tuple[str, np.ndarray, np.dtype[Any], Any]]) -> list[np.ndarray]:
    """Return results (name of the output, array, type, output or None) as the caller wants them.

    All outputs are checked before one is written. Nothing is read any more, so they may overlap the inputs in any way.
    """
    targets: list[np.ndarray | None] = []
    for label, array, dtype, out in results:
        target = None if out is None else prepare_output(label, out, array.shape, dtype, None)
        if target is not None and any(np.may_share_memory(target, other) for other in targets if other is not None):
            raise ParameterError(f"{label} shares memory with another array of out")
        targets.append(target)
    delivered = []
    for (_, array, dtype, _), target in zip(results, targets, strict=True):
        rounded = array.astype(dtype, copy=False)
        if target is not None:
            np.copyto(target, rounded)
            rounded = target
        delivered.append(rounded)
    return delivered


# ---- operators ---------------------------------------------------------------------------------------------------


def scale(coefficient: Any, loss: Any) -> Any:
    """Return ``coefficient * loss``."""
    if not isinstance(loss, Loss) or isinstance(coefficient, Loss):
        return NotImplemented
    if not _is_number(coefficient):
        return NotImplemented
    return WeightedSum(((coefficient, loss),))


def add(first: Any, second: Any) -> Any:
    """Return ``first + second``; 0 is the empty sum, so that ``sum(losses)`` works."""
    if isinstance(first, int | float) and first == 0 and isinstance(second, Loss):
        return second
    if isinstance(second, int | float) and second == 0 and isinstance(first, Loss):
        return first
    if not isinstance(first, Loss) or not isinstance(second, Loss):
        return NotImplemented
    return WeightedSum(((1.0, first), (1.0, second)))
