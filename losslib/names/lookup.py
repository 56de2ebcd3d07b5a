"""What `losslib.get` does with a name or parameters that are not losslib's own, letter for letter."""

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
    cls = registry.class_of(name)
    loss: Loss | None = None
    if set(parameters) - {*cls.info.parameter_names, *cls.info.class_order}:
        loss = plain.by_parameters(name, parameters)
    return cls(**parameters) if loss is None else loss
