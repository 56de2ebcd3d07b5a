"""Nothing is cut off on a wide screen or on a telephone, and the first screen of a loss shows what it is."""

from __future__ import annotations

import re

import pytest

import losslib
from docs.visiting import SITE, Visit

WIDE = [
    "generated/huber_loss.html", "generated/sigmoid_focal_loss.html", "generated/cross_entropy.html",
    "generated/ctc_loss.html", "generated/binary_cross_entropy.html", "generated/performance.html",
    "migrate/torch.html", "migrate/keras.html", "migrate/sklearn.html", "losses.html",
    "generated/supcon_loss.html", "generated/arcface_loss.html", "generated/cumulative_link_loss.html",
    "generated/cox_ph_loss.html", "gallery/plot_ordered_classes.html", "adapters/sklearn.html",
    "generated/ipcw_brier_score.html",
]  # fmt: skip

#: What may be wider than the column: it scrolls by itself.
SCROLLS = "div.math, span.math, .pst-scrollable-table-container, table.indextable, .sphx-glr-script-out pre"

#: Tables that are read as a whole; those of the numbers of a picture scroll.
WHOLE = ", ".join(
    f"table.loss-{kind}" for kind in ("equivalents", "names", "reductions", "performance", "catalogue", "inputs")
)

#: Elements of the text that end beyond the column, outside of boxes that scroll; and boxes that hide a part for good.
CUT = """(scrolls) => {
  const article = document.querySelector(".bd-article");
  const edge = Math.min(article.getBoundingClientRect().right, document.documentElement.clientWidth) + 1;
  const found = [];
  for (const element of article.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    if (!box.width || element.closest("svg svg, .katex-mathml, .visually-hidden, .headerlink, [hidden]")) continue;
    if (element.closest(scrolls) ? element.matches(scrolls) && box.right > edge : box.right > edge) {
      found.push(`${element.tagName} ${element.getAttribute("class")} by ${Math.round(box.right - edge)}`);
    }
    const style = getComputedStyle(element);
    if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth && !element.matches(scrolls)
        && ["hidden", "clip", "scroll", "auto"].includes(style.overflowX)) {
      found.push(`${element.tagName} ${element.className} hides ${element.scrollWidth - element.clientWidth}`);
    }
  }
  return found;
}"""


@pytest.mark.parametrize("width", [1300, 390, 320])
@pytest.mark.parametrize("path", WIDE)
def test_nothing_is_cut(path: str, width: int, visit: Visit) -> None:
    page = visit.open(path)
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate(CUT, SCROLLS) == []


