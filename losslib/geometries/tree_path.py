"""The geometry of paths: a class is a leaf of a complete binary tree, and a row meets the nodes on the way to it.

``pyx/ordinal/paths.pxd`` goes up from the leaf of each row, and then adds up for each node what the rows have brought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import read_where
from losslib.declaration.schema import LossInfo
from losslib.errors import ParameterError, ShapeError
from losslib.geometries.base import COMPONENTS, Geometry, Reading, Samples, Work

__all__ = ["geometry"]

HIDDEN, TARGET, WEIGHT, BIAS = 0, 1, 2, 3


@dataclass(kw_only=True)
class Paths(Reading):
    """Hidden states, the code of the class of each, and the nodes."""

    target: np.ndarray
    nodes: np.ndarray
    bias: np.ndarray | None


class TreePath(Geometry):
    kernels = "ordinal"
    uncut = "rows that share the nodes of a tree"
    chunked = False

    def read(self, info: LossInfo, values: Mapping[str, Any], raw: Sequence[Any], options: dict[str, Any]) -> Paths:
        names = info.input_names
        hidden = arrays.read_array(names[HIDDEN], raw[HIDDEN])
        nodes = arrays.read_array(names[WEIGHT], raw[WEIGHT])
        bias = None if raw[BIAS] is None else arrays.read_array(names[BIAS], raw[BIAS])
        if hidden.ndim != 2:
            raise ShapeError(f"{names[HIDDEN]} has shape {hidden.shape}, expected (N, D)")
        if nodes.ndim != 2 or not len(nodes) or nodes.shape[1] != hidden.shape[1]:
            raise ShapeError(
                f"{names[WEIGHT]} has shape {nodes.shape}, expected (C - 1, D) with D = {hidden.shape[1]} for C classes"
            )
        if bias is not None and bias.shape != (len(nodes),):
            raise ShapeError(f"{names[BIAS]} has shape {bias.shape}, expected ({len(nodes)},)")
        shape = (len(hidden),)
        mask = read_where(options, shape, "a mask of the samples")
        target = arrays.read_classes(names[TARGET], raw[TARGET], shape, len(nodes) + 1, mask)
        given: list[Any] = [hidden, target, nodes, bias]
        return Paths(
            given=given,
            shape=shape,
            dtype=arrays.promote([hidden, nodes]),
            mask=mask,
            target=target,
            nodes=nodes,
            bias=bias,
        )

    def offer(self, info: LossInfo, reading: Reading, positions: tuple[int, ...], hessian: bool, owner: str) -> None:
        if BIAS in positions and reading.given[BIAS] is None:
            raise ParameterError(f"wrt={info.inputs[BIAS].name!r}: the call has no such input")

    def run(
        self,
        info: LossInfo,
        values: Mapping[str, Any],
        reading: Paths,
        samples: Samples,
        found: np.ndarray,
        work: Work,
    ) -> None:
        dtype = reading.computed
        hidden = np.ascontiguousarray(reading.given[HIDDEN], dtype)
        wanted = {item.position: np.empty(item.array.shape, dtype) for item in work.derivatives}
        by_bias = np.empty(len(reading.nodes)) if BIAS in wanted else None
        self.driver.paths(
            hidden,
            np.ascontiguousarray(reading.nodes, dtype),
            None if reading.bias is None else np.ascontiguousarray(reading.bias, np.float64),
            np.ascontiguousarray(reading.target, np.int64),
            (2 * len(reading.nodes) + 1).bit_length() - 1,  # of the largest code
            factor=np.ascontiguousarray(samples.factor_per_sample(), np.float64),
            keep=None if reading.mask is None else np.ascontiguousarray(reading.mask).view(np.uint8),
            values=found,
            by_hidden=wanted.get(HIDDEN),
            by_vectors=wanted.get(WEIGHT),
            by_bias=by_bias,
        )
        for item in work.derivatives:
            array = by_bias if item.position == BIAS else wanted[item.position]
            assert array is not None
            np.copyto(item.array, array, casting="same_kind")

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        rows, classes = max(1, elements // COMPONENTS), COMPONENTS + 1
        return [
            rng.standard_normal((rows, COMPONENTS)),
            rng.integers(0, classes, rows),
            rng.standard_normal((classes - 1, COMPONENTS)),
            rng.standard_normal(classes - 1),
        ]


geometry = TreePath()
