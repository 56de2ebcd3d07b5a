"""Loss functions with gradients and Hessians for NumPy arrays.

>>> import numpy as np
>>> import losslib
>>> losslib.huber_loss(np.array([0.5, 3.0]), np.array([0.0, 0.0]), delta=1.0)
1.3125
>>> loss = losslib.HuberLoss(delta=1.0)
>>> value, gradient = loss.value_and_grad(np.array([0.5, 3.0]), np.array([0.0, 0.0]))
>>> gradient
array([0.25, 0.5 ])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from losslib._version import __version__
from losslib.config import config, show_config
from losslib.declaration.index import INDEX as _INDEX
from losslib.errors import DomainError, DTypeError, FormulaError, ParameterError, ShapeError
from losslib.parallelism import get_num_threads, set_num_threads, threads

if TYPE_CHECKING:
    from losslib._kernels.loss import Loss
    from losslib.declaration.schema import LossInfo

#: What is imported when it is first asked for, and the module that has it.
_ELSEWHERE = {
    "Accumulator": "losslib.sums.accumulator",
    "FormulaLoss": "losslib.formula.loss",
    "GradientReport": "losslib.gradient_check",
    "Loss": "losslib._kernels.loss",
    "LossFunction": "losslib.declare",
    "LossInfo": "losslib.declaration.schema",
    "MultiTask": "losslib.combine.multitask",
    "MultiTaskResult": "losslib.combine.multitask",
    "WeightedSum": "losslib.combine.weighted_sum",
    "check_grad": "losslib.gradient_check",
    "class_balanced_weights": "losslib.class_weights",
    "concordance_index": "losslib.concordance",
    "ctc_forced_align": "losslib.alignment",
    "ctc_greedy_decode": "losslib.alignment",
    "from_formula": "losslib.formula.loss",
    "mean_average_precision": "losslib.list_metrics",
    "ndcg": "losslib.list_metrics",
}

#: Functions and classes of losses, and the module of `losslib.losses` that declares them.
_DECLARED = {name: module for module, losses in _INDEX.items() for spellings in losses for name in spellings[:2]}
_DECLARED["NLLLoss2d"] = "multiclass"  # what PyTorch calls its loss for images

__all__ = [
    "DTypeError",
    "DomainError",
    "FormulaError",
    "ParameterError",
    "ShapeError",
    "__version__",
    "config",
    "get",
    "get_num_threads",
    "list_losses",
    "set_num_threads",
    "show_config",
    "threads",
    *_ELSEWHERE,
    *_DECLARED,
]


def __getattr__(name: str) -> Any:
    """Import what is used for the first time: losses with their family, and what stands in other modules."""
    if name in _DECLARED:
        module = importlib.import_module(f"losslib.losses.{_DECLARED[name]}")
        value = getattr(module, "NLLLoss" if name == "NLLLoss2d" else name)
    elif name in _ELSEWHERE:
        value = getattr(importlib.import_module(_ELSEWHERE[name]), name)
    elif name == "adapters":
        value = importlib.import_module("losslib.adapters")
    else:
        raise AttributeError(f"module 'losslib' has no attribute {name!r}{_advice(name)}", name=name)
    globals()[name] = value
    return value


def _advice(name: str) -> str:
    """Say which function an alias belongs to, or which name is near; private names are asked for by tools."""
    if name.startswith("_"):
        return ""
    for losses in _INDEX.values():
        for function, class_name, *aliases in losses:
            if name in aliases:
                return f": the alias {name!r} is for losslib.get; the function is {function}, the class {class_name}"
    from losslib.declaration.schema import closest

    return closest(name, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "adapters"})


def get(name: str, **parameters: Any) -> Loss:
    """Return a loss object by name.

    Parameters
    ----------
    name : str
        Function name, class name or alias: ``"huber"``, ``"huber_loss"`` and ``"HuberLoss"`` are one. Or the name of
        another package after the package, ``"keras:Huber"``, which means what it means there.
    **parameters
        What the class takes; for a name of another package what it takes there, with the defaults there.

    Returns
    -------
    Loss
        The loss with these parameters bound.

    Raises
    ------
    ParameterError
        If no loss has this name; the message suggests the closest. If another package's function has no exact
        counterpart, or a name without a package means several functions: the message says what to write.

    Examples
    --------
    >>> losslib.get("huber", delta=2.0)
    HuberLoss(delta=2.0, reduction='mean')
    >>> losslib.get("keras:BinaryCrossentropy", from_logits=True, label_smoothing=0.1)
    BCEWithLogitsLoss(label_smoothing=0.1, reduction='mean')
    """
    from losslib.declaration import registry

    loss: Loss
    if isinstance(name, str) and not registry.takes(name, parameters):
        from losslib.names import lookup  # only for names of other packages: not worth its import time otherwise

        loss = lookup.get(name, parameters)
    else:
        loss = registry.class_of(name)(**parameters)
    return loss


def list_losses(family: str | None = None, *, tag: str | None = None) -> tuple[LossInfo, ...]:
    """Return the declarations of all losses, or of one family.

    Parameters
    ----------
    family : str, optional
        "regression", "likelihood", "binary", "multiclass", "embedding" or "sequence".
    tag : str, optional
        Only losses with this tag, such as "robust", "convex" or "logits".

    Returns
    -------
    tuple of LossInfo
        In the order of the documentation.

    Raises
    ------
    ParameterError
        If there is no such family or tag.

    Examples
    --------
    >>> [info.name for info in losslib.list_losses(tag="robust")][:2]
    ['l1_loss', 'huber_loss']
    """
    from losslib.declaration import registry

    every = registry.all_losses()
    infos = every
    if family is not None:
        families = tuple(dict.fromkeys(info.family for info in infos))
        if family not in families:
            raise ParameterError(f"family must be one of {', '.join(families)}, got {family!r}")
        infos = tuple(info for info in infos if info.family == family)
    if tag is not None:
        tags = sorted({word for info in every for word in info.tags})
        if tag not in tags:
            raise ParameterError(f"tag must be one of {', '.join(tags)}, got {tag!r}")
        infos = tuple(info for info in infos if tag in info.tags)
    return infos
