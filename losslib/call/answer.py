"""A call prepared in full: any array type, layout, weight, mask, reduction and derivative of a pointwise loss.

``pyx/loss.pyx`` answers calls on plain arrays itself and hands every other call to ``evaluate`` here, which
reads the arrays (``losslib.call.operands``), finds the denominator, lays out the results
(``losslib.call.outputs``) and runs one pass through ``execute``. Everything is checked before anything is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib._kernels.loss import connect, execute
from losslib.call import arrays, order, parameters
from losslib.call.operands import Operands, read_operands
from losslib.call.outputs import Output, output_array, prepare_derivatives, prepare_output
from losslib.declaration.modes import ARGUMENTS, GRAD, MODE_NAMES, VALUE, VALUE_GRAD_HESS
from losslib.declaration.schema import Domain, LossInfo, closest
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError


class TermByTerm(str):
    """A reduction whose terms are wanted instead of their sum: it equals the word, and a call answers with `Terms`."""

    __slots__ = ()


@dataclass(frozen=True)
class Terms:
    """What a call adds up: the sum of ``values`` over the sum of ``divisors`` is the reduced value."""

    #: What each element or sample adds to the numerator, in float64, weighted and 0 where masked out.
    values: np.ndarray
    #: What it adds to the denominator, broadcasting to the values; None for a sum, which has none.
    divisors: np.ndarray | None


def split_inputs(
    info: LossInfo, args: Sequence[Any], kwargs: dict[str, Any], owner: str
) -> tuple[list[Any], dict[str, Any]]:
    """Separate the inputs, by position or by name, from the other keywords."""
    names = info.input_names
    if len(args) > len(names):
        raise TypeError(f"{owner} takes {len(names)} positional arguments ({', '.join(names)}), got {len(args)}")
    rest = dict(kwargs)
    inputs = list(args)
    for name in names[len(args) :]:
        if name not in rest:
            hint = order.keyword_hint(info, rest)
            raise TypeError(f"{owner} is missing the argument {name!r}; it takes {', '.join(names)}{hint}")
        inputs.append(rest.pop(name))
    for name in names[: len(args)]:
        if name in rest:
            raise TypeError(f"{owner} got {name!r} twice, by position and by keyword")
    return inputs, rest


def read_call(
    info: LossInfo, mode: int, args: Sequence[Any], kwargs: dict[str, Any], array_parameters: Sequence[str]
) -> tuple[str, list[Any], dict[str, Any]]:
    """Return the name of what was called, its inputs, and its options, each of which the mode or the loss takes."""
    owner = f"{info.name}{MODE_NAMES[mode]}"
    raw, options = split_inputs(info, args, kwargs, owner)
    for name in options:
        if name not in ARGUMENTS[mode] and name not in array_parameters:
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


def sum_of_weights(operands: Operands, weights: list[np.ndarray]) -> float:
    """Add the product of the weights over the elements that count, in the fixed order of the driver."""
    if not weights:
        weights = [np.broadcast_to(np.float64(1.0), operands.shape)]
    zero = np.broadcast_to(np.float64(0.0), operands.shape)
    total, _ = execute(
        "BiasError",
        (),
        double_precision=True,
        inputs=[weights[0], zero],
        factors=weights[1:],
        value_factors=len(weights) - 1,
        mask=operands.mask,
        reduce=True,
    )
    return float(total)


def count(operands: Operands) -> float:
    """Return the number of elements that are not masked out."""
    if operands.mask is None:
        return float(np.prod(operands.shape, dtype=np.float64))
    return sum_of_weights(operands, [])


def denominator(info: LossInfo, reduction: str, operands: Operands) -> float:
    """Return what the sum of the weighted values is divided by."""
    if reduction == "mean":
        if info.mean_divisor == "weight" and operands.weight is not None:
            return sum_of_weights(operands, [operands.weight])
        return count(operands)
    if reduction == "weighted_mean":
        return sum_of_weights(operands, operands.weights)
    if reduction == "batchmean":
        return float(operands.shape[0]) if operands.shape else 1.0
    if info.averages_last_axis:
        return float(operands.shape[-1])
    return 1.0


def element_divisors(info: LossInfo, reduction: str, operands: Operands) -> np.ndarray | None:
    """Return `denominator` term by term, where the numerator is that of the reduction "sum"."""
    if reduction == "batchmean":  # one for each sample of the first axis, at its first element
        samples = operands.shape[0] if operands.shape else 1
        divisors = np.zeros((samples, math.prod(operands.shape[1:])))
        divisors[:, :1] = 1.0
        return divisors.reshape(operands.shape)
    if reduction not in ("mean", "weighted_mean"):
        return None
    weights = operands.weights if reduction == "weighted_mean" else []
    if reduction == "mean" and info.mean_divisor == "weight" and operands.weight is not None:
        weights = [operands.weight]
    # A row without classes has no element that could add something.
    divisors = np.asarray(1.0 / operands.shape[-1] if info.averages_last_axis and operands.shape[-1] else 1.0)
    for weight in weights:
        divisors = divisors * weight.astype(np.float64)
    return divisors if operands.mask is None else np.where(operands.mask, divisors, 0.0)


def ratio(numerator: float, divisor: float) -> float:
    """Divide as IEEE 754 does: the mean over no element is NaN, not an exception."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(numerator) / np.float64(divisor))


