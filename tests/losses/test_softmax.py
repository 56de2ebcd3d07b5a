"""Losses of softmax rows against plain NumPy: values, derivatives, options, layouts, dtypes, limits and errors.

The references below are written from the mathematics, one row of classes at a time, and know nothing of the kernels:
thresholds and normalisers are found by sorting or by bisection, derivatives by differences of the references.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

import losslib
from losslib import geometries
from losslib._kernels import threads as kernel_threads
from losslib.call.parameters import bind_values
from losslib.declaration.schema import REAL

Parameters = dict[str, Any]

# ---- references: rows of classes (S, C), targets as distributions (S, C), one value a row -------------------------


def log_sum_exp(x: np.ndarray) -> np.ndarray:
    top = x.max(-1, keepdims=True)
    return top + np.log(np.exp(x - top).sum(-1, keepdims=True))


def times(a: Any, b: Any) -> np.ndarray:
    """Multiply, with 0 times anything 0: a class that the target excludes does not matter."""
    with np.errstate(invalid="ignore"):
        return np.where(np.asarray(a) == 0, 0.0, np.multiply(a, b))


def smoothed(t: np.ndarray, share: float) -> np.ndarray:
    return t * (1 - share) + share / t.shape[-1]


def cross_entropy(x: np.ndarray, t: np.ndarray, *, weight: Any = None, label_smoothing: float = 0.0,
                  z_loss: float = 0.0, softcap: float | None = None) -> np.ndarray:  # fmt: skip
    if softcap is not None:
        x = softcap * np.tanh(x / softcap)
    w = 1.0 if weight is None else np.asarray(weight)
    lse = log_sum_exp(x)
    return times(w * smoothed(t, label_smoothing), lse - x).sum(-1) + z_loss * lse[:, 0] ** 2


def nll_loss(x: np.ndarray, t: np.ndarray, *, weight: Any = None) -> np.ndarray:
    return -times(t * (1.0 if weight is None else np.asarray(weight)), x).sum(-1)


def categorical_cross_entropy(
    x: np.ndarray, t: np.ndarray, *, weight: Any = None, label_smoothing: float = 0.0
) -> np.ndarray:
    p = np.clip(x / x.sum(-1, keepdims=True), 1e-7, 1 - 1e-7)
    w = 1.0 if weight is None else np.asarray(weight)
    return -(w * smoothed(t, label_smoothing) * np.log(p)).sum(-1)


def softmax_focal_loss(
    x: np.ndarray, t: np.ndarray, *, gamma: float = 2.0, alpha: Any = None, label_smoothing: float = 0.0
) -> np.ndarray:
    lp = x - log_sum_exp(x)
    w = 1.0 if alpha is None else np.asarray(alpha)
    return times(w * smoothed(t, label_smoothing), -((1 - np.exp(lp)) ** gamma) * lp).sum(-1)


def poly1_cross_entropy(x: np.ndarray, t: np.ndarray, *, epsilon: float = 1.0) -> np.ndarray:
    lp = x - log_sum_exp(x)
    return times(t, -lp + epsilon * (1 - np.exp(lp))).sum(-1)


def generalized_cross_entropy(x: np.ndarray, t: np.ndarray, *, q: float = 0.7) -> np.ndarray:
    p = np.exp(x - log_sum_exp(x))
    return (t * (1 - p**q) / q).sum(-1)


def symmetric_cross_entropy(x: np.ndarray, t: np.ndarray, *, alpha: float = 0.1, beta: float = 1.0) -> np.ndarray:
    p = np.exp(x - log_sum_exp(x))
    with np.errstate(divide="ignore"):
        reverse = np.maximum(np.log(t), -4.0)
    return alpha * cross_entropy(x, t) - beta * (p * reverse).sum(-1)


def tempered_softmax(x: np.ndarray, t2: float) -> np.ndarray:
    """Find by bisection the shift at which the tempered exponentials of a row sum to 1."""
    if t2 == 1.0:
        return np.exp(x - log_sum_exp(x))

    def exponential(u: np.ndarray) -> np.ndarray:
        return (1 + (1 - t2) * u) ** (1 / (1 - t2))

    # Below the largest logit by d: at d = 0 that one alone gives 1, and at the end all C together give at most 1.
    shifted = x - x.max(-1, keepdims=True)
    low = np.zeros((len(x), 1))
    high = low + 1.001 * (x.shape[-1] ** (t2 - 1) - 1) / (t2 - 1) + 1e-9
    for _ in range(130):
        middle = (low + high) / 2
        over = exponential(shifted - middle).sum(-1, keepdims=True) > 1
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return exponential(shifted - high)


def bi_tempered_logistic_loss(
    x: np.ndarray, t: np.ndarray, *, t1: float = 0.8, t2: float = 1.2, label_smoothing: float = 0.0
) -> np.ndarray:
    y, p = smoothed(t, label_smoothing), tempered_softmax(x, t2)

    def log_t(u: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(u) if t1 == 1 else (u ** (1 - t1) - 1) / (1 - t1)

    with np.errstate(invalid="ignore"):
        first = np.where(y == 0, 0.0, y * (log_t(y) - log_t(p)))
    return (first - (y ** (2 - t1) - p ** (2 - t1)) / (2 - t1)).sum(-1)


def sparsemax(x: np.ndarray) -> np.ndarray:
    """Project each row onto the simplex by sorting it."""
    ordered = -np.sort(-x, axis=-1)
    sums = np.cumsum(ordered, axis=-1) - 1
    size = np.arange(1, x.shape[-1] + 1)
    support = (ordered * size > sums).sum(-1)
    tau = sums[np.arange(len(x)), support - 1] / support
    return np.maximum(x - tau[:, np.newaxis], 0.0)


def sparsemax_loss(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    # The Fenchel-Young loss of half the squared norm: <p, x> - |p|^2/2 + |t|^2/2 - <t, x> at the projection p.
    p = sparsemax(x)
    return (times(p, x) - p**2 / 2 + t**2 / 2 - times(t, x)).sum(-1)


def divergence(lp: np.ndarray, lq: np.ndarray) -> np.ndarray:
    return times(np.exp(lp), lp - lq).sum(-1)


def js_div(x: np.ndarray, t: np.ndarray, *, beta: float = 0.5) -> np.ndarray:
    lp, lq = x - log_sum_exp(x), t - log_sum_exp(t)
    if beta == 0:
        return divergence(lq, lp)
    if beta == 1:
        return divergence(lp, lq)
    mixed = np.logaddexp(np.log(beta) + lq, np.log(1 - beta) + lp)
    return beta * divergence(lq, mixed) + (1 - beta) * divergence(lp, mixed)


def distillation_loss(x: np.ndarray, t: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    lp, lq = x / temperature, t / temperature
    return temperature**2 * divergence(lq - log_sum_exp(lq), lp - log_sum_exp(lp))


REFERENCES = {
    reference.__name__: reference
    for reference in (
        cross_entropy, nll_loss, categorical_cross_entropy, softmax_focal_loss, poly1_cross_entropy,
        generalized_cross_entropy, symmetric_cross_entropy, bi_tempered_logistic_loss, sparsemax_loss, js_div,
        distillation_loss,
    )
}  # fmt: skip

#: Parameters of a call beside the defaults; "per class" stands for an array of one number a class.
SETTINGS: dict[str, list[Parameters]] = {
    "cross_entropy": [
        {}, {"weight": "per class"}, {"label_smoothing": 0.1}, {"weight": "per class", "label_smoothing": 1.0},
        {"z_loss": 0.3}, {"softcap": 2.5},
        {"weight": "per class", "label_smoothing": 0.2, "z_loss": 0.01, "softcap": 5.0},
    ],
    "nll_loss": [{}, {"weight": "per class"}],
    "categorical_cross_entropy": [{}, {"weight": "per class", "label_smoothing": 0.1}],
    "softmax_focal_loss": [
        {}, {"gamma": 0.0}, {"gamma": 0.5, "alpha": 0.25}, {"gamma": 3.0, "alpha": "per class"},
        {"alpha": "per class", "label_smoothing": 0.3},
    ],
    "poly1_cross_entropy": [{}, {"epsilon": -0.8}, {"epsilon": 2.0}],
    "generalized_cross_entropy": [{}, {"q": 0.05}, {"q": 1.0}],
    "symmetric_cross_entropy": [{}, {"alpha": 6.0, "beta": 0.1}, {"alpha": 0.0}],
    "bi_tempered_logistic_loss": [
        {}, {"t1": 0.0, "t2": 4.0}, {"t1": 1.0, "t2": 1.0}, {"t1": 0.5, "t2": 1.0}, {"t1": 1.0, "t2": 1.5},
        {"t1": 0.7, "t2": 2.0, "label_smoothing": 0.2},
    ],
    "sparsemax_loss": [{}],
    "js_div": [{}, {"beta": 0.0}, {"beta": 1.0}, {"beta": 0.1}],
    "distillation_loss": [{}, {"temperature": 4.0}, {"temperature": 0.5}],
}  # fmt: skip

CASES = [(name, parameters) for name, settings in SETTINGS.items() for parameters in settings]
PER_CASE = pytest.mark.parametrize(
    ("name", "parameters"),
    CASES,
    ids=[
        "-".join([name, *(f"{key}={value}" for key, value in given.items())]).replace(" ", "_") for name, given in CASES
    ],
)
PER_LOSS = pytest.mark.parametrize("name", REFERENCES)
TWO_ROWS = ("js_div", "distillation_loss")
WITH_IGNORE = tuple(name for name in REFERENCES if name not in TWO_ROWS)
PICKS = ("cross_entropy", "softmax_focal_loss", "poly1_cross_entropy", "generalized_cross_entropy",
         "symmetric_cross_entropy")  # fmt: skip

#: One class, one row, class axes that end or cross the tiles of both drivers, up to five axes.
SHAPES = [
    (1,), (5,), (70,), (1, 1), (6, 1), (1, 6), (23, 5), (35, 64), (18, 65), (3, 7, 4), (17, 9, 21), (1, 256, 17),
    (1, 257, 17), (2, 5, 3, 2), (2, 4, 2, 3, 2), (2, 700),
]  # fmt: skip
PER_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=str)
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def test_every_loss_of_this_geometry_has_a_reference() -> None:
    assert set(REFERENCES) == {info.name for info in losslib.list_losses() if info.geometry == "softmax"}


# ---- drawing inputs, and what a call must give ---------------------------------------------------------------------


def axis_of(shape: tuple[int, ...]) -> int:
    return 0 if len(shape) == 1 else 1


def samples_of(shape: tuple[int, ...], axis: int | None = None) -> tuple[int, ...]:
    axis = axis_of(shape) if axis is None else axis % len(shape)
    return (*shape[:axis], *shape[axis + 1 :])


def draw(
    name: str, shape: tuple[int, ...], *, soft: bool = False, axis: int | None = None, dtype: Any = np.float64
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the inputs of a loss: logits (or probabilities) and class indices, a distribution or a teacher's logits."""
    axis = axis_of(shape) if axis is None else axis
    rng = np.random.default_rng([*name.encode(), *shape, int(soft)])
    x = 2 * rng.standard_normal(shape)
    if name == "categorical_cross_entropy":
        x = np.exp(0.25 * x)  # amounts, far enough from the clip for differences
    if name == "nll_loss":
        x = -np.abs(x)
    if name in TWO_ROWS:
        t: np.ndarray = 1.5 * rng.standard_normal(shape)
    elif soft:
        t = np.moveaxis(rng.dirichlet(np.full(shape[axis], 0.7), samples_of(shape, axis)), -1, axis)
        t = np.where(t < 1e-3, 0.0, t)
    else:
        return x.astype(dtype), rng.integers(0, shape[axis], samples_of(shape, axis))
    return x.astype(dtype), np.ascontiguousarray(t).astype(dtype)


