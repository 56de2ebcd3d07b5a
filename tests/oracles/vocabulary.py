"""Losses of large vocabularies from their definitions, with all logits and in plain NumPy."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from losslib.declaration.schema import LossInfo

GEOMETRIES = ("linear_softmax", "sampled", "tree_path")


def draw(info: LossInfo, rows: int = 6, classes: int = 4) -> list[np.ndarray]:
    """Draw a few rows; every number is a float32, so that both precisions see it."""
    rng = np.random.default_rng(zlib.crc32(info.name.encode()))
    numbers = {
        "sampled": [rng.standard_normal((rows, classes))],
        "linear_softmax": [
            rng.standard_normal((rows, 5)), rng.standard_normal((classes, 5)), rng.standard_normal(classes)
        ],
        "tree_path": [rng.standard_normal((rows, 5)), rng.standard_normal((classes, 5)), rng.standard_normal(classes)],
    }[info.geometry]  # fmt: skip
    found = [array.astype(np.float32).astype(np.float64) for array in numbers]
    if info.geometry == "sampled":
        return found
    target = np.resize(rng.permutation(classes + (info.geometry == "tree_path")), rows)
    place = info.input_names.index("target")
    return [*found[:place], target, *found[place:]]


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


def hsigmoid(x: np.ndarray, t: np.ndarray, nodes: np.ndarray, bias: Any, o: dict[str, Any]) -> np.ndarray:
    values = []
    for row, y in zip(x, t, strict=True):
        code, value = int(y) + len(nodes) + 1, 0.0
        for j in range(code.bit_length() - 1):
            node, bit = (code >> (j + 1)) - 1, (code >> j) & 1
            z = row @ nodes[node] + (0.0 if bias is None else bias[node])
            value += np.logaddexp(0, z) - bit * z
        values.append(value)
    return np.array(values)


#: The values of samples by loss: a function of the inputs and of all parameters.
DEFINITIONS: dict[str, Callable[..., Any]] = {
    "linear_cross_entropy": linear,
    "sampled_softmax_loss": sampled_softmax,
    "nce_loss": noise_contrastive,
    "hsigmoid_loss": hsigmoid,
}
