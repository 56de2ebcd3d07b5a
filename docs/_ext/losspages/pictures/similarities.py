"""The matrix of similarities of a batch, and what a contrastive loss does to each of them under its temperature.

A loss that sees vectors by their products alone is called with the matrix itself: its rows are the vectors, the unit
vectors are what they meet, and the gradient by the rows is the gradient by the similarities.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.pictures.drawing import colour, multiples, svg, text

#: Loss -> what decides how sharply it looks, three values of it from sharp to soft, and what else the call is given.
MATRICES: dict[str, tuple[str, tuple[float, ...], dict[str, Any]]] = {
    "info_nce_loss": ("temperature", (0.07, 0.3, 1.0), {}),
    "clip_loss": ("logit_scale", (15.0, 4.0, 1.0), {}),
    "siglip_loss": ("logit_scale", (15.0, 4.0, 1.0), {"logit_bias": -3.0}),
    "n_pairs_loss": ("", (0.0,), {"l2_reg": 0.0}),
    "supcon_loss": ("temperature", (0.07, 0.3, 1.0), {}),
    "nt_xent_loss": ("temperature", (0.07, 0.3, 1.0), {}),
    "circle_loss": ("gamma", (80.0, 10.0, 1.0), {}),
    "multi_similarity_loss": ("beta", (50.0, 10.0, 1.0), {}),
    "smooth_ap_loss": ("temperature", (0.01, 0.1, 1.0), {}),
}

SIZE = 7
CLASSES = np.array([0, 0, 0, 1, 1, 2, 2])
CELL, TOP = 20, 22


def batch(pairs: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the similarities of rows and columns, and which of them belong together."""
    random = np.random.default_rng(3)
    base = random.normal(size=(SIZE, 5)) if pairs else random.normal(size=(3, 5))[CLASSES]
    one, other = (base + noise * random.normal(size=(SIZE, 5)) for noise in (0.6, 0.6))
    one, other = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (one, other))
    together = np.eye(SIZE, dtype=bool) if pairs else CLASSES[:, np.newaxis] == CLASSES
    return one @ other.T, together


def slopes(info: LossInfo, similarities: np.ndarray, **options: Any) -> np.ndarray:
    """Return the gradient by each similarity."""
    met: dict[str, Any] = {"input2": np.eye(SIZE)}
    if "input2" not in info.input_names:
        met = {"target": CLASSES, "reference": np.eye(SIZE), "reference_target": CLASSES}
    found = registry.function_of(info.name).grad(
        similarities, **met, **options, normalize=False, wrt=info.input_names[0]
    )
    return np.asarray(found)


def figure(info: LossInfo) -> tuple[str, str]:
    """Return the matrix and its gradient for three values of the parameter, and what they show in words."""
    name, values, further = MATRICES[info.name]
    pairs = "input2" in info.input_names
    similarities, together = batch(pairs)
    drawings = [matrix("similarities", similarities, together, f"{info.name}: similarities of a batch")]
    for value in values:
        options = {**further, name: value} if name else further
        pull = -slopes(info, similarities, **options)
        title = f"{name} = {value:g}" if name else "minus the gradient"
        drawings.append(matrix(title, pull / abs(pull).max(), together, f"{info.name}: minus the gradient, {title}"))
    rows = "seven vectors of one view (rows) with those of the other" if pairs else "seven vectors (rows) with others"
    frame = "each and its partner" if pairs else "those of one class"
    under = f", for three values of ``{name}``, from the sharpest to the softest look at the batch" if name else ""
    caption = (
        f"Similarities of {rows}, framed where they belong together: {frame}. Beside them minus the gradient by each "
        f"similarity, as a share of the largest{under}: warm where it is to grow, cool where it is to shrink.\n"
    )
    return multiples(drawings), caption


def matrix(title: str, numbers: np.ndarray, framed: np.ndarray, described: str) -> str:
    """Draw a matrix of numbers between -1 and 1: warm above 0, cool below, the stronger the larger."""
    cells: dict[bool, list[str]] = {True: [], False: []}
    frames = []
    for (row, column), number in np.ndenumerate(numbers):
        x, y = CELL * column + 1, CELL * row + TOP
        if abs(number) >= 0.005:
            cells[bool(number > 0)].append(
                f'<rect x="{x}" y="{y}" width="18" height="18" opacity="{abs(number):.2f}"/>'
            )
        if framed[row, column]:
            frames.append(f"M{x} {y}h18v18h-18z")
    parts = [text(1, 14, title, css="title")]
    parts += [f'<g fill="{colour(1 if warm else 0)}">{"".join(found)}</g>' for warm, found in cells.items()]
    parts.append(f'<path class="zero" d="{"".join(frames)}"/>')
    return svg(CELL * SIZE, CELL * SIZE + TOP, described, parts, widest=220)
