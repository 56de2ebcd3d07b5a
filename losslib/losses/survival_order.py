"""Survival: losses of the order of the samples, and of whole survival curves.

In the formulas x is the prediction of a sample, t its time and e whether the event came (1) or the sample was censored
(0); "comparable" are the pairs of an event i and a sample j that is observed beyond it.
"""

from __future__ import annotations

from losslib.declaration.schema import BINARY, PROBABILITY, Array, Equivalent, Flag, Input, Real, Reference
from losslib.declare import declare
from losslib.losses.survival import EVENT_FIX, INTERVAL

__all__ = [
    "DeepHitLoss",
    "IPCWBrierScore",
    "SurvivalRankLoss",
    "deephit_loss",
    "ipcw_brier_score",
    "survival_rank_loss",
]

TIME = Input("time", "Time at which each sample's observation ends, N numbers.", holds="time")
EVENT = Input(
    "event",
    "1 if the event came then, 0 if the sample was censored; N numbers or booleans.",
    domain=BINARY,
    fix=EVENT_FIX,
    holds="event",
)
UNO = Reference(
    "Uno, H., Cai, T., Pencina, M. J., D'Agostino, R. B. & Wei, L. J. (2011). On the C-statistics for evaluating "
    "overall adequacy of risk prediction procedures with censored survival data. Statistics in Medicine, 30(10), "
    "1105-1117.",
    doi="10.1002/sim.4154",
)
GRAF = Reference(
    "Graf, E., Schmoor, C., Sauerbrei, W. & Schumacher, M. (1999). Assessment and comparison of prognostic "
    "classification schemes for survival data. Statistics in Medicine, 18(17-18), 2529-2545.",
    doi="10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5",
)

