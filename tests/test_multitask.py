"""Several losses on several pairs of arrays, with weights that depend on the step."""

from __future__ import annotations

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
