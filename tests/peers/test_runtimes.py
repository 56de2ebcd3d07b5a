"""losslib in one process with libraries that bring threads of their own: any order of import, and their limits."""

from __future__ import annotations

import pytest

from processes import run

COMPUTE = """
import numpy as np
def compute():
    import losslib
    from losslib._kernels import threads
    threads.set_threshold(0.0)
    losslib.set_num_threads(2)
    x = np.linspace(-3, 3, 200_000)
    expected = np.where(abs(x) < 1, x**2 / 2, abs(x) - 0.5).mean()
    return abs(losslib.huber_loss(x, np.zeros_like(x)) - expected) < 1e-12, threads.workers()
def torch():
    import torch
    x = torch.linspace(-3, 3, 200_000, dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.huber_loss(x, torch.zeros_like(x))
    loss.backward()
    return float(loss)
def sklearn():
    from sklearn.cluster import KMeans
    points = np.random.default_rng(0).standard_normal((3000, 5))
    return KMeans(3, n_init=1, random_state=0).fit(points).inertia_ > 0
"""


@pytest.mark.parametrize("peer", ["torch", "sklearn"])
@pytest.mark.parametrize("losslib_first", [True, False])
def test_either_order_of_import_works(peer: str, losslib_first: bool) -> None:
    order = f"compute(); {peer}()" if losslib_first else f"{peer}(); compute()"
    code = "import warnings; warnings.simplefilter('ignore')\n" + COMPUTE + (
        f"{order}\n"
        f"assert {peer}()\n"
        "print(*compute())\n"
    )  # fmt: skip
    assert run(code, timeout=180.0) == "True 1"


def test_the_limit_of_threadpoolctl_is_kept() -> None:
    pytest.importorskip("threadpoolctl")
    code = (
        "import numpy as np, losslib, threadpoolctl\n"
        "from losslib._kernels import threads\n"
        "if not threads.openmp():\n"
        "    print('no OpenMP')\n"
        "    raise SystemExit\n"
        "threads.set_threshold(0.0)\n"
        "losslib.set_num_threads(2)\n"
        "x = np.ones(200_000)\n"
        "with threadpoolctl.threadpool_limits(1):\n"
        "    losslib.mse_loss(x, x)\n"
        "    limited = threads.workers(), losslib.config()['threads']['openmp_limit']\n"
        "losslib.mse_loss(x, x)\n"
        "print(limited, threads.workers())\n"
    )
    printed = run(code, timeout=120.0)
    if printed == "no OpenMP":
        pytest.skip("built without OpenMP, which carries the limit")
    assert printed == "(0, 1) 1"


def test_a_caller_that_flushes_subnormal_numbers_gets_the_same_bits_from_any_number_of_threads() -> None:
    pytest.importorskip("torch")
    code = (
        "import numpy as np, torch, losslib\n"
        "from losslib._kernels import threads\n"
        "threads.set_threshold(0.0)\n"
        "x = np.full(300_000, 1e-39, np.float32)\n"
        "zero = np.zeros_like(x)\n"
        "answers = []\n"
        "for flush in (False, True):\n"
        "    if not torch.set_flush_denormal(flush):\n"
        "        print('unsupported')\n"
        "        raise SystemExit\n"
        "    for width in (1, 4):\n"
        "        losslib.set_num_threads(width)\n"
        "        answers.append({losslib.l1_loss.grad(x, zero, reduction='sum').tobytes() for _ in range(20)})\n"
        "same = answers[0] == answers[1], answers[2] == answers[3]\n"
        "print([len(a) for a in answers], *same, answers[0] != answers[2])\n"
    )
    printed = run(code, timeout=180.0)
    if printed == "unsupported":
        pytest.skip("torch cannot flush subnormal numbers on this processor")
    assert printed == "[1, 1, 1, 1] True True True"
