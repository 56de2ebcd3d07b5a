"""Every array argument of every adapter and helper refuses a masked array and a column with nulls, by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.linear_model import LinearRegression

import losslib
from losslib.adapters import catboost as for_catboost
from losslib.adapters import lightgbm as for_lightgbm
from losslib.adapters import xgboost as for_xgboost
from losslib.adapters.boosting import optimal_constant
from losslib.adapters.jax import loss_function
from losslib.adapters.scipy import objective
from losslib.adapters.sklearn import LossClassifier, LossRegressor, metric, scorer
from losslib.adapters.torch import criterion
from losslib.declaration import registry
from losslib.errors import DTypeError
from oracles import formulas

GOOD = np.array([0.0, 1.0, 1.0, 0.0])
X = np.arange(8.0).reshape(4, 2)
FITTED = LinearRegression().fit(X, GOOD)

BAD: dict[str, Any] = {
    "masked": np.ma.masked_array(GOOD, [False, True, False, False]),
    "pandas": pd.Series([0.0, None, 1.0, 0.0], dtype="Float64"),
    "pandas of Arrow": pd.Series(pa.array([0.0, None, 1.0, 0.0]), dtype=pd.ArrowDtype(pa.float64())),
    "polars": pl.Series([0.0, None, 1.0, 0.0]),
    "pyarrow": pa.array([0.0, None, 1.0, 0.0]),
}

#: Arguments that take one number a sample: their name, and a call with a bad array in their place.
ARGUMENTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "metric of target": ("y_true", lambda bad: metric("mse")(bad, GOOD)),
    "metric of prediction": ("y_pred", lambda bad: metric("mse")(GOOD, bad)),
    "metric of weights": ("sample_weight", lambda bad: metric("mse")(GOOD, GOOD, sample_weight=bad)),
    "metric of labels": ("labels", lambda bad: metric("hinge", labels=bad)),
    "scorer of target": ("y_true", lambda bad: scorer("mse")(FITTED, X, bad)),
    "scorer of weights": ("sample_weight", lambda bad: scorer("mse")(FITTED, X, GOOD, sample_weight=bad)),
    "regressor of target": ("y", lambda bad: LossRegressor().fit(X, bad)),
    "regressor of weights": ("sample_weight", lambda bad: LossRegressor().fit(X, GOOD, bad)),
    "classifier of target": ("y", lambda bad: LossClassifier().fit(X, bad)),
    "classifier of weights": ("sample_weight", lambda bad: LossClassifier().fit(X, GOOD, bad)),
    "scipy of target": ("target", lambda bad: objective("mse", X, bad)),
    "scipy of weights": ("sample_weight", lambda bad: objective("mse", X, GOOD, sample_weight=bad)),
    "scipy of penalties": ("l2", lambda bad: objective("mse", X, GOOD, l2=bad)),
    "scipy of predictions": ("prediction", lambda bad: objective("mse", lambda p: (bad, X), GOOD)(np.zeros(2))),
    "constant of target": ("target", lambda bad: optimal_constant("mse", bad)),
    "constant of weights": ("sample_weight", lambda bad: optimal_constant("mse", GOOD, bad)),
    "init_score of target": ("target", lambda bad: for_lightgbm.init_score("mse", bad)),
    "init_score of weights": ("sample_weight", lambda bad: for_lightgbm.init_score("mse", GOOD, sample_weight=bad)),
    "base_margin of target": ("target", lambda bad: for_xgboost.base_margin("mse", bad)),
    "base_margin of weights": ("sample_weight", lambda bad: for_xgboost.base_margin("mse", GOOD, sample_weight=bad)),
    "baseline of target": ("target", lambda bad: for_catboost.baseline("mse", bad)),
    "baseline of weights": ("sample_weight", lambda bad: for_catboost.baseline("mse", GOOD, sample_weight=bad)),
    "lightgbm objective of target": ("target", lambda bad: for_lightgbm.objective("mse")(bad, GOOD)),
    "lightgbm objective of scores": ("scores", lambda bad: for_lightgbm.objective("mse")(GOOD, bad)),
    "lightgbm objective of weights": ("sample_weight", lambda bad: for_lightgbm.objective("mse")(GOOD, GOOD, bad)),
    "lightgbm metric of target": ("target", lambda bad: for_lightgbm.metric("mse")(bad, GOOD)),
    "xgboost objective of target": ("target", lambda bad: for_xgboost.objective("mse")(bad, GOOD)),
    "xgboost objective of scores": ("scores", lambda bad: for_xgboost.objective("mse")(GOOD, bad)),
    "xgboost objective of weights": ("sample_weight", lambda bad: for_xgboost.objective("mse")(GOOD, GOOD, bad)),
    "xgboost metric of target": ("target", lambda bad: for_xgboost.metric("mse")(bad, GOOD)),
    "catboost objective of target": ("target", lambda bad: ranges(GOOD, bad, None)),
    "catboost objective of scores": ("scores", lambda bad: ranges(bad, GOOD, None)),
    "catboost objective of weights": ("sample_weight", lambda bad: ranges(GOOD, GOOD, bad)),
    "catboost metric of target": ("target", lambda bad: for_catboost.metric("mse").evaluate([GOOD], bad, None)),
    "torch of target": ("target", lambda bad: criterion("mse")(torch.from_numpy(GOOD), bad)),
    "torch of weights": ("sample_weight", lambda bad: tensors(sample_weight=bad)),
    "jax of target": ("target", lambda bad: loss_function("mse")(GOOD, bad)),
    "jax of weights": ("sample_weight", lambda bad: loss_function("mse")(GOOD, GOOD, sample_weight=bad)),
}
TABLES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "regressor": ("X", lambda bad: LossRegressor().fit(bad, GOOD)),
    "regressor's prediction": ("X", lambda bad: LossRegressor().fit(X, GOOD).predict(bad)),
    "classifier": ("X", lambda bad: LossClassifier().fit(bad, GOOD)),
    "classifier's scores": ("X", lambda bad: LossClassifier().fit(X, GOOD).decision_function(bad)),
    "scorer": ("X", lambda bad: scorer("mse")(FITTED, bad, GOOD)),
    "scipy": ("model", lambda bad: objective("mse", bad, GOOD)),
    "leaf_quantiles": ("X", lambda bad: for_lightgbm.leaf_quantiles("l1", bad)),
}


def ranges(scores: Any, target: Any, weight: Any) -> Any:
    """Return derivatives as CatBoost asks for them."""
    return for_catboost.objective("mse").calc_ders_range(scores, target, weight)


def tensors(**options: Any) -> Any:
    """Return the mean squared error of two tensors."""
    return criterion("mse")(torch.from_numpy(GOOD), torch.from_numpy(GOOD), **options)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("argument", ARGUMENTS)
def test_an_argument_that_is_masked_or_has_nulls_is_refused_by_name(argument: str, kind: str) -> None:
    name, call = ARGUMENTS[argument]
    problem = "is a masked array" if kind == "masked" else "has 1 null"
    with pytest.raises(DTypeError, match=f"^{name} {problem}"):
        call(BAD[kind])


@pytest.mark.parametrize("argument", TABLES)
def test_features_that_are_masked_or_have_nulls_are_refused_by_name(argument: str) -> None:
    name, call = TABLES[argument]
    with pytest.raises(DTypeError, match=f"^{name} is a masked array"):
        call(np.ma.masked_array(X, X == 3.0))
    frame = pd.DataFrame({"a": X[:, 0], "b": pd.Series([1.0, None, 2.0, 3.0], dtype="Float64")})
    with pytest.raises(DTypeError, match=f"^{name}: column 'b' has 1 null"):
        call(frame)


@pytest.mark.parametrize("info", registry.all_losses(), ids=lambda info: info.name)
def test_every_input_of_every_criterion_and_function_refuses_a_mask(info: Any) -> None:
    arrays = formulas.sample_inputs(info, formulas.defaults(info))
    for position, name in enumerate(info.input_names):
        given: list[Any] = list(arrays)
        given[position] = np.ma.masked_array(arrays[position], np.zeros(arrays[position].shape, bool))
        with pytest.raises(DTypeError, match=f"^{name} is a masked array"):
            loss_function(info.name)(*given)
        given = [array if k == position else torch.from_numpy(array) for k, array in enumerate(given)]
        with pytest.raises(DTypeError, match=f"^{name} is a masked array"):
            criterion(info.name)(*given)


def test_columns_without_nulls_are_read() -> None:
    for column in (pd.Series(GOOD), pl.Series(GOOD), pa.array(GOOD), torch.from_numpy(GOOD)):
        assert metric("mse")(column, column) == 0.0
        assert optimal_constant("mse", column, column) == 1.0
        assert loss_function("mse")(column, column) == 0.0
        assert LossRegressor(alpha=0.0).fit(X, column, GOOD + 1.0).coef_.shape == (2,)
        assert objective("mse", X, column)(np.zeros(2))[0] == losslib.mse_loss(np.zeros(4), GOOD)


# ---- weights ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("weight", "words"), [
    ([1.0, -1.0, 1.0, 1.0], r"sample_weight\[1\] is -1.0, expected a finite number >= 0"),
    ([1.0, 1.0, np.nan, 1.0], r"sample_weight\[2\] is nan"),
    ([1.0, 1.0, 1.0, np.inf], r"sample_weight\[3\] is inf"),
    ([0.0, 0.0, 0.0, 0.0], "sample_weight is zero everywhere"),
])  # fmt: skip
@pytest.mark.parametrize("argument", [
    "metric of weights", "scorer of weights", "regressor of weights", "classifier of weights", "scipy of weights",
    "constant of weights", "init_score of weights", "base_margin of weights", "baseline of weights",
])  # fmt: skip
def test_weights_that_are_no_weights_are_refused(argument: str, weight: list[float], words: str) -> None:
    with pytest.raises(losslib.DomainError, match=words):
        ARGUMENTS[argument][1](np.array(weight))


def test_a_pandas_index_is_not_looked_at() -> None:
    truth, prediction = pd.Series([1.0, 2.0, 3.0], index=[2, 1, 0]), pd.Series([1.0, 2.0, 3.0])
    assert metric("mse")(truth, prediction) == 0.0
