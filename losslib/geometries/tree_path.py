"""The geometry of paths: a class is a leaf of a complete binary tree, and a row meets the nodes on the way to it.

Level by level, so that a pass gathers one node for each row; ``pyx/ordinal`` answers the questions at the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        if reading.mask is not None:
            hidden = np.where(reading.mask[:, np.newaxis], hidden, np.zeros((), dtype))
        nodes = reading.nodes.astype(dtype, copy=False)
        factor = samples.factor_per_sample()
        wanted = {item.position: np.zeros(item.array.shape, dtype) for item in work.derivatives}
        found.fill(0.0)
        for rows, places, bits in levels(reading.target, len(nodes) + 1):
            vectors = nodes[places]
            z = np.einsum("ij,ij->i", hidden[rows], vectors, dtype=np.float64)
            if reading.bias is not None:
                z = z + reading.bias[places]
            slope, value = np.empty((len(rows), 1)), np.empty(len(rows))
            self.driver.run(
                self.driver.KINDS["levels"], z[:, np.newaxis], np.zeros(len(rows), np.int64), bits[:, np.newaxis], None,
                factor=factor[rows], keep=None, values=value, grad=slope, hess=None,
            )  # fmt: skip
            found[rows] += value
            if HIDDEN in wanted:
                wanted[HIDDEN][rows] += (slope * vectors).astype(dtype, copy=False)
            if WEIGHT in wanted:
                np.add.at(wanted[WEIGHT], places, (slope * hidden[rows]).astype(dtype, copy=False))
            if BIAS in wanted:
                wanted[BIAS] += np.bincount(places, slope[:, 0], len(nodes)).astype(dtype)
        for item in work.derivatives:
            np.copyto(item.array, wanted[item.position], casting="same_kind")

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


def levels(target: np.ndarray, classes: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Go up from the leaves: the rows that have a node at a level, the node of each and the answer there."""
    code = target + classes
    while True:
        rows = np.flatnonzero(code > 1)
        if not len(rows):
            return
        yield rows, (code[rows] >> 1) - 1, (code[rows] & 1).astype(np.float64)
        code = code >> 1


geometry = TreePath()
