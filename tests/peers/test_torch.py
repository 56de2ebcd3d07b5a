"""Values and gradients of the pointwise losses are PyTorch's, for every combination of its arguments."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import DTYPES, assert_agree
from peers.torch_cases import CASES, LOSSES, Case, generator

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # the arrays are small: waiting for other threads takes longer than the work

pytestmark = pytest.mark.filterwarnings(
    "ignore:reduction. 'mean' divides the total loss:UserWarning",  # PyTorch's kl_div
    "ignore:.*size_average.*:UserWarning",
    "ignore:size_average and reduce are deprecated:DeprecationWarning",
)

COMBINATIONS = [(case, reduction) for case in CASES for reduction in case.reductions]
each_combination = pytest.mark.parametrize(
    ("case", "reduction"), COMBINATIONS, ids=[f"{case}-{reduction}" for case, reduction in COMBINATIONS]
)
each_loss = pytest.mark.parametrize("case", LOSSES, ids=[case.name for case in LOSSES])
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])

LEGACY = ("size_average", "reduce")


def tensors(arrays: Any, dtype: Any, differentiate: bool = False) -> list[Any]:
    return [torch.from_numpy(np.array(a, dtype=dtype)).requires_grad_(differentiate) for a in arrays]


def peer_function(name: str) -> Any:
    return getattr(torch.nn.functional, name)


def peer_value(case: Case, reduction: str, inputs: list[Any], dtype: Any) -> Any:
    arrays = {name: torch.from_numpy(np.array(a, dtype=dtype)) for name, a in case.arrays.items()}
    return peer_function(case.name)(*inputs, **case.parameters, **arrays, reduction=reduction)


def our_arguments(case: Case, reduction: str, dtype: Any) -> dict[str, Any]:
    arrays = {name: a.astype(dtype) for name, a in case.arrays.items()}
    return {**case.parameters, **arrays, "reduction": reduction, "check": case.check}


def our_inputs(case: Case, dtype: Any) -> list[np.ndarray]:
    return [a.astype(dtype) for a in case.inputs]


def names_to_differentiate(case: Case, function: Any) -> tuple[str, ...]:
    return function.info.differentiable if case.wrt is None else case.wrt


def peer_gradients(case: Case, reduction: str, dtype: Any, grad_output: Any) -> dict[str, Any]:
    """Return PyTorch's gradients by the names of the inputs; an input without a graph has none."""
    info = getattr(losslib, case.name).info
    wrt = names_to_differentiate(case, getattr(losslib, case.name))
    inputs = tensors(case.inputs, dtype)
    for name, tensor in zip(info.input_names, inputs, strict=True):
        tensor.requires_grad_(name in wrt)
    value = peer_value(case, reduction, inputs, dtype)
    upstream = torch.ones_like(value) if grad_output is None else torch.as_tensor(grad_output).to(value.dtype)
    value.backward(upstream.expand(value.shape))
    return {name: tensor.grad for name, tensor in zip(info.input_names, inputs, strict=True) if name in wrt}


def assert_gradients_agree(case: Case, ours: Any, theirs: dict[str, Any], dtype: Any) -> None:
    ours = ours if isinstance(ours, tuple) else (ours,)
    assert len(ours) == len(theirs)
    for gradient, (name, expected) in zip(ours, theirs.items(), strict=True):
        assert expected is not None, f"PyTorch gives {name} no gradient"
        assert gradient.dtype == dtype
        relative = case.relative if dtype == np.float64 else None
        assert_agree(gradient, expected.numpy(), dtype, relative=relative, size=case.size)


def upstream_gradients(value_shape: tuple[int, ...], reduction: str) -> dict[str, Any]:
    """Return upstream gradients of every form that the reduction takes."""
    given: dict[str, Any] = {"none": None, "number": -1.75, "0-d": np.array(0.375)}
    if reduction == "none":
        given["array"] = generator("upstream").normal(size=value_shape).astype(np.float32).astype(np.float64)
    return given


