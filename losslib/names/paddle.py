"""Names of Paddle: functions of ``paddle.nn.functional`` and classes of ``paddle.nn``."""

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

NAME = {"name": Ignored(None)}
REDUCTION = {"reduction": Reduces("mean", words={word: word for word in ("mean", "sum", "none")}), **NAME}
DIVERGENCE = {
    "reduction": Reduces("mean", words={word: word for word in ("mean", "sum", "none", "batchmean")}),
    **NAME,
}
WEIGHT = {"weight": Takes(None)}


def _pair(names: tuple[str, ...], loss: str, note: str = "", /, **parameters: Parameter) -> Binding:
    return Binding(names, (Case(loss, note=note),), {**parameters, **REDUCTION})


def _without_classes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Take the number of classes from the end of the cutoffs, which losslib reads off the weights."""
    if not isinstance(values["cutoffs"], list | tuple) or len(values["cutoffs"]) < 2:
        raise ParameterError("cutoffs hold the first class of each cluster and, as the last, the number of classes")
    return {"cutoffs": tuple(values["cutoffs"])[:-1]}


def _complete(values: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse trees whose paths differ in length, of which unused places cost something there."""
    classes = values["num_classes"]
    if not isinstance(classes, int) or classes < 2 or classes & (classes - 1):
        raise ParameterError(
            "it adds ln 2 for every place of a path that is not used, where num_classes is no power of two; "
            "losslib.hsigmoid_loss adds nothing"
        )
    return {"num_classes": classes}


