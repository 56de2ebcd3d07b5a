"""CTC against PyTorch on thousands of random batches, and against optax; where they differ is asserted too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib

#: Random batches of each comparison, in groups that are a test each.
GROUPS, CASES = 20, 100

#: Largest difference of values, relative to their size, and of gradients.
BOUNDS = {np.float64: 1e-9, np.float32: 1e-4}


def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    """Draw a batch with every freedom: lengths, repeated labels, the blank, impossible targets, peaked scores."""
    frames, samples, classes = int(rng.integers(1, 60)), int(rng.integers(1, 7)), int(rng.integers(2, 40))
    room = int(rng.integers(1, 16))
    blank = int(rng.integers(0, classes))
    few = rng.integers(1, classes, size=int(rng.integers(1, 4)))
    labels = rng.choice(few, (samples, room)) if rng.random() < 0.3 else rng.integers(1, classes, (samples, room))
    targets = np.where(labels == blank, 0, labels)  # the classes without the blank
    input_lengths = rng.integers(0, frames + 1, samples) if rng.random() < 0.7 else np.full(samples, frames)
    most = np.minimum(room, input_lengths) if rng.random() < 0.6 else np.full(samples, room)
    target_lengths = rng.integers(0, most + 1)
    logits = rng.choice([0.3, 1.0, 8.0, 40.0]) * rng.standard_normal((frames, samples, classes))
    options = {
        "blank": blank,
        "reduction": str(rng.choice(["mean", "sum", "none"])),
        "zero_infinity": bool(rng.random() < 0.5),
    }
    return logits, targets, input_lengths, target_lengths, options


def close(actual: Any, expected: Any, dtype: Any, slack: Any = 0.0) -> None:
    """Equal infinities and NaN agree; values are compared relative to the largest, gradients to 1."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    size = max(1.0, float(np.abs(expected[finite]).max(initial=0.0)))
    bound = np.broadcast_to(BOUNDS[dtype] * size + slack, expected.shape)
    assert np.all(np.abs(actual[finite] - expected[finite]) <= bound[finite])


