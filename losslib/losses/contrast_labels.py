"""Batches of labelled vectors: members of a class against the rest, proxies and centres of classes.

Every loss takes ``input`` of shape (N, D) and labels, of which only equality counts, or a boolean mask of positives.
With ``reference`` the vectors meet those of a queue in place of each other.
"""

from __future__ import annotations

from typing import Any

from losslib.declaration.schema import Choice, Equivalent, Flag, Input, Integer, Real, Reference
from losslib.declare import declare
from losslib.losses.contrast_views import NORMALIZE, PRODUCTS, VALUES

__all__ = [
    "BatchTripletLoss",
    "CenterLoss",
    "CircleLoss",
    "FastAPLoss",
    "LiftedStructureLoss",
    "MarginLoss",
    "MultiSimilarityLoss",
    "NCALoss",
    "NTXentLoss",
    "PairContrastiveLoss",
    "ProxyAnchorLoss",
    "ProxyNCALoss",
    "SmoothAPLoss",
    "SoftTripleLoss",
    "SupConLoss",
    "batch_triplet_loss",
    "center_loss",
    "circle_loss",
    "fast_ap_loss",
    "lifted_structure_loss",
    "margin_loss",
    "multi_similarity_loss",
    "nca_loss",
    "nt_xent_loss",
    "pair_contrastive_loss",
    "proxy_anchor_loss",
    "proxy_nca_loss",
    "smooth_ap_loss",
    "soft_triple_loss",
    "supcon_loss",
]

VECTORS = Input("input", "Vectors of shape (N, D).", holds="row")
LABELS = Input(
    "target",
    "Labels, integers of shape (N,) of which only equality counts; or a boolean mask of the positives of each row, of "
    "shape (N, N), (N, M) with a reference.",
    holds="member",
)
CLASSES = Input("target", "Classes, integers of shape (N,).", holds="class")
REFERENCE = Input(
    "reference",
    "Vectors of shape (M, D) that each row meets in place of the batch, such as a queue.",
    holds="row",
    optional=True,
)
REFERENCE_LABELS = Input("reference_target", "Their labels, of shape (M,).", holds="member", optional=True)
PROXIES = Input("proxies", "One vector for each class, of shape (C, D); they are learnt.", holds="row", shared=True)

DISTANCE = Choice(
    "distance",
    "euclidean",
    'What vectors are compared by: ``"cosine"`` is 1 less the cosine, ``"snr"`` the variance of the difference over '
    'that of the row; ``"precomputed"``: the input is the matrix of distances and gets the gradient.',
    choices=("euclidean", "sqeuclidean", "cosine", "snr", "precomputed"),
)
NEAR = (
    "Distances come from products; where two vectors nearly agree, from the differences of their components. A "
    "distance of 0 has the gradient 0."
)


def labelled(name: str, class_name: str, **fields: Any) -> Any:
    """Declare a loss of a labelled batch; what all of them share is filled in."""
    fields.setdefault("inputs", (VECTORS, LABELS, REFERENCE, REFERENCE_LABELS))
    fields.setdefault("differentiable", ("input", "reference"))
    fields["parameters"] = (*fields.get("parameters", ()), fields.pop("normalize", NORMALIZE))
    fields.setdefault("symbols", {"x": "input", "t": "target"})
    fields["notes"] = " ".join([fields.pop("notes", ""), VALUES, PRODUCTS]).strip()
    return declare("similarity", name, class_name, family="contrastive", has_hessian=False, **fields)


def proxied(name: str, class_name: str, vectors: Input, **fields: Any) -> Any:
    """Declare a loss of a batch against vectors of its classes."""
    return labelled(
        name,
        class_name,
        inputs=(VECTORS, CLASSES, vectors),
        differentiable=("input", vectors.name),
        default_wrt=("input", vectors.name),
        **fields,
    )


#: Means over pairs or triplets have no value for a row.
OF_PAIRS = ("mean", "sum", "weighted_mean")

KHOSLA = Reference(
    "Khosla, P., Teterwak, P., Wang, C., Sarna, A., Tian, Y., Isola, P., Maschinot, A., Liu, C. and Krishnan, D. "
    "(2020). Supervised contrastive learning. Advances in Neural Information Processing Systems, 33, 18661-18673.",
    url="https://arxiv.org/abs/2004.11362",
)


def pml(name: str, note: str = "The same defaults.") -> Equivalent:
    return Equivalent("pytorch_metric_learning", name, note=note)


supcon_loss, SupConLoss = labelled(
    "supcon_loss",
    "SupConLoss",
    aliases=("supcon", "supervised_contrastive_loss"),
    summary="Cross entropy of finding the members of the class of a vector among all others of the batch.",
    parameters=(
        Real("temperature", 0.1, "Divides the similarities.", above=0.0, examples=(0.5,)),
        Real(
            "base_temperature",
            None,
            "The loss is multiplied by temperature over this; None: by 1.",
            above=0.0,
            optional=True,
            examples=(0.07,),
        ),
    ),
    kernel="supcon",
    formula="lse_(k != i)(s_ik/temperature) - mean_P(s_ip/temperature)",
    latex={
        "value": r"\frac{\tau}{\tau_b}\Bigl(\log\sum_{k \neq i} e^{s_{ik}/\tau} - \frac{1}{|P_i|}\sum_{p \in P_i} "
        r"s_{ip}/\tau\Bigr)"
    },
    description=(
        "Contrastive learning with labels: all members of a class are positives of each other, everything else of the "
        "batch is contrast. It trains an encoder whose classes are clusters; a linear classifier on top follows. Rows "
        "without another member of their class do not count."
    ),
    notes="A batch without a positive pair has the value 0.",
    use_when=(
        "there are labels and the vectors matter more than the scores: retrieval, transfer, open classes",
        "several views of each sample are in the batch: give them one label",
    ),
    avoid_when=(
        "classes are many and batches small: hardly any row has a positive; ``proxy_anchor_loss``",
        "pairs without labels are all there is: ``info_nce_loss``",
    ),
    pitfalls=(
        "Batches should hold several samples of a class: sample them by class.",
        "PyTorch Metric Learning gives 0 for a batch that has no negative pair.",
    ),
    see_also=(
        ("nt_xent_loss", "each positive pair by itself"),
        ("multi_similarity_loss", "harder pairs weigh more"),
        ("info_nce_loss", "pairs without labels"),
    ),
    references=(KHOSLA,),
    equivalents=(pml("SupConLoss"),),
    examples=""">>> x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
>>> losslib.supcon_loss(x, [0, 0, 1, 1], temperature=0.5, reduction="none").round(4)
array([0.2333, 0.6271, 0.6271, 0.2333])

Value and gradient come from one pass:

>>> value, gradient = losslib.supcon_loss.value_and_grad(x, [0, 0, 1, 1], temperature=0.5)
>>> gradient.round(4)
array([[ 0.    , -0.0298],
       [-0.3735,  0.498 ],
       [ 0.6225,  0.    ],
       [-0.0238, -0.0179]])
""",
    tags=("contrastive", "vectors", "labels", "smooth"),
)

