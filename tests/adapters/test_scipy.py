"""SciPy: value, gradient and Hessian-vector product of a model's parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from scipy.optimize import approx_fprime, check_grad, minimize
from scipy.sparse.linalg import aslinearoperator

import losslib
from losslib.adapters.scipy import objective
from losslib.errors import ParameterError, ShapeError

RNG = np.random.default_rng(11)
X = RNG.normal(size=(80, 4))
REAL = X @ [1.0, -2.0, 0.5, 0.0] + RNG.normal(size=80)
BINARY = (REAL > 0).astype(np.float64)
LABEL = RNG.integers(0, 3, size=80)
WEIGHT = RNG.uniform(0.5, 2.0, size=80)


def hessian(fun: Any, parameters: np.ndarray) -> np.ndarray:
    """Differentiate the gradient numerically."""
    return np.array([approx_fprime(parameters, lambda p, k=k: fun(p)[1][k], 1e-6) for k in range(parameters.size)])


@pytest.mark.parametrize(
    ("loss", "target", "outputs"),
    [
        ("mse_loss", REAL, 1), ("log_cosh", REAL, 1), ("poisson", BINARY, 1), ("bce_with_logits", BINARY, 1),
        ("cross_entropy", LABEL, 3), ("softmax_focal_loss", LABEL, 3),
        (losslib.MSELoss(reduction="sum"), np.column_stack([REAL, -REAL]), 2),
        (0.5 * losslib.MSELoss() + losslib.LogCoshLoss(), REAL, 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_derivatives_of_a_linear_model_agree_with_differences(loss: Any, target: Any, outputs: int, l2: float) -> None:
    fun = objective(loss, X, target, sample_weight=WEIGHT, l2=l2)
    point = RNG.normal(size=4 * outputs)
    assert check_grad(lambda p: fun(p)[0], lambda p: fun(p)[1], point) < 1e-4 * (1.0 + abs(fun(point)[0]))
    vector = RNG.normal(size=4 * outputs)
    np.testing.assert_allclose(fun.hessp(point, vector), hessian(fun, point) @ vector, rtol=1e-4, atol=1e-4)


def test_the_product_with_a_vector_is_exact_for_elements() -> None:
    fun = objective(losslib.PoissonNLLLoss(reduction="sum"), X, BINARY)
    point, vector = 0.1 * np.ones(4), np.arange(4.0)
    np.testing.assert_allclose(fun.hessp(point, vector), X.T @ (np.exp(X @ point) * (X @ vector)), rtol=1e-13)


def test_newton_finds_the_least_squares_solution_in_a_few_steps() -> None:
    fun = objective("mse_loss", X, REAL)
    fit = minimize(fun, np.zeros(4), jac=True, hessp=fun.hessp, method="Newton-CG")
    np.testing.assert_allclose(fit.x, np.linalg.lstsq(X, REAL, rcond=None)[0], atol=1e-8)
    assert fit.nit <= 8


@pytest.mark.parametrize("method", ["L-BFGS-B", "trust-ncg", "Newton-CG", "BFGS"])
def test_every_method_finds_the_same_multinomial_fit(method: str) -> None:
    fun = objective("cross_entropy", X, LABEL, l2=0.05)
    products = {"hessp": fun.hessp} if method in ("trust-ncg", "Newton-CG") else {}
    fit = minimize(fun, np.zeros(12), jac=True, method=method, options={"maxiter": 500}, **products)
    assert np.abs(fun(fit.x)[1]).max() < 1e-4
    best = minimize(fun, np.zeros(12), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    np.testing.assert_allclose(fit.x, best, atol=1e-2)


@pytest.mark.parametrize("wrap", [scipy.sparse.csr_matrix, scipy.sparse.csc_array, aslinearoperator, np.ndarray.tolist])
def test_any_kind_of_matrix_is_a_linear_model(wrap: Any) -> None:
    point, vector = RNG.normal(size=4), RNG.normal(size=4)
    dense, other = objective("huber", X, REAL), objective("huber", wrap(X), REAL)
    assert other(point)[0] == pytest.approx(dense(point)[0], rel=1e-14)
    np.testing.assert_allclose(other(point)[1], dense(point)[1], rtol=1e-12)
    np.testing.assert_allclose(other.hessp(point, vector), dense.hessp(point, vector), rtol=1e-12)


def decay(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A curve a exp(-b t) and its Jacobian."""
    time = np.linspace(0.0, 3.0, 30)
    shape = np.exp(-parameters[1] * time)
    return parameters[0] * shape, np.column_stack([shape, -parameters[0] * time * shape])


def test_a_curve_is_fitted_through_its_jacobian_despite_outliers() -> None:
    truth = np.array([2.0, 0.8])
    target = decay(truth)[0]
    target[::10] += 5.0
    fun = objective("cauchy", decay, target, scale=0.05)
    assert check_grad(lambda p: fun(p)[0], lambda p: fun(p)[1], np.array([1.5, 0.5])) < 1e-5
    fit = minimize(fun, np.array([1.5, 0.5]), jac=True)
    np.testing.assert_allclose(fit.x, truth, atol=1e-2)


def test_the_product_for_a_curve_is_gauss_newtons() -> None:
    target = decay(np.array([2.0, 0.8]))[0]
    fun = objective(losslib.HalfSquaredError(reduction="sum"), decay, target)
    point, vector = np.array([1.0, 1.0]), np.array([0.3, -0.7])
    jacobian = decay(point)[1]
    np.testing.assert_allclose(fun.hessp(point, vector), jacobian.T @ (jacobian @ vector), rtol=1e-12)


def test_a_model_may_return_what_multiplies_its_transposed_jacobian() -> None:
    target = decay(np.array([2.0, 0.8]))[0]

    def model(parameters: np.ndarray) -> tuple[np.ndarray, Any]:
        prediction, jacobian = decay(parameters)
        return prediction, lambda slope: jacobian.T @ slope

    point = np.array([1.0, 1.0])
    fun = objective("mse_loss", model, target)
    np.testing.assert_allclose(fun(point)[1], objective("mse_loss", decay, target)(point)[1])
    with pytest.raises(ParameterError, match="hessp needs the Jacobian"):
        fun.hessp(point, point)


def test_each_parameter_may_have_a_penalty_of_its_own() -> None:
    fun = objective("mse_loss", X, REAL, l2=np.array([1.0, 0.0, 0.0, 2.0]))
    plain = objective("mse_loss", X, REAL)
    point = np.ones(4)
    assert fun(point)[0] - plain(point)[0] == pytest.approx(1.5)
    np.testing.assert_allclose(fun(point)[1] - plain(point)[1], [1.0, 0.0, 0.0, 2.0], atol=1e-12)


def test_what_cannot_be_minimised_says_why() -> None:
    with pytest.raises(ParameterError, match='reduction="none"'):
        objective("mse_loss", X, REAL, reduction="none")
    with pytest.raises(ParameterError, match="anchor, positive, negative"):
        objective("triplet_margin_loss", X, REAL)
    with pytest.raises(ShapeError, match="5 parameters do not fit"):
        objective("mse_loss", X, REAL)(np.zeros(5))
