"""What the page of rnnt_loss states, executed: values and gradients are those of a sum over all paths.

Every path of blanks and labels through a small lattice is written out and its probability multiplied up: no recursion,
no logarithm but the last, nothing in common with the kernel. FastEmit and clamp are applied to the enumerated shares.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from verify import Disagreement

import losslib

#: (t, u, class) of each symbol of a path.
Path = list[tuple[int, int, int]]

TOLERANCE = 1e-11
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"blank": 0},
    {"fused_log_softmax": False},
    {"fastemit_lambda": 0.5},
    {"clamp": 0.05},
    {"fused_log_softmax": False, "fastemit_lambda": 0.5, "clamp": 0.3},
)


@dataclass
class PathCheck:
    """How many lattices and numbers were compared, and the largest deviation."""

    lattices: int = 0
    paths: int = 0
    numbers: int = 0
    largest: float = 0.0


def paths(frames: int, labels: list[int], blank: int) -> Iterator[Path]:
    """Go through the paths that write the labels: T blanks and U labels in any order that ends with a blank."""
    for places in itertools.combinations(range(frames + len(labels) - 1), len(labels)):
        path: Path = []
        t = u = 0
        for i in range(frames + len(labels)):
            path.append((t, u, labels[u] if i in places else blank))
            t, u = (t, u + 1) if i in places else (t + 1, u)
        yield path


def enumerated(
    logits: np.ndarray, labels: list[int], blank: int, fused: bool, fastemit: float, clamp: float
) -> tuple[float, np.ndarray, int]:
    """Return the value and the gradient of one sample (T, U + 1, C), and the number of its paths."""
    weights = np.exp(logits)
    probabilities = weights / weights.sum(axis=-1, keepdims=True) if fused else weights
    total, count = 0.0, 0
    taken = np.zeros(logits.shape)  # probability of all paths with this symbol
    for path in paths(len(logits), labels, blank):
        probability = math.prod(float(probabilities[symbol]) for symbol in path)
        total += probability
        count += 1
        for symbol in path:
            taken[symbol] += probability
    shares = taken / total
    emphasis = np.full(logits.shape[-1], 1.0 + fastemit)
    emphasis[blank] = 1.0
    shares *= emphasis
    gradient = -shares
    if fused:
        gradient += probabilities * shares.sum(axis=-1, keepdims=True)
    return -math.log(total), np.clip(gradient, -clamp, clamp) if clamp > 0 else gradient, count


def check_paths() -> PathCheck:
    """Compare rnnt_loss with the enumeration for each setting; raise `Disagreement` at the first difference."""
    result = PathCheck()
    random = np.random.default_rng(34)
    for settings in SETTINGS:
        loss = losslib.RNNTLoss(reduction="sum", **settings)
        for frames, labels in itertools.product((1, 2, 4), (0, 1, 3)):
            classes = 4
            blank = loss.blank % classes
            others = [c for c in range(classes) if c != blank]
            target = random.choice(others, labels)
            logits = 1.5 * random.standard_normal((1, frames, labels + 1, classes))
            value, gradient = loss.value_and_grad(logits, target[np.newaxis], [frames], [labels])
            expected, slope, count = enumerated(
                logits[0], target.tolist(), blank, loss.fused_log_softmax, loss.fastemit_lambda, loss.clamp
            )
            deviation = max(abs(value - expected), float(np.abs(gradient[0] - slope).max()))
            if not deviation <= TOLERANCE:
                raise Disagreement(
                    f"rnnt_loss: {loss!r} at T={frames}, U={labels} differs from the sum over its {count} paths by "
                    f"{deviation:.3g}"
                )
            result.lattices += 1
            result.paths += count
            result.numbers += gradient.size + 1
            result.largest = max(result.largest, deviation)
    return result


if __name__ == "__main__":
    print(check_paths())
