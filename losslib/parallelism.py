"""How many threads a call may use.

The width is the least of: ``LOSSLIB_NUM_THREADS`` (else ``OMP_NUM_THREADS``), the cores this process may run on, and
the CPU quota of its control group rounded up. At each call the OpenMP limit of the calling thread (what threadpoolctl
and joblib set) bounds it further. Calls too small to gain from threads are computed serially.

The threads are losslib's own (``include/losslib/system/thread_pool.h``). After a call they stay awake for a moment, for
the next call may follow at once; under a CPU quota they sleep immediately, because a quota is spent by spinning too.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import losslib._kernels.threads as _threads
from losslib.errors import ParameterError

__all__ = ["default_width", "get_num_threads", "set_num_threads", "threads"]

MOST = 256

#: How long threads stay awake after a call, in nanoseconds.
LINGER = 2_000_000


def _environment() -> int | None:
    """Return the number of threads that the environment asks for."""
    for name in ("LOSSLIB_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "").split(",")[0].strip()
        if text.isdigit() and int(text) > 0:
            return int(text)
        if text and name == "LOSSLIB_NUM_THREADS":
            warnings.warn(
                f"LOSSLIB_NUM_THREADS={text!r} is ignored; expected a number of threads from 1 to {MOST}",
                RuntimeWarning,
                stacklevel=2,
            )
    return None


def _affinity() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read(*parts: str) -> str:
    try:
        with open(os.path.join(*parts), encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def cgroup_quota(root: str = "/sys/fs/cgroup", membership: str = "/proc/self/cgroup") -> float | None:
    """Return the CPU quota of this process's control group in cores, or None if there is no limit.

    Reads version 2 (``cpu.max`` of the group and of every group above it) and version 1 (``cpu.cfs_quota_us``).
    """
    limits = _quota_v2(root)
    for line in _read(membership).splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        names = [name for name in path.split("/") if name]
        if controllers == "":
            for depth in range(1, len(names) + 1):
                limits += _quota_v2(os.path.join(root, *names[:depth]))
        elif "cpu" in controllers.split(","):
            for mount in ("cpu", controllers):
                limits += _quota_v1(os.path.join(root, mount, *names)) + _quota_v1(os.path.join(root, mount))
    return min(limits, default=None)


def _quota_v2(folder: str) -> list[float]:
    fields = _read(folder, "cpu.max").split()
    if len(fields) != 2 or not fields[0].isdigit() or not fields[1].isdigit() or int(fields[1]) == 0:
        return []  # "max", empty or missing: no limit
    return [int(fields[0]) / int(fields[1])]


def _quota_v1(folder: str) -> list[float]:
    quota, period = _read(folder, "cpu.cfs_quota_us").strip(), _read(folder, "cpu.cfs_period_us").strip()
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return []  # -1, empty or missing: no limit
    return [int(quota) / int(period)]


def default_width() -> int:
    """Return the number of threads that losslib starts with in this process."""
    width = _affinity()
    quota = cgroup_quota()
    if quota is not None:
        width = min(width, math.ceil(quota))
    wanted = _environment()
    if wanted is not None:
        width = min(width, wanted)
    return max(1, min(width, MOST))


def set_num_threads(n: int) -> None:
    """Set the number of threads that large calls use.

    Parameters
    ----------
    n : int
        At least 1; 1 computes everything serially. More than the cores there are is allowed and seldom useful.

    Raises
    ------
    ParameterError
        If `n` is not an integer between 1 and 256.

    Notes
    -----
    A process made by ``fork`` starts with one thread, since it usually is one of several workers. Calling this function
    in it gives it threads of its own.
    """
    _set_width(_integer(n))


def _set_width(width: int) -> None:
    if width > 1 and _threads.forked():
        _threads.allow_in_child()
    _threads.set_linger(0 if _must_not_spin() or width > _affinity() else LINGER)
    _threads.set_width(width)


def _must_not_spin() -> bool:
    """Say whether waiting awake is unwelcome: it spends a CPU quota, or the user asked for passive waiting."""
    return cgroup_quota() is not None or os.environ.get("OMP_WAIT_POLICY", "").strip().lower() == "passive"


def _integer(n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, Integral) or not 1 <= int(n) <= MOST:
        raise ParameterError(f"n must be an integer from 1 to {MOST}, got {n!r}")
    return int(n)


def get_num_threads() -> int:
    """Return the number of threads that large calls of this process use.

    Returns
    -------
    int
        1 in a forked child whose number of threads was not set, else the configured width; less where the system
        refused to create so many threads.
    """
    if _threads.forked():
        return 1
    width = int(_threads.width())
    return width if _threads.creatable() is not False else min(width, 1 + int(_threads.workers()))


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Use `n` threads inside a ``with`` block, for the whole process.

    Parameters
    ----------
    n : int
        As for `set_num_threads`.

    Examples
    --------
    >>> with losslib.threads(1):
    ...     losslib.get_num_threads()
    1
    """
    before = 1 if _threads.forked() else int(_threads.width())
    set_num_threads(n)
    try:
        yield
    finally:
        _set_width(before)


def describe() -> dict[str, Any]:
    """Return what decides about threads in this process."""
    return {
        "openmp": _threads.openmp(),
        "num_threads": get_num_threads(),
        "configured": int(_threads.width()),
        "affinity": _affinity(),
        "cgroup_quota": cgroup_quota(),
        "openmp_limit": _threads.limit(),
        "forked_child": _threads.forked(),
        "threads_creatable": _threads.creatable(),
    }


_set_width(default_width())
_threads.install_fork_guard()
