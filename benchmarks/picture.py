"""The picture: how many times faster losslib is than each peer, for each loss (rows) and size (panels)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contestants import OBJECT, PEERS
from report import LARGE, TIMES_PYTORCH, Row

COLOURS = {"PyTorch": "#d1495b", "JAX": "#2e6f95", "scikit-learn": "#e09f3e"}
MARKERS = {"PyTorch": "o", "JAX": "D", "scikit-learn": "s"}


def draw(rows: list[Row], facts: dict[str, Any], path: Path) -> None:
    """Draw the ratios of a run and save them."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter

    sizes = sorted({row.n for row in rows})
    losses = list(dict.fromkeys(row.loss for row in rows))
    place = {loss: len(losses) - 1 - k for k, loss in enumerate(losses)}
    height = 1.9 + 0.24 * len(losses)
    figure, panels = plt.subplots(
        1,
        len(sizes),
        figsize=(3.0 + 2.9 * len(sizes), height),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for panel, n in zip(panels[0], sizes, strict=True):
        shown = [row for row in rows if row.n == n]
        for position in place.values():
            if position % 2 == 0:
                panel.axhspan(position - 0.5, position + 0.5, color="0.96", lw=0)
        panel.axvline(1.0, color="0.35", lw=1.2)
        if n >= LARGE:
            panel.axvline(TIMES_PYTORCH, color=COLOURS["PyTorch"], lw=1.0, ls=(0, (4, 3)), alpha=0.8)
        for row in shown:
            ratios = [row.least(peer) / row.least(OBJECT) for peer in row.peers]
            if ratios:
                panel.plot([min(ratios), max(ratios)], [place[row.loss]] * 2, color="0.75", lw=1, zorder=1)
        for peer in PEERS:
            points = [(row.least(peer) / row.least(OBJECT), place[row.loss]) for row in shown if peer in row.times]
            if points:
                own = [row.loss for row in shown if peer in row.times and peer not in row.composed]
                faces = [COLOURS[peer] if losses[len(losses) - 1 - y] in own else "white" for _, y in points]
                panel.scatter(
                    *zip(*points, strict=True), s=24, marker=MARKERS[peer], facecolors=faces,
                    edgecolors=COLOURS[peer], linewidths=1.1, zorder=2, clip_on=False,
                )  # fmt: skip
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.set_title(f"n = {n:,}".replace(",", "\u2009"), fontsize=11)
        panel.set_ylim(-0.6, len(losses) - 0.4)
        panel.grid(axis="x", color="0.9", lw=0.8)
        panel.set_axisbelow(True)
        panel.tick_params(axis="y", length=0)
        panel.spines[["top", "right", "left"]].set_visible(False)
    panels[0, 0].set_yticks(list(place.values()), list(place), fontsize=9)
    handles = [
        plt.Line2D([], [], marker=MARKERS[peer], color=COLOURS[peer], ls="", label=peer)
        for peer in PEERS
        if any(peer in row.times for row in rows)
    ]
    hollow = {"marker": "o", "color": "0.4", "markerfacecolor": "white", "ls": ""}
    handles.append(plt.Line2D([], [], label="composed of its operations", **hollow))
    if sizes[-1] >= LARGE and "PyTorch" in {peer for row in rows for peer in row.peers}:
        goal = f"goal for memory-bound losses: {TIMES_PYTORCH:g}× PyTorch"
        handles.append(plt.Line2D([], [], color=COLOURS["PyTorch"], lw=1.0, ls=(0, (4, 3)), label=goal))
    figure.legend(handles=handles, loc="outside lower left", ncols=2 * len(sizes), frameon=False, fontsize=9)
    title = f"Value and gradient, float32, {facts['threads']} threads each"
    meaning = "time of the peer / time of losslib; to the right of 1× losslib is faster"
    figure.suptitle(f"{title}\n{meaning}", x=0.01, ha="left", fontsize=11)
    figure.savefig(path, dpi=130)
    plt.close(figure)