def filled(parameters: Parameters, classes: int) -> Parameters:
    """Put an array of one number a class where the settings ask for one."""
    weight = np.random.default_rng(classes).uniform(0.3, 2.0, classes)
    return {key: weight if isinstance(value, str) and value == "per class" else value
            for key, value in parameters.items()}  # fmt: skip


def rows_of(array: np.ndarray, axis: int) -> np.ndarray:
    moved = np.moveaxis(np.asarray(array, np.float64), axis, -1)
    return moved.reshape(-1, moved.shape[-1])


def distribution(t: np.ndarray, classes: int) -> np.ndarray:
    """Write class indices as one-hot rows; anything that is no class becomes class 0 (the caller leaves it out)."""
    flat = np.asarray(t).astype(np.int64).reshape(-1)
    return np.eye(classes)[np.where((flat >= 0) & (flat < classes), flat, 0)]


def reference_rows(name: str, x: np.ndarray, t: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    rows = rows_of(x, axis)
    hard = name not in TWO_ROWS and np.issubdtype(np.asarray(t).dtype, np.integer)
    return rows, distribution(t, rows.shape[-1]) if hard else rows_of(t, axis)


def expected_values(name: str, x: np.ndarray, t: np.ndarray, parameters: Parameters, axis: int) -> np.ndarray:
    """Return one value a sample, in the shape of the samples."""
    rows, targets = reference_rows(name, x, t, axis)
    return REFERENCES[name](rows, targets, **parameters).reshape(samples_of(x.shape, axis))


def differences(f: Any, x: np.ndarray, h: float = 1e-4) -> np.ndarray:
    """Differentiate a function of rows (S, C) -> (S,) by each class: differences of fourth order."""
    columns = []
    for c in range(x.shape[1]):
        step = np.zeros(x.shape[1])
        step[c] = h
        columns.append((8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * h))
    return np.stack(columns, axis=-1)


def expected_gradient(name: str, x: np.ndarray, t: np.ndarray, parameters: Parameters, axis: int) -> np.ndarray:
    """Return the gradient of the sum of the values, by differences of the reference."""
    rows, targets = reference_rows(name, x, t, axis)
    found = differences(lambda moved: REFERENCES[name](moved, targets, **parameters), rows)
    shape = (*samples_of(x.shape, axis), x.shape[axis])
    return np.moveaxis(found.reshape(shape), -1, axis)


def kinds(name: str) -> tuple[bool, ...]:
    """Say which targets a loss takes: class indices (False), probabilities (True)."""
    return (False,) if name in ("nll_loss", *TWO_ROWS) else (False, True)


def bits(result: Any) -> list[Any]:
    return [part for item in result for part in bits(item)] if isinstance(result, tuple) else [np.asarray(result)]


def assert_same_bits(found: Any, expected: Any) -> None:
    for a, b in zip(bits(found), bits(expected), strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def entry(name: str) -> Any:
    return getattr(losslib, name)


# ---- values ------------------------------------------------------------------------------------------------------


@PER_SHAPE
@PER_CASE
def test_the_value_equals_the_mathematics(name: str, parameters: Parameters, shape: tuple[int, ...]) -> None:
    axis = axis_of(shape)
    for soft in kinds(name):
        x, t = draw(name, shape, soft=soft)
        given = filled(parameters, shape[axis])
        expected = expected_values(name, x, t, given, axis)
        found = entry(name)(x, t, reduction="none", **given)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
        assert found.dtype == np.float64
        single = entry(name)(x.astype(np.float32), t.astype(np.float32) if t.dtype.kind == "f" else t,
                             reduction="none", **given)  # fmt: skip
        np.testing.assert_allclose(single, expected, rtol=2e-5, atol=2e-5)
        assert single.dtype == np.float32


@pytest.mark.parametrize("shape", [(5,), (1, 1), (6, 1), (23, 5), (18, 65), (3, 7, 4), (2, 5, 3, 2)], ids=str)
@PER_CASE
def test_the_gradient_is_the_slope_of_the_value(name: str, parameters: Parameters, shape: tuple[int, ...]) -> None:
    axis = axis_of(shape)
    for soft in kinds(name):
        x, t = draw(name, shape, soft=soft)
        given = filled(parameters, shape[axis])
        expected = expected_gradient(name, x, t, given, axis)
        value, grad = entry(name).value_and_grad(x, t, reduction="sum", **given)
        np.testing.assert_allclose(grad, expected, rtol=1e-8, atol=2e-9)
        assert_same_bits(entry(name).grad(x, t, reduction="sum", **given), grad)
        assert value == pytest.approx(expected_values(name, x, t, given, axis).sum(), rel=1e-12, abs=1e-12)


@PER_SHAPE
@PER_CASE
def test_float32_gradients_are_those_of_float64(name: str, parameters: Parameters, shape: tuple[int, ...]) -> None:
    for soft in kinds(name):
        x, t = draw(name, shape, soft=soft, dtype=np.float32)
        given = filled(parameters, shape[axis_of(shape)])
        grad = entry(name).grad(x, t, reduction="sum", **given)
        assert grad.dtype == np.float32
        wide = entry(name).grad(x.astype(np.float64), t.astype(np.float64) if t.dtype.kind == "f" else t,
                                reduction="sum", **given)  # fmt: skip
        np.testing.assert_allclose(grad, wide, rtol=5e-5, atol=1e-5)


@PER_SHAPE
@PER_LOSS
def test_one_hot_probabilities_equal_class_indices(name: str, shape: tuple[int, ...]) -> None:
    if name in ("nll_loss", *TWO_ROWS):
        pytest.skip("takes one kind of target")
    axis = axis_of(shape)
    for parameters in SETTINGS[name]:
        x, t = draw(name, shape)
        one_hot = np.moveaxis(distribution(t, shape[axis]).reshape(*samples_of(shape), shape[axis]), -1, axis)
        given = {**filled(parameters, shape[axis]), "reduction": "none"}
        value, grad = entry(name).value_and_grad(x, t, **given)
        soft_value, soft_grad = entry(name).value_and_grad(x, one_hot, **given)
        np.testing.assert_allclose(soft_value, value, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(soft_grad, grad, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (1, 1), (23, 5), (18, 65), (3, 7, 4)], ids=str)
@pytest.mark.parametrize("parameters", SETTINGS["cross_entropy"], ids=str)
def test_the_hessian_of_cross_entropy_is_the_slope_of_its_gradient(
    parameters: Parameters, shape: tuple[int, ...]
) -> None:
    axis = axis_of(shape)
    given = {**filled(parameters, shape[axis]), "reduction": "sum"}
    for soft in (False, True):
        x, t = draw("cross_entropy", shape, soft=soft)
        value, grad, hess = losslib.cross_entropy.value_grad_hess(x, t, **given)
        plain_value, plain_grad = losslib.cross_entropy.value_and_grad(x, t, **given)
        assert value == pytest.approx(plain_value, rel=1e-13)
        np.testing.assert_allclose(grad, plain_grad, rtol=1e-12, atol=1e-14)
        for c in range(shape[axis]):
            step = np.zeros(shape[axis])
            step[c] = 1e-4
            step = np.expand_dims(step, tuple(k for k in range(len(shape)) if k != axis))
            near, far = (
                losslib.cross_entropy.grad(x + k * step, t, **given)
                - losslib.cross_entropy.grad(x - k * step, t, **given)
                for k in (1, 2)
            )
            slope = np.take((8 * near - far) / 12e-4, c, axis)
            np.testing.assert_allclose(np.take(hess, c, axis), slope, rtol=1e-8, atol=2e-9)


def test_the_hessian_of_nll_is_zero_and_the_others_have_none() -> None:
    x, t = draw("nll_loss", (4, 3))
    _, _, hess = losslib.nll_loss.value_grad_hess(x, t)
    np.testing.assert_array_equal(hess, np.zeros((4, 3)))
    for name in REFERENCES:
        if name not in ("cross_entropy", "nll_loss"):
            with pytest.raises(TypeError, match="has no Hessian"):
                entry(name).value_grad_hess(*draw(name, (4, 3)))


@pytest.mark.parametrize("shape", [(5,), (23, 5), (18, 65), (3, 7, 4)], ids=str)
@pytest.mark.parametrize("name", ["cross_entropy", "categorical_cross_entropy"])
def test_the_derivative_for_target_probabilities_is_the_slope(name: str, shape: tuple[int, ...]) -> None:
    axis = axis_of(shape)
    for parameters in SETTINGS[name]:
        given = filled(parameters, shape[axis])
        x, t = draw(name, shape, soft=True)
        rows, targets = reference_rows(name, x, t, axis)
        # Linear in the target, which the reference leaves out at 0: step from the inside only.
        targets = targets * 0.5 + 0.01
        t = np.moveaxis(targets.reshape(*samples_of(shape), shape[axis]), -1, axis)
        slope = differences(lambda moved, g=given, r=rows: REFERENCES[name](r, moved, **g), targets, 1e-3)
        found = entry(name).grad(x, t, wrt="target", reduction="sum", **given)
        expected = np.moveaxis(slope.reshape(*samples_of(shape), shape[axis]), -1, axis)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        both = entry(name).grad(x, t, wrt=("input", "target"), reduction="sum", **given)
        np.testing.assert_array_equal(both[1], found)
        np.testing.assert_allclose(both[0], entry(name).grad(x, t, reduction="sum", **given), rtol=1e-13, atol=1e-15)


# ---- where the classes are ----------------------------------------------------------------------------------------


@PER_LOSS
def test_the_class_axis_may_be_anywhere(name: str) -> None:
    for ndim in (1, 2, 3, 4, 5):
        last = (*(3, 2, 4, 2)[: ndim - 1], 6)
        for soft, axis in itertools.product(kinds(name), range(-ndim, ndim)):
            if (ndim, axis) == (1, 1):
                continue
            x, t = draw(name, last, soft=soft, axis=ndim - 1)
            same = t.ndim == x.ndim
            value, grad = entry(name).value_and_grad(x, t, axis=-1, reduction="none")
            moved = np.ascontiguousarray(np.moveaxis(x, -1, axis))
            target = np.ascontiguousarray(np.moveaxis(t, -1, axis)) if same else t
            other, other_grad = entry(name).value_and_grad(moved, target, axis=axis, reduction="none")
            np.testing.assert_allclose(other, value, rtol=1e-13, atol=1e-14)
            np.testing.assert_allclose(other_grad, np.moveaxis(grad, -1, axis), rtol=1e-12, atol=1e-14)


def test_a_single_row_needs_no_axis() -> None:
    for name in REFERENCES:
        x, t = draw(name, (6,))
        expected = entry(name)(x[np.newaxis], t[np.newaxis])
        for axis in (0, 1, -1):
            assert entry(name)(x, t, axis=axis) == pytest.approx(expected, rel=1e-14)
        assert isinstance(entry(name)(x, t), float)
        assert entry(name)(x, t, reduction="none").shape == ()


# ---- options -----------------------------------------------------------------------------------------------------


#: Losses whose mean divides by the class weights of the targets, where these are indices, as PyTorch does.
WEIGHTED_MEANS = ("cross_entropy", "nll_loss")


def combined(
    name: str, x: np.ndarray, t: np.ndarray, given: Parameters, options: Parameters, reduction: str,
    values: np.ndarray, slopes: np.ndarray,
) -> tuple[Any, np.ndarray]:  # fmt: skip
    """Work out value and gradient of a call with every option from the values of single samples."""
    given = dict(given)
    axis = axis_of(x.shape)
    samples = samples_of(x.shape)
    ignore, empty = given.pop("ignore_index", -100), given.pop("empty", "nan")
    hard = t.ndim != x.ndim and name not in TWO_ROWS
    keep = (t != ignore) if hard else np.ones(samples, bool)
    if "where" in options:
        keep = keep & np.broadcast_to(options["where"], samples)
    scale = np.ones(samples)
    if "sample_weight" in options:
        weight = np.asarray(options["sample_weight"], np.float64)
        if weight.ndim == 1 and len(samples) > 1 and weight.shape != samples:
            weight = weight.reshape(-1, *(1,) * (len(samples) - 1))
        scale = scale * weight
    own = np.ones(samples)
    if given.get("weight") is not None and (reduction == "weighted_mean" or (hard and name in WEIGHTED_MEANS)):
        of_class = np.asarray(given["weight"])
        own = of_class[np.where(keep, t, 0)] if hard else np.tensordot(t, of_class, axes=(axis, 0))
    counted = {"mean": own, "weighted_mean": own * scale}.get(reduction)
    divisor = 1.0 if counted is None else float(np.where(keep, counted, 0.0).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(keep, values * scale, 0.0)
        total = values if reduction == "none" else np.float64(values.sum()) / divisor
        factor = np.where(keep, scale * options.get("grad_output", 1.0) / divisor, 0.0)
    if not keep.any() and empty == "zero" and divisor == 0:
        total = np.float64(0.0)
    return total, np.where(np.expand_dims(keep, axis), slopes * np.expand_dims(factor, axis), 0.0)


def option_products(samples: tuple[int, ...]) -> Iterator[Parameters]:
    rng = np.random.default_rng(11)
    mask = rng.random(samples) < 0.7
    weights = {"each": rng.uniform(0.1, 3.0, samples), "first": rng.uniform(0.1, 3.0, samples[:1])}
    for where, weight in itertools.product((None, mask), (None, *weights)):
        found: Parameters = {} if where is None else {"where": where}
        if weight is not None:
            found["sample_weight"] = weights[weight]
        yield found


@pytest.mark.parametrize("shape", [(37, 5), (9, 66), (3, 4, 7)], ids=str)
@PER_CASE
def test_reductions_weights_masks_and_ignored_classes_combine(
    name: str, parameters: Parameters, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(5)
    for soft in kinds(name):
        x, t = draw(name, shape, soft=soft)
        ignores: list[Parameters] = [{}]
        if not soft and name in WITH_IGNORE:
            t[::3] = 2
            ignores = [{}, {"ignore_index": 2}]
        plain = filled(parameters, shape[1])
        parts = expected_values(name, x, t, plain, 1), expected_gradient(name, x, t, plain, 1)
        for ignore, options in itertools.product(ignores, option_products(samples_of(shape))):
            given = {**filled(parameters, shape[1]), **ignore}
            for reduction in ("mean", "sum", "none", "weighted_mean"):
                upstream = rng.standard_normal(samples_of(shape)) if reduction == "none" else -1.75
                expected, slopes = combined(name, x, t, given, {**options, "grad_output": upstream}, reduction, *parts)
                call = {**given, **options, "reduction": reduction}
                value, grad = entry(name).value_and_grad(x, t, grad_output=upstream, **call)
                np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-12)
                np.testing.assert_allclose(grad, slopes, rtol=1e-8, atol=1e-8)
                np.testing.assert_allclose(entry(name)(x, t, **call), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("shape", [(20, 5), (4, 70), (2, 3, 9)], ids=str)
@PER_LOSS
def test_an_object_answers_as_the_function_does(name: str, shape: tuple[int, ...]) -> None:
    cls = getattr(losslib, entry(name).info.class_name)
    for parameters, reduction in itertools.product(SETTINGS[name], ("mean", "sum", "none", "weighted_mean")):
        given = {**filled(parameters, shape[1]), "reduction": reduction}
        integers = (np.int32, np.int64, np.uint8)
        targets = [(soft, index) for soft in kinds(name) for index in (integers[:1] if soft else integers)]
        for dtype, (soft, index) in itertools.product((np.float32, np.float64), targets):
            x, t = draw(name, shape, soft=soft, dtype=dtype)
            t = t.astype(index) if t.dtype.kind == "i" else t
            loss = cls(**given)
            everything = np.ones(samples_of(shape), bool)
            # The mask takes the call off any shorter path.
            general, general_grad = loss.value_and_grad(x, t, where=everything)
            value, grad = loss.value_and_grad(x, t)
            np.testing.assert_allclose(value, general, rtol=1e-14)
            np.testing.assert_array_equal(grad, general_grad, strict=True)
            np.testing.assert_allclose(loss(x, t), general, rtol=1e-14)
            np.testing.assert_array_equal(loss.grad(x, t), grad)
            assert_same_bits(entry(name).value_and_grad(x, t, **given), (value, grad))
            out = np.empty_like(x)
            assert loss.grad(x, t, out=out) is out
            np.testing.assert_array_equal(out, grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "info",
    [info for info in losslib.list_losses()
     if info.geometry == "softmax" and info.inputs[0].domain is REAL
     and (info.inputs[1].or_row or info.inputs[1].holds == "row")],
    ids=lambda info: info.name,
)  # fmt: skip
def test_plain_calls_with_a_row_as_target_are_answered_in_compiled_code(info: losslib.LossInfo, dtype: Any) -> None:
    def answer(mode: int, x: np.ndarray, t: np.ndarray, out: Any = None, **parameters: Any) -> bool:
        values = bind_values(info, parameters, info.name)
        plain = geometries.find("softmax").plain(info, values)
        return plain(mode, (x, t), out) is not NotImplemented

    for shape in ((5,), (20, 5), (4, 90), (2, 5, 3)):
        x, t = draw(info.name, shape, soft=True, dtype=dtype)
        assert all(answer(mode, x, t, reduction=reduction) for mode in (0, 1, 2) for reduction in ("mean", "sum"))
        assert answer(1, x, t, np.empty_like(x))
        assert answer(1, x.copy(), t, x)
        assert not answer(1, x, t, t)
        assert not answer(3, x, t)
        assert not answer(1, x, t.astype(np.float16))
        assert not answer(1, np.asfortranarray(x[..., np.newaxis].repeat(2, -1)), t)
        if info.inputs[1].or_row:
            wrong = t.copy()
            wrong.flat[-1] = 1.5
            assert not answer(2, x, wrong)
            assert answer(2, x, wrong, check=False)
            assert not answer(2, x, t, ignore_index=1)
            assert answer(2, x, t, ignore_index=-1)


@pytest.mark.parametrize("shape", [(6, 4), (6, 80), (2, 4, 3), ()], ids=str)
@pytest.mark.parametrize("name", WITH_IGNORE)
def test_with_every_class_ignored_mean_is_nan_sum_is_zero_and_the_gradient_zero(
    name: str, shape: tuple[int, ...]
) -> None:
    shape = shape or (5,)
    x, t = draw(name, shape)
    x[...] = np.nan  # what an ignored row holds does not matter
    for ignored in (-100, 1, -1):
        t = np.full(t.shape, ignored)
        call = {"ignore_index": ignored, "check": True}
        for reduction, expected in (("mean", np.nan), ("weighted_mean", np.nan), ("sum", 0.0)):
            value, grad = entry(name).value_and_grad(x, t, reduction=reduction, **call)
            np.testing.assert_equal(value, expected)
            np.testing.assert_array_equal(grad, np.zeros(shape))
        np.testing.assert_array_equal(entry(name)(x, t, reduction="none", **call), np.zeros(t.shape))
        if name == "cross_entropy":
            for z_loss in (0.0, 0.5):
                value, grad = losslib.cross_entropy.value_and_grad(x, t, empty="zero", z_loss=z_loss, **call)
                assert value == 0.0
                np.testing.assert_array_equal(grad, np.zeros(shape))
            assert losslib.CrossEntropyLoss(ignore_index=ignored, empty="zero")(x, t) == 0.0


@PER_LOSS
def test_masked_rows_are_never_looked_at(name: str) -> None:
    for shape, soft in itertools.product([(8, 5), (8, 80), (2, 5, 4)], kinds(name)):
        x, t = draw(name, shape, soft=soft)
        mask = np.arange(np.prod(samples_of(shape))).reshape(samples_of(shape)) % 2 == 0
        expected = entry(name).value_and_grad(x, t, where=mask)
        behind = ~np.broadcast_to(np.expand_dims(mask, 1), shape)
        for junk in (np.nan, np.inf, -np.inf, -3.0):
            spoiled, target = x.copy(), t.copy()
            spoiled[behind] = junk
            if t.ndim == x.ndim:
                target[behind] = junk
            else:
                target[~mask] = 10**6
            assert_same_bits(entry(name).value_and_grad(spoiled, target, where=mask), expected)


@PER_LOSS
def test_empty_input_gives_nan_zero_or_an_empty_array(name: str) -> None:
    for shape in ((0, 4), (2, 4, 0), (0, 4, 3), (2, 4, 0, 3)):
        x, t = np.empty(shape), np.empty(samples_of(shape), np.int64)
        target = np.empty(shape) if name in TWO_ROWS else t
        for reduction, expected in (("mean", np.nan), ("weighted_mean", np.nan), ("sum", 0.0)):
            value, grad = entry(name).value_and_grad(x, target, reduction=reduction)
            np.testing.assert_equal(value, expected)
            assert grad.shape == shape
        assert entry(name)(x, target, reduction="none").shape == samples_of(shape)
    with pytest.raises(losslib.ShapeError, match="no classes"):
        entry(name)(np.empty((3, 0)), np.empty((3, 0)) if name in TWO_ROWS else np.empty(3, np.int64))
    if name == "cross_entropy":
        assert losslib.cross_entropy(np.empty((0, 4)), np.empty(0, np.int64), empty="zero") == 0.0


# ---- limits ------------------------------------------------------------------------------------------------------

WIDTHS = pytest.mark.parametrize("classes", [3, 80], ids=["few classes", "many classes"])


@WIDTHS
@pytest.mark.parametrize("name", [*PICKS, "bi_tempered_logistic_loss", "sparsemax_loss"])
def test_a_class_that_cannot_occur_is_as_good_as_absent(name: str, classes: int) -> None:
    """A logit of -inf for another class gives value and gradient of the row without it."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((5, classes))
    t = rng.integers(0, classes - 1, 5)
    padded = np.concatenate([x, np.full((5, 1), -np.inf)], axis=1)
    soft = np.concatenate([rng.dirichlet(np.ones(classes), 5), np.zeros((5, 1))], axis=1)
    for dtype, parameters in itertools.product((np.float64, np.float32), SETTINGS[name]):
        if parameters.get("label_smoothing") or parameters.get("softcap") or "per class" in parameters.values():
            continue
        tolerance = {"rtol": 1e-12 if dtype is np.float64 else 2e-6, "atol": 1e-12 if dtype is np.float64 else 1e-6}
        for target, short in ((t, t), (soft.astype(dtype), soft[:, :-1].astype(dtype))):
            value, grad = entry(name).value_and_grad(padded.astype(dtype), target, reduction="none", **parameters)
            expected, slopes = entry(name).value_and_grad(x.astype(dtype), short, reduction="none", **parameters)
            np.testing.assert_allclose(value, expected, **tolerance)
            np.testing.assert_allclose(grad[:, :-1], slopes, **tolerance)
            np.testing.assert_array_equal(grad[:, -1], 0.0)


@WIDTHS
def test_a_target_class_with_the_logit_minus_infinity_costs_infinitely_much(classes: int) -> None:
    x = np.zeros((2, classes))
    x[:, 0] = -np.inf
    t = np.zeros(2, np.int64)
    p = 1 / (classes - 1)
    one_hot = np.eye(classes)[t]
    for name, slope in (("cross_entropy", 1.0), ("poly1_cross_entropy", 1.0), ("softmax_focal_loss", 1.0),
                        ("symmetric_cross_entropy", 0.1)):  # fmt: skip
        for target in (t, one_hot):
            value, grad = entry(name).value_and_grad(x, target, reduction="none")
            np.testing.assert_array_equal(value, np.inf, err_msg=name)
            np.testing.assert_allclose(grad[:, 1:], slope * p, rtol=1e-12, err_msg=name)
            np.testing.assert_allclose(grad[:, 0], -slope, rtol=1e-12, err_msg=name)
    for target in (t, one_hot):
        value, grad = losslib.generalized_cross_entropy.value_and_grad(x, target, q=0.5, reduction="none")
        np.testing.assert_allclose(value, 2.0)
        np.testing.assert_array_equal(np.abs(grad), 0.0)


@WIDTHS
def test_smoothing_over_an_impossible_class_costs_infinitely_much_unless_its_weight_is_zero(classes: int) -> None:
    x = np.zeros((2, classes))
    x[:, -1] = -np.inf
    t = np.zeros(2, np.int64)
    np.testing.assert_array_equal(losslib.cross_entropy(x, t, label_smoothing=0.1, reduction="none"), np.inf)
    weight = np.ones(classes)
    weight[-1] = 0.0
    value, grad = losslib.cross_entropy.value_and_grad(x, t, label_smoothing=0.1, weight=weight, reduction="none")
    share = 0.1 / classes
    np.testing.assert_allclose(value, (0.9 + (classes - 1) * share) * np.log(classes - 1), rtol=1e-12)
    assert np.isfinite(grad).all()


@WIDTHS
@PER_LOSS
def test_nan_anywhere_in_a_row_makes_its_value_and_gradient_nan(name: str, classes: int) -> None:
    for soft, dtype in itertools.product(kinds(name), (np.float64, np.float32)):
        x, t = draw(name, (19, classes), soft=soft, dtype=dtype)
        if t.ndim == 1:
            t[4] = 1
        x[4, 0 if name != "nll_loss" else 1] = np.nan
        value, grad = entry(name).value_and_grad(x, t, reduction="none")
        np.testing.assert_array_equal(np.isnan(value), np.arange(19) == 4)
        if name != "nll_loss":
            assert np.isnan(grad[4]).all()
        assert np.isfinite(np.delete(grad, 4, axis=0)).all()


@WIDTHS
def test_a_certain_logit_or_a_row_without_any_gives_nan(classes: int) -> None:
    """As in PyTorch: inf - inf has no value."""
    t = np.zeros(3, np.int64)
    for fill in (np.inf, -np.inf):
        x = np.full((3, classes), fill)
        assert np.isnan(losslib.cross_entropy(x, t, reduction="none")).all()
    x = np.zeros((3, classes))
    x[:, 1] = np.inf
    assert np.isnan(losslib.cross_entropy.grad(x, t, reduction="none")).any()
    # A soft cap makes every logit finite.
    value, grad = losslib.cross_entropy.value_and_grad(x, t, softcap=10.0, reduction="none")
    assert np.isfinite(value).all()
    assert np.isfinite(grad).all()


@WIDTHS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@PER_LOSS
def test_large_logits_neither_overflow_nor_lose_the_value(name: str, classes: int, dtype: Any) -> None:
    if name in ("categorical_cross_entropy", "nll_loss"):
        pytest.skip("takes no logits")
    x = np.zeros((4, classes))
    x[0, 0], x[1, 1], x[2, :2], x[3, :] = 3e4, 3e4, -3e4, 1e4
    t: np.ndarray = np.zeros(4, np.int64)
    if name in TWO_ROWS:
        t = np.zeros((4, classes))
        t[:, 2] = 10.0
    value, grad = entry(name).value_and_grad(x.astype(dtype), t.astype(dtype) if t.ndim == 2 else t, reduction="none")
    with np.errstate(over="ignore", under="ignore"):
        # A shift of the row changes nothing; the references need it against cancellation.
        expected = expected_values(name, x - x.max(1, keepdims=True), t, {}, 1)
    np.testing.assert_allclose(value, expected, rtol=1e-11 if dtype is np.float64 else 1e-5, atol=1e-9)
    assert np.isfinite(grad).all()
    np.testing.assert_allclose(grad.sum(1), 0.0, atol=1e-5)


#: Options that weigh or spread the target; the z-loss alone depends on the offset of a row.
SHIFT_OPTIONS: dict[str, list[Parameters]] = {
    "cross_entropy": [
        {}, {"weight": "per class"}, {"label_smoothing": 0.1}, {"weight": "per class", "label_smoothing": 0.1},
    ],
    "softmax_focal_loss": [{}, {"alpha": "per class"}],
}  # fmt: skip


def shifted_rows(shape: tuple[int, ...], dtype: Any, seed: int = 8) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield logits that a shift leaves exact, and the same with every number of a row shifted alike."""
    rng = np.random.default_rng([*shape, seed])
    steps, far = (64.0, 2.0**17) if dtype is np.float32 else (2.0**20, 2.0**32)
    x = np.rint(rng.standard_normal(shape) * 2 * steps) / steps
    for offset in (far, -far, 1e4, -1e4):
        moved = x + offset
        np.testing.assert_array_equal(moved.astype(dtype), moved)
        yield x.astype(dtype), moved.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(21, 2), (21, 10), (5, 100), (3, 5000), (2, 10, 7), (2, 300, 5)], ids=str)
@pytest.mark.parametrize("name", [*PICKS, *TWO_ROWS])
def test_a_common_offset_of_the_logits_changes_no_bit(name: str, shape: tuple[int, ...], dtype: Any) -> None:
    for parameters in SHIFT_OPTIONS.get(name, [{}]):
        given = {**filled(parameters, shape[1]), "reduction": "none"}
        for x, moved in shifted_rows(shape, dtype):
            for soft in kinds(name):
                t = draw(name, shape, soft=soft, dtype=dtype)[1]
                expected = entry(name).value_and_grad(x, t, **given)
                assert_same_bits(entry(name).value_and_grad(moved, t, **given), expected)
                # Classes that are no neighbours.
                spaced = np.repeat(moved, 2, axis=1)[:, ::2]
                found = entry(name).value_and_grad(spaced, t, **given)
                assert_same_bits(found, entry(name).value_and_grad(np.repeat(x, 2, axis=1)[:, ::2], t, **given))


@pytest.mark.parametrize(("dtype", "size"), [(np.float64, 1e16), (np.float64, 1e300), (np.float32, 3.4e38)])
@pytest.mark.parametrize("classes", [2, 10, 100, 5000])
@pytest.mark.parametrize("name", PICKS)
def test_equal_logits_are_equal_classes_however_large_they_are(
    name: str, classes: int, dtype: Any, size: float
) -> None:
    for soft, parameters in itertools.product(kinds(name), SHIFT_OPTIONS.get(name, [{}])):
        x, t = draw(name, (3, classes), soft=soft, dtype=dtype)
        given = {**filled(parameters, classes), "reduction": "none"}
        expected = entry(name).value_and_grad(np.zeros_like(x), t, **given)
        if not parameters:
            np.testing.assert_allclose(
                expected[0],
                expected_values(name, np.zeros((3, classes)), t, {}, 1),
                rtol=1e-12 if dtype is np.float64 else 1e-5,
            )
        for number in (size, -size):
            assert_same_bits(entry(name).value_and_grad(np.full_like(x, number), t, **given), expected)


@pytest.mark.parametrize("classes", [2, 10, 100, 5000])
@pytest.mark.parametrize("name", PICKS)
def test_float32_rows_far_from_zero_keep_their_digits_against_probabilities(name: str, classes: int) -> None:
    """The same numbers in float64 are the reference."""
    rng = np.random.default_rng(classes)
    t = rng.dirichlet(np.ones(classes), 6).astype(np.float32)
    t[:3] = np.where(t[:3] < 0.3 / classes, np.float32(0), t[:3])
    for offset, parameters in itertools.product((0.0, 100.0, 1e4, -1e6), SHIFT_OPTIONS.get(name, [{}])):
        given = {**filled(parameters, classes), "reduction": "none"}
        x = (3 * rng.standard_normal((6, classes)) + offset).astype(np.float32)
        wide = x.astype(np.float64), t.astype(np.float64)
        value, grad = entry(name).value_and_grad(x, t, **given)
        expected, slopes = entry(name).value_and_grad(*wide, **given)
        np.testing.assert_allclose(value, expected, rtol=2e-6)
        np.testing.assert_allclose(grad, slopes, rtol=1e-5, atol=1e-6 * np.abs(slopes).max())
        if name == "cross_entropy":
            found = losslib.cross_entropy.grad(x, t, wrt="target", **given)
            slopes = losslib.cross_entropy.grad(*wide, wrt="target", **given)
            # A difference of two float32 numbers: it has the digits of the larger.
            np.testing.assert_allclose(found, slopes, rtol=1e-5, atol=1e-7 * np.abs(slopes).max())


def test_the_z_loss_sees_the_offset() -> None:
    for classes in (3, 80):
        x = np.full((1, classes), 50.0)
        lse = 50.0 + np.log(classes)
        assert losslib.cross_entropy(x, [0], z_loss=0.01) == pytest.approx(np.log(classes) + 0.01 * lse**2, rel=1e-14)


def exact_divergence(x: np.ndarray, t: np.ndarray, name: str, parameter: float) -> tuple[float, np.ndarray]:
    """Value and gradient of one row, with fifty digits."""
    with mpmath.workdps(50):
        beta, temperature = (parameter, mpmath.mpf(1)) if name == "js_div" else (0.0, mpmath.mpf(parameter))

        def log_softmax(row: np.ndarray) -> list[Any]:
            u = [mpmath.mpf(float(number)) / temperature for number in row]
            lse = mpmath.log(mpmath.fsum(mpmath.exp(number) for number in u))
            return [number - lse for number in u]

        lp, ly = log_softmax(x), log_softmax(t)
        p, y = [mpmath.exp(u) for u in lp], [mpmath.exp(u) for u in ly]
        lm = [mpmath.log(beta * b + (1 - mpmath.mpf(beta)) * a) for a, b in zip(p, y, strict=True)]
        if beta == 0.0:
            value = mpmath.fsum(b * (u - v) for b, u, v in zip(y, ly, lp, strict=True))
            grad = [a - b for a, b in zip(p, y, strict=True)]
        else:
            own = [(1 - mpmath.mpf(beta)) * a * (u - w) for a, u, w in zip(p, lp, lm, strict=True)]
            value = mpmath.fsum(own) + mpmath.fsum(beta * b * (v - w) for b, v, w in zip(y, ly, lm, strict=True))
            if beta == 1.0:
                own = [a * (u - v) for a, u, v in zip(p, lp, ly, strict=True)]
                value = mpmath.fsum(own)
            grad = [o - a * mpmath.fsum(own) for o, a in zip(own, p, strict=True)]
        return max(float(value * temperature**2), 0.0), np.array([float(g * temperature) for g in grad])


DIVERGENCES = [
    ("js_div", {"beta": beta}) for beta in (0.0, 1e-9, 1e-3, 0.5, 0.9, 1.0 - 1e-6, 1.0)
] + [("distillation_loss", {"temperature": temperature}) for temperature in (1.0, 3.0)]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("classes", [2, 10, 70])
@pytest.mark.parametrize(("name", "parameters"), DIVERGENCES, ids=str)
def test_divergences_of_rows_near_and_far_keep_their_digits(
    name: str, parameters: Parameters, classes: int, dtype: Any
) -> None:
    rng = np.random.default_rng(classes)
    rtol = 1e-12 if dtype is np.float64 else 2e-6
    for distance, offset in itertools.product((1e-6, 1e-4, 1e-2, 1.0, 20.0), (0.0, 1e4)):
        x = (2 * rng.standard_normal((2, classes)) + offset).astype(dtype)
        t = (x + distance * rng.standard_normal(x.shape)).astype(dtype)
        value, grad = entry(name).value_and_grad(x, t, reduction="none", **parameters)
        for i in range(2):
            expected, slopes = exact_divergence(x[i], t[i], name, next(iter(parameters.values())))
            # What 1e-16 in a logarithm of a sum does to the square of a distance.
            np.testing.assert_allclose(value[i], expected, rtol=rtol, atol=1e-15 * np.sqrt(expected))
            np.testing.assert_allclose(grad[i], slopes, rtol=2 * rtol, atol=max(rtol * np.abs(slopes).max(), 1e-15))


#: Few classes side by side, of rows and of an image, and rows one by one.
FEW = [(400, 2), (400, 10), (80, 64), (3, 10, 40), (2, 100, 37)]
ONE_BY_ONE = [(40, 65), (20, 1000), (2, 200, 19)]


@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, shape) for name in (*PICKS, *TWO_ROWS) for shape in FEW]
    + [(name, shape) for name in TWO_ROWS for shape in ONE_BY_ONE],
    ids=str,
)
def test_float32_values_and_gradients_against_rows_are_those_of_float64_rounded(
    name: str, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(5)
    x, t = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    if name in PICKS:
        t = np.exp(t) / np.exp(t).sum(1, keepdims=True)
    for parameters in SETTINGS[name]:
        if "softcap" in parameters:
            continue  # one row at a time
        given = {**filled(parameters, shape[1]), "reduction": "none"}
        found = entry(name).value_and_grad(x, t, **given)
        exact = entry(name).value_and_grad(x.astype(np.float64), t.astype(np.float64), **given)
        for some, expected in zip(found, exact, strict=True):
            assert some.dtype == np.float32
            np.testing.assert_array_max_ulp(some, expected.astype(np.float32), maxulp=1)
            assert np.mean(some != expected.astype(np.float32)) < 0.01


@pytest.mark.parametrize("classes", [1, 2, 10, 100, 5000])
@pytest.mark.parametrize(("name", "parameters"), DIVERGENCES, ids=str)
def test_no_divergence_is_below_zero_and_that_of_equal_rows_is_zero(
    name: str, parameters: Parameters, classes: int
) -> None:
    rng = np.random.default_rng(classes)
    for dtype, spread in itertools.product((np.float32, np.float64), (0.0, 1.0, 30.0, 500.0)):
        x = (spread * rng.standard_normal((8, classes)) + 3e4).astype(dtype)
        value, grad = entry(name).value_and_grad(x, x.copy(), reduction="none", **parameters)
        np.testing.assert_array_equal(value, 0.0)
        np.testing.assert_array_equal(grad, 0.0)
        for distance in (1e-7, 1e-3, 1.0, 300.0):
            t = (x + distance * rng.standard_normal(x.shape)).astype(dtype)
            assert (entry(name)(x, t, reduction="none", **parameters) >= 0).all()


@pytest.mark.parametrize("absent", [0, 70], ids=["few classes", "many classes"])
@pytest.mark.parametrize("beta", [0.0, 0.3, 0.7, 1.0])
def test_a_divergence_of_rows_that_lack_classes(beta: float, absent: int) -> None:
    """What neither row has is left out; what only the second argument of a divergence lacks costs infinitely much."""
    inf = np.inf

    def row(*logits: float) -> np.ndarray:
        return np.array([[*logits, *absent * [-inf]]])

    x, t = row(0.0, 1.0, -inf, 2.0), row(1.0, 0.0, -inf, 0.5)
    value, grad = losslib.js_div.value_and_grad(x, t, beta=beta)
    short, slopes = losslib.js_div.value_and_grad(x[:, [0, 1, 3]], t[:, [0, 1, 3]], beta=beta)
    assert value == pytest.approx(short, rel=1e-14)
    np.testing.assert_allclose(grad[:, :4], np.insert(slopes, 2, 0.0, axis=1), rtol=1e-13)
    np.testing.assert_array_equal(grad[:, 4:], 0.0)
    rest = 1.0 - beta
    entropy = -(beta * np.log(beta) + rest * np.log(rest)) if 0.0 < beta < 1.0 else inf
    for far in (-inf, -1e300, -750.0):
        if far == -inf or 0.0 < beta < 1.0:
            apart, slopes = losslib.js_div.value_and_grad(row(0.0, far), row(far, 0.0), beta=beta)
            assert apart == pytest.approx(entropy, rel=1e-14)
            if 0.0 < beta < 1.0:
                np.testing.assert_allclose(slopes, 0.0, atol=1e-300)
    expected = np.log(2.0) if beta == 0.0 else inf
    if 0.0 < beta < 1.0:
        shared = beta + 0.5 * rest  # of the mixture
        expected = -beta * np.log(shared) - 0.5 * rest * (np.log(2.0 * shared) + np.log(rest))
    assert losslib.js_div(row(0.0, 0.0), row(0.0, -inf), beta=beta) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("gap", [50.0, 120.0, 800.0])
def test_bi_tempered_with_both_temperatures_one_is_cross_entropy_far_out_too(gap: float, dtype: Any) -> None:
    x = np.array([[0.0, gap, 1.0], [gap, 0.0, 1.0]], dtype)
    t = np.array([0, 0])
    value, grad = losslib.bi_tempered_logistic_loss.value_and_grad(x, t, t1=1.0, t2=1.0, reduction="none")
    expected, slopes = losslib.cross_entropy.value_and_grad(x, t, reduction="none")
    np.testing.assert_allclose(value, expected, rtol=1e-6 if dtype is np.float32 else 1e-12, atol=1e-7)
    np.testing.assert_allclose(grad, slopes, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_bi_tempered_gradients_near_one_follow_the_value_where_probabilities_underflow_float32(dtype: Any) -> None:
    x = np.array([[0.0, 150.0, 1.0]])
    t = np.array([0])
    expected = expected_gradient("bi_tempered_logistic_loss", x, t, {"t1": 0.99, "t2": 1.0}, 1)
    assert np.abs(expected).max() > 0.1
    found = losslib.bi_tempered_logistic_loss.grad(x.astype(dtype), t, t1=0.99, t2=1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("t2", [1.0 + 1e-6, 1.01, 1.2, 2.0, 4.0, 8.0])
def test_the_normaliser_of_bi_tempered_converges_for_wide_rows_and_far_logits(t2: float) -> None:
    rng = np.random.default_rng(9)
    for classes, spread in itertools.product((2, 10, 1000), (0.1, 3.0, 100.0)):
        x = spread * rng.standard_normal((3, classes))
        t = rng.integers(0, classes, 3)
        found = losslib.bi_tempered_logistic_loss(x, t, t1=0.5, t2=t2, reduction="none")
        expected = expected_values("bi_tempered_logistic_loss", x, t, {"t1": 0.5, "t2": t2}, 1)
        np.testing.assert_allclose(found, expected, rtol=1e-9 if t2 > 1.001 else 1e-7, atol=1e-9)


def test_focal_loss_of_certain_rows_is_zero_with_a_gradient_of_zero() -> None:
    for gamma in (0.0, 0.5, 1.0, 2.0):
        for classes in (3, 80):
            x = np.zeros((2, classes))
            x[:, 0] = 2000.0
            value, grad = losslib.softmax_focal_loss.value_and_grad(x, [0, 0], gamma=gamma, reduction="none")
            np.testing.assert_array_equal(np.abs(value), 0.0)
            np.testing.assert_array_equal(np.abs(grad), 0.0)


@WIDTHS
def test_a_weight_of_zero_leaves_an_impossible_target_out(classes: int) -> None:
    x = np.linspace(0.0, 1.0, classes)[np.newaxis]
    x[0, 0] = -np.inf
    weight = np.ones(classes)
    weight[0] = 0.0
    for name, key in (("cross_entropy", "weight"), ("nll_loss", "weight"), ("softmax_focal_loss", "alpha")):
        for target in ([0], np.eye(classes)[:1])[: len(kinds(name))]:
            value, grad = entry(name).value_and_grad(x, target, reduction="sum", **{key: weight})
            assert value == 0.0
            np.testing.assert_array_equal(grad, 0.0)
    for target in ([0], np.eye(classes)[:1]):
        assert losslib.symmetric_cross_entropy(x, target, alpha=0.0) == pytest.approx(4.0, rel=1e-14)
    x[0, 1] = np.nan
    assert np.isnan(losslib.cross_entropy(x, [0], weight=weight, reduction="sum"))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_slope_of_a_soft_cap_keeps_its_digits_far_out(dtype: Any) -> None:
    for logit in (200.0, 300.0, -300.0):
        x = np.array([[logit, 0.0]], dtype)
        _, grad, hess = losslib.cross_entropy.value_grad_hess(x, [1], softcap=30.0)
        u = logit / 30.0
        slope = np.cosh(u) ** -2.0
        p = 1 / (1 + np.exp(-30.0 * np.tanh(u)))
        assert grad[0, 0] == pytest.approx(p * slope, rel=1e-12 if dtype is np.float64 else 5e-6)
        curved = p * (1 - p) * slope**2 - p * slope * 2 * np.tanh(u) / 30.0
        assert hess[0, 0] == pytest.approx(curved, rel=1e-12 if dtype is np.float64 else 5e-6)


def test_amounts_may_be_as_small_and_as_large_as_numbers_are() -> None:
    for size, slope in ((1e-320, np.inf), (1e-310, np.inf), (1e-300, 5e299), (1e300, 5e-301), (1.5e308, 0.5 / 1.5e308)):
        value, grad = losslib.categorical_cross_entropy.value_and_grad(np.full((1, 2), size), [0])
        assert value == pytest.approx(np.log(2.0), rel=1e-14)
        np.testing.assert_allclose(grad, [[-slope, slope]], rtol=1e-12)


def test_probabilities_are_clipped_as_keras_clips_them() -> None:
    x = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [2.0, 1.0, 1.0]])
    value, grad = losslib.categorical_cross_entropy.value_and_grad(x, [0, 0, 0], reduction="none")
    np.testing.assert_allclose(value, [-np.log(1 - 1e-7), -np.log(1e-7), np.log(2.0)], rtol=1e-12)
    np.testing.assert_allclose(grad, [[0, 0, 0], [0, 0, 0], [-0.25, 0.25, 0.25]], atol=1e-15)
    assert np.isnan(losslib.categorical_cross_entropy(np.zeros((1, 3)), [0]))


def test_a_sparsemax_margin_of_one_costs_exactly_nothing() -> None:
    for classes in (2, 80):
        x = np.zeros((1, classes))
        x[0, 0] = 1.0
        for shift in (0.0, 1e6, -1e6):
            value, grad = losslib.sparsemax_loss.value_and_grad(x + shift, [0])
            assert value == 0.0
            np.testing.assert_array_equal(grad, 0.0)


# ---- class indices -----------------------------------------------------------------------------------------------

INDEX_TYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("index_type", INDEX_TYPES)
@pytest.mark.parametrize("name", WITH_IGNORE)
def test_every_integer_type_of_class_indices_gives_the_same_bits(name: str, index_type: str) -> None:
    for shape in ((33, 5), (7, 100), (3, 5, 9)):
        x, t = draw(name, shape)
        expected = entry(name).value_and_grad(x, t)
        for order in ("=", ">"):
            assert_same_bits(
                entry(name).value_and_grad(x, t.astype(np.dtype(index_type).newbyteorder(order))), expected
            )
        wide = np.repeat(t.astype(index_type), 2, axis=-1)[..., ::2]
        assert_same_bits(entry(name).value_and_grad(x, wide), expected)
        assert_same_bits(entry(name).value_and_grad(x, np.asfortranarray(t.astype(index_type))), expected)
        assert_same_bits(entry(name).value_and_grad(x, t.tolist()), expected)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("name", WITH_IGNORE)
def test_an_index_outside_the_classes_is_named_with_its_position(name: str, check: bool) -> None:
    """Also with check=False: an index decides which memory is read."""
    cls = getattr(losslib, entry(name).info.class_name)
    for shape, place, text in (
        ((6, 4), (3,), "[3]"),
        ((6, 80), (0,), "[0]"),
        ((2, 4, 3), (1, 2), "[1, 2]"),
        ((4,), (), ""),
    ):
        for index_type, bad in (
            ("int64", 10**12), ("int64", -(2**63)), ("int64", 80), ("int64", -1), ("int8", -2), ("uint8", 200),
            ("uint64", 2**64 - 1), ("uint64", 2**64 - 100), ("uint64", 2**63), ("int32", -(2**31)), ("uint32", 2**32 - 1),  # noqa: E501
        ):  # fmt: skip
            x, t = draw(name, shape)
            t = np.zeros(t.shape, index_type)
            t[place] = bad
            if t.ndim:
                t.flat[-1] = bad  # the first one is named
            out = np.full(shape, 7.0)
            for call in (
                lambda x=x, t=t: entry(name)(x, t, check=check),
                lambda x=x, t=t, out=out: entry(name).value_and_grad(x, t, check=check, out=out),
                lambda x=x, t=t: cls(check=check).value_and_grad(x, t),
            ):
                with pytest.raises(losslib.DomainError, match=re.escape(f"target{text} is {bad}, outside the classes")):
                    call()
            np.testing.assert_array_equal(out, 7.0)


@pytest.mark.parametrize("name", WITH_IGNORE)
def test_targets_that_are_no_class_indices_are_refused(name: str) -> None:
    x, t = draw(name, (6, 4))
    with pytest.raises(losslib.DTypeError, match="class indices must be integers"):
        entry(name)(x, t.astype(np.float64))
    with pytest.raises(losslib.ShapeError, match=r"one-hot targets are probabilities: use target.astype\(float\)"):
        entry(name)(x, np.eye(4, dtype=np.int64)[t])
    for wrong in (t[:5], t[:, np.newaxis], t[np.newaxis], t[0]):
        with pytest.raises(losslib.ShapeError, match=re.escape(f"target has shape {wrong.shape}")):
            entry(name)(x, wrong)
    with pytest.raises(losslib.ParameterError, match=r"class indices have no derivative|offers derivatives"):
        entry(name).grad(x, t, wrt="target")
    if name == "nll_loss":
        with pytest.raises(losslib.DTypeError, match="class indices must be integers"):
            losslib.nll_loss(x, np.eye(4)[t])
        return
    with pytest.raises(losslib.ShapeError, match="target has shape"):
        entry(name)(x, np.full((6, 3), 1 / 3))
    for bad in (1.5, -0.25):
        soft = np.eye(4)[t]
        soft[2, 3] = bad
        with pytest.raises(losslib.DomainError, match=re.escape(f"target[2, 3] is {bad:g}")):
            entry(name)(x, soft)
    with pytest.raises(losslib.ParameterError, match="ignore_index=2: probabilities as target have no class to ignore"):
        entry(name)(x, np.eye(4)[t], ignore_index=2)


def test_probabilities_may_be_booleans_and_integers_of_one_hot_rows_are_not() -> None:
    x, t = draw("cross_entropy", (6, 4))
    one_hot = np.eye(4)[t]
    assert losslib.cross_entropy(x, one_hot.astype(bool)) == losslib.cross_entropy(x, one_hot)


@pytest.mark.parametrize("name", TWO_ROWS)
def test_losses_between_two_rows_of_logits_take_no_classes(name: str) -> None:
    x, t = draw(name, (6, 4))
    with pytest.raises(losslib.ShapeError, match="target has shape"):
        entry(name)(x, np.zeros(6, np.int64))
    with pytest.raises(losslib.ParameterError, match="wrt"):
        entry(name).grad(x, t, wrt="target")
    rounded = np.rint(t)
    assert entry(name)(x, rounded.astype(np.int64)) == entry(name)(x, rounded)


def test_weights_axes_and_masks_that_do_not_fit_are_refused() -> None:
    x, t = draw("cross_entropy", (6, 4))
    for weight in (np.ones(3), np.ones((1, 4)), 2.0):
        with pytest.raises(losslib.ShapeError, match="one weight for each class"):
            losslib.cross_entropy(x, t, weight=weight)
    with pytest.raises(losslib.ShapeError, match="alpha has shape"):
        losslib.softmax_focal_loss(x, t, alpha=np.ones(5))
    for axis in (2, -3):
        with pytest.raises(losslib.ShapeError, match=f"axis={axis} is not an axis of input"):
            losslib.cross_entropy(x, t, axis=axis)
    with pytest.raises(losslib.ShapeError, match="input is a number"):
        losslib.cross_entropy(1.0, 0)
    for name in REFERENCES:
        x, t = draw(name, (6, 4))
        for option, bad in (
            ("where", np.ones(5, bool)),
            ("sample_weight", np.ones(5)),
            ("where", np.ones((6, 4), bool)),
        ):
            with pytest.raises(losslib.ShapeError, match=f"{option} has shape"):
                entry(name)(x, t, **{option: bad})
        with pytest.raises(losslib.DTypeError, match="where has dtype"):
            entry(name)(x, t, where=np.ones(6))
        with pytest.raises(losslib.ShapeError, match="grad_output has shape"):
            entry(name).grad(x, t, reduction="none", grad_output=np.ones(5))
        with pytest.raises(losslib.ShapeError, match="grad_output has shape"):
            entry(name).grad(x, t, grad_output=np.ones(6))


def test_negative_probabilities_are_a_domain_error_with_a_way_out() -> None:
    x = np.full((3, 4), 0.25)
    x[1, 2] = -1.0
    with pytest.raises(losslib.DomainError, match=r"input\[1, 2\] is -1.*cross_entropy, which takes logits"):
        losslib.categorical_cross_entropy(x, [0, 1, 2])
    losslib.categorical_cross_entropy(x, [0, 1, 2], where=[True, False, True])
    losslib.categorical_cross_entropy(x, [0, 1, 2], check=False)


# ---- memory ------------------------------------------------------------------------------------------------------


def layouts(array: np.ndarray) -> dict[str, np.ndarray]:
    """Return the same numbers in other layouts of memory."""
    channels_last = np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)  # NHWC seen as NCHW
    spaced = np.repeat(array, 2, axis=1)[:, ::2]
    backwards = np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    bytes_of = np.zeros(array.nbytes + 1, np.uint8)[1:]
    misaligned = bytes_of.view(array.dtype).reshape(array.shape)
    misaligned[...] = array
    return {
        "fortran": np.asfortranarray(array), "channels last": channels_last, "spaced": spaced, "backwards": backwards,
        "misaligned": misaligned, "big-endian": array.astype(array.dtype.newbyteorder(">")),
        "outer axes swapped": np.ascontiguousarray(array.swapaxes(0, -1)).swapaxes(0, -1),
    }  # fmt: skip


