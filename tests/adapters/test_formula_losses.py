"""Losses from formulas in boosters, SciPy, Dask and on the command line: as the built-in losses there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import scipy.optimize
import xgboost

import losslib
from adapters.training_data import Data
from losslib.cli import main

PAIRS = {
    "logistic": (
        lambda: losslib.from_formula("-(t*log(p) + (1 - t)*log(1 - p))", p="sigmoid(x)"),
        losslib.BCEWithLogitsLoss,
        "binary",
    ),
    "pseudo-huber": (
        lambda: losslib.from_formula("delta**2*(sqrt(1 + (d/delta)**2) - 1)", delta=1.0),
        losslib.PseudoHuberLoss,
        "real",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_boosters_grow_the_same_trees(data: Data, name: str) -> None:
    make, built_in, kind = PAIRS[name]
    target = getattr(data, kind)
    matrix = xgboost.DMatrix(data.X, target, weight=data.weight)
    scores = []
    for loss in (make(), built_in()):
        booster = xgboost.train(
            {"max_depth": 3, "nthread": 1, "eta": 0.2, "base_score": 0.0},
            matrix,
            30,
            obj=losslib.adapters.xgboost.objective(loss),
        )
        scores.append(booster.predict(matrix, output_margin=True))
    assert np.ptp(scores[0]) > 1.0
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)

    scores = []
    for loss in (make(), built_in()):
        train = lightgbm.Dataset(data.X, target, weight=data.weight, free_raw_data=False)
        parameters = {"objective": losslib.adapters.lightgbm.objective(loss), "num_threads": 1, "verbose": -1}
        scores.append(np.asarray(lightgbm.train(parameters, train, 30).predict(data.X, raw_score=True)))
    assert np.ptp(scores[0]) > 1.0
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_scipy_finds_the_same_minimum(data: Data, name: str) -> None:
    make, built_in, kind = PAIRS[name]
    found = []
    for loss in (make(), built_in()):
        objective = losslib.adapters.scipy.objective(loss, data.X, getattr(data, kind))
        start = np.zeros(data.X.shape[1])
        found.append(scipy.optimize.minimize(objective, start, jac=True, method="L-BFGS-B").x)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6, atol=1e-8)


def test_the_command_line_takes_formulas_over_a_parquet_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    rng = np.random.default_rng(0)
    p, y = rng.standard_normal(20_000), rng.standard_normal(20_000)
    region = rng.choice(["north", "south"], p.size)
    monkeypatch.chdir(tmp_path)
    parquet.write_table(pa.table({"p": p, "y": y, "region": region}), "d.parquet", row_group_size=3001)
    files = ["--input", "d.parquet:p", "--target", ":y"]

    def value(*arguments: str) -> Any:
        assert main(["compute", *arguments, *files, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    huber = "where(abs(d) <= delta, d**2/2, delta*(abs(d) - delta/2))"
    built_in, own = value("huber", "--formula", huber, "--set", "delta=1.5")
    expected = losslib.huber_loss(p, y, delta=1.5)
    assert own["loss"] == huber
    assert eval(own["object"], vars(losslib)) == losslib.from_formula(huber, delta=1.5, name=huber)
    assert (built_in["value"], own["value"]) == (pytest.approx(expected), pytest.approx(expected))
    (found,) = value("--formula=-log(q)", "--set", "c=2", "--set", "q=sigmoid(c*d)", "--by", ":region")
    assert {item["key"] for item in found["groups"]} == {"north", "south"}
    for item in found["groups"]:
        here = region == item["key"]
        expected = losslib.from_formula("softplus(-2*d)")(p[here], y[here])
        assert item["value"] == pytest.approx(expected)
    assert main(["compute", "--formula", huber, *files]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "unknown name 'delta'" in lines[0]
    assert lines[2].strip() == "^^^^^"
    with pytest.raises(SystemExit) as ended:
        main(["compute", *files])
    assert ended.value.code == 2
    assert "--formula" in capsys.readouterr().err
    assert main(["compute", "--formula", huber, "--set", "delta=1", "--set", "gamma=2", *files]) == 1
    assert "no parameter 'gamma'" in capsys.readouterr().err


def test_the_gradient_of_a_formula_is_written_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    rng = np.random.default_rng(0)
    p, y = rng.standard_normal(5000), rng.standard_normal(5000)
    monkeypatch.chdir(tmp_path)
    np.save("p.npy", p)
    np.save("y.npy", y)
    assert (
        main(["compute", "--formula", "log(cosh(d))", "--input", "p.npy", "--target", "y.npy", "--grad", "g.npy"]) == 0
    )
    np.testing.assert_allclose(np.load("g.npy"), losslib.log_cosh_loss.grad(p, y), rtol=1e-13)
    assert capsys.readouterr().err == ""


def test_dask_arrays_go_through(data: Data) -> None:
    dask_array = pytest.importorskip("dask.array")
    from losslib.adapters import dask

    loss = losslib.from_formula("log(cosh(d))")
    x, t = np.random.default_rng(1).standard_normal((2, 1000))
    lazy = dask.value(loss, dask_array.from_array(x, chunks=300), dask_array.from_array(t, chunks=300))
    assert lazy.compute() == pytest.approx(losslib.log_cosh_loss(x, t), rel=1e-14)
