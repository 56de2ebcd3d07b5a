"""What a ranking loss asks of ``pyx/lists``: which kernel, with which numbers, and what its mean divides by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, ShapeError

__all__ = ["Plan", "gains_of", "look_up", "plan_of", "require_finite_gains", "require_gains"]

#: The weights of pairs in pyx/lists/pairs.pxd, and what they are marked with.
WEIGHTINGS = {"none": 0, "label_diff": 1, "ndcg": 2, "ndcg2": 3, "ndcg2pp": 4}
LAMBDAS = {"pairwise": 0, "ndcg": 2, "map": 5}
BOTH_ITEMS, BY_DISTANCE, BY_SUM = 16, 32, 64
NORMS = {"none": 0, "score": BY_DISTANCE, "sum": BY_SUM, "both": BY_DISTANCE | BY_SUM}

#: Flags of single kernels in pyx/lists/rows.pxd.
TRANSFORMS = {"none": 0, "normalize": 1, "softmax": 2}
SURROGATES = {"hinge": 0, "squared_hinge": 1, "square": 3}


@dataclass
class Plan:
    """The kernel of a loss with these parameters."""

    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    #: What the mean divides by: "pairs", "all pairs", "lists", "lists with pairs", "lists with gains" or "weights" of
    #: items.
    counts: str = "lists"
    #: True if the labels are 0 and 1.
    binary: bool = False
    #: True if the value of a list is the mean over its pairs.
    averages_pairs: bool = False
    symmetric: bool = False
    #: True if the weights of lists are divided by their mean.
    balances_weights: bool = False


def plan_of(info: LossInfo, values: Mapping[str, Any]) -> Plan:
    """Return the plan of a loss; ``info.kernel`` names it."""
    plan: Plan = PLANS[str(info.kernel)](values)
    return plan


def _pairs(kind: str, number: str) -> Any:
    def plan(values: Mapping[str, Any]) -> Plan:
        options = {"sigma": values[number], **_weighting(values)}
        squared = values.get("p") == 2 or values.get("squared")
        return Plan(f"squared_{kind}" if squared else kind, options, counts="pairs")

    return plan


def _weighting(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "weighting": WEIGHTINGS[values["pair_weight"]],
        "epsilon": values["mu"],
        "topn": values["topn"] or 0,
    }


def _squared_errors(values: Mapping[str, Any]) -> Plan:
    if values["pair_weight"] == "none":
        return Plan("centred_pairs", counts="all pairs")
    options = _weighting(values)
    options["weighting"] |= BOTH_ITEMS
    return Plan("squared_error", options, counts="all pairs")


def _lambdarank(values: Mapping[str, Any]) -> Plan:
    xgboost = values["convention"] == "xgboost"
    return Plan(
        "lambda_doubled" if xgboost else "lambda",
        {
            "sigma": values["sigma"],
            "weighting": LAMBDAS[values["metric"]] | NORMS[values["norm"]],
            "topn": values["truncation_level"],
        },
        counts="lists with pairs",
        binary=values["metric"] == "map",
        symmetric=values["symmetric"],
        balances_weights=xgboost,
    )


def _softmax(values: Mapping[str, Any]) -> Plan:
    return Plan(
        "softmax",
        {
            "flags": TRANSFORMS[values.get("target_transform", "softmax")],
            "sigma": values["beta"],
            "epsilon": values.get("epsilon", 0.0),
        },
    )


def _neural_ndcg(values: Mapping[str, Any]) -> Plan:
    options = {
        "sigma": values["temperature"],
        "topn": values["topn"] or 0,
        "steps": values["max_iter"],
        "epsilon": values["tol"],
    }
    return Plan("neural_ndcg", options, counts="lists with gains")


def _area(values: Mapping[str, Any]) -> Plan:
    surrogate = values["surrogate"]
    if surrogate == "logistic":
        return Plan("logistic", {"sigma": 1.0}, counts="lists with pairs", binary=True, averages_pairs=True)
    options = {"sigma": values["margin"], "flags": SURROGATES[surrogate]}
    return Plan("auc", options, counts="lists with pairs", binary=True)


#: Kernel of a declaration -> its plan with the parameters of the loss.
PLANS: dict[str, Any] = {
    "logistic": _pairs("logistic", "sigma"),
    "hinge": _pairs("hinge", "margin"),
    "soft_zero_one": _pairs("soft_zero_one", "sigma"),
    "pinball": _pairs("pinball", "tau"),
    "squared_errors": _squared_errors,
    "lambdarank": _lambdarank,
    "softmax": _softmax,
    "unique_softmax": lambda values: Plan("unique_softmax"),
    "plackett_luce": lambda values: Plan("plackett_luce", {"topn": values["topn"] or 0}),
    "xe_ndcg": lambda values: Plan("xe_ndcg", {"flags": int(values["third_order"])}),
    "approx_ndcg": lambda values: Plan("approx_ndcg", {"sigma": values["temperature"]}),
    "approx_mrr": lambda values: Plan("approx_mrr", {"sigma": values["temperature"]}),
    "neural_ndcg": _neural_ndcg,
    "area": _area,
    "auc_margin": lambda values: Plan(
        "auc_margin", {"sigma": values["margin"], "flags": int(values["version"] == "v2")}, binary=True
    ),
    "query_rmse": lambda values: Plan("centred", counts="weights"),
}

#: Kernels that look at gains.
WITH_GAINS = ("unique_softmax", "xe_ndcg", "approx_ndcg", "neural_ndcg")

#: Labels up to which gains of 2**y - 1 add up to a finite number, and the gain of the largest of them.
LARGEST_LABEL = 1000.0
LARGEST_GAIN = 2.0**LARGEST_LABEL


def looks_at_gains(info: LossInfo, values: Mapping[str, Any]) -> bool:
    by_ranks = values.get("pair_weight", "none").startswith("ndcg") or values.get("metric") == "ndcg"
    return info.kernel in WITH_GAINS or by_ranks


def require_gains(info: LossInfo, values: Mapping[str, Any], label: np.ndarray) -> None:
    """Raise ``DomainError`` if a loss looks at gains, and those of the labels do not add up to a finite number."""
    if looks_at_gains(info, values):
        table = values.get("label_gain")
        require_finite_gains(info.name, info.inputs[1].name, label, values.get("gain", "exp2"), table)


def require_finite_gains(name: str, target: str, label: np.ndarray, gain: str, table: Any) -> None:
    if table is not None:
        gains = np.asarray(table, np.float64)
        bad = ~(np.abs(gains) <= LARGEST_GAIN)
        if bad.any():
            place, value = arrays.first(bad, gains)
            raise DomainError(f"label_gain{place} is {value:g}; {name} takes finite gains, up to 2**1000")
        return
    most = LARGEST_LABEL if gain == "exp2" else LARGEST_GAIN
    bad = (label if gain == "exp2" else np.abs(label)) > most
    if bad.any():
        _, value = arrays.first(bad, label)
        kind = "2**y - 1" if gain == "exp2" else "y"
        raise DomainError(
            f"{target} holds {value:g}; {name} adds up gains of {kind}, which overflow beyond labels of {most:g}: "
            f"scale the labels, or pass what each is worth"
        )


def gains_of(
    info: LossInfo, values: Mapping[str, Any], label: np.ndarray, gamma: np.ndarray | None
) -> np.ndarray | None:
    """Return what each label is worth, None where the loss does not ask."""
    if not looks_at_gains(info, values):
        return None
    if info.kernel == "xe_ndcg":
        return np.asarray(np.exp2(label) - (0.0 if gamma is None else gamma))
    table = values.get("label_gain")
    if table is not None:
        return look_up(np.asarray(table, np.float64), label, info.inputs[1].name)
    if values["gain"] != "exp2":
        return np.array(label)
    gain = np.exp2(label)
    gain -= 1.0
    return np.asarray(gain)


def look_up(table: np.ndarray, label: np.ndarray, name: str) -> np.ndarray:
    """Return the gains of labels that are places of a table, which is checked whatever ``check`` says."""
    if table.ndim != 1:
        raise ShapeError(f"label_gain has shape {table.shape}, expected one gain for each label 0, 1, …")
    bad = ~((label >= 0) & (label < len(table)) & (label == np.floor(label)))
    if bad.any():
        _, value = arrays.first(bad, label)
        raise DomainError(f"{name} holds {value:g}; label_gain has gains for the labels 0 to {len(table) - 1}")
    return np.asarray(table[label.astype(np.int64)])
