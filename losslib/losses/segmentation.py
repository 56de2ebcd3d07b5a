"""Segmentation: losses of regions, from what a predicted region and the true one have in common.

In the formulas p is the predicted probability and t the target of a position; I = sum p t, FP = sum p (1 - t) and
FN = sum (1 - p) t are sums over the positions that one ratio counts, and P = I + FP, T = I + FN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib.declaration.schema import (
    PROBABILITY,
    REAL,
    Array,
    Choice,
    Domain,
    Equivalent,
    Flag,
    Indices,
    Input,
    Integer,
    Real,
    Reference,
)
from losslib.declare import declare

__all__ = [
    "BoundaryLoss",
    "DiceCrossEntropyLoss",
    "DiceLoss",
    "FocalTverskyLoss",
    "GeneralizedDiceLoss",
    "GeneralizedWassersteinDiceLoss",
    "HausdorffDTLoss",
    "JaccardLoss",
    "LogCoshDiceLoss",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "MCCLoss",
    "TverskyLoss",
    "UnifiedFocalLoss",
    "boundary_loss",
    "dice_cross_entropy_loss",
    "dice_loss",
    "focal_tversky_loss",
    "generalized_dice_loss",
    "generalized_wasserstein_dice_loss",
    "hausdorff_dt_loss",
    "jaccard_loss",
    "log_cosh_dice_loss",
    "lovasz_hinge_loss",
    "lovasz_softmax_loss",
    "mcc_loss",
    "tversky_loss",
    "unified_focal_loss",
]

Values = Mapping[str, Any]
Kernel = tuple[str, tuple[float, ...]]

# Inputs and parameters that the losses share.

INPUT = Input(
    "input",
    "Predictions, shape (N, C, d1, ...) with the classes along `axis`: logits, or probabilities with "
    '``activation="none"``. With ``axis=None`` one class, shape (N, d1, ...).',
    PROBABILITY,
    fix="for logits pass activation='sigmoid' or activation='softmax'",
    holds="row",
)
TARGET = Input(
    "target",
    "True regions: class indices in the shape of `input` without its class axis, or a mask of each class in the shape "
    "of `input`, of numbers in [0, 1], integers or bool.",
    PROBABILITY,
    fix="a mask holds 0, 1 or what lies between; class indices have no class axis",
    holds="class",
    or_row=True,
)
AXIS = Integer(
    "axis",
    1,
    "The class axis of `input`; -1 where the classes are last. ``None``: one class without an axis.",
    optional=True,
)
ACTIVATION = Choice(
    "activation",
    "none",
    'What turns `input` into probabilities: ``"none"`` (it holds them), ``"sigmoid"`` for each class by itself or '
    '``"softmax"`` over the classes.',
    choices=("none", "sigmoid", "softmax"),
)
PER = Choice(
    "per",
    "sample_class",
    'What one ratio counts: ``"sample_class"`` a class of one sample; ``"class"`` a class in all samples of the call; '
    '``"sample"`` all classes of one sample; ``"all"`` everything. The reduction is over these ratios.',
    choices=("sample_class", "class", "sample", "all"),
)
PER_SAMPLE = Choice(
    "per",
    "sample",
    'What one ratio counts: ``"sample"`` all classes of one sample, ``"all"`` all samples too.',
    choices=("sample", "all"),
)
CLASSES = Indices(
    "classes",
    None,
    "The classes whose ratios enter, after the activation; ``range(1, C)`` leaves out a background of index 0.",
)
WEIGHT = Array(
    "weight",
    None,
    "Weight of each class. It multiplies ratios, or the terms of the sums where classes are pooled; ``mean`` divides "
    "by the number of ratios all the same, ``weighted_mean`` by the sum of the weights.",
)
ABSENT = Choice(
    "absent",
    "include",
    'A ratio whose target is empty: ``"include"`` counts it as it is, ``"zero"`` counts it as 0, ``"skip"`` leaves it '
    "out of the mean (over the classes of a sample first, where ratios are per sample and class).",
    choices=("include", "zero", "skip"),
)
IGNORE_INDEX = Integer(
    "ignore_index",
    None,
    "Positions whose target has this index, or in a mask of one class this number, do not count.",
    optional=True,
)
IGNORE_CLASS = Integer("ignore_index", None, "Positions whose target has this index do not count.", optional=True)
SMOOTH = Real(
    "smooth",
    1e-5,
    "Added to numerator and denominator of the score: what is known before counting.",
    least=0.0,
    examples=(0.0, 1.0),
)
EPS = Real("eps", 0.0, "Added to the denominator of the score only.", least=0.0, examples=(1e-3,))
SQUARED = Flag("squared", False, "Squares of predictions and targets in the denominator (V-Net).")
INTERSECTION = Choice(
    "intersection",
    "product",
    'What soft predictions and targets have in common: their ``"product"``, or the smaller of both, ``"min"``, which '
    "is smallest where they are equal. For masks of 0 and 1 both are the same; ``squared``, whose norm is that of L2, "
    "goes with the product.",
    choices=("product", "min"),
)
LOG = Flag("log", False, "-log of the score, held at 1e-7 from below, in place of 1 - score.")

COUNTS = r"I = \sum p\,t, \quad FP = \sum p\,(1 - t), \quad FN = \sum (1 - p)\,t, \qquad P = I + FP, \quad T = I + FN"

#: Arguments of every loss of ratios, behind its own.
REGION = (AXIS, ACTIVATION, PER, CLASSES, WEIGHT, ABSENT, IGNORE_INDEX)
INPUTS = (INPUT, TARGET)
BOTH = ("input", "target")

MILLETARI = Reference(
    "Milletari, F., Navab, N. and Ahmadi, S.-A. (2016). V-Net: fully convolutional neural networks for volumetric "
    "medical image segmentation. International Conference on 3D Vision, 565-571.",
    doi="10.1109/3DV.2016.79",
)
DICE = Reference(
    "Dice, L. R. (1945). Measures of the amount of ecologic association between species. Ecology, 26(3), 297-302.",
    doi="10.2307/1932409",
)
RAHMAN = Reference(
    "Rahman, M. A. and Wang, Y. (2016). Optimizing intersection-over-union in deep neural networks for image "
    "segmentation. International Symposium on Visual Computing, 234-244.",
    doi="10.1007/978-3-319-50835-1_22",
)
WANG = Reference(
    "Wang, Z., Ning, X. and Blaschko, M. B. (2023). Jaccard metric losses: optimizing the Jaccard index with soft "
    "labels. Advances in Neural Information Processing Systems, 36.",
    url="https://arxiv.org/abs/2302.05666",
)
SALEHI = Reference(
    "Salehi, S. S. M., Erdogmus, D. and Gholipour, A. (2017). Tversky loss function for image segmentation using 3D "
    "fully convolutional deep networks. Machine Learning in Medical Imaging, 379-387.",
    doi="10.1007/978-3-319-67389-9_44",
)
ABRAHAM = Reference(
    "Abraham, N. and Khan, N. M. (2019). A novel focal Tversky loss function with improved attention U-Net for lesion "
    "segmentation. IEEE International Symposium on Biomedical Imaging, 683-687.",
    doi="10.1109/ISBI.2019.8759329",
)
JADON = Reference(
    "Jadon, S. (2020). A survey of loss functions for semantic segmentation. IEEE Conference on Computational "
    "Intelligence in Bioinformatics and Computational Biology, 1-7.",
    doi="10.1109/CIBCB48159.2020.9277638",
)
ABHISHEK = Reference(
    "Abhishek, K. and Hamarneh, G. (2021). Matthews correlation coefficient loss for deep convolutional networks: "
    "application to skin lesion segmentation. IEEE International Symposium on Biomedical Imaging, 225-229.",
    doi="10.1109/ISBI48211.2021.9433782",
)
ISENSEE = Reference(
    "Isensee, F., Jaeger, P. F., Kohl, S. A. A., Petersen, J. and Maier-Hein, K. H. (2021). nnU-Net: a "
    "self-configuring method for deep learning-based biomedical image segmentation. Nature Methods, 18, 203-211.",
    doi="10.1077/s41592-020-01008-z",
)

SUDRE = Reference(
    "Sudre, C. H., Li, W., Vercauteren, T., Ourselin, S. and Cardoso, M. J. (2017). Generalised Dice overlap as a deep "
    "learning loss function for highly unbalanced segmentations. Deep Learning in Medical Image Analysis, 240-248.",
    doi="10.1007/978-3-319-67558-9_28",
)
FIDON = Reference(
    "Fidon, L., Li, W., Garcia-Peraza-Herrera, L. C., Ekanayake, J., Kitchen, N., Ourselin, S. and Vercauteren, T. "
    "(2018). Generalised Wasserstein Dice score for imbalanced multi-class segmentation using holistic convolutional "
    "networks. Brainlesion, 64-76.",
    doi="10.1007/978-3-319-75238-9_6",
)
KERVADEC = Reference(
    "Kervadec, H., Bouchtiba, J., Desrosiers, C., Granger, E., Dolz, J. and Ben Ayed, I. (2019). Boundary loss for "
    "highly unbalanced segmentation. Medical Imaging with Deep Learning, 285-296.",
    url="https://proceedings.mlr.press/v102/kervadec19a.html",
)
KARIMI = Reference(
    "Karimi, D. and Salcudean, S. E. (2020). Reducing the Hausdorff distance in medical image segmentation with "
    "convolutional neural networks. IEEE Transactions on Medical Imaging, 39(2), 499-513.",
    doi="10.1109/TMI.2019.2930068",
)
FELZENSZWALB = Reference(
    "Felzenszwalb, P. F. and Huttenlocher, D. P. (2012). Distance transforms of sampled functions. Theory of "
    "Computing, 8(19), 415-428.",
    doi="10.4086/toc.2012.v008a019",
)
BERMAN = Reference(
    "Berman, M., Rannen Triki, A. and Blaschko, M. B. (2018). The Lovász-softmax loss: a tractable surrogate for the "
    "optimization of the intersection-over-union measure in neural networks. IEEE Conference on Computer Vision and "
    "Pattern Recognition, 4413-4421.",
    doi="10.1109/CVPR.2018.00464",
)
YEUNG = Reference(
    "Yeung, M., Sala, E., Schoenlieb, C.-B. and Rundo, L. (2022). Unified focal loss: generalising Dice and "
    "cross-entropy-based losses to handle class imbalanced medical image segmentation. Computerized Medical Imaging "
    "and Graphics, 95, 102026.",
    doi="10.1016/j.compmedimag.2021.102026",
)

RATIO = (
    "The value is not a sum over positions: every position has a part in the gradient of every other, and there is no "
    "Hessian. Counts are summed in float64 over the positions that ``where`` and ``ignore_index`` keep, and what is "
    "wrong is summed directly, so that a nearly perfect prediction keeps its digits. 0/0, nothing to find and nothing "
    "found, is perfect: value 0, gradient 0. Two passes over the input and no array beside the gradient. "
    "``sample_weight`` of shape (N,) multiplies the ratios of a sample, or the terms of the sums where samples are "
    "pooled; of one weight a position it multiplies the terms."
)
NOTES = RATIO + " ``mean`` divides by the number of ratios."
#: Of losses whose one ratio is a mean over positions.
MEANS = (
    "Terms are summed in float64 over the positions that {kept}, and divided by their number; a mean over no position "
    "is 0. There is no Hessian. ``sample_weight`` of shape (N,) multiplies the means of a sample, or the terms of the "
    "sums where samples are pooled; of one weight a position it multiplies the terms, and a mean divides by the sum of "
    "these weights."
)


def domains(values: Values) -> tuple[Domain, ...]:
    """Logits may be any number."""
    return (PROBABILITY if values["activation"] == "none" else REAL), PROBABILITY


def region(name: str, class_name: str, **fields: Any) -> Any:
    """Declare a loss of regions with what all of them share."""
    settings: dict[str, Any] = {
        "family": "segmentation",
        "per": "region",
        "inputs": INPUTS,
        "input_domains": domains,
        "has_hessian": False,
        "differentiable": BOTH,
        "notes": NOTES,
    }
    return declare("overlap", name, class_name, **{**settings, **fields})


def ratio(name: str, *own: str) -> Any:
    """Return the kernel of a ratio: logarithm, power and log cosh of it, smooth, eps and its own parameters."""

    def kernel(values: Values) -> Kernel:
        made = (float(values.get("log", False)), float(values.get("gamma", 1.0)), 0.0)
        return name, (*made, float(values["smooth"]), float(values["eps"]), *(float(values[key]) for key in own))

    return kernel


# ---- Dice ----------------------------------------------------------------------------------------------------------

dice_loss, DiceLoss = region(
    "dice_loss",
    "DiceLoss",
    formula="1 - (2*I + smooth)/(P + T + smooth + eps)",
    aliases=("soft_dice", "sorensen_dice"),
    summary="One minus twice the common part of two regions over the sum of their sizes.",
    parameters=(SMOOTH, EPS, SQUARED, INTERSECTION, LOG, *REGION),
    kernel=ratio("Dice"),
    latex={
        "value": (
            r"L = 1 - \frac{2 I + s}{P + T + s + \varepsilon} = \frac{FP + FN + \varepsilon}{P + T + s + \varepsilon}"
        ),
        "counts": COUNTS,
    },
    description=(
        "The coefficient of Dice compares what two regions share with their sizes, so that a lesion of fifty pixels "
        "counts as much as an organ of fifty thousand: the background, right nearly everywhere, has no part in it. As "
        "a loss it takes probabilities in place of marks, and trains for the F1 score of pixels.\n\n"
        "Its gradient at a position depends on the whole region. Of a small region the value jumps: one pixel more or "
        "less may change it from 0 to 1. In practice it stands beside a cross-entropy, which gives "
        "every pixel a smooth slope: ``dice_cross_entropy_loss``."
    ),
    use_when=(
        "foreground is rare and its share differs from image to image",
        "the result is judged by Dice or F1",
        "regions, not pixels, are what counts",
    ),
    avoid_when=(
        "probabilities should be calibrated: this loss drives them to 0 and 1",
        "many images hold no foreground at all and ``smooth`` is small: any false positive costs 1 there",
        "false positives and false negatives differ in what they cost: ``tversky_loss``",
    ),
    pitfalls=(
        "Frameworks differ in what one ratio counts. MONAI and optax take a ratio for each sample and class, "
        "segmentation-models for each class over the batch, Paddle for each sample over all classes, Keras one for "
        "all: see ``per``.",
        "segmentation-models adds its ``smooth`` to half of the numerator and of the denominator: its ``smooth=s`` is "
        "``smooth=2*s`` here.",
        "Logits without ``activation`` are a DomainError here; elsewhere they give a number.",
        "A background class of index 0 enters as any other unless ``classes=range(1, C)``.",
        "nnU-Net reports minus the score: its loss is this one minus 1.",
    ),
    see_also=(
        ("dice_cross_entropy_loss", "adds the cross-entropy from the same softmax"),
        ("jaccard_loss", "the same errors over the union"),
        ("tversky_loss", "weighs false positives and false negatives apart"),
    ),
    references=(DICE, MILLETARI, WANG),
    equivalents=(
        Equivalent("monai", "DiceLoss", "monai.losses.DiceLoss()(x, t)"),
        Equivalent(
            "monai",
            "DiceLoss",
            "monai.losses.DiceLoss(softmax=True, include_background=False, batch=True, squared_pred=True)(x, t)",
            {"activation": "softmax", "classes": (1, 2, 3), "per": "class", "squared": True},
        ),
        Equivalent(
            "keras",
            "Dice",
            "keras.losses.Dice()(t, x)",
            {"per": "all", "smooth": 0.0, "eps": 1e-7},
        ),
        Equivalent(
            "segmentation_models_pytorch",
            "DiceLoss",
            "segmentation_models_pytorch.losses.DiceLoss('multilabel', from_logits=False, smooth=0.5)(x, t)",
            {"per": "class", "absent": "zero", "smooth": 1.0, "eps": 0.0},
            note="Its ``smooth`` counts twice, and its ``eps`` of 1e-7 is a floor of the denominator.",
        ),
        Equivalent(
            "optax",
            "dice_loss",
            note="``axis=-1`` and twice its ``smooth``; it gives one mean for each sample.",
        ),
        Equivalent("paddle", "dice_loss", note="``axis=-1, per='sample', smooth=0, eps=1e-5``; labels have an axis."),
        Equivalent("kornia", "dice_loss", note="``smooth=0, eps=1e-8``; micro is ``per='sample'``, macro skips."),
    ),
    examples=""">>> probabilities = np.array([[[0.9, 0.8, 0.1, 0.0]]])      # one sample, one class, four pixels
