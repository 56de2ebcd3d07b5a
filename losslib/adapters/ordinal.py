"""Boosted models of ordered classes: one score for each sample, and thresholds that are fitted between the rounds.

The objective answers XGBoost and LightGBM alike: ``objective(scores, dataset)`` from their ``train``, and
``objective(y_true, scores, sample_weight)`` from their estimators. CatBoost computes derivatives a block of samples at
a time; there the thresholds stay where `fit_thresholds` puts them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from losslib.adapters.reading import read_labels, read_numbers
from losslib.adapters.thresholds import class_probabilities, fit_thresholds, start_thresholds
from losslib.errors import ParameterError
from losslib.losses.ordinal import CumulativeLinkLoss

__all__ = ["OrdinalObjective", "class_probabilities", "fit_thresholds"]


class OrdinalObjective:
    """`cumulative_link_loss` as an objective of XGBoost, LightGBM and CatBoost.

    Parameters
    ----------
    n_classes : int
        How many classes there are; labels are 0 to ``n_classes - 1``.
    link : {"logit", "probit", "cloglog"}, default "logit"
        The link of `cumulative_link_loss`.
    thresholds : array_like of shape (n_classes - 1,), optional
        Thresholds that are kept. None: they begin at the frequencies of the classes and are fitted anew to the scores
        at each call, which is once a round.
    min_hessian : float, default 1e-16
        The least value of an element of the Hessian.

    Attributes
    ----------
    thresholds_ : ndarray of shape (n_classes - 1,)
        The thresholds of the last call, those that the last tree was grown for. `fit` puts them where the scores of
        the finished model are best divided.

    Examples
    --------
    >>> import xgboost
    >>> from losslib.adapters.ordinal import OrdinalObjective
    >>> X, y = np.arange(40.0).reshape(40, 1), np.repeat([0, 1, 2, 3], 10)
    >>> objective = OrdinalObjective(4)
    >>> data = xgboost.DMatrix(X, y)
    >>> model = xgboost.train({"max_depth": 2, "base_score": 0.0}, data, 20, obj=objective)
    >>> scores = model.predict(data, output_margin=True)
    >>> objective.fit(scores, y).predict(scores).tolist() == y.tolist()
    True
    """

    #: CatBoost would translate the methods with numba, which knows no compiled loss.
    no_jit = True

    def __init__(
        self, n_classes: int, *, link: str = "logit", thresholds: Any = None, min_hessian: float = 1e-16
    ) -> None:
        if n_classes < 2:
            raise ParameterError(f"n_classes must be at least 2, got {n_classes!r}")
        if not min_hessian > 0:
            raise ParameterError(f"min_hessian must be > 0, got {min_hessian!r}")
        self.loss = CumulativeLinkLoss(link=link, reduction="sum")
        self.n_classes = n_classes
        self.link = link
        self.min_hessian = float(min_hessian)
        self.fixed = thresholds is not None
        self.thresholds_ = None if thresholds is None else np.array(thresholds, np.float64)
        if self.fixed and np.shape(thresholds) != (n_classes - 1,):
            raise ParameterError(
                f"thresholds has shape {np.shape(thresholds)}, expected ({n_classes - 1},) for {n_classes} classes"
            )
        self.__name__ = "cumulative_link_loss"

    # Exactly three parameters: by their number LightGBM's estimators know that it takes weights.
    def __call__(self, first: Any, second: Any, weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return (gradient, Hessian) for ``(scores, dataset)`` or for ``(y_true, scores, sample_weight)``."""
        if hasattr(second, "get_label"):
            scores, target, weight = first, second.get_label(), second.get_weight()
            weight = weight if weight is not None and len(weight) else None
        else:
            target, scores = first, second
        weight = None if weight is None else read_numbers("sample_weight", weight)
        values = read_labels("scores", scores).astype(np.float64).reshape(-1)
        classes = self._classes(target)
        if not self.fixed:
            self._refit(values, classes, weight)
        return self._derivatives(values, classes, weight)

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> np.ndarray:
        """Return the first and second derivatives of the negative loss as columns, as CatBoost asks for them."""
        if self.thresholds_ is None:
            raise ParameterError(
                "CatBoost computes derivatives a block of samples at a time: give OrdinalObjective the thresholds, "
                "such as those of fit_thresholds of zeros"
            )
        weight = None if weights is None else read_numbers("sample_weight", weights)
        scores = read_labels("scores", approxes).astype(np.float64)
        return -np.column_stack(self._derivatives(scores, self._classes(targets), weight))

    def fit(self, scores: Any, target: Any, sample_weight: Any = None) -> OrdinalObjective:
        """Fit the thresholds to the scores of a finished model; return the objective itself."""
        self.thresholds_ = fit_thresholds(
            scores,
            target,
            n_classes=self.n_classes,
            link=self.link,
            start=self.thresholds_,
            sample_weight=sample_weight,
            max_iter=200,
        )
        return self

    def predict_proba(self, scores: Any) -> np.ndarray:
        """Return the probability of each class, of shape (n_samples, n_classes)."""
        if self.thresholds_ is None:
            raise ParameterError("there are no thresholds yet: train a model with this objective first")
        return class_probabilities(scores, self.thresholds_, self.link)

    def predict(self, scores: Any) -> np.ndarray:
        """Return the most probable class of each score."""
        return np.asarray(self.predict_proba(scores).argmax(axis=1))

    def __repr__(self) -> str:
        return f"OrdinalObjective({self.n_classes}, link={self.link!r})"

    def _classes(self, target: Any) -> np.ndarray:
        return read_labels("target", target).astype(np.int64).reshape(-1)

    def _refit(self, scores: np.ndarray, classes: np.ndarray, weight: np.ndarray | None) -> None:
        start = self.thresholds_
        if start is None:
            start = start_thresholds(classes, self.n_classes, weight, self.link)
        self.thresholds_ = fit_thresholds(
            scores, classes, n_classes=self.n_classes, link=self.link, start=start, sample_weight=weight, max_iter=5
        )

    def _derivatives(
        self, scores: np.ndarray, classes: np.ndarray, weight: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        _, grad, hess = self.loss.value_grad_hess(scores, classes, self.thresholds_, sample_weight=weight)
        return grad, np.maximum(hess, self.min_hessian, out=hess)
