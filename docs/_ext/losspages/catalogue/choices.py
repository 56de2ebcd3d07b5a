"""Which loss? ``docs/choices.toml`` says it: a static page and three questions in the browser are made of it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.catalogue.titles import title_of
from losspages.checks.examine import PageFacts
from losspages.formulas import javascript
from losspages.rst import escape, heading, link, table
from losspages.template.fact_strip import setting_text

__all__ = ["MOST", "Leaf", "asked", "complaints", "functionals", "page", "reached", "read", "script"]

#: Losses of a leaf: a longer list is no answer.
MOST = 5


@dataclass(frozen=True)
class Leaf:
    """The end of a walk: what the target is, what it is like, what is wanted; and losses with a reason each."""

    door: str
    group: str
    wish: str
    losses: dict[str, str]


def read(folder: Path) -> tuple[list[Leaf], dict[str, str]]:
    """Return the leaves, and the losses that no question leads to with the reason."""
    data = tomllib.loads((folder / "choices.toml").read_text())
    leaves = [Leaf(item["door"], item["group"], item["wish"], item["losses"]) for item in data["leaf"]]
    return leaves, data.get("special", {})


def reached(leaves: Sequence[Leaf], special: dict[str, str]) -> set[str]:
    """Return the losses that a reader comes to, or that are declared special."""
    return {name for leaf in leaves for name in leaf.losses} | set(special)


def complaints(leaves: Sequence[Leaf], special: dict[str, str], infos: Sequence[LossInfo]) -> Iterator[str]:
    """Yield what is wrong with the choices: unknown losses, long lists, losses that nobody comes to."""
    known = {info.name for info in infos}
    for name in sorted(reached(leaves, special) - known):
        yield f"choices.toml names {name!r}, which is no loss"
    for leaf in leaves:
        if len(leaf.losses) > MOST:
            yield f"choices.toml: {leaf.group}: {leaf.wish}: {len(leaf.losses)} losses, at most {MOST} are an answer"
    for name in sorted(known - reached(leaves, special)):
        yield f"choices.toml: no question leads to {name}; add it to a leaf, or to [special] with the reason"


def comparable(leaf: Leaf) -> list[str]:
    """Return the losses of a leaf that the comparison can draw, where there are several; it takes four."""
    found = [name for name in leaf.losses if javascript.is_printable(registry.info_of(name))]
    return found[:4] if len(found) > 1 else []


def page(leaves: Sequence[Leaf], special: dict[str, str]) -> str:
    """Return all choices as text."""
    parts: list[str] = []
    door = group = ""
    for leaf in leaves:
        if leaf.door != door:
            parts.append(heading(leaf.door))
        if (leaf.door, leaf.group) != (door, group):
            parts.append(f".. rubric:: {leaf.group}\n")
        door, group = leaf.door, leaf.group
        losses = "\n".join(f"  * :py:func:`~losslib.{name}`: {link(reason)}" for name, reason in leaf.losses.items())
        together = comparable(leaf)
        if together:
            losses += f"\n  * `Compare them <compare.html?l={','.join(together)}>`__"
        parts.append(f"* *{leaf.wish}*\n\n{losses}\n")
    if special:
        parts.append(heading("For a purpose of their own"))
        parts += [f"* :py:func:`~losslib.{name}`: {link(reason)}" for name, reason in special.items()]
    return "\n".join(parts) + "\n"


def asked(leaves: Sequence[Leaf]) -> dict[str, list[str]]:
    """Return for each loss the questions that lead to it, in words that a reader may type."""
    found: dict[str, list[str]] = {}
    for leaf in leaves:
        for name in leaf.losses:
            found.setdefault(name, []).append(f"{leaf.group}: {leaf.wish}")
    return found


def script(leaves: Sequence[Leaf]) -> str:
    """Return the leaves for the questions in the browser."""
    data = [
        {
            "door": leaf.door,
            "group": leaf.group,
            "wish": leaf.wish,
            "losses": [
                [name, title_of(registry.info_of(name)), reason.replace("`", "")]
                for name, reason in leaf.losses.items()
            ],
            "compare": comparable(leaf),
        }
        for leaf in leaves
    ]
    return f"const losslibChoices = {json.dumps(data, separators=(',', ':'), ensure_ascii=False)};\n"


def functionals(examined: Sequence[PageFacts]) -> str:
    """Return the table from what the best constant prediction is to the losses that ask for it, as it was measured."""
    found: dict[str, list[str]] = {}
    for facts in examined:
        for one in facts.measured:
            if one.estimates and " of a sample " not in one.estimates:
                setting = f" (``{setting_text(one.parameters)}``)" if one.parameters else ""
                found.setdefault(one.estimates, []).append(f":py:func:`~losslib.{facts.info.name}`{setting}")
    rows = []
    for words, losses in found.items():
        plain = [text for text in losses if "``" not in text]
        named = {text.partition(" (")[0] for text in plain}
        others = [text for text in losses if text.partition(" (")[0] not in named]
        rows.append([escape(words), ", ".join([*plain, *others])])
    return table(["the best constant is", "losses"], rows, "30 70", "loss-functionals")
