"""Losses of pairs and triplets of vectors against plain NumPy, and the rules of calls that hold for rows."""

from __future__ import annotations

import itertools
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib
from losslib._kernels import threads as kernel_threads

ml_dtypes = pytest.importorskip("ml_dtypes")

AVAILABLE = tuple(losslib.config()["isa_available"])
ROWS, COLUMNS = 7, 21
SHAPE = (ROWS, COLUMNS)


# ---- the formulas, in plain NumPy ----------------------------------------------------------------------------------


def norm(u: np.ndarray, p: float) -> Any:
    if math.isinf(p):
        return np.abs(u).max(axis=-1, initial=0.0)
    return (np.abs(u) ** p).sum(axis=-1) ** (1 / p)


def cosine(x: np.ndarray, y: np.ndarray, added: float = 0.0, least: float = 0.0) -> Any:
    squares = ((x * x).sum(-1) + added) * ((y * y).sum(-1) + added)
    if least:
        return (x * y).sum(-1) / (np.maximum(norm(x, 2), least) * np.maximum(norm(y, 2), least))
    return np.where(squares == 0, 0.0, (x * y).sum(-1) / np.sqrt(np.where(squares == 0, 1.0, squares)))


def hinge(margin: float, swap: bool, distance: Callable[..., Any], a: Any, p: Any, n: Any) -> Any:
    negative = distance(a, n)
    if swap:
        negative = np.minimum(negative, distance(p, n))
    return np.maximum(margin + distance(a, p) - negative, 0.0)


DISTANCES: dict[str, Callable[..., Any]] = {
    "euclidean": lambda x, y: norm(x - y + 1e-6, 2.0),
    "sqeuclidean": lambda x, y: ((x - y) ** 2).sum(-1),
    "manhattan": lambda x, y: np.abs(x - y).sum(-1),
    "cosine": lambda x, y: 1 - cosine(x, y, least=1e-8),
}


def cosine_embedding(x: Any, y: Any, t: Any, margin: float = 0.0) -> Any:
    c = cosine(x, y, added=1e-12)
    return np.where(t == 1, 1 - c, np.where(t == -1, np.maximum(c - margin, 0), 0.0))


def contrastive(x: Any, y: Any, t: Any, margin: float = 1.0) -> Any:
    d = norm(x - y, 2.0)
    return t * d**2 + (1 - t) * np.maximum(margin - d, 0) ** 2


def cosine_similarity(x: Any, t: Any, axis: int = -1) -> Any:
    return -cosine(np.moveaxis(x, axis, -1), np.moveaxis(t, axis, -1))


def triplet(a: Any, p_: Any, n: Any, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False) -> Any:
    return hinge(margin, swap, lambda x, y: norm(x - y + eps, p), a, p_, n)


def triplet_with_distance(
    a: Any, p: Any, n: Any, distance: str = "euclidean", margin: float = 1.0, swap: bool = False
) -> Any:
    return hinge(margin, swap, DISTANCES[distance], a, p, n)


#: name -> (reference, how many vectors it takes, whether labels follow, parameter settings)
LOSSES: dict[str, tuple[Callable[..., Any], int, tuple[float, ...], list[dict[str, Any]]]] = {
    "cosine_embedding_loss": (cosine_embedding, 2, (1.0, -1.0), [{}, {"margin": 0.3}, {"margin": -0.6}]),
    "contrastive_loss": (contrastive, 2, (1.0, 0.0), [{}, {"margin": 3.0}, {"margin": 40.0}]),
    "cosine_similarity_loss": (cosine_similarity, 2, (), [{}]),
    "triplet_margin_loss": (
        triplet, 3, (),
        [
            {"margin": margin, "p": p, "eps": eps, "swap": swap}
            for margin, (p, eps), swap in itertools.product(
                (0.5, 9.0), ((2.0, 1e-6), (1.0, 0.0), (math.inf, 1e-3), (3.0, 1e-6), (0.7, 0.01)), (False, True)
            )
        ],
    ),
    "triplet_margin_with_distance_loss": (
        triplet_with_distance, 3, (),
        [
            {"margin": margin, "distance": distance, "swap": swap}
            for margin, distance, swap in itertools.product((0.5, 9.0), DISTANCES, (False, True))
        ],
    ),
}  # fmt: skip
CASES = [(name, parameters) for name, entry in LOSSES.items() for parameters in entry[3]]
per_case = pytest.mark.parametrize(
    ("name", "parameters"), CASES, ids=["-".join([n, *(f"{k}={v}" for k, v in p.items())]) for n, p in CASES]
)
per_loss = pytest.mark.parametrize("name", LOSSES)


