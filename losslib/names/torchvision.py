"""Names of ``torchvision.ops``."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Only, Package, Reduces, Takes

__all__ = ["PACKAGE"]

WORDS = Reduces("none", words={word: word for word in ("none", "mean", "sum")})


def _boxes(name: str) -> Binding:
    """A loss of pairs of boxes in corners."""
    eps = Only(1e-7, "losslib's eps is 1e-7")
    return Binding((name,), (Case(name, note="Boxes are xyxy."),), {"reduction": WORDS, "eps": eps})


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
                "reduction": WORDS,
            },
        ),
        _boxes("generalized_box_iou_loss"),
        _boxes("distance_box_iou_loss"),
        _boxes("complete_box_iou_loss"),
    ),
    prefixes=("ops.", "torchvision.ops."),
)
