"""Objectives of LightGBM: with ``reduction="sum"`` derivatives are the gradient and Hessian of each row."""

from __future__ import annotations

from typing import Any

from losslib.names.schema import REQUIRED, Binding, Case, Ignored, Only, Package, Parameter, Takes

__all__ = ["PACKAGE"]


def _objective(names: tuple[str, ...], case: Case, **parameters: Parameter) -> Binding:
    return Binding(names, (case,), parameters)


def _sum(loss: str, note: str = "", **constants: Any) -> Case:
    return Case(loss, sets=constants, reduction="sum", note=note)


PACKAGE = Package(
    "lightgbm",
    "LightGBM",
    (
        _objective(
            (
                "regression",
                "regression_l2",
                "l2",
                "mean_squared_error",
                "mse",
                "l2_root",
                "root_mean_squared_error",
                "rmse",
            ),
            _sum("half_squared_error"),
            reg_sqrt=Only(False, "it fits sign(t) * sqrt(abs(t)); transform the target"),
        ),
        _objective(
            ("regression_l1", "l1", "mean_absolute_error", "mae"), _sum("l1_loss", "Hessian 1; leaves refitted.")
        ),
        _objective(("huber",), _sum("huber_loss", "Hessian 1 everywhere."), alpha=Takes(0.9, "delta")),
        _objective(("fair",), _sum("fair_loss"), fair_c=Takes(1.0, "c")),
        _objective(
            ("poisson",),
            _sum("poisson_nll_loss", "LightGBM takes a larger Hessian."),
            poisson_max_delta_step=Ignored(0.7),
        ),
        _objective(("quantile",), _sum("quantile_loss", "Hessian 1; leaves refitted."), alpha=Takes(0.9, "quantile")),
        _objective(
            ("mape", "mean_absolute_percentage_error"),
            _sum("mean_absolute_percentage_error", "Divides by max(1, abs(target)).", eps=1.0),
        ),
        _objective(("gamma",), _sum("gamma_nll_loss")),
        _objective(("tweedie",), _sum("tweedie_nll_loss"), tweedie_variance_power=Takes(1.5, "power")),
        _objective(
            ("binary",),
            _sum("binary_cross_entropy_with_logits", "Labels 0 and 1."),
            sigmoid=Only(1.0, "it multiplies the input; multiply it yourself"),
            is_unbalance=Only(False, "it weighs the classes by their counts; pass scale_pos_weight"),
            scale_pos_weight=Takes(1.0, "pos_weight", lambda value: None if value == 1 else value, "1 is None"),
        ),
        _objective(("cross_entropy", "xentropy"), _sum("binary_cross_entropy_with_logits", "Targets in [0, 1].")),
        _objective(
            ("multiclass", "softmax"),
            _sum("cross_entropy", "Class indices; LightGBM takes C/(C - 1) times the diagonal of the Hessian."),
            num_class=Ignored(REQUIRED),
        ),
        _objective(
            ("multiclassova", "multiclass_ova", "ova", "ovr"),
            Case(
                refused="it is one binary loss a class; write losslib.BCEWithLogitsLoss(reduction='sum') with the "
                "target "
                "as rows of 0 and 1"
            ),
            num_class=Ignored(REQUIRED),
            sigmoid=Ignored(1.0),
        ),
        _objective(
            ("lambdarank",),
            _sum("lambdarank_loss", "Its sigmoids come from a table: numbers agree to about four digits."),
            sigmoid=Takes(1.0, "sigma"),
            lambdarank_truncation_level=Takes(30, "truncation_level"),
            lambdarank_norm=Takes(
                True, "norm", lambda on: "both" if on else "none", "True is 'both' and False is 'none'"
            ),
            label_gain=Takes(None),
            lambdarank_position_bias_regularization=Only(0.0, "losslib estimates no bias of positions"),
        ),
        _objective(
            ("rank_xendcg", "xendcg", "xe_ndcg", "xe_ndcg_mart", "xendcg_mart"),
            _sum("xe_ndcg_loss", "LightGBM draws gamma= itself, anew in each round.", third_order=True),
            objective_seed=Ignored(5),
        ),
    ),
    notes=(
        "Rankers hand the groups to an objective of ``losslib.adapters.lightgbm``; elsewhere they are ``group_sizes=`` "
        "of the call.",
        "Derivatives with ``reduction='sum'`` are the gradient and Hessian of each row.",
    ),
)
