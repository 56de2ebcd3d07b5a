"""Pages of ranking losses: formulas written by hand, compared with loops over all pairs of a list.

What is compared with the kernel is each definition of ``tests/oracles/ranking.py`` in numbers that carry their
derivatives. The picture is a list in the order of its scores: a bar for each item, as long as its gradient.
"""

from __future__ import annotations

import html
import math as mathematics
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
from losspages.rst import heading, indent, math, table
from losspages.template import tables
from ranking import Math, list_value
from taylor import Taylor

#: Largest difference between kernel and definition, relative to max(1, |definition|), in float64.
TOLERANCE = 2e-12
#: Of four lists, of which the third has nothing but equal labels.
SAMPLE_WEIGHT = np.array([1.0, 3.0, 2.0, 1.0])

#: Kernel -> the parameters under which it is compared beside the defaults.
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "logistic": ({"sigma": 2.0}, {"pair_weight": "ndcg"}, {"pair_weight": "ndcg2pp", "topn": 2}),
    "hinge": ({"p": 2}, {"pair_weight": "label_diff"}),
    "soft_zero_one": ({"sigma": 4.0},),
    "pinball": ({"tau": 0.9}, {"squared": True}),
    "squared_errors": ({"pair_weight": "label_diff"},),
    "lambdarank": ({"norm": "none"}, {"truncation_level": 2}, {"metric": "map"}, {"symmetric": True}),
    "area": tuple({"surrogate": name} for name in ("hinge", "square", "logistic")),
    "softmax": ({"beta": 2.0},),
    "plackett_luce": ({"topn": 2},),
    "approx_ndcg": ({"temperature": 0.1},),
    "approx_mrr": ({"temperature": 0.1},),
    "neural_ndcg": ({"temperature": 0.3, "topn": 2},),
    "auc_margin": ({"version": "v2"}, {"imratio": 0.2}),
    "query_rmse": ({"root": True},),
}

LETTERS = ":math:`x` is ``input`` and :math:`y` is ``target``, for the items of one list"
#: What the other letters of the formulas are.
WORDS = {
    "logistic": ", :math:`w` the weights of the pairs and :math:`\\sigma` is ``sigma``.",
    "hinge": ", :math:`w` the weights of the pairs and :math:`m` is ``margin``.",
    "soft_zero_one": ", :math:`w` the weights of the pairs and :math:`\\sigma` is ``sigma``.",
    "squared_errors": " of :math:`n`; :math:`\\bar d` is the mean of :math:`d`.",
    "pinball": ", :math:`w` the weights of the pairs, :math:`p` is 2 if ``squared``, else 1.",
    "lambdarank": ", :math:`r` their ranks by falling score, :math:`g` their gains, :math:`k` is ``truncation_level``.",
    "area": "; there are :math:`P` positives and :math:`N` negatives, :math:`m` is ``margin``.",
    "softmax": ", :math:`\\beta` is ``beta`` and :math:`\\epsilon` is ``epsilon``.",
    "plackett_luce": ", :math:`k` is ``topn``.",
    "xe_ndcg": ", :math:`\\gamma` is ``gamma``.",
    "approx_ndcg": ", :math:`g` their gains and :math:`T` is ``temperature``.",
    "neural_ndcg": ", :math:`g` their gains, :math:`k` is ``topn`` and :math:`T` is ``temperature``.",
    "approx_mrr": " and :math:`T` is ``temperature``.",
    "query_rmse": " and :math:`w` are the sample weights.",
    "auc_margin": "; :math:`m` is ``margin``, :math:`c_1`, :math:`c_0` and :math:`k` are those of the numerical notes.",
}
#: Kernels whose labels are 0 and 1.
TWO_CLASSES = ("area", "auc_margin")
#: The numbers of a picture that are learnt elsewhere.
LEARNT = {"auc_margin": (1.0, -1.0, 0.5)}


# ---- executed --------------------------------------------------------------------------------------------------


def batch(info: LossInfo) -> list[np.ndarray]:
    """Return four lists of five items; all labels of the third are equal."""
    random = np.random.default_rng(21)
    y = random.integers(0, 2 if info.kernel in TWO_CLASSES else 4, (4, 5)).astype(float)
    y[:, 0], y[:, 1], y[2] = 1.0, 0.0, 1.0
    return [random.standard_normal((4, 5)), y]


