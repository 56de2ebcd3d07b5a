"""The parts of a page that differ for row losses: inputs, formula, reductions, picture."""

from __future__ import annotations

import re
from collections.abc import Mapping

from losslib.declaration.schema import REAL, LossInfo
from losslib.formula.declared import letters_of
from losspages.checks import row_losses
from losspages.checks.verify import ReductionRow
from losspages.formulas.row_latex import by_word, definitions, latex, letter, printed_texts
from losspages.pictures import row_curves
from losspages.rst import escape, heading, indent, link, math, table

#: Geometry -> shapes of the first input, and the sentence that says what a row is.
SHAPES = {
    "softmax": ("``(C,)``, ``(N, C)`` or ``(N, C, d1, …)``", "A row is the classes of one sample"),
    "margin": ("``(C,)`` or ``(N, C)``", "A row is the classes of one sample"),
    "distance": ("``(D,)``, ``(N, D)`` or more leading axes", "A row is one pair or triplet of vectors"),
}


def inputs_table(info: LossInfo, outside: list[str]) -> str:
    rows = []
    for place, item in enumerate(info.inputs):
        shape, values = _shape_and_values(info, place)
        message = f"``DomainError``: {escape(outside[place])}" if outside[place] else "no value is outside"
        rows.append([f"``{item.name}``", link(item.meaning, info.name), shape, values, message])
    text = heading("Inputs") + "\n"
    text += table(["input", "meaning", "shape", "values", "outside"], rows, css="loss-inputs") + "\n"
    text += "Types: :doc:`/conventions`."
    if row_losses.target_kind(info) in ("indices", "lists"):
        text += " Class indices may be of any integer type, and are checked with ``check=False`` too."
    return text + " NaN is legal in every floating-point input and touches no other row.\n"


def _shape_and_values(info: LossInfo, place: int) -> tuple[str, str]:
    item = info.inputs[place]
    kind = row_losses.target_kind(info)
    first = info.inputs[0].name
    if place == 0:
        return SHAPES[info.geometry][0], item.domain.meaning
    if item.name == "target" and kind == "indices":
        shape = f"as ``{first}`` without the class axis"
        values = "integers from 0 to C − 1"
        if "ignore_index" in info.parameter_names:
            values += ", or ``ignore_index``"
        if row_losses.takes_probabilities(info):
            return f"{shape}; probabilities: as ``{first}``", f"{values}; or probabilities in [0, 1]"
        return shape, values
    if item.name == "target" and kind == "lists":
        return f"as ``{first}``", "integers from 0 to C − 1, and −1 after the last"
    if item.name == "target" and kind == "labels":
        return "one for each row", item.domain.meaning
    return f"as ``{first}``", item.domain.meaning if item.domain is not REAL else "any real number"


def formula_section(info: LossInfo) -> str:
    """Print value, gradient and Hessian of one row from the texts that were compared with the kernel."""
    parts = [heading("Formula"), "The value of one row:\n", math(rf"L = {latex(info, info.formula)}")]
    words = by_word(info)
    if words:
        parts.append("with the distance that ``distance`` names:\n")
        parts += [f'``"{word}"``\n\n' + math(rf"d(u, v) = {latex(info, text)}") for word, text in words.items()]
    shown = list(definitions(info))
    if shown:
        aligned = r" \\[0.4em] ".join(shown)
        parts += ["with\n", math(rf"\begin{{aligned}} {aligned} \end{{aligned}}")]
    parts.append(f"Here {', '.join(_letters(info))}.\n")
    parts.append(_derivatives(info, "Gradient", info.gradient, 1))
    if info.has_hessian:
        parts.append(_derivatives(info, "Diagonal of the Hessian", info.hessian, 2))
    else:
        parts.append("There is no Hessian: ``value_grad_hess`` is not offered.\n")
    return "\n".join(parts)


def _derivatives(info: LossInfo, title: str, texts: Mapping[str, str], order: int) -> str:
    """Print the derivatives; where there is no text, say what the kernel was compared with instead."""
    power = "" if order == 1 else "^2"
    letters = letters_of(info)
    blocks = [
        math(rf"\frac{{\partial{power} L}}{{\partial {letter(letters[name])}_k{power}}} = {latex(info, texts[name])}")
        for name in info.default_wrt
        if name in texts
    ]
    if not blocks:
        return (
            f"{title}: it follows from the formula by the chain rule, with a case for each choice of the parameters. "
            "The build differentiates the formula above and compares the kernel with the result.\n"
        )
    return f"{title}, the entry ``k``:\n\n" + "\n".join(blocks)


