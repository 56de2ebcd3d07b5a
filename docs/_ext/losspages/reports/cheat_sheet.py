"""The cheat sheet: forty losses on two pages, each with its curve, formula, purpose and names elsewhere.

What is on it follows from ``docs/choices.toml``: the first loss of each answer, in the order of the questions.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

import losslib
from losslib.declaration import registry
from losslib.declaration.letters import definition_lines
from losslib.declaration.schema import LossInfo
from losspages.catalogue.choices import Leaf
from losspages.catalogue.titles import title_of
from losspages.pictures.sparklines import ROWS as ROWS_DRAWN
from losspages.pictures.sparklines import curve_of

__all__ = ["MOST", "chosen", "draw"]

MOST, COLUMNS, ROWS = 40, 4, 5
VALUE, SLOPE, GREY = "#1f5fbf", "#c2410c", "#555555"

#: The packages whose names a card shows, and how they are written.
SHOWN = {"torch": "PyTorch", "keras": "Keras", "optax": "optax", "sklearn": "scikit-learn", "xgboost": "XGBoost"}


def chosen(leaves: Sequence[Leaf]) -> dict[str, Leaf]:
    """Return the losses of the sheet with the answer that each comes from: first choices, then second ones."""
    found: dict[str, Leaf] = {}
    for place in range(5):
        for leaf in leaves:
            names = list(leaf.losses)
            if place < len(names) and len(found) < MOST:
                found.setdefault(names[place], leaf)
    order = {id(leaf): k for k, leaf in enumerate(leaves)}
    return dict(sorted(found.items(), key=lambda item: order[id(item[1])]))


def draw(leaves: Sequence[Leaf], folder: Path) -> None:
    """Write the sheet as a PDF of two pages and as an SVG for each."""
    cards = list(chosen(leaves).items())
    size = COLUMNS * ROWS
    pages = [cards[k : k + size] for k in range(0, len(cards), size)]
    folder.mkdir(parents=True, exist_ok=True)
    with (
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "losslib", "pdf.fonttype": 42, "font.size": 7}),
        PdfPages(folder / "cheat-sheet.pdf", metadata={"CreationDate": None, "Title": "losslib: losses"}) as pdf,
    ):
        for number, page in enumerate(pages, 1):
            figure = _page(page, number, len(pages))
            pdf.savefig(figure)
            figure.savefig(folder / f"cheat-sheet-{number}.svg", metadata={"Date": None})


def _page(cards: Sequence[tuple[str, Leaf]], number: int, count: int) -> Figure:
    figure = Figure(figsize=(11.69, 8.27))
    figure.text(0.02, 0.965, "losslib: losses", size=13, weight="bold")
    words = f"version {losslib.__version__}, page {number} of {count}; value solid, slope dashed; all with gradients"
    figure.text(0.98, 0.967, words, size=7, color=GREY, ha="right")
    for k, (name, leaf) in enumerate(cards):
        column, row = k % COLUMNS, k // COLUMNS
        _card(figure, registry.info_of(name), leaf, 0.02 + 0.245 * column, 0.95 - 0.187 * (row + 1))
    return figure


def _card(figure: Figure, info: LossInfo, leaf: Leaf, left: float, bottom: float) -> None:
    """Draw one loss into a box of the page."""
    figure.text(left, bottom + 0.166, title_of(info), size=9, weight="bold")
    figure.text(left, bottom + 0.149, f"losslib.{info.name}", size=6.2, family="monospace", color=VALUE)
    wide = 0.135
    x, value, slope = curve_of(info)
    axes = figure.add_axes((left + 0.14, bottom + 0.06, 0.09, 0.082))
    low, high = (float(np.nanquantile(value, q)) for q in (0.03, 0.97))
    axes.plot(x, value, color=VALUE, lw=1.1)
    axes.plot(x, slope, color=SLOPE, lw=0.9, ls="--")
    bottom_of = min(low, float(np.nanquantile(slope, 0.05)))
    margin = 0.1 * (max(high, 1e-9) - bottom_of)
    axes.set_ylim(bottom_of - margin, high + margin)
    axes.axhline(0, color=GREY, lw=0.4)
    axes.tick_params(labelsize=4.5, length=1.5, width=0.4, pad=1)
    if info.geometry not in ("pointwise", *ROWS_DRAWN):  # steps of a descent have no unit
        axes.set_xticks([])
    for side in axes.spines.values():
        side.set_linewidth(0.3)
    when = f"{leaf.wish}: {leaf.losses[info.name]}".replace("`", "")
    columns = int(wide / 0.232 * 56)
    lines = textwrap.wrap(when, columns)[:4]
    figure.text(left, bottom + 0.141, "\n".join(lines), size=6.2, va="top")
    written = "; ".join([info.formula, *definition_lines(info.definitions)])
    formula = textwrap.wrap(written, 66, break_on_hyphens=False)
    texts = formula[:2] if len(formula) <= 2 else [formula[0], "…"]
    figure.text(left, bottom + 0.048, "\n".join(texts), size=5, family="monospace", va="top", color="#222222")
    names = {}
    for item in info.equivalents:
        if item.package in SHOWN and len(item.name) > 4:  # no operation that happens to be the loss
            names.setdefault(SHOWN[item.package], item.name)
    listed = "  ".join(f"{package}: {name}" for package, name in list(names.items())[:4])
    figure.text(left, bottom + 0.014, textwrap.shorten(listed, 78, placeholder=" …"), size=4.8, color=GREY)
