"""Names of ``kornia.losses``: logits with classes along axis 1, and class indices."""

from __future__ import annotations

from typing import Any

from losslib.names.schema import REQUIRED, Binding, Case, Chooses, Only, Package, Reduces, Takes

__all__ = ["PACKAGE"]

WORDS = Reduces("none", words={word: word for word in ("none", "mean", "sum")})
IGNORED = Takes(-100)
UNWEIGHTED = Only(None, "its classes are weighted by their positions; losslib's weight= multiplies ratios")


def _robust(cls: str, function: str) -> Binding:
    """A robust loss of differences, as class and function: that of the same name."""
    return Binding((cls, function), (Case(function),), {"reduction": WORDS})


def _binary_focal(name: str, alpha: Any) -> Binding:
    """The focal loss of logits: the class has no default for alpha."""
    return Binding(
        (name,),
        (Case("sigmoid_focal_loss", note="For targets of 0 and 1."),),
        {
            "alpha": Takes(alpha, "alpha", lambda value: -1.0 if value is None else value, "None is -1, off"),
            "gamma": Takes(2.0),
            "reduction": WORDS,
            "pos_weight": Only(None, "losslib has no pos_weight there; weigh the elements: weight="),
            "weight": Only(None, "it weighs channels; losslib's weight= is one of elements and broadcasts"),
            "ignore_index": Only(-100, "pass where= to the call: it leaves elements out"),
        },
    )


PACKAGE = Package(
    "kornia",
    "kornia",
    (
        Binding(
            ("DiceLoss", "dice_loss"),
            (
                Case(
                    "dice_loss",
                    reduction="mean",
                    when={"average": "micro"},
                    sets={"activation": "softmax", "per": "sample", "smooth": 0.0},
                ),
                Case(
                    "dice_loss",
                    reduction="mean",
                    when={"average": "macro"},
                    sets={"activation": "softmax", "per": "sample_class", "smooth": 0.0, "absent": "skip"},
                    note="The same where each sample has a class that counts; without one kornia gives 1, losslib 0.",
                ),
            ),
            {"average": Chooses("micro"), "eps": Takes(1e-8), "weight": UNWEIGHTED, "ignore_index": IGNORED},
        ),
        Binding(
            ("TverskyLoss", "tversky_loss"),
            (Case("tversky_loss", reduction="mean", sets={"activation": "softmax", "smooth": 0.0, "absent": "skip"}),),
            {"alpha": Takes(REQUIRED), "beta": Takes(REQUIRED), "eps": Takes(1e-8), "ignore_index": IGNORED},
        ),
        Binding(
            ("LovaszSoftmaxLoss", "lovasz_softmax_loss"),
            (
                Case(
                    "lovasz_softmax_loss",
                    reduction="mean",
                    sets={"activation": "softmax", "per": "sample_class", "absent": "include"},
                    note="Equal errors are in another order there.",
                ),
            ),
            {"weight": Takes(None)},
        ),
        Binding(
            ("LovaszHingeLoss", "lovasz_hinge_loss"),
            (
                Case(
                    "lovasz_hinge_loss",
                    reduction="mean",
                    sets={"axis": 1, "per": "sample"},
                    note="Its target has no class axis, losslib's has one of length 1. Equal errors are in another "
                    "order there.",
                ),
            ),
        ),
        Binding(
            ("FocalLoss", "focal_loss"),
            (
                Case(
                    refused="its alpha weighs class 0 by 1 - alpha and all others by alpha, and its mean counts the "
                    "classes; write losslib.softmax_focal_loss(input, target, gamma=2.0) and divide by their number"
                ),
            ),
        ),
        _binary_focal("BinaryFocalLossWithLogits", REQUIRED),
        _binary_focal("binary_focal_loss_with_logits", 0.25),
        _robust("CharbonnierLoss", "charbonnier_loss"),
        _robust("WelschLoss", "welsch_loss"),
        _robust("CauchyLoss", "cauchy_loss"),
        _robust("GemanMcclureLoss", "geman_mcclure_loss"),
    ),
    prefixes=("losses.", "kornia.losses."),
)
