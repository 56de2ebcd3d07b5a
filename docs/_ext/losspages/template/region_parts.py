"""Pages of losses of regions and boxes: formulas by hand, values compared with oracles, gradients with differences.

A ratio of sums has no expression of one element. Its page shows the mathematics as text; what is compared with the
kernel is the definition in plain NumPy (`regions` of the tests) or, for losses without such an oracle, differences of
the kernel's own values.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import losslib
from losslib import geometries
from losslib.declaration import registry
from losslib.declaration.letters import definition_lines
from losslib.declaration.schema import Choice, LossInfo, Real
from losspages.checks.equivalents import EquivalentResult, evaluate_equivalent
from losspages.checks.examine import EXAMINERS, PageFacts, Sections
from losspages.checks.row_losses import GradientCheck
from losspages.checks.verify import Disagreement, FormulaCheck, ReductionRow, own_parameters, run_doctest
from losspages.rst import heading, math, table
from losspages.template import tables
from regions import SCORES, value_of

GEOMETRIES = (
    "overlap",
    "overlap_sum",
    "overlap_distance",
    "overlap_lovasz",
    "overlap_transform",
    "boxes",
    "softmax_between",
)

#: Largest difference of a value from its oracle, and of a gradient from differences of values.
TOLERANCE, DIFFERENCES = 1e-11, 1e-6
STEP = 1e-6

#: Names of what the formulas of the declarations print, in order.
TITLES = {"value": "", "counts": "with sums over the positions that one ratio counts", "ratio": "with"}


# ---- executed ------------------------------------------------------------------------------------------------------


def batch(info: LossInfo) -> list[np.ndarray]:
    """Return inputs of every kind: masks of each class, boxes, or numbers between bins."""
    values = registry.class_of(info.name)().parameters
    inputs = geometries.find(info.geometry).draw(info, values, np.random.default_rng(4), 200)
    if info.inputs[1].or_row and inputs[1].ndim < inputs[0].ndim:
        inputs[1] = np.moveaxis(np.eye(inputs[0].shape[1])[inputs[1]], -1, 1)
    return inputs


def examine(info: LossInfo) -> PageFacts:
    """Execute the statements of a page about a loss of regions or boxes."""
    return PageFacts(
        info=info,
        formula=check_values(info),
        reductions=check_reductions(info),
        outside=messages_outside(info),
        examples=run_doctest(info.examples, info.name),
        equivalents=[run_equivalent(info, item) for item in info.equivalents],
        differences=check_gradients(info),
    )


def settings(info: LossInfo) -> list[dict[str, Any]]:
    """Return the defaults, and every example and word of a parameter in turn."""
    found: list[dict[str, Any]] = [{}]
    for item in own_parameters(info):
        if isinstance(item, Real):
            found += [{item.name: value} for value in item.examples]
        elif isinstance(item, Choice) and item.name != "box_format":
            found += [{item.name: word} for word in item.choices if word != item.default]
    return found


def check_values(info: LossInfo) -> FormulaCheck:
    """Compare values with the definition where it is spelled out; count the settings all the same."""
    result = FormulaCheck()
    inputs = batch(info)
    defaults = {item.name: item.default for item in own_parameters(info) if item.name not in ("axis", "check")}
    for parameters in settings(info):
        result.settings += 1
        if info.name not in SCORES:
            continue
        value = registry.function_of(info.name)(*inputs, **parameters)
        flat = [array.reshape(*array.shape[:2], -1) for array in inputs]
        expected = value_of(info.name, *flat, **{**defaults, **parameters})
        if not result.add("value", float(value), float(expected)) <= TOLERANCE:
            raise Disagreement(
                f"{info.name}: the value with {parameters} is {value:.17g}, by its definition {expected:.17g}"
            )
    return result


def check_gradients(info: LossInfo) -> GradientCheck:
    """Compare gradients with central differences of the kernel's values, along a few directions."""
    result = GradientCheck()
    inputs = batch(info)
    held = "held weights" in info.tags and info.family == "boxes"
    for parameters in settings(info):
        result.settings += 1
        loss = registry.class_of(info.name)(**parameters)
        gradient = loss.grad(*inputs)
        for direction in [] if held else np.random.default_rng(0).normal(size=(4, *inputs[0].shape)):
            values = [loss(inputs[0] + sign * STEP * direction, *inputs[1:]) for sign in (1, -1)]
            expected = (values[0] - values[1]) / (2 * STEP)
            deviation = abs(float((gradient * direction).sum()) - expected) / max(1.0, abs(expected))
            result.numbers += 1
            result.largest = max(result.largest, deviation)
            if not deviation <= DIFFERENCES:
                raise Disagreement(f"{info.name}: the gradient with {parameters} differs from differences of the value")
    return result


