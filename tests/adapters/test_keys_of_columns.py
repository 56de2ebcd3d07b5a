"""Group keys in columns of pandas, polars and pyarrow: they stay what they are, and a missing one is None."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

import losslib

CONTAINERS = {
    "list": list,
    "objects": lambda keys: np.array(keys, object),
    "pandas": pd.Series,
    "pandas objects": lambda keys: pd.Series(keys, dtype=object),
    "pandas categories": lambda keys: pd.Series(keys, dtype=object).astype("category"),
    "pandas arrow": lambda keys: pd.Series(pd.arrays.ArrowExtensionArray(pa.array(keys))),
    "polars": pl.Series,
    "pyarrow": pa.array,
    "pyarrow chunks": lambda keys: pa.chunked_array([pa.array(keys[:1]), pa.array(keys[1:], pa.array(keys[:1]).type)]),
    "pyarrow dictionary": lambda keys: pa.array(keys).dictionary_encode(),
    "pyarrow chunks of dictionaries": lambda keys: pa.chunked_array([pa.array(keys)]).dictionary_encode(),
}
KEYS = {
    "strings": ["b", None, "a", "b"],
    "booleans": [True, None, False, True],
    "floats": [2.5, None, 1.5, 2.5],
    "small integers": [2, None, 1, 2],
    "integers beyond floats": [2**60 + 1, None, 2**60, 2**60 + 1],
}
#: Columns whose own type has no integers beside a missing entry.
FLOATS_ONLY = {("pandas", "small integers"), ("pandas", "integers beyond floats")}


def total_of(by: Any) -> dict[Any, float]:
    total = losslib.Accumulator(losslib.L1Loss(reduction="sum"))
    total.update([1.0, 2.0, 4.0, 8.0], np.zeros(4), by=by)
    return dict(total.result())


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", KEYS)
def test_a_null_is_the_group_none_and_changes_no_other_key(kind: str, container: str) -> None:
    if (container, kind) in FLOATS_ONLY:
        kind = "floats"
    keys = KEYS[kind]
    found = total_of(CONTAINERS[container](keys))
    assert found == {keys[2]: 4.0, keys[0]: 9.0, None: 2.0}
    assert list(found) == [keys[2], keys[0], None]  # in order, what is missing last
    assert {type(key) for key in found} == {type(keys[0]), type(None)}


@pytest.mark.parametrize("dtype", ["Int64", "UInt64", "int64[pyarrow]"])
def test_nullable_integers_of_pandas_stay_integers(dtype: str) -> None:
    for by in (pd.Series(KEYS["integers beyond floats"], dtype=dtype), pd.array(KEYS["integers beyond floats"], dtype)):
        assert total_of(by) == {2**60: 4.0, 2**60 + 1: 9.0, None: 2.0}


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, pd.NA, pd.NaT, np.datetime64("NaT")])
def test_every_word_for_missing_is_none(missing: Any) -> None:
    assert total_of(["a", missing, "b", "a"]) == {"a": 9.0, "b": 4.0, None: 2.0}
    assert total_of([("a", missing), "b", ("a", missing), "b"]) == {("a", None): 5.0, "b": 10.0}


def test_missing_dates_are_none() -> None:
    days = [datetime.date(2026, 1, 2), None, datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)]
    for by in (pa.array(days), pl.Series(days), pd.to_datetime(pd.Series(days)), np.array(days, "M8[D]")):
        found = total_of(by)
        assert list(found.values()) == [4.0, 9.0, 2.0]
        assert list(found)[2] is None
    assert total_of(np.array([1.0, np.nan, 2.0, np.nan])) == {1.0: 1.0, 2.0: 4.0, None: 10.0}


def test_frames_hold_a_key_for_each_element() -> None:
    total = losslib.Accumulator(losslib.L1Loss(reduction="sum"))
    by = pd.DataFrame({"a": pd.array([2**60 + 1, None], "Int64"), "b": ["x", "y"]})
    total.update([[1.0, 2.0], [4.0, 8.0]], np.zeros((2, 2)), by=by)
    assert total.result() == {2**60 + 1: 1.0, None: 4.0, "x": 2.0, "y": 8.0}


def test_a_dictionary_of_as_many_keys_as_its_type_can_count() -> None:
    keys = pa.DictionaryArray.from_arrays(
        pa.array([0, None, 127, 0], pa.int8()), pa.array([str(k) for k in range(128)])
    )
    assert total_of(keys) == {"0": 9.0, "127": 4.0, None: 2.0}


def test_what_holds_no_array_yet_says_how_to_get_one() -> None:
    frame = pl.LazyFrame({"a": [1.0, 2.0]})
    with pytest.raises(losslib.DTypeError, match=r"input is a lazy frame.*pass input\.collect\(\)"):
        losslib.mse_loss(frame, [[1.0], [2.0]])
    with pytest.raises(losslib.DTypeError, match=r"by is a lazy frame.*pass by\.collect\(\)"):
        total_of(frame)
    with pytest.raises(losslib.DTypeError, match=r"target is a sparse matrix; pass target\.toarray\(\)"):
        losslib.mse_loss(np.eye(2), scipy.sparse.csr_array(np.eye(2)))
