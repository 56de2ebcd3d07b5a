"""What each loss of the similarity geometry does with the products: which rows meet which columns, in how many sweeps.

A plan leaves value and units of each row, and the gradients by the arrays of the call, those of the sum of the values
times the factor of their rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError, ShapeError
from losslib.geometries import decorrelation
from losslib.geometries.products import CHUNK, Links, Vectors, column_logarithms, part_of, run_rows, sweep

__all__ = ["PLANS", "Run"]


@dataclass
class Run:
    """One call on its way through a plan."""

    driver: ModuleType
    info: LossInfo
    values: Mapping[str, Any]
    reading: Any
    #: Which vectors or pairs belong to the batch.
    kept: np.ndarray
    #: What multiplies the derivatives of each row; None where none are wanted.
    factor: np.ndarray | None
    wanted: frozenset[str]
    #: By input; those of vectors are still to go through what was done to these.
    gradients: dict[str, Any] = field(default_factory=dict)
    outputs: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))

    @cached_property
    def keeps_all(self) -> bool:
        return bool(self.reading.keeps_all or self.kept.all())

    @property
    def values_of_rows(self) -> np.ndarray:
        return self.outputs[:, 0]

    @property
    def counts(self) -> np.ndarray:
        return self.outputs[:, 1]

    def number(self, name: str) -> float:
        """Return a number that is an input of the call, or a parameter."""
        given = self.reading.arrays.get(name)
        return float(self.values[name] if given is None else given.reshape(()))

    def vectors(self, name: str, *, normalize: bool | None = None, center: bool = False) -> Vectors:
        """Return the rows of an input; vectors outside the batch become zeros, whatever they hold."""
        array = self.reading.arrays[name]
        if name in ("input", "input1", "input2") and not self.keeps_all:
            array = np.where(self.kept[:, np.newaxis], array, np.zeros((), array.dtype))
        if array.ndim == 3:
            array = array.reshape(-1, array.shape[-1])
        return Vectors(
            self.driver,
            array,
            self.reading.computed,
            normalize=self.values.get("normalize", False) if normalize is None else normalize,
            center=center,
            wanted=name in self.wanted,
        )

    def keep(self) -> np.ndarray | None:
        return None if self.keeps_all else self.kept.view(np.uint8)

    def deliver(self, **found: Vectors) -> None:
        """Note the gradients of vectors, by the name of their input."""
        for name, vectors in found.items():
            if name in self.wanted:
                self.gradients[name] = vectors

    def labelled(self) -> tuple[Vectors, Vectors, Links]:
        """Return the rows, what they meet, and how these belong together: the batch itself, or a reference."""
        center = self.values.get("distance") == "snr"
        rows = self.vectors("input", center=center)
        reading, keep = self.reading, self.keep()
        if "reference" in reading.arrays:
            columns = self.vectors("reference", center=center)
            links = Links(row_label=reading.labels, column_label=reading.reference_labels, positive=reading.positive)
            links.row_keep = keep
            return rows, columns, links
        links = Links(row_label=reading.labels, column_label=reading.labels, positive=reading.positive, own=True)
        links.row_keep = links.column_keep = keep
        return rows, rows, links

    def sweep(self, kernel: str, numbers: tuple[float, ...], rows: Vectors, columns: Vectors, links: Links,
              *, value_only: bool = False, **more: Any) -> np.ndarray:  # fmt: skip
        distance = self.values.get("distance", DISTANCES.get(str(self.info.kernel), "dot"))
        more.setdefault("distance", distance)
        return sweep(
            self.driver, kernel, numbers, rows, columns, links, factor=None if value_only else self.factor, **more
        )

    def precomputed(self, kernel: str, numbers: tuple[float, ...], links: Links, *, value_only: bool = False,
                    ) -> np.ndarray:  # fmt: skip
        """Run over a matrix that the caller brings; the gradient is that of the matrix."""
        given, dtype = self.reading.arrays["input"], self.reading.computed
        factor = None if value_only else self.factor
        outputs = np.zeros((len(given), 4))
        gradient = None if factor is None else np.empty(given.shape, dtype)
        step = max(1, CHUNK // max(1, given.shape[1] * dtype.itemsize))
        for start in range(0, len(given), step):
            part = slice(start, min(len(given), start + step))
            matrix = np.array(given[part], dtype, order="C")
            run_rows(
                self.driver, kernel, numbers, matrix, links, part,
                factor=part_of(factor, part), outputs=outputs[part],
            )  # fmt: skip
            if gradient is not None:
                gradient[part] = matrix
        if gradient is not None:
            self.gradients["input"] = gradient
            if "reference" in self.wanted:  # the distances to it are given
                self.gradients["reference"] = np.zeros(self.reading.arrays["reference"].shape, dtype)
        return outputs

    def over_pairs(self, kernel: str, numbers: tuple[float, ...], links: Links | None = None,
                   *, value_only: bool = False) -> np.ndarray:  # fmt: skip
        """Sweep over the batch (or a given matrix) by labels, and note the gradients."""
        if self.values.get("distance") == "precomputed":
            reading = self.reading
            square = reading.given[0].shape[0] == reading.given[0].shape[1] and reading.reference_labels is None
            labels = reading.labels if reading.reference_labels is None else reading.reference_labels
            if reading.positive is None and not square and reading.reference_labels is None:
                raise ShapeError(
                    f"input has shape {reading.given[0].shape}; a matrix of distances to others needs a mask of "
                    f"positives as target"
                )
            own = Links(row_label=reading.labels, column_label=labels, positive=reading.positive, own=square)
            own.row_keep, own.column_keep = self.keep(), self.keep() if square else None
            if links is not None:
                own.row_number, own.column_number = links.row_number, links.column_number
            return self.precomputed(kernel, numbers, own, value_only=value_only)
        rows, columns, found = self.labelled()
        if links is not None:
            found.row_number, found.column_number = links.row_number, links.column_number
        outputs = self.sweep(kernel, numbers, rows, columns, found, value_only=value_only)
        if self.factor is not None and not value_only:
            self.deliver(input=rows)
            if columns is not rows:
                self.deliver(reference=columns)
        return outputs


#: What losses compare by that do not let the caller choose.
DISTANCES = {
    "nca": "sqeuclidean", "proxy_nca": "sqeuclidean", "lifted_structure": "euclidean", "margin": "euclidean",
    "fast_ap": "sqeuclidean", "uniformity": "sqeuclidean",
}  # fmt: skip


# ---- two views -----------------------------------------------------------------------------------------------------


def info_nce(run: Run) -> None:
    """One direction or both: rows of one view against the other, the negatives and, with ``intra``, themselves."""
    o = run.values
    one, two = run.vectors("input1"), run.vectors("input2")
    given = run.reading.arrays.get("negatives")
    shared = run.vectors("negatives") if given is not None and given.ndim == 2 else None
    apart = run.vectors("negatives") if given is not None and given.ndim == 3 else None
    if o["decoupled"] and given is None and not (o["in_batch"] and int(run.kept.sum()) > 1):
        raise DomainError(f"{run.info.name}: no row has a candidate: with decoupled=True the positive is none")
    directions = [(one, two), (two, one)] if o["symmetric"] else [(one, two)]
    whole = np.zeros((len(one), 4))
    factor = run.factor
    if factor is not None:
        factor = factor / len(directions)
    keep = run.keep()
    beside_gradient = None
    if apart is not None and apart.gradient is not None:
        beside_gradient = apart.gradient.reshape(given.shape)
    for rows, others in directions:
        columns, pieces = joined([others, rows] if o["intra"] else [others], shared)
        count = len(others)
        column_keep = None
        if keep is not None:
            column_keep = np.concatenate([keep] * (2 if o["intra"] else 1) + [np.ones(len(columns), np.uint8)])
            column_keep = np.ascontiguousarray(column_keep[: len(columns) + (0 if apart is None else given.shape[1])])
        links = Links(
            row_keep=keep,
            column_keep=column_keep,
            diagonal=True,
            batch=count * (2 if o["intra"] else 1),
            in_batch=o["in_batch"],
            own_from=count if o["intra"] else -1,
        )
        found = sweep(
            run.driver, "one_positive", (o["temperature"], float(o["decoupled"])), rows, columns, links,
            factor=factor, beside=None if apart is None else apart.rows.reshape(given.shape),
            beside_gradient=beside_gradient,
        )  # fmt: skip
        scatter(columns, pieces)
        whole[:, 0] += found[:, 0] / len(directions)
        whole[:, 1] = found[:, 1]
    run.outputs = whole
    if run.factor is not None:
        run.deliver(input1=one, input2=two)
        for vectors in (shared, apart):
            if vectors is not None:
                run.deliver(negatives=vectors)


def joined(parts: list[Vectors], negatives: Vectors | None) -> tuple[Vectors, list[Vectors]]:
    """Return several sets of vectors as one set of columns, which collects their gradients."""
    pieces = [*parts, *([negatives] if negatives is not None else [])]
    if len(pieces) == 1:
        return pieces[0], pieces
    rows = np.concatenate([piece.rows for piece in pieces])
    wanted = any(piece.gradient is not None for piece in pieces)
    return Vectors(pieces[0].driver, rows, rows.dtype, normalize=False, wanted=wanted), pieces


def scatter(columns: Vectors, pieces: list[Vectors]) -> None:
    """Hand the gradient of joined columns back to the sets that they are made of."""
    if len(pieces) == 1 or columns.gradient is None:
        return
    start = 0
    for piece in pieces:
        if piece.gradient is not None:
            piece.gradient += columns.gradient[start : start + len(piece)]
            piece.untouched = False
        start += len(piece)


def clip(run: Run) -> None:
    one, two, scale = run.vectors("input1"), run.vectors("input2"), run.number("logit_scale")
    keep = run.keep()
    links = Links(row_keep=keep, column_keep=keep, diagonal=True, batch=len(two))
    links.column_number = column_logarithms(run.driver, one, two, scale, keep)
    links.row_number = run.factor
    run.outputs = run.sweep("both_ways", (scale,), one, two, links)
    if run.factor is not None:
        run.deliver(input1=one, input2=two)
        run.gradients["logit_scale"] = run.outputs[:, 2].sum()


def siglip(run: Run) -> None:
    one, two = run.vectors("input1"), run.vectors("input2")
    keep = run.keep()
    links = Links(row_keep=keep, column_keep=keep, diagonal=True, batch=len(two))
    numbers = (run.number("logit_scale"), run.number("logit_bias"))
    run.outputs = run.sweep("every_pair", numbers, one, two, links)
    if run.factor is not None:
        run.deliver(input1=one, input2=two)
        run.gradients["logit_scale"] = run.outputs[:, 2].sum()
        run.gradients["logit_bias"] = run.outputs[:, 3].sum()


def n_pairs(run: Run) -> None:
    one, two, o = run.vectors("input1"), run.vectors("input2"), run.values
    labels = run.reading.labels
    if labels is None and run.reading.positive is None:
        labels = np.arange(len(one))
    links = Links(row_label=labels, column_label=labels, positive=run.reading.positive)
    links.row_keep = links.column_keep = run.keep()
    run.outputs = run.sweep("mean_positive", (1.0, 1.0), one, two, links)
    quarter = 0.25 * o["l2_reg"]
    run.outputs[:, 0] += np.where(run.kept, quarter * (one.squares() + two.squares()), 0.0)
    if run.factor is not None:
        for vectors in (one, two):
            if vectors.gradient is not None:
                vectors.gradient += (2.0 * quarter * run.factor)[:, np.newaxis] * vectors.rows
        run.deliver(input1=one, input2=two)


def alignment(run: Run) -> None:
    one, two, alpha = run.vectors("input1"), run.vectors("input2"), run.values["alpha"]
    apart = one.rows - two.rows
    square = np.einsum("ij,ij->i", apart, apart, dtype=np.float64)
    run.outputs = np.zeros((len(one), 4))
    run.outputs[:, 0] = np.where(run.kept, square ** (alpha / 2), 0.0)
    run.outputs[:, 1] = run.kept
    if run.factor is not None:
        slope = run.factor * alpha * np.where(square > 0, square, 1.0) ** (alpha / 2 - 1) * (square > 0)
        for vectors, sign in ((one, 1.0), (two, -1.0)):
            if vectors.gradient is not None:
                vectors.gradient += (sign * slope)[:, np.newaxis] * apart
        run.deliver(input1=one, input2=two)


def uniformity(run: Run) -> None:
    """log of the mean over pairs: the rows bring logarithms of sums, then their shares of all."""
    rows, t = run.vectors("input"), run.values["t"]
    count = int(run.kept.sum())
    if count < 2:
        raise ShapeError(f"{run.info.name} needs at least two vectors, got {count}")
    keep = run.keep()
    links = Links(row_keep=keep, column_keep=keep, own=True)
    of_rows = run.sweep("spread", (t, 0.0), rows, rows, links, value_only=True)[run.kept, 2]
    top = of_rows.max()
    whole = float(top + np.log(np.exp(of_rows - top).sum()))
    run.outputs = np.array([[whole - np.log(count * (count - 1.0)), 1.0, 0.0, 0.0]])
    if run.factor is not None:
        run.sweep("spread", (t, whole), rows, rows, links)
        run.deliver(input=rows)


# ---- labelled batches ----------------------------------------------------------------------------------------------


def supcon(run: Run) -> None:
    t, base = run.values["temperature"], run.values["base_temperature"]
    run.outputs = run.over_pairs("mean_positive", (t, 1.0 if base is None else t / base))


def nt_xent(run: Run) -> None:
    run.outputs = run.over_pairs("each_positive", (run.values["temperature"],))


def circle(run: Run) -> None:
    o = run.values
    numbers = (o["margin"], o["gamma"], float(o["detach_weights"]), float(o["average"] == "all"))
    run.outputs = run.over_pairs("circle", numbers)


def multi_similarity(run: Run) -> None:
    o = run.values
    numbers = (o["alpha"], o["beta"], o["base"], o["base"], 1.0 / o["alpha"], 1.0 / o["beta"])
    run.outputs = run.over_pairs("two_sums", numbers)


def batch_triplet(run: Run) -> None:
    o = run.values
    kernel = {"hard": "hardest", "semi_hard": "semi_hard", "all": "all_triplets"}[o["mining"]]
    run.outputs = run.over_pairs(kernel, (o["margin"], float(o["soft"])))


def lifted_structure(run: Run) -> None:
    o = run.values
    numbers = (o["neg_margin"], o["pos_margin"])
    if o["generalized"]:
        run.outputs = run.over_pairs("lifted_row", numbers)
        return
    if "reference" in run.reading.arrays:
        lifted_against(run, numbers)
        return
    negatives = run.over_pairs("negative_sum", numbers, value_only=True)[:, 2]
    links = Links(row_number=run.factor, column_number=np.ascontiguousarray(negatives))
    run.outputs = run.over_pairs("lifted_pairs", (*numbers, 0.0), links)


def lifted_against(run: Run, numbers: tuple[float, float]) -> None:
    """Pairs of a row and a reference; negatives of the row are references, those of the reference rows of the batch."""
    rows, columns, links = run.labelled()
    back = Links(row_label=links.column_label, column_label=links.row_label, column_keep=links.row_keep)
    if links.positive is not None:
        back.positive = np.ascontiguousarray(links.positive.T)
    of_rows = run.sweep("negative_sum", numbers, rows, columns, links, value_only=True)[:, 2]
    of_columns = run.sweep("negative_sum", numbers, columns, rows, back, value_only=True)[:, 2]
    links.row_number, links.column_number = np.zeros(len(columns)), np.concatenate([of_columns, of_rows])
    run.outputs = run.sweep("lifted_pairs", (*numbers, float(len(columns))), rows, columns, links)
    if run.factor is not None:
        # The same pairs from the other side: what the negatives of the references owe to them.
        back.row_number, back.column_number = run.factor, np.concatenate([of_rows, of_columns])
        sweep(
            run.driver, "lifted_pairs", (*numbers, float(len(rows))), columns, rows, back,
            distance=DISTANCES["lifted_structure"], factor=np.zeros(len(columns)),
        )  # fmt: skip
        run.deliver(input=rows, reference=columns)


def margin(run: Run) -> None:
    border = np.asarray(run.reading.arrays["beta"], np.float64)
    border = border.reshape(()) if border.size == 1 else border
    labels = run.reading.labels
    of_rows = np.full(len(run.kept), border) if border.ndim == 0 else border[of_classes(run, labels, len(border))]
    links = Links(row_number=np.ascontiguousarray(of_rows))
    run.outputs = run.over_pairs("around_border", (run.values["margin"],), links)
    if run.factor is not None:
        by_row = np.where(run.kept, run.outputs[:, 2], 0.0)
        run.gradients["beta"] = by_row.sum() if border.ndim == 0 else np.bincount(labels, by_row, len(border))


def of_classes(run: Run, labels: np.ndarray | None, classes: int) -> np.ndarray:
    """Return labels as classes of an array that has a number for each."""
    if labels is None or bool(((labels < 0) | (labels >= classes)).any()):
        raise DomainError(f"target of {run.info.name} must hold classes 0 to {classes - 1}, as beta has one for each")
    return labels


def pair_contrastive(run: Run) -> None:
    """Two means: the first sweep counts, the second divides."""
    o = run.values
    margins = (o["pos_margin"], o["neg_margin"])
    found = run.over_pairs("two_hinges", (*margins, 1.0, 1.0), value_only=True)
    sums = counts = found.sum(axis=0)
    shares = tuple(1.0 / counts[k] if counts[k] else 0.0 for k in (1, 3))
    run.outputs = np.array([[sums[0] * shares[0] + sums[2] * shares[1], 1.0, 0.0, 0.0]])
    if run.factor is not None:
        run.over_pairs("two_hinges", (*margins, *shares))


def nca(run: Run) -> None:
    run.outputs = run.over_pairs("neighbours", (run.values["scale"],))


def fast_ap(run: Run) -> None:
    run.outputs = run.over_pairs("fast_ap", (float(run.values["num_bins"]),))


def smooth_ap(run: Run) -> None:
    run.outputs = run.over_pairs("smooth_ap", (run.values["temperature"],))


# ---- proxies -------------------------------------------------------------------------------------------------------


def proxy_nca(run: Run) -> None:
    rows, proxies = run.vectors("input"), run.vectors("proxies")
    links = Links(row_label=run.reading.labels, column_label=np.arange(len(proxies)), row_keep=run.keep())
    run.outputs = run.sweep("neighbours", (run.values["scale"],), rows, proxies, links)
    if run.factor is not None:
        run.deliver(input=rows, proxies=proxies)


def proxy_anchor(run: Run) -> None:
    """Proxies are the rows and the batch the columns: a proxy pulls its class and pushes the others."""
    rows, proxies, o = run.vectors("proxies"), run.vectors("input"), run.values
    classes, present = len(rows), len(np.unique(run.reading.labels[run.kept]))
    links = Links(row_label=np.arange(classes), column_label=run.reading.labels, column_keep=run.keep())
    numbers = (o["alpha"], o["alpha"], o["margin"], -o["margin"], 1.0 / max(present, 1), 1.0 / classes)
    factor = None if run.factor is None else np.ones(classes)
    found = sweep(run.driver, "two_sums", numbers, rows, proxies, links, factor=factor)
    run.outputs = np.array([[found[:, 0].sum(), 1.0, 0.0, 0.0]])
    if run.factor is not None:
        run.deliver(proxies=rows, input=proxies)


def soft_triple(run: Run) -> None:
    o, centers = run.values, run.reading.arrays["centers"]
    rows, columns = run.vectors("input"), run.vectors("centers")
    links = Links(row_label=run.reading.labels, row_keep=run.keep())
    numbers = (o["la"], o["gamma"], o["margin"], float(centers.shape[1]))
    run.outputs = run.sweep("soft_triple", numbers, rows, columns, links)
    if run.factor is not None:
        run.deliver(input=rows, centers=columns)


def center(run: Run) -> None:
    rows, centers, labels = run.vectors("input"), run.vectors("centers"), run.reading.labels
    apart = rows.rows - centers.rows[labels]
    run.outputs = np.zeros((len(rows), 4))
    run.outputs[:, 0] = np.where(run.kept, 0.5 * np.einsum("ij,ij->i", apart, apart, dtype=np.float64), 0.0)
    run.outputs[:, 1] = run.kept
    if run.factor is not None:
        slope = np.where(run.kept[:, np.newaxis], run.factor[:, np.newaxis] * apart, 0.0)
        if rows.gradient is not None:
            rows.gradient += slope
        if centers.gradient is not None:
            np.subtract.at(centers.gradient, labels, slope)
        run.deliver(input=rows, centers=centers)


# ---- features ------------------------------------------------------------------------------------------------------


def of_features(compute: Callable[..., tuple[float, list[np.ndarray]]]) -> Callable[[Run], None]:
    """Return the plan of a loss of the features of two views, the columns of both batches."""

    def plan(run: Run) -> None:
        dtype = run.reading.computed
        views = [np.asarray(run.reading.arrays[name][run.kept], dtype) for name in ("input1", "input2")]
        if len(views[0]) < 2:
            raise ShapeError(f"{run.info.name} needs at least two rows, got {len(views[0])}")
        value, gradients = compute(*views, run.values, run.factor is not None)
        run.outputs = np.array([[value, 1.0, 0.0, 0.0]])
        for name, gradient in zip(("input1", "input2"), gradients, strict=False):
            run.gradients[name] = np.zeros(run.reading.arrays[name].shape, dtype)
            run.gradients[name][run.kept] = gradient

    return plan


PLANS: dict[str, Callable[[Run], None]] = {
    "info_nce": info_nce,
    "clip": clip,
    "siglip": siglip,
    "n_pairs": n_pairs,
    "alignment": alignment,
    "uniformity": uniformity,
    "supcon": supcon,
    "nt_xent": nt_xent,
    "circle": circle,
    "multi_similarity": multi_similarity,
    "batch_triplet": batch_triplet,
    "lifted_structure": lifted_structure,
    "margin": margin,
    "pair_contrastive": pair_contrastive,
    "nca": nca,
    "fast_ap": fast_ap,
    "smooth_ap": smooth_ap,
    "proxy_nca": proxy_nca,
    "proxy_anchor": proxy_anchor,
    "soft_triple": soft_triple,
    "center": center,
    "barlow_twins": of_features(decorrelation.barlow_twins),
    "vicreg": of_features(decorrelation.vicreg),
}
