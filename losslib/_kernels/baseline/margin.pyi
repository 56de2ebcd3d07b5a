from typing import Any, Self

import numpy as np

class Quick:
    def __new__(cls, kind: int, margin: float, mean: bool, check: bool) -> Self: ...
    def __call__(self, mode: int, args: tuple[Any, ...], out: Any) -> Any: ...

def run(
    kind: int,
    input: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None,
    scale: np.ndarray,
    margin: float,
    values: np.ndarray,
    grad: np.ndarray | None,
) -> Any: ...
