"""Losses for real targets, from absolute error to wing; the robust M-estimators are in ``losslib.losses.robust``.

Pure declarations: the arithmetic is in ``include/losslib/pointwise/regression.h``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib.declaration.schema import ABOVE_MINUS_ONE, Equivalent, Input, Real, Reference
from losslib.declare import pointwise

__all__ = [
    "EpsilonInsensitiveLoss",
    "ExpectileLoss",
    "FairLoss",
    "HalfSquaredError",
    "HuberLoss",
    "L1Loss",
    "LogCoshLoss",
    "LqLoss",
    "MSELoss",
    "MeanAbsolutePercentageError",
    "MeanBiasError",
    "MeanSquaredLogarithmicError",
    "PseudoHuberLoss",
    "QuantileLoss",
    "SmoothL1Loss",
    "SquaredEpsilonInsensitiveLoss",
    "SymmetricMeanAbsolutePercentageError",
    "WingLoss",
    "epsilon_insensitive_loss",
    "expectile_loss",
    "fair_loss",
    "half_squared_error",
    "huber_loss",
    "l1_loss",
    "log_cosh_loss",
    "lq_loss",
    "mean_absolute_percentage_error",
    "mean_bias_error",
    "mean_squared_logarithmic_error",
    "mse_loss",
    "pseudo_huber_loss",
    "quantile_loss",
    "smooth_l1_loss",
    "squared_epsilon_insensitive_loss",
    "symmetric_mean_absolute_percentage_error",
    "wing_loss",
]

#: The texts that every regression loss shares, here and in losslib.losses.robust.
INPUT = Input("input", "Predictions, an array of any shape.")
TARGET = Input("target", "True values, of the same shape as ``input``.")
SYMBOLS = {"x": "input", "t": "target"}
BOTH = ("input", "target")
ORDER_KERAS = "The target comes first: (y_true, y_pred)."
ORDER_TENSORFLOW = "The target comes first: (labels, predictions)."
ORDER_SKLEARN = "The target comes first: (y_true, y_pred)."
WRITTEN_OUT = "No function of its own; written out."
ELEMENTWISE = "Gives one value per element; the caller reduces."

#: The same quantity in two losses, hence one text.
EPSILON = Real(
    "epsilon",
    0.1,
    "Half-width of the tolerance band around the target, in units of the target; errors inside it are free.",
    least=0.0,
    examples=(0.5, 1.0),
)

HUBER_1964 = Reference(
    "Huber, P. J. (1964). Robust estimation of a location parameter. Annals of Mathematical Statistics 35(1), 73-101.",
    doi="10.1214/aoms/1177703732",
)
GNEITING_2011 = Reference(
    "Gneiting, T. (2011). Making and evaluating point forecasts."
    " Journal of the American Statistical Association 106(494), 746-762.",
    doi="10.1198/jasa.2011.r10138",
)
WILLMOTT_MATSUURA_2005 = Reference(
    "Willmott, C. J. and Matsuura, K. (2005). Advantages of the mean absolute error (MAE) over the root mean"
    " square error (RMSE) in assessing average model performance. Climate Research 30, 79-82.",
    doi="10.3354/cr030079",
)
HYNDMAN_KOEHLER_2006 = Reference(
    "Hyndman, R. J. and Koehler, A. B. (2006). Another look at measures of forecast accuracy."
    " International Journal of Forecasting 22(4), 679-688.",
    doi="10.1016/j.ijforecast.2006.03.001",
)
CHARBONNIER_1997 = Reference(
    "Charbonnier, P., Blanc-Féraud, L., Aubert, G. and Barlaud, M. (1997). Deterministic edge-preserving"
    " regularization in computed imaging. IEEE Transactions on Image Processing 6(2), 298-311.",
    doi="10.1109/83.551699",
)
SMOLA_SCHOLKOPF_2004 = Reference(
    "Smola, A. J. and Schölkopf, B. (2004). A tutorial on support vector regression."
    " Statistics and Computing 14(3), 199-222.",
    doi="10.1023/B:STCO.0000035301.49549.88",
)


l1_loss, L1Loss = pointwise(
    "l1_loss",
    "L1Loss",
    family="regression",
    aliases=("mae", "mean_absolute_error", "absolute_error", "AbsoluteError", "regression_l1", "reg:absoluteerror"),
    summary="Absolute difference between prediction and target, the loss of the median.",
    inputs=(INPUT, TARGET),
    kernel="AbsoluteError",
    formula="abs(d)",
    keywords={"mad": 1, "heavy tails": 12},
    symbols=SYMBOLS,
    tags=("real", "convex", "robust"),
    differentiable=BOTH,
    mean_divisor="weight",
    function_order=("size_average", "reduce", "reduction", "weight"),
    class_order=("size_average", "reduce", "reduction"),
    description=(
        "Each element costs its distance from the target. A constant that minimises the mean is a median of"
        " the targets, so the model learns the conditional median."
        "\n\n"
        "The slope is 1 wherever the error is not zero. An outlier therefore pulls no harder than any other"
        " element, but the pull does not weaken near the target either: gradient steps of fixed size end up"
        " hopping around the minimum."
    ),
    notes=(
        "The gradient at a tie is 0, as in PyTorch. The Hessian is 0 everywhere; a second-order booster"
        " needs a positive number in its place, and scikit-learn uses 1."
    ),
    use_when=(
        "the median is wanted, because the slope counts only the signs of the errors",
        "some targets are badly wrong, because the gradient of an outlier is no larger than that of any element",
        "the score is reported in units of the target, because the loss is in them too",
    ),
    avoid_when=(
        "the mean (a total, an expected cost) is wanted: on skewed targets the median is another number",
        "the optimiser needs curvature (Newton, boosting with Hessians), because the Hessian is 0",
        "the last digits matter, because the slope does not fade near the target",
    ),
    pitfalls=(
        "With ``weight``, ``mean`` divides by the sum of the weights, as PyTorch does for this loss and"
        " ``mse_loss`` but not for ``huber_loss``.",
        "LightGBM and CatBoost refit leaf values to medians after the gradient step; the gradient of this"
        " loss alone does not reproduce their models.",
    ),
    see_also=(
        ("smooth_l1_loss", "rounds the corner at zero; ``beta=0`` is this loss"),
        ("huber_loss", "quadratic near zero, so that steps shrink on arrival"),
        ("quantile_loss", "any quantile in place of the median"),
        ("laplace_nll_loss", "the likelihood with this error, which learns the scale too"),
    ),
    references=(WILLMOTT_MATSUURA_2005, GNEITING_2011),
    equivalents=(
        Equivalent("torch", "L1Loss", "torch.nn.functional.l1_loss(x, t)"),
        Equivalent("keras", "MeanAbsoluteError", "keras.losses.MeanAbsoluteError()(t, x)", note=ORDER_KERAS),
        Equivalent(
            "tensorflow",
            "absolute_difference",
            "tensorflow.compat.v1.losses.absolute_difference(t, x)",
            note=ORDER_TENSORFLOW + " With weights, its default divides by the count of non-zero weights.",
        ),
        Equivalent("paddle", "l1_loss", "paddle.nn.functional.l1_loss(x, t)"),
        Equivalent("sklearn", "mean_absolute_error", "sklearn.metrics.mean_absolute_error(t, x)", note=ORDER_SKLEARN),
        Equivalent("torchmetrics", "mean_absolute_error", "torchmetrics.functional.mean_absolute_error(x, t)"),
        Equivalent(
            "xgboost",
            "reg:absoluteerror",
            note="The same gradient; leaf values are refitted to medians.",
        ),
        Equivalent("lightgbm", "regression_l1", note="Leaf values are refitted to medians."),
        Equivalent("catboost", "MAE", note="Reports derivatives of the negative loss."),
    ),
    examples="""\
>>> losslib.l1_loss(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 6.0]))
1.3333333333333333

The errors are 0, -1 and -3: their absolute values sum to 4, divided by 3 elements.

