"""Inputs for the functions of other packages: inside every domain, without kinks, of the kind that a function takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import losslib
from losslib import geometries
from losslib.combine.weighted_sum import info_of
from losslib.geometries.base import domains_of

#: Functions whose target is a row of probabilities for each sample.
ROWS_OF_PROBABILITIES = {
    "CategoricalCrossentropy", "categorical_crossentropy", "softmax_cross_entropy", "safe_softmax_cross_entropy",
    "poly_loss_cross_entropy", "softmax_cross_entropy_with_logits",
}  # fmt: skip
#: Functions that take one axis, or labels that are 0 or 1 without anything between.
ONE_AXIS = {
    "log_cosh_error",
    "log_loss",
    "hinge_loss",
    "brier_score_loss",
    "mean_poisson_deviance",
    "cosine_similarity",
}
HARD = {
    "log_loss",
    "brier_score_loss",
    "FocalLoss",
    "sigmoid_focal_loss",
    "sparsemax_loss",
    "Focal",
    "Logloss",
    "binary",
    "binary:logistic",
    "binary:logitraw",
    "BinaryFocalLossWithLogits",
    "binary_focal_loss_with_logits",
}

ROWS, COLUMNS = 6, 4


def draw(rng: np.random.Generator, domain: str, shape: tuple[int, ...], hard: bool) -> np.ndarray:
    """Return values of a domain, none of them at its border."""
    if domain == "sign":
        return rng.choice([-1.0, 1.0], shape)
    if domain == "binary" or (domain == "probability" and hard):
        return rng.integers(0, 2, shape).astype(np.float64)
    if domain == "probability":
        return rng.uniform(0.03, 0.97, shape)
    if domain == "real":
        return rng.normal(size=shape) * 1.5
    return rng.gamma(2.0, 1.0, shape) + 0.2


def term_of(loss: Any) -> Any:
    """The loss itself, without factors and frames."""
    while loss.info is None:
        loss = loss.terms[0][1] if hasattr(loss, "terms") else loss.parameters["loss"]
    return loss


#: Of regions: functions whose targets are masks of each class, not class indices.
MASKS = ("monai", "keras", "optax")
GRID = (5, 6)


def regions_for(
    key: str, name: str, parameters: Any, given: Mapping[str, Any], rng: np.random.Generator
) -> list[np.ndarray]:
    """Scores of three samples and true regions, in the form that both take."""
    one = given.get("mode") == "binary" or "Hinge" in name or "hinge" in name
    one |= (key, name) == ("smp", "MCCLoss") or (key == "monai" and name == "DiceCELoss" and "sigmoid" in given)
    count = 1 if one else 2 if "UnifiedFocal" in name else COLUMNS
    labels = rng.integers(0, max(count, 2), (3, *GRID))
    if not one and count == COLUMNS and key != "kornia":
        labels[labels == 2] = 0  # a class that is absent
    masks = np.moveaxis(np.eye(max(count, 2))[labels], -1, 1)[:, -count:]
    scores = rng.normal(size=masks.shape) * 2
    if parameters.get("activation") == "none":
        scores = rng.dirichlet(np.ones(count), (3, *GRID)) if count > 1 else rng.uniform(0.02, 0.98, (3, *GRID, 1))
        scores = np.moveaxis(scores, -1, 1)
    if name == "LovaszLoss" and one:
        return [scores[:, 0], masks[:, 0]]
    if key in ("keras", "optax"):
        return [np.moveaxis(scores, 1, -1), np.moveaxis(masks, 1, -1)]
    whole = key in MASKS or one or given.get("mode") == "multilabel"
    indices = name in ("GeneralizedWassersteinDiceLoss", "generalized_wasserstein_dice") or not whole
    return [scores, labels if indices else masks]


def inputs_for(
    key: str, name: str, loss: losslib.Loss, seed: int, given: Mapping[str, Any] | None = None
) -> list[np.ndarray]:
    """Return float64 and integer arrays that the loss and the other package take."""
    info, rng = info_of(loss), np.random.default_rng(seed)
    if info.geometry == "ctc":
        logits = rng.normal(size=(7, 3, 5))
        first = logits - np.log(np.exp(logits).sum(-1, keepdims=True)) if info.name == "ctc_loss" else logits
        return [first, rng.integers(1, 5, (3, 3)), np.array([7, 6, 7]), np.array([3, 2, 1])]
    if info.geometry == "auc_margin":
        return [rng.normal(size=12), np.arange(12) % 3 // 2 * 1.0, *np.array([[0.4], [-0.3], [0.6]])]
    if info.family == "survival":
        return survival_for(key, name, info, rng, given or {})
    if info.geometry == "lists":
        return [rng.normal(size=(ROWS, COLUMNS)), rng.integers(0, 4, (ROWS, COLUMNS)).astype(np.float64)]
    if info.geometry == "transducer":
        return [rng.normal(size=(2, 4, 4, 5)), rng.integers(1, 5, (2, 3)), np.array([4, 3]), np.array([3, 2])]
    if info.geometry.startswith("overlap"):
        return regions_for(key, name, term_of(loss).parameters, given or {}, rng)
    if info.geometry == "boxes":
        corners = rng.integers(0, 8, (2, 20, 2)).astype(np.float64)
        return list(np.concatenate([corners, corners + rng.integers(1, 8, (2, 20, 2)) + 0.5], axis=-1))
    if info.geometry == "distance":
        vectors = [rng.normal(size=(ROWS, COLUMNS)) for _ in range(3)]
        if info.name == "cosine_embedding_loss":
            return [*vectors[:2], rng.choice([-1.0, 1.0], ROWS)]
        return vectors[: len(info.inputs)]
    if info.geometry == "similarity" and info.input_names[0] == "input1":
        return views_for(key, info, rng)
    if info.geometry == "ordinal":
        logits, classes = rng.normal(size=(ROWS, COLUMNS - 1)), rng.permutation(np.arange(ROWS) % COLUMNS)
        levels = (classes[:, None] > np.arange(COLUMNS - 1)).astype(np.float64)
        return [logits, levels if info.name == "coral_loss" else classes]
    if info.geometry == "linear_softmax":
        return [rng.normal(size=(ROWS, 5)), rng.normal(size=(COLUMNS, 5)), rng.integers(0, COLUMNS, ROWS)]
    if info.geometry == "tree_path":
        return [
            rng.normal(size=(ROWS, 5)), rng.integers(0, COLUMNS, ROWS), rng.normal(size=(COLUMNS - 1, 5)),
            rng.normal(size=COLUMNS - 1),
        ]  # fmt: skip
    if info.geometry == "adaptive_softmax":  # three frequent classes, and five that look at two of eight components
        target = rng.permutation(np.arange(8))
        return [
            rng.normal(size=(8, 8)), target, rng.normal(size=(4, 8)), rng.normal(size=2 * (8 + 5)), rng.normal(size=4)
        ]  # fmt: skip
    if info.geometry == "similarity":
        if key == "keras":  # vectors come normalised
            x = rng.normal(size=(3 * ROWS, 5))
            return [x / np.linalg.norm(x, axis=1, keepdims=True), np.arange(3 * ROWS) % COLUMNS]
        labels = np.arange(3 * ROWS) % COLUMNS
        return [rng.normal(size=(COLUMNS, 5))[labels] + rng.normal(size=(3 * ROWS, 5)), labels]
    if info.geometry in ("softmax", "margin", "softmax_classes", "agreement"):
        return rows_for(name, info.name, rng)
    shape = (ROWS * 2,) if one_axis(key, name) else (ROWS, COLUMNS)
    domains = [domain.name for domain in domains_of(info, term_of(loss).parameters)]
    if getattr(loss, "parameters", {}).get("log"):
        domains[0] = "probability"
    arrays = [draw(rng, domain, shape, k > 0 and name in HARD) for k, domain in enumerate(domains)]
    if name == "brier_score_loss":
        return [rng.uniform(0.03, 0.97, shape), rng.integers(0, 2, shape).astype(np.float64)]
    if "counts" in info.tags and len(arrays) == 2:
        arrays[1] = rng.poisson(2.0, shape).astype(np.float64)
    return arrays


def views_for(key: str, info: Any, rng: np.random.Generator) -> list[np.ndarray]:
    """Return two views of a batch that are near each other, and what else the function takes."""
    x = rng.normal(size=(ROWS, 5))
    y = x + 0.5 * rng.normal(size=(ROWS, 5))
    if key == "open_clip":
        x, y = (views / np.linalg.norm(views, axis=1, keepdims=True) for views in (x, y))
        return [x, y, *(np.float64(number).reshape(()) for number in (10.0, -5.0)[: len(info.inputs) - 2])]
    return [x, y, np.arange(ROWS) % COLUMNS] if info.name == "n_pairs_loss" else [x, y]


def survival_for(
    key: str, name: str, info: Any, rng: np.random.Generator, given: Mapping[str, Any]
) -> list[np.ndarray]:
    """Return predictions, times (tied where the package takes that as losslib does) and events."""
    known = {item.name: item.default for item in info.parameters}
    samples, intervals = 4 * ROWS, 8
    drawn = geometries.find(info.geometry).draw(
        info,
        known,
        rng,
        samples * (intervals if info.geometry in ("intervals", "hits") else 3 if "brier" in name else 1),
    )
    if info.name == "weibull_survival_loss":  # of the size that differences of values resolve
        return [drawn[0] / 4, drawn[1] / 4, *drawn[2:]]
    if name in ("nll_pmf_cr", "DeepHitLoss"):
        return [np.repeat(drawn[0][:, np.newaxis], 2, 1) + rng.normal(size=(samples, 2, 1)), drawn[1],
                drawn[2] * rng.integers(1, 3, samples)]  # fmt: skip
    if name in ("cox_ph_loss", "CoxPHLoss") or (key == "torchsurv" and given.get("reduction", "mean") == "mean"):
        drawn[info.input_names.index("time")] = rng.permutation(samples) + 1.0
    if "brier" in name:  # times of curves lie within those of the data
        drawn[1] = np.append([9.0, 0.5], rng.integers(1, 16, samples - 2) / 2.0)
        drawn[2] = np.append([0, 1], drawn[2][2:])
    return drawn


def one_axis(key: str, name: str) -> bool:
    """True for functions that take arrays of one axis."""
    if name.startswith("Multi"):
        return False
    if key in ("sklearn", "torchmetrics"):
        return name in ONE_AXIS or name[0].isupper() or key == "sklearn"
    return key in ("xgboost", "lightgbm", "catboost")


def rows_for(name: str, loss: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Return rows of scores or probabilities, and class indices, rows of probabilities, or lists of classes."""
    x = rng.normal(size=(ROWS, COLUMNS)) * 1.5
    if loss == "categorical_cross_entropy":
        x = rng.dirichlet(np.ones(COLUMNS), ROWS)
    if loss == "nll_loss":
        x = x - np.log(np.exp(x).sum(1, keepdims=True))
    if loss == "categorical_hinge_loss":
        return [x, np.eye(COLUMNS)[rng.integers(0, COLUMNS, ROWS)]]
    if loss == "multilabel_margin_loss":
        return [
            x,
            np.array([[2, 0, -1, -1], [1, -1, 0, 2], [3, 1, 0, -1], [0, -1, -1, -1], [-1, 0, 1, 2], [3, 2, 1, 0]]),
        ]
    if name in ROWS_OF_PROBABILITIES:
        return [x, rng.dirichlet(np.ones(COLUMNS), ROWS)]
    return [x, rng.integers(0, COLUMNS, ROWS)]
