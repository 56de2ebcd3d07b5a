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