>>> losslib.l1_loss.value_and_grad(np.array([2.0, 5.0]), np.array([3.0, 1.0]))
(2.5, array([-0.5,  0.5]))
""",
    entries=("L003",),
)

mse_loss, MSELoss = pointwise(
    "mse_loss",
    "MSELoss",
    family="regression",
    aliases=("l2", "mean_squared_error", "squared_error"),
    summary="Squared difference between prediction and target, the loss of the mean.",
    inputs=(INPUT, TARGET),
    kernel="SquaredError",
    formula="d**2",
    keywords={"rmse": 1, "brier": 1},
    symbols=SYMBOLS,
    tags=("real", "convex", "smooth"),
    differentiable=BOTH,
    mean_divisor="weight",
    function_order=("size_average", "reduce", "reduction", "weight"),
    class_order=("size_average", "reduce", "reduction"),
    description=(
        "A constant that minimises the mean is the mean of the targets, so the model learns the conditional"
        " mean. Minimising it is maximum likelihood under Gaussian noise of constant variance."
        "\n\n"
        "The slope grows with the error: an error ten times larger pulls ten times harder, which makes fits"
        " accurate on clean data and lets a few outliers drag them away on dirty data."
    ),
    notes=(
        "The Hessian is 2 everywhere. A float32 error beyond about 1.8e19 squares to infinity; sums are"
        " taken in float64, so that many large finite squares do not overflow."
    ),
    use_when=(
        "the mean is wanted, because predictions will be added up or multiplied by a price",
        "the noise is roughly Gaussian, because no other loss then gives a tighter fit",
        "a fast start is wanted: one Newton step solves a linear model",
    ),
    avoid_when=(
        "targets hold outliers, because one error of 100 weighs as much as 10000 errors of 1",
        "targets span orders of magnitude, because the largest ones decide the fit",
        "the output goes through a sigmoid, because the gradient fades where the unit is confidently wrong",
    ),
    pitfalls=(
        "There is no factor 1/2 here. optax ``l2_loss``, MXNet ``L2Loss`` and XGBoost ``reg:squarederror``"
        " have it: that is ``half_squared_error``, and the learning rate changes by two.",
        "With ``weight``, ``mean`` divides by the sum of the weights, as PyTorch does; with"
        " ``sample_weight`` it keeps dividing by the number of elements.",
        "Shapes (N, 1) and (N,) broadcast to N x N elsewhere and train a model that predicts the mean; here"
        " they are an error.",
    ),
    see_also=(
        ("half_squared_error", "half of it, with Hessian 1"),
        ("huber_loss", "the same near zero, linear beyond ``delta``"),
        ("gaussian_nll_loss", "the likelihood with this error, which learns the variance too"),
        ("mean_squared_logarithmic_error", "the same on log(1 + value), for relative errors"),
    ),
    references=(GNEITING_2011, WILLMOTT_MATSUURA_2005),
    equivalents=(
        Equivalent("torch", "MSELoss", "torch.nn.functional.mse_loss(x, t)"),
        Equivalent("keras", "MeanSquaredError", "keras.losses.MeanSquaredError()(t, x)", note=ORDER_KERAS),
        Equivalent(
            "tensorflow",
            "mean_squared_error",
            "tensorflow.compat.v1.losses.mean_squared_error(t, x)",
            note=ORDER_TENSORFLOW + " With weights, its default divides by the count of non-zero weights.",
        ),
        Equivalent("paddle", "mse_loss", "paddle.nn.functional.mse_loss(x, t)"),
        Equivalent("optax", "squared_error", "optax.losses.squared_error(x, t)", {"reduction": "none"}, ELEMENTWISE),
        Equivalent("sklearn", "mean_squared_error", "sklearn.metrics.mean_squared_error(t, x)", note=ORDER_SKLEARN),
        Equivalent("torchmetrics", "mean_squared_error", "torchmetrics.functional.mean_squared_error(x, t)"),
        Equivalent("lightgbm", "regression", note="Its derivatives are those of half the squared error."),
        Equivalent("catboost", "RMSE", note="Reports the root of the weighted mean and steps along target - input."),
    ),
    examples="""\
>>> losslib.mse_loss(np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0]))
2.6666666666666665

The errors are 2, 0 and -2: their squares sum to 8, divided by 3 elements.

>>> losslib.mse_loss.value_and_grad(np.array([3.0, 2.0]), np.array([1.0, 3.0]))
(2.5, array([ 2., -1.]))
""",
    entries=("L001",),
)

half_squared_error, HalfSquaredError = pointwise(
    "half_squared_error",
    "HalfSquaredError",
    family="regression",
    aliases=("half_mse", "reg:squarederror"),
    summary="Half the squared difference between prediction and target, whose gradient is the plain error.",
    inputs=(INPUT, TARGET),
    kernel="HalfSquaredError",
    formula="d**2/2",
    keywords={"rmse": 2},
    symbols=SYMBOLS,
    tags=("real", "convex", "smooth"),
    differentiable=BOTH,
    description=(
        "The same minimum as ``mse_loss`` (the conditional mean) at half the value. The gradient is the error"
        " itself and the Hessian is 1, which is what gradient boosting, generalised linear models and the"
        " derivation of the Gaussian likelihood expect."
    ),
    notes=(
        "The Hessian is 1 everywhere, so that with ``reduction='sum'`` one Newton step moves every prediction"
        " to its target. A float32 error beyond about 2.6e19 gives infinity."
    ),
    use_when=(
        "a booster asks for gradient and Hessian, because they come out as error and 1",
        "the loss is a Gaussian log-likelihood of unit variance without its constant, because the 1/2 is part of it",
        "results are compared with Huber-like losses, because those have the 1/2 in their quadratic part",
    ),
    avoid_when=(
        "the number is reported as mean squared error, because it is half of that",
        "targets hold outliers, because the gradient grows with the error without bound",
    ),
    pitfalls=(
        "A learning rate tuned on ``mse_loss`` has to be doubled for the same steps.",
        "TensorFlow's ``l2_loss`` takes one tensor and sums; MXNet's ``weight=1`` already multiplies by 1/2.",
    ),
    see_also=(
        ("mse_loss", "without the factor 1/2, as PyTorch and Keras have it"),
        ("huber_loss", "equals this loss up to ``delta`` and is linear beyond"),
        ("tweedie_nll_loss", "with ``power=0`` the same behind a log link"),
    ),
    references=(GNEITING_2011,),
    equivalents=(
        Equivalent("optax", "l2_loss", "optax.losses.l2_loss(x, t)", {"reduction": "none"}, ELEMENTWISE),
        Equivalent(
            "tensorflow",
            "l2_loss",
            "tensorflow.nn.l2_loss(x - t)",
            {"reduction": "sum"},
            "Takes the difference as its one argument and sums.",
        ),
        Equivalent("sklearn", "HalfSquaredError", note="Private class of the boosting code; per element."),
        Equivalent("xgboost", "reg:squarederror", note="Same gradient and Hessian with ``reduction='sum'``."),
        Equivalent("lightgbm", "regression", note="Same gradient and Hessian with ``reduction='sum'``."),
    ),
    examples="""\
>>> losslib.half_squared_error(np.array([3.0, 2.0]), np.array([1.0, 3.0]), reduction="none")
array([2. , 0.5])
>>> losslib.half_squared_error.value_and_grad(np.array([3.0, 2.0]), np.array([1.0, 3.0]), reduction="sum")
(2.5, array([ 2., -1.]))
""",
    entries=("L002",),
)

mean_bias_error, MeanBiasError = pointwise(
    "mean_bias_error",
    "MeanBiasError",
    family="regression",
    aliases=("mbe", "bias_error"),
    summary="Signed difference between prediction and target: positive when the model predicts too much.",
    inputs=(INPUT, TARGET),
    kernel="BiasError",
    formula="d",
    keywords={"bias": 1},
    symbols=SYMBOLS,
    tags=("real", "convex", "smooth", "signed"),
    differentiable=BOTH,
    value_range="(-inf, inf)",
    description=(
        "Its mean tells in which direction and by how much the predictions are off on average: above zero"
        " they are too large, below zero too small. Errors of opposite sign cancel, so it measures bias and"
        " nothing else."
        "\n\n"
        "It is a diagnostic, or one term of a weighted sum. On its own it has no minimum: predicting minus"
        " infinity is always better."
    ),
    notes="The gradient is 1 for every element before the reduction, ties included; the Hessian is 0.",
    use_when=(
        "a model is checked for systematic over- or underestimation, because only the common part of the"
        " errors survives the mean",
        "groups or batches are compared, because the sign says which way each of them is off",
    ),
    avoid_when=(
        "it would be the only training loss, because it is unbounded below",
        "accuracy is asked for, because large errors of both signs give 0",
    ),
    pitfalls=(
        "Zero does not mean good: predictions [3, 2, 1] for targets [1, 2, 3] have bias 0.",
        "Some fields define it as target minus prediction; here a positive value means too high.",
    ),
    see_also=(
        ("l1_loss", "the size of the errors regardless of sign"),
        ("mse_loss", "bias and spread together"),
        ("quantile_loss", "penalises one direction more than the other and has a minimum"),
    ),
    references=(WILLMOTT_MATSUURA_2005,),
    equivalents=(
        Equivalent("torch", "mean", "torch.mean(x - t)", note=WRITTEN_OUT),
        Equivalent("jax", "mean", "jax.numpy.mean(x - t)", note=WRITTEN_OUT),
    ),
    examples="""\
