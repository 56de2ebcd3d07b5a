"""Losses of batches of vectors and of large vocabularies, beside the matrix products that they cannot do without.

``python benchmarks/vectors.py`` times value and gradient in float32 with as many threads as asked for, of BLAS and of
losslib, and prints the time over that of the products alone (the floor), and of PyTorch Metric Learning and PyTorch
over losslib's. Contestants take turns; a time is the smallest of its rounds.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import losslib

#: losslib's loss, its parameters, and what PyTorch Metric Learning calls it.
LOSSES: list[tuple[str, dict[str, Any], str]] = [
    ("supcon_loss", {}, "SupConLoss"),
    ("circle_loss", {}, "CircleLoss"),
    ("multi_similarity_loss", {}, "MultiSimilarityLoss"),
    ("batch_triplet_loss", {}, ""),
    ("batch_triplet_loss", {"mining": "all", "margin": 0.05}, "TripletMarginLoss"),
]
SIZES = ((256, 128), (4096, 512))
LAYERS = ((2048, 768, 50257),)
CLUSTERED = ((512, 256, 10_000), (2048, 768, 50_257))
#: Members of a class, and rows from which pairs and triplets as lists take too long.
MEMBERS, LISTED = 8, 1024


def batch(rows: int, components: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows)
    return rng.standard_normal((rows, components), np.float32), np.arange(rows) // MEMBERS


def products(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    """The three products of a loss of all pairs: similarities, and the gradients by both sides."""

    def run() -> Any:
        matrix = x @ y.T
        return matrix @ y, matrix.T @ x

    return run


def rounds(contestants: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Let the contestants take turns; return the smallest time of each in milliseconds."""
    best = dict.fromkeys(contestants, np.inf)
    for run in contestants.values():
        run()
    end = time.perf_counter() + seconds * len(contestants)
    while True:
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], 1e3 * (time.perf_counter() - start))
        if time.perf_counter() > end:
            return best


def of(loss: Any, *inputs: np.ndarray) -> Callable[[], Any]:
    return lambda: loss.value_and_grad(*inputs)


def metric_learning(name: str, x: np.ndarray, labels: np.ndarray) -> Callable[[], Any] | None:
    """The same loss of PyTorch Metric Learning, forward and backward."""
    try:
        torch, losses = importlib.import_module("torch"), importlib.import_module("pytorch_metric_learning.losses")
    except ImportError:
        return None
    theirs, moved, target = getattr(losses, name)(), torch.tensor(x, requires_grad=True), torch.tensor(labels)

    def run() -> Any:
        moved.grad = None
        theirs(moved, target).backward()
        return moved.grad

    return run


def vectors(seconds: float, sizes: tuple[tuple[int, int], ...]) -> None:
    print(f"{'loss':36}{'size':>12}{'losslib ms':>12}{'÷ products':>12}{'PML ÷ losslib':>15}")
    for rows, components in sizes:
        x, labels = batch(rows, components)
        for name, parameters, there in LOSSES:
            loss = losslib.get(name, **parameters)
            contestants = {"products": products(x, x), "losslib": of(loss, x, labels)}
            listed = there in ("TripletMarginLoss", "CircleLoss", "MultiSimilarityLoss") and rows > LISTED
            peer = metric_learning(there, x, labels) if there and not listed else None
            if peer is not None:
                contestants["peer"] = peer
            best = rounds(contestants, seconds)
            title = " ".join([name, *(f"{v}" for v in parameters.values() if isinstance(v, str))])
            beside = f"{best['peer'] / best['losslib']:.1f}" if peer else "–"
            print(
                f"{title:36}{f'{rows}×{components}':>12}{best['losslib']:12.2f}"
                f"{best['losslib'] / best['products']:12.2f}{beside:>15}"
            )
        y = batch(rows + 1, components)[0][:rows]
        best = rounds({"products": products(x, y), "losslib": of(losslib.InfoNCELoss(), x, y)}, seconds)
        print(
            f"{'info_nce_loss':36}{f'{rows}×{components}':>12}{best['losslib']:12.2f}"
            f"{best['losslib'] / best['products']:12.2f}{'–':>15}"
        )


def layers(seconds: float) -> None:
    print(f"\n{'linear_cross_entropy':36}{'losslib ms':>12}{'÷ products':>12}{'PyTorch ÷ losslib':>20}")
    for rows, components, classes in LAYERS:
        rng = np.random.default_rng(0)
        hidden = rng.standard_normal((rows, components), np.float32)
        weight = 0.02 * rng.standard_normal((classes, components), np.float32)
        target = rng.integers(0, classes, rows)
        contestants = {
            "products": products(hidden, weight),
            "losslib": of(losslib.LinearCrossEntropy(), hidden, weight, target),
        }
        try:
            torch = importlib.import_module("torch")
            moved = [torch.tensor(array, requires_grad=True) for array in (hidden, weight)]
            classes_of = torch.tensor(target)

            def theirs(moved: Any = moved, classes_of: Any = classes_of, torch: Any = torch) -> Any:
                for tensor in moved:
                    tensor.grad = None
                torch.nn.functional.cross_entropy(moved[0] @ moved[1].T, classes_of).backward()

            contestants["PyTorch"] = theirs
        except ImportError:
            pass
        best = rounds(contestants, seconds)
        beside = f"{best['PyTorch'] / best['losslib']:.2f}" if "PyTorch" in best else "–"
        print(
            f"{f'{rows}×{components}×{classes}':36}{best['losslib']:12.1f}{best['losslib'] / best['products']:12.2f}"
            f"{beside:>20}"
        )


def clusters(seconds: float) -> None:
    """The adaptive softmax of words whose frequencies fall as 1/rank, against PyTorch's module."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return
    print(f"\n{'adaptive_log_softmax_with_loss':36}{'losslib ms':>12}{'PyTorch ÷ losslib':>20}")
    for rows, components, classes in CLUSTERED:
        rng = np.random.default_rng(0)
        hidden = rng.standard_normal((rows, components), np.float32)
        shares = 1 / np.arange(1, classes + 1)
        target = rng.choice(classes, rows, p=shares / shares.sum())
        module = torch.nn.AdaptiveLogSoftmaxWithLoss(components, classes, [classes // 25, classes // 5])
        pairs = [tuple(layer.weight.detach().numpy() for layer in tail) for tail in module.tail]
        moved, labels = torch.tensor(hidden, requires_grad=True), torch.tensor(target)

        def theirs(module: Any = module, moved: Any = moved, labels: Any = labels) -> None:
            module.zero_grad()
            moved.grad = None
            module(moved, labels).loss.backward()

        loss, head = losslib.AdaptiveLogSoftmaxWithLoss(), module.head.weight.detach().numpy()
        best = rounds({"losslib": of(loss, hidden, target, head, pairs), "PyTorch": theirs}, seconds)
        beside = f"{best['PyTorch'] / best['losslib']:.2f}"
        print(f"{f'{rows}×{components}×{classes}':36}{best['losslib']:12.1f}{beside:>20}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a contestant")
    parser.add_argument("--small", action="store_true", help="only the smallest size")
    arguments = parser.parse_args()
    vectors(arguments.seconds, SIZES[:1] if arguments.small else SIZES)
    if not arguments.small:
        layers(arguments.seconds)
        clusters(arguments.seconds)


if __name__ == "__main__":
    main()
