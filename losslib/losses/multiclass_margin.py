"""Multi-class classification by margins: the score of the target class against the scores of the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib.declaration.schema import PROBABILITY, Array, Equivalent, Input, Integer, Real, Reference
from losslib.declare import declare

__all__ = [
    "CategoricalHingeLoss",
    "CrammerSingerLoss",
    "MultiLabelMarginLoss",
    "MultiMarginLoss",
    "MulticlassPerceptronLoss",
    "categorical_hinge_loss",
    "crammer_singer_loss",
    "multi_margin_loss",
    "multiclass_perceptron_loss",
    "multilabel_margin_loss",
]


# Inputs and parameters that several losses share.

SCORES = Input(
    "input", "Scores of the classes, (N, C) or (C,) for one sample; the highest is the predicted class.", holds="row"
)
CLASS = Input("target", "Class indices from 0 to C - 1, (N,), or one index for one sample.", holds="class")
MARGIN_TEXT = "By how much the score of the target must exceed the others before it costs nothing."

WESTON_WATKINS = Reference(
    "Weston, J. and Watkins, C. (1999). Support vector machines for multi-class pattern recognition. European "
    "Symposium on Artificial Neural Networks, 219-224."
)
CRAMMER_SINGER = Reference(
    "Crammer, K. and Singer, Y. (2001). On the algorithmic implementation of multiclass kernel-based vector machines. "
    "Journal of Machine Learning Research, 2, 265-292.",
    url="https://www.jmlr.org/papers/v2/crammer01a.html",
)
NAN_TEXT = "A NaN among the scores of a row makes the value and the whole gradient of that row NaN."
NO_CALIBRATION = "probabilities are needed: use ``cross_entropy``; scores trained by margins are not log odds"


def multi_margin_kernel(values: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    """Name the row loss of a power."""
    return "multi_margin" if values["p"] == 1 else "multi_margin_squared", (values["margin"],)


multi_margin_loss, MultiMarginLoss = declare(
    "margin",
    "multi_margin_loss",
    "MultiMarginLoss",
    family="multiclass",
    aliases=("weston_watkins_loss", "weston_watkins"),
    summary="Multi-class hinge loss of Weston and Watkins: every class within the margin of the target costs.",
    inputs=(SCORES, CLASS),
    parameters=(
        Integer("p", 1, "Power of what is missing to the margin: 1 or 2.", least=1, most=2),
        Real("margin", 1.0, MARGIN_TEXT, examples=(0.5, 2.0)),
        Array(
            "weight",
            None,
            "Weight of each class, (C,); a sample is multiplied by the weight of its target. The denominator of "
            "``mean`` stays the number of samples.",
        ),
    ),
    kernel=multi_margin_kernel,
    formula="weight[t]*sum_c(where(c == t, 0, max(0, margin - x_t + x_c)**p))/C",
    definitions={"h": "where(c == t, 0, where(margin - x_t + x_c > 0, p*(margin - x_t + x_c)**(p - 1), 0))"},
    gradient={"input": "weight[t]*where(k == t, -sum_c(h_c), h_k)/C"},
    keywords={"support vector machine": 4},
    symbols={"x": "input", "t": "target"},
    description=(
        "The score of the target is asked to exceed the score of every other class by at least margin. What is "
        "missing is added up over the classes, so a sample that is confused with several classes pushes all of "
        "them down at once.\n\n"
        "With ``p=2`` the missing parts are squared: the loss becomes smooth at the margin and stricter with "
        "large violations. With two classes and ``p=1`` it is half the binary hinge of the difference of the "
        "scores."
    ),
    notes=(
        "The sum leaves out the target but is divided by C, all classes, as in PyTorch. A class exactly at the "
        "margin has derivative 0. " + NAN_TEXT + " PyTorch leaves such a class out of the sum instead, which "
        "hides it. A score of -inf takes a class out. Class indices are checked with ``check=False`` too."
    ),
    use_when=(
        "only the predicted class matters and samples that are safely right should have no influence",
        "a sample may be confused with many classes: each gets a gradient, where ``crammer_singer_loss`` "
        "touches one class a step",
    ),
    avoid_when=(
        NO_CALIBRATION,
        "there are very many classes: dividing by C makes gradients tiny when few classes are within the margin",
        "labels are soft: ``cross_entropy`` takes probabilities as targets",
    ),
    pitfalls=(
        "The divisor C counts the target, so with margin 1 and equal scores the loss is (C - 1)/C and not 1.",
        "``weight`` does not enter the denominator of ``mean``, unlike in ``cross_entropy``; "
        '``reduction="weighted_mean"`` divides by the sum of the weights.',
        "``weight`` multiplies after the power: with ``p=2`` it is not squared.",
    ),
    see_also=(
        ("crammer_singer_loss", "only the strongest of the other classes costs; not divided by C"),
        ("multilabel_margin_loss", "several target classes a sample"),
        ("hinge_loss", "two classes, one score"),
        ("cross_entropy", "smooth, gives probabilities"),
    ),
    references=(WESTON_WATKINS,),
    equivalents=(
        Equivalent(
            "torch",
            "multi_margin_loss",
            "torch.nn.functional.multi_margin_loss(x, t, p=2, margin=0.5)",
            {"p": 2, "margin": 0.5},
            "Class indices. Gives an arbitrary number for a batch without samples and skips NaN.",
        ),
        Equivalent(
            "torch",
            "MultiMarginLoss",
            "torch.nn.MultiMarginLoss(reduction='none')(x, t)",
            {"reduction": "none"},
            "Class indices.",
        ),
        Equivalent(
            "paddle",
            "multi_margin_loss",
            "paddle.nn.functional.multi_margin_loss(x, t)",
            {},
            "Class indices.",
        ),
    ),
    examples=""">>> scores = np.array([[2.0, 1.5, 0.0, 1.0], [0.0, 1.0, 0.5, -1.0]])
