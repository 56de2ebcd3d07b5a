"""The Hausdorff loss by distance transforms against SciPy's transform and the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import losslib
from regions import masks, probabilities


def distances(marks: np.ndarray) -> np.ndarray:
    """Distances of all positions from the other side, by SciPy."""
    if not marks.any() or marks.all():
        return np.zeros(marks.shape)
    found: np.ndarray = ndimage.distance_transform_edt(marks) + ndimage.distance_transform_edt(~marks)
    return found


def table(x: np.ndarray, t: np.ndarray, activation: str, alpha: float, keep: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The loss of each sample and class from its definition; NumPy alone, but for the transform."""
    flat = x.reshape(*x.shape[:2], -1)
    p = probabilities(flat, activation).reshape(x.shape)
    marks = masks(t.reshape(len(t), -1), x.shape[1]).reshape(x.shape) if t.ndim < x.ndim else t
    result = np.empty(x.shape[:2])
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            far = distances((p[n, c] > 0.5) & keep[n]) ** alpha + distances((marks[n, c] > 0.5) & keep[n]) ** alpha
            result[n, c] = np.average((p[n, c] - marks[n, c]) ** 2 * far, weights=w[n] * keep[n])
    return result


@pytest.mark.parametrize("activation", ["none", "sigmoid", "softmax"])
@pytest.mark.parametrize("alpha", [2.0, 1.0, 0.7])
@pytest.mark.parametrize("shape", [(2, 3, 41), (2, 3, 13, 20), (1, 2, 5, 9, 7), (2, 2, 3, 1, 4, 3)])
def test_the_value_is_that_of_the_definition(shape: tuple[int, ...], alpha: float, activation: str) -> None:
    rng = np.random.default_rng(len(shape))
    x = rng.random(shape) if activation == "none" else rng.normal(size=shape) * 2
    t = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    everywhere = np.ones(t.shape)
    expected = table(x, t, activation, alpha, everywhere > 0, everywhere)
    options: dict[str, Any] = {"activation": activation, "alpha": alpha}
    found = losslib.hausdorff_dt_loss(x, t, reduction="none", **options)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert losslib.hausdorff_dt_loss(x, t, per="class", **options) == pytest.approx(expected.mean(), rel=1e-12)
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    assert losslib.hausdorff_dt_loss(last, t, axis=-1, **options) == pytest.approx(expected.mean(), rel=1e-12)
    one = losslib.hausdorff_dt_loss(x, t, classes=(1,), reduction="none", **options)
    np.testing.assert_allclose(one, expected[:, 1:2], rtol=1e-12)


def test_positions_that_do_not_count_belong_to_no_region() -> None:
    rng = np.random.default_rng(2)
    x, t = rng.normal(size=(2, 3, 15, 11)) * 2, rng.integers(0, 3, (2, 15, 11))
    keep, w = rng.random(t.shape) < 0.8, rng.uniform(0.5, 2.0, t.shape)
    expected = table(x, np.where(keep, t, 0), "sigmoid", 2.0, keep, w)
    bad = np.where(keep[:, np.newaxis], x, np.nan)
    for options in ({"where": keep}, {"ignore_index": -7}):
        label = t if "where" in options else np.where(keep, t, -7)
        found = losslib.hausdorff_dt_loss(
            bad, label, activation="sigmoid", reduction="none", sample_weight=w, **options
        )
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("activation", ["none", "sigmoid", "softmax"])
def test_the_derivative_holds_the_distances_constant(activation: str) -> None:
    """Far enough from 1/2 the regions do not move with a step: differences are the derivative."""
    rng = np.random.default_rng(3)
    t = rng.random((2, 3, 8, 9))
    x = rng.uniform(0.05, 0.95, t.shape) if activation == "none" else rng.normal(size=t.shape) * 3
    keep = rng.random((2, 8, 9)) < 0.8
    for options in ({}, {"per": "all", "weight": [1.0, 2.0, 0.5]}, {"where": keep, "sample_weight": keep * 0.7 + 1.0}):
        found = losslib.hausdorff_dt_loss.grad(x, t, activation=activation, wrt=("input", "target"), **options)
        for position, grad in enumerate(found):
            step = rng.normal(size=x.shape) * 1e-7
            ends = [
                losslib.hausdorff_dt_loss(
                    *(v + sign * step if k == position else v for k, v in enumerate((x, t))),
                    activation=activation,
                    **options,
                )
                for sign in (1, -1)
            ]
            assert (grad * step).sum() == pytest.approx((ends[0] - ends[1]) / 2, rel=1e-5)


def test_a_region_that_is_nothing_or_everything_has_no_boundary() -> None:
    p = np.array([[[0.1, 0.2, 0.3, 0.4]]])
    assert losslib.hausdorff_dt_loss(p, np.zeros(p.shape)) == 0.0
    assert losslib.hausdorff_dt_loss(p, np.ones(p.shape)) == 0.0
    assert losslib.hausdorff_dt_loss(p, np.array([[[0.0, 0, 0, 1]]])) == pytest.approx(
        np.mean(p[0, 0] ** 2 * [9, 4, 1, 0]) + 0.6**2 / 4, rel=1e-14
    )


def test_threads_change_no_bit_and_the_gradient_may_overwrite_the_input() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(3, 2, 61, 51)).astype(np.float32), rng.integers(0, 2, (3, 61, 51))
    found = []
    for count in (1, 2, 3, 7):
        with losslib.threads(count):
            value, grad = losslib.hausdorff_dt_loss.value_and_grad(x, t, activation="softmax")
        found.append((np.float64(value).tobytes(), grad.tobytes()))
    assert len(set(found)) == 1
    out = x.copy()
    losslib.hausdorff_dt_loss.grad(out, t, activation="softmax", out=out)
    assert out.tobytes() == found[0][1]