nt_xent_loss, NTXentLoss = labelled(
    "nt_xent_loss",
    "NTXentLoss",
    aliases=("nt_xent", "ntxent"),
    summary="Cross entropy of each positive pair of a batch against the negatives of its anchor.",
    parameters=(Real("temperature", 0.07, "Divides the similarities.", above=0.0, examples=(0.5,)),),
    kernel="nt_xent",
    formula="sum_P(log(exp(s_ip) + sum_N(exp(s_in))) - s_ip)",
    latex={
        "value": r"\sum_{p \in P_i}\Bigl[\log\Bigl(e^{s_{ip}/\tau} + \sum_{n \in N_i} e^{s_{in}/\tau}\Bigr) - "
        r"s_{ip}/\tau\Bigr]"
    },
    reductions=OF_PAIRS,
    description=(
        "Each ordered pair of the same label is a classification among that pair and all negatives; other positives "
        "are no contrast, unlike in ``supcon_loss``. The mean is over pairs, 0.0 for a batch that has none."
    ),
    notes="Means over pairs have no value for a row.",
    use_when=(
        "labels say which views belong together, and there may be more than two",
        "every pair should count alike, also of large classes",
    ),
    avoid_when=(
        "two views come as two arrays: ``info_nce_loss``",
        "classes are large and near: positives are no contrast for each other",
    ),
    pitfalls=("optax gives NaN for a batch without a positive pair.",),
    see_also=(("supcon_loss", "a mean over the positives of a row"), ("info_nce_loss", "two arrays of views")),
    references=(
        Reference(
            "Sohn, K. (2016). Improved deep metric learning with multi-class N-pair loss objective. Advances in Neural "
            "Information Processing Systems, 29, 1857-1865.",
            url="https://papers.nips.cc/paper/6200",
        ),
    ),
    equivalents=(pml("NTXentLoss"), Equivalent("optax", "ntxent", note="Of vectors and labels, the same mean.")),
    examples=""">>> x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
>>> round(losslib.nt_xent_loss(x, [0, 0, 1, 1], temperature=0.5), 4)
0.4302

Value and gradient come from one pass:

>>> value, gradient = losslib.nt_xent_loss.value_and_grad(x, [0, 0, 1, 1], temperature=0.5)
>>> gradient.round(4)
array([[ 0.    , -0.0298],
       [-0.3735,  0.498 ],
       [ 0.6225,  0.    ],
       [-0.0238, -0.0179]])
""",
    tags=("contrastive", "vectors", "labels", "smooth"),
)

circle_loss, CircleLoss = labelled(
    "circle_loss",
    "CircleLoss",
    aliases=("circle",),
    summary="Soft comparison of all positives with all negatives of a row, weighted by how far each is from its goal.",
    parameters=(
        Real("margin", 0.4, "Relaxation of the goals 1 and 0.", least=0.0, below=1.0, examples=(0.25,)),
        Real("gamma", 80.0, "Scale of the similarities.", above=0.0, examples=(1.0,)),
        Flag("detach_weights", True, "Hold the weights constant for the gradient, as its authors do."),
        Choice("average", "active", "Rows that the mean counts: those above 0, or all.", choices=("active", "all")),
    ),
    kernel="circle",
    formula="softplus(lse_N(gamma*w_n*(s - m)) + lse_P(-gamma*w_p*(s - 1 + m)))",
    latex={
        "value": r"\operatorname{softplus}\Bigl(\log\sum_{n} e^{\gamma\alpha_n(s_n - m)} + \log\sum_{p} "
        r"e^{-\gamma\alpha_p(s_p - 1 + m)}\Bigr)",
        "with": r"\alpha_p = (1 + m - s_p)_+,\quad \alpha_n = (s_n + m)_+",
    },
    description=(
        "Triplet losses ask of every pair the same; here a similarity that is far from its goal is weighted more, and "
        "the border of the decision becomes a circle. The weights are constant for the gradient unless "
        "``detach_weights=False``. Rows without positives or without negatives are 0."
    ),
    notes="Held weights: with detach_weights the gradient is not the slope of the value.",
    use_when=(
        "faces or products are embedded and batches hold several of each class",
        "pairs near to their goal should be left alone",
    ),
    avoid_when=(
        "vectors are not normalised: the goals are cosines",
        "lengths of vectors carry meaning",
    ),
    pitfalls=("Keras' Circle lets the gradient through the weights: detach_weights=False.",),
    see_also=(("multi_similarity_loss", "softer weights"), ("batch_triplet_loss", "hard choices")),
    references=(
        Reference(
            "Sun, Y., Cheng, C., Zhang, Y., Zhang, C., Zheng, L., Wang, Z. and Wei, Y. (2020). Circle loss: a unified "
            "perspective of pair similarity optimization. IEEE Conference on Computer Vision and Pattern Recognition, "
            "6397-6406.",
            doi="10.1109/CVPR42600.2020.00643",
        ),
    ),
    equivalents=(pml("CircleLoss"), Equivalent("keras", "Circle", note="Of normalised vectors; detach_weights=False.")),
    examples=""">>> x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
>>> losslib.circle_loss(x, [0, 0, 1, 1], gamma=2.0, reduction="none").round(4)
array([0.8577, 1.0097, 1.0097, 0.8577])

Value and gradient come from one pass:

>>> value, gradient = losslib.circle_loss.value_and_grad(x, [0, 0, 1, 1], gamma=2.0)
>>> gradient.round(4)
array([[ 0.    , -0.128 ],
       [-0.3901,  0.5202],
       [ 0.6502,  0.    ],
       [-0.1024, -0.0768]])
""",
    tags=("contrastive", "vectors", "labels", "margin", "held weights"),
)

