"""Fork: no child hangs, every child computes the right value, and a child has threads only if it asks for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import native
from losslib._kernels import threads
from processes import run, run_script

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")

#: What every process of these tests begins with: threads for any call of several blocks, and a value to compare with.
PREPARE = """
import os, sys, threading, warnings
warnings.simplefilter("ignore")  # Python 3.12 warns when a process with threads forks, which is what is tested
import numpy as np, losslib
from losslib._kernels import threads
threads.set_threshold(0.0)
losslib.set_num_threads(2)
two = 2 if threads.openmp() else 1  # a build without OpenMP computes serially
x = np.linspace(-3, 3, 200_000)
zero = np.zeros_like(x)
def compute():
    value, grad = losslib.huber_loss.value_and_grad(x, zero)
    return value, float(grad.sum())
"""

SCENARIOS = """
import multiprocessing

def child(expected, forked):
    assert losslib.config()["threads"]["forked_child"] is forked
    assert losslib.get_num_threads() == (1 if forked else two)
    for _ in range(5):
        assert compute() == expected
    if forked:
        assert threads.workers() == 0
    losslib.set_num_threads(2)
    for _ in range(5):
        assert compute() == expected
    assert threads.workers() == two - 1 and losslib.get_num_threads() == two

def start(context, expected, forked, target=child):
    process = context.Process(target=target, args=(expected, forked))
    process.start()
    process.join(40)
    assert process.exitcode == 0, process.exitcode

def parent_of_grandchild(expected, forked):
    child(expected, forked)
    start(multiprocessing.get_context("fork"), expected, True)

def in_thread(call):
    failures = []
    def guarded():
        try:
            call()
        except BaseException as error:
            failures.append(error)
    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]

def main(method, row):
    forked = method == "fork"
    context = multiprocessing.get_context(method)
    expected = compute()
    assert threads.workers() == two - 1  # this process has computed in parallel
    if row == "main thread":
        start(context, expected, forked)
    elif row == "another thread":
        in_thread(lambda: start(context, expected, forked))
    elif row == "another thread that computed":
        in_thread(lambda: (compute(), start(context, expected, forked)))
    elif row == "while another thread computes":
        stop = threading.Event()
        def keep_computing():
            while not stop.is_set():
                compute()
        busy = threading.Thread(target=keep_computing)
        busy.start()
        try:
            for _ in range(3):
                start(context, expected, forked)
        finally:
            stop.set()
            busy.join()
    elif row == "grandchild":
        start(context, expected, forked, parent_of_grandchild)
    else:
        raise ValueError(row)
    assert compute() == expected
    assert losslib.config()["threads"]["forked_child"] is False
    print("right")

if __name__ == "__main__":
    main(*sys.argv[1:])
