"""Threads: the same bits for any number of them, the rules that choose the number, and what fork leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib
from formulas import POINTWISE, POINTWISE_IDS, loss_class, points
from losslib import parallelism
from losslib._kernels import threads as kernel_threads

PER_LOSS = pytest.mark.parametrize("info", POINTWISE, ids=POINTWISE_IDS)

#: Several tasks of 16384 elements and a ragged end.
SIZE = 5 * 16_384 + 1237

HAS_THREADS = kernel_threads.openmp()
needs_threads = pytest.mark.skipif(not HAS_THREADS, reason="built without OpenMP")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")


@pytest.fixture
def always_parallel() -> Iterator[None]:
    """Use threads for any call of more than one task, and put everything back afterwards."""
    threshold, width = kernel_threads.threshold(), kernel_threads.width()
    kernel_threads.set_threshold(0.0)
    try:
        yield
    finally:
        kernel_threads.set_threshold(threshold)
        kernel_threads.set_width(width)


def run(code: str, timeout: float = 60.0, **environment: str) -> str:
    """Run Python code in a process of its own and return what it printed."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("LOSSLIB_NUM_THREADS", "OMP_NUM_THREADS", "LOSSLIB_ISA")
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=timeout,
        env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ---- the same bits -----------------------------------------------------------------------------------------------


