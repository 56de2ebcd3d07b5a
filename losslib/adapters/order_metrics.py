"""Metrics of an order as boosters and scikit-learn ask for them: NDCG, mean average precision, concordance.

They have no gradient and are no losses: greater is better. A booster knows the groups of its items, or the event by the
sign of a time.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import losslib
from losslib.adapters.known import Known, options_of_groups, times_of
from losslib.errors import ParameterError

__all__ = ["ORDERS", "OrderMetric", "order_metric"]

#: Name of a metric -> what its function is told beside scores and labels: the groups of items, or times and events.
ORDERS = {"ndcg": "groups", "mean_average_precision": "groups", "concordance_index": "times"}
#: What boosters call them.
ALIASES = {"map": "mean_average_precision", "cindex": "concordance_index", "c_index": "concordance_index"}


@dataclass(frozen=True)
class OrderMetric:
    """A metric of an order with its parameters bound."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    larger_is_better = True

    @property
    def takes_groups(self) -> bool:
        return ORDERS[self.name] == "groups"

    def function(self) -> Callable[..., float]:
        found: Callable[..., float] = getattr(losslib, self.name)
        return found

    def of_known(self, scores: np.ndarray, known: Known) -> float:
        """Return the metric of scores from everything that a booster knows of its data."""
        if self.takes_groups:
            options = {**self.parameters, **options_of_groups(known)}
            return self.function()(scores, known.target, sample_weight=known.weight, **options)
        return self.function()(scores, *times_of(known), sample_weight=known.weight, **self.parameters)

    def __repr__(self) -> str:
        given = "".join(f", {key}={value!r}" for key, value in self.parameters.items())
        return f"{self.name}({given.removeprefix(', ')})"


def order_metric(loss: Any, parameters: Mapping[str, Any]) -> OrderMetric | None:
    """Return the metric of an order that is meant, by its function or its name; None for a loss.

    Raises
    ------
    ParameterError
        If the metric has no such parameter.
    """
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", "")
    name = ALIASES.get(name, name)
    if name not in ORDERS or not (isinstance(loss, str) or loss is getattr(losslib, name)):
        return None
    metric = OrderMetric(name, dict(parameters))
    data = ("group_ids", "group_sizes", "sample_weight", "where")
    known = [
        item.name
        for item in inspect.signature(metric.function()).parameters.values()
        if item.kind is item.KEYWORD_ONLY and item.name not in data
    ]
    for given in parameters:
        if given not in known:
            raise ParameterError(f"{name} has no parameter {given!r}; it takes {', '.join(known)}")
    return metric
