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


@pytest.mark.parametrize("name", ["rank:ndcg", "rank:pairwise", "rank:map"])
def test_xgboost_reaches_the_metric_of_its_own_objectives(name: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import objective

    of_two = name == "rank:map"
    measure = losslib.mean_average_precision if of_two else losslib.ndcg
    (X, y, sizes), (fresh, known, _) = queries(), queries(7)
    if of_two:
        y, known = np.minimum(y, 1.0), np.minimum(known, 1.0)
    data = xgboost.DMatrix(X, label=y, qid=np.repeat(np.arange(LISTS), sizes))
    options = {"max_depth": 3, "eta": 0.3, "base_score": 0.0}
    own = xgboost.train({**options, "objective": name, "lambdarank_pair_method": "topk"}, data, 20)
    ours = xgboost.train(options, data, 20, obj=objective(f"xgboost:{name}"))
    for features, labels in ((X, y), (fresh, known)):
        found, expected = (
            measure(model.predict(xgboost.DMatrix(features), output_margin=True), labels, group_sizes=sizes)
            for model in (ours, own)
        )
        assert found == pytest.approx(expected, rel=0.01)


#: A loss without a Hessian has mean gradients as leaves, which are as small as the loss is flat: long steps.
LACKING: list[tuple[str, dict[str, Any], float]] = [
    ("approx_ndcg_loss", {"temperature": 0.3}, 10.0),
    ("listmle_loss", {}, 0.3),
    ("listwise_softmax_loss", {}, 0.3),
    ("xe_ndcg_loss", {}, 0.3),
]


@pytest.mark.parametrize(("name", "parameters", "rate"), LACKING, ids=[name for name, _, _ in LACKING])
def test_an_objective_that_xgboost_lacks_is_better_at_its_own_loss_than_lambdarank(
    name: str, parameters: dict[str, Any], rate: float
) -> None:
    """On the lists that were trained on, and on others."""
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import objective

    (X, y, sizes), (fresh, known, _) = queries(), queries(7)
    data = xgboost.DMatrix(X, label=y, qid=np.repeat(np.arange(LISTS), sizes))
    options = {"max_depth": 3, "eta": 0.3, "base_score": 0.0}
    own = xgboost.train({**options, "objective": "rank:ndcg"}, data, 20)
    ours = xgboost.train({**options, "eta": rate}, data, 20, obj=objective(name, **parameters))
    for features, labels in ((X, y), (fresh, known)):
        found, other = (
            getattr(losslib, name)(
                model.predict(xgboost.DMatrix(features), output_margin=True), labels, group_sizes=sizes, **parameters
            )
            for model in (ours, own)
        )
        assert found <= other


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
    expected = lightgbm.train({**options, "objective": "rank_xendcg"}, lightgbm.Dataset(X, label=y, group=sizes), 20)
    other = lightgbm.train({**options, "objective": objective("lightgbm:rank_xendcg")}, data, 20)
    found, expected = (ndcg(model.predict(X, raw_score=True), y) for model in (other, expected))
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


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_with_tied_times_both_likelihoods_are_better_than_after_the_objective_of_xgboost(ties: str) -> None:
    """With ties its gradients are of no likelihood (tests/peers/test_names_orders.py).

    Its steps are longer at first, which new samples pay for from the first rounds on, and it ends higher on its own.
    """
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import objective

    def tied(seed: int) -> tuple[Any, np.ndarray, np.ndarray]:
        X, time, event = lifetimes(seed)
        time = np.ceil(3 * time) / 3
        return xgboost.DMatrix(X, label=np.where(event > 0, time, -time)), time, event

    data, fresh = tied(0), tied(5)
    options = {"max_depth": 3, "eta": 0.2}
    for rounds, others in ((20, [fresh]), (160, [data, fresh])):
        own = xgboost.train({**options, "objective": "survival:cox"}, data[0], rounds)
        ours = xgboost.train({**options, "base_score": 0.0}, data[0], rounds, obj=objective("cox", ties=ties))
        for matrix, time, event in others:
            found, other = (
                losslib.cox_ph_loss(model.predict(matrix, output_margin=True), time, event, ties=ties)
                for model in (ours, own)
            )
            assert found < 0.99 * other


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
