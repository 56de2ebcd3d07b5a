"""Array arguments of adapters: read as the core reads its own, before a peer's conversion could lose something.

``numpy.asarray``, ``torch.as_tensor``, ``jax.numpy.asarray`` and scikit-learn's checks drop the mask of a masked array
and turn nulls into NaN. Every array that a user hands to an adapter passes through here first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.errors import DomainError, ShapeError

__all__ = ["read_features", "read_finite", "read_labels", "read_numbers", "read_weights"]


def read_numbers(name: str, obj: Any) -> np.ndarray:
    """Return an array argument as float64."""
    return arrays.read_array(name, obj).astype(np.float64, copy=False)


def read_labels(name: str, obj: Any) -> np.ndarray:
    """Return an array argument of any type: class labels, or numbers that keep their type."""
    return arrays.to_numpy(name, obj)


def read_features(name: str, obj: Any) -> Any:
    """Return features as they came, for the peer to read: an error if they are masked or have nulls."""
    arrays.refuse_masked(name, obj)
    arrays.without_nulls(name, obj)
    return obj


def read_finite(name: str, obj: Any) -> np.ndarray:
    """Return an array argument as float64, or raise ``DomainError`` for the first NaN or infinity."""
    array = read_numbers(name, obj)
    _require(name, array, np.isfinite(array), "a finite number")
    return array


def read_weights(name: str, obj: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return sample weights as float64: numbers from 0 that do not all vanish, of this shape if one is given."""
    weights = read_numbers(name, obj)
    if shape is not None and weights.shape != shape:
        raise ShapeError(f"{name} has shape {weights.shape}, expected {shape}: one weight for each sample")
    _require(name, weights, np.isfinite(weights) & (weights >= 0.0), "a finite number >= 0")
    if weights.size and not weights.any():
        raise DomainError(f"{name} is zero everywhere: no sample counts")
    return weights


def _require(name: str, array: np.ndarray, good: np.ndarray, expected: str) -> None:
    if bool(good.all()):
        return
    position = np.unravel_index(int(np.argmin(good)), good.shape)
    place = f"[{', '.join(str(int(k)) for k in position)}]" if position else ""
    raise DomainError(f"{name}{place} is {float(array[position])!r}, expected {expected}")
