"""Names of torchsurv: functions of predictions, events and times."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Ignored, Only, Package, Reduces, Takes

__all__ = ["PACKAGE"]

REDUCTION = Reduces("mean", words={"mean": "mean", "sum": "sum"})

PACKAGE = Package(
    "torchsurv",
    "torchsurv",
    (
        Binding(
            ("neg_partial_log_likelihood",),
            (
                Case(
                    "cox_ph_loss",
                    note="Computed in float32. Where events are tied its mean divides by the number of distinct "
                    "times of events, here by that of events.",
                ),
            ),
            {
                "ties_method": Takes("efron", "ties"),
                "reduction": REDUCTION,
                "strata": Only(None, "pass strata= to the call"),
            },
        ),
        Binding(
            ("neg_log_likelihood_weibull",),
            (
                Case(
                    "weibull_survival_loss",
                    note="Computed in float32. The columns of its log_params are log_scale and log_shape.",
                ),
            ),
            {"reduction": REDUCTION},
        ),
        Binding(
            ("neg_log_likelihood",),
            (
                Case(
                    refused="its hazard is linear between the times of a grid; losslib.pc_hazard_loss has one that is "
                    "constant"
                ),
            ),
            {"eval_time": Ignored(None), "reduction": REDUCTION},
        ),
    ),
    prefixes=(
        "torchsurv.loss.cox.",
        "torchsurv.loss.weibull.",
        "torchsurv.loss.survival.",
        "cox.",
        "weibull.",
        "survival.",
    ),
    order="(predictions, event, time)",
)
