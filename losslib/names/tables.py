"""The packages whose names losslib knows, and their tables."""

from __future__ import annotations

import importlib

from losslib.declaration.schema import closest
from losslib.errors import ParameterError
from losslib.names.schema import Binding, Package

__all__ = ["PACKAGES", "SYNONYMS", "find", "is_qualified", "key_of", "package", "spellings", "split"]

#: What stands before the colon -> the module of its table. The order is that of lists and pages.
PACKAGES = {
    "torch": "torch",
    "keras": "keras",
    "tf": "tf",
    "optax": "optax",
    "sklearn": "sklearn",
    "scipy": "scipy",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "paddle": "paddle",
    "mxnet": "mxnet",
    "torchmetrics": "torchmetrics",
    "torchvision": "torchvision",
    "monai": "monai",
    "smp": "smp",
    "kornia": "kornia",
    "pml": "pml",
    "lightly": "lightly",
    "open_clip": "open_clip",
    "coral_pytorch": "coral",
    "dlordinal": "dlordinal",
    "entmax": "entmax",
    "rax": "rax",
    "statsmodels": "statsmodels",
    "lifelines": "lifelines",
    "sksurv": "sksurv",
    "torchsurv": "torchsurv",
    "pycox": "pycox",
}

#: Other ways to write the package.
SYNONYMS = {
    "tensorflow": "tf",
    "pytorch": "torch",
    "scikit-learn": "sklearn",
    "xgb": "xgboost",
    "lgb": "lightgbm",
    "lgbm": "lightgbm",
    "gluon": "mxnet",
    "paddlepaddle": "paddle",
    "segmentation_models_pytorch": "smp",
    "pytorch_metric_learning": "pml",
    "open_clip_torch": "open_clip",
    "coral": "coral_pytorch",
    "scikit-survival": "sksurv",
    "sm": "statsmodels",
}


def split(name: str) -> tuple[str, str] | None:
    """Split ``package:Name``; None if what stands before the first colon is no package (``reg:gamma`` has none)."""
    head, colon, tail = name.partition(":")
    key = key_of(head)
    return (key, tail.strip()) if colon and key in PACKAGES else None


def key_of(text: str) -> str:
    """Return what a package is called here, if the text is one."""
    key = text.strip().lower()
    return SYNONYMS.get(key, key)


def is_qualified(name: object) -> bool:
    """True for a name with a package before it."""
    return isinstance(name, str) and split(name) is not None


def package(key: str) -> Package:
    """Return the table of a package; it is read when it is first asked for."""
    found: Package = importlib.import_module(f"losslib.names.{PACKAGES[key]}").PACKAGE
    return found


def spellings(key: str) -> dict[str, Binding]:
    """Return the bindings of a package by each of their spellings."""
    return {name: binding for binding in package(key).bindings for name in binding.names}


def find(key: str, name: str) -> Binding:
    """Return the binding of a package's name, with or without the module that it is found in there."""
    table, known = package(key), spellings(key)
    if not name:
        raise ParameterError(f"{key}: stands before a name of {table.title}; `losslib list {key}:` lists those known")
    for prefix in ("", *table.prefixes):
        binding = known.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if binding is not None:
            return binding
    raise ParameterError(
        f"losslib knows no {key}:{name}{closest(name, known)}; `losslib list {key}:` lists the names of {table.title} "
        f"that it knows"
    )
