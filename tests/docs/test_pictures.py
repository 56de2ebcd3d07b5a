"""Sliders: every position shows curves, the curves are those of the loss at that position, the legend names them."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import losslib
from docs.visiting import SITE, Visit
from losslib.declaration import registry
from losspages.formulas import javascript
from losspages.pictures import sparklines

#: The rectangle that the axes of a panel enclose, in units of the drawing.
LEFT, TOP, RIGHT, BOTTOM = 46.0, 14.0, 350.0, 212.0

#: Geometries whose pages show another derivative than that along the axis: by a logit over a probability.
DRAWN_OTHERWISE = ("softmax", "distance")
#: Losses whose gradient is, as elsewhere, no derivative of their value: that of the logits, that of weighted pairs.
NO_DERIVATIVE = ("ctc_loss", "lambdarank_loss")

SLIDERS = sorted(
    info.name
    for info in losslib.list_losses()
    if (SITE / "generated" / f"{info.name}.html").is_file()
    and 'class="loss-slider' in (SITE / "generated" / f"{info.name}.html").read_text()
)


def points(path: str) -> np.ndarray:
    """Return the points of a path, of shape (points, 2)."""
    return np.array([[float(a), float(b)] for a, b in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path)]).reshape(-1, 2)


def in_panel(path: str) -> np.ndarray:
    found = points(path)
    return found[(found[:, 1] >= TOP) & (found[:, 1] <= BOTTOM)]


def test_there_are_sliders() -> None:
    assert len(SLIDERS) > 40


#: The slider's labels and, for each panel, the paths of its curves, at every position.
POSITIONS = """(control) => {
  const [input, output] = [control.querySelector("input"), control.querySelector("output")];
  const panels = [...control.closest("figure").querySelectorAll(".panels > svg")];
  return Array.from({ length: Number(input.max) + 1 }, (_, k) => {
    input.value = k;
    input.dispatchEvent(new Event("input"));
    const paths = (svg) => [...svg.querySelectorAll(".moving")].map((path) => path.getAttribute("d"));
    return [output.textContent, panels.map(paths)];
  });
}"""


@pytest.mark.parametrize("name", SLIDERS)
def test_every_position_of_a_slider_shows_a_curve_in_both_panels(name: str, visit: Visit) -> None:
    page = visit.open(f"generated/{name}.html")
    positions = page.locator(".loss-slider").evaluate(POSITIONS)
    assert len(positions) > 4
    assert len({label for label, _ in positions}) == len(positions)
    for label, panels in positions:
        for panel, curves in zip(("value", "gradient"), panels, strict=True):
            widths = [np.ptp(seen[:, 0]) for seen in map(in_panel, curves) if len(seen)]
            assert widths, f"{name}: the {panel} panel is empty at {label}"
            assert max(widths) > 0.3 * (RIGHT - LEFT), f"{name}: the {panel} panel has a stub at {label}"
    assert visit.complaints == []


@pytest.mark.parametrize("name", SLIDERS)
def test_a_slider_computes_its_curves_where_the_loss_has_a_formula_in_javascript(name: str) -> None:
    text = (SITE / "generated" / f"{name}.html").read_text()
    found = re.search(r'class="loss-slider.*?<script type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert ("loss" in data) == javascript.is_printable(registry.info_of(name))
    assert ("value" in data) != ("loss" in data)


def test_a_slider_and_the_comparison_draw_the_same_curve(visit: Visit) -> None:
    shown = []
    for path, place in (
        ("generated/huber_loss.html", ".panels .moving"),
        ("compare.html?l=huber_loss:delta=5", ".panels .curve"),
    ):
        page = visit.open(path)
        if "generated" in path:
            page.locator(".loss-slider input").press("End")
        curve = points(page.locator(place).first.get_attribute("d") or "")
        across, down = scales(page, 0)
        shown.append((np.polyval(across, curve[:, 0]), np.polyval(down, curve[:, 1])))
    (x, y), (other_x, other_y) = shown
    inside = (other_x > x[0]) & (other_x < x[-1])
    assert np.allclose(np.interp(other_x[inside], x, y), other_y[inside], atol=0.15)


def scales(page: Page, panel: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines that turn places of the drawing into numbers, from the numbers at the axes."""
    numbers = page.locator(".panels > svg").nth(panel).locator(".axes text")
    texts = numbers.evaluate_all(
        "all => all.map(t => [t.getAttribute('text-anchor'), +t.getAttribute('x'), +t.getAttribute('y'), t.innerHTML])"
    )
    across = [(x, float(text.replace("−", "-"))) for anchor, x, _, text in texts if anchor == "middle"]
    down = [(y - 3.5, float(text.replace("−", "-"))) for anchor, _, y, text in texts if anchor == "end"]
    return np.polyfit(*zip(*across, strict=True), 1), np.polyfit(*zip(*down, strict=True), 1)


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("tweedie_nll_loss", (0.0, 1.0, 3.0)),
        ("negative_binomial_nll_loss", (0.0, 1.0, 3.0)),
        ("mean_absolute_percentage_error", (0.5, 1.0, 3.0)),
    ],
)
@pytest.mark.parametrize("key", ["Home", "End"])
def test_curves_of_every_target_are_those_of_the_position(
    name: str, targets: tuple[float, ...], key: str, visit: Visit
) -> None:
    page = visit.open(f"generated/{name}.html")
    page.locator(".loss-slider input").focus()
    page.keyboard.press(key)
    parameter, _, number = page.locator(".loss-slider output").inner_text().split(":")[0].partition(" = ")
    loss: Any = losslib.get(name, **{parameter: float(number.split()[0])}, reduction="none")
    compared = 0
    for panel in (0, 1):
        across, down = scales(page, panel)
        paths = page.locator(".panels > svg").nth(panel).locator(".moving").all()
        assert len(paths) == len(targets)
        for path, target in zip(paths, targets, strict=True):
            seen = in_panel(path.get_attribute("d") or "")
            x = np.polyval(across, seen[:, 0])
            t = np.full_like(x, target)
            if not len(x):
                with pytest.raises(losslib.DomainError):
                    loss(np.array([0.5]), np.array([target]))
                continue
            expected = loss(x, t) if panel == 0 else loss.grad(x, t)
            places = (expected - down[1]) / down[0]
            # Coordinates have one decimal: a steep curve may be off by its slope times half of it.
            slack = 1.5 + 0.06 * np.abs(np.gradient(seen[:, 1], seen[:, 0])) if len(x) > 1 else 1.5
            assert np.mean(np.abs(places - seen[:, 1]) <= slack) > 0.97  # beside a jump the place decides
            compared += len(x)
    assert compared > 100


