"""Losses of pairs and triplets are those of PyTorch, Keras and optax: values, and gradients of every input."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import DTYPES, assert_agree

torch = pytest.importorskip("torch")
functional = torch.nn.functional

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
each_reduction = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
#: Fewer components than lanes, a multiple of the lanes, and more with a ragged end.
COLUMNS = (1, 5, 32, 77)
ROWS = 11
UPSTREAM = -1.75


def vectors(seed: int, columns: int, count: int, dtype: Any, rows: int = ROWS) -> list[np.ndarray]:
    """Return arrays of rows, the second and third not far from the first so that hinges lie on both sides."""
    rng = np.random.default_rng([seed, columns])
    first = rng.normal(size=(rows, columns))
    others = [first + rng.normal(size=(rows, columns)) * rng.uniform(0.1, 1.5, (rows, 1)) for _ in range(count - 1)]
    return [array.astype(dtype) for array in (first, *others)]


def torch_value_and_grads(
    call: Callable[..., Any], arrays: Sequence[np.ndarray], reduction: str
) -> tuple[np.ndarray, list[np.ndarray], Any]:
    """Return PyTorch's value, the gradients of all inputs for an upstream gradient, and that upstream gradient."""
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    value = call(*tensors)
    if reduction == "none":
        upstream = np.random.default_rng(5).normal(size=tuple(value.shape)).astype(arrays[0].dtype)
        value.backward(torch.tensor(upstream, dtype=value.dtype))
    else:
        upstream = UPSTREAM
        value.backward(torch.tensor(UPSTREAM, dtype=value.dtype))
    return value.detach().numpy(), [tensor.grad.numpy() for tensor in tensors], upstream


def compare(
    ours: Any, theirs: Callable[..., Any], arrays: list[np.ndarray], reduction: str, dtype: Any, size: float = 4.0,
    grad_size: float = 4.0, labels: np.ndarray | None = None, wide: bool = False, **parameters: Any,
) -> None:  # fmt: skip
    """Compare with PyTorch, which computes in float64 if `wide`."""
    given = [array.astype(np.float64) for array in arrays] if wide else arrays
    expected, grads, upstream = torch_value_and_grads(theirs, given, reduction)
    inputs = [*arrays] if labels is None else [*arrays, labels]
    names = ours.info.input_names[: len(arrays)]
    value, found = ours.value_and_grad(*inputs, reduction=reduction, grad_output=upstream, wrt=names, **parameters)
    assert_agree(value, expected, dtype, size=size)
    for name, grad, part in zip(names, grads, found, strict=True):
        assert part.dtype == dtype
        assert_agree(part, grad, dtype, size=grad_size)
        alone = ours.grad(*inputs, reduction=reduction, grad_output=upstream, wrt=name, **parameters)
        assert_agree(alone, grad, dtype, size=grad_size)


# ---- PyTorch -----------------------------------------------------------------------------------------------------


@each_reduction
@each_dtype
@pytest.mark.parametrize("p", [1.0, 2.0, 1.5, 3.0, 4.0, 0.5, math.inf])
def test_triplets_of_every_norm_with_and_without_swap_equal_pytorch(p: float, dtype: Any, reduction: str) -> None:
    for columns, swap, margin, eps in itertools.product(COLUMNS, (False, True), (0.3, 1.0, 20.0), (1e-6, 0.01)):
        options: dict[str, Any] = {"margin": margin, "p": p, "eps": eps, "swap": swap}
        arrays = vectors(1, columns, 3, dtype)
        # The norm of degree 1/2 of 77 components is a number of several thousands.
        size = 4.0 * (columns**2 if p < 1 else columns)
        compare(
            losslib.triplet_margin_loss,
            lambda a, b, c, o=options: functional.triplet_margin_loss(a, b, c, reduction=reduction, **o),
            arrays, reduction, dtype, size, 32.0 if p < 1 else 4.0, **options,
        )  # fmt: skip


TORCH_DISTANCES: dict[str, Any] = {
    "euclidean": None,
    "sqeuclidean": lambda a, b: ((a - b) ** 2).sum(-1),
    "manhattan": lambda a, b: (a - b).abs().sum(-1),
    "cosine": lambda a, b: 1.0 - functional.cosine_similarity(a, b, dim=-1),
}


@each_reduction
@each_dtype
@pytest.mark.parametrize("distance", TORCH_DISTANCES)
def test_triplets_of_every_named_distance_equal_pytorch(distance: str, dtype: Any, reduction: str) -> None:
    for columns, swap, margin in itertools.product(COLUMNS, (False, True), (0.3, 1.0, 20.0)):
        compare(
            losslib.triplet_margin_with_distance_loss,
            lambda a, b, c, m=margin, s=swap: functional.triplet_margin_with_distance_loss(
                a, b, c, distance_function=TORCH_DISTANCES[distance], margin=m, swap=s, reduction=reduction
            ),
            vectors(2, columns, 3, dtype), reduction, dtype, 16.0 * columns,
            margin=margin, swap=swap, distance=distance,
        )  # fmt: skip


