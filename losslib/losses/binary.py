"""Binary and multi-label classification with probabilities or logits: one number per element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from losslib.declaration.schema import PROBABILITY, Array, Equivalent, Input, Real, Reference
from losslib.declare import pointwise

__all__ = [
    "AsymmetricLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BalancedBinaryCrossEntropy",
    "BinaryFocalLoss",
    "MultiLabelSoftMarginLoss",
    "SigmoidFocalLoss",
    "WeightedBinaryCrossEntropy",
    "asymmetric_loss",
    "balanced_binary_cross_entropy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "binary_focal_loss",
    "multilabel_soft_margin_loss",
    "sigmoid_focal_loss",
    "weighted_binary_cross_entropy",
]

Values = Mapping[str, Any]
Kernel = tuple[str, tuple[float, ...]]

# Inputs and parameters that several losses share.

PREDICTED_PROBABILITY = Input("input", "Predicted probabilities of the positive class.", PROBABILITY)
LOGIT = Input("input", "Predicted logits (log odds of the positive class): any real numbers.")
LABEL = Input(
    "target",
    "Labels 0 or 1, or probabilities in between.",
    PROBABILITY,
    fix="map -1/1 labels with (target + 1) / 2",
)

LABEL_SMOOTHING = Real(
    "label_smoothing",
    0.0,
    "How far the labels are drawn towards 1/2: target becomes ``target*(1 - label_smoothing) + label_smoothing/2``.",
    least=0.0,
    most=1.0,
    examples=(0.1, 0.3),
)
ALPHA = Real(
    "alpha",
    0.25,
    "Weight of the positive class; the negative class gets ``1 - alpha``. -1 switches the weighting off.",
    least=0.0,
    most=1.0,
    also=(-1.0,),
    examples=(-1.0, 0.5, 0.9),
)
GAMMA = Real(
    "gamma",
    2.0,
    "Focusing exponent: the larger, the less well-classified elements count; 0 is plain cross entropy.",
    least=0.0,
    examples=(0.0, 0.5, 1.0, 5.0),
)
POS_WEIGHT_TEXT = "Factor on the part of the loss that belongs to the positive class; above 1 it raises recall."

#: A letter of the formulas: the target after label smoothing.
SMOOTHED = {"y": "t*(1 - label_smoothing) + label_smoothing/2"}
#: Cross entropy of a probability with PyTorch's clamp, which caps a single logarithm at -100.
CLAMPED = "-y*max(log(x), -100) - (1 - y)*max(log1p(-x), -100)"

GOOD = Reference(
    "Good, I. J. (1952). Rational decisions. Journal of the Royal Statistical Society B, 14(1), 107-114.",
    doi="10.1111/j.2517-6161.1952.tb00104.x",
)
SMOOTHING = Reference(
    "Szegedy, C., Vanhoucke, V., Ioffe, S., Shlens, J. and Wojna, Z. (2016). Rethinking the Inception "
    "architecture for computer vision. IEEE Conference on Computer Vision and Pattern Recognition, "
    "2818-2826.",
    doi="10.1109/CVPR.2016.308",
)
FOCAL = Reference(
    "Lin, T.-Y., Goyal, P., Girshick, R., He, K. and Dollár, P. (2017). Focal loss for dense object "
    "detection. IEEE International Conference on Computer Vision, 2999-3007.",
    doi="10.1109/ICCV.2017.324",
)


binary_cross_entropy, BCELoss = pointwise(
    "binary_cross_entropy",
    "BCELoss",
    family="binary",
    aliases=("bce", "log_loss", "logloss", "binary_crossentropy"),
    summary="Cross entropy between 0/1 labels and predicted probabilities.",
    inputs=(PREDICTED_PROBABILITY, LABEL),
    parameters=(LABEL_SMOOTHING,),
    kernel="BinaryCrossEntropy",
    formula=CLAMPED,
    definitions=SMOOTHED,
    keywords={"logistic regression": 3},
    symbols={"x": "input", "t": "target"},
    differentiable=("input", "target"),
    description=(
        "The negative log-likelihood of a coin with the predicted probability. It is a proper score: the "
        "expected loss is smallest when the input is the true probability of the positive class, so it "
        "trains and measures calibrated probabilities.\n\n"
        "Use it when probabilities are what you have: the output of another model, an average of several "
        "models, a product of probabilities. If your model ends in a sigmoid, leave the sigmoid out and use "
        "``binary_cross_entropy_with_logits``, which keeps full accuracy where a sigmoid has rounded to 0 or "
        "1."
    ),
    notes=(
        "As in PyTorch each logarithm is clamped at -100, so one element costs at most 100, and the "
        "denominator of the gradient, ``x*(1 - x)``, is clamped at 1e-12: a certain and wrong prediction (x "
        "= 0, t = 1) has the value 100 and the gradient -1e12. The Hessian uses the same floor for x and ``1 "
        "- x``.\n\n"
        "In float32 a sigmoid is exactly 1 from a logit of about 17 on, in float64 from about 37; the "
        "information is lost before this loss sees it."
    ),
    use_when=(
        "predictions are probabilities and no logits exist: ensembles, calibrated scores, gated outputs",
        "you score forecasts: the value is scikit-learn's ``log_loss`` without renormalising and clipping",
        "targets are soft labels in [0, 1]: the formula holds for them unchanged",
    ),
    avoid_when=(
        "the model puts out logits: ``binary_cross_entropy_with_logits`` has no clamps and its gradient is "
        "never larger than 1",
        "labels contain mistakes: one confident prediction against a wrong label costs up to 100; at least "
        "set ``label_smoothing``",
        "classes are exclusive and more than two: that is ``cross_entropy`` on a softmax",
    ),
    pitfalls=(
        "Passing logits: values outside [0, 1] are a DomainError here, but logits that happen to lie inside "
        "give no error, only nonsense.",
        "Keras clips probabilities to [1e-7, 1 - 1e-7] (largest loss 16.1), scikit-learn to the epsilon "
        "of the dtype, Paddle's ``log_loss`` adds 1e-4 in the logarithm: values differ for certain "
        "predictions.",
        '``"mean"`` divides by the number of elements even when weight is given, as in PyTorch; '
        '``reduction="weighted_mean"`` with ``sample_weight`` divides by the sum of weights.',
        "scikit-learn and Keras take the target first.",
    ),
    see_also=(
        ("binary_cross_entropy_with_logits", "takes logits: accurate in both tails, the one to train with"),
        ("weighted_binary_cross_entropy", "has a factor on the positive class"),
        ("binary_focal_loss", "gives little weight to elements that are already right"),
        ("kl_div", "for distributions over several classes"),
    ),
    references=(GOOD, SMOOTHING),
    equivalents=(
        Equivalent("torch", "binary_cross_entropy", "torch.nn.functional.binary_cross_entropy(x, t)"),
        Equivalent("torch", "BCELoss", "torch.nn.BCELoss(reduction='none')(x, t)", {"reduction": "none"}),
        Equivalent(
            "keras",
            "BinaryCrossentropy",
            "keras.losses.BinaryCrossentropy(label_smoothing=0.1)(t, x)",
            {"label_smoothing": 0.1},
            "Target first; clips probabilities to [1e-7, 1 - 1e-7]; averages over the last axis first.",
        ),
        Equivalent(
            "sklearn",
            "log_loss",
            "sklearn.metrics.log_loss(t, x)",
            {},
            "Target first, hard labels on one axis; clips to the epsilon of the dtype.",
        ),
        Equivalent("paddle", "binary_cross_entropy", "paddle.nn.functional.binary_cross_entropy(x, t)"),
        Equivalent(
            "tensorflow",
            "compat.v1.losses.log_loss",
            note="Adds epsilon = 1e-7 inside the logarithms and divides by the number of non-zero weights.",
        ),
    ),
    examples=""">>> value = losslib.binary_cross_entropy([0.9, 0.1, 1.0], [1, 0, 1])
