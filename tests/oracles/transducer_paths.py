"""The RNN transducer's loss from its definition, for tests: every path enumerated, and a lattice in plain NumPy.

``enumerated`` adds the probabilities of all paths and knows no recursion; ``lattice`` is the textbook recursion, one
node at a time. Neither shares a line with the kernels. Arrays are those of one sample, cut to its lengths: log_probs
(T, U + 1, C), labels (U,).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np


def log_softmax(x: np.ndarray) -> np.ndarray:
    """Return the logarithm of the softmax over the last axis, in float64."""
    x = x.astype(np.float64)
    shifted = x - x.max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def paths(frames: int, labels: np.ndarray, blank: int) -> Iterator[list[tuple[int, int, int]]]:
    """Go through all paths: (t, u, class) of each symbol; the last symbol is the blank that leaves the last frame."""
    for places in itertools.combinations(range(frames + len(labels) - 1), len(labels)):
        t = u = 0
        path = []
        for i in range(frames + len(labels)):
            if i in places:
                path.append((t, u, int(labels[u])))
                u += 1
            else:
                path.append((t, u, blank))
                t += 1
        yield path


def enumerated(log_probs: np.ndarray, labels: np.ndarray, blank: int) -> tuple[float, np.ndarray]:
    """Return -log of the sum over all paths, and its derivative with respect to log_probs."""
    listed = list(paths(len(log_probs), labels, blank))
    scores = np.array([sum(log_probs[symbol] for symbol in path) for path in listed])
    total = np.logaddexp.reduce(scores)
    slope = np.zeros(log_probs.shape)
    for path, score in zip(listed, scores, strict=True):
        for symbol in path:
            slope[symbol] -= np.exp(score - total)
    return -float(total), slope


def lattice(log_probs: np.ndarray, labels: np.ndarray, blank: int, emphasis: float = 1.0) -> tuple[float, np.ndarray]:
    """Return the same by recursion over the nodes; ``emphasis`` multiplies the derivative by emitted labels."""
    frames, columns, _ = log_probs.shape
    alpha = np.full((frames, columns), -np.inf)
    beta = np.full((frames + 1, columns + 1), -np.inf)
    beta[frames, columns - 1] = 0.0
    alpha[0, 0] = 0.0
    for t, u in np.ndindex(frames, columns):
        if t:
            alpha[t, u] = np.logaddexp(alpha[t, u], alpha[t - 1, u] + log_probs[t - 1, u, blank])
        if u:
            alpha[t, u] = np.logaddexp(alpha[t, u], alpha[t, u - 1] + log_probs[t, u - 1, labels[u - 1]])
    for t in reversed(range(frames)):
        for u in reversed(range(columns)):
            beta[t, u] = beta[t + 1, u] + log_probs[t, u, blank]
            if u < columns - 1:
                beta[t, u] = np.logaddexp(beta[t, u], beta[t, u + 1] + log_probs[t, u, labels[u]])
    slope = np.zeros(log_probs.shape)
    for t, u in np.ndindex(frames, columns):
        slope[t, u, blank] = -np.exp(alpha[t, u] + log_probs[t, u, blank] + beta[t + 1, u] - beta[0, 0])
        if u < columns - 1:
            step = alpha[t, u] + log_probs[t, u, labels[u]] + beta[t, u + 1] - beta[0, 0]
            slope[t, u, labels[u]] = -emphasis * np.exp(step)
    return -float(beta[0, 0]), slope


def through_softmax(slope: np.ndarray, log_probs: np.ndarray) -> np.ndarray:
    """Turn a derivative with respect to log-probabilities into that with respect to the logits."""
    return slope - np.exp(log_probs) * slope.sum(axis=-1, keepdims=True)


def batch(
    logits: np.ndarray, targets: np.ndarray, frames: np.ndarray, labels: np.ndarray, *, blank: int = -1,
    fused: bool = True, fastemit: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the value of each sample of a padded batch and the gradient of its own value, by `lattice`."""
    values = np.zeros(len(logits))
    gradient = np.zeros(logits.shape)
    for n, (t, u) in enumerate(zip(frames, labels, strict=True)):
        part = logits[n, :t, : u + 1].astype(np.float64)
        log_probs = log_softmax(part) if fused else part
        values[n], slope = lattice(log_probs, targets[n, :u], blank % logits.shape[3], 1.0 + fastemit)
        gradient[n, :t, : u + 1] = through_softmax(slope, log_probs) if fused else slope
    return values, gradient
