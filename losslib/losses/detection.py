"""Detection: scores of candidate boxes, of heat maps and of where a side lies."""

from __future__ import annotations

from losslib.declaration.schema import NONNEGATIVE, PROBABILITY, Equivalent, Input, Integer, Real, Reference
from losslib.declare import declare, pointwise

__all__ = [
    "DistributionFocalLoss",
    "GaussianFocalLoss",
    "QualityFocalLoss",
    "VarifocalLoss",
    "distribution_focal_loss",
    "gaussian_focal_loss",
    "quality_focal_loss",
    "varifocal_loss",
]

LOGIT = Input("input", "Predicted logits of the objectness or of a class: any real numbers.")
QUALITY = Input(
    "target",
    "Quality of the box, its IoU with the object; 0 for background.",
    PROBABILITY,
    fix="a quality is an IoU in [0, 1]",
)

LI = Reference(
    "Li, X., Wang, W., Wu, L., Chen, S., Hu, X., Li, J., Tang, J. and Yang, J. (2020). Generalized focal loss: "
    "learning qualified and distributed bounding boxes for dense object detection. Advances in Neural Information "
    "Processing Systems, 33, 21002-21012.",
    url="https://arxiv.org/abs/2006.04388",
)
ZHANG = Reference(
    "Zhang, H., Wang, Y., Dayoub, F. and Suenderhauf, N. (2021). VarifocalNet: an IoU-aware dense object detector. "
    "IEEE Conference on Computer Vision and Pattern Recognition, 8514-8523.",
    doi="10.1109/CVPR46437.2021.00841",
)
LAW = Reference(
    "Law, H. and Deng, J. (2018). CornerNet: detecting objects as paired keypoints. European Conference on Computer "
    "Vision, 765-781.",
    doi="10.1007/978-3-030-01264-9_45",
)

quality_focal_loss, QualityFocalLoss = pointwise(
    "quality_focal_loss",
    "QualityFocalLoss",
    family="boxes",
    aliases=("qfl",),
    summary="Cross-entropy with the quality of a box, weighted by how far the score is from it.",
    inputs=(LOGIT, QUALITY),
    parameters=(Real("beta", 2.0, "Power of the distance of score and quality.", above=0.0, examples=(1.5, 1.0, 3.0)),),
    kernel="QualityFocal",
    formula="abs(t - p)**beta*h",
    definitions={"p": "sigmoid(x)", "h": "t*softplus(-x) + (1 - t)*softplus(x)"},
    symbols={"x": "input", "t": "target"},
    description=(
        "The focal loss for soft labels: the score of a detection is trained to be the IoU of its box, so that ranking "
        "by score is ranking by quality. The factor vanishes where the score is right, not where it is 0 or 1."
    ),
    notes=(
        "With a quality of 0 or 1 it is ``sigmoid_focal_loss`` without alpha. The factor is differentiated too, as in "
        "mmdetection. With ``beta`` below 2 the second derivative is not finite where score and quality meet: 0 is "
        "returned there."
    ),
    use_when=(
        "boxes are ranked by one score that should stand for class and quality at once",
        "labels of candidates are IoUs rather than 0 and 1",
    ),
    avoid_when=(
        "labels are 0 and 1: ``sigmoid_focal_loss`` says the same and has alpha",
        "positives are rare and should keep their full weight: ``varifocal_loss`` lowers negatives only",
    ),
    pitfalls=(
        "mmdetection adds up the classes and divides by the number of positive boxes; the mean here is over elements.",
    ),
    see_also=(
        ("sigmoid_focal_loss", "for labels 0 and 1"),
        ("varifocal_loss", "lowers the weight of negatives only"),
        ("distribution_focal_loss", "for the sides of the box"),
    ),
    references=(LI,),
    equivalents=(Equivalent("mmdet", "QualityFocalLoss", note="It adds up the classes."),),
    examples=""">>> value, grad = losslib.quality_focal_loss.value_and_grad(np.array([0.0, 2.0]), np.array([0.5, 1.0]))
>>> round(value, 6)
0.000902
""",
    tags=("detection", "focal", "logits", "soft labels", "smooth"),
    function_order=(),
)


