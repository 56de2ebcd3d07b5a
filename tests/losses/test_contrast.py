"""Losses of batches of vectors: definitions, differences, and what chunks, masks and threads must not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import contrast
import losslib
from formulas import defaults, settings
from losslib import geometries
from losslib.declaration.schema import Choice, LossInfo
from losslib.errors import ShapeError
from losslib.geometries import products

LOSSES = tuple(info for info in losslib.list_losses() if info.geometry == "similarity")
CASES = [
    (info, {k: v for k, v in parameters.items() if v != "precomputed"})
    for info in LOSSES
    for parameters in settings(info)
    if parameters.get("distance") != "precomputed"
]
IDS = [f"{info.name}-{', '.join(f'{k}={v}' for k, v in parameters.items())}" for info, parameters in CASES]
each_case = pytest.mark.parametrize(("info", "parameters"), CASES, ids=IDS)
each_loss = pytest.mark.parametrize("info", LOSSES, ids=[info.name for info in LOSSES])
LABELLED = [info for info in LOSSES if "reference" in info.input_names]
each_labelled = pytest.mark.parametrize("info", LABELLED, ids=[info.name for info in LABELLED])


def function(info: LossInfo) -> Any:
    return getattr(losslib, info.name)


def batches(info: LossInfo, rows: int = 6) -> list[list[Any]]:
    """A batch with everything that the loss takes, and one without what may be left out."""
    full = contrast.draw(info, rows)
    least = full[: sum(not item.optional for item in info.inputs)]
    return [full] if len(full) == len(least) else [full, least]


def expected(info: LossInfo, inputs: list[Any], parameters: dict[str, Any]) -> float:
    return contrast.mean_of(contrast.DEFINITIONS[info.name]({**defaults(info), **parameters}, *inputs))


def impossible(inputs: list[Any], parameters: dict[str, Any]) -> bool:
    """True for rows without a single candidate: decoupled, without the batch, without negatives."""
    return parameters.get("decoupled") and not parameters.get("in_batch", True) and len(inputs) == 2


@each_case
def test_means_are_those_of_the_definition(info: LossInfo, parameters: dict[str, Any]) -> None:
    for inputs in batches(info):
        if impossible(inputs, parameters):
            with pytest.raises(losslib.DomainError, match="no row has a candidate"):
                function(info)(*inputs, **parameters)
            continue
        wanted = expected(info, inputs, parameters)
        assert function(info)(*inputs, **parameters) == pytest.approx(wanted, rel=1e-11, abs=1e-12)
        single = [a.astype(np.float32) if getattr(a, "dtype", None) == np.float64 else a for a in inputs]
        assert function(info)(*single, **parameters) == pytest.approx(wanted, rel=2e-4, abs=2e-5)


@each_loss
def test_values_of_rows_are_those_of_the_definition(info: LossInfo) -> None:
    if "none" not in info.reductions:
        with pytest.raises(losslib.ParameterError, match="reduction must be one of"):
            function(info)(*contrast.draw(info), reduction="none")
        return
    for inputs in batches(info):
        values, counts = contrast.DEFINITIONS[info.name](defaults(info), *inputs)
        np.testing.assert_allclose(function(info)(*inputs, reduction="none"), values, rtol=1e-11, atol=1e-12)
        weight = np.linspace(0.5, 2.0, len(values))
        found = function(info)(*inputs, reduction="weighted_mean", sample_weight=weight)
        assert found == pytest.approx(float((weight * values).sum() / (weight * counts).sum()), rel=1e-11)


@each_case
def test_gradients_are_slopes_of_the_values(info: LossInfo, parameters: dict[str, Any]) -> None:
    """Along three directions for every input that has a derivative; held weights are let go where that is possible."""
    rng = np.random.default_rng(3)
    if "detach_weights" in info.parameter_names:
        parameters = {**parameters, "detach_weights": False}
    for inputs in batches(info):
        if impossible(inputs, parameters):
            continue
        wrt = tuple(n for n, a in zip(info.input_names, inputs, strict=False) if n in info.differentiable)
        gradients = function(info).grad(*inputs, wrt=wrt, **parameters)
        for name, gradient in zip(wrt, gradients, strict=True):
            place = info.input_names.index(name)
            assert gradient.shape == np.shape(inputs[place])
            for direction in rng.normal(size=(3, *np.shape(inputs[place]))):
                moved = [[a if k != place else a + s * 1e-6 * direction for k, a in enumerate(inputs)] for s in (1, -1)]
                slope = (function(info)(*moved[0], **parameters) - function(info)(*moved[1], **parameters)) / 2e-6
                assert float((gradient * direction).sum()) == pytest.approx(slope, rel=3e-6, abs=3e-7)


@each_loss
def test_chunks_change_nothing(info: LossInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row by row in place of all at once."""
    for inputs in batches(info, 9):
        value, gradient = function(info).value_and_grad(*inputs)
        with monkeypatch.context() as patch:
            patch.setattr(products, "CHUNK", 100)
            patch.setattr("losslib.geometries.plans.CHUNK", 100)
            again, slopes = function(info).value_and_grad(*inputs)
        assert again == pytest.approx(value, rel=1e-13)
        pair = (gradient, slopes) if isinstance(gradient, tuple) else ((gradient,), (slopes,))
        for ours, theirs in zip(*pair, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)


