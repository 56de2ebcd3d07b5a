"""The picture of a loss: value and gradient as inline SVG, drawn by the installed kernel.

Colours come from the stylesheet (``losslib.css``), so one picture is right in light and dark.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from verify import domains_of, own_parameters

from formulas import Formula
from losslib import registry
from losslib.registry import LossInfo, Real

#: What makes a curve: parameters, the other inputs, the label, and whether it is dashed.
Line = tuple[dict[str, Any], tuple[float, ...], str, bool]

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 14, 38
SAMPLES = 400  # even, so that no sample hits the kink in the middle
MOST_CURVES = 4


@dataclass
class Curve:
    """One line of both panels."""

    label: str
    value: np.ndarray
    gradient: np.ndarray
    dashed: bool = False
    colour: int = 0


@dataclass
class Figure:
    """The abscissa and the curves over it."""

    axis: str
    x: np.ndarray
    curves: list[Curve]

    def html(self, name: str) -> str:
        """Return both panels and their legend."""
        entries = "".join(
            f'<li><svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true"><path class="curve c{c.colour}'
            f'{" dashed" if c.dashed else ""}" d="M0 4H28"/></svg>{html.escape(c.label)}</li>'
            for c in self.curves
        )
        legend = f'<ul class="loss-legend">{entries}</ul>' if len(self.curves) > 1 else ""
        panels = [
            _panel(self, [c.value for c in self.curves], "value", f"{name}: value over {self.axis}"),
            _panel(self, [c.gradient for c in self.curves], "gradient", f"{name}: gradient over {self.axis}"),
        ]
        return f'<figure class="loss-figure"><div class="panels">{"".join(panels)}</div>{legend}</figure>'

    def rows(self, count: int = 9) -> list[list[str]]:
        """Return some of the plotted numbers: the abscissa, then value and gradient of each curve."""
        places = np.linspace(0, SAMPLES - 1, count).round().astype(int)
        return [[f"{self.x[k]:.4g}", *(f"{c.value[k]:.5g}; {c.gradient[k]:.5g}" for c in self.curves)] for k in places]


def figure_of(info: LossInfo, formula: Formula) -> Figure:
    """Choose what to vary and compute the curves with the kernel."""
    candidates = [p for p in own_parameters(info) if isinstance(p, Real) and p.examples and p.name != "eps"]
    # The shape says more than a factor in front of it.
    main = next((p for p in candidates if p.name == "gamma"), candidates[0] if candidates else None)
    names = {symbol.name for symbol in formula.value.free_symbols}
    domains = domains_of(info, {})
    others = info.inputs[1:]
    settings: list[dict[str, Any]] = [{}]
    if main is not None:
        values = list(dict.fromkeys((main.default, *main.examples)))[:MOST_CURVES]
        settings = [{main.name: value} for value in sorted(values)]

    if len(info.inputs) == 3 and info.inputs[1].name == "target":  # a second output, such as a variance
        third = info.inputs[2].name
        x = np.linspace(-4, 4, SAMPLES)
        lines: list[Line] = [({}, (0.0, v), f"{third} = {v:g}", False) for v in (0.5, 1.0, 2.0)]
        return _figure(info, "input (target = 0)", x, lines)
    if "d" in names and not names & {"x", "t"}:
        reach = max([4.0, *(1.4 * abs(s[main.name]) for s in settings if main and math.isfinite(s[main.name]))])
        reach = min(reach, 12.0) if main is not None and main.name not in ("q", "df") else 4.0
        x = np.linspace(-reach, reach, SAMPLES)
        return _figure(info, "input − target", x, [(s, (0.0,), label_of(s, main), False) for s in settings])

    x = _abscissa(domains[0].name, info)
    target = domains[-1].name
    if target in ("probability", "sign", "binary") and info.inputs[-1].name == "target":
        low = -1.0 if target == "sign" else 0.0
        few = settings if main is None else [{main.name: v} for v in sorted(_few(main))]
        before = (0.0,) * (len(others) - 1)
        lines = [
            (
                s,
                (*before, t),
                ", ".join(filter(None, (label_of(s, main), f"target = {t:g}".replace("-", "−")))),
                t == low,
            )
            for s in few
            for t in (1.0, low)
        ]
        axis = info.inputs[0].name + "".join(f" ({item.name} = 0)" for item in others[:-1])
        return _figure(info, axis, x, lines)
    targets = (0.0, 1.0, 3.0) if target == "nonnegative" else (0.5, 1.0, 3.0)
    if "distributions" in info.tags:
        targets = (0.2, 0.5, 1.0)
    return _figure(info, "input", x, [({}, (t,), f"target = {t:g}", False) for t in targets])


def _few(main: Real) -> list[float]:
    """Return the default and up to two examples: each is drawn for two targets. Special values are left out."""
    others = [value for value in main.examples if value not in main.also and value != main.default]
    return [main.default, *(others if len(others) < 3 else (others[0], others[-1]))]


def _abscissa(domain: str, info: LossInfo) -> np.ndarray:
    if domain == "probability":
        return np.linspace(0.005, 0.995, SAMPLES)
    if domain in ("nonnegative", "positive"):
        return np.linspace(0.05, 6, SAMPLES)
    if domain == "above_minus_one":
        return np.linspace(-0.9, 5, SAMPLES)
    if "log-probabilities" in info.tags:
        return np.linspace(-4, 0, SAMPLES)
    if "log link" in info.tags:
        return np.linspace(-2, 2.5, SAMPLES)
    return np.linspace(-4, 4, SAMPLES)


def label_of(setting: dict[str, Any], main: Real | None = None) -> str:
    words = [
        f"{name} = {value:g}{' (default)' if main is not None and value == main.default else ''}"
        for name, value in setting.items()
    ]
    return ", ".join(words).replace("-inf", "−∞").replace("-", "−")


def _figure(info: LossInfo, axis: str, x: np.ndarray, lines: Sequence[Line]) -> Figure:
    curves = []
    colours: dict[str, int] = {}
    paired = any(dashed for *_, dashed in lines) and len(lines) > 2
    for parameters, rest, label, dashed in lines:
        loss = registry.class_of(info.name)(**parameters, reduction="none")
        inputs = [x, *(np.full_like(x, value) for value in rest)]
        if info.averages_last_axis:
            inputs = [array[:, np.newaxis] for array in inputs]
        key = label_of(parameters) if paired else label  # both targets of one parameter value share a colour
        colour = colours.setdefault(key, len(colours))
        gradient = loss.grad(*inputs, wrt=info.input_names[0])
        curves.append(Curve(label, loss(*inputs).ravel(), gradient.ravel(), dashed, colour))
    return Figure(axis, x, curves)


# ---- SVG -------------------------------------------------------------------------------------------------------


def _panel(figure: Figure, lines: list[np.ndarray], title: str, described: str) -> str:
    finite = np.concatenate([line[np.isfinite(line)] for line in lines])
    low, high = (float(v) for v in np.percentile(finite, (2, 98)))
    if np.ptp(finite) < 3 * (high - low):  # only what shoots up at the edge is cut off, not the peak of a curve
        low, high = float(finite.min()), float(finite.max())
    low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.08 * (high - low) or 1.0
    low, high = low - margin, high + margin
    left, right = float(figure.x[0]), float(figure.x[-1])

    def across(x: float) -> float:
        return LEFT + (x - left) / (right - left) * (WIDTH - LEFT - RIGHT)

    def down(y: float) -> float:
        return TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(described)}">']
    for x in _ticks(left, right):
        parts.append(f'<path class="grid" d="M{across(x):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{_number(x)}</text>')
    for y in _ticks(low, high):
        parts.append(f'<path class="grid" d="M{LEFT} {down(y):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{down(y) + 3.5:.1f}" text-anchor="end">{_number(y)}</text>')
    parts.append(f'<path class="zero" d="M{LEFT} {down(0.0):.1f}H{WIDTH - RIGHT}"/>')
    for curve, line in zip(figure.curves, lines, strict=True):
        style = f"curve c{curve.colour}" + (" dashed" if curve.dashed else "")
        parts.append(f'<path class="{style}" d="{_path(figure.x, line, low, high, across, down)}"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    axis = html.escape(figure.axis)
    parts.append(f'<text class="axis" x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{axis}</text>')
    parts.append(f'<text class="title" x="{LEFT + 4}" y="{TOP - 3}">{title}</text></svg>')
    return "".join(parts)


def _path(x: np.ndarray, y: np.ndarray, low: float, high: float, across: Any, down: Any) -> str:
    """Return a path with a gap where the line jumps or leaves the panel."""
    steps, drawing, previous = [], False, math.nan
    smooth = np.median(np.abs(np.diff(y[np.isfinite(y)])))
    for a, b in zip(x, y, strict=True):
        inside = math.isfinite(b) and low <= b <= high
        jump = abs(b - previous) > max(0.08 * (high - low), 30 * smooth)
        if inside:
            steps.append(f"{'L' if drawing and not jump else 'M'}{across(a):.1f} {down(b):.1f}")
        drawing, previous = inside, b
    return "".join(steps)


def _ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers between the ends."""
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]


def _number(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")