varifocal_loss, VarifocalLoss = pointwise(
    "varifocal_loss",
    "VarifocalLoss",
    family="boxes",
    aliases=("vfl", "varifocal"),
    summary="Cross-entropy of objects weighted by their quality, and a focal one of background.",
    inputs=(LOGIT, QUALITY),
    parameters=(
        Real("alpha", 0.75, "Weight of background.", least=0.0, examples=(0.25, 1.0)),
        Real("gamma", 2.0, "Focal power of background.", least=0.0, examples=(0.0, 1.5, 3.0)),
    ),
    kernel="Varifocal",
    formula="where(t > 0, t*h, alpha*p**gamma*softplus(x))",
    definitions={"p": "sigmoid(x)", "h": "t*softplus(-x) + (1 - t)*softplus(x)"},
    symbols={"x": "input", "t": "target"},
    description=(
        "Background is everywhere and easy, objects are rare and precious: only background is faded out by a focal "
        "factor, and an object counts by the IoU that its box has reached, so that good boxes lead."
    ),
    notes=(
        "Everything is computed from both tails of the logistic function, so that values and derivatives are finite "
        "for any logit. The focal factor is differentiated too, as in mmdetection."
    ),
    use_when=(
        "dense detectors score every place, and scores should rank boxes by quality",
        "``quality_focal_loss`` fades out the few positives that there are",
    ),
    avoid_when=(
        "labels are 0 and 1: ``sigmoid_focal_loss``",
        "many boxes are equally good: their weights differ by noise only",
    ),
    pitfalls=("An object with IoU 0 is background by this definition.",),
    see_also=(
        ("quality_focal_loss", "a focal factor for both kinds"),
        ("sigmoid_focal_loss", "for labels 0 and 1"),
    ),
    references=(ZHANG,),
    equivalents=(Equivalent("mmdet", "VarifocalLoss", note="It divides by the number of positive boxes."),),
    examples=""">>> value, grad = losslib.varifocal_loss.value_and_grad(np.array([0.0, 0.0]), np.array([0.8, 0.0]))
>>> round(value, 6)
0.342241
""",
    tags=("detection", "focal", "logits", "soft labels", "smooth"),
    function_order=(),
)


gaussian_focal_loss, GaussianFocalLoss = pointwise(
    "gaussian_focal_loss",
    "GaussianFocalLoss",
    family="boxes",
    aliases=("heatmap_focal_loss", "centernet_focal_loss"),
    summary="Focal loss of a heat map of probabilities, mild around each peak.",
    inputs=(
        Input("input", "Predicted probabilities of a peak.", PROBABILITY),
        Input(
            "target",
            "Heat map: 1 at the peaks, a Gaussian around each, 0 elsewhere.",
            PROBABILITY,
            fix="divide by its peak",
        ),
    ),
    parameters=(
        Real("alpha", 2.0, "Focal power of the prediction.", least=0.0, examples=(1.0, 3.0)),
        Real("gamma", 4.0, "Power that lowers the weight around a peak.", least=0.0, examples=(2.0, 1.0)),
    ),
    kernel="GaussianFocal",
    formula=("where(t == 1, -(1 - x)**alpha*log(x + 1e-12), -(1 - t)**gamma*x**alpha*log(1 - x + 1e-12))"),
    keywords={"heatmap": 1},
    symbols={"x": "input", "t": "target"},
    description=(
        "Detectors of centres or corners predict a map with a peak at each object. One pixel is right and its "
        "neighbours nearly so: they count as background, but with little weight."
    ),
    notes=(
        "1e-12 under the logarithms is that of CornerNet and mmdetection: a probability of 0 at a peak costs 27.6. "
        "A position is a peak where the target is exactly 1."
    ),
    use_when=(
        "objects are found as peaks of a heat map, as in CornerNet and CenterNet",
        "labels blur around each positive and should not count as negatives",
    ),
    avoid_when=(
        "labels are 0 and 1: ``binary_focal_loss``",
        "predictions are logits: apply a sigmoid first",
    ),
    pitfalls=(
        "Users divide the sum by the number of peaks, not of pixels: ``reduction='sum'`` and divide.",
        "A target that was resized has no pixel of exactly 1, and no peak.",
    ),
    see_also=(("binary_focal_loss", "for labels 0 and 1"), ("quality_focal_loss", "for soft labels of boxes")),
    references=(LAW,),
    equivalents=(Equivalent("mmdet", "GaussianFocalLoss", note="Divides by the number of peaks."),),
    examples=""">>> value, grad = losslib.gaussian_focal_loss.value_and_grad(np.array([0.5, 0.5]), np.array([1.0, 0.5]))
>>> round(value, 6)
0.092059
""",
    tags=("detection", "focal", "probabilities", "smooth", "convex"),
    function_order=(),
)