>>> mask = np.array([[[1, 1, 1, 0]]])
>>> value, grad = losslib.dice_loss.value_and_grad(probabilities, mask, smooth=0.0)
>>> round(value, 4)     # 1 - 2 * 1.8 / (1.8 + 3)
0.25
>>> grad.round(4)
array([[[-0.2604, -0.2604, -0.2604,  0.1562]]])

Class indices and logits of three classes, without the background:

>>> logits = np.zeros((1, 3, 4, 4))
>>> labels = np.tile([0, 1, 2, 1], (1, 4, 1))
>>> round(losslib.dice_loss(logits, labels, activation="softmax", classes=(1, 2)), 4)
0.6571
""",
    tags=("segmentation", "imbalance", "bounded", "regions"),
    entries=("L093",),
    value_range="[0, 1] for log=False",
)


jaccard_loss, JaccardLoss = region(
    "jaccard_loss",
    "JaccardLoss",
    formula="1 - (I + smooth)/(P + T - I + smooth + eps)",
    aliases=("tanimoto", "tanimoto_loss", "soft_iou"),
    summary="One minus the common part of two regions over their union.",
    parameters=(SMOOTH, EPS, SQUARED, INTERSECTION, LOG, *REGION),
    kernel=ratio("Jaccard"),
    latex={
        "value": (
            r"L = 1 - \frac{I + s}{P + T - I + s + \varepsilon} = "
            r"\frac{FP + FN + \varepsilon}{P + T - I + s + \varepsilon}"
        ),
        "counts": COUNTS,
    },
    description=(
        "The index of Jaccard, intersection over union, is the measure by which most segmentation is judged. It orders "
        "predictions of one region as Dice does and punishes bad ones harder: a Dice of 0.5 is an IoU of 0.33."
    ),
    use_when=("the result is judged by mean IoU", "foreground is rare and its share differs from image to image"),
    avoid_when=(
        "the mean IoU itself is to be trained for, with hard decisions: ``lovasz_softmax_loss`` is its convex "
        "extension",
        "probabilities should be calibrated",
    ),
    pitfalls=(
        "MONAI's ``DiceLoss(jaccard=True)`` doubles the denominator and then adds its constants: halve them.",
        "The mean of ratios of a batch is not the IoU of the batch: ``per`` says which it is.",
    ),
    see_also=(
        ("dice_loss", "the same errors over the sum of the sizes"),
        ("box_iou_loss", "the same for boxes"),
    ),
    references=(RAHMAN, WANG),
    equivalents=(
        Equivalent(
            "monai",
            "DiceLoss",
            "monai.losses.DiceLoss(jaccard=True)(x, t)",
            {"smooth": 5e-6},
        ),
        Equivalent(
            "segmentation_models_pytorch",
            "JaccardLoss",
            "segmentation_models_pytorch.losses.JaccardLoss('multilabel', from_logits=False, smooth=0.5)(x, t)",
            {"per": "class", "absent": "zero", "smooth": 0.5},
        ),
    ),
    examples=""">>> probabilities = np.array([[[0.9, 0.8, 0.1, 0.0]]])
