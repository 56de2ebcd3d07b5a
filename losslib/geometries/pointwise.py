"""The pointwise geometry: every element by itself, with a target and perhaps a third input.

Weights, masks and upstream gradients are handled block by block in the driver; nothing of the size of the data is made
but the results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib._kernels.loss import execute
from losslib.call import arrays
from losslib.call.samples import TermByTerm, Terms, read_where
from losslib.declaration.schema import Array, Domain, LossInfo
from losslib.errors import DomainError, ShapeError
from losslib.geometries.base import COMPONENTS, Geometry, Reading, Samples, Work, domains_of, draw_numbers

__all__ = ["geometry"]


@dataclass(kw_only=True)
class Elements(Reading):
    """The arrays of a call, all of one shape."""

    inputs: list[np.ndarray]
    kernel: str
    numbers: tuple[float, ...]
    domains: Sequence[Domain]
    #: The codes of the domains to check, 0 for none; one for each input of the kernel.
    codes: tuple[int, ...]

    def sources(self) -> list[np.ndarray]:
        extra = (self.mask, self.weight)
        return [*self.inputs, *(array for array in extra if array is not None)]


class Pointwise(Geometry):
    kernels = "pointwise"
    looks_in_pass = True

    def bind(
        self, info: LossInfo, values: Mapping[str, Any]
    ) -> tuple[str | None, tuple[float, ...], tuple[int, ...], Any]:
        kernel, numbers = info.resolve_kernel(values)
        codes = tuple(domain.code if values["check"] else 0 for domain in domains_of(info, values))
        arrays_bound = [values[item.name] for item in info.parameters if isinstance(item, Array)]
        return kernel, numbers, codes, all(array is None for array in arrays_bound)

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Elements:
        given = [arrays.read_array(item.name, obj) for item, obj in zip(info.inputs, raw, strict=True)]
        dtype = arrays.promote(given, raw)
        inputs = fit_inputs(info, given)
        shape = inputs[0].shape
        if info.averages_last_axis and not shape:
            raise ShapeError(f"{info.inputs[0].name} of {info.name} needs a class axis, got a number")
        weight = values.get("weight")
        if weight is not None:
            expected = f"an array that broadcasts to the shape of {info.inputs[0].name}"
            weight = arrays.broadcast_to("weight", weight, shape, expected)
        positive = values.get("pos_weight")
        if isinstance(positive, np.ndarray):  # one number is a parameter of the kernel
            expected = "an array that broadcasts to the shape of target"
            positive = arrays.broadcast_to("pos_weight", positive, shape, expected)
            values = {**values, "pos_weight": positive}
            inputs = [*inputs, positive]
        kernel, numbers = info.resolve_kernel(values)
        domains = domains_of(info, values)
        return Elements(
            given=given,
            shape=shape,
            dtype=dtype,
            mask=read_where(
                options, shape, f"a mask that broadcasts to the shape of {info.inputs[0].name}", copy=False
            ),
            weight=weight,
            divides_by_weight=info.mean_divisor == "weight" and weight is not None,
            averages_last_axis=info.averages_last_axis,
            inputs=inputs,
            kernel=kernel,
            numbers=numbers,
            domains=domains,
            codes=(*(domain.code if values["check"] else 0 for domain in domains), 0),
        )

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, Elements)
        if not any(reading.codes) or 0 in reading.shape:
            return
        _, violations = execute(
            reading.kernel,
            reading.numbers,
            double_precision=reading.double_precision,
            inputs=reading.inputs,
            domains=reading.codes,
            mask=reading.mask,
            check_only=True,
        )
        self.raise_violations(info, reading, violations)
        reading.codes = (0,) * len(reading.codes)

    def compute(self, info: LossInfo, values: Mapping[str, Any], reading: Reading, samples: Samples, work: Work) -> Any:
        assert isinstance(reading, Elements)
        if isinstance(samples.reduction, TermByTerm):
            return self.terms(info, reading, samples)
        unreduced = samples.reduction == "none" and work.wants_value
        if 0 in reading.shape:
            return self.of_nothing(reading, samples, work)
        target = work.values
        averaged = unreduced and reading.averages_last_axis
        if averaged:
            target = np.empty(reading.shape, reading.computed)
        factors = [*samples.weights] if samples.upstream is None else [*samples.weights, samples.upstream]
        total, violations = execute(
            reading.kernel,
            reading.numbers,
            double_precision=reading.double_precision,
            inputs=reading.inputs,
            domains=reading.codes,
            factors=factors,
            value_factors=len(samples.weights),
            mask=reading.mask,
            value=target,
            reduce=work.wants_value and not unreduced,
            want_value=work.wants_value,
            derivatives=[item.array for item in work.derivatives],
            # The plane of each derivative: grad, hess of the first input, then of the second, then of the third.
            planes=tuple(1 + 2 * item.position + (item.order - 1) for item in work.derivatives),
            scale=samples.scale,
            stage=work.shares,
        )
        self.raise_violations(info, reading, violations)
        if not work.wants_value:
            return None
        if not unreduced:
            return samples.divide(total)
        if averaged and work.values is not None and target is not None:
            mean = target.sum(axis=-1, dtype=np.float64) / reading.shape[-1]
            np.copyto(work.values, mean, casting="same_kind")
        return work.values

    def terms(self, info: LossInfo, reading: Elements, samples: Samples) -> Terms:
        """Return what every element adds to numerator and denominator, instead of the sums."""
        if samples.reduction == "batchmean" and 0 in reading.shape:  # samples count, with no element to stand at
            return Terms(np.zeros(reading.shape[0]), np.ones(reading.shape[0]))
        found = np.empty(reading.shape, np.float64)
        if found.size:
            _, violations = execute(
                reading.kernel,
                reading.numbers,
                double_precision=reading.double_precision,
                inputs=reading.inputs,
                domains=reading.codes,
                factors=samples.weights,
                value_factors=len(samples.weights),
                mask=reading.mask,
                value=found,
            )
            self.raise_violations(info, reading, violations)
            if reading.averages_last_axis:
                found /= reading.shape[-1]
        return Terms(found, samples.divisors)

    def of_nothing(self, reading: Elements, samples: Samples, work: Work) -> Any:
        """Answer a call on arrays without elements: 0.0 for the sum, 0/0 for a mean over no element, empty arrays."""
        for item in work.derivatives:
            item.array.fill(0.0)
        if not work.wants_value:
            return None
        if work.values is not None:
            work.values.fill(np.nan)  # rows without classes: the mean over no element
            return work.values
        return samples.divide(0.0) if samples.reduction != "sum" else 0.0

    def raise_violations(self, info: LossInfo, reading: Elements, violations: int) -> None:
        """Find the first value outside a domain and say so; what the pass noticed, in words."""
        if not violations:
            return
        for position, (item, domain) in enumerate(zip(info.inputs, reading.domains, strict=False)):
            if violations & (1 << position):
                arrays.require_domain(item.name, reading.inputs[position], domain, item.fix, reading.mask, info.name)
        raise DomainError(f"an input of {info.name} left its domain during the call; it was changed by another thread")

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        axes = set(self.sample_axes(info, values, ndim))
        if values["reduction"] == "batchmean":
            axes &= {0}  # a sample is counted once, wherever its other axes would be cut
        for name in info.array_parameter_names:
            weight = values[name]
            if isinstance(weight, np.ndarray):  # it broadcasts, by NumPy's rule, against the whole of its axes only
                axes -= {ndim - k for k, length in enumerate(reversed(weight.shape), 1) if length != 1}
        return tuple(sorted(axes))

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return tuple(range(ndim - 1 if info.averages_last_axis else ndim))

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        shape: tuple[int, ...] = (elements,)
        if info.averages_last_axis:
            shape = (max(1, elements // COMPONENTS), COMPONENTS)
        return [draw_numbers(domain, rng, shape) for domain in domains_of(info, values)]


def fit_inputs(info: LossInfo, given: list[np.ndarray]) -> list[np.ndarray]:
    """Bring the inputs to the shape of the first: exact for targets, broadcast for a third input such as `var`."""
    first = given[0]
    fitted = [first]
    for item, array in zip(info.inputs[1:], given[1:], strict=True):
        if array.ndim == 0:
            fitted.append(np.broadcast_to(array, first.shape))
        elif item.broadcasts:
            fitted.append(fit_third_input(item.name, array, info.inputs[0].name, first))
        else:
            arrays.require_same_shape(item.name, array, info.inputs[0].name, first)
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


geometry = Pointwise()