multi_similarity_loss, MultiSimilarityLoss = labelled(
    "multi_similarity_loss",
    "MultiSimilarityLoss",
    aliases=("multi_similarity", "ms_loss"),
    summary="Soft maxima of what positives lack and negatives exceed, by their similarity and by that of the others.",
    parameters=(
        Real("alpha", 2.0, "Sharpness for positives.", above=0.0, examples=(1.0,)),
        Real("beta", 50.0, "Sharpness for negatives.", above=0.0, examples=(1.0,)),
        Real("base", 0.5, "Border between similar and not.", examples=(0.0,)),
    ),
    kernel="multi_similarity",
    formula="log(1 + sum_P(exp(-alpha*(s - base))))/alpha + log(1 + sum_N(exp(beta*(s - base))))/beta",
    latex={
        "value": r"\frac{1}{\alpha}\log\Bigl(1 + \sum_{p} e^{-\alpha(s_{ip} - b)}\Bigr) + \frac{1}{\beta}\log\Bigl(1 + "
        r"\sum_{n} e^{\beta(s_{in} - b)}\Bigr)"
    },
    description=(
        "Each pair is weighted by its own similarity and by how it compares with the other pairs of its row: a soft "
        "maximum over positives and one over negatives. The mean is over all rows."
    ),
    use_when=(
        "a general loss of labelled batches is wanted that needs no mining",
        "positives and negatives should be weighted by their company",
    ),
    avoid_when=(
        "vectors are not normalised: base is a cosine",
        "distances are wanted and not cosines: ``batch_triplet_loss``",
    ),
    pitfalls=("Its authors mine pairs first; without mining beta=50 does nearly the same.",),
    see_also=(("circle_loss", "a comparison of both kinds"), ("proxy_anchor_loss", "the same sums over proxies")),
    references=(
        Reference(
            "Wang, X., Han, X., Huang, W., Dong, D. and Scott, M. R. (2019). Multi-similarity loss with general pair "
            "weighting for deep metric learning. IEEE Conference on Computer Vision and Pattern Recognition, "
            "5017-5025.",
            doi="10.1109/CVPR.2019.00516",
        ),
    ),
    equivalents=(pml("MultiSimilarityLoss"),),
    examples=""">>> x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
>>> losslib.multi_similarity_loss(x, [0, 0, 1, 1], reduction="none").round(4)
array([0.2187, 0.3189, 0.3189, 0.2187])

Value and gradient come from one pass:

>>> value, gradient = losslib.multi_similarity_loss.value_and_grad(x, [0, 0, 1, 1])
>>> gradient.round(4)
array([[ 0.    , -0.1063],
       [-0.3022,  0.4029],
       [ 0.5036,  0.    ],
       [-0.085 , -0.0638]])
""",
    tags=("contrastive", "vectors", "labels", "smooth"),
)

lifted_structure_loss, LiftedStructureLoss = labelled(
    "lifted_structure_loss",
    "LiftedStructureLoss",
    aliases=("lifted_structure", "lifted"),
    summary="Squared hinge of each positive pair against a soft minimum over the negatives of both of its members.",
    parameters=(
        Real("neg_margin", 1.0, "Distance that negatives should have.", examples=(0.5,)),
        Real("pos_margin", 0.0, "Distance that positives may have.", examples=(0.2,)),
        Flag("generalized", False, "A soft maximum over the positives of a row too, without the square."),
    ),
    kernel="lifted_structure",
    formula="sum_P(max(0, d_ip - pos_margin + lse_N(neg_margin - d))**2/2)",
    latex={
        "value": r"\sum_{p \in P_i} \tfrac{1}{2}\Bigl(d_{ip} - m^+ + \log\sum_{n \in N_i \cup N_p} e^{m^- - d_n}"
        r"\Bigr)_+^2",
        "generalized": r"\Bigl(\log\sum_p e^{d_{ip} - m^+} + \log\sum_n e^{m^- - d_{in}}\Bigr)_+",
    },
    reductions=OF_PAIRS,
    description=(
        "Lifts the pairs of a batch to a structure: a positive pair is compared with the negatives of both members at "
        "once, by a soft minimum. The mean is over ordered positive pairs, or over rows in the generalised form."
    ),
    notes=f"{NEAR} Two sweeps over the products: the sums over negatives of both members must be known first.",
    use_when=(
        "results of the paper are to be reproduced",
        "a positive pair should be compared with all negatives of both members",
    ),
    avoid_when=(
        "training is new: ``multi_similarity_loss`` is steadier",
        "rows need values of their own: the mean is over pairs",
    ),
    pitfalls=(
        "Beside a reference the negatives of a row are references, and those of a reference are rows of the batch.",
        "The generalised form is 0 for rows without positives or without negatives.",
    ),
    see_also=(("batch_triplet_loss", "hard choices"), ("multi_similarity_loss", "similarities")),
    references=(
        Reference(
            "Oh Song, H., Xiang, Y., Jegelka, S. and Savarese, S. (2016). Deep metric learning via lifted structured "
            "feature embedding. IEEE Conference on Computer Vision and Pattern Recognition, 4004-4012.",
            doi="10.1109/CVPR.2016.434",
        ),
        Reference(
            "Hermans, A., Beyer, L. and Leibe, B. (2017). In defense of the triplet loss for person re-identification.",
            url="https://arxiv.org/abs/1703.07737",
        ),
    ),
    equivalents=(
        pml("LiftedStructureLoss", "Without a reference: there it takes rows of the wrong set for negatives."),
        pml("GeneralizedLiftedStructureLoss", "generalized=True."),
    ),
    examples=""">>> x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
>>> round(losslib.lifted_structure_loss(x, [0, 0, 1, 1]), 4)
1.4328

Value and gradient come from one pass:

>>> value, gradient = losslib.lifted_structure_loss.value_and_grad(x, [0, 0, 1, 1])
>>> gradient.round(4)
array([[ 0.    , -0.4099],
       [-0.9958,  1.3278],
       [ 1.6597,  0.    ],
       [-0.3279, -0.2459]])
""",
    tags=("contrastive", "vectors", "labels", "margin"),
)

