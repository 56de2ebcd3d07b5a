"""Names of ``dlordinal.losses``: ordered classes; losses are means, computed partly in single precision."""

from __future__ import annotations

from losslib.names.schema import REQUIRED, Binding, Case, Chooses, Joins, Only, Package, Takes

__all__ = ["PACKAGE"]

CLASSES = {"num_classes": Joins(REQUIRED, "the columns of the input")}
CORN = Joins(REQUIRED, "the columns of the input and one more")
WEIGHT = Only(None, "it divides the weights by their sum; pass weight to the loss of losslib")

PACKAGE = Package(
    "dlordinal",
    "dlordinal",
    (
        Binding(("EMDLoss",), (Case("emd_loss", reduction="mean"),), CLASSES),
        Binding(
            ("CDWCELoss",),
            (Case("class_distance_cross_entropy", reduction="mean", note="It adds 1e-8 inside its logarithms."),),
            {
                **CLASSES,
                "alpha": Takes(0.5),
                "weight": WEIGHT,
                "margin": Only(0.0, "it adds a part of the sum of all exponentials to those of the others"),
            },
        ),
        Binding(
            ("WKLoss",),
            (
                Case("weighted_kappa_loss", when={"use_logits": True}, reduction="mean"),
                Case(
                    when={"use_logits": False},
                    refused="it takes probabilities; write losslib.weighted_kappa_loss(np.log(p), target)",
                ),
            ),
            {
                **CLASSES,
                "penalization_type": Takes("quadratic", to="weights"),
                "weight": Only(None, "it multiplies the costs of classes; losslib has no such parameter"),
                "epsilon": Takes(1e-10, to="eps"),
                "use_logits": Chooses(False),
                "use_logarithm": Takes(False, to="log"),
            },
        ),
        Binding(("CORNLoss",), (Case("corn_loss", reduction="mean"),), {"num_classes": CORN}),
    ),
    prefixes=("losses.", "dlordinal.losses."),
    order="(logits, classes)",
)
