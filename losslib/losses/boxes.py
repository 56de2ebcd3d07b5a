"""Boxes: losses of object detection, one number for a predicted box against the true one.

In the formulas I is the area that both boxes share and U that of their union, IoU = I/(U + eps); C is the smallest box
around both, with sides c_w and c_h, rho the distance of the centres, w, h and w', h' the sides of the predicted and the
true box, and eps is 1e-7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib.declaration.schema import Choice, Equivalent, Input, Real, Reference
from losslib.declare import declare

__all__ = [
    "BoxIoULoss",
    "CompleteBoxIoULoss",
    "DistanceBoxIoULoss",
    "EfficientBoxIoULoss",
    "GeneralizedBoxIoULoss",
    "NormalizedWassersteinBoxLoss",
    "box_iou_loss",
    "complete_box_iou_loss",
    "distance_box_iou_loss",
    "efficient_box_iou_loss",
    "generalized_box_iou_loss",
    "normalized_wasserstein_box_loss",
]

Values = Mapping[str, Any]
Kernel = tuple[str, tuple[float, ...]]

# Inputs and parameters that the losses share.

INPUT = Input("input", "Predicted boxes: shape (N, 4), or (4,) for one; more leading axes are boxes too.", holds="row")
TARGET = Input("target", "True boxes of the same shape and format, row by row.", holds="row")
FORMAT = Choice(
    "box_format",
    "xyxy",
    'What the four numbers of a box are: ``"xyxy"`` two corners, ``"xywh"`` a corner with width and height, '
    '``"cxcywh"`` the centre with width and height. Gradients are by these numbers.',
    choices=("xyxy", "xywh", "cxcywh"),
)
POWER = Real(
    "power",
    1.0,
    "Exponent of the IoU and of each penalty by itself (alpha-IoU). Above 1 boxes that fit well weigh more; the "
    "authors use 3.",
    above=0.0,
    examples=(0.5, 3.0),
)
EMPTY = Choice(
    "empty",
    "zero",
    'The mean over no box: ``"zero"`` as in torchvision, so that an image without objects adds nothing, or ``"nan"``.',
    choices=("zero", "nan"),
)

BOXES = (INPUT, TARGET)
BOTH = ("input", "target")

YU = Reference(
    "Yu, J., Jiang, Y., Wang, Z., Cao, Z. and Huang, T. (2016). UnitBox: an advanced object detection network. ACM "
    "International Conference on Multimedia, 516-520.",
    doi="10.1145/2964284.2967274",
)
REZATOFIGHI = Reference(
    "Rezatofighi, H., Tsoi, N., Gwak, J., Sadeghian, A., Reid, I. and Savarese, S. (2019). Generalized intersection "
    "over union: a metric and a loss for bounding box regression. IEEE Conference on Computer Vision and Pattern "
    "Recognition, 658-666.",
    doi="10.1109/CVPR.2019.00075",
)
ZHENG = Reference(
    "Zheng, Z., Wang, P., Liu, W., Li, J., Ye, R. and Ren, D. (2020). Distance-IoU loss: faster and better learning "
    "for bounding box regression. AAAI Conference on Artificial Intelligence, 34(7), 12993-13000.",
    doi="10.1609/aaai.v34i07.6999",
)
HE = Reference(
    "He, J., Erfani, S., Ma, X., Bailey, J., Chi, Y. and Hua, X. (2021). Alpha-IoU: a family of power intersection "
    "over union losses for bounding box regression. Advances in Neural Information Processing Systems, 34, "
    "20230-20242.",
    url="https://arxiv.org/abs/2110.13675",
)
ZHANG = Reference(
    "Zhang, Y., Ren, W., Zhang, Z., Jia, Z., Wang, L. and Tan, T. (2022). Focal and efficient IOU loss for accurate "
    "bounding box regression. Neurocomputing, 506, 146-157.",
    doi="10.1016/j.neucom.2022.07.042",
)
WANG = Reference(
    "Wang, J., Xu, C., Yang, W. and Yu, L. (2021). A normalized Gaussian Wasserstein distance for tiny object "
    "detection. arXiv:2110.13389.",
    url="https://arxiv.org/abs/2110.13389",
)

COMMON_NOTES = (
    'One value for each box; ``mean`` divides by their number, where torchvision\'s default is ``reduction="none"``. '
    "1 - IoU and the penalties are added up from terms of one sign, so that nearly equal boxes keep all digits and "
    "boxes far from the origin lose only what their coordinates have lost. Boxes that do not overlap share nothing and "
    "have no derivative by it, not even where sides touch. Equal coordinates share a derivative evenly, as "
    "``torch.minimum`` does. Half precision is computed in float32."
)
CHECKED = " A box whose side is negative is a DomainError with its row; ``check=False`` computes the formula."


def powered(name: str) -> Any:
    """Return the kernel of a loss with a power: the plain one where it is 1."""

    def kernel(values: Values) -> Kernel:
        power = float(values["power"])
        return (name, (power,)) if power == 1.0 else (f"Power{name}", (power,))

    return kernel


def iou_kernel(values: Values) -> Kernel:
    if values["mode"] != "linear":
        return {"square": "SquareIoU", "log": "LogIoU"}[values["mode"]], (1.0,)
    power = float(values["power"])
    return ("LinearIoU" if power == 1.0 else "PowerIoU"), (power,)


box_iou_loss, BoxIoULoss = declare(
    "boxes",
    "box_iou_loss",
    "BoxIoULoss",
    formula="1 - IoU**power",
    family="boxes",
    per="box",
    summary="One minus the share of their union that two boxes have in common.",
    inputs=BOXES,
    parameters=(
        Choice(
            "mode",
            "linear",
            'What is made of the IoU: ``"linear"`` 1 - IoU, ``"square"`` 1 - IoU**2, ``"log"`` -log IoU with the IoU '
            "held at 1e-7 from below.",
            choices=("linear", "square", "log"),
        ),
        POWER,
        FORMAT,
        EMPTY,
    ),
    kernel=iou_kernel,
    latex={
        "value": r"L = 1 - \mathrm{IoU}^{a}, \qquad \mathrm{IoU} = \frac{I}{U + \varepsilon}",
        "modes": r"\text{square: } 1 - \mathrm{IoU}^2, \qquad \text{log: } -\log \max(\mathrm{IoU}, \varepsilon)",
    },
    has_hessian=False,
    differentiable=BOTH,
    description=(
        "The intersection over union is the measure that detectors are judged by, free of the size of objects. As a "
        "loss it treats the four numbers of a box as one thing, where an L1 distance of coordinates lets a large "
        "object outweigh small ones.\n\n"
        "Its weakness is what it says about boxes that do not overlap: nothing. Their loss is 1 and their gradient 0, "
        "so it serves to polish boxes that are already in place, or stands beside a term that moves them."
    ),
    notes=COMMON_NOTES + CHECKED + ' ``power`` belongs to ``mode="linear"``; the other modes do not use it.',
    use_when=(
        "predictions overlap their objects from the start, as in the last stage of a two-stage detector",
        "the loss is to be the metric: the mean of ``1 - IoU`` is what an evaluation prints",
    ),
    avoid_when=(
        "boxes may miss their objects: ``generalized_box_iou_loss`` or ``complete_box_iou_loss`` pull them there",
        "objects are a few pixels large, where the IoU jumps: ``normalized_wasserstein_box_loss``",
    ),
    pitfalls=(
        'Boxes without overlap have the gradient 0, in ``mode="log"`` too.',
        "mmdetection floors the union at 1e-6 in place of adding 1e-7 to it, and its derivative is not 0 where sides "
        "touch.",
        "Two equal boxes without area cost 1, not 0: nothing is shared.",
    ),
    see_also=(
        ("generalized_box_iou_loss", "sees boxes that do not overlap"),
        ("complete_box_iou_loss", "adds the distance of the centres and the shape"),
        ("jaccard_loss", "the same for masks"),
    ),
    references=(YU, HE),
    equivalents=(
        Equivalent("mmdet", "IoULoss", note="eps is 1e-6 and floors the union."),
        Equivalent("keras_cv", "IoULoss", note="Its mean over boxes is inside the loss."),
    ),
    examples=""">>> input = np.array([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 1.0]])
