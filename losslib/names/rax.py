"""Names of rax: functions of scores and labels, lists along the last axis."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Only, Package, Parameter, Takes

__all__ = ["PACKAGE"]

CALL = "pass {}= to the call"
COMMON: dict[str, Parameter] = {
    "where": Only(None, CALL.format("where")),
    "weights": Only(None, CALL.format("sample_weight")),
    "segments": Only(None, CALL.format("group_ids")),
    "reduce_fn": Only("mean", "say which with reduction="),
}
LAMBDA: dict[str, Parameter] = {
    "lambdaweight_fn": Only(None, "losslib has the weights of pairs by name: pair_weight=, without the factor I"),
}


def _pairs(name: str, **parameters: Parameter) -> Binding:
    return Binding((name,), (Case(name, reduction="mean"),), {**parameters, **COMMON, **LAMBDA})


PACKAGE = Package(
    "rax",
    "Rax",
    (
        _pairs("pairwise_logistic_loss"),
        _pairs("pairwise_hinge_loss"),
        _pairs("pairwise_soft_zero_one_loss"),
        _pairs("pairwise_mse_loss"),
        _pairs("pairwise_qr_loss", tau=Takes(0.5), squared=Takes(False)),
        Binding(("pointwise_mse_loss",), (Case("mse_loss", reduction="mean"),), COMMON),
        Binding(
            ("pointwise_sigmoid_loss",),
            (
                Case(
                    "binary_cross_entropy_with_logits",
                    reduction="mean",
                    note="Targets in [0, 1]; others are clipped there.",
                ),
            ),
            COMMON,
        ),
        Binding(
            ("softmax_loss",),
            (Case("listwise_softmax_loss", reduction="mean"),),
            {**COMMON, "label_fn": Only(None, "losslib has target_transform=")},
        ),
        Binding(
            ("poly1_softmax_loss",),
            (Case("listwise_softmax_loss", reduction="mean"),),
            {"epsilon": Takes(1.0), **COMMON},
        ),
        Binding(("unique_softmax_loss",), (Case("unique_softmax_loss", reduction="mean"),), COMMON),
        Binding(
            ("listmle_loss",),
            (Case("listmle_loss", reduction="mean", note="Its gradient is wrong where scores tie."),),
            {name: item for name, item in COMMON.items() if name != "weights"},
        ),
    ),
    prefixes=("rax.",),
)
