"""Sphinx extension: one page per loss, an index per family and per tag, all made from the registry.

Before anything is written the statements of a page are executed (``verify``); what disagrees with the compiled package
fails the build. The pages go to ``docs/generated/``.
"""

from __future__ import annotations

import inspect
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import figures
import rowformulas
import rowlosses
import rowpages
import sympy
import verify
from rst import bullets, escape, heading, indent, link, math, slug, table
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

import losslib
from formulas import LONGEST_LATEX, Formula, FormulaError, formula_flags
from losslib import calls, declare, registry
from losslib.registry import Array, LossInfo, Real

logger = logging.getLogger(__name__)

REQUIRED = ("summary", "description", "formula", "use_when", "avoid_when", "examples", "see_also", "entries", "tags")

#: Title and opening of each family's index.
FAMILIES = {
    "regression": (
        "Regression",
        "Losses between a prediction and a real target. Most depend on the difference alone; they differ in how much a "
        "large error counts.",
    ),
    "likelihood": (
        "Likelihoods and divergences",
        "Negative log-likelihoods of counts, positive amounts and real values, and divergences between distributions.",
    ),
    "binary": (
        "Binary and multi-label",
        "Losses for yes/no questions, one for each element, on probabilities, logits or margins.",
    ),
    "multiclass": (
        "Multi-class",
        "Losses of whole rows of classes: cross entropy and its relatives on logits or probabilities, "
        "divergences between two predicted distributions, and margins between scores.",
    ),
    "embedding": (
        "Embeddings",
        "Losses of pairs and triplets of vectors, by distance or by angle.",
    ),
}

#: Package -> how the table of equivalents writes it.
PACKAGES = {
    "torch": "PyTorch", "torchvision": "torchvision", "torchmetrics": "TorchMetrics", "keras": "Keras",
    "tensorflow": "TensorFlow", "optax": "optax", "jax": "JAX", "sklearn": "scikit-learn", "scipy": "SciPy",
    "paddle": "Paddle", "xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost",
}  # fmt: skip


@dataclass
class PageFacts:
    """Everything that was executed for one page."""

    info: LossInfo
    #: The comparison of the formula with the kernel: one of elements or one of rows.
    formula: verify.FormulaCheck | None
    rows: rowformulas.RowCheck | None
    #: For row losses, differences of the kernel's values against its gradients, with every parameter.
    gradients: rowlosses.GradientCheck | None
    reductions: list[verify.ReductionRow]
    outside: list[str]
    examples: int
    equivalents: list[verify.EquivalentResult]


@dataclass
class Summary:
    """The numbers printed at the end of the build."""

    losses: int = 0
    settings: int = 0
    numbers: int = 0
    largest: tuple[float, str] = (0.0, "")
    gradient_settings: int = 0
    gradients: int = 0
    largest_gradient: tuple[float, str] = (0.0, "")
    examples: int = 0
    equivalents: Counter[str] = field(default_factory=Counter)
    unchecked: Counter[str] = field(default_factory=Counter)
    pending: list[str] = field(default_factory=list)
    seconds: float = 0.0


def examine(info: LossInfo) -> PageFacts:
    """Execute every statement of a page."""
    if info.geometry != "pointwise":
        return PageFacts(
            info=info,
            formula=None,
            rows=rowformulas.check_formula(info),
            gradients=rowlosses.check_gradients(info),
            reductions=rowlosses.check_reductions(info),
            outside=rowlosses.messages_outside(info),
            examples=verify.run_doctest(info.examples, info.name),
            equivalents=[rowlosses.run_equivalent(info, item) for item in info.equivalents],
        )
    return PageFacts(
        info=info,
        formula=verify.check_formula(info),
        rows=None,
        gradients=None,
        reductions=verify.check_reductions(info),
        outside=[verify.message_outside(info, k, {}) for k in range(len(info.inputs))],
        examples=verify.run_doctest(info.examples, info.name),
        equivalents=[verify.run_equivalent(info, item) for item in info.equivalents],
    )


