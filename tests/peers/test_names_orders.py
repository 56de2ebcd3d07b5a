"""Objectives of boosters for groups and censored times have the derivatives of the losses that their names stand for.

As in ``test_names_boosters.py`` the leaves of one round tell gradients: a leaf is -Σg/(Σh + lambda) of its rows, where
several rows share one. What is compared is the leaf times Σh + lambda, relative to Σ|g|.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from losslib.names.tables import package
from peers.named_report import RESULTS

LISTS, ITEMS = 30, 25
SIZES = [ITEMS] * LISTS

XGBOOST: list[tuple[str, dict[str, Any]]] = [
    ("rank:ndcg", {}), ("rank:ndcg", {"lambdarank_num_pair_per_sample": 5, "ndcg_exp_gain": False}),
    ("rank:ndcg", {"lambdarank_normalization": False}), ("rank:ndcg", {"lambdarank_score_normalization": False}),
    ("rank:ndcg", {"lambdarank_normalization": False, "lambdarank_score_normalization": False}),
    ("rank:pairwise", {}), ("rank:map", {}), ("rank:map", {"lambdarank_num_pair_per_sample": 3}),
    ("survival:cox", {}),
    ("survival:aft", {}), ("survival:aft", {"aft_loss_distribution": "logistic", "aft_loss_distribution_scale": 0.5}),
    ("survival:aft", {"aft_loss_distribution": "extreme", "aft_loss_distribution_scale": 2.0}),
]  # fmt: skip
LIGHTGBM: list[tuple[str, dict[str, Any]]] = [
    ("lambdarank", {}), ("lambdarank", {"lambdarank_norm": False}),
    ("lambdarank", {"lambdarank_truncation_level": 5, "sigmoid": 2.0}),
    ("lambdarank", {"label_gain": [0.0, 1.0, 2.0, 5.0, 9.0]}), ("rank_xendcg", {}),
    ("rank_xendcg", {"objective_seed": 11}),
]  # fmt: skip


def graded(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one feature that tells all items apart, grades, and scores to start from, which are float32 there."""
    rng = np.random.default_rng(seed)
    items = LISTS * ITEMS
    scores = rng.standard_normal(items).astype(np.float32).astype(np.float64)
    return np.arange(items, dtype=float)[:, np.newaxis], rng.integers(0, 5, items).astype(float), scores


def difference(values: np.ndarray, leaf: np.ndarray, grad: np.ndarray, hess: np.ndarray, penalty: float) -> float:
    """Return how far the sums of gradients that the leaves tell are from those of losslib, relative to Σ|g|."""
    total = np.bincount(leaf, hess) + penalty
    found = -values * total[leaf]
    known, size = np.bincount(leaf, grad)[leaf], np.bincount(leaf, np.abs(grad))[leaf]
    assert len(np.unique(leaf)) > 5
    return float(np.max(np.abs(found - known) / np.maximum(size, 1e-12)))


@pytest.mark.parametrize(
    ("name", "given"), XGBOOST, ids=[f"{name}-{len(given)}-{k}" for k, (name, given) in enumerate(XGBOOST)]
)
def test_the_leaves_of_xgboost(name: str, given: dict[str, Any]) -> None:
    xgb = pytest.importorskip("xgboost")
    feature, labels, scores = graded()
    rng = np.random.default_rng(1)
    data = xgb.DMatrix(feature, base_margin=scores)
    inputs: tuple[np.ndarray, ...] = (scores, labels)
    options: dict[str, Any] = {"group_sizes": SIZES}
    if name.startswith("rank"):
        if name == "rank:map":
            inputs = scores, (labels > 2).astype(float)
        data.set_label(inputs[1])
        data.set_group(SIZES)
    elif name == "survival:cox":
        time, event = rng.permutation(len(scores)) + 1.0, rng.random(len(scores)) < 0.6
        data.set_label(np.where(event, time, -time))
        inputs, options = (scores, time, event.astype(float)), {}
    else:
        lower = np.exp(rng.standard_normal(len(scores))).astype(np.float32).astype(np.float64)
        upper = np.choose(rng.integers(0, 3, len(scores)), [lower, 2 * lower, np.full(len(scores), np.inf)])
        data.set_float_info("label_lower_bound", lower)
        data.set_float_info("label_upper_bound", upper)
        inputs, options = (scores, lower, upper), {}
    settings = {
        "objective": name, "tree_method": "exact", "eta": 1.0, "lambda": 1.0, "min_child_weight": 0.0, "max_depth": 6,
        "nthread": 1, "base_score": 0.5, **given,
    }  # fmt: skip
    model = xgb.train(settings, data, 1)
    leaf = model.predict(data, pred_leaf=True).ravel().astype(int)
    values = model.predict(data, output_margin=True).astype(np.float64) - scores
    _, grad, hess = losslib.get(f"xgboost:{name}", **given).value_grad_hess(*inputs, **options)
    error = difference(values, leaf, grad, np.maximum(hess, 1e-16), 1.0)
    RESULTS.compare("xgboost", name, 0.0, error)
    assert error < 1e-5


