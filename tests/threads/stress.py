"""Parallel calls of every geometry from several Python threads at once, for ThreadSanitizer (`make test-tsan`).

Each answer is compared with that of one thread, bit for bit, while the number of threads changes. A data race ends the
process with a report; what it covers is written in docs/develop/threads.rst.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

import losslib
from losslib._kernels import threads as kernel_threads

ROUNDS, CALLERS = 30, 4


def calls() -> dict[str, Callable[[], Any]]:
    """Return a call of each loop that has threads."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 60_000), dtype=np.float32)
    logits, rows = rng.standard_normal((4_000, 10)), rng.standard_normal((400, 120))
    classes, labels = rng.integers(0, 10, 4_000), rng.integers(0, 120, 400)
    triplets = rng.standard_normal((3, 900, 50))
    log_probs = np.log(rng.dirichlet(np.ones(20), (40, 12)))
    targets, lengths = rng.integers(1, 20, (12, 8)), np.full(12, 40)
    lattice, symbols = rng.standard_normal((3, 12, 6, 20)), rng.integers(1, 20, (3, 5))
    return {
        "pointwise": lambda: losslib.huber_loss.value_and_grad(x, y),
        "pointwise, out": lambda: losslib.mse_loss.grad(x, y, reduction="none"),
        "softmax, lanes": lambda: losslib.cross_entropy.value_and_grad(logits, classes, ignore_index=3),
        "softmax, rows": lambda: losslib.cross_entropy.value_and_grad(rows, labels, label_smoothing=0.1),
        "margin": lambda: losslib.multi_margin_loss.value_and_grad(logits, classes),
        "distance": lambda: losslib.triplet_margin_loss.value_and_grad(*triplets),
        "ctc, many": lambda: losslib.ctc_loss.value_and_grad(log_probs, targets, lengths, np.full(12, 8)),
        "ctc, few": lambda: losslib.ctc_loss.value_and_grad(log_probs[:, :2], targets[:2], lengths[:2], np.full(2, 8)),
        "transducer": lambda: losslib.rnnt_loss.value_and_grad(lattice, symbols, np.full(3, 12), np.full(3, 5)),
        "lifetimes": lambda: losslib.aft_loss.value_and_grad(x, np.exp(y), np.inf),
        "intervals": lambda: losslib.logistic_hazard_loss.value_and_grad(logits, classes, classes % 2),
    }


def bits(answer: Any) -> tuple[bytes, ...]:
    """Return the bytes of the numbers and arrays of an answer."""
    if isinstance(answer, tuple):
        return tuple(part for item in answer for part in bits(item))
    return (np.asarray(answer).tobytes(),)


def main() -> int:
    kernel_threads.set_threshold(0.0)
    losslib.set_num_threads(1)
    ways = calls()
    expected = {name: bits(call()) for name, call in ways.items()}
    wrong: list[str] = []
    parallel = [0] * CALLERS

    def keep_calling(caller: int) -> None:
        for round_ in range(ROUNDS):
            for name, call in ways.items():
                if bits(call()) != expected[name]:
                    wrong.append(f"{name}, caller {caller}, round {round_}")
                parallel[caller] += kernel_threads.workers() > 0

    callers = [threading.Thread(target=keep_calling, args=(caller,)) for caller in range(CALLERS)]
    for caller in callers:
        caller.start()
    width = 0
    while any(caller.is_alive() for caller in callers):
        losslib.set_num_threads(2 + width % 3)
        width += 1
        callers[0].join(0.02)
    total = CALLERS * ROUNDS * len(ways)
    print(f"{total} calls, {sum(parallel)} by callers with workers, {len(wrong)} wrong", *wrong[:10], sep="\n")
    return int(bool(wrong) or sum(parallel) == 0)


if __name__ == "__main__":
    sys.exit(main())
