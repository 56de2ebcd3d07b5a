"""The Lovász losses and other losses of regions against brute force from their definitions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import losslib
from regions import masks, probabilities


def jaccard_of_errors(wrong: np.ndarray, t: np.ndarray) -> float:
    """The Jaccard loss of the marks that come about when these positions are wrong: what is extended."""
    marks = np.where(wrong, 1 - t, t)
    union = ((marks + t) > 0).sum()
    return 1 - (marks * t).sum() / union if union else 0.0


def extension(errors: np.ndarray, t: np.ndarray) -> float:
    """The Lovász extension by its definition: an integral over thresholds of the set of larger errors."""
    levels = np.unique(np.concatenate([[0.0], errors]))
    return sum((high - low) * jaccard_of_errors(errors > low, t) for low, high in itertools.pairwise(levels))


def draw(seed: int, activation: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.02, 0.98, (3, 4, 17)) if activation == "none" else rng.normal(size=(3, 4, 17)) * 2
    t = rng.integers(0, 4, (3, 17))
    t[1][t[1] == 2] = 0
    return x, t


@pytest.mark.parametrize("activation", ["none", "sigmoid", "softmax"])
@pytest.mark.parametrize("per", ["class", "sample_class"])
@pytest.mark.parametrize("absent", ["skip", "include", "zero"])
def test_lovasz_softmax_is_the_extension_of_the_jaccard_loss(absent: str, per: str, activation: str) -> None:
    x, t = draw(1, activation)
    if per == "class":
        t[t == 3] = 0
    p, marks = probabilities(x, activation), masks(t, 4)
    errors = np.abs(marks - p)
    means = []
    for n in range(3) if per == "sample_class" else [slice(None)]:
        entries = [(extension(errors[n, c].ravel(), marks[n, c].ravel()), marks[n, c].any()) for c in range(4)]
        if absent == "skip":
            entries = [entry for entry in entries if entry[1]]
        means.append(np.mean([0.0 if absent == "zero" and not found else value for value, found in entries]))
    value = losslib.lovasz_softmax_loss(x, t, activation=activation, per=per, absent=absent)
    assert value == pytest.approx(np.mean(means), rel=1e-12)


@pytest.mark.parametrize("per", ["all", "sample"])
def test_lovasz_hinge_is_the_extension_of_the_jaccard_loss(per: str) -> None:
    x, t = draw(2, "sigmoid")
    x, t = x[:, 0] * 0.7, (t > 1).astype(float)
    errors = np.maximum(0, 1 - x * (2 * t - 1))
    parts = [(errors.ravel(), t.ravel())] if per == "all" else list(zip(errors, t, strict=True))
    expected = np.mean([extension(e, marks) for e, marks in parts])
    assert losslib.lovasz_hinge_loss(x, t, per=per) == pytest.approx(expected, rel=1e-12)


def slopes_agree(loss: Any, x: np.ndarray, t: Any, **options: Any) -> None:
    grad = loss.grad(x, t, **options)
    rng = np.random.default_rng(0)
    for _ in range(5):
        direction = rng.normal(size=x.shape)
        step = 1e-7
        ends = [loss(x + sign * step * direction, t, **options) for sign in (1, -1)]
        assert (grad * direction).sum() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=1e-8)


def test_derivatives_are_differences_of_values() -> None:
    weight = [0.5, 2.0, 1.0, 0.25]
    keep = np.random.default_rng(9).random((3, 17)) < 0.7
    for activation in ("sigmoid", "softmax"):
        x, t = draw(3, activation)
        for options in ({}, {"per": "sample_class", "weight": weight}, {"where": keep, "classes": (1, 2)},
                        {"per": "sample_class", "sample_weight": [1, 2, 3], "reduction": "weighted_mean"}):  # fmt: skip
            slopes_agree(losslib.lovasz_softmax_loss, x, t, activation=activation, **options)
        for options in (
            {},
            {"weighting": "simple", "per": "all"},
            {"absent": "skip"},
            {"classes": (1, 3), "where": keep},
        ):
            slopes_agree(losslib.generalized_dice_loss, x, t, activation=activation, **options)
        for options in ({}, {"distances": [0.0, 1.0, 2.0, 5.0], "weighting": "size"}, {"per": "all", "where": keep}):
            slopes_agree(losslib.generalized_wasserstein_dice_loss, x, t, activation=activation, **options)
        for options in ({}, {"weight": 0.2, "delta": 0.6, "gamma": 0.3}, {"reduction": "sum", "where": keep}):
            slopes_agree(losslib.unified_focal_loss, x, t, activation=activation, **options)
        distance = np.random.default_rng(1).normal(size=x.shape) * 5
        for options in ({}, {"per": "class", "weight": weight}, {"where": keep, "reduction": "sum"}):
            slopes_agree(losslib.boundary_loss, x, distance, activation=activation, **options)
    x, t = draw(4, "sigmoid")
    for options in ({}, {"per": "sample"}, {"where": keep}):
        slopes_agree(losslib.lovasz_hinge_loss, x[:, 0], (t > 1).astype(float), **options)


def test_boundary_is_the_mean_of_probability_times_distance() -> None:
    x, _ = draw(5, "none")
    distance = np.random.default_rng(0).normal(size=x.shape)
    assert losslib.boundary_loss(x, distance) == pytest.approx((x * distance).mean(), rel=1e-13)


def test_a_wasserstein_dice_of_equal_distances_counts_every_confusion_alike() -> None:
    x, t = draw(6, "softmax")
    p, marks = probabilities(x, "softmax"), masks(t, 4)
    right, wrong = (p * marks)[:, 1:].sum(axis=(1, 2)), 17 - (p * marks).sum(axis=(1, 2))
    value = losslib.generalized_wasserstein_dice_loss(x, t, activation="softmax", smooth=0.0)
    assert value == pytest.approx(np.mean(1 - 2 * right / (2 * right + wrong)), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_the_gradient_may_overwrite_the_input_and_threads_change_no_bit(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(2, 3, 91, 71)).astype(dtype), rng.integers(0, 3, (2, 91, 71))
    found = []
    for count in (1, 2, 3, 7):
        with losslib.threads(count):
            value, grad = losslib.lovasz_softmax_loss.value_and_grad(x, t, activation="softmax")
        found.append((np.float64(value).tobytes(), grad.tobytes()))
    assert len(set(found)) == 1
    out = x.copy()
    losslib.lovasz_softmax_loss.grad(out, t, activation="softmax", out=out)
    assert out.tobytes() == found[0][1]


def test_equal_errors_keep_the_order_of_their_positions() -> None:
    x, t = np.full((1, 1, 5), 0.5), np.array([[[1, 0, 1, 0, 1]]])
    grad = losslib.lovasz_softmax_loss.grad(x, t)
    steps = np.diff([0, 1 - 2 / 3, 1 - 2 / 4, 1 - 1 / 4, 1 - 1 / 5, 1.0])
    np.testing.assert_allclose(grad[0, 0], steps * [-1, 1, -1, 1, -1], rtol=1e-14)
