"""What people type when they look for a loss and know neither its name nor that of another package.

A loss declares one word of a group (``LossInfo.keywords``), or has it as a tag, and is found by all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from losslib.declaration.schema import LossInfo

__all__ = ["SYNONYMS", "found_by", "places_of"]

#: Words that mean one thing to who looks for a loss. The first is the one that declarations use.
SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("imbalance", "imbalanced", "unbalanced", "class imbalance", "rare classes", "rare events", "skewed classes"),
    ("noisy labels", "label noise", "wrong labels", "mislabelled", "corrupted labels"),
    ("rmse", "root mean squared error", "least squares", "ols", "squared error", "l2"),
    ("mad", "least absolute deviations", "median"),
    ("brier", "brier score", "quadratic score"),
    ("heavy tails", "heavy tailed", "outliers", "robust regression", "m estimator", "redescending"),
    ("quantiles", "percentile", "prediction interval", "value at risk", "service level"),
    ("expectiles",),
    ("ordinal", "ordered classes", "order", "ratings"),
    (
        "learning to rank",
        "lists",
        "search results",
        "recommender",
        "recommendation",
        "relevance",
        "ndcg",
        "map",
        "mrr",
        "ranking",
    ),
    ("auc", "roc", "area under the curve"),
    ("counts", "count data", "events", "poisson regression"),
    ("overdispersion", "overdispersed"),
    ("insurance", "claims", "zero inflated", "many zeros"),
    ("durations", "waiting times", "positive amounts", "prices"),
    ("forecast", "forecasting", "percentage error", "relative error"),
    ("uncertainty", "variance", "heteroscedastic", "aleatoric"),
    ("support vector machine", "svm", "max margin"),
    ("logistic regression", "probability calibration", "calibration"),
    ("multilabel", "multi label", "several labels", "tagging", "multi-label"),
    ("softmax", "multinomial", "one hot", "sparse categorical crossentropy"),
    ("label smoothing",),
    ("adaboost", "boosting"),
    ("teacher", "student teacher", "soft targets"),
    ("siamese", "metric learning", "face recognition", "similarity", "retrieval"),
    ("speech", "speech recognition", "handwriting", "ocr", "asr"),
    ("transducer", "rnn t"),
    ("landmarks", "keypoints", "face alignment"),
    ("bounding boxes", "object detection", "box regression", "boxes", "detection"),
    ("intersection over union", "iou", "boxes"),
    ("masks", "medical images", "semantic segmentation", "pixels", "f1 score", "overlap", "regions"),
    ("mtlr", "multi task logistic regression"),
    ("time to event", "censored", "churn", "hazard", "proportional hazards", "kaplan meier", "lifetimes", "censoring"),
    ("heatmap", "centernet"),
    ("sparse probabilities",),
    ("divergence", "distance of distributions", "relative entropy"),
    ("bias",),
)

#: What a loss can be asked for that its declaration says in another field.
_SECOND = ("hessian", "second derivative", "newton")

#: The place of a loss that has a word as a tag: after all that declare it.
_BY_TAG = 50

_GROUPS = {group[0]: group for group in SYNONYMS}


def places_of(info: LossInfo) -> dict[str, int]:
    """Return every phrase that leads to a loss, with the place of the loss among the answers: 1 is the best."""
    found: dict[str, int] = {}
    for word, place in info.keywords.items():
        for phrase in _GROUPS.get(word, (word,)):
            found[phrase] = min(place, found.get(phrase, place))
    for group in SYNONYMS:
        if set(group) & set(info.tags):
            for phrase in group:
                found.setdefault(phrase, _BY_TAG)
    if info.has_hessian:
        found |= dict.fromkeys(_SECOND, _BY_TAG)
    return found


def found_by(words: str, infos: Iterable[LossInfo]) -> list[LossInfo]:
    """Return the losses that words stand for, the best first: by name, by keyword, then by their texts."""
    query = _plain(words)
    ranked = []
    for order, info in enumerate(infos):
        names = [_plain(name) for name in (info.name, info.class_name, info.name.removesuffix("_loss"), *info.aliases)]
        places = {_plain(phrase): place for phrase, place in places_of(info).items()}
        starting = [place for phrase, place in places.items() if f" {phrase}".find(f" {query}") >= 0]
        if query in names:
            ranked.append((0, 0, order, info))
        elif query in places:
            ranked.append((1, places[query], order, info))
        elif any(f" {name}".find(f" {query}") >= 0 for name in names):
            ranked.append((2, 0, order, info))
        elif starting:
            ranked.append((3, min(starting), order, info))
        elif f" {query}" in f" {_plain(info.summary)}" or query in map(_plain, info.tags):
            ranked.append((4, 0, order, info))
    # Who types a whole name or keyword wants what it stands for, not every text that holds the words.
    best = min((rank for rank, *_ in ranked), default=0)
    ranked = [item for item in ranked if best > 1 or item[0] <= 3]
    return [info for *_, info in sorted(ranked, key=lambda item: item[:3])]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
