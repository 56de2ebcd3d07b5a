"""Linear models that minimise any loss: the mean loss plus an L2 penalty, by L-BFGS.

Losses made of straight pieces (absolute error, quantile, hinge) have kinks where L-BFGS stops early. They are minimised
in smoothed form instead: the loss averaged over a window of ±width around each score, whose derivatives are differences
of the loss itself,

    slope(s) = (l(s + width) - l(s - width)) / (2 width),  curvature(s) = (l'(s + width) - l'(s - width)) / (2 width),

by Newton's method, with the width shrinking from the scale of the data to a ten-millionth of it.
"""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.sparse
import scipy.special
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from losslib._kernels.loss import Loss
from losslib.adapters import binding
from losslib.adapters.labels import binary_targets, row_targets
from losslib.adapters.reading import read_features, read_labels, read_weights
from losslib.adapters.scipy import Objective
from losslib.errors import ParameterError

__all__ = ["LossClassifier", "LossRegressor"]

#: Losses whose scores are logits: a softmax or a sigmoid makes probabilities of them.
SOFTMAX = (
    "cross_entropy",
    "generalized_cross_entropy",
    "poly1_cross_entropy",
    "softmax_focal_loss",
    "symmetric_cross_entropy",
)
SIGMOID = ("asymmetric_loss", "binary_cross_entropy_with_logits", "sigmoid_focal_loss", "soft_margin_loss")


