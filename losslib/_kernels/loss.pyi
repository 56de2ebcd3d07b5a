from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from losslib.declaration.schema import LossInfo

def connect(
    bind: Callable[..., Any],
    evaluate: Callable[..., Any],
    raise_domain_error: Callable[..., None],
    resolve_call: Callable[..., Any],
    require_arguments: Callable[..., None],
) -> None: ...
def execute(
    kernel: str,
    numbers: Sequence[float],
    *,
    double_precision: bool,
    inputs: list[np.ndarray],
    domains: Sequence[int] = ...,
    check_only: bool = ...,
    factors: list[np.ndarray] | None = ...,
    value_factors: int = ...,
    mask: np.ndarray | None = ...,
    value: np.ndarray | None = ...,
    reduce: bool = ...,
    want_value: bool = ...,
    derivatives: list[np.ndarray] | None = ...,
    planes: tuple[int, ...] = ...,
    scale: float = ...,
    stage: bool = ...,
) -> tuple[float, int]: ...
def total(values: np.ndarray) -> float: ...

class Loss:
    info: ClassVar[LossInfo]
    _values: dict[str, Any]
    @property
    def reduction(self) -> str: ...
    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...
    @property
    def parameters(self) -> dict[str, Any]: ...
    def replace(self, **changes: Any) -> Self: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def grad(self, *args: Any, **kwargs: Any) -> Any: ...
    def value_and_grad(self, *args: Any, **kwargs: Any) -> Any: ...
    def value_grad_hess(self, *args: Any, **kwargs: Any) -> Any: ...
    def __add__(self, other: Loss | int) -> Loss: ...
    def __radd__(self, other: Loss | int) -> Loss: ...
    def __mul__(self, other: float) -> Loss: ...
    def __rmul__(self, other: float) -> Loss: ...

class LossCallable:
    info: LossInfo
    loss_class: type[Loss]
    def __new__(cls, loss_class: type[Loss], mode: int = ...) -> Self: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