>>> mask = np.array([[[1, 1, 1, 0]]])
>>> round(losslib.jaccard_loss(probabilities, mask, smooth=0.0), 4)     # 1 - 1.8 / 3
0.4
>>> value, grad = losslib.jaccard_loss.value_and_grad(probabilities, mask)
>>> grad.shape
(1, 1, 4)
""",
    tags=("segmentation", "imbalance", "bounded", "regions"),
    entries=("L095",),
    value_range="[0, 1] for log=False",
)


def alpha(default: float) -> Real:
    return Real("alpha", default, "Weight of false positives.", least=0.0, examples=(0.2, 0.7))


def beta(default: float) -> Real:
    return Real("beta", default, "Weight of false negatives.", least=0.0, examples=(0.2, 0.9))


def gamma(default: float) -> Real:
    return Real(
        "gamma",
        default,
        "Exponent of each ratio's loss. Above 1 bad regions weigh more, below 1 nearly perfect ones.",
        above=0.0,
        examples=(2.0, 0.5),
    )


TVERSKY_LATEX = {
    "value": (
        r"L = \left(1 - \frac{I + s}{I + \alpha FP + \beta FN + s + \varepsilon}\right)^{\gamma} = "
        r"\left(\frac{\alpha FP + \beta FN + \varepsilon}{I + \alpha FP + \beta FN + s + \varepsilon}\right)^{\gamma}"
    ),
    "counts": COUNTS,
}

tversky_loss, TverskyLoss = region(
    "tversky_loss",
    "TverskyLoss",
    formula="(1 - (I + smooth)/(I + alpha*FP + beta*FN + smooth + eps))**gamma",
    summary="The Dice loss with a weight for false positives and one for false negatives, and a focal power.",
    parameters=(alpha(0.5), beta(0.5), gamma(1.0), SMOOTH, EPS, LOG, *REGION),
    kernel=ratio("Tversky", "alpha", "beta"),
    latex=TVERSKY_LATEX,
    description=(
        "Where missing a region costs more than finding too much of it, as with lesions, ``beta`` above ``alpha`` "
        "trades precision for recall. With 0.5 and 0.5 it is the Dice loss, with 1 and 1 the Jaccard loss."
    ),
    use_when=(
        "false negatives cost more than false positives, or the reverse",
        "thin or small structures vanish under the Dice loss: raise ``beta``",
    ),
    avoid_when=(
        "both errors cost the same: ``dice_loss`` says it with fewer words",
        "probabilities should be calibrated",
    ),
    pitfalls=(
        "Here, as in MONAI, kornia and segmentation-models, alpha weighs false positives. Keras up to 3.15.1 exchanges "
        "both (keras#23322), and Abraham's alpha is that of false negatives.",
        "With ``gamma`` below 1 the derivative of a perfect ratio is infinite; 0 is returned there.",
        "segmentation-models raises the mean over classes to ``gamma``, not each ratio.",
    ),
    see_also=(
        ("dice_loss", "alpha and beta 0.5"),
        ("focal_tversky_loss", "the settings of Abraham and Khan"),
    ),
    references=(SALEHI, ABRAHAM),
    equivalents=(
        Equivalent(
            "monai",
            "TverskyLoss",
            "monai.losses.TverskyLoss(alpha=0.3, beta=0.7)(x, t)",
            {"alpha": 0.3, "beta": 0.7},
            note="``smooth_nr`` and ``smooth_dr`` are ``smooth`` and ``smooth + eps``.",
        ),
        Equivalent(
            "segmentation_models_pytorch",
            "TverskyLoss",
            "segmentation_models_pytorch.losses.TverskyLoss('multilabel', from_logits=False, alpha=0.3, beta=0.7, "
            "smooth=0.5)(x, t)",
            {"alpha": 0.3, "beta": 0.7, "smooth": 0.5, "per": "class", "absent": "zero"},
        ),
        Equivalent(
            "keras",
            "Tversky",
            "keras.losses.Tversky(alpha=0.7, beta=0.3)(t, x)",
            {"alpha": 0.3, "beta": 0.7, "per": "all", "smooth": 0.0, "eps": 1e-7},
            note="Up to 3.15.1 its alpha and beta are exchanged.",
        ),
        Equivalent("kornia", "tversky_loss", note="``smooth=0, eps=1e-8, absent='skip'``."),
    ),
    examples=""">>> probabilities = np.array([[[0.9, 0.8, 0.1, 0.0]]])
