"""``losslib compute`` over Parquet, Arrow and CSV files, and on a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest
from distributed import LocalCluster

import losslib
from losslib.cli import main

pytest_plugins = ("adapters.clusters",)

N = 30_011
FILES = ("d.parquet", "d.arrow", "d.csv")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    """A table of predictions in each kind of file in the current directory, with row groups of uneven length."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal(N)
    columns: dict[str, Any] = {
        "p90": y + rng.standard_normal(N),
        "y": y,
        "w": rng.random(N),
        "region": rng.choice(["north", "south", "east"], N),
        "class": rng.integers(0, 3, N),
        **{f"logit_{k}": rng.standard_normal(N) for k in range(3)},
    }
    made = pa.table(columns)
    monkeypatch.chdir(tmp_path)
    parquet.write_table(made, "d.parquet", row_group_size=7001)
    feather.write_feather(made, "d.arrow", compression="uncompressed", chunksize=9000)
    csv.write_csv(made, "d.csv")
    return made


def column(table: pa.Table, name: str) -> np.ndarray:
    array: np.ndarray = table[name].to_numpy()
    return array


def value(capsys: Any, *arguments: str) -> float:
    assert main(["compute", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return float(captured.out.split()[-1])


@pytest.mark.parametrize("batch", [[], ["--batch-rows", "1000"]])
@pytest.mark.parametrize("file", FILES)
def test_every_file_gives_the_value_of_its_columns(table: Any, capsys: Any, file: str, batch: list[str]) -> None:
    found = value(capsys, "quantile", "--set", "quantile=0.9", "--input", f"{file}:p90", "--target", ":y", *batch)
    expected = losslib.quantile_loss(column(table, "p90"), column(table, "y"), quantile=0.9)
    assert found == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("selector", ["logit_*", "logit_0,logit_1,logit_2"])
@pytest.mark.parametrize("file", FILES)
def test_several_columns_make_rows(table: Any, capsys: Any, file: str, selector: str) -> None:
    found = value(capsys, "cross_entropy", "--input", f"{file}:{selector}", "--target", ":class", "--weight", ":w")
    logits = np.stack([column(table, f"logit_{k}") for k in range(3)], axis=1)
    expected = losslib.cross_entropy(logits, column(table, "class"), sample_weight=column(table, "w"))
    assert found == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("file", FILES)
def test_groups_and_weights(table: Any, capsys: Any, file: str) -> None:
    assert main(["compute", "mse", "--reduction", "weighted_mean", "--input", f"{file}:p90", "--target", ":y",
                 "--by", ":region", "--weight", ":w", "--json"]) == 0  # fmt: skip
    groups = json.loads(capsys.readouterr().out)[0]["groups"]
    assert [group["key"] for group in groups] == ["east", "north", "south"]
    for group in groups:
        mine = column(table, "region") == group["key"]
        p, y, w = (column(table, name)[mine] for name in ("p90", "y", "w"))
        expected = losslib.mse_loss(p, y, sample_weight=w, reduction="weighted_mean")
        assert group["value"] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("file", FILES)
def test_the_gradient_of_a_file(table: Any, capsys: Any, file: str) -> None:
    value(capsys, "huber", "--input", f"{file}:p90", "--target", ":y", "--grad", "g.npy", "--batch-rows", "999")
    expected = losslib.huber_loss.grad(column(table, "p90"), column(table, "y"))
    np.testing.assert_allclose(np.load("g.npy"), expected, rtol=1e-13)


def test_files_of_different_kinds_are_read_side_by_side(table: Any, capsys: Any) -> None:
    np.save("y.npy", column(table, "y"))
    expected = pytest.approx(losslib.mse_loss(column(table, "p90"), column(table, "y")), rel=1e-13)
    for file in FILES:
        assert value(capsys, "mse", "--input", f"{file}:p90", "--target", "y.npy") == expected
    np.save("y.npy", column(table, "y")[:-1])
    for file in FILES:
        assert main(["compute", "mse", "--input", f"{file}:p90", "--target", "y.npy"]) == 1
        assert str(N - 1) in capsys.readouterr().err


def test_embeddings_in_lists_of_fixed_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal((500, 8)), rng.standard_normal((500, 8))
    columns = {name: pa.FixedSizeListArray.from_arrays(array.ravel(), 8) for name, array in {"x": x, "t": t}.items()}
    parquet.write_table(pa.table(columns), "e.parquet", row_group_size=100)
    found = value(capsys, "cosine_similarity_loss", "--input", "e.parquet:x", "--target", ":t", "--batch-rows", "70")
    assert found == pytest.approx(losslib.cosine_similarity_loss(x, t), rel=1e-13)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("mse --input nulls.parquet:p --target :y", "column 'p' has nulls; drop these rows or fill them"),
        ("mse --input d.parquet --target :y", "say which: d.parquet:p90"),
        ("mse --input d.parquet:p9 --target :y", "did you mean 'p90'"),
        ("mse --input d.parquet:region --target :y", "holds string; expected numbers"),
        ("mse --input broken.parquet:p --target :y", "broken.parquet"),
        ("mse --input d.csv:p90 --target :y --dask tcp://127.0.0.1:1", "cut into pieces for a cluster"),
        ("mse --input d.parquet:p90 --target :y --dask tcp://127.0.0.1:1", "127.0.0.1:1"),
    ],
)
def test_mistakes_are_told_in_one_line(
    table: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch, arguments: str, words: str
) -> None:
    monkeypatch.setattr("losslib.cli.job.PATIENCE", 0.5)
    parquet.write_table(pa.table({"p": [1.0, None], "y": [0.0, 0.0]}), "nulls.parquet")
    Path("broken.parquet").write_bytes(b"PAR1 no more")
    assert main(["compute", *arguments.split()]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("losslib: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err


def test_a_cluster_gives_the_same_value(
    table: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch, cluster: LocalCluster
) -> None:
    monkeypatch.setattr("losslib.cli.job.PIECE", 4000)
    path = Path("d.parquet").resolve()
    arguments = ["compute", "mse", "l1", "--input", f"{path}:p90", "--target", ":y", "--by", ":region", "--json"]
    assert main(arguments) == 0
    here = json.loads(capsys.readouterr().out)
    assert main([*arguments, "--dask", cluster.scheduler_address]) == 0
    assert json.loads(capsys.readouterr().out) == here


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_terminal_sees_a_progress_bar_and_a_pipe_does_not(table: Any) -> None:
    import pty
    import termios

    command = [sys.executable, "-m", "losslib", "compute", "mse", "--input", "d.parquet:p90", "--target", ":y"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    for more, seen in ([], True), (["--no-progress"], False):
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        done = subprocess.run([*command, *more], stdout=subprocess.PIPE, stderr=theirs, timeout=60, env=environment)
        os.close(theirs)
        try:
            shown = os.read(ours, 10_000)
        except OSError:  # nothing was written, and the other end is closed
            shown = b""
        os.close(ours)
        assert done.returncode == 0
        assert (b"rows" in shown) == seen
    piped = subprocess.run(command, capture_output=True, timeout=60, env=environment)
    assert piped.stderr == b""
    assert piped.stdout == done.stdout


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory from /proc")
def test_memory_stays_bounded(tmp_path: Path) -> None:
    """A file of 300 MB in a single row group costs less than 200 MB, libraries included."""
    rows = 18_000_000
    rng = np.random.default_rng(0)
    table = pa.table({"p": rng.standard_normal(rows), "y": rng.standard_normal(rows)})
    parquet.write_table(table, tmp_path / "big.parquet", row_group_size=rows, use_dictionary=False)
    del table
    # Not ru_maxrss: a process begins with that of its parent, which has just held the table.
    program = (
        "import sys\nfrom losslib.cli import main\nmain(sys.argv[1:])\n"
        "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "compute", "mse", "--input", f"{tmp_path / 'big.parquet'}:p", "--target", ":y"],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) * 1024 < 200e6
