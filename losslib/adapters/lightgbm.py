"""Objectives and metrics for LightGBM, for ``lightgbm.train`` and for its scikit-learn estimators.

LightGBM calls an objective in two ways: ``objective(scores, dataset)`` from ``train``, and ``objective(y_true,
scores, weight)`` from its estimators, which count the parameters. The objects made here answer both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from losslib.adapters import binding, boosting
from losslib.adapters.boosting import Derivatives, Score, optimal_constant

__all__ = ["Metric", "Objective", "init_score", "metric", "objective", "optimal_constant"]


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
        if hasattr(second, "get_label"):
            scores, target, weight = first, second.get_label(), second.get_weight()
        else:
            target, scores = first, second
        factor = 1.0
        if binding.takes_rows(self.derivatives.loss):  # LightGBM's own softmax: h = K / (K - 1) p (1 - p)
            classes = scores.shape[1]
            factor = classes / (classes - 1)
        return self.derivatives(scores, np.asarray(target), weight, factor)

    def __repr__(self) -> str:
        return f"<LightGBM objective {self.derivatives.loss!r}>"


class Metric:
    """A loss as a metric of LightGBM, to be minimised; made by `metric`.

    Parameters
    ----------
    score : Score
        What computes the mean loss.
    """

    def __init__(self, score: Score) -> None:
        self.score = score

    def __call__(self, first: Any, second: Any, weight: Any = None) -> tuple[str, float, bool]:
        """Return (name, value, False) for ``(scores, dataset)`` or for ``(y_true, scores, weight)``."""
        if hasattr(second, "get_label"):
            scores, target, weight = first, second.get_label(), second.get_weight()
        else:
            target, scores = first, second
        return self.score.name, self.score(scores, np.asarray(target), weight), False

    def __repr__(self) -> str:
        return f"<LightGBM metric {self.score.loss!r}>"


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
        For ``params["objective"]`` of ``lightgbm.train`` and for ``objective=`` of the estimators.

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
    return Objective(boosting.derivatives(loss, hessian, hessian_factor, min_hessian, parameters))


def metric(loss: Any, **parameters: Any) -> Metric:
    """Return a loss as a metric of LightGBM.

    Parameters
    ----------
    loss : Loss or str
        The loss, or its name. With an objective of this module it gets raw scores; with an objective of LightGBM it
        gets what that one predicts, such as probabilities.
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    Metric
        For ``feval=`` of ``lightgbm.train`` and for ``eval_metric=`` of the estimators: the mean loss, or the
        weighted mean if there are weights.
    """
    return Metric(boosting.score(loss, parameters))


def init_score(
    loss: Any, target: Any, *, sample_weight: Any = None, rows: int | None = None, **parameters: Any
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
    **parameters
        The parameters of a loss given by name.

    Returns
    -------
    ndarray
        Of shape ``(rows,)`` or ``(rows, outputs)``, for ``init_score=``.
    """
    scores: np.ndarray = boosting.constant_scores(loss, target, sample_weight, rows, parameters)
    return scores
