"""The margin losses against PyTorch (every combination of its arguments), Keras, optax and scikit-learn."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import DTYPES, assert_agree

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])

#: Rows × classes: one class, few, several blocks of the vectorised loops.
SHAPES = ((5, 1), (7, 2), (6, 5), (4, 67), (3, 1100))


def generator(*names: object) -> np.random.Generator:
    return np.random.default_rng(list(repr(names).encode()))


def scores_of(shape: tuple[int, ...], dtype: Any, *, ties: bool = False) -> np.ndarray:
    scores = generator("scores", shape).normal(size=shape) * 1.5
    return (np.round(scores * 2) / 2 if ties else scores).astype(dtype)


def class_lists(shape: tuple[int, int]) -> np.ndarray:
    """Lists of none to all classes, with repetitions, and rubbish behind the first -1."""
    rng = generator("lists", shape)
    target = rng.integers(-1, shape[1], shape)
    if shape[1] > 20:
        target[:, rng.integers(3, 9)] = -1
    target[0] = -1
    return target


def upstream_of(reduction: str, n: int) -> Any:
    return generator("upstream", n).normal(size=n) if reduction == "none" else -1.75


# ---- PyTorch -------------------------------------------------------------------------------------------------------


def torch_value_and_grad(name: str, x: np.ndarray, t: Any, upstream: Any, **arguments: Any) -> tuple[Any, Any]:
    """Return PyTorch's value and gradient."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    scores = torch.from_numpy(x.copy()).requires_grad_(True)
    given = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in arguments.items()}
    value = getattr(torch.nn.functional, name)(scores, torch.as_tensor(t), **given)
    value.backward(torch.as_tensor(upstream).to(value.dtype).expand(value.shape))
    return value.detach().numpy(), scores.grad.numpy()


@each_dtype
@pytest.mark.parametrize("ties", [False, True], ids=["", "ties"])
@pytest.mark.parametrize("shape", SHAPES)
def test_multi_margin_is_that_of_torch_for_every_option(shape: tuple[int, int], ties: bool, dtype: Any) -> None:
    n, classes = shape
    x = scores_of(shape, dtype, ties=ties)
    t = generator("classes", shape).integers(0, classes, n)
    weights = (None, generator("weight", classes).uniform(-0.5, 2.0, classes).astype(dtype))
    for p, margin, weight, reduction in itertools.product((1, 2), (1.0, 0.5, -0.5), weights, ("mean", "sum", "none")):
        arguments = {"p": p, "margin": margin, "weight": weight, "reduction": reduction}
        upstream = upstream_of(reduction, n)
        value, grad = torch_value_and_grad("multi_margin_loss", x, t, upstream, **arguments)
        ours, our_grad = losslib.multi_margin_loss.value_and_grad(x, t, grad_output=upstream, **arguments)
        size = float(np.abs(value).max(initial=1.0))
        assert_agree(ours, value, dtype, size=size)
        assert_agree(our_grad, grad, dtype, size=float(np.abs(grad).max(initial=1.0)))
        assert_agree(losslib.MultiMarginLoss(**arguments)(x, t), value, dtype, size=size)


@each_dtype
@pytest.mark.parametrize("ties", [False, True], ids=["", "ties"])
@pytest.mark.parametrize("shape", SHAPES)
def test_multilabel_margin_is_that_of_torch(shape: tuple[int, int], ties: bool, dtype: Any) -> None:
    x, t = scores_of(shape, dtype, ties=ties), class_lists(shape)
    for reduction in ("mean", "sum", "none"):
        upstream = upstream_of(reduction, shape[0])
        value, grad = torch_value_and_grad("multilabel_margin_loss", x, t, upstream, reduction=reduction)
        ours, our_grad = losslib.multilabel_margin_loss.value_and_grad(x, t, grad_output=upstream, reduction=reduction)
        assert_agree(ours, value, dtype, size=float(np.abs(value).max(initial=1.0)))
        assert_agree(our_grad, grad, dtype, size=float(np.abs(grad).max(initial=1.0)))


def test_one_sample_is_taken_as_torch_takes_it() -> None:
    x = scores_of((6,), np.float64)
    for name, t in (("multi_margin_loss", 2), ("multi_margin_loss", [2]), ("multilabel_margin_loss", [4, 0, -1] * 2)):
        for reduction in ("mean", "sum", "none"):
            value, grad = torch_value_and_grad(name, x, t, 0.5, reduction=reduction)
            upstream = np.full(value.shape, 0.5)
            ours, our_grad = getattr(losslib, name).value_and_grad(
                x, np.array(t), reduction=reduction, grad_output=upstream
            )
            assert_agree(ours, value, np.float64)
            assert_agree(our_grad, grad, np.float64)


@pytest.mark.parametrize("name", ["multi_margin_loss", "multilabel_margin_loss"])
def test_positional_orders_and_defaults_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    info = getattr(losslib, name).info
    function = inspect.signature(getattr(torch.nn.functional, name)).parameters
    module = inspect.signature(getattr(torch.nn, info.class_name)).parameters
    assert tuple(function) == (*info.input_names, *info.function_order)
    assert tuple(module) == info.class_order
    for theirs in (*function.values(), *module.values()):
        if theirs.name not in (*info.input_names, "size_average", "reduce"):
            assert info.parameter(theirs.name).default == theirs.default


