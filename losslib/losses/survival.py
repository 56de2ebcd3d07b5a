"""Survival: the time until an event that some samples have not seen when their observation ends.

In the formulas x is the prediction of a sample, t its time and e whether the event came (1) or the sample was censored
(0); sums over "risk" are over the samples that are still observed at a time.
"""

from __future__ import annotations

from losslib.declaration.schema import (
    BINARY,
    POSITIVE,
    PROBABILITY,
    Array,
    Choice,
    Equivalent,
    Flag,
    Input,
    Real,
    Reference,
)
from losslib.declare import declare

__all__ = [
    "AFTLoss",
    "CoxPHLoss",
    "LogisticHazardLoss",
    "PCHazardLoss",
    "PMFLoss",
    "WeibullSurvivalLoss",
    "aft_loss",
    "cox_ph_loss",
    "logistic_hazard_loss",
    "pc_hazard_loss",
    "pmf_loss",
    "weibull_survival_loss",
]

EVENT_FIX = "1 stands for an event, 0 for a censored sample"

INTERVAL = Input(
    "interval",
    "Interval in which each sample's time lies, N integers from 0 to K - 1.",
    holds="interval",
)
GRID_EVENT = Input(
    "event",
    "1 if the event came in that interval, 0 if the sample was censored in it; N numbers or booleans.",
    domain=BINARY,
    fix=EVENT_FIX,
    holds="event",
)

KVAMME = Reference(
    "Kvamme, H. & Borgan, Ø. (2021). Continuous and discrete-time survival prediction with neural networks. "
    "Lifetime Data Analysis, 27, 710-736.",
    doi="10.1007/s10985-021-09532-6",
)
COX = Reference(
    "Cox, D. R. (1972). Regression models and life-tables. Journal of the Royal Statistical Society, Series B, 34(2), "
    "187-220.",
    doi="10.1111/j.2517-6161.1972.tb00899.x",
)

# ---- risk sets -------------------------------------------------------------------------------------------------

