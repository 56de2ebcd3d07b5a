"""Multi-class classification: one number per row of class scores, for a class index or class probabilities.

In the formulas x is the row of inputs, p = softmax(x), C the number of classes and lse(x) = log(sum_c(exp(x_c))). An
index target t is the row t_c = 1 at the class t and 0 elsewhere; x_t, p_t and w_t are the entries at the class t. The
calls of other packages take x of shape (N, C) and class indices t of shape (N,).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib.declaration.schema import NONNEGATIVE, Array, Choice, Equivalent, Input, Integer, Real, Reference
from losslib.declare import declare

__all__ = [
    "CategoricalCrossEntropy",
    "CrossEntropyLoss",
    "GeneralizedCrossEntropy",
    "NLLLoss",
    "Poly1CrossEntropy",
    "SoftmaxFocalLoss",
    "SymmetricCrossEntropy",
    "categorical_cross_entropy",
    "cross_entropy",
    "generalized_cross_entropy",
    "nll_loss",
    "poly1_cross_entropy",
    "softmax_focal_loss",
    "symmetric_cross_entropy",
]

# Inputs and parameters that several losses share.

LOGITS = Input(
    "input",
    "Logits, the scores before a softmax: any real numbers. Classes lie along `axis`: axis 1, or axis 0 where there is "
    "only one, so shapes are (C,), (N, C) or (N, C, d1, ...).",
    holds="row",
)
LOG_PROBABILITIES = Input(
    "input",
    "Log-probabilities of the classes, the result of a log-softmax. Classes lie along `axis`: axis 1, or axis 0 where "
    "there is only one, so shapes are (C,), (N, C) or (N, C, d1, ...).",
    holds="row",
)
PROBABILITIES = Input(
    "input",
    "Probabilities of the classes, or amounts >= 0 that become probabilities when divided by their sum. Classes lie "
    "along `axis`: axis 1, or axis 0 where there is only one.",
    NONNEGATIVE,
    fix="apply a softmax first, or use cross_entropy, which takes logits",
    holds="row",
)
CLASSES = Input("target", "Class indices, integers of the shape of the input without the class axis.", holds="class")
CLASSES_OR_PROBABILITIES = Input(
    "target",
    "Class indices, integers of the shape of the input without the class axis; or class probabilities, floats of the "
    "shape of the input.",
    holds="class",
    or_row=True,
)

WEIGHT = Array(
    "weight",
    None,
    "Weight of each class, of shape (C,). It multiplies the terms of its class in value and derivatives.",
)
IGNORE_INDEX = Integer(
    "ignore_index",
    -100,
    "Rows with this class index count nowhere: their value and gradient are 0 and a mean leaves them out. Any integer, "
    "a valid class too; with class probabilities as target, which have no index, one >= 0 is an error.",
)
AXIS = Integer(
    "axis", 1, "Axis of the classes in the input, negative from the end. An input of one axis is a single row."
)
LABEL_SMOOTHING = Real(
    "label_smoothing",
    0.0,
    "Part of the target that is spread evenly over all C classes: t_c becomes ``t_c*(1 - label_smoothing) + "
    "label_smoothing/C``.",
    least=0.0,
    most=1.0,
    examples=(0.1, 0.3),
)

EMPTY = Choice(
    "empty",
    "nan",
    'What ``"mean"`` gives when every target is ignored: ``"nan"``, 0 divided by 0 as in PyTorch, or ``"zero"``.',
    choices=("nan", "zero"),
)

#: Letters of the formulas: the softmax of the logits, and the target after label smoothing.
PROBABILITIES_OF_LOGITS = {"p": "exp(x_c)/sum_j(exp(x_j))"}
SMOOTHED = {"y": "t_c*(1 - label_smoothing) + label_smoothing/C"}
#: Formula names and the inputs they stand for.
SYMBOLS = {"x": "input", "t": "target"}

GOOD = Reference(
    "Good, I. J. (1952). Rational decisions. Journal of the Royal Statistical Society B, 14(1), 107-114.",
    doi="10.1111/j.2517-6161.1952.tb00104.x",
)
SOFTMAX = Reference(
    "Bridle, J. S. (1990). Probabilistic interpretation of feedforward classification network outputs, with "
    "relationships to statistical pattern recognition. Neurocomputing, NATO ASI Series F 68, 227-236.",
    doi="10.1007/978-3-642-76153-9_28",
)
SMOOTHING = Reference(
    "Szegedy, C., Vanhoucke, V., Ioffe, S., Shlens, J. and Wojna, Z. (2016). Rethinking the Inception architecture for "
    "computer vision. IEEE Conference on Computer Vision and Pattern Recognition, 2818-2826.",
    doi="10.1109/CVPR.2016.308",
)


def _cross_entropy_kernel(values: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    softcap = values["softcap"]
    return ("cross_entropy", ()) if softcap is None else ("capped_cross_entropy", (float(softcap),))


cross_entropy, CrossEntropyLoss = declare(
    "softmax",
    "cross_entropy",
    "CrossEntropyLoss",
    family="multiclass",
    aliases=("ce", "softmax_cross_entropy", "multiclass_logistic_loss", "HalfMultinomialLoss", "multi:softprob"),
    summary="Cross entropy between class labels and the softmax of predicted logits, computed in one stable step.",
    inputs=(LOGITS, CLASSES_OR_PROBABILITIES),
    parameters=(
        WEIGHT,
        IGNORE_INDEX,
        LABEL_SMOOTHING,
        AXIS,
        Real(
            "z_loss",
            0.0,
            "Factor of ``lse(x)**2``, a penalty that keeps the logits from drifting away together; the class weight "
            "does not multiply it. 1e-4 is usual.",
            least=0.0,
            examples=(1e-4, 0.1),
        ),
        Real(
            "softcap",
            None,
            "Bound of the logits: x becomes ``softcap*tanh(x/softcap)`` before everything else. None leaves them "
            "alone.",
            above=0.0,
            optional=True,
            examples=(5.0, 30.0),
        ),
        EMPTY,
    ),
    kernel=_cross_entropy_kernel,
    formula="sum_c(w_c*y_c*(lse(x) - x_c)) + z_loss*lse(x)**2",
    definitions=PROBABILITIES_OF_LOGITS | SMOOTHED,
    gradient={"input": "p_k*sum_c(w_c*y_c) - w_k*y_k + 2*z_loss*lse(x)*p_k"},
    hessian={"input": "p_k*(1 - p_k)*sum_c(w_c*y_c) + 2*z_loss*(p_k**2 + lse(x)*p_k*(1 - p_k))"},
    keywords={"logistic regression": 4, "softmax": 1, "label smoothing": 1},
    symbols={**SYMBOLS, "w": "weight"},
    differentiable=("input", "target"),
    mean_divisor="weight",
    description=(
        "The standard loss when each sample has exactly one of C classes: the negative log-likelihood of the class. It "
        "is a proper score, so ``softmax(input)`` estimates the probabilities of the classes. Targets are class "
        "indices, or class probabilities where labels are uncertain, mixed or come from another model.\n\n"
        "Its gradient is ``softmax(x) - t``: never larger than 1, and 0 only where the prediction equals the target. "
        "In the formula t_c is the target as a row (1 at the class index), w_c the class weight, 1 by default, and "
        "lse(x) the logarithm of the sum of exponentials. With softcap, x is the bounded logit throughout.\n\n"
        '``"mean"`` divides by the sum of the weights of the target classes for indices, and by the number of rows '
        "for probabilities. Both are PyTorch's denominators; ignored rows are not in them."
    ),
    notes=(
        "The largest logit of each row is subtracted before the exponentials, so nothing overflows and log-"
        "probabilities are accurate where the probability itself has underflowed. A term whose target is exactly 0 is "
        "left out: a logit of -inf for a class that cannot occur is harmless, where 0*inf would give NaN. If the "
        "target class itself has the logit -inf, the value is inf.\n\n"
        "The Hessian is the diagonal, ``p_k*(1 - p_k)`` times the sum of ``w_c`` over the smoothed target, without the "
        "cross terms ``-p_j*p_k``; softcap and ``z_loss`` enter it by the chain rule. The derivative for a target of "
        "probabilities is ``w_c*(1 - label_smoothing)*(lse(x) - x_c)``; indices have none.\n\n"
        "Probabilities in the target must lie in [0, 1] and are taken as they are; nothing checks that they sum to 1."
    ),
    use_when=(
        "each sample belongs to exactly one class and the model ends in a linear layer: this is the default choice",
        "pixels or tokens are classified: an axis of classes, any number of other axes, and ``ignore_index`` for "
        "padding",
        "targets are soft, from mixing samples, several annotators or a teacher: pass probabilities",
        "training in low precision diverges late: a small ``z_loss`` or a softcap keeps the logits in range",
    ),
    avoid_when=(
        "a sample may have several labels: classes compete in a softmax; use ``binary_cross_entropy_with_logits``",
        "many labels are wrong: the loss of a confident contradiction is unbounded; ``generalized_cross_entropy`` and "
        "``bi_tempered_logistic_loss`` are bounded",
        "easy samples outnumber the others a thousand to one: ``softmax_focal_loss`` fades them out",
        "classes are ordered or have distances: cross entropy treats every wrong class alike",
    ),
    pitfalls=(
        "Do not put a softmax before it. There is no error, since probabilities are legal logits; learning is just "
        "slow, and for C classes the loss cannot fall below log(e + C - 1) - 1.",
        "Classes are axis 1, also for (N, C, d1, ...); Keras, optax, JAX and Paddle put them last: axis=-1.",
        'With ``weight``, ``"mean"`` divides by the sum of the weights of the targets, not by the number of rows, and '
        "means of batches of different composition do not average to the mean of all. For probabilities as target it "
        "divides by the number of rows.",
        "If every target is ignored the mean is NaN, as in PyTorch, and one such batch spoils a model: set empty.",
        "Integer targets of the shape of the input are an error: one-hot rows must be floats.",
        "Label smoothing spreads over all C classes as in PyTorch and Keras; Megatron spreads over the C - 1 wrong "
        "ones.",
        "XGBoost and LightGBM multiply the diagonal Hessian, by 2 and by C/(C - 1).",
    ),
    see_also=(
        ("nll_loss", "takes log-probabilities"),
        ("categorical_cross_entropy", "takes probabilities"),
        ("binary_cross_entropy_with_logits", "one yes/no question per class"),
        ("softmax_focal_loss", "gives little weight to rows that are already right"),
        ("distillation_loss", "for a teacher's logits as target, with a temperature"),
    ),
    references=(
        GOOD,
        SOFTMAX,
        SMOOTHING,
        Reference(
            "Chowdhery, A., Narang, S., Devlin, J. et al. (2023). PaLM: scaling language modeling with pathways. "
            "Journal of Machine Learning Research, 24(240), 1-113. (For the z-loss.)",
            url="https://arxiv.org/abs/2204.02311",
        ),
    ),
    equivalents=(
        Equivalent("torch", "cross_entropy", "torch.nn.functional.cross_entropy(x, t)"),
        Equivalent(
            "torch",
            "CrossEntropyLoss",
            "torch.nn.CrossEntropyLoss(label_smoothing=0.1, reduction='sum')(x, t)",
            {"label_smoothing": 0.1, "reduction": "sum"},
        ),
        Equivalent(
            "keras",
            "SparseCategoricalCrossentropy",
            "keras.losses.SparseCategoricalCrossentropy(from_logits=True)(t, x)",
            {},
            "Target first; classes on the last axis.",
        ),
        Equivalent(
            "keras",
            "CategoricalCrossentropy",
            "keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)"
            "(keras.ops.one_hot(t, x.shape[1]), x)",
            {"label_smoothing": 0.1},
            "Target first, as probabilities; classes on the last axis.",
        ),
        Equivalent(
            "optax",
            "softmax_cross_entropy_with_integer_labels",
            "optax.losses.softmax_cross_entropy_with_integer_labels(x, t)",
            {"reduction": "none"},
            "Classes on the last axis.",
        ),
        Equivalent(
            "optax",
            "safe_softmax_cross_entropy",
            "optax.losses.safe_softmax_cross_entropy(x, jax.nn.one_hot(t, x.shape[1]))",
            {"reduction": "none"},
            "Takes probabilities; classes of target 0 may have the logit -inf, as here.",
        ),
        Equivalent(
            "tensorflow",
            "sparse_softmax_cross_entropy_with_logits",
            "tensorflow.nn.sparse_softmax_cross_entropy_with_logits(labels=t, logits=x)",
            {"reduction": "none"},
            "Classes on the last axis.",
        ),
        Equivalent(
            "paddle",
            "cross_entropy",
            "paddle.nn.functional.cross_entropy(x, t)",
            {"empty": "zero"},
            "Classes on the last axis; if every target is ignored the mean is 0. With ``soft_label=True`` and weights "
            "it divides by the sum of weights.",
        ),
        Equivalent(
            "sklearn",
            "log_loss",
            "sklearn.metrics.log_loss(t, scipy.special.softmax(x, axis=1), labels=range(x.shape[1]))",
            {},
            "Target first; takes probabilities. The private HalfMultinomialLoss takes logits and has the same "
            "gradient and diagonal Hessian.",
        ),
        Equivalent(
            "xgboost",
            "multi:softprob",
            note="The same gradient; the Hessian is 2*p*(1 - p), floored at 1e-16.",
        ),
        Equivalent("lightgbm", "multiclass", note="The same gradient; the Hessian is C/(C - 1)*p*(1 - p)."),
        Equivalent("catboost", "MultiClass", note="The same value; leaves use the full Hessian of a row."),
    ),
    examples=""">>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