def read_fit(model: Any, X: Any, y: Any, sample_weight: Any, **checks: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return features, targets and weights of a fit, checked by losslib for masks and nulls and by scikit-learn."""
    X, y = validate_data(
        model,
        read_features("X", X),
        y if y is None else read_labels("y", y),
        accept_sparse="csr",
        dtype=np.float64,
        **checks,
    )
    if sample_weight is not None:
        sample_weight = read_weights("sample_weight", sample_weight)
    return X, y, _check_sample_weight(sample_weight, X, dtype=np.float64)


def classes_of(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes that a classifier is fitted to, at least two, and the position of each label among them."""
    check_classification_targets(y)
    classes, indices = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y holds one class, {classes[0]!r}; a classifier needs at least 2 classes")
    return classes, indices


def has_straight_pieces(loss: Loss) -> bool:
    """True for a loss of elements whose second derivative is 0 wherever it exists."""
    return not binding.takes_rows(loss) and not binding.has_curvature(loss)


class SmoothedMinimum:
    """Newton's method on a loss of straight pieces, averaged over a shrinking window."""

    def __init__(self, loss: Loss, design: Any, target: np.ndarray, weight: np.ndarray, l2: np.ndarray) -> None:
        self._values = binding.with_reduction(loss, "none")
        self._sum = binding.with_reduction(loss, "sum")
        self._design = design
        self._target = target
        self._weight = weight / weight.sum()
        self._l2 = l2

    def slope(self, parameters: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradient of the smoothed objective and the curvature of each sample."""
        scores = self._design @ parameters
        above, below = scores + width, scores - width
        slopes = (self._values(above, self._target) - self._values(below, self._target)) / (2.0 * width)
        bends = (self._sum.grad(above, self._target) - self._sum.grad(below, self._target)) / (2.0 * width)
        return self._design.T @ (self._weight * slopes) + self._l2 * parameters, self._weight * np.maximum(bends, 0.0)

    def minimise(self, start: np.ndarray, max_iter: int) -> tuple[np.ndarray, int]:
        """Return the parameters and the number of steps."""
        parameters, steps = start, 0
        scale = float(np.std(self._target)) or 1.0
        largest = float(np.abs(self._target).max())
        columns = self._weight @ abs(self._design)
        for width in scale * np.logspace(0, -7, 15):
            # A difference of losses is rounded to an ulp of the scores, and divided by the width.
            noise = 4.0 * np.finfo(np.float64).eps * largest / width
            for _ in range(max_iter):
                gradient, bends = self.slope(parameters, width)
                if bool(np.all(np.abs(gradient) <= (1e-9 + noise) * columns)):
                    break
                steps += 1
                parameters, moved = self._step(parameters, gradient, bends, width)
                if not moved:
                    break
            else:
                warnings.warn(
                    f"Newton's method stopped after {max_iter} steps; scale the features or raise max_iter",
                    ConvergenceWarning,
                    stacklevel=4,
                )
                break
        return parameters, steps

    def _step(
        self, parameters: np.ndarray, gradient: np.ndarray, bends: np.ndarray, width: float
    ) -> tuple[np.ndarray, bool]:
        """Take a Newton step of the length at which the slope along it vanishes, by Brent's method."""
        design = self._design
        scaled = design.multiply(bends[:, np.newaxis]).tocsr() if scipy.sparse.issparse(design) else None
        matrix = (design.T @ scaled).toarray() if scaled is not None else design.T @ (bends[:, np.newaxis] * design)
        matrix[np.diag_indices_from(matrix)] += self._l2
        size = np.trace(matrix) / len(matrix)
        matrix[np.diag_indices_from(matrix)] += 1e-10 * size if size > 0 else 1.0
        direction = -scipy.linalg.solve(matrix, gradient, assume_a="pos")

        def along(length: float) -> float:
            return float(self.slope(parameters + length * direction, width)[0] @ direction)

        # Where curvature is missing the direction is far too long: the search begins within the window.
        reach = float(np.abs(design @ direction).max())
        low, high = 0.0, min(1.0, width / reach) if reach > 0 else 1.0
        if along(0.0) >= 0.0:
            return parameters, False
        while along(high) < 0.0 and high < 1e12:
            low, high = high, (1.0 if high < 1.0 < 4.0 * high else 4.0 * high)
        if along(high) > 0.0:
            high = float(scipy.optimize.brentq(along, low, high, xtol=1e-300, rtol=1e-12))
        return parameters + high * direction, True


class _LossModel(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What both linear models share: options, checks and the fit of coefficients."""

    def __init__(
        self,
        loss: Any,
        *,
        alpha: float = 1e-4,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-8,
    ) -> None:
        self.loss = loss
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def _bound(self) -> Loss:
        loss = binding.bind(self.loss, {}, "weighted_mean")
        binding.require_input_and_target(loss, type(self).__name__)
        meaning = binding.input_meaning(loss)
        if meaning in binding.NO_SCORES:
            raise ParameterError(
                f"{binding.info_of(loss).name} takes {meaning} and a linear model gives scores; use the loss that "
                f"takes logits"
            )
        if not self.alpha >= 0:
            raise ParameterError(f"alpha must be >= 0, got {self.alpha!r}")
        return loss

    def _minimise(
        self,
        loss: Loss,
        X: Any,
        target: np.ndarray,
        weight: np.ndarray,
        *,
        outputs: int = 1,
        alpha: float | None = None,
    ) -> None:
        """Set ``coef_`` of shape (outputs, features), ``intercept_`` and ``n_iter_``."""
        design, l2 = self._design(X, self.alpha if alpha is None else alpha)
        if outputs > 1:
            l2 = np.repeat(l2, outputs)
        start = np.zeros(design.shape[1] * outputs)
        if outputs == 1 and has_straight_pieces(loss):
            smoothed = SmoothedMinimum(loss, design, target, weight, l2)
            solution, self.n_iter_ = smoothed.minimise(start, self.max_iter)
        else:
            result = scipy.optimize.minimize(
                Objective(loss, design, target, weight, l2),
                start,
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": self.max_iter, "gtol": self.tol, "ftol": 64 * np.finfo(np.float64).eps},
            )
            solution, self.n_iter_ = result.x, result.nit
            if not result.success:
                warnings.warn(
                    f"L-BFGS stopped after {result.nit} steps: {result.message}; scale the features or raise max_iter",
                    ConvergenceWarning,
                    stacklevel=3,
                )
        table = solution.reshape(design.shape[1], outputs)
        features = X.shape[1]
        self.coef_ = np.ascontiguousarray(table[:features].T)
        self.intercept_ = table[features] if self.fit_intercept else np.zeros(outputs)

    def _design(self, X: Any, alpha: float) -> tuple[Any, np.ndarray]:
        """Return the features with a column of ones for the intercept, and the penalty of each column."""
        l2 = np.full(X.shape[1], float(alpha))
        if not self.fit_intercept:
            return X, l2
        ones = np.ones((X.shape[0], 1))
        design = scipy.sparse.hstack([X, ones], format="csr") if scipy.sparse.issparse(X) else np.hstack([X, ones])
        return design, np.append(l2, 0.0)

    def _scores(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, read_features("X", X), accept_sparse="csr", dtype=np.float64, reset=False)
        scores: np.ndarray = X @ self.coef_.T + self.intercept_
        return scores.ravel() if scores.ndim == 2 and scores.shape[1] == 1 else scores

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class LossRegressor(RegressorMixin, _LossModel):  # type: ignore[misc]  # scikit-learn is untyped
    """A linear model that minimises any loss: ``weighted mean of loss(Xw + b, y) + alpha / 2 ||w||²``.

    Parameters
    ----------
    loss : Loss or str, default "half_squared_error"
        The loss, or its name.
    alpha : float, default 1e-4
        Strength of the L2 penalty; the intercept is not penalised.
    fit_intercept : bool, default True
        Whether to fit b.
    max_iter : int, default 1000
        The most steps of the solver.
    tol : float, default 1e-8
        L-BFGS stops when no element of the gradient is larger.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        The coefficients w.
    intercept_ : float
        The intercept b.
    n_iter_ : int
        How many steps the solver took.
    n_features_in_ : int
        How many features `fit` saw.

    Notes
    -----
    Losses with a log link (``log_input=True``) predict ``exp(Xw + b)``.

    Examples
    --------
    >>> from losslib.adapters.sklearn import LossRegressor
    >>> X = np.arange(6.0)[:, np.newaxis]
    >>> y = np.array([0.0, 2.0, 4.0, 6.0, 8.0, 100.0])
    >>> model = LossRegressor(losslib.L1Loss(), alpha=0.0).fit(X, y)
    >>> model.coef_.round(4), round(model.intercept_, 4) + 0.0
    (array([2.]), 0.0)
    """

    def __init__(
        self,
        loss: Any = "half_squared_error",
        *,
        alpha: float = 1e-4,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-8,
    ) -> None:
        super().__init__(loss, alpha=alpha, fit_intercept=fit_intercept, max_iter=max_iter, tol=tol)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n_samples, n_features)
            The features.
        y : array_like of shape (n_samples,)
            The targets.
        sample_weight : array_like, optional
            One weight for each sample: finite, not negative, and not 0 everywhere.

        Returns
        -------
        LossRegressor
            Itself.
        """
        loss = self._bound()
        if binding.takes_rows(loss):
            raise ParameterError(f"{binding.info_of(loss).name} is a loss of classes; use LossClassifier")
        X, y, weight = read_fit(self, X, y, sample_weight, y_numeric=True)
        self._minimise(loss, X, y.astype(np.float64), weight)
        self.coef_, self.intercept_ = self.coef_[0], float(self.intercept_[0])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n_samples, n_features)
            The features.

        Returns
        -------
        ndarray of shape (n_samples,)
            The predictions.
        """
        scores = self._scores(X)
        return np.exp(scores) if binding.has_log_link(self._bound()) else scores


def _gives_probabilities(model: LossClassifier) -> bool:
    name = binding.info_of(model._bound()).name
    if name not in SOFTMAX + SIGMOID:
        raise AttributeError(f"the scores of {name} are not logits: they have no probabilities")
    return True


class LossClassifier(ClassifierMixin, _LossModel):  # type: ignore[misc]  # scikit-learn is untyped
    """A linear classifier that minimises any loss: ``weighted mean of loss + alpha / 2 ||W||²``.

    Parameters
    ----------
    loss : Loss or str, default "cross_entropy"
        The loss, or its name. A loss of rows compares the scores of all classes; a loss of two classes makes one
        classifier for each class against the rest.
    alpha : float, default 1e-4
        Strength of the L2 penalty; the intercepts are not penalised.
    fit_intercept : bool, default True
        Whether to fit intercepts.
    max_iter : int, default 1000
        The most steps of the solver.
    tol : float, default 1e-8
        L-BFGS stops when no element of the gradient is larger.

    Attributes
    ----------
    classes_ : ndarray
        The class labels.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        The coefficients; for two classes those of the second, the first having the score 0.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        The intercepts.
    n_iter_ : int
        How many steps the solver took.
    n_features_in_ : int
        How many features `fit` saw.

    Notes
    -----
    ``LossClassifier(alpha=1 / (C * n_samples))`` is scikit-learn's ``LogisticRegression(C=C)``.

    Examples
    --------
    >>> from losslib.adapters.sklearn import LossClassifier
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> model = LossClassifier("hinge").fit(X, ["low", "low", "high", "high"])
    >>> model.predict(X).tolist()
    ['low', 'low', 'high', 'high']
    """

    def __init__(
        self,
        loss: Any = "cross_entropy",
        *,
        alpha: float = 1e-4,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-8,
    ) -> None:
        super().__init__(loss, alpha=alpha, fit_intercept=fit_intercept, max_iter=max_iter, tol=tol)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the coefficients.

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
        LossClassifier
            Itself.
        """
        loss = self._bound()
        X, y, weight = read_fit(self, X, y, sample_weight)
        self.classes_, indices = classes_of(y)
        count = len(self.classes_)
        if binding.takes_rows(loss):
            self._fit_rows(loss, X, indices, weight, count)
        elif count == 2:
            self._minimise(loss, X, binary_targets(loss, indices), weight)
        else:
            self._fit_each(loss, X, indices, weight, count)
        return self

    def _fit_rows(self, loss: Loss, X: Any, indices: np.ndarray, weight: np.ndarray, count: int) -> None:
        # Of two classes the columns end at -w/2 and w/2, whose squared norms add up to half of ||w||².
        alpha = self.alpha if count > 2 else 2.0 * self.alpha
        self._minimise(loss, X, row_targets(loss, indices, count), weight, outputs=count, alpha=alpha)
        if count == 2:
            self.coef_, self.intercept_ = np.diff(self.coef_, axis=0), np.diff(self.intercept_)

    def _fit_each(self, loss: Loss, X: Any, indices: np.ndarray, weight: np.ndarray, count: int) -> None:
        coefficients, intercepts, steps = [], [], []
        for k in range(count):
            self._minimise(loss, X, binary_targets(loss, indices == k), weight)
            coefficients.append(self.coef_[0])
            intercepts.append(self.intercept_[0])
            steps.append(self.n_iter_)
        self.coef_, self.intercept_, self.n_iter_ = np.array(coefficients), np.array(intercepts), max(steps)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the scores.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n_samples, n_features)
            The features.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the score of the second.
        """
        return self._scores(X)

    def predict(self, X: Any) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n_samples, n_features)
            The features.

        Returns
        -------
        ndarray of shape (n_samples,)
            The labels.
        """
        scores = self._scores(X)
        indices = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        labels: np.ndarray = self.classes_[indices]
        return labels

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, for losses of logits.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n_samples, n_features)
            The features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            The softmax of the scores for a loss of rows; sigmoids, divided by their sum, for a loss of two classes.
        """
        scores = self._scores(X)
        if scores.ndim == 1:
            return np.column_stack([scipy.special.expit(-scores), scipy.special.expit(scores)])
        if binding.takes_rows(self._bound()):
            return np.asarray(scipy.special.softmax(scores, axis=1))
        each = scipy.special.expit(scores)
        return np.asarray(each / each.sum(axis=1, keepdims=True))
