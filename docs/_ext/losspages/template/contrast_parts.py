"""Pages of losses of vectors, of vocabularies and of ordered classes: formulas by hand, values from definitions.

What is compared with the kernel is the definition in plain NumPy (the oracles of the tests), and differences of the
kernel's own values along a few directions, by every input that has a derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import class_scores
import contrast
import vocabulary
from losslib.declaration import registry
from losslib.declaration.schema import Choice, Flag, LossInfo, Real
from losspages.checks.equivalents import EquivalentResult, evaluate_equivalent
from losspages.checks.examine import EXAMINERS, PageFacts, Sections
from losspages.checks.row_losses import GradientCheck
from losspages.checks.verify import Disagreement, FormulaCheck, ReductionRow, own_parameters, run_doctest
from losspages.pictures import margins, similarities, thresholds
from losspages.pictures.drawing import MUTED, colour, svg
from losspages.rst import escape, heading, indent, link, math, table

GEOMETRIES = ("softmax_classes", "ordinal", "agreement", "similarity", *vocabulary.GEOMETRIES)

#: Values of the definitions, by loss.
DEFINITIONS: dict[str, Callable[..., Any]] = {**class_scores.DEFINITIONS, **vocabulary.DEFINITIONS}

#: Largest difference of a value from its definition, and of a slope from differences of values.
TOLERANCE, DIFFERENCES = 1e-10, 2e-6
STEP = 1e-6


# ---- executed ------------------------------------------------------------------------------------------------------


def batch(info: LossInfo) -> list[Any]:
    """Return six samples, as the tests draw them."""
    if info.geometry in vocabulary.GEOMETRIES:
        return vocabulary.draw(info)
    return contrast.draw(info) if info.geometry == "similarity" else class_scores.draw(info)


def examine(info: LossInfo) -> PageFacts:
    """Execute the statements of a page."""
    return PageFacts(
        info=info,
        formula=check_values(info),
        reductions=check_reductions(info),
        outside=["" for _ in info.inputs],
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
        elif isinstance(item, Choice) and item.name != "empty":
            found += [{item.name: word} for word in item.choices if word != item.default]
        elif isinstance(item, Flag):
            found += [{item.name: not item.default}]
    return found


def options(info: LossInfo, parameters: dict[str, Any]) -> dict[str, Any]:
    return {item.name: item.default for item in own_parameters(info)} | parameters


def check_values(info: LossInfo) -> FormulaCheck:
    """Compare the values with the definition."""
    result = FormulaCheck()
    inputs = batch(info)
    whole = "none" not in info.reductions
    for parameters in settings(info):
        result.settings += 1
        if parameters.get("distance") == "precomputed":
            continue
        if info.geometry == "similarity":
            found = registry.function_of(info.name)(*inputs, **parameters)
            expected = contrast.mean_of(contrast.DEFINITIONS[info.name](options(info, parameters), *inputs))
        else:
            unreduced = {} if whole else {"reduction": "none"}
            found = registry.function_of(info.name)(*inputs, **parameters, **unreduced)
            expected = DEFINITIONS[info.name](*inputs, options(info, parameters))
        for ours, theirs in zip(np.ravel(found), np.ravel(expected), strict=True):
            if not result.add("value", float(ours), float(theirs)) <= TOLERANCE:
                raise Disagreement(
                    f"{info.name}: the value with {parameters} is {ours:.17g}, by its definition {theirs:.17g}"
                )
    return result


def check_gradients(info: LossInfo) -> GradientCheck:
    """Compare slopes along a few directions with central differences of the kernel's values."""
    result = GradientCheck()
    inputs = batch(info)
    for parameters in settings(info):
        result.settings += 1
        if "detach_weights" in info.parameter_names:
            parameters = {**parameters, "detach_weights": False}
        elif "held weights" in info.tags:
            continue
        if parameters.get("distance") == "precomputed":
            continue
        loss = registry.class_of(info.name)(**{**parameters, "check": False})
        for name in info.differentiable:
            place = info.input_names.index(name)
            if place >= len(inputs) or inputs[place] is None or np.asarray(inputs[place]).dtype.kind != "f":
                continue
            gradient = loss.grad(*inputs, wrt=name)
            for direction in np.random.default_rng(0).normal(size=(3, *np.shape(inputs[place]))):
                moved = [
                    [array if k != place else array + sign * STEP * direction for k, array in enumerate(inputs)]
                    for sign in (1, -1)
                ]
                expected = (loss(*moved[0]) - loss(*moved[1])) / (2 * STEP)
                deviation = abs(float((gradient * direction).sum()) - expected) / max(1.0, abs(expected))
                result.numbers += 1
                result.largest = max(result.largest, deviation)
                if not deviation <= DIFFERENCES:
                    raise Disagreement(
                        f"{info.name}: the gradient by {name} with {parameters} differs from differences of the value"
                    )
    return result


