from typing import Any, Self

import numpy as np

class PlainMargin:
    def __new__(cls, kernel: str, margin: float, mean: bool, check: bool) -> Self: ...
    def __call__(self, mode: int, args: tuple[Any, ...], out: Any) -> Any: ...

def run(
    name: str,
    input: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None,
    scale: np.ndarray,
    margin: float,
    values: np.ndarray,
    grad: np.ndarray | None,
) -> Any: ...
