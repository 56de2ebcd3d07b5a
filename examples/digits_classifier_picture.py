"""The picture of ``digits_classifier.py``: accuracy for each digit, the images, the losses, how sure the models are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # a file, no window
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import losslib

COLOURS = {
    "cross entropy": "#2e6f95",
    "label smoothing 0.1": "#e09f3e",
    "focal, gamma 2": "#d1495b",
    "class weights": "#3a7d44",
    "focal + class weights": "#6a5acd",
}
INK = "#4a4e57"


def draw(path: Path, results: Sequence[Any], losses: Mapping[str, losslib.Loss], data: Any) -> None:
    """Draw the panels and save them."""
    style = {
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
    }
    models = list(dict.fromkeys(result.model for result in results))
    with plt.rc_context(style):
        figure = plt.figure(figsize=(12.5, 8.2), layout="constrained")
        grid = figure.add_gridspec(2, 6, height_ratios=(1.35, 1.0))
        left, right = figure.add_subplot(grid[0, :3]), figure.add_subplot(grid[0, 3:])
        for axes, model in ((left, models[0]), (right, models[1])):
            draw_accuracy(axes, [result for result in results if result.model == model], data.counts)
            axes.set_title(f"{model[0].upper()}{model[1:]}: accuracy on test images")
        left.set_ylabel("of each digit, recognised")
        left.legend(frameon=False, loc="lower left")
        draw_images(figure.add_subplot(grid[1, :2]), data)
        draw_shapes(figure.add_subplot(grid[1, 2:4]), losses)
        draw_calibration(figure.add_subplot(grid[1, 4:]), results, models)
        figure.savefig(path, dpi=140)
        plt.close(figure)


def draw_accuracy(axes: Axes, group: Sequence[Any], counts: np.ndarray) -> None:
    for result in group:
        axes.plot(result.accuracy, color=COLOURS[result.loss], lw=2.2, marker="o", ms=4, label=result.loss)
    axes.set_xticks(range(len(counts)), [f"{digit}\n{count}" for digit, count in enumerate(counts)])
    axes.set_xlabel("digit, and its number of training images")
    lowest = min(result.accuracy.min() for result in group)
    axes.set_ylim(np.floor(10 * lowest - 1) / 10, 1.02)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)


def draw_images(axes: Axes, data: Any) -> None:
    """Show the images that the rarest digits are learnt from: as many as there are, up to six in a line."""
    digits = (0, 7, 8, 9)
    tile = np.full((9 * len(digits), 9 * 6), np.nan)
    for line, digit in enumerate(digits):
        images = data.x[data.target == digit][:6]
        for place, image in enumerate(images):
            tile[9 * line : 9 * line + 8, 9 * place : 9 * place + 8] = image.reshape(8, 8)
    axes.imshow(tile, cmap="gray_r", interpolation="nearest")
    axes.set_yticks([9 * k + 3.5 for k in range(len(digits))], [f"{d}: {data.counts[d]}" for d in digits])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Training images, up to six of each")


def draw_shapes(axes: Axes, losses: Mapping[str, losslib.Loss]) -> None:
    """Show how hard each loss pulls at the target's logit, from the compiled kernels."""
    p = np.linspace(0.001, 0.999, 400)
    logits = np.log(np.column_stack([p, *[(1 - p) / 9] * 9]))
    target = np.zeros(len(p), dtype=np.int64)
    for name, loss in losses.items():
        if "weights" not in name:  # weights only stretch a curve
            gradient = loss.replace(reduction="none").grad(logits, target)
            axes.plot(p, -gradient[:, 0], color=COLOURS[name], lw=2)
    axes.axhline(0, color="0.8", lw=0.8, zorder=0)
    axes.set(xlabel="probability of the true digit", title="How hard its logit is pulled up")


def draw_calibration(axes: Axes, results: Sequence[Any], models: Sequence[str]) -> None:
    """Show for each fit how sure it is and how often it is right."""
    for result in results:
        hollow = result.model == models[0]
        axes.scatter(
            result.confidence, result.mean, s=60, lw=1.8, edgecolors=COLOURS[result.loss],
            facecolors="white" if hollow else COLOURS[result.loss], zorder=2,
        )  # fmt: skip
    values = [value for result in results for value in (result.confidence, result.mean)]
    low, high = min(values) - 0.03, max(values) + 0.03
    axes.plot([low, high], [low, high], color="0.7", lw=1, zorder=1)
    axes.set(
        xlim=(low, high), ylim=(low, high), xlabel="how sure: probability of the prediction", ylabel="how often right"
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.text(0.03, 0.97, f"hollow: {models[0]}", transform=axes.transAxes, va="top", fontsize=9, color=INK)
    axes.set_title("Sure and right")