cox_ph_loss, CoxPHLoss = declare(
    "risk",
    "cox_ph_loss",
    "CoxPHLoss",
    family="survival",
    aliases=("cox", "cox_loss", "coxph", "survival:cox"),
    summary="Negative log partial likelihood of Cox's proportional hazards, with ties, strata and entry times.",
    inputs=(
        Input("input", "Log hazard of each sample up to a constant, N real numbers; larger dies earlier."),
        Input("time", "Time at which each sample's observation ends, N numbers.", holds="time"),
        Input(
            "event",
            "1 if the event came then, 0 if the sample was censored; N numbers or booleans.",
            domain=BINARY,
            fix=EVENT_FIX,
            holds="event",
        ),
    ),
    parameters=(
        Choice(
            "ties",
            "efron",
            "What events at the same time are: ``'efron'`` lets each of them leave a share of the tied ones out of the "
            "risk set, ``'breslow'`` none.",
            choices=("efron", "breslow"),
        ),
        Array(
            "strata",
            None,
            "A number for each sample; only samples with the same number are compared. None for one stratum.",
        ),
        Array(
            "entry",
            None,
            "Time at which each sample's observation begins, below its `time`: it is at risk from then on, not at that "
            "very time. None for all from the start.",
        ),
    ),
    kernel="cox",
    reductions=("mean", "sum", "none"),
    formula="sum_events(log(sum_risk(exp(x[j] - x[i]))))",
    keywords={"time to event": 1},
    latex={
        "value": (
            r"L = \sum_k \Bigl[\, \sum_{l=0}^{m_k-1} \bar w_k \log\bigl(S_k - c_l T_k\bigr) - \sum_{i \in D_k} w_i x_i "
            r"\Bigr], \qquad S_k = \sum_{j \in R_k} w_j e^{x_j}, \quad T_k = \sum_{j \in D_k} w_j e^{x_j}"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_j} = \sum_k \sum_l \bar w_k\, a_{jkl} - w_j e_j, \qquad "
            r"a_{jkl} = \frac{w_j e^{x_j} \bigl(1 - c_l [\,j \in D_k]\bigr)}{S_k - c_l T_k}"
        ),
        "hessian": r"\frac{\partial^2 L}{\partial x_j^2} = \sum_k \sum_l \bar w_k\, a_{jkl} (1 - a_{jkl})",
    },
    symbols={"x": "input"},
    entries=("L179",),
    tags=("survival", "censoring", "risk sets", "convex", "smooth"),
    value_range="(-inf, inf)",
    description=(
        "At each time of an event the sample that has it is compared with all who could have had it: with every sample "
        "that is still observed, the risk set. The loss is minus the logarithm of the probability, by a softmax of the "
        "scores over the risk set, that it is this one. Times matter by their order alone, and a constant added to all "
        "scores changes nothing: the baseline hazard needs no model.\n\n"
        "Events come before censorings at the same time. The risk set at t holds all samples with ``time >= t``, and "
        "``entry < t`` where entry times are given. `sample_weight` is part of the likelihood: a sample of weight 2 "
        'counts as two, in risk sets too. ``"mean"`` divides by the sum of the weights of the events; a call without '
        'an event is 0 and has the gradient 0. ``"none"`` gives N values: what a time of events adds is shared equally '
        "by its events, and censored samples have 0."
    ),
    notes=(
        "R_k is the risk set at the k-th time, D_k its m events, with the mean weight w̄; ``c_l = l/m`` for Efron, 0 "
        "for Breslow. The gradient of sample j adds ``w̄*a``, its share of the denominators of all events at which it "
        "was at risk, and takes off its weight if it has the event. The Hessian's diagonal ``sum(w̄*a*(1 - a))`` is "
        "exact.\n\n"
        "One sort by time, then one pass in each direction, in float64 for every input type. A risk set is kept as its "
        "largest term and the sum of the others relative to it, so that nothing overflows, and both a share near 1 and "
        "what is left to 1 keep all their digits: scores may be as far apart as they like. The denominators of tied "
        "events are formed from those who stay and those who die, never by subtraction. With `entry` samples leave "
        "risk sets too; the sums are then trees, N log N, because a difference of running sums has no correct digit "
        "where large terms have come and gone.\n\n"
        "A masked sample is in no risk set. Samples of weight 0 are as good as absent, but for their part in the "
        "number of tied events. The terms of a part of the data are not those of the whole: accumulators refuse this "
        "loss. A score of -inf has no share in any risk set."
    ),
    use_when=(
        "the order of the events is what matters, such as for a risk score, and times are censored",
        "the baseline hazard is unknown and may be anything, or one for each stratum",
        "samples enter observation late (left truncation), or covariates change: one row for each stretch of time",
    ),
    avoid_when=(
        "times themselves are to be predicted: ``aft_loss``, or ``logistic_hazard_loss`` on a grid of intervals",
        "batches are small: a risk set within a batch is a poor sample of the real one; a loss of each sample by "
        "itself has no such bias",
        "hazards are not proportional: ``pmf_loss`` lets curves cross",
    ),
    pitfalls=(
        "The default is Efron's treatment of ties, as in R and lifelines; statsmodels and scikit-survival start with "
        "Breslow's. XGBoost's objective is neither: its denominators are Breslow's, but each of the tied samples gets "
        "the hazards of those events alone that are sorted before it, which are derivatives of no likelihood.",
        "XGBoost writes censored times as negative labels; here `event` says it.",
        "XGBoost multiplies gradients and Hessians by the weights; here weights are part of the risk sets, as in R.",
        "torchsurv divides the mean by the number of distinct times where times are tied.",
        "Times tie only if they are equal as float64: round them first where that is meant.",
    ),
    see_also=(
        ("aft_loss", "for the time itself, with every kind of censoring"),
        ("logistic_hazard_loss", "on a grid of intervals, each sample by itself"),
        ("cross_entropy", "the same softmax over a fixed set of classes"),
    ),
    references=(
        COX,
        Reference(
            "Efron, B. (1977). The efficiency of Cox's likelihood function for censored data. Journal of the American "
            "Statistical Association, 72(359), 557-565.",
            doi="10.1080/01621459.1977.10480613",
        ),
        Reference(
            "Breslow, N. (1974). Covariance analysis of censored survival data. Biometrics, 30(1), 89-99.",
            doi="10.2307/2529620",
        ),
    ),
    equivalents=(
        Equivalent(
            "torchsurv",
            "torchsurv.loss.cox.neg_partial_log_likelihood",
            "",
            {"reduction": "sum"},
            'Efron and Breslow, strata; float32; its "mean" divides by the distinct times',
        ),
        Equivalent(
            "statsmodels",
            "statsmodels.api.PHReg",
            "",
            {"reduction": "sum"},
            "minus loglike of a model whose columns are the samples; no weights; a sample that enters at t is at risk "
            "at t already",
        ),
        Equivalent(
            "lifelines", "lifelines.CoxPHFitter", note="minus the log partial likelihood; Efron, weights, strata"
        ),
        Equivalent(
            "sksurv",
            "sksurv.linear_model.CoxPHSurvivalAnalysis",
            note="its objective is the mean over all samples, not over the events",
        ),
        Equivalent(
            "xgboost",
            "survival:cox",
            "",
            {"ties": "breslow", "reduction": "sum"},
            "censored times negative; the same without ties and weights",
        ),
    ),
    examples="""
    Three samples with equal scores. The first dies while all three are at risk, the third while it is alone.

    >>> time, event = [1.0, 2.0, 3.0], [1, 0, 1]
    >>> round(losslib.cox_ph_loss(np.zeros(3), time, event, reduction="sum"), 6), round(float(np.log(3)), 6)
    (1.098612, 1.098612)

    A higher score for the sample that dies first makes the data more likely:

    >>> value, grad = losslib.cox_ph_loss.value_and_grad(np.array([1.0, 0.0, 0.0]), time, event, reduction="sum")
    >>> round(value, 4)
    0.5514
    >>> grad.round(4)
    array([-0.4239,  0.2119,  0.2119])
    """,
)

