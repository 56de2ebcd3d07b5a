"""A call prepared in full: any array type, layout, weight, mask, reduction and derivative of a pointwise loss.

``pyx/loss.pyx`` answers calls on plain arrays itself and hands every other call to ``evaluate`` here, which
reads and checks the arguments in the order in which a user would look for the mistake (inputs, weights, mask, upstream
gradient, outputs), brings all arrays to one shape without copying, and runs one pass through ``execute``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib import checks
from losslib._kernels.loss import connect, execute
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError
from losslib.registry import Array, Domain, LossInfo, closest

VALUE, GRAD, VALUE_AND_GRAD, VALUE_GRAD_HESS = range(4)
MODE_NAMES = ("", ".grad", ".value_and_grad", ".value_grad_hess")

#: Call arguments that every mode takes, and those that only derivatives take.
VALUE_ARGUMENTS = ("sample_weight", "where", "out")
DERIVATIVE_ARGUMENTS = ("sample_weight", "where", "out", "grad_output", "wrt")
HESSIAN_ARGUMENTS = ("sample_weight", "where", "out", "wrt")
ARGUMENTS = (VALUE_ARGUMENTS, DERIVATIVE_ARGUMENTS, DERIVATIVE_ARGUMENTS, HESSIAN_ARGUMENTS)


def split_inputs(
    info: LossInfo, args: Sequence[Any], kwargs: dict[str, Any], owner: str
) -> tuple[list[Any], dict[str, Any]]:
    """Separate the inputs, by position or by name, from the other keywords."""
    names = info.input_names
    if len(args) > len(names):
        raise TypeError(
            f"{owner} takes {len(names)} positional arguments ({', '.join(names)}), got {len(args)}"
        )
    rest = dict(kwargs)
    inputs = list(args)
    for name in names[len(args) :]:
        if name not in rest:
            raise TypeError(f"{owner} is missing the argument {name!r}; it takes {', '.join(names)}")
        inputs.append(rest.pop(name))
    for name in names[: len(args)]:
        if name in rest:
            raise TypeError(f"{owner} got {name!r} twice, by position and by keyword")
    return inputs, rest


def resolve_call(
    info: LossInfo, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Bring a function call to exactly its inputs by position: names and PyTorch's positional order resolved."""
    count = len(info.inputs)
    if len(args) <= count:
        inputs, rest = split_inputs(info, args, kwargs, info.name)
        return tuple(inputs), rest
    named = checks.positional(info, info.function_order, args[count:], f"{info.name}, after its inputs,")
    for name in named:
        if name in kwargs:
            raise TypeError(f"{info.name} got {name!r} twice, by position and by keyword")
    size_average, reduce = named.pop("size_average", None), named.pop("reduce", None)
    if size_average is not None or reduce is not None:
        named["reduction"] = checks.legacy_reduction(size_average, reduce)
    return args[:count], {**named, **kwargs}


@dataclass
class Operands:
    """The arrays of a call, all of one shape."""

    shape: tuple[int, ...]
    given: list[np.ndarray]  # the inputs as they came
    inputs: list[np.ndarray]  # broadcast to the shape
    weights: list[np.ndarray]
    mask: np.ndarray | None
    weight: np.ndarray | None  # the loss's own weight, one of `weights`
    pos_weight: np.ndarray | None
    double_precision: bool
    dtype: np.dtype[Any]  # of unreduced values


def read_inputs(info: LossInfo, raw: Sequence[Any]) -> tuple[list[np.ndarray], np.dtype[Any]]:
    """Read the input arrays and find the dtype that they promote to; Python numbers do not promote."""
    arrays = [checks.read_array(item.name, obj) for item, obj in zip(info.inputs, raw, strict=True)]
    strong = [a.dtype for a, obj in zip(arrays, raw, strict=True) if type(obj) not in (int, float, bool)]
    if not strong:
        strong = [np.dtype(np.float64)]
    dtype = strong[0]
    for other in strong[1:]:
        if other != dtype:
            try:
                dtype = np.result_type(dtype, other)
            except TypeError:  # float16 with bfloat16: neither holds the other
                dtype = np.dtype(np.float32)
    return arrays, dtype


