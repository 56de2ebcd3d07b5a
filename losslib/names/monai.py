"""Names of ``monai.losses``: channels along axis 1."""

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

BACKGROUND = "how many classes follow is known in a call only; make the loss with classes=range(1, C) of losslib"
SPACES = "!it keeps axes of length 1; make the losslib loss with reduction='none' for a table of samples and classes"
WORDS = {"mean": "mean", "sum": "sum", "none": "none"}
#: Ratios that keep the axes of space, and those that do not.
REDUCTION = Reduces("mean", words={**WORDS, "none": SPACES})
TABLE = Reduces("mean", words=WORDS)
INDICES = "Class indices have no axis of classes, where MONAI has one of length 1."

#: What most losses of regions have.
SHARED: Mapping[str, Parameter] = {
    "include_background": Only(True, BACKGROUND),
    "to_onehot_y": Only(
        False, "class indices are known by their rank: leave it out and pass target[:, 0]", also=(True,)
    ),
    "sigmoid": Joins(False, "activation='sigmoid'"),
    "softmax": Joins(False, "activation='softmax'"),
    "other_act": Only(None, "apply it to the input first"),
    "batch": Joins(False, "samples are pooled: per"),
}
SMOOTH: Mapping[str, Parameter] = {
    "smooth_nr": Joins(1e-5, "smooth and eps, which is smooth_dr - smooth_nr"),
    "smooth_dr": Joins(1e-5, "with smooth_nr", "less than smooth_nr: losslib's eps is not negative"),
}
IGNORED = Only(None, "losslib has ignore_index for indices and masks of one class, and where= of a call")


def _activation(values: Mapping[str, Any]) -> str:
    """Return losslib's word for the flags."""
    if values["sigmoid"] and values["softmax"]:
        raise ParameterError("sigmoid and softmax exclude one another")
    return "sigmoid" if values["sigmoid"] else "softmax" if values["softmax"] else "none"


def _smooth(values: Mapping[str, Any], share: float = 1.0) -> dict[str, float]:
    """Return what is added to numerator and denominator; ``share`` of what is added there."""
    below = float(values["smooth_dr"]) - float(values["smooth_nr"])
    if below < 0.0:
        raise ParameterError("smooth_dr is less than smooth_nr, and losslib's eps is not negative")
    return {"smooth": share * values["smooth_nr"], "eps": share * below}


def _ratio(values: Mapping[str, Any], share: float = 1.0) -> dict[str, Any]:
    per = "class" if values["batch"] else "sample_class"
    return {"activation": _activation(values), "per": per, **_smooth(values, share)}


def _dice(values: Mapping[str, Any]) -> dict[str, Any]:
    counting = {"squared": values["squared_pred"], "intersection": "min" if values["soft_label"] else "product"}
    return _ratio(values, 0.5 if values["jaccard"] else 1.0) | counting


def _dice_cross_entropy(values: Mapping[str, Any]) -> dict[str, Any]:
    if values["sigmoid"] and (values["weight"] is not None or values["label_smoothing"]):
        raise ParameterError("for one class weight is pos_weight there, and label_smoothing has no effect")
    return {**_ratio(values), "squared": values["squared_pred"]}


def _generalized(values: Mapping[str, Any]) -> dict[str, Any]:
    per = "all" if values["batch"] else "sample"
    return {"activation": _activation(values), "per": per, **_smooth(values)}


def _correlation(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"activation": _activation(values), "per": "class" if values["batch"] else "sample_class"}


