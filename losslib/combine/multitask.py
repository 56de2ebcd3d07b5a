"""Several losses on several named pairs of arrays, with weights that may change from step to step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from losslib._kernels.loss import Loss
from losslib.combine.weighted_sum import add_up, value_and_scaled_grad, value_of
from losslib.declaration.schema import closest
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError

__all__ = ["MultiTask", "MultiTaskResult"]

Weight = float | Callable[[int], float]


class MultiTaskResult(NamedTuple):
    """What `MultiTask.value_and_grad` returns."""

    #: Weighted sum of the parts.
    total: float
    #: Value of each loss by name, before its weight.
    parts: dict[str, float]
    #: Gradient of the total with respect to each prediction, by name; a tuple for losses of several predictions.
    grads: dict[str, Any]


class MultiTask:
    """A weighted sum of losses, each on inputs of its own.

    Parameters
    ----------
    tasks : mapping of str to (Loss, float or callable)
        For each name a loss object with a reduced value, and its weight: a number, or a function of the step that
        gives one (an annealed loss).

    Raises
    ------
    ParameterError
        If there is no task, a loss has ``reduction="none"``, or a weight is not a finite number.

    See Also
    --------
    losslib.WeightedSum : Losses on the same inputs, made by ``*`` and ``+``.

    Notes
    -----
    Gradients of float16 and bfloat16 are computed and weighted in float32 and rounded once. What a loss says of its
    inputs is raised with the name of the task before it.

    Examples
    --------
    >>> tasks = losslib.MultiTask(
    ...     {
    ...         "position": (losslib.HuberLoss(), 1.0),
    ...         "visible": (losslib.BCEWithLogitsLoss(), lambda step: min(1.0, step / 100)),
    ...     }
    ... )
    >>> arrays = {
    ...     "position": (np.array([0.5, 3.0]), np.array([0.0, 0.0])),
    ...     "visible": (np.array([0.0, 0.0]), np.array([1.0, 0.0])),
    ... }
    >>> result = tasks.value_and_grad(arrays, step=50)
    >>> round(result.total, 4), round(result.parts["visible"], 4)
    (1.6591, 0.6931)
    >>> result.grads["visible"]
    array([-0.125,  0.125])
    """

    def __init__(self, tasks: Mapping[str, tuple[Loss, Weight]]) -> None:
        if not isinstance(tasks, Mapping) or not tasks:
            raise ParameterError(f"tasks must map at least one name to (loss, weight), got {tasks!r}")
        checked: dict[str, tuple[Loss, Weight]] = {}
        for name, item in tasks.items():
            if not isinstance(item, Sequence) or len(item) != 2 or not isinstance(item[0], Loss):
                raise ParameterError(f"tasks[{name!r}] must be (loss, weight), got {item!r}")
            loss, weight = item
            if loss.reduction == "none":
                raise ParameterError(f'tasks[{name!r}] has reduction="none"; a total needs values that are reduced')
            if not callable(weight):
                _number(name, weight)
            checked[name] = (loss, weight)
        self._tasks = checked

    @property
    def tasks(self) -> dict[str, tuple[Loss, Weight]]:
        """The losses and weights by name (a new dict)."""
        return dict(self._tasks)

    def weights(self, step: int = 0) -> dict[str, float]:
        """Return the weight of each loss at a step."""
        return {
            name: _number(name, weight(step) if callable(weight) else weight)
            for name, (_, weight) in self._tasks.items()
        }

    def __call__(self, arrays: Mapping[str, Sequence[Any]], *, step: int = 0) -> float:
        """Return the weighted sum of the values.

        Parameters
        ----------
        arrays : mapping of str to tuple
            The inputs of each loss, in its order, by name.
        step : int, default 0
            What weights that are functions are called with.
        """
        weights = self.weights(step)
        inputs = self._inputs(arrays)
        values: list[float] = []
        for name, (loss, _) in self._tasks.items():
            with _errors_of(name):
                values.append(weights[name] * value_of(loss, inputs[name]))
        return add_up(values)

    def value_and_grad(self, arrays: Mapping[str, Sequence[Any]], *, step: int = 0) -> MultiTaskResult:
        """Return the weighted sum, its parts, and the gradient of each prediction; arguments as for a call."""
        weights = self.weights(step)
        inputs = self._inputs(arrays)
        parts: dict[str, float] = {}
        grads: dict[str, Any] = {}
        for name, (loss, _) in self._tasks.items():
            with _errors_of(name):
                parts[name], grads[name] = value_and_scaled_grad(weights[name], loss, inputs[name])
        total = add_up([weights[name] * parts[name] for name in parts])
        return MultiTaskResult(total, parts, grads)

    def _inputs(self, arrays: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Any, ...]]:
        for name in self._tasks:
            if name not in arrays:
                raise ParameterError(f"arrays has no inputs for {name!r}; it must have {', '.join(self._tasks)}")
        for name in arrays:
            if name not in self._tasks:
                raise ParameterError(f"arrays has inputs for {name!r}, which is no task{closest(name, self._tasks)}")
            if not isinstance(arrays[name], Iterable):
                raise ParameterError(f"arrays[{name!r}] must be the inputs of its loss, a tuple, got {arrays[name]!r}")
        return {name: tuple(arrays[name]) for name in self._tasks}

    def __repr__(self) -> str:
        inside = ", ".join(f"{name!r}: ({loss!r}, {weight!r})" for name, (loss, weight) in self._tasks.items())
        return f"MultiTask({{{inside}}})"


#: The exceptions of a loss that are raised again with the name of the task before their message.
_REBUILT = (DTypeError, DomainError, ParameterError, ShapeError, TypeError, ValueError)


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Put the name of a task before the message of what its loss raises."""
    try:
        yield
    except _REBUILT as error:
        if type(error) not in _REBUILT:  # it may not be made from a message
            raise
        raise type(error)(f"task {name!r}: {error}") from error


def _number(name: str, value: Any) -> float:
    number = math.nan
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if not isinstance(value, str | bytes | bytearray | bool) and kind not in ("b", "c", "S", "U"):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
    if not math.isfinite(number):
        raise ParameterError(f"the weight of {name!r} must be a finite number, got {value!r}")
    return number
