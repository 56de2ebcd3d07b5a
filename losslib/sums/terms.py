"""What a call would add up, term by term: for sums that go on over many calls, and for sums by group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from losslib.call.answer import answer_in_order
from losslib.call.samples import TermByTerm, Terms
from losslib.declaration.modes import VALUE
from losslib.declaration.schema import LossInfo

__all__ = ["Terms", "read_terms"]


@dataclass(frozen=True)
class _TermByTermLoss:
    """A loss as the geometries see it: its declaration and its parameters, here with another reduction."""

    info: LossInfo
    parameters: Mapping[str, Any]


def read_terms(loss: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Terms:
    """Call a loss on arrays, with ``sample_weight`` and ``where`` as keywords, and return the terms of its value.

    The sum of ``values`` divided by the sum of ``divisors`` (by nothing where these are None) is what the loss itself
    returns, so that terms of several calls may be put together before they are divided.
    """
    for name in kwargs:
        if name in ("out", "weight"):
            raise TypeError(
                f"{name!r} has no place here: terms are new arrays, and a weight is bound to the loss object"
            )
    parameters = loss.parameters
    parameters = {**parameters, "reduction": TermByTerm(parameters["reduction"])}
    terms: Terms = answer_in_order(_TermByTermLoss(loss.info, parameters), VALUE, args, dict(kwargs))
    return terms
