"""rnnt_loss never reads or writes outside its arrays: any shapes, lengths and labels give a result or a named error.

The inputs stand between guards that must keep their contents. Built with ``LOSSLIB_SANITIZE=address`` the calls run
under AddressSanitizer, which also sees what is read.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import losslib
from losslib import DomainError, DTypeError, ParameterError, ShapeError

FLOATS = [np.float64, np.float32, np.float16, np.dtype(ml_dtypes.bfloat16)]
INTEGERS = [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64]
GUARD, GUARDS = 96.0, 64


def guarded(values: np.ndarray, order: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return a copy with this order of axes in memory, and the memory with a guard on both sides."""
    memory = np.full(values.size + 2 * GUARDS, GUARD).astype(values.dtype)
    inside = memory[GUARDS : GUARDS + values.size].reshape([values.shape[axis] for axis in order])
    view = inside.transpose(np.argsort(order))
    view[...] = values
    return view, memory


def guards_hold(memory: np.ndarray) -> bool:
    return bool((memory[:GUARDS] == GUARD).all() and (memory[-GUARDS:] == GUARD).all())


@st.composite
def calls(draw: Any) -> dict[str, Any]:
    """Draw a call; targets, lengths and the blank are mostly, not always, possible."""
    samples, frames, labels, classes = (draw(st.integers(0, most)) for most in (3, 5, 4, 20))
    wrong = draw(st.integers(0, 9)) == 0
    low, over = (-3, 3) if wrong else (0, 0)
    shape = (samples, frames, labels + 1, classes + 1)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = rng.standard_normal(shape) * draw(st.sampled_from([0.0, 1.0, 30.0, 1000.0]))
    if draw(st.booleans()):
        logits[rng.random(shape) < 0.1] = draw(st.sampled_from([-np.inf, np.inf, np.nan, 6e4]))
    kind = draw(st.sampled_from(INTEGERS))
    blank = draw(st.sampled_from([-1, 0])) if not wrong else draw(st.integers(-25, 25))
    targets = rng.integers(low, max(classes + over, low + 1), (samples, labels))
    if not wrong and blank == 0:
        targets = np.minimum(targets + 1, classes)
    return {
        "logits": logits,
        "targets": targets.astype(kind),
        "logit_lengths": rng.integers(low, frames + over + 1, samples).astype(kind),
        "target_lengths": rng.integers(low, labels + over + 1, samples).astype(kind),
        "blank": blank,
        "dtype": draw(st.sampled_from(FLOATS)),
        "order": draw(st.permutations(range(4))),
        "reduction": draw(st.sampled_from(["none", "sum", "mean"])),
        "clamp": draw(st.sampled_from([-1.0, 0.1])),
        "fused_log_softmax": draw(st.booleans()),
        "where": draw(st.none() | st.lists(st.booleans(), min_size=samples, max_size=samples)),
        "in_place": draw(st.booleans()),
        "check": draw(st.booleans()),
    }


@settings(max_examples=300, deadline=None, derandomize=True)
@given(calls())
def test_any_call_stays_inside_its_arrays(call: dict[str, Any]) -> None:
    dtype, order, in_place = call.pop("dtype"), call.pop("order"), call.pop("in_place")
    with np.errstate(all="ignore"):
        logits, memory = guarded(call.pop("logits").astype(dtype), order)
    given_logits = logits.copy()
    out, out_memory = (logits, memory) if in_place else guarded(np.zeros_like(given_logits), order)
    if call["where"] is not None:
        call["where"] = np.array(call["where"], bool)
    inputs = (logits, call.pop("targets"), call.pop("logit_lengths"), call.pop("target_lengths"))
    before = memory.copy()
    try:
        value = losslib.rnnt_loss(*inputs, **call)
        again, gradient = losslib.rnnt_loss.value_and_grad(*inputs, **call, out=out)
    except (DomainError, DTypeError, ParameterError, ShapeError):
        np.testing.assert_array_equal(memory.astype(np.float64), before.astype(np.float64))
        return
    np.testing.assert_array_equal(value, again)
    assert gradient is out
    assert guards_hold(memory)
    assert guards_hold(out_memory)
    if not in_place:
        np.testing.assert_array_equal(logits.astype(np.float64), given_logits.astype(np.float64))
    counted = np.ones(len(logits), bool) if call["where"] is None else call["where"]
    for n, (t, u) in enumerate(zip(*inputs[2:], strict=True)):
        frames, columns = (int(t), int(u) + 1) if counted[n] else (0, 0)
        assert not gradient[n, frames:].astype(np.float64).any()
        assert not gradient[n, :, columns:].astype(np.float64).any()
