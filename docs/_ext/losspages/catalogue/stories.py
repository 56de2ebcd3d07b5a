"""The stories of the gallery, by the losses that they use: each page of a loss leads to those it appears in."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

from losslib.declaration import registry
from losslib.declaration.schema import LossInfo

FOLDER = Path(__file__).parents[4] / "examples" / "gallery"

#: Names of adapters that stand for one loss -> the loss.
MODELS = {"CoxRegression": "cox_ph_loss", "OrdinalObjective": "cumulative_link_loss"}


@functools.cache
def by_loss() -> dict[str, list[tuple[str, str]]]:
    """Return for each loss that a story uses the names of the stories and their titles, in order of the names."""
    names = {info.name: info.name for info in registry.all_losses()} | MODELS
    names |= {info.class_name: info.name for info in registry.all_losses()}
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(FOLDER.glob("plot_*.py")):
        text = path.read_text()
        title = (ast.get_docstring(ast.parse(text)) or path.stem).splitlines()[0]
        used = re.findall(r"\blosslib\.(\w+)", text) + re.findall(rf"\b({'|'.join(MODELS)})\b", text)
        for loss in dict.fromkeys(names[word] for word in used if word in names):
            found.setdefault(loss, []).append((path.stem, title))
    return found


def line(info: LossInfo) -> str:
    """Return a line that leads to the stories about a loss, empty where there are none."""
    links = [f":doc:`{title} </gallery/{name}>`" for name, title in by_loss().get(info.name, [])]
    return f"In the gallery: {'; '.join(links)}.\n" if links else ""