survival_rank_loss, SurvivalRankLoss = declare(
    "comparable",
    "survival_rank_loss",
    "SurvivalRankLoss",
    family="survival",
    mean_divisor="pairs",
    aliases=("survival_rank", "survival_ranking_loss"),
    summary="Logistic loss of the difference of two scores, for each event and each sample observed beyond it.",
    inputs=(
        Input("input", "Risk score of each sample, N real numbers; larger dies earlier."),
        TIME,
        EVENT,
    ),
    parameters=(
        Real("sigma", 1.0, "Factor of the difference of the scores.", above=0.0, examples=(0.5, 2.0)),
        Flag(
            "ipcw",
            False,
            "Weigh the pairs of an event by the inverse square of the probability to be uncensored at its time, as "
            "Uno's concordance does.",
        ),
    ),
    kernel="by_time",
    formula="sum_comparable(w[i]*softplus(-sigma*(x[i] - x[j])))",
    latex={
        "value": (
            r"L = \sum_{i:\, e_i = 1}\ \sum_{j:\, t_j > t_i \text{ or } t_j = t_i,\, e_j = 0} w_i \log\bigl(1 + "
            r"e^{-\sigma (x_i - x_j)}\bigr)"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_k} = -\sigma \sum_j w_k\, \rho_{kj} + \sigma \sum_i w_i\, \rho_{ik}, \qquad "
            r"\rho_{ij} = \frac{1}{1 + e^{\sigma (x_i - x_j)}}"
        ),
        "hessian": r"\frac{\partial^2 L}{\partial x_k^2} = \sigma^2 \sum w\, \rho\, (1 - \rho)",
    },
    symbols={"x": "input"},
    tags=("survival", "censoring", "pairs", "convex", "smooth"),
    value_range="[0, inf)",
    description=(
        "Two samples can be compared if the earlier time is an event; who has it should have the higher score. The "
        "loss is a convex bound of what the concordance index counts.\n\n"
        '``"mean"`` divides by the number of comparable pairs, or with `ipcw` by the sum of their weights; a call '
        'without such a pair is 0 and has the gradient 0. ``"none"`` gives N values: the pairs of each event. '
        "`sample_weight` multiplies the pairs of an event."
    ),
    notes=(
        "w is 1, or ``1/G(t)**2`` with `ipcw`: G is Kaplan and Meier's estimate of the probability to be uncensored, "
        "from the samples of the call, constant in the derivatives; where it is 0 the weight is 0. Of tied times the "
        "events come first: an event is comparable with the censored samples of its time, two events at one time are "
        "not comparable.\n\n"
        "Samples are sorted by time, so that all partners of an event are neighbours; time grows with the pairs, "
        "memory with the samples. A masked sample is in no pair. The pairs of a part of the data are not those of "
        "the whole: "
        "accumulators refuse this loss."
    ),
    use_when=(
        "a risk score is judged by its concordance",
        "hazards are not proportional, and only the order matters",
    ),
    avoid_when=(
        "there are hundreds of thousands of samples: ``cox_ph_loss`` takes one pass over the sorted times",
        "times or curves are to be predicted: ``aft_loss``, ``logistic_hazard_loss``",
    ),
    pitfalls=(
        "A higher score means an earlier event: predictions of times have to be negated.",
        "Weights of `ipcw` grow without bound where few are left uncensored.",
    ),
    see_also=(
        ("cox_ph_loss", "each event against all at risk, by a softmax"),
        ("pairwise_logistic_loss", "the same pairs for labels that are all known"),
        ("deephit_loss", "pairs of distribution functions"),
    ),
    references=(
        Reference(
            "Raykar, V. C., Steck, H., Krishnapuram, B., Dehing-Oberije, C. & Lambin, P. (2007). On ranking in "
            "survival analysis: bounds on the concordance index. NeurIPS 20.",
            url="https://papers.nips.cc/paper/3375-on-ranking-in-survival-analysis-bounds-on-the-concordance-index",
        ),
        UNO,
    ),
    equivalents=(
        Equivalent(
            "sksurv",
            "sksurv.metrics.concordance_index_censored",
            note="the share of pairs in the right order, which this loss bounds; losslib.concordance_index is the same",
        ),
    ),
    examples="""
    Three samples: the first dies while two are observed, the second is censored.

    >>> value, grad = losslib.survival_rank_loss.value_and_grad([1.0, 0.0, 0.0], [1.0, 2.0, 3.0], [1, 0, 1])
    >>> round(value, 4), grad.round(4)
    (0.3133, array([-0.2689,  0.1345,  0.1345]))
    """,
)