>>> losslib.mean_bias_error(np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0]))
0.0
>>> losslib.mean_bias_error.value_and_grad(np.array([3.0, 2.0]), np.array([1.0, 3.0]))
(0.5, array([0.5, 0.5]))
""",
)

huber_loss, HuberLoss = pointwise(
    "huber_loss",
    "HuberLoss",
    family="regression",
    summary="Half the squared error for small errors and a straight line beyond ``delta``.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "delta",
            1.0,
            "Error, in units of the target, at which the loss turns from quadratic to linear; also the largest slope.",
            above=0.0,
            examples=(0.5, 2.0, 5.0),
        ),
    ),
    kernel="Huber",
    formula="where(abs(d) <= delta, d**2/2, delta*(abs(d) - delta/2))",
    keywords={"heavy tails": 1},
    symbols=SYMBOLS,
    tags=("real", "convex", "robust", "smooth"),
    differentiable=BOTH,
    function_order=("reduction", "delta", "weight"),
    class_order=("reduction", "delta"),
    description=(
        "Errors up to ``delta`` are treated as Gaussian noise and squared; larger ones cost a straight line"
        " that continues the parabola with the same slope. The minimiser is a compromise: the mean where"
        " ``delta`` is large, the median in the limit of a small one."
        "\n\n"
        "Huber derived it as the best guard against the worst symmetric contamination of Gaussian noise."
        " With ``delta`` of 1.345 standard deviations of the noise it keeps 95 % of the efficiency of least"
        " squares on clean Gaussian data, while no element's slope exceeds ``delta``."
    ),
    notes=(
        "Value and gradient are continuous everywhere. The Hessian is 1 up to and including ``delta`` and 0"
        " beyond, as in scikit-learn; LightGBM uses 1 everywhere."
    ),
    use_when=(
        "targets hold outliers but most errors are well behaved, because only errors beyond ``delta`` lose influence",
        "gradients must stay bounded, because the slope never exceeds ``delta``",
        "a convex problem is wanted, because there is then no worry about starting values",
    ),
    avoid_when=(
        "no sensible error size is known, because ``delta`` is in units of the target",
        "outliers should count for nothing, because their slope stays at ``delta``: see ``tukey_biweight_loss``",
        "a Newton method needs curvature at every point, because the Hessian is 0 beyond ``delta``",
    ),
    pitfalls=(
        "It is not ``smooth_l1_loss``: that is this loss divided by ``delta``. At 1 they coincide, which"
        " hides the mistake.",
        "``paddle.nn.functional.smooth_l1_loss`` is Huber by default, and Gluon's ``HuberLoss`` is smooth L1.",
        "SciPy's ``huber(delta, r)`` takes ``delta`` first.",
        "With ``weight``, ``mean`` divides by the number of elements, as PyTorch does, while weighted"
        " ``l1_loss`` and ``mse_loss`` divide by the sum of the weights.",
        "scikit-learn's boosting re-estimates ``delta`` from a quantile of the errors as it goes; here it is fixed.",
    ),
    see_also=(
        ("smooth_l1_loss", "this loss divided by its parameter, so that the slope far away is 1"),
        ("pseudo_huber_loss", "the same shape with all derivatives"),
        ("log_cosh_loss", "a smooth relative without a parameter"),
        ("tukey_biweight_loss", "outliers lose all influence, at the price of convexity"),
    ),
    references=(HUBER_1964,),
    equivalents=(
        Equivalent("torch", "HuberLoss", "torch.nn.functional.huber_loss(x, t, delta=2.0)", {"delta": 2.0}),
        Equivalent("keras", "Huber", "keras.losses.Huber(delta=2.0)(t, x)", {"delta": 2.0}, ORDER_KERAS),
        Equivalent(
            "tensorflow",
            "huber_loss",
            "tensorflow.compat.v1.losses.huber_loss(t, x, delta=2.0)",
            {"delta": 2.0},
            ORDER_TENSORFLOW,
        ),
        Equivalent(
            "optax",
            "huber_loss",
            "optax.losses.huber_loss(x, t, delta=2.0)",
            {"delta": 2.0, "reduction": "none"},
            ELEMENTWISE,
        ),
        Equivalent(
            "paddle",
            "smooth_l1_loss",
            "paddle.nn.functional.smooth_l1_loss(x, t, delta=2.0)",
            {"delta": 2.0},
            "Huber in spite of its name, because ``is_huber=True`` is the default.",
        ),
        Equivalent(
            "scipy",
            "special.huber",
            "scipy.special.huber(2.0, x - t)",
            {"delta": 2.0, "reduction": "none"},
            "``delta`` comes first, then the difference; per element.",
        ),
        Equivalent("sklearn", "HuberLoss", note="Private; ``delta`` follows a quantile of the errors."),
        Equivalent("lightgbm", "huber", "", {"delta": 0.9}, "``alpha`` is ``delta`` (default 0.9); the Hessian is 1."),
        Equivalent("catboost", "Huber:delta=2.0", "", {"delta": 2.0}, "``delta`` has to be given."),
    ),
    examples="""\
>>> losslib.huber_loss(np.array([1.5, 4.0]), np.array([1.0, 1.0]), reduction="none")
array([0.125, 2.5  ])

The error 0.5 costs half its square; the error 3 costs 1 × (3 - 1/2).

>>> losslib.huber_loss.value_and_grad(np.array([1.5, 4.0]), np.array([1.0, 1.0]), delta=2.0)
(2.0625, array([0.25, 1.  ]))
""",
    entries=("L004",),
)


def _smooth_l1_kernel(parameters: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    """Without a rounded corner, smooth L1 is L1."""
    beta = parameters["beta"]
    return ("AbsoluteError", ()) if beta == 0 else ("SmoothL1", (beta,))


smooth_l1_loss, SmoothL1Loss = pointwise(
    "smooth_l1_loss",
    "SmoothL1Loss",
    family="regression",
    summary="Absolute error whose corner at zero is replaced by a parabola of half-width ``beta``.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "beta",
            1.0,
            "Error, in units of the target, below which the loss is quadratic; 0 gives ``l1_loss``.",
            least=0.0,
            examples=(0.0, 0.5, 2.0),
        ),
    ),
    kernel=_smooth_l1_kernel,
    formula="where(abs(d) < beta, d**2/(2*beta), abs(d) - beta/2)",
    keywords={"landmarks": 2, "bounding boxes": 4},
    symbols=SYMBOLS,
    tags=("real", "convex", "robust", "smooth"),
    differentiable=BOTH,
    function_order=("size_average", "reduce", "reduction", "beta"),
    class_order=("size_average", "reduce", "reduction", "beta"),
    description=(
        "Far from the target it is the absolute error less a constant, with slope 1 whatever ``beta`` is;"
        " near the target the slope falls linearly to 0, so that optimisation settles. The minimiser lies"
        " between the median (``beta`` small) and the mean (``beta`` large)."
        "\n\n"
        "It became the usual loss for box coordinates in object detection with Fast R-CNN."
    ),
    notes=(
        "Equal to ``huber_loss(delta=beta) / beta``. Value and gradient are continuous for ``beta`` > 0."
        " The Hessian is ``1/beta`` below ``beta`` and 0 from there on; with ``beta=0`` it is 0 and the"
        " gradient at a tie is 0."
    ),
    use_when=(
        "box coordinates or offsets are regressed, because published detectors and their learning rates assume it",
        "``beta`` is tuned on its own, because the slope far away stays 1 and the learning rate keeps its meaning",
        "L1 is right but training does not settle, because the slope fades near the target",
    ),
    avoid_when=(
        "results must agree with a Huber loss, because the two differ by the factor ``beta``",
        "``beta`` is made very large, because the loss then fades like ``1/beta``; ``huber_loss`` does not",
    ),
    pitfalls=(
        "With ``beta=1`` it equals ``huber_loss``, which hides a mix-up until the parameter changes.",
        "Paddle's function of this name computes Huber unless ``is_huber=False``; Gluon's"
        " ``HuberLoss(rho)`` is this loss.",
        "PyTorch has no ``weight`` for it; losslib's ``weight`` divides by the number of elements.",
    ),
    see_also=(
        ("huber_loss", "``beta`` times this loss: the curvature at zero stays 1 instead of the slope"),
        ("l1_loss", "the limit ``beta=0``"),
        ("wing_loss", "steeper, not flatter, near the target"),
    ),
    references=(
        Reference(
            "Girshick, R. (2015). Fast R-CNN. IEEE International Conference on Computer Vision, 1440-1448.",
            doi="10.1109/ICCV.2015.169",
        ),
        HUBER_1964,
    ),
    equivalents=(
        Equivalent("torch", "SmoothL1Loss", "torch.nn.functional.smooth_l1_loss(x, t, beta=2.0)", {"beta": 2.0}),
        Equivalent(
            "paddle",
            "smooth_l1_loss",
            "paddle.nn.functional.smooth_l1_loss(x, t, delta=2.0, is_huber=False)",
            {"beta": 2.0},
            "``delta`` is ``beta``; without ``is_huber=False`` it is Huber.",
        ),
    ),
    examples="""\
