"""Reductions, weights, masks and upstream gradients against plain NumPy on the values and slopes of the formula."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import losslib
from formulas import (
    POINTWISE,
    POINTWISE_IDS,
    Reference,
    domains,
    function,
    generator,
    loss_class,
    outside,
    own_parameters,
    points,
    reference,
    settings,
)

PER_LOSS = pytest.mark.parametrize("info", POINTWISE, ids=POINTWISE_IDS)
ROWS, COLUMNS = 4, 3
SHAPE = (ROWS, COLUMNS)

_known: dict[Any, Reference] = {}


def elements(info: Any, parameters: dict[str, Any] | None = None) -> Reference:
    """Return inputs of shape (4, 3) with value and derivatives of every element from the formula."""
    parameters = parameters or {}
    key = (info.name, repr(parameters))
    if key not in _known:
        inputs = {name: array.reshape(SHAPE) for name, array in points(info, parameters, ROWS * COLUMNS).items()}
        _known[key] = reference(info, inputs, parameters)
    return _known[key]


def expect(
    info: Any,
    parts: Reference,
    reduction: str,
    *,
    weight: Any = None,
    sample_weight: Any = None,
    where: Any = None,
    grad_output: Any = 1.0,
) -> tuple[Any, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The contract of the arguments that every loss takes, in plain NumPy: value, gradients, Hessians."""
    shape = parts.value.shape
    of_loss = np.ones(shape) if weight is None else np.broadcast_to(np.asarray(weight, float), shape)
    of_sample = np.ones(shape) if sample_weight is None else np.asarray(sample_weight, float)
    if of_sample.ndim == 1 and of_sample.shape != shape:
        of_sample = of_sample[:, np.newaxis]
    kept = np.ones(shape, bool) if where is None else np.broadcast_to(where, shape)
    factor = np.where(kept, of_loss * of_sample, 0.0)
    values = np.where(kept, parts.value, 0.0) * factor
    if reduction == "mean":
        weighted = info.mean_divisor == "weight" and weight is not None
        divisor = of_loss[kept].sum() if weighted else kept.sum()
    elif reduction == "weighted_mean":
        divisor = (of_loss * of_sample)[kept].sum()
    elif reduction == "batchmean":
        divisor = shape[0]
    else:
        divisor = shape[-1] if info.averages_last_axis else 1
    if reduction != "none":
        value: Any = values.sum() / divisor
    else:
        value = values.mean(axis=-1) if info.averages_last_axis else values
    upstream = np.asarray(grad_output, float)
    if upstream.ndim and info.averages_last_axis:
        upstream = upstream[..., np.newaxis]
    grads = {name: np.where(kept, part, 0.0) * factor / divisor * upstream for name, part in parts.grad.items()}
    hessians = {name: np.where(kept, part, 0.0) * factor / divisor for name, part in parts.hess.items()}
    return value, grads, hessians


def assert_close(found: Any, expected: Any, message: str = "", rtol: float = 1e-11) -> None:
    """Compare to rounding, relative to the largest number of an array."""
    scale = float(np.max(np.abs(expected))) if np.size(expected) else 0.0
    assert np.shape(found) == np.shape(expected), message
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * scale, err_msg=message)


