"""The loops are OpenMP's, each in the one form; how its threads wait, and what they take over from the caller."""

from __future__ import annotations

import ctypes
import os
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib
import native
from losslib._kernels import threads as kernel_threads
from losslib._kernels import waiting
from processes import run

SOURCES = Path(__file__).resolve().parents[2]

needs_openmp = pytest.mark.skipif(not kernel_threads.openmp(), reason="built without OpenMP")
needs_libgomp = pytest.mark.skipif(
    "libgomp" not in kernel_threads.runtime()[1], reason="the runtime is not libgomp, whose settings these are"
)
needs_sources = pytest.mark.skipif(not (SOURCES / "pyx").is_dir(), reason="the sources are not here")


# ---- by reading the sources --------------------------------------------------------------------------------------

#: Those with tasks of their own: the interpreter of formulas is run, block by block, by the pointwise driver.
DRIVERS = [path for path in sorted((SOURCES / "pyx").glob("*/driver.pyx")) if path.parent.name != "formula"]

#: How each loop begins: without a thread at width 1, and in the mode of the caller.
FORM = re.compile(
    r"if width == 1(?: or [^\n]*)?:\n"
    r"(?:.*\n){1,2}"
    r" *else:\n"
    r" *for i in prange\(count_runs\((\w+), width\), schedule=\"dynamic\", num_threads=width\):\n"
    r" *set_float_mode\(mode\)\n"
    r"(?:.*\n)?.*first_task\(i, \1, width\)(?:.*\n)?.*first_task\(i \+ 1, \1, width\)"
)


@needs_sources
@pytest.mark.parametrize("driver", DRIVERS, ids=[path.parent.name for path in DRIVERS])
def test_every_driver_runs_its_tasks_in_a_prange_of_the_one_form(driver: Path) -> None:
    text = driver.read_text()
    loops = text.count("in prange(")
    assert loops >= 1
    assert len(FORM.findall(text)) == loops
    assert text.count("_gate.begin(") >= loops
    assert "with parallel" not in text


@needs_sources
def test_every_loop_runs_without_the_gil_by_a_block_that_released_it() -> None:
    """In a function that is `nogil` as a whole, Cython does not know who holds the GIL, and takes it to be sure."""
    for driver in DRIVERS:
        body = ""
        for function in re.split(r"\n(?=cdef|def)", driver.read_text()):
            if "in prange(" in function:
                head, _, body = function.partition("\n")
                head = function[: function.index(":\n")]
                assert "nogil" not in head, f"{driver}: {head}"
                assert "with nogil:" in body


@needs_sources
def test_nothing_but_the_trial_of_threads_makes_threads() -> None:
    words = re.compile(
        r"std::thread|std::async|pthread_create|condition_variable|pthread_cond|<thread>|import threading"
    )
    places = [*SOURCES.glob("include/**/*.h"), *SOURCES.glob("pyx/**/*.p[yx][xd]")]
    found = {path.name for path in places if words.search(path.read_text())}
    assert found == {"team.h"}
    assert (SOURCES / "include/losslib/system/team.h").read_text().count("pthread_create(") == 1


# ---- which tasks a thread takes ----------------------------------------------------------------------------------

RUNS = """
#include "losslib/system/runs.h"
extern "C" long count_runs(long tasks, int width) { return losslib::count_runs(tasks, width); }
extern "C" long first_task(long run, long tasks, int width) { return losslib::first_task(run, tasks, width); }
"""


