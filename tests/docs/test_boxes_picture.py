"""Boxes that can be moved: by keyboard and pointer, with the values and gradients of the kernels."""

from __future__ import annotations

import numpy as np
import pytest

import losslib
from docs.visiting import Visit

NAMES = [info.name for info in losslib.list_losses() if info.geometry == "boxes"]

#: Keys, and which box they go to: overlapping, touching, inside one another, equal, apart.
MOVES: list[tuple[str, list[str]]] = [
    ("predicted", []),
    ("predicted", ["ArrowRight"] * 5 + ["ArrowUp"] * 3 + ["Shift+ArrowLeft"] * 7),
    ("predicted", ["ArrowRight"] * 10 + ["ArrowUp"] * 6 + ["Shift+ArrowRight"] * 5 + ["Shift+ArrowUp"] * 4),
    ("true", ["Shift+ArrowLeft"] * 60),
    ("true", ["ArrowLeft"] * 60),
]


@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients_are_those_of_the_kernels(name: str, visit: Visit) -> None:
    page = visit.open(f"generated/{name}.html")
    for moved, keys in MOVES:
        page.locator(f".loss-boxes .{moved}").focus()
        for key in keys:
            page.keyboard.press(key)
        predicted, true = (
            np.array([page.locator(f".loss-boxes .{which}").get_attribute("data-box").split()], float)
            for which in ("predicted", "true")
        )
        for other in NAMES:
            value, gradient = losslib.get(other).value_and_grad(predicted, true)
            shown = float(page.locator(f'.loss-boxes td[data-value="{other}"]').inner_text())
            assert shown == pytest.approx(value, abs=6e-5), (other, predicted, true)
            slopes = page.locator(f'.loss-boxes td[data-slope="{other}"]').inner_text().split(",")
            np.testing.assert_allclose([float(text) for text in slopes], gradient[0], atol=6e-5)


def test_a_box_is_dragged_and_sized_with_the_pointer(visit: Visit) -> None:
    page = visit.open("generated/complete_box_iou_loss.html")
    group = page.locator(".loss-boxes .predicted")
    page.locator(".loss-boxes").scroll_into_view_if_needed()
    before = np.array(group.get_attribute("data-box").split(), float)
    scale = 260 / page.locator(".loss-boxes svg").bounding_box()["width"]
    for part, columns in ((".hold", [0, 1, 2, 3]), (".corner", [2, 3])):
        place = group.locator(part).bounding_box()
        x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
        if part == ".hold":
            x = place["x"] + 8
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 30 / scale, y + 10 / scale, steps=5)
        page.mouse.up()
        after = np.array(group.get_attribute("data-box").split(), float)
        moved = np.zeros(4)
        moved[columns] = [30, 10] * (len(columns) // 2)
        np.testing.assert_allclose(after - before, moved, atol=1.01)
        before = after