@each_loss
def test_a_masked_row_leaves_the_batch_as_anchor_and_as_candidate(info: LossInfo) -> None:
    where = np.array([True, True, False, True, True, True, False, True, True])
    for inputs in batches(info, 9):
        dirty = [np.array(array, copy=True) for array in inputs]
        kept = list(inputs)
        for k, item in enumerate(info.inputs[: len(inputs)]):
            if item.name in ("input", "input1", "input2"):
                dirty[k][~where] = np.nan
            if item.name in ("input", "input1", "input2", "target"):
                kept[k] = inputs[k][where]
        value, gradient = function(info).value_and_grad(*dirty, where=where, wrt=info.input_names[0])
        wanted, slopes = function(info).value_and_grad(*kept, wrt=info.input_names[0])
        assert value == pytest.approx(wanted, rel=1e-11)
        assert not gradient[~where].any()
        np.testing.assert_allclose(gradient[where], slopes, rtol=1e-9, atol=1e-13)


@each_loss
def test_the_number_of_threads_changes_no_bit(info: LossInfo) -> None:
    inputs = contrast.draw(info, 300)
    answers = []
    for threads in (1, 2, 3, 7):
        with losslib.threads(threads):
            answers.append(function(info).value_and_grad(*inputs, wrt=info.input_names[0]))
    for value, gradient in answers[1:]:
        assert value == answers[0][0]
        np.testing.assert_array_equal(gradient, answers[0][1])


@each_loss
def test_upstream_gradients_and_weights_multiply(info: LossInfo) -> None:
    inputs = contrast.draw(info)
    plain = function(info).grad(*inputs, wrt=info.input_names[0])
    np.testing.assert_allclose(
        function(info).grad(*inputs, wrt=info.input_names[0], grad_output=-3.0), -3 * plain, rtol=1e-10, atol=1e-15
    )
    if "none" in info.reductions:
        upstream = np.linspace(-1, 2, len(inputs[0]))
        gradient = function(info).grad(*inputs, wrt=info.input_names[0], reduction="none", grad_output=upstream)
        weighted = function(info).grad(*inputs, wrt=info.input_names[0], reduction="sum", sample_weight=upstream)
        np.testing.assert_allclose(gradient, weighted, rtol=1e-10, atol=1e-14)


@each_loss
def test_identical_zero_and_huge_vectors_give_no_nan(info: LossInfo) -> None:
    plain = contrast.draw(info)
    for scale in (0.0, 1.0, 1e15):
        inputs = [np.array(array, copy=True) for array in plain]
        for k, item in enumerate(info.inputs[: len(inputs)]):
            if item.name in ("input", "input1", "input2") and inputs[k].ndim == 2:
                inputs[k][:] = inputs[k][0] * scale
        value, gradient = function(info).value_and_grad(*inputs, wrt=info.input_names[0])
        assert not np.isnan(value)
        assert not np.isnan(gradient).any()


@each_labelled
def test_a_mask_of_positives_is_as_good_as_labels(info: LossInfo) -> None:
    x, t = contrast.draw(info)[:2]
    value, gradient = function(info).value_and_grad(x, t)
    again, slopes = function(info).value_and_grad(x, t[:, None] == t)
    assert value == again
    np.testing.assert_array_equal(gradient, slopes)