# ---- times between bounds --------------------------------------------------------------------------------------

aft_loss, AFTLoss = declare(
    "lifetimes",
    "aft_loss",
    "AFTLoss",
    family="survival",
    aliases=("aft", "survival:aft", "accelerated_failure_time", "SurvivalAft"),
    summary="Negative log-likelihood of an accelerated failure time that is known, or known to lie between two bounds.",
    inputs=(
        Input("input", "Prediction of the logarithm of the time, any shape."),
        Input(
            "lower",
            "Lower bound of each time, the time itself where it equals `upper`; at most 0 for none. The shape of "
            "`input`, or a number.",
            holds="time",
        ),
        Input(
            "upper",
            "Upper bound of each time, inf for none. The shape of `input`, or a number.",
            domain=POSITIVE,
            holds="time",
        ),
    ),
    parameters=(
        Choice(
            "distribution",
            "normal",
            "Of the error of the logarithm: ``'normal'``, ``'logistic'``, or ``'extreme'``, for which times are "
            "Weibull.",
            choices=("normal", "logistic", "extreme"),
        ),
        Real("scale", 1.0, "Factor of the error: its standard deviation, if normal.", above=0.0, examples=(0.5, 2.0)),
        Flag(
            "xgboost_clamps",
            False,
            "Compute what XGBoost's objective ``survival:aft`` does: likelihoods of at least 1e-12, gradients of at "
            "most 15, second derivatives from 1e-16 to 15, and its limits where quotients have no value.",
        ),
    ),
    kernel="aft",
    formula="where(lower == upper, -log(f(z_u)) + log(scale*upper), -log(F(z_u) - F(z_l)))",
    keywords={"time to event": 2},
    latex={
        "value": (
            r"L = \begin{cases} -\log f(z) + \log(\sigma t) & t_l = t_u = t\\ "
            r"-\log\bigl(F(z_u) - F(z_l)\bigr) & t_l < t_u \end{cases}, \qquad z = \frac{\log t - x}{\sigma}"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x} = \frac{1}{\sigma} \frac{f'(z)}{f(z)} \quad\text{or}\quad "
            r"\frac{1}{\sigma} \frac{f(z_u) - f(z_l)}{F(z_u) - F(z_l)}"
        ),
    },
    symbols={"x": "input"},
    entries=("L180",),
    tags=("survival", "censoring", "likelihood", "smooth", "convex"),
    value_range="(-inf, inf)",
    description=(
        "The logarithm of a time is the prediction plus `scale` times an error whose distribution is known. A time "
        "that was seen counts by its density; of a time that is only known to lie between two bounds counts the "
        "probability to lie there. ``upper=inf`` is right-censored, the usual kind; ``lower=0`` left-censored; with "
        "neither bound nothing is known, and value and derivatives are 0 (the sample still counts in the mean).\n\n"
        "``extreme`` makes the times Weibull with shape ``1/scale``, ``logistic`` log-logistic, ``normal`` log-normal. "
        "The second derivative is exact and never negative."
    ),
    notes=(
        "f and F are density and distribution function of the error, ``z = (log(t) - x)/scale`` at a bound t; F is 0 "
        "where there is no lower bound and 1 where there is no upper one. For ``extreme`` F(z) is ``1 - "
        "exp(-exp(z))``. Computed in float64 for every input type.\n\n"
        "``F(z_u) - F(z_l)`` is never formed: it would be 0 beyond eight standard deviations, and lose its digits in "
        "narrow intervals. The normal tails come from the complementary error function and a continued fraction, "
        "intervals in the tail and narrow ones from a quadrature of 32 nodes; logistic and extreme differences are "
        "written as products with ``expm1``. Gradients stay right at any distance; those of XGBoost are clipped at 15, "
        "which ``xgboost_clamps=True`` repeats, with XGBoost's own quotients.\n\n"
        "The value is that of the density of the time, not of its logarithm: a known time adds ``log(scale*t)``."
    ),
    use_when=(
        "the time itself is to be predicted, and covariates stretch or shrink it",
        "times are known to lie in intervals, such as between two visits",
        "a booster is to be trained on censored times",
    ),
    avoid_when=(
        "only the order of the samples matters: ``cox_ph_loss`` needs no distribution",
        "the spread differs between samples: ``weibull_survival_loss`` predicts the shape too",
        "nothing is censored and the error is normal: ``gaussian_nll_loss`` or ``mse_loss`` of the logarithm fits the "
        "same and is simpler",
    ),
    pitfalls=(
        "`input` predicts the logarithm of the time: exp of it is the median (for ``normal`` and ``logistic``).",
        "`lower` and `upper` are times, not logarithms.",
        "A known time is ``lower == upper``. Bounds that differ by rounding are an interval of that width.",
        "With ``xgboost_clamps=True`` the gradient is no longer that of the value where a clamp holds.",
    ),
    see_also=(
        ("cox_ph_loss", "for the order of the times alone"),
        ("weibull_survival_loss", "with the shape predicted too, for right-censored times"),
        ("logistic_hazard_loss", "on a grid of intervals, without a distribution"),
    ),
    references=(
        Reference(
            "Wei, L. J. (1992). The accelerated failure time model: a useful alternative to the Cox regression model "
            "in survival analysis. Statistics in Medicine, 11(14-15), 1871-1879.",
            doi="10.1002/sim.4780111409",
        ),
        Reference(
            "Barnwal, A., Cho, H. & Hocking, T. (2022). Survival regression with accelerated failure time model in "
            "XGBoost. Journal of Computational and Graphical Statistics, 31(4), 1292-1302.",
            doi="10.1080/10618600.2022.2067548",
        ),
    ),
    equivalents=(
        Equivalent(
            "xgboost",
            "survival:aft",
            "",
            {"xgboost_clamps": True},
            "aft_loss_distribution and aft_loss_distribution_scale are `distribution` and `scale`",
        ),
        Equivalent("catboost", "SurvivalAft", note="upper bound -1 for none"),
        Equivalent(
            "lifelines", "lifelines.LogNormalAFTFitter", note="also Weibull and log-logistic, with interval data"
        ),
    ),
    examples="""
    A time of exactly 1, one that is at least 1, and one between 1 and 2; all predicted to have the median 1.

    >>> lower, upper = np.array([1.0, 1.0, 1.0]), np.array([1.0, np.inf, 2.0])
    >>> losslib.aft_loss(np.zeros(3), lower, upper, reduction="none").round(4)
    array([0.9189, 0.6931, 1.363 ])

    Far out in the tail, where the probability is no float64 any more:

    >>> value, grad = losslib.aft_loss.value_and_grad(np.array([-50.0]), 1.0, np.inf)
    >>> round(value, 3), grad.round(3)
    (1254.831, array([-50.02]))
    """,
)

