"""Weighted sums of losses on the same inputs: ``0.3 * A + 0.7 * B``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from losslib._kernels.loss import Loss
from losslib.errors import ParameterError, ShapeError

__all__ = ["WeightedSum", "add", "scale"]

Term = tuple[float, Loss]


class WeightedSum(Loss):
    """A weighted sum of losses that take the same inputs; made by ``*`` and ``+``.

    It is called as its terms are. All terms must reduce in the same way to one kind of value: all to numbers, or all
    with ``reduction="none"`` to arrays.

    Parameters
    ----------
    terms : tuple of (float, Loss)
        Coefficients and losses. The terms of a weighted sum among them take its place.

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
        names = {loss.info.input_names for _, loss in checked}
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
        if out is not None and self.reduction != "none":
            raise ParameterError("out takes the values of reduction='none'")
        values = [_times(coefficient, loss(*args, **kwargs)) for coefficient, loss in self._terms]
        return _deliver(_total(values), out)

    def grad(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Return the weighted sum of the gradients."""
        parts = [_times(coefficient, loss.grad(*args, **kwargs)) for coefficient, loss in self._terms]
        return _deliver(_total(parts), out)

    def value_and_grad(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Return the weighted sums of values and gradients."""
        values, grads = [], []
        for coefficient, loss in self._terms:
            value, grad = loss.value_and_grad(*args, **kwargs)
            values.append(_times(coefficient, value))
            grads.append(_times(coefficient, grad))
        return _total(values), _deliver(_total(grads), out)

    def value_grad_hess(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Return the weighted sums of values, gradients and Hessian diagonals."""
        values, grads, hessians = [], [], []
        for coefficient, loss in self._terms:
            value, grad, hess = loss.value_grad_hess(*args, **kwargs)
            values.append(_times(coefficient, value))
            grads.append(_times(coefficient, grad))
            hessians.append(_times(coefficient, hess))
        grad, hess = _total(grads), _total(hessians)
        if out is not None:
            flat = (*grad, *hess) if isinstance(grad, tuple) else (grad, hess)
            _deliver(flat, tuple(out) if isinstance(out, list | tuple) else (out,))
            half = len(out) // 2
            grad, hess = (tuple(out[:half]), tuple(out[half:])) if isinstance(grad, tuple) else (out[0], out[1])
        return _total(values), grad, hess


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
        elif isinstance(loss, Loss) and loss.info is not None:
            found.append((coefficient, loss))
        else:
            raise TypeError(f"terms must be losses, got {type(loss).__name__}")
    return tuple(found)


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


def _times(coefficient: float, part: Any) -> Any:
    """Scale a value or a fresh derivative array (in place), keeping its dtype."""
    if isinstance(part, tuple):
        return tuple(_times(coefficient, item) for item in part)
    if isinstance(part, np.ndarray):
        np.multiply(part, part.dtype.type(coefficient), out=part)
        return part
    return coefficient * part


def _total(parts: list[Any]) -> Any:
    first = parts[0]
    if isinstance(first, tuple):
        return tuple(_total([part[k] for part in parts]) for k in range(len(first)))
    if isinstance(first, np.ndarray):
        for part in parts[1:]:
            np.add(first, part, out=first)
        return first
    return math.fsum(parts)


def _deliver(result: Any, out: Any) -> Any:
    """Copy a result into the caller's array, after every term has read its inputs."""
    if out is None:
        return result
    if isinstance(result, tuple):
        if not isinstance(out, tuple | list) or len(out) != len(result):
            raise ParameterError(f"out must be a tuple of {len(result)} arrays")
        for item, target in zip(result, out, strict=True):
            _require_output(item, target)
        return tuple(_deliver(item, target) for item, target in zip(result, out, strict=True))
    _require_output(result, out)
    np.copyto(out, result)
    return out


def _require_output(result: np.ndarray, out: Any) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a numpy.ndarray, got {type(out).__name__}")
    if out.shape != result.shape or out.dtype != result.dtype:
        raise ShapeError(
            f"out has shape {out.shape} and dtype {out.dtype}, expected {result.shape} and {result.dtype} exactly"
        )
    if not out.flags.writeable:
        raise ValueError("out is read-only; expected an array that can be written")


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
