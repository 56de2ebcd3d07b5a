"""Ordered classes 0 < 1 < … < K - 1: ratings, grades, stages.

The order is in the model (cumulative questions, thresholds of one score) or in the cost of an error (distances between
classes). Losses of the first kind have Hessians and train boosted trees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from losslib.declaration.schema import Array, Choice, Equivalent, Flag, Input, Real, Reference
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
    "ClassDistanceCrossEntropy",
    "CoralLoss",
    "CornLoss",
    "CumulativeLinkLoss",
    "EarthMoversDistanceLoss",
    "WeightedKappaLoss",
    "class_distance_cross_entropy",
    "coral_loss",
    "corn_loss",
    "cumulative_link_loss",
    "emd_loss",
    "weighted_kappa_loss",
]

QUESTIONS = Input(
    "input",
    "Logits of the K - 1 questions whether the class is above 0, above 1, …, of shape (N, K - 1).",
    holds="row",
)
RANKS = Input("target", "Classes 0 to K - 1, integers of shape (N,).", holds="class")
LEVELS = Input(
    "target",
    "Classes 0 to K - 1, integers of shape (N,); or the answers to the questions, 1 where the class is above, of shape "
    "(N, K - 1).",
    holds="class",
    or_row=True,
)

NIU = Reference(
    "Cao, W., Mirjalili, V. and Raschka, S. (2020). Rank consistent ordinal regression for neural networks with "
    "application to age estimation. Pattern Recognition Letters, 140, 325-331.",
    doi="10.1016/j.patrec.2020.11.008",
)
CORN = Reference(
    "Shi, X., Cao, W. and Raschka, S. (2023). Deep neural networks for rank-consistent ordinal regression based on "
    "conditional probabilities. Pattern Analysis and Applications, 26, 941-955.",
    doi="10.1007/s10044-023-01181-9",
)
MCCULLAGH = Reference(
    "McCullagh, P. (1980). Regression models for ordinal data. Journal of the Royal Statistical Society B, 42(2), "
    "109-142.",
    doi="10.1111/j.2517-6161.1980.tb01109.x",
)

BATCH_OF_LOGITS = "Logits of a batch, (N, K) real numbers: the matrix of agreement is one of all samples."

coral_loss, CoralLoss = declare(
    "ordinal",
    "coral_loss",
    "CoralLoss",
    family="ordinal",
    aliases=("coral", "all_threshold_loss", "ordinal_all_threshold"),
    summary="Sum of the logistic losses of all questions whether the class is above a level.",
    inputs=(QUESTIONS, LEVELS),
    parameters=(
        Array("importance_weights", None, "Weight of each question, of shape (K - 1,). None: all alike.", least=0.0),
    ),
    kernel=lambda values: ("levels", ()),
    formula="sum_k(w_k*(softplus(x_k) - (y > k)*x_k))",
    latex={"value": r"\sum_{k=0}^{K-2} w_k\,\Bigl(\operatorname{softplus}(x_k) - [t > k]\,x_k\Bigr)"},
    symbols=SYMBOLS,
    description=(
        "A class among K ordered ones is the answer to K - 1 questions: is it above 0, above 1, and so on. Each is a "
        "binary cross-entropy. CORAL shares all weights of the last layer between the questions, but for their biases: "
        "then the answers cannot contradict each other. As ``x_k = f - theta_k`` of a score f and thresholds it is the "
        "all-threshold loss of mord.\n\n"
        "The predicted class is the number of questions whose probability is above a half."
    ),
    notes=(
        "The loss is convex, and the Hessian is the diagonal ``w_k*p_k*(1 - p_k)``, exact: the questions do not meet. "
        "Small residuals of sure answers are computed without the difference 1 - p."
    ),
    use_when=(
        "classes have an order and the last layer shares its weights: ages, grades, ratings",
        "trees are boosted for ordered classes: one tree a question, with exact Hessians",
    ),
    avoid_when=(
        "questions have weights of their own: answers may contradict each other; ``corn_loss`` cannot",
        "distances between classes are known numbers: regress them",
    ),
    pitfalls=(
        "There are K - 1 logits for K classes: a row of K is taken for K + 1 classes without an error.",
        "coral_pytorch takes levels, which ``levels_from_labelbatch`` makes; here classes do.",
        "Probabilities of classes are differences of neighbouring answers, and negative where those are not sorted.",
    ),
    see_also=(
        ("corn_loss", "conditional questions, consistent for any logits"),
        ("cumulative_link_loss", "the likelihood of the class between two thresholds"),
        ("binary_cross_entropy_with_logits", "one of its questions"),
    ),
    references=(
        NIU,
        Reference(
            "Pedregosa, F., Bach, F. and Gramfort, A. (2017). On the consistency of ordinal regression methods. "
            "Journal of Machine Learning Research, 18(55), 1-35.",
            url="https://arxiv.org/abs/1408.2327",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "binary_cross_entropy_with_logits",
            "torch.nn.functional.binary_cross_entropy_with_logits(x, (t[:, None] > torch.arange(x.shape[1])).double(), "
            "reduction='none').sum(1).mean()",
            {},
            "By its definition.",
        ),
        Equivalent("coral_pytorch", "coral_loss", note="Takes levels in place of classes; the same mean."),
    ),
    examples=""">>> logits = np.array([[2.0, 0.5, -1.0], [2.0, 0.5, -1.0]])
