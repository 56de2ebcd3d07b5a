"""Trees and clusters of large vocabularies against Paddle, with every gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
import vocabulary
from peers.agreement import assert_agree

ROWS, COMPONENTS = 9, 6


def generator(*words: object) -> np.random.Generator:
    return np.random.default_rng(list(repr(words).encode()))


# ---- trees ---------------------------------------------------------------------------------------------------------


def paddles_tree(classes: int, x: np.ndarray, t: np.ndarray, nodes: np.ndarray, bias: np.ndarray, *paths: Any) -> Any:
    """Values of Paddle's tree, and the gradients of their sum by hidden states, nodes and bias."""
    paddle = pytest.importorskip("paddle")
    moved = [paddle.to_tensor(array, stop_gradient=False) for array in (x, nodes, bias[:, None])]
    more = dict(zip(("path_table", "path_code"), map(paddle.to_tensor, paths), strict=False))
    value = paddle.nn.functional.hsigmoid_loss(moved[0], paddle.to_tensor(t), classes, *moved[1:], **more)
    value.sum().backward()
    return value.numpy()[:, 0], [moved[0].grad.numpy(), moved[1].grad.numpy(), moved[2].grad.numpy()[:, 0]]


@pytest.mark.parametrize("classes", [2, 8, 32])
def test_trees_of_paths_of_one_length_are_paddles(classes: int) -> None:
    rng = generator("tree", classes)
    x, t = rng.normal(size=(ROWS, COMPONENTS)), rng.integers(0, classes, ROWS)
    nodes, bias = rng.normal(size=(classes - 1, COMPONENTS)), rng.normal(size=classes - 1)
    values, slopes = paddles_tree(classes, x, t, nodes, bias)
    wrt = ("input", "tree_weight", "tree_bias")
    assert_agree(losslib.hsigmoid_loss(x, t, nodes, bias, reduction="none"), values, np.float64, relative=1e-9)
    grads = losslib.hsigmoid_loss.grad(x, t, nodes, bias, wrt=wrt, reduction="sum")
    for ours, theirs in zip(grads, slopes, strict=True):
        assert_agree(ours, theirs, np.float64, relative=1e-9, size=1e3)
    table, code = rng.integers(0, classes - 1, (ROWS, 3)), rng.integers(0, 2, (ROWS, 3))
    values, slopes = paddles_tree(classes, x, t, nodes, bias, table, code)
    grads = losslib.hsigmoid_loss.grad(x, t, nodes, bias, table, code, wrt=wrt, reduction="sum")
    found = losslib.hsigmoid_loss(x, t, nodes, bias, table, code, reduction="none")
    assert_agree(found, values, np.float64, relative=1e-9)
    for ours, theirs in zip(grads, slopes, strict=True):
        assert_agree(ours, theirs, np.float64, relative=1e-9, size=1e3)


def test_paddle_adds_a_logarithm_of_two_for_each_place_that_is_not_used() -> None:
    rng = generator("unused")
    classes, t = 6, np.arange(6)
    x, nodes, bias = rng.normal(size=(6, COMPONENTS)), rng.normal(size=(5, COMPONENTS)), rng.normal(size=5)
    lengths = np.array([len(vocabulary.complete_path(k, classes)[0]) for k in range(classes)])
    values, _ = paddles_tree(classes, x, t, nodes, bias)
    ours = losslib.hsigmoid_loss(x, t, nodes, bias, reduction="none")
    assert_agree(ours + (3 - lengths) * np.log(2), values, np.float64, relative=1e-9)
    assert len(set(lengths)) == 2


# ---- clusters ------------------------------------------------------------------------------------------------------


def test_clusters_are_paddles_with_transposed_matrices() -> None:
    paddle = pytest.importorskip("paddle")
    rng = generator("clusters")
    hidden, target = rng.normal(size=(15, COMPONENTS)), rng.permutation(15)
    head, bias = rng.normal(size=(6, COMPONENTS)), rng.normal(size=6)
    pairs = [(rng.normal(size=(h, COMPONENTS)), rng.normal(size=(count, h))) for h, count in ((3, 5), (2, 6))]
    moved = [paddle.to_tensor(array, stop_gradient=False) for array in (hidden, head.T.copy(), bias)]
    tails = [[paddle.to_tensor(matrix.T.copy(), stop_gradient=False) for matrix in pair] for pair in pairs]
    output, mean = paddle.nn.functional.adaptive_log_softmax_with_loss(
        moved[0], paddle.to_tensor(target), moved[1], tails, [4, 9, 15], moved[2]
    )
    mean.backward()
    value, (by_hidden, by_head, by_tails, by_bias) = losslib.adaptive_log_softmax_with_loss.value_and_grad(
        hidden, target, head, pairs, bias, wrt=("input", "head_weight", "tail_weights", "head_bias")
    )
    assert_agree(value, float(mean.numpy()), np.float64, relative=1e-9)
    values = losslib.adaptive_log_softmax_with_loss(hidden, target, head, pairs, bias, reduction="none")
    assert_agree(values, -output.numpy(), np.float64, relative=1e-9)
    theirs = [moved[0].grad, moved[1].grad.T, *(matrix.grad.T for pair in tails for matrix in pair), moved[2].grad]
    ours = [by_hidden, by_head, *(matrix for pair in by_tails for matrix in pair), by_bias]
    for mine, other in zip(ours, theirs, strict=True):
        assert_agree(mine, other.numpy(), np.float64, relative=1e-9, size=1e3)
