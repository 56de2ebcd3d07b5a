"""Embeddings: losses of pairs and triplets of vectors, one number for each row.

In the formulas x1, x2 (or x, t; or anchor, positive, negative) are rows of D components, cos(u, v) is the cosine of
the angle between two of them and norm(u) the Euclidean norm. The calls of other packages take rows of shape (N, D).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from losslib.declaration.schema import BINARY, SIGN, Choice, Equivalent, Flag, Input, Integer, Real, Reference
from losslib.declare import declare

__all__ = [
    "ContrastiveLoss",
    "CosineEmbeddingLoss",
    "CosineSimilarityLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
    "contrastive_loss",
    "cosine_embedding_loss",
    "cosine_similarity_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]

Values = Mapping[str, Any]
#: The kernel with its numbers: margin, degree of the norm, eps, swap.
Kernel = tuple[str, tuple[float, ...]]

# Inputs and parameters that several losses share.

FIRST = Input(
    "input1",
    "First vector of each pair: shape (N, D), or (D,) for one pair; more leading axes are rows too.",
    holds="row",
)
SECOND = Input("input2", "Second vector of each pair, of the shape of `input1`.", holds="row")
ANCHOR = Input(
    "anchor",
    "Vectors to compare with: shape (N, D), or (D,) for one triplet; more leading axes are rows too.",
    holds="row",
)
POSITIVE = Input("positive", "Vectors that belong to the anchors, of the shape of `anchor`.", holds="row")
NEGATIVE = Input("negative", "Vectors that do not belong to the anchors, of the shape of `anchor`.", holds="row")

TRIPLET_MARGIN = Real(
    "margin",
    1.0,
    "How much farther from the anchor the negative has to be than the positive, in units of the distance.",
    above=0.0,
    examples=(0.2, 0.5, 3.0),
)
SWAP = Flag(
    "swap",
    False,
    "Use the smaller of d(anchor, negative) and d(positive, negative), so that the harder of the two counts.",
)

TRIPLET_INPUTS = (ANCHOR, POSITIVE, NEGATIVE)
TRIPLET_NAMES = ("anchor", "positive", "negative")

CHOPRA = Reference(
    "Chopra, S., Hadsell, R. and LeCun, Y. (2005). Learning a similarity metric discriminatively, with application to "
    "face verification. IEEE Conference on Computer Vision and Pattern Recognition, 539-546.",
    doi="10.1109/CVPR.2005.202",
)
HADSELL = Reference(
    "Hadsell, R., Chopra, S. and LeCun, Y. (2006). Dimensionality reduction by learning an invariant mapping. IEEE "
    "Conference on Computer Vision and Pattern Recognition, 1735-1742.",
    doi="10.1109/CVPR.2006.100",
)
SCHROFF = Reference(
    "Schroff, F., Kalenichenko, D. and Philbin, J. (2015). FaceNet: a unified embedding for face recognition and "
    "clustering. IEEE Conference on Computer Vision and Pattern Recognition, 815-823.",
    doi="10.1109/CVPR.2015.7298682",
)
BALNTAS = Reference(
    "Balntas, V., Riba, E., Ponsa, D. and Mikolajczyk, K. (2016). Learning local feature descriptors with triplets and "
    "shallow convolutional neural networks. British Machine Vision Conference, 119.1-119.11.",
    doi="10.5244/C.30.119",
)
WEINBERGER = Reference(
    "Weinberger, K. Q. and Saul, L. K. (2009). Distance metric learning for large margin nearest neighbor "
    "classification. Journal of Machine Learning Research, 10, 207-244.",
    url="https://jmlr.org/papers/v10/weinberger09a.html",
)
SALTON = Reference(
    "Salton, G. and Buckley, C. (1988). Term-weighting approaches in automatic text retrieval. Information Processing "
    "and Management, 24(5), 513-523.",
    doi="10.1016/0306-4573(88)90021-0",
)


#: What PyTorch's cosine_embedding_loss adds to a squared norm: 1e-12 rounded to float32, in float64 too.
ADDED_TO_SQUARES = 9.999999960041972e-13


# ---- pairs -----------------------------------------------------------------------------------------------------

cosine_embedding_loss, CosineEmbeddingLoss = declare(
    "distance",
    "cosine_embedding_loss",
    "CosineEmbeddingLoss",
    family="embedding",
    summary="Turns the vectors of similar pairs into one direction and those of dissimilar pairs apart.",
    inputs=(
        FIRST,
        SECOND,
        Input("target", "1 for a similar pair, -1 for a dissimilar one: one label for each row.", SIGN, holds="label"),
    ),
    parameters=(
        Real(
            "margin",
            0.0,
            "Cosine up to which a dissimilar pair costs nothing. 0 to 0.5 is usual; from -1 to 1 it has a meaning.",
            examples=(-0.5, 0.3, 0.5),
        ),
    ),
    kernel=lambda values: ("CosineEmbedding", (float(values["margin"]), 2.0, ADDED_TO_SQUARES, 0.0)),
    formula="where(t == 1, 1 - s, max(0, s - margin))",
    definitions={
        "a": "sqrt(sum_c(x1_c**2) + 1e-12)",
        "b": "sqrt(sum_c(x2_c**2) + 1e-12)",
        "s": "sum_c(x1_c*x2_c)/(a*b)",
    },
    gradient={
        "input1": "where(t == 1, -1, where(s > margin, 1, 0))*(x2_k/(a*b) - x1_k*s/a**2)",
        "input2": "where(t == 1, -1, where(s > margin, 1, 0))*(x1_k/(a*b) - x2_k*s/b**2)",
    },
    keywords={"siamese": 3},
    symbols={"x1": "input1", "x2": "input2", "t": "target"},
    has_hessian=False,
    differentiable=("input1", "input2"),
    default_wrt=("input1", "input2"),
    description=(
        "A similar pair costs 1 minus the cosine of the angle between its vectors, from 0 to 2. A dissimilar pair "
        "costs what its cosine exceeds ``margin`` by. Lengths do not matter: the gradient is at a right angle to the "
        "vector it belongs to, so a step turns a vector.\n\n"
        "It trains embeddings from labelled pairs (same person, same product, question and answer) whose similarity "
        "is measured by cosine later. ``input1`` and ``input2`` may come from one model or from two."
    ),
    notes=(
        "One value for each row; ``mean`` divides by the number of rows. As in PyTorch 1e-12 is added to both squared "
        "norms, so a zero vector has the cosine 0 and a finite gradient, which may be large, and as there a gradient "
        "flows where the cosine equals ``margin`` exactly. Sums are accumulated in float64 in any dtype.\n\n"
        "With ``check=False`` a label other than 1 and -1 gives the value 0 and the gradient 0, as in PyTorch."
    ),
    use_when=(
        "pairs carry a yes/no label and neighbours will be searched by cosine: training and use agree",
        "vectors have lengths without meaning, such as sums over texts of different length",
    ),
    avoid_when=(
        "you have triplets or can form them: ``triplet_margin_loss`` asks for an order only, not for an absolute value",
        "lengths carry information, as in regression or in maps of places: use ``contrastive_loss``",
        "similar pairs need not be the same: this loss pulls them together until the angle is 0",
    ),
    pitfalls=(
        "Labels are 1 and -1. With 0 for dissimilar PyTorch returns 0 for these pairs without a word; here it is a "
        "DomainError.",
        "With ``margin=0.0`` dissimilar vectors are pushed to right angles only: half of all random pairs in a space "
        "cost nothing from the start.",
        "MXNet takes every label that is not 1 as dissimilar; Paddle adds 1e-11 to the squares.",
        "Vectors near zero have huge gradients, up to 1e6 times that of a unit vector.",
    ),
    see_also=(
        ("cosine_similarity_loss", "has no dissimilar pairs: minus the cosine of prediction and target"),
        ("contrastive_loss", "the same for Euclidean distances, labels 1 and 0"),
        ("triplet_margin_with_distance_loss", 'with ``distance="cosine"``: an order of two cosines'),
    ),
    references=(CHOPRA,),
    equivalents=(
        Equivalent("torch", "cosine_embedding_loss", "torch.nn.functional.cosine_embedding_loss(x1, x2, t)"),
        Equivalent(
            "torch",
            "CosineEmbeddingLoss",
            "torch.nn.CosineEmbeddingLoss(margin=0.3, reduction='sum')(x1, x2, t)",
            {"margin": 0.3, "reduction": "sum"},
        ),
        Equivalent(
            "paddle",
            "cosine_embedding_loss",
            "paddle.nn.functional.cosine_embedding_loss(x1, x2, t)",
            note="Adds 1e-11 to the squared norms, PyTorch and losslib 1e-12.",
        ),
        Equivalent(
            "mxnet",
            "CosineEmbeddingLoss",
            note="Every label except 1 is dissimilar; the norms' product is at least 1e-12.",
        ),
    ),
    examples=""">>> x1 = np.array([[3.0, 4.0], [3.0, 4.0]])