def check_reductions(info: LossInfo) -> list[ReductionRow]:
    """Measure what each mode divides by."""
    if "none" not in info.reductions:
        return []
    function, inputs = registry.function_of(info.name), batch(info)
    rows = []
    for mode in info.reductions:
        if mode == "none":
            continue
        total = float(np.sum(function(*inputs, reduction="none")))
        reduced = function(*inputs, reduction=mode)
        empty = function(*(array[:0] for array in inputs), reduction=mode)
        masked = function(*inputs, where=np.zeros(()) > 0, reduction=mode)
        rows.append(ReductionRow(mode, {"no weights": round(total / reduced, 9) if reduced else 1.0}, empty, masked))
    return rows


def messages_outside(info: LossInfo) -> list[str]:
    """Return for each input the message about a value that it must not hold."""
    messages = []
    for place, item in enumerate(info.inputs):
        inputs = [array.copy() for array in batch(info)]
        if info.geometry == "boxes":
            inputs[place][1, 2] = inputs[place][1, 0] - 1
        elif item.domain.code or item.indices:
            inputs[place][(0,) * inputs[place].ndim] = -3
        else:
            messages.append("")
            continue
        try:
            registry.function_of(info.name)(*inputs)
        except losslib.DomainError as error:
            messages.append(str(error))
            continue
        raise Disagreement(f"{info.name}: {item.name} outside its domain should be a DomainError")
    return messages


def run_equivalent(info: LossInfo, equivalent: Any) -> EquivalentResult:
    """Evaluate the call of another package on the inputs of the tests, if it is installed."""
    inputs = batch(info)
    return evaluate_equivalent(info, equivalent, inputs, dict(zip("xt", inputs, strict=False)))


# ---- printed -------------------------------------------------------------------------------------------------------


def sections(facts: PageFacts) -> Sections:
    """Return the sections that only these losses have in this form."""
    return Sections(_picture(facts.info), "", _formula(facts.info), _inputs(facts), _reductions(facts))


def _inputs(facts: PageFacts) -> str:
    return tables.inputs(
        facts,
        "Types: :doc:`/conventions`.",
    )


def _formula(info: LossInfo) -> str:
    parts = [heading("Formula"), f"The value of one {info.per}:\n"]
    for name, text in info.latex.items():
        if TITLES.get(name):
            parts.append(f"{TITLES[name]}\n")
        parts.append(math(text))
    if not info.latex:
        lines = "\n   ".join([info.formula, *definition_lines(info.definitions)])
        parts.append(f".. code-block:: text\n\n   {lines}\n")
    summed = {"boxes": "box by box", "softmax_between": "sample by sample"}.get(info.geometry, "position by position")
    parts.append(
        "The formula is written by hand; what the build compares with the kernel is its definition, computed "
        f"{summed}, and differences of values. There is no Hessian: ``value_grad_hess`` is not offered.\n"
    )
    return "\n".join(parts)


def _reductions(facts: PageFacts) -> str:
    if not facts.reductions:
        return heading("Reductions") + "\n``mean`` and ``sum`` are those of its two terms; there is no ``none``.\n"
    rows = [
        [f'``"{row.mode}"``', f"÷ {row.divisors['no weights']:g}", str(row.empty), str(row.masked)]
        for row in facts.reductions
    ]
    return (
        heading("Reductions")
        + "\nDivisors, measured on a small batch.\n\n"
        + table(["reduction", "no weights", "empty batch", "all masked"], rows, css="loss-reductions")
        + f'\n``"none"`` gives one value for each {facts.info.per}.\n'
    )


def _picture(info: LossInfo) -> str:
    if info.geometry not in GEOMETRIES:
        return other_drawing(info)
    draw = {"boxes": boxes_drawing, "softmax_between": bins_drawing}.get(info.geometry, mask_drawing)
    drawing = draw(info)
    moving = movable_boxes(info) if info.geometry == "boxes" else ""
    return f'.. raw:: html\n\n   <figure class="loss-figure">{drawing}{moving}</figure>\n\n{_caption(info)}'


def _caption(info: LossInfo) -> str:
    if info.geometry == "boxes":
        return (
            "A predicted box (solid) against a true one (dashed), four times. The arrows at the sides are minus the "
            "gradient by their coordinates: where the loss moves them. Below, both boxes can be dragged, at the corner "
            "to size them, or moved with the arrow keys and sized with shift; the gradients are those by the four "
            "coordinates of the predicted box.\n"
        )
    if info.geometry == "softmax_between":
        return (
            "The probability of each bin (grey) and minus the gradient by its logit (coloured), for a target of 2.25, "
            "the dashed line.\n"
        )
    return (
        "A predicted disc over a true one (outlined): probability on the left, and minus the gradient of each pixel on "
        "the right, warm where the loss asks for more and cool where it asks for less.\n"
    )


