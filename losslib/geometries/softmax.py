"""Calls of the softmax geometry: rows of logits, log-probabilities or probabilities against a class or a distribution.

The class axis is brought to the middle of a three-dimensional view (outer, classes, inner), class indices are looked at
once (range, ``ignore_index``, ``where``, weights for the denominator), and one pass of ``pyx/softmax.pyx`` gives the
value of each sample and the derivatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib import _kernels
from losslib.call import answer, arrays, outputs, parameters
from losslib.call import samples as rows
from losslib.call.outputs import Output
from losslib.declaration.modes import GRAD, VALUE, VALUE_GRAD_HESS
from losslib.declaration.schema import PROBABILITY, REAL, LossInfo
from losslib.errors import DomainError, DTypeError, ParameterError, ShapeError

__all__ = ["evaluate"]

_softmax = _kernels.load("softmax")


class ClassAxis:
    """Where the classes of an array are, and the shape of the samples around them."""

    def __init__(self, shape: tuple[int, ...], axis: int, name: str) -> None:
        ndim = len(shape)
        if ndim == 0:
            raise ShapeError(f"{name} is a number; expected an array with a class axis")
        position = 0 if ndim == 1 and axis == 1 else axis
        if not -ndim <= position < ndim:
            raise ShapeError(f"axis={axis} is not an axis of {name}, which has shape {shape}")
        position %= ndim
        self.position = position
        self.outer = int(np.prod(shape[:position], dtype=np.int64))
        self.classes = shape[position]
        self.inner = int(np.prod(shape[position + 1 :], dtype=np.int64))
        self.samples = shape[:position] + shape[position + 1 :]
        if self.classes == 0:
            raise ShapeError(f"{name} has shape {shape}: no classes along axis {axis}")

    def rows(self, array: np.ndarray) -> np.ndarray:
        """View an array of the input's shape as (outer, classes, inner); a copy only where no view exists."""
        return array.reshape(self.outer, self.classes, self.inner)


