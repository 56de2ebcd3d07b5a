"""Ranking two classes: surrogates of the area under the ROC curve, by pairs, or by the centre of each class.

In the formulas x is the score of an item and y its label, 1 for a positive and 0 for a negative.
"""

from __future__ import annotations

from losslib.declaration.schema import (
    BINARY,
    Choice,
    Equivalent,
    Input,
    Real,
    Reference,
)
from losslib.declare import declare
from losslib.losses.ranking import GROUPS, LISTS, SCORES

__all__ = [
    "AUCMLoss",
    "PairwiseAUCLoss",
    "aucm_loss",
    "pairwise_auc_loss",
]

CLASSES = Input(
    "target",
    "1 for a positive, 0 for a negative, of the shape of `input`.",
    domain=BINARY,
    holds="relevance",
)

pairwise_auc_loss, PairwiseAUCLoss = declare(
    "lists",
    "pairwise_auc_loss",
    "PairwiseAUCLoss",
    family="ranking",
    per="list",
    aliases=("auc_loss", "pairwise_auc", "AUCLoss"),
    summary="Surrogate of 1 less the area under the ROC curve: the mean over all pairs of a positive and a negative.",
    inputs=(SCORES, CLASSES),
    parameters=(
        Choice(
            "surrogate",
            "squared_hinge",
            "Of the step of a pair: what it lacks to `margin` (``'hinge'``), the square of that (``'squared_hinge'``), "
            "the square also beyond (``'square'``), or softplus without a margin (``'logistic'``).",
            choices=("squared_hinge", "hinge", "square", "logistic"),
        ),
        Real("margin", 1.0, "Difference of scores that a pair should have.", examples=(0.5, 2.0)),
        *GROUPS,
    ),
    kernel="area",
    formula="mean_{positives i, negatives j}(surrogate(x[i] - x[j]))",
    latex={
        "value": (
            r"L = \frac{1}{P N} \sum_{y_i = 1,\, y_j = 0} \ell(x_i - x_j), \qquad \ell(d) = \max(0, m - d)^2,\ "
            r"\max(0, m - d),\ (m - d)^2 \ \text{or}\ \log(1 + e^{-d})"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_i} = \frac{1}{P N} \sum_{j:\, y_j = 0} \ell'(x_i - x_j) \ (y_i = 1), "
            r"\qquad \frac{\partial L}{\partial x_j} = -\frac{1}{P N} \sum_{i:\, y_i = 1} \ell'(x_i - x_j) \ (y_j = 0)"
        ),
        "hessian": r"\frac{\partial^2 L}{\partial x_i^2} = \frac{1}{P N} \sum_{j} \ell''(x_i - x_j)",
    },
    symbols={"x": "input", "y": "target"},
    tags=("ranking", "lists", "pairs", "AUC", "convex"),
    keywords={"auc": 1},
    value_range="[0, inf)",
    description=(
        "The area under the ROC curve is the share of pairs of a positive and a negative that are in the right order; "
        "this puts a convex function in the place of the step. One call on (N,) is one list: the area over all "
        f'samples.\n\n{LISTS}; a pair has the weight of its positive. ``"mean"`` divides by the lists with both '
        "classes; a list with one class has the value 0 and the gradient 0."
    ),
    notes=(
        "All surrogates but ``'logistic'`` take one sort and one pass in each direction: the negatives that count for "
        "a positive are those above a bound; their number and the sums of their distances to it move on with the "
        "bound, and nothing is ever taken off. ``'logistic'`` computes all pairs. At the margin the slope of a hinge "
        "is 0. Computed in float64 for every input type."
    ),
    use_when=(
        "classes are so unbalanced that the order of the scores is what counts",
        "scores are judged by the area under the ROC curve",
    ),
    avoid_when=(
        "probabilities are wanted: ``binary_cross_entropy_with_logits``",
        "batches hold few positives: the area of a batch is a noisy one",
    ),
    pitfalls=(
        "The value of a data set is not the mean over its batches.",
        "The scores have no scale of their own but for `margin`.",
    ),
    see_also=(
        ("aucm_loss", "for batches that the area does not add up over"),
        ("pairwise_hinge_loss", "more than two labels"),
        ("binary_cross_entropy_with_logits", "each sample by itself"),
    ),
    references=(
        Reference(
            "Yan, L., Dodier, R., Mozer, M. C. & Wolniewicz, R. (2003). Optimizing classifier performance via an "
            "approximation to the Wilcoxon-Mann-Whitney statistic. ICML, 848-855.",
            url="https://aaai.org/papers/icml03-110-optimizing-classifier-performance-via-an-approximation-to-the-"
            "wilcoxon-mann-whitney-statistic/",
        ),
        Reference(
            "Rust, K. R. & Hocking, T. D. (2023). A log-linear gradient descent algorithm for unbalanced binary "
            "classification using the all pairs squared hinge loss.",
            url="https://arxiv.org/abs/2302.11062",
        ),
    ),
    equivalents=(Equivalent("libauc", "libauc.losses.PairwiseAUCLoss", note="the mean over all pairs of a batch"),),
    examples="""
    >>> value, grad = losslib.pairwise_auc_loss.value_and_grad([0.5, 0.0, -1.0], [1, 0, 0])
    >>> value, grad  # the pairs lack 0.5 and nothing
    (0.125, array([-0.5,  0.5,  0. ]))
    """,
)