>>> target = np.array([[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0]])

The first boxes share 2 of 6, the second nothing:

>>> losslib.box_iou_loss(input, target, reduction="none").round(4)
array([0.6667, 1.    ])
>>> losslib.box_iou_loss.grad(input, target, reduction="none").round(4)[0]
array([-0.1111,  0.    , -0.3333, -0.    ])
>>> value, grad = losslib.box_iou_loss.value_and_grad(input, target)
>>> grad.shape
(2, 4)
""",
    tags=("boxes", "detection", "bounded"),
    entries=("L116",),
    value_range='[0, 1] for mode="linear"',
)


generalized_box_iou_loss, GeneralizedBoxIoULoss = declare(
    "boxes",
    "generalized_box_iou_loss",
    "GeneralizedBoxIoULoss",
    formula="1 - IoU**power + ((C - U)/(C + eps))**power",
    keywords={"bounding boxes": 2, "intersection over union": 1},
    family="boxes",
    per="box",
    aliases=("giou", "giou_loss"),
    summary="The IoU loss and the share of the enclosing box that belongs to neither, so that distant boxes attract.",
    inputs=BOXES,
    parameters=(POWER, FORMAT, EMPTY),
    kernel=powered("GeneralizedIoU"),
    latex={"value": r"L = 1 - \mathrm{IoU}^{a} + \left(\frac{C - U}{C + \varepsilon}\right)^{a}"},
    has_hessian=False,
    differentiable=BOTH,
    description=(
        "The smallest box around both boxes is compared with their union. If they lie apart, most of it belongs to "
        "neither, and shrinking that share moves the prediction to its object. Where one box contains the other the "
        "penalty is 0 and the IoU alone is left.\n\n"
        "It is the box loss of DETR and of many detectors since, and a metric-like number from 0 to 2."
    ),
    notes=COMMON_NOTES + CHECKED,
    use_when=(
        "predictions may miss their objects, as set predictors do",
        "one number without weights between its parts is wanted",
    ),
    avoid_when=(
        "boxes mostly lie inside one another: the penalty is 0 there",
        "speed of convergence matters: a distant box first grows until it touches the object; "
        "``distance_box_iou_loss`` moves its centre at once",
    ),
    pitfalls=(
        "A box inside its object has no penalty: there it is the plain IoU loss.",
        "torchvision's default reduction is none, that of losslib the mean.",
        "MONAI's BoxGIoULoss adds the machine epsilon of the dtype, not 1e-7.",
    ),
    see_also=(
        ("distance_box_iou_loss", "penalises the distance of the centres"),
        ("complete_box_iou_loss", "and the ratio of the sides as well"),
    ),
    references=(REZATOFIGHI, HE),
    equivalents=(
        Equivalent(
            "torchvision",
            "generalized_box_iou_loss",
            "torchvision.ops.generalized_box_iou_loss(x, t, reduction='mean')",
        ),
        Equivalent("mmdet", "GIoULoss", note="eps is 1e-6 and floors union and enclosing box."),
        Equivalent("monai", "BoxGIoULoss", note="Adds the machine epsilon of the dtype in place of 1e-7."),
    ),
    examples=""">>> input = np.array([[0.0, 0.0, 1.0, 1.0]])
