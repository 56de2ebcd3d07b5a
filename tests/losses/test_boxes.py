"""The losses of boxes against their textbook formulas in mpmath and NumPy: options, formats, extremes, invariances."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

import losslib
from losslib.declaration.schema import LossInfo

LOSSES = tuple(info for info in losslib.list_losses("boxes") if info.geometry == "boxes")
each_loss = pytest.mark.parametrize("info", LOSSES, ids=lambda info: info.name)
each_format = pytest.mark.parametrize("box_format", ["xyxy", "xywh", "cxcywh"])

BOXES = 40
DIGITS = 60


def function(info: LossInfo) -> Any:
    return getattr(losslib, info.name)


# ---- the formulas, as they stand in the papers, with many digits ----------------------------------------------------


def corners(box: Any, box_format: str) -> tuple[Any, Any, Any, Any]:
    a, b, c, d = box
    if box_format == "xywh":
        return a, b, a + c, b + d
    if box_format == "cxcywh":
        return a - c / 2, b - d / 2, a + c / 2, b + d / 2
    return a, b, c, d


def power(x: Any, a: Any) -> Any:
    return mpf(0) if x == 0 else x**a


def by_definition(info: LossInfo, box: Any, other: Any, *, alpha: Any = None, **options: Any) -> tuple[Any, Any]:
    """The value of one pair of boxes, and the trade-off of the complete IoU loss, which its derivative holds."""
    o = {item.name: item.default for item in info.parameters} | options
    eps = mpf("1e-7")
    x1, y1, x2, y2 = corners(box, o["box_format"])
    u1, v1, u2, v2 = corners(other, o["box_format"])
    w, h, tw, th = x2 - x1, y2 - y1, u2 - u1, v2 - v1
    across, down = min(x2, u2) - max(x1, u1), min(y2, v2) - max(y1, v1)
    shared = across * down if across > 0 and down > 0 else mpf(0)
    union = w * h + tw * th - shared
    iou = shared / (union + eps)
    around_w, around_h = max(x2, u2) - min(x1, u1), max(y2, v2) - min(y1, v1)
    rho2 = ((x1 + x2 - u1 - u2) ** 2 + (y1 + y2 - v1 - v2) ** 2) / 4
    centre = rho2 / (around_w**2 + around_h**2 + eps)
    a = mpf(o.get("power", 1.0))
    v = 4 / mp.pi**2 * (mpmath.atan2(tw, th) - mpmath.atan2(w, h)) ** 2
    if alpha is None:
        alpha = v / (1 - iou + v + eps)
    name = info.name
    if name == "box_iou_loss":
        if o["mode"] == "square":
            return 1 - iou**2, alpha
        if o["mode"] == "log":
            return -mpmath.log(max(iou, eps)), alpha
        return 1 - power(iou, a), alpha
    if name == "generalized_box_iou_loss":
        empty = (around_w * around_h - union) / (around_w * around_h + eps)
        return 1 - power(iou, a) + power(empty, a), alpha
    if name == "distance_box_iou_loss":
        return 1 - power(iou, a) + power(centre, a), alpha
    if name == "complete_box_iou_loss":
        return 1 - power(iou, a) + power(centre, a) + power(alpha * v, a), alpha
    if name == "efficient_box_iou_loss":
        sides = (w - tw) ** 2 / (around_w**2 + eps) + (h - th) ** 2 / (around_h**2 + eps)
        weight = power(iou, mpf(o["focal"])) if o["focal"] else mpf(1)
        return (1 - iou + centre + sides) * weight, alpha
    distance = mpmath.sqrt(rho2 + ((w - tw) ** 2 + (h - th) ** 2) / 4 + eps)
    return 1 - mpmath.exp(-distance / mpf(o["constant"])), alpha


def expected(info: LossInfo, x: np.ndarray, t: np.ndarray, **options: Any) -> np.ndarray:
    with mp.workdps(DIGITS):
        values = []
        for a, b in zip(x.tolist(), t.tolist(), strict=True):
            values.append(float(by_definition(info, list(map(mpf, a)), list(map(mpf, b)), **options)[0]))
        return np.array(values)


def slopes(info: LossInfo, x: np.ndarray, t: np.ndarray, by: str, **options: Any) -> np.ndarray:
    """The derivatives of each value, from differences of numbers with 60 digits."""
    result = np.empty(x.shape)
    with mp.workdps(DIGITS):
        step = mpf("1e-25")
        for row, (a, b) in enumerate(zip(x.tolist(), t.tolist(), strict=True)):
            boxes = [list(map(mpf, a)), list(map(mpf, b))]
            place = 0 if by == "input" else 1
            _, alpha = by_definition(info, *boxes, **options)
            for k in range(4):
                values = []
                for sign in (1, -1):
                    moved = [list(box) for box in boxes]
                    moved[place][k] += sign * step
                    values.append(by_definition(info, *moved, alpha=alpha, **options)[0])
                result[row, k] = float((values[0] - values[1]) / (2 * step))
    return result


def draw(box_format: str = "xyxy", count: int = BOXES, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Boxes that overlap, contain one another, or lie apart; no coordinates in common."""
    rng = np.random.default_rng(count)
    low, size = rng.uniform(0, 6, (2, count, 2)), rng.uniform(0.5, 6, (2, count, 2))
    boxes = {
        "xyxy": np.concatenate([low, low + size], axis=-1),
        "xywh": np.concatenate([low, size], axis=-1),
        "cxcywh": np.concatenate([low + size / 2, size], axis=-1),
    }[box_format]
    return boxes[0].astype(dtype), boxes[1].astype(dtype)


