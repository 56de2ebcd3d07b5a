"""scikit-learn: metrics, scorers, and linear models against scikit-learn's own."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.metrics import log_loss, mean_pinball_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import losslib
from losslib.adapters.sklearn import LossClassifier, LossRegressor, metric, scorer
from losslib.errors import DomainError, ParameterError


@pytest.fixture(scope="module")
def tumours() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def diabetes() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


# ---- the estimator contract ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        LossRegressor(),
        LossRegressor("quantile"),
        LossRegressor(losslib.HuberLoss(delta=2.0)),
        LossClassifier(),
        LossClassifier("hinge"),
        LossClassifier("bce_with_logits"),
    ],
    ids=repr,
)
def test_scikit_learns_own_checks_pass(estimator: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks fit data on which solvers stop early
        results = check_estimator(estimator, on_skip=None)
    counts = {status: sum(item["status"] == status for item in results) for status in ("passed", "failed", "skipped")}
    skipped = {item["check_name"] for item in results if item["status"] == "skipped"}
    assert counts["passed"] > 50
    assert counts["failed"] == 0
    assert skipped <= {"check_array_api_input"}  # needs an array library that scikit-learn was told about


# ---- coefficients ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["cross_entropy", "bce_with_logits", "soft_margin_loss"])
@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_coefficients_are_those_of_logistic_regression(tumours: Any, loss: str, strength: float) -> None:
    X, y = tumours
    own = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000).fit(X, y)
    ours = LossClassifier(loss, alpha=1.0 / (strength * len(y))).fit(X, y)
    np.testing.assert_allclose(ours.coef_, own.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, own.intercept_, atol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(X), own.predict_proba(X), atol=1e-4)
    np.testing.assert_array_equal(ours.predict(X), own.predict(X))


def test_coefficients_are_those_of_multinomial_logistic_regression() -> None:
    X, y = load_wine(return_X_y=True)
    X, names = StandardScaler().fit_transform(X), np.array(["barolo", "grignolino", "barbera"])[y]
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=len(y))
    own = LogisticRegression(tol=1e-10, max_iter=10_000).fit(X, names, sample_weight=weight)
    ours = LossClassifier(alpha=1.0 / weight.sum()).fit(X, names, sample_weight=weight)
    np.testing.assert_array_equal(ours.classes_, own.classes_)
    np.testing.assert_allclose(ours.coef_, own.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, own.intercept_, atol=1e-4)


@pytest.mark.parametrize("epsilon", [1.1, 1.35, 2.0])
def test_coefficients_are_those_of_huber_regression_at_its_scale(diabetes: Any, epsilon: float) -> None:
    # HuberRegressor fits a scale s as well and minimises Σ (s + H(r / s) s) + a ||w||², where s H(r / s) is 2 / s times
    # the Huber loss of delta = epsilon s: at its s that is our problem with alpha = a s / n.
    X, y = diabetes
    own = HuberRegressor(epsilon=epsilon, alpha=0.01, tol=1e-10, max_iter=10_000).fit(X, y)
    loss = losslib.HuberLoss(delta=epsilon * own.scale_)
    ours = LossRegressor(loss, alpha=0.01 * own.scale_ / len(y)).fit(X, y)
    np.testing.assert_allclose(ours.coef_, own.coef_, atol=1e-4)
    assert ours.intercept_ == pytest.approx(own.intercept_, abs=1e-4)


@pytest.mark.parametrize("quantile", [0.1, 0.25, 0.5, 0.9])
def test_coefficients_are_those_of_quantile_regression(diabetes: Any, quantile: float) -> None:
    X, y = diabetes
    own = QuantileRegressor(quantile=quantile, alpha=0.0).fit(X, y)
    ours = LossRegressor(losslib.QuantileLoss(quantile=quantile), alpha=0.0).fit(X, y)
    np.testing.assert_allclose(ours.coef_, own.coef_, atol=1e-4)
    assert ours.intercept_ == pytest.approx(own.intercept_, abs=1e-4)


def test_quantile_regression_does_not_depend_on_the_scale_of_the_target(diabetes: Any) -> None:
    X, y = diabetes
    loss = losslib.QuantileLoss(quantile=0.7)
    small = LossRegressor(loss, alpha=0.0).fit(X, y)
    large = LossRegressor(loss, alpha=0.0).fit(X, 1e4 * y + 5e5)
    np.testing.assert_allclose(large.coef_, 1e4 * small.coef_, rtol=1e-3, atol=1.0)
    assert large.intercept_ == pytest.approx(1e4 * small.intercept_ + 5e5, abs=1.0)


def test_the_penalised_absolute_error_satisfies_its_optimality_conditions(diabetes: Any) -> None:
    X, y = diabetes
    model = LossRegressor("l1_loss", alpha=0.05).fit(X, y)
    residual = model.predict(X) - y
    on_kink = np.abs(residual) < 1e-5
    assert 1 < on_kink.sum() < 40
    # 0 is in the subdifferential: the samples on the kink make up, with slopes in [-1, 1], for what the others leave.
    left = X[~on_kink].T @ np.sign(residual[~on_kink]) / len(y) + 0.05 * model.coef_
    design = np.vstack([X[on_kink].T, np.ones(on_kink.sum())]) / len(y)
    wanted = -np.append(left, np.sign(residual[~on_kink]).sum() / len(y))
    slopes, *_ = np.linalg.lstsq(design, wanted, rcond=None)
    np.testing.assert_allclose(design @ slopes, wanted, atol=1e-6)
    assert np.abs(slopes).max() < 1.0 + 1e-3


def test_ridge_poisson_and_weights(diabetes: Any) -> None:
    X, y = diabetes
    weight = np.random.default_rng(3).uniform(0.5, 2.0, size=len(y))
    ridge = Ridge(alpha=0.1 * weight.sum()).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(LossRegressor(alpha=0.1).fit(X, y, weight).coef_, ridge.coef_, atol=1e-6)
    own = PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=1000).fit(X, np.exp(y), weight)
    ours = LossRegressor("poisson", alpha=0.1).fit(X, np.exp(y), weight)
    np.testing.assert_allclose(ours.coef_, own.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.predict(X), own.predict(X), atol=1e-4)


def test_sparse_features_give_the_coefficients_of_dense_ones(diabetes: Any, tumours: Any) -> None:
    for model, (X, y) in ((LossRegressor("quantile"), diabetes), (LossClassifier(alpha=0.01), tumours)):
        X = np.where(np.abs(X) > 0.5, X, 0.0)
        dense, sparse = clone(model).fit(X, y), clone(model).fit(scipy.sparse.csr_matrix(X), y)
        np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-5)
        np.testing.assert_allclose(sparse._scores(scipy.sparse.csr_matrix(X)), sparse._scores(X), rtol=1e-9)


# ---- what the models refuse and what they offer ----------------------------------------------------------------


def test_a_loss_of_two_classes_makes_one_classifier_for_each_class() -> None:
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = LossClassifier("modified_huber_loss", alpha=1e-2).fit(X, y)
    alone = LossClassifier("modified_huber_loss", alpha=1e-2).fit(X, y == 1)
    assert model.coef_.shape == (3, 13)
    np.testing.assert_allclose(model.coef_[1], alone.coef_[0], atol=1e-6)
    assert model.score(X, y) > 0.97


def test_probabilities_are_offered_for_losses_of_logits_only(tumours: Any) -> None:
    X, _ = tumours
    assert hasattr(LossClassifier("sigmoid_focal_loss"), "predict_proba")
    assert not hasattr(LossClassifier("hinge"), "predict_proba")
    rest = LossClassifier("bce_with_logits", alpha=0.1).fit(X[:60], np.arange(60) % 3)
    np.testing.assert_allclose(rest.predict_proba(X).sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (LossClassifier("binary_cross_entropy"), "takes probabilities"),
        (LossRegressor("cross_entropy"), "use LossClassifier"),
        (LossRegressor("gaussian_nll_loss"), "input, target, var"),
        (LossRegressor(alpha=-1.0), "alpha must be >= 0"),
    ],
    ids=repr,
)
def test_what_cannot_be_fitted_says_why(tumours: Any, model: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        model.fit(*tumours)


def test_a_solver_that_is_cut_short_warns(tumours: Any) -> None:
    with pytest.warns(ConvergenceWarning, match="L-BFGS stopped after 2 steps"):
        LossClassifier(max_iter=2).fit(*tumours)
    with pytest.warns(ConvergenceWarning, match="Newton's method stopped after 1 steps"):
        LossClassifier("hinge", max_iter=1).fit(*tumours)


def test_a_target_outside_the_domain_of_the_loss_is_an_error(diabetes: Any) -> None:
    with pytest.raises(DomainError, match="numbers >= 0"):
        LossRegressor("poisson").fit(*diabetes)


def test_models_survive_a_pickle(tumours: Any) -> None:
    X, y = tumours
    model = LossClassifier(losslib.CrossEntropyLoss(label_smoothing=0.1)).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


# ---- metrics and scorers ---------------------------------------------------------------------------------------


def test_metrics_are_scikit_learns_where_it_has_them(tumours: Any) -> None:
    rng = np.random.default_rng(5)
    y, x, w = rng.normal(size=50), rng.normal(size=50), rng.uniform(size=50)
    for weight in (None, w):
        expected = mean_pinball_loss(y, x, alpha=0.8, sample_weight=weight)
        assert metric("quantile", quantile=0.8)(y, x, sample_weight=weight) == pytest.approx(expected, rel=1e-12)
    names = np.array(["b", "a", "c"])[rng.integers(0, 3, size=50)]
    p = rng.dirichlet(np.ones(3), size=50)
    measure = metric("categorical_cross_entropy", labels=["a", "b", "c"])
    assert measure(names, p, sample_weight=w) == pytest.approx(log_loss(names, p, sample_weight=w), rel=1e-9)


def test_distributions_are_targets_too() -> None:
    scores, wanted = np.array([[0.0, 1.0], [2.0, 0.5]]), np.array([[0.3, 0.7], [0.9, 0.1]])
    assert metric("cross_entropy")(wanted, scores) == losslib.cross_entropy(scores, wanted)


def test_labels_become_what_the_loss_wants() -> None:
    scores = np.array([2.0, -1.0, 0.5])
    names = ["yes", "no", "no"]
    signs = metric("hinge", labels=["no", "yes"])(names, scores)
    assert signs == losslib.hinge_loss(scores, [1.0, -1.0, -1.0])
    assert metric("bce_with_logits", labels=["no", "yes"])(names, scores) == losslib.binary_cross_entropy_with_logits(
        scores, [1.0, 0.0, 0.0]
    )
    with pytest.raises(DomainError, match=r"y_true\[1\] is 'maybe'"):
        metric("hinge", labels=["no", "yes"])(["yes", "maybe"], [1.0, 2.0])
    with pytest.raises(ParameterError, match="got 3 labels"):
        metric("hinge", labels=["a", "b", "c"])(["a"], [1.0])


def test_scorers_choose_the_answer_of_the_estimator_and_equal_scikit_learns(tumours: Any, diabetes: Any) -> None:
    X, y = tumours
    model = LogisticRegression(max_iter=1000)
    expected = cross_val_score(model, X, y, scoring="neg_log_loss")
    for chosen in (scorer("binary_cross_entropy"), scorer("bce_with_logits")):
        np.testing.assert_allclose(cross_val_score(model, X, y, scoring=chosen), expected, rtol=1e-6)
    X3, y3 = load_wine(return_X_y=True)
    X3 = StandardScaler().fit_transform(X3)
    expected = cross_val_score(model, X3, y3, scoring="neg_log_loss")
    for chosen in (scorer("categorical_cross_entropy"), scorer("cross_entropy")):
        np.testing.assert_allclose(cross_val_score(model, X3, y3, scoring=chosen), expected, rtol=1e-6)
    expected = cross_val_score(LinearRegression(), *diabetes, scoring="neg_mean_absolute_error")
    found = cross_val_score(LinearRegression(), *diabetes, scoring=scorer("l1_loss"))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_grid_search_compares_losses_by_one_of_them(diabetes: Any) -> None:
    X, y = diabetes
    losses = [losslib.QuantileLoss(quantile=q) for q in (0.1, 0.5, 0.9)]
    search = GridSearchCV(LossRegressor(), {"loss": losses}, scoring=scorer("quantile", quantile=0.9), cv=3)
    search.fit(X, y)
    assert search.best_params_["loss"] == losses[2]
    assert search.best_score_ < 0.0
    assert pickle.loads(pickle.dumps(scorer("huber")))(search.best_estimator_, X, y) < 0.0