weibull_survival_loss, WeibullSurvivalLoss = declare(
    "lifetimes",
    "weibull_survival_loss",
    "WeibullSurvivalLoss",
    family="survival",
    aliases=("weibull_survival",),
    summary="Negative log-likelihood of right-censored Weibull times whose scale and shape are both predicted.",
    inputs=(
        Input("log_scale", "Logarithm of the scale, any shape."),
        Input("log_shape", "Logarithm of the shape, of the shape of `log_scale`."),
        Input(
            "time",
            "Time of each sample's event or censoring; the shape of `log_scale`, or a number.",
            POSITIVE,
            holds="time",
        ),
        Input(
            "event",
            "1 if the event came then, 0 if the sample was censored; the shape of `log_scale`, or a number.",
            domain=BINARY,
            fix=EVENT_FIX,
            holds="event",
        ),
    ),
    differentiable=("log_scale", "log_shape"),
    default_wrt=("log_scale", "log_shape"),
    kernel="weibull",
    formula="exp(k*u) - event*(log_shape - log_scale + (k - 1)*u)",
    keywords={"time to event": 4},
    latex={
        "value": (r"L = e^{ku} - e\,\bigl(b - a + (k - 1)\,u\bigr), \qquad k = e^{b}, \quad u = \log t - a"),
        "gradient": (
            r"\frac{\partial L}{\partial a} = k\,(e - e^{ku}), \qquad "
            r"\frac{\partial L}{\partial b} = k u\,(e^{ku} - e) - e"
        ),
    },
    symbols={"a": "log_scale", "b": "log_shape"},
    entries=(),
    tags=("survival", "censoring", "likelihood", "smooth"),
    value_range="(-inf, inf)",
    description=(
        "The hazard of a Weibull time grows (shape above 1) or falls (below 1) as a power of the time. With both "
        "parameters predicted, the spread may differ from sample to sample, which an accelerated failure time with one "
        "scale cannot have. The first term is the cumulative hazard, the second the logarithm of the hazard at the "
        "event.\n\n"
        "Both parameters are logarithms, so that any real number is a legal prediction."
    ),
    notes=(
        "With ``k = exp(log_shape)`` and ``u = log(time) - log_scale`` the cumulative hazard is ``exp(k*u)``; it "
        "overflows to inf where no float64 holds it. The derivatives are ``k*(event - exp(k*u))`` and ``k*u*(exp(k*u) "
        "- event) - event``, the second ones ``k**2*exp(k*u)`` and ``k*u*(exp(k*u)*(1 + k*u) - event)``, which may be "
        "negative. Computed in float64 for every input type. The value is that of the density of the time."
    ),
    use_when=(
        "the uncertainty of the time differs between samples and is to be predicted",
        "a hazard that rises or falls with age is plausible",
    ),
    avoid_when=(
        "one shape fits all samples: ``aft_loss`` with ``distribution='extreme'``",
        "hazards have humps or steps: ``logistic_hazard_loss`` or ``pmf_loss`` on a grid",
    ),
    pitfalls=(
        "Both inputs are logarithms; torchsurv stacks them as the columns of one array, scale first.",
        "The Hessian by `log_shape` may be negative: boosters need a floor.",
        "Scale times by a typical one: exp(k*u) overflows for times far beyond the predicted scale.",
    ),
    see_also=(
        ("aft_loss", "with one scale for all, and every kind of censoring"),
        ("cox_ph_loss", "without a distribution"),
    ),
    references=(
        Reference(
            "Kalbfleisch, J. D. & Prentice, R. L. (2002). The statistical analysis of failure time data, 2nd ed. "
            "Wiley.",
            doi="10.1002/9781118032985",
        ),
    ),
    equivalents=(
        Equivalent(
            "torchsurv",
            "torchsurv.loss.weibull.neg_log_likelihood",
            note="one array (N, 2) of log scale and log shape; float32, clamped at large numbers",
        ),
    ),
    examples="""
    Two samples with scale and shape 1, an exponential time: one dies at 2, one was last seen at 2.

    >>> zeros, time, event = np.zeros(2), np.array([2.0, 2.0]), np.array([1, 0])
    >>> losslib.weibull_survival_loss(zeros, zeros, time, event, reduction="none")
    array([2., 2.])
    >>> value, (by_scale, by_shape) = losslib.weibull_survival_loss.value_and_grad(zeros, zeros, time, event)
    >>> by_scale, by_shape.round(4)
    (array([-0.5, -1. ]), array([-0.1534,  0.6931]))
    """,
)

