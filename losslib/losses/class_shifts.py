"""Cross entropy of shifted logits: classes of unequal frequency, and angular margins between classes.

All of them are the cross entropy of ``scale*x + B`` with a shift B that depends on the class and on the target's; B is
constant for the gradient and is never stored as a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib.declaration.schema import COSINE, Array, Equivalent, Flag, Input, Integer, Real, Reference
from losslib.declare import declare
from losslib.losses.multiclass import (
    AXIS,
    CLASSES,
    CLASSES_OR_PROBABILITIES,
    EMPTY,
    IGNORE_INDEX,
    LOGITS,
    SYMBOLS,
    WEIGHT,
)

__all__ = [
    "ArcFaceLoss",
    "CosFaceLoss",
    "LDAMLoss",
    "LogitAdjustedCrossEntropy",
    "MarginCrossEntropy",
    "SeesawLoss",
    "SphereFaceLoss",
    "arcface_loss",
    "cosface_loss",
    "ldam_loss",
    "logit_adjusted_cross_entropy",
    "margin_cross_entropy",
    "seesaw_loss",
    "sphereface_loss",
]

COUNTS = Array(
    "class_counts",
    None,
    "How often each class occurs, of shape (C,): counts or any multiple of them, > 0. None: all alike.",
    least=0.0,
)
COSINES = Input(
    "input",
    "Cosines between each sample and each class: the product of vectors of length 1, in [-1, 1]. Classes lie along "
    "`axis`: axis 1, or axis 0 where there is only one.",
    COSINE,
    holds="row",
)
SCALE = Real(
    "scale",
    64.0,
    "What multiplies the cosines: the length that embeddings would have, or 1 over a temperature.",
    above=0.0,
    examples=(1.0, 30.0),
)
SUB_CENTERS = Integer(
    "sub_centers",
    1,
    "How many centres a class has, side by side along `axis`: its cosine is the largest of them, the first of equals.",
    least=1,
)
OPTIONS = (WEIGHT, IGNORE_INDEX, AXIS, EMPTY)

ARCFACE = Reference(
    "Deng, J., Guo, J., Xue, N. and Zafeiriou, S. (2019). ArcFace: additive angular margin loss for deep face "
    "recognition. IEEE Conference on Computer Vision and Pattern Recognition, 4690-4699.",
    doi="10.1109/CVPR.2019.00482",
)
COSFACE = Reference(
    "Wang, H., Wang, Y., Zhou, Z., Ji, X., Gong, D., Zhou, J., Li, Z. and Liu, W. (2018). CosFace: large margin cosine "
    "loss for deep face recognition. IEEE Conference on Computer Vision and Pattern Recognition, 5265-5274.",
    doi="10.1109/CVPR.2018.00552",
)
SPHEREFACE = Reference(
    "Liu, W., Wen, Y., Yu, Z., Li, M., Raj, B. and Song, L. (2017). SphereFace: deep hypersphere embedding for face "
    "recognition. IEEE Conference on Computer Vision and Pattern Recognition, 6738-6746.",
    doi="10.1109/CVPR.2017.713",
)
SUB_CENTER = Reference(
    "Deng, J., Guo, J., Liu, T., Gong, M. and Zafeiriou, S. (2020). Sub-center ArcFace: boosting face recognition by "
    "large-scale noisy web faces. European Conference on Computer Vision, 741-757.",
    doi="10.1007/978-3-030-58621-8_43",
)
MENON = Reference(
    "Menon, A. K., Jayasumana, S., Rawat, A. S., Jain, H., Veit, A. and Kumar, S. (2021). Long-tail learning via logit "
    "adjustment. International Conference on Learning Representations.",
    url="https://arxiv.org/abs/2007.07314",
)

SEEN = (
    "Computed as cross_entropy computes the shifted logits, in one pass over a row, with the largest subtracted: "
    "nothing overflows."
)
SUM_OF_ANGLES = "``cos(theta + {0})`` is evaluated as ``c*cos({0}) - sin(theta)*sin({0})``, without an arc cosine"
ANGLES = (
    "The sine of the angle is kept above sqrt(1e-7): at a cosine of 1 or -1, where the slope of the angle is "
    "infinite and other packages give NaN, the gradient is that of a point just inside. Cosines beyond 1 by rounding "
    "are clipped; beyond 1.01 they are an error, with check=False clipped too. The Hessian is not offered: the margin "
    "bends the target's logit, so that it would not be positive."
)

logit_adjusted_cross_entropy, LogitAdjustedCrossEntropy = declare(
    "softmax_classes",
    "logit_adjusted_cross_entropy",
    "LogitAdjustedCrossEntropy",
    family="multiclass",
    aliases=("logit_adjustment", "balanced_softmax", "balanced_softmax_loss"),
    summary="Cross entropy of logits that are raised by the logarithm of how frequent their class is.",
    inputs=(LOGITS, CLASSES_OR_PROBABILITIES),
    parameters=(
        COUNTS,
        Real("tau", 1.0, "Strength of the adjustment; 0 is cross entropy.", least=0.0, examples=(0.0, 0.5, 2.0)),
        *OPTIONS,
    ),
    kernel=lambda values: ("class_shift", ()),
    formula="sum_c(w_c*t_c*(lse(x + b) - x_c - b_c))",
    latex={
        "value": r"-\log\operatorname{softmax}(x + b)_t",
        "with": r"b_c = \tau\,\log\frac{n_c}{\sum_j n_j}",
    },
    symbols={**SYMBOLS, "w": "weight"},
    differentiable=("input", "target"),
    mean_divisor="weight",
    description=(
        "A model trained on many examples of few classes learns their frequency along with the features, and predicts "
        "rare classes too seldom. Here the frequency is put into the loss, so that the model need not learn it: the "
        "logits it is left with, without the shift, are those of classes that are all alike. With ``tau=1`` this is "
        "the balanced softmax, and the minimiser of the balanced error.\n\n"
        "Nothing changes at prediction: take the logits as they are."
    ),
    notes=f"{SEEN} The Hessian is the diagonal ``p_k*(1 - p_k)`` of the shifted probabilities times the weight.",
    use_when=(
        "classes of a training set are of very different size and each matters alike",
        "reweighting by class makes training unstable: a shift leaves the size of gradients alone",
    ),
    avoid_when=(
        "the frequencies at prediction are those of training: cross entropy is calibrated to them",
        "few examples of a class are wrong anyway: no loss makes them more",
    ),
    pitfalls=(
        "Give the counts of the training set, not of the batch.",
        "Do not add the shift at prediction: that would undo it.",
        "Probabilities of the model are those of a balanced population; multiply by the frequencies for others.",
    ),
    see_also=(
        ("cross_entropy", "tau=0"),
        ("ldam_loss", "a margin for rare classes in place of a shift of all"),
        ("seesaw_loss", "shifts that depend on the pair of classes"),
    ),
    references=(
        MENON,
        Reference(
            "Ren, J., Yu, C., Sheng, S., Ma, X., Zhao, H., Yi, S. and Li, H. (2020). Balanced meta-softmax for "
            "long-tailed visual recognition. Advances in Neural Information Processing Systems, 33, 4175-4186.",
            url="https://arxiv.org/abs/2007.10740",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "cross_entropy",
            "torch.nn.functional.cross_entropy(x + torch.arange(1, 5).double().log(), t)",
            {"class_counts": [1, 2, 3, 4]},
            "The shift added to the logits.",
        ),
    ),
    examples=""">>> logits = np.zeros((2, 3))