>>> losslib.smooth_l1_loss(np.array([2.0, 5.0]), np.array([1.0, 1.0]), beta=2.0, reduction="none")
array([0.25, 3.  ])

The error 1 costs 1/(2 × 2); the error 4 costs 4 - 2/2.

>>> losslib.smooth_l1_loss.value_and_grad(np.array([2.0, 5.0]), np.array([1.0, 1.0]), beta=2.0)
(1.625, array([0.25, 0.5 ]))
""",
    entries=("L005",),
)

pseudo_huber_loss, PseudoHuberLoss = pointwise(
    "pseudo_huber_loss",
    "PseudoHuberLoss",
    family="regression",
    aliases=("reg:pseudohubererror",),
    summary="Smooth relative of the Huber loss: half the squared error near zero, slope ``delta`` far away.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "delta",
            1.0,
            "Error, in units of the target, around which the loss bends from quadratic to linear; also the"
            " slope far away.",
            above=0.0,
            examples=(0.5, 2.0, 5.0),
        ),
    ),
    kernel="PseudoHuber",
    formula="delta**2*(sqrt(1 + (d/delta)**2) - 1)",
    keywords={"heavy tails": 8},
    symbols=SYMBOLS,
    tags=("real", "convex", "smooth", "robust"),
    differentiable=BOTH,
    description=(
        "A hyperbola that follows half the squared error for small errors and a line of slope ``delta`` for"
        " large ones, with derivatives of every order and a positive Hessian throughout. Like Huber's loss it"
        " estimates a number between mean and median."
    ),
    notes=(
        "Gradient ``d/sqrt(1 + (d/delta)**2)``, Hessian ``(1 + (d/delta)**2)**(-3/2)``: positive, but"
        " fading with the cube of the error. Small errors keep their full relative accuracy and large ones"
        " do not overflow, where the formula taken literally gives 0 and infinity."
    ),
    use_when=(
        "a second-order method or a booster fits robustly, because the Hessian is positive everywhere",
        "the optimiser assumes smoothness (L-BFGS, conjugate gradients), because there is no joint at ``delta``",
        "outliers are expected and a convex problem is wanted, because the slope stays below ``delta``",
    ),
    avoid_when=(
        "errors below ``delta`` should be squared exactly, because the bend starts at zero: ``huber_loss``",
        "outliers should count for nothing, because their slope tends to ``delta``, not to 0",
    ),
    pitfalls=(
        "For large errors it is ``delta*|d| - delta**2``, not Huber's ``delta*|d| - delta**2/2``: do not"
        " compare values of the two.",
        "SciPy's ``pseudo_huber(delta, r)`` takes ``delta`` first.",
        "Raw Newton steps on far outliers overshoot, because the Hessian fades faster than the gradient.",
    ),
    see_also=(
        ("huber_loss", "exactly quadratic, then exactly linear"),
        ("charbonnier_loss", "the same curve without the factor ``delta**2``"),
        ("log_cosh_loss", "another smooth bend, without a parameter"),
    ),
    references=(
        CHARBONNIER_1997,
        Reference(
            "Hartley, R. and Zisserman, A. (2004). Multiple View Geometry in Computer Vision, second edition."
            " Cambridge University Press.",
            doi="10.1017/CBO9780511811685",
        ),
    ),
    equivalents=(
        Equivalent(
            "scipy",
            "special.pseudo_huber",
            "scipy.special.pseudo_huber(2.0, x - t)",
            {"delta": 2.0, "reduction": "none"},
            "``delta`` comes first, then the difference; per element.",
        ),
        Equivalent(
            "xgboost",
            "reg:pseudohubererror",
            note="``huber_slope`` is ``delta``; same gradient and Hessian with ``reduction='sum'``.",
        ),
    ),
    examples="""\
>>> losslib.pseudo_huber_loss(np.array([3.0, 0.0]), np.array([0.0, 0.0]), delta=4.0, reduction="none")
array([4., 0.])

The error is 3/4 of ``delta``: 16 × (sqrt(1 + 9/16) - 1) = 16 × (5/4 - 1).

>>> losslib.pseudo_huber_loss.value_and_grad(np.array([3.0, -3.0]), np.array([0.0, 0.0]), delta=4.0)
(4.0, array([ 1.2, -1.2]))
""",
    entries=("L006",),
)

log_cosh_loss, LogCoshLoss = pointwise(
    "log_cosh_loss",
    "LogCoshLoss",
    family="regression",
    aliases=("logcosh", "log_cosh_error"),
    summary="Logarithm of the hyperbolic cosine of the error: a smooth bend from squared to absolute error.",
    inputs=(INPUT, TARGET),
    kernel="LogCoshError",
    formula="log(cosh(d))",
    keywords={"heavy tails": 11},
    symbols=SYMBOLS,
    tags=("real", "convex", "smooth", "robust"),
    differentiable=BOTH,
    description=(
        "About ``d**2/2`` for errors below 1 and ``|d| - log(2)`` for errors above 2, with gradient"
        " ``tanh(d)``. It estimates a number between mean and median and is the negative log-likelihood of"
        " the hyperbolic secant distribution."
        "\n\n"
        "There is no parameter: where the bend lies is decided by the scale of the targets."
    ),
    notes=(
        "Computed as ``|d| + log1p(exp(-2*|d|)) - log(2)``, with another form near zero, so that it neither"
        " overflows (cosh itself does from an error of 89.5 in float32) nor loses small errors to"
        " cancellation. The Hessian ``1 - tanh(d)**2`` is positive and fades like ``4*exp(-2*|d|)``."
    ),
    use_when=(
        "targets are standardised and a robust loss without tuning is wanted, because the bend at 1 then fits",
        "a second-order method is used, because the Hessian is positive and smooth",
    ),
    avoid_when=(
        "targets are not scaled: at thousands it is L1, at thousandths it is squared error",
        "the Hessian divides far from the target, because from an error of 10 on it is below 1e-8",
    ),
    pitfalls=(
        "``log(cosh(d))`` written literally overflows; the form in torchmetrics does so for errors beyond"
        " about 88 in float32.",
        "Rescaling the targets changes the shape, not only the size of the loss; divide both inputs by the"
        " wanted scale first.",
    ),
    see_also=(
        ("huber_loss", "the same idea with a parameter for the bend"),
        ("pseudo_huber_loss", "smooth as well, with a parameter, and its Hessian fades more slowly"),
        ("l1_loss", "the limit for large errors, apart from log 2"),
    ),
    references=(
        Reference(
            "Saleh, R. A. and Saleh, A. K. M. E. (2022). Statistical properties of the log-cosh loss function"
            " used in machine learning. arXiv 2208.04564.",
            doi="10.48550/arXiv.2208.04564",
        ),
    ),
    equivalents=(
        Equivalent("keras", "LogCosh", "keras.losses.LogCosh()(t, x)", note=ORDER_KERAS),
        Equivalent("optax", "log_cosh", "optax.losses.log_cosh(x, t)", {"reduction": "none"}, ELEMENTWISE),
        Equivalent(
            "torchmetrics",
            "log_cosh_error",
            "torchmetrics.functional.log_cosh_error(x, t)",
            note="On one axis; with two, one value a column. Overflows for large errors.",
        ),
        Equivalent("catboost", "LogCosh", note="Reports derivatives of the negative loss."),
    ),
    examples="""\
>>> round(losslib.log_cosh_loss(np.array([4.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0])), 6)
1.211444

The errors are 3, 0 and -2: log cosh 3 = 2.309328, log cosh 0 = 0, log cosh 2 = 1.325003.

