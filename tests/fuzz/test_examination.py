"""The fuzzer's own test: each kind of misbehaviour, played by a loss that is none, is noticed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from fuzz import calls
from fuzz.arenas import LAYOUTS, arena
from losslib.declaration.registry import info_of


class Misbehaving(calls.Call):
    """A call of `mse_loss` that goes wrong in a way of its own when its arrays are those of the arenas."""

    fault: Any = None

    def run(self, inputs: list[Any] | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().run(inputs, options) if inputs is not None else self.fault(self)


def examine(fault: Any, layout: str = "gaps", out: bool = False) -> calls.Outcome:
    """Examine a call that does `fault` in place of computing."""
    rng = np.random.default_rng(0)
    arenas = [arena(rng.standard_normal((4, 5)), layout) for _ in range(2)]
    call = Misbehaving(info_of("mse_loss"), "grad", False, [a.array for a in arenas], {}, {}, arenas, [], True)
    if out:
        call.outs.append(arena(np.zeros((4, 5)), layout))
        call.options["out"] = call.outs[0].array
    call.fault = fault
    return calls.examine(call)


def honest(call: calls.Call) -> Any:
    return calls.Call.run(call)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("out", [False, True])
def test_an_honest_call_passes(layout: str, out: bool) -> None:
    outcome = examine(honest, layout, out)
    if out and layout in ("read-only", "mapped read-only", "broadcast", "swapped"):
        assert isinstance(outcome.error, ValueError | TypeError)
    else:
        assert outcome.error is None


def changes_an_input(call: calls.Call) -> Any:
    call.arenas[1].array[0, 0] += 1.0
    return calls.Call.run_on_copies(call)


def writes_between_the_elements(call: calls.Call) -> Any:
    answer = honest(call)
    call.outs[0].memory[call.outs[0].memory.size // 2 - 3] ^= 1
    gaps = np.flatnonzero(~call.outs[0].covered)
    call.outs[0].memory[gaps[len(gaps) // 2]] ^= 1
    return answer


def writes_past_the_end(call: calls.Call) -> Any:
    answer = honest(call)
    call.outs[0].memory[-1] ^= 1
    return answer


def writes_and_then_refuses(call: calls.Call) -> Any:
    honest(call)
    raise ValueError("input has the wrong shape")


def answers_wrong_in_the_last_digits(call: calls.Call) -> Any:
    return honest(call) * (1 + 1e-11)


def answers_in_another_type(call: calls.Call) -> Any:
    return honest(call).astype(np.float32)


def refuses_without_a_reason(call: calls.Call) -> Any:
    raise ValueError("no")


def hands_out_an_input(call: calls.Call) -> Any:
    return call.inputs[0]


@pytest.mark.parametrize(
    ("fault", "out"),
    [
        (changes_an_input, False), (writes_between_the_elements, True), (writes_past_the_end, True),
        (writes_and_then_refuses, True), (answers_wrong_in_the_last_digits, False), (answers_in_another_type, False),
        (refuses_without_a_reason, False), (hands_out_an_input, False),
    ],
)  # fmt: skip
def test_a_misbehaving_call_is_noticed(fault: Any, out: bool) -> None:
    with pytest.raises(AssertionError):
        examine(fault, out=out)


@pytest.mark.parametrize("error", [IndexError, OverflowError, MemoryError, RuntimeWarning, SystemError])
def test_another_exception_goes_through(error: type[Exception]) -> None:
    def fault(call: calls.Call) -> Any:
        raise error("unexpected")

    with pytest.raises(error):
        examine(fault)


def test_a_domain_error_may_leave_numbers_in_a_separate_out_but_not_in_an_input() -> None:
    def fault(call: calls.Call) -> Any:
        honest(call)
        raise losslib.DomainError("input left its domain")

    arenas = [arena(np.ones(4)), arena(np.zeros(4))]
    inputs = [item.array for item in arenas]
    outs = [arena(np.zeros(4))]
    separate = Misbehaving(info_of("mse_loss"), "grad", False, inputs, {}, {"out": outs[0].array}, arenas, outs, False)
    separate.fault = fault
    assert isinstance(calls.examine(separate).error, losslib.DomainError)
    shared = Misbehaving(info_of("mse_loss"), "grad", False, inputs, {}, {"out": inputs[0]}, arenas, [], False)
    shared.fault = fault
    with pytest.raises(AssertionError, match="bytes of"):
        calls.examine(shared)
