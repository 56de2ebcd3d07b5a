"""The losses of regions against plain NumPy: every option, layout and type, extremes, invariances, threads."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import losslib
from losslib.declaration.schema import LossInfo
from regions import SCORES, value_of

RATIOS = tuple(info for info in losslib.list_losses("segmentation") if info.name in SCORES)
each_ratio = pytest.mark.parametrize("info", RATIOS, ids=lambda info: info.name)

#: The activations of a loss: dice_cross_entropy_loss takes logits only.
WORDS = ("none", "sigmoid", "softmax")

SAMPLES, CLASSES, ROWS, COLUMNS = 3, 4, 3, 5
WEIGHT = (0.5, 2.0, 1.0, 0.25)


def function(info: LossInfo) -> Any:
    return getattr(losslib, info.name)


def activations(info: LossInfo) -> tuple[str, ...]:
    return tuple(word for word in WORDS if word in info.parameter("activation").choices)


def defaults(info: LossInfo) -> dict[str, Any]:
    ours = ("axis", "reduction", "check")
    return {item.name: item.default for item in info.parameters if item.name not in ours}


def draw(
    activation: str, *, dense: bool, absent: bool = True, dtype: Any = np.float64
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions on a small grid and true regions; one class is absent from one sample."""
    rng = np.random.default_rng(list(activation.encode()))
    shape = (SAMPLES, CLASSES, ROWS, COLUMNS)
    x = rng.uniform(0.02, 0.98, shape) if activation == "none" else rng.normal(size=shape) * 2
    t = rng.integers(0, CLASSES, (SAMPLES, ROWS, COLUMNS))
    if absent:
        t[1][t[1] == 2] = 0
    if dense:
        marks = np.moveaxis(np.eye(CLASSES)[t], -1, 1)
        t = np.where(marks.any(axis=(2, 3), keepdims=True), 0.7 * marks + 0.2 * rng.random(shape) + 0.01, 0.0)
    return x.astype(dtype), t.astype(dtype) if dense else t


def flat(array: np.ndarray | None) -> np.ndarray | None:
    """Positions of a grid in one axis; what is given for each sample stays."""
    return array if array is None or array.ndim < 3 else array.reshape(*array.shape[:-2], -1)


def expected(info: LossInfo, x: np.ndarray, t: np.ndarray, **options: Any) -> Any:
    """The value by definition."""
    names = {"where": "keep"}
    given = {names.get(key, key): flat(v) if isinstance(v, np.ndarray) else v for key, v in options.items()}
    return value_of(info.name, flat(x), flat(t), **{**defaults(info), **given})


def assert_slopes(info: LossInfo, x: np.ndarray, t: np.ndarray, by: str, grad: np.ndarray, **options: Any) -> None:
    """Compare a gradient along directions, and at single places, with central differences of the definition."""
    rng = np.random.default_rng(7)
    array, step = {"input": x, "target": t}[by], 1e-5
    for k in range(6):
        direction = rng.normal(size=array.shape)
        if k >= 3:
            direction = np.zeros(array.shape)
            direction[tuple(rng.integers(0, n) for n in array.shape)] = 1.0
        values = []
        for sign in (1, -1):
            moved = array + sign * step * direction
            values.append(expected(info, *((moved, t) if by == "input" else (x, moved)), **options))
        same((grad * direction).sum(), (values[0] - values[1]) / (2 * step), 5e-8)


def settings(info: LossInfo) -> Iterator[dict[str, Any]]:
    """Every option by itself, and options that meet in one sum."""
    rng = np.random.default_rng(3)
    where = rng.random((SAMPLES, ROWS, COLUMNS)) < 0.7
    by_sample, by_position = rng.random(SAMPLES) + 0.5, rng.random((SAMPLES, ROWS, COLUMNS)) + 0.5
    yield {}
    for item in info.parameters:
        for value in getattr(item, "examples", ()):
            yield {item.name: value}
        if item.kind == "bool" and item.name != "check":
            yield {item.name: True}
    if "intersection" in info.parameter_names:
        yield {"intersection": "min"}
        yield {"squared": True, "log": True} if "log" in info.parameter_names else {"squared": True}
    for per, absent in itertools.product(("sample_class", "class", "sample", "all"), ("include", "zero", "skip")):
        yield {"per": per, "absent": absent, "weight": WEIGHT}
        yield {"per": per, "absent": absent, "sample_weight": by_sample, "classes": (1, 2)}
        if "weighted_mean" in info.reductions:
            yield {
                "per": per,
                "absent": absent,
                "weight": WEIGHT,
                "sample_weight": by_sample,
                "reduction": "weighted_mean",
            }
    yield {"where": where, "sample_weight": by_position}
    yield {"where": where, "weight": WEIGHT, "reduction": "sum", "smooth": 0.5, "eps": 0.1}


