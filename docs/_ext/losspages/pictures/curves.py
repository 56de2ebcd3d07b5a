"""The picture of a loss: value and gradient as inline SVG, drawn by the installed kernel.

Colours come from the stylesheet (``losslib.css``), so one picture is right in light and dark.
"""

from __future__ import annotations

import dataclasses
import html
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import losslib
from losslib.declaration import registry
from losslib.declaration.schema import LossInfo, Real
from losspages.checks.verify import domains_of, own_parameters
from losspages.formulas import javascript
from losspages.formulas.symbolic import Formula

#: What makes a curve: parameters, the other inputs, the label, and whether it is dashed.
Line = tuple[dict[str, Any], tuple[float, ...], str, bool]

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 14, 38
SAMPLES = 400
MOST_CURVES = 4

#: How far beyond its panel, in heights of it, a curve is kept for a panel of another range.
REACH = 20.0


@dataclass
class Curve:
    """One line of both panels."""

    label: str
    value: np.ndarray
    gradient: np.ndarray
    dashed: bool = False
    colour: int = 0


@dataclass
class Slider:
    """The same curves for many values of one parameter, in the order of the values."""

    name: str
    labels: list[str]
    start: int
    curves: list[list[Curve]]
    #: True if these curves take the place of the figure's own, which then show one value of the parameter too; else
    #: they are drawn below those, as a band, and have an entry of the legend.
    replaces: bool = False
    #: What the browser computes the curves from instead of getting them; None where JavaScript has no formula.
    live: Live | None = None


@dataclass
class Live:
    """The call that each curve of a slider shows, for the formulas that the pages print as JavaScript."""

    loss: str
    input: str
    parameters: dict[str, Any]
    values: list[float]
    #: For each curve the other inputs by name, and for each position the curves that it has not.
    given: list[dict[str, float]]
    absent: dict[int, list[int]]


@dataclass
class Figure:
    """The abscissa and the curves over it."""

    axis: str
    x: np.ndarray
    curves: list[Curve]
    slider: Slider | None = None

    def html(self, name: str) -> str:
        """Return both panels, their legend and the slider."""
        entries = "".join(
            f'<li><svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true"><path class="curve c{c.colour}'
            f'{" dashed" if c.dashed else ""}" d="M0 4H28"/></svg>{html.escape(c.label)}</li>'
            for c in self.curves
        )
        if self.slider is not None and not self.slider.replaces:
            entries += (
                '<li class="loss-chosen" hidden><svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true">'
                '<path class="moving" d="M0 4H28"/></svg><span></span></li>'
            )
        legend = f'<ul class="loss-legend">{entries}</ul>' if len(self.curves) > 1 else ""
        value = Panel(self, [c.value for c in self.curves], "value")
        gradient = Panel(self, [c.gradient for c in self.curves], "gradient")
        panels = value.svg(f"{name}: value over {self.axis}")
        panels += gradient.svg(f"{name}: gradient over {self.axis}")
        slider = "" if self.slider is None else _slider(self.slider, self.x, value, gradient)
        return f'<figure class="loss-figure"><div class="panels">{panels}</div>{legend}{slider}</figure>'

    def rows(self) -> list[list[str]]:
        """Return the plotted numbers at round places: the abscissa, then value and gradient of each curve."""
        places = np.flatnonzero(np.isin(self.x, round_places(float(self.x[0]), float(self.x[-1]))))
        return [
            [f"{self.x[k]:.4g}", *(f"{_short(c.value[k])}; {_short(c.gradient[k])}" for c in self.curves)]
            for k in places
        ]


def _short(value: float) -> str:
    return f"{round(value, 12) + 0.0:.5g}"  # a sum that cancels is 0, without a sign


def abscissa(low: float, high: float) -> np.ndarray:
    """Return the samples of an axis, evenly spread but for the round places, which are among them."""
    x = np.linspace(low, high, SAMPLES)
    for place in round_places(low, high):
        x[np.argmin(abs(x - place))] = place
    return x


