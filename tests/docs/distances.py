"""How far down a page of a loss its parts begin, how much of it says what other pages say too, and what a visit takes.

python -m docs.distances   # in tests/, with LOSSLIB_SITE: the directory of a built site
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import statistics
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from docs.visiting import FLAGS, SITE, Handler, Visit

__all__ = ["PARTS", "boilerplate", "distances", "median_distances", "words_before_the_formula"]

#: Part of a page -> how a page of any age marks it.
PARTS = {
    "picture": "figure svg, .loss-figure svg",
    "formula": "#formula div.math, #formula .katex",
    "example": "#examples div.highlight",
    "use it when": "#use-it-when",
    "the same elsewhere": "#the-same-elsewhere, #equivalents, table.loss-equivalents",
}
WIDTHS = (1300, 390)

#: A line is boilerplate if it stands on so many pages.
PAGES = 10

_PLACES = """(parts) => Object.fromEntries([...Object.entries(parts).map(([name, selector]) => {
  const element = document.querySelector(`.bd-article :is(${selector})`);
  return [name, element ? Math.round(element.getBoundingClientRect().top + scrollY) : null];
}), ["page", document.documentElement.scrollHeight]])"""


def distances(visit: Visit, path: str, width: int) -> dict[str, int | None]:
    """Return where each part of a page begins, in pixels from its top, and the height of the page."""
    page = visit.open(path)
    page.set_viewport_size({"width": width, "height": 900})
    found: dict[str, int | None] = page.evaluate(_PLACES, PARTS)
    return found


def median_distances(browser: Browser, address: str, paths: Sequence[str], width: int) -> dict[str, float]:
    """Return the medians over pages."""
    visit = Visit(browser, address)
    found = [distances(visit, path, width) for path in paths]
    visit.context.close()
    return {name: statistics.median([one[name] for one in found if one[name] is not None] or [-1]) for name in found[0]}


def loss_pages() -> list[str]:
    """Return the pages of losses."""
    return sorted(
        f"generated/{path.name}"
        for path in (SITE / "generated").glob("*.html")
        if 'id="use-it-when"' in path.read_text()
    )


def lines_of(path: str) -> list[str]:
    """Return the text of a page as a reader sees it when everything is unfolded: a line for each block of it."""
    text = (SITE / path).read_text()
    text = text[text.index('<article class="bd-article"') : text.index("</article>")]
    text = re.sub(r"(?s)<(script|style|svg|math)\b.*?</\1>", "", text)
    text = re.sub(r'(?s)<span class="katex-(mathml|html)".*?</span>', "", text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"</?(p|li|ul|dd|dt|dl|td|th|tr|table|h\d|section|div|pre|details|summary)\b[^>]*>", "\n", text)
    return [line for line in (re.sub(r"<[^>]+>", "", part).strip() for part in text.split("\n")) if line]


def boilerplate(paths: Sequence[str]) -> tuple[float, float]:
    """Return the share of words in lines that stand on several pages, and the median number of such words a page."""
    lines = {path: lines_of(path) for path in paths}
    pages = Counter(line for found in lines.values() for line in set(found))
    words = {path: [(len(line.split()), pages[line] >= PAGES) for line in found] for path, found in lines.items()}
    same = [sum(count for count, common in found if common) for found in words.values()]
    total = sum(count for found in words.values() for count, _ in found)
    return sum(same) / total, statistics.median(same)


def words_before_the_formula(paths: Sequence[str]) -> float:
    """Return the median number of words that stand before the formula."""
    found = []
    for path in paths:
        lines = lines_of(path)
        places = [k for k, line in enumerate(lines) if line.startswith("Formula")]
        if places:
            found.append(sum(len(line.split()) for line in lines[: places[0]]))
    return statistics.median(found)


def main() -> None:
    """Print all figures of a site."""
    paths = loss_pages()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for width in WIDTHS:
            print(f"{width} px:", median_distances(browser, address, paths, width), f"({len(paths)} pages)")
        sizes = []
        measured = paths[:: max(1, len(paths) // 25)]
        for path in ["search.html?q=log+loss", "compare.html?l=huber_loss,cauchy_loss", "losses.html", *measured]:
            if not Path(SITE, path.partition("?")[0]).exists():
                continue
            visit = Visit(browser, address)
            visit.open(path)
            sizes.append((visit.bytes, path))
            visit.context.close()
        for count, path in sizes[:3]:
            print(f"{path}: {count / 1000:.0f} kB")
        losses = sorted(count for count, path in sizes if path in paths)
        print(f"pages of losses: median {statistics.median(losses) / 1000:.0f}, largest {losses[-1] / 1000:.0f} kB")
        browser.close()
    share, median = boilerplate(paths)
    print(f"words in lines that stand on {PAGES} pages or more: {share:.0%}, median {median:.0f} a page")
    print(f"words before the formula: median {words_before_the_formula(paths):.0f}")
    server.shutdown()


if __name__ == "__main__":
    main()
