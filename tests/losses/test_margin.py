"""The margin losses against plain NumPy: every option, layout and type, threads and instruction sets."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib
from losslib._kernels import threads as kernel_threads

# ---- the losses in plain NumPy, one row at a time ------------------------------------------------------------------


def multi_margin(x: np.ndarray, t: Any, p: int = 1, margin: float = 1.0) -> tuple[float, np.ndarray]:
    grad = np.zeros(x.size)
    value = 0.0
    for c in range(x.size):
        excess = margin - x[t] + x[c]
        if c != t and excess > 0:
            value += excess**p / x.size
            grad[c] += p * excess ** (p - 1) / x.size
            grad[t] -= p * excess ** (p - 1) / x.size
    return value, grad


def multilabel_margin(x: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    listed = list(itertools.takewhile(lambda c: c >= 0, t.tolist()))
    grad = np.zeros(x.size)
    value = 0.0
    for j in listed:
        for c in range(x.size):
            if c not in listed and 1 - x[j] + x[c] > 0:
                value += (1 - x[j] + x[c]) / x.size
                grad[c] += 1 / x.size
                grad[j] -= 1 / x.size
    return value, grad


def crammer_singer(x: np.ndarray, t: Any, margin: float = 1.0) -> tuple[float, np.ndarray]:
    grad = np.zeros(x.size)
    others = [c for c in range(x.size) if c != t]
    if not others:
        return 0.0, grad
    rival = max(others, key=lambda c: x[c])  # the first of equal ones
    value = max(0.0, margin + x[rival] - x[t])
    if value > 0:
        grad[rival], grad[t] = 1, -1
    return value, grad


def perceptron(x: np.ndarray, t: Any) -> tuple[float, np.ndarray]:
    return crammer_singer(x, t, margin=0.0)


def categorical_hinge(x: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    wrong = (1 - t) * x
    rival = int(np.argmax(wrong))
    value = max(0.0, 1 + wrong[rival] - float(t @ x))
    grad = np.zeros(x.size)
    if value > 0:
        grad = -t.copy()
        grad[rival] += 1 - t[rival]
    return value, grad


def draw_classes(rng: np.random.Generator, n: int, classes: int) -> np.ndarray:
    return rng.integers(0, classes, n)


def draw_lists(rng: np.random.Generator, n: int, classes: int) -> np.ndarray:
    target = np.full((n, classes), -1)
    for row in target:
        labels = rng.permutation(classes)[: rng.integers(0, min(classes, 6) + 1)]
        row[: labels.size] = labels
    return target


def draw_one_hot(rng: np.random.Generator, n: int, classes: int) -> np.ndarray:
    return np.eye(classes)[rng.integers(0, classes, n)]


def draw_soft(rng: np.random.Generator, n: int, classes: int) -> np.ndarray:
    return rng.dirichlet(np.full(classes, 0.3), n)


@dataclass(frozen=True)
class Case:
    label: str
    name: str
    row: Callable[..., tuple[float, np.ndarray]]
    draw: Callable[[np.random.Generator, int, int], np.ndarray]
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def function(self) -> Any:
        return getattr(losslib, self.name)

    def inputs(self, n: int, classes: int, seed: int = 0, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
        """Scores and targets; scores on a coarse grid, so that classes tie and some lie exactly at the margin."""
        rng = np.random.default_rng([seed, n, classes, *self.label.encode()])
        scores = np.round(rng.normal(size=(n, classes)) * 8) / 4
        target = self.draw(rng, n, classes)
        return scores.astype(dtype), target.astype(dtype) if target.dtype.kind == "f" else target

    def expect(self, x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The value of each row and its gradient."""
        parts = [self.row(row.astype(np.float64), label, **self.parameters) for row, label in zip(x, t, strict=True)]
        return np.array([value for value, _ in parts]), np.array([grad for _, grad in parts]).reshape(x.shape)


