"""The similarity geometry: every vector of a batch against every other, or against proxies of classes.

The products come from ``numpy.matmul``, whose threads are those of NumPy's BLAS and the user's to set; those of losslib
change no bit. Pairs and triplets are never listed: a row of similarities becomes its own gradient in place.
What a loss does with the products stands in ``plans.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib._kernels.loss import total
from losslib.call import arrays
from losslib.call.samples import TermByTerm, Terms, ratio, read_where
from losslib.declaration.schema import LossInfo
from losslib.errors import DTypeError, ParameterError, ShapeError
from losslib.geometries.base import Geometry, Reading, Samples, Work
from losslib.geometries.plans import PLANS, Run
from losslib.geometries.products import Vectors

__all__ = ["SimilarityReading", "geometry"]

#: Components of a vector that is drawn, and classes of a batch.
COMPONENTS, CLASSES = 8, 3
COUNTED = "a mask of the vectors (pairs) of the batch"
#: Inputs that hold one vector a row, and those that are a number.
VECTORS = ("input", "input1", "input2", "reference", "proxies", "centers", "negatives")
NUMBERS = ("logit_scale", "logit_bias", "beta")
#: Losses whose vectors meet proxies or centres and no other vector: they add up over samples.
BY_THEMSELVES = ("proxy_nca", "soft_triple", "center")


@dataclass(kw_only=True)
class SimilarityReading(Reading):
    """The arrays of a call by name; labels are int64, a mask of positives one byte an entry."""

    arrays: dict[str, np.ndarray]
    #: Which vectors or pairs belong to the batch, and True if nothing leaves one out.
    kept: np.ndarray
    keeps_all: bool = False
    labels: np.ndarray | None = None
    positive: np.ndarray | None = None
    reference_labels: np.ndarray | None = None


class Similarity(Geometry):
    kernels = "similarity"
    nothing_is_zero = True
    uncut = "vectors that meet all others of the batch"

    def read(
        self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]
    ) -> SimilarityReading:
        given: list[Any] = []
        found: dict[str, np.ndarray] = {}
        for item, obj in zip(info.inputs, raw, strict=True):
            if obj is None and item.optional:
                given.append(None)
            elif item.holds in ("class", "member"):
                given.append(arrays.read_integers(item.name, obj))
            else:
                found[item.name] = arrays.read_array(item.name, obj)
                given.append(found[item.name])
        require_vectors(info, values, found)
        first = given[0]
        shape = (len(first),)
        mask = read_where(options, shape, COUNTED)
        reading = SimilarityReading(
            given=given,
            shape=() if info.per == "batch" else shape,
            dtype=arrays.promote([array for name, array in found.items() if name in VECTORS]),
            mask=None if info.per == "batch" else mask,
            mean_divisor=1.0,
            arrays=found,
            kept=np.ones(shape, bool) if mask is None else np.ascontiguousarray(mask),
            keeps_all=mask is None,
        )
        by_name = dict(zip(info.input_names, given, strict=True))
        target, reference_target = by_name.get("target"), by_name.get("reference_target")
        if (by_name.get("reference") is None) != (reference_target is None):
            raise ParameterError(f"{info.name} needs reference and reference_target together")
        if target is not None:
            classes = next((len(found[name]) for name in ("proxies", "centers") if name in found), None)
            columns = len(found["reference"]) if "reference" in found else len(first)
            if values.get("distance") == "precomputed":
                if "reference" in found and columns != first.shape[1]:
                    raise ShapeError(
                        f"reference has {columns} rows and {info.inputs[0].name} has {first.shape[1]} columns; with "
                        f"distance='precomputed' column j holds distances to row j of reference"
                    )
                columns = first.shape[1]
            if target.dtype == np.bool_ and target.ndim == 2 and classes is None:
                if target.shape != (len(first), columns):
                    raise ShapeError(
                        f"target has shape {target.shape}, expected {(len(first), columns)} for a mask of positives"
                    )
                reading.positive = np.ascontiguousarray(target).view(np.uint8)
            elif classes is not None:
                reading.labels = arrays.read_classes("target", target, shape, classes, mask)
            else:
                reading.labels = read_labels("target", target, shape)
        if reference_target is not None:
            reading.reference_labels = read_labels("reference_target", reference_target, (len(found["reference"]),))
        return reading

    def compute(self, info: LossInfo, values: Mapping[str, Any], reading: Reading, samples: Samples, work: Work) -> Any:
        assert isinstance(reading, SimilarityReading)
        kept = reading.kept
        weight: np.ndarray | None = samples.weight()
        whole = info.per == "batch"
        factor: np.ndarray | None = None
        if work.derivatives:
            factor = np.ones(len(kept))
            if not whole:
                factor = np.where(kept, 1.0 if weight is None else weight, 0.0)
                if samples.upstream is not None:
                    factor = factor * samples.upstream.astype(np.float64)
        run = Run(
            driver=self.driver,
            info=info,
            values=values,
            reading=reading,
            kept=kept,
            factor=factor,
            wanted=frozenset(info.input_names[item.position] for item in work.derivatives),
        )
        PLANS[str(info.kernel)](run)
        number = samples.scale * samples.divisor if samples.divisor else 1.0  # the upstream gradient
        value, scale = reduce_rows(run, samples, kept, weight, number, whole, reading, work)
        for item in work.derivatives:
            found = run.gradients[info.input_names[item.position]]
            if isinstance(found, Vectors):
                found.deliver(scale, item.array)
            else:
                np.copyto(item.array, (found * scale).reshape(item.array.shape), casting="same_kind")
        return value

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return () if self.meets_all(info, values) else (0,)

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,)

    def in_chunks(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        return not self.meets_all(info, values)

    def meets_all(self, info: LossInfo, values: Mapping[str, Any]) -> bool:
        return info.kernel not in BY_THEMSELVES

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        count = max(2, elements // COMPONENTS)
        drawn: list[np.ndarray] = []
        centers = rng.standard_normal((CLASSES, COMPONENTS))
        labels = rng.integers(0, CLASSES, count)
        if "input2" in info.input_names:
            labels = np.arange(count)
            centers = rng.standard_normal((count, COMPONENTS))
        for item in info.inputs:
            drawn.append(self.draw_input(item.name, values, rng, centers, labels))
        return drawn

    def draw_input(
        self, name: str, values: Mapping[str, Any], rng: np.random.Generator, centers: np.ndarray, labels: np.ndarray
    ) -> np.ndarray:
        """Draw vectors near the centres of their classes, and what else the losses take."""
        if name in ("input", "input1", "input2"):
            return np.asarray(centers[labels] + 0.7 * rng.standard_normal((len(labels), centers.shape[1])))
        if name == "target":
            return labels % CLASSES
        if name == "reference_target":
            return np.arange(centers.shape[1]) % CLASSES
        # As many as components: a matrix of distances to them has the shape of the input.
        if name == "reference":
            return rng.standard_normal((centers.shape[1], centers.shape[1]))
        if name in ("proxies", "negatives"):
            return rng.standard_normal((CLASSES, centers.shape[1]))
        if name == "centers":
            return rng.standard_normal((CLASSES, 2, centers.shape[1]) if "la" in values else centers.shape)
        return np.array([{"logit_scale": 10.0, "logit_bias": -5.0, "beta": 1.25}[name]])


def reduce_rows(
    run: Run,
    samples: Samples,
    kept: np.ndarray,
    weight: np.ndarray | None,
    number: float,
    whole: bool,
    reading: SimilarityReading,
    work: Work,
) -> tuple[Any, float]:
    """Return the value in the form that the reduction asks for, and what the derivatives are multiplied by."""
    if whole:
        factor = 1.0 if weight is None else float(np.asarray(weight).reshape(()))
        upstream = number if samples.upstream is None else float(samples.upstream)
        value = None
        if work.wants_value:
            value = samples.reduce(np.asarray(run.values_of_rows[0]), reading.dtype, work.values)
        return value, factor * upstream
    values = run.values_of_rows if weight is None else run.values_of_rows * weight
    counts = run.counts
    if reading.keeps_all:
        values, counts = np.ascontiguousarray(values), np.ascontiguousarray(counts)
    else:
        values, counts = np.where(kept, values, 0.0), np.where(kept, counts, 0.0)
    if weight is not None and samples.reduction == "weighted_mean":
        counts = counts * weight
    divisor = total(counts) if samples.reduction in ("mean", "weighted_mean") else 1.0
    scale = number * (1.0 / divisor if divisor else 0.0)
    if not work.wants_value:
        return None, scale
    if isinstance(samples.reduction, TermByTerm):
        return Terms(values, counts if samples.reduction in ("mean", "weighted_mean") else None), scale
    if samples.reduction == "none":
        out = np.empty(reading.shape, reading.dtype) if work.values is None else work.values
        np.copyto(out, values, casting="same_kind")
        return out, scale
    return (ratio(total(values), divisor) if divisor else 0.0), scale


def read_labels(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Read labels of which only equality counts, as int64."""
    if array.dtype.kind not in "iub":
        raise DTypeError(
            f"{name} has dtype {array.dtype}; labels must be integers, or a boolean mask of the positives of each row: "
            f"use {name}.astype(numpy.int64)"
        )
    if array.shape != shape:
        raise ShapeError(f"{name} has shape {array.shape}, expected {shape}: one label for each vector")
    return array.astype(np.int64)