# ---- the parts of a page, in the reader's order ----------------------------------------------------------------


def opening(info: LossInfo) -> str:
    spellings = [info.class_name, *info.aliases]
    entries = dict.fromkeys(
        text for name in (info.name, info.name.removesuffix("_loss"), *spellings) for text in (name, _spoken(name))
    )
    # "!" marks the main entry, which the search puts first; a colon would end the name of a kind of entry.
    index = "\n".join(f"   ! single: {text.replace(':', ' ')}" for text in entries if text != info.name)
    badges = " ".join(f":bdg-ref-secondary-line:`{tag} <{slug(tag)}>`" for tag in info.tags)
    family = FAMILIES[info.family][0] if info.family in FAMILIES else info.family
    known = ", ".join(f"``{name}``" for name in info.aliases)
    parts = [
        f".. index::\n{index}\n",
        f".. _loss-{info.name}:\n",
        heading(info.name, "="),
        f"{link(info.summary, info.name)}\n",
        f"{badges} :bdg-ref-primary-line:`{family} <family-{info.family}>`\n",
        f"Range of the value: ``{info.value_range}``. Smaller is better.\n"
        if "signed" not in info.tags
        else f"Range of the value: ``{info.value_range}``. Zero is best; the sign tells the direction of the error.\n",
    ]
    if known:
        spoken = [text for text in entries if " " in text]
        also = f" ({', '.join(spoken)})" if spoken else ""
        parts.append(f"Also found by :py:func:`losslib.get` as {known}{also}.\n")
    return "\n".join(parts)


def _spoken(name: str) -> str:
    """Write a name as a person would search for it: ``log_loss`` is log loss, ``BCELoss`` stays."""
    if name.isupper() or "_" in name or ":" in name or name.islower():
        return name.replace("_", " ").replace(":", " ")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).lower()


def examples(info: LossInfo) -> str:
    """Return the examples: prompts as they are, the words between them as text."""
    blocks = inspect.cleandoc(info.examples).split("\n\n")
    return "\n\n".join(block if block.startswith(">>>") else link(block, info.name) for block in blocks) + "\n"


def signature(info: LossInfo) -> str:
    function = str(declare.function_signature(info, calls.VALUE))
    cls = str(declare.class_signature(info))
    methods = ", ".join(f"``{info.name}.{name}``" for name in _derivatives(info))
    own = ", ".join(f"``{name}``" for name in _derivatives(info))
    takes = ", ".join(f"``{name}``" for name in calls.DERIVATIVE_ARGUMENTS if name not in calls.VALUE_ARGUMENTS)
    names = ", ".join(info.input_names)
    return "\n".join(
        [
            heading("Signature"),
            f".. py:function:: losslib.{info.name}{function}\n",
            f"   Derivatives: {methods}; they take {takes} too.\n",
            f".. py:class:: losslib.{info.class_name}{cls}\n",
            f"   Call the object with ``({names})``; methods {own}.\n",
            "What ``sample_weight``, ``where``, ``out``, ``grad_output`` and ``wrt`` mean is told once, in "
            ":doc:`/conventions`.\n",
            heading("What it does"),
            link(info.description, info.name) + "\n",
        ]
    )


def _derivatives(info: LossInfo) -> list[str]:
    return ["grad", "value_and_grad", "value_grad_hess"] if info.has_hessian else ["grad", "value_and_grad"]


