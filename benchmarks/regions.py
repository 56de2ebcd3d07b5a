"""Losses of regions and boxes against MONAI, segmentation-models, kornia, torchvision and PyTorch, eager and compiled.

Value and gradient of float32 inputs, with `out`, on two threads each. Contestants take turns in one process; the table
gives medians, the ratio to the fastest peer, and the share of the bandwidth of a copy of the logits.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from turns import define_operators

Call = Callable[[], object]

#: Name, shape, and whether there are classes with a softmax and indices (or one class with a sigmoid and a mask).
REGIONS = (("8x21x512x512", (8, 21, 512, 512), True), ("2x1x128^3", (2, 1, 128, 128, 128), False))
BOXES = (300, 10_000, 1_000_000)


def region_calls(shape: tuple[int, ...], classes: bool) -> dict[str, dict[str, Call]]:
    """Return for each loss the calls of its contestants."""
    import torch

    import losslib

    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, dtype=np.float32)
    around = (shape[0], *shape[2:])
    t = rng.integers(0, shape[1], around) if classes else (rng.random(shape) < 0.2).astype(np.float32)
    out = np.zeros_like(x)
    tensor, labels = torch.from_numpy(x).requires_grad_(), torch.from_numpy(t)
    axes = tuple(range(2, len(shape)))

    def probabilities(x: Any) -> Any:
        return torch.softmax(x, 1) if classes else torch.sigmoid(x)

    def marks(t: Any) -> Any:
        return torch.nn.functional.one_hot(t, shape[1]).movedim(-1, 1).to(torch.float32) if classes else t

    def dice(x: Any, t: Any) -> Any:
        p, t = probabilities(x), marks(t)
        return (1 - (2 * (p * t).sum(axes) + 1e-5) / (p.sum(axes) + t.sum(axes) + 1e-5)).mean()

    def tversky(x: Any, t: Any) -> Any:
        p, t = probabilities(x), marks(t)
        common = (p * t).sum(axes)
        wrong = 0.3 * (p * (1 - t)).sum(axes) + 0.7 * ((1 - p) * t).sum(axes)
        return (1 - (common + 1e-5) / (common + wrong + 1e-5)).mean()

    def entropy(x: Any, t: Any) -> Any:
        functional = torch.nn.functional
        return functional.cross_entropy(x, t) if classes else functional.binary_cross_entropy_with_logits(x, t)

    def both(x: Any, t: Any) -> Any:
        return dice(x, t) + entropy(x, t)

    def backward(function: Callable[..., Any]) -> Call:
        def call() -> object:
            tensor.grad = None
            value = function(tensor, labels)
            value.backward()
            return value.item(), tensor.grad

        return call

    activation = "softmax" if classes else "sigmoid"
    found: dict[str, dict[str, Call]] = {}
    for name, formula, parameters in (
        ("dice_loss", dice, {}),
        ("tversky_loss", tversky, {"alpha": 0.3, "beta": 0.7}),
        ("dice_cross_entropy_loss", both, {}),
    ):
        loss = losslib.get(name, activation=activation, **parameters)
        found[name] = {
            "losslib": lambda loss=loss: loss.value_and_grad(x, t, out=out),
            "torch": backward(formula),
            "torch.compile": backward(torch.compile(formula)),
        }
    add_packages(found, backward, labels, classes)
    return found


def add_packages(found: dict[str, dict[str, Call]], backward: Any, labels: Any, classes: bool) -> None:
    """Add what is installed of MONAI, segmentation-models and kornia."""
    try:
        import monai.losses as monai

        given = labels[:, None] if classes else labels
        options: dict[str, Any] = {"softmax": True, "to_onehot_y": True} if classes else {"sigmoid": True}
        for name, made in (
            ("dice_loss", monai.DiceLoss(**options)),
            ("tversky_loss", monai.TverskyLoss(alpha=0.3, beta=0.7, **options)),
            ("dice_cross_entropy_loss", monai.DiceCELoss(**options)),
        ):
            found[name]["MONAI"] = backward(lambda x, t, made=made: made(x, given))
    except ImportError:
        pass
    try:
        import segmentation_models_pytorch.losses as smp

        mode = "multiclass" if classes else "binary"
        found["dice_loss"]["SMP"] = backward(smp.DiceLoss(mode))
        found["tversky_loss"]["SMP"] = backward(smp.TverskyLoss(mode, alpha=0.3, beta=0.7))
    except (ImportError, RuntimeError):
        pass
    try:
        import kornia.losses as kornia

        if classes:
            found["dice_loss"]["kornia"] = backward(kornia.dice_loss)
    except ImportError:
        pass


def box_calls(count: int) -> dict[str, dict[str, Call]]:
    """Return for each loss of boxes the calls of its contestants."""
    import torch

    import losslib

    rng = np.random.default_rng(0)
    low, size = rng.random((2, count, 2), dtype=np.float32), rng.random((2, count, 2), dtype=np.float32) + 0.1
    x, t = np.concatenate([low, low + size], axis=-1)
    out = np.zeros_like(x)
    tensor, target = torch.from_numpy(x.copy()).requires_grad_(), torch.from_numpy(t.copy())
    found: dict[str, dict[str, Call]] = {}
    for name in ("generalized_box_iou_loss", "complete_box_iou_loss"):
        loss = losslib.get(name)
        found[name] = {"losslib": lambda loss=loss: loss.value_and_grad(x, t, out=out)}
        try:
            import torchvision.ops
        except (ImportError, RuntimeError):
            continue
        function = getattr(torchvision.ops, name)
        for label, made in (("torchvision", function), ("compiled", torch.compile(function))):

            def call(made: Any = made) -> object:
                tensor.grad = None
                value = made(tensor, target, reduction="mean")
                value.backward()
                return value.item(), tensor.grad

            found[name][label] = call
    return found


def take_turns(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Return the median seconds of each call, made in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():  # compile, touch memory
        call()
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            repeats = 1
            start = time.perf_counter()
            call()
            once = time.perf_counter() - start
            if once < 1e-3:
                repeats = int(1e-2 / max(once, 1e-6)) + 1
                start = time.perf_counter()
                for _ in range(repeats):
                    call()
                once = (time.perf_counter() - start) / repeats
            seconds[name].append(once)
    return {name: statistics.median(times) for name, times in seconds.items()}


def stages(shape: tuple[int, int, int], classes: bool, entropy: bool, rounds: int) -> str:
    """Return the shortest times of the first pass without and with a second, of that, and of a copy, in ns a number."""
    from losslib.geometries.overlap import geometry

    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, dtype=np.float32)
    around = (shape[0], shape[2])
    t = rng.integers(0, shape[1], around) if classes else (rng.random(shape) < 0.2).astype(np.float32)
    out = np.zeros_like(x)
    activation, addend = "softmax" if classes else "sigmoid", "cross_entropy" if entropy else "none"
    region = geometry.driver.Region(x, t, wide=False, activation=activation, addend=addend)
    table, extras = np.empty((*shape[:2], 4)), np.empty((shape[0], 3))
    slopes, scale = rng.random((*shape[:2], 3)), np.ones(shape[0])
    calls: dict[str, Call] = {
        "value": lambda: region.count(table, extras),
        "count": lambda: region.count(table, extras, out),
        "gradient": lambda: region.differentiate(out, None, slopes=slopes, addend_scale=scale),
        "copy": lambda: np.copyto(out, x),
    }
    shortest = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            shortest[name] = min(shortest[name], time.perf_counter() - start)
    return ", ".join(f"{name} {1e9 * seconds / x.size:.2f}" for name, seconds in shortest.items())


def show_stages(rounds: int) -> None:
    for shape, classes in (
        ((1, 21, 40_000), True),
        ((1, 21, 512 * 512), True),
        ((2, 1, 65536), False),
        ((2, 1, 128**3), False),
    ):
        for entropy in (False, True):
            text = stages(shape, classes, entropy, rounds)
            print(f"{'x'.join(map(str, shape)):>12} {'with cross-entropy' if entropy else '':<18} ns a number: {text}")


def show(title: str, found: dict[str, dict[str, Call]], rounds: int, copied: float | None = None) -> None:
    for loss, calls in found.items():
        times = take_turns(calls, rounds)
        own = times.pop("losslib")
        text = ", ".join(f"{name} {1e6 * value:,.0f} ({value / own:.1f}x)" for name, value in times.items())
        share = f", {copied / own:.0%} of a copy" if copied else ""
        print(f"{title:>14} {loss:<26} losslib {1e6 * own:,.1f} us{share}; {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--boxes-only", action="store_true")
    parser.add_argument("--stages", action="store_true", help="the two passes of losslib alone, and a copy")
    arguments = parser.parse_args()
    import losslib

    losslib.set_num_threads(arguments.threads)
    if arguments.stages:
        show_stages(10 * arguments.rounds)
        return
    import torch

    torch.set_num_threads(arguments.threads)
    define_operators()
    for count in BOXES:
        show(f"{count} boxes", box_calls(count), arguments.rounds)
    for title, shape, classes in () if arguments.boxes_only else REGIONS:
        copy = functools.partial(torch.zeros(shape).copy_, torch.zeros(shape))
        copied = take_turns({"copy": copy}, arguments.rounds)["copy"]
        show(title, region_calls(shape, classes), arguments.rounds, copied)


if __name__ == "__main__":
    main()