>>> x2 = np.array([[4.0, 3.0], [4.0, 3.0]])

The cosine is 24/25, so a similar pair costs 1/25 and a dissimilar one 24/25 - margin:

>>> losslib.cosine_embedding_loss(x1, x2, [1, -1], margin=0.5, reduction="none").round(6)
array([0.04, 0.46])
>>> value, (grad1, grad2) = losslib.cosine_embedding_loss.value_and_grad(x1, x2, [1, -1], margin=0.5)
>>> round(value, 6)
0.25
>>> grad1.round(4)
array([[-0.0224,  0.0168],
       [ 0.0224, -0.0168]])
""",
    tags=("pairs", "embedding", "margin", "signs", "cosine"),
    function_order=("margin", "size_average", "reduce", "reduction"),
    class_order=("margin", "size_average", "reduce", "reduction"),
    entries=("L083",),
    value_range="[0, 2]",
)


contrastive_loss, ContrastiveLoss = declare(
    "distance",
    "contrastive_loss",
    "ContrastiveLoss",
    family="embedding",
    aliases=("siamese_loss", "pair_loss"),
    summary="Pulls the vectors of similar pairs together and pushes those of dissimilar pairs a margin apart.",
    inputs=(
        FIRST,
        SECOND,
        Input("target", "1 for a similar pair, 0 for a dissimilar one: one label for each row.", BINARY, holds="label"),
    ),
    parameters=(
        Real(
            "margin",
            1.0,
            "Distance from which a dissimilar pair costs nothing.",
            above=0.0,
            examples=(0.5, 2.0, 5.0),
        ),
    ),
    kernel=lambda values: ("Contrastive", (float(values["margin"]), 2.0, 0.0, 0.0)),
    formula="t*norm(x1 - x2)**2 + (1 - t)*max(0, margin - norm(x1 - x2))**2",
    gradient={
        "input1": "2*(t - (1 - t)*max(0, margin - norm(x1 - x2))/norm(x1 - x2))*(x1_k - x2_k)",
        "input2": "2*(t - (1 - t)*max(0, margin - norm(x1 - x2))/norm(x1 - x2))*(x2_k - x1_k)",
    },
    keywords={"siamese": 2},
    symbols={"x1": "input1", "x2": "input2", "t": "target"},
    has_hessian=False,
    differentiable=("input1", "input2"),
    default_wrt=("input1", "input2"),
    description=(
        "A similar pair costs its squared Euclidean distance d, a dissimilar one ``(margin - d)**2`` as long as it is "
        "nearer than ``margin``, and nothing beyond. Similar pairs are springs, dissimilar ones push each other out of "
        "a ball.\n\n"
        "This is the loss of Siamese networks, where one model makes both vectors. The scale of the embedding is free, "
        "so ``margin`` fixes the unit: only its ratio to the scale of the initial vectors matters."
    ),
    notes=(
        "One value for each row; ``mean`` divides by the number of rows. At distance 0 a dissimilar pair costs "
        "``margin**2`` and its gradient, whose direction is undefined, is 0. No eps is added. Sums are accumulated in "
        "float64, and a norm whose squares would overflow is scaled first.\n\n"
        "With ``check=False`` labels between 0 and 1 mix the two terms as the formula says."
    ),
    use_when=(
        "pairs are labelled as same or different and distances are to be compared with a threshold afterwards",
        "an embedding in few dimensions is to show neighbours: both terms have a scale in input units",
    ),
    avoid_when=(
        "classes differ in how much they vary: similar pairs are pulled to a point whatever their kind; "
        "``triplet_margin_loss`` asks for an order only",
        "vectors are normalised: distances end at 2, and ``cosine_embedding_loss`` says the same with cosines",
    ),
    pitfalls=(
        "The label is 1 for similar. The original paper uses 0 for similar and 1 for dissimilar and has a factor 1/2.",
        "PyTorch has no such function; pytorch-metric-learning's ContrastiveLoss does not square and averages the two "
        "kinds of pairs apart.",
        "Two equal vectors of a dissimilar pair stay together, since the gradient at distance 0 is 0.",
        "Most dissimilar pairs are soon farther apart than ``margin`` and teach nothing: choose hard ones.",
    ),
    see_also=(
        ("cosine_embedding_loss", "the same for cosines, labels 1 and -1"),
        ("triplet_margin_loss", "compares a similar with a dissimilar pair"),
        ("hinge_embedding_loss", "takes distances that you computed"),
    ),
    references=(HADSELL, CHOPRA),
    equivalents=(
        Equivalent(
            "tensorflow",
            "tensorflow_addons.losses.ContrastiveLoss",
            note="The same formula on distances: ``contrastive_loss(target, distance, margin=1.0)``.",
        ),
        Equivalent(
            "pytorch_metric_learning",
            "ContrastiveLoss",
            note="Not squared; similar and dissimilar pairs are averaged apart, over those that cost something.",
        ),
    ),
    examples=""">>> x1 = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