batch_triplet_loss, BatchTripletLoss = labelled(
    "batch_triplet_loss",
    "BatchTripletLoss",
    aliases=("batch_hard", "batch_all", "semi_hard", "batch_hard_triplet", "triplet_semihard_loss"),
    summary="Triplet loss over a labelled batch: the hardest of each row, semi-hard ones, or all.",
    parameters=(
        Real("margin", 1.0, "By how much a negative should be farther than a positive.", examples=(0.2, 0.0)),
        Choice(
            "mining",
            "hard",
            'The farthest positive and the nearest negative of a row; ``"semi_hard"``: for each positive the nearest '
            'negative that is farther, else the farthest; ``"all"``: every triplet.',
            choices=("hard", "semi_hard", "all"),
        ),
        Flag("soft", False, "Take softplus in place of the hinge."),
        DISTANCE,
    ),
    kernel="batch_triplet",
    formula="sum(max(0, d_ap - d_an + margin))",
    latex={"value": r"\sum_{(p, n)} \bigl(d_{ip} - d_{in} + m\bigr)_+"},
    reductions=OF_PAIRS,
    description=(
        "Each vector should be nearer to every member of its class than to any other vector, by a margin. Which "
        "triplets count decides how it trains: ``hard`` takes one for each row and may collapse at first, "
        "``semi_hard`` one for each positive pair, ``all`` every one.\n\n"
        "The mean is over rows that have both for ``hard``, over positive pairs for ``semi_hard``, over triplets above "
        "0 for ``all``; 0.0 where there are none."
    ),
    notes=(
        f"{NEAR} All triplets of a row are added up by sorting both kinds of distances: O(N log N) in place of their "
        "product, and no list of triplets. With soft it is their product. Of equal distances the first counts."
    ),
    use_when=(
        "batches are sampled as P classes of K members: batch-hard is the standard of re-identification",
        "distances matter later, not angles",
    ),
    avoid_when=(
        "training collapses to one point: begin with ``semi_hard``, or with soft=True",
        "triplets come as arrays: ``triplet_margin_loss``",
    ),
    pitfalls=(
        "TensorFlow Addons squares distances (distance='sqeuclidean') and divides by N.",
        "With normalize, distances are at most 2: a margin of 1 asks for much; 0.2 is usual.",
    ),
    see_also=(
        ("triplet_margin_loss", "given triplets"),
        ("margin_loss", "an absolute border"),
        ("multi_similarity_loss", "soft weights in place of choices"),
    ),
    references=(
        Reference(
            "Schroff, F., Kalenichenko, D. and Philbin, J. (2015). FaceNet: a unified embedding for face recognition "
            "and clustering. IEEE Conference on Computer Vision and Pattern Recognition, 815-823.",
            doi="10.1109/CVPR.2015.7298682",
        ),
        Reference(
            "Hermans, A., Beyer, L. and Leibe, B. (2017). In defense of the triplet loss for person re-identification.",
            url="https://arxiv.org/abs/1703.07737",
        ),
    ),
    equivalents=(pml("TripletMarginLoss", "With BatchHardMiner and MeanReducer for hard; without a miner for all."),),
    examples=""">>> x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
>>> round(losslib.batch_triplet_loss(x, [0, 0, 1, 1], margin=0.6), 4)
0.169
>>> round(losslib.batch_triplet_loss(x, [0, 0, 1, 1], margin=0.6, mining="all"), 4)
0.338

Value and gradient come from one pass:

>>> value, gradient = losslib.batch_triplet_loss.value_and_grad(x, [0, 0, 1, 1], margin=0.6)
>>> gradient.round(4)
array([[ 0.    , -0.2372],
       [-0.4106,  0.5475],
       [ 0.6844,  0.    ],
       [-0.1897, -0.1423]])
""",
    tags=("contrastive", "vectors", "labels", "margin"),
)

