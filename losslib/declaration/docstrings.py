"""Signatures and numpydoc docstrings of functions and classes, written from a declaration."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from losslib.declaration import modes
from losslib.declaration.letters import definition_lines
from losslib.declaration.schema import Choice, Input, LossInfo, Parameter, Real

__all__ = ["call_signature", "class_docstring", "class_signature", "function_docstring", "function_signature"]

# ---- signatures ------------------------------------------------------------------------------------------------


def _parameter(item: Parameter, kind: Any) -> inspect.Parameter:
    return inspect.Parameter(item.name, kind, default=item.default)


def _input(item: Input) -> inspect.Parameter:
    default = item.default if item.optional else inspect.Parameter.empty
    return inspect.Parameter(item.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)


def class_signature(info: LossInfo) -> inspect.Signature:
    """Return the signature of the class: its parameters as keywords."""
    return inspect.Signature([_parameter(item, inspect.Parameter.KEYWORD_ONLY) for item in info.parameters])


def call_signature(info: LossInfo) -> inspect.Signature:
    """Return the signature of a call of an object: the inputs, and what belongs to a call."""
    listed = [_input(item) for item in info.inputs]
    options = modes.ARGUMENTS[modes.VALUE]
    return inspect.Signature(
        listed + [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in options]
    )


def function_signature(info: LossInfo, mode: int) -> inspect.Signature:
    """Return the signature of the function or of one of its derivatives."""
    listed = [_input(item) for item in info.inputs]
    listed += [_parameter(item, inspect.Parameter.KEYWORD_ONLY) for item in info.parameters]
    listed += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in modes.ARGUMENTS[mode]]
    return inspect.Signature(listed)


# ---- docstrings ------------------------------------------------------------------------------------------------

#: Texts of what a call takes beside inputs and parameters: name -> (type, default, meaning).
CALL_TEXTS: dict[str, tuple[str, str]] = {
    "sample_weight": (
        "array_like, optional",
        "One weight for each sample (first axis) or each element; multiplies value, gradient and Hessian. With "
        '``reduction="mean"`` the denominator stays what it was; ``"weighted_mean"`` divides by the sum of weights.',
    ),
    "where": (
        "array_like of bool, optional",
        "Elements to count. Where it is False the value is 0 and the gradient exactly 0, the input is never looked at "
        "(it may be NaN), and ``mean`` does not count it.",
    ),
    "out": (
        "ndarray or tuple of ndarray, optional",
        'Where to write: the values when ``reduction="none"``; for derivatives the gradient (and Hessian). Exact dtype '
        "and shape are required; it may be an input array, which is then overwritten.",
    ),
    "grad_output": (
        "float or array_like, optional",
        "Upstream gradient that multiplies the result: a number for a reduced value, an array of the shape of the "
        'values for ``reduction="none"``.',
    ),
    "wrt": (
        "str or tuple of str, optional",
        "Names of the inputs to differentiate. One name gives an array, several give a tuple.",
    ),
}

_MODE_SUMMARIES = (
    "",
    "Return the gradient of the loss: {summary}",
    "Return the loss and its gradient, computed in one pass: {summary}",
    "Return the loss, its gradient and the diagonal of its Hessian in one pass: {summary}",
)


def function_docstring(info: LossInfo, mode: int) -> str:
    """Return the numpydoc docstring of a function, written from the declaration."""
    summary = info.summary
    if mode == modes.VALUE_GRAD_HESS and not info.has_hessian:
        return _fill(f"Raise ParameterError: {info.name} offers no Hessian, see its notes.") + "\n"
    if mode:
        summary = _MODE_SUMMARIES[mode].format(summary=info.summary[0].lower() + info.summary[1:])
    parts = [_fill(summary)]
    if mode == modes.VALUE and info.description:
        parts.append(_paragraphs(info.description))
    entries = [_input_entry(info, k) for k in range(len(info.inputs))]
    entries += [_parameter_entry(item) for item in info.parameters]
    entries += [_call_entry(info, name) for name in modes.ARGUMENTS[mode]]
    parts.append(_section("Parameters", "\n".join(entries)))
    parts.append(_section("Returns", _returns(info, mode)))
    parts.append(_section("Raises", _raises(info)))
    if mode == modes.VALUE:
        parts += _closing_sections(info)
    return "\n\n".join(parts) + "\n"


def class_docstring(info: LossInfo) -> str:
    """Return the numpydoc docstring of a class, written from the declaration."""
    parts = [_fill(info.summary)]
    if info.description:
        parts.append(_paragraphs(info.description))
    names = ", ".join(info.input_names)
    derivatives = ("grad", "value_and_grad", "value_grad_hess") if info.has_hessian else ("grad", "value_and_grad")
    methods = " and ".join(f"``{name}``" for name in derivatives[-2:])
    methods = "".join(f"``{name}``, " for name in derivatives[:-2]) + methods
    parts.append(
        _fill(
            f"An object holds the parameters, checked once; call it with ``({names})`` for the value, or use its "
            f"methods {methods}."
        )
    )
    parts.append(_section("Parameters", "\n".join(_parameter_entry(item) for item in info.parameters)))
    parts.append(_section("Raises", "ParameterError\n    If a parameter is outside its range."))
    parts += _closing_sections(info)
    return "\n\n".join(parts) + "\n"


def _closing_sections(info: LossInfo) -> list[str]:
    parts = []
    if info.see_also:
        parts.append(
            _section("See Also", "\n".join(f"{name} : {_fill(text, 4).strip()}" for name, text in info.see_also))
        )
    what = f"an {info.per}" if info.per[0] in "aeiou" else f"a {info.per}"
    notes = []
    if info.formula:
        lines = [info.formula, *definition_lines(info.definitions)]
        notes.append(f"The value of {what} is\n\n.. code-block:: text\n\n    " + "\n    ".join(lines))
    if info.notes:
        notes.append(_paragraphs(info.notes))
    if notes:
        parts.append(_section("Notes", "\n\n".join(notes)))
    if info.references:
        lines = [
            _fill(
                f".. [{k}] {ref.text}" + (f" doi:{ref.doi}" if ref.doi else f" {ref.url}" if ref.url else ""),
                3,
            ).strip()
            for k, ref in enumerate(info.references, 1)
        ]
        parts.append(_section("References", "\n".join(lines)))
    if info.examples:
        parts.append(_section("Examples", textwrap.dedent(info.examples).strip()))
    return parts


def _section(title: str, body: str) -> str:
    return f"{title}\n{'-' * len(title)}\n{body}"


def _fill(text: str, indent: int = 0) -> str:
    return textwrap.fill(
        " ".join(text.split()),
        100,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _paragraphs(text: str) -> str:
    return "\n\n".join(_fill(part) for part in textwrap.dedent(text).strip().split("\n\n"))


def _input_entry(info: LossInfo, k: int) -> str:
    item = info.inputs[k]
    if info.per != "element":  # shapes of rows differ by loss: its own text states them
        domain = f" Must hold {item.domain.meaning}." if item.domain.code else ""
        kind = "array_like, optional" if item.optional else "array_like"
        return f"{item.name} : {kind}\n{_fill(item.meaning.rstrip('.') + '.' + domain, 4)}"
    if k == 0:
        shape = "any shape"
    elif item.broadcasts:
        shape = f"the shape of `{info.inputs[0].name}`, or without its last axis, or a number"
    else:
        shape = f"the shape of `{info.inputs[0].name}`, or a number"
    text = f"{item.meaning.rstrip('.')}. Of {shape}; {item.domain.meaning}."
    return f"{item.name} : array_like\n{_fill(text, 4)}"


def _parameter_entry(item: Parameter) -> str:
    kind = item.kind
    if isinstance(item, Choice):
        kind = "{" + ", ".join(f'"{choice}"' for choice in item.choices) + "}"
    if item.default is not None:
        kind += f", default {item.default!r}"
    text = item.meaning
    if isinstance(item, Real):
        text = f"{text.rstrip('.')}. Must be {item.range_text}."
    return f"{item.name} : {kind}\n{_fill(text, 4)}"


def _call_entry(info: LossInfo, name: str) -> str:
    kind, text = CALL_TEXTS[name]
    if info.per == "list":
        text = text.replace("Elements to count.", "Items to count, or lists along the last axis.").replace(
            "One weight for each sample (first axis) or each element", "One weight for each list, or for each item"
        )
    elif info.per != "element":
        text = text.replace("Elements to count.", "Samples to count.").replace(
            "One weight for each sample (first axis) or each element", "One weight for each sample"
        )
    if name == "wrt":
        default = ", ".join(f'"{item}"' for item in info.default_wrt)
        offered = ", ".join(f'"{item}"' for item in info.differentiable)
        text += f" Offered: {offered}; default: {default}."
    return f"{name} : {kind}\n{_fill(text, 4)}"


def _returns(info: LossInfo, mode: int) -> str:
    value = "value : float or ndarray\n" + _fill(
        'The reduced value, accumulated in float64; an array of the dtype of the input with ``reduction="none"``.',
        4,
    )
    several = len(info.default_wrt) > 1
    kind = "tuple of ndarray" if several else "ndarray"
    of = " and ".join(f"`{name}`" for name in info.default_wrt)
    grad = f"grad : {kind}\n" + _fill(
        f"Derivative of the value with respect to {of} (or to `wrt`), of its shape and dtype.", 4
    )
    hess = f"hess : {kind}\n" + _fill(
        "Second derivative of the value with respect to each element, of the same shape.", 4
    )
    return "\n".join(((value,), (grad,), (value, grad), (value, grad, hess))[mode])


def _raises(info: LossInfo) -> str:
    lines = [
        "ShapeError, DTypeError, ParameterError\n"
        "    If arguments do not fit together or a parameter is outside its range."
    ]
    if any(item.domain.code for item in info.inputs) or info.input_domains is not None:
        lines.append("DomainError\n    If an input holds a value outside its domain and `check` is true.")
    if any(item.indices for item in info.inputs):
        lines.append("DomainError\n    If a class or a length is out of range, with ``check=False`` too.")
    return "\n".join(lines)
