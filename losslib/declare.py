"""From a declaration to the function and the class that users see.

``pointwise(...)`` takes the fields of ``LossInfo``, adds the parameters that every loss has, makes the class and the
function object with their signatures and numpydoc docstrings, and enters both in the registry.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from losslib import calls, checks, registry
from losslib._kernels.loss import Entry, Loss
from losslib.registry import Array, Choice, Flag, LossInfo, Parameter, Real

__all__ = ["DerivativeFunction", "LossFunction", "declare", "pointwise"]

WEIGHT = Array(
    "weight",
    None,
    "Weight of each element; broadcasts against the input and multiplies value, gradient and Hessian.",
)
CHECK = Flag(
    "check",
    True,
    "Check that the values of the inputs lie in their domains. ``False`` computes what the formula gives; it never "
    "skips a check that memory safety needs.",
)

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

_REDUCTION_TEXTS = {
    "mean": "the sum divided by the number of elements",
    "sum": "the sum",
    "none": "no reduction: one value for each element",
    "weighted_mean": "the weighted sum divided by the sum of the weights",
    "batchmean": "the sum divided by the length of the first axis",
}


def reduction_parameter(geometry: str, info_reductions: tuple[str, ...], mean_divisor: str, averages: bool) -> Choice:
    """Return the ``reduction`` parameter of a loss, with the denominators in words."""
    texts = dict(_REDUCTION_TEXTS)
    if geometry != "pointwise":
        texts["mean"] = "the sum divided by the number of samples that count"
        texts["none"] = "no reduction: one value for each sample"
        if mean_divisor == "weight":
            texts["mean"] += ", or by the sum of the weights of their classes when ``weight`` is given"
        elif mean_divisor == "target_length":
            texts["mean"] = "each value divided by the length of its target (at least 1), then the mean over samples"
            texts["weighted_mean"] = "the same with the weighted mean over samples"
    elif mean_divisor == "weight":
        texts["mean"] += ", or by the sum of ``weight`` when it is given"
    if averages:
        texts["none"] = "no reduction: one value for each row, the mean over the last axis"
        texts["sum"] = "the sum of the row means"
    words = "; ".join(f'``"{name}"``: {texts[name]}' for name in info_reductions)
    return Choice("reduction", "mean", f"{words[0].upper() + words[1:]}.", choices=info_reductions)


class _Written:
    """An attribute of a class that is written when it is first asked for: docstrings are not made at import."""

    def __init__(self, write: Callable[[Any, Any], Any]) -> None:
        self.write = write

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self.write(instance, owner)


def _function_doc(instance: Any, owner: Any) -> str:
    if instance is None:
        return "A loss as a function, or one of its derivatives, with the parameters as keywords."
    return function_docstring(instance.info, instance._mode)


class DerivativeFunction(Entry):
    __doc__ = _Written(_function_doc)
    __name__: str
    __qualname__: str
    _mode: int

    def __init__(self, loss_class: type[Loss], mode: int) -> None:
        info: LossInfo = loss_class.info
        self.__module__ = "losslib"
        self.__qualname__ = info.name + calls.MODE_NAMES[mode]
        self.__name__ = self.__qualname__.rpartition(".")[2]
        self._mode = mode

    @property
    def __signature__(self) -> inspect.Signature:
        return function_signature(self.info, self._mode)

    def __repr__(self) -> str:
        return f"<function losslib.{self.__qualname__}>"

    def __reduce__(self) -> Any:
        return getattr, (registry.function_of(self.info.name), self.__name__)


class LossFunction(DerivativeFunction):
    __doc__ = _Written(_function_doc)
    grad: DerivativeFunction
    value_and_grad: DerivativeFunction
    value_grad_hess: DerivativeFunction

    def __init__(self, loss_class: type[Loss]) -> None:
        super().__init__(loss_class, calls.VALUE)
        self.grad = DerivativeFunction(loss_class, calls.GRAD)
        self.value_and_grad = DerivativeFunction(loss_class, calls.VALUE_AND_GRAD)
        self.value_grad_hess = DerivativeFunction(loss_class, calls.VALUE_GRAD_HESS)

    def __reduce__(self) -> Any:
        return self.__qualname__  # pickled by name, as functions are


def pointwise(name: str, class_name: str, **fields: Any) -> tuple[LossFunction, type[Loss]]:
    """Declare a loss of the pointwise geometry; return its function and its class."""
    return declare("pointwise", name, class_name, **fields)


def declare(geometry: str, name: str, class_name: str, **fields: Any) -> tuple[LossFunction, type[Loss]]:
    """Declare a loss; return its function and its class.

    Parameters
    ----------
    geometry : str
        What answers its calls (`losslib.calls.GEOMETRIES`). Pointwise losses get a ``weight`` of each element; others
        declare the weight that they have.
    name, class_name : str
        The public names.
    **fields
        The other fields of `losslib.registry.LossInfo`.
    """
    own: tuple[Parameter, ...] = tuple(fields.pop("parameters", ()))
    reductions = fields.get("reductions", LossInfo.__dataclass_fields__["reductions"].default)
    reduction = reduction_parameter(
        geometry, reductions, fields.get("mean_divisor", "count"), fields.get("averages_last_axis", False)
    )
    weight = () if geometry != "pointwise" else (WEIGHT,)
    info = LossInfo(
        name=name,
        class_name=class_name,
        geometry=geometry,
        parameters=(*own, *weight, reduction, CHECK),
        **fields,
    )
    loss_class = make_class(info)
    function = LossFunction(loss_class)
    registry.add(info, function, loss_class)
    return function, loss_class


def make_class(info: LossInfo) -> type[Loss]:
    """Make the public class of a loss."""
    members = {
        "info": info,
        "__module__": "losslib",
        "__qualname__": info.class_name,
        "__slots__": (),
        "__doc__": _Written(lambda instance, owner: class_docstring(info)),
        "__repr__": _repr,
        "__signature__": _Written(
            lambda instance, owner: class_signature(info) if instance is None else call_signature(info)
        ),
        **{item.name: _attribute(item) for item in info.parameters},
    }
    return type(info.class_name, (Loss,), members)


def _attribute(item: Parameter) -> property:
    def read(self: Loss) -> Any:
        return self._values[item.name]

    return property(read, doc=item.meaning)


def _repr(self: Loss) -> str:
    return f"{type(self).__name__}({checks.class_arguments(self.parameters, self.info)})"


# ---- signatures ------------------------------------------------------------------------------------------------


def _parameter(item: Parameter, kind: Any) -> inspect.Parameter:
    return inspect.Parameter(item.name, kind, default=item.default)


def class_signature(info: LossInfo) -> inspect.Signature:
    """Return the signature of the class: its parameters as keywords."""
    return inspect.Signature([_parameter(item, inspect.Parameter.KEYWORD_ONLY) for item in info.parameters])


def call_signature(info: LossInfo) -> inspect.Signature:
    """Return the signature of a call of an object: the inputs, and what belongs to a call."""
    listed = [inspect.Parameter(item.name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for item in info.inputs]
    options = calls.ARGUMENTS[calls.VALUE]
    return inspect.Signature(
        listed + [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in options]
    )


def function_signature(info: LossInfo, mode: int) -> inspect.Signature:
    """Return the signature of the function or of one of its derivatives."""
    listed = [inspect.Parameter(item.name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for item in info.inputs]
    listed += [_parameter(item, inspect.Parameter.KEYWORD_ONLY) for item in info.parameters]
    listed += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in calls.ARGUMENTS[mode]]
    return inspect.Signature(listed)


# ---- docstrings ------------------------------------------------------------------------------------------------

_MODE_SUMMARIES = (
    "",
    "Return the gradient of the loss: {summary}",
    "Return the loss and its gradient, computed in one pass: {summary}",
    "Return the loss, its gradient and the diagonal of its Hessian in one pass: {summary}",
)


def function_docstring(info: LossInfo, mode: int) -> str:
    """Return the numpydoc docstring of a function, written from the declaration."""
    summary = info.summary
    if mode == calls.VALUE_GRAD_HESS and not info.has_hessian:
        return _fill(f"Raise ParameterError: {info.name} offers no Hessian, see its notes.") + "\n"
    if mode:
        summary = _MODE_SUMMARIES[mode].format(summary=info.summary[0].lower() + info.summary[1:])
    parts = [_fill(summary)]
    if mode == calls.VALUE and info.description:
        parts.append(_paragraphs(info.description))
    entries = [_input_entry(info, k) for k in range(len(info.inputs))]
    entries += [_parameter_entry(item) for item in info.parameters]
    entries += [_call_entry(info, name) for name in calls.ARGUMENTS[mode]]
    parts.append(_section("Parameters", "\n".join(entries)))
    parts.append(_section("Returns", _returns(info, mode)))
    parts.append(_section("Raises", _raises(info)))
    if mode == calls.VALUE:
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
    what = "an element" if info.geometry == "pointwise" else "a sample"
    notes = [f"The value of {what} is\n\n.. code-block:: text\n\n    {info.formula}"] if info.formula else []
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
    if info.geometry != "pointwise":  # shapes of rows differ by loss: its own text states them
        domain = f" Must hold {item.domain.meaning}." if item.domain.code else ""
        return f"{item.name} : array_like\n{_fill(item.meaning.rstrip('.') + '.' + domain, 4)}"
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
    if info.geometry != "pointwise":
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