>>> losslib.logit_adjusted_cross_entropy(logits, [0, 2], class_counts=[8, 1, 1], reduction="none").round(4)
array([0.2231, 2.3026])

A model that knows nothing pays for a frequent class what its frequency says, and more for a rare one:

>>> losslib.logit_adjusted_cross_entropy.grad(logits, [0, 2], class_counts=[8, 1, 1], reduction="sum")
array([[-0.2,  0.1,  0.1],
       [ 0.8,  0.1, -0.9]])

Value and gradient come from one pass:

>>> value, gradient = losslib.logit_adjusted_cross_entropy.value_and_grad(logits, [0, 2], class_counts=[8, 1, 1])
>>> gradient.round(4)
array([[-0.1 ,  0.05,  0.05],
       [ 0.4 ,  0.05, -0.45]])
""",
    tags=("multi-class", "logits", "soft labels", "convex", "smooth", "imbalance"),
)


ldam_loss, LDAMLoss = declare(
    "softmax_classes",
    "ldam_loss",
    "LDAMLoss",
    family="multiclass",
    aliases=("ldam", "label_distribution_aware_margin"),
    summary="Cross entropy that asks of a class a margin, the larger the rarer it is.",
    inputs=(LOGITS, CLASSES),
    parameters=(
        COUNTS,
        Real("max_margin", 0.5, "Margin of the rarest class.", least=0.0, examples=(0.0, 1.0)),
        Real("scale", 30.0, "What multiplies the logits after the margin.", above=0.0, examples=(1.0,)),
        *OPTIONS,
    ),
    kernel=lambda values: ("target_shift", (float(values["scale"]),)),
    formula="w_t*(lse(scale*(x - m)) - scale*(x_t - m_t))",
    latex={
        "value": r"-\log\operatorname{softmax}\bigl(s\,(x_c - m_t\,[c = t])\bigr)_t",
        "with": r"m_t = m_{\max}\left(\frac{\min_c n_c}{n_t}\right)^{1/4}",
    },
    symbols={**SYMBOLS, "w": "weight"},
    mean_divisor="weight",
    description=(
        "The logit of the target's class has to lead by a margin that falls with the fourth root of the number of its "
        "examples: the trade-off of margins that a bound of the error gives for classes of unequal size. Common "
        "classes are left close to cross entropy.\n\nIts authors take normalised vectors, cosines that is, and begin "
        "to weight the classes late in training; both are up to the caller (``weight``)."
    ),
    notes=f"{SEEN} The Hessian is ``scale**2*p_k*(1 - p_k)`` times the weight of the class.",
    use_when=(
        "classes are unbalanced and logits are cosines: margin and scale have a meaning there",
        "a class has so few examples that a model separates them by chance",
    ),
    avoid_when=(
        "logits are of any size: a margin of 0.5 means little; ``logit_adjusted_cross_entropy`` has no scale",
        "probabilities are needed: a margin distorts them",
    ),
    pitfalls=(
        "The scale of 30 is for cosines. With plain logits take scale=1.",
        "The margin is subtracted in training only; predictions take the logits as they are.",
    ),
    see_also=(
        ("logit_adjusted_cross_entropy", "a shift of every class in place of a margin of one"),
        ("cosface_loss", "the same margin for every class"),
    ),
    references=(
        Reference(
            "Cao, K., Wei, C., Gaidon, A., Arechiga, N. and Ma, T. (2019). Learning imbalanced datasets with "
            "label-distribution-aware margin loss. Advances in Neural Information Processing Systems, 32, 1567-1578.",
            url="https://arxiv.org/abs/1906.07413",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "cross_entropy",
            "torch.nn.functional.cross_entropy(30 * (x - 0.5 * torch.nn.functional.one_hot(t, x.shape[1]).double()), "
            "t)",
            {},
            "The margin subtracted first; all counts alike.",
        ),
    ),
    examples=""">>> cosines = np.array([[0.9, 0.1], [0.1, 0.9]])
