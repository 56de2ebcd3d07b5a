"""Pages of sequence losses: formulas written by hand, values and gradients compared with the sum over all alignments.

A loss that sums over alignments has no expression that a reader could follow entry by entry. Its page shows the
mathematics as text; what is compared with the kernel is an oracle that lists every alignment of a small sample, with
numbers that carry their derivative.
"""

from __future__ import annotations

import itertools
import math as mathematics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

import losslib
import taylor
from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.checks.equivalents import EquivalentResult
from losspages.checks.examine import EXAMINERS, PageFacts, Sections
from losspages.checks.verify import Disagreement, FormulaCheck, ReductionRow, run_doctest
from losspages.formulas.symbolic import DIGITS
from losspages.pictures.curves import SAMPLES, Curve, Figure, abscissa
from losspages.rst import heading, indent, math, table
from losspages.template import tables
from taylor import Taylor

#: Largest difference between kernel and oracle, relative to max(1, |oracle|), in float64.
TOLERANCE = 2e-13
SAMPLE_WEIGHT, WHERE = np.array([1.0, 3.0, 1.0]), np.array([True, True, False])


@dataclass(frozen=True)
class Alignments:
    """What a page needs of one loss: its oracle, its mathematics, and the settings that change the value."""

    #: The value of one sample from its rows, its labels and the parameters.
    value: Callable[[np.ndarray, np.ndarray, dict[str, Any]], Taylor]
    formula: str
    recursion: str
    gradient: str
    words: str
    settings: tuple[dict[str, Any], ...]


def transducer_value(x: np.ndarray, labels: np.ndarray, parameters: dict[str, Any]) -> Taylor:
    """Return -log of the summed probabilities of all paths; x has the axes frame, labels written, class."""
    frames, _, classes = x.shape
    blank = parameters.get("blank", -1) % classes
    steps = frames + len(labels)
    total = Taylor(mpmath.mpf(0))
    for places in itertools.combinations(range(steps - 1), len(labels)):  # the last step leaves the last frame
        probability, t, u = Taylor(mpmath.mpf(1)), 0, 0
        for step in range(steps):
            row = [taylor.exp(number) for number in x[t, u]]
            if parameters.get("fused_log_softmax", True):
                row = [number / sum(row, Taylor(mpmath.mpf(0))) for number in row]
            if step in places:
                probability, u = probability * row[labels[u]], u + 1
            else:
                probability, t = probability * row[blank], t + 1
        total = total + probability
    return -taylor.log(total)


def by_recursion(x: np.ndarray, labels: np.ndarray, blank: int, fused: bool) -> tuple[float, np.ndarray]:
    """Return the value and, for every node, the shares of the paths by class, as the page writes both."""
    frames, rows, classes = x.shape
    p = np.exp(x - np.log(np.exp(x).sum(-1, keepdims=True)) if fused else x)
    blank %= classes
    forward, backward = np.zeros((frames, rows)), np.zeros((frames + 1, rows + 1))
    for t, u in np.ndindex(frames, rows):
        before = forward[t - 1, u] * p[t - 1, u, blank] if t else float(u == 0)
        forward[t, u] = before + (forward[t, u - 1] * p[t, u - 1, labels[u - 1]] if u else 0.0)
    backward[frames, rows - 1] = 1.0  # beyond the last frame, with all labels written
    share = np.zeros_like(x)
    for t, u in sorted(np.ndindex(frames, rows), reverse=True):
        written = p[t, u, labels[u]] * backward[t, u + 1] if u + 1 < rows else 0.0
        backward[t, u] = p[t, u, blank] * backward[t + 1, u] + written
        share[t, u, blank] = forward[t, u] * p[t, u, blank] * backward[t + 1, u]
        if u + 1 < rows:
            share[t, u, labels[u]] += forward[t, u] * written
    return -float(np.log(backward[0, 0])), share / backward[0, 0]


