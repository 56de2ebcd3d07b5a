"""How long OpenMP's threads wait awake for the next parallel call.

libgomp's default is several milliseconds without offering the core to anybody: where another process holds a core, the
barrier at the end of a call waits for a worker that is not scheduled. Here it is some 50 microseconds, about what
waking a sleeper takes. The runtime reads its settings while it is loaded and never again, so the variables are set
around that moment, unless the user has set one of them, and taken away at once. A wheel brings a copy of the runtime
under a name of its own, which nobody else uses; a build from source shares the system's, whose first user in a process
decides for all.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import losslib._kernels.cpu as cpu
from losslib.quota import cgroup_quota

__all__ = ["chosen", "is_private", "loading", "must_not_spin"]

#: Microseconds; the measurements are in docs/develop/threads.rst.
SPIN = 50

#: Variables that say how OpenMP waits.
DECIDED_BY = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")

#: Bytes of stack that the blocks' buffers need with room to spare; musl gives new threads 128 KiB.
LEAST_STACK = 1 << 20

#: Microseconds that this process's threads wait awake, or None where the runtime was left as it is.
chosen: int | None = None


def must_not_spin() -> bool:
    """Say whether waiting awake is unwelcome: it spends a CPU quota, or the user asked for passive waiting."""
    return cgroup_quota() is not None or os.environ.get("OMP_WAIT_POLICY", "").strip().lower() == "passive"


def wanted() -> int | None:
    """Return the microseconds to wait awake, or None to leave the runtime as it is.

    ``LOSSLIB_SPIN`` decides; else the user's own settings of OpenMP; else none under a CPU quota, and `SPIN`.
    """
    text = os.environ.get("LOSSLIB_SPIN", "").strip()
    if text.isdigit():
        return min(int(text), 10_000_000)
    if text:
        warnings.warn(
            f"LOSSLIB_SPIN={text!r} is ignored; expected a number of microseconds", RuntimeWarning, stacklevel=2
        )
    if any(os.environ.get(name, "").strip() for name in DECIDED_BY):
        return None
    return 0 if cgroup_quota() is not None else SPIN


def _libraries() -> str:
    """Return the folder in which a repaired wheel keeps its libraries."""
    return os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "losslib_cpu.libs")


def is_private(file: str) -> bool:
    """Say whether the file of a runtime came with the wheel."""
    folder = os.path.basename(os.path.dirname(file))
    return folder in ("losslib_cpu.libs", ".dylibs")


def settings() -> dict[str, str]:
    """Return the variables for libgomp to find while it is loaded; none if it is there already or not the runtime."""
    global chosen
    chosen = None
    if not cpu.build()["compiler"].startswith("gcc"):
        return {}
    if not os.path.isdir(_libraries()) and cpu.is_loaded("libgomp.so.1"):
        return {}
    found = {}
    chosen = wanted()
    if chosen is not None:
        found["GOMP_SPINCOUNT"] = str(round(chosen * cpu.spins_per_microsecond()))
    if 0 < cpu.default_stack() < LEAST_STACK and not {"OMP_STACKSIZE", "GOMP_STACKSIZE"} & os.environ.keys():
        found["OMP_STACKSIZE"] = "2M"
    return found


@contextmanager
def loading() -> Iterator[None]:
    """Load the first module that is linked with OpenMP inside this block.

    Only the variables of the C library are touched: ``os.environ`` never shows them.
    """
    names = settings()
    before = {name: os.environ.get(name) for name in names}
    for name, text in names.items():
        os.putenv(name, text)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                os.unsetenv(name)
            else:
                os.putenv(name, old)