>>> x2 = np.array([[0.3, 0.4], [0.3, 0.4], [3.0, 4.0]])

The distances are 0.5, 0.5 and 5:

>>> losslib.contrastive_loss(x1, x2, [1, 0, 0], margin=2.0, reduction="none")
array([0.25, 2.25, 0.  ])
>>> value, (grad1, grad2) = losslib.contrastive_loss.value_and_grad(x1, x2, [1, 0, 0], margin=2.0, reduction="sum")
>>> value
2.5
>>> grad2.round(6)
array([[ 0.6,  0.8],
       [-1.8, -2.4],
       [ 0. ,  0. ]])
""",
    tags=("pairs", "embedding", "margin", "euclidean"),
    entries=("L120",),
)


cosine_similarity_loss, CosineSimilarityLoss = declare(
    "distance",
    "cosine_similarity_loss",
    "CosineSimilarityLoss",
    family="embedding",
    aliases=("cosine_proximity",),
    summary="Minus the cosine of the angle between predicted and target vectors.",
    inputs=(
        Input("input", "Predicted vectors; their components lie along `axis`.", holds="row"),
        Input("target", "Target vectors, of the shape of `input`.", holds="row"),
    ),
    parameters=(Integer("axis", -1, "Axis of the components, negative from the end; every other axis counts rows."),),
    kernel=lambda values: ("CosineSimilarity", (0.0, 2.0, 0.0, 0.0)),
    formula="-cos(x, t)",
    gradient={"input": "x_k*cos(x, t)/norm(x)**2 - t_k/(norm(x)*norm(t))"},
    keywords={"siamese": 5},
    symbols={"x": "input", "t": "target"},
    has_hessian=False,
    differentiable=("input", "target"),
    default_wrt=("input",),
    description=(
        "-1 where both vectors point the same way, 0 at a right angle, 1 where they are opposed. It is a regression "
        "loss for directions: word vectors, embeddings of another model to be reproduced, orientations.\n\n"
        "Length is free: the gradient is at a right angle to the input and shrinks with its length, so vectors tend to "
        "grow during training and steps to become smaller."
    ),
    notes=(
        "One value for each row; ``mean`` divides by the number of rows. A zero vector has the value 0, as in "
        "Keras, and the gradient 0. Otherwise no eps takes part: the value does not depend on the lengths, however "
        "small. Sums are accumulated in float64."
    ),
    use_when=(
        "targets are directions, or embeddings whose length you do not want to learn",
        "a student model reproduces the embeddings of a teacher",
        "you move a model from Keras: value and sign are the same",
    ),
    avoid_when=(
        "the length of the prediction is used later: nothing in this loss holds it; use ``mse_loss``",
        "dissimilar pairs are known as well: ``cosine_embedding_loss`` uses them",
    ),
    pitfalls=(
        "The value is negative: -1 is best. 1 + value is the cosine distance of optax and SciPy.",
        "Input and target must not both be learned with it alone: one constant vector gives the perfect value -1.",
        "torch.nn.CosineSimilarity returns the cosine, without a minus and without a reduction.",
        "Keras divides by norms of at least 1e-7, so there the cosine of vectors shorter than that shrinks to 0.",
    ),
    see_also=(
        ("cosine_embedding_loss", "takes labels for similar and dissimilar pairs"),
        ("mse_loss", "for vectors whose length counts"),
    ),
    references=(SALTON,),
    equivalents=(
        Equivalent("keras", "CosineSimilarity", "keras.losses.CosineSimilarity()(t, x)", {}, "Target first."),
        Equivalent(
            "torch",
            "cosine_similarity",
            "-torch.nn.functional.cosine_similarity(x, t, dim=-1)",
            {"reduction": "none"},
            "Returns the cosine itself; norms are at least 1e-8.",
        ),
        Equivalent(
            "optax",
            "cosine_similarity",
            "-optax.losses.cosine_similarity(x, t)",
            {"reduction": "none"},
            "Returns the cosine itself; with the default epsilon = 0 a zero vector has a NaN gradient.",
        ),
        Equivalent(
            "torchmetrics",
            "cosine_similarity",
            note="The cosine itself, summed by default; takes rows of shape (N, D) only.",
        ),
        Equivalent(
            "tensorflow",
            "compat.v1.losses.cosine_distance",
            note="1 - sum(x*t): assumes vectors of length 1 and does not divide.",
        ),
    ),
    examples=""">>> x = np.array([[3.0, 4.0], [1.0, 1.0], [0.0, 0.0]])
