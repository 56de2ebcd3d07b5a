"""Scorers of scikit-learn for lists and for times: groups come as metadata or from a column, targets as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import losslib
from adapters.ordered_data import ITEMS, LISTS, lifetimes, queries
from losslib.adapters.sklearn import CoxRegression, LossRegressor, metric, scorer
from losslib.declaration import registry
from losslib.errors import ParameterError, ShapeError

sklearn = pytest.importorskip("sklearn")
from sklearn.linear_model import LinearRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate  # noqa: E402

OF_LISTS = [info.name for info in registry.all_losses() if info.geometry == "lists"]
METRICS = ["ndcg", "mean_average_precision"]
OF_TIMES = ["cox_ph_loss", "survival_rank_loss", "aft_loss", "concordance_index"]


@pytest.fixture
def routing() -> Iterator[None]:
    """Let scikit-learn route metadata."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def ranked(name: str = "") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, labels and the query of each sample, samples in any order; two classes where a loss has two."""
    X, y, sizes = queries()
    if name in ("pairwise_auc_loss",):
        y = np.minimum(y, 1.0)
    order = np.random.default_rng(1).permutation(len(y))
    return X[order], y[order], np.repeat(np.arange(len(sizes)), sizes)[order]


def structured(time: np.ndarray, event: np.ndarray) -> np.ndarray:
    return np.array(list(zip(event.astype(bool), time, strict=True)), dtype=[("dead", bool), ("time", float)])


def expected_of(name: str, prediction: np.ndarray, y: np.ndarray, groups: Any) -> float:
    """Return the score of the core: metrics as they are, losses negated."""
    sign = 1.0 if name in METRICS else -1.0
    return sign * float(getattr(losslib, name)(prediction, y, group_ids=groups))


# ---- lists -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_LISTS + METRICS)
def test_cross_validation_scores_the_queries_of_each_fold(name: str, routing: None) -> None:
    X, y, queries_of = ranked(name)
    scoring = scorer(name).set_score_request(groups=True)
    folds = GroupKFold(3)
    found = cross_val_score(LinearRegression(), X, y, params={"groups": queries_of}, scoring=scoring, cv=folds)
    for value, (train, test) in zip(found, folds.split(X, y, queries_of), strict=True):
        prediction = LinearRegression().fit(X[train], y[train]).predict(X[test])
        assert value == pytest.approx(expected_of(name, prediction, y[test], queries_of[test]), rel=1e-12)


def test_metadata_may_have_another_name_and_search_chooses_by_it(routing: None) -> None:
    X, y, queries_of = ranked()
    scoring = scorer("approx_ndcg").set_score_request(groups="qid", sample_weight=True)
    search = GridSearchCV(LossRegressor(), {"alpha": [1e-3, 1e3]}, scoring=scoring, cv=3)
    found = cross_validate(
        LossRegressor().set_fit_request(sample_weight=True),
        X,
        y,
        params={"qid": queries_of, "sample_weight": np.ones(len(y))},
        scoring={"a": scoring},
        cv=3,
    )
    assert (found["test_a"] > 0.5).all()
    search.fit(X, y, qid=queries_of)
    assert search.best_params_ == {"alpha": 1e-3}


@pytest.mark.parametrize("name", ["lambdarank_loss", "ndcg"])
def test_groups_may_stand_in_a_column_of_the_features(name: str) -> None:
    pandas = pytest.importorskip("pandas")
    X, y, queries_of = ranked()
    words = np.array([f"query {k}" for k in queries_of])
    frame = pandas.DataFrame(X, columns=list("abcde")).assign(qid=words)

    class WithoutQueries(LinearRegression):
        def fit(self, X: Any, y: Any) -> Any:
            return super().fit(X.drop(columns="qid"), y)

        def predict(self, X: Any) -> Any:
            return super().predict(X.drop(columns="qid"))

    model = WithoutQueries().fit(frame, y)
    expected = expected_of(name, model.predict(frame), y, queries_of)
    assert scorer(name, groups="qid")(model, frame, y) == pytest.approx(expected, rel=1e-12)
    assert scorer(name, groups=lambda X: X["qid"])(model, frame, y) == pytest.approx(expected, rel=1e-12)
    assert scorer(name, groups=5)(model, frame, y) == pytest.approx(expected, rel=1e-12)
    assert scorer(name)(model, frame, y, groups=words) == pytest.approx(expected, rel=1e-12)
    folds = cross_val_score(
        WithoutQueries(), frame, y, groups=queries_of, scoring=scorer(name, groups="qid"), cv=GroupKFold(2)
    )
    assert np.isfinite(folds).all()
    array = np.column_stack([X, queries_of])
    plain = LinearRegression().fit(array, y)
    assert scorer(name, groups=-1)(plain, array, y) == pytest.approx(
        expected_of(name, plain.predict(array), y, queries_of), rel=1e-12
    )


def test_a_ranker_of_xgboost_is_scored_by_its_own_queries() -> None:
    xgboost = pytest.importorskip("xgboost")
    pandas = pytest.importorskip("pandas")
    X, y, sizes = queries()
    frame = pandas.DataFrame(X, columns=list("abcde")).assign(qid=np.repeat(np.arange(LISTS), sizes))
    ranker = xgboost.XGBRanker(n_estimators=5).fit(frame, y)
    found = scorer("ndcg", groups="qid", topn=5)(ranker, frame, y)
    assert found == pytest.approx(losslib.ndcg(ranker.predict(frame), y, group_sizes=sizes, topn=5), rel=1e-12)
    assert found > 0.8