def fit_inputs(info: LossInfo, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Bring the inputs to the shape of the first: exact for targets, broadcast for a third input such as `var`."""
    first = arrays[0]
    fitted = [first]
    for item, array in zip(info.inputs[1:], arrays[1:], strict=True):
        if array.ndim == 0:
            fitted.append(np.broadcast_to(array, first.shape))
        elif item.broadcasts:
            fitted.append(fit_third_input(item.name, array, info.inputs[0].name, first))
        else:
            checks.require_same_shape(item.name, array, info.inputs[0].name, first)
            fitted.append(array)
    return fitted


def fit_third_input(name: str, array: np.ndarray, first_name: str, first: np.ndarray) -> np.ndarray:
    """PyTorch's rule for a variance: the input's shape, or without its last axis, or with axes of length 1."""
    if array.shape == first.shape:
        return array
    if array.shape == first.shape[:-1]:
        return np.broadcast_to(array[..., np.newaxis], first.shape)
    if array.ndim == first.ndim and all(a in (1, b) for a, b in zip(array.shape, first.shape, strict=True)):
        return np.broadcast_to(array, first.shape)
    raise ShapeError(
        f"{name} has shape {array.shape}; expected {first.shape}, the shape of {first_name}, or that shape without "
        f"its last axis, or with axes of length 1, or a number"
    )


def fit_sample_weight(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One weight for each element, or one for each sample of the first axis."""
    if array.shape == shape:
        return array
    if array.ndim == 1 and len(shape) > 1 and array.shape[0] == shape[0]:
        return np.broadcast_to(array.reshape((-1,) + (1,) * (len(shape) - 1)), shape)
    if array.ndim == len(shape) and all(a in (1, b) for a, b in zip(array.shape, shape, strict=True)):
        return np.broadcast_to(array, shape)
    per_sample = f"({shape[0]},) for one weight a sample, or " if shape else ""
    raise ShapeError(f"sample_weight has shape {array.shape}; expected {per_sample}{shape} for one an element")


def read_operands(loss: Any, info: LossInfo, raw: list[Any], options: dict[str, Any]) -> Operands:
    """Read and fit every array of a call."""
    given, dtype = read_inputs(info, raw)
    inputs = fit_inputs(info, given)
    shape = inputs[0].shape
    weights: list[np.ndarray] = []
    weight = call_array(loss, info, options, "weight")
    if weight is not None:
        expected = f"an array that broadcasts to the shape of {info.inputs[0].name}"
        weight = checks.broadcast_to("weight", weight, shape, expected)
        weights.append(weight)
    pos_weight = call_array(loss, info, options, "pos_weight")
    if pos_weight is not None:
        pos_weight = checks.broadcast_to(
            "pos_weight", pos_weight, shape, "an array that broadcasts to the shape of target"
        )
    sample_weight = options.pop("sample_weight", None)
    if sample_weight is not None:
        weights.append(fit_sample_weight(checks.read_array("sample_weight", sample_weight), shape))
    mask = options.pop("where", None)
    if mask is not None:
        mask = checks.broadcast_to(
            "where", checks.read_mask(mask), shape, f"a mask that broadcasts to the shape of {info.inputs[0].name}"
        )
    return Operands(shape, given, inputs, weights, mask, weight, pos_weight, dtype == np.float64, dtype)


def call_array(loss: Any, info: LossInfo, options: dict[str, Any], name: str) -> np.ndarray | None:
    """Return an array parameter: given at the call of a function, or bound to the object."""
    parameter = next((item for item in info.parameters if item.name == name), None)
    if not isinstance(parameter, Array):
        if name in options:
            raise TypeError(f"{info.name} has no parameter {name!r}; it takes {', '.join(info.parameter_names)}")
        return None
    if options.get(name) is None:
        options.pop(name, None)
        bound: np.ndarray | None = loss.parameters[name]
        return bound
    array = checks.read_array(name, options.pop(name))
    if parameter.least is not None and bool((array < parameter.least).any()):
        raise DomainError(f"{name} must be >= {parameter.least:g} everywhere, got {float(array.min()):g}")
    return array


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
        if not operands.shape:
            raise ShapeError("reduction='batchmean' divides by the length of the first axis; input has none")
        return float(operands.shape[0])
    if info.averages_last_axis:
        return float(operands.shape[-1])
    return 1.0


def ratio(numerator: float, divisor: float) -> float:
    """Divide as IEEE 754 does: the mean over no element is NaN, not an exception."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(numerator) / np.float64(divisor))


def wrt_positions(info: LossInfo, wrt: Any, owner: str) -> tuple[tuple[int, ...], bool]:
    """Return the positions of the inputs to differentiate, and whether one name was asked for."""
    if wrt is None:
        wrt = info.default_wrt if len(info.default_wrt) > 1 else info.default_wrt[0]
    single = isinstance(wrt, str)
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


@dataclass
class Output:
    """One derivative (or the values) on its way to the caller."""

    array: np.ndarray  # what the pass writes, of the full shape
    result: np.ndarray  # what the caller gets
    summed_to: tuple[int, ...] | None = None  # shape of a broadcast input, whose derivative is a sum

    def finish(self) -> np.ndarray:
        if self.summed_to is not None:
            np.copyto(self.result, sum_to_shape(self.array, self.summed_to), casting="same_kind")
        elif self.array is not self.result:
            np.copyto(self.result, self.array)
        return self.result


def sum_to_shape(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum in float64 over the axes along which an input of this shape was broadcast."""
    if len(shape) == array.ndim:
        axes = tuple(k for k, length in enumerate(shape) if length == 1 and array.shape[k] != 1)
        return np.asarray(array.sum(axis=axes, dtype=np.float64, keepdims=True))
    if shape == array.shape[:-1] and shape:
        return np.asarray(array.sum(axis=-1, dtype=np.float64))
    return np.asarray(array.sum(dtype=np.float64))


def prepare_output(
    name: str, out: Any, shape: tuple[int, ...], dtype: np.dtype[Any], like: np.ndarray | None
) -> np.ndarray:
    """Check an array given as `out`, or allocate the result in the memory order of the input."""
    if out is None:
        if like is not None and like.shape == shape and like.dtype == dtype:
            return np.empty_like(like, subok=False)
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name} must be a numpy.ndarray, got {type(out).__name__}")
    if out.dtype != dtype:
        raise DTypeError(f"{name} has dtype {out.dtype}, expected {dtype} exactly")
    if out.shape != shape:
        raise ShapeError(f"{name} has shape {out.shape}, expected {shape} exactly")
    if not out.flags.writeable:
        raise ValueError(f"{name} is read-only; expected an array that can be written")
    if any(stride == 0 and length > 1 for stride, length in zip(out.strides, out.shape, strict=True)):
        raise ShapeError(f"{name} has elements that share memory (a broadcast view); expected an ordinary array")
    return out


