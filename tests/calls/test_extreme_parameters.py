"""Parameters and inputs far from 1, alone or together: the result is in range, and so is every step to it.

test_values.py tries the ends of the inputs with ordinary parameters; here stand the corners where a parameter, or two
inputs that are both tiny, took an intermediate out of the range.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import losslib

mpmath = pytest.importorskip("mpmath")
mpmath.mp.dps = 60
mp = mpmath.mp

TOLERANCE = {np.float64: 1e-13, np.float32: 3e-6}
PER_DTYPE = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def jet(name: str, inputs: Any, dtype: Any, wrt: str = "input", **parameters: Any) -> tuple[float, float, float]:
    """Return value, gradient and Hessian of a loss at one point."""
    arrays = [np.array([number], dtype) for number in inputs]
    value, grad, hess = getattr(losslib, name).value_grad_hess(*arrays, wrt=wrt, **parameters)
    return float(value), grad.item(), hess.item()


def rounded(numbers: tuple[float, ...], dtype: Any) -> list[Any]:
    """Return the numbers that the loss sees."""
    return [mp.mpf(float(dtype(number))) for number in numbers]


# ---- quotients of tiny and of huge numbers -----------------------------------------------------------------------


def tiny_pairs() -> list[tuple[Any, float, float]]:
    wide = [
        (1e-200, 1e-240), (1e-250, 1e-200), (0.25, 1e-165), (1e-165, 0.25), (1e-20, 1e-300), (1e-300, 1e-5),
        (1e300, 1e-300), (1e-300, 1e300), (1e290, 1e200), (1e200, 1e290), (5e-324, 1e10), (3.0, 5e-324),
        (1e-310, 1e-280),
    ]  # fmt: skip
    narrow = [(1e-30, 1e-37), (1e-37, 1e-30), (1e-9, 1e-44), (1e-44, 1e-8), (1e30, 1e-30), (1e-30, 1e30), (1e-44, 3.0)]
    return [(np.float64, *pair) for pair in wide] + [(np.float32, *pair) for pair in narrow]


@pytest.mark.parametrize(("dtype", "x", "t"), tiny_pairs())
def test_the_generalised_divergence_of_numbers_far_apart_is_the_formula(dtype: Any, x: float, t: float) -> None:
    first, second = rounded((x, t), dtype)
    logarithm = mp.log(second / first)
    value = losslib.generalized_kl_div(np.array([x], dtype), np.array([t], dtype))
    assert value == pytest.approx(float(second * logarithm - second + first), rel=TOLERANCE[dtype])
    slope = losslib.generalized_kl_div.grad(np.array([x], dtype), np.array([t], dtype), wrt="target")
    assert slope.item() == pytest.approx(float(logarithm), rel=TOLERANCE[dtype])


# ---- robust losses of any scale ----------------------------------------------------------------------------------

SCALES = [
    (np.float32, 1.0, 1e-20), (np.float32, 1e8, 1e-12), (np.float32, 1e-8, 1e-20), (np.float32, -3.0, 1e-18),
    (np.float32, 1e30, 1e15), (np.float32, 1.0, 1e-9), (np.float32, 0.3, 1e-10), (np.float32, 1e-12, 1e-20),
    (np.float64, 1.0, 1e-160), (np.float64, 1e150, 1e-160), (np.float64, 1e-150, 1e-160), (np.float64, 2.0, 1e-12),
    (np.float64, 1e-7, 1e-17), (np.float64, 1e200, 1e100),
]  # fmt: skip
PER_SCALE = pytest.mark.parametrize(("dtype", "d", "scale"), SCALES)


@PER_SCALE
def test_the_cauchy_loss_does_not_depend_on_the_size_of_its_scale(dtype: Any, d: float, scale: float) -> None:
    (error,) = rounded((d,), dtype)
    square = 2 * mp.mpf(scale) ** 2
    expected = (
        mp.log1p(error**2 / square),
        2 * error / (square + error**2),
        2 * (square - error**2) / (square + error**2) ** 2,
    )
    found = jet("cauchy_loss", (d, 0.0), dtype, scale=scale)
    assert found == pytest.approx([float(number) for number in expected], rel=TOLERANCE[dtype], abs=1e-38)


@PER_SCALE
@pytest.mark.parametrize("df", [0.5, 4.0, 1e3])
def test_students_t_does_not_depend_on_the_size_of_its_scale(dtype: Any, d: float, scale: float, df: float) -> None:
    (error,) = rounded((d,), dtype)
    square = df * mp.mpf(scale) ** 2
    factor = (mp.mpf(df) + 1) / 2
    expected = (
        factor * mp.log1p(error**2 / square) + mp.log(scale),
        factor * 2 * error / (square + error**2),
        factor * 2 * (square - error**2) / (square + error**2) ** 2,
    )
    found = jet("student_t_nll_loss", (d, 0.0), dtype, df=df, scale=scale)
    size = float(abs(expected[0]) + abs(mp.log(scale)))
    assert found[0] == pytest.approx(float(expected[0]), abs=TOLERANCE[dtype] * size)
    assert found[1:] == pytest.approx([float(number) for number in expected[1:]], rel=TOLERANCE[dtype], abs=1e-38)


@PER_SCALE
@pytest.mark.parametrize("alpha", [-1.5, 0.5, 1.0, 1.4])
def test_barrons_loss_does_not_depend_on_the_size_of_its_scale(
    dtype: Any, d: float, scale: float, alpha: float
) -> None:
    (error,) = rounded((d,), dtype)
    width, b = mp.mpf(scale), abs(mp.mpf(alpha) - 2)
    q = 1 + (error / width) ** 2 / b
    slope = error / width**2 * q ** (mp.mpf(alpha) / 2 - 1)
    expected = (
        b / alpha * (q ** (mp.mpf(alpha) / 2) - 1),
        slope,
        slope / error * (1 + (mp.mpf(alpha) - 1) * (q - 1)) / q,
    )
    found = jet("barron_loss", (d, 0.0), dtype, alpha=alpha, scale=scale)
    limits = np.finfo(dtype)
    for one, number in zip(found, expected, strict=True):
        if abs(number) < float(limits.max) / 4:
            # The error of the logarithm, up to 90 or 700, is multiplied by alpha/2.
            assert one == pytest.approx(float(number), rel=300 * float(limits.eps), abs=2 * float(limits.tiny))


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1.0])
def test_every_robust_loss_is_finite_at_a_small_scale(scale: float) -> None:
    zero = np.zeros(3, np.float32)
    at = np.array([0.0, 1.0, -1e10], np.float32)
    for name in ("cauchy_loss", "student_t_nll_loss"):
        value, grad = getattr(losslib, name).value_and_grad(at, zero, scale=scale, reduction="none")
        assert np.isfinite(value).all()
        assert np.isfinite(grad).all()


def test_barrons_loss_near_alpha_2_reaches_the_end_of_the_range() -> None:
    alpha, d = mp.mpf(1.999999), mp.mpf(1.5e154)
    b = 2 - alpha
    expected = b / alpha * ((1 + d * d / b) ** (alpha / 2) - 1)
    assert losslib.barron_loss([1.5e154], [0.0], alpha=1.999999) == pytest.approx(float(expected), rel=1e-10)
    assert losslib.barron_loss([1e200], [0.0], alpha=1.999999) == math.inf


@PER_DTYPE
def test_the_curvature_of_barrons_default_fades_with_the_cube(dtype: Any) -> None:
    hess = jet("barron_loss", (1e10, 0.0), dtype, alpha=1.0)[2]
    assert hess == pytest.approx(1e-30, rel=1e-6)


def test_small_scales_do_not_cost_the_curvature_its_digits() -> None:
    assert jet("charbonnier_loss", (1.0, 0.0), np.float32, scale=1e-15)[2] == pytest.approx(1e-15, rel=1e-6)
    _, slope, bend = jet("geman_mcclure_loss", (1.0, 0.0), np.float32, scale=1e-11)
    assert slope == pytest.approx(16e-22, rel=1e-5)
    assert bend == pytest.approx(-48e-22, rel=1e-5)


# ---- Student's t of many degrees of freedom ----------------------------------------------------------------------


@pytest.mark.parametrize("df", [0.1, 4.0, 15.9, 16.0, 16.1, 1e3, 1e6, 1e10, 1e13, 1e16, 1e100, 1e300])
def test_the_constant_of_students_t_is_accurate_for_any_degrees_of_freedom(df: float) -> None:
    exact = float(mp.log(2 * mp.pi) / 2)
    if df < 1e30:
        half = mp.mpf(df) / 2
        exact = float(mp.loggamma(half) - mp.loggamma(half + mp.mpf(0.5)) + mp.log(mp.pi * df) / 2)
    assert losslib.student_t_nll_loss([0.0], [0.0], df=df, full=True) == pytest.approx(exact, rel=2e-15)


@PER_DTYPE
@pytest.mark.parametrize("df", [1e10, 1e25, 1e50, 1e200, 1e300])
def test_students_t_of_many_degrees_of_freedom_is_the_normal_loss(df: float, dtype: Any) -> None:
    for d in (0.0, 1e-5, -0.5, 3.0, 20.0):
        value, grad, hess = jet("student_t_nll_loss", (d, 0.0), dtype, df=df)
        assert value == pytest.approx(d * d / 2, rel=1e-6, abs=1e-18)
        assert grad == pytest.approx(d, rel=1e-6)
        assert hess == pytest.approx(1.0, rel=1e-6)


# ---- other losses ------------------------------------------------------------------------------------------------


def test_the_relative_error_is_differentiated_by_the_target_without_cancellation() -> None:
    for x, t in ((1e-6, 3.0), (-1e-6, 3.0), (1e-6, -3.0), (-2e-5, -0.3), (5.0, 3.0)):
        first, second = rounded((x, t), np.float32)
        sign = mp.sign(first - second)
        _, slope, bend = jet("mean_absolute_percentage_error", (x, t), np.float32, wrt="target", scale=1.0)
        assert slope == pytest.approx(float(-sign * mp.sign(second) * first / second**2), rel=1e-6)
        assert bend == pytest.approx(float(2 * sign * mp.sign(second) * first / second**3), rel=1e-6)


@pytest.mark.parametrize("size", [1.0, 1e80, 1e150, 1e200, 1e300])
def test_the_constant_of_the_cosine_loss_does_not_grow_with_the_rows(size: float) -> None:
    row = np.array([[size, 2 * size]])
    value, (first, second) = losslib.cosine_embedding_loss.value_and_grad(
        row, row.copy(), [1.0], wrt=("input1", "input2")
    )
    assert abs(value) < 4e-16 + 1e-12 / size**2 if size < 1e100 else abs(value) < 4e-16
    assert np.abs(first).max() * size < 1e-11
    assert np.abs(second).max() * size < 1e-11
