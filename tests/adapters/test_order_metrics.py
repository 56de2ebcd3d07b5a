"""NDCG, mean average precision and concordance as metrics of boosters: per group, and boosters stop early by them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import losslib
from adapters.ordered_data import ITEMS, LISTS, lifetimes, queries
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError

# ---- the metrics themselves --------------------------------------------------------------------------------------


def best_first(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return y[np.argsort(-x, kind="stable")]


def ndcg_by_loops(x: np.ndarray, y: np.ndarray, topn: int) -> tuple[float, float]:
    """Return DCG and its largest value by the definition."""
    found = [
        sum((2.0**label - 1) / np.log2(2 + rank) for rank, label in enumerate(order[:topn]))
        for order in (best_first(x, y), np.sort(y)[::-1])
    ]
    return found[0], found[1]


def precision_by_loops(x: np.ndarray, y: np.ndarray, topn: int) -> tuple[float, float]:
    order = best_first(x, y) > 0
    found = sum(order[: rank + 1].mean() for rank in range(min(topn, len(order))) if order[rank])
    return float(found), float(min(order.sum(), topn))


def draw(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores with ties, grades, of which one list has none, and lists that are told by numbers in any order."""
    rng = np.random.default_rng(seed)
    x, y, ids = (
        rng.integers(0, 9, 80) / 4.0,
        rng.integers(0, 4, 80).astype(float),
        rng.permutation(np.repeat(range(8), 10)),
    )
    y[ids == 3] = 0.0
    return x, y, ids


@pytest.mark.parametrize("topn", [None, 1, 4])
@pytest.mark.parametrize(("name", "loops"), [("ndcg", ndcg_by_loops), ("mean_average_precision", precision_by_loops)])
def test_metrics_of_lists_are_those_of_their_definitions(name: str, loops: Any, topn: int | None) -> None:
    x, y, ids = draw()
    metric = getattr(losslib, name)
    shares = {}
    for k in range(8):
        found, best = loops(x[ids == k], y[ids == k], topn or 10)
        shares[k] = found / best if best else None
    counted = [share for share in shares.values() if share is not None]
    assert metric(x, y, topn=topn, group_ids=ids) == pytest.approx(np.mean(counted), rel=1e-14)
    assert metric(x, y, topn=topn, group_ids=ids, empty=1.0) == pytest.approx((sum(counted) + 1) / 8, rel=1e-14)
    order = np.argsort(ids, kind="stable")
    weight = np.arange(1.0, 9.0)
    expected = np.average(counted, weights=np.delete(weight, 3))
    sizes = {"group_sizes": np.full(8, 10), "sample_weight": weight}
    assert metric(x[order], y[order], topn=topn, **sizes) == pytest.approx(expected, rel=1e-14)
    table = (part[order].reshape(8, 10) for part in (x, y))
    assert metric(*table, topn=topn, sample_weight=weight) == pytest.approx(expected, rel=1e-14)
    assert np.isnan(metric(x[ids == 3], y[ids == 3]))


def test_masked_items_are_in_no_list() -> None:
    x, y, _ = draw()
    x, y, kept = x.reshape(8, 10), y.reshape(8, 10), np.arange(10) < 7
    spoilt = np.where(kept, x, np.nan)
    assert losslib.ndcg(spoilt, y, where=np.broadcast_to(kept, x.shape)) == losslib.ndcg(x[:, :7], y[:, :7])


def test_ndcg_is_that_of_scikit_learn_where_no_scores_are_equal() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((5, 9)), rng.integers(0, 4, (5, 9)).astype(float)
    for k in (None, 3):
        assert losslib.ndcg(x, y, gain="linear", topn=k) == pytest.approx(metrics.ndcg_score(y, x, k=k), rel=1e-13)
    table = losslib.ndcg(x, y, label_gain=[0, 1, 10, 100])
    gains = np.array([0, 1, 10, 100])[y.astype(int)]
    assert table == pytest.approx(metrics.ndcg_score(gains, x), rel=1e-13)


def test_metrics_refuse_what_cannot_be_ranked() -> None:
    x, y, ids = draw()
    with pytest.raises(DomainError, match="input holds NaN; ndcg takes numbers that can be sorted"):
        losslib.ndcg(np.where(ids == 1, np.nan, x), y, group_ids=ids)
    with pytest.raises(ParameterError, match=r"topn must be an integer >= 1 \(or None\), got 0"):
        losslib.mean_average_precision(x, y, topn=0)
    with pytest.raises(ParameterError, match="gain must be one of 'exp2', 'linear', got 'log'"):
        losslib.ndcg(x, y, gain="log")
    with pytest.raises(ShapeError, match="target has shape"):
        losslib.ndcg(x, y[1:])
    with pytest.raises(DomainError, match="target holds 1024; ndcg adds up gains of"):
        losslib.ndcg(x, np.where(y > 1, 1024, y))


