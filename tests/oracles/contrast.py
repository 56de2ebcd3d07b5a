"""Losses of batches of vectors from their definitions: loops over rows and pairs in plain NumPy."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from losslib import geometries
from losslib.declaration.schema import LossInfo

#: Components of a vector that is drawn.
COMPONENTS = 4


def draw(info: LossInfo, rows: int = 6) -> list[Any]:
    """Draw a small batch; every number is a float32, so that both precisions see it."""
    rng = np.random.default_rng(zlib.crc32(info.name.encode()))
    values = {item.name: item.default for item in info.parameters}
    labels = np.arange(rows) % 3 if "input1" not in info.input_names else np.arange(rows)
    centers = rng.standard_normal((max(3, rows), COMPONENTS))
    geometry: Any = geometries.find(info.geometry)
    drawn: list[Any] = []
    for item in info.inputs:
        array = geometry.draw_input(item.name, values, rng, centers, labels)
        drawn.append(array.astype(np.float32).astype(np.float64) if array.dtype.kind == "f" else array)
    return drawn


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def given(x: Any, o: dict[str, Any]) -> Any:
    """The vectors as a loss sees them."""
    return x if x is None or not o.get("normalize", False) else unit(x)


def distances(x: np.ndarray, y: np.ndarray, kind: str) -> np.ndarray:
    found = np.empty((len(x), len(y)))
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            if kind == "cosine":
                found[i, j] = 1 - a @ b
            elif kind == "snr":
                found[i, j] = np.var(a - b, ddof=1) / np.var(a, ddof=1)
            else:
                found[i, j] = ((a - b) ** 2).sum()
    return np.sqrt(found) if kind == "euclidean" else found


class Batch:
    """A labelled batch: the vectors, what they meet, and who belongs to whom."""

    def __init__(self, o: dict[str, Any], x: np.ndarray, t: np.ndarray, reference: Any = None, labels: Any = None):
        self.x, self.own = given(x, o), reference is None
        self.y = self.x if self.own else given(reference, o)
        labels = t if self.own else labels
        self.same = t[:, None] == labels[None, :] if t.ndim == 1 else t
        self.count = len(self.x)

    def others(self, i: int) -> list[int]:
        return [j for j in range(len(self.y)) if not (self.own and i == j)]

    def positives(self, i: int) -> list[int]:
        return [j for j in self.others(i) if self.same[i, j]]

    def negatives(self, i: int) -> list[int]:
        return [j for j in self.others(i) if not self.same[i, j]]

    def products(self) -> np.ndarray:
        return np.asarray(self.x @ self.y.T)

    def apart(self, o: dict[str, Any], kind: str = "euclidean") -> np.ndarray:
        return distances(self.x, self.y, o.get("distance", kind))


def lse(numbers: Any) -> float:
    numbers = list(numbers)
    return float(special.logsumexp(numbers)) if numbers else -np.inf


def relu(v: float) -> float:
    return max(v, 0.0)


Rows = tuple[list[float], list[float]]  # values and units of the rows


def info_nce(o: dict[str, Any], x: np.ndarray, y: np.ndarray, negatives: Any = None) -> Rows:
    x, y, negatives = given(x, o), given(y, o), given(negatives, o)
    ways = [(x, y), (y, x)] if o["symmetric"] else [(x, y)]
    total = np.zeros(len(x))
    for a, b in ways:
        for i in range(len(a)):
            own = a[i] @ b[i] / o["temperature"]
            candidates = [] if o["decoupled"] else [own]
            if o["in_batch"]:
                candidates += [a[i] @ b[j] / o["temperature"] for j in range(len(b)) if j != i]
                if o["intra"]:
                    candidates += [a[i] @ a[j] / o["temperature"] for j in range(len(a)) if j != i]
            if negatives is not None:
                rows = negatives if negatives.ndim == 2 else negatives[i]
                candidates += [a[i] @ row / o["temperature"] for row in rows]
            total[i] += (lse(candidates) - own) / len(ways)
    return list(total), [1.0] * len(x)


def clip(o: dict[str, Any], x: np.ndarray, y: np.ndarray, scale: Any = 14.2857) -> Rows:
    s = scale * given(x, o) @ given(y, o).T
    return [0.5 * lse(s[i]) + 0.5 * lse(s[:, i]) - s[i, i] for i in range(len(s))], [1.0] * len(s)


def siglip(o: dict[str, Any], x: np.ndarray, y: np.ndarray, scale: Any = 10.0, bias: Any = -10.0) -> Rows:
    s = scale * given(x, o) @ given(y, o).T + bias
    z = 2 * np.eye(len(s)) - 1
    return list(np.logaddexp(0, -z * s).sum(1)), [1.0] * len(s)


def n_pairs(o: dict[str, Any], x: np.ndarray, y: np.ndarray, t: Any = None) -> Rows:
    x, y = given(x, o), given(y, o)
    same = np.eye(len(x), dtype=bool) if t is None else t[:, None] == t
    values = []
    for i in range(len(x)):
        s = y @ x[i]
        penalty = 0.25 * o["l2_reg"] * (x[i] @ x[i] + y[i] @ y[i])
        values.append(lse(s) - s[same[i]].mean() + penalty)
    return values, [1.0] * len(x)


def alignment(o: dict[str, Any], x: np.ndarray, y: np.ndarray) -> Rows:
    return list(np.linalg.norm(given(x, o) - given(y, o), axis=1) ** o["alpha"]), [1.0] * len(x)


def uniformity(o: dict[str, Any], x: np.ndarray) -> float:
    d = distances(given(x, o), given(x, o), "sqeuclidean")
    pairs = [np.exp(-o["t"] * d[i, j]) for i in range(len(x)) for j in range(i)]
    return float(np.log(np.mean(pairs)))


def barlow_twins(o: dict[str, Any], x: np.ndarray, y: np.ndarray) -> float:
    a, b = ((v - v.mean(0)) / np.sqrt(v.var(0) + o["eps"]) for v in (x, y))
    c = a.T @ b / len(x)
    off = c - np.diag(np.diag(c))
    return float(((1 - np.diag(c)) ** 2).sum() + o["off_diagonal_weight"] * (off**2).sum())


def vicreg(o: dict[str, Any], x: np.ndarray, y: np.ndarray) -> float:
    value = o["invariance_weight"] * ((x - y) ** 2).mean()
    for v in (x, y):
        covariance = np.cov(v.T)
        deviation = np.sqrt(np.diag(covariance) + o["eps"])
        value += 0.5 * o["variance_weight"] * np.maximum(0, 1 - deviation).mean()
        off = covariance - np.diag(np.diag(covariance))
        value += o["covariance_weight"] * (off**2).sum() / v.shape[1]
    return float(value)


def supcon(o: dict[str, Any], *inputs: Any) -> Rows:
    batch = Batch(o, *inputs)
    s = batch.products() / o["temperature"]
    factor = 1.0 if o["base_temperature"] is None else o["temperature"] / o["base_temperature"]
    values, counts = [], []
    for i in range(batch.count):
        p = batch.positives(i)
        values.append(factor * (lse(s[i, batch.others(i)]) - s[i, p].mean()) if p else 0.0)
        counts.append(float(bool(p)))
    return values, counts


def nt_xent(o: dict[str, Any], *inputs: Any) -> Rows:
    batch = Batch(o, *inputs)
    s = batch.products() / o["temperature"]
    values, counts = [], []
    for i in range(batch.count):
        pairs = [lse([s[i, p], *s[i, batch.negatives(i)]]) - s[i, p] for p in batch.positives(i)]
        values.append(sum(pairs))
        counts.append(float(len(pairs)))
    return values, counts


def circle(o: dict[str, Any], *inputs: Any) -> Rows:
    batch, m, g = Batch(o, *inputs), o["margin"], o["gamma"]
    s = batch.products()
    values = []
    for i in range(batch.count):
        p, n = s[i, batch.positives(i)], s[i, batch.negatives(i)]
        if not len(p) or not len(n):
            values.append(0.0)
            continue
        near = lse(-g * np.maximum(1 + m - p, 0) * (p - 1 + m))
        far = lse(g * np.maximum(n + m, 0) * (n - m))
        values.append(float(np.logaddexp(0, near + far)))
    return values, [1.0 if o["average"] == "all" or value > 0 else 0.0 for value in values]


def multi_similarity(o: dict[str, Any], *inputs: Any) -> Rows:
    batch, values = Batch(o, *inputs), []
    s = batch.products() - o["base"]
    for i in range(batch.count):
        p, n = s[i, batch.positives(i)], s[i, batch.negatives(i)]
        values.append(
            np.log1p(np.exp(-o["alpha"] * p).sum()) / o["alpha"] + np.log1p(np.exp(o["beta"] * n).sum()) / o["beta"]
        )
    return values, [1.0] * batch.count


def lifted_structure(o: dict[str, Any], *inputs: Any) -> Rows:
    batch = Batch(o, *inputs)
    d, values, counts = batch.apart(o), [], []
    for i in range(batch.count):
        p, n = batch.positives(i), batch.negatives(i)
        if o["generalized"]:
            both = p and n
            joint = lse(d[i, p] - o["pos_margin"]) + lse(o["neg_margin"] - d[i, n]) if both else 0.0
            values.append(relu(joint))
            counts.append(1.0)
            continue
        total = 0.0
        for k in p:
            # Those of the other member: of itself in the batch, of a reference among the rows.
            others = [d[j, k] for j in range(batch.count) if not batch.same[j, k] and not (batch.own and j == k)]
            far = [o["neg_margin"] - d[i, j] for j in n] + [o["neg_margin"] - apart for apart in others]
            total += 0.5 * relu(d[i, k] - o["pos_margin"] + lse(far)) ** 2
        values.append(total)
        counts.append(float(len(p)))
    return values, counts


def batch_triplet(o: dict[str, Any], *inputs: Any) -> Rows:
    batch = Batch(o, *inputs)
    d, values, counts = batch.apart(o), [], []
    for i in range(batch.count):
        p, n = batch.positives(i), batch.negatives(i)
        if o["mining"] == "all":
            chosen = [(a, b) for a in p for b in n]
        elif o["mining"] == "hard":
            chosen = [(max(p, key=lambda j: d[i, j]), min(n, key=lambda j: d[i, j]))] if p and n else []
        else:
            chosen = []
            for a in p:
                beyond = [j for j in n if d[i, j] > d[i, a]]
                if n:
                    chosen.append((a, min(beyond, key=lambda j: d[i, j]) if beyond else max(n, key=lambda j: d[i, j])))
        v = [d[i, a] - d[i, b] + o["margin"] for a, b in chosen]
        terms = [float(np.logaddexp(0, x)) if o["soft"] else relu(x) for x in v]
        values.append(sum(terms))
        counts.append(float(sum(x > 0 for x in terms) if o["mining"] == "all" else len(terms)))
    return values, counts


def margin(o: dict[str, Any], x: np.ndarray, t: np.ndarray, beta: Any = 1.2, *reference: Any) -> Rows:
    batch = Batch(o, x, t, *reference)
    d, values, counts = batch.apart(o), [], []
    for i in range(batch.count):
        p, n = batch.positives(i), batch.negatives(i)
        border = float(np.reshape(beta, ())) if np.size(beta) == 1 else beta[t[i]]
        total = count = 0.0
        for a in p:
            for b in n:
                for v in (o["margin"] + d[i, a] - border, o["margin"] + border - d[i, b]):
                    total += relu(v)
                    count += v > 0
        values.append(total)
        counts.append(count)
    return values, counts


def pair_contrastive(o: dict[str, Any], *inputs: Any) -> float:
    batch = Batch(o, *inputs)
    d = batch.apart(o)
    near = [d[i, j] - o["pos_margin"] for i in range(batch.count) for j in batch.positives(i)]
    far = [o["neg_margin"] - d[i, j] for i in range(batch.count) for j in batch.negatives(i)]
    return sum(float(np.mean([v for v in pairs if v > 0])) for pairs in (near, far) if any(v > 0 for v in pairs))


def nca(o: dict[str, Any], *inputs: Any) -> Rows:
    batch = Batch(o, *inputs)
    d, values, counts = -o["scale"] * distances(batch.x, batch.y, "sqeuclidean"), [], []
    for i in range(batch.count):
        p = batch.positives(i)
        values.append(lse(d[i, batch.others(i)]) - lse(d[i, p]) if p else 0.0)
        counts.append(float(bool(p)))
    return values, counts


def proxy_nca(o: dict[str, Any], x: np.ndarray, t: np.ndarray, proxies: np.ndarray) -> Rows:
    d = -o["scale"] * distances(given(x, o), given(proxies, o), "sqeuclidean")
    return [lse(row) - row[y] for row, y in zip(d, t, strict=True)], [1.0] * len(x)


def proxy_anchor(o: dict[str, Any], x: np.ndarray, t: np.ndarray, proxies: np.ndarray) -> float:
    s = given(x, o) @ given(proxies, o).T
    pull = [
        np.log1p(np.exp(-o["alpha"] * (s[t == c, c] - o["margin"])).sum())
        for c in range(len(proxies))
        if (t == c).any()
    ]
    push = [np.log1p(np.exp(o["alpha"] * (s[t != c, c] + o["margin"])).sum()) for c in range(len(proxies))]
    return float(np.mean(pull) + np.mean(push))


def soft_triple(o: dict[str, Any], x: np.ndarray, t: np.ndarray, centers: np.ndarray) -> Rows:
    s = np.einsum("nd,ckd->nck", given(x, o), given(centers, o))
    of_class = (special.softmax(s / o["gamma"], axis=2) * s).sum(2)
    z = o["la"] * (of_class - o["margin"] * np.eye(len(centers))[t])
    return [lse(row) - row[y] for row, y in zip(z, t, strict=True)], [1.0] * len(x)


def center(o: dict[str, Any], x: np.ndarray, t: np.ndarray, centers: np.ndarray) -> Rows:
    return list(0.5 * ((given(x, o) - given(centers, o)[t]) ** 2).sum(1)), [1.0] * len(x)


def fast_ap(o: dict[str, Any], *inputs: Any) -> Rows:
    batch = Batch(o, *inputs)
    d, width, values, counts = distances(batch.x, batch.y, "sqeuclidean"), 4 / o["num_bins"], [], []
    for i in range(batch.count):
        p = batch.positives(i)
        if not p:
            values.append(0.0)
            counts.append(0.0)
            continue
        edges = width * np.arange(o["num_bins"] + 1)
        near, all_of = (
            np.maximum(1 - np.abs(d[i, rows][:, None] - edges) / width, 0).sum(0) for rows in (p, batch.others(i))
        )
        total = np.cumsum(all_of)
        precision = np.divide(near * np.cumsum(near), total, out=np.zeros_like(total), where=total > 0)
        values.append(1 - precision.sum() / len(p))
        counts.append(1.0)
    return values, counts


def smooth_ap(o: dict[str, Any], *inputs: Any) -> Rows:
    batch = Batch(o, *inputs)
    s, values, counts = batch.products(), [], []
    for i in range(batch.count):
        p = batch.positives(i)
        members = [*p, i] if batch.own else p
        everybody = batch.others(i) + ([i] if batch.own else [])
        precisions = []
        for j in members:
            step = {k: special.expit((s[i, k] - s[i, j]) / o["temperature"]) for k in everybody if k != j}
            precisions.append((1 + sum(step[k] for k in members if k != j)) / (1 + sum(step.values())))
        values.append(float(1 - np.mean(precisions)) if p else 0.0)
        counts.append(float(bool(p)))
    return values, counts


#: Values and units of rows, or the value of a batch, by loss: a function of all parameters and the inputs.
DEFINITIONS: dict[str, Callable[..., Any]] = {
    "info_nce_loss": info_nce,
    "clip_loss": clip,
    "siglip_loss": siglip,
    "n_pairs_loss": n_pairs,
    "alignment_loss": alignment,
    "uniformity_loss": uniformity,
    "barlow_twins_loss": barlow_twins,
    "vicreg_loss": vicreg,
    "supcon_loss": supcon,
    "nt_xent_loss": nt_xent,
    "circle_loss": circle,
    "multi_similarity_loss": multi_similarity,
    "lifted_structure_loss": lifted_structure,
    "batch_triplet_loss": batch_triplet,
    "margin_loss": margin,
    "pair_contrastive_loss": pair_contrastive,
    "nca_loss": nca,
    "proxy_nca_loss": proxy_nca,
    "proxy_anchor_loss": proxy_anchor,
    "soft_triple_loss": soft_triple,
    "center_loss": center,
    "fast_ap_loss": fast_ap,
    "smooth_ap_loss": smooth_ap,
}


def mean_of(found: Any) -> float:
    """The mean that a loss takes of the values of its rows: over their units, 0 if there are none."""
    if isinstance(found, float):
        return found
    values, counts = found
    return float(sum(values) / sum(counts)) if sum(counts) else 0.0