@pytest.mark.parametrize("path", WIDE)
def test_tables_fit_their_column_on_a_wide_screen(path: str, visit: Visit) -> None:
    page = visit.open(path)
    page.set_viewport_size({"width": 1300, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    wider = page.locator(".pst-scrollable-table-container").evaluate_all(
        "(all, whole) => all.filter(box => box.querySelector(whole) && box.scrollWidth > box.clientWidth + 1)"
        ".map(box => `${box.scrollWidth - box.clientWidth}: ${box.innerText.slice(0, 80)}`)",
        WHOLE,
    )
    assert wider == []


#: Rows of which something stands above their top or below their bottom.
OUTSIDE = """() => [...document.querySelectorAll("table.loss-catalogue tbody tr")].filter((row) => {
  const { top, bottom, height } = row.getBoundingClientRect();
  return height && [...row.querySelectorAll("p, a, code, small, svg")].some((element) => {
    const box = element.getBoundingClientRect();
    return box.height && (box.bottom > bottom + 1 || box.top < top - 1);
  });
}).map((row) => row.innerText)"""


@pytest.mark.parametrize("asked", ["", "?filter=pinball"])
@pytest.mark.parametrize("width", [1300, 1000, 721, 390, 320])
def test_rows_of_the_catalogue_do_not_run_into_each_other(width: int, asked: str, visit: Visit) -> None:
    page = visit.open(f"losses.html{asked}")
    page.set_viewport_size({"width": width, "height": 900})
    assert page.locator("table.loss-catalogue tbody tr:visible").count() == (1 if asked else len(losslib.list_losses()))
    assert page.evaluate(OUTSIDE) == []


#: Formulas that are wider, those of SymPy: it does not break lines.
BROAD = {
    "binary_sparsemax_loss", "gaussian_focal_loss", "negative_binomial_nll_loss", "sigmoid_focal_loss",
    "varifocal_loss",
}  # fmt: skip


@pytest.mark.parametrize("family", sorted({info.family for info in losslib.list_losses()}))
def test_formulas_fit_their_column_on_a_wide_screen(family: str, visit: Visit) -> None:
    wider = {}
    visit.page.set_viewport_size({"width": 1300, "height": 900})
    for info in losslib.list_losses(family):
        page = visit.open(f"generated/{info.name}.html")
        found = page.locator("div.math").evaluate_all(
            "all => all.map(box => box.scrollWidth - box.clientWidth).filter(more => more > 1)"
        )
        if found and info.name not in BROAD:
            wider[info.name] = found
    assert wider == {}


#: Letters of an axis or a title that a panel cuts off.
BEYOND = """(all) => all.flatMap((svg) => [...svg.querySelectorAll("text")].filter((text) => {
  const [box, edge] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
  return box.width && (box.right > edge.right + 1 || box.left < edge.left - 1);
}).map((text) => text.textContent))"""


@pytest.mark.parametrize("family", sorted({info.family for info in losslib.list_losses()}))
def test_no_panel_cuts_its_letters(family: str, visit: Visit) -> None:
    cut = {}
    for info in losslib.list_losses(family):
        page = visit.open(f"generated/{info.name}.html")
        found = page.locator(".loss-figure svg").evaluate_all(BEYOND)
        if found:
            cut[info.name] = found
    assert cut == {}


@pytest.mark.parametrize("info", losslib.list_losses(), ids=lambda info: info.name)
def test_a_page_says_what_a_loss_is_then_when_to_use_it_then_how(info: losslib.LossInfo) -> None:
    text = (SITE / "generated" / f"{info.name}.html").read_text()
    article = text[text.index('<article class="bd-article"') :]
    marks = [
        f'id="losslib.{info.name}"', "<h1>", "<figure", 'id="formula"', 'id="use-it-when"', 'id="avoid-it-when"',
        'id="see-also"', 'id="examples"', 'id="the-same-elsewhere"', 'id="pitfalls"', "loss-inputs", 'id="references"',
    ]  # fmt: skip
    places = [article.find(mark) for mark in marks]
    assert -1 not in places
    assert places == sorted(places)
    title = re.search(r"<h1>(.*?)<a ", article, re.DOTALL)
    assert title is not None
    assert "_" not in title[1]
    assert re.search(r'<meta (name|content)="?[^>]*description', text)


@pytest.mark.parametrize("name", ["huber_loss", "cross_entropy", "tweedie_nll_loss", "dice_loss"])
def test_the_first_screen_shows_picture_and_formula(name: str, visit: Visit) -> None:
    page = visit.open(f"generated/{name}.html")
    page.set_viewport_size({"width": 1300, "height": 1000})
    picture = page.locator(".loss-figure svg").first.bounding_box()
    formula = page.locator("#formula div.math").first.bounding_box()
    assert picture is not None
    assert formula is not None
    assert picture["y"] < 450
    assert formula["y"] < 1000


def test_a_link_into_a_folded_part_opens_it(visit: Visit) -> None:
    page = visit.open("generated/huber_loss.html#huber-loss-reductions")
    assert page.locator("details", has=page.locator("table.loss-reductions")).get_attribute("open") is not None


@pytest.mark.parametrize("path", ["index.html", "generated/huber_loss.html"])
def test_first_visit_leaves_no_complaint(path: str, visit: Visit) -> None:
    missing: list[str] = []
    visit.page.on("response", lambda response: missing.append(response.url) if response.status >= 400 else None)
    visit.page.goto(f"{visit.address}/{path}", wait_until="networkidle")
    assert visit.complaints == []
    assert missing == []