@each_reduction
@each_dtype
@pytest.mark.parametrize("margin", [-0.5, 0.0, 0.3])
def test_cosine_embedding_equals_pytorch(margin: float, dtype: Any, reduction: str) -> None:
    for columns in COLUMNS:
        labels = np.random.default_rng(columns).choice([-1.0, 1.0], ROWS).astype(dtype)
        compare(
            losslib.cosine_embedding_loss,
            lambda a, b, t=labels: functional.cosine_embedding_loss(
                a, b, torch.tensor(t), margin=margin, reduction=reduction
            ),
            vectors(3, columns, 2, dtype), reduction, dtype, 16.0, 16.0, labels=labels, margin=margin,
            wide=columns == 1,  # the gradient is 0 but for eps: in float32 PyTorch returns what rounding leaves
        )  # fmt: skip


@each_dtype
def test_single_vectors_and_integer_labels_equal_pytorch(dtype: Any) -> None:
    a, b, c = (array[0] for array in vectors(4, 9, 3, dtype))
    for label in (1, -1):
        expected = functional.cosine_embedding_loss(torch.tensor(a), torch.tensor(b), torch.tensor(label))
        assert_agree(losslib.cosine_embedding_loss(a, b, label), expected, dtype)
    expected = functional.triplet_margin_loss(torch.tensor(a), torch.tensor(b), torch.tensor(c), reduction="none")
    found = losslib.triplet_margin_loss(a, b, c, reduction="none")
    assert_agree(found, expected, dtype)


def test_labels_outside_the_domain_give_zero_as_in_pytorch_when_unchecked() -> None:
    a, b = vectors(5, 6, 2, np.float64)
    labels = np.where(np.arange(ROWS) % 3 == 0, 0.0, np.where(np.arange(ROWS) % 3 == 1, 0.5, -1.0))
    compare(
        losslib.cosine_embedding_loss,
        lambda x, y: functional.cosine_embedding_loss(x, y, torch.tensor(labels), margin=-1.0),
        [a, b], "mean", np.float64, labels=labels, margin=-1.0, check=False,
    )  # fmt: skip


def test_positional_parameters_come_in_the_order_of_pytorch() -> None:
    a, b, c = vectors(6, 4, 3, np.float64)
    tensors = [torch.tensor(array) for array in (a, b, c)]
    expected = functional.triplet_margin_loss(*tensors, 0.5, 1.0, 1e-3, True)
    assert_agree(losslib.triplet_margin_loss(a, b, c, 0.5, 1.0, 1e-3, True), expected, np.float64)
    assert_agree(losslib.TripletMarginLoss(0.5, 1.0, 1e-3, True)(a, b, c), expected, np.float64)
    labels = np.where(a[:, 0] > 0, 1.0, -1.0)
    expected = functional.cosine_embedding_loss(tensors[0], tensors[1], torch.tensor(labels), 0.2)
    assert_agree(losslib.cosine_embedding_loss(a, b, labels, 0.2), expected, np.float64)


def test_ties_are_split_as_in_pytorch() -> None:
    """Equal anchor and positive make both negative distances of swap equal; equal elements tie in the largest."""
    a = np.array([[1.0, 2.0, -1.0], [0.5, 0.5, 0.5]])
    n = np.array([[2.0, 3.0, -2.0], [0.0, 1.0, 0.0]])
    for p in (1.0, 2.0, 3.0, math.inf):
        compare(
            losslib.triplet_margin_loss,
            lambda x, y, z, p=p: functional.triplet_margin_loss(x, y, z, p=p, eps=0.0, swap=True, margin=5.0),
            [a, a.copy(), n], "mean", np.float64, p=p, eps=0.0, swap=True, margin=5.0,
        )  # fmt: skip


def test_the_gradient_flows_at_a_hinge_of_exactly_zero_as_in_pytorch() -> None:
    x, y = np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])
    compare(
        losslib.cosine_embedding_loss,
        lambda a, b: functional.cosine_embedding_loss(a, b, torch.tensor([-1.0])),
        [x, y], "mean", np.float64, labels=np.array([-1.0]),
    )  # fmt: skip
    zero, one, two = np.zeros((1, 1)), np.ones((1, 1)), np.full((1, 1), 2.0)
    compare(
        losslib.triplet_margin_loss,
        lambda a, b, c: functional.triplet_margin_loss(a, b, c, eps=0.0),
        [zero, one, two], "mean", np.float64, eps=0.0,
    )  # fmt: skip


