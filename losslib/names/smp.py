"""Names of ``segmentation_models_pytorch.losses``: channels along axis 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib.errors import ParameterError
from losslib.names.schema import (
    REQUIRED,
    Binding,
    Case,
    Chooses,
    Ignored,
    Joins,
    Only,
    Package,
    Parameter,
    Reduces,
    Takes,
)

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

ACTIVATIONS = {"multiclass": "softmax", "multilabel": "sigmoid", "binary": "sigmoid"}
OVERLAP = (
    "Class indices for multiclass; for binary an axis of one class in both. Ratios of the batch; those without target "
    "count as 0."
)


def _ratio(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the losses of ratios share."""
    if values["mode"] not in ACTIVATIONS:
        raise ParameterError(f"mode is one of {', '.join(ACTIVATIONS)}")
    if values["mode"] == "binary" and (values["classes"] is not None or values["class_weights"] is not None):
        raise ParameterError("classes and class_weights are not for mode='binary' there")
    return {
        "activation": ACTIVATIONS[values["mode"]] if values["from_logits"] else "none",
        "per": "class",
        "absent": "zero",
        "eps": 0.0,
        **({} if values["class_weights"] is None else {"reduction": "weighted_mean"}),
    }


#: Parameters of the losses of ratios, but for the smoothing.
RATIO: Mapping[str, Parameter] = {
    "mode": Joins(REQUIRED, "activation: softmax for multiclass, else sigmoid"),
    "classes": Takes(None, "classes"),
    "log_loss": Takes(False, "log"),
    "from_logits": Joins(True, "else activation='none'"),
    "ignore_index": Only(None, "losslib has ignore_index for indices and masks of one class, and where= of a call"),
    "eps": Only(1e-7, "it bounds the denominator, and with log_loss the score, from below: losslib's bound is 1e-7"),
    "class_weights": Takes(None, "weight", meaning="the mean is weighted_mean"),
}

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
            ("DiceLoss",),
            (Case("dice_loss", makes=_ratio, note=OVERLAP, reduction="mean"),),
            {**RATIO, "smooth": Takes(0.0, "smooth", lambda value: 2.0 * value, "smooth is twice it")},
        ),
        Binding(
            ("JaccardLoss",),
            (Case("jaccard_loss", makes=_ratio, note=OVERLAP, reduction="mean"),),
            {**RATIO, "smooth": Takes(0.0)},
        ),
        Binding(
            ("TverskyLoss",),
            (Case("tversky_loss", makes=_ratio, note=OVERLAP, reduction="mean"),),
            {
                **RATIO,
                "smooth": Takes(0.0),
                "alpha": Takes(0.5),
                "beta": Takes(0.5),
                "gamma": Only(1.0, "it raises the mean over classes to this power, losslib each ratio"),
            },
        ),
        Binding(
            ("LovaszLoss",),
            (
                Case(
                    "lovasz_softmax_loss",
                    reduction="mean",
                    when={"mode": "multiclass"},
                    sets={"activation": "softmax"},
                    makes=lambda values: {"per": "sample_class" if values["per_image"] else "class"},
                    note="Computed in float32; equal errors are in another order there.",
                ),
                Case(
                    "lovasz_hinge_loss",
                    reduction="mean",
                    when={"mode": "binary"},
                    makes=lambda values: {"per": "sample" if values["per_image"] else "all"},
                    note="Computed in float32, without a class axis; equal errors are in another order there.",
                ),
                Case(when={"mode": "multilabel"}, refused="it sorts the errors of all classes together; use binary"),
            ),
            {
                "mode": Chooses(REQUIRED),
                "per_image": Joins(False, "per: for each sample"),
                "ignore_index": Only(None, "pass where= to the call: it leaves positions out"),
                "from_logits": Only(True, "it has no effect there: logits are expected all the same"),
            },
        ),
        Binding(
            ("MCCLoss",),
            (
                Case(
                    "mcc_loss",
                    reduction="mean",
                    sets={"per": "all", "eps": 0.0},
                    note="Of probabilities of one class, with an axis of one class.",
                ),
            ),
            {"eps": Takes(1e-5, "smooth")},
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
