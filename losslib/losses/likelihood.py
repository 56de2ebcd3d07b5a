"""Negative log-likelihoods and divergences: one number per element."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from losslib.declaration.schema import NONNEGATIVE, POSITIVE, REAL, Domain, Equivalent, Flag, Input, Real, Reference
from losslib.declare import pointwise

__all__ = [
    "GammaNLLLoss",
    "GaussianNLLLoss",
    "GeneralizedKLDiv",
    "KLDivLoss",
    "LaplaceNLLLoss",
    "NegativeBinomialNLLLoss",
    "PoissonNLLLoss",
    "StudentTNLLLoss",
    "TweedieNLLLoss",
    "gamma_nll_loss",
    "gaussian_nll_loss",
    "generalized_kl_div",
    "kl_div",
    "laplace_nll_loss",
    "negative_binomial_nll_loss",
    "poisson_nll_loss",
    "student_t_nll_loss",
    "tweedie_nll_loss",
]

Values = Mapping[str, Any]
Kernel = tuple[str, tuple[float, ...]]

# Inputs and parameters that several losses share.

LINEAR_PREDICTOR = Input(
    "input",
    "Predicted log mean, or the mean itself when ``log_input=False``.",
    fix="pass log_input=True if the input is a log mean",
)
LOCATION = Input("input", "Predicted location (centre) of the distribution of the target.")
OBSERVED = Input("target", "Observed values.")
COUNTS = Input("target", "Observed counts, or rates; any number >= 0.", NONNEGATIVE)

LOG_INPUT = Flag(
    "log_input",
    True,
    "Whether the input is the logarithm of the predicted mean (log link) or the mean itself.",
)
FULL = Flag(
    "full",
    False,
    "Whether to add the terms that do not depend on the prediction, so that the value is the whole negative "
    "log-likelihood.",
)
VARIANCE_FLOOR = Real(
    "eps",
    1e-6,
    "Lower bound put on the predicted variance or scale, for stability.",
    least=0.0,
    examples=(1e-3,),
)
LOG_GUARD = Real(
    "eps",
    1e-8,
    "Small number added to the mean inside the logarithm, used only when ``log_input=False``.",
    least=0.0,
    examples=(1e-4,),
)

NELDER_WEDDERBURN = Reference(
    "Nelder, J. A. and Wedderburn, R. W. M. (1972). Generalized linear models. Journal of the Royal "
    "Statistical Society A, 135(3), 370-384.",
    doi="10.2307/2344614",
)
KULLBACK_LEIBLER = Reference(
    "Kullback, S. and Leibler, R. A. (1951). On information and sufficiency. The Annals of Mathematical "
    "Statistics, 22(1), 79-86.",
    doi="10.1214/aoms/1177729694",
)


# Poisson


def _poisson_kernel(values: Values) -> Kernel:
    name = "PoissonLog" if values["log_input"] else "PoissonIdentity"
    numbers = () if values["log_input"] else (float(values["eps"]),)
    return (name + "Full" if values["full"] else name), numbers


def _count_domains(values: Values) -> tuple[Domain, ...]:
    return (REAL if values["log_input"] else NONNEGATIVE), NONNEGATIVE


poisson_nll_loss, PoissonNLLLoss = pointwise(
    "poisson_nll_loss",
    "PoissonNLLLoss",
    family="likelihood",
    aliases=("poisson", "HalfPoissonLoss", "count:poisson"),
    summary="Negative log-likelihood of counts under a Poisson distribution with the predicted mean.",
    inputs=(LINEAR_PREDICTOR, COUNTS),
    parameters=(LOG_INPUT, FULL, LOG_GUARD),
    kernel=_poisson_kernel,
    formula=(
        "where(log_input, exp(x) - t*x, x - t*log(x + eps))"
        " + where(full, where(t > 1, t*log(t) - t + log(2*pi*t)/2, 0), 0)"
    ),
    keywords={"counts": 1},
    symbols={"x": "input", "t": "target"},
    input_domains=_count_domains,
    differentiable=("input", "target"),
    description=(
        "The usual loss for counts: events per hour, purchases per visit, claims per policy. Its minimum is "
        "where the prediction is the mean of the target given the features. It assumes that the variance "
        "grows like the mean, so an error of 5 weighs little at a count of 1000 and much at a count of 2.\n\n"
        "With ``log_input=True``, the default, the input is ``log(mean)``: any real number is legal, the "
        "mean is positive by construction and effects multiply. The derivative is ``exp(x) - t``, the "
        "difference of predicted and observed counts."
    ),
    notes=(
        "The term ``log(t!)`` does not depend on the prediction and is dropped, so values may be negative; "
        "``full=True`` adds Stirling's approximation of it for t > 1 and nothing for t <= 1, as PyTorch "
        "does.\n\n"
        "``exp(x)`` overflows to inf above x = 88.7 in float32 and 709.8 in float64. With "
        "``log_input=False`` the logarithm is guarded by ``eps``, and a target of exactly 0 has no logarithm "
        "term at all. The Hessian is ``exp(x)`` with the log link and ``t / (x + eps)**2`` without it; "
        "neither is ever negative."
    ),
    use_when=(
        "the target is a count or a rate that can be 0: the log of the mean is modelled, not the log of the "
        "data, so zeros need no special care",
        "you want the mean and the sum of the predictions right: with an intercept and the log link, "
        "predicted and observed totals agree on the training data",
        "the target is not an integer but its variance is about proportional to its mean: only the mean has "
        "to be modelled well for the estimate to be consistent",
    ),
    avoid_when=(
        "the variance of the counts is much larger than their mean: the fit stays sensible but likelihoods "
        "and error bars are far too sure; use ``negative_binomial_nll_loss``",
        "the target can be negative: ``exp(x) - t*x`` is then no likelihood and the optimum runs to minus infinity",
        "the target is a positive amount whose spread is proportional to its size (durations, prices): "
        "``gamma_nll_loss`` fits that",
    ),
    pitfalls=(
        "Passing the mean while ``log_input=True`` gives no error: exp is simply applied once more. Check "
        "which one your model puts out.",
        "Keras' Poisson expects means, PyTorch and losslib log means unless told otherwise.",
        "Values are not comparable with a deviance or with scipy.stats: constants are missing unless "
        "``full=True``, and even then Stirling's formula is approximate (0.08 too low at t = 1.0001, 0.04 "
        "at t = 2).",
        "Exposure (time or area observed) belongs in the input, added as ``log(exposure)``, not into the "
        "target by division, unless the exposure is also passed as ``sample_weight``.",
    ),
    see_also=(
        (
            "negative_binomial_nll_loss",
            "has a dispersion parameter for counts that vary more than Poisson counts",
        ),
        (
            "tweedie_nll_loss",
            "the same loss at ``power=1``; allows amounts with many zeros at powers between 1 and 2",
        ),
        ("gamma_nll_loss", "for positive amounts with spread proportional to the mean"),
        (
            "generalized_kl_div",
            "half the Poisson deviance: the same in the input, but 0 for a perfect prediction",
        ),
    ),
    references=(NELDER_WEDDERBURN,),
    equivalents=(
        Equivalent("torch", "poisson_nll_loss", "torch.nn.functional.poisson_nll_loss(x, t)"),
        Equivalent(
            "torch",
            "PoissonNLLLoss",
            "torch.nn.PoissonNLLLoss(log_input=False, full=True, reduction='none')(x, t)",
            {"log_input": False, "full": True, "reduction": "none"},
        ),
        Equivalent(
            "keras",
            "Poisson",
            "keras.losses.Poisson()(t, x)",
            {"log_input": False, "eps": 1e-7},
            "Takes means; averages over the last axis first, which gives the same mean.",
        ),
        Equivalent(
            "tensorflow",
            "log_poisson_loss",
            "tensorflow.nn.log_poisson_loss(t, x)",
            {"reduction": "none"},
            "Target first. ``compute_full_loss=True`` leaves Stirling's term out for 0 <= t <= 1, losslib for t <= 1.",
        ),
        Equivalent(
            "paddle",
            "poisson_nll_loss",
            "paddle.nn.functional.poisson_nll_loss(x, t)",
            {},
            "epsilon is ``eps``.",
        ),
        Equivalent(
            "sklearn",
            "mean_poisson_deviance",
            note=(
                "``2 * (t*log(t/mu) - t + mu)`` on means: twice this loss plus a term in t alone. The "
                "private HalfPoissonLoss of the boosting and GLM code is this loss with ``reduction='none'``."
            ),
        ),
        Equivalent(
            "xgboost",
            "count:poisson",
            note=(
                "The same gradient ``exp(x) - t``; recent versions use ``(exp(x) + t) / 2`` as Hessian in "
                "place of ``exp(x)``."
            ),
        ),
        Equivalent(
            "lightgbm",
            "poisson",
            note=(
                "The same gradient; the Hessian is ``exp(x + poisson_max_delta_step)``, about twice "
                "``exp(x)`` by default."
            ),
        ),
        Equivalent(
            "catboost",
            "Poisson",
            note="The same loss; CatBoost's derivatives are those of the negative loss.",
        ),
    ),
    examples=""">>> x = np.log([1.0, 2.0])
