"""aucm_loss beside what is common to lists: the gradients of its centres and of alpha, and its saddle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from ranking import list_value

ALL = ("input", "a", "b", "alpha")
INFO = losslib.AUCMLoss.info
SETTINGS: list[dict[str, Any]] = [{}, {"version": "v2", "margin": 0.4}, {"imratio": 0.1}, {"imratio": 1.0}]


def data(shape: tuple[int, ...] = (4, 9), seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, classes and weights of items."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), (rng.random(shape) < 0.4).astype(float), rng.uniform(0.2, 2.0, shape)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_values_and_all_four_gradients_are_those_of_the_definition(settings: dict[str, Any], weighted: bool) -> None:
    x, y, weight = data()
    weight = weight if weighted else np.ones_like(x)
    numbers = {"a": np.array([0.3, -0.2, 1.0, 0.0]), "b": np.array(-0.4), "alpha": np.array([0.7])}
    value, grads = losslib.aucm_loss.value_and_grad(
        x, y, **numbers, sample_weight=weight, reduction="sum", wrt=ALL, **settings
    )

    def total(x: np.ndarray, **moved: np.ndarray) -> float:
        known = {name: np.broadcast_to(array, 4) for name, array in {**numbers, **moved}.items()}
        each = [
            list_value(INFO, x[k], y[k], {**settings, **{n: float(v[k]) for n, v in known.items()}}, weight[k])
            for k in range(4)
        ]
        return float(sum(each))

    assert value == pytest.approx(total(x), rel=1e-13)
    step = 1e-5
    for place in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[place] = step
        assert grads[0][place] == pytest.approx((total(x + moved) - total(x - moved)) / (2 * step), abs=1e-9)
    for (name, array), grad in zip(numbers.items(), grads[1:], strict=True):
        assert grad.shape == array.shape
        for place in np.ndindex(array.shape):
            moved = np.zeros(array.shape)
            moved[place] = step
            up, down = (total(x, **{name: array + sign * moved}) for sign in (1, -1))
            assert grad[place] == pytest.approx((up - down) / (2 * step), abs=1e-9)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_saddle_is_the_mean_square_over_all_pairs(version: str) -> None:
    """Least by a and b, greatest by alpha: there the loss is the pairs' and so is the gradient of the scores."""
    x, y, _ = data((40,))
    positive, negative = x[y == 1], x[y == 0]
    centres = positive.mean(), negative.mean(), 0.7 - positive.mean() + negative.mean()
    value, (grad, *slopes) = losslib.aucm_loss.value_and_grad(x, y, *centres, margin=0.7, version=version, wrt=ALL)
    np.testing.assert_allclose(slopes, 0.0, atol=1e-15)
    share = y.mean() * (1 - y.mean()) if version == "v1" else 1.0
    pairs, slope = losslib.pairwise_auc_loss.value_and_grad(x, y, surrogate="square", margin=0.7)
    assert value == pytest.approx(share * pairs, rel=1e-13)
    np.testing.assert_allclose(grad, share * slope, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_one_class_is_nothing_to_compare_unless_the_share_of_positives_is_told(version: str) -> None:
    x, y, _ = data()
    y[0], y[1] = 1.0, 0.0
    values = losslib.aucm_loss(x, y, 0.5, -0.5, 0.3, version=version, reduction="none")
    assert not values[:2].any()
    assert values[2:].all()
    mean, grads = losslib.aucm_loss.value_and_grad(x, y, 0.5, -0.5, 0.3, version=version, wrt=ALL)
    assert mean == pytest.approx(values[2:].mean(), rel=1e-15)
    assert not grads[0][:2].any()
    alone = losslib.aucm_loss.value_and_grad(x[0], y[0], 0.5, -0.5, 0.3, version=version, wrt=ALL)
    assert alone[0] == 0.0
    assert not any(np.any(grad) for grad in alone[1])
    told = losslib.aucm_loss(x[0], y[0], 0.5, -0.5, 0.3, imratio=0.25, version=version)
    assert (told != 0) == (version == "v1")


def test_ascent_and_descent_reach_the_area_of_separated_classes() -> None:
    """A linear model trained by the four gradients orders what can be ordered."""
    rng = np.random.default_rng(3)
    y = (rng.random(400) < 0.15).astype(float)
    features = rng.standard_normal((400, 3)) + y[:, np.newaxis] * [1.5, -1.0, 0.0]
    weights, a, b, alpha = np.zeros(3), 0.0, 0.0, 0.0
    for _ in range(300):
        x = features @ weights
        by_x, by_a, by_b, by_alpha = losslib.aucm_loss.grad(x, y, a, b, alpha, version="v2", wrt=ALL)
        weights -= 0.1 * features.T @ by_x
        a, b, alpha = a - 0.1 * by_a, b - 0.1 * by_b, max(0.0, alpha + 0.1 * by_alpha)
    x = features @ weights
    assert losslib.concordance_index(x, 1 - y, np.ones_like(y)) > 0.9


def test_numbers_of_other_shapes_and_labels_of_other_classes_are_refused() -> None:
    x, y, _ = data()
    with pytest.raises(losslib.ShapeError, match=r"alpha has shape \(3,\); expected a number, or \(4,\) for one of"):
        losslib.aucm_loss(x, y, alpha=np.zeros(3))
    with pytest.raises(losslib.DomainError, match=r"target\[0, 0\] is 2"):
        losslib.aucm_loss(x, y + 2)
    with pytest.raises(losslib.ParameterError, match="imratio must be"):
        losslib.aucm_loss(x, y, imratio=1.5)
