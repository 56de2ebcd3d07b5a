"""The performance report and the picture of the start page, from the numbers of ``benchmarks/run.py --json``.

The numbers are measured on one machine at one time and come with both; nothing is measured while the site is built.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from losslib.declaration import registry
from losspages.rst import heading, table

PEERS = ("PyTorch", "torch.compile", "JAX", "scikit-learn")
OWN = "losslib"

#: The tasks of the picture: loss and what says how large it is.
PICTURED = (
    ("mse_loss", 10_000_000), ("huber_loss", 10_000), ("binary_cross_entropy_with_logits", 10_000_000),
    ("gaussian_nll_loss", 10_000), ("cross_entropy", (65536, 10)), ("cross_entropy", (1024, 1000)),
)  # fmt: skip
WIDTH, NAMES, LINE, GAP = 430, 76, 14, 22


def read(folder: Path) -> dict[str, Any]:
    """Return the numbers that the documentation carries."""
    numbers: dict[str, Any] = json.loads((folder / "performance.json").read_text())
    return numbers


def size_text(size: Any) -> str:
    """Return ``10,000`` or ``1024 × 1000``."""
    return " × ".join(str(n) for n in size) if isinstance(size, list | tuple) else f"{size:,}"


def time_text(seconds: float) -> str:
    """Return a time with its unit, as ``2.4 µs`` or ``31 ms``."""
    unit, number = ("µs", seconds * 1e6) if seconds < 1e-3 else ("ms", seconds * 1e3)
    return f"{number:.1f} {unit}" if number < 9.95 else f"{number:.0f} {unit}"


def setting_text(numbers: dict[str, Any]) -> str:
    setting = numbers["setting"]
    versions = ", ".join(f"{name} {version}" for name, version in setting["versions"].items() if version != "absent")
    return (
        f"Measured on {setting['date']}, {setting['cores']} cores of an {setting['processor']} "
        f"({setting['losslib']['isa']}), {setting['threads']} threads each, Python {setting['python']}; {versions}."
    )


def tasks(numbers: dict[str, Any]) -> list[tuple[str, Any, dict[str, float]]]:
    """Return loss, size and shortest time by contestant of every plain row."""
    rows = [(row["loss"], row["n"], row["seconds"]) for row in numbers["rows"]]
    rows += [
        (row["loss"], tuple(row["shape"]), row["seconds"])
        for row in numbers["row_losses"]
        if row["options"] == "plain" and not row.get("forward")
    ]
    return [(loss, size, {name: time["least"] for name, time in times.items()}) for loss, size, times in rows]


def page(numbers: dict[str, Any]) -> str:
    """Return the performance report."""
    rows = []
    for loss, size, times in tasks(numbers):
        peers = {name: times[name] for name in PEERS if name in times}
        best = min(peers, key=lambda name: peers[name])
        rows.append(
            [
                f":py:func:`~losslib.{registry.lookup(loss)}`",
                size_text(size),
                time_text(times[OWN]),
                *(time_text(times[name]) if name in times else "–" for name in PEERS),
                f"{peers[best] / times[OWN]:.1f} × {best}",
            ]
        )
    header = ["loss", "size", OWN, *PEERS, "ahead of the fastest"]
    return "\n".join(
        [
            ".. _performance:\n",
            heading("Performance", "="),
            "Value and gradient in one call, float32, reduction ``mean``; losslib with a preallocated ``out``, the "
            "others as their users call them: PyTorch with ``backward``, JAX compiled by ``jit``, scikit-learn's loss "
            "classes. Shortest times of a call; the size is the number of elements, or rows × classes.\n",
            setting_text(numbers) + "\n",
            table(header, rows, css="loss-performance"),
            heading("What decides the time"),
            "* **32 elements**: the call itself. A loss object answers in a fraction of a microsecond because the "
            "arguments are checked by compiled code and nothing is recorded for a backward pass.\n"
            "* **10,000 elements**: the arithmetic. All inputs fit the cache; exponentials and logarithms are inline "
            "polynomials that the compiler vectorises.\n"
            "* **10,000,000 elements**: memory. Value and gradient are computed in one pass, so each array crosses "
            "the memory bus once. ``out=`` saves the first touch of fresh pages, which costs more than the loss.\n",
            "``python -m losslib bench`` or ``make bench`` measures on your machine; the report there says for each "
            "row whether the project's goals are met.\n",
        ]
    )


def picture(numbers: dict[str, Any]) -> str:
    """Return the bars of the start page: every task scaled to its slowest contestant."""
    known = {(loss, size): times for loss, size, times in tasks(numbers)}
    parts, y = [], 4
    for loss, size in PICTURED:
        times = known[loss, size]
        shown = [name for name in (OWN, "PyTorch", "JAX", "scikit-learn") if name in times]
        longest = max(times[name] for name in shown)
        parts.append(f'<text class="task" x="0" y="{y + 10}">{html.escape(loss)}, {size_text(size)}</text>')
        y += 16
        for name in shown:
            length = max(1.5, times[name] / longest * (WIDTH - NAMES - 52))
            kind = "own" if name == OWN else "peer"
            parts.append(f'<text class="name" x="{NAMES - 6}" y="{y + 9}" text-anchor="end">{name}</text>')
            parts.append(f'<rect class="{kind}" x="{NAMES}" y="{y}" width="{length:.1f}" height="{LINE - 3}"/>')
            parts.append(f'<text x="{NAMES + length + 5:.1f}" y="{y + 9}">{time_text(times[name])}</text>')
            y += LINE
        y += GAP - LINE
    label = "Time of value and gradient: losslib beside PyTorch, JAX and scikit-learn"
    svg = f'<svg viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    return f'<figure class="speed-figure">{svg}</figure>'