X, TIME, EVENT = np.array([0.3, 0.1, 0.9, 0.5]), np.arange(1.0, 5.0), np.array([1, 0, 1, 0])
LISTED = {"input": X, "target": np.array([1.0, 0.0, 2.0, 1.0])}
TIMED = {"input": X, "time": TIME, "event": EVENT}
CURVES = {"input": np.linspace(0.9, 0.1, 12).reshape(4, 3), "time": TIME, "event": EVENT}
NO_ARRAY = ("x", {}, object(), ["a", "b", "c", "d"], 1j, np.zeros((3, 2, 2)))
NO_NUMBER = ("x", {}, object(), [], [1.0, 2.0], 1j, np.nan, np.inf)
NO_WEIGHTS = (*NO_ARRAY, -1.0, np.nan, np.inf, [1.0, 2.0, -1.0, np.nan])
NO_TRAINING = (*NO_ARRAY, 1.0, [1.0, np.nan], [])
#: Metric -> its arguments, and values of each that are of the wrong kind.
WRONG: dict[str, tuple[dict[str, Any], dict[str, tuple[Any, ...]]]] = {
    "ndcg": (
        LISTED,
        {
            **dict.fromkeys(("input", "target"), (*NO_ARRAY, [])),
            "topn": ("x", True, 0, -1, 1.5, np.nan, [], [1], {}),
            "gain": ("log", "", True, 1, [], np.zeros(2)),
            "label_gain": ("x", {}, 1j, ["a"], 1.0, [0.0, np.nan], [0.0, np.inf]),
            "empty": NO_NUMBER,
            "group_ids": (*NO_ARRAY, 1.0, [0, 0], [0, 0, 1, np.nan]),
            "group_sizes": (*NO_ARRAY, 4.0, [], [-1, 5], [1.5, 2.5], [3], [np.nan]),
            "sample_weight": NO_WEIGHTS,
            "where": ("x", {}, object(), [1, 0, 1, 1], [True, False]),
        },
    ),
    "concordance_index": (
        TIMED,
        {
            **dict.fromkeys(("input", "time", "event"), (*NO_ARRAY, [], [0.0, 1.0, np.nan, 1.0])),
            "ipcw": ("x", 2, 0.5, np.nan, [], {}, np.zeros(2)),
            "tau": tuple(value for value in NO_NUMBER if value != np.inf),
            "tied_tol": (*NO_NUMBER, -1.0, None),
            "sample_weight": NO_WEIGHTS,
            "where": ("x", {}, object(), [1, 0, 1, 1], [True, False]),
        },
    ),
    "ipcw_brier_score": (
        CURVES,
        {
            **dict.fromkeys(("input", "time", "event"), (*NO_ARRAY, [], [0.0, 1.0, np.nan, 1.0])),
            "eval_times": ("x", {}, 1j, [], [1.0], [1.0, np.nan, 3.0], [3.0, 2.0, 1.0]),
            "integrate": ("x", 2, 0.5, np.nan, [], {}, np.zeros(2)),
            "where": ("x", {}, object(), [1, 0, 1, 1], [True, False]),
        },
    ),
}
WRONG["mean_average_precision"] = (
    LISTED, {key: values for key, values in WRONG["ndcg"][1].items() if key not in ("gain", "label_gain")}
)  # fmt: skip
WRONG_CASES = [(name, key, value) for name, (_, wrong) in WRONG.items() for key in wrong for value in wrong[key]]
TRAINED = [
    (name, key, value) for name in ("concordance_index", "ipcw_brier_score") for key in ("train_time", "train_event")
    for value in NO_TRAINING
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "key", "value"), WRONG_CASES, ids=[f"{n}-{k}-{i}" for i, (n, k, _) in enumerate(WRONG_CASES)]
)
def test_an_argument_of_the_wrong_kind_is_named(name: str, key: str, value: Any) -> None:
    with pytest.raises((DTypeError, DomainError, ParameterError, ShapeError), match=key):
        getattr(losslib, name)(**{**WRONG[name][0], key: value})


