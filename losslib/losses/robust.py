"""Robust M-estimators: losses of the scaled error whose pull by an outlier is bounded or fades away.

Pure declarations: the arithmetic is in ``include/losslib/pointwise/robust.h``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from losslib.declaration.schema import Equivalent, Real, Reference
from losslib.declare import pointwise
from losslib.losses.regression import BOTH, CHARBONNIER_1997, ELEMENTWISE, INPUT, SYMBOLS, TARGET, WRITTEN_OUT

__all__ = [
    "BarronLoss",
    "CauchyLoss",
    "CharbonnierLoss",
    "GemanMcClureLoss",
    "TukeyBiweightLoss",
    "WelschLoss",
    "barron_loss",
    "cauchy_loss",
    "charbonnier_loss",
    "geman_mcclure_loss",
    "tukey_biweight_loss",
    "welsch_loss",
]

SCALE = Real(
    "scale",
    1.0,
    "Size of a typical good error, in units of the target; the error is divided by it.",
    above=0.0,
    examples=(0.5, 2.0, 5.0),
)

BARRON_2019 = Reference(
    "Barron, J. T. (2019). A general and adaptive robust loss function."
    " IEEE/CVF Conference on Computer Vision and Pattern Recognition, 4331-4339.",
    doi="10.1109/CVPR.2019.00446",
)
BLACK_ANANDAN_1996 = Reference(
    "Black, M. J. and Anandan, P. (1996). The robust estimation of multiple motions: parametric and"
    " piecewise-smooth flow fields. Computer Vision and Image Understanding 63(1), 75-104.",
    doi="10.1006/cviu.1996.0006",
)
HOLLAND_WELSCH_1977 = Reference(
    "Holland, P. W. and Welsch, R. E. (1977). Robust regression using iteratively reweighted least-squares."
    " Communications in Statistics, Theory and Methods 6(9), 813-827.",
    doi="10.1080/03610927708827533",
)

#: What every loss that forgets outliers shares.
NOT_CONVEX = (
    "the starting point is poor, because elements that begin far away have almost no gradient and stay there:"
    " start with ``huber_loss``"
)
NEGATIVE_HESSIAN = (
    "The Hessian is negative for large errors, so a plain Newton step goes the wrong way there; use"
    " gradient / error as weight instead (iteratively reweighted least squares)."
)


#: A letter of the formulas: the error in units of the scale.
RATIO = {"r": "d/scale"}

charbonnier_loss, CharbonnierLoss = pointwise(
    "charbonnier_loss",
    "CharbonnierLoss",
    family="regression",
    summary="Square root of 1 + squared scaled error, less 1: a smooth absolute error.",
    inputs=(INPUT, TARGET),
    parameters=(SCALE,),
    kernel="Charbonnier",
    formula="sqrt(r**2 + 1) - 1",
    definitions=RATIO,
    keywords={"heavy tails": 9},
    symbols=SYMBOLS,
    tags=("real", "convex", "smooth", "robust"),
    differentiable=BOTH,
    description=(
        "With ``r = d/scale``, about ``r**2/2`` for small errors and ``|r| - 1`` for large ones: outliers"
        " pull with constant strength. It estimates a number between mean and median, and is the case"
        " ``alpha=1`` of ``barron_loss``. A ``scale`` of 1.29 standard deviations of the noise keeps 95 % of"
        " the efficiency of least squares on Gaussian data."
        "\n\n"
        "In image restoration it replaces the absolute error, because differences of pixels are often near"
        " zero and the corner of L1 disturbs the optimiser there."
    ),
    notes=(
        "With respect to the input the gradient is ``r/(scale*sqrt(r**2 + 1))`` and the Hessian is ``(r**2"
        " + 1)**(-3/2)/scale**2``, positive everywhere. Small errors keep their relative accuracy and large"
        " ones do not overflow: float32 gives 1e30 for an error of 1e30."
    ),
    use_when=(
        "a smooth and convex robust loss is wanted, because it has one minimum and a positive Hessian",
        "images or flow fields are regressed, because it behaves like L1 without the corner",
    ),
    avoid_when=(
        "outliers should count for nothing, because their slope tends to ``1/scale``, not to 0",
        "small errors should be squared exactly up to a limit: ``huber_loss``",
    ),
    pitfalls=(
        "Papers on super-resolution write ``sqrt(d**2 + eps**2)``: that is ``scale*(value + 1)`` with"
        " ``scale=eps``, so gradients differ by the factor ``scale``.",
        "Changing ``scale`` changes the slope far away, hence the meaning of the learning rate;"
        " ``pseudo_huber_loss`` keeps the curvature at zero instead.",
    ),
    see_also=(
        ("pseudo_huber_loss", "``delta**2`` times this loss with ``scale=delta``"),
        ("l1_loss", "the limit of ``scale`` times this loss for a small ``scale``"),
        ("barron_loss", "this loss at ``alpha=1``, and the step to stronger or weaker ones"),
    ),
    references=(CHARBONNIER_1997, BARRON_2019),
    equivalents=(
        Equivalent(
            "scipy",
            "least_squares(loss='soft_l1')",
            note="Its cost with ``f_scale=scale`` is ``scale**2`` times the sum of this loss.",
        ),
    ),
    examples="""\
