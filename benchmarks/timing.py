"""Measures statements against each other, in turns, and the copy loops that set the scale of memory."""

from __future__ import annotations

import statistics
import time
import timeit
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class Schedule:
    """How long to measure."""

    rounds: int  #: turns of each contestant
    samples: int  #: measurements in a turn
    sample_seconds: float  #: what a measurement should last; short calls are repeated to fill it
    settle_seconds: float  #: pause before a turn, until the threads of the one before have stopped spinning


FULL = Schedule(rounds=7, samples=3, sample_seconds=2e-3, settle_seconds=15e-3)
QUICK = Schedule(rounds=3, samples=3, sample_seconds=1e-3, settle_seconds=15e-3)

#: Below this size no contestant wakes its threads, so that nothing has to settle.
SERIAL = 4096


@dataclass(frozen=True)
class Time:
    """Seconds for one call."""

    least: float
    median: float


def take_turns(statements: Mapping[str, tuple[str, Mapping[str, Any]]], n: int, schedule: Schedule) -> dict[str, Time]:
    """Time the statements in turns, so that a disturbance of the machine meets all of them alike.

    Parameters
    ----------
    statements : mapping
        For each contestant the Python statement that its user would type, and the names in it.
    n : int
        The number of elements.
    schedule : Schedule
        How long to measure.
    """
    timers = {key: timeit.Timer(text, globals=dict(names)) for key, (text, names) in statements.items()}
    calls = {key: _calls_in(timer, schedule.sample_seconds) for key, timer in timers.items()}
    samples: dict[str, list[float]] = {key: [] for key in timers}
    for _ in range(schedule.rounds):
        for key, timer in timers.items():
            if n > SERIAL:
                time.sleep(schedule.settle_seconds)
            timer.timeit(1)  # caches and threads awake
            samples[key] += (seconds / calls[key] for seconds in timer.repeat(schedule.samples, calls[key]))
    return {key: Time(min(times), statistics.median(times)) for key, times in samples.items()}


def _calls_in(timer: timeit.Timer, seconds: float) -> int:
    timer.timeit(2)
    calls = 1
    while (elapsed := timer.timeit(calls)) < seconds / 4:
        calls *= 4
    return max(1, round(calls * seconds / elapsed))


class CopyLoops:
    """Copies by NumPy over arrays of ``n`` float32 elements, on one thread and on several.

    The copy (``g = x``) moves 8 bytes per element. The triad (``g = x + t``) moves 12, as value and gradient
    of a loss with two inputs do: two streams in, one out.
    """

    #: Bytes per element of each loop.
    BYTES: ClassVar = {"copy, 1 thread": 8, "copy": 8, "triad, 1 thread": 12, "triad": 12}

    def __init__(self, n: int, threads: int) -> None:
        ends = np.linspace(0, n, threads + 1).astype(int)
        self.parts = [slice(start, end) for start, end in pairwise(ends.tolist())]
        self.x, self.t = np.ones(n, np.float32), np.ones(n, np.float32)
        self.g = np.zeros(n, np.float32)
        self.pool = ThreadPoolExecutor(threads)

    def copy(self) -> None:
        """Copy, each thread a part; NumPy releases the interpreter lock."""
        _wait(self.pool.map(lambda part: np.copyto(self.g[part], self.x[part]), self.parts))

    def triad(self) -> None:
        """Add two arrays into a third, each thread a part."""
        _wait(self.pool.map(lambda part: np.add(self.x[part], self.t[part], out=self.g[part]), self.parts))

    def statements(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the loops as statements for `take_turns`."""
        names = {"np": np, "x": self.x, "t": self.t, "g": self.g, "loops": self}
        return {
            "copy, 1 thread": ("np.copyto(g, x)", names),
            "copy": ("loops.copy()", names),
            "triad, 1 thread": ("np.add(x, t, out=g)", names),
            "triad": ("loops.triad()", names),
        }


class CopyInputs:
    """Copies each of several arrays into another by NumPy, on several threads: the traffic of their gradients."""

    def __init__(self, arrays: Sequence[np.ndarray], threads: int) -> None:
        pairs = [(np.zeros_like(array), array) for array in arrays]
        ends = np.linspace(0, len(arrays[0]), threads + 1).astype(int).tolist()
        self.parts = [[(out[a:b], array[a:b]) for out, array in pairs] for a, b in pairwise(ends)]
        self.pool = ThreadPoolExecutor(threads)

    def copy(self) -> None:
        _wait(self.pool.map(self._copy_part, self.parts))

    @staticmethod
    def _copy_part(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
        for out, array in pairs:
            np.copyto(out, array)


def _wait(results: Iterable[None]) -> None:
    for _ in results:
        pass