def call(name: str) -> Any:
    return getattr(losslib, name)


def inputs_of(name: str, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> list[np.ndarray]:
    """Return vectors, the second and third near the first, and labels where the loss takes them."""
    _, count, labels, _ = LOSSES[name]
    rng = np.random.default_rng([seed, *shape])
    first = rng.normal(size=shape)
    spread = rng.uniform(0.2, 1.5, (*shape[:-1], 1))
    arrays = [first, *(first + spread * rng.normal(size=shape) for _ in range(count - 1))]
    if labels:
        arrays.append(rng.choice(labels, shape[:-1]))
    return arrays


def vector_names(name: str) -> tuple[str, ...]:
    return tuple(call(name).info.input_names[: LOSSES[name][1]])


def slopes(name: str, inputs: list[np.ndarray], parameters: dict[str, Any]) -> list[np.ndarray]:
    """Differentiate the values of all rows by central differences, one component at a time in every row."""
    reference, count = LOSSES[name][0], LOSSES[name][1]
    step = 1e-6
    found = []
    for k in range(count):
        grad = np.empty_like(inputs[k])
        for j in range(inputs[k].shape[-1]):
            ends = []
            for sign in (1, -1):
                moved = [array.copy() for array in inputs]
                moved[k][..., j] += sign * step
                ends.append(reference(*moved, **parameters))
            grad[..., j] = (ends[0] - ends[1]) / (2 * step)
        found.append(grad)
    return found


# ---- values, gradients, options ------------------------------------------------------------------------------------


@per_case
def test_values_equal_the_formula_and_gradients_its_differences(name: str, parameters: dict[str, Any]) -> None:
    reference = LOSSES[name][0]
    for columns in (1, 3, 16, 35):
        inputs = inputs_of(name, (ROWS, columns), seed=columns)
        expected = reference(*inputs, **parameters)
        value, grads = call(name).value_and_grad(
            *inputs, reduction="none", wrt=vector_names(name), grad_output=np.arange(1.0, ROWS + 1), **parameters
        )
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-13 * columns)
        np.testing.assert_array_equal(call(name)(*inputs, reduction="none", **parameters), value)
        for grad, slope in zip(grads, slopes(name, inputs, parameters), strict=True):
            slope = slope * np.arange(1.0, ROWS + 1)[:, np.newaxis]
            np.testing.assert_allclose(grad, slope, rtol=1e-5, atol=3e-7 * max(1.0, np.abs(slope).max()))


@per_case
def test_float32_agrees_with_float64_on_the_same_numbers(name: str, parameters: dict[str, Any]) -> None:
    narrow = [array.astype(np.float32) for array in inputs_of(name)]
    wide = [array.astype(np.float64) for array in narrow]
    value, grads = call(name).value_and_grad(*narrow, reduction="none", wrt=vector_names(name), **parameters)
    expected, expected_grads = call(name).value_and_grad(*wide, reduction="none", wrt=vector_names(name), **parameters)
    assert value.dtype == np.float32
    # A few roundings of the elements, of sizes that are relative to the row where two terms cancel.
    np.testing.assert_allclose(value, expected, rtol=4e-7, atol=1e-7)
    for grad, other in zip(grads, expected_grads, strict=True):
        assert grad.dtype == np.float32
        np.testing.assert_allclose(grad, other, rtol=4e-7, atol=2e-7 * float(np.abs(other).max()))


@pytest.mark.skipif(losslib.config()["isa"] == "baseline", reason="no fused multiply-add: the terms are rounded")
def test_gradients_of_the_cosine_of_nearly_parallel_rows_keep_their_digits_in_float32() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(50, 33)).astype(np.float32)
    near = (x * 1.5 * (1 + 1e-5 * rng.normal(size=x.shape))).astype(np.float32)
    grad = losslib.cosine_similarity_loss.grad(x, near)
    expected = losslib.cosine_similarity_loss.grad(x.astype(np.float64), near.astype(np.float64))
    assert np.max(np.abs(grad - expected) / np.linalg.norm(expected, axis=1, keepdims=True)) < 3e-7