CASES = (
    Case("multi_margin", "multi_margin_loss", multi_margin, draw_classes),
    Case("multi_margin_m", "multi_margin_loss", multi_margin, draw_classes, {"margin": 0.25}),
    Case("multi_margin_p2", "multi_margin_loss", multi_margin, draw_classes, {"p": 2, "margin": 1.5}),
    Case("multilabel", "multilabel_margin_loss", multilabel_margin, draw_lists),
    Case("crammer_singer", "crammer_singer_loss", crammer_singer, draw_classes),
    Case("crammer_singer_m", "crammer_singer_loss", crammer_singer, draw_classes, {"margin": 0.5}),
    Case("one_hot", "categorical_hinge_loss", categorical_hinge, draw_one_hot),
    Case("soft", "categorical_hinge_loss", categorical_hinge, draw_soft),
    Case("perceptron", "multiclass_perceptron_loss", perceptron, draw_classes),
)
INDEXED = tuple(case for case in CASES if case.draw is draw_classes)
each_case = pytest.mark.parametrize("case", CASES, ids=[case.label for case in CASES])
each_indexed = pytest.mark.parametrize("case", INDEXED, ids=[case.label for case in INDEXED])
each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])

#: Relative bound for float32 values and gradients, which are computed in float32 but for the sums.
ROUNDING = {np.float64: 1e-12, np.float32: 2e-6}


def assert_close(found: Any, expected: Any, dtype: Any = np.float64) -> None:
    expected = np.asarray(expected, np.float64)
    bound = ROUNDING[dtype]
    size = float(np.abs(expected).max()) if expected.size else 0.0
    assert np.shape(found) == expected.shape
    np.testing.assert_allclose(np.asarray(found, np.float64), expected, rtol=bound, atol=bound * size)


# ---- values and gradients ------------------------------------------------------------------------------------------


@each_dtype
@each_case
def test_values_and_gradients_are_those_of_the_formula_for_every_number_of_classes(case: Case, dtype: Any) -> None:
    for classes in (1, 2, 3, 7, 16, 31, 32, 33, 100, 511, 512, 513, 1040):
        x, t = case.inputs(9, classes, dtype=dtype)
        values, grads = case.expect(x, t)
        found, grad = case.function.value_and_grad(x, t, reduction="none", **case.parameters)
        assert found.dtype == grad.dtype == dtype
        assert_close(found, values, dtype)
        assert_close(grad, grads, dtype)
        assert np.array_equal(case.function(x, t, reduction="none", **case.parameters), found)
        assert np.array_equal(case.function.grad(x, t, reduction="none", **case.parameters), grad)


@each_case
def test_gradients_are_the_differences_of_values(case: Case) -> None:
    rng = np.random.default_rng(4)
    x, t = rng.normal(size=(6, 9)), case.draw(rng, 6, 9)
    grad = case.function.grad(x, t, reduction="sum", **case.parameters)
    step = 1e-6
    for position in np.ndindex(x.shape):
        change = np.zeros(x.shape)
        change[position] = step
        up, down = (case.function(x + s * change, t, reduction="sum", **case.parameters) for s in (1, -1))
        assert abs((up - down) / (2 * step) - grad[position]) < 1e-7


def test_the_gradient_at_a_tie_goes_to_the_first_class() -> None:
    x = [[1.0, 3.0, 2.0, 3.0, 3.0]]
    assert losslib.crammer_singer_loss.grad(x, [0]).tolist() == [[-1, 1, 0, 0, 0]]
    assert losslib.crammer_singer_loss.grad(x, [1]).tolist() == [[0, -1, 0, 1, 0]]
    assert losslib.multiclass_perceptron_loss.grad(x, [2]).tolist() == [[0, 1, -1, 0, 0]]
    one_hot = np.eye(5)[[0]]
    assert losslib.categorical_hinge_loss.grad(x, one_hot).tolist() == [[-1, 1, 0, 0, 0]]


def test_a_tie_is_found_in_the_first_of_several_blocks() -> None:
    x = np.zeros((1, 2000), np.float32)
    x[0, [700, 1500, 1999]] = 2
    assert losslib.crammer_singer_loss.grad(x, [3]).nonzero()[1].tolist() == [3, 700]
    assert losslib.crammer_singer_loss.grad(x, [700]).nonzero()[1].tolist() == [700, 1500]


