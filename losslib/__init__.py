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

from typing import Any

# The declarations, in the order of the documentation.
from losslib.losses import regression, robust, likelihood, binary, binary_margin  # noqa: F401  # isort: skip
from losslib.losses import multiclass, divergence, multiclass_margin, embedding  # noqa: F401  # isort: skip
from losslib.losses import sequence, transduction  # noqa: F401  # isort: skip
from losslib import adapters as adapters
from losslib._kernels.loss import Loss
from losslib._version import __version__
from losslib.alignment import ctc_forced_align, ctc_greedy_decode
from losslib.combine.multitask import MultiTask, MultiTaskResult
from losslib.combine.weighted_sum import WeightedSum
from losslib.config import config, show_config
from losslib.declaration import registry as _registry
from losslib.declaration.schema import LossInfo
from losslib.declare import LossFunction
from losslib.errors import DomainError, DTypeError, FormulaError, ParameterError, ShapeError
from losslib.formula.loss import FormulaLoss, from_formula
from losslib.geometries import softmax as _softmax  # noqa: F401
from losslib.gradient_check import GradientReport, check_grad
from losslib.parallelism import get_num_threads, set_num_threads, threads
from losslib.sums.accumulator import Accumulator

__all__ = [
    "Accumulator",
    "DTypeError",
    "DomainError",
    "FormulaError",
    "FormulaLoss",
    "GradientReport",
    "Loss",
    "LossFunction",
    "LossInfo",
    "MultiTask",
    "MultiTaskResult",
    "ParameterError",
    "ShapeError",
    "WeightedSum",
    "__version__",
    "check_grad",
    "config",
    "ctc_forced_align",
    "ctc_greedy_decode",
    "from_formula",
    "get",
    "get_num_threads",
    "list_losses",
    "set_num_threads",
    "show_config",
    "threads",
]


def get(name: str, **parameters: Any) -> Loss:
    """Return a loss object by name.

    Parameters
    ----------
    name : str
        Function name, class name or alias: ``"huber"``, ``"huber_loss"`` and ``"HuberLoss"`` are one.
    **parameters
        What the class takes.

    Returns
    -------
    Loss
        The loss with these parameters bound.

    Raises
    ------
    ParameterError
        If no loss has this name; the message suggests the closest.

    Examples
    --------
    >>> losslib.get("huber", delta=2.0)
    HuberLoss(delta=2.0, reduction='mean')
    """
    loss: Loss = _registry.class_of(name)(**parameters)
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
    infos = _registry.all_losses()
    if family is not None:
        families = tuple(dict.fromkeys(info.family for info in infos))
        if family not in families:
            raise ParameterError(f"family must be one of {', '.join(families)}, got {family!r}")
        infos = tuple(info for info in infos if info.family == family)
    if tag is not None:
        tags = sorted({word for info in _registry.all_losses() for word in info.tags})
        if tag not in tags:
            raise ParameterError(f"tag must be one of {', '.join(tags)}, got {tag!r}")
        infos = tuple(info for info in infos if tag in info.tags)
    return infos


for _info in _registry.all_losses():
    globals()[_info.name] = _registry.function_of(_info.name)
    globals()[_info.class_name] = _registry.class_of(_info.name)
    __all__ += [_info.name, _info.class_name]
del _info

NLLLoss2d = globals()["NLLLoss"]  #: what PyTorch calls its loss for images
__all__ += ["NLLLoss2d"]
