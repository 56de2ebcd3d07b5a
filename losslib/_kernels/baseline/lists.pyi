import numpy as np

def lists(
    kind: str,
    score: np.ndarray,
    label: np.ndarray,
    gain: np.ndarray | None,
    weight: np.ndarray | None,
    offsets: np.ndarray,
    *,
    factor: np.ndarray | None,
    weighting: int = 0,
    flags: int = 0,
    sigma: float = 1.0,
    epsilon: float = 0.0,
    topn: int = 0,
    values: np.ndarray | None,
    grad: np.ndarray | None = None,
    hess: np.ndarray | None = None,
    each: np.ndarray | None = None,
) -> None: ...
def explicit_pairs(
    kind: str,
    score: np.ndarray,
    winner: np.ndarray,
    loser: np.ndarray,
    weight: np.ndarray,
    factor: np.ndarray,
    *,
    sigma: float,
    values: np.ndarray,
    grad: np.ndarray | None,
    hess: np.ndarray | None,
) -> None: ...