>>> mask = np.array([[[1, 1, 1, 0]]])
>>> round(losslib.tversky_loss(probabilities, mask, alpha=0.3, beta=0.7, smooth=0.0), 4)
0.3182
>>> value, grad = losslib.tversky_loss.value_and_grad(probabilities, mask)
>>> grad.shape
(1, 1, 4)
""",
    tags=("segmentation", "imbalance", "bounded", "regions", "focal"),
    entries=("L096",),
    value_range="[0, 1] for log=False",
)


focal_tversky_loss, FocalTverskyLoss = region(
    "focal_tversky_loss",
    "FocalTverskyLoss",
    formula="(1 - (I + smooth)/(I + alpha*FP + beta*FN + smooth + eps))**gamma",
    summary="The Tversky loss with the weights and the power of Abraham and Khan.",
    parameters=(alpha(0.3), beta(0.7), gamma(0.75), SMOOTH, EPS, LOG, *REGION),
    kernel=ratio("Tversky", "alpha", "beta"),
    latex=TVERSKY_LATEX,
    description=(
        "``tversky_loss`` under the name and with the defaults of the paper: false negatives weigh more, and the power "
        "0.75 keeps a slope where most of a small lesion is found already."
    ),
    use_when=(
        "small lesions are to be found, and missing one costs more than a false alarm",
        "results are compared with the paper's",
    ),
    avoid_when=(
        "the settings are yours: ``tversky_loss`` has the same parameters and neutral defaults",
        "a perfect region is the goal: the slope grows without bound as the loss goes to 0",
    ),
    pitfalls=(
        "The paper's alpha is that of false negatives, and its gamma of 4/3 stands as 1/gamma: 0.75 here.",
        "Elsewhere focal powers above 1 are usual, which do the opposite.",
    ),
    see_also=(("tversky_loss", "the same with other defaults"),),
    references=(ABRAHAM,),
    equivalents=(Equivalent("kornia", "focal_tversky_loss", note="Of ``tversky_loss`` with a power."),),
    examples=""">>> probabilities = np.array([[[0.9, 0.8, 0.1, 0.0]]])
>>> mask = np.array([[[1, 1, 1, 0]]])
>>> round(losslib.focal_tversky_loss(probabilities, mask, smooth=0.0), 4)
0.4236
>>> value, grad = losslib.focal_tversky_loss.value_and_grad(probabilities, mask)
>>> grad.shape
(1, 1, 4)
""",
    tags=("segmentation", "imbalance", "bounded", "regions", "focal"),
    entries=("L097",),
    value_range="[0, 1] for log=False",
)


log_cosh_dice_loss, LogCoshDiceLoss = region(
    "log_cosh_dice_loss",
    "LogCoshDiceLoss",
    formula="log(cosh(1 - (2*I + smooth)/(P + T + smooth + eps)))",
    summary="The logarithm of the hyperbolic cosine of the Dice loss of each region.",
    parameters=(SMOOTH, EPS, SQUARED, INTERSECTION, *REGION),
    kernel=lambda values: ("Dice", (0.0, 1.0, 1.0, float(values["smooth"]), float(values["eps"]))),
    latex={"value": r"L = \log\cosh D, \qquad D = 1 - \frac{2 I + s}{P + T + s + \varepsilon}"},
    description=(
        "Near a perfect prediction it is half the square of the Dice loss, so that its gradient fades as the region "
        "is found, where that of the Dice loss stays."
    ),
    use_when=(
        "training by the Dice loss oscillates around a good solution",
        "bad regions are to weigh more than good ones, without a power to choose",
    ),
    avoid_when=(
        "regions are small and the last pixels matter: the slope is gone before they are found",
        "values are read by people: ``dice_loss`` is 1 minus a score that they know",
    ),
    pitfalls=("Its largest value is log cosh 1 = 0.4338, not 1.",),
    see_also=(("dice_loss", "without the curve"),),
    references=(JADON,),
    equivalents=(
        Equivalent("segmentation_models_pytorch", "DiceLoss", note="log(cosh()) of its value, class by class."),
    ),
    examples=""">>> probabilities = np.array([[[0.9, 0.8, 0.1, 0.0]]])
