"""How much longer does a large call take while another process burns one core?

    python benchmarks/busy_core.py [--seconds 1] [--most 2.2]

Rounds with and without the other process alternate, so that both see the same machine. Two cores shared by three
running threads leave a call with two threads 4/3 of a core, half as much again as time; a call that waits for a worker
which is not scheduled takes several times as long, though not every time: hence the means. The exit status is 1 if a
ratio of means is above ``--most``.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

import losslib

ROUNDS = 6


def durations(call: Callable[[], object], seconds: float) -> list[float]:
    """Return how long each call took, in milliseconds."""
    found = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        call()
        found.append((time.perf_counter() - start) * 1e3)
    return found


def measure(call: Callable[[], object], seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the durations on an idle machine and beside a process that burns one core."""
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        durations(call, 0.2)  # threads are created, pages touched
        idle: list[float] = []
        busy: list[float] = []
        for _ in range(ROUNDS):
            for found, action in ((idle, signal.SIGSTOP), (busy, signal.SIGCONT)):
                os.kill(burner.pid, action)
                time.sleep(0.02)
                found += durations(call, seconds / ROUNDS)
        return np.array(idle), np.array(busy)
    finally:
        burner.kill()
        burner.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each column of each row")
    parser.add_argument("--most", type=float, default=2.2, help="the ratio of means above which this fails")
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    x = rng.standard_normal(2_000_000, dtype=np.float32)
    labels = (rng.random(2_000_000) < 0.5).astype(np.float32)
    logits, classes = rng.standard_normal((4096, 1000), dtype=np.float32), rng.integers(0, 1000, 4096)
    grad, rows_grad = np.empty_like(x), np.empty_like(logits)
    bce, rows = losslib.BCEWithLogitsLoss(), losslib.CrossEntropyLoss()
    cases = {
        "BCE with logits, 2,000,000": lambda: bce.value_and_grad(x, labels, out=grad),
        "BCE with logits, 300,000": lambda: bce.value_and_grad(x[:300_000], labels[:300_000], out=grad[:300_000]),
        "cross-entropy, 4096 x 1000": lambda: rows.value_and_grad(logits, classes, out=rows_grad),
    }
    print(f"{losslib.get_num_threads()} threads on {len(os.sched_getaffinity(0))} cores; milliseconds")
    print(
        f"{'':<28} {'idle: mean':>10} {'median':>7} {'p90':>7} {'busy: mean':>11} {'median':>7} {'p90':>7} {'ratio':>6}"
    )
    worst = 0.0
    for name, call in cases.items():
        idle, busy = measure(call, arguments.seconds)
        ratio = float(busy.mean() / idle.mean())
        worst = max(worst, ratio)
        columns = [f"{t.mean():{width}.2f} {np.median(t):7.2f} {np.quantile(t, 0.9):7.2f}" for t, width in
                   ((idle, 10), (busy, 11))]  # fmt: skip
        print(f"{name:<28} {columns[0]} {columns[1]} {ratio:6.2f}")
    print(f"largest ratio of the means: {worst:.2f}, at most {arguments.most} wanted")
    return int(worst > arguments.most)


if __name__ == "__main__":
    sys.exit(main())