LOSSES = {
    "rnnt_loss": Alignments(
        value=transducer_value,
        formula=(
            r"L = -\log \sum_{\pi} \prod_{i=1}^{T+U} p_{t_i,\, u_i,\, \pi_i}, \qquad "
            r"p_{t,u,c} = \frac{e^{x_{t,u,c}}}{\sum_{j} e^{x_{t,u,j}}}"
        ),
        recursion=(
            r"\begin{aligned}"
            r"\alpha(1, 0) &= 1, \qquad "
            r"\alpha(t, u) = \alpha(t - 1, u)\, p_{t-1,u,\varnothing} + \alpha(t, u - 1)\, p_{t,u-1,l_u} \\"
            r"\beta(T, U) &= p_{T,U,\varnothing}, \qquad "
            r"\beta(t, u) = p_{t,u,\varnothing}\, \beta(t + 1, u) + p_{t,u,l_{u+1}}\, \beta(t, u + 1) \\"
            r"L &= -\log \beta(1, 0) = -\log \bigl(\alpha(T, U)\, p_{T,U,\varnothing}\bigr) \\"
            r"s_{t,u,\varnothing} &= \frac{\alpha(t, u)\, p_{t,u,\varnothing}\, \beta(t + 1, u)}{\beta(1, 0)}, \qquad "
            r"s_{T,U,\varnothing} = 1 \\"
            r"s_{t,u,l_{u+1}} &= \frac{\alpha(t, u)\, p_{t,u,l_{u+1}}\, \beta(t, u + 1)}{\beta(1, 0)}"
            r"\end{aligned}"
        ),
        words=(
            ":math:`x` is ``logits``. The sum is over all sequences :math:`\\pi` of :math:`T` blanks and the :math:`U` "
            "labels in their order that end with a blank; :math:`t_i` and :math:`u_i` count the blanks and the labels "
            "before step :math:`i`. In the gradient :math:`s_{t,u,k}` is the share of all paths, by probability, that "
            "take the class :math:`k` at the node :math:`(t, u)`."
        ),
        gradient=r"\frac{\partial L}{\partial x_{t,u,k}} = p_{t,u,k} \sum_{j} s_{t,u,j} - s_{t,u,k}",
        settings=({}, {"fused_log_softmax": False}, {"blank": 0}),
    ),
}


# ---- executed --------------------------------------------------------------------------------------------------


def batch(blank: int = -1) -> list[np.ndarray]:
    """Return three samples of up to 3 frames and 2 labels out of 3 classes; what lies past a length is NaN."""
    random = np.random.default_rng(21)
    frames, labels = np.array([3, 2, 2]), np.array([2, 1, 2])
    logits = random.standard_normal((3, 3, 3, 3))
    targets = np.array([[0, 1], [1, 0], [1, 1]]) if blank == -1 else np.array([[1, 2], [2, 1], [2, 2]])
    for n in range(3):
        logits[n, frames[n] :] = np.nan
        logits[n, :, labels[n] + 1 :] = np.nan
    return [logits, targets, frames, labels]


def examine(info: LossInfo) -> PageFacts:
    """Execute the statements of a page about a sequence loss."""
    return PageFacts(
        info=info,
        formula=check_formula(info),
        reductions=check_reductions(info),
        outside=messages_outside(info),
        examples=run_doctest(info.examples, info.name),
        equivalents=[EquivalentResult(item) for item in info.equivalents],
    )


def check_formula(info: LossInfo) -> FormulaCheck:
    """Compare value and gradient of the kernel with the oracle."""
    result = FormulaCheck()
    alignments = LOSSES[info.name]
    with mpmath.workdps(DIGITS):
        for parameters in alignments.settings:
            arrays = batch(parameters.get("blank", -1))
            loss = registry.class_of(info.name)(**parameters, reduction="none")
            values, gradient = loss(*arrays), loss.grad(*arrays)
            for n, (frames, labels) in enumerate(zip(arrays[2], arrays[3], strict=True)):
                part = arrays[0][n, :frames, : labels + 1]
                label = arrays[1][n, :labels]
                fused, blank = parameters.get("fused_log_softmax", True), parameters.get("blank", -1)
                value, share = by_recursion(part, label, blank, fused)
                _compare(info, "value", values[n], value, f"sample {n} by the recursion", result)
                p = np.exp(part) / np.exp(part).sum(-1, keepdims=True)
                slopes = p * share.sum(-1, keepdims=True) - share if fused else -share
                for place in np.ndindex(part.shape):
                    where = f"sample {n}, {list(place)}, by the recursion"
                    _compare(info, "gradient", gradient[n][place], slopes[place], where, result)
                if np.count_nonzero(gradient[n]) > part.size:
                    raise Disagreement(f"{info.name}: the gradient of sample {n} is not 0 past its lengths")
                for place in np.ndindex(part.shape):
                    x = np.array([Taylor(mpmath.mpf(float(number))) for number in part.ravel()], dtype=object)
                    x = x.reshape(part.shape)
                    x[place] = Taylor(x[place].value, mpmath.mpf(1))
                    found = alignments.value(x, arrays[1][n, :labels], parameters)
                    where = f"sample {n}, {list(place)}, parameters {parameters}"
                    _compare(info, "value", values[n], found.value, where, result)
                    _compare(info, "gradient", gradient[n][place], found.first, where, result)
            result.settings += 1
    return result


