"""Threads: the same bits for any number of them, who may use them, and how their number is set."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib
from formulas import POINTWISE, POINTWISE_IDS, loss_class, points
from losslib._kernels import threads as kernel_threads
from processes import run

PER_LOSS = pytest.mark.parametrize("info", POINTWISE, ids=POINTWISE_IDS)

#: Several tasks of 16384 elements and a ragged end.
SIZE = 5 * 16_384 + 1237


# ---- the same bits -----------------------------------------------------------------------------------------------


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
    assert kernel_threads.workers() == (6 if kernel_threads.openmp() else 0)


def flat(result: Any) -> list[Any]:
    """Return the numbers and arrays of a nested result as a list."""
    if isinstance(result, tuple):
        return [item for part in result for item in flat(part)]
    return [result]


def test_a_domain_violation_is_seen_whichever_thread_meets_it(always_parallel: None) -> None:
    kernel_threads.set_width(3)
    for position in (0, 16_384, SIZE - 1):
        x = np.full(SIZE, 0.5)
        x[position] = 1.5
        with pytest.raises(losslib.DomainError, match=rf"input\[{position}\]"):
            losslib.binary_cross_entropy.grad(x, np.ones(SIZE))


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


needs_openmp = pytest.mark.skipif(not kernel_threads.openmp(), reason="built without OpenMP: there are no threads")
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").exists() or not kernel_threads.openmp(),
    reason="threads are counted through /proc, if there are any",
)


@needs_proc
def test_the_parallel_path_is_taken_and_given_back() -> None:
    """The tests above would pass on serial code too; this one counts the operating system's threads."""
    code = (
        "import os, numpy as np, losslib\n"
        "from losslib._kernels import threads\n"
        "threads.set_threshold(0.0)\n"
        "x = np.ones(100_000)\n"
        "count = lambda: len(os.listdir('/proc/self/task'))\n"
        "before = count()\n"
        "losslib.set_num_threads(1); losslib.mse_loss(x, x); serial = count()\n"
        "losslib.set_num_threads(3); losslib.mse_loss(x, x); parallel = count()\n"
        "print(serial - before, parallel - before, threads.workers(), threads.creatable(), losslib.mse_loss(x, x))\n"
    )
    assert run(code) == "0 2 2 True 0.0"


@needs_proc
def test_sixteen_python_threads_get_right_values_and_only_four_keep_a_team() -> None:
    code = (
        "import os, threading, numpy as np, losslib\n"
        "from losslib._kernels import threads\n"
        "threads.set_threshold(0.0)\n"
        "losslib.set_num_threads(3)\n"
        "rng = np.random.default_rng(0)\n"
        "calls = [\n"
        "    (losslib.HuberLoss(), rng.standard_normal(40_000), rng.standard_normal(40_000)),\n"
        "    (losslib.CrossEntropyLoss(), rng.standard_normal((4_000, 10)), rng.integers(0, 10, 4_000)),\n"
        "    (losslib.MultiMarginLoss(), rng.standard_normal((4_000, 10)), rng.integers(0, 10, 4_000)),\n"
        "    (losslib.TripletMarginLoss(), *rng.standard_normal((3, 900, 50))),\n"
        "]\n"
        "def answer(k):\n"
        "    loss, *arrays = calls[k % len(calls)]\n"
        "    value, grad = loss.value_and_grad(*arrays)\n"
        "    first = grad[0] if isinstance(grad, tuple) else grad\n"
        "    return value, first.tobytes()\n"
        "expected = [answer(k) for k in range(len(calls))]\n"
        "right = [0] * 16\n"
        "ready = threading.Barrier(17)\n"
        "def call(k):\n"
        "    ready.wait()\n"
        "    right[k] = sum(answer(k) == expected[k % len(calls)] for _ in range(1000))\n"
        "callers = [threading.Thread(target=call, args=(k,)) for k in range(16)]\n"
        "for caller in callers: caller.start()\n"
        "most = len(os.listdir('/proc/self/task'))\n"
        "ready.wait()\n"
        "while any(caller.is_alive() for caller in callers):\n"
        "    most = max(most, len(os.listdir('/proc/self/task')))\n"
        "    callers[0].join(0.005)\n"
        "for caller in callers: caller.join()\n"
        "print(right == [1000] * 16, most, threads.workers())\n"
    )
    all_right, most, workers = run(code, timeout=240.0).split()
    assert all_right == "True"
    assert int(workers) == 2
    assert 16 + 1 + 2 <= int(most) <= 16 + 1 + 4 * 2  # the callers, the main thread and two workers of each team


