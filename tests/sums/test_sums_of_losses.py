"""Sums of losses on the same inputs: half precision, shapes, output arrays, and what is refused."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import losslib
from formulas import LOSS_IDS, LOSSES, loss_class, modes, sample_inputs

PER_LOSS = pytest.mark.parametrize("info", LOSSES, ids=LOSS_IDS)
PER_HALF = pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])

X, T = np.array([1.0, -2.0, 0.25, 4.0]), np.array([0.0, 0.5, 0.25, -1.0])


def flat(result: Any) -> list[Any]:
    """Return the numbers and arrays of a result in one list."""
    return [item for part in result for item in flat(part)] if isinstance(result, tuple) else [result]


def halves(info: Any, half: Any) -> list[Any]:
    """Return inputs of a loss with its floating-point arrays in half precision."""
    return [a.astype(half) if a.dtype.kind == "f" else a for a in map(np.asarray, sample_inputs(info))]


# ---- half precision ----------------------------------------------------------------------------------------------


def test_a_coefficient_beyond_float16_scales_its_gradient() -> None:
    x, t = np.float16([0, 1e-3]), np.float16([0, 0])
    loss = losslib.MSELoss()
    expected = loss.grad(x, t, grad_output=131072.0)
    assert expected.dtype == np.float16
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal((131072.0 * loss).grad(x, t), expected)
    np.testing.assert_array_equal((131072.0 * loss).value_and_grad(x, t)[1], expected)
    np.testing.assert_array_equal((65536.0 * loss).grad(x, t, grad_output=2.0), expected)
    grad, hess = (1e5 * loss).value_grad_hess(x, t)[1:]
    np.testing.assert_array_equal(grad, (1e5 * loss).grad(x, t))
    np.testing.assert_array_equal(hess, np.float16([np.inf, np.inf]))


def test_a_gradient_beyond_float16_comes_back_with_a_small_coefficient() -> None:
    x, t = np.float16([6e4]), np.float16([0])
    scaled = 1e-4 * losslib.MSELoss(reduction="sum")
    np.testing.assert_array_equal(scaled.grad(x, t), np.float16([2e-4 * float(x[0])]))
    value = (1e-9 * losslib.MSELoss(reduction="none"))(x, t)
    np.testing.assert_array_equal(value, np.float16([1e-9 * float(x[0]) ** 2]))


@PER_HALF
def test_terms_of_half_precision_are_added_before_they_are_rounded(half: Any) -> None:
    rng = np.random.default_rng(11)
    x, t = rng.standard_normal((2, 500)).astype(half)
    for reduction in ("sum", "none"):
        total = 1e6 * losslib.MSELoss(reduction=reduction) + -2e6 * losslib.HuberLoss(delta=9.0, reduction=reduction)
        total = total + 0.3 * losslib.L1Loss(reduction=reduction)
        wide = total.value_grad_hess(x.astype(np.float32), t.astype(np.float32))
        found = total.value_grad_hess(x, t)
        for one, other in zip(flat(found), flat(wide), strict=True):
            expected = other.astype(half) if isinstance(other, np.ndarray) else other
            np.testing.assert_array_equal(one, expected)
        np.testing.assert_array_equal(total.grad(x, t), found[1])


@PER_HALF
@PER_LOSS
def test_a_sum_of_one_loss_is_the_loss_in_half_precision(info: Any, half: Any) -> None:
    given = halves(info, half)
    for reduction in ("mean", "none" if "none" in info.reductions else "sum"):
        loss = loss_class(info)(reduction=reduction)
        total = losslib.WeightedSum(((1.0, loss),))
        for mode in ("__call__", *modes(info)):
            found, expected = getattr(total, mode)(*given), getattr(loss, mode)(*given)
            for one, other in zip(flat(found), flat(expected), strict=True):
                if isinstance(other, np.ndarray):
                    assert one.dtype == other.dtype
                    one, other = one.astype(np.float64), other.astype(np.float64)
                np.testing.assert_allclose(one, other, rtol=1e-7 if isinstance(one, float) else 1e-2)
        named = dict(zip(info.input_names, given, strict=True))
        for one, other in zip(flat(total.grad(**named)), flat(total.grad(*given)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_inputs_of_several_types_keep_their_types() -> None:
    x, t = np.float16([0.5, 2.0]), np.array([0.25, -1.0])
    loss = losslib.MSELoss(reduction="none")
    others = [t, t.astype(np.float32), t.astype(ml_dtypes.bfloat16), np.array([1, 2]), x.astype(">f2"), [*x], 1.0]
    for pair in (*((x, other) for other in others), *((other, x) for other in others[:-1]), (x[0], x[1]), ([*x], [*x])):
        found = (2.0 * loss).value_and_grad(*pair, wrt=("input", "target"))
        expected = loss.value_and_grad(*pair, wrt=("input", "target"))
        for one, other in zip(flat(found), flat(expected), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, 2 * other)
    scores, classes = np.float16([[0.5, 1.0, 2.0]]), np.array([1])
    for loss in (losslib.CrossEntropyLoss(reduction="none"), losslib.MultiMarginLoss(reduction="none")):
        assert (2.0 * loss)(scores, classes).dtype == np.float16
    lists = losslib.MultiLabelMarginLoss(reduction="none")
    assert (2.0 * lists)(scores, np.array([[1, -1, -1]])).dtype == np.float16


def test_a_coefficient_beyond_float32_does_not_spoil_zeros() -> None:
    x, t = np.float32([0.0, 1e-9]), np.float32([0.0, 0.0])
    grad = (1e39 * losslib.MSELoss()).grad(x, t)
    np.testing.assert_allclose(grad, [0.0, 1e30], rtol=1e-6)
    np.testing.assert_allclose((1e-46 * losslib.MSELoss()).grad(np.float32([0.0, 1e15]), t), [0.0, 1e-31], rtol=1e-6)


def test_infinite_values_add_as_numbers_do() -> None:
    far, zero = np.array([1e200]), np.array([0.0])
    loss = losslib.MSELoss()
    assert (2 * loss + losslib.L1Loss())(far, zero) == math.inf
    assert math.isnan((0 * loss + losslib.L1Loss())(far, zero))
    assert math.isnan((loss + -1.0 * loss)(far, zero))
    most = losslib.L1Loss()
    assert (most + most + -1.0 * most)(np.array([1.5e308]), zero) == 1.5e308
    assert (most + most)(np.array([1.5e308]), zero) == math.inf


# ---- shapes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [2, 3])
def test_values_of_elements_and_of_rows_are_not_added(rows: int) -> None:
    x, y = np.ones((rows, 2)), np.eye(rows, 2)
    elements, vectors = losslib.MSELoss(reduction="none"), losslib.CosineSimilarityLoss(reduction="none")
    message = r"terms\[0\] \(MSELoss\) gives \(\d, 2\), terms\[1\] \(CosineSimilarityLoss\) gives \(\d,\)"
    for mode in ("__call__", "value_and_grad"):
        with pytest.raises(losslib.ShapeError, match=message):
            getattr(elements + vectors, mode)(x, y)
        with pytest.raises(losslib.ShapeError, match=r"terms\[0\] \(CosineSimilarityLoss\) gives \(\d,\), terms\[1\]"):
            getattr(vectors + elements, mode)(x, y)
    reduced = losslib.MSELoss() + losslib.CosineSimilarityLoss()
    assert reduced(x, y) == losslib.mse_loss(x, y) + losslib.cosine_similarity_loss(x, y)


# ---- identity ----------------------------------------------------------------------------------------------------


def test_a_sum_of_sums_holds_the_terms_themselves() -> None:
    inner = 0.3 * losslib.MSELoss() + -0.7 * losslib.L1Loss()
    outer = losslib.WeightedSum(((2.0, inner), (1.0, losslib.HuberLoss()), (0.5, 4.0 * inner)))
    assert [coefficient for coefficient, _ in outer.terms] == [0.6, -1.4, 1.0, 0.6, -1.4]
    assert eval(repr(outer), vars(losslib)) == outer
    assert outer == 2.0 * inner + losslib.HuberLoss() + 0.5 * (4.0 * inner)
    assert pickle.loads(pickle.dumps(outer)) == copy.deepcopy(outer) == outer
    assert outer(X, T) == pytest.approx(4.0 * inner(X, T) + losslib.huber_loss(X, T), rel=1e-14)
    with pytest.raises(losslib.ParameterError, match="finite"):
        losslib.WeightedSum(((1e200, 1e200 * losslib.L1Loss()),))


def test_a_sum_cannot_be_changed() -> None:
    total = 2.0 * losslib.L1Loss()
    with pytest.raises(AttributeError, match="immutable"):
        del total._terms
    with pytest.raises(AttributeError, match="immutable"):
        total.__init__(((3.0, losslib.MSELoss()),))
    assert total == 2.0 * losslib.L1Loss()


@pytest.mark.parametrize(
    ("terms", "error", "message"),
    [
        (5, TypeError, r"terms must be a tuple of \(coefficient, loss\), got int"),
        (losslib.L1Loss(), TypeError, r"terms must be a tuple of \(coefficient, loss\), got L1Loss"),
        (((1.0, losslib.L1Loss(), 2.0),), losslib.ParameterError, r"terms\[0\] must be \(coefficient, loss\)"),
        (((1.0, losslib.L1Loss()), 2.0), losslib.ParameterError, r"terms\[1\] must be \(coefficient, loss\), got 2.0"),
        (("ab",), losslib.ParameterError, r"terms\[0\] must be \(coefficient, loss\), got 'ab'"),
        (((1.0, "mse"),), TypeError, "terms must be losses, got str"),
        (((1.0, object()),), TypeError, "terms must be losses, got object"),
        (((True, losslib.L1Loss()),), TypeError, "a coefficient must be a number, got bool"),
    ],
)
def test_wrong_terms_are_named(terms: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        losslib.WeightedSum(terms)


# ---- output arrays -----------------------------------------------------------------------------------------------

TOTAL = 0.3 * losslib.MSELoss() + 0.7 * losslib.HuberLoss()


def test_one_array_may_come_in_a_tuple() -> None:
    out = np.empty(4)
    assert TOTAL.grad(X, T, out=(out,)) is out
    np.testing.assert_array_equal(out, TOTAL.grad(X, T))
    found = TOTAL.grad(X, T, wrt=("input", "target"), out=(None, out))
    assert found[1] is out
    np.testing.assert_array_equal(found, TOTAL.grad(X, T, wrt=("input", "target")))
    _, grad, hess = TOTAL.value_grad_hess(X, T, out=[None, out])
    assert hess is out
    np.testing.assert_array_equal((grad, hess), TOTAL.value_grad_hess(X, T)[1:])


def locked() -> np.ndarray:
    array = np.empty(4)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "out",
    [
        np.empty(4, np.float32),
        np.empty(4, np.int64),
        np.empty(3),
        np.empty((4, 1)),
        [0.0] * 4,
        5,
        locked(),
        np.lib.stride_tricks.as_strided(np.zeros(1), (4,), (0,)),
        (),
        (np.empty(4), np.empty(4)),
    ],
    ids=["float32", "int64", "3", "4x1", "numbers", "number", "locked", "one-element", "none", "two"],
)
def test_a_wrong_output_is_refused_as_by_a_single_loss(out: Any) -> None:
    for mode in ("grad", "value_and_grad"):
        with pytest.raises((ValueError, TypeError)) as single:
            getattr(losslib.MSELoss(), mode)(X, T, out=out)
        with pytest.raises((ValueError, TypeError)) as total:
            getattr(TOTAL, mode)(X, T, out=out)
        assert type(total.value) is type(single.value)
        assert str(total.value).split()[:4] == str(single.value).split()[:4] or "of a weighted sum" in str(total.value)
    elements = losslib.MSELoss(reduction="none")
    with pytest.raises((ValueError, TypeError)) as single:
        elements(X, T, out=out)
    with pytest.raises((ValueError, TypeError)) as total:
        (2.0 * elements)(X, T, out=out)
    assert (type(total.value), str(total.value)) == (type(single.value), str(single.value))


def test_outputs_that_share_memory_are_refused() -> None:
    both = np.full(6, 7.0)
    for outs in ((both[:4], both[:4]), (both[:4], both[2:])):
        with pytest.raises(losslib.ParameterError, match=r"out\[1\] shares memory with another array of out"):
            TOTAL.grad(X, T, wrt=("input", "target"), out=outs)
        with pytest.raises(losslib.ParameterError, match=r"out\[1\] shares memory with another array of out"):
            TOTAL.value_grad_hess(X, T, out=outs)
    with pytest.raises(losslib.DTypeError, match=r"out\[1\] has dtype float32, expected float64 exactly"):
        TOTAL.value_grad_hess(X, T, out=(both[:4], np.empty(4, np.float32)))
    message = r"must be 2 arrays \(gradient of input, Hessian of input\), got 1"
    with pytest.raises(losslib.ParameterError, match=message):
        TOTAL.value_grad_hess(X, T, out=(both[:4],))
    np.testing.assert_array_equal(both, np.full(6, 7.0))  # nothing was written
    with pytest.raises(losslib.ParameterError, match="with reduction='mean' the value is a float"):
        TOTAL(X, T, out=both[:4])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_an_output_may_overlap_the_inputs_in_any_way(dtype: Any) -> None:
    numbers = np.random.default_rng(2).standard_normal(80).astype(dtype)
    x, t, free = slice(0, 20), slice(20, 40), slice(60, 80)
    elements = 0.5 * losslib.MSELoss(reduction="none") + 2.0 * losslib.L1Loss(reduction="none")
    for place in (x, t, slice(3, 23), slice(25, 45), slice(1, 41, 2), slice(19, None, -1), slice(39, 19, -1)):
        for total in (TOTAL, elements):
            expected = total.value_grad_hess(numbers[x], numbers[t])
            memory = numbers.copy()
            total.grad(memory[x], memory[t], out=memory[place])
            np.testing.assert_array_equal(memory[place], expected[1])
            memory = numbers.copy()
            total.value_grad_hess(memory[x], memory[t], out=(memory[place], memory[free]))
            np.testing.assert_array_equal(memory[place], expected[1])
            np.testing.assert_array_equal(memory[free], expected[2])
        memory = numbers.copy()
        elements(memory[x], memory[t], out=memory[place])
        np.testing.assert_array_equal(memory[place], expected[0])


def test_the_input_survives_a_term_that_refuses_it() -> None:
    x = np.array([0.25, 0.5, 0.75])
    before, target = x.copy(), np.array([0.0, 1.0, 2.0])
    total = 1.0 * losslib.MSELoss() + 1.0 * losslib.BCELoss()
    with pytest.raises(losslib.DomainError):
        total.grad(x, target, out=x)
    np.testing.assert_array_equal(x, before)
