"""Ranking by lists: losses that look at all items of a list at once.

In the formulas x is the score of an item and y its label.
"""

from __future__ import annotations

from losslib.declaration.schema import (
    Array,
    Choice,
    Equivalent,
    Flag,
    Integer,
    Real,
    Reference,
)
from losslib.declare import declare
from losslib.losses.ranking import GAIN, GROUPS, LABELS, LISTS, RAX, SCORES

__all__ = [
    "ApproxMRRLoss",
    "ApproxNDCGLoss",
    "ListMLELoss",
    "ListNetLoss",
    "ListwiseSoftmaxLoss",
    "NeuralNDCGLoss",
    "QueryRMSELoss",
    "UniqueSoftmaxLoss",
    "XENDCGLoss",
    "approx_mrr_loss",
    "approx_ndcg_loss",
    "listmle_loss",
    "listnet_loss",
    "listwise_softmax_loss",
    "neural_ndcg_loss",
    "query_rmse_loss",
    "unique_softmax_loss",
    "xe_ndcg_loss",
]

BETA = Real("beta", 1.0, "Factor of the scores, an inverse temperature.", above=0.0, examples=(0.5, 2.0))
MEAN_OF_LISTS = '``"mean"`` divides by the lists that have an item.'
CAO = Reference(
    "Cao, Z., Qin, T., Liu, T.-Y., Tsai, M.-F. & Li, H. (2007). Learning to rank: from pairwise approach to listwise "
    "approach. ICML, 129-136.",
    doi="10.1145/1273496.1273513",
)
BRUCH = Reference(
    "Bruch, S., Zoghi, M., Bendersky, M. & Najork, M. (2019). Revisiting approximate metric optimization in the age of "
    "deep neural networks. SIGIR, 1241-1244.",
    doi="10.1145/3331184.3331347",
)
SHARES = (
    "Computed in float64 for every input type, from the largest score on: nothing overflows, and what the largest "
    "share lacks to 1 comes from the other shares. A score of -inf has the share 0, which is legal for an item without "
    "a target."
)

listwise_softmax_loss, ListwiseSoftmaxLoss = declare(
    "lists",
    "listwise_softmax_loss",
    "ListwiseSoftmaxLoss",
    family="ranking",
    per="list",
    aliases=("ranking_softmax_loss", "ranking_softmax", "softmax_ranking_loss"),
    summary="Cross entropy between the labels of a list and the softmax of its scores.",
    inputs=(SCORES, LABELS),
    parameters=(
        Choice(
            "target_transform",
            "none",
            "What the logarithms are multiplied by: the labels, ``'normalize'`` the labels divided by their sum, "
            "``'softmax'`` their softmax.",
            choices=("none", "normalize", "softmax"),
        ),
        BETA,
        Real(
            "epsilon",
            0.0,
            "Weight of the term 1 - sum(t*p), with t the labels divided by their sum: PolyLoss.",
            examples=(1.0,),
        ),
        *GROUPS,
    ),
    kernel="softmax",
    formula="-sum(t*log(softmax(beta*x))) + epsilon*(1 - sum(t/sum(t)*softmax(beta*x)))",
    latex={
        "value": (
            r"L = -\sum_i t_i \log p_i + \epsilon \Bigl(1 - \sum_i \hat t_i p_i\Bigr), \qquad p_i = "
            r"\frac{e^{\beta x_i}}{\sum_j e^{\beta x_j}}, \quad \hat t_i = \frac{t_i}{\sum_j t_j}"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_i} = \beta \Bigl(p_i \sum_j t_j - t_i\Bigr) - \epsilon \beta\, p_i "
            r"\Bigl(\hat t_i - \sum_j \hat t_j p_j\Bigr)"
        ),
        "hessian": (
            r"\frac{\partial^2 L}{\partial x_i^2} = \beta^2 p_i (1 - p_i) \sum_j t_j - \epsilon \beta^2 p_i "
            r"\Bigl(\hat t_i - \sum_j \hat t_j p_j\Bigr) (1 - 2 p_i)"
        ),
    },
    symbols={"x": "input", "y": "target"},
    entries=("L163",),
    tags=("ranking", "lists", "softmax", "convex", "smooth"),
    keywords={"learning to rank": 3},
    value_range="[0, inf)",
    description=(
        "The items of a list are the classes of a softmax; labels say how much of the target each has. t is the "
        "labels as `target_transform` has them. A list whose labels sum to 0 has the uniform distribution for the "
        "divided labels.\n\n"
        f"{LISTS}, which multiplies its label. {MEAN_OF_LISTS}"
    ),
    notes=SHARES,
    use_when=(
        "one item, or few, of each list are relevant, such as the clicked one",
        "lists are long: one pass over the items",
    ),
    avoid_when=(
        "many grades tell apart items: ``unique_softmax_loss`` or ``lambdarank_loss``",
        "a list may have many relevant items, which would push each other down",
    ),
    pitfalls=(
        "Without a transform lists with large labels weigh more.",
        "CatBoost's QuerySoftMax puts weights inside the softmax and divides by their sum.",
    ),
    see_also=(
        ("listnet_loss", "the softmax of the labels as target"),
        ("unique_softmax_loss", "each item against the worse ones"),
        ("cross_entropy", "a class for each row"),
    ),
    references=(CAO, BRUCH),
    equivalents=(
        Equivalent("optax", "optax.losses.ranking_softmax_loss"),
        Equivalent("rax", "rax.softmax_loss"),
        Equivalent("rax", "rax.poly1_softmax_loss", "", {"epsilon": 1.0}),
    ),
    examples="""
    One of three items is relevant, and all scores are equal:

    >>> value, grad = losslib.listwise_softmax_loss.value_and_grad(np.zeros(3), [1, 0, 0])
    >>> round(value, 6), round(float(np.log(3)), 6)
    (1.098612, 1.098612)
    >>> grad.round(4)
    array([-0.6667,  0.3333,  0.3333])
    """,
)