def settings(info: LossInfo) -> Iterator[dict[str, Any]]:
    yield {}
    for item in info.parameters:
        for value in getattr(item, "examples", ()):
            yield {item.name: value}
    if "mode" in info.parameter_names:
        yield from ({"mode": "square"}, {"mode": "log"})


# ---- values and derivatives ----------------------------------------------------------------------------------------


@each_format
@each_loss
def test_values_and_derivatives_are_those_of_the_papers(info: LossInfo, box_format: str) -> None:
    x, t = draw(box_format)
    for options in settings(info):
        given = {"box_format": box_format, **options}
        value = function(info)(x, t, reduction="none", **given)
        np.testing.assert_allclose(value, expected(info, x, t, **given), rtol=1e-13, atol=1e-15)
        grads = function(info).grad(x, t, wrt=("input", "target"), reduction="sum", **given)
        for by, grad in zip(("input", "target"), grads, strict=True):
            np.testing.assert_allclose(grad, slopes(info, x, t, by, **given), rtol=1e-11, atol=1e-13)


@each_loss
def test_nearly_equal_boxes_keep_all_digits(info: LossInfo) -> None:
    """1 - IoU of boxes that differ in the last digits is no difference of nearly equal numbers here."""
    x, _ = draw()
    t = x * (1 + 1e-9)
    value = function(info)(x, t, reduction="none")
    np.testing.assert_allclose(value, expected(info, x, t), rtol=1e-6)


@each_loss
def test_equal_coordinates_share_a_derivative_as_in_torch(info: LossInfo) -> None:
    x, t = draw()
    t[:20, 2:] += x[:20, :2] - t[:20, :2]
    t[:20, :2] = x[:20, :2]
    t[10:30, :2] += x[10:30, 2:] - t[10:30, 2:]
    t[10:30, 2:] = x[10:30, 2:]
    step = 1e-7
    grad = function(info).grad(x, t, reduction="sum")
    for column in range(4):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[:, column] += sign * step
            ends.append(function(info)(moved, t, reduction="none"))
        if info.name != "complete_box_iou_loss":  # whose trade-off is held
            np.testing.assert_allclose(grad[:, column], (ends[0] - ends[1]) / (2 * step), atol=2e-6)


# ---- extremes ------------------------------------------------------------------------------------------------------


@each_format
@each_loss
def test_boxes_without_sides_and_equal_boxes_are_finite(info: LossInfo, box_format: str) -> None:
    points = np.array([[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 3], [0, 0, 3, 0], [0, 0, 2, 2], [5, 5, 1, 1]], float)
    boxes = points if box_format != "xyxy" else np.concatenate([points[:, :2], points[:, :2] + points[:, 2:]], axis=1)
    pairs = np.array(list(itertools.product(boxes, boxes)))
    for dtype, options in itertools.product((np.float32, np.float64), settings(info)):
        x, t = pairs[:, 0].astype(dtype), pairs[:, 1].astype(dtype)
        value, grads = function(info).value_and_grad(
            x, t, wrt=("input", "target"), reduction="none", box_format=box_format, **options
        )
        assert np.isfinite(value).all()
        assert all(np.isfinite(grad).all() for grad in grads)


