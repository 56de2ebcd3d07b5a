"""Contestants that take turns, and the memory that a call needs beside what it is given and what it returns."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parent.parent / "tests" / "oracles"))  # behind the benchmarks: names are shared

from torchvision_operators import define_operators

__all__ = ["Call", "define_operators", "peak_apart", "peak_of", "ratio", "rounds", "status", "through_torch"]

Call = Callable[[], Any]


def rounds(contestants: Mapping[str, Call], seconds: float) -> dict[str, float]:
    """Let the contestants take turns for so long each, once at least; return the least time of each in milliseconds."""
    best = dict.fromkeys(contestants, np.inf)
    for run in contestants.values():
        run()
    end = time.perf_counter() + seconds * len(contestants)
    while True:
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], 1e3 * (time.perf_counter() - start))
        if time.perf_counter() > end:
            return best


def status(field: str) -> float:
    """Return a size from ``/proc/self/status`` in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def peak_of(call: Call) -> float:
    """Return by how many MB the memory of this process grows while a call runs, its result included; Linux alone."""
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    result = call()
    grown = status("VmHWM") - before
    del result
    return grown


def peak_apart(script: str, *arguments: str) -> float | None:
    """Return the number that this script prints in a process of its own; None if it ended without one."""
    command = [sys.executable, script, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(answer.stdout.split()[-1]) if answer.returncode == 0 and answer.stdout else None


def through_torch(loss: Callable[..., Any], inputs: list[Any], others: tuple[Any, ...] = ()) -> Call:
    """Return a call of PyTorch forward and backward, for tensors whose gradients are wanted and others beside them."""

    def run() -> Any:
        for tensor in inputs:
            tensor.grad = None
        loss(*inputs, *others).backward()
        return [tensor.grad for tensor in inputs]

    return run


def ratio(times: Mapping[str, float], name: str) -> str:
    """Return how many times longer a contestant takes than losslib, a dash for one that did not run."""
    return f"{times[name] / times['losslib']:.2f}" if name in times else "–"
