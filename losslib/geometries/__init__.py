"""Which numbers meet in a loss: elements, rows of classes, pairs of vectors, sequences. One object for each geometry.

`find` loads the module of a geometry, and with it the compiled one, when its first loss is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from losslib.geometries.base import Geometry

__all__ = ["find"]

_found: dict[str, Geometry] = {}


def find(name: str) -> Geometry:
    """Return the geometry of this name: the object ``geometry`` of ``losslib.geometries.<name>``."""
    geometry = _found.get(name)
    if geometry is None:
        geometry = _found[name] = importlib.import_module(f"losslib.geometries.{name}").geometry
    return geometry
