"""The picture of ``robust_regression.py``: curves, band, shapes of the losses, weight of the outliers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # a file, no window
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import losslib

COLOURS = {"L2": "#d1495b", "L1": "#2e6f95", "Huber": "#e09f3e", "log-cosh": "#3a7d44"}
LINES = {"L2": "-", "L1": "-", "Huber": "-", "log-cosh": (0, (4, 2))}  # Huber and log-cosh nearly coincide
DATA, BAND = "#4a4e57", "#6a5acd"
TOP = 17.0  #: where the vertical axis of the data ends; points above it are marked at the edge

Curves = Mapping[str, Callable[[np.ndarray], np.ndarray]]


def draw(
    path: Path,
    x: np.ndarray,
    y: np.ndarray,
    centres: Mapping[str, losslib.Loss],
    curves: Curves,
    held_out: Mapping[str, np.ndarray],
    coverage: float,
) -> None:
    """Draw the six panels and save them."""
    style = {
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
    }
    with plt.rc_context(style):
        figure = plt.figure(figsize=(12.5, 8.2), layout="constrained")
        grid = figure.add_gridspec(2, 4, height_ratios=(1.5, 1.0))
        centre, band = figure.add_subplot(grid[0, :2]), figure.add_subplot(grid[0, 2:])
        draw_centres(centre, x, y, {name: curves[name] for name in centres})
        draw_band(band, x, y, curves, coverage)
        values, slopes, pulls, errors = (figure.add_subplot(grid[1, k]) for k in range(4))
        draw_shapes(values, slopes, centres)
        draw_pulls(pulls, x, y, centres, curves)
        draw_errors(errors, held_out)
        figure.savefig(path, dpi=140)
        plt.close(figure)


def draw_points(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Show the data; what lies above the axis becomes a triangle with its value."""
    inside = y <= TOP
    axes.scatter(x[inside], y[inside], s=11, color=DATA, alpha=0.35, lw=0)
    for at, value in zip(x[~inside], y[~inside], strict=True):
        axes.plot(at, TOP * 0.985, marker="^", color=DATA, ms=7, clip_on=False)
        axes.annotate(f"{value:.0f}", (at, TOP * 0.985), (7, -3), textcoords="offset points", fontsize=9, color=DATA)
    axes.set_ylim(0, TOP)
    axes.set_xlim(0, x.max() * 1.02)
    axes.set_xlabel("mean concavity of the cell nuclei in an image")


def draw_centres(axes: Axes, x: np.ndarray, y: np.ndarray, curves: Curves) -> None:
    draw_points(axes, x, y)
    at = np.linspace(x.min(), x.max(), 300)
    for name, curve in curves.items():
        axes.plot(at, curve(at), color=COLOURS[name], ls=LINES[name], lw=2.4, label=name)
    axes.set_ylabel("its standard error, in hundredths")
    axes.set_title("Two images out of 569 bend the L2 curve")
    axes.legend(frameon=False, loc="upper left")


def draw_band(axes: Axes, x: np.ndarray, y: np.ndarray, curves: Curves, coverage: float) -> None:
    draw_points(axes, x, y)
    at = np.linspace(x.min(), x.max(), 300)
    low, middle, high = (curves[f"quantile {q}"](at) for q in (0.1, 0.5, 0.9))
    axes.fill_between(at, low, high, color=BAND, alpha=0.18, lw=0)
    axes.plot(at, middle, color=BAND, lw=2.4)
    for curve, quantile in ((low, 0.1), (middle, 0.5), (high, 0.9)):
        axes.plot(at, curve, color=BAND, lw=1.0)
        end = np.flatnonzero(curve <= TOP)[-1]
        offset, side = ((4, 0), "left") if end == len(at) - 1 else ((-10, -8), "right")  # leaves at the top
        axes.annotate(
            f"{quantile}", (at[end], curve[end]), offset, textcoords="offset points", ha=side, va="center",
            color=BAND, annotation_clip=False,
        )  # fmt: skip
    axes.set_title(f"Quantile band 0.1 to 0.9: holds {coverage:.0%} of the held-out images")


def draw_shapes(values: Axes, slopes: Axes, centres: Mapping[str, losslib.Loss]) -> None:
    """Show value and gradient of each loss over the error, from the compiled kernels."""
    error = np.linspace(-4, 4, 401)
    for name, loss in centres.items():
        value, slope = loss.replace(reduction="none").value_and_grad(error, 0.0)
        values.plot(error, value, color=COLOURS[name], ls=LINES[name], lw=2)
        slopes.plot(error, slope, color=COLOURS[name], ls=LINES[name], lw=2)
    values.set(ylim=(0, 6), xlabel="error", title="What an error costs")
    slopes.set(ylim=(-4, 4), xlabel="error", title="How hard it pulls")
    slopes.axhline(0, color="0.8", lw=0.8, zorder=0)


def draw_pulls(axes: Axes, x: np.ndarray, y: np.ndarray, centres: Mapping[str, losslib.Loss], curves: Curves) -> None:
    """Show which share of all pulls on the trained curve comes from the farthest hundredth of the images."""
    few = max(1, round(0.01 * len(y)))
    for place, (name, loss) in enumerate(centres.items()):
        pull = np.sort(np.abs(loss.grad(curves[name](x), y)))
        share = float(pull[-few:].sum() / pull.sum())
        axes.barh(-place, share, color=COLOURS[name], height=0.62)
        axes.annotate(f"{share:.0%}", (share, -place), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks([-place for place in range(len(centres))], list(centres))
    axes.tick_params(axis="y", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xticks([])
    axes.set_xlabel(f"of all pulls, by the {few} farthest images")
    axes.set_title("What 1% of the data say")


def draw_errors(axes: Axes, held_out: Mapping[str, np.ndarray]) -> None:
    """Show the held-out errors of the mean and of the median."""
    edges = np.linspace(-5, 3, 33)
    for name in ("L2", "L1"):
        errors = held_out[name]
        axes.hist(np.clip(errors, -5, 3), edges, histtype="step", color=COLOURS[name], lw=1.8)
        axes.axvline(np.median(errors), color=COLOURS[name], lw=1.2, ls=":")
    axes.set(xlabel="prediction − target", ylabel="images", title="Held-out errors, L2 and L1")
    axes.text(0.03, 0.97, "dotted: medians", transform=axes.transAxes, va="top", fontsize=9, color=DATA)
