"""Survival losses are those of statsmodels, lifelines, torchsurv, pycox, scikit-survival and XGBoost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib

N = 40


def sample(seed: int = 0) -> dict[str, np.ndarray]:
    """Return scores with tied times, events, strata and weights."""
    rng = np.random.default_rng(seed)
    return {
        "x": rng.standard_normal(N),
        "time": rng.integers(1, 9, N).astype(float),
        "event": (rng.random(N) < 0.7).astype(int),
        "strata": rng.integers(0, 2, N),
        "weight": rng.uniform(0.5, 3.0, N),
    }


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("names", [(), ("strata",), ("entry",)])
def test_cox_is_the_partial_likelihood_of_statsmodels(names: tuple[str, ...], ties: str) -> None:
    """A model whose columns are the samples: its coefficients are the scores. It counts a sample that enters at t."""
    duration = pytest.importorskip("statsmodels.duration.hazard_regression")
    drawn = sample()
    drawn["time"] += 10.0  # statsmodels wants entries that are not negative
    drawn["entry"] = drawn["time"] - np.random.default_rng(1).integers(1, 6, N) - 0.5  # never at another time
    chosen = {name: drawn[name] for name in names}
    model = duration.PHReg(drawn["time"], np.eye(N), status=drawn["event"], ties=ties, **chosen)
    value, grad, hess = losslib.cox_ph_loss.value_grad_hess(
        drawn["x"], drawn["time"], drawn["event"], ties=ties, reduction="sum", **chosen
    )
    assert value == pytest.approx(-model.loglike(drawn["x"]), rel=1e-12)
    np.testing.assert_allclose(grad, -model.score(drawn["x"]), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(hess, -np.diag(model.hessian(drawn["x"])), rtol=1e-10, atol=1e-12)


def test_weighted_cox_is_that_of_lifelines() -> None:
    fitter = pytest.importorskip("lifelines.fitters.coxph_fitter")
    pandas = pytest.importorskip("pandas")
    drawn = sample(2)
    order = np.argsort(drawn["time"], kind="stable")
    hessian, slope, log_likelihood = fitter.SemiParametricPHFitter()._get_efron_values_single(
        pandas.DataFrame(np.eye(N)[order]),
        pandas.Series(drawn["time"][order]),
        pandas.Series(drawn["event"][order].astype(bool)),
        pandas.Series(drawn["weight"][order]),
        None,
        drawn["x"],
    )
    value, grad, hess = losslib.cox_ph_loss.value_grad_hess(
        drawn["x"], drawn["time"], drawn["event"], sample_weight=drawn["weight"], reduction="sum"
    )
    assert value == pytest.approx(-log_likelihood, rel=1e-12)
    np.testing.assert_allclose(grad, -slope, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(hess, -np.diag(hessian), rtol=1e-10, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Ties in `time` detected:UserWarning")
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_is_that_of_torchsurv_to_float32(ties: str) -> None:
    torch = pytest.importorskip("torch")
    cox = pytest.importorskip("torchsurv.loss.cox")
    drawn = sample(3)
    expected = cox.neg_partial_log_likelihood(
        torch.tensor(drawn["x"]),
        torch.tensor(drawn["event"]).bool(),
        torch.tensor(drawn["time"]),
        ties_method=ties,
        reduction="sum",
    )
    found = losslib.cox_ph_loss(drawn["x"], drawn["time"], drawn["event"], ties=ties, reduction="sum")
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_the_scores_of_a_fitted_model_of_scikit_survival_have_no_slope_left() -> None:
    linear = pytest.importorskip("sksurv.linear_model")
    util = pytest.importorskip("sksurv.util")
    rng = np.random.default_rng(4)
    features, time, event = rng.standard_normal((200, 3)), rng.integers(1, 20, 200).astype(float), rng.random(200) < 0.6
    for ties in ("breslow", "efron"):
        fitted = linear.CoxPHSurvivalAnalysis(ties=ties, tol=1e-12).fit(features, util.Surv.from_arrays(event, time))
        grad = losslib.cox_ph_loss.grad(features @ fitted.coef_, time, event, ties=ties)
        np.testing.assert_allclose(features.T @ grad, 0.0, atol=1e-8)


@pytest.mark.parametrize("name", ["logistic_hazard", "pc_hazard", "pmf", "mtlr", "pmf_cr"])
def test_losses_on_a_grid_are_those_of_pycox(name: str) -> None:
    torch = pytest.importorskip("torch")
    loss = pytest.importorskip("pycox.models.loss")
    rng = np.random.default_rng(5)
    x, interval, event, fraction = (
        rng.standard_normal((N, 6)),
        rng.integers(0, 6, N),
        rng.integers(0, 2, N),
        rng.random(N),
    )
    if name == "pmf_cr":
        x, event = rng.standard_normal((N, 2, 6)), rng.integers(0, 3, N)
    given: list[Any] = [torch.tensor(x, requires_grad=True), torch.tensor(interval)]
    given.append(torch.tensor(event) if name == "pmf_cr" else torch.tensor(event).double())
    ours: Any = {
        "logistic_hazard": lambda: losslib.logistic_hazard_loss.value_and_grad(x, interval, event),
        "pc_hazard": lambda: losslib.pc_hazard_loss.value_and_grad(x, interval, event, fraction),
        "mtlr": lambda: losslib.pmf_loss.value_and_grad(x, interval, event, cumulative=True),
    }.get(name, lambda: losslib.pmf_loss.value_and_grad(x, interval, event))
    theirs = getattr(loss, "nll_pc_hazard_loss" if name == "pc_hazard" else f"nll_{name}")
    expected = theirs(*given, torch.tensor(fraction)) if name == "pc_hazard" else theirs(*given)
    expected.backward()
    value, grad = ours()
    assert value == pytest.approx(expected.item(), rel=2e-6)  # its logarithms are of p + 1e-7
    np.testing.assert_allclose(grad, given[0].grad.numpy(), rtol=1e-4, atol=1e-6)


def test_weibull_is_that_of_torchsurv_to_float32() -> None:
    torch = pytest.importorskip("torch")
    weibull = pytest.importorskip("torchsurv.loss.weibull")
    drawn, predictions = sample(6), np.random.default_rng(6).standard_normal((N, 2)) / 2
    expected = weibull.neg_log_likelihood_weibull(
        torch.tensor(predictions), torch.tensor(drawn["event"]).bool(), torch.tensor(drawn["time"]), reduction="sum"
    )
    found = losslib.weibull_survival_loss(*predictions.T, drawn["time"], drawn["event"], reduction="sum")
    assert found == pytest.approx(float(expected), rel=1e-5)


# ---- XGBoost ---------------------------------------------------------------------------------------------------


def one_round(xgboost: Any, margin: float, bounds: tuple[float, float], penalty: float, **options: Any) -> float:
    """Train one leaf on one sample: it is -gradient/(Hessian + penalty)."""
    data = xgboost.DMatrix(np.zeros((1, 1)))
    data.set_float_info("label_lower_bound", [bounds[0]])
    data.set_float_info("label_upper_bound", [bounds[1]])
    data.set_base_margin([margin])
    words = {f"aft_loss_{name}": value for name, value in options.items()}
    settings = {"objective": "survival:aft", "lambda": penalty, "eta": 1.0, "min_child_weight": 0.0, **words}
    booster = xgboost.train({**settings, "nthread": 1, "base_score": 0.5}, data, 1)
    return float(booster.predict(data, output_margin=True)[0]) - margin


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (1.0, np.inf), (0.0, 1.0), (1.0, 2.0)], ids=str)
@pytest.mark.parametrize("scale", [0.5, 2.0])
@pytest.mark.parametrize("distribution", ["normal", "logistic", "extreme"])
def test_clamped_aft_is_the_objective_of_xgboost(distribution: str, scale: float, bounds: tuple[float, float]) -> None:
    """The leaves of two penalties tell gradient and Hessian, near the bounds and where every clamp and limit holds."""
    xgboost = pytest.importorskip("xgboost")
    margins = np.array([-800.0, -100.0, -30.0, -6.0, -1.0, 0.25, 2.0, 8.0, 30.0, 100.0, 800.0])
    _, grad, hess = losslib.aft_loss.value_grad_hess(
        margins, *bounds, distribution=distribution, scale=scale, xgboost_clamps=True, reduction="sum"
    )
    for margin, g, h in zip(margins, grad, hess, strict=True):
        for penalty in (0.5, 4.0):
            found = one_round(xgboost, margin, bounds, penalty, distribution=distribution, distribution_scale=scale)
            assert found == pytest.approx(-g / (h + penalty), rel=1e-4, abs=2e-4), (margin, penalty)


# ---- pairs and curves --------------------------------------------------------------------------------------------


def test_deephit_is_that_of_pycox() -> None:
    losses = pytest.importorskip("pycox.models.loss")
    data = pytest.importorskip("pycox.models.data")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    x = rng.standard_normal((N, 5))
    interval, event = rng.integers(0, 5, N), rng.integers(0, 2, N).astype(np.float32)
    matrix = torch.from_numpy(data.pair_rank_mat(interval, event)).double()
    phi = torch.from_numpy(x).requires_grad_()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of what pycox makes by itself
    try:
        loss = losses.DeepHitSingleLoss(0.2, 0.1)
        theirs = loss(phi, torch.from_numpy(interval), torch.from_numpy(event).double(), matrix)
    finally:
        torch.set_default_dtype(before)
    theirs.backward()
    value, grad = losslib.deephit_loss.value_and_grad(x, interval, event.astype(int))
    assert value == pytest.approx(theirs.item(), rel=1e-5)  # it adds 1e-7 in its logarithms
    np.testing.assert_allclose(grad, phi.grad.numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("integrate", [False, True])
def test_the_brier_score_is_that_of_scikit_survival(integrate: bool) -> None:
    metrics = pytest.importorskip("sksurv.metrics")
    util = pytest.importorskip("sksurv.util")
    train, test = sample(5), sample(6)
    train["time"][:2], train["event"][:2] = 20.0, 0  # beyond the times of the test data
    grid = np.array([1.5, 3.0, 4.0, 7.0])
    curves = np.sort(np.random.default_rng(0).random((N, 4)))[:, ::-1].copy()
    known = [util.Surv.from_arrays(data["event"].astype(bool), data["time"]) for data in (train, test)]
    if integrate:
        theirs = metrics.integrated_brier_score(*known, curves, grid)
    else:
        theirs = metrics.brier_score(*known, curves, grid)[1].mean()
    found = losslib.ipcw_brier_score(
        curves,
        test["time"],
        test["event"],
        eval_times=grid,
        train_time=train["time"],
        train_event=train["event"],
        integrate=integrate,
    )
    assert found == pytest.approx(theirs, rel=1e-12)


def test_concordance_is_that_of_scikit_survival() -> None:
    metrics = pytest.importorskip("sksurv.metrics")
    util = pytest.importorskip("sksurv.util")
    drawn, train = sample(7), sample(8)
    drawn["x"] = drawn["x"].round(1)
    theirs = metrics.concordance_index_censored(drawn["event"].astype(bool), drawn["time"], drawn["x"])[0]
    assert losslib.concordance_index(drawn["x"], drawn["time"], drawn["event"]) == pytest.approx(theirs, rel=1e-13)
    train["time"][:2], train["event"][:2] = 20.0, 0
    known = [util.Surv.from_arrays(data["event"].astype(bool), data["time"]) for data in (train, drawn)]
    for tau in (None, 5.0):
        theirs = metrics.concordance_index_ipcw(*known, drawn["x"], tau=tau)[0]
        found = losslib.concordance_index(
            drawn["x"],
            drawn["time"],
            drawn["event"],
            ipcw=True,
            tau=tau,
            train_time=train["time"],
            train_event=train["event"],
        )
        assert found == pytest.approx(theirs, rel=1e-12)