def test_exactly_at_the_margin_the_derivative_is_zero() -> None:
    x = [[1.0, 0.0, -5.0]]
    for p in (1, 2):
        value, grad = losslib.multi_margin_loss.value_and_grad(x, [0], p=p)
        assert value == 0.0
        assert not grad.any()
    assert not losslib.crammer_singer_loss.grad(x, [0]).any()
    assert not losslib.categorical_hinge_loss.grad(x, [[1.0, 0.0, 0.0]]).any()
    assert not losslib.multilabel_margin_loss.grad(x, [[0, -1, -1]]).any()
    assert not losslib.multiclass_perceptron_loss.grad([[2.0, 2.0]], [1]).any()


def test_multilabel_lists_end_at_the_first_minus_one_and_count_repetitions() -> None:
    x = [[1.0, 0.0, 2.0, 1.0]]
    call = losslib.multilabel_margin_loss
    assert call(x, [[0, -1, 2, 3]]) == call(x, [[0, -1, -1, -1]]) == 0.75
    assert call(x, [[0, 2, 0, -1]]) == 0.5
    assert call.grad(x, [[0, 2, 0, -1]]).tolist() == [[-0.5, 0, 0, 0.5]]
    for nothing in ([[-1, 2, 0, -1]], [[0, 1, 2, 3]]):
        assert call(x, nothing) == 0.0
        assert not call.grad(x, nothing).any()


@each_case
def test_one_sample_without_a_sample_axis(case: Case) -> None:
    x, t = case.inputs(1, 6)
    values, grads = case.expect(x, t)
    value, grad = case.function.value_and_grad(x[0], t[0], **case.parameters)
    assert_close(value, values[0])
    assert_close(grad, grads[0])
    unreduced = case.function(x[0], t[0], reduction="none", **case.parameters)
    assert unreduced.shape == ()
    if case.draw is draw_classes:
        unreduced = case.function(x[0], t[:1], reduction="none", **case.parameters)
        assert unreduced.shape == (1,)
        assert case.function(x[0], int(t[0]), **case.parameters) == value


# ---- options -------------------------------------------------------------------------------------------------------


@each_case
def test_every_option_in_every_combination(case: Case) -> None:
    n, classes = 7, 5
    x, t = case.inputs(n, classes)
    rng = np.random.default_rng(1)
    mask = np.array([1, 0, 1, 1, 0, 1, 1], bool)
    rows = {"none": None, "weight": rng.uniform(0.5, 2.0, n)}
    class_weights = {"none": None}
    if "weight" in case.function.info.array_parameter_names:
        class_weights["weight"] = rng.uniform(0.5, 2.0, classes)
    upstreams = (None, -1.75, "array")
    values, grads = case.expect(x, t)
    for reduction, sample_weight, weight, where, upstream in itertools.product(
        ("mean", "sum", "none", "weighted_mean"), rows.values(), class_weights.values(), (None, mask), upstreams
    ):
        given: dict[str, Any] = {"reduction": reduction, **case.parameters}
        kept = np.ones(n, bool) if where is None else where
        factor = np.ones(n) if weight is None else weight[t]
        if sample_weight is not None:
            given["sample_weight"] = sample_weight
            factor = factor * sample_weight
        if weight is not None:
            given["weight"] = weight
        if where is not None:
            given["where"] = where
        factor = np.where(kept, factor, 0.0)
        divisor = {"mean": kept.sum(), "weighted_mean": factor.sum()}.get(reduction, 1.0)
        expected = values * factor if reduction == "none" else (values * factor).sum() / divisor
        if upstream == "array":
            if reduction != "none":
                continue
            upstream = rng.normal(size=n)
        by_row = np.broadcast_to(1.0 if upstream is None else upstream, n)
        expected_grad = grads * (factor / divisor * by_row)[:, np.newaxis]
        assert_close(case.function(x, t, **given), expected)
        value, grad = case.function.value_and_grad(x, t, grad_output=upstream, **given)
        assert_close(value, expected)
        assert_close(grad, expected_grad)


