"""CTC by its definition: every path of a few frames, and the plain recursion in logarithms for many."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

Labels = tuple[int, ...]


def collapse(path: tuple[int, ...], blank: int) -> Labels:
    """Merge what repeats, then leave out blanks."""
    return tuple(c for c, _ in itertools.groupby(path) if c != blank)


@dataclass
class Explained:
    """What the paths of one target add up to: its probability, and that share of it with a class at a frame."""

    probability: float
    posterior: np.ndarray  # (T, C)


def all_targets(log_probs: np.ndarray, blank: int) -> dict[Labels, Explained]:
    """Go through all C^T paths of one sample and add each to the target that it gives."""
    frames, classes = log_probs.shape
    found: dict[Labels, Explained] = {}
    for path in itertools.product(range(classes), repeat=frames):
        weight = float(np.exp(sum(log_probs[t, c] for t, c in enumerate(path))))
        entry = found.setdefault(collapse(path, blank), Explained(0.0, np.zeros((frames, classes))))
        entry.probability += weight
        for t, c in enumerate(path):
            entry.posterior[t, c] += weight
    return found


def best_paths(log_probs: np.ndarray, blank: int) -> dict[Labels, float]:
    """Return the log-probability of the best path of every target."""
    frames, classes = log_probs.shape
    best: dict[Labels, float] = {}
    for path in itertools.product(range(classes), repeat=frames):
        weight = float(sum(log_probs[t, c] for t, c in enumerate(path)))
        labels = collapse(path, blank)
        best[labels] = max(best.get(labels, -np.inf), weight)
    return best


def log_softmax(x: np.ndarray) -> np.ndarray:
    """Return the log-probabilities of the last axis."""
    shifted = x - x.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def sums_over_paths(log_probs: np.ndarray, labels: list[int], blank: int = 0) -> tuple[float, np.ndarray]:
    """Return the value of one sample and the posteriors, by the textbook recursion in logarithms."""
    frames, classes = log_probs.shape
    states = np.array([blank, *itertools.chain.from_iterable((label, blank) for label in labels)])
    emission = log_probs[:, states]
    skips = np.zeros(states.size, bool)
    skips[2:] = states[2:] != states[:-2]
    alpha = one_direction(emission, skips)
    backward_skips = np.zeros(states.size, bool)
    backward_skips[2:] = states[::-1][2:] != states[::-1][:-2]
    beta = one_direction(emission[::-1, ::-1], backward_skips)[::-1, ::-1]
    with np.errstate(invalid="ignore"):
        both = np.where(np.isfinite(emission), alpha + beta - emission, -np.inf)
    total = np.logaddexp.reduce(both[0])
    posterior = np.zeros((frames, classes))
    for s, c in enumerate(states):
        posterior[:, c] += np.exp(both[:, s] - total)
    return -float(total), posterior


def one_direction(emission: np.ndarray, skips: np.ndarray) -> np.ndarray:
    """Sum over the paths from the first state to each state, frame by frame."""
    sums = np.full(emission.shape, -np.inf)
    sums[0, :2] = emission[0, :2]
    for t in range(1, len(emission)):
        before = sums[t - 1]
        one = np.concatenate([[-np.inf], before[:-1]])
        two = np.where(skips, np.concatenate([[-np.inf, -np.inf], before[:-2]])[: before.size], -np.inf)
        sums[t] = np.logaddexp(np.logaddexp(before, one), two) + emission[t]
    return sums
