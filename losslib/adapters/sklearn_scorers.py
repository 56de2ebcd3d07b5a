"""Losses as scorers: the answer of an estimator that the loss takes, its columns matched with the labels.

scikit-learn's own ``make_scorer`` hands a metric the columns of an answer without the labels that they stand for. The
columns belong to the ``classes_`` of the estimator, which is fitted on a part of the data and may lack a class; so
the scorer asks the estimator itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from losslib._kernels.loss import Loss
from losslib.adapters import binding, labels
from losslib.adapters.boosting import Derivatives
from losslib.adapters.reading import read_features, read_labels
from losslib.adapters.sklearn_metrics import Metric, metric
from losslib.adapters.sklearn_orders import OrderMeasure, OrderScorer
from losslib.adapters.sklearn_routing import RoutedScorer
from losslib.errors import ParameterError

__all__ = ["Scorer", "scorer"]

#: The method of a classifier that gives what a loss takes.
ANSWERS = {
    "probabilities": "predict_proba",
    "log-probabilities": "predict_log_proba",
    "scores": "decision_function",
    "cosines": "decision_function",
}


class Scorer(RoutedScorer):
    """A loss as a scorer: ``scorer(estimator, X, y)``, the negative mean loss; made by `scorer`.

    Parameters
    ----------
    measure : Metric
        The loss and, where they are given, the labels in the order that the loss counts classes.
    response_method : str
        Which answer of the estimator is the loss's input.
    raw : bool or None
        Whether ``predict`` gives log-means; None asks the estimator.
    """

    def __init__(self, measure: Metric, response_method: str, raw: bool | None) -> None:
        self.measure = measure
        self.response_method = response_method
        self.raw = raw
        super().__init__(measure, larger_is_better=False)

    def __call__(self, estimator: Any, X: Any, y_true: Any, sample_weight: Any = None) -> float:
        """Return the negative mean loss, or the weighted mean."""
        answer = self._answer(estimator, read_features("X", X))
        target = read_labels("y_true", y_true)
        measure = self.measure
        if self.response_method == "predict":
            if binding.input_meaning(measure.loss) == "log-means" and not self._gives_log_means(estimator):
                measure = Metric(binding.with_mean_input(measure.loss), measure.labels)
        elif target.ndim == 1:
            classes = self._classes(estimator)
            target = self._targets(target, classes)
            answer = self._in_order(answer, read_labels("classes_", estimator.classes_), classes)
            measure = Metric(measure.loss, None)
        return -measure(target, answer, sample_weight=sample_weight)

    def __repr__(self) -> str:
        return f"scorer({self.measure.loss!r}, response_method={self.response_method!r})"

    # ---- the answer of an estimator ----

    def _answer(self, estimator: Any, X: Any) -> np.ndarray:
        method = getattr(estimator, self.response_method, None)
        if method is None:
            raise ParameterError(
                f"{type(estimator).__name__} has no {self.response_method}, which gives what {self.measure.__name__} "
                f"takes; name another answer with response_method="
            )
        answer = method(X)
        if isinstance(answer, list):  # one table of two columns for each label of several
            return np.column_stack([read_labels(self.response_method, part)[:, 1] for part in answer])
        return read_labels(self.response_method, answer)

    def _classes(self, estimator: Any) -> np.ndarray:
        """Return the classes in the order of the loss: `labels`, else the ``classes_`` of the estimator."""
        found = getattr(estimator, "classes_", None)
        if found is None:
            raise ParameterError(
                f"{type(estimator).__name__} has no classes_, which say what the columns of {self.response_method} "
                f'stand for; wrap it, or take response_method="predict"'
            )
        fitted, wanted = read_labels("classes_", found), self.measure.labels
        if wanted is None:
            return fitted
        if set(fitted.tolist()) != set(wanted.tolist()) or len(fitted) != len(wanted):
            raise ParameterError(
                f"the estimator was fitted on the classes {fitted.tolist()!r}, not on labels={wanted.tolist()!r}"
            )
        return wanted

    def _targets(self, target: np.ndarray, classes: np.ndarray) -> np.ndarray:
        loss, count = self.measure.loss, len(classes)
        indices = labels.encode("y_true", target, classes, "the estimator's classes_")
        if self.response_method == "predict_proba" and count == 2 and binding.target_holds(loss) == "number":
            return indices.astype(np.float64)  # such as a squared error of probabilities
        return labels.class_targets(loss, indices, count)

    def _in_order(self, answer: np.ndarray, fitted: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return a column for each class in the order of the loss; for a loss of two classes what it compares."""
        count, probable = len(classes), self.response_method == "predict_proba"
        if answer.ndim == 2 and answer.shape[1] == 1:
            answer = answer[:, 0]
        one = answer.ndim == 1 and count == 2
        if one and probable and binding.input_meaning(self.measure.loss) == "probabilities":
            answer = np.column_stack([1.0 - answer, answer])
        elif one and self.response_method != "predict_log_proba":
            answer = labels.two_columns(answer)
            probable = False
        if answer.ndim != 2 or answer.shape[1] != count:
            columns = 1 if answer.ndim == 1 else answer.shape[1]
            raise ParameterError(
                f"{self.response_method} gives {columns} columns for the {count} classes {fitted.tolist()!r}; "
                f"expected one for each (of a support vector machine with decision_function_shape='ovr')"
            )
        self._require_probabilities(answer)
        position = {label: column for column, label in enumerate(fitted.tolist())}
        answer = answer[:, [position[label] for label in classes.tolist()]]
        if binding.takes_rows(self.measure.loss) or count != 2:
            return answer
        return answer[:, 1] if probable else answer[:, 1] - answer[:, 0]

    def _require_probabilities(self, answer: np.ndarray) -> None:
        """Raise for probabilities that are none: boosters with a custom objective answer with raw scores."""
        if binding.input_meaning(self.measure.loss) != "probabilities" or self.response_method != "predict_proba":
            return
        bad = ~(np.abs(answer.sum(axis=1, dtype=np.float64) - 1.0) <= 1e-3)
        if bad.any():
            sample = int(np.argmax(bad))
            raise ParameterError(
                f"predict_proba gives no probabilities: row {sample} adds up to {float(answer[sample].sum())!r}. A "
                f"booster with a custom objective answers with raw scores; take a loss of logits with "
                f'response_method="predict_proba"'
            )

    def _gives_log_means(self, estimator: Any) -> bool:
        if self.raw is not None:
            return self.raw
        fitted = getattr(estimator, "best_estimator_", estimator)  # of a search
        chosen = fitted.get_params().values() if hasattr(fitted, "get_params") else ()
        return any(isinstance(getattr(value, "derivatives", None), Derivatives) for value in chosen)


