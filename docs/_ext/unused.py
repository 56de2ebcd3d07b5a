"""Sphinx extension: what no page uses is taken out of the finished site, so that a page is light on a slow line.

The theme's style sheet holds the whole of Bootstrap and two thousand icons; extensions load their scripts and styles on
every page. A rule goes when no selector of it can match: when it asks for a class that stands in no page and in no
script. A script or style goes from the pages that have nothing for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

#: Style sheets that are written for every site there may be.
STYLES = ("styles/pydata-sphinx-theme.css", "sphinx-design.min.css")

#: File of a script or style -> what a page that needs it has.
NEEDED_FOR = {
    "scripts/fontawesome.js": "fa-custom",  # icons that a site draws itself; the others are a font
    "design-tabs.js": "sd-tab-set",
    "copybutton.js": '<div class="highlight',
    "clipboard.min.js": '<div class="highlight',
    "copybutton.css": '<div class="highlight',
    "pygments.css": '<div class="highlight',
    "katex/katex.min.css": 'class="katex',
    "katex-math.css": 'class="katex',
    "sg-tags.js": "sphx-glr",
    "sg_gallery.css": "sphx-glr",
    "sg_gallery-binder.css": "sphx-glr",
    "sg_gallery-dataframe.css": "sphx-glr",
    "sg_gallery-rendered-html.css": "sphx-glr",
}

#: Classes that scripts put together from parts begin so.
COMPOSED = "bs-"

_TAG = re.compile(r'\s*(?:<script[^>]* src|<link[^>]* href)="(?:\.\./|\./)*_static/([^"?]+)[^>]*>(?:</script>)?')
_NAME = r"(?:[\w-]|\\.)+"
_TOKEN = re.compile(r"/\*.*?\*/|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\\.|[^\"'\\/]|/", re.DOTALL)


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Lighten every page, then leave the rules that one of them may need."""
    if exception is not None or app.builder.name != "html":
        return
    root = Path(app.outdir)
    words: set[str] = set()
    for path in sorted(root.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        lighter = lightened(text)
        if lighter != text:
            path.write_text(lighter, encoding="utf-8")
        words |= classes_of_page(lighter)
    for path in sorted((root / "_static").rglob("*.js")):
        words |= words_of_script(path.read_text(encoding="utf-8"))
    for name in STYLES:
        style = root / "_static" / name
        style.write_text(pruned(style.read_text(encoding="utf-8"), words), encoding="utf-8")


def lightened(page: str) -> str:
    """Return a page without the scripts and styles that it has nothing for."""

    def kept(match: re.Match[str]) -> str:
        needed = NEEDED_FOR.get(match[1])
        return match[0] if needed is None or needed in page else ""

    return _TAG.sub(kept, page)


def classes_of_page(page: str) -> set[str]:
    """Return the classes of a page, and the words of the scripts in it."""
    found = {name for text in re.findall(r'\bclass="([^"]*)"', page) for name in text.split()}
    for script in re.findall(r"<script(?![^>]*json)[^>]*>(.*?)</script>", page, re.DOTALL):
        found |= words_of_script(script)
    return found


def words_of_script(script: str) -> set[str]:
    """Return everything in a script that may be a class."""
    return set(re.findall(r"[A-Za-z_][\w-]*", script))


def pruned(style: str, words: set[str]) -> str:
    """Return a style sheet without the rules whose selectors ask for a class that is not among the words."""
    return "".join(_kept(style, words))


def _kept(style: str, words: set[str]) -> Iterator[str]:
    for prelude, body in rules(style):
        if body is None:
            yield prelude
        elif prelude.lstrip().startswith(("@media", "@supports", "@layer", "@container")):
            inner = pruned(body, words)
            if inner.strip():
                yield f"{prelude}{{{inner}}}"
        elif prelude.lstrip().startswith("@"):
            yield f"{prelude}{{{body}}}"
        else:
            selectors = [text for text in split(prelude) if may_match(text, words)]
            if selectors:
                yield f"{','.join(selectors)}{{{body}}}"


def rules(style: str) -> Iterator[tuple[str, str | None]]:
    """Yield what stands before each pair of braces, and what is in it; None where a semicolon ends a statement."""
    prelude: list[str] = []
    body: list[str] = []
    depth = 0
    for token in _TOKEN.findall(style):
        if token.startswith("/*"):
            continue
        if token == "{":
            depth += 1
            if depth == 1:
                continue
        elif token == "}":
            depth -= 1
            if depth == 0:
                yield "".join(prelude), "".join(body)
                prelude, body = [], []
                continue
        elif token == ";" and depth == 0:
            yield "".join(prelude) + ";", None
            prelude = []
            continue
        (body if depth else prelude).append(token)


def split(selectors: str) -> list[str]:
    """Split a list of selectors at the commas between them."""
    depth = 0
    parts = [""]
    for letter in selectors:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def may_match(selector: str, words: set[str]) -> bool:
    """Return whether every class that a selector asks for is known; what stands in brackets asks for none for sure."""
    plain = selector
    while "(" in plain and (shorter := re.sub(r"\([^()]*\)", "", plain)) != plain:
        plain = shorter
    plain = re.sub(r"\[[^\]]*\]", "", plain)
    names = (re.sub(r"\\(.)", r"\1", name) for name in re.findall(rf"\.({_NAME})", plain))
    return all(name in words or name.startswith(COMPOSED) for name in names)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