>>> round(losslib.poisson_nll_loss(x, [2.0, 3.0]), 4)
0.4603

The gradient is half of (exp(x) - t), as the mean is over two elements:

>>> value, gradient = losslib.poisson_nll_loss.value_and_grad(x, [2.0, 3.0])
>>> gradient.round(4)
array([-0.5, -0.5])
""",
    tags=("counts", "convex", "smooth", "proper", "log link"),
    function_order=("log_input", "full", "size_average", "eps", "reduce", "reduction"),
    class_order=("log_input", "full", "size_average", "eps", "reduce", "reduction"),
    entries=("L032",),
    value_range="(-inf, inf)",
)


# Gaussian, with the variance predicted as well

gaussian_nll_loss, GaussianNLLLoss = pointwise(
    "gaussian_nll_loss",
    "GaussianNLLLoss",
    family="likelihood",
    aliases=("gaussian", "normal_nll"),
    summary="Negative log-likelihood under a normal distribution whose mean and variance are both predicted.",
    inputs=(
        Input("input", "Predicted mean."),
        OBSERVED,
        Input(
            "var",
            "Predicted variance; broadcasts against the input.",
            NONNEGATIVE,
            fix="put exp or softplus on the output that predicts the variance",
            broadcasts=True,
        ),
    ),
    parameters=(FULL, VARIANCE_FLOOR),
    kernel=lambda values: ("Gaussian", (float(values["eps"]), float(values["full"]))),
    formula="log(max(v, eps))/2 + d**2/(2*max(v, eps)) + where(full, log(2*pi)/2, 0)",
    keywords={"uncertainty": 1},
    symbols={"x": "input", "t": "target", "v": "var"},
    differentiable=("input", "target", "var"),
    default_wrt=("input", "var"),
    description=(
        "A regression loss that also learns how noisy each target is. Squared errors are divided by the "
        "predicted variance, and the logarithm makes it costly to claim a large variance everywhere. At the "
        "optimum the input is the mean of the target given the features, and var its variance: this gives "
        "error bars, and it lets noisy regions pull less on the fit.\n\n"
        "With a constant variance it is the squared error up to a factor and a constant."
    ),
    notes=(
        "The variance in the formula is max(var, ``eps``). The clamp is invisible to the derivative, as in "
        "PyTorch: below ``eps``, var gets the gradient taken at ``eps``, which is large and points back into "
        "the legal region. A NaN variance stays NaN; a negative one is a DomainError, or counts as ``eps`` "
        "with ``check=False``.\n\n"
        "The Hessian for the input is 1/v. For var it is ``d**2/v**3 - 1/(2*v**2)``, negative where ``d**2`` "
        "< v/2: Newton steps on the variance need a guard. ``d**2`` overflows to inf for ``|d|`` above "
        "1.8e19 in float32."
    ),
    use_when=(
        "the noise differs between samples and you need an error bar for each: no constant-variance loss gives one",
        "some regions of the data are much noisier than others: their errors are weighted down without "
        "hand-made weights",
        "you combine several heads of different units: each learns its own scale",
    ),
    avoid_when=(
        "residuals have heavy tails: a single outlier of 10 standard deviations costs 50 and inflates the "
        "variance around it; use ``laplace_nll_loss`` or ``student_t_nll_loss``",
        "only the mean is wanted and the noise is even: ``mse_loss`` has fewer ways to fail",
        "the data are few and the model large: it can drive var to 0 on training points that it has memorised",
    ),
    pitfalls=(
        "var is the variance, not the standard deviation and not its logarithm. A head that puts out "
        "``log(var)`` needs exp first.",
        "Early in training the variance may grow to explain a bad mean, and then the mean learns slowly "
        "because its gradient is divided by var. Fitting the mean first with ``mse_loss`` helps.",
        "Paddle gives the variance no gradient at all; PyTorch and losslib do.",
        "Values can be negative, since densities can exceed 1.",
    ),
    see_also=(
        ("mse_loss", "the same mean without a variance"),
        ("laplace_nll_loss", "absolute in place of squared errors: the input estimates the median"),
        ("student_t_nll_loss", "heavy tails with a fixed scale"),
    ),
    references=(
        Reference(
            "Nix, D. A. and Weigend, A. S. (1994). Estimating the mean and variance of the target "
            "probability distribution. Proceedings of the IEEE International Conference on Neural Networks, "
            "55-60.",
            doi="10.1109/ICNN.1994.374138",
        ),
    ),
    equivalents=(
        Equivalent("torch", "gaussian_nll_loss", "torch.nn.functional.gaussian_nll_loss(x, t, v)"),
        Equivalent(
            "torch",
            "GaussianNLLLoss",
            "torch.nn.GaussianNLLLoss(full=True, eps=0.01, reduction='none')(x, t, v)",
            {"full": True, "eps": 0.01, "reduction": "none"},
        ),
        Equivalent(
            "scipy",
            "scipy.stats.norm.logpdf",
            "-scipy.stats.norm.logpdf(t, loc=x, scale=v**0.5)",
            {"full": True, "reduction": "none"},
            "No floor on the variance; scale is the standard deviation.",
        ),
        Equivalent(
            "paddle",
            "gaussian_nll_loss",
            "paddle.nn.functional.gaussian_nll_loss(x, t, v)",
            {},
            "The same value; Paddle's variance receives no gradient.",
        ),
        Equivalent(
            "catboost",
            "RMSEWithUncertainty",
            note="Takes the log standard deviation as second output and follows the natural gradient.",
        ),
    ),
    examples=""">>> losslib.gaussian_nll_loss([1.0, 2.0], [3.0, 2.0], [1.0, 1.0])
