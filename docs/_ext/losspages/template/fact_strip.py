"""The strip of facts at the top of a page: what was measured for the defaults, and the settings that differ."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import Any

from losslib.declaration.schema import LossInfo
from losspages.checks.facts import Facts
from losspages.rst import indent

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
    """Return name and text of every fact that has a meaning for the loss."""
    default, *others = measured
    rows = [("range", re.sub(r"\binf\b", "∞", re.sub(r"(?<![\w)])-(?=\w)", "−", info.value_range)))]
    for name, (title, write) in ROWS.items():
        value = getattr(default, name)
        if value in (None, "") or (
            name == "convex" and value and info.geometry != "pointwise" and "convex" not in info.tags
        ):
            continue
        text = write(value)
        differ: dict[str, list[str]] = {}
        for facts in others:
            other = getattr(facts, name)
            # What a robust centre is as a number differs with every setting and tells nothing new.
            if other not in (None, "", value) and not ("sample" in text and "sample" in write(other)):
                differ.setdefault(write(other), []).append(setting_text(facts.parameters))
        text += "".join(f"; {words} for {', '.join(settings)}" for words, settings in differ.items())
        rows.append((title, text))
    rows.append(("Hessian", "yes, the diagonal" if info.has_hessian else "no"))
    return rows


def strip(info: LossInfo, measured: Sequence[Facts]) -> str:
    """Return the facts as a list of descriptions."""
    items = "".join(
        f"<div><dt>{html.escape(title)}</dt><dd>{html.escape(text)}</dd></div>"
        for title, text in facts_of(info, measured)
    )
    listed = f'<dl class="loss-facts">{items}</dl>'
    return f".. raw:: html\n\n{indent(listed)}\n"