>>> losslib.charbonnier_loss(np.array([3.0, 1.0]), np.array([0.0, 1.0]), scale=4.0, reduction="none")
array([0.25, 0.  ])

r = 3/4: sqrt(9/16 + 1) - 1 = 5/4 - 1.

>>> losslib.charbonnier_loss.value_and_grad(np.array([3.0, -3.0]), np.array([0.0, 0.0]), scale=4.0)
(0.25, array([ 0.075, -0.075]))
""",
)

cauchy_loss, CauchyLoss = pointwise(
    "cauchy_loss",
    "CauchyLoss",
    family="regression",
    aliases=("lorentzian", "lorentzian_loss"),
    summary="Logarithm of 1 + half the squared scaled error: outliers pull less the farther they are.",
    inputs=(INPUT, TARGET),
    parameters=(SCALE,),
    kernel="Cauchy",
    formula="log1p(r**2/2)",
    definitions=RATIO,
    keywords={"heavy tails": 2},
    symbols=SYMBOLS,
    tags=("real", "smooth", "robust"),
    differentiable=BOTH,
    description=(
        "With ``r = d/scale``, about ``r**2/2`` for small errors and ``2*log(|r|)`` for large ones. The"
        " slope rises up to an error of ``sqrt(2)*scale`` and then falls like ``2/|d|``: far points still"
        " pull, but weakly. It estimates the centre of the main cluster of targets, and is the case"
        " ``alpha=0`` of ``barron_loss``."
        "\n\n"
        "It is the negative log-likelihood of Cauchy noise with half-width ``sqrt(2)*scale``, apart from a"
        " constant. A ``scale`` of 1.69 standard deviations keeps 95 % of the efficiency of least squares on"
        " Gaussian data."
    ),
    notes=(
        "Gradient ``2*d/(2*scale**2 + d**2)``, Hessian ``2*(2*scale**2 - d**2)/(2*scale**2 + d**2)**2``:"
        " negative beyond ``sqrt(2)*scale``, so the loss is not convex. The square of a large error does not"
        " overflow."
    ),
    use_when=(
        "tails are heavy and outliers lie on both sides, because their pull fades without vanishing",
        "a least-squares code is made robust, because the weight ``2/(2*scale**2 + d**2)`` is cheap",
    ),
    avoid_when=(
        "the problem must stay convex, because there can be several minima: ``charbonnier_loss``",
        NOT_CONVEX,
    ),
    pitfalls=(
        "Two scalings are in use: ``log(1 + r**2/2)`` here and in Barron's paper, ``log(1 + r**2)`` in"
        " SciPy and in statistics; they differ by a factor ``sqrt(2)`` in ``scale``.",
        NEGATIVE_HESSIAN,
    ),
    see_also=(
        ("student_t_nll_loss", "with ``df=1`` the Cauchy likelihood, its scale included"),
        ("geman_mcclure_loss", "bounded: far points count the same, wherever they are"),
        ("charbonnier_loss", "convex: far points pull with constant strength"),
        ("barron_loss", "this loss at ``alpha=0``"),
    ),
    references=(BLACK_ANANDAN_1996, BARRON_2019),
    equivalents=(
        Equivalent(
            "scipy",
            "least_squares(loss='cauchy')",
            note="Its cost with ``f_scale=sqrt(2)*scale`` is ``scale**2`` times the sum of this loss.",
        ),
    ),
    examples="""\
