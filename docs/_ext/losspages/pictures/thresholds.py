"""Ordered classes: a score with noise around it, cut by thresholds; the area between two of them is a class."""

from __future__ import annotations

import numpy as np

from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.pictures.drawing import MUTED, colour, multiples, svg, text

THRESHOLDS = np.array([-1.5, 0.0, 2.0])
SCORES = (-2.0, 0.5, 3.0)
LEFT, RIGHT = -6.0, 6.0
WIDTH, HEIGHT, TOP = 170.0, 140.0, 30.0


def figure(info: LossInfo) -> tuple[str, str]:
    """Return the density around three scores, the probabilities over all of them, and what they show in words."""
    drawings = [density(info, score) for score in SCORES]
    drawings.append(over_scores(info))
    caption = (
        "A score (dot) and the density of what it may come to be once noise is added; three thresholds (dashed) cut it "
        "into four classes, and the area between two of them is the probability of a class, which is ``exp(-value)``. "
        "The last panel is the probability of each class over all scores.\n"
    )
    return multiples(drawings), caption


def across(x: float | np.ndarray) -> float | np.ndarray:
    return (x - LEFT) / (RIGHT - LEFT) * WIDTH


def probabilities(info: LossInfo, scores: np.ndarray) -> np.ndarray:
    """Return the probability of each class, of shape (scores, classes)."""
    function = registry.function_of(info.name)
    columns = [
        np.exp(-function(scores, np.full(len(scores), k), THRESHOLDS, reduction="none"))
        for k in range(len(THRESHOLDS) + 1)
    ]
    return np.column_stack(columns)


def density(info: LossInfo, score: float) -> str:
    """Draw what the loss takes the noise around one score to be: the slope, by a threshold, of what lies below it."""
    places = np.linspace(LEFT, RIGHT, 241)
    function = registry.function_of(info.name)
    heights = np.empty_like(places)
    for k, threshold in enumerate(places):
        value, slope = function.value_and_grad([score], [0], [threshold], wrt="thresholds", reduction="sum")
        heights[k] = -np.exp(-value) * slope[0]
    base = HEIGHT - 18
    down = base - heights / 0.26 * (base - TOP)
    areas = probabilities(info, np.array([score]))[0]
    parts = [text(1, 12, f"score {score:g}".replace("-", "−"), css="title")]
    bounds = np.concatenate([[LEFT], THRESHOLDS, [RIGHT]])
    for k in range(len(bounds) - 1):
        inside = (places >= bounds[k] - 1e-9) & (places <= bounds[k + 1] + 1e-9)
        points = " ".join(f"{across(x):.1f},{y:.1f}" for x, y in zip(places[inside], down[inside], strict=True))
        left, right = across(bounds[k]), across(bounds[k + 1])
        parts.append(
            f'<polygon points="{left:.1f},{base:g} {points} {right:.1f},{base:g}" fill="{colour(k)}" '
            'fill-opacity="0.75"/>'
        )
        parts.append(text((left + right) / 2, HEIGHT - 5, f"{areas[k]:.0%}", anchor="middle", size=9.5))
    parts += lines(base)
    parts.append(f'<circle cx="{across(score):.1f}" cy="{base:g}" r="3.5" fill="var(--pst-color-text-base)"/>')
    described = f"{info.name}: density around the score {score:g}, cut by three thresholds into four classes"
    return svg(WIDTH, HEIGHT, described, parts, widest=300)


def over_scores(info: LossInfo) -> str:
    scores = np.linspace(LEFT, RIGHT, 121)
    found = probabilities(info, scores)
    base = HEIGHT - 18
    parts = [text(1, 12, "all scores", css="title")]
    for k, column in enumerate(found.T):
        points = " ".join(f"{across(x):.1f},{base - p * (base - TOP):.1f}" for x, p in zip(scores, column, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour(k)}" stroke-width="1.8"/>')
        middle = int(column[20:-20].argmax()) + 20 if 0 < k < found.shape[1] - 1 else (5 if k == 0 else -6)
        parts.append(text(across(scores[middle]), base - column[middle] * (base - TOP) - 4, str(k), anchor="middle"))
    parts += lines(base)
    return svg(WIDTH, HEIGHT, f"{info.name}: probability of four classes over the score", parts, widest=300)


def lines(base: float) -> list[str]:
    marks = "".join(f"M{across(threshold):.1f} {TOP - 8:g}V{base:g}" for threshold in THRESHOLDS)
    return [
        f'<path d="{marks}" stroke="{MUTED}" stroke-dasharray="3 3"/>',
        f'<path class="zero" d="M0 {base:g}H{WIDTH:g}"/>',
    ]
