"""Losses of the features of two views: their correlations over the batch should be those of independent features.

Where there are fewer rows than features, the sum of all squared correlations is that of the products of the rows:
``|A'B|^2 = sum (AA' * BB')``, N x N numbers in place of D x D.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["barlow_twins", "vicreg"]


def cross_squares(a: np.ndarray, b: np.ndarray, gradients: bool) -> tuple[float, list[np.ndarray]]:
    """Return the sum of the squares of all entries of A'B, and its derivatives by A and B."""
    rows, features = a.shape
    if rows < features:
        of_a, of_b = a @ a.T, b @ b.T
        value = float(np.einsum("ij,ij->", of_a, of_b, dtype=np.float64))
        return value, [2.0 * (of_b @ a), 2.0 * (of_a @ b)] if gradients else []
    product = a.T @ b
    value = float(np.einsum("ij,ij->", product, product, dtype=np.float64))
    return value, [2.0 * (b @ product.T), 2.0 * (a @ product)] if gradients else []


def barlow_twins(
    x: np.ndarray, y: np.ndarray, values: Mapping[str, Any], gradients: bool
) -> tuple[float, list[np.ndarray]]:
    """Zbontar et al. 2021 (https://arxiv.org/abs/2103.03230)."""
    count, weight = len(x), values["off_diagonal_weight"]
    views, scales = [], []
    for view in (x, y):
        centred = view - view.mean(axis=0, dtype=np.float64)
        scale = np.sqrt(np.einsum("ij,ij->j", centred, centred, dtype=np.float64) / count + values["eps"])
        views.append((centred / scale).astype(x.dtype, copy=False))
        scales.append(scale)
    a, b = views
    diagonal = np.einsum("ij,ij->j", a, b, dtype=np.float64) / count
    all_squares, slopes = cross_squares(a, b, gradients)
    value = float(((1.0 - diagonal) ** 2).sum() + weight * (all_squares / count**2 - (diagonal**2).sum()))
    if not gradients:
        return value, []
    by_diagonal = (-2.0 * (1.0 - diagonal) - 2.0 * weight * diagonal) / count
    found = []
    for own, other, slope, scale in ((a, b, slopes[0], scales[0]), (b, a, slopes[1], scales[1])):
        g = weight / count**2 * slope + by_diagonal * other
        along = np.einsum("ij,ij->j", g, own, dtype=np.float64) / count
        found.append((g - g.mean(axis=0, dtype=np.float64) - along * own) / scale)
    return value, found


def vicreg(x: np.ndarray, y: np.ndarray, values: Mapping[str, Any], gradients: bool) -> tuple[float, list[np.ndarray]]:
    """Bardes, Ponce and LeCun 2022 (https://arxiv.org/abs/2105.04906)."""
    count, features = x.shape
    apart = x - y
    same, vary, decorrelate = (
        values[f"{name}_weight"] for name in ("invariance", "variance", "covariance")
    )  # fmt: skip
    value = same * float(np.einsum("ij,ij->", apart, apart, dtype=np.float64)) / apart.size
    found = []
    for view, sign in ((x, 1.0), (y, -1.0)):
        centred = (view - view.mean(axis=0, dtype=np.float64)).astype(x.dtype, copy=False)
        variance = np.einsum("ij,ij->j", centred, centred, dtype=np.float64) / (count - 1)
        deviation = np.sqrt(variance + values["eps"])
        short = 1.0 - deviation
        all_squares, slopes = cross_squares(centred, centred, gradients)
        value += 0.5 * vary * float(np.maximum(short, 0.0).mean())
        value += decorrelate * (all_squares / (count - 1) ** 2 - float((variance**2).sum())) / features
        if not gradients:
            continue
        g = 2.0 * same / apart.size * sign * apart
        by_variance = -0.25 * vary / features * (short > 0) / deviation - 2.0 * decorrelate * variance / features
        g = g + (slopes[0] + slopes[1]) * (decorrelate / features / (count - 1) ** 2)
        g = g + 2.0 * by_variance / (count - 1) * centred
        found.append(g - (g - 2.0 * same / apart.size * sign * apart).mean(axis=0, dtype=np.float64))
    return value, found
