"""Values are those of Keras, and gradients those that JAX derives from it.

In single precision only: with any backend but TensorFlow's, Keras rounds intermediate float64 results to
float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import assert_agree

jax = pytest.importorskip("jax")
keras = pytest.importorskip("keras")
if keras.backend.backend() != "jax":
    pytest.skip("the gradients are taken with Keras' JAX backend", allow_module_level=True)

SHAPE = (5, 8)
RNG = np.random.default_rng(13)
PREDICTED = RNG.normal(size=SHAPE) * 3
REAL = RNG.normal(size=SHAPE)
LABELS = RNG.integers(0, 2, SHAPE).astype(np.float64)
SIGNS = 2 * LABELS - 1
PROBABILITIES = RNG.uniform(0.02, 0.98, SHAPE)
MEANS = RNG.gamma(2.0, 1.0, SHAPE) + 0.1
COUNTS = RNG.poisson(2.0, SHAPE).astype(np.float64)

PAIRS: list[tuple[str, dict[str, Any], str, dict[str, Any], np.ndarray, np.ndarray]] = [
    ("MeanSquaredError", {}, "mse_loss", {}, PREDICTED, REAL),
    ("MeanAbsoluteError", {}, "l1_loss", {}, PREDICTED, REAL),
    ("MeanAbsolutePercentageError", {}, "mean_absolute_percentage_error", {"scale": 100.0}, PREDICTED, REAL),
    ("MeanSquaredLogarithmicError", {}, "mean_squared_logarithmic_error", {}, MEANS, COUNTS + 0.25),
    ("Huber", {"delta": 0.5}, "huber_loss", {"delta": 0.5}, PREDICTED, REAL),
    ("Huber", {"delta": 2.0}, "huber_loss", {"delta": 2.0}, PREDICTED, REAL),
    ("LogCosh", {}, "log_cosh_loss", {}, PREDICTED, REAL),
    ("Hinge", {}, "hinge_loss", {}, PREDICTED, SIGNS),
    ("SquaredHinge", {}, "squared_hinge_loss", {}, PREDICTED, SIGNS),
    ("Poisson", {}, "poisson_nll_loss", {"log_input": False, "eps": 1e-7}, MEANS, COUNTS),
    ("BinaryCrossentropy", {}, "binary_cross_entropy", {}, PROBABILITIES, LABELS),
    (
        "BinaryCrossentropy", {"label_smoothing": 0.2},
        "binary_cross_entropy", {"label_smoothing": 0.2}, PROBABILITIES, LABELS,
    ),
    (
        "BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2},
        "binary_cross_entropy_with_logits", {"label_smoothing": 0.2}, PREDICTED, LABELS,
    ),
    *(
        (
            "BinaryFocalCrossentropy",
            {"apply_class_balancing": a >= 0, "alpha": abs(a), "gamma": g, "label_smoothing": s},
            "binary_focal_loss", {"alpha": a, "gamma": g, "label_smoothing": s}, PROBABILITIES, LABELS,
        )
        for a in (-1.0, 0.25, 0.75) for g in (0.0, 1.5, 2.0) for s in (0.0, 0.1)
    ),
    *(
        (
            "BinaryFocalCrossentropy",
            {"apply_class_balancing": True, "alpha": a, "gamma": g, "from_logits": True},
            "sigmoid_focal_loss", {"alpha": a, "gamma": g}, PREDICTED, LABELS,
        )
        for a in (0.25, 0.75) for g in (0.0, 1.5, 2.0)
    ),
    (
        "BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.7, "gamma": 0.0},
        "balanced_binary_cross_entropy", {"beta": 0.7}, PROBABILITIES, LABELS,
    ),
]  # fmt: skip
each_pair = pytest.mark.parametrize(
    "pair", PAIRS, ids=["-".join([p[0], p[2], *(f"{k}={v}" for k, v in p[1].items())]) for p in PAIRS]
)


@each_pair
def test_means_and_their_gradients_are_those_of_keras(pair: Any) -> None:
    theirs, their_parameters, ours, parameters, x, t = pair
    x, t = x.astype(np.float32), t.astype(np.float32)
    call = getattr(keras.losses, theirs)(**their_parameters)
    expected = jax.value_and_grad(lambda z: call(t, z))(jax.numpy.asarray(x))
    value, gradient = getattr(losslib, ours).value_and_grad(x, t, **parameters)
    assert_agree(value, expected[0], np.float32)
    assert_agree(gradient, expected[1], np.float32)


@each_pair
def test_elements_are_those_of_keras_for_one_column(pair: Any) -> None:
    """Keras averages the last axis even without a reduction, so the elements go into rows of length 1."""
    theirs, their_parameters, ours, parameters, x, t = pair
    x, t = x.reshape(-1, 1).astype(np.float32), t.reshape(-1, 1).astype(np.float32)
    expected = getattr(keras.losses, theirs)(**their_parameters, reduction=None)(t, x)
    value = getattr(losslib, ours)(x, t, **parameters, reduction="none")
    assert_agree(value[:, 0], expected, np.float32, size=4.0)


def test_the_divergence_of_keras_takes_probabilities_and_averages_rows() -> None:
    p, q = RNG.dirichlet(np.ones(8), 5).astype(np.float32), RNG.dirichlet(np.ones(8), 5).astype(np.float32)
    p, q = np.clip(p, 1e-6, 1), np.clip(q, 1e-6, 1)
    expected = keras.losses.KLDivergence()(p, q)
    assert_agree(losslib.kl_div(np.log(q), p, reduction="batchmean"), expected, np.float32)


def test_sample_weights_leave_the_denominator_alone_as_in_keras() -> None:
    x, t = PREDICTED.astype(np.float32), REAL.astype(np.float32)
    weight = np.linspace(0.5, 2.0, len(x)).astype(np.float32)
    expected = keras.losses.MeanSquaredError()(t, x, sample_weight=weight)
    assert_agree(losslib.mse_loss(x, t, sample_weight=weight), expected, np.float32)
