"""Five questions of a stranger, answered from the start page in at most three clicks.

A click is a click, a choice of a list, or words typed into the search box that the page offers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from docs.visiting import Visit

MOST_CLICKS = 3


@dataclass
class Stranger:
    """Counts what a reader does."""

    page: Page
    clicks: int = 0

    def click(self, link: Locator) -> None:
        link.click()
        self.page.wait_for_load_state("networkidle")
        self.clicks += 1

    def choose(self, label: str, answer: str) -> None:
        self.page.get_by_label(label).select_option(answer)
        self.clicks += 1

    def ask(self, words: str) -> None:
        """Type into the search box."""
        self.page.keyboard.press("Control+k")
        self.page.keyboard.type(words)
        expect(self.page.locator(".quick-hits a").first).to_be_visible()
        self.clicks += 1

    def hit(self, title: str) -> Locator:
        return self.page.locator(".quick-hits a", has_text=re.compile(title)).first


@pytest.fixture
def stranger(visit: Visit, record_property: Callable[[str, object], None]) -> Iterator[Stranger]:
    stranger = Stranger(visit.open("index.html"))
    start = time.perf_counter()
    yield stranger
    record_property("clicks", stranger.clicks)
    record_property("seconds", round(time.perf_counter() - start, 1))
    assert 0 < stranger.clicks <= MOST_CLICKS
    assert visit.complaints == []


def test_which_loss_for_counts_with_too_many_zeros_by_questions(stranger: Stranger) -> None:
    stranger.click(stranger.page.locator(".sd-card", has_text="Which loss?"))
    stranger.choose("What is the target?", "A count, an amount, a distribution")
    stranger.choose("What is wanted?", "Too many zeros")
    expect(stranger.page.locator("#loss-chooser li").first).to_contain_text("Tweedie")


def test_which_loss_for_counts_with_too_many_zeros_by_words(stranger: Stranger) -> None:
    stranger.ask("which loss for counts with too many zeros")
    expect(stranger.page.locator(".quick-hits li").first).to_contain_text("Tweedie")


def test_what_is_reg_pseudohubererror_here(stranger: Stranger) -> None:
    stranger.ask("reg:pseudohubererror")
    stranger.click(stranger.hit("Explain this call"))
    expect(stranger.page.locator(".explained").first).to_contain_text("losslib.pseudo_huber_loss(input, target")


def test_what_does_pytorch_divide_by_with_class_weights(stranger: Stranger) -> None:
    stranger.ask("nn.CrossEntropyLoss(weight=w)")
    stranger.click(stranger.hit("Explain this call"))
    card = stranger.page.locator(".explained").first
    expect(card).to_contain_text("PyTorch")
    expect(card.locator("dt", has_text="divides by")).to_have_count(1)
    expect(card).to_contain_text(re.compile("sum of the (class )?weights"))


def test_what_does_pytorch_divide_by_with_class_weights_by_words(stranger: Stranger) -> None:
    stranger.ask("what does PyTorch divide by with class weights")
    stranger.click(stranger.hit("Reductions"))
    expect(stranger.page.locator(".bd-article")).to_contain_text("by the sum of the class weights")


def test_is_tukey_convex(stranger: Stranger) -> None:
    stranger.ask("is tukey convex")
    expect(stranger.page.locator(".quick-hits li").first).to_contain_text(re.compile("Tukey.*not convex"))
    stranger.click(stranger.hit("Tukey"))
    fact = stranger.page.locator(".loss-facts div", has_text="convex")
    expect(fact).to_contain_text("no")


def test_dice_or_tversky_for_small_lesions(stranger: Stranger) -> None:
    stranger.ask("Dice or Tversky for small lesions")
    first = stranger.page.locator(".quick-hits li").first
    expect(first).to_contain_text("Tversky")
    stranger.click(first.locator("a"))
    expect(stranger.page.locator(".bd-article")).to_contain_text("Use it when")


def test_dice_or_tversky_for_small_lesions_by_questions(stranger: Stranger) -> None:
    stranger.click(stranger.page.locator(".sd-card", has_text="Which loss?"))
    stranger.choose("What is the target?", "A picture")
    stranger.choose("What is wanted?", "Small regions, such as lesions: a miss costs more than a false alarm")
    expect(stranger.page.locator("#loss-chooser li").first).to_contain_text("Tversky")