>>> round(value, 4)
0.0702

The gradient is (x - t) / (x*(1 - x)), here divided by two elements:

>>> value, gradient = losslib.binary_cross_entropy.value_and_grad([0.8, 0.5], [1, 0])
>>> round(value, 4)
0.4581
>>> gradient.round(4)
array([-0.625,  1.   ])
""",
    tags=("binary", "multi-label", "probabilities", "soft labels", "convex", "smooth", "proper"),
    value_range="[0, 100] for logarithms clamped at -100",
    function_order=("weight", "size_average", "reduce", "reduction"),
    class_order=("weight", "size_average", "reduce", "reduction"),
    entries=("L038",),
)


def _focal_kernel(name: str, *settings: str, exponents: tuple[str, ...]) -> Callable[[Values], Kernel]:
    """The kernel for any exponents, or where they are all among 0, 1, ..., 7 the one that is several times as fast."""

    def kernel(values: Values) -> Kernel:
        whole = all(values[exponent] in range(8) for exponent in exponents)
        return name + "Whole" * whole, tuple(float(values[setting]) for setting in settings)

    return kernel


def _logits_kernel(values: Values) -> Kernel:
    weighted = values.get("pos_weight") is not None
    name = "BinaryCrossEntropyLogitsPosWeight" if weighted else "BinaryCrossEntropyLogits"
    return name, (float(values["label_smoothing"]),)


binary_cross_entropy_with_logits, BCEWithLogitsLoss = pointwise(
    "binary_cross_entropy_with_logits",
    "BCEWithLogitsLoss",
    family="binary",
    aliases=(
        "bce_with_logits",
        "sigmoid_cross_entropy",
        "sigmoid_binary_cross_entropy",
        "binary_logistic",
        "binary:logistic",
        "HalfBinomialLoss",
    ),
    summary=("Cross entropy between 0/1 labels and the sigmoid of predicted logits, computed in one stable step."),
    inputs=(LOGIT, LABEL),
    parameters=(
        Array("pos_weight", None, POS_WEIGHT_TEXT, least=0.0),
        LABEL_SMOOTHING,
    ),
    kernel=_logits_kernel,
    formula="(1 - y)*softplus(x) + w*y*softplus(-x)",
    definitions=SMOOTHED,
    keywords={"logistic regression": 1, "multilabel": 3, "label smoothing": 2, "adaboost": 2},
    symbols={"x": "input", "t": "target", "w": "pos_weight"},
    differentiable=("input", "target"),
    description=(
        "The standard loss for yes/no questions and for multi-label problems, where each output is a yes/no "
        "question of its own. The input is the log odds; ``sigmoid(input)`` then estimates the probability "
        "of the positive class, and with ``pos_weight`` left alone that probability is calibrated.\n\n"
        "The gradient is ``sigmoid(x) - t``: it vanishes for right answers, and is never larger than 1 for "
        "wrong ones. ``pos_weight``, a number or one value per class that broadcasts against the input, "
        "multiplies the positive part: (number of negatives)/(number of positives) makes both classes weigh "
        "the same. In the formula w is ``pos_weight``, and 1 when it is None."
    ),
    notes=(
        "Sigmoid and both softplus terms come from one exponential of ``-|x|``, so value and gradient are "
        "accurate in both tails and nothing overflows; the value grows linearly with a wrong logit. A term "
        "whose coefficient is exactly 0 is left out, so x = inf with t = 1 gives 0, not NaN.\n\n"
        "The Hessian, ``sigmoid(x)*sigmoid(-x)`` times the mixture weight, is never negative and underflows "
        "only beyond the range of the dtype. The derivative for the target is ``-(1 - label_smoothing)*x`` "
        "without ``pos_weight``."
    ),
    use_when=(
        "binary or multi-label classification with a model that ends in a linear layer: this is the default choice",
        "positives are rare and recall matters: ``pos_weight`` shifts the balance without resampling",
        "gradient boosting on 0/1 labels: gradient and Hessian are those of binary:logistic",
    ),
    avoid_when=(
        "the classes exclude each other: ``cross_entropy`` makes them compete, this loss does not",
        "nearly all elements are easy negatives, thousands to one: ``sigmoid_focal_loss`` or "
        "``asymmetric_loss`` keep them from drowning the rest",
        "the inputs are probabilities already: use ``binary_cross_entropy``",
    ),
    pitfalls=(
        "Do not put a sigmoid before it. There is no error, since probabilities are legal logits; learning "
        "is just slow and outputs stay in the middle.",
        "``pos_weight`` other than 1 gives probabilities that are too high by design: odds are multiplied "
        "by ``pos_weight``. Divide them again before you use them as probabilities.",
        '``"mean"`` divides by the number of elements, not by any sum of weights.',
        "optax averages nothing, TensorFlow neither: they return one value per element.",
        "LightGBM's binary objective wants labels 0/1 and has a slope, ``sigmoid=1.0``, inside.",
    ),
    see_also=(
        ("binary_cross_entropy", "takes probabilities"),
        ("soft_margin_loss", "the same function with labels -1 and 1"),
        ("multilabel_soft_margin_loss", "averages over the last axis first; same mean"),
        ("sigmoid_focal_loss", "the same loss times a factor that fades out easy elements"),
    ),
    references=(GOOD, SMOOTHING),
    equivalents=(
        Equivalent(
            "torch",
            "binary_cross_entropy_with_logits",
            "torch.nn.functional.binary_cross_entropy_with_logits(x, t)",
        ),
        Equivalent(
            "torch",
            "BCEWithLogitsLoss",
            "torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0, dtype=x.dtype), reduction='sum')(x, t)",
            {"pos_weight": 3.0, "reduction": "sum"},
        ),
        Equivalent(
            "keras",
            "BinaryCrossentropy",
            "keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)(t, x)",
            {"label_smoothing": 0.1},
            "Target first; averages over the last axis first.",
        ),
        Equivalent(
            "tensorflow",
            "sigmoid_cross_entropy_with_logits",
            "tensorflow.nn.sigmoid_cross_entropy_with_logits(labels=t, logits=x)",
            {"reduction": "none"},
        ),
        Equivalent(
            "tensorflow",
            "weighted_cross_entropy_with_logits",
            "tensorflow.nn.weighted_cross_entropy_with_logits(labels=t, logits=x, pos_weight=3.0)",
            {"pos_weight": 3.0, "reduction": "none"},
        ),
        Equivalent(
            "optax",
            "sigmoid_binary_cross_entropy",
            "optax.losses.sigmoid_binary_cross_entropy(x, t)",
            {"reduction": "none"},
        ),
        Equivalent(
            "paddle",
            "binary_cross_entropy_with_logits",
            "paddle.nn.functional.binary_cross_entropy_with_logits(x, t)",
        ),
        Equivalent(
            "sklearn",
            "HalfBinomialLoss",
            note=("The private loss of LogisticRegression and HistGradientBoostingClassifier; one value per element."),
        ),
        Equivalent(
            "xgboost",
            "binary:logistic",
            note=(
                "The same gradient and Hessian, the Hessian floored at 1e-16; ``scale_pos_weight`` is ``pos_weight``."
            ),
        ),
        Equivalent(
            "lightgbm",
            "binary",
            note=("The same with slope ``sigmoid=1.0``; the objective ``'cross_entropy'`` also accepts soft labels."),
        ),
        Equivalent(
            "catboost",
            "Logloss",
            note="The same; CrossEntropy accepts soft labels, MultiLogloss many labels.",
        ),
    ),
    examples=""">>> round(losslib.binary_cross_entropy_with_logits([1.5], [1]), 4)