def test_metrics_take_groups_and_weights_in_the_order_of_scikit_learn() -> None:
    X, y, queries_of = ranked()
    weight = np.random.default_rng(2).random(LISTS * ITEMS)
    for name in ("listmle_loss", "pairwise_logistic_loss"):
        expected = getattr(losslib, name)(
            X[:, 0], y, group_ids=queries_of, sample_weight=weight, reduction="weighted_mean"
        )
        assert metric(name)(y, X[:, 0], groups=queries_of, sample_weight=weight) == pytest.approx(expected, rel=1e-13)
    assert metric("ndcg", topn=3)(y, X[:, 0], groups=queries_of) == losslib.ndcg(
        X[:, 0], y, group_ids=queries_of, topn=3
    )
    assert metric(losslib.ndcg)(y, X[:, 0]) == losslib.ndcg(X[:, 0], y)  # one list


# ---- times -------------------------------------------------------------------------------------------------------


def core(name: str, x: np.ndarray, time: np.ndarray, event: np.ndarray, **options: Any) -> float:
    if name == "aft_loss":
        return -losslib.aft_loss(x, time, np.where(event > 0, time, np.inf), **options)
    return float((1 if name == "concordance_index" else -1) * getattr(losslib, name)(x, time, event, **options))


@pytest.mark.parametrize("name", OF_TIMES)
def test_targets_of_times_are_structured_or_columns_or_signed(name: str) -> None:
    X, time, event = lifetimes()
    model = LinearRegression().fit(X, -np.log(time))
    expected = core(name, model.predict(X), time, event)
    for y in (structured(time, event), np.column_stack([time, event]), np.where(event > 0, time, -time)):
        assert scorer(name)(model, X, y) == pytest.approx(expected, rel=1e-13)
    bounds = np.array(list(zip(time, 2 * time, strict=True)), dtype=[("lower", float), ("upper", float)])
    if name == "aft_loss":
        assert scorer(name)(model, X, bounds) == -losslib.aft_loss(model.predict(X), time, 2 * time)
    else:
        with pytest.raises(ParameterError, match="must be bool"):
            scorer(name)(model, X, bounds)


@pytest.mark.parametrize("name", ["cox_ph_loss", "concordance_index"])
def test_models_of_scikit_survival_are_scored_in_cross_validation(name: str) -> None:
    linear = pytest.importorskip("sksurv.linear_model")
    X, time, event = lifetimes()
    y = structured(time, event)
    theirs = cross_val_score(linear.CoxPHSurvivalAnalysis(ties="efron"), X, y, scoring=scorer(name), cv=3)
    ours = cross_val_score(CoxRegression(), X, y, scoring=scorer(name), cv=3)
    np.testing.assert_allclose(theirs, ours, rtol=1e-5)
    if name == "concordance_index":
        own = cross_val_score(linear.CoxPHSurvivalAnalysis(ties="efron"), X, y, cv=3)
        np.testing.assert_allclose(theirs, own, rtol=1e-12)


def test_curves_of_both_packages_are_compared_at_the_times_that_are_named() -> None:
    linear = pytest.importorskip("sksurv.linear_model")
    X, time, event = lifetimes()
    y, grid = structured(time, event), np.quantile(time, [0.2, 0.5, 0.7])
    scoring = scorer("ipcw_brier_score", eval_times=grid)
    ours, theirs = CoxRegression(ties="breslow").fit(X, y), linear.CoxPHSurvivalAnalysis(tol=1e-12).fit(X, y)
    found = scoring(ours, X, y)
    assert found == -losslib.ipcw_brier_score(ours.predict_survival(X, grid), time, event, eval_times=grid)
    assert scoring(theirs, X, y) == pytest.approx(found, rel=1e-5)
    with pytest.raises(ParameterError, match="neither predict_survival nor predict_survival_function"):
        scoring(LinearRegression().fit(X, time), X, y)
    with pytest.raises(ParameterError, match="eval_times= says at which times"):
        scorer("ipcw_brier_score")(ours, X, y)


# ---- what is refused ---------------------------------------------------------------------------------------------


def test_what_does_not_belong_together_is_refused() -> None:
    pandas = pytest.importorskip("pandas")
    X, y, queries_of = ranked()
    with pytest.raises(ParameterError, match="groups= are for losses of lists, not for huber_loss"):
        scorer("huber", groups="qid")
    with pytest.raises(ParameterError, match="cox_ph_loss compares all samples; groups= are for losses of lists"):
        scorer("cox", groups="qid")
    with pytest.raises(ParameterError, match="labels are for losses of classes; ndcg has none"):
        scorer("ndcg", labels=[0, 1])
    with pytest.raises(ShapeError, match=r"groups has shape \(3,\), expected \(900,\): one label for each sample"):
        metric("ndcg")(y, X[:, 0], groups=[1, 2, 3])
    with pytest.raises(ParameterError, match="groups='qid' is the name of a column, and X is ndarray, without names"):
        scorer("ndcg", groups="qid")(LinearRegression().fit(X, y), X, y)
    frame = pandas.DataFrame(X, columns=list("abcde"))
    for groups, message in (
        ("zz", r"groups='zz' is no column of X; it has 'a', 'b', 'c', 'd', 'e'"),
        ("qid", r"groups='qid' is no column of X"),
        (5, "groups=5 is no column of X, which has 5 columns"),
        (True, "groups must be the name or the position of a column, .* got True of type bool"),
        (1.5, "groups must be the name or the position of a column"),
    ):
        with pytest.raises(ParameterError, match=message):
            scorer("ndcg", groups=groups)(LinearRegression().fit(X, y), frame, y)
    with pytest.raises(ShapeError, match="y has shape"):
        metric("cox")(np.zeros((3, 3)), np.zeros(3))
    assert repr(scorer("ndcg", topn=3, groups="qid")) == "scorer(ndcg(topn=3), groups='qid')"
    assert len(queries_of) == LISTS * ITEMS