@pytest.mark.parametrize("shape", [(20, 5), (5, 90), (3, 5, 17), (2, 6, 3, 20), (2, 3, 2, 3, 2)], ids=str)
@PER_LOSS
def test_the_memory_layout_changes_no_result(name: str, shape: tuple[int, ...]) -> None:
    for soft, dtype in itertools.product(kinds(name), (np.float64, np.float32)):
        x, t = draw(name, shape, soft=soft, dtype=dtype)
        value, grad = entry(name).value_and_grad(x, t, reduction="none")
        tolerance = {"rtol": 1e-12, "atol": 1e-13} if dtype is np.float64 else {"rtol": 1e-5, "atol": 1e-6}
        for label, other in layouts(x).items():
            target = t if t.ndim != x.ndim else layouts(t)[label]
            before = other.copy()
            found, slopes = entry(name).value_and_grad(other, target, reduction="none")
            np.testing.assert_allclose(found, value, err_msg=label, **tolerance)
            np.testing.assert_allclose(slopes, grad, err_msg=label, **tolerance)
            np.testing.assert_array_equal(other, before)
            # Into an array of every layout, and over the input itself.
            for place, out in layouts(np.full(shape, 9.0, dtype)).items():
                if out.dtype != dtype:
                    continue
                assert entry(name).grad(other, target, reduction="none", out=out) is out
                np.testing.assert_array_equal(out, slopes, err_msg=f"{label} into {place}")
            if other.dtype == dtype:
                assert entry(name).grad(other, target, reduction="none", out=other) is other
                np.testing.assert_array_equal(other, slopes, err_msg=f"{label} in place")


