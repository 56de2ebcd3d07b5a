from collections.abc import Sequence
from typing import Any, Self

import numpy as np

#: Layouts of a box, in the order of their codes.
FORMATS: tuple[str, ...]

class PlainBoxes:
    def __new__(
        cls, kernel: str, numbers: Sequence[float], box_format: str, mean: bool, check: bool, isa_factor: float
    ) -> Self: ...
    def __call__(self, mode: int, args: tuple[Any, ...], out: Any) -> Any: ...

def run(
    name: str,
    numbers: Sequence[float],
    box_format: str,
    input: np.ndarray,
    target: np.ndarray,
    grad: np.ndarray | None,
    target_grad: np.ndarray | None,
    values: np.ndarray,
    *,
    scale: np.ndarray | float = ...,
    mask: np.ndarray | None = ...,
    isa_factor: float = ...,
) -> int: ...
def kernels() -> tuple[str, ...]: ...
