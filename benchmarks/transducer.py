"""Measures rnnt_loss against plain NumPy lattices: time, agreement and peak memory.

    python benchmarks/transducer.py
    python benchmarks/transducer.py --frames 400 --labels 60 --samples 4 --classes 1000

The NumPy version is what one writes without a compiler: a log-softmax of the whole array, loops over frames and
labels, and the gradient from the occupation of each step. It is measured twice: as it is plainly written, a sample at
a time, which the goal is about, and with the batch as the vector of every step, which is harder to beat. torchaudio
has given the loss up and JAX's optax has none. Peak memory is that of a process of its own for each contestant, beyond
what it holds before the logits exist.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
GOAL_TIMES, GOAL_MEMORY = 20.0, 1.2


@dataclass(frozen=True)
class Case:
    """The size of a batch: N samples of T frames and U labels out of C - 1 classes and the blank."""

    samples: int
    frames: int
    labels: int
    classes: int

    @property
    def logit_bytes(self) -> int:
        return self.samples * self.frames * (self.labels + 1) * self.classes * 4

    def arrays(self) -> Arrays:
        """Draw logits without a temporary array, targets and lengths; every second sample is a fifth shorter."""
        random = np.random.default_rng(8)
        logits = np.empty((self.samples, self.frames, self.labels + 1, self.classes), np.float32)
        random.standard_normal(out=logits, dtype=np.float32)
        np.multiply(logits, np.float32(2.0), out=logits)
        targets = random.integers(0, self.classes - 1, (self.samples, self.labels))
        shorter = np.where(np.arange(self.samples) % 2, 0.8, 1.0)
        return logits, targets, (self.frames * shorter).astype(int), (self.labels * shorter).astype(int)


def numpy_lattice(
    logits: np.ndarray, targets: np.ndarray, frames: np.ndarray, labels: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the mean loss and its gradient; the blank is the last class."""
    samples, most_frames, columns, _ = logits.shape
    shifted = logits - logits.max(axis=3, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=3, keepdims=True))
    blank = log_probs[..., -1].astype(np.float64)
    emit = np.full(blank.shape, -np.inf)
    index = np.broadcast_to(targets[:, np.newaxis, :, np.newaxis], (samples, most_frames, columns - 1, 1))
    emit[:, :, :-1] = np.take_along_axis(log_probs[:, :, :-1], index, axis=3)[..., 0]
    t, u = np.arange(most_frames)[:, np.newaxis], np.arange(columns)
    inside = (t < frames[:, np.newaxis, np.newaxis]) & (u <= labels[:, np.newaxis, np.newaxis])
    last = (t == frames[:, np.newaxis, np.newaxis] - 1) & (u == labels[:, np.newaxis, np.newaxis])
    emit[np.broadcast_to(u >= labels[:, np.newaxis, np.newaxis], emit.shape)] = -np.inf
    alpha = np.full((samples, most_frames, columns), -np.inf)
    alpha[:, 0, 0] = 0.0
    for i in range(most_frames):
        for k in range(columns):
            if i:
                alpha[:, i, k] = alpha[:, i - 1, k] + blank[:, i - 1, k]
            if k:
                alpha[:, i, k] = np.logaddexp(alpha[:, i, k], alpha[:, i, k - 1] + emit[:, i, k - 1])
    # One column and one frame more than the lattice: nothing goes on from there but the last blank.
    beta = np.full((samples, most_frames + 1, columns + 1), -np.inf)
    for i in reversed(range(most_frames)):
        for k in reversed(range(columns)):
            onward = np.logaddexp(beta[:, i + 1, k] + blank[:, i, k], beta[:, i, k + 1] + emit[:, i, k])
            beta[:, i, k] = np.where(last[:, i, k], blank[:, i, k], onward)
    likelihood = beta[:, :1, :1][:, 0, 0]
    after_blank = np.where(last, 0.0, beta[:, 1:, :-1])
    log_total = likelihood[:, np.newaxis, np.newaxis]
    share_blank = np.where(inside, np.exp(alpha + blank + after_blank - log_total), 0.0) / samples
    share_emit = np.where(inside, np.exp(alpha + emit + beta[:, :-1, 1:] - log_total), 0.0) / samples
    gradient = np.exp(log_probs) * (share_blank + share_emit)[..., np.newaxis].astype(logits.dtype)
    gradient[..., -1] -= share_blank
    rows = np.take_along_axis(gradient[:, :, :-1], index, axis=3)
    np.put_along_axis(gradient[:, :, :-1], index, rows - share_emit[:, :, :-1, np.newaxis].astype(logits.dtype), axis=3)
    return -float(np.mean(likelihood)), gradient


