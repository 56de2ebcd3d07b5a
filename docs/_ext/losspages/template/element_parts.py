"""The parts of a page that differ for losses of single elements: inputs, formula, reductions, picture."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from losslib.declaration.schema import Array, LossInfo, Real
from losspages.checks import verify
from losspages.formulas.symbolic import LONGEST_LATEX, Formula, formula_flags
from losspages.pictures import curves
from losspages.rst import escape, heading, indent, link, math, table


def inputs_table(info: LossInfo, outside_messages: list[str]) -> str:
    domains = verify.domains_of(info, {})
    rows = []
    for k, (item, domain) in enumerate(zip(info.inputs, domains, strict=True)):
        if k == 0:
            shape = "any"
        elif item.broadcasts:
            shape = f"as ``{info.inputs[0].name}``; without its last axis; with axes of length 1; or a number"
        else:
            shape = f"as ``{info.inputs[0].name}``, or a number"
        outside = f"``DomainError``: {escape(outside_messages[k])}" if outside_messages[k] else "no value is outside"
        rows.append([f"``{item.name}``", f"{link(item.meaning, info.name)}", shape, domain.meaning, outside])
    text = heading("Inputs") + "\n"
    text += table(["input", "meaning", "shape", "values", "outside"], rows, css="loss-inputs") + "\n"
    others = []
    for flag in formula_flags(info):
        changed = verify.domains_of(info, {flag.name: not flag.default})
        others += [
            f"With ``{flag.name}={not flag.default}``, ``{item.name}`` holds {new.meaning}."
            for item, old, new in zip(info.inputs, domains, changed, strict=True)
            if new.name != old.name
        ]
    for item in verify.own_parameters(info):
        if isinstance(item, Real):
            for value in (*item.examples, *item.also):
                changed = verify.domains_of(info, {item.name: value})
                others += [
                    f"With ``{item.name}={value:g}``, ``{entry.name}`` holds {new.meaning}."
                    for entry, old, new in zip(info.inputs, domains, changed, strict=True)
                    if new.name != old.name
                ]
    if others:
        text += " ".join(dict.fromkeys(others)) + "\n\n"
    text += "Types, and NaN: :doc:`/conventions`.\n"
    return text


def formula_section(info: LossInfo, formulas: list[Formula]) -> str:
    first, *others = formulas
    value = math(rf"L = {first.latex(first.value)}")
    parts = [heading("Formula"), "The value of one element:\n", value, symbols(first), derivatives(first)]
    default = _default_texts(first)
    shown = [formula for formula in others if _changed_flags(info, formula) == 1]
    if shown:
        parts.append(f"That is {_setting_text(first)}, the default.\n")
    for formula in shown:
        body = math(rf"L = {formula.latex(formula.value)}")
        if _default_texts(formula) == default:
            body += "\nGradient and Hessian stay as they are.\n"
        else:
            body += "\n" + derivatives(formula)
        parts.append(f".. rubric:: With {_setting_text(formula, only_changed=True)}\n")
        parts.append(body)
    return "\n".join(parts)


def _changed_flags(info: LossInfo, formula: Formula) -> int:
    return sum(value != info.parameter(name).default for name, value in formula.flags.items())


def _setting_text(formula: Formula, only_changed: bool = False) -> str:
    flags = formula.flags.items()
    if only_changed:
        flags = [(name, value) for name, value in flags if value != formula.info.parameter(name).default]
    return ", ".join(f"``{name}={value}``" for name, value in flags)


def _default_texts(formula: Formula) -> list[str]:
    info = formula.info
    texts = [formula.latex(formula.derivative(name)) for name in info.default_wrt]
    if info.has_hessian:
        texts += [formula.latex(formula.derivative(name, name)) for name in info.default_wrt]
    return texts


def symbols(formula: Formula) -> str:
    info = formula.info
    words, cases = [], []
    for symbol in formula.symbols:
        tex = formula.tex_of(symbol)
        if symbol in formula.abbreviations and formula.abbreviations[symbol].has(sympy.Piecewise):
            cases.append(math(f"{tex} = {formula.latex(formula.abbreviations[symbol])}"))
        elif symbol in formula.abbreviations:
            words.append(f":math:`{tex} = {formula.latex(formula.abbreviations[symbol])}`")
        else:
            source = info.symbols.get(symbol.name, symbol.name)
            default = ""
            if source in info.parameter_names and isinstance(info.parameter(source), Array):
                default = " (1 when it is None)"
            words.append(f":math:`{tex}` is ``{source}``{default}")
    text = "Here " + ", ".join(words)
    latex = formula.latex(formula.value)
    if r"\sigma" in latex or "softplus" in latex:
        text += r", :math:`\sigma(z) = 1/(1 + e^{-z})` and :math:`\operatorname{softplus}(z) = \log(1 + e^z)`"
    if cases:
        text += ", and\n\n" + "\n".join(cases)
        return text
    return text + ".\n"


def derivatives(formula: Formula) -> str:
    info = formula.info
    letters = {value: formula.tex_of(next(s for s in formula.symbols if s.name == key)) for key, value in
               formula.inputs.items()}  # fmt: skip
    parts = []
    for order, names, title in (
        (1, info.differentiable, "Gradient"),
        (2, info.default_wrt if info.has_hessian else (), "Diagonal of the Hessian"),
    ):
        if not names:
            parts.append("There is no Hessian: ``value_grad_hess`` is not offered.\n")
            continue
        parts.append(f"{title}:\n")
        opposite = _opposite(formula, names) if order == 1 else ()
        for name in names:
            tex = formula.latex(formula.derivative(*[name] * order))
            power = "" if order == 1 else "^2"
            left = rf"\frac{{\partial{power} L}}{{\partial {letters[name]}{power}}}"
            if name in opposite:
                tex = rf"-\frac{{\partial L}}{{\partial {letters[names[0]]}}}"
            if len(tex) > LONGEST_LATEX:
                parts.append(
                    f"For ``{name}`` it is too long to help a reader; it is taken from the formula and compared with "
                    "the kernel like the others.\n"
                )
            else:
                parts.append(math(f"{left} = {tex}"))
    if formula.guards():
        parts.append(
            "Derivatives hold while the floors inside :math:`\\max` are inactive; the notes say what happens beyond.\n"
        )
    return "\n".join(parts)


def _opposite(formula: Formula, names: Sequence[str]) -> list[str]:
    """Return the inputs whose derivative is minus that of the first: those of a loss of a difference."""
    first = formula.derivative(names[0])
    return [name for name in names[1:] if sympy.simplify(first + formula.derivative(name)) == 0]


def reductions(info: LossInfo, measured: list[verify.ReductionRow]) -> str:
    situations = {
        "plain": "no weights",
        "weight": "``weight``",
        "sample_weight": "``sample_weight``",
        "where": "``where``",
    }
    rows = [
        [f'``"{row.mode}"``', *(f"÷ {row.divisors[key]:g}" for key in situations), str(row.empty), str(row.masked)]
        for row in measured
    ]
    text = heading("Reductions") + "\n"
    axis = " The mean over the last axis is taken first." if info.averages_last_axis else ""
    text += (
        "Divisors of a 2 × 2 batch; weights ``[[1, 2], [3, 4]]``, sample weights ``[1, 3]``, a mask without one "
        f"element.{axis}\n\n"
    )
    text += table(["reduction", *situations.values(), "empty batch", "all masked"], rows, css="loss-reductions") + "\n"
    each = "one value for each row" if info.averages_last_axis else "one value for each element"
    text += f'``"none"`` gives {each}, 0 where the mask is False.\n'
    if info.mean_divisor == "weight":
        text += '\nAs in PyTorch, ``"mean"`` divides by the sum of ``weight`` when it is given.\n'
    return text


def figure(info: LossInfo, formula: Formula) -> tuple[str, str]:
    """Return the picture, and its numbers as a section."""
    drawn = curves.figure_of(info, formula)
    header = [drawn.axis, *(f"{curve.label or 'value; gradient'}" for curve in drawn.curves)]
    with_numbers = table(header, drawn.rows())
    picture = f".. raw:: html\n\n{indent(drawn.html(info.name))}\n"
    return picture, heading("Numbers of the picture (value; gradient)") + "\n" + with_numbers
