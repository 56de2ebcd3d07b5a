"""The built site in a real browser, with the network off.

    make docs-test

``LOSSLIB_SITE`` is the directory of the built pages, ``LOSSLIB_AXE`` the file ``axe.min.js`` of the npm package
axe-core, ``CHROMIUM`` the browser where it is not on the path. A missing one is an error, not a skip.
"""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import losslib
from docs.visiting import SITE, Visit

LOSS_PAGES = [
    f"generated/{name}.html"
    for name in (
        "huber_loss",
        "binary_cross_entropy_with_logits",
        "cross_entropy",
        "triplet_margin_loss",
        "gaussian_nll_loss",
    )
]
PAGES = ["index.html", "losses.html", *LOSS_PAGES]
MORE_PAGES = [
    "choose.html", "user/index.html", "user/errors.html", "migrate/torch.html", "gallery/index.html",
    "gallery/plot_outliers.html", "generated/portraits.html", "generated/accuracy.html", "generated/performance.html",
]  # fmt: skip
THEMES = ("light", "dark")


# ---- every page --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", PAGES)
def test_page_shows_without_complaints_in_both_themes(path: str, theme: str, visit: Visit) -> None:
    page = visit.open(path, theme)
    assert page.locator("html").get_attribute("data-theme") == theme
    assert visit.complaints == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(path: str, theme: str, visit: Visit) -> None:
    page = visit.open(path, theme)
    page.add_script_tag(content=Path(os.environ["LOSSLIB_AXE"]).read_text())
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    serious = [
        f"{item['id']}: {item['help']}: {[node['html'][:160] for node in item['nodes'][:4]]}"
        for item in found
        if item["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("path", [*PAGES, *MORE_PAGES])
def test_narrow_page_does_not_scroll_sideways(path: str, visit: Visit) -> None:
    page = visit.open(path)
    for width in (320, 390):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("path", "most"), [("index.html", 120_000), *((path, 250_000) for path in LOSS_PAGES)])
def test_page_is_light(path: str, most: int, visit: Visit) -> None:
    visit.open(path)
    assert visit.bytes < most


def test_every_loss_has_picture_examples_advice_and_equivalents() -> None:
    for info in losslib.list_losses():
        text = (SITE / "generated" / f"{info.name}.html").read_text()
        for needed in ("loss-figure", 'id="examples"', 'id="use-it-when"', 'id="avoid-it-when"', 'id="see-also"',
                       'id="pitfalls"', 'id="references"', "loss-equivalents", "loss-reductions", "loss-inputs",
                       "loss-foot", "katex"):  # fmt: skip
            assert needed in text, f"{info.name} lacks {needed}"


def test_every_public_name_has_a_page() -> None:
    inventory = (SITE / "objects.inv").read_bytes().split(b"\n", 4)[4]
    documented = {line.split()[0] for line in zlib.decompress(inventory).decode().splitlines()}
    names = {f"losslib.{name}" for name in losslib.__all__ if not name.startswith("__")}
    assert names - documented == set()


# ---- what the scripts do -----------------------------------------------------------------------------------------


def test_filter_narrows_the_catalogue(visit: Visit) -> None:
    page = visit.open("losses.html")
    rows = page.locator("table.loss-catalogue tbody tr:visible")
    everything = rows.count()
    assert everything == len(losslib.list_losses())
    page.get_by_label("Filter", exact=True).fill("log loss")
    expect(page.locator(".loss-filter output")).to_contain_text(f"of {everything}")
    shown = rows.all_inner_texts()
    assert 0 < len(shown) < everything
    assert any("binary_cross_entropy" in text for text in shown)
    page.get_by_label("Filter", exact=True).fill("no such loss at all")
    expect(rows).to_have_count(0)


def test_filter_by_family(visit: Visit) -> None:
    page = visit.open("losses.html")
    page.get_by_label("Family").select_option("Embeddings")
    wanted = [info.name for info in losslib.list_losses() if info.family == "embedding"]
    expect(page.locator("table.loss-catalogue tbody tr:visible")).to_have_count(len(wanted))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("log loss", "binary_cross_entropy"),
        ("pinball", "quantile_loss"),
        ("L1Loss", "l1_loss"),
        ("huber", "huber_loss"),
    ],
)
def test_search_finds_a_loss_by_its_other_names(words: str, name: str, visit: Visit) -> None:
    page = visit.open(f"search.html?q={words.replace(' ', '+')}")
    first = page.locator("#search-results ul.search li a")
    expect(first.first).to_be_visible()
    found = [re.sub(r".*/|[.?#].*", "", link.get_attribute("href") or "") for link in first.all()[:3]]
    assert name in found


def test_slider_moves_by_keyboard(visit: Visit) -> None:
    page = visit.open("generated/huber_loss.html")
    slider = page.locator(".loss-slider input")
    output = page.locator(".loss-slider output")
    expect(output).to_have_text("delta = 1 (default)")
    before = page.locator(".moving").first.get_attribute("d")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(output).not_to_have_text("delta = 1 (default)")
    assert slider.get_attribute("aria-valuetext") == output.inner_text()
    assert page.locator(".moving").first.get_attribute("d") != before
    page.keyboard.press("Home")
    expect(output).to_have_text("delta = 0.5")


def test_copy_button_copies_the_statements_without_prompts(visit: Visit) -> None:
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visit.open("generated/huber_loss.html")
    block = page.locator("#examples div.highlight").nth(1)
    block.hover()
    block.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("losslib.huber_loss(")
    assert ">>>" not in copied
    assert "array([0.125" not in copied  # outputs stay behind


def test_pages_work_without_scripts(browser: Browser, address: str) -> None:
    visit = Visit(browser, address, java_script_enabled=False)
    page = visit.open("generated/huber_loss.html")
    expect(page.locator(".loss-figure svg .curve").first).to_be_visible()
    expect(page.locator(".loss-slider")).to_be_hidden()
    expect(page.locator(".katex").first).to_be_visible()
    page = visit.open("losses.html")
    expect(page.locator("table.loss-catalogue tbody tr")).to_have_count(len(losslib.list_losses()))
    visit.context.close()


# ---- for programs ------------------------------------------------------------------------------------------------


def test_markdown_twins_keep_the_tex() -> None:
    index = (SITE / "llms.txt").read_text()
    for info in losslib.list_losses():
        twin = SITE / "generated" / f"{info.name}.md"
        assert f"generated/{info.name}.md" in index
        assert re.search(r"\$\$\s*(\\begin\{gathered\} )?L(_i)? = [^$]+\$\$", twin.read_text()), info.name


def test_markdown_twins_have_words_in_place_of_drawings() -> None:
    for path in SITE.rglob("*.md"):
        text = path.read_text()
        assert not re.search(r"<svg|<figure|application/json", text), path
    assert "aria-label" not in (SITE / "index.md").read_text()
    assert "(choose.md)" in (SITE / "index.md").read_text()
    assert r"losslib.huber_loss(input, target, \*, delta=1.0" in (SITE / "generated" / "huber_loss.md").read_text()
    assert "3<sup>5</sup> paths" in (SITE / "generated" / "ctc_loss.md").read_text()
