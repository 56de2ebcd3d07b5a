"""What ``import losslib`` does to a process: nothing beyond loading NumPy and itself."""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
from typing import Any

import pytest

import losslib
import native

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


# ---- modes of the interpreter, and threads ------------------------------------------------------------------------

EVERY_LOSS = """
import numpy as np
import losslib
from losslib.cli.bench import draw_inputs
for info in losslib.list_losses():
    inputs = draw_inputs(info, 200, np.dtype("float32"))
    loss = getattr(losslib, info.class_name)()
    loss(*inputs)
    loss.value_and_grad(*inputs)
    getattr(losslib, info.name).grad(*inputs)
    if info.has_hessian:
        loss.value_grad_hess(*inputs)
"""

FIRST_USE = """
import random, sys, threading, traceback
sys.setswitchinterval(1e-6)
names, barrier, errors = sys.argv[1:], threading.Barrier(16), []
def use(seed):
    try:
        barrier.wait()
        import numpy as np
        import losslib
        from losslib.cli.bench import draw_inputs
        for name in random.Random(seed).sample(names, 12):
            loss = losslib.get(name)
            inputs = draw_inputs(loss.info, 60, np.dtype("float64"))
            assert getattr(losslib, name)(*inputs) == loss(*inputs)
            assert getattr(losslib, loss.info.class_name) is type(loss)
        losslib.get("keras:MeanSquaredError")
    except BaseException:
        errors.append(traceback.format_exc())
threads = [threading.Thread(target=use, args=(seed,)) for seed in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit("".join(errors[:1]) or None)
"""


def run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("flags", [["-W", "error", "-X", "dev", "-bb"], ["-O"], ["-OO"]], ids=" ".join)
def test_every_loss_is_called_without_a_warning_in_every_mode_of_the_interpreter(flags: list[str]) -> None:
    run(*flags, "-c", EVERY_LOSS)


@pytest.mark.parametrize("seed", range(4))
def test_sixteen_threads_may_import_and_call_first_at_once(seed: int) -> None:
    names = [info.name for info in losslib.list_losses()]
    run("-c", FIRST_USE, *random.Random(seed).sample(names, 30))


# ---- the floating-point unit -------------------------------------------------------------------------------------

MODE = """
#include "losslib/system/float_mode.h"
extern "C" unsigned long long mode() { return losslib::get_float_mode(); }
"""

ARITHMETIC = """
import ctypes, sys
import numpy as np
mode = ctypes.CDLL(sys.argv[1]).mode if sys.argv[1:] else lambda: 0
def state():
    tiny = np.array([1e-40], np.float32)
    return mode(), (tiny * np.float32(0.5))[0] != 0, (tiny + tiny)[0] != 0, 1.0 + 2.0**-53, 1.0 + 3 * 2.0**-53
before = state()
import losslib
assert state() == before, "importing losslib changed how floats are computed"
from losslib._kernels import threads
threads.set_threshold(0.0)
losslib.set_num_threads(2)
x, y = np.full((2, 100_000), 0.5)
for info in losslib.list_losses():
    if info.geometry == "pointwise":
        losslib.get(info.name, check=False).value_and_grad(*[x] * len(info.inputs))
rng = np.random.default_rng(0)
losslib.cross_entropy.value_and_grad(rng.standard_normal((20_000, 10)), rng.integers(0, 10, 20_000))
losslib.multi_margin_loss.value_and_grad(rng.standard_normal((20_000, 10)), rng.integers(0, 10, 20_000))
losslib.triplet_margin_loss.value_and_grad(*rng.standard_normal((3, 5_000, 20)))
assert state() == before, "a call changed how floats are computed"
small = np.full(50_000, 1e-40, np.float32)
assert losslib.l1_loss(small, np.zeros_like(small)) > 0
print(before[1:3])
"""


def test_subnormal_numbers_and_rounding_are_as_before_after_import_and_calls() -> None:
    arguments = []
    if platform.machine() in ("x86_64", "AMD64"):
        arguments = [native.build(MODE)._name]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ARITHMETIC, *arguments], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(np.True_, np.True_)"


# ---- subinterpreters ---------------------------------------------------------------------------------------------


def test_a_subinterpreter_gets_an_import_error_and_no_crash() -> None:
    """NumPy does not support subinterpreters; importing losslib in one fails as importing NumPy does."""
    code = (
        "import sys\n"
        "try:\n"
        "    import _xxsubinterpreters as interpreters\n"
        "except ImportError:\n"
        "    import _interpreters as interpreters\n"
        "import losslib\n"
        "other = interpreters.create()\n"
        "try:\n"
        "    interpreters.run_string(other, 'import losslib; print(losslib.mse_loss([2.0], [0.0]))')\n"
        "except Exception as error:\n"
        "    print(type(error).__name__)\n"
        "print(losslib.mse_loss([1.0], [0.0]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "1.0"


# ---- what is loaded when -----------------------------------------------------------------------------------------


def test_a_loss_loads_its_own_family_and_geometry_and_no_other() -> None:
    """Import time must not grow with the number of losses: they are known by the index of names until they are used."""
    code = (
        "import sys, losslib\n"
        "loaded = lambda part: sorted(name for name in sys.modules if name.startswith(f'losslib.{part}.'))\n"
        "assert not loaded('losses') and not loaded('geometries') and not loaded('call'), sys.modules\n"
        "losslib.huber_loss([1.0], [0.0])\n"
        "print(loaded('losses'), loaded('geometries'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (
        "['losslib.losses.regression'] ['losslib.geometries.base', 'losslib.geometries.pointwise']"
    )
