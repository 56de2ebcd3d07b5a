"""CoxRegression has the coefficients, hazards and curves of lifelines and scikit-survival."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.estimator_checks import check_estimator

import losslib
from losslib.adapters import sklearn as adapter
from losslib.adapters.sklearn import CoxRegression
from losslib.errors import DomainError, ParameterError, ShapeError


def data(seed: int = 0, n: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features on different scales, tied times and events."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4)) * [1.0, 10.0, 0.1, 1.0] + [0.0, 50.0, 0.0, -3.0]
    time = np.exp(-0.7 * X[:, 0] + 0.05 * X[:, 1] + 0.4 * rng.gumbel(size=n))
    end = rng.exponential(np.median(time) * 2, n)
    return X, np.ceil(np.minimum(time, end) * 4) / 4, (time <= end).astype(float)


def structured(time: np.ndarray, event: np.ndarray) -> np.ndarray:
    return np.array(list(zip(event.astype(bool), time, strict=True)), dtype=[("dead", bool), ("time", float)])


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_coefficients_and_curves_are_those_of_scikit_survival(ties: str) -> None:
    linear = pytest.importorskip("sksurv.linear_model")
    X, time, event = data()
    y = structured(time, event)
    own = linear.CoxPHSurvivalAnalysis(ties=ties, tol=1e-12, n_iter=200).fit(X, y)
    ours = CoxRegression(ties=ties).fit(X, y)
    np.testing.assert_allclose(ours.coef_, own.coef_, rtol=1e-6, atol=1e-6)
    grid = np.quantile(time, [0.1, 0.4, 0.8])
    if ties == "breslow":  # with Efron's ties its baseline hazard of these data jumps to thousands
        expected = np.array([curve(grid) for curve in own.predict_survival_function(X[:9])])
        np.testing.assert_allclose(ours.predict_survival(X[:9], grid), expected, rtol=1e-5)
    assert ours.score(X, y) == pytest.approx(own.score(X, y), rel=1e-12)


@pytest.mark.filterwarnings("ignore")  # of pandas, at lifelines
def test_weighted_coefficients_are_those_of_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    pandas = pytest.importorskip("pandas")
    X, time, event = data(1)
    weight = np.random.default_rng(2).integers(1, 4, len(X)).astype(float)
    frame = pandas.DataFrame(X, columns=list("abcd")).assign(time=time, event=event, weight=weight)
    own = lifelines.CoxPHFitter().fit(
        frame, "time", "event", weights_col="weight", robust=True, fit_options={"precision": 1e-12}
    )
    ours = CoxRegression().fit(X, np.column_stack([time, event]), sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, own.params_.to_numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore")  # of pandas, at lifelines
@pytest.mark.parametrize("penalty", [0.0, 0.1])
@pytest.mark.parametrize("stratified", [False, True])
def test_strata_and_penalties_have_the_coefficients_and_curves_of_lifelines(penalty: float, stratified: bool) -> None:
    """Its penalty is that of columns divided by their standard deviations, ours of the columns as they are."""
    lifelines = pytest.importorskip("lifelines")
    pandas = pytest.importorskip("pandas")
    X, time, event = data(1)
    X /= X.std(axis=0, ddof=1)
    strata = np.random.default_rng(3).integers(0, 3, len(X))
    frame = pandas.DataFrame(X, columns=list("abcd")).assign(time=time, event=event, stratum=strata)
    known, options = {"strata": "stratum"}, {"strata": strata}
    if not stratified:
        frame, known, options = frame.drop(columns="stratum"), {}, {}
    own = lifelines.CoxPHFitter(penalizer=penalty).fit(
        frame, "time", "event", **known, fit_options={"precision": 1e-14}
    )
    ours = CoxRegression(alpha=penalty).fit(X, np.column_stack([time, event]), **options)
    np.testing.assert_allclose(ours.coef_, own.params_.to_numpy(), rtol=1e-6, atol=1e-6)
    # Between the times of events it interpolates.
    seen = (
        [np.unique(time[(strata == k) & (event > 0)]) for k in range(3)] if stratified else [np.unique(time[event > 0])]
    )
    for k, grid in enumerate(seen):
        rows = np.flatnonzero(strata == k)[:5] if stratified else np.arange(5)
        theirs = own.predict_survival_function(frame.iloc[rows], times=grid).to_numpy().T
        more = {"strata": strata[rows]} if stratified else {}
        np.testing.assert_allclose(ours.predict_survival(X[rows], grid, **more), theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.filterwarnings("ignore")  # of pandas, at lifelines
def test_late_entries_have_the_coefficients_of_lifelines_and_hazards_of_those_at_risk() -> None:
    """Its baseline hazard counts as at risk who has not entered yet, so that is compared with the definition."""
    lifelines = pytest.importorskip("lifelines")
    pandas = pytest.importorskip("pandas")
    X, time, event = data(1)
    entry = 0.9 * time * np.random.default_rng(4).random(len(time))
    frame = pandas.DataFrame(X, columns=list("abcd")).assign(time=time, event=event, entry=entry)
    own = lifelines.CoxPHFitter().fit(frame, "time", "event", entry_col="entry", fit_options={"precision": 1e-14})
    ours = CoxRegression().fit(X, np.column_stack([time, event]), entry=entry)
    np.testing.assert_allclose(ours.coef_, own.params_.to_numpy(), rtol=1e-6, atol=1e-6)
    hazard = np.exp(ours.predict(X))
    expected = [((time == t) & (event == 1)).sum() / hazard[(time >= t) & (entry < t)].sum() for t in ours.times_]
    np.testing.assert_allclose(ours.baseline_hazard_, expected, rtol=1e-10)


def test_strata_are_labels_that_predictions_need() -> None:
    X, time, event = data(2)
    y, strata = np.column_stack([time, event]), np.array(["north", "south"])[np.arange(len(X)) % 2]
    model = CoxRegression().fit(X, y, strata=strata)
    assert model.strata_.tolist() == ["north", "south"]
    assert model.baseline_hazard_.shape == (2, len(model.times_))
    north = strata == "north"
    hazard = np.exp(model.predict(X))
    expected = [
        ((time == t) & (event == 1) & north).sum() / max(hazard[(time >= t) & north].sum(), 1e-300)
        for t in model.times_
    ]
    np.testing.assert_allclose(model.baseline_hazard_[0], expected, rtol=1e-12)
    curves = model.predict_survival(X[:4], strata=strata[:4])
    np.testing.assert_allclose(curves[1], model.predict_survival(X[1:2], strata=["south"])[0], rtol=1e-12)
    with pytest.raises(ParameterError, match="fitted in 2 strata, each with its own hazard: pass strata="):
        model.predict_survival(X)
    with pytest.raises(DomainError, match=r"strata\[0\] is 'west', not one of the strata of the fit"):
        model.predict_survival(X[:1], strata=["west"])
    with pytest.raises(ParameterError, match="strata were given, and the model was fitted without"):
        CoxRegression().fit(X, y).predict_survival(X[:1], strata=["north"])
    with pytest.raises(ShapeError, match=r"strata has shape \(3,\), expected \(200,\)"):
        CoxRegression().fit(X, y, strata=[1, 2, 3])


def test_without_effects_the_curve_is_that_of_the_population() -> None:
    """A constant feature has no coefficient; the curve is exp of minus the Nelson-Aalen hazard."""
    _, time, event = data(3)
    model = CoxRegression().fit(np.ones((len(time), 1)), np.column_stack([time, event]))
    at_risk = [(time >= t).sum() for t in model.times_]
    dying = [((time == t) & (event == 1)).sum() for t in model.times_]
    np.testing.assert_allclose(model.baseline_hazard_, np.divide(dying, at_risk), rtol=1e-12)
    assert model.coef_[0] == 0.0
    curve = model.predict_survival([[1.0]])[0]
    assert (np.diff(curve) < 0).all()
    assert model.predict_survival([[1.0]], times=[0.0])[0, 0] == 1.0


def test_a_penalty_shrinks_and_the_curves_are_what_the_brier_score_takes() -> None:
    X, time, event = data(4)
    y = np.column_stack([time, event])
    free, shrunk = (CoxRegression(alpha=alpha).fit(X, y) for alpha in (0.0, 1.0))
    assert np.linalg.norm(shrunk.coef_ * X.std(0)) < np.linalg.norm(free.coef_ * X.std(0))
    grid = np.quantile(time, [0.2, 0.5, 0.7])
    scores = [
        losslib.ipcw_brier_score(model.predict_survival(X, grid), time, event, eval_times=grid)
        for model in (free, CoxRegression().fit(np.ones((len(X), 4)), y))
    ]
    assert scores[0] < scores[1]


def test_targets_of_another_form_are_refused() -> None:
    X, time, event = data()
    with pytest.raises(ShapeError, match=r"structured array \(event, time\), or columns time, event"):
        CoxRegression().fit(X, time)
    with pytest.raises(ParameterError, match="must be bool"):
        CoxRegression().fit(X, np.array(list(zip(time, event, strict=True)), dtype=[("time", float), ("event", float)]))
    with pytest.raises(ShapeError, match="y has 199 samples, expected 200"):
        CoxRegression().fit(X, np.column_stack([time, event])[1:])


# ---- the estimator contract ------------------------------------------------------------------------------------


class CoxOfTimes(CoxRegression):
    """Cox's regression of one number a sample, as the checks of scikit-learn give it: the time of an event."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        return super().fit(X, None if y is None else self.times_of(y), sample_weight)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return super().score(X, self.times_of(y), sample_weight)

    def times_of(self, y: Any) -> np.ndarray:
        y = np.asarray(y)
        if y.ndim == 2:
            warnings.warn(
                "A column-vector y was passed when a 1d array was expected", DataConversionWarning, stacklevel=3
            )
            y = y[:, 0]
        time = np.unique(y, return_inverse=True)[1] if y.dtype.kind in "OU" else y - y.min()
        return np.column_stack([time + 1.0, np.ones(len(y))])