def check_call(info: Any, parts: Reference, parameters: dict[str, Any], reduction: str, **arguments: Any) -> None:
    """Compare all four modes and all differentiable inputs of a call with the plain version."""
    inputs = list(parts.inputs.values())
    value, grads, hessians = expect(info, parts, reduction, **arguments)
    call = function(info)
    given = {**parameters, **arguments, "reduction": reduction}
    upstream = given.pop("grad_output", None)
    message = f"{info.name} {reduction} {sorted(given)}"
    found = call(*inputs, **given)
    if reduction == "none":
        assert isinstance(found, np.ndarray)
    else:
        assert type(found) is float
    assert_close(found, value, message)
    for name in info.differentiable:
        assert_close(call.grad(*inputs, wrt=name, grad_output=upstream, **given), grads[name], f"{message} d/d{name}")
    both, several = call.value_and_grad(*inputs, wrt=info.differentiable, grad_output=upstream, **given)
    assert_close(both, value, message)
    for name, part in zip(info.differentiable, several, strict=True):
        assert_close(part, grads[name], f"{message} d/d{name}")
    value_found, firsts, seconds = call.value_grad_hess(*inputs, wrt=info.differentiable, **given)
    assert_close(value_found, value, message)
    plain = expect(info, parts, reduction, **{**arguments, "grad_output": 1.0})
    for name, first, second in zip(info.differentiable, firsts, seconds, strict=True):
        assert_close(first, plain[1][name], f"{message} d/d{name}")
        assert_close(second, hessians[name], f"{message} d2/d{name}2")


def weights(info: Any) -> dict[str, Any]:
    """Return weights of several shapes, the same ones for a loss in every run."""
    rng = generator("weights", info.name)
    return {
        "element": rng.uniform(0.1, 3.0, SHAPE),
        "sample": rng.uniform(0.1, 3.0, ROWS),
        "column": rng.uniform(0.1, 3.0, COLUMNS),
        "row": rng.uniform(0.1, 3.0, (ROWS, 1)),
        "mask": np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0]], bool),
    }


# ---- every option with every reduction ---------------------------------------------------------------------------


@PER_LOSS
def test_every_reduction_divides_by_what_it_says(info: Any) -> None:
    for reduction in info.reductions:
        check_call(info, elements(info), {}, reduction)


@PER_LOSS
def test_weight_multiplies_and_mean_divides_as_pytorch_does(info: Any) -> None:
    given = weights(info)
    for reduction in info.reductions:
        for kind in ("element", "column", "row"):
            check_call(info, elements(info), {}, reduction, weight=given[kind])
        check_call(info, elements(info), {}, reduction, weight=2.5)


@PER_LOSS
def test_sample_weight_multiplies_and_leaves_the_denominator_of_mean_alone(info: Any) -> None:
    given = weights(info)
    for reduction in info.reductions:
        for kind in ("sample", "element", "row"):
            check_call(info, elements(info), {}, reduction, sample_weight=given[kind])


@PER_LOSS
def test_masked_elements_are_zero_and_not_counted(info: Any) -> None:
    given = weights(info)
    for reduction in info.reductions:
        check_call(info, elements(info), {}, reduction, where=given["mask"])
        check_call(info, elements(info), {}, reduction, where=given["mask"][0])


@PER_LOSS
def test_the_upstream_gradient_multiplies_every_gradient(info: Any) -> None:
    for reduction in info.reductions:
        check_call(info, elements(info), {}, reduction, grad_output=-0.75)
    shape = SHAPE[:-1] if info.averages_last_axis else SHAPE
    upstream = generator("upstream").standard_normal(shape)
    check_call(info, elements(info), {}, "none", grad_output=upstream)


@PER_LOSS
def test_all_options_together_equal_the_plain_version(info: Any) -> None:
    given = weights(info)
    for reduction, weight, sample_weight in itertools.product(
        info.reductions, ("element", "column"), ("sample", "row")
    ):
        check_call(
            info, elements(info), {}, reduction, weight=given[weight], sample_weight=given[sample_weight],
            where=given["mask"], grad_output=1.75,
        )  # fmt: skip
    shape = SHAPE[:-1] if info.averages_last_axis else SHAPE
    check_call(
        info, elements(info), {}, "none", weight=given["column"], sample_weight=given["sample"], where=given["mask"],
        grad_output=generator("upstream").standard_normal(shape),
    )  # fmt: skip


@PER_LOSS
def test_every_parameter_setting_works_together_with_every_option(info: Any) -> None:
    given = weights(info)
    for parameters in settings(info):
        for reduction in ("mean", "none"):
            check_call(
                info, elements(info, parameters), parameters, reduction, weight=given["element"],
                sample_weight=given["sample"], where=given["mask"],
            )  # fmt: skip


