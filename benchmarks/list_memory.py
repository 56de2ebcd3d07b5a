"""Peak memory of ranking losses on one list of 20,000 items: value, gradient and, where there is one, Hessian.

    python benchmarks/list_memory.py            every loss of lists
    python benchmarks/list_memory.py listmle    those that are named

Each loss is computed in a process of its own (Linux). What is listed is by how much the process grows beyond its
arrays and a call on a short list, in float64 with two threads; the goal is 200 MB, where a matrix of the pairs would be
3.2 GB. neural_ndcg_loss needs two such matrices by its definition and is left out.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

import losslib

ITEMS = 20_000
GOAL = 200.0
LEFT_OUT = ("neural_ndcg_loss",)


def names() -> list[str]:
    """Return the losses of lists that are measured."""
    return [
        info.name
        for info in losslib.list_losses(family="ranking")
        if info.geometry in ("lists", "auc_margin") and info.name not in LEFT_OUT
    ]


def peak_of(name: str) -> float:
    """Return the megabytes by which this process grows in the call."""
    losslib.set_num_threads(2)
    loss = losslib.get(name)
    compute = loss.value_grad_hess if loss.info.has_hessian else loss.value_and_grad
    rng = np.random.default_rng(0)
    two = name in ("aucm_loss", "pairwise_auc_loss")
    x, y = rng.standard_normal(ITEMS), rng.integers(0, 2 if two else 5, ITEMS).astype(np.float64)
    compute(x[:20], y[:20])  # libraries and threads are loaded
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = status("VmRSS")
    compute(x, y)
    return (status("VmHWM") - before) / 1024


def status(key: str) -> int:
    """Return a line of the process's status, in kilobytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def main(wanted: list[str]) -> None:
    chosen = [losslib.get(name).info.name for name in wanted] or names()
    missed = []
    print(f"peak memory of one list of {ITEMS:,} items, MB")
    for name in chosen:
        done = subprocess.run([sys.executable, __file__, "--peak-of", name], capture_output=True, text=True, check=True)
        megabytes = float(done.stdout)
        missed += [name] * (megabytes > GOAL)
        print(f"  {name:<30} {megabytes:8.1f}")
    print(f"goal of {GOAL:g} MB: {'missed by ' + ', '.join(missed) if missed else 'met by all'}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak-of"]:
        print(peak_of(sys.argv[2]))
    else:
        main(sys.argv[1:])