deephit_loss, DeepHitLoss = declare(
    "hits",
    "deephit_loss",
    "DeepHitLoss",
    family="survival",
    aliases=("deephit", "deep_hit"),
    has_hessian=False,
    summary="Likelihood of times on a grid, and a penalty for pairs of samples whose distributions are in the wrong "
    "order.",
    inputs=(
        Input(
            "input",
            "Logits, of shape (N, K): samples and intervals; with R causes that compete (N, R, K).",
            holds="row",
        ),
        INTERVAL,
        Input(
            "event",
            "Cause of the event, from 1 to R, or 0 for a censored sample; N integers or booleans.",
            holds="cause",
        ),
    ),
    parameters=(
        Real("alpha", 0.2, "Share of the likelihood; the pairs have the rest.", least=0.0, most=1.0, examples=(0.5,)),
        Real("sigma", 0.1, "Scale of the differences of distribution functions.", above=0.0, examples=(0.5, 1.0)),
        Flag(
            "pad",
            True,
            "Add a category after the last interval, whose logit is 0: those who outlive the grid.",
        ),
    ),
    kernel="deephit",
    formula="alpha*pmf(x) + (1 - alpha)/N*sum_comparable(exp(-(F_i(t_i) - F_j(t_i))/sigma))",
    latex={
        "value": (
            r"L_i = \alpha\, \ell_i + \frac{1 - \alpha}{N} \sum_{j:\, t_j > t_i \text{ or } t_j = t_i,\, e_j = 0} "
            r"e^{-(F_i(t_i) - F_j(t_i))/\sigma}, \qquad F_j(t) = \sum_{k \le t} p_{j e_i k}"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_{j r k}} = \alpha \frac{\partial \ell_j}{\partial x_{j r k}} + p_{j r k} "
            r"\Bigl(a_{j r k} - \sum_{s, i} a_{j s i}\, p_{j s i}\Bigr), \qquad a_{j r k} = \sum_{t \ge k} "
            r"\frac{\partial L}{\partial F_{j r}(t)}"
        ),
    },
    symbols={"x": "input", "t": "interval", "e": "event"},
    tags=("survival", "censoring", "logits", "competing risks", "rows", "pairs", "smooth"),
    value_range="[0, inf]",
    description=(
        "The likelihood is that of ``pmf_loss``. For each event the distribution function of the sample, at that "
        "interval and for that cause, should be above those of all who are observed longer: pairs where it is not cost "
        'exponentially.\n\n``"mean"`` divides by the samples, so that the pairs are averaged over all N*N; ``"none"`` '
        "gives N values, with the pairs of an event at the event. `sample_weight` multiplies these values."
    ),
    notes=(
        "ℓ is the value of ``pmf_loss``. N counts the samples that the mask leaves. Of tied intervals the events come "
        "first, as in pycox: an event is compared with the censored samples of its interval.\n\n"
        "Computed in float64 for every input type: ``exp(1/sigma)`` is the largest cost of a pair, which overflows "
        "float32 for sigma below 0.0113. Time grows with the pairs, memory with the scores. The pairs of a part of the "
        "data are not those of the whole: accumulators refuse this loss. There is no Hessian."
    ),
    use_when=(
        "causes compete, and the order of the samples matters as well as the likelihood",
        "curves on a grid are judged by a time-dependent concordance",
    ),
    avoid_when=(
        "probabilities have to be calibrated: ``pmf_loss`` alone",
        "batches are small: pairs within a batch are few",
    ),
    pitfalls=(
        "pycox calls the share of the likelihood alpha too, with the same default 0.2; other implementations weigh the "
        "pairs with it.",
        "`event` names the cause from 1 on; 0 is censored.",
    ),
    see_also=(
        ("pmf_loss", "the likelihood alone"),
        ("survival_rank_loss", "pairs of one score a sample"),
        ("logistic_hazard_loss", "hazards in place of a distribution"),
    ),
    references=(
        Reference(
            "Lee, C., Zame, W. R., Yoon, J. & van der Schaar, M. (2018). DeepHit: a deep learning approach to survival "
            "analysis with competing risks. AAAI, 2314-2321.",
            doi="10.1609/aaai.v32i1.11842",
        ),
    ),
    equivalents=(
        Equivalent(
            "pycox",
            "pycox.models.loss.DeepHitSingleLoss",
            note="arguments phi, idx_durations, events, rank_mat; it adds 1e-7 in its logarithms",
        ),
    ),
    examples="""
    Equal logits: no pair is in order or out of it, so each costs 1. The first sample is compared with the second.

    >>> logits, interval, event = np.zeros((2, 3)), np.array([0, 2]), np.array([1, 0])
    >>> value, grad = losslib.deephit_loss.value_and_grad(logits, interval, event, alpha=0.0, reduction="sum")
    >>> value
    0.5
    >>> grad.round(4)
    array([[-0.9375,  0.3125,  0.3125],
           [ 0.9375, -0.3125, -0.3125]])
    """,
)