1.0

The first error is 2, so its squared half is 2, the second 0. Two gradients come back, for input and var:

>>> value, (by_input, by_var) = losslib.gaussian_nll_loss.value_and_grad(
...     [1.0, 2.0], [3.0, 2.0], [1.0, 1.0])
>>> by_input
array([-1.,  0.])
>>> by_var
array([-0.75,  0.25])
""",
    tags=("real", "smooth", "proper", "uncertainty", "two outputs"),
    function_order=("full", "eps", "reduction"),
    entries=("L030", "L031"),
    value_range="(-inf, inf)",
)


# Gamma


def _gamma_kernel(values: Values) -> Kernel:
    return ("GammaLog" if values["log_input"] else "GammaIdentity"), ()


def _gamma_domains(values: Values) -> tuple[Domain, ...]:
    return (REAL if values["log_input"] else POSITIVE), POSITIVE


gamma_nll_loss, GammaNLLLoss = pointwise(
    "gamma_nll_loss",
    "GammaNLLLoss",
    family="likelihood",
    aliases=("gamma", "HalfGammaLoss", "reg:gamma"),
    summary="Negative log-likelihood of positive amounts under a gamma distribution with the predicted mean.",
    inputs=(
        LINEAR_PREDICTOR,
        Input(
            "target",
            "Observed amounts, all > 0.",
            POSITIVE,
            fix="tweedie_nll_loss with 1 < power < 2 accepts zeros",
        ),
    ),
    parameters=(LOG_INPUT,),
    kernel=_gamma_kernel,
    formula="where(log_input, x + t*exp(-x), log(x) + t/x)",
    keywords={"insurance": 2, "durations": 1},
    symbols={"x": "input", "t": "target"},
    input_domains=_gamma_domains,
    description=(
        "For positive amounts whose spread is proportional to their size: claim sizes, waiting times, "
        "rainfall, prices. It judges the ratio of target and predicted mean, so being 10 % off costs the "
        "same at 5 and at 5000. At the optimum the input is the (log of the) mean of the target given the "
        "features.\n\n"
        "It is the likelihood of a gamma distribution divided by its shape parameter, which is not needed "
        "for the mean; at shape 1 it is the exponential distribution."
    ),
    notes=(
        "Terms that depend on the target alone are dropped: the smallest value for a target t is ``1 + "
        "log(t)``, and values may be negative. With the log link the Hessian is ``t*exp(-x)``, never "
        "negative; with ``log_input=False`` it is ``(2*t/x - 1)/x**2``, negative where x > ``2*t``. "
        "``exp(-x)`` overflows to inf below x = -88.7 in float32 and -709.8 in float64."
    ),
    use_when=(
        "targets are positive and span orders of magnitude, and relative errors matter: the loss depends on "
        "the prediction only through t / mean",
        "you need the mean, not the median: fitting ``log(target)`` by least squares gives a geometric "
        "mean, which underestimates totals",
        "waiting times or durations without memory: it is the exponential likelihood exactly",
    ),
    avoid_when=(
        "the target contains zeros: the gamma density does not; use ``tweedie_nll_loss`` with a power between 1 and 2",
        "the target is a count: ``poisson_nll_loss`` has the right variance",
        "the upper tail is heavier than a gamma's (very large claims): the gradient ``t*exp(-x)`` is linear "
        "in the target, so a few records lead the fit",
    ),
    pitfalls=(
        "Passing the mean with ``log_input=True`` gives no error, only a bad fit.",
        "The gradient is bounded by 1 for overestimates but grows like t / mean for underestimates: start "
        "from ``log(mean of the target)``, not from 0, when targets are large.",
        "scikit-learn's deviance is twice this loss plus a term in the target.",
    ),
    see_also=(
        ("tweedie_nll_loss", "the same loss at ``power=2``; smaller powers allow zeros"),
        ("poisson_nll_loss", "variance proportional to the mean, not to its square"),
        ("mean_squared_logarithmic_error", "also relative, but estimates the mean of ``log(1 + target)``"),
    ),
    references=(NELDER_WEDDERBURN,),
    equivalents=(
        Equivalent(
            "sklearn",
            "mean_gamma_deviance",
            note=(
                "``2 * (log(mu/t) + t/mu - 1)`` on means: twice this loss plus a term in t alone. The "
                "private HalfGammaLoss is this loss with the log link and ``reduction='none'``."
            ),
        ),
        Equivalent("xgboost", "reg:gamma", note="The same gradient ``1 - t*exp(-x)`` and Hessian ``t*exp(-x)``."),
        Equivalent("lightgbm", "gamma", note="The same gradient and Hessian."),
    ),
    examples=""">>> losslib.gamma_nll_loss([0.0, 0.0], [1.0, 3.0])
