"""Names of PyTorch, whose losses losslib follows: classes of ``torch.nn``, functions of ``torch.nn.functional``."""

from __future__ import annotations

from losslib.names.schema import REQUIRED, Binding, Case, Only, Package, Parameter, Reduces, Takes

__all__ = ["PACKAGE"]

REDUCTION = {"reduction": Reduces("mean", words={word: word for word in ("mean", "sum", "none")})}
LEGACY = {"size_average": Takes(None), "reduce": Takes(None), **REDUCTION}
DIVERGENCE = {
    "size_average": Takes(None),
    "reduce": Takes(None),
    "reduction": Reduces("mean", words={word: word for word in ("mean", "sum", "none", "batchmean")}),
}
WEIGHT = {"weight": Takes(None)}


def _pair(cls: str, function: str, parameters: dict[str, Parameter], note: str = "") -> Binding:
    """Return the class and the function, which take the same."""
    return Binding((cls, function), (Case(function, note=note),), parameters)


def _weighted(cls: str, function: str, parameters: dict[str, Parameter]) -> tuple[Binding, Binding]:
    """Return a class, and the function, which takes a weight of each element beside."""
    case = Case(function)
    return Binding((cls,), (case,), parameters), Binding((function,), (case,), {**parameters, **WEIGHT})


PACKAGE = Package(
    "torch",
    "PyTorch",
    (
        *_weighted("L1Loss", "l1_loss", LEGACY),
        *_weighted("MSELoss", "mse_loss", LEGACY),
        *_weighted("HuberLoss", "huber_loss", {**REDUCTION, "delta": Takes(1.0)}),
        _pair("SmoothL1Loss", "smooth_l1_loss", {**LEGACY, "beta": Takes(1.0)}),
        _pair(
            "PoissonNLLLoss",
            "poisson_nll_loss",
            {"log_input": Takes(True), "full": Takes(False), "eps": Takes(1e-8), **LEGACY},
        ),
        _pair("GaussianNLLLoss", "gaussian_nll_loss", {"full": Takes(False), "eps": Takes(1e-6), **REDUCTION}),
        _pair("KLDivLoss", "kl_div", {**DIVERGENCE, "log_target": Takes(False)}, "The input is log-probabilities."),
        _pair("BCELoss", "binary_cross_entropy", {**WEIGHT, **LEGACY}),
        _pair(
            "BCEWithLogitsLoss",
            "binary_cross_entropy_with_logits",
            {**WEIGHT, **LEGACY, "pos_weight": Takes(None)},
        ),
        _pair("MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss", {**WEIGHT, **LEGACY}),
        _pair("SoftMarginLoss", "soft_margin_loss", LEGACY),
        _pair("HingeEmbeddingLoss", "hinge_embedding_loss", {"margin": Takes(1.0), **LEGACY}),
        _pair("MarginRankingLoss", "margin_ranking_loss", {"margin": Takes(0.0), **LEGACY}),
        _pair(
            "CrossEntropyLoss",
            "cross_entropy",
            {**WEIGHT, **LEGACY, "ignore_index": Takes(-100), "label_smoothing": Takes(0.0)},
        ),
        Binding(
            ("NLLLoss", "nll_loss", "NLLLoss2d"),
            (Case("nll_loss"),),
            {**WEIGHT, **LEGACY, "ignore_index": Takes(-100)},
        ),
        _pair("MultiMarginLoss", "multi_margin_loss", {"p": Takes(1), "margin": Takes(1.0), **WEIGHT, **LEGACY}),
        _pair("MultiLabelMarginLoss", "multilabel_margin_loss", LEGACY),
        _pair("CosineEmbeddingLoss", "cosine_embedding_loss", {"margin": Takes(0.0), **LEGACY}),
        _pair(
            "TripletMarginLoss",
            "triplet_margin_loss",
            {"margin": Takes(1.0), "p": Takes(2.0), "eps": Takes(1e-6), "swap": Takes(False), **LEGACY},
        ),
        _pair(
            "TripletMarginWithDistanceLoss",
            "triplet_margin_with_distance_loss",
            {
                "distance_function": Only(
                    None,
                    "losslib computes the distances that it knows; write "
                    'losslib.get("triplet_margin_with_distance_loss", distance="cosine") or another of its distances',
                ),
                "margin": Takes(1.0),
                "swap": Takes(False),
                **REDUCTION,
            },
        ),
        Binding(
            ("linear_cross_entropy",),
            (Case("linear_cross_entropy", note="From PyTorch 2.13 on. The bias is the fourth input here."),),
            {
                **WEIGHT,
                **REDUCTION,
                "ignore_index": Takes(
                    None, convert=lambda index: -100 if index is None else index, meaning="None is -100"
                ),
                "label_smoothing": Takes(0.0),
                "options": Only(None, "it chooses among its algorithms; chunk_rows bounds the memory here"),
            },
        ),
        Binding(
            ("AdaptiveLogSoftmaxWithLoss",),
            (
                Case(
                    refused="its weights are parameters of the module; losslib takes them as arrays: "
                    "losslib.adaptive_log_softmax_with_loss(input, target, head.weight, [(tail[0].weight, "
                    "tail[1].weight), ...], head.bias)"
                ),
            ),
            {
                "in_features": Takes(REQUIRED),
                "n_classes": Takes(REQUIRED),
                "cutoffs": Takes(REQUIRED),
                "div_value": Takes(4.0),
                "head_bias": Takes(False),
            },
        ),
        _pair("CTCLoss", "ctc_loss", {"blank": Takes(0), **REDUCTION, "zero_infinity": Takes(False)}),
    ),
    prefixes=("torch.nn.functional.", "torch.nn.", "nn.functional.", "functional.", "nn.", "F."),
    notes=("Names, parameters, defaults and the order of the arguments are those of losslib.",),
)
