"""From a declaration to the function and the class that users see.

``pointwise(...)`` takes the fields of ``LossInfo``, adds the parameters that every loss has, makes the class and the
function object with their signatures and numpydoc docstrings, and enters both in the registry.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from losslib._kernels.loss import Loss, LossCallable
from losslib.call import answer as _answer  # noqa: F401  # connects the compiled objects with it
from losslib.call import parameters
from losslib.declaration import modes, registry
from losslib.declaration.docstrings import (
    call_signature,
    class_docstring,
    class_signature,
    function_docstring,
    function_signature,
)
from losslib.declaration.schema import Array, Choice, Flag, LossInfo, Parameter

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

#: The words of `LossInfo.per` whose plural is not regular.
PLURALS = {"box": "boxes", "class": "classes", "batch": "batches"}

_REDUCTION_TEXTS = {
    "mean": "the sum divided by the number of elements",
    "sum": "the sum",
    "none": "no reduction: one value for each element",
    "weighted_mean": "the weighted sum divided by the sum of the weights",
    "batchmean": "the sum divided by the length of the first axis",
}


def reduction_parameter(per: str, info_reductions: tuple[str, ...], mean_divisor: str, averages: bool) -> Choice:
    """Return the ``reduction`` parameter of a loss, with the denominators in words."""
    texts = dict(_REDUCTION_TEXTS)
    if per != "element":
        texts["mean"] = f"the sum divided by the number of {PLURALS.get(per, per + 's')} that count"
        if mean_divisor == "pairs":
            texts["mean"] = "the sum divided by the number of pairs that are compared"
            texts["weighted_mean"] = "the weighted sum divided by the sum of the weights of all pairs"
        elif mean_divisor == "item weights":
            texts["mean"] = "the sum divided by the number of items, or the sum of their weights"
        texts["none"] = f"no reduction: one value for each {per}"
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


class DerivativeFunction(LossCallable):
    __doc__ = _Written(_function_doc)
    __name__: str
    __qualname__: str
    _mode: int

    def __init__(self, loss_class: type[Loss], mode: int) -> None:
        info: LossInfo = loss_class.info
        self.__module__ = "losslib"
        self.__qualname__ = info.name + modes.MODE_NAMES[mode]
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
        super().__init__(loss_class, modes.VALUE)
        self.grad = DerivativeFunction(loss_class, modes.GRAD)
        self.value_and_grad = DerivativeFunction(loss_class, modes.VALUE_AND_GRAD)
        self.value_grad_hess = DerivativeFunction(loss_class, modes.VALUE_GRAD_HESS)

    def __reduce__(self) -> Any:
        return self.__qualname__  # pickled by name, as functions are


def pointwise(name: str, class_name: str, **fields: Any) -> tuple[LossFunction, type[Loss]]:
    """Declare a loss of the pointwise geometry; return its function and its class."""
    return declare("pointwise", name, class_name, per="element", **fields)


def declare(geometry: str, name: str, class_name: str, **fields: Any) -> tuple[LossFunction, type[Loss]]:
    """Declare a loss; return its function and its class.

    Parameters
    ----------
    geometry : str
        What answers its calls (a module of `losslib.geometries`). Pointwise losses get a ``weight`` of each element;
        others declare the weight that they have.
    name, class_name : str
        The public names.
    **fields
        The other fields of `losslib.declaration.schema.LossInfo`.
    """
    own: tuple[Parameter, ...] = tuple(fields.pop("parameters", ()))
    reductions = fields.get("reductions", LossInfo.__dataclass_fields__["reductions"].default)
    per: str = fields.get("per", LossInfo.per)
    reduction = reduction_parameter(
        per, reductions, fields.get("mean_divisor", "count"), fields.get("averages_last_axis", False)
    )
    weight = (WEIGHT,) if per == "element" else ()
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


def make_class(info: LossInfo, base: type[Loss] = Loss, **members: Any) -> type[Loss]:
    """Make the public class of a loss: a subclass of `base`, with further members."""
    members = {
        "info": info,
        "__module__": "losslib",
        "__qualname__": info.class_name,
        "__slots__": (),
        "__doc__": _Written(lambda instance, owner: class_docstring(info)),
        **({"__repr__": _repr} if base is Loss else {}),
        "__signature__": _Written(
            lambda instance, owner: class_signature(info) if instance is None else call_signature(info)
        ),
        **{item.name: _attribute(item) for item in info.parameters},
        **members,
    }
    return type(info.class_name, (base,), members)


def _attribute(item: Parameter) -> property:
    def read(self: Loss) -> Any:
        return self._values[item.name]

    return property(read, doc=item.meaning)


def _repr(self: Loss) -> str:
    return f"{type(self).__name__}({parameters.class_arguments(self.parameters, self.info)})"
