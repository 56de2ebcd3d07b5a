"""The diagonal of the Hessian is what PyTorch finds by differentiating twice, away from kinks and clamps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import assert_agree
from peers.torch_cases import CASES, Case

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # the arrays are small: waiting for other threads takes longer than the work

PLAIN = [case for case in CASES if case.check and case.label not in ("certain", "zeros")]
each_case = pytest.mark.parametrize("case", PLAIN, ids=map(str, PLAIN))


def away_from_kinks(case: Case) -> list[np.ndarray]:
    """Move the inputs off the thresholds, by less than the distance to the next one, and off the clamps."""
    first, *rest = case.inputs
    if case.name == "binary_cross_entropy":
        first = np.clip(first, 0.1, 0.9)  # PyTorch adds 1e-12 to x*(1 - x)
    elif case.name == "poisson_nll_loss":
        first = np.where(first > 0, first, 0.3) if not case.parameters["log_input"] else first
        rest = [np.where(rest[0] > 0, rest[0], 0.3)]
    elif case.name.endswith(("logits", "soft_margin_loss")):
        first = np.clip(first, -30, 30)
    elif case.name != "kl_div":
        first = first + 0.01234
    if case.name == "gaussian_nll_loss":
        rest = [rest[0], np.maximum(rest[1], 0.05)]
    return [first, *rest]


def second_derivative(case: Case, inputs: list[np.ndarray], position: int) -> np.ndarray:
    """Differentiate the sum twice; no element of a pointwise loss depends on another."""
    tensors = [torch.from_numpy(np.array(a)) for a in inputs]
    tensors[position].requires_grad_(True)
    arrays = {name: torch.from_numpy(np.array(a)) for name, a in case.arrays.items()}
    value = getattr(torch.nn.functional, case.name)(*tensors, **case.parameters, **arrays, reduction="sum")
    (gradient,) = torch.autograd.grad(value, tensors[position], create_graph=True)
    if not gradient.requires_grad:
        return np.zeros_like(inputs[position])
    (hessian,) = torch.autograd.grad(gradient.sum(), tensors[position], allow_unused=True)
    return np.zeros_like(inputs[position]) if hessian is None else hessian.numpy()


@each_case
def test_the_hessian_is_the_second_derivative_of_torch(case: Case) -> None:
    function: Any = getattr(losslib, case.name)
    inputs = away_from_kinks(case)
    for name in function.info.differentiable:
        position = function.info.input_names.index(name)
        try:
            expected = second_derivative(case, inputs, position)
        except (RuntimeError, NotImplementedError):  # PyTorch has no second derivative for this input
            continue
        *_, hessian = function.value_grad_hess(*inputs, **case.parameters, **case.arrays, reduction="sum", wrt=name)
        assert_agree(hessian, expected, np.float64, relative=1e-10, size=16.0)
