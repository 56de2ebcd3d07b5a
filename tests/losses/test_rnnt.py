"""rnnt_loss against the sum over all paths, differences of its value and a plain lattice; options, limits, errors."""

from __future__ import annotations

import copy
import itertools
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest

import losslib
from losslib import DomainError, DTypeError, ParameterError, RNNTLoss, ShapeError, rnnt_loss
from losslib._kernels import threads as kernel_threads
from transducer_paths import batch, enumerated, log_softmax, through_softmax

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


class Batch(NamedTuple):
    """The inputs of a call."""

    logits: np.ndarray
    targets: np.ndarray
    logit_lengths: np.ndarray
    target_lengths: np.ndarray


def draw(
    seed: int, samples: int, frames: int, labels: int, classes: int, *, blank: int = -1, size: float = 2.0,
    ragged: bool = True,
) -> Batch:  # fmt: skip
    """Draw a batch; lengths differ by sample, and one sample fills the arrays."""
    rng = np.random.default_rng([seed, samples, frames, labels, classes])
    logits = size * rng.standard_normal((samples, frames, labels + 1, classes))
    targets = rng.integers(0, max(classes - 1, 1), (samples, labels))
    targets += targets >= blank % classes
    logit_lengths, target_lengths = np.full(samples, frames), np.full(samples, labels)
    if ragged:
        logit_lengths[1:] = rng.integers(1, frames + 1, samples - 1)
        target_lengths[1:] = rng.integers(0, labels + 1, samples - 1)
    return Batch(logits, targets, logit_lengths, target_lengths)


# ---- the definition ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize(("frames", "labels"), [(t, u) for t in range(1, 5) for u in range(4) if t + u <= 6])
def test_every_small_lattice_is_the_sum_over_all_paths(frames: int, labels: int, classes: int) -> None:
    rng = np.random.default_rng([frames, labels, classes])
    for blank in range(classes):
        others = [c for c in range(classes) if c != blank]
        for target in itertools.product(others, repeat=labels):
            logits = 3.0 * rng.standard_normal((1, frames, labels + 1, classes))
            log_probs = log_softmax(logits[0])
            expected, slope = enumerated(log_probs, np.array(target, int), blank)
            call = (logits, np.array([target], np.int64), [frames], [labels])
            value, gradient = rnnt_loss.value_and_grad(*call, blank=blank)
            np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-14)
            np.testing.assert_allclose(gradient[0], through_softmax(slope, log_probs), rtol=1e-12, atol=1e-14)
            value, gradient = rnnt_loss.value_and_grad(log_probs[None], *call[1:], blank=blank, fused_log_softmax=False)
            np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-14)
            np.testing.assert_allclose(gradient[0], slope, rtol=1e-12, atol=1e-14)


def differences(function: Any, x: np.ndarray, step: float = 2e-3) -> np.ndarray:
    """Differentiate by differences of fourth order, one entry at a time."""
    slope = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        values = []
        for shift in (-2, -1, 1, 2):
            moved = x.copy()
            moved[place] += shift * step
            values.append(function(moved))
        slope[place] = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
    return slope


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("frames", "labels", "classes"), [(5, 3, 4), (2, 6, 3), (7, 0, 5), (1, 4, 6)])
def test_the_gradient_is_the_difference_quotient_of_the_value(
    frames: int, labels: int, classes: int, fused: bool
) -> None:
    data = draw(1, 2, frames, labels, classes)
    x = data.logits if fused else log_softmax(data.logits)
    rest = data[1:]
    gradient = rnnt_loss.grad(x, *rest, reduction="sum", fused_log_softmax=fused)
    expected = differences(lambda z: rnnt_loss(z, *rest, reduction="sum", fused_log_softmax=fused), x)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=2e-10)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(60))