def wrt_positions(info: LossInfo, wrt: Any, owner: str) -> tuple[tuple[int, ...], bool]:
    """Return the positions of the inputs to differentiate, and whether one name was asked for."""
    if wrt is None:
        wrt = info.default_wrt if len(info.default_wrt) > 1 else info.default_wrt[0]
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


def dispatch(loss: Any, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a call of a loss object by the function of its geometry."""
    info: LossInfo = loss.info
    if mode == VALUE_GRAD_HESS and not info.has_hessian:
        raise TypeError(f"{info.name} has no Hessian; it offers the value, grad and value_and_grad")
    try:
        return GEOMETRIES[info.geometry](loss, mode, args, kwargs)
    except (DomainError, DTypeError, ShapeError) as error:
        order.add_hint(info, loss.parameters, args, error)
        raise


def evaluate(loss: Any, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a call of a pointwise loss: the value, the derivatives or both, as ``mode`` says."""
    info: LossInfo = loss.info
    owner, raw, options = read_call(info, mode, args, kwargs, ("weight", "pos_weight"))
    values = loss.parameters
    reduction: str = values["reduction"]
    operands = read_operands(loss, info, raw, options)
    out = options.pop("out", None)
    positions, single = wrt_positions(info, options.pop("wrt", None), owner) if mode != VALUE else ((), True)

    if operands.pos_weight is not None:
        values = {**values, "pos_weight": operands.pos_weight}
    kernel, numbers = info.resolve_kernel(values)
    if operands.pos_weight is not None:
        operands.inputs.append(operands.pos_weight)
    domains = parameters.domain_codes(info, values)
    codes = (*(domain.code if values["check"] else 0 for domain in domains), 0)

    value_shape = operands.shape
    if info.averages_last_axis:
        if not operands.shape:
            raise ShapeError(f"{info.inputs[0].name} of {info.name} needs a class axis, got a number")
        value_shape = operands.shape[:-1]
    if isinstance(reduction, TermByTerm):
        return element_terms(loss, operands, reduction, kernel, numbers, domains, codes)
    upstream, upstream_scale = read_grad_output(
        options.pop("grad_output", None), reduction, value_shape, operands, info
    )

    # Outputs, checked before anything is written.
    reduced = reduction != "none"
    if mode == VALUE and reduced and out is not None:
        raise ParameterError(
            f"out: with reduction={reduction!r} the value is a float; out takes the values of reduction='none'"
        )
    values_out: Output | None = None
    sources = [*operands.inputs, *operands.weights]
    sources += [array for array in (operands.mask, upstream) if array is not None]
    shares = False
    if mode != GRAD and not reduced:
        result = prepare_output("out", out if mode == VALUE else None, value_shape, operands.dtype, operands.inputs[0])
        array, shares = output_array(result, sources)
        if info.averages_last_axis:
            array = np.empty(operands.shape, np.float64 if operands.double_precision else np.float32)
        values_out = Output(array, result)
    derivatives: list[Output] = []
    planes: tuple[int, ...] = ()
    if mode != VALUE:
        derivatives, planes, derivative_shares = prepare_derivatives(
            info, mode == VALUE_GRAD_HESS, positions, operands, out, sources, owner
        )
        shares = shares or derivative_shares

    if 0 in operands.shape:
        return empty_result(mode, reduction, operands.shape, values_out, derivatives, single)

    domain_check = any(codes)
    if shares and domain_check:  # no input is lost: look first, write afterwards
        _, violations = execute(
            kernel,
            numbers,
            double_precision=operands.double_precision,
            inputs=operands.inputs,
            domains=codes,
            mask=operands.mask,
            check_only=True,
        )
        raise_violations(loss, domains, operands, violations)
        codes = (0,) * len(codes)

    divisor = denominator(info, reduction, operands)
    scale = ratio(1.0, divisor)
    factors = [*operands.weights] if upstream is None else [*operands.weights, upstream]
    total, violations = execute(
        kernel,
        numbers,
        double_precision=operands.double_precision,
        inputs=operands.inputs,
        domains=codes,
        factors=factors,
        value_factors=len(operands.weights),
        mask=operands.mask,
        value=None if values_out is None else values_out.array,
        reduce=mode != GRAD and reduced,
        want_value=mode != GRAD,
        derivatives=[item.array for item in derivatives],
        planes=planes,
        scale=scale * upstream_scale,
        stage=shares,
    )
    if violations:
        raise_violations(loss, domains, operands, violations)

    value: Any = None
    if values_out is not None:
        if info.averages_last_axis:
            mean = values_out.array.sum(axis=-1, dtype=np.float64) / operands.shape[-1]
            np.copyto(values_out.result, mean, casting="same_kind")
            value = values_out.result
        else:
            value = values_out.finish()
    elif mode != GRAD:
        value = ratio(total, divisor)
    return arrange(mode, value, [item.finish() for item in derivatives], single)


def element_terms(
    loss: Any,
    operands: Operands,
    reduction: str,
    kernel: str,
    numbers: tuple[float, ...],
    domains: Sequence[Domain],
    codes: tuple[int, ...],
) -> Terms:
    """Return what every element adds to numerator and denominator, instead of the sums."""
    info: LossInfo = loss.info
    if reduction == "batchmean" and 0 in operands.shape:  # samples count, though they have no element to stand at
        return Terms(np.zeros(operands.shape[0]), np.ones(operands.shape[0]))
    values = np.empty(operands.shape, np.float64)
    if values.size:
        _, violations = execute(
            kernel,
            numbers,
            double_precision=operands.double_precision,
            inputs=operands.inputs,
            domains=codes,
            factors=operands.weights,
            value_factors=len(operands.weights),
            mask=operands.mask,
            value=values,
            whole_vectors=True,  # the same terms however the data are split
        )
        raise_violations(loss, domains, operands, violations)
        if info.averages_last_axis:
            values /= operands.shape[-1]
    return Terms(values, element_divisors(info, reduction, operands))


def read_grad_output(
    grad_output: Any, reduction: str, value_shape: tuple[int, ...], operands: Operands, info: LossInfo
) -> tuple[np.ndarray | None, float]:
    """Return the upstream gradient as an array of the full shape, or as a factor of the scale."""
    if grad_output is None:
        return None, 1.0
    array = arrays.read_array("grad_output", grad_output)
    if array.ndim == 0:
        return None, float(array)
    if reduction != "none":
        raise ShapeError(
            f"grad_output has shape {array.shape}; with reduction={reduction!r} the value is a number and so is its "
            f"upstream gradient"
        )
    if array.shape != value_shape:
        raise ShapeError(f"grad_output has shape {array.shape}, expected {value_shape}, the shape of the values")
    if info.averages_last_axis:
        array = np.broadcast_to(array[..., np.newaxis], operands.shape)
    return array, 1.0


def raise_violations(loss: Any, domains: Sequence[Domain], operands: Operands, violations: int) -> None:
    """Find the first value outside a domain and say so; what the pass noticed, in words."""
    if not violations:
        return
    info: LossInfo = loss.info
    for position, (item, domain) in enumerate(zip(info.inputs, domains, strict=False)):
        if violations & (1 << position):
            arrays.require_domain(item.name, operands.inputs[position], domain, item.fix, operands.mask, info.name)
    raise DomainError(f"an input of {info.name} left its domain during the call; it was changed by another thread")


def raise_domain_error(loss: Any, args: tuple[Any, ...], mask: np.ndarray | None, violations: int) -> None:
    """Raise the ``DomainError`` of a call on plain arrays."""
    info: LossInfo = loss.info
    operands = Operands(args[0].shape, list(args), list(args), [], mask, None, None, False, args[0].dtype)
    try:
        raise_violations(loss, parameters.domain_codes(info, loss.parameters), operands, violations)
    except DomainError as error:
        order.add_hint(info, loss.parameters, args, error)
        raise


def empty_result(
    mode: int,
    reduction: str,
    shape: tuple[int, ...],
    values_out: Output | None,
    derivatives: list[Output],
    single: bool,
) -> Any:
    """Answer a call on arrays without elements: 0.0 for the sum, 0/0 for a mean over no element, empty arrays."""
    value: Any = None
    if values_out is not None:
        value = values_out.result
        if value.size:  # rows without classes: the mean over no element
            value.fill(np.nan)
    elif mode != GRAD:
        divisors = {"sum": 1.0, "batchmean": float(shape[0])}
        value = ratio(0.0, divisors.get(reduction, 0.0))
    for item in derivatives:
        if item.summed_to is not None:
            item.result.fill(0.0)
    return arrange(mode, value, [item.result for item in derivatives], single)


def arrange(mode: int, value: Any, derivatives: list[np.ndarray], single: bool) -> Any:
    """Return value and derivatives in the form that the mode promises."""
    if mode == VALUE:
        return value
    if mode == VALUE_GRAD_HESS:
        half = len(derivatives) // 2
        grads, hessians = derivatives[:half], derivatives[half:]
        return (value, grads[0], hessians[0]) if single else (value, tuple(grads), tuple(hessians))
    grad: Any = derivatives[0] if single else tuple(derivatives)
    return grad if mode == GRAD else (value, grad)


#: How the calls of each geometry are answered; a geometry enters itself here.
GEOMETRIES: dict[str, Callable[[Any, int, tuple[Any, ...], dict[str, Any]], Any]] = {"pointwise": evaluate}

connect(parameters.bind, dispatch, raise_domain_error, resolve_call, require_arguments)