aucm_loss, AUCMLoss = declare(
    "auc_margin",
    "aucm_loss",
    "AUCMLoss",
    family="ranking",
    per="list",
    aliases=("auc_margin", "auc_margin_loss", "aucm"),
    summary="Margin of the area under the ROC curve as a min-max problem: each item against the centre of its class.",
    inputs=(
        SCORES,
        CLASSES,
        Input(
            "a", "Centre of the positives, a number that is learnt, or one for each list.", optional=True, default=0.0
        ),
        Input(
            "b", "Centre of the negatives, a number that is learnt, or one for each list.", optional=True, default=0.0
        ),
        Input(
            "alpha",
            "What the margin weighs, a number that is learnt by ascent and kept from falling below 0, or one for each "
            "list.",
            optional=True,
            default=0.0,
        ),
    ),
    parameters=(
        Real("margin", 1.0, "Difference that the means of the classes should have.", examples=(0.5, 2.0)),
        Real(
            "imratio",
            None,
            "Share of positives in all data; None for that of each list. Version ``'v2'`` does not look at it.",
            least=0.0,
            most=1.0,
            optional=True,
            examples=(0.2,),
        ),
        Choice(
            "version",
            "v1",
            "``'v1'`` weighs the classes by each other's share, ``'v2'`` alike.",
            choices=("v1", "v2"),
        ),
        *GROUPS,
    ),
    kernel="auc_margin",
    formula="(1 - p)*E[(x - a)**2*y] + p*E[(x - b)**2*(1 - y)] + 2*alpha*(p*(1 - p)*margin + E[p*x*(1 - y) - "
    "(1 - p)*x*y]) - p*(1 - p)*alpha**2",
    latex={
        "value": (
            r"L = c_1 \sum_{y_i = 1} \bigl((x_i - a)^2 - 2 \alpha x_i\bigr) + c_0 \sum_{y_i = 0} \bigl((x_i - b)^2 + 2 "
            r"\alpha x_i\bigr) + k\, (2 \alpha m - \alpha^2)"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_i} = \begin{cases} 2 c_1 (x_i - a - \alpha) & y_i = 1\\ 2 c_0 (x_i - b + "
            r"\alpha) & y_i = 0 \end{cases}, \qquad \frac{\partial L}{\partial \alpha} = 2 c_0 \sum_{y_i = 0} x_i - 2 "
            r"c_1 \sum_{y_i = 1} x_i + 2 k (m - \alpha)"
        ),
    },
    symbols={"x": "input", "y": "target"},
    has_hessian=False,
    differentiable=("input", "a", "b", "alpha"),
    entries=("L047",),
    tags=("ranking", "lists", "AUC", "min-max", "smooth"),
    keywords={"auc": 2},
    value_range="(-inf, inf)",
    description=(
        "The mean over all pairs of ``(margin - x[i] + x[j])**2`` has another form: the least over a and b, and the "
        "greatest over alpha, of a sum over single items. So batches are enough to train for the area, with four "
        "gradients: the model, a and b go down theirs, alpha goes up and is kept from falling below 0, which turns the "
        "square into a squared hinge of the means. One call on (N,) is one list.\n\n"
        f'{LISTS}. ``"mean"`` divides by the lists that have both classes; one with a single class has the value 0 and '
        "the gradient 0, unless `imratio` says the share of positives. At the best a, b and alpha version ``'v1'`` is "
        "p*(1 - p) times ``'v2'``, and ``'v2'`` is ``pairwise_auc_loss`` with the surrogate ``'square'``, if alpha may "
        "have either sign."
    ),
    notes=(
        "p is the share of positives, by weight; ``c_1 = (1 - p)/W`` and ``c_0 = p/W`` with the weight W of all items, "
        "``k = p*(1 - p)``; for ``'v2'`` they are 1 over the weight of each class, and 1. p is constant in the "
        "derivatives. The gradients of a and b are ``-2*c_1*sum(x - a)`` and ``-2*c_0*sum(x - b)`` over their "
        "class. Two passes over the items, in float64 for every input type; ascent is the caller's: ``alpha = "
        "max(0, alpha + rate*grad)``."
    ),
    use_when=(
        "a network is trained on batches and judged by the area under the ROC curve",
        "positives are rare, and a batch holds a few of them: `imratio` has the share in all data",
    ),
    avoid_when=(
        "all data fit into one call: ``pairwise_auc_loss`` has nothing to learn beside the scores",
        "probabilities are wanted: ``binary_cross_entropy_with_logits``",
    ),
    pitfalls=(
        "It is a saddle, no minimum: a plain optimiser over all four pulls alpha the wrong way.",
        "LibAUC and MONAI expect probabilities as scores, which `margin` = 1 suits; raw scores work too.",
        "With a, b and alpha left at 0 it is a weighted squared error of the scores to 0.",
    ),
    see_also=(
        ("pairwise_auc_loss", "the pairs themselves"),
        ("binary_cross_entropy_with_logits", "each item by itself"),
    ),
    references=(
        Reference(
            "Yuan, Z., Yan, Y., Sonka, M. & Yang, T. (2021). Large-scale robust deep AUC maximization: a new surrogate "
            "loss and empirical studies on medical image classification. ICCV, 3040-3049.",
            url="https://arxiv.org/abs/2012.03173",
        ),
        Reference(
            "Ying, Y., Wen, L. & Lyu, S. (2016). Stochastic online AUC maximization. NeurIPS 29.",
            url="https://proceedings.neurips.cc/paper/2016/hash/c52f1bd66cc19d05628bd8bf27af3ad6-Abstract.html",
        ),
    ),
    equivalents=(
        Equivalent("libauc", "libauc.losses.AUCMLoss", note="a, b and alpha are its parameters"),
        Equivalent("monai", "monai.losses.AUCMLoss", note="a, b and alpha are its parameters, 0 at first"),
    ),
    examples="""
    Two positives and a negative at their centres, and the margin not yet reached:

    >>> scores, labels = np.array([0.7, 0.7, 0.2]), np.array([1, 1, 0])
    >>> value, (by_score, by_alpha) = losslib.aucm_loss.value_and_grad(
    ...     scores, labels, 0.7, 0.2, 0.1, version="v2", wrt=("input", "alpha")
    ... )
    >>> round(value, 6), by_score.round(6), round(float(by_alpha), 6)
    (0.09, array([-0.1, -0.1,  0.2]), 0.8)
    """,
)
