"""MXNet is retired and not installed: its names are compared with its formulas, written here in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import losslib
from losslib.names.tables import package

RNG = np.random.default_rng(23)
X, T = RNG.normal(size=(5, 2, 3)), RNG.normal(size=(5, 2, 3))
SIGNS, BITS = RNG.choice([-1.0, 1.0], X.shape), RNG.integers(0, 2, X.shape).astype(float)
P = RNG.dirichlet(np.ones(3), (5, 2))
ROWS, CLASSES = RNG.normal(size=(5, 4)), RNG.integers(0, 4, 5)
LOG_ROWS = ROWS - np.log(np.exp(ROWS).sum(1, keepdims=True))
SOFT = RNG.dirichlet(np.ones(4), 5)


def samples(values: np.ndarray) -> np.ndarray:
    """Average all axes but the first."""
    return values.reshape(len(values), -1).mean(1)


def smooth(rho: float) -> Callable[..., np.ndarray]:
    def value(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        distance = abs(x - t)
        return samples(np.where(distance > rho, distance - rho / 2, distance**2 / (2 * rho)))

    return value


def triplet(margin: float) -> Callable[..., np.ndarray]:
    return lambda x, p, n: np.maximum(((p - x) ** 2 - (n - x) ** 2).sum(1) + margin, 0)


CASES: list[tuple[str, dict[str, Any], tuple[np.ndarray, ...], Callable[..., Any]]] = [
    ("L2Loss", {}, (X, T), lambda x, t: samples((x - t) ** 2 / 2)),
    ("L1Loss", {}, (X, T), lambda x, t: samples(abs(x - t))),
    ("HuberLoss", {}, (X, T), smooth(1.0)),
    ("HuberLoss", {"rho": 0.5}, (X, T), smooth(0.5)),
    ("HingeLoss", {}, (X, SIGNS), lambda x, t: samples(np.maximum(0, 1 - x * t))),
    ("HingeLoss", {"margin": 0.5}, (X, SIGNS), lambda x, t: samples(np.maximum(0, 0.5 - x * t))),
    ("SquaredHingeLoss", {}, (X, SIGNS), lambda x, t: samples(np.maximum(0, 1 - x * t) ** 2)),
    ("LogisticLoss", {}, (X, SIGNS), lambda x, t: samples(np.log1p(np.exp(-x * t)))),
    ("LogisticLoss", {"label_format": "binary"}, (X, BITS), lambda x, t: samples(np.log1p(np.exp(x)) - x * t)),
    ("SigmoidBCELoss", {}, (X, BITS), lambda x, t: samples(np.log1p(np.exp(x)) - x * t)),
    ("SoftmaxCELoss", {}, (ROWS, CLASSES), lambda x, t: np.log(np.exp(x).sum(1)) - x[np.arange(5), t]),
    ("SoftmaxCELoss", {"sparse_label": False}, (ROWS, SOFT), lambda x, t: np.log(np.exp(x).sum(1)) - (x * t).sum(1)),
    ("SoftmaxCELoss", {"from_logits": True}, (LOG_ROWS, CLASSES), lambda x, t: -x[np.arange(5), t]),
    ("KLDivLoss", {}, (np.log(P), P[::-1]), lambda x, t: samples(t * (np.log(t + 1e-12) - x))),
    ("PoissonNLLLoss", {}, (X, BITS), lambda x, t: (np.exp(x) - t * x).mean()),
    ("PoissonNLLLoss", {"from_logits": False}, (P, BITS), lambda x, t: (x - t * np.log(x + 1e-8)).mean()),
    ("TripletLoss", {}, (ROWS, ROWS[::-1].copy(), SOFT), triplet(1.0)),
    ("TripletLoss", {"margin": 0.5}, (ROWS, ROWS[::-1].copy(), SOFT), triplet(0.5)),
]


@pytest.mark.parametrize(("name", "given", "arrays", "formula"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_a_name_of_mxnet_is_its_formula(name: str, given: Any, arrays: Any, formula: Any) -> None:
    loss = losslib.get(f"mxnet:{name}", **given)
    value = np.asarray(loss(*arrays))
    np.testing.assert_allclose(value, formula(*arrays), rtol=1e-10, atol=2e-12)
    above = np.linspace(1.0, 2.0, 5) if value.ndim else 1.5
    gradient = loss.grad(*arrays, grad_output=above)
    gradient = gradient[0] if isinstance(gradient, tuple) else gradient
    for position in np.ndindex(arrays[0].shape):
        step = np.zeros_like(arrays[0])
        step[position] = 1e-6
        sides = [np.sum(above * formula(arrays[0] + sign * step, *arrays[1:])) for sign in (1, -1)]
        assert gradient[position] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-6, abs=1e-7)


def test_every_name_of_mxnet_is_compared_or_refused() -> None:
    compared = {name for name, *_ in CASES}
    for binding in package("mxnet").bindings:
        assert compared & set(binding.names) or all(case.refused for case in binding.cases)