@each_case
def test_masked_rows_are_never_looked_at(case: Case) -> None:
    x, t = case.inputs(6, 4)
    mask = np.array([True, False, True, True, False, True])
    expected = case.function.value_and_grad(x[mask], t[mask], **case.parameters)
    x[~mask] = np.nan
    t = t.copy()
    t[~mask] = 99
    value, grad = case.function.value_and_grad(x, t, where=mask, **case.parameters)
    assert value == expected[0]
    assert np.array_equal(grad[mask], expected[1])
    assert not grad[~mask].any()
    nothing = case.function.value_and_grad(x, t, where=False, **case.parameters)
    assert np.isnan(nothing[0])
    assert not nothing[1].any()


def test_a_bound_object_gives_what_the_function_gives() -> None:
    x, t = CASES[0].inputs(5, 3)
    loss = losslib.MultiMarginLoss(p=2, margin=0.5, weight=[1.0, 2.0, 3.0], reduction="sum")
    arguments = {"p": 2, "margin": 0.5, "weight": [1.0, 2.0, 3.0], "reduction": "sum"}
    assert loss(x, t) == losslib.multi_margin_loss(x, t, **arguments)
    assert np.array_equal(loss.grad(x, t), losslib.multi_margin_loss.grad(x, t, **arguments))
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert eval(repr(loss), vars(losslib)) == loss
    assert losslib.multi_margin_loss(x, t, 2, 0.5, [1.0, 2.0, 3.0], None, None, "sum") == loss(x, t)
    assert losslib.MultiMarginLoss(p=2.0) == losslib.MultiMarginLoss(p=2)
    total = 2.0 * losslib.CrammerSingerLoss() + losslib.MulticlassPerceptronLoss()
    separate = 2.0 * losslib.crammer_singer_loss(x, t) + losslib.multiclass_perceptron_loss(x, t)
    assert_close(total(x, t), separate)


@each_case
@each_dtype
def test_plain_calls_take_a_short_way_to_the_same_bits(case: Case, dtype: Any) -> None:
    """A plain call is answered by compiled code alone; with an option, `where=None`, it goes through the geometry."""
    for n, classes in ((1, 1), (5, 3), (70, 130)):
        x, t = case.inputs(n, classes, dtype=dtype)
        for reduction in ("mean", "sum"):
            bound = losslib.get(case.name, **{**case.parameters, "reduction": reduction})
            value, grad = bound.value_and_grad(x, t)
            expected, expected_grad = bound.value_and_grad(x, t, where=None)
            assert type(value) is float
            assert value == expected == bound(x, t) == bound(x, t, where=None)
            np.testing.assert_array_equal(grad, expected_grad)
            np.testing.assert_array_equal(bound.grad(x, t), expected_grad)
            out = np.full_like(x, 7)
            assert bound.grad(x, t, out=out) is out
            np.testing.assert_array_equal(out, expected_grad)
        assert bound(x[0], t[0]) == bound(x[0], t[0], where=None)


# ---- layouts, types, outputs ---------------------------------------------------------------------------------------


def layouts(array: np.ndarray) -> Iterator[np.ndarray]:
    """The same numbers in other places of memory."""
    n, classes = array.shape
    yield np.asfortranarray(array)
    wide = np.full((2 * n, classes + 3), 77, array.dtype)
    wide[::2, 2 : classes + 2] = array
    yield wide[::2, 2 : classes + 2]
    thin = np.full((n, 2 * classes), 77, array.dtype)
    thin[:, ::2] = array
    yield thin[:, ::2]
    yield np.ascontiguousarray(array[::-1])[::-1]
    yield np.ascontiguousarray(array[:, ::-1])[:, ::-1]
    swapped = array.astype(array.dtype.newbyteorder())
    yield swapped
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
    unaligned = raw.view(array.dtype).reshape(array.shape)
    unaligned[...] = array
    yield unaligned
    fixed = array.copy()
    fixed.flags.writeable = False
    yield fixed


