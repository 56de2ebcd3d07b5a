"""Losses on a grid of intervals against mpmath, written from their definitions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from oracles.survival import derivatives, logistic_hazard_value, pc_hazard_value, pmf_value

K = 5


def check(loss: Any, arrays: list[Any], oracle: Any, hess_tolerance: float = 1e-11) -> None:
    """Compare value, gradient and Hessian of each sample with the oracle of its flat row of scores."""
    values, grad, hess = loss.value_grad_hess(*arrays)
    rows = arrays[0].reshape(len(arrays[0]), -1)
    grad, hess = grad.reshape(rows.shape), hess.reshape(rows.shape)
    for n, row in enumerate(rows):
        for place in range(rows.shape[1]):
            expected = derivatives(lambda numbers, n=n: oracle(numbers, n), list(row), place, 160)
            where = f"sample {n}, score {place}"
            assert values[n] == pytest.approx(expected[0], rel=1e-13, abs=1e-300), where
            assert grad[n, place] == pytest.approx(expected[1], rel=1e-12, abs=1e-15), where
            assert hess[n, place] == pytest.approx(expected[2], rel=hess_tolerance, abs=1e-15), where


def scores(*shape: int, spread: float = 2.0) -> np.ndarray:
    return np.random.default_rng(5).standard_normal(shape) * spread


@pytest.mark.parametrize("spread", [1.0, 12.0])
def test_logistic_hazards_are_those_of_the_definition(spread: float) -> None:
    x, interval, event = scores(6, K, spread=spread), np.array([0, 4, 2, 2, 1, 3]), np.array([1, 0, 1, 0, 0, 1])
    loss = losslib.LogisticHazardLoss(reduction="none")
    check(loss, [x, interval, event], lambda row, n: logistic_hazard_value(row, int(interval[n]), int(event[n])))


@pytest.mark.parametrize("spread", [1.0, 12.0])
def test_constant_hazards_are_those_of_the_definition(spread: float) -> None:
    x, interval, event = scores(6, K, spread=spread), np.array([0, 4, 2, 2, 1, 3]), np.array([1, 0, 1, 0, 0, 1])
    fraction = np.array([0.5, 0.0, 0.25, 1.0, 0.1, 0.9])
    loss = losslib.PCHazardLoss(reduction="none")
    check(
        loss,
        [x, interval, event, fraction],
        lambda row, n: pc_hazard_value(row, int(interval[n]), int(event[n]), float(fraction[n])),
    )


def test_the_logarithm_of_a_softplus_keeps_its_second_derivative_where_it_cancels() -> None:
    x = np.array([[-35.0], [-20.0], [-8.0], [-2.5], [-2.2], [0.5], [6.0], [40.0]])
    arrays = [x, np.zeros(8, int), np.ones(8), np.zeros(8)]
    _, _, hess = losslib.PCHazardLoss(reduction="none").value_grad_hess(*arrays)
    for n, (number,) in enumerate(x):
        expected = derivatives(lambda row: pc_hazard_value(row, 0, 1, 0.0), [number], 0, 160)
        assert hess[n, 0] == pytest.approx(expected[2], rel=1e-11)


@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("cumulative", [True, False])
@pytest.mark.parametrize("causes", [0, 1, 3])
def test_mass_functions_are_those_of_the_definition(causes: int, cumulative: bool, pad: bool) -> None:
    x = scores(6, K) if causes == 0 else scores(6, causes, K)
    interval = np.array([0, 3, 2, 2, 1, 3])
    event = np.array([1, 0, 1, 0, 0, 1]) * max(1, causes)
    loss = losslib.PMFLoss(pad=pad, cumulative=cumulative, reduction="none")

    def oracle(row: list[Any], n: int) -> Any:
        split = [row[k : k + K] for k in range(0, len(row), K)]
        return pmf_value(split, int(interval[n]), int(event[n]), pad=pad, cumulative=cumulative)

    check(loss, [x, interval, event], oracle)


@pytest.mark.parametrize("event", [0, 1])
def test_masses_far_apart_keep_the_digits_of_what_is_left(event: int) -> None:
    """With nearly all mass where the sample says it is, value and slopes are tiny and exact."""
    x = np.array([[-80.0, 3.0, -90.0, -60.0]]) if event else np.array([[-80.0, -70.0, 3.0, 1.0]])
    values, grad, hess = losslib.PMFLoss(reduction="none", pad=False).value_grad_hess(x, [1], [event])
    for place in range(4):
        expected = derivatives(lambda row: pmf_value([row], 1, event, pad=False), list(x[0]), place, 400)
        assert values[0] == pytest.approx(expected[0], rel=1e-13)
        assert grad[0, place] == pytest.approx(expected[1], rel=1e-12)
        assert hess[0, place] == pytest.approx(expected[2], rel=1e-12)


def test_a_censored_sample_with_no_mass_after_it_is_impossible() -> None:
    value, grad = losslib.PMFLoss(pad=False, reduction="none").value_and_grad(scores(2, 3), [2, 1], [0, 0])
    assert value[0] == np.inf
    assert np.isnan(grad[0]).all()
    assert np.isfinite(grad[1]).all()
    assert np.isfinite(losslib.pmf_loss(scores(2, 3), [2, 1], [0, 0]))


@pytest.mark.parametrize("name", ["logistic_hazard_loss", "pc_hazard_loss", "pmf_loss"])
class TestEveryRow:
    def arrays(self, name: str, samples: int = 4, intervals: int = 3) -> list[Any]:
        rng = np.random.default_rng(2)
        drawn = [
            rng.standard_normal((samples, intervals)),
            rng.integers(0, intervals, samples),
            rng.integers(0, 2, samples),
        ]
        return [*drawn, rng.random(samples)] if name == "pc_hazard_loss" else drawn

    def test_masked_samples_are_never_looked_at(self, name: str) -> None:
        function, arrays = getattr(losslib, name), self.arrays(name)
        where = np.array([True, False, True, True])
        kept = function.value_grad_hess(*(array[where] for array in arrays))
        arrays[0][1], arrays[1][1], arrays[2][1] = np.nan, 77, 9
        found = function.value_grad_hess(*arrays, where=where)
        assert found[0] == pytest.approx(kept[0], rel=1e-15)
        for array, expected in zip(found[1:], kept[1:], strict=True):
            np.testing.assert_allclose(array[where], expected, rtol=1e-15)
            assert not array[1].any()
        nothing = function.value_and_grad(*arrays, where=np.zeros(4, bool))
        assert nothing[0] == 0.0
        assert not nothing[1].any()

    def test_an_interval_outside_the_grid_is_named_whatever_is_checked(self, name: str) -> None:
        arrays = self.arrays(name)
        arrays[1][2] = 3
        for check_values in (True, False):
            with pytest.raises(
                losslib.DomainError, match=r"interval\[2\] is 3, outside the intervals: expected 0 to 2"
            ):
                getattr(losslib, name)(*arrays, check=check_values)

    def test_an_event_is_0_or_1(self, name: str) -> None:
        arrays = self.arrays(name)
        arrays[2][3] = 2
        with pytest.raises(losslib.DomainError, match=r"event\[3\] is 2"):
            getattr(losslib, name)(*arrays)

    def test_scores_are_rows_of_intervals(self, name: str) -> None:
        arrays = self.arrays(name)
        with pytest.raises(losslib.ShapeError, match=r"input has shape \(3,\), expected .*newaxis"):
            getattr(losslib, name)(arrays[0][0], *arrays[1:])
        with pytest.raises(losslib.ShapeError, match="at least one"):
            getattr(losslib, name)(np.empty((4, 0)), *arrays[1:])

    def test_threads_slabs_layouts_and_types_change_nothing(self, name: str) -> None:
        function, arrays = getattr(losslib, name), self.arrays(name, 30_000, 40)
        value, grad, hess = function.value_grad_hess(*arrays)
        with losslib.threads(3):
            threaded = function.value_grad_hess(*arrays)
        fortran = function.value_grad_hess(np.asfortranarray(arrays[0]), *arrays[1:])
        for other in (threaded, fortran):
            assert other[0] == value
            np.testing.assert_array_equal(other[1], grad)
            np.testing.assert_array_equal(other[2], hess)
        narrow = arrays[0].astype(np.float32)
        wide = function.value_and_grad(narrow.astype(np.float64), *arrays[1:])
        found = function.value_and_grad(narrow, *arrays[1:])
        assert found[0] == wide[0]
        np.testing.assert_array_equal(found[1], wide[1].astype(np.float32))

    def test_the_gradient_may_be_written_over_the_scores(self, name: str) -> None:
        function, arrays = getattr(losslib, name), self.arrays(name)
        expected = function.value_grad_hess(*arrays)
        hess = np.empty_like(arrays[0])
        scores_given = arrays[0]
        function.value_grad_hess(*arrays, out=(arrays[0], hess))
        np.testing.assert_array_equal(scores_given, expected[1])
        np.testing.assert_array_equal(hess, expected[2])

    def test_unreduced_values_take_one_upstream_number_each(self, name: str) -> None:
        function, arrays = getattr(losslib, name), self.arrays(name)
        upstream = np.array([1.0, -2.0, 0.0, 0.5])
        grad = function.grad(*arrays, reduction="none", grad_output=upstream)
        np.testing.assert_allclose(grad, function.grad(*arrays, reduction="sum") * upstream[:, np.newaxis], rtol=1e-15)


@pytest.mark.parametrize("name", ["logistic_hazard_loss", "pc_hazard_loss"])
def test_logits_after_the_interval_have_no_part(name: str) -> None:
    x = np.full((2, 3), np.nan)
    x[:, 0] = 0.3
    extra = [0.5] if name == "pc_hazard_loss" else []
    value, grad, hess = getattr(losslib, name).value_grad_hess(x, [0, 0], [1, 0], *extra)
    assert np.isfinite(value)
    assert not grad[:, 1:].any()
    assert not hess[:, 1:].any()


def test_causes_are_counted_from_one_and_named_where_there_are_too_many() -> None:
    with pytest.raises(losslib.DomainError, match=r"event\[0\] is 3, outside the causes: expected 0 to 2"):
        losslib.pmf_loss(np.zeros((2, 2, 4)), [0, 1], [3, 0], check=False)
    with pytest.raises(losslib.DTypeError, match="event has dtype float64"):
        losslib.pmf_loss(np.zeros((2, 4)), [0, 1], [0.5, 0.0])
    as_numbers = losslib.pmf_loss(np.zeros((2, 4)), [0, 1], [1.0, 0.0])
    assert as_numbers == losslib.pmf_loss(np.zeros((2, 4)), [0, 1], [True, False])
