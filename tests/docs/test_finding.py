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
