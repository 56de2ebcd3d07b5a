"""Losses of batches of vectors, beside the matrix products that they cannot do without.

    python benchmarks/vectors.py                    everything; some minutes, most of them at 32768×512
    python benchmarks/vectors.py --sizes 256x128    one size
    python benchmarks/vectors.py --peak             the memory of each size too

Times value and gradient in float32, two threads each of BLAS, losslib and PyTorch. The table gives the time over that
of the products alone (the floor), and of PyTorch Metric Learning over losslib's; for InfoNCE the other is PyTorch's own
cross entropy of the product. Contestants take turns; a time is the smallest of its rounds. The memory is what a process
grows by in a call, beyond the inputs, with the gradients.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from turns import Call, peak_apart, peak_of, ratio, rounds, through_torch

import losslib

#: losslib's loss, its parameters, and how PyTorch Metric Learning makes the same.
LOSSES: dict[str, tuple[str, dict[str, Any], str]] = {
    "InfoNCE": ("info_nce_loss", {}, ""),
    "SupCon": ("supcon_loss", {}, "SupConLoss"),
    "circle": ("circle_loss", {}, "CircleLoss"),
    "multi-similarity": ("multi_similarity_loss", {}, "MultiSimilarityLoss"),
    "batch-hard triplets": ("batch_triplet_loss", {}, "BatchHardMiner"),
    "batch-all triplets": ("batch_triplet_loss", {"mining": "all", "margin": 0.05}, "TripletMarginLoss"),
}
SIZES = ("256x128", "4096x512", "32768x512")
MEMBERS = 8  # of a class
#: Rows from which the matrices, or the lists of triplets, of PyTorch Metric Learning do not fit into the memory.
MOST_ROWS, MOST_ROWS_OF_LISTS = 8192, 1024


def batch(size: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return two views and labels."""
    rows, components = (int(part) for part in size.split("x"))
    rng = np.random.default_rng(rows)
    x, y = (rng.standard_normal((rows, components), np.float32) for _ in range(2))
    return x, y, np.arange(rows) // MEMBERS


def products(x: np.ndarray, y: np.ndarray) -> Call:
    """The three products of a loss of all pairs, 64 MB at a time: similarities, and the gradients by both sides."""
    step = max(1, (64 << 20) // (len(y) * y.itemsize))

    def run() -> Any:
        first, second = np.empty_like(x), np.zeros_like(y)
        for start in range(0, len(x), step):
            part = slice(start, start + step)
            matrix = x[part] @ y.T
            np.matmul(matrix, y, out=first[part])
            if step >= len(x):
                np.matmul(matrix.T, x, out=second)
            else:
                second += matrix.T @ x[part]
        return first, second

    return run


def ours(name: str, x: np.ndarray, y: np.ndarray, labels: np.ndarray) -> Call:
    loss_name, parameters, _ = LOSSES[name]
    loss = losslib.get(loss_name, **parameters)
    other = y if loss_name == "info_nce_loss" else labels
    return lambda: loss.value_and_grad(x, other)


def theirs(name: str, x: np.ndarray, y: np.ndarray, labels: np.ndarray) -> Call | None:
    """The same forward and backward; None where a package is missing, or memory."""
    there = LOSSES[name][2]
    if len(x) > (MOST_ROWS_OF_LISTS if there == "TripletMarginLoss" else MOST_ROWS):
        return None
    try:
        torch = importlib.import_module("torch")
        torch.set_num_threads(2)
        tensors = [torch.tensor(array, requires_grad=True) for array in ((x, y) if not there else (x,))]
        if not there:
            return through_torch(info_nce(torch), tensors)
        return through_torch(metric_learning(there), tensors, (torch.tensor(labels),))
    except ImportError:
        return None


def info_nce(torch: Any) -> Callable[..., Any]:
    functional = torch.nn.functional

    def loss(x: Any, y: Any) -> Any:
        logits = functional.normalize(x) @ functional.normalize(y).T / losslib.InfoNCELoss().temperature
        return functional.cross_entropy(logits, torch.arange(len(x)))

    return loss


def metric_learning(there: str) -> Callable[..., Any]:
    losses = importlib.import_module("pytorch_metric_learning.losses")
    if there != "BatchHardMiner":
        return getattr(losses, there)()  # type: ignore[no-any-return]
    miner = importlib.import_module("pytorch_metric_learning.miners").BatchHardMiner()
    loss = losses.TripletMarginLoss(margin=1.0)
    return lambda x, labels: loss(x, labels, miner(x, labels))


def show(size: str, names: list[str], seconds: float, peak: bool) -> None:
    x, y, labels = batch(size)
    for name in names:
        calls = {"products": products(x, y if name == "InfoNCE" else x), "losslib": ours(name, x, y, labels)}
        peer = theirs(name, x, y, labels)
        if peer is not None:
            calls["peer"] = peer
        best = rounds(calls, seconds)
        line = f"{name:22}{size:>12}{best['losslib']:12.2f}{best['losslib'] / best['products']:12.2f}"
        line += f"{ratio(best, 'peer'):>14}"
        if peak:
            for who in ("losslib", "peer"):
                grown = peak_apart(__file__, "--sizes", size, "--measure", name, who)
                line += f"{'–' if grown is None else f'{grown:.0f}':>12}"
        print(line, flush=True)


def measure(size: str, name: str, who: str) -> None:
    """Print the memory of one contestant, in this process alone, after a small call that loads what it needs."""
    make = ours if who == "losslib" else theirs
    for each in ("16x8", size):
        call = make(name, *batch(each))
        if call is None:
            raise SystemExit(1)
        grown = peak_of(call)
    print(grown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a contestant and a loss")
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="NxD")
    parser.add_argument("--losses", nargs="+", default=list(LOSSES), choices=list(LOSSES), metavar="NAME")
    parser.add_argument("--peak", action="store_true", help="memory too, each in a process of its own")
    parser.add_argument("--measure", nargs=2, metavar=("LOSS", "WHO"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    losslib.set_num_threads(2)
    if arguments.measure:
        measure(arguments.sizes[0], *arguments.measure)
        return
    head = f"{'loss':22}{'size':>12}{'losslib ms':>12}{'÷ products':>12}{'peer ÷':>14}"
    print(head + (f"{'MB':>12}{'peer MB':>12}" if arguments.peak else ""))
    for size in arguments.sizes:
        show(size, arguments.losses, arguments.seconds, arguments.peak)


if __name__ == "__main__":
    main()
