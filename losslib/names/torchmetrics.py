"""Names of ``torchmetrics.functional``: metrics, which are means over everything."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Chooses, Only, Package, Reduces, Takes

__all__ = ["PACKAGE"]

EPSILON = 1.17e-6
OUTPUTS = {"num_outputs": Only(1, 'for one value an output take reduction="none" and average the first axis')}

PACKAGE = Package(
    "torchmetrics",
    "TorchMetrics",
    (
        Binding(
            ("mean_squared_error", "MeanSquaredError"),
            (
                Case("mse_loss", when={"squared": True}, reduction="mean"),
                Case(when={"squared": False}, refused="it is the root of the mean; take the root of losslib.mse_loss"),
            ),
            {"squared": Chooses(True), **OUTPUTS},
        ),
        Binding(("mean_absolute_error", "MeanAbsoluteError"), (Case("l1_loss", reduction="mean"),), OUTPUTS),
        Binding(
            ("log_cosh_error", "LogCoshError"),
            (Case("log_cosh_loss", reduction="mean", note="On one axis; with two it gives one value a column there."),),
        ),
        Binding(
            ("mean_absolute_percentage_error", "MeanAbsolutePercentageError"),
            (Case("mean_absolute_percentage_error", sets={"eps": EPSILON}, reduction="mean", note="A share of 1."),),
        ),
        Binding(
            ("symmetric_mean_absolute_percentage_error", "SymmetricMeanAbsolutePercentageError"),
            (Case("symmetric_mean_absolute_percentage_error", sets={"eps": EPSILON}, reduction="mean"),),
        ),
        Binding(
            ("mean_squared_log_error", "MeanSquaredLogError"),
            (Case("mean_squared_logarithmic_error", reduction="mean"),),
        ),
        Binding(
            ("cosine_similarity",),
            (Case("cosine_similarity_loss", factor=-1.0, note="The cosine itself, which grows with likeness."),),
            {"reduction": Reduces("sum", words={"sum": "sum", "mean": "mean", "none": "none", None: "none"})},
        ),
        Binding(
            ("tweedie_deviance_score", "TweedieDevianceScore"),
            (
                Case("mse_loss", when={"power": 0.0}, reduction="mean"),
                Case("generalized_kl_div", when={"power": 1.0}, factor=2.0, reduction="mean", note="On means."),
                Case(
                    refused="the same but for terms of the target alone: write 2 * losslib.TweedieNLLLoss(power=..., "
                    "log_input=False)"
                ),
            ),
            {"power": Chooses(0.0)},
        ),
        Binding(
            ("kl_divergence", "KLDivergence"),
            (
                Case(
                    when={"log_prob": False},
                    refused="it takes (p, q), tables of probabilities that it normalises; write "
                    'losslib.kl_div(np.log(q), p, reduction="batchmean") for rows that sum to 1',
                ),
                Case(
                    when={"log_prob": True},
                    refused="it takes (p, q), the target first; write losslib.kl_div(q, p, log_target=True, "
                    'reduction="batchmean")',
                ),
            ),
            {"log_prob": Chooses(False), "reduction": Takes("mean")},
        ),
        Binding(
            ("jensen_shannon_divergence", "JensenShannonDivergence"),
            (
                Case(
                    refused="it takes tables of probabilities; write losslib.js_div(np.log(p), np.log(q)), whose "
                    "softmax "
                    "gives them back"
                ),
            ),
            {"log_prob": Takes(False), "reduction": Takes("mean")},
        ),
        Binding(
            ("binary_hinge_loss", "BinaryHingeLoss"),
            (
                Case(
                    refused="its labels are 0 and 1 and it applies a sigmoid to scores outside [0, 1]; write "
                    "losslib.hinge_loss(input, 2 * target - 1)"
                ),
            ),
            {"squared": Takes(False), "ignore_index": Takes(None), "validate_args": Takes(True)},
        ),
        Binding(
            ("multiclass_hinge_loss", "MulticlassHingeLoss"),
            (
                Case(
                    refused="it applies a softmax to scores outside [0, 1]; write losslib.crammer_singer_loss, on "
                    "scores as "
                    "they are"
                ),
            ),
            {
                "num_classes": Takes(None),
                "squared": Takes(False),
                "multiclass_mode": Takes("crammer-singer"),
                "ignore_index": Takes(None),
                "validate_args": Takes(True),
            },
        ),
    ),
    prefixes=("functional.", "functional.regression.", "torchmetrics.functional.", "torchmetrics."),
)
