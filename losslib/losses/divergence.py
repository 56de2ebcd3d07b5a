"""Losses of rows that replace the logarithm or the softmax of cross entropy, or compare two predicted distributions.

Formula names are those of `losslib.losses.multiclass`. For `js_div` and `distillation_loss` the target is a row of
logits too; q is its softmax. The calls of other packages then take x and t of shape (N, C).
"""

from __future__ import annotations

from losslib.declaration.schema import Equivalent, Input, Real, Reference
from losslib.declare import declare
from losslib.losses.multiclass import (
    AXIS,
    CLASSES_OR_PROBABILITIES,
    IGNORE_INDEX,
    LABEL_SMOOTHING,
    LOGITS,
    PROBABILITIES_OF_LOGITS,
    SMOOTHED,
    SYMBOLS,
)

__all__ = [
    "BiTemperedLogisticLoss",
    "DistillationLoss",
    "JSDivLoss",
    "SparsemaxLoss",
    "bi_tempered_logistic_loss",
    "distillation_loss",
    "js_div",
    "sparsemax_loss",
]

STUDENT = Input(
    "input",
    "Logits of the student, the model that is trained. Classes lie along `axis`: axis 1, or axis 0 where there is only "
    "one, so shapes are (C,), (N, C) or (N, C, d1, ...).",
    holds="row",
)
TEACHER = Input(
    "target",
    "Logits of the teacher (not probabilities), of the shape of the input. No gradient is taken for them.",
    holds="row",
)

HINTON = Reference(
    "Hinton, G., Vinyals, O. and Dean, J. (2015). Distilling the knowledge in a neural network. NIPS Deep Learning and "
    "Representation Learning Workshop.",
    url="https://arxiv.org/abs/1503.02531",
)


