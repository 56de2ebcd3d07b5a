"""Sums of losses on the same inputs: the terms they hold, and what is refused."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import losslib

X, T = np.array([1.0, -2.0, 0.25, 4.0]), np.array([0.0, 0.5, 0.25, -1.0])


# ---- identity ----------------------------------------------------------------------------------------------------


def test_a_sum_of_sums_holds_the_terms_themselves() -> None:
    inner = 0.3 * losslib.MSELoss() + -0.7 * losslib.L1Loss()
    outer = losslib.WeightedSum(((2.0, inner), (1.0, losslib.HuberLoss()), (0.5, 4.0 * inner)))
    assert [coefficient for coefficient, _ in outer.terms] == [0.6, -1.4, 1.0, 0.6, -1.4]
    assert eval(repr(outer), vars(losslib)) == outer
    assert outer == 2.0 * inner + losslib.HuberLoss() + 0.5 * (4.0 * inner)
    assert pickle.loads(pickle.dumps(outer)) == copy.deepcopy(outer) == outer
    assert outer(X, T) == pytest.approx(4.0 * inner(X, T) + losslib.huber_loss(X, T), rel=1e-14)
    with pytest.raises(losslib.ParameterError, match="finite"):
        losslib.WeightedSum(((1e200, 1e200 * losslib.L1Loss()),))


def test_a_sum_cannot_be_changed() -> None:
    total = 2.0 * losslib.L1Loss()
    with pytest.raises(AttributeError, match="immutable"):
        del total._terms
    with pytest.raises(AttributeError, match="immutable"):
        total.__init__(((3.0, losslib.MSELoss()),))
    assert total == 2.0 * losslib.L1Loss()


@pytest.mark.parametrize(
    ("terms", "error", "message"),
    [
        (5, TypeError, r"terms must be a tuple of \(coefficient, loss\), got int"),
        (losslib.L1Loss(), TypeError, r"terms must be a tuple of \(coefficient, loss\), got L1Loss"),
        (((1.0, losslib.L1Loss(), 2.0),), losslib.ParameterError, r"terms\[0\] must be \(coefficient, loss\)"),
        (((1.0, losslib.L1Loss()), 2.0), losslib.ParameterError, r"terms\[1\] must be \(coefficient, loss\), got 2.0"),
        (("ab",), losslib.ParameterError, r"terms\[0\] must be \(coefficient, loss\), got 'ab'"),
        (((1.0, "mse"),), TypeError, "terms must be losses, got str"),
        (((1.0, losslib.Loss()),), TypeError, "terms must be losses, got Loss"),
        (((True, losslib.L1Loss()),), TypeError, "a coefficient must be a number, got bool"),
    ],
)
def test_wrong_terms_are_named(terms: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        losslib.WeightedSum(terms)
