import numpy as np

def run(
    input: np.ndarray,
    labels: np.ndarray,
    offsets: np.ndarray,
    frames: np.ndarray,
    lengths: np.ndarray,
    *,
    blank: int,
    logits: bool,
    zero_infinity: bool,
    scale: np.ndarray,
    values: np.ndarray,
    grad: np.ndarray | None = ...,
) -> int: ...
def align(
    input: np.ndarray,
    labels: np.ndarray,
    offsets: np.ndarray,
    frames: np.ndarray,
    lengths: np.ndarray,
    *,
    blank: int,
    values: np.ndarray,
    paths: np.ndarray,
) -> None: ...
def decode(
    input: np.ndarray,
    frames: np.ndarray,
    *,
    blank: int,
    labels: np.ndarray,
    counts: np.ndarray,
    scores: np.ndarray,
) -> None: ...