>>> round(losslib.cauchy_loss(np.array([2.0]), np.array([0.0]), scale=2.0), 6)
0.405465

r = 1: log(1 + 1/2).

>>> value, gradient = losslib.cauchy_loss.value_and_grad(np.array([2.0, -4.0]), np.array([0.0, 0.0]))
>>> round(value, 6), gradient.round(6)
(1.647918, array([ 0.333333, -0.222222]))
""",
)

welsch_loss, WelschLoss = pointwise(
    "welsch_loss",
    "WelschLoss",
    family="regression",
    aliases=("leclerc", "leclerc_loss"),
    summary="One minus a Gaussian of the scaled error: every outlier costs 1 and pulls with nothing.",
    inputs=(INPUT, TARGET),
    parameters=(SCALE,),
    kernel="Welsch",
    formula="1 - exp(-r**2/2)",
    definitions=RATIO,
    keywords={"heavy tails": 5},
    symbols=SYMBOLS,
    tags=("real", "smooth", "robust", "bounded"),
    differentiable=BOTH,
    value_range="[0, 1)",
    description=(
        "With ``r = d/scale``, about ``r**2/2`` for small errors and 1 for large ones. The slope is largest"
        " at an error of ``scale`` and falls off like a Gaussian, so that an error of 5 scales has"
        " practically no influence. Minimising it finds the mode of the targets, smoothed by a Gaussian of"
        " width ``scale``; it is the limit ``alpha=-inf`` of ``barron_loss`` and known as the correntropy"
        " criterion too."
        "\n\n"
        "A ``scale`` of 2.11 standard deviations of the noise keeps 95 % of the efficiency of least squares"
        " on Gaussian data."
    ),
    notes=(
        "Gradient ``r*exp(-r**2/2)/scale``, Hessian ``(1 - r**2)*exp(-r**2/2)/scale**2``: negative beyond"
        " ``scale``. Computed with expm1, so small errors keep their relative accuracy. Beyond about 14"
        " scales in float32 (39 in float64) the gradient is exactly 0."
    ),
    use_when=(
        "outliers are gross and plenty, because they lose all influence",
        "the most frequent value is wanted, because the loss looks for the densest cluster",
    ),
    avoid_when=(
        NOT_CONVEX,
        "the size of good errors is unknown, because too small a ``scale`` makes everything an outlier",
    ),
    pitfalls=(
        "Some texts write ``1 - exp(-(d/c)**2)``, with tuning constant 2.985: that is ``scale = c/sqrt(2)``.",
        "A loss near 1 means that almost all elements are regarded as outliers, not that training has converged.",
        NEGATIVE_HESSIAN,
    ),
    see_also=(
        ("tukey_biweight_loss", "exactly 0 influence beyond a limit"),
        ("geman_mcclure_loss", "bounded too, but the influence fades slowly"),
        ("barron_loss", "this loss at ``alpha=-inf``"),
    ),
    references=(HOLLAND_WELSCH_1977, BARRON_2019),
    equivalents=(
        Equivalent("torch", "expm1", "-torch.expm1(-0.5 * (x - t) ** 2).mean()", note=WRITTEN_OUT),
        Equivalent(
            "kornia",
            "welsch_loss",
            "kornia.losses.welsch_loss(x, t, reduction='mean')",
            note="At ``scale=1``, its only setting.",
        ),
    ),
    examples="""\
>>> round(losslib.welsch_loss(np.array([2.0]), np.array([0.0]), scale=2.0), 6)
0.393469

r = 1: 1 - exp(-1/2).

