"""Values stay in the range that their declaration states, are exact where they are nearly 0, and warn of nothing.

Inputs are drawn by the geometry of each loss and then taken to extremes: tiny, huge, equal and nearly equal ones. Where
the truth is far below the rounding of 1 it is computed with sixty digits, path by path.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
import pytest

import losslib
from losslib import geometries
from losslib.declaration.schema import REAL, Input, LossInfo

LOSSES = losslib.list_losses()
PER_LOSS = pytest.mark.parametrize("info", LOSSES, ids=[info.name for info in LOSSES])
FACTORS = (1.0, 1e-30, 1e-8, 0.1, 30.0, 1e4, 1e30)


def may_be_any(item: Input) -> bool:
    """Say whether an input takes every real number by itself: bounds of times and box corners hang together."""
    return item.domain is REAL and item.holds in ("number", "row")


def finest(info: LossInfo) -> str:
    """Return the reduction that shows most: no reduction, where the loss has terms of its own."""
    return "none" if "none" in info.reductions else "sum"


def stated_range(info: LossInfo, parameters: Any) -> tuple[float, float] | None:
    """Return the interval of the declaration, None where it depends on what the inputs are."""
    if "for other inputs" in info.value_range:
        return None
    depth = itertools.accumulate((c in "([") - (c in ")]") for c in info.value_range)
    ends = info.value_range[1 : list(depth).index(0)]  # of the interval in front of any condition
    low, high = eval(f"({ends})", {"log": math.log, "inf": math.inf, "max": max, **parameters})
    return float(low), float(high)


def drawn(info: LossInfo, seed: int) -> list[np.ndarray]:
    parameters = losslib.get(info.name).parameters
    return geometries.find(info.geometry).draw(info, parameters, np.random.default_rng(seed), 60)


def extremes(info: LossInfo, dtype: Any) -> Iterator[list[np.ndarray]]:
    """Yield inputs of one float type: those with any real numbers scaled, and made alike."""
    for seed in range(3):
        given = [array.astype(dtype) if array.dtype.kind == "f" else array for array in drawn(info, seed)]
        free = [k for k, item in enumerate(info.inputs) if may_be_any(item) and given[k].dtype.kind == "f"]
        for factor in FACTORS:
            yield [array * dtype(factor) if k in free else array for k, array in enumerate(given)]
        for k, j in itertools.permutations(free, 2):
            if given[k].shape == given[j].shape:
                for factor in (1.0, 0.1, 3.0, 1.0 + 1e-6):
                    yield [given[j] * dtype(factor) if i == k else array for i, array in enumerate(given)]


@PER_LOSS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_value_leaves_its_range(info: LossInfo, dtype: Any) -> None:
    loss = losslib.get(info.name, reduction=finest(info))
    limits = stated_range(info, loss.parameters)
    if limits is None:
        pytest.skip("the range depends on the inputs")
    low, high = limits
    slack = 1e-6 if dtype is np.float32 else 1e-14  # of an upper end that is no number of the type
    for inputs in extremes(info, dtype):
        values = np.asarray(loss(*inputs), np.float64)
        values = values[~np.isnan(values)]
        assert (values >= low - (abs(low) * slack if low not in (0.0, -1.0) else 0.0)).all(), inputs
        assert (values <= high + (abs(high) * slack if high not in (1.0, 2.0) else 0.0)).all(), inputs


@PER_LOSS
def test_infinite_values_and_overflow_are_results_without_a_warning(info: LossInfo) -> None:
    """A row of weight 0, sums of infinities and float16 that overflows on its way out."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dtype, factor in ((np.float16, 6e4), (np.float32, 1e38), (np.float64, np.inf)):
            inputs = drawn(info, 0)
            for k, item in enumerate(info.inputs):
                if inputs[k].dtype.kind == "f":
                    inputs[k] = inputs[k].astype(dtype)
                    if may_be_any(item):
                        inputs[k] = np.multiply(np.sign(inputs[k]) + (inputs[k] == 0), dtype(factor), dtype=dtype)
            shape = np.shape(losslib.get(info.name, reduction=finest(info), check=False)(*inputs))
            if info.family == "segmentation":  # whose table of ratios need not be one of samples
                shape = inputs[0].shape
            for reduction, weight in itertools.product(info.reductions, (0.0, 1.0)):
                loss = losslib.get(info.name, reduction=reduction, check=False)
                one_each = None if info.geometry == "overlap_lovasz" else np.full(shape[:1] or (), weight)
                loss.value_and_grad(*inputs, sample_weight=one_each)