>>> mask = np.array([[[1, 1, 1, 0]]])
>>> round(losslib.log_cosh_dice_loss(probabilities, mask, smooth=0.0), 4)     # log cosh 0.25
0.0309
>>> value, grad = losslib.log_cosh_dice_loss.value_and_grad(probabilities, mask)
>>> grad.shape
(1, 1, 4)
""",
    tags=("segmentation", "imbalance", "bounded", "regions"),
    value_range="[0, 0.4338]",
)


mcc_loss, MCCLoss = region(
    "mcc_loss",
    "MCCLoss",
    formula="1 - (TP*TN - FP*FN)/sqrt((TP + FP)*(TP + FN)*(TN + FP)*(TN + FN) + eps)",
    aliases=("matthews", "matthews_loss", "phi_loss"),
    summary="One minus the correlation coefficient of Matthews, which counts the background too.",
    parameters=(
        Real("smooth", 0.0, "Added to each of the four counts.", least=0.0, examples=(1.0,)),
        Real("eps", 1e-5, "Added under the root of the denominator.", least=0.0, examples=(1e-3,)),
        *REGION,
    ),
    kernel=lambda values: ("Matthews", (0.0, 1.0, 0.0, float(values["smooth"]), float(values["eps"]))),
    latex={
        "value": (
            r"L = 1 - \frac{TP\,TN - FP\,FN}"
            r"{\sqrt{(TP + FP)(TP + FN)(TN + FP)(TN + FN) + \varepsilon}}, \qquad TN = M - P - T + I"
        ),
    },
    description=(
        "The correlation of two masks of ones and zeros, soft predictions allowed. Unlike Dice it does not change if "
        "foreground and background are exchanged, and guessing by chance scores 0 whatever the shares are."
    ),
    notes=NOTES + " Without false positives and false negatives the loss is 0 and its gradient 0, also where one of "
    "the classes is absent and the coefficient is 0/0; a root of 0 otherwise gives the score 0.",
    use_when=(
        "background matters as much as foreground, and their shares are very unequal",
        "the result is judged by the coefficient of Matthews",
    ),
    avoid_when=(
        "the background is endless: its true negatives then decide; ``dice_loss`` leaves them out",
        "one of the classes may be absent: the coefficient is then 0/0 but for ``eps``",
    ),
    pitfalls=("The value exceeds 1 for predictions worse than chance.",),
    see_also=(("dice_loss", "does not count true negatives"),),
    references=(ABHISHEK,),
    equivalents=(
        Equivalent("monai", "MCCLoss", note="``smooth_nr`` and ``smooth_dr`` as in its documentation."),
        Equivalent("segmentation_models_pytorch", "MCCLoss", note="``per='all', smooth=eps, eps=0`` on one class."),
    ),
    examples=""">>> probabilities = np.array([[[1.0, 1.0, 0.0, 0.0]]])
>>> mask = np.array([[[1, 0, 1, 0]]])

Right half of the time, as by chance:

>>> losslib.mcc_loss(probabilities, mask)
1.0
>>> value, grad = losslib.mcc_loss.value_and_grad(probabilities, mask)
>>> grad.shape
(1, 1, 4)
""",
    tags=("segmentation", "imbalance", "regions"),
    entries=("L105",),
    value_range="[0, 2]",
)


generalized_dice_loss, GeneralizedDiceLoss = region(
    "generalized_dice_loss",
    "GeneralizedDiceLoss",
    formula="1 - (2*sum_c(w*I) + smooth)/(sum_c(w*(P + T)) + smooth + eps)",
    aliases=("gdl", "gdl_loss"),
    summary="One Dice ratio over all classes of a sample, each weighted by the inverse of its size.",
    parameters=(
        Choice(
            "weighting",
            "square",
            'Weight of a class by the size T of its target: ``"square"`` 1/T**2, ``"simple"`` 1/T, ``"uniform"`` 1. '
            "It is held constant in the derivative by the target; an empty class takes the largest weight there is.",
            choices=("square", "simple", "uniform"),
        ),
        SMOOTH,
        EPS,
        SQUARED,
        INTERSECTION,
        AXIS,
        ACTIVATION,
        PER_SAMPLE,
        CLASSES,
        ABSENT,
        IGNORE_INDEX,
    ),
    kernel=ratio("Dice"),
    latex={
        "value": (
            r"L = 1 - \frac{2 \sum_c w_c I_c + s}{\sum_c w_c (P_c + T_c) + s + \varepsilon}, \qquad "
            r"w_c = \frac{1}{T_c^2} \text{ held constant}"
        ),
    },
    description=(
        "Classes of very different size meet in one ratio in which each has about the same say. Where ``dice_loss`` "
        "averages the ratios of the classes, this one is a ratio of weighted sums, so that a class that is hard to "
        "find does not add its own 0/0."
    ),
    notes=NOTES + " The weights are held constant in the derivative by the target, as in MONAI.",
    use_when=(
        "many classes of very different size are segmented at once",
        "classes are absent from many samples, and ratios of their own would be noise",
    ),
    avoid_when=(
        "one class is a few pixels large: 1/T**2 then drowns the others; ``weighting='simple'`` is milder",
        "results are reported for each class: ``dice_loss`` has a ratio for each",
    ),
    pitfalls=("optax's function of that name averages Dice losses with normalised weights: another loss.",),
    see_also=(("dice_loss", "the mean of the classes' ratios"),),
    references=(SUDRE,),
    equivalents=(
        Equivalent("monai", "GeneralizedDiceLoss", note="The same, with weights rounded to float32."),
        Equivalent("optax", "multiclass_generalized_dice_loss", note="Another loss, see the pitfalls."),
    ),
    examples=""">>> probabilities = np.array([[[0.9, 0.8, 0.1, 0.0], [0.1, 0.2, 0.9, 1.0]]])
>>> labels = np.array([[0, 0, 0, 1]])
>>> value, grad = losslib.generalized_dice_loss.value_and_grad(probabilities, labels)
>>> round(value, 4)
0.3571
""",
    tags=("segmentation", "imbalance", "bounded", "regions", "held weights"),
    entries=("L098",),
    value_range="[0, 1]",
)


generalized_wasserstein_dice_loss, GeneralizedWassersteinDiceLoss = declare(
    "overlap_distance",
    "generalized_wasserstein_dice_loss",
    "GeneralizedWassersteinDiceLoss",
    formula="1 - (2*sum(alpha*(1 - W)) + smooth)/(2*sum(alpha*(1 - W)) + sum(W) + smooth + eps)",
    family="segmentation",
    per="sample",
    aliases=("gwdl",),
    summary="A Dice loss in which confusing two classes costs as much as they are far from one another.",
    inputs=(
        INPUT,
        Input("target", "Class indices in the shape of `input` without its class axis.", holds="class"),
    ),
    input_domains=lambda values: ((PROBABILITY if values["activation"] == "none" else REAL), REAL),
    parameters=(
        Array(
            "distances",
            None,
            "Distances of the classes, shape (C, C), or their places on a line, shape (C,); divided by the largest. "
            "``None``: all classes are 1 apart.",
        ),
        Choice(
            "weighting",
            "foreground",
            'What counts as right: ``"foreground"`` every class but the first, or ``"size"`` every class, divided by '
            "the size of its target.",
            choices=("foreground", "size"),
        ),
        SMOOTH,
        EPS,
        AXIS,
        ACTIVATION,
        PER_SAMPLE,
        IGNORE_CLASS,
    ),
    kernel=ratio("Dice"),
    latex={
        "value": (
            r"L = 1 - \frac{2 \sum \alpha_t (1 - W) + s}{2 \sum \alpha_t (1 - W) + \sum W + s + \varepsilon}, \qquad "
            r"W = \sum_c M_{tc}\, p_c"
        ),
    },
    has_hessian=False,
    description=(
        "Taking a tumour's core for its edge is a smaller mistake than taking it for air. The matrix of distances says "
        "so: a position is as wrong as the distance from its class to where its probability went."
    ),
    notes=NOTES,
    use_when=(
        "classes are parts of one another, or ordered",
        "which classes are confused matters, not only how many positions are",
    ),
    avoid_when=(
        "all confusions are alike: ``dice_loss`` needs no matrix",
        "targets are soft: this loss takes class indices",
    ),
    pitfalls=("Class 0 is the background: with ``weighting='foreground'`` it has no part in what is right.",),
    see_also=(("generalized_dice_loss", "all classes equally far apart"),),
    references=(FIDON,),
    equivalents=(
        Equivalent("monai", "GeneralizedWassersteinDiceLoss", note="A softmax inside; its weighting GDL is size."),
    ),
    examples=""">>> probabilities = np.array([[[0.0, 0.0], [1.0, 0.5], [0.0, 0.5]]])
