"""Targets with two halves, and samples that belong to groups: what scikit-learn hands on beside one number a sample."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from losslib.adapters.reading import read_labels
from losslib.declaration.schema import closest
from losslib.errors import ParameterError, ShapeError

__all__ = ["column_of", "read_bounds", "read_groups", "read_survival"]

#: Columns that a message tells at most.
COLUMNS_TOLD = 10


def read_survival(y: Any, *, signed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return times and events, 1 or 0, of a structured array (event, time) or of two columns (time, event).

    Where they may be signed, one column is times that are negative where censored, as boosters take them.
    """
    array = np.asarray(y)
    if array.dtype.names is not None:
        if len(array.dtype.names) != 2:
            raise ShapeError(f"y has the fields {', '.join(array.dtype.names)}; expected two, the event and the time")
        event, time = (array[name] for name in array.dtype.names)
        if event.dtype.kind != "b":
            raise ParameterError(f"the first field of y, {array.dtype.names[0]}, must be bool: whether the event came")
    elif array.ndim == 2 and array.shape[1] == 2:
        time, event = array.astype(np.float64).T
    elif signed and array.ndim == 1:
        time, event = np.abs(array.astype(np.float64)), array > 0
    else:
        raise ShapeError(
            f"y has shape {array.shape}; expected a structured array (event, time), or columns time, event"
        )
    return np.ascontiguousarray(time, np.float64), np.ascontiguousarray(event, np.float64)


def read_bounds(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of times: the fields ``lower`` and ``upper``, or those of times that ended or were censored."""
    array = np.asarray(y)
    if array.dtype.names == ("lower", "upper"):
        return array["lower"].astype(np.float64), array["upper"].astype(np.float64)
    time, event = read_survival(y, signed=True)
    return time, np.where(event > 0, time, np.inf)


def read_groups(groups: Any, samples: int, name: str = "groups") -> np.ndarray:
    """Return the group of each sample as a number; labels of any kind are numbered."""
    labels = read_labels(name, groups)
    if labels.shape != (samples,):
        raise ShapeError(f"{name} has shape {labels.shape}, expected ({samples},): one label for each sample")
    if labels.dtype.kind == "O":  # such as strings and None, which do not compare
        known: dict[Any, int] = {}
        return np.array([known.setdefault(label, len(known)) for label in labels.tolist()], np.int64)
    return np.unique(labels, return_inverse=True)[1]


def column_of(X: Any, which: Any) -> Any:
    """Return a column of features, by name or position, or what a function makes of them."""
    if callable(which):
        return which(X)
    if isinstance(which, str):
        if not hasattr(X, "columns"):
            raise ParameterError(
                f"groups={which!r} is the name of a column, and X is {type(X).__name__}, without names"
            )
        names = list(X.columns)
        if which not in names:
            raise ParameterError(f"groups={which!r} is no column of X{closest(which, map(str, names))}; {told(names)}")
        return X[which]
    if isinstance(which, bool | np.bool_) or not isinstance(which, Integral):
        raise ParameterError(
            f"groups must be the name or the position of a column, or a function of X, got {which!r} of type "
            f"{type(which).__name__}"
        )
    columns = X.shape[1] if hasattr(X, "iloc") else np.asarray(X).shape[1]
    if not -columns <= which < columns:
        raise ParameterError(f"groups={which} is no column of X, which has {columns} columns")
    return X.iloc[:, which] if hasattr(X, "iloc") else np.asarray(X)[:, which]


def told(names: list[Any]) -> str:
    """Say which columns there are, the first of them."""
    few = ", ".join(repr(name) for name in names[:COLUMNS_TOLD])
    return f"it has {few}" + (" …" if len(names) > COLUMNS_TOLD else "")