>>> target = np.array([[3.0, 0.0, 4.0, 1.0]])

Half of the enclosing box belongs to neither:

>>> round(losslib.generalized_box_iou_loss(input, target), 4)
1.5
>>> losslib.generalized_box_iou_loss.grad(input, target).round(4)
array([[ 0.125, -0.   , -0.25 ,  0.   ]])
>>> value, grad = losslib.generalized_box_iou_loss.value_and_grad(input, target)
>>> grad.shape
(1, 4)
""",
    tags=("boxes", "detection", "bounded"),
    entries=("L115",),
    value_range="[0, 2]",
)


distance_box_iou_loss, DistanceBoxIoULoss = declare(
    "boxes",
    "distance_box_iou_loss",
    "DistanceBoxIoULoss",
    formula="1 - IoU**power + (rho**2/(c_w**2 + c_h**2 + eps))**power",
    keywords={"bounding boxes": 3},
    family="boxes",
    per="box",
    aliases=("diou", "diou_loss"),
    summary="The IoU loss and the squared distance of the centres, measured by the enclosing box.",
    inputs=BOXES,
    parameters=(POWER, FORMAT, EMPTY),
    kernel=powered("DistanceIoU"),
    latex={
        "value": r"L = 1 - \mathrm{IoU}^{a} + D^{a}, \qquad D = \frac{\rho^2}{c_w^2 + c_h^2 + \varepsilon}",
    },
    has_hessian=False,
    differentiable=BOTH,
    description=(
        "The distance of the centres, in units of the diagonal of the smallest box around both, gives every box a "
        "direction to its object, overlapping or not. It converges in fewer steps than the generalized IoU, whose "
        "penalty first makes a distant box grow."
    ),
    notes=COMMON_NOTES + CHECKED,
    use_when=(
        "boxes start far from their objects and have to arrive in few steps",
        "centres matter most, as in tracking and in suppression by the distance of centres",
    ),
    avoid_when=(
        "sides should match as well: ``complete_box_iou_loss`` adds their ratio",
        "predictions overlap well and only the IoU counts: ``box_iou_loss``",
    ),
    pitfalls=("Concentric boxes of any size have no penalty: there it is the plain IoU loss.",),
    see_also=(
        ("complete_box_iou_loss", "adds the ratio of the sides"),
        ("generalized_box_iou_loss", "penalises the empty part of the enclosing box"),
    ),
    references=(ZHENG, HE),
    equivalents=(
        Equivalent(
            "torchvision", "distance_box_iou_loss", "torchvision.ops.distance_box_iou_loss(x, t, reduction='mean')"
        ),
        Equivalent("mmdet", "DIoULoss", note="eps is 1e-6."),
    ),
    examples=""">>> input = np.array([[0.0, 0.0, 1.0, 1.0]])
