"""More elements than 32 bits count, files in place of memory, and arrays that another thread changes meanwhile."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib
from losslib import geometries
from losslib._kernels import threads
from losslib.declaration.schema import LossInfo

#: Above 2**31 elements, so that an int as an index or a size would overflow.
HUGE = 2**31 + 4099


@pytest.fixture(autouse=True, scope="module")
def several_threads() -> Iterator[None]:
    threshold, width = threads.threshold(), threads.width()
    threads.set_threshold(0.0)
    threads.set_width(3)
    yield
    threads.set_threshold(threshold)
    threads.set_width(width)


def repeated(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of one number in memory, repeated without a copy."""
    return np.broadcast_to(np.asarray(value, getattr(value, "dtype", np.float32)), shape)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: losslib.mse_loss(repeated(1.5, (HUGE,)), repeated(1.0, (HUGE,))), 0.25),
        (lambda: losslib.l1_loss(repeated(1.5, (3, HUGE // 3)), repeated(1.0, (3, HUGE // 3)), reduction="sum"),
         0.5 * (HUGE // 3 * 3)),
    ],
    ids=["one axis", "two axes"],
)  # fmt: skip
def test_more_elements_than_32_bits_count(call: Callable[[], float], expected: float) -> None:
    assert call() == pytest.approx(expected, rel=1e-6)


def test_the_first_offending_position_beyond_32_bits_is_named_right() -> None:
    """Checked on shapes alone: the message must not be built from narrowed numbers."""
    huge = repeated(0.5, (HUGE,))
    with pytest.raises(losslib.ShapeError, match=str(HUGE)):
        losslib.mse_loss(huge, np.zeros(3, np.float32))
    with pytest.raises(losslib.ShapeError, match=str(HUGE)):
        losslib.mse_loss(np.zeros(3, np.float32), huge)


@pytest.mark.parametrize("mode", ["r", "c", "r+"])
def test_arrays_in_files_are_read_where_they_are_and_stay_as_they_are(mode: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2, 50_000)).astype(np.float32)
    values.tofile(tmp_path / "values")
    x, y = np.memmap(tmp_path / "values", np.float32, mode, shape=(2, 50_000))
    assert losslib.huber_loss(x, y) == losslib.huber_loss(values[0], values[1])
    grad = losslib.huber_loss.grad(x, y)
    np.testing.assert_array_equal(grad, losslib.huber_loss.grad(values[0], values[1]))
    np.testing.assert_array_equal(np.fromfile(tmp_path / "values", np.float32).reshape(2, -1), values)


def test_a_gradient_is_written_into_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 50_000))
    out = np.memmap(tmp_path / "grad", np.float64, "w+", shape=(50_000,))
    assert losslib.huber_loss.grad(x, y, out=out) is out
    out.flush()
    np.testing.assert_array_equal(np.fromfile(tmp_path / "grad"), losslib.huber_loss.grad(x, y))


# ---- arrays that change during the call --------------------------------------------------------------------------


def while_changing(array: np.ndarray, states: list[np.ndarray], call: Callable[[], Any], times: int = 60) -> list[Any]:
    """Make the call again and again while another thread writes one state after the other into the array."""
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for state in states:
                np.copyto(array, state)

    changer = threading.Thread(target=change)
    changer.start()
    outcomes: list[Any] = []
    try:
        for _ in range(times):
            try:
                outcomes.append(call())
            except (ValueError, TypeError) as error:
                outcomes.append(error)
    finally:
        stop.set()
        changer.join()
    return outcomes


@pytest.mark.parametrize(
    ("function", "classes_axis"),
    [(losslib.cross_entropy, 1), (losslib.nll_loss, 1), (losslib.multi_margin_loss, 1)],
    ids=["cross_entropy", "nll_loss", "multi_margin_loss"],
)
def test_classes_that_leave_their_range_during_the_call_are_never_used_as_an_index(
    function: Any, classes_axis: int
) -> None:
    """The class that was checked is the class that is used: read once. Found otherwise in pytorch#194802."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20_000, 10)).astype(np.float32)
    good = rng.integers(0, 10, 20_000)
    wild = np.where(rng.random(20_000) < 0.5, 2**40, -(2**40))
    target = good.copy()
    outcomes = while_changing(target, [wild, good, good, good], lambda: function.value_and_grad(x, target))
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            assert isinstance(outcome, losslib.DomainError)
        else:
            assert outcome[1].shape == x.shape


def test_lists_of_classes_that_change_during_the_call_are_never_used_as_an_index() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3_000, 30))
    good = np.full((3_000, 30), -1)
    good[:, 0] = rng.integers(0, 30, 3_000)
    wild = np.full((3_000, 30), 2**40)
    target = good.copy()
    for outcome in while_changing(
        target, [wild, good, good], lambda: losslib.multilabel_margin_loss.value_and_grad(x, target)
    ):
        assert isinstance(outcome, losslib.DomainError) or outcome[1].shape == x.shape


def test_a_probability_that_leaves_its_domain_during_the_call_is_an_error_or_a_number() -> None:
    rng = np.random.default_rng(0)
    x = rng.random(60_000)
    good, wild = rng.random(60_000), np.full(60_000, -7.0)
    target = good.copy()
    for outcome in while_changing(target, [good, wild], lambda: losslib.binary_cross_entropy.value_and_grad(x, target)):
        assert isinstance(outcome, losslib.DomainError) or isinstance(outcome[0], float)


def arrays_in(thing: Any) -> Iterator[np.ndarray]:
    """Yield the arrays that an object of losslib holds, its parts included."""
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from arrays_in(part)
    elif dataclasses.is_dataclass(thing):
        yield from arrays_in(list(vars(thing).values()))


WITH_PLACES = [info for info in losslib.list_losses() if info.geometry != "pointwise"]


@pytest.mark.parametrize("info", WITH_PLACES, ids=[info.name for info in WITH_PLACES])
def test_the_mask_by_which_samples_are_counted_and_placed_is_a_copy(info: LossInfo) -> None:
    """A mask that grows after it was counted writes beyond the end, in ``numpy`` as in any loop."""
    values = dict(losslib.get(info.name).parameters)
    geometry: Any = geometries.find(info.geometry)
    inputs = geometry.draw(info, values, np.random.default_rng(0), 60)
    shapes = [inputs[0].shape[:1], inputs[0].shape, inputs[-1].shape, inputs[0].shape[1:2]]
    for shape in dict.fromkeys(shapes):
        where = np.arange(int(np.prod(shape))).reshape(shape) % 3 > 0
        try:
            reading = geometry.read(info, values, inputs, {"where": where})
        except losslib.ShapeError:
            continue
        assert not any(np.may_share_memory(array, where) for array in arrays_in(reading))
        return
    pytest.fail("no mask fits")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("group_sizes", np.array([4.0, 8.0]), np.array([7.0, 5.0])),
        ("pairs", np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[5.0, 4.0], [9.0, 7.0]])),
    ],
)  # fmt: skip
def test_what_places_items_is_used_as_it_was_checked(
    name: str, before: np.ndarray, after: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(12), rng.integers(0, 3, 12)
    expected = losslib.pairwise_logistic_loss(x, y, **{name: before.copy()})
    given, floor = before.copy(), np.floor

    def floor_while_another_thread_writes(numbers: np.ndarray) -> Any:
        found = floor(numbers)
        given[...] = after
        return found

    monkeypatch.setattr(np, "floor", floor_while_another_thread_writes)
    assert losslib.pairwise_logistic_loss(x, y, **{name: given}) == expected
    np.testing.assert_array_equal(given, after)
