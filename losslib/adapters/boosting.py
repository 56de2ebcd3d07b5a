"""What boosters ask of a loss: gradient and Hessian at raw scores, a metric, and the best constant to start from.

Boosters grow a tree on g and h, the first and second derivative of the *sum* of the losses with respect to each raw
score, and give a leaf the value -Σg / (Σh + λ). Sample weights are part of g and h: no booster multiplies them
itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib._kernels.loss import Loss
from losslib.adapters import binding
from losslib.errors import ParameterError, ShapeError

__all__ = [
    "Derivatives",
    "Score",
    "constant_scores",
    "derivatives",
    "leaf_values",
    "optimal_constant",
    "quantile_level",
    "score",
]

HESSIANS = ("auto", "exact", "unit")


def fit_target(loss: Loss, scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Bring labels to what the loss compares: class indices, or numbers of the shape of the scores."""
    if binding.takes_rows(loss):
        return binding.class_indices(target)
    return target.reshape(scores.shape) if target.size == scores.size else target


@dataclass(frozen=True)
class Derivatives:
    """Gradient and Hessian of a loss at raw scores, in the form that boosters need.

    Parameters
    ----------
    loss : Loss
        The loss, with ``reduction="sum"``.
    hessian : {"auto", "exact", "unit"}
        Which second derivative.
    hessian_factor : float or None
        What multiplies the exact Hessian; None is the convention of the booster.
    min_hessian : float
        The least value of an element of the Hessian.
    """

    loss: Loss
    hessian: str
    hessian_factor: float | None
    min_hessian: float

    def __call__(
        self, scores: np.ndarray, target: np.ndarray, weight: np.ndarray | None, factor: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (gradient, Hessian), both of the shape of the scores; `factor` is the convention of the booster."""
        target = fit_target(self.loss, scores, target)
        if self.hessian == "unit":
            return self._with_unit_hessian(scores, target, weight)
        if self.hessian == "auto" and not binding.info_of(self.loss).has_hessian:
            return self._with_unit_hessian(scores, target, weight)
        _, grad, hess = self.loss.value_grad_hess(scores, target, sample_weight=weight)
        if self.hessian == "auto" and not hess.any():
            return grad, np.maximum(unit_hessian(scores, weight), self.min_hessian)
        factor = factor if self.hessian_factor is None else self.hessian_factor
        if factor != 1.0:
            hess *= factor
        return grad, np.maximum(hess, self.min_hessian, out=hess)

    def _with_unit_hessian(
        self, scores: np.ndarray, target: np.ndarray, weight: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        grad = self.loss.grad(scores, target, sample_weight=weight)
        return grad, np.maximum(unit_hessian(scores, weight), self.min_hessian)


def unit_hessian(scores: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Return the weight of each sample in the shape of the scores: leaves become mean gradients."""
    hess = np.ones_like(scores)
    if weight is not None:
        hess *= weight.reshape((-1,) + (1,) * (scores.ndim - 1))
    return hess


def derivatives(
    loss: Any, hessian: str, hessian_factor: float | None, min_hessian: float, parameters: dict[str, Any]
) -> Derivatives:
    """Check the options that the objectives of all boosters share, and bind the loss."""
    bound = binding.bind(loss, parameters, "sum")
    binding.require_input_and_target(bound, "a booster's objective")
    info = binding.info_of(bound)
    if binding.input_domain(bound) == "probability":
        raise ParameterError(
            f"{info.name} takes probabilities and boosters fit raw scores; use the loss that takes logits"
        )
    if hessian not in HESSIANS:
        raise ParameterError(f"hessian must be one of {', '.join(map(repr, HESSIANS))}, got {hessian!r}")
    if hessian == "exact" and not info.has_hessian:
        raise ParameterError(f'hessian="exact": {info.name} offers no Hessian; use "unit"')
    if not min_hessian > 0:
        raise ParameterError(f"min_hessian must be > 0, got {min_hessian!r}: a leaf of Hessian 0 has no finite value")
    if hessian_factor is not None and not hessian_factor > 0:
        raise ParameterError(f"hessian_factor must be > 0, got {hessian_factor!r}")
    return Derivatives(bound, hessian, hessian_factor, float(min_hessian))


@dataclass(frozen=True)
class Score:
    """A loss as a metric: the mean, or with weights the weighted mean."""

    loss: Loss

    def __call__(self, scores: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> float:
        """Return the (weighted) mean loss of the scores."""
        target = fit_target(self.loss, scores, target)
        if weight is None:
            return float(self.loss(scores, target))
        return float(binding.with_reduction(self.loss, "weighted_mean")(scores, target, sample_weight=weight))

    @property
    def name(self) -> str:
        """The name under which a booster lists it."""
        return binding.info_of(self.loss).name


def score(loss: Any, parameters: dict[str, Any]) -> Score:
    """Bind the loss of a metric."""
    bound = binding.bind(loss, parameters, "mean")
    binding.require_input_and_target(bound, "a booster's metric")
    return Score(bound)


# ---- leaves of losses without curvature ------------------------------------------------------------------------


def quantile_level(loss: Any, parameters: dict[str, Any]) -> float:
    """Return the quantile that minimises a loss in each leaf: that of `quantile_loss`, the median for `l1_loss`."""
    bound = binding.bind(loss, parameters)
    name = binding.info_of(bound).name
    if name == "quantile_loss":
        return float(bound.parameters["quantile"])
    if name == "l1_loss":
        return 0.5
    raise ParameterError(f"leaf_quantiles is for quantile_loss and l1_loss, whose leaves are quantiles; got {bound!r}")


def leaf_values(
    residuals: np.ndarray, leaves: np.ndarray, weight: np.ndarray | None, level: float, method: str
) -> dict[int, float]:
    """Return the quantile of the residuals in each leaf; `method` is NumPy's rule between two residuals."""
    values = {}
    for leaf in np.unique(leaves):
        inside = leaves == leaf
        if weight is None:
            value = np.quantile(residuals[inside], level, method=method)  # type: ignore[call-overload]
        else:
            value = np.quantile(residuals[inside], level, method="inverted_cdf", weights=weight[inside])
        values[int(leaf)] = float(value)
    return values


# ---- the constant to start from --------------------------------------------------------------------------------


def optimal_constant(loss: Any, target: Any, sample_weight: Any = None, **parameters: Any) -> Any:
    """Return the constant score with the least loss: where boosting should start.

    It is the mean for the squared error, a quantile for `quantile_loss`, log-odds for losses of logits, the logarithm
    of the mean for losses with a log link, the logarithms of the class frequencies (up to a constant) for
    `cross_entropy`.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name.
    target : array_like
        Targets of shape ``(n,)`` or ``(n, outputs)``; class indices of shape ``(n,)`` for losses of rows.
    sample_weight : array_like, optional
        One weight for each sample.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    float or ndarray
        A number for targets ``(n,)``, one for each output for targets ``(n, outputs)``, and one for each class, with
        mean 0, for losses of rows.

    Notes ----- The minimum is sought in float64: over the quantiles of the targets and a grid of scores up to ±32,
    then by bisecting the derivative beside the best of them. Where the least loss lies at infinity, as the logit of
    a class that has all targets, the result is the end of the grid.

    Examples
    --------
    >>> from losslib.adapters.boosting import optimal_constant
    >>> optimal_constant("mse_loss", [1.0, 2.0, 6.0])
    3.0
    >>> round(optimal_constant("bce_with_logits", [0.0, 1.0, 1.0, 1.0]), 6)  # log(3)
    1.098612
    """
    bound = binding.bind(loss, parameters, "sum")
    binding.require_input_and_target(bound, "optimal_constant")
    targets = np.asarray(target, dtype=np.float64)
    weight = np.ones(targets.shape[:1]) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if targets.ndim not in (1, 2) or targets.size == 0:
        raise ShapeError(f"target has shape {targets.shape}, expected (n,) or (n, outputs) with n > 0")
    if weight.shape != targets.shape[:1]:
        raise ShapeError(f"sample_weight has shape {weight.shape}, expected {targets.shape[:1]}")
    if binding.takes_rows(bound):
        return _optimal_row(bound, binding.class_indices(targets), weight)
    if targets.ndim == 1:
        return _optimal_number(bound, targets, weight)
    return np.array([_optimal_number(bound, column, weight) for column in np.ascontiguousarray(targets.T)])


def _optimal_number(loss: Loss, target: np.ndarray, weight: np.ndarray) -> float:
    from scipy.optimize import brentq  # every booster depends on SciPy

    def derivative(constant: float) -> float:
        return float(loss.grad(np.full_like(target, constant), target, sample_weight=weight).sum())

    values = np.unique(np.quantile(target, np.linspace(0.0, 1.0, 21)))
    scores = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    grid = np.unique(np.concatenate([values, scores, -scores]))
    lowest = {"nonnegative": 0.0, "positive": np.finfo(np.float64).tiny, "above_minus_one": -1.0 + 1e-12}
    least = lowest.get(binding.input_domain(loss), -np.inf)
    grid = np.unique(np.maximum(grid, least))
    with np.errstate(over="ignore"):
        sums = np.array([loss(np.full_like(target, point), target, sample_weight=weight) for point in grid])
    best = int(np.nanargmin(sums))
    left, right = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    if derivative(left) >= 0.0:
        return float(left)
    if derivative(right) <= 0.0:
        return float(right)
    return float(brentq(derivative, left, right, xtol=1e-13, rtol=1e-13))


def _optimal_row(loss: Loss, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    from scipy.optimize import minimize

    totals = np.bincount(target, weights=weight) / weight.sum()
    classes = np.arange(len(totals))

    def mean(row: np.ndarray) -> tuple[float, np.ndarray]:
        # A constant loses on a sample what it loses on its class: one row for each class is enough.
        rows = np.tile(row, (len(classes), 1))
        value, grad = loss.value_and_grad(rows, classes, sample_weight=totals)
        return value, grad.sum(axis=0)

    start = np.log(np.maximum(totals, 1e-10))
    row = minimize(mean, start - start.mean(), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return np.asarray(row - row.mean())


def constant_scores(loss: Any, target: Any, sample_weight: Any, rows: int | None, parameters: dict[str, Any]) -> Any:
    """Return the optimal constant repeated for each sample: ``(n,)``, or ``(n, outputs)``."""
    constant = np.asarray(optimal_constant(loss, target, sample_weight, **parameters))
    n = len(target) if rows is None else rows
    return np.ascontiguousarray(np.broadcast_to(constant, (n, *constant.shape)))
