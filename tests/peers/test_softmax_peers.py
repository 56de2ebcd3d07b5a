"""Softmax losses against PyTorch, Keras, optax and scikit-learn; every difference that the pages name is asserted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import DTYPES, assert_agree

PER_DTYPE = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])

#: Few classes and many, images and volumes, one row.
SHAPES = ((10,), (1, 1), (7, 10), (40, 10), (33, 64), (5, 300), (3, 5, 4), (33, 5, 17), (2, 70, 40), (2, 6, 3, 5),
          (2, 4, 2, 3, 2))  # fmt: skip
PER_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=str)


def draw(shape: tuple[int, ...], dtype: Any, *, soft: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Draw logits with class indices or probabilities as PyTorch lays them out: classes on axis 1."""
    rng = np.random.default_rng([*shape, int(soft)])
    axis = min(1, len(shape) - 1)
    samples = (*shape[:axis], *shape[axis + 1 :])
    x = (3 * rng.standard_normal(shape)).astype(dtype)
    if not soft:
        return x, rng.integers(0, shape[axis], samples)
    t = np.moveaxis(rng.dirichlet(np.ones(shape[axis]), samples), -1, axis)
    return x, np.ascontiguousarray(t).astype(dtype)


# ---- PyTorch -----------------------------------------------------------------------------------------------------


def torch_result(
    call: Callable[..., Any], x: np.ndarray, t: np.ndarray, upstream: Any, *, with_target: bool = False
) -> tuple[np.ndarray, ...]:
    """Return value and gradients of a PyTorch call, the upstream gradient multiplied in."""
    import torch

    inputs = torch.tensor(x, requires_grad=True), torch.tensor(t, requires_grad=with_target)
    value = call(*inputs)
    value.backward(torch.as_tensor(np.asarray(upstream, x.dtype).reshape(value.shape)))
    grads = [item.grad.numpy() for item in inputs[: 1 + with_target]]
    return (value.detach().numpy(), *grads)


