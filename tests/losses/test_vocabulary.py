"""Losses of large vocabularies: definitions, differences, chunks, and the fused one against cross entropy."""

from __future__ import annotations

import tracemalloc
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import losslib
import vocabulary
from formulas import defaults, settings
from losslib.declaration.schema import LossInfo

LOSSES = tuple(info for info in losslib.list_losses() if info.geometry in vocabulary.GEOMETRIES)
CASES = [(info, parameters) for info in LOSSES for parameters in settings(info)]
IDS = [f"{info.name}-{', '.join(parameters)}-{k}" for k, (info, parameters) in enumerate(CASES)]
each_case = pytest.mark.parametrize(("info", "parameters"), CASES, ids=IDS)
each_loss = pytest.mark.parametrize("info", LOSSES, ids=[info.name for info in LOSSES])


def function(info: LossInfo) -> Any:
    return getattr(losslib, info.name)


@each_case
def test_values_are_those_of_the_definition(info: LossInfo, parameters: dict[str, Any]) -> None:
    inputs = vocabulary.draw(info)
    wanted = vocabulary.DEFINITIONS[info.name](*inputs, {**defaults(info), **parameters})
    found = function(info)(*inputs, reduction="none", **parameters)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-13)
    single = [array.astype(np.float32) if array.dtype.kind == "f" else array for array in inputs]
    found = function(info)(*single, reduction="none", **parameters)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=3e-5, atol=3e-5)


@each_case
def test_gradients_are_slopes_of_the_values(info: LossInfo, parameters: dict[str, Any]) -> None:
    inputs, rng = vocabulary.draw(info), np.random.default_rng(0)
    for name in info.differentiable:
        place = info.input_names.index(name)
        if inputs[place].dtype.kind != "f":  # classes; probabilities in their place have a test of their own
            continue
        gradient = function(info).grad(*inputs, wrt=name, **parameters)
        for direction in rng.normal(size=(4, *inputs[place].shape)):
            moved = [[a if k != place else a + s * 1e-6 * direction for k, a in enumerate(inputs)] for s in (1, -1)]
            slope = (function(info)(*moved[0], **parameters) - function(info)(*moved[1], **parameters)) / 2e-6
            assert float((gradient * direction).sum()) == pytest.approx(slope, rel=2e-6, abs=2e-8)


@each_loss
def test_masked_and_weighted_rows(info: LossInfo) -> None:
    inputs = vocabulary.draw(info)
    where, weight = np.arange(6) % 3 != 1, np.linspace(0.5, 2.0, 6)
    of_rows = [array.shape[0] == 6 for array in inputs]
    dirty = [array.copy() if own else array for array, own in zip(inputs, of_rows, strict=True)]
    for array, own in zip(dirty, of_rows, strict=True):
        if own:
            array[~where] = np.nan if array.dtype.kind == "f" else 99
    kept = [array[where] if own else array for array, own in zip(inputs, of_rows, strict=True)]
    for reduction in ("mean", "sum", "weighted_mean"):
        found, gradient = function(info).value_and_grad(
            *dirty, where=where, sample_weight=weight, reduction=reduction, wrt=info.input_names[0]
        )
        wanted, slopes = function(info).value_and_grad(
            *kept, sample_weight=weight[where], reduction=reduction, wrt=info.input_names[0]
        )
        assert found == pytest.approx(wanted, rel=1e-13)
        assert not gradient[~where].any()
        np.testing.assert_allclose(gradient[where], slopes, rtol=1e-12)


@each_loss
def test_the_number_of_threads_changes_no_bit(info: LossInfo) -> None:
    inputs = [np.concatenate([array] * 500) if len(array) == 6 else array for array in vocabulary.draw(info)]
    answers = []
    for threads in (1, 2, 3, 7):
        with losslib.threads(threads):
            answers.append(function(info).value_and_grad(*inputs, wrt=info.input_names[0]))
    for value, gradient in answers[1:]:
        assert value == answers[0][0]
        np.testing.assert_array_equal(gradient, answers[0][1])