def _compare(info: LossInfo, what: str, kernel: float, expected: Any, where: str, result: FormulaCheck) -> None:
    if not result.add(what, kernel, expected) <= TOLERANCE:
        raise Disagreement(
            f"{info.name}: the {what} differs between the formula and the kernel at {where}: the kernel gives "
            f"{float(kernel):.17g}, the formula {float(expected):.17g}"
        )


def check_reductions(info: LossInfo) -> list[ReductionRow]:
    """Measure every mode's denominator on three samples."""
    function, arrays = registry.function_of(info.name), batch()
    situations: dict[str, dict[str, Any]] = {
        "no weights": {}, "``sample_weight``": {"sample_weight": SAMPLE_WEIGHT}, "``where``": {"where": WHERE},
    }  # fmt: skip
    rows = []
    for mode in info.reductions:
        if mode == "none":
            continue
        divisors = {}
        for name, arguments in situations.items():
            total = float(np.sum(function(*arrays, **arguments, reduction="none")))
            reduced = function(*arrays, **arguments, reduction=mode)
            expected = 1.0 if mode == "sum" else 2.0 if "where" in arguments else 3.0
            if mode == "weighted_mean" and "sample_weight" in arguments:
                expected = float(SAMPLE_WEIGHT.sum())
            if not mathematics.isclose(reduced * expected, total, rel_tol=1e-12):
                raise Disagreement(
                    f"{info.name}: reduction={mode!r}, {name}: the sum {total:.17g} divided by {expected:g} is not "
                    f"{reduced:.17g}"
                )
            divisors[name] = expected
        empty = function(*(array[:0] for array in arrays), reduction=mode)
        masked = function(*arrays, where=np.zeros(3, dtype=bool), reduction=mode)
        rows.append(ReductionRow(mode, divisors, empty, masked))
    return rows


def messages_outside(info: LossInfo) -> list[str]:
    """Return the error's message for a label that is no class and for lengths that are too long."""
    messages = [""]
    for place, wrong in ((1, 3), (2, 4), (3, 3)):
        arrays = batch()
        arrays[place][(0,) * arrays[place].ndim] = wrong
        try:
            registry.function_of(info.name)(*arrays)
        except losslib.DomainError as error:
            messages.append(str(error))
            continue
        raise Disagreement(f"{info.name}: {info.input_names[place]} of {wrong} should be a DomainError")
    return messages


# ---- printed ---------------------------------------------------------------------------------------------------


def sections(facts: PageFacts) -> Sections:
    """Return the sections that only these losses have in this form."""
    return Sections(*_picture(facts.info), _formula(facts.info), _inputs(facts), _reductions(facts))


def _inputs(facts: PageFacts) -> str:
    return tables.inputs(
        facts,
        "Types: float32 and float64, float16 and bfloat16; labels and lengths of any integer type.",
    )


def _formula(info: LossInfo) -> str:
    alignments = LOSSES[info.name]
    return "\n".join(
        [
            heading("Formula"),
            "The value of one sample:\n",
            math(alignments.formula),
            alignments.words + "\n",
            "The sums run forward and backward over the nodes of the lattice, frame :math:`t` and :math:`u` labels "
            "written; :math:`\\varnothing` is the blank, :math:`l` the labels, and what lies outside of the lattice is "
            "0:\n",
            math(alignments.recursion),
            "Gradient:\n",
            math(alignments.gradient),
            "These formulas are written by hand. What the build compares with the kernel is the sum over all "
            "alignments of small samples, listed one by one, its derivative by every input, and the recursion as it "
            "stands here. There is no Hessian: "
            "``value_grad_hess`` is not offered.\n",
        ]
    )


