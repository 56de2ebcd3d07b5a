"""Names of ``monai.losses``: channels along axis 1."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Chooses, Only, Package, Reduces, Takes

__all__ = ["PACKAGE"]

PACKAGE = Package(
    "monai",
    "MONAI",
    (
        Binding(
            ("FocalLoss",),
            (
                Case("sigmoid_focal_loss", when={"use_softmax": False}, note="For targets of 0 and 1."),
                Case(
                    when={"use_softmax": True},
                    refused="it averages over the classes too and takes rows of 0 and 1; write "
                    "losslib.softmax_focal_loss(input, target, gamma=2.0) and divide by the number of classes",
                ),
            ),
            {
                "include_background": Only(True, "it leaves the first channel out; pass input[:, 1:], target[:, 1:]"),
                "to_onehot_y": Only(False, "it makes rows of 0 and 1 from class indices; do that first"),
                "gamma": Takes(2.0),
                "alpha": Takes(None, "alpha", lambda value: -1.0 if value is None else value, "None is -1, off"),
                "weight": Only(None, "it weighs channels; losslib's weight= is one of elements and broadcasts"),
                "reduction": Reduces(
                    "mean",
                    words={
                        "mean": "mean",
                        "none": "none",
                        "sum": "!MONAI averages the spatial axes before the sum; take the mean, or "
                        'losslib.sigmoid_focal_loss(..., reduction="sum")',
                    },
                ),
                "use_softmax": Chooses(False),
                "ignore_index": Only(None, "pass where= to the call: it leaves elements out"),
            },
        ),
    ),
    prefixes=("losses.", "monai.losses."),
)