def with_array_parameter() -> list[Any]:
    """Return the losses that have an array parameter of their own, such as pos_weight."""
    return [info for info in POINTWISE if any(type(item).__name__ == "Array" for item in own_parameters(info))]


@pytest.mark.parametrize("info", with_array_parameter(), ids=lambda info: info.name)
def test_positive_weight_per_class_combines_with_smoothing_weights_and_mask(info: Any) -> None:
    given = weights(info)
    for smoothing in (0.0, 0.2):
        for pos_weight in (given["column"], given["element"], np.float64(2.0)):
            parameters = {"label_smoothing": smoothing, "pos_weight": pos_weight}
            parts = elements(info, parameters)
            for reduction in info.reductions:
                check_call(info, parts, parameters, reduction)
                check_call(
                    info, parts, parameters, reduction, weight=given["column"], sample_weight=given["sample"],
                    where=given["mask"], grad_output=0.5,
                )  # fmt: skip
            bound = loss_class(info)(**parameters)
            assert bound(*parts.inputs.values()) == function(info)(*parts.inputs.values(), **parameters)


@PER_LOSS
def test_a_bound_weight_acts_like_one_given_at_the_call(info: Any) -> None:
    given = weights(info)
    inputs = list(elements(info).inputs.values())
    for reduction in info.reductions:
        loss = loss_class(info)(weight=given["column"], reduction=reduction)
        found = loss.value_grad_hess(*inputs, sample_weight=given["sample"], wrt=info.differentiable)
        expected = function(info).value_grad_hess(
            *inputs, weight=given["column"], sample_weight=given["sample"], reduction=reduction, wrt=info.differentiable
        )
        np.testing.assert_array_equal(found[0], expected[0])
        for part, other in zip((*found[1], *found[2]), (*expected[1], *expected[2]), strict=True):
            np.testing.assert_array_equal(part, other)


# ---- masks -------------------------------------------------------------------------------------------------------


@PER_LOSS
def test_what_a_masked_element_holds_is_never_looked_at(info: Any) -> None:
    """NaN, infinities and values outside the domain behind the mask change no bit and raise nothing."""
    parts = elements(info)
    mask = weights(info)["mask"]
    of = domains(info, {})
    for reduction in info.reductions:
        inputs = list(parts.inputs.values())
        expected = function(info).value_grad_hess(*inputs, where=mask, reduction=reduction, wrt=info.differentiable)
        for k, name in enumerate(info.input_names):
            for junk in (np.nan, np.inf, -np.inf, 1e308, *outside(of[name])):
                spoiled = [array.copy() for array in inputs]
                spoiled[k][~mask] = junk
                found = function(info).value_grad_hess(
                    *spoiled, where=mask, reduction=reduction, wrt=info.differentiable
                )
                np.testing.assert_array_equal(found[0], expected[0])
                for part, other in zip((*found[1], *found[2]), (*expected[1], *expected[2]), strict=True):
                    np.testing.assert_array_equal(part, other)
                    assert (part[~mask] == 0).all()


@PER_LOSS
def test_junk_weights_and_upstream_gradients_behind_the_mask_change_nothing(info: Any) -> None:
    if info.averages_last_axis:
        return  # its upstream gradient has no last axis to mask
    inputs = list(elements(info).inputs.values())
    given = weights(info)
    mask = given["mask"]
    for name in ("weight", "sample_weight", "grad_output"):
        reduction = "none" if name == "grad_output" else "mean"
        clean = given["element"]
        junk = np.where(mask, clean, np.nan)
        expected = function(info).grad(*inputs, where=mask, reduction=reduction, **{name: clean})
        found = function(info).grad(*inputs, where=mask, reduction=reduction, **{name: junk})
        np.testing.assert_array_equal(found, expected)
        if name != "grad_output":
            assert function(info)(*inputs, where=mask, **{name: junk}) == function(info)(
                *inputs, where=mask, **{name: clean}
            )


