"""The picture of ``ctc_digits.py``: a string, what the model sees at each column, the alignment, and how it learnt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # a file, no window
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import losslib

BLUE, RED, INK = "#2e6f95", "#d1495b", "#4a4e57"
BLANK = 10


def draw(path: Path, model: Any, batch: Any, report: Sequence[Any]) -> None:
    """Draw three strings with their alignments and the learning curve, and save them."""
    style = {"font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left"}
    logits = model.logits(batch.images)
    with plt.rc_context(style):
        figure = plt.figure(figsize=(13.0, 8.4), layout="constrained")
        grid = figure.add_gridspec(6, 3, height_ratios=(1, 1.6, 1, 1.6, 1, 1.6))
        for k, n in enumerate(np.argsort(-batch.frames)[:3]):
            image, scores = figure.add_subplot(grid[2 * k, :2]), figure.add_subplot(grid[2 * k + 1, :2])
            draw_string(image, scores, batch, logits, int(n))
        draw_learning(figure.add_subplot(grid[:, 2]), report)
        figure.savefig(path, dpi=140)
        plt.close(figure)


def draw_string(image: Axes, scores: Axes, batch: Any, logits: np.ndarray, n: int) -> None:
    """Show the columns of a string, the probabilities at each and the best path of the right string through them."""
    frames, length = int(batch.frames[n]), int(batch.lengths[n])
    target = batch.digits[n, :length]
    x = logits[:frames, n]
    log_probs = x - x.max(axis=1, keepdims=True)
    log_probs -= np.log(np.exp(log_probs).sum(axis=1, keepdims=True))
    read, _ = losslib.ctc_greedy_decode(log_probs, blank=BLANK)
    aligned, _ = losslib.ctc_forced_align(log_probs, target, blank=BLANK)
    image.imshow(batch.images[n, :, :frames], cmap="gray_r", aspect="auto", interpolation="nearest")
    image.set_title(f"{''.join(map(str, target))}, read as {''.join(map(str, read))}")
    scores.imshow(np.exp(log_probs).T, cmap="Blues", aspect="auto", vmin=0, vmax=1, interpolation="nearest")
    scores.plot(aligned, color=RED, lw=1.6, drawstyle="steps-mid")
    scores.set_yticks(range(11), [*map(str, range(10)), "blank"], fontsize=7)
    for axes in (image, scores):
        axes.set_xlim(-0.5, frames - 0.5)
        axes.set_xticks([])
        axes.tick_params(length=0)
    image.set_yticks([])


def draw_learning(axes: Axes, report: Sequence[Any]) -> None:
    steps = [one.step for one in report]
    axes.plot(steps, [one.errors for one in report], color=RED, lw=2.2, marker="o", ms=4)
    axes.plot(steps, [one.right for one in report], color=BLUE, lw=2.2, marker="o", ms=4)
    axes.text(steps[-1], report[-1].errors - 0.02, "digit errors", color=RED, ha="right", va="top")
    axes.text(steps[-1], report[-1].right + 0.02, "strings right", color=BLUE, ha="right")
    axes.set_xscale("log")
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.minorticks_off()
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("steps")
    axes.set_title("Strings of unseen images")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    axes.text(
        0.0, -0.09, "Left: the image, the probability of each class at each column (dark is 1),\n"
        "and in red the best path of the right string.", transform=axes.transAxes, va="top", fontsize=9, color=INK,
    )  # fmt: skip