def response_of(loss: Loss) -> str:
    """Return the method of an estimator whose answer the loss compares with the target."""
    if binding.info_of(loss).family in ("binary", "multiclass"):
        return ANSWERS[binding.input_meaning(loss)]
    return "predict"


def scorer(
    loss: Any,
    *,
    response_method: str | None = None,
    labels: Any = None,
    raw: bool | None = None,
    groups: Any = None,
    **parameters: Any,
) -> Scorer | OrderScorer:
    """Return a loss as a scorer for ``cross_val_score``, ``GridSearchCV`` and their like.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name.
    response_method : {"predict", "predict_proba", "predict_log_proba", "decision_function"}, optional
        Which answer of the estimator is the loss's input. None chooses: probabilities or their logarithms for losses
        of these, the decision function for the other losses of classes, else ``predict``.
    labels : array_like, optional
        All class labels in the order in which the loss counts them, as for its class weights; the last of two is the
        positive one. None takes the estimator's ``classes_``.
    raw : bool, optional
        For losses with a log link: True if ``predict`` gives log-means. scikit-learn's ``predict`` gives means, and the
        loss compares these; boosters with an objective of losslib give raw scores, which None finds out.
    groups : str, int or callable, optional
        For losses of lists, ``"ndcg"`` and ``"mean_average_precision"``: the column of the features that has the list
        of each sample, by name or position, or a function of the features that returns it.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    Scorer
        ``scorer(estimator, X, y, sample_weight=None)``, the negative mean loss: greater is better, as scikit-learn has
        it. Metrics of an order are greater where they are better, and are not negated.

    Notes
    -----
    Where metadata routing is enabled, groups come as metadata: ``scorer("ndcg").set_score_request(groups=True)``; all
    samples are one list without any. Targets of times and events have the forms that `metric` takes; what is compared
    is ``predict``, for `ipcw_brier_score` the curves of ``predict_survival`` or scikit-survival's
    ``predict_survival_function``.

    The columns of an answer stand for the estimator's ``classes_``. A label that is not among them, as where a fold
    lacks a class, or `labels` that are not the same, are an error, which cross-validation turns into NaN with a
    warning. The decision function of two classes is the score of the second; for a loss of rows the first has
    the score 0.

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
    if isinstance(measure, OrderMeasure):
        if raw is not None:
            raise ParameterError(f"raw={raw!r} is for losses with a log link, not for {measure.__name__}")
        if groups is not None and not measure.takes_groups:
            raise ParameterError(f"{measure.__name__} compares all samples; groups= are for losses of lists")
        return OrderScorer(measure, response_method or "predict", groups)
    if groups is not None:
        raise ParameterError(f"groups= are for losses of lists, not for {measure.__name__}")
    return Scorer(measure, response_of(measure.loss) if response_method is None else response_method, raw)
