"""What the tags of losses mean, and which of them were measured: the page of all tags is made of this."""

from __future__ import annotations

from collections.abc import Sequence

from losslib.declaration.schema import LossInfo
from losspages.rst import heading, slug

__all__ = ["MEANINGS", "MEASURED", "page"]

#: Tags that a measurement of the kernel must agree with, or the site is not built.
MEASURED = ("convex", "smooth", "proper", "robust", "bounded")

MEANINGS = {
    "convex": "The mean of two predictions costs no more than the mean of their costs, at the defaults.",
    "smooth": "The gradient has no jumps, at the defaults.",
    "proper": "The best constant prediction tells the truth: the share of positives, the mean, the classes' shares.",
    "robust": "The slope stays below a bound, however large the error: one wrong target pulls with a limited strength.",
    "bounded": "The value stays below a bound, however wrong the prediction.",
    "AUC": "The area under the ROC curve, or a bound of it.",
    "NDCG": "The discounted gain of a ranking, smoothed or as a weight.",
    "alignment": "Which frame belongs to which label is unknown, and summed over.",
    "asymmetric": "Too much and too little cost differently.",
    "batch": "The value is one of the whole batch and no sum over its samples.",
    "binary": "Two classes.",
    "boundaries": "Distances from the border of a region.",
    "boxes": "Rectangles, by their overlap and places.",
    "censoring": "Some events have not been seen when the observation ends.",
    "competing risks": "Events of several kinds, of which one comes first.",
    "contrastive": "Each vector is compared with the others of its batch.",
    "cosine": "By the angle between vectors, whatever their lengths.",
    "cosines": "Predictions are cosines of angles, between -1 and 1.",
    "counts": "Targets are counts.",
    "detection": "Objects found in images: boxes and their scores.",
    "distance": "The prediction is a distance.",
    "distributions": "Predictions and targets are whole distributions, one beside the other.",
    "divergence": "How far one distribution is from another; 0 where they are the same.",
    "embedding": "Vectors that stand for things: alike ones near, others apart.",
    "euclidean": "By the length of the difference of vectors.",
    "focal": "What is predicted well already counts less.",
    "held weights": "Weights computed from the predictions are constants for the gradient, as their authors have it.",
    "hidden states": "Takes what stands before the last layer, and that layer's weights.",
    "imbalance": "For classes of which one is rare, or regions that are small.",
    "labels": "Samples have a class; which are alike follows from it.",
    "likelihood": "Minus the logarithm of the probability of what was seen.",
    "lists": "Items of a query, whose order counts.",
    "log link": "Predictions are logarithms of what they stand for.",
    "log-probabilities": "Predictions are logarithms of probabilities.",
    "logits": "Predictions are scores before a sigmoid or softmax.",
    "margin": "Satisfied once the right answer leads by enough.",
    "min-max": "Some parameters climb while the others descend.",
    "multi-class": "One of several classes.",
    "multi-label": "Several classes may hold at once.",
    "ordinal": "Classes have an order.",
    "pairs": "Compares two things at a time.",
    "positive": "Predictions or targets are positive.",
    "probabilities": "Predictions are probabilities.",
    "proxies": "Each class has vectors that are learned.",
    "ranking": "Only the order of scores or distances counts.",
    "real": "Targets are real numbers.",
    "regions": "Masks, by what they have in common.",
    "relative": "Errors are measured against the size of the target.",
    "risk sets": "Each event is compared with the samples that were at risk then.",
    "rows": "Each sample has a row of numbers, one for each interval of time.",
    "sampled": "Only some of the classes are looked at.",
    "scale-invariant": "A factor of the prediction changes nothing.",
    "segmentation": "A class for each pixel.",
    "self-supervised": "No labels: two views of the same thing are alike.",
    "sequence": "A sequence of frames and a sequence of labels.",
    "signed": "The sign says whether predictions are too high or too low.",
    "signs": "Targets are -1 and 1.",
    "small objects": "Also for boxes of a few pixels.",
    "soft labels": "Targets may be probabilities.",
    "softmax": "A softmax over the scores of a list.",
    "sparse": "Probabilities may be exactly 0.",
    "survival": "Times until an event.",
    "triplets": "An anchor, something like it and something unlike it.",
    "two outputs": "The prediction is a value and its spread.",
    "uncertainty": "The prediction says how sure it is.",
    "vectors": "Predictions are vectors.",
    "zeros": "Many targets are exactly 0.",
}


def page(infos: Sequence[LossInfo]) -> str:
    """Return the page of all tags: what each means, whether it was measured, and the losses that have it."""
    measured = ", ".join(f":ref:`{tag} <{slug(tag)}>`" for tag in MEASURED)
    parts = [
        ":orphan:\n",
        heading("Losses by tag", "="),
        "Five tags are measured with the kernels while the site is built, which fails where a loss says otherwise: "
        f"{measured}; the last two for losses of single elements. The others say what a loss is for and what it takes, "
        "and are written by hand.\n",
    ]
    tags = sorted({tag for info in infos for tag in info.tags} - set(MEASURED), key=str.lower)
    for tag in (*MEASURED, *tags):
        listed = ", ".join(f":py:func:`~losslib.{info.name}`" for info in infos if tag in info.tags)
        parts.append(f".. _{slug(tag)}:\n\n{heading(tag)}\n{MEANINGS.get(tag, '')}\n\n{listed}\n")
    return "\n".join(parts)
