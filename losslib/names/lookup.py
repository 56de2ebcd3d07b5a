"""What `losslib.get` does with a name that is not one of losslib's own, letter for letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib._kernels.loss import Loss
from losslib.declaration import registry
from losslib.names import binding, plain
from losslib.names.tables import is_qualified

__all__ = ["get"]


def get(name: str, parameters: Mapping[str, Any]) -> Loss:
    """Return the loss of a name: qualified, losslib's own, another package's spelling, or losslib's up to case."""
    if is_qualified(name):
        return binding.get(name, parameters)
    if not registry.is_own(name) and plain.is_plain(name):
        return plain.get(name, parameters)
    loss: Loss = registry.class_of(name)(**parameters)
    return loss