def numpy_by_sample(
    logits: np.ndarray, targets: np.ndarray, frames: np.ndarray, labels: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the same, from one sample after the other."""
    gradient = np.empty_like(logits)
    values = []
    for n in range(len(logits)):
        value, gradient[n : n + 1] = numpy_lattice(
            logits[n : n + 1], targets[n : n + 1], frames[n : n + 1], labels[n : n + 1]
        )
        values.append(value)
    gradient /= len(logits)
    return float(np.mean(values)), gradient


def compiled(
    logits: np.ndarray, targets: np.ndarray, frames: np.ndarray, labels: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the mean loss and its gradient by losslib."""
    import losslib

    value, gradient = losslib.rnnt_loss.value_and_grad(logits, targets, frames, labels)
    return value, gradient


CONTESTANTS: dict[str, Callable[..., tuple[float, np.ndarray]]] = {
    "losslib": compiled,
    "NumPy": numpy_by_sample,
    "NumPy, batch at once": numpy_lattice,
}


def peak_bytes() -> int:
    """Return the largest resident memory of this process so far (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")


def memory_of(name: str, case: Case) -> None:
    """Print how many bytes one call adds, logits and gradient included; for a process of its own."""
    CONTESTANTS[name](*Case(1, 2, 1, 4).arrays())  # imports and threads come before
    before = peak_bytes()
    value, gradient = CONTESTANTS[name](*case.arrays())
    print(json.dumps({"bytes": peak_bytes() - before, "value": value, "gradient": float(np.abs(gradient).sum())}))


def measured_memory(name: str, case: Case, threads: int) -> int | None:
    """Return the bytes that one call adds, or None where /proc does not tell."""
    if not Path("/proc/self/status").exists():
        return None
    sizes = [str(n) for n in (case.samples, case.frames, case.labels, case.classes)]
    done = subprocess.run(
        [sys.executable, __file__, "--memory-of", name, "--threads", str(threads), "--samples", sizes[0],
         "--frames", sizes[1], "--labels", sizes[2], "--classes", sizes[3]],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(json.loads(done.stdout)["bytes"])


def compare(case: Case, threads: int) -> dict[str, Any]:
    """Time both contestants in turns and compare what they compute."""
    from timing import Schedule, take_turns

    import losslib

    losslib.set_num_threads(threads)
    arrays = case.arrays()
    out = np.zeros_like(arrays[0])
    loss = losslib.RNNTLoss()
    statements = {
        "losslib": ("loss.value_and_grad(*arrays, out=out)", {"loss": loss, "arrays": arrays, "out": out}),
        "losslib, new array": ("loss.value_and_grad(*arrays)", {"loss": loss, "arrays": arrays}),
        "NumPy": ("numpy_by_sample(*arrays)", {"numpy_by_sample": numpy_by_sample, "arrays": arrays}),
        "NumPy, batch at once": ("numpy_lattice(*arrays)", {"numpy_lattice": numpy_lattice, "arrays": arrays}),
    }
    times = take_turns(statements, arrays[0].size, Schedule(rounds=5, samples=2, sample_seconds=0, settle_seconds=0.02))
    value, gradient = loss.value_and_grad(*arrays)
    expected, reference = numpy_lattice(*arrays)
    return {
        "case": case,
        "seconds": {name: (time.least, time.median) for name, time in times.items()},
        "value_difference": abs(value - expected) / abs(expected),
        "gradient_difference": float(np.abs(gradient - reference).max() / np.abs(reference).max()),
        "bytes": {name: measured_memory(name, case, threads) for name in CONTESTANTS},
    }


def report(result: dict[str, Any], threads: int) -> bool:
    """Print what was measured; say whether the goals are met."""
    case: Case = result["case"]
    print(f"T={case.frames} U={case.labels} N={case.samples} C={case.classes}, float32, {threads} threads")
    fast = result["seconds"]["losslib"]
    for name, (least, median) in result["seconds"].items():
        ratio = f"{least / fast[0]:6.1f} times losslib's (medians {median / fast[1]:.1f})"
        print(f"  {name:<20} {least * 1e3:8.2f} ms, median {median * 1e3:8.2f} ms, {ratio}")
    met = result["seconds"]["NumPy"][0] / fast[0] >= GOAL_TIMES
    for name, size in result["bytes"].items():
        if size is not None:
            share = size / (2 * case.logit_bytes)
            print(f"  {name:<20} {size / 2**20:8.1f} MiB, {share:.3f} times logits and gradient")
            met &= name != "losslib" or share <= GOAL_MEMORY
    print(f"  value differs by {result['value_difference']:.1e}, gradient by {result['gradient_difference']:.1e}")
    print(f"  goals ({GOAL_TIMES:g} times, {GOAL_MEMORY:g} of the memory): {'met' if met else 'missed'}")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("samples", 8), ("frames", 150), ("labels", 20), ("classes", 500), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N")
    parser.add_argument("--memory-of", choices=tuple(CONTESTANTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    case = Case(options.samples, options.frames, options.labels, options.classes)
    if options.memory_of:
        memory_of(options.memory_of, case)
        return 0
    return 0 if report(compare(case, options.threads), options.threads) else 1


if __name__ == "__main__":
    sys.exit(main())