>>> value, gradient = losslib.log_cosh_loss.value_and_grad(np.array([4.0, 1.0]), np.array([1.0, 3.0]))
>>> round(value, 6), gradient.round(6)
(1.817166, array([ 0.497527, -0.482014]))
""",
    entries=("L007",),
)

quantile_loss, QuantileLoss = pointwise(
    "quantile_loss",
    "QuantileLoss",
    family="regression",
    aliases=("pinball", "pinball_loss", "mean_pinball_loss", "PinballLoss", "check_loss"),
    summary="Tilted absolute error (pinball loss), whose minimiser is the chosen quantile of the target.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "quantile",
            0.5,
            "Share of the targets that should lie below the prediction, and the price of an error of 1 when"
            " the prediction is too low; too high costs ``1 - quantile``.",
            above=0.0,
            below=1.0,
            examples=(0.1, 0.25, 0.9),
        ),
    ),
    kernel="Quantile",
    formula="where(d < 0, -quantile*d, (1 - quantile)*d)",
    keywords={"mad": 3, "quantiles": 1, "forecast": 4},
    symbols=SYMBOLS,
    tags=("real", "convex", "robust", "asymmetric"),
    differentiable=BOTH,
    description=(
        "Predicting too low costs ``quantile`` per unit, predicting too high ``1 - quantile``. In balance a"
        " share ``quantile`` of the targets lies below the prediction, so the model learns that conditional"
        " quantile. Two such models, at 0.05 and 0.95 say, give a 90 % prediction interval without any"
        " assumption about the noise."
        "\n\n"
        "It is also the cost of a stock decision: with lost sales worth nine times the storage, the best"
        " order is the 0.9 quantile of demand."
    ),
    notes=(
        "The gradient is ``-quantile`` below the target, ``1 - quantile`` above it and 0 at a tie; the"
        " Hessian is 0. A booster needs a positive number in its place; scikit-learn uses 1."
    ),
    use_when=(
        "intervals or bounds are wanted, because each level is fitted without a distribution for the noise",
        "being late and being early cost differently, because the ratio of the two costs is the level",
        "targets hold outliers, because only the side an error lies on counts for the gradient, not its size",
    ),
    avoid_when=(
        "levels are extreme for the amount of data, because few points lie beyond them",
        "the optimiser needs curvature, because the Hessian is 0: ``expectile_loss`` has one",
        "several levels must not cross: separate fits may, and sorting or a joint model is needed",
    ),
    pitfalls=(
        "At 0.5 it is half of ``l1_loss``.",
        "The level weighs predictions that are too low (target above input); some texts write the error the"
        " other way round and weigh the opposite side.",
        "Boosters refit leaf values to quantiles after the gradient step, and CatBoost sets the gradient to 0"
        " for errors below 1e-6; the gradient of this loss alone does not reproduce their models.",
    ),
    see_also=(
        ("expectile_loss", "the same tilt on squared errors"),
        ("l1_loss", "twice this loss at the median"),
        ("mean_bias_error", "the signed error itself"),
    ),
    references=(
        Reference(
            "Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46(1), 33-50.",
            doi="10.2307/1913643",
        ),
        GNEITING_2011,
    ),
    equivalents=(
        Equivalent(
            "sklearn",
            "mean_pinball_loss",
            "sklearn.metrics.mean_pinball_loss(t, x, alpha=0.9)",
            {"quantile": 0.9},
            ORDER_SKLEARN + " ``alpha`` is ``quantile``.",
        ),
        Equivalent("xgboost", "reg:quantileerror", note="``quantile_alpha``; leaf values are refitted."),
        Equivalent("lightgbm", "quantile", "", {"quantile": 0.9}, "``alpha`` (default 0.9); leaf values are refitted."),
        Equivalent(
            "catboost",
            "Quantile:alpha=0.9",
            "",
            {"quantile": 0.9},
            "Errors below ``delta=1e-6`` have gradient 0.",
        ),
    ),
    examples="""\
>>> losslib.quantile_loss(np.array([4.0, 2.0, 1.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0]), quantile=0.5)
0.75

The absolute errors 3, 0, 2 and 1 sum to 6; half of that, divided by 4 elements.

>>> losslib.quantile_loss.value_and_grad(np.array([4.0, 1.0]), np.array([1.0, 3.0]), quantile=0.75)
(1.125, array([ 0.125, -0.375]))
""",
    entries=("L008",),
)

expectile_loss, ExpectileLoss = pointwise(
    "expectile_loss",
    "ExpectileLoss",
    family="regression",
    aliases=("asymmetric_least_squares", "asymmetric_squared_error"),
    summary="Tilted squared error, whose minimiser is the chosen expectile of the target.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "expectile",
            0.5,
            "Weight of the squared error when the prediction is too low; too high is weighted by ``1 -"
            " expectile``. 0.5 gives the mean.",
            above=0.0,
            below=1.0,
            examples=(0.1, 0.25, 0.9),
        ),
    ),
    kernel="Expectile",
    formula="where(d < 0, expectile, 1 - expectile)*d**2",
    keywords={"expectiles": 1},
    symbols=SYMBOLS,
    tags=("real", "convex", "asymmetric", "smooth"),
    differentiable=BOTH,
    description=(
        "Expectiles are to the mean what quantiles are to the median: the squared error is weighted by"
        " ``expectile`` where the prediction is too low and by ``1 - expectile`` where it is too high. At"
        " the minimum the weighted sums of the errors on both sides balance."
        "\n\n"
        "In contrast to a quantile, an expectile feels how far away the points in the tail are, not only"
        " how many there are."
    ),
    notes=(
        "The gradient is continuous and 0 at a tie. The Hessian is ``2*expectile`` below the target and"
        " ``2*(1 - expectile)`` from the target on, hence never 0."
    ),
    use_when=(
        "a tilted estimate is fitted by a second-order method, because the Hessian is positive everywhere",
        "the size of tail errors matters, as for risk measures, because it enters the balance",
        "levels must be smooth in the data, because a single point does not make the estimate jump",
    ),
    avoid_when=(
        "a statement like '90 % lie below' is wanted, because that is a quantile",
        "targets hold outliers, because errors are squared",
    ),
    pitfalls=(
        "At 0.5 it is half of ``mse_loss``.",
        "The 0.9 expectile is not the 0.9 quantile; for Gaussian noise it covers about 81 %.",
    ),
    see_also=(
        ("quantile_loss", "the same tilt on absolute errors, with coverage as its meaning"),
        ("mse_loss", "twice this loss at 0.5"),
    ),
    references=(
        Reference(
            "Newey, W. K. and Powell, J. L. (1987). Asymmetric least squares estimation and testing."
            " Econometrica 55(4), 819-847.",
            doi="10.2307/1911031",
        ),
        GNEITING_2011,
    ),
    equivalents=(
        Equivalent("xgboost", "reg:expectileerror", note="From 3.3 on; ``expectile_alpha`` is a level or a list."),
        Equivalent(
            "catboost",
            "Expectile:alpha=0.9",
            "",
            {"expectile": 0.9},
            "Reports derivatives of the negative loss.",
        ),
    ),
    examples="""\
>>> losslib.expectile_loss(np.array([4.0, 1.0]), np.array([2.0, 3.0]), expectile=0.75, reduction="none")
array([1., 3.])

Both errors have the size 2; the prediction above its target costs 0.25 × 4, the one below 0.75 × 4.

>>> losslib.expectile_loss.value_and_grad(np.array([4.0, 1.0]), np.array([2.0, 3.0]), expectile=0.75)
(2.0, array([ 0.5, -1.5]))
""",
    entries=("L011",),
)

epsilon_insensitive_loss, EpsilonInsensitiveLoss = pointwise(
    "epsilon_insensitive_loss",
    "EpsilonInsensitiveLoss",
    family="regression",
    aliases=("eps_insensitive", "svr"),
    summary="Absolute error beyond a tolerance; errors up to ``epsilon`` cost nothing.",
    inputs=(INPUT, TARGET),
    parameters=(EPSILON,),
    kernel="EpsilonInsensitive",
    formula="max(abs(d) - epsilon, 0)",
    keywords={"support vector machine": 5},
    symbols=SYMBOLS,
    tags=("real", "convex", "robust"),
    differentiable=BOTH,
    description=(
        "The loss of support vector regression. Elements within ``epsilon`` of their target have no"
        " gradient at all, so that a kernel model keeps only the others as support vectors; beyond, the"
        " slope is 1 and outliers pull no harder than their neighbours. It estimates a number near the"
        " median."
    ),
    notes=(
        "The gradient is the sign of the error outside the band and 0 inside and on its edge, as in"
        " scikit-learn. The Hessian is 0. ``epsilon=0`` is ``l1_loss``."
    ),
    use_when=(
        "the target is known only to a tolerance (rounding, sensor resolution), because errors within it"
        " carry no information",
        "a sparse kernel model is wanted, because elements inside the band drop out",
    ),
    avoid_when=(
        "every bit of accuracy counts, because the fit does not care below ``epsilon``",
        "targets change scale over time, because ``epsilon`` is in their units",
        "the optimiser needs curvature, because the Hessian is 0",
    ),
    pitfalls=(
        "A value of 0 means within tolerance, not exact.",
        "With ``epsilon`` larger than the spread of the targets a constant is optimal and training does not start.",
    ),
    see_also=(
        ("squared_epsilon_insensitive_loss", "its square: smooth at the edge, sensitive to outliers"),
        ("l1_loss", "without tolerance"),
        ("huber_loss", "small errors cost little instead of nothing"),
    ),
    references=(SMOLA_SCHOLKOPF_2004,),
    equivalents=(
        Equivalent(
            "sklearn",
            "EpsilonInsensitive",
            note="Private class behind ``SGDRegressor(loss='epsilon_insensitive')`` and ``LinearSVR``.",
        ),
    ),
    examples="""\
