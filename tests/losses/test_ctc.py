"""CTC against its definition: every path of short sequences, the recursion in logarithms for long ones, differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from alignments import all_targets, log_softmax, sums_over_paths
from losslib.geometries import ctc

WITH_LOGITS, WITH_LOG_PROBS = losslib.ctc_loss_with_logits, losslib.ctc_loss
each_loss = pytest.mark.parametrize("loss", [WITH_LOGITS, WITH_LOG_PROBS], ids=["logits", "log_probs"])


def padded(targets: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return targets as rows filled up with -1, and their lengths."""
    lengths = np.array([len(target) for target in targets], dtype=np.int64)
    rows = np.full((len(targets), max(lengths, default=0)), -1)
    for row, target in zip(rows, targets, strict=True):
        row[: len(target)] = target
    return rows, lengths


@pytest.fixture
def in_logarithms(monkeypatch: Any) -> list[int]:
    """Record how many samples of each call were computed in logarithms."""
    counts: list[int] = []
    run = ctc.geometry.driver.run

    class Recorder:
        def run(self, *args: Any, **kwargs: Any) -> None:
            counts.append(run(*args, **kwargs))

    monkeypatch.setattr(ctc.geometry, "driver", Recorder())
    return counts


# ---- every path --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [1, 2, 3, 4])
@pytest.mark.parametrize("frames", [0, 1, 2, 3, 4, 5, 6])
def test_value_and_gradient_are_sums_over_all_paths(frames: int, classes: int) -> None:
    rng = np.random.default_rng([frames, classes])
    logits = 2 * rng.standard_normal((frames, classes))
    log_probs = log_softmax(logits) if frames else logits
    for blank in range(classes):
        expected = all_targets(log_probs, blank)
        assert sum(entry.probability for entry in expected.values()) == pytest.approx(1.0)
        targets, lengths = padded(list(expected))
        count = len(lengths)
        values = [-np.log(entry.probability) for entry in expected.values()]
        grads = [np.exp(log_probs) - entry.posterior / entry.probability for entry in expected.values()]
        for loss, scores in ((WITH_LOGITS, logits), (WITH_LOG_PROBS, log_probs)):
            many = np.broadcast_to(scores[:, np.newaxis], (frames, count, classes))
            value, grad = loss.value_and_grad(
                many, targets, [frames] * count, lengths, blank=blank, reduction="none", grad_output=np.ones(count)
            )
            np.testing.assert_allclose(value, values, rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(grad, np.stack(grads, axis=1), atol=1e-12)


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 4])
def test_a_target_that_no_path_gives_is_infinite(frames: int) -> None:
    logits = np.random.default_rng(frames).standard_normal((frames, 3))
    possible = all_targets(log_softmax(logits) if frames else logits, 0)
    for target in ([1, 1], [1, 2, 1, 2, 1], [2, 2, 2], [1], [1, 2], []):
        value, grad = WITH_LOGITS.value_and_grad(logits, target, frames, len(target), reduction="sum")
        assert (value == np.inf) == (tuple(target) not in possible)
        assert np.isnan(grad).all() == (tuple(target) not in possible) or not frames
        value, grad = WITH_LOGITS.value_and_grad(logits, target, frames, len(target), zero_infinity=True)
        if tuple(target) not in possible:
            assert value == 0.0
            np.testing.assert_array_equal(grad, 0.0)


# ---- differences -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["mean", "sum", "weighted_mean"])
def test_the_gradient_by_logits_is_the_slope_of_the_value(reduction: str) -> None:
    rng = np.random.default_rng(5)
    logits = rng.standard_normal((9, 3, 5))
    targets, frames, lengths = rng.integers(0, 4, (3, 3)), [9, 7, 8], [3, 2, 0]
    options = {"blank": 4, "reduction": reduction, "sample_weight": np.array([0.5, 2.0, 1.0])}
    grad = WITH_LOGITS.grad(logits, targets, frames, lengths, **options)

    def value(change: float, place: tuple[int, ...]) -> float:
        moved = logits.copy()
        moved[place] += change
        return float(WITH_LOGITS(moved, targets, frames, lengths, **options))

    h = 1e-3
    for place in np.ndindex(logits.shape):
        slope = (value(-2 * h, place) - 8 * value(-h, place) + 8 * value(h, place) - value(2 * h, place)) / (12 * h)
        assert grad[place] == pytest.approx(slope, abs=2e-11)


