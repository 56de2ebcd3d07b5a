"""Names of statsmodels: the partial likelihood of its proportional hazards regression, at given scores."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Ignored, Only, Package, Takes

__all__ = ["PACKAGE"]

PACKAGE = Package(
    "statsmodels",
    "statsmodels",
    (
        Binding(
            ("PHReg",),
            (
                Case(
                    "cox_ph_loss",
                    reduction="sum",
                    note="Minus `loglike`, at the scores that the columns times the coefficients make.",
                ),
            ),
            {
                "status": Only(None, "pass it as event to the call"),
                "entry": Only(
                    None, "pass entry= to the call; a sample that enters at a time is at risk then already there"
                ),
                "strata": Only(None, "pass strata= to the call, numbers"),
                "offset": Only(None, "add it to the scores"),
                "ties": Takes("breslow"),
                "missing": Ignored("drop"),
            },
        ),
    ),
    prefixes=("statsmodels.api.", "sm.", "statsmodels.duration.hazard_regression.", "duration."),
    order="(endog, exog, status)",
    notes=("A model there is its data; the loss here takes the scores, times and events of each call.",),
)
