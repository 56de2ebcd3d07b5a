"""Objectives and metrics for XGBoost, for ``xgboost.train`` and for its scikit-learn estimators.

XGBoost calls an objective in two ways: ``objective(scores, dtrain)`` from ``train``, and ``objective(y_true,
scores)``, with ``sample_weight=`` if there are weights, from its estimators; it finds out by the name of the
parameter. The objects made here answer both.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xgboost

from losslib.adapters import binding, boosting
from losslib.adapters.boosting import Derivatives, Known, OrderMetric, Score, optimal_constant
from losslib.adapters.reading import read_labels, read_numbers
from losslib.errors import ParameterError

__all__ = ["Metric", "Objective", "base_margin", "leaf_quantiles", "metric", "objective", "optimal_constant"]

#: XGBoost's own softmax doubles the diagonal p(1 - p): then it bounds the whole Hessian diag(p) - ppᵀ.
ROW_FACTOR = 2.0


def _read(matrix: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return labels and weights of a ``DMatrix``."""
    weight = matrix.get_weight()
    return matrix.get_label(), weight if weight.size else None


def _arguments(first: Any, second: Any, weight: Any) -> tuple[np.ndarray, Known]:
    """Return scores, and what is known of ``(scores, dmatrix)`` or of ``(y_true, scores, sample_weight)``."""
    if hasattr(second, "get_label"):
        target, weight = _read(second)
        return read_labels("scores", first), Known(target, weight, _groups(second), _bounds(second))
    weight = None if weight is None else read_numbers("sample_weight", weight)
    return read_labels("scores", second), Known(read_labels("target", first), weight)


def _groups(matrix: Any) -> np.ndarray | None:
    """Return the sizes of the groups of a ``DMatrix``, which its ``qid`` or ``group`` told."""
    starts = matrix.get_uint_info("group_ptr")
    return np.diff(starts.astype(np.int64)) if starts.size else None