def other_drawing(info: LossInfo) -> str:
    """Draw the numbers of the first input of one sample as bars, each with minus its gradient beside it."""
    inputs = geometries.find(info.geometry).draw(
        info, registry.class_of(info.name)().parameters, np.random.default_rng(4), 40
    )
    gradient = registry.function_of(info.name).grad(*inputs, wrt=info.differentiable[0])
    place = info.input_names.index(info.differentiable[0])
    numbers, slopes = inputs[place].ravel()[:12].astype(float), -np.asarray(gradient, dtype=float).ravel()[:12]
    parts = []
    heights = np.stack([numbers / (np.abs(numbers).max() or 1.0), slopes / (np.abs(slopes).max() or 1.0)], axis=1)
    for k, pair in enumerate(heights):
        for offset, height, colour in zip((4, 15), pair, ("var(--pst-color-text-muted)", "#d95f02"), strict=True):
            top = 60 - 55 * max(height, 0.0)
            parts.append(
                f'<rect x="{30 * k + offset}" y="{top:.1f}" width="9" height="{55 * abs(height):.1f}" fill="{colour}"/>'
            )
    label = f"{info.name}: numbers of the first input and minus their gradients"
    width = 30 * len(numbers)
    drawing = (
        f'<svg viewBox="0 0 {width} 120" style="width:100%;max-width:{width + 120}px;height:auto" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg>'
    )
    return (
        f'.. raw:: html\n\n   <figure class="loss-figure">{drawing}</figure>\n\nNumbers of the first input (grey) and '
        "minus the gradient of each (coloured), both relative to the largest: where the loss moves them.\n"
    )


def disc(size: int, x: float, y: float, radius: float) -> np.ndarray:
    """Signed distance from a circle, positive inside."""
    rows, columns = np.mgrid[:size, :size] + 0.5
    return radius - np.hypot(columns - x, rows - y)


def mask_drawing(info: LossInfo) -> str:
    """Draw a soft mask over a true one and the gradient of each pixel, computed by the installed kernel."""
    size, cell = 16, 11
    logits, true = disc(size, 6.5, 8.0, 4.0) * 1.2, disc(size, 9.0, 8.0, 4.0) > 0
    one_class = "activation" not in info.parameter_names
    shown = 1 / (1 + np.exp(-logits))
    activation = {} if one_class else {"activation": "softmax"}
    first = logits[np.newaxis] if one_class else np.stack([np.zeros_like(logits), logits])[np.newaxis]
    second: np.ndarray = true[np.newaxis].astype(float) if one_class else true[np.newaxis].astype(int)
    if info.inputs[1].holds == "row" and not one_class:
        second = np.stack([disc(size, 9.0, 8.0, 4.0), -disc(size, 9.0, 8.0, 4.0)])[np.newaxis]
    value, gradient = registry.function_of(info.name).value_and_grad(first, second, **activation)
    slope = -(gradient[0] if one_class else gradient[0, 1])
    largest = float(np.abs(slope).max()) or 1.0
    parts = []
    for row, column in itertools.product(range(size), range(size)):
        place = f'x="{column * cell}" y="{row * cell}" width="{cell}" height="{cell}"'
        parts.append(
            f'<rect {place} fill="var(--pst-color-text-base)" fill-opacity="{0.85 * shown[row, column]:.2f}"/>'
        )
        strength = abs(slope[row, column]) / largest
        colour = "#d95f02" if slope[row, column] > 0 else "#3b6fb6"
        moved = f'x="{column * cell + size * cell + 20}" y="{row * cell}" width="{cell}" height="{cell}"'
        parts.append(f'<rect {moved} fill="{colour}" fill-opacity="{strength:.2f}"/>')
    for offset in (0, size * cell + 20):
        parts.append(
            f'<circle cx="{9 * cell + offset}" cy="{8 * cell}" r="{4 * cell}" fill="none" '
            'stroke="var(--pst-color-text-base)" stroke-width="1.5" stroke-dasharray="4 3"/>'
        )
    width, height = 2 * size * cell + 20, size * cell
    label = f"{info.name}: value {value:.3f}; predicted mask and gradient of each pixel"
    return (
        f'<svg viewBox="0 0 {width} {height}" style="width:100%;max-width:{width}px;height:auto" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg>'
    )