>>> losslib.multi_margin_loss(scores, [0, 1], reduction="none")
array([0.125, 0.125])
>>> value, gradient = losslib.multi_margin_loss.value_and_grad(scores, [0, 1])
>>> value
0.125
>>> gradient
array([[-0.125,  0.125,  0.   ,  0.   ],
       [ 0.   , -0.125,  0.125,  0.   ]])
""",
    tags=("multi-class", "margin", "convex"),
    has_hessian=False,
    function_order=("p", "margin", "weight", "size_average", "reduce", "reduction"),
    class_order=("p", "margin", "weight", "size_average", "reduce", "reduction"),
    entries=("L078",),
)


multilabel_margin_loss, MultiLabelMarginLoss = declare(
    "margin",
    "multilabel_margin_loss",
    "MultiLabelMarginLoss",
    family="multiclass",
    aliases=("multi_label_margin_loss", "multi_label_margin"),
    summary="Hinge loss of every target class against every other class, for several targets a sample.",
    inputs=(
        SCORES,
        Input(
            "target",
            "For each sample a list of class indices that ends at the first -1, filled up to C entries.",
            holds="class_list",
        ),
    ),
    kernel=lambda values: ("multilabel_margin", (1.0,)),
    formula="sum_j(sum_c(where(c in targets, 0, max(0, 1 - x_j + x_c))))/C",
    gradient={
        "input": (
            "where(k in targets, -sum_c(where(c in targets, 0, where(1 - x_k + x_c > 0, 1, 0))), "
            "sum_j(where(1 - x_j + x_k > 0, 1, 0)))/C"
        )
    },
    symbols={"x": "input"},
    description=(
        "Each class of the list is asked to score at least 1 above each class that is not in it. The order of the "
        "list does not matter, and neither do the differences between its members: only the border between the "
        "two sets does.\n\n"
        "It is a ranking criterion: at 0 all target classes come before all others, with room between."
    ),
    notes=(
        "The double sum is divided by C. What follows the first -1 is not used, but must be a class or -1. A class "
        "listed twice counts twice. A row without targets, or with all classes as targets, has value 0 and "
        "gradient 0. A pair exactly at the margin has derivative 0. " + NAN_TEXT + " The work grows with the "
        "number of targets times C. Class indices are checked with ``check=False`` too."
    ),
    use_when=(
        "several classes are right at once and their scores are used to rank classes",
        "the number of targets varies from sample to sample and is small",
    ),
    avoid_when=(
        "the classes are decided one by one with a threshold: use ``multilabel_soft_margin_loss``, whose scores "
        "have a fixed zero",
        "a sample has hundreds of targets: all pairs are computed",
        "probabilities are needed: use ``binary_cross_entropy_with_logits``",
    ),
    pitfalls=(
        "The target holds class indices, not 0 and 1 for each class: ``[1, 0, 1, 0]`` would be the classes 1, 0, 1 "
        "and 0.",
        "Without a -1 the list runs to the end of the row. The list ``[-1, 2, 0]`` is empty.",
        "Scores may shift freely: the loss does not change when a constant is added to all of them, so a "
        "threshold of 0 means nothing.",
    ),
    see_also=(
        ("multi_margin_loss", "one target a sample"),
        ("multilabel_soft_margin_loss", "each class on its own, targets 0 and 1"),
    ),
    references=(
        Reference(
            "Elisseeff, A. and Weston, J. (2001). A kernel method for multi-labelled classification. Advances in "
            "Neural Information Processing Systems, 14, 681-687."
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "multilabel_margin_loss",
            "torch.nn.functional.multilabel_margin_loss(x, t)",
            {},
            "Lists of class indices.",
        ),
        Equivalent(
            "torch",
            "MultiLabelMarginLoss",
            "torch.nn.MultiLabelMarginLoss(reduction='none')(x, t)",
            {"reduction": "none"},
            "Lists of class indices.",
        ),
        Equivalent(
            "paddle",
            "multi_label_margin_loss",
            "paddle.nn.functional.multi_label_margin_loss(x, t)",
            {},
            "Lists of class indices.",
        ),
    ),
    examples=""">>> scores = np.array([[2.0, 1.5, 0.0, 1.75]])
