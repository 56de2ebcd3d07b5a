"""Random formulas against mpmath with dual numbers: an evaluator that shares nothing with the package."""

from __future__ import annotations

import ast
import os
from typing import Any

import numpy as np
from hypothesis import example, given, reject, seed, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

import losslib
from dual_numbers import Dual, evaluate

#: Formulas to try; a release tries 5000.
FORMULAS = int(os.environ.get("LOSSLIB_FORMULAS", "300"))
#: Another seed is another sequence of formulas.
SEED = int(os.environ.get("LOSSLIB_FORMULAS_SEED", "0"))

X, T = np.array([-2.5, -0.75, 0.3125, 1.0625, 3.5, 0.5]), np.array([0.125, -1.5, 2.0, 0.875, 0.25, 1.25])

UNARY = ("exp", "expm1", "log", "log1p", "sqrt", "abs", "sign", "sin", "cos", "tanh", "cosh", "sigmoid", "softplus",
         "erf", "loggamma", "digamma")  # fmt: skip

numbers = st.sampled_from(["0.5", "1", "2", "3", "0.25", "1.5", "pi", "-1", "10"])
leaves = st.one_of(st.sampled_from(["x", "t", "d", "x", "d"]), numbers)


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    comparison = st.builds("({} {} {})".format, inner, st.sampled_from(["<", "<=", ">", ">="]), inner)
    condition = st.one_of(
        comparison,
        st.builds("({} {} {})".format, comparison, st.sampled_from(["and", "or"]), comparison),
        st.builds("(not {})".format, comparison),
    )
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "+", "-", "*"]), inner),
        st.builds("{}({})".format, st.sampled_from(UNARY), inner),
        st.builds("(-{})".format, inner),
        st.builds("({})**{}".format, inner, st.sampled_from(["2", "3", "(-1)", "0.5", "1.5", "(-2)", "4"])),
        st.builds("abs({})**({})".format, inner, inner),
        st.builds("{}({}, {})".format, st.sampled_from(["max", "min"]), inner, inner),
        st.builds("clip({}, {}, {})".format, inner, st.just("-1"), st.just("2")),
        st.builds("where({}, {}, {})".format, condition, inner, inner),
    )


formulas = st.recursive(leaves, _grow, max_leaves=9)


@seed(SEED)
@settings(max_examples=FORMULAS, deadline=None, database=None)
@given(formulas)
@example("sin(pi)")  # 1.2e-16, as pi is a number of float64
@example("abs(x)**((x + d))")  # an exponent that passes 0
def test_value_gradient_and_hessian_of_a_random_formula_are_those_of_mpmath(formula: str) -> None:
    tree = ast.parse(formula, mode="eval").body
    loss = losslib.from_formula(formula, reduction="none")
    found = {name: loss.value_grad_hess(X, T, wrt=name) for name in ("input", "target")}
    compared = 0
    for k, (x, t) in enumerate(zip(X.tolist(), T.tolist(), strict=True)):
        for name in found:
            with mp.workdps(60):
                try:
                    exact, scale = _exact(tree, x, t, name)
                except (ArithmeticError, ValueError):  # a kink, a pole or the outside of a domain somewhere below
                    continue
            for part, true, size in zip(found[name], exact, scale, strict=True):
                if size < 1e280:
                    compared += 1
                    error = abs(mpf(float(part[k])) - true)
                    # What rounding leaves of the reference itself, and what underflows in float64.
                    least = mpf("1e-45") * (1 + max(scale)) + mpf("1e-290")
                    assert error <= size * mpf("1e-12") + least, (formula, name, x, t, part[k], float(true))
    if not compared:
        reject()


def _exact(tree: ast.expr, x: float, t: float, name: str) -> tuple[list[Any], list[Any]]:
    """Return value, first and second derivative, with the scale of each.

    The scale is the number itself and what relative errors of 1 in all intermediate results would change it by, found
    by evaluating the formula again with each result of an operation moved a little.
    """
    moves = (mpf(int(name == "input")), mpf(int(name == "target")))
    names = {"x": Dual(mpf(x), moves[0]), "t": Dual(mpf(t), moves[1])}
    names["d"] = names["x"] - names["t"]
    exact = evaluate(tree, names)
    eta = mpf("1e-25")
    count = exact.operations
    scale = [abs(part) for part in exact.parts]
    for number in range(count):
        moved = evaluate(tree, names, disturb=(number, eta))
        scale = [size + abs(a - b) / eta for size, a, b in zip(scale, moved.parts, exact.parts, strict=True)]
    return list(exact.parts), scale
