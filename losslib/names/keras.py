"""Names of Keras 3: classes reduce, functions give one value a row.

Keras averages the last axis of elementwise losses before any reduction, and clips probabilities to [1e-7, 1 - 1e-7].
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, log
from typing import Any

from losslib.errors import ParameterError
from losslib.names.schema import Binding, Case, Chooses, Ignored, Only, Package, Parameter, Reduces, Takes

__all__ = ["PACKAGE"]

EPSILON = 1e-7
PROBABILITIES = {"input": (EPSILON, 1 - EPSILON)}
#: The same limits in logits.
LOGITS = {"input": (-log((1 - EPSILON) / EPSILON), log((1 - EPSILON) / EPSILON))}

REDUCTION = Reduces(
    "sum_over_batch_size",
    words={
        "sum_over_batch_size": "mean",
        "mean": "mean",
        "auto": "mean",  # the word of Keras 2
        "sum": "sum",
        "none": "none",
        None: "none",
        "mean_with_sample_weight": "weighted_mean",
    },
)
AVERAGED_AXIS = Only(-1, "it averages another axis first; with the mean over everything leave axis out")
AXIS = Takes(-1)

SIGNED = "Labels are -1 and 1; Keras turns labels that are all 0 or 1 into these: write 2 * target - 1."


def _both(cls: str, function: str, *cases: Case, also: tuple[str, ...] = (), **parameters: Parameter) -> list[Binding]:
    """Return the class and the function of a loss."""
    common: Mapping[str, Any] = {
        "reduction": REDUCTION,
        "name": Ignored(None),
        "dtype": Only(None, "the dtype of the inputs rules; convert them"),
    }
    return [Binding((cls,), cases, {**parameters, **common}), Binding((function, *also), cases, parameters)]


TOGETHER = {"axis": -1, "per": "all", "smooth": 0.0, "eps": EPSILON}
DICE = "One ratio of everything. Keras adds 1e-7 to the denominator."


def _tversky(values: Mapping[str, Any]) -> dict[str, Any]:
    if values["alpha"] != values["beta"]:
        raise ParameterError(
            "up to Keras 3.15.1 alpha weighs false negatives and beta false positives, later as here; write "
            "losslib.tversky_loss(input, target, alpha=..., beta=..., per='all', smooth=0.0, eps=1e-7)"
        )
    return {}


BINDINGS = (
    *_both(
        "Circle", "circle",
        Case("circle_loss", sets={"detach_weights": False, "normalize": False}, note="Vectors come normalised there."),
        gamma=Takes(80.0), margin=Takes(0.4),
        remove_diagonal=Only(True, "it would take a vector for a positive of itself"),
    ),
    *_both("MeanSquaredError", "mean_squared_error", Case("mse_loss", rows="mean"), also=("mse", "MSE")),
    *_both("MeanAbsoluteError", "mean_absolute_error", Case("l1_loss", rows="mean"), also=("mae", "MAE")),
    *_both(
        "MeanAbsolutePercentageError", "mean_absolute_percentage_error",
        Case("mean_absolute_percentage_error", sets={"scale": 100.0, "eps": EPSILON}, rows="mean", note="In percent."),
        also=("mape", "MAPE"),
    ),
    *_both(
        "MeanSquaredLogarithmicError", "mean_squared_logarithmic_error",
        Case(
            "mean_squared_logarithmic_error", clip={"input": (EPSILON, inf), "target": (EPSILON, inf)}, rows="mean",
            note="Both inputs are at least 1e-7.",
        ),
        also=("msle", "MSLE"),
    ),
    *_both("Huber", "huber", Case("huber_loss", rows="mean"), delta=Takes(1.0)),
    *_both("LogCosh", "log_cosh", Case("log_cosh_loss", rows="mean"), also=("logcosh",)),
    *_both(
        "Poisson", "poisson",
        Case(
            "poisson_nll_loss", sets={"log_input": False, "eps": EPSILON}, rows="mean",
            note="The input is the mean, not its logarithm.",
        ),
    ),
    *_both(
        "KLDivergence", "kl_divergence",
        Case(
            "kl_div", clip={"input": (EPSILON, 1.0), "target": (EPSILON, 1.0)}, log=("input",), rows="sum",
            note="Both inputs are probabilities, clipped to [1e-7, 1]; the sum over the last axis.",
        ),
        also=("KLD", "kld", "kullback_leibler_divergence"),
    ),
    *_both("CosineSimilarity", "cosine_similarity", Case("cosine_similarity_loss"), axis=AXIS),
    *_both("Hinge", "hinge", Case("hinge_loss", rows="mean", note=SIGNED)),
    *_both("SquaredHinge", "squared_hinge", Case("squared_hinge_loss", rows="mean", note=SIGNED)),
    *_both(
        "Dice", "dice",
        Case("dice_loss", sets=TOGETHER, reduction="mean", note=DICE),
        axis=Only(None, "it adds over other axes; with per= losslib pools classes or samples"),
    ),
    *_both(
        "Tversky", "tversky",
        Case(
            "tversky_loss", sets=TOGETHER, makes=_tversky,
            reduction="mean", note=DICE,
        ),
        alpha=Takes(0.5), beta=Takes(0.5),
        axis=Only(None, "it adds over other axes; with per= losslib pools classes or samples"),
    ),
    *_both("CategoricalHinge", "categorical_hinge", Case("categorical_hinge_loss", note="Labels are rows of 0 and 1.")),
    *_both(
        "BinaryCrossentropy", "binary_crossentropy",
        Case("binary_cross_entropy_with_logits", when={"from_logits": True}, rows="mean"),
        Case(
            "binary_cross_entropy", when={"from_logits": False}, clip=PROBABILITIES, rows="mean",
            note="Probabilities are clipped to [1e-7, 1 - 1e-7].",
        ),
        also=("bce", "BCE"),
        from_logits=Chooses(False), label_smoothing=Takes(0.0), axis=AVERAGED_AXIS,
    ),
    *_both(
        "BinaryFocalCrossentropy", "binary_focal_crossentropy",
        *(
            case
            for balanced, sets, without in ((True, {}, ()), (False, {"alpha": -1.0}, ("alpha",)))
            for case in (
                Case(
                    "binary_focal_loss", when={"from_logits": False, "apply_class_balancing": balanced},
                    sets=sets, without=without, clip=PROBABILITIES, rows="mean",
                    note="Probabilities are clipped to [1e-7, 1 - 1e-7]; beyond, Keras keeps the gradient of the focal "
                    "factor.",
                ),
                Case(
                    "sigmoid_focal_loss",
                    when={"from_logits": True, "apply_class_balancing": balanced, "label_smoothing": 0.0},
                    sets=sets, without=(*without, "label_smoothing"), clip=LOGITS, rows="mean",
                    note="Logits are clipped to +-16.118, where Keras clips the probabilities.",
                ),
            )
        ),
        Case(
            when={"from_logits": True},
            refused="sigmoid_focal_loss has no label_smoothing; smooth the target, target * (1 - s) + s / 2, and leave "
            "label_smoothing out",
        ),
        apply_class_balancing=Chooses(False), alpha=Takes(0.25), gamma=Takes(2.0), from_logits=Chooses(False),
        label_smoothing=Takes(0.0), axis=AVERAGED_AXIS,
    ),
    *_both(
        "CategoricalCrossentropy", "categorical_crossentropy",
        Case("cross_entropy", when={"from_logits": True}, note="Targets are rows of probabilities."),
        Case("categorical_cross_entropy", when={"from_logits": False}, note="Targets are rows of probabilities."),
        from_logits=Chooses(False), label_smoothing=Takes(0.0), axis=AXIS,
    ),
    *_both(
        "SparseCategoricalCrossentropy", "sparse_categorical_crossentropy",
        Case("cross_entropy", when={"from_logits": True}, sets={"empty": "zero"}, note="Targets are class indices."),
        Case("categorical_cross_entropy", when={"from_logits": False}, note="Targets are class indices."),
        from_logits=Chooses(False), axis=AXIS,
        ignore_class=Takes(None, "ignore_index", lambda value: -100 if value is None else value, "None is -100"),
    ),
    *_both(
        "CategoricalFocalCrossentropy", "categorical_focal_crossentropy",
        Case(
            when={"from_logits": True},
            refused="Keras clips the softmax to [1e-7, 1 - 1e-7] and stops the gradient there, softmax_focal_loss does "
            'neither; write losslib.get("softmax_focal_loss", alpha=0.25, gamma=2.0, axis=-1), the same within these '
            "limits",
        ),
        Case(
            when={"from_logits": False},
            refused="it takes probabilities; write losslib.softmax_focal_loss(np.log(p), target, alpha=0.25, "
            "gamma=2.0, "
            "axis=-1), the same for probabilities within [1e-7, 1 - 1e-7]",
        ),
        alpha=Takes(0.25), gamma=Takes(2.0), from_logits=Chooses(False), label_smoothing=Takes(0.0), axis=AXIS,
    ),
    *_both(
        "CategoricalGeneralizedCrossEntropy", "categorical_generalized_cross_entropy",
        Case(
            refused="it takes probabilities and does not normalise them; write losslib.generalized_cross_entropy("
            "np.log(p), target, q=0.5, axis=-1), the same for rows that sum to 1",
        ),
        q=Takes(0.5),
    ),
    *_both(
        "CTC", "ctc",
        Case(
            refused="it takes logits of shape (N, T, C), labels padded with 0, and no lengths; write "
            "losslib.ctc_loss_with_logits(logits.transpose(1, 0, 2), labels, [logits.shape[1]] * len(logits), "
            '(labels != 0).sum(1), reduction="none") and take the mean',
        ),
    ),
)  # fmt: skip

PACKAGE = Package(
    "keras",
    "Keras",
    BINDINGS,
    prefixes=("keras.losses.", "keras.metrics.", "losses.", "keras."),
    order="(y_true, y_pred)",
    notes=(
        "Classes reduce as ``reduction`` says; functions give one value a row, as with ``reduction=None``.",
        "Elementwise losses average the last axis first, so ``reduction='sum'`` adds row means up.",
        "Checked in single precision: with any backend but TensorFlow's Keras rounds float64 to float32 on the way.",
    ),
)
