"""Losses, gradients and Hessians are those of scikit-learn's boosting code, means those of its metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import DTYPES, assert_agree

sklearn = pytest.importorskip("sklearn")
metrics = pytest.importorskip("sklearn.metrics")
private = pytest.importorskip("sklearn._loss.loss", reason="a private module, which may move")

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
N = 200


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


REAL = random(1).normal(size=N)
PREDICTED = random(2).normal(size=N) * 2
PREDICTED[:4] = [0.0, 8.0, -8.0, 20.0]
COUNTS = random(3).poisson(1.5, N).astype(np.float64)
POSITIVE = random(4).gamma(2.0, 1.0, N) + 0.1
MEANS = random(5).gamma(3.0, 0.7, N) + 0.1
LABELS = random(6).integers(0, 2, N).astype(np.float64)
SIGNS = 2 * LABELS - 1
PROBABILITIES = random(7).uniform(0.01, 0.99, N)
WEIGHTS = random(8).uniform(0.5, 2.0, N)


@dataclass(frozen=True)
class Pair:
    """A private loss of scikit-learn and the losslib call that equals it."""

    theirs: str
    ours: str
    raw: np.ndarray
    target: np.ndarray
    their_parameters: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    #: scikit-learn's Hessian where losslib's, the true one, is 0.
    stand_in_hessian: float | None = None
    #: Terms in the target that scikit-learn adds; a losslib value has to lack exactly these.
    adds_constant: bool = False

    def __str__(self) -> str:
        return "-".join([self.theirs, *(f"{k}={v}" for k, v in self.their_parameters.items())])

    def constant(self) -> np.ndarray:
        """Return what scikit-learn's deviance has and its likelihood drops."""
        power = self.their_parameters["power"]
        return private.HalfTweedieLoss(power=power).constant_to_optimal_zero(self.target)


PAIRS = (
    Pair("HalfSquaredError", "half_squared_error", PREDICTED, REAL),
    Pair("AbsoluteError", "l1_loss", PREDICTED, REAL, stand_in_hessian=1.0),
    *(
        Pair(
            "PinballLoss",
            "quantile_loss",
            PREDICTED,
            REAL,
            {"quantile": q},
            {"quantile": q},
            stand_in_hessian=1.0,
        )
        for q in (0.1, 0.5, 0.9)
    ),
    *(Pair("HuberLoss", "huber_loss", PREDICTED, REAL, {"delta": d}, {"delta": d}) for d in (0.25, 1.0, 3.0)),
    Pair("HalfPoissonLoss", "poisson_nll_loss", PREDICTED, COUNTS),
    Pair("HalfGammaLoss", "gamma_nll_loss", PREDICTED, POSITIVE),
    *(
        Pair("HalfTweedieLoss", "tweedie_nll_loss", PREDICTED / 2, POSITIVE, {"power": p}, {"power": p})
        for p in (0.0, 1.0, 1.2, 1.5, 1.9, 2.0, 3.0)
    ),
    *(
        Pair("HalfTweedieLoss", "tweedie_nll_loss", PREDICTED / 2, COUNTS, {"power": p}, {"power": p})
        for p in (0.0, 1.0, 1.5)
    ),
    *(
        Pair(
            "HalfTweedieLossIdentity",
            "tweedie_nll_loss",
            MEANS,
            POSITIVE,
            {"power": p},
            {"power": p, "log_input": False},
            adds_constant=p != 0,
        )
        for p in (0.0, 1.0, 1.2, 1.5, 1.9, 2.0, 3.0)
    ),
    Pair("HalfBinomialLoss", "binary_cross_entropy_with_logits", PREDICTED * 4, LABELS),
    Pair("HalfBinomialLoss", "binary_cross_entropy_with_logits", PREDICTED * 4, PROBABILITIES),
    Pair("ExponentialLoss", "exponential_loss", PREDICTED, LABELS),
    Pair("ExponentialLoss", "exponential_loss", PREDICTED, PROBABILITIES),
)
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=[f"{pair}-{k}" for k, pair in enumerate(PAIRS)])
weighted = pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])


@each_dtype
@weighted
@each_pair
def test_losses_gradients_and_hessians_are_those_of_the_boosting_code(pair: Pair, weighted: bool, dtype: Any) -> None:
    raw, target = pair.raw.astype(dtype), pair.target.astype(dtype)
    weight = WEIGHTS.astype(dtype) if weighted else None
    theirs = getattr(private, pair.theirs)(**pair.their_parameters)
    expected_value = theirs.loss(target, raw, sample_weight=weight)
    expected_gradient, expected_hessian = theirs.gradient_hessian(target, raw, sample_weight=weight)
    if pair.adds_constant:
        expected_value = expected_value - pair.constant() * (1 if weight is None else weight)

    value, gradient, hessian = getattr(losslib, pair.ours).value_grad_hess(
        raw, target, **pair.parameters, sample_weight=weight, reduction="none"
    )
    if pair.stand_in_hessian is not None:
        np.testing.assert_array_equal(hessian, 0)
        hessian = np.full_like(hessian, pair.stand_in_hessian) * (1 if weight is None else weight)
    # Values are sums of terms up to 30; scikit-learn computes float32 in float64 and rounds once.
    assert_agree(value, expected_value, dtype, size=32.0)
    assert_agree(gradient, expected_gradient, dtype, size=4.0)
    assert_agree(hessian, np.broadcast_to(expected_hessian, raw.shape), dtype, size=4.0)