>>> losslib.multilabel_margin_loss(scores, [[0, 3, -1, -1]])
0.3125
>>> value, gradient = losslib.multilabel_margin_loss.value_and_grad(scores, [[0, 3, -1, -1]])
>>> gradient
array([[-0.25,  0.5 ,  0.  , -0.25]])
""",
    tags=("multi-class", "multi-label", "margin", "convex"),
    has_hessian=False,
    function_order=("size_average", "reduce", "reduction"),
    class_order=("size_average", "reduce", "reduction"),
    entries=("L080",),
)


crammer_singer_loss, CrammerSingerLoss = declare(
    "margin",
    "crammer_singer_loss",
    "CrammerSingerLoss",
    family="multiclass",
    aliases=("multiclass_hinge", "CrammerSinger"),
    summary="Multi-class hinge loss of Crammer and Singer: the target against the strongest other class.",
    inputs=(SCORES, CLASS),
    parameters=(Real("margin", 1.0, MARGIN_TEXT, least=0.0, examples=(0.0, 0.5, 2.0)),),
    kernel=lambda values: ("crammer_singer", (values["margin"],)),
    formula="max(0, margin + h - x_t)",
    definitions={"h": "max_c(where(c == t, -inf, x_c))"},
    gradient={
        "input": "where(margin + h - x_t > 0, 1, 0)*(where(x_k == h, 1, 0)*where(k == t, 0, 1) - where(k == t, 1, 0))"
    },
    keywords={"support vector machine": 3},
    symbols={"x": "input", "t": "target"},
    description=(
        "The score of the target is asked to exceed the highest score of the other classes by at least margin. "
        "With margin 1 the loss is an upper bound of the error: it is at least 1 for a sample that is "
        "classified wrongly.\n\n"
        "The size of the loss and of its gradient does not depend on the number of classes: one class is "
        "pushed down, the target up."
    ),
    notes=(
        "Exactly at the margin the derivative is 0. Where several classes share the highest score, the gradient "
        "goes to the first of them. " + NAN_TEXT + " With one class there is nothing to compare with and the loss "
        "is 0. Class indices are checked with ``check=False`` too."
    ),
    use_when=(
        "you train a linear multi-class support vector machine, or compare with one",
        "a bound of the error rate is wanted that does not change its scale with the number of classes",
    ),
    avoid_when=(
        NO_CALIBRATION,
        "several classes are close rivals: only one gets a gradient each step; ``multi_margin_loss`` moves all",
    ),
    pitfalls=(
        "It is not ``categorical_hinge_loss``, whose rival is at least 0 with one-hot targets.",
        "It is not ``multi_margin_loss`` either, which adds over the classes and divides by their number.",
        "torchmetrics applies a softmax first when a score lies outside [0, 1].",
    ),
    see_also=(
        ("multi_margin_loss", "adds over all classes within the margin"),
        ("multiclass_perceptron_loss", "margin 0"),
        ("categorical_hinge_loss", "one-hot targets; scores are compared with 0 too"),
    ),
    references=(CRAMMER_SINGER,),
    equivalents=(
        Equivalent(
            "optax",
            "multiclass_hinge_loss",
            "optax.losses.multiclass_hinge_loss(x, t)",
            {"reduction": "none"},
            "Class indices. The gradient is split among equal scores.",
        ),
        Equivalent(
            "sklearn",
            "hinge_loss",
            "sklearn.metrics.hinge_loss(t, x, labels=range(x.shape[1]))",
            {},
            "Class indices, target first; at least three classes.",
        ),
        Equivalent(
            "torchmetrics",
            "multiclass_hinge_loss",
            note="A metric; ``multiclass_mode='crammer-singer'``. Applies a softmax to scores outside [0, 1].",
        ),
    ),
    examples=""">>> scores = np.array([[2.0, 1.5, 0.0], [0.0, 3.0, 1.0]])
