"""The public functions that are no losses, with arguments of every kind: an answer, or ValueError or TypeError."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import losslib
from fuzz import hostile

things = st.sampled_from(hostile.PARAMETERS) | st.text(max_size=20) | st.integers() | st.floats()
names = st.sampled_from([info.name for info in losslib.list_losses()])
keywords = st.sampled_from(["delta", "reduction", "weight", "check", "margin", "gamma", "eps", "p", "axis", "nonsense"])

quickly = settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def refuses_or_answers(call: Callable[[], Any]) -> Any:
    """Return the answer, or the exception where it is one of the two that are promised."""
    try:
        return call()
    except (ValueError, TypeError) as error:
        return error


@pytest.fixture(autouse=True)
def number_of_threads() -> Iterator[None]:
    before = losslib.get_num_threads()
    yield
    losslib.set_num_threads(before)


@quickly
@given(name=things | names, arguments=st.dictionaries(keywords, things, max_size=3))
def test_get(name: Any, arguments: dict[str, Any]) -> None:
    found = refuses_or_answers(lambda: losslib.get(name, **arguments))
    if isinstance(found, losslib.Loss):
        assert pickle.loads(pickle.dumps(found)) == found
        assert found.replace() == found
        assert repr(found)


@quickly
@given(name=names, changes=st.dictionaries(keywords, things, max_size=3))
def test_replace(name: str, changes: dict[str, Any]) -> None:
    loss = losslib.get(name)
    found = refuses_or_answers(lambda: loss.replace(**changes))
    assert isinstance(found, Exception) or type(found) is type(loss)
    assert losslib.get(name) == loss


@quickly
@given(arguments=st.dictionaries(st.sampled_from(["family", "tag", "geometry", "nonsense"]), things, max_size=2))
def test_list_losses(arguments: dict[str, Any]) -> None:
    found = refuses_or_answers(lambda: losslib.list_losses(**arguments))
    assert isinstance(found, tuple | Exception)


@quickly
@given(n=things)
def test_set_num_threads_and_threads(n: Any) -> None:
    refuses_or_answers(lambda: losslib.set_num_threads(n))

    def inside() -> None:
        with losslib.threads(n):
            assert 1 <= losslib.get_num_threads() <= 256

    refuses_or_answers(inside)
    assert 1 <= losslib.get_num_threads() <= 256


@quickly
@given(name=names, other=things)
def test_arithmetic_of_losses(name: str, other: Any) -> None:
    loss = losslib.get(name)
    for combine in (lambda: other * loss, lambda: loss * other, lambda: loss + other, lambda: other + loss):
        found = refuses_or_answers(combine)
        if isinstance(found, losslib.Loss):
            assert pickle.loads(pickle.dumps(found)) == found


@quickly
@given(tasks=st.dictionaries(st.text(max_size=3), st.tuples(things, things), max_size=2), arrays=things, step=things)
def test_multi_task(tasks: dict[str, Any], arrays: Any, step: Any) -> None:
    refuses_or_answers(lambda: losslib.MultiTask(tasks))
    refuses_or_answers(lambda: losslib.MultiTask(arrays))
    good = losslib.MultiTask({"a": (losslib.MSELoss(), 1.0)})
    refuses_or_answers(lambda: good.value_and_grad(arrays))
    refuses_or_answers(lambda: good.value_and_grad({"a": arrays}))
    refuses_or_answers(lambda: good.value_and_grad({"a": (arrays, step)}))
    with contextlib.suppress(TypeError, ValueError):
        refuses_or_answers(lambda: good.value_and_grad({"a": ([1.0], [2.0])}, step=step))


batches = st.sampled_from(
    [[[1.0, 2.0], [0.5, 1.0]], [[0.5], [0.25]], [[[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [1.0, 0.0]]]]
)


@quickly
@given(name=names, thing=things, batch=batches, by=things, weight=things, where=things, stray=things, other=names)
def test_accumulator(
    name: str, thing: Any, batch: Any, by: Any, weight: Any, where: Any, stray: Any, other: str
) -> None:
    """What is refused leaves no trace in the sums."""
    refuses_or_answers(lambda: losslib.Accumulator(thing))
    found = losslib.Accumulator(name)
    refuses_or_answers(lambda: found.update(*batch))
    before = refuses_or_answers(found.result)
    for call in (
        lambda: found.update(*batch, by=by),
        lambda: found.update(*batch, sample_weight=weight),
        lambda: found.update(*batch, where=where),
        lambda: found.update(stray, stray),
        lambda: found.update(stray),
        lambda: found.merge(stray),
        lambda: found.merge(losslib.Accumulator(other)),
    ):
        outcome = refuses_or_answers(call)
        after = refuses_or_answers(found.result)
        if isinstance(outcome, Exception):
            assert repr(after) == repr(before)
        before = after
    assert repr(refuses_or_answers(pickle.loads(pickle.dumps(found)).result)) == repr(before)


@quickly
@given(scores=things, lengths=things, targets=things, target_lengths=things, blank=things)
def test_decoding_and_alignment(scores: Any, lengths: Any, targets: Any, target_lengths: Any, blank: Any) -> None:
    good = [[[0.0, -1.0, -2.0]], [[-1.0, 0.0, -2.0]]]
    refuses_or_answers(lambda: losslib.ctc_greedy_decode(scores, lengths, blank=blank))
    refuses_or_answers(lambda: losslib.ctc_greedy_decode(good, lengths, blank=blank))
    refuses_or_answers(lambda: losslib.ctc_forced_align(scores, targets, lengths, target_lengths, blank=blank))
    refuses_or_answers(lambda: losslib.ctc_forced_align(good, targets, lengths, target_lengths, blank=blank))
    refuses_or_answers(lambda: losslib.ctc_forced_align(good, [[1]], [2], target_lengths, blank=blank))
