"""Other views of a row of class scores: sparse probabilities, wrong labels, evidence instead of probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib.declaration.schema import Choice, Equivalent, Flag, Real, Reference
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
    "BootstrapCrossEntropy",
    "EntmaxLoss",
    "EvidentialLoss",
    "NormalizedCrossEntropy",
    "bootstrap_cross_entropy",
    "entmax_loss",
    "evidential_loss",
    "normalized_cross_entropy",
]

entmax_loss, EntmaxLoss = declare(
    "softmax_classes",
    "entmax_loss",
    "EntmaxLoss",
    family="multiclass",
    aliases=("entmax", "entmax15", "entmax15_loss", "tsallis_loss"),
    summary="The loss that belongs to entmax, a softmax whose small probabilities are exactly 0.",
    inputs=(LOGITS, CLASSES_OR_PROBABILITIES),
    parameters=(
        Real(
            "alpha",
            1.5,
            "Between softmax (1) and sparsemax (2): the larger, the more probabilities are 0.",
            least=1.01,
            most=2.0,
            examples=(1.2, 2.0),
        ),
        IGNORE_INDEX,
        AXIS,
        EMPTY,
    ),
    kernel=lambda values: ("entmax", (float(values["alpha"]),)),
    formula="sum_c((p_c - t_c)*x_c) + sum_c(t_c**alpha - p_c**alpha)/(alpha*(alpha - 1))",
    latex={
        "value": r"(p - t)\cdot x + \frac{1}{\alpha(\alpha - 1)}\sum_c \bigl(t_c^\alpha - p_c^\alpha\bigr)",
        "with": r"p_c = \bigl[(\alpha - 1)x_c - \tau\bigr]_+^{1/(\alpha - 1)},\quad \textstyle\sum_c p_c = 1",
    },
    symbols=SYMBOLS,
    differentiable=("input",),
    description=(
        "Entmax turns a row of logits into probabilities as softmax does, but cuts off the tail: classes far below the "
        "largest get exactly 0. The gradient of its loss is ``p - t``, as for softmax and cross entropy, and the loss "
        "is 0 as soon as the target's class leads by a margin of 1/(alpha - 1). With alpha=2 it is ``sparsemax_loss``; "
        "alpha=1.5 is in use for translation and attention."
    ),
    notes=(
        "The threshold tau is found by Newton's iteration in float64 from below, where it is monotone: 5 to 10 steps. "
        "The Hessian is the diagonal ``s_k - s_k**2/sum(s)`` with ``s = p**(2 - alpha)`` on the support, 0 outside; it "
        "jumps where a class enters the support. For a soft target the constant that makes the value 0 at ``p = t`` is "
        "included."
    ),
    use_when=(
        "predictions should rule classes out: sparse attention, structured output, a long vocabulary",
        "rows that are right should stop pulling",
    ),
    avoid_when=(
        "the log-likelihood of rare classes matters: their probability may be 0",
        "the model's probabilities are read by a softmax elsewhere",
    ),
    pitfalls=(
        "Probabilities are those of entmax, not of softmax; a probability of 0 is not an underflow.",
        "``entmax_bisect_loss`` of the entmax package takes alpha=1.5 by default too, and sums over rows.",
    ),
    see_also=(
        ("sparsemax_loss", "alpha=2"),
        ("cross_entropy", "the limit alpha=1"),
        ("bi_tempered_logistic_loss", "heavier tails in place of none"),
    ),
    references=(
        Reference(
            "Peters, B., Niculae, V. and Martins, A. F. T. (2019). Sparse sequence-to-sequence models. Annual Meeting "
            "of the Association for Computational Linguistics, 1504-1519.",
            doi="10.18653/v1/P19-1146",
        ),
    ),
    equivalents=(
        Equivalent(
            "entmax", "entmax15_loss", "entmax.entmax15_loss(x, t)", {"reduction": "none"}, "One value for each row."
        ),
        Equivalent(
            "entmax",
            "entmax_bisect_loss",
            "entmax.entmax_bisect_loss(x, t, alpha=1.2, n_iter=100)",
            {"alpha": 1.2, "reduction": "none"},
            "One value for each row.",
        ),
    ),
    examples=""">>> losslib.entmax_loss([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]], [0, 0, 0], reduction="none").round(4)