margin_loss, MarginLoss = labelled(
    "margin_loss",
    "MarginLoss",
    aliases=("wu_margin_loss", "margin_based_loss"),
    summary="Hinges on both sides of a border of distances that is learnt, over all triplets of a batch.",
    inputs=(
        VECTORS,
        LABELS,
        Input("beta", "The border between near and far, a number, or one for each class.", optional=True, default=1.2),
        REFERENCE,
        REFERENCE_LABELS,
    ),
    differentiable=("input", "beta", "reference"),
    parameters=(Real("margin", 0.2, "Half the width of the strip around the border.", least=0.0, examples=(0.5,)),),
    kernel="margin",
    formula="sum_P(N*max(0, margin + d - beta)) + sum_N(P*max(0, margin + beta - d))",
    latex={
        "value": r"|N_i|\sum_{p} (m + d_{ip} - \beta)_+ + |P_i|\sum_{n} (m + \beta - d_{in})_+",
    },
    reductions=OF_PAIRS,
    description=(
        "Triplets compare distances with each other; this loss compares them with a border, which is learnt and may "
        "differ by class. Positives should be within it, negatives beyond, each by a margin. A pair counts as often as "
        "there are triplets with it; the mean is over those above 0."
    ),
    notes=NEAR,
    use_when=(
        "distances should mean the same everywhere: a threshold decides later",
        "classes differ in spread: the border may be one for each",
    ),
    avoid_when=(
        "only the order of distances matters: ``batch_triplet_loss``",
        "distances of different classes are of different size and beta is one number",
    ),
    pitfalls=(
        "Its authors sample negatives by distance; without that, far ones outnumber the rest and are 0.",
        "PyTorch Metric Learning has a regulariser nu of the border, 0 by default.",
    ),
    see_also=(("pair_contrastive_loss", "two fixed borders"), ("batch_triplet_loss", "no border")),
    references=(
        Reference(
            "Wu, C.-Y., Manmatha, R., Smola, A. J. and Krähenbühl, P. (2017). Sampling matters in deep embedding "
            "learning. International Conference on Computer Vision, 2859-2867.",
            doi="10.1109/ICCV.2017.309",
        ),
    ),
    equivalents=(pml("MarginLoss"),),
    examples=""">>> x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
>>> round(losslib.margin_loss(x, [0, 0, 1, 1]), 4)
0.5056

Value and gradient come from one pass:

>>> value, gradient = losslib.margin_loss.value_and_grad(x, [0, 0, 1, 1])
>>> gradient.round(4)
array([[ 0.    ,  0.    ],
       [-0.5367,  0.7155],
       [ 0.8944,  0.    ],
       [ 0.    ,  0.    ]])
""",
    tags=("contrastive", "vectors", "labels", "margin"),
)

pair_contrastive_loss, PairContrastiveLoss = labelled(
    "pair_contrastive_loss",
    "PairContrastiveLoss",
    per="batch",
    aliases=("pair_contrastive", "batch_contrastive_loss"),
    summary="Mean of what positive pairs exceed a margin by, plus that of what negative pairs lack to another.",
    parameters=(
        Real("pos_margin", 0.0, "Distance that positives may have.", examples=(0.2,)),
        Real("neg_margin", 1.0, "Distance that negatives should have.", examples=(0.5,)),
        DISTANCE,
    ),
    kernel="pair_contrastive",
    formula="mean_P(max(0, d - pos_margin)) + mean_N(max(0, neg_margin - d))",
    latex={"value": r"\operatorname{mean}_{P}(d_{ip} - m^+)_+ + \operatorname{mean}_{N}(m^- - d_{in})_+"},
    reductions=("mean", "sum"),
    description=(
        "The contrastive loss over all pairs of a batch, without the square. Each of the two means is over the pairs "
        "that are above 0, so that few positives weigh as much as many negatives. One number of a batch."
    ),
    notes=f"{NEAR} Two sweeps over the products: the first counts.",
    use_when=(
        "pairs should be within and beyond known distances",
        "few positive pairs should weigh as much as many negative ones",
    ),
    avoid_when=(
        "pairs come as arrays with a label: ``contrastive_loss``",
        "one number for each row is needed",
    ),
    pitfalls=("Means over pairs above 0 jump where a pair reaches its margin.",),
    see_also=(("contrastive_loss", "given pairs, squared"), ("margin_loss", "one border, learnt")),
    references=(
        Reference(
            "Hadsell, R., Chopra, S. and LeCun, Y. (2006). Dimensionality reduction by learning an invariant mapping. "
            "IEEE Conference on Computer Vision and Pattern Recognition, 1735-1742.",
            doi="10.1109/CVPR.2006.100",
        ),
        Reference(
            "Yuan, T., Deng, W., Tang, J., Tang, Y. and Chen, B. (2019). Signal-to-noise ratio: a robust distance "
            "metric for deep metric learning. IEEE Conference on Computer Vision and Pattern Recognition, 4810-4819.",
            doi="10.1109/CVPR.2019.00495",
        ),
    ),
    equivalents=(pml("ContrastiveLoss"), pml("SignalToNoiseRatioContrastiveLoss", 'distance="snr".')),
    examples=""">>> x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
>>> round(losslib.pair_contrastive_loss(x, [0, 0, 1, 1]), 4)
0.738

Value and gradient come from one pass:

>>> value, gradient = losslib.pair_contrastive_loss.value_and_grad(x, [0, 0, 1, 1])
>>> gradient.round(4)
array([[ 0.    , -0.4743],
       [-0.8213,  1.095 ],
       [ 1.3688,  0.    ],
       [-0.3795, -0.2846]])
""",
    tags=("contrastive", "vectors", "labels", "margin", "batch"),
)