>>> target = np.array([[3.0, 0.0, 4.0, 1.0]])

The centres are 3 apart and the diagonal is the root of 17:

>>> round(losslib.distance_box_iou_loss(input, target), 4)
1.5294
>>> losslib.distance_box_iou_loss.grad(input, target).round(4)
array([[ 0.0727,  0.0311, -0.1765, -0.0311]])
>>> value, grad = losslib.distance_box_iou_loss.value_and_grad(input, target)
>>> grad.shape
(1, 4)
""",
    tags=("boxes", "detection", "bounded"),
    entries=("L117",),
    value_range="[0, 2]",
)


complete_box_iou_loss, CompleteBoxIoULoss = declare(
    "boxes",
    "complete_box_iou_loss",
    "CompleteBoxIoULoss",
    formula="1 - IoU**power + (rho**2/(c_w**2 + c_h**2 + eps))**power + (alpha*v)**power",
    keywords={"bounding boxes": 1},
    family="boxes",
    per="box",
    aliases=("ciou", "ciou_loss"),
    summary="The IoU loss with penalties for the distance of the centres and for a different ratio of the sides.",
    inputs=BOXES,
    parameters=(POWER, FORMAT, EMPTY),
    kernel=powered("CompleteIoU"),
    latex={
        "value": r"L = 1 - \mathrm{IoU}^{a} + D^{a} + (\alpha v)^{a}",
        "ratio": (
            r"v = \frac{4}{\pi^2}\left(\arctan\frac{w'}{h'} - \arctan\frac{w}{h}\right)^2, \qquad "
            r"\alpha = \frac{v}{1 - \mathrm{IoU} + v + \varepsilon} \text{ held constant}"
        ),
    },
    has_hessian=False,
    differentiable=BOTH,
    description=(
        "Overlap, centre and shape: the three things in which boxes differ. It is the box loss of the YOLO detectors "
        "since version 4. The trade-off alpha lets the shape count once boxes overlap."
    ),
    notes=(
        "The trade-off alpha is held constant in the derivative, as in the paper and in torchvision: the gradient is "
        "that of the value with this factor fixed. The angle between the diagonals comes from one arc tangent, so that "
        "boxes of one shape have v = 0 exactly; a box without sides has the angle 0 and no derivative by it, where "
        "peers give NaN. " + COMMON_NOTES + CHECKED
    ),
    use_when=(
        "the default for one-stage detectors: it moves, scales and shapes boxes at the same time",
        "aspect ratios carry information, as those of text lines or vehicles do",
    ),
    avoid_when=(
        "the loss is to be read as a metric: ``box_iou_loss`` and ``generalized_box_iou_loss`` are",
        "width and height should be pulled to their own targets: the ratio is right for any size; "
        "``efficient_box_iou_loss`` penalises both sides",
    ),
    pitfalls=(
        "The derivatives of v by width and height have opposite signs: the penalty cannot enlarge both.",
        "With width and height exchanged (y before x) the loss stays finite and is wrong.",
        "The paper leaves the factor 1/(w**2 + h**2) of the derivative of v out; here, as in torchvision, it is there.",
    ),
    see_also=(
        ("distance_box_iou_loss", "without the ratio of the sides"),
        ("efficient_box_iou_loss", "the sides themselves in place of their ratio"),
    ),
    references=(ZHENG, HE),
    equivalents=(
        Equivalent(
            "torchvision", "complete_box_iou_loss", "torchvision.ops.complete_box_iou_loss(x, t, reduction='mean')"
        ),
        Equivalent("mmdet", "CIoULoss", note="eps is 1e-6, and v counts where the IoU exceeds 0.5 only."),
    ),
    examples=""">>> input = np.array([[0.0, 0.0, 2.0, 1.0]])
