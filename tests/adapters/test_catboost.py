"""CatBoost trained through the adapter, against its built-in objectives."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import catboost
import numpy as np
import pytest

import losslib
from adapters.training_data import Data
from losslib.adapters.catboost import baseline, metric, objective

TREES = {
    "iterations": 50,
    "depth": 3,
    "learning_rate": 0.2,
    "thread_count": 1,
    "verbose": False,
    "allow_writing_files": False,
    "random_seed": 0,
    "bootstrap_type": "No",
}


def train(data: Data, target: np.ndarray, chosen: Any, judged_by: Any, **options: Any) -> np.ndarray:
    """Return the raw scores after 50 rounds."""
    pool = catboost.Pool(data.X, target, weight=data.weight)
    model = catboost.CatBoost({**TREES, "loss_function": chosen, "eval_metric": judged_by, **options}).fit(pool)
    return np.asarray(model.predict(data.X, prediction_type="RawFormulaVal"))


@pytest.mark.parametrize(
    ("built_in", "kind", "loss", "options"),
    [
        ("RMSE", "real", "half_squared_error", {}),
        ("Logloss", "binary", "bce_with_logits", {}),
        ("Poisson", "count", "poisson", {}),
        # By default CatBoost sets leaves to quantiles of residuals, which it does for its own objective only.
        ("Quantile:alpha=0.8", "real", losslib.QuantileLoss(quantile=0.8), {"leaf_estimation_method": "Gradient"}),
        ("MultiClass", "label", "cross_entropy", {"classes_count": 3, "iterations": 20}),
        ("MultiRMSE", "pair", "half_squared_error", {"iterations": 20}),
    ],
    ids=["squared", "logistic", "poisson", "quantile", "softmax", "two-outputs"],
)
def test_scores_are_those_of_the_built_in_objective(
    data: Data, built_in: str, kind: str, loss: Any, options: dict[str, Any]
) -> None:
    target = getattr(data, kind)
    several = {"multi_target": True} if kind == "pair" else {}
    own = train(data, target, built_in, built_in, boost_from_average=False, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # CatBoost warns when it tries to translate a method with numba
        ours = train(data, target, objective(loss, **several), metric(loss, **several), **options)
    assert np.ptp(own) > 1.0
    np.testing.assert_allclose(ours, own, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("log_cosh", "real", {}),
        ("huber", "real", {"hessian": "exact", "min_hessian": 0.1}),
        ("sigmoid_focal_loss", "binary", {"min_hessian": 0.01}),
        ("softmax_focal_loss", "label", {"hessian": "unit"}),
    ],
)
def test_a_loss_improves_its_own_metric(data: Data, name: str, kind: str, options: dict[str, Any]) -> None:
    target = getattr(data, kind)
    several = {"classes_count": 3} if kind == "label" else {}
    model = catboost.CatBoost(
        {**TREES, "loss_function": objective(name, **options), "eval_metric": metric(name), **several}
    )
    model.fit(catboost.Pool(data.X[:400], target[:400]), eval_set=catboost.Pool(data.X[400:], target[400:]))
    history = model.get_evals_result()
    (values,) = history["learn"].values()
    (held_out,) = history["validation"].values()
    assert len(values) == 50
    assert values[-1] < 0.75 * values[0]
    assert held_out[-1] < held_out[0]


def test_the_metric_is_the_weighted_mean_under_the_name_of_the_loss(data: Data) -> None:
    pool = catboost.Pool(data.X, data.real, weight=data.weight)
    model = catboost.CatBoost({**TREES, "loss_function": "RMSE", "eval_metric": metric("huber")}).fit(pool)
    last = model.get_evals_result()["learn"]["huber_loss"][-1]
    loss = losslib.HuberLoss(reduction="weighted_mean")
    assert last == pytest.approx(loss(model.predict(data.X), data.real, sample_weight=data.weight), rel=1e-6)


def test_the_classifier_takes_an_objective(data: Data) -> None:
    model = catboost.CatBoostClassifier(
        **TREES, loss_function=objective("bce_with_logits"), eval_metric=metric("bce_with_logits")
    ).fit(data.X, data.binary)
    raw = model.predict(data.X, prediction_type="RawFormulaVal")
    assert np.mean((raw > 0) == data.binary) > 0.85


def test_the_baseline_is_where_boosting_starts(data: Data) -> None:
    start = baseline("half_squared_error", data.real, sample_weight=data.weight)
    own = train(data, data.real, "RMSE", "RMSE", boost_from_average=True)
    pool = catboost.Pool(data.X, data.real, weight=data.weight, baseline=start)
    model = catboost.CatBoost({**TREES, "loss_function": objective("half_squared_error"), "eval_metric": "RMSE"}).fit(
        pool
    )
    np.testing.assert_allclose(model.predict(data.X) + start, own, atol=1e-5)


def test_each_sample_of_several_targets_has_the_hessian_of_the_loss() -> None:
    scores, targets = np.array([2.0, 0.1]), np.zeros(2)
    _, matrix = objective("huber", multi_target=True).calc_ders_multi(scores, targets, 3.0)
    assert matrix == [[-3e-16, -0.0], [-0.0, -3.0]]
    _, unit = objective("quantile", multi_target=True).calc_ders_multi(scores, targets, 3.0)
    assert unit == [[-3.0, -0.0], [-0.0, -3.0]]


def test_rows_have_the_whole_hessian(data: Data) -> None:
    scores = np.array([0.3, -1.0, 2.0])
    p = np.exp(scores) / np.exp(scores).sum()
    gradient, matrix = objective("cross_entropy").calc_ders_multi(scores, 2.0, 1.5)
    np.testing.assert_allclose(gradient, -1.5 * (p - [0.0, 0.0, 1.0]), rtol=1e-12)
    np.testing.assert_allclose(matrix, -1.5 * (np.diag(p) - np.outer(p, p)), atol=1e-8)


def test_objectives_and_metrics_survive_a_pickle() -> None:
    one = pickle.loads(pickle.dumps(objective("huber", delta=0.5)))
    found = one.calc_ders_range(np.array([2.0, 0.1]), np.zeros(2), None)
    assert found.tolist() == [[-0.5, -1e-16], [-0.1, -1.0]]
    other = pickle.loads(pickle.dumps(metric("huber")))
    assert type(other).__name__ == "huber_loss"
    assert other.evaluate([np.array([2.0])], np.array([0.0]), None) == (1.5, 1.0)
