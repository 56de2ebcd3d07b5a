"""Imports of torchvision and of what builds on it, where its compiled library does not load beside this PyTorch.

Its losses are plain Python, but the import registers implementations for operators that the library would have defined.
They are defined here first, by their schema alone.
"""

from __future__ import annotations

from typing import Any

import pytest

SCHEMAS = tuple(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" for name in ("nms", "qnms"))

_held: list[Any] = []


def import_or_skip(name: str) -> Any:
    """Import a module that needs torchvision; skip the test where it is not installed."""
    torch = pytest.importorskip("torch")
    if not _held:
        for schema in SCHEMAS:
            if not hasattr(torch.ops.torchvision, schema.partition("(")[0]):
                library = torch.library.Library("torchvision", "FRAGMENT")
                library.define(schema)
                _held.append(library)
    return pytest.importorskip(name)
