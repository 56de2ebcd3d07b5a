"""Ranking by pairs: who of two items of a list is to be ranked above the other.

In the formulas x is the score of an item and y its label; "pairs" are the pairs of items of one list with y[i] > y[j].
"""

from __future__ import annotations

from losslib.declaration.schema import (
    Array,
    Choice,
    Equivalent,
    Flag,
    Input,
    Integer,
    Real,
    Reference,
)
from losslib.declare import declare

__all__ = [
    "LambdaRankLoss",
    "PairwiseHingeLoss",
    "PairwiseLogisticLoss",
    "PairwiseMSELoss",
    "PairwiseQRLoss",
    "PairwiseSoftZeroOneLoss",
    "lambdarank_loss",
    "pairwise_hinge_loss",
    "pairwise_logistic_loss",
    "pairwise_mse_loss",
    "pairwise_qr_loss",
    "pairwise_soft_zero_one_loss",
]

SCORES = Input(
    "input",
    "Score of each item, larger for a better rank: lists along the last axis, of shape (..., I), or the items of one "
    "or more lists, of shape (N,).",
    holds="score",
)
LABELS = Input(
    "target",
    "Label of each item, larger for a better item, of the shape of `input`.",
    holds="relevance",
)
GROUPS = (
    Array(
        "group_ids",
        None,
        "The list that each of N items belongs to, as a number, in any order (XGBoost's qid). None for lists along "
        "the last axis.",
    ),
    Array(
        "group_sizes",
        None,
        "Numbers of items of lists that lie one after the other (LightGBM's group). None for lists along the last "
        "axis.",
    ),
)
GAIN = (
    Choice(
        "gain",
        "exp2",
        "What a label is worth to a metric: ``'exp2'`` for 2**y - 1, of labels up to 1000, ``'linear'`` for y.",
        choices=("exp2", "linear"),
    ),
    Array("label_gain", None, "The gains of the labels 0, 1, ... as a table, in place of `gain`."),
)
PAIR_OPTIONS = (
    Choice(
        "pair_weight",
        "none",
        "Weight of a pair, constant in the derivatives: ``'label_diff'`` the difference of the labels, ``'ndcg'`` what "
        "the NDCG changes by when the two change places, ``'ndcg2'`` a tighter bound of it by the distance of the "
        "ranks, ``'ndcg2pp'`` `mu` of the latter and one of the former.",
        choices=("none", "label_diff", "ndcg", "ndcg2", "ndcg2pp"),
        also=((None, "none"),),
    ),
    Integer("topn", None, "Ranks that the NDCG of `pair_weight` looks at; None for all.", least=1, optional=True),
    Real("mu", 10.0, "Share of ``'ndcg2'`` in ``'ndcg2pp'``.", least=0.0, examples=(1.0,)),
    *GAIN,
)
PAIRS = (
    Array(
        "pairs",
        None,
        "Pairs of positions of items, winner and loser, of shape (P, 2), in place of labels: `target` is None then.",
    ),
    Array("pairs_weight", None, "One weight for each of `pairs`."),
)

BURGES = Reference(
    "Burges, C. et al. (2005). Learning to rank using gradient descent. ICML, 89-96.", doi="10.1145/1102351.1102363"
)
LAMBDALOSS = Reference(
    "Wang, X., Li, C., Golbandi, N., Bendersky, M. & Najork, M. (2018). The LambdaLoss framework for ranking metric "
    "optimization. CIKM, 1313-1322.",
    doi="10.1145/3269206.3271784",
)
RAX = Reference(
    "Jagerman, R., Wang, X., Zhuang, H., Qin, Z., Bendersky, M. & Najork, M. (2022). Rax: composable learning-to-rank "
    "using JAX. KDD, 3051-3060.",
    doi="10.1145/3534678.3539065",
)