listnet_loss, ListNetLoss = declare(
    "lists",
    "listnet_loss",
    "ListNetLoss",
    family="ranking",
    per="list",
    aliases=("listnet", "list_net"),
    summary="Cross entropy between the softmax of the labels of a list and the softmax of its scores.",
    inputs=(SCORES, LABELS),
    parameters=(BETA, *GROUPS),
    kernel="softmax",
    formula="-sum(softmax(y)*log(softmax(beta*x)))",
    latex={
        "value": (
            r"L = -\sum_i t_i \log p_i, \qquad t_i = \frac{e^{y_i}}{\sum_j e^{y_j}}, \quad p_i = \frac{e^{\beta "
            r"x_i}}{\sum_j e^{\beta x_j}}"
        ),
        "gradient": r"\frac{\partial L}{\partial x_i} = \beta (p_i - t_i)",
        "hessian": r"\frac{\partial^2 L}{\partial x_i^2} = \beta^2 p_i (1 - p_i)",
    },
    symbols={"x": "input", "y": "target"},
    entries=("L163",),
    tags=("ranking", "lists", "softmax", "convex", "smooth"),
    value_range="[0, inf)",
    description=(
        "ListNet compares two distributions over which item comes first: by the labels and by the scores. It is "
        f"``listwise_softmax_loss`` with the softmax of the labels as target.\n\n{LISTS}, which multiplies the share "
        f"of its label. {MEAN_OF_LISTS}"
    ),
    notes=SHARES + " The least value is the entropy of the labels' softmax.",
    use_when=(
        "labels are grades or logits on the scale of the scores",
        "a list is distilled from the scores of another model",
    ),
    avoid_when=(
        "labels are 0 and 1: ``listwise_softmax_loss`` leaves the irrelevant ones without a share",
        "the first ranks of long lists matter: ``lambdarank_loss``",
    ),
    pitfalls=("The softmax of large labels is nearly one item's alone; scale them.",),
    see_also=(("listwise_softmax_loss", "the labels themselves as target"), ("listmle_loss", "whole permutations")),
    references=(CAO,),
    equivalents=(Equivalent("rax", "rax.softmax_loss", note="with label_fn=jax.nn.softmax"),),
    examples="""
    Scores that equal the labels are best:

    >>> value, grad = losslib.listnet_loss.value_and_grad([2.0, 1.0, 0.0], [2, 1, 0])
    >>> round(value, 4), abs(grad).max() < 1e-15
    (0.8324, np.True_)
    """,
)