>>> labels = np.array([[1, 1]])
>>> value, grad = losslib.generalized_wasserstein_dice_loss.value_and_grad(
...     probabilities, labels, distances=[0.0, 3.0, 4.0]
... )
>>> round(value, 4)
0.0323
""",
    tags=("segmentation", "imbalance", "bounded", "regions"),
    entries=("L099",),
    value_range="[0, 1] for probabilities that add up to 1, [0, inf) for other inputs",
)


boundary_loss, BoundaryLoss = declare(
    "overlap",
    "boundary_loss",
    "BoundaryLoss",
    formula="mean(p*phi)",
    family="segmentation",
    per="region",
    aliases=("surface_loss",),
    summary="The mean of the predicted probabilities times the signed distance from the true boundary.",
    inputs=(
        INPUT,
        Input(
            "distance_map",
            "Signed distance of each position from the boundary of each class, negative inside, of the shape of "
            "`input`: scipy.ndimage.distance_transform_edt of the background minus that of the region.",
            holds="row",
        ),
    ),
    input_domains=lambda values: ((PROBABILITY if values["activation"] == "none" else REAL), REAL),
    parameters=(AXIS, ACTIVATION, PER, CLASSES, WEIGHT),
    kernel=lambda values: ("Mean", (0.0, 1.0, 0.0, 0.0)),
    latex={"value": r"L = \frac{1}{M} \sum p\,\varphi"},
    has_hessian=False,
    differentiable=("input", "distance_map"),
    default_wrt=("input",),
    description=(
        "An integral over the space between two boundaries, approximated by the distance of every position from the "
        "true one: probability far outside costs much, probability inside earns something. It stands beside a loss of "
        "regions, with a weight that grows during training."
    ),
    notes=(
        "The distance map is an input and no transform of the target: it is made once for each image, not at every "
        "step. " + MEANS.format(kept="``where`` keeps")
    ),
    use_when=(
        "outlines matter, and the errors are far from them",
        "regions are small and Dice alone does not see where a false positive lies",
    ),
    avoid_when=(
        "it would stand alone: predicting the region empty is a minimum that it hardly leaves",
        "maps cannot be made beforehand, as with targets that are augmented at every step",
    ),
    pitfalls=("The value may be negative: a good prediction earns the distances inside.",),
    see_also=(("dice_loss", "the loss of regions that it stands beside"),),
    references=(KERVADEC,),
    equivalents=(Equivalent("monai", "BoundaryLoss", note="Makes the map from the target by itself."),),
    examples=""">>> probabilities = np.array([[[0.1, 0.9, 0.8, 0.2]]])
>>> distance_map = np.array([[[1.0, -1.0, -1.0, 1.0]]])
>>> value, grad = losslib.boundary_loss.value_and_grad(probabilities, distance_map)
>>> round(value, 4)
-0.35
""",
    tags=("segmentation", "regions", "boundaries"),
    entries=("L109",),
    value_range="(-inf, inf)",
)


hausdorff_dt_loss, HausdorffDTLoss = declare(
    "overlap_transform",
    "hausdorff_dt_loss",
    "HausdorffDTLoss",
    formula="mean((p - t)**2*(D_p**alpha + D_t**alpha))",
    family="segmentation",
    per="region",
    aliases=("hausdorff_distance_transform_loss", "hausdorff_loss"),
    summary="Squared errors weighted by how far they are from the boundaries of the predicted and the true region.",
    inputs=INPUTS,
    input_domains=domains,
    parameters=(
        Real("alpha", 2.0, "Power of the distances: how much more a far mistake counts.", above=0.0, examples=(1.0,)),
        AXIS,
        ACTIVATION,
        PER,
        CLASSES,
        WEIGHT,
        IGNORE_INDEX,
    ),
    kernel=lambda values: ("Mean", (0.0, 1.0, 0.0, 1.0)),
    latex={
        "value": r"L = \frac{1}{M} \sum (p - t)^2 \left(D_p^{\alpha} + D_t^{\alpha}\right)",
        "distances": r"D_p, D_t: \text{distances to the other side of the boundary of } p > \tfrac12, t > \tfrac12",
    },
    has_hessian=False,
    differentiable=BOTH,
    description=(
        "The Hausdorff distance of two regions is that of the farthest mistake. This loss is its smooth kin: every "
        "mistake counts, by the power of its distance from the boundaries, so that a lonely false positive far away "
        "costs more than a blurred edge. It stands beside a loss of regions, which finds the region first."
    ),
    notes=(
        "Regions are where probability and target exceed 1/2; positions that do not count belong to none. Distances "
        "are Euclidean in steps of the grid, exact, from each position to the nearest on the other side; those of a "
        "region that is empty or everything are 0. They are constant in the derivative. The transform takes time "
        "linear in the positions, one thread for each sample and class, and memory: the probabilities in one array of "
        "the size of the input, the distances in one of float64, and 9 bytes a position for each thread. "
        + MEANS.format(kept="``where`` and ``ignore_index`` keep")
    ),
    use_when=(
        "the result is judged by a Hausdorff distance",
        "isolated false positives far from the region are the worst mistakes",
    ),
    avoid_when=(
        "training begins: the region of an unfit prediction says little; start with ``dice_cross_entropy_loss``",
        "time counts: both regions are transformed in every call; ``boundary_loss`` has its distances made once",
    ),
    pitfalls=(
        "The value grows with the square of the size of the image, in steps of the grid: weigh it against what it is "
        "added to.",
        "The value jumps where a probability crosses 1/2; the derivative knows nothing of that.",
        "MONAI leaves out class 0 unless told otherwise: ``classes=range(1, C)``.",
    ),
    see_also=(
        ("boundary_loss", "distances from the true boundary alone, made beforehand"),
        ("dice_loss", "the loss of regions that it stands beside"),
    ),
    references=(KARIMI, FELZENSZWALB),
    equivalents=(
        Equivalent(
            "monai",
            "HausdorffDTLoss",
            note="Distances in float32, and without class 0 unless ``include_background=True``.",
        ),
    ),
    examples=""">>> probabilities = np.array([[[0.9, 0.8, 0.1, 0.6]]])
