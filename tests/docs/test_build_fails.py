"""The build of the pages must fail where a page would be wrong.

A check that never complains proves nothing. Here declarations and kernels are wrong on purpose, one sign or one number
at a time, in the ways in which documentation has been wrong elsewhere; the functions that the build calls must notice.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
import pytest
from sphinx.errors import ExtensionError

import losslib
import taylor
from losslib.declaration import registry
from losspages import build
from losspages.checks import equivalents, examine, links, row_losses, verify
from losspages.formulas import row_formulas


def changed(name: str, old: str, new: str) -> Any:
    """Return a declaration whose formula differs in one place."""
    info = registry.info_of(name)
    assert old in info.formula, f"{name} has the formula {info.formula!r} without {old!r}; choose another change"
    return dataclasses.replace(info, formula=info.formula.replace(old, new, 1))


def test_right_declarations_pass() -> None:
    verify.check_formula(registry.info_of("huber_loss"))
    row_formulas.check_formula(registry.info_of("cross_entropy"))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param("poisson_nll_loss", "exp(x) - t*x", "exp(x) + t*x", id="sign"),
        pytest.param("mse_loss", "d**2", "d**2/2", id="factor"),
        pytest.param("huber_loss", "<= delta", "<= 2*delta", id="threshold"),
        pytest.param("quantile_loss", "d < 0", "d > 0", id="branch"),
    ],
)
def test_wrong_formula_of_an_elementwise_loss_is_noticed(name: str, old: str, new: str) -> None:
    with pytest.raises(verify.Disagreement, match=rf"{name}: the value .* the kernel gives .* the formula"):
        verify.check_formula(changed(name, old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param("cross_entropy", "lse(x) - x_c", "lse(x) + x_c", id="sign"),
        pytest.param("softmax_focal_loss", "(1 - p_c)**gamma", "p_c**gamma", id="complement"),
        pytest.param("multi_margin_loss", "/C", "", id="denominator"),
        pytest.param("triplet_margin_loss", "margin + d", "margin - d", id="sign-of-a-distance"),
        pytest.param("contrastive_loss", "+ (1 - t)", "- (1 - t)", id="sign-of-a-term"),
    ],
)
def test_wrong_formula_of_a_row_loss_is_noticed(name: str, old: str, new: str) -> None:
    with pytest.raises(verify.Disagreement, match=rf"{name}: the value .* the kernel gives .* the formula"):
        row_formulas.check_formula(changed(name, old, new))


@pytest.mark.parametrize("name", sorted(info.name for info in registry.all_losses() if info.gradient))
def test_wrong_sign_of_a_printed_gradient_is_noticed(name: str) -> None:
    info = registry.info_of(name)
    wrong = dataclasses.replace(info, gradient={key: f"-({text})" for key, text in info.gradient.items()})
    with pytest.raises(verify.Disagreement, match=rf"{name}: the printed gradient"):
        row_formulas.check_formula(wrong)


def test_wrong_sign_of_a_printed_hessian_is_noticed() -> None:
    info = registry.info_of("cross_entropy")
    wrong = dataclasses.replace(info, hessian={key: f"-({text})" for key, text in info.hessian.items()})
    with pytest.raises(verify.Disagreement, match="cross_entropy: the printed Hessian"):
        row_formulas.check_formula(wrong)


@pytest.mark.parametrize(
    ("name", "letter", "old", "new"),
    [
        pytest.param("bi_tempered_logistic_loss", "m", "== 1", "== 2", id="equation"),
        pytest.param("js_div", "m", "beta*q_c", "q_c", id="mixture"),
        pytest.param("triplet_margin_loss", "d(u, v)", "v_j + eps)**p", "v_j - eps)**p", id="function"),
    ],
)
def test_wrong_definition_of_a_letter_is_noticed(name: str, letter: str, old: str, new: str) -> None:
    info = registry.info_of(name)
    assert old in info.definitions[letter]
    wrong = {**info.definitions, letter: info.definitions[letter].replace(old, new)}
    with pytest.raises(verify.Disagreement, match=f"{name}: the value"):
        row_formulas.check_formula(dataclasses.replace(info, definitions=wrong))


def test_wrong_definition_of_a_letter_of_an_elementwise_loss_is_noticed() -> None:
    info = registry.info_of("cauchy_loss")
    with pytest.raises(verify.Disagreement, match="cauchy_loss: the value"):
        verify.check_formula(dataclasses.replace(info, definitions={"r": "d*scale"}))


@pytest.mark.parametrize(("order", "word"), [(1, "gradient"), (2, "Hessian")])
def test_wrong_sign_of_a_derivative_is_noticed(order: int, word: str) -> None:
    formula = verify.Formula(registry.info_of("log_cosh_loss"))
    names = ("input",) * order
    right = formula.derivative(*names)
    formula.derivative("input", "input")  # keep the other right
    formula._derivatives[names] = -right
    with pytest.raises(verify.Disagreement, match=f"the {word} for input"):
        verify.check_formula(registry.info_of("log_cosh_loss"), [formula])


class HalfGradient:
    """A loss object whose gradient is half of what it should be."""

    def __init__(self, loss: Any) -> None:
        self.loss = loss

    def __call__(self, *inputs: Any) -> Any:
        return self.loss(*inputs)

    def grad(self, *inputs: Any, wrt: str) -> Any:
        return self.loss.grad(*inputs, wrt=wrt) / 2


def test_wrong_gradient_of_a_row_kernel_is_noticed() -> None:
    info = registry.info_of("cross_entropy")
    loss = losslib.get("cross_entropy", reduction="sum")
    arrays = row_losses.batch(info, 5, 4)
    row_losses.compare_gradients(info, loss, arrays, row_losses.GradientCheck())
    with pytest.raises(verify.Disagreement, match="the gradient for input"):
        row_losses.compare_gradients(info, HalfGradient(loss), arrays, row_losses.GradientCheck())


# ---- reductions, equivalents, examples, fields -------------------------------------------------------------------


@pytest.mark.parametrize(("module", "name"), [(verify, "mse_loss"), (row_losses, "cross_entropy")])
def test_wrong_denominator_is_noticed(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module.check_reductions(registry.info_of(name))
    right = module._divisor
    monkeypatch.setattr(module, "_divisor", lambda *arguments: -right(*arguments))
    with pytest.raises(verify.Disagreement, match=f"{name}: reduction='mean'"):
        module.check_reductions(registry.info_of(name))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("huber_loss", "scipy.special.huber(2.0, x - t)"),
        ("mean_squared_logarithmic_error", "sklearn.metrics.mean_squared_log_error(t, x)"),
    ],
)
def test_wrong_equivalent_is_noticed(name: str, call: str) -> None:
    pytest.importorskip(call.partition(".")[0])
    info = registry.info_of(name)
    item = next(item for item in info.equivalents if item.call == call)
    assert equivalents.run_equivalent(info, item).version
    with pytest.raises(verify.Disagreement, match=f"{name}: -"):
        equivalents.run_equivalent(info, dataclasses.replace(item, call=f"-{call}"))


def test_wrong_output_of_an_example_is_noticed() -> None:
    assert verify.run_doctest(">>> losslib.mse_loss([1.0], [0.0])\n1.0\n", "mse_loss") == 1
    with pytest.raises(verify.Disagreement, match="does not print what the page shows"):
        verify.run_doctest(">>> losslib.mse_loss([1.0], [0.0])\n2.0\n", "mse_loss")


@pytest.mark.parametrize("field", examine.REQUIRED)
def test_empty_field_is_noticed(field: str) -> None:
    info = registry.info_of("huber_loss")
    empty = dataclasses.replace(info, **{field: type(getattr(info, field))()})
    assert list(examine.complaints_about_fields(info)) == []
    assert any(repr(field) in text for text in examine.complaints_about_fields(empty))


def test_every_declaration_is_complete() -> None:
    assert [text for info in registry.all_losses() for text in examine.complaints_about_fields(info)] == []


# ---- the build as a whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["poisson_nll_loss", "hinge_loss"])
def test_build_stops_at_a_wrong_declaration(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = registry.info_of(name)
    negative = dataclasses.replace(info, formula=f"-({info.formula})")
    monkeypatch.setattr(registry, "all_losses", lambda: (negative,))
    with pytest.raises(ExtensionError, match=f"disagree with the package:\n\n{name}: the value"):
        build.generate(SimpleNamespace(srcdir=tmp_path, builder=SimpleNamespace(name="html")))  # type: ignore[arg-type]
    assert list((tmp_path / "generated").iterdir()) == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('<a href="absent.html">', "no such file"),
        ('<a href="#absent">', "no such place"),
        ('<a href="other.html#absent">', "no such place"),
        ('<script src="https://example.org/a.js"></script>', "fetched from elsewhere"),
        ('<link rel="stylesheet" href="//example.org/a.css">', "fetched from elsewhere"),
        ("<p>losslib.:py:func:`~losslib.kl_div` is another</p>", "markup that was not read"),
    ],
)
def test_broken_link_is_noticed(body: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(body)
    (tmp_path / "other.html").write_text('<p id="here"><a href="index.html">')
    assert [complaint in problem for problem in links.check(tmp_path).problems] == [True]


def test_working_links_pass(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<a href="other.html#here"><a href="https://example.org/">')
    (tmp_path / "other.html").write_text('<p id="here">')
    assert links.check(tmp_path).problems == []


def test_taylor_numbers_differentiate_as_mpmath_does() -> None:
    def function(x: Any) -> Any:
        return (x * x + 2) ** 1.5 / (1 + taylor.exp(x)) + taylor.log(x) * taylor.sqrt(x)

    def plain(x: Any) -> Any:
        return (x * x + 2) ** 1.5 / (1 + mpmath.exp(x)) + mpmath.log(x) * mpmath.sqrt(x)

    place = mpmath.mpf("1.3")
    found = function(taylor.Taylor(place, mpmath.mpf(1)))
    for order, value in enumerate((found.value, found.first, found.second)):
        assert np.isclose(float(value), float(mpmath.diff(plain, place, order)), rtol=1e-8)
