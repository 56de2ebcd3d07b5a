"""The number of threads in containers: environment, affinity, CPU quotas, and a system that refuses new threads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from losslib import parallelism
from losslib._kernels import threads, waiting
from processes import run


def width_with(**environment: str) -> int:
    """Return the number of threads that a fresh process starts with."""
    return int(run("import losslib._kernels.threads as t, losslib; print(t.width())", **environment))


def test_the_environment_lowers_the_number_of_threads() -> None:
    most = width_with()
    assert width_with(LOSSLIB_NUM_THREADS="1") == 1
    assert width_with(OMP_NUM_THREADS="1") == 1
    assert width_with(LOSSLIB_NUM_THREADS="10000") == most
    assert width_with(LOSSLIB_NUM_THREADS=str(most), OMP_NUM_THREADS="1") == most
    assert width_with(OMP_NUM_THREADS="1,4") == 1


@pytest.mark.parametrize("text", ["", "0", "-3", "many", "1.5", " "])
def test_an_environment_variable_that_is_no_positive_number_is_ignored(text: str, monkeypatch: Any) -> None:
    monkeypatch.delenv("LOSSLIB_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    expected = parallelism.default_width()
    monkeypatch.setenv("LOSSLIB_NUM_THREADS", text)
    if not text.strip():
        assert parallelism.default_width() == expected
        return
    with pytest.warns(RuntimeWarning, match=f"LOSSLIB_NUM_THREADS='{text}' is ignored; expected a number of threads"):
        assert parallelism.default_width() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this platform has no affinity")
def test_affinity_limits_the_number_of_threads() -> None:
    code = (
        "import os\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "import losslib\n"
        "print(losslib.get_num_threads(), losslib.config()['threads']['affinity'])"
    )
    assert run(code) == "1 1"


@pytest.mark.skipif(shutil.which("taskset") is None, reason="there is no taskset")
def test_a_process_bound_to_one_core_computes_serially() -> None:
    code = (
        "import os, subprocess, sys\n"
        "program = 'import numpy as np, losslib; from losslib._kernels import threads; threads.set_threshold(0);' \\\n"
        "          'x = np.ones(10**6); losslib.mse_loss(x, x); print(losslib.get_num_threads(), threads.workers())'\n"
        "core = str(min(os.sched_getaffinity(0)))\n"
        "print(subprocess.check_output(['taskset', '-c', core, sys.executable, '-c', program], text=True).strip())"
    )
    assert run(code) == "1 0"


def test_the_quota_of_the_control_group_limits_the_number_of_threads(monkeypatch: Any) -> None:
    monkeypatch.setattr(parallelism, "affinity", lambda: 16)
    monkeypatch.delenv("LOSSLIB_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for quota, width in ((None, 16), (0.2, 1), (1.0, 1), (2.5, 3), (64.0, 16)):
        monkeypatch.setattr(parallelism, "cgroup_quota", lambda quota=quota: quota)
        assert parallelism.default_width() == width
    monkeypatch.setenv("LOSSLIB_NUM_THREADS", "5")
    assert parallelism.default_width() == 5


def write(path: Path, text: str) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/", {"cpu.max": "max 100000"}, None),
        ("0::/", {"cpu.max": ""}, None),
        ("0::/", {}, None),
        ("", {}, None),
        ("0::/a/b", {"a/b/cpu.max": "300000 100000", "a/cpu.max": "200000 100000", "cpu.max": "max 100000"}, 2.0),
        ("0::/a/b", {"a/b/cpu.max": "100000 100000", "a/cpu.max": "400000 100000"}, 1.0),
        ("0::/a", {"a/cpu.max": "50000 0"}, None),
        ("0::/a", {"a/cpu.max": "nonsense"}, None),
        (
            "4:cpu,cpuacct:/job\n2:memory:/job",
            {"cpu,cpuacct/job/cpu.cfs_quota_us": "400000\n", "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n"}, 4.0,
        ),
        ("4:cpu:/job", {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"}, None),
        ("4:cpu:/job", {"cpu/cpu.cfs_quota_us": "75000", "cpu/cpu.cfs_period_us": "100000"}, 0.75),
        ("4:cpu:/job", {"cpu/job/cpu.cfs_quota_us": "75000"}, None),
        ("4:memory:/job", {"cpu/job/cpu.cfs_quota_us": "75000", "cpu/job/cpu.cfs_period_us": "100000"}, None),
        ("garbage", {"cpu.max": "max"}, None),
    ],
    ids=["v2", "v2 max", "v2 empty", "v2 missing", "no group", "v2 parent is tighter", "v2 child is tighter",
         "v2 zero period", "v2 nonsense", "v1", "v1 unlimited", "v1 mount", "v1 no period", "v1 other controller",
         "garbage"],
)  # fmt: skip
def test_cpu_quotas_of_control_groups_are_read(
    membership: str, files: dict[str, str], expected: float | None, tmp_path: Path
) -> None:
    root = tmp_path / "cgroup"
    root.mkdir()
    write(tmp_path / "membership", membership)
    for name, text in files.items():
        write(root / name, text)
    assert parallelism.cgroup_quota(root, tmp_path / "membership") == expected


def test_a_missing_membership_file_means_no_limit(tmp_path: Path) -> None:
    assert parallelism.cgroup_quota(tmp_path, tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("quota", "policy", "width", "stays_awake"),
    [(None, "", 1, True), (None, "", 4096, False), (1.5, "", 1, False), (None, "passive", 1, False)],
    ids=["free", "more threads than cores", "quota", "OMP_WAIT_POLICY=passive"],
)
def test_short_calls_use_threads_only_where_waiting_awake_costs_nobody(
    quota: float | None, policy: str, width: int, stays_awake: bool, monkeypatch: Any
) -> None:
    before = threads.width()
    monkeypatch.setattr(waiting, "cgroup_quota", lambda: quota)
    monkeypatch.setattr(parallelism, "affinity", lambda: 8)
    monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    try:
        parallelism.set_num_threads(min(width, parallelism.MOST))
        assert (threads.recent() > 0) is stays_awake
    finally:
        monkeypatch.undo()
        parallelism.set_num_threads(before)


# ---- a system that refuses threads -------------------------------------------------------------------------------

#: Lowers the limit on this user's processes. Root is above such limits and becomes a user that runs nothing else.
REFUSE = """
import os, sys, threading, warnings
import numpy as np, losslib
from losslib._kernels import threads
threads.set_threshold(0.0)
x = np.linspace(-3, 3, 500_000)
zero = np.zeros_like(x)
expected = losslib.huber_loss(x[:1000], zero[:1000]), float(np.where(abs(x) < 1, x**2 / 2, abs(x) - 0.5).mean())
def refuse(most):
    import resource
    resource.setrlimit(resource.RLIMIT_NPROC, (most, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
    if os.geteuid() == 0:
        os.setresuid(54321, 54321, 0)  # the saved uid lets it come back
def refused():
    thread = threading.Thread(target=lambda: None)
    try:
        thread.start()
    except RuntimeError:
        return True
    thread.join()
    return False
"""

needs_limits = pytest.mark.skipif(
    not hasattr(os, "fork") or not threads.openmp(), reason="no limit on processes here, or no OpenMP to meet it"
)


def run_or_skip(code: str) -> str:
    """Run a program that prints `unenforced` where this machine creates threads in spite of the limit."""
    printed = run(REFUSE + code)
    if printed == "unenforced":
        pytest.skip("RLIMIT_NPROC is not enforced here: a thread was created beyond it")
    return printed


@needs_limits
def test_a_system_that_refuses_threads_makes_calls_serial_with_one_warning() -> None:
    code = (
        "losslib.set_num_threads(3)\n"
        "refuse(1)\n"
        "if not refused(): print('unenforced'); sys.exit()\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    values = {losslib.huber_loss(x, zero) for _ in range(10)}\n"
        "assert len(values) == 1 and abs(values.pop() - expected[1]) < 1e-12\n"
        "assert [w.category for w in caught] == [RuntimeWarning], caught\n"
        "print(caught[0].message)\n"
        "print(caught[0].filename)\n"  # where the call was, not inside losslib
        "print(threads.workers(), losslib.get_num_threads(), losslib.config()['threads']['threads_creatable'])\n"
        "losslib.show_config()\n"
    )
    lines = run_or_skip(code).splitlines()
    assert "refused to create the 2 threads" in lines[0]
    assert "LOSSLIB_NUM_THREADS=1" in lines[0]
    assert lines[1] == "<string>"
    assert lines[2] == "0 1 False"
    assert "threads          1 (of 3: the system refused to create more)" in lines


@needs_limits
def test_where_warnings_are_errors_a_refused_thread_still_breaks_no_call() -> None:
    code = (
        "losslib.set_num_threads(2)\n"
        "refuse(1)\n"
        "if not refused(): print('unenforced'); sys.exit()\n"
        "unraisable = []\n"
        "sys.unraisablehook = unraisable.append\n"
        "print(abs(losslib.huber_loss(x, zero) - expected[1]) < 1e-12, [u.exc_type.__name__ for u in unraisable])\n"
    )
    assert run_or_skip(code) == "True ['RuntimeWarning']"


@needs_limits
def test_threads_are_tried_again_when_their_number_is_set() -> None:
    code = (
        "import resource\n"
        "losslib.set_num_threads(2)\n"
        "most = resource.getrlimit(resource.RLIMIT_NPROC)[0]\n"
        "refuse(1)\n"
        "if not refused(): print('unenforced'); sys.exit()\n"
        "warnings.simplefilter('ignore')\n"
        "losslib.huber_loss(x, zero)\n"
        "before = threads.workers()\n"
        "resource.setrlimit(resource.RLIMIT_NPROC, (most, resource.getrlimit(resource.RLIMIT_NPROC)[1]))\n"
        "losslib.huber_loss(x, zero)\n"
        "still = threads.workers()\n"
        "losslib.set_num_threads(2)\n"
        "print(before, still, abs(losslib.huber_loss(x, zero) - expected[1]) < 1e-12, threads.workers())\n"
    )
    assert run_or_skip(code) == "0 0 True 1"


@needs_limits
def test_a_system_that_grants_some_threads_has_them_used() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become a user whose processes are known to be this one alone")
    code = (
        "losslib.set_num_threads(5)\n"
        "refuse(3)\n"
        "warnings.simplefilter('ignore')\n"
        "value = losslib.huber_loss(x, zero)\n"
        "if not refused(): print('unenforced'); sys.exit()\n"
        "print(abs(value - expected[1]) < 1e-12, threads.workers(), losslib.get_num_threads())\n"
    )
    assert run_or_skip(code) == "True 2 3"