>>> losslib.cross_entropy(logits, [0, 2], reduction="none").round(4)
array([0.2395, 1.0986])

The second row knows nothing and costs log(3). The gradient is softmax(x) - t, here divided by two rows:

>>> value, gradient = losslib.cross_entropy.value_and_grad(logits, [0, 2])
>>> round(value, 4)
0.6691
>>> gradient.round(4)
array([[-0.1065,  0.0533,  0.0533],
       [ 0.1667,  0.1667, -0.3333]])

With class weights the mean divides by the weights of the targets, 1 + 3; ignored targets count nowhere:

>>> round(losslib.cross_entropy(logits, [0, 2], weight=[1.0, 1.0, 3.0]), 4)
0.8838
>>> round(losslib.cross_entropy(logits, [0, -100], label_smoothing=0.1), 4)
0.3729
""",
    tags=("multi-class", "logits", "soft labels", "convex", "smooth", "proper"),
    function_order=("weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing"),
    class_order=("weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing"),
    entries=("L051", "L052", "L053", "L054", "L058"),
    value_range="[0, inf]",
)


nll_loss, NLLLoss = declare(
    "softmax",
    "nll_loss",
    "NLLLoss",
    family="multiclass",
    aliases=("nll", "NLLLoss2d", "negative_log_likelihood"),
    summary="Negative log-likelihood of the target class, from predicted log-probabilities.",
    inputs=(LOG_PROBABILITIES, CLASSES),
    parameters=(WEIGHT, IGNORE_INDEX, AXIS),
    kernel="nll",
    formula="-w_t*x_t",
    gradient={"input": "-w_k*t_k"},
    hessian={"input": "0"},
    keywords={"softmax": 3},
    symbols={**SYMBOLS, "w": "weight"},
    mean_divisor="weight",
    value_range="[0, inf] for log-probabilities; any real number for other inputs",
    description=(
        "Picks the log-probability of the target class, changes its sign and multiplies by the weight of the class. "
        "After a log-softmax this is the cross entropy. Use it where log-probabilities are what you have: a mixture "
        "of experts, an average of models in log space, a log-softmax that other parts of the model read as well.\n\n"
        '``"mean"`` divides by the sum of the weights of the target classes, which is the number of rows without '
        "``weight``; ignored rows are not in it."
    ),
    notes=(
        "Nothing is computed but a product: the gradient is ``-w_t`` at the target class and 0 elsewhere, the Hessian "
        "is 0. All curvature sits in the log-softmax before it. The input may be -inf at classes that are not the "
        "target. If every target is ignored the mean is NaN, as in PyTorch, and the sum 0."
    ),
    use_when=(
        "the model puts out log-probabilities that are not a plain log-softmax of logits, such as a log-mixture",
        "the log-softmax is needed anyway and should not be computed twice",
    ),
    avoid_when=(
        "the model puts out logits: ``cross_entropy`` does both steps in one pass and needs less memory",
        "targets are soft: this loss takes indices only; ``cross_entropy`` or ``kl_div``",
        "a booster asks for Hessians: they are 0 here; take those of ``cross_entropy``",
    ),
    pitfalls=(
        "The name promises a logarithm, but none is taken: probabilities or logits as input give no error, only "
        "values without meaning; negative losses are the sign of it.",
        "The gradient for the input knows nothing of the normalisation: a step along it alone raises the target's "
        "entry without limit.",
        "``weight`` changes the denominator of the mean, as in ``cross_entropy``.",
        "Classes are axis 1, also with more axes: (N, C, d1, ...); NLLLoss2d is an old name of the same.",
    ),
    see_also=(
        ("cross_entropy", "takes logits, class probabilities and label smoothing"),
        ("categorical_cross_entropy", "takes probabilities and takes the logarithm itself"),
        ("kl_div", "log-probabilities against a whole distribution"),
    ),
    references=(GOOD,),
    equivalents=(
        Equivalent("torch", "nll_loss", "torch.nn.functional.nll_loss(x, t)"),
        Equivalent("torch", "NLLLoss", "torch.nn.NLLLoss(ignore_index=1)(x, t)", {"ignore_index": 1}),
        Equivalent(
            "paddle",
            "nll_loss",
            "paddle.nn.functional.nll_loss(x, t)",
            {},
            "If every target is ignored the mean is 0.",
        ),
    ),
    examples=""">>> log_p = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
