"""scikit-learn's scorers: the answer that a loss takes, and columns matched with labels."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import sklearn
from lightgbm import LGBMRegressor
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import (
    GammaRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    TweedieRegressor,
)
from sklearn.metrics import log_loss, mean_gamma_deviance, mean_poisson_deviance, mean_tweedie_deviance
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import losslib
from losslib.adapters import binding
from losslib.adapters.lightgbm import objective
from losslib.adapters.sklearn import LossClassifier, LossRegressor, scorer
from losslib.adapters.sklearn_scorers import response_of
from losslib.declaration import registry
from losslib.errors import DomainError, ParameterError

RNG = np.random.default_rng(17)
X = RNG.normal(size=(120, 3))
SIGNAL = X @ [1.0, -0.5, 0.25]
COUNT = RNG.poisson(np.exp(SIGNAL)).astype(np.float64)
LABEL = np.digitize(SIGNAL + 0.3 * RNG.normal(size=120), [-0.5, 0.5])
PAIR = (SIGNAL + 0.3 * RNG.normal(size=120) > 0.0).astype(np.int64)
NAMES = np.array(["low", "mid", "top"])[LABEL]

CLASSIFIED = [
    info for info in registry.all_losses()
    if info.family in ("binary", "multiclass") and info.input_names == ("input", "target")
    and not info.averages_last_axis and info.name not in ("js_div", "distillation_loss")
    and "cosines" not in info.tags  # which no classifier answers with
]  # fmt: skip
ROWS = [info.name for info in CLASSIFIED if binding.takes_rows(losslib.get(info.name))]
PAIRS = [info.name for info in CLASSIFIED if info.name not in ROWS]


# ---- means and log-means ---------------------------------------------------------------------------------------


def tweedie_deviance(y: Any, mean: Any) -> float:
    """Return scikit-learn's deviance for the power 1.5."""
    return float(mean_tweedie_deviance(y, mean, power=1.5))


@pytest.mark.parametrize(
    ("name", "parameters", "model", "deviance"),
    [
        ("poisson_nll_loss", {}, PoissonRegressor(), mean_poisson_deviance),
        ("gamma_nll_loss", {}, GammaRegressor(), mean_gamma_deviance),
        ("tweedie_nll_loss", {"power": 1.5}, TweedieRegressor(power=1.5), tweedie_deviance),
        ("negative_binomial_nll_loss", {"dispersion": 0.5}, PoissonRegressor(), None),
        ("poisson_nll_loss", {}, LossRegressor("poisson"), mean_poisson_deviance),
    ],
    ids=["poisson", "gamma", "tweedie", "negative binomial", "loss regressor"],
)  # fmt: skip
def test_a_loss_of_log_means_is_compared_with_the_means_that_are_predicted(
    name: str, parameters: Any, model: Any, deviance: Any
) -> None:
    y = COUNT + 1.0
    model.fit(X, y)
    mean = model.predict(X)
    found = scorer(name, **parameters)(model, X, y)
    assert found == pytest.approx(-losslib.get(name, **parameters)(np.log(mean), y), rel=1e-6)
    assert found == scorer(name, log_input=False, **parameters)(model, X, y)
    if deviance is not None:  # twice the difference of the losses, whose own mean does not depend on the prediction
        other = np.full_like(mean, y.mean())
        constant = scorer(name, **parameters)(Constant(y.mean()).fit(X, y), X, y)
        assert 2.0 * (found - constant) == pytest.approx(deviance(y, other) - deviance(y, mean), rel=1e-5)