0.2014

The gradient is sigmoid(x) - t, here divided by two elements:

>>> value, gradient = losslib.binary_cross_entropy_with_logits.value_and_grad([0.0, 2.0], [1, 0])
>>> round(value, 4)
1.41
>>> gradient.round(4)
array([-0.25  ,  0.4404])

One weight per class for a table of three labels:

>>> logits = np.zeros((2, 3))
>>> labels = np.array([[1, 0, 0], [0, 1, 1]])
>>> losslib.binary_cross_entropy_with_logits(
...     logits, labels, pos_weight=[1.0, 2.0, 4.0], reduction="none").round(3)
array([[0.693, 0.693, 0.693],
       [0.693, 1.386, 2.773]])
""",
    tags=("binary", "multi-label", "logits", "soft labels", "convex", "smooth", "proper"),
    function_order=("weight", "size_average", "reduce", "reduction", "pos_weight"),
    class_order=("weight", "size_average", "reduce", "reduction", "pos_weight"),
    entries=("L039", "L040"),
)


weighted_binary_cross_entropy, WeightedBinaryCrossEntropy = pointwise(
    "weighted_binary_cross_entropy",
    "WeightedBinaryCrossEntropy",
    family="binary",
    aliases=("weighted_bce",),
    summary="Cross entropy on probabilities with a factor on the positive class.",
    inputs=(PREDICTED_PROBABILITY, LABEL),
    parameters=(Real("pos_weight", 1.0, POS_WEIGHT_TEXT, least=0.0, examples=(0.5, 2.0, 5.0)),),
    kernel=lambda values: ("WeightedBinaryCrossEntropy", (float(values["pos_weight"]), 1.0)),
    formula="-pos_weight*t*max(log(x), -100) - (1 - t)*max(log1p(-x), -100)",
    keywords={"imbalance": 4},
    symbols={"x": "input", "t": "target"},
    differentiable=("input", "target"),
    description=(
        "``binary_cross_entropy`` whose positive part is multiplied by ``pos_weight``. Above 1 a missed "
        "positive costs more than a false alarm and recall rises; below 1 it is the other way round. It is "
        "common in segmentation, where the object fills few of the pixels.\n\n"
        "At the optimum the input is ``w*q/(w*q + 1 - q)`` for a true probability q and ``pos_weight`` w: a "
        "probability with the odds multiplied by w."
    ),
    notes=(
        "The logarithms are clamped at -100 and the denominators of the gradient at 1e-12, as in "
        "``binary_cross_entropy``; with ``pos_weight=1`` the numbers are the same. A single element costs at "
        "most 100 or ``100*pos_weight``."
    ),
    use_when=(
        "missing a positive is worse than a false alarm by a known factor: that factor is ``pos_weight``",
        "positives are rare: (number of negatives)/(number of positives) lets both classes weigh the same",
    ),
    avoid_when=(
        "you need calibrated probabilities: the weighting moves them; use ``binary_cross_entropy`` and move "
        "the decision threshold",
        "logits are at hand: ``binary_cross_entropy_with_logits`` takes ``pos_weight`` too and has no clamps",
    ),
    pitfalls=(
        "The mean divides by the number of elements, so the scale of the loss grows with ``pos_weight``: "
        "adjust the learning rate, or use ``balanced_binary_cross_entropy`` whose weights add up to 1.",
        "To get probabilities back from the input p: ``p / (p + pos_weight*(1 - p))``.",
    ),
    see_also=(
        ("binary_cross_entropy_with_logits", "the same weighting on logits, also per class"),
        ("balanced_binary_cross_entropy", "weights beta and ``1 - beta`` for the two classes"),
        ("binary_focal_loss", "weights by difficulty as well as by class"),
    ),
    references=(
        Reference(
            "Jadon, S. (2020). A survey of loss functions for semantic segmentation. IEEE Conference on "
            "Computational Intelligence in Bioinformatics and Computational Biology.",
            doi="10.1109/CIBCB48159.2020.9277638",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "binary_cross_entropy",
            "torch.nn.functional.binary_cross_entropy(x, t, weight=1 + (3.0 - 1) * t)",
            {"pos_weight": 3.0},
            "For hard labels: the weight is built from the target.",
        ),
        Equivalent(
            "tensorflow",
            "weighted_cross_entropy_with_logits",
            note="The same loss on logits, one value per element.",
        ),
    ),
    examples=""">>> round(losslib.weighted_binary_cross_entropy([0.5, 0.5], [1, 0], pos_weight=3.0), 4)
