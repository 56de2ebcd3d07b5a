"""The parts of a page that differ for losses of sequences: inputs, formula, reductions, and the alignment as a picture.

Their formulas are sums over paths, which no expression holds: LaTeX written by hand, and a build that compares value
and gradient with an oracle that goes through all paths (``ctc_paths``).
"""

from __future__ import annotations

import numpy as np

import losslib
from losslib.declaration.schema import LossInfo
from losspages.checks import ctc_paths
from losspages.checks.examine import PageFacts, Sections
from losspages.checks.verify import FormulaCheck, ReductionRow
from losspages.rst import escape, heading, indent, link, math, table

SHAPES = (
    "``(T, N, C)`` or ``(T, C)``",
    "``(N, S)``, or all in one row; ``(S,)`` for one sequence",
    "``(N,)``",
    "``(N,)``",
)
VALUES = (
    "any real number",
    "integers from 0 to C − 1, without the blank",
    "integers from 0 to T",
    "integers from 0 to S",
)

#: What the lines of a declaration's LaTeX are, in the order of the page.
LINES = {
    "value": "A path π names one class for each frame; l is the target. The value sums over all paths that give it:",
    "recursion": "The sums run forward and backward over the states l′, the labels with blanks around them:",
    "posterior": "Both together say which share of the target's paths emits class k at frame t:",
    "gradient": "The gradient is the difference of probability and share:",
}

CELL_WIDTH, CELL_HEIGHT, LEFT, TOP = 13, 22, 56, 24


def sections(facts: PageFacts) -> Sections:
    """Return the sections that only these losses have in this form."""
    picture, numbers = figure()
    return Sections(
        figure=picture,
        numbers=numbers,
        formula=formula_section(facts.info, facts.formula),
        inputs=inputs_table(facts.info, facts.outside),
        reductions=reductions(facts.reductions),
    )


def inputs_table(info: LossInfo, outside: list[str]) -> str:
    rows = []
    for place, item in enumerate(info.inputs):
        message = f"``DomainError``: {escape(outside[place])}" if outside[place] else "no value is outside"
        rows.append([f"``{item.name}``", link(item.meaning, info.name), SHAPES[place], VALUES[place], message])
    text = heading("Inputs") + "\n"
    text += table(["input", "meaning", "shape", "values", "outside"], rows, css="loss-inputs") + "\n"
    return text + (
        "Scores of float32, float64, float16 and bfloat16 are read and written as they are; sums over paths are kept "
        "in float64. Labels and lengths may be of any integer type, arrays, lists or tuples, and are checked with "
        "``check=False`` too. NaN is legal in the scores and touches no other sample.\n"
    )


def formula_section(info: LossInfo, check: FormulaCheck) -> str:
    parts = [heading("Formula")]
    for name, sentence in LINES.items():
        parts += [sentence + "\n", math(info.latex[name])]
    parts.append(
        "These formulas are written by hand. While this page was built, values and gradients of every possible target "
        f"of {ctc_paths.FRAMES} frames and {ctc_paths.CLASSES} classes were compared with a sum over all "
        f"{ctc_paths.CLASSES}\\ :sup:`{ctc_paths.FRAMES}` paths: {check.numbers.total()} numbers, largest "
        f"deviation {check.largest:.1e}. There is no Hessian: ``value_grad_hess`` is not offered.\n"
    )
    return "\n".join(parts)


def reductions(measured: list[ReductionRow]) -> str:
    rows = [
        [f'``"{row.mode}"``', *(f"÷ {value:g}" for value in row.divisors.values()), str(row.empty), str(row.masked)]
        for row in measured
    ]
    return (
        heading("Reductions")
        + "\nDivisors of 4 samples; weights ``[1, 3, 1, 1]``, a mask without one sample.\n\n"
        + table(["reduction", *ctc_paths.SITUATIONS, "empty batch", "all masked"], rows, css="loss-reductions")
        + '\n``"none"`` gives one value for each sample, 0 where the mask is False. As in PyTorch, ``"mean"`` (and '
        '``"weighted_mean"``) first divides each value by the length of its target, a length of 0 counting as 1.\n'
    )


def figure() -> tuple[str, str]:
    """Draw the posterior of every label at every frame, with the best path over it; return its numbers too."""
    labels, names = [1, 2, 2, 3], ["–", "c", "a", "t"]
    random = np.random.default_rng(11)
    centres, frames = (4, 11, 18, 25), 30
    logits = 0.6 * random.standard_normal((frames, len(names)))
    logits[:, 0] += 1.5
    for label, centre in zip(labels, centres, strict=True):
        logits[:, label] += 5.0 * np.exp(-0.5 * ((np.arange(frames) - centre) / 1.6) ** 2)
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    posterior = np.exp(log_probs) - losslib.ctc_loss.grad(log_probs, labels, frames, len(labels), reduction="sum")
    path, _ = losslib.ctc_forced_align(log_probs, labels)
    rows = [f"<text x='{LEFT}' y='14' class='axis'>frames →</text>"]
    for c, name in enumerate(names):
        y = TOP + c * CELL_HEIGHT
        rows.append(f"<text x='{LEFT - 10}' y='{y + 15}' text-anchor='end'>{'blank' if c == 0 else name}</text>")
        for t in range(frames):
            x = LEFT + t * CELL_WIDTH
            rows.append(
                f"<rect x='{x}' y='{y}' width='{CELL_WIDTH - 1}' height='{CELL_HEIGHT - 1}' fill='currentColor' "
                f"fill-opacity='{max(posterior[t, c], 0.03):.3f}'/>"
            )
    points = " ".join(
        f"{LEFT + t * CELL_WIDTH + CELL_WIDTH / 2:g},{TOP + c * CELL_HEIGHT + CELL_HEIGHT / 2:g}"
        for t, c in enumerate(path)
    )
    rows.append(
        f"<polyline points='{points}' fill='none' stroke='var(--pst-color-secondary, #d1495b)' stroke-width='2.5'/>"
    )
    width, height = LEFT + frames * CELL_WIDTH + 8, TOP + len(names) * CELL_HEIGHT + 8
    drawing = (
        f"<figure class='loss-figure'><svg class='loss-alignment' viewBox='0 0 {width} {height}' role='img' "
        "font-size='13' fill='currentColor' "
        f"aria-label='Posterior of each class at each frame for the target c, a, a, t, and the best path'>"
        f"{''.join(rows)}</svg></figure>"
    )
    numbers = [[str(t), *(f"{value:.3f}" for value in posterior[t]), names[path[t]]] for t in range(frames)]
    picture = "\n".join(
        [
            ".. raw:: html\n",
            indent(drawing) + "\n",
            "The share of all paths of the target c, a, a, t that emits each class at each frame (solid is 1), "
            "computed from the gradient, and the best single path from :py:func:`~losslib.ctc_forced_align`. Between "
            "the two equal labels every path needs a blank.\n",
        ]
    )
    title = heading("Numbers of the picture (share of each class, and the class of the best path)")
    return picture, title + "\n" + table(["frame", "blank", *names[1:], "path"], numbers)
