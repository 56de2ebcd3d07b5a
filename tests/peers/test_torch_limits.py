"""Where PyTorch gives NaN or infinity by overflow or by 0 * inf, losslib gives the mathematical limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import DTYPES, assert_agree

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # the arrays are small: waiting for other threads takes longer than the work

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
inf = np.inf


def in_torch(name: str, inputs: list[np.ndarray], wrt: int = 0, **arguments: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return PyTorch's value and gradient per element."""
    tensors = [torch.from_numpy(a.copy()) for a in inputs]
    tensors[wrt].requires_grad_(True)
    value = getattr(torch.nn.functional, name)(*tensors, **arguments, reduction="none")
    value.sum().backward()
    return value.detach().numpy(), tensors[wrt].grad.numpy()


@each_dtype
def test_soft_margin_of_a_large_wrong_score_is_linear(dtype: Any) -> None:
    x, t = np.array([-1000.0, 1000.0, 1e30, -inf], dtype), np.array([1, -1, -1, 1], dtype)
    value, gradient = in_torch("soft_margin_loss", [x, t])
    assert np.isinf(value).all()
    assert not np.isfinite(gradient).any()
    value, gradient = losslib.soft_margin_loss.value_and_grad(x, t, reduction="none")
    np.testing.assert_array_equal(value, np.abs(x))
    np.testing.assert_array_equal(gradient, -t)


@each_dtype
def test_cross_entropy_of_a_certain_and_right_logit_is_zero(dtype: Any) -> None:
    x, t = np.array([inf, -inf], dtype), np.array([1, 0], dtype)
    assert np.isnan(in_torch("binary_cross_entropy_with_logits", [x, t])[0]).any()
    value, gradient = losslib.binary_cross_entropy_with_logits.value_and_grad(x, t, reduction="none")
    np.testing.assert_array_equal(value, [0, 0])
    np.testing.assert_array_equal(gradient, [0, 0])


@each_dtype
def test_cross_entropy_of_a_certain_and_wrong_logit_is_infinite_with_gradient_one(dtype: Any) -> None:
    x, t = np.array([inf, -inf], dtype), np.array([0, 1], dtype)
    value, gradient = losslib.binary_cross_entropy_with_logits.value_and_grad(x, t, reduction="none")
    np.testing.assert_array_equal(value, [inf, inf])
    np.testing.assert_array_equal(gradient, [1, -1])


@each_dtype
def test_multilabel_soft_margin_of_certain_and_right_logits_is_zero(dtype: Any) -> None:
    x, t = np.array([[inf, -inf]], dtype), np.array([[1, 0]], dtype)
    assert np.isnan(in_torch("multilabel_soft_margin_loss", [x, t])[0]).any()
    value, gradient = losslib.multilabel_soft_margin_loss.value_and_grad(x, t, reduction="none")
    np.testing.assert_array_equal(value, [0])
    np.testing.assert_array_equal(gradient, [[0, 0]])


@each_dtype
def test_an_impossible_class_that_does_not_occur_costs_no_divergence(dtype: Any) -> None:
    x, t = np.array([-inf, np.log(0.5)], dtype), np.array([0.0, 0.5], dtype)
    assert np.isnan(in_torch("kl_div", [x, t])[0][0])
    value, gradient = losslib.kl_div.value_and_grad(x, t, reduction="none")
    assert value[0] == 0
    np.testing.assert_array_equal(gradient, -t)


@each_dtype
def test_a_log_target_of_minus_infinity_is_a_target_of_zero(dtype: Any) -> None:
    x, t = np.array([-inf, -1.0], dtype), np.array([-inf, -inf], dtype)
    assert np.isnan(in_torch("kl_div", [x, t], log_target=True)[0]).all()
    value, gradients = losslib.kl_div.value_and_grad(x, t, log_target=True, reduction="none", wrt=("input", "target"))
    np.testing.assert_array_equal(value, [0, 0])
    np.testing.assert_array_equal(gradients[0], [0, 0])
    np.testing.assert_array_equal(gradients[1], [0, 0])


@each_dtype
def test_the_divergence_falls_infinitely_fast_at_a_target_of_zero(dtype: Any) -> None:
    x, t = np.array([-1.0], dtype), np.array([0.0], dtype)
    assert np.isnan(in_torch("kl_div", [x, t], wrt=1)[1]).all()
    np.testing.assert_array_equal(losslib.kl_div.grad(x, t, wrt="target"), [-inf])