PACKAGE = Package(
    "paddle",
    "Paddle",
    (
        _pair(("MSELoss", "mse_loss"), "mse_loss"),
        Binding(("square_error_cost",), (Case("mse_loss"),)),
        _pair(("L1Loss", "l1_loss"), "l1_loss"),
        Binding(
            ("SmoothL1Loss", "smooth_l1_loss"),
            (
                Case("huber_loss", when={"is_huber": True}, note="Huber in spite of its name."),
                Case("smooth_l1_loss", when={"is_huber": False}, renames={"delta": "beta"}),
            ),
            {"delta": Takes(1.0), "is_huber": Chooses(True), **REDUCTION},
        ),
        _pair(
            ("GaussianNLLLoss", "gaussian_nll_loss"),
            "gaussian_nll_loss",
            "The variance gets no gradient there.",
            full=Takes(False),
            epsilon=Takes(1e-6, "eps"),
        ),
        _pair(
            ("PoissonNLLLoss", "poisson_nll_loss"),
            "poisson_nll_loss",
            log_input=Takes(True),
            full=Takes(False),
            epsilon=Takes(1e-8, "eps"),
        ),
        _pair(("BCELoss", "binary_cross_entropy"), "binary_cross_entropy", **WEIGHT),
        Binding(
            ("log_loss",),
            (
                Case(
                    refused="it adds epsilon = 1e-4 inside both logarithms; write losslib.binary_cross_entropy, the "
                    "same "
                    "up to a relative 1e-4 away from 0 and 1"
                ),
            ),
            {"epsilon": Takes(1e-4), **NAME},
        ),
        _pair(
            ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits"),
            "binary_cross_entropy_with_logits",
            **WEIGHT,
            pos_weight=Takes(None),
        ),
        Binding(
            ("dice_loss",),
            (
                Case(
                    "dice_loss",
                    sets={"axis": -1, "per": "sample", "smooth": 0.0},
                    reduction="mean",
                    note="Class indices have an axis of length 1 at the end there, which losslib's have not.",
                ),
            ),
            {"epsilon": Takes(1e-5, "eps"), **NAME},
        ),
        _pair(("SoftMarginLoss", "soft_margin_loss"), "soft_margin_loss"),
        Binding(
            ("sigmoid_focal_loss",),
            (Case("sigmoid_focal_loss"),),
            {
                "normalizer": Only(None, "it divides the loss; divide it yourself"),
                "alpha": Takes(0.25),
                "gamma": Takes(2.0),
                "reduction": Reduces("sum", words={word: word for word in ("mean", "sum", "none")}),
                **NAME,
            },
        ),
        _pair(("MultiLabelSoftMarginLoss", "multi_label_soft_margin_loss"), "multilabel_soft_margin_loss", **WEIGHT),
        _pair(
            ("NLLLoss", "nll_loss"),
            "nll_loss",
            "If every target is ignored the mean is 0 there.",
            **WEIGHT,
            ignore_index=Takes(-100),
        ),
        Binding(
            ("CrossEntropyLoss", "cross_entropy"),
            (
                Case(
                    "cross_entropy",
                    when={"use_softmax": True, "soft_label": False, "label_smoothing": 0.0, "reduction": "none"},
                    note="Class indices.",
                ),
                Case(
                    when={"use_softmax": True, "reduction": "none"},
                    refused="it keeps an axis of length 1 for rows of probabilities and smoothed labels; write "
                    'losslib.cross_entropy(..., axis=-1, reduction="none")',
                ),
                Case(
                    "cross_entropy",
                    when={"use_softmax": True, "soft_label": False},
                    sets={"empty": "zero"},
                    note="Class indices. A negative ignore_index counts in the mean there unless weight is given.",
                ),
                Case(
                    "cross_entropy",
                    when={"use_softmax": True, "soft_label": True, "weight": None},
                    without=("ignore_index",),
                    note="Targets are rows of probabilities.",
                ),
                Case(
                    when={"use_softmax": True, "soft_label": True},
                    refused="it weighs each sample by the weights of its classes and divides by their sum; write "
                    "losslib.cross_entropy with sample_weight=(target * weight).sum(-1) and reduction='weighted_mean'",
                ),
                Case(
                    when={"use_softmax": False},
                    refused="it takes probabilities and does not normalise them; write losslib.nll_loss(np.log(p), "
                    "target)",
                ),
            ),
            {
                **WEIGHT,
                "ignore_index": Takes(-100),
                "reduction": REDUCTION["reduction"],
                "soft_label": Chooses(False),
                "axis": Takes(-1),
                "use_softmax": Chooses(True),
                "label_smoothing": Takes(0.0),
                **NAME,
            },
        ),
        _pair(
            ("MultiMarginLoss", "multi_margin_loss"),
            "multi_margin_loss",
            p=Takes(1),
            margin=Takes(1.0),
            **WEIGHT,
        ),
        _pair(("MultiLabelMarginLoss", "multi_label_margin_loss"), "multilabel_margin_loss"),
        _pair(("MarginRankingLoss", "margin_ranking_loss"), "margin_ranking_loss", margin=Takes(0.0)),
        _pair(("HingeEmbeddingLoss", "hinge_embedding_loss"), "hinge_embedding_loss", margin=Takes(1.0)),
        _pair(
            ("CosineEmbeddingLoss", "cosine_embedding_loss"),
            "cosine_embedding_loss",
            "Adds 1e-11 to the squared lengths, losslib 1e-12.",
            margin=Takes(0.0),
        ),
        Binding(
            ("KLDivLoss", "kl_div"),
            (Case("kl_div", note="The input is log-probabilities."),),
            {**DIVERGENCE, "log_target": Takes(False)},
        ),
        _pair(
            ("TripletMarginLoss", "triplet_margin_loss"),
            "triplet_margin_loss",
            margin=Takes(1.0),
            p=Takes(2.0),
            epsilon=Takes(1e-6, "eps"),
            swap=Takes(False),
        ),
        _pair(
            ("TripletMarginWithDistanceLoss", "triplet_margin_with_distance_loss"),
            "triplet_margin_with_distance_loss",
            distance_function=Only(
                None, 'write losslib.get("triplet_margin_with_distance_loss", distance="cosine") or another distance'
            ),
            margin=Takes(1.0),
            swap=Takes(False),
        ),
        Binding(
            ("npair_loss",),
            (Case("n_pairs_loss", reduction="mean", note="The labels are the third input."),),
            {"l2_reg": Takes(0.002)},
        ),
        Binding(
            ("margin_cross_entropy",),
            (Case("margin_cross_entropy", note="The input is cosines. Computed on a GPU only, and not compared."),),
            {
                "margin1": Takes(1.0),
                "margin2": Takes(0.5),
                "margin3": Takes(0.0),
                "scale": Takes(64.0),
                "group": Only(None, "it gathers the classes of other processes", also=(False,)),
                "return_softmax": Only(False, "it returns the probabilities too"),
                "reduction": REDUCTION["reduction"],
            },
        ),
        Binding(
            ("adaptive_log_softmax_with_loss",),
            (
                Case(
                    "adaptive_log_softmax_with_loss",
                    makes=_without_classes,
                    reduction="mean",
                    note="Matrices are transposed there; it returns minus the values, and the mean.",
                ),
            ),
            {
                "cutoffs": Joins(REQUIRED, "cutoffs, without the number of classes at its end"),
                **NAME,
            },
        ),
        Binding(
            ("hsigmoid_loss",),
            (
                Case(
                    "hsigmoid_loss",
                    makes=_complete,
                    without=("num_classes",),
                    note="A value has an axis of length 1 there, z is clipped at 40, and paths of one's own have to be "
                    "of one length, as every unused place of a path costs ln 2.",
                ),
            ),
            {"num_classes": Joins(REQUIRED, "a power of two"), "is_sparse": Ignored(False), **NAME},
        ),
        Binding(
            ("HSigmoidLoss",),
            (
                Case(
                    refused="its weights are parameters of the layer; losslib takes them as arrays: "
                    "losslib.hsigmoid_loss(input, label, weight, bias)"
                ),
            ),
            {
                "feature_size": Takes(REQUIRED),
                "num_classes": Takes(REQUIRED),
                "weight_attr": Takes(None),
                "bias_attr": Takes(None),
                "is_custom": Takes(False),
                "is_sparse": Takes(False),
                **NAME,
            },
        ),
        Binding(
            ("CTCLoss", "ctc_loss"),
            (Case("ctc_loss_with_logits", note="The input is logits."),),
            {
                "blank": Takes(0),
                "reduction": REDUCTION["reduction"],
                "norm_by_times": Only(False, "it divides the gradient by the number of frames"),
                "zero_infinity": Takes(False),
            },
        ),
        Binding(
            ("RNNTLoss", "rnnt_loss"),
            (Case("rnnt_loss", sets={"fused_log_softmax": False}, note="The input is log-probabilities, on a CPU."),),
            {"blank": Takes(0), "fastemit_lambda": Takes(0.001), **REDUCTION},
        ),
    ),
    prefixes=("paddle.nn.functional.", "nn.functional.", "functional.", "F.", "paddle.nn.", "nn."),
)
