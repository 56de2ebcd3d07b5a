"""What no page uses is left out of the site, and what one uses is not."""

from __future__ import annotations

import re

import pytest

import unused
from docs.visiting import SITE, Visit

WORDS = {"shown", "beside", "w-50", "p-0.5"}


@pytest.mark.parametrize(
    ("style", "left"),
    [
        (".shown{a:b}", ".shown{a:b}"),
        (".absent{a:b}", ""),
        (".absent,.shown{a:b}", ".shown{a:b}"),
        (".shown .absent{a:b}", ""),
        (".shown:not(.absent){a:b}", ".shown:not(.absent){a:b}"),
        (":is(.absent,.shown) p{a:b}", ":is(.absent,.shown) p{a:b}"),
        ("p,h1{a:b}", "p,h1{a:b}"),
        ("[class~='.absent']{a:b}", "[class~='.absent']{a:b}"),
        (r".p-0\.5{a:b}", r".p-0\.5{a:b}"),
        (".bs-tooltip-top{a:b}", ".bs-tooltip-top{a:b}"),
        ("@media print{.absent{a:b}.shown{a:b}}", "@media print{.shown{a:b}}"),
        ("@media print{.absent{a:b}}", ""),
        ("@keyframes k{from{a:b}to{a:c}}", "@keyframes k{from{a:b}to{a:c}}"),
        ("@charset \"utf-8\";/* .absent{ */p{content:'}'}", "@charset \"utf-8\";p{content:'}'}"),
    ],
)
def test_rules_stay_while_they_can_match(style: str, left: str) -> None:
    assert unused.pruned(style, WORDS) == left


def test_scripts_and_styles_stay_where_a_page_has_something_for_them() -> None:
    script = '<script src="../_static/copybutton.js?v=1"></script>'
    assert unused.lightened(f"{script}<p>") == "<p>"
    assert unused.lightened(f'{script}<div class="highlight-pycon">') != f"{script}<p>"
    assert unused.lightened('<script src="_static/other.js"></script>') == '<script src="_static/other.js"></script>'


def test_the_site_keeps_the_rules_of_its_own_classes() -> None:
    style = (SITE / "_static" / unused.STYLES[0]).read_text()
    kept = set(re.findall(r"\.([\w-]+)", style))
    assert {"bd-article", "bd-sidebar-primary", "theme-switch", "dropdown-menu", "show"} <= kept
    words: set[str] = set()
    for path in SITE.rglob("*.html"):
        words |= unused.classes_of_page(path.read_text())
    for path in (SITE / "_static").rglob("*.js"):
        words |= unused.words_of_script(path.read_text())
    assert unused.pruned(style, words) == style


def test_the_menu_of_colours_still_opens(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_role("button", name="Color mode").first.click()
    page.get_by_role("button", name="Dark", exact=True).first.click()
    assert page.locator("html").get_attribute("data-theme") == "dark"


#: Path -> the most bytes that a first visit may take, with everything that it loads, as a web server compresses it.
MOST = {
    "index.html": 120_000, "compare.html": 150_000, "losses.html": 200_000, "search.html?q=log+loss": 250_000,
    "choose.html": 200_000, "explain.html": 200_000,
}  # fmt: skip


@pytest.mark.parametrize("path", MOST)
def test_a_page_is_light(path: str, visit: Visit) -> None:
    visit.open(path)
    assert visit.bytes <= MOST[path]


def heaviest(count: int) -> list[str]:
    """Return the pages of losses with the most text."""
    pages = (SITE / "generated").glob("*.html")
    found = sorted(pages, key=lambda path: path.stat().st_size, reverse=True)
    return [f"generated/{path.name}" for path in found if 'class="loss-facts"' in path.read_text()][:count]


@pytest.mark.parametrize("path", heaviest(5))
def test_the_heaviest_pages_of_losses_are_light(path: str, visit: Visit) -> None:
    visit.open(path)
    assert visit.bytes <= 250_000