>>> losslib.nll_loss(log_p, [0, 1], reduction="none").round(4)
array([0.6931, 2.3026])
>>> value, gradient = losslib.nll_loss.value_and_grad(log_p, [0, 1])
>>> round(value, 4)
1.4979
>>> gradient
array([[-0.5,  0. ,  0. ],
       [ 0. , -0.5,  0. ]])

With weights the mean divides by those of the targets, 1 + 3:

>>> round(losslib.nll_loss(log_p, [0, 1], weight=[1.0, 3.0, 1.0]), 4)
1.9002
""",
    tags=("multi-class", "log-probabilities", "convex"),
    function_order=("weight", "size_average", "ignore_index", "reduce", "reduction"),
    class_order=("weight", "size_average", "ignore_index", "reduce", "reduction"),
    entries=("L050",),
)


categorical_cross_entropy, CategoricalCrossEntropy = declare(
    "softmax",
    "categorical_cross_entropy",
    "CategoricalCrossEntropy",
    family="multiclass",
    aliases=("cce", "categorical_crossentropy"),
    summary="Cross entropy between class labels and predicted class probabilities.",
    inputs=(PROBABILITIES, CLASSES_OR_PROBABILITIES),
    parameters=(WEIGHT, LABEL_SMOOTHING, IGNORE_INDEX, AXIS),
    kernel=lambda values: ("categorical_cross_entropy", ()),
    formula="-sum_c(w_c*y_c*log(min(max(x_c/s, 1e-7), 1 - 1e-7)))",
    definitions=SMOOTHED | {"s": "sum_c(x_c)"},
    gradient={"input": "sum_c(w_c*y_c)/s - w_k*y_k/x_k"},
    keywords={"softmax": 2},
    symbols={**SYMBOLS, "w": "weight"},
    differentiable=("input", "target"),
    has_hessian=False,
    description=(
        "The cross entropy of probabilities, in Keras' convention: the row is divided by its sum, clipped to [1e-7, 1 "
        "- 1e-7], and the logarithm taken. Use it to score or train on what already is a probability: an ensemble, a "
        "calibrated score, a probability tree.\n\n"
        "Targets are class indices or class probabilities; w_c is the class weight, 1 by default. "
        '``"mean"`` divides by the number of rows that are not ignored, also when ``weight`` is given.'
    ),
    notes=(
        "The clip bounds the loss of a row: a certain and wrong prediction costs -log(1e-7) = 16.1, and a certain and "
        "right one 1e-7, not 0. Where the clip acts, the gradient of that term is 0. Elsewhere it is ``(W - "
        "w_k*t_k/p_k)/sum_c(x_c)``, where W is the sum of ``w_c*t_c`` over the terms that are not clipped, so moving "
        "a row along itself changes nothing. A row of zeros gives NaN.\n\n"
        "The clip is computed in float64 for every dtype, so that the smallest loss is 1e-7."
    ),
    use_when=(
        "predictions are class probabilities and no logits exist",
        "results of Keras models with a softmax layer must be reproduced",
        "rows are amounts that need normalising, such as votes: they are divided by their sum",
    ),
    avoid_when=(
        "the model puts out logits: ``cross_entropy`` has no clips, and its gradient does not vanish for certain and "
        "wrong predictions",
        "forecasts are scored and an impossible event must cost infinitely much: ``nll_loss`` of the logarithms does "
        "not clip",
        "a second-order method needs Hessians: only ``cross_entropy`` has them",
    ),
    pitfalls=(
        "Logits as input: negative ones are a DomainError, positive ones are silently taken for amounts.",
        "Keras takes the target first and puts the classes last (axis=-1).",
        "scikit-learn's ``log_loss`` clips to the epsilon of the dtype instead: values differ for certain predictions.",
        "Because the row is renormalised, the gradient is not -t/p: it also pushes the other entries down.",
        'With ``weight``, ``"mean"`` divides by the number of rows, while ``cross_entropy`` divides by the weights of '
        "the targets. Keras has no class weights in the loss; those given to ``fit`` are sample weights.",
    ),
    see_also=(
        ("cross_entropy", "takes logits: accurate in both tails, the one to train with"),
        ("nll_loss", "takes log-probabilities, without normalising and clipping"),
        ("binary_cross_entropy", "one probability for each yes/no question"),
    ),
    references=(GOOD, SMOOTHING),
    equivalents=(
        Equivalent(
            "keras",
            "CategoricalCrossentropy",
            "keras.losses.CategoricalCrossentropy(label_smoothing=0.1)(keras.ops.one_hot(t, x.shape[1]), x)",
            {"label_smoothing": 0.1},
            "Target first, as probabilities; classes on the last axis.",
        ),
        Equivalent(
            "keras",
            "SparseCategoricalCrossentropy",
            "keras.losses.SparseCategoricalCrossentropy()(t, x)",
            {},
            "Target first; classes on the last axis.",
        ),
        Equivalent(
            "sklearn",
            "log_loss",
            "sklearn.metrics.log_loss(t, x / x.sum(axis=1, keepdims=True), labels=range(x.shape[1]))",
            {},
            "Target first; clips to the epsilon of the dtype.",
        ),
        Equivalent(
            "paddle",
            "cross_entropy",
            note="With ``use_softmax=False`` it takes probabilities, without renormalising.",
        ),
    ),
    examples=""">>> p = np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]])