unique_softmax_loss, UniqueSoftmaxLoss = declare(
    "lists",
    "unique_softmax_loss",
    "UniqueSoftmaxLoss",
    family="ranking",
    per="list",
    aliases=("unique_softmax",),
    summary="Softmax cross entropy of each item against the items with lower labels alone, weighted by its gain.",
    inputs=(SCORES, LABELS),
    parameters=(*GAIN, *GROUPS),
    kernel="unique_softmax",
    formula="-sum(gain(y[i])*log(exp(x[i])/(exp(x[i]) + sum_{y[j] < y[i]}(exp(x[j])))))",
    latex={
        "value": (
            r"L = -\sum_i g_i \log \frac{e^{x_i}}{e^{x_i} + \sum_{j:\, y_j < y_i} e^{x_j}}, \qquad g_i = 2^{y_i} - 1"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_k} = \sum_{i:\, y_i > y_k} g_i\, a_{ik} - g_k (1 - a_{kk}), \qquad a_{ik} = "
            r"\frac{e^{x_k}}{e^{x_i} + \sum_{j:\, y_j < y_i} e^{x_j}}"
        ),
        "hessian": (
            r"\frac{\partial^2 L}{\partial x_k^2} = \sum_{i:\, y_i > y_k} g_i\, a_{ik} (1 - a_{ik}) + g_k\, a_{kk} (1 "
            r"- a_{kk})"
        ),
    },
    symbols={"x": "input", "y": "target"},
    tags=("ranking", "lists", "softmax", "convex", "smooth"),
    value_range="[0, inf)",
    description=(
        "Each item competes with the worse ones only, so that items of the same grade do not push each other "
        f"down.\n\n{LISTS}, which multiplies its gain. {MEAN_OF_LISTS}"
    ),
    notes=(
        "One sort by label and a pass in each direction, with running sums relative to their largest term; memory and "
        "time do not grow with the pairs. Computed in float64 for every input type. The Hessian is exact but for the "
        "rounding of ``a*(1 - a)`` where a share is nearly 1, and never negative."
    ),
    use_when=(
        "labels have several grades, and several items share one",
        "gains are to weigh the items as the NDCG does",
    ),
    avoid_when=(
        "labels are 0 and 1 with one relevant item: ``listwise_softmax_loss`` is the same",
        "pairs are wanted that a margin satisfies: ``pairwise_hinge_loss``",
    ),
    pitfalls=("Items with the lowest label have no term of their own: their gradients come from the others.",),
    see_also=(("listwise_softmax_loss", "against all items"), ("listmle_loss", "in the order of the labels")),
    references=(
        Reference(
            "Zhu, X. & Klabjan, D. (2020). Listwise learning to rank by exploring unique ratings. WSDM, 798-806.",
            doi="10.1145/3336191.3371814",
        ),
        RAX,
    ),
    equivalents=(Equivalent("rax", "rax.unique_softmax_loss"),),
    examples="""
    >>> value, grad = losslib.unique_softmax_loss.value_and_grad(np.zeros(3), [1, 1, 0])
    >>> round(value, 6), round(2 * float(np.log(2)), 6)  # each of the better ones against the last
    (1.386294, 1.386294)
    >>> grad
    array([-0.5, -0.5,  1. ])
    """,
)

