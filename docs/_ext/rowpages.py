"""The parts of a page that differ for row losses: inputs, formula, reductions, picture."""

from __future__ import annotations

import rowfigures
import rowlosses
from rst import escape, heading, indent, link, table
from verify import ReductionRow

from losslib.registry import REAL, LossInfo

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
    text += (
        "Types: float32 and float64 are computed as they are, float16 and bfloat16 in float32; integers, booleans and "
        "lists become float64."
    )
    if rowlosses.target_kind(info) in ("indices", "lists"):
        text += " Class indices may be of any integer type, and are checked with ``check=False`` too."
    return text + " NaN is legal in every floating-point input and touches no other row.\n"


def _shape_and_values(info: LossInfo, place: int) -> tuple[str, str]:
    item = info.inputs[place]
    kind = rowlosses.target_kind(info)
    first = info.inputs[0].name
    if place == 0:
        return SHAPES[info.geometry][0], item.domain.meaning
    if item.name == "target" and kind == "indices":
        shape = f"as ``{first}`` without the class axis"
        values = "integers from 0 to C − 1"
        if "ignore_index" in info.parameter_names:
            values += ", or ``ignore_index``"
        if rowlosses.takes_probabilities(info):
            return f"{shape}; probabilities: as ``{first}``", f"{values}; or probabilities in [0, 1]"
        return shape, values
    if item.name == "target" and kind == "lists":
        return f"as ``{first}``", "integers from 0 to C − 1, and −1 after the last"
    if item.name == "target" and kind == "labels":
        return "one for each row", item.domain.meaning
    return f"as ``{first}``", item.domain.meaning if item.domain is not REAL else "any real number"


def formula_section(info: LossInfo) -> str:
    """Return the formula as it is declared: it speaks of whole rows, which is more than the build can derive from."""
    known = {letter: name for letter, name in info.symbols.items() if letter != name}
    here = [] if rowlosses.target_kind(info) == "logits" else [f"{k} is ``{name}``" for k, name in known.items()]
    here += [meaning for used, meaning in _letters(info) if any(word in info.formula for word in used)]
    text = info.formula.replace(", d(u, v) = ", "\nd(u, v) = ")  # the definition on a line of its own
    hessian = (
        "``value_grad_hess`` adds the diagonal of the Hessian."
        if info.has_hessian
        else "There is no Hessian: ``value_grad_hess`` is not offered."
    )
    return "\n".join(
        [
            heading("Formula"),
            "The value of one row:\n",
            f".. code-block:: text\n   :class: loss-formula\n\n{indent(text)}\n",
            f"Here {', '.join(here)}.\n",
            "This formula is written for readers. Values and gradients are compared with independent references by the "
            "project's tests, not by the build of this page; the build compares each gradient with differences of the "
            f"values. {hessian}\n",
        ]
    )


def _letters(info: LossInfo) -> list[tuple[tuple[str, ...], str]]:
    """Return what the letters of the formulas mean, each with the words by which a formula is seen to use it."""
    if info.geometry == "distance":
        letters = [
            (("cos(",), "cos(u, v) is the cosine of the angle between two vectors"),
            (("norm(",), "norm(u) is the Euclidean norm"),
        ]
        if "distance" in info.parameter_names:
            letters.append((("d(",), "d(u, v) is the distance that is named"))
        else:
            letters.append((("sum_j",), "j runs over the components"))
        return letters
    letters = [(("_c",), "c runs over the C classes")]
    if rowlosses.target_kind(info) == "logits":
        letters += [
            (("x", "p_c"), "x are the logits of the student and t those of the teacher"),
            (("p_c",), "p is softmax(x) and q is softmax(t)"),
        ]
    elif info.name in rowfigures.OWN_PROBABILITIES:
        letters.append((("p_c", "tau"), "and the other letters are those of the text above"))
    else:
        letters.append((("p_c", "p_t"), "p is softmax(x)"))
    letters.append((("lse(",), "lse(x) is the logarithm of the sum of the exponentials"))
    if rowlosses.takes_probabilities(info):
        letters.append(
            (("t_c",), "and an index as target stands for the row t that is 1 at this class and 0 elsewhere")
        )
    return letters


def reductions(info: LossInfo, measured: list[ReductionRow]) -> str:
    columns = list(rowlosses.situations(info))
    rows = [
        [f'``"{row.mode}"``', *(f"÷ {row.divisors[key]:g}" for key in columns), str(row.empty), str(row.masked)]
        for row in measured
    ]
    weight = rowlosses.class_weight_name(info)
    given = ["the sample weights ``[1, 3, 1, 1]``", "a mask that leaves out one row"]
    if weight is not None:
        given.insert(0, f"the class weights ``{weight}=[1, 2, 4]`` for the targets 0, 2, 1, 0")
    if "ignore_index" in info.parameter_names:
        given.append("one target that is ignored")
    text = heading("Reductions") + "\n"
    text += (
        f"What the sum is divided by, measured on 4 rows with {', '.join(given[:-1])} and {given[-1]}; and the "
        "value of a batch without rows, and of one that is masked altogether.\n\n"
    )
    text += table(["reduction", *columns, "empty batch", "all masked"], rows, css="loss-reductions") + "\n"
    what = SHAPES[info.geometry][1]
    text += f'{what}; ``"none"`` gives one value for each, 0 where the mask is False.'
    text += " ``sample_weight`` and ``where`` have one entry for each row.\n"
    if info.mean_divisor == "weight":
        text += '\nAs in PyTorch, ``"mean"`` divides by the sum of the weights of the target classes.\n'
    if "empty" in info.parameter_names:
        text += '\nWith ``empty="zero"`` a mean over no rows is 0 instead of NaN.\n'
    return text


def figure(info: LossInfo) -> str:
    drawn, gradient = rowfigures.figure_of(info)
    header = [drawn.axis, *(f"{curve.label or 'value; gradient'}" for curve in drawn.curves)]
    return "\n".join(
        [
            heading("Picture"),
            ".. raw:: html\n",
            indent(drawn.html(info.name)) + "\n",
            f"The gradient shown is {gradient}.\n",
            ".. dropdown:: Numbers of the picture (value; gradient)\n",
            indent(table(header, drawn.rows())) + "\n",
        ]
    )