def inputs_table(facts: PageFacts) -> str:
    info = facts.info
    domains = verify.domains_of(info, {})
    rows = []
    for k, (item, domain) in enumerate(zip(info.inputs, domains, strict=True)):
        if k == 0:
            shape = "any"
        elif item.broadcasts:
            shape = f"as ``{info.inputs[0].name}``; without its last axis; with axes of length 1; or a number"
        else:
            shape = f"as ``{info.inputs[0].name}``, or a number"
        outside = f"``DomainError``: {escape(facts.outside[k])}" if facts.outside[k] else "no value is outside"
        rows.append([f"``{item.name}``", f"{link(item.meaning, info.name)}", shape, domain.meaning, outside])
    text = heading("Inputs") + "\n"
    text += table(["input", "meaning", "shape", "values", "outside"], rows, css="loss-inputs") + "\n"
    others = []
    for flag in formula_flags(info):
        changed = verify.domains_of(info, {flag.name: not flag.default})
        others += [
            f"With ``{flag.name}={not flag.default}``, ``{item.name}`` holds {new.meaning}."
            for item, old, new in zip(info.inputs, domains, changed, strict=True)
            if new.name != old.name
        ]
    for item in verify.own_parameters(info):
        if isinstance(item, Real):
            for value in (*item.examples, *item.also):
                changed = verify.domains_of(info, {item.name: value})
                others += [
                    f"With ``{item.name}={value:g}``, ``{entry.name}`` holds {new.meaning}."
                    for entry, old, new in zip(info.inputs, domains, changed, strict=True)
                    if new.name != old.name
                ]
    if others:
        text += " ".join(dict.fromkeys(others)) + "\n\n"
    text += (
        "Types: float32 and float64 are computed as they are, float16 and bfloat16 in float32; integers, booleans and "
        "lists become float64. NaN is legal in every input and reaches value and gradient.\n"
    )
    return text


def formula_section(info: LossInfo, formulas: list[Formula]) -> str:
    first, *others = formulas
    value = math(rf"L = {first.latex(first.value)}")
    parts = [heading("Formula"), "The value of one element:\n", value, symbols(first), derivatives(first)]
    default = _default_texts(first)
    shown = [formula for formula in others if _changed_flags(info, formula) == 1]
    if shown:
        parts.append(f"That is {_setting_text(first)}, the default.\n")
    for formula in shown:
        body = math(rf"L = {formula.latex(formula.value)}")
        if _default_texts(formula) == default:
            body += "\nGradient and Hessian stay as they are.\n"
        else:
            body += "\n" + derivatives(formula)
        parts.append(f".. rubric:: With {_setting_text(formula, only_changed=True)}\n")
        parts.append(body)
    return "\n".join(parts)


def _changed_flags(info: LossInfo, formula: Formula) -> int:
    return sum(value != info.parameter(name).default for name, value in formula.flags.items())


def _setting_text(formula: Formula, only_changed: bool = False) -> str:
    flags = formula.flags.items()
    if only_changed:
        flags = [(name, value) for name, value in flags if value != formula.info.parameter(name).default]
    return ", ".join(f"``{name}={value}``" for name, value in flags)


def _default_texts(formula: Formula) -> list[str]:
    info = formula.info
    texts = [formula.latex(formula.derivative(name)) for name in info.default_wrt]
    if info.has_hessian:
        texts += [formula.latex(formula.derivative(name, name)) for name in info.default_wrt]
    return texts


def symbols(formula: Formula) -> str:
    info = formula.info
    words, cases = [], []
    for symbol in formula.symbols:
        tex = formula.tex_of(symbol)
        if symbol in formula.abbreviations and formula.abbreviations[symbol].has(sympy.Piecewise):
            cases.append(math(f"{tex} = {formula.latex(formula.abbreviations[symbol])}"))
        elif symbol in formula.abbreviations:
            words.append(f":math:`{tex} = {formula.latex(formula.abbreviations[symbol])}`")
        else:
            source = info.symbols.get(symbol.name, symbol.name)
            default = ""
            if source in info.parameter_names and isinstance(info.parameter(source), Array):
                default = " (1 when it is None)"
            words.append(f":math:`{tex}` is ``{source}``{default}")
    text = "Here " + ", ".join(words)
    latex = formula.latex(formula.value)
    if r"\sigma" in latex or "softplus" in latex:
        text += r", :math:`\sigma(z) = 1/(1 + e^{-z})` and :math:`\operatorname{softplus}(z) = \log(1 + e^z)`"
    if cases:
        text += ", and\n\n" + "\n".join(cases)
        return text
    return text + ".\n"