bi_tempered_logistic_loss, BiTemperedLogisticLoss = declare(
    "softmax",
    "bi_tempered_logistic_loss",
    "BiTemperedLogisticLoss",
    family="multiclass",
    aliases=("bi_tempered", "bi_tempered_logistic", "bitempered_loss"),
    summary="Cross entropy with a bounded logarithm and a heavy-tailed softmax, for labels with mistakes.",
    inputs=(LOGITS, CLASSES_OR_PROBABILITIES),
    parameters=(
        Real(
            "t1",
            0.8,
            "Temperature of the logarithm: below 1 the loss of a row is bounded by ``1/(1 - t1)``; 1 is the logarithm.",
            least=0.0,
            most=1.0,
            examples=(0.0, 0.5, 1.0),
        ),
        Real(
            "t2",
            1.2,
            "Temperature of the softmax: above 1 its tails are heavy, so that rows near the boundary disturb less; 1 "
            "is the softmax.",
            least=1.0,
            examples=(1.0, 2.0, 4.0),
        ),
        LABEL_SMOOTHING,
        IGNORE_INDEX,
        AXIS,
    ),
    kernel=lambda values: ("bi_tempered", (float(values["t1"]), float(values["t2"]))),
    formula="sum_c(y_c*(log_t(y_c, t1) - log_t(p_c, t1)) - (y_c**(2 - t1) - p_c**(2 - t1))/(2 - t1))",
    definitions=SMOOTHED
    | {
        "log_t(u, a)": "where(a == 1, log(u), (u**(1 - a) - 1)/(1 - a))",
        "exp_t(u, a)": "where(a == 1, exp(u), (1 + (1 - a)*u)**(1/(1 - a)))",
        "m": "sum_c(exp_t(x_c - m, t2)) == 1",
        "p": "exp_t(x_c - m, t2)",
    },
    gradient={"input": "(p_k - y_k)*p_k**(t2 - t1) - p_k**t2*sum_c((p_c - y_c)*p_c**(t2 - t1))/sum_c(p_c**t2)"},
    keywords={"noisy labels": 3},
    symbols=SYMBOLS,
    has_hessian=False,
    value_range="[0, 1/(1 - t1)]",
    description=(
        "Cross entropy is at the mercy of wrong labels in two ways: the loss of a far outlier is unbounded, and the "
        "light tail of the softmax bends the boundary for mistakes close to it. Two temperatures repair both. The "
        "logarithm becomes ``log_t(u, t1) = (u**(1 - t1) - 1)/(1 - t1)``, bounded at 0 for t1 < 1; the exponential "
        "becomes ``exp_t(u, t2) = max(1 + (1 - t2)*u, 0)**(1/(1 - t2))``, which falls like a power for t2 > 1.\n\n"
        "In the formula ``p_c = exp_t(x_c - m, t2)``, with the number m of each row chosen so that the p_c sum to 1. "
        "The sum is the Bregman divergence that belongs to ``log_t``, so the loss is 0 only if p equals the target and "
        "p at the optimum is the true distribution, for every t1. Probabilities of a trained model are therefore this "
        'p, not ``softmax(x)``. ``"mean"`` divides by the number of rows that are not ignored.'
    ),
    notes=(
        "With t1 = t2 = 1 and a class index this is ``cross_entropy``; for soft or smoothed targets it is cross "
        "entropy minus the entropy of the target, so a perfect prediction costs 0. With t1 = 1 the bound is infinite. "
        "m has no closed form for t2 > 1 and is found by iteration for each row.\n\n"
        "With ``g_c = (p_c - t_c)*p_c**(t2 - t1)`` the gradient is ``g_k - e_k*sum_c(g_c)``, where e is p**t2 divided "
        "by its sum. For t1 < t2 it fades for rows that are badly wrong. The loss is not convex in the logits."
    ),
    use_when=(
        "labels are noisy, both far outliers and mistakes near the boundary: t1 handles the first, t2 the second",
        "a robust loss is wanted that is still proper: the tempered p estimates the class probabilities",
    ),
    avoid_when=(
        "labels are clean: ``cross_entropy`` is convex in the logits, faster and has nothing to tune",
        "rows have very many classes and time matters: the normaliser costs several passes over each row",
        "other code applies a softmax to the logits afterwards: it would not see this model's probabilities",
    ),
    pitfalls=(
        "Use the tempered p for probabilities; the ranking of the classes is the same as that of the logits.",
        "The authors' code spreads ``label_smoothing`` over the C - 1 wrong classes: their value is (C - 1)/C times "
        "the one to pass here. It also normalises with five fixed-point steps, so values differ in late digits.",
        "The value is bounded: 1/(1 - t1), 5 by default, on a row means certain and wrong.",
        "Temperatures here bend functions; the temperature of ``distillation_loss`` divides logits.",
    ),
    see_also=(
        ("generalized_cross_entropy", "bends the logarithm only, one parameter, no iteration"),
        ("symmetric_cross_entropy", "adds a bounded term to cross entropy"),
        ("cross_entropy", "both temperatures 1"),
        ("sparsemax_loss", "another softmax, with tails cut off instead of raised"),
    ),
    references=(
        Reference(
            "Amid, E., Warmuth, M. K., Anil, R. and Koren, T. (2019). Robust bi-tempered logistic loss based on "
            "Bregman divergences. Advances in Neural Information Processing Systems, 32.",
            url="https://arxiv.org/abs/1906.03361",
        ),
    ),
    equivalents=(
        Equivalent("torch", "cross_entropy", "torch.nn.functional.cross_entropy(x, t)", {"t1": 1.0, "t2": 1.0}),
    ),
    examples=""">>> round(losslib.bi_tempered_logistic_loss([[0.0, 0.0]], [0], t1=0.5), 4)
0.3905

Two equal logits have p = (1/2, 1/2) for every t2. By hand: 2*(1 - sqrt(0.5)) - (1 - 2*0.5**1.5)/1.5.

A certain and wrong row costs at most 1/(1 - t1), where cross entropy would charge 100, and is left alone:

>>> value, gradient = losslib.bi_tempered_logistic_loss.value_and_grad([[0.0, 100.0]], [0], t1=0.5, t2=1.0)
>>> round(value, 4)
2.0
>>> np.abs(gradient).max() < 1e-9
np.True_
""",
    tags=("multi-class", "logits", "soft labels", "robust", "bounded", "smooth", "proper"),
)