>>> losslib.coral_loss(logits, [2, 0], reduction="none").round(4)
array([0.9143, 3.4143])

Answers may come in place of classes:

>>> losslib.coral_loss(logits, [[1, 1, 0], [0, 0, 0]], reduction="none").round(4)
array([0.9143, 3.4143])

Value and gradient come from one pass:

>>> value, gradient = losslib.coral_loss.value_and_grad(logits, [2, 0])
>>> gradient.round(4)
array([[-0.0596, -0.1888,  0.1345],
       [ 0.4404,  0.3112,  0.1345]])
""",
    tags=("ordinal", "logits", "convex", "smooth"),
)


corn_loss, CornLoss = declare(
    "ordinal",
    "corn_loss",
    "CornLoss",
    family="ordinal",
    aliases=("corn", "continuation_ratio"),
    summary="Logistic losses of the questions whether the class goes beyond a level, asked until the first no.",
    inputs=(QUESTIONS, RANKS),
    kernel=lambda values: ("conditional", ()),
    formula="sum_k((y >= k)*(softplus(x_k) - (y > k)*x_k))",
    latex={"value": r"\sum_{k=0}^{\min(t, K-2)} \Bigl(\operatorname{softplus}(x_k) - [t > k]\,x_k\Bigr)"},
    symbols=SYMBOLS,
    mean_divisor="weight",
    description=(
        "Question k is asked of those samples only that have passed all before it: is the class above k, given that it "
        "is at least k? The probability of being above k is the product of the answers up to it, which falls with k "
        "for any logits, so no weights need be shared.\n\n"
        '``"mean"`` divides by the number of questions that were asked, as its authors do, not by the number of '
        "samples."
    ),
    notes=(
        "The Hessian is the diagonal ``p_k*(1 - p_k)`` of the questions that were asked and 0 for the others. "
        '``"none"`` gives the sum of the questions of each sample.'
    ),
    use_when=(
        "classes have an order and each level may depend on other features",
        "trees are boosted for ordered classes and the probabilities must be consistent",
    ),
    avoid_when=(
        "high classes are rare: their questions see few samples; ``coral_loss`` asks everybody",
        "answers must share one direction: ``cumulative_link_loss``",
    ),
    pitfalls=(
        "Predict with cumulative products of sigmoids, not with the sigmoids themselves.",
        "There are K - 1 logits for K classes.",
        "A mean over batches is not the mean of all: batches ask different numbers of questions.",
    ),
    see_also=(
        ("coral_loss", "all questions to all samples"),
        ("cumulative_link_loss", "one score and thresholds"),
        ("logistic_hazard_loss", "the same with censoring: classes are intervals of time"),
    ),
    references=(CORN,),
    equivalents=(
        Equivalent("coral_pytorch", "corn_loss", note="Takes the number of classes too; the same mean."),
        Equivalent(
            "torch",
            "binary_cross_entropy_with_logits",
            "(torch.nn.functional.binary_cross_entropy_with_logits(x, (t[:, None] > "
            "torch.arange(x.shape[1])).double(), reduction='none') * (t[:, None] >= torch.arange(x.shape[1]))).sum()",
            {"reduction": "sum"},
            "By its definition.",
        ),
    ),
    examples=""">>> logits = np.array([[2.0, 0.5, -1.0], [2.0, 0.5, -1.0]])