@each_loss
def test_tiny_and_huge_boxes_are_finite_in_float32(info: LossInfo) -> None:
    x, t = draw()
    for scale in (1e-30, 1e-12, 1e8):
        value, grad = function(info).value_and_grad((x * scale).astype("f4"), (t * scale).astype("f4"))
        assert np.isfinite(value)
        assert np.isfinite(grad).all()


def test_boxes_apart_have_no_slope_by_what_they_share() -> None:
    x, t = np.array([[0.0, 0, 1, 1]] * 3), np.array([[2.0, 0, 3, 1], [1, 0, 2, 1], [5, 5, 6, 6]])
    for mode in ("linear", "square", "log"):
        value, grad = losslib.box_iou_loss.value_and_grad(x, t, mode=mode, reduction="none")
        assert not grad.any()
        assert (value == (-np.log(1e-7) if mode == "log" else 1.0)).all()


@each_loss
def test_nan_stays_nan_and_touches_its_box_only(info: LossInfo) -> None:
    for k, array in itertools.product(range(4), (0, 1)):
        for box_format in ("xyxy", "xywh", "cxcywh"):
            boxes = draw(box_format)
            boxes[array][3, k] = np.nan
            value, grad = function(info).value_and_grad(*boxes, reduction="none", box_format=box_format)
            assert np.isnan(value[3])
            assert np.isnan(grad[3]).any()
            assert np.isfinite(np.delete(value, 3)).all()
            assert np.isfinite(np.delete(grad, 3, axis=0)).all()


@each_loss
def test_no_boxes_cost_nothing_or_nan(info: LossInfo) -> None:
    none = np.zeros((0, 4))
    value, grad = function(info).value_and_grad(none, none)
    assert value == 0.0
    assert grad.shape == (0, 4)
    assert np.isnan(function(info)(none, none, empty="nan"))
    x, t = draw()
    masked, masked_grad = function(info).value_and_grad(x, t, where=np.zeros(BOXES, bool))
    assert masked == 0.0
    assert not masked_grad.any()
    assert function(info)(none, none, reduction="sum") == 0.0


@each_loss
def test_masked_boxes_are_not_looked_at(info: LossInfo) -> None:
    x, t = draw()
    keep = np.arange(BOXES) % 3 != 0
    value, grad = function(info).value_and_grad(x, t, where=keep)
    assert value == pytest.approx(function(info)(x[keep], t[keep]), rel=1e-14)
    worse, wrong = np.where(keep[:, np.newaxis], x, np.nan), np.where(keep[:, np.newaxis], t, -t)
    again, again_grad = function(info).value_and_grad(worse, wrong, where=keep)
    assert again == value
    np.testing.assert_array_equal(again_grad, grad)
    assert (grad[~keep] == 0).all()


def test_inverted_boxes_are_named_and_computed_on_demand() -> None:
    x, t = draw()
    t[7, 2] = t[7, 0] - 1
    out = x.copy()
    for info in LOSSES:
        with pytest.raises(losslib.DomainError, match=r"target\[7\] is \[.*box_format='xywh'"):
            function(info)(x, t)
        with pytest.raises(losslib.DomainError, match=r"target\[7\]"):
            losslib.get(info.name).grad(out, t, out=out)
        np.testing.assert_array_equal(out, x)
        value, grad = function(info).value_and_grad(x, t, check=False, reduction="none")
        assert np.isfinite(np.delete(value, 7)).all()
        assert np.isfinite(grad).all()
    with pytest.raises(losslib.DomainError, match=r"width and height >= 0.*box_format='xyxy'"):
        losslib.box_iou_loss([[0, 0, -1, 1]], [[0, 0, 1, 1]], box_format="xywh")
    with pytest.raises(losslib.ShapeError, match=r"target has 2 boxes and input has 3.*row by row"):
        losslib.box_iou_loss(np.zeros((3, 4)), np.zeros((2, 4)))
    with pytest.raises(losslib.ShapeError, match="expected \\(N, 4\\)"):
        losslib.box_iou_loss(np.zeros((3, 5)), np.zeros((3, 5)))


# ---- invariances, layouts, threads ---------------------------------------------------------------------------------