def round_places(low: float, high: float) -> list[float]:
    """Return the abscissae of the table below a picture."""
    return _ticks(low, high, 10)


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
        x = abscissa(-4, 4)
        lines: list[Line] = [({}, (0.0, v), f"{third} = {v:g}", False) for v in (0.5, 1.0, 2.0)]
        return _figure(info, "input (target = 0)", x, lines)
    if "d" in names and not names & {"x", "t"}:
        reach = max([4.0, *(1.4 * abs(s[main.name]) for s in settings if main and math.isfinite(s[main.name]))])
        reach = min(reach, 12.0) if main is not None and main.name not in ("q", "df") else 4.0
        x = abscissa(-reach, reach)
        lines = [(s, (0.0,), label_of(s, main), False) for s in settings]
        return _figure(info, "input − target", x, lines, main, [((0.0,), False)])

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
        return _figure(info, axis, x, lines, main, [((*before, t), t == low) for t in (1.0, low)])
    targets = (0.0, 1.0, 3.0) if target == "nonnegative" else (0.5, 1.0, 3.0)
    if "distributions" in info.tags:
        targets = (0.2, 0.5, 1.0)
    lines = [({}, (t,), f"target = {t:g}", False) for t in targets]
    return _figure(info, "input", x, lines, main, [(rest, dashed) for _, rest, _, dashed in lines])


def _few(main: Real) -> list[float]:
    """Return the default and up to two examples: each is drawn for two targets. Special values are left out."""
    others = [value for value in main.examples if value not in main.also and value != main.default]
    return [main.default, *(others if len(others) < 3 else (others[0], others[-1]))]


def _abscissa(domain: str, info: LossInfo) -> np.ndarray:
    if domain == "probability":
        return abscissa(0.005, 0.995)
    if domain in ("nonnegative", "positive"):
        return abscissa(0.05, 6)
    if domain == "above_minus_one":
        return abscissa(-0.9, 5)
    if "log-probabilities" in info.tags:
        return abscissa(-4, 0)
    if "log link" in info.tags:
        return abscissa(-2, 2.5)
    return abscissa(-4, 4)


def label_of(setting: dict[str, Any], main: Real | None = None) -> str:
    words = [
        f"{name} = {value:g}{' (default)' if main is not None and value == main.default else ''}"
        for name, value in setting.items()
    ]
    return ", ".join(words).replace("-inf", "−∞").replace("-", "−")


def _figure(
    info: LossInfo,
    axis: str,
    x: np.ndarray,
    lines: Sequence[Line],
    main: Real | None = None,
    moving: Sequence[tuple[tuple[float, ...], bool]] = (),
) -> Figure:
    """Compute the curves; ``moving`` holds the other inputs of those that the slider for ``main`` moves."""
    curves = []
    colours: dict[str, int] = {}
    paired = any(dashed for *_, dashed in lines) and len(lines) > 2
    for parameters, rest, label, dashed in lines:
        key = label_of(parameters) if paired else label  # both targets of one parameter value share a colour
        colour = colours.setdefault(key, len(colours))
        curves.append(_curve(info, parameters, x, rest, label, dashed, colour))
    slider = None
    values = slider_values(main) if main is not None else []
    if main is not None and values:
        positions = [
            [_moved(info, {main.name: v}, x, rest, dashed, k) for k, (rest, dashed) in enumerate(moving)]
            for v in values
        ]
        replaces = not any(parameters for parameters, *_ in lines)
        labels = [label_of({main.name: value}, main) for value in values]
        if replaces:
            names = [label for _, _, label, _ in lines]
            labels = [_with_absent(label, names, moved) for label, moved in zip(labels, positions, strict=True)]
        start = values.index(main.default) if main.default in values else 0
        slider = Slider(main.name, labels, start, positions, replaces, _live(info, values, moving, positions))
    return Figure(axis, x, curves, slider)