def test_random_batches_agree_with_a_plain_lattice(seed: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    samples, frames, labels, classes = (int(rng.integers(1, most)) for most in (5, 14, 14, 40))
    blank = int(rng.integers(-classes - 1, classes + 1))
    data = draw(seed, samples, frames, labels, classes + 1, blank=blank)
    data = data._replace(logits=data.logits.astype(dtype))
    fastemit = float(rng.choice([0.0, 0.3]))
    expected, gradient = batch(*data, blank=blank, fastemit=fastemit)
    bound = 1e-12 if dtype == np.float64 else 2e-6
    values, slopes = rnnt_loss.value_and_grad(*data, blank=blank, fastemit_lambda=fastemit, reduction="none")
    assert values.dtype == slopes.dtype == dtype
    np.testing.assert_allclose(values, expected, rtol=bound, atol=bound)
    np.testing.assert_allclose(slopes, gradient, rtol=0, atol=2 * bound)
    np.testing.assert_array_equal(rnnt_loss(*data, blank=blank, reduction="none"), values)
    np.testing.assert_array_equal(
        rnnt_loss.grad(*data, blank=blank, fastemit_lambda=fastemit, reduction="none"), slopes
    )


def test_the_example_of_warp_transducer() -> None:
    """Value and gradient that its tests and torchaudio's state (github.com/HawkAaron/warp-transducer)."""
    logits = np.array(
        [
            [[0.1, 0.6, 0.1, 0.1, 0.1], [0.1, 0.1, 0.6, 0.1, 0.1], [0.1, 0.1, 0.2, 0.8, 0.1]],
            [[0.1, 0.6, 0.1, 0.1, 0.1], [0.1, 0.1, 0.2, 0.1, 0.1], [0.7, 0.1, 0.2, 0.1, 0.1]],
        ]
    )[np.newaxis]
    value, gradient = rnnt_loss.value_and_grad(logits, [[1, 2]], [2], [2], blank=0)
    assert value == pytest.approx(4.495666, abs=1e-6)
    first, last = [-0.13116688, -0.3999269, 0.17703125, 0.17703125, 0.17703125], [-0.6925882, 0.16871116, 0.18645467]
    np.testing.assert_allclose(gradient[0, 0, 0], first, atol=5e-7)
    np.testing.assert_allclose(gradient[0, 1, 2, :3], last, atol=5e-7)


# ---- lengths -----------------------------------------------------------------------------------------------------


def test_past_the_lengths_nothing_is_read_and_the_gradient_is_exactly_zero() -> None:
    data = draw(3, 4, 9, 5, 6)
    poisoned, padded = data.logits.copy(), data.targets.copy()
    for n, (t, u) in enumerate(zip(data.logit_lengths, data.target_lengths, strict=True)):
        poisoned[n, t:] = np.nan
        poisoned[n, :, u + 1 :] = np.nan
        padded[n, u:] = [-1, 10**9, 5, -7, 99][: 5 - u]
    for fused in (True, False):
        clean = rnnt_loss.value_and_grad(*data, fused_log_softmax=fused)
        value, gradient = rnnt_loss.value_and_grad(poisoned, padded, *data[2:], fused_log_softmax=fused)
        assert value == clean[0]
        np.testing.assert_array_equal(gradient, clean[1])
        for n, (t, u) in enumerate(zip(data.logit_lengths, data.target_lengths, strict=True)):
            assert not gradient[n, t:].any()
            assert not gradient[n, :, u + 1 :].any()
            assert gradient[n, :t, : u + 1].any()
        given = poisoned.copy()
        rnnt_loss.grad(given, padded, *data[2:], fused_log_softmax=fused, out=given)
        np.testing.assert_array_equal(given, gradient)


def test_without_labels_the_value_is_the_sum_of_the_blanks() -> None:
    logits = draw(4, 1, 30, 0, 5).logits
    value = rnnt_loss(logits, np.empty((1, 0), int), [30], [0])
    assert value == pytest.approx(-log_softmax(logits)[..., -1].sum(), rel=1e-14)
    assert rnnt_loss(logits, [[]], [30], [0]) == value
    alone = np.zeros((1, 4, 1, 1))  # one class: every frame is certainly blank
    value, gradient = rnnt_loss.value_and_grad(alone, [[]], [4], [0])
    assert value == 0.0
    assert not gradient.any()


def test_without_frames_only_the_empty_target_can_be_written() -> None:
    data = draw(5, 3, 4, 2, 3)._replace(logit_lengths=np.array([0, 0, 4]), target_lengths=np.array([0, 2, 2]))
    values, gradient = rnnt_loss.value_and_grad(*data, reduction="none")
    assert values[0] == 0.0
    assert values[1] == np.inf
    assert np.isfinite(values[2])
    assert not gradient[:2].any()
    empty = (np.zeros((2, 0, 3, 4)), np.zeros((2, 2), int), [0, 0], [0, 2])
    values, gradient = rnnt_loss.value_and_grad(*empty, reduction="none")
    np.testing.assert_array_equal(values, [0.0, np.inf])
    assert gradient.shape == (2, 0, 3, 4)


def test_an_empty_batch_gives_what_the_reduction_of_nothing_is() -> None:
    data = (np.zeros((0, 3, 2, 4), np.float32), np.zeros((0, 1), int), [], [])
    assert np.isnan(rnnt_loss(*data))
    assert rnnt_loss(*data, reduction="sum") == 0.0
    assert rnnt_loss(*data, reduction="none").shape == (0,)
    assert rnnt_loss.grad(*data).shape == (0, 3, 2, 4)


# ---- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("frames", "labels", "size"), [(1000, 12, 60.0), (40, 130, 300.0), (10000, 3, 20.0)])
def test_long_and_peaked_lattices_do_not_underflow(frames: int, labels: int, size: float, dtype: Any) -> None:
    data = draw(6, 1, frames, labels, 4, size=size)
    data = data._replace(logits=data.logits.astype(dtype))
    expected, gradient = batch(*data)
    assert expected[0] > 2000
    values, slopes = rnnt_loss.value_and_grad(*data, reduction="none")
    np.testing.assert_allclose(values, expected, rtol=1e-12 if dtype == np.float64 else 1e-6)
    np.testing.assert_allclose(slopes, gradient, rtol=0, atol=1e-9 if dtype == np.float64 else 1e-5)


def test_classes_of_probability_zero_are_paths_that_are_not_taken() -> None:
    data = draw(7, 1, 4, 2, 5)
    logits = data.logits.copy()
    logits[0, 1, 1, data.targets[0, 1]] = -np.inf
    logits[0, 2, 0, -1] = -np.inf
    logits[0, 0, 0, 0] = -np.inf
    with np.errstate(invalid="ignore"):
        log_probs = log_softmax(logits[0])
        expected, slope = enumerated(np.where(log_probs == -np.inf, -1e4, log_probs), data.targets[0], 4)
    value, gradient = rnnt_loss.value_and_grad(logits, *data[1:])
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(gradient[0], through_softmax(slope, log_probs), rtol=1e-12, atol=1e-14)
    assert (gradient[logits == -np.inf] == 0).all()


def test_a_target_without_a_path_is_infinite_and_only_its_own_gradient_is_nan() -> None:
    data = draw(8, 3, 4, 2, 5, ragged=False)
    expected, gradient = rnnt_loss.value_and_grad(*data, reduction="none")
    logits = data.logits.copy()
    logits[1, :, 0, data.targets[1, 0]] = -np.inf
    values, slopes = rnnt_loss.value_and_grad(logits, *data[1:], reduction="none")
    assert values[1] == np.inf
    assert np.isnan(slopes[1]).all()
    np.testing.assert_array_equal(values[[0, 2]], expected[[0, 2]])
    np.testing.assert_array_equal(slopes[[0, 2]], gradient[[0, 2]])
    value, slopes = rnnt_loss.value_and_grad(logits, *data[1:], where=[True, False, True])
    assert value == pytest.approx(expected[[0, 2]].mean(), rel=1e-15)
    assert not slopes[1].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_propagates_to_its_sample_alone(bad: float) -> None:
    data = draw(9, 2, 4, 2, 5, ragged=False)
    logits = data.logits.copy()
    logits[0, 2, 1, 3] = bad
    values, gradient = rnnt_loss.value_and_grad(logits, *data[1:], reduction="none")
    assert np.isnan(values[0])
    assert np.isfinite(values[1])
    assert np.isnan(gradient[0]).all()
    assert np.isfinite(gradient[1]).all()


@pytest.mark.parametrize("shift", [1e4, -1e4, 1e30])
def test_a_constant_added_to_a_row_changes_nothing(shift: float) -> None:
    data = draw(10, 1, 6, 3, 7)
    rounded = np.round(data.logits * 16) / 16  # so that adding 1e4 is exact
    if abs(shift) > 1e6:
        rounded[:] = 0.0
    value, gradient = rnnt_loss.value_and_grad(rounded, *data[1:])
    moved = rnnt_loss.value_and_grad(rounded + shift, *data[1:])
    assert moved[0] == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(moved[1], gradient, atol=1e-11)
    single = rnnt_loss.value_and_grad((rounded + shift).astype(np.float32), *data[1:])
    np.testing.assert_allclose(single[1], gradient, atol=1e-6)


# ---- parameters --------------------------------------------------------------------------------------------------


def test_log_probabilities_are_taken_as_they_are() -> None:
    data = draw(11, 3, 6, 4, 5)
    log_probs = log_softmax(data.logits) - 0.25  # not normalised: the value moves with every symbol of a path
    expected, slope = batch(log_probs, *data[1:], fused=False)
    values, gradient = rnnt_loss.value_and_grad(log_probs, *data[1:], fused_log_softmax=False, reduction="none")
    np.testing.assert_allclose(values, expected, rtol=1e-13)
    np.testing.assert_allclose(gradient, slope, atol=1e-13)
    symbols = data.logit_lengths + data.target_lengths
    np.testing.assert_allclose(values, rnnt_loss(*data, reduction="none") + 0.25 * symbols, rtol=1e-13)


@pytest.mark.parametrize("fused", [True, False])
def test_clamp_limits_the_gradient_of_each_sample_before_everything_else(fused: bool) -> None:
    data = draw(12, 4, 6, 4, 5)
    options: dict[str, Any] = {"fused_log_softmax": fused}
    free = rnnt_loss.grad(*data, reduction="sum", **options)
    assert np.abs(free).max() > 0.06
    for clamp in (0.02, 0.06):
        limited = np.clip(free, -clamp, clamp)
        weights = np.array([2.0, 0.5, 1.0, -3.0])
        values, gradient = rnnt_loss.value_and_grad(
            *data, reduction="none", clamp=clamp, grad_output=weights, **options
        )
        np.testing.assert_allclose(gradient, limited * weights[:, None, None, None], rtol=1e-14, atol=1e-17)
        np.testing.assert_array_equal(values, rnnt_loss(*data, reduction="none", **options))
        single = data._replace(logits=data.logits.astype(np.float32))
        np.testing.assert_allclose(rnnt_loss.grad(*single, clamp=clamp, **options), limited / 4, atol=1e-6)
    for off in (0.0, -1.0, -7.5):
        np.testing.assert_array_equal(rnnt_loss.grad(*data, reduction="sum", clamp=off, **options), free)


def test_fastemit_is_the_gradient_of_its_definition_and_leaves_the_value() -> None:
    """d/dx of L - lambda * sum(s * emit) with the shares s of the emissions held constant."""
    data, strength = draw(13, 1, 4, 3, 5), 0.7
    labels = data.targets[0]
    value, gradient = rnnt_loss.value_and_grad(*data, fastemit_lambda=strength)
    assert value == rnnt_loss(*data)
    _, slope = enumerated(log_softmax(data.logits[0]), labels, 4)
    rows, columns = np.indices((4, 3))
    shares = -slope[rows, columns, labels[columns]]

    def surrogate(logits: np.ndarray) -> float:
        emit = log_softmax(logits[0])[rows, columns, labels[columns]]
        return float(rnnt_loss(logits, *data[1:])) - strength * float((shares * emit).sum())

    np.testing.assert_allclose(gradient, differences(surrogate, data.logits), rtol=0, atol=1e-10)
    plain = rnnt_loss.grad(log_softmax(data.logits), *data[1:], fused_log_softmax=False)
    stronger = rnnt_loss.grad(log_softmax(data.logits), *data[1:], fused_log_softmax=False, fastemit_lambda=strength)
    emitted = np.zeros(plain.shape, bool)
    emitted[0, rows, columns, labels[columns]] = True
    np.testing.assert_allclose(stronger, np.where(emitted, (1 + strength) * plain, plain), rtol=1e-14)


def test_clamp_applies_after_fastemit() -> None:
    data = draw(14, 2, 5, 3, 4)
    free = rnnt_loss.grad(*data, reduction="sum", fastemit_lambda=1.5)
    limited = rnnt_loss.grad(*data, reduction="sum", fastemit_lambda=1.5, clamp=0.05)
    np.testing.assert_allclose(limited, np.clip(free, -0.05, 0.05), rtol=1e-14, atol=1e-17)


def test_a_negative_blank_counts_from_the_last_class() -> None:
    data = draw(15, 2, 5, 3, 6, blank=2)
    for positive, negative in ((2, -4), (-4, 2)):
        assert rnnt_loss(*data, blank=positive) == rnnt_loss(*data, blank=negative)
    last = draw(15, 2, 5, 3, 6)
    assert rnnt_loss(*last) == rnnt_loss(*last, blank=5) == rnnt_loss(*last, blank=-1)


# ---- reductions, weights and masks -------------------------------------------------------------------------------


def test_the_mean_is_over_samples_whatever_their_lengths() -> None:
    data = draw(16, 5, 7, 4, 6)
    values, slopes = rnnt_loss.value_and_grad(*data, reduction="none")
    for reduction, divisor in (("mean", 5.0), ("sum", 1.0), ("weighted_mean", 5.0)):
        value, gradient = rnnt_loss.value_and_grad(*data, reduction=reduction)
        assert value == pytest.approx(values.sum() / divisor, rel=1e-15)
        np.testing.assert_allclose(gradient, slopes / divisor, rtol=1e-14)


def test_weights_masks_and_upstream_gradients_multiply_each_sample() -> None:
    data = draw(17, 4, 7, 4, 6)
    values, slopes = rnnt_loss.value_and_grad(*data, reduction="none")
    weight, mask = np.array([0.5, 0.0, 2.0, 3.0]), np.array([True, True, False, True])
    kept = weight * mask
    column = kept[:, None, None, None]
    options: dict[str, Any] = {"sample_weight": weight, "where": mask}
    for reduction, divisor in (("mean", 3.0), ("sum", 1.0), ("weighted_mean", 3.5)):
        value, gradient = rnnt_loss.value_and_grad(*data, reduction=reduction, grad_output=-2.0, **options)
        assert value == pytest.approx((values * kept).sum() / divisor, rel=1e-14)
        np.testing.assert_allclose(gradient, -2.0 * slopes * column / divisor, rtol=1e-13)
    upstream = np.array([1.0, -2.0, 5.0, 0.25])
    value, gradient = rnnt_loss.value_and_grad(*data, reduction="none", grad_output=upstream, **options)
    np.testing.assert_allclose(value, values * kept, rtol=1e-15)
    np.testing.assert_allclose(gradient, slopes * column * upstream[:, None, None, None], rtol=1e-13)


def test_a_masked_sample_is_never_looked_at() -> None:
    data = draw(18, 3, 5, 3, 4)
    value, gradient = rnnt_loss.value_and_grad(*data, where=[True, False, True])
    logits, targets = data.logits.copy(), data.targets.copy()
    frames, labels = data.logit_lengths.copy(), data.target_lengths.copy()
    logits[1], targets[1], frames[1], labels[1] = np.nan, -5, 10**6, -1
    masked = rnnt_loss.value_and_grad(logits, targets, frames, labels, where=[True, False, True])
    assert masked[0] == value
    np.testing.assert_array_equal(masked[1], gradient)
    assert not masked[1][1].any()
    assert rnnt_loss(logits, targets, frames, labels, where=[True, False, True], reduction="none")[1] == 0.0


# ---- arrays ------------------------------------------------------------------------------------------------------


def layouts(x: np.ndarray) -> Iterator[np.ndarray]:
    """Go through arrays with the same numbers in other memory orders."""
    yield np.asfortranarray(x)
    yield np.ascontiguousarray(x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)  # classes before frames
    yield np.ascontiguousarray(x.transpose(1, 0, 2, 3)).transpose(1, 0, 2, 3)  # frames first, rows in one piece
    yield np.ascontiguousarray(x[:, :, ::-1])[:, :, ::-1]
    wide = np.full((*x.shape[:3], 2 * x.shape[3]), np.nan, x.dtype)
    wide[..., ::2] = x
    yield wide[..., ::2]
    frozen = x.copy()
    frozen.flags.writeable = False
    yield frozen


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, BFLOAT16], ids=str)
def test_every_memory_order_gives_the_same_bits_and_is_kept_by_the_gradient(dtype: Any) -> None:
    data = draw(19, 3, 6, 4, 21)
    x = data.logits.astype(dtype)
    value, gradient = rnnt_loss.value_and_grad(x, *data[1:])
    for other in layouts(x):
        found = rnnt_loss.value_and_grad(other, *data[1:])
        assert found[0] == value
        np.testing.assert_array_equal(found[1], gradient, strict=True)
        out = np.empty_like(other)
        assert rnnt_loss.grad(other, *data[1:], out=out) is out
        np.testing.assert_array_equal(out, gradient, strict=True)


