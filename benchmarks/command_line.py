"""``losslib compute`` on a big Parquet file: time and peak memory, against polars and pandas with NumPy doing the same.

Each contestant is a process of its own that reads the file, computes the mean quantile loss and prints it; the answers
must agree. ``python benchmarks/command_line.py`` writes a file of 2 GB into a temporary folder and deletes it.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

QUANTILE = 0.9
ROWS_A_GROUP = 1_000_000

POLARS = """
import sys, polars as pl
error = pl.col("y") - pl.col("p90")
loss = pl.max_horizontal(0.9 * error, -0.1 * error)
print(repr(pl.scan_parquet(sys.argv[1]).select(loss.mean()).collect(engine="streaming").item()))
"""

PANDAS = """
import sys, numpy as np, pandas as pd
frame = pd.read_parquet(sys.argv[1], columns=["p90", "y"])
error = frame["y"].to_numpy() - frame["p90"].to_numpy()
print(repr(float(np.mean(np.maximum(0.9 * error, -0.1 * error)))))
"""

PYARROW = """
import sys, numpy as np, pyarrow.parquet as pq
total, rows = 0.0, 0
for batch in pq.ParquetFile(sys.argv[1]).iter_batches(columns=["p90", "y"]):
    error = batch.column("y").to_numpy() - batch.column("p90").to_numpy()
    total += float(np.maximum(0.9 * error, -0.1 * error).sum())
    rows += len(error)
print(repr(total / rows))
"""

CONTESTANTS = {
    "losslib": [sys.executable, "-m", "losslib", "compute", "quantile", "--set", f"quantile={QUANTILE}",
                "--input", "{file}:p90", "--target", ":y"],
    "polars, streaming": [sys.executable, "-c", POLARS, "{file}"],
    "pandas and NumPy": [sys.executable, "-c", PANDAS, "{file}"],
    "pyarrow batches and NumPy": [sys.executable, "-c", PYARROW, "{file}"],
}  # fmt: skip


def write_file(path: Path, gigabytes: float) -> None:
    """Write a Parquet file of predictions, targets, weights and groups, a row group at a time."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rng = np.random.default_rng(0)
    regions = pa.array(["north", "south", "east", "west"])
    writer = None
    while writer is None or path.stat().st_size < gigabytes * 1e9:
        y = rng.standard_normal(ROWS_A_GROUP)
        columns = {
            "p90": y + rng.standard_normal(ROWS_A_GROUP),
            "y": y,
            "w": rng.random(ROWS_A_GROUP),
            "region": pa.DictionaryArray.from_arrays(rng.integers(0, 4, ROWS_A_GROUP, dtype=np.int32), regions),
        }
        table = pa.table(columns)
        writer = writer or parquet.ParquetWriter(path, table.schema, use_dictionary=["region"])
        writer.write_table(table, row_group_size=ROWS_A_GROUP)
    writer.close()


def run(command: list[str]) -> tuple[float, float, float]:
    """Return the answer, the seconds and the peak memory in MB of a process."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{command[:4]} ended with {process.returncode}")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return float(text.split()[-1]), seconds, usage.ru_maxrss / unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of the file")
    parser.add_argument("--file", type=Path, help="use this file, and write it if it is not there; it stays")
    parser.add_argument("--only", action="append", choices=CONTESTANTS, help="one of the contestants; may be repeated")
    parser.add_argument("--write-only", action="store_true", help="write the file and stop")
    parser.add_argument("--repeat", type=int, default=2, help="runs of each; the fastest counts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.file or Path(folder) / "predictions.parquet"
        if arguments.write_only:
            write_file(path, arguments.gigabytes)
            return
        if not path.exists():  # in a process of its own: the peak memory of a child begins with that of its parent
            command = [sys.executable, __file__, "--write-only", "--file", str(path)]
            subprocess.run([*command, "--gigabytes", str(arguments.gigabytes)], check=True)
        print(f"{path.stat().st_size / 1e9:.2f} GB")
        answers = []
        for name in arguments.only or CONTESTANTS:
            command = [part.replace("{file}", str(path)) for part in CONTESTANTS[name]]
            runs = [run(command) for _ in range(arguments.repeat)]
            answers.append(runs[0][0])
            seconds, memory = min(item[1] for item in runs), max(item[2] for item in runs)
            print(f"{name:<28}{seconds:8.2f} s {memory:8.0f} MB   {answers[-1]!r}", flush=True)
        if not all(math.isclose(answer, answers[0], rel_tol=1e-12) for answer in answers):
            raise SystemExit(f"the answers differ: {answers}")


if __name__ == "__main__":
    main()
