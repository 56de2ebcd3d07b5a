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
def paths(
    hidden: np.ndarray,
    vectors: np.ndarray,
    bias: np.ndarray | None,
    places: np.ndarray,
    answers: np.ndarray,
    *,
    factor: np.ndarray,
    values: np.ndarray,
    by_hidden: np.ndarray | None,
    by_vectors: np.ndarray | None,
    by_bias: np.ndarray | None,
) -> None: ...
