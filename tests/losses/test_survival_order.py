"""survival_rank_loss, deephit_loss, ipcw_brier_score and the concordance index against loops over all pairs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib
from losslib._kernels import threads as kernel_threads

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from oracles.ranking import differences


def sample(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, tied times and events."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(n), rng.integers(1, 9, n).astype(float), (rng.random(n) < 0.6).astype(float)


def comparable(time: np.ndarray, event: np.ndarray) -> list[tuple[int, int]]:
    n = range(len(time))
    return [(i, j) for i in n for j in n if event[i] and (time[j] > time[i] or (time[j] == time[i] and not event[j]))]


def uncensored(time: np.ndarray, event: np.ndarray, at: float) -> float:
    """The probability to be uncensored beyond a time, by Kaplan and Meier."""
    found = 1.0
    for t in sorted(set(time)):
        if t <= at:
            at_risk = ((time > t) | ((time == t) & (event == 0))).sum()
            found *= 1 - ((time == t) & (event == 0)).sum() / at_risk if at_risk else 1
    return found


# ---- pairs of scores ---------------------------------------------------------------------------------------------


def rank_values(
    x: np.ndarray, time: np.ndarray, event: np.ndarray, sigma: float, ipcw: bool
) -> tuple[np.ndarray, float]:
    """Return the value of each sample, and the sum of the weights of all pairs."""
    values, total = np.zeros(len(x)), 0.0
    for i, j in comparable(time, event):
        inverse = uncensored(time, event, time[i])
        weight = (1 / inverse**2 if inverse else 0.0) if ipcw else 1.0
        values[i] += weight * np.logaddexp(0, -sigma * (x[i] - x[j]))
        total += weight
    return values, total


@pytest.mark.parametrize("ipcw", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_ranking_is_the_logistic_loss_of_all_comparable_pairs(seed: int, ipcw: bool) -> None:
    x, time, event = sample(seed)
    values, pairs = rank_values(x, time, event, 1.5, ipcw)
    loss = losslib.SurvivalRankLoss(sigma=1.5, ipcw=ipcw)
    np.testing.assert_allclose(loss.replace(reduction="none")(x, time, event), values, rtol=1e-12)
    assert loss(x, time, event) == pytest.approx(values.sum() / pairs, rel=1e-13)
    grad = loss.grad(x, time, event)
    expected = differences(lambda moved: rank_values(moved, time, event, 1.5, ipcw)[0].sum() / pairs, x)
    np.testing.assert_allclose(grad, expected, rtol=1e-6, atol=1e-9)
    hess = loss.value_grad_hess(x, time, event)[2]
    for k in range(0, len(x), 7):
        step = np.eye(len(x))[k] * 1e-5
        slope = (loss.grad(x + step, time, event)[k] - loss.grad(x - step, time, event)[k]) / 2e-5
        assert hess[k] == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_the_weight_of_an_event_and_its_upstream_gradient_multiply_its_pairs() -> None:
    x, time, event = sample(4)
    rng = np.random.default_rng(0)
    weight, upstream = rng.random(len(x)), rng.standard_normal(len(x))
    loss = losslib.SurvivalRankLoss(reduction="none")
    values, _ = rank_values(x, time, event, 1.0, False)
    np.testing.assert_allclose(loss(x, time, event, sample_weight=weight), values * weight, rtol=1e-12)
    grad = loss.grad(x, time, event, sample_weight=weight, grad_output=upstream)
    expected = differences(lambda moved: float(rank_values(moved, time, event, 1.0, False)[0] * weight @ upstream), x)
    np.testing.assert_allclose(grad, expected, rtol=1e-6, atol=1e-8)


def test_a_masked_sample_is_in_no_pair() -> None:
    x, time, event = sample(5)
    where = np.random.default_rng(1).random(len(x)) < 0.6
    spoilt = [np.where(where, array, np.nan) for array in (x, time, event)]
    for name, arrays in (("survival_rank_loss", (x, time, event)),):
        kept = getattr(losslib, name).value_and_grad(*(array[where] for array in arrays), ipcw=True)
        found = getattr(losslib, name).value_and_grad(*spoilt, where=where, ipcw=True)
        assert found[0] == pytest.approx(kept[0], rel=1e-14)
        np.testing.assert_allclose(found[1][where], kept[1], rtol=1e-13)
        assert not found[1][~where].any()


def test_without_an_event_or_without_anyone_after_it_nothing_is_compared() -> None:
    for time, event in (([1.0, 2.0], [0, 0]), ([1.0, 2.0], [0, 1]), ([1.0, 1.0], [1, 1])):
        value, grad = losslib.survival_rank_loss.value_and_grad([1.0, 0.0], time, event)
        assert value == 0.0
        assert not grad.any()


# ---- DeepHit -----------------------------------------------------------------------------------------------------


def deephit_value(x: np.ndarray, interval: np.ndarray, event: np.ndarray, alpha: float, sigma: float) -> np.ndarray:
    """Return the value of each sample; x has shape (N, R, K), with a category of logit 0 besides."""
    n = len(x)
    mass = np.exp(x)
    mass = mass / (1 + mass.sum((1, 2), keepdims=True))
    reached = mass.cumsum(2)
    values = alpha * losslib.pmf_loss(x, interval, event, reduction="none")
    for i, j in comparable(interval, event):
        cause = event[i] - 1
        gap = reached[i, cause, interval[i]] - reached[j, cause, interval[i]]
        values[i] += (1 - alpha) / n * np.exp(-gap / sigma)
    return values


@pytest.mark.parametrize("causes", [1, 3])
@pytest.mark.parametrize("n", [1, 5, 37])
def test_deephit_is_the_likelihood_and_all_comparable_pairs(n: int, causes: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, causes, 4))
    interval, event = rng.integers(0, 4, n), rng.integers(0, causes + 1, n)
    loss = losslib.DeepHitLoss(alpha=0.3, sigma=0.5, reduction="none")
    np.testing.assert_allclose(loss(x, interval, event), deephit_value(x, interval, event, 0.3, 0.5), rtol=1e-12)
    weight = rng.random(n)
    grad = loss.replace(reduction="sum").grad(x, interval, event, sample_weight=weight)
    expected = differences(lambda moved: float(deephit_value(moved, interval, event, 0.3, 0.5) @ weight), x)
    np.testing.assert_allclose(grad, expected, rtol=1e-6, atol=1e-8)
    if causes == 1:
        flat = loss.replace(reduction="sum").grad(x[:, 0], interval, event, sample_weight=weight)
        np.testing.assert_array_equal(flat, grad[:, 0])


def test_a_masked_sample_of_deephit_is_not_counted_among_the_samples() -> None:
    rng = np.random.default_rng(3)
    x, interval, event = rng.standard_normal((9, 4)), rng.integers(0, 4, 9), rng.integers(0, 2, 9)
    where = rng.random(9) < 0.6
    kept = losslib.deephit_loss.value_and_grad(x[where], interval[where], event[where])
    found = losslib.deephit_loss.value_and_grad(
        np.where(where[:, None], x, np.nan), np.where(where, interval, 99), event, where=where
    )
    assert found[0] == pytest.approx(kept[0], rel=1e-14)
    np.testing.assert_allclose(found[1][where], kept[1], rtol=1e-13)
    assert not found[1][~where].any()


def test_a_small_sigma_overflows_to_infinity_and_not_to_nan() -> None:
    x = np.array([[-30.0, 30.0], [30.0, -30.0]])
    assert losslib.deephit_loss(x, [0, 1], [1, 0], sigma=0.02) > 1e20


# ---- curves ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("integrate", [False, True])
@pytest.mark.parametrize("trained", [False, True])
def test_the_brier_score_weighs_by_the_inverse_probability_to_be_uncensored(integrate: bool, trained: bool) -> None:
    rng = np.random.default_rng(2)
    _, time, event = sample(2, 12)
    grid = np.array([1.0, 2.5, 4.0, 8.5])
    x = rng.random((12, 4))
    known = sample(7, 50)[1:] if trained else (time, event)
    options = {"train_time": known[0], "train_event": known[1]} if trained else {}
    shares = np.array([0.75, 1.5, 3.0, 2.25]) / 7.5 if integrate else np.full(4, 0.25)
    values, slopes = np.zeros(12), np.zeros((12, 4))
    for i in range(12):
        for k, at in enumerate(grid):
            dead = time[i] <= at
            inverse = uncensored(*known, time[i] if dead else at)
            if (dead and not event[i]) or inverse == 0:
                continue
            values[i] += shares[k] / inverse * (x[i, k] - (not dead)) ** 2
            slopes[i, k] = 2 * shares[k] / inverse * (x[i, k] - (not dead))
    found = losslib.ipcw_brier_score.value_grad_hess(
        x, time, event, eval_times=grid, integrate=integrate, reduction="none", **options
    )
    np.testing.assert_allclose(found[0], values, rtol=1e-12)
    np.testing.assert_allclose(found[1], slopes, rtol=1e-12)
    np.testing.assert_allclose(found[2] * (x - (time[:, None] > grid)), found[1], rtol=1e-12)


def test_times_of_curves_that_do_not_rise_or_do_not_fit_are_refused() -> None:
    x = np.full((2, 3), 0.5)
    with pytest.raises(losslib.DomainError, match=r"eval_times\[1\] is 1; the times of the curves must rise"):
        losslib.ipcw_brier_score(x, [1.0, 2.0], [1, 1], eval_times=[1.0, 1.0, 2.0])
    with pytest.raises(losslib.ShapeError, match=r"eval_times has shape \(2,\), expected \(3,\)"):
        losslib.ipcw_brier_score(x, [1.0, 2.0], [1, 1], eval_times=[1.0, 2.0])
    with pytest.raises(losslib.ShapeError, match="belong together"):
        losslib.ipcw_brier_score(x, [1.0, 2.0], [1, 1], train_time=[1.0])


def test_curves_add_up_where_the_censoring_is_known_and_pairs_never_do() -> None:
    rng = np.random.default_rng(5)
    x, (_, time, event) = rng.random((40, 3)), sample(9)
    known = sample(10)
    loss = losslib.IPCWBrierScore(train_time=known[1], train_event=known[2])
    total = losslib.Accumulator(loss)
    for rows in (slice(0, 15), slice(15, 40)):
        total.update(x[rows], time[rows], event[rows])
    assert total.result() == pytest.approx(loss(x, time, event), rel=1e-14)
    for refused, inputs in (
        (losslib.IPCWBrierScore(), (x, time, event)),
        (losslib.SurvivalRankLoss(), (x[:, 0], time, event)),
        (losslib.DeepHitLoss(), (x, rng.integers(0, 3, 40), event.astype(int))),
    ):
        pieces = losslib.Accumulator(refused)
        pieces.update(*inputs)
        with pytest.raises(losslib.ParameterError, match="samples that"):
            pieces.update(*inputs)


# ---- concordance -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied_tol", [0.0, 0.3])
@pytest.mark.parametrize("ipcw", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_concordance_counts_all_comparable_pairs(seed: int, ipcw: bool, tied_tol: float) -> None:
    x, time, event = sample(seed, 60)
    x = x.round(1) * 2.0**-1  # halves of tenths: differences at the tolerance are exact in few cases
    x += 1e-12 * np.arange(60)
    above = whole = 0.0
    for i, j in comparable(time, event):
        inverse = uncensored(time, event, time[i])
        weight = (1 / inverse**2 if inverse else 0.0) if ipcw else 1.0
        whole += weight
        above += weight * (0.5 if abs(x[i] - x[j]) <= tied_tol else float(x[i] > x[j]))
    found = losslib.concordance_index(x, time, event, ipcw=ipcw, tied_tol=tied_tol)
    assert found == pytest.approx(above / whole, rel=1e-12)


def test_concordance_of_a_truncated_time_a_mask_and_weights() -> None:
    x, time, event = sample(8)
    where, weight = np.arange(40) % 3 > 0, np.arange(40) / 7
    above = whole = 0.0
    for i, j in comparable(time, event):
        if where[i] and where[j] and time[i] < 5:
            whole += weight[i]
            above += weight[i] * (x[i] > x[j])
    found = losslib.concordance_index(
        np.where(where, x, np.nan), time, event, tau=5.0, where=where, sample_weight=weight
    )
    assert found == pytest.approx(above / whole, rel=1e-12)


def test_concordance_without_a_pair_is_nan_and_of_constant_scores_a_half() -> None:
    assert np.isnan(losslib.concordance_index([1.0, 2.0], [1.0, 2.0], [0, 0]))
    assert np.isnan(losslib.concordance_index([], [], []))
    assert losslib.concordance_index(np.zeros(5), np.arange(5.0), np.ones(5)) == 0.5


def test_concordance_refuses_what_cannot_be_sorted() -> None:
    with pytest.raises(losslib.DomainError, match=r"input\[1\] is nan"):
        losslib.concordance_index([0.0, np.nan], [1.0, 2.0], [1, 1])
    with pytest.raises(losslib.DomainError, match=r"event\[0\] is 2"):
        losslib.concordance_index([0.0, 1.0], [1.0, 2.0], [2, 1])


# ---- threads -----------------------------------------------------------------------------------------------------


def test_any_number_of_threads_gives_the_same_bits(always_parallel: None) -> None:
    rng = np.random.default_rng(1)
    x, interval, event = rng.standard_normal((300, 2, 6)), rng.integers(0, 6, 300), rng.integers(0, 3, 300)
    found: list[Any] = []
    for width in (1, 2, 3, 7):
        kernel_threads.set_width(width)
        found.append(losslib.deephit_loss.value_and_grad(x, interval, event))
    for value, grad in found[1:]:
        assert value == found[0][0]
        np.testing.assert_array_equal(grad, found[0][1])
