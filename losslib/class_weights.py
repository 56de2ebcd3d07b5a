"""Weights of classes from how often they occur."""

from __future__ import annotations

from typing import Any

import numpy as np

from losslib.errors import DomainError, ParameterError, ShapeError

__all__ = ["class_balanced_weights"]


def class_balanced_weights(class_counts: Any, beta: float = 0.9999) -> np.ndarray:
    """Return a weight for each class that falls with the number of its examples, and adds up to the number of classes.

    Examples of a class overlap: n of them are worth ``(1 - beta**n)/(1 - beta)`` new ones (Cui et al. 2019). The
    weight of a class is one over that; it is for ``weight=`` of any loss of classes.

    Parameters
    ----------
    class_counts : array_like of shape (C,)
        How many examples each class has, >= 0. A class without any has the weight 0.
    beta : float, default 0.9999
        0 weighs all classes alike, values near 1 by one over their counts. In [0, 1).

    Returns
    -------
    ndarray of shape (C,)
        The weights.

    Raises
    ------
    ShapeError, DomainError, ParameterError
        If the counts are no row of numbers >= 0, or beta is outside its range.

    Examples
    --------
    >>> losslib.class_balanced_weights([1000, 100, 10], beta=0.99).round(3)
    array([0.23 , 0.363, 2.407])
    """
    counts = np.asarray(class_counts, np.float64)
    if counts.ndim != 1 or not counts.size:
        raise ShapeError(f"class_counts has shape {counts.shape}, expected (C,): one number for each class")
    if not (counts >= 0).all():
        raise DomainError(f"class_counts must hold numbers >= 0, got {float(counts.min()):g}")
    if not 0.0 <= beta < 1.0:
        raise ParameterError(f"beta must be >= 0 and < 1, got {beta!r}")
    # beta**n - 1 without the difference; its common factor 1 - beta goes with the scale.
    effective = -np.expm1(counts * np.log(beta)) if beta > 0 else (counts > 0).astype(np.float64)
    weights = np.divide(1.0, effective, out=np.zeros_like(effective), where=counts > 0)
    total = weights.sum()
    return np.asarray(weights * (len(counts) / total) if total else weights)
