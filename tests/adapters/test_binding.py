"""How adapters read the loss that they are given; and that none of them is loaded before it is used."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys

import numpy as np
import pytest

import losslib
from losslib.adapters import binding
from losslib.errors import ParameterError

WRITTEN = (
    "catboost", "constants", "jax", "lightgbm", "scipy", "sklearn_linear", "sklearn_metrics", "sklearn_scorers",
    "torch", "xgboost",
)  # fmt: skip


def test_losslib_reaches_its_adapters_without_loading_a_peer() -> None:
    program = (
        "import sys, losslib; losslib.adapters; "
        "peers = {'catboost', 'dask', 'jax', 'lightgbm', 'scipy', 'sklearn', 'torch', 'xgboost'}; "
        "assert not peers & set(sys.modules), peers & set(sys.modules); "
        "losslib.adapters.scipy.objective; assert 'sklearn' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_an_adapter_that_does_not_exist_is_an_attribute_error_that_lists_those_that_do() -> None:
    with pytest.raises(AttributeError, match="it has catboost, dask, jax"):
        losslib.adapters.tensorflow  # noqa: B018


@pytest.mark.parametrize("name", WRITTEN)
def test_the_examples_of_an_adapter_print_what_they_show(name: str) -> None:
    module = importlib.import_module(f"losslib.adapters.{name}")
    outcome = doctest.testmod(module, extraglobs={"np": np, "losslib": losslib})
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize(
    ("name", "curved"),
    [
        ("mse_loss", True), ("huber", True), ("sigmoid_focal_loss", True), ("squared_hinge_loss", True),
        ("squared_epsilon_insensitive_loss", True), ("l1_loss", False), ("quantile", False), ("hinge", False),
        ("epsilon_insensitive_loss", False), ("mean_absolute_percentage_error", False), ("perceptron_loss", False),
        ("multilabel_soft_margin_loss", True),
    ],
)  # fmt: skip
def test_straight_losses_are_told_from_curved_ones(name: str, curved: bool) -> None:
    assert binding.has_curvature(losslib.get(name)) is curved


def test_curvature_is_found_at_the_smallest_and_the_largest_scale() -> None:
    assert binding.has_curvature(losslib.HuberLoss(delta=1e-9))
    assert binding.has_curvature(losslib.SquaredEpsilonInsensitiveLoss(epsilon=1e4))


def test_the_reduction_of_a_sum_is_changed_in_every_term() -> None:
    loss = 0.5 * losslib.MSELoss() + 2.0 * (losslib.L1Loss() + losslib.HuberLoss())
    x, t = np.array([1.0, 3.0]), np.zeros(2)
    assert binding.with_reduction(loss, "sum")(x, t) == pytest.approx(2.0 * loss(x, t))


def test_a_sum_of_elements_and_rows_is_refused() -> None:
    with pytest.raises(ParameterError, match="losses of elements to losses of rows"):
        binding.takes_rows(losslib.MSELoss() + losslib.CrossEntropyLoss())


@pytest.mark.parametrize("given", [losslib.huber_loss, losslib.HuberLoss, None, 3])
def test_what_is_neither_a_loss_nor_a_name_is_a_type_error(given: object) -> None:
    with pytest.raises(TypeError, match="loss must be a losslib loss object or the name of one"):
        binding.bind(given, {})
