import numpy as np

def run(
    logits: np.ndarray,
    targets: np.ndarray,
    frame_counts: np.ndarray,
    target_counts: np.ndarray,
    *,
    blank: int,
    fused: bool,
    clamp: float,
    fastemit: float,
    scale: np.ndarray,
    values: np.ndarray | None,
    grad: np.ndarray | None,
) -> None: ...