>>> losslib.categorical_cross_entropy(p, [0, 1], reduction="none").round(4)
array([ 0.6931, 16.1181])

The second row is certain and wrong; the clip keeps its loss finite. Rows are divided by their sum first:

>>> value, gradient = losslib.categorical_cross_entropy.value_and_grad([[2.0, 1.0, 1.0]], [0])
>>> round(value, 4)
0.6931
>>> gradient
array([[-0.25,  0.25,  0.25]])
""",
    tags=("multi-class", "probabilities", "soft labels", "proper"),
    value_range="[1e-7, 16.1181] for probabilities clipped to [1e-7, 1 - 1e-7], without weight",
    entries=("L051", "L052"),
)


softmax_focal_loss, SoftmaxFocalLoss = declare(
    "softmax",
    "softmax_focal_loss",
    "SoftmaxFocalLoss",
    family="multiclass",
    aliases=("multiclass_focal_loss",),
    summary="Cross entropy on logits that gives little weight to rows whose class is already predicted well.",
    inputs=(LOGITS, CLASSES_OR_PROBABILITIES),
    parameters=(
        Real(
            "gamma",
            2.0,
            "Focusing exponent: the larger, the less well-classified rows count; 0 is plain cross entropy.",
            least=0.0,
            examples=(0.0, 0.5, 1.0, 5.0),
        ),
        Array(
            "alpha",
            None,
            "Weight of the classes: one number for all, or one for each, of shape (C,). None is 1.",
            least=0.0,
        ),
        LABEL_SMOOTHING,
        IGNORE_INDEX,
        AXIS,
    ),
    kernel=lambda values: ("focal", (float(values["gamma"]),)),
    formula="sum_c(alpha_c*y_c*(1 - p_c)**gamma*(lse(x) - x_c))",
    definitions=PROBABILITIES_OF_LOGITS | SMOOTHED,
    gradient={
        "input": (
            "sum_c(alpha_c*y_c*((1 - p_c)**gamma - gamma*p_c*(1 - p_c)**(gamma - 1)*log(p_c))"
            "*(p_k - where(c == k, 1, 0)))"
        )
    },
    keywords={"imbalance": 3},
    symbols=SYMBOLS,
    has_hessian=False,
    description=(
        "Cross entropy times ``(1 - p)**gamma``, where p is the probability given to the class: with gamma = 2 a row "
        "predicted at 0.9 counts a hundredth, one at 0.5 a quarter. Where nearly all rows are easy, such as "
        "background pixels or boxes, the few hard ones then decide the gradient.\n\n"
        "The focusing lowers the pressure on right answers, so the probabilities of the softmax are less extreme than "
        "the true ones for gamma > 0. A moderate gamma can thereby correct a network that is too sure of itself. In "
        "the formula ``p = softmax(x)`` and alpha_c is the weight of the class, 1 by default. "
        '``"mean"`` divides by the number of rows that are not ignored, whatever alpha is.'
    ),
    notes=(
        "``1 - p`` comes from the log-probability by expm1, so the value of nearly certain rows keeps its relative "
        "accuracy. Gradients include the derivative of the focusing factor. For 0 < gamma < 1 the factor has an "
        "infinite slope at p = 1, but its product with the logarithm does not: the gradient tends to 0.\n\n"
        "The loss is not convex in the logits for gamma > 0; no Hessian is offered."
    ),
    use_when=(
        "one class, usually background, makes up nearly all rows and resampling is not possible",
        "hard rows should get the gradient: gamma from 1 to 3, alpha for the frequencies of the classes",
        "the model is overconfident and cannot be calibrated afterwards",
    ),
    avoid_when=(
        "labels are noisy: wrong labels are the hardest rows, and this loss looks at them most; "
        "``generalized_cross_entropy`` looks away",
        "calibrated probabilities are needed as they come out: use ``cross_entropy``",
        "classes are only moderately imbalanced: ``cross_entropy`` with ``weight`` is simpler to tune",
        "labels are not exclusive: ``sigmoid_focal_loss``",
    ),
    pitfalls=(
        "alpha means different things: here and in Keras a number multiplies every class, so it only scales the loss; "
        "in MONAI a number a is [1 - a, a, a, ...] with background first; in ``sigmoid_focal_loss`` it splits "
        "positives and negatives.",
        "Keras' default is alpha = 0.25, here it is None (1): a fourfold difference.",
        "Detection code divides by the number of foreground rows, not by all rows: take the sum and divide.",
        "For soft targets each class is focused by its own probability (Keras, MONAI); other code takes one factor "
        "from the mixture.",
    ),
    see_also=(
        ("sigmoid_focal_loss", "one yes/no question per class"),
        ("cross_entropy", "gamma = 0, with class weights in the denominator of the mean"),
        ("poly1_cross_entropy", "with a positive epsilon, nearly the opposite: more weight on rows already right"),
        ("asymmetric_loss", "multi-label, with one exponent for each side"),
    ),
    references=(
        Reference(
            "Lin, T.-Y., Goyal, P., Girshick, R., He, K. and Dollár, P. (2017). Focal loss for dense object detection. "
            "IEEE International Conference on Computer Vision, 2999-3007.",
            doi="10.1109/ICCV.2017.324",
        ),
        Reference(
            "Mukhoti, J., Kulharia, V., Sanyal, A., Golodetz, S., Torr, P. and Dokania, P. (2020). Calibrating deep "
            "neural networks using focal loss. Advances in Neural Information Processing Systems, 33.",
            url="https://arxiv.org/abs/2002.09437",
        ),
    ),
    equivalents=(
        Equivalent(
            "keras",
            "CategoricalFocalCrossentropy",
            "keras.losses.CategoricalFocalCrossentropy(alpha=0.25, gamma=2.0, from_logits=True)"
            "(keras.ops.one_hot(t, x.shape[1]), x)",
            {"alpha": 0.25},
            "Target first, as probabilities; classes on the last axis; clips probabilities to [1e-7, 1 - 1e-7].",
        ),
        Equivalent("torch", "cross_entropy", "torch.nn.functional.cross_entropy(x, t)", {"gamma": 0.0}),
    ),
    examples=""">>> logits = np.log([[0.5, 0.25, 0.25], [0.9, 0.05, 0.05]])
