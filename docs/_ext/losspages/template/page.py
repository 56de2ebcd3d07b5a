"""The page of a loss: its parts in the reader's order, put together from what was executed for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import losslib
from losslib import declare
from losslib.declaration import modes, registry
from losslib.declaration.schema import Array, LossInfo, Real
from losspages.catalogue import peer_names, stories, titles
from losspages.catalogue.indexes import FAMILIES
from losspages.checks.equivalents import EquivalentResult
from losspages.checks.examine import PageFacts, Sections
from losspages.compare.data import link_of
from losspages.formulas import javascript
from losspages.rst import bullets, escape, folded, heading, link, slug, table
from losspages.template import (
    contrast_parts,
    ctc_parts,
    element_parts,
    fact_strip,
    ranking_parts,
    region_parts,
    row_parts,
    survival_parts,
    transducer_parts,
)

#: Package -> how the table of equivalents writes it.
PACKAGES = {
    "torch": "PyTorch", "torchvision": "torchvision", "torchmetrics": "TorchMetrics", "keras": "Keras",
    "tensorflow": "TensorFlow", "optax": "optax", "jax": "JAX", "sklearn": "scikit-learn", "scipy": "SciPy",
    "paddle": "Paddle", "xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost",
    "statsmodels": "statsmodels", "kornia": "Kornia", "robust_loss_pytorch": "robust_loss_pytorch",
    "mxnet": "MXNet", "pytorch_metric_learning": "PyTorch Metric Learning", "monai": "MONAI",
    "segmentation_models_pytorch": "Segmentation Models", "mmdet": "MMDetection", "keras_cv": "KerasCV",
    "entmax": "entmax", "coral_pytorch": "coral-pytorch", "dlordinal": "dlordinal", "lightly": "lightly",
    "open_clip": "OpenCLIP", "sentence_transformers": "Sentence Transformers",
    "lifelines": "lifelines", "sksurv": "scikit-survival", "torchsurv": "torchsurv", "pycox": "pycox",
    "rax": "Rax", "libauc": "LibAUC", "allrank": "allRank",
}  # fmt: skip

#: The packages that have a page about coming from them.
MIGRATIONS = ("torch", "keras", "sklearn", "optax")


# ---- the parts of a page, in the reader's order ----------------------------------------------------------------


def opening(facts: PageFacts) -> str:
    info = facts.info
    spellings = [info.class_name, *info.aliases]
    entries = dict.fromkeys(
        text
        for name in (info.name, info.name.removesuffix("_loss"), *spellings)
        for text in (name, titles.spoken(name))
    )
    # "!" marks the main entry, which the search puts first; a colon would end the name of a kind of entry.
    index = "\n".join(f"   ! single: {text.replace(':', ' ')}" for text in entries if text != info.name)
    best = "Zero is best, the sign tells the direction of the error" if "signed" in info.tags else "Smaller is better"
    parts = [
        f".. index::\n{index}\n",
        f".. _loss-{info.name}:\n",
        # Links to the function and to the class lead here, not to the signatures among the folded parts.
        f".. loss-objects:: losslib.{info.name} losslib.{info.class_name}\n",
        f".. meta::\n   :description: {info.summary.replace('`', '')}\n",
        heading(titles.title_of(info), "="),
        f"``losslib.{info.name}``, class ``losslib.{info.class_name}``\n",
        f"{link(info.summary, info.name)} {best}.\n",
        fact_strip.strip(info, facts.measured),
    ]
    return "\n".join(parts)


def belongs(info: LossInfo) -> str:
    """Return what leads on from a loss: its tags, its family, and the comparison with its neighbours."""
    badges = " ".join(f":bdg-ref-secondary-line:`{tag} <{slug(tag)}>`" for tag in info.tags)
    family = FAMILIES[info.family][0] if info.family in FAMILIES else info.family
    badges += f" :bdg-ref-primary-line:`{family} <family-{info.family}>`"
    return f"{badges}\n\n{link_of(info)}"


def examples(info: LossInfo) -> str:
    """Return the examples: prompts as they are, the words between them as text."""
    blocks = inspect.cleandoc(info.examples).split("\n\n")
    return "\n\n".join(block if block.startswith(">>>") else link(block, info.name) for block in blocks) + "\n"


def signature(info: LossInfo) -> str:
    function = str(declare.function_signature(info, modes.VALUE))
    cls = str(declare.class_signature(info))
    methods = ", ".join(f"``{info.name}.{name}``" for name in _derivatives(info))
    own = ", ".join(f"``{name}``" for name in _derivatives(info))
    takes = ", ".join(f"``{name}``" for name in modes.DERIVATIVE_ARGUMENTS if name not in modes.VALUE_ARGUMENTS)
    names = ", ".join(info.input_names)
    return "\n".join(
        [
            heading("Signature"),
            f".. py:function:: losslib.{info.name}{function}\n   :no-index:\n",
            f"   Derivatives: {methods}; they take {takes} too.\n",
            f".. py:class:: losslib.{info.class_name}{cls}\n   :no-index:\n",
            f"   Call the object with ``({names})``; methods {own}.\n",
            "The other arguments: :doc:`/conventions`.\n",
        ]
    )


def _derivatives(info: LossInfo) -> list[str]:
    return ["grad", "value_and_grad", "value_grad_hess"] if info.has_hessian else ["grad", "value_and_grad"]


def parameters(info: LossInfo) -> str:
    rows = []
    for item in info.parameters:
        if item.name in ("reduction", "check"):
            continue
        values = item.range_text
        if isinstance(item, Array):
            values = "a number or an array that broadcasts, or None"
            if info.geometry != "pointwise":
                values = {
                    "risk": "one number for each sample, or None",
                    "lists": "an array, or None",
                    "auc_margin": "an array, or None",
                }.get(info.geometry, "one number for each class, or None")
        default = f"{item.default:g}" if isinstance(item, Real) and item.default is not None else item.default
        rows.append([f"``{item.name}``", f"``{default}``", values, link(item.meaning, info.name)])
    text = heading("Parameters") + "\n"
    if not rows:
        return text + "Only ``reduction`` and ``check``, those of every loss: :doc:`/conventions`.\n"
    text += table(["name", "default", "values", "meaning"], rows, css="loss-parameters") + "\n"
    return text + "``reduction``, ``check``: :doc:`/conventions`.\n"


def advice(title: str, items: tuple[str, ...], info: LossInfo) -> str:
    return heading(title) + "\n" + bullets([link(item, info.name) for item in items])


def equivalents(facts: PageFacts) -> str:
    info = facts.info
    rows = []
    for result in facts.equivalents:
        item = result.equivalent
        package = PACKAGES.get(item.package, item.package)
        there = f"``{item.call or item.name}``"
        here = f"``{call_here(info, item.arguments)}``"
        rows.append([f"{package}: {there}", here, link(item.note, info.name) or "–", state(result)])
    letters = f"{_letters(info)}.\n\n" if any(item.call for item in info.equivalents) else ""
    known = ", ".join(f"``{name}``" for name in info.aliases)
    known = f":py:func:`losslib.get` also takes the names {known}.\n\n" if known else ""
    header = ["there", "here", "difference", "compared in this build"]
    return (
        heading("The same elsewhere")
        + f"\n{known}{letters}"
        + table(header, rows, "32 30 22 16", "loss-equivalents")
        + "\n"
    )


def state(result: EquivalentResult) -> str:
    """Say what was executed for a row of the tables of equivalents."""
    if result.version:
        counted = _counted(result.values, "value")
        if result.gradients:
            counted += f" and {_counted(result.gradients, 'slope')}"
        return f"{counted}, to {result.tolerance:g}, with {result.version}"
    if result.equivalent.call:
        return "not executed in this build"
    if peer_names.compared_by_tests(result.equivalent):
        return "by ``make test-peers``"
    return "not executed"


def call_here(info: LossInfo, arguments: Mapping[str, Any]) -> str:
    """Return the call of losslib, over the letters that the call of the other package has."""
    if info.geometry == "ctc":
        letters = ["x", "t", "n", "m"]
    elif info.geometry == "distance":
        symbols = {meaning: letter for letter, meaning in info.symbols.items()}
        letters = [symbols.get(name, name) for name in info.input_names]
    elif info.input_names[0] == "input1" and info.geometry not in contrast_parts.GEOMETRIES:
        letters = ["x1", "x2", "t"]
    elif info.geometry in contrast_parts.GEOMETRIES:
        letters = contrast_parts.letters_of(info)
    elif info.input_names[1] != "target":
        letters = list(info.input_names)
    else:
        letters = ["x", "t", "v"][: len(info.inputs)]
    given = [f"{name}={value!r}" for name, value in arguments.items()]
    return f"losslib.{info.name}({', '.join([*letters, *given])})"


def _letters(info: LossInfo) -> str:
    """Say what the names in the calls of other packages are."""
    if info.geometry == "ctc":
        return "``x`` is the first input of shape (T, N, C), ``t`` the targets, ``n`` and ``m`` the two lengths"
    if info.geometry == "distance":
        letters = {meaning: letter for letter, meaning in info.symbols.items()}
        names = ", ".join(f"``{letters.get(name, name)}``" for name in info.input_names)
        return f"{names} are the inputs, with vectors of shape (N, D)"
    if info.family == "segmentation":
        return "``x`` is the input of shape (N, C, d1, …), ``t`` a mask of each class"
    if info.geometry == "boxes":
        return "``x`` and ``t`` are boxes of shape (N, 4)"
    if info.geometry != "pointwise":
        return "``x`` is the input of shape (N, C), ``t`` the target"
    return "``x`` is the prediction, ``t`` the target" + (", ``v`` the third input" if len(info.inputs) == 3 else "")


def references(info: LossInfo) -> str:
    items = []
    for item in info.references:
        doi = item.doi or item.url.replace("https://arxiv.org/abs/", "10.48550/arXiv.") * ("arxiv.org" in item.url)
        address = f"https://doi.org/{quote(doi, safe='/():;.')}" if doi else item.url
        label = f"doi:{doi}".replace("<", r"\<") if doi else item.url  # an old DOI may hold brackets
        text = escape(item.text)
        items.append(f"{text} `{label} <{address}>`__" if address else text)
    return heading("References") + "\n" + bullets(items)


def live(info: LossInfo) -> str:
    """Return the part with a slider for every parameter, whose curves the browser computes."""
    place = f'<div class="loss-live" data-loss="{info.name}"></div>'
    return f"{heading('Every parameter, live')}\n.. raw:: html\n\n   {place}\n"


def foot(facts: PageFacts) -> str:
    config = losslib.config()
    executed = sum(bool(result.version) for result in facts.equivalents)
    against = sum(result.values + result.gradients for result in facts.equivalents)
    check = facts.formula
    compared = (
        f"{check.numbers.total()} numbers of value and derivatives against the formula "
        f"({_counted(check.settings, 'parameter setting')}, largest relative deviation {check.largest:.1e})"
    )
    if facts.differences is not None:
        compared += f", {facts.differences.numbers} entries of the gradient against differences of the value"
    denominators = sum(len(row.divisors) for row in facts.reductions)
    text = (
        f"losslib {config['version']}, instruction set {config['isa']}. Checked while this page was built: {compared}, "
        f"{_counted(denominators, 'denominator')}, {_counted(facts.examples, 'line')} of examples, "
        f"{_counted(executed, 'call')} of other packages ({_counted(against, 'number')})."
    )
    return f".. rst-class:: loss-foot\n\n{text}\n"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def sections_of_elements(facts: PageFacts) -> Sections:
    formulas = facts.formula.formulas
    picture, numbers = element_parts.figure(facts.info, formulas[0])
    return Sections(
        figure=picture,
        numbers=numbers,
        formula=element_parts.formula_section(facts.info, formulas),
        inputs=element_parts.inputs_table(facts.info, facts.outside),
        reductions=element_parts.reductions(facts.info, facts.reductions),
    )


def sections_of_rows(facts: PageFacts) -> Sections:
    picture, numbers = row_parts.figure(facts.info)
    return Sections(
        figure=picture,
        numbers=numbers,
        formula=row_parts.formula_section(facts.info),
        inputs=row_parts.inputs_table(facts.info, facts.outside),
        reductions=row_parts.reductions(facts.info, facts.reductions),
    )


#: Geometry -> the sections that differ between kinds of losses.
SECTIONS: dict[str, Callable[[PageFacts], Sections]] = {
    "pointwise": sections_of_elements,
    "softmax": sections_of_rows,
    "margin": sections_of_rows,
    "distance": sections_of_rows,
    "ctc": ctc_parts.sections,
    "transducer": transducer_parts.sections,
    **dict.fromkeys(region_parts.GEOMETRIES, region_parts.sections),
    "risk": survival_parts.sections,
    "lifetimes": survival_parts.sections,
    "intervals": survival_parts.sections,
    **dict.fromkeys(("comparable", "hits", "brier"), survival_parts.sections),
    **dict.fromkeys(("lists", "auc_margin"), ranking_parts.sections),
    **dict.fromkeys(contrast_parts.GEOMETRIES, contrast_parts.sections),
}


def page(facts: PageFacts) -> str:
    """Return the page of a loss: what it is, then when and how to use it, then folded what one looks up."""
    info = facts.info
    own = (SECTIONS.get(info.geometry) or region_parts.sections)(facts)
    see_also = [f":py:func:`~losslib.{registry.lookup(name)}`: {link(text, info.name)}" for name, text in info.see_also]
    settings = fact_strip.by_setting(info, facts.measured)
    sections = [
        opening(facts),
        own.figure if "<figure" in own.figure else region_parts.other_drawing(info),
        belongs(info),
        own.formula,
        advice("Use it when", info.use_when, info),
        advice("Avoid it when", info.avoid_when, info),
        heading("See also") + "\n" + bullets(see_also),
        heading("Examples") + "\n>>> import numpy as np\n>>> import losslib\n\n" + examples(info),
        stories.line(info),
        equivalents(facts),
        advice("Pitfalls", info.pitfalls, info),
        heading("What it does") + "\n" + link(info.description, info.name) + "\n",
        heading("In detail"),
        folded(live(info), info.name) if javascript.is_printable(info) else "",
        folded(settings, info.name) if settings else "",
        folded(signature(info), info.name),
        folded(own.inputs, info.name),
        folded(parameters(info), info.name),
        folded(own.reductions, info.name),
        folded(heading("Numerical notes") + "\n" + link(info.notes, info.name) + "\n", info.name),
        folded(own.numbers, info.name) if own.numbers else "",
        references(info),
        foot(facts),
    ]
    return "\n".join(sections)