nca_loss, NCALoss = labelled(
    "nca_loss",
    "NCALoss",
    aliases=("nca", "neighbourhood_components"),
    summary="Negative log-probability of picking a neighbour of the own class, by a softmax of squared distances.",
    parameters=(Real("scale", 1.0, "Multiplies the squared distances.", above=0.0, examples=(4.0,)),),
    kernel="nca",
    formula="lse_(k != i)(-scale*d_ik) - lse_P(-scale*d_ip)",
    latex={
        "value": r"-\log\frac{\sum_{p \in P_i} e^{-\alpha\|x_i - x_p\|^2}}{\sum_{k \neq i} e^{-\alpha\|x_i - x_k\|^2}}"
    },
    description=(
        "A stochastic nearest neighbour: each row picks another with a probability that falls with the squared "
        "distance, and should pick one of its class. One near member is enough, so classes may have several clusters. "
        "Rows without another member do not count."
    ),
    notes=NEAR,
    use_when=(
        "vectors serve a nearest-neighbour search and classes may have several clusters",
        "a nearest-neighbour classifier is what will be used",
    ),
    avoid_when=(
        "all members of a class should come together: ``supcon_loss``",
        "dimensions are many and unscaled: exponentials see the nearest only",
    ),
    pitfalls=("PyTorch Metric Learning leaves out rows whose probability underflows too.",),
    see_also=(("proxy_nca_loss", "proxies in place of neighbours"), ("supcon_loss", "every positive counts")),
    references=(
        Reference(
            "Goldberger, J., Roweis, S., Hinton, G. and Salakhutdinov, R. (2004). Neighbourhood components analysis. "
            "Advances in Neural Information Processing Systems, 17, 513-520.",
            url="https://papers.nips.cc/paper/2566",
        ),
    ),
    equivalents=(pml("NCALoss", "softmax_scale is scale."),),
    examples=""">>> x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
>>> losslib.nca_loss(x, [0, 0, 1, 1], reduction="none").round(4)
array([0.2333, 0.6271, 0.6271, 0.2333])

Value and gradient come from one pass:

>>> value, gradient = losslib.nca_loss.value_and_grad(x, [0, 0, 1, 1])
>>> gradient.round(4)
array([[ 0.    , -0.0298],
       [-0.3735,  0.498 ],
       [ 0.6225,  0.    ],
       [-0.0238, -0.0179]])
""",
    tags=("contrastive", "vectors", "labels", "smooth"),
)

proxy_nca_loss, ProxyNCALoss = proxied(
    "proxy_nca_loss",
    "ProxyNCALoss",
    PROXIES,
    aliases=("proxy_nca", "proxy_nca_plus_plus"),
    summary="Cross entropy of the class of a vector by squared distances to one proxy of each class.",
    parameters=(Real("scale", 1.0, "Multiplies the squared distances.", above=0.0, examples=(8.0,)),),
    kernel="proxy_nca",
    formula="lse_c(-scale*d_ic) + scale*d_it",
    latex={"value": r"\alpha\|x_i - p_{t_i}\|^2 + \log\sum_c e^{-\alpha\|x_i - p_c\|^2}"},
    description=(
        "Each class has a proxy, a vector that is learnt; a sample meets the proxies and not the batch, so no "
        "positives have to be sampled. The proxy of the own class is part of the denominator, as in ProxyNCA++."
    ),
    notes=NEAR,
    use_when=(
        "classes are known and many, and batches too small for pairs",
        "positives cannot be sampled into batches",
    ),
    avoid_when=(
        "classes come and go: proxies have to be learnt",
        "proxies would outnumber the samples",
    ),
    pitfalls=(
        "Proxies need a learning rate of their own, ten to a hundred times that of the encoder.",
        "The first ProxyNCA leaves the positive out of the denominator.",
    ),
    see_also=(("proxy_anchor_loss", "proxies as anchors"), ("cosface_loss", "classes with a margin")),
    references=(
        Reference(
            "Teh, E. W., DeVries, T. and Taylor, G. W. (2020). ProxyNCA++: revisiting and revitalizing proxy "
            "neighborhood component analysis. European Conference on Computer Vision, 448-464.",
            doi="10.1007/978-3-030-58586-0_27",
        ),
    ),
    equivalents=(pml("ProxyNCALoss", "Its proxies are within the loss."),),
    examples=""">>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
>>> proxies = np.array([[1.0, 0.0], [0.6, 0.8]])
>>> losslib.proxy_nca_loss(x, [0, 1], proxies, reduction="none").round(4)
array([0.3711, 0.1839])

Value and gradient come from one pass:

>>> value, (by_input, by_proxies) = losslib.proxy_nca_loss.value_and_grad(x, [0, 1], proxies)
>>> by_input.round(4)
array([[0.    , 0.248 ],
       [0.0672, 0.    ]])
""",
    tags=("contrastive", "vectors", "labels", "proxies", "smooth"),
)

proxy_anchor_loss, ProxyAnchorLoss = proxied(
    "proxy_anchor_loss",
    "ProxyAnchorLoss",
    PROXIES,
    per="batch",
    aliases=("proxy_anchor",),
    summary="Soft maxima over the batch for each proxy: what its class lacks, and what the others exceed.",
    parameters=(
        Real("margin", 0.1, "Margin of the cosines.", least=0.0, examples=(0.0,)),
        Real("alpha", 32.0, "Sharpness.", above=0.0, examples=(4.0,)),
    ),
    kernel="proxy_anchor",
    formula="mean_c+(log(1 + sum_P(exp(-alpha*(s - margin))))) + mean_c(log(1 + sum_N(exp(alpha*(s + margin)))))",
    latex={
        "value": r"\frac{1}{|C^+|}\sum_{c \in C^+}\log\Bigl(1 + \sum_{t_i = c} e^{-\alpha(s_{ic} - m)}\Bigr) + "
        r"\frac{1}{|C|}\sum_c\log\Bigl(1 + \sum_{t_i \neq c} e^{\alpha(s_{ic} + m)}\Bigr)"
    },
    reductions=("mean", "sum"),
    description=(
        "Each proxy takes the whole batch as its data: a soft maximum over the members of its class pulls, one over "
        "all others pushes, so that hard samples weigh more. The first mean is over the classes of the batch, the "
        "second over all. One number of a batch."
    ),
    use_when=(
        "classes are known and many: fast to train, no mining",
        "hard samples should weigh more without mining",
    ),
    avoid_when=(
        "classes come and go",
        "one number for each sample is needed: ``proxy_nca_loss``",
    ),
    pitfalls=("Proxies need a learning rate of their own, a hundred times that of the encoder.",),
    see_also=(("proxy_nca_loss", "samples as anchors"), ("multi_similarity_loss", "the same sums without proxies")),
    references=(
        Reference(
            "Kim, S., Kim, D., Cho, M. and Kwak, S. (2020). Proxy anchor loss for deep metric learning. IEEE "
            "Conference on Computer Vision and Pattern Recognition, 3235-3244.",
            doi="10.1109/CVPR42600.2020.00330",
        ),
    ),
    equivalents=(pml("ProxyAnchorLoss", "Its proxies are within the loss."),),
    examples=""">>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
>>> proxies = np.array([[1.0, 0.0], [0.6, 0.8]])
>>> round(losslib.proxy_anchor_loss(x, [0, 1], proxies, alpha=2.0), 4)
1.396

Value and gradient come from one pass:

>>> value, (by_input, by_proxies) = losslib.proxy_anchor_loss.value_and_grad(x, [0, 1], proxies, alpha=2.0)
>>> by_input.round(4)
array([[0.    , 0.6417],
       [0.4311, 0.    ]])
""",
    tags=("contrastive", "vectors", "labels", "proxies", "smooth", "batch"),
)

