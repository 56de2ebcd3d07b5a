"""What a reader looks for stands near the top of a page, and most of a page is about its own loss."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from docs import distances

#: Width of the window -> part -> the most that the median page may be scrolled for it, in pixels.
MOST = {
    1300: {"picture": 500, "formula": 1100, "use it when": 1600, "the same elsewhere": 2700},
    390: {"picture": 600, "formula": 1400, "use it when": 2000, "the same elsewhere": 3300},
}


@pytest.mark.parametrize("width", distances.WIDTHS)
def test_parts_of_a_page_stand_near_its_top(width: int, browser: Browser, address: str) -> None:
    found = distances.median_distances(browser, address, distances.loss_pages()[::8], width)
    assert {part: found[part] for part, most in MOST[width].items() if not 0 <= found[part] <= most} == {}


def test_most_of_a_page_is_about_its_own_loss() -> None:
    pages = distances.loss_pages()
    share, _ = distances.boilerplate(pages)
    assert share < 0.31  # before there were three layers
    assert distances.words_before_the_formula(pages) <= 120
