"""CTC from logits against PyTorch and optax (JAX, compiled): value and gradient, float32, mean, and memory.

PyTorch's statement is log-softmax, CTC and backward pass. The optax loss is differentiated with respect to logits of
its own layout, batch first, and divided by the target lengths. Memory is the growth of the peak of a process of its own
during three calls, inputs and compilation not counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from report import aligned, microseconds, ratio
from timing import Schedule, Time, take_turns

OWN, IN_PLACE = "losslib", "losslib, out=logits"
PEERS = ("PyTorch", "JAX")
GOAL_PYTORCH = 4.0


@dataclass(frozen=True)
class Case:
    """Frames, samples, classes and labels of each sample."""

    frames: int
    samples: int
    classes: int
    labels: int

    @property
    def size(self) -> str:
        return f"T={self.frames} N={self.samples} C={self.classes} S={self.labels}"

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Return logits, targets and both lengths."""
        random = np.random.default_rng(0)
        logits = random.standard_normal((self.frames, self.samples, self.classes), np.float32)
        targets = random.integers(1, self.classes, (self.samples, self.labels))
        return logits, targets, np.full(self.samples, self.frames), np.full(self.samples, self.labels)


CASES = (Case(200, 32, 64, 30), Case(1000, 8, 5000, 100), Case(50, 256, 30, 10), Case(2000, 1, 32, 200))


# ---- contestants: a call that returns the value and the gradient as (T, N, C) ------------------------------------


def _losslib(case: Case, in_place: bool = False) -> Callable[[], tuple[float, np.ndarray]]:
    import losslib

    logits, *rest = case.arrays()
    loss = losslib.CTCLossWithLogits()
    out = logits if in_place else np.empty_like(logits)
    return lambda: loss.value_and_grad(logits, *rest, out=out)


def _pytorch(case: Case) -> Callable[[], tuple[float, np.ndarray]]:
    import torch

    logits, targets, input_lengths, target_lengths = (torch.from_numpy(array) for array in case.arrays())
    logits.requires_grad_()

    def call() -> tuple[float, np.ndarray]:
        logits.grad = None
        log_probs = torch.nn.functional.log_softmax(logits, 2)
        value = torch.nn.functional.ctc_loss(log_probs, targets, input_lengths, target_lengths)
        value.backward()
        return value.item(), logits.grad.numpy()

    return call


def _jax(case: Case) -> Callable[[], tuple[float, np.ndarray]]:
    import jax
    import optax

    logits, targets, _, _ = case.arrays()
    x = jax.numpy.asarray(np.ascontiguousarray(logits.transpose(1, 0, 2)))
    t = jax.numpy.asarray(targets.astype(np.int32))
    no_frames, no_labels = np.zeros(x.shape[:2], np.float32), np.zeros(t.shape, np.float32)

    @jax.jit
    def both(x: Any) -> Any:
        return jax.value_and_grad(lambda x: (optax.ctc_loss(x, no_frames, t, no_labels) / t.shape[1]).mean())(x)

    def call() -> tuple[float, np.ndarray]:
        value, gradient = both(x)
        return float(value), np.asarray(gradient).transpose(1, 0, 2)

    return call


CONTESTANTS: dict[str, Callable[[Case], Callable[[], tuple[float, np.ndarray]]]] = {
    OWN: _losslib,
    IN_PLACE: lambda case: _losslib(case, in_place=True),
    "PyTorch": _pytorch,
    "JAX": _jax,
}


# ---- measuring ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SequenceTimes:
    """The times of one case, and megabytes beyond the inputs."""

    case: Case
    times: dict[str, Time]
    megabytes: dict[str, float] = field(default_factory=dict)
    #: Peers that computed another gradient, with the difference.
    deviating: dict[str, float] = field(default_factory=dict)

    def times_peer(self, peer: str) -> float | None:
        return self.times[peer].least / self.times[OWN].least if peer in self.times else None

    @property
    def verdict(self) -> str:
        pytorch, jax = (self.times_peer(peer) for peer in PEERS)
        missed = (
            [] if pytorch is None or pytorch >= GOAL_PYTORCH else [f"{pytorch:.2f}x PyTorch, goal {GOAL_PYTORCH:g}"]
        )
        if jax is not None and jax <= 1.0:
            missed.append(f"{jax:.2f}x JAX")
        if pytorch is None and jax is None:
            return "no peer"
        return "missed: " + "; ".join(missed) if missed else "met"

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "size": self.case.size,
            "seconds": {name: {"least": t.least, "median": t.median} for name, t in self.times.items()},
            "megabytes": self.megabytes,
            "deviating": self.deviating,
            "verdict": self.verdict,
        }


def measure(
    chosen: list[Case], absent: Mapping[str, str], schedule: Schedule, step: Callable[[str], None]
) -> Iterator[SequenceTimes]:
    """Yield the times of each case; ``step`` hears what is being measured."""
    for case in chosen:
        step(f"ctc_loss_with_logits, {case.size}")
        entered = {OWN: _losslib(case)}
        for peer in PEERS:
            if peer not in absent:
                entered[peer] = CONTESTANTS[peer](case)
        expected = entered[OWN]()[1].copy()
        deviations = {peer: float(np.abs(call()[1] - expected).max() / np.abs(expected).max())
                      for peer, call in entered.items()}  # fmt: skip
        statements = {name: ("call()", {"call": call}) for name, call in entered.items()}
        times = take_turns(statements, expected.size, schedule)
        megabytes = {name: memory_of(name, case) for name in (IN_PLACE, *entered)}
        yield SequenceTimes(case, times, megabytes, {name: size for name, size in deviations.items() if size > 1e-3})


def memory_of(name: str, case: Case) -> float:
    """Return by how many megabytes a process grows beyond its inputs while it computes."""
    arguments = [str(k) for k in (case.frames, case.samples, case.classes, case.labels)]
    done = subprocess.run(
        [sys.executable, str(Path(__file__)), name, *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    return float(done.stdout) if done.returncode == 0 else float("nan")


def _peak(name: str, case: Case) -> float:
    """Megabytes of the peak above the size before the first call of that size; Linux only."""
    CONTESTANTS[name](Case(8, 1, 4, 2))()  # libraries and threads are loaded
    call = CONTESTANTS[name](case)
    if name == "JAX":
        call()  # compiled; what stays of the call is the size of its result
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _status("VmRSS")
    for _ in range(3):
        call()
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def table(results: list[SequenceTimes], absent: Mapping[str, str]) -> str:
    """Return the aligned table; times in microseconds."""
    lines: list[tuple[str, ...]] = [("ctc_loss_with_logits", OWN, *PEERS, "x PyTorch", "x JAX", "verdict")]
    for result in results:
        cells = []
        for peer in PEERS:
            mark = "!" if peer in result.deviating else " "
            cells.append(microseconds(result.times[peer].least) + mark if peer in result.times else "absent ")
        own = microseconds(result.times[OWN].least)
        ratios = (ratio(result.times_peer(peer)) for peer in PEERS)
        lines.append((result.case.size, own, *cells, *ratios, result.verdict))
    lines.append(("",) * 7)
    lines.append(("peak memory beyond inputs, MB", OWN, *PEERS, IN_PLACE, "", ""))
    for result in results:
        cells = [f"{result.megabytes.get(name, float('nan')):.1f}" for name in (OWN, *PEERS, IN_PLACE)]
        lines.append((result.case.size, *cells, "", ""))
    return aligned(lines)


if __name__ == "__main__":
    print(_peak(sys.argv[1], Case(*(int(word) for word in sys.argv[2:]))))