@each_loss
def test_translation_and_order_change_nothing(info: LossInfo) -> None:
    x, t = (np.round(boxes * 64) / 64 for boxes in draw())  # exact after a shift by whole numbers
    value, grad = function(info).value_and_grad(x, t, reduction="none")
    for shift in (1.0, -3.0, 2.0**20):
        moved, moved_grad = function(info).value_and_grad(x + shift, t + shift, reduction="none")
        np.testing.assert_allclose(moved, value, rtol=1e-15)
        np.testing.assert_allclose(moved_grad, grad, rtol=1e-13, atol=1e-16)
    order = np.random.default_rng(0).permutation(BOXES)
    np.testing.assert_allclose(function(info)(x[order], t[order], reduction="none"), value[order], rtol=1e-15)


@each_loss
def test_formats_agree_and_gradients_follow_the_chain_rule(info: LossInfo) -> None:
    x, t = draw("xyxy")
    value, grad = function(info).value_and_grad(x, t, reduction="none")
    wide = [np.concatenate([box[:, :2], box[:, 2:] - box[:, :2]], axis=1) for box in (x, t)]
    other, other_grad = function(info).value_and_grad(*wide, reduction="none", box_format="xywh")
    np.testing.assert_allclose(other, value, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(other_grad[:, :2], grad[:, :2] + grad[:, 2:], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(other_grad[:, 2:], grad[:, 2:], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16], ids=["float32", "half", "bfloat16"])
@each_loss
def test_narrow_types_give_the_value_of_their_numbers(info: LossInfo, dtype: Any) -> None:
    x, t = draw(dtype=dtype)
    value, grad = function(info).value_and_grad(x, t)
    exact, exact_grad = function(info).value_and_grad(x.astype("f8"), t.astype("f8"))
    assert grad.dtype == x.dtype
    assert value == pytest.approx(exact, rel=1e-5)
    rounding = {4: 1e-5, 2: 1e-3 if dtype == np.float16 else 1e-2}[x.itemsize]
    np.testing.assert_allclose(grad.astype("f8"), exact_grad, rtol=rounding, atol=rounding * 1e-1)


@each_loss
def test_layouts_and_plain_calls_agree(info: LossInfo) -> None:
    for dtype in (np.float32, np.float64):
        x, t = draw(count=150, dtype=dtype)
        loss = losslib.get(info.name)
        value, grad = loss.value_and_grad(x, t)
        for a, b in (
            (np.asfortranarray(x), t),
            (np.repeat(x, 2, axis=0)[::2], np.repeat(t, 2, axis=1)[:, ::2]),
            (x[::-1].copy()[::-1], t.tolist() if dtype == np.float64 else t),
            (x.astype(x.dtype.newbyteorder(">")), t),
        ):
            other, other_grad = loss.value_and_grad(a, b)
            assert other == pytest.approx(value, rel=1e-6 if dtype == np.float32 else 1e-14)
            np.testing.assert_array_equal(other_grad, grad)
        out = x.copy()
        assert loss.grad(out, t, out=out) is out
        np.testing.assert_array_equal(out, grad)
        wider = x.reshape(5, 30, 4), t.reshape(5, 30, 4)
        assert function(info)(*wider, reduction="none").shape == (5, 30)
        one, one_grad = loss.value_and_grad(x[0], t[0])
        assert one == pytest.approx(float(function(info)(x, t, reduction="none")[0]), rel=1e-6)
        assert one_grad.shape == (4,)


@each_loss
def test_weights_multiply_values_and_gradients(info: LossInfo) -> None:
    x, t = draw()
    weight = np.random.default_rng(0).random(BOXES)
    rows = function(info)(x, t, reduction="none")
    for reduction, over in (("mean", BOXES), ("sum", 1.0), ("weighted_mean", weight.sum())):
        value, grad = function(info).value_and_grad(x, t, sample_weight=weight, reduction=reduction, grad_output=2.0)
        assert value == pytest.approx((rows * weight).sum() / over, rel=1e-13)
        alone = function(info).grad(x, t, reduction="none", grad_output=2 * weight / over)
        np.testing.assert_allclose(grad, alone, rtol=1e-12, atol=1e-16)


@each_loss
def test_the_number_of_threads_changes_no_bit(info: LossInfo) -> None:
    for dtype in (np.float32, np.float64):
        x, t = draw(count=40_001, dtype=dtype)
        loss, found = losslib.get(info.name), []
        for count in (1, 2, 3, 7):
            with losslib.threads(count):
                value, grad = loss.value_and_grad(x, t)
            found.append((np.float64(value).tobytes(), grad.tobytes()))
        assert len(set(found)) == 1
