"""Data that several boosters are trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Data:
    """Features, one target of each kind, and weights."""

    X: np.ndarray
    real: np.ndarray
    pair: np.ndarray
    binary: np.ndarray
    count: np.ndarray
    label: np.ndarray
    weight: np.ndarray


def make() -> Data:
    """Return 600 samples whose signal is known."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(600, 5))
    signal = X[:, 0] + np.sin(2.0 * X[:, 1])
    real = signal + 0.3 * rng.standard_t(2.5, size=600)
    return Data(
        X=X,
        real=real,
        pair=np.column_stack([real, -0.5 * real + 0.1 * rng.normal(size=600)]),
        binary=(signal + 0.5 * rng.normal(size=600) > 0.0).astype(np.float64),
        count=rng.poisson(np.exp(0.5 * signal)).astype(np.float64),
        label=np.digitize(signal, [-0.7, 0.7]),
        weight=rng.uniform(0.5, 2.0, size=600),
    )