# ---- nearly certain alignments -----------------------------------------------------------------------------------


def softmax(row: np.ndarray) -> list[Any]:
    terms = [mpmath.exp(mpmath.mpf(float(number))) for number in row]
    total = mpmath.fsum(terms)
    return [term / total for term in terms]


def ctc_by_paths(logits: np.ndarray, target: tuple[int, ...]) -> float:
    """Minus the logarithm of the sum over all paths that spell the target."""
    with mpmath.workdps(60):
        p = [softmax(row) for row in logits]
        total = mpmath.mpf(0)
        for path in itertools.product(range(logits.shape[1]), repeat=len(p)):
            spelled = tuple(k for t, k in enumerate(path) if k != 0 and (t == 0 or k != path[t - 1]))
            if spelled == target:
                total += mpmath.fprod(row[k] for row, k in zip(p, path, strict=True))
        return float(-mpmath.log(total))


CERTAIN_PATHS = [((1,), (1, 1)), ((1,), (0, 1, 0)), ((1, 1), (1, 0, 1, 0)), ((1, 2), (1, 1, 2, 0, 0)), ((), (0, 0, 0))]
OFFSETS = (0.0, 3.0, 6.0, 8.0, 10.0, 17.0, 25.0, 40.0, 100.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("target", "path"), CERTAIN_PATHS, ids=str)
def test_ctc_of_a_nearly_certain_alignment_is_exact(target: tuple[int, ...], path: tuple[int, ...], dtype: Any) -> None:
    rng = np.random.default_rng(len(path))
    for offset in OFFSETS:
        logits = rng.standard_normal((len(path), 1, 3)).astype(dtype)
        logits[np.arange(len(path)), 0, list(path)] += dtype(offset)
        arguments = logits, np.array([target], int).reshape(1, -1), [len(path)], [len(target)]
        value = losslib.ctc_loss_with_logits(*arguments, reduction="none")[0]
        expected = ctc_by_paths(logits[:, 0], target)
        assert value == pytest.approx(expected, rel=1e-6 if dtype is np.float32 else 1e-11)
        assert value == losslib.ctc_loss_with_logits.value_and_grad(*arguments, reduction="none")[0][0]


