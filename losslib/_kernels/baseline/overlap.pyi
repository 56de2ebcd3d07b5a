from collections.abc import Sequence

import numpy as np

ACTIVATIONS: tuple[str, ...]
ADDENDS: tuple[str, ...]
COUNTINGS: tuple[str, ...]

class Region:
    def __new__(
        cls,
        input: np.ndarray,
        target: np.ndarray,
        *,
        wide: bool,
        activation: str,
        counting: str = ...,
        check: bool = ...,
        ignore_index: int | None = ...,
        keep: np.ndarray | None = ...,
        weight: np.ndarray | None = ...,
        addend: str = ...,
        clip: float = ...,
        class_weight: np.ndarray | None = ...,
        smoothing: float = ...,
        delta: float = ...,
        gamma: float = ...,
        distances: np.ndarray | None = ...,
        isa_factor: float = ...,
    ) -> Region: ...
    def count(self, table: np.ndarray, extras: np.ndarray, grad: np.ndarray | None = ...) -> int: ...
    def differentiate(
        self,
        grad: np.ndarray | None,
        target_grad: np.ndarray | None,
        *,
        slopes: np.ndarray,
        addend_scale: np.ndarray | None = ...,
        field: np.ndarray | None = ...,
    ) -> None: ...
    def lovasz(
        self, field: np.ndarray, values: np.ndarray, used: np.ndarray, *, pools_samples: bool, hinge: bool
    ) -> None: ...
    def distances(
        self, field: np.ndarray, weight: np.ndarray, used: np.ndarray, *, lengths: tuple[int, ...], alpha: float
    ) -> None: ...

def ratios(name: str, numbers: Sequence[float], table: np.ndarray, jets: np.ndarray) -> None: ...
def kernels() -> tuple[str, ...]: ...