def derivatives(formula: Formula) -> str:
    info = formula.info
    letters = {value: formula.tex_of(next(s for s in formula.symbols if s.name == key)) for key, value in
               formula.inputs.items()}  # fmt: skip
    parts = []
    for order, names, title in (
        (1, info.differentiable, "Gradient"),
        (2, info.default_wrt if info.has_hessian else (), "Diagonal of the Hessian"),
    ):
        if not names:
            parts.append("There is no Hessian: ``value_grad_hess`` is not offered.\n")
            continue
        parts.append(f"{title}:\n")
        for name in names:
            tex = formula.latex(formula.derivative(*[name] * order))
            power = "" if order == 1 else "^2"
            left = rf"\frac{{\partial{power} L}}{{\partial {letters[name]}{power}}}"
            if len(tex) > LONGEST_LATEX:
                parts.append(
                    f"For ``{name}`` it is too long to help a reader; it is taken from the formula and compared with "
                    "the kernel like the others.\n"
                )
            else:
                parts.append(math(f"{left} = {tex}"))
    if formula.guards():
        parts.append(
            "Derivatives hold while the floors inside :math:`\\max` are inactive; the notes say what happens beyond.\n"
        )
    return "\n".join(parts)


def reductions(facts: PageFacts) -> str:
    info = facts.info
    situations = {
        "plain": "no weights",
        "weight": "``weight``",
        "sample_weight": "``sample_weight``",
        "where": "``where``",
    }
    rows = [
        [f'``"{row.mode}"``', *(f"÷ {row.divisors[key]:g}" for key in situations), str(row.empty), str(row.masked)]
        for row in facts.reductions
    ]
    text = heading("Reductions") + "\n"
    axis = " The mean over the last axis is taken first." if info.averages_last_axis else ""
    text += (
        "What the sum is divided by, measured on a 2 × 2 batch with the weights ``[[1, 2], [3, 4]]``, the sample "
        "weights ``[1, 3]`` and a mask that leaves out one element; and the value of a batch without elements, and of "
        f"one that is masked altogether.{axis}\n\n"
    )
    text += table(["reduction", *situations.values(), "empty batch", "all masked"], rows, css="loss-reductions") + "\n"
    each = "one value for each row" if info.averages_last_axis else "one value for each element"
    text += f'``"none"`` gives {each}, 0 where the mask is False.\n'
    if info.mean_divisor == "weight":
        text += '\nAs in PyTorch, ``"mean"`` divides by the sum of ``weight`` when it is given.\n'
    return text


def figure(info: LossInfo, formula: Formula) -> str:
    drawn = figures.figure_of(info, formula)
    header = [drawn.axis, *(f"{curve.label or 'value; gradient'}" for curve in drawn.curves)]
    with_numbers = table(header, drawn.rows())
    return "\n".join(
        [
            heading("Picture"),
            ".. raw:: html\n",
            indent(drawn.html(info.name)) + "\n",
            ".. dropdown:: Numbers of the picture (value; gradient)\n",
            indent(with_numbers) + "\n",
        ]
    )


def parameters(info: LossInfo) -> str:
    rows = []
    for item in info.parameters:
        if item.name in ("reduction", "check"):
            continue
        values = item.range_text
        if isinstance(item, Array):
            values = "a number or an array that broadcasts, or None"
            if info.geometry != "pointwise":
                values = "one number for each class, or None"
        default = f"{item.default:g}" if isinstance(item, Real) and item.default is not None else item.default
        rows.append([f"``{item.name}``", f"``{default}``", values, link(item.meaning, info.name)])
    text = heading("Parameters") + "\n"
    if not rows:
        return text + "Only ``reduction`` and ``check``, those of every loss: :doc:`/conventions`.\n"
    text += table(["name", "default", "values", "meaning"], rows, css="loss-parameters") + "\n"
    return text + "``reduction`` and ``check`` are those of every loss: :doc:`/conventions`.\n"