def check_reductions(info: LossInfo) -> list[ReductionRow]:
    """Measure what each mode divides by."""
    if "none" not in info.reductions:
        return []
    function, inputs = registry.function_of(info.name), batch(info)
    count = len(inputs[0])
    nothing = [array[:0] if np.shape(array)[:1] == (count,) else array for array in inputs]
    rows = []
    for mode in info.reductions:
        if mode == "none":
            continue
        total = float(np.sum(function(*inputs, reduction="none")))
        reduced = function(*inputs, reduction=mode)
        empty = function(*nothing, reduction=mode)
        masked = function(*inputs, where=np.zeros(()) > 0, reduction=mode)
        rows.append(ReductionRow(mode, {"no weights": round(total / reduced, 9) if reduced else 1.0}, empty, masked))
    return rows


def run_equivalent(info: LossInfo, equivalent: Any) -> EquivalentResult:
    """Evaluate the call of another package on the inputs of the tests, if it is installed."""
    inputs = batch(info)
    letters = dict(zip(letters_of(info), inputs, strict=False))
    return evaluate_equivalent(info, equivalent, inputs, letters)


def letters_of(info: LossInfo) -> list[str]:
    """Return what the calls of other packages name the inputs."""
    letters = {"input": "x", "target": "t", "input1": "x1", "input2": "x2"}
    return [letters.get(name, name) for name in info.input_names]


# ---- printed -------------------------------------------------------------------------------------------------------


def sections(facts: PageFacts) -> Sections:
    """Return the sections that only these losses have in this form."""
    return Sections(*_picture(facts.info), _formula(facts.info), _inputs(facts), _reductions(facts))


def _inputs(facts: PageFacts) -> str:
    rows = [
        [
            f"``{item.name}``",
            link(item.meaning),
            "class indices are checked, with ``check=False`` too" if item.indices else "every number is legal",
        ]
        for item in facts.info.inputs
    ]
    return (
        heading("Inputs")
        + "\n"
        + table(["input", "meaning", "values"], rows, css="loss-inputs")
        + "\nTypes: float32 and float64 are computed as they are, float16 and bfloat16 in float32. "
        "NaN is legal in every floating-point input.\n"
    )


def _formula(info: LossInfo) -> str:
    parts = [heading("Formula"), f"The value of one {info.per}:\n"]
    for name, text in info.latex.items():
        if name == "with":
            parts.append("with\n")
        elif name != "value":
            parts.append(f"and with ``{escape(name)}``\n")
        parts.append(math(text if name == "with" or text.startswith("L") else f"L = {text}"))
    second = "The diagonal of the Hessian is exact." if info.has_hessian else "There is no Hessian."
    held = " A weight is constant for the gradient: see the notes." if "held weights" in info.tags else ""
    parts.append(
        "The formula is written by hand; what the build compares with the kernel is its definition in NumPy, and "
        f"differences of values. {second}{held}\n"
    )
    return "\n".join(parts)


def _reductions(facts: PageFacts) -> str:
    if not facts.reductions:
        return heading("Reductions") + f"\nThe value is one number of a whole {facts.info.per}; nothing is reduced.\n"
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


def _picture(info: LossInfo) -> tuple[str, str]:
    """Return the picture that suits the kind, and its numbers as a section where it has any."""
    if info.geometry in ("linear_softmax", "adaptive_softmax", "tree_path"):
        return "", ""
    if info.name in margins.MARGINS:
        drawing, caption, curves = margins.figure(info)
        header = [curves.axis, *(curve.label for curve in curves.curves)]
        numbers = heading("Numbers of the picture (value; gradient)") + "\n" + table(header, curves.rows())
        return f".. raw:: html\n\n{indent(drawing + curves.html(info.name))}\n\n{caption}", numbers
    if info.input_names[-1] == "thresholds":
        drawing, caption = thresholds.figure(info)
    elif info.name in similarities.MATRICES:
        drawing, caption = similarities.figure(info)
    else:
        drawing, caption = circle_drawing(info) if info.geometry == "similarity" else bars_drawing(info)
        drawing = f'<figure class="loss-figure">{drawing}</figure>'
    return f".. raw:: html\n\n   {drawing}\n\n{caption}", ""