@PER_DTYPE
@PER_SHAPE
@pytest.mark.parametrize("soft", [False, True], ids=["classes", "probabilities"])
def test_cross_entropy_with_every_option_is_pytorchs(shape: tuple[int, ...], soft: bool, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    classes = shape[min(1, len(shape) - 1)]
    rng = np.random.default_rng(1)
    for weighted, ignored, smoothing, reduction in itertools.product(
        (False, True), (-100, 0), (0.0, 0.1, 1.0), ("mean", "sum", "none")
    ):
        if soft and ignored >= 0:
            continue  # an error here and in PyTorch
        x, t = draw(shape, dtype, soft=soft)
        if not soft and t.ndim:
            t.flat[0] = ignored
            t.flat[1:2] = classes - 1
        elif not soft and ignored == 0:
            continue  # the one row would be ignored
        weight = rng.uniform(0.2, 2.0, classes).astype(dtype) if weighted else None
        options = {} if soft else {"ignore_index": ignored}
        samples = np.delete(np.array(shape), min(1, len(shape) - 1))
        upstream: Any = rng.standard_normal(samples) if reduction == "none" else 1.5
        if not soft and not (t != ignored).any() and reduction == "mean":
            continue  # a test of its own
        expected = torch_result(
            lambda a, b, w=weight, s=smoothing, r=reduction, o=options: torch.nn.functional.cross_entropy(
                a, b, weight=None if w is None else torch.tensor(w), label_smoothing=s, reduction=r, **o),
            x, t, upstream, with_target=soft,
        )  # fmt: skip
        value, grad = losslib.cross_entropy.value_and_grad(
            x, t, weight=weight, label_smoothing=smoothing, reduction=reduction,
            grad_output=upstream, wrt=("input", "target") if soft else "input", **options,
        )  # fmt: skip
        size = max(float(np.abs(np.asarray(expected[0])).max()), 30.0)
        for found, wanted in zip((value, *(grad if soft else (grad,))), expected, strict=True):
            assert_agree(found, wanted, dtype, size=size)


@PER_DTYPE
@PER_SHAPE
def test_nll_loss_with_every_option_is_pytorchs(shape: tuple[int, ...], dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    axis = min(1, len(shape) - 1)
    rng = np.random.default_rng(2)
    for weighted, ignored, reduction in itertools.product((False, True), (-100, 0), ("mean", "sum", "none")):
        x, t = draw(shape, dtype)
        if shape[axis] == 1 and ignored == 0:
            continue
        t = np.where(t == ignored, 1, t) if t.ndim == 0 else t
        weight = rng.uniform(0.2, 2.0, shape[axis]).astype(dtype) if weighted else None
        upstream: Any = rng.standard_normal(t.shape) if reduction == "none" else 0.75
        expected = torch_result(
            lambda a, b, w=weight, i=ignored, r=reduction: torch.nn.functional.nll_loss(
                a, b, weight=None if w is None else torch.tensor(w), ignore_index=i, reduction=r),
            x, t, upstream,
        )  # fmt: skip
        found = losslib.nll_loss.value_and_grad(
            x, t, weight=weight, ignore_index=ignored, reduction=reduction, grad_output=upstream
        )
        for actual, wanted in zip(found, expected, strict=True):
            assert_agree(actual, wanted, dtype, size=30.0)


def test_with_every_target_ignored_the_mean_is_nan_as_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    x, t = np.ones((3, 4)), np.full(3, -100)
    for name in ("cross_entropy", "nll_loss"):
        theirs = getattr(torch.nn.functional, name)
        assert np.isnan(theirs(torch.tensor(x), torch.tensor(t)).item())
        assert np.isnan(getattr(losslib, name)(x, t))
        assert theirs(torch.tensor(x), torch.tensor(t), reduction="sum").item() == 0.0
        assert getattr(losslib, name)(x, t, reduction="sum") == 0.0


def test_an_impossible_class_is_left_out_where_pytorch_multiplies_zero_by_infinity() -> None:
    """Difference: with probabilities as target, 0 * inf is 0 here and NaN in PyTorch."""
    torch = pytest.importorskip("torch")
    x, t = np.array([[0.0, 1.0, -np.inf]]), np.array([[0.25, 0.75, 0.0]])
    assert np.isnan(torch.nn.functional.cross_entropy(torch.tensor(x), torch.tensor(t)).item())
    expected = losslib.cross_entropy(x[:, :2], t[:, :2])
    assert losslib.cross_entropy(x, t) == pytest.approx(expected, rel=1e-14)
    # For a class index both agree.
    found = torch.nn.functional.cross_entropy(torch.tensor(x), torch.tensor([0])).item()
    assert losslib.cross_entropy(x, [0]) == pytest.approx(found, rel=1e-14)


def test_an_index_that_is_no_class_is_an_error_in_both() -> None:
    torch = pytest.importorskip("torch")
    x = np.zeros((2, 3))
    for bad in (3, -1, 10**9):
        with pytest.raises((IndexError, RuntimeError)):
            torch.nn.functional.cross_entropy(torch.tensor(x), torch.tensor([0, bad]))
        with pytest.raises(losslib.DomainError, match=r"target\[1\]"):
            losslib.cross_entropy(x, [0, bad])


def torch_compositions() -> dict[str, tuple[dict[str, Any], Callable[..., Any]]]:
    """Return losses that PyTorch users put together from its functions, and the parameters here."""
    import torch

    def log_p(x: Any) -> Any:
        return torch.log_softmax(x, 1)

    def at(x: Any, t: Any) -> Any:
        return log_p(x).gather(1, t.unsqueeze(1)).squeeze(1)

    def kl(first: Any, second: Any) -> Any:
        return torch.nn.functional.kl_div(second, first, log_target=True, reduction="none").sum(1)

    def jensen_shannon(x: Any, t: Any) -> Any:
        mixed = torch.log((log_p(x).exp() + log_p(t).exp()) / 2)
        return (kl(log_p(t), mixed) + kl(log_p(x), mixed)) / 2

    return {
        "softmax_focal_loss": ({"gamma": 2.0}, lambda x, t: -((1 - at(x, t).exp()) ** 2) * at(x, t)),
        "poly1_cross_entropy": ({"epsilon": 2.0}, lambda x, t: 2 * (1 - at(x, t).exp()) - at(x, t)),
        "generalized_cross_entropy": ({"q": 0.7}, lambda x, t: (1 - at(x, t).exp() ** 0.7) / 0.7),
        "symmetric_cross_entropy": (
            {"alpha": 0.5, "beta": 2.0},
            lambda x, t: -0.5 * at(x, t) + 2.0 * 4.0 * (1 - at(x, t).exp()),
        ),
        "cross_entropy": (
            {"z_loss": 0.01, "softcap": 4.0},
            lambda x, t: -at(4 * torch.tanh(x / 4), t) + 0.01 * torch.logsumexp(4 * torch.tanh(x / 4), 1) ** 2,
        ),
        "js_div": ({}, jensen_shannon),
        "distillation_loss": ({"temperature": 2.0}, lambda x, t: 4 * kl(log_p(t / 2), log_p(x / 2))),
    }


@PER_DTYPE
@pytest.mark.parametrize("shape", [(7, 10), (5, 130), (3, 5, 9)], ids=str)
@pytest.mark.parametrize("name", ["softmax_focal_loss", "poly1_cross_entropy", "generalized_cross_entropy",
                                  "symmetric_cross_entropy", "cross_entropy", "js_div", "distillation_loss"])  # fmt: skip  # noqa: E501
def test_losses_composed_of_pytorchs_functions_agree(name: str, shape: tuple[int, ...], dtype: Any) -> None:
    pytest.importorskip("torch")
    parameters, composed = torch_compositions()[name]
    x, t = draw(shape, dtype)
    if name in ("js_div", "distillation_loss"):
        t = draw((*shape[:-1], shape[-1] + 1), dtype)[0][..., 1:].copy()
    upstream = np.random.default_rng(4).standard_normal(np.delete(np.array(shape), 1))
    value, grad = torch_result(composed, x, t, upstream)
    found = getattr(losslib, name).value_and_grad(x, t, reduction="none", grad_output=upstream, **parameters)
    # 1 - p and p log p of their composition cancel; they are accurate to roundings of the largest term only.
    assert_agree(found[0], value, dtype, size=30.0, relative=1e-11 if dtype is np.float64 else None)
    assert_agree(found[1], grad, dtype, size=30.0, relative=1e-11 if dtype is np.float64 else None)


# ---- Keras, optax: classes on the last axis -----------------------------------------------------------------------


def jax_result(call: Callable[..., Any], x: np.ndarray, upstream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of samples, and the gradient for upstream numbers."""
    jax = pytest.importorskip("jax")
    value, pull_back = jax.vjp(call, jax.numpy.asarray(x))
    return np.asarray(value), np.asarray(pull_back(jax.numpy.asarray(upstream, value.dtype))[0])


LAST_AXIS = pytest.mark.parametrize("shape", [(6, 5), (3, 4, 9), (4, 150)], ids=str)


def last_axis(shape: tuple[int, ...], dtype: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw logits, classes, probabilities and upstream gradients with the classes on the last axis."""
    rng = np.random.default_rng(shape)
    x, t = 2 * rng.standard_normal(shape), rng.integers(0, shape[-1], shape[:-1])
    soft = rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    return x.astype(dtype), t, soft.astype(dtype), rng.standard_normal(shape[:-1]).astype(dtype)


@LAST_AXIS
def test_kerass_cross_entropies_agree(shape: tuple[int, ...]) -> None:
    keras = pytest.importorskip("keras")
    x, t, soft, upstream = last_axis(shape, np.float32)
    probabilities = (np.exp(x) / np.exp(x).sum(-1, keepdims=True)).astype(np.float32)
    one_hot = np.eye(shape[-1], dtype=np.float32)[t]
    common = {"axis": -1, "reduction": "none", "grad_output": upstream}
    losses = keras.losses
    for ours, inputs, target, theirs, parameters in (
        ("cross_entropy", x, t, losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None), {}),
        ("cross_entropy", x, one_hot, losses.CategoricalCrossentropy(from_logits=True, reduction=None), {}),
        ("cross_entropy", x, soft,
         losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2, reduction=None), {"label_smoothing": 0.2}),  # noqa: E501
        ("categorical_cross_entropy", probabilities, soft, losses.CategoricalCrossentropy(reduction=None), {}),
        ("categorical_cross_entropy", 3 * probabilities, soft, losses.CategoricalCrossentropy(reduction=None), {}),
        ("categorical_cross_entropy", probabilities, one_hot,
         losses.CategoricalCrossentropy(label_smoothing=0.1, reduction=None), {"label_smoothing": 0.1}),
        ("softmax_focal_loss", x, one_hot,
         losses.CategoricalFocalCrossentropy(from_logits=True, alpha=0.25, gamma=2.0, reduction=None), {"alpha": 0.25}),
        ("softmax_focal_loss", x, soft,
         losses.CategoricalFocalCrossentropy(from_logits=True, alpha=0.5, gamma=3.0, label_smoothing=0.1, reduction=None),  # noqa: E501
         {"alpha": 0.5, "gamma": 3.0, "label_smoothing": 0.1}),
    ):  # fmt: skip
        value, grad = jax_result(lambda a, loss=theirs, b=target: loss(b, a), inputs, upstream)
        found = getattr(losslib, ours).value_and_grad(inputs, target, **common, **parameters)
        # Keras computes probabilities and takes their logarithm again: float32 of numbers of the size of the value.
        assert_agree(found[0], value, np.float32, size=8.0, relative=3e-5)
        assert_agree(found[1], grad, np.float32, size=30.0, relative=3e-5)


@LAST_AXIS
def test_kerass_generalized_cross_entropy_takes_probabilities(shape: tuple[int, ...]) -> None:
    """Difference: their input is probabilities and q is 0.5 by default."""
    keras = pytest.importorskip("keras")
    jax = pytest.importorskip("jax")
    x, t, _, upstream = last_axis(shape, np.float32)
    for q in (0.5, 0.7):
        loss = keras.losses.CategoricalGeneralizedCrossEntropy(q=q, reduction=None)
        value, grad = jax_result(lambda a, f=loss: f(t, jax.nn.softmax(a)), x, upstream)
        found = losslib.generalized_cross_entropy.value_and_grad(
            x, t, q=q, axis=-1, reduction="none", grad_output=upstream
        )
        assert_agree(found[0], value, np.float32, size=8.0)
        assert_agree(found[1], grad, np.float32, size=8.0)


def test_kerass_clip_bounds_a_certain_and_wrong_prediction_as_here() -> None:
    keras = pytest.importorskip("keras")
    p, t = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32), np.array([0, 0])
    theirs = np.asarray(keras.losses.SparseCategoricalCrossentropy(reduction=None)(t, p))
    np.testing.assert_allclose(
        losslib.categorical_cross_entropy(p, t, reduction="none"), theirs, rtol=1e-6, atol=1.3e-7
    )


