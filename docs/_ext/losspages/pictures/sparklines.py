"""Losses as small pictures in lists: value and slope over the first input, drawn by the installed kernel."""

from __future__ import annotations

import html

import numpy as np

from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.checks.facts import ENDS
from losspages.checks.verify import domains_of

__all__ = ["curve_of", "sparkline"]

WIDTH, HEIGHT, SAMPLES = 72, 26, 37
#: The target that a loss is drawn for, by its domain.
TARGETS = {"real": 0.0, "above_minus_one": 1.0, "nonnegative": 1.0}


def curve_of(info: LossInfo) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return places, value and slope of a loss of single elements at its defaults; None for others."""
    if info.geometry != "pointwise":
        return None
    first, *others = domains_of(info, {})
    low, high = ENDS.get(first.name, (-3.0, 3.0))
    if first.name in ("nonnegative", "positive", "above_minus_one"):
        low, high = 0.1, 4.0
    x = np.linspace(low, high, SAMPLES)
    target = 1.0 if "relative" in info.tags else 0.0  # nothing is relative to 0
    inputs = [x, *(np.full_like(x, TARGETS.get(domain.name, 1.0) or target) for domain in others)]
    if info.averages_last_axis:
        inputs = [array[:, np.newaxis] for array in inputs]
    loss = registry.class_of(info.name)(reduction="none")
    return x, np.ravel(loss(*inputs)), np.ravel(loss.grad(*inputs, wrt=info.input_names[0]))


def sparkline(info: LossInfo) -> str:
    """Return value (solid) and slope (dashed) as one line of SVG; empty for losses that are no curve."""
    curve = curve_of(info)
    if curve is None:
        return ""
    _, value, slope = curve
    lines = "".join(f'<path class="{kind}" d="{_path(line)}"/>' for kind, line in (("slope", slope), ("value", value)))
    return (
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true">'
        f"{lines}</svg>"
    )


def _path(line: np.ndarray) -> str:
    """Return a line that fills the height, without what shoots up at an edge."""
    finite = line[np.isfinite(line)]
    low, high = float(np.quantile(finite, 0.03)), float(np.quantile(finite, 0.97))
    size = max(high - low, 1e-9)
    parts, drawing = [], False
    for k, number in enumerate(line):
        inside = bool(np.isfinite(number)) and low - 0.02 * size <= number <= high + 0.02 * size
        if inside:
            y = HEIGHT - 2 - (float(number) - low) / size * (HEIGHT - 4)
            parts.append(f"{'L' if drawing else 'M'}{k * WIDTH / (SAMPLES - 1):.0f} {y:.1f}")
        drawing = inside
    return html.escape("".join(parts))