@each_labelled
def test_labels_count_by_equality_alone(info: LossInfo) -> None:
    x, t = contrast.draw(info)[:2]
    assert function(info)(x, t) == function(info)(x, t * -(2**40) - 5)


@each_labelled
def test_nothing_to_compare_is_zero(info: LossInfo) -> None:
    x = contrast.draw(info)[0]
    quiet = {"generalized": True} if "generalized" in info.parameter_names else {}
    if "margin" not in info.parameter_names and "base" not in info.parameter_names and info.per != "batch":
        value, gradient = function(info).value_and_grad(x, np.arange(len(x)), **quiet)
        assert value == 0.0
        assert not gradient.any()
    nothing = function(info)(x[:0], np.zeros(0, int))
    assert nothing == 0.0


@pytest.mark.parametrize("name", ["batch_triplet_loss", "pair_contrastive_loss"])
def test_a_matrix_of_distances_gets_the_gradient(name: str) -> None:
    info = getattr(losslib, name).info
    x, t = contrast.draw(info)[:2]
    d = contrast.distances(contrast.unit(x), contrast.unit(x), "euclidean")
    value, gradient = getattr(losslib, name).value_and_grad(d, t, distance="precomputed")
    assert value == pytest.approx(getattr(losslib, name)(x, t), rel=1e-12)
    direction = np.random.default_rng(0).normal(size=d.shape)
    moved = [getattr(losslib, name)(d + s * 1e-6 * direction, t, distance="precomputed") for s in (1, -1)]
    assert (gradient * direction).sum() == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-6)


CHOICES = [
    (info, parameter.name, choice)
    for info in losslib.list_losses(family="contrastive")
    for parameter in info.parameters
    if isinstance(parameter, Choice) and parameter.name != "reduction"
    for choice in parameter.choices
]


@pytest.mark.parametrize(("info", "name", "choice"), CHOICES, ids=[f"{info.name}-{c}" for info, _, c in CHOICES])
def test_every_input_that_may_be_differentiated_has_a_gradient_of_its_shape(
    info: LossInfo, name: str, choice: str
) -> None:
    """Whatever the loss makes of it: an input that does not enter has the gradient 0."""
    loss: Any = losslib.get(info.name, **{name: choice})
    geometry: Any = geometries.find(info.geometry)
    inputs = geometry.draw(info, loss.parameters, np.random.default_rng(0), 60)
    value, gradients = loss.value_and_grad(*inputs, wrt=info.differentiable)
    for key, gradient in zip(info.differentiable, gradients, strict=True):
        given = inputs[info.input_names.index(key)]
        assert gradient.shape == np.shape(given)
        moved = [array + 1e-3 if array is given else array for array in inputs]
        if not gradient.any():
            assert loss(*moved) == value


def test_each_row_may_have_negatives_of_its_own() -> None:
    rng = np.random.default_rng(1)
    x, y, own = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), rng.normal(size=(5, 3, 4))
    info = losslib.info_nce_loss.info
    for parameters in ({}, {"in_batch": False}, {"in_batch": False, "decoupled": True}, {"symmetric": True}):
        wanted = contrast.mean_of(contrast.info_nce({**defaults(info), **parameters}, x, y, own))
        value, gradients = losslib.info_nce_loss.value_and_grad(
            x, y, own, wrt=("input1", "input2", "negatives"), **parameters
        )
        assert value == pytest.approx(wanted, rel=1e-12)
        direction = rng.normal(size=own.shape)
        moved = [losslib.info_nce_loss(x, y, own + s * 1e-6 * direction, **parameters) for s in (1, -1)]
        assert (gradients[2] * direction).sum() == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-5)


def test_margins_of_classes_have_gradients_of_their_own() -> None:
    rng = np.random.default_rng(2)
    x, t, beta = rng.normal(size=(8, 3)), np.arange(8) % 3, np.array([0.8, 1.2, 1.0])
    value, slope = losslib.margin_loss.value_and_grad(x, t, beta, wrt="beta")
    assert value == pytest.approx(contrast.mean_of(contrast.margin({"margin": 0.2, "normalize": True}, x, t, beta)))
    for k in range(3):
        step = 1e-7 * np.eye(3)[k]
        found = (losslib.margin_loss(x, t, beta + step) - losslib.margin_loss(x, t, beta - step)) / 2e-7
        assert slope[k] == pytest.approx(found, rel=1e-5)
    with pytest.raises(losslib.DomainError, match="classes 0 to 2"):
        losslib.margin_loss(x, t + 1, beta)