>>> losslib.epsilon_insensitive_loss(
...     np.array([1.25, 3.0]), np.array([1.0, 1.0]), epsilon=0.5, reduction="none"
... )
array([0. , 1.5])
>>> losslib.epsilon_insensitive_loss.value_and_grad(
...     np.array([1.25, 3.0]), np.array([1.0, 1.0]), epsilon=0.5
... )
(0.75, array([0. , 0.5]))
""",
    entries=("L019",),
)

squared_epsilon_insensitive_loss, SquaredEpsilonInsensitiveLoss = pointwise(
    "squared_epsilon_insensitive_loss",
    "SquaredEpsilonInsensitiveLoss",
    family="regression",
    aliases=("squared_eps_insensitive", "l2_svr"),
    summary="Squared error beyond a tolerance; errors up to ``epsilon`` cost nothing.",
    inputs=(INPUT, TARGET),
    parameters=(EPSILON,),
    kernel="SquaredEpsilonInsensitive",
    formula="max(abs(d) - epsilon, 0)**2",
    keywords={"support vector machine": 6},
    symbols=SYMBOLS,
    tags=("real", "convex", "smooth"),
    differentiable=BOTH,
    description=(
        "The square of ``epsilon_insensitive_loss``: free inside the band, a parabola outside that starts"
        " with slope 0 at the edge. It estimates a number near the mean."
    ),
    notes=(
        "The gradient ``2*sign(d)*(|d| - epsilon)`` is continuous; the Hessian jumps from 0 inside and on"
        " the edge of the band to 2 outside. ``epsilon=0`` is ``mse_loss``."
    ),
    use_when=(
        "the target is known only to a tolerance and noise beyond it is Gaussian, because that part is squared",
        "a linear SVR is solved in the primal, because the gradient has no jumps",
    ),
    avoid_when=(
        "targets hold outliers, because the slope grows with the error without bound",
        "every bit of accuracy counts, because the fit does not care below ``epsilon``",
    ),
    pitfalls=(
        "There is no factor 1/2; solvers for SVR often have one or hide it in their constant C.",
        "A value of 0 means within tolerance, not exact.",
    ),
    see_also=(
        ("epsilon_insensitive_loss", "linear outside the band, hence robust"),
        ("mse_loss", "without tolerance"),
    ),
    references=(SMOLA_SCHOLKOPF_2004,),
    equivalents=(
        Equivalent(
            "sklearn",
            "SquaredEpsilonInsensitive",
            note="Private class behind ``SGDRegressor(loss='squared_epsilon_insensitive')``.",
        ),
    ),
    examples="""\
>>> losslib.squared_epsilon_insensitive_loss(
...     np.array([1.25, 3.0]), np.array([1.0, 1.0]), epsilon=0.5, reduction="none"
... )
array([0.  , 2.25])
>>> losslib.squared_epsilon_insensitive_loss.value_and_grad(
...     np.array([1.25, 3.0]), np.array([1.0, 1.0]), epsilon=0.5
... )
(1.125, array([0. , 1.5]))
""",
    entries=("L020",),
)

mean_absolute_percentage_error, MeanAbsolutePercentageError = pointwise(
    "mean_absolute_percentage_error",
    "MeanAbsolutePercentageError",
    family="regression",
    aliases=("mape",),
    summary="Absolute error as a share of the size of the target.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "eps",
            1e-7,
            "Smallest denominator, in units of the target; guards targets near zero.",
            above=0.0,
            examples=(0.1, 1.0),
        ),
        Real(
            "scale",
            1.0,
            "Factor on the result: 1 gives a share, 100 gives percent as Keras does.",
            above=0.0,
            examples=(100.0,),
        ),
    ),
    kernel="AbsolutePercentageError",
    formula="scale*abs(d)/max(abs(t), eps)",
    keywords={"forecast": 1},
    symbols=SYMBOLS,
    tags=("real", "convex", "relative"),
    differentiable=BOTH,
    description=(
        "An error of 1 on a target of 10 counts like an error of 10 on a target of 100. It is the absolute"
        " error weighted by ``1/|target|``, so the minimiser is a median in which small targets weigh more:"
        " for positive targets it lies below the ordinary median."
    ),
    notes=(
        "The gradient with respect to the input is ``scale*sign(d)/max(|target|, eps)``, 0 at a tie; the"
        " Hessian is 0. With respect to the target both the error and the denominator are differentiated."
    ),
    use_when=(
        "errors are judged in percent and all targets are clearly away from zero, because then the shares"
        " mean the same everywhere",
        "series of different size are averaged, because the result has no unit",
    ),
    avoid_when=(
        "targets touch zero, because one of them can cost up to 1e7 times its error and outweigh all others",
        "forecasts must not be too low on average: predicting 0 never costs more than 100 %, overshooting has no limit",
        "the zero of the scale is arbitrary (degrees Celsius, dates), because shares mean nothing there",
    ),
    pitfalls=(
        "A share, not percent, unless ``scale=100``.",
        "Four denominators are in use: 1e-7 (Keras), 2.2e-16 (scikit-learn), 1.17e-6 (torchmetrics) and"
        " ``max(1, |target|)`` (LightGBM, CatBoost; here ``eps=1``).",
        "With many zero targets (intermittent demand) the mean says little more than how many there are.",
    ),
    see_also=(
        ("symmetric_mean_absolute_percentage_error", "divides by input and target together, bounded by 2"),
        ("mean_squared_logarithmic_error", "ratios through logarithms, without a division"),
        ("l1_loss", "in units of the target; ``weight`` gives other relative losses"),
    ),
    references=(
        Reference(
            "de Myttenaere, A., Golden, B., Le Grand, B. and Rossi, F. (2016). Mean absolute percentage"
            " error for regression models. Neurocomputing 192, 38-48.",
            doi="10.1016/j.neucom.2015.12.114",
        ),
        HYNDMAN_KOEHLER_2006,
        GNEITING_2011,
    ),
    equivalents=(
        Equivalent(
            "keras",
            "MeanAbsolutePercentageError",
            "keras.losses.MeanAbsolutePercentageError()(t, x)",
            {"scale": 100.0},
            ORDER_KERAS + " In percent.",
        ),
        Equivalent(
            "sklearn",
            "mean_absolute_percentage_error",
            "sklearn.metrics.mean_absolute_percentage_error(t, x)",
            {"eps": 2.220446049250313e-16},
            ORDER_SKLEARN + " A share, not percent.",
        ),
        Equivalent(
            "torchmetrics",
            "mean_absolute_percentage_error",
            "torchmetrics.functional.mean_absolute_percentage_error(x, t)",
            {"eps": 1.17e-6},
            "A share, not percent.",
        ),
        Equivalent("lightgbm", "mape", "", {"eps": 1.0}, "Divides by ``max(1, |target|)``."),
        Equivalent("catboost", "MAPE", "", {"eps": 1.0}, "Divides by ``max(1, |target|)``."),
    ),
    examples="""\
>>> losslib.mean_absolute_percentage_error(np.array([5.0, 12.0]), np.array([4.0, 16.0]), scale=100)
25.0

Both predictions are off by a quarter of their target.

