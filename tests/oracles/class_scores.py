"""Losses of classes of which more is known, and of ordered classes, from their definitions in plain NumPy and SciPy."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from losslib.declaration.schema import LossInfo

GEOMETRIES = ("softmax_classes", "ordinal", "agreement")


def draw(info: LossInfo, rows: int = 6, classes: int = 4) -> list[np.ndarray]:
    """Draw rows of scores with a class, cosines where the loss takes those; or scores and their thresholds.

    Every number is a float32, so that both precisions see it.
    """
    rng = np.random.default_rng(zlib.crc32(info.name.encode()))
    target = np.resize(rng.permutation(classes + (info.geometry == "ordinal")), rows)
    if info.input_names[-1] == "thresholds":
        return [as_float32(rng.standard_normal(rows)), target, np.array([-1.25, -0.5, 0.5, 1.0])]
    scores = rng.standard_normal((rows, classes))
    return [as_float32(np.tanh(scores) if "cosines" in info.tags else scores), target]


def as_float32(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32).astype(np.float64)


def one_hot(t: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes)[t] if t.ndim == 1 else t


def log_softmax(x: np.ndarray) -> np.ndarray:
    return np.asarray(special.log_softmax(x, axis=1))


def class_weight(t: np.ndarray, o: dict[str, Any]) -> Any:
    return 1.0 if o.get("weight") is None else np.asarray(o["weight"])[t]


def counts_of(o: dict[str, Any], classes: int) -> np.ndarray:
    return np.ones(classes) if o.get("class_counts") is None else np.asarray(o["class_counts"], float)


def picked(z: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    """Cross entropy of logits, with classes or distributions as target."""
    weight = np.ones(z.shape[1]) if o.get("weight") is None else np.asarray(o["weight"])
    return np.asarray(-(weight * one_hot(t, z.shape[1]) * log_softmax(z)).sum(1))


def logit_adjusted(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    n = counts_of(o, x.shape[1])
    return picked(x + o["tau"] * np.log(n / n.sum()), t, o)


def ldam(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    n = counts_of(o, x.shape[1])
    margin = o["max_margin"] * (n.min() / n) ** 0.25
    return picked(o["scale"] * (x - one_hot(t, x.shape[1]) * margin[t][:, None]), t, o)


def seesaw(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    n = np.maximum(counts_of(o, x.shape[1]), 1.0)
    share = special.softmax(x, axis=1)
    z = x.copy()
    for i, y in enumerate(t):
        for c in range(x.shape[1]):
            if c != y:
                z[i, c] += o["p"] * np.log(min(1.0, n[c] / n[y]))
                z[i, c] += o["q"] * np.log(max(1.0, share[i, c] / max(share[i, y], o["eps"])))
    return picked(z, t, o)


def with_margin(x: np.ndarray, t: np.ndarray, o: dict[str, Any], margins: tuple[float, float, float],
                monotone: bool) -> np.ndarray:  # fmt: skip
    centers = o.get("sub_centers", 1)
    x = x.reshape(len(x), -1, centers).max(2)
    m1, m2, m3 = margins
    z = x.copy()
    for i, y in enumerate(t):
        theta = np.arccos(x[i, y])
        if monotone and m1 == 1.0 and theta + m2 > np.pi:
            z[i, y] = x[i, y] - m2 * np.sin(m2)
        elif monotone and m1 != 1.0:
            turns = np.floor((m1 * theta + m2) / np.pi)
            z[i, y] = (-1) ** turns * np.cos(m1 * theta + m2) - 2 * turns
        else:
            z[i, y] = np.cos(m1 * theta + m2)
        z[i, y] -= m3
    scale = 1.0 if o["scale"] is None else np.asarray(o["scale"])
    return picked((scale * z.T).T, t, o)


def entmax(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    a, y = o["alpha"], one_hot(t, x.shape[1])
    values = []
    for row, target in zip(x, y, strict=True):
        z = (a - 1) * row

        def missing(tau: float, z: np.ndarray = z) -> float:
            return float((np.maximum(z - tau, 0) ** (1 / (a - 1))).sum() - 1)

        tau = optimize.brentq(missing, z.max() - 1, z.max(), xtol=1e-15, rtol=1e-15, maxiter=500)
        p = np.maximum(z - tau, 0) ** (1 / (a - 1))
        values.append((p - target) @ row + (target**a - p**a).sum() / (a * (a - 1)))
    return np.array(values)


def bootstrap(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    lp = log_softmax(x)
    believed = lp.max(1) if o["hard"] else (np.exp(lp) * lp).sum(1)
    return np.asarray(class_weight(t, o) * (-o["beta"] * lp[np.arange(len(t)), t] - (1 - o["beta"]) * believed))


def normalized(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    lp = log_softmax(x)
    return np.asarray(class_weight(t, o) * lp[np.arange(len(t)), t] / lp.sum(1))


def evidential(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    evidence = {
        "softplus": lambda: np.logaddexp(0, x), "relu": lambda: np.maximum(x, 0),
        "exp": lambda: np.exp(np.minimum(x, 10)),
    }[o["evidence"]]()  # fmt: skip
    y, alpha = one_hot(t, x.shape[1]), evidence + 1
    s = alpha.sum(1, keepdims=True)
    error = {
        "mse": lambda: (y - alpha / s) ** 2 + alpha * (s - alpha) / (s**2 * (s + 1)),
        "log": lambda: y * (np.log(s) - np.log(alpha)),
        "digamma": lambda: y * (special.digamma(s) - special.digamma(alpha)),
    }[o["form"]]().sum(1)
    tilde = y + (1 - y) * alpha
    total = tilde.sum(1)
    kl = (
        special.gammaln(total) - special.gammaln(x.shape[1]) - special.gammaln(tilde).sum(1)
        + ((tilde - 1) * (special.digamma(tilde) - special.digamma(total)[:, None])).sum(1)
    )  # fmt: skip
    return np.asarray(error + o["kl_weight"] * kl)


def earth_mover(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    moved = np.cumsum(special.softmax(x, axis=1) - one_hot(t, x.shape[1]), axis=1)
    moved[:, -1] = 0.0
    total = (np.abs(moved) ** o["r"]).sum(1)
    return np.asarray((total / x.shape[1]) ** (1 / o["r"]) if o["root"] else total)


def class_distance(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    values = []
    for row, y in zip(x, t, strict=True):
        value = 0.0
        for c in range(len(row)):
            if c != y:
                value += abs(c - y) ** o["alpha"] * (special.logsumexp(row) - special.logsumexp(np.delete(row, c)))
        values.append(value)
    return np.asarray(class_weight(t, o) * np.array(values))


def coral(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    levels = (t[:, None] > np.arange(x.shape[1])).astype(float) if t.ndim == 1 else t
    weight = 1.0 if o["importance_weights"] is None else np.asarray(o["importance_weights"])
    return np.asarray((weight * (np.logaddexp(0, x) - levels * x)).sum(1))


def corn(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    k = np.arange(x.shape[1])
    return np.asarray(((t[:, None] >= k) * (np.logaddexp(0, x) - (t[:, None] > k) * x)).sum(1))


LINKS: dict[str, Any] = {"logit": stats.logistic, "probit": stats.norm, "cloglog": stats.gumbel_l}


def cumulative_link(x: np.ndarray, t: np.ndarray, thresholds: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    bounds = np.concatenate([[-np.inf], thresholds, [np.inf]])
    law, x = LINKS[o["link"]], x.reshape(-1)
    return np.asarray(-np.log(law.cdf(bounds[t + 1] - x) - law.cdf(bounds[t] - x)))


def weighted_kappa(x: np.ndarray, t: np.ndarray, o: dict[str, Any]) -> float:
    p, y, k = special.softmax(x, axis=1), one_hot(t, x.shape[1]), np.arange(x.shape[1])
    w = np.abs(k[:, None] - k) / (x.shape[1] - 1)
    w = w**2 if o["weights"] == "quadratic" else w
    score = (w * (y.T @ p)).sum() / ((w * np.outer(y.sum(0), p.sum(0)) / len(x)).sum() + o["eps"])
    return float(np.log(score + o["eps"]) if o["log"] else score)


#: The values of samples (or of a batch) by loss: a function of the inputs and of all parameters.
DEFINITIONS: dict[str, Callable[..., Any]] = {
    "logit_adjusted_cross_entropy": logit_adjusted,
    "ldam_loss": ldam,
    "seesaw_loss": seesaw,
    "margin_cross_entropy": lambda x, t, o: with_margin(
        x, t, o, (o["margin1"], o["margin2"], o["margin3"]), o["monotone"]
    ),
    "arcface_loss": lambda x, t, o: with_margin(x, t, o, (1.0, o["margin"], 0.0), True),
    "cosface_loss": lambda x, t, o: with_margin(x, t, o, (1.0, 0.0, o["margin"]), False),
    "sphereface_loss": lambda x, t, o: with_margin(x, t, o, (o["margin"], 0.0, 0.0), True),
    "entmax_loss": entmax,
    "bootstrap_cross_entropy": bootstrap,
    "normalized_cross_entropy": normalized,
    "evidential_loss": evidential,
    "emd_loss": earth_mover,
    "class_distance_cross_entropy": class_distance,
    "coral_loss": coral,
    "corn_loss": corn,
    "cumulative_link_loss": cumulative_link,
    "weighted_kappa_loss": weighted_kappa,
}