>>> target = np.array([[0.0, 0.0, 1.0, 2.0]])

Twice as wide as high against twice as high as wide:

>>> round(losslib.complete_box_iou_loss(input, target), 4)
0.7629
>>> losslib.complete_box_iou_loss.grad(input, target).round(4)
array([[ 0.1683, -0.0049,  0.1633, -0.3267]])
>>> value, grad = losslib.complete_box_iou_loss.value_and_grad(input, target)
>>> grad.shape
(1, 4)
""",
    tags=("boxes", "detection", "bounded", "held weights"),
    entries=("L118",),
    value_range="[0, 3)",
)


efficient_box_iou_loss, EfficientBoxIoULoss = declare(
    "boxes",
    "efficient_box_iou_loss",
    "EfficientBoxIoULoss",
    formula=(
        "(1 - IoU + rho**2/(c_w**2 + c_h**2 + eps) + (w - w1)**2/(c_w**2 + eps)"
        " + (h - h1)**2/(c_h**2 + eps))*IoU**focal"
    ),
    family="boxes",
    per="box",
    aliases=("eiou", "eiou_loss", "focal_eiou_loss"),
    summary="The IoU loss with penalties for the distance of the centres, the widths and the heights.",
    inputs=BOXES,
    parameters=(
        Real(
            "focal",
            0.0,
            "Power of the IoU that multiplies a box's loss, so that boxes that fit well weigh more (Focal-EIoU: 0.5).",
            least=0.0,
            examples=(0.5, 2.0),
        ),
        FORMAT,
        EMPTY,
    ),
    kernel=lambda values: ("EfficientIoU", (float(values["focal"]),)),
    latex={
        "value": (
            r"L = \left[1 - \mathrm{IoU} + D + \frac{(w - w')^2}{c_w^2 + \varepsilon} + "
            r"\frac{(h - h')^2}{c_h^2 + \varepsilon}\right] \mathrm{IoU}^{\text{focal}}"
        ),
    },
    has_hessian=False,
    differentiable=BOTH,
    description=(
        "Each side has a penalty of its own, where the complete IoU loss compares their ratio only: a box of the right "
        "shape and the wrong size is pulled at both sides. With ``focal`` boxes that hardly overlap, which are many "
        "and bad, weigh little."
    ),
    notes=(
        "With ``focal`` the derivative is that of the whole product, the factor IoU**focal included. "
        + COMMON_NOTES
        + CHECKED
    ),
    use_when=(
        "width and height are to be right, each by itself",
        "bad matches outnumber good ones: ``focal=0.5`` lets the good ones lead",
    ),
    avoid_when=(
        "boxes may miss their objects and ``focal`` is not 0: without overlap the loss and its gradient are 0",
        "results are compared with torchvision or YOLO: they have ``complete_box_iou_loss``",
    ),
    pitfalls=(
        "mmdetection's ``eiou_loss`` is another loss (extended IoU).",
        "With ``focal`` above 0 a smaller value is not a better box: at IoU 0 it is 0.",
    ),
    see_also=(("complete_box_iou_loss", "the ratio of the sides in place of the sides"),),
    references=(ZHANG,),
    equivalents=(Equivalent("mmdet", "EIoULoss", note="Of the same name only: the extended IoU loss."),),
    examples=""">>> input = np.array([[0.0, 0.0, 2.0, 2.0]])