@pytest.mark.parametrize("estimator", [CoxOfTimes(), CoxOfTimes(ties="breslow", alpha=0.1)], ids=repr)
def test_scikit_learns_own_checks_pass(estimator: Any) -> None:
    excused = {"check_sample_weight_equivalence_on_dense_data": "Efron counts events at one time, not their weight"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks fit data on which solvers stop early
        results = check_estimator(
            estimator, on_skip=None, expected_failed_checks=excused if estimator.ties == "efron" else {}
        )
    counts = {status: sum(item["status"] == status for item in results) for status in ("passed", "failed", "skipped")}
    assert counts["passed"] > 45
    assert counts["failed"] == 0
    skipped = {item["check_name"] for item in results if item["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}  # needs an array library that scikit-learn was told about


def test_a_weight_is_a_number_of_samples_beside_the_penalty_too() -> None:
    X, time, event = data()
    weight = np.random.default_rng(1).integers(0, 4, len(X))
    y = np.column_stack([time, event])
    model = CoxRegression(ties="breslow", alpha=0.05)
    repeated = model.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0)).coef_
    np.testing.assert_allclose(model.fit(X, y, weight).coef_, repeated, rtol=1e-7)


def test_every_estimator_goes_through_the_checks_of_scikit_learn() -> None:
    known = {getattr(adapter, name) for name in adapter.__all__}
    estimators = {item.__name__ for item in known if isinstance(item, type) and issubclass(item, BaseEstimator)}
    checked = {"LossClassifier", "LossRegressor", "OrdinalClassifier", "CoxRegression"}  # here and in their own files
    assert estimators == checked
