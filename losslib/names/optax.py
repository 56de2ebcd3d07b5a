"""Names of optax: functions that give one value an element or a row; the caller reduces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losslib.names.schema import Binding, Case, Chooses, Joins, Only, Package, Takes

__all__ = ["PACKAGE"]

AXIS = Takes(-1)
LAST = Only(-1, "it sums another axis; move that axis to the end")
WHERE = Only(None, "pass where= to the call: it leaves elements out")
INDICES = "Targets are class indices."
SIGNED = "Labels are -1 and 1."

BACKGROUND = Only(False, "how many classes follow is known in a call only; losslib has classes=range(1, C)")
OVER_CLASSES = (
    "it gives one number a sample, losslib one a sample and class, or one in all; write losslib.tversky_loss(..., "
    'axis=-1, activation="softmax", smooth=1.0, reduction="none").{}(-1)'
)
CLASSES = "Classes along the last axis; softmax, or sigmoid for one class there."


def _ratio(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"activation": "softmax" if values["apply_softmax"] else "none"}


PACKAGE = Package(
    "optax",
    "optax",
    (
        Binding(("squared_error",), (Case("mse_loss"),)),
        Binding(
            ("ntxent",),
            (Case("nt_xent_loss", reduction="mean", note="Of embeddings and labels; NaN there without a pair."),),
            {"temperature": Takes(0.07)},
        ),
        Binding(("l2_loss",), (Case("half_squared_error"),)),
        Binding(("huber_loss",), (Case("huber_loss"),), {"delta": Takes(1.0)}),
        Binding(("log_cosh",), (Case("log_cosh_loss"),)),
        Binding(
            ("cosine_similarity",),
            (Case("cosine_similarity_loss", factor=-1.0, note="The cosine itself, which grows with likeness."),),
            {
                "epsilon": Only(0.0, "it bounds the squared lengths from below; losslib gives 0 for a zero vector"),
                "axis": AXIS,
                "where": WHERE,
            },
        ),
        Binding(
            ("cosine_distance",),
            (
                Case(
                    refused="it is 1 - cos and losslib's loss is -cos: the same gradient; write "
                    '1 + losslib.cosine_similarity_loss(input, target, reduction="none")'
                ),
            ),
            {"epsilon": Takes(0.0), "axis": AXIS, "where": WHERE},
        ),
        Binding(
            ("ranking_softmax_loss",),
            (Case("listwise_softmax_loss", reduction="mean"),),
            {
                "where": WHERE,
                "weights": Only(None, "pass sample_weight= to the call"),
                "reduce_fn": Only("mean", "say which with reduction="),
            },
        ),
        Binding(("sigmoid_binary_cross_entropy",), (Case("binary_cross_entropy_with_logits"),)),
        Binding(
            ("sigmoid_focal_loss",),
            (Case("sigmoid_focal_loss"),),
            {
                "alpha": Takes(None, "alpha", lambda value: -1.0 if value is None else value, "None is -1, off"),
                "gamma": Takes(2.0),
            },
        ),
        Binding(
            ("dice_loss",),
            (
                Case(when={"reduction": "mean"}, refused=OVER_CLASSES.format("mean")),
                Case(when={"reduction": "sum"}, refused=OVER_CLASSES.format("sum")),
                Case("tversky_loss", when={"reduction": "none"}, sets={"axis": -1}, makes=_ratio, note=CLASSES),
            ),
            {
                "class_weights": Takes(None, "weight"),
                "smooth": Takes(1.0),
                "alpha": Takes(0.5),
                "beta": Takes(0.5),
                "apply_softmax": Joins(True, "activation: softmax, else none"),
                "reduction": Chooses("mean"),
                "ignore_background": BACKGROUND,
                "axis": Only(None, "it adds over other axes; with per= losslib pools classes or samples"),
            },
        ),
        Binding(
            ("multiclass_generalized_dice_loss",),
            (
                Case(
                    refused="its weights of classes are normalised and multiply ratios; it is the mean of "
                    "losslib.get('optax:dice_loss', class_weights=...)"
                ),
            ),
        ),
        Binding(
            ("binary_dice_loss",),
            (
                Case(
                    refused="it gives one number a sample; write losslib.dice_loss(..., axis=None, "
                    'activation="sigmoid", smooth=2.0, reduction="none")'
                ),
            ),
        ),
        Binding(
            ("softmax_cross_entropy",),
            (Case("cross_entropy", note="Targets are rows of probabilities."),),
            {"axis": AXIS, "where": WHERE},
        ),
        Binding(
            ("softmax_cross_entropy_with_integer_labels",),
            (Case("cross_entropy", note=INDICES),),
            {"axis": AXIS, "where": WHERE},
        ),
        Binding(
            ("safe_softmax_cross_entropy",),
            (Case("cross_entropy", sets={"axis": -1}, note="Targets are rows of probabilities."),),
        ),
        Binding(
            ("poly_loss_cross_entropy",),
            (Case("poly1_cross_entropy", note="Targets are rows of probabilities."),),
            {"epsilon": Takes(2.0), "axis": AXIS, "where": WHERE},
        ),
        Binding(("multiclass_sparsemax_loss",), (Case("sparsemax_loss", sets={"axis": -1}, note=INDICES),)),
        Binding(("sparsemax_loss",), (Case("binary_sparsemax_loss", note="Hard labels 0 and 1."),)),
        Binding(("hinge_loss",), (Case("hinge_loss", note=SIGNED),)),
        Binding(("perceptron_loss",), (Case("perceptron_loss", note=SIGNED),)),
        Binding(("multiclass_hinge_loss",), (Case("crammer_singer_loss", note=INDICES),)),
        Binding(("multiclass_perceptron_loss",), (Case("multiclass_perceptron_loss", note=INDICES),)),
        Binding(
            ("kl_divergence",),
            (Case("kl_div", rows="sum", note="The input is log-probabilities; the sum over the last axis."),),
            {"axis": LAST, "where": WHERE},
        ),
        Binding(
            ("kl_divergence_with_log_targets",),
            (Case("kl_div", sets={"log_target": True}, rows="sum", note="The sum over the last axis."),),
            {"axis": LAST, "where": WHERE},
        ),
        Binding(
            ("generalized_kl_divergence", "convex_kl_divergence"),
            (
                Case(
                    refused="its input is the logarithm of the prediction; write "
                    'losslib.generalized_kl_div(np.exp(input), target, reduction="none").sum(-1)'
                ),
            ),
            {"axis": LAST, "where": WHERE},
        ),
        Binding(
            ("triplet_margin_loss",),
            (
                Case("triplet_margin_loss", when={"eps": 0.0}),
                Case(
                    refused="it adds eps to the sum of the powers, losslib and PyTorch to every difference; write "
                    "eps=0.0"
                ),
            ),
            {
                "axis": Only(-1, "the components lie along the last axis here"),
                "norm_degree": Takes(2, "p"),
                "margin": Takes(1.0),
                "eps": Takes(1e-6),
            },
        ),
        Binding(
            ("ctc_loss",),
            (
                Case(
                    refused="it takes (logits, logit_paddings, labels, label_paddings), batch first; write "
                    "losslib.ctc_loss_with_logits(logits.transpose(1, 0, 2), labels, logit_lengths, label_lengths, "
                    'reduction="none")'
                ),
            ),
            {"blank_id": Takes(0), "log_epsilon": Takes(-1e5)},
        ),
    ),
    prefixes=("losses.", "optax.losses.", "optax."),
    notes=("Functions give one value an element or row: ``reduction='none'``.",),
)
