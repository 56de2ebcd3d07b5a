"""``losslib compute`` reads files in batches, and the numbers and messages are those of one call in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib
from formulas import CLASSES, LOSSES, ROWS, row_inputs, sample_inputs
from losslib import geometries
from losslib.cli import main

PER_LOSS = pytest.mark.parametrize("info", LOSSES, ids=lambda info: info.name)


def is_whole(info: Any) -> bool:
    """Say whether the samples of a loss meet, or its frames come first, so that rows are never cut."""
    ndim = sample_inputs(info)[0].ndim
    return 0 not in geometries.find(info.geometry).cut_axes(info, losslib.get(info.name).parameters, ndim)


# The first axis of those is that of samples. Weights and masks of regions have shapes of their own, tested with them.
CUT = [info for info in LOSSES if not is_whole(info) and info.family != "segmentation"]
NO_SEQUENCES = [info for info in CUT if info.geometry != "transducer"]
BATCHES = (1, 2, 5)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def command(name: str, inputs: Sequence[np.ndarray], *more: str) -> list[str]:
    """Save the inputs, and return the command that computes a loss of them."""
    words = ["compute", name]
    for role, array in zip(losslib.get(name).info.input_names, inputs, strict=True):
        np.save(f"{role}.npy", array)
        words += ["--read", f"{role}={role}.npy"]
    return [*words, *more]


def run(capsys: Any, words: Sequence[str]) -> tuple[float, str]:
    """Return the printed value, NaN if there is none, and the message."""
    done = main(words)
    captured = capsys.readouterr()
    assert (done == 0) == (captured.err == ""), captured.err
    return (float(captured.out.split()[-1]) if done == 0 else np.nan), captured.err


def sums_of(info: Any) -> list[str]:
    return [reduction for reduction in info.reductions if reduction != "none"]


@PER_LOSS
@pytest.mark.parametrize("batch", BATCHES)
def test_values_and_gradients_do_not_depend_on_the_batches(info: Any, batch: int, capsys: Any) -> None:
    inputs = sample_inputs(info)
    for reduction in sums_of(info):
        loss = losslib.get(info.name, reduction=reduction)
        words = command(info.name, inputs, "--reduction", reduction, "--grad", "g.npy")
        found, message = run(capsys, [*words, "--batch-rows", str(batch)])
        if is_whole(info):
            axes = "one axis" if inputs[0].ndim == 1 else f"{inputs[0].ndim} axes"
            assert f"{info.name} of an input with {axes} cannot be cut between rows" in message
            found, message = run(capsys, words)
        assert message == ""
        assert found == pytest.approx(loss(*inputs), rel=1e-12, abs=1e-300), reduction
        expected = loss.grad(*inputs, wrt=info.differentiable[0])
        np.testing.assert_allclose(np.load("g.npy"), expected, rtol=1e-12, atol=1e-300)


SHARED = [(info, item.name) for info in CUT for item in info.inputs if item.shared]


@pytest.mark.parametrize(("info", "name"), SHARED, ids=lambda item: getattr(item, "name", item))
@pytest.mark.parametrize("batch", BATCHES)
def test_gradients_by_what_samples_share_add_up_over_batches(info: Any, name: str, batch: int, capsys: Any) -> None:
    inputs = sample_inputs(info)
    words = command(info.name, inputs, "--grad", "g.npy", "--wrt", name, "--batch-rows", str(batch))
    assert run(capsys, words)[1] == ""
    expected = losslib.get(info.name).grad(*inputs, wrt=name)
    np.testing.assert_allclose(np.load("g.npy"), expected, rtol=1e-11, atol=1e-14)


def test_inputs_that_a_call_may_leave_out_need_no_file(capsys: Any) -> None:
    hidden, weight, target, _ = sample_inputs(losslib.get("linear_cross_entropy").info)
    for role, array in (("input", hidden), ("linear_weight", weight), ("target", target)):
        np.save(f"{role}.npy", array)
    words = ["compute", "linear_cross_entropy", "--batch-rows", "2"]
    words += [word for role in ("input", "linear_weight", "target") for word in ("--read", f"{role}={role}.npy")]
    assert run(capsys, words) == (pytest.approx(losslib.linear_cross_entropy(hidden, weight, target)), "")
    _, message = run(capsys, words[:-2])
    assert "linear_cross_entropy needs input, linear_weight, target, linear_bias; give --target" in message


REGIONS = [info for info in LOSSES if any(item.name == "per" for item in info.parameters)]


@pytest.mark.parametrize("info", REGIONS, ids=lambda info: info.name)
def test_losses_that_pool_samples_read_all_of_them(info: Any, capsys: Any) -> None:
    inputs = sample_inputs(info)
    words = next(item for item in info.parameters if item.name == "per").choices
    for per in words:
        loss = losslib.get(info.name, per=per)
        found, message = run(capsys, command(info.name, inputs, "--set", f"per={per}", "--grad", "g.npy"))
        assert (found, message) == (pytest.approx(loss(*inputs), rel=1e-12, abs=1e-300), "")
        expected = loss.grad(*inputs, wrt=info.differentiable[0])
        np.testing.assert_allclose(np.load("g.npy"), expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("info", NO_SEQUENCES, ids=lambda info: info.name)
def test_numbers_without_a_second_axis_are_cut_only_where_each_is_a_sample(info: Any, capsys: Any) -> None:
    if info.geometry == "pointwise":
        inputs = [array[:, 0].copy() for array in sample_inputs(info)]
    elif info.family == "survival":
        inputs = [array[0] if info.geometry == "intervals" else array for array in sample_inputs(info)]
    else:  # the first of the samples; the file of its label holds one row, which is no number
        inputs = [array if item.shared else array[0] for item, array in zip(info.inputs, row_inputs(info), strict=True)]
        if any(np.ndim(array) == 0 for array in inputs):
            inputs = [array if np.ndim(array) else np.eye(CLASSES)[1] for array in inputs]
    for reduction in sums_of(info):
        loss = losslib.get(info.name, reduction=reduction)
        try:
            expected = loss(*inputs)
        except (ValueError, TypeError):  # the loss takes classes and no probabilities
            expected = None
        for batch in ([], *(["--batch-rows", str(batch)] for batch in BATCHES)):
            found, message = run(capsys, command(info.name, inputs, "--reduction", reduction, *batch))
            if expected is None:
                assert message
            elif info.geometry in ("pointwise", "lifetimes") and not info.averages_last_axis:
                assert (found, message) == (pytest.approx(expected, rel=1e-12), "")
            elif batch:
                assert "an input with one axis cannot be cut between rows" in message
            else:
                assert (found, message) == (pytest.approx(expected, rel=1e-12), "")


@pytest.mark.parametrize("info", CUT, ids=lambda info: info.name)
def test_weights_masks_and_groups_do_not_depend_on_the_batches(info: Any, capsys: Any) -> None:
    inputs = sample_inputs(info)
    rng = np.random.default_rng(0)
    shape = (ROWS, 2) if info.geometry == "pointwise" else (ROWS,)
    weights, kept = rng.random(ROWS), rng.random(shape) < 0.7
    kept[0] = True
    np.save("w.npy", weights)
    np.save("k.npy", kept.astype(np.int8))
    for reduction in sums_of(info):
        loss = losslib.get(info.name, reduction=reduction)
        expected = loss(*inputs, sample_weight=weights, where=kept)
        words = command(info.name, inputs, "--reduction", reduction, "--weight", "w.npy", "--where", "k.npy")
        for batch in BATCHES:
            found, message = run(capsys, [*words, "--batch-rows", str(batch)])
            assert (found, message) == (pytest.approx(expected, rel=1e-12, abs=1e-300), "")


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("name", [info.name for info in CUT if "axis" in info.parameter_names])
def test_an_axis_of_components_is_not_cut(name: str, axis: int, capsys: Any) -> None:
    info = losslib.get(name).info
    rng = np.random.default_rng(1)
    vectors = rng.dirichlet(np.ones(CLASSES), CLASSES)
    labels = np.ones(CLASSES) if info.geometry == "distance" else np.zeros(CLASSES, np.int64)
    inputs = [labels if array.ndim == 1 else np.roll(vectors, k, axis=0) for k, array in enumerate(sample_inputs(info))]
    expected = losslib.get(name, axis=axis)(*inputs)
    words = command(name, inputs, "--set", f"axis={axis}")
    assert run(capsys, words) == (pytest.approx(expected, rel=1e-12), "")
    for batch in BATCHES:
        found, message = run(capsys, [*words, "--batch-rows", str(batch)])
        if axis == 0:
            assert "cannot be cut between rows" in message
        else:
            assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["cosine_similarity_loss", "js_div", "distillation_loss"])
def test_a_vector_longer_than_a_batch_is_one_sample(name: str, capsys: Any) -> None:
    rng = np.random.default_rng(2)
    inputs = [rng.dirichlet(np.ones(300_000)) for _ in range(2)]
    found, _ = run(capsys, command(name, inputs))
    assert found == pytest.approx(losslib.get(name)(*inputs), rel=1e-12)


# ---- arrays that fit a batch only --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shapes", "more", "words"),
    [
        ("mse", [(6,), (6,)], ["--set", "weight=[1, 2, 3]"], "weight has shape (3,)"),
        ("mse", [(6, 3), (6, 3)], ["--set", "weight=[[1, 2, 3], [1, 2, 3], [1, 2, 3]]"], "weight has shape (3, 3)"),
        ("bce", [(6, 3), (6, 3)], ["--set", "weight=[[1, 2, 3], [1, 2, 3], [1, 2, 3]]"], "weight has shape (3, 3)"),
        ("multi_margin", [(6,), (6,)], [], "target has"),
        ("mse", [(3, 3), (3, 3)], ["--where", "keep.npy"], "--where has one axis"),
    ],
)
def test_an_array_that_fits_a_batch_but_not_the_data_is_refused(
    name: str, shapes: list[tuple[int, ...]], more: list[str], words: str, capsys: Any
) -> None:
    np.save("keep.npy", np.array([True, False, True]))
    inputs = [np.full(shape, 0.5) if name != "multi_margin" or not k else np.zeros(shape, np.int64)
              for k, shape in enumerate(shapes)]  # fmt: skip
    for batch in ([], ["--batch-rows", "3"]):
        _, message = run(capsys, command(name, inputs, *more, *batch))
        assert words in message or (batch and "cannot be cut between rows" in message)


def test_weights_of_rows_are_those_of_the_whole_data(capsys: Any) -> None:
    x, t, weight = np.arange(6.0), np.zeros(6), np.array([1.0, 2, 3, 4, 5, 6])
    np.save("weight.npy", weight)
    found, message = run(capsys, command("mse", [x, t], "--set", "weight=weight.npy"))
    assert (found, message) == (losslib.mse_loss(x, t, weight=weight), "")


def test_a_weight_that_is_no_array_says_what_is_one(capsys: Any) -> None:
    for text, words in (("w.csv", "a .npy file"), ("missing.npy", "missing.npy")):
        _, message = run(capsys, command("mse", [np.zeros(3), np.zeros(3)], "--set", f"weight={text}"))
        assert words in message
    _, message = run(capsys, command("mse", [np.zeros(3), np.zeros(3)], "--set", "reduction=none"))
    assert "reduction none" in message


# ---- positions ---------------------------------------------------------------------------------------------------


def spoiled(info: Any) -> list[np.ndarray] | None:
    """Return twelve samples, the tenth of which has a target outside its domain."""
    inputs = [
        array if item.shared else np.concatenate([array, array])
        for item, array in zip(info.inputs, sample_inputs(info), strict=True)
    ]
    for name, array in zip(info.input_names, inputs, strict=True):
        if not name.startswith("target"):
            continue
        for wrong in (-7, 7, 1.5):
            changed = array.copy()
            changed[9] = wrong
            arrays = [changed if other is array else other for other in inputs]
            try:
                losslib.get(info.name)(*arrays)
            except losslib.DomainError:
                return arrays
            except ValueError:
                continue
    return None


SPOILED = [info for info in CUT if spoiled(info) is not None]


def test_most_losses_have_something_to_refuse() -> None:
    assert {info.geometry for info in SPOILED} >= {"pointwise", "softmax", "margin", "distance", "transducer"}


@pytest.mark.parametrize("info", SPOILED, ids=lambda info: info.name)
@pytest.mark.parametrize("batch", [1, 4, 12])
def test_positions_in_errors_count_from_the_start_of_the_data(info: Any, batch: int, capsys: Any) -> None:
    inputs = spoiled(info)
    assert inputs is not None
    with pytest.raises(losslib.DomainError, match=r"\[9[,\]]") as error:
        losslib.get(info.name)(*inputs)
    _, message = run(capsys, command(info.name, inputs, "--batch-rows", str(batch)))
    assert message == f"losslib: {' '.join(str(error.value).split())}\n"