listmle_loss, ListMLELoss = declare(
    "lists",
    "listmle_loss",
    "ListMLELoss",
    family="ranking",
    per="list",
    aliases=("listmle", "list_mle", "plackett_luce", "plackett_luce_loss"),
    summary="Negative log-likelihood of the order of the labels under the Plackett-Luce model of the scores.",
    inputs=(SCORES, LABELS),
    parameters=(
        Integer("topn", None, "Ranks whose choice counts; None for all.", least=1, optional=True),
        *GROUPS,
    ),
    kernel="plackett_luce",
    formula="sum_{i <= topn}(lse(x[i:]) - x[i]), items by falling label",
    latex={
        "value": (
            r"L = \sum_{i \le k} \Bigl(\log \sum_{j \ge i} e^{x_j} - x_i\Bigr), \qquad \text{items by falling label}"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_j} = \sum_{i \le \min(j, k)} q_{ij} - [\,j \le k\,], \qquad q_{ij} = "
            r"\frac{e^{x_j}}{\sum_{l \ge i} e^{x_l}}"
        ),
        "hessian": r"\frac{\partial^2 L}{\partial x_j^2} = \sum_{i \le \min(j, k)} q_{ij} (1 - q_{ij})",
    },
    symbols={"x": "input", "y": "target"},
    tags=("ranking", "lists", "likelihood", "convex", "smooth"),
    value_range="[0, inf)",
    description=(
        "The list is chosen item by item, each by a softmax over those that are left; the loss is minus the log of the "
        "probability of the order of the labels. It is also the likelihood of full or partial rankings from "
        f"comparisons of more than two.\n\n{LISTS}, which multiplies the term of its choice. {MEAN_OF_LISTS}"
    ),
    notes=(
        "Equal labels are taken in the order of the items; other packages shuffle them. One sort, a running "
        "log-sum-exp from the last item on and running sums of its reciprocals: time and memory do not grow with the "
        "pairs. Computed in float64 for every input type. The Hessian is exact but for the rounding of ``q*(1 - q)`` "
        "where a share is nearly 1, and never negative."
    ),
    use_when=(
        "whole orders are known, such as rankings by people",
        "a reward model is trained on rankings of more than two answers",
    ),
    avoid_when=(
        "labels have many ties, whose order would be learnt: ``unique_softmax_loss``",
        "errors far down the list should not count: `topn`, or ``lambdarank_loss``",
    ),
    pitfalls=(
        "Ties in the labels are broken by position: shuffle the items if that should not be learnt.",
        "rax's gradient is wrong where scores are equal.",
    ),
    see_also=(
        ("listwise_softmax_loss", "the first choice alone"),
        ("cox_ph_loss", "the same likelihood with censoring"),
    ),
    references=(
        Reference(
            "Xia, F., Liu, T.-Y., Wang, J., Zhang, W. & Li, H. (2008). Listwise approach to learning to rank: theory "
            "and algorithm. ICML, 1192-1199.",
            doi="10.1145/1390156.1390306",
        ),
        Reference(
            "Plackett, R. L. (1975). The analysis of permutations. Journal of the Royal Statistical Society, Series C, "
            "24(2), 193-202.",
            doi="10.2307/2346567",
        ),
    ),
    equivalents=(Equivalent("rax", "rax.listmle_loss"),),
    examples="""
    With equal scores each of the 3! orders is as likely as any other:

    >>> value, grad = losslib.listmle_loss.value_and_grad(np.zeros(3), [3, 2, 1])
    >>> round(value, 6), round(float(np.log(6)), 6)
    (1.791759, 1.791759)
    >>> grad.round(4)
    array([-0.6667, -0.1667,  0.8333])
    """,
)