def require_vectors(info: LossInfo, values: Mapping[str, Any], found: Mapping[str, np.ndarray]) -> None:
    """Raise unless everything that holds vectors has rows of the same length."""
    first_name, first = next(iter(found.items()))
    if first.ndim != 2:
        fix = f"; a single vector is a batch of one: {first_name}[numpy.newaxis]" if first.ndim == 1 else ""
        raise ShapeError(f"{first_name} of {info.name} has shape {first.shape}, expected (N, D): one vector a row{fix}")
    for name, array in found.items():
        if name in NUMBERS:
            if array.size != 1 and not (name == "beta" and array.ndim == 1):
                raise ShapeError(f"{name} has shape {array.shape}, expected a number")
            continue
        deep = {"centers": (3,) if "la" in values else (2,), "negatives": (2, 3)}.get(name, (2,))
        if array.ndim not in deep or array.shape[-1] != first.shape[1]:
            shapes = {2: "(…, D)", 3: "(C, K, D)"}[deep[0]]
            raise ShapeError(
                f"{name} has shape {array.shape}, expected {shapes} with D = {first.shape[1]}, as {first_name} has"
            )
        if name == "input2" and len(array) != len(first):
            raise ShapeError(f"{name} has {len(array)} rows and {first_name} has {len(first)}; row i of both is a pair")
        if name == "negatives" and array.ndim == 3 and len(array) != len(first):
            raise ShapeError(f"{name} has shape {array.shape}; expected (K, D), or (N, K, D) with N = {len(first)}")


geometry = Similarity()