soft_triple_loss, SoftTripleLoss = proxied(
    "soft_triple_loss",
    "SoftTripleLoss",
    Input("centers", "K centres for each class, of shape (C, K, D); they are learnt.", holds="row", shared=True),
    aliases=("soft_triple",),
    summary="Cross entropy of classes that have several centres, of which the near ones count.",
    parameters=(
        Real("la", 20.0, "Scale of the cosines.", above=0.0, examples=(1.0,)),
        Real("gamma", 0.1, "Temperature of the choice among the centres of a class.", above=0.0, examples=(1.0,)),
        Real("margin", 0.01, "Margin of the target's class.", least=0.0, examples=(0.2,)),
    ),
    kernel="soft_triple",
    formula="lse_c(la*(S_c - margin*(c == t))) - la*(S_t - margin)",
    latex={
        "value": r"-\log\operatorname{softmax}_c\bigl(\lambda(S_c - m\,[c = t])\bigr)_t",
        "with": r"S_c = \sum_k \operatorname{softmax}_k(s_{ck}/\gamma)\,s_{ck}",
    },
    description=(
        "A class may look in several ways: it has K centres, and its similarity is their mean weighted by a softmax, "
        "so that near centres count. A margin and a scaled softmax follow. The authors' penalty that merges centres is "
        "not part of it."
    ),
    use_when=(
        "classes have several kinds of members and the number of classes is known",
        "no pairs or triplets can be sampled",
    ),
    avoid_when=(
        "classes have one kind: ``cosface_loss``",
        "centres would outnumber the samples",
    ),
    pitfalls=("Centres lie as (classes, centres, components); those of a class are neighbours.",),
    see_also=(("proxy_nca_loss", "one proxy a class"), ("arcface_loss", "with sub_centers: a hard choice")),
    references=(
        Reference(
            "Qian, Q., Shang, L., Sun, B., Hu, J., Li, H. and Jin, R. (2019). SoftTriple loss: deep metric learning "
            "without triplet sampling. International Conference on Computer Vision, 6449-6457.",
            doi="10.1109/ICCV.2019.00655",
        ),
    ),
    equivalents=(pml("SoftTripleLoss", "Its centres are within the loss, without its regulariser."),),
    examples=""">>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
>>> centers = np.array([[[1.0, 0.0], [0.8, -0.6]], [[0.6, 0.8], [-0.6, 0.8]]])
>>> losslib.soft_triple_loss(x, [0, 1], centers, la=4.0, reduction="none").round(4)
array([0.208 , 0.0413])

Value and gradient come from one pass:

>>> value, (by_input, by_centers) = losslib.soft_triple_loss.value_and_grad(x, [0, 1], centers, la=4.0)
>>> by_input.round(4)
array([[0.    , 0.28  ],
       [0.0811, 0.    ]])
""",
    tags=("contrastive", "vectors", "labels", "proxies", "smooth"),
)

center_loss, CenterLoss = proxied(
    "center_loss",
    "CenterLoss",
    Input("centers", "One centre for each class, of shape (C, D).", holds="row", shared=True),
    aliases=("center",),
    summary="Half the squared distance of a vector from the centre of its class.",
    normalize=Flag("normalize", False, "Divide each vector by its length first."),
    kernel="center",
    formula="norm(x - c_t)**2/2",
    latex={"value": r"\tfrac{1}{2}\|x_i - c_{t_i}\|^2"},
    description=(
        "Added to a cross entropy, it draws the members of a class together. The gradient by a centre is the plain "
        "one, the sum over its members; the paper's update, which averages them, is a rule of its own."
    ),
    use_when=(
        "features of a classifier should form tight clusters",
        "distances within classes are to be watched",
    ),
    avoid_when=(
        "it would be the only loss: everything collapses into one point",
        "classes have several kinds of members: one centre is between them",
    ),
    pitfalls=("Weigh it lightly, 0.001 to 0.1 of the cross entropy.",),
    see_also=(("proxy_nca_loss", "with contrast"), ("mse_loss", "the same without classes")),
    references=(
        Reference(
            "Wen, Y., Zhang, K., Li, Z. and Qiao, Y. (2016). A discriminative feature learning approach for deep face "
            "recognition. European Conference on Computer Vision, 499-515.",
            doi="10.1007/978-3-319-46478-7_31",
        ),
    ),
    equivalents=(
        Equivalent("torch", "square", "torch.square(x - centers[t]).sum(1).mean() / 2", {}, "By its definition."),
    ),
    examples=""">>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
>>> losslib.center_loss(x, [0, 1], np.array([[1.0, 1.0], [0.0, 0.0]]))
0.5

Value and gradient come from one pass:

>>> value, (by_input, by_centers) = losslib.center_loss.value_and_grad(x, [0, 1], np.array([[1.0, 1.0], [0.0, 0.0]]))
>>> by_input.round(4)
array([[ 0. , -0.5],
       [ 0. ,  0.5]])
""",
    tags=("vectors", "labels", "proxies", "convex", "smooth"),
)