1.3863

That is (3*log(2) + log(2)) / 2. The gradient of the positive element is three times as large:

>>> value, gradient = losslib.weighted_binary_cross_entropy.value_and_grad(
...     [0.5, 0.5], [1, 0], pos_weight=3.0)
>>> gradient.round(4)
array([-3.,  1.])
""",
    tags=("binary", "multi-label", "probabilities", "imbalance", "convex", "smooth", "proper"),
    entries=("L038", "L039"),
    value_range="[0, 100] for pos_weight <= 1, [0, 100*pos_weight] above: the logarithms are clamped at -100",
)


balanced_binary_cross_entropy, BalancedBinaryCrossEntropy = pointwise(
    "balanced_binary_cross_entropy",
    "BalancedBinaryCrossEntropy",
    family="binary",
    aliases=("balanced_bce",),
    summary="Cross entropy on probabilities with weights beta for positives and 1 - beta for negatives.",
    inputs=(PREDICTED_PROBABILITY, LABEL),
    parameters=(
        Real(
            "beta",
            0.5,
            "Weight of the positive class; the negative class gets ``1 - beta``.",
            least=0.0,
            most=1.0,
            examples=(0.1, 0.7, 0.9),
        ),
    ),
    kernel=lambda values: (
        "WeightedBinaryCrossEntropy",
        (float(values["beta"]), 1.0 - float(values["beta"])),
    ),
    formula="-beta*t*max(log(x), -100) - (1 - beta)*(1 - t)*max(log1p(-x), -100)",
    keywords={"imbalance": 5},
    symbols={"x": "input", "t": "target"},
    differentiable=("input", "target"),
    description=(
        "``binary_cross_entropy`` in which both classes are weighted and the weights add up to 1. With beta "
        "equal to the share of negatives in the data, the two classes contribute the same total, however "
        "rare the positives are. It became known for edge detection, where edges are a few per cent of the "
        "pixels.\n\n"
        "beta = 0.5 is half the plain cross entropy."
    ),
    notes=(
        "The logarithms are clamped at -100 and the denominators of the gradient at 1e-12, as in "
        "``binary_cross_entropy``. beta is a constant here: computing it per batch or picture, as some "
        "papers do, is one line, ``1 - target.mean()``."
    ),
    use_when=(
        "the classes are imbalanced and you want the size of the loss to stay the same for every choice of weight",
        "you tune the trade-off between precision and recall: one number between 0 and 1 covers it",
    ),
    avoid_when=(
        "you need calibrated probabilities: odds are multiplied by ``beta/(1 - beta)``",
        "logits are at hand: ``binary_cross_entropy_with_logits`` with ``pos_weight`` = ``beta/(1 - "
        "beta)``, times ``1 - beta``, is the same and keeps accuracy in the tails",
    ),
    pitfalls=(
        "beta = 0.5 halves the values of ``binary_cross_entropy``; a learning rate tuned for one is off by "
        "2 for the other.",
        "beta is the share of negatives if you want balance, since it is the weight of the positives. The "
        "share of positives makes the imbalance worse.",
        "beta computed per batch makes the loss depend on the batch: batches without positives then teach nothing.",
    ),
    see_also=(
        ("weighted_binary_cross_entropy", "leaves the negative class at weight 1"),
        ("binary_focal_loss", "the same weights, alpha in place of beta, and a focusing factor"),
    ),
    references=(
        Reference(
            "Xie, S. and Tu, Z. (2015). Holistically-nested edge detection. IEEE International Conference "
            "on Computer Vision, 1395-1403.",
            doi="10.1109/ICCV.2015.164",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "binary_cross_entropy",
            "torch.nn.functional.binary_cross_entropy(x, t, weight=0.7 * t + 0.3 * (1 - t))",
            {"beta": 0.7},
            "For hard labels: the weight is built from the target.",
        ),
        Equivalent(
            "keras",
            "BinaryFocalCrossentropy",
            "keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.7, gamma=0.0)(t, x)",
            {"beta": 0.7},
            "For hard labels. Keras' name for the weights is alpha; it clips probabilities to [1e-7, 1 - 1e-7].",
        ),
    ),
    examples=""">>> round(losslib.balanced_binary_cross_entropy([0.9, 0.1, 1.0], [1, 0, 1], beta=0.5), 4)