>>> mask = np.array([[[1, 1, 0, 0]]])
>>> value, grad = losslib.hausdorff_dt_loss.value_and_grad(probabilities, mask)
>>> round(value, 4)
0.495
>>> grad.round(3)
array([[[-0.4, -0.2,  0.1,  1.5]]])
""",
    tags=("segmentation", "regions", "boundaries"),
    entries=("L107",),
    value_range="[0, inf)",
)


# ---- sorted errors --------------------------------------------------------------------------------------------------

LOVASZ_NOTES = (
    "Errors are sorted in each call, by a radix sort of their bits; equal errors keep the order of their positions. "
    "The permutation is constant in the derivative, which is exact where no two errors are equal. Unlike the ratios, "
    "these losses take memory: the probabilities of all classes stand in one array of the size of the input, and a "
    "segment takes 24 bytes a position in float32 while it is sorted. Every position has a part in the gradient of "
    "every other, and there is no Hessian. Sorted errors have no weights of their own: ``sample_weight`` is one weight "
    "for each sample, {samples}. What is sorted are the positions that {kept}; nothing to sort has the value 0."
)

lovasz_softmax_loss, LovaszSoftmaxLoss = declare(
    "overlap_lovasz",
    "lovasz_softmax_loss",
    "LovaszSoftmaxLoss",
    formula="sum_k(e_k*(J_k - J_{k-1}))",
    keywords={"intersection over union": 3},
    family="segmentation",
    per="class",
    aliases=("lovasz_softmax", "LovaszLoss", "lovasz_loss", "lovasz"),
    summary="The convex extension of the Jaccard loss: sorted errors of each class, weighted by what they cost in IoU.",
    inputs=INPUTS,
    input_domains=domains,
    parameters=(
        AXIS,
        ACTIVATION,
        Choice(
            "per",
            "class",
            'What is sorted at once: ``"class"`` a class in all samples of the call, ``"sample_class"`` a class of one '
            "sample.",
            choices=("class", "sample_class"),
        ),
        CLASSES,
        WEIGHT,
        Choice(
            "absent",
            "skip",
            'A class whose target is empty: ``"skip"`` leaves it out of the mean, ``"include"`` counts it as it is, '
            '``"zero"`` counts it as 0.',
            choices=("skip", "include", "zero"),
        ),
        IGNORE_INDEX,
    ),
    latex={
        "value": (
            r"L = \sum_k e_{(k)} \left(J_k - J_{k-1}\right), \qquad e = |t - p|, \; e_{(1)} \ge e_{(2)} \ge \dots"
        ),
        "jaccard": r"J_k = 1 - \frac{T - \sum_{j \le k} t_{(j)}}{T + \sum_{j \le k} (1 - t_{(j)})}",
    },
    has_hessian=False,
    description=(
        "The Jaccard index is defined for sets of marked positions, not for probabilities. Its Lovász extension is the "
        "tightest convex function that agrees with it there: it weighs the largest error by what the first mistake "
        "costs, the next by what the second adds, and so on. It trains for the mean IoU more directly than the ratio "
        "of soft sums, and is used to polish a model that cross-entropy has trained."
    ),
    notes=LOVASZ_NOTES.format(samples="where ``per='sample_class'``", kept="``where`` and ``ignore_index`` keep"),
    use_when=(
        "the result is judged by mean IoU and a model is to be polished for it",
        "small classes matter: each class has the same say, whatever its size",
    ),
    avoid_when=(
        "training begins: gradients are near 0 for most positions; start with ``dice_cross_entropy_loss``",
        "images are huge and time counts: sorting takes several times as long as adding up",
    ),
    pitfalls=(
        "Classes of the batch are sorted together: with ``per='sample_class'`` the value is another.",
        "Where errors are equal the derivative depends on the order of positions; a model that puts out constants is "
        "at such a point.",
        "Its inputs are probabilities: pass ``activation='softmax'`` for logits.",
    ),
    see_also=(
        ("jaccard_loss", "the ratio of soft sums"),
        ("lovasz_hinge_loss", "for one class and its logits"),
    ),
    references=(BERMAN,),
    equivalents=(
        Equivalent(
            "segmentation_models_pytorch",
            "LovaszLoss",
            note="``multiclass``: a softmax inside, ``per_image`` per sample.",
        ),
        Equivalent("kornia", "lovasz_softmax_loss", note="``per='sample_class', absent='include'``."),
    ),
    examples=""">>> probabilities = np.array([[[0.9, 0.8, 0.3, 0.1], [0.1, 0.2, 0.7, 0.9]]])
>>> labels = np.array([[0, 0, 0, 1]])
>>> value, grad = losslib.lovasz_softmax_loss.value_and_grad(probabilities, labels)
>>> round(value, 4)
0.375
>>> grad.round(4)[0, 0]
array([-0.125 , -0.1667, -0.1667,  0.0417])
""",
    tags=("segmentation", "imbalance", "bounded", "regions", "convex"),
    entries=("L104",),
    value_range="[0, 1]",
)


lovasz_hinge_loss, LovaszHingeLoss = declare(
    "overlap_lovasz",
    "lovasz_hinge_loss",
    "LovaszHingeLoss",
    formula="sum_k(e_k*(J_k - J_{k-1}))",
    family="segmentation",
    per="sample",
    aliases=("lovasz_hinge",),
    summary="The convex extension of the Jaccard loss for one class: hinges of logits, sorted and weighted by IoU.",
    inputs=(
        Input("input", "Logits of one class, shape (N, d1, ...): positive for foreground.", holds="row"),
        Input(
            "target",
            "True region of the same shape, of 0 and 1, integers or bool.",
            PROBABILITY,
            fix="a mask holds 0 or 1",
            holds="row",
        ),
    ),
    parameters=(
        Integer("axis", None, "The class axis of `input`, of length 1; ``None`` where there is none.", optional=True),
        Choice(
            "per",
            "all",
            'What is sorted at once: ``"all"`` all positions of the call, or those of one ``"sample"``.',
            choices=("all", "sample"),
        ),
    ),
    latex={
        "value": r"L = \sum_k e_{(k)} (J_k - J_{k-1}), \qquad e = \max(0, 1 - x\,(2 t - 1))",
    },
    has_hessian=False,
    description=(
        "``lovasz_softmax_loss`` for one class, with the hinge of the logit in place of the difference of a "
        "probability: positions on the right side with a margin of 1 have no part in it."
    ),
    notes=LOVASZ_NOTES.format(samples="where ``per='sample'``", kept="``where`` keeps"),
    use_when=(
        "one foreground class is segmented and judged by IoU",
        "a model is to be polished after cross-entropy, without a sigmoid that saturates",
    ),
    avoid_when=(
        "probabilities are wanted: logits grow to the margin and stay there",
        "several classes compete: ``lovasz_softmax_loss``",
    ),
    pitfalls=("The value is not bounded: a confident mistake costs its logit.",),
    see_also=(("lovasz_softmax_loss", "for several classes and probabilities"),),
    references=(BERMAN,),
    equivalents=(
        Equivalent("segmentation_models_pytorch", "LovaszLoss", note="``binary``."),
        Equivalent("kornia", "lovasz_hinge_loss", note="``per='sample'``."),
    ),
    examples=""">>> logits = np.array([[2.0, 0.5, -1.0, 0.25]])