@each_dtype
def test_a_count_of_zero_has_a_target_gradient_with_stirlings_term(dtype: Any) -> None:
    x, t = np.array([0.5], dtype), np.array([0.0], dtype)
    assert np.isnan(in_torch("poisson_nll_loss", [x, t], wrt=1, full=True)[1]).all()
    np.testing.assert_array_equal(losslib.poisson_nll_loss.grad(x, t, full=True, wrt="target"), -x)


@each_dtype
def test_a_count_of_zero_needs_no_logarithm_of_the_mean(dtype: Any) -> None:
    x, t = np.array([0.0], dtype), np.array([0.0], dtype)
    arguments = {"log_input": False, "eps": 0.0}
    assert np.isnan(in_torch("poisson_nll_loss", [x, t], **arguments)[0]).all()
    value, gradient = losslib.poisson_nll_loss.value_and_grad(x, t, **arguments, reduction="none")
    np.testing.assert_array_equal(value, [0])
    np.testing.assert_array_equal(gradient, [1])


@each_dtype
@pytest.mark.parametrize(("name", "slope"), [("huber_loss", 0.5), ("smooth_l1_loss", 1.0), ("l1_loss", 1.0)])
def test_a_linear_tail_does_not_overflow_with_its_square(name: str, slope: float, dtype: Any) -> None:
    parameters = {"huber_loss": {"delta": 0.5}, "smooth_l1_loss": {"beta": 0.5}, "l1_loss": {}}[name]
    x = np.array([np.finfo(dtype).max / 4], dtype)
    t = np.zeros(1, dtype)
    value, gradient = getattr(losslib, name).value_and_grad(x, t, **parameters, reduction="none")
    expected_value, expected_gradient = in_torch(name, [x, t], **parameters)
    assert_agree(value, expected_value, dtype)
    assert_agree(gradient, expected_gradient, dtype)
    assert gradient[0] == slope


@each_dtype
@pytest.mark.parametrize(("x", "t"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0)])
def test_probabilities_of_zero_and_one_are_clamped_as_in_torch(x: float, t: float, dtype: Any) -> None:
    inputs = [np.array([x], dtype), np.array([t], dtype)]
    expected_value, expected_gradient = in_torch("binary_cross_entropy", inputs)
    value, gradient = losslib.binary_cross_entropy.value_and_grad(*inputs, reduction="none")
    assert_agree(value, expected_value, dtype)
    # PyTorch's 1e-12 in the denominator is a float32 constant: 4e-9 from losslib's in float64.
    assert_agree(gradient, expected_gradient, dtype, relative=5e-9 if dtype == np.float64 else None)


@each_dtype
@pytest.mark.parametrize(("x", "slope"), [(0.0, 100.0), (1.0, -100.0)])
def test_the_target_gradient_of_a_certain_probability_is_that_of_the_clamped_value(
    x: float, slope: float, dtype: Any
) -> None:
    # PyTorch clamps the logarithms of the value at -100 but not those of this derivative, which is infinite there.
    inputs = [np.array([x], dtype), np.array([0.5], dtype)]
    _, of_torch = in_torch("binary_cross_entropy", inputs, wrt=1)
    assert np.isinf(of_torch).all()
    assert losslib.binary_cross_entropy.grad(*inputs, wrt="target") == slope
    value = [losslib.binary_cross_entropy(inputs[0], np.array([t], dtype)) for t in (0.25, 0.75)]
    assert value[1] - value[0] == pytest.approx(0.5 * slope)


@each_dtype
@pytest.mark.parametrize(
    "name", ["l1_loss", "mse_loss", "huber_loss", "smooth_l1_loss", "soft_margin_loss", "poisson_nll_loss"]
)
def test_nan_is_carried_on_as_in_torch(name: str, dtype: Any) -> None:
    x, t = np.array([np.nan, 1.0], dtype), np.array([1.0, 1.0], dtype)
    expected_value, _ = in_torch(name, [x, t])
    value, gradient = getattr(losslib, name).value_and_grad(x, t, reduction="none")
    assert_agree(value, expected_value, dtype)
    assert np.isnan(gradient[0])
    assert np.isfinite(gradient[1])