def evaluate(loss: Any, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a call of a softmax loss: the value, the derivatives or both, as ``mode`` says."""
    info: LossInfo = loss.info
    owner, raw, options = answer.read_call(info, mode, args, kwargs, info.array_parameter_names)
    values = dict(loss.parameters)
    for name in info.array_parameter_names:
        given_at_call = options.pop(name, None)
        if given_at_call is not None:
            values[name] = given_at_call

    kernel, numbers = info.resolve_kernel(values)
    first = arrays.read_array("input", raw[0])
    axis = ClassAxis(first.shape, values.get("axis", 1), "input")
    target, soft = read_target(info, raw[1], first, axis)
    given = [first, target]
    dtype = np.result_type(first.dtype, target.dtype) if soft and target.dtype != first.dtype else first.dtype
    weight = class_weight(values, axis.classes)
    ignore_index = values.get("ignore_index")
    if soft and info.inputs[1].indices and ignore_index is not None and ignore_index >= 0:
        raise ParameterError(f"ignore_index={ignore_index}: probabilities as target have no class to ignore; use where")
    if values["check"]:
        check_domains(info, first, target if soft else None, options.get("where"), axis)

    keep, count, weight_sum = look_at_classes(options.get("where"), target, soft, axis, ignore_index, weight)
    in_mean = weight is not None and not soft and info.mean_divisor == "weight"
    reduction = values["reduction"]
    kernel_weight = None
    if (
        weight is not None
        and values.get("weight") is not None
        and (reduction == "weighted_mean" or (in_mean and isinstance(reduction, answer.TermByTerm)))
    ):
        if soft:
            kernel_weight = np.tensordot(target.astype(np.float64), weight, axes=(axis.position, 0))
        else:
            classes = target if keep is None else np.where(keep.reshape(axis.samples) != 0, target, 0)
            kernel_weight = weight[classes]
    samples = rows.read_samples(
        axis.samples,
        reduction,
        options,
        counted=None if keep is None else keep.reshape(axis.samples) != 0,
        mean_divisor=weight_sum if in_mean else None,
        kernel_weight=kernel_weight,
    )
    nothing = count == 0 and reduction in ("mean", "weighted_mean") and values.get("empty") == "zero"
    out = options.pop("out", None)
    positions: tuple[int, ...] = ()
    single = True
    if mode != VALUE:
        positions, single = answer.wrt_positions(info, options.pop("wrt", None), owner)
        if 1 in positions and not soft:
            raise ParameterError(f"wrt='target': class indices have no derivative; {owner} offers it for probabilities")
    value_out = None
    if mode == VALUE:
        value_out = rows.prepare_values(out, reduction, axis.samples, dtype)
    derivatives = lay_out(info, mode, positions, given, out, [first, target], axis, owner)

    sample_values = np.empty(axis.outer * axis.inner, np.float64) if mode != GRAD else None
    if axis.outer * axis.inner > 0:
        scale = samples.scale
        _softmax.run(
            kernel,
            numbers,
            axis.rows(first),
            axis.rows(target) if soft else target.reshape(axis.outer, axis.inner),
            double_precision=dtype == np.float64,
            soft=soft,
            class_weight=weight,
            keep=keep if keep is not None else None,
            scale=np.ascontiguousarray(np.broadcast_to(scale, axis.samples)).reshape(-1)
            if isinstance(scale, np.ndarray)
            else None,
            scale_all=0.0 if isinstance(scale, np.ndarray) else scale,
            values=sample_values,
            smoothing=values.get("label_smoothing") or 0.0,
            z_loss=values.get("z_loss") or 0.0,
            **{name: axis.rows(item.array) for name, item in derivatives.items()},
        )
    value: Any = None
    if sample_values is not None:
        value = samples.reduce(sample_values.reshape(axis.samples), dtype, value_out)
        if nothing and not isinstance(value, answer.Terms):
            value = 0.0
    finished = [item.finish() for item in derivatives.values()]
    return answer.arrange(mode, value, finished, single)


def read_target(info: LossInfo, obj: Any, first: np.ndarray, axis: ClassAxis) -> tuple[np.ndarray, bool]:
    """Return the target and whether it is a distribution (or logits) of the input's shape."""
    array = arrays.read_integers("target", obj)
    if array.dtype.kind in "iu" and info.inputs[1].indices:
        if array.shape != axis.samples:
            hint = ""
            if array.shape == first.shape:
                hint = "; one-hot targets are probabilities: use target.astype(float)"
            raise ShapeError(
                f"target has shape {array.shape}, expected {axis.samples}: one class for each sample{hint}"
            )
        if not array.dtype.isnative or not array.flags.aligned:
            array = array.astype(array.dtype.newbyteorder("="))
        return array, False
    if info.kernel == "nll":
        raise DTypeError(
            f"target has dtype {array.dtype}; class indices must be integers: use target.astype(numpy.int64)"
        )
    if info.inputs[1].indices and array.shape == axis.samples and array.shape != first.shape:
        raise DTypeError(
            f"target has dtype {array.dtype} and one entry a sample; class indices must be integers: "
            f"use target.astype(numpy.int64)"
        )
    target = arrays.read_array("target", obj)
    arrays.require_same_shape("target", target, "input", first)
    return target, True


def class_weight(values: dict[str, Any], classes: int) -> np.ndarray | None:
    """Return the weight of each class as contiguous float64: `weight`, or the `alpha` of the focal loss."""
    name = "weight" if values.get("weight") is not None else "alpha"
    given = values.get(name)
    if given is None or (name == "alpha" and not isinstance(given, np.ndarray | list | tuple | float | int)):
        return None
    if name == "alpha" and "gamma" not in values:
        return None  # a number with another meaning
    array = arrays.read_array(name, given).astype(np.float64)
    if array.shape not in ((classes,), ()) or (name == "weight" and array.shape == ()):
        raise ShapeError(f"{name} has shape {array.shape}, expected ({classes},): one weight for each class")
    return np.ascontiguousarray(np.broadcast_to(array, (classes,)))


def look_at_classes(
    where: Any,
    target: np.ndarray,
    soft: bool,
    axis: ClassAxis,
    ignore_index: int | None,
    weight: np.ndarray | None,
) -> tuple[Any, int, float]:
    """Check the class indices and count: (samples that count or None for all, their number, their weight)."""
    mask: Any = None
    if where is not None:
        mask = arrays.broadcast_to("where", arrays.read_mask(where), axis.samples, "a mask of the samples")
        mask = np.ascontiguousarray(mask).reshape(-1).view(np.uint8)
    total = axis.outer * axis.inner
    if soft:
        count = total if mask is None else int(np.count_nonzero(mask))
        return mask, count, float(count)
    keep = np.empty(total, np.uint8)
    count, weight_sum, bad = _softmax.scan(
        target.reshape(axis.outer, axis.inner), axis.classes, ignore_index, mask, weight, keep
    )
    if bad >= 0:
        position = np.unravel_index(bad, axis.samples) if axis.samples else ()
        place = "[" + ", ".join(str(int(k)) for k in position) + "]" if position else ""
        allowed = "" if ignore_index is None else f", or ignore_index={ignore_index}"
        raise DomainError(
            f"target{place} is {int(target[position])}, outside the classes: expected 0 to {axis.classes - 1}{allowed}"
        )
    return (None if count == total else keep), count, weight_sum


def check_domains(info: LossInfo, first: np.ndarray, target: np.ndarray | None, where: Any, axis: ClassAxis) -> None:
    """Raise ``DomainError`` for probabilities outside [0, 1]."""
    mask: Any = None
    if where is not None:
        mask = arrays.broadcast_to("where", arrays.read_mask(where), axis.samples, "a mask of the samples")
        mask = mask.reshape(axis.outer, 1, axis.inner)
        mask = np.broadcast_to(mask, (axis.outer, axis.classes, axis.inner)).reshape(first.shape)
    if target is not None and info.inputs[1].indices:
        fix = f"divide each row by its sum; class indices are integers of shape {axis.samples}"
        arrays.require_domain("target", target, PROBABILITY, fix, mask, info.name)
    if info.inputs[0].domain is not REAL:
        arrays.require_domain("input", first, info.inputs[0].domain, info.inputs[0].fix, mask, info.name)


def lay_out(
    info: LossInfo,
    mode: int,
    positions: tuple[int, ...],
    given: list[np.ndarray],
    out: Any,
    sources: list[np.ndarray],
    axis: ClassAxis,
    owner: str,
) -> dict[str, Output]:
    """Prepare the arrays of the derivatives by the name under which the kernel takes them."""
    if mode == VALUE:
        return {}
    names = {0: "grad", 1: "target_grad"}
    wanted = [names[position] for position in positions]
    if mode == VALUE_GRAD_HESS:
        if positions != (0,):
            raise ParameterError(f"{owner} offers the Hessian with respect to input only")
        wanted.append("hess")
    outs = [None] * len(wanted) if out is None else list(out) if isinstance(out, tuple | list) else [out]
    if len(outs) != len(wanted):
        raise ParameterError(f"out of {owner} must be {len(wanted)} arrays, got {len(outs)}")
    prepared: dict[str, Output] = {}
    for k, (name, item) in enumerate(zip(wanted, outs, strict=True)):
        like = given[1 if name == "target_grad" else 0]
        label = "out" if len(wanted) == 1 else f"out[{k}]"
        result = outputs.prepare_output(label, item, like.shape, like.dtype, like)
        if item is not None and any(np.may_share_memory(result, other.result) for other in prepared.values()):
            raise ParameterError(f"{label} shares memory with another array of out")
        array, _ = outputs.output_array(result, sources)
        if not np.may_share_memory(axis.rows(array), array):
            array = np.empty(like.shape, like.dtype)  # no view (outer, classes, inner) of this layout
        prepared[name] = Output(array, result)
    return prepared


def quick(info: LossInfo, values: Mapping[str, Any]) -> Any:
    """Return what answers plain calls of a loss object with these parameters, or None."""
    kernel, numbers = info.resolve_kernel(values)
    plain = (
        info.inputs[1].indices
        and info.inputs[0].domain is REAL
        and values["reduction"] in ("mean", "sum")
        and values.get("axis", 1) == 1
        and all(values[name] is None for name in info.array_parameter_names if name != "weight")
        and (values.get("weight") is None or values["weight"].ndim == 1)
    )
    return _softmax.Quick(kernel, numbers, values) if plain else None


answer.GEOMETRIES["softmax"] = evaluate
parameters.QUICK["softmax"] = quick
