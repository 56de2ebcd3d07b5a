"""Names of scikit-survival: what its Cox models minimise, the losses of its boosting, and its scores of curves."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Ignored, Only, Package, Takes

__all__ = ["PACKAGE"]

INDEX = (
    "it is a metric without a gradient: write losslib.concordance_index(score, time, event{}), and "
    "losslib.survival_rank_loss for what can be trained"
)


def _curves(name: str, integrate: bool, note: str) -> Binding:
    return Binding((name,), (Case("ipcw_brier_score", sets={"integrate": integrate}, reduction="mean", note=note),))


PACKAGE = Package(
    "sksurv",
    "scikit-survival",
    (
        Binding(
            ("CoxPHSurvivalAnalysis",),
            (Case("cox_ph_loss", reduction="sum", note="It minimises this, divided by the number of all samples."),),
            {
                "alpha": Only(0, "add the penalty to the value, or fit losslib.adapters.sklearn.CoxRegression"),
                "ties": Takes("breslow"),
                "n_iter": Ignored(100),
                "tol": Ignored(1e-9),
                "verbose": Ignored(0),
            },
        ),
        Binding(
            ("CoxPH", "coxph"),
            (
                Case(
                    "cox_ph_loss",
                    sets={"ties": "breslow"},
                    reduction="sum",
                    note="The loss of GradientBoostingSurvivalAnalysis; weights multiply its gradients alone.",
                ),
            ),
            {"sample_weight": Ignored(None)},
        ),
        Binding(
            ("CensoredSquaredLoss", "squared"),
            (
                Case(
                    refused="it leaves out censored samples that are predicted beyond their time; write "
                    'losslib.half_squared_error(input, time, where=(time > input) | event, reduction="sum")'
                ),
            ),
            {"sample_weight": Ignored(None)},
        ),
        Binding(
            ("IPCWLeastSquaresError", "ipcwls"),
            (
                Case(
                    refused="its weights come from all events; write losslib.mse_loss(input, time, "
                    'sample_weight=sksurv.nonparametric.ipc_weights(event, time), reduction="weighted_mean")'
                ),
            ),
            {"sample_weight": Ignored(None)},
        ),
        _curves(
            "integrated_brier_score",
            True,
            "Times are eval_times= of the call, survival_train is train_time=, train_event=.",
        ),
        _curves("brier_score", False, "There one score for each time, here their mean."),
        Binding(("concordance_index_censored",), (Case(refused=INDEX.format("")),), {"tied_tol": Ignored(1e-8)}),
        Binding(
            ("concordance_index_ipcw",),
            (Case(refused=INDEX.format(", ipcw=True, train_time=..., train_event=...")),),
            {"tau": Ignored(None), "tied_tol": Ignored(1e-8)},
        ),
    ),
    prefixes=("sksurv.linear_model.", "sksurv.metrics.", "sksurv.ensemble.survival_loss.", "linear_model.", "metrics."),
    order="(event, time, estimate)",
    notes=("``y`` there is a structured array of event and time; here they are two arrays, time first.",),
)
