"""rnnt_loss is what PyTorch's operations give: the forward recursion alone, differentiated by its autograd.

PyTorch has no RNN-T loss and torchaudio has given up its own; the lattice here has no backward recursion, no shares and
no formula of the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import DTYPES, assert_agree

torch = pytest.importorskip("torch")


def torch_loss(log_probs: Any, labels: np.ndarray, blank: int) -> Any:
    """Return -log P of one sample, log_probs (T, U + 1, C), by anti-diagonals of tensors."""
    frames, columns = log_probs.shape[0], len(labels) + 1
    alpha: dict[tuple[int, int], Any] = {(0, 0): log_probs.new_zeros(())}
    for d in range(1, frames + columns - 1):
        for u in range(max(0, d - frames + 1), min(d, columns - 1) + 1):
            t = d - u
            ways = []
            if t:
                ways.append(alpha[t - 1, u] + log_probs[t - 1, u, blank])
            if u:
                ways.append(alpha[t, u - 1] + log_probs[t, u - 1, int(labels[u - 1])])
            alpha[t, u] = torch.logsumexp(torch.stack(ways), 0)
    return -(alpha[frames - 1, columns - 1] + log_probs[frames - 1, columns - 1, blank])


@pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("size", [(3, 6, 4, 5), (2, 25, 9, 70), (4, 3, 8, 2)], ids=str)
def test_value_and_gradient_are_those_of_autograd(
    size: tuple[int, int, int, int], fused: bool, reduction: str, dtype: Any
) -> None:
    samples, most_frames, most_labels, classes = size
    rng = np.random.default_rng(size)
    blank = int(rng.integers(classes))
    logits = (2 * rng.standard_normal((samples, most_frames, most_labels + 1, classes))).astype(dtype)
    targets = rng.integers(0, classes - 1, (samples, most_labels))
    targets += targets >= blank
    frames, labels = rng.integers(1, most_frames + 1, samples), rng.integers(0, most_labels + 1, samples)
    tensor = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    log_probs = torch.log_softmax(tensor, -1) if fused else tensor
    values = torch.stack(
        [
            torch_loss(log_probs[n, :t, : u + 1], targets[n, :u], blank)
            for n, (t, u) in enumerate(zip(frames, labels, strict=True))
        ]
    )
    total = values.mean() if reduction == "mean" else values.sum()
    total.backward(torch.tensor(-1.5, dtype=torch.float64))
    value, gradient = losslib.rnnt_loss.value_and_grad(
        logits, targets, frames, labels, blank=blank, reduction=reduction, fused_log_softmax=fused, grad_output=-1.5
    )
    assert_agree(value, total.item(), dtype)
    assert_agree(gradient, tensor.grad.numpy(), dtype, size=16.0)
    assert losslib.rnnt_loss(torch.tensor(logits), torch.tensor(targets), torch.tensor(frames), torch.tensor(labels),
                             blank=blank, reduction=reduction, fused_log_softmax=fused) == value  # fmt: skip
