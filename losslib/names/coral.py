"""Names of ``coral_pytorch.losses``: ordered classes as a row of questions."""

from __future__ import annotations

from losslib.names.schema import REQUIRED, Binding, Case, Joins, Package, Reduces, Takes

__all__ = ["PACKAGE"]

REDUCTION = {"reduction": Reduces("mean", words={"mean": "mean", "sum": "sum", None: "none"})}
CLASSES = {"num_classes": Joins(REQUIRED, "the columns of the input and one more")}
LEVELS = Case("coral_loss", note="Targets are levels there, 1 where the class is above; here classes too.")

PACKAGE = Package(
    "coral_pytorch",
    "coral-pytorch",
    (
        Binding(("CoralLoss",), (LEVELS,), REDUCTION),
        Binding(("coral_loss",), (LEVELS,), {"importance_weights": Takes(None), **REDUCTION}),
        Binding(("CornLoss", "corn_loss"), (Case("corn_loss", reduction="mean"),), CLASSES),
    ),
    prefixes=("losses.", "coral_pytorch.losses."),
    order="(logits, levels) or (logits, classes)",
)