xe_ndcg_loss, XENDCGLoss = declare(
    "lists",
    "xe_ndcg_loss",
    "XENDCGLoss",
    family="ranking",
    per="list",
    aliases=("xe_ndcg", "xendcg"),
    summary="Cross entropy between gains, perturbed if wanted, and the softmax of the scores: a bound of the NDCG.",
    inputs=(SCORES, LABELS),
    parameters=(
        Array(
            "gamma",
            None,
            "What is taken off the gain 2**y of each item, in [0, 1): uniform random numbers for the stochastic "
            "objective. Of the shape of `input`; None for 0.",
        ),
        Flag("third_order", False, "Add LightGBM's terms of the second and third order to the gradient."),
        *GROUPS,
    ),
    kernel="xe_ndcg",
    formula="-sum(rho*log(softmax(x))), rho = (2**y - gamma)/sum(2**y - gamma)",
    latex={
        "value": (
            r"L = -\sum_i \rho_i \log p_i, \qquad \rho_i = \frac{2^{y_i} - \gamma_i}{\sum_j (2^{y_j} - \gamma_j)}, "
            r"\quad p_i = \frac{e^{x_i}}{\sum_j e^{x_j}}"
        ),
        "gradient": r"\frac{\partial L}{\partial x_i} = p_i - \rho_i",
        "hessian": r"\frac{\partial^2 L}{\partial x_i^2} = p_i (1 - p_i)",
    },
    symbols={"x": "input", "y": "target"},
    entries=("L168",),
    tags=("ranking", "lists", "softmax", "NDCG", "convex", "smooth"),
    value_range="[0, inf)",
    description=(
        "A softmax cross entropy whose target is the gain of each item, less a number drawn by the caller. It is the "
        "objective of LightGBM's ``rank_xendcg``, convex and faster than pairs.\n\n"
        f"{LISTS}, which multiplies its gain. {MEAN_OF_LISTS} A list of one item has the value 0."
    ),
    notes=SHARES
    + "\n\n``third_order=True`` changes the gradient alone, to the one that LightGBM computes; it is not the "
    "derivative of the value.",
    use_when=(
        "a booster is to rank long lists of graded items",
        "a convex bound of the NDCG is wanted",
    ),
    avoid_when=(
        "labels are probabilities or counts: ``listwise_softmax_loss`` takes them as they are",
        "pairs of the first ranks alone matter: ``lambdarank_loss``",
    ),
    pitfalls=(
        "Nothing is drawn here: pass fresh numbers as `gamma` in each round.",
        "With ``third_order=True`` differences of the value do not give the gradient.",
    ),
    see_also=(("listwise_softmax_loss", "the labels as target"), ("lambdarank_loss", "by pairs")),
    references=(
        Reference(
            "Bruch, S. (2021). An alternative cross entropy loss for learning-to-rank. The Web Conference, 118-126.",
            doi="10.1145/3442381.3449794",
        ),
    ),
    equivalents=(Equivalent("lightgbm", "rank_xendcg", "", {"third_order": True}, "it draws gamma itself"),),
    examples="""
    >>> value, grad = losslib.xe_ndcg_loss.value_and_grad(np.zeros(2), [1, 0])
    >>> round(value, 6), grad.round(4)  # gains of 2 and 1
    (0.693147, array([-0.1667,  0.1667]))
    """,
)

approx_ndcg_loss, ApproxNDCGLoss = declare(
    "lists",
    "approx_ndcg_loss",
    "ApproxNDCGLoss",
    family="ranking",
    per="list",
    has_hessian=False,
    aliases=("approx_ndcg", "approxndcg"),
    summary="Minus the NDCG of ranks that are counted by sigmoids.",
    inputs=(SCORES, LABELS),
    parameters=(
        Real(
            "temperature",
            1.0,
            "Scale of the differences of scores; small for ranks that are nearly whole numbers.",
            above=0.0,
            examples=(0.1, 0.5),
        ),
        *GAIN,
        *GROUPS,
    ),
    kernel="approx_ndcg",
    formula="-sum(gain/log2(1 + r))/ideal, r[i] = 1 + sum_{j != i}(sigmoid((x[j] - x[i])/temperature))",
    latex={
        "value": (
            r"L = -\frac{1}{\mathrm{IDCG}} \sum_i \frac{g_i}{\log_2(1 + \hat r_i)}, \qquad \hat r_i = 1 + \sum_{j \ne "
            r"i} \sigma\Bigl(\frac{x_j - x_i}{T}\Bigr)"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_k} = \frac{1}{T} \sum_j (c_j - c_k)\, \sigma'\Bigl(\frac{x_j - "
            r"x_k}{T}\Bigr), \qquad c_i = \frac{g_i \ln 2}{\mathrm{IDCG}\, (1 + \hat r_i) \ln^2(1 + \hat r_i)}"
        ),
    },
    symbols={"x": "input", "y": "target"},
    tags=("ranking", "lists", "NDCG", "smooth", "bounded"),
    keywords={"learning to rank": 4},
    value_range="[-1, 0]",
    description=(
        "The rank of an item is one more than the number of items above it; with sigmoids in place of that count the "
        "NDCG has a gradient. At a small temperature the value is the NDCG itself.\n\n"
        f"{LISTS}, which multiplies its gain. {MEAN_OF_LISTS} A list whose gains are all 0 has the value 0."
    ),
    notes=(
        "Nothing is held constant. Time grows with the square of a list, memory with its length; sums over a list go "
        "in sixteen lanes, in float64 for every input type. There is no Hessian: use ``lambdarank_loss`` or "
        "``xe_ndcg_loss`` in a booster that needs one."
    ),
    use_when=(
        "the NDCG itself is to be optimised by gradients",
        "a model that ranks well already is to be tuned",
    ),
    avoid_when=(
        "lists have thousands of items: ``xe_ndcg_loss`` is linear",
        "training starts from random scores and stalls: start with ``listwise_softmax_loss``",
    ),
    pitfalls=("The loss is not convex, and flat where the scores are far apart in units of `temperature`.",),
    see_also=(("approx_mrr_loss", "the first relevant item alone"), ("lambdarank_loss", "by weighted pairs")),
    references=(
        Reference(
            "Qin, T., Liu, T.-Y. & Li, H. (2010). A general approximation framework for direct optimization of "
            "information retrieval measures. Information Retrieval, 13, 375-397.",
            doi="10.1007/s10791-009-9124-x",
        ),
        BRUCH,
    ),
    equivalents=(Equivalent("rax", "rax.approx_t12n(rax.ndcg_metric)"),),
    examples="""
    Far apart and in the right order the NDCG is 1:

    >>> value, grad = losslib.approx_ndcg_loss.value_and_grad([80.0, 40.0, 0.0], [2, 1, 0])
    >>> round(value, 6), abs(grad).max() < 1e-15
    (-1.0, np.True_)
    """,
)

