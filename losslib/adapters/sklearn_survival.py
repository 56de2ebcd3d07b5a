"""Cox's regression as an estimator of scikit-learn: coefficients, the baseline hazard, and survival curves.

Targets are what scikit-survival takes, a structured array of an event and a time, or two columns, time and event.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.linalg
import scipy.optimize
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

import losslib
from losslib.adapters.labels import encode
from losslib.adapters.reading import read_features, read_labels, read_numbers, read_weights
from losslib.adapters.sklearn_targets import read_groups, read_survival
from losslib.concordance import concordance_index
from losslib.errors import ParameterError, ShapeError

__all__ = ["CoxRegression"]

#: Features up to which the minimum is polished with the whole matrix of second derivatives.
POLISHED = 200


class CoxRegression(BaseEstimator):  # type: ignore[misc]  # not installed where types are checked
    """Cox's proportional hazards: the mean of `cox_ph_loss` over all samples, by their weights, plus an L2 penalty.

    Parameters
    ----------
    ties : {"efron", "breslow"}, default "efron"
        What events at the same time are.
    alpha : float, default 0.0
        Weight of half the squared length of the coefficients.
    max_iter : int, default 1000
        Most steps of L-BFGS.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Logarithms of the hazard ratios.
    times_ : ndarray
        The times of events.
    strata_ : ndarray
        The labels of the strata; None without strata.
    baseline_hazard_ : ndarray
        What the cumulative hazard of a sample with all features 0 grows by at each of `times_` (Breslow); a row for
        each of `strata_` where there are strata.
    n_features_in_ : int
        Number of features.
    n_iter_ : int
        Steps of L-BFGS.

    Examples
    --------
    >>> from losslib.adapters.sklearn import CoxRegression
    >>> X = np.array([[0.0], [1.0], [0.0], [2.0], [1.0], [2.0]])
    >>> time, event = np.array([5.0, 3.0, 6.0, 1.0, 4.0, 3.5]), np.array([1, 1, 0, 1, 1, 1])
    >>> model = CoxRegression().fit(X, np.column_stack([time, event]))
    >>> bool(model.coef_[0] > 0)
    True
    >>> model.predict_survival([[0.0], [2.0]], times=[2.0, 4.5]).shape
    (2, 2)
    """

    def __init__(self, *, ties: str = "efron", alpha: float = 0.0, max_iter: int = 1000) -> None:
        self.ties = ties
        self.alpha = alpha
        self.max_iter = max_iter

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, strata: Any = None, entry: Any = None) -> Self:
        """Find the coefficients and the baseline hazard.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Features.
        y : structured array or array_like of shape (n_samples, 2)
            Event and time, or the columns time and event.
        sample_weight : array_like, optional
            One weight for each sample; it is part of the risk sets.
        strata : array_like, optional
            A label for each sample: only samples of one stratum are compared, and each has a baseline hazard.
        entry : array_like, optional
            Time from which each sample is at risk, below its `time`.

        Returns
        -------
        CoxRegression
            The estimator itself.
        """
        if y is None:
            raise ValueError("CoxRegression requires y to be passed, but the target y is None")
        X = validate_data(self, read_features("X", X), dtype=np.float64)
        time, event = read_survival(y)
        if len(time) != len(X):
            raise ShapeError(f"y has {len(time)} samples, expected {len(X)}, the number of rows of X")
        if sample_weight is not None:
            sample_weight = read_weights("sample_weight", sample_weight)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        groups = None if strata is None else read_groups(strata, len(X), "strata")
        begin = None if entry is None else read_numbers("entry", entry)
        loss = losslib.get("cox_ph_loss", ties=self.ties, reduction="sum")
        known = {"sample_weight": weight, "strata": groups, "entry": begin}
        scale = X.std(axis=0)
        scale[scale == 0] = 1.0
        design = (X - X.mean(axis=0)) / scale
        penalty = self.alpha / scale**2
        samples = float(weight.sum())  # a weight of 2 is a sample that comes twice

        def objective(coef: np.ndarray) -> tuple[float, np.ndarray]:
            value, grad = loss.value_and_grad(design @ coef, time, event, **known)
            value = value / samples + 0.5 * float(penalty @ coef**2)
            return value, design.T @ grad / samples + penalty * coef

        found = scipy.optimize.minimize(
            objective,
            np.zeros(X.shape[1]),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self.max_iter, "gtol": 1e-8, "ftol": 1e-14},
        )
        self.n_iter_ = int(found.nit)
        coef = polish(objective, found.x) if X.shape[1] <= POLISHED else found.x
        self.coef_ = coef / scale
        self.times_ = np.unique(time[(event > 0) & (weight > 0)])
        of_all = [np.ones(len(X), bool)] if groups is None else [groups == k for k in range(groups.max() + 1)]
        arrays = [X @ self.coef_, time, event, weight, np.full(len(X), -np.inf) if begin is None else begin]
        rows = [breslow(self.times_, *(array[kept] for array in arrays)) for kept in of_all]
        self.strata_ = None if groups is None else labels_of(strata, groups)
        self.baseline_hazard_ = rows[0] if groups is None else np.array(rows)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the logarithm of the hazard of each sample, up to that of the baseline; larger dies earlier."""
        check_is_fitted(self)
        return np.asarray(validate_data(self, read_features("X", X), dtype=np.float64, reset=False) @ self.coef_)

    def predict_cumulative_hazard(self, X: Any, times: Any = None, *, strata: Any = None) -> np.ndarray:
        """Return the cumulative hazard of each sample at each time, which may be None for `times_`."""
        risk = np.exp(self.predict(X))
        total = np.cumsum(np.atleast_2d(self.baseline_hazard_), axis=1)
        total = np.concatenate([np.zeros((len(total), 1)), total], axis=1)
        at = self.times_ if times is None else np.asarray(times, np.float64)
        rows = total[self._strata_of(strata, len(risk))]
        return np.asarray(risk[:, np.newaxis] * rows[:, np.searchsorted(self.times_, at, side="right")])

    def _strata_of(self, strata: Any, samples: int) -> np.ndarray:
        """Return the row of the baseline hazards for each sample."""
        if self.strata_ is None:
            if strata is not None:
                raise ParameterError("strata were given, and the model was fitted without")
            return np.zeros(samples, np.intp)
        if strata is None:
            raise ParameterError(
                f"the model was fitted in {len(self.strata_)} strata, each with its own hazard: pass strata="
            )
        return encode("strata", read_labels("strata", strata), self.strata_, "the strata of the fit")

    def predict_survival(self, X: Any, times: Any = None, *, strata: Any = None) -> np.ndarray:
        """Return the probability of each sample to live beyond each time, which may be None for `times_`.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Features.
        times : array_like, optional
            Times of the curves; None for those of the events that were seen.
        strata : array_like, optional
            The stratum of each sample, where the model was fitted in strata.

        Returns
        -------
        ndarray of shape (n_samples, n_times)
            Probabilities, as `ipcw_brier_score` takes them.
        """
        return np.asarray(np.exp(-self.predict_cumulative_hazard(X, times, strata=strata)))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the concordance index of the predictions: greater is better."""
        time, event = read_survival(y)
        return concordance_index(self.predict(X), time, event, sample_weight=sample_weight)


def polish(objective: Any, coef: np.ndarray) -> np.ndarray:
    """Take Newton's last steps, with second derivatives that are differences of exact gradients."""
    step = 1e-5
    for _ in range(2):
        _, grad = objective(coef)
        columns = [objective(coef + step * row)[1] - objective(coef - step * row)[1] for row in np.eye(len(coef))]
        hessian = np.array(columns) / (2 * step)
        try:
            coef = coef - scipy.linalg.solve(0.5 * (hessian + hessian.T), grad, assume_a="pos")
        except (scipy.linalg.LinAlgError, ValueError):  # separated or collinear data: there is no single minimum
            break
    return coef


