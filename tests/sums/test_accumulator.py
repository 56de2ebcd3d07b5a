"""Accumulated values: exact for every split, order and merge, by group, and equal to one call on everything."""

from __future__ import annotations

import copy
import functools
import itertools
import math
import pickle
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import losslib
from formulas import LOSSES, sample_inputs
from losslib import Accumulator
from losslib.sums.exact import ExactSums, quotient

#: Sequences have inputs of other shapes, and a test of their own.
SAMPLED = [info for info in LOSSES if info.geometry in ("pointwise", "softmax", "margin", "distance")]
PER_LOSS = pytest.mark.parametrize("info", SAMPLED, ids=lambda info: info.name)
UNIT = 2**1074


def exact_total(numbers: np.ndarray) -> Fraction:
    return sum((Fraction(float(number)) for number in numbers), Fraction(0))


def batches(n: int, parts: int, rng: np.random.Generator) -> Iterator[slice]:
    """Cut n rows at random places; some batches may be empty."""
    cuts = [0, *sorted(rng.integers(0, n + 1, parts - 1).tolist()), n]
    for start, stop in itertools.pairwise(cuts):
        yield slice(start, stop)


def many(info: Any, n: int, rng: np.random.Generator, dtype: Any) -> list[np.ndarray]:
    """Draw n samples from the sample inputs of a loss."""
    arrays = [np.asarray(array) for array in sample_inputs(info)]
    rows = rng.integers(0, len(arrays[0]), n)
    drawn = [array[rows] if array.ndim and len(array) == len(arrays[0]) else array for array in arrays]
    return [array.astype(dtype) if array.dtype.kind == "f" else array for array in drawn]


def cut(arrays: list[np.ndarray], n: int, rows: slice) -> list[np.ndarray]:
    return [array[rows] if array.ndim and len(array) == n else array for array in arrays]


# ---- exact sums --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spread", [0, 5, 30])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 511, 512, 513, 5000])
def test_a_sum_is_exact(n: int, spread: int, dtype: Any) -> None:
    rng = np.random.default_rng([n, spread])
    numbers = (rng.standard_normal(n) * 10.0 ** rng.uniform(-spread, spread, n)).astype(dtype)
    sums = ExactSums()
    sums.add(numbers)
    assert Fraction(sums.value(0), UNIT) == exact_total(numbers)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=40), st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_any_finite_numbers_add_exactly_in_two_parts(numbers: list[float], middle: int) -> None:
    first, second = ExactSums(), ExactSums()
    first.add(np.array(numbers[:middle]))
    second.add(np.array(numbers[middle:]))
    first.merge(second, np.zeros(1, np.int64))
    assert Fraction(first.value(0), UNIT) == exact_total(np.array(numbers))


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([math.inf, 1.0], math.inf),
        ([-math.inf, 1.0], -math.inf),
        ([math.inf, -math.inf], math.nan),
        ([math.nan, 1.0], math.nan),
        ([1.7e308, 1.7e308], math.inf),
        ([1.7e308, 1.7e308, -1.7e308], 1.7e308),
        ([1e308, 1.0, -1e308], 1.0),
        ([5e-324, 5e-324], 1e-323),
    ],
)
@pytest.mark.parametrize("padding", [0, 600])
def test_infinities_nan_and_the_ends_of_the_range(numbers: list[float], expected: float, padding: int) -> None:
    sums = ExactSums()
    sums.add(np.array(numbers + [0.0] * padding))
    np.testing.assert_equal(quotient(sums.value(0), UNIT), expected)


def test_carries_are_passed_on_before_digits_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("losslib.sums.exact.CAPACITY", 100)
    numbers = np.random.default_rng(0).standard_normal(1000)
    sums = ExactSums()
    sums.add(numbers)
    sums.add(-numbers[:50])
    assert Fraction(sums.value(0), UNIT) == exact_total(numbers[50:])


# ---- equal to one call -------------------------------------------------------------------------------------------


@PER_LOSS
def test_it_equals_the_loss_on_everything_for_every_reduction(info: Any) -> None:
    inputs = sample_inputs(info)
    for reduction in info.reductions:
        if reduction == "none":
            continue
        loss = losslib.get(info.name, reduction=reduction)
        total = Accumulator(loss)
        total.update(*inputs)
        assert total.result() == pytest.approx(loss(*inputs), rel=1e-13), reduction


