"""Angular margins: which directions are near enough to their class for a loss, and what the angle costs."""

from __future__ import annotations

import numpy as np

from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.pictures.curves import Curve, Figure, abscissa
from losspages.pictures.drawing import MUTED, colour, multiples, svg, text

#: Loss -> the margin and three values of it, the first of which is none.
MARGINS: dict[str, tuple[str, tuple[float, ...]]] = {
    "arcface_loss": ("margin", (0.0, 0.25, 0.5)),
    "cosface_loss": ("margin", (0.0, 0.15, 0.35)),
    "sphereface_loss": ("margin", (1.0, 2.0, 4.0)),
    "margin_cross_entropy": ("margin2", (0.0, 0.25, 0.5)),
}

#: The directions of two classes, in degrees.
DIRECTIONS = np.array([35.0, 145.0])
MIDDLE, RADIUS = 72.0, 48.0


def figure(info: LossInfo) -> tuple[str, str, Figure]:
    """Return circles for three margins, value and gradient against the angle, and what they show in words."""
    name, values = MARGINS[info.name]
    circles = [circle(info, name, value) for value in values]
    drawn = curves(info, name, values)
    caption = (
        "Directions of two classes on a circle. A sample is safe where the loss gives its class more than one half: on "
        "the arc of the colour of its class. The margin leaves gaps (dotted) that are safe for neither. Below, value "
        "and derivative by the cosine, for a sample that lies so far from its class and at a right angle to the "
        "other.\n"
    )
    return multiples(circles), caption, drawn


def curves(info: LossInfo, name: str, values: tuple[float, ...]) -> Figure:
    """Compute value and gradient against the angle between a sample and its class."""
    degrees = abscissa(0.0, 180.0)
    cosines = np.column_stack([np.cos(np.radians(degrees)), np.zeros_like(degrees)])
    target = np.zeros(len(degrees), dtype=np.int64)
    found = []
    for k, value in enumerate(values):
        loss = registry.class_of(info.name)(**{name: value}, reduction="none")
        slope = loss.grad(cosines, target)[:, 0]
        found.append(Curve(f"{name} = {value:g}", loss(cosines, target), slope, colour=k))
    return Figure("angle to the right class, in degrees", degrees, found)


def safe(info: LossInfo, name: str, value: float, degrees: np.ndarray, own: int) -> np.ndarray:
    """Return where a sample of one of the classes has a probability above one half."""
    cosines = np.cos(np.radians(degrees[:, np.newaxis] - DIRECTIONS))
    target = np.full(len(degrees), own)
    loss = registry.class_of(info.name)(**{name: value}, reduction="none")
    return np.asarray(loss(cosines, target) < np.log(2.0))


def circle(info: LossInfo, name: str, value: float) -> str:
    parts = [text(1, 12, f"{name} = {value:g}", css="title")]
    parts.append(
        f'<circle cx="{MIDDLE}" cy="{MIDDLE}" r="{RADIUS}" fill="none" stroke="{MUTED}" stroke-dasharray="1.5 3"/>'
    )
    degrees = np.linspace(0.0, 360.0, 1441)
    for own in (0, 1):
        inside = safe(info, name, value, degrees, own)
        paint = colour(own)
        for first, last in runs(inside):
            parts.append(arc(degrees[first], degrees[last], paint))
        x, y = place(DIRECTIONS[own], RADIUS - 7)
        parts.append(f'<path d="M{MIDDLE} {MIDDLE}L{x:.1f} {y:.1f}" stroke="{paint}" stroke-width="1.5"/>')
        x, y = place(DIRECTIONS[own], RADIUS)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{paint}"/>')
        x, y = place(DIRECTIONS[own], RADIUS + 15)
        parts.append(text(x, y + 3.5, "AB"[own], anchor="middle"))
    described = f"{info.name}: the directions that are safe for two classes, {name} = {value:g}"
    return svg(2 * MIDDLE, 2 * MIDDLE - 14, described, parts, widest=190)


def runs(inside: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and last place of each stretch that is True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))
    return [(int(first), int(last) - 1) for first, last in edges.reshape(-1, 2)]


def place(degrees: float, radius: float) -> tuple[float, float]:
    angle = np.radians(degrees)
    return MIDDLE + radius * float(np.cos(angle)), MIDDLE - radius * float(np.sin(angle))


def arc(first: float, last: float, paint: str) -> str:
    (x, y), (to_x, to_y) = place(first, RADIUS), place(last, RADIUS)
    large = int(last - first > 180.0)
    return (
        f'<path d="M{x:.1f} {y:.1f}A{RADIUS:g} {RADIUS:g} 0 {large} 0 {to_x:.1f} {to_y:.1f}" fill="none" '
        f'stroke="{paint}" stroke-width="5"/>'
    )
