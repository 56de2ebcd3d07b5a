"""Ranking losses are those of rax, optax, LightGBM, XGBoost and CatBoost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib

LISTS, ITEMS = 30, 25


def sample(shape: tuple[int, ...] = (4, 6), seed: int = 0) -> dict[str, np.ndarray]:
    """Return scores, graded labels, weights of items and a mask."""
    rng = np.random.default_rng(seed)
    return {
        "x": rng.standard_normal(shape),
        "y": rng.integers(0, 4, shape).astype(float),
        "weight": rng.random(shape),
        "where": rng.random(shape) < 0.8,
    }


def agree(loss: Any, theirs: Any, x: np.ndarray, relative: float = 1e-12) -> None:
    """Compare value and gradient with a function of JAX."""
    jax = pytest.importorskip("jax")
    value, grad = loss(x)
    expected, slope = jax.value_and_grad(theirs)(jax.numpy.asarray(x))
    assert value == pytest.approx(float(expected), rel=relative)
    np.testing.assert_allclose(grad, np.asarray(slope), rtol=relative, atol=1e-14)


# ---- rax and optax -----------------------------------------------------------------------------------------------

RAX = {
    "pairwise_logistic_loss": "pairwise_logistic_loss",
    "pairwise_hinge_loss": "pairwise_hinge_loss",
    "pairwise_soft_zero_one_loss": "pairwise_soft_zero_one_loss",
    "pairwise_mse_loss": "pairwise_mse_loss",
    "pairwise_qr_loss": "pairwise_qr_loss",
    "unique_softmax_loss": "unique_softmax_loss",
    "listwise_softmax_loss": "softmax_loss",
    "listmle_loss": "listmle_loss",
}


@pytest.mark.parametrize(("weighted", "masked"), [(False, False), (True, True)])
@pytest.mark.parametrize("name", RAX)
def test_losses_of_rax_have_the_same_mean(name: str, weighted: bool, masked: bool) -> None:
    rax = pytest.importorskip("rax")
    if weighted and name == "listmle_loss":
        pytest.skip("rax has no weights here")
    drawn = sample()
    theirs = {"weights": drawn["weight"]} if weighted else {}
    ours = {"sample_weight": drawn["weight"]} if weighted else {}
    if masked:
        theirs["where"] = ours["where"] = drawn["where"]
    labels = drawn["y"].copy()  # rax multiplies it by the weights in place
    agree(
        lambda x: getattr(losslib, name).value_and_grad(x, labels, **ours),
        lambda x: getattr(rax, RAX[name])(x, drawn["y"], **theirs),
        drawn["x"],
    )


def test_poly1_is_that_of_rax() -> None:
    rax = pytest.importorskip("rax")
    jax = pytest.importorskip("jax")
    drawn = sample()
    labels, weight = jax.numpy.asarray(drawn["y"]), jax.numpy.asarray(drawn["weight"])  # it multiplies in place
    agree(
        lambda x: losslib.listwise_softmax_loss.value_and_grad(
            x, drawn["y"], epsilon=1.0, sample_weight=drawn["weight"]
        ),
        lambda x: rax.poly1_softmax_loss(x, labels, weights=weight),
        drawn["x"],
    )


@pytest.mark.parametrize("topn", [None, 3])
@pytest.mark.parametrize("kind", ["label_diff", "ndcg", "ndcg2"])
def test_weights_of_pairs_are_those_of_rax_but_for_the_length_of_the_list(kind: str, topn: int | None) -> None:
    rax = pytest.importorskip("rax")
    drawn = sample()
    options: dict[str, Any] = {} if kind == "label_diff" else {"topn": topn, "normalize": True}
    weigh = {
        "label_diff": rax.labeldiff_lambdaweight,
        "ndcg": rax.dcg_lambdaweight,
        "ndcg2": rax.dcg2_lambdaweight,
    }[kind]

    def theirs(x: Any) -> Any:
        value = rax.pairwise_logistic_loss(
            x, drawn["y"], lambdaweight_fn=lambda *args, **rest: weigh(*args, **{**rest, **options})
        )
        return value if kind == "label_diff" else value / 6

    agree(
        lambda x: losslib.pairwise_logistic_loss.value_and_grad(x, drawn["y"], pair_weight=kind, topn=topn),
        theirs,
        drawn["x"],
    )


def test_approximate_ndcg_and_mrr_are_the_metrics_of_rax_with_its_smooth_ranks() -> None:
    rax = pytest.importorskip("rax")
    jax = pytest.importorskip("jax")
    import functools

    drawn = sample()
    ranks = functools.partial(rax.utils.approx_ranks, step_fn=jax.nn.sigmoid)
    for ours, metric in (("approx_ndcg_loss", rax.ndcg_metric), ("approx_mrr_loss", rax.mrr_metric)):
        agree(
            lambda x, ours=ours: getattr(losslib, ours).value_and_grad(x, drawn["y"]),
            lambda x, metric=metric: -metric(x, drawn["y"], rank_fn=ranks),
            drawn["x"],
        )


def test_the_ranking_softmax_of_optax() -> None:
    optax = pytest.importorskip("optax")
    drawn = sample()
    agree(
        lambda x: losslib.listwise_softmax_loss.value_and_grad(x, drawn["y"], where=drawn["where"]),
        lambda x: optax.losses.ranking_softmax_loss(x, drawn["y"], where=drawn["where"]),
        drawn["x"],
    )


# ---- one round of a booster --------------------------------------------------------------------------------------


def boosted(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[int]]:
    """Return one feature that tells all items apart, grades, scores to start from, and sizes of lists."""
    rng = np.random.default_rng(seed)
    items = LISTS * ITEMS
    return (
        np.arange(items, dtype=float)[:, None],
        rng.integers(0, 5, items),
        rng.standard_normal(items),
        [ITEMS] * LISTS,
    )


def leaf_values(grad: np.ndarray, hess: np.ndarray, leaf: np.ndarray) -> np.ndarray:
    """Return -Σg/Σh of the leaf of each item."""
    total = np.bincount(leaf, hess)
    return np.asarray((-np.bincount(leaf, grad) / np.where(total > 0, total, 1))[leaf])


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {}),
        ({"lambdarank_norm": False}, {"norm": "none"}),
        ({"lambdarank_truncation_level": 5, "sigmoid": 2.0}, {"truncation_level": 5, "sigma": 2.0}),
    ],
)
def test_a_round_of_lightgbm_has_the_same_leaves(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    feature, labels, scores, sizes = boosted()
    fine = {"min_data_in_bin": 1, "max_bin": 5000, "min_data_in_leaf": 3, "verbose": -1}
    data = lightgbm.Dataset(feature, label=labels, group=sizes, init_score=scores, params=fine)
    model = lightgbm.train(
        {
            **fine,
            "objective": "lambdarank",
            "num_leaves": 100,
            "min_sum_hessian_in_leaf": 1e-9,
            "learning_rate": 1.0,
            "lambda_l2": 0,
            **theirs,
        },
        data,
        num_boost_round=1,
    )
    _, grad, hess = losslib.lambdarank_loss.value_grad_hess(scores, labels, group_sizes=sizes, reduction="sum", **ours)
    leaf = model.predict(feature, pred_leaf=True).ravel().astype(int)
    assert len(np.unique(leaf)) > 50
    # Its sigmoids come from a table, each good to 5e-5: a leaf may be off by that share of what it adds up.
    added = np.bincount(leaf, np.abs(grad))[leaf] / np.bincount(leaf, hess)[leaf]
    error = np.abs(model.predict(feature, raw_score=True) - leaf_values(grad, hess, leaf))
    assert (error <= 1e-4 * added).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"objective": "rank:ndcg"}, {}),
        ({"objective": "rank:pairwise"}, {"metric": "pairwise"}),
        ({"objective": "rank:map"}, {"metric": "map"}),
        ({"objective": "rank:ndcg", "lambdarank_normalization": False}, {"norm": "score"}),
        ({"objective": "rank:ndcg", "lambdarank_score_normalization": False}, {"norm": "sum"}),
    ],
)
def test_a_round_of_xgboost_has_the_same_leaves(theirs: dict[str, Any], ours: dict[str, Any], weighted: bool) -> None:
    xgboost = pytest.importorskip("xgboost")
    feature, labels, scores, sizes = boosted()
    if ours.get("metric") == "map":
        labels = (labels > 2).astype(int)
    weight = np.random.default_rng(1).random(LISTS) + 0.5 if weighted else None
    data = xgboost.DMatrix(feature, label=labels, base_margin=scores)
    data.set_group(sizes)
    if weight is not None:
        data.set_weight(weight)
    options = {"tree_method": "exact", "eta": 1.0, "lambda": 0, "min_child_weight": 0, "gamma": 0, "max_depth": 6}
    model = xgboost.train({**options, "lambdarank_pair_method": "topk", **theirs}, data, num_boost_round=1)
    leaf = model.predict(data, pred_leaf=True).ravel().astype(int)
    _, grad, hess = losslib.lambdarank_loss.value_grad_hess(
        scores,
        labels,
        group_sizes=sizes,
        reduction="sum",
        convention="xgboost",
        truncation_level=32,
        sample_weight=weight,
        **ours,
    )
    np.testing.assert_allclose(
        model.predict(data, output_margin=True) - scores, leaf_values(grad, hess, leaf), rtol=1e-4, atol=1e-5
    )


def test_the_metric_of_catboost_is_the_root_of_the_mean() -> None:
    utils = pytest.importorskip("catboost.utils")
    drawn = sample((60,), 3)
    groups = np.sort(np.random.default_rng(2).integers(0, 9, 60))
    theirs = utils.eval_metric(drawn["y"], drawn["x"], "QueryRMSE", group_id=groups)[0]
    assert np.sqrt(losslib.query_rmse_loss(drawn["x"], drawn["y"], group_ids=groups)) == pytest.approx(theirs, rel=1e-6)