sparsemax_loss, SparsemaxLoss = declare(
    "softmax",
    "sparsemax_loss",
    "SparsemaxLoss",
    family="multiclass",
    aliases=("multiclass_sparsemax_loss", "sparsemax"),
    summary="The loss that belongs to sparsemax, the projection of a row of logits onto the probabilities.",
    inputs=(LOGITS, CLASSES_OR_PROBABILITIES),
    parameters=(IGNORE_INDEX, AXIS),
    kernel="sparsemax",
    formula="sum_c((x_c - p_c)*p_c + p_c**2/2 + t_c**2/2 - t_c*x_c)",
    definitions={"tau": "sum_c(max(x_c - tau, 0)) == 1", "p": "max(x_c - tau, 0)"},
    gradient={"input": "p_k - t_k"},
    keywords={"sparse probabilities": 1},
    symbols=SYMBOLS,
    has_hessian=False,
    description=(
        "Sparsemax turns a row of logits into probabilities as softmax does, but most of them are exactly 0: ``p_c = "
        "max(x_c - tau, 0)``, with the threshold tau of each row chosen so that they sum to 1. It is the point of the "
        "probability simplex nearest to the logits. This loss is to sparsemax what cross entropy is to softmax: the "
        "gradient is ``p - t``.\n\n"
        "The loss is convex, quadratic near the boundary and linear for wrong rows. It is exactly 0 once the logit of "
        "the target class leads all others by 1, a margin that cross entropy lacks. ``sparsemax(input)`` at the "
        'optimum is the true distribution. ``"mean"`` divides by the number of rows that are not ignored.'
    ),
    notes=(
        "For a class index the formula is ``1/2 + sum_S((x_c**2 - tau**2)/2) - x_t``, where S holds the classes with "
        "``x_c > tau``. It is evaluated with the largest logit subtracted, so that squares of large logits do not "
        "cancel. The gradient is exact and has exact zeros; it is continuous, with kinks where a class enters S, and "
        "no second derivative is offered. tau is found by shrinking S until it no longer changes, "
        "without sorting."
    ),
    use_when=(
        "the model uses sparsemax for its output or attention and should be trained on the same map",
        "predictions should exclude classes outright, for reading or for fast sums over the few that remain",
        "a margin is wanted together with probabilities: rows that are right by 1 stop pulling",
    ),
    avoid_when=(
        "log-likelihoods or perplexities are reported: probabilities of 0 make them infinite",
        "forecasts need small but positive probabilities: ``cross_entropy``",
        "labels are noisy: wrong rows cost linearly without bound",
    ),
    pitfalls=(
        "Probabilities come from sparsemax of the logits, not from softmax.",
        "The size of the logits matters: scaling them by 10 makes nearly every output one-hot.",
        "Frameworks write sparsemax_loss for the binary case too (optax): that is ``binary_sparsemax_loss`` here.",
        "For probabilities as target the constant ``sum_c(t_c**2)/2`` is included, so that a perfect prediction costs "
        "0; some code leaves it out.",
    ),
    see_also=(
        ("binary_sparsemax_loss", "two classes and one logit"),
        ("cross_entropy", "the same idea for the softmax"),
        ("modified_huber_loss", "binary: four times this loss, for labels -1 and 1"),
    ),
    references=(
        Reference(
            "Martins, A. F. T. and Astudillo, R. F. (2016). From softmax to sparsemax: a sparse model of attention and "
            "multi-label classification. International Conference on Machine Learning, PMLR 48, 1614-1623.",
            url="https://arxiv.org/abs/1602.02068",
        ),
        Reference(
            "Blondel, M., Martins, A. F. T. and Niculae, V. (2020). Learning with Fenchel-Young losses. Journal of "
            "Machine Learning Research, 21(35), 1-69.",
            url="https://arxiv.org/abs/1901.02324",
        ),
    ),
    equivalents=(
        Equivalent(
            "optax",
            "multiclass_sparsemax_loss",
            "optax.losses.multiclass_sparsemax_loss(x, t)",
            {"reduction": "none"},
            "Class indices only; classes on the last axis.",
        ),
    ),
    examples=""">>> losslib.sparsemax_loss([[0.0, 0.0], [0.5, 0.0], [2.0, 0.5]], [0, 0, 0], reduction="none")
array([0.25  , 0.0625, 0.    ])

The third row leads by more than 1 and costs nothing. The gradient is sparsemax(x) - t:

>>> value, gradient = losslib.sparsemax_loss.value_and_grad([[0.5, 0.0, -3.0]], [1])
>>> value
0.5625
>>> gradient
array([[ 0.75, -0.75,  0.  ]])
""",
    tags=("multi-class", "logits", "soft labels", "convex", "sparse", "margin", "proper"),
    entries=("L063",),
    value_range="[0, inf]",
)


