"""Objectives of XGBoost and LightGBM have the gradients and Hessians of the losslib losses that their names stand for.

A booster shows no gradients, but its leaves are -g/(h + lambda): trees with one row a leaf, grown with two values of
lambda from given raw scores, give both g and h back.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import losslib
from losslib.names.tables import find
from peers.named_inputs import inputs_for
from peers.named_report import RESULTS

XGBOOST: list[tuple[str, dict[str, Any], float | None]] = [
    ("reg:squarederror", {}, 1.0), ("reg:pseudohubererror", {"huber_slope": 1.0}, 1.0),
    ("reg:pseudohubererror", {"huber_slope": 2.0}, 1.0), ("reg:gamma", {}, 1.0), ("reg:tweedie", {}, 1.0),
    ("reg:tweedie", {"tweedie_variance_power": 1.2}, 1.0), ("binary:logistic", {}, 1.0), ("binary:logitraw", {}, 1.0),
    ("reg:logistic", {}, 1.0), ("binary:logistic", {"scale_pos_weight": 3.0}, 1.0), ("reg:squaredlogerror", {}, 1.0),
    ("count:poisson", {}, None), ("multi:softprob", {}, None), ("multi:softmax", {}, None),
]  # fmt: skip
LIGHTGBM: list[tuple[str, dict[str, Any], float | None]] = [
    ("regression", {}, 1.0), ("fair", {}, 1.0), ("fair", {"fair_c": 2.0}, 1.0), ("huber", {}, None),
    ("huber", {"alpha": 0.5}, None), ("poisson", {}, None), ("gamma", {}, 1.0), ("tweedie", {}, 1.0),
    ("tweedie", {"tweedie_variance_power": 1.2}, 1.0), ("binary", {}, 1.0), ("binary", {"scale_pos_weight": 3.0}, 1.0),
    ("cross_entropy", {}, 1.0), ("multiclass", {"num_class": 4}, None),
]  # fmt: skip
#: Small, so that a split is worth while wherever the gradients differ.
PENALTY = 0.05
#: Leaves of these are set to quantiles afterwards, so that nothing of the gradient can be seen.
REFITTED = {
    "xgboost": ("reg:absoluteerror", "reg:quantileerror"), "lightgbm": ("regression_l1", "quantile", "mape"),
}  # fmt: skip


def alone(values: np.ndarray, leaves: np.ndarray) -> np.ndarray:
    """Return the values of rows that have a leaf to themselves, and NaN for the others."""
    single = np.stack([np.bincount(column)[column] == 1 for column in leaves.T.astype(int)], axis=1)
    return np.where(single.reshape(values.shape), values, np.nan)


def xgboost_leaves(name: str, given: Mapping[str, Any], x: np.ndarray, t: np.ndarray, penalty: float) -> np.ndarray:
    xgb = pytest.importorskip("xgboost")
    data = xgb.DMatrix(np.arange(len(t), dtype=np.float32).reshape(-1, 1), label=t)
    data.set_base_margin(x)
    settings: dict[str, Any] = {
        "objective": name, "eta": 1.0, "lambda": penalty, "max_depth": 12, "min_child_weight": 0.0,
        "tree_method": "exact", "nthread": 1, "max_delta_step": 0, **given,
    }  # fmt: skip
    if x.ndim == 2:
        settings["num_class"] = x.shape[1]
    model = xgb.train(settings, data, 1)
    leaves = model.predict(data, pred_leaf=True).reshape(len(t), -1)
    return alone(model.predict(data, output_margin=True).astype(np.float64) - x, leaves)


def lightgbm_leaves(name: str, given: Mapping[str, Any], x: np.ndarray, t: np.ndarray, penalty: float) -> np.ndarray:
    lgb = pytest.importorskip("lightgbm")
    features = np.arange(len(t), dtype=np.float64).reshape(-1, 1)
    data = lgb.Dataset(features, t, init_score=x.ravel(order="F"), params={"min_data_in_bin": 1, "verbose": -1})
    settings = {
        "objective": name, "learning_rate": 1.0, "lambda_l2": penalty, "min_data_in_leaf": 1, "num_leaves": 64,
        "min_sum_hessian_in_leaf": 1e-9, "boost_from_average": False, "verbose": -1, "num_threads": 1, **given,
    }  # fmt: skip
    model = lgb.train(settings, data, 1)
    leaves = np.asarray(model.predict(features, pred_leaf=True)).reshape(len(t), -1)
    return alone(np.asarray(model.predict(features, raw_score=True)), leaves)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("key", "name", "given", "factor"),
    [("xgboost", *case) for case in XGBOOST] + [("lightgbm", *case) for case in LIGHTGBM],
)
def test_the_leaves_are_those_of_the_derivatives(key: str, name: str, given: Any, factor: float | None) -> None:
    loss = losslib.get(f"{key}:{name}", **given)
    x, t = inputs_for(key, name, loss, zlib.crc32(name.encode()) % 997)
    x = x.astype(np.float32).astype(np.float64)
    if t.dtype.kind == "f":
        t = t.astype(np.float32).astype(np.float64)
    grow = xgboost_leaves if key == "xgboost" else lightgbm_leaves
    free, bound = (grow(name, given, x, t, penalty) for penalty in (0.0, PENALTY))
    _, gradient, hessian = loss.value_grad_hess(x, t)
    with np.errstate(divide="ignore", invalid="ignore"):
        theirs = PENALTY / (1.0 / free - 1.0 / bound)  # 1/free = -h/g and 1/bound = -(h + lambda)/g
    seen = np.isfinite(theirs) & (np.abs(gradient) > 1e-3)
    assert seen.sum() >= 2
    error = float(np.abs(theirs / gradient - 1.0)[seen].max())
    RESULTS.compare(key, name, 0.0, error)
    assert error < 2e-4
    if factor is not None:
        np.testing.assert_allclose((-gradient / free)[seen], factor * hessian[seen], rtol=2e-4, atol=1e-5)


def test_every_objective_is_compared_or_refitted_or_refused() -> None:
    for key, cases in (("xgboost", XGBOOST), ("lightgbm", LIGHTGBM)):
        compared = {find(key, name).name for name, _, _ in cases}
        from losslib.names.tables import package

        left = {item.name for item in package(key).bindings if item.name not in compared}
        refused = {item.name for item in package(key).bindings if all(case.refused for case in item.cases)}
        newer = {"reg:expectileerror"}  # from XGBoost 3.3 on
        of_orders = {name for name in left if name.startswith(("rank", "survival:", "lambdarank"))}  # test_names_orders
        assert left <= refused | set(REFITTED[key]) | newer | of_orders