array([0.3905, 0.0617, 0.    ])

The third row leads by more than 2 = 1/(alpha - 1) and costs nothing. The gradient is entmax(x) - t:

>>> losslib.entmax_loss.grad([[0.5, 0.0, -3.0]], [1]).round(4)
array([[ 0.674, -0.674,  0.   ]])

Value and gradient come from one pass:

>>> value, gradient = losslib.entmax_loss.value_and_grad([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]], [0, 0, 0])
>>> gradient.round(4)
array([[-0.1667,  0.1667],
       [-0.0564,  0.0564],
       [ 0.    ,  0.    ]])
""",
    tags=("multi-class", "logits", "soft labels", "convex", "sparse", "margin", "proper"),
    value_range="[0, inf]",
)


bootstrap_cross_entropy, BootstrapCrossEntropy = declare(
    "softmax_classes",
    "bootstrap_cross_entropy",
    "BootstrapCrossEntropy",
    family="multiclass",
    aliases=("bootstrapping", "soft_bootstrap", "hard_bootstrap"),
    summary="Cross entropy with a mixture of the label and what the model believes already.",
    inputs=(LOGITS, CLASSES),
    parameters=(
        Real("beta", 0.95, "Share of the label.", least=0.0, most=1.0, examples=(0.0, 0.8, 1.0)),
        Flag("hard", False, "Mix with the most probable class in place of all probabilities."),
        WEIGHT,
        IGNORE_INDEX,
        AXIS,
        EMPTY,
    ),
    kernel=lambda values: ("bootstrap", (float(values["beta"]), float(values["hard"]))),
    formula="w_t*(-beta*log(p_t) - (1 - beta)*where(hard, max_c(log(p_c)), sum_c(p_c*log(p_c))))",
    latex={
        "value": r"-\beta\,\log p_t - (1 - \beta)\sum_c p_c\log p_c",
        "hard": r"-\beta\,\log p_t - (1 - \beta)\log\max_c p_c",
    },
    symbols={**SYMBOLS, "w": "weight"},
    has_hessian=False,
    mean_divisor="weight",
    description=(
        "Some labels are wrong, and a model that has learnt from the others may know better. A part of each target is "
        "what the model predicts itself, so that a confident contradiction of a label costs less. The gradient is "
        "that of the value, through the mixed-in probabilities too: the soft form adds ``(1 - beta)`` times the "
        "entropy of the prediction."
    ),
    notes="Log-probabilities come from logits with the largest subtracted; classes that have underflowed add nothing.",
    use_when=(
        "labels are noisy and nobody knows which: soft with 0.95, hard with 0.8 in the paper",
        "a model is fine-tuned on labels that it knows better than some annotators",
    ),
    avoid_when=(
        "labels are right: it makes predictions too sharp",
        "training begins: the model believes nothing yet, and learns to be sure of anything",
    ),
    pitfalls=(
        "Code that stops the gradient of the mixed-in prediction has another gradient.",
        "With beta near 0 the best prediction is any that is certain.",
    ),
    see_also=(
        ("generalized_cross_entropy", "bounded instead"),
        ("symmetric_cross_entropy", "adds a bounded term"),
        ("cross_entropy", "with label_smoothing: mixes with all classes alike"),
    ),
    references=(
        Reference(
            "Reed, S., Lee, H., Anguelov, D., Szegedy, C., Erhan, D. and Rabinovich, A. (2015). Training deep neural "
            "networks on noisy labels with bootstrapping. International Conference on Learning Representations, "
            "workshop.",
            url="https://arxiv.org/abs/1412.6596",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "cross_entropy",
            "torch.nn.functional.cross_entropy(x, 0.95 * torch.nn.functional.one_hot(t, x.shape[1]).double() + 0.05 * "
            "x.softmax(1))",
            {},
            "The mixture as target, differentiated too.",
        ),
    ),
    examples=""">>> logits = np.array([[4.0, 0.0, 0.0]])
