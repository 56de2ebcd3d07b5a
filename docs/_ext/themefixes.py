"""Sphinx extension: what the theme leaves to mend in the finished pages, for screen readers and for slow lines.

The arrows that open a branch of the sidebar have no name, the name of the search button leaves out what is written on
it, and a first visit leaves an error in the console. The font of the icons holds two thousand of them, 115 kB; a site
uses some dozens.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fontTools import subset
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

#: What is written in the pages -> what takes its place.
REPLACED = (
    ('<summary><span class="toctree-toggle"', '<summary aria-label="Pages below"><span class="toctree-toggle"'),
    (
        'search-button-field search-button__button pst-js-only" title="Search" aria-label="Search"',
        'search-button-field search-button__button pst-js-only" title="Search"',
    ),
    # On a first visit the theme complains of a mode that is no mode.
    ('localStorage.getItem("mode") || ""', 'localStorage.getItem("mode") || "auto"'),
)
#: What only the page of search results needs: the theme loads it everywhere, for a search as one types that is off.
SEARCH = re.compile(r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"[^>]*></script>')
STYLE = Path("_static", "styles", "pydata-sphinx-theme.css")
FONT = Path("_static", "vendor", "fontawesome", "webfonts", "fa-solid-900.woff2")


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Mend every page, then leave only the icons in the font that the pages use."""
    if exception is not None or app.builder.name != "html":
        return
    root = Path(app.outdir)
    used: set[str] = set()
    for path in sorted(root.rglob("*.html")):
        text = before = path.read_text(encoding="utf-8")
        for old, new in REPLACED:
            text = text.replace(old, new)
        if path != root / "search.html":
            text = SEARCH.sub("", text)
        text = re.sub(r'(?<=<span class="pre">)[^<]{18,}(?=</span>)', breakable, text)
        if text != before:
            path.write_text(text, encoding="utf-8")
        used |= icons(text)
    for path in sorted((root / "_static").rglob("*.js")):
        if "fontawesome" not in path.name:
            used |= icons(path.read_text(encoding="utf-8"))
    shrink(root / FONT, code_points((root / STYLE).read_text(encoding="utf-8"), used))


def breakable(match: re.Match[str]) -> str:
    """Let a long word of code go on in the next line after a dot, a bracket or an underscore; copies keep the word."""
    return re.sub(r"(?<=[\w)])([._=(,]+)(?=\w)", r"\1<wbr>", match[0])


def icons(text: str) -> set[str]:
    """Return the names of the icons that a text speaks of."""
    return set(re.findall(r"\bfa-([a-z0-9-]+)", text))


def code_points(style: str, used: set[str]) -> list[int]:
    """Return the code points of the icons by name, and of those that the style sheet uses without a name."""
    named = {}
    for names, code in re.findall(r"((?:\.fa-[a-z0-9-]+,?)+)\{--fa:\"\\([0-9a-f]+)\"", style):
        named |= dict.fromkeys(re.findall(r"\.fa-([a-z0-9-]+)", names), code)
    unnamed = {ord(letter) for letter in style if "\ue000" <= letter <= "\uf8ff"}  # the private use area
    found = unnamed | {int(named[name], 16) for name in used & named.keys()}
    if not named or not found:
        raise ExtensionError("no icon was found in the style sheet of the theme: themefixes.py has to be adapted")
    return sorted(found)


def shrink(font: Path, kept: list[int]) -> None:
    """Write the font again with some of its glyphs."""
    options = subset.Options(flavor="woff2", layout_features=[], notdef_outline=True)
    loaded = subset.load_font(str(font), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=kept)
    subsetter.subset(loaded)
    subset.save_font(loaded, str(font), options)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
