"""``ignore_index`` over the registry: what it names does not count, or the call is refused; nothing is passed over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from losslib import geometries
from losslib.declaration.registry import class_of
from losslib.declaration.schema import LossInfo

IGNORING = tuple(info for info in losslib.list_losses() if "ignore_index" in info.parameter_names)
REGIONS = tuple(info for info in IGNORING if info.family == "segmentation")
each_loss = pytest.mark.parametrize("info", IGNORING, ids=lambda info: info.name)
each_region = pytest.mark.parametrize("info", REGIONS, ids=lambda info: info.name)


def draw(info: LossInfo) -> tuple[list[np.ndarray], int, np.ndarray]:
    """Legal inputs, the place of the target among them, and some of its positions."""
    parameters = class_of(info.name)().parameters
    arrays = geometries.find(info.geometry).draw(info, parameters, np.random.default_rng(0), 400)
    place = [item.holds for item in info.inputs].index("class")
    return arrays, place, np.random.default_rng(1).random(arrays[place].shape) < 0.3


def swapped(arrays: list[np.ndarray], place: int, array: np.ndarray) -> list[np.ndarray]:
    """The inputs with another target."""
    return [array if k == place else given for k, given in enumerate(arrays)]


@each_loss
def test_positions_of_an_ignored_class_do_not_count(info: LossInfo) -> None:
    arrays, place, dropped = draw(info)
    target = arrays[place]
    kept = losslib.get(info.name).value_and_grad(*arrays, where=~dropped)
    for dtype in (np.int64, np.int32, np.int8):
        given = np.where(dropped, -7, target).astype(dtype)
        found = losslib.get(info.name, ignore_index=-7).value_and_grad(*swapped(arrays, place, given))
        np.testing.assert_equal(found, kept)


@each_region
def test_positions_of_an_ignored_number_in_a_mask_of_one_class_do_not_count(info: LossInfo) -> None:
    if info.name == "generalized_wasserstein_dice_loss":
        pytest.skip("takes class indices alone")
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(3, 1, 9, 17)), (rng.random((3, 1, 9, 17)) < 0.4).astype(int)
    where = rng.random((3, 9, 17)) < 0.8
    dropped = rng.random(mask.shape) < 0.3
    for wide in (np.float64, np.float32):
        for dtype in (np.int64, np.uint8, np.int16, np.float64, np.float32, np.float16):
            for ignored, options in ((255, {}), (-1, {"where": where}), (0, {}), (1, {})):
                if ignored < 0 and dtype is np.uint8:
                    continue
                given = np.where(dropped, ignored, mask)
                keep = (given != ignored)[:, 0] & options.get("where", True)
                for axis in (1, None):
                    pick: Any = 0 if axis is None else slice(None)
                    call = {"activation": "sigmoid", "axis": axis}
                    function = getattr(losslib, info.name)
                    value, grad = function.value_and_grad(
                        x.astype(wide)[:, pick], given.astype(dtype)[:, pick], ignore_index=ignored, **call, **options
                    )
                    kept, kept_grad = function.value_and_grad(
                        x.astype(wide)[:, pick], mask.astype(dtype)[:, pick], where=keep, **call
                    )
                    np.testing.assert_equal(value, kept)
                    np.testing.assert_array_equal(grad, kept_grad)


@each_region
def test_a_number_that_is_no_mask_is_named_beside_ignored_ones(info: LossInfo) -> None:
    if info.name == "generalized_wasserstein_dice_loss":
        pytest.skip("takes class indices alone")
    x, mask = np.zeros((1, 1, 4)), np.array([[[0, 255, 1, 3]]])
    with pytest.raises(losslib.DomainError, match=r"target\[0, 0, 3\] is 3"):
        getattr(losslib, info.name)(x, mask, activation="sigmoid", ignore_index=255)


@each_region
def test_masks_of_several_classes_have_nothing_to_ignore(info: LossInfo) -> None:
    marks = np.moveaxis(np.eye(3)[np.array([[0, 1, 2, 2]])], -1, 1)
    for activation, ignored in (("sigmoid", 255), ("softmax", 1), ("softmax", -100)):
        with pytest.raises(losslib.ParameterError, match=f"ignore_index={ignored}: .*use where, or class indices"):
            getattr(losslib, info.name)(np.zeros((1, 3, 4)), marks, activation=activation, ignore_index=ignored)


@each_loss
def test_an_index_that_may_be_a_class_is_never_passed_over(info: LossInfo) -> None:
    """A target that is no list of classes is refused, by itself or for the index."""
    arrays, place, _ = draw(info)
    scores = arrays[0]
    axis = -1 if scores.ndim == 2 else 1
    rows = np.moveaxis(np.eye(scores.shape[axis])[arrays[place]], -1, axis)
    with pytest.raises((losslib.DTypeError, losslib.ParameterError, losslib.ShapeError)):
        losslib.get(info.name, ignore_index=1)(*swapped(arrays, place, rows))
