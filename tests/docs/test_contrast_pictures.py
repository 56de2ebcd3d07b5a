"""Pictures of similarities, margins, thresholds and risk sets show what the kernels compute."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import losslib
from losslib.declaration import registry
from losspages.pictures import margins, risk_sets, similarities, thresholds


@pytest.mark.parametrize("name", similarities.MATRICES)
def test_the_gradient_by_similarities_is_that_by_vectors_through_the_chain_rule(name: str) -> None:
    info = registry.info_of(name)
    shown, values, further = similarities.MATRICES[name]
    matrix, _ = similarities.batch("input2" in info.input_names)
    left, strengths, right = np.linalg.svd(matrix)
    rows, columns = left * strengths, right.T  # vectors whose products these similarities are
    met: dict[str, Any] = {"input2": columns}
    if "input2" not in info.input_names:
        labels = similarities.CLASSES
        met = {"target": labels, "reference": columns, "reference_target": labels}
    for value in values:
        options = {**further, shown: value} if shown else further
        by_rows = registry.function_of(name).grad(rows, **met, **options, normalize=False, wrt=info.input_names[0])
        found = similarities.slopes(info, matrix, **options)
        np.testing.assert_allclose(found @ columns, by_rows, atol=1e-12 * abs(by_rows).max())


@pytest.mark.parametrize(
    ("name", "half"),
    [
        ("arcface_loss", lambda margin: np.pi / 4 - margin / 2),
        ("margin_cross_entropy", lambda margin: np.pi / 4 - margin / 2),
        ("cosface_loss", lambda margin: np.pi / 4 - np.arcsin(margin / np.sqrt(2))),
        ("sphereface_loss", lambda margin: np.pi / 2 / (margin + 1)),
    ],
)
def test_arcs_end_where_the_margin_says(name: str, half: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two classes at a right angle, each arc reaches an angle that is known in closed form."""
    monkeypatch.setattr(margins, "DIRECTIONS", np.array([0.0, 90.0]))
    info = registry.info_of(name)
    degrees = np.linspace(0.0, 90.0, 9001)
    for value in margins.MARGINS[name][1]:
        inside = margins.safe(info, margins.MARGINS[name][0], value, degrees, 0)
        assert np.radians(degrees[inside].max()) == pytest.approx(half(value), abs=1e-3)


def test_areas_between_thresholds_are_the_probabilities_that_stand_below() -> None:
    info = registry.info_of("cumulative_link_loss")
    for score in thresholds.SCORES:
        drawn = thresholds.density(info, score)
        areas = []
        for polygon in re.findall(r'<polygon points="([^"]*)"', drawn):
            x, y = np.array([pair.split(",") for pair in polygon.split()], float).T
            areas.append(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)
        percents = np.array([float(text) for text in re.findall(r">(\d+)%<", drawn)])
        np.testing.assert_allclose(100 * np.array(areas) / sum(areas), percents, atol=1.5)


def test_a_disc_covers_a_share_of_its_risk_set_and_bars_are_minus_the_gradient() -> None:
    drawing, _ = risk_sets.figure(registry.info_of("cox_ph_loss"))
    discs = np.array(re.findall(r'<circle cx="([\d.]+)" cy="[\d.]+" r="([\d.]+)"[^>]*opacity', drawing), float)
    for time in np.unique(discs[:, 0]):
        assert np.sum(discs[discs[:, 0] == time, 1] ** 2) == pytest.approx(100.0, rel=0.05)
    slopes = [float(text) for text in re.findall(r"<title>gradient ([-\d.e]+)</title>", drawing)]
    expected = losslib.cox_ph_loss.grad(risk_sets.SCORES, risk_sets.TIME, risk_sets.EVENT, reduction="sum")
    np.testing.assert_allclose(slopes, expected, rtol=5e-3)