@per_case
def test_plain_calls_take_a_short_way_to_the_same_bits(name: str, parameters: dict[str, Any]) -> None:
    """A plain call is answered by compiled code alone; one with an option, `where=None`, by the geometry."""
    for dtype, shape in itertools.product((np.float32, np.float64), ((1, 1), (5, 3), (2, 3, 40), (90, 70))):
        inputs = [array.astype(dtype) for array in inputs_of(name, shape)]
        for reduction in ("mean", "sum"):
            bound = losslib.get(name, **{**parameters, "reduction": reduction})
            value, grads = bound.value_and_grad(*inputs)
            expected, expected_grads = bound.value_and_grad(*inputs, where=None)
            assert type(value) is float
            assert value == expected == bound(*inputs) == bound(*inputs, where=None)
            several = isinstance(expected_grads, tuple)
            out = tuple(np.full_like(grad, 7) for grad in (expected_grads if several else (expected_grads,)))
            again = bound.grad(*inputs, out=out if several else out[0])
            for found in (grads, again, bound.grad(*inputs)):
                assert type(found) is type(expected_grads)
                for grad, other in zip(found, expected_grads, strict=True):
                    np.testing.assert_array_equal(grad, other)
            assert (again if several else (again,))[0] is out[0]


@per_loss
def test_every_combination_of_options_equals_the_plain_version(name: str) -> None:
    inputs = inputs_of(name)
    rows = LOSSES[name][0](*inputs)
    unit = call(name).grad(*inputs, reduction="none", wrt=vector_names(name))
    rng = np.random.default_rng(1)
    weights, mask = rng.uniform(0.1, 2.0, ROWS), np.array([1, 0, 1, 1, 0, 1, 1], bool)
    for reduction, weighted, masked, upstream in itertools.product(
        ("mean", "sum", "none", "weighted_mean"), (False, True), (False, True), (None, -1.5, "rows")
    ):
        if upstream == "rows":
            if reduction != "none":
                continue
            upstream = rng.normal(size=ROWS)
        w = weights if weighted else np.ones(ROWS)
        kept = mask if masked else np.ones(ROWS, bool)
        divisor = {"mean": kept.sum(), "weighted_mean": w[kept].sum()}.get(reduction, 1.0)
        terms = np.where(kept, rows * w, 0.0)
        expected = terms if reduction == "none" else terms.sum() / divisor
        given: dict[str, Any] = {"reduction": reduction}
        if weighted:
            given["sample_weight"] = weights
        if masked:
            given["where"] = mask
        value, grads = call(name).value_and_grad(*inputs, wrt=vector_names(name), grad_output=upstream, **given)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14)
        assert np.shape(value) == np.shape(expected)
        np.testing.assert_array_equal(call(name)(*inputs, **given), value)
        factor = np.where(kept, w / divisor * (1.0 if upstream is None else upstream), 0.0)[:, np.newaxis]
        for grad, part in zip(grads, unit, strict=True):
            np.testing.assert_allclose(grad, part * factor, rtol=1e-12, atol=1e-15)
            assert (grad[~kept] == 0).all()
        for k, input_name in enumerate(vector_names(name)):
            alone = call(name).grad(*inputs, wrt=input_name, grad_output=upstream, **given)
            np.testing.assert_allclose(alone, grads[k], rtol=1e-13, atol=1e-16)


@per_loss
def test_masked_rows_are_never_looked_at(name: str) -> None:
    mask = np.array([1, 0, 1, 1, 0, 1, 1], bool)
    clean = inputs_of(name)
    expected = call(name).value_and_grad(*clean, where=mask, wrt=vector_names(name))
    for junk in (np.nan, np.inf, 1e308):
        spoiled = [array.copy() for array in clean]
        for array in spoiled:
            array[~mask] = junk
        value, grads = call(name).value_and_grad(*spoiled, where=mask, wrt=vector_names(name))
        assert value == expected[0]
        for grad, other in zip(grads, expected[1], strict=True):
            np.testing.assert_array_equal(grad, other)


@per_loss
def test_default_gradients_are_those_of_the_predictions(name: str) -> None:
    inputs = inputs_of(name)
    default = call(name).grad(*inputs)
    if name == "cosine_similarity_loss":
        np.testing.assert_array_equal(default, call(name).grad(*inputs, wrt="input"))
    else:
        assert isinstance(default, tuple)
        assert len(default) == LOSSES[name][1]
    with pytest.raises(losslib.ParameterError, match="offers derivatives"):
        call(name).grad(*inputs, wrt="weight")
    with pytest.raises(TypeError, match="no Hessian"):
        call(name).value_grad_hess(*inputs)


# ---- degenerate and extreme rows -----------------------------------------------------------------------------------


