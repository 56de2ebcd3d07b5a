"""Classifiers of boosters: two classes for losses of rows, labels 0 and 1 for losses of signs, and absent classes."""

from __future__ import annotations

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost

import losslib
from adapters.training_data import Data
from losslib.adapters import binding, labels
from losslib.adapters import catboost as for_catboost
from losslib.adapters import lightgbm as for_lightgbm
from losslib.adapters import xgboost as for_xgboost
from losslib.adapters.boosting import derivatives, optimal_constant, score
from losslib.declaration import registry
from losslib.errors import DomainError, ParameterError

CATBOOST = {
    "iterations": 10, "depth": 3, "thread_count": 1, "verbose": False, "allow_writing_files": False,
    "bootstrap_type": "No", "learning_rate": 0.5,
}  # fmt: skip

TRAINED = [
    info.name for info in registry.all_losses()
    if info.input_names == ("input", "target") and info.family in ("binary", "multiclass")
    and binding.input_meaning(losslib.get(info.name)) == "scores" and not info.averages_last_axis
    and info.name not in ("js_div", "distillation_loss")
]  # fmt: skip
ROWS = [name for name in TRAINED if binding.takes_rows(losslib.get(name))]
SIGNS = [name for name in TRAINED if binding.target_domain(losslib.get(name)) == "sign"]
MARGINS = [name for name in SIGNS if name != "hinge_embedding_loss"]  # whose input is a distance
#: Without a gradient at 0, where boosting starts; or, scaled by 30, with a curvature there that makes steps too long.
FLAT = ("perceptron_loss", "multiclass_perceptron_loss", "ldam_loss")
#: Losses whose weights depend on the scores and are constant in the derivatives.
HELD = ("seesaw_loss",)


def raw_lightgbm(name: str, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return raw scores of LightGBM's classifier after ten rounds."""
    model = lightgbm.LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1, objective=for_lightgbm.objective(name))
    model.fit(X, y, eval_metric=for_lightgbm.metric(name))
    return np.asarray(model.predict(X, raw_score=True))


