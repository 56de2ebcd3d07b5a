"""Calls of the margin losses: the scores of a row of classes against the score of its target.

``evaluate`` reads the arrays, checks everything and hands rows of float32 or float64 to ``pyx/margin.pyx``, which
returns one float64 value for each row and writes the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from losslib import _kernels
from losslib.call import arrays, parameters
from losslib.call.answer import GEOMETRIES, arrange, read_call, wrt_positions
from losslib.call.operands import Operands, call_array, read_inputs
from losslib.call.outputs import Output, prepare_derivatives
from losslib.call.samples import (
    as_output_rows,
    as_rows,
    lies_in_rows,
    prepare_values,
    read_classes,
    read_mask,
    read_samples,
    slabs,
)
from losslib.declaration.modes import GRAD, VALUE
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, DTypeError, ShapeError

__all__ = ["KINDS", "evaluate"]

_rows = _kernels.load("margin")

#: The losses by number, as the compiled driver knows them.
KINDS = (
    "multi_margin",
    "multi_margin_squared",
    "crammer_singer",
    "categorical_hinge",
    "multilabel_margin",
)


def evaluate(loss: Any, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a call of a margin loss: the value, the gradient or both, as ``mode`` says."""
    info: LossInfo = loss.info
    owner, raw, options = read_call(info, mode, args, kwargs, info.array_parameter_names)
    values = loss.parameters
    reduction: str = values["reduction"]
    kernel, numbers = info.resolve_kernel(values)
    dense, lists = kernel == "categorical_hinge", kernel == "multilabel_margin"

    # Inputs. A class index has no part in the type of the computation, a probability has.
    if dense:
        (scores, target), dtype = read_inputs(info, raw)
    else:
        scores = arrays.read_array(info.inputs[0].name, raw[0])
        dtype, target = scores.dtype, arrays.read_integers(info.inputs[1].name, raw[1])
    require_rows(info, scores)
    if dense or lists:
        require_target_shape(info, target, scores, dense)
    classes = scores.shape[-1] if scores.ndim else 1  # a number is the score of one class, as in PyTorch
    shape = scores.shape[:-1]
    if not shape and target.shape == (1,) and not dense and not lists:
        shape = (1,)  # one row of scores with a list of one class, as PyTorch takes it
    class_weight = call_array(loss, info, options, "weight") if "weight" in info.array_parameter_names else None
    if class_weight is not None and class_weight.shape != (classes,):
        raise ShapeError(f"weight has shape {class_weight.shape}, expected ({classes},): one weight for each class")
    mask = read_mask(options.get("where"), shape)
    target_name = info.inputs[1].name
    if lists:
        target = read_class_lists(target_name, target, classes, mask)
    elif not dense:
        target = read_classes(target_name, target, shape, classes, mask=mask)
    weight = None if class_weight is None else class_weight.astype(np.float64)[target]

    out = options.pop("out", None)
    positions, single = wrt_positions(info, options.pop("wrt", None), owner) if mode != VALUE else ((), True)
    samples = read_samples(shape, reduction, options, class_weight=weight)

    # Outputs, checked before anything is written. The values are written after everything has been read.
    values_out = prepare_values(out, reduction, shape, dtype) if mode == VALUE else None
    derivatives: list[Output] = []
    shares = False
    if mode != VALUE:
        operands = Operands(
            scores.shape, [scores, target], [scores, target], [], mask, None, None, dtype == np.float64, dtype
        )
        sources = [scores, target] if mask is None else [scores, target, mask]
        derivatives, _, shares = prepare_derivatives(info, False, positions, operands, out, sources, owner)

    if scores.size == 0:
        value = None if mode == GRAD else samples.reduce(np.zeros(shape), dtype, values_out)
        return arrange(mode, value, [item.result for item in derivatives], single)

    def look() -> None:
        """Raise if a target lies outside its domain."""
        if lists:
            require_classes(target_name, target, classes, mask)
        elif dense and values["check"]:
            rows_kept = None if mask is None else np.broadcast_to(mask[..., np.newaxis], (*shape, classes))
            arrays.require_domain(target_name, target, info.inputs[1].domain, info.inputs[1].fix, rows_kept, info.name)

    if shares:  # no input is lost: look first, write afterwards
        look()
    found = np.empty(shape, np.float64)
    computed = np.dtype(np.float64 if dtype == np.float64 else np.float32)
    score_rows = np.atleast_2d(scores)
    target_rows = target.reshape(-1, 1) if not dense and not lists else np.atleast_2d(target)
    gradient = None if mode == VALUE else np.atleast_2d(derivatives[0].array)
    factors = np.ascontiguousarray(samples.scale, np.float64).reshape(-1)
    kept = None if mask is None else mask.reshape(-1)
    converted = [array for array in (score_rows, target_rows if dense else None, gradient) if array is not None]
    single_class = not lists and not dense  # checked before; seen again only if another thread changed it
    for part in slabs(score_rows, not all(lies_in_rows(array, computed) for array in converted)):
        grad = None if gradient is None else as_output_rows(gradient[part], computed)
        violated = _rows.run(
            KINDS.index(kernel),
            as_rows(score_rows[part], computed),
            as_rows(target_rows[part], computed if dense else target.dtype),
            None if kept is None else np.ascontiguousarray(kept[part]),
            factors if factors.size == 1 else factors[part],
            numbers[0],
            found.reshape(-1)[part],
            grad,
        )
        if violated and (single_class or ((lists or values["check"]) and not shares)):
            look()
            raise DomainError(
                f"an input of {info.name} left its domain during the call; it was changed by another thread"
            )
        if grad is not None and gradient is not None and not np.may_share_memory(grad, gradient):
            np.copyto(gradient[part], grad, casting="same_kind")
    value = None if mode == GRAD else samples.reduce(found, dtype, values_out)
    return arrange(mode, value, [item.finish() for item in derivatives], single)


