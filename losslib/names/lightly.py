"""Names of ``lightly.loss``: losses of two views of a batch."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Only, Package, Parameter, Takes

__all__ = ["PACKAGE"]

ALONE = {"gather_distributed": Only(False, "it gathers the vectors of other processes; gather them before the call")}
BANK = Only(0, "it keeps vectors of earlier batches as negatives; pass them as negatives=")


def views(name: str, loss: str, parameters: dict[str, Parameter], /, **sets: object) -> Binding:
    """Bind a loss of two views."""
    return Binding((name,), (Case(loss, sets=sets, reduction="mean"),), {**parameters, **ALONE})


PACKAGE = Package(
    "lightly",
    "lightly",
    (
        views(
            "NTXentLoss",
            "info_nce_loss",
            {"temperature": Takes(0.5), "memory_bank_size": BANK},
            symmetric=True,
            intra=True,
        ),
        views(
            "DCLLoss",
            "info_nce_loss",
            {"temperature": Takes(0.1), "weight_fn": Only(None, "it weighs pairs; pass sample_weight to the call")},
            symmetric=True,
            intra=True,
            decoupled=True,
        ),
        views("BarlowTwinsLoss", "barlow_twins_loss", {"lambda_param": Takes(0.005, to="off_diagonal_weight")}),
        views(
            "VICRegLoss",
            "vicreg_loss",
            {
                "lambda_param": Takes(25.0, to="invariance_weight"),
                "mu_param": Takes(25.0, to="variance_weight"),
                "nu_param": Takes(1.0, to="covariance_weight"),
                "eps": Takes(1e-4),
            },
        ),
        Binding(
            ("NegativeCosineSimilarity",),
            (Case("cosine_similarity_loss", reduction="mean"),),
            {"dim": Takes(1, to="axis"), "eps": Only(1e-8, "losslib divides by lengths of at least 1e-12")},
        ),
        Binding(
            ("HypersphereLoss",),
            (
                Case(
                    refused="it adds two losses of other inputs; write losslib.alignment_loss(a, b, alpha=alpha) + "
                    "lam * (losslib.uniformity_loss(a, t=t) + losslib.uniformity_loss(b, t=t)) / 2"
                ),
            ),
            {"t": Takes(1.0), "lam": Takes(1.0), "alpha": Takes(2.0)},
        ),
    ),
    prefixes=("loss.", "lightly.loss."),
    order="(view, other view)",
)