@per_case
def test_equal_and_zero_vectors_have_finite_gradients(name: str, parameters: dict[str, Any]) -> None:
    labels = LOSSES[name][2]
    count = LOSSES[name][1]
    x = np.random.default_rng(2).normal(size=(6, 5))
    for arrays in ([x] * count, [np.zeros_like(x)] * count, [x, *[np.zeros_like(x)] * (count - 1)]):
        inputs = [*arrays, np.resize(labels, 6)] if labels else arrays
        value, grads = call(name).value_and_grad(*inputs, reduction="none", wrt=vector_names(name), **parameters)
        np.testing.assert_allclose(value, LOSSES[name][0](*inputs, **parameters), rtol=1e-12, atol=1e-14)
        assert all(np.isfinite(grad).all() for grad in grads)


def test_a_distance_of_zero_has_the_subgradient_zero() -> None:
    x = np.array([[1.0, -2.0, 3.0]])
    far = x + 0.25
    for p in (1.0, 1.5, 2.0, 3.0, 0.5, math.inf):
        grads = losslib.triplet_margin_loss.grad(x, x, far, p=p, eps=0.0, margin=9.0)
        np.testing.assert_array_equal(grads[1], 0.0)
        np.testing.assert_array_equal(grads[0], -grads[2])
    for grad in losslib.contrastive_loss.grad(x, x, [0]):
        np.testing.assert_array_equal(grad, 0.0)
    assert losslib.contrastive_loss(x, x, [0], margin=3.0) == 9.0


def test_a_zero_vector_has_cosine_zero() -> None:
    zero, x = np.zeros(3), np.array([1.0, 2.0, 2.0])
    assert losslib.cosine_similarity_loss(zero, x) == 0
    np.testing.assert_array_equal(losslib.cosine_similarity_loss.grad(zero, x), 0.0)
    assert losslib.cosine_embedding_loss(zero, x, 1) == 1.0
    assert losslib.cosine_similarity_loss(x, x) == -1.0


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_squares_that_leave_the_range_of_float64_do_no_harm(size: float) -> None:
    x, y, z = np.random.default_rng(3).normal(size=(3, 4, 19))
    similarity = losslib.cosine_similarity_loss
    expected, grads = similarity.value_and_grad(x, y, wrt=("input", "target"))
    value, found = similarity.value_and_grad(x * size, y, wrt=("input", "target"))
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    np.testing.assert_allclose(found[0] * size, grads[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], grads[1], rtol=1e-12)
    for p in (2.0, 3.0, 1.0, math.inf):
        options: dict[str, Any] = {"p": p, "eps": 0.0}
        value, found = losslib.triplet_margin_loss.value_and_grad(x * size, y * size, z * size, margin=size, **options)
        expected, grads = losslib.triplet_margin_loss.value_and_grad(x, y, z, **options)
        np.testing.assert_allclose(value / size, expected, rtol=1e-12)
        for part, other in zip(found, grads, strict=True):
            np.testing.assert_allclose(part, other, rtol=1e-12, atol=1e-15)
    if size > 1:
        by_cosine = losslib.triplet_margin_with_distance_loss
        expected, grads = by_cosine.value_and_grad(x, y, z, distance="cosine", swap=True)
        value, found = by_cosine.value_and_grad(x * size, y, z * size, distance="cosine", swap=True)
        np.testing.assert_allclose(value, expected, rtol=1e-12)
        np.testing.assert_allclose(found[0] * size, grads[0], rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose(found[1], grads[1], rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose(
            losslib.cosine_embedding_loss(x * size, y, np.ones(4)), losslib.cosine_embedding_loss(x, y, np.ones(4)),
            rtol=1e-12,
        )  # fmt: skip


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e200])
@pytest.mark.parametrize("p", [1.5, 30.0, 300.0, 1e4, 1e6, 1e10, 1e30, math.inf])
def test_norms_of_any_degree_are_those_of_exact_arithmetic(p: float, size: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(7)
    a, b, c = size * rng.standard_normal((3, 4, 6))
    b[0, 1] = a[0, 1] - (size * 9 - 1e-6)  # two largest differences that are alike
    b[0, 4] = a[0, 4] + (size * 9 + 1e-6)
    options = {"p": p, "margin": 20 * size, "reduction": "none"}
    value, (gradient, *_) = losslib.triplet_margin_loss.value_and_grad(a, b, c, **options)
    with mpmath.workdps(60):

        def distance(u: np.ndarray) -> tuple[Any, list[Any]]:
            moved = [mpmath.mpf(float(x + 1e-6)) for x in u]
            largest = max(map(abs, moved))
            power = mpmath.mpf(1e40 if math.isinf(p) else p)  # so large that it is the largest one
            total = sum((abs(x) / largest) ** power for x in moved)
            slopes = [mpmath.sign(x) * (abs(x) / largest) ** (power - 1) * total ** (1 / power - 1) for x in moved]
            return largest * total ** (1 / power), slopes

        for n in range(len(a)):
            (near, toward), (far, away) = distance(a[n] - b[n]), distance(a[n] - c[n])
            assert value[n] == pytest.approx(float(20 * mpmath.mpf(size) + near - far), rel=1e-12)
            expected = [float(one - other) for one, other in zip(toward, away, strict=True)]
            if n or p < 1e6:  # which of two numbers is larger by a rounding decides there
                np.testing.assert_allclose(gradient[n], expected, rtol=1e-9, atol=1e-9)


@per_loss
def test_nan_propagates_in_its_row_alone(name: str) -> None:
    parameters: dict[str, Any] = {"margin": 50.0} if name.startswith(("triplet", "contrastive")) else {}
    for k in range(LOSSES[name][1]):
        inputs = inputs_of(name)
        if name == "cosine_embedding_loss":
            inputs[2][:] = 1.0
        clean = call(name)(*inputs, reduction="none", **parameters)
        inputs[k][3, 5] = np.nan
        value, grads = call(name).value_and_grad(*inputs, reduction="none", wrt=vector_names(name), **parameters)
        assert np.isnan(value[3])
        assert np.isnan(grads[0][3]).any()
        np.testing.assert_array_equal(np.delete(value, 3), np.delete(clean, 3))
        assert np.isfinite(np.delete(grads[0], 3, axis=0)).all()


# ---- shapes and layouts --------------------------------------------------------------------------------------------


@per_loss
def test_one_vector_is_one_row_and_leading_axes_are_rows(name: str) -> None:
    shape = (2, 3, 4, 9)
    inputs = inputs_of(name, shape)
    value, grads = call(name).value_and_grad(*inputs, reduction="none", wrt=vector_names(name))
    assert value.shape == shape[:-1]
    count = LOSSES[name][1]
    flat = [array.reshape(24, 9) if k < count else array.reshape(24) for k, array in enumerate(inputs)]
    np.testing.assert_array_equal(value.ravel(), call(name)(*flat, reduction="none"))
    one = [array[1, 2, 3] for array in inputs]
    single, single_grads = call(name).value_and_grad(*one, reduction="none", wrt=vector_names(name))
    assert single.shape == ()
    assert single == value[1, 2, 3]
    for grad, part in zip(grads, single_grads, strict=True):
        assert grad.shape == shape
        np.testing.assert_array_equal(grad[1, 2, 3], part)
    assert call(name)(*one) == value[1, 2, 3]


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fortran": np.asfortranarray,
    "every other row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "every other column": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed rows": lambda a: a[::-1].copy()[::-1],
    "reversed columns": lambda a: a[..., ::-1].copy()[..., ::-1],
    "big endian": lambda a: a.astype(">f8"),
}