>>> losslib.softmax_focal_loss(logits, [0, 0], reduction="none").round(4)
array([0.1733, 0.0011])

By hand: 0.5**2 * log(2) and 0.1**2 * -log(0.9).

>>> value, gradient = losslib.softmax_focal_loss.value_and_grad(logits, [0, 0], gamma=1.0)
>>> round(value, 4)
0.1786
>>> gradient.round(4)
array([[-0.2116,  0.1058,  0.1058],
       [-0.0097,  0.0049,  0.0049]])
""",
    tags=("multi-class", "logits", "soft labels", "imbalance", "smooth"),
    entries=("L060",),
    value_range="[0, inf]",
)


poly1_cross_entropy, Poly1CrossEntropy = declare(
    "softmax",
    "poly1_cross_entropy",
    "Poly1CrossEntropy",
    family="multiclass",
    aliases=("poly1", "poly1_loss", "poly_loss"),
    summary="Cross entropy plus epsilon times the probability that is missing at the target class.",
    inputs=(LOGITS, CLASSES_OR_PROBABILITIES),
    parameters=(
        Real(
            "epsilon",
            1.0,
            "Coefficient added to the first term of the expansion of cross entropy in ``1 - p``. Positive values press "
            "harder on right answers, negative ones down to -1 less; 0 is cross entropy.",
            examples=(-1.0, 0.0, 2.0),
        ),
        IGNORE_INDEX,
        AXIS,
    ),
    kernel="poly1",
    formula="sum_c(t_c*(lse(x) - x_c)) + epsilon*sum_c(t_c*(1 - p_c))",
    definitions=PROBABILITIES_OF_LOGITS,
    gradient={"input": "p_k - t_k + epsilon*p_k*(sum_c(t_c*p_c) - t_k)"},
    symbols=SYMBOLS,
    has_hessian=False,
    value_range="[0, inf] for epsilon >= -1",
    description=(
        "Cross entropy is the series ``(1 - p) + (1 - p)**2/2 + (1 - p)**3/3 + ...`` in the probability p of the "
        "target class. This loss changes the coefficient of its first term to 1 + epsilon, the one that matters most "
        "when rows are already nearly right. One number is then tuned instead of the shape of a whole loss.\n\n"
        "With epsilon > 0 the model is driven to more certain predictions, with epsilon < 0 to less certain ones; the "
        'softmax estimates the probabilities of the classes only for epsilon = 0. ``p = softmax(x)``; ``"mean"`` '
        "divides by the number of rows that are not ignored."
    ),
    notes=(
        "``1 - p`` comes from the log-probability by expm1, so nearly certain rows keep their relative accuracy. For "
        "an index the gradient is ``(1 + epsilon*p_t)*(softmax(x) - t)``: never larger than 1 + epsilon for a "
        "positive one. For epsilon < -1 the gradient points the wrong way on right answers. The added term is not "
        "convex."
    ),
    use_when=(
        "a classifier trained with cross entropy is good and should get a little better: try epsilon from 1 to 4",
        "predictions stay too uncertain on imbalanced data: positive epsilon raises them",
    ),
    avoid_when=(
        "probabilities must be calibrated: ``cross_entropy``",
        "labels are noisy: the unbounded logarithm is still there; ``generalized_cross_entropy`` is bounded",
        "nothing is tuned: without a search for epsilon there is no reason to leave ``cross_entropy``",
    ),
    pitfalls=(
        "optax' default is epsilon = 2, here it is 1: pass it in both.",
        "epsilon = 1 doubles the first coefficient: the total is 1 + epsilon.",
        "The value is not a cross entropy: compare models by losses with the same epsilon only.",
    ),
    see_also=(
        ("cross_entropy", "epsilon = 0, with weights and label smoothing"),
        ("softmax_focal_loss", "changes all coefficients: less pressure on right answers"),
        ("generalized_cross_entropy", "cuts the series' tail: bounded"),
    ),
    references=(
        Reference(
            "Leng, Z., Tan, M., Liu, C., Cubuk, E. D., Shi, X., Cheng, S. and Anguelov, D. (2022). PolyLoss: a "
            "polynomial expansion perspective of classification loss functions. International Conference on Learning "
            "Representations.",
            url="https://arxiv.org/abs/2204.12511",
        ),
    ),
    equivalents=(
        Equivalent(
            "optax",
            "poly_loss_cross_entropy",
            "optax.losses.poly_loss_cross_entropy(x, jax.nn.one_hot(t, x.shape[1]), epsilon=2.0)",
            {"epsilon": 2.0, "reduction": "none"},
            "Takes probabilities; classes on the last axis.",
        ),
        Equivalent("torch", "cross_entropy", "torch.nn.functional.cross_entropy(x, t)", {"epsilon": 0.0}),
    ),
    examples=""">>> logits = np.log([[0.5, 0.25, 0.25]])
