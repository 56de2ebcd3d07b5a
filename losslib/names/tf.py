"""Names of TensorFlow: ``tf.nn``, ``tf.compat.v1.losses``, and Keras's under ``tf.keras.losses``."""

from __future__ import annotations

from losslib.names import keras
from losslib.names.schema import REQUIRED, Binding, Case, Ignored, Only, Package, Reduces, Takes

__all__ = ["PACKAGE"]

NAME = {"name": Ignored(None)}
V1 = {
    "weights": Only(1.0, "weights divide by the number that is not 0; pass sample_weight to the call"),
    "scope": Ignored(None),
    "loss_collection": Ignored("losses"),
    "reduction": Reduces(
        "weighted_sum_by_nonzero_weights",
        words={
            "weighted_sum_by_nonzero_weights": "mean",
            "weighted_sum_over_batch_size": "mean",
            "weighted_mean": "mean",
            "weighted_sum": "sum",
            "none": "none",
        },
    ),
}

PACKAGE = Package(
    "tf",
    "TensorFlow",
    (
        *keras.BINDINGS,
        Binding(("sigmoid_cross_entropy_with_logits",), (Case("binary_cross_entropy_with_logits"),), NAME),
        Binding(
            ("weighted_cross_entropy_with_logits",),
            (Case("binary_cross_entropy_with_logits"),),
            {"pos_weight": Takes(REQUIRED), **NAME},
        ),
        Binding(
            ("softmax_cross_entropy_with_logits",),
            (Case("cross_entropy", note="Targets are rows of probabilities."),),
            {"axis": Takes(-1), **NAME},
        ),
        Binding(
            ("sparse_softmax_cross_entropy_with_logits",),
            (Case("cross_entropy", sets={"axis": -1}, note="Targets are class indices."),),
            NAME,
        ),
        Binding(
            ("log_poisson_loss",),
            (Case("poisson_nll_loss"),),
            {"compute_full_loss": Takes(False, "full"), **NAME},
        ),
        Binding(
            ("l2_loss",),
            (Case("half_squared_error", reduction="sum", note="There it takes the difference as its one argument."),),
            NAME,
        ),
        Binding(("absolute_difference",), (Case("l1_loss"),), V1),
        Binding(("losses.mean_squared_error",), (Case("mse_loss"),), V1),
        Binding(("huber_loss",), (Case("huber_loss"),), {"delta": Takes(1.0), **V1}),
        Binding(
            ("sigmoid_cross_entropy",),
            (Case("binary_cross_entropy_with_logits"),),
            {"label_smoothing": Takes(0.0), **V1},
        ),
        Binding(
            ("softmax_cross_entropy",),
            (Case("cross_entropy", sets={"axis": -1}, note="Targets are rows of probabilities."),),
            {"label_smoothing": Takes(0.0), **V1},
        ),
        Binding(
            ("sparse_softmax_cross_entropy",),
            (Case("cross_entropy", sets={"axis": -1}, note="Targets are class indices."),),
            V1,
        ),
        Binding(
            ("log_loss",),
            (
                Case(
                    refused="it adds epsilon = 1e-7 inside both logarithms; write losslib.binary_cross_entropy, the "
                    "same up to a relative 1e-7 away from 0 and 1"
                ),
            ),
            {"epsilon": Takes(1e-7), **V1},
        ),
        Binding(
            ("hinge_loss",),
            (Case(refused="its labels are 0 and 1; write losslib.hinge_loss(input, 2 * target - 1)"),),
            V1,
        ),
        Binding(
            ("cosine_distance",),
            (
                Case(
                    refused="it is 1 - sum(x * t) and does not divide by the lengths; normalise the vectors and write "
                    "1 + losslib.cosine_similarity_loss(x, t)"
                ),
            ),
            {"axis": Takes(None), **V1},
        ),
        *(
            Binding(
                (name,),
                (
                    Case(
                        refused="it draws the sample and gathers the weights; write losslib."
                        f"{name}(logits of the true and the sampled classes, true_log_expected=..., "
                        "sampled_log_expected=...)"
                    ),
                ),
                {
                    "num_sampled": Takes(REQUIRED),
                    "num_classes": Takes(REQUIRED),
                    "num_true": Takes(1),
                    "sampled_values": Takes(None),
                    "remove_accidental_hits": Takes(hits),
                    **({"seed": Takes(None)} if name == "sampled_softmax_loss" else {}),
                    **NAME,
                },
            )
            for name, hits in (("sampled_softmax_loss", True), ("nce_loss", False))
        ),
        Binding(
            ("ctc_loss",),
            (
                Case(
                    refused="its arguments are (labels, logits, label_length, logit_length, ...); write "
                    'losslib.ctc_loss_with_logits(logits, labels, logit_length, label_length, reduction="none")'
                ),
            ),
            {
                "logits_time_major": Takes(True),
                "unique": Takes(None),
                "blank_index": Takes(None),
                **NAME,
            },
        ),
    ),
    prefixes=("keras.losses.", "keras.metrics.", "nn.", "compat.v1.losses.", "compat.v1."),
    order="(labels, logits) or (y_true, y_pred)",
    notes=(
        "``tf.keras.losses`` is Keras: the same rows. Functions of ``tf.nn`` give one value an element or row.",
        "``mean_squared_error`` of ``compat.v1`` is written with its module, ``losses.mean_squared_error``.",
    ),
)