@pytest.mark.parametrize(("name", "key", "value"), TRAINED, ids=[f"{n}-{k}-{i}" for i, (n, k, _) in enumerate(TRAINED)])
def test_training_data_of_the_wrong_kind_are_named(name: str, key: str, value: Any) -> None:
    training = {"train_time": [1.0, 2.0], "train_event": [1, 0], key: value}
    with pytest.raises((DTypeError, DomainError, ParameterError, ShapeError), match=key):
        getattr(losslib, name)(**WRONG[name][0], **training)
    with pytest.raises(ShapeError, match="train_time and train_event belong together"):
        getattr(losslib, name)(**WRONG[name][0], **{key: [1.0, 1.0]})


# ---- boosters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ndcg", "mean_average_precision"])
def test_xgboost_stops_by_a_metric_of_its_groups_which_is_its_own(name: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import metric, objective

    X, y, sizes = queries()
    y = y if name == "ndcg" else np.minimum(y, 1)
    data, valid = (xgboost.DMatrix(X + noise, label=y, group=sizes) for noise in (0.0, 0.3))
    own = "ndcg@5" if name == "ndcg" else "map"
    measured = metric(name, **({"topn": 5} if name == "ndcg" else {}))
    history: dict[str, Any] = {}
    model = xgboost.train(
        {"max_depth": 4, "eta": 1.0, "eval_metric": own, "seed": 0},
        data,
        60,
        obj=objective("lambdarank", convention="xgboost"),
        custom_metric=measured,
        evals=[(data, "train"), (valid, "valid")],
        evals_result=history,
        verbose_eval=False,
        callbacks=[xgboost.callback.EarlyStopping(rounds=4, metric_name=name, data_name="valid", maximize=True)],
    )
    for side in ("train", "valid"):
        np.testing.assert_allclose(history[side][name], history[side][own], rtol=1e-5)
    values = history["valid"][name]
    assert model.best_iteration == int(np.argmax(values)) == len(values) - 5


def test_the_ranker_of_xgboost_calls_a_metric_for_each_group() -> None:
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import metric

    X, y, sizes = queries()
    y[:ITEMS] = 0.0  # a list without gains
    ranker = xgboost.XGBRanker(n_estimators=5, eval_metric=metric("ndcg", topn=4))
    ids = np.repeat(np.arange(LISTS), sizes)
    ranker.fit(X, y, qid=ids, eval_set=[(X, y)], eval_qid=[ids], verbose=False)
    last = ranker.evals_result()["validation_0"]["ndcg"][-1]
    expected = losslib.ndcg(ranker.predict(X), y, group_ids=ids, topn=4, empty=1.0)
    assert last == pytest.approx(expected, rel=1e-6)


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")  # in LightGBM 4.7, whose word it was
@pytest.mark.parametrize("name", ["ndcg", "mean_average_precision"])
def test_lightgbm_stops_by_a_metric_of_its_groups_which_is_its_own(name: str) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    from losslib.adapters.lightgbm import metric, objective

    X, y, sizes = queries()
    y = y if name == "ndcg" else np.minimum(y, 1)
    data = lightgbm.Dataset(X, label=y, group=sizes)
    valid = lightgbm.Dataset(X + 0.3, label=y, group=sizes, reference=data)
    own = "ndcg" if name == "ndcg" else "map"
    options = {"learning_rate": 1.0, "num_leaves": 8, "verbose": -1, "metric": own, "eval_at": [5]}
    history: dict[str, Any] = {}
    model = lightgbm.train(
        {**options, "objective": objective("lambdarank")},
        data,
        60,
        valid_sets=[valid],
        feval=metric(name, topn=5),
        callbacks=[lightgbm.early_stopping(4, verbose=False), lightgbm.record_evaluation(history)],
    )
    ours, theirs = history["valid_0"][name], history["valid_0"][f"{own}@5"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert model.best_iteration == int(np.argmax(ours)) + 1 < 60
    ranker = lightgbm.LGBMRanker(n_estimators=3, verbose=-1)
    ranker.fit(X, y, group=sizes, eval_set=[(X, y)], eval_group=[sizes], eval_metric=metric(name, topn=5))
    last = next(iter(ranker.evals_result_.values()))[name][-1]
    function = getattr(losslib, name)
    assert last == pytest.approx(function(ranker.predict(X), y, group_sizes=sizes, topn=5, empty=1.0), rel=1e-12)


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm", "catboost"])
def test_every_booster_knows_the_concordance_of_signed_times(booster: str) -> None:
    pytest.importorskip(booster)
    X, time, event = lifetimes()
    signed = np.where(event > 0, time, -time)
    if booster == "xgboost":
        import xgboost

        from losslib.adapters.xgboost import metric, objective

        data, history = xgboost.DMatrix(X, label=signed), {}
        model = xgboost.train(
            {"max_depth": 3, "base_score": 0.0, "disable_default_eval_metric": True}, data, 30, obj=objective("cox"),
            custom_metric=metric("concordance_index"), evals=[(data, "train")], evals_result=history,
            verbose_eval=False, callbacks=[xgboost.callback.EarlyStopping(rounds=5, maximize=True)],
        )  # fmt: skip
        values, risk = history["train"]["concordance_index"], model.predict(data, output_margin=True)
    elif booster == "lightgbm":
        import lightgbm

        from losslib.adapters.lightgbm import metric, objective  # type: ignore[assignment]

        data, history = lightgbm.Dataset(X, label=signed), {}
        model = lightgbm.train(
            {"objective": objective("cox"), "num_leaves": 8, "verbose": -1}, data, 10, valid_sets=[data],
            feval=metric("concordance_index"), callbacks=[lightgbm.record_evaluation(history)],
        )  # fmt: skip
        values, risk = history["training"]["concordance_index"], model.predict(X, raw_score=True)
    else:
        import catboost

        from losslib.adapters.catboost import metric  # type: ignore[assignment]

        measured = metric("concordance_index")
        assert repr(pickle.loads(pickle.dumps(measured)).score) == repr(measured.score)
        model = catboost.CatBoostRegressor(
            iterations=20, loss_function="Cox", eval_metric=measured, verbose=False, allow_writing_files=False,
            thread_count=2,
        )  # fmt: skip
        model.fit(X, signed, eval_set=(X, signed), use_best_model=True)
        values = model.evals_result_["validation"]["concordance_index"]
        risk = model.predict(X, prediction_type="RawFormulaVal")
        assert model.best_iteration_ == int(np.argmax(values))
        values = values[: model.best_iteration_ + 1]
    expected = losslib.concordance_index(risk, time.astype(np.float32), event)
    assert values[-1] == pytest.approx(expected, abs=1e-4)
    assert values[-1] > 0.75


def test_a_metric_of_catboost_sees_all_samples_at_once() -> None:
    """More than CatBoost hands to an objective at a time, on two threads."""
    catboost = pytest.importorskip("catboost")
    from losslib.adapters.catboost import metric

    rng = np.random.default_rng(0)
    X, signed = rng.standard_normal((5000, 2)), rng.standard_normal(5000)
    model = catboost.CatBoostRegressor(
        iterations=2, loss_function="RMSE", eval_metric=metric("cox"), verbose=False, allow_writing_files=False,
        thread_count=2,
    ).fit(X, signed, eval_set=(X, signed), use_best_model=False)  # fmt: skip
    found = model.evals_result_["validation"]["cox_ph_loss"][-1]
    scores, kept = model.predict(X, prediction_type="RawFormulaVal"), signed.astype(np.float32).astype(np.float64)
    assert found == pytest.approx(losslib.cox_ph_loss(scores, np.abs(kept), kept > 0), rel=1e-6)


def test_metrics_of_orders_are_told_by_function_and_name_and_take_their_parameters() -> None:
    pytest.importorskip("lightgbm")
    from losslib.adapters.lightgbm import metric

    assert metric(losslib.ndcg).score == metric("ndcg").score
    assert repr(metric("map", topn=3)) == "<LightGBM metric mean_average_precision(empty=1.0, topn=3)>"
    with pytest.raises(ParameterError, match="ndcg has no parameter 'at'; it takes topn, gain, label_gain, empty"):
        metric("ndcg", at=10)


# ---- where boosting starts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("distribution", ["normal", "logistic", "extreme"])
def test_boosting_of_censored_times_starts_at_the_best_constant(distribution: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    from losslib.adapters.xgboost import base_margin, objective

    X, time, event = lifetimes()
    loss = losslib.AFTLoss(distribution=distribution)
    start = base_margin(loss, np.where(event > 0, time, -time))
    upper = np.where(event > 0, time, np.inf)
    np.testing.assert_array_equal(start, base_margin(loss, np.column_stack([time, upper])))
    assert start.shape == time.shape
    assert losslib.aft_loss.grad(start, time, upper, distribution=distribution).sum() == pytest.approx(0.0, abs=1e-12)
    data = xgboost.DMatrix(X, label_lower_bound=time, label_upper_bound=upper, base_margin=start)
    _, hess = objective(loss)(start, data)
    assert (hess > 0).all()


@pytest.mark.parametrize("name", ["lambdarank", "listmle", "query_rmse", "cox", "survival_rank"])
def test_an_order_has_no_level_to_start_from(name: str) -> None:
    pytest.importorskip("lightgbm")
    from losslib.adapters.lightgbm import init_score

    np.testing.assert_array_equal(init_score(name, [1.0, 2.0, 2.0]), np.zeros(3))
