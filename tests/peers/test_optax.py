"""Values are those of optax, and gradients and Hessians those that JAX derives from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import DTYPES, assert_agree

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
SHAPE = (5, 8)
RNG = np.random.default_rng(11)
PREDICTED = RNG.normal(size=SHAPE) * 3
REAL = RNG.normal(size=SHAPE)
LABELS = RNG.integers(0, 2, SHAPE).astype(np.float64)
SIGNS = 2 * LABELS - 1
SOFT = RNG.random(SHAPE)
P = RNG.dirichlet(np.ones(8), 5)
LOG_Q = np.log(RNG.dirichlet(np.ones(8), 5))
MEANS = RNG.gamma(2.0, 1.0, SHAPE) + 0.1


@dataclass(frozen=True)
class Pair:
    """A loss of optax as a function of (x, t), and the losslib call that equals it element by element."""

    theirs: str
    call: Callable[[Any, Any], Any]
    ours: str
    x: np.ndarray
    t: np.ndarray
    parameters: dict[str, Any] = field(default_factory=dict)
    #: True if optax sums the last axis.
    by_row: bool = False
    target_differentiable: bool = True

    def __str__(self) -> str:
        return "-".join([self.theirs, self.ours, *(f"{k}={v}" for k, v in self.parameters.items())])


def focal_pairs() -> list[Pair]:
    return [
        Pair(
            "sigmoid_focal_loss",
            lambda x, t, a=alpha, g=gamma: optax.losses.sigmoid_focal_loss(x, t, alpha=None if a < 0 else a, gamma=g),
            "sigmoid_focal_loss",
            PREDICTED,
            LABELS,
            {"alpha": alpha, "gamma": gamma},
            target_differentiable=False,
        )
        for alpha in (-1.0, 0.25, 0.9)
        for gamma in (0.0, 1.0, 2.0, 3.5)
    ]


PAIRS = [
    Pair("squared_error", optax.losses.squared_error, "mse_loss", PREDICTED, REAL),
    Pair("l2_loss", optax.losses.l2_loss, "half_squared_error", PREDICTED, REAL),
    *(
        Pair(
            "huber_loss",
            lambda x, t, d=delta: optax.losses.huber_loss(x, t, delta=d),
            "huber_loss",
            PREDICTED,
            REAL,
            {"delta": delta},
        )
        for delta in (0.25, 1.0, 3.0)
    ),
    Pair("log_cosh", optax.losses.log_cosh, "log_cosh_loss", PREDICTED, REAL),
    Pair(
        "sigmoid_binary_cross_entropy",
        optax.losses.sigmoid_binary_cross_entropy,
        "binary_cross_entropy_with_logits",
        PREDICTED * 8,
        SOFT,
    ),
    Pair(
        "smooth_labels",
        lambda x, t: optax.losses.sigmoid_binary_cross_entropy(x, t * 0.8 + 0.1),
        "binary_cross_entropy_with_logits",
        PREDICTED,
        LABELS,
        {"label_smoothing": 0.2},
    ),
    Pair("hinge_loss", optax.losses.hinge_loss, "hinge_loss", PREDICTED, SIGNS),
    Pair("perceptron_loss", optax.losses.perceptron_loss, "perceptron_loss", PREDICTED, SIGNS),
    Pair("sparsemax_loss", optax.losses.sparsemax_loss, "binary_sparsemax_loss", PREDICTED, LABELS),
    Pair(
        "sparsemax_loss",
        lambda x, t: 4 * optax.losses.sparsemax_loss(x, (t + 1) / 2),
        "modified_huber_loss",
        PREDICTED,
        SIGNS,
    ),
    *focal_pairs(),
    Pair("kl_divergence", optax.losses.kl_divergence, "kl_div", LOG_Q, P, by_row=True),
    Pair(
        "kl_divergence_with_log_targets",
        optax.losses.kl_divergence_with_log_targets,
        "kl_div",
        LOG_Q,
        np.log(P),
        {"log_target": True},
        by_row=True,
    ),
]
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=map(str, PAIRS))


def derivatives(call: Callable[[Any, Any], Any], x: Any, t: Any, position: int) -> tuple[np.ndarray, np.ndarray]:
    """Return gradient and diagonal of the Hessian of the sum, by JAX; exact for losses without coupling."""
    gradient = jax.grad(lambda *inputs: call(*inputs).sum(), argnums=position)

    def along(z: Any) -> Any:
        inputs = [x, t]
        inputs[position] = z
        return gradient(*inputs)

    z = (x, t)[position]
    return jax.jvp(along, (z,), (jax.numpy.ones_like(z),))


@each_dtype
@each_pair
def test_values_are_those_of_optax(pair: Pair, dtype: Any) -> None:
    x, t = pair.x.astype(dtype), pair.t.astype(dtype)
    value = getattr(losslib, pair.ours)(x, t, **pair.parameters, reduction="none")
    assert_agree(
        value.sum(axis=-1) if pair.by_row else value,
        pair.call(jax.numpy.asarray(x), jax.numpy.asarray(t)),
        dtype,
    )


@each_dtype
@each_pair
def test_gradients_and_hessians_are_those_jax_derives(pair: Pair, dtype: Any) -> None:
    function = getattr(losslib, pair.ours)
    x, t = pair.x.astype(dtype), pair.t.astype(dtype)
    for name in function.info.differentiable:
        if name == "target" and not pair.target_differentiable:
            continue
        position = function.info.input_names.index(name)
        expected = derivatives(pair.call, jax.numpy.asarray(x), jax.numpy.asarray(t), position)
        _, gradient, hessian = function.value_grad_hess(x, t, **pair.parameters, reduction="sum", wrt=name)
        assert_agree(gradient, expected[0], dtype, size=4.0)
        assert_agree(hessian, expected[1], dtype, size=4.0)


@each_dtype
def test_the_generalized_divergence_of_optax_is_that_of_losslib(dtype: Any) -> None:
    x, t = MEANS.astype(dtype), (MEANS[::-1] * 1.5).astype(dtype)
    value, gradient = losslib.generalized_kl_div.value_and_grad(x, t, reduction="sum")

    def call(z: Any) -> Any:
        return optax.losses.generalized_kl_divergence(jax.numpy.log(z), t).sum()

    assert_agree(value, call(jax.numpy.asarray(x)), dtype, size=16.0)
    assert_agree(gradient, jax.grad(call)(jax.numpy.asarray(x)), dtype, size=4.0)
