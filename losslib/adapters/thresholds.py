"""Thresholds between ordered classes: fitted to given scores, and the probabilities of the classes between them.

They are kept in order by their steps: the first threshold and the logarithms of the distances to the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize
import scipy.special

from losslib.errors import DomainError, ParameterError, ShapeError
from losslib.losses.ordinal import CumulativeLinkLoss

__all__ = ["class_probabilities", "fit_thresholds", "start_thresholds", "thresholds_of", "to_steps"]

#: Distribution functions of the links, and their inverses.
LAWS: dict[str, Any] = {
    "logit": (scipy.special.expit, scipy.special.logit),
    "probit": (scipy.special.ndtr, scipy.special.ndtri),
    "cloglog": (lambda z: -np.expm1(-np.exp(z)), lambda p: np.log(-np.log1p(-p))),
}
#: The least distance between two thresholds to start from.
NARROW = 1e-3


def thresholds_of(steps: np.ndarray) -> np.ndarray:
    """Return thresholds from the first and the logarithms of the distances."""
    return np.asarray(np.cumsum(np.concatenate([steps[:1], np.exp(steps[1:])])))


def to_steps(thresholds: np.ndarray) -> np.ndarray:
    """Return the first threshold and the logarithms of the distances."""
    return np.asarray(np.concatenate([thresholds[:1], np.log(np.maximum(np.diff(thresholds), NARROW))]))


def by_steps(steps: np.ndarray, by_thresholds: np.ndarray) -> np.ndarray:
    """Turn a derivative by thresholds into one by the steps."""
    after = np.cumsum(by_thresholds[::-1])[::-1]
    return np.asarray(np.concatenate([after[:1], after[1:] * np.exp(steps[1:])]))


def start_thresholds(target: np.ndarray, n_classes: int, weight: np.ndarray | None = None, link: str = "logit") -> Any:
    """Return the thresholds at which a score of 0 has the frequencies of the classes; no class is left without any."""
    counts = np.bincount(target, weight, n_classes).astype(np.float64)
    shares = np.cumsum(counts + 0.5)[:-1] / (counts.sum() + 0.5 * n_classes)
    return np.asarray(LAWS[link][1](shares))


def fit_thresholds(
    scores: Any,
    target: Any,
    *,
    n_classes: int,
    link: str = "logit",
    start: Any = None,
    sample_weight: Any = None,
    max_iter: int = 50,
) -> np.ndarray:
    """Fit the thresholds between ordered classes to given scores, by maximum likelihood.

    Parameters
    ----------
    scores : array_like of shape (n_samples,)
        One score for each sample.
    target : array_like of shape (n_samples,)
        Classes 0 to ``n_classes - 1``.
    n_classes : int
        How many classes there are, at least 2.
    link : {"logit", "probit", "cloglog"}, default "logit"
        The link of `cumulative_link_loss`.
    start : array_like of shape (n_classes - 1,), optional
        Thresholds to begin with; None: those of the frequencies.
    sample_weight : array_like of shape (n_samples,), optional
        One weight for each sample.
    max_iter : int, default 50
        The most steps.

    Returns
    -------
    ndarray of shape (n_classes - 1,)
        Thresholds that do not fall.

    Examples
    --------
    >>> from losslib.adapters.thresholds import fit_thresholds
    >>> fit_thresholds([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0], [0, 0, 1, 0, 1, 1], n_classes=2).round(3)
    array([0.5])
    """
    values = np.asarray(scores, np.float64).reshape(-1)
    classes = np.asarray(target)
    if classes.shape != values.shape:
        raise ShapeError(f"target has shape {classes.shape}, expected {values.shape}: one class for each score")
    classes = classes.astype(np.int64)
    if n_classes < 2:
        raise ParameterError(f"n_classes must be at least 2, got {n_classes!r}")
    if classes.size and not (classes.min() >= 0 and classes.max() < n_classes):
        raise DomainError(f"target must hold classes 0 to {n_classes - 1}")
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
    loss = CumulativeLinkLoss(link=link, reduction="weighted_mean", check=False)
    begin = start_thresholds(classes, n_classes, weight, link) if start is None else np.asarray(start, np.float64)

    def objective(steps: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = loss.value_and_grad(
            values, classes, thresholds_of(steps), sample_weight=weight, wrt="thresholds"
        )
        return float(value), by_steps(steps, slope)

    result = scipy.optimize.minimize(
        objective, to_steps(begin), jac=True, method="L-BFGS-B", options={"maxiter": max_iter}
    )
    return thresholds_of(result.x)


def class_probabilities(scores: Any, thresholds: Any, link: str = "logit") -> np.ndarray:
    """Return the probability of each class.

    Parameters
    ----------
    scores : array_like of shape (n_samples,)
        One score for each sample.
    thresholds : array_like of shape (n_classes - 1,)
        Bounds between the classes.
    link : {"logit", "probit", "cloglog"}, default "logit"
        The link of `cumulative_link_loss`.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Probabilities.
    """
    column = np.asarray(scores, np.float64).reshape(-1, 1)
    below = LAWS[link][0](np.asarray(thresholds, np.float64) - column)
    ends = np.zeros((len(column), 1)), np.ones((len(column), 1))
    return np.asarray(np.diff(np.hstack([ends[0], below, ends[1]]), axis=1))
