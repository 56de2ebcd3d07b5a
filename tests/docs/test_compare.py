"""What pages compute in the browser: the comparison, calls of other packages, the questions, losses while one types."""

from __future__ import annotations

import dataclasses
import re

import pytest
from playwright.sync_api import Browser, expect

from docs.visiting import SITE, Visit
from losslib.declaration import registry
from losspages.checks.verify import Disagreement
from losspages.compare import names
from losspages.formulas import javascript

# ---- the checks can fail ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("huber_loss", "<= delta", "< 2*delta"),
        ("cauchy_loss", "log1p(r**2/2)", "log1p(r**2/3)"),
        ("poisson_nll_loss", "exp(x) - t*x", "exp(x) + t*x"),
    ],
)
def test_a_wrong_formula_in_the_browser_is_noticed(name: str, old: str, new: str) -> None:
    info = registry.info_of(name)
    assert old in info.formula
    assert javascript.check([info]).points > 0
    with pytest.raises(Disagreement, match=f"{name}: the (value|slope|curvature) as JavaScript"):
        javascript.check([dataclasses.replace(info, formula=info.formula.replace(old, new))])


def test_a_wrong_derivative_in_the_browser_is_noticed(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    text = javascript.DUAL.read_text()
    wrong = tmp_path / "dual.js"
    wrong.write_text(text.replace("(v) => 1 / (1 + v), ", "(v) => 1 / (2 + v), "))
    assert wrong.read_text() != text
    monkeypatch.setattr(javascript, "DUAL", wrong)
    with pytest.raises(Disagreement, match="cauchy_loss: the slope as JavaScript"):
        javascript.check([registry.info_of("cauchy_loss")])


def test_a_name_that_the_browser_binds_otherwise_is_noticed(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    text = names.EXPLAIN.read_text()
    wrong = tmp_path / "names.js"
    wrong.write_text(text.replace("chosen.renames[item.name] ?? item.to", "item.name"))
    assert wrong.read_text() != text
    infos = list(registry.all_losses())
    assert names.check(infos) > 500
    monkeypatch.setattr(names, "EXPLAIN", wrong)
    with pytest.raises(Disagreement):
        names.check(infos)


# ---- the comparison --------------------------------------------------------------------------------------------------


def test_the_comparison_draws_what_the_address_says(visit: Visit) -> None:
    page = visit.open("compare.html?l=huber_loss:delta=2,cauchy")
    expect(page.locator(".compare-loss")).to_have_count(2)
    expect(page.locator("#loss-compare .panels > svg")).to_have_count(3)
    expect(page.locator(".compare-table")).to_contain_text("losslib.huber_loss(x, t, delta=2)")
    expect(page.locator(".compare-loss output").first).to_have_text("2")
    assert "cauchy_loss" in page.url
    assert visit.complaints == []


def test_a_slider_of_the_comparison_moves_by_keyboard_and_keeps_the_focus(visit: Visit) -> None:
    page = visit.open("compare.html?l=huber_loss,cauchy_loss")
    path = page.locator("#loss-compare .panels path.curve").first
    before = path.get_attribute("d")
    slider = page.locator(".compare-loss input[type=range]").first
    slider.focus()
    page.keyboard.press("End")
    assert path.get_attribute("d") != before
    assert slider.evaluate("element => element === document.activeElement")
    assert re.search(r"huber_loss:delta=", page.url)
    page.reload(wait_until="networkidle")
    assert page.locator(".compare-loss output").first.inner_text() != "1"


def test_the_page_of_a_loss_moves_every_parameter_with_the_same_code(visit: Visit) -> None:
    page = visit.open("generated/barron_loss.html")
    page.get_by_text("Every parameter, live").click()
    expect(page.locator(".loss-live .compare-loss input[type=range]")).to_have_count(2)
    path = page.locator(".loss-live .panels path.curve").first
    before = path.get_attribute("d")
    page.locator(".loss-live input[type=range]").first.press("Home")
    assert path.get_attribute("d") != before
    assert "?" not in page.url
    assert visit.complaints == []


def test_losses_are_added_and_removed(visit: Visit) -> None:
    page = visit.open("compare.html?l=huber_loss,cauchy_loss")
    page.get_by_label("Add a loss").fill("tukey_biweight_loss")
    page.keyboard.press("Enter")
    expect(page.locator(".compare-loss")).to_have_count(3)
    page.get_by_role("button", name="Remove Huber loss").click()
    expect(page.locator(".compare-loss")).to_have_count(2)
    assert "huber" not in page.url
    page.get_by_label("Add a loss").fill("no such loss")
    page.keyboard.press("Enter")
    expect(page.locator(".compare-add output")).to_contain_text("no such loss")


@pytest.mark.parametrize("name", [info.name for info in registry.all_losses() if javascript.is_printable(info)])
def test_every_printed_loss_has_curves_in_the_comparison(name: str, visit: Visit) -> None:
    page = visit.open(f"compare.html?l={name}")
    paths = page.locator("#loss-compare .panels > svg").first.locator("path.curve")
    assert len(paths.first.get_attribute("d") or "") > 200
    assert visit.complaints == []


def test_the_comparison_is_light(visit: Visit) -> None:
    visit.open("compare.html")
    assert visit.bytes <= 150_000


PAGES = [
    "compare.html?l=huber_loss,barron_loss,gaussian_nll_loss", "explain.html?q=reg:tweedie", "choose.html",
    "outlier.html", "cheatsheet.html",
]  # fmt: skip


@pytest.mark.parametrize("width", [1300, 390, 320])
@pytest.mark.parametrize("path", PAGES)
def test_nothing_scrolls_sideways(path: str, width: int, visit: Visit) -> None:
    page = visit.open(path)
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# ---- names, questions, search ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "loss", "call"),
    [
        ("nn.SmoothL1Loss(beta=2)", "smooth_l1_loss", "losslib.smooth_l1_loss(input, target, beta=2)"),
        ("torch.nn.functional.huber_loss(x, t, delta=2.0)", "huber_loss", "losslib.huber_loss(input, target, delta=2)"),
        ("reg:tweedie", "tweedie_nll_loss", "losslib.tweedie_nll_loss(input, target"),
        ("reg:pseudohubererror", "pseudo_huber_loss", "losslib.pseudo_huber_loss(input, target"),
        ("keras.losses.Huber(delta=2.0)(y_true, y_pred)", "huber_loss", "delta=2"),
        ("Quantile:alpha=0.9", "quantile_loss", "quantile=0.9"),
    ],
)
def test_a_pasted_call_is_explained(text: str, loss: str, call: str, visit: Visit) -> None:
    page = visit.open("explain.html")
    page.get_by_label("Name or call").fill(text)
    first = page.locator(".explained").first
    expect(first.locator("a").first).to_have_attribute("href", f"generated/{loss}.html")
    expect(first).to_contain_text(call)
    assert visit.complaints == []


def test_what_has_no_counterpart_says_so(visit: Visit) -> None:
    page = visit.open("explain.html?q=keras:CTC")
    expect(page.locator(".explained").first).to_contain_text("no exact counterpart")


def test_three_questions_lead_to_losses(visit: Visit) -> None:
    page = visit.open("choose.html")
    page.get_by_label("What is the target?").select_option("A count, an amount, a distribution")
    page.get_by_label("What is wanted?").select_option("Too many zeros")
    expect(page.locator("#loss-chooser li").first).to_contain_text("Tweedie")
    page.reload(wait_until="networkidle")
    expect(page.locator("#loss-chooser li").first).to_contain_text("Tweedie")


def test_an_answer_leads_to_the_comparison_of_its_losses(visit: Visit) -> None:
    page = visit.open("choose.html?wish=Some+targets+are+wrong")
    page.get_by_label("What is wanted?").select_option("Some targets are wrong")
    page.locator("#loss-chooser").get_by_text("Compare them").click()
    page.wait_for_load_state("networkidle")
    expect(page.locator(".compare-loss")).to_have_count(4)
    expect(page.locator(".compare-loss").first).to_contain_text("Huber loss")


def test_pages_work_from_files_without_a_server(browser: Browser) -> None:
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((SITE / "compare.html").as_uri() + "?l=huber_loss,cauchy_loss")
    expect(page.locator("#loss-compare .panels > svg")).to_have_count(3)
    page.goto((SITE / "generated" / "huber_loss.html").as_uri())
    page.locator(".loss-slider input").press("End")
    expect(page.locator(".loss-slider output")).to_have_text("delta = 5")
    page.keyboard.press("Control+k")
    page.keyboard.type("pinball")
    expect(page.locator(".quick-hits a").first).to_have_text("Quantile loss")
    page.goto((SITE / "explain.html").as_uri() + "?q=reg:tweedie")
    expect(page.locator(".explained").first).to_contain_text("losslib.tweedie_nll_loss")
    assert complaints == []
    page.close()


def test_the_search_box_shows_losses_while_one_types(visit: Visit) -> None:
    page = visit.open("index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("noisy labels")
    first = page.locator(".quick-hits a").first
    expect(first).to_have_attribute("href", re.compile("generated/generalized_cross_entropy.html"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("generalized_cross_entropy"))
    assert visit.complaints == []


def test_an_outlier_is_dragged_by_keyboard_and_bends_the_squared_error_most(visit: Visit) -> None:
    page = visit.open("outlier.html")
    lines = "[...document.querySelectorAll('#loss-outlier [data-slope]')]"
    ends = f"Object.fromEntries({lines}.map(e => [e.dataset.name, +e.dataset.slope]))"
    before = page.evaluate(ends)
    point = page.locator("#loss-outlier circle[tabindex]").last
    point.focus()
    for _ in range(12):
        page.keyboard.press("Shift+ArrowDown")
    after = page.evaluate(ends)
    moved = {name: abs(after[name] - before[name]) for name in before}
    assert moved["mse_loss"] > 3 * moved["huber_loss"] > 0
    assert moved["tukey_biweight_loss"] < 0.2 * moved["mse_loss"]
    assert visit.complaints == []