@per_loss
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_change_no_bit(name: str, layout: str) -> None:
    inputs = inputs_of(name)
    expected = call(name).value_and_grad(*inputs, wrt=vector_names(name))
    arranged = [LAYOUTS[layout](array) for array in inputs]
    for array in arranged:
        array.flags.writeable = False
    value, grads = call(name).value_and_grad(*arranged, wrt=vector_names(name))
    assert value == expected[0]
    out = tuple(LAYOUTS[layout](np.full(SHAPE, 7.0)) for _ in grads) if layout != "big endian" else None
    call(name).grad(*inputs, wrt=vector_names(name), out=out)
    for k, (grad, other) in enumerate(zip(grads, expected[1], strict=True)):
        np.testing.assert_array_equal(grad, other)
        if out is not None:
            np.testing.assert_array_equal(out[k], other)


def test_the_axis_of_cosine_similarity_may_lie_anywhere() -> None:
    x, t = np.random.default_rng(4).normal(size=(2, 3, 4, 5))
    for axis in range(-3, 3):
        value, (grad_x, grad_t) = losslib.cosine_similarity_loss.value_and_grad(
            x, t, axis=axis, reduction="none", wrt=("input", "target")
        )
        np.testing.assert_allclose(value, cosine_similarity(x, t, axis), rtol=1e-13)
        moved = losslib.cosine_similarity_loss.grad(
            np.moveaxis(x, axis, -1), np.moveaxis(t, axis, -1), reduction="none", wrt=("input", "target")
        )
        np.testing.assert_array_equal(np.moveaxis(grad_x, axis, -1), moved[0])
        np.testing.assert_array_equal(np.moveaxis(grad_t, axis, -1), moved[1])
        clone = x.copy()
        losslib.cosine_similarity_loss.grad(clone, t, axis=axis, reduction="none", out=clone)
        np.testing.assert_array_equal(clone, grad_x)
    with pytest.raises(losslib.ShapeError, match=r"axis=3 is outside input of shape \(3, 4, 5\)"):
        losslib.cosine_similarity_loss(x, t, axis=3)


