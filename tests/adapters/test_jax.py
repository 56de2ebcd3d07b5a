"""JAX: values and gradients under jit and vmap, in float32 and float64, against JAX's own derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from losslib.adapters.jax import loss_function
from losslib.errors import ParameterError

RNG = np.random.default_rng(3)
BATCH, N, K = 3, 6, 4
X = RNG.normal(size=(BATCH, N, K))
T = RNG.normal(size=(BATCH, N, K))
BITS = RNG.integers(0, 2, size=(BATCH, N, K)).astype(np.float64)
LABEL = RNG.integers(0, K, size=(BATCH, N))


@pytest.fixture(params=["float32", "float64"], autouse=True)
def precision(request: pytest.FixtureRequest) -> Iterator[float]:
    """Run a test in both precisions; the tolerance of each."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", request.param == "float64")
    yield {"float32": 2e-6, "float64": 1e-13}[request.param]
    jax.config.update("jax_enable_x64", before)


def huber(x: Any, t: Any) -> Any:
    d = jnp.abs(x - t)
    return jnp.where(d < 1.0, 0.5 * d * d, d - 0.5)


def logistic(x: Any, t: Any) -> Any:
    return jax.nn.softplus(x) - x * t


def cross_entropy(x: Any, t: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(x, axis=-1), t[..., None], axis=-1)[..., 0]


def poisson(x: Any, t: Any) -> Any:
    return jnp.exp(x) - t * x


CASES = [
    ("huber", huber, (X, T)),
    ("bce_with_logits", logistic, (X, BITS)),
    ("poisson", poisson, (X, BITS)),
    ("cross_entropy", cross_entropy, (X, LABEL)),
]
TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda f: lambda *args: jnp.stack([f(*(arg[k] for arg in args)) for k in range(BATCH)]),
    "vmap": jax.vmap,
    "jit of vmap": lambda f: jax.jit(jax.vmap(f)),
    "vmap of jit": lambda f: jax.vmap(jax.jit(f)),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS.keys())
