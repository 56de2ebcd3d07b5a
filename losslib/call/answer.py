"""The one order of steps in which every call is answered.

``pyx/loss/`` answers calls on plain arrays itself and hands every other call to `answer` here, which asks the
geometry of the loss for each step. Everything is checked before anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from losslib import geometries
from losslib._kernels.loss import connect
from losslib.call import arrays, order, parameters
from losslib.call.outputs import Work, lay_out, prepare_values
from losslib.call.samples import TermByTerm, read_samples
from losslib.declaration.modes import ARGUMENTS, GRAD, MODE_NAMES, VALUE, VALUE_GRAD_HESS
from losslib.declaration.schema import LossInfo, closest
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError

__all__ = ["answer", "arrange", "read_call", "wrt_positions"]


def answer(loss: Any, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a call of a loss object: the value, the derivatives or both, as ``mode`` says."""
    try:
        return answer_in_order(loss, mode, args, kwargs)
    except (DomainError, DTypeError, ShapeError) as error:
        order.add_hint(loss.info, loss.parameters, args, error)
        raise


def answer_in_order(loss: Any, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Take the steps of a call: read, lay out, look at domains, compute, arrange."""
    info: LossInfo = loss.info
    if mode == VALUE_GRAD_HESS and not info.has_hessian:
        raise TypeError(f"{info.name} has no Hessian; it offers the value, grad and value_and_grad")
    geometry = geometries.find(info.geometry)
    owner, raw, options = read_call(info, mode, args, kwargs)
    values = with_arrays_of_call(info, loss.parameters, options)
    reduction: str = values["reduction"]
    with np.errstate(all="ignore"):  # infinities and NaN are results, not warnings
        reading = geometry.read(info, values, raw, options)
        out, wrt = options.pop("out", None), options.pop("wrt", None)
        positions, single = wrt_positions(info, wrt, owner) if mode != VALUE else ((), True)
        for position in positions:
            if reading.given[position] is None:
                raise ParameterError(f"wrt={info.input_names[position]!r}: the call has no such input")
        geometry.offer(info, reading, positions, mode == VALUE_GRAD_HESS, owner)
        samples = read_samples(reading, reduction, options)

        work = Work(wants_value=mode != GRAD)
        sources = [] if out is None else [*reading.sources(), *samples.sources()]
        if work.wants_value and not isinstance(reduction, TermByTerm):
            given = out if mode == VALUE else None
            work.values = prepare_values(given, reduction, reading.value_shape, reading.dtype, reading.given[0])
        if mode != VALUE:
            shape = reading.shape if info.per == "element" else None
            work.derivatives, work.shares = lay_out(
                info, mode == VALUE_GRAD_HESS, positions, reading.given, out, sources, owner, shape
            )
        elif work.values is not None:
            work.shares = any(np.may_share_memory(work.values, source) for source in sources)
        if work.shares or not geometry.looks_in_pass:  # no input is lost: look first, write afterwards
            geometry.look(info, values, reading)
        value = geometry.compute(info, values, reading, samples, work)
        derivatives = [geometry.hand_over(reading, item.position, item.finish()) for item in work.derivatives]
        return arrange(mode, value, derivatives, single)


def with_arrays_of_call(info: LossInfo, bound: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a loss with the arrays that came with the call of a function."""
    for parameter in info.array_parameters:
        given = options.pop(parameter.name, None)
        if given is not None:
            bound[parameter.name] = parameters.require_least(parameter, arrays.read_array(parameter.name, given))
    return bound


def split_inputs(
    info: LossInfo, args: Sequence[Any], kwargs: dict[str, Any], owner: str
) -> tuple[list[Any], dict[str, Any]]:
    """Separate the inputs, by position or by name, from the other keywords."""
    names = info.input_names
    if len(args) > len(names):
        raise TypeError(f"{owner} takes {len(names)} positional arguments ({', '.join(names)}), got {len(args)}")
    rest = dict(kwargs)
    inputs = list(args)
    for item in info.inputs[len(args) :]:
        name = item.name
        if name not in rest and item.optional:
            inputs.append(item.default)
            continue
        if name not in rest:
            hint = order.keyword_hint(info, rest)
            raise TypeError(f"{owner} is missing the argument {name!r}; it takes {', '.join(names)}{hint}")
        inputs.append(rest.pop(name))
    for name in names[: len(args)]:
        if name in rest:
            raise TypeError(f"{owner} got {name!r} twice, by position and by keyword")
    return inputs, rest


def read_call(
    info: LossInfo, mode: int, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[str, list[Any], dict[str, Any]]:
    """Return the name of what was called, its inputs, and its options, each of which the mode or the loss takes."""
    owner = f"{info.name}{MODE_NAMES[mode]}"
    raw, options = split_inputs(info, args, kwargs, owner)
    for name in options:
        if name not in ARGUMENTS[mode] and name not in info.array_parameter_names:
            raise TypeError(
                f"{owner} has no argument {name!r}{closest(name, ARGUMENTS[mode])}; "
                f"a call takes {', '.join((*info.input_names, *ARGUMENTS[mode]))}"
            )
    return owner, raw, options


def require_arguments(info: LossInfo, mode: int, given: Mapping[str, Any]) -> None:
    """Raise if a function got a keyword that is neither a parameter of the loss nor an argument of the call."""
    known = (*info.parameter_names, *ARGUMENTS[mode])
    for name in given:
        if name not in known:
            raise TypeError(
                f"{info.name}{MODE_NAMES[mode]} has no argument {name!r}{closest(name, known)}; "
                f"it takes {', '.join((*info.input_names, *known))}"
            )


def resolve_call(
    info: LossInfo, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Bring a function call to exactly its inputs by position: names and PyTorch's positional order resolved."""
    count = len(info.inputs)
    if len(args) <= count:
        inputs, rest = split_inputs(info, args, kwargs, info.name)
        return tuple(inputs), rest
    named = parameters.positional(info, info.function_order, args[count:], f"{info.name}, after its inputs,")
    for name in named:
        if name in kwargs:
            raise TypeError(f"{info.name} got {name!r} twice, by position and by keyword")
    size_average, reduce = named.pop("size_average", None), named.pop("reduce", None)
    if size_average is not None or reduce is not None:
        named["reduction"] = parameters.legacy_reduction(size_average, reduce, stacklevel=3)
    return args[:count], {**named, **kwargs}


def wrt_positions(info: LossInfo, wrt: Any, owner: str) -> tuple[tuple[int, ...], bool]:
    """Return the positions of the inputs to differentiate, and whether one name was asked for."""
    if wrt is None:
        return info.default_positions, len(info.default_wrt) == 1
    single = isinstance(wrt, str)
    if not isinstance(wrt, str | tuple | list):
        raise TypeError(f"wrt must be the name of an input or a tuple of names, got {wrt!r}")
    names = (wrt,) if single else tuple(wrt)
    for name in names:
        if name not in info.differentiable:
            raise ParameterError(
                f"wrt={name!r}: {owner} offers derivatives with respect to {', '.join(info.differentiable)}"
                + (closest(name, info.differentiable) if isinstance(name, str) else "")
            )
    if len(set(names)) != len(names) or not names:
        raise ParameterError(f"wrt must name each input once, got {wrt!r}")
    return tuple(info.input_names.index(name) for name in names), single


def arrange(mode: int, value: Any, derivatives: list[Any], single: bool) -> Any:
    """Return value and derivatives in the form that the mode promises."""
    if mode == VALUE:
        return value
    if mode == VALUE_GRAD_HESS:
        half = len(derivatives) // 2
        grads, hessians = derivatives[:half], derivatives[half:]
        return (value, grads[0], hessians[0]) if single else (value, tuple(grads), tuple(hessians))
    grad: Any = derivatives[0] if single else tuple(derivatives)
    return grad if mode == GRAD else (value, grad)


def raise_domain_error(loss: Any, args: tuple[Any, ...], mask: np.ndarray | None, violations: int) -> None:
    """Raise the ``DomainError`` of a call on plain arrays, of which the compiled pass has seen that there is one."""
    info: LossInfo = loss.info
    values = {**loss.parameters, "check": True}
    geometry = geometries.find(info.geometry)
    try:
        geometry.look(info, values, geometry.read(info, values, args, {}))
    except DomainError as error:
        order.add_hint(info, loss.parameters, args, error)
        raise
    raise DomainError(f"an input of {info.name} left its domain during the call; it was changed by another thread")


connect(parameters.bind, answer, raise_domain_error, resolve_call, require_arguments)
