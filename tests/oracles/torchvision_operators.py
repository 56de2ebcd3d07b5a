"""The operators of torchvision, where its compiled library does not load beside the PyTorch that is installed.

Its losses are plain Python, but its import registers implementations for operators that the library would have
defined. They are defined here first, by their schema alone. TorchMetrics, segmentation-models and others import
torchvision where it is there, so this comes before any of them.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

SCHEMAS = tuple(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" for name in ("nms", "qnms"))

#: Keeps the definitions alive.
_held: list[Any] = []


def define_operators() -> None:
    """Define the operators once, if torchvision is installed."""
    if _held or any(importlib.util.find_spec(name) is None for name in ("torch", "torchvision")):
        return
    torch = importlib.import_module("torch")
    for schema in SCHEMAS:
        if not hasattr(torch.ops.torchvision, schema.partition("(")[0]):
            library = torch.library.Library("torchvision", "FRAGMENT")
            library.define(schema)
            _held.append(library)