class Constant(RegressorMixin, BaseEstimator):
    """Predicts one number."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def fit(self, X: Any, y: Any) -> Any:
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.full(len(X), self.value)


def test_the_score_of_poisson_regression_is_what_the_formula_says() -> None:
    model = PoissonRegressor().fit(X, COUNT)
    p = model.predict(X)
    assert scorer("poisson_nll")(model, X, COUNT) == pytest.approx(-np.mean(p - COUNT * np.log(p)), rel=1e-7)


def test_boosters_with_an_objective_of_losslib_predict_log_means() -> None:
    model = LGBMRegressor(n_estimators=5, objective=objective("poisson"), verbose=-1)
    search = GridSearchCV(
        make_pipeline(model), {"lgbmregressor__n_estimators": [3, 5]}, scoring=scorer("poisson"), cv=2
    )
    for fitted in (model.fit(X, COUNT), make_pipeline(StandardScaler(), model).fit(X, COUNT), search.fit(X, COUNT)):
        raw = fitted.predict(X)
        assert scorer("poisson")(fitted, X, COUNT) == -losslib.poisson_nll_loss(raw, COUNT)
    means = PoissonRegressor().fit(X, COUNT)
    assert scorer("poisson", raw=True)(means, X, COUNT) == -losslib.poisson_nll_loss(means.predict(X), COUNT)


def test_a_negative_mean_is_an_error() -> None:
    model = LinearRegression().fit(X, COUNT)
    assert model.predict(X).min() < 0.0
    with pytest.raises(DomainError, match="numbers >= 0"):
        scorer("poisson")(model, X, COUNT)


# ---- columns and classes ---------------------------------------------------------------------------------------


def columns_of(model: Any, name: str) -> np.ndarray:
    """Return a column for each of three classes, as the loss takes them."""
    return np.asarray(getattr(model, response_of(losslib.get(name)))(X))


def expected_score(name: str, columns: np.ndarray, label: np.ndarray) -> float:
    """Return the negative mean loss of class indices."""
    loss = losslib.get(name)
    if name == "categorical_hinge_loss":
        return -loss(columns, np.eye(columns.shape[1])[label])
    if name == "multilabel_margin_loss":
        return -loss(columns, np.column_stack([label, np.full((len(label), columns.shape[1] - 1), -1)]))
    return -loss(columns, label)


@pytest.mark.parametrize("name", ROWS)
def test_any_labels_of_three_classes_have_the_score_of_class_indices(name: str) -> None:
    for y in (LABEL, LABEL + 1, NAMES, NAMES.astype(object), 10.0 * LABEL):
        model = LogisticRegression().fit(X, y)
        expected = expected_score(name, columns_of(model, name), LABEL)
        assert scorer(name)(model, X, y) == pytest.approx(expected, rel=1e-12)
        assert scorer(name, labels=np.unique(y)[::-1])(model, X, y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ROWS)
def test_a_label_that_the_model_never_saw_is_an_error_and_never_a_number(name: str) -> None:
    seen = LABEL != 1
    for y in (LABEL, LABEL + 1, NAMES):
        model = LogisticRegression().fit(X[seen], y[seen])
        unknown = y[LABEL == 1][0]
        with pytest.raises(DomainError, match=rf"y_true\[\d+\] is '?{unknown}'?, not one of the estimator's classes_"):
            scorer(name)(model, X, y)
        with pytest.raises(ParameterError, match=r"fitted on the classes .*, not on labels="):
            scorer(name, labels=np.unique(y))(model, X, y)


def test_folds_that_lack_a_class_are_nan_with_a_warning_as_in_scikit_learn() -> None:
    data = (LogisticRegression(), X, np.repeat([0, 1, 2], [20, 20, 80]))
    folds = KFold(6)
    missing = [bool(set(data[2][test]) - set(data[2][train])) for train, test in folds.split(X)]
    assert any(missing)
    assert not all(missing)
    with pytest.warns(UserWarning, match="Scoring failed"):
        found = cross_val_score(*data, scoring=scorer("cross_entropy"), cv=folds)
    with pytest.warns(UserWarning, match="Scoring failed"):
        theirs = cross_val_score(*data, scoring="neg_log_loss", cv=folds)
    np.testing.assert_array_equal(np.isnan(found), missing)
    assert np.isnan(theirs[missing]).all()
    with pytest.raises(DomainError):
        cross_val_score(*data, scoring=scorer("cross_entropy"), cv=folds, error_score="raise")


@pytest.mark.parametrize("name", ROWS)
def test_two_classes_meet_losses_of_rows(name: str) -> None:
    label = PAIR
    for y in (label, np.where(label, "yes", "no"), 1 - 2 * (1 - label)):
        model = LogisticRegression().fit(X, y)
        columns = columns_of(model, name)
        if columns.ndim == 1:
            columns = np.column_stack([np.zeros(len(columns)), columns])
        assert scorer(name)(model, X, y) == pytest.approx(expected_score(name, columns, label), rel=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_two_classes_of_any_labels_have_the_score_of_what_the_loss_wants(name: str) -> None:
    loss = losslib.get(name)
    target = 2.0 * PAIR - 1.0 if binding.target_domain(loss) == "sign" else PAIR.astype(np.float64)
    for y in (PAIR, np.where(PAIR, "yes", "no"), PAIR + 1):
        model = LogisticRegression().fit(X, y)
        answer = columns_of(model, name)
        answer = answer if answer.ndim == 1 else answer[:, 1]
        assert scorer(name)(model, X, y) == pytest.approx(-loss(answer, target), rel=1e-12)
        reverse = scorer(name, labels=np.unique(y)[::-1])(model, X, y)  # the first class is the positive one
        flipped = -answer if answer.min() < 0.0 else 1.0 - answer
        opposite = -target if target.min() < 0.0 else 1.0 - target
        assert reverse == pytest.approx(-loss(flipped, opposite), rel=1e-9)


def test_the_default_estimator_and_its_default_loss_score_like_log_loss() -> None:
    found = cross_val_score(LossClassifier(), X, PAIR, scoring=scorer("cross_entropy"))
    theirs = cross_val_score(LossClassifier(), X, PAIR, scoring="neg_log_loss")
    np.testing.assert_allclose(found, theirs, rtol=1e-9)


def test_class_weights_follow_the_labels() -> None:
    weight = np.array([1.0, 2.0, 4.0])
    model = LogisticRegression().fit(X, NAMES)
    columns = model.decision_function(X)
    loss = losslib.CrossEntropyLoss(weight=weight)
    assert scorer(loss)(model, X, NAMES) == pytest.approx(-loss(columns, LABEL), rel=1e-12)
    order = [2, 0, 1]
    given = scorer(loss, labels=["top", "low", "mid"])(model, X, NAMES)
    assert given == pytest.approx(-loss(columns[:, order], np.argsort(order)[LABEL]), rel=1e-12)


def test_log_probabilities_are_asked_for_where_the_loss_takes_them() -> None:
    Xw, yw = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(Xw, yw)
    assert scorer("nll_loss")(model, Xw, yw) == pytest.approx(-log_loss(yw, model.predict_proba(Xw)), rel=1e-9)


def test_several_labels_a_sample_are_compared_column_by_column() -> None:
    y = np.column_stack([PAIR, LABEL == 0, LABEL == 2]).astype(np.int64)
    one = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    found = scorer("multilabel_soft_margin_loss")(one, X, y)
    assert found == -losslib.multilabel_soft_margin_loss(one.decision_function(X), y)
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    chances = np.column_stack([part[:, 1] for part in forest.predict_proba(X)])
    assert scorer("binary_cross_entropy")(forest, X, y) == -losslib.binary_cross_entropy(chances, y)


def test_squared_errors_of_probabilities_count_the_second_class_as_1() -> None:
    model = LogisticRegression().fit(X, PAIR + 1)
    found = scorer("mse", response_method="predict_proba")(model, X, PAIR + 1)
    assert found == pytest.approx(-np.mean((model.predict_proba(X)[:, 1] - PAIR) ** 2), rel=1e-12)


class Raw(LogisticRegression):
    """Answers with raw scores, as boosters with a custom objective do."""

    def predict_proba(self, X: Any) -> np.ndarray:
        return np.abs(self.decision_function(X))


@pytest.mark.parametrize(
    ("model", "chosen", "words"),
    [
        (RandomForestClassifier(3), scorer("cross_entropy"), "RandomForestClassifier has no decision_function"),
        (SVC(decision_function_shape="ovo"), scorer("cross_entropy"), "gives 6 columns for the 4 classes"),
        (Raw(), scorer("categorical_cross_entropy"), "predict_proba gives no probabilities"),
        (LinearRegression(), scorer("hinge", response_method="predict"), None),
        (LogisticRegression(), scorer("hinge"), "got 4 labels"),
    ],
    ids=["no answer", "one against one", "raw", "signs", "one score"],
)
def test_what_cannot_be_matched_says_why(model: Any, chosen: Any, words: str | None) -> None:
    y = np.digitize(SIGNAL, [-0.5, 0.0, 0.5])
    model.fit(X, y)
    with pytest.raises((DomainError, ParameterError), match=words):
        chosen(model, X, y)


# ---- weights and the machinery of scikit-learn -----------------------------------------------------------------


def test_sample_weights_are_routed_to_the_score() -> None:
    weight = RNG.uniform(0.5, 2.0, size=120)
    chosen = scorer("cross_entropy")
    model = LogisticRegression().fit(X, LABEL)
    loss = losslib.CrossEntropyLoss(reduction="weighted_mean")
    expected = -loss(model.decision_function(X), LABEL, sample_weight=weight)
    assert chosen(model, X, LABEL, sample_weight=weight) == pytest.approx(expected, rel=1e-12)
    with sklearn.config_context(enable_metadata_routing=True):
        chosen.set_score_request(sample_weight=True)
        model.set_fit_request(sample_weight=False)
        routed = cross_validate(model, X, LABEL, scoring={"ours": chosen}, params={"sample_weight": weight}, cv=3)[
            "test_ours"
        ]
        plain = cross_val_score(LogisticRegression(), X, LABEL, scoring=scorer("cross_entropy"), cv=3)
    assert np.isfinite(routed).all()
    assert not np.allclose(routed, plain)


def test_a_scorer_can_be_one_of_several_and_survives_a_pickle() -> None:
    chosen = pickle.loads(pickle.dumps(scorer("cross_entropy", labels=[0, 1, 2])))
    found = cross_validate(LogisticRegression(), X, LABEL, scoring={"a": chosen, "b": "neg_log_loss"}, cv=3)
    np.testing.assert_allclose(found["test_a"], found["test_b"], rtol=1e-6)
    assert repr(chosen).startswith("scorer(CrossEntropyLoss(")
