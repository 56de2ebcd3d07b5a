"""Losses as metrics in scikit-learn's argument order, and as scorers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import make_scorer

from losslib._kernels.loss import Loss
from losslib.adapters import binding
from losslib.errors import DomainError, ParameterError

__all__ = ["Metric", "encode", "metric", "scorer"]


class Metric:
    """A loss as a metric: ``metric(y_true, y_pred, *, sample_weight=None)``; made by `metric`.

    Parameters
    ----------
    loss : Loss
        The loss, with ``reduction="mean"``.
    labels : ndarray or None
        The class labels, in the order of the columns of predictions.
    """

    def __init__(self, loss: Loss, labels: np.ndarray | None) -> None:
        self.loss = loss
        self.labels = labels
        self.__name__ = binding.info_of(loss).name  # make_scorer prints it

    def __call__(self, y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
        """Return the mean loss, or the weighted mean."""
        target = np.asarray(y_true)
        if self.labels is not None:
            target = encode(self.loss, target, self.labels)
        elif binding.takes_rows(self.loss):
            target = binding.class_indices(target)
        if sample_weight is None:
            return float(self.loss(np.asarray(y_pred), target))
        weighted = binding.with_reduction(self.loss, "weighted_mean")
        return float(weighted(np.asarray(y_pred), target, sample_weight=sample_weight))

    def __repr__(self) -> str:
        labels = "" if self.labels is None else f", labels={self.labels.tolist()!r}"
        return f"metric({self.loss!r}{labels})"


def encode(loss: Loss, target: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return class labels as the loss wants them: indices for rows; for two classes 0 and 1, or -1 and 1."""
    order = np.argsort(labels, kind="stable")
    positions = np.searchsorted(labels, target, sorter=order)
    indices: np.ndarray = order[np.minimum(positions, len(labels) - 1)]
    unknown = labels[indices] != target
    if unknown.any():
        position = int(np.argmax(unknown))
        raise DomainError(f"y_true[{position}] is {target.tolist()[position]!r}, not one of labels={labels.tolist()!r}")
    if binding.takes_rows(loss):
        return indices
    if len(labels) != 2:
        raise ParameterError(
            f"{binding.info_of(loss).name} compares one number with one target, got {len(labels)} labels; expected 2, "
            f"or a loss of rows such as cross_entropy"
        )
    return binary_targets(loss, indices)


def binary_targets(loss: Loss, positive: np.ndarray) -> np.ndarray:
    """Return 0 and 1 as the numbers that the loss wants: -1 and 1 for losses of signs, and of real numbers."""
    if binding.target_domain(loss) in ("sign", "real"):
        return np.where(positive, 1.0, -1.0)
    return positive.astype(np.float64)


def metric(loss: Any, *, labels: Any = None, **parameters: Any) -> Metric:
    """Return a loss as a metric in scikit-learn's order of arguments.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name.
    labels : array_like, optional
        The class labels in the order of the columns of `y_pred` (an estimator's ``classes_``). Given, `y_true` holds
        labels, which become indices, 0 and 1, or -1 and 1, as the loss wants them. None passes `y_true` as it is.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    Metric
        ``metric(y_true, y_pred, *, sample_weight=None)``, which returns the mean loss, or the weighted mean.

    Examples
    --------
    >>> from losslib.adapters.sklearn import metric
    >>> metric("quantile", quantile=0.9)([3.0, 5.0], [2.0, 5.0])
    0.45
    >>> accept = metric("binary_cross_entropy", labels=["no", "yes"])
    >>> round(accept(["yes", "no"], [0.8, 0.4]), 6)
    0.366985
    """
    bound = binding.bind(loss, parameters, "mean")
    binding.require_input_and_target(bound, "a metric")
    return Metric(bound, None if labels is None else np.asarray(labels))


def response_of(loss: Loss) -> str:
    """Return the method of an estimator whose answer the loss compares with the target."""
    info = binding.info_of(loss)
    if binding.input_domain(loss) == "probability" or info.name == "categorical_cross_entropy":
        return "predict_proba"
    if info.family in ("binary", "multiclass"):
        return "decision_function"
    return "predict"


def scorer(loss: Any, *, response_method: str | None = None, labels: Any = None, **parameters: Any) -> Any:
    """Return a loss as a scorer for ``cross_val_score``, ``GridSearchCV`` and their like.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name.
    response_method : {"predict", "predict_proba", "decision_function"}, optional
        Which answer of the estimator is the loss's input. None chooses: probabilities for losses of probabilities,
        the decision function for the other losses of classes, else ``predict``. scikit-learn gives the
        column of the second class to losses of two classes.
    labels : array_like, optional
        The class labels in sorted order, as in `metric`.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``, the negative mean loss: greater is better, as scikit-learn has it.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from losslib.adapters.sklearn import scorer
    >>> X = np.arange(10.0)[:, np.newaxis]
    >>> scores = cross_val_score(LinearRegression(), X, 2.0 * X[:, 0], scoring=scorer("huber"), cv=5)
    >>> bool(np.abs(scores).max() < 1e-12)
    True
    """
    measure = metric(loss, labels=labels, **parameters)
    if response_method is None:
        response_method = response_of(measure.loss)
    return make_scorer(measure, greater_is_better=False, response_method=response_method)