0.0351

That is half of binary_cross_entropy, 0.0702. With beta = 0.75 positives weigh three times as much:

>>> value, gradient = losslib.balanced_binary_cross_entropy.value_and_grad(
...     [0.5, 0.5], [1, 0], beta=0.75)
>>> round(value, 4)
0.3466
>>> gradient.round(4)
array([-0.75,  0.25])
""",
    tags=("binary", "multi-label", "probabilities", "imbalance", "convex", "smooth", "proper"),
    entries=("L038",),
    value_range="[0, 50] for beta = 0.5, [0, 100*max(beta, 1 - beta)] else: the logarithms are clamped at -100",
)


binary_focal_loss, BinaryFocalLoss = pointwise(
    "binary_focal_loss",
    "BinaryFocalLoss",
    family="binary",
    summary=(
        "Focal loss on probabilities: cross entropy that gives little weight to elements already classified well."
    ),
    inputs=(PREDICTED_PROBABILITY, LABEL),
    parameters=(ALPHA, GAMMA, LABEL_SMOOTHING),
    kernel=_focal_kernel("BinaryFocal", "alpha", "gamma", "label_smoothing", exponents=("gamma",)),
    formula="k*q**gamma*h",
    definitions={
        **SMOOTHED,
        "k": "where(alpha < 0, 1, alpha*y + (1 - alpha)*(1 - y))",
        "q": "(1 - x)*y + x*(1 - y)",
        "h": CLAMPED,
    },
    keywords={"imbalance": 2},
    symbols={"x": "input", "t": "target"},
    description=(
        "Multiplies the cross entropy by ``(1 - p_t)**gamma``, where ``p_t`` is the probability given to the "
        "right class. An element predicted at 0.9 counts a hundredth of its cross entropy at gamma = 2, one "
        "at 0.1 four fifths. So many easy negatives no longer outweigh the few hard examples. alpha adds a "
        "fixed weight per class.\n\n"
        "The input no longer estimates the probability: at the optimum it is drawn towards 1/2. Ranking and "
        "decisions are fine, calibration is not."
    ),
    notes=(
        "gamma = 0 with alpha = -1 is ``binary_cross_entropy``. Its clamps apply here: the logarithms at "
        "-100, the denominators at 1e-12, and ``1 - p_t`` at 1e-12 inside the derivatives, so gradients stay "
        "finite for 0 < gamma < 1, where the exact derivative is infinite at ``p_t`` = 1. "
        "``label_smoothing`` acts on the target before everything else, as in Keras.\n\n"
        "The loss is convex in the probability; as a function of the logit behind it, it is not."
    ),
    use_when=(
        "negatives outnumber positives by hundreds to one and most of them are easy: detection, "
        "segmentation of small objects, rare events",
        "only probabilities are available; on logits ``sigmoid_focal_loss`` is the better tool",
    ),
    avoid_when=(
        "you need calibrated probabilities: focal training makes predictions under-confident",
        "labels are noisy: hard examples get the most weight, and mislabelled ones are the hardest",
        "the classes are about balanced: plain cross entropy converges faster",
    ),
    pitfalls=(
        "alpha is the weight of the positive class. 0.25, the usual default, turns positives down: it was "
        "tuned together with gamma = 2, which already turns negatives down. For gamma = 0 you would want "
        "alpha above 1/2.",
        "Values are much smaller than cross entropy: the learning rate, and weights of other losses beside "
        "it, have to follow.",
        "Keras leaves alpha out unless ``apply_class_balancing=True``; use ``alpha=-1`` for that.",
    ),
    see_also=(
        ("sigmoid_focal_loss", "the same on logits, accurate in the tails"),
        ("asymmetric_loss", "different exponents for positives and negatives"),
        ("balanced_binary_cross_entropy", "class weights only"),
    ),
    references=(FOCAL,),
    equivalents=(
        Equivalent(
            "keras",
            "BinaryFocalCrossentropy",
            "keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, label_smoothing=0.1)(t, x)",
            {"label_smoothing": 0.1},
            "Target first; clips probabilities to [1e-7, 1 - 1e-7].",
        ),
        Equivalent(
            "keras",
            "BinaryFocalCrossentropy",
            "keras.losses.BinaryFocalCrossentropy(gamma=1.5)(t, x)",
            {"alpha": -1.0, "gamma": 1.5},
            "Without class balancing alpha is not used.",
        ),
    ),
    examples=""">>> round(losslib.binary_focal_loss([0.9, 0.1, 1.0], [1, 0, 1]), 6)
