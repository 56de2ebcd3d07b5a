from typing import Any, Self

import numpy as np

class PlainDistance:
    def __new__(
        cls,
        kernel: str,
        numbers: tuple[float, ...],
        positions: tuple[int, ...],
        labels: tuple[float, ...] | None,
        mean: bool,
        isa_factor: float,
    ) -> Self: ...
    def __call__(self, mode: int, args: tuple[Any, ...], out: Any) -> Any: ...

def run(
    name: str,
    inputs: list[np.ndarray],
    grads: list[np.ndarray | None],
    value: np.ndarray,
    *,
    margin: float,
    degree: float = ...,
    eps: float = ...,
    swap: bool = ...,
    target: np.ndarray | None = ...,
    scale: float | np.ndarray = ...,
    mask: np.ndarray | None = ...,
    stage: bool = ...,
    isa_factor: float = ...,
) -> None: ...
def kernels() -> tuple[str, ...]: ...