LISTS = (
    "Lists are the last axis of `input`, with `where` for the items that are real, or groups of one long axis: "
    "`group_ids` in any order, or `group_sizes`. `sample_weight` has one weight a list, or one an item"
)
PAIR_NOTES = (
    "Items are sorted by label, so that all partners of an item are neighbours, and pairs are computed in blocks of "
    "sixteen: memory grows with the items, time with the pairs. Computed in float64 for every input type; the bits are "
    "the same for any number of threads.\n\n"
    "Held constant in the derivatives: the ranks, and with them the weights that `pair_weight` makes of them. Ranks "
    "count from 1 by falling score; equal scores keep their order, and a score of -inf comes last."
)
MEAN_OF_PAIRS = (
    '``"mean"`` divides by the number of pairs that are compared, over all lists of the call; ``"none"`` gives the '
    "sum over the pairs of each list. A list without a pair (one item, or all labels equal) has the value 0 and the "
    "gradient 0, and a call without a pair the mean 0."
)
EQUAL_LABELS = "Items with the same label are not compared, whatever their scores."

pairwise_logistic_loss, PairwiseLogisticLoss = declare(
    "lists",
    "pairwise_logistic_loss",
    "PairwiseLogisticLoss",
    family="ranking",
    per="list",
    mean_divisor="pairs",
    aliases=("ranknet", "ranknet_loss", "PairLogit"),
    summary="Logistic loss of the difference of two scores, for each pair of which one item is to be ranked first.",
    inputs=(SCORES, LABELS),
    parameters=(
        Real("sigma", 1.0, "Factor of the difference of the scores.", above=0.0, examples=(0.5, 2.0)),
        *PAIR_OPTIONS,
        *PAIRS,
        *GROUPS,
    ),
    kernel="logistic",
    formula="sum_pairs(w[i, j]*softplus(-sigma*(x[i] - x[j])))",
    latex={
        "value": r"L = \sum_{y_i > y_j} w_{ij} \log\bigl(1 + e^{-\sigma (x_i - x_j)}\bigr)",
        "gradient": (
            r"\frac{\partial L}{\partial x_i} = -\sigma \sum_{j:\, y_j < y_i} w_{ij}\, \rho_{ij} + \sigma \sum_{j:\, "
            r"y_j > y_i} w_{ji}\, \rho_{ji}, \qquad \rho_{ij} = \frac{1}{1 + e^{\sigma (x_i - x_j)}}"
        ),
        "hessian": (r"\frac{\partial^2 L}{\partial x_i^2} = \sigma^2 \sum_{j:\, y_j \neq y_i} w\, \rho\, (1 - \rho)"),
    },
    symbols={"x": "input", "y": "target"},
    entries=("L164",),
    tags=("ranking", "lists", "pairs", "convex", "smooth"),
    keywords={"learning to rank": 2},
    value_range="[0, inf)",
    description=(
        "RankNet: each pair of items with different labels is a case of logistic regression on the difference of their "
        "scores. With `pair_weight` the loss becomes one of the LambdaLoss family, in which pairs count by what they "
        f"mean for the NDCG.\n\n{LISTS}; a pair has the weight of the item that is preferred. {MEAN_OF_PAIRS} With "
        "`pairs` the preferences are told one by one, without labels."
    ),
    notes=PAIR_NOTES
    + "\n\nThe gain of a label is divided by the DCG of the best order at `topn`; where that is 0, so are the weights "
    "of ``'ndcg'``, ``'ndcg2'`` and ``'ndcg2pp'``. ``'ndcg2'`` weighs by ``disc(k) - disc(k + 1)`` at the distance k "
    "of the ranks, and divides by ``1 - disc`` of the worse rank where that is beyond `topn`, as rax does.",
    use_when=(
        "preferences between items are known, as from clicks, comparisons or graded labels",
        "a convex loss with a positive Hessian is wanted, such as for boosters",
    ),
    avoid_when=(
        "only the first ranks matter: ``lambdarank_loss``, or `pair_weight`",
        "lists are very long and one pass over the items has to do: ``listwise_softmax_loss``",
    ),
    pitfalls=(
        EQUAL_LABELS,
        "rax's weights of pairs carry the length of the list as a factor; its mean over pairs is the same without "
        "them.",
        "allRank's lambdaLoss takes logarithms to the base 2: it is this loss divided by log(2).",
    ),
    see_also=(
        ("pairwise_hinge_loss", "the same with a hinge"),
        ("lambdarank_loss", "as boosters know it, with the pairs of the first ranks"),
        ("listwise_softmax_loss", "a whole list at a time"),
    ),
    references=(BURGES, LAMBDALOSS, RAX),
    equivalents=(
        Equivalent("rax", "rax.pairwise_logistic_loss"),
        Equivalent("catboost", "PairLogit", "", {"reduction": "mean"}, "pairs with weights; its mean is by weights"),
    ),
    examples="""
    Two lists: the first is in order, the second has its better item last.

    >>> scores, labels = np.array([[2.0, 0.0], [2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> losslib.pairwise_logistic_loss(scores, labels, reduction="none").round(4)
    array([0.1269, 2.1269])

    The same lists as one array with groups, in any order:

    >>> value, grad = losslib.pairwise_logistic_loss.value_and_grad(
    ...     np.array([2.0, 2.0, 0.0, 0.0]), [1, 0, 0, 1], group_ids=[7, 3, 7, 3], reduction="sum"
    ... )
    >>> round(value, 4), grad.round(4)
    (2.2539, array([-0.1192,  0.8808,  0.1192, -0.8808]))
    """,
)