>>> round(losslib.bootstrap_cross_entropy(logits, [1], beta=0.8), 4)
3.2642
>>> round(losslib.bootstrap_cross_entropy(logits, [1], beta=0.8, hard=True), 4)
3.236
>>> round(losslib.cross_entropy(logits, [1]), 4)
4.036

Value and gradient come from one pass:

>>> value, gradient = losslib.bootstrap_cross_entropy.value_and_grad(logits, [1], beta=0.8)
>>> gradient.round(4)
array([[ 0.7445, -0.7722,  0.0278]])
""",
    tags=("multi-class", "logits", "robust", "smooth"),
)


normalized_cross_entropy, NormalizedCrossEntropy = declare(
    "softmax_classes",
    "normalized_cross_entropy",
    "NormalizedCrossEntropy",
    family="multiclass",
    aliases=("nce_of_labels", "normalised_cross_entropy"),
    summary="Cross entropy of the label, divided by the sum of the cross entropies of all classes.",
    inputs=(LOGITS, CLASSES),
    parameters=(WEIGHT, IGNORE_INDEX, AXIS, EMPTY),
    kernel=lambda values: ("normalized", ()),
    formula="w_t*log(p_t)/sum_c(log(p_c))",
    latex={"value": r"\frac{\log p_t}{\sum_c \log p_c}"},
    symbols={**SYMBOLS, "w": "weight"},
    has_hessian=False,
    mean_divisor="weight",
    value_range="[0, 1]",
    description=(
        "Dividing by the losses that all classes would have bounds the loss by 1 and makes its sum over the classes "
        "constant, for which it is robust to labels that are wrong at random. It learns slowly alone; its authors add "
        "an active loss such as ``symmetric_cross_entropy`` or a mean absolute error of probabilities."
    ),
    notes="A class beside the target's with the logit -inf makes the denominator infinite and the value 0.",
    use_when=(
        "a robust term for a sum of an active and a passive loss is needed",
        "noise is known to be symmetric over the classes",
    ),
    avoid_when=("it is to be the only loss of many classes: it hardly moves", "labels are right: ``cross_entropy``"),
    pitfalls=(
        "It is no proper score: probabilities are not calibrated.",
        "NCE often stands for noise-contrastive estimation, which is another loss.",
    ),
    see_also=(
        ("generalized_cross_entropy", "between cross entropy and mean absolute error"),
        ("symmetric_cross_entropy", "the other robust sum"),
        ("cross_entropy", "its numerator"),
    ),
    references=(
        Reference(
            "Ma, X., Huang, H., Wang, Y., Romano, S., Erfani, S. and Bailey, J. (2020). Normalized loss functions for "
            "deep learning with noisy labels. International Conference on Machine Learning, PMLR 119, 6543-6553.",
            url="https://arxiv.org/abs/2006.13554",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "log_softmax",
            "torch.log_softmax(x, 1).gather(1, t[:, None])[:, 0] / torch.log_softmax(x, 1).sum(1)",
            {"reduction": "none"},
            "By its definition.",
        ),
    ),
    examples=""">>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
>>> losslib.normalized_cross_entropy(logits, [0, 1], reduction="none").round(4)
array([0.0508, 0.3333])

Value and gradient come from one pass:

>>> value, gradient = losslib.normalized_cross_entropy.value_and_grad(logits, [0, 1])
>>> gradient.round(4)
array([[-0.0299,  0.0149,  0.0149],
       [ 0.0506, -0.1011,  0.0506]])