def test_the_legend_names_the_curve_of_the_slider(visit: Visit) -> None:
    page = visit.open("generated/huber_loss.html")
    entry = page.locator(".loss-legend .loss-chosen")
    expect(entry).to_have_text("chosen: delta = 1 (default)")
    page.locator(".loss-slider input").focus()
    page.keyboard.press("End")
    expect(entry).to_have_text("chosen: delta = 5")
    # The band lies below the curves, so that none of them is hidden.
    order = (
        page.locator(".panels > svg")
        .first.locator(".plot > g")
        .evaluate_all("all => all.map(g => g.className.baseVal)")
    )
    assert order == ["band", "fixed"]


def test_curves_that_move_take_the_place_of_those_at_the_default(visit: Visit) -> None:
    page = visit.open("generated/tweedie_nll_loss.html")
    expect(page.locator(".panels > svg .fixed").first).to_be_hidden()
    expect(page.locator(".loss-legend .loss-chosen")).to_have_count(0)
    colours = (
        page.locator(".panels > svg")
        .first.locator(".moving")
        .evaluate_all("all => all.map(p => getComputedStyle(p).stroke)")
    )
    named = page.locator(".loss-legend path").evaluate_all("all => all.map(p => getComputedStyle(p).stroke)")
    assert colours == named


def test_a_slider_of_a_fraction_has_even_steps(visit: Visit) -> None:
    page = visit.open("generated/quantile_loss.html")
    page.locator(".loss-slider input").focus()
    page.keyboard.press("End")
    output = page.locator(".loss-slider output")
    expect(output).to_have_text("quantile = 0.95")
    page.keyboard.press("ArrowLeft")
    expect(output).to_have_text("quantile = 0.9")


def test_the_lattice_of_rnnt_shows_the_shares_of_its_paths(visit: Visit) -> None:
    page = visit.open("generated/rnnt_loss.html")
    lattice = page.locator(".loss-lattice svg")
    assert lattice.locator("circle").count() == 16
    edges = lattice.locator("path").evaluate_all(
        "all => all.map(edge => [edge.classList.contains('c0'), parseFloat(edge.style.strokeWidth)])"
    )
    shares = [((width - 0.5) / 9, blank) for blank, width in edges]
    # Each path writes three labels and takes four blanks, the last of them at the end.
    assert sum(share for share, blank in shares if blank) == pytest.approx(4, abs=0.1)
    assert sum(share for share, blank in shares if not blank) == pytest.approx(3, abs=0.1)


# ---- small pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("info", losslib.list_losses(), ids=lambda info: info.name)
def test_every_loss_has_a_small_picture_of_value_and_slope(info: losslib.LossInfo) -> None:
    x, value, slope = sparklines.curve_of(info)
    assert np.isfinite(value).mean() > 0.9
    assert np.ptp(value[np.isfinite(value)]) > 0
    drawing = sparklines.sparkline(info)
    for kind in ("value", "slope"):
        path = re.search(rf'class="{kind}" d="([^"]*)"', drawing)
        assert path is not None
        assert len(points(path[1])) > 12
    # The slope is that of the value, but beside kinks and jumps.
    steps = np.diff(value) / np.diff(x)
    between = (slope[1:] + slope[:-1]) / 2
    derives = "held weights" not in info.tags and info.name not in NO_DERIVATIVE
    if derives and info.geometry not in DRAWN_OTHERWISE:
        assert np.mean(np.abs(steps - between) < 0.05 * np.nanmax(np.abs(slope)) + 1e-6) > 0.6