>>> losslib.ldam_loss(cosines, [0, 1], class_counts=[16, 1], max_margin=0.8, scale=1.0, reduction="none").round(4)
array([0.513 , 0.6931])

The class with one example has a margin of 0.8, the other of 0.4.

Value and gradient come from one pass:

>>> value, gradient = losslib.ldam_loss.value_and_grad(
...     cosines, [0, 1], class_counts=[16, 1], max_margin=0.8, scale=1.0
... )
>>> gradient.round(4)
array([[-0.2007,  0.2007],
       [ 0.25  , -0.25  ]])
""",
    tags=("multi-class", "logits", "margin", "convex", "smooth", "imbalance"),
)


seesaw_loss, SeesawLoss = declare(
    "softmax_classes",
    "seesaw_loss",
    "SeesawLoss",
    family="multiclass",
    aliases=("seesaw",),
    summary="Cross entropy in which frequent classes push rare ones less, unless they are mistaken for each other.",
    inputs=(LOGITS, CLASSES),
    parameters=(
        Array(
            "class_counts",
            None,
            "How many examples of each class were seen so far, of shape (C,); the caller keeps the count. Numbers "
            "below 1 count as 1. None: all alike.",
            least=0.0,
        ),
        Real("p", 0.8, "Strength of the mitigation by frequency.", least=0.0, examples=(0.0, 2.0)),
        Real("q", 2.0, "Strength of the compensation of mistakes.", least=0.0, examples=(0.0, 1.0)),
        Real(
            "eps",
            0.01,
            "Least probability of the target's class in the compensation.",
            above=0.0,
            most=1.0,
            examples=(0.5,),
        ),
        *OPTIONS,
    ),
    kernel=lambda values: ("seesaw", tuple(float(values[name]) for name in ("p", "q", "eps"))),
    formula="w_t*(lse(x + b) - x_t)",
    latex={
        "value": r"-\log\operatorname{softmax}(x + b)_t",
        "with": (
            r"b_c = p\,\log\min\Bigl(1, \frac{n_c}{n_t}\Bigr) + q\,\log\max\Bigl(1, "
            r"\frac{\pi_c}{\max(\pi_t, \varepsilon)}\Bigr),\quad b_t = 0,\quad \pi = \operatorname{softmax}(x)"
        ),
    },
    symbols={**SYMBOLS, "w": "weight"},
    has_hessian=False,
    mean_divisor="weight",
    description=(
        "Two forces act on the logit of a class that is not the target's. A rare class is pushed down less by the "
        "examples of a frequent one (mitigation); it is pushed down more where the model takes an example for it "
        "(compensation). Frequencies are counted while training goes on, so none has to be known beforehand.\n\n"
        "The shift is constant for the gradient, as in its authors' code: the gradient is that of the cross entropy of "
        "the shifted logits, and differs from the slope of the value where q > 0."
    ),
    notes=f"{SEEN} Held weights: the softmax within the shift has no derivative here. No Hessian is offered.",
    use_when=(
        "instances of a thousand classes are segmented and some occur ten times: what it was made for",
        "a class should not be held down by the examples of all others",
    ),
    avoid_when=(
        "frequencies are known and errors of all pairs alike: ``logit_adjusted_cross_entropy`` is convex",
        "counts of a running training cannot be kept",
    ),
    pitfalls=(
        "Counts are those seen so far and grow from call to call: add ``numpy.bincount(target)`` before each.",
        "Differences of values do not give this gradient, since the shift moves too.",
    ),
    see_also=(
        ("logit_adjusted_cross_entropy", "a shift by the frequency of each class"),
        ("softmax_focal_loss", "weights by difficulty"),
    ),
    references=(
        Reference(
            "Wang, J., Zhang, W., Zang, Y., Cao, Y., Pang, J., Gong, T., Chen, K., Liu, Z., Loy, C. C. and Lin, D. "
            "(2021). Seesaw loss for long-tailed instance segmentation. IEEE Conference on Computer Vision and Pattern "
            "Recognition, 9695-9704.",
            doi="10.1109/CVPR46437.2021.00957",
        ),
    ),
    equivalents=(
        Equivalent(
            "mmdet", "SeesawLoss", note="Its classification part, ``seesaw_ce_loss``, with the counts kept here."
        ),
    ),
    examples=""">>> logits = np.array([[2.0, 1.0, 0.0]])