>>> target = np.array([[0.0, 0.0, 1.0, 1.0]])
>>> round(losslib.efficient_box_iou_loss(input, target), 4)
1.3125
>>> round(losslib.efficient_box_iou_loss(input, target, focal=0.5), 4)
0.6562
>>> value, grad = losslib.efficient_box_iou_loss.value_and_grad(input, target)
>>> grad.shape
(1, 4)
""",
    tags=("boxes", "detection"),
    value_range="[0, 4)",
)


normalized_wasserstein_box_loss, NormalizedWassersteinBoxLoss = declare(
    "boxes",
    "normalized_wasserstein_box_loss",
    "NormalizedWassersteinBoxLoss",
    formula="1 - exp(-sqrt(rho**2 + ((w - w1)**2 + (h - h1)**2)/4 + eps)/constant)",
    family="boxes",
    per="box",
    aliases=("nwd", "nwd_loss"),
    summary="One minus the likeness of two boxes as Gaussians: smooth where boxes of a few pixels hardly overlap.",
    inputs=BOXES,
    parameters=(
        Real(
            "constant",
            12.8,
            "Distance, in units of the coordinates, at which the likeness has fallen to 1/e: about the mean size of "
            "the objects.",
            above=0.0,
            examples=(2.0, 50.0),
        ),
        FORMAT,
        EMPTY,
    ),
    kernel=lambda values: ("NormalizedWasserstein", (float(values["constant"]),)),
    latex={
        "value": (
            r"L = 1 - \exp\left(-\frac{1}{\text{constant}} "
            r"\sqrt{\rho^2 + \tfrac14 (w - w')^2 + \tfrac14 (h - h')^2 + \varepsilon}\right)"
        ),
    },
    has_hessian=False,
    differentiable=BOTH,
    description=(
        "A box becomes a Gaussian with its centre and half of its sides as standard deviations, and two Gaussians have "
        "a Wasserstein distance in closed form. One pixel of displacement changes it by the same amount for a small "
        "box as for a large one, where the IoU of a box of six pixels falls by half."
    ),
    notes=(
        "One value for each box; ``mean`` divides by their number. 1e-7 under the root keeps the derivative of equal "
        "boxes finite: it is 0." + CHECKED
    ),
    use_when=(
        "objects are a few pixels large, as in aerial images",
        "boxes hardly overlap and a smooth slope is wanted everywhere",
    ),
    avoid_when=(
        "sizes differ by orders of magnitude: the distance is in pixels, whatever the object's size",
        "the result is judged by IoU of large objects: ``complete_box_iou_loss``",
    ),
    pitfalls=("``constant`` has the unit of the coordinates: 12.8 is for pixels, not for boxes scaled to [0, 1].",),
    see_also=(("generalized_box_iou_loss", "free of the size of objects"),),
    references=(WANG,),
    equivalents=(Equivalent("mmdet", "GWDLoss", note="Of rotated boxes as Gaussians, with another curve."),),
    examples=""">>> input = np.array([[0.0, 0.0, 4.0, 4.0]])
>>> target = np.array([[3.0, 4.0, 7.0, 8.0]])

The centres are 5 apart:

>>> round(losslib.normalized_wasserstein_box_loss(input, target, constant=5.0), 4)
0.6321
>>> value, grad = losslib.normalized_wasserstein_box_loss.value_and_grad(input, target)
>>> grad.shape
(1, 4)
""",
    tags=("boxes", "detection", "bounded", "small objects"),
    value_range="[0, 1)",
)
