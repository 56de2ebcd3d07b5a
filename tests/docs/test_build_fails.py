"""The build of the pages must fail where a page would be wrong.

A check that never complains proves nothing. Here declarations and kernels are wrong on purpose, one sign or one number
at a time, in the ways in which documentation has been wrong elsewhere; the functions that the build calls must notice.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import equivalents
import links
import losschecks
import losspages
import mpmath
import numpy as np
import pytest
import rowformulas
import rowgradients
import rowlosses
import taylor
import verify
from sphinx.errors import ExtensionError

import losslib
from losslib.declaration import registry


def changed(name: str, old: str, new: str) -> Any:
    """Return a declaration whose formula differs in one place."""
    info = registry.info_of(name)
    assert old in info.formula, f"{name} has the formula {info.formula!r} without {old!r}; choose another change"
    return dataclasses.replace(info, formula=info.formula.replace(old, new, 1))


def test_right_declarations_pass() -> None:
    verify.check_formula(registry.info_of("huber_loss"))
    rowformulas.check_formula(registry.info_of("cross_entropy"))


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
        pytest.param("triplet_margin_loss", "v_j + eps", "v_j - eps", id="sign-of-eps"),
        pytest.param("contrastive_loss", "+ (1 - t)", "- (1 - t)", id="sign-of-a-term"),
    ],
)
def test_wrong_formula_of_a_row_loss_is_noticed(name: str, old: str, new: str) -> None:
    with pytest.raises(verify.Disagreement, match=rf"{name}: the value .* the kernel gives .* the formula"):
        rowformulas.check_formula(changed(name, old, new))


@pytest.mark.parametrize("name", sorted(rowgradients.GRADIENTS))
def test_wrong_sign_of_a_printed_gradient_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = rowgradients.GRADIENTS[name]
    wrong = f"-({texts})" if isinstance(texts, str) else {key: f"-({text})" for key, text in texts.items()}
    monkeypatch.setitem(rowgradients.GRADIENTS, name, wrong)
    with pytest.raises(verify.Disagreement, match=rf"{name}: the printed gradient"):
        rowformulas.check_formula(registry.info_of(name))


def test_wrong_sign_of_a_printed_hessian_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = rowgradients.HESSIANS["cross_entropy"]
    monkeypatch.setitem(rowgradients.HESSIANS, "cross_entropy", f"-({right})")
    with pytest.raises(verify.Disagreement, match="cross_entropy: the printed Hessian"):
        rowformulas.check_formula(registry.info_of("cross_entropy"))


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
    arrays = rowlosses.batch(info, 5, 4)
    rowlosses.compare_gradients(info, loss, arrays, rowlosses.GradientCheck())
    with pytest.raises(verify.Disagreement, match="the gradient for input"):
        rowlosses.compare_gradients(info, HalfGradient(loss), arrays, rowlosses.GradientCheck())


# ---- reductions, equivalents, examples, fields -------------------------------------------------------------------


@pytest.mark.parametrize(("module", "name"), [(verify, "mse_loss"), (rowlosses, "cross_entropy")])
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


@pytest.mark.parametrize("field", losschecks.REQUIRED)
def test_empty_field_is_noticed(field: str) -> None:
    info = registry.info_of("huber_loss")
    empty = dataclasses.replace(info, **{field: type(getattr(info, field))()})
    assert list(losschecks.complaints_about_fields(info)) == []
    assert any(repr(field) in text for text in losschecks.complaints_about_fields(empty))


def test_every_declaration_is_complete() -> None:
    assert [text for info in registry.all_losses() for text in losschecks.complaints_about_fields(info)] == []


# ---- the build as a whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["poisson_nll_loss", "hinge_loss"])
def test_build_stops_at_a_wrong_declaration(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = registry.info_of(name)
    negative = dataclasses.replace(info, formula=f"-({info.formula})")
    monkeypatch.setattr(registry, "all_losses", lambda: (negative,))
    with pytest.raises(ExtensionError, match=f"disagree with the package:\n\n{name}: the value"):
        losspages.generate(SimpleNamespace(srcdir=tmp_path, builder=SimpleNamespace(name="html")))  # type: ignore[arg-type]
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