PACKAGE = Package(
    "monai",
    "MONAI",
    (
        Binding(
            ("ContrastiveLoss",),
            (
                Case(
                    "info_nce_loss",
                    sets={"symmetric": True, "intra": True},
                    reduction="mean",
                    note="Of two views of a batch.",
                ),
            ),
            {"temperature": Takes(0.5), "batch_size": Ignored(-1)},
        ),
        Binding(
            ("BarlowTwinsLoss",),
            (
                Case(
                    refused="it divides by unbiased deviations to which it adds 1e-6, and by N; "
                    "losslib.barlow_twins_loss has biased ones throughout, so that the diagonal can be 1"
                ),
            ),
            {"lambd": Takes(5e-3)},
        ),
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
        Binding(
            ("DiceLoss", "Dice"),
            (
                Case("dice_loss", when={"jaccard": False}, makes=_dice, note=INDICES),
                Case("jaccard_loss", when={"jaccard": True}, makes=_dice, note="smooth and eps are halved."),
            ),
            {
                **SHARED,
                "squared_pred": Joins(False, "squared"),
                "jaccard": Chooses(False),
                "reduction": REDUCTION,
                **SMOOTH,
                "weight": Takes(None),
                "soft_label": Joins(False, "intersection='min'"),
                "ignore_index": IGNORED,
            },
        ),
        Binding(
            ("MaskedDiceLoss",),
            (Case(refused="its third argument is where= of a call; use monai:DiceLoss"),),
        ),
        Binding(
            ("GeneralizedDiceLoss", "generalized_dice"),
            (Case("generalized_dice_loss", makes=_generalized, note=f"{INDICES} Its weights are float32."),),
            {
                **SHARED,
                "w_type": Takes("square", "weighting"),
                "reduction": REDUCTION,
                **SMOOTH,
                "soft_label": Only(False, "losslib takes products there"),
            },
        ),
        Binding(
            ("GeneralizedWassersteinDiceLoss", "generalized_wasserstein_dice"),
            (
                Case(
                    "generalized_wasserstein_dice_loss",
                    sets={"activation": "softmax"},
                    makes=_smooth,
                    note=f"{INDICES} Its distances are float32.",
                ),
            ),
            {
                "dist_matrix": Takes(REQUIRED, "distances"),
                "weighting_mode": Takes(
                    "default",
                    "weighting",
                    lambda word: {"default": "foreground", "GDL": "size"}.get(word, word),
                    "default is foreground, GDL is size",
                ),
                "reduction": Reduces("mean", words={**WORDS, "none": SPACES}),
                **SMOOTH,
            },
        ),
        Binding(
            ("DiceCELoss",),
            (
                Case(
                    "dice_cross_entropy_loss",
                    when={"softmax": True, "sigmoid": False},
                    makes=_dice_cross_entropy,
                    note=INDICES,
                ),
                Case(
                    "dice_cross_entropy_loss",
                    when={"softmax": False, "sigmoid": True},
                    makes=_dice_cross_entropy,
                    note="For one class: of several, MONAI takes the cross-entropy of a softmax all the same.",
                ),
                Case(
                    when={"softmax": False, "sigmoid": False},
                    refused="it takes the Dice of the input and the cross-entropy of its softmax; pass softmax=True",
                ),
            ),
            {
                **SHARED,
                "sigmoid": Chooses(False),
                "softmax": Chooses(False),
                "squared_pred": Joins(False, "squared"),
                "jaccard": Only(False, "write a * losslib.JaccardLoss(...) + b * losslib.CrossEntropyLoss(...)"),
                "reduction": Reduces("mean", words={**WORDS, "none": "!its two terms have no common table here"}),
                **SMOOTH,
                "weight": Takes(None),
                "lambda_dice": Takes(1.0, "dice_weight"),
                "lambda_ce": Takes(1.0, "ce_weight"),
                "label_smoothing": Takes(0.0),
            },
        ),
        Binding(
            ("DiceFocalLoss",),
            (
                Case(
                    refused="it is a sum of two losses; write losslib.get('monai:DiceLoss', ...) + "
                    "losslib.get('monai:FocalLoss', ...)"
                ),
            ),
        ),
        Binding(
            ("GeneralizedDiceFocalLoss",),
            (
                Case(
                    refused="it is a sum of two losses; write losslib.get('monai:GeneralizedDiceLoss', ...) + "
                    "losslib.get('monai:FocalLoss', ...)"
                ),
            ),
        ),
        Binding(
            ("TverskyLoss",),
            (Case("tversky_loss", makes=_ratio, note=INDICES),),
            {
                **SHARED,
                "alpha": Takes(0.5),
                "beta": Takes(0.5),
                "reduction": TABLE,
                **SMOOTH,
                "soft_label": Only(False, "losslib takes products there"),
                "ignore_index": IGNORED,
            },
        ),
        Binding(
            ("AsymmetricUnifiedFocalLoss",),
            (Case("unified_focal_loss", note=f"Of probabilities of two classes, background first. {INDICES}"),),
            {
                "to_onehot_y": SHARED["to_onehot_y"],
                "num_classes": Only(2, "it takes two there; losslib has no such parameter"),
                "weight": Takes(0.5),
                "gamma": Takes(0.5),
                "delta": Takes(0.7),
                "reduction": Reduces(
                    "mean", words={"mean": "mean", "sum": "!it is the mean there", "none": "!it is the mean there"}
                ),
                "ignore_index": IGNORED,
            },
        ),
        Binding(
            ("HausdorffDTLoss",),
            (
                Case("hausdorff_dt_loss", when={"include_background": True}, makes=_correlation, note=INDICES),
                Case(when={"include_background": False}, refused=BACKGROUND),
            ),
            {
                "alpha": Takes(2.0),
                **SHARED,
                "include_background": Chooses(False),
                "reduction": REDUCTION,
            },
        ),
        Binding(
            ("LogHausdorffDTLoss",),
            (Case(refused="it is np.log1p of the value of hausdorff_dt_loss; see monai:HausdorffDTLoss"),),
        ),
        Binding(
            ("MCCLoss",),
            (Case("mcc_loss", makes=_correlation, note=INDICES),),
            {
                **SHARED,
                "reduction": TABLE,
                "smooth_nr": Only(0.0, "losslib adds smooth to each count"),
                "smooth_dr": Takes(1e-5, "eps"),
            },
        ),
        Binding(
            ("BoundaryLoss",),
            (
                Case(
                    refused="it makes its distances of the target, losslib.boundary_loss is given them: "
                    "scipy.ndimage.distance_transform_edt"
                ),
            ),
        ),
        Binding(
            ("AUCMLoss",),
            (
                Case(
                    "aucm_loss",
                    reduction="mean",
                    note="All elements are one list; a, b and alpha, its parameters there, are inputs here.",
                ),
            ),
            {
                "margin": Takes(1.0),
                "imratio": Takes(None),
                "version": Takes("v1"),
                "reduction": Ignored("mean"),
            },
        ),
        Binding(
            ("BoxGIoULoss", "giou"),
            (Case("generalized_box_iou_loss", note="Computed in float32; its eps is 1.2e-7, losslib's 1e-7."),),
            {"reduction": TABLE},
        ),
    ),
    prefixes=("losses.", "monai.losses."),
)
