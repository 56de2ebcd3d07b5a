"""PyTorch: gradients through autograd, memory shared with tensors, what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import losslib
from losslib.adapters.torch import criterion, to_array, to_tensor
from losslib.errors import DTypeError

N, K = 6, 4
GENERATOR = torch.Generator().manual_seed(0)


def numbers(*shape: int, grad: bool = False) -> torch.Tensor:
    """Return normally distributed numbers."""
    return torch.randn(*shape, dtype=torch.float64, generator=GENERATOR).requires_grad_(grad)


def whole(low: int, high: int, *shape: int) -> torch.Tensor:
    return torch.randint(low, high, shape, generator=GENERATOR)


SIGNS = 2.0 * whole(0, 2, N, K).double() - 1.0
BITS = whole(0, 2, N, K).double()
CASES: list[tuple[str, tuple[torch.Tensor, ...]]] = [
    ("mse_loss", (numbers(N, K, grad=True), numbers(N, K, grad=True))),
    ("huber", (numbers(N, K, grad=True), numbers(N, K))),
    ("log_cosh", (numbers(N, K, grad=True), numbers(N, K))),
    ("quantile", (numbers(N, K, grad=True), numbers(N, K))),
    ("poisson", (numbers(N, K, grad=True), BITS)),
    ("bce_with_logits", (numbers(N, K, grad=True), BITS)),
    ("sigmoid_focal_loss", (numbers(N, K, grad=True), BITS)),
    ("soft_margin_loss", (numbers(N, K, grad=True), SIGNS)),
    ("multilabel_soft_margin_loss", (numbers(N, K, grad=True), BITS)),
    ("gaussian_nll_loss", (numbers(N, K, grad=True), numbers(N, K), (numbers(N, K) ** 2 + 0.1).requires_grad_())),
    ("margin_ranking_loss", (numbers(N, K, grad=True), numbers(N, K, grad=True), SIGNS)),
    ("cross_entropy", (numbers(N, K, grad=True), whole(0, K, N))),
    ("softmax_focal_loss", (numbers(N, K, grad=True), whole(0, K, N))),
    ("multi_margin_loss", (numbers(N, K, grad=True), whole(0, K, N))),
    ("cosine_embedding_loss", (numbers(N, K, grad=True), numbers(N, K, grad=True), SIGNS[:, 0].clone())),
    ("triplet_margin_loss", tuple(numbers(N, K, grad=True) for _ in range(3))),
]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "inputs"), CASES, ids=[name for name, _ in CASES])
def test_gradcheck_is_clean(name: str, inputs: tuple[torch.Tensor, ...], reduction: str) -> None:
    measure = criterion(name, reduction=reduction)
    weight = numbers(N).abs() + 0.1
    assert torch.autograd.gradcheck(lambda *given: measure(*given, sample_weight=weight), inputs)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_gradients_and_dtypes_are_pytorchs(reduction: str, dtype: torch.dtype) -> None:
    x, t = numbers(N, K).to(dtype).requires_grad_(), numbers(N, K).to(dtype)
    upstream = torch.tensor(3.0, dtype=dtype) if reduction != "none" else numbers(N, K).to(dtype)
    ours = criterion("huber", delta=0.5, reduction=reduction)(x, t)
    theirs = F.huber_loss(x, t, delta=0.5, reduction=reduction)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    torch.testing.assert_close(ours, theirs)
    found, expected = (torch.autograd.grad(value, x, upstream)[0] for value in (ours, theirs))
    torch.testing.assert_close(found, expected)


def test_a_network_trains_as_with_pytorchs_own_loss() -> None:
    X, y = numbers(200, 8).float(), whole(0, 3, 200)

    def train(measure: Any) -> list[torch.Tensor]:
        torch.manual_seed(1)
        net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
        optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
        for _ in range(30):
            optimiser.zero_grad()
            measure(net(X), y).backward()
            optimiser.step()
        return [parameter.detach() for parameter in net.parameters()]

    for ours, theirs in zip(train(criterion("cross_entropy")), train(torch.nn.CrossEntropyLoss()), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_tensors_and_arrays_share_memory() -> None:
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64):
        tensor = torch.zeros(4, dtype=dtype)
        array = to_array("input", tensor)
        assert array.__array_interface__["data"][0] == tensor.data_ptr()
        back = to_tensor(array)
        assert (back.data_ptr(), back.dtype) == (tensor.data_ptr(), dtype)


def test_bfloat16_is_read_and_written_as_it_is() -> None:
    x = numbers(32).bfloat16().requires_grad_()
    value = criterion("mse_loss")(x, torch.zeros(32, dtype=torch.bfloat16))
    value.backward()
    assert value.dtype == x.grad.dtype == torch.bfloat16
    torch.testing.assert_close(x.grad, (2.0 * x / 32).detach(), rtol=0.01, atol=1e-3)


def test_masked_elements_are_not_looked_at_and_have_no_gradient() -> None:
    x = torch.tensor([1.0, float("nan"), 3.0], requires_grad=True)
    value = criterion("mse_loss")(x, torch.zeros(3), where=torch.tensor([True, False, True]))
    value.backward()
    assert value.item() == 5.0
    assert x.grad.tolist() == [1.0, 0.0, 3.0]


def test_strided_and_expanded_tensors_give_what_contiguous_ones_give() -> None:
    base = numbers(8, 6)
    for view in (base.T, base[::2, 1::2], base[:1].expand(5, 6)):
        x = view.detach().requires_grad_()
        target = torch.zeros_like(view)
        (found,) = torch.autograd.grad(criterion("log_cosh")(x, target), x)
        y = view.contiguous().requires_grad_()
        (expected,) = torch.autograd.grad(criterion("log_cosh")(y, target), y)
        torch.testing.assert_close(found, expected)


def test_no_gradient_is_computed_or_kept_where_none_is_needed() -> None:
    x = numbers(4)
    assert not criterion("mse_loss")(x, torch.zeros_like(x)).requires_grad
    with torch.no_grad():
        assert criterion("mse_loss")(x.requires_grad_(), torch.zeros_like(x)).grad_fn is None


def test_a_second_derivative_is_an_error_and_not_0() -> None:
    x = numbers(4, grad=True)
    for reduction, upstream in (("mean", None), ("none", torch.ones(4, dtype=torch.float64))):
        value = criterion("mse_loss", reduction=reduction)(x, torch.zeros(4, dtype=torch.float64))
        with pytest.raises(RuntimeError, match="create_graph=True is not supported"):
            torch.autograd.grad(value, x, upstream, create_graph=True)


def test_a_target_without_derivative_says_so() -> None:
    x, t = numbers(4, grad=True), BITS[0].clone().requires_grad_()
    with pytest.raises(losslib.ParameterError, match="wrt='target'"):
        criterion("sigmoid_focal_loss")(x, t)


def test_a_tensor_on_another_device_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DTypeError, match=r"input is on meta.*use input\.cpu\(\)"):
        criterion("mse_loss")(torch.empty(3, device="meta"), torch.empty(3, device="meta"))


def test_a_wrong_number_of_inputs_names_them() -> None:
    with pytest.raises(TypeError, match=r"takes 3 inputs \(input, target, var\), got 2"):
        criterion("gaussian_nll_loss")(torch.zeros(2), torch.zeros(2))


def test_a_criterion_shows_its_loss_and_survives_a_pickle() -> None:
    made = criterion(losslib.HuberLoss(delta=2.0))
    assert repr(made) == "Criterion(HuberLoss(delta=2.0, reduction='mean'))"
    again = pickle.loads(pickle.dumps(made))
    assert again.loss == made.loss
    assert again(torch.tensor([3.0]), 0.0).item() == 4.0
    np.testing.assert_equal(list(again.parameters()), [])


# ---- types, and arguments that are no tensors ------------------------------------------------------------------


@pytest.mark.parametrize("first", [torch.uint8, torch.int64, torch.bool, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("second", [torch.int32, torch.bfloat16, torch.float32, torch.float64])
def test_the_type_of_a_value_is_what_pytorch_promotes_the_inputs_to(first: Any, second: Any) -> None:
    for shapes in (((3,), (3,)), ((), ())):
        x, t = torch.ones(shapes[0], dtype=first), torch.zeros(shapes[1], dtype=second)
        expected = torch.result_type(x, t)
        expected = expected if expected.is_floating_point else torch.get_default_dtype()
        for reduction in ("mean", "none"):
            value = criterion("mse", reduction=reduction)(x, t)
            assert value.dtype == expected
            np.testing.assert_array_equal(value.double().numpy(), np.ones(value.shape))


def test_a_tensor_without_axes_does_not_promote_as_in_pytorch() -> None:
    x, t = torch.ones(3, dtype=torch.float32), torch.tensor(0.0, dtype=torch.float64)
    for given in ((x, t), (t.expand(()), x.sum())):
        assert criterion("mse")(*given).dtype == torch.result_type(*given)


def test_a_value_of_integers_is_not_cut_to_an_integer() -> None:
    assert criterion("mse")(torch.tensor([1, 2]), torch.tensor([0, 0])).item() == 2.5
    assert criterion("mse")(torch.tensor([20], dtype=torch.uint8), torch.tensor([0], dtype=torch.uint8)).item() == 400.0
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        assert criterion("mse")(torch.tensor([1, 2]), torch.tensor([0, 0])).dtype == torch.float64
    finally:
        torch.set_default_dtype(before)


def test_a_second_input_has_its_gradient_beside_a_first_one_of_integers() -> None:
    t = torch.tensor([0.5, 0.5], requires_grad=True)
    criterion("mse")(torch.tensor([1, 2]), t).backward()
    assert t.grad.tolist() == [-0.5, -1.5]


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_gradient_of_weights_is_refused_and_not_left_out(reduction: str) -> None:
    x, weight = numbers(4, grad=True), torch.ones(4, dtype=torch.float64, requires_grad=True)
    loss = criterion("mse", reduction=reduction)
    with pytest.raises(losslib.ParameterError, match=r"sample_weight requires a gradient.*sample_weight\.detach\(\)"):
        loss(x, torch.zeros(4), sample_weight=weight)
    assert loss(x, torch.zeros(4), sample_weight=weight.detach()).requires_grad
    with torch.no_grad():
        loss(x, torch.zeros(4), sample_weight=weight)


@pytest.mark.parametrize("kind", [tuple, list, np.array, torch.tensor], ids=["tuple", "list", "array", "tensor"])
def test_lengths_and_classes_are_taken_as_pytorch_takes_them(kind: Any) -> None:
    scores = F.log_softmax(numbers(4, 2, 5), dim=-1)
    expected = F.ctc_loss(scores, torch.tensor([[1], [2]]), (4, 4), (1, 1))
    found = criterion("ctc_loss")(scores, kind([1, 2]), kind([4, 4]), kind([1, 1]))
    torch.testing.assert_close(found, expected)
    labels = [0, 3, 1, 2, 0, 1]
    expected = F.cross_entropy(scores[:, 0, :4], torch.tensor(labels[:4]))
    torch.testing.assert_close(criterion("cross_entropy")(scores[:, 0, :4], kind(labels[:4])), expected)
    lattice = numbers(2, 3, 2, 5)
    expected = criterion("rnnt_loss")(lattice, torch.tensor([[1], [2]]), torch.tensor([3, 2]), torch.tensor([1, 0]))
    found = criterion("rnnt_loss")(lattice, kind([[1], [2]]), kind([3, 2]), kind([1, 0]))
    torch.testing.assert_close(found, expected)


def test_a_single_sequence_takes_numbers_as_lengths() -> None:
    scores = F.log_softmax(numbers(4, 5), dim=-1)
    expected = F.ctc_loss(scores, torch.tensor([1, 2]), torch.tensor(4), torch.tensor(2))
    torch.testing.assert_close(criterion("ctc_loss")(scores, (1, 2), 4, 2), expected)
    single = numbers(5)
    torch.testing.assert_close(criterion("cross_entropy")(single, 3), F.cross_entropy(single, torch.tensor(3)))


def test_probabilities_of_classes_may_be_lists_and_arrays_keep_the_type_of_the_value() -> None:
    scores = numbers(2, 2).float()
    target = [[0.25, 0.75], [1.0, 0.0]]
    value = criterion("cross_entropy")(scores, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, F.cross_entropy(scores, torch.tensor(target)))
    assert criterion("mse")(torch.tensor([1, 2]), np.array([0.5, 0.0])).item() == 2.125