def test_strided_logits_are_not_copied() -> None:
    """The peak of NumPy's own memory is the gradient: no second array of the size of the logits."""
    import tracemalloc

    data = draw(20, 2, 40, 9, 200)
    strided = np.ascontiguousarray(data.logits.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    rnnt_loss.value_and_grad(strided, *data[1:])
    tracemalloc.start()
    try:
        rnnt_loss(strided, *data[1:])
        alone = tracemalloc.get_traced_memory()[1]
        rnnt_loss.value_and_grad(strided, *data[1:])
        with_gradient = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert alone < 0.02 * strided.nbytes
    assert with_gradient < 1.02 * strided.nbytes


@pytest.mark.parametrize("dtype", [np.float16, BFLOAT16], ids=str)
def test_half_precision_is_computed_in_single(dtype: Any) -> None:
    data = draw(21, 3, 6, 4, 9)
    x = data.logits.astype(dtype)
    values, gradient = rnnt_loss.value_and_grad(x, *data[1:], reduction="none")
    assert values.dtype == gradient.dtype == dtype
    single = rnnt_loss.value_and_grad(x.astype(np.float32), *data[1:], reduction="none")
    np.testing.assert_array_equal(values, single[0].astype(dtype))
    np.testing.assert_array_equal(gradient, single[1].astype(dtype))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, BFLOAT16], ids=str)