@PER_DTYPE
@LAST_AXIS
def test_optaxs_losses_agree(shape: tuple[int, ...], dtype: Any) -> None:
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    x, t, soft, upstream = last_axis(shape, dtype)
    y = x[..., ::-1].copy()
    log = jax.nn.log_softmax
    theirs = optax.losses
    for ours, target, parameters, call in (
        ("cross_entropy", t, {}, lambda a: theirs.softmax_cross_entropy_with_integer_labels(a, t)),
        ("cross_entropy", soft, {}, lambda a: theirs.softmax_cross_entropy(a, soft)),
        ("cross_entropy", soft, {}, lambda a: theirs.safe_softmax_cross_entropy(a, soft)),
        # Difference: their epsilon is 2 by default.
        ("poly1_cross_entropy", soft, {"epsilon": 2.0}, lambda a: theirs.poly_loss_cross_entropy(a, soft)),
        ("poly1_cross_entropy", soft, {"epsilon": -1.0},
         lambda a: theirs.poly_loss_cross_entropy(a, soft, epsilon=-1.0)),
        ("distillation_loss", y, {}, lambda a: theirs.kl_divergence_with_log_targets(log(a), log(y))),
    ):  # fmt: skip
        value, grad = jax_result(call, x, upstream)
        found = getattr(losslib, ours).value_and_grad(
            x, target, axis=-1, reduction="none", grad_output=upstream, **parameters
        )
        assert_agree(found[0], value, dtype, size=8.0)
        assert_agree(found[1], grad, dtype, size=8.0)


