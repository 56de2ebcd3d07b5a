"""Models of ordered classes: the estimator, and boosters with thresholds that are fitted between the rounds."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import check_estimator

import losslib
from losslib.adapters.ordinal import OrdinalObjective, class_probabilities, fit_thresholds
from losslib.adapters.sklearn import OrdinalClassifier


@pytest.fixture(scope="module")
def grades() -> tuple[np.ndarray, np.ndarray]:
    """Progression of diabetes in five grades of equal frequency; standardised measurements."""
    X, y = load_diabetes(return_X_y=True)
    return (X - X.mean(0)) / X.std(0), np.searchsorted(np.quantile(y, [0.2, 0.4, 0.6, 0.8]), y)


@pytest.mark.parametrize("estimator", [OrdinalClassifier(), OrdinalClassifier("probit")], ids=repr)
def test_scikit_learns_own_checks_pass(estimator: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks fit data on which solvers stop early
        results = check_estimator(estimator, on_skip=None)
    skipped = {item["check_name"] for item in results if item["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}  # needs an array library that scikit-learn was told about
    assert all(item["status"] != "failed" for item in results)


def test_two_classes_are_logistic_regression(grades: Any) -> None:
    X, y = grades
    model = OrdinalClassifier(alpha=1 / len(X)).fit(X, y > 2)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(X, y > 2)
    np.testing.assert_allclose(model.coef_, theirs.coef_[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(-model.thresholds_, theirs.intercept_, rtol=1e-4, atol=1e-5)


def test_the_model_is_that_of_statsmodels(grades: Any) -> None:
    models = pytest.importorskip("statsmodels.miscmodels.ordinal_model")
    X, y = grades
    for link in ("logit", "probit"):
        model = OrdinalClassifier(link, alpha=0.0).fit(X, y)
        theirs = models.OrderedModel(y, X, distr=link).fit(method="bfgs", disp=False, maxiter=500, gtol=1e-8)
        np.testing.assert_allclose(model.coef_, theirs.params[: X.shape[1]], rtol=1e-3, atol=1e-3)
        wanted = theirs.model.predict(theirs.params, X)
        np.testing.assert_allclose(model.predict_proba(X), wanted, atol=1e-3)


def test_probabilities_add_up_and_are_those_of_the_loss() -> None:
    scores, thresholds = np.linspace(-4, 4, 9), np.array([-1.0, 0.5, 2.0])
    for link in ("logit", "probit", "cloglog"):
        found = class_probabilities(scores, thresholds, link)
        np.testing.assert_allclose(found.sum(1), 1.0)
        for k in range(4):
            wanted = np.exp(
                -losslib.cumulative_link_loss(scores, np.full(9, k), thresholds, link=link, reduction="none")
            )
            np.testing.assert_allclose(found[:, k], wanted, rtol=1e-9, atol=1e-15)


def test_fitted_thresholds_have_no_slope() -> None:
    rng = np.random.default_rng(0)
    scores, target = rng.normal(size=300), rng.integers(0, 4, 300)
    thresholds = fit_thresholds(scores, target, n_classes=4, max_iter=500)
    slope = losslib.cumulative_link_loss.grad(scores, target, thresholds, wrt="thresholds")
    assert np.abs(slope).max() < 1e-4
    assert (np.diff(thresholds) >= 0).all()
    doubled = fit_thresholds(np.tile(scores, 2), np.tile(target, 2), n_classes=4, max_iter=500)
    weighted = fit_thresholds(scores, target, n_classes=4, sample_weight=np.full(300, 2.0), max_iter=500)
    np.testing.assert_allclose(doubled, thresholds, atol=1e-3)
    np.testing.assert_allclose(weighted, thresholds, atol=1e-3)


def split(grades: Any) -> tuple[np.ndarray, ...]:
    X, y = grades
    order = np.random.default_rng(1).permutation(len(X))
    train, test = order[:300], order[300:]
    return X[train], y[train], X[test], y[test]


def kappa(y: np.ndarray, predicted: np.ndarray) -> float:
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(y, predicted, weights="quadratic"))


def test_boosted_ordinal_trees_beat_the_multiclass_objective(grades: Any) -> None:
    """Quadratic kappa on grades that were not seen, the same trees."""
    xgboost = pytest.importorskip("xgboost")
    X, y, other_X, other_y = split(grades)
    shared = {"max_depth": 2, "eta": 0.1, "nthread": 1}
    data, unseen = xgboost.DMatrix(X, y), xgboost.DMatrix(other_X)
    objective = OrdinalObjective(5)
    model = xgboost.train({**shared, "base_score": 0.0}, data, 60, obj=objective)
    objective.fit(model.predict(data, output_margin=True), y)
    ours = objective.predict(model.predict(unseen, output_margin=True))
    classes = xgboost.train({**shared, "objective": "multi:softprob", "num_class": 5}, data, 60).predict(unseen)
    assert kappa(other_y, ours) > kappa(other_y, classes.argmax(1))
    assert (np.diff(objective.thresholds_) > 0).all()
    assert repr(pickle.loads(pickle.dumps(objective))) == repr(objective)


def test_lightgbm_and_catboost_take_the_same_objective(grades: Any) -> None:
    lightgbm, catboost = pytest.importorskip("lightgbm"), pytest.importorskip("catboost")
    X, y, other_X, other_y = split(grades)
    objective = OrdinalObjective(5)
    data = lightgbm.Dataset(X, y)
    model = lightgbm.train(
        {"objective": objective, "num_leaves": 4, "learning_rate": 0.1, "verbose": -1, "num_threads": 1}, data, 60
    )
    objective.fit(model.predict(X), y)
    assert kappa(other_y, objective.predict(model.predict(other_X))) > 0.4
    fixed = OrdinalObjective(5, thresholds=fit_thresholds(np.zeros(len(y)), y, n_classes=5))
    trees = catboost.CatBoostRegressor(
        iterations=60, depth=3, learning_rate=0.1, loss_function=fixed, eval_metric="RMSE", thread_count=1,
        verbose=False, allow_writing_files=False,
    )  # fmt: skip
    trees.fit(X, y)
    fixed.fit(trees.predict(X), y)
    assert kappa(other_y, fixed.predict(trees.predict(other_X))) > 0.4


@pytest.mark.parametrize("name", ["coral", "corn"])
def test_questions_train_one_tree_each(grades: Any, name: str) -> None:
    """Four questions of five grades: columns of scores, exact Hessians."""
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import objective

    X, y, other_X, other_y = split(grades)
    data = xgboost.DMatrix(X, y)
    made = objective(name)
    scores = np.zeros((len(y), 4), np.float32)
    grad, hess = made(scores, data)
    wanted = getattr(losslib, f"{name}_loss").value_grad_hess(scores, y, reduction="sum")
    np.testing.assert_allclose(grad, wanted[1], rtol=1e-6)
    np.testing.assert_allclose(hess, np.maximum(wanted[2], 1e-16), rtol=1e-6)
    model = xgboost.train(
        {"max_depth": 2, "eta": 0.1, "num_class": 4, "nthread": 1, "base_score": 0.0}, data, 60, obj=made
    )
    answers = 1 / (1 + np.exp(-model.predict(xgboost.DMatrix(other_X), output_margin=True)))
    above = np.cumprod(answers, axis=1) if name == "corn" else answers
    assert kappa(other_y, (above > 0.5).sum(1)) > 0.4


def test_arguments_that_make_no_sense_are_errors() -> None:
    with pytest.raises(losslib.ParameterError, match="at least 2"):
        OrdinalObjective(1)
    with pytest.raises(losslib.ParameterError, match="expected"):
        OrdinalObjective(4, thresholds=[0.0])
    with pytest.raises(losslib.ParameterError, match="a block of samples at a time"):
        OrdinalObjective(3).calc_ders_range([0.0], [1], None)
    with pytest.raises(losslib.DomainError, match="classes 0 to 1"):
        fit_thresholds([0.0, 1.0], [0, 2], n_classes=2)
