"""The mean over no samples, and over samples of which none counts, as ``docs/conventions.rst`` states it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import losslib
from losslib import geometries
from losslib.declaration.schema import LossInfo

LOSSES = losslib.list_losses()
PER_LOSS = pytest.mark.parametrize("info", LOSSES, ids=[info.name for info in LOSSES])

#: Geometries whose mean over samples that do not count is 0: boxes, batches of vectors, lists and survival data.
COMPARED = (
    *("boxes", "similarity", "agreement", "lists", "auc_margin"),
    *("risk", "comparable", "hits", "intervals", "lifetimes", "brier"),
)
#: Those whose mean over an array without samples is 0, too. Lovász's losses go over all positions of a batch.
OF_BATCHES = ("boxes", "similarity", "agreement", "overlap_lovasz")
#: A mask of these leaves out positions of images; an image without any has the value 0.
OF_IMAGES = ("overlap", "overlap_distance", "overlap_transform")
#: Inputs that are one number for all samples, whatever their shape.
SCALES = ("logit_scale", "logit_bias")
#: Losses that need two rows at least.
NEED_ROWS = ("barlow_twins_loss", "uniformity_loss", "vicreg_loss")


def drawn(info: LossInfo, **settings: Any) -> list[Any]:
    parameters = losslib.get(info.name, **settings).parameters
    return geometries.find(info.geometry).draw(info, parameters, np.random.default_rng(0), 12)


def without_samples(info: LossInfo, given: list[Any]) -> list[Any]:
    """Return the inputs with no samples: along the second axis for the losses of sequences in time."""
    if info.geometry == "ctc":
        return [given[0][:, :0], *(array[:0] for array in given[1:])]
    return [
        array if item.shared or item.name in SCALES or array is None or not np.ndim(array) else array[:0]
        for item, array in zip(info.inputs, given, strict=True)
    ]


def settings_of_empty(info: LossInfo) -> list[dict[str, Any]]:
    words = [parameter.choices for parameter in info.parameters if parameter.name == "empty"]  # type: ignore[attr-defined]
    return [{}, *({"empty": word} for choices in words for word in choices)]


def assert_nothing(info: LossInfo, given: list[Any], is_zero: bool, **options: Any) -> None:
    """Fail unless the mean is 0 or NaN as told, the sum 0, and every gradient 0."""
    function = getattr(losslib, info.name)
    value, grad = function.value_and_grad(*given, reduction="mean", **options)
    assert (value == 0.0) if is_zero else math.isnan(value)
    assert function(*given, reduction="sum", **options) == 0.0
    for part in grad if isinstance(grad, tuple) else (grad,):
        assert not np.any(part)


@PER_LOSS
def test_the_mean_over_no_samples_is_nan_but_for_boxes_and_batches(info: LossInfo) -> None:
    if info.name in NEED_ROWS:
        pytest.skip("it needs two rows")
    for settings in settings_of_empty(info):
        given = without_samples(info, drawn(info, **settings))
        is_zero = info.geometry in OF_BATCHES if not settings else settings["empty"] == "zero"
        assert_nothing(info, given, is_zero, **settings)


@PER_LOSS
def test_the_mean_over_samples_that_do_not_count_is_zero_where_samples_are_compared(info: LossInfo) -> None:
    if info.name in NEED_ROWS:
        pytest.skip("it needs two rows")
    for settings in settings_of_empty(info):
        given = drawn(info, **settings)
        is_zero = info.geometry in (*COMPARED, *OF_BATCHES, *OF_IMAGES) if not settings else settings["empty"] == "zero"
        assert_nothing(info, given, is_zero, where=np.False_, **settings)


def test_every_geometry_of_nothing_is_told() -> None:
    told = {info.geometry for info in LOSSES if geometries.find(info.geometry).nothing_is_zero}
    assert told <= set(COMPARED)
