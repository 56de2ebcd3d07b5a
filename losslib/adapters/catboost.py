"""Objectives and metrics for CatBoost, for ``catboost.CatBoost`` and its regressor and classifier.

CatBoost maximises: it takes the derivatives of the *negative* loss. For one score it asks for whole ranges of samples
(``calc_ders_range``); for several scores it asks sample by sample for the gradient and the full matrix of second
derivatives (``calc_ders_multi``), which costs a Python call for each sample and tree.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import catboost
import numpy as np

from losslib.adapters import binding, boosting, known, labels
from losslib.adapters.boosting import Derivatives, OrderMetric, Score, optimal_constant
from losslib.adapters.reading import read_labels, read_numbers
from losslib.errors import ParameterError

__all__ = ["baseline", "metric", "objective", "optimal_constant"]


class RangeObjective:
    """A loss of one score as an objective of CatBoost; made by `objective`."""

    #: CatBoost would translate the methods with numba, which knows no compiled loss.
    no_jit = True

    def __init__(self, derivatives: Derivatives) -> None:
        self.derivatives = derivatives

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> np.ndarray:
        """Return the first and second derivatives of the negative loss as columns."""
        weight = None if weights is None else read_numbers("sample_weight", weights)
        given = known.Known(read_labels("target", targets), weight)
        grad, hess = self.derivatives.of_known(read_labels("scores", approxes), given)
        return -np.column_stack([grad, hess])


def _negative_derivatives(
    derivatives: Derivatives, scores: np.ndarray, target: Any, weight: float
) -> tuple[list[float], list[list[float]]]:
    """Return gradient and matrix of second derivatives of the negative loss for one sample of a loss of rows.

    The matrix comes from central differences of the gradient; with a step of 1e-4 their error is about 1e-9.
    """
    grad_of = derivatives.loss.grad
    grad = grad_of(scores[np.newaxis], target)[0]
    n = len(scores)
    if derivatives.hessian == "unit":
        matrix = np.eye(n)
    else:
        steps = np.diag(1e-4 * np.maximum(np.abs(scores), 1.0))
        targets = np.repeat(target, 2 * n, axis=0)
        moved = grad_of(np.concatenate([scores + steps, scores - steps]), targets)
        matrix = (moved[:n] - moved[n:]) / (2.0 * steps.diagonal()[:, np.newaxis])
        matrix = 0.5 * (matrix + matrix.T) * (derivatives.hessian_factor or 1.0)
    return (-weight * grad).tolist(), (-weight * _with_floor(matrix, derivatives.min_hessian)).tolist()


def _with_floor(matrix: np.ndarray, floor: float) -> np.ndarray:
    """Raise the diagonal to the floor."""
    diagonal = np.einsum("ii->i", matrix)
    np.maximum(diagonal, floor, out=diagonal)
    return matrix


class RowObjective(RangeObjective):
    """A loss of rows as an objective of CatBoost, one score for each class; made by `objective`.

    For two classes CatBoost has one score, and asks for ranges of samples.
    """

    def calc_ders_multi(self, approxes: Any, target: float, weight: float) -> tuple[list[float], list[list[float]]]:
        """Return gradient and matrix of second derivatives of the negative loss for one sample."""
        scores = np.asarray(approxes)
        row = labels.row_targets(self.derivatives.loss, np.array([target]), len(scores))
        return _negative_derivatives(self.derivatives, scores, row, weight)


class MultiTargetObjective(catboost.MultiTargetCustomObjective):  # type: ignore[misc]  # catboost is untyped
    """A loss of elements as an objective of CatBoost, one score for each column of targets; made by `objective`."""

    no_jit = True

    def __init__(self, derivatives: Derivatives) -> None:
        self.derivatives = derivatives

    def calc_ders_multi(self, approxes: Any, targets: Any, weight: float) -> tuple[list[float], list[list[float]]]:
        """Return gradient and (diagonal) matrix of second derivatives of the negative loss for one sample."""
        scores, target = np.asarray(approxes)[np.newaxis], np.asarray(targets, dtype=np.float64)[np.newaxis]
        grad, hess = self.derivatives(scores, target, None)
        return (-weight * grad[0]).tolist(), (-weight * np.diag(hess[0])).tolist()


def objective(
    loss: Any,
    *,
    hessian: str = "auto",
    hessian_factor: float | None = None,
    min_hessian: float = 1e-16,
    multi_target: bool = False,
    **parameters: Any,
) -> Any:
    """Return a loss as an objective of CatBoost.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name. It takes raw scores: a loss with logits for classes, one with a log link for counts.
    hessian : {"auto", "exact", "unit"}, default "auto"
        ``"exact"`` is the second derivative. ``"unit"`` is 1 (times the weight), which makes leaves mean gradients:
        for losses without curvature, such as quantiles. ``"auto"`` is the exact one where the loss has it and it is
        not 0 on all samples, else the unit. Losses of rows have the full matrix, from differences of the gradient.
    hessian_factor : float, optional
        What multiplies the exact Hessian; None is 1.
    min_hessian : float, default 1e-16
        The least value of an element of the Hessian. Where a loss is not convex its second derivative is negative, and
        Newton's step needs a positive sum; a larger floor makes the steps there shorter.
    multi_target : bool, default False
        True for targets of several columns, each with a score of its own.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    object
        For ``loss_function=``. CatBoost wants an ``eval_metric`` beside it: `metric`, or one of its own.

    Raises
    ------
    ParameterError
        If the loss does not take raw scores and one target, or an option has no such value.

    Examples
    --------
    >>> import catboost
    >>> from losslib.adapters.catboost import metric, objective
    >>> X, y = np.arange(40.0).reshape(20, 2), np.arange(20.0)
    >>> model = catboost.CatBoostRegressor(
    ...     iterations=5,
    ...     loss_function=objective("log_cosh"),
    ...     eval_metric=metric("log_cosh"),
    ...     verbose=False,
    ...     allow_writing_files=False,
    ...     thread_count=1,
    ... )
    >>> model.fit(X, y).predict(X).shape
    (20,)
    """
    known.require_samples(binding.bind(loss, parameters), "CatBoost")
    rows = binding.takes_rows(binding.bind(loss, parameters))
    if rows and hessian == "exact":
        hessian = "auto"  # the matrix comes from the gradient: no diagonal is asked for
    derivatives = boosting.derivatives(loss, hessian, hessian_factor, min_hessian, parameters)
    if rows:
        return RowObjective(derivatives)
    if not multi_target:
        return RangeObjective(derivatives)
    if hessian == "auto":  # one sample does not tell whether the loss has curvature
        kind = "exact" if binding.has_curvature(derivatives.loss) else "unit"
        derivatives = dataclasses.replace(derivatives, hessian=kind)
    return MultiTargetObjective(derivatives)


class Metric:
    """A loss, or a metric of an order, as a metric of CatBoost; made by `metric`."""

    no_jit = True

    def __init__(self, score: Score | OrderMetric) -> None:
        self.score = score

    def is_max_optimal(self) -> bool:
        """Return False for a loss, which is minimised."""
        return self.score.larger_is_better

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:
        """Return the weighted sum of the losses and the sum of the weights."""
        scores = np.asarray(approxes[0]) if len(approxes) == 1 else np.array(approxes).T
        return self._sums(scores, read_labels("target", target), weight)

    def _sums(self, scores: np.ndarray, target: np.ndarray, weight: Any) -> tuple[float, float]:
        weights = None if weight is None or len(weight) == 0 else np.asarray(weight)
        total = float(len(scores)) if weights is None else float(weights.sum(dtype=np.float64))
        return self.score.of_known(scores, known.Known(target, weights)) * total if total else 0.0, total

    def get_final_error(self, error: float, weight: float) -> float:
        """Return the mean loss."""
        return error / weight if weight else float("nan")

    def __reduce__(self) -> tuple[Any, ...]:
        return _metric_of, (self.score, False)


class MultiTargetMetric(catboost.MultiTargetCustomMetric, Metric):  # type: ignore[misc]  # catboost is untyped
    """A loss of elements as a metric of CatBoost for several columns of targets; made by `metric`."""

    def evaluate(self, approxes: Any, targets: Any, weight: Any) -> tuple[float, float]:
        """Return the weighted sum of the losses and the sum of the weights."""
        return self._sums(np.array(approxes).T, np.array(targets, dtype=np.float64).T, weight)

    is_max_optimal = Metric.is_max_optimal
    get_final_error = Metric.get_final_error

    def __reduce__(self) -> tuple[Any, ...]:
        return _metric_of, (self.score, True)


def metric(loss: Any, *, multi_target: bool = False, **parameters: Any) -> Any:
    """Return a loss, or the concordance index, as a metric of CatBoost.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name. It gets raw scores. Losses that compare samples look at all of a data set together,
        which CatBoost's objectives are not given; of censored times the label is negative. Or
        ``"concordance_index"``, the function of that name: greater is better.
    multi_target : bool, default False
        True for targets of several columns, each with a score of its own.
    **parameters
        The parameters of a loss given by name, or of the concordance index.

    Returns
    -------
    object
        For ``eval_metric=``: the mean loss, or the weighted mean if there are weights.

    Raises
    ------
    ParameterError
        If the loss looks at groups of items: CatBoost tells a metric none.
    """
    score = boosting.score(loss, parameters)
    if score.takes_groups:
        raise ParameterError(
            f"CatBoost tells a metric no groups, which {score.name} looks at; take one of its own, as in "
            f"eval_metric='NDCG:top=10'"
        )
    return _metric_of(score, multi_target)


def _metric_of(score: Score | OrderMetric, multi_target: bool) -> Any:
    # CatBoost lists a metric by the name of its class.
    kind = MultiTargetMetric if multi_target else Metric
    return type(score.name, (kind,), {})(score)


def baseline(
    loss: Any,
    target: Any,
    *,
    sample_weight: Any = None,
    rows: int | None = None,
    n_classes: int | None = None,
    **parameters: Any,
) -> np.ndarray:
    """Return the best constant score for each sample, where boosting should start.

    CatBoost finds it for some of its own objectives (``boost_from_average``) and starts at 0 for others.
    Predictions need it added: CatBoost does not store it in the model.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name.
    target : array_like
        The targets of the training data.
    sample_weight : array_like, optional
        One weight for each sample.
    rows : int, optional
        For how many samples; None is as many as there are targets.
    n_classes : int, optional
        For losses of rows the number of classes, where the targets may lack the last. None takes the largest class.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    ndarray
        Of shape ``(rows,)`` or ``(rows, outputs)``, for ``baseline=``.
    """
    return boosting.constant_scores(loss, target, sample_weight, rows, parameters, n_classes)
