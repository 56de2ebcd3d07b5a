import numpy as np

KINDS: dict[str, int]

def run(
    kind: int,
    input: np.ndarray,
    target: np.ndarray,
    levels: np.ndarray | None,
    numbers: np.ndarray | None,
    *,
    factor: np.ndarray,
    keep: np.ndarray | None,
    values: np.ndarray | None,
    grad: np.ndarray | None,
    hess: np.ndarray | None,
    upper: np.ndarray | None = None,
    lower: np.ndarray | None = None,
) -> None: ...