@pytest.mark.parametrize("fused", [True, False])
def test_the_gradient_may_overwrite_the_logits(dtype: Any, fused: bool) -> None:
    data = draw(22, 3, 6, 4, 600)
    x = data.logits.astype(dtype)
    value, gradient = rnnt_loss.value_and_grad(x, *data[1:], clamp=0.3, fused_log_softmax=fused)
    for source in (x, *list(layouts(x))[:5]):
        given = source.copy(order="K")
        found = rnnt_loss.value_and_grad(given, *data[1:], clamp=0.3, fused_log_softmax=fused, out=given)
        assert found[0] == value
        assert found[1] is given
        np.testing.assert_array_equal(given, gradient)


def test_an_output_that_overlaps_the_logits_gives_the_same() -> None:
    data = draw(23, 2, 6, 4, 5)
    gradient = rnnt_loss.grad(*data)
    memory = np.empty(data.logits.size + 7)
    given, out = memory[: data.logits.size].reshape(data.logits.shape), memory[7:].reshape(data.logits.shape)
    given[:] = data.logits
    np.testing.assert_array_equal(rnnt_loss.grad(given, *data[1:], out=out), gradient)


@pytest.mark.parametrize(
    "kind", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, ">i4"]
)
def test_targets_and_lengths_of_every_integer_type(kind: Any) -> None:
    data = draw(24, 3, 5, 3, 4)
    value = rnnt_loss(*data)
    assert rnnt_loss(data.logits, *(a.astype(kind) for a in data[1:])) == value
    assert rnnt_loss(data.logits, data.targets.T.copy().T, *data[2:]) == value


