"""The sections of the pages that are no losses, for the search box of every page: titles and where they are."""

from __future__ import annotations

import json

from docutils import nodes
from sphinx.environment import BuildEnvironment

__all__ = ["script"]

#: Pages of losses have an index of their own; the others below these are lists.
APART = ("generated/", "gallery/")


def script(env: BuildEnvironment) -> str:
    """Return every section as title, title of its page, and address."""
    found = []
    for name in sorted(env.found_docs):
        if name.startswith(APART) or name not in env.tocs:
            continue
        page = env.titles[name].astext()
        for reference in env.tocs[name].findall(nodes.reference):
            if reference.get("refuri") == name:
                found.append([reference.astext(), page, f"{name}.html{reference.get('anchorname', '')}"])
    return f"const losslibPlaces = {json.dumps(found, separators=(',', ':'), ensure_ascii=False)};\n"