@needs_openmp
def test_short_calls_use_threads_only_while_they_come_quickly() -> None:
    """Waking a thread that sleeps costs more than a short call gains."""
    code = (
        "import time, numpy as np, losslib\n"
        "from losslib._kernels import threads\n"
        "losslib.set_num_threads(2)\n"
        "threads.set_recent(50_000_000)\n"
        "x = np.ones(100_000)\n"
        "losslib.mse_loss(x, x); first = threads.workers()\n"
        "losslib.mse_loss(x, x); second = threads.workers()\n"
        "print(first, second)\n"
    )
    # 100,000 squared errors: some 15 us by the cost table, between the threshold and twelve times it.
    assert run(code) == "0 1"


@needs_proc
def test_callers_beyond_the_fourth_give_their_team_back_after_each_call() -> None:
    code = (
        "import os, threading, numpy as np, losslib\n"
        "from losslib._kernels import threads\n"
        "threads.set_threshold(0.0)\n"
        "losslib.set_num_threads(3)\n"
        "loss, x = losslib.BCEWithLogitsLoss(), np.ones(2_000_000, np.float32)\n"  # some milliseconds of work
        "expected = loss(x, x)\n"  # the first team is the main thread's
        "done, end = threading.Semaphore(0), threading.Event()\n"
        "kept = []\n"
        "def call():\n"
        "    assert loss(x, x) == expected\n"
        "    kept.append(threads.workers())\n"
        "    done.release()\n"
        "    end.wait()\n"
        "callers = [threading.Thread(target=call) for _ in range(6)]\n"
        "for caller in callers:\n"
        "    caller.start()\n"
        "    done.acquire()\n"
        "alive = len(os.listdir('/proc/self/task'))\n"
        "end.set()\n"
        "for caller in callers: caller.join()\n"
        "for _ in range(1000):\n"  # the system takes a moment to see them gone
        "    left = len(os.listdir('/proc/self/task'))\n"
        "    if left == 3: break\n"
        "print(kept, alive, left)\n"
    )
    assert run(code) == f"[2, 2, 2, 0, 0, 0] {1 + 6 + 4 * 2} 3"


@needs_proc
def test_no_signal_interrupts_a_worker() -> None:
    code = (
        "import os, numpy as np, losslib\n"
        "from losslib._kernels import threads\n"
        "threads.set_threshold(0.0)\n"
        "losslib.set_num_threads(3)\n"
        "before = set(os.listdir('/proc/self/task'))\n"
        "x = np.ones(100_000); losslib.mse_loss(x, x)\n"
        "workers = set(os.listdir('/proc/self/task')) - before\n"
        "def blocked(task):\n"
        "    with open(f'/proc/self/task/{task}/status') as file:\n"
        "        return next(int(line.split()[1], 16) for line in file if line.startswith('SigBlk'))\n"
        "import signal\n"
        "wanted = sum(1 << number - 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD))\n"
        "print([blocked(task) & wanted == wanted for task in workers], blocked(os.getpid()))\n"
    )
    assert run(code) == "[True, True] 0"


# ---- setting it --------------------------------------------------------------------------------------------------


def at_most(n: int) -> int:
    """Return the number of threads that this build has when `n` are asked for."""
    return n if kernel_threads.openmp() else 1


def test_the_number_of_threads_is_set_and_put_back() -> None:
    before = losslib.get_num_threads()
    try:
        losslib.set_num_threads(3)
        assert losslib.get_num_threads() == at_most(3)
        with losslib.threads(2):
            assert losslib.get_num_threads() == at_most(2)
            with losslib.threads(np.int64(1)):
                assert losslib.get_num_threads() == 1
            assert losslib.get_num_threads() == at_most(2)
        with pytest.raises(KeyError), losslib.threads(1):
            raise KeyError
        assert losslib.get_num_threads() == at_most(3)
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
    assert facts["openmp"] is (facts["openmp_limit"] is not None)
    assert facts["openmp_limit"] is None or facts["openmp_limit"] >= 1
    assert facts["num_threads"] == losslib.get_num_threads()
    assert facts["forked_child"] is False