def breslow(
    times: np.ndarray,
    score: np.ndarray,
    time: np.ndarray,
    event: np.ndarray,
    weight: np.ndarray,
    entry: np.ndarray,
) -> np.ndarray:
    """Return at each time the weight of those who die over the hazards of all at risk, 0 where nobody dies."""
    top = float(score.max(initial=-np.inf))
    hazard = weight * np.exp(score - top)

    def beyond(ends: np.ndarray) -> np.ndarray:
        order = np.argsort(ends, kind="stable")
        sums = np.append(np.cumsum(hazard[order][::-1])[::-1], 0.0)
        return np.asarray(sums[np.searchsorted(ends[order], times, side="left")])

    at_risk = beyond(time)
    if bool((entry > -np.inf).any()):
        everyone = at_risk
        at_risk = everyone - beyond(entry)
        for k in np.flatnonzero(at_risk < 1e-6 * everyone):  # a difference without digits: added up anew
            at_risk[k] = hazard[(time >= times[k]) & (entry < times[k])].sum()
    place = np.searchsorted(times, time)
    dies = (event > 0) & (weight > 0)
    dying = np.bincount(place[dies], weight[dies], len(times))
    return np.asarray(np.divide(dying, at_risk, out=np.zeros(len(times)), where=dying > 0) * np.exp(-top))


def labels_of(strata: Any, groups: np.ndarray) -> np.ndarray:
    """Return the label of each stratum."""
    first = np.unique(groups, return_index=True)[1]
    return np.asarray(read_labels("strata", strata)[first])
