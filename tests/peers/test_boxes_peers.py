"""The losses of boxes against torchvision and MONAI."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import DTYPES, assert_agree

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])


def torchvision_ops() -> Any:
    return pytest.importorskip("torchvision.ops")


def draw(dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Boxes on a grid: many share coordinates, some are equal, some lie apart."""
    rng = np.random.default_rng(0)
    low, size = rng.integers(0, 8, (2, 400, 2)), rng.integers(1, 8, (2, 400, 2))
    boxes = np.concatenate([low, low + size], axis=-1).astype(dtype)
    boxes[1, :20] = boxes[0, :20]
    return boxes[0], boxes[1]


@each_dtype
@pytest.mark.parametrize("name", ["generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_losses_are_those_of_torchvision(name: str, reduction: str, dtype: Any) -> None:
    ops = torchvision_ops()
    torch = pytest.importorskip("torch")
    x, t = draw(dtype)
    tensors = [torch.from_numpy(array.copy()).requires_grad_(True) for array in (x, t)]
    expected = getattr(ops, name)(*tensors, reduction=reduction)
    expected.sum().backward()
    upstream = np.ones(len(x)) if reduction == "none" else None
    value, grads = getattr(losslib, name).value_and_grad(
        x, t, wrt=("input", "target"), reduction=reduction, grad_output=upstream
    )
    assert_agree(value, expected.detach().numpy(), dtype, size=float(np.abs(value).max()))
    for tensor, grad in zip(tensors, grads, strict=True):
        assert_agree(grad, tensor.grad.numpy(), dtype, size=2.0)


@pytest.mark.parametrize("box_format", ["xywh", "cxcywh"])
def test_formats_are_those_of_torchvision(box_format: str) -> None:
    ops = torchvision_ops()
    torch = pytest.importorskip("torch")
    x, t = draw(np.float64)
    given = [ops.box_convert(torch.from_numpy(a), "xyxy", box_format) for a in (x, t)]
    tensor = given[0].clone().requires_grad_(True)
    expected = ops.complete_box_iou_loss(
        ops.box_convert(tensor, box_format, "xyxy"), ops.box_convert(given[1], box_format, "xyxy"), reduction="mean"
    )
    expected.backward()
    value, grad = losslib.complete_box_iou_loss.value_and_grad(
        given[0].numpy(), given[1].numpy(), box_format=box_format
    )
    assert_agree(value, expected.detach().numpy(), np.float64)
    assert_agree(grad, tensor.grad.numpy(), np.float64)


def test_no_boxes_give_what_torchvision_gives() -> None:
    ops = torchvision_ops()
    torch = pytest.importorskip("torch")
    none = torch.zeros((0, 4))
    for name in ("generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss"):
        expected = float(getattr(ops, name)(none, none, reduction="mean"))
        assert getattr(losslib, name)(none.numpy(), none.numpy()) == expected == 0.0


@each_dtype
def test_generalized_iou_is_that_of_monai(dtype: Any) -> None:
    losses = pytest.importorskip("monai.losses")
    torch = pytest.importorskip("torch")
    x, t = draw(dtype)
    expected = losses.BoxGIoULoss(reduction="mean")(torch.from_numpy(x), torch.from_numpy(t))
    assert losslib.generalized_box_iou_loss(x, t) == pytest.approx(float(expected), abs=1e-6)
