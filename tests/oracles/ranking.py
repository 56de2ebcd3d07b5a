"""Ranking losses of one list written from their definitions, as loops over all pairs of items.

Scores may be any numbers that `exp` and `log` understand: floats, mpmath's, or numbers that carry their derivatives.
What a loss holds constant in its derivatives (ranks, and the weights made of them) is computed from plain floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["KERNELS", "Math", "differences", "list_value"]

Numbers = Sequence[Any]


class Math:
    """exp and log of the numbers in use, and what is made of them."""

    def __init__(self, exp: Callable[[Any], Any] = math.exp, log: Callable[[Any], Any] = math.log) -> None:
        self.exp, self.log = exp, log

    def softplus(self, x: Any) -> Any:
        return self.log(1 + self.exp(x)) if plain(x) < 0 else x + self.log(1 + self.exp(-x))

    def sigmoid(self, x: Any) -> Any:
        return 1 / (1 + self.exp(-x)) if plain(x) >= 0 else self.exp(x) / (1 + self.exp(x))

    def lse(self, x: Numbers) -> Any:
        top = max(map(plain, x))
        return top + self.log(sum((self.exp(number - top) for number in x), start=0))


def plain(x: Any) -> float:
    return float(getattr(x, "value", x))


def ranks(x: Numbers) -> list[int]:
    """Ranks from 1 by falling score, ties by position."""
    order = sorted(range(len(x)), key=lambda i: (-plain(x[i]), i))
    return [order.index(i) + 1 for i in range(len(x))]


def gains(y: Numbers, p: dict[str, Any]) -> list[float]:
    if p.get("label_gain") is not None:
        return [float(p["label_gain"][int(label)]) for label in y]
    return [float(label) if p.get("gain") == "linear" else 2.0**label - 1 for label in y]


def ideal(y: Numbers, g: Numbers, topn: int | None) -> float:
    order = sorted(range(len(y)), key=lambda i: (-y[i], i))
    return sum(g[i] / math.log2(2 + k) for k, i in enumerate(order[:topn]))


def discount(rank: float) -> float:
    return 1 / math.log2(1 + rank)


def pair_weight(x: Numbers, y: Numbers, p: dict[str, Any], i: int, j: int) -> float:
    kind, topn = p.get("pair_weight", "none"), p.get("topn") or len(y)
    if kind == "none":
        return 1.0
    if kind == "label_diff":
        return abs(y[i] - y[j])
    g, best, r = gains(y, p), ideal(y, gains(y, p), topn), ranks(x)
    gap = abs(g[i] - g[j]) / best if best else 0.0
    cut = [discount(rank) if rank <= topn else 0.0 for rank in r]
    ndcg = gap * abs(cut[i] - cut[j])
    distance, worse = abs(r[i] - r[j]), max(r[i], r[j])
    ndcg2 = gap * (discount(distance) - discount(distance + 1))
    if worse > topn:
        ndcg2 /= 1 - discount(worse)
    return {"ndcg": ndcg, "ndcg2": ndcg2, "ndcg2pp": p.get("mu", 10.0) * ndcg2 + ndcg}[kind]


def by_pairs(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Sum a loss of (difference of scores, difference of labels) over the pairs of different labels."""

    def value(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
        pairs = [(i, j) for i in range(len(y)) for j in range(len(y)) if y[i] > y[j]]
        return sum(
            (w[i] * pair_weight(x, y, p, i, j) * loss(m, x[i] - x[j], y[i] - y[j], p) for i, j in pairs), start=0 * x[0]
        )

    return value


def logistic(m: Math, d: Any, gap: float, p: dict[str, Any]) -> Any:
    return m.softplus(-p.get("sigma", 1.0) * d)


def hinge(m: Math, d: Any, gap: float, p: dict[str, Any]) -> Any:
    rest = p.get("margin", 1.0) - d
    return (rest if p.get("p", 1) == 1 else rest * rest) if plain(rest) > 0 else 0 * d


def soft_zero_one(m: Math, d: Any, gap: float, p: dict[str, Any]) -> Any:
    return m.sigmoid(-p.get("sigma", 1.0) * d)


def pinball(m: Math, d: Any, gap: float, p: dict[str, Any]) -> Any:
    rest, tau = gap - d, p.get("tau", 0.5)
    factor = tau if plain(rest) > 0 else tau - 1
    return abs(factor) * rest * rest if p.get("squared") else factor * rest


def squared_errors(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    found = 0 * x[0]
    for i in range(len(y)):
        for j in range(len(y)):
            weighted = p.get("pair_weight", "none") != "none"
            if weighted and y[i] == y[j]:
                continue
            error = (x[i] - x[j]) - (y[i] - y[j])
            found = found + w[i] * pair_weight(x, y, p, i, j) * error * error
    return found


def lambda_weight(x: Numbers, y: Numbers, p: dict[str, Any], i: int, j: int) -> float:
    """The weight of a pair without its norm, found by exchanging the two items."""
    metric, level, r = p.get("metric", "ndcg"), p.get("truncation_level", 30), ranks(x)
    if metric == "pairwise":
        return 1.0
    if metric == "ndcg":
        g = gains(y, p)
        best = ideal(y, g, level)
        return abs(g[i] - g[j]) * abs(discount(r[i]) - discount(r[j])) / best if best else 0.0

    def average_precision(order: list[int]) -> float:
        hits, total = 0, 0.0
        for k, item in enumerate(order, 1):
            hits += y[item] > 0
            total += (y[item] > 0) * hits / k
        return total / sum(label > 0 for label in y)

    order = sorted(range(len(y)), key=lambda item: r[item])
    swapped = [{i: j, j: i}.get(item, item) for item in order]
    return abs(average_precision(order) - average_precision(swapped))


def lambdarank(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    if p.get("symmetric"):
        one = {**p, "symmetric": False}
        other = [max(y) - label for label in y]
        return (lambdarank(m, x, y, one, w) + lambdarank(m, [-number for number in x], other, one, w)) / 2
    sigma, norm, r = p.get("sigma", 1.0), p.get("norm", "both"), ranks(x)
    scores = [plain(number) for number in x]
    found, slopes = 0 * x[0], 0.0
    for i in range(len(y)):
        for j in range(len(y)):
            if not y[i] > y[j] or min(r[i], r[j]) > p.get("truncation_level", 30):
                continue
            delta = w[i] * lambda_weight(x, y, p, i, j)
            if norm in ("score", "both") and max(scores) != min(scores):
                delta /= 0.01 + abs(scores[i] - scores[j])
            found = found + delta * m.softplus(-sigma * (x[i] - x[j]))
            slopes += 2 * delta * sigma * Math().sigmoid(-sigma * (scores[i] - scores[j]))
    return found * math.log2(1 + slopes) / slopes if norm in ("sum", "both") and slopes > 0 else found


def softmax(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    beta, epsilon = p.get("beta", 1.0), p.get("epsilon", 0.0)
    kind, total = p.get("target_transform", "softmax" if p.get("listnet") else "none"), sum(y)
    target = list(y)
    if kind == "softmax":
        target = [math.exp(label - max(y)) for label in y]
        target = [part / sum(target) for part in target]
        total = 1.0
    if kind == "normalize":
        target = [part / total if total else 1 / len(y) for part in target]
    target = [wi * part for wi, part in zip(w, target, strict=True)]
    portion = [part / sum(target) if sum(target) else 1 / len(y) for part in target]
    logs = [beta * number - m.lse([beta * other for other in x]) for number in x]
    found = sum((-t * log for t, log in zip(target, logs, strict=True)), start=0 * x[0])
    return found + epsilon * (1 - sum((t * m.exp(log) for t, log in zip(portion, logs, strict=True)), start=0 * x[0]))


def unique_softmax(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    g = gains(y, p)
    return sum(
        (w[i] * g[i] * (m.lse([x[i], *(x[j] for j in range(len(y)) if y[j] < y[i])]) - x[i]) for i in range(len(y))),
        start=0 * x[0],
    )


def plackett_luce(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    order = sorted(range(len(y)), key=lambda i: (-y[i], i))
    return sum(
        (w[i] * (m.lse([x[j] for j in order[k:]]) - x[i]) for k, i in enumerate(order[: p.get("topn") or len(y)])),
        start=0 * x[0],
    )


def xe_ndcg(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    if len(y) < 2:
        return 0 * x[0]
    gamma = p.get("gamma", [0.0] * len(y))
    worth = [wi * (2.0**label - g) for wi, label, g in zip(w, y, gamma, strict=True)]
    return sum((-part / max(sum(worth), 1e-15) * (x[i] - m.lse(x)) for i, part in enumerate(worth)), start=0 * x[0])


def smooth_rank(m: Math, x: Numbers, p: dict[str, Any], i: int) -> Any:
    return 1 + sum(
        (m.sigmoid((x[j] - x[i]) / p.get("temperature", 1.0)) for j in range(len(x)) if j != i), start=0 * x[0]
    )


def approx_ndcg(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    g = [wi * gain for wi, gain in zip(w, gains(y, p), strict=True)]
    best = sum(gain / math.log2(2 + k) for k, gain in enumerate(sorted(g, reverse=True)))
    if best == 0:
        return 0 * x[0]
    logs = [m.log(1 + smooth_rank(m, x, p, i)) / math.log(2) for i in range(len(y))]
    return sum((-gain / best / log for gain, log in zip(g, logs, strict=True)), start=0 * x[0])


def approx_mrr(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    found = [(smooth_rank(m, x, p, i), i) for i in range(len(y)) if y[i] >= 1]
    if not found:
        return 0 * x[0]
    rank, i = min(found, key=lambda pair: plain(pair[0]))
    return -w[i] / rank


def neural_ndcg(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    n, temperature, topn = len(y), p.get("temperature", 1.0), p.get("topn") or len(y)
    g = [wi * gain for wi, gain in zip(w, gains(y, p), strict=True)]
    best = sum(gain / math.log2(2 + k) for k, gain in enumerate(sorted(g, reverse=True)[:topn]))
    if best == 0:
        return 0 * x[0]

    def distance(a: Any, b: Any) -> Any:
        return a - b if plain(a) >= plain(b) else b - a

    spread = [sum((distance(x[j], other) for other in x), start=0 * x[0]) for j in range(n)]
    matrix = []
    for i in range(n):
        z = [((n - 1 - 2 * i) * x[j] - spread[j]) / temperature for j in range(n)]
        matrix.append([m.exp(part - m.lse(z)) for part in z])
    for _ in range(p.get("max_iter", 50)):
        sums = [sum((row[j] for row in matrix), start=0 * x[0]) for j in range(n)]
        matrix = [[part / whole for part, whole in zip(row, sums, strict=True)] for row in matrix]
        matrix = [[part / sum(row, start=0 * x[0]) for part in row] for row in matrix]
        if max(abs(plain(sum((row[j] for row in matrix), start=0 * x[0])) - 1) for j in range(n)) < p.get("tol", 1e-6):
            break
    found = 0 * x[0]
    for i in range(min(topn, n)):
        found = found - sum((matrix[i][j] * g[j] for j in range(n)), start=0 * x[0]) / (math.log2(2 + i) * best)
    return found


def area(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    surrogate, margin = p.get("surrogate", "squared_hinge"), p.get("margin", 1.0)
    positives, negatives = ([i for i in range(len(y)) if y[i] == label] for label in (1, 0))
    found = 0 * x[0]
    for i in positives:
        for j in negatives:
            d = x[i] - x[j]
            if surrogate == "square":
                part = (margin - d) * (margin - d)
            elif surrogate == "logistic":
                part = m.softplus(-d)
            else:
                part = hinge(m, d, 1.0, {"margin": margin, "p": 1 if surrogate == "hinge" else 2})
            found = found + w[i] * part
    pairs = len(positives) * len(negatives)
    return found / pairs if pairs else found


def query_rmse(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    d = [number - label for number, label in zip(x, y, strict=True)]
    mean = sum((wi * error for wi, error in zip(w, d, strict=True)), start=0 * x[0]) / sum(w)
    squares = sum((wi * (error - mean) * (error - mean) for wi, error in zip(w, d, strict=True)), start=0 * x[0])
    if not p.get("root"):
        return squares
    return m.exp(0.5 * m.log(squares / sum(w))) if len(y) > 1 else squares


def auc_margin(m: Math, x: Numbers, y: Numbers, p: dict[str, Any], w: Numbers) -> Any:
    a, b, alpha = (p.get(name, 0.0) for name in ("a", "b", "alpha"))
    total, positive = sum(w), sum(wi for wi, label in zip(w, y, strict=True) if label)
    by_class, share, one_class = p.get("version", "v1") == "v2", p.get("imratio"), positive in (0, total)
    if one_class and (by_class or share is None):
        return 0 * x[0]
    share = positive / total if share is None else share
    of = (1 / (total - positive), 1 / positive) if by_class else (share / total, (1 - share) / total)
    scale = 1.0 if by_class else share * (1 - share)
    found = 0 * x[0] + scale * (2 * alpha * p.get("margin", 1.0) - alpha * alpha)
    for number, label, wi in zip(x, y, w, strict=True):
        d = number - (a if label else b)
        found = found + wi * of[int(label)] * (d * d + (-2 if label else 2) * alpha * number)
    return found


#: Kernel of a declaration -> value of a list.
KERNELS: dict[str, Callable[..., Any]] = {
    "logistic": by_pairs(logistic),
    "hinge": by_pairs(hinge),
    "soft_zero_one": by_pairs(soft_zero_one),
    "pinball": by_pairs(pinball),
    "squared_errors": squared_errors,
    "lambdarank": lambdarank,
    "softmax": softmax,
    "unique_softmax": unique_softmax,
    "plackett_luce": plackett_luce,
    "xe_ndcg": xe_ndcg,
    "approx_ndcg": approx_ndcg,
    "approx_mrr": approx_mrr,
    "neural_ndcg": neural_ndcg,
    "area": area,
    "query_rmse": query_rmse,
    "auc_margin": auc_margin,
}


def list_value(
    info: Any, x: Numbers, y: Numbers, parameters: dict[str, Any], weight: Numbers | None = None, m: Math | None = None
) -> Any:
    """Return the value of one list; x may hold any numbers that `m` understands."""
    settings = {**parameters, "listnet": info.name == "listnet_loss"}
    if not len(y):
        return 0.0
    labels, weights = [float(label) for label in y], [1.0] * len(y) if weight is None else [float(w) for w in weight]
    return KERNELS[str(info.kernel)](m or Math(), list(x), labels, settings, weights)


def differences(function: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Return the gradient of a function by central differences."""
    grad = np.empty_like(x)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        grad[place] = (function(up) - function(down)) / (2 * step)
    return grad