0.000351

By hand, for the first element: 0.25 * 0.1**2 * -log(0.9) = 0.000263.

>>> value, gradient = losslib.binary_focal_loss.value_and_grad([0.5, 0.5], [1, 0])
>>> round(value, 4)
0.0866
>>> gradient.round(4)
array([-0.1491,  0.4474])
""",
    tags=("binary", "multi-label", "probabilities", "imbalance", "smooth", "convex"),
    value_range=(
        "[0, 75] for alpha = 0.25, [0, 100] for alpha = -1, [0, 100*max(alpha, 1 - alpha)] else: the logarithms are "
        "clamped at -100"
    ),
    entries=("L045",),
)


sigmoid_focal_loss, SigmoidFocalLoss = pointwise(
    "sigmoid_focal_loss",
    "SigmoidFocalLoss",
    family="binary",
    aliases=("focal", "focal_loss"),
    summary=("Focal loss on logits: cross entropy that gives little weight to elements already classified well."),
    inputs=(LOGIT, LABEL),
    parameters=(ALPHA, GAMMA),
    kernel=_focal_kernel("SigmoidFocal", "alpha", "gamma", exponents=("gamma",)),
    formula="k*q**gamma*h",
    definitions={
        "k": "where(alpha < 0, 1, alpha*t + (1 - alpha)*(1 - t))",
        "q": "sigmoid(x)*(1 - t) + sigmoid(-x)*t",
        "h": "(1 - t)*softplus(x) + t*softplus(-x)",
    },
    keywords={"imbalance": 1, "bounding boxes": 5},
    symbols={"x": "input", "t": "target"},
    description=(
        "Made for one-stage object detectors, where a picture has a hundred thousand candidate boxes and a "
        "handful of objects. The factor ``(1 - p_t)**gamma`` fades out what is already right, so that the "
        "sum of many easy negatives does not hide the few errors; alpha weights the classes.\n\n"
        "With gamma = 0 and alpha = -1 it is ``binary_cross_entropy_with_logits``. As gamma grows, the "
        "sigmoid of the optimal input is drawn towards 1/2, so it is no longer a calibrated probability."
    ),
    notes=(
        "Everything is computed from ``log(p_t)`` and ``log(1 - p_t)``, so the value and its derivatives are "
        "finite and relatively accurate for logits of any size and for every gamma >= 0, also between 0 and "
        "1 where implementations that take a power of ``1 - p`` lose their gradient.\n\n"
        "For soft targets the factor uses ``p_t`` = ``p*t + (1 - p)*(1 - t)``, torchvision's definition. The "
        "loss is not convex: the Hessian is negative for badly classified elements."
    ),
    use_when=(
        "easy negatives outnumber everything else: dense detection, segmentation of small objects, rare events",
        "reweighting by class alone did not help, because the negatives are not just many but also easy",
    ),
    avoid_when=(
        "you need calibrated probabilities: focal training makes predictions under-confident",
        "labels are noisy: hard examples get the most weight, and mislabelled ones are the hardest",
        "the labels are a multi-label table with very few positives per row: ``asymmetric_loss`` does not "
        "fade out the positives",
    ),
    pitfalls=(
        'The default reduction is ``"mean"`` here and ``"none"`` in torchvision, ``"sum"`` in Paddle. '
        "Detectors divide the sum by the number of positive boxes.",
        "alpha = 0.25 is the weight of the positive class; optax and Segmentation Models leave it out by "
        "default, which is ``alpha=-1`` here.",
        "At the start, p is near 1/2 for all negatives and their sum swamps training: set the last bias to "
        "``log(0.01/0.99)`` or so, as the paper does.",
        "Packages agree for hard labels only; for soft labels each has its own ``p_t``.",
    ),
    see_also=(
        ("binary_focal_loss", "takes probabilities"),
        ("binary_cross_entropy_with_logits", "gamma = 0: no focusing"),
        ("asymmetric_loss", "different exponents for positives and negatives, and a margin for negatives"),
    ),
    references=(FOCAL,),
    equivalents=(
        Equivalent(
            "torchvision",
            "sigmoid_focal_loss",
            "torchvision.ops.sigmoid_focal_loss(x, t)",
            {"reduction": "none"},
        ),
        Equivalent(
            "torchvision",
            "sigmoid_focal_loss",
            "torchvision.ops.sigmoid_focal_loss(x, t, alpha=-1, gamma=1.5, reduction='mean')",
            {"alpha": -1.0, "gamma": 1.5},
        ),
        Equivalent(
            "optax",
            "sigmoid_focal_loss",
            "optax.losses.sigmoid_focal_loss(x, t, alpha=0.25, gamma=2.0)",
            {"reduction": "none"},
            "For hard labels; ``alpha=None`` by default.",
        ),
        Equivalent(
            "keras",
            "BinaryFocalCrossentropy",
            "keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, from_logits=True)(t, x)",
            {},
            "Applies the sigmoid first and clips probabilities to [1e-7, 1 - 1e-7].",
        ),
        Equivalent(
            "paddle",
            "sigmoid_focal_loss",
            "paddle.nn.functional.sigmoid_focal_loss(x, t)",
            {"reduction": "sum"},
            'Its default reduction is ``"sum"``; normalizer divides.',
        ),
        Equivalent(
            "catboost",
            "Focal",
            note="``focal_alpha`` and ``focal_gamma``; clamps p to [1e-13, 1 - 1e-13].",
        ),
    ),
    examples=""">>> losslib.sigmoid_focal_loss([0.0, 0.0], [1, 0], reduction="none").round(4)