js_div, JSDivLoss = declare(
    "softmax",
    "js_div",
    "JSDivLoss",
    family="multiclass",
    aliases=("jsd", "jensen_shannon", "js_divergence", "generalized_jsd"),
    summary="Generalised Jensen-Shannon divergence between the softmax of a student and that of a teacher.",
    inputs=(STUDENT, TEACHER),
    parameters=(
        Real(
            "beta",
            0.5,
            "Part of the teacher in the mixture. 0.5 is the Jensen-Shannon divergence; 0 stands for KL(teacher || "
            "student) and 1 for KL(student || teacher).",
            least=0.0,
            most=1.0,
            examples=(0.0, 0.1, 0.9, 1.0),
        ),
        AXIS,
    ),
    kernel="js_div",
    formula=(
        "where(beta == 0, sum_c(q_c*log(q_c/p_c)), where(beta == 1, sum_c(p_c*log(p_c/q_c)), "
        "beta*sum_c(q_c*log(q_c/m_c)) + (1 - beta)*sum_c(p_c*log(p_c/m_c))))"
    ),
    definitions=PROBABILITIES_OF_LOGITS | {"q": "exp(t_c)/sum_j(exp(t_j))", "m": "beta*q_c + (1 - beta)*p_c"},
    gradient={
        "input": (
            "where(beta == 0, p_k - q_k, where(beta == 1, p_k*(log(p_k/q_k) - sum_c(p_c*log(p_c/q_c))), "
            "(1 - beta)*p_k*(log(p_k/m_k) - sum_c(p_c*log(p_c/m_c)))))"
        )
    },
    keywords={"noisy labels": 4, "divergence": 3},
    symbols=SYMBOLS,
    has_hessian=False,
    value_range="[0, -beta*log(beta) - (1 - beta)*log(1 - beta)] for 0 < beta < 1, [0, inf] for 0 and 1",
    description=(
        "Measures how far the student's distribution ``p = softmax(input)`` is from the teacher's ``q = "
        "softmax(target)`` by comparing both with their mixture ``m = beta*q + (1 - beta)*p``: ``beta*KL(q || m) + "
        "(1 - beta)*KL(p || m)``. Unlike a plain KL divergence it is bounded, by log(2) at beta = 0.5, even "
        "where one gives a class no probability. Both inputs are logits.\n\n"
        "beta chooses the character: near 0 the student must cover everything the teacher finds possible, near 1 it "
        "may settle on part of it. The sum runs over the classes, "
        'and ``"mean"`` divides by the number of rows, which other packages call batchmean.'
    ),
    notes=(
        "Computed from the log-softmax of both, so nothing overflows; where a probability underflows to 0 its term is "
        "0. The gradient is for the input only: the teacher is fixed. There is no temperature; divide both logits by "
        "one beforehand if it is wanted.\n\n"
        "0 and 1 are the KL divergences themselves, not limits: for small beta the loss is about ``beta*KL(q || p)`` "
        "and goes to 0. The loss is not convex in the logits."
    ),
    use_when=(
        "a student imitates a teacher that is sometimes far off: the loss of a row is bounded",
        "two views or two dropout passes of one model should agree (consistency training)",
        "distilling language models: beta moves between covering and picking modes",
    ),
    avoid_when=(
        "the student starts far from the teacher: where the two hardly overlap the gradient fades; "
        "``distillation_loss`` keeps it",
        "targets are class labels: ``cross_entropy``",
        "inputs are probabilities: take their logarithms, which are valid logits",
    ),
    pitfalls=(
        "Both inputs are logits here; Liger's function takes log-probabilities. These are logits too, so passing them "
        "is right; probabilities are not.",
        "beta is not continuous at its ends: 0.001 gives about a thousandth of what 0 gives.",
        "Some papers and libraries exchange the roles of beta and 1 - beta, or of input and target.",
        "SciPy's ``jensenshannon`` is the square root of the divergence.",
        "Values are in nats; divide by log(2) for bits.",
    ),
    see_also=(
        ("distillation_loss", "KL(teacher || student) with a temperature"),
        ("kl_div", "one term per class, for log-probabilities and probabilities"),
        ("symmetric_cross_entropy", "labels as target"),
    ),
    references=(
        Reference(
            "Lin, J. (1991). Divergence measures based on the Shannon entropy. IEEE Transactions on Information "
            "Theory, 37(1), 145-151.",
            doi="10.1109/18.61115",
        ),
        Reference(
            "Agarwal, R., Vieillard, N., Zhou, Y., Stanczyk, P., Ramos, S., Geist, M. and Bachem, O. (2024). On-policy "
            "distillation of language models: learning from self-generated mistakes. International Conference on "
            "Learning Representations.",
            url="https://arxiv.org/abs/2306.13649",
        ),
    ),
    equivalents=(
        Equivalent(
            "torchmetrics",
            "jensen_shannon_divergence",
            "torchmetrics.functional.regression.jensen_shannon_divergence(x.softmax(1), t.softmax(1))",
            {},
            "Takes probabilities, or log-probabilities with ``log_prob=True``.",
        ),
        Equivalent(
            "torch",
            "kl_div",
            "torch.nn.functional.kl_div(torch.log_softmax(t, 1), torch.log_softmax(x, 1), log_target=True, "
            "reduction='batchmean')",
            {"beta": 1.0},
            "For beta = 0 exchange x and t.",
        ),
        Equivalent(
            "scipy",
            "spatial.distance.jensenshannon",
            "scipy.spatial.distance.jensenshannon("
            "scipy.special.softmax(x, axis=1), scipy.special.softmax(t, axis=1), axis=1) ** 2",
            {"reduction": "none"},
            "Takes probabilities; returns the square root.",
        ),
    ),
    examples=""">>> student, teacher = np.log([[0.5, 0.5]]), np.log([[0.9, 0.1]])
>>> round(losslib.js_div(student, teacher), 4)
0.1017

At the ends of beta stand the two KL divergences:

>>> round(losslib.js_div(student, teacher, beta=0.0), 4), round(losslib.js_div(student, teacher, beta=1.0), 4)
(0.3681, 0.5108)
>>> value, gradient = losslib.js_div.value_and_grad(student, teacher)
>>> gradient.round(4)
array([[-0.1059,  0.1059]])
""",
    tags=("multi-class", "logits", "soft labels", "bounded", "smooth"),
    entries=("L089",),
)