def advice(title: str, items: tuple[str, ...], info: LossInfo) -> str:
    return heading(title) + "\n" + bullets([link(item, info.name) for item in items])


def equivalents(facts: PageFacts) -> str:
    info = facts.info
    if not facts.equivalents:
        return ""
    rows = []
    for result in facts.equivalents:
        item = result.equivalent
        arguments = ", ".join(f"{name}={value!r}" for name, value in item.arguments.items())
        here = f"``{info.name}({arguments})``" if arguments else "defaults"
        call = f"``{item.call}``" if item.call else f"``{item.name}``"
        if result.version:
            state = f"agrees with {result.version} to {result.tolerance:g}"
        elif item.call:
            state = "not checked in this build"
        else:
            state = "no direct call"
        rows.append([PACKAGES.get(item.package, item.package), call, here, link(item.note, info.name) or "–", state])
    return (
        heading("The same elsewhere")
        + f"\n{_letters(info)}.\n\n"
        + table(["package", "there", "here", "difference", "checked"], rows, "13 32 22 21 12", "loss-equivalents")
        + "\n"
    )


def _letters(info: LossInfo) -> str:
    """Say what the names in the calls of other packages are."""
    if info.geometry == "distance":
        letters = {meaning: letter for letter, meaning in info.symbols.items()}
        names = ", ".join(f"``{letters.get(name, name)}``" for name in info.input_names)
        return f"{names} are the inputs, with vectors of shape (N, D)"
    if info.geometry != "pointwise":
        return "``x`` is the input of shape (N, C), ``t`` the target"
    return "``x`` is the prediction, ``t`` the target" + (", ``v`` the third input" if len(info.inputs) == 3 else "")


def references(info: LossInfo) -> str:
    if not info.references:
        return ""
    items = []
    for item in info.references:
        address = f"https://doi.org/{item.doi}" if item.doi else item.url
        label = f"doi:{item.doi}" if item.doi else item.url
        text = escape(item.text)
        items.append(f"{text} `{label} <{address}>`__" if address else text)
    return heading("References") + "\n" + bullets(items)


def foot(facts: PageFacts) -> str:
    config = losslib.config()
    checked = [result for result in facts.equivalents if result.version]
    check = facts.formula or facts.rows
    assert check is not None
    compared = (
        f"{check.numbers} numbers of value and derivatives against the formula ({check.settings} parameter settings, "
        f"largest relative deviation {check.largest:.1e})"
    )
    if facts.gradients is not None:
        compared += f", {facts.gradients.numbers} entries of the gradient against differences of the value"
    denominators = sum(len(row.divisors) for row in facts.reductions)
    text = (
        f"losslib {config['version']}, instruction set {config['isa']}. Checked while this page was built: {compared}, "
        f"{denominators} denominators, {facts.examples} lines of examples, {len(checked)} calls of other packages."
    )
    return f".. rst-class:: loss-foot\n\n{text}\n"