>>> round(losslib.seesaw_loss(logits, [0], class_counts=[100, 10, 1], q=0.0), 4)
0.0599
>>> round(losslib.seesaw_loss(logits, [1], class_counts=[100, 10, 1], q=0.0), 4)
1.3288

Value and gradient come from one pass:

>>> value, gradient = losslib.seesaw_loss.value_and_grad(logits, [0], class_counts=[100, 10, 1], q=0.0)
>>> gradient.round(4)
array([[-0.0581,  0.0549,  0.0032]])
""",
    tags=("multi-class", "logits", "imbalance", "held weights"),
)


def _angular(values: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    names = ("scale", "margin1", "margin2", "margin3", "monotone")
    return "angular_shift", tuple(float(values[name]) for name in names)


margin_cross_entropy, MarginCrossEntropy = declare(
    "softmax_classes",
    "margin_cross_entropy",
    "MarginCrossEntropy",
    family="multiclass",
    aliases=("combined_margin_loss", "angular_margin_loss"),
    summary="Cross entropy of scaled cosines whose target has a margin, in the angle or in the cosine.",
    inputs=(COSINES, CLASSES),
    parameters=(
        Real("margin1", 1.0, "What multiplies the angle (SphereFace).", above=0.0, examples=(1.35, 4.0)),
        Real(
            "margin2", 0.5, "What is added to the angle, in radians (ArcFace).", least=0.0, most=3.14, examples=(0.0,)
        ),
        Real("margin3", 0.0, "What is subtracted from the cosine (CosFace).", least=0.0, examples=(0.35,)),
        SCALE,
        Flag(
            "monotone",
            False,
            "Let the target's logit fall on where the cosine of the enlarged angle would rise again, beyond pi.",
        ),
        SUB_CENTERS,
        *OPTIONS,
    ),
    kernel=_angular,
    formula="w_t*(lse(z) - z_t)",
    latex={
        "value": r"-\log\operatorname{softmax}(z)_t",
        "with": (
            r"z_c = s\,x_c\ (c \neq t),\quad z_t = s\,\bigl(\cos(m_1\theta + m_2) - m_3\bigr),\quad "
            r"x_t = \cos\theta"
        ),
    },
    symbols={**SYMBOLS, "w": "weight"},
    has_hessian=False,
    mean_divisor="weight",
    description=(
        "Embeddings and class vectors of length 1 meet in cosines. Classifying them by a scaled softmax pulls a sample "
        "towards the vector of its class only until it is nearer than to the others; a margin asks for more, so that "
        "samples of a class lie close together and those of other classes, seen in training or not, stay apart. One "
        "loss holds the three margins in use: ``arcface_loss``, ``cosface_loss`` and ``sphereface_loss`` are its "
        "settings.\n\n"
        "The product of the normalised matrices is the caller's, and so is the way of the gradient through the "
        "normalisation."
    ),
    notes=f"{SEEN} {SUM_OF_ANGLES.format('margin2')} where ``margin1`` is 1. {ANGLES}",
    use_when=(
        "classes of training and of use differ (faces, products, speakers) and embeddings are compared by cosine",
        "several margins are to be combined as insightface does",
    ),
    avoid_when=(
        "the classes are those of training and probabilities matter: ``cross_entropy``",
        "there are only pairs and no classes: ``cosine_embedding_loss``",
    ),
    pitfalls=(
        "Input are cosines, not logits: do not multiply by the scale beforehand.",
        "A scale that is too small cannot be sure: with C classes a perfect row still costs about log(1 + (C - "
        "1)*exp(-2*scale)).",
        "Without ``monotone`` an angle beyond pi - margin2 is pulled the wrong way.",
    ),
    see_also=(
        ("arcface_loss", "margin2 alone"),
        ("cosface_loss", "margin3 alone"),
        ("sphereface_loss", "margin1 alone"),
    ),
    references=(ARCFACE, COSFACE, SPHEREFACE, SUB_CENTER),
    equivalents=(
        Equivalent(
            "paddle", "margin_cross_entropy", note="The same names; runs on GPUs only, with scale 64 and margin2 0.5."
        ),
    ),
    examples=""">>> cosines = np.array([[0.8, 0.1, -0.2]])