def test_lists_and_tuples_are_lengths_and_targets_too() -> None:
    data = draw(25, 3, 5, 3, 4)
    listed = (data.targets.tolist(), tuple(data.logit_lengths.tolist()), data.target_lengths.tolist())
    assert rnnt_loss(data.logits, *listed) == rnnt_loss(*data)
    assert rnnt_loss(data.logits.tolist(), *listed) == rnnt_loss(*data)
    whole = np.round(data.logits).astype(np.int32)
    assert rnnt_loss(whole, *listed) == rnnt_loss(whole.astype(np.float64), *listed)


def test_values_go_where_they_are_told() -> None:
    data = draw(26, 3, 5, 3, 4)
    out = np.empty(3)
    assert rnnt_loss(*data, reduction="none", out=out) is out
    np.testing.assert_array_equal(out, rnnt_loss(*data, reduction="none"))
    with pytest.raises(ParameterError, match="out"):
        rnnt_loss(*data, out=out)


# ---- the same loss in other forms --------------------------------------------------------------------------------


def test_object_function_and_name_are_one_loss() -> None:
    data = draw(27, 3, 5, 3, 4, blank=0)
    loss = RNNTLoss(blank=0, clamp=0.1, fastemit_lambda=0.01, reduction="sum")
    expected = rnnt_loss.value_and_grad(*data, blank=0, clamp=0.1, fastemit_lambda=0.01, reduction="sum")
    for same in (
        loss, losslib.get("rnnt", **loss.parameters), pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss),
        eval(repr(loss), {"RNNTLoss": RNNTLoss}), RNNTLoss(0, 0.1, "sum", fastemit_lambda=0.01),
    ):  # fmt: skip
        assert same == loss
        value, gradient = same.value_and_grad(*data)
        assert value == expected[0] == same(*data)
        np.testing.assert_array_equal(gradient, expected[1])
    named = dict(zip(("logits", "targets", "logit_lengths", "target_lengths"), data, strict=True))
    assert rnnt_loss(**named, blank=0) == rnnt_loss(*data, 0) == rnnt_loss(*data, 0, -1.0, "mean", True)
    both = 0.5 * loss + 2.0 * RNNTLoss(blank=0, reduction="sum")
    assert both(*data) == pytest.approx(2.5 * expected[0], rel=1e-14)
    np.testing.assert_allclose(
        both.grad(*data),
        0.5 * expected[1] + 2.0 * rnnt_loss.grad(*data, blank=0, reduction="sum"),
        rtol=1e-13, atol=1e-16,
    )  # fmt: skip