def page(facts: PageFacts) -> str:
    """Return the page of a loss."""
    info = facts.info
    see_also = [f":py:func:`~losslib.{registry.lookup(name)}`: {link(text, info.name)}" for name, text in info.see_also]
    if facts.formula is not None:
        particular = [
            inputs_table(facts),
            formula_section(info, facts.formula.formulas),
            reductions(facts),
            figure(info, facts.formula.formulas[0]),
        ]
    else:
        particular = [
            rowpages.inputs_table(info, facts.outside),
            rowpages.formula_section(info),
            rowpages.reductions(info, facts.reductions),
            rowpages.figure(info),
        ]
    sections = [
        opening(info),
        signature(info),
        *particular,
        heading("Examples") + "\n>>> import numpy as np\n>>> import losslib\n\n" + examples(info),
        parameters(info),
        heading("Numerical notes") + "\n" + link(info.notes, info.name) + "\n" if info.notes else "",
        advice("Use it when", info.use_when, info),
        advice("Avoid it when", info.avoid_when, info),
        advice("Pitfalls", info.pitfalls, info) if info.pitfalls else "",
        equivalents(facts),
        heading("See also") + "\n" + bullets(see_also),
        references(info),
        foot(facts),
    ]
    return "\n".join(section for section in sections if section)


# ---- indexes ---------------------------------------------------------------------------------------------------


def overview(infos: list[LossInfo]) -> str:
    rows = [[f":py:func:`~losslib.{i.name}`", link(i.summary), ", ".join(i.tags)] for i in infos]
    return table(["loss", "meaning", "tags"], rows, widths="28 52 20", css="loss-overview")


def family_page(family: str, infos: list[LossInfo]) -> str:
    title, text = FAMILIES.get(family, (family.capitalize(), ""))
    listed = "\n".join(f"   {info.name}" for info in infos)
    return (
        f".. _family-{family}:\n\n{heading(title, '=')}\n{text}\n\n{overview(infos)}\n"
        f".. toctree::\n   :hidden:\n\n{listed}\n"
    )


def tags_page(infos: list[LossInfo]) -> str:
    tags = sorted({tag for info in infos for tag in info.tags})
    parts = [":orphan:\n", heading("Losses by tag", "=")]
    for tag in tags:
        listed = [f":py:func:`~losslib.{info.name}`" for info in infos if tag in info.tags]
        parts.append(f".. _{slug(tag)}:\n\n{heading(tag)}\n" + ", ".join(listed) + "\n")
    return "\n".join(parts)


def names_page(infos: list[LossInfo]) -> str:
    """Return the table of every name that ``losslib.get`` understands."""
    rows = sorted(
        ([f"``{alias}``", f":py:func:`~losslib.{info.name}`"] for info in infos for alias in info.aliases),
        key=lambda row: row[0].lower(),
    )
    return (
        heading("Other names", "=")
        + "\nEvery function and class name, these aliases, and the function name without ``_loss``, are understood by "
        + ":py:func:`losslib.get` and the command line.\n\n"
        + table(["name", "loss"], rows)
    )


# ---- the build -------------------------------------------------------------------------------------------------


def missing_fields(info: LossInfo, pending: list[str]) -> tuple[list[str], list[str]]:
    """Return the complaints about empty fields, and the empty fields that are still being filled."""
    empty = [name for name in REQUIRED if not getattr(info, name)]
    wrong = [f"{info.name}: the field {name!r} of its declaration is empty" for name in empty if name not in pending]
    for name, _ in info.see_also:
        try:
            registry.lookup(name)
        except losslib.ParameterError:
            wrong.append(f"{info.name}: see_also names {name!r}, which is no loss")
    return wrong, [f"{info.name}.{name}" for name in empty if name in pending]