>>> round(losslib.margin_cross_entropy(cosines, [0], margin2=0.5, scale=4.0), 4)
0.3148

Without margins it is the cross entropy of scaled cosines:

>>> round(losslib.margin_cross_entropy(cosines, [0], margin2=0.0, scale=4.0), 4)
0.0762
>>> round(losslib.cross_entropy(4 * cosines, [0]), 4)
0.0762

Value and gradient come from one pass:

>>> value, gradient = losslib.margin_cross_entropy.value_and_grad(cosines, [0], margin2=0.5, scale=4.0)
>>> gradient.round(4)
array([[-1.6385,  0.8302,  0.25  ]])
""",
    tags=("multi-class", "cosines", "margin"),
)


def _arcface(values: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    return "angular_shift", (float(values["scale"]), 1.0, float(values["margin"]), 0.0, 1.0)


arcface_loss, ArcFaceLoss = declare(
    "softmax_classes",
    "arcface_loss",
    "ArcFaceLoss",
    family="multiclass",
    aliases=("arcface", "additive_angular_margin", "sub_center_arcface", "aam_softmax"),
    summary="Cross entropy of scaled cosines in which the target's angle is enlarged by a margin.",
    inputs=(COSINES, CLASSES),
    parameters=(
        Real("margin", 0.5, "What is added to the angle, in radians.", least=0.0, most=3.14, examples=(0.0, 0.2)),
        SCALE,
        SUB_CENTERS,
        *OPTIONS,
    ),
    kernel=_arcface,
    formula="w_t*(lse(z) - z_t)",
    latex={
        "value": r"-\log\operatorname{softmax}(z)_t",
        "with": r"z_c = s\,x_c\ (c \neq t),\quad z_t = s\,\cos(\theta + m),\quad x_t = \cos\theta",
    },
    symbols={**SYMBOLS, "w": "weight"},
    has_hessian=False,
    mean_divisor="weight",
    description=(
        "The margin is an angle, the same at every place of the sphere: the usual loss for embeddings of faces. Beyond "
        "``theta + margin = pi`` the cosine would rise again; there a line goes on falling, as in the authors' "
        "code.\n\n"
        "With ``sub_centers=K`` a class has K vectors side by side and counts by the nearest, so that wrong labels "
        "gather at centres of their own."
    ),
    notes=f"{SEEN} {SUM_OF_ANGLES.format('margin')}. {ANGLES}",
    use_when=(
        "embeddings of many classes are compared by cosine later: faces, speakers, products",
        "labels are noisy: sub_centers=3 gives errors a place of their own",
    ),
    avoid_when=(
        "training from the start does not converge: begin with a small margin, or with ``cosface_loss``",
        "probabilities matter: ``cross_entropy``",
    ),
    pitfalls=(
        "Input are cosines, not logits: do not multiply by the scale beforehand.",
        "PyTorch Metric Learning takes the margin in degrees, 28.6 by default, and the product is within its loss.",
    ),
    see_also=(
        ("margin_cross_entropy", "all margins in one"),
        ("cosface_loss", "a margin of the cosine, which trains more easily"),
        ("cross_entropy", "no margin"),
    ),
    references=(ARCFACE, SUB_CENTER),
    equivalents=(
        Equivalent(
            "pytorch_metric_learning",
            "ArcFaceLoss",
            note="The product with its matrix W of unit columns is in its loss; margin in degrees.",
        ),
        Equivalent("pytorch_metric_learning", "SubCenterArcFaceLoss", note="The same with sub_centers=3."),
    ),
    examples=""">>> cosines = np.array([[0.8, 0.1, -0.2], [0.1, 0.0, 0.9]])