>>> losslib.corn_loss(logits, [2, 0], reduction="none").round(4)
array([0.9143, 2.1269])
>>> round(losslib.corn_loss(logits, [2, 0]), 4)
0.7603

Four questions were asked: three of the first sample, one of the second.

Value and gradient come from one pass:

>>> value, gradient = losslib.corn_loss.value_and_grad(logits, [2, 0])
>>> gradient.round(4)
array([[-0.0298, -0.0944,  0.0672],
       [ 0.2202,  0.    ,  0.    ]])
""",
    tags=("ordinal", "logits", "convex", "smooth"),
)


def _link(values: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    return values["link"], ()


cumulative_link_loss, CumulativeLinkLoss = declare(
    "ordinal",
    "cumulative_link_loss",
    "CumulativeLinkLoss",
    family="ordinal",
    aliases=("ordinal_logistic", "proportional_odds", "ordered_logit", "ordered_probit"),
    summary="Negative log-likelihood of the class as the interval between thresholds that a noisy score falls into.",
    inputs=(
        Input("input", "One score for each sample, of shape (N,) or (N, 1): any real numbers."),
        RANKS,
        Input("thresholds", "Bounds between the classes, of shape (K - 1,), not falling.", holds="row", shared=True),
    ),
    parameters=(
        Choice(
            "link",
            "logit",
            "Distribution of the noise: logistic, normal, or that of the smallest of many (proportional hazards).",
            choices=("logit", "probit", "cloglog"),
        ),
    ),
    kernel=_link,
    formula="-log(F(theta_y - x) - F(theta_(y-1) - x))",
    latex={
        "value": r"-\log\bigl(F(\theta_t - x) - F(\theta_{t-1} - x)\bigr),\quad \theta_{-1} = -\infty,\ "
        r"\theta_{K-1} = \infty",
        "with": r"F(z) = \frac{1}{1 + e^{-z}},\quad \Phi(z)\quad\text{or}\quad 1 - e^{-e^z}",
    },
    symbols={**SYMBOLS, "theta": "thresholds"},
    differentiable=("input", "thresholds"),
    description=(
        "The proportional-odds model: a sample has one score, and its class is the interval between thresholds that "
        "the score with a noise falls into. The thresholds are shared by all samples and are learnt beside the score "
        "(``wrt=('input', 'thresholds')``). One number for each sample, whatever the number of classes: made for "
        "linear models, networks and boosted trees alike."
    ),
    notes=(
        "The logistic form is ``softplus(-b) + softplus(a) - log(1 - exp(a - b))``, in which nothing cancels; the "
        "normal one is computed in the tail that is small, or by quadrature where the interval is narrow. The loss is "
        "convex in score and thresholds, and the Hessian by the score is exact and positive. Equal thresholds make the "
        "value of the class between them infinite; the slope by the score stays finite."
    ),
    use_when=(
        "classes have an order and one direction explains them: ratings, severities, agreement",
        "trees are boosted for ordered classes: one tree a round instead of one a class",
    ),
    avoid_when=(
        "the questions depend on different features: ``corn_loss``",
        "only the distance of the error counts and not a probability: ``emd_loss``, or a regression",
    ),
    pitfalls=(
        "Thresholds must not fall. Learn their logarithmic steps, or sort; a step that crosses raises.",
        "Score and thresholds may move together: fix the mean of one of them.",
        "statsmodels adds 1e-20 to each probability, which bounds its values at 46.",
    ),
    see_also=(
        ("coral_loss", "a sum of binary losses with the same thresholds"),
        ("aft_loss", "intervals of known bounds: censored times"),
    ),
    references=(
        MCCULLAGH,
        Reference(
            "Agresti, A. (2010). Analysis of ordinal categorical data (2nd edition). Wiley.",
            doi="10.1002/9780470594001",
        ),
    ),
    equivalents=(
        Equivalent("statsmodels", "OrderedModel", note="The same likelihood; 1e-20 is added to each probability."),
        Equivalent(
            "scipy",
            "special.expit",
            "-np.log(np.diff(scipy.special.expit(np.concatenate([[-np.inf], thresholds, [np.inf]]) - x[:, None]), "
            "axis=1)[np.arange(len(t)), t])",
            {"reduction": "none"},
            "By its definition.",
        ),
    ),
    examples=""">>> thresholds = np.array([-1.0, 0.0, 1.0])