approx_mrr_loss, ApproxMRRLoss = declare(
    "lists",
    "approx_mrr_loss",
    "ApproxMRRLoss",
    family="ranking",
    per="list",
    has_hessian=False,
    aliases=("approx_mrr",),
    summary="Minus the reciprocal rank of the best relevant item, of ranks that are counted by sigmoids.",
    inputs=(SCORES, LABELS),
    parameters=(
        Real(
            "temperature",
            1.0,
            "Scale of the differences of scores; small for ranks that are nearly whole numbers.",
            above=0.0,
            examples=(0.1, 0.5),
        ),
        *GROUPS,
    ),
    kernel="approx_mrr",
    formula="-max_{y[i] >= 1}(1/r[i]), r[i] = 1 + sum_{j != i}(sigmoid((x[j] - x[i])/temperature))",
    latex={
        "value": (
            r"L = -\max_{i:\, y_i \ge 1} \frac{1}{\hat r_i}, \qquad \hat r_i = 1 + \sum_{j \ne i} "
            r"\sigma\Bigl(\frac{x_j - x_i}{T}\Bigr)"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_k} = \frac{1}{T \hat r_m^2} \Bigl([k \ne m]\, \sigma'\Bigl(\frac{x_k - "
            r"x_m}{T}\Bigr) - [k = m] \sum_{j \ne m} \sigma'\Bigl(\frac{x_j - x_m}{T}\Bigr)\Bigr)"
        ),
    },
    symbols={"x": "input", "y": "target"},
    tags=("ranking", "lists", "smooth", "bounded"),
    value_range="[-1, 0]",
    description=(
        "The reciprocal rank of the first relevant item (a label of at least 1), with ranks by sigmoids. m is the "
        f"relevant item with the least such rank.\n\n{LISTS}: the weight of item m. {MEAN_OF_LISTS} A list without a "
        "relevant item has the value 0."
    ),
    notes=(
        "Of relevant items with equal ranks the first has the gradient. Time grows with the length of a list times its "
        "relevant items. There is no Hessian."
    ),
    use_when=(
        "one right answer is enough, as in question answering and navigation",
        "results are judged by the mean reciprocal rank",
    ),
    avoid_when=(
        "all relevant items count: ``approx_ndcg_loss``",
        "training starts from random scores: ``listwise_softmax_loss`` is convex",
    ),
    pitfalls=("Only one relevant item of a list has a gradient that pulls it up.",),
    see_also=(("approx_ndcg_loss", "all relevant items"), ("listwise_softmax_loss", "convex")),
    references=(BRUCH,),
    equivalents=(Equivalent("rax", "rax.approx_t12n(rax.mrr_metric)"),),
    examples="""
    The relevant item is second of two with equal scores: its rank is 1.5.

    >>> value, grad = losslib.approx_mrr_loss.value_and_grad([0.0, 0.0], [0, 1])
    >>> round(value, 6), grad.round(4)
    (-0.666667, array([ 0.1111, -0.1111]))
    """,
)

