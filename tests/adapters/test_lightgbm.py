"""LightGBM trained through the adapter, against its built-in objectives."""

from __future__ import annotations

import inspect
import math
import pickle
from typing import Any

import lightgbm
import numpy as np
import pytest

import losslib
from adapters.training_data import Data
from losslib.adapters.lightgbm import init_score, leaf_quantiles, metric, objective

TREES = {"num_leaves": 8, "learning_rate": 0.2, "num_threads": 1, "verbose": -1, "deterministic": True}


def train(data: Data, target: np.ndarray, chosen: Any, **options: Any) -> np.ndarray:
    """Return the raw scores after 50 rounds."""
    matrix = lightgbm.Dataset(data.X, target, weight=data.weight)
    booster = lightgbm.train({**TREES, "objective": chosen, **options}, matrix, 50)
    return np.asarray(booster.predict(data.X, raw_score=True))


@pytest.mark.parametrize(
    ("built_in", "kind", "loss", "options"),
    [
        ("regression", "real", objective("half_squared_error"), {}),
        ("binary", "binary", objective("bce_with_logits"), {}),
        ("poisson", "count", objective("poisson", hessian_factor=math.exp(0.7)), {}),
        ("fair", "real", objective("fair"), {}),
        ("multiclass", "label", objective("cross_entropy"), {"num_class": 3}),
        ("multiclassova", "label", None, {"num_class": 3}),
    ],
    ids=["squared", "logistic", "poisson", "fair", "softmax", "one-vs-rest"],
)
def test_scores_are_those_of_the_built_in_objective(
    data: Data, built_in: str, kind: str, loss: Any, options: dict[str, Any]
) -> None:
    target = getattr(data, kind)
    if loss is None:  # one logistic loss for each class
        each = objective("bce_with_logits")

        def loss(scores: np.ndarray, matrix: Any) -> Any:
            parts = [each(matrix.get_label() == k, scores[:, k], matrix.get_weight()) for k in range(3)]
            return tuple(np.column_stack(columns) for columns in zip(*parts, strict=True))

    own = train(data, target, built_in, boost_from_average=False, **options)
    ours = train(data, target, loss, **options)
    assert np.ptp(own) > 1.0
    np.testing.assert_allclose(ours, own, atol=1e-5)


def test_the_init_score_is_where_the_built_in_objective_starts(data: Data) -> None:
    own = train(data, data.binary, "binary")
    start = init_score("bce_with_logits", data.binary, sample_weight=data.weight)
    matrix = lightgbm.Dataset(data.X, data.binary, weight=data.weight, init_score=start)
    booster = lightgbm.train({**TREES, "objective": objective("bce_with_logits")}, matrix, 50)
    np.testing.assert_allclose(booster.predict(data.X, raw_score=True) + start, own, atol=1e-5)


def test_the_estimators_take_the_same_objective_with_weights(data: Data) -> None:
    options = {"n_estimators": 20, "verbose": -1, "n_jobs": 1, "boost_from_average": False}
    own = lightgbm.LGBMClassifier(**options).fit(data.X, data.label, sample_weight=data.weight)
    ours = lightgbm.LGBMClassifier(**options, objective=objective("cross_entropy"))
    ours.fit(data.X, data.label, sample_weight=data.weight)
    np.testing.assert_allclose(ours.predict(data.X, raw_score=True), own.predict(data.X, raw_score=True), atol=1e-5)


@pytest.mark.parametrize(
    ("built_in", "loss"),
    [
        ({"objective": "quantile", "alpha": 0.8}, losslib.QuantileLoss(quantile=float(np.float32(0.8)))),
        ({"objective": "quantile", "alpha": 0.1}, losslib.QuantileLoss(quantile=0.1)),
        ({"objective": "regression_l1"}, losslib.L1Loss()),
    ],
)
def test_with_leaf_quantiles_scores_are_those_of_the_built_in_objective(
    data: Data, built_in: dict[str, Any], loss: losslib.Loss
) -> None:
    # LightGBM holds its alpha in float32, and between splits of equal gain the last bit decides.
    own = lightgbm.train(
        {**TREES, **built_in, "boost_from_average": False}, lightgbm.Dataset(data.X, data.real), 50
    ).predict(data.X)
    renewed = leaf_quantiles(loss, data.X)
    matrix = lightgbm.Dataset(data.X, data.real)
    ours = lightgbm.train({**TREES, "objective": renewed}, matrix, 50, callbacks=[renewed.renew])
    assert np.ptp(own) > 1.0
    np.testing.assert_allclose(ours.predict(data.X), own, atol=1e-4)