def test_the_gradient_of_log_probs_is_that_of_the_logits_behind_them() -> None:
    rng = np.random.default_rng(6)
    logits, targets = rng.standard_normal((30, 4, 6)), rng.integers(1, 6, (4, 5))
    arguments = (targets, [30, 30, 20, 12], [5, 1, 4, 0])
    value, grad = WITH_LOGITS.value_and_grad(logits, *arguments)
    plain_value, plain_grad = WITH_LOG_PROBS.value_and_grad(log_softmax(logits), *arguments)
    assert plain_value == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(plain_grad, grad, atol=1e-14)


# ---- long and extreme --------------------------------------------------------------------------------------------


def reference(log_probs: np.ndarray, target: Any, blank: int = 0) -> tuple[float, np.ndarray]:
    value, posterior = sums_over_paths(log_probs.astype(np.float64), list(target), blank)
    return value, np.exp(log_probs.astype(np.float64)) - posterior


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_ten_thousand_frames_stay_in_range(scale: float) -> None:
    rng = np.random.default_rng(7)
    logits = scale * rng.standard_normal((10_000, 8))
    target = rng.integers(1, 8, 300)
    value, grad = WITH_LOGITS.value_and_grad(logits, target, 10_000, 300, reduction="sum")
    expected, slope = reference(log_softmax(logits), target)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(grad, slope, atol=1e-9)


@pytest.mark.parametrize("margin", [5.0, 60.0, 800.0, 1e5])
def test_confident_scores_that_contradict_the_target_lose_nothing(margin: float, in_logarithms: list[int]) -> None:
    rng = np.random.default_rng(8)
    frames, target = 120, [1, 2, 3, 1, 1, 2]
    logits = rng.standard_normal((frames, 5))
    logits[np.arange(frames), rng.integers(0, 5, frames)] += margin
    value, grad = WITH_LOGITS.value_and_grad(logits, target, frames, len(target), reduction="sum")
    expected, slope = reference(log_softmax(logits), target)
    assert value == pytest.approx(expected, rel=1e-11)
    np.testing.assert_allclose(grad, slope, atol=1e-12 + 1e-15 * expected)  # what the reference loses to cancellation
    assert in_logarithms == [int(margin > 5.0)]