>>> mask = np.array([[1, 1, 0, 0]])
>>> value, grad = losslib.lovasz_hinge_loss.value_and_grad(logits, mask)
>>> round(value, 4)
0.5833
>>> grad.round(4)
array([[ 0.    , -0.3333,  0.    ,  0.3333]])
""",
    tags=("segmentation", "imbalance", "regions", "convex", "logits"),
    entries=("L103",),
    value_range="[0, inf)",
)


# ---- with a cross-entropy -----------------------------------------------------------------------------------------

dice_cross_entropy_loss, DiceCrossEntropyLoss = declare(
    "overlap_sum",
    "dice_cross_entropy_loss",
    "DiceCrossEntropyLoss",
    formula="dice_weight*Dice + ce_weight*CE",
    keywords={"masks": 2},
    family="segmentation",
    per="region",
    aliases=("dice_ce", "dice_ce_loss", "bce_dice", "bce_dice_loss", "combo_loss"),
    summary="Dice loss and cross-entropy of the same logits, from one softmax: the loss of nnU-Net.",
    inputs=(
        Input(
            "input",
            "Logits, shape (N, C, d1, ...) with the classes along `axis`. With ``axis=None`` one class, shape "
            "(N, d1, ...).",
            holds="row",
        ),
        TARGET,
    ),
    parameters=(
        Real("dice_weight", 1.0, "Factor of the Dice loss.", least=0.0, examples=(0.5,)),
        Real("ce_weight", 1.0, "Factor of the cross-entropy.", least=0.0, examples=(0.5,)),
        Real(
            "label_smoothing",
            0.0,
            "Share of the target of the cross-entropy that is spread evenly over the classes.",
            least=0.0,
            most=1.0,
            examples=(0.1,),
        ),
        SMOOTH,
        EPS,
        SQUARED,
        INTERSECTION,
        LOG,
        AXIS,
        Choice(
            "activation",
            "softmax",
            'What turns logits into probabilities: ``"softmax"`` over the classes, or ``"sigmoid"`` for each class by '
            "itself, where the cross-entropy is the binary one.",
            choices=("softmax", "sigmoid"),
        ),
        PER,
        CLASSES,
        Array("weight", None, "Weight of each class, in both terms: as in ``dice_loss`` and as in ``cross_entropy``."),
        ABSENT,
        IGNORE_INDEX,
    ),
    kernel=ratio("Dice"),
    reductions=("mean", "sum"),
    latex={"value": r"L = \lambda_d \, \mathrm{Dice} + \lambda_c \, \mathrm{CE}"},
    has_hessian=False,
    differentiable=BOTH,
    description=(
        "Cross-entropy gives every pixel a slope from the first step and calibrated probabilities; Dice sees to it "
        "that rare regions count. Their sum is the default of nnU-Net and the first thing to try for medical images. "
        "Here both come from one softmax and one pass."
    ),
    notes=(
        "``mean`` is the mean of the Dice ratios plus the mean cross-entropy over the positions that count: divided by "
        "the sum of the weights of their classes for class indices, by their number for masks, and for "
        '``activation="sigmoid"`` by the number of positions and classes. ``sum`` adds both sums. There is no '
        "``none``: the two terms have no common table. ``classes`` and ``absent`` are for Dice only. " + RATIO
    ),
    use_when=(
        "the first loss to try for segmentation",
        "foreground is rare, and its probabilities are used afterwards",
    ),
    avoid_when=(
        "losses of other kinds are to be added: ``a * A + b * B`` adds any two",
        "one unreduced number a region is wanted: ``dice_loss`` and ``cross_entropy`` give each its own table",
    ),
    pitfalls=(
        "MONAI's ``DiceCELoss(sigmoid=True)`` with more than one class still takes the cross-entropy of a softmax.",
        "``label_smoothing`` is for the cross-entropy only.",
    ),
    see_also=(
        ("dice_loss", "the first term"),
        ("cross_entropy", "the second"),
        ("binary_cross_entropy_with_logits", "the second for ``activation='sigmoid'``"),
    ),
    references=(ISENSEE, MILLETARI),
    equivalents=(
        Equivalent(
            "monai",
            "DiceCELoss",
            "monai.losses.DiceCELoss(softmax=True, lambda_ce=0.5)(x, t)",
            {"ce_weight": 0.5},
        ),
    ),
    examples=""">>> logits = np.zeros((1, 2, 2, 2))
>>> labels = np.array([[[0, 1], [0, 1]]])
>>> round(losslib.dice_cross_entropy_loss(logits, labels), 4)     # 1/2 + log 2
1.1931
>>> value, grad = losslib.dice_cross_entropy_loss.value_and_grad(logits, labels)
>>> grad.shape
(1, 2, 2, 2)
""",
    tags=("segmentation", "imbalance", "regions", "logits"),
    entries=("L100",),
    value_range="[0, inf)",
)


unified_focal_loss, UnifiedFocalLoss = declare(
    "overlap_sum",
    "unified_focal_loss",
    "UnifiedFocalLoss",
    formula="weight*F + (1 - weight)*V",
    family="segmentation",
    per="region",
    aliases=("asymmetric_unified_focal_loss", "unified_focal"),
    summary="A focal cross-entropy and a focal Tversky loss in which only the rare classes have a focal power.",
    inputs=INPUTS,
    input_domains=domains,
    parameters=(
        Real(
            "weight",
            0.5,
            "Share of the cross-entropy; the Tversky loss has the rest.",
            least=0.0,
            most=1.0,
            examples=(0.25,),
        ),
        Real("delta", 0.7, "Weight of false negatives, and of the rare classes.", least=0.0, most=1.0, examples=(0.6,)),
        Real(
            "gamma",
            0.5,
            "How much easy background is suppressed, and rare regions are enhanced.",
            least=0.0,
            below=1.0,
            examples=(0.2,),
        ),
        AXIS,
        ACTIVATION,
        IGNORE_INDEX,
    ),
    kernel=lambda values: (
        "Tversky",
        (0.0, 1.0 - float(values["gamma"]), 0.0, 1e-7, 0.0, 1.0 - float(values["delta"]), float(values["delta"])),
    ),
    reductions=("mean", "sum"),
    latex={
        "value": r"L = \lambda F + (1 - \lambda) V",
        "F": r"F: \; -(1 - \delta)(1 - p_0)^{\gamma} t_0 \log p_0, \quad -\delta\, t_c \log p_c",
        "V": (
            r"V: \; 1 - R_0, \quad (1 - R_c)^{1 - \gamma}, \qquad "
            r"R = \frac{I + \varepsilon}{I + \delta FN + (1 - \delta) FP + \varepsilon}"
        ),
    },
    has_hessian=False,
    differentiable=("input",),
    description=(
        "Two settings do the work of six: ``delta`` weighs the rare classes and the false negatives, ``gamma`` at the "
        "same time suppresses easy background in the cross-entropy and enhances rare regions in the Tversky loss. "
        "Class 0 is the background."
    ),
    notes=(
        "Probabilities are held in [1e-7, 1 - 1e-7] and have no derivative beyond. ``mean`` is the mean of F over "
        "positions and classes and of V over samples and classes. " + RATIO
    ),
    use_when=(
        "foreground is rare, and cross-entropy and Dice are wanted together with few settings",
        "recall matters more than precision",
    ),
    avoid_when=(
        "class 0 is no background",
        "a focal power should be the same for all classes: ``tversky_loss`` and ``softmax_focal_loss``",
    ),
    pitfalls=(
        "MONAI's loss of that name takes two classes only, and says its input is logits: it takes probabilities.",
    ),
    see_also=(
        ("dice_cross_entropy_loss", "without focal powers"),
        ("focal_tversky_loss", "the second term for every class"),
    ),
    references=(YEUNG,),
    equivalents=(Equivalent("monai", "AsymmetricUnifiedFocalLoss", note="Of two classes, background first."),),
    examples=""">>> probabilities = np.array([[[0.9, 0.8, 0.1, 0.0], [0.1, 0.2, 0.9, 1.0]]])
>>> labels = np.array([[0, 0, 1, 1]])
>>> value, grad = losslib.unified_focal_loss.value_and_grad(probabilities, labels)
>>> round(value, 4)
0.1077
""",
    tags=("segmentation", "imbalance", "regions", "focal"),
    entries=("L112",),
    value_range="[0, inf)",
)
