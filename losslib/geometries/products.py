"""Products of all rows with all others, a chunk of rows at a time, and the way of derivatives back to the vectors.

A chunk is as many rows of the product as fit into `CHUNK` bytes, whatever the number of threads. What is kept besides
are the vectors and their gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["Links", "Vectors", "column_logarithms", "sweep"]

#: Bytes of similarities that exist at a time.
CHUNK = 32 << 20
#: The least length that a vector is divided by.
SHORTEST = 1e-12
#: Numbers that the driver returns for a row: value, units, and two of the loss's own.
OUTPUTS = 4


class Vectors:
    """Rows as the products see them, normalised if that is asked for, and the gradient by them.

    Parameters
    ----------
    array : ndarray
        The rows as they came.
    dtype : dtype
        What is computed in.
    normalize, center : bool
        Divide each row by its length, and subtract its mean.
    wanted : bool
        Collect a gradient.
    """

    def __init__(
        self, array: np.ndarray, dtype: np.dtype[Any], *, normalize: bool, center: bool = False, wanted: bool = True
    ) -> None:
        self.rows = np.ascontiguousarray(array, dtype)
        self.lengths: np.ndarray | None = None
        self.center = center
        if normalize:
            self.lengths = np.sqrt(squares(self.rows))
            self.rows = (self.rows / np.maximum(self.lengths, SHORTEST)[:, np.newaxis]).astype(dtype, copy=False)
        self.directions = self.rows  # before they lose their mean
        if center:
            self.rows = self.rows - self.rows.mean(axis=1, keepdims=True, dtype=np.float64).astype(dtype)
        self.gradient = np.zeros(self.rows.shape, dtype) if wanted else None

    def __len__(self) -> int:
        return len(self.rows)

    def squares(self) -> np.ndarray:
        return squares(self.rows)

    def by_array(self) -> np.ndarray:
        """Return the gradient by the rows as they came."""
        gradient = self.gradient
        assert gradient is not None
        if self.center:
            gradient = gradient - gradient.mean(axis=1, keepdims=True, dtype=np.float64)
        if self.lengths is not None:
            along = np.einsum("ij,ij->i", gradient, self.directions, dtype=np.float64)
            gradient = gradient - along[:, np.newaxis] * self.directions
            gradient = gradient / np.maximum(self.lengths, SHORTEST)[:, np.newaxis]
            gradient[self.lengths <= SHORTEST] = 0.0
        return gradient


def squares(rows: np.ndarray) -> np.ndarray:
    """Return the squared length of each row in float64."""
    return np.asarray(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))


@dataclass(kw_only=True)
class Links:
    """How rows and columns belong together, and the numbers that a loss has for them."""

    row_label: np.ndarray | None = None
    column_label: np.ndarray | None = None
    #: One byte an entry that is 1 for a positive, in place of labels.
    positive: np.ndarray | None = None
    row_keep: np.ndarray | None = None
    column_keep: np.ndarray | None = None
    #: Column i is row i itself.
    own: bool = False
    #: Column i is the one positive of row i.
    diagonal: bool = False
    #: Columns from here on are negatives of every row; those before count only if `in_batch`.
    batch: int = 0
    in_batch: bool = True
    #: Columns from here on are the rows once more, of which a row does not meet itself.
    own_from: int = -1
    row_number: np.ndarray | None = None
    column_number: np.ndarray | None = None


def chunks(count: int, columns: int, dtype: np.dtype[Any]) -> Iterator[slice]:
    """Go through the rows in chunks of so many that their products stay small."""
    step = max(1, CHUNK // max(1, columns * dtype.itemsize))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


def part_of(array: np.ndarray | None, rows: slice) -> np.ndarray | None:
    return None if array is None else array[rows]


def sweep(
    driver: ModuleType,
    kernel: str,
    numbers: tuple[float, ...],
    left: Vectors,
    right: Vectors,
    links: Links,
    *,
    distance: str = "dot",
    factor: np.ndarray | None = None,
    beside: np.ndarray | None = None,
    beside_gradient: np.ndarray | None = None,
) -> np.ndarray:
    """Compute all rows; with a factor for each, add the derivatives to the gradients of the vectors.

    ``beside`` (N, K, D) are K more columns that each row has for itself.

    Returns
    -------
    ndarray of shape (N, 4)
        For each row its value, its units, and two numbers of the loss.
    """
    outputs = np.zeros((len(left), OUTPUTS))
    columns, more = len(right), 0 if beside is None else beside.shape[1]
    squared = distance in ("euclidean", "sqeuclidean", "snr")
    left_square = left.squares() if squared else None
    right_square = right.squares() if squared else None
    for part in chunks(len(left), columns + more, left.rows.dtype):
        rows = left.rows[part]
        matrix = np.empty((len(rows), columns + more), left.rows.dtype)
        np.matmul(rows, right.rows.T, out=matrix[:, :columns])
        if beside is not None:
            matrix[:, columns:] = np.einsum("nd,nkd->nk", rows, beside[part])
        run_rows(
            driver,
            kernel,
            numbers,
            matrix,
            links,
            part,
            distance=distance,
            left=rows,
            right=right.rows,
            left_square=part_of(left_square, part),
            right_square=right_square,
            factor=part_of(factor, part),
            outputs=outputs[part],
        )
        if factor is None:
            continue
        found = matrix[:, :columns]
        if squared:
            back_through_squares(found, part, left, right, outputs[part, 3] if distance == "snr" else None)
            continue
        if left.gradient is not None:
            left.gradient[part] += found @ right.rows
        if right.gradient is not None:
            right.gradient += found.T @ rows
        if beside is not None and beside_gradient is not None:
            extra = matrix[:, columns:]
            if left.gradient is not None:
                left.gradient[part] += np.einsum("nk,nkd->nd", extra, beside[part])
            beside_gradient[part] += extra[:, :, np.newaxis] * rows[:, np.newaxis, :]
    return outputs


def run_rows(
    driver: ModuleType,
    kernel: str,
    numbers: tuple[float, ...],
    matrix: np.ndarray,
    links: Links,
    part: slice,
    *,
    factor: np.ndarray | None,
    outputs: np.ndarray,
    distance: str = "precomputed",
    left: np.ndarray | None = None,
    right: np.ndarray | None = None,
    left_square: np.ndarray | None = None,
    right_square: np.ndarray | None = None,
) -> None:
    """Hand a chunk of products to the driver."""
    # Only numbers of the rows themselves go with the chunk; the others stand for columns too.
    by_column = kernel in ("both_ways", "lifted_pairs")
    driver.rows(
        kernel,
        numbers,
        matrix,
        distance=distance,
        first=part.start,
        left=left,
        right=right,
        left_square=left_square,
        right_square=right_square,
        row_label=part_of(links.row_label, part),
        column_label=links.column_label,
        positive=part_of(links.positive, part),
        row_keep=part_of(links.row_keep, part),
        column_keep=links.column_keep,
        own=links.own,
        diagonal=links.diagonal,
        batch=links.batch,
        in_batch=links.in_batch,
        own_from=links.own_from,
        row_number=links.row_number if by_column else part_of(links.row_number, part),
        column_number=links.column_number,
        factor=factor,
        outputs=outputs,
        want_grad=factor is not None,
    )


def back_through_squares(
    found: np.ndarray, part: slice, left: Vectors, right: Vectors, by_square: np.ndarray | None
) -> None:
    """Add derivatives by squared differences: 2 (x - y) of both vectors; and by the square of the row itself."""
    rows = left.rows[part]
    if left.gradient is not None:
        total = found.sum(axis=1, dtype=np.float64)
        if by_square is not None:
            total = total + by_square
        left.gradient[part] += 2 * (total[:, np.newaxis] * rows - found @ right.rows)
    if right.gradient is not None:
        total = found.sum(axis=0, dtype=np.float64)
        right.gradient += 2 * (total[:, np.newaxis] * right.rows - found.T @ rows)


def column_logarithms(
    driver: ModuleType, left: Vectors, right: Vectors, scale: float, keep: np.ndarray | None
) -> np.ndarray:
    """Return the logarithm of the sum of the exponentials of each column of scale times the products."""
    top, total = np.full(len(right), -np.inf), np.zeros(len(right))
    for part in chunks(len(left), len(right), left.rows.dtype):
        driver.column_sums(left.rows[part] @ right.rows.T, scale, part_of(keep, part), top, total)
    return np.asarray(np.where(total > 0, top, 0.0) + np.log(total))