distillation_loss, DistillationLoss = declare(
    "softmax",
    "distillation_loss",
    "DistillationLoss",
    family="multiclass",
    aliases=("kd_loss", "knowledge_distillation"),
    summary="KL divergence of a student's softened predictions from a teacher's, times the temperature squared.",
    inputs=(STUDENT, TEACHER),
    parameters=(
        Real(
            "temperature",
            1.0,
            "Divides both logits before the softmax: the larger, the more the small probabilities of the teacher "
            "count.",
            above=0.0,
            examples=(2.0, 4.0),
        ),
        AXIS,
    ),
    kernel="distillation",
    formula="temperature**2*sum_c(q_c*log(q_c/p_c))",
    definitions={
        "p": "exp(x_c/temperature)/sum_j(exp(x_j/temperature))",
        "q": "exp(t_c/temperature)/sum_j(exp(t_j/temperature))",
    },
    gradient={"input": "temperature*(p_k - q_k)"},
    keywords={"teacher": 1},
    symbols=SYMBOLS,
    has_hessian=False,
    description=(
        "Trains a small model to give the probabilities of a large one, ``T**2*KL(softmax(target/T) || "
        "softmax(input/T))`` with the temperature T. Beside the right class, the teacher says which wrong classes are "
        "nearly right; a temperature of 2 to 8 brings these small probabilities into view. Both inputs are logits.\n\n"
        "The factor T**2 keeps the gradient of the same size for every temperature, so that the loss can be added to a "
        "cross entropy of the labels with a fixed weight. The minimum, 0, is reached where the logits of the student "
        "equal those of the teacher up to a constant per row. "
        '``"mean"`` divides by the number of rows, which other packages call batchmean.'
    ),
    notes=(
        "Both log-softmaxes subtract the largest logit of the row; nothing overflows, and a class to which the teacher "
        "gives the probability 0 contributes 0. The gradient, ``T*(softmax(x/T) - softmax(t/T))``, is for the input "
        "only: the teacher is fixed. For large T it tends to ``(x - t)/C`` of centred logits, a squared error.\n\n"
        "The loss is convex in the input."
    ),
    use_when=(
        "a small model should imitate a large one, an ensemble or an earlier self",
        "labels are missing but a teacher can be asked",
        "a new model must not forget the old one's predictions: the old model is the teacher",
    ),
    avoid_when=(
        "the teacher is given as probabilities and its logits are lost: ``cross_entropy`` with probabilities as "
        "target has the same gradient at temperature 1",
        "the teacher is unreliable on some rows: ``js_div`` is bounded",
        "the student is far too small to cover the teacher: KL in this direction spreads it thin; ``js_div`` with "
        "beta near 1 picks modes",
    ),
    pitfalls=(
        "Both inputs are logits; log-probabilities work too, probabilities do not.",
        "The factor T**2 is included. Code that multiplies it again, or lacks it, has another balance with the label "
        "loss: Liger divides the logits but has no factor.",
        "``torch.nn.functional.kl_div`` takes the student's log-probabilities and its default mean also divides by "
        "the number of classes; this mean does not.",
        "Do not apply the temperature before the call: it would be applied twice.",
    ),
    see_also=(
        ("js_div", "bounded, and between both directions of KL"),
        ("kl_div", "the same divergence term by term, on log-probabilities"),
        ("cross_entropy", "for labels, or probabilities of the teacher"),
    ),
    references=(HINTON,),
    equivalents=(
        Equivalent(
            "torch",
            "kl_div",
            "4.0 * torch.nn.functional.kl_div(torch.log_softmax(x / 2.0, 1), torch.log_softmax(t / 2.0, 1), "
            "log_target=True, reduction='batchmean')",
            {"temperature": 2.0},
            "The pieces that most training scripts put together.",
        ),
        Equivalent(
            "optax",
            "kl_divergence_with_log_targets",
            "optax.losses.kl_divergence_with_log_targets(jax.nn.log_softmax(x), jax.nn.log_softmax(t))",
            {"reduction": "none"},
            "Takes log-probabilities; classes on the last axis.",
        ),
    ),
    examples=""">>> student, teacher = np.log([[0.5, 0.5]]), np.log([[0.8, 0.2]])
>>> round(losslib.distillation_loss(student, teacher), 4)
0.1927

By hand: 0.8*log(0.8/0.5) + 0.2*log(0.2/0.5). At temperature 2 the teacher says (2/3, 1/3):

>>> value, gradient = losslib.distillation_loss.value_and_grad(student, teacher, temperature=2.0)
>>> round(value, 4)
0.2265
>>> gradient.round(4)
array([[-0.3333,  0.3333]])
""",
    tags=("multi-class", "logits", "soft labels", "convex", "smooth"),
    entries=("L092",),
    value_range="[0, inf]",
)
