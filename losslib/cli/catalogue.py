"""``losslib list`` and ``losslib describe``: the declarations as text."""

from __future__ import annotations

import json
import os
import sys
import textwrap

import losslib
from losslib.declaration.schema import LossInfo

__all__ = ["describe", "list_losses"]


def bold(text: str) -> str:
    """Return the text in bold on a terminal that has it; NO_COLOR (no-color.org) switches it off."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    return text if plain else f"\x1b[1m{text}\x1b[0m"


def _wrap(text: str, width: int, initial_indent: str = "", subsequent_indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=initial_indent, subsequent_indent=subsequent_indent, break_on_hyphens=False
    )


def describe(info: LossInfo) -> str:
    """Return formula, parameters and use of a loss as text."""
    inputs = ", ".join(
        f"{item.name} ({item.domain.meaning})" if item.domain.code else item.name for item in info.inputs
    )
    lines = [
        bold(f"{info.name}, {info.class_name}"),
        *_wrap(info.summary, 100),
        "",
        f"inputs      {inputs}",
    ]
    if info.formula:
        lines.append(f"value       {info.formula}")
    lines.append("parameters")
    for item in info.parameters:
        lines.append(f"  {item.name} = {item.default!r}")
        lines += _wrap(item.meaning, 100, initial_indent="      ", subsequent_indent="      ")
    for title, texts in (("use it when", info.use_when), ("avoid it when", info.avoid_when)):
        if texts:
            lines.append(title)
            for text in texts:
                lines += _wrap(text, 100, initial_indent="  - ", subsequent_indent="    ")
    if info.aliases:
        lines.append(f"aliases     {', '.join(info.aliases)}")
    return "\n".join(lines)


def list_losses(family: str | None, as_json: bool) -> str:
    """Return the losses, a line each or as a JSON array."""
    infos = losslib.list_losses(family=family)
    if as_json:
        rows = [
            {
                "name": i.name,
                "class": i.class_name,
                "family": i.family,
                "aliases": list(i.aliases),
                "summary": i.summary,
            }
            for i in infos
        ]
        return json.dumps(rows, indent=2)
    width = max(len(info.name) for info in infos)
    return "\n".join(f"{bold(info.name.ljust(width))}  {info.family:<11} {info.summary}" for info in infos)