>>> value, gradient = losslib.welsch_loss.value_and_grad(np.array([1.0, -3.0]), np.array([0.0, 0.0]))
>>> round(value, 6), gradient.round(6)
(0.69118, array([ 0.303265, -0.016663]))
""",
)

geman_mcclure_loss, GemanMcClureLoss = pointwise(
    "geman_mcclure_loss",
    "GemanMcClureLoss",
    family="regression",
    summary="Twice the squared scaled error over itself plus 4: bounded by 2, with slowly fading influence.",
    inputs=(INPUT, TARGET),
    parameters=(SCALE,),
    kernel="GemanMcClure",
    formula="2*r**2/(r**2 + 4)",
    definitions=RATIO,
    keywords={"heavy tails": 6},
    symbols=SYMBOLS,
    tags=("real", "smooth", "robust", "bounded"),
    differentiable=BOTH,
    value_range="[0, 2)",
    description=(
        "With ``r = d/scale``, about ``r**2/2`` for small errors and 2 for large ones. The slope is largest"
        " at an error of 1.15 scales and falls with the cube of the error: between Cauchy and Welsch in"
        " strength. It is the case ``alpha=-2`` of ``barron_loss`` and needs no transcendental function."
        "\n\n"
        "It estimates the centre of the main cluster of targets. A ``scale`` of 1.89 standard deviations of"
        " the noise keeps 95 % of the efficiency of least squares on Gaussian data."
    ),
    notes=(
        "Gradient ``16*r/(scale*(r**2 + 4)**2)``, Hessian ``16*(4 - 3*r**2)/(scale**2*(r**2 + 4)**3)``:"
        " negative beyond 1.15 scales. Errors whose square overflows give 2 and gradient 0."
    ),
    use_when=(
        "point clouds or trajectories are aligned with many false matches, because those cost at most 2 each",
        "speed counts, because one division is all it takes",
    ),
    avoid_when=(
        NOT_CONVEX,
        "a single minimum is needed, because the loss is not convex: ``charbonnier_loss``",
    ),
    pitfalls=(
        "The form ``u**2/(1 + u**2)`` of many papers is half of this one with ``u = d/(2*scale)``; others"
        " put 1/2 in front or write the scale under the square. Compare the curvature at zero, here"
        " ``1/scale**2``.",
        NEGATIVE_HESSIAN,
    ),
    see_also=(
        ("cauchy_loss", "weaker: grows with the logarithm"),
        ("welsch_loss", "stronger: the influence falls off exponentially"),
        ("barron_loss", "this loss at ``alpha=-2``"),
    ),
    references=(
        Reference(
            "Geman, S. and McClure, D. E. (1987). Statistical methods for tomographic image reconstruction."
            " Bulletin of the International Statistical Institute 52(4), 5-21.",
        ),
        BLACK_ANANDAN_1996,
        BARRON_2019,
    ),
    equivalents=(
        Equivalent("torch", "mean", "torch.mean(2 * (x - t) ** 2 / ((x - t) ** 2 + 4))", note=WRITTEN_OUT),
        Equivalent(
            "kornia",
            "geman_mcclure_loss",
            "kornia.losses.geman_mcclure_loss(x, t, reduction='mean')",
            note="At ``scale=1``, its only setting.",
        ),
    ),
    examples="""\
>>> losslib.geman_mcclure_loss(np.array([4.0, 1.0]), np.array([0.0, 1.0]), scale=2.0, reduction="none")
array([1., 0.])

r = 2: 2 × 4 / (4 + 4).