""",
    tags=("multi-class", "logits", "robust", "bounded", "smooth"),
)

FORMS = ("mse", "log", "digamma")
EVIDENCE = ("softplus", "relu", "exp")


def _evidential(values: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    return "evidential", (
        float(FORMS.index(values["form"])),
        float(EVIDENCE.index(values["evidence"])),
        float(values["kl_weight"]),
    )


evidential_loss, EvidentialLoss = declare(
    "softmax_classes",
    "evidential_loss",
    "EvidentialLoss",
    family="multiclass",
    aliases=("edl", "evidential_classification", "evidential_deep_learning"),
    summary="Error of a class under a Dirichlet distribution whose parameters are the evidence that the logits give.",
    inputs=(LOGITS, CLASSES),
    parameters=(
        Choice(
            "form",
            "mse",
            'Error that is averaged over the distribution: the squared error, ``"log"`` the logarithm of the average '
            'likelihood, ``"digamma"`` the average cross entropy.',
            choices=FORMS,
        ),
        Real(
            "kl_weight",
            1.0,
            "Weight of the divergence that asks for no evidence for wrong classes; raised from 0 to 1 in training.",
            least=0.0,
            examples=(0.0, 0.1),
        ),
        Choice(
            "evidence", "softplus", "From a logit to evidence >= 0; ``exp`` stops at a logit of 10.", choices=EVIDENCE
        ),
        IGNORE_INDEX,
        AXIS,
        EMPTY,
    ),
    kernel=_evidential,
    formula="sum_c((t_c - alpha_c/S)**2) + sum_c(alpha_c*(S - alpha_c))/(S**2*(S + 1)) + kl_weight*KL",
    latex={
        "value": (
            r"\sum_c\left[\Bigl(t_c - \frac{\alpha_c}{S}\Bigr)^2 + \frac{\alpha_c (S - \alpha_c)}{S^2 (S + 1)}\right] "
            r"+ \lambda\,\mathrm{KL}\bigl(\mathrm{Dir}(\tilde\alpha)\,\|\,\mathrm{Dir}(1)\bigr)"
        ),
        "with": r"\alpha = \mathrm{evidence}(x) + 1,\quad S = \sum_c\alpha_c,\quad "
        r"\tilde\alpha = t + (1 - t)\,\alpha",
        "log": r"\log S - \log\alpha_t + \lambda\,\mathrm{KL}(\dots)",
        "digamma": r"\psi(S) - \psi(\alpha_t) + \lambda\,\mathrm{KL}(\dots)",
    },
    symbols=SYMBOLS,
    has_hessian=False,
    description=(
        "The logits are not turned into probabilities but into evidence for each class; evidence plus one are the "
        "parameters of a Dirichlet distribution over probabilities. Where there is little evidence the distribution is "
        "wide: ``C/S`` is the uncertainty that a prediction comes with. The second term removes evidence for classes "
        "that are wrong."
    ),
    notes=(
        "The divergence is ``lgamma(sum) - lgamma(C) - sum(lgamma(a)) + sum((a - 1)*(digamma(a) - digamma(sum)))`` of "
        "``a = t + (1 - t)*alpha``; everything is computed in float64."
    ),
    use_when=(
        "a model should say that it does not know, without an ensemble",
        "inputs unlike the training are expected",
    ),
    avoid_when=(
        "calibrated probabilities are enough: ``cross_entropy``",
        "there are hundreds of classes: the divergence outweighs the rest",
    ),
    pitfalls=(
        "Probabilities are alpha/S, not a softmax of the logits.",
        "With relu, a row without evidence has no gradient and never recovers.",
        "A full kl_weight from the start leaves no evidence at all: raise it over the first epochs.",
    ),
    see_also=(("cross_entropy", "probabilities without their uncertainty"),),
    references=(
        Reference(
            "Sensoy, M., Kaplan, L. and Kandemir, M. (2018). Evidential deep learning to quantify classification "
            "uncertainty. Advances in Neural Information Processing Systems, 31, 3179-3189.",
            url="https://arxiv.org/abs/1806.01768",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "softplus",
            "(x.shape[1] + torch.nn.functional.softplus(x).sum(1)).log() - "
            "(torch.nn.functional.softplus(x).gather(1, t[:, None])[:, 0] + 1).log()",
            {"form": "log", "kl_weight": 0.0, "reduction": "none"},
            "By its definition.",
        ),
    ),
    examples=""">>> round(losslib.evidential_loss([[5.0, -5.0, -5.0]], [0]), 4)
0.1398
>>> round(losslib.evidential_loss([[5.0, -5.0, -5.0]], [1]), 4)
2.8807

Value and gradient come from one pass:

>>> value, gradient = losslib.evidential_loss.value_and_grad([[5.0, -5.0, -5.0]], [0])
>>> gradient.round(4)
array([[-0.0327,  0.0006,  0.0006]])
""",
    tags=("multi-class", "logits", "uncertainty", "smooth"),
)