@PER_LOSS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_split_gives_the_same_bits(info: Any, dtype: Any) -> None:
    rng = np.random.default_rng(7)
    n = 3001
    inputs = many(info, n, rng, dtype)
    whole = Accumulator(losslib.get(info.name))
    whole.update(*inputs)
    for parts in (2, 5, 11):
        pieces = Accumulator(losslib.get(info.name))
        for rows in batches(n, parts, rng):
            pieces.update(*cut(inputs, n, rows))
        assert pieces.result() == whole.result()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_sequences_are_samples_too(reduction: str) -> None:
    rng = np.random.default_rng(11)
    n, frames, labels, classes = 20, 6, 3, 5
    logits, targets = rng.standard_normal((n, frames, labels + 1, classes)), rng.integers(1, classes, (n, labels))
    lengths, counts = rng.integers(1, frames + 1, n), rng.integers(0, labels + 1, n)
    loss = losslib.RNNTLoss(blank=0, reduction=reduction)
    whole, total = Accumulator(loss), Accumulator(loss)
    whole.update(logits, targets, lengths, counts)
    for rows in batches(n, 4, rng):
        total.update(logits[rows], targets[rows], lengths[rows], counts[rows])
    assert total.result() == whole.result()
    assert total.result() == pytest.approx(loss(logits, targets, lengths, counts), rel=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum", "weighted_mean"])
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_class_weights_ignored_classes_sample_weights_and_masks_are_in_the_denominator(
    name: str, reduction: str
) -> None:
    rng = np.random.default_rng(3)
    n = 500
    scores, classes = rng.standard_normal((n, 4)), rng.integers(0, 4, n)
    classes[::5] = -1
    weights, kept = rng.uniform(0.5, 2.0, n), rng.random(n) < 0.8
    loss = losslib.get(name, weight=[0.5, 2.0, 1.0, 0.25], ignore_index=-1, reduction=reduction)
    total = Accumulator(loss)
    for rows in batches(n, 6, rng):
        total.update(scores[rows], classes[rows], sample_weight=weights[rows], where=kept[rows])
    expected = loss(scores, classes, sample_weight=weights, where=kept)
    assert total.result() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum", "weighted_mean"])
@pytest.mark.parametrize("name", ["mse_loss", "binary_cross_entropy", "multilabel_soft_margin_loss", "kl_div"])
def test_weights_and_masks_of_elements_are_in_the_denominator(name: str, reduction: str) -> None:
    rng = np.random.default_rng(4)
    n = 200
    x, t = rng.uniform(0.1, 0.9, (n, 3)), (rng.random((n, 3)) < 0.5).astype(float)
    kept, weights = rng.random((n, 3)) < 0.7, rng.uniform(0.5, 2.0, n)
    info = losslib.get(name).info
    bound = {"weight": [0.5, 1.0, 2.0]} if "weight" in info.parameter_names else {}
    loss = losslib.get(name, reduction=reduction, **bound)
    total = Accumulator(loss)
    for rows in batches(n, 6, rng):
        total.update(x[rows], t[rows], sample_weight=weights[rows], where=kept[rows])
    assert total.result() == pytest.approx(loss(x, t, sample_weight=weights, where=kept), rel=1e-14)


def test_batchmean_counts_samples_and_not_elements() -> None:
    rng = np.random.default_rng(5)
    x, t = np.log(rng.dirichlet(np.ones(4), 50)), rng.dirichlet(np.ones(4), 50)
    loss = losslib.KLDivLoss(reduction="batchmean")
    total = Accumulator(loss)
    total.update(x[:13], t[:13])
    total.update(x[13:], t[13:])
    assert total.result() == pytest.approx(loss(x, t), rel=1e-15)


def test_it_is_not_a_mean_of_means() -> None:
    total = Accumulator("mse")
    total.update([1.0], [0.0])
    total.update([0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    assert total.result() == 0.25


def test_any_split_and_merge_order_of_a_million_elements_gives_one_float() -> None:
    rng = np.random.default_rng(0)
    n = 1_000_000
    x = rng.standard_normal(n) * 10.0 ** rng.uniform(-4, 4, n)
    t = np.zeros(n)
    loss = losslib.MSELoss()
    found = set()
    for parts in (1, 2, 17, 100):
        order = rng.permutation(n)
        pieces = []
        for rows in batches(n, parts, rng):
            piece = Accumulator(loss)
            piece.update(x[order[rows]], t[order[rows]])
            pieces.append(piece)
        for index in rng.permutation(len(pieces))[: len(pieces) // 2]:
            pieces[0], pieces[index] = pieces[index], pieces[0]
        found.add(functools.reduce(Accumulator.merge, pieces, Accumulator(loss)).result())
    assert len(found) == 1
    assert found.pop() == pytest.approx(math.fsum(x * x) / n, rel=1e-15)


def test_signed_values_that_cancel_are_exact_too() -> None:
    rng = np.random.default_rng(1)
    # The Gaussian likelihood is negative where the variance is small: 10^5 terms whose sum is nearly nothing.
    variance = np.exp(rng.standard_normal(100_000))
    inputs = (rng.standard_normal(100_000), rng.standard_normal(100_000), variance)
    loss = losslib.GaussianNLLLoss(reduction="sum")
    values = loss.replace(reduction="none")(*inputs)
    total = Accumulator(loss)
    for rows in batches(100_000, 9, rng):
        total.update(*(array[rows] for array in inputs))
    assert total.result() == float(exact_total(values))


def test_weighted_sums_of_losses() -> None:
    rng = np.random.default_rng(2)
    x, t = rng.standard_normal(100), rng.standard_normal(100)
    loss = 0.3 * losslib.MSELoss() + 0.7 * (2.0 * losslib.L1Loss(reduction="sum") + losslib.HuberLoss())
    total = Accumulator(loss)
    for rows in batches(100, 4, rng):
        total.update(x[rows], t[rows])
    assert total.result() == pytest.approx(loss(x, t), rel=1e-14)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (losslib.MSELoss(), math.nan),
        (losslib.MSELoss(reduction="sum"), 0.0),
        (losslib.CrossEntropyLoss(), math.nan),
        (losslib.MultiMarginLoss(), math.nan),
    ],
)
def test_without_samples_it_is_what_an_empty_array_gives(loss: Any, expected: float) -> None:
    total = Accumulator(loss)
    np.testing.assert_equal(total.result(), expected)
    rows = loss.info.geometry != "pointwise"
    total.update(np.zeros((0, 3)) if rows else np.zeros(0), np.zeros(0, int) if rows else np.zeros(0))
    np.testing.assert_equal(total.result(), expected)


def empty_inputs(info: Any, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return arrays of this shape for the inputs, and a target a row where the loss has one."""
    arrays = []
    for item, sample in zip(info.inputs, sample_inputs(info), strict=True):
        rows = item.name == "target" and sample.ndim < sample_inputs(info)[0].ndim
        arrays.append(np.empty(shape[:-1] if rows else shape, sample.dtype))
    return arrays


@PER_LOSS
@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (2, 0, 3)], ids=str)
def test_empty_arrays_give_what_the_call_gives(info: Any, shape: tuple[int, ...]) -> None:
    empty, full = empty_inputs(info, shape), sample_inputs(info)
    for reduction in info.reductions:
        if reduction == "none":
            continue
        loss = losslib.get(info.name, reduction=reduction)
        total = Accumulator(loss)
        try:
            expected = loss(*empty)
        except ValueError as error:  # no rows, or rows without classes
            with pytest.raises(type(error)):
                total.update(*empty)
            continue
        total.update(*empty)
        np.testing.assert_equal(total.result(), expected, err_msg=reduction)
        nothing, whole = pickle.loads(pickle.dumps(total)), Accumulator(loss)
        total.update(*full)
        whole.update(*full)
        each = loss.replace(reduction="none")
        values = np.concatenate([each(*empty).reshape(-1), each(*full).reshape(-1)])
        if info.averages_last_axis:
            values = values[~np.isnan(values)]  # rows without classes have no element that counts
        divisor = {"sum": 1, "batchmean": shape[0] + len(full[0])}.get(reduction, values.size)
        assert total.result() == pytest.approx(values.sum() / divisor, rel=1e-13), reduction
        assert whole.merge(nothing).result() == total.result()


@pytest.mark.parametrize("reduction", ["mean", "sum", "weighted_mean", "batchmean"])
def test_empty_arrays_with_weights_masks_and_groups(reduction: str) -> None:
    x = np.zeros((2, 0))
    for name in ("kl_div", "multilabel_soft_margin_loss"):
        if reduction not in losslib.get(name).info.reductions:
            continue
        loss = losslib.get(name, reduction=reduction)
        options = {"sample_weight": np.ones((2, 0)), "where": np.ones((2, 0), bool)}
        total, grouped = Accumulator(loss), Accumulator(loss)
        total.update(x, x, **options)
        np.testing.assert_equal(total.result(), loss(x, x, **options))
        grouped.update(x, x, by=["a", "b"], **options)
        np.testing.assert_equal(grouped.result(), dict.fromkeys("ab", loss(x[:1], x[:1])))


# ---- groups ------------------------------------------------------------------------------------------------------

KEYS = {
    "strings": np.array(["a", "b", "c"]),
    "integers": np.array([-3, 0, 10]),
    "large integers": np.array([-(2**62), 0, 2**62]),
    "unsigned": np.array([0, 2**63, 2**64 - 1], np.uint64),
    "booleans": np.array([False, True]),
    "floats": np.array([0.5, 1.5, 2.5]),
    "dates": np.array(["2026-01-01", "2026-01-02"], "datetime64[D]"),
    "objects": np.array([("x", 1), ("y", 2), None], object),
}


@pytest.mark.parametrize("kind", KEYS)
def test_each_group_has_the_value_of_its_samples(kind: str) -> None:
    if kind == "objects":
        keys = np.empty(3, object)
        keys[:] = [("x", 1), ("y", 2), None]
    else:
        keys = KEYS[kind]
    rng = np.random.default_rng(6)
    n = 1000
    which = rng.integers(0, len(keys), n)
    x, t, weights = rng.standard_normal((n, 2)), rng.standard_normal((n, 2)), rng.random(n)
    loss = losslib.HuberLoss(reduction="weighted_mean")
    total = Accumulator(loss)
    for rows in batches(n, 5, rng):
        total.update(x[rows], t[rows], sample_weight=weights[rows], by=keys[which[rows]])
    found = total.result()
    assert len(found) == len(keys)
    for k, key in enumerate(keys.tolist() if kind != "dates" else keys):
        mine = which == k
        assert found[key] == pytest.approx(loss(x[mine], t[mine], sample_weight=weights[mine]), rel=1e-14)


@pytest.mark.parametrize("dtype", "bBhHiIqQ")
def test_integers_of_every_type_from_end_to_end_of_its_range(dtype: str) -> None:
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    for values in ([least, most], [most, most - 1], [least, least + 1], [least + 28, least + 173, most - 27]):
        keys = np.array(values * 30, dtype)
        total = Accumulator(losslib.L1Loss(reduction="sum"))
        total.update(np.arange(float(keys.size)), np.zeros(keys.size), by=keys)
        assert total.result() == {key: float(np.flatnonzero(keys == key).sum()) for key in keys.tolist()}


def test_groups_of_elements_and_of_rows() -> None:
    x = np.arange(6.0).reshape(3, 2)
    by_element, by_row = Accumulator("mse"), Accumulator("mse")
    by_element.update(x, np.zeros((3, 2)), by=[["l", "r"]] * 3)
    by_row.update(x, np.zeros((3, 2)), by=["p", "q", "p"])
    assert by_element.result() == {"l": 20.0 / 3, "r": 35.0 / 3}
    assert by_row.result() == {"p": (0 + 1 + 16 + 25) / 4, "q": 6.5}


#: Lists of keys that NumPy would write as strings, round or take apart; the first and the last are one group.
LISTS = {
    "integers and strings": [1, "x", "1", 1],
    "strings and integers": ["x", 1, "1", "x"],
    "tuples": [(1, 2), (3, 4), (1, 3), (1, 2)],
    "tuples of several lengths": [(1, 2), (1,), (), (1, 2)],
    "tuples and strings": [("a", 1), "a", 1, ("a", 1)],
    "NaN in tuples": [(float("nan"), 1), (float("nan"), 2), (1.0, 1), (float("nan"), 1)],
    "NaN and strings": [np.float32("nan"), "nan", 1.0, float("nan")],
    "numbers that dicts take for one": [1, 0, 2, True],
    "integers and floats": [2**53 + 1, 2.0**53, 2**53 + 2, 2**53 + 1],
    "integers beyond a type": [2**63, -1, 2**63 + 1, 2**63],
    "integers and huge integers": [1, 2**70, 2**70 + 1, 1],
    "None and integers": [None, 0, 1, None],
    "bytes": [b"a\0", b"a", "a", b"a\0"],
    "strings that end in a zero": ["a\0", "a", "b", "a\0"],
    "sets": [frozenset("ab"), frozenset("a"), frozenset(), frozenset("ba")],
    "scalars of several types": [np.int64(1), "1", np.str_("x"), np.float64(1.0)],
    "dates without a date": [np.datetime64("NaT", "D"), np.datetime64("2026-01-01"), "x", np.datetime64("NaT")],
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("container", [list, tuple])
def test_keys_of_a_list_stay_as_they_are(kind: str, container: Any) -> None:
    keys = LISTS[kind]
    x = np.array([1.0, 2.0, 4.0, 8.0])
    total = Accumulator(losslib.L1Loss(reduction="sum"))
    total.update(x, np.zeros(4), by=container(keys))
    for k, key in enumerate(keys):  # the same keys when they come one by one
        total.update(x[k : k + 1], np.zeros(1), by=container([key]))
    assert sorted(total.result().values()) == [4.0, 8.0, 18.0]
    found = Accumulator(losslib.L1Loss(reduction="sum")).merge(pickle.loads(pickle.dumps(total))).result()
    assert sorted(found.values()) == [4.0, 8.0, 18.0]
    if "NaN" not in kind and "dates" not in kind:
        assert [total.result()[key] for key in keys] == [18.0, 4.0, 8.0, 18.0]


def test_a_group_is_not_split_by_what_stands_beside_its_key() -> None:
    total = Accumulator("mse")
    total.update([1.0, 2.0], [0.0, 0.0], by=[1, 2])
    total.update([1.0, 2.0], [0.0, 0.0], by=[1, "x"])
    assert total.result() == {1: 1.0, 2: 4.0, "x": 4.0}


def test_lists_of_rows_hold_the_keys_of_elements() -> None:
    x = np.arange(4.0).reshape(2, 2)
    for by in (
        [[1, "x"], ["x", (1, 2)]],
        [np.array([1, "x"], object), ["x", (1, 2)]],
    ):
        total = Accumulator(losslib.L1Loss(reduction="sum"))
        total.update(x, np.zeros((2, 2)), by=by)
        assert total.result() == {1: 0.0, "x": 3.0, (1, 2): 3.0}
    for rows in ([np.array([1, 2]), np.array(["1", "x"])], [[1, 2], np.array(["1", "x"])]):
        total = Accumulator(losslib.L1Loss(reduction="sum"))
        total.update(x, np.zeros((2, 2)), by=rows)
        assert total.result() == {1: 0.0, 2: 1.0, "1": 2.0, "x": 3.0}


def test_keys_without_an_order_stay_as_they_came() -> None:
    total = Accumulator("mse")
    total.update(np.ones(4), np.zeros(4), by=[3, 1, "x", 2])
    assert list(total.result()) == [3, 1, "x", 2]


@pytest.mark.parametrize(
    ("by", "error", "message"),
    [
        ([[1, 2], [3]], losslib.ShapeError, "by has rows of 1 and of 2 keys"),
        ([np.array([1, 2]), np.array([3])], losslib.ShapeError, "by cannot be read as an array"),
        ([1, [2]], TypeError, r"by\[1\] cannot be a key: .*list"),
        ([{}, {}], TypeError, r"by\[0\] cannot be a key: .*dict.*hashable objects"),
        ([(1, 2), (1, [2])], TypeError, r"by\[1\] cannot be a key"),
        ([["a", "b"], ["c", set()]], TypeError, r"by\[1, 1\] cannot be a key"),
        (np.array([1, {}], object), TypeError, r"by\[1\] cannot be a key"),
        ({"a": 1, "b": 2}, TypeError, "by cannot be a key"),
        ([(1, 2), (3, 4), (5, 6)], losslib.ShapeError, r"by has shape \(3,\); expected \(2,\) for one group a sample$"),
    ],
)
def test_what_cannot_be_keys_is_refused_by_name(by: Any, error: Any, message: str) -> None:
    total = Accumulator("mse")
    with pytest.raises(error, match=message):
        total.update([1.0, 2.0], [0.0, 0.0], by=by)
    total.update([1.0, 2.0], [0.0, 0.0])  # nothing was added before, groups neither
    assert total.result() == 2.5


def test_a_masked_array_of_keys_is_refused() -> None:
    masked = np.ma.array([1, 2], mask=[False, True])
    for by in (masked, np.ma.array(["a", "b"]), [masked, masked]):
        with pytest.raises(losslib.DTypeError, match="by is a masked array; pass its data and the mask apart"):
            Accumulator("mse").update([1.0, 2.0], [0.0, 0.0], by=by)


def test_every_missing_date_is_one_group() -> None:
    total = Accumulator(losslib.L1Loss(reduction="sum"))
    for _ in range(2):
        total.update([1.0, 2.0], [0.0, 0.0], by=np.array(["NaT", "2026-01-01"], "M8[D]"))
    assert sorted(total.result().values()) == [2.0, 4.0]


def test_groups_merge_by_key_in_any_order() -> None:
    rng = np.random.default_rng(8)
    n = 5000
    x, t, keys = rng.standard_normal(n), rng.standard_normal(n), rng.integers(0, 700, n)
    whole = Accumulator("mse")
    whole.update(x, t, by=keys)
    pieces = []
    for rows in batches(n, 12, rng):
        piece = Accumulator("mse")
        piece.update(x[rows], t[rows], by=keys[rows])
        pieces.append(piece)
    pieces.reverse()
    merged = functools.reduce(Accumulator.merge, pieces, Accumulator("mse"))
    assert merged.result() == whole.result()
    assert list(merged.result()) == sorted(set(keys.tolist()))


def test_every_nan_is_one_group_even_after_pickling() -> None:
    total, other = Accumulator("mse"), Accumulator("mse")
    total.update([1.0, 3.0, 2.0], np.zeros(3), by=np.array([np.nan, np.nan, 1.0]))
    other.update([2.0], [0.0], by=np.array([np.nan], object))
    total.merge(pickle.loads(pickle.dumps(other)))
    found = total.result()
    assert len(found) == 2
    assert found[next(key for key in found if key != 1.0)] == pytest.approx(14 / 3)


def test_grouped_and_ungrouped_do_not_mix() -> None:
    total = Accumulator("mse")
    total.update([1.0], [0.0], by=["a"])
    with pytest.raises(losslib.ParameterError, match="by was given before"):
        total.update([1.0], [0.0])
    plain = Accumulator("mse")
    plain.update([1.0], [0.0])
    with pytest.raises(losslib.ParameterError, match="another Accumulator"):
        plain.merge(total)
    total.reset()
    total.update([2.0], [0.0])
    assert total.result() == 4.0


# ---- as an object ------------------------------------------------------------------------------------------------

IN_ANOTHER_PROCESS = """
import pickle, sys
import losslib
loss, x, t = pickle.load(sys.stdin.buffer)
total = losslib.Accumulator(loss)
total.update(x, t)
pickle.dump(total, sys.stdout.buffer)
"""


def test_it_comes_back_from_other_processes() -> None:
    rng = np.random.default_rng(9)
    x, t = rng.standard_normal(10_000), rng.standard_normal(10_000)
    loss = losslib.LogCoshLoss()
    totals = []
    for rows in batches(10_000, 4, rng):
        done = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS], input=pickle.dumps((loss, x[rows], t[rows])),
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        totals.append(pickle.loads(done.stdout))
    merged = functools.reduce(Accumulator.merge, totals, Accumulator(loss))
    whole = Accumulator(loss)
    whole.update(x, t)
    assert merged.result() == whole.result()


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_goes_on_by_itself(copied: Any, grouped: bool) -> None:
    rng = np.random.default_rng(10)
    x, t, keys = rng.standard_normal(300), rng.standard_normal(300), rng.integers(0, 3, 300)
    loss = 0.5 * losslib.MSELoss() + losslib.HuberLoss(reduction="sum")
    total, whole, tail = Accumulator(loss), Accumulator(loss), Accumulator(loss)

    def add(accumulator: Accumulator, start: int, stop: int) -> None:
        rows = slice(start, stop)
        by = [*keys[rows].tolist()[1:], f"from {start}"] if grouped else None
        accumulator.update(x[rows], t[rows], by=by)

    add(total, 0, 200)
    before = total.result()
    other = copied(total)
    assert other.result() == before
    add(other, 200, 300)
    assert total.result() == before
    add(whole, 0, 200)
    add(whole, 200, 300)
    assert other.result() == whole.result()
    add(tail, 0, 200)
    other.reset()
    assert total.result() == before
    add(total, 200, 300)
    assert total.result() == whole.result()
    assert copied(tail).merge(other).result() == before


def test_a_copy_before_the_first_update_is_empty() -> None:
    total = Accumulator("mse")
    other = copy.copy(total)
    other.update([2.0], [0.0], by=["a"])
    total.update([1.0], [0.0])
    assert (total.result(), other.result()) == (1.0, {"a": 4.0})


def test_an_update_that_is_refused_adds_nothing() -> None:
    total = Accumulator(losslib.BCELoss())
    total.update([0.5], [1.0])
    before = total.result()
    for x, t, by in (([1.5], [1.0], None), ([0.5, 0.5], [1.0], None), ([0.5], [1.0], ["a"])):
        with pytest.raises(ValueError, match=r"input|target|by"):
            total.update(x, t, by=by)
    with pytest.raises(losslib.ShapeError, match="one group a sample"):
        Accumulator("mse").update([0.5, 0.5], [1.0, 1.0], by=["a", "b", "c"])
    assert total.result() == before


def test_merge_refuses_another_loss_and_leaves_the_other_as_it_is() -> None:
    one, other = Accumulator(losslib.HuberLoss(delta=1.0)), Accumulator(losslib.HuberLoss(delta=2.0))
    with pytest.raises(losslib.ParameterError, match=r"delta=2\.0"):
        one.merge(other)
    with pytest.raises(TypeError, match="Accumulator"):
        one.merge(1.0)  # type: ignore[arg-type]
    same = Accumulator(losslib.HuberLoss(delta=1.0))
    same.update([3.0], [0.0])
    assert one.merge(same) is one
    one.update([1.0], [0.0])
    assert same.result() == 2.5
    assert one.result() == 1.5


@pytest.mark.parametrize("loss", [losslib.MSELoss(reduction="none"), 0.5 * losslib.MSELoss(reduction="none")])
def test_a_loss_that_adds_nothing_up_is_refused(loss: Any) -> None:
    with pytest.raises(losslib.ParameterError, match="mean"):
        Accumulator(loss)


def test_what_is_no_loss_and_what_is_no_argument_is_refused() -> None:
    for thing in (np.mean, None, 3.0, dict, {"delta": 1.0}, [losslib.MSELoss()], losslib.huber_loss.info):
        with pytest.raises(TypeError, match="name of a loss"):
            Accumulator(thing)
    for thing in (losslib.HuberLoss, losslib.huber_loss, losslib.huber_loss.grad):
        with pytest.raises(TypeError, match=r"write losslib\.HuberLoss\(\)"):
            Accumulator(thing)
    for thing in (losslib.WeightedSum, losslib.HuberLoss.__base__):
        with pytest.raises(TypeError, match="got the class"):
            Accumulator(thing)
    with pytest.raises(losslib.ParameterError, match="did you mean"):
        Accumulator("hubr")
    with pytest.raises(TypeError, match="out"):
        Accumulator("mse").update([1.0], [1.0], out=np.zeros(1))


def test_repr_names_the_loss_and_the_groups() -> None:
    total = Accumulator("mse")
    assert repr(total) == "<Accumulator of MSELoss(reduction='mean')>"
    total.update([1.0, 2.0], [0.0, 0.0], by=["a", "b"])
    assert repr(total) == "<Accumulator of MSELoss(reduction='mean'), 2 groups>"
    assert total.loss == losslib.MSELoss()


def test_a_sum_of_losses_follows_ieee_754_beyond_the_largest_float() -> None:
    total = losslib.Accumulator(losslib.MSELoss(reduction="sum") + -1.0 * losslib.L1Loss(reduction="sum"))
    total.update([np.inf], [0.0])
    assert math.isnan(total.result())
    large = losslib.Accumulator(losslib.L1Loss(reduction="sum") + losslib.L1Loss(reduction="sum"))
    large.update([1.5e308], [0.0])
    assert large.result() == math.inf
