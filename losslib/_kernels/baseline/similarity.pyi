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
