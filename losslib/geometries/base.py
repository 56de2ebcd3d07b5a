"""What every geometry can do: the interface that calls, command line, accumulators, benchmarks and pages ask.

``losslib.call.answer`` owns the order of steps of a call and asks the geometry for each of them:

``read``     the arrays of the call, checked as far as memory safety goes (shapes, types, addresses)
``look``     whether values lie in their domains, which ``check=False`` skips
``compute``  one pass of the compiled driver: the value, and the derivatives written where they belong

A geometry is a module of this package with one object, ``geometry``. ``plain`` answers calls on plain arrays without
any of the above, ``cut_axes`` lets data be computed in pieces, ``draw`` makes legal inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from losslib import _kernels
from losslib.call import arrays
from losslib.call.outputs import Work
from losslib.call.samples import Reading, Samples
from losslib.declaration.schema import Domain, Input, LossInfo

__all__ = ["Geometry", "Reading", "Samples", "Work", "draw_numbers"]

#: Components of a row that is drawn.
COMPONENTS = 10


class Geometry:
    """Which numbers meet in a loss, and everything that follows from it."""

    #: The compiled module in ``losslib._kernels``, loaded when the geometry is.
    kernels: ClassVar[str]
    #: True if the driver checks domains in its pass; `look` comes first only where outputs overwrite inputs then.
    looks_in_pass: ClassVar[bool] = False
    #: Why data may not be cut between rows, where `cut_axes` does not have the first axis: what rows are.
    uncut: ClassVar[str] = "parts of a sample or have weights of their own"
    #: What `in_chunks` says of all losses.
    chunked: ClassVar[bool] = True
    #: True if the mean over samples of which none counts is 0.0, as the sum is; without samples it is NaN anyway.
    nothing_is_zero: ClassVar[bool] = False

    def __init__(self) -> None:
        self.driver: ModuleType = _kernels.load(self.kernels)

    # -- a loss object

    def bind(
        self, info: LossInfo, values: Mapping[str, Any]
    ) -> tuple[str | None, tuple[float, ...], tuple[int, ...], Any]:
        """Return what a loss object keeps: pointwise kernel, its numbers, domain codes, what answers plain calls."""
        return None, (), (), self.plain(info, values)

    def plain(self, info: LossInfo, values: Mapping[str, Any]) -> Any:
        """Return the compiled object that answers calls on plain arrays with these parameters, or None."""
        return None

    # -- the steps of a call

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Reading:
        """Read the inputs, take ``where`` out of the options, check shapes, types and addresses."""
        raise NotImplementedError

    def offer(self, info: LossInfo, reading: Reading, positions: tuple[int, ...], hessian: bool, owner: str) -> None:
        """Raise ``ParameterError`` for derivatives that these inputs do not have."""

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        """Raise ``DomainError`` for the first value outside its domain, where the parameters ask for checks."""

    def compute(self, info: LossInfo, values: Mapping[str, Any], reading: Reading, samples: Samples, work: Work) -> Any:
        """Run one pass and return the value: reduced, unreduced, or `Terms`, as the reduction of `samples` says.

        Every geometry whose driver gives one float64 number a sample has this from here and brings `run`.
        """
        found = np.empty(reading.shape, np.float64)
        self.run(info, values, reading, samples, found, work)
        return samples.reduce(found, reading.dtype, work.values) if work.wants_value else None

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Any,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        """Write the value of each sample into `found`, without its weight, and the derivatives into their outputs."""
        raise NotImplementedError

    def hand_over(self, reading: Any, position: int, derivative: np.ndarray) -> Any:
        """Return the derivative by an input in the form that the input came in."""
        return derivative

    # -- what others ask

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        """Return the axes of the first input along which data may be computed in pieces.

        Targets, weights and masks are cut along the axes that stand for the same samples (`sample_axes`). The terms of
        the pieces add up to those of the whole: numerators and denominators alike.
        """
        return ()

    def in_chunks(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        """True if chunks of Dask arrays, cut as `cut_axes` says, are pieces of the data of this loss."""
        return self.chunked

    def meets_all(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        """True if every sample may meet every other: terms of several calls, or of groups, do not belong together."""
        return False

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        """Return for each axis of the unreduced values the axis of the first input that it stands for."""
        return tuple(range(ndim))

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        """Draw legal inputs in float64 and int64, of about so many elements in all samples."""
        raise NotImplementedError

    # -- for the geometries

    def require_domains(
        self, info: LossInfo, domains: Sequence[Domain], given: Sequence[np.ndarray], mask: np.ndarray | None
    ) -> None:
        """Raise ``DomainError`` for the first value outside its domain; the mask is of the shape of the inputs."""
        for item, domain, array in zip(info.inputs, domains, given, strict=False):
            if domain.code:
                arrays.require_domain(item.name, array, domain, item.fix, mask, info.name)


def domains_of(info: LossInfo, values: Mapping[str, Any]) -> tuple[Domain, ...]:
    """Return the domains of the inputs of a loss with these parameters."""
    if info.input_domains is not None:
        return info.input_domains(values)
    return tuple(item.domain for item in info.inputs)


def draw_numbers(domain: Domain, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw numbers from the inside of a domain."""
    if domain.name == "probability":
        return np.asarray(rng.uniform(0.01, 0.99, shape))
    if domain.name in ("nonnegative", "positive", "above_minus_one"):
        return np.asarray(rng.uniform(0.1, 3.0, shape))
    if domain.name == "sign":
        return np.where(rng.random(shape) < 0.5, -1.0, 1.0)
    if domain.name == "binary":
        return np.where(rng.random(shape) < 0.5, 0.0, 1.0)
    if domain.name == "cosine":
        return np.asarray(rng.uniform(-1.0, 1.0, shape))
    return rng.standard_normal(shape)


def draw_rows(
    item: Input, domain: Domain, rng: np.random.Generator, rows: int, components: int = COMPONENTS
) -> np.ndarray:
    """Draw what an input of row losses holds: rows, labels, classes or lists of classes."""
    if item.holds == "class":
        return rng.integers(0, components, rows)
    if item.holds == "class_list":
        lists = np.full((rows, components), -1)
        lists[:, 0] = rng.integers(0, components, rows)
        return lists
    if item.holds == "label":
        return draw_numbers(domain, rng, (rows,))
    return draw_numbers(domain, rng, (rows, components))