@PER_LOSS
def test_with_everything_masked_mean_is_nan_sum_is_zero_and_gradients_are_zero(info: Any) -> None:
    inputs = [np.full(SHAPE, np.nan) for _ in info.inputs]
    nothing = np.zeros(SHAPE, bool)
    for reduction in info.reductions:
        value, grads = function(info).value_and_grad(
            *inputs, where=nothing, reduction=reduction, wrt=info.differentiable
        )
        if reduction in ("mean", "weighted_mean"):
            assert np.isnan(value)
        else:
            assert np.all(value == 0)
        for grad in grads:
            np.testing.assert_array_equal(grad, np.zeros(SHAPE))


# ---- denominators ------------------------------------------------------------------------------------------------


def test_mean_of_l1_and_mse_divides_by_the_sum_of_weight_as_in_pytorch() -> None:
    x, t, w = np.array([1.0, 2.0, 3.0]), np.zeros(3), np.array([1.0, 0.0, 3.0])
    assert losslib.l1_loss(x, t, weight=w) == (1 + 9) / 4
    assert losslib.mse_loss(x, t, weight=w) == (1 + 27) / 4
    assert losslib.huber_loss(x, t, weight=w) == (0.5 + 3 * 2.5) / 3


def test_weighted_mean_divides_by_the_product_of_both_weights() -> None:
    x, t = np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros((2, 2))
    weight, sample_weight = np.array([1.0, 2.0]), np.array([1.0, 0.5])
    product = sample_weight[:, np.newaxis] * weight
    found = losslib.l1_loss(x, t, weight=weight, sample_weight=sample_weight, reduction="weighted_mean")
    assert found == (x * product).sum() / product.sum()


def test_weights_that_sum_to_zero_give_nan_not_an_exception() -> None:
    assert np.isnan(losslib.mse_loss([1.0], [0.0], sample_weight=[0.0], reduction="weighted_mean"))


def test_batchmean_divides_by_the_length_of_the_first_axis() -> None:
    x, t = np.log(np.array([[0.5, 0.5], [0.25, 0.75]])), np.array([[0.3, 0.7], [0.5, 0.5]])
    total = losslib.kl_div(x, t, reduction="sum")
    assert losslib.kl_div(x, t, reduction="batchmean") == total / 2


def test_batchmean_of_a_number_is_the_number_as_in_pytorch() -> None:
    assert losslib.kl_div(0.5, 0.5, reduction="batchmean") == losslib.kl_div(0.5, 0.5, reduction="sum")


# ---- a third input that broadcasts -------------------------------------------------------------------------------

BROADCASTING = [info for info in POINTWISE if any(item.broadcasts for item in info.inputs)]


def test_variance_and_scale_broadcast() -> None:
    assert {info.name for info in BROADCASTING} >= {"gaussian_nll_loss", "laplace_nll_loss"}