def same(actual: Any, wanted: Any, tolerance: float) -> None:
    np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance)


# ---- values and derivatives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dense", [False, True], ids=["indices", "masks"])
@each_ratio
def test_values_are_those_of_the_definition_for_every_option(info: LossInfo, dense: bool) -> None:
    for activation in activations(info):
        x, t = draw(activation, dense=dense)
        for options in settings(info):
            value = function(info)(x, t, activation=activation, **options)
            same(value, expected(info, x, t, activation=activation, **options), 1e-11)


@pytest.mark.parametrize("by", ["input", "target"])
@each_ratio
def test_derivatives_are_those_of_the_definition_for_every_option(info: LossInfo, by: str) -> None:
    for activation in activations(info):
        for k, options in enumerate(settings(info)):
            if k % 3 != len(activation) % 3 and k > 8:  # a third of the combinations with each activation
                continue
            # A difference sees nothing of a slope that smooth bends within 1e-5 of an empty target.
            x, t = draw(activation, dense=by == "target" or k % 2 == 0, absent=by == "input")
            grad = function(info).grad(x, t, activation=activation, wrt=by, **options)
            assert_slopes(info, x, t, by, grad, activation=activation, **options)


@each_ratio
def test_ignored_positions_are_those_of_no_class(info: LossInfo) -> None:
    activation = activations(info)[-1]
    x, t = draw(activation, dense=False)
    t[0, 0], t[2, 1] = -100, -100
    value, grad = function(info).value_and_grad(x, t, activation=activation, ignore_index=-100)
    same(value, expected(info, x, t, activation=activation, ignore_index=-100), 1e-11)
    assert_slopes(info, x, t, "input", grad, activation=activation, ignore_index=-100)
    assert (grad[0, :, 0] == 0).all()
    masked = function(info)(x, np.where(t == -100, 0, t), activation=activation, where=t != -100)
    assert masked == value


@each_ratio
def test_the_table_is_returned_without_a_reduction(info: LossInfo) -> None:
    if "none" not in info.reductions:
        pytest.skip("the terms of this loss have no common table")
    shapes = {"sample_class": (SAMPLES, CLASSES), "class": (CLASSES,), "sample": (SAMPLES,), "all": ()}
    x, t = draw("sigmoid", dense=False)
    for per, shape in shapes.items():
        options = {"activation": "sigmoid", "per": per, "weight": WEIGHT}
        table = function(info)(x, t, reduction="none", **options)
        assert table.shape == shape
        same(table.reshape(-1), expected(info, x, t, reduction="none", **options), 1e-11)
        upstream = np.random.default_rng(0).normal(size=shape)
        grad = function(info).grad(x, t, reduction="none", grad_output=upstream, **options)
        parts = np.zeros_like(x)
        for place in np.ndindex(shape):
            only = np.zeros(shape)
            only[place] = upstream[place]
            parts += function(info).grad(x, t, reduction="none", grad_output=only, **options)
        same(grad, parts, 1e-12)


# ---- layouts and types ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16], ids=["float32", "half", "bfloat16"])
@each_ratio
def test_narrow_types_give_the_value_of_their_numbers(info: LossInfo, dtype: Any) -> None:
    for activation, dense in itertools.product(activations(info), (False, True)):
        x, t = draw(activation, dense=dense, dtype=dtype)
        value, grad = function(info).value_and_grad(x, t, activation=activation)
        wide = x.astype(np.float64), t.astype(np.float64) if dense else t
        exact, exact_grad = function(info).value_and_grad(*wide, activation=activation)
        same(value, exact, 2e-6)
        assert grad.dtype == x.dtype
        rounding = {4: 1e-6, 2: 1e-3 if dtype == np.float16 else 1e-2}[x.itemsize]
        np.testing.assert_allclose(grad.astype(np.float64), exact_grad, rtol=rounding, atol=rounding * 1e-1)


