"""Family portraits: all losses of a kind in one picture, value and gradient, each curve a link to its page."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.checks import verify
from losspages.pictures import row_curves
from losspages.pictures.curves import Curve, Figure, Panel
from losspages.rst import heading, indent


@dataclass(frozen=True)
class Portrait:
    """What belongs into one picture, and what lies along its axis."""

    title: str
    text: str
    axis: str
    x: np.ndarray
    curves: list[Curve]
    #: The curves are cut off above this value; a steep one would flatten the others.
    top: float


def portraits(infos: Sequence[LossInfo]) -> list[Portrait]:
    """Sort the losses that have a curve into pictures by what their value depends on."""
    return [*_of_elements(infos), *_of_rows(infos)]


def _of_elements(infos: Sequence[LossInfo]) -> list[Portrait]:
    pointwise = [info for info in infos if info.geometry == "pointwise" and len(info.inputs) == 2]
    # Relative errors depend on the target too; a signed one is a line through 0 that would halve the picture.
    difference = [
        info for info in pointwise if info.family == "regression" and not {"signed", "relative"} & set(info.tags)
    ]
    binary = [info for info in pointwise if info.family == "binary" and "distance" not in info.tags]
    scores = [info for info in binary if verify.domains_of(info, {})[0].name == "real"]
    probabilities = [info for info in binary if verify.domains_of(info, {})[0].name == "probability"]
    wide, narrow = np.linspace(-4, 4, 240), np.linspace(0.01, 0.99, 240)
    return [
        Portrait(
            "Regression",
            "The error on the horizontal axis. What grows without bound on the left picture pulls without bound on the "
            "right one: an outlier has as much influence as the gradient there says.",
            "input − target", wide, [_of_element(info, wide, 0.0) for info in difference], 4.0,
        ),
        Portrait(
            "Binary classification by a score",
            "A logit or margin on the horizontal axis, the target is positive. Losses whose gradient reaches 0 on the "
            "right stop learning from samples that are safe; those that flatten on the left give up on samples that "
            "are badly wrong.",
            "score of a positive sample", wide, [_of_element(info, wide, 1.0) for info in scores], 5.0,
        ),
        Portrait(
            "Binary classification by a probability",
            "The predicted probability on the horizontal axis, the target is 1.",
            "probability of a positive sample", narrow, [_of_element(info, narrow, 1.0) for info in probabilities], 4.0,
        ),
    ]  # fmt: skip


def _of_element(info: LossInfo, x: np.ndarray, target: float) -> Curve:
    loss = registry.class_of(info.name)(reduction="none")
    inputs = [x, np.full_like(x, target)]
    if info.averages_last_axis:
        inputs = [array[:, np.newaxis] for array in inputs]
    gradient = loss.grad(*inputs, wrt=info.input_names[0])
    return Curve(info.name, loss(*inputs).ravel(), gradient.ravel())


#: What lies along the axis of the pages of rows and vectors -> title and text of their portrait.
ROWS = {
    "probability of the target": (
        "Classes by the probability of the target",
        "Three classes; the two others share what the target leaves. The gradient is the entry of the target's logit "
        "(or log-probability, or probability): where it is flat on the left, a wrong label pulls little.",
    ),
    "score of the target": (
        "Classes by the score of the target",
        "The scores of the two others are 0 and −1. These losses are satisfied once the target leads by enough.",
    ),
    "logit of the target": (
        "Classes by the logit of the target",
        "The logits of the two others are 0; these losses have probabilities of their own, which may be exactly 0.",
    ),
    "angle between the vectors": ("Vectors by their angle", "One vector turns away from the other."),
    "distance of the negative": (
        "Triplets by the distance of the negative",
        "The positive is at distance 1. Beyond the margin a triplet counts nothing.",
    ),
}


def _of_rows(infos: Sequence[LossInfo]) -> Iterator[Portrait]:
    """Yield a picture for each thing that lies along the axis of some pages of rows, each loss at its defaults."""
    rows = [info for info in infos if info.geometry in ("softmax", "margin", "distance")]
    lines = [(info, row_curves.line_of_defaults(info)) for info in rows]
    for start, (title, text) in ROWS.items():
        members = [(info, line) for info, line in lines if line.axis.startswith(start)]
        curves = [row_curves.curve_of(info, {}, line, info.name) for info, line in members]
        if curves:
            first = members[0][1]
            yield Portrait(title, text, first.axis, first.x, curves, 5.0)


def page(infos: list[LossInfo]) -> str:
    """Return the page of all portraits."""
    parts = [
        ".. _portraits:\n",
        heading("Family portraits", "="),
        "Each curve and each name leads to the loss's page; point at one to bring it forward, or touch it once. "
        "Losses with one curve share its colour. All parameters have their defaults, all curves are drawn by the "
        "installed kernels.\n",
    ]
    for portrait in portraits(infos):
        parts += [heading(portrait.title), portrait.text + "\n", ".. raw:: html\n", indent(_html(portrait)) + "\n"]
    return "\n".join(parts)


def _html(portrait: Portrait) -> str:
    curves = portrait.curves
    for k, curve in enumerate(curves):  # the first with the same curves lends its colour
        curve.colour = next(j for j in range(k + 1) if _are_same(curves[j], curve))
    figure = Figure(portrait.axis, portrait.x, curves)
    bound = portrait.top
    values = _svg(figure, [np.where(c.value > bound, np.nan, c.value) for c in curves], "value")
    slopes = _svg(figure, [np.where(abs(c.gradient) > bound, np.nan, c.gradient) for c in curves], "gradient")
    names = "".join(
        f'<li><a href="{c.label}.html" style="--hue:{_hue(c.colour)}">'
        f'<svg viewBox="0 0 18 8" width="18" height="8" aria-hidden="true"><path class="member" d="M0 4H18"/></svg>'
        f"{html.escape(c.label)}{_as(curves, k)}</a></li>"
        for k, c in enumerate(curves)
    )
    return (
        f'<figure class="loss-figure portrait"><div class="panels">{values}{slopes}</div>'
        f'<ul class="loss-legend">{names}</ul></figure>'
    )


def _are_same(one: Curve, other: Curve) -> bool:
    pairs = ((one.value, other.value), (one.gradient, other.gradient))
    return all(np.allclose(a, b, atol=1e-9, equal_nan=True) for a, b in pairs)


def _svg(figure: Figure, lines: list[np.ndarray], title: str) -> str:
    """Draw every curve inside a link; the names below the picture say the same to those who cannot see it."""
    panel = Panel(figure, lines)
    paths = "".join(
        f'<a href="{curve.label}.html" tabindex="-1" style="--hue:{_hue(k)}">'
        f'<title>{curve.label}</title><path class="member" d="{panel.path(figure.x, line)}"/></a>'
        for k, (curve, line) in enumerate(zip(figure.curves, lines, strict=True))
        if curve.colour == k
    )
    return panel.drawn(title, paths, 'aria-hidden="true"')


def _as(curves: list[Curve], k: int) -> str:
    """Say which loss has the same curve before this one."""
    first = curves[k].colour
    return "" if first == k else f" (the curve of {html.escape(curves[first].label)})"


def _hue(k: int) -> int:
    """Spread hues so that neighbours in the list differ: steps of the golden angle."""
    return round(k * 137.5) % 360