ipcw_brier_score, IPCWBrierScore = declare(
    "brier",
    "ipcw_brier_score",
    "IPCWBrierScore",
    family="survival",
    aliases=("ipcw_brier", "integrated_brier_score", "survival_brier_score"),
    summary="Squared error of survival curves against who is alive, weighted by the inverse probability of censoring.",
    inputs=(
        Input(
            "input",
            "Predicted probability to live beyond each of T times, of shape (N, T).",
            domain=PROBABILITY,
            holds="row",
        ),
        TIME,
        EVENT,
    ),
    parameters=(
        Array(
            "eval_times",
            None,
            "The T times of the columns of `input`, rising. None for 1, 2, ..., T.",
        ),
        Array(
            "train_time",
            None,
            "Times of the samples from which the censoring is estimated, M numbers; None for `time` itself.",
        ),
        Array("train_event", None, "Events of these samples."),
        Flag(
            "integrate",
            True,
            "Integrate over the times by trapezoids and divide by their range; else the mean over the times.",
        ),
    ),
    kernel="brier",
    formula="sum_times(c*where(t <= s and e, x**2/G(t), where(t > s, (1 - x)**2/G(s), 0)))",
    latex={
        "value": (
            r"L_i = \sum_k c_k \left( \frac{[\,t_i \le s_k,\ e_i = 1\,]}{G(t_i)} x_{ik}^2 + \frac{[\,t_i > "
            r"s_k\,]}{G(s_k)} (1 - x_{ik})^2 \right)"
        ),
        "gradient": (
            r"\frac{\partial L_i}{\partial x_{ik}} = 2 c_k \left( \frac{[\,t_i \le s_k,\ e_i = 1\,]}{G(t_i)} x_{ik} - "
            r"\frac{[\,t_i > s_k\,]}{G(s_k)} (1 - x_{ik}) \right)"
        ),
        "hessian": (
            r"\frac{\partial^2 L_i}{\partial x_{ik}^2} = 2 c_k \left( \frac{[\,t_i \le s_k,\ e_i = 1\,]}{G(t_i)} + "
            r"\frac{[\,t_i > s_k\,]}{G(s_k)} \right)"
        ),
    },
    symbols={"x": "input"},
    tags=("survival", "censoring", "proper", "rows", "convex", "smooth"),
    value_range="[0, inf)",
    description=(
        "At each time a curve should be 1 for who is alive and 0 for who is dead. Who was censored before is neither "
        "and is left out; those who are known stand for them, with the inverse of the probability G to be uncensored. "
        "With many times it is the integrated Brier score.\n\n"
        'G is estimated from `train_time` and `train_event`, or from the samples of the call. ``"mean"`` divides by '
        "the number of samples."
    ),
    notes=(
        "c are the weights of the times: those of the trapezoids between them, divided by their range, or all alike. "
        "G is the estimate of Kaplan and Meier for the censoring, taken with its steps (right-continuous), and "
        "constant in the derivatives; where it is 0 a term is left out. At equal times events come before "
        "censorings.\n\n"
        "A masked sample is not looked at, in the estimate of G neither. Without `train_time` the estimate needs all "
        "samples, and accumulators refuse this loss; with it they add up."
    ),
    use_when=(
        "curves from different models are compared",
        "curves are to be trained or recalibrated as probabilities, whatever they come from",
    ),
    avoid_when=(
        "only the order is of interest: ``survival_rank_loss``, or the concordance index",
        "there is a likelihood: ``logistic_hazard_loss`` uses censored samples without weights",
    ),
    pitfalls=(
        "Curves are probabilities to survive, not to die.",
        "Beyond the last censored time of the training data G may be 0 or tiny: keep the times within its range.",
    ),
    see_also=(
        ("logistic_hazard_loss", "the likelihood of hazards on a grid"),
        ("mse_loss", "the same squared error where nothing is censored"),
    ),
    references=(GRAF,),
    equivalents=(
        Equivalent(
            "sksurv",
            "sksurv.metrics.integrated_brier_score",
            note="arguments survival_train, survival_test, estimate, times",
        ),
        Equivalent(
            "sksurv", "sksurv.metrics.brier_score", "", {"integrate": False}, "one score for each time; here their mean"
        ),
    ),
    examples="""
    Nothing is censored: the plain Brier score at the time 1.5, when the first of two samples is dead.

    >>> value, grad = losslib.ipcw_brier_score.value_and_grad([[0.5], [0.9]], [1.0, 2.0], [1, 1], eval_times=[1.5])
    >>> round(value, 4), grad.round(4)
    (0.13, array([[ 0.5],
           [-0.1]]))
    """,
)