def _reductions(facts: PageFacts) -> str:
    return (
        heading("Reductions")
        + "\nDivisors of 3 samples; weights ``[1, 3, 1]``, a mask without one.\n\n"
        + tables.divisors(facts)
        + '\n``"none"`` gives one value for each sample, 0 where the mask is False.\n'
    )


def _picture(info: LossInfo) -> tuple[str, str]:
    """Draw the value over the logit of the labels, the same at every node, for targets of several lengths."""
    x = abscissa(-4, 4)
    curves = []
    for k, labels in enumerate((0, 1, 2, 4)):
        logits = np.zeros((SAMPLES, 4, labels + 1, 2))
        logits[..., 0] = x[:, np.newaxis, np.newaxis]
        arrays = [logits, np.zeros((SAMPLES, labels), dtype=int), np.full(SAMPLES, 4), np.full(SAMPLES, labels)]
        loss = registry.class_of(info.name)(reduction="none")
        gradient = loss.grad(*arrays)[..., 0].sum(axis=(1, 2))
        curves.append(Curve(f"{labels} label{'s' * (labels != 1)} in 4 frames", loss(*arrays), gradient, colour=k))
    drawn = Figure("logit of the label at every node (the blank has 0)", x, curves)
    header = [drawn.axis, *(curve.label for curve in curves)]
    words = "The gradient shown is the sum of the entries of that logit.\n"
    lattice = f'<figure class="loss-figure loss-lattice">{lattice_drawing(info)}</figure>'
    picture = (
        f".. raw:: html\n\n{indent(lattice)}\n\nThe lattice of four frames and three labels: a step to the right is a "
        "blank and leads to the next frame, a step up writes a label. The wider a line, the larger the share of all "
        "paths that take it, by probability: minus the gradient by its log-probability, from the kernel.\n\n"
        f".. raw:: html\n\n{indent(drawn.html(info.name))}\n\n{words}"
    )
    return picture, heading("Numbers of the picture (value; gradient)") + "\n" + table(header, drawn.rows())


def lattice_drawing(info: LossInfo) -> str:
    """Draw the nodes of a small lattice and the share of the paths on each edge."""
    frames, labels, step, left, bottom = 4, np.array([0, 1, 2]), 70, 40, 250
    rows = len(labels) + 1
    logits = np.random.default_rng(3).standard_normal((1, frames, rows, 4))
    for u, label in enumerate(labels):  # each label is likely in the frame of its place
        logits[0, u, :, label] += 2.0
    logits[..., -1] += 0.5
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    arrays = [logs, labels[np.newaxis], np.array([frames]), np.array([len(labels)])]
    loss = registry.class_of(info.name)(fused_log_softmax=False, reduction="none")
    share = -loss.grad(*arrays)[0]
    parts = []
    for t, u in np.ndindex(frames, rows):
        x, y = left + step * t, bottom - step * u
        edges = [(step, 0, share[t, u, -1], "c0")] if t + 1 < frames or u + 1 == rows else []
        if u + 1 < rows:
            edges.append((0, -step, share[t, u, labels[u]], "c1"))
        for across, up, part, colour in edges:
            width = f"{0.5 + 9 * float(part):.1f}"
            parts.append(f'<path class="curve {colour}" style="stroke-width:{width}" d="M{x} {y}l{across} {up}"/>')
    nodes = [
        f'<circle cx="{left + step * t}" cy="{bottom - step * u}" r="4" fill="currentColor"/>'
        for t, u in np.ndindex(frames, rows)
    ]
    places = [(left + step * t, bottom + 22, "middle", f"frame {t + 1}") for t in range(frames)]
    places += [(left - 12, bottom - step * u + 4, "end", str(u)) for u in range(rows)]
    texts = [f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>' for x, y, anchor, text in places]
    said = f"{info.name}: value {float(loss(*arrays)[0]):.3f}; the share of the paths on each edge of the lattice"
    return (
        f'<svg viewBox="0 0 350 280" style="width:100%;max-width:460px;height:auto" role="img" aria-label="{said}">'
        f"{''.join([*parts, *nodes, *texts])}</svg>"
    )


EXAMINERS["transducer"] = examine
