"""The geometry of paths: a class is a leaf of a binary tree, and a row meets the nodes on the way to it.

The tree is the complete one of the class numbers, or the paths come with the rows. Level by level, so that a pass
gathers one node for each row; ``pyx/ordinal`` answers the questions at the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.call.samples import read_where
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, ParameterError, ShapeError
from losslib.geometries.base import COMPONENTS, Geometry, Reading, Samples, Work

__all__ = ["geometry"]

HIDDEN, TARGET, WEIGHT, BIAS, TABLE, CODE = 0, 1, 2, 3, 4, 5
#: Classes that are more than there can be.
ANY = 2**63 - 1


@dataclass(kw_only=True)
class Paths(Reading):
    """Hidden states, the class of each, and the nodes."""

    target: np.ndarray
    #: Leaves of the complete tree.
    classes: int
    nodes: np.ndarray
    bias: np.ndarray | None
    #: The nodes of the path of each row (N, L), the answers there, and which of them belong to the path.
    table: np.ndarray | None = None
    code: np.ndarray | None = None
    used: np.ndarray | None = None

    def levels(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Go along the paths: the rows that have a node at a level, the node of each and the answer there."""
        if self.table is None or self.code is None or self.used is None:
            yield from complete_tree(self.target, self.classes)
            return
        for level in range(self.table.shape[1]):
            rows = np.flatnonzero(self.used[:, level])
            if len(rows):
                yield rows, self.table[rows, level], self.code[rows, level].astype(np.float64)


class TreePath(Geometry):
    kernels = "ordinal"

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
        table, code, used = read_paths(names, raw, shape, len(nodes), mask)
        classes = values["num_classes"]
        if table is None:
            classes = classes or len(nodes) + 1
            if classes > len(nodes) + 1:
                raise ShapeError(
                    f"{names[WEIGHT]} has {len(nodes)} rows; num_classes={classes} needs {classes - 1}, one for each "
                    f"inner node"
                )
        target = arrays.read_classes(names[TARGET], raw[TARGET], shape, classes or ANY, mask)
        given: list[Any] = [hidden, target, nodes, bias, table, code]
        return Paths(
            given=given,
            shape=shape,
            dtype=arrays.promote([hidden, nodes]),
            mask=mask,
            target=target,
            classes=classes or 0,
            nodes=nodes,
            bias=bias,
            table=table,
            code=code,
            used=used,
        )

    def look(self, info: LossInfo, values: Mapping[str, Any], reading: Reading) -> None:
        assert isinstance(reading, Paths)
        if values["check"] and reading.code is not None:
            item = info.inputs[CODE]
            arrays.require_domain(item.name, reading.code, item.domain, item.fix, reading.used, info.name)

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
        for rows, places, bits in reading.levels():
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

    def cut_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,)

    def sample_axes(self, info: LossInfo, values: Mapping[str, Any], ndim: int) -> tuple[int, ...]:
        return (0,)

    def draw(
        self, info: LossInfo, values: Mapping[str, Any], rng: np.random.Generator, elements: int
    ) -> list[np.ndarray]:
        rows, classes = max(1, elements // COMPONENTS), COMPONENTS + 1
        target = rng.integers(0, classes, rows)
        # The paths of the complete tree, which are at most four nodes long.
        places = np.arange(4)
        codes = (target + classes)[:, np.newaxis]
        table = (codes >> (places + 1)) - 1
        return [
            rng.standard_normal((rows, COMPONENTS)),
            target,
            rng.standard_normal((classes - 1, COMPONENTS)),
            rng.standard_normal(classes - 1),
            np.maximum(table, -1),
            ((codes >> places) & 1).astype(np.float64),
        ]


def read_paths(
    names: Sequence[str], raw: Sequence[Any], shape: tuple[int, ...], nodes: int, mask: np.ndarray | None
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Read the nodes of the path of each row as int64, the answers there, and which of them belong to the path.

    Nodes are addresses: their range is checked on a copy, which no other thread can change.
    """
    if (raw[TABLE] is None) != (raw[CODE] is None):
        raise ParameterError(f"{names[TABLE]} and {names[CODE]} come together: nodes, and the answers there")
    if raw[TABLE] is None:
        return None, None, None
    table = arrays.read_integers(names[TABLE], raw[TABLE])
    arrays.require_integers(names[TABLE], table, "nodes of a path")
    code = arrays.read_array(names[CODE], raw[CODE])
    if table.ndim != 2 or table.shape[:1] != shape:
        raise ShapeError(f"{names[TABLE]} has shape {table.shape}, expected ({shape[0]}, L): one path a row")
    arrays.require_same_shape(names[CODE], code, names[TABLE], table)
    nodes_of = table.astype(np.int64)
    used = np.logical_and.accumulate(nodes_of >= 0, axis=1)
    if mask is not None:
        used &= mask[:, np.newaxis]
    bad = used & (nodes_of >= nodes)
    if bad.any():
        where, node = arrays.first(bad, table)
        raise DomainError(
            f"{names[TABLE]}{where} is {int(node)}, outside the nodes: expected 0 to {nodes - 1}, or -1 at the end "
            f"of a path"
        )
    return nodes_of, code, used


def complete_tree(target: np.ndarray, classes: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Go up from the leaves: the rows that have a node at a level, the node of each and the answer there."""
    code = target + classes
    while True:
        rows = np.flatnonzero(code > 1)
        if not len(rows):
            return
        yield rows, (code[rows] >> 1) - 1, (code[rows] & 1).astype(np.float64)
        code = code >> 1


geometry = TreePath()