>>> losslib.cumulative_link_loss([0.5, 0.5], [2, 0], thresholds, reduction="none").round(4)
array([1.4068, 1.7014])
>>> gradient, by_thresholds = losslib.cumulative_link_loss.grad(
...     [0.5, 0.5], [2, 0], thresholds, wrt=("input", "thresholds"), reduction="sum"
... )
>>> gradient.round(4)
array([0.    , 0.8176])
>>> by_thresholds.round(4)
array([-0.8176,  0.9595, -0.9595])

Value and gradient come from one pass:

>>> value, gradient = losslib.cumulative_link_loss.value_and_grad([0.5, 0.5], [2, 0], thresholds)
>>> gradient.round(4)
array([0.    , 0.4088])
""",
    tags=("ordinal", "real", "convex", "smooth", "proper"),
    value_range="[0, inf]",
)


emd_loss, EarthMoversDistanceLoss = declare(
    "softmax_classes",
    "emd_loss",
    "EarthMoversDistanceLoss",
    family="ordinal",
    aliases=("earth_mover_distance", "rps", "ranked_probability_score", "squared_emd", "nima_loss"),
    summary="How far the predicted probabilities have to be moved along the order of the classes.",
    inputs=(LOGITS, CLASSES_OR_PROBABILITIES),
    parameters=(
        Real("r", 2.0, "Power of the differences of cumulative probabilities.", least=1.0, examples=(1.0, 3.0)),
        Flag("root", False, "Take the mean over the classes, and its r-th root, as NIMA does."),
        IGNORE_INDEX,
        AXIS,
        EMPTY,
    ),
    kernel=lambda values: ("earth_mover", (float(values["r"]), float(values["root"]))),
    formula="sum_k(abs(cumsum(p - t)_k)**r)",
    latex={
        "value": r"\sum_k \Bigl|\sum_{c \le k} (p_c - t_c)\Bigr|^r,\quad p = \operatorname{softmax}(x)",
        "root": r"\Bigl(\tfrac{1}{K}\sum_k \Bigl|\sum_{c \le k} (p_c - t_c)\Bigr|^r\Bigr)^{1/r}",
    },
    symbols=SYMBOLS,
    has_hessian=False,
    description=(
        "Cross entropy forgets that a rating of 4 is nearer to 5 than to 1. This loss compares cumulative "
        "probabilities: mass that lies k classes away costs at k places. With r=2 it is the ranked probability score, "
        "a proper score; with r=1 the earth mover's distance itself. Targets may be distributions, as of several "
        "raters."
    ),
    notes=(
        "With r=1 the slope at a difference of exactly 0 is 0; with root, the gradient at a value of 0 is 0. No "
        "Hessian is offered: the loss is not convex in the logits."
    ),
    use_when=(
        "classes have an order and an error counts by its distance",
        "several raters give a distribution over the ratings",
    ),
    avoid_when=(
        "the probability of each class matters: ``cross_entropy``",
        "trees are boosted: ``cumulative_link_loss``",
    ),
    pitfalls=(
        "Gradients vanish where the model is sure and wrong, as for every loss of probabilities.",
        "Packages divide by K, or not; ``root=True`` does.",
    ),
    see_also=(
        ("cross_entropy", "forgets the order"),
        ("class_distance_cross_entropy", "distances within a cross entropy"),
        ("cumulative_link_loss", "a likelihood of one score"),
    ),
    references=(
        Reference(
            "Epstein, E. S. (1969). A scoring system for probability forecasts of ranked categories. Journal of "
            "Applied Meteorology, 8(6), 985-987.",
            doi="10.1175/1520-0450(1969)008<0985:ASSFPF>2.0.CO;2",
        ),
        Reference(
            "Talebi, H. and Milanfar, P. (2018). NIMA: neural image assessment. IEEE Transactions on Image Processing, "
            "27(8), 3998-4011.",
            doi="10.1109/TIP.2018.2831899",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "cumsum",
            "(x.softmax(1) - torch.nn.functional.one_hot(t, x.shape[1])).cumsum(1).square().sum(1).mean()",
            {},
            "By its definition.",
        ),
        Equivalent("dlordinal", "EMDLoss", note="The same sum of squares, of logits and classes."),
    ),
    examples=""">>> losslib.emd_loss([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [0, 1], reduction="none").round(4)
array([0.5556, 0.2222])

The same ignorance costs less in the middle, which is near to everything.

Value and gradient come from one pass:

>>> value, gradient = losslib.emd_loss.value_and_grad([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [0, 1])
>>> gradient.round(4)
array([[-0.1852,  0.037 ,  0.1481],
       [ 0.037 , -0.0741,  0.037 ]])
""",
    tags=("ordinal", "logits", "soft labels", "smooth", "bounded", "proper"),
)


class_distance_cross_entropy, ClassDistanceCrossEntropy = declare(
    "softmax_classes",
    "class_distance_cross_entropy",
    "ClassDistanceCrossEntropy",
    family="ordinal",
    aliases=("cdw_ce", "class_distance_weighted_cross_entropy"),
    summary="Logarithmic cost of the probabilities of wrong classes, weighted by their distance from the right one.",
    inputs=(replace(LOGITS, meaning=BATCH_OF_LOGITS), replace(CLASSES, meaning="Class indices, (N,) integers.")),
    parameters=(
        Real("alpha", 0.5, "Power of the distance.", least=0.0, examples=(1.0, 5.0)),
        WEIGHT,
        IGNORE_INDEX,
        AXIS,
        EMPTY,
    ),
    kernel=lambda values: ("class_distance", (float(values["alpha"]),)),
    formula="-w_t*sum_c(where(c == t, 0, abs(c - t)**alpha*log(1 - p_c)))",
    definitions={"p": "exp(x_c)/sum_k(exp(x_k))"},
    latex={"value": r"-w_t\sum_{c \ne t} |c - t|^\alpha\,\log(1 - p_c),\quad p = \operatorname{softmax}(x)"},
    symbols={**SYMBOLS, "w": "weight"},
    has_hessian=False,
    mean_divisor="weight",
    value_range="[0, inf]",
    description=(
        "Instead of the probability of the right class it looks at those of the wrong ones: each pays the logarithm of "
        "what it leaves to the others, times a power of its distance. Far errors cost most, and no distance is without "
        "bound unless the model is sure of a wrong class."
    ),
    notes=(
        "``log(1 - p_c)`` is the difference of two logarithms of sums, over all classes and over all but c; for the "
        "largest class, whose probability may round to 1, the second has a maximum of its own. So a row that is wrong "
        "by 1000 costs 1000 times its weight, and nothing overflows."
    ),
    use_when=(
        "medical grades or severities are classified and far errors are the ones to avoid",
        "a cross entropy is wanted that knows distances between classes",
    ),
    avoid_when=("probabilities matter: it is no proper score", "classes have no order: ``cross_entropy``"),
    pitfalls=(
        "The right class itself costs nothing, whatever alpha is: with alpha=0 all wrong classes cost alike.",
        "dlordinal adds 1e-8 inside its logarithms, and computes its weights in float32.",
    ),
    see_also=(("emd_loss", "cumulative probabilities"), ("cross_entropy", "forgets the order")),
    references=(
        Reference(
            "Polat, G., Ergenc, I., Kani, H. T., Alahdab, Y. O., Atug, O. and Temizel, A. (2022). Class distance "
            "weighted cross-entropy loss for ulcerative colitis severity estimation. Medical Image Understanding and "
            "Analysis, 157-171.",
            doi="10.1007/978-3-031-12053-4_12",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "softmax",
            "-(((torch.arange(x.shape[1]) - t[:, None]).abs().double() ** 0.5) * (1 - "
            "x.softmax(1)).log()).sum(1).mean()",
            {},
            "By its definition.",
        ),
        Equivalent("dlordinal", "CDWCELoss", note="To about 3e-6, see the pitfalls."),
    ),
    examples=""">>> logits = np.array([[2.0, 0.0, 0.0]])
>>> round(losslib.class_distance_cross_entropy(logits, [1], alpha=1.0), 4)
1.659
>>> round(losslib.class_distance_cross_entropy(logits, [2], alpha=1.0), 4)
3.2054

Value and gradient come from one pass:

>>> value, gradient = losslib.class_distance_cross_entropy.value_and_grad(logits, [1], alpha=1.0)
>>> gradient.round(4)
array([[ 0.6932, -0.4062, -0.287 ]])
""",
    tags=("ordinal", "logits", "smooth"),
)


weighted_kappa_loss, WeightedKappaLoss = declare(
    "agreement",
    "weighted_kappa_loss",
    "WeightedKappaLoss",
    family="ordinal",
    per="batch",
    aliases=("weighted_kappa", "quadratic_weighted_kappa", "qwk_loss"),
    summary="One minus Cohen's weighted kappa: the cost of disagreement over what chance would give.",
    inputs=(LOGITS, CLASSES),
    parameters=(
        Choice("weights", "quadratic", "Cost of a distance between classes.", choices=("quadratic", "linear")),
        Flag("log", False, "Take the logarithm of the ratio."),
        Real(
            "eps",
            1e-10,
            "What is added to the denominator, and to the ratio inside a logarithm.",
            above=0.0,
            examples=(0.01,),
        ),
    ),
    kernel=lambda values: ("costs", ()),
    formula="sum(w*O)/(sum(w*E) + eps)",
    latex={
        "value": r"\frac{\sum_{ij} w_{ij} O_{ij}}{\sum_{ij} w_{ij} E_{ij} + \varepsilon}",
        "with": (
            r"O_{ij} = \sum_n [t_n = i]\,p_{nj},\quad E_{ij} = \frac{1}{N}\sum_n [t_n = i]\sum_n p_{nj},\quad "
            r"w_{ij} = \Bigl(\frac{i - j}{K - 1}\Bigr)^2\text{ or }\frac{|i - j|}{K - 1}"
        ),
    },
    symbols=SYMBOLS,
    has_hessian=False,
    reductions=("mean", "sum"),
    description=(
        "Weighted kappa is the metric of many competitions and of clinical grading: agreement with the raters beyond "
        "chance, in which far errors cost most. With probabilities in place of predicted classes it can be minimised "
        "itself. It is one number of a whole batch, which ought to hold all classes."
    ),
    notes=(
        "Both expectations are linear in the probabilities; the gradient is that of their ratio. ``sample_weight`` "
        "enters both tables. A batch without samples is 0."
    ),
    use_when=(
        "the result is judged by weighted kappa, and batches are large",
        "agreement with raters beyond chance is the aim, not a likelihood",
    ),
    avoid_when=("batches are small: the frequencies of a few samples are noise", "probabilities matter"),
    pitfalls=(
        "Means over batches are not the value of all data.",
        "Begin with ``cross_entropy``: from equal probabilities its gradient is small.",
    ),
    see_also=(("emd_loss", "a distance of each sample by itself"), ("coral_loss", "order in the model")),
    references=(
        Reference(
            "de la Torre, J., Puig, D. and Valls, A. (2018). Weighted kappa loss function for multi-class "
            "classification of ordinal data in deep learning. Pattern Recognition Letters, 105, 144-154.",
            doi="10.1016/j.patrec.2017.05.018",
        ),
        Reference(
            "Cohen, J. (1968). Weighted kappa: nominal scale agreement with provision for scaled disagreement or "
            "partial credit. Psychological Bulletin, 70(4), 213-220.",
            doi="10.1037/h0026256",
        ),
    ),
    equivalents=(Equivalent("dlordinal", "WKLoss", note="With ``use_logits=True``; computes in float32."),),
    examples=""">>> logits = np.log(np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]))
>>> round(losslib.weighted_kappa_loss(logits, [0, 1, 2]), 4)
0.3
>>> round(losslib.weighted_kappa_loss(logits, [2, 1, 0]), 4)
1.7

Value and gradient come from one pass:

>>> value, gradient = losslib.weighted_kappa_loss.value_and_grad(logits, [0, 1, 2])
>>> gradient.round(4)
array([[-0.106 ,  0.0192,  0.0867],
       [ 0.014 , -0.028 ,  0.014 ],
       [ 0.0867,  0.0192, -0.106 ]])
""",
    tags=("ordinal", "logits", "batch"),
)