array([0.0433, 0.13  ])

By hand, for the first element: 0.25 * 0.5**2 * log(2).

>>> value, gradient = losslib.sigmoid_focal_loss.value_and_grad([0.0, 0.0], [1, 0])
>>> round(value, 4)
0.0866
>>> gradient.round(4)
array([-0.0373,  0.1119])
""",
    tags=("binary", "multi-label", "logits", "imbalance", "smooth"),
    function_order=("alpha", "gamma", "reduction"),
    entries=("L045",),
)


multilabel_soft_margin_loss, MultiLabelSoftMarginLoss = pointwise(
    "multilabel_soft_margin_loss",
    "MultiLabelSoftMarginLoss",
    family="binary",
    aliases=("multi_label_soft_margin_loss",),
    summary="Cross entropy on logits, averaged over the classes of each sample.",
    inputs=(LOGIT, LABEL),
    kernel=lambda values: ("BinaryCrossEntropyLogits", (0.0,)),
    formula="(1 - t)*softplus(x) + t*softplus(-x)",
    keywords={"multilabel": 1},
    symbols={"x": "input", "t": "target"},
    differentiable=("input", "target"),
    averages_last_axis=True,
    description=(
        "One yes/no question per class, averaged over the classes (the last axis) so that there is one "
        "number per sample. weight holds one factor per class. With the default reduction the result is that "
        'of ``binary_cross_entropy_with_logits``; the difference shows with ``"none"``, which has one axis '
        'less, and with ``"sum"``, which adds up samples, not elements.\n\n'
        "The formula is the value of a single class. ``sigmoid(input)`` estimates the probability of each "
        "label."
    ),
    notes=(
        "As for ``binary_cross_entropy_with_logits``, nothing overflows and both tails are accurate. "
        'Gradient and Hessian carry 1/(number of classes) for every reduction, ``"none"`` and ``"sum"`` '
        "included."
    ),
    use_when=(
        "each sample may have several labels and you want a loss per sample, to weight, rank or log it",
        "classes need different weights: weight takes one number per class",
    ),
    avoid_when=(
        "each sample has exactly one class: ``cross_entropy``",
        "positives need another weight than negatives: ``binary_cross_entropy_with_logits`` has ``pos_weight``",
        "labels per sample are very few among thousands: ``asymmetric_loss`` or ``sigmoid_focal_loss``",
    ),
    pitfalls=(
        "The name says margin, but there is none: it is the logistic loss.",
        "The classes are the last axis, not axis 1 as in ``cross_entropy``.",
        'With ``"mean"``, class weights are not normalised: doubling all of them doubles the loss.',
        "Not to be confused with ``multilabel_margin_loss``, a hinge loss whose targets are class indices.",
    ),
    see_also=(
        ("binary_cross_entropy_with_logits", "the same per element, with ``pos_weight`` and label smoothing"),
        ("asymmetric_loss", "for long label lists with few positives"),
    ),
    references=(GOOD,),
    equivalents=(
        Equivalent(
            "torch",
            "multilabel_soft_margin_loss",
            "torch.nn.functional.multilabel_soft_margin_loss(x, t)",
        ),
        Equivalent(
            "torch",
            "MultiLabelSoftMarginLoss",
            "torch.nn.MultiLabelSoftMarginLoss(reduction='sum')(x, t)",
            {"reduction": "sum"},
        ),
        Equivalent(
            "paddle",
            "multi_label_soft_margin_loss",
            "paddle.nn.functional.multi_label_soft_margin_loss(x, t)",
        ),
    ),
    examples=""">>> logits = np.array([[0.0, 0.0], [2.0, -2.0]])
>>> labels = np.array([[1, 0], [1, 0]])
>>> losslib.multilabel_soft_margin_loss(logits, labels, reduction="none").round(4)
array([0.6931, 0.1269])
>>> value, gradient = losslib.multilabel_soft_margin_loss.value_and_grad(logits, labels)
>>> round(value, 4)
0.41
>>> gradient.round(4)
array([[-0.125 ,  0.125 ],
       [-0.0298,  0.0298]])