@each_ratio
def test_layouts_change_nothing(info: LossInfo) -> None:
    activation = activations(info)[-1]
    x, t = draw(activation, dense=False)
    value, grad = function(info).value_and_grad(x, t, activation=activation)
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    for given, labels in (
        (np.asfortranarray(x), np.asfortranarray(t)),
        (np.repeat(x, 2, axis=3)[..., ::2], np.repeat(t, 2, axis=0)[::2]),
        (x[:, ::-1][:, ::-1], t.astype(np.uint8)),
        (x[::-1, :, ::-1].copy()[::-1, :, ::-1], t.astype(np.int16)),
        (x, t.astype(">i4")),
        (x, t.astype(np.uint64)),
    ):
        other, other_grad = function(info).value_and_grad(given, labels, activation=activation)
        same(other, value, 1e-14)
        same(other_grad, grad, 1e-14)
    other, other_grad = function(info).value_and_grad(last, t, activation=activation, axis=-1)
    same(other, value, 1e-14)
    same(np.moveaxis(other_grad, -1, 1), grad, 1e-14)


@each_ratio
def test_masks_may_hold_numbers_integers_or_marks(info: LossInfo) -> None:
    activation = activations(info)[-1]
    x, t = draw(activation, dense=False)
    marks = np.moveaxis(np.eye(CLASSES)[t], -1, 1)
    value = function(info)(x, marks, activation=activation)
    for dtype in (bool, np.int8, np.uint8, np.int64, np.uint32, np.float32, np.float16):
        same(function(info)(x, marks.astype(dtype), activation=activation), value, 1e-14)
    same(function(info)(x, t, activation=activation), value, 1e-13)
    with pytest.raises(losslib.ParameterError, match="float type"):
        function(info).grad(x, marks.astype(bool), activation=activation, wrt="target")


@each_ratio
def test_one_class_needs_no_axis(info: LossInfo) -> None:
    x, _ = draw("sigmoid", dense=False)
    x, t = x[:, 0], x[:, 1] > 0
    value, grad = function(info).value_and_grad(x, t, axis=None, activation="sigmoid")
    other, other_grad = function(info).value_and_grad(x[:, np.newaxis], t[:, np.newaxis], activation="sigmoid")
    assert value == other
    np.testing.assert_array_equal(grad, other_grad[:, 0])


@each_ratio
def test_the_gradient_may_overwrite_the_input(info: LossInfo) -> None:
    for activation, dtype in itertools.product(activations(info), (np.float32, np.float64, np.float16)):
        x, t = draw(activation, dense=True, dtype=dtype)
        grad = function(info).grad(x, t, activation=activation)
        out = x.copy()
        assert function(info).grad(out, t, activation=activation, out=out) is out
        np.testing.assert_array_equal(out, grad)
        both = function(info).grad(x, t, activation=activation, wrt=("input", "target"))
        given = (x.copy(), t.copy())
        function(info).grad(*given, activation=activation, wrt=("input", "target"), out=given)
        for result, wanted in zip(given, both, strict=True):
            np.testing.assert_array_equal(result, wanted)