def draws_of_lightgbm(seed: int) -> np.ndarray:
    """Return the numbers that rank_xendcg takes off the gains in its first round: a generator for each list."""
    drawn = []
    for k in range(LISTS):
        state = seed + k
        for _ in range(ITEMS):
            state = (214013 * state + 2531011) % 2**32
            drawn.append((state >> 16 & 0x7FFF) / 32768)
    return np.array(drawn)


@pytest.mark.parametrize(("name", "given"), LIGHTGBM, ids=[f"{name}-{k}" for k, (name, _) in enumerate(LIGHTGBM)])
def test_the_leaves_of_lightgbm(name: str, given: dict[str, Any]) -> None:
    """Sigmoids come from a table of 2**20 bins over a range of 50, at their lower ends: each is off by 5e-5 at most."""
    lgb = pytest.importorskip("lightgbm")
    feature, labels, scores = graded()
    fine = {"min_data_in_bin": 1, "max_bin": 5000, "min_data_in_leaf": 3, "verbose": -1, "num_threads": 1}
    data = lgb.Dataset(feature, label=labels, group=SIZES, init_score=scores, params=fine)
    settings = {
        **fine, "objective": name, "num_leaves": 100, "min_sum_hessian_in_leaf": 1e-9, "learning_rate": 1.0,
        "lambda_l2": 0.0, **given,
    }  # fmt: skip
    model = lgb.train(settings, data, 1)
    leaf = model.predict(feature, pred_leaf=True).ravel().astype(int)
    more = {"gamma": draws_of_lightgbm(given.get("objective_seed", 5))} if name == "rank_xendcg" else {}
    loss = losslib.get(f"lightgbm:{name}", **given)
    _, grad, hess = loss.value_grad_hess(scores, labels, group_sizes=SIZES, **more)
    error = difference(np.asarray(model.predict(feature, raw_score=True)), leaf, grad, hess, 0.0)
    RESULTS.compare("lightgbm", name, 0.0, error)
    assert error < (1e-4 if name == "lambdarank" else 1e-5)


# ---- tied times in XGBoost ---------------------------------------------------------------------------------------


def cox_of_xgboost(x: np.ndarray, time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Go through the samples by time, as they come where times are tied: hazards are added up to each sample's own.

    The denominators are Breslow's, of all who have at least this time. But a sample gets the hazards of those events
    alone that came before it in this order, its own included, also where a later one has the same time.
    """
    grad, hess, hazard, squares = np.empty_like(x), np.empty_like(x), 0.0, 0.0
    for k in np.argsort(time, kind="stable"):
        at_risk = np.exp(x[time >= time[k]]).sum()
        if event[k]:
            hazard += 1 / at_risk
            squares += 1 / at_risk**2
        grad[k] = np.exp(x[k]) * hazard - event[k]
        hess[k] = np.exp(x[k]) * hazard - np.exp(2 * x[k]) * squares
    return grad, hess


def test_tied_events_of_xgboost_get_the_hazards_of_those_before_them() -> None:
    """Its derivatives with ties are of no likelihood: Breslow's add up to 0, these do not."""
    xgb = pytest.importorskip("xgboost")
    feature, _, x = graded()
    rng = np.random.default_rng(2)
    time, event = rng.integers(1, 6, len(x)).astype(float), (rng.random(len(x)) < 0.6).astype(float)
    data = xgb.DMatrix(feature, base_margin=x, label=np.where(event > 0, time, -time))
    settings = {"objective": "survival:cox", "tree_method": "exact", "eta": 1.0, "lambda": 1.0, "min_child_weight": 0.0}
    model = xgb.train({**settings, "max_depth": 6, "nthread": 1, "base_score": 0.5}, data, 1)
    leaf = model.predict(data, pred_leaf=True).ravel().astype(int)
    values = model.predict(data, output_margin=True).astype(np.float64) - x
    grad, hess = cox_of_xgboost(x, time, event)
    assert difference(values, leaf, grad, hess, 1.0) < 1e-5
    _, breslow, curvature = losslib.get("xgboost:survival:cox").value_grad_hess(x, time, event)
    assert difference(values, leaf, breslow, curvature, 1.0) > 0.01
    assert abs(breslow.sum()) < 1e-9 * event.sum()
    assert abs(grad.sum()) > 0.05 * event.sum()
    # Without ties both are the same.
    once = rng.permutation(len(x)) + 1.0
    _, *exact = losslib.get("xgboost:survival:cox").value_grad_hess(x, once, event)
    for found, known in zip(cox_of_xgboost(x, once, event), exact, strict=True):
        np.testing.assert_allclose(found, known, rtol=1e-9, atol=1e-12)


def test_every_objective_of_orders_is_compared() -> None:
    for key, cases in (("xgboost", XGBOOST), ("lightgbm", LIGHTGBM)):
        named = {
            item.name
            for item in package(key).bindings
            if any(losslib.get(case.loss).info.family in ("ranking", "survival") for case in item.cases if case.loss)
        }
        assert named == {name for name, _ in cases}
