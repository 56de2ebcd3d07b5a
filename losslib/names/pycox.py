"""Names of pycox: losses on a grid of intervals, and Cox's without ties. It adds 1e-7 in its logarithms."""

from __future__ import annotations

from losslib.names.schema import REQUIRED, Binding, Case, Ignored, Package, Parameter, Reduces, Takes

__all__ = ["PACKAGE"]

REDUCTION = Reduces("mean", words={"mean": "mean", "sum": "sum", "none": "none"})
RANK_MATRIX = "Its rank_mat, the comparable pairs, is made here."


def _grid(name: str, class_name: str, case: Case, **parameters: Parameter) -> Binding:
    return Binding((name, class_name) if class_name else (name,), (case,), {"reduction": REDUCTION, **parameters})


PACKAGE = Package(
    "pycox",
    "pycox",
    (
        _grid("nll_logistic_hazard", "NLLLogistiHazardLoss", Case("logistic_hazard_loss")),
        _grid("nll_pc_hazard_loss", "NLLPCHazardLoss", Case("pc_hazard_loss")),
        _grid("nll_pmf", "NLLPMFLoss", Case("pmf_loss"), epsilon=Ignored(1e-7)),
        _grid("nll_mtlr", "NLLMTLRLoss", Case("pmf_loss", sets={"cumulative": True}), epsilon=Ignored(1e-7)),
        _grid(
            "nll_pmf_cr", "", Case("pmf_loss", note="Logits of shape (N, R, K) for R causes."), epsilon=Ignored(1e-7)
        ),
        Binding(
            ("cox_ph_loss", "CoxPHLoss"),
            (
                Case(
                    "cox_ph_loss",
                    reduction="mean",
                    note="Tied times are taken there in the order in which they are sorted.",
                ),
            ),
            {"eps": Ignored(1e-7)},
        ),
        Binding(
            ("cox_ph_loss_sorted", "CoxPHLossSorted"),
            (
                Case(
                    refused="its samples are sorted by falling time, which it is not told; write "
                    'losslib.get("pycox:cox_ph_loss") and pass the times'
                ),
            ),
            {"eps": Ignored(1e-7)},
        ),
        Binding(
            ("DeepHitSingleLoss",),
            (Case("deephit_loss", note=RANK_MATRIX),),
            {"alpha": Takes(REQUIRED), "sigma": Takes(REQUIRED), "reduction": Reduces("mean", words={"mean": "mean"})},
        ),
        Binding(
            ("DeepHitLoss",),
            (Case("deephit_loss", note=f"Logits of shape (N, R, K) for R causes. {RANK_MATRIX}"),),
            {"alpha": Takes(REQUIRED), "sigma": Takes(REQUIRED), "reduction": Reduces("mean", words={"mean": "mean"})},
        ),
    ),
    prefixes=("pycox.models.loss.", "models.loss.", "loss."),
    order="(phi, idx_durations, events)",
    notes=("Its logarithms are of a probability plus 1e-7: numbers agree to about six digits.",),
)
