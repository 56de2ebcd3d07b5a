"""What people type when they look for a loss and know neither its name nor that of another package.

A phrase leads to losses, to the losses with a tag, or to both. Names and tags that do not exist fail the build.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from losslib.declaration.schema import LossInfo

#: Phrases -> names of losses, the best first, and tags with a ``#`` before them.
KEYWORDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("imbalance", "imbalanced", "unbalanced", "class imbalance", "rare classes", "rare events", "skewed classes"): (
        "sigmoid_focal_loss", "binary_focal_loss", "softmax_focal_loss", "weighted_binary_cross_entropy",
        "balanced_binary_cross_entropy", "asymmetric_loss", "#imbalance",
    ),
    ("noisy labels", "label noise", "wrong labels", "mislabelled", "corrupted labels"): (
        "generalized_cross_entropy", "symmetric_cross_entropy", "bi_tempered_logistic_loss", "js_div",
    ),
    ("rmse", "root mean squared error", "least squares", "ols", "squared error", "l2"): (
        "mse_loss", "half_squared_error",
    ),
    ("mad", "least absolute deviations", "median"): ("l1_loss", "laplace_nll_loss", "quantile_loss"),
    ("brier", "brier score", "quadratic score"): ("mse_loss",),
    ("heavy tails", "heavy tailed", "outliers", "robust regression", "m estimator", "redescending"): (
        "huber_loss", "cauchy_loss", "student_t_nll_loss", "tukey_biweight_loss", "welsch_loss", "geman_mcclure_loss",
        "barron_loss", "pseudo_huber_loss", "charbonnier_loss", "fair_loss", "log_cosh_loss", "l1_loss",
        "laplace_nll_loss",
    ),
    ("quantiles", "percentile", "prediction interval", "value at risk", "service level"): ("quantile_loss",),
    ("expectiles",): ("expectile_loss",),
    ("ordinal", "ordered classes", "ranking", "order"): ("margin_ranking_loss",),
    ("counts", "count data", "events", "poisson regression"): (
        "poisson_nll_loss", "negative_binomial_nll_loss", "tweedie_nll_loss", "#counts",
    ),
    ("overdispersion", "overdispersed"): ("negative_binomial_nll_loss",),
    ("insurance", "claims", "zero inflated", "many zeros"): ("tweedie_nll_loss", "gamma_nll_loss"),
    ("durations", "waiting times", "positive amounts", "prices"): ("gamma_nll_loss", "tweedie_nll_loss"),
    ("forecast", "forecasting", "percentage error", "relative error"): (
        "mean_absolute_percentage_error", "symmetric_mean_absolute_percentage_error",
        "mean_squared_logarithmic_error", "quantile_loss",
    ),
    ("uncertainty", "variance", "heteroscedastic", "aleatoric"): (
        "gaussian_nll_loss", "laplace_nll_loss", "#uncertainty",
    ),
    ("support vector machine", "svm", "max margin"): (
        "hinge_loss", "squared_hinge_loss", "crammer_singer_loss", "multi_margin_loss", "epsilon_insensitive_loss",
        "squared_epsilon_insensitive_loss",
    ),
    ("logistic regression", "probability calibration", "calibration"): (
        "binary_cross_entropy_with_logits", "soft_margin_loss", "binary_cross_entropy", "cross_entropy",
    ),
    ("multilabel", "multi label", "several labels", "tagging"): (
        "multilabel_soft_margin_loss", "asymmetric_loss", "binary_cross_entropy_with_logits", "#multi-label",
    ),
    ("softmax", "multinomial", "one hot", "sparse categorical crossentropy"): (
        "cross_entropy", "categorical_cross_entropy", "nll_loss",
    ),
    ("label smoothing",): ("cross_entropy", "binary_cross_entropy_with_logits"),
    ("adaboost", "boosting"): ("exponential_loss", "binary_cross_entropy_with_logits"),
    ("teacher", "student teacher", "soft targets"): ("distillation_loss", "kl_div"),
    ("siamese", "metric learning", "face recognition", "similarity", "retrieval"): (
        "triplet_margin_loss", "contrastive_loss", "cosine_embedding_loss", "triplet_margin_with_distance_loss",
        "cosine_similarity_loss",
    ),
    ("speech", "speech recognition", "handwriting", "ocr", "asr"): ("ctc_loss", "ctc_loss_with_logits", "rnnt_loss"),
    ("transducer", "rnn t"): ("rnnt_loss",),
    ("landmarks", "keypoints", "face alignment"): ("wing_loss", "smooth_l1_loss"),
    ("bounding boxes", "object detection", "box regression"): (
        "complete_box_iou_loss", "generalized_box_iou_loss", "distance_box_iou_loss", "smooth_l1_loss",
        "sigmoid_focal_loss", "#boxes", "#detection",
    ),
    ("intersection over union", "iou"): ("generalized_box_iou_loss", "jaccard_loss", "lovasz_softmax_loss", "#boxes"),
    ("masks", "medical images", "semantic segmentation", "pixels", "f1 score", "overlap"): (
        "dice_loss", "dice_cross_entropy_loss", "tversky_loss", "jaccard_loss", "#regions",
    ),
    ("learning to rank", "search results", "recommender", "recommendation", "relevance", "ndcg", "map", "mrr"): (
        "lambdarank_loss", "pairwise_logistic_loss", "listwise_softmax_loss", "approx_ndcg_loss", "#lists",
    ),
    ("auc", "roc", "area under the curve"): ("pairwise_auc_loss",),
    ("time to event", "censored", "churn", "hazard", "proportional hazards", "kaplan meier", "lifetimes"): (
        "cox_ph_loss", "aft_loss", "logistic_hazard_loss", "weibull_survival_loss", "#censoring",
    ),
    ("heatmap", "centernet"): ("gaussian_focal_loss",),
    ("sparse probabilities",): ("sparsemax_loss", "binary_sparsemax_loss"),
    ("divergence", "distance of distributions", "relative entropy"): ("kl_div", "generalized_kl_div", "js_div"),
    ("bias",): ("mean_bias_error",),
}  # fmt: skip

#: What a loss can be asked for beside its tags -> the losses that have it.
FACTS = {
    "hessian": lambda info: info.has_hessian,
    "second derivative": lambda info: info.has_hessian,
    "newton": lambda info: info.has_hessian,
}


def keywords_of(infos: Sequence[LossInfo]) -> dict[str, list[str]]:
    """Return the phrases of every loss, those that name it rather than a tag of it first."""
    found: dict[str, list[str]] = {info.name: [] for info in infos}
    tags = {tag for info in infos for tag in info.tags}
    for phrases, targets in KEYWORDS.items():
        for target in targets:
            if target.startswith("#"):
                if target[1:] not in tags:
                    raise ValueError(f"keywords.py: no loss has the tag {target[1:]!r}")
                names: Iterator[str] = (info.name for info in infos if target[1:] in info.tags)
            else:
                if target not in found:
                    raise ValueError(f"keywords.py: {target!r} is no loss")
                names = iter((target,))
            for name in names:
                found[name] += [phrase for phrase in phrases if phrase not in found[name]]
    for phrase, holds in FACTS.items():
        for info in infos:
            if holds(info):
                found[info.name].append(phrase)
    return found


def places(infos: Sequence[LossInfo]) -> dict[str, dict[str, int]]:
    """Return for every loss the place that it has in the list of a phrase: the best answer comes first."""
    found: dict[str, dict[str, int]] = {info.name: {} for info in infos}
    for phrases, targets in KEYWORDS.items():
        for place, target in enumerate(targets):
            if target in found:
                found[target] |= dict.fromkeys(phrases, place)
    return found
