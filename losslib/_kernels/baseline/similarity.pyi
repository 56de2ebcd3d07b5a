import numpy as np

KERNELS: dict[str, int]
DISTANCES: dict[str, int]

def rows(
    kernel: str,
    numbers: tuple[float, ...],
    matrix: np.ndarray,
    *,
    distance: str,
    first: int,
    left: np.ndarray | None,
    right: np.ndarray | None,
    left_square: np.ndarray | None,
    right_square: np.ndarray | None,
    row_label: np.ndarray | None,
    column_label: np.ndarray | None,
    positive: np.ndarray | None,
    row_keep: np.ndarray | None,
    column_keep: np.ndarray | None,
    own: bool,
    diagonal: bool,
    batch: int,
    in_batch: bool,
    own_from: int,
    row_number: np.ndarray | None,
    column_number: np.ndarray | None,
    factor: np.ndarray | None,
    outputs: np.ndarray,
    want_grad: bool,
) -> None: ...
def column_sums(
    matrix: np.ndarray, scale: float, row_keep: np.ndarray | None, top: np.ndarray, sum: np.ndarray
) -> None: ...
def unit_rows(source: np.ndarray, target: np.ndarray, lengths: np.ndarray, shortest: float) -> None: ...
def through_lengths(
    gradient: np.ndarray, units: np.ndarray, lengths: np.ndarray, shortest: float, scale: float, target: np.ndarray
) -> None: ...
def add_transpose(matrix: np.ndarray) -> None: ...
def row_sums(matrix: np.ndarray, sums: np.ndarray) -> None: ...
def by_differences(products: np.ndarray, rows: np.ndarray, sums: np.ndarray, target: np.ndarray) -> None: ...