def examine(info: LossInfo) -> PageFacts:
    """Execute the statements of a page about a ranking loss."""
    return PageFacts(
        info=info,
        formula=check_formula(info),
        reductions=check_reductions(info),
        outside=["", message_outside(info), *[""] * (len(info.inputs) - 2)],
        examples=run_doctest(info.examples, info.name),
        equivalents=[EquivalentResult(item) for item in info.equivalents],
    )


def check_formula(info: LossInfo) -> FormulaCheck:
    """Compare value, gradient and Hessian of the kernel with the definition."""
    result = FormulaCheck()
    x, y = (array[0] for array in batch(info))
    m = Math(taylor.exp, taylor.log)
    with mpmath.workdps(DIGITS):
        for parameters in ({}, *SETTINGS.get(str(info.kernel), ())):
            labels = y.clip(0, 1) if parameters.get("metric") == "map" else y
            loss = registry.class_of(info.name)(**parameters, reduction="sum")
            if info.has_hessian:
                value, grad, hess = loss.value_grad_hess(x, labels)
            else:
                (value, grad), hess = loss.value_and_grad(x, labels), None
            for place in range(x.size):
                numbers = [Taylor(mpmath.mpf(float(n)), mpmath.mpf(k == place)) for k, n in enumerate(x)]
                expected = list_value(info, numbers, labels, parameters, None, m)
                where = f"item {place}, parameters {parameters}"
                _compare(info, "value", value, expected.value, where, result)
                _compare(info, "gradient", grad[place], expected.first, where, result)
                if hess is not None:
                    _compare(info, "Hessian", hess[place], expected.second, where, result)
            result.settings += 1
    return result


def _compare(info: LossInfo, what: str, kernel: float, expected: Any, where: str, result: FormulaCheck) -> None:
    if not result.add(what, kernel, expected) <= TOLERANCE:
        raise Disagreement(
            f"{info.name}: the {what} differs between the definition and the kernel at {where}: the kernel gives "
            f"{float(kernel):.17g}, the definition {float(expected):.17g}"
        )


def counts(info: LossInfo, labels: np.ndarray) -> np.ndarray:
    """Return what each list adds to the denominator of the mean."""
    pairs = (labels[:, :, np.newaxis] > labels[:, np.newaxis]).sum((1, 2)).astype(float)
    if info.kernel in ("lambdarank", *TWO_CLASSES):
        return np.asarray(pairs > 0, float)
    if info.kernel == "squared_errors":
        return np.full(len(labels), float(labels.shape[1] ** 2))
    if info.mean_divisor == "item weights":
        return np.full(len(labels), float(labels.shape[1]))
    return pairs if info.mean_divisor == "pairs" else np.ones(len(labels))


def check_reductions(info: LossInfo) -> list[ReductionRow]:
    """Measure every mode's denominator on four lists."""
    function, arrays = registry.function_of(info.name), batch(info)
    kept = np.array([True, False, True, True])
    situations: dict[str, tuple[dict[str, Any], np.ndarray]] = {
        "no weights": ({}, np.ones(4)),
        "``sample_weight``": ({"sample_weight": SAMPLE_WEIGHT}, np.ones(4)),
        "``where``": ({"where": kept}, kept.astype(float)),
    }
    rows = []
    for mode in info.reductions:
        if mode == "none":
            continue
        divisors = {}
        for name, (arguments, counted) in situations.items():
            whole = function(*arrays, **arguments, reduction="sum")
            reduced = function(*arrays, **arguments, reduction=mode)
            weight = arguments.get("sample_weight", 1.0) if mode == "weighted_mean" else 1.0
            expected = 1.0 if mode == "sum" else float((counts(info, arrays[1]) * counted * weight).sum())
            if not mathematics.isclose(reduced * expected, whole, rel_tol=1e-12):
                raise Disagreement(
                    f"{info.name}: reduction={mode!r}, {name}: the sum {whole:.17g} divided by {expected:g} is not "
                    f"{reduced:.17g}"
                )
            divisors[name] = expected
        empty = function(*(array[:0] for array in arrays), reduction=mode)
        masked = function(*arrays, where=np.zeros((4, 5), dtype=bool), reduction=mode)
        rows.append(ReductionRow(mode, divisors, empty, masked))
    return rows


def message_outside(info: LossInfo) -> str:
    """Return the error's message about a label that cannot be."""
    x, y = batch(info)
    y[0, 0] = 2.0 if info.inputs[1].domain.code else np.nan
    try:
        registry.function_of(info.name)(x, y)
    except losslib.DomainError as error:
        return str(error)
    raise Disagreement(f"{info.name}: a target of {y[0, 0]} should be a DomainError")


