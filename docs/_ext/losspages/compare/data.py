"""The data of the compare page: for every loss of single elements its formula, its parameters and its facts."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from losslib.declaration import registry
from losslib.declaration.schema import Array, Flag, LossInfo, Parameter, Real
from losslib.formula.declared import letters_of, names_used, texts_of
from losslib.formula.language import names_in, tree_of
from losspages.catalogue.titles import title_of
from losspages.checks.examine import PageFacts
from losspages.checks.facts import ENDS, Facts
from losspages.checks.verify import domains_of, own_parameters
from losspages.formulas import javascript
from losspages.template.fact_strip import facts_of

__all__ = ["compared_with", "link_of", "text"]

#: Targets that a loss is drawn for, by the domain of the target; those of a difference alone have 0.
TARGETS = {
    "probability": (1.0, 0.0), "binary": (1.0, 0.0), "sign": (1.0, -1.0), "nonnegative": (1.0, 0.0, 3.0),
    "positive": (1.0, 0.5, 3.0), "above_minus_one": (1.0, 0.0, 3.0),
}  # fmt: skip

#: Positions of a slider.
STEPS = 100


def _slider(item: Real) -> dict[str, Any]:
    """Return what a slider of a number runs over: its examples and a little beyond, on the scale that they have."""
    known = sorted({v for v in (item.default, *item.examples) if v is not None and math.isfinite(v)})
    least = item.least if item.least is not None else item.above
    most = item.most if item.most is not None else item.below
    low = known[0] / 2 if known[0] > 0 else known[0] - 0.5 * (known[-1] - known[0])
    high = known[-1] * 2 if known[-1] > 0 else known[-1] + 1
    low, high = max(low, -1e9 if least is None else least), min(high, 1e9 if most is None else most)
    if low == high:
        high = low + 1
    inset = (high - low) / STEPS
    if item.above is not None and low <= item.above:
        low = item.above + inset
    if item.below is not None and high >= item.below:
        high = item.below - inset
    logarithmic = low > 0 and high / low > 20
    special = [value for value in (*item.also, item.default) if isinstance(value, float) and not math.isinf(value)]
    return {"low": low, "high": high, "log": logarithmic, "special": special}


def _parameter(item: Parameter) -> dict[str, Any] | None:
    if isinstance(item, Flag):
        return {"name": item.name, "flag": item.default}
    if isinstance(item, Real) and item.default is not None:
        return {"name": item.name, "default": item.default, **_slider(item)}
    if isinstance(item, Array) and item.name != "weight":
        return {"name": item.name, "default": 1.0, "low": 0.1, "high": 10.0, "log": True, "special": [1.0]}
    return None


def _axis(info: LossInfo) -> dict[str, Any]:
    """Return what lies along the axis, and the values of the other inputs."""
    first, *others = domains_of(info, {})
    low, high = ENDS.get(first.name, (-4.0, 4.0))
    if first.name in ("nonnegative", "positive", "above_minus_one"):
        low, high = (0.05, 6.0) if first.name != "above_minus_one" else (-0.9, 5.0)
    texts = dict(texts_of(info))
    alone = {name for letter, text in texts.items() if letter != "d" for name in names_in(tree_of(text))}
    difference = "d" in texts and not alone & {"x", "t"}
    targets: tuple[float, ...] = (0.0,)
    for name, domain in zip(info.input_names[1:], others, strict=True):
        if name == "target":
            targets = TARGETS.get(domain.name, (0.0, 1.0))
    fixed = {name: 1.0 if domain.name == "positive" else 0.0
             for name, domain in zip(info.input_names[1:], others, strict=True) if name != "target"}  # fmt: skip
    return {
        "input": info.input_names[0], "low": low, "high": high, "fixed": fixed, "difference": difference,
        "targets": list(targets) if "target" in info.input_names else [],
    }  # fmt: skip


def entry_of(info: LossInfo, measured: Sequence[Facts]) -> dict[str, Any]:
    """Return what the page has to know about a loss."""
    used = names_used(info) | {info.symbols.get(name, name) for name in names_used(info)}
    letters = letters_of(info)
    parameters = [_parameter(item) for item in own_parameters(info) if item.name in used or letters[item.name] in used]
    return {
        "title": title_of(info),
        "family": info.family,
        "summary": info.summary.replace("`", ""),
        "axis": _axis(info),
        "parameters": [item for item in parameters if item is not None],
        "facts": facts_of(info, measured[:1]),
        "differences": {name: text.replace("`", "") for name, text in info.see_also},
    }


def text(examined: Sequence[PageFacts]) -> str:
    """Return formulas and data as one script."""
    printable = [facts for facts in examined if javascript.is_printable(facts.info)]
    entries = {facts.info.name: entry_of(facts.info, facts.measured) for facts in printable}
    data = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).replace("Infinity", "1e999")
    return f"{javascript.script([facts.info for facts in printable])}const losslibLosses = {data};\n"


def compared_with(info: LossInfo) -> list[str]:
    """Return the losses that a page offers to compare its own with: those of its see-also that can be drawn."""
    found = [registry.info_of(name) for name, _ in info.see_also]
    same = [other for other in found if javascript.is_printable(other) and other is not info]
    return [other.name for other in same][:3]


def link_of(info: LossInfo) -> str:
    """Return the link of a loss's page to the comparison with its neighbours."""
    if not javascript.is_printable(info):
        return ""
    names = ",".join([info.name, *compared_with(info)])
    others = ", ".join(f"``{name}``" for name in compared_with(info)) or "others"
    return f"`Compare it <../compare.html?l={names}>`__ with {others}: curves and facts, a slider for each parameter.\n"