def test_held_weights_of_the_circle_are_constant_for_the_gradient() -> None:
    """The gradient with respect to a similarity is the share times its weight, from the definition."""
    rng = np.random.default_rng(4)
    x = contrast.unit(rng.normal(size=(6, 3)))
    t = np.arange(6) % 2
    s, m, g = x @ x.T, 0.4, 10.0
    by_s = np.zeros_like(s)
    for i in range(6):
        p = [j for j in range(6) if j != i and t[j] == t[i]]
        n = [j for j in range(6) if t[j] != t[i]]
        near = -g * np.maximum(1 + m - s[i, p], 0) * (s[i, p] - 1 + m)
        far = g * np.maximum(s[i, n] + m, 0) * (s[i, n] - m)
        joint = 1 / (1 + np.exp(-(contrast.lse(near) + contrast.lse(far))))
        by_s[i, p] = -joint * np.exp(near - contrast.lse(near)) * g * np.maximum(1 + m - s[i, p], 0)
        by_s[i, n] = joint * np.exp(far - contrast.lse(far)) * g * np.maximum(s[i, n] + m, 0)
    wanted = (by_s @ x + by_s.T @ x) / 6
    found = losslib.circle_loss.grad(x, t, gamma=g, normalize=False)
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-14)


def test_ties_go_to_the_first_and_all_triplets_agree_with_their_list() -> None:
    rng = np.random.default_rng(5)
    x, t = rng.integers(-2, 3, (40, 2)).astype(float), rng.integers(0, 4, 40)
    info = losslib.batch_triplet_loss.info
    for mining in ("all", "hard", "semi_hard"):
        options = {**defaults(info), "mining": mining, "normalize": False, "distance": "sqeuclidean"}
        wanted = contrast.mean_of(contrast.batch_triplet(options, x, t))
        found = losslib.batch_triplet_loss(x, t, mining=mining, normalize=False, distance="sqeuclidean")
        assert found == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("positives", [0, 3, 16, 17, 40, 83, 99, 100])
def test_every_count_of_positives_has_all_its_triplets(positives: int, dtype: Any) -> None:
    """Few bounds meet all negatives, of more the smaller side is sorted; many distances tie."""
    rng = np.random.default_rng(positives)
    for row in (rng.random(100), rng.integers(0, 12, 100) / 7.0):
        distances = row.astype(dtype)[np.newaxis]
        mask = np.zeros((1, 100), bool)
        mask[0, rng.permutation(100)[:positives]] = True
        value, gradient = losslib.batch_triplet_loss.value_and_grad(
            distances, mask, distance="precomputed", mining="all", margin=0.3, reduction="sum"
        )
        exact = distances[0].astype(float)
        bounds, negatives = exact[mask[0]][:, np.newaxis] + 0.3, exact[~mask[0]]
        counts = negatives < bounds
        assert value == pytest.approx((bounds - negatives)[counts].sum(), rel=1e-12, abs=1e-12)
        wanted = np.zeros(100)
        wanted[mask[0]], wanted[~mask[0]] = counts.sum(axis=1), -counts.sum(axis=0)
        np.testing.assert_array_equal(gradient[0], wanted)