# ---- reading -----------------------------------------------------------------------------------------------------


def require_rows(info: LossInfo, scores: np.ndarray) -> None:
    """Raise unless the scores are one row of classes or several."""
    if scores.ndim > 2:
        fix = "; move the class axis last and flatten the others: numpy.moveaxis(input, 1, -1).reshape(-1, C)"
        raise ShapeError(
            f"{info.inputs[0].name} of {info.name} has shape {scores.shape}; "
            f"expected (N, C), or (C,) for one sample{fix}"
        )
    if scores.ndim > 0 and scores.shape[-1] == 0 and scores.shape[0:-1] != (0,):
        raise ShapeError(
            f"{info.inputs[0].name} of {info.name} has shape {scores.shape}; a sample needs at least one class"
        )


def require_target_shape(info: LossInfo, target: np.ndarray, scores: np.ndarray, dense: bool) -> None:
    """Raise unless a target with a row for each sample has the shape of the scores, with advice for class indices."""
    name, reference = info.inputs[1].name, info.inputs[0].name
    if target.shape != scores.shape and target.shape == scores.shape[:-1]:
        classes = scores.shape[-1]
        fix = (
            f"one-hot rows, numpy.eye({classes})[{name}]"
            if dense
            else f"rows of class indices filled up with -1; with one class a sample, multi_margin_loss takes {name}"
        )
        raise ShapeError(
            f"{name} has shape {target.shape}, expected {scores.shape}, the shape of {reference}; "
            f"{info.name} takes {fix}"
        )
    arrays.require_same_shape(name, target, reference, scores)


def read_class_lists(name: str, array: np.ndarray, classes: int, mask: np.ndarray | None) -> np.ndarray:
    """Return rows of class indices as int64; the driver checks them, but for those that must be converted first."""
    if array.dtype.kind not in "iu":
        raise DTypeError(
            f"{name} has dtype {array.dtype}; class indices must be integers: use {name}.astype(numpy.int64)"
        )
    if array.dtype == np.int64 and array.dtype.isnative and array.flags.aligned:
        return array
    require_classes(name, array, classes, mask)  # before uint64 wraps
    return array.astype(np.int64)


def require_classes(name: str, array: np.ndarray, classes: int, mask: np.ndarray | None) -> None:
    """Raise unless every entry of the lists is a class or -1: behind the end of a list too, as in PyTorch."""
    bad = (array < -1) | (array >= classes)
    if mask is not None:
        bad &= mask[..., np.newaxis]
    if bad.any():
        position = np.unravel_index(int(np.argmax(bad)), bad.shape)
        place = ", ".join(str(int(k)) for k in position)
        raise DomainError(
            f"{name}[{place}] is {int(array[position])}, outside the classes: expected 0 to {classes - 1}, "
            f"and -1 behind the last"
        )


def quick(info: LossInfo, values: Mapping[str, Any]) -> Any:
    """Return what answers plain calls of a loss object with these parameters, or None."""
    if values["reduction"] not in ("mean", "sum") or values.get("weight") is not None:
        return None
    kernel, numbers = info.resolve_kernel(values)
    return _rows.Quick(KINDS.index(kernel), numbers[0], values["reduction"] == "mean", values["check"])


GEOMETRIES["margin"] = evaluate
parameters.QUICK["margin"] = quick