@each_dtype
@each_combination
def test_the_value_is_that_of_torch(case: Case, reduction: str, dtype: Any) -> None:
    expected = peer_value(case, reduction, tensors(case.inputs, dtype), dtype)
    function = getattr(losslib, case.name)
    actual = function(*our_inputs(case, dtype), **our_arguments(case, reduction, dtype))
    if reduction == "none":
        assert actual.dtype == dtype
    assert_agree(actual, expected.numpy(), dtype, size=case.size)


@each_dtype
@each_combination
def test_the_gradients_are_those_of_torch_for_any_upstream_gradient(case: Case, reduction: str, dtype: Any) -> None:
    function = getattr(losslib, case.name)
    inputs, arguments = our_inputs(case, dtype), our_arguments(case, reduction, dtype)
    wrt = names_to_differentiate(case, function)
    value = np.asarray(function(*inputs, **arguments))
    for grad_output in upstream_gradients(value.shape, reduction).values():
        theirs = peer_gradients(case, reduction, dtype, grad_output)
        given = grad_output.astype(dtype) if np.ndim(grad_output) else grad_output
        ours = function.grad(*inputs, **arguments, wrt=wrt, grad_output=given)
        assert_gradients_agree(case, ours, theirs, dtype)
        together, ours = function.value_and_grad(*inputs, **arguments, wrt=wrt, grad_output=given)
        assert_agree(together, value, dtype, relative=0.0, size=0.0)
        assert_gradients_agree(case, ours, theirs, dtype)


@each_combination
def test_the_class_computes_what_the_torch_module_computes(case: Case, reduction: str) -> None:
    if not case.has_class:
        pytest.skip(f"torch.nn.{case.class_name} does not take {', '.join(case.arrays)}")
    dtype = np.float64
    arrays = {name: torch.from_numpy(np.array(a, dtype=dtype)) for name, a in case.arrays.items()}
    module = getattr(torch.nn, case.class_name)(**case.parameters, **arrays, reduction=reduction)
    loss = getattr(losslib, case.class_name)(**our_arguments(case, reduction, dtype))
    inputs = our_inputs(case, dtype)
    assert_agree(loss(*inputs), module(*tensors(case.inputs, dtype)).numpy(), dtype, size=case.size)
    wrt = names_to_differentiate(case, getattr(losslib, case.name))
    theirs = peer_gradients(case, reduction, dtype, None)
    assert_gradients_agree(case, loss.grad(*inputs, wrt=wrt), theirs, dtype)


@each_loss
def test_losslib_differentiates_the_inputs_that_torch_differentiates(case: Case) -> None:
    info = getattr(losslib, case.name).info
    found = []
    for name in info.input_names:
        inputs = tensors(case.inputs, np.float64)
        inputs[info.input_names.index(name)].requires_grad_(True)
        try:
            value = peer_value(case, "sum", inputs, np.float64)
        except RuntimeError:  # "the derivative for 'target' is not implemented"
            continue
        if value.requires_grad:
            found.append(name)
    assert set(found) == set(info.differentiable)


# Signatures


def order_after(callable_: Any, skip: int) -> tuple[str, ...]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    listed = [p.name for p in inspect.signature(callable_).parameters.values() if p.kind in kinds]
    return tuple(listed[skip:])


@each_loss
def test_positional_order_of_the_function_is_that_of_torch(case: Case) -> None:
    info = getattr(losslib, case.name).info
    theirs = peer_function(case.name)
    assert tuple(inspect.signature(theirs).parameters)[: len(info.inputs)] == info.input_names
    assert info.function_order == order_after(theirs, len(info.inputs))


@each_loss
def test_positional_order_of_the_class_is_that_of_torch(case: Case) -> None:
    assert getattr(losslib, case.class_name).info.class_order == order_after(getattr(torch.nn, case.class_name), 0)


@each_loss
def test_defaults_are_those_of_torch(case: Case) -> None:
    info = getattr(losslib, case.name).info
    for theirs in (peer_function(case.name), getattr(torch.nn, case.class_name)):
        for parameter in inspect.signature(theirs).parameters.values():
            if parameter.name not in info.input_names and parameter.name not in LEGACY:
                assert info.parameter(parameter.name).default == parameter.default