fast_ap_loss, FastAPLoss = labelled(
    "fast_ap_loss",
    "FastAPLoss",
    aliases=("fast_ap",),
    summary="One minus the average precision of a row, from soft histograms of squared distances.",
    parameters=(Integer("num_bins", 10, "Bins between the squared distances 0 and 4.", least=1, most=1000),),
    kernel="fast_ap",
    formula="1 - sum_k(h+_k*H+_k/H_k)/P",
    latex={
        "value": r"1 - \frac{1}{|P_i|}\sum_k \frac{h^+_k H^+_k}{H_k},\quad h_k = \sum_j \bigl(1 - |d_{ij}^2 - k\Delta|"
        r"/\Delta\bigr)_+"
    },
    value_range="[0, 1]",
    description=(
        "Retrieval is judged by average precision, which has no gradient. Distances are counted into overlapping bins; "
        "precision and recall of cumulative histograms do have one. Rows without another member do not count."
    ),
    notes="Vectors are normalised, so that squared distances lie in [0, 4]; an entry is shared by two edges.",
    use_when=(
        "ranking within a batch is what counts and batches are large",
        "classes are of different size and recall counts",
    ),
    avoid_when=(
        "batches are small: a histogram of a few distances is coarse",
        "the order within a bin matters",
    ),
    pitfalls=("Gradients vanish within a bin far from the positives; use few bins at first.",),
    see_also=(("smooth_ap_loss", "sigmoids of differences in place of bins"), ("supcon_loss", "smooth everywhere")),
    references=(
        Reference(
            "Cakir, F., He, K., Xia, X., Kulis, B. and Sclaroff, S. (2019). Deep metric learning to rank. IEEE "
            "Conference on Computer Vision and Pattern Recognition, 1861-1870.",
            doi="10.1109/CVPR.2019.00196",
        ),
    ),
    equivalents=(pml("FastAPLoss"),),
    examples=""">>> x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
>>> losslib.fast_ap_loss(x, [0, 1, 0, 1], reduction="none").round(4)
array([0.5   , 0.6667, 0.6667, 0.5   ])

Value and gradient come from one pass:

>>> value, gradient = losslib.fast_ap_loss.value_and_grad(x, [0, 1, 0, 1])
>>> gradient.round(4)
array([[ 0.    , -0.5903],
       [ 0.3542, -0.4722],
       [-0.5903,  0.    ],
       [-0.4722, -0.3542]])
""",
    tags=("contrastive", "vectors", "labels", "ranking", "bounded"),
)

smooth_ap_loss, SmoothAPLoss = labelled(
    "smooth_ap_loss",
    "SmoothAPLoss",
    aliases=("smooth_ap",),
    summary="One minus the average precision of a row, with sigmoids in place of the steps of ranks.",
    parameters=(Real("temperature", 0.01, "Width of a step.", above=0.0, examples=(0.1, 1.0)),),
    kernel="smooth_ap",
    formula="1 - mean_j((1 + sum_R(sigma_jk))/(1 + sum_k(sigma_jk)))",
    latex={
        "value": r"1 - \frac{1}{|R_i|}\sum_{j \in R_i}\frac{1 + \sum_{k \in R_i, k \neq j}\sigma_{jk}}{1 + "
        r"\sum_{k \neq j}\sigma_{jk}},\quad \sigma_{jk} = \sigma\Bigl(\frac{s_{ik} - s_{ij}}{\tau}\Bigr)"
    },
    value_range="[0, 1]",
    description=(
        "The rank of a member is a count of steps; a sigmoid of the difference makes it smooth, and average precision "
        "with it. R holds the members of the row's class and the row itself. Any sizes of classes; rows without "
        "another member do not count."
    ),
    notes="O(N) for each member of the class of a row, streamed: no array of ranks.",
    use_when=(
        "retrieval is judged by average precision",
        "batches hold several members of each class",
    ),
    avoid_when=(
        "classes are large: the cost is their square for each row",
        "early training: steps are flat where ranks are random",
    ),
    pitfalls=(
        "PyTorch Metric Learning needs classes of equal size, and is right only if there are as many classes as "
        "members.",
        "With a temperature of 0.01 most steps are flat; begin with 0.1.",
    ),
    see_also=(("fast_ap_loss", "histograms"), ("supcon_loss", "smooth everywhere")),
    references=(
        Reference(
            "Brown, A., Xie, W., Kalogeiton, V. and Zisserman, A. (2020). Smooth-AP: smoothing the path towards "
            "large-scale image retrieval. European Conference on Computer Vision, 677-694.",
            doi="10.1007/978-3-030-58545-7_39",
        ),
    ),
    equivalents=(pml("SmoothAPLoss", "For as many classes as members of each."),),
    examples=""">>> x = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
>>> losslib.smooth_ap_loss(x, [0, 0, 1, 1], temperature=0.1, reduction="none").round(4)
array([0.0001, 0.0378, 0.0378, 0.0001])

Value and gradient come from one pass:

>>> value, gradient = losslib.smooth_ap_loss.value_and_grad(x, [0, 0, 1, 1], temperature=0.1)
>>> gradient.round(4)
array([[ 0.    , -0.0355],
       [-0.0995,  0.1326],
       [ 0.1658,  0.    ],
       [-0.0284, -0.0213]])
""",
    tags=("contrastive", "vectors", "labels", "ranking", "bounded", "smooth"),
)
