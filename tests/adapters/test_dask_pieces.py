"""Losses of Dask arrays over the registry: numbers and messages are those in memory, however the arrays are chunked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import dask
import dask.array as da
import dask.dataframe
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import losslib
from formulas import LOSSES, ROWS, sample_inputs
from losslib import geometries
from losslib.adapters import dask as losslib_dask

CHUNKED = [info for info in LOSSES if geometries.find(info.geometry).in_chunks(info, losslib.get(info.name).parameters)]
PER_LOSS = pytest.mark.parametrize("info", CHUNKED, ids=lambda info: info.name)

#: Chunks of the first axis and of the others.
CHUNKS = [(4, 1), (1, 2), (6, 1)]


@pytest.fixture(autouse=True)
def no_cluster() -> Iterator[None]:
    with dask.config.set(scheduler="synchronous"):
        yield


def lazily(arrays: Sequence[np.ndarray], chunks: tuple[int, int]) -> list[da.Array]:
    return [
        da.from_array(array, chunks=tuple(chunks[k > 0] for k in range(array.ndim)))
        if isinstance(array, np.ndarray)
        else array
        for array in arrays
    ]


def sums_of(info: Any) -> list[str]:
    return [reduction for reduction in info.reductions if reduction != "none"]


def forms(info: Any) -> list[list[np.ndarray]]:
    """Return samples of a loss as they come, and where elements are samples with an axis more and with one less."""
    inputs = sample_inputs(info)
    if info.geometry != "pointwise":
        return [inputs]
    more = [np.stack([array, np.roll(array, 1, 0), np.roll(array, 2, 0)], axis=1) for array in inputs]
    return [inputs, more, *([] if info.averages_last_axis else [[array[:, 0].copy() for array in inputs]])]


def compare(loss: Any, inputs: list[np.ndarray], chunks: tuple[int, int], **options: Any) -> None:
    """Assert that value and gradient of arrays in chunks are those in memory."""
    found = dask.compute(*losslib_dask.value_and_grad(loss, *lazily(inputs, chunks), **options))
    first = loss.info.input_names[0]
    assert found[0] == pytest.approx(loss(*inputs, **options), rel=1e-12, abs=1e-300, nan_ok=True), loss
    np.testing.assert_allclose(found[1], loss.grad(*inputs, **options, wrt=first), rtol=1e-12, atol=1e-300)


@PER_LOSS
def test_values_and_gradients_do_not_depend_on_the_chunks(info: Any) -> None:
    for inputs in forms(info):
        for reduction in sums_of(info):
            for chunks in CHUNKS if reduction in ("mean", "batchmean") else CHUNKS[:1]:
                compare(losslib.get(info.name, reduction=reduction), inputs, chunks)
        each = losslib.get(info.name, reduction="none")
        found = losslib_dask.values(each, *lazily(inputs, CHUNKS[0])).compute()
        np.testing.assert_allclose(found, each(*inputs), rtol=1e-12, atol=1e-300)


@PER_LOSS
def test_weights_and_masks_do_not_depend_on_the_chunks(info: Any) -> None:
    rng = np.random.default_rng(0)
    inputs = forms(info)[len(forms(info)) > 1]
    shape = inputs[0].shape if info.geometry == "pointwise" else (ROWS,)
    weights, kept = rng.random(shape), rng.random(shape) < 0.7
    for reduction in sums_of(info):
        loss = losslib.get(info.name, reduction=reduction)
        compare(loss, inputs, CHUNKS[0], sample_weight=weights, where=kept)
    compare(losslib.get(info.name), inputs, CHUNKS[1], sample_weight=weights.reshape(ROWS, -1)[:, 0])


@PER_LOSS
def test_groups_do_not_depend_on_the_chunks(info: Any) -> None:
    rng = np.random.default_rng(1)
    inputs = forms(info)[len(forms(info)) > 1]
    shape = inputs[0].shape if info.geometry == "pointwise" else (ROWS,)
    for by in (rng.integers(0, 3, ROWS), da.from_array(rng.integers(0, 3, shape), chunks=2)):
        for reduction in sums_of(info):
            total = losslib.Accumulator(losslib.get(info.name, reduction=reduction))
            total.update(*inputs, by=np.asarray(by))
            found = losslib_dask.value(total.loss, *lazily(inputs, CHUNKS[0]), by=by).compute()
            assert found == pytest.approx(total.result(), rel=1e-12, abs=1e-300, nan_ok=True)


@pytest.mark.parametrize("shape", [(6,), (3, 6), (6, 1), (4, 1, 6)])
@pytest.mark.parametrize("name", [info.name for info in CHUNKED if info.geometry == "pointwise"][::7])
def test_weights_that_are_bound_see_their_axes_whole(name: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    inputs = [np.stack([np.tile(array[:, :1], 6)] * 4) for array in sample_inputs(losslib.get(name).info)]
    inputs = [array[:, :3] for array in inputs] if shape == (3, 6) else inputs
    compare(losslib.get(name, weight=rng.random(shape)), inputs, (1, 2))


@pytest.mark.parametrize("name", ["cosine_similarity_loss", "js_div", "triplet_margin_loss"])
def test_a_vector_in_chunks_is_one_sample(name: str) -> None:
    count = len(losslib.get(name).info.inputs)
    inputs = [np.random.default_rng(seed).dirichlet(np.ones(1000)) for seed in range(count)]
    arrays = [da.from_array(array, chunks=300) for array in inputs]
    assert losslib_dask.value(name, *arrays).compute() == pytest.approx(losslib.get(name)(*inputs), rel=1e-12)
    expected = losslib.get(name).grad(*inputs, wrt=losslib.get(name).info.input_names[0])
    np.testing.assert_allclose(losslib_dask.grad(name, *arrays).compute(), expected, rtol=1e-12)


def test_losses_of_samples_that_belong_together_are_refused_with_the_reason() -> None:
    for info in LOSSES:
        if info not in CHUNKED:
            with pytest.raises(losslib.ParameterError, match=f"{info.name} is not computed in chunks: its samples"):
                losslib_dask.value(info.name, *map(da.from_array, sample_inputs(info)))
    with pytest.raises(losslib.ParameterError, match="its samples are vectors that meet all others of the batch"):
        losslib_dask.value("supcon_loss", da.ones((4, 2), chunks=2), da.zeros(4, int, chunks=2))


SHARED = [(info, item.name) for info in CHUNKED for item in info.inputs if item.shared]


@pytest.mark.parametrize(("info", "name"), SHARED, ids=lambda item: getattr(item, "name", item))
@pytest.mark.parametrize("chunks", CHUNKS[:2])
def test_the_gradient_by_what_samples_share_is_the_sum_over_the_chunks(
    info: Any, name: str, chunks: tuple[int, int]
) -> None:
    inputs = sample_inputs(info)
    kept, weights = np.arange(ROWS) % 3 > 0, np.linspace(0.5, 2.0, ROWS)
    for reduction in sums_of(info):
        loss = losslib.get(info.name, reduction=reduction)
        for options in ({}, {"where": kept, "sample_weight": weights}):
            found = losslib_dask.grad(loss, *lazily(inputs, chunks), **options, wrt=name)
            expected = loss.grad(*inputs, **options, wrt=name)
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(found.compute(), expected, rtol=1e-11, atol=1e-14)


def test_what_samples_share_may_be_left_out_or_be_in_chunks_itself() -> None:
    hidden, weight, target, _ = sample_inputs(losslib.get("linear_cross_entropy").info)
    soft = np.random.default_rng(3).dirichlet(np.ones(len(weight)), len(hidden))
    for targets in (target, soft):
        lazy = lazily([hidden, weight, targets], (4, 1))
        value = losslib_dask.value("linear_cross_entropy", *lazy).compute()
        assert value == pytest.approx(losslib.linear_cross_entropy(hidden, weight, targets), rel=1e-13)
    found = losslib_dask.grad("linear_cross_entropy", *lazy, wrt="target").compute()
    expected = losslib.linear_cross_entropy.grad(hidden, weight, soft, wrt="target")
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    single = [array.astype(np.float32) for array in (hidden, weight)]
    assert losslib_dask.values("linear_cross_entropy", *lazily([*single, target], (4, 1))).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("lazy", [False, True])
def test_tails_may_be_pairs_of_matrices_of_any_widths(dtype: type, lazy: bool) -> None:
    rng = np.random.default_rng(4)
    hidden, head, target = rng.normal(size=(9, 6)).astype(dtype), rng.normal(size=(5, 6)).astype(dtype), np.arange(9)
    tails = [
        (rng.normal(size=(k, 6)).astype(dtype), rng.normal(size=(count, k)).astype(dtype))
        for k, count in ((4, 2), (1, 4))
    ]
    given: Any = [[da.from_array(matrix, chunks=2) for matrix in pair] for pair in tails] if lazy else tails
    arrays = [*lazily([hidden, target, head], (4, 1)), given]
    name, tolerance = "adaptive_log_softmax_with_loss", {"rtol": 1e-11 if dtype is np.float64 else 1e-5, "atol": 1e-7}
    inputs = [hidden, target, head, tails]
    kept = np.arange(9) % 4 > 0
    for options in ({}, {"where": kept, "sample_weight": np.linspace(0.5, 2.0, 9)}):
        loss = losslib.get(name)
        assert losslib_dask.value(name, *arrays, **options).compute() == pytest.approx(
            loss(*inputs, **options), rel=tolerance["rtol"]
        )
        each = losslib_dask.values(name, *arrays, **options)
        assert each.dtype == dtype
        np.testing.assert_allclose(each, loss.replace(reduction="none")(*inputs, **options), **tolerance)
        for wrt in ("input", "head_weight"):
            found = losslib_dask.grad(name, *arrays, **options, wrt=wrt)
            np.testing.assert_allclose(found, loss.grad(*inputs, **options, wrt=wrt), **tolerance)
        found = losslib_dask.grad(name, *arrays, **options, wrt="tail_weights")
        expected = loss.grad(*inputs, **options, wrt="tail_weights")
        for pair, wanted in zip(found, expected, strict=True):
            for matrix, true in zip(pair, wanted, strict=True):
                assert (matrix.shape, matrix.dtype) == (true.shape, true.dtype)
                np.testing.assert_allclose(matrix, true, **tolerance)


# ---- positions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [(10, 4), (3, 4), (4, 1), (1, 2)])
@pytest.mark.parametrize("call", ["value", "values", "grad"])
def test_positions_in_errors_count_from_the_start_of_the_array(chunks: tuple[int, int], call: str) -> None:
    compute = getattr(losslib_dask, call)
    x, t = np.full((10, 4), 0.5), np.zeros((10, 4))
    t[7, 2] = 3.0
    arrays = [da.from_array(array, chunks=chunks) for array in (x, t)]
    with pytest.raises(losslib.DomainError, match=r"^target\[7, 2\] is 3"):
        compute("bce", *arrays).compute()
    scores, classes = np.zeros((10, 4, 3)), np.zeros((10, 3), np.int64)
    classes[7, 2] = 9
    arrays = [da.from_array(scores, chunks=(chunks[0], 2, chunks[1])), da.from_array(classes, chunks=chunks)]
    with pytest.raises(losslib.DomainError, match=r"^target\[7, 2\] is 9"):
        compute("cross_entropy", *arrays).compute()


def test_a_position_behind_chunks_of_unknown_length_says_so() -> None:
    frame = pd.DataFrame({"p": np.full(10, 0.5), "y": np.r_[np.zeros(9), 2.0]})
    lazy = dask.dataframe.from_pandas(frame, npartitions=5)
    with pytest.raises(losslib.DomainError, match=r"target\[1\] is 2.*the position is that in a chunk"):
        losslib_dask.value("bce", lazy["p"], lazy["y"]).compute()


# ---- keys, masks and nulls ---------------------------------------------------------------------------------------

BIG = [2**60 + 1, None, 2**60, 2**60 + 1]
COLUMNS = {
    "list": list,
    "pandas Int64": lambda keys: pd.Series(keys, dtype="Int64"),
    "pandas arrow": lambda keys: pd.Series(keys, dtype="int64[pyarrow]"),
    "polars": pl.Series,
    "pyarrow": pa.array,
    "pyarrow chunks": lambda keys: pa.chunked_array([keys[:1], keys[1:]], pa.int64()),
    "dask": lambda keys: dask.dataframe.from_pandas(pd.Series(keys, dtype="Int64"), npartitions=2),
}  # fmt: skip


@pytest.mark.parametrize("kind", COLUMNS)
def test_integer_keys_with_a_null_stay_integers(kind: str) -> None:
    frame = pd.DataFrame({"p": [1.0, 2.0, 4.0, 8.0], "y": np.zeros(4)})
    lazy = dask.dataframe.from_pandas(frame, npartitions=2)
    arrays = (lazy["p"], lazy["y"]) if kind == "dask" else (da.from_array(frame["p"].to_numpy(), chunks=2), np.zeros(4))
    found = losslib_dask.value(losslib.L1Loss(reduction="sum"), *arrays, by=COLUMNS[kind](BIG)).compute()
    assert found == {2**60: 4.0, 2**60 + 1: 9.0, None: 2.0}
    assert {type(key) for key in found} == {int, type(None)}


def test_masked_arrays_and_nulls_are_refused_by_name() -> None:
    x, t = da.zeros(3, chunks=1), da.zeros(3, chunks=1)
    masked = np.ma.array([0.0, 1.0, 2.0], mask=[False, True, False])
    for options in ({}, {"sample_weight": masked}, {"where": masked > 0}, {"by": masked}):
        arrays = (x, t) if options else (x, masked)
        with pytest.raises(losslib.DTypeError, match="is a masked array"):
            losslib_dask.value("mse", *arrays, **options).compute()
    with pytest.raises(losslib.DTypeError, match="is a masked array"):
        losslib_dask.value("mse", x, da.from_array(masked, chunks=1)).compute()
    with pytest.raises(losslib.DTypeError, match="target has 1 null"):
        losslib_dask.value("mse", x, pa.array([0.0, None, 1.0]))