@each_dtype
@each_case
def test_the_layout_of_inputs_and_output_changes_no_bit(case: Case, dtype: Any) -> None:
    x, t = case.inputs(8, 37, dtype=dtype)
    value, grad = case.function.value_and_grad(x, t, **case.parameters)
    targets = [t, *layouts(t)] if t.ndim == 2 else [t, np.repeat(t, 2)[::2], t.astype(np.int8), t.astype(np.uint64)]
    for scores in (x, *layouts(x)):
        found = case.function.value_and_grad(scores, t, **case.parameters)
        assert found[0] == value
        assert np.array_equal(found[1], grad)
    for target in targets:
        found = case.function.value_and_grad(x, target, **case.parameters)
        assert found[0] == value
        assert np.array_equal(found[1], grad)
    for out in layouts(np.full_like(x, 9)):
        if not out.flags.writeable or not out.dtype.isnative:
            continue
        found = case.function.value_and_grad(x, t, out=out, **case.parameters)
        assert found[1] is out
        assert np.array_equal(out, grad)


@each_dtype
@each_case
def test_the_gradient_may_overwrite_an_input_or_overlap_it(case: Case, dtype: Any) -> None:
    for classes in (3, 700):
        x, t = case.inputs(6, classes, dtype=dtype)
        value, grad = case.function.value_and_grad(x, t, **case.parameters)
        buffer = np.concatenate([x, x])
        for scores, out in (
            (buffer[:6], buffer[:6]),
            (buffer[:6], buffer[1:7]),
            (buffer[2:8], buffer[:6]),
            (buffer[:6], buffer[5::-1]),
        ):
            scores[...] = x
            found = case.function.value_and_grad(scores, t, out=out, **case.parameters)
            assert found[0] == value
            assert found[1] is out
            assert np.array_equal(out, grad)
        if t.dtype == dtype:
            target = t.copy()
            assert case.function.value_and_grad(x, target, out=target, **case.parameters)[0] == value
            assert np.array_equal(target, grad)
        strided = np.asfortranarray(x)
        case.function.grad(strided, t, out=strided, **case.parameters)
        assert np.array_equal(strided, grad)


@each_case
def test_unreduced_values_go_where_they_are_asked_to(case: Case) -> None:
    x, t = case.inputs(6, 4)
    expected = case.function(x, t, reduction="none", **case.parameters)
    out = np.empty(6)
    assert case.function(x, t, reduction="none", out=out, **case.parameters) is out
    assert np.array_equal(out, expected)
    inside = x.copy()
    assert case.function(inside, t, reduction="none", out=inside[:, 1], **case.parameters).base is inside
    assert np.array_equal(inside[:, 1], expected)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@each_case
def test_half_precision_is_computed_in_float32(case: Case, name: str) -> None:
    dtype = np.dtype(np.float16) if name == "float16" else np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
    x, t = case.inputs(6, 9)
    x, t = x.astype(dtype), t if t.dtype.kind == "i" else t.astype(dtype)
    wide = x.astype(np.float32), t if t.dtype.kind == "i" else t.astype(np.float32)
    given = {"reduction": "none", **case.parameters}
    values, grad = case.function.value_and_grad(*wide, **given)
    found = case.function.value_and_grad(x, t, **given)
    assert found[0].dtype == found[1].dtype == dtype
    assert np.array_equal(found[0].astype(np.float64), values.astype(dtype).astype(np.float64))
    assert np.array_equal(found[1].astype(np.float64), grad.astype(dtype).astype(np.float64))
    assert case.function(x, t, **case.parameters) == case.function(*wide, **case.parameters)
    inside = x.copy()
    case.function.grad(inside, t, out=inside, **given)
    assert np.array_equal(inside.astype(np.float64), found[1].astype(np.float64))


def test_lists_integers_and_mixed_types_are_read_as_everywhere() -> None:
    assert losslib.crammer_singer_loss([[2, 1, 0]], [0]) == 0.0
    assert losslib.crammer_singer_loss.grad([[0, 1, 0]], [0]).dtype == np.float64
    x, t = CASES[6].inputs(5, 4, dtype=np.float32)
    values, grad = losslib.categorical_hinge_loss.value_and_grad(x, t.astype(np.float64), reduction="none")
    assert (values.dtype, grad.dtype) == (np.float64, np.float32)
    integers = losslib.categorical_hinge_loss.value_and_grad(x, t.astype(np.int64), reduction="none")
    assert np.array_equal(integers[0], values)
    assert np.array_equal(integers[1], grad)


