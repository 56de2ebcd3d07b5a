"""Values, gradients and Hessians of every loss against its formula, SciPy, published numbers and limits."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

import losslib
from formulas import (
    CASE_IDS,
    CASES,
    POINTWISE,
    POINTWISE_IDS,
    as_dtype,
    defaults,
    domains,
    evaluate,
    extreme,
    function,
    label,
    names_in,
    own_parameters,
    points,
    reference_at_points,
    sensitivity,
)
from losslib.formula.declared import texts_of

PER_CASE = pytest.mark.parametrize(("info", "parameters"), CASES, ids=CASE_IDS)
PER_LOSS = pytest.mark.parametrize("info", POINTWISE, ids=POINTWISE_IDS)
PER_DTYPE = pytest.mark.parametrize("dtype", [np.float64, np.float32])

N = 20
TOLERANCE = {np.float64: 1e-13, np.float32: 1e-5}


def assert_agrees(found: Any, expected: Any, scale: Any, tolerance: float, message: str) -> None:
    """Fail unless the numbers agree to `tolerance` times their scale."""
    error = np.abs(np.asarray(found, dtype=np.float64) - expected)
    allowed = tolerance * np.asarray(scale) + 1e-60
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error / allowed)))
    assert (error <= allowed).all(), (
        f"{message}: element {worst} is {np.ravel(found)[worst]!r}, the formula gives {np.ravel(expected)[worst]!r}"
    )


# ---- the formula -------------------------------------------------------------------------------------------------


@PER_LOSS
def test_the_formula_uses_only_the_functions_and_symbols_that_are_declared(info: Any) -> None:
    functions = {"exp", "log", "log1p", "expm1", "sqrt", "abs", "sign", "max", "min", "cosh", "tanh", "sigmoid",
                 "softplus", "where", "loggamma"}  # fmt: skip
    symbols = {*info.symbols, *info.input_names, *(item.name for item in own_parameters(info)), "pi", "inf"}
    assert names_in(info) <= symbols
    for _, text in texts_of(info):
        called = {node.func.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
        assert called <= functions


@PER_LOSS
def test_the_formula_mentions_every_parameter_and_every_input(info: Any) -> None:
    used = names_in(info)
    used |= {info.symbols[name] for name in used if name in info.symbols}
    assert {item.name for item in own_parameters(info)} | set(info.input_names) <= used


@PER_DTYPE
@PER_CASE
def test_the_value_equals_the_formula(info: Any, parameters: dict[str, Any], dtype: Any) -> None:
    expected = reference_at_points(info, parameters, N)
    inputs = as_dtype(expected.inputs, dtype)
    value, scale = expected.value, expected.value_scale
    if info.averages_last_axis:
        inputs = [array.reshape(-1, 4) for array in inputs]
        value, scale = value.reshape(-1, 4).mean(axis=1), scale.reshape(-1, 4).mean(axis=1)
    found = function(info)(*inputs, reduction="none", **parameters)
    assert found.dtype == dtype
    assert_agrees(found, value, scale, TOLERANCE[dtype], "value")


@PER_DTYPE
@PER_CASE
def test_gradient_and_hessian_equal_the_derivatives_of_the_formula(
    info: Any, parameters: dict[str, Any], dtype: Any
) -> None:
    expected = reference_at_points(info, parameters, N)
    inputs = as_dtype(expected.inputs, dtype)
    for name in info.differentiable:
        _, grad, hess = function(info).value_grad_hess(*inputs, reduction="sum", wrt=name, **parameters)
        assert grad.dtype == hess.dtype == dtype
        divisor = N if info.averages_last_axis else 1
        assert_agrees(grad * divisor, expected.grad[name], expected.grad_scale[name], TOLERANCE[dtype], f"d/d{name}")
        assert_agrees(hess * divisor, expected.hess[name], expected.hess_scale[name], TOLERANCE[dtype], f"d2/d{name}2")


@PER_CASE
def test_all_modes_agree(info: Any, parameters: dict[str, Any]) -> None:
    """To a few ULP: the compiler contracts products and sums in each kernel as it likes."""
    for dtype, tolerance in ((np.float32, 5e-6), (np.float64, 1e-14)):
        inputs = as_dtype(points(info, parameters, 4 * N), dtype)
        for reduction in ("mean", "sum", "none"):
            loss = getattr(losslib, info.class_name)(**parameters, reduction=reduction)
            shaped = [array.reshape(-1, 4) for array in inputs]
            value, grad, hess = loss.value_grad_hess(*shaped)
            again, grad_again = loss.value_and_grad(*shaped)
            largest = float(np.max(np.abs(value)))
            for other in (loss(*shaped), again):
                np.testing.assert_allclose(other, value, rtol=tolerance, atol=tolerance * largest, strict=True)
            grads, *others = (
                part if isinstance(part, tuple) else (part,) for part in (grad, grad_again, loss.grad(*shaped))
            )
            for k, g in enumerate(grads):
                for other in others:
                    np.testing.assert_allclose(
                        other[k], g, rtol=tolerance, atol=tolerance * float(np.abs(g).max()), strict=True
                    )
            assert type(hess) is type(grad)


@PER_CASE
def test_derivatives_of_several_inputs_agree_with_one_at_a_time(info: Any, parameters: dict[str, Any]) -> None:
    inputs = as_dtype(points(info, parameters, N), np.float64)
    value, grads, hessians = function(info).value_grad_hess(*inputs, wrt=info.differentiable, **parameters)
    for name, grad, hess in zip(info.differentiable, grads, hessians, strict=True):
        one, one_grad, one_hess = function(info).value_grad_hess(*inputs, wrt=name, **parameters)
        assert one == pytest.approx(value, rel=1e-14, abs=1e-14)
        np.testing.assert_allclose(one_grad, grad, rtol=1e-13)
        np.testing.assert_allclose(one_hess, hess, rtol=1e-13)
    (alone,) = function(info).grad(*inputs, wrt=(info.differentiable[0],), **parameters)
    np.testing.assert_allclose(alone, grads[0], rtol=1e-13)


@PER_CASE
def test_gradient_and_hessian_are_the_fourth_order_differences_of_value_and_gradient(
    info: Any, parameters: dict[str, Any]
) -> None:
    """The package against itself: where the formula is smooth on the stencil, its derivatives must fit its value."""
    count = 60
    base = points(info, parameters, count)
    call = function(info)
    divisor = count if info.averages_last_axis else 1

    def differences(f: Callable[[dict[str, np.ndarray]], np.ndarray], name: str, h: np.ndarray) -> np.ndarray:
        inner = f({**base, name: base[name] + h}) - f({**base, name: base[name] - h})
        outer = f({**base, name: base[name] + 2 * h}) - f({**base, name: base[name] - 2 * h})
        return (8 * inner - outer) / (12 * h)

    def formula(inputs: dict[str, np.ndarray]) -> np.ndarray:
        return evaluate(info, inputs, parameters, np.longdouble)

    def value(inputs: dict[str, np.ndarray]) -> np.ndarray:
        arrays = list(inputs.values())
        if info.averages_last_axis:
            arrays = [array[:, np.newaxis] for array in arrays]
        return call(*arrays, reduction="none", check=False, **parameters)

    for name, domain in domains(info, parameters).items():
        if name not in info.differentiable or domain.name in ("sign", "binary"):
            continue
        room = {"probability": np.minimum(base[name], 1 - base[name]), "above_minus_one": base[name] + 1,
                "positive": base[name], "nonnegative": base[name]}.get(domain.name, np.ones(count))  # fmt: skip
        h = 2e-3 * np.where(room > 0, room, 1.0)
        coarse, fine = (differences(formula, name, h * factor) for factor in (1.0, 0.5))
        smooth = np.abs(coarse - fine) <= 1e-6 * (np.abs(fine) + 1e-3)
        assert smooth.sum() >= count // 4, "too few points lie away from the kinks"

        def slope(inputs: dict[str, np.ndarray], name: str = name) -> np.ndarray:
            return divisor * call.grad(*inputs.values(), reduction="sum", wrt=name, check=False, **parameters)

        _, grad, hess = call.value_grad_hess(*base.values(), reduction="sum", wrt=name, check=False, **parameters)
        size = np.abs(value(base)) + np.abs(divisor * grad) + np.abs(divisor * hess) + 1e-3
        assert_agrees(
            (divisor * grad)[smooth],
            differences(value, name, h)[smooth],
            (size * (1 + 1e-6 / h))[smooth],
            1e-6,
            f"d/d{name}",
        )
        assert_agrees(
            (divisor * hess)[smooth],
            differences(slope, name, h)[smooth],
            (size * (1 + 1e-6 / h))[smooth],
            1e-5,
            f"d2/d{name}2",
        )


# ---- extremes ----------------------------------------------------------------------------------------------------


def extreme_numbers(domain: Any, dtype: Any) -> list[float]:
    """Return the far ends of a domain and what is smallest in it."""
    big, small, subnormal = (1e30, 1e-30, 1e-40) if dtype is np.float32 else (1e300, 1e-300, 1e-310)
    real = [big, 1000.0, 20.0, small, subnormal]
    if domain.name == "real":
        return [*real, *(-number for number in real), 0.0, np.inf, -np.inf]
    if domain.name == "nonnegative":
        return [*real, 0.0, np.inf]
    if domain.name == "positive":
        return [*real, np.inf]
    if domain.name == "probability":
        return [0.0, 1.0, small, subnormal, 0.5, float(np.nextafter(dtype(1), dtype(0)))]
    if domain.name == "above_minus_one":
        return [*real, 0.0, float(np.nextafter(dtype(-1), dtype(0))), np.inf]
    return [1.0, 0.0 if domain.name == "binary" else -1.0]


def ordinary_numbers(domain: Any) -> list[float]:
    """Return a few numbers from the middle of a domain."""
    return {
        "real": [0.0, 1.5], "nonnegative": [0.75, 3.0], "positive": [0.75, 3.0], "probability": [0.0, 1.0, 0.25],
        "sign": [1.0, -1.0], "binary": [0.0, 1.0], "above_minus_one": [-0.5, 3.0],
    }[domain.name]  # fmt: skip


def at_a_kink(info: Any, point: dict[str, float]) -> bool:
    """True if the derivative of the formula may jump at the point itself."""
    first, second = list(point.values())[:2]
    return first == second or 0.0 in (first, second) or abs(first) == 1.0 or abs(second) == 1.0


EXTREME = [
    (info, parameters, dtype)
    for info, parameters in CASES
    for dtype in (np.float32, np.float64)
    # 800 digits are slow: float64 with the defaults of the numbers, float32 with all of their examples.
    if dtype is np.float32 or all(isinstance(value, bool) for value in parameters.values())
]


@pytest.mark.parametrize(
    ("info", "parameters", "dtype"),
    EXTREME,
    ids=[f"{label(info, parameters)}-{dtype.__name__}" for info, parameters, dtype in EXTREME],
)
def test_value_and_gradient_at_extreme_inputs_are_the_limits_of_the_formula(
    info: Any, parameters: dict[str, Any], dtype: Any
) -> None:
    """1e30, subnormals, infinities, saturated logits: overflow on the way must not show in a finite limit."""
    of = domains(info, parameters)
    first, *others = info.input_names
    failures = []
    for number in extreme_numbers(of[first], dtype):
        for rest in itertools.product(*(ordinary_numbers(of[name]) for name in others)):
            point = {name: float(dtype(value)) for name, value in zip(info.input_names, (number, *rest), strict=True)}
            arrays = [np.full((1, 1), value, dtype) for value in point.values()]
            found = function(info).value_and_grad(*arrays, reduction="none", check=False, wrt=first, **parameters)
            expected = extreme(info, point, parameters, first)
            for k, what in enumerate(("value", "gradient")):
                if k == 1 and (of[first].name == "probability" or at_a_kink(info, point)):
                    continue
                if np.isnan(expected[k]) or close(found[k].item(), expected[k], abs(expected[k]), dtype):
                    continue
                if np.isinf(number) and np.isinf(expected[k]) and np.isnan(found[k].item()):
                    continue  # inf - inf, as IEEE 754 has it; no finite limit is missed
                scale = abs(expected[k]) + sensitivity(info, point, parameters, first)[k]
                if not close(found[k].item(), expected[k], scale, dtype):
                    failures.append(f"{what} at {point} is {found[k].item()!r}, expected {expected[k]!r}")
    assert not failures, "\n".join(failures)


def close(found: float, expected: float, scale: float, dtype: Any) -> bool:
    """Compare to a few ULP of the scale; numbers beyond the range of the dtype are expected as infinities."""
    limits = np.finfo(dtype)
    if abs(expected) > float(limits.max):
        return found == math.copysign(math.inf, expected)
    rounding = {np.float32: 1e-5, np.float64: 1e-12}[dtype]
    return abs(found - expected) <= rounding * min(scale, float(limits.max)) + 2 * float(limits.smallest_normal)


@PER_DTYPE
@PER_CASE
def test_nan_in_any_input_gives_nan_in_value_and_gradients(info: Any, parameters: dict[str, Any], dtype: Any) -> None:
    for name in info.input_names:
        inputs = points(info, parameters, 8)
        inputs[name][3] = np.nan
        arrays = [array[:, np.newaxis] for array in as_dtype(inputs, dtype)]
        value, grads = function(info).value_and_grad(*arrays, reduction="none", wrt=info.default_wrt, **parameters)
        good = np.arange(8) != 3
        assert np.isnan(value[3]).all()
        assert np.isfinite(value[good]).all()
        for grad in grads:
            assert np.isfinite(grad[good]).all()
        if not (name == "target" and constant_gradient(info)):
            assert any(np.isnan(grad[3]).all() for grad in grads)


def constant_gradient(info: Any) -> bool:
    """True for the one loss whose slope depends on nothing."""
    return info.name == "mean_bias_error"


# ---- kinks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "info",
    [info for info in POINTWISE if info.family == "regression" and info.name != "mean_bias_error"],
    ids=lambda info: info.name,
)
def test_a_perfect_prediction_costs_nothing_and_has_gradient_zero(info: Any) -> None:
    x = np.array([0.0, 1.5, 0.25, 1e5])
    for parameters in [p for i, p in CASES if i is info]:
        for dtype in (np.float32, np.float64):
            value, grad = function(info).value_and_grad(
                x.astype(dtype), x.astype(dtype), reduction="none", **parameters
            )
            np.testing.assert_array_equal(value, np.zeros(4, dtype), strict=True)
            np.testing.assert_array_equal(grad, np.zeros(4, dtype), strict=True)


@pytest.mark.parametrize(
    ("name", "inputs", "parameters", "expected"),
    [
        ("hinge_embedding_loss", (1.0, -1.0), {}, -1.0),
        ("hinge_loss", (1.0, 1.0), {}, 0.0),
        ("hinge_loss", (-0.5, -1.0), {"margin": 0.5}, 0.0),
        ("perceptron_loss", (0.0, 1.0), {}, 0.0),
        ("epsilon_insensitive_loss", (1.5, 1.0), {"epsilon": 0.5}, 0.0),
        ("huber_loss", (2.0, 0.0), {"delta": 2.0}, 2.0),
        ("smooth_l1_loss", (-3.0, -3.0), {"beta": 0.0}, 0.0),
        ("quantile_loss", (1.0, 1.0), {"quantile": 0.9}, 0.0),
    ],
)
def test_the_gradient_at_a_kink_is_the_documented_one(
    name: str, inputs: tuple[float, ...], parameters: dict[str, float], expected: float
) -> None:
    for dtype in (np.float32, np.float64):
        arrays = [np.array([value], dtype) for value in inputs]
        assert getattr(losslib, name).grad(*arrays, **parameters)[0] == expected


def test_equal_scores_are_pushed_apart_by_margin_ranking() -> None:
    first, second = losslib.margin_ranking_loss.grad([2.0], [2.0], [1.0])
    assert (first[0], second[0]) == (-1.0, 1.0)


# ---- clamps of probabilities -------------------------------------------------------------------------------------


@PER_DTYPE
def test_a_certain_and_wrong_probability_costs_100_and_its_gradient_is_finite(dtype: Any) -> None:
    value, grad = losslib.binary_cross_entropy.value_and_grad(
        np.array([0.0, 1.0, 0.0, 1.0], dtype), np.array([1.0, 0.0, 0.0, 1.0], dtype), reduction="none"
    )
    np.testing.assert_allclose(value, [100.0, 100.0, 0.0, 0.0])
    np.testing.assert_allclose(grad, [-1e12, 1e12, 0.0, 0.0], rtol=1e-6)


def test_variance_below_the_floor_gets_the_gradient_taken_at_the_floor() -> None:
    x, t = np.array([1.0, 0.5]), np.array([0.0, 0.5])
    at_floor = losslib.gaussian_nll_loss.grad(x, t, np.full(2, 1e-3), eps=1e-3)
    for below in (0.0, 1e-5):
        found = losslib.gaussian_nll_loss.grad(x, t, np.full(2, below), eps=1e-3)
        for a, b in zip(found, at_floor, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-15)


def test_zero_probability_in_the_target_makes_kl_divergence_zero_even_at_minus_infinity() -> None:
    value, grad = losslib.kl_div.value_and_grad(np.array([-np.inf, -3.0]), np.zeros(2), reduction="none")
    np.testing.assert_array_equal(value, [0.0, 0.0])
    np.testing.assert_array_equal(grad, [0.0, 0.0])


def test_a_saturated_logit_on_the_right_side_costs_nothing_and_never_nan() -> None:
    x, t = np.array([np.inf, -np.inf, 1000.0, -1000.0]), np.array([1.0, 0.0, 1.0, 0.0])
    for name in ("binary_cross_entropy_with_logits", "sigmoid_focal_loss", "asymmetric_loss"):
        value, grad = getattr(losslib, name).value_and_grad(x, t, reduction="none")
        np.testing.assert_array_equal(value, np.zeros(4), err_msg=name)
        np.testing.assert_array_equal(grad, np.zeros(4), err_msg=name)


# ---- SciPy -------------------------------------------------------------------------------------------------------

_rng = np.random.default_rng(7)
X = _rng.normal(0.0, 3.0, 300)
T = _rng.normal(0.0, 3.0, 300)
POSITIVE, COUNTS = np.exp(_rng.normal(0.0, 1.0, 300)), _rng.poisson(4.0, 300).astype(float)
AMOUNT = np.exp(_rng.normal(0.0, 1.0, 300))
PROBABILITY, LABELS = special.expit(X), _rng.random(300)
SIGNS = np.where(T > 0, 1.0, -1.0)

WITH_SCIPY: list[tuple[str, tuple[np.ndarray, ...], dict[str, Any], Any]] = [
    ("huber_loss", (X, T), {"delta": 1.3}, lambda: special.huber(1.3, X - T)),
    ("pseudo_huber_loss", (X, T), {"delta": 0.7}, lambda: special.pseudo_huber(0.7, X - T)),
    ("generalized_kl_div", (POSITIVE, COUNTS), {}, lambda: special.kl_div(COUNTS, POSITIVE)),
    ("kl_div", (X, LABELS), {}, lambda: special.rel_entr(LABELS, np.exp(X))),
    ("kl_div", (X, COUNTS), {}, lambda: special.xlogy(COUNTS, COUNTS) - COUNTS * X),
    ("kl_div", (X, T), {"log_target": True}, lambda: special.rel_entr(np.exp(T), np.exp(X))),
    (
        "binary_cross_entropy", (PROBABILITY, LABELS), {},
        lambda: -special.xlogy(LABELS, PROBABILITY) - special.xlog1py(1 - LABELS, -PROBABILITY),
    ),
    (
        "weighted_binary_cross_entropy", (PROBABILITY, LABELS), {"pos_weight": 3.0},
        lambda: -3 * special.xlogy(LABELS, PROBABILITY) - special.xlog1py(1 - LABELS, -PROBABILITY),
    ),
    (
        "balanced_binary_cross_entropy", (PROBABILITY, LABELS), {"beta": 0.3},
        lambda: -0.3 * special.xlogy(LABELS, PROBABILITY) - 0.7 * special.xlog1py(1 - LABELS, -PROBABILITY),
    ),
    (
        "binary_cross_entropy_with_logits", (X, LABELS), {},
        lambda: -LABELS * special.log_expit(X) - (1 - LABELS) * special.log_expit(-X),
    ),
    ("soft_margin_loss", (X, SIGNS), {}, lambda: -special.log_expit(SIGNS * X)),
    (
        "gaussian_nll_loss", (X, T, POSITIVE), {"full": True},
        lambda: -stats.norm.logpdf(T, loc=X, scale=np.sqrt(POSITIVE)),
    ),
    ("laplace_nll_loss", (X, T, POSITIVE), {"full": True}, lambda: -stats.laplace.logpdf(T, loc=X, scale=POSITIVE)),
    (
        "student_t_nll_loss", (X, T), {"df": 3.0, "scale": 2.0, "full": True},
        lambda: -stats.t.logpdf(T, 3.0, loc=X, scale=2.0),
    ),
    (
        "negative_binomial_nll_loss", (X, COUNTS), {"dispersion": 0.5, "full": True},
        lambda: -stats.nbinom.logpmf(COUNTS, 2.0, 1 / (1 + 0.5 * np.exp(X))),
    ),
    (
        "negative_binomial_nll_loss", (POSITIVE, COUNTS), {"log_input": False, "full": True, "eps": 0.0},
        lambda: -stats.nbinom.logpmf(COUNTS, 1.0, 1 / (1 + POSITIVE)),
    ),
    (
        "negative_binomial_nll_loss", (POSITIVE, COUNTS),
        {"log_input": False, "dispersion": 2.0, "full": True, "eps": 0.0},
        lambda: (COUNTS + 0.5) * np.log1p(2 * POSITIVE) - special.xlogy(COUNTS, 2 * POSITIVE)
        + special.gammaln(COUNTS + 1) + special.gammaln(0.5) - special.gammaln(COUNTS + 0.5),
    ),
    ("gamma_nll_loss", (POSITIVE, AMOUNT), {"log_input": False}, lambda: -stats.expon.logpdf(AMOUNT, scale=POSITIVE)),
    ("gamma_nll_loss", (X, AMOUNT), {}, lambda: -stats.gamma.logpdf(AMOUNT, 1.0, scale=np.exp(X))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "inputs", "parameters", "expected"), WITH_SCIPY, ids=[row[0] for row in WITH_SCIPY])
def test_the_value_equals_scipys(name: str, inputs: Any, parameters: Any, expected: Any) -> None:
    found = getattr(losslib, name)(*inputs, reduction="none", **parameters)
    np.testing.assert_allclose(found, expected(), rtol=2e-13, atol=5e-13)


def test_full_poisson_loss_is_scipys_log_mass_to_the_accuracy_of_stirlings_formula() -> None:
    counts = COUNTS + 2  # at 0 and 1 nothing is added, as in PyTorch
    found = losslib.poisson_nll_loss(X, counts, full=True, reduction="none")
    exact = -stats.poisson.logpmf(counts, np.exp(X))
    assert (found < exact).all()  # Stirling's formula lies below log(t!) by 1/(12 t + 1) … 1/(12 t)
    np.testing.assert_allclose(exact - found, 1 / (12 * counts), rtol=0.02)


def test_differences_of_the_gamma_loss_are_those_of_a_gamma_density_of_any_shape() -> None:
    for shape in (0.5, 4.0):
        density = [-stats.gamma.logpdf(AMOUNT, shape, scale=mean / shape) / shape for mean in (POSITIVE, 2 * POSITIVE)]
        loss = [
            losslib.gamma_nll_loss(mean, AMOUNT, log_input=False, reduction="none") for mean in (POSITIVE, 2 * POSITIVE)
        ]
        np.testing.assert_allclose(loss[1] - loss[0], density[1] - density[0], rtol=1e-11, atol=1e-12)


def test_a_dispersion_near_zero_gives_the_poisson_loss() -> None:
    poisson = losslib.poisson_nll_loss(X, COUNTS, reduction="none")
    close = losslib.negative_binomial_nll_loss(X, COUNTS, dispersion=1e-9, reduction="none")
    np.testing.assert_allclose(close - close[0], poisson - poisson[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_tweedie_at_powers_0_1_2_is_the_squared_poisson_and_gamma_loss(power: float) -> None:
    other: dict[float, Any] = {
        0.0: lambda: losslib.half_squared_error(POSITIVE, AMOUNT, reduction="none"),
        1.0: lambda: losslib.poisson_nll_loss(POSITIVE, AMOUNT, log_input=False, eps=0.0, reduction="none"),
        2.0: lambda: losslib.gamma_nll_loss(POSITIVE, AMOUNT, log_input=False, reduction="none"),
    }
    found = losslib.tweedie_nll_loss(POSITIVE, AMOUNT, power=power, log_input=False, reduction="none")
    np.testing.assert_allclose(found, other[power](), rtol=1e-14)


# ---- published numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "input", "target", "parameters", "expected", "digits"),
    [
        ("l1_loss", [1, 2, 3], [1, 3, 6], {}, 1.3333334, 6),
        ("mse_loss", [3, 2, 1], [1, 2, 3], {}, 2.6666667, 6),
        ("mean_bias_error", [3, 2, 1], [1, 2, 3], {}, 0.0, 12),
        ("log_cosh_loss", [4, 2, 1], [1, 2, 3], {}, 1.2114438, 6),
        ("quantile_loss", [4, 2, 1, 3], [1, 2, 3, 4], {"quantile": 0.5}, 0.75, 12),
        ("binary_cross_entropy", [0.9, 0.1, 1.0], [1, 0, 1], {}, 0.0702, 4),
        ("balanced_binary_cross_entropy", [0.9, 0.1, 1.0], [1, 0, 1], {"beta": 0.5}, 0.0702 / 2, 4),
        ("binary_focal_loss", [0.9, 0.1, 1.0], [1, 0, 1], {}, 0.000351, 6),
        ("binary_cross_entropy_with_logits", [1.5], [1], {}, 0.2014, 4),
    ],
)
def test_the_numbers_of_the_articles_come_out(
    name: str, input: Any, target: Any, parameters: Any, expected: float, digits: int
) -> None:
    assert getattr(losslib, name)(input, target, **parameters) == pytest.approx(expected, abs=0.51 * 10**-digits)


# ---- sums --------------------------------------------------------------------------------------------------------


def test_a_float32_sum_over_a_million_elements_is_accumulated_in_float64() -> None:
    x = np.random.default_rng(1).standard_normal(1_000_003).astype(np.float32)
    zero = np.zeros_like(x)
    exact = math.fsum(np.abs(x).astype(float))
    assert losslib.l1_loss(x, zero, reduction="sum") == pytest.approx(exact, rel=1e-13)
    assert losslib.l1_loss(x, zero) == pytest.approx(exact / x.size, rel=1e-13)


def test_squares_whose_sum_exceeds_float32_are_summed_without_overflow() -> None:
    x = np.full(100_000, 1e18, np.float32)
    assert losslib.mse_loss(x, np.zeros_like(x), reduction="sum") == pytest.approx(1e41, rel=1e-6)


@PER_LOSS
def test_a_large_array_has_the_mean_of_the_formula(info: Any) -> None:
    inputs = points(info, defaults(info), 40_000)
    value = evaluate(info, inputs, {}, np.longdouble)
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-12)):
        arrays = [array.reshape(200, 200) for array in as_dtype(inputs, dtype)]
        found = function(info)(*arrays)
        scale = float(np.abs(value).mean())
        assert found == pytest.approx(float(value.mean()), abs=tolerance * scale), label(info, {})


def test_the_hessian_of_generalized_kl_div_at_nothing_against_nothing_is_zero() -> None:
    with np.errstate(all="ignore"):
        _, grad, hess = losslib.generalized_kl_div.value_grad_hess(
            [0.0, 0.0, np.nan, 2.0], [0.0, 1.0, 0.0, 0.0], reduction="none"
        )
    np.testing.assert_array_equal(grad, [1.0, -np.inf, np.nan, 1.0])
    np.testing.assert_array_equal(hess, [0.0, np.inf, np.nan, 0.0])