@PER_DTYPE
def test_optaxs_sparsemax_loss_agrees(dtype: Any) -> None:
    optax = pytest.importorskip("optax")
    for shape in ((6, 5), (4, 150)):
        x, t, _, upstream = last_axis(shape, dtype)
        # Their projection runs in JAX's default precision, float64 here.
        value, grad = jax_result(
            lambda a, b=t: optax.losses.multiclass_sparsemax_loss(a, b), x.astype(np.float64), upstream
        )
        found = losslib.sparsemax_loss.value_and_grad(x, t, reduction="none", grad_output=upstream)
        assert_agree(found[0], value, dtype, size=30.0)
        assert_agree(found[1], grad, dtype, size=8.0)


def test_optaxs_safe_cross_entropy_leaves_impossible_classes_out_too() -> None:
    optax = pytest.importorskip("optax")
    x, t = np.array([[0.0, 1.0, -np.inf]]), np.array([[0.25, 0.75, 0.0]])
    expected = float(optax.losses.safe_softmax_cross_entropy(x, t)[0])
    assert losslib.cross_entropy(x, t) == pytest.approx(expected, rel=1e-12)


# ---- scikit-learn ------------------------------------------------------------------------------------------------


@PER_DTYPE
@pytest.mark.parametrize("shape", [(30, 3), (7, 10), (5, 120)], ids=str)
def test_scikit_learns_multinomial_loss_has_the_same_value_gradient_and_diagonal(
    shape: tuple[int, int], dtype: Any
) -> None:
    loss_module = pytest.importorskip("sklearn._loss")
    rng = np.random.default_rng(shape)
    x, t, weight = rng.standard_normal(shape), rng.integers(0, shape[1], shape[0]), rng.uniform(0.2, 2.0, shape[0])
    x, weight = np.ascontiguousarray(x.astype(dtype)), weight.astype(dtype)
    loss = loss_module.HalfMultinomialLoss(n_classes=shape[1])
    for given in (None, weight):
        call = {} if given is None else {"sample_weight": given}
        value = loss.loss(t.astype(dtype), x, sample_weight=given)
        grad, hess = loss.gradient_hessian(t.astype(dtype), x, sample_weight=given)
        found = losslib.cross_entropy.value_grad_hess(x, t, reduction="none", **call)
        for actual, wanted in zip(found, (value, grad, hess), strict=True):
            assert_agree(actual, wanted, dtype, size=4.0)


def test_scikit_learns_log_loss_is_the_mean_of_cross_entropy() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    x, t, _, _ = last_axis((40, 6), np.float64)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    expected = metrics.log_loss(t, p, labels=range(6))
    assert losslib.cross_entropy(x, t) == pytest.approx(expected, rel=1e-12)
    assert losslib.categorical_cross_entropy(p, t) == pytest.approx(expected, rel=1e-12)
    assert losslib.nll_loss(np.log(p), t) == pytest.approx(expected, rel=1e-12)