@pytest.mark.parametrize(("name", "formula", "args"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_values_and_gradients_are_jaxs(
    name: str, formula: Any, args: Any, reduction: str, transform: Any, precision: float
) -> None:
    ours = loss_function(name, reduction=reduction)
    weight = jnp.cos(jnp.arange(N, dtype=float))  # an upstream gradient for each sample

    def scalar(f: Any) -> Any:
        def value(*args: Any) -> Any:
            found = f(*args)
            if found.ndim == 0:
                return found
            return jnp.sum(found * weight.reshape(-1, *(1,) * (found.ndim - 1)))

        return value

    theirs = formula if reduction == "none" else lambda *args: jnp.mean(formula(*args))
    inputs = tuple(map(jnp.asarray, args))
    value, expected = transform(ours)(*inputs), jax.vmap(theirs)(*inputs)
    assert (value.dtype, value.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(value, expected, rtol=precision, atol=precision)
    found, wanted = transform(jax.grad(scalar(ours)))(*inputs), jax.vmap(jax.grad(scalar(theirs)))(*inputs)
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=precision, atol=precision)


def test_value_and_gradient_come_from_one_call() -> None:
    calls = []
    function = loss_function("mse_loss")
    before = jax.pure_callback

    def counting(*args: Any, **kwargs: Any) -> Any:
        calls.append(args[0].__name__)
        return before(*args, **kwargs)

    jax.pure_callback = counting
    try:
        jax.value_and_grad(function)(jnp.ones(3), jnp.zeros(3))
    finally:
        jax.pure_callback = before
    assert calls == ["compute_both"]


def test_only_the_inputs_that_are_asked_for_are_differentiated(precision: float) -> None:
    x, t = jnp.asarray(X[0]), jnp.asarray(T[0])
    both = jax.jit(jax.grad(loss_function("mse_loss"), argnums=(0, 1)))(x, t)
    np.testing.assert_allclose(both[0], 2.0 * (x - t) / x.size, rtol=10 * precision)
    np.testing.assert_allclose(both[1], -both[0], rtol=10 * precision)
    through = jax.grad(lambda t: loss_function("mse_loss")(x, t))(t)
    np.testing.assert_allclose(through, both[1], rtol=10 * precision)


def test_weights_and_masks_pass_through_jit_and_vmap(precision: float) -> None:
    weight, keep = jnp.asarray(RNG.uniform(0.5, 2.0, size=(BATCH, N))), jnp.asarray(RNG.random((BATCH, N, K)) > 0.4)
    ours = loss_function("huber", reduction="sum")

    def call(x: Any, t: Any, w: Any, m: Any) -> Any:
        return ours(x, t, sample_weight=w, where=m)

    def reference(x: Any, t: Any, w: Any, m: Any) -> Any:
        return jnp.sum(jnp.where(m, w[:, None] * huber(x, t), 0.0))

    args = (jnp.asarray(X), jnp.asarray(T), weight, keep)
    found = jax.jit(jax.vmap(jax.value_and_grad(call)))(*args)
    expected = jax.vmap(jax.value_and_grad(reference))(*args)
    for ours_part, theirs_part in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours_part, theirs_part, rtol=10 * precision, atol=10 * precision)


def test_a_model_trains_through_it_inside_a_compiled_step() -> None:
    loss = loss_function("huber", delta=0.5)
    features, target = jnp.asarray(X.reshape(-1, K)), jnp.asarray(X.reshape(-1, K) @ np.arange(1.0, K + 1))

    @jax.jit
    def step(w: Any) -> Any:
        return w - 0.5 * jax.grad(lambda w: loss(features @ w, target))(w)

    w = jnp.zeros(K)
    for _ in range(300):
        w = step(w)
    np.testing.assert_allclose(w, np.arange(1.0, K + 1), atol=1e-3)


def test_large_arrays_come_back_from_a_compiled_call() -> None:
    x = jnp.ones((1500, 1500))
    value, grad = jax.jit(jax.value_and_grad(loss_function("mse_loss")))(x, 0.0 * x)
    assert float(value) == 1.0
    np.testing.assert_allclose(grad[0, :2], 2.0 / 1500**2, rtol=1e-6)


def test_row_losses_of_vectors_work_too() -> None:
    a, p, n = (jnp.asarray(RNG.normal(size=(N, K))) for _ in range(3))
    for reduction in ("mean", "none"):
        triplet = loss_function("triplet_margin_loss", reduction=reduction)
        grads = jax.grad(lambda *args, f=triplet: jnp.sum(f(*args)), argnums=(0, 1, 2))(a, p, n)
        total = sum(np.asarray(g, dtype=np.float64).sum(axis=0) for g in grads)
        np.testing.assert_allclose(total, 0.0, atol=1e-5)  # moving all three points alike changes no distance
    assert loss_function("triplet_margin_loss", reduction="none")(a, p, n).shape == (N,)


def test_what_has_no_derivative_says_so() -> None:
    x, t = jnp.asarray(X[0]), jnp.asarray(BITS[0])
    with pytest.raises(ParameterError, match="sample_weight and where have no derivative"):
        jax.grad(lambda w: loss_function("huber")(x, t, sample_weight=w))(t)
    with pytest.raises(ParameterError, match="no derivative with respect to target"):
        jax.grad(loss_function("sigmoid_focal_loss"), argnums=1)(x, t)
    with pytest.raises(TypeError, match=r"takes 2 inputs \(input, target\), got 1"):
        loss_function("huber")(x)


def test_values_that_are_not_reduced_have_their_shape_before_anything_is_computed() -> None:
    scores = jnp.asarray(RNG.normal(size=(7, 2, 4)))
    frames, counts = jnp.array([7, 5]), jnp.array([2, 1])
    padded, in_one_row = jnp.array([[1, 2], [3, 0]]), jnp.array([1, 2, 3])
    ctc = loss_function("ctc_loss_with_logits", reduction="none")
    expected = jax.jit(ctc)(scores, padded, frames, counts)
    assert expected.shape == (2,)
    np.testing.assert_array_equal(jax.jit(ctc)(scores, in_one_row, frames, counts), expected)
    single = jax.jit(ctc)(scores[:, 0], padded[0], frames[:1], counts[:1])
    np.testing.assert_allclose(single, expected[0], rtol=1e-6)
    margin = loss_function("multi_margin_loss", reduction="none")
    assert margin(scores[0, 0], jnp.array([1])).shape == (1,)
    assert margin(scores[0, 0], jnp.array(1)).shape == ()
    assert loss_function("cross_entropy", reduction="none", axis=-1)(scores, jnp.zeros((7, 2), int)).shape == (7, 2)


def test_the_type_of_a_value_is_what_jax_promotes_the_inputs_to() -> None:
    for first, second in (
        (jnp.int32, jnp.float16), (jnp.float16, jnp.bfloat16), (jnp.bfloat16, jnp.float32), (bool, jnp.float32),
        (jnp.int32, jnp.int32), (jnp.uint8, bool), (jnp.float32, float), (jnp.float16, jnp.int32),
    ):  # fmt: skip
        x, t = jnp.ones(3, first), jnp.zeros(3, second)
        for reduction in ("mean", "none"):
            value = loss_function("mse", reduction=reduction)(x, t)
            assert value.dtype == jnp.mean((x - 1.0 * t) ** 2).dtype
            np.testing.assert_array_equal(value, 1.0)
    half = loss_function("mse")
    assert half(jnp.array([1, 2]), jnp.array([0, 0])) == 2.5
    assert half(np.array([True, False]), np.array([0.5, 0.5])) == 0.25
    found = jax.grad(half, argnums=1)(jnp.array([1, 2]), jnp.array([0.5, 0.5]))
    np.testing.assert_allclose(found, [-0.5, -1.5])