def test_there_is_no_hessian() -> None:
    with pytest.raises(TypeError, match="no Hessian"):
        rnnt_loss.value_grad_hess(*draw(28, 1, 2, 1, 3))


# ---- errors ------------------------------------------------------------------------------------------------------

GOOD = draw(29, 2, 4, 3, 5, ragged=False)


def changed(name: str, value: Any, place: Any = None) -> Batch:
    """Return good inputs but for one, or one entry of it."""
    array = np.asarray(value) if place is None else np.asarray(getattr(GOOD, name)).copy()
    if place is not None:
        array[place] = value
    return GOOD._replace(**{name: array})


ERRORS: list[tuple[Batch, type[Exception], str]] = [
    (changed("targets", 5, (1, 2)), DomainError, r"targets\[1, 2\] is 5, outside the classes: expected 0 to 4"),
    (changed("targets", -1, (0, 0)), DomainError, r"targets\[0, 0\] is -1, outside the classes"),
    (changed("targets", 4, (1, 0)), DomainError, r"targets\[1, 0\] is 4, the blank"),
    (changed("targets", np.full((2, 3), 2**63, np.uint64)), DomainError, r"targets\[0, 0\] is 9223372036854775808"),
    (changed("logit_lengths", 5, 1), DomainError, r"logit_lengths\[1\] is 5, expected 0 to 4"),
    (changed("logit_lengths", -2, 0), DomainError, r"logit_lengths\[0\] is -2, expected 0 to 4"),
    (changed("target_lengths", 4, 0), DomainError, r"target_lengths\[0\] is 4, expected 0 to 3"),
    (changed("target_lengths", np.array([0, 2**64 - 1], np.uint64)), DomainError, r"target_lengths\[1\] is 1844674407"),
    (changed("logit_lengths", [4]), ShapeError, r"logit_lengths has shape \(1,\), expected \(2,\)"),
    (changed("target_lengths", [3, 3, 3]), ShapeError, r"target_lengths has shape \(3,\), expected \(2,\)"),
    (changed("target_lengths", 3), ShapeError, r"target_lengths has shape \(\), expected \(2,\)"),
    (changed("targets", GOOD.targets[:, :2]), ShapeError, r"targets has shape \(2, 2\), expected \(2, 3\)"),
    (changed("targets", GOOD.targets[:1]), ShapeError, r"targets has shape \(1, 3\), expected \(2, 3\)"),
    (changed("targets", GOOD.targets.reshape(-1)), ShapeError, r"targets has shape \(6,\), expected \(2, 3\)"),
    (changed("targets", GOOD.targets.astype(float)), DTypeError, "targets has dtype float64"),
    (changed("targets", GOOD.targets > 1), DTypeError, "targets has dtype bool"),
    (changed("logit_lengths", [4.0, 4.0]), DTypeError, "logit_lengths has dtype float64; lengths must be integers"),
    (changed("target_lengths", ["3", "3"]), DTypeError, "target_lengths has dtype <U1"),
    (changed("logits", GOOD.logits[0]), ShapeError, r"logits has shape \(4, 4, 5\).*logits\[numpy.newaxis\]"),
    (changed("logits", GOOD.logits[:, :, :0]), ShapeError, "at least one row for the start"),
    (changed("logits", GOOD.logits[..., :0]), ShapeError, "at least one class"),
    (changed("logits", GOOD.logits + 1j), DTypeError, "logits has dtype complex128"),
]  # fmt: skip


