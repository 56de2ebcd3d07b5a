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
    driver : module
        The compiled passes over rows.
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
        self,
        driver: ModuleType,
        array: np.ndarray,
        dtype: np.dtype[Any],
        *,
        normalize: bool,
        center: bool = False,
        wanted: bool = True,
    ) -> None:
        self.driver = driver
        self.rows = np.ascontiguousarray(array, dtype)
        self.lengths: np.ndarray | None = None
        self.center = center
        if normalize:
            given, self.rows, self.lengths = self.rows, np.empty_like(self.rows), np.empty(len(self.rows))
            driver.unit_rows(given, self.rows, self.lengths, SHORTEST)
        self.directions = self.rows  # before they lose their mean
        if center:
            self.rows = self.rows - self.rows.mean(axis=1, keepdims=True, dtype=np.float64).astype(dtype)
        self.gradient = np.zeros(self.rows.shape, dtype) if wanted else None
        self.untouched = True  # nothing has been added to the gradient

    def __len__(self) -> int:
        return len(self.rows)

    def squares(self) -> np.ndarray:
        return squares(self.rows)

    def add_product(self, part: slice, first: bool, matrix: np.ndarray, others: np.ndarray) -> None:
        """Add a product to the gradient of a part of the rows, in place of zeros if it comes first."""
        assert self.gradient is not None
        target = self.gradient[part]
        if first:
            np.matmul(matrix, others, out=target)
        else:
            target += matrix @ others

    def add_differences(
        self, part: slice, first: bool, matrix: np.ndarray, others: np.ndarray, sums: np.ndarray
    ) -> None:
        """Add 2 (sum x - product): derivatives by squared differences, `sums` being those of the matrix's rows."""
        assert self.gradient is not None
        product, target = matrix @ others, self.gradient[part]
        self.driver.by_differences(product, self.rows[part], sums, target if first else product)
        if not first:
            target += product

    def deliver(self, scale: float, out: np.ndarray) -> None:
        """Write the gradient by the rows as they came, times a number."""
        gradient = self.gradient
        assert gradient is not None
        if self.center:
            gradient = (gradient - gradient.mean(axis=1, keepdims=True, dtype=np.float64)).astype(gradient.dtype)
        if self.lengths is None:
            np.multiply(gradient.reshape(out.shape), scale, out=out, casting="same_kind")
            return
        direct = out.dtype == gradient.dtype and out.flags.c_contiguous and out.flags.aligned
        target = out.reshape(gradient.shape) if direct else gradient
        self.driver.through_lengths(gradient, self.directions, self.lengths, SHORTEST, scale, target)
        if not direct:
            np.copyto(out, gradient.reshape(out.shape), casting="same_kind")


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
        else:
            back_through_products(found, part, left, right)
        if beside is not None and beside_gradient is not None:
            extra = matrix[:, columns:]
            if left.gradient is not None:
                left.gradient[part] += np.einsum("nk,nkd->nd", extra, beside[part])
            beside_gradient[part] += extra[:, :, np.newaxis] * rows[:, np.newaxis, :]
    left.untouched = left.untouched and factor is None
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


def back_through_products(found: np.ndarray, part: slice, left: Vectors, right: Vectors) -> None:
    """Add derivatives by products to the gradients of both sides."""
    if left is right and len(found) == len(left) and left.gradient is not None:  # one product in place of two
        left.driver.add_transpose(found)
        left.add_product(part, left.untouched, found, right.rows)
        left.untouched = False
        return
    if right.gradient is not None:
        right.add_product(slice(None), right.untouched, found.T, left.rows[part])
        right.untouched = False
    if left.gradient is not None:
        left.add_product(part, left.untouched, found, right.rows)


def back_through_squares(
    found: np.ndarray, part: slice, left: Vectors, right: Vectors, by_square: np.ndarray | None
) -> None:
    """Add derivatives by squared differences: 2 (x - y) of both vectors; and by the square of the row itself."""
    total = np.empty(len(found))
    if left is right and len(found) == len(left) and left.gradient is not None and by_square is None:
        left.driver.add_transpose(found)
        left.driver.row_sums(found, total)
        left.add_differences(part, left.untouched, found, right.rows, total)
        left.untouched = False
        return
    if right.gradient is not None:
        by_column = found.sum(axis=0, dtype=np.float64)
        right.add_differences(slice(None), right.untouched, found.T, left.rows[part], by_column)
        right.untouched = False
    if left.gradient is not None:
        left.driver.row_sums(np.ascontiguousarray(found), total)
        if by_square is not None:
            total += by_square
        left.add_differences(part, left.untouched, found, right.rows, total)


def column_logarithms(
    driver: ModuleType, left: Vectors, right: Vectors, scale: float, keep: np.ndarray | None
) -> np.ndarray:
    """Return the logarithm of the sum of the exponentials of each column of scale times the products."""
    top, total = np.full(len(right), -np.inf), np.zeros(len(right))
    for part in chunks(len(left), len(right), left.rows.dtype):
        driver.column_sums(left.rows[part] @ right.rows.T, scale, part_of(keep, part), top, total)
    return np.asarray(np.where(total > 0, top, 0.0) + np.log(total))