>>> losslib.geman_mcclure_loss.value_and_grad(np.array([4.0, -4.0]), np.array([0.0, 0.0]), scale=2.0)
(1.0, array([ 0.125, -0.125]))
""",
)

tukey_biweight_loss, TukeyBiweightLoss = pointwise(
    "tukey_biweight_loss",
    "TukeyBiweightLoss",
    family="regression",
    aliases=("tukey", "tukey_loss", "biweight", "bisquare"),
    summary="Half the squared error near zero, constant beyond ``c``: outliers are ignored altogether.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "c",
            4.685,
            "Error, in units of the target, from which an element has no influence. The default suits noise"
            " of standard deviation 1.",
            above=0.0,
            examples=(2.0, 8.0),
        ),
    ),
    kernel="TukeyBiweight",
    formula="where(abs(d) <= c, c**2/6*(1 - (1 - (d/c)**2)**3), c**2/6)",
    keywords={"heavy tails": 4},
    symbols=SYMBOLS,
    tags=("real", "smooth", "robust", "bounded"),
    differentiable=BOTH,
    value_range="[0, c**2/6]",
    description=(
        "The gradient is ``d*(1 - (d/c)**2)**2`` inside and exactly 0 outside: elements beyond ``c`` might"
        " as well not be there. It estimates the centre of the main cluster of targets. With ``c`` of 4.685"
        " standard deviations it keeps 95 % of the efficiency of least squares on Gaussian data, which is"
        " why that number is the default."
        "\n\n"
        "Divide errors by a robust estimate of their spread first (1.4826 times the median of ``|d|`` is"
        " usual), or multiply ``c`` by it."
    ),
    notes=(
        "With ``u = d/c`` the Hessian is ``(1 - u**2)*(1 - 5*u**2)``: 1 at zero, negative beyond"
        " ``0.447*c``, 0 from ``c`` on. Value, gradient and Hessian are continuous. Small errors are"
        " computed without cancellation."
    ),
    use_when=(
        "outliers are gross and must not shift the fit at all, because their gradient is exactly 0",
        "a robust start is at hand (``huber_loss`` or ``l1_loss``), because from there the loss only removes"
        " the rest of the bias",
    ),
    avoid_when=(
        NOT_CONVEX,
        "the spread of the errors is unknown or changes during training, because ``c`` is in their units",
    ),
    pitfalls=(
        "The default 4.685 assumes a spread of 1: with targets in thousands nearly all gradients are 0, with"
        " targets in thousandths it is plain squared error.",
        "If all errors exceed ``c`` the loss is constant and training stands still without a sign.",
        NEGATIVE_HESSIAN,
    ),
    see_also=(
        ("welsch_loss", "similar, without a sharp limit"),
        ("huber_loss", "convex; outliers keep a constant pull"),
        ("geman_mcclure_loss", "bounded, but no element is dropped entirely"),
    ),
    references=(
        Reference(
            "Beaton, A. E. and Tukey, J. W. (1974). The fitting of power series, meaning polynomials,"
            " illustrated on band-spectroscopic data. Technometrics 16(2), 147-185.",
            doi="10.1080/00401706.1974.10489171",
        ),
        HOLLAND_WELSCH_1977,
    ),
    equivalents=(
        Equivalent(
            "statsmodels",
            "robust.norms.TukeyBiweight",
            "statsmodels.robust.norms.TukeyBiweight(c=4.685).rho(x - t)",
            {"reduction": "none"},
            ELEMENTWISE,
        ),
        Equivalent(
            "torch",
            "clamp",
            "torch.mean(4.685**2 / 6 * (1 - torch.clamp(1 - ((x - t) / 4.685) ** 2, min=0) ** 3))",
            note=WRITTEN_OUT,
        ),
    ),
    examples="""\
>>> losslib.tukey_biweight_loss(np.array([1.0, 9.0]), np.array([0.0, 0.0]), c=2.0, reduction="none").round(6)
array([0.385417, 0.666667])

u = 1/2: 4/6 × (1 - (3/4)^3) = 37/96; the error 9 is beyond c and costs 4/6.

