"""The facts of a page: a strip at the top for the defaults, and what other settings change among the details."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import Any

from losslib.declaration.schema import LossInfo
from losspages.checks.facts import Facts
from losspages.rst import escape, heading, indent, table

#: Fact -> its name on the page, and how its value is written.
ROWS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "estimates": ("best constant", str),
    "convex": ("convex", lambda value: "yes" if value else "no"),
    "smooth": ("gradient without jumps", lambda value: "yes" if value else "no"),
    "bounded_slope": ("slope bounded", lambda value: "yes" if value else "no"),
    "proper": ("proper", lambda value: "yes" if value else "no"),
}


def setting_text(parameters: dict[str, Any]) -> str:
    """Write a setting as ``alpha = −2``."""
    texts = [f"{name} = {_written(value)}" for name, value in parameters.items()]
    return ", ".join(texts).replace("-inf", "−∞").replace("-", "−")


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def facts_of(info: LossInfo, measured: Sequence[Facts]) -> list[tuple[str, str]]:
    """Return name and text of the facts of the defaults; a star marks what other settings change."""
    default, *others = measured
    rows = [("range", re.sub(r"\binf\b", "∞", re.sub(r"(?<![\w)])-(?=\w)", "−", info.value_range)))]
    for name, (title, write) in ROWS.items():
        value = getattr(default, name)
        # Samples show that a loss is not convex; that it is, the declaration has to say.
        unproven = name == "convex" and value and info.geometry != "pointwise" and "convex" not in info.tags
        if value not in (None, "") and not unproven:
            rows.append((title, write(value) + ("*" if _differing(name, value, others) else "")))
    rows.append(("Hessian", "yes, the diagonal" if info.has_hessian else "no"))
    return rows


def _differing(name: str, value: Any, others: Sequence[Facts]) -> list[Facts]:
    """Return the settings that change a fact."""
    found = [one for one in others if getattr(one, name) not in (None, "", value)]
    # What a robust centre is as a number differs with every setting and tells nothing new.
    return [one for one in found if not ("sample" in str(value) and "sample" in str(getattr(one, name)))]


def by_setting(info: LossInfo, measured: Sequence[Facts]) -> str:
    """Return the facts that other settings change, as a section; empty if there are none."""
    default, *others = measured
    rows = []
    for name, (title, write) in ROWS.items():
        value = getattr(default, name)
        if value in (None, ""):
            continue
        for one in _differing(name, value, others):
            rows.append([escape(setting_text(one.parameters)), title, escape(write(getattr(one, name)))])
    if not rows:
        return ""
    return f"{heading('Facts of other settings')}\n{table(['setting', 'fact', 'is'], rows)}"


def strip(info: LossInfo, measured: Sequence[Facts]) -> str:
    """Return the facts as a list of descriptions."""
    items = "".join(
        f"<div><dt>{html.escape(title)}</dt><dd>{html.escape(text)}</dd></div>"
        for title, text in facts_of(info, measured)
    )
    listed = f'<dl class="loss-facts">{items}</dl>'
    return f".. raw:: html\n\n{indent(listed)}\n"