@pytest.mark.parametrize("shape", [(20, 5), (5, 90), (3, 5, 17)], ids=str)
@PER_LOSS
def test_out_that_overlaps_an_input_partly_gets_the_right_numbers(name: str, shape: tuple[int, ...]) -> None:
    for soft in kinds(name):
        x, t = draw(name, shape, soft=soft)
        expected = entry(name).grad(x, t)
        size = x.size
        for shift in (1, shape[1], size // 2):
            memory = np.zeros(size + shift)
            source, out = memory[:size].reshape(shape), memory[shift:].reshape(shape)
            source[...] = x
            entry(name).grad(source, t, out=out)
            np.testing.assert_array_equal(out, expected)
        if t.ndim == x.ndim:
            target = t.copy()
            entry(name).grad(x, target, out=target)
            np.testing.assert_array_equal(target, expected)


def test_every_derivative_goes_into_its_array() -> None:
    for shape in ((7, 5), (4, 90), (2, 5, 3)):
        x, t = draw("cross_entropy", shape, soft=True)
        value, grad, hess = losslib.cross_entropy.value_grad_hess(x, t)
        outs = np.empty(shape), np.empty(shape)
        assert losslib.cross_entropy.value_grad_hess(x, t, out=outs)[0] == value
        assert_same_bits(outs, (grad, hess))
        source = x.copy()
        losslib.cross_entropy.value_grad_hess(source, t, out=(outs[0], source))
        assert_same_bits((outs[0], source), (grad, hess))
        both = losslib.cross_entropy.grad(x, t, wrt=("input", "target"))
        source, target = x.copy(), t.copy()
        losslib.cross_entropy.grad(source, target, wrt=("input", "target"), out=(target, source))
        assert_same_bits((target, source), both)
        values = np.empty(samples_of(shape))
        assert losslib.cross_entropy(x, t, reduction="none", out=values) is values
        np.testing.assert_array_equal(values, losslib.cross_entropy(x, t, reduction="none"))


def test_an_unfit_out_is_refused_before_anything_is_written() -> None:
    x, t = draw("cross_entropy", (6, 4))
    frozen = np.zeros((6, 4))
    frozen.flags.writeable = False
    for out, kind in (
        (np.zeros((6, 5)), losslib.ShapeError), (np.zeros((6, 4), np.float32), losslib.DTypeError),
        ([0.0], TypeError), (frozen, ValueError), (np.broadcast_to(np.zeros(4), (6, 4)), ValueError),
        ((np.zeros((6, 4)), np.zeros((6, 4))), losslib.ParameterError),
    ):  # fmt: skip
        for call in (losslib.cross_entropy.grad, losslib.CrossEntropyLoss().grad):
            with pytest.raises(kind):
                call(x, t, out=out)
    with pytest.raises(losslib.ParameterError, match="the value is a float"):
        losslib.cross_entropy(x, t, out=np.zeros(6))
    with pytest.raises(losslib.ParameterError, match="the value is a float"):
        losslib.CrossEntropyLoss()(x, t, out=np.zeros(6))
    memory = np.zeros((6, 4))
    with pytest.raises(losslib.ParameterError, match="shares memory"):
        losslib.cross_entropy.value_grad_hess(x, t, out=(memory, memory))


@pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=str)
@PER_CASE
def test_16_bit_numbers_are_computed_in_float32_and_rounded_once(name: str, parameters: Parameters, dtype: Any) -> None:
    for shape, soft in itertools.product([(20, 5), (4, 90), (2, 5, 7)], kinds(name)):
        x, t = draw(name, shape, soft=soft)
        given = filled(parameters, shape[1])
        x = x.astype(dtype)
        t = t.astype(dtype) if t.dtype.kind == "f" else t
        wide, wide_target = x.astype(np.float32), t.astype(np.float32) if t.dtype.kind != "i" else t
        # Few classes run through the other driver in float32, so that the last bit before rounding may differ.
        ulp = 2.0**-10 if dtype == np.float16 else 2.0**-7
        for reduction in ("mean", "none"):
            value, grad = entry(name).value_and_grad(x, t, reduction=reduction, **given)
            expected, slopes = entry(name).value_and_grad(wide, wide_target, reduction=reduction, **given)
            assert grad.dtype == dtype
            assert grad.shape == shape
            np.testing.assert_allclose(grad.astype(np.float32), slopes, rtol=ulp, atol=1e-7)
            if reduction == "none":
                assert value.dtype == dtype
                np.testing.assert_allclose(value.astype(np.float32), expected, rtol=ulp, atol=1e-6)
            else:
                assert value == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_mixed_dtypes_promote_and_gradients_keep_the_dtype_of_their_input() -> None:
    x, t = draw("cross_entropy", (6, 4), soft=True)
    narrow = x.astype(np.float32)
    values = losslib.cross_entropy(narrow, t, reduction="none")
    assert values.dtype == np.float64
    np.testing.assert_allclose(
        values, losslib.cross_entropy(narrow.astype(np.float64), t, reduction="none"), rtol=1e-14
    )
    grads = losslib.cross_entropy.grad(narrow, t, wrt=("input", "target"))
    assert [grad.dtype for grad in grads] == [np.float32, np.float64]
    for integer in (np.int64, np.uint8, bool):
        whole = np.abs(np.rint(x)).astype(integer)
        assert losslib.cross_entropy.grad(whole, t).dtype == np.float64


