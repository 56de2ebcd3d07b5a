"""The catalogue's filter and the search find the loss that is meant, and put it first."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

import losslib
from docs.visiting import Visit


def shown(page: Page) -> list[str]:
    """Return the names of the losses that the catalogue shows, in its order."""
    return page.locator("table.loss-catalogue tbody tr:visible td:first-child code").all_inner_texts()


@pytest.mark.parametrize(
    ("words", "first", "most"),
    [
        ("log loss", "binary_cross_entropy", 8),
        ("huber", "huber_loss", 8),
        ("BCE", "binary_cross_entropy", 12),
        ("imbalanced", "sigmoid_focal_loss", 25),
        ("noisy labels", "generalized_cross_entropy", 6),
        ("RMSE", "mse_loss", 6),
        ("brier", "mse_loss", 4),
        ("heavy tails", "huber_loss", 20),
        ("quantiles", "quantile_loss", 4),
        ("ordinal", "coral_loss", 8),
        ("nn.SmoothL1Loss", "smooth_l1_loss", 6),
        ("iou", "generalized_box_iou_loss", 16),
        ("censored", "cox_ph_loss", 10),
        ("too many zeros", "tweedie_nll_loss", 8),
        ("nce", "nce_loss", 5),
    ],
)
def test_filter_puts_the_meant_loss_first(words: str, first: str, most: int, visit: Visit) -> None:
    page = visit.open("losses.html")
    page.get_by_label("Filter", exact=True).fill(words)
    expect(page.locator(".loss-filter output")).not_to_have_text(f"{len(losslib.list_losses())} of")
    found = shown(page)
    assert found[:1] == [first]
    assert len(found) <= most


def test_filter_by_hessian(visit: Visit) -> None:
    page = visit.open("losses.html?filter=hessian")
    assert set(shown(page)) >= {info.name for info in losslib.list_losses() if info.has_hessian}


def test_filter_says_which_other_name_it_has_found(visit: Visit) -> None:
    page = visit.open("losses.html")
    page.get_by_label("Filter", exact=True).fill("pinball")
    expect(page.locator("table.loss-catalogue tbody tr:visible .loss-hint").first).to_contain_text("pinball")


def test_every_example_of_the_placeholder_finds_something(visit: Visit) -> None:
    page = visit.open("losses.html")
    field = page.get_by_label("Filter", exact=True)
    for words in (field.get_attribute("placeholder") or "").rstrip(" …").split(", "):
        field.fill(words)
        assert 0 < len(shown(page)) < len(losslib.list_losses()) / 2, words


def test_a_row_of_the_catalogue_is_32_px_high_and_shows_its_text(visit: Visit) -> None:
    page = visit.open("losses.html")
    page.set_viewport_size({"width": 1300, "height": 900})
    rows = page.locator("table.loss-catalogue tbody tr")
    assert set(rows.evaluate_all("all => all.map(row => Math.round(row.getBoundingClientRect().height))")) == {32}
    cut = rows.locator("td").evaluate_all(
        "all => all.filter(td => td.scrollHeight > td.clientHeight + 1 || td.scrollWidth > td.clientWidth + 1)"
        ".map(td => td.innerText)"
    )
    assert cut == []
    assert rows.locator("svg.spark").count() == rows.count()


def test_choices_of_the_catalogue_say_how_many_losses_they_leave(visit: Visit) -> None:
    page = visit.open("losses.html")
    for label in ("Family", "Target", "Property"):
        choice = page.get_by_label(label)
        options = choice.locator("option").evaluate_all("all => all.map(one => [one.value, one.textContent])")
        assert len(options) > 5
        for value, text in options[1:4]:
            choice.select_option(value)
            assert text.endswith(f"({len(shown(page))})")
        choice.select_option("")
    page.get_by_label("Property").select_option("Hessian")
    with_hessian = set(shown(page))
    assert with_hessian == {info.name for info in losslib.list_losses() if info.has_hessian}
    page.get_by_label("Family").select_option("Classes")
    assert set(shown(page)) == with_hessian & {
        info.name for info in losslib.list_losses() if info.family in ("binary", "multiclass", "ordinal", "vocabulary")
    }


@pytest.mark.parametrize(
    ("page_of", "family"),
    [("huber_loss", "regression"), ("dice_loss", "segmentation"), ("cox_ph_loss", "survival"), ("ranking", "ranking")],
)
def test_the_sidebar_of_a_loss_has_the_doors_and_its_own_family_alone(page_of: str, family: str, visit: Visit) -> None:
    page = visit.open(f"generated/{page_of}.html")
    sidebar = page.locator(".bd-sidebar-primary .loss-doors")
    assert sidebar.locator("> ul:not(.loss-tools) > li").count() == 7
    links = sidebar.locator("a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    listed = {re.sub(r"\.html.*", "", link) for link in links}
    names = {info.name for info in losslib.list_losses()}
    own = {info.name for info in losslib.list_losses() if info.family == family}
    assert {name if name != "#" else page_of for name in listed} & names == own
    assert sidebar.locator("[aria-current=page]").count() == 1


def test_a_door_leads_to_what_is_behind_it(visit: Visit) -> None:
    page = visit.open("generated/huber_loss.html")
    page.locator(".loss-doors").get_by_role("link", name="Pictures").click()
    page.wait_for_load_state("networkidle")
    families = {losslib.get(name).info.family for name in shown(page)}
    assert families == {info.family for info in losslib.list_losses()} & {"segmentation", "boxes", "image"}


def test_filter_is_part_of_the_address(visit: Visit) -> None:
    page = visit.open("losses.html")
    page.get_by_label("Filter", exact=True).fill("imbalanced")
    page.get_by_label("Family").select_option("Binary and multi-label")
    before = shown(page)
    page.reload(wait_until="networkidle")
    assert page.get_by_label("Filter", exact=True).input_value() == "imbalanced"
    assert shown(page) == before
    page.get_by_label("Filter", exact=True).fill("")
    assert "filter" not in page.url


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("log loss", "binary_cross_entropy"),
        ("pinball", "quantile_loss"),
        ("huber", "huber_loss"),
        ("focal loss", "sigmoid_focal_loss"),
        ("triplet", "triplet_margin_loss"),
    ],
)
def test_search_puts_the_meant_loss_first_and_fetches_no_pages(words: str, name: str, visit: Visit) -> None:
    pages: list[str] = []
    visit.page.on("request", lambda request: pages.append(request.url) if ".html" in request.url else None)
    page = visit.open(f"search.html?q={words.replace(' ', '+')}")
    hits = page.locator("#search-results ul.search li a")
    expect(hits.first).to_be_visible()
    expect(page.locator("#search-results")).to_contain_text("matching the search query")
    found = [re.sub(r".*/|[.?#].*", "", hit.get_attribute("href") or "") for hit in hits.all()[:1]]
    assert found == [name]
    assert visit.complaints == []
    assert len(pages) == 1  # the search page itself
