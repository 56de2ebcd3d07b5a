"""Objectives and metrics for LightGBM, for ``lightgbm.train`` and for its scikit-learn estimators.

LightGBM calls an objective in two ways: ``objective(scores, dataset)`` from ``train``, and ``objective(y_true,
scores, weight)`` from its estimators, which count the parameters. The objects made here answer both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from losslib.adapters import binding, boosting
from losslib.adapters.boosting import Derivatives, Known, OrderMetric, Score, optimal_constant
from losslib.adapters.reading import read_features, read_labels, read_numbers
from losslib.errors import ParameterError

__all__ = ["Metric", "Objective", "init_score", "leaf_quantiles", "metric", "objective", "optimal_constant"]


def _read(first: Any, second: Any, weight: Any, groups: Any = None) -> tuple[np.ndarray, Known]:
    """Return scores, and what is known of ``(scores, dataset)`` or of ``(y_true, scores, weight, group)``."""
    if hasattr(second, "get_label"):
        scores, target, weight, groups = first, second.get_label(), second.get_weight(), second.get_group()
    else:
        target, scores = first, second
    weight = None if weight is None else read_numbers("sample_weight", weight)
    sizes = None if groups is None else read_numbers("group", groups)
    return read_labels("scores", scores), Known(read_labels("target", target), weight, sizes)


class Objective:
    """A loss as an objective of LightGBM; made by `objective`.

    Parameters
    ----------
    derivatives : Derivatives
        What computes gradient and Hessian.
    """

    def __init__(self, derivatives: Derivatives) -> None:
        self.derivatives = derivatives

    # Exactly three parameters: by their number the estimators know that it takes weights.
    def __call__(self, first: Any, second: Any, weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return (gradient, Hessian) for ``(scores, dataset)`` or for ``(y_true, scores, weight)``."""
        return self.at(*_read(first, second, weight))

    def at(self, scores: np.ndarray, known: Known) -> tuple[np.ndarray, np.ndarray]:
        """Return (gradient, Hessian) at scores."""
        factor = 1.0
        if scores.ndim == 2 and binding.takes_rows(self.derivatives.loss):  # as LightGBM's softmax: K/(K-1) p (1-p)
            classes = scores.shape[1]
            factor = classes / (classes - 1)
        return self.derivatives.of_known(scores, known, factor)

    def __repr__(self) -> str:
        return f"<LightGBM objective {self.derivatives.loss!r}>"