#: Values other than the defaults, so that a swap of two parameters shows.
UNUSUAL = {
    "size_average": None, "reduce": None, "reduction": "sum", "beta": 0.5, "delta": 0.5, "margin": 0.5,
    "log_input": False, "full": True, "eps": 1e-3, "log_target": True,
}  # fmt: skip


@each_loss
def test_a_call_by_position_is_the_same_call_in_both(case: Case) -> None:
    function = getattr(losslib, case.name)
    arrays = {"weight": np.linspace(0.5, 2.0, 48).reshape(6, 8), "pos_weight": np.linspace(0.25, 3.0, 8)}
    inputs = [np.abs(a) if case.name == "poisson_nll_loss" else a for a in case.inputs]
    values = [arrays.get(name, UNUSUAL.get(name)) for name in function.info.function_order]
    for count in range(1, len(values) + 1):
        given = values[:count]
        as_tensors = [torch.from_numpy(v) if isinstance(v, np.ndarray) else v for v in given]
        expected = peer_function(case.name)(*tensors(inputs, np.float64), *as_tensors)
        assert_agree(function(*inputs, *given), expected.numpy(), np.float64, size=64.0)


@each_loss
def test_a_class_made_by_position_is_the_same_in_both(case: Case) -> None:
    cls = getattr(losslib, case.class_name)
    arrays = {"weight": np.linspace(0.5, 2.0, 48).reshape(6, 8), "pos_weight": np.linspace(0.25, 3.0, 8)}
    inputs = [np.abs(a) if case.name == "poisson_nll_loss" else a for a in case.inputs]
    values = [arrays.get(name, UNUSUAL.get(name)) for name in cls.info.class_order]
    for count in range(1, len(values) + 1):
        given = values[:count]
        as_tensors = [torch.from_numpy(v) if isinstance(v, np.ndarray) else v for v in given]
        module = getattr(torch.nn, case.class_name)(*as_tensors)
        assert_agree(cls(*given)(*inputs), module(*tensors(inputs, np.float64)).numpy(), np.float64, size=64.0)


FLAGS = list(itertools.product((None, True, False), repeat=2))


@pytest.mark.parametrize(("size_average", "reduce"), [pair for pair in FLAGS if pair != (None, None)])
@each_loss
def test_the_deprecated_flags_mean_what_they_mean_in_torch(case: Case, size_average: Any, reduce: Any) -> None:
    function = getattr(losslib, case.name)
    if "reduce" not in function.info.function_order:
        pytest.skip(f"torch.nn.functional.{case.name} has no such flags")
    inputs = our_inputs(case, np.float64)
    flags = {"size_average": size_average, "reduce": reduce}
    expected = peer_function(case.name)(*tensors(case.inputs, np.float64), **case.parameters, **flags)
    with pytest.warns(DeprecationWarning, match="size_average and reduce"):
        loss = getattr(losslib, case.class_name)(**case.parameters, **flags)
    assert_agree(loss(*inputs), expected.numpy(), np.float64, size=case.size)
    with pytest.warns(DeprecationWarning, match="size_average and reduce"):
        value = function(*inputs, **case.parameters, **flags)
    assert_agree(value, expected.numpy(), np.float64, size=case.size)


# Forms of the arguments


@each_dtype
@each_loss
def test_tensors_are_read_as_arrays(case: Case, dtype: Any) -> None:
    function = getattr(losslib, case.name)
    first = function.info.differentiable[0]
    ours = function.value_and_grad(*our_inputs(case, dtype), reduction="none", wrt=first)
    from_tensors = function.value_and_grad(*tensors(case.inputs, dtype), reduction="none", wrt=first)
    for array, expected in zip(from_tensors, ours, strict=True):
        assert isinstance(array, np.ndarray)
        assert array.dtype == dtype
        np.testing.assert_array_equal(array, expected)


