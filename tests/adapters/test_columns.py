"""Columns and tensors of other packages come in without a copy, and nulls are refused by the name of the column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import losslib
from losslib.call.arrays import read_array

DATA = np.arange(1.0, 6.0)

#: A column of each kind, and the address of its first number.
COLUMNS: dict[str, Callable[[], tuple[Any, int]]] = {
    "torch float64": lambda: (tensor := torch.arange(1.0, 6.0, dtype=torch.float64), tensor.data_ptr()),
    "torch float32": lambda: (tensor := torch.arange(1.0, 6.0), tensor.data_ptr()),
    "torch bfloat16": lambda: (tensor := torch.arange(1.0, 6.0).bfloat16(), tensor.data_ptr()),
    "torch strided": lambda: (tensor := torch.arange(1.0, 11.0)[::2], tensor.data_ptr()),
    "jax": lambda: (array := jnp.arange(1.0, 6.0), array.unsafe_buffer_pointer()),
    "pandas": lambda: (pd.Series(DATA, copy=False), DATA.__array_interface__["data"][0]),
    "pandas of Arrow": lambda: (
        pd.Series(array := pa.array(DATA), dtype=pd.ArrowDtype(pa.float64())),
        array.buffers()[1].address,
    ),
    "polars": lambda: (series := pl.Series("p", DATA), series.to_numpy().__array_interface__["data"][0]),
    "pyarrow": lambda: (array := pa.array(DATA), array.buffers()[1].address),
    "pyarrow chunked": lambda: (pa.chunked_array([array := pa.array(DATA)]), array.buffers()[1].address),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_is_read_where_it_is(kind: str) -> None:
    column, address = COLUMNS[kind]()
    array = read_array("input", column)
    assert array.__array_interface__["data"][0] == address
    assert losslib.l1_loss(column, column) == 0.0
    first = array.astype(np.float64)
    assert losslib.mse_loss(column, np.zeros(5, array.dtype)) == pytest.approx(float(np.mean(first**2)), rel=1e-6)


def test_class_targets_weights_and_masks_come_from_columns_too() -> None:
    scores, classes = np.random.default_rng(0).standard_normal((4, 3)), np.array([0, 2, 1, 1])
    weights, kept = np.array([0.5, 1.0, 2.0, 1.0]), np.array([True, True, False, True])
    expected = losslib.cross_entropy(scores, classes, sample_weight=weights, where=kept)
    for make in (pd.Series, pl.Series, pa.array, torch.tensor, jnp.asarray):
        found = losslib.cross_entropy(scores, make(classes), sample_weight=make(weights), where=make(kept))
        assert found == pytest.approx(expected, rel=1e-6)


NULLS = {
    "pandas nullable": lambda: pd.Series([1.0, None, 3.0], dtype="Float64", name="p90"),
    "pandas of Arrow": lambda: pd.Series([1.0, None, 3.0], dtype="double[pyarrow]", name="p90"),
    "polars": lambda: pl.Series("p90", [1.0, None, 3.0]),
    "pandas frame": lambda: pd.DataFrame({"p50": [1.0, 2.0, 3.0], "p90": pd.array([1, None, 3], dtype="Int64")}),
    "polars frame": lambda: pl.DataFrame({"p50": [1.0, 2.0, 3.0], "p90": [1.0, None, 3.0]}),
    "pyarrow table": lambda: pa.table({"p50": [1.0, 2.0, 3.0], "p90": [1.0, None, 3.0]}),
}


@pytest.mark.parametrize("kind", NULLS)
def test_a_null_is_an_error_that_names_the_column(kind: str) -> None:
    with pytest.raises(losslib.DTypeError, match=r"^input: column 'p90' has 1 null, .* fill them"):
        losslib.mse_loss(NULLS[kind](), np.zeros(3))


@pytest.mark.parametrize("make", [pa.array, lambda data: pa.chunked_array([data])])
def test_a_null_of_an_array_without_a_name(make: Any) -> None:
    with pytest.raises(losslib.DTypeError, match=r"^target has 2 nulls, "):
        losslib.mse_loss(np.zeros(3), make([None, 2.0, None]))


def test_nan_is_no_null() -> None:
    for column in (pd.Series([1.0, np.nan]), pl.Series([1.0, np.nan]), pa.array([1.0, np.nan])):
        assert np.isnan(losslib.mse_loss(column, np.zeros(2)))


def test_frames_without_nulls_are_arrays_of_rows() -> None:
    columns = {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    for frame in (pd.DataFrame(columns), pl.DataFrame(columns), pa.table(columns)):
        assert losslib.mse_loss(frame, np.zeros((2, 2))) == 7.5


def test_bfloat16_of_torch_is_that_of_ml_dtypes() -> None:
    tensor = torch.tensor([1.0, -2.5]).bfloat16()
    gradient = losslib.mse_loss.grad(tensor, np.zeros(2, ml_dtypes.bfloat16), reduction="sum")
    assert gradient.dtype == ml_dtypes.bfloat16
    assert gradient.astype(float).tolist() == [2.0, -5.0]


def test_a_tensor_that_records_gradients_says_what_to_do() -> None:
    with pytest.raises(losslib.DTypeError, match=r"detach\(\)"):
        losslib.mse_loss(torch.zeros(2, requires_grad=True), np.zeros(2))


def test_groups_come_from_categories_dictionaries_and_columns() -> None:
    x, t, keys = np.arange(4.0), np.zeros(4), ["a", "b", None, "b"]
    expected = {"a": 0.0, "b": 5.0, None: 4.0}
    for by in (
        pd.Series(keys, dtype="category"),
        pd.Categorical(keys),
        pa.array(keys).dictionary_encode(),
        np.array(keys, object),
        pl.Series(keys),
    ):
        total = losslib.Accumulator("mse")
        total.update(x, t, by=by)
        assert total.result() == expected


def test_categories_without_samples_are_no_groups() -> None:
    categories = ["a", "b", "never"]
    for by in (
        pd.Series(["a", "b"], dtype=pd.CategoricalDtype(categories)),
        pa.DictionaryArray.from_arrays(pa.array([0, 1]), categories),
    ):
        total = losslib.Accumulator("mse")
        total.update([1.0, 2.0], [0.0, 0.0], by=by)
        assert total.result() == {"a": 1.0, "b": 4.0}
