"""The loss of an adapter: given as an object or by name, and brought to the reduction that the peer needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import losslib
from losslib._kernels.loss import Loss
from losslib.combine.peer_loss import PeerLoss
from losslib.combine.weighted_sum import WeightedSum
from losslib.declaration.schema import LossInfo
from losslib.errors import ParameterError

__all__ = [
    "NO_SCORES",
    "bind",
    "first_term",
    "has_curvature",
    "has_log_link",
    "info_of",
    "input_domain",
    "input_meaning",
    "require_input_and_target",
    "takes_rows",
    "target_domain",
    "target_holds",
    "with_mean_input",
    "with_reduction",
]

#: What predictions may be that no sum of trees and no linear model is.
NO_SCORES = ("probabilities", "log-probabilities", "cosines")


def bind(loss: Any, parameters: Mapping[str, Any], reduction: str | None = None) -> Loss:
    """Return the loss object that the user means.

    Parameters
    ----------
    loss : Loss or str
        A loss object, or the name of a loss.
    parameters : mapping
        The parameters of a loss given by name, or of the function that a name of another package stands for.
    reduction : str, optional
        The reduction to give it; None leaves its own.

    Raises
    ------
    TypeError
        If `loss` is neither, or an object comes with parameters as well.
    """
    if isinstance(loss, str):
        bound = losslib.get(loss, **parameters)
    elif not isinstance(loss, Loss):
        raise TypeError(f"loss must be a losslib loss object or the name of one, got {loss!r}")
    elif parameters:
        name = next(iter(parameters))
        raise TypeError(f"{name}={parameters[name]!r}: {loss!r} has its parameters; use loss.replace({name}=...)")
    else:
        bound = loss
    return bound if reduction is None else with_reduction(bound, reduction)


def with_reduction(loss: Loss, reduction: str) -> Loss:
    """Return the same loss with another reduction; of a sum, each term."""
    if isinstance(loss, WeightedSum):
        return WeightedSum(tuple((factor, with_reduction(term, reduction)) for factor, term in loss.terms))
    if isinstance(loss, PeerLoss):  # its rows belong to the reduction that is replaced
        return loss.replace(rows="", reduction=reduction)
    return loss.replace(reduction=reduction)


def _terms(loss: Loss) -> list[Loss]:
    if isinstance(loss, WeightedSum | PeerLoss):
        return [term for _, part in loss.terms for term in _terms(part)]
    return [loss]


def first_term(loss: Loss) -> Loss:
    """Return the first term of a sum; of another loss, itself."""
    return _terms(loss)[0]


def info_of(loss: Loss) -> LossInfo:
    """Return the declaration of a loss; of a sum, that of its first term."""
    return first_term(loss).info


def require_input_and_target(loss: Loss, owner: str) -> None:
    """Raise unless the loss compares one prediction with one target."""
    info = info_of(loss)
    if info.input_names != ("input", "target"):
        raise ParameterError(
            f"{owner} needs a loss of (input, target); {info.name} takes ({', '.join(info.input_names)})"
        )


def takes_rows(loss: Loss) -> bool:
    """True if the input of the loss is a row of scores for each sample, one score for each class."""
    rows = {term.info.geometry in ("softmax", "softmax_classes", "margin") for term in _terms(loss)}
    if len(rows) > 1:
        raise ParameterError(f"{loss!r} adds losses of elements to losses of rows; their targets differ")
    return rows.pop()


def takes_questions(loss: Loss) -> bool:
    """True if the input is a row of answers to questions about an order, one fewer than there are classes."""
    info = info_of(loss)
    return info.geometry == "ordinal" and info.inputs[0].holds == "row"


def target_holds(loss: Loss) -> str:
    """Return what the target of the loss holds; of a sum, what suits all terms (rows suit losses of classes too)."""
    found = {term.info.inputs[1].holds for term in _terms(loss)}
    return next(kind for kind in ("class_list", "row", "class", "label", "number") if kind in found)


def _domains(loss: Loss, position: int) -> list[str]:
    """Return the names of the domains of an input, one for each term."""
    found = []
    for term in _terms(loss):
        info: LossInfo = term.info
        declared = info.inputs[position].domain
        domain = declared if info.input_domains is None else info.input_domains(term.parameters)[position]
        found.append(domain.name)
    return found


def target_domain(loss: Loss) -> str:
    """Return the name of the domain of the targets: "real", "binary", "sign", "probability", ...; signs rule a sum."""
    domains = _domains(loss, 1)
    return "sign" if "sign" in domains else domains[0]


def input_domain(loss: Loss) -> str:
    """Return the name of the domain of the predictions; where the terms of a sum differ, that of the first."""
    return _domains(loss, 0)[0]


def input_meaning(loss: Loss) -> str:
    """Return what the predictions are: "probabilities", "log-probabilities", "cosines", "log-means" or "scores"."""
    found = {_meaning_of_one(term) for term in _terms(loss)}
    if len(found) > 1:
        raise ParameterError(f"{loss!r} adds losses of {' to losses of '.join(sorted(found))}; their inputs differ")
    return found.pop()


def _meaning_of_one(term: Loss) -> str:
    info: LossInfo = term.info
    if info.family in ("binary", "multiclass"):
        return next((word for word in ("log-probabilities", "probabilities", "cosines") if word in info.tags), "scores")
    return "log-means" if term.parameters.get("log_input", False) else "scores"


def with_mean_input(loss: Loss) -> Loss:
    """Return a loss of log-means as the same loss of means."""
    if isinstance(loss, WeightedSum):
        return WeightedSum(tuple((factor, with_mean_input(term)) for factor, term in loss.terms))
    return loss.replace(log_input=False)


def has_log_link(loss: Loss) -> bool:
    """True if the input of the loss is the logarithm of the prediction."""
    return bool(_terms(loss)[0].parameters.get("log_input", False))


def has_curvature(loss: Loss) -> bool:
    """True if the second derivative of a loss of elements is not 0 everywhere; looked up at scores of all sizes."""
    if not info_of(loss).has_hessian:
        return False
    sizes = np.logspace(-3.0, 6.0, 37)
    scores = np.concatenate([[1.0], sizes] if input_domain(loss) != "real" else [[1.0], sizes, -sizes])
    scores = scores[:, np.newaxis]  # some losses average rows
    _, _, hess = with_reduction(loss, "sum").value_grad_hess(scores, np.ones_like(scores))  # 1 is in every domain
    return bool(hess.any())