>>> losslib.mean_absolute_percentage_error.value_and_grad(np.array([5.0, 12.0]), np.array([4.0, 16.0]))
(0.25, array([ 0.125  , -0.03125]))
""",
    entries=("L012",),
)

symmetric_mean_absolute_percentage_error, SymmetricMeanAbsolutePercentageError = pointwise(
    "symmetric_mean_absolute_percentage_error",
    "SymmetricMeanAbsolutePercentageError",
    family="regression",
    aliases=("smape",),
    summary="Absolute error as a share of the average size of prediction and target, between 0 and 2.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "eps",
            1e-7,
            "Smallest value of ``|input| + |target|`` to divide by; guards the case that both are zero.",
            above=0.0,
            examples=(0.1, 1.0),
        ),
    ),
    differentiable=BOTH,
    kernel="SymmetricAbsolutePercentageError",
    formula="2*abs(d)/max(abs(x) + abs(t), eps)",
    keywords={"forecast": 2},
    symbols=SYMBOLS,
    tags=("real", "relative", "bounded"),
    value_range="[0, 2]",
    description=(
        "The percentage error with the prediction in the denominator too, which keeps every element between"
        " 0 and 2 and gives the same value when prediction and target change places. Known from forecasting"
        " competitions; it is mostly a score, and a poor loss."
    ),
    notes=(
        "Both being zero gives value 0 and gradient 0. Where prediction and target differ in sign, or the"
        " target is 0, the value is 2 whatever the prediction and the gradient 0. The gradient is 0 at a"
        " tie; at an input of 0 it is the mean of the slopes on the two sides. Not convex: the Hessian is"
        " negative where the prediction is the larger of two numbers of one sign."
    ),
    use_when=(
        "a forecast is scored as a competition demands it, because published numbers are comparable",
        "relative errors are reported and zeros occur now and then, because the value stays bounded",
    ),
    avoid_when=(
        "a model is trained from scratch, because the gradient vanishes for wrong signs and for predictions"
        " far too large",
        "over- and underestimation must cost the same: for the same absolute error the larger prediction"
        " has the larger denominator and costs less",
    ),
    pitfalls=(
        "The range is 0 to 2, not 0 to 1; CatBoost and many reports multiply by 100 (0 to 200), others"
        " divide by ``|input| + |target|`` without the 2.",
        "Some definitions leave out the absolute values in the denominator, which can then be negative.",
    ),
    see_also=(
        ("mean_absolute_percentage_error", "divides by the target alone and is convex"),
        ("mean_squared_logarithmic_error", "a smooth loss for ratios of positive numbers"),
    ),
    references=(
        Reference(
            "Goodwin, P. and Lawton, R. (1999). On the asymmetry of the symmetric MAPE."
            " International Journal of Forecasting 15(4), 405-408.",
            doi="10.1016/S0169-2070(99)00007-2",
        ),
        HYNDMAN_KOEHLER_2006,
    ),
    equivalents=(
        Equivalent(
            "torchmetrics",
            "symmetric_mean_absolute_percentage_error",
            "torchmetrics.functional.symmetric_mean_absolute_percentage_error(x, t)",
            {"eps": 1.17e-6},
        ),
        Equivalent("catboost", "SMAPE", note="A metric, in percent: 100 times this value."),
    ),
    examples="""\
>>> losslib.symmetric_mean_absolute_percentage_error(
...     np.array([5.0, 6.0]), np.array([3.0, 10.0]), reduction="none"
... )
array([0.5, 0.5])

Twice 2 over 8, and twice 4 over 16.

>>> losslib.symmetric_mean_absolute_percentage_error.value_and_grad(
...     np.array([5.0, 6.0]), np.array([3.0, 10.0])
... )
(0.5, array([ 0.09375 , -0.078125]))
""",
    entries=("L013",),
)

mean_squared_logarithmic_error, MeanSquaredLogarithmicError = pointwise(
    "mean_squared_logarithmic_error",
    "MeanSquaredLogarithmicError",
    family="regression",
    aliases=("msle", "mean_squared_log_error"),
    summary="Squared difference of log(1 + prediction) and log(1 + target), for ratios of positive numbers.",
    inputs=(
        Input("input", INPUT.meaning, ABOVE_MINUS_ONE, fix="keep the output above -1, with a softplus say"),
        Input("target", TARGET.meaning, ABOVE_MINUS_ONE, fix="shift or rescale the target"),
    ),
    kernel="SquaredLogarithmicError",
    formula="(log1p(x) - log1p(t))**2",
    keywords={"forecast": 3},
    symbols=SYMBOLS,
    tags=("real", "smooth", "relative"),
    description=(
        "Squared error after the transformation log(1 + value): large values are judged by their ratio,"
        " values well below 1 by their difference. The minimiser is the geometric mean of 1 + target, less"
        " 1, which lies below the arithmetic mean."
        "\n\n"
        "Made for counts, prices and durations that span orders of magnitude and may be zero."
    ),
    notes=(
        "The gradient is ``2*(log1p(x) - log1p(t))/(1 + x)``. The Hessian is negative once ``1 + x``"
        " exceeds ``e`` times ``1 + t``: the loss is not convex. Values of -1 or less are outside the"
        " domain; with ``check=False`` they give infinity or NaN."
    ),
    use_when=(
        "targets are positive and span orders of magnitude, because equal ratios cost the same",
        "being too low is worse than being too high by the same amount, because the logarithm is steeper there",
    ),
    avoid_when=(
        "totals are predicted, because the fit is below the mean",
        "the model can output values of -1 or less, because the loss is not defined there",
        "a Newton method is used from far above the target, because the curvature is negative there",
    ),
    pitfalls=(
        "Pass the values, not their logarithms; for a model of log(1 + target) use ``mse_loss``.",
        "Keras clips both inputs at 1e-7, so that its gradient is 0 for a negative prediction; XGBoost's"
        " objective is half of this one and clamps the prediction above -1 + 1e-6.",
        "The root of the mean (RMSLE) is often reported; take the root after the reduction.",
    ),
    see_also=(
        ("mse_loss", "without logarithms, for the mean"),
        ("mean_absolute_percentage_error", "relative absolute errors, convex in the prediction"),
        ("poisson_nll_loss", "counts with a log link, keeps the mean"),
        ("gamma_nll_loss", "positive targets with constant relative spread, keeps the mean"),
    ),
    references=(
        Reference(
            "Tofallis, C. (2015). A better measure of relative prediction accuracy for model selection and"
            " model estimation. Journal of the Operational Research Society 66(8), 1352-1362.",
            doi="10.1057/jors.2014.103",
        ),
    ),
    equivalents=(
        Equivalent(
            "keras",
            "MeanSquaredLogarithmicError",
            "keras.losses.MeanSquaredLogarithmicError()(t, x)",
            note=ORDER_KERAS + " Clips both at 1e-7: equal for values from there on.",
        ),
        Equivalent(
            "sklearn",
            "mean_squared_log_error",
            "sklearn.metrics.mean_squared_log_error(t, x)",
            note=ORDER_SKLEARN,
        ),
        Equivalent("torchmetrics", "mean_squared_log_error", "torchmetrics.functional.mean_squared_log_error(x, t)"),
        Equivalent(
            "xgboost",
            "reg:squaredlogerror",
            note="Half of it, prediction clamped above -1 + 1e-6, Hessian at least 1e-6.",
        ),
        Equivalent("catboost", "MSLE", note="A metric only."),
    ),
    examples="""\
>>> value = losslib.mean_squared_logarithmic_error(np.array([3.0, 0.0]), np.array([1.0, 1.0]))
>>> round(value, 6)
0.480453

1 + input is 4 and 1, 1 + target is 2: both are off by a factor of 2, and (log 2)^2 = 0.480453.

>>> value, gradient = losslib.mean_squared_logarithmic_error.value_and_grad(
...     np.array([3.0, 0.0]), np.array([1.0, 1.0])
... )
>>> gradient.round(6)
array([ 0.173287, -0.693147])
""",
    entries=("L015",),
)


def _lq_kernel(parameters: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    """The two exponents that need no power function have exact kernels."""
    q = parameters["q"]
    if q == 1:
        return "AbsoluteError", ()
    if q == 2:
        return "SquaredError", ()
    return "Lq", (q,)


lq_loss, LqLoss = pointwise(
    "lq_loss",
    "LqLoss",
    family="regression",
    aliases=("lp_loss",),
    summary="Absolute error raised to the power ``q``.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "q",
            2.0,
            "Exponent: 1 is the absolute error, 2 the squared error; larger values punish large errors more.",
            least=1.0,
            examples=(1.0, 1.5, 3.0),
        ),
    ),
    kernel=_lq_kernel,
    formula="abs(d)**q",
    symbols=SYMBOLS,
    tags=("real", "convex", "smooth"),
    differentiable=BOTH,
    description=(
        "One family from the median (``q=1``) over the mean (``q=2``) towards the midrange (``q`` large)."
        " It is the likelihood of the generalised normal distribution with shape ``q`` and fixed scale."
    ),
    notes=(
        "The gradient ``q*sign(d)*|d|**(q - 1)`` is 0 at a tie. The Hessian ``q*(q - 1)*|d|**(q - 2)``"
        " grows without bound near a tie and is infinite there for ``1 < q < 2``, and is 0 there for q > 2."
        " ``q=1`` and ``q=2`` use the kernels of ``l1_loss`` and ``mse_loss`` and give the same bits."
    ),
    use_when=(
        "noise is known to be heavier or lighter than Gaussian, because the exponent matches the tail",
        "a compromise between L1 and L2 is searched by one number, because 1 < q < 2 spans it",
        "large errors must be avoided above all, because ``q`` above 2 concentrates on them",
    ),
    avoid_when=(
        "outliers occur and ``q`` is above 1, because the slope is then unbounded: ``huber_loss`` is not",
        "a Newton method is used with q < 2, because the Hessian is unbounded near the target",
    ),
    pitfalls=(
        "The root of order ``q`` is not taken: the mean is not the norm.",
        "It is unrelated to the L_q loss for classification with noisy labels (generalised cross-entropy).",
        "High powers overflow: float32 with ``q=4`` is infinite from errors of 4e9 on.",
    ),
    see_also=(
        ("l1_loss", "``q=1``"),
        ("mse_loss", "``q=2``"),
        ("huber_loss", "both exponents in one loss, split by the size of the error"),
    ),
    references=(
        Reference("Gonin, R. and Money, A. H. (1989). Nonlinear Lp-norm estimation. Marcel Dekker, New York."),
    ),
    equivalents=(Equivalent("catboost", "Lq:q=1.5", "", {"q": 1.5}, "Uses second derivatives for ``q`` >= 2 only."),),
    examples="""\
