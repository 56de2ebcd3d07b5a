"""CTC with arguments of any kind: an answer that is right, or an error of the package with nothing written.

Run under AddressSanitizer it shows that no input makes the compiled part read or write outside its arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import losslib
from alignments import log_softmax, sums_over_paths

SIZES = st.integers(0, 7)
#: Mostly small, sometimes far outside any range.
NUMBERS = st.one_of(st.integers(-2, 8), st.sampled_from([-(2**63), -(2**31), 2**31, 2**40, 2**63 - 1]))
INTEGERS = st.sampled_from(["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
FLOATS = st.sampled_from(["float16", "float32", "float64"])


def wrapped(numbers: list[int], dtype: str) -> np.ndarray:
    """Return the numbers in this type, modulo its range."""
    return np.array([number % 2**64 for number in numbers], np.uint64).astype(dtype)


@st.composite
def calls(draw: Any) -> tuple[np.ndarray, np.ndarray, Any, Any, dict[str, Any]]:
    """Draw a call that fits together in about half of all cases."""
    frames, samples, classes, room = draw(SIZES), draw(st.integers(0, 4)), draw(st.integers(1, 6)), draw(SIZES)
    seed = draw(st.integers(0, 2**32 - 1))
    scale = draw(st.sampled_from([0.0, 1.0, 30.0, 2000.0]))
    scores = (scale * np.random.default_rng(seed).standard_normal((frames, samples, classes))).astype(draw(FLOATS))
    if draw(st.booleans()):
        scores = scores[::-1, :, ::-1]
    if draw(st.booleans()) and scores.size:
        scores = scores.copy()
        scores.flat[draw(st.integers(0, scores.size - 1))] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    sane = draw(st.booleans())
    label = st.integers(0, classes - 1) if sane else NUMBERS
    length = st.integers(0, min(room, frames)) if sane else NUMBERS
    blank = draw(st.integers(0, classes - 1) if sane else st.integers(-1, classes))
    count = samples if sane else draw(st.integers(0, 5))
    targets = wrapped(draw(st.lists(label, min_size=count * room, max_size=count * room)), draw(INTEGERS))
    if sane:
        targets = np.where(targets == blank, (blank + 1) % classes, targets)
    target_lengths = wrapped(draw(st.lists(length, min_size=count, max_size=count)), draw(INTEGERS))
    input_lengths = wrapped(
        draw(st.lists(st.integers(0, frames) if sane else NUMBERS, min_size=count, max_size=count)), draw(INTEGERS)
    )
    if draw(st.booleans()):
        targets = targets.reshape(count, room)
    options = {
        "blank": blank,
        "zero_infinity": draw(st.booleans()),
        "check": draw(st.booleans()),
        "reduction": draw(st.sampled_from(["none", "sum", "mean"])),
    }
    return scores, targets, input_lengths, target_lengths, options


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(call=calls(), logits=st.booleans(), in_place=st.booleans())
def test_any_call_is_answered_or_refused_with_nothing_written(call: Any, logits: bool, in_place: bool) -> None:
    scores, targets, input_lengths, target_lengths, options = call
    loss = losslib.ctc_loss_with_logits if logits else losslib.ctc_loss
    before = [array.copy() for array in (scores, targets, input_lengths, target_lengths)]
    out = scores if in_place and scores.flags.writeable else None
    try:
        value, grad = loss.value_and_grad(scores, targets, input_lengths, target_lengths, out=out, **options)
    except (ValueError, TypeError):
        assert scores.tobytes() == before[0].tobytes()
        return
    for array, copy in zip((targets, input_lengths, target_lengths), before[1:], strict=True):
        np.testing.assert_array_equal(array, copy)
    assert grad.shape == scores.shape
    for n, frames in enumerate(before[2]):
        assert not grad[int(frames) :, n].any()
    if options["reduction"] != "none" or options["zero_infinity"] or targets.ndim != 2:
        return
    for n, (frames, length) in enumerate(zip(before[2], before[3], strict=True)):
        labels = before[1][n, : int(length)].astype(int).tolist()
        row = before[0][: int(frames), n].astype(np.float64)
        if options["blank"] in labels or not np.isfinite(row).all():
            continue
        expected = 0.0 if not labels else np.inf
        if len(row):
            with np.errstate(invalid="ignore", over="ignore"):
                expected, _ = sums_over_paths(log_softmax(row) if logits else row, labels, options["blank"])
        if abs(expected) < 6e4 or np.isinf(expected):  # within the range of float16
            np.testing.assert_allclose(float(value[n]), expected, rtol=2e-3, atol=2e-3)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(call=calls())
def test_any_decoding_and_alignment_is_answered_or_refused(call: Any) -> None:
    scores, targets, input_lengths, target_lengths, options = call
    try:
        labels, _ = losslib.ctc_greedy_decode(scores, input_lengths, blank=options["blank"])
    except (ValueError, TypeError):
        pass
    else:
        for row, frames in zip(labels, input_lengths, strict=True):
            assert len(row) <= frames
            assert ((row >= 0) & (row < scores.shape[-1]) & (row != options["blank"])).all()
    try:
        paths, _ = losslib.ctc_forced_align(scores, targets, input_lengths, target_lengths, blank=options["blank"])
    except (ValueError, TypeError):
        return
    for n, frames in enumerate(input_lengths):
        assert (paths[n, int(frames) :] == -1).all()
        assert ((paths[n, : int(frames)] >= 0) & (paths[n, : int(frames)] < scores.shape[-1])).all()