def test_runs_take_every_task_once_and_become_single_tasks_at_the_end() -> None:
    library = native.build(RUNS)
    library.count_runs.restype = library.first_task.restype = ctypes.c_long

    def starts(tasks: int, width: int) -> list[int]:
        runs = library.count_runs(ctypes.c_long(tasks), width)
        return [library.first_task(ctypes.c_long(k), ctypes.c_long(tasks), width) for k in range(runs + 1)]

    for width in (2, 3, 7, 64, 256):
        for tasks in (0, 1, 2, 3, 5, 8, 61, 100, 611, 4096, 65_537, 3 * 10**9):
            first = starts(tasks, width)
            lengths = np.diff(first)
            assert first[0] == 0
            assert first[-1] == tasks
            if tasks == 0:
                continue
            assert (lengths >= 1).all()
            assert (np.diff(lengths) <= 0).all()
            assert lengths[0] == max(1, tasks // (2 * width))  # half of a fair share
            assert lengths[-1] == 1


# ---- what a worker takes over ------------------------------------------------------------------------------------

MODE = """
#include "losslib/system/float_mode.h"
#if defined(__aarch64__)
using Word = unsigned long long;
constexpr Word flushing = 1u << 24;
#else
using Word = unsigned int;
constexpr Word flushing = 0x8040u;
#endif
static Word before;
extern "C" void flush() { before = losslib::get_float_mode(); losslib::set_float_mode(before | flushing); }
extern "C" void restore() { losslib::set_float_mode(before); }
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64", "aarch64", "arm64"), reason="no such mode is known")
def test_workers_treat_subnormal_numbers_as_their_caller_does(always_parallel: None) -> None:
    mode = native.build(MODE)
    tiny, zero = np.full(64 * 16_384, 1e-40, np.float32), np.zeros(64 * 16_384, np.float32)
    rows, classes = np.full((100_000, 10), -1e-40, np.float32), np.arange(100_000) % 10
    kernel_threads.set_width(4)
    calls = [
        lambda: losslib.l1_loss(tiny, zero, reduction="none"),
        lambda: losslib.nll_loss(rows, classes, reduction="none"),
    ]
    for call in calls:
        for flush in (False, True, False, True):
            if flush:
                mode.flush()
            try:
                values = call()
            finally:
                if flush:
                    mode.restore()
            assert ((values == 0) == flush).all()


# ---- the runtime -------------------------------------------------------------------------------------------------

LARGE = (
    "import numpy as np, losslib\n"
    "losslib.set_num_threads(2)\n"
    "x = np.ones(2_000_000, np.float32)\n"
    "losslib.mse_loss(x[:1000], x[:1000])\n"
    "print('small')\n"
    "losslib.mse_loss(x, x)\n"
)


@needs_openmp
def test_a_large_call_runs_in_a_team_of_openmp_and_a_small_one_does_not() -> None:
    code = (
        "import os, sys\n"
        "os.dup2(1, 2)\n"  # the runtime reports on the error stream
        "sys.stdout.reconfigure(write_through=True)\n" + LARGE
    )
    lines = run(code, OMP_DISPLAY_AFFINITY="TRUE", OMP_AFFINITY_FORMAT="thread %n of %N").splitlines()
    assert lines[0] == "small"
    assert sorted(lines[1:]) == ["thread 0 of 2", "thread 1 of 2"]


@needs_openmp
def test_the_runtime_is_named() -> None:
    facts = losslib.config()["threads"]["openmp_runtime"]
    assert facts["name"] in ("libgomp", "libomp", "vcomp")
    assert re.fullmatch(r"\d\.\d", facts["version"])
    assert isinstance(facts["private"], bool)
    assert facts["spin"] is None or facts["spin"] >= 0


def settings_of(code: str = "", **environment: str) -> tuple[str, str]:
    """Return how often libgomp looks for work before it sleeps, and what losslib says about that."""
    program = (
        "import os, sys\n"
        "os.dup2(1, 2)\n" + code + "import losslib\n"
        "assert 'GOMP_SPINCOUNT' not in os.environ or 'GOMP_SPINCOUNT' in sys.argv\n"
        "import ctypes; getenv = ctypes.CDLL(None).getenv; getenv.restype = ctypes.c_char_p\n"
        "print('left:', getenv(b'GOMP_SPINCOUNT'))\n"
        "print('said:', losslib.config()['threads']['openmp_runtime']['spin'])\n"
    ).replace(" or 'GOMP_SPINCOUNT' in sys.argv", " or True" if "GOMP_SPINCOUNT" in environment else "")
    printed = run(program, OMP_DISPLAY_ENV="verbose", **environment)
    assert f"left: {environment['GOMP_SPINCOUNT'].encode() if 'GOMP_SPINCOUNT' in environment else None}" in printed
    count = re.search(r"GOMP_SPINCOUNT = '(.*)'", printed)
    said = re.search(r"said: (.*)", printed)
    assert count is not None
    assert said is not None
    return count[1], said[1]


@needs_libgomp
def test_threads_wait_awake_for_a_moment_and_no_variable_is_left() -> None:
    expected = str(0 if waiting.cgroup_quota() is not None else waiting.SPIN)
    count, said = settings_of()
    assert said == expected
    assert int(count) <= 1_000 * waiting.SPIN


@needs_libgomp
def test_the_user_decides_how_long_threads_wait_awake() -> None:
    assert settings_of(LOSSLIB_SPIN="0") == ("0", "0")
    count, said = settings_of(LOSSLIB_SPIN="2000")
    assert said == "2000"
    assert 2_000 <= int(count) <= 20_000_000
    assert settings_of(GOMP_SPINCOUNT="12345") == ("12345", "None")
    assert settings_of(OMP_WAIT_POLICY="passive") == ("0", "None")
    assert settings_of(OMP_WAIT_POLICY="active", LOSSLIB_SPIN="0") == ("0", "0")


@needs_libgomp
def test_a_runtime_that_others_have_loaded_is_left_as_it_is() -> None:
    if losslib.config()["threads"]["openmp_runtime"]["private"]:
        pytest.skip("this wheel has a runtime of its own, which nobody else can have loaded")
    count, said = settings_of("import ctypes; ctypes.CDLL('libgomp.so.1')\n")
    assert said == "None"
    assert int(count) >= 100_000  # libgomp's own default


@pytest.mark.parametrize("text", ["-1", "soon", "1.5"])
def test_a_spin_that_is_no_number_of_microseconds_is_ignored(text: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(waiting, "cgroup_quota", lambda: None)
    for name in waiting.DECIDED_BY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOSSLIB_SPIN", text)
    with pytest.warns(RuntimeWarning, match=f"LOSSLIB_SPIN='{text}' is ignored; expected a number of microseconds"):
        assert waiting.wanted() == waiting.SPIN


def test_under_a_quota_threads_sleep_at_once_unless_the_user_says_otherwise(monkeypatch: Any) -> None:
    for name in (*waiting.DECIDED_BY, "LOSSLIB_SPIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(waiting, "cgroup_quota", lambda: 1.5)
    assert waiting.wanted() == 0
    monkeypatch.setenv("LOSSLIB_SPIN", "70")
    assert waiting.wanted() == 70


def test_small_stacks_are_enlarged_while_the_runtime_is_loaded(monkeypatch: Any) -> None:
    monkeypatch.setattr(waiting.cpu, "is_loaded", lambda library: False)
    monkeypatch.setattr(waiting.cpu, "build", lambda: {"compiler": "gcc 14"})
    monkeypatch.setattr(waiting, "chosen", waiting.chosen)
    for name in ("OMP_STACKSIZE", "GOMP_STACKSIZE"):
        monkeypatch.delenv(name, raising=False)
    for stack, expected in ((128 << 10, "2M"), (8 << 20, None), (0, None)):
        monkeypatch.setattr(waiting.cpu, "default_stack", lambda stack=stack: stack)
        assert waiting.settings().get("OMP_STACKSIZE") == expected
    monkeypatch.setattr(waiting.cpu, "default_stack", lambda: 128 << 10)
    monkeypatch.setenv("OMP_STACKSIZE", "1M")
    assert "OMP_STACKSIZE" not in waiting.settings()
    assert os.environ["OMP_STACKSIZE"] == "1M"
