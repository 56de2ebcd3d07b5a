"""``losslib list`` and ``losslib describe``: the declarations as text."""

from __future__ import annotations

import json
import os
import sys
import textwrap

import losslib
from losslib.declaration import registry
from losslib.declaration.keywords import found_by, places_of
from losslib.declaration.letters import definition_lines
from losslib.declaration.schema import LossInfo
from losslib.errors import ParameterError
from losslib.names.plain import candidates, is_plain
from losslib.names.schema import Binding
from losslib.names.tables import find, split
from losslib.names.text import describe as describe_lines
from losslib.names.text import list_names, rows_of
from losslib.names.unknown import no_package

__all__ = ["describe", "describe_binding", "describe_name", "list_losses"]


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
        lines += [f"            {line}" for line in definition_lines(info.definitions)]
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


def describe_name(name: str) -> str:
    """Return what is known about a loss, or about a name of another package."""
    parts = split(name)
    if parts is not None:
        return describe_binding(parts[0], find(*parts))
    if not registry.is_own(name) and is_plain(name):
        return "\n\n".join(describe_binding(key, binding) for key, binding in candidates(name))
    return describe(registry.info_of(name))


def describe_binding(key: str, binding: Binding) -> str:
    """Return what a name of another package is here, as text."""
    (_, heading), *pairs = describe_lines(key, binding)
    lines, before = [bold(heading)], ""
    for title, words in pairs:
        shown = "" if title == before else title
        lines += _wrap(words, 100, initial_indent=shown.ljust(12), subsequent_indent=" " * 12)
        before = title or before
    return "\n".join(lines)


def list_losses(family: str | None, as_json: bool, package: str | None = None, about: str | None = None) -> str:
    """Return the losses, a line each or as a JSON array; with a package its names and what they are here."""
    if package is not None:
        if family is not None:
            raise ParameterError(f"--family {family} is of losslib's losses; the names of {package} have none")
        parts = split(package if ":" in package else f"{package}:")
        if parts is None:
            raise ParameterError(no_package(package.partition(":")[0]))
        if parts[1]:
            raise ParameterError(f"list takes a package, {parts[0]}:, and describe a name: losslib describe {package}")
        if as_json:
            return json.dumps([{"name": name, "here": here} for name, here in rows_of(parts[0])], indent=2)
        return list_names(parts[0])
    infos = losslib.list_losses(family=family)
    if about is not None:
        infos = tuple(found_by(about, infos)) if about.strip() else ()
        if not infos:
            raise ParameterError(f"no loss is found by {about!r}; losslib list shows all of them")
    if as_json:
        rows = [
            {
                "name": i.name,
                "class": i.class_name,
                "family": i.family,
                "aliases": list(i.aliases),
                "keywords": list(places_of(i)),
                "summary": i.summary,
            }
            for i in infos
        ]
        return json.dumps(rows, indent=2)
    width = max(len(info.name) for info in infos)
    return "\n".join(f"{bold(info.name.ljust(width))}  {info.family:<11} {info.summary}" for info in infos)
