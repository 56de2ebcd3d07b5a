"""Large vocabularies, ordered classes and sparse probabilities against PyTorch, coral-pytorch, dlordinal and entmax.

    python benchmarks/vocabularies.py            linear_cross_entropy with its memory, then the losses of rows
    python benchmarks/vocabularies.py --rows     the losses of rows alone
    python benchmarks/vocabularies.py --large    4096×2048×128256 too: some minutes, and 10 GB for PyTorch

Value and gradient in float32, two threads each; contestants take turns and a time is the smallest of its rounds. The
memory is what a process grows by in a call beyond inputs and gradients. PyTorch runs written out, ``cross_entropy`` of
the product, and in its own function of both where it has one.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from turns import Call, peak_apart, peak_of, ratio, rounds, through_torch

import losslib

LAYERS, LARGE = ("2048x768x50257",), "4096x2048x128256"
#: Rows, and classes of an ordered scale and of a vocabulary.
ROWS, GRADES, CLASSES, COMPONENTS = 20_000, 10, 1000, 128


def layer(size: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, components, classes = (int(part) for part in size.split("x"))
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((classes, components), np.float32)
    weight *= 0.02
    return rng.standard_normal((rows, components), np.float32), weight, rng.integers(0, classes, rows)


def torch_or_none() -> Any:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return None
    torch.set_num_threads(2)
    return torch


# ---- linear_cross_entropy ------------------------------------------------------------------------------------------


def layer_call(who: str, hidden: np.ndarray, weight: np.ndarray, target: np.ndarray) -> Call | None:
    """Return the call of a contestant, None where there is none."""
    if who == "losslib":
        loss = losslib.LinearCrossEntropy()
        return lambda: loss.value_and_grad(hidden, weight, target, wrt=("input", "linear_weight"))
    if who == "products":

        def products() -> Any:
            logits = hidden @ weight.T
            return logits @ weight, logits.T @ hidden

        return products
    torch = torch_or_none()
    functional = None if torch is None else torch.nn.functional
    if functional is None or (who == "fused" and not hasattr(functional, "linear_cross_entropy")):
        return None
    tensors = [torch.tensor(array, requires_grad=True) for array in (hidden, weight)]
    if who == "fused":
        return through_torch(functional.linear_cross_entropy, tensors, (torch.tensor(target),))
    return through_torch(lambda h, w, t: functional.cross_entropy(h @ w.T, t), tensors, (torch.tensor(target),))


def show_layers(sizes: tuple[str, ...], seconds: float) -> None:
    print(f"{'linear_cross_entropy':22}{'losslib ms':>12}{'÷ products':>12}{'PyTorch ÷':>12}{'fused ÷':>12}", end="")
    print(f"{'MB':>8}{'PyTorch':>9}{'fused':>9}")
    for size in sizes:
        arrays = layer(size)
        calls = {who: layer_call(who, *arrays) for who in ("products", "losslib", "PyTorch", "fused")}
        best = rounds({who: call for who, call in calls.items() if call is not None}, seconds)
        line = f"{size:22}{best['losslib']:12.1f}{best['losslib'] / best['products']:12.2f}"
        line += f"{ratio(best, 'PyTorch'):>12}{ratio(best, 'fused'):>12}"
        for who, width in (("losslib", 8), ("PyTorch", 9), ("fused", 9)):
            grown = peak_apart(__file__, "--measure", size, who)
            line += f"{'–' if grown is None else f'{grown:.0f}':>{width}}"
        print(line, flush=True)


def measure(size: str, who: str) -> None:
    """Print the memory of one contestant in MB, gradients taken off, after a small call that loads what it needs."""
    for each in ("70x16x300", size):
        arrays = layer(each)
        call = layer_call(who, *arrays)
        if call is None:
            raise SystemExit(1)
        grown = peak_of(call) - (arrays[0].nbytes + arrays[1].nbytes) / 2**20
    print(grown)


# ---- losses of rows ------------------------------------------------------------------------------------------------


def peer(
    module: str, make: Callable[[Any, Any], Callable[..., Any]], *arrays: np.ndarray, **others: Any
) -> Call | None:
    """Return forward and backward of a peer by its first inputs; ``make`` takes PyTorch and the module."""
    torch = torch_or_none()
    try:
        loss = make(torch, importlib.import_module(module))
    except ImportError:
        return None
    beside = tuple(torch.tensor(array) for array in others.values())
    return through_torch(loss, [torch.tensor(array, requires_grad=True) for array in arrays], beside)


def row_calls() -> dict[str, tuple[Call, Call | None]]:
    """Return losslib's call and a peer's for each loss of rows."""
    rng = np.random.default_rng(0)
    grades = rng.integers(0, GRADES, ROWS)
    answers, scores = (rng.standard_normal((ROWS, columns), np.float32) for columns in (GRADES - 1, GRADES))
    levels = (grades[:, np.newaxis] > np.arange(GRADES - 1)).astype(np.float32)
    logits, classes = rng.standard_normal((2048, CLASSES), np.float32), rng.integers(0, CLASSES, 2048)
    hidden = rng.standard_normal((2048, COMPONENTS), np.float32)
    nodes = rng.standard_normal((CLASSES - 1, COMPONENTS), np.float32)
    thresholds = np.linspace(-2.0, 2.0, GRADES - 1).astype(np.float32)

    def of(name: str, *inputs: Any, **parameters: Any) -> Call:
        loss = losslib.get(name, **parameters)
        return lambda: loss.value_and_grad(*inputs)

    def mean(loss: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, t: loss(x, t).mean()

    coral, ordered, sparse = "coral_pytorch.losses", "dlordinal.losses", "entmax"
    return {
        "coral_loss": (
            of("coral_loss", answers, grades),
            peer(coral, lambda torch, module: module.coral_loss, answers, t=levels),
        ),
        "corn_loss": (
            of("corn_loss", answers, grades),
            peer(coral, lambda torch, module: lambda x, t: module.corn_loss(x, t, GRADES), answers, t=grades),
        ),
        "emd_loss": (
            of("emd_loss", scores, grades),
            peer(ordered, lambda torch, module: module.EMDLoss(GRADES), scores, t=grades),
        ),
        "weighted_kappa_loss": (
            of("weighted_kappa_loss", scores, grades),
            peer(ordered, lambda torch, module: module.WKLoss(GRADES, use_logits=True), scores, t=grades),
        ),
        "class_distance_cross_entropy": (
            of("class_distance_cross_entropy", scores, grades),
            peer(ordered, lambda torch, module: module.CDWCELoss(GRADES, alpha=0.5), scores, t=grades),
        ),
        "cumulative_link_loss": (
            of("cumulative_link_loss", answers[:, 0].copy(), grades, thresholds),
            peer("torch", links, answers[:, 0].copy(), thresholds, t=grades),
        ),
        "entmax_loss, alpha 1.5": (
            of("entmax_loss", logits, classes, alpha=1.5),
            peer(sparse, lambda torch, module: mean(module.entmax15_loss), logits, t=classes),
        ),
        "sparsemax_loss": (
            of("sparsemax_loss", logits, classes),
            peer(sparse, lambda torch, module: mean(module.sparsemax_loss), logits, t=classes),
        ),
        "hsigmoid_loss": (
            of("hsigmoid_loss", hidden, classes, nodes),
            peer("torch", path_sums, hidden, nodes, t=classes),
        ),
        "adaptive_log_softmax_with_loss": clusters(),
    }


def clusters() -> tuple[Call, Call | None]:
    """The adaptive softmax of words whose frequencies fall as 1/rank, and PyTorch's module with the same weights."""
    rows, components, words, cutoffs = 2048, 768, 50_257, [2010, 10_051]
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((rows, components), np.float32)
    shares = 1 / np.arange(1, words + 1)
    target = rng.choice(words, rows, p=shares / shares.sum())
    head = 0.02 * rng.standard_normal((cutoffs[0] + 2, components), np.float32)
    sizes = ((components // 4, cutoffs[1] - cutoffs[0]), (components // 16, words - cutoffs[1]))
    tails = [
        (0.02 * rng.standard_normal((h, components), np.float32), 0.02 * rng.standard_normal((n, h), np.float32))
        for h, n in sizes
    ]
    loss = losslib.AdaptiveLogSoftmaxWithLoss()
    torch = torch_or_none()
    if torch is None:
        return lambda: loss.value_and_grad(hidden, target, head, tails), None
    module = torch.nn.AdaptiveLogSoftmaxWithLoss(components, words, cutoffs)
    layers = [module.head, *(layer for tail in module.tail for layer in tail)]
    for layer, weight in zip(layers, [head, *(weight for tail in tails for weight in tail)], strict=True):
        layer.weight.data = torch.tensor(weight)
    moved, labels = torch.tensor(hidden, requires_grad=True), torch.tensor(target)
    call = through_torch(lambda *_: module(moved, labels).loss, [moved, *(layer.weight for layer in layers)])
    return lambda: loss.value_and_grad(hidden, target, head, tails), call


def links(torch: Any, module: Any) -> Callable[..., Any]:
    """The likelihood of the class between two thresholds, written out."""

    def loss(score: Any, thresholds: Any, t: Any) -> Any:
        ends = torch.cat([thresholds.new_full((1,), -torch.inf), thresholds, thresholds.new_full((1,), torch.inf)])
        return -(torch.sigmoid(ends[t + 1] - score) - torch.sigmoid(ends[t] - score)).log().mean()

    return loss


def path_sums(torch: Any, module: Any) -> Callable[..., Any]:
    """Logistic losses along the paths of a complete tree, written out: gathered nodes, masked where paths end."""

    def loss(hidden: Any, nodes: Any, t: Any) -> Any:
        code = t + len(nodes) + 1
        depth = int(code.max()).bit_length() - 1
        steps = torch.arange(depth)
        node, bit = code[:, None] >> (steps + 1), (code[:, None] >> steps) & 1
        logits = (hidden[:, None, :] * nodes[(node - 1).clamp(min=0)]).sum(-1)
        terms = torch.nn.functional.binary_cross_entropy_with_logits(logits, bit.to(logits.dtype), reduction="none")
        return (terms * (node > 0)).sum(1).mean()

    return loss


def show_rows(seconds: float) -> None:
    print(f"{'loss of rows':34}{'losslib ms':>12}{'peer ms':>12}{'peer ÷':>10}")
    for name, (call, other) in row_calls().items():
        best = rounds({"losslib": call} | ({} if other is None else {"peer": other}), seconds)
        theirs = f"{best['peer']:.2f}" if "peer" in best else "–"
        print(f"{name:34}{best['losslib']:12.2f}{theirs:>12}{ratio(best, 'peer'):>10}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a contestant and a loss")
    parser.add_argument("--rows", action="store_true", help="the losses of rows alone")
    parser.add_argument("--large", action="store_true", help=f"{LARGE} too")
    parser.add_argument("--measure", nargs=2, metavar=("SIZE", "WHO"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    losslib.set_num_threads(2)
    if arguments.measure:
        measure(*arguments.measure)
        return
    if not arguments.rows:
        show_layers((*LAYERS, LARGE) if arguments.large else LAYERS, arguments.seconds)
        print()
    show_rows(arguments.seconds)


if __name__ == "__main__":
    main()