def test_an_input_is_not_lost_by_a_call_that_is_refused() -> None:
    x, t = draw("none", dense=False)
    x[1, 2, 0, 0] = 1.5
    before = x.copy()
    with pytest.raises(losslib.DomainError, match=r"input\[1, 2, 0, 0\] is 1.5.*activation='sigmoid'"):
        losslib.dice_loss.grad(x, t, out=x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@each_ratio
def test_what_is_kept_between_the_passes_changes_no_bit(info: LossInfo, dtype: Any) -> None:
    """An array of its own takes sigmoids before it takes the gradient; an input that is overwritten cannot."""
    rng = np.random.default_rng(4)
    for shape in ((2, 3, 1), (2, 1, 15), (1, 2, 16), (1, 1, 1041), (2, 2, 70_001), (2, 1, 0)):
        x = (rng.normal(size=shape) * 5).astype(dtype)
        marks = rng.random(shape) < 0.3
        soft, unknown = marks.astype(dtype), x.copy()
        soft[..., -1:] = 0.25  # one task of the large shape alone
        unknown[:1, :1, :1] = np.nan
        x[..., 3:4], x[..., 5:6] = np.inf, -np.inf
        x[..., 7:8], x[..., 8:9] = 0.0, -0.0
        for given, target in ((x, marks), (x, marks.astype(dtype)), (x, soft), (unknown, marks.astype(np.int64))):
            for options in ({}, {"classes": (-1,), "weight": np.arange(1.0, shape[1] + 1)}) if shape[1] else ({},):
                call = {"activation": "sigmoid", **options}
                value, grad = function(info).value_and_grad(given, target, **call)
                out = given.copy()
                again, _ = function(info).value_and_grad(out, target, out=out, **call)
                np.testing.assert_array_equal(out, grad)
                np.testing.assert_equal(again, value)
                np.testing.assert_equal(function(info)(given, target, **call), value)
                apart = np.full((*shape, 2), 7.0, dtype)[..., 0]  # rows with gaps
                function(info).grad(given, target, out=apart, **call)
                np.testing.assert_array_equal(apart, grad)


@each_ratio
def test_derivatives_of_masks_of_marks_are_those_of_the_definition(info: LossInfo) -> None:
    x, t = draw("sigmoid", dense=False)
    marks = np.moveaxis(np.eye(CLASSES)[t], -1, 1)
    for options in ({}, {"weight": WEIGHT, "per": "class"}, {"classes": (0, 2), "smooth": 0.5}):
        grad = function(info).grad(x, marks, activation="sigmoid", **options)
        assert_slopes(info, x, marks, "input", grad, activation="sigmoid", **options)


# ---- extremes ------------------------------------------------------------------------------------------------------


@each_ratio
def test_masked_positions_are_not_looked_at(info: LossInfo) -> None:
    for activation, dense in itertools.product(activations(info), (False, True)):
        x, t = draw(activation, dense=dense)
        keep = np.random.default_rng(5).random((SAMPLES, ROWS, COLUMNS)) < 0.6
        value, grad = function(info).value_and_grad(x, t, activation=activation, where=keep)
        out = np.broadcast_to(~keep[:, np.newaxis], x.shape)
        worse = np.where(out, np.nan, x)
        wrong = np.where(out, np.inf, t) if dense else np.where(keep, t, 99)
        again, again_grad = function(info).value_and_grad(worse, wrong, activation=activation, where=keep)
        assert again == value
        np.testing.assert_array_equal(again_grad, grad)
        assert (grad[out] == 0).all()


@each_ratio
def test_nan_stays_nan(info: LossInfo) -> None:
    for activation in activations(info):
        x, t = draw(activation, dense=False)
        x[0, 1, 1, 1] = np.nan
        assert np.isnan(function(info)(x, t, activation=activation))


@each_ratio
def test_a_perfect_prediction_costs_nothing_and_a_saturated_one_keeps_its_digits(info: LossInfo) -> None:
    if info.name == "dice_cross_entropy_loss":
        pytest.skip("takes no probabilities")
    _, t = draw("none", dense=False)
    marks = np.moveaxis(np.eye(CLASSES)[t], -1, 1)
    value, grad = function(info).value_and_grad(marks, t, smooth=0.0)
    assert value == 0.0
    assert np.isfinite(grad).all()
    if info.name in ("dice_loss", "jaccard_loss"):
        for dtype, distance in ((np.float32, 40.0), (np.float64, 60.0)):
            logits = ((2 * marks - 1) * distance).astype(dtype)
            for activation in ("sigmoid", "softmax"):
                sure = distance if activation == "sigmoid" else 2 * distance
                wrong = np.exp(-sure) * (1 if activation == "sigmoid" else CLASSES - 1)
                found = function(info)(logits, t, activation=activation, smooth=0.0, per="all")
                positions = t.size * (CLASSES if activation == "sigmoid" else 2)
                share = positions * wrong / ((2 if info.name == "dice_loss" else 1) * t.size)
                assert found == pytest.approx(share, rel=1e-5)


@each_ratio
def test_regions_without_anything_in_them(info: LossInfo) -> None:
    """No foreground, all foreground, one position, no position, no sample."""
    activation = activations(info)[-1]
    for shape in ((2, 3, 4, 4), (2, 3, 1, 1), (2, 3), (1, 2, 7)):
        x = np.random.default_rng(1).normal(size=shape)
        around = (shape[0], *shape[2:])
        for t in (np.zeros(around, int), np.full(around, shape[1] - 1)):
            for smooth, absent in itertools.product((0.0, 1.0), ("include", "zero", "skip")):
                value, grad = function(info).value_and_grad(x, t, activation=activation, smooth=smooth, absent=absent)
                assert np.isfinite(value)
                assert np.isfinite(grad).all()
    nothing = np.zeros((0, 3, 4)), np.zeros((0, 4), int)
    value, grad = function(info).value_and_grad(*nothing, activation=activation)
    assert np.isnan(value)
    assert grad.shape == (0, 3, 4)
    value, grad = function(info).value_and_grad(
        np.zeros((2, 3, 0)), np.zeros((2, 0), int), activation=activation, smooth=0.0
    )
    assert grad.shape == (2, 3, 0)


def test_sure_logits_on_the_right_side_cost_nothing() -> None:
    """0 times infinity is 0: the cross-entropy of a logit that is infinite, or nearly, and right."""
    for dtype, size in itertools.product((np.float32, np.float64), (3, 16, 100)):
        marks = np.arange(size) % 3 == 0
        for where in (True, np.arange(size) != 1):
            for target in (marks, marks.astype(dtype)):
                x = np.where(marks, np.inf, -np.inf).astype(dtype)[np.newaxis]
                call = {"axis": None, "activation": "sigmoid", "where": where}
                value, grad = losslib.dice_cross_entropy_loss.value_and_grad(x, target[np.newaxis], **call)
                assert value == 0.0
                assert not grad.any()
                assert losslib.dice_cross_entropy_loss(-x, target[np.newaxis], **call) == np.inf


@pytest.mark.parametrize("info", losslib.list_losses("segmentation"), ids=lambda info: info.name)
def test_no_class_is_no_accident(info: LossInfo) -> None:
    x = np.zeros((2, 0, 5))
    for target in (np.zeros((2, 0, 5)), np.zeros((2, 5), int)):
        try:
            value, grad = function(info).value_and_grad(x, target)
        except (losslib.ShapeError, losslib.DTypeError, losslib.DomainError):
            continue
        assert value == 0.0 or np.isnan(value)
        assert grad.shape == x.shape


def test_nothing_to_find_and_nothing_found_is_perfect() -> None:
    empty = np.zeros((1, 2, 3, 3))
    for loss in (losslib.dice_loss, losslib.jaccard_loss, losslib.tversky_loss, losslib.mcc_loss):
        value, grad = loss.value_and_grad(empty, empty, smooth=0.0)
        assert value == 0.0
        assert not grad.any()
    assert losslib.dice_loss(empty + 1e-3, empty, smooth=0.0) == 1.0
    assert losslib.dice_loss(empty + 1e-3, empty, smooth=0.0, absent="skip") == 0.0


def test_a_thousand_million_positions_are_counted_exactly() -> None:
    """Arrays of one number by stride tricks: sums in float64 do not saturate as those in float32 do."""
    positions = 10**9
    x = np.broadcast_to(np.float32(0.25), (1, 1, positions))
    t = np.broadcast_to(np.True_, (1, 1, positions))
    with losslib.threads(2):
        value = losslib.dice_loss(x, t, smooth=0.0)
    assert value == pytest.approx(1 - 2 * 0.25 / 1.25, rel=1e-12)


# ---- invariances ---------------------------------------------------------------------------------------------------


@each_ratio
def test_the_order_of_samples_classes_and_positions_does_not_matter(info: LossInfo) -> None:
    rng = np.random.default_rng(2)
    samples, classes, positions = rng.permutation(SAMPLES), rng.permutation(CLASSES), rng.permutation(ROWS * COLUMNS)
    for activation, per in itertools.product(activations(info), ("sample_class", "class", "sample", "all")):
        x, t = draw(activation, dense=True)
        x, t = x.reshape(SAMPLES, CLASSES, -1), t.reshape(SAMPLES, CLASSES, -1)
        value, grad = function(info).value_and_grad(x, t, activation=activation, per=per)
        order = np.ix_(samples, classes, positions)
        moved, moved_grad = function(info).value_and_grad(x[order], t[order], activation=activation, per=per)
        same(moved, value, 1e-13)
        same(moved_grad, grad[order], 1e-13)


@each_ratio
def test_softmax_does_not_see_an_offset(info: LossInfo) -> None:
    x, t = draw("softmax", dense=False)
    value, grad = function(info).value_and_grad(x, t, activation="softmax")
    moved, moved_grad = function(info).value_and_grad(x + 1024.0, t, activation="softmax")
    same(moved, value, 1e-11)
    same(moved_grad, grad, 1e-11)
    same(grad.sum(axis=1), 0.0, 1e-15)


@each_ratio
def test_the_number_of_threads_changes_no_bit(info: LossInfo) -> None:
    activation = activations(info)[-1]
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(2, 5, 300, 301)).astype(np.float32), rng.integers(0, 5, (2, 300, 301))
    for target, word in ((t, activation), (rng.random(x.shape) < 0.3, "sigmoid")):
        found = []
        for count in (1, 2, 3, 7):
            with losslib.threads(count):
                value, grad = function(info).value_and_grad(x, target, activation=word)
            found.append((np.float64(value).tobytes(), grad.tobytes()))
        assert len(set(found)) == 1