@each_dtype
def test_zero_vectors_have_the_finite_gradients_of_pytorch(dtype: Any) -> None:
    zero, x = np.zeros((2, 3), dtype), np.array([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]], dtype)
    for label in (1.0, -1.0):
        labels = np.full(2, label, dtype)
        compare(
            losslib.cosine_embedding_loss,
            lambda a, b, t=labels: functional.cosine_embedding_loss(a, b, torch.tensor(t), margin=-0.5),
            [zero, x], "mean", dtype, labels=labels, margin=-0.5,
        )  # fmt: skip
    compare(
        losslib.triplet_margin_with_distance_loss,
        lambda a, b, c: functional.triplet_margin_with_distance_loss(
            a, b, c, distance_function=TORCH_DISTANCES["cosine"]
        ),
        [zero[:1], x[:1], x[:1] + 1], "mean", dtype, distance="cosine",
    )  # fmt: skip


# ---- Keras and optax ---------------------------------------------------------------------------------------------


def test_cosine_similarity_equals_keras() -> None:
    jax, keras = pytest.importorskip("jax"), pytest.importorskip("keras")
    for columns in COLUMNS:
        x, t = vectors(7, columns, 2, np.float32)
        call = keras.losses.CosineSimilarity()
        expected, gradient = jax.value_and_grad(lambda z, t=t, call=call: call(t, z))(jax.numpy.asarray(x))
        value, found = losslib.cosine_similarity_loss.value_and_grad(x, t)
        assert_agree(value, expected, np.float32)
        assert_agree(found, gradient, np.float32, size=4.0)
    x, t = (array.reshape(3, 4, 5) for array in vectors(8, 60, 2, np.float32, rows=1))
    expected = keras.losses.CosineSimilarity(axis=1, reduction=None)(t, x)
    assert_agree(losslib.cosine_similarity_loss(x, t, axis=1, reduction="none"), expected, np.float32)
    zero = np.zeros((1, 3), np.float32)
    assert losslib.cosine_similarity_loss(zero, zero + 1) == float(keras.losses.CosineSimilarity()(zero + 1, zero)) == 0


@each_dtype
def test_cosine_similarity_equals_optax_and_pytorch(dtype: Any) -> None:
    optax = pytest.importorskip("optax")
    for columns in COLUMNS:
        x, t = vectors(9, columns, 2, dtype)
        assert_agree(
            losslib.cosine_similarity_loss(x, t, reduction="none"), -optax.losses.cosine_similarity(x, t), dtype
        )
        compare(
            losslib.cosine_similarity_loss,
            lambda a, b: -functional.cosine_similarity(a, b, dim=-1),
            [x, t], "none", dtype, 16.0,
        )  # fmt: skip


@each_dtype
def test_triplets_equal_optax_which_adds_its_eps_to_the_sum(dtype: Any) -> None:
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    arrays = vectors(10, 8, 3, dtype)

    def total(*inputs: Any) -> Any:
        return optax.losses.triplet_margin_loss(*inputs, eps=0.0, margin=0.7).sum()

    expected, grads = jax.value_and_grad(total, argnums=(0, 1, 2))(*map(jax.numpy.asarray, arrays))
    value, found = losslib.triplet_margin_loss.value_and_grad(*arrays, eps=0.0, margin=0.7, reduction="sum")
    assert_agree(value, expected, dtype)
    for grad, part in zip(grads, found, strict=True):
        assert_agree(part, grad, dtype, size=4.0)


@each_dtype
@each_reduction
def test_contrastive_equals_its_formula_differentiated_by_pytorch(dtype: Any, reduction: str) -> None:
    """PyTorch has no such function; tensorflow_addons has this formula on distances."""
    for columns, margin in itertools.product(COLUMNS, (0.5, 2.0, 30.0)):
        labels = np.random.default_rng(columns).integers(0, 2, ROWS).astype(dtype)

        def theirs(x: Any, y: Any, t: Any = labels, m: float = margin) -> Any:
            distance, t = torch.linalg.vector_norm(x - y, dim=-1), torch.tensor(t)
            value = t * distance**2 + (1 - t) * torch.clamp(m - distance, min=0) ** 2
            return {"mean": torch.mean, "sum": torch.sum, "none": lambda v: v}[reduction](value)

        compare(
            losslib.contrastive_loss, theirs, vectors(11, columns, 2, dtype), reduction, dtype, 64.0 * columns,
            labels=labels, margin=margin,
        )  # fmt: skip
