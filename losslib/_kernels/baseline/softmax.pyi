from collections.abc import Mapping
from typing import Any, Self

import numpy as np

class PlainSoftmax:
    def __new__(
        cls,
        kernel: str,
        numbers: tuple[float, ...],
        values: Mapping[str, Any],
        classes: bool,
        rows: bool,
        domain: int,
    ) -> Self: ...
    def __call__(self, mode: int, args: tuple[Any, ...], out: Any) -> Any: ...

def scan(
    target: np.ndarray,
    classes: int,
    ignore_index: int | None,
    mask: np.ndarray | None,
    class_weight: np.ndarray | None,
    keep: np.ndarray,
) -> tuple[int, float, int]: ...
def run(
    kernel: str,
    numbers: tuple[float, ...],
    input: np.ndarray,
    target: np.ndarray,
    *,
    double_precision: bool,
    soft: bool,
    class_weight: np.ndarray | None = ...,
    keep: np.ndarray | None = ...,
    scale: np.ndarray | None = ...,
    scale_all: float = ...,
    smoothing: float = ...,
    z_loss: float = ...,
    values: np.ndarray | None = ...,
    grad: np.ndarray | None = ...,
    hess: np.ndarray | None = ...,
    target_grad: np.ndarray | None = ...,
    offset: np.ndarray | None = ...,
    stretch: np.ndarray | None = ...,
) -> None: ...
