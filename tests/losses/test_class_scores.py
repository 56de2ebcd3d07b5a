"""Losses of classes of which more is known, and of ordered classes: definitions, differences, extremes, options."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from scipy import special, stats

import losslib
from class_scores import DEFINITIONS
from formulas import defaults, sample_inputs, settings
from losslib.declaration.schema import LossInfo

GEOMETRIES = ("softmax_classes", "ordinal", "agreement")
LOSSES = tuple(info for info in losslib.list_losses() if info.geometry in GEOMETRIES)
CASES = [(info, parameters) for info in LOSSES for parameters in settings(info)]
IDS = [f"{info.name}-{', '.join(f'{k}={v}' for k, v in parameters.items())}" for info, parameters in CASES]
each_case = pytest.mark.parametrize(("info", "parameters"), CASES, ids=IDS)
each_loss = pytest.mark.parametrize("info", LOSSES, ids=[info.name for info in LOSSES])
each_row_loss = pytest.mark.parametrize("info", [i for i in LOSSES if "none" in i.reductions], ids=lambda i: i.name)


def function(info: LossInfo) -> Any:
    return getattr(losslib, info.name)


def expected(info: LossInfo, inputs: list[np.ndarray], parameters: dict[str, Any]) -> Any:
    return DEFINITIONS[info.name](*inputs, {**defaults(info), **parameters})


@each_loss
def test_every_loss_has_a_definition_here(info: LossInfo) -> None:
    assert info.name in DEFINITIONS


@each_case
def test_values_are_those_of_the_definition(info: LossInfo, parameters: dict[str, Any]) -> None:
    inputs = sample_inputs(info)
    wanted = expected(info, inputs, parameters)
    if "none" in info.reductions:
        np.testing.assert_allclose(
            function(info)(*inputs, reduction="none", **parameters), wanted, rtol=1e-11, atol=1e-13
        )
        single = [array.astype(np.float32) if array.dtype.kind == "f" else array for array in inputs]
        found = function(info)(*single, reduction="none", **parameters)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=3e-5, atol=3e-5)
    else:
        assert function(info)(*inputs, **parameters) == pytest.approx(wanted, rel=1e-12)


def differences(info: LossInfo, inputs: list[np.ndarray], place: int, parameters: dict[str, Any]) -> np.ndarray:
    """Central differences of the sum of the values by one input."""
    found = np.empty(inputs[place].shape)
    for index in np.ndindex(found.shape):
        values = []
        for step in (1e-6, -1e-6):
            moved = [array.copy() for array in inputs]
            moved[place][index] += step
            values.append(function(info)(*moved, reduction="sum", **parameters))
        found[index] = (values[0] - values[1]) / 2e-6
    return found


def held(info: LossInfo, parameters: dict[str, Any]) -> bool:
    """True if a weight is constant for the gradient, which differences do not know; another test holds it."""
    return "held weights" in info.tags and parameters.get("q") != 0.0


SLOPES = [(case, name) for case, name in zip(CASES, IDS, strict=True) if not held(*case)]


@pytest.mark.parametrize(("info", "parameters"), [c for c, _ in SLOPES], ids=[name for _, name in SLOPES])
def test_gradients_are_slopes_of_the_values(info: LossInfo, parameters: dict[str, Any]) -> None:
    inputs = sample_inputs(info)
    for name in info.differentiable:
        place = info.input_names.index(name)
        if inputs[place].dtype.kind != "f":
            inputs = [inputs[0], np.eye(inputs[0].shape[1])[inputs[1]], *inputs[2:]]
        gradient = function(info).grad(*inputs, wrt=name, reduction="sum", **parameters)
        wanted = differences(info, inputs, place, {**parameters, "check": False})
        np.testing.assert_allclose(gradient, wanted, rtol=2e-6, atol=2e-7)


@each_case
def test_hessians_are_slopes_of_the_gradients(info: LossInfo, parameters: dict[str, Any]) -> None:
    if not info.has_hessian:
        with pytest.raises(TypeError, match="has no Hessian"):
            function(info).value_grad_hess(*sample_inputs(info), **parameters)
        return
    inputs = sample_inputs(info)
    value, gradient, hessian = function(info).value_grad_hess(*inputs, reduction="sum", **parameters)
    assert value == pytest.approx(function(info)(*inputs, reduction="sum", **parameters), rel=1e-12)
    for index in np.ndindex(hessian.shape):
        slopes = []
        for step in (1e-5, -1e-5):
            moved = inputs[0].copy()
            moved[index] += step
            slopes.append(function(info).grad(moved, *inputs[1:], reduction="sum", **parameters)[index])
        assert hessian[index] == pytest.approx((slopes[0] - slopes[1]) / 2e-5, rel=1e-5, abs=1e-7)
    again = function(info).grad(*inputs, reduction="sum", **parameters)
    np.testing.assert_allclose(gradient, again, rtol=1e-13)


def test_the_shift_of_seesaw_is_constant_for_the_gradient() -> None:
    rng = np.random.default_rng(0)
    x, t, n = rng.normal(size=(6, 4)), rng.integers(0, 4, 6), np.array([50, 10, 3, 0])
    share, held = special.softmax(x, axis=1), x.copy()
    for i, y in enumerate(t):
        for c in range(4):
            if c != y:
                held[i, c] += 0.8 * np.log(min(1, max(n[c], 1) / max(n[y], 1)))
                held[i, c] += 2 * np.log(max(1, share[i, c] / max(share[i, y], 0.01)))
    wanted = losslib.cross_entropy.grad(held, t)
    np.testing.assert_allclose(losslib.seesaw_loss.grad(x, t, class_counts=n), wanted, rtol=1e-12)


@each_row_loss
def test_masked_and_weighted_samples(info: LossInfo) -> None:
    inputs = sample_inputs(info)
    count = len(inputs[0])
    where, weight = np.arange(count) % 3 != 1, np.linspace(0.5, 2.0, count)
    shared = inputs[2:]
    clean = function(info)(*inputs, reduction="none")
    dirty = [inputs[0].copy(), inputs[1].copy()]
    dirty[0][~where] = np.nan
    dirty[1][~where] = 99
    found, gradient = function(info).value_and_grad(
        *dirty, *shared, reduction="none", where=where, sample_weight=weight, wrt="input"
    )
    np.testing.assert_allclose(found, np.where(where, clean * weight, 0.0), rtol=1e-13)
    assert not gradient[~where].any()
    kept = [array[where] for array in inputs[:2]]
    for reduction in ("mean", "sum", "weighted_mean"):
        ours = function(info)(*dirty, *shared, where=where, sample_weight=weight, reduction=reduction)
        theirs = function(info)(*kept, *shared, sample_weight=weight[where], reduction=reduction)
        assert ours == pytest.approx(theirs, rel=1e-13)


@each_loss
def test_half_precision_and_strides(info: LossInfo) -> None:
    inputs = sample_inputs(info)
    for dtype in (np.float16, ml_dtypes.bfloat16):
        half = [array.astype(dtype) if array.dtype.kind == "f" else array for array in inputs]
        wide = [array.astype(np.float32) if array.dtype == dtype else array for array in half]
        assert function(info)(*half) == pytest.approx(function(info)(*wide), rel=1e-6)
        gradient = function(info).grad(*half)
        assert gradient.dtype == dtype
        wanted = function(info).grad(*wide)
        np.testing.assert_allclose(gradient.astype(float), wanted.astype(dtype).astype(float), rtol=2e-2, atol=1e-3)
    spread = np.zeros((*inputs[0].shape, 2))
    spread[..., 0] = inputs[0]
    out = np.zeros((*inputs[0].shape, 3))[..., 1]
    gradient = function(info).grad(spread[..., 0], *inputs[1:], out=out)
    assert gradient is out
    np.testing.assert_array_equal(out, function(info).grad(*inputs))
    target = inputs[0].copy()
    function(info).grad(target, *inputs[1:], out=target)
    np.testing.assert_array_equal(target, out)


@each_loss
def test_the_number_of_threads_changes_no_bit(info: LossInfo) -> None:
    rng = np.random.default_rng(5)
    inputs = [np.concatenate([array] * 900) if k < 2 else array for k, array in enumerate(sample_inputs(info))]
    inputs[0] = inputs[0] * rng.uniform(0.5, 1.0, inputs[0].shape)
    answers = []
    for threads in (1, 2, 3, 7):
        with losslib.threads(threads):
            answers.append(function(info).value_and_grad(*inputs))
    for value, gradient in answers[1:]:
        assert value == answers[0][0]
        np.testing.assert_array_equal(gradient, answers[0][1])


@each_loss
def test_nan_propagates_and_no_sample_is_no_crash(info: LossInfo) -> None:
    inputs = sample_inputs(info)
    dirty = inputs[0].copy()
    dirty[0] = np.nan
    value, gradient = function(info).value_and_grad(dirty, *inputs[1:], check=False)
    assert np.isnan(value)
    assert np.isnan(gradient[0]).any()
    nothing = [array[:0] if k < 2 else array for k, array in enumerate(inputs)]
    value, gradient = function(info).value_and_grad(*nothing)
    assert np.isnan(value) or (value == 0.0 and info.per == "batch")
    assert gradient.shape == nothing[0].shape
    assert function(info)(*nothing, reduction="sum") == 0.0


@each_loss
def test_a_class_beyond_the_last_is_an_error_with_its_place(info: LossInfo) -> None:
    inputs = sample_inputs(info)
    inputs[1] = inputs[1].copy()
    inputs[1][2] = 77
    with pytest.raises(losslib.DomainError, match=r"target\[2\] is 77"):
        function(info)(*inputs, check=False)


UNBOUNDED = [info for info in LOSSES if "none" in info.reductions and "cosines" not in info.tags]


@pytest.mark.parametrize("info", UNBOUNDED, ids=[info.name for info in UNBOUNDED])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_large_scores_stay_finite_where_the_limit_is(info: LossInfo, size: float) -> None:
    inputs = sample_inputs(info)
    large = np.sign(inputs[0]) * size
    values, gradient = function(info).value_and_grad(large, *inputs[1:], reduction="none")
    assert not np.isnan(values).any()
    assert not np.isnan(gradient).any()


# ---- what single losses promise ----------------------------------------------------------------------------------


def test_balanced_counts_are_cross_entropy() -> None:
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(9, 5)), rng.integers(0, 5, 9)
    wanted = losslib.cross_entropy(x, t)
    assert losslib.logit_adjusted_cross_entropy(x, t, class_counts=np.full(5, 7.0)) == pytest.approx(wanted)
    assert losslib.logit_adjusted_cross_entropy(x, t) == pytest.approx(wanted)
    assert losslib.seesaw_loss(x, t, q=0.0) == pytest.approx(wanted)
    assert losslib.ldam_loss(x, t, max_margin=0.0, scale=1.0) == pytest.approx(wanted)


@pytest.mark.parametrize("cosine", [1.0, -1.0, 1.0000001, -1.0000001])
@pytest.mark.parametrize("name", ["arcface_loss", "sphereface_loss", "margin_cross_entropy", "cosface_loss"])
def test_gradients_at_the_poles_are_finite(name: str, cosine: float) -> None:
    x = np.array([[cosine, 0.2, -0.4]])
    value, gradient = getattr(losslib, name).value_and_grad(x, [0])
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    inside = getattr(losslib, name).grad(np.clip(x, -1 + 5e-8, 1 - 5e-8), [0])
    np.testing.assert_allclose(gradient, inside, rtol=0.02, atol=1e-6)


@pytest.mark.parametrize("name", ["arcface_loss", "sphereface_loss"])
def test_the_target_of_a_monotone_margin_falls_with_the_angle(name: str) -> None:
    theta = np.linspace(0.01, np.pi - 0.01, 400)
    x = np.stack([np.cos(theta), np.zeros_like(theta)], axis=1)
    values = getattr(losslib, name)(x, np.zeros(400, int), reduction="none", scale=1.0)
    assert (np.diff(values) > 0).all()


def test_scores_that_are_no_cosines_are_an_error() -> None:
    with pytest.raises(losslib.DomainError, match=r"input\[0, 1\] is 3, .*must hold cosines"):
        losslib.arcface_loss([[0.5, 3.0]], [0])
    losslib.arcface_loss([[0.5, 3.0]], [0], check=False)


def test_sub_centers_take_the_nearest_and_the_first_of_equals() -> None:
    x = np.array([[0.3, 0.9, 0.2, 0.2], [0.1, -0.5, 0.4, 0.7]])
    nearest = np.array([[0.9, 0.2], [0.1, 0.7]])
    value, gradient = losslib.arcface_loss.value_and_grad(x, [0, 1], sub_centers=2, scale=3.0)
    wanted, slopes = losslib.arcface_loss.value_and_grad(nearest, [0, 1], scale=3.0)
    assert value == wanted
    np.testing.assert_array_equal(gradient[[0, 0, 1, 1], [1, 2, 0, 3]], slopes.ravel())
    assert not gradient[[0, 0, 1, 1], [0, 3, 1, 2]].any()
    with pytest.raises(losslib.ShapeError, match="multiple of sub_centers=3"):
        losslib.arcface_loss(x, [0, 1], sub_centers=3)


def test_sphereface_takes_the_lengths_of_embeddings() -> None:
    rng = np.random.default_rng(3)
    x, t, norms = np.tanh(rng.normal(size=(5, 3))), rng.integers(0, 3, 5), rng.uniform(1, 20, 5)
    found, slopes = losslib.sphereface_loss.value_and_grad(x, t, scale=norms, reduction="none")
    for i in range(5):
        value, slope = losslib.sphereface_loss.value_and_grad(x[i : i + 1], t[i : i + 1], scale=norms[i])
        assert found[i] == pytest.approx(value, rel=1e-13)
        np.testing.assert_allclose(slopes[i], slope[0], rtol=1e-12)


def test_entmax_of_two_is_sparsemax() -> None:
    rng = np.random.default_rng(4)
    x, t = 2 * rng.normal(size=(20, 7)), rng.integers(0, 7, 20)
    value, gradient = losslib.entmax_loss.value_and_grad(x, t, alpha=2.0)
    wanted, slopes = losslib.sparsemax_loss.value_and_grad(x, t)
    assert value == pytest.approx(wanted, rel=1e-13)
    np.testing.assert_allclose(gradient, slopes, atol=1e-15)
    soft = special.softmax(rng.normal(size=(20, 7)), axis=1)
    assert losslib.entmax_loss(x, soft, alpha=2.0) == pytest.approx(losslib.sparsemax_loss(x, soft), rel=1e-13)


def test_a_batch_of_class_distances_is_finite_far_beyond_rounding() -> None:
    """By hand: the largest logit leads by 1000, so log(1 - p) of it is -1000 + log 2."""
    value, gradient = losslib.class_distance_cross_entropy.value_and_grad([[1000.0, 0.0, 0.0]], [2], alpha=1.0)
    assert value == pytest.approx(2 * (1000 - np.log(2)))
    np.testing.assert_allclose(gradient, [[2.0, -1.0, -1.0]])


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_links_far_out_and_between_near_thresholds(link: str) -> None:
    """Against the densities: the slope of an interval of width h is that of its density as h goes to 0."""
    law = {"logit": stats.logistic, "probit": stats.norm, "cloglog": stats.gumbel_l}[link]
    thresholds = np.array([0.3, 0.3 + 1e-9])
    value, gradient, hessian = losslib.cumulative_link_loss.value_grad_hess(
        [-0.4], [1], thresholds, link=link, reduction="sum"
    )
    assert value == pytest.approx(-law.logpdf(0.7) - np.log(1e-9), rel=1e-7)
    step = 1e-5
    slope = (law.logpdf(0.7 + step) - law.logpdf(0.7 - step)) / (2 * step)
    assert gradient[0] == pytest.approx(slope, rel=1e-6)
    assert hessian[0] > 0
    far, slopes = losslib.cumulative_link_loss.value_and_grad(
        [-30.0, 3.0], [0, 1], [0.0, 1.0], link=link, reduction="none"
    )
    assert np.isfinite(far).all()
    assert np.isfinite(slopes).all()
    assert far[0] == pytest.approx(-law.logcdf(30.0), abs=1e-12)


def test_equal_thresholds_cost_everything_and_still_have_a_slope() -> None:
    for link in ("logit", "probit", "cloglog"):
        value, gradient = losslib.cumulative_link_loss.value_and_grad([0.2], [1], [0.5, 0.5], link=link)
        assert value == np.inf
        assert np.isfinite(gradient).all()
    with pytest.raises(losslib.DomainError, match=r"thresholds\[1\] is 0.4, less than the one before"):
        losslib.cumulative_link_loss([0.2], [1], [0.5, 0.4])


def test_corn_divides_by_the_questions_that_were_asked() -> None:
    x, t = np.random.default_rng(6).normal(size=(5, 3)), np.array([0, 3, 1, 2, 3])
    total = losslib.corn_loss(x, t, reduction="sum")
    assert losslib.corn_loss(x, t) == pytest.approx(total / (1 + 3 + 2 + 3 + 3), rel=1e-14)


def test_coral_of_one_score_and_thresholds_is_mords_all_threshold_loss() -> None:
    rng = np.random.default_rng(7)
    score, thresholds, t = rng.normal(size=8), np.array([-1.0, 0.2, 0.9]), rng.integers(0, 4, 8)
    found = losslib.coral_loss(score[:, None] - thresholds, t, reduction="none")
    sign = np.where(t[:, None] > np.arange(3), 1.0, -1.0)
    np.testing.assert_allclose(found, np.logaddexp(0, -sign * (score[:, None] - thresholds)).sum(1), rtol=1e-13)


def test_weighted_kappa_of_hard_predictions_is_one_minus_cohens() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(8)
    t = rng.integers(0, 4, 50)
    predicted = np.where(rng.random(50) < 0.6, t, rng.integers(0, 4, 50))
    logits = 1e4 * np.eye(4)[predicted]
    for weights in ("quadratic", "linear"):
        kappa = metrics.cohen_kappa_score(t, predicted, weights=weights)
        assert losslib.weighted_kappa_loss(logits, t, weights=weights) == pytest.approx(1 - kappa, rel=1e-9)


def test_weights_of_samples_enter_kappa_as_repetitions() -> None:
    rng = np.random.default_rng(9)
    x, t, times = rng.normal(size=(7, 4)), rng.integers(0, 4, 7), rng.integers(1, 4, 7)
    repeated = losslib.weighted_kappa_loss(np.repeat(x, times, 0), np.repeat(t, times))
    assert losslib.weighted_kappa_loss(x, t, sample_weight=times) == pytest.approx(repeated, rel=1e-12)


def test_counts_that_do_not_fit_are_errors() -> None:
    x = np.zeros((2, 3))
    with pytest.raises(losslib.ShapeError, match=r"class_counts has shape \(2,\)"):
        losslib.ldam_loss(x, [0, 1], class_counts=[1, 2])
    with pytest.raises(losslib.DomainError, match=r"class_counts.* is 0"):
        losslib.logit_adjusted_cross_entropy(x, [0, 1], class_counts=[1, 0, 2])
    losslib.seesaw_loss(x, [0, 1], class_counts=[1, 0, 2])


def test_class_balanced_weights_are_those_of_the_paper() -> None:
    counts, beta = np.array([1000, 100, 10, 0]), 0.99
    weight = np.where(counts > 0, (1 - beta) / np.where(counts > 0, 1 - beta**counts, 1), 0)
    np.testing.assert_allclose(losslib.class_balanced_weights(counts, beta), weight / weight.sum() * 4, rtol=1e-12)
    nearly = losslib.class_balanced_weights([1, 1000], 1 - 1e-15)
    np.testing.assert_allclose(nearly, np.array([1.0, 0.001]) / 1.001 * 2, rtol=1e-6)
    np.testing.assert_allclose(losslib.class_balanced_weights([5, 7], 0.0), 1.0)
    with pytest.raises(losslib.DomainError, match="numbers >= 0"):
        losslib.class_balanced_weights([1, -1])
    with pytest.raises(losslib.ParameterError, match="beta must be"):
        losslib.class_balanced_weights([1, 2], 1.0)