>>> round(losslib.poly1_cross_entropy(logits, [0]), 4)
1.1931

By hand: log(2) + 1 - 0.5. The gradient is 1 + 0.5 times that of cross entropy:

>>> value, gradient = losslib.poly1_cross_entropy.value_and_grad(logits, [0])
>>> gradient.round(4)
array([[-0.75 ,  0.375,  0.375]])
""",
    tags=("multi-class", "logits", "soft labels", "smooth"),
    entries=("L062",),
)


generalized_cross_entropy, GeneralizedCrossEntropy = declare(
    "softmax",
    "generalized_cross_entropy",
    "GeneralizedCrossEntropy",
    family="multiclass",
    aliases=("gce", "lq_cross_entropy"),
    summary="Bounded loss on logits between cross entropy and mean absolute error, for labels with mistakes.",
    inputs=(LOGITS, CLASSES_OR_PROBABILITIES),
    parameters=(
        Real(
            "q",
            0.7,
            "Exponent: towards 0 the loss becomes cross entropy, at 1 it is 1 - p, half the absolute error. Larger "
            "values are more robust and harder to train.",
            above=0.0,
            most=1.0,
            examples=(0.1, 0.4, 1.0),
        ),
        IGNORE_INDEX,
        AXIS,
    ),
    kernel="generalized",
    formula="sum_c(t_c*(1 - p_c**q)/q)",
    definitions=PROBABILITIES_OF_LOGITS,
    gradient={"input": "p_k*sum_c(t_c*p_c**q) - t_k*p_k**q"},
    keywords={"noisy labels": 1},
    symbols=SYMBOLS,
    has_hessian=False,
    value_range="[0, 1/q]",
    description=(
        "Replaces the logarithm of cross entropy by a Box-Cox power, ``(1 - p**q)/q``, where p is the probability of "
        "the target class. A label that the model strongly contradicts costs at most 1/q, and its gradient fades: it "
        "is probably wrong. At q = 1 the loss is symmetric over the classes, which makes its minimiser immune to "
        "evenly spread label noise; cross entropy, at q = 0, learns fastest. q in between trades the two.\n\n"
        "``p = softmax(x)`` is computed inside. The softmax of the optimum is not the true probability but one drawn "
        "towards the most frequent class: take the decision from it, not the odds. "
        '``"mean"`` divides by the number of rows that are not ignored.'
    ),
    notes=(
        "Computed as ``-expm1(q*log(p))/q`` from the log-probability, accurate for p near 1 and for small q. For an "
        "index the gradient is ``p_t**q*(softmax(x) - t)``: never larger than 1, and near 0 for rows that are badly "
        "wrong, where it underflows to 0 with p**q. There is no clip, and none is needed on logits. The loss is not "
        "convex."
    ),
    use_when=(
        "labels contain mistakes, from crowds, web search or rules, and cannot be cleaned",
        "a model fits training labels too far: loss on clean data rises while training loss falls",
    ),
    avoid_when=(
        "labels are clean: ``cross_entropy`` trains faster and gives calibrated probabilities",
        "there are hundreds of classes and training starts from nothing: p is tiny and so is the gradient, ``p**q`` of "
        "cross entropy's; use a small q or warm up with ``cross_entropy``",
        "rare, hard classes matter: robustness gives up on what is hard, mistake or not",
    ),
    pitfalls=(
        "Keras takes probabilities and its default is q = 0.5; here the input is logits and q = 0.7, the paper's.",
        "On probabilities the gradient is infinite at p = 0; on logits it is 0 there. Both are right: the softmax lies "
        "between.",
        "The value is bounded: 1/q on a row means certain and wrong, not divergence.",
        "``lq_loss`` is something else: a power of the regression error.",
    ),
    see_also=(
        ("symmetric_cross_entropy", "adds a bounded term to cross entropy instead of bending it"),
        ("bi_tempered_logistic_loss", "bends the logarithm and the softmax"),
        ("cross_entropy", "the limit of q to 0"),
    ),
    references=(
        Reference(
            "Zhang, Z. and Sabuncu, M. R. (2018). Generalized cross entropy loss for training deep neural networks "
            "with noisy labels. Advances in Neural Information Processing Systems, 31.",
            url="https://arxiv.org/abs/1805.07836",
        ),
    ),
    equivalents=(
        Equivalent(
            "keras",
            "CategoricalGeneralizedCrossEntropy",
            "keras.losses.CategoricalGeneralizedCrossEntropy(q=0.7)(t, keras.ops.softmax(x))",
            {},
            "Target first; takes probabilities; classes on the last axis.",
        ),
    ),
    examples=""">>> logits = np.log([[0.25, 0.5, 0.25], [1e-9, 1.0, 1.0]])
