"""cox_ph_loss against the partial likelihood written as loops over all pairs, differentiated in 60 digits."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from oracles.survival import cox_derivatives, cox_values

TIES = pytest.mark.parametrize("ties", ["efron", "breslow"])


def sample(seed: int, n: int = 14, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    """Return scores, tied times, events, and strata, entries and weights to choose from."""
    rng = np.random.default_rng(seed)
    time = rng.integers(1, 6, n).astype(float)
    extra = {
        "strata": rng.integers(0, 2, n).astype(float),
        "entry": time - rng.integers(1, 6, n),
        "weight": rng.uniform(0.2, 3.0, n),
    }
    return rng.standard_normal(n) * spread, time, (rng.random(n) < 0.6).astype(float), extra


def call(x: Any, time: Any, event: Any, chosen: dict[str, Any], **options: Any) -> Any:
    """Call the loss with the names that it has for what the oracle takes."""
    given = {"sample_weight" if name == "weight" else name: value for name, value in chosen.items()}
    return losslib.cox_ph_loss.value_grad_hess(x, time, event, **given, **{"reduction": "sum", **options})


@TIES
@pytest.mark.parametrize(
    "names", [(), ("strata",), ("entry",), ("weight",), ("strata", "weight"), ("strata", "entry", "weight")]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_value_gradient_and_hessian_are_those_of_the_definition(names: tuple[str, ...], ties: str, seed: int) -> None:
    x, time, event, extra = sample(seed)
    chosen = {name: extra[name] for name in names}
    value, grad, hess = call(x, time, event, chosen, ties=ties)
    expected = cox_derivatives(x, time, event, ties=ties, **chosen)
    assert value == pytest.approx(expected[0], rel=1e-13)
    np.testing.assert_allclose(grad, expected[1], rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(hess, expected[2], rtol=1e-11, atol=1e-14)


@TIES
@pytest.mark.parametrize("names", [(), ("entry",), ("entry", "weight")])
@pytest.mark.parametrize("seed", range(4))
def test_scores_hundreds_apart_keep_the_digits_of_every_derivative(
    names: tuple[str, ...], ties: str, seed: int
) -> None:
    """With a share of 1 - 1e-100 neither the share nor what is left to 1 may be rounded away."""
    x, time, event, extra = sample(seed, n=8, spread=60.0)
    chosen = {name: extra[name] for name in names}
    value, grad, hess = call(x, time, event, chosen, ties=ties)
    expected = cox_derivatives(x, time, event, digits=600, ties=ties, **chosen)
    assert value == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(hess, expected[2], rtol=1e-9, atol=1e-300)
    # A gradient that is a share less its weight has no digits below the weight's rounding, unless it died alone.
    np.testing.assert_allclose(grad, expected[1], rtol=1e-9, atol=3e-15)


def test_a_lone_event_with_nearly_all_of_the_mass_has_a_tiny_exact_slope() -> None:
    value, grad, hess = losslib.cox_ph_loss.value_grad_hess(
        np.array([500.0, 0.0, -3.0]), [1.0, 2.0, 3.0], [1, 0, 0], reduction="sum"
    )
    rest = np.exp(-500.0) * (1 + np.exp(-3.0))
    assert value == pytest.approx(rest, rel=1e-14)
    np.testing.assert_allclose(grad, [-rest, np.exp(-500.0), np.exp(-503.0)], rtol=1e-13)
    np.testing.assert_allclose(hess, [rest, np.exp(-500.0), np.exp(-503.0)], rtol=1e-13)


def test_scores_beyond_the_range_of_exp_are_no_trouble() -> None:
    x, time, event, _ = sample(3)
    small = losslib.cox_ph_loss.value_and_grad(x, time, event)
    large = losslib.cox_ph_loss.value_and_grad(x + 2.0**20, time, event)
    assert large[0] == pytest.approx(small[0], rel=1e-8)
    np.testing.assert_allclose(large[1], small[1], rtol=1e-8, atol=1e-12)


@TIES
def test_entries_long_before_all_times_change_nothing(ties: str) -> None:
    x, time, event, extra = sample(5, n=200)
    plain = call(x, time, event, {"weight": extra["weight"]}, ties=ties)
    entered = call(x, time, event, {"weight": extra["weight"], "entry": np.full(200, -1.0)}, ties=ties)
    for a, b in zip(plain, entered, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_those_who_left_leave_no_rounding_behind() -> None:
    """A subtracted exp(60) would leave a sum of terms near 1 without a digit."""
    x = np.array([60.0, 0.3, -0.2, 0.1])
    time, event = np.array([5.0, 1.0, 2.0, 6.0]), np.array([0.0, 1.0, 1.0, 0.0])
    entry = np.array([4.0, 0.0, 0.0, 0.0])
    value, grad, _ = call(x, time, event, {"entry": entry})
    without = call(x[1:], time[1:], event[1:], {"entry": entry[1:]})
    assert value == pytest.approx(without[0], rel=1e-15)
    np.testing.assert_allclose(grad[1:], without[1], rtol=1e-14)
    assert grad[0] == 0.0


@TIES
def test_unreduced_values_belong_to_the_events_of_a_time(ties: str) -> None:
    x, time, event, extra = sample(2)
    values = losslib.cox_ph_loss(x, time, event, ties=ties, strata=extra["strata"], reduction="none")
    np.testing.assert_allclose(values, cox_values(x, time, event, ties=ties, strata=extra["strata"]), rtol=1e-12)
    assert not values[event == 0].any()


@TIES
@pytest.mark.parametrize("names", [(), ("entry", "weight")])
def test_the_gradient_of_unreduced_values_takes_one_factor_for_each(names: tuple[str, ...], ties: str) -> None:
    x, time, event, extra = sample(4)
    chosen = {"sample_weight" if name == "weight" else name: extra[name] for name in names}
    upstream = np.random.default_rng(0).standard_normal(len(x))
    loss = losslib.CoxPHLoss(ties=ties, reduction="none")
    call_options = {k: v for k, v in chosen.items() if k == "sample_weight"}
    loss = loss.replace(**{k: v for k, v in chosen.items() if k == "entry"})
    grad = loss.grad(x, time, event, grad_output=upstream, **call_options)
    for j in range(len(x)):
        step = np.zeros(len(x))
        step[j] = 1e-6
        up, down = (loss(x + sign * step, time, event, **call_options) @ upstream for sign in (1, -1))
        assert grad[j] == pytest.approx((up - down) / 2e-6, rel=1e-6, abs=1e-8)


def test_the_mean_divides_by_the_weights_of_the_events() -> None:
    x, time, event, extra = sample(0)
    total = losslib.cox_ph_loss(x, time, event, reduction="sum", sample_weight=extra["weight"])
    mean = losslib.cox_ph_loss(x, time, event, sample_weight=extra["weight"])
    assert mean == pytest.approx(total / (extra["weight"] * event).sum(), rel=1e-14)
    grad = losslib.cox_ph_loss.grad(x, time, event, reduction="sum", sample_weight=extra["weight"])
    np.testing.assert_allclose(
        losslib.cox_ph_loss.grad(x, time, event, sample_weight=extra["weight"]),
        grad / (extra["weight"] * event).sum(),
        rtol=1e-13,
    )


def test_an_integer_weight_is_that_many_samples() -> None:
    x, time, event, _ = sample(1)
    counts = np.random.default_rng(3).integers(1, 4, len(x))
    weighted = losslib.cox_ph_loss(x, time, event, ties="breslow", sample_weight=counts.astype(float))
    copies = [np.repeat(array, counts) for array in (x, time, event)]
    assert weighted == pytest.approx(losslib.cox_ph_loss(*copies, ties="breslow"), rel=1e-13)


def test_a_masked_sample_is_in_no_risk_set_and_never_looked_at() -> None:
    x, time, event, extra = sample(6)
    where = np.random.default_rng(1).random(len(x)) < 0.6
    kept = losslib.cox_ph_loss.value_grad_hess(x[where], time[where], event[where], entry=extra["entry"][where])
    spoilt = [np.where(where, array, np.nan) for array in (x, time, event)]
    value, grad, hess = losslib.cox_ph_loss.value_grad_hess(*spoilt, where=where, entry=extra["entry"])
    assert value == pytest.approx(kept[0], rel=1e-15)
    np.testing.assert_array_equal(grad[where], kept[1])
    np.testing.assert_array_equal(hess[where], kept[2])
    assert not grad[~where].any()
    assert not hess[~where].any()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_without_an_event_there_is_nothing_to_compare(reduction: str) -> None:
    value, grad, hess = losslib.cox_ph_loss.value_grad_hess(
        np.arange(3.0), np.arange(3.0), np.zeros(3), reduction=reduction
    )
    assert not np.any(value)
    assert not grad.any()
    assert not hess.any()
    masked = losslib.cox_ph_loss.value_and_grad(np.arange(3.0), np.arange(3.0), np.ones(3), where=np.zeros(3, bool))
    assert masked[0] == 0.0
    assert not masked[1].any()


def test_a_call_without_samples_is_nan_as_every_mean_of_nothing() -> None:
    empty = np.empty(0)
    assert np.isnan(losslib.cox_ph_loss(empty, empty, empty))
    assert losslib.cox_ph_loss(empty, empty, empty, reduction="sum") == 0.0
    assert losslib.cox_ph_loss.grad(empty, empty, empty).shape == (0,)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_narrow_types_are_computed_in_float64_and_rounded_once(dtype: str) -> None:
    x, time, event, _ = sample(0)
    x = x.astype(dtype)
    narrow, wide = (losslib.cox_ph_loss.value_and_grad(a, time, event) for a in (x, x.astype(np.float64)))
    assert narrow[0] == wide[0]
    np.testing.assert_array_equal(narrow[1], wide[1].astype(dtype))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"event": [0.0, 2.0, 1.0]}, ["event[1] is 2", "labels 0 or 1", "1 stands for an event"]),
        ({"time": [1.0, np.nan, 1.0]}, ["time[1] is nan", "sorted"]),
        ({"entry": [0.0, 5.0, 0.0]}, ["entry[1] is 5", "enter before its time"]),
        ({"sample_weight": [1.0, 1.0, -2.0]}, ["sample_weight[2] is -2", ">= 0"]),
        ({"strata": [1.0, 1.0, np.nan]}, ["strata[2] is nan"]),
    ],
)
def test_a_value_that_makes_no_sense_is_named_with_its_place(arguments: dict[str, Any], words: list[str]) -> None:
    given = {"input": np.zeros(3), "time": [1.0, 2.0, 3.0], "event": [1.0, 0.0, 1.0], **arguments}
    with pytest.raises(losslib.DomainError) as raised:
        losslib.cox_ph_loss(**given)
    for word in words:
        assert word in str(raised.value)


def test_shapes_are_one_number_a_sample() -> None:
    with pytest.raises(losslib.ShapeError, match=r"input has shape \(3, 1\), expected \(N,\).*reshape"):
        losslib.cox_ph_loss(np.zeros((3, 1)), np.ones(3), np.ones(3))
    with pytest.raises(losslib.ShapeError, match=r"time has shape \(2,\), expected \(3,\)"):
        losslib.cox_ph_loss(np.zeros(3), np.ones(2), np.ones(3))
    with pytest.raises(losslib.ShapeError, match=r"strata has shape \(4,\), expected \(3,\)"):
        losslib.cox_ph_loss(np.zeros(3), np.ones(3), np.ones(3), strata=np.ones(4))


def test_an_accumulator_takes_all_samples_at_once_and_says_why_it_refuses_more() -> None:
    x, time, event, extra = sample(0)
    total = losslib.Accumulator(losslib.CoxPHLoss())
    total.update(x, time, event, sample_weight=extra["weight"])
    expected = losslib.cox_ph_loss(x, time, event, sample_weight=extra["weight"])
    assert total.result() == pytest.approx(expected, rel=1e-15)
    with pytest.raises(losslib.ParameterError, match=r"does not add up over several updates.*all others at risk"):
        total.update(x, time, event)
    with pytest.raises(losslib.ParameterError, match=r"several updates"):
        total.merge(copy.deepcopy(total))
    with pytest.raises(losslib.ParameterError, match=r"does not add up over groups"):
        losslib.Accumulator(losslib.CoxPHLoss()).update(x, time, event, by=np.zeros(len(x), int))
    assert total.result() == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("name", ["cox_ph_loss", "logistic_hazard_loss"])
def test_an_accumulator_of_samples_of_which_none_counts_is_zero_too(name: str) -> None:
    arrays: list[Any] = [np.zeros(2), np.ones(2), np.zeros(2)]
    if name == "logistic_hazard_loss":
        arrays = [np.zeros((2, 3)), np.ones(2, int), np.zeros(2)]
    total = losslib.Accumulator(name)
    assert np.isnan(total.result())
    total.update(*arrays, where=np.zeros(2, bool))
    assert total.result() == 0.0


def test_results_do_not_depend_on_threads_or_on_the_order_of_the_samples() -> None:
    x, time, event, extra = sample(7, n=3000)
    order = np.random.default_rng(0).permutation(3000)
    value, grad, hess = call(x, time, event, {"weight": extra["weight"]})
    with losslib.threads(3):
        again = call(x, time, event, {"weight": extra["weight"]})
    assert again[0] == value
    np.testing.assert_array_equal(again[1], grad)
    shuffled = call(x[order], time[order], event[order], {"weight": extra["weight"][order]})
    np.testing.assert_allclose(shuffled[1], grad[order], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(shuffled[2], hess[order], rtol=1e-10, atol=1e-13)


def test_the_gradient_may_be_written_over_the_scores() -> None:
    x, time, event, _ = sample(0)
    expected = losslib.cox_ph_loss.grad(x, time, event)
    assert losslib.cox_ph_loss.grad(x, time, event, out=x) is x
    np.testing.assert_array_equal(x, expected)