2.0
>>> losslib.gamma_nll_loss([1.0, 1.0], [1.0, 3.0], log_input=False)
2.0
>>> value, gradient = losslib.gamma_nll_loss.value_and_grad([0.0, 0.0], [2.0, 3.0])
>>> gradient
array([-0.5, -1. ])
""",
    tags=("positive", "convex", "smooth", "proper", "log link"),
    entries=("L033",),
    value_range="(-inf, inf)",
)


# Tweedie: squared error, Poisson and gamma are its powers 0, 1 and 2

_TWEEDIE_LOG: dict[float, Kernel] = {
    0.0: ("HalfSquaredErrorLog", ()),
    1.0: ("PoissonLog", ()),
    2.0: ("GammaLog", ()),
}
_TWEEDIE_IDENTITY: dict[float, Kernel] = {
    0.0: ("HalfSquaredError", ()),
    1.0: ("PoissonIdentity", (0.0,)),
    2.0: ("GammaIdentity", ()),
}


def _tweedie_kernel(values: Values) -> Kernel:
    power = float(values["power"])
    if values["log_input"]:
        return _TWEEDIE_LOG.get(power, ("TweedieLog", (power,)))
    return _TWEEDIE_IDENTITY.get(power, ("TweedieIdentity", (power,)))


def _tweedie_domains(values: Values) -> tuple[Domain, ...]:
    power = float(values["power"])
    observed = REAL if power == 0.0 else NONNEGATIVE if power < 2.0 else POSITIVE
    return (REAL if values["log_input"] else observed), observed


tweedie_nll_loss, TweedieNLLLoss = pointwise(
    "tweedie_nll_loss",
    "TweedieNLLLoss",
    family="likelihood",
    aliases=("tweedie", "HalfTweedieLoss", "reg:tweedie"),
    summary="Negative log-likelihood, up to scale, of a Tweedie distribution with the predicted mean.",
    inputs=(
        LINEAR_PREDICTOR,
        Input(
            "target",
            "Observed amounts: >= 0 for powers from 1 to below 2, > 0 from 2 on, any number for power 0.",
            NONNEGATIVE,
            fix="zeros need a power below 2, negative values power 0",
        ),
    ),
    parameters=(
        Real(
            "power",
            1.5,
            "Power p of the variance, which is proportional to ``mean**p``: 0 normal, 1 Poisson, 2 gamma, 3 "
            "inverse Gaussian; between 1 and 2 a mixture of zeros and positive amounts.",
            least=1.0,
            also=(0.0,),
            examples=(0.0, 1.0, 1.2, 1.9, 2.0, 3.0),
        ),
        LOG_INPUT,
    ),
    kernel=_tweedie_kernel,
    formula=(
        "where(log_input,"
        " where(power == 0, (exp(x) - t)**2/2,"
        " where(power == 1, exp(x) - t*x,"
        " where(power == 2, x + t*exp(-x),"
        " exp((2 - power)*x)/(2 - power) - t*exp((1 - power)*x)/(1 - power)))),"
        " where(power == 0, d**2/2,"
        " where(power == 1, x - t*log(x),"
        " where(power == 2, log(x) + t/x,"
        " x**(2 - power)/(2 - power) - t*x**(1 - power)/(1 - power)))))"
    ),
    keywords={"counts": 3, "insurance": 1, "durations": 2},
    symbols={"x": "input", "t": "target"},
    input_domains=_tweedie_domains,
    description=(
        "One family that holds the squared error, the Poisson and the gamma loss, told apart by how the "
        "variance grows with the mean: like ``mean**power``. Between 1 and 2 it is the distribution of a "
        "random number of random amounts, so it has a lump of zeros and a continuous positive part: "
        "insurance cost per policy, daily rain, money spent per customer.\n\n"
        "The input estimates the mean (its log with ``log_input=True``) for every power; the power only sets "
        "how strongly errors at large means are discounted."
    ),
    notes=(
        "Powers 0, 1 and 2 are computed by the exact kernels of the squared error, Poisson and gamma loss, "
        "not as limits. Terms in the target alone are dropped, except at power 0, whose value is the whole "
        "half squared error. As ``1 - power`` is a divisor, values for powers close to 1 or 2 are large "
        "numbers that differ little; gradients are not affected.\n\n"
        "With the log link the Hessian is ``(2-p)*exp((2-p)*x) - (1-p)*t*exp((1-p)*x)``, never negative for "
        "powers from 1 to 2. At power 0 (``exp(x)*(2*exp(x) - t)``) and above 2 it may be negative."
    ),
    use_when=(
        "the target is exactly 0 for many records and a positive amount for the others: one model in place "
        "of a classifier followed by a regression",
        "you want to tune how the noise grows with the mean: power is a single number to search over",
    ),
    avoid_when=(
        "zeros come from another process than the amounts: two models say more than one power",
        "you need the whole likelihood, for instance to choose the power: its normalising term has no "
        "closed form and is not included",
        "the power is known to be 1 or 2: ``poisson_nll_loss`` and ``gamma_nll_loss`` say so to the reader",
    ),
    pitfalls=(
        "Losses of different powers are on different scales: never choose the power by comparing this "
        "value. Compare a fixed measure on held-out data, such as the absolute error of totals or a Gini "
        "index.",
        "Powers between 0 and 1 are refused: no such distribution exists.",
        "XGBoost and LightGBM take the power in [1, 2), CatBoost in (1, 2); scikit-learn's metric counts "
        "twice and adds terms in the target.",
    ),
    see_also=(
        ("poisson_nll_loss", "power 1"),
        ("gamma_nll_loss", "power 2"),
        ("half_squared_error", "power 0 without a link"),
    ),
    references=(
        Reference(
            "Jørgensen, B. (1987). Exponential dispersion models. Journal of the Royal Statistical Society "
            "B, 49(2), 127-162.",
            doi="10.1111/j.2517-6161.1987.tb01685.x",
        ),
    ),
    equivalents=(
        Equivalent(
            "sklearn",
            "mean_tweedie_deviance",
            note=(
                "Twice this loss plus terms in the target alone, on means. The private HalfTweedieLoss is "
                "this loss with the log link and ``reduction='none'``; HalfTweedieLossIdentity adds terms in "
                "the target."
            ),
        ),
        Equivalent("torchmetrics", "tweedie_deviance_score", note="The same deviance as scikit-learn's, as a metric."),
        Equivalent(
            "xgboost",
            "reg:tweedie",
            note="The same gradient with the log link; ``tweedie_variance_power`` is power.",
        ),
        Equivalent(
            "lightgbm",
            "tweedie",
            note="The same gradient with the log link; ``tweedie_variance_power`` is power.",
        ),
        Equivalent("catboost", "Tweedie", note="The same loss with the log link; ``variance_power`` is power."),
    ),
    examples=""">>> losslib.tweedie_nll_loss([0.0, 0.0], [0.0, 2.0], power=1.5)