class GroupedObjective(Objective):
    """A loss of ranking as an objective; by its four parameters the ranker knows that it takes the groups."""

    def __call__(self, first: Any, second: Any, weight: Any = None, group: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return (gradient, Hessian) for ``(scores, dataset)`` or for ``(y_true, scores, weight, group)``."""
        return self.at(*_read(first, second, weight, group))


class Metric:
    """A loss, or a metric of an order, as a metric of LightGBM; made by `metric`.

    Parameters
    ----------
    score : Score or OrderMetric
        What computes the mean loss, or the metric.
    """

    def __init__(self, score: Score | OrderMetric) -> None:
        self.score = score

    def __call__(self, first: Any, second: Any, weight: Any = None) -> tuple[str, float, bool]:
        """Return (name, value, larger is better) for ``(scores, dataset)`` or for ``(y_true, scores, weight)``."""
        return self.score.name, self.score.of_known(*_read(first, second, weight)), self.score.larger_is_better

    def __repr__(self) -> str:
        return f"<LightGBM metric {getattr(self.score, 'loss', self.score)!r}>"


class GroupedMetric(Metric):
    """A loss of ranking as a metric; by its four parameters the ranker knows that it takes the groups."""

    def __call__(self, first: Any, second: Any, weight: Any = None, group: Any = None) -> tuple[str, float, bool]:
        """Return (name, value, larger is better) for ``(scores, dataset)`` or ``(y_true, scores, weight, group)``."""
        value = self.score.of_known(*_read(first, second, weight, group))
        return self.score.name, value, self.score.larger_is_better


def objective(
    loss: Any,
    *,
    hessian: str = "auto",
    hessian_factor: float | None = None,
    min_hessian: float = 1e-16,
    **parameters: Any,
) -> Objective:
    """Return a loss as an objective of LightGBM.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name. It takes raw scores: a loss with logits for classes, one with a log link for counts.
    hessian : {"auto", "exact", "unit"}, default "auto"
        ``"exact"`` is the second derivative. ``"unit"`` is 1 (times the weight), which makes leaves mean gradients:
        for losses without curvature, such as quantiles. ``"auto"`` is the exact one where the loss has it and it is
        not 0 on all samples, else the unit.
    hessian_factor : float, optional
        What multiplies the exact Hessian. None is LightGBM's convention: K / (K - 1) for losses of rows of K classes,
        else 1.
    min_hessian : float, default 1e-16
        The least value of an element of the Hessian. Where a loss is not convex its second derivative is negative, and
        LightGBM needs a positive sum; a larger floor makes the steps there shorter.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    Objective
        For ``params["objective"]`` of ``lightgbm.train`` and for ``objective=`` of the estimators. Losses of ranking
        take the groups of the ``Dataset``, or those that ``LGBMRanker`` was given; losses of censored times a label
        that is the time, negative where it is censored.

    Raises
    ------
    ParameterError
        If the loss does not take raw scores and one target, or an option has no such value.

    Examples
    --------
    >>> import lightgbm
    >>> from losslib.adapters.lightgbm import objective
    >>> X, y = np.arange(200.0).reshape(100, 2), np.arange(100.0)
    >>> model = lightgbm.LGBMRegressor(n_estimators=5, objective=objective("log_cosh"), verbose=-1)
    >>> model.fit(X, y).predict(X).shape
    (100,)
    """
    derivatives = boosting.derivatives(loss, hessian, hessian_factor, min_hessian, parameters)
    return GroupedObjective(derivatives) if boosting.compares_items(derivatives.loss) else Objective(derivatives)


def metric(loss: Any, **parameters: Any) -> Metric:
    """Return a loss, or a metric of an order, as a metric of LightGBM.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name. With an objective of this module it gets raw scores; with an objective of LightGBM it
        gets what that one predicts, such as probabilities. Or ``"ndcg"``, ``"mean_average_precision"`` or
        ``"concordance_index"``, the functions of that name: greater is better, and lists without gains count as 1.
    **parameters
        The parameters of a loss given by name, or of the metric, such as ``topn=10``.

    Returns
    -------
    Metric
        For ``feval=`` of ``lightgbm.train`` and for ``eval_metric=`` of the estimators: the mean loss, or the
        weighted mean if there are weights. Callbacks that stop early are told which values are better.
    """
    score = boosting.score(loss, parameters)
    return GroupedMetric(score) if score.takes_groups else Metric(score)


#: The names under which ``lightgbm.train`` takes the kind of boosting.
BOOSTING = ("boosting", "boosting_type", "boost")


class LeafQuantiles:
    """An objective whose leaves are quantiles of the residuals; made by `leaf_quantiles`.

    LightGBM keeps the scores of the training data and does not notice when a leaf is set to another value, so the
    scores are kept here.
    """

    def __init__(self, level: float, derivatives: Derivatives, X: Any) -> None:
        self._level = level
        self._derivatives = derivatives
        self._X = X
        self._scores: np.ndarray | None = None
        self._target = np.empty(0)
        self._weight: np.ndarray | None = None

    def __call__(self, scores: np.ndarray, dataset: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return (gradient, Hessian) at the scores with the leaves as they were set."""
        if self._scores is None:
            self._scores = np.array(scores)
            self._target, self._weight = dataset.get_label(), dataset.get_weight()
        return self._derivatives(self._scores, self._target, self._weight)

    def __deepcopy__(self, memo: Any) -> LeafQuantiles:
        return self  # lightgbm.train copies its parameters; objective and callback share the scores

    def renew(self, env: Any) -> None:
        """Set the leaves of the last tree: the callback."""
        if env.evaluation_result_list:
            raise ParameterError(
                "leaf_quantiles sets leaves that LightGBM's evaluation of valid_sets does not see; train without them "
                "and evaluate booster.predict"
            )
        if self._scores is None or self._scores.ndim != 1:
            raise ParameterError("leaf_quantiles must be the objective as well as the callback, for one output")
        kind = next((env.params[name] for name in BOOSTING if name in env.params), "gbdt")
        if kind not in ("gbdt", "gbrt"):
            raise ParameterError(f"leaf_quantiles needs boosting='gbdt', got {kind!r}, which scales trees afterwards")
        booster, last = env.model, env.model.current_iteration() - 1
        part = {"start_iteration": last, "num_iteration": 1}
        leaves = np.asarray(booster.predict(self._X, pred_leaf=True, **part), dtype=np.int64).ravel()
        rate = booster.dump_model(**part)["tree_info"][0]["shrinkage"]
        values = boosting.leaf_values(self._target - self._scores, leaves, self._weight, self._level, method="linear")
        for leaf, value in values.items():
            booster.set_leaf_output(last, leaf, rate * value)
            self._scores[leaves == leaf] += rate * value


def leaf_quantiles(loss: Any, X: Any, **parameters: Any) -> LeafQuantiles:
    """Return an objective whose leaves are quantiles of residuals, as those of LightGBM's own quantile objective.

    A loss without curvature tells a tree where to split, but not how far a leaf should move: the best value is the
    quantile of the residuals in it. With weights it is the weighted quantile without the interpolation that LightGBM's
    own objective has.

    Parameters
    ----------
    loss : Loss or str
        `quantile_loss`, or `l1_loss` for medians.
    X : array_like
        The features of the training data; all samples count in a leaf, those left out by bagging too.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    LeafQuantiles
        For ``params["objective"]`` of ``lightgbm.train``, and its method ``renew`` for ``callbacks=``. It serves
        one training.

    Raises
    ------
    ParameterError
        If the loss is another one; in training, if there are ``valid_sets``, whose scores LightGBM would not update,
        or ``boosting`` is ``"dart"`` or ``"rf"``.
    """
    derivatives = boosting.derivatives(loss, "unit", None, 1e-16, parameters)
    return LeafQuantiles(boosting.quantile_level(loss, parameters), derivatives, read_features("X", X))


def init_score(
    loss: Any,
    target: Any,
    *,
    sample_weight: Any = None,
    rows: int | None = None,
    n_classes: int | None = None,
    **parameters: Any,
) -> np.ndarray:
    """Return the best constant score for each sample, where boosting should start.

    LightGBM finds it for its own objectives (``boost_from_average``) and starts at 0 for others. Predictions need it
    added: LightGBM does not store it in the model.

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
        Of shape ``(rows,)`` or ``(rows, outputs)``, for ``init_score=``.
    """
    return boosting.constant_scores(loss, target, sample_weight, rows, parameters, n_classes)