""",
    tags=("multi-label", "logits", "soft labels", "convex", "smooth", "proper"),
    function_order=("weight", "size_average", "reduce", "reduction"),
    class_order=("weight", "size_average", "reduce", "reduction"),
    entries=("L046",),
)


asymmetric_loss, AsymmetricLoss = pointwise(
    "asymmetric_loss",
    "AsymmetricLoss",
    family="binary",
    aliases=("asl",),
    summary="Multi-label loss on logits that fades out easy negatives but hardly touches positives.",
    inputs=(LOGIT, LABEL),
    parameters=(
        Real(
            "gamma_neg",
            4.0,
            "Focusing exponent of the negatives: the larger, the less easy negatives count.",
            least=0.0,
            examples=(0.0, 1.0, 2.0),
        ),
        Real(
            "gamma_pos",
            1.0,
            "Focusing exponent of the positives; should not exceed ``gamma_neg``.",
            least=0.0,
            examples=(0.0, 2.0),
        ),
        Real(
            "clip",
            0.05,
            "Probability below which a negative costs nothing at all; 0 switches this off.",
            least=0.0,
            below=1.0,
            examples=(0.0, 0.2),
        ),
    ),
    kernel=_focal_kernel("AsymmetricLoss", "gamma_neg", "gamma_pos", "clip", exponents=("gamma_neg", "gamma_pos")),
    formula=(
        "t*softplus(-x)*sigmoid(-x)**gamma_pos"
        " - (1 - t)*log(min(sigmoid(-x) + clip, 1))*max(sigmoid(x) - clip, 0)**gamma_neg"
    ),
    keywords={"imbalance": 6, "multilabel": 2},
    symbols={"x": "input", "t": "target"},
    description=(
        "In a table of many labels each row has a few positives among hundreds of negatives. This loss takes "
        "the focal idea apart: negatives get a large exponent and are faded out fast, positives a small one "
        "and keep their gradient. On top, the probability of negatives is shifted down by clip, so a "
        "negative predicted below clip costs exactly nothing; that also discards negatives that may be "
        "missing labels.\n\n"
        "``gamma_neg`` = ``gamma_pos`` and clip = 0 is the focal loss without alpha; all three 0 is cross "
        "entropy."
    ),
    notes=(
        "Computed from the two sigmoids and softplus terms of one exponential; no epsilon is needed and none "
        "is added. The gradient is that of the whole value, the focusing factors included.\n\n"
        "There is a kink where ``sigmoid(x)`` = clip for ``gamma_neg`` = 0; for larger exponents the loss "
        "joins zero smoothly. The loss is not convex and the Hessian may be negative. A very confident wrong "
        "negative costs at most ``-log(clip)`` when clip > 0, and its gradient then fades: it is taken for a "
        "wrong label."
    ),
    use_when=(
        "multi-label problems with tens to thousands of labels and few positives per sample",
        "annotations are incomplete: some negatives are positives that nobody marked",
    ),
    avoid_when=(
        "classes are balanced: ``binary_cross_entropy_with_logits`` is simpler and calibrated",
        "you need probabilities: the sigmoid of the optimal input is far above the true probability",
        "second-order methods: the Hessian changes its sign",
    ),
    pitfalls=(
        "timm's version returns the plain sum and adds an ``eps`` of 1e-8 in the logarithms; use "
        '``reduction="sum"`` to come close.',
        "Some implementations treat the focusing factor as a constant when differentiating; gradients then "
        "differ from these, values do not.",
        "A threshold of 0.5 is not the right one: choose it on validation data, per class if you can.",
        "For soft labels this is the mixture of both sides; other packages raise to a mixed exponent.",
    ),
    see_also=(
        ("sigmoid_focal_loss", "one exponent for both classes, and a class weight"),
        ("multilabel_soft_margin_loss", "no focusing, one value per sample"),
    ),
    references=(
        Reference(
            "Ridnik, T., Ben-Baruch, E., Zamir, N., Noy, A., Friedman, I., Protter, M. and Zelnik-Manor, L. "
            "(2021). Asymmetric loss for multi-label classification. IEEE/CVF International Conference on "
            "Computer Vision, 82-91.",
            url="https://arxiv.org/abs/2009.14119",
        ),
    ),
    equivalents=(
        Equivalent(
            "torchvision",
            "sigmoid_focal_loss",
            "torchvision.ops.sigmoid_focal_loss(x, t, alpha=-1, gamma=2.0)",
            {"gamma_neg": 2.0, "gamma_pos": 2.0, "clip": 0.0, "reduction": "none"},
            "For hard labels: equal exponents without clip are the focal loss.",
        ),
    ),
    examples=""">>> losslib.asymmetric_loss([0.0, 0.0, -4.0], [1, 0, 0], reduction="none").round(4)
array([0.3466, 0.0245, 0.    ])

The positive costs 0.5*log(2), the negative at p = 0.5 costs -log(0.55)*0.45**4; the one at p = 0.018 lies
below clip.

>>> value, gradient = losslib.asymmetric_loss.value_and_grad([0.0, 0.0, -4.0], [1, 0, 0], reduction="sum")
>>> round(value, 4)
0.3711
>>> gradient.round(4)
array([-0.4233,  0.0731,  0.    ])
""",
    tags=("multi-label", "logits", "imbalance", "asymmetric", "smooth"),
)