pairwise_hinge_loss, PairwiseHingeLoss = declare(
    "lists",
    "pairwise_hinge_loss",
    "PairwiseHingeLoss",
    family="ranking",
    per="list",
    mean_divisor="pairs",
    aliases=("pairwise_hinge", "ranking_svm", "RankingSVMLoss"),
    summary="What the difference of two scores lacks to a margin, for each pair of which one item is to be first.",
    inputs=(SCORES, LABELS),
    parameters=(
        Real("margin", 1.0, "Difference from which on a pair costs nothing.", examples=(0.5, 2.0)),
        Integer("p", 1, "Power of what is lacking, 1 or 2.", least=1, most=2),
        *PAIR_OPTIONS,
        *PAIRS,
        *GROUPS,
    ),
    kernel="hinge",
    formula="sum_pairs(w[i, j]*max(0, margin - (x[i] - x[j]))**p)",
    latex={
        "value": r"L = \sum_{y_i > y_j} w_{ij} \max\bigl(0,\, m - (x_i - x_j)\bigr)^p",
        "gradient": (
            r"\frac{\partial L}{\partial x_i} = -p \sum_{j:\, y_j < y_i} w_{ij} \max(0, m - x_i + x_j)^{p - 1} + p "
            r"\sum_{j:\, y_j > y_i} w_{ji} \max(0, m - x_j + x_i)^{p - 1}"
        ),
    },
    symbols={"x": "input", "y": "target"},
    tags=("ranking", "lists", "pairs", "convex"),
    value_range="[0, inf)",
    description=(
        "The ranking SVM: a pair costs nothing once the better item leads by the margin, and what it lacks before, or "
        f"the square of that.\n\n{LISTS}; a pair has the weight of the item that is preferred. {MEAN_OF_PAIRS}"
    ),
    notes=PAIR_NOTES
    + "\n\nAt the margin the slope is 0. With ``p=1`` the Hessian is 0; with ``p=2`` it is twice the weight of "
    "the pairs that lack something.",
    use_when=(
        "pairs that are far enough apart should have no say any more",
        "a margin between neighbouring grades is wanted",
    ),
    avoid_when=(
        "a booster needs curvature: ``p=2``, or ``pairwise_logistic_loss``",
        "labels are noisy: a pair in the wrong order costs without bound",
    ),
    pitfalls=(EQUAL_LABELS,),
    see_also=(
        ("pairwise_logistic_loss", "the smooth form"),
        ("margin_ranking_loss", "for pairs that come as two arrays"),
        ("pairwise_auc_loss", "two labels, in one pass over the sorted scores"),
    ),
    references=(
        Reference(
            "Joachims, T. (2002). Optimizing search engines using clickthrough data. KDD, 133-142.",
            doi="10.1145/775047.775067",
        ),
        RAX,
    ),
    equivalents=(Equivalent("rax", "rax.pairwise_hinge_loss"),),
    examples="""
    The better item leads by 0.25 and lacks 0.75 to the margin:

    >>> value, grad = losslib.pairwise_hinge_loss.value_and_grad([0.25, 0.0], [1, 0])
    >>> value, grad
    (0.75, array([-1.,  1.]))
    """,
)