def bars_drawing(info: LossInfo) -> tuple[str, str]:
    """Draw a row of six classes and minus the gradient of each."""
    row = np.array([0.2, 0.5, 0.9, 0.4, -0.1, -0.6]) if "cosines" in info.tags else 1.5 - 0.6 * np.arange(6)
    target = 3
    value, gradient = registry.function_of(info.name).value_and_grad(
        row[np.newaxis], *[np.array([target])][: len(info.inputs) - 1]
    )
    target = target if len(info.inputs) > 1 else 0
    largest = float(np.abs(gradient).max()) or 1.0
    tall = float(np.abs(row).max())
    parts = [f'<line x1="0" y1="70" x2="250" y2="70" stroke="{MUTED}" stroke-width="0.5"/>']
    for k, (number, slope) in enumerate(zip(row / tall, -gradient[0] / largest, strict=True)):
        paint = colour(int(slope > 0))
        for offset, size, fill in ((5, number, MUTED), (20, slope, paint)):
            top = 70 - 60 * max(size, 0.0)
            parts.append(
                f'<rect x="{40 * k + offset}" y="{top:.1f}" width="13" height="{60 * abs(size):.1f}" fill="{fill}"/>'
            )
    label = f"{info.name}: value {value:.3f}; six scores and the gradient of each"
    what = "cosines" if "cosines" in info.tags else "scores"
    text = (
        f"Six {what} (grey) and minus the gradient of each (coloured, each to its largest), for the target {target}: "
        "where the loss moves them.\n"
    )
    return svg(250, 140, label, parts), text


def circle_drawing(info: LossInfo) -> tuple[str, str]:
    """Draw vectors of two classes (or six pairs) on a circle, with minus the gradient of each."""
    pairs = "input2" in info.input_names
    degrees = np.array([10.0, 35, 75, 160, 200, 310])
    labels = np.array([0, 0, 1, 1, 1, 0])
    one = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)
    two = 0.999 * np.roll(one, 0, axis=0) @ np.array([[0.85, 0.53], [-0.53, 0.85]])
    arguments = {
        "input": one, "input1": one, "input2": two, "target": labels, "proxies": np.array([[1.0, 0.0], [-1.0, 0.3]]),
        "centers": np.array([[1.0, 0.0], [-0.8, 0.3]]), "logit_scale": 5.0, "logit_bias": -2.0,
    }  # fmt: skip
    if info.name == "soft_triple_loss":
        arguments["centers"] = np.array([[[1.0, 0.0], [0.6, -0.8]], [[-1.0, 0.0], [0.0, 1.0]]])
    if pairs:
        arguments.pop("target")
    given = {name: arguments[name] for name in info.input_names if name in arguments}
    value, gradient = registry.function_of(info.name).value_and_grad(**given, wrt=info.input_names[0])
    largest = float(np.linalg.norm(gradient, axis=1).max()) or 1.0
    parts = [f'<circle cx="110" cy="110" r="80" fill="none" stroke="{MUTED}" stroke-width="0.7"/>']
    for k, (point, slope) in enumerate(zip(one, gradient / largest, strict=True)):
        paint = colour(0 if pairs else labels[k])
        x, y = 110 + 80 * point[0], 110 - 80 * point[1]
        tip_x, tip_y = x - 38 * slope[0], y + 38 * slope[1]
        parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{tip_x:.1f}" y2="{tip_y:.1f}" stroke="{paint}"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{paint}"/>')
        if pairs:
            other_x, other_y = 110 + 80 * two[k, 0], 110 - 80 * two[k, 1]
            parts.append(f'<circle cx="{other_x:.1f}" cy="{other_y:.1f}" r="3" fill="none" stroke="{colour(1)}"/>')
    label = f"{info.name}: value {value:.3f}; six vectors on a circle and the gradient of each"
    what = "Six vectors of one view (dots) and their partners (rings)" if pairs else "Six vectors of two classes"
    if info.input_names == ("input",):
        what = "Six vectors"
    return svg(
        220, 220, label, parts
    ), f"{what} on a circle; the lines are minus the gradient: where the loss moves them.\n"


for geometry in GEOMETRIES:
    EXAMINERS[geometry] = examine