@per_loss
def test_no_rows_and_no_components_never_crash(name: str) -> None:
    inputs = inputs_of(name, (0, 4))
    for reduction, expected in (("mean", np.nan), ("weighted_mean", np.nan), ("sum", 0.0)):
        value, grads = call(name).value_and_grad(*inputs, reduction=reduction, wrt=vector_names(name))
        np.testing.assert_equal(value, expected)
        assert all(grad.shape == (0, 4) for grad in grads)
    assert call(name)(*inputs, reduction="none").shape == (0,)
    inputs = inputs_of(name, (3, 0))
    value, grads = call(name).value_and_grad(*inputs, reduction="none", wrt=vector_names(name))
    np.testing.assert_allclose(value, LOSSES[name][0](*inputs))
    assert all(grad.shape == (3, 0) for grad in grads)
    nothing = np.zeros(ROWS, bool)
    value, grads = call(name).value_and_grad(*inputs_of(name), where=nothing, wrt=vector_names(name))
    assert np.isnan(value)
    assert all((grad == 0).all() for grad in grads)


# ---- dtypes --------------------------------------------------------------------------------------------------------


@per_loss
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
def test_half_types_are_computed_in_float32_and_come_back_as_they_are(name: str, dtype: Any) -> None:
    count = LOSSES[name][1]
    narrow = [array.astype(dtype) if k < count else array for k, array in enumerate(inputs_of(name))]
    widened = [array.astype(np.float32) if k < count else array for k, array in enumerate(narrow)]
    value, grads = call(name).value_and_grad(*narrow, reduction="none", wrt=vector_names(name))
    expected, expected_grads = call(name).value_and_grad(*widened, reduction="none", wrt=vector_names(name))
    assert value.dtype == dtype
    np.testing.assert_array_equal(value, expected.astype(dtype))
    for grad, other in zip(grads, expected_grads, strict=True):
        assert grad.dtype == dtype
        np.testing.assert_array_equal(grad, other.astype(dtype))
    out = tuple(array.copy() for array in narrow[:count])
    call(name).grad(*out, *narrow[count:], reduction="none", wrt=vector_names(name), out=out)
    for grad, other in zip(out, grads, strict=True):
        np.testing.assert_array_equal(grad, other)


@per_loss
def test_mixed_types_promote_and_each_gradient_has_the_type_of_its_input(name: str) -> None:
    inputs = inputs_of(name)
    inputs[0] = inputs[0].astype(np.float32)
    wide = [array.astype(np.float64) for array in inputs]
    value, grads = call(name).value_and_grad(*inputs, reduction="none", wrt=vector_names(name))
    expected, expected_grads = call(name).value_and_grad(*wide, reduction="none", wrt=vector_names(name))
    assert value.dtype == np.float64
    np.testing.assert_array_equal(value, expected)
    assert [grad.dtype for grad in grads] == [array.dtype for array in inputs[: LOSSES[name][1]]]
    np.testing.assert_array_equal(grads[0], expected_grads[0].astype(np.float32))
    np.testing.assert_array_equal(grads[1], expected_grads[1])


@pytest.mark.parametrize("name", ["cosine_embedding_loss", "contrastive_loss"])
def test_labels_of_any_type_do_not_change_the_type_of_the_values(name: str) -> None:
    x, y, t = inputs_of(name)
    x, y = x.astype(np.float32), y.astype(np.float32)
    expected = call(name)(x, y, t.astype(np.float32), reduction="none")
    for labels in (t.astype(np.int8), t.astype(np.int64), t.tolist(), t):
        value = call(name)(x, y, labels, reduction="none")
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, expected)
    ones = call(name)(x, y, np.ones(ROWS), reduction="none")
    np.testing.assert_array_equal(call(name)(x, y, 1, reduction="none"), ones)


# ---- where results go ----------------------------------------------------------------------------------------------