>>> losslib.arcface_loss(cosines, [0, 2], margin=0.5, scale=4.0, reduction="none").round(4)
array([0.3148, 0.2184])

Two centres for each of two classes: the nearer one takes the gradient.

>>> losslib.arcface_loss.grad([[0.7, 0.8, 0.1, -0.2]], [0], scale=4.0, sub_centers=2).round(4)
array([[ 0.    , -1.3432,  0.8855,  0.    ]])

Value and gradient come from one pass:

>>> value, gradient = losslib.arcface_loss.value_and_grad(cosines, [0, 2], margin=0.5, scale=4.0)
>>> gradient.round(4)
array([[-0.8192,  0.4151,  0.125 ],
       [ 0.2349,  0.1575, -0.7327]])
""",
    tags=("multi-class", "cosines", "margin"),
)


def _cosface(values: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    return "angular_shift", (float(values["scale"]), 1.0, 0.0, float(values["margin"]), 0.0)


cosface_loss, CosFaceLoss = declare(
    "softmax_classes",
    "cosface_loss",
    "CosFaceLoss",
    family="multiclass",
    aliases=("cosface", "am_softmax", "additive_margin_softmax", "large_margin_cosine"),
    summary="Cross entropy of scaled cosines of which the target's is lowered by a margin.",
    inputs=(COSINES, CLASSES),
    parameters=(
        Real("margin", 0.35, "What is subtracted from the target's cosine.", least=0.0, examples=(0.0, 0.1)),
        SCALE,
        SUB_CENTERS,
        *OPTIONS,
    ),
    kernel=_cosface,
    formula="w_t*(lse(z) - z_t)",
    latex={
        "value": r"-\log\operatorname{softmax}(z)_t",
        "with": r"z_c = s\,x_c\ (c \neq t),\quad z_t = s\,(x_t - m)",
    },
    symbols={**SYMBOLS, "w": "weight"},
    has_hessian=False,
    mean_divisor="weight",
    description=(
        "The margin is a difference of cosines. It does nothing but shift the target's logit, so the loss is convex in "
        "the cosines and trains as easily as cross entropy; the angle it asks for is large near the class and small "
        "far away."
    ),
    notes=(
        f"{SEEN} Cosines beyond 1 by rounding are clipped for the target; beyond 1.01 they are an error, with "
        "check=False clipped. No Hessian is offered, as for the other margins."
    ),
    use_when=(
        "embeddings are compared by cosine later and ArcFace does not converge",
        "the margin is to be read as a difference of similarities",
    ),
    avoid_when=(
        "probabilities matter: ``cross_entropy``",
        "classes are unbalanced: ``ldam_loss`` has a margin for each",
    ),
    pitfalls=("Input are cosines, not logits: do not multiply by the scale beforehand.",),
    see_also=(
        ("arcface_loss", "a margin of the angle"),
        ("margin_cross_entropy", "all margins in one"),
        ("ldam_loss", "a margin for each class"),
    ),
    references=(COSFACE,),
    equivalents=(
        Equivalent(
            "pytorch_metric_learning",
            "CosFaceLoss",
            note="The product with its matrix W of unit columns is in its loss.",
        ),
        Equivalent(
            "torch",
            "cross_entropy",
            "torch.nn.functional.cross_entropy(64 * (x - 0.35 * torch.nn.functional.one_hot(t, x.shape[1]).double()), "
            "t)",
            {},
            "The margin subtracted first.",
        ),
    ),
    examples=""">>> cosines = np.array([[0.8, 0.1, -0.2], [0.1, 0.0, 0.9]])