>>> losslib.lq_loss(np.array([5.0, 0.0]), np.array([1.0, 1.0]), q=1.5, reduction="none").round(12)
array([8., 1.])
>>> losslib.lq_loss.value_and_grad(np.array([3.0, 0.0]), np.array([1.0, 1.0]), q=2)
(2.5, array([ 2., -1.]))
""",
    entries=("L016",),
)

fair_loss, FairLoss = pointwise(
    "fair_loss",
    "FairLoss",
    family="regression",
    summary="Smooth robust loss between squared and absolute error whose slope approaches ``c``.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "c",
            1.0,
            "Error, in units of the target, at which the slope has reached half of its limit; also that limit.",
            above=0.0,
            examples=(0.5, 2.0, 5.0),
        ),
    ),
    kernel="Fair",
    formula="c**2*(abs(d)/c - log1p(abs(d)/c))",
    keywords={"heavy tails": 10},
    symbols=SYMBOLS,
    tags=("real", "convex", "smooth", "robust"),
    differentiable=BOTH,
    description=(
        "About ``d**2/2`` for errors well below ``c`` and ``c*|d|`` for errors well above, approached"
        " slowly, as the difference is a logarithm. It estimates a number between mean and median. With"
        " ``c`` of 1.4 standard deviations of the noise it keeps 95 % of the efficiency of least squares on"
        " Gaussian data."
    ),
    notes=(
        "Gradient ``c*d/(|d| + c)``, Hessian ``c**2/(|d| + c)**2``: both continuous, the Hessian positive"
        " and fading with the square of the error, more slowly than for the other smooth losses. Small"
        " errors are computed without the cancellation of the formula."
    ),
    use_when=(
        "a booster or Newton method fits robustly, because the Hessian stays positive and fades slowly",
        "cheap arithmetic matters, because the gradient needs one division and no transcendental function",
    ),
    avoid_when=(
        "outliers should count for nothing, because their slope tends to ``c``, not to 0",
        "errors up to some size should be squared exactly, because the slope bends from zero on: ``huber_loss``",
    ),
    pitfalls=(
        "At an error of ``c`` the slope is only half of its limit; ``c`` is not where the loss turns"
        " linear, as ``delta`` is for ``huber_loss``.",
        "Far away it lags behind ``c*|d|`` by ``c**2*log(|d|/c)``, a gap that keeps growing: values do not"
        " compare with those of ``huber_loss``.",
    ),
    see_also=(
        ("huber_loss", "exactly quadratic, then exactly linear"),
        ("pseudo_huber_loss", "reaches its limiting slope sooner"),
        ("cauchy_loss", "outliers lose influence, not convex"),
    ),
    references=(
        Reference(
            "Fair, R. C. (1974). On the robust estimation of econometric models."
            " Annals of Economic and Social Measurement 3(4), 667-677.",
        ),
        Reference(
            "Holland, P. W. and Welsch, R. E. (1977). Robust regression using iteratively reweighted"
            " least-squares. Communications in Statistics, Theory and Methods 6(9), 813-827.",
            doi="10.1080/03610927708827533",
        ),
    ),
    equivalents=(
        Equivalent("lightgbm", "fair", note="``fair_c`` is ``c``; same gradient and Hessian."),
        Equivalent("catboost", "FairLoss", note="A metric only; ``smoothness`` is ``c``."),
    ),
    examples="""\
>>> round(losslib.fair_loss(np.array([3.0]), np.array([2.0])), 6)
0.306853

The error is 1 = c: the value is 1 - log 2.

>>> value, gradient = losslib.fair_loss.value_and_grad(np.array([3.0, 1.0]), np.array([2.0, 4.0]))
>>> round(value, 6), gradient
(0.960279, array([ 0.25 , -0.375]))
""",
    entries=("L017",),
)

wing_loss, WingLoss = pointwise(
    "wing_loss",
    "WingLoss",
    family="regression",
    summary="Logarithm of the error below ``width``, absolute error beyond: small errors pull hardest.",
    inputs=(INPUT, TARGET),
    parameters=(
        Real(
            "width",
            5.0,
            "Error, in units of the target (pixels), at which the logarithm gives way to a straight line.",
            above=0.0,
            examples=(2.0, 10.0),
        ),
        Real(
            "curvature",
            0.5,
            "Error at which the slope has fallen to half of its value at zero; that value is ``width/curvature``.",
            above=0.0,
            examples=(2.0,),
        ),
    ),
    kernel="Wing",
    formula=("where(abs(d) < width, width*log1p(abs(d)/curvature), abs(d) - (width - width*log1p(width/curvature)))"),
    keywords={"landmarks": 1},
    symbols=SYMBOLS,
    tags=("real", "robust"),
    differentiable=BOTH,
    description=(
        "Made for facial landmarks, where most coordinates are off by a few pixels and averages are ruled"
        " by the few that are far off. Inside ``width`` the slope is ``width/(curvature + |d|)``: it grows"
        " as the error shrinks, so that the model keeps refining points that are nearly right. Outside it is"
        " 1."
    ),
    notes=(
        "The gradient at a tie is 0. At an error of ``width`` the value is continuous while the slope steps"
        " from ``width/(width + curvature)`` to 1. Concave on each side of zero inside the band: the Hessian"
        " is ``-width/(curvature + |d|)**2`` there and 0 outside."
    ),
    use_when=(
        "landmarks or keypoints are regressed in pixels, because small errors then still pull",
        "many errors are small and a few are large, because the large ones do not outweigh the rest",
    ),
    avoid_when=(
        "labels are noisier than ``curvature``, because the model then chases the noise with large gradients",
        "the learning rate does not decay, because the slope at zero is largest (10 with the defaults) and"
        " flips its sign",
        "coordinates are scaled to [0, 1], because ``width`` and ``curvature`` are in pixels: rescale them too",
    ),
    pitfalls=(
        "The paper recommends ``width=10`` and ``curvature=2``; the defaults here are those of"
        " segmentation_models_pytorch.",
        "A tiny ``curvature`` makes training unstable; the authors warn of it.",
    ),
    see_also=(
        ("smooth_l1_loss", "the opposite shape: flat near zero"),
        ("l1_loss", "the same outside the band, apart from a constant"),
    ),
    references=(
        Reference(
            "Feng, Z.-H., Kittler, J., Awais, M., Huber, P. and Wu, X.-J. (2018). Wing loss for robust"
            " facial landmark localisation with convolutional neural networks. IEEE/CVF Conference on"
            " Computer Vision and Pattern Recognition, 2235-2245.",
            doi="10.1109/CVPR.2018.00238",
        ),
    ),
    equivalents=(
        Equivalent(
            "torch",
            "where",
            "torch.where((x - t).abs() < 5.0, 5.0 * torch.log1p((x - t).abs() / 0.5), "
            "(x - t).abs() - (5.0 - 5.0 * np.log(11.0))).mean()",
            note=WRITTEN_OUT,
        ),
    ),
    examples="""\
>>> values = losslib.wing_loss(np.array([1.5, 11.0]), np.array([1.0, 1.0]), reduction="none")
>>> values.round(6)
array([ 3.465736, 16.989476])

The error 0.5 costs 5 × log(1 + 0.5/0.5); the error 10 costs 10 - 5 + 5 × log(1 + 5/0.5).

>>> value, gradient = losslib.wing_loss.value_and_grad(np.array([1.5, 11.0]), np.array([1.0, 1.0]))
>>> gradient.round(6)
array([2.5, 0.5])
""",
    entries=("L021",),
)
