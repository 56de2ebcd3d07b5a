"""Ranking losses against loops over all pairs, with derivatives by numbers that carry them."""

from __future__ import annotations

import ctypes
from typing import Any

import mpmath
import numpy as np
import pytest

import losslib
import native
import taylor
from losslib._kernels import threads as kernel_threads
from ranking import Math, list_value

RANKING = [info for info in losslib.list_losses(family="ranking") if info.geometry in ("lists", "auc_margin")]
BY_NAME = {info.name: info for info in RANKING}

WEIGHTS_OF_PAIRS: list[dict[str, Any]] = [
    {"pair_weight": kind, **more}
    for kind in ("label_diff", "ndcg", "ndcg2", "ndcg2pp")
    for more in ({}, {"topn": 3, "gain": "linear"})
][1:]
#: Loss -> settings beside the defaults.
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "pairwise_logistic_loss": [{"sigma": 0.5}, *WEIGHTS_OF_PAIRS],
    "pairwise_hinge_loss": [{"p": 2}, {"margin": 0.3, "p": 2, "pair_weight": "ndcg"}],
    "pairwise_soft_zero_one_loss": [{"sigma": 3.0}],
    "pairwise_mse_loss": [{"pair_weight": "label_diff"}, {"pair_weight": "ndcg2pp", "topn": 2}],
    "pairwise_qr_loss": [{"tau": 0.9}, {"tau": 0.2, "squared": True}],
    "lambdarank_loss": [
        {"norm": "none"},
        {"norm": "sum", "sigma": 2.0},
        {"norm": "score", "metric": "pairwise"},
        {"truncation_level": 2, "norm": "none"},
        {"symmetric": True, "norm": "none"},
        {"symmetric": True, "truncation_level": 3},
        {"metric": "map", "norm": "none"},
        {"metric": "map", "truncation_level": 2},
        {"label_gain": [0.0, 1.0, 5.0, 6.0]},
    ],
    "pairwise_auc_loss": [{"surrogate": name, "margin": 0.7} for name in ("hinge", "square", "logistic")],
    "listwise_softmax_loss": [
        {"target_transform": "normalize", "beta": 2.0},
        {"target_transform": "softmax"},
        {"epsilon": 1.5},
    ],
    "listnet_loss": [{"beta": 0.5}],
    "unique_softmax_loss": [{"gain": "linear"}],
    "listmle_loss": [{"topn": 2}],
    "approx_ndcg_loss": [{"temperature": 0.2}, {"gain": "linear"}],
    "approx_mrr_loss": [{"temperature": 0.2}],
    "query_rmse_loss": [{"root": True}],
    "aucm_loss": [{"version": "v2", "margin": 0.3}, {"imratio": 0.1}],
    "neural_ndcg_loss": [{"temperature": 0.3, "topn": 3, "max_iter": 3}, {"max_iter": 2, "gain": "linear"}],
}
#: Fifty steps of Sinkhorn in forty digits take long.
FIRST: dict[str, dict[str, Any]] = {"neural_ndcg_loss": {"max_iter": 4}}
CASES = [(info, settings) for info in RANKING for settings in [FIRST.get(info.name, {}), *SETTINGS.get(info.name, [])]]
EVERY_CASE = pytest.mark.parametrize(
    ("info", "settings"), CASES, ids=[f"{info.name}-{' '.join(map(str, s.values()))}" for info, s in CASES]
)
EVERY_LOSS = pytest.mark.parametrize("info", RANKING, ids=[info.name for info in RANKING])


def binary(info: Any, settings: dict[str, Any]) -> bool:
    return info.name in ("aucm_loss", "pairwise_auc_loss") or settings.get("metric") == "map"


def draw(info: Any, settings: dict[str, Any], shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), rng.integers(0, 2 if binary(info, settings) else 4, shape).astype(float)


def function(info: Any) -> Any:
    return getattr(losslib, info.name)