# ---- printed ---------------------------------------------------------------------------------------------------


def sections(facts: PageFacts) -> Sections:
    """Return the sections that only these losses have in this form."""
    return Sections(*_picture(facts.info), _formula(facts.info), _inputs(facts), _reductions(facts))


def _inputs(facts: PageFacts) -> str:
    return tables.inputs(
        facts,
        "Types: float32 and float64, float16 and bfloat16, all computed in float64; labels of any type that holds "
        "them. ``where`` has one number for each item, or for each list along the last axis.",
    )


def _formula(info: LossInfo) -> str:
    latex = info.latex
    parts = [heading("Formula"), "The value of one list:\n", math(latex["value"])]
    parts += [LETTERS + WORDS.get(str(info.kernel), ".") + "\n", "Gradient:\n", math(latex["gradient"])]
    if "hessian" in latex:
        parts += ["Hessian, its diagonal:\n", math(latex["hessian"])]
    parts.append(
        "These formulas are written by hand. What the build compares with the kernel is the definition, computed "
        "pair by pair in numbers that carry their derivatives.\n"
    )
    return "\n".join(parts)


def _reductions(facts: PageFacts) -> str:
    return (
        heading("Reductions")
        + "\nDivisors of 4 lists, one of them with equal labels only; weights ``[1, 3, 2, 1]``, a mask without the "
        "second.\n\n"
        + tables.divisors(facts)
        + '\n``"none"`` gives one value for each list, 0 where nothing is compared.\n'
    )


# ---- the picture -----------------------------------------------------------------------------------------------

#: Labels of a list in the order of its scores, which fall from 2 to -2.
RANKED = np.array([1.0, 0.0, 3.0, 0.0, 2.0, 0.0, 1.0, 0.0])
WIDTH, ROW, LEFT, MIDDLE, REACH, TOP = 460, 22, 116, 288, 150, 34


def _picture(info: LossInfo) -> tuple[str, str]:
    """Draw a list: which items the loss pulls up and which it pushes down, and how hard."""
    labels = RANKED.clip(0, 1) if info.kernel in TWO_CLASSES else RANKED
    scores = np.linspace(2.0, -2.0, len(labels))
    grad = registry.class_of(info.name)(reduction="sum").grad(scores, labels, *LEARNT.get(str(info.kernel), ()))
    scale = REACH / max(abs(grad).max(), 1e-300)
    height = TOP + ROW * len(labels) + 26
    parts = [f'<text class="title" x="4" y="14">{text}</text>' for text in ("rank, score, label",)]
    parts.append(f'<text class="title" x="{MIDDLE}" y="14" text-anchor="middle">pushed down | pulled up</text>')
    for k, (score, label, slope) in enumerate(zip(scores, labels, grad, strict=True)):
        y = TOP + ROW * k
        start, length = (MIDDLE, -slope * scale) if slope <= 0 else (MIDDLE - slope * scale, slope * scale)
        colour = 0 if slope <= 0 else 1
        words = f"{k + 1}.  {score:+.2f}  label {label:g}".replace("-", "−")
        parts.append(f'<text x="4" y="{y + 12}">{html.escape(words)}</text>')
        parts.append(
            f'<rect x="{start:.1f}" y="{y + 2}" width="{length:.1f}" height="{ROW - 8}" fill="var(--curve-{colour})">'
            f"<title>gradient {slope:.4g}</title></rect>"
        )
    parts.append(f'<path class="zero" d="M{MIDDLE} {TOP - 6}V{TOP + ROW * len(labels)}"/>')
    caption = "minus the gradient of each item: where a step downhill moves its score"
    parts.append(f'<text class="axis" x="{WIDTH / 2}" y="{height - 8}" text-anchor="middle">{caption}</text>')
    described = f"{info.name}: minus the gradient of eight items in the order of their scores"
    svg = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{described}">{"".join(parts)}</svg>'
    picture = f'<figure class="loss-figure"><div class="panels">{svg}</div></figure>'
    numbers = [
        [str(k + 1), f"{score:.4g}", f"{label:g}", f"{round(slope, 12) + 0.0:.5g}"]
        for k, (score, label, slope) in enumerate(zip(scores, labels, grad, strict=True))
    ]
    listed = heading("Numbers of the picture") + "\n" + table(["rank", "score", "label", "gradient"], numbers)
    return f".. raw:: html\n\n{indent(picture)}\n", listed


for geometry in ("lists", "auc_margin"):
    EXAMINERS[geometry] = examine
