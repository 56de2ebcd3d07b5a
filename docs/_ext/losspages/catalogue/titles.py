"""Names of losses as words: in titles of pages, and as a person would type them into a search."""

from __future__ import annotations

import re

from losslib.declaration.schema import LossInfo

#: Words of function names that are not written in small letters, or not as one word.
WORDS = {
    "l1": "L1", "mse": "MSE", "lq": "L_q", "poisson": "Poisson", "gaussian": "Gaussian", "tweedie": "Tweedie",
    "laplace": "Laplace", "huber": "Huber", "charbonnier": "Charbonnier", "cauchy": "Cauchy", "welsch": "Welsch",
    "geman": "Geman–", "mcclure": "McClure", "tukey": "Tukey", "barron": "Barron", "crammer": "Crammer–",
    "singer": "Singer", "nll": "NLL", "kl": "KL", "js": "JS", "div": "divergence", "ctc": "CTC", "rnnt": "RNN-T",
    "iou": "IoU", "giou": "GIoU", "diou": "DIoU", "ciou": "CIoU", "aft": "AFT", "cox": "Cox", "dice": "Dice",
    "tversky": "Tversky", "lovasz": "Lovász", "weibull": "Weibull", "efron": "Efron", "breslow": "Breslow",
    "bce": "BCE", "hausdorff": "Hausdorff", "jaccard": "Jaccard", "poly1": "Poly-1", "crps": "CRPS", "mcc": "MCC",
    "wasserstein": "Wasserstein", "ph": "PH", "pc": "PC", "pmf": "PMF", "ldam": "LDAM", "emd": "EMD", "nce": "NCE",
    "arcface": "ArcFace", "cosface": "CosFace", "sphereface": "SphereFace", "entmax": "entmax", "coral": "CORAL",
    "corn": "CORN", "supcon": "SupCon", "clip": "CLIP", "siglip": "SigLIP", "vicreg": "VICReg", "barlow": "Barlow",
    "twins": "Twins", "nca": "NCA", "xent": "Xent", "lambdarank": "LambdaRank", "listnet": "ListNet",
    "listmle": "ListMLE", "ndcg": "NDCG", "xe": "XE", "mrr": "MRR", "auc": "AUC", "ap": "AP", "rmse": "RMSE",
    "qr": "QR", "aucm": "AUC-margin", "deephit": "DeepHit", "ipcw": "IPCW", "brier": "Brier", "fast": "Fast",
}  # fmt: skip

#: Names whose words belong together in a way that a word alone does not show.
PHRASES = {
    "log cosh": "log-cosh", "pseudo Huber": "pseudo-Huber", "student t": "Student t", "bi tempered": "bi-tempered",
    "Geman– McClure": "Geman–McClure", "Crammer– Singer": "Crammer–Singer", "multilabel": "multi-label",
    "nt Xent": "NT-Xent", "info NCE": "InfoNCE", "n pairs": "N-pairs", "Fast AP": "FastAP", "smooth AP": "Smooth-AP",
    "XE NDCG": "XE-NDCG", "approx NDCG": "ApproxNDCG", "approx MRR": "ApproxMRR", "neural NDCG": "NeuralNDCG",
    "hsigmoid": "hierarchical sigmoid", "log softmax": "log-softmax",
    "proxy NCA": "Proxy-NCA", "proxy anchor": "Proxy-Anchor",
    "soft triple": "SoftTriple", "dt": "DT", "epsilon insensitive": "epsilon-insensitive",
    "multiclass": "multi-class", "smooth L1": "smooth L1",
}  # fmt: skip


def title_of(info: LossInfo) -> str:
    """Return the title of a loss's page: ``huber_loss`` is Huber loss."""
    text = " ".join(WORDS.get(word, word) for word in info.name.split("_"))
    for found, written in PHRASES.items():
        text = re.sub(rf"\b{re.escape(found)}\b", written, text)
    text = text.replace("L_q", "Lq")
    return text[0].upper() + text[1:]


def spoken(name: str) -> str:
    """Write a name as a person would search for it: ``log_loss`` is log loss, ``BCELoss`` stays."""
    if name.isupper() or "_" in name or ":" in name or name.islower():
        return name.replace("_", " ").replace(":", " ")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).lower()
