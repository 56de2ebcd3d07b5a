"""A linear classifier of ordered classes for scikit-learn: one direction, and thresholds along it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import scipy.optimize
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from losslib.adapters.reading import read_features
from losslib.adapters.sklearn_linear import classes_of, read_fit
from losslib.adapters.thresholds import by_steps, class_probabilities, start_thresholds, thresholds_of, to_steps
from losslib.errors import ParameterError
from losslib.losses.ordinal import CumulativeLinkLoss

__all__ = ["OrdinalClassifier"]

#: The largest element of a gradient that counts as none.
SMALL = 1e-6
#: Parameters up to which Newton's steps with a whole Hessian finish the fit.
MOST = 100


def by_newton(objective: Callable[[np.ndarray], tuple[float, np.ndarray]], point: np.ndarray) -> np.ndarray:
    """Finish a minimisation: steps with the Hessian, from differences of the gradient, as long as they help.

    Where the loss is nearly flat, a small gradient is still far from the minimum.
    """
    slope = objective(point)[1]
    for _ in range(5):
        moves = 1e-5 * np.eye(len(point))
        columns = [(objective(point + move)[1] - objective(point - move)[1]) / 2e-5 for move in moves]
        hessian = np.array(columns)
        try:
            there = point - np.linalg.solve(0.5 * (hessian + hessian.T), slope)
        except np.linalg.LinAlgError:
            return point
        after = objective(there)[1]
        if not np.abs(after).max() < np.abs(slope).max():
            return point
        point, slope = there, after
    return point


class OrdinalClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """A linear model of ordered classes: ``weighted mean of cumulative_link_loss + alpha / 2 ||w||²``.

    The classes are in the order of their labels, as `numpy.unique` sorts them.

    Parameters
    ----------
    link : {"logit", "probit", "cloglog"}, default "logit"
        The link of `cumulative_link_loss`.
    alpha : float, default 1e-4
        Strength of the L2 penalty; the thresholds are not penalised.
    max_iter : int, default 1000
        The most steps of the solver.
    tol : float, default 1e-8
        L-BFGS stops when no element of the gradient is larger.

    Attributes
    ----------
    classes_ : ndarray
        The class labels, in order.
    coef_ : ndarray of shape (n_features,)
        The direction along which the classes lie.
    thresholds_ : ndarray of shape (n_classes - 1,)
        The bounds between them.
    n_iter_ : int
        How many steps the solver took.
    n_features_in_ : int
        How many features `fit` saw.

    Examples
    --------
    >>> from losslib.adapters.sklearn import OrdinalClassifier
    >>> X = np.arange(9.0).reshape(9, 1)
    >>> model = OrdinalClassifier().fit(X, [1, 1, 1, 2, 2, 2, 3, 3, 3])
    >>> model.predict(X).tolist()
    [1, 1, 1, 2, 2, 2, 3, 3, 3]
    """

    def __init__(self, link: str = "logit", *, alpha: float = 1e-4, max_iter: int = 1000, tol: float = 1e-8) -> None:
        self.link = link
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit direction and thresholds.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n_samples, n_features)
            The features.
        y : array_like of shape (n_samples,)
            The class labels.
        sample_weight : array_like, optional
            One weight for each sample: finite, not negative, and not 0 everywhere.

        Returns
        -------
        OrdinalClassifier
            Itself.
        """
        loss = CumulativeLinkLoss(link=self.link, reduction="weighted_mean", check=False)
        if not self.alpha >= 0:
            raise ParameterError(f"alpha must be >= 0, got {self.alpha!r}")
        X, y, weight = read_fit(self, X, y, sample_weight)
        self.classes_, indices = classes_of(y)
        count, features = len(self.classes_), X.shape[1]

        def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            w, steps = parameters[:features], parameters[features:]
            value, (by_score, by_thresholds) = loss.value_and_grad(
                np.asarray(X @ w), indices, thresholds_of(steps), sample_weight=weight, wrt=("input", "thresholds")
            )
            slope = np.concatenate([X.T @ by_score + self.alpha * w, by_steps(steps, by_thresholds)])
            return float(value) + 0.5 * self.alpha * float(w @ w), slope

        start = np.concatenate([np.zeros(features), to_steps(start_thresholds(indices, count, weight, self.link))])
        # Until the gradient vanishes: thresholds move far while the loss hardly changes. Where rounding ends the line
        # search before, as it does near the end, a gradient of SMALL is as good.
        result = scipy.optimize.minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self.max_iter, "gtol": self.tol, "ftol": 0.0},
        )
        if not result.success and np.abs(result.jac).max() > SMALL:
            warnings.warn(
                f"L-BFGS stopped after {result.nit} steps: {result.message}; scale the features or raise max_iter",
                ConvergenceWarning,
                stacklevel=2,
            )
        solution = result.x if len(result.x) > MOST else by_newton(objective, result.x)
        self.coef_, self.thresholds_ = solution[:features], thresholds_of(solution[features:])
        self.n_iter_ = result.nit
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n_samples, n_features)
            The features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        check_is_fitted(self)
        X = validate_data(self, read_features("X", X), accept_sparse="csr", dtype=np.float64, reset=False)
        return class_probabilities(X @ self.coef_, self.thresholds_, self.link)

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n_samples, n_features)
            The features.

        Returns
        -------
        ndarray of shape (n_samples,)
            The labels.
        """
        positions = self.predict_proba(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[positions]
        return labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.poor_score = True  # of classes that have no order: they lie along one direction
        return tags
