"""The constant score with the least loss, from which boosting should start."""

from __future__ import annotations

from typing import Any

import numpy as np

from losslib._kernels.loss import Loss
from losslib.adapters import binding, labels
from losslib.adapters.known import Known, inputs_of, is_censored, require_one_score
from losslib.adapters.reading import read_finite, read_numbers, read_weights
from losslib.errors import DomainError, ParameterError, ShapeError

__all__ = ["constant_scores", "optimal_constant"]

#: Geometries whose losses do not change when a constant is added to all scores.
ORDERS = ("lists", "risk", "comparable")
#: The ends of the domains that a constant may lie in.
BOUNDS = {
    "nonnegative": (0.0, np.inf),
    "positive": (float(np.finfo(np.float64).tiny), np.inf),
    "probability": (0.0, 1.0),
    "cosine": (-1.0, 1.0),
    "above_minus_one": (-1.0 + 1e-12, np.inf),
}


def optimal_constant(
    loss: Any, target: Any, sample_weight: Any = None, *, n_classes: int | None = None, **parameters: Any
) -> Any:
    """Return the constant score with the least loss: where boosting should start.

    It is the mean for the squared error, a quantile for `quantile_loss`, log-odds for losses of logits, the logarithm
    of the mean for losses with a log link, the logarithms of the class frequencies (up to a constant) for
    `cross_entropy`. An order, of the items of lists or of times until events, has no level: its constant is 0.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name.
    target : array_like
        Targets of shape ``(n,)`` or ``(n, outputs)``, finite; class indices of shape ``(n,)`` for losses of rows. For
        losses of signs 0 and 1 stand for -1 and 1. For `aft_loss` times, negative where censored, or the two bounds as
        columns.
    sample_weight : array_like, optional
        One weight for each sample: finite, not negative, and not 0 everywhere.
    n_classes : int, optional
        For losses of rows the number of classes, where the targets may lack the last. None takes the largest class.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    float or ndarray
        A number for targets ``(n,)``, one for each output for targets ``(n, outputs)``, and one for each class, with
        mean 0, for losses of rows.

    Raises
    ------
    DomainError
        If a target is NaN or infinite, or the weights are no weights.
    ParameterError
        If the loss does not compare scores with a target.

    Notes
    -----
    The minimum is sought in float64: over the quantiles of the targets and a grid of scores up to ±32, then by the
    root of the derivative beside the best of them. Where the least loss lies at infinity, as the logit of a class that
    has all targets, the result is the end of the grid; a class of rows without targets counts as a frequency of 1e-10.

    Examples
    --------
    >>> from losslib.adapters.boosting import optimal_constant
    >>> optimal_constant("mse_loss", [1.0, 2.0, 6.0])
    3.0
    >>> round(optimal_constant("bce_with_logits", [0.0, 1.0, 1.0, 1.0]), 6)  # log(3)
    1.098612
    """
    bound = binding.bind(loss, parameters, "sum")
    require_one_score(bound, "optimal_constant")
    if binding.info_of(bound).geometry in ORDERS:
        return 0.0
    if is_censored(bound):
        return _optimal_time(bound, target, sample_weight)
    targets = read_finite("target", target)
    if targets.ndim not in (1, 2) or targets.size == 0:
        raise ShapeError(f"target has shape {targets.shape}, expected (n,) or (n, outputs) with n > 0")
    weight = np.ones(len(targets))
    if sample_weight is not None:
        weight = read_weights("sample_weight", sample_weight, targets.shape[:1])
    weight = weight / weight.max()
    weight /= weight.sum()
    if binding.takes_rows(bound):
        return _optimal_row(bound, targets, weight, n_classes)
    if n_classes is not None:
        raise ParameterError(f"n_classes={n_classes!r}: {binding.info_of(bound).name} has one score and no classes")
    targets, weight = labels.as_signs(bound, targets)[weight > 0.0], weight[weight > 0.0]
    if targets.ndim == 1:
        return _optimal_number(bound, np.ascontiguousarray(targets), weight)
    return np.array([_optimal_number(bound, column, weight) for column in np.ascontiguousarray(targets.T)])


def _optimal_time(loss: Loss, target: Any, sample_weight: Any) -> float:
    """Return the constant logarithm of censored times."""
    given = read_numbers("target", target)
    if given.size == 0 or given.ndim not in (1, 2) or (given.ndim == 2 and given.shape[1] != 2):
        raise ShapeError(f"target has shape {given.shape}, expected (n,) times or (n, 2) bounds with n > 0")
    weight = (
        np.ones(len(given)) if sample_weight is None else read_weights("sample_weight", sample_weight, (len(given),))
    )
    known = Known(given) if given.ndim == 1 else Known(given[:, 0], bounds=(given[:, 0], given[:, 1]))
    _, *bounds = inputs_of(loss, given[..., 0] if given.ndim == 2 else given, known)
    seen = np.concatenate(bounds)
    typical = np.log(seen[(seen > 0) & np.isfinite(seen)])
    return _optimal_number(
        loss, tuple(bounds), weight / weight.sum(), np.unique(np.append(typical, [-32.0, 0.0, 32.0]))
    )


