"""What the objectives of all boosters share: derivatives, their floor, and the best constant."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

import losslib
from losslib.adapters import binding
from losslib.adapters.boosting import constant_scores, derivatives, optimal_constant, score
from losslib.declaration import registry
from losslib.errors import DomainError, ParameterError, ShapeError
from oracles import formulas

SCORES = np.linspace(-3.0, 3.0, 7)
ZEROS = np.zeros(7)
ELEMENTS = [
    info for info in registry.all_losses()
    if info.geometry == "pointwise" and info.input_names == ("input", "target") and not info.averages_last_axis
]  # fmt: skip


def made(loss: Any, hessian: str = "auto", factor: float | None = None, floor: float = 1e-16, **parameters: Any) -> Any:
    return derivatives(loss, hessian, factor, floor, parameters)


def test_derivatives_are_those_of_the_sum_whatever_the_reduction_of_the_loss() -> None:
    grad, hess = made(losslib.MSELoss(reduction="mean"))(SCORES, ZEROS, None)
    np.testing.assert_array_equal(grad, 2.0 * SCORES)
    np.testing.assert_array_equal(hess, np.full(7, 2.0))


def test_weights_multiply_gradient_and_hessian() -> None:
    weight = np.arange(1.0, 8.0)
    grad, hess = made("log_cosh")(SCORES, ZEROS, weight)
    np.testing.assert_allclose(grad, weight * np.tanh(SCORES), rtol=1e-14)
    np.testing.assert_allclose(hess, weight / np.cosh(SCORES) ** 2, rtol=1e-13)


def test_a_sum_of_losses_has_the_sum_of_their_derivatives() -> None:
    grad, _ = made(0.5 * losslib.MSELoss() + 2.0 * losslib.L1Loss())(SCORES, ZEROS, None)
    np.testing.assert_allclose(grad, SCORES + 2.0 * np.sign(SCORES), rtol=1e-14)


@pytest.mark.parametrize("name", ["quantile", "l1_loss", "hinge"])
def test_a_loss_without_curvature_gets_the_weights_as_hessian(name: str) -> None:
    target = np.ones(7)
    _, hess = made(name)(SCORES, target, np.full(7, 3.0))
    np.testing.assert_array_equal(hess, np.full(7, 3.0))


def test_a_hessian_that_is_0_somewhere_only_is_kept_and_floored() -> None:
    _, hess = made("huber", floor=0.01)(SCORES, ZEROS, None)
    np.testing.assert_array_equal(hess, [0.01, 0.01, 1.0, 1.0, 1.0, 0.01, 0.01])


def test_a_negative_hessian_is_raised_to_the_floor() -> None:
    _, _, exact = losslib.welsch_loss.value_grad_hess(SCORES, ZEROS, reduction="sum")
    _, hess = made("welsch", floor=0.125)(SCORES, ZEROS, None)
    assert (exact < 0.0).any()
    np.testing.assert_array_equal(hess, np.maximum(exact, 0.125))


def test_exact_keeps_a_hessian_of_zeros_at_the_floor_and_unit_replaces_any() -> None:
    _, floored = made("quantile", hessian="exact", floor=0.5)(SCORES, ZEROS, None)
    np.testing.assert_array_equal(floored, np.full(7, 0.5))
    _, unit = made("mse_loss", hessian="unit")(SCORES, ZEROS, None)
    np.testing.assert_array_equal(unit, np.ones(7))


def test_the_factor_multiplies_the_exact_hessian_only() -> None:
    grad, hess = made("mse_loss", factor=3.0)(SCORES, ZEROS, None)
    np.testing.assert_array_equal(grad, 2.0 * SCORES)
    np.testing.assert_array_equal(hess, np.full(7, 6.0))


def test_rows_take_class_labels_that_came_as_floats() -> None:
    scores = np.zeros((2, 4))
    grad, _ = made("cross_entropy")(scores, np.array([3.0, 0.0], dtype=np.float32), None)
    np.testing.assert_allclose(grad, [[0.25, 0.25, 0.25, -0.75], [-0.75, 0.25, 0.25, 0.25]])


def test_rows_without_a_hessian_get_the_unit() -> None:
    _, hess = made("crammer_singer_loss")(np.zeros((2, 4)), np.array([0.0, 1.0]), None)
    np.testing.assert_array_equal(hess, np.ones((2, 4)))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"loss": "binary_cross_entropy"}, "takes probabilities"),
        ({"loss": "triplet_margin_loss"}, "anchor, positive, negative"),
        ({"loss": "gaussian_nll_loss"}, "input, target, var"),
        ({"loss": "mse_loss", "hessian": "exakt"}, "hessian must be one of"),
        ({"loss": "mse_loss", "floor": 0.0}, "min_hessian must be > 0"),
        ({"loss": "mse_loss", "factor": -1.0}, "hessian_factor must be > 0"),
        ({"loss": "hubris"}, "no loss is called 'hubris'"),
    ],
)
def test_what_cannot_be_an_objective_says_why(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        made(**arguments)


def test_an_object_with_parameters_beside_it_is_an_error_that_names_replace() -> None:
    with pytest.raises(TypeError, match=r"loss\.replace\(delta=\.\.\.\)"):
        made(losslib.HuberLoss(), delta=2.0)


def test_labels_that_are_no_integers_are_refused_for_rows() -> None:
    with pytest.raises(ParameterError, match=r"target\[1\] is 0\.5"):
        made("cross_entropy")(np.zeros((2, 3)), np.array([0.0, 0.5]), None)


def test_a_score_is_the_mean_or_the_weighted_mean() -> None:
    metric = score(losslib.MSELoss(reduction="sum"), {})
    target, weight = np.array([1.0, 3.0]), np.array([3.0, 1.0])
    assert metric(np.zeros(2), target, None) == 5.0
    assert metric(np.zeros(2), target, weight) == 3.0


def test_derivatives_survive_a_pickle() -> None:
    before = made("huber", delta=0.5)
    after = pickle.loads(pickle.dumps(before))
    np.testing.assert_array_equal(after(SCORES, ZEROS, None)[0], before(SCORES, ZEROS, None)[0])


# ---- the best constant -----------------------------------------------------------------------------------------


def test_the_best_constant_of_common_losses_is_what_theory_says() -> None:
    rng = np.random.default_rng(0)
    y, w = rng.gamma(2.0, size=301), rng.uniform(0.5, 2.0, size=301)
    b = rng.integers(0, 2, size=301)
    mean = np.average(y, weights=w)
    assert optimal_constant("mse_loss", y, w) == pytest.approx(mean, rel=1e-12)
    assert optimal_constant("l1_loss", y) == pytest.approx(np.median(y), rel=1e-12)
    assert optimal_constant("quantile", y, quantile=0.9) == pytest.approx(np.quantile(y, 0.9), rel=1e-9)
    assert optimal_constant("poisson", y, w) == pytest.approx(np.log(mean), rel=1e-12)
    assert optimal_constant("gamma", y, w) == pytest.approx(np.log(mean), rel=1e-12)
    rate = np.average(b, weights=w)
    assert optimal_constant("bce_with_logits", b, w) == pytest.approx(np.log(rate / (1 - rate)), rel=1e-11)
    assert optimal_constant(losslib.PoissonNLLLoss(log_input=False), y) == pytest.approx(y.mean(), rel=1e-7)


@pytest.mark.parametrize("name", ["huber", "log_cosh", "cauchy", "tukey", "sigmoid_focal_loss", "modified_huber_loss"])
def test_the_best_constant_is_as_good_as_a_search_finds(name: str) -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, size=200) * 1.0 if "focal" in name else rng.choice([-1.0, 1.0, 1.0], size=200)
    loss = losslib.get(name, reduction="sum")
    found = optimal_constant(loss, y)
    searched = minimize_scalar(lambda c: loss(np.full(200, c), y), bounds=(-4, 4), method="bounded").fun
    assert loss(np.full(200, found), y) <= searched + 1e-9


def test_the_best_row_is_the_logarithm_of_the_frequencies() -> None:
    label, weight = np.array([0, 0, 0, 1, 2, 2]), np.array([1.0, 1.0, 1.0, 2.0, 0.5, 0.5])
    expected = np.log([3.0, 2.0, 1.0])
    np.testing.assert_allclose(optimal_constant("cross_entropy", label, weight), expected - expected.mean(), atol=1e-8)


def test_the_best_row_equals_the_intercepts_of_a_regression_on_nothing() -> None:
    label = np.random.default_rng(2).integers(0, 4, size=100)
    intercepts = LogisticRegression(C=1e6, tol=1e-12, max_iter=1000).fit(np.zeros((100, 1)), label).intercept_
    np.testing.assert_allclose(optimal_constant("cross_entropy", label), intercepts, atol=1e-6)


def test_each_output_has_a_constant_of_its_own() -> None:
    y = np.array([[1.0, 10.0], [3.0, 30.0]])
    np.testing.assert_allclose(optimal_constant("mse_loss", y), [2.0, 20.0])
    assert constant_scores("mse_loss", y, None, 5, {}).tolist() == [[2.0, 20.0]] * 5
    assert constant_scores("mse_loss", y[:, 0], None, None, {}).tolist() == [2.0, 2.0]


def test_a_class_without_targets_ends_at_the_edge_of_the_search() -> None:
    assert optimal_constant("bce_with_logits", np.zeros(5)) == -32.0


@pytest.mark.parametrize(("target", "weight"), [(np.zeros((2, 2, 2)), None), ([], None), ([1.0, 2.0], [1.0])])
def test_shapes_that_fit_no_constant_are_refused(target: Any, weight: Any) -> None:
    with pytest.raises(ShapeError):
        optimal_constant("mse_loss", target, weight)


@pytest.mark.parametrize("info", ELEMENTS, ids=lambda info: info.name)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_best_constant_of_every_loss_is_no_worse_than_any_on_a_grid(info: Any, scale: float) -> None:
    loss = losslib.get(info.name, reduction="sum")
    target = formulas.points(info, formulas.defaults(info), 40)["target"]
    if binding.target_domain(loss) in ("real", "nonnegative", "positive"):
        target = scale * target
    weight = np.linspace(0.0, 2.0, 40)
    found = optimal_constant(loss, target, weight)
    least, most = {"probability": (0.0, 1.0), "real": (-32.0, 32.0)}.get(binding.input_domain(loss), (1e-9, 32.0))
    grid = np.append(np.linspace(least, most, 400), 0.5 * least + 0.5 * most)
    with np.errstate(all="ignore"):
        values = [loss(np.full(40, point), target, sample_weight=weight) for point in grid if least <= point]
        best = loss(np.full(40, found), target, sample_weight=weight)
    assert best <= np.nanmin(values) + 1e-9 * abs(np.nanmin(values)) + 1e-12


@pytest.mark.parametrize("size", [1e-300, 1e-20, 1e15, 1e18, 1e30, 1e100, 1e200])
def test_the_best_constant_is_found_at_any_size(size: float) -> None:
    y = size * np.array([1.0, 2.0, 6.0])
    assert optimal_constant("mse_loss", y) == pytest.approx(3.0 * size, rel=1e-12, abs=0.0)
    assert optimal_constant("l1_loss", y) == pytest.approx(2.0 * size, rel=1e-12, abs=0.0)
    assert optimal_constant("poisson", y) == pytest.approx(np.log(3.0 * size), rel=1e-12)
    assert optimal_constant("gamma", y) == pytest.approx(np.log(3.0 * size), rel=1e-12)
    assert optimal_constant("tweedie", y) == pytest.approx(np.log(3.0 * size), rel=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_targets_that_are_no_numbers_are_named(value: float) -> None:
    for name, target in (("mse", [1.0, value]), ("cross_entropy", [1.0, value]), ("mse", [[1.0], [value]])):
        with pytest.raises(DomainError, match=r"target\[1(, 0)?\] is -?(nan|inf), expected a finite number"):
            optimal_constant(name, target)


def test_samples_of_weight_0_do_not_count() -> None:
    assert optimal_constant("mse_loss", [1.0, 2.0, 1e9], [1.0, 3.0, 0.0]) == pytest.approx(1.75, rel=1e-12)
    with pytest.raises(DomainError, match="sample_weight is zero everywhere"):
        optimal_constant("mse_loss", [1.0, 2.0], [0.0, 0.0])