pairwise_soft_zero_one_loss, PairwiseSoftZeroOneLoss = declare(
    "lists",
    "pairwise_soft_zero_one_loss",
    "PairwiseSoftZeroOneLoss",
    family="ranking",
    per="list",
    mean_divisor="pairs",
    aliases=("pairwise_soft_zero_one",),
    summary="Smooth count of the pairs in the wrong order: a sigmoid of the difference of two scores.",
    inputs=(SCORES, LABELS),
    parameters=(
        Real("sigma", 1.0, "Factor of the difference of the scores.", above=0.0, examples=(0.5, 4.0)),
        *PAIR_OPTIONS,
        *PAIRS,
        *GROUPS,
    ),
    kernel="soft_zero_one",
    formula="sum_pairs(w[i, j]*sigmoid(-sigma*(x[i] - x[j])))",
    latex={
        "value": r"L = \sum_{y_i > y_j} w_{ij}\, \rho_{ij}, \qquad \rho_{ij} = \frac{1}{1 + e^{\sigma (x_i - x_j)}}",
        "gradient": (
            r"\frac{\partial L}{\partial x_i} = -\sigma \sum_{j:\, y_j < y_i} w_{ij}\, \rho_{ij} (1 - \rho_{ij}) + "
            r"\sigma \sum_{j:\, y_j > y_i} w_{ji}\, \rho_{ji} (1 - \rho_{ji})"
        ),
        "hessian": (
            r"\frac{\partial^2 L}{\partial x_i^2} = \sigma^2 \sum_{j:\, y_j \neq y_i} w\, \rho\, (1 - \rho) (1 - 2 "
            r"\rho)"
        ),
    },
    symbols={"x": "input", "y": "target"},
    tags=("ranking", "lists", "pairs", "smooth", "bounded"),
    value_range="[0, inf)",
    description=(
        "The number of pairs in the wrong order, each by a sigmoid: bounded by 1 a pair, so that hopeless pairs and "
        f"wrong labels stop to pull.\n\n{LISTS}; a pair has the weight of the item that is preferred. {MEAN_OF_PAIRS}"
    ),
    notes=PAIR_NOTES + "\n\nThe Hessian is negative where pairs are in the wrong order.",
    use_when=(
        "labels are noisy, and single pairs must not dominate",
        "the count of wrong pairs itself is to be optimised",
    ),
    avoid_when=(
        "a convex loss or a positive Hessian is wanted: ``pairwise_logistic_loss``",
        "training starts from random scores: hopeless pairs have no gradient",
    ),
    pitfalls=(EQUAL_LABELS, "Far from the right order the gradient vanishes: start from something better than chance."),
    see_also=(
        ("pairwise_logistic_loss", "the convex form"),
        ("approx_ndcg_loss", "sigmoids for the ranks of a metric"),
    ),
    references=(RAX,),
    equivalents=(Equivalent("rax", "rax.pairwise_soft_zero_one_loss"),),
    examples="""
    >>> value, grad = losslib.pairwise_soft_zero_one_loss.value_and_grad([0.0, 0.0, 0.0], [2, 1, 0], reduction="sum")
    >>> value, grad  # three pairs, each half wrong
    (1.5, array([-0.5,  0. ,  0.5]))
    """,
)

