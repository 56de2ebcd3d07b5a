"""XGBoost trained through the adapter, against its built-in objectives."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
import xgboost
from sklearn.model_selection import GridSearchCV

import losslib
from adapters.training_data import Data
from losslib.adapters.xgboost import base_margin, leaf_quantiles, metric, objective

TREES = {"max_depth": 3, "nthread": 1, "eta": 0.2}


def train(data: Data, target: np.ndarray, built_in: str | None = None, obj: Any = None, **options: Any) -> np.ndarray:
    """Return the raw scores after 50 rounds."""
    matrix = xgboost.DMatrix(data.X, target, weight=data.weight)
    parameters = {**TREES, **options}
    if built_in is not None:
        parameters["objective"] = built_in
    booster = xgboost.train(parameters, matrix, 50, obj=obj)
    return np.asarray(booster.predict(matrix, output_margin=True))


# base_score: what a built-in objective calls 0.5 is a probability or a mean; as a score it is 0 or log(0.5).
@pytest.mark.parametrize(
    ("built_in", "kind", "loss", "options", "own_options", "adapter_options"),
    [
        ("reg:squarederror", "real", objective("half_squared_error"), {}, {"base_score": 0.5}, {"base_score": 0.5}),
        ("reg:squarederror", "pair", objective("half_squared_error"), {}, {"base_score": 0.5}, {"base_score": 0.5}),
        ("reg:pseudohubererror", "real", objective("pseudo_huber"), {}, {"base_score": 0.5}, {"base_score": 0.5}),
        ("binary:logistic", "binary", objective("bce_with_logits"), {}, {"base_score": 0.5}, {"base_score": 0.0}),
        (
            "count:poisson",
            "count",
            objective("poisson", hessian_factor=math.exp(0.7)),
            {"max_delta_step": 0.7},
            {"base_score": 1.0},
            {"base_score": 0.0},
        ),
        (
            "multi:softprob",
            "label",
            objective("cross_entropy"),
            {"num_class": 3},
            {"base_score": 0.5},
            {"base_score": 0.5},
        ),
    ],
    ids=["squared", "squared-two-outputs", "pseudo-huber", "logistic", "poisson", "softmax"],
)
def test_scores_are_those_of_the_built_in_objective(
    data: Data, built_in: str, kind: str, loss: Any, options: Any, own_options: Any, adapter_options: Any
) -> None:
    target = getattr(data, kind)
    own = train(data, target, built_in, **options, **own_options)
    ours = train(data, target, None, loss, **options, **adapter_options)
    assert np.ptp(own) > 1.0
    np.testing.assert_allclose(ours, own, atol=1e-5)


def test_the_estimators_take_the_same_objective_with_weights(data: Data) -> None:
    own = xgboost.XGBClassifier(n_estimators=20, n_jobs=1, base_score=0.5)
    ours = xgboost.XGBClassifier(n_estimators=20, n_jobs=1, base_score=0.5, objective=objective("cross_entropy"))
    expected = own.fit(data.X, data.label, sample_weight=data.weight).predict_proba(data.X)
    np.testing.assert_allclose(
        ours.fit(data.X, data.label, sample_weight=data.weight).predict_proba(data.X), expected, atol=1e-5
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("built_in", "loss"),
    [
        ({"objective": "reg:quantileerror", "quantile_alpha": 0.8}, losslib.QuantileLoss(quantile=0.8)),
        ({"objective": "reg:quantileerror", "quantile_alpha": 0.1}, losslib.QuantileLoss(quantile=0.1)),
        ({"objective": "reg:absoluteerror"}, losslib.L1Loss()),
    ],
)
def test_with_leaf_quantiles_scores_are_those_of_the_built_in_objective(
    data: Data, built_in: dict[str, Any], loss: losslib.Loss, weighted: bool
) -> None:
    matrix = xgboost.DMatrix(data.X, data.real, weight=data.weight if weighted else None)
    options = {**TREES, "base_score": 0.5}
    own = xgboost.train({**options, **built_in}, matrix, 50).predict(matrix)
    ours = xgboost.train(options, matrix, 50, obj=objective(loss), callbacks=[leaf_quantiles(loss, matrix)])
    assert np.ptp(own) > 1.0
    np.testing.assert_allclose(ours.predict(matrix, output_margin=True), own, atol=1e-4)


def test_leaf_quantiles_are_refused_for_other_losses() -> None:
    with pytest.raises(losslib.ParameterError, match="quantile_loss and l1_loss"):
        leaf_quantiles("huber", None)


@pytest.mark.parametrize("booster", ["dart", "gblinear"])
def test_leaf_quantiles_are_refused_where_trees_are_scaled_afterwards_or_there_are_none(
    data: Data, booster: str
) -> None:
    matrix = xgboost.DMatrix(data.X, data.real)
    with pytest.raises(losslib.ParameterError, match=f"needs booster='gbtree', got '{booster}'"):
        xgboost.train(
            {"booster": booster, "nthread": 1}, matrix, 2, obj=objective("l1"), callbacks=[leaf_quantiles("l1", matrix)]
        )


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("log_cosh", "real", {}),
        ("huber", "real", {"hessian": "exact", "min_hessian": 0.1}),
        ("sigmoid_focal_loss", "binary", {"min_hessian": 0.01}),
        ("quantile", "real", {}),
        ("softmax_focal_loss", "label", {}),
        ("cauchy", "real", {"min_hessian": 0.1}),
    ],
)
def test_a_loss_that_xgboost_lacks_improves_its_own_metric(
    data: Data, name: str, kind: str, options: dict[str, Any]
) -> None:
    target = getattr(data, kind)
    train_part = xgboost.DMatrix(data.X[:400], target[:400])
    test_part = xgboost.DMatrix(data.X[400:], target[400:])
    history: dict[str, Any] = {}
    parameters = {**TREES, "base_score": 0.0, "disable_default_eval_metric": True}
    if kind == "label":
        parameters["num_class"] = 3
    xgboost.train(
        parameters, train_part, 50, obj=objective(name, **options), custom_metric=metric(name),
        evals=[(train_part, "train"), (test_part, "test")], evals_result=history, verbose_eval=False,
    )  # fmt: skip
    (values,) = history["train"].values()
    (held_out,) = history["test"].values()
    assert len(values) == 50
    assert values[-1] < 0.7 * values[0]
    assert held_out[-1] < held_out[0]


def test_the_metric_is_the_mean_loss_of_the_scores_in_both_interfaces(data: Data) -> None:
    matrix = xgboost.DMatrix(data.X, data.real, weight=data.weight)
    scores = np.linspace(-1.0, 1.0, 600)
    expected = np.average(np.abs(scores - data.real.astype(np.float32)), weights=data.weight.astype(np.float32))
    name, value = metric("l1_loss")(scores, matrix)
    assert name == "l1_loss"
    assert value == pytest.approx(expected, rel=1e-6)
    assert metric("l1_loss")(data.real, scores, sample_weight=data.weight) == pytest.approx(expected, rel=1e-6)


def test_early_stopping_follows_the_metric_of_an_estimator(data: Data) -> None:
    model = xgboost.XGBRegressor(
        n_estimators=500, learning_rate=0.5, n_jobs=1, objective=objective("log_cosh"), eval_metric=metric("log_cosh"),
        early_stopping_rounds=5,
    )  # fmt: skip
    model.fit(data.X[:400], data.real[:400], eval_set=[(data.X[400:], data.real[400:])], verbose=False)
    history = model.evals_result()["validation_0"]["log_cosh_loss"]
    assert len(history) < 500
    assert model.best_iteration == int(np.argmin(history))
    raw = model.predict(data.X[400:])
    assert min(history) == pytest.approx(losslib.log_cosh_loss(raw.astype(np.float64), data.real[400:]), rel=1e-5)


def test_the_base_margin_is_where_the_built_in_objective_starts(data: Data) -> None:
    own = train(data, data.binary, "binary:logistic")
    margin = base_margin("bce_with_logits", data.binary, sample_weight=data.weight)
    matrix = xgboost.DMatrix(data.X, data.binary, weight=data.weight, base_margin=margin)
    booster = xgboost.train(TREES, matrix, 50, obj=objective("bce_with_logits"))
    # XGBoost estimates its own start by one Newton step in float32.
    np.testing.assert_allclose(booster.predict(matrix, output_margin=True), own, atol=0.05)
    assert base_margin("cross_entropy", data.label, rows=4).shape == (4, 3)


def test_an_objective_can_be_cloned_copied_and_pickled(data: Data) -> None:
    grid = GridSearchCV(
        xgboost.XGBRegressor(n_estimators=5, n_jobs=1),
        {"objective": [objective("huber", delta=delta) for delta in (0.5, 1.0)]},
        cv=2,
        scoring="neg_mean_absolute_error",
    ).fit(data.X, data.real)
    assert np.isfinite(grid.best_score_)
    model = grid.best_estimator_
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(data.X), model.predict(data.X))
    assert copy.deepcopy(objective("huber")).__name__ == "huber_loss"