def derivatives(
    info: Any, x: np.ndarray, y: np.ndarray, settings: dict[str, Any], weight: Any = None
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return value, gradient and Hessian's diagonal of a list in 40 digits."""
    grad, hess, value = np.empty(len(x)), np.empty(len(x)), 0.0
    with mpmath.workdps(40):
        m = Math(taylor.exp, taylor.log)
        for k in range(len(x)):
            numbers = [taylor.Taylor(mpmath.mpf(float(number)), mpmath.mpf(i == k)) for i, number in enumerate(x)]
            found = taylor.taylor(list_value(info, numbers, y, settings, weight, m))
            value, grad[k], hess[k] = float(found.value), float(found.first), float(found.second)
    return value, grad, hess


def call(info: Any, x: Any, y: Any, **options: Any) -> tuple[Any, np.ndarray, np.ndarray | None]:
    if info.has_hessian:
        return function(info).value_grad_hess(x, y, **options)
    return (*function(info).value_and_grad(x, y, **options), None)


# ---- the definition ----------------------------------------------------------------------------------------------


@EVERY_CASE
@pytest.mark.parametrize("weighted", [False, True])
def test_value_and_derivatives_are_those_of_the_definition(info: Any, settings: dict[str, Any], weighted: bool) -> None:
    x, y = draw(info, settings, (7,), seed=len(info.name))
    weight = np.random.default_rng(1).uniform(0.2, 3.0, 7) if weighted else None
    found = call(info, x, y, reduction="sum", sample_weight=weight, **settings)
    expected = derivatives(info, x, y, settings, weight)
    assert found[0] == pytest.approx(expected[0], rel=1e-13)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12, atol=1e-14 * (1 + abs(expected[1]).max()))
    if found[2] is not None:
        np.testing.assert_allclose(found[2], expected[2], rtol=1e-11, atol=1e-14 * (1 + abs(expected[2]).max()))


@EVERY_CASE
@pytest.mark.parametrize("length", [1, 2, 16, 17, 33])
def test_lists_of_every_length_have_the_value_of_the_definition(
    info: Any, settings: dict[str, Any], length: int
) -> None:
    """Pairs go in blocks of sixteen: whole ones, one more, and none."""
    x, y = draw(info, settings, (3, length), seed=length)
    found = function(info)(x, y, reduction="none", **settings)
    expected = [list_value(info, *rows, settings) for rows in zip(x, y, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@EVERY_CASE
def test_the_derivatives_of_a_long_list_are_differences_of_its_value(info: Any, settings: dict[str, Any]) -> None:
    if settings.get("norm", "none") != "none" or (info.name == "lambdarank_loss" and "norm" not in settings):
        pytest.skip("the norm is constant in the derivatives")
    x, y = draw(info, settings, (40,))
    grad = function(info).grad(x, y, reduction="sum", **settings)
    for place in (0, 7, 39):
        step = np.zeros(40)
        step[place] = 1e-6
        up, down = (function(info)(x + sign * step, y, reduction="sum", **settings) for sign in (1, -1))
        assert grad[place] == pytest.approx((up - down) / 2e-6, rel=2e-6, abs=1e-6)


SORT = """
#include "losslib/lists/order.h"
extern "C" void sort_falling(const double* x, long n, losslib::Place* places) { losslib::sort_falling(x, n, places); }
"""


@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, 255, 256, 257, 5000, 70_000])
@pytest.mark.parametrize("kind", ["numbers", "labels", "one label", "grades", "no grade", "extremes"])
def test_items_are_sorted_by_falling_number_and_equal_ones_by_their_place(length: int, kind: str) -> None:
    rng = np.random.default_rng(length)
    x = {
        "numbers": rng.standard_normal(length) * 10.0 ** rng.integers(-300, 300, length),
        "labels": rng.integers(0, 5, length).astype(float),
        "one label": np.full(length, 3.0),
        "grades": rng.choice([31.0, 30.0, 0.0, -0.0], length),
        "no grade": np.append(rng.integers(0, 5, length - 1).astype(float), rng.choice([32.0, 0.5, -1.0, 1e300])),
        "extremes": rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1.0, 1e308], length),
    }[kind]
    places = np.zeros((2 * length, 2), np.int64)
    sort = native.build(SORT).sort_falling
    sort(x.ctypes.data_as(ctypes.c_void_p), ctypes.c_long(length), places.ctypes.data_as(ctypes.c_void_p))
    np.testing.assert_array_equal(places[:length, 1], np.argsort(-x, kind="stable"))  # NaN last