# ---- a grid of intervals ---------------------------------------------------------------------------------------

logistic_hazard_loss, LogisticHazardLoss = declare(
    "intervals",
    "logistic_hazard_loss",
    "LogisticHazardLoss",
    family="survival",
    aliases=("logistic_hazard", "nnet_survival", "nll_logistic_hazard"),
    summary="Negative log-likelihood of discrete hazards: a logit for each interval of a grid of times.",
    inputs=(
        Input("input", "Logits of the hazards, of shape (N, K): samples and intervals.", holds="row"),
        INTERVAL,
        GRID_EVENT,
    ),
    kernel="logistic_hazard",
    formula="sum_{k <= interval}(softplus(x[k])) - event*x[interval]",
    keywords={"time to event": 3},
    latex={
        "value": r"L = \sum_{k \le j} \log\bigl(1 + e^{x_k}\bigr) - e\,x_j",
        "gradient": r"\frac{\partial L}{\partial x_k} = [\,k \le j]\,\sigma(x_k) - e\,[\,k = j]",
        "hessian": r"\frac{\partial^2 L}{\partial x_k^2} = [\,k \le j]\,\sigma(x_k)\,\sigma(-x_k)",
    },
    symbols={"x": "input", "j": "interval"},
    tags=("survival", "censoring", "logits", "convex", "smooth", "rows"),
    description=(
        "Time is cut into K intervals. The hazard of an interval is the probability to have the event in it for those "
        "who got that far, here the sigmoid of a logit. A sample that dies in interval j has survived those before it; "
        "a censored one has survived j too. The loss is the binary cross entropy of these questions, and what lies "
        "after j is no question.\n\n"
        "The survival curve is the running product of ``1 - sigmoid(x)``. Samples are independent of each other, so "
        "that batches may be of any size."
    ),
    notes=(
        "The gradient is ``sigmoid(x)`` up to the interval, minus 1 at that of an event, and exactly 0 after it, where "
        "the logits have no part in the value. Value and derivatives of an event's own interval are formed from "
        "``softplus(-x)`` and ``-sigmoid(-x)``: nothing cancels. Computed in float64 for every input type."
    ),
    use_when=(
        "survival curves of any form are wanted, from batches of any size",
        "times are discrete, such as months of a contract",
    ),
    avoid_when=(
        "there are few events in each interval: take fewer intervals, or ``pc_hazard_loss``, which uses where in the "
        "interval a time lies",
        "only the ranking matters: ``cox_ph_loss``",
    ),
    pitfalls=(
        "`interval` counts from 0. A sample censored in interval j counts as having survived all of it.",
        "Times beyond the grid belong into the last interval, censored.",
        "pycox adds 1e-7 inside its logarithms.",
    ),
    see_also=(
        ("pc_hazard_loss", "with a constant hazard inside each interval"),
        ("pmf_loss", "with a softmax over the intervals"),
        ("binary_cross_entropy_with_logits", "the loss of each of the questions"),
    ),
    references=(
        Reference(
            "Gensheimer, M. F. & Narasimhan, B. (2019). A scalable discrete-time survival model for neural networks. "
            "PeerJ, 7, e6257.",
            doi="10.7717/peerj.6257",
        ),
        KVAMME,
    ),
    equivalents=(
        Equivalent("pycox", "pycox.models.loss.nll_logistic_hazard", note="arguments phi, idx_durations, events"),
    ),
    examples="""
    Two samples on a grid of three intervals: one dies in the second, one is last seen in the third.

    >>> logits, interval, event = np.zeros((2, 3)), np.array([1, 2]), np.array([1, 0])
    >>> losslib.logistic_hazard_loss(logits, interval, event, reduction="none") / np.log(2)
    array([2., 3.])
    >>> value, grad = losslib.logistic_hazard_loss.value_and_grad(logits, interval, event, reduction="sum")
    >>> grad
    array([[ 0.5, -0.5,  0. ],
           [ 0.5,  0.5,  0.5]])
    """,
)