@pytest.mark.parametrize("rows", [31, 33, 66, 129])
@pytest.mark.parametrize("name", ["supcon_loss", "batch_triplet_loss", "nca_loss"])
def test_a_batch_against_itself_takes_one_product_and_has_the_gradient_of_two(
    name: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one chunk the transpose is added; in several each side gets a product. Blocks have 32 rows, parts four."""
    rng = np.random.default_rng(rows)
    x, labels = rng.standard_normal((rows, 5)), rng.integers(0, 6, rows)
    loss = getattr(losslib, name)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-4)):
        whole = loss.grad(x.astype(dtype), labels)
        with monkeypatch.context() as patch:
            patch.setattr(products, "CHUNK", 10 * rows * np.dtype(dtype).itemsize)
            parts = loss.grad(x.astype(dtype), labels)
        np.testing.assert_allclose(whole, parts, rtol=tolerance, atol=0.01 * tolerance)


def test_features_outnumbering_rows_take_the_other_way_round() -> None:
    rng = np.random.default_rng(6)
    for shape in ((4, 9), (9, 4)):
        x, y = rng.normal(size=shape), rng.normal(size=shape)
        for name in ("barlow_twins_loss", "vicreg_loss"):
            info = getattr(losslib, name).info
            wanted = contrast.DEFINITIONS[name](defaults(info), x, y)
            value, (by_x, _) = getattr(losslib, name).value_and_grad(x, y)
            assert value == pytest.approx(wanted, rel=1e-12)
            direction = rng.normal(size=shape)
            moved = [contrast.DEFINITIONS[name](defaults(info), x + s * 1e-6 * direction, y) for s in (1, -1)]
            assert (by_x * direction).sum() == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-5)


def test_arguments_that_do_not_fit_are_errors_with_the_fix() -> None:
    x = np.zeros((4, 3))
    with pytest.raises(losslib.ShapeError, match="a single vector is a batch of one"):
        losslib.supcon_loss(x[0], [0])
    with pytest.raises(losslib.ParameterError, match="needs reference and reference_target together"):
        losslib.supcon_loss(x, [0, 0, 1, 1], x)
    with pytest.raises(losslib.DTypeError, match="labels must be integers"):
        losslib.supcon_loss(x, np.zeros(4))
    with pytest.raises(losslib.ShapeError, match="row i of both is a pair"):
        losslib.info_nce_loss(x, x[:2])
    with pytest.raises(losslib.DomainError, match=r"target\[1\] is 5, outside the classes"):
        losslib.proxy_nca_loss(x, [0, 5, 1, 1], np.zeros((2, 3)))
    with pytest.raises(losslib.ParameterError, match="the call has no such input"):
        losslib.info_nce_loss.grad(x, x, wrt="negatives")
    with pytest.raises(losslib.ShapeError, match="at least two"):
        losslib.vicreg_loss(x[:1], x[:1])


REFERENCED = [
    info.name for info in losslib.list_losses(family="contrastive")
    if "reference" in info.input_names and "distance" in {item.name for item in info.parameters}
]  # fmt: skip


@pytest.mark.parametrize("name", REFERENCED)
@pytest.mark.parametrize("target", [np.arange(6) % 3, np.ones((6, 3), bool)], ids=["labels", "mask"])
def test_a_matrix_of_distances_has_a_column_for_each_vector_of_the_reference(name: str, target: Any) -> None:
    rng = np.random.default_rng(5)
    x, three = rng.random((6, 4)), (rng.random((3, 4)), np.arange(3))
    with pytest.raises(ShapeError, match="reference has 3 rows and input has 4 columns"):
        getattr(losslib, name)(x, target, *three, distance="precomputed")
    labels = np.arange(6) % 3
    four = (rng.random((4, 4)), np.arange(4))
    assert np.isfinite(getattr(losslib, name)(x, labels, *four, distance="precomputed"))


def test_a_distance_that_is_no_number_is_the_value_of_every_mining() -> None:
    distances = np.array([[0.0, 1.0, np.nan], [1.0, 0.0, 2.0], [1.5, 2.0, 0.0]])
    for mining in ("hard", "semi_hard", "all"):
        value = losslib.batch_triplet_loss(distances, [0, 0, 1], mining=mining, distance="precomputed", margin=1.0)
        assert np.isnan(value), mining
    for rows in (3, 40):  # few positives are looked at one by one, many are sorted
        labels = np.append(np.zeros(rows, np.int64), [1, 1])
        distances = np.ones((rows + 2, rows + 2))
        distances[0, rows] = np.nan
        for soft in (False, True):
            value = losslib.batch_triplet_loss(distances, labels, mining="all", soft=soft, distance="precomputed")
            assert np.isnan(value), (rows, soft)


def test_infinite_distances_without_a_negative_make_no_triplet() -> None:
    distances = np.random.default_rng(0).uniform(size=(33, 33))
    distances[distances < 0.1] = np.inf
    assert losslib.batch_triplet_loss(distances, np.zeros(33, np.int64), mining="all", distance="precomputed") == 0.0


def test_a_vector_that_is_no_number_is_not_left_out_of_a_mean_of_active_rows() -> None:
    x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8], [np.nan, 0.0]])
    assert np.isnan(losslib.circle_loss(x, [0, 0, 1, 1, 2]))
