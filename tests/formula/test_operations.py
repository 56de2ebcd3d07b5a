"""The operations of the interpreter, the language and its page know each other."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import losslib
from losslib import _kernels
from losslib.formula import language, tape
from losslib.formula.folding import FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]


def test_the_forms_that_a_tape_may_hold_are_compiled_and_no_others() -> None:
    compiled = set(_kernels.load("formula").operations())
    forms = {f"{name}_{form}" for name, listed in tape.FORMS.items() for form in listed}
    assert forms == {name for name in compiled if re.fullmatch(r".+_[vs]+", name)}
    assert set(tape.COSTS) <= compiled | {name.rpartition("_")[0] for name in compiled}
    assert set(FUNCTIONS) <= compiled


def test_the_page_lists_every_function_with_the_error_that_the_headers_state() -> None:
    page = (ROOT / "docs/user/own_loss.rst").read_text(encoding="utf-8")
    rows = re.findall(r"\* - ``(.+?)``\n     - .+\n     - (.+)", page)
    listed = {word for names, _ in rows for word in re.findall(r"[a-z0-9]+", names.partition("(")[0])}
    assert set(language.FUNCTIONS) - {"where"} <= listed | {"abs", "sign", "max", "min", "clip"}
    headers = "".join(
        (ROOT / f"include/losslib/core/{name}.h").read_text(encoding="utf-8") for name in ("vecmath", "special")
    )
    pattern = r"// ULP ([\d.]+/[\d.]+)[^\n]*\n(?:// [^\n]*\n)*template <class T> LOSSLIB_INLINE T (\w+)\(T x"
    stated = {name: errors for errors, name in re.findall(pattern, headers)}
    for names, errors in rows:
        name = names.partition("(")[0]
        if name in stated and name not in ("sigmoid",):  # computed with its complement where both are needed
            assert errors.replace(" ", "") == stated[name], name


@pytest.mark.parametrize("name", sorted(language.FUNCTIONS.keys() - {"where", "clip", "max", "min"}))
def test_constants_are_folded_to_what_the_loops_give(name: str) -> None:
    numbers = [0.25, 1.5, 3.0, 20.0]
    for number in numbers:
        folded = losslib.from_formula(f"{name}(c) + 0*x", c=number, inputs=("x",), reduction="sum")
        computed = losslib.from_formula(f"{name}(x)", inputs=("x",), reduction="sum")
        expected = computed(np.array([number]))
        assert folded(np.array([0.0])) == pytest.approx(expected, rel=2e-14, abs=2e-14), number


def test_sine_and_cosine_go_on_beyond_the_reduction() -> None:
    far = np.array([1e5, 1e6, 1.0000001e6, 1e9, -1e15, 1e300, np.inf, -np.inf, np.nan])
    for name in ("sin", "cos"):
        loss = losslib.from_formula(f"{name}(x)", inputs=("x",), reduction="none")
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(loss(far), getattr(np, name)(far), rtol=1e-12, atol=1e-15)


def test_many_intermediate_results_are_computed_in_shorter_rows() -> None:
    terms = "+".join(f"sin({k}*x)*cos({k + 1}*t)" for k in range(1, 16))
    wide = losslib.from_formula(f"({terms})/({terms.replace('+', '-')} + 100)", reduction="none")
    x, t = np.random.default_rng(0).standard_normal((2, 1111))
    k = np.arange(1, 16)[:, np.newaxis]
    parts = np.sin(k * x) * np.cos((k + 1) * t)
    expected = parts.sum(0) / (2 * parts[0] - parts.sum(0) + 100)
    np.testing.assert_allclose(wide(x, t), expected, rtol=1e-11, atol=1e-13)
    assert losslib.check_grad(wide, x[:20], t[:20], show=False, tolerance=1e-5)