def _letters(info: LossInfo) -> list[str]:
    """Return what the letters of the formula and of its gradient mean."""
    text = " ".join(text for text in (*printed_texts(info), *info.definitions.values()) if isinstance(text, str))
    words = []
    for symbol, name in info.symbols.items():
        if name in info.input_names or re.search(rf"\b{symbol}(_|\b)", text):
            words.append(f":math:`{letter(symbol)}` is ``{name}``")
    for name in info.parameter_names:
        if name not in info.symbols.values() and re.search(rf"\b{name}\b", text):
            words.append(f":math:`{letter(name)}` is ``{name}``")
    return words + [meaning for pattern, meaning in _meanings(info) if meaning and re.search(pattern, text)]


def _meanings(info: LossInfo) -> list[tuple[str, str]]:
    """Return patterns and what the letters that match them mean."""
    if info.geometry == "distance":
        return [
            (r"cos\(", r":math:`\cos(u, v) = u \cdot v / (\lVert u \rVert \, \lVert v \rVert)`"),
            (r"norm\(|cos\(", r":math:`\lVert u \rVert` is the Euclidean norm"),
            (r"sum_c", ":math:`c` runs over the components"),
            (r"sum_j", ":math:`j` runs over the components"),
        ]
    index = [(r"_c\b", ":math:`c` runs over the :math:`C` classes")]
    if row_losses.target_kind(info) == "lists":
        index.append((r"sum_j", ":math:`j` runs over the classes of the target"))
    one_hot = ":math:`t_c` is 1 at the target's class and 0 elsewhere"
    if "soft labels" in info.tags:
        one_hot += ", or the probability that the target gives the class"
    logits = row_losses.target_kind(info) == "logits"
    return [
        *index,
        (r"\bt_[ck]\b", "" if logits else one_hot),
        (r"lse\(", r":math:`\operatorname{lse}(x) = \log \sum_c e^{x_c}`"),
        (r"where\([^()]*, 1, 0\)", r":math:`\mathbf{1}[\cdot]` is 1 where the condition holds and 0 elsewhere"),
    ]


def reductions(info: LossInfo, measured: list[ReductionRow]) -> str:
    columns = list(row_losses.situations(info))
    rows = [
        [f'``"{row.mode}"``', *(f"÷ {row.divisors[key]:g}" for key in columns), str(row.empty), str(row.masked)]
        for row in measured
    ]
    weight = row_losses.class_weight_name(info)
    given = ["the sample weights ``[1, 3, 1, 1]``", "a mask that leaves out one row"]
    if weight is not None:
        given.insert(0, f"the class weights ``{weight}=[1, 2, 4]`` for the targets 0, 2, 1, 0")
    if "ignore_index" in info.parameter_names:
        given.append("one target that is ignored")
    text = heading("Reductions") + "\n"
    text += f"Divisors of 4 rows with {', '.join(given[:-1])} and {given[-1]}.\n\n"
    text += table(["reduction", *columns, "empty batch", "all masked"], rows, css="loss-reductions") + "\n"
    what = SHAPES[info.geometry][1]
    text += f'{what}; ``"none"`` gives one value for each, 0 where the mask is False.'
    text += " ``sample_weight`` and ``where`` have one entry for each row.\n"
    if info.mean_divisor == "weight":
        text += '\nAs in PyTorch, ``"mean"`` divides by the sum of the weights of the target classes.\n'
    if "empty" in info.parameter_names:
        text += '\nWith ``empty="zero"`` a mean over no rows is 0 instead of NaN.\n'
    return text


def figure(info: LossInfo) -> tuple[str, str]:
    """Return the picture, and its numbers as a section."""
    drawn, gradient = row_curves.figure_of(info)
    header = [drawn.axis, *(f"{curve.label or 'value; gradient'}" for curve in drawn.curves)]
    picture = f".. raw:: html\n\n{indent(drawn.html(info.name))}\n\nThe gradient shown is {gradient}.\n"
    return picture, heading("Numbers of the picture (value; gradient)") + "\n" + table(header, drawn.rows())
