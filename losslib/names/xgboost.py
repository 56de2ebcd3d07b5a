"""Objectives of XGBoost: with ``reduction="sum"`` derivatives are the gradient and Hessian of each row."""

from __future__ import annotations

from losslib.names.schema import REQUIRED, Binding, Case, Ignored, Package, Parameter, Takes

__all__ = ["PACKAGE"]


def _objective(name: str, loss: str, note: str = "", factor: float = 1.0, /, **parameters: Parameter) -> Binding:
    return Binding((name,), (Case(loss, factor=factor, reduction="sum", note=note),), parameters)


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
    notes=("Derivatives with ``reduction='sum'`` are the gradient and Hessian of each row.",),
)