pairwise_mse_loss, PairwiseMSELoss = declare(
    "lists",
    "pairwise_mse_loss",
    "PairwiseMSELoss",
    family="ranking",
    per="list",
    mean_divisor="pairs",
    aliases=("pairwise_mse",),
    summary="Squared difference between the difference of two scores and that of their labels, over all ordered pairs.",
    inputs=(SCORES, LABELS),
    parameters=(*PAIR_OPTIONS, *GROUPS),
    kernel="squared_errors",
    formula="sum_{i, j}(((x[i] - x[j]) - (y[i] - y[j]))**2)",
    latex={
        "value": r"L = \sum_{i, j} \bigl((x_i - x_j) - (y_i - y_j)\bigr)^2 = 2 n \sum_i (d_i - \bar d)^2",
        "gradient": r"\frac{\partial L}{\partial x_i} = 4 n (d_i - \bar d), \qquad d_i = x_i - y_i",
        "hessian": r"\frac{\partial^2 L}{\partial x_i^2} = 4 (n - 1)",
    },
    symbols={"x": "input", "y": "target"},
    tags=("ranking", "lists", "pairs", "convex", "smooth"),
    value_range="[0, inf)",
    description=(
        "Scores are to differ as labels do; where they lie together does not matter. All ordered pairs count, an item "
        f"with itself too, as in rax.\n\n{LISTS}; an ordered pair has the weight of its first item. "
        '``"mean"`` divides by the number n*n of ordered pairs of each list.'
    ),
    notes=(
        "Without `pair_weight` it is computed in one pass over the items, from errors less their mean. With it, pairs "
        "of equal labels have no weight, and all others are computed as in ``pairwise_logistic_loss``; the mean still "
        "divides by all ordered pairs. The weights of pairs are constant in the derivatives."
    ),
    use_when=(
        "differences of labels have a meaning, such as ratings or prices within a list",
        "the level of a list is of no interest",
    ),
    avoid_when=(
        "only the order matters: ``pairwise_logistic_loss``",
        "scores of different lists are to be compared: ``mse_loss``",
    ),
    pitfalls=("The mean divides by n*n, pairs of an item with itself included.",),
    see_also=(("query_rmse_loss", "the same but for the factor of the length of a list"), ("mse_loss", "of each item")),
    references=(RAX,),
    equivalents=(Equivalent("rax", "rax.pairwise_mse_loss"),),
    examples="""
    >>> losslib.pairwise_mse_loss([5.0, 4.0, 3.0], [2, 1, 0])  # the differences are right
    0.0
    >>> losslib.pairwise_mse_loss.value_and_grad([1.0, 0.0], [0, 0], reduction="sum")
    (2.0, array([ 4., -4.]))
    """,
)

pairwise_qr_loss, PairwiseQRLoss = declare(
    "lists",
    "pairwise_qr_loss",
    "PairwiseQRLoss",
    family="ranking",
    per="list",
    mean_divisor="pairs",
    aliases=("pairwise_qr",),
    summary="Quantile loss of the difference of two labels less that of their scores, for pairs of different labels.",
    inputs=(SCORES, LABELS),
    parameters=(
        Real("tau", 0.5, "Quantile of the difference of the labels.", above=0.0, below=1.0, examples=(0.1, 0.9)),
        Flag("squared", False, "Square the difference: expectiles in place of quantiles."),
        *PAIR_OPTIONS,
        *GROUPS,
    ),
    kernel="pinball",
    formula="sum_pairs(w[i, j]*abs(tau - (r < 0))*abs(r)), r = (y[i] - y[j]) - (x[i] - x[j])",
    latex={
        "value": (
            r"L = \sum_{y_i > y_j} w_{ij}\, \bigl|\tau - [r_{ij} < 0]\bigr|\, |r_{ij}|^p, \qquad r_{ij} = (y_i - y_j) "
            r"- (x_i - x_j)"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_i} = -\sum_{j:\, y_j < y_i} w_{ij}\, \psi(r_{ij}) + \sum_{j:\, y_j > y_i} "
            r"w_{ji}\, \psi(r_{ji}), \qquad \psi(r) = \begin{cases} \tau - [r < 0] & p = 1\\ 2\, |\tau - [r < 0]|\, r "
            r"& p = 2 \end{cases}"
        ),
    },
    symbols={"x": "input", "y": "target"},
    tags=("ranking", "lists", "pairs", "convex"),
    value_range="[0, inf)",
    description=(
        "Scores are to differ by a quantile of the difference of the labels: with a high `tau` it costs more to put "
        "items too near each other than too far apart. ``squared=True`` is p = 2 of the "
        f"formula.\n\n{LISTS}; a pair has the weight of the item that is preferred. {MEAN_OF_PAIRS}"
    ),
    notes=PAIR_NOTES + "\n\nAt the kink the slope is 0. Without `squared` the Hessian is 0.",
    use_when=(
        "differences of labels have a meaning, and errors to both sides do not cost the same",
        "a few wild differences should not dominate",
    ),
    avoid_when=(
        "only the order matters: ``pairwise_logistic_loss``",
        "a booster needs curvature: ``squared=True``, or ``pairwise_mse_loss``",
    ),
    pitfalls=(EQUAL_LABELS,),
    see_also=(("pairwise_mse_loss", "symmetric and squared"), ("quantile_loss", "of each item")),
    references=(RAX,),
    equivalents=(Equivalent("rax", "rax.pairwise_qr_loss"),),
    examples="""
    >>> value, grad = losslib.pairwise_qr_loss.value_and_grad([0.0, 0.0], [1, 0], tau=0.9)
    >>> value, grad
    (0.9, array([-0.9,  0.9]))
    """,
)

