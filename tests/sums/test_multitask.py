"""Several losses on several pairs of arrays, with weights that depend on the step."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import losslib


def tasks() -> losslib.MultiTask:
    return losslib.MultiTask(
        {
            "mean": (losslib.GaussianNLLLoss(), 2.0),
            "label": (losslib.CrossEntropyLoss(), lambda step: 0.5 + 0.1 * step),
        }
    )


def arrays() -> dict[str, tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(5)
    return {
        "mean": (rng.standard_normal(6), rng.standard_normal(6), rng.uniform(0.5, 2.0, 6)),
        "label": (rng.standard_normal((4, 3)), rng.integers(0, 3, 4)),
    }


@pytest.mark.parametrize("step", [0, 3])
def test_the_total_is_the_sum_of_the_weighted_parts(step: int) -> None:
    given = arrays()
    result = tasks().value_and_grad(given, step=step)
    weight = 0.5 + 0.1 * step
    assert result.parts["mean"] == losslib.gaussian_nll_loss(*given["mean"])
    assert result.parts["label"] == losslib.cross_entropy(*given["label"])
    assert result.total == pytest.approx(2.0 * result.parts["mean"] + weight * result.parts["label"], rel=1e-15)
    assert tasks()(given, step=step) == result.total


def test_gradients_are_those_of_the_total_by_finite_differences() -> None:
    given = arrays()
    both = tasks()
    result = both.value_and_grad(given, step=1)
    for name, gradient in (("label", result.grads["label"]), ("mean", result.grads["mean"][0])):
        index = (1,) * gradient.ndim
        ends = []
        for move in (1e-6, -1e-6):
            moved = given[name][0].copy()
            moved[index] += move
            ends.append(both({**given, name: (moved, *given[name][1:])}, step=1))
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-7)


def test_the_variance_has_a_gradient_of_its_own() -> None:
    gradients = tasks().value_and_grad(arrays()).grads["mean"]
    assert [g.shape for g in gradients] == [(6,), (6,)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "at least one name"),
        ({"a": losslib.L1Loss()}, r"tasks\['a'\] must be \(loss, weight\)"),
        ({"a": (losslib.L1Loss(reduction="none"), 1.0)}, "needs values that are reduced"),
        ({"a": (losslib.L1Loss(), float("nan"))}, "the weight of 'a' must be a finite number, got nan"),
        ({"a": (losslib.L1Loss(), "2")}, "the weight of 'a' must be a finite number, got '2'"),
        ({"a": (losslib.L1Loss(), b"2")}, "the weight of 'a' must be a finite number, got b'2'"),
        ({"a": (losslib.L1Loss(), True)}, "the weight of 'a' must be a finite number, got True"),
        ({"a": (losslib.L1Loss(), np.True_)}, "the weight of 'a' must be a finite number, got np.True_"),
        ({"a": (losslib.L1Loss(), np.array("2"))}, "the weight of 'a' must be a finite number"),
        ({"a": (losslib.L1Loss(), np.complex128(2.0))}, "the weight of 'a' must be a finite number"),
    ],
)
def test_a_wrong_task_is_refused(given: object, message: str) -> None:
    with pytest.raises(losslib.ParameterError, match=message):
        losslib.MultiTask(given)  # type: ignore[arg-type]


def test_missing_and_unknown_inputs_are_named() -> None:
    given = arrays()
    with pytest.raises(losslib.ParameterError, match="arrays has no inputs for 'label'"):
        tasks()({"mean": given["mean"]})
    with pytest.raises(losslib.ParameterError, match=r"'labels', which is no task \(did you mean 'label'\?\)"):
        tasks()({**given, "labels": given["label"]})


def test_a_weight_that_turns_infinite_is_named() -> None:
    growing = losslib.MultiTask({"a": (losslib.L1Loss(), lambda step: float("inf"))})
    with pytest.raises(losslib.ParameterError, match="the weight of 'a'"):
        growing({"a": ([1.0], [2.0])})


def test_weights_may_be_numbers_of_any_kind() -> None:
    for weight in (2, np.float32(2.0), np.int64(2), np.array(2.0), lambda step: np.float64(2.0)):
        assert losslib.MultiTask({"a": (losslib.L1Loss(), weight)}).weights() == {"a": 2.0}


def test_a_weight_beyond_float16_scales_its_gradient() -> None:
    x, t = np.float16([0, 1e-3]), np.float16([0, 0])
    loss = losslib.MSELoss()
    expected = loss.grad(x, t, grad_output=131072.0)
    for task in ((loss, 131072.0), (2.0 * loss, 65536.0), (131072.0 * loss, 1.0)):
        both = losslib.MultiTask({"a": task})
        result = both.value_and_grad({"a": (x, t)})
        np.testing.assert_array_equal(result.grads["a"], expected)
        assert result.grads["a"].dtype == np.float16
        assert result.total == both({"a": (x, t)})


@pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
def test_gradients_of_half_precision_are_rounded_once(half: Any) -> None:
    given = {name: tuple(a.astype(half) if a.dtype.kind == "f" else a for a in v) for name, v in arrays().items()}
    wide = {name: tuple(a.astype(np.float32) if a.dtype == half else a for a in v) for name, v in given.items()}
    found, expected = tasks().value_and_grad(given), tasks().value_and_grad(wide)
    assert found.total == tasks()(given) == expected.total
    np.testing.assert_array_equal(found.grads["label"], expected.grads["label"].astype(half))
    for one, other in zip(found.grads["mean"], expected.grads["mean"], strict=True):
        np.testing.assert_array_equal(one, other.astype(half))


def test_infinite_parts_add_as_numbers_do() -> None:
    loss = losslib.MSELoss()
    both = losslib.MultiTask({"a": (loss, 1.0), "b": (loss, -1.0)})
    far = (np.array([1e200]), np.array([0.0]))
    assert math.isnan(both({"a": far, "b": far}))
    assert both({"a": far, "b": (np.array([1.0]), np.array([0.0]))}) == math.inf
    result = both.value_and_grad({"a": far, "b": far})
    assert math.isnan(result.total)
    assert result.parts == {"a": math.inf, "b": math.inf}


@pytest.mark.parametrize(
    ("label", "error", "message"),
    [
        ((np.ones((4, 3)), np.zeros(5, int)), losslib.ShapeError, "task 'label': target has shape"),
        ((np.ones((4, 3)), np.full(4, 7)), losslib.DomainError, r"task 'label': target\[0\] is 7"),
        ((np.ones((4, 3)), np.zeros(4)), losslib.DTypeError, "task 'label': target has dtype float64"),
        ((np.ones((4, 3)),), TypeError, "task 'label': .* is missing the argument 'target'"),
        (5, losslib.ParameterError, r"arrays\['label'\] must be the inputs of its loss, a tuple, got 5"),
    ],
)
def test_what_a_loss_refuses_names_the_task(label: Any, error: type[Exception], message: str) -> None:
    given = {**arrays(), "label": label}
    for call in (tasks(), tasks().value_and_grad):
        with pytest.raises(error, match=message) as caught:
            call(given)
        assert type(caught.value) is error


def test_exceptions_of_other_kinds_pass_through() -> None:
    class Failing(losslib.L1Loss):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return b"\xff".decode()

    with pytest.raises(UnicodeDecodeError):
        losslib.MultiTask({"a": (Failing(), 1.0)})({"a": ([1.0], [2.0])})
