"""A loss of elements in the frame that another package puts around it: clipped inputs, means over some axes.

Keras clips probabilities to [1e-7, 1 - 1e-7] and averages the last axis before any reduction; MXNet averages all axes
but the first. `losslib.get("keras:...")` gives such a loss where a plain one would give other numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib._kernels.loss import Loss
from losslib.call import arrays
from losslib.call.answer import arrange, read_call
from losslib.combine.weighted_sum import (
    METHODS,
    Call,
    deliver,
    first_term,
    info_of,
    names_of_derivatives,
    take_apart,
    widen,
)
from losslib.declaration.modes import GRAD, VALUE, VALUE_AND_GRAD, VALUE_GRAD_HESS
from losslib.declaration.schema import LossInfo
from losslib.errors import ParameterError, ShapeError

__all__ = ["PeerLoss"]

ROWS = ("", "mean", "sum")
AXES = ("last", "samples")
REDUCTIONS = ("mean", "sum", "none", "weighted_mean")


class PeerLoss(Loss):
    """A loss of elements with clipped inputs and a mean or sum over axes before the reduction.

    It is called as the loss inside. Made by `losslib.get` for names of other packages.

    Parameters
    ----------
    loss : Loss
        A loss of elements, or a weighted sum of such losses, with ``reduction="none"``.
    clip : mapping of str to (float, float)
        Input name -> the interval that it is clipped to first. Beyond it the derivatives are 0.
    log : tuple of str
        Names of inputs whose logarithm the loss inside is given, after the clip.
    rows : {"", "mean", "sum"}
        What is done over `axes` before the reduction.
    axes : {"last", "samples"}
        The last axis, or all axes but the first.
    reduction : {"mean", "sum", "none", "weighted_mean"}
        What is done with the rows, or with the elements where `rows` is empty.

    Raises
    ------
    ParameterError
        If the loss is not one of elements, or a word is unknown.

    Notes
    -----
    Sums are accumulated in float64. With ``where`` a mean counts the elements that are left in its row.
    """

    __slots__ = ("_axes", "_clip", "_log", "_loss", "_reduction", "_rows")
    _loss: Loss
    _clip: dict[str, tuple[float, float]]
    _log: tuple[str, ...]
    _rows: str
    _axes: str
    _reduction: str

    def __init__(
        self,
        loss: Loss | None = None,
        *,
        clip: Mapping[str, tuple[float, float]] | None = None,
        log: tuple[str, ...] = (),
        rows: str = "",
        axes: str = "last",
        reduction: str = "mean",
    ) -> None:
        if hasattr(self, "_loss"):
            raise AttributeError("a loss is immutable; make a new one")
        if not isinstance(loss, Loss):
            raise TypeError(f"loss must be a losslib loss object, got {type(loss).__name__}")
        if info_of(loss).geometry != "pointwise" or loss.reduction != "none" or isinstance(loss, PeerLoss):
            raise ParameterError(f'loss must be a loss of elements with reduction="none", got {loss!r}')
        for name, value, words in (("rows", rows, ROWS), ("axes", axes, AXES), ("reduction", reduction, REDUCTIONS)):
            if value not in words:
                raise ParameterError(f"{name} must be one of {', '.join(map(repr, words))}, got {value!r}")
        limits = {name: (float(low), float(high)) for name, (low, high) in (clip or {}).items()}
        for name in (*limits, *log):
            if name not in info_of(loss).input_names:
                raise ParameterError(f"{name!r} is no input; those are {', '.join(info_of(loss).input_names)}")
        for attribute, content in (
            ("_loss", loss), ("_clip", limits), ("_log", tuple(log)), ("_rows", rows), ("_axes", axes),
            ("_reduction", reduction),
        ):  # fmt: skip
            object.__setattr__(self, attribute, content)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a loss is immutable; make a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a loss is immutable; make a new one")

    @property
    def terms(self) -> tuple[tuple[float, Loss], ...]:
        """The loss inside, as the one term of a combination."""
        return ((1.0, self._loss),)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters, by name, as the class takes them."""
        return {
            "loss": self._loss, "clip": dict(self._clip), "log": self._log, "rows": self._rows, "axes": self._axes,
            "reduction": self._reduction,
        }  # fmt: skip

    @property
    def reduction(self) -> str:
        return self._reduction

    def replace(self, **changes: Any) -> PeerLoss:
        """Return a loss with some of the parameters changed."""
        return PeerLoss(**{**self.parameters, **changes})

    def __repr__(self) -> str:
        shown = {name: value for name, value in self.parameters.items() if value and name != "loss"}
        if not self._rows:
            del shown["axes"]
        words = [f"{name}={value!r}".replace("inf", "float('inf')") for name, value in shown.items()]
        return f"PeerLoss({self._loss!r}, {', '.join(words)})"

    def _key(self) -> tuple[Any, ...]:
        return self._loss, tuple(sorted(self._clip.items())), self._log, self._rows, self._axes, self._reduction

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PeerLoss) and self._key() == other._key()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.parameters,)

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Return the value: a number, or an array with ``reduction="none"``."""
        if out is not None and self._reduction != "none":
            raise ParameterError(
                f"out: with reduction={self._reduction!r} the value is a float; out takes values of reduction='none'"
            )
        return self._answer(VALUE, args, kwargs, out)

    def grad(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Return the gradient of the value."""
        return self._answer(GRAD, args, kwargs, out)

    def value_and_grad(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Return the value and its gradient."""
        return self._answer(VALUE_AND_GRAD, args, kwargs, out)

    def value_grad_hess(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Return the value, its gradient and the diagonal of its Hessian."""
        return self._answer(VALUE_GRAD_HESS, args, kwargs, out)

    # -- the call

    def _answer(self, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
        with np.errstate(all="ignore"):  # infinities and NaN are results, not warnings
            info = info_of(self._loss)
            named = _named(info, mode, args, kwargs)
            upstream = named.pop("grad_output", None)
            call = widen(info, (), named)
            inner, changes = self._framed(info, call.kwargs)
            method = VALUE_AND_GRAD if mode == GRAD else mode  # what comes from above is spread over the values
            inputs = [inner.pop(name) for name in info.input_names]
            values, derivatives, single = take_apart(method, getattr(self._loss, METHODS[method])(*inputs, **inner))
            share = self._share(values, named)
            factor = self._spread(values, share, upstream)
            if derivatives:
                derivatives = [part * factor for part in derivatives]
                names = names_of_derivatives(info, named.get("wrt"))
                for name, (inside, before) in changes.items():
                    if name in names:
                        _through(derivatives, names.index(name), len(names), inside, before)
            return self._deliver(mode, call, info, values, share, derivatives, single, named.get("wrt"), out)

    def _framed(
        self, info: LossInfo, given: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, tuple[np.ndarray, np.ndarray | None]]]:
        """Return the arguments of the loss inside; for each changed input where it lies within its limits, and what
        its logarithm was taken of."""
        inner = dict(given)
        changes: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
        for name in dict.fromkeys((*self._clip, *self._log)):
            array = arrays.read_array(name, inner[name])
            item = info.inputs[info.input_names.index(name)]
            if (
                item.domain.name == "probability" and first_term(self._loss).parameters["check"]
            ):  # a clip is no licence for logits
                mask = None if given.get("where") is None else np.broadcast_to(given["where"], array.shape)
                arrays.require_domain(name, array, item.domain, item.fix, mask, info.name)
            low, high = self._clip.get(name, (-np.inf, np.inf))
            inside = ~((array < low) | (array > high))  # NaN stays NaN
            array = np.clip(array, low, high)
            inner[name] = np.log(array) if name in self._log else array
            changes[name] = inside, array if name in self._log else None
        return inner, changes

    def _spread(self, values: np.ndarray, share: np.ndarray, upstream: Any) -> np.ndarray:
        """Return the factor of each element's derivative: its share, times what comes from above."""
        factor = share
        if upstream is not None:
            above = np.asarray(arrays.read_array("grad_output", upstream), dtype=np.float64)
            expected = np.shape(self._reduced(values, share))
            if above.ndim and above.shape != expected:
                raise ShapeError(f"grad_output has shape {above.shape}, expected {expected}, the shape of the value")
            factor = share * above.reshape(above.shape + (1,) * (values.ndim - above.ndim if above.ndim else 0))
        return factor if values.dtype == np.float64 else factor.astype(values.dtype)

    def _over(self, ndim: int) -> tuple[int, ...]:
        """Return the axes of a row."""
        if not self._rows:
            return ()
        return tuple(range(ndim))[-1:] if self._axes == "last" else tuple(range(1, ndim))

    def _share(self, values: np.ndarray, named: Mapping[str, Any]) -> np.ndarray:
        """Return how much each element adds to the value of its row, or to the reduced value."""
        axes, where = self._over(values.ndim), named.get("where")
        counted = np.ones(values.shape)
        if where is not None:
            counted = np.broadcast_to(np.asarray(where, dtype=bool), values.shape).astype(np.float64)
        in_row = counted.sum(axis=axes, keepdims=True) if axes else counted
        share = 1.0 / in_row if self._rows == "mean" else np.ones_like(in_row)
        if self._reduction == "mean":
            share = share / np.count_nonzero(in_row) if values.size else share
        elif self._reduction == "weighted_mean":
            weights = counted * _weights(values, named.get("sample_weight"))
            share = share / float((weights / in_row if axes else weights).sum(where=counted > 0))
        return np.broadcast_to(np.where(counted > 0, share, 0.0), values.shape)

    def _reduced(self, values: np.ndarray, share: np.ndarray) -> Any:
        """Add the elements up, in float64: to one number, or to one for each row."""
        weighted = np.where(share == 0.0, 0.0, values * share)
        if self._reduction != "none":
            return float(weighted.sum()) if values.size or self._reduction == "sum" else math.nan
        axes = self._over(values.ndim)
        return weighted.sum(axis=axes) if axes else weighted

    def _deliver(
        self, mode: int, call: Call, info: LossInfo, values: np.ndarray, share: np.ndarray,
        derivatives: list[np.ndarray], single: bool, wrt: Any, out: Any,
    ) -> Any:  # fmt: skip
        """Round the results to the types of the inputs and put them where the caller wants them."""
        value = self._reduced(values, share) if mode != GRAD else None
        if isinstance(value, np.ndarray | np.generic):
            value = np.asarray(value).astype(call.dtype_of_values(values), copy=False)
        if mode == VALUE:
            if out is None or not isinstance(value, np.ndarray):
                return value
            return deliver([("out", value, value.dtype, out)])[0]
        names = names_of_derivatives(info, wrt)
        wanted = [name for _ in ("gradient", "Hessian")[: 1 + (mode == VALUE_GRAD_HESS)] for name in names]
        outs = [None] * len(wanted) if out is None else list(out) if isinstance(out, tuple | list) else [out]
        if len(outs) != len(wanted):
            raise ParameterError(f"out of {METHODS[mode]} must be {len(wanted)} arrays, got {len(outs)}")
        delivered = deliver(
            [
                ("out" if len(wanted) == 1 else f"out[{k}]", part, call.dtypes.get(name, part.dtype), item)
                for k, (name, part, item) in enumerate(zip(wanted, derivatives, outs, strict=True))
            ]
        )
        return arrange(mode, value, delivered, single)


def _named(info: LossInfo, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments of a call by name, each of which the loss or the mode takes."""
    _, raw, options = read_call(info, mode, args, kwargs)
    return {**dict(zip(info.input_names, raw, strict=True)), **options}


def _weights(values: np.ndarray, weight: Any) -> np.ndarray:
    """Return the weights of samples or elements in the shape of the values."""
    if weight is None:
        return np.ones(values.shape)
    array = np.asarray(weight, dtype=np.float64)
    if array.ndim == 1 and values.ndim > 1 and array.shape != values.shape:
        array = array.reshape((-1,) + (1,) * (values.ndim - 1))
    return np.broadcast_to(array, values.shape)


def _through(
    derivatives: list[np.ndarray], position: int, count: int, inside: np.ndarray, before: np.ndarray | None
) -> None:
    """Carry the derivatives of one input through its logarithm and its clip, by the chain rule, in place.

    With l = log(x), d/dx = (d/dl)/x and d2/dx2 = (d2/dl2 - d/dl)/x**2.
    """
    gradient = derivatives[position]
    hessian = derivatives[position + count] if len(derivatives) > count else None
    if before is not None:
        if hessian is not None:
            hessian -= gradient
            hessian /= before
            hessian /= before
        gradient /= before
    for part in (gradient, hessian):
        if part is not None:
            np.copyto(part, 0.0, where=~inside)


def _rebuild(parameters: Mapping[str, Any]) -> PeerLoss:
    """Make the loss from its parameters; what pickle calls."""
    return PeerLoss(**parameters)
