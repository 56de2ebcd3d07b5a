"""Losses of large vocabularies from their definitions, with all logits and in plain NumPy."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from losslib.declaration.schema import LossInfo

GEOMETRIES = ("linear_softmax", "sampled", "tree_path", "adaptive_softmax")


def draw(info: LossInfo, rows: int = 6, classes: int = 4) -> list[np.ndarray]:
    """Draw a few rows; every number is a float32, so that both precisions see it."""
    rng = np.random.default_rng(zlib.crc32(info.name.encode()))
    numbers = {
        "sampled": [rng.standard_normal((rows, classes))],
        "linear_softmax": [
            rng.standard_normal((rows, 5)), rng.standard_normal((classes, 5)), rng.standard_normal(classes)
        ],
        # Three frequent classes and one cluster of nine: with div_value=2 it is five classes of two components.
        "adaptive_softmax": [
            rng.standard_normal((rows, 5)), rng.standard_normal((4, 5)),
            rng.standard_normal(14), rng.standard_normal(4),
        ],
        "tree_path": [rng.standard_normal((rows, 5)), rng.standard_normal((classes, 5)), rng.standard_normal(classes)],
    }[info.geometry]  # fmt: skip
    found = [array.astype(np.float32).astype(np.float64) for array in numbers]
    if info.geometry == "sampled":
        return found
    target = np.resize(rng.permutation(classes + (info.geometry == "tree_path")), rows)
    if info.geometry == "adaptive_softmax":
        target = np.resize(rng.permutation(5), rows)
    place = info.input_names.index("target")
    drawn = [*found[:place], target, *found[place:]]
    if info.geometry == "tree_path":  # paths of any nodes, of which some end early
        ends = np.arange(3) < rng.integers(1, 4, (rows, 1))
        table = np.where(ends, rng.integers(0, classes, (rows, 3)), -1)
        drawn += [table, rng.integers(0, 2, (rows, 3)).astype(np.float64)]
    return drawn


def linear(x: np.ndarray, w: np.ndarray, t: np.ndarray, bias: Any, o: dict[str, Any]) -> np.ndarray:
    z = x @ w.T + (0.0 if bias is None else bias)
    if o["softcap"] is not None:
        z = o["softcap"] * np.tanh(z / o["softcap"])
    lp = special.log_softmax(z, axis=1)
    y = np.eye(len(w))[t] if t.ndim == 1 else t
    y = y * (1 - o["label_smoothing"]) + o["label_smoothing"] / len(w)
    weight = np.ones(len(w)) if o.get("weight") is None else np.asarray(o["weight"])
    return np.asarray(-(weight * y * lp).sum(1) + o["z_loss"] * special.logsumexp(z, axis=1) ** 2)


def corrected(x: np.ndarray, o: dict[str, Any]) -> tuple[np.ndarray, int]:
    z, true = x.copy(), o["num_true"]
    if o["true_log_expected"] is not None:
        z[:, :true] -= np.asarray(o["true_log_expected"])
    if o["sampled_log_expected"] is not None:
        z[:, true:] -= np.asarray(o["sampled_log_expected"])
    if o["accidental_hits"] is not None:
        z[:, true:] = np.where(np.asarray(o["accidental_hits"]) != 0, -1e300, z[:, true:])
    return z, true


def sampled_softmax(x: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    z, true = corrected(x, o)
    return np.asarray(special.logsumexp(z, axis=1) - z[:, :true].mean(1))


def noise_contrastive(x: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    z, true = corrected(x, o)
    return np.asarray(np.logaddexp(0, z).sum(1) - z[:, :true].mean(1))


def complete_path(target: int, classes: int) -> tuple[list[int], list[int]]:
    """Return the nodes and the answers on the way to a class of the complete tree, as Paddle's SimpleCode has them."""
    code = target + classes
    places = range(code.bit_length() - 1)
    return [(code >> (j + 1)) - 1 for j in places], [(code >> j) & 1 for j in places]


def hsigmoid(
    x: np.ndarray, t: np.ndarray, nodes: np.ndarray, bias: Any, table: Any, code: Any, o: dict[str, Any]
) -> np.ndarray:
    values = []
    for k, (row, y) in enumerate(zip(x, t, strict=True)):
        way, answers = (table[k], code[k]) if table is not None else complete_path(int(y), len(nodes) + 1)
        value = 0.0
        for node, bit in zip(way, answers, strict=True):
            if node < 0:
                break
            z = row @ nodes[node] + (0.0 if bias is None else bias[node])
            value += np.logaddexp(0, z) - bit * z
        values.append(value)
    return np.array(values)


def in_pairs(row: np.ndarray, sizes: list[tuple[int, int]], components: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut a row of numbers into a projection and class vectors for each tail, of (width, classes)."""
    pairs, rest = [], row
    for h, count in sizes:
        projection, weight, rest = np.split(rest, [h * components, h * (components + count)])
        pairs.append((projection.reshape(h, components), weight.reshape(count, h)))
    assert not rest.size
    return pairs


def adaptive(x: np.ndarray, t: np.ndarray, head: np.ndarray, tails: Any, bias: Any, o: dict[str, Any]) -> np.ndarray:
    """The logarithm of the probability of every class, of which one is taken."""
    if isinstance(tails, np.ndarray):
        h = int(x.shape[1] / o["div_value"])
        tails = in_pairs(tails, [(h, len(tails) // h - x.shape[1])], x.shape[1])
    frequent = len(head) - len(tails)
    top = special.log_softmax(x @ head.T + (0.0 if bias is None else bias), axis=1)
    parts = [top[:, :frequent]]
    for k, (projection, weight) in enumerate(tails):
        parts.append(top[:, [frequent + k]] + special.log_softmax(x @ projection.T @ weight.T, axis=1))
    return np.asarray(-np.concatenate(parts, axis=1)[np.arange(len(x)), t])


#: The values of samples by loss: a function of the inputs and of all parameters.
DEFINITIONS: dict[str, Callable[..., Any]] = {
    "linear_cross_entropy": linear,
    "sampled_softmax_loss": sampled_softmax,
    "nce_loss": noise_contrastive,
    "hsigmoid_loss": hsigmoid,
    "adaptive_log_softmax_with_loss": adaptive,
}