@each_dtype
@each_pair
def test_the_mean_gradient_is_the_boosting_gradient_over_the_number_of_samples(pair: Pair, dtype: Any) -> None:
    raw, target = pair.raw.astype(dtype), pair.target.astype(dtype)
    expected = getattr(private, pair.theirs)(**pair.their_parameters).gradient(target, raw) / N
    gradient = getattr(losslib, pair.ours).grad(raw, target, **pair.parameters)
    assert_agree(gradient, expected, dtype, size=4.0 / N)


def test_a_tie_has_gradient_zero_where_scikit_learn_takes_a_side() -> None:
    tie = np.array([1.5])
    assert private.AbsoluteError().gradient(tie, tie)[0] != 0
    assert losslib.l1_loss.grad(tie, tie)[0] == 0
    assert private.PinballLoss(quantile=0.9).gradient(tie, tie)[0] != 0
    assert losslib.quantile_loss.grad(tie, tie, quantile=0.9)[0] == 0


def test_huber_is_quadratic_up_to_and_including_delta_in_both() -> None:
    raw, target = np.array([-2.0, 2.0, 2.5]), np.zeros(3)
    _, expected = private.HuberLoss(delta=2.0).gradient_hessian(target, raw)
    *_, hessian = losslib.huber_loss.value_grad_hess(raw, target, delta=2.0, reduction="sum")
    np.testing.assert_array_equal(hessian, expected)


# Metrics: (name, its parameters, factor from losslib's value to the metric, losslib call)

METRICS = [
    ("mean_squared_error", {}, 1, "mse_loss", {}, PREDICTED, REAL),
    ("mean_absolute_error", {}, 1, "l1_loss", {}, PREDICTED, REAL),
    *(
        ("mean_pinball_loss", {"alpha": a}, 1, "quantile_loss", {"quantile": a}, PREDICTED, REAL)
        for a in (0.05, 0.5, 0.8)
    ),
    (
        "mean_absolute_percentage_error", {}, 1, "mean_absolute_percentage_error",
        {"eps": float(np.finfo(np.float64).eps)}, PREDICTED, REAL,
    ),
    ("mean_squared_log_error", {}, 1, "mean_squared_logarithmic_error", {}, MEANS, COUNTS),
    ("log_loss", {}, 1, "binary_cross_entropy", {}, PROBABILITIES, LABELS),
    ("hinge_loss", {}, 1, "hinge_loss", {}, PREDICTED, SIGNS),
    ("mean_poisson_deviance", {}, 2, "generalized_kl_div", {}, MEANS, COUNTS),
    ("brier_score_loss", {}, 1, "mse_loss", {}, PROBABILITIES, LABELS),
]  # fmt: skip
each_metric = pytest.mark.parametrize(
    "metric", METRICS, ids=["-".join([m[0], *map(str, m[1].values())]) for m in METRICS]
)


@each_metric
def test_means_are_the_metrics_of_scikit_learn(metric: Any) -> None:
    theirs, their_parameters, factor, ours, parameters, x, t = metric
    expected = getattr(metrics, theirs)(t, x, **their_parameters)
    assert_agree(factor * getattr(losslib, ours)(x, t, **parameters), expected, np.float64)


@each_metric
def test_weighted_means_are_the_weighted_metrics_of_scikit_learn(metric: Any) -> None:
    theirs, their_parameters, factor, ours, parameters, x, t = metric
    expected = getattr(metrics, theirs)(t, x, **their_parameters, sample_weight=WEIGHTS)
    actual = getattr(losslib, ours)(x, t, **parameters, sample_weight=WEIGHTS, reduction="weighted_mean")
    assert_agree(factor * actual, expected, np.float64)


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 2.0, 3.0])
def test_half_the_tweedie_deviance_is_the_likelihood_up_to_terms_in_the_target(power: float) -> None:
    def excess(x: np.ndarray) -> float:
        ours = losslib.tweedie_nll_loss(x, POSITIVE, power=power, log_input=False)
        return ours - metrics.mean_tweedie_deviance(POSITIVE, x, power=power) / 2

    assert_agree(excess(MEANS), excess(MEANS[::-1].copy()), np.float64, size=32.0)


def test_half_the_gamma_deviance_is_the_likelihood_up_to_terms_in_the_target() -> None:
    constant = 1 + np.mean(np.log(POSITIVE))
    value = losslib.gamma_nll_loss(MEANS, POSITIVE, log_input=False)
    assert_agree(value - constant, metrics.mean_gamma_deviance(POSITIVE, MEANS) / 2, np.float64)