def _curve(
    info: LossInfo,
    parameters: dict[str, Any],
    x: np.ndarray,
    rest: tuple[float, ...],
    label: str,
    dashed: bool,
    colour: int = 0,
) -> Curve:
    loss = registry.class_of(info.name)(**parameters, reduction="none")
    inputs = [x, *(np.full_like(x, value) for value in rest)]
    if info.averages_last_axis:
        inputs = [array[:, np.newaxis] for array in inputs]
    gradient = loss.grad(*inputs, wrt=info.input_names[0])
    return Curve(label, loss(*inputs).ravel(), gradient.ravel(), dashed, colour)


def _moved(
    info: LossInfo, parameters: dict[str, Any], x: np.ndarray, rest: tuple[float, ...], dashed: bool, colour: int
) -> Curve:
    """Return a curve of the slider; a target that these parameters do not take has none."""
    try:
        return _curve(info, parameters, x, rest, "", dashed, colour)
    except losslib.DomainError:
        nothing = np.full(len(x), np.nan)
        return Curve("", nothing, nothing, dashed, colour)


def _live(
    info: LossInfo,
    values: list[float],
    moving: Sequence[tuple[tuple[float, ...], bool]],
    positions: list[list[Curve]],
) -> Live:
    """Return what the browser needs to compute the curves of a slider."""
    first, *others = info.input_names
    absent = {
        k: [n for n, curve in enumerate(position) if np.isnan(curve.value).all()]
        for k, position in enumerate(positions)
    }
    return Live(
        info.name, first, javascript.bound(info, {}), values,
        [dict(zip(others, rest, strict=True)) for rest, _ in moving],
        {k: curves for k, curves in absent.items() if curves},
    )  # fmt: skip


def _with_absent(label: str, names: list[str], curves: list[Curve]) -> str:
    """Add to the label of a position which of the curves of the legend it has not."""
    absent = [name for name, curve in zip(names, curves, strict=True) if np.isnan(curve.value).all()]
    return f"{label}: no value for {', '.join(absent)}" if absent else label


# ---- the slider ------------------------------------------------------------------------------------------------

#: Positions of a slider, and the samples of each of its curves where they travel with the page.
POSITIONS = 13
SPARSE = slice(0, None, 3)

#: The step of a slider between two bounds, such as those of a probability.
FRACTION = 0.05


def slider_values(item: Real) -> list[float]:
    """Return values of a parameter between its examples and its default, which are among them."""
    known = sorted(v for v in {item.default, *item.examples} if v is not None and math.isfinite(v))
    if len(known) < 2:
        return []
    low, high = known[0], known[-1]
    if _is_fraction(item):
        steps = (round(FRACTION * k, 2) for k in range(1, round(1 / FRACTION)))
        return sorted({*known, *(value for value in steps if _allowed(item, value))})
    space = np.geomspace if low > 0 and high / low > 4 else np.linspace
    between = [float(f"{value:.2g}") for value in space(low, high, POSITIONS - len(known) + 2)]
    values = sorted({*known, *between})
    nearest = min((b - a for a, b in itertools.pairwise(known)), default=1.0)
    values = [v for v in values if v in known or all(abs(v - k) > 0.02 * nearest for k in known)]
    return [value for value in values if _allowed(item, value)]


def _is_fraction(item: Real) -> bool:
    """True for a number strictly between 0 and 1, such as a quantile."""
    return item.above == 0 and item.below == 1


def _allowed(item: Real, value: float) -> bool:
    try:
        item.check(value)
    except losslib.ParameterError:
        return False
    return True


