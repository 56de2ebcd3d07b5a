"""The sections of the pages that are no losses, for the search box of every page: title, place and words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.environment import BuildEnvironment

__all__ = ["script", "words_of"]

#: Pages of losses and questions have an index of their own; the others are lists.
APART = ("generated/", "gallery/", "choose", "develop/changelog")


def script(env: BuildEnvironment) -> str:
    """Return every section as title, title of its page, address and words."""
    found = []
    for name in sorted(env.found_docs):
        if name.startswith(APART):
            continue
        page = env.titles[name].astext()
        for k, section in enumerate(env.get_doctree(name).findall(nodes.section)):
            title = next(section.findall(nodes.title)).astext()
            place = f"#{section['ids'][0]}" if k else ""
            found.append([title, page, f"{name}.html{place}", " ".join(words_of(section))])
    return f"const losslibPlaces = {json.dumps(found, separators=(',', ':'), ensure_ascii=False)};\n"


def words_of(section: nodes.section) -> list[str]:
    """Return the different words of a section, without those of the sections in it."""
    own = " ".join(child.astext() for child in _prose(section))
    return sorted(set(re.findall(r"[^\W\d_][^\W_]{2,}", own.lower())))


def _prose(section: nodes.section) -> Iterator[nodes.Node]:
    for child in section.children:
        if not isinstance(child, nodes.section | nodes.title | nodes.literal_block | nodes.raw):
            yield child