>>> losslib.cosface_loss(cosines, [0, 2], scale=4.0, reduction="none").round(4)
array([0.2783, 0.2438])

Value and gradient come from one pass:

>>> value, gradient = losslib.cosface_loss.value_and_grad(cosines, [0, 2], scale=4.0)
>>> gradient.round(4)
array([[-0.4858,  0.3734,  0.1125],
       [ 0.2591,  0.1737, -0.4327]])
""",
    tags=("multi-class", "cosines", "margin", "convex", "smooth"),
)


def _sphereface(values: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    return "angular_shift", (1.0, float(values["margin"]), 0.0, 0.0, 1.0)


sphereface_loss, SphereFaceLoss = declare(
    "softmax_classes",
    "sphereface_loss",
    "SphereFaceLoss",
    family="multiclass",
    aliases=("sphereface", "a_softmax", "angular_softmax"),
    summary="Cross entropy of cosines in which the target's angle is multiplied by a margin.",
    inputs=(COSINES, CLASSES),
    parameters=(
        Real("margin", 4.0, "What multiplies the angle.", above=0.0, examples=(1.0, 1.35, 2.0)),
        Array(
            "scale",
            None,
            "What multiplies the cosines: a number, or one for each sample, the length of its embedding. None is 1.",
        ),
        SUB_CENTERS,
        *OPTIONS,
    ),
    kernel=_sphereface,
    formula="w_t*(lse(z) - z_t)",
    latex={
        "value": r"-\log\operatorname{softmax}(z)_t",
        "with": (
            r"z_c = s\,x_c\ (c \neq t),\quad z_t = s\,\bigl((-1)^k\cos(m\theta) - 2k\bigr),\quad "
            r"k = \lfloor m\theta/\pi\rfloor,\quad x_t = \cos\theta"
        ),
    },
    symbols={**SYMBOLS, "w": "weight"},
    has_hessian=False,
    mean_divisor="weight",
    description=(
        "The first of the angular margins: the angle to the class must be margin times smaller than to the others. "
        "The cosine of the multiple is continued so that it falls through all of its periods. Its authors do not "
        "normalise embeddings: ``scale`` then holds their lengths, and their gradient is the caller's."
    ),
    notes=f"{SEEN} {ANGLES}",
    use_when=("results of the paper are to be reproduced", "the margin is to grow with the angle"),
    avoid_when=(
        "training is new: ``arcface_loss`` and ``cosface_loss`` are steadier and have replaced it",
        "probabilities matter: ``cross_entropy``",
    ),
    pitfalls=(
        "The default scale is 1, not 64: pass the lengths of the embeddings.",
        "A margin of 4 hardly trains from the start; its authors mix it with the plain softmax.",
    ),
    see_also=(("arcface_loss", "an angle is added"), ("margin_cross_entropy", "all margins in one")),
    references=(SPHEREFACE,),
    equivalents=(
        Equivalent(
            "pytorch_metric_learning",
            "SphereFaceLoss",
            note="Its scale multiplies the lengths of the embeddings, which are in its loss.",
        ),
    ),
    examples=""">>> cosines = np.array([[0.8, 0.1, -0.2], [0.1, 0.0, 0.9]])
>>> losslib.sphereface_loss(cosines, [0, 2], margin=2.0, scale=4.0, reduction="none").round(4)
array([0.4906, 0.1895])

Value and gradient come from one pass:

>>> value, gradient = losslib.sphereface_loss.value_and_grad(cosines, [0, 2], margin=2.0, scale=4.0)
>>> gradient.round(4)
array([[-2.4817,  0.596 ,  0.1795],
       [ 0.2067,  0.1386, -1.2431]])
""",
    tags=("multi-class", "cosines", "margin"),
)
