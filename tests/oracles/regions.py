"""The losses of regions in plain NumPy, one ratio at a time, from their definitions.

Counts are sums over explicit lists of positions, scores are written as 1 - score, and nothing is differentiated: tests
take differences of these values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: What each word of ``per`` puts into one ratio: functions of the indices of a sample and a class.
GROUPS: dict[str, Callable[[int, int], tuple[int, ...]]] = {
    "sample_class": lambda n, c: (n, c),
    "class": lambda n, c: (c,),
    "sample": lambda n, c: (n,),
    "all": lambda n, c: (),
}


def probabilities(x: np.ndarray, activation: str) -> np.ndarray:
    """Probabilities of (N, C, S)."""
    x = x.astype(np.float64)
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-x))
    if activation == "softmax":
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    return x


def masks(t: np.ndarray, classes: int) -> np.ndarray:
    """Targets of (N, C, S): masks as they are, class indices as ones and zeros."""
    if t.ndim == 3:
        return t.astype(np.float64)
    return np.stack([t == c for c in range(classes)], axis=1).astype(np.float64)


@dataclass
class Sums:
    """Sums of one ratio over its positions."""

    common: float
    predicted: float
    target: float
    false_positive: float
    false_negative: float
    positions: float


def sums_of(p: np.ndarray, t: np.ndarray, w: np.ndarray, squared: bool, intersection: str) -> Sums:
    common = np.minimum(p, t) if intersection == "min" and not squared else p * t
    predicted, target = (p * p, t * t) if squared else (p, t)
    return Sums(
        float((w * common).sum()),
        float((w * predicted).sum()),
        float((w * target).sum()),
        float((w * predicted).sum() - (w * common).sum()),
        float((w * target).sum() - (w * common).sum()),
        float(w.sum()),
    )


def dice(s: Sums, o: dict[str, Any]) -> float:
    numerator, denominator = 2 * s.common + o["smooth"], s.predicted + s.target + o["smooth"] + o["eps"]
    return numerator / denominator if denominator else 1.0


def jaccard(s: Sums, o: dict[str, Any]) -> float:
    numerator, denominator = s.common + o["smooth"], s.predicted + s.target - s.common + o["smooth"] + o["eps"]
    return numerator / denominator if denominator else 1.0


def tversky(s: Sums, o: dict[str, Any]) -> float:
    wrong = o["alpha"] * s.false_positive + o["beta"] * s.false_negative
    denominator = s.common + wrong + o["smooth"] + o["eps"]
    return (s.common + o["smooth"]) / denominator if denominator else 1.0


def matthews(s: Sums, o: dict[str, Any]) -> float:
    tp, fp, fn = s.common, s.false_positive, s.false_negative
    tn = s.positions - tp - fp - fn
    if fp == 0 and fn == 0:
        return 1.0
    tp, fp, fn, tn = (count + o["smooth"] for count in (tp, fp, fn, tn))
    root = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn) + o["eps"])
    return (tp * tn - fp * fn) / root if root else 0.0


SCORES: dict[str, Callable[[Sums, dict[str, Any]], float]] = {
    "dice_loss": dice,
    "dice_cross_entropy_loss": dice,
    "log_cosh_dice_loss": dice,
    "jaccard_loss": jaccard,
    "tversky_loss": tversky,
    "focal_tversky_loss": tversky,
    "mcc_loss": matthews,
}


def loss_of(name: str, score: float, o: dict[str, Any]) -> float:
    """What is made of a score."""
    value = -math.log(max(score, 1e-7)) if o.get("log") else 1 - score
    if name == "log_cosh_dice_loss":
        return math.log(math.cosh(value))
    gamma = o.get("gamma", 1.0)
    return value if gamma == 1.0 else max(value, 0.0) ** gamma


def region_loss(
    name: str,
    x: np.ndarray,
    t: np.ndarray,
    *,
    keep: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    reduction: str = "mean",
    **options: Any,
) -> Any:
    """The value of a loss of (N, C, S) and (N, C, S) or (N, S), with every option spelled out."""
    o: dict[str, Any] = {
        "per": "sample_class", "activation": "none", "classes": None, "weight": None, "absent": "include",
        "ignore_index": None, "smooth": 0.0, "eps": 0.0, "squared": False, "intersection": "product", **options,
    }  # fmt: skip
    samples, classes, positions = x.shape
    p, mask = probabilities(x, o["activation"]), masks(t, classes)
    counts = np.ones((samples, positions)) if keep is None else keep.astype(np.float64)
    if o["ignore_index"] is not None:
        counts = counts * (t != o["ignore_index"])
    by_sample = np.ones(samples)
    if sample_weight is not None and sample_weight.ndim == 1:
        by_sample = sample_weight
    elif sample_weight is not None:
        counts = counts * sample_weight
    weight = np.ones(classes) if o["weight"] is None else np.asarray(o["weight"], np.float64)
    used: Sequence[int] = range(classes) if o["classes"] is None else o["classes"]

    groups: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for n in range(samples):
        for c in used:
            groups.setdefault(GROUPS[o["per"]](n, c), []).append((n, c))
    pools_samples, pools_classes = o["per"] in ("class", "all"), o["per"] in ("sample", "all")
    entries = []
    for members in groups.values():
        factors = [(by_sample[n] if pools_samples else 1.0) * (weight[c] if pools_classes else 1.0) for n, c in members]
        parts = [
            sums_of(p[n, c], mask[n, c], counts[n] * f, o["squared"], o["intersection"])
            for (n, c), f in zip(members, factors, strict=True)
        ]
        pooled = Sums(*(sum(getattr(part, key) for part in parts) for key in Sums.__dataclass_fields__))
        value = loss_of(name, SCORES[name](pooled, o), o)
        n, c = members[0]
        ratio_weight = (1.0 if pools_samples else by_sample[n]) * (1.0 if pools_classes else weight[c])
        empty = pooled.target == 0
        if empty and o["absent"] != "include":
            value = 0.0
        entries.append((n, value, ratio_weight, not (empty and o["absent"] == "skip")))
    return reduce_entries(entries, reduction, o)


def reduce_entries(entries: list[tuple[int, float, float, bool]], reduction: str, o: dict[str, Any]) -> Any:
    if reduction == "none":
        return [value * weight if counted else 0.0 for _, value, weight, counted in entries]
    if o["absent"] == "skip" and o["per"] == "sample_class" and reduction != "sum":
        means = []
        for sample in dict.fromkeys(entry[0] for entry in entries):
            own = [entry for entry in entries if entry[0] == sample and entry[3]]
            over = len(own) if reduction == "mean" else sum(entry[2] for entry in own)
            means.append(sum(value * weight for _, value, weight, _ in own) / over if over else 0.0)
        return sum(means) / len(means)
    kept = [entry for entry in entries if entry[3]]
    numerator = sum(value * weight for _, value, weight, _ in kept)
    if reduction == "sum":
        return numerator
    over = len(kept) if reduction == "mean" else sum(entry[2] for entry in kept)
    return numerator / over if over else 0.0


def cross_entropy(
    x: np.ndarray,
    t: np.ndarray,
    *,
    activation: str,
    keep: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    weight: Any = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> float:
    """The cross-entropy beside a Dice loss, position by position."""
    samples, classes, positions = x.shape
    p, mask = probabilities(x, activation), masks(t, classes)
    class_weight = np.ones(classes) if weight is None else np.asarray(weight, np.float64)
    total = over = 0.0
    for n in range(samples):
        for j in range(positions):
            if (keep is not None and not keep[n, j]) or (ignore_index is not None and t[n, j] == ignore_index):
                continue
            factor = (
                1.0 if sample_weight is None else sample_weight[n] if sample_weight.ndim == 1 else sample_weight[n, j]
            )
            for c in range(classes):
                if activation == "softmax":
                    y = (1 - label_smoothing) * mask[n, c, j] + label_smoothing / classes
                    total -= factor * class_weight[c] * y * math.log(p[n, c, j])
                else:
                    y = (1 - label_smoothing) * mask[n, c, j] + label_smoothing / 2
                    bits = y * math.log(p[n, c, j]) + (1 - y) * math.log(1 - p[n, c, j])
                    total -= factor * class_weight[c] * bits
                    over += 1
            if activation == "softmax":
                over += class_weight[t[n, j]] if t.ndim == 2 else 1.0
    return total if reduction == "sum" else total / over


def value_of(name: str, x: np.ndarray, t: np.ndarray, **options: Any) -> Any:
    """The value of any loss of regions with the options of its declaration."""
    if name != "dice_cross_entropy_loss":
        return region_loss(name, x, t, **options)
    dice_weight, ce_weight = options.pop("dice_weight", 1.0), options.pop("ce_weight", 1.0)
    smoothing = options.pop("label_smoothing", 0.0)
    shared = ("activation", "keep", "sample_weight", "weight", "ignore_index", "reduction")
    entropy = cross_entropy(x, t, label_smoothing=smoothing, **{k: options[k] for k in shared if k in options})
    return dice_weight * region_loss(name, x, t, **options) + ce_weight * entropy