4.0

The first record is a zero: exp(0)/0.5 = 2. The second adds 2/0.5 to that:

>>> losslib.tweedie_nll_loss([0.0, 0.0], [0.0, 2.0], power=1.5, reduction="none")
array([2., 6.])
>>> value, gradient = losslib.tweedie_nll_loss.value_and_grad([0.0, 0.0], [0.0, 2.0], power=1.5)
>>> gradient
array([ 0.5, -0.5])
""",
    tags=("positive", "zeros", "convex", "smooth", "log link"),
    entries=("L034", "L035"),
    value_range="(-inf, inf)",
)


# Laplace, with the scale predicted as well

laplace_nll_loss, LaplaceNLLLoss = pointwise(
    "laplace_nll_loss",
    "LaplaceNLLLoss",
    family="likelihood",
    aliases=("laplace",),
    summary=("Negative log-likelihood under a Laplace distribution whose location and scale are both predicted."),
    inputs=(
        LOCATION,
        OBSERVED,
        Input(
            "scale",
            "Predicted scale, the mean absolute deviation; broadcasts against the input.",
            NONNEGATIVE,
            fix="put exp or softplus on the output that predicts the scale",
            broadcasts=True,
        ),
    ),
    parameters=(FULL, VARIANCE_FLOOR),
    kernel=lambda values: ("Laplace", (float(values["eps"]), float(values["full"]))),
    formula="abs(d)/max(s, eps) + log(max(s, eps)) + where(full, log(2), 0)",
    keywords={"mad": 2, "heavy tails": 13, "uncertainty": 2},
    symbols={"x": "input", "t": "target", "s": "scale"},
    differentiable=("input", "target", "scale"),
    default_wrt=("input", "scale"),
    description=(
        "The robust sister of the Gaussian loss: absolute errors divided by a predicted scale, plus the "
        "logarithm of that scale. At the optimum the input is the median of the target given the features, "
        "and scale the mean absolute deviation from it.\n\n"
        "An outlier pulls on the prediction with the same force as any other error of its sign and on the "
        "scale only linearly, so both stay useful on data with heavy tails."
    ),
    notes=(
        "The scale in the formula is max(scale, ``eps``); as for ``gaussian_nll_loss`` the derivative is "
        "taken at the clamped value and passes the clamp, so a scale below ``eps`` is pushed up. The "
        "derivative for the input is ``sign(d)/scale``, and 0 at d = 0. The Hessian for the input is 0; for "
        "scale it is ``2*|d|/s**3 - 1/s**2``, negative where ``|d|`` < s/2."
    ),
    use_when=(
        "you want an error bar per sample and the residuals have heavy tails: 10 scales off costs 10, not 50",
        "the median is the right summary: targets are skewed and the mean is led by a few of them",
    ),
    avoid_when=(
        "residuals are close to normal: the median is then a noisier estimate than the mean (by a factor of "
        "pi/2 in variance); use ``gaussian_nll_loss``",
        "a second-order method needs curvature: the Hessian for the input is 0 everywhere",
        "you need the mean of a skewed target, for totals: the median is not it",
    ),
    pitfalls=(
        "scale is not the standard deviation: that is ``sqrt(2)`` times scale.",
        "The gradient for the input does not shrink near the optimum; lower the learning rate at the end, "
        "or use ``student_t_nll_loss``, which is smooth.",
        "Values can be negative, since densities can exceed 1.",
    ),
    see_also=(
        ("l1_loss", "the same median without a scale"),
        ("gaussian_nll_loss", "squared errors: mean and variance"),
        ("student_t_nll_loss", "smooth and with still heavier tails, at a fixed scale"),
    ),
    references=(
        Reference(
            "Kotz, S., Kozubowski, T. J. and Podgórski, K. (2001). The Laplace Distribution and "
            "Generalizations. Birkhäuser.",
            doi="10.1007/978-1-4612-0173-1",
        ),
    ),
    equivalents=(
        Equivalent(
            "scipy",
            "scipy.stats.laplace.logpdf",
            "-scipy.stats.laplace.logpdf(t, loc=x, scale=v)",
            {"full": True, "reduction": "none"},
            "No floor on the scale.",
        ),
        Equivalent(
            "torch",
            "torch.distributions.Laplace",
            "-torch.distributions.Laplace(x, v).log_prob(t)",
            {"full": True, "reduction": "none"},
            "No floor on the scale.",
        ),
    ),
    examples=""">>> losslib.laplace_nll_loss([1.0, 2.0], [3.0, 2.0], [1.0, 1.0])