# ---- how lists lie -----------------------------------------------------------------------------------------------


@EVERY_LOSS
def test_rows_masks_and_groups_are_the_same_lists(info: Any) -> None:
    x, y = draw(info, {}, (6, 9))
    sizes = np.array([9, 3, 1, 0, 5, 8])
    where = np.arange(9) < sizes[:, np.newaxis]
    weight = np.random.default_rng(2).uniform(0.5, 2.0, (6, 9))
    spoilt = np.where(where, x, np.nan), np.where(where, y, np.nan)
    rows = call(info, *spoilt, where=where, sample_weight=weight, reduction="none")
    flat = call(info, x[where], y[where], group_sizes=sizes, sample_weight=weight[where], reduction="none")
    np.testing.assert_array_equal(rows[0], flat[0])
    np.testing.assert_array_equal(rows[1][where], flat[1])
    assert not rows[1][~where].any()

    ids = np.repeat([4, 9, 2, 7, 0, 1], sizes)
    order = np.random.default_rng(3).permutation(len(ids))
    back = np.argsort(order)  # ties go by position: the items of a list keep their order
    order = np.concatenate([np.sort(back[ids == group]) for group in (4, 9, 2, 0, 1)])
    places = np.empty(len(order), int)
    places[:] = np.argsort(order)
    shuffled = [np.empty(len(ids)) for _ in range(4)]
    for target, source in zip(shuffled, (x[where], y[where], weight[where], ids), strict=True):
        target[order] = source
    mixed = call(info, shuffled[0], shuffled[1], group_ids=shuffled[3], sample_weight=shuffled[2], reduction="none")
    first = list(dict.fromkeys(shuffled[3]))
    np.testing.assert_array_equal(mixed[0], [flat[0][[4, 9, 2, 7, 0, 1].index(group)] for group in first])
    np.testing.assert_array_equal(mixed[1][order], flat[1])


@EVERY_LOSS
def test_one_axis_without_groups_is_one_list(info: Any) -> None:
    x, y = draw(info, {}, (8,))
    value = function(info)(x, y, reduction="none")
    assert value.shape == ()
    assert value == function(info)(x[np.newaxis], y[np.newaxis], reduction="none")[0]


@EVERY_LOSS
def test_more_axes_than_two_are_lists_of_lists(info: Any) -> None:
    x, y = draw(info, {}, (2, 3, 5))
    found = call(info, x, y, reduction="none")
    flat = call(info, x.reshape(6, 5), y.reshape(6, 5), reduction="none")
    assert found[0].shape == (2, 3)
    np.testing.assert_array_equal(found[0].reshape(-1), flat[0])
    np.testing.assert_array_equal(found[1].reshape(6, 5), flat[1])


@EVERY_LOSS
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_other_layouts_and_types_have_the_numbers_of_float64(info: Any, dtype: Any) -> None:
    x, y = draw(info, {}, (5, 6))
    narrow = x.astype(dtype)
    grad = function(info).grad(np.asfortranarray(narrow), y)
    assert grad.dtype == dtype
    np.testing.assert_array_equal(grad, function(info).grad(narrow.astype(np.float64), y).astype(dtype))
    out = narrow.astype(np.float64)
    expected = function(info).grad(out.copy(), y)
    assert function(info).grad(out, y, out=out) is out
    np.testing.assert_array_equal(out, expected)


# ---- what is divided by ------------------------------------------------------------------------------------------