"""

ROWS = (
    "main thread", "another thread", "another thread that computed", "while another thread computes", "grandchild",
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_child_of_every_start_method_computes_and_ends(method: str, row: str, tmp_path: Path) -> None:
    script = tmp_path / "scenario.py"
    script.write_text(PREPARE + SCENARIOS)
    assert run_script(script, method, row, timeout=100.0) == "right"


def test_a_forked_child_says_so_and_stays_serial_until_its_number_of_threads_is_set() -> None:
    code = PREPARE + (
        "expected = compute()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try:\n"
        "        losslib.show_config()\n"
        "        assert losslib.get_num_threads() == 1 and compute() == expected and threads.workers() == 0\n"
        "        with losslib.threads(2):\n"
        "            assert compute() == expected and threads.workers() == two - 1\n"
        "        assert losslib.get_num_threads() == 1\n"  # what it was before
        "        sys.stdout.flush()\n"
        "        os._exit(0)\n"
        "    except BaseException as error:\n"
        "        print(repr(error), flush=True)\n"
        "        os._exit(1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
        "print(losslib.get_num_threads() == two, compute() == expected)\n"
    )
    lines = run(code).splitlines()
    assert "threads          1 (forked child: serial until losslib.set_num_threads is called in it)" in lines
    assert lines[-1] == "True True"


def test_the_workers_of_a_pre_fork_server_compute_right() -> None:
    """As gunicorn with --preload: the parent has computed, then forks four workers, each of which answers 100 calls."""
    code = PREPARE + (
        "expected = compute()\n"
        "read, write = os.pipe()\n"
        "children = []\n"
        "for _ in range(4):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        right = sum(compute() == expected for _ in range(100))\n"
        "        os.write(write, f'{right} '.encode())\n"
        "        os._exit(0)\n"
        "    children.append(child)\n"
        "codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]\n"
        "os.close(write)\n"
        "print(codes, os.read(read, 100).decode().split(), compute() == expected)"
    )
    assert run(code) == "[0, 0, 0, 0] ['100', '100', '100', '100'] True"


def test_a_fork_while_other_threads_compute_leaves_children_that_work() -> None:
    code = PREPARE + (
        "expected = compute()\n"
        "stop = threading.Event()\n"
        "def keep_computing():\n"
        "    while not stop.is_set(): compute()\n"
        "others = [threading.Thread(target=keep_computing) for _ in range(2)]\n"
        "for other in others: other.start()\n"
        "codes = []\n"
        "for number in range(20):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        if number % 2: losslib.set_num_threads(2)\n"
        "        os._exit(0 if compute() == expected else 1)\n"
        "    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "stop.set()\n"
        "for other in others: other.join()\n"
        "print(codes)"
    )
    assert run(code) == str([0] * 20)


# ---- a child that cannot have threads ----------------------------------------------------------------------------

needs_preload = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="LD_PRELOAD is Linux's")

needs_libgomp = pytest.mark.skipif(
    "libgomp" not in threads.runtime()[1], reason="only libgomp's teams stay with the parent"
)

#: A runtime that does not give its teams back, as libgomp before GCC 9.
KEEPS_TEAMS = 'extern "C" int omp_pause_resource_all(int) { return -1; }\n'


@needs_libgomp
@needs_preload
def test_a_child_whose_parent_could_not_give_its_team_back_is_serial_and_says_why() -> None:
    code = PREPARE + (
        "expected = compute()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try:\n"
        "        losslib.show_config()\n"
        "        assert losslib.config()['threads']['stranded_child']\n"
        "        assert losslib.get_num_threads() == 1 and compute() == expected\n"
        "        losslib.set_num_threads(1)\n"
        "        for promise in (lambda: losslib.set_num_threads(2), losslib.threads(2).__enter__):\n"
        "            try:\n"
        "                promise()\n"
        "            except RuntimeError as error:\n"
        "                print(error)\n"
        "            else:\n"
        "                raise AssertionError('more threads were promised')\n"
        "        assert losslib.get_num_threads() == 1 and compute() == expected\n"
        "        sys.stdout.flush()\n"
        "        os._exit(0)\n"
        "    except BaseException as error:\n"
        "        print(repr(error), flush=True)\n"
        "        os._exit(1)\n"
        "code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "print(code, losslib.get_num_threads(), compute() == expected, threads.workers())\n"
    )
    lines = run(code, LD_PRELOAD=native.build(KEEPS_TEAMS)._name).splitlines()
    assert "threads          1 (forked child without its parent's OpenMP workers: serial for good)" in lines
    assert sum("was forked from a thread whose OpenMP workers stayed with the parent" in line for line in lines) == 2
    assert lines[-1] == "0 2 True 1"


@needs_libgomp
@needs_preload
def test_a_child_of_a_thread_that_never_computed_has_threads_even_then() -> None:
    code = PREPARE + (
        "child = os.fork()\n"
        "if child == 0:\n"
        "    losslib.set_num_threads(2)\n"
        "    compute()\n"
        "    os._exit(10 + threads.workers())\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert run(code, LD_PRELOAD=native.build(KEEPS_TEAMS)._name) == "11"


@needs_libgomp
def test_a_fork_costs_the_parent_no_threads() -> None:
    code = PREPARE + (
        "expected = compute()\n"
        "for _ in range(20):\n"
        "    child = os.fork()\n"
        "    if child == 0: os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "    gone = threads.workers()\n"
        "    assert compute() == expected\n"
        "    assert (gone, threads.workers()) == (0, 1)\n"
        "print(len(os.listdir('/proc/self/task')) if os.path.isdir('/proc/self/task') else 2)\n"
    )
    assert run(code) == "2"