1.0
>>> value, (by_input, by_scale) = losslib.laplace_nll_loss.value_and_grad(
...     [1.0, 2.0], [3.0, 2.0], [1.0, 1.0])
>>> by_input
array([-0.5,  0. ])
>>> by_scale
array([-0.5,  0.5])
""",
    tags=("real", "robust", "proper", "uncertainty", "two outputs"),
    value_range="(-inf, inf)",
)


# Student's t


def _student_t_kernel(values: Values) -> Kernel:
    df, scale = float(values["df"]), float(values["scale"])
    constant = 0.0
    if values["full"]:
        constant = _log_gamma_ratio(df / 2) + 0.5 * math.log(2 * math.pi)
    return "StudentT", (df, scale, constant)


def _log_gamma_ratio(y: float) -> float:
    """Return log(sqrt(y) Gamma(y) / Gamma(y + 1/2)), which is 1/(8 y) for large y."""
    if y < 8:
        return math.lgamma(y) - math.lgamma(y + 0.5) + 0.5 * math.log(y)
    # The difference of Stirling's series: the terms of size y log(y) are gone.
    return 0.5 - y * math.log1p(0.5 / y) + _stirling_tail(y) - _stirling_tail(y + 0.5)


def _stirling_tail(y: float) -> float:
    """Return log(Gamma(y)) - (y - 1/2) log(y) + y - log(2 pi)/2 for y >= 8."""
    inverse = 1 / y
    tail = 0.0
    for coefficient in (1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        tail = tail * inverse * inverse + coefficient
    return tail * inverse


student_t_nll_loss, StudentTNLLLoss = pointwise(
    "student_t_nll_loss",
    "StudentTNLLLoss",
    family="likelihood",
    aliases=("student_t",),
    summary=("Negative log-likelihood under Student's t distribution: a smooth loss that hardly listens to outliers."),
    inputs=(LOCATION, OBSERVED),
    parameters=(
        Real(
            "df",
            4.0,
            "Degrees of freedom: the smaller, the heavier the tails; 1 is the Cauchy distribution, large "
            "values approach the normal one.",
            above=0.0,
            examples=(1.0, 2.0, 30.0),
        ),
        Real(
            "scale",
            1.0,
            "Scale of the residuals: the size of an ordinary error, in the unit of the target.",
            above=0.0,
            examples=(0.5, 2.0),
        ),
        FULL,
    ),
    kernel=_student_t_kernel,
    formula=(
        "(df + 1)/2*log1p(d**2/(df*scale**2)) + log(scale)"
        " + where(full, loggamma(df/2) - loggamma((df + 1)/2) + log(pi*df)/2, 0)"
    ),
    keywords={"heavy tails": 3},
    symbols={"x": "input", "t": "target"},
    differentiable=("input", "target"),
    description=(
        "Quadratic for errors well below scale, logarithmic far above it: a gross outlier costs something "
        "but its pull on the prediction goes back to zero, like ``1/|d|``. The largest pull is at ``|d|`` = "
        "``scale*sqrt(df)``.\n\n"
        "For symmetric noise the input estimates the common mean and median. ``df`` says how heavy the tails "
        "are; 3 to 5 is a usual choice for data with outliers."
    ),
    notes=(
        "``log(scale)`` is kept although it does not depend on the prediction, so that values for different "
        "scales can be compared; ``full=True`` adds the remaining constant of the density. The Hessian is "
        "negative where ``|d|`` > ``scale*sqrt(df)``: the loss is not convex. Huge d does not overflow: the "
        "value grows like ``(df + 1)*log(|d|)``."
    ),
    use_when=(
        "outliers are errors to be ignored: their influence goes to zero, where that of Huber or L1 stays constant",
        "you want robustness with a likelihood behind it: it can be compared between models and tuned by "
        "``df`` and scale",
        "a smooth loss is needed: unlike L1 and Huber it has all derivatives",
    ),
    avoid_when=(
        "large errors are the ones that matter (peaks, failures): the loss would ignore them",
        "the start is far from the data: beyond ``scale*sqrt(df)`` the gradient gets small and the fit can "
        "stall; begin with ``huber_loss`` or a larger scale",
        "the noise is skewed: the estimate is then neither mean nor median",
    ),
    pitfalls=(
        "scale must suit the residuals: 1.0 is right for standardised targets only. 1.4826 times the median "
        "absolute residual is a good first value.",
        "scale is not the standard deviation, which is ``scale*sqrt(df/(df-2))`` and infinite for ``df`` <= 2.",
        "Newton and boosting code needs a positive Hessian; this one turns negative for outliers.",
    ),
    see_also=(
        ("cauchy_loss", "the shape of ``df=1`` in another scaling, without the likelihood's constants"),
        ("huber_loss", "convex; outliers keep a constant pull"),
        ("gaussian_nll_loss", "the limit of large ``df``, with a predicted variance"),
    ),
    references=(
        Reference(
            "Lange, K. L., Little, R. J. A. and Taylor, J. M. G. (1989). Robust statistical modeling using "
            "the t distribution. Journal of the American Statistical Association, 84(408), 881-896.",
            doi="10.1080/01621459.1989.10478852",
        ),
    ),
    equivalents=(
        Equivalent(
            "scipy",
            "scipy.stats.t.logpdf",
            "-scipy.stats.t.logpdf(t, df=3.0, loc=x, scale=2.0)",
            {"df": 3.0, "scale": 2.0, "full": True, "reduction": "none"},
        ),
        Equivalent(
            "torch",
            "torch.distributions.StudentT",
            "-torch.distributions.StudentT(3.0, x, 2.0).log_prob(t)",
            {"df": 3.0, "scale": 2.0, "full": True, "reduction": "none"},
        ),
    ),
    examples=""">>> round(losslib.student_t_nll_loss([2.0, 1.0], [0.0, 1.0], df=4.0), 4)
0.8664

The error of 2 costs 2.5*log(2), the other nothing. At ``|d| = sqrt(df)`` the pull is largest:

>>> value, gradient = losslib.student_t_nll_loss.value_and_grad(
...     [1.0, 2.0, 100.0], [0.0, 0.0, 0.0], df=4.0, reduction="sum")
>>> gradient.round(4)
array([1.  , 1.25, 0.05])
""",
    tags=("real", "robust", "smooth", "proper"),
    value_range="[log(scale), inf)",
)


# Negative binomial


def _negative_binomial_kernel(values: Values) -> Kernel:
    dispersion = float(values["dispersion"])
    name = "NegativeBinomialLog" if values["log_input"] else "NegativeBinomialIdentity"
    numbers = (dispersion,) if values["log_input"] else (dispersion, float(values["eps"]))
    return (name + "Full" if values["full"] else name), numbers


negative_binomial_nll_loss, NegativeBinomialNLLLoss = pointwise(
    "negative_binomial_nll_loss",
    "NegativeBinomialNLLLoss",
    family="likelihood",
    aliases=("negative_binomial",),
    summary="Negative log-likelihood of counts that vary more than Poisson counts do.",
    inputs=(LINEAR_PREDICTOR, COUNTS),
    parameters=(
        Real(
            "dispersion",
            1.0,
            "Extra spread a: the variance is ``mean + a*mean**2``; near 0 the loss is the Poisson loss.",
            above=0.0,
            examples=(0.1, 0.5, 2.0),
        ),
        LOG_INPUT,
        FULL,
        LOG_GUARD,
    ),
    kernel=_negative_binomial_kernel,
    formula=(
        "where(log_input,"
        " (t + 1/dispersion)*softplus(x + log(dispersion)) - t*x,"
        " (t + 1/dispersion)*log1p(dispersion*x) - t*log(x + eps))"
        " + where(full, loggamma(1/dispersion) + loggamma(t + 1) - loggamma(t + 1/dispersion)"
        " - t*log(dispersion), 0)"
    ),
    keywords={"counts": 2, "overdispersion": 1},
    symbols={"x": "input", "t": "target"},
    input_domains=_count_domains,
    description=(
        "Real counts often spread wider than their mean: sales, reads of a gene, visits to a doctor. This is "
        "a Poisson distribution whose rate is itself random (gamma distributed) around the predicted mean, "
        "with variance ``mean + dispersion*mean**2``. The input still estimates the mean (its log with "
        "``log_input=True``).\n\n"
        "Against the Poisson loss, large counts pull less: the gradient is ``(mean - t)/(1 + "
        "dispersion*mean)``."
    ),
    notes=(
        "Terms that do not depend on the prediction are dropped, so values may be negative; ``full=True`` "
        "adds them and makes the value comparable between dispersions. With the log link nothing overflows: "
        "the loss grows linearly in x on both sides. dispersion can be as small as 1e-8 without loss of "
        "accuracy. With ``log_input=True`` the Hessian is never negative; with ``log_input=False`` it may "
        "be, for means far above t."
    ),
    use_when=(
        "counts whose variance clearly exceeds their mean: the weights of large and small counts are then "
        "right, and so are the likelihoods",
        "a few huge counts lead a Poisson fit: here their gradient is bounded relative to their size",
    ),
    avoid_when=(
        "variance and mean are about equal: ``poisson_nll_loss`` has one parameter less",
        "the counts vary less than Poisson counts (binomial, or regular arrivals): no positive dispersion fits that",
        "zeros come from a process of their own: a zero-inflated model is needed",
    ),
    pitfalls=(
        "Parametrisations differ: dispersion here is 1/r of SciPy's ``nbinom(r, p)`` with p = ``1/(1 + "
        "dispersion*mean)``, and 1/theta of R's MASS.",
        "To choose dispersion by likelihood use ``full=True``: the dropped terms depend on it.",
        "Passing the mean with ``log_input=True`` gives no error, only a bad fit.",
    ),
    see_also=(
        ("poisson_nll_loss", "the limit of dispersion 0"),
        ("tweedie_nll_loss", "continuous amounts with exact zeros"),
    ),
    references=(
        Reference(
            "Lawless, J. F. (1987). Negative binomial and mixed Poisson regression. The Canadian Journal of "
            "Statistics, 15(3), 209-225.",
            doi="10.2307/3314912",
        ),
        Reference(
            "Hilbe, J. M. (2011). Negative Binomial Regression. 2nd edition, Cambridge University Press.",
            doi="10.1017/CBO9780511973420",
        ),
    ),
    equivalents=(
        Equivalent(
            "scipy",
            "scipy.stats.nbinom.logpmf",
            "-scipy.stats.nbinom.logpmf(t, 2.0, 1.0 / (1.0 + 0.5 * x))",
            {"dispersion": 0.5, "log_input": False, "full": True, "eps": 0.0, "reduction": "none"},
            "Takes whole counts only, and 1/dispersion as its first parameter.",
        ),
        Equivalent(
            "torch",
            "torch.distributions.NegativeBinomial",
            "-torch.distributions.NegativeBinomial(2.0, logits=x + x.new_tensor(0.5).log()).log_prob(t)",
            {"dispersion": 0.5, "full": True, "reduction": "none"},
            "Its logits are ``log(mean * dispersion)``.",
        ),
    ),
    examples=""">>> round(losslib.negative_binomial_nll_loss([0.0, 0.0], [0.0, 3.0]), 4)
