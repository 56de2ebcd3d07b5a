"""Run Python code in a process of its own: what a test needs when it forks, lowers limits or counts threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

#: What would change how many threads losslib and NumPy's BLAS use, or which kernels run.
CLEARED = (
    "LOSSLIB_NUM_THREADS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "LOSSLIB_SPIN", "LOSSLIB_ISA",
)  # fmt: skip


def run(code: str, timeout: float = 60.0, **environment: str) -> str:
    """Run Python code with every warning an error and return what it printed.

    A process that hangs fails the test after `timeout` seconds. BLAS starts no threads of its own, so that the threads
    that a program counts are its own and losslib's.
    """
    return _run(["-W", "error", "-c", code], timeout, environment)


def run_script(path: Path, *arguments: str, timeout: float = 60.0, **environment: str) -> str:
    """Run a Python file, which ``multiprocessing`` can import again in its children, and return what it printed."""
    return _run([str(path), *arguments], timeout, environment)


def _run(arguments: list[str], timeout: float, environment: dict[str, str]) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in CLEARED}
    search = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=timeout,
        env={**inherited, "PYTHONPATH": search, "OPENBLAS_NUM_THREADS": "1", **environment},
    )  # fmt: skip
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()
