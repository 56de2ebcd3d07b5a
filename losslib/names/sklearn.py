"""Names of scikit-learn: metrics, the private losses of its boosting and linear models, and the losses of SGD.

A metric divides by the sum of its ``sample_weight``, so bindings have ``reduction="weighted_mean"``: without weights it
is the mean.
"""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Chooses, Ignored, Only, Package, Parameter, Takes

__all__ = ["PACKAGE"]

EPSILON = 2.0**-52
WEIGHTED = "weighted_mean"

SAMPLE_WEIGHT = {"sample_weight": Only(None, "pass sample_weight to the call of the loss")}
OUTPUTS: dict[str, Parameter] = {
    **SAMPLE_WEIGHT,
    "multioutput": Only(
        "uniform_average", 'for one value an output take reduction="none" and average the first axis', also=(None,)
    ),
}
CONSTANT = "The same but for terms of the target alone, which have no gradient"


def _metric(name: str, case: Case, **parameters: Parameter) -> Binding:
    return Binding((name,), (case,), {**parameters, **OUTPUTS})


def _private(name: str, loss: str, note: str = "", /, **parameters: Parameter) -> Binding:
    """Return a loss object of ``sklearn._loss``, which averages when it is called."""
    return Binding((name,), (Case(loss, reduction=WEIGHTED, note=note),), {**parameters, **SAMPLE_WEIGHT})


def _sgd(model: str, name: str, loss: str, note: str = "", /, **parameters: Parameter) -> Binding:
    """Return a loss that `SGDClassifier` or `SGDRegressor` takes by this word: values of elements."""
    return Binding((f"{model}.{name}",), (Case(loss, note=note),), parameters)


PACKAGE = Package(
    "sklearn",
    "scikit-learn",
    (
        _metric("mean_squared_error", Case("mse_loss", reduction=WEIGHTED)),
        _metric("mean_absolute_error", Case("l1_loss", reduction=WEIGHTED)),
        _metric(
            "mean_absolute_percentage_error",
            Case("mean_absolute_percentage_error", sets={"eps": EPSILON}, reduction=WEIGHTED, note="A share of 1."),
        ),
        _metric("mean_squared_log_error", Case("mean_squared_logarithmic_error", reduction=WEIGHTED)),
        _metric("mean_pinball_loss", Case("quantile_loss", reduction=WEIGHTED), alpha=Takes(0.5, "quantile")),
        Binding(
            ("mean_poisson_deviance",),
            (Case("generalized_kl_div", factor=2.0, reduction=WEIGHTED, note="On means; one axis there."),),
            SAMPLE_WEIGHT,
        ),
        Binding(
            ("mean_gamma_deviance",),
            (
                Case(
                    refused=f"{CONSTANT}: write 2 * losslib.GammaNLLLoss(log_input=False), or add -log(target) - 1 to "
                    "each element"
                ),
            ),
            SAMPLE_WEIGHT,
        ),
        Binding(
            ("mean_tweedie_deviance",),
            (
                Case("mse_loss", when={"power": 0}, reduction=WEIGHTED),
                Case("generalized_kl_div", when={"power": 1}, factor=2.0, reduction=WEIGHTED, note="On means."),
                Case(refused=f"{CONSTANT}: write 2 * losslib.TweedieNLLLoss(power=..., log_input=False)"),
            ),
            {**SAMPLE_WEIGHT, "power": Chooses(0)},
        ),
        Binding(
            ("log_loss",),
            (
                Case(
                    "binary_cross_entropy",
                    when={"normalize": True},
                    clip={"input": (EPSILON, 1 - EPSILON)},
                    reduction=WEIGHTED,
                    note="Probabilities of the class 1 and labels 0 and 1 in float64; of more classes it is "
                    "categorical_cross_entropy.",
                ),
                Case(
                    "binary_cross_entropy",
                    when={"normalize": False},
                    clip={"input": (EPSILON, 1 - EPSILON)},
                    reduction="sum",
                    note="Probabilities of the class 1 and labels 0 and 1.",
                ),
            ),
            {
                "normalize": Chooses(True),
                **SAMPLE_WEIGHT,
                "labels": Only(None, "losslib takes labels 0 and 1, or class indices"),
            },
        ),
        Binding(
            ("brier_score_loss",),
            (Case("mse_loss", reduction=WEIGHTED, note="Probabilities of the class 1 and labels 0 and 1."),),
            {
                **SAMPLE_WEIGHT,
                "pos_label": Only(None, "losslib takes labels 0 and 1", also=(1,)),
                "labels": Only(None, "losslib takes labels 0 and 1"),
                "scale_by_half": Only("auto", "without the half it is twice this", also=(True,)),
            },
        ),
        Binding(
            ("hinge_loss",),
            (
                Case(
                    "hinge_loss", reduction=WEIGHTED, note="Labels -1 and 1; of more classes it is crammer_singer_loss."
                ),
            ),
            {"labels": Only(None, "for more than two classes write losslib.crammer_singer_loss"), **SAMPLE_WEIGHT},
        ),
        _private("HalfSquaredError", "half_squared_error"),
        _private("AbsoluteError", "l1_loss"),
        _private("PinballLoss", "quantile_loss", quantile=Takes(0.5)),
        _private(
            "HuberLoss",
            "huber_loss",
            "While it is fitted, delta follows the quantile of the errors.",
            quantile=Ignored(0.9),
            delta=Takes(0.5),
        ),
        _private("HalfPoissonLoss", "poisson_nll_loss"),
        _private("HalfGammaLoss", "gamma_nll_loss"),
        _private("HalfTweedieLoss", "tweedie_nll_loss", power=Takes(1.5)),
        Binding(
            ("HalfTweedieLossIdentity",),
            (Case(refused=f"{CONSTANT}: write losslib.TweedieNLLLoss(power=..., log_input=False)"),),
            {**SAMPLE_WEIGHT, "power": Takes(1.5)},
        ),
        _private("HalfBinomialLoss", "binary_cross_entropy_with_logits"),
        _private("HalfMultinomialLoss", "cross_entropy", n_classes=Ignored(3)),
        _private("ExponentialLoss", "exponential_loss"),
        _sgd("SGDClassifier", "hinge", "hinge_loss", "Labels -1 and 1."),
        _sgd("SGDClassifier", "log_loss", "soft_margin_loss", "Labels -1 and 1."),
        _sgd("SGDClassifier", "modified_huber", "modified_huber_loss", "Labels -1 and 1."),
        _sgd("SGDClassifier", "squared_hinge", "squared_hinge_loss", "Labels -1 and 1."),
        _sgd("SGDClassifier", "perceptron", "perceptron_loss", "Labels -1 and 1."),
        _sgd("SGDRegressor", "squared_error", "half_squared_error", "SGD takes half of the square."),
        _sgd("SGDRegressor", "huber", "huber_loss", epsilon=Takes(0.1, "delta")),
        _sgd("SGDRegressor", "epsilon_insensitive", "epsilon_insensitive_loss", epsilon=Takes(0.1)),
        _sgd("SGDRegressor", "squared_epsilon_insensitive", "squared_epsilon_insensitive_loss", epsilon=Takes(0.1)),
    ),
    prefixes=("sklearn.metrics.", "metrics.", "sklearn._loss.", "_loss."),
    order="(y_true, y_pred)",
    notes=(
        "Metrics and private losses average with the weights of the call: ``reduction='weighted_mean'``, which is "
        "the mean "
        "without weights.",
        "The losses of SGD are named by their model, ``SGDClassifier.hinge``: values of elements.",
    ),
)