>>> value, gradient = losslib.tukey_biweight_loss.value_and_grad(
...     np.array([1.0, 9.0]), np.array([0.0, 0.0]), c=2.0
... )
>>> gradient
array([0.28125, 0.     ])
""",
)


def _barron_kernel(parameters: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    """At 0, 2 and -inf the general form has no value; its limits are losses of their own."""
    alpha, scale = parameters["alpha"], parameters["scale"]
    if alpha == 2:
        return "BarronQuadratic", (scale,)
    if alpha == 0:
        return "Cauchy", (scale,)
    if alpha == -math.inf:
        return "Welsch", (scale,)
    return "Barron", (alpha, scale)


barron_loss, BarronLoss = pointwise(
    "barron_loss",
    "BarronLoss",
    family="regression",
    aliases=("general_robust", "adaptive_robust", "general_robust_loss", "adaptive_robust_loss"),
    summary="One family of robust losses, from squared error to Welsch, with the robustness as a number.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "alpha",
            1.0,
            "Shape; the smaller, the less outliers count: 2 squared error, 1 Charbonnier, 0 Cauchy, -2"
            " Geman-McClure, -inf Welsch.",
            also=(-math.inf,),
            examples=(2.0, 0.0, -2.0, -math.inf),
        ),
        SCALE,
    ),
    kernel=_barron_kernel,
    formula=(
        "where(alpha == 2, r**2/2, where(alpha == 0, log1p(r**2/2), where(alpha == -inf, 1 - exp(-r**2/2),"
        " abs(alpha - 2)/alpha*((r**2/abs(alpha - 2) + 1)**(alpha/2) - 1))))"
    ),
    definitions=RATIO,
    keywords={"heavy tails": 7},
    symbols=SYMBOLS,
    tags=("real", "smooth", "robust", "convex"),
    differentiable=BOTH,
    description=(
        "With ``r = d/scale``, every member is about ``r**2/2`` for errors below ``scale``, with the same"
        " curvature; ``alpha`` decides what happens beyond. From 1 upwards the loss is convex and its estimate"
        " a compromise of mean and median; below 1 the pull of outliers fades and the loss finds the"
        " centre of the main cluster."
        "\n\n"
        "Lowering ``alpha`` during training (2, 1, 0, -2) starts with a convex problem and ends with a"
        " robust one: graduated non-convexity."
    ),
    notes=(
        "``alpha`` = 2, 0 and -inf use the limits of the formula, which is undefined there; its"
        " neighbourhood is computed through log1p and expm1 and joins them smoothly. For ``alpha >= 1`` the"
        " Hessian is positive; for ``alpha < 1`` it is negative where ``|r| > sqrt(|alpha - 2|/(1 -"
        " alpha))``. For ``alpha < 0`` the value is bounded by ``|alpha - 2|/|alpha|``. The square of a"
        " large error does not overflow early."
    ),
    use_when=(
        "the right amount of robustness is to be found by a search, because one number covers the family",
        "the shape is annealed, because the curvature at zero and hence the learning rate stay the same",
    ),
    avoid_when=(
        "one member is meant, because its own function says so and is faster: ``charbonnier_loss``,"
        " ``cauchy_loss``, ``geman_mcclure_loss``, ``welsch_loss``",
        "``alpha`` is to be learned by gradient descent from this loss, because it would run to its lower"
        " limit: that needs the normalising constant of the paper's likelihood",
    ),
    pitfalls=(
        "``scale`` sets where the bend is, ``alpha`` how hard it is; a poor ``scale`` cannot be mended by ``alpha``.",
        "Below ``alpha=1`` the loss is not convex and the result depends on the starting point.",
    ),
    see_also=(
        ("charbonnier_loss", "``alpha=1``"),
        ("cauchy_loss", "``alpha=0``"),
        ("geman_mcclure_loss", "``alpha=-2``"),
        ("welsch_loss", "``alpha=-inf``"),
        ("half_squared_error", "``alpha=2`` with ``scale=1``"),
    ),
    references=(BARRON_2019,),
    equivalents=(
        Equivalent(
            "robust_loss_pytorch",
            "lossfun",
            "robust_loss_pytorch.lossfun(x - t, torch.tensor(1.0), torch.tensor(1.0))",
            {"reduction": "none"},
            ELEMENTWISE,
        ),
        Equivalent(
            "torch",
            "pow",
            "torch.mean(3.0 * (1 - (1 + (x - t) ** 2 / 3.0) ** -0.5))",
            {"alpha": -1.0},
            WRITTEN_OUT,
        ),
    ),
    examples="""\
>>> x, t = np.array([4.0, 1.0]), np.array([0.0, 1.0])
>>> losslib.barron_loss(x, t, alpha=-2.0, scale=2.0, reduction="none").round(12)
array([1., 0.])

r = 2: 4/(-2) × ((4/4 + 1)^(-1) - 1) = -2 × (1/2 - 1).

>>> value, gradient = losslib.barron_loss.value_and_grad(np.array([4.0, -4.0]), np.zeros(2), alpha=0.0)
>>> round(value, 6), gradient.round(6)
(2.197225, array([ 0.222222, -0.222222]))
""",
)