>>> t = np.array([[4.0, 3.0], [0.0, 2.0], [1.0, 1.0]])
>>> losslib.cosine_similarity_loss(x, t, reduction="none").round(4)
array([-0.96  , -0.7071,  0.    ])
>>> value, gradient = losslib.cosine_similarity_loss.value_and_grad(x, t, reduction="sum")
>>> round(value, 4)
-1.6671
>>> gradient.round(4)
array([[-0.0448,  0.0336],
       [ 0.3536, -0.3536],
       [ 0.    ,  0.    ]])
""",
    tags=("pairs", "embedding", "cosine", "scale-invariant"),
    entries=("L022",),
    value_range="[-1, 1]",
)


# ---- triplets --------------------------------------------------------------------------------------------------

_NORM_KERNELS = {1.0: "TripletManhattan", 2.0: "TripletEuclidean", math.inf: "TripletChebyshev"}


def _triplet_kernel(values: Values) -> Kernel:
    p = float(values["p"])
    name = _NORM_KERNELS.get(p, "TripletMinkowski")
    return name, (float(values["margin"]), p, float(values["eps"]), float(values["swap"]))


#: The value of a triplet; each loss says what the distance d is.
TRIPLET = (
    "max(0, margin + d(anchor, positive) - where(swap, min(d(anchor, negative), d(positive, negative)), "
    "d(anchor, negative)))"
)

triplet_margin_loss, TripletMarginLoss = declare(
    "distance",
    "triplet_margin_loss",
    "TripletMarginLoss",
    family="embedding",
    aliases=("triplet", "triplet_loss"),
    summary="Asks that each anchor be nearer to its positive than to its negative, by a margin.",
    inputs=TRIPLET_INPUTS,
    parameters=(
        TRIPLET_MARGIN,
        Real(
            "p",
            2.0,
            "Degree of the norm that measures the distance: 1 Manhattan, 2 Euclidean, inf the largest difference.",
            above=0.0,
            also=(math.inf,),
            examples=(1.0, 3.0),
        ),
        Real(
            "eps",
            1e-6,
            "Number added to every component of a difference before the norm is taken, as PyTorch does.",
            examples=(0.0, 1e-3),
        ),
        SWAP,
    ),
    kernel=_triplet_kernel,
    formula=TRIPLET,
    definitions={"d(u, v)": ("where(p == inf, max_j(abs(u_j - v_j + eps)), sum_j(abs(u_j - v_j + eps)**p)**(1/p))")},
    keywords={"siamese": 1},
    symbols={name: name for name in TRIPLET_NAMES},
    has_hessian=False,
    differentiable=TRIPLET_NAMES,
    default_wrt=TRIPLET_NAMES,
    description=(
        "A triplet costs nothing once the negative is ``margin`` farther from the anchor than the positive is; else it "
        "costs what is missing. It asks for an order of distances, not for values, which leaves each class its own "
        "spread.\n\n"
        "The standard loss of face recognition and image retrieval. Which triplets you feed matters more than any "
        "parameter: after a while most random ones cost 0, and negatives that are nearly as near as the positive teach "
        "best."
    ),
    notes=(
        "One value for each row; ``mean`` divides by the number of rows, those that cost 0 included. As in PyTorch "
        "``eps`` is added to each difference with its sign, so the distance of two equal vectors is "
        "``eps*D**(1/p)``; where a distance is 0 after all its subgradient is 0, never NaN. A gradient flows where the "
        "hinge is 0 exactly, and where the two distances of ``swap`` tie each gets half of it.\n\n"
        "Differences and sums are float64 in any dtype; for p other than 1, 2 and inf powers are computed by exp and "
        "log. A norm that would overflow is scaled first."
    ),
    use_when=(
        "you know which of two items is nearer to a third, and no absolute similarity",
        "retrieval or verification over classes that are not known in training",
        "a metric is learned with distances as they will be used: choose p accordingly",
    ),
    avoid_when=(
        "only pairs with labels exist: ``contrastive_loss`` or ``cosine_embedding_loss``",
        "classes are fixed and few: ``cross_entropy`` on a classifier trains faster and needs no mining",
        "all negatives of a batch could be used at once: a softmax over similarities learns more from the same batch",
    ),
    pitfalls=(
        "All vectors in one point cost ``margin`` with a gradient near 0: too fast a start ends there.",
        "``margin`` is measured in the units of the embedding. Normalise vectors, or scale ``margin`` with them.",
        "The mean falls because more triplets cost 0, not only because the others improve: watch both.",
        "optax takes no absolute value before the power (odd degrees go wrong) and adds eps to the sum; MXNet's "
        "TripletLoss uses squared distances.",
    ),
    see_also=(
        ("triplet_margin_with_distance_loss", "with squared, Manhattan or cosine distances"),
        ("contrastive_loss", "for pairs"),
        ("margin_ranking_loss", "the same hinge on scores that you computed"),
    ),
    references=(WEINBERGER, SCHROFF, BALNTAS),
    equivalents=(
        Equivalent(
            "torch", "triplet_margin_loss", "torch.nn.functional.triplet_margin_loss(anchor, positive, negative)"
        ),
        Equivalent(
            "torch",
            "TripletMarginLoss",
            "torch.nn.TripletMarginLoss(margin=0.5, p=1.0, swap=True, reduction='sum')(anchor, positive, negative)",
            {"margin": 0.5, "p": 1.0, "swap": True, "reduction": "sum"},
        ),
        Equivalent(
            "optax",
            "triplet_margin_loss",
            "optax.losses.triplet_margin_loss(anchor, positive, negative, eps=0.0)",
            {"eps": 0.0, "reduction": "none"},
            "Its eps is added to the sum of powers.",
        ),
        Equivalent(
            "paddle",
            "triplet_margin_loss",
            "paddle.nn.functional.triplet_margin_loss(anchor, positive, negative)",
            note="The parameter is called epsilon.",
        ),
        Equivalent("mxnet", "TripletLoss", note="Squared distances: the squared form of the loss with a distance."),
    ),
    examples=""">>> anchor = np.array([[0.0, 0.0], [0.0, 0.0]])
