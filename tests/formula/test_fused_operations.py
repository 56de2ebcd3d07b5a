"""Operations that compute several nodes at once: each form is reached by a formula, and computes what NumPy does."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import losslib
from losslib.formula import tape

#: Distinct rows, the last with an operation of its own, and numbers. Letters v and s of a form take them in turn.
ROWS = ("x", "t", "w", "sin(x)")
NUMBERS = ("-0.25", "0.75", "1.25", "1.5")

COMPARISONS = {"lt": "{} < {}", "le": "{} <= {}", "gt": "{} > {}", "ge": "{} >= {}",
               "within": "abs({}) < {}", "at_most": "abs({}) <= {}"}  # fmt: skip

TEMPLATES = {
    "clamp": "min(max({}, {}), {})",
    "product": "{}*{}*{}",
    "product_add": "{}*{}*{} + {}",
    "multiply_add": "{}*{} + {}",
    "multiply_subtract": "{}*{} - {}",
    "subtract_product": "{2} - {0}*{1}",
    "sum_of_products": "{}*{} + {}*{}",
    "difference_of_products": "{}*{} - {}*{}",
    "ratio": "{}/({} + {})*{}",
    **{f"select_{name}": f"where({text}, {{}}, {{}})" for name, text in COMPARISONS.items()},
    **{f"select_{name}_product": f"where({text}, {{}}*{{}}, {{}})" for name, text in COMPARISONS.items()},
    **{f"affine_{name.removeprefix('affine_')}": f"{name.removeprefix('affine_')}({{}}*{{}})*{{}} + {{}}"
       for name in tape.FORMS if name.startswith("affine_")},
    "add": "{} + {}",
    "sub": "{} - {}",
    "max": "max({}, {})",
    "min": "min({}, {})",
}  # fmt: skip
TEMPLATES |= {f"scaled_{name}": f"({text})*{{{text.count('{')}}}" for name, text in TEMPLATES.items()}

#: Derivatives that end in a form which no value does, times the scale.
SLOPES = {
    "scaled_ratio_vvsss": "log1p(0.75*x*x)*1.25",
    "scaled_signed_vvs": "abs(x)*t",
    "scaled_signed_vss": "abs(x)*1.5",
    "scaled_clamp_vsss": "where(abs(x) <= 0.75, x**2/2, 0.75*(abs(x) - 0.375))",
    "scaled_extreme_vvvvs": "max(x*t, x*w)",
    "scaled_extreme_vvvss": "max(x*t, exp(t))",
    "scaled_extreme_vvsvs": "max(x*t, w)",
    "scaled_extreme_vsvss": "max(x*t, 0.25)",
    "scaled_extreme_vssvs": "min(x*t, 0.25)",
    "scaled_extreme_vssss": "max(x*1.5, 0.25)",
    **{f"scaled_select_{name}_product_vsvvs": f"where({text.format('x', 0.75)}, x*t*w, 0)"
       for name, text in COMPARISONS.items()},
    **{f"scaled_select_{name}_product_vsvss": f"where({text.format('x', 0.75)}, x*x*1.5*1.25, 0)"
       for name, text in COMPARISONS.items()},
}  # fmt: skip


NUMPY = ("abs", "where", "sin", "sqrt", "exp", "expm1", "log", "log1p", "tanh")


def formula_of(name: str, form: str) -> str:
    """Return a formula whose last operation is a form."""
    rows, numbers = iter(ROWS), iter(NUMBERS)
    operands = [next(rows if kind == "v" else numbers) for kind in form]
    places = iter(range(9))
    return re.sub(r"\{\}", lambda _: f"{{{next(places)}}}", TEMPLATES[name]).format(*operands)


#: Forms that only compute one node, and those with the scale alone.
SIMPLE = {f"{name}_{form}" for name in ("mul", "add", "sub", "div", "max", "min", "power", "signed", "lt", "le", "gt",
                                        "ge", "eq", "ne", "and", "or", "select", "extreme")
          for form in tape.FORMS[name]} | {"product_vss"}  # fmt: skip
VALUES = {
    f"{name}_{form}": formula_of(name, form)
    for name, forms in tape.FORMS.items()
    if name in TEMPLATES
    for form in forms
    if f"{name}_{form}" not in SIMPLE | SLOPES.keys()
}


def make(formula: str) -> Any:
    inputs = tuple(name for name in "xtw" if re.search(rf"\b{name}\b", formula))
    return losslib.from_formula(formula, inputs=inputs, reduction="none")


def operations(loss: Any, kernel: int) -> list[str]:
    return [name for name, _, _ in loss.definition.make_tape({}, kernel).steps]


def test_every_form_of_several_nodes_is_reached_by_a_formula() -> None:
    assert SIMPLE | VALUES.keys() | SLOPES.keys() == {f"{name}_{form}" for name, listed in tape.FORMS.items()
                                                      for form in listed}  # fmt: skip


@pytest.mark.parametrize("form", sorted(VALUES))
def test_a_form_computes_what_its_nodes_do(form: str) -> None:
    loss = make(VALUES[form])
    assert form in operations(loss, 0), operations(loss, 0)
    rng = np.random.default_rng(len(form))
    names = {"x": rng.uniform(0.1, 2.0, 99), "t": rng.uniform(0.1, 2.0, 99), "w": rng.uniform(0.1, 2.0, 99)}
    names["x"][:2] = 0.75  # a tie
    functions = {name: getattr(np, name) for name in NUMPY} | {
        "min": np.minimum, "max": np.maximum, "softplus": lambda a: np.logaddexp(0, a),
        "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    }  # fmt: skip
    with np.errstate(invalid="ignore"):
        expected = eval(VALUES[form], {**functions, **names})
    found = loss(*(names[name] for name in loss.definition.inputs))
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("form", sorted(SLOPES))
def test_a_form_of_derivatives_computes_them(form: str) -> None:
    loss = make(SLOPES[form])
    assert form in operations(loss, 2), operations(loss, 2)
    rng = np.random.default_rng(len(form))
    inputs = [rng.uniform(-2.0, 2.0, 50) for _ in loss.definition.inputs]
    assert losslib.check_grad(loss, *inputs, show=False)
    _, plain = loss.value_and_grad(*inputs)
    _, scaled = loss.replace(reduction="mean").value_and_grad(*inputs)
    np.testing.assert_allclose(scaled * 50, plain, rtol=1e-15)