#: A blank among the labels is a value outside the domain and no danger: it is let through with check=False.
CHECKED = [(*case, check) for case in ERRORS for check in (True, False) if check or "the blank" not in case[2]]


@pytest.mark.parametrize(
    ("data", "kind", "message", "check"), CHECKED, ids=[f"{case[2][:30]}-{case[3]}" for case in CHECKED]
)
def test_bad_input_is_a_named_error_and_no_input_is_lost(
    data: Batch, kind: type[Exception], message: str, check: bool
) -> None:
    before = data.logits.copy()
    for call in (rnnt_loss, rnnt_loss.grad, rnnt_loss.value_and_grad):
        with pytest.raises(kind, match=message):
            call(*data, check=check)
    if data.logits.dtype == np.float64:
        with pytest.raises(kind, match=message):
            rnnt_loss.grad(*data, check=check, out=data.logits)
        np.testing.assert_array_equal(data.logits, before)


@pytest.mark.parametrize("fused", [True, False])
def test_unchecked_the_blank_may_stand_in_a_target(fused: bool) -> None:
    """The formula regardless: two different steps of one class."""
    data = draw(32, 1, 4, 2, 3)
    target = np.array([[2, 0]])
    log_probs = log_softmax(data.logits[0])
    expected, slope = enumerated(log_probs, target[0], 2)
    x = data.logits if fused else log_probs[np.newaxis]
    value, gradient = rnnt_loss.value_and_grad(x, target, [4], [2], check=False, fused_log_softmax=fused)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(
        gradient[0], through_softmax(slope, log_probs) if fused else slope, rtol=1e-12, atol=1e-14
    )