def _slider(slider: Slider, x: np.ndarray, value: Panel, gradient: Panel) -> str:
    """Return the control, hidden until the script shows it, with its curves or what they are computed from."""
    data: dict[str, Any] = {"labels": slider.labels}
    if slider.live is None:
        data |= _travelling(slider, x, value, gradient)
    else:
        data |= dataclasses.asdict(slider.live)
        data |= {"parameter": slider.name, "low": value.left, "high": value.right, "alone": slider.replaces}
        data["ranges"] = {panel.title: panel.inner for panel in (value, gradient)}
    name = html.escape(slider.name)
    kind = "loss-slider replaces" if slider.replaces else "loss-slider"
    return (
        f'<div class="{kind}" hidden><label>{name} <input type="range" min="0" max="{len(slider.labels) - 1}" '
        f'step="1" value="{slider.start}"></label> <output></output>'
        f'<script type="application/json">{json.dumps(data, separators=(",", ":"))}</script></div>'
    )


def _travelling(slider: Slider, x: np.ndarray, value: Panel, gradient: Panel) -> dict[str, Any]:
    """Return the curves of every position as paths, with the axes that they need."""
    data: dict[str, Any] = {}
    kept = np.flatnonzero(between_round_places(x))[SPARSE]
    for panel, lines in (
        (value, [[c.value for c in curves] for curves in slider.curves]),
        (gradient, [[c.gradient for c in curves] for curves in slider.curves]),
    ):
        positions = [panel.for_position(position, slider.replaces) for position in lines]
        data[panel.title] = [
            [shown.path(x[kept], line[kept]) for line in position]
            for shown, position in zip(positions, lines, strict=True)
        ]
        moved = {k: shown for k, shown in enumerate(positions) if shown is not panel}
        if moved:
            data[f"{panel.title}Axes"] = {k: [shown.grid(), panel.matrix(shown)] for k, shown in moved.items()}
    return data


# ---- SVG -------------------------------------------------------------------------------------------------------