def _bounds(matrix: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the bounds of censored times of a ``DMatrix``."""
    lower, upper = (matrix.get_float_info(f"label_{side}_bound") for side in ("lower", "upper"))
    return (lower, upper) if lower.size and upper.size else None


class Objective:
    """A loss as an objective of XGBoost; made by `objective`.

    Parameters
    ----------
    derivatives : Derivatives
        What computes gradient and Hessian.
    """

    def __init__(self, derivatives: Derivatives) -> None:
        self.derivatives = derivatives
        self.__name__ = binding.info_of(derivatives.loss).name

    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return (gradient, Hessian) for ``(scores, dtrain)`` or for ``(y_true, scores, sample_weight)``."""
        scores, known = _arguments(first, second, sample_weight)
        factor = ROW_FACTOR if scores.ndim == 2 and binding.takes_rows(self.derivatives.loss) else 1.0
        return self.derivatives.of_known(scores, known, factor)

    def __repr__(self) -> str:
        return f"<XGBoost objective {self.derivatives.loss!r}>"


class Metric:
    """A loss, or a metric of an order, as a metric of XGBoost; made by `metric`.

    Parameters
    ----------
    score : Score or OrderMetric
        What computes the mean loss, or the metric.
    """

    def __init__(self, score: Score | OrderMetric) -> None:
        self.score = score
        self.__name__ = score.name  # under which the estimators list it

    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> Any:
        """Return (name, value) for ``(scores, dmatrix)``, or the value for ``(y_true, scores, sample_weight)``."""
        value = self.score.of_known(*_arguments(first, second, sample_weight))
        return (self.__name__, value) if hasattr(second, "get_label") else value

    def __repr__(self) -> str:
        return f"<XGBoost metric {getattr(self.score, 'loss', self.score)!r}>"


def objective(
    loss: Any,
    *,
    hessian: str = "auto",
    hessian_factor: float | None = None,
    min_hessian: float = 1e-16,
    **parameters: Any,
) -> Objective:
    """Return a loss as an objective of XGBoost.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name. It takes raw scores: a loss with logits for classes, one with a log link for counts.
    hessian : {"auto", "exact", "unit"}, default "auto"
        ``"exact"`` is the second derivative. ``"unit"`` is 1 (times the weight), which makes leaves mean gradients:
        for losses without curvature, such as quantiles. ``"auto"`` is the exact one where the loss has it and it is
        not 0 on all samples, else the unit.
    hessian_factor : float, optional
        What multiplies the exact Hessian. None is XGBoost's convention: 2 for losses of rows, else 1.
    min_hessian : float, default 1e-16
        The least value of an element of the Hessian. Where a loss is not convex its second derivative is negative, and
        XGBoost needs a positive sum; a larger floor makes the steps there shorter.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    Objective
        For ``obj=`` of ``xgboost.train`` and for ``objective=`` of the estimators. Losses of ranking take the groups
        of the ``DMatrix`` (``qid=`` or ``set_group``), which only ``xgboost.train`` hands on; of censored times its
        label bounds, or a label that is the time, negative where it is censored.

    Raises
    ------
    ParameterError
        If the loss does not take raw scores and one target, or an option has no such value.

    Examples
    --------
    >>> import xgboost
    >>> from losslib.adapters.xgboost import objective
    >>> X, y = np.arange(40.0).reshape(20, 2), np.arange(20.0)
    >>> model = xgboost.XGBRegressor(n_estimators=5, objective=objective("log_cosh"))
    >>> model.fit(X, y).predict(X).shape
    (20,)
    """
    return Objective(boosting.derivatives(loss, hessian, hessian_factor, min_hessian, parameters))


def metric(loss: Any, **parameters: Any) -> Metric:
    """Return a loss, or a metric of an order, as a metric of XGBoost.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name. With an objective of this module it gets raw scores; with an objective of XGBoost it
        gets what that one predicts, such as probabilities. Or ``"ndcg"``, ``"mean_average_precision"`` or
        ``"concordance_index"``, the functions of that name: greater is better, and lists without gains count as 1.
    **parameters
        The parameters of a loss given by name, or of the metric, such as ``topn=10``.

    Returns
    -------
    Metric
        For ``custom_metric=`` of ``xgboost.train`` and for ``eval_metric=`` of the estimators: the mean loss, or
        the weighted mean if there are weights. To stop early by a metric of an order, write
        ``xgboost.callback.EarlyStopping(..., maximize=True)``: XGBoost has no other way to know.
    """
    return Metric(boosting.score(loss, parameters))


class LeafQuantiles(xgboost.callback.TrainingCallback):  # type: ignore[misc]  # not installed where types are checked
    """Sets the leaves of each new tree to quantiles of the residuals; made by `leaf_quantiles`."""

    def __init__(self, level: float, matrix: Any) -> None:
        super().__init__()
        self._level = level
        self._matrix = matrix
        self._scores = np.empty(0)

    def before_training(self, model: Any) -> Any:
        """Note the scores from which training starts."""
        kind = json.loads(model.save_config())["learner"]["gradient_booster"]["name"]
        if kind != "gbtree":
            raise ParameterError(f"leaf_quantiles needs booster='gbtree', got {kind!r}")
        self._scores = model.predict(self._matrix, output_margin=True)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Replace the leaves of the last tree, in the model that XGBoost writes as JSON."""
        rounds = model.num_boosted_rounds()
        leaves = np.asarray(model[rounds - 1 : rounds].predict(self._matrix, pred_leaf=True), dtype=np.int64)
        if leaves.size != len(self._scores) or self._scores.ndim != 1:
            raise ParameterError("leaf_quantiles needs one tree a round and one output")
        leaves = leaves.ravel()
        target, weight = _read(self._matrix)
        values = boosting.leaf_values(target - self._scores, leaves, weight, self._level, method="weibull")
        configuration = model.save_config()
        rate = float(json.loads(configuration)["learner"]["gradient_booster"]["tree_train_param"]["eta"])
        document = json.loads(model.save_raw("json"))
        tree = document["learner"]["gradient_booster"]["model"]["trees"][-1]
        for leaf, value in values.items():
            tree["split_conditions"][leaf] = tree["base_weights"][leaf] = rate * value
            self._scores[leaves == leaf] += np.float32(rate * value)
        model.load_model(bytearray(json.dumps(document).encode()))
        model.load_config(configuration)  # the parameters of training are no part of a model
        return False


def leaf_quantiles(loss: Any, dtrain: Any, **parameters: Any) -> LeafQuantiles:
    """Return a callback that sets leaves to quantiles of residuals, as XGBoost does for its own quantile objective.

    A loss without curvature tells a tree where to split, but not how far a leaf should move: the best value is the
    quantile of the residuals in it. Metrics of a round are computed before its leaves are set.

    Parameters
    ----------
    loss : Loss or str
        `quantile_loss`, or `l1_loss` for medians.
    dtrain : DMatrix
        The training data.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    LeafQuantiles
        For ``callbacks=`` of ``xgboost.train``, beside `objective` of the same loss. It writes and reads the model
        in each round, whose cost grows with the number of trees.

    Raises
    ------
    ParameterError
        If the loss is another one; in training, if ``booster`` is ``"dart"``, which scales trees afterwards, or
        ``"gblinear"``.
    """
    return LeafQuantiles(boosting.quantile_level(loss, parameters), dtrain)


def base_margin(
    loss: Any,
    target: Any,
    *,
    sample_weight: Any = None,
    rows: int | None = None,
    n_classes: int | None = None,
    **parameters: Any,
) -> np.ndarray:
    """Return the best constant score for each sample, where boosting should start.

    XGBoost finds it for its own objectives and starts at 0.5 for others. Predictions need the same margin: XGBoost does
    not store it in the model.

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
        Of shape ``(rows,)`` or ``(rows, outputs)``, for ``base_margin=``.
    """
    return boosting.constant_scores(loss, target, sample_weight, rows, parameters, n_classes)