# ---- infinite and missing numbers ----------------------------------------------------------------------------------


def test_a_score_of_minus_infinity_takes_a_class_out() -> None:
    x = np.array([[0.5, -np.inf, 0.25, -np.inf]])
    for name in ("multi_margin_loss", "crammer_singer_loss", "multiclass_perceptron_loss"):
        value, grad = getattr(losslib, name).value_and_grad(x, [2])
        assert np.isfinite(value)
        assert grad[0, [1, 3]].tolist() == [0, 0]
    value, grad = losslib.multilabel_margin_loss.value_and_grad(x, [[0, 2, -1, -1]])
    assert (value, grad.any()) == (0.0, False)
    value, grad = losslib.categorical_hinge_loss.value_and_grad(x, np.eye(4)[[2]])
    assert_close(value, 1.25)
    assert grad.tolist() == [[1, 0, -1, 0]]


def test_an_infinite_lead_costs_nothing_and_an_infinite_lag_costs_infinity() -> None:
    for name in ("multi_margin_loss", "crammer_singer_loss", "multiclass_perceptron_loss"):
        call = getattr(losslib, name)
        assert call([[np.inf, 0.0, 1.0]], [0]) == 0.0
        assert call([[-np.inf, 0.0, 1.0]], [0]) == np.inf
        assert not call.grad([[np.inf, 0.0, 1.0]], [0]).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [15, 16, 17, 40])
