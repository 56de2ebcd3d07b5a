"""Names of ``segmentation_models_pytorch.losses``: channels along axis 1."""

from __future__ import annotations

from losslib.names.schema import REQUIRED, Binding, Case, Chooses, Ignored, Only, Package, Reduces, Takes

__all__ = ["PACKAGE"]

WORDS = {word: word for word in ("mean", "sum", "none")}
FLAT = '!it flattens the values; write losslib.sigmoid_focal_loss(..., reduction="none").ravel()'
KEPT = '!it keeps an axis of length 1; write losslib.cross_entropy(..., reduction="none")'
FOCAL_WORDS = {
    **WORDS,
    "batchwise_mean": '!it adds up the first axis and keeps the others; take reduction="none" and sum(0)',
}
NORMALIZED = Only(False, "it divides by the sum of the focal factors of the batch; losslib has no such loss")
REDUCED = Only(None, "it caps the focal factor; losslib has no such parameter")

PACKAGE = Package(
    "smp",
    "Segmentation Models PyTorch",
    (
        Binding(
            ("FocalLoss",),
            (
                Case(
                    "sigmoid_focal_loss",
                    when={"mode": "binary"},
                    note="For targets of 0 and 1 of the shape of the input; smp flattens both.",
                ),
                Case(
                    "sigmoid_focal_loss",
                    when={"mode": "multilabel", "reduction": "mean"},
                    note="For targets of 0 and 1 of the shape of the input.",
                ),
                Case(
                    when={"mode": "multilabel"},
                    refused="it averages the sums of the classes; write losslib.sigmoid_focal_loss(..., "
                    'reduction="sum") and divide by the number of classes',
                ),
                Case(
                    when={"mode": "multiclass"},
                    refused="it takes class indices and averages one binary focal loss a class; write "
                    "losslib.sigmoid_focal_loss with the target as rows of 0 and 1",
                ),
            ),
            {
                "mode": Chooses(REQUIRED),
                "alpha": Takes(None, "alpha", lambda value: -1.0 if value is None else value, "None is -1, off"),
                "gamma": Takes(2.0),
                "ignore_index": Only(None, "pass where= to the call: it leaves elements out"),
                "from_logits": Only(True, "it turns probabilities into logits; do that first"),
                "eps": Ignored(1e-7),
                "reduction": Reduces("mean", words={**FOCAL_WORDS, "none": FLAT}),
                "normalized": NORMALIZED,
                "reduced_threshold": REDUCED,
                "class_weights": Only(None, "losslib's weight= is one of elements and broadcasts"),
            },
        ),
        Binding(
            ("SoftBCEWithLogitsLoss",),
            (Case("binary_cross_entropy_with_logits"),),
            {
                "weight": Takes(None),
                "ignore_index": Only(
                    -100, "its mean counts the ignored elements; pass where= to the call", also=(None,)
                ),
                "reduction": Reduces("mean", words=WORDS),
                "smooth_factor": Takes(
                    None,
                    "label_smoothing",
                    lambda value: 2.0 * (value or 0.0),
                    "label_smoothing is twice it, None is 0",
                ),
                "pos_weight": Takes(None),
            },
        ),
        Binding(
            ("SoftCrossEntropyLoss",),
            (
                Case(when={"smooth_factor": None}, refused="it fails there for smooth_factor=None; give a number"),
                Case(
                    "cross_entropy",
                    note="Its mean counts ignored targets, losslib's does not: the same where none is ignored.",
                ),
            ),
            {
                "reduction": Reduces("mean", words={**WORDS, "none": KEPT}),
                "smooth_factor": Takes(None, "label_smoothing"),
                "ignore_index": Only(
                    -100, "its mean counts the ignored targets, losslib's does not; write losslib.cross_entropy"
                ),
                "dim": Takes(1, "axis"),
            },
        ),
        Binding(
            ("softmax_focal_loss_with_logits",),
            (Case("softmax_focal_loss", note="Targets are class indices."),),
            {
                "gamma": Takes(2.0),
                "reduction": Reduces("mean", words=FOCAL_WORDS),
                "normalized": NORMALIZED,
                "reduced_threshold": REDUCED,
                "eps": Ignored(1e-6),
            },
        ),
        Binding(
            ("wing_loss",),
            (Case("wing_loss"),),
            {"width": Takes(5.0), "curvature": Takes(0.5), "reduction": Reduces("mean", words=WORDS)},
        ),
    ),
    prefixes=(
        "losses.",
        "losses._functional.",
        "segmentation_models_pytorch.losses.",
        "segmentation_models_pytorch.losses._functional.",
    ),
)