>>> losslib.generalized_cross_entropy(logits, [0, 0], q=0.5, reduction="none").round(4)
array([1., 2.])

By hand, for the first row: (1 - sqrt(0.25))/0.5. The second row is all but certain and wrong: its loss is nearly 1/q,
its gradient nearly 0.

>>> value, gradient = losslib.generalized_cross_entropy.value_and_grad(logits, [0, 0], q=0.5, reduction="sum")
>>> round(value, 4)
3.0
>>> gradient.round(4)
array([[-0.375,  0.25 ,  0.125],
       [-0.   ,  0.   ,  0.   ]])
""",
    tags=("multi-class", "logits", "soft labels", "robust", "bounded", "smooth"),
    entries=("L061",),
)


symmetric_cross_entropy, SymmetricCrossEntropy = declare(
    "softmax",
    "symmetric_cross_entropy",
    "SymmetricCrossEntropy",
    family="multiclass",
    aliases=("sce", "SCELoss", "symmetric_learning"),
    summary="Cross entropy plus the cross entropy with target and prediction exchanged, for labels with mistakes.",
    inputs=(LOGITS, CLASSES_OR_PROBABILITIES),
    parameters=(
        Real(
            "alpha",
            0.1,
            "Factor of the cross entropy: large values learn fast and fit wrong labels too.",
            least=0.0,
            examples=(0.0, 1.0, 6.0),
        ),
        Real(
            "beta",
            1.0,
            "Factor of the reverse cross entropy, the robust part.",
            least=0.0,
            examples=(0.0, 0.1, 5.0),
        ),
        IGNORE_INDEX,
        AXIS,
    ),
    kernel="symmetric",
    formula="alpha*sum_c(t_c*(lse(x) - x_c)) - beta*sum_c(p_c*max(log(t_c), -4))",
    definitions=PROBABILITIES_OF_LOGITS,
    gradient={"input": "alpha*(p_k - t_k) + beta*p_k*(sum_c(p_c*max(log(t_c), -4)) - max(log(t_k), -4))"},
    keywords={"noisy labels": 2},
    symbols=SYMBOLS,
    has_hessian=False,
    description=(
        "Adds to ``alpha`` times the cross entropy ``beta`` times the reverse cross entropy ``-sum_c(p_c*log(t_c))``, "
        "in which the prediction ``p = softmax(x)`` plays the part of the truth. The logarithm of 0 is set to -4, so "
        "for a class index the reverse part is ``4*(1 - p_t)``: bounded, and tolerant of labels that are wrong. The "
        "cross entropy keeps the gradient alive where a bounded loss alone would hardly learn hard classes.\n\n"
        "The defaults are those published for CIFAR-10; with many classes or little noise take a larger alpha, such "
        'as 6, and a smaller beta, such as 0.1. ``"mean"`` divides by the number of rows that are not ignored.'
    ),
    notes=(
        "For an index the gradient is ``(alpha + 4*beta*p_t)*(softmax(x) - t)``. ``1 - p_t`` comes from the log-"
        "probability by expm1. Targets of probabilities below exp(-4) = 0.018 count as exp(-4) in the reverse part; "
        "the minimum over x is then above 0, since the entropy of the target remains. The reverse part is not convex."
    ),
    use_when=(
        "many labels are wrong and hard classes must still be learnt",
        "``generalized_cross_entropy`` learns too slowly: here alpha sets a floor for the gradient",
    ),
    avoid_when=(
        "labels are clean: ``cross_entropy`` has nothing to tune and is calibrated",
        "a hard bound on the loss of a row is needed: alpha > 0 leaves the unbounded logarithm in",
        "targets are truly soft: the reverse part pulls all probability to the most likely class instead of matching",
    ),
    pitfalls=(
        "The constant -4 for log 0 is part of the loss. Code in circulation clips one-hot targets at 1e-4 instead, "
        "which is -9.2: their beta is 4/9.2 of this one.",
        "alpha and beta also set the size of the loss and with it the learning rate.",
        "Other packages call alpha*KL + beta*reverse KL symmetric; entropies of the target are not subtracted here.",
    ),
    see_also=(
        ("generalized_cross_entropy", "one bounded loss with one parameter"),
        ("bi_tempered_logistic_loss", "bounded, with a heavy-tailed softmax"),
        ("js_div", "a symmetric divergence between two predicted distributions"),
    ),
    references=(
        Reference(
            "Wang, Y., Ma, X., Chen, Z., Luo, Y., Yi, J. and Bailey, J. (2019). Symmetric cross entropy for robust "
            "learning with noisy labels. IEEE/CVF International Conference on Computer Vision, 322-330.",
            doi="10.1109/ICCV.2019.00041",
        ),
    ),
    equivalents=(
        Equivalent("torch", "cross_entropy", "torch.nn.functional.cross_entropy(x, t)", {"alpha": 1.0, "beta": 0.0}),
    ),
    examples=""">>> logits = np.log([[0.5, 0.25, 0.25]])
>>> round(losslib.symmetric_cross_entropy(logits, [0]), 4)
2.0693

By hand: 0.1 * log(2) + 4 * (1 - 0.5).

>>> value, gradient = losslib.symmetric_cross_entropy.value_and_grad(logits, [0])
>>> gradient.round(4)
array([[-1.05 ,  0.525,  0.525]])
""",
    tags=("multi-class", "logits", "soft labels", "robust", "smooth"),
    value_range="[0, inf]",
)