def pairs_of(y: np.ndarray) -> int:
    return int((y[:, :, np.newaxis] > y[:, np.newaxis]).sum())


@EVERY_LOSS
def test_the_mean_divides_by_what_is_compared(info: Any) -> None:
    x, y = draw(info, {}, (6, 5))
    y[0], y[1] = 1.0, 0.0  # without a pair
    count = {"pairs": pairs_of(y), "item weights": 30}.get(info.mean_divisor, 6)
    if info.name == "pairwise_mse_loss":
        count = 6 * 25
    elif info.name == "neural_ndcg_loss":
        count = int((y > 0).any(axis=1).sum())
    elif info.name in ("lambdarank_loss", "pairwise_auc_loss", "aucm_loss"):
        count = sum(pairs_of(row[np.newaxis]) > 0 for row in y)
    total = call(info, x, y, reduction="sum")
    mean = call(info, x, y, reduction="mean")
    assert mean[0] == pytest.approx(total[0] / count, rel=1e-14)
    np.testing.assert_allclose(mean[1], total[1] / count, rtol=1e-13, atol=1e-16)


@EVERY_LOSS
def test_weights_of_lists_multiply_and_their_mean_divides(info: Any) -> None:
    x, y = draw(info, {}, (4, 5))
    weight = np.array([0.5, 2.0, 0.0, 1.0])
    values = function(info)(x, y, reduction="none")
    np.testing.assert_allclose(function(info)(x, y, reduction="none", sample_weight=weight), values * weight)
    weighted = function(info)(x, y, reduction="weighted_mean", sample_weight=weight)
    each = [function(info)(x[[k]], y[[k]], reduction="mean") for k in range(4)]
    counts = values / np.where(np.array(each) == 0, 1, each)
    assert weighted == pytest.approx((weight * values).sum() / (weight * counts).sum(), rel=1e-13)


@EVERY_LOSS
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "weighted_mean"])
def test_masked_items_alone_are_nothing_to_compare(info: Any, reduction: str) -> None:
    x, y = np.full((3, 4), np.nan), np.full((3, 4), np.nan)
    value, grad, hess = call(info, x, y, where=np.zeros((3, 4), bool), reduction=reduction)
    assert not np.any(value)
    assert not grad.any()
    assert hess is None or not hess.any()


@pytest.mark.parametrize(
    "name", ["pairwise_logistic_loss", "pairwise_hinge_loss", "pairwise_soft_zero_one_loss", "lambdarank_loss"]
)
def test_equal_labels_are_not_compared(name: str) -> None:
    value, grad = getattr(losslib, name).value_and_grad(np.arange(4.0), np.ones(4), reduction="mean")
    assert value == 0.0
    assert not grad.any()


@EVERY_LOSS
def test_without_items_the_mean_is_nan_and_the_gradient_empty(info: Any) -> None:
    value, grad, _ = call(info, np.empty((0, 5)), np.empty((0, 5)), reduction="mean")
    assert np.isnan(value)
    assert grad.shape == (0, 5)


@EVERY_LOSS
def test_lists_add_up_over_updates(info: Any) -> None:
    x, y = draw(info, {}, (7, 5))
    total = losslib.Accumulator(losslib.get(info.name))
    for rows in (slice(0, 3), slice(3, 7)):
        total.update(x[rows], y[rows])
    assert total.result() == pytest.approx(function(info)(x, y), rel=1e-14)