def test_targets_that_torch_refuses_are_refused() -> None:
    torch = pytest.importorskip("torch")
    x = np.ones((1, 3))
    for name, t in (
        ("multi_margin_loss", [3]),
        ("multi_margin_loss", [-1]),
        ("multilabel_margin_loss", [[0, -1, 3]]),
        ("multilabel_margin_loss", [[0, -2, 1]]),
    ):
        with pytest.raises((RuntimeError, IndexError), match="out of range"):
            getattr(torch.nn.functional, name)(torch.from_numpy(x), torch.tensor(t))
        with pytest.raises(losslib.DomainError, match="outside the classes"):
            getattr(losslib, name)(x, t, check=False)


def test_torch_skips_nan_where_losslib_propagates_it() -> None:
    """The documented difference."""
    x = np.array([[1.0, np.nan, 0.5]])
    value, _ = torch_value_and_grad("multi_margin_loss", x, [0], 1.0)
    assert np.isfinite(value)
    assert np.isnan(losslib.multi_margin_loss(x, [0]))


# ---- Keras ---------------------------------------------------------------------------------------------------------


def targets_for_keras(kind: str, shape: tuple[int, int], dtype: Any) -> np.ndarray:
    rng = generator("targets", kind, shape)
    if kind == "soft":
        return rng.dirichlet(np.full(shape[1], 0.4), shape[0]).astype(dtype)
    return np.eye(shape[1])[rng.integers(0, shape[1], shape[0])].astype(dtype)


@each_dtype
@pytest.mark.parametrize("kind", ["one-hot", "soft"])
@pytest.mark.parametrize("shape", SHAPES)
def test_categorical_hinge_is_that_of_keras(shape: tuple[int, int], kind: str, dtype: Any) -> None:
    """Scores without ties: there Keras splits the gradient."""
    keras = pytest.importorskip("keras")
    jax = pytest.importorskip("jax")
    if keras.backend.backend() != "jax":
        pytest.skip("the gradient is taken with JAX")
    x, t = scores_of(shape, dtype), targets_for_keras(kind, shape, dtype)
    upstream = upstream_of("none", shape[0]).astype(dtype)
    value, pull = jax.vjp(lambda scores: keras.losses.categorical_hinge(t, scores), x)
    (grad,) = pull(jax.numpy.asarray(upstream))
    ours, our_grad = losslib.categorical_hinge_loss.value_and_grad(x, t, reduction="none", grad_output=upstream)
    assert_agree(ours, value, dtype, size=4.0)
    assert_agree(our_grad, grad, dtype)
    mean = keras.losses.CategoricalHinge(dtype=np.dtype(dtype).name)(t, x)
    assert_agree(losslib.categorical_hinge_loss(x, t), mean, dtype, size=4.0)
    weight = generator("weight").uniform(0.5, 2.0, shape[0]).astype(dtype)
    total = keras.losses.CategoricalHinge(reduction="sum", dtype=np.dtype(dtype).name)(t, x, sample_weight=weight)
    assert_agree(losslib.categorical_hinge_loss(x, t, sample_weight=weight, reduction="sum"), total, dtype, size=32.0)


# ---- optax, scikit-learn -------------------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("crammer_singer_loss", "multiclass_hinge_loss"),
        ("multiclass_perceptron_loss", "multiclass_perceptron_loss"),
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_crammer_singer_and_perceptron_are_those_of_optax(
    shape: tuple[int, int], name: str, theirs: str, dtype: Any
) -> None:
    """Scores without ties: there JAX splits the gradient."""
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    x = scores_of(shape, dtype)
    t = generator("classes", shape).integers(0, shape[1], shape[0])
    upstream = upstream_of("none", shape[0])
    value, pull = jax.vjp(lambda scores: getattr(optax.losses, theirs)(scores, t), x)
    (grad,) = pull(jax.numpy.asarray(upstream, value.dtype))
    ours, our_grad = getattr(losslib, name).value_and_grad(x, t, reduction="none", grad_output=upstream)
    assert_agree(ours, value, dtype, size=8.0)
    assert_agree(our_grad, grad, dtype)


@each_dtype
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[1] > 2])
def test_crammer_singer_is_the_multiclass_hinge_of_scikit_learn(shape: tuple[int, int], dtype: Any) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    x = scores_of(shape, dtype, ties=True)
    t = generator("classes", shape).integers(0, shape[1], shape[0])
    weight = generator("weight").uniform(0.5, 2.0, shape[0])
    labels = np.arange(shape[1])
    assert_agree(losslib.crammer_singer_loss(x, t), metrics.hinge_loss(t, x, labels=labels), dtype, size=4.0)
    expected = metrics.hinge_loss(t, x, labels=labels, sample_weight=weight)
    ours = losslib.crammer_singer_loss(x, t, sample_weight=weight, reduction="weighted_mean")
    assert_agree(ours, expected, dtype, size=4.0)
