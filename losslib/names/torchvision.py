"""Names of ``torchvision.ops``."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Package, Reduces, Takes

__all__ = ["PACKAGE"]

PACKAGE = Package(
    "torchvision",
    "torchvision",
    (
        Binding(
            ("sigmoid_focal_loss",),
            (Case("sigmoid_focal_loss"),),
            {
                "alpha": Takes(0.25),
                "gamma": Takes(2.0),
                "reduction": Reduces("none", words={word: word for word in ("none", "mean", "sum")}),
            },
        ),
    ),
    prefixes=("ops.", "torchvision.ops."),
)
