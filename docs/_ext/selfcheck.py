"""Show that the comparison of formula and kernel can fail: ``python docs/_ext/selfcheck.py``.

A check that never complains proves nothing. Here formulas are wrong on purpose, in the ways in which documentation has
been wrong elsewhere, and each must be noticed with the name of the loss, the point and both numbers.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from rowlosses import GradientCheck, batch, compare_gradients
from verify import Disagreement, check_formula, run_doctest

import losslib
from formulas import Formula
from losslib import registry


def changed(name: str, old: str, new: str) -> losslib.LossInfo:
    """Return a declaration whose formula differs in one place."""
    info = registry.info_of(name)
    if old not in info.formula:
        raise AssertionError(f"{name}: the formula {info.formula!r} has no {old!r}; choose another change")
    return dataclasses.replace(info, formula=info.formula.replace(old, new, 1))


WRONG = (
    ("a sign", changed("poisson_nll_loss", "exp(x) - t*x", "exp(x) + t*x"), "value"),
    ("a factor", changed("mse_loss", "d**2", "d**2/2"), "value"),
    ("a threshold", changed("huber_loss", "<= delta", "<= 2*delta"), "value"),
    ("a branch", changed("quantile_loss", "d < 0", "d > 0"), "value"),
)


def expect_complaint(what: str, info: losslib.LossInfo, number: str) -> None:
    """Assert that a wrong formula is noticed and that the message says where and by how much."""
    try:
        check_formula(info)
    except Disagreement as complaint:
        message = str(complaint)
        for needed in (info.name, f"the {number}", "x=", "the kernel gives", "the formula"):
            if needed not in message:
                raise AssertionError(f"the message lacks {needed!r}: {message}") from complaint
        print(f"noticed {what} in {info.name}:\n  {message}")
        return
    raise AssertionError(f"{what} in the formula of {info.name} went unnoticed")


def expect_derivative_complaint(order: int) -> None:
    """Assert that a wrong gradient or Hessian is noticed although the value is right."""
    info = registry.info_of("log_cosh_loss")
    formula = Formula(info)
    names = ("input",) * order
    right = formula.derivative(*names)
    if order == 1:
        formula.derivative("input", "input")  # keep the Hessian right
    formula._derivatives[names] = -right
    try:
        check_formula(info, [formula])
    except Disagreement as complaint:
        word = "gradient" if order == 1 else "Hessian"
        if f"the {word} for input" not in str(complaint):
            raise AssertionError(f"the wrong number is blamed: {complaint}") from complaint
        print(f"noticed the sign of the {word}:\n  {complaint}")
        return
    raise AssertionError("a derivative with the wrong sign went unnoticed")


class HalfGradient:
    """A loss object whose gradient is half of what it should be."""

    def __init__(self, loss: losslib.Loss) -> None:
        self.loss = loss

    def __call__(self, *inputs: Any) -> Any:
        return self.loss(*inputs)

    def grad(self, *inputs: Any, wrt: str) -> Any:
        return self.loss.grad(*inputs, wrt=wrt) / 2


def expect_row_complaint() -> None:
    """Assert that a wrong gradient of a row loss is noticed."""
    info = registry.info_of("cross_entropy")
    loss = losslib.get("cross_entropy", reduction="sum")
    compare_gradients(info, loss, batch(info, 5, 4), GradientCheck())
    try:
        compare_gradients(info, HalfGradient(loss), batch(info, 5, 4), GradientCheck())
    except Disagreement as complaint:
        print(f"noticed the size of a row's gradient:\n  {complaint}")
        return
    raise AssertionError("a gradient of half its size went unnoticed")


def expect_example_complaint() -> None:
    """Assert that an example with another output is noticed."""
    try:
        run_doctest(">>> losslib.mse_loss([1.0], [0.0])\n2.0\n", "mse_loss")
    except Disagreement:
        print("noticed the output of an example")
        return
    raise AssertionError("an example with another output went unnoticed")


if __name__ == "__main__":
    for case in WRONG:
        expect_complaint(*case)
    expect_derivative_complaint(1)
    expect_derivative_complaint(2)
    expect_row_complaint()
    expect_example_complaint()
    check_formula(registry.info_of("huber_loss"))
    print("and the right formula passes")