def _optimal_number(
    loss: Loss, target: np.ndarray | tuple[np.ndarray, ...], weight: np.ndarray, grid: np.ndarray | None = None
) -> float:
    """Return the constant score of the least loss; `target` may be several inputs of the loss."""
    from scipy.optimize import brentq  # every booster depends on SciPy

    others = target if isinstance(target, tuple) else (target,)
    if grid is None:
        grid = _grid(loss, others[0], weight)

    def value(constant: float) -> float:
        return float(loss(np.full_like(others[0], constant), *others, sample_weight=weight))

    def slope(constant: float) -> float:
        grad = loss.grad(np.full_like(others[0], constant), *others, sample_weight=weight)
        return float(np.clip(grad.sum(), -1e300, 1e300))  # a root is bracketed by finite numbers

    with np.errstate(all="ignore"):  # far from the targets a loss may be infinite
        values = np.array([value(point) for point in grid])
        if np.isfinite(values).any():  # of equal ones, as squares that underflow, the flattest
            best = min(np.flatnonzero(values == np.nanmin(values)).tolist(), key=lambda k: abs(slope(float(grid[k]))))
        else:  # squares beyond the largest number: the slopes tell the place
            best = int(np.argmax([slope(point) >= 0.0 for point in grid]))
        here = float(grid[best])
        direction = -np.sign(slope(here))
        if direction == 0.0:
            return here
        end = float(grid[np.clip(best + int(direction), 0, len(grid) - 1)])
        # Out from the best point in growing steps: a loss that is not convex may rise again before the next one.
        for step in (end - here) * np.logspace(-9.0, 0.0, 31, base=10.0):
            there = here + float(step)
            if slope(there) * direction >= 0.0:
                break
        else:
            return end
        width = abs(there - here)
        found = float(brentq(slope, here, there, xtol=max(1e-15 * width, 1e-300), rtol=1e-13, maxiter=2000))
    return found


def _grid(loss: Loss, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the scores to begin with: quantiles of the targets, as scores, and numbers of all sizes."""
    quantiles = np.quantile(target, np.linspace(0.0, 1.0, 65), method="inverted_cdf")  # targets themselves
    typical = np.append(quantiles, weight @ target)
    if binding.has_log_link(loss):
        typical = np.log(typical[typical > 0.0])
    scores = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    least, most = BOUNDS.get(binding.input_domain(loss), (-np.inf, np.inf))
    return np.unique(np.clip(np.concatenate([typical, scores, -scores]), least, most))


def _optimal_row(loss: Loss, target: np.ndarray, weight: np.ndarray, n_classes: int | None) -> np.ndarray:
    from scipy.optimize import minimize

    name, meaning = binding.info_of(loss).name, binding.input_meaning(loss)
    if meaning in binding.NO_SCORES:
        raise ParameterError(f"{name} takes {meaning}, and a constant is a row of scores; use the loss of logits")
    if target.ndim != 1:
        raise ShapeError(f"target has shape {target.shape}, expected class indices of shape (n,) for {name}")
    indices = labels.class_indices(target)
    count = int(indices.max()) + 1 if n_classes is None else n_classes
    outside = (indices < 0) | (indices >= count)
    if outside.any():
        position = int(np.argmax(outside))
        raise DomainError(f"target[{position}] is {indices[position]}, outside the classes 0 to {count - 1}")
    totals = np.bincount(indices, weights=weight, minlength=count)
    classes = labels.row_targets(loss, np.arange(count), count)

    def mean(row: np.ndarray) -> tuple[float, np.ndarray]:
        # A constant loses on a sample what it loses on its class: one row for each class is enough.
        value, grad = loss.value_and_grad(np.tile(row, (count, 1)), classes, sample_weight=totals)
        return value, grad.sum(axis=0)

    start = np.log(np.maximum(totals, 1e-10))
    row = minimize(mean, start - start.mean(), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return np.asarray(row - row.mean())


def constant_scores(
    loss: Any,
    target: Any,
    sample_weight: Any,
    rows: int | None,
    parameters: dict[str, Any],
    n_classes: int | None = None,
) -> np.ndarray:
    """Return the optimal constant repeated for each sample: ``(n,)``, or ``(n, outputs)``."""
    constant = np.asarray(optimal_constant(loss, target, sample_weight, n_classes=n_classes, **parameters))
    n = len(target) if rows is None else rows
    return np.ascontiguousarray(np.broadcast_to(constant, (n, *constant.shape)))
