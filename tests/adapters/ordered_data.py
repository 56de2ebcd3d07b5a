"""Data for boosters with an order: lists of graded items, and censored times."""

from __future__ import annotations

import numpy as np

LISTS, ITEMS = 60, 15


def queries(seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return features, grades that depend on them, and the sizes of groups."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((LISTS * ITEMS, 5))
    merit = X[:, 0] + 0.5 * X[:, 1] * X[:, 2] + 0.4 * rng.standard_normal(len(X))
    return X, np.digitize(merit, [0.3, 1.0, 1.8]).astype(float), [ITEMS] * LISTS


def ndcg(scores: np.ndarray, labels: np.ndarray) -> float:
    """The mean NDCG of lists of equal length."""
    found = []
    for x, y in zip(scores.reshape(LISTS, ITEMS), labels.reshape(LISTS, ITEMS), strict=True):
        gains, discounts = 2.0**y - 1, 1 / np.log2(2 + np.arange(ITEMS))
        best = np.sort(gains)[::-1] @ discounts
        if best:
            found.append(gains[np.argsort(-x, kind="stable")] @ discounts / best)
    return float(np.mean(found))


def lifetimes(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, censored times that depend on them, and events."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((400, 4))
    time = np.exp(-X[:, 0] - 0.5 * X[:, 1] + 0.5 * rng.gumbel(size=400))
    end = rng.exponential(2.0, 400)
    return X, np.minimum(time, end), (time <= end).astype(float)