def test_parameters_outside_their_range_are_named() -> None:
    for blank in (5, -6, 2**40):
        with pytest.raises(ParameterError, match=f"blank={blank} is no class of logits, which has 5: expected -5 to 4"):
            rnnt_loss(*GOOD, blank=blank)
    for name, value in (("fastemit_lambda", -0.1), ("clamp", float("nan")), ("blank", 1.5), ("fused_log_softmax", 2)):
        with pytest.raises(ParameterError, match=name):
            rnnt_loss(*GOOD, **{name: value})
    with pytest.raises(ParameterError, match="logits"):
        rnnt_loss.grad(*GOOD, wrt="targets")
    with pytest.raises(TypeError, match="did you mean 'sample_weight'"):
        RNNTLoss()(*GOOD, sample_weights=[1.0, 1.0])
    with pytest.raises(TypeError, match="target_lengths"):
        rnnt_loss(*GOOD[:3])
    with pytest.raises(ShapeError, match=r"sample_weight.*\(2,\)"):
        rnnt_loss(*GOOD, sample_weight=np.ones(3))
    for out in (np.empty((2, 4, 4, 6)), np.empty(GOOD.logits.shape, np.float32), (np.empty(GOOD.logits.shape),) * 2):
        with pytest.raises((ShapeError, DTypeError, ParameterError), match="out"):
            rnnt_loss.grad(*GOOD, out=out)


# ---- threads and memory ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not kernel_threads.openmp(), reason="built without OpenMP")
@pytest.mark.parametrize("shape", [(1, 300, 20, 30), (5, 60, 11, 700), (9, 3, 40, 5), (2, 1, 0, 3)], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_two_three_and_seven_threads_give_the_same_bits(
    shape: tuple[int, int, int, int], dtype: Any, always_parallel: None
) -> None:
    """The second shape does not fit the caches: its samples are computed in several groups."""
    data = draw(30, *shape)
    data = data._replace(logits=data.logits.astype(dtype))
    found = []
    for width in (1, 2, 3, 7):
        kernel_threads.set_width(width)
        out = data.logits.copy()
        found.append(
            [
                *rnnt_loss.value_and_grad(*data, reduction="none", fastemit_lambda=0.1),
                np.float64(rnnt_loss(*data)),
                rnnt_loss.grad(out, *data[1:], clamp=0.1, out=out),
            ]
        )
    for other in found[1:]:
        for first, second in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(first, second, strict=True)


def test_a_sample_does_not_depend_on_its_batch() -> None:
    data = draw(31, 6, 40, 9, 50)
    values, gradient = rnnt_loss.value_and_grad(*data, reduction="none")
    for n, (t, u) in enumerate(zip(data.logit_lengths, data.target_lengths, strict=True)):
        alone = rnnt_loss.value_and_grad(
            data.logits[n : n + 1, :t, : u + 1], data.targets[n : n + 1, :u], [t], [u], reduction="none"
        )
        assert alone[0][0] == values[n]
        np.testing.assert_array_equal(alone[1][0], gradient[n, :t, : u + 1])


MEMORY = """
import pathlib
import numpy as np
import losslib

def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

losslib.rnnt_loss.value_and_grad(np.zeros((2, 9, 3, 40), np.float32), np.zeros((2, 2), int), [9, 9], [2, 2])
before = peak()
logits = np.ones((4, 100, 21, 500), np.float32)
losslib.rnnt_loss.value_and_grad(logits, np.zeros((4, 20), int), [100] * 4, [20] * 4)
print((peak() - before) / (2 * logits.nbytes))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
def test_peak_memory_is_that_of_the_logits_and_the_gradient() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    assert 0.9 < float(done.stdout) < 1.2
