"""Names of lifelines: the likelihoods that its regressions maximise, at given scores."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Ignored, Only, Package, Parameter

__all__ = ["PACKAGE"]

PENALTY: dict[str, Parameter] = {
    "penalizer": Only(
        0.0, "add the penalty to the value, or fit losslib.adapters.sklearn.CoxRegression, whose alpha it is"
    ),
    "l1_ratio": Only(0.0, "add the penalty to the value"),
}
COX = {
    "strata": Only(None, "pass strata= to the call, numbers"),
    **PENALTY,
}
REGRESSION: dict[str, Parameter] = {
    "alpha": Ignored(0.05),
    **PENALTY,
    "fit_intercept": Ignored(True),
    "model_ancillary": Ignored(False),
}


def _of_scale(distribution: str, scale: str) -> Case:
    return Case(
        refused=f"it fits the spread of the error as well; write losslib.AFTLoss(distribution={distribution!r}, "
        f"scale={scale}, reduction='sum') for the likelihood at a given one"
    )


PACKAGE = Package(
    "lifelines",
    "lifelines",
    (
        Binding(
            ("CoxPHFitter",),
            (
                Case(
                    "cox_ph_loss",
                    reduction="sum",
                    note="Minus the log partial likelihood, with Efron's ties; weights are sample_weight.",
                ),
            ),
            {
                "baseline_estimation_method": Only(
                    "breslow", "splines and pieces have a full likelihood, which losslib has not"
                ),
                **COX,
                "n_baseline_knots": Ignored(None),
                "knots": Ignored(None),
                "breakpoints": Ignored(None),
            },
        ),
        Binding(
            ("CoxTimeVaryingFitter",),
            (
                Case(
                    "cox_ph_loss",
                    reduction="sum",
                    note="Its start is entry= of the call, its stop the time; Efron's ties.",
                ),
            ),
            {"alpha": Ignored(0.05), **COX},
        ),
        Binding(
            ("WeibullAFTFitter",),
            (
                Case(
                    "weibull_survival_loss",
                    reduction="sum",
                    note="Minus the log-likelihood of right-censored times; log_scale is the score of lambda_, "
                    "log_shape that of rho_.",
                ),
            ),
            REGRESSION,
        ),
        Binding(("LogNormalAFTFitter",), (_of_scale("normal", "np.exp(score of sigma_)"),), REGRESSION),
        Binding(("LogLogisticAFTFitter",), (_of_scale("logistic", "np.exp(-score of beta_)"),), REGRESSION),
    ),
    prefixes=("lifelines.",),
    order="columns of a data frame",
    notes=("A fit there looks for coefficients; the loss here is what it minimises, at the scores of each call.",),
)