# ---- long rows, and outputs that bypass the caches -----------------------------------------------------------------


def exact_cross_entropy(x: np.ndarray, t: np.ndarray, axis: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Values and gradient of the sum in float64, from p - q with q the smoothed, weighted target."""
    x, classes = x.astype(np.float64), x.shape[axis]
    share = options.get("label_smoothing", 0.0)
    weight = np.asarray(options.get("weight", np.ones(classes)), np.float64)
    one_hot = t[..., None] == np.arange(classes)
    q = np.moveaxis(weight * ((1 - share) * one_hot + share / classes), -1, axis)
    top = x.max(axis, keepdims=True)
    e = np.exp(x - top)
    lse = top + np.log(e.sum(axis, keepdims=True))
    mass = q.sum(axis, keepdims=True)
    return times(q, lse - x).sum(axis), mass * e / e.sum(axis, keepdims=True) - q


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"label_smoothing": 0.1, "weight": "per class"}],
                         ids=str)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2047, 2048, 2049, 4096, 5003, 6160])
def test_rows_longer_than_a_block_equal_the_mathematics(classes: int, dtype: Any, options: Parameters) -> None:
    given = filled(options, classes)
    rng = np.random.default_rng(classes)
    x = 2 * rng.standard_normal((6, classes))
    x[1] += np.linspace(0, 300, classes)  # the largest number grows from block to block
    x[2] -= np.linspace(0, 300, classes)
    x[3, -1] = 200.0
    if not options:
        x[4, : min(2048, classes - 1)] = -np.inf  # a block without a number
        x[5, 2000:] = -np.inf
    x = x.astype(dtype)
    t = np.array([classes - 1, 5, 2046, classes - 1, classes - 1, 17]) if classes > 2048 else np.full(6, 1990)
    values, slopes = exact_cross_entropy(x, t, 1, **given)
    finite = np.isfinite(values)
    rtol, atol = (1e-5, 1e-6) if dtype == np.float32 else (1e-12, 1e-14)
    value, grad = losslib.cross_entropy.value_and_grad(x, t, reduction="none", **given)
    np.testing.assert_allclose(value[finite], values[finite], rtol=rtol)
    np.testing.assert_array_equal(value[~finite], values[~finite])
    np.testing.assert_allclose(grad[finite], slopes[finite], rtol=rtol, atol=atol)
    out = x.copy()
    losslib.cross_entropy.grad(out, t, reduction="none", out=out, **given)
    np.testing.assert_array_equal(out, grad)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 2047, 2048, 4999])
def test_nan_and_inf_in_any_block_of_a_long_row_reach_its_value(bad: float, place: int) -> None:
    x, t = draw("cross_entropy", (3, 5000), dtype=np.float32)
    x[1, place] = bad
    value, grad = losslib.cross_entropy.value_and_grad(x, t, reduction="none")
    np.testing.assert_array_equal(np.isnan(value), [False, True, False])
    assert np.isnan(grad[1]).all()
    assert np.isfinite(grad[[0, 2]]).all()
    assert np.isnan(losslib.cross_entropy(np.full((1, 5000), -np.inf), t[:1]))


def test_the_hessian_of_a_long_row_is_that_of_the_probabilities() -> None:
    x, t = draw("cross_entropy", (3, 5003))
    x += np.linspace(0, 40, 5003)
    _, _, hess = losslib.cross_entropy.value_grad_hess(x, t, reduction="sum")
    p = np.exp(x - log_sum_exp(x))
    np.testing.assert_allclose(hess, p * (1 - p), rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"weight": "per class", "ignore_index": 3}], ids=str)
@pytest.mark.parametrize("shape", [(71, 30011), (2, 21, 50021), (110003, 21)], ids=str)
def test_outputs_stored_past_the_caches_equal_the_mathematics(shape: tuple[int, ...], options: Parameters) -> None:
    """8 MiB and more, at an address that no vector is aligned to."""
    given = filled(options, shape[1])
    ignored = given.pop("ignore_index", None)
    x, t = draw("cross_entropy", shape, dtype=np.float32)
    out = np.full(x.size + 3, 7.0, np.float32)[3:].reshape(shape)
    asked = given if ignored is None else {**given, "ignore_index": ignored}
    assert losslib.cross_entropy.grad(x, t, reduction="sum", out=out, **asked) is out
    counted = np.expand_dims(np.ones(t.shape, bool) if ignored is None else t != ignored, 1)
    part = (slice(None), slice(None), slice(40000, None))[: len(shape)] if len(shape) > 2 else slice(-40, None)
    where = part if isinstance(part, slice) else (part[0], part[2])
    weight = np.asarray(given.get("weight", np.ones(shape[1])), np.float64)
    pieces = {"label_smoothing": given.get("label_smoothing", 0.0)}
    rows, targets = x[part], t[where]
    _, slopes = exact_cross_entropy(rows, targets, 1, **pieces)
    slopes = slopes * np.expand_dims(weight[targets], 1)
    np.testing.assert_allclose(out[part], np.where(counted[part], slopes, 0.0), rtol=1e-5, atol=1e-6)
    same = x.copy()
    losslib.cross_entropy.grad(same, t, reduction="sum", out=same, **asked)
    np.testing.assert_array_equal(same, out)


# ---- threads -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(20011, 10), (1501, 130), (7, 12, 3001), (3, 300, 401)], ids=str)
@PER_LOSS
def test_one_two_three_and_seven_threads_give_the_same_bits(
    name: str, shape: tuple[int, ...], always_parallel: None
) -> None:
    for soft in kinds(name):
        x, t = draw(name, shape, soft=soft, dtype=np.float32)
        mask = np.arange(np.prod(samples_of(shape))).reshape(samples_of(shape)) % 5 != 0
        calls = [
            lambda x=x, t=t: entry(name).value_and_grad(x, t),
            lambda x=x, t=t, mask=mask: entry(name).value_and_grad(
                x, t, reduction="none", where=mask, sample_weight=mask + 0.5
            ),
        ]
        if entry(name).info.has_hessian:
            calls.append(lambda x=x, t=t: entry(name).value_grad_hess(x, t))
        for call in calls:
            kernel_threads.set_width(1)
            expected = call()
            for width in (2, 3, 7):
                kernel_threads.set_width(width)
                assert_same_bits(call(), expected)
