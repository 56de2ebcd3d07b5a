"""Ordered classes by two ways that have to agree: side by side and row by row, and thresholds next to each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib


@pytest.mark.parametrize("size", [1.0, 30.0, 900.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_class_distances_of_few_classes_are_those_of_many_of_which_most_cannot_be(dtype: type, size: float) -> None:
    """Few classes are computed with samples side by side, many of them row by row."""
    rng = np.random.default_rng(11)
    x, t = (size * rng.normal(size=(77, 6))).astype(dtype), rng.integers(0, 6, 77)
    many = np.concatenate([x, np.full((77, 70), -np.inf, dtype)], axis=1)
    options: dict[str, Any] = {"reduction": "sum", "where": rng.random(77) < 0.8}
    weight = rng.random(76) + 0.5
    value, gradient = losslib.class_distance_cross_entropy.value_and_grad(x, t, weight=weight[:6], **options)
    wanted, slopes = losslib.class_distance_cross_entropy.value_and_grad(many, t, weight=weight, **options)
    rtol = 1e-6 if dtype is np.float32 else 1e-12
    assert value == pytest.approx(wanted, rel=rtol)
    np.testing.assert_allclose(gradient, slopes[:, :6], rtol=rtol, atol=rtol * abs(slopes).max())
    beside, moved = losslib.class_distance_cross_entropy.value_and_grad(
        np.ascontiguousarray(x.T)[np.newaxis],
        t[np.newaxis],
        weight=weight[:6],
        reduction="sum",
        where=options["where"][np.newaxis],
    )
    assert beside == pytest.approx(value, rel=1e-14)
    np.testing.assert_array_equal(moved[0].T, gradient)


@pytest.mark.parametrize("root", [False, True])
@pytest.mark.parametrize("r", [1.0, 2.0, 3.0])
def test_the_distance_from_a_class_is_that_from_a_row_of_zeros_and_a_one(r: float, root: bool) -> None:
    """Classes are computed with samples side by side, distributions row by row."""
    rng = np.random.default_rng(12)
    x, t = 3 * rng.normal(size=(77, 6)), rng.integers(0, 6, 77)
    value, gradient = losslib.emd_loss.value_and_grad(x, t, r=r, root=root)
    wanted, slopes = losslib.emd_loss.value_and_grad(x, np.eye(6)[t], r=r, root=root, wrt="input")
    assert value == pytest.approx(wanted, rel=1e-13)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-10, atol=1e-14)


def test_a_narrow_interval_costs_its_logarithm_whatever_is_left_of_its_width() -> None:
    """By the density 1/4 of the logistic law at 0: log 4 - log h between thresholds h apart, down to the least."""
    for width in (1e-3, 1e-17, 1e-300, 2.5e-308):
        value = losslib.cumulative_link_loss([0.0], [1], [0.0, width])
        assert value == pytest.approx(np.log(4.0) - np.log(width), rel=1e-6)


def test_scores_that_are_infinite_have_their_limits() -> None:
    thresholds = [-1.0, 1.0]
    for link in ("logit", "probit", "cloglog"):
        for x, classes in ((np.inf, [np.inf, np.inf, 0.0]), (-np.inf, [0.0, np.inf, np.inf])):
            found = losslib.cumulative_link_loss([x] * 3, [0, 1, 2], thresholds, link=link, reduction="none")
            np.testing.assert_array_equal(found, classes, err_msg=f"{link} at {x}")
        slopes = losslib.cumulative_link_loss.grad([np.inf, -np.inf], [0, 2], thresholds, link=link, reduction="sum")
        assert slopes[0] > 0.5
        assert slopes[1] < -0.5


def test_check_grad_leaves_out_a_hessian_that_is_not_offered() -> None:
    report = losslib.check_grad(losslib.CumulativeLinkLoss(), [0.3, -0.4], [0, 1], [-1.0, 1.0])
    assert report


@pytest.mark.parametrize("r", [1.0, 2.0, 3.0, 100.0, 1e4, 1e6])
@pytest.mark.parametrize("far", [1.0, 30.0])
def test_the_root_of_a_power_of_any_degree_is_that_of_exact_arithmetic(r: float, far: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    x, t = far * np.array([[2.0, 0.1, -1.0, 0.3], [0.2, 0.5, 1.5, -2.0]]), np.array([0, 2])
    value, gradient = losslib.emd_loss.value_and_grad(x, t, r=r, root=True, reduction="none")
    with mpmath.workdps(50):

        def exact(row: list[Any], y: int) -> Any:
            size = [mpmath.exp(number) for number in row]
            p = [number / sum(size) for number in size]
            moved = [abs(sum(p[: k + 1]) - (k >= y)) for k in range(len(p))]
            return max(moved) * (sum((m / max(moved)) ** mpmath.mpf(r) for m in moved) / len(p)) ** (1 / mpmath.mpf(r))

        for n, y in enumerate(t):
            row = [mpmath.mpf(float(number)) for number in x[n]]
            assert value[n] == pytest.approx(float(exact(row, y)), rel=1e-9, abs=1e-15)
            for k in range(len(row)):
                ends = [exact([*row[:k], row[k] + step, *row[k + 1 :]], y) for step in (1e-12, -1e-12)]
                assert gradient[n, k] == pytest.approx(float((ends[0] - ends[1]) / 2e-12), rel=1e-6, abs=1e-15)