# ---- pairs that are given ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pairwise_logistic_loss", "pairwise_hinge_loss", "pairwise_soft_zero_one_loss"])
def test_all_pairs_of_labels_given_one_by_one_are_the_labels(name: str) -> None:
    loss = getattr(losslib, name)
    x, y = draw(RANKING[0], {}, (12,))
    ids = np.arange(12) % 3
    pairs = [(i, j) for i in range(12) for j in range(12) if ids[i] == ids[j] and y[i] > y[j]]
    for reduction in ("none", "mean", "sum"):
        given = loss.value_grad_hess(x, None, pairs=pairs, group_ids=ids, reduction=reduction)
        labels = loss.value_grad_hess(x, y, group_ids=ids, reduction=reduction)
        for a, b in zip(given, labels, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


def test_a_given_pair_has_its_weight_and_a_masked_one_none() -> None:
    x = np.array([1.0, 0.0, np.nan])
    pairs, weight = [(0, 1), (2, 0)], [3.0, 1.0]
    found = losslib.pairwise_logistic_loss.value_and_grad(
        x, None, pairs=pairs, pairs_weight=weight, where=[True, True, False], reduction="sum"
    )
    assert found[0] == pytest.approx(3 * np.log1p(np.exp(-1.0)))
    assert found[1][2] == 0.0


def test_pairs_of_items_that_do_not_exist_or_are_not_compared_are_refused() -> None:
    with pytest.raises(losslib.DomainError, match=r"pairs\[1, 0\] is 3, expected the position of an item, 0 to 2"):
        losslib.pairwise_logistic_loss(np.zeros(3), None, pairs=[(0, 1), (3, 1)], check=False)
    with pytest.raises(losslib.DomainError, match="items of different lists"):
        losslib.pairwise_logistic_loss(np.zeros(3), None, pairs=[(0, 2)], group_sizes=[2, 1])


# ---- far out -----------------------------------------------------------------------------------------------------


@EVERY_LOSS
def test_scores_far_apart_give_finite_derivatives(info: Any) -> None:
    x, y = draw(info, {}, (4, 6))
    value, grad, hess = call(info, x * 1e4, y, reduction="sum")
    assert np.isfinite(value)
    assert np.isfinite(grad).all()
    assert hess is None or np.isfinite(hess).all()


@EVERY_LOSS
def test_a_worst_item_with_the_score_minus_infinity_is_legal(info: Any) -> None:
    if info.name in (
        "pairwise_mse_loss",
        "query_rmse_loss",
        "pairwise_qr_loss",
        "listnet_loss",
        "xe_ndcg_loss",
        "neural_ndcg_loss",
        "aucm_loss",
    ):
        pytest.skip("its score is compared with a number")
    y = np.array([1.0, 0.0, 1.0, 0.0] if info.name == "pairwise_auc_loss" else [3.0, 1.0, 2.0, 0.0])
    x = np.array([0.3, -0.2, 0.1, -np.inf])
    options = {"norm": "none"} if info.name == "lambdarank_loss" else {}
    value, grad, _ = call(info, x, y, reduction="sum", **options)
    far = call(info, np.where(np.isinf(x), -800.0, x), y, reduction="sum", **options)
    assert value == pytest.approx(far[0], rel=1e-12)
    np.testing.assert_allclose(grad, far[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("norm", ["none", "score", "sum", "both"])
@pytest.mark.parametrize("convention", ["lightgbm", "xgboost"])
@pytest.mark.parametrize(
    "scores",
    [[0, np.inf, 1], [-np.inf, 0, 1], [np.inf, np.inf, 0], [0, np.inf, -np.inf], [np.inf, 0, -np.inf], [1, 0, -np.inf]],
)
def test_infinite_scores_have_the_limit_of_scores_far_away(scores: Any, convention: str, norm: str) -> None:
    """Of two items in the wrong order at the distance d, softplus(sigma d)/(0.01 + d) goes to sigma."""
    x, y = np.array(scores, float), np.array([2.0, 0.0, 1.0])
    options = {"convention": convention, "norm": norm, "sigma": 1.5, "reduction": "sum"}
    found = losslib.lambdarank_loss.value_grad_hess(x, y, **options)
    far = losslib.lambdarank_loss.value_grad_hess(np.clip(x, -1e290, 1e290), y, **options)
    for part, limit in zip(found, far, strict=True):
        limit = np.where(np.abs(limit) > 1e280, np.inf, limit)
        np.testing.assert_allclose(part, limit, rtol=1e-12, atol=1e-15)


def test_slopes_that_are_nearly_nothing_keep_their_norm() -> None:
    """log2(1 + s)/s goes to 1/ln 2, also where 1 + s is 1."""
    x, y = np.array([45.0, 0.0]), np.array([1.0, 0.0])
    plain, normed = (losslib.lambdarank_loss.grad(x, y, norm=norm, reduction="sum") for norm in ("none", "sum"))
    np.testing.assert_allclose(normed, plain / np.log(2), rtol=1e-14)
    assert plain.any()


def test_negative_zero_ties_with_zero_and_the_first_item_ranks_first() -> None:
    """With ranks by position the pair (1, 2) has the weight of the first two ranks whatever the sign of its zero."""
    y = np.array([0.0, 1.0])
    plus = losslib.lambdarank_loss.grad(np.array([0.0, 0.0]), y)
    for x in ([-0.0, 0.0], [0.0, -0.0]):
        np.testing.assert_array_equal(losslib.lambdarank_loss.grad(np.array(x), y), plus)


# ---- threads -----------------------------------------------------------------------------------------------------


@EVERY_LOSS
def test_any_number_of_threads_gives_the_same_bits(info: Any, always_parallel: None) -> None:
    x, y = draw(info, {}, (60, 50))
    sizes = np.random.default_rng(5).multinomial(3000, np.full(40, 1 / 40))
    found = []
    for width in (1, 2, 3, 7):
        kernel_threads.set_width(width)
        found.append(
            [*call(info, x, y), *call(info, x.reshape(-1), y.reshape(-1), group_sizes=sizes, reduction="none")]
        )
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            if a is not None:
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("pairwise_logistic_loss", {"pair_weight": "ndcg"}),
        ("pairwise_hinge_loss", {}),
        ("lambdarank_loss", {"truncation_level": 600}),
        ("lambdarank_loss", {"truncation_level": 600, "convention": "xgboost", "norm": "none"}),
        ("lambdarank_loss", {"truncation_level": 600, "metric": "map", "norm": "sum"}),
    ],
)
def test_threads_share_the_pairs_of_a_long_list_and_change_no_bit(
    name: str, settings: dict[str, Any], always_parallel: None
) -> None:
    """Two lists of more than a strip of pairs, alone and beside shorter ones."""
    info = BY_NAME[name]
    x, y = draw(info, settings, (1, 2300))
    for sizes in ([1200, 1100], [900, *[20] * 25, 900]):
        found = []
        for width in (1, 2, 3, 7):
            kernel_threads.set_width(width)
            found.append(call(info, x[0], y[0], group_sizes=sizes, reduction="none", **settings))
        for other in found[1:]:
            for a, b in zip(found[0], other, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("settings", [{}, {"convention": "xgboost"}, {"metric": "pairwise", "sigma": 0.5}])
@pytest.mark.parametrize("length", [40, 700])
def test_scores_near_each_other_have_the_numbers_of_those_that_are_not(settings: dict[str, Any], length: int) -> None:
    """With one item far below the others each pair has an exponential of its own; those who never meet it go on."""
    info = BY_NAME["lambdarank_loss"]
    x, y = draw(info, settings, (1, length), seed=3)
    settings = {"truncation_level": 20, "norm": "none", **settings}
    near = call(info, 3.0 * x[0], y[0], reduction="sum", **settings)
    weight = np.append(np.ones(length), 0.0)
    far = call(
        info, np.append(3.0 * x[0], -1e6), np.append(y[0], 0.0), sample_weight=weight, reduction="sum", **settings
    )
    ranked = np.argsort(-x[0], kind="stable")[:20]
    behind = np.setdiff1d(np.arange(length), ranked)
    # The best items meet the new one too; those behind them do not.
    np.testing.assert_allclose(near[1][behind], far[1][behind], rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(near[2][behind], far[2][behind], rtol=1e-12, atol=1e-16)


# ---- messages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"group_sizes": [2, 2]}, losslib.ShapeError, r"group_sizes add up to 4, but input has 5 items"),
        ({"group_sizes": [2.5, 2.5]}, losslib.DomainError, r"group_sizes\[0\] is 2.5"),
        ({"group_sizes": [-1, 6]}, losslib.DomainError, r"group_sizes\[0\] is -1"),
        ({"group_ids": [0, 1]}, losslib.ShapeError, r"group_ids has shape \(2,\), expected \(5,\)"),
        ({"group_ids": [0, 0, 0, 0, 2.0**53]}, losslib.DomainError, r"group_ids\[4\].*return_inverse"),
        ({"group_ids": [0, 0, 0, 0, np.nan]}, losslib.DomainError, r"group_ids\[4\] is nan"),
        ({"group_ids": np.zeros(5), "group_sizes": [5]}, losslib.ParameterError, "pass one of them"),
        ({"sample_weight": np.ones(3)}, losslib.ShapeError, "one weight a list, or .* one an item"),
    ],
)
def test_groups_that_fit_nothing_are_refused(arguments: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        losslib.listmle_loss(np.zeros(5), np.zeros(5), **arguments)


def test_labels_that_cannot_be_sorted_or_looked_up_are_refused() -> None:
    with pytest.raises(losslib.DomainError, match=r"target\[0, 1\] is nan.*numbers that can be sorted"):
        losslib.listmle_loss(np.zeros((1, 2)), [[0.0, np.nan]])
    with pytest.raises(losslib.DomainError, match=r"target holds 3; label_gain has gains for the labels 0 to 1"):
        losslib.lambdarank_loss(np.zeros(2), [0, 3], label_gain=[0, 1], check=False)
    with pytest.raises(losslib.DomainError, match=r"target\[1\] is 2.*labels 0 or 1"):
        losslib.pairwise_auc_loss(np.zeros(2), [0, 2])


GAINS = [
    (info, settings)
    for info in RANKING
    for settings in [{}, *({"pair_weight": kind} for kind in ("ndcg", "ndcg2", "ndcg2pp")), {"gain": "linear"}]
    if all(name in info.parameter_names for name in settings)
    if info.name in ("lambdarank_loss", "xe_ndcg_loss", "approx_ndcg_loss", "neural_ndcg_loss", "unique_softmax_loss")
    or "pair_weight" in settings
]


@pytest.mark.parametrize(
    ("info", "settings"), GAINS, ids=[f"{info.name}-{' '.join(map(str, s.values()))}" for info, s in GAINS]
)
def test_labels_whose_gains_overflow_are_refused(info: Any, settings: dict[str, Any]) -> None:
    x, y = np.array([0.3, 0.1, -0.2]), np.array([1000.0, 0.0, 1.0])
    if "gain" in settings:
        y[0] = 1e300
    assert np.isfinite(function(info)(x, y, reduction="sum", **settings))
    for wrong in (y[0] * 11, np.inf):
        y[0] = wrong
        with pytest.raises(losslib.DomainError, match=r"target holds (11000|1.1e\+301|inf); .* adds up gains of"):
            function(info)(x, y, **settings)
        function(info)(x, y, check=False, **settings)
    if "label_gain" in info.parameter_names:
        with pytest.raises(losslib.DomainError, match=r"label_gain\[2\] is inf; .* takes finite gains"):
            function(info)(x, np.array([0.0, 1.0, 0.0]), label_gain=[0.0, 1.0, np.inf], **settings)


@EVERY_LOSS
def test_an_output_may_be_the_memory_of_the_labels_or_of_the_weights(info: Any) -> None:
    for settings in [{}, *SETTINGS.get(info.name, [])]:
        x, y = draw(info, settings, (3, 6))
        weight = np.random.default_rng(4).uniform(0.5, 2.0, (3, 6))
        expected = function(info).grad(x, y, sample_weight=weight, **settings)
        for k in (1, 2):
            arrays = [x.copy(), y.copy(), weight.copy()]
            function(info).grad(arrays[0], arrays[1], sample_weight=arrays[2], out=arrays[k], **settings)
            np.testing.assert_array_equal(arrays[k], expected)


# ---- roots -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "weighted_mean"])
def test_the_root_of_a_mean_is_that_of_the_call(reduction: str, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    x, y, ids, weight = rng.standard_normal(20), rng.integers(0, 4, 20), rng.integers(0, 5, 20), rng.random(20) + 0.2
    options: dict[str, Any] = {"group_ids": ids, "where": rng.random(20) < 0.8}
    if weighted:
        options["sample_weight"] = weight
    options |= {"reduction": reduction}
    squares = losslib.query_rmse_loss
    value, grad, hess = squares.value_grad_hess(x, y, root=True, **options)
    assert value == pytest.approx(np.sqrt(squares(x, y, **options)), rel=1e-15)
    for place in range(20):
        step = 1e-4 * (np.arange(20) == place)
        up, down = (squares(x + sign * step, y, root=True, **options) for sign in (1, -1))
        assert grad[place] == pytest.approx((up - down) / 2e-4, rel=1e-6, abs=1e-9)
        assert hess[place] == pytest.approx((up - 2 * value + down) / 1e-8, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("scale", [2.0**660, 2.0**-660])
def test_a_root_is_as_large_as_its_errors_where_their_squares_are_not_finite(reduction: str, scale: float) -> None:
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((2, 3, 8))
    value, grad, hess = losslib.query_rmse_loss.value_grad_hess(x, y, root=True, reduction=reduction)
    far = losslib.query_rmse_loss.value_grad_hess(x * scale, y * scale, root=True, reduction=reduction)
    np.testing.assert_allclose(far[0], value * scale, rtol=1e-14)
    np.testing.assert_allclose(far[1], grad, rtol=1e-13)
    np.testing.assert_allclose(far[2], hess / scale, rtol=1e-12)


def test_lists_of_different_size_have_roots_of_their_own() -> None:
    x, y = np.array([[1e200, 0.0], [1.0, 0.0], [0.0, 1e-200]]), np.zeros((3, 2))
    found = losslib.query_rmse_loss(x, y, root=True, reduction="none")
    np.testing.assert_allclose(found, [5e199, 0.5, 5e-201], rtol=1e-15)


def test_a_root_of_nothing_has_the_gradient_zero() -> None:
    value, grad, hess = losslib.query_rmse_loss.value_grad_hess(np.ones((2, 3)), np.zeros((2, 3)), root=True)
    assert value == 0.0
    assert not grad.any()
    assert not hess.any()


def test_the_root_of_a_mean_does_not_add_up() -> None:
    x, y = np.array([[1.0, 0.0], [3.0, 0.0]]), np.zeros((2, 2))
    roots = losslib.Accumulator(losslib.QueryRMSELoss(root=True, reduction="sum"))
    for k in range(2):
        roots.update(x[[k]], y[[k]])
    assert roots.result() == 2.0
    whole = losslib.Accumulator(losslib.QueryRMSELoss(root=True))
    whole.update(x, y)
    assert whole.result() == losslib.query_rmse_loss(x, y, root=True) == np.sqrt(1.25)
    with pytest.raises(losslib.ParameterError, match="query_rmse_loss does not add up over several updates"):
        whole.update(x, y)


def test_a_word_may_be_told_as_none_or_as_a_bool() -> None:
    assert losslib.PairwiseLogisticLoss(pair_weight=None) == losslib.PairwiseLogisticLoss()
    assert losslib.LambdaRankLoss(norm=True) == losslib.LambdaRankLoss(norm="both")
    assert losslib.LambdaRankLoss(norm=False) == losslib.LambdaRankLoss(norm="none")
    with pytest.raises(losslib.ParameterError, match=r"norm must be one of .*'none' \(True is 'both'\).* got None"):
        losslib.LambdaRankLoss(norm=None)