# ---- the fused cross entropy -------------------------------------------------------------------------------------

OPTIONS: list[dict[str, Any]] = [
    {}, {"label_smoothing": 0.1}, {"z_loss": 0.01}, {"softcap": 3.0}, {"weight": [1.0, 2.0, 0.5, 3.0, 1.0]},
    {"reduction": "sum"}, {"label_smoothing": 0.2, "weight": [1.0, 2.0, 0.5, 3.0, 1.0]},
    {"reduction": "none"},
]  # fmt: skip


def layer(rows: tuple[int, ...] = (7, 3), soft: bool = False) -> list[np.ndarray]:
    rng = np.random.default_rng(len(rows))
    target = rng.integers(0, 5, rows)
    target[0] = -100
    logits = rng.random((*rows, 5))
    return [
        rng.normal(size=(*rows, 4)),
        rng.normal(size=(5, 4)),
        logits / logits.sum(-1, keepdims=True) if soft else target,
        rng.normal(size=5),
    ]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("chunk_rows", [None, 1, 4])
def test_it_is_cross_entropy_of_the_product(options: dict[str, Any], soft: bool, chunk_rows: int | None) -> None:
    hidden, weight, target, bias = layer(soft=soft)
    logits = hidden @ weight.T + bias
    value, grads = losslib.linear_cross_entropy.value_and_grad(
        hidden, weight, target, bias, chunk_rows=chunk_rows, wrt=("input", "linear_weight", "linear_bias"), **options
    )
    wanted, slopes = losslib.cross_entropy.value_and_grad(logits, target, axis=-1, **options)
    np.testing.assert_allclose(value, wanted, rtol=1e-14)
    rows = slopes.reshape(-1, 5)
    np.testing.assert_allclose(grads[0], slopes @ weight, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(grads[1], rows.T @ hidden.reshape(-1, 4), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(grads[2], rows.sum(0), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("chunk_rows", [None, 4])
def test_probabilities_have_the_gradient_of_cross_entropy(options: dict[str, Any], chunk_rows: int | None) -> None:
    hidden, weight, target, bias = layer(soft=True)
    logits, where = hidden @ weight.T + bias, np.arange(21).reshape(7, 3) % 4 > 0
    wrt = ("linear_weight", "target") if chunk_rows else "target"
    found = losslib.linear_cross_entropy.grad(
        hidden, weight, target, bias, chunk_rows=chunk_rows, wrt=wrt, where=where, **options
    )
    wanted = losslib.cross_entropy.grad(logits, target, axis=-1, wrt="target", where=where, **options)
    np.testing.assert_allclose(found[1] if chunk_rows else found, wanted, rtol=1e-12, atol=1e-15)
    half = [array.astype(np.float16) for array in (hidden, weight, target, bias)]
    found = losslib.linear_cross_entropy.grad(*half, wrt="target", where=where, **options)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, wanted, rtol=2e-2, atol=1e-3)


def test_classes_as_target_have_no_gradient() -> None:
    hidden, weight, target, _ = layer()
    with pytest.raises(losslib.ParameterError, match="class indices have no derivative"):
        losslib.linear_cross_entropy.grad(hidden, weight, target, wrt="target")


def test_ignored_rows_are_never_looked_at() -> None:
    hidden, weight, target, bias = layer()
    hidden[0] = np.nan
    value, gradient = losslib.linear_cross_entropy.value_and_grad(hidden, weight, target, bias, wrt="input")
    assert np.isfinite(value)
    assert not gradient[0].any()
    nothing = np.full(target.shape, -100)
    assert np.isnan(losslib.linear_cross_entropy(hidden, weight, nothing))
    assert losslib.linear_cross_entropy(hidden, weight, nothing, empty="zero") == 0.0


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_weights_are_widened_and_their_gradient_is_summed_in_float32(dtype: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("losslib.geometries.linear_softmax.CHUNK", 64)
    hidden, weight, target, bias = layer()
    half = [array.astype(dtype) for array in (hidden, weight, bias)]
    wide = [array.astype(np.float32) for array in half]
    value, grads = losslib.linear_cross_entropy.value_and_grad(half[0], half[1], target, half[2])
    wanted, slopes = losslib.linear_cross_entropy.value_and_grad(wide[0], wide[1], target, wide[2])
    assert value == pytest.approx(wanted, rel=1e-6)
    for ours, theirs in zip(grads, slopes, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours.astype(float), theirs.astype(dtype).astype(float), rtol=1e-2, atol=1e-4)


def test_memory_is_bounded_by_the_chunk() -> None:
    """4096 rows of 4096 classes are 64 MiB of logits; 256 of them at a time are 4."""
    rng = np.random.default_rng(0)
    hidden, weight = rng.normal(size=(4096, 8)).astype(np.float32), rng.normal(size=(4096, 8)).astype(np.float32)
    target = rng.integers(0, 4096, 4096)
    losslib.linear_cross_entropy.grad(hidden[:9], weight, target[:9])
    tracemalloc.start()
    losslib.linear_cross_entropy.value_and_grad(hidden, weight, target, chunk_rows=256)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 << 20


def test_arguments_that_do_not_fit_are_errors_with_what_is_expected() -> None:
    hidden, weight, target, _ = layer()
    with pytest.raises(losslib.ShapeError, match=r"linear_weight has shape \(4, 5\), expected \(C, D\) with D = 4"):
        losslib.linear_cross_entropy(hidden, weight.T, target)
    with pytest.raises(losslib.ShapeError, match=r"linear_bias has shape \(4,\), expected \(5,\)"):
        losslib.linear_cross_entropy(hidden, weight, target, np.zeros(4))
    with pytest.raises(losslib.DomainError, match="outside the classes"):
        losslib.linear_cross_entropy(hidden, weight, target + 5)
    with pytest.raises(losslib.ParameterError, match="the call has no such input"):
        losslib.linear_cross_entropy.grad(hidden, weight, target, wrt="linear_bias")


# ---- clusters ----------------------------------------------------------------------------------------------------

CUTOFFS, CLASSES, COMPONENTS = (4, 9), 15, 6


def clusters(rows: int = 40) -> tuple[Any, ...]:
    """Four frequent classes, and tails of five and six classes that look at three and one of six components."""
    rng = np.random.default_rng(rows)
    row = rng.normal(size=3 * (COMPONENTS + 5) + 1 * (COMPONENTS + 6))
    pairs = vocabulary.in_pairs(row, [(3, 5), (1, 6)], COMPONENTS)
    target = np.resize(rng.permutation(CLASSES), rows)
    return rng.normal(size=(rows, COMPONENTS)), target, rng.normal(size=(6, COMPONENTS)), pairs, rng.normal(size=6), row


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_clusters_are_those_of_torchs_module(bias: bool, reduction: str) -> None:
    torch = pytest.importorskip("torch")
    hidden, target, head, pairs, head_bias, _ = clusters()
    module = torch.nn.AdaptiveLogSoftmaxWithLoss(
        COMPONENTS, CLASSES, list(CUTOFFS), div_value=2.0, head_bias=bias, dtype=torch.float64
    )
    with torch.no_grad():
        module.head.weight.copy_(torch.tensor(head))
        if bias:
            module.head.bias.copy_(torch.tensor(head_bias))
        for layers, matrices in zip(module.tail, pairs, strict=True):
            for of_tail, matrix in zip(layers, matrices, strict=True):
                of_tail.weight.copy_(torch.tensor(matrix))
    moved = torch.tensor(hidden, requires_grad=True)
    answer = module(moved, torch.tensor(target))
    wanted = answer.loss if reduction == "mean" else -answer.output.sum()
    wanted.backward()
    given = (hidden, target, head, pairs, head_bias if bias else None)
    wrt = ("input", "head_weight", "tail_weights", *(["head_bias"] if bias else []))
    value, grads = losslib.adaptive_log_softmax_with_loss.value_and_grad(
        *given, wrt=wrt, reduction=reduction, cutoffs=CUTOFFS
    )
    assert value == pytest.approx(float(wanted.detach()), rel=1e-13)
    close = {"rtol": 1e-11, "atol": 1e-14}
    np.testing.assert_allclose(grads[0], moved.grad.numpy(), **close)
    np.testing.assert_allclose(grads[1], module.head.weight.grad.numpy(), **close)
    for ours, layers in zip(grads[2], module.tail, strict=True):
        for matrix, of_tail in zip(ours, layers, strict=True):
            np.testing.assert_allclose(matrix, of_tail.weight.grad.numpy(), **close)
    if bias:
        np.testing.assert_allclose(grads[3], module.head.bias.grad.numpy(), **close)
    values = losslib.adaptive_log_softmax_with_loss(*given, reduction="none")
    np.testing.assert_allclose(values, -answer.output.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(values, vocabulary.adaptive(*given, {}), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("chunk_rows", [None, 3])
def test_pairs_of_matrices_and_one_row_are_the_same(dtype: Any, chunk_rows: int | None) -> None:
    hidden, target, head, pairs, bias, row = clusters()
    hidden, head, bias, row = (array.astype(dtype) for array in (hidden, head, bias, row))
    pairs = [tuple(matrix.astype(dtype) for matrix in pair) for pair in pairs]
    loss = losslib.AdaptiveLogSoftmaxWithLoss(cutoffs=CUTOFFS, div_value=2.0, chunk_rows=chunk_rows)
    where = np.arange(len(hidden)) % 3 > 0
    hidden[~where] = np.nan
    value, by_row = loss.value_and_grad(hidden, target, head, row, bias, where=where, wrt="tail_weights")
    found, by_pairs = loss.value_and_grad(hidden, target, head, pairs, bias, where=where, wrt="tail_weights")
    assert value == found
    assert by_row.dtype == dtype
    np.testing.assert_array_equal(by_row, np.concatenate([matrix.ravel() for pair in by_pairs for matrix in pair]))
    out = np.empty(len(row), dtype)
    into = loss.grad(hidden, target, head, pairs, bias, where=where, wrt="tail_weights", out=out)
    np.testing.assert_array_equal(out, by_row)
    assert np.shares_memory(into[1][0], out)
    wide = [array.astype(np.float64) for array in (hidden, head, row, bias)]
    wanted = loss(wide[0], target, *wide[1:], where=where)
    assert value == pytest.approx(wanted, rel=1e-12 if dtype == np.float64 else 3e-6)
    lists = [[matrix.astype(float).tolist() for matrix in pair] for pair in pairs]
    assert loss(wide[0], target, wide[1], lists, wide[3], where=where) == pytest.approx(wanted)


def test_axes_of_samples_keep_their_shape() -> None:
    hidden, target, head, pairs, bias, _ = clusters(12)
    loss = losslib.AdaptiveLogSoftmaxWithLoss(reduction="none")
    flat = loss(hidden, target, head, pairs, bias)
    deep = loss(hidden.reshape(3, 4, -1), target.reshape(3, 4), head, pairs, bias)
    np.testing.assert_array_equal(deep, flat.reshape(3, 4))
    assert loss(hidden[0], target[0], head, pairs, bias) == pytest.approx(flat[0])


def test_probabilities_of_all_clusters_add_up_to_one() -> None:
    hidden, _, head, pairs, bias, _ = clusters(5)
    loss = losslib.AdaptiveLogSoftmaxWithLoss(reduction="none")
    total = sum(np.exp(-loss(hidden, np.full(5, k), head, pairs, bias)) for k in range(CLASSES))
    np.testing.assert_allclose(total, 1.0, rtol=1e-13)


def test_weights_of_clusters_that_do_not_fit_are_errors_with_what_is_expected() -> None:
    hidden, target, head, pairs, bias, row = clusters()
    (first, second), other = pairs
    cases: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
        ([(first.T, second), other], {}, losslib.ShapeError, r"\[0\]\[0\] has shape \(6, 3\), expected \(h, D\)"),
        ([(first, second.T), other], {}, losslib.ShapeError, r"\[0\]\[1\] has shape \(3, 5\), expected \(classes, h\)"),
        (first, {}, losslib.ShapeError, r"tail_weights has shape \(3, 6\); expected one pair of matrices"),
        (row[:-1], {"div_value": 2.0}, losslib.ShapeError, "44 numbers, which do not make tails with projections to 3"),
        (row, {"cutoffs": CUTOFFS}, losslib.ParameterError, r"div_value=4 leaves tail 1 none of 6 components"),
        (pairs, {"cutoffs": (4, 8)}, losslib.ParameterError, r"cutoffs=\(4, 8\) do not fit .* have \(4, 9\)"),
        (row, {"cutoffs": (9, 4)}, losslib.ParameterError, r"cutoffs=\(9, 4\): expected positive integers that rise"),
        ([*pairs, *pairs, *pairs], {}, losslib.ShapeError, "head_weight has 6 rows; expected more than the 6 of the"),
    ]  # fmt: skip
    for tails, parameters, error, message in cases:
        with pytest.raises(error, match=message):
            losslib.adaptive_log_softmax_with_loss(hidden, target, head, tails, **parameters)
    with pytest.raises(losslib.DomainError, match=r"target\[0\] is 15, outside the classes: expected 0 to 14"):
        losslib.adaptive_log_softmax_with_loss(hidden, target * 0 + 15, head, pairs)
    with pytest.raises(losslib.ShapeError, match=r"head_bias has shape \(4,\), expected \(6,\)"):
        losslib.adaptive_log_softmax_with_loss(hidden, target, head, pairs, bias[:4])
    with pytest.raises(losslib.ParameterError, match="the call has no such input"):
        losslib.adaptive_log_softmax_with_loss.grad(hidden, target, head, pairs, wrt="head_bias")


# ---- trees and samples -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 8, 13])
def test_the_probabilities_of_a_tree_add_up_to_one(classes: int) -> None:
    rng = np.random.default_rng(classes)
    x, nodes, bias = rng.normal(size=(5, 3)), rng.normal(size=(classes - 1, 3)), rng.normal(size=classes - 1)
    total = sum(np.exp(-losslib.hsigmoid_loss(x, np.full(5, k), nodes, bias, reduction="none")) for k in range(classes))
    np.testing.assert_allclose(total, 1.0, rtol=1e-13)


@pytest.mark.parametrize("classes", [2, 3, 8, 13])
def test_paths_of_the_complete_tree_are_the_default(classes: int) -> None:
    rng = np.random.default_rng(classes)
    x, nodes, bias = rng.normal(size=(classes, 3)), rng.normal(size=(classes + 2, 3)), rng.normal(size=classes + 2)
    target = rng.permutation(classes)
    table, code = np.full((2, classes, 4), -1)
    for k, y in enumerate(target):
        way, answers = vocabulary.complete_path(int(y), classes)
        table[k, : len(way)], code[k, : len(way)] = way, answers
    wrt = ("input", "tree_weight", "tree_bias")
    loss = losslib.HSigmoidLoss(num_classes=classes)  # fewer than the nodes would do for
    value, grads = loss.value_and_grad(x, target, nodes, bias, wrt=wrt)
    found, slopes = loss.value_and_grad(x, target, nodes, bias, table, code, wrt=wrt)
    assert found == pytest.approx(value, rel=1e-14)
    assert not grads[1][classes - 1 :].any()
    for ours, theirs in zip(slopes, grads, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


def test_paths_that_do_not_fit_are_errors_with_what_is_expected() -> None:
    x, nodes, target = np.zeros((2, 3)), np.zeros((4, 3)), [0, 1]
    table, code = np.array([[0, 3, -1], [1, -1, 77]]), np.array([[1, 0, 5], [1, 9, 9]])
    assert losslib.hsigmoid_loss(x, target, nodes, path_table=table, path_code=code) == pytest.approx(1.5 * np.log(2))
    for paths, error, message in (
        ((table, None), losslib.ParameterError, "path_table and path_code come together"),
        ((table[:1], code[:1]), losslib.ShapeError, r"path_table has shape \(1, 3\), expected \(2, L\)"),
        ((table, code[:, :2]), losslib.ShapeError, r"path_code has shape \(2, 2\), expected \(2, 3\)"),
        ((table + 1, code), losslib.DomainError, r"path_table\[0, 1\] is 4, outside the nodes: expected 0 to 3"),
        ((table * 1.0, code), losslib.DTypeError, "nodes of a path must be integers"),
        ((table, code + 1), losslib.DomainError, r"path_code\[0, 0\] is 2, .* labels 0 or 1"),
    ):
        with pytest.raises(error, match=message):
            losslib.hsigmoid_loss(x, target, nodes, None, *paths)
    with pytest.raises(losslib.ShapeError, match="tree_weight has 4 rows; num_classes=6 needs 5"):
        losslib.hsigmoid_loss(x, target, nodes, num_classes=6)
    with pytest.raises(losslib.DomainError, match="outside the classes: expected 0 to 2"):
        losslib.hsigmoid_loss(x, [0, 3], nodes, num_classes=3)


def test_accidental_hits_cost_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(3, 5))
    hits = np.zeros((3, 4))
    hits[1, 2] = 1
    for loss in (losslib.sampled_softmax_loss, losslib.nce_loss):
        value, gradient = loss.value_and_grad(x, accidental_hits=hits, reduction="none")
        assert gradient[1, 3] == 0.0
        alone = np.delete(x[1:2], 3, axis=1)
        assert value[1] == pytest.approx(loss(alone), rel=1e-13)


def test_any_class_may_be_the_one_that_is_ignored() -> None:
    hidden, weight, target, bias = layer((9,))
    target[0] = 2
    wanted = losslib.cross_entropy(hidden @ weight.T + bias, target, ignore_index=2)
    assert losslib.linear_cross_entropy(hidden, weight, target, bias, ignore_index=2) == pytest.approx(wanted)


def test_the_fused_loss_is_torchs() -> None:
    torch = pytest.importorskip("torch", minversion="2.13")
    hidden, weight, target, bias = layer((9,))
    theirs = torch.nn.functional.linear_cross_entropy(
        torch.tensor(hidden), torch.tensor(weight), torch.tensor(target), linear_bias=torch.tensor(bias)
    )
    assert losslib.linear_cross_entropy(hidden, weight, target, bias) == pytest.approx(float(theirs), rel=1e-12)


def test_paths_of_any_layout_are_read_in_their_order() -> None:
    x, nodes = np.eye(2, 3), np.arange(12.0).reshape(4, 3)
    table, code = np.array([[0, 1, -1], [0, 2, 3]]), np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    expected = losslib.hsigmoid_loss(x, [0, 1], nodes, path_table=table, path_code=code, reduction="none")
    for a, b in ((np.asfortranarray(table), code), (table, np.asfortranarray(code)), (table[:, ::-1][:, ::-1], code)):
        found = losslib.hsigmoid_loss(x, [0, 1], nodes, path_table=a, path_code=b, reduction="none")
        np.testing.assert_array_equal(found, expected)