@per_case
def test_gradients_may_overwrite_their_inputs_or_one_another_s(name: str, parameters: dict[str, Any]) -> None:
    count = LOSSES[name][1]
    for columns in (5, 1300):  # one block, and several with a ragged end
        inputs = inputs_of(name, (ROWS, columns))
        value, grads = call(name).value_and_grad(*inputs, wrt=vector_names(name), **parameters)
        for order in itertools.permutations(range(count)):
            clones = [array.copy() for array in inputs]
            out = tuple(clones[k] for k in order)
            found, returned = call(name).value_and_grad(*clones, wrt=vector_names(name), out=out, **parameters)
            assert found == value
            for grad, array, other in zip(returned, out, grads, strict=True):
                assert grad is array
                np.testing.assert_array_equal(grad, other)


@per_loss
def test_a_gradient_that_overlaps_an_input_is_right(name: str) -> None:
    inputs = inputs_of(name)
    first = vector_names(name)[0]
    expected = call(name).grad(*inputs, wrt=first)
    memory = np.empty((ROWS + 1, COLUMNS))
    memory[:-1] = inputs[0]
    found = call(name).grad(memory[:-1], *inputs[1:], wrt=first, out=memory[1:])
    np.testing.assert_array_equal(found, expected)
    memory[:-1] = inputs[0]
    with pytest.raises(losslib.ParameterError, match="shares memory"):
        call(name).grad(*inputs, wrt=vector_names(name), out=(memory[1:],) * LOSSES[name][1])


@per_loss
def test_out_takes_values_and_must_fit_exactly(name: str) -> None:
    inputs = inputs_of(name)
    out = np.empty(ROWS)
    assert call(name)(*inputs, reduction="none", out=out) is out
    np.testing.assert_array_equal(out, call(name)(*inputs, reduction="none"))
    over_input = inputs[0].copy()
    call(name)(over_input, *inputs[1:], reduction="none", out=over_input[:, 0])
    np.testing.assert_array_equal(over_input[:, 0], out)
    with pytest.raises(losslib.DTypeError, match="out has dtype float32, expected float64"):
        call(name)(*inputs, reduction="none", out=np.empty(ROWS, np.float32))
    with pytest.raises(losslib.ShapeError, match="out has shape"):
        call(name)(*inputs, reduction="none", out=np.empty(ROWS + 1))
    with pytest.raises(losslib.ParameterError, match="the value is a float"):
        call(name)(*inputs, out=out)
    with pytest.raises(losslib.ShapeError, match="out has shape"):
        call(name).grad(*inputs, wrt=vector_names(name)[0], out=np.empty((COLUMNS, ROWS)))


# ---- errors --------------------------------------------------------------------------------------------------------


@per_loss
def test_shapes_that_do_not_agree_are_errors_that_name_the_argument(name: str) -> None:
    inputs = inputs_of(name)
    second = vector_names(name)[1]
    with pytest.raises(losslib.ShapeError, match=rf"{second} has shape \(7, 20\), expected \(7, 21\)"):
        call(name)(inputs[0], inputs[1][:, :-1], *inputs[2:])
    with pytest.raises(losslib.ShapeError, match="needs an axis of components"):
        call(name)(1.0, *inputs[1:])
    with pytest.raises(losslib.ShapeError, match="sample_weight"):
        call(name)(*inputs, sample_weight=np.ones(ROWS + 1))
    with pytest.raises(losslib.ShapeError, match="where has shape"):
        call(name)(*inputs, where=np.ones((ROWS, COLUMNS), bool))
    with pytest.raises(losslib.ShapeError, match="grad_output has shape"):
        call(name).grad(*inputs, grad_output=np.ones(ROWS))
    with pytest.raises(TypeError, match="has no argument 'weight'"):
        call(name)(*inputs, weight=np.ones(ROWS))
    with pytest.raises(TypeError, match="is missing the argument"):
        call(name)(inputs[0])


@pytest.mark.parametrize(("name", "bad"), [("cosine_embedding_loss", 0.0), ("contrastive_loss", -1.0)])
def test_labels_are_checked_before_anything_is_written(name: str, bad: float) -> None:
    x, y, t = inputs_of(name)
    t[4] = bad
    out = (x.copy(), y.copy())
    with pytest.raises(losslib.DomainError, match=rf"target\[4\] is {bad:g}, outside the domain of {name}"):
        call(name).grad(*out, t, out=out)
    np.testing.assert_array_equal(out[0], x)
    assert np.isfinite(call(name)(x, y, t, check=False))
    assert np.isfinite(call(name)(x, y, t, where=t != bad))
    for shape in ((ROWS, 1), (ROWS - 1,)):
        with pytest.raises(losslib.ShapeError, match=r"expected \(7,\), one label for each row"):
            call(name)(x, y, np.ones(shape))


