"""Losses of Dask arrays, on a cluster of two processes: what arrays in memory give, with memory bounded by chunks."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import dask.dataframe
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

import losslib
from losslib.adapters import dask as losslib_dask

pytest_plugins = ("adapters.clusters",)

N = 1000


@pytest.fixture
def client(cluster: LocalCluster) -> Any:
    with Client(cluster) as connected:
        yield connected


@pytest.fixture
def no_cluster() -> Any:
    """Compute in this process, task after task: the graph is what such a test is about."""
    with dask.config.set(scheduler="synchronous"):
        yield


def draw(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


CASES = {
    "mean": (losslib.HuberLoss(), {}),
    "sum": (losslib.LogCoshLoss(reduction="sum"), {}),
    "weights": (losslib.MSELoss(), {"sample_weight": np.random.default_rng(5).random(N)}),
    "weighted mean": (
        losslib.MSELoss(reduction="weighted_mean"),
        {"sample_weight": np.random.default_rng(5).random(N)},
    ),
    "mask": (losslib.L1Loss(), {"where": np.random.default_rng(6).random((N, 6)) < 0.5}),
    "mask of columns": (losslib.L1Loss(), {"where": np.array([True, False, True, True, False, True])}),
    "bound weight": (losslib.MSELoss(weight=np.arange(1.0, 7.0)), {}),
    "weighted sum": (0.3 * losslib.MSELoss() + 0.7 * losslib.L1Loss(reduction="sum"), {}),
    "rows of components": (losslib.CosineSimilarityLoss(), {"sample_weight": np.random.default_rng(5).random(N)}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("chunks", [(130, 6), (300, 4), (1000, 6)])
@pytest.mark.usefixtures("no_cluster")
def test_pairs_of_arrays_equal_the_answer_in_memory(case: str, chunks: tuple[int, int]) -> None:
    compare(case, chunks)


@pytest.mark.parametrize("case", ["weighted mean", "mask", "rows of components"])
def test_two_processes_give_the_answer_in_memory(case: str, client: Client) -> None:
    assert len(client.scheduler_info()["workers"]) == 2
    compare(case, (300, 4))


def compare(case: str, chunks: tuple[int, int]) -> None:
    """Assert that value, gradient and per-element values are those of the arrays in memory."""
    loss, options = CASES[case]
    x, t = draw(0, N, 6).astype(np.float32), draw(1, N, 6).astype(np.float32)
    lazy = (da.from_array(x, chunks=chunks), da.from_array(t, chunks=(200, 6)))
    assert losslib_dask.value(loss, *lazy, **options).compute() == pytest.approx(loss(x, t, **options), rel=1e-13)
    expected = loss.grad(x, t, **options, wrt="input")
    found = losslib_dask.grad(loss, *lazy, **options).compute()
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)
    unreduced = loss.replace(reduction="none") if case != "weighted sum" else (
        0.3 * losslib.MSELoss(reduction="none") + 0.7 * losslib.L1Loss(reduction="none")
    )  # fmt: skip
    expected = unreduced(x, t, **options)
    found = losslib_dask.values(loss, *lazy, **options)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(found.compute(), expected)


@pytest.mark.parametrize("reduction", ["mean", "sum", "weighted_mean"])
@pytest.mark.parametrize("axis", [1, 0])
@pytest.mark.usefixtures("no_cluster")
def test_classes_weights_and_ignored_samples(reduction: str, axis: int) -> None:
    scores, classes = draw(2, N, 10), np.random.default_rng(3).integers(0, 10, N)
    classes[::7] = -100
    weights, kept = np.random.default_rng(4).random(N), np.random.default_rng(5).random(N) < 0.7
    if axis == 0:
        scores = np.ascontiguousarray(scores.T)
    loss = losslib.CrossEntropyLoss(weight=np.arange(1.0, 11.0), reduction=reduction)
    if axis == 0:
        loss = losslib.SoftmaxFocalLoss(axis=0, reduction=reduction)
        classes = np.abs(classes) % 10
    arrays = (da.from_array(scores, chunks=((130, 4) if axis else (4, 130))), da.from_array(classes, chunks=200))
    options = {"sample_weight": da.from_array(weights, chunks=170), "where": da.from_array(kept, chunks=170)}
    value, gradient = losslib_dask.value_and_grad(loss, *arrays, **options)
    expected = loss.value_and_grad(scores, classes, sample_weight=weights, where=kept)
    assert value.compute() == pytest.approx(expected[0], rel=1e-13)
    np.testing.assert_allclose(gradient.compute(), expected[1], rtol=1e-12, atol=1e-15)
    assert losslib_dask.values(loss, *arrays).shape == (N,)


@pytest.mark.usefixtures("no_cluster")
def test_margins_three_inputs_numbers_and_class_lists() -> None:
    scores, classes = draw(2, N, 5), np.random.default_rng(3).integers(0, 5, N)
    lazy = da.from_array(scores, chunks=(150, 5))
    assert losslib_dask.value("multi_margin_loss", lazy, classes).compute() == pytest.approx(
        losslib.multi_margin_loss(scores, classes), rel=1e-13
    )
    multihot = (draw(9, N, 5) > 0).astype(float)
    for loss in (losslib.MultiLabelSoftMarginLoss(), losslib.MultiLabelSoftMarginLoss(reduction="sum")):
        cut = da.from_array(scores, chunks=(150, 2))
        value, gradient = losslib_dask.value_and_grad(loss, cut, multihot)
        assert value.compute() == pytest.approx(loss(scores, multihot), rel=1e-13)
        np.testing.assert_allclose(gradient.compute(), loss.grad(scores, multihot), rtol=1e-12)
    variance = np.exp(draw(4, N))
    loss = losslib.GaussianNLLLoss()
    arrays = (lazy, 0.5, da.from_array(variance, chunks=100))
    assert losslib_dask.value(loss, *arrays).compute() == pytest.approx(loss(scores, 0.5, variance), rel=1e-13)
    triplet = [draw(seed, N, 5) for seed in (5, 6, 7)]
    found = losslib_dask.grad("triplet_margin_loss", *map(da.from_array, triplet), wrt="negative").compute()
    np.testing.assert_allclose(found, losslib.triplet_margin_loss.grad(*triplet, wrt="negative"), rtol=1e-12)


@pytest.mark.usefixtures("no_cluster")
def test_groups_and_columns_of_frames() -> None:
    frame = pd.DataFrame({"p": draw(0, N), "y": draw(1, N), "day": np.arange(N) % 7})
    lazy = dask.dataframe.from_pandas(frame, npartitions=5)
    found = losslib_dask.value("mse", lazy["p"], lazy["y"], by=lazy["day"]).compute()
    assert sorted(found) == list(range(7))
    for day, part in frame.groupby("day"):
        assert found[day] == pytest.approx(losslib.mse_loss(part["p"], part["y"]), rel=1e-13)
    gradient = losslib_dask.grad("mse", lazy["p"], lazy["y"]).compute()  # chunks of unknown length
    np.testing.assert_allclose(gradient, losslib.mse_loss.grad(frame["p"], frame["y"]), rtol=1e-13)


@pytest.mark.usefixtures("no_cluster")
def test_chunks_do_not_change_the_value() -> None:
    x = draw(0, N) * 10.0 ** np.random.default_rng(1).uniform(-5, 5, N)
    found = {
        losslib_dask.value("mse", da.from_array(x, chunks=size), da.zeros(N, chunks=size)).compute()
        for size in (1000, 333, 64, 17)
    }
    assert len(found) == 1


def test_accumulators_of_arrays_merge_with_others(client: Client) -> None:
    x, t = draw(0, N), draw(1, N)
    total = losslib_dask.accumulate(
        "mse", da.from_array(x[:600], chunks=100), da.from_array(t[:600], chunks=100)
    ).compute()
    total.update(x[600:], t[600:])
    assert total.result() == pytest.approx(losslib.mse_loss(x, t), rel=1e-14)


def test_memory_is_bounded_by_chunks(cluster_of_small_memory: LocalCluster) -> None:
    """Two arrays of 600 MB each on two workers of 400 MB: nothing is kept but accumulators."""
    n, chunk = 75_000_000, 2_000_000
    with Client(cluster_of_small_memory):
        rng = da.random.default_rng(0)
        x, t = rng.random(n, chunks=chunk), rng.random(n, chunks=chunk)
        assert losslib_dask.value("mse", x, t).compute() == pytest.approx(1 / 6, rel=1e-3)
        largest = da.fabs(losslib_dask.grad("mse", x, t)).max().compute()
        assert largest == pytest.approx(2 / n, rel=1e-3)


def test_the_threads_of_the_process_are_as_before() -> None:
    before = losslib.get_num_threads()
    with dask.config.set(scheduler="threads"):
        losslib_dask.value("mse", da.zeros(100, chunks=10), da.ones(100, chunks=10)).compute()
    assert losslib.get_num_threads() == before


def test_a_task_computes_with_one_thread() -> None:
    seen = []

    def look(array: np.ndarray) -> np.ndarray:
        with losslib_dask.serial():
            seen.append(losslib.get_num_threads())
        return array

    with dask.config.set(scheduler="threads"):
        da.zeros(100, chunks=10).map_blocks(look, meta=np.empty(0)).compute()
    assert set(seen) == {1}


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((losslib.MSELoss(reduction="none"), da.zeros(3), da.zeros(3)), losslib.ParameterError, "adds nothing up"),
        (("mse", da.zeros(3)), TypeError, r"2 arrays \(input, target\)"),
        (("mse", 1.0, da.zeros(3)), losslib.ShapeError, "in chunks"),
        (("mse", da.zeros((3, 2)), da.zeros(3)), losslib.ShapeError, "agree as for arrays in memory"),
        (("hubr", da.zeros(3), da.zeros(3)), losslib.ParameterError, "did you mean"),
    ],
)
def test_mistakes_show_before_anything_is_computed(arguments: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        losslib_dask.value(*arguments)