distribution_focal_loss, DistributionFocalLoss = declare(
    "softmax_between",
    "distribution_focal_loss",
    "DistributionFocalLoss",
    family="boxes",
    aliases=("dfl",),
    summary="Cross-entropy of the two bins between which a side of the box lies.",
    inputs=(
        Input("input", "Logits of the bins, shape (N, bins) or with `axis` elsewhere.", holds="row"),
        Input(
            "target",
            "Distances in units of a bin, one number for each row, from 0 to bins - 1.",
            NONNEGATIVE,
            fix="distances are divided by the stride, and clipped to the last bin",
            holds="label",
        ),
    ),
    parameters=(Integer("axis", 1, "The axis of the bins."),),
    kernel="cross_entropy",
    formula="-(1 - (t - floor(t)))*log(p[floor(t)]) - (t - floor(t))*log(p[floor(t) + 1])",
    latex={
        "value": r"L = -(l + 1 - t) \log p_l - (t - l) \log p_{l+1}",
        "bin": r"l = \min(\lfloor t \rfloor, \text{bins} - 2)",
    },
    description=(
        "A side of a box is predicted as a distribution over distances rather than as a number: its expectation is the "
        "side, its width the uncertainty. The loss asks for probability at the two bins next to the true distance, "
        "which is what a distribution with that expectation and no spread has."
    ),
    notes=(
        "It is ``cross_entropy`` with two probabilities that stand by the nearness of the target to the bins, of which "
        "rows are made: an array of the shape of the input. A target on the last bin belongs to it alone."
    ),
    use_when=(
        "sides of boxes are predicted as distributions, as in GFL and the YOLO detectors since version 8",
        "any number in a known range is predicted by a softmax over bins",
    ),
    avoid_when=(
        "a number is predicted directly: ``smooth_l1_loss`` or ``complete_box_iou_loss``",
        "distances exceed the last bin: choose more bins or a larger stride",
    ),
    pitfalls=(
        "ultralytics clips targets to bins - 1.01 and takes the mean over the four sides.",
        "The name says focal, the loss has no focal factor.",
    ),
    see_also=(
        ("cross_entropy", "with soft targets of any kind"),
        ("quality_focal_loss", "for the score of the box"),
    ),
    references=(LI,),
    equivalents=(Equivalent("mmdet", "DistributionFocalLoss", note="One value a row; its weights are its own."),),
    examples=""">>> logits = np.log(np.array([[0.1, 0.6, 0.3]]))
>>> value, grad = losslib.distribution_focal_loss.value_and_grad(logits, np.array([1.25]))
>>> round(value, 4)     # -3/4 log 0.6 - 1/4 log 0.3
0.6841
>>> grad.round(4)
array([[ 0.1 , -0.15,  0.05]])
""",
    tags=("detection", "boxes", "logits", "smooth", "convex"),
)