def test_soft_labels_mix_the_terms_of_the_contrastive_loss_unchecked() -> None:
    x, y, _ = inputs_of("contrastive_loss")
    t = np.linspace(0, 1, ROWS)
    found = losslib.contrastive_loss(x, y, t, check=False, margin=9.0, reduction="none")
    np.testing.assert_allclose(found, contrastive(x, y, t, 9.0), rtol=1e-13)


@pytest.mark.parametrize("name", ["triplet_margin_loss", "triplet_margin_with_distance_loss", "contrastive_loss"])
@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf, "1"])
def test_a_margin_must_be_positive(name: str, margin: Any) -> None:
    with pytest.raises(losslib.ParameterError, match="margin must be"):
        call(name)(*inputs_of(name), margin=margin)


def test_impossible_norms_and_distances_are_refused() -> None:
    inputs = inputs_of("triplet_margin_loss")
    for p in (0.0, -2.0, math.nan):
        with pytest.raises(losslib.ParameterError, match="p must be"):
            losslib.triplet_margin_loss(*inputs, p=p)
    with pytest.raises(losslib.ParameterError, match="did you mean 'euclidean'"):
        losslib.triplet_margin_with_distance_loss(*inputs, distance="euclidian")
    with pytest.raises(losslib.ParameterError, match="distance must be one of"):
        losslib.triplet_margin_with_distance_loss(*inputs, distance=np.subtract)


def test_objects_bind_their_parameters_and_survive_pickling() -> None:
    loss = losslib.TripletMarginLoss(margin=0.5, p=math.inf, swap=True)
    inputs = inputs_of("triplet_margin_loss")
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert loss(*inputs) == losslib.triplet_margin_loss(*inputs, margin=0.5, p=math.inf, swap=True)
    assert losslib.get("triplet", margin=0.5)(*inputs) == losslib.triplet_margin_loss(*inputs, margin=0.5)
    assert losslib.triplet_margin_with_distance_loss(*inputs) == losslib.triplet_margin_loss(*inputs)


# ---- threads and instruction sets ----------------------------------------------------------------------------------


@per_case
def test_one_two_three_and_seven_threads_give_the_same_bits(
    name: str, parameters: dict[str, Any], always_parallel: None
) -> None:
    for dtype in (np.float32, np.float64):
        inputs = [array.astype(dtype) for array in inputs_of(name, (1501, 61))]
        results = []
        for count in (1, 2, 3, 7):
            kernel_threads.set_width(count)
            value, grads = call(name).value_and_grad(*inputs, wrt=vector_names(name), **parameters)
            results.append((value, *(grad.tobytes() for grad in grads)))
        assert results[0] == results[1] == results[2] == results[3]


PROGRAM = """
import sys
import numpy as np
from test_distance import CASES, call, inputs_of, vector_names

results = {}
for number, (name, parameters) in enumerate(CASES):
    for dtype in (np.float32, np.float64):
        inputs = [array.astype(dtype) for array in inputs_of(name, (33, 53))]
        value, grads = call(name).value_and_grad(*inputs, reduction="none", wrt=vector_names(name), **parameters)
        for k, part in enumerate((value, *grads)):
            results[f"{number} {np.dtype(dtype).name} {k}"] = part
np.savez(sys.argv[1], **results)
"""


def results_of(isa: str, folder: Path) -> dict[str, np.ndarray]:
    """Compute every case under an instruction set, in a process of its own."""
    path = folder / f"{isa}.npz"
    search = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "LOSSLIB_ISA": isa, "PYTHONPATH": search}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    with np.load(path) as archive:
        return dict(archive)


def test_every_instruction_set_agrees(tmp_path: Path) -> None:
    results = {isa: results_of(isa, tmp_path) for isa in AVAILABLE}
    expected = results[AVAILABLE[-1]]
    for found in results.values():
        assert found.keys() == expected.keys()
        for key, part in expected.items():
            bound = 64 * float(np.finfo(part.dtype).eps)
            np.testing.assert_allclose(found[key], part, rtol=bound, atol=bound * np.abs(part).max(), err_msg=key)


@pytest.mark.skipif(not {"v3", "v4"} <= set(AVAILABLE), reason="needs a processor with AVX-512")
def test_v3_and_v4_give_the_same_bits(tmp_path: Path) -> None:
    narrow, wide = results_of("v3", tmp_path), results_of("v4", tmp_path)
    assert not [key for key in wide if not np.array_equal(narrow[key], wide[key])]
