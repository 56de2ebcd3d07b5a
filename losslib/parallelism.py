"""How many threads a call may use.

The width is the least of: ``LOSSLIB_NUM_THREADS`` (else ``OMP_NUM_THREADS``), the cores this process may run on, and
the CPU quota of its control group rounded up. At each call the OpenMP limit of the calling thread (what threadpoolctl
and joblib set) bounds it further. Calls too small to gain from threads are computed serially.

The threads are OpenMP's (``include/losslib/system/team.h``). How long they wait awake for the next call is a setting of
its runtime (``losslib._kernels.waiting``).
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
from losslib._kernels import waiting
from losslib.errors import ParameterError
from losslib.quota import affinity, cgroup_quota

__all__ = ["default_width", "get_num_threads", "set_num_threads", "threads"]

MOST = 256

#: Microseconds that a call below the price of waking takes at most: its workers sleep so much later than it began.
SHORT = 100

#: How long the threads of a runtime that losslib did not set may be taken to wait awake, in microseconds.
USUAL_SPIN = 2_000

#: Why the number of threads of a forked child cannot be set.
STRANDED = (
    "this process was forked from a thread whose OpenMP workers stayed with the parent (the fork came from inside a "
    "parallel region, or the OpenMP runtime is older than 5.0): it can compute on one thread only. Use the start "
    "method 'spawn' or 'forkserver'"
)


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


def default_width() -> int:
    """Return the number of threads that losslib starts with in this process."""
    width = affinity()
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

    RuntimeError
        If `n` is above 1 and this process is a forked child that can have no threads: it was forked from inside a
        parallel region, or with an OpenMP runtime older than 5.0 after a parallel call.

    Notes
    -----
    A process made by ``fork`` starts with one thread, since it usually is one of several workers. Calling this function
    in it gives it threads of its own. A build without OpenMP computes everything on one thread, whatever the number.
    """
    _set_width(_integer(n))


def _set_width(width: int) -> None:
    if width > 1 and _threads.forked():
        if _threads.stranded():
            raise RuntimeError(STRANDED)
        _threads.allow_in_child()
    _threads.set_recent(0 if waiting.must_not_spin() or width > affinity() else 1_000 * _awake())
    _threads.set_width(width)


def _awake() -> int:
    """Return how many microseconds after a call another finds its threads awake."""
    spin = USUAL_SPIN if waiting.chosen is None else waiting.chosen
    return SHORT + spin if spin > 0 else 0


def _integer(n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, Integral) or not 1 <= int(n) <= MOST:
        raise ParameterError(f"n must be an integer from 1 to {MOST}, got {n!r}")
    return int(n)


def get_num_threads() -> int:
    """Return the number of threads that large calls of this process use.

    Returns
    -------
    int
        1 in a forked child whose number of threads was not set and in a build without OpenMP, else the configured
        width; less where the system refused to create so many threads.
    """
    if _threads.forked() or not _threads.openmp():
        return 1
    return min(_threads.width(), _threads.granted())


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


#: Year and month of a specification of OpenMP -> its version.
_SPECIFICATIONS = {
    200203: "2.0",
    201107: "3.1",
    201307: "4.0",
    201511: "4.5",
    201811: "5.0",
    202011: "5.1",
    202111: "5.2",
}


def runtime() -> dict[str, Any] | None:
    """Return what is known of the OpenMP runtime, or None in a build without OpenMP.

    Returns
    -------
    dict
        Its ``name``; the ``version`` of the specification that the package was compiled for; its ``file``; whether it
        is ``private``, a copy that came with the wheel, or shared with whoever loads that file; and for how many
        microseconds its threads wait awake, ``spin``, which is None where that was not losslib's to say.
    """
    specification, file, llvm, _ = _threads.runtime()
    if not specification:
        return None
    return {
        "name": "libomp" if llvm else "libgomp" if "gomp" in os.path.basename(file) else file or "vcomp",
        "version": _SPECIFICATIONS.get(specification, str(specification)),
        "file": file,
        "private": waiting.is_private(file),
        "spin": waiting.chosen,
    }


def describe() -> dict[str, Any]:
    """Return what decides about threads in this process."""
    return {
        "openmp": _threads.openmp(),
        "openmp_runtime": runtime(),
        "num_threads": get_num_threads(),
        "configured": int(_threads.width()),
        "affinity": affinity(),
        "cgroup_quota": cgroup_quota(),
        "openmp_limit": _threads.limit(),
        "forked_child": _threads.forked(),
        "stranded_child": _threads.stranded(),
        "threads_creatable": _threads.creatable(),
    }


_set_width(default_width())
_threads.install_fork_guard()