>>> positive = np.array([[3.0, 4.0], [0.0, 1.0]])
>>> negative = np.array([[0.0, 5.0], [6.0, 8.0]])

The distances are 5 and 5 in the first triplet, 1 and 10 in the second:

>>> losslib.triplet_margin_loss(anchor, positive, negative, eps=0.0, reduction="none")
array([1., 0.])
>>> value, grads = losslib.triplet_margin_loss.value_and_grad(anchor, positive, negative, eps=0.0)
>>> value
0.5
>>> grads[0].round(6)
array([[-0.3,  0.1],
       [ 0. ,  0. ]])

With ``swap`` the negative of the first triplet is compared with the positive, which is sqrt(10) from it:

>>> losslib.triplet_margin_loss(anchor, positive, negative, eps=0.0, swap=True, reduction="none").round(4)
array([2.8377, 0.    ])
""",
    tags=("triplets", "embedding", "margin", "ranking"),
    function_order=("margin", "p", "eps", "swap", "size_average", "reduce", "reduction"),
    class_order=("margin", "p", "eps", "swap", "size_average", "reduce", "reduction"),
    entries=("L121",),
)


#: Kernel, degree of the norm and eps of each named distance; the constants are those of PyTorch's functions.
_DISTANCES = {
    "euclidean": ("TripletEuclidean", 2.0, 1e-6),
    "sqeuclidean": ("TripletSquaredEuclidean", 2.0, 0.0),
    "manhattan": ("TripletManhattan", 1.0, 0.0),
    "cosine": ("TripletCosine", 2.0, 1e-8),
}


def _named_distance_kernel(values: Values) -> Kernel:
    name, degree, eps = _DISTANCES[values["distance"]]
    return name, (float(values["margin"]), degree, eps, float(values["swap"]))


triplet_margin_with_distance_loss, TripletMarginWithDistanceLoss = declare(
    "distance",
    "triplet_margin_with_distance_loss",
    "TripletMarginWithDistanceLoss",
    family="embedding",
    aliases=("triplet_with_distance",),
    summary="The triplet loss with a distance chosen by name.",
    inputs=TRIPLET_INPUTS,
    parameters=(
        Choice(
            "distance",
            "euclidean",
            'How far two vectors are apart: ``"euclidean"``, PyTorch\'s pairwise_distance; ``"sqeuclidean"``, its '
            'square without eps; ``"manhattan"``, the sum of absolute differences; ``"cosine"``, 1 minus the cosine.',
            choices=("euclidean", "sqeuclidean", "manhattan", "cosine"),
        ),
        TRIPLET_MARGIN,
        SWAP,
    ),
    kernel=_named_distance_kernel,
    formula=TRIPLET,
    definitions={
        "d(u, v)": {
            "euclidean": "sum_j((u_j - v_j + 1e-6)**2)**(1/2)",
            "sqeuclidean": "sum_j((u_j - v_j)**2)",
            "manhattan": "sum_j(abs(u_j - v_j))",
            "cosine": "1 - cos(u, v)",
        }
    },
    keywords={"siamese": 4},
    symbols={name: name for name in TRIPLET_NAMES},
    has_hessian=False,
    differentiable=TRIPLET_NAMES,
    default_wrt=TRIPLET_NAMES,
    description=(
        "``triplet_margin_loss`` for distances that are no p-norm. Squared distances weigh far triplets more and have "
        "no kink at 0; cosines look at directions only; Manhattan distances suit sparse or count-like vectors.\n\n"
        'PyTorch takes any function here; compiled code takes a name. With ``distance="euclidean"`` it is PyTorch\'s '
        "default, and the ``triplet_margin_loss`` of the same margin."
    ),
    notes=(
        'One value for each row; ``mean`` divides by the number of rows. ``"euclidean"`` adds 1e-6 to each difference, '
        '``"sqeuclidean"`` and ``"manhattan"`` add nothing. In ``"cosine"`` each norm is at least 1e-8 as in '
        "PyTorch's cosine_similarity, so a zero vector is at distance 1 from everything and has a finite gradient.\n\n"
        "A gradient flows where the hinge is 0 exactly, and a tie of ``swap`` gives each distance half of it."
    ),
    use_when=(
        "neighbours will be searched by cosine or by squared distances: train with what you use",
        "FaceNet is to be reproduced: squared distances of normalised vectors with margin 0.2",
    ),
    avoid_when=(
        "a p-norm is enough: ``triplet_margin_loss`` has p and eps as parameters",
        "the distance is your own: compute both distances and use ``margin_ranking_loss``",
    ),
    pitfalls=(
        "The margin belongs to the distance: cosines differ by 2 at most, squared distances grow without bound; 1.0 is "
        "rarely right for either.",
        '``"sqeuclidean"`` of normalised vectors is twice the cosine distance: the same order, another margin.',
        "A function instead of a name is an error.",
    ),
    see_also=(
        ("triplet_margin_loss", "p-norms with a chosen eps"),
        ("cosine_embedding_loss", "for pairs"),
        ("margin_ranking_loss", "the hinge alone"),
    ),
    references=(SCHROFF, BALNTAS),
    equivalents=(
        Equivalent(
            "torch",
            "triplet_margin_with_distance_loss",
            "torch.nn.functional.triplet_margin_with_distance_loss(anchor, positive, negative)",
        ),
        Equivalent(
            "torch",
            "TripletMarginWithDistanceLoss",
            "torch.nn.TripletMarginWithDistanceLoss("
            "distance_function=lambda a, b: 1 - torch.nn.functional.cosine_similarity(a, b), margin=0.5)"
            "(anchor, positive, negative)",
            {"distance": "cosine", "margin": 0.5},
        ),
        Equivalent(
            "paddle",
            "triplet_margin_with_distance_loss",
            "paddle.nn.functional.triplet_margin_with_distance_loss(anchor, positive, negative)",
        ),
        Equivalent("mxnet", "TripletLoss", note='``distance="sqeuclidean"``, summed over all axes but the first.'),
    ),
    examples=""">>> anchor, positive, negative = [[1.0, 0.0]], [[4.0, 4.0]], [[0.0, 3.0]]

The squared distances are 25 and 10, the Manhattan distances 7 and 4:

>>> losslib.triplet_margin_with_distance_loss(anchor, positive, negative, distance="sqeuclidean")
16.0
>>> losslib.triplet_margin_with_distance_loss(anchor, positive, negative, distance="manhattan")
4.0

The cosines are sqrt(1/2) and 0:

>>> round(losslib.triplet_margin_with_distance_loss(anchor, positive, negative, distance="cosine"), 4)
0.2929
>>> value, grads = losslib.triplet_margin_with_distance_loss.value_and_grad(
...     anchor, positive, negative, distance="sqeuclidean")
>>> grads[0]
array([[-8., -2.]])
""",
    tags=("triplets", "embedding", "margin", "ranking", "cosine", "euclidean"),
    entries=("L121",),
)
