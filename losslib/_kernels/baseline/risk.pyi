from collections.abc import Sequence

import numpy as np

def elements(
    kind: str,
    inputs: Sequence[np.ndarray],
    *,
    scale: float,
    clamped: bool,
    factor: np.ndarray,
    values: np.ndarray | None,
    grads: Sequence[np.ndarray | None],
    hessians: Sequence[np.ndarray | None],
) -> None: ...
def rows(
    kind: int,
    scores: np.ndarray,
    interval: np.ndarray,
    event: np.ndarray,
    fraction: np.ndarray | None,
    *,
    causes: int,
    pad: bool,
    cumulative: bool,
    factor: np.ndarray,
    values: np.ndarray | None,
    grad: np.ndarray | None,
    hess: np.ndarray | None,
) -> None: ...
def cox(
    time: np.ndarray,
    event: np.ndarray,
    score: np.ndarray,
    weight: np.ndarray,
    y: np.ndarray,
    entry: np.ndarray | None,
    by_entry: np.ndarray | None,
    upstream: np.ndarray | None,
    strata: np.ndarray,
    *,
    efron: bool,
    deaths: int,
    values: np.ndarray | None,
    grad: np.ndarray | None,
    hess: np.ndarray | None,
) -> None: ...
def hits(
    scores: np.ndarray,
    interval: np.ndarray,
    cause: np.ndarray,
    partners: np.ndarray,
    *,
    causes: int,
    pad: bool,
    sigma: float,
    factor: np.ndarray,
    sums: np.ndarray,
    grad: np.ndarray | None,
) -> None: ...
def rising_order(number: np.ndarray, first: np.ndarray | None, counts: np.ndarray | None, order: np.ndarray) -> int: ...
def count_concordant(
    partners: np.ndarray,
    event: np.ndarray,
    place: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    *,
    concordant: np.ndarray,
    tied: np.ndarray,
) -> None: ...
def brier(
    survival: np.ndarray,
    time: np.ndarray,
    event: np.ndarray,
    own: np.ndarray,
    grid: np.ndarray,
    at_grid: np.ndarray,
    share: np.ndarray,
    *,
    factor: np.ndarray,
    values: np.ndarray | None,
    grad: np.ndarray | None,
    hess: np.ndarray | None,
) -> None: ...