def rnnt_by_nodes(logits: np.ndarray, labels: list[int]) -> float:
    with mpmath.workdps(60):
        frames, columns, classes = logits.shape
        p = {(t, u): softmax(logits[t, u]) for t in range(frames) for u in range(columns)}
        alpha = {(0, 0): mpmath.mpf(1)}
        for t, u in itertools.product(range(frames), range(columns)):
            if (t, u) != (0, 0):
                above = alpha[t - 1, u] * p[t - 1, u][classes - 1] if t else 0
                beside = alpha[t, u - 1] * p[t, u - 1][labels[u - 1]] if u else 0
                alpha[t, u] = above + beside
        return float(-mpmath.log(alpha[frames - 1, columns - 1] * p[frames - 1, columns - 1][classes - 1]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_a_nearly_certain_transducer_is_exact(seed: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    for offset in OFFSETS:
        logits = rng.standard_normal((1, 3, 3, 4)).astype(dtype)
        for t, u, c in ((0, 0, 0), (0, 1, 3), (1, 1, 1), (1, 2, 3), (2, 2, 3)):
            logits[0, t, u, c] += dtype(offset)
        arguments = logits, np.array([[0, 1]]), [3], [2]
        value = losslib.rnnt_loss(*arguments, reduction="none")[0]
        expected = rnnt_by_nodes(logits[0], [0, 1])
        assert value == pytest.approx(expected, rel=1e-6 if dtype is np.float32 else 1e-11)
        assert value == losslib.rnnt_loss.value_and_grad(*arguments, reduction="none")[0][0]


# ---- single numbers far out --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dispersion", [1e-6, 1e-2, 0.5, 3.0])
@pytest.mark.parametrize("mean", [1e3, 1e5, 1e7, 1e9])
def test_likelihoods_of_large_counts_keep_their_digits(mean: float, dispersion: float) -> None:
    """full=True near the mean, and the curvature of the negative binomial, whose parts nearly cancel."""
    for dtype, rtol in ((np.float32, 4e-6), (np.float64, 1e-12)):
        x, t = np.array([mean], dtype), np.array([1.1 * mean], dtype)
        with mpmath.workdps(40):
            m, k, a = mpmath.mpf(float(x[0])), mpmath.mpf(float(t[0])), mpmath.mpf(dispersion)
            eps, r = mpmath.mpf(losslib.get("negative_binomial_nll_loss").parameters["eps"]), 1 / a
            stirling = k * mpmath.log(k) - k + mpmath.log(2 * mpmath.pi * k) / 2
            poisson = m - k * mpmath.log(m + mpmath.mpf("1e-8")) + stirling
            constant = mpmath.loggamma(k + 1) - mpmath.loggamma(r + k) + mpmath.loggamma(r) + k * mpmath.log(r)
            negative = (k + r) * mpmath.log1p(a * m) - k * mpmath.log(m + eps) + constant
            curvature = k / (m + eps) ** 2 - a * (1 + a * k) / (1 + a * m) ** 2
        given = {"log_input": False, "reduction": "none"}
        assert losslib.poisson_nll_loss(x, t, full=True, **given)[0] == pytest.approx(float(poisson), rel=rtol)
        value = losslib.negative_binomial_nll_loss(x, t, dispersion=dispersion, full=True, **given)
        assert value[0] == pytest.approx(float(negative), rel=rtol)
        hess = losslib.negative_binomial_nll_loss.value_grad_hess(x, t, dispersion=dispersion, **given)[2]
        assert hess[0] == pytest.approx(float(curvature), rel=1e-5 if dtype is np.float32 else 1e-12)


@pytest.mark.parametrize("dispersion", [1e-6, 0.3, 0.999, 1.0, 1.2, 40.0])
@pytest.mark.parametrize("mean", [1e-30, 1e-3, 0.4999, 0.6, 3.0, 900.0, 2.8e4, 3e7, 1e12])
def test_the_logarithms_of_the_negative_binomial_do_not_cancel(mean: float, dispersion: float) -> None:
    """Those that the target multiplies are alike where the dispersion is near 1."""
    for dtype, rtol in ((np.float32, 2e-6), (np.float64, 4e-15)):
        x, t = np.array([mean], dtype), np.array([np.ceil(1.3 * mean)], dtype)
        with mpmath.workdps(40):
            m, k, a = mpmath.mpf(float(x[0])), mpmath.mpf(float(t[0])), mpmath.mpf(dispersion)
            own = mpmath.log1p(a * m)
            parts = k * (own - mpmath.log(m + mpmath.mpf("1e-8"))), own / a
        value = losslib.negative_binomial_nll_loss(
            x, t, dispersion=dispersion, eps=1e-8, log_input=False, reduction="none"
        )
        assert abs(float(value[0]) - sum(parts)) <= rtol * sum(map(abs, parts))


@pytest.mark.parametrize("log_shape", [705.0, 709.0, 720.0, 1e30])
@pytest.mark.parametrize("event", [0, 1])
def test_a_weibull_time_of_a_shape_beyond_all_bounds_has_its_limits(log_shape: float, event: int) -> None:
    """The hazard is a step: infinite behind the scale, 1 at the scale and 0 before it."""
    time = np.array([130.0, 1.0, 0.5])
    inputs = np.zeros(3), np.full(3, log_shape), time, np.full(3, event)
    value, (scale, shape), _ = losslib.weibull_survival_loss.value_grad_hess(*inputs, reduction="none")
    assert value[0] == -scale[0] == shape[0] == np.inf
    assert value[1] == 1.0 - event * log_shape
    with np.errstate(over="ignore"):
        slope = np.exp(log_shape)
    assert scale[1] == (0.0 if event else -slope)
    assert shape[1] == -event
    if not event:
        assert value[2] == scale[2] == shape[2] == 0.0
    else:
        assert (value[2], scale[2], shape[2]) == pytest.approx(
            (slope * np.log(2.0), slope, slope * np.log(2.0)), rel=1e-9
        )


def test_products_and_reciprocals_of_exponentials_stay_in_range() -> None:
    one = np.ones(1, np.float32)
    found = losslib.exponential_loss(np.array([90.0], np.float32), one, reduction="none")
    assert found[0] == pytest.approx(math.exp(-90.0), rel=1e-5)  # a subnormal number
    found = losslib.kl_div(np.array([710.0, 709.9]), np.array([710.0, 710.0]), log_target=True, reduction="none")
    assert found == pytest.approx([0.0, float(mpmath.mpf(710.0 - 709.9) * mpmath.exp(710))], rel=1e-14)
    found = losslib.fair_loss(np.array([3.0], np.float32), one, c=1e25, reduction="none")
    assert found[0] == pytest.approx(2.0, rel=1e-6)
    for power, mean in itertools.product((1.2, 1.5, 1.9, 3.0), (1e37, 1e38, 3e38)):
        x = np.array([mean], np.float32)
        m, p = float(x[0]), power
        expected = m ** (2 - p) / (2 - p) - m ** (1 - p) / (1 - p)
        found = losslib.tweedie_nll_loss(x, one, power=p, log_input=False, reduction="none")
        assert found[0] == pytest.approx(expected, rel=1e-5, abs=1e-38)


def test_an_unchecked_negative_target_of_kl_div_has_pytorchs_gradient() -> None:
    gradient = losslib.kl_div.grad(np.array([-1.0, -2.0]), np.array([-0.5, 0.5]), check=False, reduction="sum")
    np.testing.assert_array_equal(gradient, [0.5, -0.5])


def test_a_domain_error_shows_the_digits_that_are_wrong() -> None:
    with pytest.raises(losslib.DomainError, match=r"is 1\.0000001, outside"):
        losslib.binary_cross_entropy(np.array([1.0000001], np.float32), np.ones(1, np.float32))
    with pytest.raises(losslib.DomainError, match=r"is -1, outside"):
        losslib.binary_cross_entropy([-1.0], [1.0])


def test_a_number_is_the_score_of_one_class() -> None:
    assert losslib.multi_margin_loss(0.5, 0) == 0.0
    assert losslib.multi_margin_loss.grad(np.float32(0.5), 0).shape == ()
    assert losslib.crammer_singer_loss(0.5, 0) == 0.0


def test_a_negative_blank_counts_from_the_last_class_everywhere() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((4, 1, 3))
    for loss in (losslib.ctc_loss, losslib.ctc_loss_with_logits):
        assert loss(scores, [[0, 1]], [4], [2], blank=-1) == loss(scores, [[0, 1]], [4], [2], blank=2)
    lattice = rng.standard_normal((1, 4, 3, 3))
    given = lattice, np.array([[0, 1]]), [4], [2]
    assert losslib.rnnt_loss(*given, blank=-1) == losslib.rnnt_loss(*given, blank=2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_of_a_mean_of_squares_is_finite_wherever_it_is_representable(dtype: Any) -> None:
    """2 d overflows, 2 d / n does not."""
    far = np.array([0.9 * np.finfo(dtype).max, -0.6 * np.finfo(dtype).max, 1.0, 0.0], dtype)
    expected = (far / dtype(2)).astype(dtype)
    np.testing.assert_array_equal(losslib.mse_loss.grad(far, np.zeros_like(far)), expected)
    np.testing.assert_array_equal(losslib.mse_loss.value_and_grad(far, np.zeros_like(far))[1], expected)