class Panel:
    """One pair of axes: the range that its curves need, and where a point of it lies in the picture."""

    def __init__(self, figure: Figure, lines: list[np.ndarray], title: str = "") -> None:
        self.figure = figure
        self.lines = lines
        self.title = title
        self.left, self.right = float(figure.x[0]), float(figure.x[-1])
        self.set_range(*span(lines))

    def set_range(self, low: float, high: float) -> None:
        """Leave a margin around the range of the curves."""
        margin = 0.08 * (high - low) or 1.0
        self.low, self.high = low - margin, high + margin
        self.inner = low, high

    def for_position(self, lines: list[np.ndarray], alone: bool) -> Panel:
        """Return the panel for a position of the slider: this one while it fits, else one of another range.

        Curves that stand alone decide by themselves; those that are compared with the others share the room.
        """
        (low, high), (a, b) = self.inner, span(lines)
        if not alone:
            a, b = min(low, a), max(high, b)
        if (b - a) > 0.5 * (high - low) and a >= low - 0.08 * (high - low) and b <= high + 0.08 * (high - low):
            return self
        shown = Panel(self.figure, self.lines, self.title)
        shown.set_range(a, b)
        return shown

    def matrix(self, other: Panel) -> str:
        """Return the transformation that brings what was drawn in this panel to where it lies in the other."""
        factor = (self.high - self.low) / (other.high - other.low)
        return f"matrix(1 0 0 {factor:.6g} 0 {other.down(self.high) - factor * TOP:.6g})"

    def across(self, x: float) -> float:
        return LEFT + (x - self.left) / (self.right - self.left) * (WIDTH - LEFT - RIGHT)

    def down(self, y: float) -> float:
        return TOP + (self.high - y) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)

    def svg(self, described: str) -> str:
        """Draw the axes with the curves, and an empty path for each that the script moves."""
        parts = []
        x = self.figure.x
        kept = between_round_places(x)
        for curve, line in zip(self.figure.curves, self.lines, strict=True):
            style = f"curve c{curve.colour}" + (" dashed" if curve.dashed else "")
            parts.append(f'<path class="{style}" d="{self.path(x[kept], line[kept])}"/>')
        fixed = f'<g class="fixed">{"".join(parts)}</g>'
        moving = ""
        slider = self.figure.slider
        if slider is not None:
            for curve in slider.curves[0]:
                style = f"moving c{curve.colour}" if slider.replaces else "moving"
                moving += f'<path class="{style}{" dashed" if curve.dashed else ""}"/>'
            moving = f'<g class="{"curves" if slider.replaces else "band"}">{moving}</g>'
        return self.drawn(self.title, moving + fixed, f'role="img" aria-label="{html.escape(described)}"')

    def grid(self) -> str:
        """Draw the lines and numbers of both axes."""
        parts = []
        for x in _ticks(self.left, self.right):
            place = f"{self.across(x):.1f}"
            parts.append(f'<path class="grid" d="M{place} {TOP}V{HEIGHT - BOTTOM}"/>')
            parts.append(f'<text x="{place}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{_number(x)}</text>')
        for y in _ticks(self.low, self.high):
            parts.append(f'<path class="grid" d="M{LEFT} {self.down(y):.1f}H{WIDTH - RIGHT}"/>')
            parts.append(f'<text x="{LEFT - 5}" y="{self.down(y) + 3.5:.1f}" text-anchor="end">{_number(y)}</text>')
        parts.append(f'<path class="zero" d="M{LEFT} {self.down(0.0):.1f}H{WIDTH - RIGHT}"/>')
        return "".join(parts)

    def drawn(self, title: str, content: str, attributes: str = "") -> str:
        """Draw the axes around what lies inside them; a nested svg cuts off what leaves the panel."""
        middle = (LEFT + WIDTH - RIGHT) / 2
        plot = f"{LEFT} {TOP} {WIDTH - LEFT - RIGHT} {HEIGHT - TOP - BOTTOM}"
        x, y, width, height = plot.split()
        axis = html.escape(self.figure.axis)
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" {attributes}><g class="axes">{self.grid()}</g>'
            f'<svg class="plot" x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{plot}">{content}</svg>'
            f'<text class="axis" x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{axis}</text>'
            f'<text class="title" x="{LEFT + 4}" y="{TOP - 3}">{title}</text></svg>'
        )

    def path(self, x: np.ndarray, y: np.ndarray) -> str:
        """Return a path with a gap where the line jumps or is not finite; the panel cuts off what leaves it."""
        size = self.high - self.low
        y = np.where(np.isfinite(y), np.clip(y, self.low - REACH * size, self.high + REACH * size), math.nan)
        steps = np.abs(np.diff(y, prepend=math.nan, append=math.nan))
        # A jump is a step far beyond those beside it; a curve that shoots up takes larger and larger ones.
        beside = np.fmax(steps[:-2], steps[2:]) if len(y) > 2 else np.zeros(1)
        jumps = np.zeros(len(y), dtype=bool)
        jumps[1:] = (steps[1:-1] > 0.08 * size) & ~(steps[1:-1] <= 8 * beside)
        parts, drawing = [], False
        for a, b, jump in zip(x, y, jumps, strict=True):
            if math.isfinite(b):
                parts.append(f"{'L' if drawing and not jump else 'M'}{self.across(a):.1f} {self.down(b):.1f}")
            drawing = math.isfinite(b)
        return "".join(parts)


def span(lines: list[np.ndarray]) -> tuple[float, float]:
    """Return the range of some curves, 0 in it, without what shoots up at the edge."""
    finite = np.concatenate([line[np.isfinite(line)] for line in lines])
    low, high = (float(v) for v in np.percentile(finite, (2, 98)))
    if np.ptp(finite) < 3 * (high - low):  # only what shoots up at the edge is cut off, not the peak of a curve
        low, high = float(finite.min()), float(finite.max())
    return min(low, 0.0), max(high, 0.0)


def between_round_places(x: np.ndarray) -> np.ndarray:
    """Return where no round place is: on a kink the gradient would be a point between the two branches."""
    kept = ~np.isin(x, round_places(float(x[0]), float(x[-1])))
    kept[[0, -1]] = True
    return kept


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about so many round numbers between the ends."""
    raw = (high - low) / count
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]


def _number(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")
