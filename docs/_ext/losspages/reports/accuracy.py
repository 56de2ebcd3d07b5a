"""The accuracy report: the largest errors of every loss in float64 and float32, measured while the site is built."""

from __future__ import annotations

import warnings

import numpy as np

import losslib
from losslib import geometries
from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.checks import ctc_paths, row_losses, verify
from losspages.checks.examine import PageFacts, Summary
from losspages.rst import heading, table
from losspages.template import contrast_parts, ranking_parts, region_parts, survival_parts, transducer_parts

#: Points along each input of an elementwise loss, and rows of a row loss, that float32 is measured on.
POINTS, ROWS, COLUMNS = 301, 64, 17


def page(examined: list[PageFacts], summary: Summary) -> str:
    """Return the report as a page."""
    rows = []
    for facts in examined:
        single = single_precision(facts.info)
        double = facts.formula.ulps
        rows.append(
            [
                f":py:func:`~losslib.{facts.info.name}`",
                f"{double.get('value', 0):.1f}",
                f"{double.get('gradient', 0):.1f}",
                f"{facts.formula.largest:.1e}",
                f"{single['value'][0]:.1f}",
                f"{single['gradient'][0]:.1f}",
                f"{max(single['value'][1], single['gradient'][1]):.1e}",
            ]
        )
    header = ["loss", "float64 value", "float64 gradient", "relative", "float32 value", "float32 gradient", "relative"]
    config = losslib.config()
    counted = table(["checked", "in this build"], [[name, str(text)] for name, text in summary.rows()])
    return "\n".join(
        [
            ".. _accuracy:\n",
            heading("Accuracy", "="),
            f"Measured while this page was built, with losslib {config['version']} and the instruction set "
            f"{config['isa']}. Errors are largest errors, not typical ones.\n",
            "float64 is compared with the formula of the loss, evaluated with 30 digits by mpmath on the points that "
            "the loss's page is checked on. float32 is compared with the float64 kernel at the same float32 inputs: "
            f"{POINTS} points along the input for elementwise losses, {ROWS} rows of {COLUMNS} entries for row "
            "losses.\n",
            "Columns without a word more are in units in the last place (ULP) of the exact result, where a result "
            "below 2\\ :sup:`-10` is measured in the unit of that number: beside a zero crossing the unit shrinks "
            "without end and the number would say nothing. *Relative* is the largest error divided by "
            "max(1, \\|result\\|). The result of a reduced call is summed in float64 for every dtype; float16 and "
            "bfloat16 are computed in float32 and rounded once.\n",
            table(header, rows, css="loss-accuracy"),
            heading("What this build has checked"),
            counted,
        ]
    )


def single_precision(info: LossInfo) -> dict[str, tuple[float, float]]:
    """Return the largest error of float32 in ULP, and relative to max(1, |result|), of value and gradient."""
    if info.geometry == "pointwise":
        inputs = _elements(info)
    elif info.geometry in row_losses.GEOMETRIES:
        inputs = row_losses.batch(info, ROWS, COLUMNS)
    elif info.geometry == "ctc":
        inputs = ctc_paths.batch()
    elif info.geometry in contrast_parts.GEOMETRIES:
        inputs = contrast_parts.batch(info)
    elif info.family in ("segmentation", "boxes"):
        inputs = region_parts.batch(info)
    elif info.family == "ranking":
        inputs = ranking_parts.batch(info)
    elif info.family == "survival":
        inputs = survival_parts.batch(info)
    elif info.geometry == "transducer":
        inputs = transducer_parts.batch()
    else:
        values = registry.class_of(info.name)().parameters
        inputs = geometries.find(info.geometry).draw(info, values, np.random.default_rng(4), ROWS * COLUMNS)
    single = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in inputs]
    double = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in single]
    reduction = "none" if "none" in info.reductions else "mean"
    loss = registry.class_of(info.name)(reduction=reduction, check=info.geometry != "pointwise")
    name = info.default_wrt[0]
    return {
        "value": _errors(loss(*single), loss(*double)),
        "gradient": _errors(loss.grad(*single, wrt=name), loss.grad(*double, wrt=name)),
    }


def _elements(info: LossInfo) -> list[np.ndarray]:
    """Return every combination of many values of the first input and a few of the others."""
    first, *others = verify.domains_of(info, {})
    ends = {"probability": (0.001, 0.999), "nonnegative": (0.01, 20), "positive": (0.01, 20)}
    ends |= {"above_minus_one": (-0.9, 20)}
    low, high = ends.get(first.name, (-10, 10))
    columns = [np.linspace(low, high, POINTS)]
    for item, domain in zip(info.inputs[1:], others, strict=True):
        columns.append(np.array((verify.TARGETS if item.name == "target" else verify.GRID)[domain.name]))
    grid = np.array(np.meshgrid(*columns, indexing="ij")).reshape(len(columns), -1)
    return [column.reshape(-1, 1) if info.averages_last_axis else column.copy() for column in grid]


def _errors(single: np.ndarray | float, double: np.ndarray | float) -> tuple[float, float]:
    single, double = np.atleast_1d(single), np.atleast_1d(double)
    finite = np.isfinite(double) & (np.abs(double) < np.finfo(np.float32).max)
    error = np.abs(single[finite].astype(np.float64) - double[finite])
    size = np.abs(double[finite])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        unit = np.spacing(np.maximum(size, verify.SMALLEST_UNIT).astype(np.float32)).astype(np.float64)
    return float((error / unit).max()), float((error / np.maximum(1.0, size)).max())
