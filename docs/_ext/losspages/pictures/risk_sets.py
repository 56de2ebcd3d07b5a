"""The time line of a survival study: at each event, all who could have had it, and whom the loss takes it for."""

from __future__ import annotations

import numpy as np

from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.pictures.drawing import MUTED, colour, multiples, svg, text

SCORES = np.array([1.0, -0.5, 0.3, 1.5, -1.0, 0.0, -0.8])
TIME = np.array([2.0, 3.5, 5.0, 5.0, 6.5, 8.0, 9.0])
EVENT = np.array([1, 0, 1, 1, 0, 1, 0])

WIDTH, ROW, TOP = 360.0, 20.0, 28.0
LEFT, END = 42.0, 228.0  # where time 0 and time 9.5 lie
MIDDLE, REACH = 294.0, 58.0  # of the bars


def across(time: float) -> float:
    return LEFT + time / 9.5 * (END - LEFT)


def figure(info: LossInfo) -> tuple[str, str]:
    """Return the time line with its risk sets, and what it shows in words."""
    slopes = registry.function_of(info.name).grad(SCORES, TIME, EVENT, reduction="sum")
    bottom = TOP + ROW * len(SCORES)
    parts = [
        text(2, 14, "score", css="title"),
        text(LEFT, 14, "followed until", css="title"),
        text(MIDDLE, 14, "safer | at more risk", anchor="middle", css="title"),
    ]
    for time in np.unique(TIME[EVENT == 1]):
        at_risk = np.flatnonzero(time <= TIME)
        shares = np.exp(SCORES[at_risk]) / np.exp(SCORES[at_risk]).sum()
        x = across(time)
        parts.append(f'<path d="M{x:.1f} {TOP - 6:g}V{bottom - 4:g}" stroke="{MUTED}" stroke-dasharray="2 3"/>')
        for k, share in zip(at_risk, shares, strict=True):
            radius = 10.0 * np.sqrt(share)
            parts.append(
                f'<circle cx="{x:.1f}" cy="{TOP + ROW * k + 8:.1f}" r="{radius:.1f}" fill="{colour(0)}" '
                'fill-opacity="0.35"/>'
            )
    scale = REACH / abs(slopes).max()
    for k, (score, time, event, slope) in enumerate(zip(SCORES, TIME, EVENT, slopes, strict=True)):
        y = TOP + ROW * k + 8
        parts.append(text(2, y + 3.5, f"{score:+.1f}".replace("-", "−")))
        parts.append(f'<path d="M{LEFT:g} {y:g}H{across(time):.1f}" stroke="currentColor" stroke-width="1.3"/>')
        if event:
            parts.append(f'<circle cx="{across(time):.1f}" cy="{y:g}" r="4" fill="currentColor"/>')
        else:
            parts.append(f'<path d="M{across(time):.1f} {y - 5:g}v10" stroke="currentColor" stroke-width="1.3"/>')
        start, length = (MIDDLE, -slope * scale) if slope < 0 else (MIDDLE - slope * scale, slope * scale)
        parts.append(
            f'<rect x="{start:.1f}" y="{y - 6:g}" width="{length:.1f}" height="12" fill="{colour(int(slope < 0))}">'
            f"<title>gradient {slope:.3g}</title></rect>"
        )
    parts.append(f'<path class="zero" d="M{MIDDLE:g} {TOP - 6:g}V{bottom - 4:g}"/>')
    described = f"{info.name}: seven samples on a time line, the risk set of each event, and minus the gradient of each"
    caption = (
        "Seven samples with their scores: a dot is an event, a stroke an end without one. At each time of an event the "
        "discs cover all who could have had it, the risk set, each as large as its share by the scores. On the right "
        "minus the gradient: up for those who had the event, down by all the shares that a sample was given.\n"
    )
    return multiples([svg(WIDTH, bottom + 4, described, parts, widest=560)]), caption