lambdarank_loss, LambdaRankLoss = declare(
    "lists",
    "lambdarank_loss",
    "LambdaRankLoss",
    family="ranking",
    per="list",
    aliases=("lambdarank", "lambdamart"),
    summary="Logistic loss of pairs, weighted by what the NDCG or the MAP changes by when the two items change places.",
    inputs=(SCORES, LABELS),
    parameters=(
        Choice(
            "metric",
            "ndcg",
            "What a pair is weighted by: the change of the ``'ndcg'``, of the average precision (``'map'``, labels 0 "
            "and 1), or nothing (``'pairwise'``).",
            choices=("ndcg", "map", "pairwise"),
        ),
        Real("sigma", 1.0, "Factor of the difference of the scores.", above=0.0, examples=(0.5, 2.0)),
        Integer(
            "truncation_level",
            30,
            "Ranks of which one of the two items must have one; the ideal DCG is that of so many ranks.",
            least=1,
        ),
        Choice(
            "norm",
            "both",
            "``'score'`` divides the weight of a pair by 0.01 + the distance of its scores; ``'sum'`` replaces the sum "
            "S of the absolute slopes of a list by log2(1 + S); ``'both'`` or True does both, as LightGBM does; "
            "``'none'`` or False neither.",
            choices=("both", "score", "sum", "none"),
            also=((True, "both"), (False, "none")),
        ),
        Choice(
            "convention",
            "lightgbm",
            "``'xgboost'`` doubles the second derivative, of which it takes at least 1e-16 for each pair, and divides "
            "the weights of lists by their mean.",
            choices=("lightgbm", "xgboost"),
        ),
        *GAIN,
        Flag("symmetric", False, "Take the mean with the loss of the reversed list: scores negated, labels turned."),
        *GROUPS,
    ),
    kernel="lambdarank",
    formula="sum_{pairs, best rank <= truncation_level}(Delta[i, j]*softplus(-sigma*(x[i] - x[j])))",
    latex={
        "value": (
            r"L = \sum_{y_i > y_j,\ \min(r_i, r_j) \le k} \Delta_{ij} \log\bigl(1 + e^{-\sigma (x_i - x_j)}\bigr), "
            r"\qquad \Delta_{ij} = \frac{|g_i - g_j|}{\mathrm{IDCG}_k} \left|\frac{1}{\log_2(1 + r_i)} - "
            r"\frac{1}{\log_2(1 + r_j)}\right|"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_i} = -\sigma \sum_{j:\, y_j < y_i} \Delta_{ij}\, \rho_{ij} + \sigma "
            r"\sum_{j:\, y_j > y_i} \Delta_{ji}\, \rho_{ji}, \qquad \rho_{ij} = \frac{1}{1 + e^{\sigma (x_i - x_j)}}"
        ),
        "hessian": (r"\frac{\partial^2 L}{\partial x_i^2} \approx \sigma^2 \sum_{j} \Delta\, \rho\, (1 - \rho)"),
    },
    symbols={"x": "input", "y": "target"},
    entries=("L166", "L167"),
    tags=("ranking", "lists", "pairs", "NDCG", "smooth"),
    keywords={"learning to rank": 1},
    value_range="[0, inf)",
    description=(
        "The objective of LambdaMART: pairs as in ``pairwise_logistic_loss``, each as important as the change of the "
        "metric if the two items swapped ranks. r is the rank by falling score, g the gain of the label. For the MAP "
        "the weight is the change of the average precision.\n\n"
        f'{LISTS}; a pair has the weight of the item that is preferred. ``"mean"`` '
        'divides by the lists with a pair of different labels; boosters want ``"sum"``. With '
        "``convention='xgboost'`` the truncation of XGBoost's own objective is 32."
    ),
    notes=(
        "Held constant in the derivatives: the ranks, the weights Δ, the distance of the scores in "
        "``norm='score'``, and the factor ``log2(1 + S)/S`` of ``norm='sum'``. The value is that of the formula with "
        "these factors; the gradient is not that of any function that is smooth in the ranks. The second derivative is "
        "the usual positive surrogate, with the weights constant.\n\n"
        "Items are sorted by score, equal scores by their position, -inf last; one of the first `truncation_level` "
        "meets everybody behind it. Time grows with the items times that level, memory with the items. "
        "``norm='score'`` is skipped in a list whose scores are all equal. Where the ideal DCG is 0 the list has no "
        "weight.\n\n"
        "LightGBM reads the sigmoid from a table of a million entries, which ends at a difference of 25/sigma: its "
        "numbers agree to about four digits. It multiplies the derivatives of an item by that item's own weight; here "
        "the weight of a pair is that of its preferred item."
    ),
    use_when=(
        "a booster is to be trained for the NDCG or the MAP",
        "the first ranks are what counts",
    ),
    avoid_when=(
        "a loss is needed that a line search can follow: the weights jump with the ranks",
        "no ranks are to be considered: ``pairwise_logistic_loss`` is convex",
    ),
    pitfalls=(
        "If all scores of a list are equal, as in the first round of a booster, the order of the rows decides who has "
        "which rank.",
        'The packages\' own objectives are ``reduction="sum"``.',
        "With ``metric='map'`` labels are 0 and 1.",
    ),
    see_also=(
        ("pairwise_logistic_loss", "`pair_weight='ndcg'`: all pairs, without normalisation"),
        ("approx_ndcg_loss", "a smooth approximation of the NDCG"),
        ("xe_ndcg_loss", "a listwise bound of the NDCG"),
    ),
    references=(
        Reference(
            "Burges, C. J. C. (2010). From RankNet to LambdaRank to LambdaMART: an overview. Microsoft Research "
            "Technical Report MSR-TR-2010-82.",
            url="https://www.microsoft.com/en-us/research/publication/from-ranknet-to-lambdarank-to-lambdamart-an-overview/",
        ),
        LAMBDALOSS,
    ),
    equivalents=(
        Equivalent("lightgbm", "lambdarank", "", {}, "its sigmoids come from a table"),
        Equivalent(
            "xgboost",
            "rank:ndcg",
            "",
            {"convention": "xgboost", "truncation_level": 32},
            "with lambdarank_pair_method='topk'",
        ),
        Equivalent("xgboost", "rank:map", "", {"metric": "map", "convention": "xgboost", "truncation_level": 32}),
    ),
    examples="""
    The second item should be first. Without normalisation the pair of ranks 1 and 2 has the weight
    ``(1 - 1/log2(3))*(3 - 0)/3``:

    >>> value, grad = losslib.lambdarank_loss.value_and_grad([1.0, 0.0], [0, 2], norm="none")
    >>> round(value, 4), grad.round(4)
    (0.4847, array([ 0.2698, -0.2698]))
    """,
)
