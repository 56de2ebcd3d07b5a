"""Boosters with losses of groups and of censored times: what they learn, and what they hand on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from adapters.ordered_data import LISTS, lifetimes, ndcg, queries
from losslib.errors import ParameterError


@pytest.mark.parametrize("name", ["lambdarank", "listmle", "pairwise_logistic", "approx_ndcg", "xe_ndcg"])
def test_xgboost_learns_to_rank_by_the_groups_of_its_matrix(name: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import metric, objective

    X, y, sizes = queries()
    data = xgboost.DMatrix(X, label=y, qid=np.repeat(np.arange(LISTS), sizes))
    options = {"max_depth": 3, "eta": 0.3, "disable_default_eval_metric": True}
    history: dict[str, Any] = {}
    model = xgboost.train(
        options,
        data,
        20,
        obj=objective(name),
        custom_metric=metric(name),
        evals=[(data, "train")],
        evals_result=history,
        verbose_eval=False,
    )
    losses = next(iter(history["train"].values()))
    assert losses[-1] < losses[0]
    assert ndcg(model.predict(data, output_margin=True), y) > 0.88 > ndcg(np.zeros(len(y)), y) + 0.2


def test_xgboost_reaches_the_ndcg_of_its_own_objective() -> None:
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import objective

    X, y, sizes = queries()
    data = xgboost.DMatrix(X, label=y, qid=np.repeat(np.arange(LISTS), sizes))
    options = {"max_depth": 3, "eta": 0.3, "base_score": 0.0}
    own = xgboost.train({**options, "objective": "rank:ndcg", "lambdarank_pair_method": "topk"}, data, 20)
    ours = xgboost.train(options, data, 20, obj=objective("lambdarank", convention="xgboost", truncation_level=32))
    found, expected = (ndcg(model.predict(data, output_margin=True), y) for model in (ours, own))
    assert found == pytest.approx(expected, rel=0.01)


def test_lightgbm_learns_to_rank_through_training_and_its_ranker() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    from losslib.adapters.lightgbm import metric, objective

    X, y, sizes = queries()
    options = {"learning_rate": 0.2, "num_leaves": 8, "verbose": -1}
    data = lightgbm.Dataset(X, label=y, group=sizes)
    trained = lightgbm.train({**options, "objective": objective("lambdarank")}, data, 20, feval=metric("lambdarank"))
    own = lightgbm.train({**options, "objective": "lambdarank"}, lightgbm.Dataset(X, label=y, group=sizes), 20)
    found, expected = (ndcg(model.predict(X, raw_score=True), y) for model in (trained, own))
    assert found == pytest.approx(expected, rel=0.01)
    ranker = lightgbm.LGBMRanker(objective=objective("lambdarank"), n_estimators=20, **options)
    ranker.fit(X, y, group=sizes)
    np.testing.assert_allclose(ranker.predict(X, raw_score=True), trained.predict(X, raw_score=True))
    name, value, larger_is_better = metric("lambdarank")(y, X[:, 0], None, sizes)
    assert (name, larger_is_better) == ("lambdarank_loss", False)
    assert value == pytest.approx(losslib.lambdarank_loss(X[:, 0], y, group_sizes=sizes))


def test_weights_of_groups_multiply_the_lists() -> None:
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import objective

    X, y, sizes = queries()
    weight = np.random.default_rng(1).random(LISTS)
    data = xgboost.DMatrix(X, label=y)
    data.set_group(sizes)
    data.set_weight(weight)
    scores = X[:, 0]
    grad, hess = objective("listmle")(scores, data)
    _, expected, curvature = losslib.listmle_loss.value_grad_hess(
        scores, y, group_sizes=sizes, sample_weight=weight.astype(np.float32), reduction="sum"
    )
    np.testing.assert_allclose(grad, expected)
    np.testing.assert_allclose(hess, np.maximum(curvature, 1e-16))


@pytest.mark.parametrize("name", ["cox", "survival_rank"])
@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
def test_the_sign_of_a_label_is_the_event(booster: str, name: str) -> None:
    module = pytest.importorskip(booster)
    X, time, event = lifetimes()
    signed = np.where(event > 0, time, -time)
    if booster == "xgboost":
        from losslib.adapters import xgboost as adapter

        data = module.DMatrix(X, label=signed)
        model = module.train({"max_depth": 3, "eta": 0.2, "base_score": 0.0}, data, 20, obj=adapter.objective(name))
        risk = model.predict(data, output_margin=True)
    else:
        from losslib.adapters import lightgbm as adapter  # type: ignore[no-redef]

        data = module.Dataset(X, label=signed)
        options = {"objective": adapter.objective(name), "learning_rate": 0.2, "num_leaves": 8, "verbose": -1}
        risk = module.train(options, data, 20).predict(X, raw_score=True)
    assert losslib.concordance_index(risk, time, event) > 0.75


def test_xgboost_grows_the_trees_of_its_own_partial_likelihood_where_no_times_are_tied() -> None:
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import objective

    X, time, event = lifetimes()
    data = xgboost.DMatrix(X, label=np.where(event > 0, time, -time))
    options = {"max_depth": 3, "eta": 0.2, "base_score": 0.5}
    own = xgboost.train({**options, "objective": "survival:cox"}, data, 20)
    ours = xgboost.train({**options, "base_score": 0.0}, data, 20, obj=objective("cox"))
    found, expected = (model.predict(data, output_margin=True) for model in (ours, own))
    np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), atol=2e-3)


def test_xgboost_hands_on_the_bounds_of_censored_times() -> None:
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import metric, objective

    X, time, event = lifetimes()
    data = xgboost.DMatrix(X)
    data.set_float_info("label_lower_bound", time)
    data.set_float_info("label_upper_bound", np.where(event > 0, time, np.inf))
    options = {"max_depth": 3, "eta": 0.2, "aft_loss_distribution": "normal", "aft_loss_distribution_scale": 0.8}
    own = xgboost.train({**options, "objective": "survival:aft", "base_score": 1.0}, data, 20)
    loss = losslib.AFTLoss(scale=0.8, xgboost_clamps=True)
    ours = xgboost.train({"max_depth": 3, "eta": 0.2, "base_score": 0.0}, data, 20, obj=objective(loss))
    scores = [model.predict(data, output_margin=True) for model in (ours, own)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-3, atol=1e-3)
    assert metric(loss)(scores[0], data)[1] == pytest.approx(
        loss(scores[0].astype(float), time.astype("f4"), np.where(event > 0, time, np.inf).astype("f4")), rel=1e-5
    )


@pytest.mark.parametrize("name", ["lambdarank", "cox", "survival_rank"])
def test_catboost_is_told_why_it_cannot_compare_samples(name: str) -> None:
    pytest.importorskip("catboost")
    from losslib.adapters.catboost import objective

    with pytest.raises(ParameterError, match="CatBoost hands a loss parts of the samples"):
        objective(name)


@pytest.mark.parametrize("name", ["lambdarank", "ndcg"])
def test_a_metric_of_catboost_is_told_no_groups(name: str) -> None:
    pytest.importorskip("catboost")
    from losslib.adapters.catboost import metric

    with pytest.raises(ParameterError, match=r"CatBoost tells a metric no groups, which .* looks at"):
        metric(name)


def test_a_loss_of_curves_is_no_objective() -> None:
    pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import objective

    with pytest.raises(ParameterError, match="needs a loss of one score; ipcw_brier_score takes a row"):
        objective("ipcw_brier_score")