def test_labels_in_the_wrong_order_lose_nothing(in_logarithms: list[int]) -> None:
    """Every frame is certain, and only paths that are nearly impossible at each of them give the target."""
    log_probs = np.full((40, 3), -900.0)
    log_probs[:20, 2] = log_probs[20:, 1] = 0.0
    value, grad = WITH_LOG_PROBS.value_and_grad(log_probs, [1, 2], 40, 2, reduction="sum")
    expected, slope = reference(log_probs, [1, 2])
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(grad, slope, atol=1e-10)
    assert value > 18_000.0
    assert in_logarithms == [1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_loss
def test_a_class_that_cannot_occur_has_no_gradient(loss: Any, dtype: Any) -> None:
    scores = log_softmax(np.random.default_rng(9).standard_normal((12, 4))).astype(dtype)
    scores[3, 2] = scores[5, 1] = scores[7, 0] = -np.inf
    log_probs = log_softmax(scores.astype(np.float64)) if loss is WITH_LOGITS else scores
    value, grad = loss.value_and_grad(scores, [1, 2], 12, 2, reduction="sum")
    expected, slope = reference(log_probs, [1, 2])
    assert value == pytest.approx(expected, rel=1e-6 if dtype is np.float32 else 1e-13)
    np.testing.assert_allclose(grad, slope, atol=1e-6 if dtype is np.float32 else 1e-13)
    assert grad[3, 2] == grad[5, 1] == grad[7, 0] == 0.0


@each_loss
def test_no_path_with_a_probability_is_infinite(loss: Any) -> None:
    scores = np.zeros((6, 2, 3))
    scores[:, 0, 1] = -np.inf
    value, grad = loss.value_and_grad(scores, [[1], [1]], [6, 6], [1, 1], reduction="none")
    assert value[0] == np.inf
    assert np.isfinite(value[1])
    assert np.isnan(grad[:, 0]).all()
    assert np.isfinite(grad[:, 1]).all()
    value, grad = loss.value_and_grad(scores, [[1], [1]], [6, 6], [1, 1], reduction="none", zero_infinity=True)
    assert value[0] == 0.0
    assert not grad[:, 0].any()


def test_nan_reaches_value_and_gradient_where_a_path_meets_it() -> None:
    scores = np.zeros((6, 2, 4))
    scores[2, 0, 1] = np.nan
    value, grad = WITH_LOGITS.value_and_grad(scores, [[1], [1]], [6, 6], [1, 1], reduction="none", zero_infinity=True)
    assert np.isnan(value[0])
    assert np.isnan(grad[:, 0]).all()
    assert np.isfinite(value[1])
    assert np.isfinite(grad[:, 1]).all()
    scores[2, 0] = [0.0, 0.0, 0.0, np.nan]  # a class of no path: only its own derivative
    value, grad = WITH_LOG_PROBS.value_and_grad(scores, [[1], [1]], [6, 6], [1, 1], reduction="none")
    assert np.isfinite(value).all()
    assert np.argwhere(np.isnan(grad)).tolist() == [[2, 0, 3]]


def test_large_log_probabilities_keep_pytorchs_form() -> None:
    log_probs = np.random.default_rng(3).standard_normal((5, 3)) + 1000.0
    value, grad = WITH_LOG_PROBS.value_and_grad(log_probs, [1, 2], 5, 2, reduction="sum")
    assert value == pytest.approx(sums_over_paths(log_probs, [1, 2])[0], rel=1e-13)
    assert (grad == np.inf).all()


def test_the_smallest_difference_of_probability_and_posterior_is_kept() -> None:
    """Float32 logits of a trained model: both are 1 to seven digits, the gradient is not rounding."""
    logits = np.zeros((10, 3), np.float32)
    logits[np.arange(10), [1, 1, 0, 2, 2, 2, 0, 0, 0, 0]] = 25.0
    grad = WITH_LOGITS.grad(logits, [1, 2], 10, 2, reduction="sum")
    _, slope = reference(log_softmax(logits.astype(np.float64)), [1, 2])
    assert 0.0 < np.abs(slope).max() < 1e-9
    targets = np.ones((10, 3), bool)
    np.testing.assert_allclose(grad[targets], slope[targets], rtol=1e-3, atol=1e-15)


# ---- lengths -----------------------------------------------------------------------------------------------------


@each_loss
def test_frames_beyond_the_length_have_gradient_zero_and_are_not_read(loss: Any) -> None:
    rng = np.random.default_rng(10)
    scores = log_softmax(rng.standard_normal((20, 3, 5)))
    targets, frames, lengths = rng.integers(1, 5, (3, 4)), [20, 11, 0], [4, 2, 0]
    value, grad = loss.value_and_grad(scores, targets, frames, lengths, reduction="none")
    spoiled = scores.copy()
    spoiled[11:, 1] = np.nan
    spoiled[:, 2] = np.inf
    value_again, grad_again = loss.value_and_grad(spoiled, targets, frames, lengths, reduction="none")
    np.testing.assert_array_equal(value_again, value)
    np.testing.assert_array_equal(grad_again, grad)
    assert value[2] == 0.0
    assert not grad[11:, 1].any()
    assert not grad[:, 2].any()
    cut = loss(scores[:11, 1], targets[1], 11, 2, reduction="sum")
    assert value[1] == pytest.approx(cut, rel=1e-14)


def test_a_target_without_labels_has_one_path() -> None:
    log_probs = log_softmax(np.random.default_rng(11).standard_normal((8, 3)))
    value, grad = WITH_LOG_PROBS.value_and_grad(log_probs, [], 8, 0)
    assert value == pytest.approx(-log_probs[:, 0].sum())
    np.testing.assert_allclose(grad, np.exp(log_probs) - [1, 0, 0], atol=1e-15)


# ---- reductions --------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(12)
SCORES = RNG.standard_normal((15, 4, 6))
ARGUMENTS = (RNG.integers(1, 6, (4, 3)), np.array([15, 12, 15, 9]), np.array([3, 0, 2, 3]))


@each_loss
def test_each_reduction_divides_as_it_says(loss: Any) -> None:
    values = loss(SCORES, *ARGUMENTS, reduction="none")
    weight = np.array([1.0, 2.0, 0.0, 0.5])
    by_length = values / [3, 1, 2, 3]
    assert loss(SCORES, *ARGUMENTS, reduction="sum") == pytest.approx(values.sum())
    assert loss(SCORES, *ARGUMENTS) == pytest.approx(by_length.mean())
    assert loss(SCORES, *ARGUMENTS, sample_weight=weight) == pytest.approx((weight * by_length).sum() / 4)
    total = loss(SCORES, *ARGUMENTS, sample_weight=weight, reduction="weighted_mean")
    assert total == pytest.approx((weight * by_length).sum() / weight.sum())
    mask = np.array([True, False, True, True])
    assert loss(SCORES, *ARGUMENTS, where=mask) == pytest.approx(by_length[mask].mean())


@each_loss
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "weighted_mean"])
def test_gradients_carry_weights_denominator_and_upstream_gradient(loss: Any, reduction: str) -> None:
    plain = loss.grad(SCORES, *ARGUMENTS, reduction="sum")
    weight, mask = np.array([1.0, 2.0, 0.25, 0.5]), np.array([True, False, True, True])
    upstream: Any = np.array([3.0, 1.0, -1.0, 2.0]) if reduction == "none" else -1.5
    grad = loss.grad(SCORES, *ARGUMENTS, reduction=reduction, sample_weight=weight, where=mask, grad_output=upstream)
    factor = weight * mask * upstream
    if reduction in ("mean", "weighted_mean"):
        factor = factor / [3, 1, 2, 3] / (3 if reduction == "mean" else weight[mask].sum())
    np.testing.assert_allclose(grad, plain * factor[:, np.newaxis], rtol=1e-12, atol=1e-15)


