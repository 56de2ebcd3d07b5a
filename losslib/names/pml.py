"""Names of ``pytorch_metric_learning.losses``: losses of a batch of embeddings and their labels."""

from __future__ import annotations

from losslib.names.schema import REQUIRED, Binding, Case, Only, Package, Parameter, Takes

__all__ = ["PACKAGE"]

PROXIES = (
    "its {what} are parameters of the loss; losslib.{loss} takes them as an array: "
    "losslib.{loss}(embeddings, labels, {what})"
)
COSINES = (
    "the product with its matrix W is within the loss; losslib.{loss} takes the cosines of embeddings and the columns "
    "of W"
)
ALL = Only("all", "it would sample triplets; losslib takes every one")


def batch(loss: str, names: tuple[str, ...], parameters: dict[str, Parameter], **sets: object) -> Binding:
    """Bind a loss of embeddings and labels."""
    return Binding(names, (Case(loss, sets=sets, reduction="mean"),), parameters)


def inside(name: str, loss: str, text: str, what: str, **parameters: Parameter) -> Binding:
    """Refuse a loss that owns what losslib takes as an input."""
    sizes = {"num_classes": Takes(REQUIRED), "embedding_size": Takes(REQUIRED)}
    return Binding((name,), (Case(refused=text.format(loss=loss, what=what)),), {**sizes, **parameters})


PACKAGE = Package(
    "pml",
    "PyTorch Metric Learning",
    (
        batch("pair_contrastive_loss", ("ContrastiveLoss",), {"pos_margin": Takes(0.0), "neg_margin": Takes(1.0)}),
        batch(
            "pair_contrastive_loss",
            ("SignalToNoiseRatioContrastiveLoss",),
            {"pos_margin": Takes(0.0), "neg_margin": Takes(1.0)},
            distance="snr",
        ),
        batch(
            "batch_triplet_loss",
            ("TripletMarginLoss",),
            {
                "margin": Takes(0.05),
                "swap": Only(False, "it takes the smaller of two distances; losslib.triplet_margin_loss has swap"),
                "smooth_loss": Takes(False, to="soft"),
                "triplets_per_anchor": ALL,
            },
            mining="all",
        ),
        batch("supcon_loss", ("SupConLoss",), {"temperature": Takes(0.1)}),
        batch("nt_xent_loss", ("NTXentLoss",), {"temperature": Takes(0.07)}),
        batch("circle_loss", ("CircleLoss",), {"m": Takes(0.4, to="margin"), "gamma": Takes(80)}),
        batch(
            "multi_similarity_loss",
            ("MultiSimilarityLoss",),
            {"alpha": Takes(2), "beta": Takes(50), "base": Takes(0.5)},
        ),
        batch("lifted_structure_loss", ("LiftedStructureLoss",), {"neg_margin": Takes(1.0), "pos_margin": Takes(0.0)}),
        batch(
            "lifted_structure_loss",
            ("GeneralizedLiftedStructureLoss",),
            {"neg_margin": Takes(1.0), "pos_margin": Takes(0.0)},
            generalized=True,
        ),
        batch("nca_loss", ("NCALoss",), {"softmax_scale": Takes(1, to="scale")}),
        batch("fast_ap_loss", ("FastAPLoss",), {"num_bins": Takes(10)}),
        Binding(
            ("MarginLoss",),
            (
                Case(
                    refused="its border beta is a parameter of the loss; losslib.margin_loss takes it as an array: "
                    "losslib.margin_loss(embeddings, labels, beta)"
                ),
            ),
            {
                "margin": Takes(0.2),
                "nu": Takes(0),
                "beta": Takes(1.2),
                "triplets_per_anchor": Takes("all"),
                "learn_beta": Takes(False),
                "num_classes": Takes(None),
            },
        ),
        inside("ProxyNCALoss", "proxy_nca_loss", PROXIES, "proxies", softmax_scale=Takes(1)),
        inside("ProxyAnchorLoss", "proxy_anchor_loss", PROXIES, "proxies", margin=Takes(0.1), alpha=Takes(32)),
        inside(
            "SoftTripleLoss",
            "soft_triple_loss",
            PROXIES,
            "centers",
            centers_per_class=Takes(10),
            la=Takes(20),
            gamma=Takes(0.1),
            margin=Takes(0.01),
        ),
        Binding(
            ("VICRegLoss",),
            (
                Case(
                    "vicreg_loss",
                    reduction="mean",
                    note="Called with ``ref_emb=`` the second view there, and without labels.",
                ),
            ),
            {
                "invariance_lambda": Takes(25, to="invariance_weight"),
                "variance_mu": Takes(25, to="variance_weight"),
                "covariance_v": Takes(1, to="covariance_weight"),
                "eps": Takes(1e-4),
            },
        ),
        Binding(
            ("NPairsLoss",),
            (
                Case(
                    refused="it picks one pair of each class and normalises vectors; write losslib.n_pairs_loss("
                    "anchors, positives, l2_reg=0.0, normalize=True)"
                ),
            ),
        ),
        Binding(
            ("SmoothAPLoss",),
            (
                Case(
                    refused="it takes the number of classes for that of their members, the same only where both are "
                    "equal; losslib.smooth_ap_loss(embeddings, labels) takes classes of any size"
                ),
            ),
            {"temperature": Takes(0.01)},
        ),
        Binding(
            ("NormalizedSoftmaxLoss",),
            (
                Case(
                    refused="the product with its matrix W is within the loss; write losslib.cross_entropy(cosines / "
                    "temperature, labels)"
                ),
            ),
            {"num_classes": Takes(REQUIRED), "embedding_size": Takes(REQUIRED), "temperature": Takes(0.05)},
        ),
        inside("ArcFaceLoss", "arcface_loss", COSINES, "W", margin=Takes(28.6), scale=Takes(64)),
        inside(
            "SubCenterArcFaceLoss",
            "arcface_loss",
            COSINES,
            "W",
            margin=Takes(28.6),
            scale=Takes(64),
            sub_centers=Takes(3),
        ),
        inside("CosFaceLoss", "cosface_loss", COSINES, "W", margin=Takes(0.35), scale=Takes(64)),
        inside("SphereFaceLoss", "sphereface_loss", COSINES, "W", margin=Takes(4), scale=Takes(1)),
    ),
    prefixes=("losses.", "pytorch_metric_learning.losses."),
    order="(embeddings, labels)",
)
