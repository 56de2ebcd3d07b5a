"""``check_grad``: the derivatives of a loss against differences of its values, as a report.

Differences are of fourth order, taken with two steps and from both sides: where they disagree the function has a kink
or too much noise, and no derivative is judged by them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from losslib._kernels.loss import Loss
from losslib.errors import DomainError, ParameterError

__all__ = ["Comparison", "GradientReport", "check_grad"]

#: Relative to the size of an element: the fifth root of the precision balances truncation and rounding.
STEP = 1e-3
#: Differences further apart than this, in units of the size of the derivative, judge nothing.
DOUBT = 1e-4

Array = np.ndarray


@dataclass(frozen=True)
class Comparison:
    """One derivative for one input: how far it is from differences, and where it is furthest."""

    what: str
    name: str
    elements: int
    judged: int
    #: Elements at which differences say nothing: near a kink, or at the edge of the domain.
    skipped: int
    largest: float
    position: tuple[int, ...]
    found: float
    expected: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """True if every judged element agrees, and some element was judged."""
        return self.judged > 0 and self.largest <= self.tolerance

    def __str__(self) -> str:
        place = f"{self.name}[{', '.join(map(str, self.position))}]" if self.position else self.name
        head = f"{self.what} for {self.name}:"
        if not self.judged:
            return f"{head} nothing to judge by: all {self.skipped} elements are near a kink or the edge of the domain"
        words = f"{head} {self.judged} of {self.elements} elements"
        if self.skipped:
            words += f" ({self.skipped} near a kink or the edge of the domain)"
        words += f", largest difference {self.largest:.1e}"
        if self.passed:
            return f"{words}, agrees"
        return (
            f"{words} at {place}: the loss gives {self.found:.10g}, differences give {self.expected:.10g}, DISAGREES"
            f" (tolerance {self.tolerance:.0e})"
        )


@dataclass(frozen=True)
class GradientReport:
    """What `check_grad` found; it is true if everything agrees."""

    loss: str
    comparisons: tuple[Comparison, ...] = field(default_factory=tuple)

    @property
    def passed(self) -> bool:
        """True if every derivative agrees with differences."""
        return all(item.passed for item in self.comparisons)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return "\n".join([f"check_grad of {self.loss}", *(f"  {item}" for item in self.comparisons)])


def check_grad(
    loss: Any,
    *inputs: Any,
    wrt: str | Sequence[str] | None = None,
    elements: int = 50,
    tolerance: float = 1e-6,
    show: bool = True,
    **options: Any,
) -> GradientReport:
    """Compare the gradient and the Hessian of a loss with differences, and print what was found.

    Parameters
    ----------
    loss : Loss or object
        A loss of losslib, or any object that is called with the inputs for its value and has ``grad``,
        ``value_and_grad`` or ``value_grad_hess``. What it gives as an array is added up. It must be the derivative of
        the value that the call returns, reduction included.
    *inputs : array_like
        What the loss is called with. Floating-point inputs are taken as float64.
    wrt : str or sequence of str, optional
        Inputs to differentiate, by name. By default all that a loss of losslib offers, and of another object the first.
    elements : int, default 50
        How many elements of each input are moved, at most: some calls of the loss for each. They are drawn at random,
        the same in every run.
    tolerance : float, default 1e-6
        The largest difference, relative to the larger of the derivative and the typical size of the derivatives, that
        counts as agreement; ten times as much for the Hessian.
    show : bool, default True
        Print the report.
    **options
        Further arguments of the calls, such as ``sample_weight``.

    Returns
    -------
    GradientReport
        True if everything agrees; its `comparisons` hold the figures.

    Raises
    ------
    TypeError
        If the object has no derivative to look at, or no floating-point input came that it could be taken for.
    ParameterError
        If `wrt` names no input that can be differentiated.

    Examples
    --------
    >>> loss = losslib.from_formula("log(cosh(d))")
    >>> report = losslib.check_grad(loss, np.array([0.3, -2.0]), np.array([0.0, 0.5]))  # doctest: +ELLIPSIS
    check_grad of from_formula('log(cosh(d))', reduction='mean')
      gradient for input: 2 of 2 elements, largest difference ...e-1..., agrees
      Hessian for input: 2 of 2 elements, largest difference ...e-1..., agrees
      gradient for target: 2 of 2 elements, largest difference ...e-1..., agrees
      Hessian for target: 2 of 2 elements, largest difference ...e-1..., agrees
    """
    arrays = [_as_float64(item) for item in inputs]
    names = _names(loss, len(arrays))
    comparisons = []
    for name in _wanted(loss, names, wrt, arrays):
        place = names.index(name)
        calls = _Calls(loss, arrays, name, place, options)
        chosen = _chosen(arrays[place].shape, elements)
        gradient = calls.gradient(arrays[place])
        comparisons.append(_compare("gradient", name, arrays[place], chosen, gradient, calls.value, tolerance))
        hessian = calls.hessian()
        if hessian is not None:
            comparisons.append(
                _compare("Hessian", name, arrays[place], chosen, hessian, calls.gradient, 10.0 * tolerance)
            )
    report = GradientReport(repr(loss), tuple(comparisons))
    if show:
        print(report)
    return report


@dataclass
class _Calls:
    """The calls of one loss as functions of one of its inputs."""

    loss: Any
    arrays: list[Array]
    name: str
    place: int
    options: dict[str, Any]

    def _inputs(self, moved: Array) -> list[Array]:
        return [moved if k == self.place else array for k, array in enumerate(self.arrays)]

    def _wrt(self) -> dict[str, Any]:
        return {"wrt": self.name} if isinstance(self.loss, Loss) else {}

    def _part(self, derivative: Any) -> Array:
        return np.asarray(derivative[self.place] if isinstance(derivative, tuple) else derivative, dtype=np.float64)

    def value(self, moved: Array) -> float:
        return float(np.sum(self.loss(*self._inputs(moved), **self.options), dtype=np.float64))

    def gradient(self, moved: Array) -> Array:
        inputs, options = self._inputs(moved), {**self.options, **self._wrt()}
        if hasattr(self.loss, "grad"):
            return self._part(self.loss.grad(*inputs, **options))
        if hasattr(self.loss, "value_and_grad"):
            return self._part(self.loss.value_and_grad(*inputs, **options)[1])
        if hasattr(self.loss, "value_grad_hess"):
            return self._part(self.loss.value_grad_hess(*inputs, **options)[1])
        raise TypeError(
            f"{self.loss!r} has none of grad, value_and_grad and value_grad_hess: there is nothing to check"
        )

    def hessian(self) -> Array | None:
        info = getattr(self.loss, "info", None)
        if not hasattr(self.loss, "value_grad_hess") or (info is not None and not info.has_hessian):
            return None
        inputs = self._inputs(self.arrays[self.place])
        try:
            return self._part(self.loss.value_grad_hess(*inputs, **self.options, **self._wrt())[2])
        except ParameterError:  # no Hessian with respect to this input
            return None


def _as_float64(item: Any) -> Array:
    array = np.asarray(item)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _names(loss: Any, count: int) -> list[str]:
    info = getattr(loss, "info", None)
    if info is not None:
        return list(info.input_names)
    terms = getattr(loss, "terms", None)  # a weighted sum
    if isinstance(loss, Loss) and terms:
        return _names(terms[0][1], count)
    return ["input", "target", *(f"input{k + 1}" for k in range(2, count))][: max(count, 1)]


def _offered(loss: Any, names: list[str]) -> list[str]:
    info = getattr(loss, "info", None)
    if info is not None:
        return list(info.differentiable)
    terms = getattr(loss, "terms", None)
    if isinstance(loss, Loss) and terms:
        return [name for name in _offered(terms[0][1], names) if all(name in _offered(t, names) for _, t in terms)]
    return names


def _wanted(loss: Any, names: list[str], wrt: str | Sequence[str] | None, arrays: list[Array]) -> list[str]:
    offered = [name for name in _offered(loss, names) if name in names[: len(arrays)]]
    floating = [name for name in offered if arrays[names.index(name)].dtype.kind == "f"]
    if not floating:
        came = ", ".join(f"{name} of {array.dtype}" for name, array in zip(names, arrays, strict=False)) or "nothing"
        raise TypeError(
            f"check_grad needs the inputs of {loss!r} ({', '.join(names)}), one it can move among them; got {came}"
        )
    if wrt is None:
        return floating if isinstance(loss, Loss) else floating[:1]
    wanted = [wrt] if isinstance(wrt, str) else list(wrt)
    for name in wanted:
        if name not in floating:
            raise ParameterError(f"wrt={name!r}: floating-point inputs with derivatives are {', '.join(floating)}")
    return wanted


def _chosen(shape: tuple[int, ...], elements: int) -> list[tuple[int, ...]]:
    size = math.prod(shape)
    flat = np.arange(size)
    if size > elements:
        flat = np.sort(np.random.default_rng(0).choice(size, elements, replace=False))
    return [tuple(int(k) for k in np.unravel_index(number, shape)) for number in flat]


def _compare(
    what: str,
    name: str,
    array: Array,
    chosen: list[tuple[int, ...]],
    derivative: Array,
    function: Callable[[Array], Any],
    tolerance: float,
) -> Comparison:
    """Compare elements of a derivative with differences of a function: of the value, or of the gradient there."""
    rows = []
    for position in chosen:
        coarse, _, _, _ = _difference(function, array, position, 1.0)
        fine, left, right, noise = _difference(function, array, position, 0.5)
        found = float(derivative[position])
        if all(abs(number) <= noise for number in (found, coarse, fine, left, right)):  # 0, as far as they can tell
            rows.append((position, found, 0.0, 0.0, 0.0))
            continue
        # Where only the curvature jumps, the differences of either side are right and the central one is not.
        error = min(abs(found - estimate) for estimate in (fine, left, right))
        rows.append((position, found, fine, error, max(abs(coarse - fine), abs(right - left))))
    sizes = [abs(fine) for _, _, fine, _, _ in rows if np.isfinite(fine)]
    typical = float(np.median(sizes)) if sizes else 0.0
    judged, largest = 0, 0.0
    worst: tuple[tuple[int, ...], float, float] = ((), 0.0, 0.0)
    for position, found, fine, error, doubt in rows:
        size = max(abs(fine), typical, 1e-12)
        if not doubt <= DOUBT * size:
            continue
        judged += 1
        if judged == 1 or not error / size <= largest:
            largest = error / size if error == error else np.inf
            worst = (position, found, fine)
    return Comparison(what, name, array.size, judged, len(rows) - judged, float(largest), *worst, tolerance=tolerance)


def _difference(
    function: Callable[[Array], Any], array: Array, position: tuple[int, ...], scale: float
) -> tuple[float, float, float, float]:
    """Return a derivative by central differences of fourth order, by those of either side of second, and their noise.

    All are NaN where a step leaves the domain. The noise is what rounding alone makes of a constant.
    """
    step = STEP * scale * max(1.0, abs(float(array[position])))
    values = []
    for factor in (-2.0, -1.0, 0.0, 1.0, 2.0):
        moved = array.copy()
        moved[position] += factor * step
        try:
            value = function(moved)
        except DomainError:
            return (float("nan"),) * 4
        values.append(float(value if np.ndim(value) == 0 else value[position]))
    a, b, c, d, e = values
    left, right = (3.0 * c - 4.0 * b + a) / (2.0 * step), (4.0 * d - 3.0 * c - e) / (2.0 * step)
    noise = 8.0 * float(np.finfo(np.float64).eps) * abs(c) / step
    return (a - 8.0 * b + 8.0 * d - e) / (12.0 * step), left, right, noise
