"""The picture of a row loss: value and gradient along a line through the space of its rows.

A row has many numbers, a picture one abscissa. For the losses over classes it is the probability of the target or its
lead over the other scores, for the losses of vectors a distance or an angle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.declaration import registry
from losslib.declaration.schema import LossInfo, Real
from losspages.checks.row_losses import FURTHER_SETTINGS, target_kind
from losspages.checks.verify import own_parameters
from losspages.pictures.curves import MOST_CURVES, SAMPLES, Curve, Figure, Slider, abscissa, label_of, slider_values

#: Losses whose probabilities are not the softmax: they are drawn over the lead of the target's logit.
OWN_PROBABILITIES = ("sparsemax_loss", "bi_tempered_logistic_loss")


@dataclass(frozen=True)
class Line:
    """What the abscissa means: the inputs at each of its points and the direction of the derivative."""

    axis: str
    x: np.ndarray
    inputs: Sequence[np.ndarray]
    #: The input that moves, and its unit step at each point.
    moved: str
    direction: np.ndarray
    #: What the gradient panel shows, in words.
    gradient: str


def figure_of(info: LossInfo) -> tuple[Figure, str]:
    """Compute the curves with the kernel; return them and what the picture shows in words."""
    lines = lines_of(info)
    curves = [curve_of(info, parameters, line, label, k) for k, (parameters, line, label) in enumerate(lines)]
    first = lines[0][1]
    return Figure(first.axis, first.x, curves, _slider(info, lines)), first.gradient


def curve_of(info: LossInfo, parameters: dict[str, Any], line: Line, label: str, colour: int = 0) -> Curve:
    """Compute value and gradient along a line."""
    loss = registry.class_of(info.name)(**parameters, reduction="none")
    gradient = np.sum(loss.grad(*line.inputs, wrt=line.moved) * line.direction, axis=1)
    return Curve(label, loss(*line.inputs), gradient, colour=colour)


def _slider(info: LossInfo, lines: list[tuple[dict[str, Any], Line, str]]) -> Slider | None:
    """Let the parameter that the curves differ in move along the last curve's line."""
    parameters, line, _ = lines[-1]
    drawn = [name for name in parameters if isinstance(info.parameter(name), Real)]
    if not drawn or info.name in FURTHER_SETTINGS:
        return None
    main = info.parameter(drawn[0])
    assert isinstance(main, Real)
    values = slider_values(main)
    if not values:
        return None
    return Slider(
        main.name,
        [label_of({main.name: value}, main) for value in values],
        values.index(main.default) if main.default in values else 0,
        [[curve_of(info, {main.name: value}, line, "")] for value in values],
    )


def lines_of(info: LossInfo) -> list[tuple[dict[str, Any], Line, str]]:
    """Return for each curve the parameters, the line and the label."""
    if info.geometry == "distance":
        return _vector_lines(info)
    line = _class_line(info)
    candidates = [p for p in own_parameters(info) if isinstance(p, Real) and p.examples]
    if info.name in FURTHER_SETTINGS:
        further = FURTHER_SETTINGS[info.name]
        default = {name: info.parameter(name).default for name in further[0]}
        label = f"{label_of(default)} (default)"
        return [(default, line, label), *((values, line, label_of(values)) for values in further)]
    if not candidates:
        return [({}, line, "")]
    main = candidates[0]
    values = list(dict.fromkeys((main.default, *main.examples)))[:MOST_CURVES]
    return [({main.name: value}, line, label_of({main.name: value}, main)) for value in sorted(values)]


def line_of_defaults(info: LossInfo) -> Line:
    """Return the line of a curve at the defaults, of the second kind of label where there are two."""
    lines = lines_of(info)
    return next((line for parameters, line, _ in reversed(lines) if _is_default(info, parameters)), lines[0][1])


def _is_default(info: LossInfo, parameters: dict[str, Any]) -> bool:
    return all(info.parameter(name).default == value for name, value in parameters.items())


# ---- classes ---------------------------------------------------------------------------------------------------


