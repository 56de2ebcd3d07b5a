"""Every loss of the registry through the adapters of tensors and metrics, against the call of the loss itself."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import losslib
from losslib.adapters.jax import loss_function
from losslib.adapters.sklearn import metric
from losslib.adapters.torch import criterion
from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from oracles import formulas

LOSSES = registry.all_losses()
NAMES = [info.name for info in LOSSES]
REDUCED = pytest.mark.parametrize(
    ("info", "reduction"),
    [(info, reduction) for info in LOSSES for reduction in ("mean", "none") if reduction in info.reductions],
    ids=lambda item: getattr(item, "name", item),
)
PAIRS = [info for info in LOSSES if info.input_names == ("input", "target")]


def sample(info: LossInfo) -> list[np.ndarray]:
    """Return six samples inside the domains of a loss."""
    return formulas.sample_inputs(info, formulas.defaults(info))


def whole_sample(info: LossInfo) -> list[np.ndarray]:
    """Return six samples of integers inside the domains of a loss."""
    domains = formulas.domains(info, formulas.defaults(info))
    found = []
    for name, array in zip(info.input_names, sample(info), strict=True):
        if array.dtype.kind == "f":
            steps = np.rint(3.0 * array)
            if info.geometry == "softmax_between":  # a number between two bins, of which there are few
                steps = np.rint(array)
            domain = domains[name].name
            if domain in ("probability", "cosine"):
                steps = np.rint(array)
            elif domain in ("sign", "binary"):
                steps = array
            elif domain != "real":
                steps = np.abs(steps) + (domain == "positive")
            # No integer says that there is no upper bound.
            array = steps.astype(np.int32) if np.isfinite(steps).all() else steps.astype(np.float32)
        found.append(array)
    return found


def expected_value(info: LossInfo, reduction: str, arrays: list[np.ndarray]) -> Any:
    """Return the answer of the core for float64 inputs; targets that are classes stay integers."""
    first = arrays[0].astype(np.float64)
    return losslib.get(info.name, reduction=reduction)(first, *arrays[1:])


@REDUCED
def test_integer_inputs_have_the_value_of_the_numbers_that_they_are(info: LossInfo, reduction: str) -> None:
    arrays = whole_sample(info)
    expected = expected_value(info, reduction, arrays)
    theirs = criterion(info.name, reduction=reduction)(*map(torch.from_numpy, arrays))
    assert theirs.dtype == torch.get_default_dtype()
    np.testing.assert_allclose(theirs.numpy(), expected, rtol=1e-6, atol=1e-7)
    ours = loss_function(info.name, reduction=reduction)(*arrays)
    assert ours.dtype == jnp.float32
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-7)


@REDUCED
def test_pytorch_has_the_value_and_the_gradients_of_the_core(info: LossInfo, reduction: str) -> None:
    arrays = sample(info)
    loss = losslib.get(info.name, reduction=reduction)
    tensors = [torch.from_numpy(array) for array in arrays]
    wanted = tuple(name for name in info.default_wrt)
    for name, tensor in zip(info.input_names, tensors, strict=True):
        tensor.requires_grad_(name in wanted)
    value = criterion(loss)(*tensors)
    np.testing.assert_array_equal(value.detach().numpy(), loss(*arrays))
    value.sum().backward()
    found = [tensor.grad.numpy() for tensor in tensors if tensor.requires_grad]
    for ours, theirs in zip(found, loss.grad(*arrays, wrt=wanted), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-300)


@REDUCED
def test_jax_has_the_value_and_the_gradient_of_the_core(info: LossInfo, reduction: str) -> None:
    arrays = [array.astype(np.float32) if array.dtype.kind == "f" else array for array in sample(info)]
    loss = losslib.get(info.name, reduction=reduction)
    function = loss_function(loss)
    value = jax.jit(function)(*arrays)
    np.testing.assert_allclose(value, loss(*arrays), rtol=1e-6)
    found = jax.grad(lambda *inputs: jnp.sum(function(*inputs)))(*map(jnp.asarray, arrays))
    np.testing.assert_allclose(found, loss.grad(*arrays, wrt=info.input_names[0]), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("info", PAIRS, ids=[info.name for info in PAIRS])
def test_a_metric_is_the_mean_of_the_core(info: LossInfo) -> None:
    prediction, target = sample(info)
    if info.averages_last_axis or info.geometry in ("pointwise", "softmax", "margin"):
        assert metric(info.name)(target, prediction) == losslib.get(info.name)(prediction, target)


@pytest.mark.parametrize("info", LOSSES, ids=NAMES)
def test_a_criterion_takes_all_but_its_first_input_as_lists(info: LossInfo) -> None:
    first, *others = sample(info)
    expected = losslib.get(info.name)(first, *others)
    value = criterion(info.name)(torch.from_numpy(first), *(array.tolist() for array in others))
    assert value.item() == pytest.approx(expected, rel=1e-12, nan_ok=True)