def test_leaf_quantiles_refuse_an_evaluation_that_would_be_wrong(data: Data) -> None:
    renewed = leaf_quantiles("quantile", data.X)
    matrix = lightgbm.Dataset(data.X, data.real)
    with pytest.raises(losslib.ParameterError, match="train without them"):
        lightgbm.train(
            {**TREES, "objective": renewed, "metric": "l1"}, matrix, 5, valid_sets=[matrix], callbacks=[renewed.renew]
        )
    with pytest.raises(losslib.ParameterError, match="quantile_loss and l1_loss"):
        leaf_quantiles("huber", data.X)


@pytest.mark.parametrize("boosting", [{"boosting": "dart"}, {"boosting_type": "dart"}, {"boost": "dart"}])
def test_leaf_quantiles_are_refused_where_trees_are_scaled_afterwards(data: Data, boosting: dict[str, str]) -> None:
    renewed = leaf_quantiles("l1", data.X)
    options = {**TREES, **boosting, "objective": renewed}
    with pytest.raises(losslib.ParameterError, match="needs boosting='gbdt', got"):
        lightgbm.train(options, lightgbm.Dataset(data.X, data.real), 2, callbacks=[renewed.renew])


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("log_cosh", "real", {}),
        ("huber", "real", {"hessian": "exact", "min_hessian": 0.1}),
        ("sigmoid_focal_loss", "binary", {"min_hessian": 0.01}),
        ("quantile", "real", {}),
        ("softmax_focal_loss", "label", {}),
    ],
)
def test_a_loss_that_lightgbm_lacks_improves_its_own_metric(
    data: Data, name: str, kind: str, options: dict[str, Any]
) -> None:
    target = getattr(data, kind)
    train_part = lightgbm.Dataset(data.X[:400], target[:400])
    test_part = lightgbm.Dataset(data.X[400:], target[400:], reference=train_part)
    history: dict[str, Any] = {}
    parameters = {**TREES, "objective": objective(name, **options), "metric": "None"}
    if kind == "label":
        parameters["num_class"] = 3
    lightgbm.train(
        parameters, train_part, 50, valid_sets=[train_part, test_part], valid_names=["train", "test"],
        feval=metric(name), callbacks=[lightgbm.record_evaluation(history)],
    )  # fmt: skip
    (values,) = history["train"].values()
    (held_out,) = history["test"].values()
    assert len(values) == 50
    assert values[-1] < 0.7 * values[0]
    assert held_out[-1] < held_out[0]


def test_the_metric_of_an_estimator_is_the_weighted_mean_and_lower_is_better(data: Data) -> None:
    model = lightgbm.LGBMRegressor(n_estimators=10, verbose=-1, n_jobs=1, objective=objective("log_cosh"))
    evaluation: dict[str, Any] = {"eval_set": [(data.X, data.real)]}
    if "eval_X" in inspect.signature(model.fit).parameters:  # the name in newer versions
        evaluation = {"eval_X": data.X, "eval_y": data.real}
    model.fit(
        data.X, data.real, sample_weight=data.weight, **evaluation,
        eval_sample_weight=[data.weight], eval_metric=metric("log_cosh"),
    )  # fmt: skip
    last = model.evals_result_["training"]["log_cosh_loss"][-1]
    loss = losslib.LogCoshLoss(reduction="weighted_mean")
    assert last == pytest.approx(loss(model.predict(data.X), data.real, sample_weight=data.weight), rel=1e-5)
    assert metric("log_cosh")(data.real, data.real, None)[2] is False


def test_models_with_an_objective_survive_a_pickle(data: Data) -> None:
    model = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1, objective=objective("huber", delta=0.5))
    model.fit(data.X, data.real)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(data.X), model.predict(data.X))
