"""Losses as small pictures in lists: value and slope along one way through their inputs, drawn by the installed kernel.

A loss of single elements is drawn over its first input; one of rows or vectors over what its page has along the axis;
any other along the straight way on which the value of a drawn sample falls fastest, from worse to better predictions.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import numpy as np

import losslib
from losslib import geometries
from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.checks.facts import ENDS
from losspages.checks.verify import domains_of
from losspages.pictures import row_curves

__all__ = ["curve_of", "sparkline"]

WIDTH, HEIGHT, SAMPLES = 72, 26, 37
#: The target that a loss is drawn for, by its domain.
TARGETS = {"real": 0.0, "above_minus_one": 1.0, "nonnegative": 1.0}
#: Geometries whose pages have curves along a line through the rows.
ROWS = ("softmax", "margin", "distance")
#: How far the way of steepest descent goes to either side, in units of the entry that moves most, by domain of the
#: input; probabilities and cosines end soon.
REACH = {"real": 5.0, "probability": 0.5}
#: Geometries whose classes have probabilities that add up to 1.
TOGETHER = ("overlap_distance",)
STEEP = {"lifetimes": 1.5}  # an exponential of the prediction

Curve = tuple[np.ndarray, np.ndarray, np.ndarray]


def curve_of(info: LossInfo) -> Curve:
    """Return places, value and slope of a loss at its defaults."""
    if info.geometry == "pointwise":
        return _over_input(info)
    return _over_row(info) if info.geometry in ROWS else _downhill(info)


def _over_input(info: LossInfo) -> Curve:
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


def _over_row(info: LossInfo) -> Curve:
    line = row_curves.line_of_defaults(info)
    curve = row_curves.curve_of(info, {}, line, "")
    kept = np.linspace(0, len(line.x) - 1, SAMPLES).astype(int)
    return line.x[kept], curve.value[kept], curve.gradient[kept]


def _downhill(info: LossInfo) -> Curve:
    """Go from a drawn sample against its gradient; of some samples, the one where the value changes most."""
    found = [curve for seed in range(6) if (curve := _way(info, seed)) is not None]
    return max(found, key=lambda curve: float(np.nanmax(curve[1]) - np.nanmin(curve[1])))


def _way(info: LossInfo, seed: int) -> Curve | None:
    loss = registry.class_of(info.name)(reduction="sum" if "sum" in info.reductions else info.reductions[0])
    inputs = geometries.find(info.geometry).draw(info, loss.parameters, np.random.default_rng(seed), 40)
    name = info.differentiable[0]
    place = info.input_names.index(name)
    start = np.asarray(inputs[place], dtype=float)

    def with_first(array: np.ndarray) -> list[Any]:
        return [*inputs[:place], array, *inputs[place + 1 :]]

    gradient = np.asarray(loss.grad(*with_first(start), wrt=name), dtype=float)
    largest = float(np.abs(gradient).max(initial=0.0))
    if not 1e-12 < largest < np.inf:
        return None
    direction = -gradient / largest
    if info.geometry in TOGETHER:
        direction -= direction.mean(axis=1, keepdims=True)
    reach = STEEP.get(info.geometry, REACH.get(info.inputs[place].domain.name, 1.0))

    def at(step: float) -> tuple[float, float]:
        value, moved = loss.value_and_grad(*with_first(start + step * direction), wrt=name)
        return float(value), float(np.sum(moved * direction))

    ends = []
    for end in (-reach, reach):  # as far as the loss takes its input
        share = next((share for share in np.linspace(1, 0.05, 20) if _is_taken(at, share * end)), 0.0)
        ends.append(share * end)
    x = np.linspace(*ends, SAMPLES)
    value, slope = np.array([at(step) for step in x]).T
    return x, value, slope


def _is_taken(at: Callable[[float], tuple[float, float]], step: float) -> bool:
    try:
        return bool(np.isfinite(at(step)).all())
    except losslib.DomainError:
        return False


def sparkline(info: LossInfo) -> str:
    """Return value (solid) and slope (dashed) as one line of SVG."""
    _, value, slope = curve_of(info)
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
