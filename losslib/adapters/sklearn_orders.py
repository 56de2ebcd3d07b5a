"""Metrics and scorers of scikit-learn for losses and metrics of an order: of items of groups, of times until events.

What they need beside predictions is no single number a sample: the group of each sample, which scikit-learn routes as
metadata or which stands in a column of the features; or an event and a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib._kernels.loss import Loss
from losslib.adapters import binding
from losslib.adapters.known import BOUNDED, SIGNED, compares_items, require_one_score
from losslib.adapters.order_metrics import OrderMetric, order_metric
from losslib.adapters.reading import read_features, read_labels, read_numbers, read_weights
from losslib.adapters.sklearn_routing import RoutedScorer
from losslib.adapters.sklearn_targets import column_of, read_bounds, read_groups, read_survival
from losslib.errors import ParameterError

__all__ = ["OrderMeasure", "OrderScorer", "order_measure"]

#: Losses of curves, which are asked for at their times.
CURVES = ("ipcw_brier_score",)


class OrderMeasure:
    """A loss or metric of an order: ``metric(y_true, y_pred, *, groups=None, sample_weight=None)``.

    Parameters
    ----------
    measured : Loss or OrderMetric
        The loss, with ``reduction="mean"``, or the metric.
    """

    def __init__(self, measured: Loss | OrderMetric) -> None:
        self.metric: OrderMetric | None = None
        self.loss: Any = None
        if isinstance(measured, OrderMetric):
            self.metric, self.__name__ = measured, measured.name
        else:
            self.loss, self.__name__ = measured, binding.info_of(measured).name  # make_scorer prints it

    @property
    def larger_is_better(self) -> bool:
        return self.metric is not None

    @property
    def takes_groups(self) -> bool:
        """True for lists of items; else targets are times and events."""
        return compares_items(self.loss) if self.metric is None else self.metric.takes_groups

    @property
    def times(self) -> Any:
        """The times of curves; None where the predictions are one score a sample."""
        return None if self.loss is None or self.__name__ not in CURVES else self.loss.parameters["eval_times"]

    def __call__(self, y_true: Any, y_pred: Any, *, groups: Any = None, sample_weight: Any = None) -> float:
        """Return the mean loss, or the metric."""
        prediction = read_numbers("y_pred", y_pred)
        weight = None if sample_weight is None else read_weights("sample_weight", sample_weight)
        options: dict[str, Any] = {"sample_weight": weight}
        targets: tuple[np.ndarray, ...]
        if self.takes_groups:
            targets = (read_labels("y_true", y_true),)
            if groups is not None:
                options["group_ids"] = read_groups(groups, len(prediction))
        elif groups is not None:
            raise ParameterError(f"{self.__name__} compares all samples; groups= are for losses of lists")
        else:
            names = SIGNED if self.metric is not None else binding.info_of(self.loss).input_names
            targets = read_bounds(y_true) if names == BOUNDED else read_survival(y_true, signed=True)
        if self.metric is not None:
            return float(self.metric.function()(prediction, *targets, **self.metric.parameters, **options))
        loss: Any = self.loss
        if weight is not None and "weighted_mean" in binding.info_of(loss).reductions:
            loss = binding.with_reduction(loss, "weighted_mean")
        return float(loss(prediction, *targets, **options))

    def __repr__(self) -> str:
        return f"metric({self.loss if self.metric is None else self.metric!r})"


def order_measure(loss: Any, parameters: Mapping[str, Any]) -> OrderMeasure | None:
    """Return the measure of a loss of lists or of times, or of a metric of an order; None for other losses."""
    metric = order_metric(loss, parameters)
    if metric is not None:
        return OrderMeasure(metric)
    bound = binding.bind(loss, parameters, "mean")
    info = binding.info_of(bound)
    if info.name in CURVES or info.geometry == "lists":
        return OrderMeasure(bound)
    if info.input_names in (SIGNED, BOUNDED):
        require_one_score(bound, "a metric")
        return OrderMeasure(bound)
    return None


class OrderScorer(RoutedScorer):
    """A measure of an order as a scorer: ``scorer(estimator, X, y, sample_weight=None, groups=None)``.

    Parameters
    ----------
    measure : OrderMeasure
        The loss or metric.
    response_method : str
        Which answer of the estimator is compared.
    groups : str, int, callable or None
        Where the groups stand in the features, if they are not routed as metadata.
    """

    def __init__(self, measure: OrderMeasure, response_method: str, groups: Any) -> None:
        self.measure = measure
        self.response_method = response_method
        self.groups = groups
        super().__init__(measure, larger_is_better=measure.larger_is_better)

    def __call__(self, estimator: Any, X: Any, y_true: Any, sample_weight: Any = None, groups: Any = None) -> float:
        """Return the metric, or the negative mean loss: greater is better."""
        if groups is None and self.groups is not None:
            groups = column_of(X, self.groups)
        answer = self._answer(estimator, read_features("X", X))
        value = self.measure(y_true, answer, groups=groups, sample_weight=sample_weight)
        return value if self.measure.larger_is_better else -value

    def _answer(self, estimator: Any, X: Any) -> Any:
        times = self.measure.times
        if self.measure.__name__ in CURVES:
            return curves_of(estimator, X, times)
        method = getattr(estimator, self.response_method, None)
        if method is None:
            raise ParameterError(
                f"{type(estimator).__name__} has no {self.response_method}; name another answer with response_method="
            )
        answer = read_labels(self.response_method, method(X))
        return answer[:, -1] if answer.ndim == 2 and answer.shape[1] <= 2 else answer

    def __repr__(self) -> str:
        shown = "" if self.groups is None else f", groups={self.groups!r}"
        return f"scorer({repr(self.measure).removeprefix('metric(').removesuffix(')')}{shown})"


def curves_of(estimator: Any, X: Any, times: Any) -> np.ndarray:
    """Return survival curves at these times, of an estimator of losslib or of scikit-survival."""
    if times is None:
        raise ParameterError(
            "eval_times= says at which times the curves of an estimator are compared; it has no default"
        )
    if hasattr(estimator, "predict_survival"):
        return np.asarray(estimator.predict_survival(X, times))
    if not hasattr(estimator, "predict_survival_function"):
        raise ParameterError(
            f"{type(estimator).__name__} has neither predict_survival nor predict_survival_function, which give curves"
        )
    return np.array([curve(np.asarray(times)) for curve in estimator.predict_survival_function(X)])