# ---- sums over batches, errors -------------------------------------------------------------------------------------


@each_ratio
def test_batches_of_samples_add_up(info: LossInfo) -> None:
    activation = activations(info)[-1]
    x, t = draw(activation, dense=False)
    loss = losslib.get(info.name, activation=activation)
    accumulator = losslib.Accumulator(loss)
    if info.name != "dice_cross_entropy_loss":
        accumulator.update(x[:1], t[:1])
        accumulator.update(x[1:], t[1:])
        assert accumulator.result() == pytest.approx(loss(x, t), rel=1e-13)
    pooled = [loss.replace(per=per) for per in ("class", "all")]
    for whole in [loss, *pooled] if info.name == "dice_cross_entropy_loss" else pooled:
        accumulator = losslib.Accumulator(whole)
        accumulator.update(x, t)  # all samples at once
        assert accumulator.result() == pytest.approx(whole(x, t), rel=1e-13)
        with pytest.raises(losslib.ParameterError, match="does not add up over several updates"):
            accumulator.update(x, t)
        with pytest.raises(losslib.ParameterError, match="does not add up over groups"):
            losslib.Accumulator(whole).update(x, t, by=np.arange(len(x)))


def test_errors_name_the_argument_and_the_remedy() -> None:
    x, t = draw("softmax", dense=False)
    p, _ = draw("none", dense=False)
    for error, match, call in (
        (losslib.DomainError, "activation='sigmoid' or activation='softmax'", lambda: losslib.dice_loss(x, t)),
        (losslib.DomainError, r"target\[0, 0, 0\] is .*classes: expected 0 to 3",
         lambda: losslib.dice_loss(p, t + 4, check=False)),
        (losslib.ShapeError, "a mask of one class has the shape of input", lambda: losslib.dice_loss(p[:, :1], t * 0)),
        (losslib.ShapeError, "with axis=None", lambda: losslib.dice_loss(p[:, :1], t * 0.0)),
        (losslib.ShapeError, "a class index for each position", lambda: losslib.dice_loss(p, t[:, :1])),
        (losslib.ShapeError, "a mask of each class", lambda: losslib.dice_loss(p, t[:, np.newaxis])),
        (losslib.DTypeError, "class indices must be integers", lambda: losslib.dice_loss(p, t * 1.0)),
        (losslib.ShapeError, "no class axis", lambda: losslib.dice_loss(p, t, axis=0)),
        (losslib.ShapeError, "use activation='sigmoid'",
         lambda: losslib.dice_loss(x[:, :1], t * 0, activation="softmax")),
        (losslib.ParameterError, "at least one integer", lambda: losslib.dice_loss(p, t, classes=())),
        (losslib.ShapeError, "classes holds 4", lambda: losslib.dice_loss(p, t, classes=(1, 4))),
        (losslib.ShapeError, "one weight for each class", lambda: losslib.dice_loss(p, t, weight=[1.0, 2.0])),
        (losslib.DomainError, "class indices have no class axis",
         lambda: losslib.dice_loss(p, np.repeat(t[:, np.newaxis], 4, 1))),
        (TypeError, "has no Hessian", lambda: losslib.dice_loss.value_grad_hess(p, t)),
    ):  # fmt: skip
        with pytest.raises(error, match=match):
            call()


def test_the_loss_takes_no_array_of_the_size_of_the_input() -> None:
    import tracemalloc

    x, t = np.zeros((1, 4, 512, 512), np.float32), np.zeros((1, 512, 512), np.uint8)
    out = np.empty_like(x)
    loss = losslib.DiceLoss(activation="softmax")
    loss.value_and_grad(x, t, out=out)
    tracemalloc.start()
    loss.value_and_grad(x, t, out=out)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < x.nbytes / 100
