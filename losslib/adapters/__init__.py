"""losslib inside other packages: their objectives, metrics, criteria and estimators.

Each module serves one peer and imports it when the module itself is first used; ``import losslib`` imports none.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["catboost", "dask", "jax", "lightgbm", "ordinal", "scipy", "sklearn", "torch", "xgboost"]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module 'losslib.adapters' has no attribute {name!r}; it has {', '.join(__all__)}")
    return importlib.import_module(f"losslib.adapters.{name}")


def __dir__() -> list[str]:
    return __all__