@needs_threads
@PER_LOSS
def test_one_two_three_and_seven_threads_give_the_same_bits(info: Any, always_parallel: None) -> None:
    for dtype in (np.float32, np.float64):
        few = points(info, {}, 4001)
        inputs = [np.resize(array, SIZE).astype(dtype) for array in few.values()]
        if info.averages_last_axis:
            inputs = [array[: SIZE // 3 * 3].reshape(-1, 3) for array in inputs]
        mask = np.arange(len(inputs[0])) % 7 != 0
        if info.averages_last_axis:
            mask = mask[:, np.newaxis]
        calls: list[Any] = []
        for reduction in ("mean", "none") if dtype is np.float32 else ("sum",):
            loss = loss_class(info)(reduction=reduction)
            calls += [loss, loss.grad, loss.value_and_grad, loss.value_grad_hess]
            options = {"where": mask, "sample_weight": mask.reshape(-1) + 0.5}
            calls += [lambda *arrays, loss=loss, options=options: loss(*arrays, **options)]
            calls += [lambda *arrays, loss=loss: loss.value_and_grad(*arrays, wrt=info.differentiable)]
        for call in calls:
            kernel_threads.set_width(1)
            expected = flat(call(*inputs))
            for width in (2, 3, 7):
                kernel_threads.set_width(width)
                for found, serial in zip(flat(call(*inputs)), expected, strict=True):
                    np.testing.assert_array_equal(found, serial)


def flat(result: Any) -> list[Any]:
    """Return the numbers and arrays of a nested result as a list."""
    if isinstance(result, tuple):
        return [item for part in result for item in flat(part)]
    return [result]


@needs_threads
def test_a_domain_violation_is_seen_whichever_thread_meets_it(always_parallel: None) -> None:
    kernel_threads.set_width(3)
    for position in (0, 16_384, SIZE - 1):
        x = np.full(SIZE, 0.5)
        x[position] = 1.5
        with pytest.raises(losslib.DomainError, match=rf"input\[{position}\]"):
            losslib.binary_cross_entropy.grad(x, np.ones(SIZE))


@needs_threads
def test_two_python_threads_at_once_give_the_same_bits_as_one(always_parallel: None) -> None:
    kernel_threads.set_width(2)
    rng = np.random.default_rng(0)
    pairs = [(rng.standard_normal(SIZE), rng.standard_normal(SIZE)) for _ in range(2)]
    loss = losslib.PseudoHuberLoss()
    expected = [loss.value_and_grad(*pair) for pair in pairs]
    found: list[Any] = [None, None]
    start = threading.Barrier(2)

    def call(k: int) -> None:
        start.wait()
        found[k] = [loss.value_and_grad(*pairs[k]) for _ in range(20)]

    callers = [threading.Thread(target=call, args=(k,)) for k in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for k in range(2):
        for value, grad in found[k]:
            assert value == expected[k][0]
            np.testing.assert_array_equal(grad, expected[k][1])


@needs_threads
def test_the_parallel_path_is_taken_and_given_back(always_parallel: None) -> None:
    """The test above would pass on serial code too; this one counts the operating system's threads."""
    if not Path("/proc/self/task").exists():
        pytest.skip("threads are counted through /proc")
    code = (
        "import os, numpy as np, losslib\n"
        "from losslib._kernels import threads\n"
        "threads.set_threshold(0.0)\n"
        "x = np.ones(100_000)\n"
        "count = lambda: len(os.listdir('/proc/self/task'))\n"
        "before = count()\n"
        "losslib.set_num_threads(1); losslib.mse_loss(x, x); serial = count()\n"
        "threads.set_width(2); losslib.mse_loss(x, x); parallel = count()\n"
        "print(serial - before, parallel - before, threads.creatable(), losslib.mse_loss(x, x))\n"
    )
    assert run(code, OMP_NUM_THREADS="2") == "0 1 True 0.0"


# ---- how many ----------------------------------------------------------------------------------------------------


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


def test_the_quota_of_the_control_group_limits_the_number_of_threads(monkeypatch: Any) -> None:
    monkeypatch.setattr(parallelism, "_affinity", lambda: 16)
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


# ---- setting it --------------------------------------------------------------------------------------------------


@needs_threads
def test_the_number_of_threads_is_set_and_put_back() -> None:
    before = losslib.get_num_threads()
    try:
        losslib.set_num_threads(3)
        assert losslib.get_num_threads() == 3
        with losslib.threads(2):
            assert losslib.get_num_threads() == 2
            with losslib.threads(np.int64(1)):
                assert losslib.get_num_threads() == 1
            assert losslib.get_num_threads() == 2
        with pytest.raises(KeyError), losslib.threads(1):
            raise KeyError
        assert losslib.get_num_threads() == 3
    finally:
        losslib.set_num_threads(before)


@pytest.mark.parametrize("n", [0, -1, 257, 1.0, "2", None, True, 2**40])
def test_an_impossible_number_of_threads_is_refused(n: Any) -> None:
    before = losslib.get_num_threads()
    with pytest.raises(losslib.ParameterError, match=r"n must be an integer from 1 to 256, got"):
        losslib.set_num_threads(n)
    with pytest.raises(losslib.ParameterError), losslib.threads(n):
        pass
    assert losslib.get_num_threads() == before


def test_the_limit_of_the_openmp_runtime_is_reported() -> None:
    facts = losslib.config()["threads"]
    assert facts["openmp"] is HAS_THREADS
    assert facts["openmp_limit"] >= 1
    assert facts["num_threads"] == losslib.get_num_threads()
    assert facts["forked_child"] is False


# ---- fork --------------------------------------------------------------------------------------------------------


@needs_fork
@needs_threads
def test_a_forked_child_computes_serially_and_does_not_hang() -> None:
    code = (
        "import os, sys, numpy as np, losslib\n"
        "from losslib._kernels import threads\n"
        "threads.set_threshold(0.0); threads.set_width(2)\n"
        "x = np.linspace(-3, 3, 200_000)\n"
        "expected = losslib.huber_loss(x, np.zeros_like(x))\n"  # a parallel region before the fork
        "child = os.fork()\n"
        "if child == 0:\n"
        "    code = 0\n"
        "    code |= 1 * (losslib.get_num_threads() != 1)\n"
        "    code |= 2 * (not losslib.config()['threads']['forked_child'])\n"
        "    code |= 4 * (losslib.huber_loss(x, np.zeros_like(x)) != expected)\n"
        "    try:\n"
        "        losslib.set_num_threads(2); code |= 8\n"
        "    except RuntimeError as error:\n"
        "        code |= 16 * ('spawn' not in str(error))\n"
        "    losslib.set_num_threads(1)\n"
        "    with losslib.threads(1):\n"
        "        code |= 32 * (losslib.huber_loss(x, np.zeros_like(x)) != expected)\n"
        "    os._exit(code)\n"
        "_, status = os.waitpid(child, 0)\n"
        "print(os.waitstatus_to_exitcode(status), threads.forked())\n"
        "print(losslib.huber_loss(x, np.zeros_like(x)) == expected)"
    )
    assert run(code, OMP_NUM_THREADS="2", PYTHONWARNINGS="ignore").split() == ["0", "False", "True"]


@needs_fork
@needs_threads
def test_a_fork_during_a_parallel_call_leaves_a_child_that_works() -> None:
    code = (
        "import os, threading, numpy as np, losslib\n"
        "from losslib._kernels import threads\n"
        "threads.set_threshold(0.0); threads.set_width(2)\n"
        "x = np.linspace(-3, 3, 300_000); zero = np.zeros_like(x)\n"
        "expected = losslib.log_cosh_loss(x, zero)\n"
        "stop = threading.Event()\n"
        "def work():\n"
        "    while not stop.is_set(): losslib.log_cosh_loss(x, zero)\n"
        "worker = threading.Thread(target=work); worker.start()\n"
        "codes = []\n"
        "for _ in range(10):\n"
        "    child = os.fork()\n"
        "    if child == 0: os._exit(0 if losslib.log_cosh_loss(x, zero) == expected else 1)\n"
        "    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "stop.set(); worker.join()\n"
        "print(codes)"
    )
    code = "import warnings; warnings.simplefilter('ignore')\n" + code
    assert run(code, OMP_NUM_THREADS="2") == str([0] * 10)
