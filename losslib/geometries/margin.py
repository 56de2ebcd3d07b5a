"""The margin geometry: the scores of a row of classes against the score of its target.

Rows of float32 or float64 go to ``pyx/margin``, which returns one float64 value for each row and writes the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import read_where
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, DTypeError, ShapeError
from losslib.geometries.base import COMPONENTS, Geometry, Reading, Samples, Work, domains_of, draw_rows
from losslib.geometries.rows import as_output_rows, as_rows, lies_in_rows, slabs

__all__ = ["geometry"]


@dataclass(kw_only=True)
class Scores(Reading):
    """Scores of classes and their targets."""

    target: np.ndarray


class Margin(Geometry):
    kernels = "margin"
    looks_in_pass = True

    def plain(self, info: LossInfo, values: Mapping[str, Any]) -> Any:
        if values["reduction"] not in ("mean", "sum") or values.get("weight") is not None:
            return None
        kernel, numbers = info.resolve_kernel(values)
        return self.driver.PlainMargin(kernel, numbers[0], values["reduction"] == "mean", values["check"])

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Scores:
        item = info.inputs[1]
        scores = arrays.read_array(info.inputs[0].name, raw[0])
        # A class index has no part in the type of the computation, a row of probabilities has.
        if item.holds == "row":
            target = arrays.read_array(item.name, raw[1])
            dtype = arrays.promote([scores, target], raw)
        else:
            target, dtype = arrays.read_integers(item.name, raw[1]), scores.dtype
        require_rows(info, scores)
        if item.holds != "class":
            require_target_shape(info, target, scores)
        # A number is the score of one class, as in PyTorch.
        classes, shape = scores.shape[-1] if scores.ndim else 1, scores.shape[:-1]
        if not shape and target.shape == (1,) and item.holds == "class":
            shape = (1,)  # one row of scores with a list of one class, as PyTorch takes it
        class_weight = values.get("weight")
        if class_weight is not None and class_weight.shape != (classes,):
            raise ShapeError(f"weight has shape {class_weight.shape}, expected ({classes},): one weight for each class")
        mask = read_where(options, shape, "a mask of the samples, broadcasting to the shape of the unreduced values")
        if item.holds == "class_list":
            target = read_class_lists(item.name, target, classes, mask)
        elif item.holds == "class":
            target = arrays.read_classes(item.name, target, shape, classes, mask)
        weight = None if class_weight is None else class_weight.astype(np.float64)[target]
        return Scores(given=[scores, target], shape=shape, dtype=dtype, mask=mask, weight=weight, target=target)

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, Scores)
        item, scores = info.inputs[1], np.atleast_1d(reading.given[0])
        if not scores.size:
            return
        if item.holds == "class_list":
            require_classes(item.name, reading.target, scores.shape[-1], reading.mask)
        elif item.holds == "row" and values["check"]:
            kept = None if reading.mask is None else np.broadcast_to(reading.mask[..., np.newaxis], scores.shape)
            arrays.require_domain(item.name, reading.target, item.domain, item.fix, kept, info.name)

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Scores,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        scores, target, holds = reading.given[0], reading.target, info.inputs[1].holds
        if not scores.size:
            found.fill(0.0)
            return
        kernel, numbers = info.resolve_kernel(values)
        computed, dense = reading.computed, holds == "row"
        score_rows = np.atleast_2d(scores)
        target_rows = target.reshape(-1, 1) if holds == "class" else np.atleast_2d(target)
        gradient = np.atleast_2d(work.derivatives[0].array) if work.derivatives else None
        factors = np.ascontiguousarray(samples.factor(), np.float64).reshape(-1)
        kept = None if reading.mask is None else reading.mask.reshape(-1)
        converted = [array for array in (score_rows, target_rows if dense else None, gradient) if array is not None]
        for part in slabs(score_rows, not all(lies_in_rows(array, computed) for array in converted)):
            grad = None if gradient is None else as_output_rows(gradient[part], computed)
            violated = self.driver.run(
                kernel,
                as_rows(score_rows[part], computed),
                as_rows(target_rows[part], computed if dense else target.dtype),
                None if kept is None else np.ascontiguousarray(kept[part]),
                factors if factors.size == 1 else factors[part],
                numbers[0],
                found.reshape(-1)[part],
                grad,
            )
            # Single classes and, where outputs overwrite inputs, domains were looked at before: what is seen again
            # then has been changed by another thread.
            if violated and (holds != "row" or (values["check"] and not work.shares)):
                self.look(info, values, reading)
                raise DomainError(
                    f"an input of {info.name} left its domain during the call; it was changed by another thread"
                )
            if grad is not None and gradient is not None and not np.may_share_memory(grad, gradient):
                np.copyto(gradient[part], grad, casting="same_kind")

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return self.sample_axes(info, values, ndim)

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return tuple(range(ndim - 1))

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        rows = max(1, elements // COMPONENTS)
        domains = domains_of(info, values)
        return [draw_rows(item, domain, rng, rows) for item, domain in zip(info.inputs, domains, strict=True)]


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


def require_target_shape(info: LossInfo, target: np.ndarray, scores: np.ndarray) -> None:
    """Raise unless a target with a row for each sample has the shape of the scores, with advice for class indices."""
    name, reference = info.inputs[1].name, info.inputs[0].name
    if target.shape != scores.shape and target.shape == scores.shape[:-1]:
        classes = scores.shape[-1]
        fix = (
            f"one-hot rows, numpy.eye({classes})[{name}]"
            if info.inputs[1].holds == "row"
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
        place, index = arrays.first(bad, array)
        raise DomainError(
            f"{name}{place} is {int(index)}, outside the classes: expected 0 to {classes - 1}, and -1 behind the last"
        )


geometry = Margin()
