"""Objectives of XGBoost: with ``reduction="sum"`` derivatives are the gradient and Hessian of each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib.names.schema import REQUIRED, Binding, Case, Ignored, Joins, Only, Package, Parameter, Takes

__all__ = ["PACKAGE"]


def _objective(
    name: str,
    loss: str,
    note: str = "",
    factor: float = 1.0,
    constants: Mapping[str, Any] | None = None,
    /,
    **parameters: Parameter,
) -> Binding:
    case = Case(loss, sets=constants or {}, factor=factor, reduction="sum", note=note)
    return Binding((name,), (case,), parameters)


def _ranking(metric: str) -> Binding:
    """Return an objective of ranking, whose pairs are those of the first ranks with all others."""

    def norms(values: Mapping[str, Any]) -> Mapping[str, Any]:
        by_score, by_sum = values["lambdarank_score_normalization"], values["lambdarank_normalization"]
        return {"norm": {(True, True): "both", (True, False): "score", (False, True): "sum"}.get(
            (bool(by_score), bool(by_sum)), "none")}  # fmt: skip

    case = Case(
        "lambdarank_loss",
        sets={"metric": metric, "convention": "xgboost"},
        makes=norms,
        reduction="sum",
        note="Weights there belong to groups. " + ("Labels 0 and 1." if metric == "map" else "Gains are 2**y - 1."),
    )
    only = "losslib has the pairs of the first ranks, which are no sample"
    parameters: dict[str, Parameter] = {
        "lambdarank_pair_method": Only("topk", only),
        "lambdarank_num_pair_per_sample": Takes(32, "truncation_level"),
        "lambdarank_normalization": Joins(True, "norm here, with lambdarank_score_normalization"),
        "lambdarank_score_normalization": Joins(True, "norm here, with lambdarank_normalization"),
        "lambdarank_unbiased": Only(False, "losslib estimates no bias of positions"),
        "lambdarank_bias_norm": Ignored(1.0),
    }
    if metric != "map":
        gain = Takes(True, "gain", lambda exp: "exp2" if exp else "linear", "True is 'exp2' and False is 'linear'")
        parameters["ndcg_exp_gain"] = gain
    return Binding((f"rank:{metric}",), (case,), parameters)


_LOGISTIC = {"scale_pos_weight": Takes(1.0, "pos_weight", lambda value: None if value == 1 else value, "1 is None")}

PACKAGE = Package(
    "xgboost",
    "XGBoost",
    (
        _objective("reg:squarederror", "half_squared_error"),
        _objective("reg:absoluteerror", "l1_loss", "XGBoost refits leaf values to medians."),
        _objective("reg:pseudohubererror", "pseudo_huber_loss", huber_slope=Takes(1.0, "delta")),
        _objective(
            "reg:squaredlogerror", "mean_squared_logarithmic_error", "Half of the square; Hessian at least 1e-6.", 0.5
        ),
        _objective(
            "reg:quantileerror",
            "quantile_loss",
            "Leaf values are refitted.",
            quantile_alpha=Takes(REQUIRED, "quantile"),
        ),
        _objective(
            "reg:expectileerror", "expectile_loss", "From 3.3 on.", expectile_alpha=Takes(REQUIRED, "expectile")
        ),
        _objective("count:poisson", "poisson_nll_loss", "XGBoost takes a larger Hessian.", max_delta_step=Ignored(0.7)),
        _objective("reg:gamma", "gamma_nll_loss"),
        _objective("reg:tweedie", "tweedie_nll_loss", tweedie_variance_power=Takes(1.5, "power")),
        *(
            _objective(name, "binary_cross_entropy_with_logits", "Labels 0 and 1.", **_LOGISTIC)
            for name in ("binary:logistic", "binary:logitraw", "reg:logistic")
        ),
        *(
            _objective(
                name,
                "cross_entropy",
                "Class indices; XGBoost takes twice the diagonal of the Hessian.",
                num_class=Ignored(None),
            )
            for name in ("multi:softprob", "multi:softmax")
        ),
        *(_ranking(metric) for metric in ("ndcg", "pairwise", "map")),
        _objective(
            "survival:cox",
            "cox_ph_loss",
            "Labels there are the times, negative where censored. The same without ties and weights: a tied sample "
            "gets the hazards of those events alone that are sorted before it, and weights multiply gradients.",
            1.0,
            {"ties": "breslow"},
        ),
        _objective(
            "survival:aft",
            "aft_loss",
            "Bounds there are label_lower_bound and label_upper_bound.",
            1.0,
            {"xgboost_clamps": True},
            aft_loss_distribution=Takes("normal", "distribution"),
            aft_loss_distribution_scale=Takes(1.0, "scale"),
        ),
        Binding(
            ("binary:hinge",),
            (
                Case(
                    refused="its labels are 0 and 1; write losslib.HingeLoss(reduction='sum') and map labels with "
                    "2 * target - 1"
                ),
            ),
        ),
    ),
    notes=(
        "Groups of ranking are ``group_sizes=`` of a call; ``losslib.adapters.xgboost`` finds them in the ``DMatrix``.",
        "Derivatives with ``reduction='sum'`` are the gradient and Hessian of each row.",
    ),
)
