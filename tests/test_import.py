"""What ``import losslib`` does to a process: nothing beyond loading NumPy and itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import json, os, sys, threading
environment, modules = dict(os.environ), set(sys.modules)
import numpy
with_numpy = set(sys.modules)
tasks = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
before = tasks()
import losslib
print(json.dumps({
    "new": sorted(set(sys.modules) - with_numpy),
    "environment": dict(os.environ) == environment,
    "threads": tasks() - before,
    "python_threads": threading.active_count(),
    "version": losslib.__version__,
}))
"""


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    """Import losslib in a process of its own, with every warning an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_importing_losslib_loads_no_third_party_module_but_numpy(facts: dict[str, Any]) -> None:
    tops = {name.partition(".")[0] for name in facts["new"]}
    allowed = {"losslib", "numpy", *sys.stdlib_module_names}
    # A Cython module registers the runtime that its functions share under a name of its own.
    assert {name for name in tops if not name.startswith(("_cython_", "cython_runtime"))} <= allowed


def test_importing_losslib_does_not_load_the_command_line_or_heavy_parts_of_the_standard_library(
    facts: dict[str, Any],
) -> None:
    loaded = set(facts["new"])
    assert not loaded & {"losslib.cli", "losslib.__main__", "argparse", "subprocess", "multiprocessing", "asyncio"}


def test_importing_losslib_sets_no_environment_variable(facts: dict[str, Any]) -> None:
    assert facts["environment"]


def test_importing_losslib_starts_no_thread(facts: dict[str, Any]) -> None:
    assert facts["threads"] == 0
    assert facts["python_threads"] == 1


def test_the_version_is_that_of_the_distribution(facts: dict[str, Any]) -> None:
    from importlib import metadata

    try:
        installed = metadata.version("losslib-cpu")
    except metadata.PackageNotFoundError:
        pytest.skip("losslib is imported from a folder, not installed")
    assert facts["version"] == installed