@each_loss
def test_integer_targets_are_those_of_torch(case: Case) -> None:
    if case.name == "gaussian_nll_loss":
        pytest.skip("its target is real")
    function = getattr(losslib, case.name)
    *predictions, target = case.inputs
    if function.info.inputs[-1].domain.name == "sign":
        whole = np.where(target > 0, 1, -1)
    else:
        whole = (target > 0.5).astype(np.int64)
    actual = function(*predictions, whole)
    *theirs, _ = tensors(case.inputs, np.float64)
    expected = peer_function(case.name)(*theirs, torch.from_numpy(whole).double())
    assert_agree(actual, expected.numpy(), np.float64, size=case.size)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@each_loss
def test_arrays_without_elements_are_reduced_as_in_torch(case: Case, reduction: str) -> None:
    function = getattr(losslib, case.name)
    empty = [np.empty((0, 3)) for _ in function.info.inputs]
    expected = peer_function(case.name)(*tensors(empty, np.float64), reduction=reduction)
    np.testing.assert_equal(np.asarray(function(*empty, reduction=reduction)), expected.numpy())


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@each_loss
def test_numbers_are_losses_of_one_element(case: Case, reduction: str) -> None:
    if case.name == "multilabel_soft_margin_loss":
        pytest.skip("it needs a class axis")
    function = getattr(losslib, case.name)
    inputs = [np.array(a.reshape(-1)[-1]) for a in case.inputs]
    expected = peer_function(case.name)(*tensors(inputs, np.float64), reduction=reduction)
    actual = function(*inputs, reduction=reduction)
    assert_agree(actual, expected.numpy(), np.float64, size=case.size)


@pytest.mark.parametrize("full", [True, False])
def test_a_variance_may_be_a_python_number(full: bool) -> None:
    x, target = np.array([[0.5, 1.0], [2.0, -1.0]]), np.zeros((2, 2))
    expected = torch.nn.functional.gaussian_nll_loss(*tensors([x, target], np.float64), 0.25, full=full)
    assert_agree(losslib.gaussian_nll_loss(x, target, 0.25, full=full), expected.numpy(), np.float64)


def test_a_variance_needs_no_floor() -> None:
    x, target, var = np.array([0.5, 1.0]), np.array([0.0, 3.0]), np.array([0.25, 2.0])
    expected = torch.nn.functional.gaussian_nll_loss(*tensors([x, target, var], np.float64), eps=0.0)
    assert_agree(losslib.gaussian_nll_loss(x, target, var, eps=0.0), expected.numpy(), np.float64)


def test_a_number_is_a_batch_of_one() -> None:
    expected = torch.nn.functional.kl_div(torch.tensor(-1.0), torch.tensor(0.5), reduction="batchmean")
    actual = losslib.kl_div(np.float32(-1.0), np.float32(0.5), reduction="batchmean")
    assert_agree(actual, expected.numpy(), np.float32)


LENGTHS = (1, 2, 3, 5, 7, 8, 9, 15, 17, 31, 33, 63, 65, 129, 1000, 4097, 70001)


@pytest.mark.parametrize("length", LENGTHS)
@each_dtype
@each_loss
def test_vectors_of_any_length_agree(case: Case, dtype: Any, length: int) -> None:
    function = getattr(losslib, case.name)
    inputs = [np.resize(np.roll(a.reshape(-1), length), length).astype(dtype) for a in case.inputs]
    peers = tensors(inputs, dtype)
    positions = [function.info.input_names.index(name) for name in function.info.differentiable]
    for position in positions:
        peers[position].requires_grad_(True)
    expected = peer_function(case.name)(*peers, **case.parameters, reduction="none")
    expected.sum().backward()
    value, gradients = function.value_and_grad(
        *inputs, **case.parameters, reduction="none", wrt=function.info.differentiable
    )
    assert_agree(value, expected.detach().numpy(), dtype, size=case.size)
    for position, gradient in zip(positions, gradients, strict=True):
        assert_agree(gradient, peers[position].grad.numpy(), dtype, size=case.size)