def in_torch(log_probs: Any, upstream: np.ndarray, *arguments: Any, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return PyTorch's value and its gradient by the log-probabilities."""
    torch = pytest.importorskip("torch")
    leaf = log_probs.detach().clone().requires_grad_()
    value = torch.nn.functional.ctc_loss(leaf, *arguments, **options)
    value.backward(torch.from_numpy(upstream).to(value.dtype))
    return value.detach().numpy(), leaf.grad.numpy()


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("group", range(GROUPS))
def test_random_batches_agree_with_pytorch(group: int, dtype: Any) -> None:
    """In float32 PyTorch's own error reaches 2e-3: the bound holds against its float64 result for the same numbers."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    rng = np.random.default_rng([group, np.dtype(dtype).itemsize])
    for _ in range(CASES):
        logits, targets, input_lengths, target_lengths, options = draw(rng)
        x = logits.astype(dtype)
        log_probs = torch.log_softmax(torch.from_numpy(x), 2)
        tensors = [torch.from_numpy(item) for item in (targets, input_lengths, target_lengths)]
        shape = (x.shape[1],) if options["reduction"] == "none" else ()
        upstream = np.asarray(rng.standard_normal(shape))

        given: Any = targets
        if rng.random() < 0.5:
            given = np.concatenate([row[:n] for row, n in zip(targets, target_lengths, strict=True)])
        call = {**options, "grad_output": upstream}
        arguments = (given, input_lengths, target_lengths)
        mine = losslib.ctc_loss.value_and_grad(log_probs.numpy(), *arguments, **call)
        theirs = in_torch(log_probs.double(), upstream, *tensors, **options)
        close(mine[0], theirs[0], dtype)
        close(mine[1], theirs[1], dtype)
        if dtype is np.float32:
            rounded = in_torch(log_probs, upstream, *tensors, **options)
            with np.errstate(invalid="ignore"):  # inf - inf where a target is impossible
                close(mine[0], rounded[0], dtype, np.abs(rounded[0] - theirs[0]))
                close(mine[1], rounded[1], dtype, np.abs(rounded[1] - theirs[1]))

        leaf = torch.from_numpy(x).double().requires_grad_()
        value = torch.nn.functional.ctc_loss(torch.log_softmax(leaf, 2), *tensors, **options)
        value.backward(torch.from_numpy(upstream))
        mine = losslib.ctc_loss_with_logits.value_and_grad(x, *arguments, **call)
        close(mine[0], value.detach().numpy(), dtype)
        close(mine[1], leaf.grad.numpy(), dtype)


def test_unnormalised_input_follows_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    x, targets = rng.standard_normal((12, 3, 5)), rng.integers(1, 5, (3, 4))
    leaf = torch.from_numpy(x).requires_grad_()
    value = torch.nn.functional.ctc_loss(
        leaf, torch.from_numpy(targets), torch.tensor([12, 9, 12]), torch.tensor([4, 2, 0]), reduction="sum"
    )
    value.backward()
    mine, grad = losslib.ctc_loss.value_and_grad(x, targets, [12, 9, 12], [4, 2, 0], reduction="sum")
    assert mine == pytest.approx(value.item(), rel=1e-13)
    np.testing.assert_allclose(grad, leaf.grad.numpy(), atol=1e-13)


def test_a_class_at_minus_infinity_has_gradient_zero_where_pytorch_gives_nan() -> None:
    torch = pytest.importorskip("torch")
    log_probs = np.log(np.full((5, 1, 3), 1 / 3))
    log_probs[2, 0, 2] = -np.inf
    leaf = torch.from_numpy(log_probs).requires_grad_()
    value = torch.nn.functional.ctc_loss(leaf, torch.tensor([[1]]), torch.tensor([5]), torch.tensor([1]))
    value.backward()
    mine, grad = losslib.ctc_loss.value_and_grad(log_probs, [[1]], [5], [1])
    assert mine == pytest.approx(value.item(), rel=1e-13)
    theirs = leaf.grad.numpy()
    assert np.isnan(theirs[2, 0, 2])
    assert grad[2, 0, 2] == 0.0
    others = np.isfinite(theirs)
    np.testing.assert_allclose(grad[others], theirs[others], atol=1e-14)


def test_unchecked_a_blank_in_the_target_follows_pytorch() -> None:
    """All but PyTorch's gradient of the last frame, which takes the last two states to be different classes."""
    torch = pytest.importorskip("torch")
    log_probs = torch.log_softmax(torch.from_numpy(np.random.default_rng(4).standard_normal((9, 2, 4))), 2)
    targets, lengths = torch.tensor([[0, 1, 0], [2, 0, 0]]), (torch.tensor([9, 9]), torch.tensor([3, 3]))
    value, grad = in_torch(log_probs, np.ones(()), targets, *lengths, reduction="sum")
    mine, slope = losslib.ctc_loss.value_and_grad(
        log_probs.numpy(), targets.numpy(), [9, 9], [3, 3], reduction="sum", check=False
    )
    assert mine == pytest.approx(float(value), rel=1e-13)
    np.testing.assert_allclose(slope[:-1], grad[:-1], atol=1e-13)
    np.testing.assert_allclose(slope.sum(axis=2), 0.0, atol=1e-13)
    assert abs(grad[-1].sum()) > 0.1


def test_optax_agrees() -> None:
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(5)
    logits, targets = rng.standard_normal((20, 4, 6)).astype(np.float32), rng.integers(1, 6, (4, 5))
    frames, lengths = np.array([20, 20, 15, 12]), np.array([5, 3, 0, 4])

    def total(x: Any) -> Any:
        paddings = (np.arange(20) >= frames[:, np.newaxis]) * 1.0, (np.arange(5) >= lengths[:, np.newaxis]) * 1.0
        return optax.ctc_loss(x.transpose(1, 0, 2), paddings[0], targets, paddings[1]).sum()

    value, grad = jax.value_and_grad(total)(jax.numpy.asarray(logits))
    mine, slope = losslib.ctc_loss_with_logits.value_and_grad(logits, targets, frames, lengths, reduction="sum")
    assert mine == pytest.approx(float(value), rel=1e-5)
    np.testing.assert_allclose(slope, np.asarray(grad), atol=1e-5)