1.7329

Both means are 1 and dispersion is 1, so the values are log(2) and 4*log(2). The gradient is half of
(1 - t)/2:

>>> value, gradient = losslib.negative_binomial_nll_loss.value_and_grad([0.0, 0.0], [0.0, 3.0])
>>> gradient
array([ 0.25, -0.5 ])
""",
    tags=("counts", "convex", "smooth", "proper", "log link"),
    value_range="(-inf, inf)",
)


# Kullback-Leibler divergences


def _kl_kernel(values: Values) -> Kernel:
    return ("KLDivergenceLogTarget" if values["log_target"] else "KLDivergence"), ()


def _kl_domains(values: Values) -> tuple[Domain, ...]:
    return REAL, (REAL if values["log_target"] else NONNEGATIVE)


kl_div, KLDivLoss = pointwise(
    "kl_div",
    "KLDivLoss",
    family="likelihood",
    aliases=("kl", "kullback_leibler"),
    summary=("Terms of the Kullback-Leibler divergence of a target distribution from predicted log-probabilities."),
    inputs=(
        Input("input", "Predicted log-probabilities, such as the result of a log-softmax."),
        Input(
            "target",
            "Probabilities of the target distribution, or their logarithms when ``log_target=True``.",
            NONNEGATIVE,
            fix="pass log_target=True if the target holds log-probabilities",
        ),
    ),
    parameters=(Flag("log_target", False, "Whether the target holds logarithms of probabilities."),),
    kernel=_kl_kernel,
    formula="where(log_target, exp(t)*(t - x), where(t > 0, t*(log(t) - x), 0))",
    keywords={"teacher": 2, "divergence": 1},
    symbols={"x": "input", "t": "target"},
    input_domains=_kl_domains,
    differentiable=("input", "target"),
    reductions=("mean", "sum", "none", "weighted_mean", "batchmean"),
    description=(
        "Measures what is lost when the predicted distribution q stands in for the target distribution p: "
        "KL(p||q), summed over the classes. It is 0 only when both agree, and it is the cross entropy of "
        "soft targets minus their entropy, so both have the same gradient for the prediction.\n\n"
        "The input is log q, which comes from a log-softmax without rounding tiny probabilities to 0. "
        '``reduction="batchmean"`` divides the sum by the size of the first axis: the mean divergence per '
        "sample, which is what the textbook formula means."
    ),
    notes=(
        "A target of 0 contributes exactly 0 and has gradient 0 for the input, even where the input is -inf; "
        "the same holds for a log target of -inf, where PyTorch returns NaN. The derivative for the target, "
        "``log(t) + 1 - x``, is -inf at t = 0.\n\n"
        "The gradient for the input is -t and the Hessian 0: all curvature sits in the log-softmax before "
        "it. Single terms may be negative; only the sum over a distribution cannot."
    ),
    use_when=(
        "targets are distributions, not labels: distillation, soft labels, histograms. 0 is then reached by "
        "a perfect model, which a cross entropy does not show",
        "a policy or posterior is kept near a reference distribution",
    ),
    avoid_when=(
        "targets are class labels: ``cross_entropy`` takes logits and indices, is shorter and computes less",
        "rows of target or prediction do not sum to 1: single terms lose their meaning; use ``generalized_kl_div``",
        "supports may not overlap: the divergence is then infinite; Jensen-Shannon stays finite",
    ),
    pitfalls=(
        "The input must be log-probabilities. Probabilities give no error, just meaningless values.",
        '``reduction="mean"`` divides by the number of elements, classes included; the divergence per '
        'sample is ``"batchmean"``.',
        "Argument order: ``kl_div(log_q, p)`` is KL(p||q). KL is not symmetric, and most formulas write p first.",
        "Keras' KLDivergence takes (target, prediction), both as probabilities.",
    ),
    see_also=(
        (
            "generalized_kl_div",
            "takes probabilities or any positive amounts; never negative for a single term",
        ),
        ("binary_cross_entropy", "for one probability per element"),
        ("poisson_nll_loss", "the likelihood of counts, for unnormalised intensities"),
    ),
    references=(KULLBACK_LEIBLER,),
    equivalents=(
        Equivalent("torch", "kl_div", "torch.nn.functional.kl_div(x, t)", {}, 'Warns about ``"mean"``.'),
        Equivalent(
            "torch",
            "KLDivLoss",
            "torch.nn.KLDivLoss(reduction='batchmean')(x, t)",
            {"reduction": "batchmean"},
        ),
        Equivalent(
            "optax",
            "kl_divergence",
            "optax.losses.kl_divergence(x, t).sum()",
            {"reduction": "sum"},
            "Sums over the last axis.",
        ),
        Equivalent(
            "optax",
            "kl_divergence_with_log_targets",
            "optax.losses.kl_divergence_with_log_targets(x, t).sum()",
            {"log_target": True, "reduction": "sum"},
            "Sums over the last axis.",
        ),
        Equivalent("paddle", "kl_div", "paddle.nn.functional.kl_div(x, t)"),
        Equivalent(
            "scipy",
            "scipy.special.rel_entr",
            note="``rel_entr(t, exp(x))`` is the same term, on probabilities.",
        ),
        Equivalent(
            "keras",
            "KLDivergence",
            note=(
                "Takes (target, prediction) as probabilities, clips both to [1e-7, 1], sums over the last "
                'axis and averages the rest: ``"batchmean"`` for two axes.'
            ),
        ),
        Equivalent(
            "torchmetrics",
            "kl_divergence",
            note="Takes (p, q) as two tables of probabilities and normalises the rows of both first.",
        ),
    ),
    examples=""">>> log_q = np.log([[0.5, 0.5], [0.25, 0.75]])