def generate(app: Sphinx) -> None:
    """Check every loss and write its page; raise with everything that is wrong."""
    start = time.perf_counter()
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    summary = Summary()
    problems: list[str] = []
    files: dict[str, str] = {}
    infos = list(registry.all_losses())
    for info in infos:
        wrong, pending = missing_fields(info, app.config.losspages_pending)
        problems += wrong
        summary.pending += pending
        if wrong:
            continue
        try:
            facts = examine(info)
            files[info.name] = page(facts)
        except (verify.Disagreement, FormulaError) as error:
            problems.append(str(error))
            continue
        except Exception as error:  # a bug of the package shows here too; the others are still looked at
            problems.append(f"{info.name}: {type(error).__name__}: {error}")
            logger.debug("traceback", exc_info=True)
            continue
        count(summary, facts)
    for path in sorted(Path(app.srcdir).rglob("*.rst")):
        if folder not in path.parents and "_build" not in path.parts:
            try:
                summary.examples += verify.run_doctest(path.read_text(), path.name, str(path))
            except verify.Disagreement as error:
                problems.append(str(error))
    losses = {name for info in infos for name in (info.name, info.class_name)}
    for name in ("", *losslib.__all__):
        documented = getattr(losslib, name) if name else losslib
        text = inspect.getdoc(documented) or ""
        if name not in losses and ">>>" in text:
            try:
                summary.examples += verify.run_doctest(text, f"losslib.{name}".rstrip("."))
            except verify.Disagreement as error:
                problems.append(str(error))
    if problems:
        raise ExtensionError("\n\n".join(["the pages disagree with the package:", *problems]))
    for family in dict.fromkeys(info.family for info in infos):
        files[family] = family_page(family, [info for info in infos if info.family == family])
    files["tags"] = tags_page(infos)
    files["names"] = names_page(infos)
    write(folder, files)
    summary.seconds = time.perf_counter() - start
    app.losspages_summary = summary  # type: ignore[attr-defined]


def count(summary: Summary, facts: PageFacts) -> None:
    summary.losses += 1
    check = facts.formula or facts.rows
    if check is not None:
        summary.settings += check.settings
        summary.numbers += check.numbers
        summary.largest = max(summary.largest, (check.largest, facts.info.name))
    if facts.gradients is not None:
        summary.gradient_settings += facts.gradients.settings
        summary.gradients += facts.gradients.numbers
        summary.largest_gradient = max(summary.largest_gradient, (facts.gradients.largest, facts.info.name))
    summary.examples += facts.examples
    for result in facts.equivalents:
        if result.version:
            summary.equivalents[f"{result.equivalent.package} {result.version}"] += 1
        elif result.equivalent.call:
            summary.unchecked[result.equivalent.package] += 1


def write(folder: Path, files: dict[str, str]) -> None:
    """Write what changed and delete what no longer exists, so that a second build reads only what is new."""
    for old in folder.glob("*.rst"):
        if old.stem not in files:
            old.unlink()
    for name, text in files.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def report(app: Sphinx, exception: Exception | None) -> None:
    """Print what was checked."""
    summary: Summary | None = getattr(app, "losspages_summary", None)
    if exception is not None or summary is None:
        return
    executed = ", ".join(f"{name}: {n}" for name, n in sorted(summary.equivalents.items())) or "none"
    absent = ", ".join(f"{name}: {n}" for name, n in sorted(summary.unchecked.items())) or "none"
    rows: list[tuple[str, Any]] = [
        ("losses", summary.losses),
        ("formulas checked", f"{summary.settings} settings, {summary.numbers} numbers"),
        ("largest deviation", f"{summary.largest[0]:.1e} ({summary.largest[1]})"),
        ("gradients of row losses", f"{summary.gradient_settings} settings, {summary.gradients} numbers"),
        ("largest deviation", f"{summary.largest_gradient[0]:.1e} ({summary.largest_gradient[1]})"),
        ("examples run", f"{summary.examples} lines"),
        ("equivalents executed", executed),
        ("equivalents not checked", absent),
        ("time of the checks", f"{summary.seconds:.1f} s"),
    ]
    if summary.pending:
        rows.append(("fields still empty", ", ".join(summary.pending)))
    logger.info("\nChecked against losslib %s (%s):", losslib.__version__, losslib.config()["isa"])
    for name, text in rows:
        logger.info("  %-24s %s", name, text)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("losspages_pending", [], "env")
    app.connect("builder-inited", generate)
    app.connect("build-finished", report)
    return {"version": losslib.__version__, "parallel_read_safe": True, "parallel_write_safe": True}