def movable_boxes(info: LossInfo) -> str:
    """Return two boxes that ``boxes.js`` moves, with the values of all losses; hidden where no script runs."""
    groups = "".join(
        f'<g class="{name}" tabindex="0" role="button" data-box="{box}"><rect class="hold" fill="transparent"/>'
        '<rect class="side" fill="none"/><circle class="corner" r="5"/></g>'
        for name, box in (("true", "90 50 170 110"), ("predicted", "70 62 140 130"))
    )
    arrows = '<line class="arrow"/>' * 4
    losses = [item.name for item in registry.all_losses() if item.geometry == "boxes"]
    rows = "".join(
        f'<tr{" class=own" if name == info.name else ""}><th scope="row">{name.replace("_", "_<wbr>")}</th>'
        f'<td data-value="{name}"></td><td data-slope="{name}"></td></tr>'
        for name in losses
    )
    return (
        f'<div class="loss-boxes" data-loss="{info.name}" hidden><svg viewBox="0 0 260 170" role="group" '
        f'aria-label="{info.name}: two boxes that can be moved">{groups}{arrows}</svg>'
        '<table><thead><tr><th scope="col">loss</th><th scope="col">value</th><th scope="col">gradient</th></tr>'
        "</thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def bins_drawing(info: LossInfo) -> str:
    """Draw the probabilities of eight bins and the gradient of each logit."""
    logits = -0.15 * (np.arange(8) - 4.0) ** 2
    shares = np.exp(logits) / np.exp(logits).sum()
    value, gradient = registry.function_of(info.name).value_and_grad(logits[np.newaxis], np.array([2.25]))
    parts = []
    for k, (share, slope) in enumerate(zip(shares, -gradient[0], strict=True)):
        parts.append(
            f'<rect x="{30 * k + 5}" y="{100 - 160 * share:.1f}" width="9" height="{160 * share:.1f}" '
            'fill="var(--pst-color-text-muted)"/>'
        )
        colour, top = ("#d95f02", 100 - 90 * slope) if slope > 0 else ("#3b6fb6", 100.0)
        parts.append(
            f'<rect x="{30 * k + 15}" y="{top:.1f}" width="9" height="{90 * abs(slope):.1f}" fill="{colour}"/>'
        )
    parts.append('<line x1="82" y1="0" x2="82" y2="140" stroke="var(--pst-color-text-base)" stroke-dasharray="4 3"/>')
    return (
        '<svg viewBox="0 0 245 145" style="width:100%;max-width:490px;height:auto" role="img" '
        f'aria-label="{info.name}: value {value:.3f}; probabilities and gradient of eight bins">{"".join(parts)}</svg>'
    )


def boxes_drawing(info: LossInfo) -> str:
    """Draw four pairs of boxes with value and gradient, computed by the installed kernel."""
    true = np.array([30.0, 30.0, 70.0, 60.0])
    predicted = np.array([[20.0, 36, 62, 70], [36, 36, 60, 52], [10, 8, 50, 26], [26, 26, 58, 92]])
    values, gradients = registry.function_of(info.name).value_and_grad(
        predicted, np.tile(true, (4, 1)), reduction="none"
    )
    largest = float(np.abs(gradients).max()) or 1.0
    parts = []
    for k, (box, value, gradient) in enumerate(zip(predicted, values, gradients, strict=True)):
        left, top = 120 * (k % 2), 120 * (k // 2)
        for corner, dashes, stroke in ((true, "4 3", "var(--pst-color-text-muted)"), (box, "none", "#3b6fb6")):
            x1, y1, x2, y2 = corner
            parts.append(
                f'<rect x="{left + x1}" y="{top + y1}" width="{x2 - x1}" height="{y2 - y1}" fill="none" '
                f'stroke="{stroke}" stroke-width="1.5" stroke-dasharray="{dashes}"/>'
            )
        x1, y1, x2, y2 = box
        middle_x, middle_y = left + (x1 + x2) / 2, top + (y1 + y2) / 2
        steps = -18 * gradient / largest
        for x, y, dx, dy in (
            (left + x1, middle_y, steps[0], 0.0), (middle_x, top + y1, 0.0, steps[1]),
            (left + x2, middle_y, steps[2], 0.0), (middle_x, top + y2, 0.0, steps[3]),
        ):  # fmt: skip
            parts.append(
                f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x + dx:.1f}" y2="{y + dy:.1f}" stroke="#d95f02" '
                'stroke-width="2.5"/>'
            )
        parts.append(
            f'<text x="{left + 4}" y="{top + 112}" font-size="10" fill="var(--pst-color-text-base)">{value:.3f}</text>'
        )
    label = f"{info.name}: values {', '.join(f'{value:.3f}' for value in values)} of four pairs of boxes"
    return (
        '<svg viewBox="0 0 240 240" style="width:100%;max-width:480px;height:auto" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg>'
    )


EXAMINERS |= dict.fromkeys(GEOMETRIES, examine)

EXAMINERS["other"] = examine
