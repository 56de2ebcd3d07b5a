"""The examples for Ray and Spark, run on this machine by the real packages; their results are those of one call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

import losslib

EXAMPLES = Path(__file__).parents[2] / "examples"
RNG = np.random.default_rng(11)
PREDICTION, TARGET = RNG.standard_normal((2, 400))
REGION = RNG.choice(["north", "south", "east"], 400)
PARTS = np.array_split(np.arange(400), 4)
LOOPBACK = {
    "SPARK_LOCAL_IP": "127.0.0.1",
    "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false pyspark-shell",
    "PYSPARK_PYTHON": sys.executable,
    "RAY_ADDRESS": "local",
    "RAY_USAGE_STATS_ENABLED": "0",
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs an example in a directory of its own and returns the last line that it printed."""
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray and Spark leave files there
    for name, value in LOOPBACK.items():
        monkeypatch.setenv(name, value)

    def answer(name: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", str(EXAMPLES / name), *arguments],
            capture_output=True, text=True, timeout=300, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    return answer


def test_files_on_ray_have_the_loss_of_all_their_rows(run: Any, tmp_path: Path) -> None:
    paths = [str(tmp_path / f"part-{k}.npz") for k in range(len(PARTS))]
    for path, rows in zip(paths, PARTS, strict=True):
        np.savez(path, prediction=PREDICTION[rows], target=TARGET[rows])
    whole = losslib.Accumulator("huber")
    whole.update(PREDICTION, TARGET)
    assert float(run("ray_files.py", *paths)) == whole.result()


def test_partitions_on_spark_have_the_losses_of_each_group(run: Any, tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    table.mkdir()
    for k, rows in enumerate([*PARTS, PARTS[0][:0]]):  # the last part is empty
        columns = {"prediction": PREDICTION[rows], "target": TARGET[rows], "region": REGION[rows]}
        parquet.write_table(pyarrow.table(columns), table / f"part-{k}.parquet")
    whole = losslib.Accumulator("mse")
    whole.update(PREDICTION, TARGET, by=REGION)
    assert run("spark_partitions.py", str(table)) == str(whole.result())
