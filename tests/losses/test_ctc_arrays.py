"""CTC on any array: dtypes, layouts, targets in either form, outputs, threads; and every error, with no input lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import losslib
from alignments import log_softmax
from losslib import DomainError, DTypeError, ParameterError, ShapeError
from losslib._kernels import threads as kernel_threads

each_loss = pytest.mark.parametrize(
    "loss", [losslib.ctc_loss_with_logits, losslib.ctc_loss], ids=["logits", "log_probs"]
)

RNG = np.random.default_rng(20)
T, N, C, S = 25, 5, 7, 4
SCORES = log_softmax(RNG.standard_normal((T, N, C)))
TARGETS = RNG.integers(1, C, (N, S))
FRAMES, LENGTHS = np.array([25, 20, 25, 13, 9]), np.array([4, 3, 0, 2, 4])
ARGUMENTS = (TARGETS, FRAMES, LENGTHS)
IN_ONE_ROW = np.concatenate([row[:n] for row, n in zip(TARGETS, LENGTHS, strict=True)])


def same(actual: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    np.testing.assert_array_equal(actual[0], expected[0])
    np.testing.assert_array_equal(actual[1], expected[1])


# ---- targets and lengths -----------------------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", ">i4"])
def test_any_integer_type_and_both_forms_of_targets(loss: Any, dtype: str) -> None:
    expected = loss.value_and_grad(SCORES, *ARGUMENTS, reduction="none")
    lengths = (FRAMES.astype(dtype), LENGTHS.astype(dtype))
    same(loss.value_and_grad(SCORES, TARGETS.astype(dtype), *lengths, reduction="none"), expected)
    same(loss.value_and_grad(SCORES, IN_ONE_ROW.astype(dtype), *lengths, reduction="none"), expected)


@each_loss
def test_lists_and_tuples_of_targets_and_lengths(loss: Any) -> None:
    expected = loss.value_and_grad(SCORES, *ARGUMENTS)
    same(loss.value_and_grad(SCORES, TARGETS.tolist(), tuple(FRAMES.tolist()), LENGTHS.tolist()), expected)
    same(loss.value_and_grad(SCORES, targets=TARGETS, input_lengths=FRAMES, target_lengths=LENGTHS), expected)


@each_loss
def test_padding_may_be_anything(loss: Any) -> None:
    targets = TARGETS.copy()
    targets[np.arange(S) >= LENGTHS[:, np.newaxis]] = -(2**60)
    same(loss.value_and_grad(SCORES, targets, FRAMES, LENGTHS), loss.value_and_grad(SCORES, *ARGUMENTS))


@each_loss
@pytest.mark.parametrize("blank", [0, 3, 6])
def test_the_blank_may_be_any_class(loss: Any, blank: int) -> None:
    """Move the class 0 to another place: nothing else changes."""
    order = np.insert(np.arange(1, C), blank, 0)  # the class at each new place
    place = np.argsort(order)
    value, grad = loss.value_and_grad(SCORES[..., order], place[TARGETS], FRAMES, LENGTHS, blank=blank)
    expected = loss.value_and_grad(SCORES, *ARGUMENTS)
    assert value == pytest.approx(expected[0], rel=1e-14)
    np.testing.assert_allclose(grad, expected[1][..., order], atol=1e-16)


@each_loss
def test_a_single_sequence_needs_no_batch_axis(loss: Any) -> None:
    for n in range(N):
        expected = loss.value_and_grad(SCORES[:, n : n + 1], TARGETS[n : n + 1], FRAMES[n : n + 1], LENGTHS[n : n + 1])
        for frames, length in ((int(FRAMES[n]), int(LENGTHS[n])), ((FRAMES[n],), [LENGTHS[n]])):
            value, grad = loss.value_and_grad(SCORES[:, n], TARGETS[n], frames, length)
            assert value == expected[0]
            np.testing.assert_array_equal(grad, expected[1][:, 0])
        assert loss(SCORES[:, n], TARGETS[n], FRAMES[n], LENGTHS[n], reduction="none").shape == ()


# ---- dtypes and layouts ------------------------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32])
def test_lower_precision_is_read_and_written_as_it_is(loss: Any, dtype: Any) -> None:
    scores = SCORES.astype(dtype)
    value, grad = loss.value_and_grad(scores, *ARGUMENTS, reduction="none")
    exact, slope = loss.value_and_grad(scores.astype(np.float64), *ARGUMENTS, reduction="none")
    assert value.dtype == grad.dtype == dtype
    eps = float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(value.astype(np.float64), exact, rtol=eps + 1e-6)
    np.testing.assert_allclose(grad.astype(np.float64), slope, rtol=eps, atol=3e-7)
    assert loss(scores, *ARGUMENTS) == pytest.approx(loss(scores.astype(np.float64), *ARGUMENTS), rel=1e-6)


def layouts() -> Iterator[np.ndarray]:
    """The same numbers, every way in which an array can hold them."""
    yield np.asfortranarray(SCORES)
    yield np.ascontiguousarray(SCORES.transpose(1, 0, 2)).transpose(1, 0, 2)
    yield np.ascontiguousarray(SCORES.transpose(1, 2, 0)).transpose(2, 0, 1)
    yield np.repeat(SCORES, 2, axis=2)[..., ::2]
    yield np.repeat(np.repeat(SCORES, 3, axis=0), 2, axis=1)[::3, ::2]
    yield SCORES[::-1, :, ::-1].copy()[::-1, :, ::-1]
    unaligned = np.empty(SCORES.nbytes + 1, np.uint8)[1:].view(SCORES.dtype).reshape(SCORES.shape)
    unaligned[...] = SCORES
    yield unaligned
    read_only = SCORES.copy()
    read_only.flags.writeable = False
    yield read_only


@each_loss
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_layout_gives_the_same_bits(loss: Any, dtype: Any) -> None:
    expected = loss.value_and_grad(SCORES.astype(dtype), *ARGUMENTS, reduction="none")
    for array in layouts():
        array = array.astype(dtype, order="K", copy=False)
        same(loss.value_and_grad(array, *ARGUMENTS, reduction="none"), expected)
        out = np.full_like(array, 7)
        value, grad = loss.value_and_grad(array, *ARGUMENTS, reduction="none", out=out)
        assert grad is out
        same((value, grad), expected)
        if array.flags.writeable:
            changed = array.copy(order="K")
            same(loss.value_and_grad(changed, *ARGUMENTS, reduction="none", out=changed), expected)


@each_loss
@pytest.mark.parametrize("classes", [1, 2, 15, 16, 17, 255, 256, 257, 600])
def test_the_gradient_may_overwrite_the_input_for_any_number_of_classes(loss: Any, classes: int) -> None:
    rng = np.random.default_rng(classes)
    scores = log_softmax(rng.standard_normal((11, 3, classes))).astype(np.float32)
    targets = rng.integers(1, max(classes, 2), (3, 2))
    arguments = (targets, [11, 8, 9], [2, 2, 1] if classes > 1 else [0, 0, 0])
    expected = loss.value_and_grad(scores, *arguments, reduction="none")
    exact, slope = loss.value_and_grad(scores.astype(np.float64), *arguments, reduction="none")
    np.testing.assert_allclose(expected[0], exact, rtol=1e-5)
    np.testing.assert_allclose(expected[1], slope, atol=1e-6)
    same(loss.value_and_grad(scores, *arguments, reduction="none", out=scores), expected)


@each_loss
def test_an_output_that_overlaps_the_input_otherwise_is_right_too(loss: Any) -> None:
    memory = np.empty((T + 1, N, C))
    memory[:-1] = SCORES
    expected = loss.value_and_grad(SCORES, *ARGUMENTS)
    same(loss.value_and_grad(memory[:-1], *ARGUMENTS, out=memory[1:]), expected)


@each_loss
def test_a_gradient_too_large_for_the_caches_has_the_same_bits(loss: Any) -> None:
    rng = np.random.default_rng(1)
    scores = rng.standard_normal((130, 6, 6000)).astype(np.float32)  # 18 MB
    arguments = (rng.integers(1, 6000, (6, 9)), [130] * 6, [9] * 6)
    value, grad = loss.value_and_grad(scores, *arguments, reduction="none")
    for n in range(6):
        one = loss.value_and_grad(scores[:, n], arguments[0][n], 130, 9, reduction="none")
        same((value[n], grad[:, n]), one)
    same(loss.value_and_grad(scores, *arguments, reduction="none", out=scores), (value, grad))


# ---- threads -----------------------------------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("samples", [1, 2, 3, 40])
def test_one_two_three_and_seven_threads_give_the_same_bits(loss: Any, samples: int) -> None:
    rng = np.random.default_rng(samples)
    scores = (4 * rng.standard_normal((90, samples, 300))).astype(np.float32)
    arguments = (rng.integers(1, 300, (samples, 12)), rng.integers(0, 91, samples), rng.integers(0, 13, samples))
    if samples > 2:
        scores[:40, 1, arguments[0][1]] -= 1000.0  # out of the range of scaled probabilities
    threshold, width = kernel_threads.threshold(), kernel_threads.width()
    kernel_threads.set_threshold(0.0)
    try:
        results = []
        for threads in (1, 2, 3, 7):
            kernel_threads.set_width(threads)
            results.append(loss.value_and_grad(scores, *arguments, reduction="none"))
            total = loss.value_and_grad(scores, *arguments, zero_infinity=True)
            results[-1] = (*results[-1], *total)
    finally:
        kernel_threads.set_threshold(threshold)
        kernel_threads.set_width(width)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


# ---- errors ------------------------------------------------------------------------------------------------------


def changed(array: np.ndarray, place: Any, value: int) -> np.ndarray:
    copy = array.copy()
    copy[place] = value
    return copy


ERRORS = {
    "label too large": (DomainError, r"targets\[1, 2\] is 7, outside the classes: expected 0 to 6",
                        (changed(TARGETS, (1, 2), 7), FRAMES, LENGTHS)),
    "label negative": (DomainError, r"targets\[0, 0\] is -1, outside", (changed(TARGETS, (0, 0), -1), FRAMES, LENGTHS)),
    "label beyond int64": (DomainError, r"targets\[0, 1\] is 18446744073709551615",
                           (changed(TARGETS.astype(np.uint64), (0, 1), 2**64 - 1), FRAMES, LENGTHS)),
    "label in one row": (DomainError, r"targets\[5\] is 9", (changed(IN_ONE_ROW, 5, 9), FRAMES, LENGTHS)),
    "label is the blank": (DomainError, r"targets\[3, 1\] is 0, the blank",
                           (changed(TARGETS, (3, 1), 0), FRAMES, LENGTHS)),
    "float targets": (DTypeError, "targets has dtype float64; class indices must be integers",
                      (TARGETS.astype(float), FRAMES, LENGTHS)),
    "bool targets": (DTypeError, "targets has dtype bool", (TARGETS > 0, FRAMES, LENGTHS)),
    "targets of another batch": (ShapeError, r"targets has shape \(4, 4\), expected \(5, S\)",
                                 (TARGETS[:4], FRAMES, LENGTHS)),
    "targets of three axes": (ShapeError, r"targets has shape \(5, 4, 1\)",
                              (TARGETS[..., np.newaxis], FRAMES, LENGTHS)),
    "row too short": (ShapeError, "targets has 12 labels in one row, and target_lengths add up to 13",
                      (IN_ONE_ROW[:-1], FRAMES, LENGTHS)),
    "row too long": (ShapeError, "targets has 14 labels in one row", (np.append(IN_ONE_ROW, 1), FRAMES, LENGTHS)),
    "frames too many": (DomainError, r"input_lengths\[2\] is 26, expected 0 to 25",
                        (TARGETS, changed(FRAMES, 2, 26), LENGTHS)),
    "frames negative": (DomainError, r"input_lengths\[0\] is -1", (TARGETS, changed(FRAMES, 0, -1), LENGTHS)),
    "labels too many": (DomainError, r"target_lengths\[4\] is 5, expected 0 to 4",
                        (TARGETS, FRAMES, changed(LENGTHS, 4, 5))),
    "labels negative": (DomainError, r"target_lengths\[1\] is -3", (TARGETS, FRAMES, changed(LENGTHS, 1, -3))),
    "negative in one row": (DomainError, r"target_lengths\[1\] is -3", (IN_ONE_ROW, FRAMES, changed(LENGTHS, 1, -3))),
    "wrong count of frames": (ShapeError, r"input_lengths has shape \(4,\), expected \(5,\): one length",
                              (TARGETS, FRAMES[:4], LENGTHS)),
    "wrong count of labels": (ShapeError, r"target_lengths has shape \(6,\), expected \(5,\): one length",
                              (TARGETS, FRAMES, np.append(LENGTHS, 1))),
    "one number for a batch": (ShapeError, r"input_lengths has shape \(\), expected \(5,\)", (TARGETS, 25, LENGTHS)),
    "float lengths": (DTypeError, "input_lengths has dtype float64", (TARGETS, FRAMES / 1, LENGTHS)),
    "no lengths": (TypeError, "target_lengths must be an array", (TARGETS, FRAMES, None)),
}  # fmt: skip


#: A label that is the blank is computed without the check; every other error is a matter of memory safety.
CHECKED = [(name, check) for name in ERRORS for check in (True, False) if check or name != "label is the blank"]


@each_loss
@pytest.mark.parametrize(("name", "check"), CHECKED)
def test_a_bad_argument_is_named_and_no_input_is_lost(loss: Any, name: str, check: bool) -> None:
    error, message, arguments = ERRORS[name]
    scores = SCORES.copy()
    with pytest.raises(error, match=message):
        loss.grad(scores, *arguments, out=scores, check=check)
    np.testing.assert_array_equal(scores, SCORES)


@each_loss
def test_bad_scores_parameters_and_outputs_are_named(loss: Any) -> None:
    name = loss.info.input_names[0]
    with pytest.raises(ShapeError, match=rf"{name} has shape \(7,\), expected \(T, N, C\)"):
        loss(SCORES[0, 0], *ARGUMENTS)
    with pytest.raises(ShapeError, match="no classes along its last axis"):
        loss(SCORES[..., :0], *ARGUMENTS)
    with pytest.raises(DTypeError, match=f"{name} has dtype complex128"):
        loss(SCORES * 1j, *ARGUMENTS)
    with pytest.raises(ParameterError, match="blank=7 is no class"):
        loss(SCORES, *ARGUMENTS, blank=7)
    with pytest.raises(ParameterError, match=f"expected -{SCORES.shape[-1]} to {SCORES.shape[-1] - 1}"):
        loss(SCORES, *ARGUMENTS, blank=-1 - SCORES.shape[-1])
    with pytest.raises(ParameterError, match="offers derivatives with respect to"):
        loss.grad(SCORES, *ARGUMENTS, wrt="targets")
    with pytest.raises(TypeError, match="no Hessian"):
        loss.value_grad_hess(SCORES, *ARGUMENTS)
    with pytest.raises(TypeError, match="has no argument 'gradient'"):
        losslib.get(loss.info.name).grad(SCORES, *ARGUMENTS, gradient=1.0)
    for out, error in ((np.empty((T, N, C + 1)), ShapeError), (np.empty((T, N, C), np.float32), DTypeError)):
        with pytest.raises(error, match="out has"):
            loss.grad(SCORES, *ARGUMENTS, out=out)
    with pytest.raises(ParameterError, match="must be one array, got 2"):
        loss.grad(SCORES, *ARGUMENTS, out=(np.empty_like(SCORES),) * 2)
    with pytest.raises(ShapeError, match=r"grad_output has shape \(4,\)"):
        loss.grad(SCORES, *ARGUMENTS, grad_output=np.ones(4), reduction="none")
    with pytest.raises(ShapeError, match="sample_weight"):
        loss(SCORES, *ARGUMENTS, sample_weight=np.ones(4))


@each_loss
def test_unchecked_the_blank_may_stand_in_a_target(loss: Any) -> None:
    """The formula with a blank among the labels, as PyTorch computes it: three blanks in a row are three states."""
    scores = log_softmax(np.random.default_rng(2).standard_normal((3, 2)))
    value, grad = loss.value_and_grad(scores, [0], 3, 1, check=False, reduction="sum")
    # 001 011 012 111 112 122: paths from the first two of the three states to the last two, a step at a time.
    assert value == pytest.approx(-(np.log(6.0) + scores[:, 0].sum()))
    np.testing.assert_allclose(grad, np.exp(scores) - [1.0, 0.0], atol=1e-15)