pc_hazard_loss, PCHazardLoss = declare(
    "intervals",
    "pc_hazard_loss",
    "PCHazardLoss",
    family="survival",
    aliases=("pc_hazard", "piecewise_constant_hazard", "nll_pc_hazard"),
    summary="Negative log-likelihood of a hazard that is constant in each interval of a grid of times.",
    inputs=(
        Input("input", "Hazards before a softplus, of shape (N, K): samples and intervals.", holds="row"),
        INTERVAL,
        GRID_EVENT,
        Input(
            "fraction",
            "Part of that interval that was lived, N numbers from 0 to 1, or one for all.",
            domain=PROBABILITY,
            fix="divide the time since the interval's start by its length",
            holds="fraction",
        ),
    ),
    kernel="constant_hazard",
    formula="sum_{k < interval}(softplus(x[k])) + fraction*softplus(x[interval]) - event*log(softplus(x[interval]))",
    latex={
        "value": r"L = \sum_{k < j} \eta_k + \rho\,\eta_j - e \log \eta_j, \qquad \eta_k = \log\bigl(1 + e^{x_k}\bigr)",
        "gradient": (
            r"\frac{\partial L}{\partial x_k} = \Bigl([\,k < j] + [\,k = j]\,\bigl(\rho - "
            r"\tfrac{e}{\eta_j}\bigr)\Bigr) \sigma(x_k)"
        ),
    },
    symbols={"x": "input", "j": "interval", "ρ": "fraction"},
    tags=("survival", "censoring", "smooth", "rows"),
    value_range="(-inf, inf)",
    description=(
        "Time is cut into K intervals of length 1 (times are scaled so), in each of which the hazard is the softplus "
        "of a prediction. The cumulative hazard of a sample is the sum of the intervals that it lived through and the "
        "part of the last one; an event adds minus the logarithm of the hazard there. The survival curve is ``exp`` of "
        "minus the cumulative hazard: continuous, where ``logistic_hazard_loss`` gives steps."
    ),
    notes=(
        "The derivative of ``log(softplus(x))`` is ``sigmoid(x)/softplus(x)``, 1 far to the left, and its second "
        "derivative is formed from a series where the difference in it cancels. After the interval derivatives are "
        "exactly 0. Computed in float64 for every input type. The value may be negative: it is that of a density."
    ),
    use_when=(
        "intervals are wide and it matters where in them a time lies",
        "a continuous survival curve is wanted",
    ),
    avoid_when=(
        "times are discrete: ``logistic_hazard_loss``",
        "the whole distribution is wanted with competing causes: ``pmf_loss``",
    ),
    pitfalls=(
        "`fraction` is relative to the interval's length, from its start: 1 at its end.",
        "An event at fraction 0 of an interval favours a hazard without bound there; put it at the end of the one "
        "before.",
        "pycox takes `interval_frac` as its fourth argument too, and adds 1e-7 inside the logarithm.",
    ),
    see_also=(
        ("logistic_hazard_loss", "with steps at the ends of the intervals"),
        ("pmf_loss", "with a softmax over the intervals"),
    ),
    references=(KVAMME,),
    equivalents=(
        Equivalent(
            "pycox", "pycox.models.loss.nll_pc_hazard_loss", note="arguments phi, idx_durations, events, interval_frac"
        ),
    ),
    examples="""
    A hazard of log(2) everywhere. One sample lives through an interval and half of the next, one dies at its end.

    >>> x, interval, event, fraction = np.zeros((2, 3)), np.array([1, 1]), np.array([0, 1]), np.array([0.5, 1.0])
    >>> losslib.pc_hazard_loss(x, interval, event, fraction, reduction="none").round(4)
    array([1.0397, 1.7528])
    >>> losslib.pc_hazard_loss.value_and_grad(x, interval, event, fraction, reduction="sum")[1].round(4)
    array([[ 0.5   ,  0.25  ,  0.    ],
           [ 0.5   , -0.2213,  0.    ]])
    """,
)