neural_ndcg_loss, NeuralNDCGLoss = declare(
    "lists",
    "neural_ndcg_loss",
    "NeuralNDCGLoss",
    family="ranking",
    per="list",
    has_hessian=False,
    aliases=("neural_ndcg", "neuralndcg"),
    summary="Minus the NDCG of gains that a relaxed sort puts in order.",
    inputs=(SCORES, LABELS),
    parameters=(
        Real(
            "temperature",
            1.0,
            "Softness of the sort; at 0 it would be the sort itself.",
            above=0.0,
            examples=(0.1, 0.5),
        ),
        Integer("topn", None, "Ranks that count; None for all.", least=1, optional=True),
        *GAIN,
        Integer("max_iter", 50, "Most steps that make rows and columns sum to 1.", least=1),
        Real("tol", 1e-6, "How far from 1 the sums of the columns may be left.", above=0.0, examples=(1e-3,)),
        *GROUPS,
    ),
    kernel="neural_ndcg",
    formula="-sum_{i <= topn}((P @ gain)[i]/log2(1 + i))/ideal, P = sinkhorn(neural_sort(x))",
    latex={
        "value": (
            r"L = -\frac{1}{\mathrm{IDCG}} \sum_{i \le k} \frac{(P g)_i}{\log_2(1 + i)}, \qquad P = "
            r"\mathrm{Sinkhorn}(\hat P), \quad \hat P_{i \cdot} = \mathrm{softmax}_j\Bigl(\frac{(n + 1 - 2 i) x_j - "
            r"\sum_k |x_j - x_k|}{T}\Bigr)"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_j} = \frac{1}{T} \sum_i \Bigl((n + 1 - 2 i)\, z_{ij} - \sum_k (z_{ij} + "
            r"z_{ik})\, \mathrm{sign}(x_j - x_k)\Bigr), \qquad z_{ij} = \hat P_{ij} \Bigl(\frac{\partial L}{\partial "
            r"\hat P_{ij}} - \sum_l \hat P_{il} \frac{\partial L}{\partial \hat P_{il}}\Bigr)"
        ),
    },
    symbols={"x": "input", "y": "target"},
    tags=("ranking", "lists", "NDCG", "bounded"),
    value_range="[-1, 0]",
    description=(
        "NeuralSort writes a sort as a matrix whose row i points at the item of rank i; with a temperature it points "
        "softly. Sinkhorn's steps make the columns sum to 1 too, so that every item is placed once. The NDCG of the "
        "gains in that order has a gradient.\n\n"
        f"{LISTS}, which multiplies its gain. "
        '``"mean"`` divides by the lists that have a gain; one whose gains are all 0 has the value 0.'
    ),
    notes=(
        "Nothing is held constant: the gradient goes back through all steps of Sinkhorn, each of which is kept as two "
        "vectors. Steps end when all columns sum to 1 within `tol`, for each list by itself. Two matrices of the "
        "square of the longest list are needed for each thread; time grows with that square and the steps. Where two "
        "scores are equal their distance has the slope 0. There is no Hessian."
    ),
    use_when=(
        "the NDCG itself is to be optimised, of lists of at most some hundred items",
        "sharper ranks are wanted than sigmoids give",
    ),
    avoid_when=(
        "lists are long: ``approx_ndcg_loss`` needs no matrix, ``xe_ndcg_loss`` is linear",
        "a booster needs a Hessian: ``lambdarank_loss``",
    ),
    pitfalls=(
        "Scores that are far apart in units of `temperature` have no gradient.",
        "The loss is not convex.",
        "A score of -inf has no distance to the others: the value is NaN. Leave such items out with `where`.",
    ),
    see_also=(("approx_ndcg_loss", "ranks by sigmoids"), ("lambdarank_loss", "by weighted pairs")),
    references=(
        Reference(
            "Pobrotyn, P. & Białobrzeski, R. (2021). NeuralNDCG: direct optimisation of a ranking metric via "
            "differentiable relaxation of sorting.",
            url="https://arxiv.org/abs/2102.07831",
        ),
        Reference(
            "Grover, A., Wang, E., Zweig, A. & Ermon, S. (2019). Stochastic optimization of sorting networks via "
            "continuous relaxations. ICLR.",
            url="https://arxiv.org/abs/1903.08850",
        ),
    ),
    equivalents=(
        Equivalent("allrank", "allrank.models.losses.neuralNDCG", note="its steps end for a whole batch at once"),
    ),
    examples="""
    Far apart and in the right order the NDCG is 1:

    >>> value, grad = losslib.neural_ndcg_loss.value_and_grad([80.0, 40.0, 0.0], [2, 1, 0])
    >>> round(value, 6), abs(grad).max() < 1e-6
    (-1.0, np.True_)
    """,
)

query_rmse_loss, QueryRMSELoss = declare(
    "lists",
    "query_rmse_loss",
    "QueryRMSELoss",
    family="ranking",
    per="list",
    mean_divisor="item weights",
    aliases=("query_rmse",),
    summary="Squared errors less the mean error of their list.",
    inputs=(SCORES, LABELS),
    parameters=(
        Flag(
            "root",
            False,
            "Take the square root: of the mean over all items of the call, as CatBoost reports it, or of the mean of "
            "each list where there is no mean over the call.",
        ),
        *GROUPS,
    ),
    kernel="query_rmse",
    formula="sum(w*(d - sum(w*d)/sum(w))**2), d = x - y",
    latex={
        "value": (
            r"L = \sum_i w_i (d_i - \bar d)^2, \qquad d_i = x_i - y_i, \quad \bar d = \frac{\sum_i w_i d_i}{\sum_i w_i}"
        ),
        "gradient": r"\frac{\partial L}{\partial x_i} = 2 w_i (d_i - \bar d)",
        "hessian": r"\frac{\partial^2 L}{\partial x_i^2} = 2 w_i \Bigl(1 - \frac{w_i}{\sum_j w_j}\Bigr)",
    },
    symbols={"x": "input", "y": "target"},
    entries=("L173",),
    tags=("ranking", "lists", "convex", "smooth"),
    value_range="[0, inf)",
    description=(
        "The squared error within a list: what all items of a list have in common costs nothing, so that scores need "
        f"only be right relative to each other.\n\n{LISTS}: the w of the formula. "
        '``"mean"`` divides by the number of items, or the sum of their weights.\n\n'
        'With ``root=True`` the mean is CatBoost\'s QueryRMSE, the root of the mean over all items; ``"none"`` gives '
        'the root of the mean of each list, and ``"sum"`` adds these up.'
    ),
    notes=(
        "Errors are taken less that of the first item before they are averaged, so that a common error far from 0 "
        "takes no digits. Computed in float64 for every input type. The derivatives printed are those of the square; "
        "a root r of a mean m has ``m'/(2*r)`` and ``m''/(2*r) - m'**2/(4*r**3)``, and 0 where it is 0. CatBoost's "
        "trees grow on the derivatives of the square. The root of a mean does not add up: accumulators refuse it."
    ),
    use_when=(
        "labels have a scale, and lists have levels of their own",
        "a booster is to rank by regression",
    ),
    avoid_when=(
        "only the order matters: ``pairwise_logistic_loss``",
        "predictions are compared across lists: ``mse_loss``",
    ),
    pitfalls=(
        "The level of the scores of a list is free: predictions of different lists cannot be compared.",
        "The mean of the roots of lists is not the root of their mean.",
    ),
    see_also=(
        ("pairwise_mse_loss", "the same but for the factor of the length of a list"),
        ("mse_loss", "with levels"),
    ),
    references=(
        Reference(
            "Prokhorenkova, L., Gusev, G., Vorobev, A., Dorogush, A. V. & Gulin, A. (2018). CatBoost: unbiased "
            "boosting with categorical features. NeurIPS 31.",
            url="https://arxiv.org/abs/1706.09516",
        ),
    ),
    equivalents=(Equivalent("catboost", "QueryRMSE", "", {"root": True}, "group_id is group_ids"),),
    examples="""
    An error that all items share costs nothing:

    >>> losslib.query_rmse_loss([3.0, 2.0, 1.0], [2, 1, 0])
    0.0
    >>> losslib.query_rmse_loss.value_and_grad([1.0, 0.0], [0, 0], reduction="sum")
    (0.5, array([ 1., -1.]))

    As CatBoost reports it, over two lists:

    >>> round(losslib.query_rmse_loss([1.0, 0.0, 2.0, 0.0], [0, 0, 0, 0], group_ids=[1, 1, 2, 2], root=True), 6)
    0.790569
    """,
)
