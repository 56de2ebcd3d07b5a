"""Names of ``pytorch_metric_learning.losses``: losses of a batch of embeddings and their labels."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Package, Takes

__all__ = ["PACKAGE"]

PACKAGE = Package(
    "pml",
    "PyTorch Metric Learning",
    (
        Binding(
            ("ContrastiveLoss",),
            (
                Case(
                    refused="it takes embeddings and labels, forms all pairs, does not square, and averages both "
                    "kinds of "
                    "pairs apart over those that cost something; losslib.contrastive_loss takes given pairs"
                ),
            ),
            {"pos_margin": Takes(0.0), "neg_margin": Takes(1.0)},
        ),
        Binding(
            ("TripletMarginLoss",),
            (
                Case(
                    refused="it takes embeddings and labels, forms all triplets of normalised vectors, and averages "
                    "those "
                    "that cost something; losslib.triplet_margin_loss takes given triplets"
                ),
            ),
            {
                "margin": Takes(0.05),
                "swap": Takes(False),
                "smooth_loss": Takes(False),
                "triplets_per_anchor": Takes("all"),
            },
        ),
    ),
    prefixes=("losses.", "pytorch_metric_learning.losses."),
    order="(embeddings, labels)",
)