def raw_xgboost(name: str, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return raw scores of XGBoost's classifier after ten rounds."""
    model = xgboost.XGBClassifier(n_estimators=10, n_jobs=1, base_score=0.5, objective=for_xgboost.objective(name))
    return np.asarray(model.fit(X, y).predict(X, output_margin=True))


def raw_catboost(name: str, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return raw scores of CatBoost's classifier after ten rounds."""
    model = catboost.CatBoostClassifier(
        **CATBOOST, loss_function=for_catboost.objective(name), eval_metric=for_catboost.metric(name)
    )
    return np.asarray(model.fit(X, y).predict(X, prediction_type="RawFormulaVal"))


BOOSTERS = {"lightgbm": raw_lightgbm, "xgboost": raw_xgboost, "catboost": raw_catboost}


# ---- what a booster asks for -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in ROWS if name not in HELD])
def test_one_score_for_two_classes_is_that_of_the_second_beside_0(name: str) -> None:
    scores, label = np.linspace(-2.0, 2.0, 8), np.array([0.0, 1.0] * 4)
    weight = np.arange(1.0, 9.0)
    loss = losslib.get(name, reduction="sum")
    target = labels.row_targets(loss, label, 2)

    def total(column: np.ndarray) -> float:
        return float(loss(np.column_stack([np.zeros(8), column]), target, sample_weight=weight))

    step = 1e-6
    moved = [total(scores + step * row) - total(scores - step * row) for row in np.eye(8)]
    grad, hess = derivatives(name, "auto", None, 1e-16, {})(scores, label, weight)
    np.testing.assert_allclose(grad, np.array(moved) / (2.0 * step), rtol=1e-6, atol=1e-7)
    assert grad.shape == hess.shape == (8,)
    assert score(name, {})(scores, label, weight) == pytest.approx(total(scores) / weight.sum(), rel=1e-12)


def test_the_second_derivative_of_one_score_is_that_of_the_logistic_loss() -> None:
    scores, label = np.linspace(-2.0, 2.0, 8), np.array([0.0, 1.0] * 4)
    for adapter in (for_lightgbm, for_xgboost):
        found = adapter.objective("cross_entropy")(label, scores)
        expected = adapter.objective("bce_with_logits")(label, scores)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("name", SIGNS)
def test_labels_0_and_1_stand_for_minus_1_and_1(name: str) -> None:
    scores, label = np.linspace(0.1, 2.0, 8), np.array([0.0, 1.0] * 4)
    made, measure = derivatives(name, "auto", None, 1e-16, {}), score(name, {})
    for ours, theirs in zip(made(scores, label, None), made(scores, 2.0 * label - 1.0, None), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert measure(scores, label, None) == losslib.get(name)(scores, 2.0 * label - 1.0)
    assert optimal_constant(name, label) == optimal_constant(name, 2.0 * label - 1.0)
    with pytest.raises(DomainError):
        made(scores, label - np.array([2.0, *[0.0] * 7]), None)  # -2 is no label


@pytest.mark.parametrize("name", ["arcface_loss", "cosface_loss", "sphereface_loss", "margin_cross_entropy"])
def test_losses_of_cosines_are_no_objectives(name: str) -> None:
    for adapter in (for_lightgbm, for_xgboost, for_catboost):
        with pytest.raises(ParameterError, match=f"{name} takes cosines and boosters fit raw scores"):
            adapter.objective(name)
    with pytest.raises(ParameterError, match=f"{name} takes cosines, and a constant is a row of scores"):
        optimal_constant(name, np.array([0, 1]))


# ---- training --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("name", [name for name in ROWS + MARGINS if name not in FLAT])
def test_classifiers_of_two_classes_learn_with_every_loss(data: Data, booster: str, name: str) -> None:
    raw = BOOSTERS[booster](name, data.X, data.binary)
    assert raw.shape == (600,)
    assert np.mean((raw > 0.0) == data.binary) > 0.8


@pytest.mark.parametrize("booster", BOOSTERS)
def test_cross_entropy_of_two_classes_trains_as_the_logistic_loss(data: Data, booster: str) -> None:
    ours = BOOSTERS[booster]("cross_entropy", data.X, data.binary)
    np.testing.assert_allclose(ours, BOOSTERS[booster]("bce_with_logits", data.X, data.binary), atol=1e-5)


def test_labels_that_lightgbm_translates_come_back_as_signs(data: Data) -> None:
    signs = 2.0 * data.binary - 1.0
    np.testing.assert_array_equal(
        raw_lightgbm("hinge_loss", data.X, signs), raw_lightgbm("hinge_loss", data.X, data.binary)
    )


def test_one_score_for_three_classes_asks_for_their_number(data: Data) -> None:
    train = lightgbm.Dataset(data.X, data.label)
    words = "got one score a sample, which makes two classes, and the target 2"
    with pytest.raises(ParameterError, match=words):
        lightgbm.train({"objective": for_lightgbm.objective("cross_entropy"), "verbose": -1}, train, 1)
    with pytest.raises(ParameterError, match=words):
        xgboost.train({}, xgboost.DMatrix(data.X, data.label), 1, obj=for_xgboost.objective("cross_entropy"))
    with pytest.raises(catboost.CatBoostError, match=words):
        raw_catboost("cross_entropy", data.X, data.label)


# ---- the constant to start from --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWS)
def test_a_constant_has_a_score_for_each_class_that_there_is(name: str) -> None:
    label = np.array([0, 1, 1, 0, 1])
    assert optimal_constant(name, label).shape == (2,)
    assert optimal_constant(name, label, n_classes=4).shape == (4,)
    row = optimal_constant(name, label, n_classes=4)
    assert row[:2].min() >= row[2:].max()  # classes without targets are the least likely
    for start in (for_lightgbm.init_score, for_xgboost.base_margin, for_catboost.baseline):
        assert start(name, label, rows=3, n_classes=4).shape == (3, 4)


def test_the_number_of_classes_must_hold_the_labels() -> None:
    with pytest.raises(DomainError, match=r"target\[1\] is 2, outside the classes 0 to 1"):
        optimal_constant("cross_entropy", [0, 2], n_classes=2)
    with pytest.raises(DomainError, match=r"target\[0\] is -1"):
        optimal_constant("cross_entropy", [-1, 2])
    with pytest.raises(ParameterError, match="has one score and no classes"):
        optimal_constant("mse", [0.0, 2.0], n_classes=2)


@pytest.mark.parametrize("name", ["categorical_cross_entropy", "nll_loss", "js_div", "distillation_loss"])
def test_losses_whose_input_is_no_row_of_scores_are_refused(name: str) -> None:
    with pytest.raises(ParameterError, match=r"probabilities|two rows of logits"):
        optimal_constant(name, [0, 1, 1])
    with pytest.raises(ParameterError, match=r"probabilities|two rows of logits"):
        derivatives(name, "auto", None, 1e-16, {})