>>> losslib.crammer_singer_loss(scores, [0, 2], reduction="none")
array([0.5, 3. ])
>>> value, gradient = losslib.crammer_singer_loss.value_and_grad(scores, [0, 2])
>>> value
1.75
>>> gradient
array([[-0.5,  0.5,  0. ],
       [ 0. ,  0.5, -0.5]])
""",
    tags=("multi-class", "margin", "convex"),
    has_hessian=False,
    entries=("L076",),
)


categorical_hinge_loss, CategoricalHingeLoss = declare(
    "margin",
    "categorical_hinge_loss",
    "CategoricalHingeLoss",
    family="multiclass",
    summary="Hinge loss of one-hot targets in the form of Keras: wrong scores are compared with 0 too.",
    inputs=(
        SCORES,
        Input(
            "target",
            "One-hot rows of the shape of the input, or soft targets in between.",
            PROBABILITY,
            fix="for class indices use numpy.eye(C)[target], or crammer_singer_loss",
            holds="row",
        ),
    ),
    kernel=lambda values: ("categorical_hinge", (1.0,)),
    formula="max(0, 1 + h - sum_c(t_c*x_c))",
    definitions={"h": "max_c((1 - t_c)*x_c)"},
    gradient={"input": "where(1 + h - sum_c(t_c*x_c) > 0, 1, 0)*((1 - t_k)*where((1 - t_k)*x_k == h, 1, 0) - t_k)"},
    symbols={"x": "input", "t": "target"},
    description=(
        "The score of the target is asked to exceed the highest wrong score by 1. The maximum runs over all "
        "classes with the target's score replaced by 0, so the target must also exceed 1 when all wrong "
        "scores are negative. That fixes the zero of the scores, which ``crammer_singer_loss`` leaves free.\n\n"
        "Soft targets are taken literally: t weighs the scores on the right side, 1 - t on the wrong side."
    ),
    notes=(
        "At 0 the derivative is 0. Where several classes share the maximum, the gradient goes to the first of "
        "them; if that is the target of a one-hot row, only the target's score has a gradient. A coefficient "
        "of exactly 0 leaves nothing of an infinite score. " + NAN_TEXT + " ``check=False`` computes the formula "
        "for any target."
    ),
    use_when=(
        "you reproduce or compare with a model trained in Keras",
        "targets are one-hot rows and the scores shall have a meaningful zero",
    ),
    avoid_when=(
        "targets are class indices: ``crammer_singer_loss`` takes them without the one-hot array",
        NO_CALIBRATION,
        "labels are soft: the formula is defined, but its optimum is not the label; ``cross_entropy`` has that",
    ),
    pitfalls=(
        "All wrong scores negative does not mean loss 0: scores ``[-2, -3, -1]`` with the last as target cost 2, "
        "where ``crammer_singer_loss`` gives 0.",
        "The target is an array of the shape of the scores; integer one-hot arrays are read as float64, so the "
        "values come in float64 even for float32 scores. Give the rows the type of the scores.",
    ),
    see_also=(
        ("crammer_singer_loss", "class indices; the wrong scores alone decide"),
        ("multi_margin_loss", "adds over all classes within the margin"),
        ("hinge_loss", "two classes, labels -1 and 1"),
    ),
    references=(CRAMMER_SINGER,),
    equivalents=(
        Equivalent(
            "keras",
            "CategoricalHinge",
            "keras.losses.CategoricalHinge()(t, x)",
            {},
            "Target first. The gradient is split among equal scores.",
        ),
        Equivalent(
            "keras",
            "categorical_hinge",
            "keras.losses.categorical_hinge(t, x)",
            {"reduction": "none"},
            "Target first.",
        ),
    ),
    examples=""">>> scores = np.array([[2.0, 1.5, 0.0], [-2.0, -3.0, -1.0]])
