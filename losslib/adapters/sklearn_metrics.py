"""Losses as metrics in scikit-learn's argument order."""

from __future__ import annotations

from typing import Any

import numpy as np

from losslib._kernels.loss import Loss
from losslib.adapters import binding, labels
from losslib.adapters.reading import read_labels, read_weights
from losslib.adapters.sklearn_orders import OrderMeasure, order_measure
from losslib.errors import ParameterError, ShapeError

__all__ = ["Metric", "metric"]


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
        target, prediction = read_labels("y_true", y_true), read_labels("y_pred", y_pred)
        rows = binding.takes_rows(self.loss)
        if self.labels is not None:
            count = len(self.labels)
            target = labels.class_targets(self.loss, self._indices(target), count)
            if rows and prediction.ndim == 2 and prediction.shape[1] != count:
                raise ShapeError(f"y_pred has {prediction.shape[1]} columns for {count} labels")
        elif rows:
            target = labels.row_targets(self.loss, target, prediction.shape[-1] if prediction.ndim else 0)
        if sample_weight is None:
            return float(self.loss(prediction, target))
        weighted = binding.with_reduction(self.loss, "weighted_mean")
        return float(weighted(prediction, target, sample_weight=read_weights("sample_weight", sample_weight)))

    def _indices(self, target: np.ndarray) -> np.ndarray:
        assert self.labels is not None
        return labels.encode("y_true", target.ravel(), self.labels, "labels").reshape(target.shape)

    def __repr__(self) -> str:
        shown = "" if self.labels is None else f", labels={self.labels.tolist()!r}"
        return f"metric({self.loss!r}{shown})"


def metric(loss: Any, *, labels: Any = None, **parameters: Any) -> Metric | OrderMeasure:
    """Return a loss as a metric in scikit-learn's order of arguments.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name; or a metric of an order, by its name or as the function.
    labels : array_like, optional
        The class labels in the order of the columns of `y_pred` (an estimator's ``classes_``). Given, `y_true` holds
        labels, which become indices, 0 and 1, or -1 and 1, as the loss wants them. None passes `y_true` as it is.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    Metric
        ``metric(y_true, y_pred, *, sample_weight=None)``, which returns the mean loss, or the weighted mean. `y_pred`
        is the input of the loss: logits, probabilities, log-means, ... Weights are finite, not negative, and not 0
        everywhere. Losses of lists, ``"ndcg"`` and ``"mean_average_precision"`` take ``groups=``, one label for each
        sample; `y_true` of losses of times and of ``"concordance_index"`` is a structured array of event and time, the
        columns time and event, or times that are negative where censored.

    Notes
    -----
    Arrays are paired by position: the index of a pandas Series is not looked at, as in scikit-learn.

    Examples
    --------
    >>> from losslib.adapters.sklearn import metric
    >>> metric("quantile", quantile=0.9)([3.0, 5.0], [2.0, 5.0])
    0.45
    >>> accept = metric("binary_cross_entropy", labels=["no", "yes"])
    >>> round(accept(["yes", "no"], [0.8, 0.4]), 6)
    0.366985
    """
    order = order_measure(loss, parameters)
    if order is not None:
        if labels is not None:
            raise ParameterError(f"labels are for losses of classes; {order.__name__} has none")
        return order
    bound = binding.bind(loss, parameters, "mean")
    binding.require_input_and_target(bound, "a metric")
    return Metric(bound, None if labels is None else read_labels("labels", labels))
