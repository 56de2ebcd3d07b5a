"""The geometry of paths: a class is a leaf of a binary tree, and a row meets the nodes on the way to it.

The tree is the complete one of the class numbers, or the paths come with the rows. ``pyx/ordinal/paths.pxd`` goes along
the path of each row, and then adds up for each node what the rows have brought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the node of each row at each step (N, L), -1 where there is none, and the answers there."""
        if self.table is None or self.code is None or self.used is None:
            places, answers = complete_tree(self.target, self.classes)
            if self.mask is not None:
                places[~self.mask] = -1
            return places, answers
        places = np.where(self.used, self.table, -1)
        return np.ascontiguousarray(places), np.ascontiguousarray(self.code, np.float64)


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
        places, answers = reading.steps()
        self.driver.paths(
            hidden,
            np.ascontiguousarray(reading.nodes, dtype),
            None if reading.bias is None else np.ascontiguousarray(reading.bias, np.float64),
            places,
            answers,
            factor=np.ascontiguousarray(samples.factor_per_sample(), np.float64),
            values=found,
            by_hidden=wanted.get(HIDDEN),
            by_vectors=wanted.get(WEIGHT),
            by_bias=by_bias,
        )
        for item in work.derivatives:
            array = by_bias if item.position == BIAS else wanted[item.position]
            assert array is not None
            np.copyto(item.array, array, casting="same_kind")

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


def complete_tree(target: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Go up from the leaves: the node of each row at each step, -1 above the root, and the answer there."""
    code = target[:, np.newaxis].astype(np.int64) + classes
    level = np.arange((2 * classes - 1).bit_length() - 1)
    return (code >> (level + 1)) - 1, (code >> level & 1).astype(np.float64)


geometry = TreePath()