>>> p = np.array([[1.0, 0.0], [0.25, 0.75]])
>>> round(losslib.kl_div(log_q, p, reduction="batchmean"), 4)
0.3466

That is log(2) for the first row and 0 for the second, divided by two rows.

The gradient is -p:

>>> value, gradient = losslib.kl_div.value_and_grad(np.log([0.5, 0.5]), [0.25, 0.75], reduction="sum")
>>> round(value, 4)
0.1308
>>> gradient
array([-0.25, -0.75])
""",
    tags=("distributions", "log-probabilities", "convex", "proper", "divergence", "smooth"),
    function_order=("size_average", "reduce", "reduction", "log_target"),
    class_order=("size_average", "reduce", "reduction", "log_target"),
    entries=("L084", "L085", "L086"),
    value_range="(-inf, inf)",
)


generalized_kl_div, GeneralizedKLDiv = pointwise(
    "generalized_kl_div",
    "GeneralizedKLDiv",
    family="likelihood",
    aliases=("generalized_kl", "generalized_kullback_leibler", "i_divergence"),
    summary="Kullback-Leibler divergence of positive amounts that need not sum to one.",
    inputs=(
        Input(
            "input",
            "Predicted probabilities, intensities or amounts.",
            NONNEGATIVE,
            fix="put exp or softplus on the model's output",
        ),
        Input("target", "Observed probabilities, intensities or amounts.", NONNEGATIVE),
    ),
    kernel="GeneralizedKL",
    formula="where(t > 0, t*log(t/x) - t + x, x)",
    keywords={"divergence": 2},
    symbols={"x": "input", "t": "target"},
    differentiable=("input", "target"),
    description=(
        "The KL divergence with the two terms that vanish for normalised distributions kept: ``t*log(t/x) - "
        "t + x``. Every single term is then >= 0 and is 0 exactly where prediction and target agree, so it "
        "works on histograms, spectra, pictures and word counts as they are. It is half the Poisson deviance "
        "and the objective of non-negative matrix factorisation.\n\n"
        "At the optimum the input is the mean of the target given the features."
    ),
    notes=(
        "Accurate when prediction and target nearly agree: no difference of large logarithms is taken. A "
        "target of 0 gives the value x; a prediction of 0 with a positive target gives inf. The derivative "
        "for the input is ``1 - t/x``, the Hessian ``t/x**2``; the derivative for the target is "
        "``log(t/x)``, -inf at t = 0."
    ),
    use_when=(
        "both sides are positive amounts on a common scale and not normalised: totals are compared as well as shapes",
        "you want a Poisson loss whose value says how good the fit is: it is 0 for a perfect prediction",
    ),
    avoid_when=(
        "the model puts out logits or logarithms: ``kl_div`` or ``poisson_nll_loss`` take those and cannot "
        "reach ``log(0)``",
        "targets are measurements with constant noise: ``mse_loss`` is the likelihood then, this loss "
        "overweights small values",
    ),
    pitfalls=(
        "Argument order: SciPy's ``kl_div(t, x)`` has the target first.",
        "``kl_div``, here and in PyTorch, is another function: log-probabilities in, and without ``- t + x``.",
        "The gradient ``1 - t/x`` is unbounded as x goes to 0; keep predictions away from 0 or model their logarithm.",
    ),
    see_also=(
        ("kl_div", "takes log-probabilities and drops the terms that cancel for distributions"),
        ("poisson_nll_loss", "the same gradient with ``log_input=False``; the value lacks the term in t"),
    ),
    references=(
        KULLBACK_LEIBLER,
        Reference(
            "Csiszár, I. (1991). Why least squares and maximum entropy? An axiomatic approach to inference "
            "for linear inverse problems. The Annals of Statistics, 19(4), 2032-2066.",
            doi="10.1214/aos/1176348385",
        ),
    ),
    equivalents=(
        Equivalent(
            "scipy",
            "scipy.special.kl_div",
            "scipy.special.kl_div(t, x)",
            {"reduction": "none"},
            "Target first.",
        ),
        Equivalent(
            "optax",
            "convex_kl_divergence",
            note=("The same terms from log predictions, summed over the last axis; also generalized_kl_divergence."),
        ),
        Equivalent(
            "sklearn",
            "mean_poisson_deviance",
            "sklearn.metrics.mean_poisson_deviance(t, x) / 2",
            {},
            "Twice this loss; takes one axis only.",
        ),
    ),
    examples=""">>> losslib.generalized_kl_div([2.0, 0.5, 1.0], [2.0, 0.0, 1.0], reduction="none")
array([0. , 0.5, 0. ])
>>> value, gradient = losslib.generalized_kl_div.value_and_grad([2.0, 1.0], [1.0, 2.0])
>>> round(value, 4)
0.3466
>>> gradient
array([ 0.25, -0.5 ])
""",
    tags=("positive", "probabilities", "convex", "smooth", "divergence"),
    entries=("L087",),
    value_range="[0, inf]",
)
