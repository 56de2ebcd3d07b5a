"""What pages say beside formulas: how much was compared, where a reader starts, whom a page is for."""

from __future__ import annotations

import dataclasses
import re

import pytest
from playwright.sync_api import expect

import losslib
from docs.visiting import SITE, Visit
from losslib.declaration import registry
from losslib.names.tables import PACKAGES, package
from losspages.checks import equivalents, verify


def article(path: str) -> str:
    """Return the text of a page, without markup."""
    text = (SITE / path).read_text()
    text = text[text.index('<article class="bd-article"') : text.index("</article>")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", re.sub(r"(?s)<(script|style).*?</\1>", "", text)))


# ---- the same elsewhere ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mse_loss", "poisson_nll_loss"])
def test_an_equivalent_of_the_same_value_and_another_gradient_is_noticed(name: str) -> None:
    pytest.importorskip("torch")
    info = registry.info_of(name)
    item = next(item for item in info.equivalents if item.package == "torch" and item.call)
    result = equivalents.run_equivalent(info, item)
    assert result.gradients > 20
    half = f"({item.call}).detach() + 0.5*(({item.call}) - ({item.call}).detach())"
    with pytest.raises(verify.Disagreement, match=f"{name}: the gradient of"):
        equivalents.run_equivalent(info, dataclasses.replace(item, call=half))


def test_pages_say_how_many_numbers_were_compared() -> None:
    said = re.compile(r"(\d+) values?(?: and (\d+) slopes?)?, to (?:0\.|1e-)\d+, with")
    cells = [
        cell
        for name in ("huber_loss", "mse_loss", "cross_entropy")
        for cell in said.findall(article(f"generated/{name}.html"))
    ]
    assert len(cells) > 8
    assert all(int(values) + int(slopes or 0) > 10 for values, slopes in cells)


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "catboost"])
def test_rows_of_boosters_say_that_a_test_trains_them(name: str) -> None:
    rows = {info.name for info in losslib.list_losses() for item in info.equivalents if item.package == name}
    pages = [article(f"generated/{loss}.html") for loss in rows]
    assert any("make test-peers" in text for text in pages)


def test_a_call_that_gives_one_number_is_compared_without_each_sample() -> None:
    pytest.importorskip("sklearn")
    info = registry.info_of("quantile_loss")
    item = next(item for item in info.equivalents if item.package == "sklearn" and item.call)
    assert equivalents.run_equivalent(info, item).values > 20
    shifted = f"({item.call}) + 1e-6*(len(x) != {equivalents.ELEMENTS})"
    with pytest.raises(verify.Disagreement, match="without sample 0"):
        equivalents.run_equivalent(info, dataclasses.replace(item, call=shifted))


# ---- the start page --------------------------------------------------------------------------------------------------


def test_the_start_page_says_how_many_losses_there_are_and_how_to_install_them() -> None:
    text = article("index.html")
    assert f"{len(losslib.list_losses())} loss functions" in text
    assert "pip install ." in text
    assert text.index("pip install") < text.index("clone of the repository") < text.index("import losslib")
    assert "writes into an array that is kept" in text


def test_the_start_page_shows_where_to_go_in_one_screen(visit: Visit) -> None:
    page = visit.open("index.html")
    page.set_viewport_size({"width": 1300, "height": 1000})
    cards = page.locator(".sd-card")
    assert cards.count() >= 4
    bottoms = cards.evaluate_all("all => all.map(card => card.getBoundingClientRect().bottom)")
    assert max(bottoms) <= 1000
    expect(page.locator(".bd-article .spark").first).to_be_visible()


# ---- portraits -------------------------------------------------------------------------------------------------------


def test_portraits_name_every_curve_and_bring_one_forward(visit: Visit) -> None:
    page = visit.open("generated/portraits.html")
    portraits = page.locator(".portrait")
    assert portraits.count() >= 8
    names = set(portraits.locator(".loss-legend a").evaluate_all("all => all.map(a => a.getAttribute('href'))"))
    drawn = set(
        portraits.locator("svg .member").evaluate_all("all => all.map(p => p.closest('a').getAttribute('href'))")
    )
    assert drawn <= names
    assert {"huber_loss.html", "cross_entropy.html", "multi_margin_loss.html", "triplet_margin_loss.html"} <= drawn
    expect(portraits.first.locator("li", has_text="smooth_l1_loss")).to_contain_text("the curve of huber_loss")
    name = portraits.first.locator(".loss-legend a[href='cauchy_loss.html']")
    name.hover()
    thick = portraits.first.locator(".panels a[href='cauchy_loss.html'] .member")
    assert set(thick.evaluate_all("all => all.map(p => getComputedStyle(p).strokeWidth)")) == {"4px"}


# ---- formulas and advice ---------------------------------------------------------------------------------------------


def tex(name: str) -> str:
    """Return the formulas of a page, from its Markdown twin."""
    text = (SITE / "generated" / f"{name}.md").read_text()
    return text[text.index("## Formula") : text.index("## Use it when")]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("sigmoid_focal_loss", [r"L = h k q^{\gamma}", "$q =", "$h ="]),
        ("bi_tempered_logistic_loss", [r"\log_{a} u &=", r"\exp_{a} u &=", "determines } m"]),
        ("ctc_loss", [r"\alpha_1(1) &=", r"\beta_T(2L+1) &=", r"\alpha_t(s) &="]),
        ("rnnt_loss", [r"\alpha(1, 0) &=", r"\beta(T, U) &=", r"\alpha(t - 1, u)"]),
    ],
)
def test_formulas_are_factored_and_define_their_letters(name: str, parts: list[str]) -> None:
    text = tex(name)
    for part in parts:
        assert part in text, part


@pytest.mark.parametrize("info", losslib.list_losses(), ids=lambda info: info.name)
def test_a_page_says_no_gradient_twice(info: losslib.LossInfo) -> None:
    displays = re.findall(r"\\frac{\\partial L}{\\partial (\w+)} = (.*?)\$\$", tex(info.name), re.DOTALL)
    bodies = [body.strip() for _, body in displays]
    assert len(bodies) == len(set(bodies))
    for body in bodies:
        assert f"- {body}" not in bodies
        assert f"-{body}" not in bodies


def test_ctc_says_when_to_use_it() -> None:
    text = article("generated/ctc_loss.html")
    assert "where each of them is: speech, handwriting" in text


@pytest.mark.parametrize("path", ["user/index", "migrate/index", "develop/index", "adapters/index"])
def test_a_page_of_a_part_opens_with_words(path: str) -> None:
    text = article(f"{path}.html")
    assert len(text.split()) > 60


@pytest.mark.parametrize("key", PACKAGES)
def test_every_package_has_a_page_about_coming_from_it(key: str) -> None:
    path = f"migrate/{key}.html" if (SITE / "migrate" / f"{key}.html").exists() else f"generated/from_{key}.html"
    text = article(path)
    for binding in package(key).bindings:
        assert binding.name in text.replace("​", "")
    assert f"{path.partition('/')[2].removesuffix('.html')}.html" in (SITE / "migrate" / "index.html").read_text()
