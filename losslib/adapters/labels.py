"""Class labels of a peer and the targets of a loss: one place that translates the first into the second.

A peer counts classes from 0, and so do losses of rows. Losses of one score for two classes want 0 and 1, or -1 and 1,
or, as `categorical_hinge_loss`, a row for each sample. Where a peer has one score for two classes it is that of the
second; the first has the score 0.
"""

from __future__ import annotations

import numpy as np

from losslib._kernels.loss import Loss
from losslib.adapters import binding
from losslib.errors import DomainError, ParameterError

__all__ = [
    "as_signs",
    "binary_targets",
    "class_indices",
    "class_targets",
    "encode",
    "require_classes",
    "row_targets",
    "two_columns",
]


def encode(name: str, target: np.ndarray, classes: np.ndarray, source: str) -> np.ndarray:
    """Return for each label its position among the classes, in any order; `source` says where these come from."""
    known = {label: position for position, label in enumerate(classes.tolist())}
    if target.dtype.kind == "O":  # such as strings and None, which do not compare
        labels, inverse = target, np.arange(len(target))
    else:
        labels, inverse = np.unique(target, return_inverse=True)
    positions = np.array([known.get(label, -1) for label in labels.tolist()], np.intp)[inverse]
    if (positions < 0).any():
        sample = int(np.argmax(positions < 0))
        raise DomainError(f"{name}[{sample}] is {target.tolist()[sample]!r}, not one of {source}={classes.tolist()!r}")
    return positions


def class_indices(target: np.ndarray, name: str = "target") -> np.ndarray:
    """Return class indices that came as floating-point numbers as the integers they are; distributions as they are."""
    if target.dtype.kind in "iu" or target.ndim != 1:
        return target
    numbers = target.astype(np.float64)
    bad = ~np.isfinite(numbers) | (numbers != np.floor(numbers))
    if bad.any():
        position = int(np.argmax(bad))
        raise ParameterError(f"{name}[{position}] is {target[position]}; expected class indices 0, 1, 2, ...")
    return numbers.astype(np.int64)


def class_targets(loss: Loss, indices: np.ndarray, count: int) -> np.ndarray:
    """Return class indices as the loss wants them: as they are for rows, else for two classes 0 and 1, or -1 and 1."""
    if binding.takes_rows(loss):
        return row_targets(loss, indices, count)
    if count != 2:
        raise ParameterError(
            f"{binding.info_of(loss).name} compares one number with one target, got {count} labels; expected 2, "
            f"or a loss of rows such as cross_entropy"
        )
    return binary_targets(loss, indices)


def require_classes(loss: Loss) -> None:
    """Raise for a loss of rows whose target is a row of logits, which no class label can be."""
    if binding.target_holds(loss) == "row" and binding.target_domain(loss) == "real":
        raise ParameterError(
            f"{binding.info_of(loss).name} compares two rows of logits; class labels are no row: use cross_entropy"
        )


def row_targets(loss: Loss, target: np.ndarray, count: int) -> np.ndarray:
    """Return class indices (n,) as the target of a loss of rows; what has a row for each sample stays as it is."""
    if target.ndim != 1:
        return target
    kind = binding.target_holds(loss)
    indices = class_indices(target)
    if kind == "class":
        return indices
    require_classes(loss)
    outside = (indices < 0) | (indices >= count)
    if outside.any():
        position = int(np.argmax(outside))
        raise DomainError(f"target[{position}] is {int(indices[position])}, outside the classes 0 to {count - 1}")
    if kind == "row":
        return np.asarray(np.eye(count)[indices])
    lists = np.full((len(indices), count), -1, np.int64)
    lists[:, 0] = indices
    return lists


def binary_targets(loss: Loss, positive: np.ndarray) -> np.ndarray:
    """Return 0 and 1 as the numbers that the loss wants: -1 and 1 for losses of signs, and of real numbers."""
    if binding.target_domain(loss) in ("sign", "real"):
        return np.where(positive, 1.0, -1.0)
    return positive.astype(np.float64)


def as_signs(loss: Loss, target: np.ndarray) -> np.ndarray:
    """Return labels 0 and 1 as -1 and 1 for a loss of signs: a booster's classifier counts classes from 0."""
    if binding.target_domain(loss) != "sign" or not np.isin(target, (0, 1)).all():
        return target
    return np.where(target == 0, -1.0, 1.0)


def two_columns(score: np.ndarray) -> np.ndarray:
    """Return one score a sample, that of the second of two classes, as a row: the first class has the score 0."""
    return np.column_stack([np.zeros_like(score), score])
