"""aft_loss and weibull_survival_loss against mpmath, SciPy's distributions and XGBoost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import stats

import losslib

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from oracles.survival import aft_value, derivatives, weibull_value

DISTRIBUTIONS = ["normal", "logistic", "extreme"]
SCIPY = {"normal": stats.norm, "logistic": stats.logistic, "extreme": stats.gumbel_l}

#: Bounds of every kind: known, right-, left-censored, wide, narrow and very narrow intervals.
BOUNDS = [
    (1.5, 1.5),
    (1.5, np.inf),
    (0.0, 1.5),
    (-1.0, 1.5),
    (0.5, 8.0),
    (1.5, 1.6),
    (1.5, 1.5 * (1 + 2.0**-30)),
    (0.01, 300.0),
]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_value_and_derivatives_are_those_of_mpmath(
    bounds: tuple[float, float], scale: float, distribution: str
) -> None:
    """From the middle to far outside of the bounds, where the probability is below 1e-300."""
    for x in (-400.0, -20.0, -9.0, -3.3, -1.0, -0.2, 0.4, 0.9, 2.2, 4.5, 9.0, 25.0, 400.0):
        if distribution == "extreme" and -x / scale > 25:
            continue  # the value is exp(25), known to 1e-16 of its argument

        def value(numbers: list[Any]) -> Any:
            return aft_value(numbers[0], *bounds, distribution, mpmath.mpf(scale))

        expected = derivatives(value, [x], 0, 1200 if abs(x) > 100 else 240)
        found = losslib.aft_loss.value_grad_hess(
            np.array([x]), *bounds, distribution=distribution, scale=scale, reduction="sum"
        )
        where = f"x={x}"
        assert found[0] == pytest.approx(expected[0], rel=2e-13, abs=1e-13), where
        assert found[1][0] == pytest.approx(expected[1], rel=2e-12, abs=1e-300), where
        assert found[2][0] == pytest.approx(expected[2], rel=2e-10, abs=1e-300), where


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_known_times_and_right_censored_ones_are_those_of_scipy(distribution: str) -> None:
    rng = np.random.default_rng(0)
    x, time = rng.standard_normal(200), rng.uniform(0.1, 5.0, 200)
    error, scale = SCIPY[distribution], 0.7
    z = (np.log(time) - x) / scale
    known = losslib.aft_loss(x, time, time, distribution=distribution, scale=scale, reduction="none")
    np.testing.assert_allclose(known, -error.logpdf(z) + np.log(scale * time), rtol=1e-11, atol=1e-12)
    censored = losslib.aft_loss(x, time, np.inf, distribution=distribution, scale=scale, reduction="none")
    np.testing.assert_allclose(censored, -error.logsf(z), rtol=1e-11, atol=1e-13)
    left = losslib.aft_loss(x, 0.0, time, distribution=distribution, scale=scale, reduction="none")
    np.testing.assert_allclose(left, -error.logcdf(z), rtol=1e-11, atol=1e-13)
    between = losslib.aft_loss(x, time, 2 * time, distribution=distribution, scale=scale, reduction="none")
    high = (np.log(2 * time) - x) / scale
    mass = error.cdf(high) - error.cdf(z)
    seen = mass > 1e-5  # SciPy's difference has digits there
    np.testing.assert_allclose(between[seen], -np.log(mass[seen]), rtol=1e-8, atol=1e-9)


def test_the_extreme_error_makes_weibull_times() -> None:
    rng = np.random.default_rng(1)
    x, time = rng.standard_normal(50), rng.uniform(0.1, 5.0, 50)
    event = (rng.random(50) < 0.5).astype(float)
    scale = 0.6
    weibull = losslib.weibull_survival_loss(x, np.full(50, -np.log(scale)), time, event, reduction="none")
    aft = losslib.aft_loss(
        x, time, np.where(event == 1, time, np.inf), distribution="extreme", scale=scale, reduction="none"
    )
    np.testing.assert_allclose(aft, weibull, rtol=1e-12, atol=1e-13)
    known = event == 1
    expected = -stats.weibull_min.logpdf(time[known], 1 / scale, scale=np.exp(x[known]))
    np.testing.assert_allclose(weibull[known], expected, rtol=1e-12)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_nothing_known_adds_nothing(distribution: str) -> None:
    value, grad, hess = losslib.aft_loss.value_grad_hess(
        np.array([0.3, 1.0]), [0.0, 1.0], [np.inf, 1.0], distribution=distribution, reduction="none"
    )
    assert value[0] == grad[0] == hess[0] == 0.0
    assert value[1] != 0.0


def test_the_second_derivative_is_never_negative() -> None:
    rng = np.random.default_rng(2)
    x, lower = rng.standard_normal(5000) * 20, np.exp(rng.standard_normal(5000) * 10)
    upper = np.where(rng.random(5000) < 0.3, np.inf, lower * np.exp(rng.exponential(3.0, 5000)))
    for distribution in DISTRIBUTIONS:
        _, grad, hess = losslib.aft_loss.value_grad_hess(x, lower, upper, distribution=distribution)
        assert (hess[np.isfinite(hess)] >= 0).all()
        assert np.isfinite(grad).all() or distribution == "extreme"


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("event", [0.0, 1.0])
def test_weibull_derivatives_by_both_predictions(event: float, place: int) -> None:
    for predictions in ([0.0, 0.0], [1.3, -0.7], [-0.4, 0.9], [3.0, 2.0]):
        expected = derivatives(lambda p: weibull_value(*p, 2.5, event), predictions, place)
        found = losslib.weibull_survival_loss.value_grad_hess(
            np.array(predictions[:1]), np.array(predictions[1:]), 2.5, event, reduction="sum"
        )
        assert found[0] == pytest.approx(expected[0], rel=1e-13, abs=1e-15)
        assert found[1][place][0] == pytest.approx(expected[1], rel=1e-12, abs=1e-300)
        assert found[2][place][0] == pytest.approx(expected[2], rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("name", ["aft_loss", "weibull_survival_loss"])
def test_masked_samples_are_never_looked_at(name: str) -> None:
    function = getattr(losslib, name)
    arrays = [np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 1.0]), np.array([2.0, 2.5, 1.0])]
    if name == "weibull_survival_loss":
        arrays.append(np.array([1.0, 0.0, 1.0]))
    where = np.array([True, False, True])
    spoilt = [np.where(where, array, np.nan) for array in arrays]
    value, grad = function.value_and_grad(*spoilt, where=where)
    kept = function.value_and_grad(*(array[where] for array in arrays))
    assert value == pytest.approx(kept[0], rel=1e-15)
    np.testing.assert_allclose(np.asarray(grad)[..., where], kept[1], rtol=1e-15)
    assert not np.asarray(grad)[..., 1].any()
    nothing = function.value_and_grad(*spoilt, where=np.zeros(3, bool))
    assert nothing[0] == 0.0
    assert not np.any(nothing[1])


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("bounds", [(1.0, 1.0), (1.0, np.inf), (0.0, 1.0), (1.0, 2.0)], ids=str)
def test_an_infinite_prediction_has_the_limits_of_large_ones(bounds: tuple[float, float], distribution: str) -> None:
    """Nothing is NaN: values go to 0 or inf, and derivatives to what they go to."""
    options = {"distribution": distribution, "reduction": "none"}
    limits = losslib.aft_loss.value_grad_hess(np.array([np.inf, -np.inf]), *bounds, **options)
    large = losslib.aft_loss.value_grad_hess(np.array([1e6, -1e6]), *bounds, **options)
    for limit, near in zip(limits, large, strict=True):
        assert not np.isnan(limit).any()
        small = abs(near) < 10
        np.testing.assert_allclose(limit[small], near[small], rtol=1e-9, atol=1e-9)
        assert np.isinf(limit[~small]).all()


def test_bounds_in_the_wrong_order_are_named() -> None:
    with pytest.raises(losslib.DomainError, match=r"lower\[1\] is 3, .*must not be above upper"):
        losslib.aft_loss(np.zeros(2), [1.0, 3.0], [1.0, 2.0])
    with pytest.raises(losslib.DomainError, match=r"upper\[0\] is 0, .*numbers > 0"):
        losslib.aft_loss(np.zeros(2), [0.0, 1.0], [0.0, 2.0])
    with pytest.raises(losslib.DomainError, match=r"event\[1\] is 2"):
        losslib.weibull_survival_loss(np.zeros(2), np.zeros(2), [1.0, 1.0], [1, 2])
    with pytest.raises(losslib.DomainError, match=r"time\[0\] is 0"):
        losslib.weibull_survival_loss(np.zeros(2), np.zeros(2), [0.0, 1.0], [1, 1])


def test_any_shape_and_any_number_of_threads() -> None:
    rng = np.random.default_rng(0)
    x, lower = rng.standard_normal((30, 4, 200)), rng.uniform(0.1, 3.0, (30, 4, 200))
    upper = np.where(rng.random(x.shape) < 0.5, lower, np.inf)
    value, grad, hess = losslib.aft_loss.value_grad_hess(x, lower, upper)
    flat = losslib.aft_loss.value_grad_hess(x.ravel(), lower.ravel(), upper.ravel())
    with losslib.threads(3):
        threaded = losslib.aft_loss.value_grad_hess(x, lower, upper)
    assert value == flat[0] == threaded[0]
    np.testing.assert_array_equal(grad.ravel(), flat[1])
    np.testing.assert_array_equal(hess, threaded[2])
    transposed = losslib.aft_loss.grad(x.T, lower.T, upper.T)
    np.testing.assert_array_equal(transposed.T, grad)
    kept = x.copy()
    losslib.aft_loss.grad(x, lower, upper, out=x)
    np.testing.assert_array_equal(x, grad)
    assert losslib.aft_loss(kept, lower, upper) == value


# ---- XGBoost's arithmetic --------------------------------------------------------------------------------------


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_clamps_leave_ordinary_samples_alone(distribution: str, scale: float) -> None:
    rng = np.random.default_rng(4)
    x, lower = rng.uniform(-1, 1, 300), rng.uniform(0.5, 2.0, 300)
    upper = np.choose(rng.integers(0, 3, 300), [lower, lower + 1.0, np.full(300, np.inf)])
    options = {"distribution": distribution, "scale": scale}
    exact = losslib.aft_loss.value_grad_hess(x, lower, upper, reduction="none", **options)
    clamped = losslib.aft_loss.value_grad_hess(x, lower, upper, reduction="none", xgboost_clamps=True, **options)
    for found, expected in zip(clamped, exact, strict=True):
        inside = abs(np.asarray(expected)) < 15
        np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-9, atol=1e-12)


def test_clamps_hold_far_away() -> None:
    far = np.array([-40.0, 40.0])
    _, grad, hess = losslib.aft_loss.value_grad_hess(far, 1.0, 1.0, xgboost_clamps=True, reduction="sum")
    np.testing.assert_array_equal(grad, [-15.0, 15.0])
    np.testing.assert_array_equal(hess, [1.0, 1.0])
    value, grad, hess = losslib.aft_loss.value_grad_hess(far, 1.0, np.inf, xgboost_clamps=True, reduction="none")
    np.testing.assert_allclose(value, [-np.log(1e-12), 0.0])
    np.testing.assert_array_equal(grad, [-15.0, 0.0])
    np.testing.assert_array_equal(hess, [1.0, 1e-16])