def _class_line(info: LossInfo) -> Line:
    """Return a line on which the first of three classes rises; it is the target."""
    if info.geometry == "margin" or info.name in OWN_PROBABILITIES:
        x = abscissa(-4, 4)
        others = (0.0, -1.0) if info.geometry == "margin" else (0.0, 0.0)
        scores = np.column_stack([x, *(np.full_like(x, value) for value in others)])
        what = "score" if info.geometry == "margin" else "logit"
        rest = "the others are 0 and −1" if info.geometry == "margin" else "the two others are 0"
        return Line(f"{what} of the target ({rest})", x, [scores, _first_class(info)], "input", _along_first(x),
                    f"the entry of the target's {what}")  # fmt: skip
    p = abscissa(0.005, 0.995)
    rows = np.column_stack([p, (1 - p) / 2, (1 - p) / 2])
    if info.inputs[0].domain.name == "nonnegative":
        return Line("probability of the target", p, [rows, _first_class(info)], "input", _along_first(p),
                    "the entry of the target's probability")  # fmt: skip
    logits = np.log(rows)
    if target_kind(info) == "logits":
        teacher = np.tile(np.log([0.8, 0.1, 0.1]), (SAMPLES, 1))
        return Line("probability of the class that the teacher gives 0.8", p, [logits, teacher], "input",
                    _along_first(p), "the entry of this class's logit")  # fmt: skip
    what = "log-probability" if "log-probabilities" in info.tags else "logit"
    return Line("probability of the target", p, [logits, _first_class(info)], "input", _along_first(p),
                f"the entry of the target's {what}")  # fmt: skip


def _along_first(x: np.ndarray) -> np.ndarray:
    return np.tile([1.0, 0.0, 0.0], (len(x), 1))


def _first_class(info: LossInfo) -> np.ndarray:
    kind = target_kind(info)
    if kind == "one-hot":
        return np.tile([1.0, 0.0, 0.0], (SAMPLES, 1))
    if kind == "lists":
        return np.tile([0, -1, -1], (SAMPLES, 1))
    return np.zeros(SAMPLES, dtype=np.int64)


# ---- vectors ---------------------------------------------------------------------------------------------------


def _vector_lines(info: LossInfo) -> list[tuple[dict[str, Any], Line, str]]:
    """Return lines in the plane: one vector turns or moves away from another."""
    names = info.input_names
    if names[0] == "anchor":
        line = _triplet_line()
        if "distance" in info.parameter_names:  # a cosine does not change along a ray
            return [({"distance": word}, line, word) for word in ("euclidean", "sqeuclidean", "manhattan")]
        return [({"margin": m}, line, f"margin = {m:g}") for m in (0.2, 0.5, 1.0, 3.0)]
    if "cosine" in info.tags:
        if target_kind(info) != "labels":
            return [({}, _turning_line(names, ()), "")]
        return [
            ({}, _turning_line(names, (1.0,)), "similar"),
            *(
                ({"margin": m}, _turning_line(names, (-1.0,)), f"dissimilar, margin = {m:g}".replace("-", "−"))
                for m in (-0.5, 0.0, 0.5)
            ),
        ]
    return [
        ({}, _parting_line(names, 1.0), "similar"),
        *(({"margin": m}, _parting_line(names, 0.0), f"dissimilar, margin = {m:g}") for m in (0.5, 1.0, 2.0)),
    ]


def _turning_line(names: tuple[str, ...], labels: tuple[float, ...]) -> Line:
    degrees = abscissa(0.2, 179.8)
    angle = np.radians(degrees)
    fixed = np.tile([1.0, 0.0], (SAMPLES, 1))
    turned = np.column_stack([np.cos(angle), np.sin(angle)])
    tangent = np.column_stack([-np.sin(angle), np.cos(angle)])
    inputs = [turned, fixed, *(np.full(SAMPLES, label) for label in labels)]
    return Line("angle between the vectors, in degrees", degrees, inputs, names[0], tangent,
                "the derivative for turning the first vector, per radian; both have length 1")  # fmt: skip


def _parting_line(names: tuple[str, ...], label: float) -> Line:
    x = abscissa(0.005, 2.5)
    moved = np.column_stack([x, np.zeros_like(x)])
    outward = np.tile([1.0, 0.0], (SAMPLES, 1))
    return Line("distance of the vectors", x, [moved, np.zeros_like(moved), np.full(SAMPLES, label)], names[0], outward,
                "the derivative for moving the first vector away")  # fmt: skip


def _triplet_line() -> Line:
    x = abscissa(0.005, 5.0)
    anchor = np.zeros((SAMPLES, 2))
    positive = np.tile([1.0, 0.0], (SAMPLES, 1))
    negative = np.column_stack([-x, np.zeros_like(x)])
    outward = np.tile([-1.0, 0.0], (SAMPLES, 1))
    return Line("distance of the negative (positive at 1)", x, [anchor, positive, negative],
                "negative", outward, "the derivative for moving the negative away")  # fmt: skip