pmf_loss, PMFLoss = declare(
    "intervals",
    "pmf_loss",
    "PMFLoss",
    family="survival",
    aliases=("pmf", "nll_pmf"),
    summary="Negative log-likelihood of a distribution over the intervals of a grid of times and competing causes.",
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
        Flag(
            "pad",
            True,
            "Add a category after the last interval, whose logit is 0: those who outlive the grid.",
        ),
        Flag(
            "cumulative",
            False,
            "Sum the logits of each cause from the last interval on first, as multi-task logistic regression (MTLR) "
            "does: a prediction then raises its interval and all before it.",
        ),
    ),
    kernel="mass",
    keywords={"mtlr": 1},
    formula="where(event > 0, lse(x) - x[event, interval], lse(x) - lse_{k > interval}(x[k]))",
    latex={
        "value": (
            r"L = \begin{cases} -\log p_{e j} & e > 0\\ -\log \sum_{r, k > j} p_{r k} & e = 0 \end{cases}, \qquad "
            r"p_{r k} = \frac{e^{x_{r k}}}{1 + \sum_{s, i} e^{x_{s i}}}"
        ),
        "gradient": (
            r"\frac{\partial L}{\partial x_{r k}} = p_{r k} - q_{r k}, \qquad q_{r k} = "
            r"\begin{cases} [\,r = e,\, k = j] & e > 0\\ "
            r"[\,k > j]\, p_{r k} / \sum_{s, i > j} p_{s i} & e = 0 \end{cases}"
        ),
        "hessian": (r"\frac{\partial^2 L}{\partial x_{r k}^2} = p_{r k} (1 - p_{r k}) - q_{r k} (1 - q_{r k})"),
    },
    symbols={"x": "input", "j": "interval", "e": "event"},
    tags=("survival", "censoring", "logits", "competing risks", "rows", "smooth"),
    value_range="[0, inf]",
    description=(
        "A softmax over the intervals (and causes) is the distribution of the time. An event counts by the mass of its "
        "interval and cause; a censored sample by all the mass after its interval, of every cause. With ``pad`` there "
        "is one more category, for those who outlive the grid.\n\n"
        "With ``cumulative=True`` this is multi-task logistic regression: one logistic model for each interval, "
        "chained by a running sum."
    ),
    notes=(
        "The 1 in the denominator is the category that ``pad`` adds. The gradient is ``p - q``, q the distribution "
        "given what is known: for a censored sample the part of p after its interval. The value is ``softplus(lse of "
        "the mass before - lse of the mass after)`` and ``p - q`` is ``-q`` times the share of the mass before: "
        "nothing cancels where that mass is small. The Hessian's diagonal ``p*(1 - p) - q*(1 - q)`` may be negative "
        "for censored samples. With ``cumulative=True`` p and q are replaced by their sums up to the interval.\n\n"
        "Without ``pad`` nothing comes after the last interval: a sample censored there has the value inf and no "
        "gradient (NaN). Computed in float64 for every input type."
    ),
    use_when=(
        "curves of any form are wanted, with competing causes of the event",
        "multi-task logistic regression is wanted (``cumulative=True``)",
    ),
    avoid_when=(
        "a booster needs a positive Hessian: ``logistic_hazard_loss`` is convex",
        "there are many intervals and few events: ``aft_loss`` has one number a sample",
    ),
    pitfalls=(
        "`event` names the cause from 1 on; 0 is censored. The causes of `input` count from 0.",
        "`interval` counts from 0, and a censored sample has survived its interval.",
        "pycox adds 1e-7 inside its logarithms and pads by default too.",
    ),
    see_also=(
        ("logistic_hazard_loss", "with a hazard for each interval instead"),
        ("pc_hazard_loss", "with a continuous time"),
        ("cross_entropy", "the same without censoring"),
    ),
    references=(
        Reference(
            "Yu, C.-N., Greiner, R., Lin, H.-C. & Baracos, V. (2011). Learning patient-specific cancer survival "
            "distributions as a sequence of dependent regressors. NeurIPS 24.",
            url="https://papers.nips.cc/paper/4210-learning-patient-specific-cancer-survival-distributions-as-a-"
            "sequence-of-dependent-regressors",
        ),
        KVAMME,
    ),
    equivalents=(
        Equivalent("pycox", "pycox.models.loss.nll_pmf", note="arguments phi, idx_durations, events"),
        Equivalent("pycox", "pycox.models.loss.nll_mtlr", "", {"cumulative": True}),
        Equivalent("pycox", "pycox.models.loss.nll_pmf_cr", note="competing causes: phi of shape (N, R, K)"),
    ),
    examples="""
    Three intervals and the time after them, all equally likely. One sample dies in the second, one outlives it.

    >>> logits, interval, event = np.zeros((2, 3)), np.array([1, 1]), np.array([1, 0])
    >>> losslib.pmf_loss(logits, interval, event, reduction="none") / np.log(2)
    array([2., 1.])
    >>> value, grad = losslib.pmf_loss.value_and_grad(logits, interval, event, reduction="sum")
    >>> grad
    array([[ 0.25, -0.75,  0.25],
           [ 0.25,  0.25, -0.25]])
    """,
)
