"""Losses of CatBoost with the values that it reports: means with the weights of the samples.

CatBoost's own derivatives are those of the negative loss.
"""

from __future__ import annotations

from losslib.names.schema import REQUIRED, Binding, Case, Ignored, Only, Package, Parameter, Takes

__all__ = ["PACKAGE"]


def _loss(name: str, loss: str, note: str = "", /, **parameters: Parameter) -> Binding:
    return Binding((name,), (Case(loss, reduction="weighted_mean", note=note),), parameters)


PACKAGE = Package(
    "catboost",
    "CatBoost",
    (
        Binding(
            ("RMSE",),
            (
                Case(
                    refused="it reports the root of the mean square and steps along target - input; write "
                    'losslib.get("half_squared_error", reduction="sum") for these steps, and the root of '
                    "losslib.mse_loss for the value"
                ),
            ),
        ),
        _loss("MAE", "l1_loss"),
        _loss("Huber", "huber_loss", delta=Takes(REQUIRED)),
        _loss("LogCosh", "log_cosh_loss"),
        _loss(
            "Quantile",
            "quantile_loss",
            "Errors below delta have no gradient there.",
            alpha=Takes(0.5, "quantile"),
            delta=Ignored(1e-6),
        ),
        _loss("Expectile", "expectile_loss", alpha=Takes(0.5, "expectile")),
        Binding(
            ("MAPE",),
            (
                Case(
                    "mean_absolute_percentage_error",
                    sets={"eps": 1.0},
                    reduction="weighted_mean",
                    note="Divides by max(1, abs(target)).",
                ),
            ),
        ),
        _loss("MSLE", "mean_squared_logarithmic_error", "A metric only."),
        _loss("Lq", "lq_loss", q=Takes(REQUIRED)),
        _loss("FairLoss", "fair_loss", "A metric only.", smoothness=Takes(1.0, "c")),
        _loss("Poisson", "poisson_nll_loss", "The input is the logarithm of the mean."),
        _loss("Tweedie", "tweedie_nll_loss", variance_power=Takes(REQUIRED, "power")),
        _loss(
            "Logloss",
            "binary_cross_entropy_with_logits",
            "The input is logits; labels 0 and 1.",
            border=Only(0.5, "it turns the target into labels; do that first"),
        ),
        _loss("CrossEntropy", "binary_cross_entropy_with_logits", "The input is logits; targets in [0, 1]."),
        _loss("MultiLogloss", "binary_cross_entropy_with_logits", "The input is logits, one column a label."),
        _loss("MultiCrossEntropy", "binary_cross_entropy_with_logits", "The input is logits; targets in [0, 1]."),
        _loss(
            "Focal",
            "sigmoid_focal_loss",
            "The input is logits; probabilities are clamped to [1e-13, 1 - 1e-13] there.",
            focal_alpha=Takes(REQUIRED, "alpha"),
            focal_gamma=Takes(REQUIRED, "gamma"),
        ),
        _loss("MultiClass", "cross_entropy", "Class indices; leaves use the full Hessian of a row."),
        Binding(
            ("MultiClassOneVsAll",),
            (
                Case(
                    refused="it averages one binary loss a class; write losslib.BCEWithLogitsLoss() with the target "
                    "as rows "
                    "of 0 and 1"
                ),
            ),
        ),
        Binding(
            ("QueryRMSE",),
            (
                Case(
                    "query_rmse_loss",
                    sets={"root": True},
                    reduction="weighted_mean",
                    note="group_id is group_ids= of the call; trees grow on the derivatives of the square.",
                ),
            ),
        ),
        Binding(
            ("PairLogit",),
            (
                Case(
                    "pairwise_logistic_loss",
                    reduction="mean",
                    note="Without pairs= of the call all pairs of a group, which is what CatBoost generates.",
                ),
            ),
            {"max_pairs": Only(None, "losslib draws no sample of the pairs")},
        ),
        Binding(
            ("QuerySoftMax",),
            (
                Case(
                    refused="it divides by the sum of the targets of all groups and has weights inside the softmax; "
                    "without weights write losslib.listwise_softmax_loss(x, t, group_ids=g, beta=..., "
                    'reduction="sum") / t.sum()'
                ),
            ),
            {"beta": Takes(1.0), "lambda": Ignored(0.01)},
        ),
        Binding(
            ("YetiRank", "YetiRankPairwise"),
            (
                Case(
                    refused="its pairs have weights from random permutations; losslib.lambdarank_loss has those of a "
                    "metric, and losslib.approx_ndcg_loss the metric itself"
                ),
            ),
            {"mode": Ignored("Classic"), "permutations": Ignored(10), "decay": Ignored(0.85)},
        ),
        Binding(
            ("LambdaMart",),
            (Case(refused="it reports a metric; losslib.lambdarank_loss has the conventions of LightGBM and XGBoost"),),
            {"metric": Ignored("NDCG"), "sigma": Takes(1.0), "norm": Ignored(True)},
        ),
        Binding(
            ("Cox",),
            (
                Case(
                    refused="it reports the logarithm of the partial likelihood, with tied times in the order in which "
                    "they are sorted; write losslib.CoxPHLoss(ties='breslow', reduction='sum') for minus that"
                ),
            ),
        ),
        Binding(
            ("SurvivalAft",),
            (
                Case(
                    refused="it reports how far predictions lie beyond their bounds; write "
                    "losslib.AFTLoss(distribution=..., scale=...) for the likelihood that it trains on, with inf for "
                    "its -1"
                ),
            ),
            {"dist": Ignored("Normal"), "scale": Takes(1.0)},
        ),
        Binding(
            ("RMSEWithUncertainty",),
            (
                Case(
                    refused="its second output is the logarithm of the standard deviation and it steps along the "
                    "natural "
                    "gradient; write losslib.gaussian_nll_loss(x, t, np.exp(2 * s), full=True) for the value"
                ),
            ),
        ),
    ),
    notes=(
        "Values are those that CatBoost reports, weighted means. Its derivatives are those of the negative loss.",
        "Parameters that follow the name in CatBoost's string, ``Huber:delta=2``, are keywords here.",
    ),
)