>>> one_hot = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
>>> losslib.categorical_hinge_loss(scores, one_hot, reduction="none")
array([0.5, 2. ])
>>> value, gradient = losslib.categorical_hinge_loss.value_and_grad(scores, one_hot)
>>> value
1.25
>>> gradient
array([[-0.5,  0.5,  0. ],
       [ 0. ,  0. , -0.5]])
""",
    tags=("multi-class", "margin", "convex"),
    has_hessian=False,
    entries=("L075",),
)


multiclass_perceptron_loss, MulticlassPerceptronLoss = declare(
    "margin",
    "multiclass_perceptron_loss",
    "MulticlassPerceptronLoss",
    family="multiclass",
    aliases=("MulticlassPerceptron",),
    summary="Loss of the multi-class perceptron: the highest score minus the score of the target.",
    inputs=(SCORES, CLASS),
    kernel=lambda values: ("crammer_singer", (0.0,)),
    formula="max_c(x_c) - x_t",
    gradient={"input": "where(x_k == max_c(x_c), 1, 0) - where(k == t, 1, 0)"},
    symbols={"x": "input", "t": "target"},
    description=(
        "A sample that is classified rightly costs nothing, a wrong one costs the lead of the winner. A "
        "gradient step raises the target's score and lowers the winner's: the update of the perceptron.\n\n"
        "It is ``crammer_singer_loss`` with margin 0."
    ),
    notes=(
        "Where the target shares the highest score the value is 0 and so is the derivative. Where several other "
        "classes share it, the gradient goes to the first of them. " + NAN_TEXT + " Class indices are checked with "
        "``check=False`` too."
    ),
    use_when=(
        "you train a perceptron or a structured predictor, whose updates come from mistakes alone",
        "the data can be separated and speed of updates counts more than the position of the border",
    ),
    avoid_when=(
        "all scores can become equal, for instance all weights start at 0: value and gradient are 0 there and "
        "nothing moves; a margin of 1 (``crammer_singer_loss``) cures it",
        "generalisation matters: nothing asks for room between the classes",
        NO_CALIBRATION,
    ),
    pitfalls=(
        "Scaling the scores towards 0 makes the loss small without any improvement of the predictions.",
        "optax leaves the gradient at a tie to the rule for maxima of JAX, which splits it.",
    ),
    see_also=(
        ("crammer_singer_loss", "asks for a margin"),
        ("perceptron_loss", "two classes, labels -1 and 1"),
    ),
    references=(
        Reference(
            "Collins, M. (2002). Discriminative training methods for hidden Markov models: theory and experiments "
            "with perceptron algorithms. Empirical Methods in Natural Language Processing, 1-8.",
            doi="10.3115/1118693.1118694",
        ),
    ),
    equivalents=(
        Equivalent(
            "optax",
            "multiclass_perceptron_loss",
            "optax.losses.multiclass_perceptron_loss(x, t)",
            {"reduction": "none"},
            "Class indices. The gradient is split among equal scores.",
        ),
    ),
    examples=""">>> scores = np.array([[2.0, 1.5, 0.0], [0.0, 3.0, 1.0]])
>>> losslib.multiclass_perceptron_loss(scores, [0, 2], reduction="none")
array([0., 2.])
>>> value, gradient = losslib.multiclass_perceptron_loss.value_and_grad(scores, [0, 2])
>>> value
1.0
>>> gradient
array([[ 0. ,  0. ,  0. ],
       [ 0. ,  0.5, -0.5]])
""",
    tags=("multi-class", "margin", "convex"),
    has_hessian=False,
    entries=("L079",),
)
