"""Every link and file that the built pages name exists, nothing is fetched from elsewhere, no markup is left over."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Tags whose address a browser fetches by itself, and the attribute that holds it.
FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
#: Links that describe and are not fetched.
DESCRIBING = {"canonical", "alternate", "author", "index", "search", "next", "prev", "describedby"}


@dataclass
class Page(HTMLParser):
    """The anchors of a page, the addresses it links to and those it fetches, and markup that was not read."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_data(self, data: str) -> None:
        self.unread += re.findall(r":py:\w*:?.{,40}", data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        address = values.get(FETCHED.get(tag, ""), "")
        if address and not (tag == "link" and DESCRIBING & set(values.get("rel", "").split())):
            self.fetched.append(address)
        if tag in ("a", "area") and values.get("href"):
            self.links.append(values["href"])


@dataclass
class LinkCheck:
    """What was looked at, and what is wrong."""

    pages: int = 0
    links: int = 0
    problems: list[str] = field(default_factory=list)


def check(root: Path) -> LinkCheck:
    """Look at every page below a directory."""
    pages = {}
    for path in sorted(root.rglob("*.html")):
        if "_static" not in path.relative_to(root).parts:
            pages[path] = page = Page()
            page.feed(path.read_text(encoding="utf-8"))
    result = LinkCheck(pages=len(pages))
    for path, page in pages.items():
        result.problems += [f"{path.relative_to(root)}: {text}: markup that was not read" for text in page.unread]
        for address in page.links + page.fetched:
            result.links += 1
            problem = _problem(path, address, root, pages, fetched=address in page.fetched)
            if problem:
                result.problems.append(f"{path.relative_to(root)}: {address}: {problem}")
    for path in sorted(root.rglob("*.css")):
        for address in re.findall(r"url\(\s*['\"]?([^'\")]+)", path.read_text(encoding="utf-8")):
            result.links += 1
            if _elsewhere(address):
                result.problems.append(f"{path.relative_to(root)}: {address}: fetched from elsewhere")
    return result


def _elsewhere(address: str) -> bool:
    return urlsplit(address).scheme in ("http", "https") or address.startswith("//")


def _problem(path: Path, address: str, root: Path, pages: dict[Path, Page], *, fetched: bool) -> str:
    if _elsewhere(address):
        return "fetched from elsewhere" if fetched else ""
    parts = urlsplit(address)
    if parts.scheme:  # mailto:, data:
        return ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target = target / "index.html"
    if not target.is_relative_to(root.resolve()):
        return "leaves the site"
    if not target.exists():
        return "there is no such file"
    wanted = unquote(parts.fragment)
    known = pages.get(target)
    if wanted and known is not None and wanted not in known.anchors:
        return "there is no such place on the page"
    return ""