@pytest.mark.parametrize("info", BROADCASTING, ids=lambda info: info.name)
@pytest.mark.parametrize("shape", [(), (ROWS,), (ROWS, 1), (1, COLUMNS), (1, 1), SHAPE], ids=str)
def test_the_derivative_of_a_broadcast_input_is_the_sum_over_what_it_was_spread_to(info: Any, shape: Any) -> None:
    inputs = {name: array.reshape(SHAPE) for name, array in points(info, {}, ROWS * COLUMNS).items()}
    name = info.input_names[-1]
    small = np.linspace(0.4, 2.0, max(1, int(np.prod(shape)))).reshape(shape)
    column = small[:, np.newaxis] if shape == (ROWS,) else small
    inputs[name] = np.broadcast_to(column, SHAPE).copy()
    parts = reference(info, inputs, {})
    given_inputs = [*list(inputs.values())[:-1], small]
    options = weights(info)
    for reduction in info.reductions:
        arguments = {"sample_weight": options["sample"], "where": options["mask"]}
        value, grads, hessians = expect(info, parts, reduction, **arguments)
        found, firsts, seconds = function(info).value_grad_hess(
            *given_inputs, reduction=reduction, wrt=info.differentiable, **arguments
        )
        assert_close(found, value)
        for other, first, second in zip(info.differentiable, firsts, seconds, strict=True):
            if other != name:
                assert_close(first, grads[other])
                assert_close(second, hessians[other])
                continue
            spread = tuple(k for k in range(2) if column.ndim < 2 or column.shape[k] == 1)
            for part, elementwise in ((first, grads[name]), (second, hessians[name])):
                expected = elementwise.sum(axis=spread).reshape(shape)
                assert_close(part, expected)
        out = np.full(shape, np.nan)
        function(info).grad(*given_inputs, reduction=reduction, wrt=name, out=out, **arguments)
        assert_close(out, firsts[info.differentiable.index(name)])


# ---- nothing to add ----------------------------------------------------------------------------------------------


@PER_LOSS
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)], ids=str)
def test_empty_input_gives_nan_zero_or_empty_and_never_crashes(info: Any, shape: tuple[int, ...]) -> None:
    if info.averages_last_axis and len(shape) == 1:
        shape = (*shape, 2)
    inputs = [np.empty(shape) for _ in info.inputs]
    for reduction in info.reductions:
        value, grads, hessians = function(info).value_grad_hess(*inputs, reduction=reduction, wrt=info.differentiable)
        assert all(part.shape == shape for part in (*grads, *hessians))
        again = function(info)(*inputs, reduction=reduction, sample_weight=np.ones(shape), where=np.ones(shape, bool))
        np.testing.assert_array_equal(value, again)
        if reduction == "none":
            assert value.shape == (shape[:-1] if info.averages_last_axis else shape)
        elif reduction == "sum":
            assert value == 0.0
        elif reduction in ("mean", "weighted_mean"):
            assert np.isnan(value)


def test_check_false_computes_what_the_formula_gives_outside_the_domain() -> None:
    found = losslib.soft_margin_loss([0.5, -1.0], [0.25, 0.0], check=False, reduction="none")
    np.testing.assert_allclose(found, [np.log1p(np.exp(-0.125)), np.log(2)], rtol=1e-15)
    with pytest.raises(losslib.DomainError):
        losslib.soft_margin_loss([0.5, -1.0], [0.25, 0.0])


@PER_LOSS
def test_check_changes_no_bit_of_a_result_inside_the_domain(info: Any) -> None:
    inputs = list(elements(info).inputs.values())
    for reduction in info.reductions:
        checked = function(info).value_and_grad(*inputs, reduction=reduction, wrt=info.differentiable)
        unchecked = function(info).value_and_grad(*inputs, reduction=reduction, wrt=info.differentiable, check=False)
        np.testing.assert_array_equal(checked[0], unchecked[0])
        np.testing.assert_array_equal(checked[1], unchecked[1])


# ---- where arrays lie ----------------------------------------------------------------------------------------------


@PER_LOSS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_bit_depends_on_how_near_to_the_input_an_output_begins(info: Any, dtype: type) -> None:
    loss, name = loss_class(info)(reduction="sum"), info.differentiable[0]
    for count in (4, 6, 7, 12):
        inputs = [array.astype(dtype).reshape(1, count) for array in points(info, {}, count).values()]
        place = info.input_names.index(name)
        expected = loss.grad(*inputs, wrt=name)
        for gap in range(16):
            memory = np.zeros(2 * count + gap, dtype)
            inputs[place] = memory[:count].reshape(1, count)
            inputs[place][:] = list(points(info, {}, count).values())[place]
            out = memory[count + gap :].reshape(1, count)
            np.testing.assert_array_equal(loss.grad(*inputs, wrt=name, out=out), expected)
