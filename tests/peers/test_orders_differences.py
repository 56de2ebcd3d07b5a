"""Where other packages differ from losslib in losses of orders, as the pages say: each difference is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib


def differences(function: Any, x: np.ndarray) -> np.ndarray:
    """Return the gradient of a function by central differences."""
    steps = 1e-6 * np.eye(len(x))
    return np.array([(float(function(x + step)) - float(function(x - step))) / 2e-6 for step in steps])


def test_the_gradient_of_rax_listmle_is_wrong_where_scores_tie() -> None:
    rax, jax = pytest.importorskip("rax"), pytest.importorskip("jax")
    x, y = np.array([0.5, 0.5, 0.5, -1.0]), np.array([2.0, 1.0, 0.0, 1.0])
    value, grad = losslib.listmle_loss.value_and_grad(x, y)
    assert value == pytest.approx(float(rax.listmle_loss(x, y)), rel=1e-12)
    np.testing.assert_allclose(grad, differences(lambda s: rax.listmle_loss(s, y), x), atol=1e-8)
    theirs = np.asarray(jax.grad(lambda s: rax.listmle_loss(s, y))(x))
    assert abs(theirs - grad).max() > 0.1


def survival(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(30), rng.integers(1, 9, 30).astype(float), (rng.random(30) < 0.6).astype(float)


def test_a_sample_that_enters_at_a_time_is_at_risk_then_in_statsmodels() -> None:
    regression = pytest.importorskip("statsmodels.duration.hazard_regression")
    x, time, event = survival()
    entry = np.where(np.arange(30) % 3 == 0, time - 1, 0.0)
    theirs = -regression.PHReg(time, np.eye(30), status=event, entry=entry, ties="breslow").loglike(x)
    options: dict[str, Any] = {"ties": "breslow", "reduction": "sum"}
    assert losslib.cox_ph_loss(x, time, event, entry=entry - 0.5, **options) == pytest.approx(theirs, rel=1e-12)
    assert losslib.cox_ph_loss(x, time, event, entry=entry, **options) < theirs - 0.01


@pytest.mark.filterwarnings("ignore:Ties in `time` detected:UserWarning")
def test_torchsurv_divides_by_the_distinct_times_of_events() -> None:
    torch, cox = pytest.importorskip("torch"), pytest.importorskip("torchsurv.loss.cox")
    x, time, event = survival()
    given = torch.tensor(x), torch.tensor(event).bool(), torch.tensor(time)
    total = losslib.cox_ph_loss(x, time, event, reduction="sum")
    distinct = len(np.unique(time[event > 0]))
    assert distinct < event.sum()
    theirs = float(cox.neg_partial_log_likelihood(*given, reduction="mean"))
    assert theirs == pytest.approx(total / distinct, rel=1e-6)


@pytest.mark.filterwarnings("ignore:Ties in `time` detected:UserWarning")
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_torchsurv_keeps_scores_that_are_far_apart_and_censorings_in_strata(ties: str) -> None:
    """Nothing overflows, and in strata without tied events censored samples are at risk at the time of an event."""
    torch, cox = pytest.importorskip("torch"), pytest.importorskip("torchsurv.loss.cox")
    far, time = np.array([0.0, 400.0, 0.0, -400.0, 0.0]), np.arange(1.0, 6.0)
    given = torch.tensor(far), torch.ones(5, dtype=torch.bool), torch.tensor(time)
    theirs = float(cox.neg_partial_log_likelihood(*given, ties_method=ties, reduction="sum"))
    assert theirs == pytest.approx(losslib.cox_ph_loss(far, time, np.ones(5), ties=ties, reduction="sum"), rel=1e-6)
    x, strata = np.random.default_rng(1).standard_normal(12), np.repeat([0, 1], 6)
    time, event = np.array([1.0, 2, 3, 3, 4, 5] * 2), np.array([1.0, 1, 1, 0, 1, 0] * 2)
    given = torch.tensor(x), torch.tensor(event).bool(), torch.tensor(time)
    theirs = float(
        cox.neg_partial_log_likelihood(*given, ties_method=ties, strata=torch.tensor(strata), reduction="sum")
    )
    expected = losslib.cox_ph_loss(x, time, event, ties=ties, strata=strata, reduction="sum")
    assert theirs == pytest.approx(expected, rel=1e-6)


def test_xgboost_clips_the_likelihood_of_far_times() -> None:
    """Beyond eight standard deviations its likelihood is 1e-12, and 0 takes its place in narrow intervals."""
    xgboost = pytest.importorskip("xgboost")
    data = xgboost.DMatrix(np.zeros((1, 1)), label_lower_bound=[1.0], label_upper_bound=[np.inf], base_margin=[-20.0])
    settings = {"objective": "survival:aft", "eval_metric": "aft-nloglik", "eta": 0.0, "nthread": 1}
    history: dict[str, Any] = {}
    xgboost.train(settings, data, 1, evals=[(data, "train")], evals_result=history, verbose_eval=False)
    assert history["train"]["aft-nloglik"][0] == pytest.approx(-np.log(1e-12), rel=1e-5)
    assert losslib.aft_loss(np.array([-20.0]), 1.0, np.inf, xgboost_clamps=True) == pytest.approx(-np.log(1e-12))
    assert losslib.aft_loss(np.array([-20.0]), 1.0, np.inf) == pytest.approx(203.917155, rel=1e-8)


@pytest.mark.filterwarnings("ignore")  # of pandas, at lifelines
def test_the_baseline_hazard_of_lifelines_counts_who_has_not_entered() -> None:
    lifelines, pandas = pytest.importorskip("lifelines"), pytest.importorskip("pandas")
    x, time, event = survival()
    entry = 0.9 * time
    frame = pandas.DataFrame({"x": x, "time": time, "event": event, "entry": entry})
    own = lifelines.CoxPHFitter().fit(frame, "time", "event", entry_col="entry")
    hazard = np.exp(own.params_["x"] * (x - x.mean()))
    seen = np.unique(time[event > 0])
    found = own.baseline_hazard_.loc[seen].to_numpy().ravel()
    dying = np.array([((time == t) & (event > 0)).sum() for t in seen])
    everyone = np.array([hazard[time >= t].sum() for t in seen])
    np.testing.assert_allclose(found, dying / everyone, rtol=1e-6)
    assert (everyone > np.array([hazard[(time >= t) & (entry < t)].sum() for t in seen])).any()
