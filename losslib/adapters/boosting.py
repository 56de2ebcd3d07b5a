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
from losslib.adapters import binding, labels
from losslib.adapters.constants import constant_scores, optimal_constant
from losslib.adapters.known import (
    Known,
    compares_items,
    inputs_of,
    is_censored,
    options_of,
    require_one_score,
    sample_weight_of,
)
from losslib.adapters.order_metrics import OrderMetric, order_metric
from losslib.errors import ParameterError

__all__ = [
    "Derivatives",
    "Known",
    "OrderMetric",
    "Score",
    "compares_items",
    "constant_scores",
    "derivatives",
    "leaf_values",
    "optimal_constant",
    "quantile_level",
    "score",
]

HESSIANS = ("auto", "exact", "unit")


def fit_target(loss: Loss, scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Bring labels to what the loss compares: classes of rows, -1 and 1, or numbers of the shape of the scores."""
    if binding.takes_rows(loss):
        return labels.row_targets(loss, target, scores.shape[-1])
    if binding.takes_questions(loss):
        return labels.class_indices(target)
    target = labels.as_signs(loss, target)
    return target.reshape(scores.shape) if target.size == scores.size else target


def is_one_score(loss: Loss, scores: np.ndarray, target: np.ndarray) -> bool:
    """True if a booster fits one score to a loss of rows, as its classifier does for two classes."""
    if scores.ndim != 1 or not binding.takes_rows(loss):
        return False
    largest = float(np.max(target, initial=0.0))
    if largest > 1.0:
        raise ParameterError(
            f"{binding.info_of(loss).name} got one score a sample, which makes two classes, and the target "
            f"{largest:g}; tell the booster the number of classes (num_class, in CatBoost classes_count)"
        )
    return True


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

    def of_known(self, scores: np.ndarray, known: Known, factor: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Return (gradient, Hessian) at scores from everything that a booster knows of its data."""
        loss = self.loss
        if not compares_items(loss) and not is_censored(loss):
            return self(scores, known.target, known.weight, factor)
        inputs = inputs_of(loss, scores, known) if is_censored(loss) else (scores, known.target)
        options = options_of(loss, known)
        if self.hessian == "unit" or not binding.info_of(loss).has_hessian:
            grad = loss.grad(*inputs, sample_weight=known.weight, **options)
            return grad, np.maximum(unit_hessian(scores, sample_weight_of(known, len(scores))), self.min_hessian)
        _, grad, hess = loss.value_grad_hess(*inputs, sample_weight=known.weight, **options)
        if self.hessian == "auto" and not hess.any():
            return grad, np.maximum(unit_hessian(scores, sample_weight_of(known, len(scores))), self.min_hessian)
        hess *= 1.0 if self.hessian_factor is None else self.hessian_factor
        return grad, np.maximum(hess, self.min_hessian, out=hess)

    def __call__(
        self, scores: np.ndarray, target: np.ndarray, weight: np.ndarray | None, factor: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (gradient, Hessian), both of the shape of the scores; `factor` is the convention of the booster."""
        if is_one_score(self.loss, scores, target):  # the second derivative of one score is the whole Hessian
            grad, hess = self(labels.two_columns(scores), target, weight)
            return np.ascontiguousarray(grad[:, 1]), np.ascontiguousarray(hess[:, 1])
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
    require_one_score(bound, "a booster's objective")
    info = binding.info_of(bound)
    meaning = binding.input_meaning(bound)
    if meaning in binding.NO_SCORES:
        raise ParameterError(f"{info.name} takes {meaning} and boosters fit raw scores; use the loss that takes logits")
    if binding.takes_rows(bound):
        labels.require_classes(bound)
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

    larger_is_better = False

    @property
    def takes_groups(self) -> bool:
        """True if the groups of items are part of the data."""
        return compares_items(self.loss)

    def of_known(self, scores: np.ndarray, known: Known) -> float:
        """Return the (weighted) mean loss of scores from everything that a booster knows of its data."""
        loss = self.loss
        if not compares_items(loss) and not is_censored(loss):
            return self(scores, known.target, known.weight)
        inputs = inputs_of(loss, scores, known) if is_censored(loss) else (scores, known.target)
        if known.weight is not None and "weighted_mean" in binding.info_of(loss).reductions:
            loss = binding.with_reduction(loss, "weighted_mean")
        return float(loss(*inputs, sample_weight=known.weight, **options_of(loss, known)))

    def __call__(self, scores: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> float:
        """Return the (weighted) mean loss of the scores."""
        if is_one_score(self.loss, scores, target):
            scores = labels.two_columns(scores)
        target = fit_target(self.loss, scores, target)
        if weight is None:
            return float(self.loss(scores, target))
        return float(binding.with_reduction(self.loss, "weighted_mean")(scores, target, sample_weight=weight))

    @property
    def name(self) -> str:
        """The name under which a booster lists it."""
        return binding.info_of(self.loss).name


def score(loss: Any, parameters: dict[str, Any]) -> Score | OrderMetric:
    """Bind the loss of a metric, or a metric of an order."""
    metric = order_metric(loss, parameters)
    if metric is not None:  # as the boosters' own: lists without gains count as best
        return OrderMetric(metric.name, {"empty": 1.0, **metric.parameters}) if metric.takes_groups else metric
    bound = binding.bind(loss, parameters, "mean")
    require_one_score(bound, "a booster's metric")
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