def same_memory(a: np.ndarray, b: np.ndarray) -> bool:
    """True if two arrays are one and the same piece of memory, element by element."""
    return (
        a.shape == b.shape
        and a.strides == b.strides
        and a.dtype == b.dtype
        and a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
    )


def output_array(result: np.ndarray, operands: list[np.ndarray]) -> tuple[np.ndarray, bool]:
    """Return the array to compute into, and whether it is the memory of an operand.

    An output that is an operand, element for element, is safe: a block is read before it is written. One that overlaps an
    operand in any other way gets a temporary.
    """
    shared = False
    for operand in operands:
        if np.may_share_memory(result, operand):
            shared = True
            if not same_memory(result, operand):
                return np.empty_like(result, subok=False), True
    if not result.flags.aligned or not result.dtype.isnative:
        return np.empty(result.shape, result.dtype.newbyteorder("=")), shared
    return result, shared


def evaluate(loss: Any, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a call of a loss object: the value, the derivatives or both, as ``mode`` says."""
    info: LossInfo = loss.info
    owner = f"{info.name}{MODE_NAMES[mode]}"
    raw, options = split_inputs(info, args, kwargs, owner)
    for name in options:
        if name not in ARGUMENTS[mode] and name not in ("weight", "pos_weight"):
            raise TypeError(
                f"{owner} has no argument {name!r}{closest(name, ARGUMENTS[mode])}; "
                f"a call takes {', '.join((*info.input_names, *ARGUMENTS[mode]))}"
            )
    values = loss.parameters
    reduction: str = values["reduction"]
    operands = read_operands(loss, info, raw, options)
    out = options.pop("out", None)
    positions, single = wrt_positions(info, options.pop("wrt", None), owner) if mode != VALUE else ((), True)

    kernel, numbers = info.resolve_kernel({**values, "pos_weight": operands.pos_weight})
    if operands.pos_weight is not None:
        operands.inputs.append(operands.pos_weight)
    domains = checks.domain_codes(info, values)
    codes = tuple(domain.code if values["check"] else 0 for domain in domains) + (0,)

    value_shape = operands.shape
    if info.averages_last_axis:
        if not operands.shape:
            raise ShapeError(f"{info.inputs[0].name} of {info.name} needs a class axis, got a number")
        value_shape = operands.shape[:-1]
    upstream, upstream_scale = read_grad_output(options.pop("grad_output", None), reduction, value_shape, operands, info)

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
    derivatives, planes, derivative_shares = prepare_derivatives(info, mode, positions, operands, out, sources, owner)
    shares = shares or derivative_shares

    if 0 in operands.shape:
        return empty_result(mode, reduction, values_out, derivatives, single)

    domain_check = any(codes)
    if shares and domain_check:  # no input is lost: look first, write afterwards
        _, violations = execute(
            kernel, numbers, double_precision=operands.double_precision, inputs=operands.inputs, domains=codes,
            mask=operands.mask, check_only=True,
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


def read_grad_output(
    grad_output: Any, reduction: str, value_shape: tuple[int, ...], operands: Operands, info: LossInfo
) -> tuple[np.ndarray | None, float]:
    """Return the upstream gradient as an array of the full shape, or as a factor of the scale."""
    if grad_output is None:
        return None, 1.0
    array = checks.read_array("grad_output", grad_output)
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


def prepare_derivatives(
    info: LossInfo,
    mode: int,
    positions: tuple[int, ...],
    operands: Operands,
    out: Any,
    sources: list[np.ndarray],
    owner: str,
) -> tuple[list[Output], tuple[int, ...], bool]:
    """Lay out the arrays of the derivatives: gradients of every input asked for, then the Hessians."""
    if mode == VALUE:
        return [], (), False
    orders = (1, 2) if mode == VALUE_GRAD_HESS else (1,)
    wanted = [(position, order) for order in orders for position in positions]
    outs = [None] * len(wanted) if out is None else list(out) if isinstance(out, tuple | list) else [out]
    if len(outs) != len(wanted):
        names = ", ".join(
            f"{'gradient' if order == 1 else 'Hessian'} of {info.input_names[position]}" for position, order in wanted
        )
        raise ParameterError(f"out of {owner} must be {len(wanted)} arrays ({names}), got {len(outs)}")
    outputs: list[Output] = []
    shares = False
    for (position, _order), item in zip(wanted, outs, strict=True):
        given = operands.given[position]
        label = "out" if len(wanted) == 1 else f"out[{len(outputs)}]"
        result = prepare_output(label, item, given.shape, given.dtype, given)
        if item is not None and any(np.may_share_memory(result, other.result) for other in outputs):
            raise ParameterError(f"{label} shares memory with another array of out")
        if given.shape != operands.shape:
            full = np.empty(operands.shape, np.float64 if operands.double_precision else np.float32)
            outputs.append(Output(full, result, summed_to=given.shape))
            shares = shares or any(np.may_share_memory(result, source) for source in sources)
            continue
        array, shared = output_array(result, sources)
        shares = shares or shared
        outputs.append(Output(array, result))
    # The plane of each derivative in a block: grad, hess of the first input, then of the second, then of the third.
    planes = tuple(1 + 2 * position + (order - 1) for position, order in wanted)
    return outputs, planes, shares


def raise_violations(loss: Any, domains: Sequence[Domain], operands: Operands, violations: int) -> None:
    """Find the first value outside a domain and say so; what the pass noticed, in words."""
    if not violations:
        return
    info: LossInfo = loss.info
    for position, (item, domain) in enumerate(zip(info.inputs, domains, strict=False)):
        if violations & (1 << position):
            checks.require_domain(item.name, operands.inputs[position], domain, item.fix, operands.mask, info.name)
    raise DomainError(
        f"an input of {info.name} left its domain during the call; it was changed by another thread"
    )


def raise_domain_error(loss: Any, args: tuple[Any, ...], mask: np.ndarray | None, violations: int) -> None:
    """Raise the ``DomainError`` of a call on plain arrays."""
    info: LossInfo = loss.info
    operands = Operands(args[0].shape, list(args), list(args), [], mask, None, None, False, args[0].dtype)
    raise_violations(loss, checks.domain_codes(info, loss.parameters), operands, violations)


def empty_result(
    mode: int, reduction: str, values_out: Output | None, derivatives: list[Output], single: bool
) -> Any:
    """Answer a call on arrays without elements: NaN for means, 0.0 for the sum, empty arrays."""
    value: Any = None
    if values_out is not None:
        value = values_out.result
        if value.size:  # rows without classes: the mean over no element
            value.fill(np.nan)
    elif mode != GRAD:
        value = 0.0 if reduction == "sum" else float("nan")
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


connect(checks.bind, evaluate, raise_domain_error, resolve_call)