@each_loss
def test_a_masked_sample_is_never_looked_at(loss: Any) -> None:
    mask = np.array([True, False, True, True])
    expected = loss.value_and_grad(SCORES, *ARGUMENTS, where=mask, reduction="none")
    scores, (targets, frames, lengths) = SCORES.copy(), (item.copy() for item in ARGUMENTS)
    scores[:, 1] = np.nan
    targets[1], frames[1], lengths[1] = -77, 99, -5
    value, grad = loss.value_and_grad(scores, targets, frames, lengths, where=mask, reduction="none")
    np.testing.assert_array_equal(value, expected[0])
    np.testing.assert_array_equal(grad, expected[1])
    assert value[1] == 0.0
    assert not grad[:, 1].any()


@each_loss
def test_an_empty_batch_has_a_value(loss: Any) -> None:
    nothing = (np.zeros((5, 0, 3)), np.zeros((0, 2), np.int64), [], [])
    assert loss(*nothing, reduction="sum") == 0.0
    assert np.isnan(loss(*nothing))
    value, grad = loss.value_and_grad(*nothing, reduction="none")
    assert value.shape == (0,)
    assert grad.shape == (5, 0, 3)
    value, grad = loss.value_and_grad(np.zeros((0, 2, 3)), [[1], [1]], [0, 0], [0, 1], reduction="none")
    np.testing.assert_array_equal(value, [0.0, np.inf])
    assert grad.shape == (0, 2, 3)


# ---- offsets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("classes", [3, 40, 300])
def test_a_common_offset_of_a_frame_changes_no_bit(classes: int, dtype: Any) -> None:
    rng = np.random.default_rng(classes)
    steps, far = (64.0, 2.0**17) if dtype is np.float32 else (2.0**20, 2.0**32)
    logits = (np.rint(rng.standard_normal((30, 4, classes)) * 2 * steps) / steps).astype(dtype)
    offsets = rng.choice([far, -far, 1e4, -1e4, 0.0], (30, 4, 1))
    moved = (logits + offsets).astype(dtype)
    np.testing.assert_array_equal(moved - offsets, logits)
    arguments = rng.integers(1, classes, (4, 6)), [30, 30, 20, 13], [6, 3, 0, 5]
    value, grad = WITH_LOGITS.value_and_grad(logits, *arguments, reduction="none")
    found, slopes = WITH_LOGITS.value_and_grad(moved, *arguments, reduction="none")
    np.testing.assert_array_equal(found, value)
    np.testing.assert_array_equal(slopes, grad)


@pytest.mark.parametrize(("dtype", "size"), [(np.float64, 1e16), (np.float64, 1e300), (np.float32, 3.4e38)])
def test_equal_logits_are_equal_classes_however_large_they_are(dtype: Any, size: float) -> None:
    for number in (size, -size):
        logits = np.full((2, 1, 3), number, dtype)
        value, grad = WITH_LOGITS.value_and_grad(logits, [[1]], [2], [1])
        assert value == pytest.approx(np.log(3.0), rel=1e-14)  # three of nine paths
        np.testing.assert_allclose(grad[:, 0], [[0, -1 / 3, 1 / 3]] * 2, rtol=1e-6, atol=1e-7)


def test_an_offset_changes_nothing_in_logarithms_either(in_logarithms: list[int]) -> None:
    rng = np.random.default_rng(3)
    logits = np.rint(rng.standard_normal((6, 2, 4)) * 1024) * 2.0**10  # far apart: the sums leave their range
    arguments = rng.integers(1, 4, (2, 3)), [6, 5], [3, 2]
    value, grad = WITH_LOGITS.value_and_grad(logits, *arguments, reduction="none")
    assert in_logarithms.pop() > 0
    found, slopes = WITH_LOGITS.value_and_grad(logits + 2.0**40, *arguments, reduction="none")
    np.testing.assert_array_equal(found, value)
    np.testing.assert_array_equal(slopes, grad)