def test_an_infinite_target_score_among_many(classes: int, dtype: type) -> None:
    """Sixteen scores are taken at a time, the target's among them."""
    for target in (0, classes // 2, classes - 1):
        x = np.zeros((1, classes), dtype)
        x[0, target] = np.inf
        value, grad = losslib.multi_margin_loss.value_and_grad(x, [target])
        assert (value, grad.any()) == (0.0, False)
        x[0, target] = -np.inf
        value, grad = losslib.multi_margin_loss.value_and_grad(x, [target], reduction="sum")
        expected = np.full((1, classes), 1 / classes)
        expected[0, target] = 1 / classes - 1
        assert value == np.inf
        np.testing.assert_allclose(grad, expected, rtol=1e-6)


@each_case
def test_nan_makes_value_and_gradient_of_its_row_nan_and_of_no_other(case: Case) -> None:
    for classes in (4, 40, 600):
        x, t = case.inputs(5, classes)
        if case.draw is draw_lists:
            t[2] = [1, *[-1] * (classes - 1)]
        values, grad = case.function.value_and_grad(x, t, reduction="none", **case.parameters)
        for position in {0, 1, classes // 2, classes - 1}:
            bad = x.copy()
            bad[2, position] = np.nan
            found, found_grad = case.function.value_and_grad(bad, t, reduction="none", **case.parameters)
            assert np.isnan(found[2])
            assert np.isnan(found_grad[2]).all()
            others = [0, 1, 3, 4]
            assert np.array_equal(found[others], values[others])
            assert np.array_equal(found_grad[others], grad[others])


# ---- empty inputs, errors ------------------------------------------------------------------------------------------


@each_case
def test_no_samples_give_nan_zero_or_nothing(case: Case) -> None:
    x, t = np.zeros((0, 4), np.float32), case.draw(np.random.default_rng(0), 0, 4)
    for reduction, expected in (("sum", 0.0), ("mean", np.nan), ("weighted_mean", np.nan)):
        value, grad = case.function.value_and_grad(x, t, reduction=reduction, **case.parameters)
        assert type(value) is float
        assert np.array_equal(value, expected, equal_nan=True)
        assert grad.shape == (0, 4)
    assert case.function(x, t, reduction="none", **case.parameters).shape == (0,)


@each_case
def test_a_sample_without_classes_is_an_error(case: Case) -> None:
    with pytest.raises(losslib.ShapeError, match="at least one class"):
        case.function(np.zeros((3, 0)), np.zeros((3, 0), int))


@each_case
def test_scores_have_at_most_two_axes(case: Case) -> None:
    """A number is the score of one class, as in PyTorch."""
    target = 1.0 if losslib.get(case.name).info.inputs[1].holds == "row" else 0
    assert np.shape(case.function.grad(1.0, target, **case.parameters)) == ()
    with pytest.raises(losslib.ShapeError, match="move the class axis last"):
        case.function(np.zeros((2, 3, 4)), np.zeros((2, 4), int))


@pytest.mark.parametrize("check", [True, False])
@each_indexed
def test_a_class_out_of_range_is_an_error_with_its_position(case: Case, check: bool) -> None:
    x = np.zeros((3, 4))
    for mode in (case.function, case.function.grad):
        for wrong in (4, -1, -4, 2**40):
            with pytest.raises(losslib.DomainError, match=rf"target\[1\] is {wrong}, outside the classes"):
                mode(x, [0, wrong, 3], check=check, **case.parameters)
        with pytest.raises(losslib.DomainError, match=f"is {2**64 - 1}"):
            mode(x, np.array([0, 1, 2**64 - 1], np.uint64), check=check, **case.parameters)
    with pytest.raises(losslib.DTypeError, match="class indices must be integers"):
        case.function(x, [0.0, 1.0, 2.0], check=check, **case.parameters)
    with pytest.raises(losslib.ShapeError, match=r"target has shape \(2,\), expected \(3,\)"):
        case.function(x, [0, 1], **case.parameters)


@pytest.mark.parametrize("check", [True, False])
def test_a_list_of_classes_is_checked_to_its_end(check: bool) -> None:
    x = np.zeros((2, 3))
    call = losslib.multilabel_margin_loss
    for wrong in (3, -2, 2**40):
        with pytest.raises(losslib.DomainError, match=rf"target\[1, 2\] is {wrong}, outside the classes"):
            call.grad(x, [[0, 1, 2], [0, -1, wrong]], check=check)
    with pytest.raises(losslib.DTypeError, match="class indices must be integers"):
        call(x, np.zeros((2, 3)), check=check)
    with pytest.raises(losslib.ShapeError, match="rows of class indices filled up with -1"):
        call(x, [0, 1])
    with pytest.raises(losslib.ShapeError, match=r"expected \(2, 3\)"):
        call(x, [[0, 1], [1, 2]])


def test_one_hot_targets_are_probabilities_of_the_shape_of_the_scores() -> None:
    x, t = CASES[6].inputs(3, 4)
    call = losslib.categorical_hinge_loss
    with pytest.raises(losslib.ShapeError, match=r"one-hot rows, numpy.eye\(4\)\[target\]"):
        call(x, [0, 1, 2])
    for wrong in (-0.5, 1.5, np.inf):
        bad = t.copy()
        bad[1, 2] = wrong
        with pytest.raises(losslib.DomainError, match=rf"target\[1, 2\] is {wrong:g}, outside the domain"):
            call(x, bad)
        before = x.copy()
        with pytest.raises(losslib.DomainError, match=r"target\[1, 2\]"):
            call.grad(x, bad, out=x)
        assert np.array_equal(x, before), "the scores are lost"
        assert np.isfinite(call(x, bad, where=[True, False, True]))
    bad[1, 2] = -0.5
    expected = np.mean([categorical_hinge(row, label)[0] for row, label in zip(x, bad, strict=True)])
    assert_close(call(x, bad, check=False), expected)


def test_wrong_arguments_are_named() -> None:
    x, t = np.zeros((3, 4)), [0, 1, 2]
    for p in (0, 3, 1.5, True, "1", None):
        with pytest.raises(losslib.ParameterError, match="p must be an integer >= 1 and <= 2"):
            losslib.multi_margin_loss(x, t, p=p)
    with pytest.raises(losslib.ParameterError, match="margin must be a finite number >= 0"):
        losslib.crammer_singer_loss(x, t, margin=-1.0)
    for weight in ([1.0, 2.0], np.ones((3, 4)), 2.0):
        with pytest.raises(losslib.ShapeError, match=r"weight has shape .* expected \(4,\)"):
            losslib.multi_margin_loss(x, t, weight=weight)
    with pytest.raises(TypeError, match="weight"):
        losslib.crammer_singer_loss(x, t, weight=[1.0] * 4)
    with pytest.raises(TypeError, match="no Hessian"):
        losslib.crammer_singer_loss.value_grad_hess(x, t)
    with pytest.raises(losslib.ParameterError, match="wrt='target'"):
        losslib.crammer_singer_loss.grad(x, t, wrt="target")
    with pytest.raises(losslib.ShapeError, match=r"where has shape"):
        losslib.crammer_singer_loss(x, t, where=np.ones((3, 4), bool))
    with pytest.raises(losslib.ShapeError, match="sample_weight has shape"):
        losslib.crammer_singer_loss(x, t, sample_weight=np.ones((3, 4)))
    with pytest.raises(losslib.ShapeError, match="grad_output has shape"):
        losslib.crammer_singer_loss.grad(x, t, grad_output=np.ones(3))
    with pytest.raises(losslib.ParameterError, match="out"):
        losslib.crammer_singer_loss(x, t, out=np.empty(3))
    with pytest.raises(losslib.DTypeError, match="out has dtype float32"):
        losslib.crammer_singer_loss.grad(x, t, out=np.empty((3, 4), np.float32))
    with pytest.raises(losslib.ShapeError, match=r"out has shape \(4, 3\)"):
        losslib.crammer_singer_loss.grad(x, t, out=np.empty((4, 3)))
    single, several = losslib.crammer_singer_loss.grad(x, t), losslib.crammer_singer_loss.grad(x, t, wrt=("input",))
    assert isinstance(several, tuple)
    assert np.array_equal(single, several[0])


# ---- threads and instruction sets ----------------------------------------------------------------------------------


@each_dtype
@each_case
def test_any_number_of_threads_gives_the_same_bits(case: Case, dtype: Any) -> None:
    before = kernel_threads.threshold()
    kernel_threads.set_threshold(0.0)
    try:
        for n, classes in ((1500, 70), (7, 20_000)):
            rng = np.random.default_rng(n)
            x, t = rng.normal(size=(n, classes)).astype(dtype), case.draw(rng, n, classes)
            t = t.astype(dtype) if t.dtype.kind == "f" else t
            expected: Any = None
            for count in (1, 2, 3, 7):
                with losslib.threads(count):
                    values, grad = case.function.value_and_grad(x, t, reduction="none", **case.parameters)
                    mean = case.function(x, t, **case.parameters)
                if expected is None:
                    expected = values, grad, mean
                assert np.array_equal(values, expected[0])
                assert np.array_equal(grad, expected[1])
                assert mean == expected[2]
    finally:
        kernel_threads.set_threshold(before)


PROGRAM = """
import sys
import numpy as np
from test_margin import CASES

results = {}
for case in CASES:
    for dtype in (np.float32, np.float64):
        for classes in (5, 70, 1030):
            rng = np.random.default_rng(classes)
            x, t = rng.normal(size=(12, classes)).astype(dtype), case.draw(rng, 12, classes)
            t = t.astype(dtype) if t.dtype.kind == "f" else t
            parts = case.function.value_and_grad(x, t, reduction="none", **case.parameters)
            for k, part in enumerate(parts):
                results[f"{case.label} {np.dtype(dtype).name} {classes} {k}"] = part
np.savez(sys.argv[1], **results)
"""


def results_of(name: str, folder: str) -> dict[str, np.ndarray]:
    """Compute every loss in a process with this instruction set."""
    path = str(Path(folder) / f"{name}.npz")
    environment = {
        **os.environ,
        "LOSSLIB_ISA": name,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    with np.load(path) as archive:
        return dict(archive)


def test_every_instruction_set_gives_the_same_answers() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = {name: results_of(name, folder) for name in losslib.config()["isa_available"]}
    names = list(found)
    for name in names[:-1]:
        for key, part in found[names[-1]].items():
            bound = 8 * float(np.finfo(part.dtype).eps)
            np.testing.assert_allclose(
                found[name][key], part, rtol=bound, atol=bound * float(np.abs(part).max()), err_msg=f"{name} {key}"
            )
    if {"v3", "v4"} <= set(names):
        different = [key for key, part in found["v3"].items() if not np.array_equal(part, found["v4"][key])]
        assert not different
