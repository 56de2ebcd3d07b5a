"""From a name of another package and its parameters there to a losslib loss with the same numbers.

The order of the arguments stays losslib's: (input, target), whatever it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib._kernels.loss import Loss
from losslib.combine.peer_loss import PeerLoss
from losslib.declaration import registry
from losslib.declaration.schema import closest
from losslib.errors import ParameterError
from losslib.names.schema import REQUIRED, Binding, Case, Chooses, Only, Reduces, Takes
from losslib.names.tables import find, package, split

#: What is done over the axes of a row and then with the rows, where that is the reduction of all elements.
SAME = (("mean", "mean"), ("mean", "weighted_mean"), ("sum", "sum"))

__all__ = ["bind", "case_of", "get", "losses_of", "values_of", "write"]


def get(name: str, parameters: Mapping[str, Any]) -> Loss:
    """Return the loss that ``package:Name`` with these parameters is there."""
    parts = split(name)
    if parts is None:
        raise ParameterError(f"{name!r} has no package before it")
    key, spelling = parts
    return bind(key, find(key, spelling), parameters)


def bind(key: str, binding: Binding, given: Mapping[str, Any]) -> Loss:
    """Return the losslib loss of a binding, with the parameters of the other package.

    Raises
    ------
    TypeError
        If the function there has no such parameter.
    ParameterError
        If a parameter is missing, or these values have no exact counterpart: the message says what differs and what to
        write in its place.
    """
    owner = f"{key}:{binding.name}"
    values = values_of(key, binding, given)
    for name, parameter in binding.parameters.items():
        if isinstance(parameter, Only) and not _among(values[name], (parameter.default, *parameter.also)):
            raise ParameterError(
                f"{owner} with {name}={values[name]!r} has no exact counterpart in losslib: {parameter.reason}"
            )
    case = case_of(key, binding, values)
    if case.refused:
        raise ParameterError(f"{write(key, binding, given)} has no exact counterpart in losslib: {case.refused}")
    reduction = _reduction(key, binding, case, values)
    arguments = dict(case.sets)
    if case.makes is not None:
        try:
            arguments |= case.makes(values)
        except ParameterError as error:
            raise ParameterError(
                f"{write(key, binding, given)} has no exact counterpart in losslib: {error}"
            ) from error.__cause__
    for name, parameter in binding.parameters.items():
        if isinstance(parameter, Takes) and name not in case.without:
            value = values[name]
            ours = case.renames.get(name, parameter.to or name)
            arguments[ours] = value if parameter.convert is None else parameter.convert(value)
    return _build(case, arguments, arguments.pop("reduction", reduction))


def _build(case: Case, arguments: Mapping[str, Any], reduction: str) -> Loss:
    """Make the loss, its factor, and the frame of clips, logarithms and means over axes."""
    # A mean of means of equally many elements is their mean, and a sum of sums their sum: plain losses have both.
    rows = "" if (case.rows, reduction) in SAME else case.rows
    framed = bool(case.clip or case.log or rows)
    loss: Loss = registry.class_of(case.loss)(**{**arguments, "reduction": "none" if framed else reduction})
    if case.factor != 1.0:
        loss = case.factor * loss
    if not framed:
        return loss
    return PeerLoss(loss, clip=case.clip, log=case.log, rows=rows, axes=case.axes, reduction=reduction)


def values_of(key: str, binding: Binding, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters there with the defaults there; raise for one that it has not, or that is missing."""
    owner = f"{key}:{binding.name}"
    for name in given:
        if name not in binding.parameters:
            raise TypeError(f"{owner} has no parameter {name!r}{_advice(key, binding, name)}")
    values = {name: given.get(name, item.default) for name, item in binding.parameters.items()}
    for name, value in values.items():
        if value is REQUIRED:
            raise ParameterError(f"{owner} needs {name}; it has no default there")
    return values


def _advice(key: str, binding: Binding, name: str) -> str:
    """Say what the function there calls a parameter of losslib, and what it takes."""
    theirs = [
        theirs for theirs, item in binding.parameters.items() if isinstance(item, Takes) and (item.to or theirs) == name
    ]
    known = ", ".join(binding.parameters) or "no parameters"
    if theirs:
        return f": {package(key).title} calls it {theirs[0]!r}; it takes {known}"
    return f"{closest(name, binding.parameters)}; it takes {known}"


def case_of(key: str, binding: Binding, values: Mapping[str, Any]) -> Case:
    """Return the first case that fits the values."""
    for case in binding.cases:
        if all(_among(values[name], (wanted,)) for name, wanted in case.when.items()):
            return case
    chosen = ", ".join(
        f"{name}={values[name]!r}" for name, item in binding.parameters.items() if isinstance(item, Chooses)
    )
    raise ParameterError(f"{key}:{binding.name} takes no {chosen}")


def _among(value: Any, choices: tuple[Any, ...]) -> bool:
    """True if the value is one of the choices; True is not 1 here, and an array is none of them."""
    return not isinstance(value, np.ndarray) and any(
        value is choice or (isinstance(value, bool) == isinstance(choice, bool) and value == choice)
        for choice in choices
    )


def _reduction(key: str, binding: Binding, case: Case, values: Mapping[str, Any]) -> str:
    """Return losslib's word for the reduction."""
    for name, parameter in binding.parameters.items():
        if isinstance(parameter, Reduces):
            word = parameter.words.get(values[name]) if isinstance(values[name], str | None | bool) else None
            if word is None:
                known = ", ".join(map(repr, parameter.words))
                raise ParameterError(f"{key}:{binding.name} takes {name}={known}, got {values[name]!r}")
            if word.startswith("!"):
                raise ParameterError(
                    f"{key}:{binding.name} with {name}={values[name]!r} has no exact counterpart in losslib: {word[1:]}"
                )
            return word
    return case.reduction


def losses_of(binding: Binding) -> tuple[str, ...]:
    """Return the names of the losslib losses that a binding leads to."""
    return tuple(dict.fromkeys(case.loss for case in binding.cases if case.loss))


def write(key: str, binding: Binding, given: Mapping[str, Any] | None = None) -> str:
    """Write a name with its parameters as the call of `losslib.get`."""
    arguments = "".join(f", {name}={value!r}" for name, value in (given or {}).items())
    return f'losslib.get("{key}:{binding.name}"{arguments})'
