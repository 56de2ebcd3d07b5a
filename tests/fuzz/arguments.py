"""Arguments that a loss accepts, drawn from its declaration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from losslib import geometries
from losslib.declaration.schema import Array, Choice, Flag, LossInfo, Real
from losslib.geometries.censoring import INTERVALS

FLOATS = tuple(map(np.dtype, (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)))

Shape = tuple[int, ...]


def parameters(info: LossInfo, rng: np.random.Generator) -> dict[str, Any]:
    """Return values for some of the parameters; the arrays among them depend on the inputs and come later."""
    values: dict[str, Any] = {}
    for parameter in info.parameters:
        if parameter.name in ("reduction", "check", "axis", "ignore_index", "blank", "classes") or rng.random() < 0.6:
            continue
        if isinstance(parameter, Real):
            values[parameter.name] = real(parameter, rng)
        elif isinstance(parameter, Flag):
            values[parameter.name] = bool(rng.random() < 0.5)
        elif isinstance(parameter, Choice):
            values[parameter.name] = str(rng.choice(parameter.choices))
    return values


def real(parameter: Real, rng: np.random.Generator) -> Any:
    """Return a number of the parameter's interval."""
    lowest = max((bound for bound in (parameter.above, parameter.least) if bound is not None), default=-4.0)
    highest = min((bound for bound in (parameter.below, parameter.most) if bound is not None), default=lowest + 5.0)
    choices = [parameter.default, *parameter.examples, *parameter.also, lowest + (highest - lowest) * rng.random()]
    return choices[rng.integers(len(choices))]


def values_in(domain: str, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Return float64 numbers of a domain of ``losslib.declaration.registry``."""
    drawn = rng.standard_normal(shape) * 2
    if domain in ("nonnegative", "positive"):
        return np.asarray(abs(drawn) + 0.01)
    if domain == "cosine":
        return np.asarray(np.tanh(drawn))
    if domain == "above_minus_one":
        return np.asarray(abs(drawn) - 0.5)
    if domain == "probability":
        return rng.random(shape)
    if domain == "sign":
        return np.asarray(np.where(drawn < 0, -1.0, 1.0))
    if domain == "binary":
        return np.asarray(np.where(drawn < 0, 0.0, 1.0))
    return np.asarray(drawn)


def shape_of_elements(rng: np.random.Generator, least_axes: int = 0) -> Shape:
    """Return a shape: mostly small, sometimes empty, of several blocks or of several tasks."""
    kind = rng.random()
    if kind < 0.08:
        length = int(rng.choice([513, 1500, 4097, 40_000]))
        return (length,) if least_axes < 2 else (length // 8, 8)
    axes = int(rng.integers(least_axes, 4))
    return tuple(int(rng.integers(0 if kind < 0.15 else 1, 8)) for _ in range(axes))


def pointwise(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    shape = shape_of_elements(rng, 1 if info.averages_last_axis else 0)
    complete = {item.name: item.default for item in info.parameters} | values
    domains = info.input_domains(complete) if info.input_domains else tuple(item.domain for item in info.inputs)
    arrays = [values_in(domain.name, shape, rng) for domain in domains]
    for k, item in enumerate(info.inputs):
        if item.broadcasts and shape and rng.random() < 0.5:
            arrays[k] = arrays[k][..., :1] if rng.random() < 0.5 else arrays[k][..., 0] if shape[-1] else arrays[k]
    return arrays


def rows(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Scores with a class axis, and either classes or a distribution over them."""
    large = rng.random() < 0.06
    samples, classes = (int(rng.choice([300, 2500])), 17) if large else (int(rng.integers(0, 7)), rng.integers(1, 40))
    inner = tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, 3))) if info.geometry == "softmax" else ()
    shape = (samples, int(classes), *inner)
    scores = rng.standard_normal(shape) * 3
    if info.name in ("nll_loss", "categorical_cross_entropy", "js_div"):
        scores = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        if info.name == "nll_loss":
            scores = np.log(scores)
    if "multilabel" in info.name:
        return [scores, rng.integers(-1, classes, shape)]
    soft = rng.random(shape)
    soft = soft / soft.sum(1, keepdims=True)
    if info.name in ("js_div", "distillation_loss", "categorical_hinge_loss") or rng.random() < 0.25:
        return [scores, soft]
    classes_of_samples = rng.integers(0, classes, (samples, *inner))
    if "ignore_index" in info.parameter_names:
        classes_of_samples = np.where(rng.random(classes_of_samples.shape) < 0.1, -100, classes_of_samples)
    return [scores, classes_of_samples.astype(rng.choice([np.int64, np.int32, np.int16]))]


def vectors(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    shape = (int(rng.choice([900, 3000])), 20) if rng.random() < 0.06 else tuple(map(int, rng.integers(1, 9, 2)))
    if rng.random() < 0.1 and info.name != "contrastive_loss":
        shape = shape[1:]
    labels = [np.where(rng.random(shape[:-1]) < 0.5, 0.0 if info.name == "contrastive_loss" else -1.0, 1.0)]
    count = len(info.inputs) - (info.input_names[-1] == "target" and len(info.inputs) == 3)
    return [rng.standard_normal(shape) for _ in range(count)] + labels * (len(info.inputs) - count)


def alignments(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Frames of scores, label sequences and their lengths: CTC (T, N, C) and the transducer (N, T, U + 1, C)."""
    samples, frames, labels, classes = (int(n) for n in rng.integers((1, 1, 0, 2), (5, 12, 5, 9)))
    ctc = info.geometry == "ctc"
    shape = (frames, samples, classes) if ctc else (samples, frames, labels + 1, classes)
    scores = rng.standard_normal(shape) * 2
    if ctc:
        scores -= np.log(np.exp(scores).sum(-1, keepdims=True))
    targets = rng.integers(1, classes, (samples, labels)) if ctc else rng.integers(0, classes - 1, (samples, labels))
    return [scores, targets, rng.integers(1, frames + 1, samples), rng.integers(0, labels + 1, samples)]


def regions(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Predictions of classes on grids, with class indices or masks; a map of distances is as good as a mask."""
    classes = int(rng.integers(2, 7))
    grid = (700, 30) if rng.random() < 0.05 else tuple(int(n) for n in rng.integers(1, 6, rng.integers(0, 3)))
    samples = int(rng.integers(0 if rng.random() < 0.1 else 1, 4))
    x = rng.standard_normal((samples, classes, *grid)) * 3
    if "activation" not in info.parameter_names:
        return [x[:, 0], (rng.random(x[:, 0].shape) < 0.4).astype(rng.choice([np.float64, np.int8]))]
    if values.get("activation", info.parameter("activation").default) == "none":
        x = rng.random(x.shape)
    labels = rng.integers(0, classes, (samples, *grid))
    if info.inputs[1].holds == "row" or (info.inputs[1].or_row and rng.random() < 0.5):
        return [x, rng.random(x.shape)]
    return [x, labels.astype(rng.choice([np.int64, np.int32, np.uint8]))]


def boxes(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    shape = (
        (3000,)
        if rng.random() < 0.06
        else tuple(int(n) for n in rng.integers(0 if rng.random() < 0.1 else 1, 7, rng.integers(0, 3)))
    )
    low, size = rng.uniform(0, 4, (2, *shape, 2)), rng.uniform(0, 4, (2, *shape, 2))
    return list(np.concatenate([low, low + size], axis=-1))


def distributions(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Scores of bins and a number between two of them."""
    rows, bins = int(rng.integers(0, 9)), int(rng.integers(2, 20))
    return [rng.standard_normal((rows, bins)), rng.uniform(0, bins - 1, rows)]


def censored(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Predictions and times, events, intervals; mostly a few samples, sometimes several tasks of them."""
    complete = {item.name: item.default for item in info.parameters} | values
    samples = (
        int(rng.choice([700, 900 if info.geometry in ("comparable", "hits") else 9000]))
        if rng.random() < 0.06
        else int(rng.integers(1, 9))
    )
    elements = samples * (INTERVALS if info.geometry in ("intervals", "hits", "brier") else 1)
    drawn = geometries.find(info.geometry).draw(info, complete, rng, elements)
    if info.name == "pmf_loss" and rng.random() < 0.5:  # causes that compete
        drawn = [np.repeat(drawn[0][:, np.newaxis], 2, 1), drawn[1], drawn[2] * rng.integers(0, 3, len(drawn[2]))]
    return drawn


def lists(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Scores and labels, along the last axis or in one long list that groups may cut."""
    complete = {item.name: item.default for item in info.parameters} | values
    elements = int(rng.choice([10, 40, 90, 4000], p=[0.4, 0.3, 0.25, 0.05]))
    x, y, *learnt = geometries.find(info.geometry).draw(info, complete, rng, elements)
    kind = rng.random()
    learnt = learnt if rng.random() < 0.5 else []
    if kind < 0.2:
        return [x[:, :1], y[:, :1], *learnt]
    if kind < 0.7:
        return [x, y, *(np.full(len(x), number) if rng.random() < 0.5 else number for number in learnt)]
    return [x.reshape(-1), y.reshape(-1), *learnt]


def known_classes(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Scores or cosines of classes, questions about an order, or scores and their thresholds."""
    samples = int(rng.choice([300, 2500])) if rng.random() < 0.06 else int(rng.integers(0, 7))
    classes = int(rng.integers(2, 12))
    if info.input_names[-1] == "thresholds":
        bounds = np.sort(rng.standard_normal(classes - 1))
        return [rng.standard_normal(samples) * 2, rng.integers(0, classes, samples), bounds]
    scores = rng.standard_normal((samples, classes)) * 3
    if "cosines" in info.tags:
        scores = np.tanh(scores)
    return [scores, rng.integers(0, classes, samples).astype(rng.choice([np.int64, np.int32, np.int16]))]


def vectors_of_a_batch(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Vectors and their labels, views, proxies; what may be left out is now and then."""
    complete = {item.name: item.default for item in info.parameters} | values
    rows = int(rng.choice([60, 200])) if rng.random() < 0.06 else int(rng.integers(2, 9))
    labels = rng.integers(0, 3, rows) if "input1" not in info.input_names else np.arange(rows)
    centers = rng.standard_normal((max(3, rows), int(rng.integers(1, 7))))
    geometry: Any = geometries.find(info.geometry)
    drawn = [geometry.draw_input(item.name, complete, rng, centers, labels) for item in info.inputs]
    least = sum(not item.optional for item in info.inputs)
    without = rng.random() < 0.5
    drawn = drawn[:least] if without else drawn
    if complete.get("distance") == "precomputed":  # to the batch itself, or to the reference
        drawn[0] = abs(rng.standard_normal((rows, rows if without else centers.shape[1])))
    return drawn


def vocabularies(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Hidden states with the vectors of classes or nodes; or logits of true and sampled classes."""
    rows = int(rng.choice([300, 900])) if rng.random() < 0.06 else int(rng.integers(0, 7))
    classes, components = int(rng.integers(2, 12)), int(rng.integers(1, 7))
    if info.geometry == "sampled":
        return [rng.standard_normal((rows, classes)) * 3]
    if info.geometry == "adaptive_softmax":
        complete = {item.name: item.default for item in info.parameters} | values
        drawn = geometries.find(info.geometry).draw(info, complete, rng, 10 * rows)
        return drawn if rng.random() < 0.5 else drawn[:4]
    tree = info.geometry == "tree_path"
    hidden, vectors = rng.standard_normal((rows, components)), rng.standard_normal((classes - tree, components))
    target = rng.integers(0, classes, rows)
    drawn = [hidden, target, vectors] if tree else [hidden, vectors, target]
    if rng.random() < 0.5:
        return drawn
    drawn.append(rng.standard_normal(len(vectors)))
    if tree and rng.random() < 0.5:
        shape = (rows, int(rng.integers(0, 5)))
        drawn += [rng.integers(-1, len(vectors), shape), rng.integers(0, 2, shape).astype(np.float64)]
    return drawn


#: How the inputs of a geometry are drawn; a new geometry enters itself here.
INPUTS: dict[str, Callable[[LossInfo, dict[str, Any], np.random.Generator], list[np.ndarray]]] = {
    "pointwise": pointwise,
    "softmax": rows,
    "margin": rows,
    "distance": vectors,
    "ctc": alignments,
    "transducer": alignments,
    "overlap": regions,
    "overlap_sum": regions,
    "overlap_distance": regions,
    "overlap_lovasz": regions,
    "overlap_transform": regions,
    "boxes": boxes,
    "softmax_between": distributions,
    "risk": censored,
    "lifetimes": censored,
    "intervals": censored,
    "lists": lists,
    "auc_margin": lists,
    "comparable": censored,
    "hits": censored,
    "brier": censored,
    "softmax_classes": known_classes,
    "ordinal": known_classes,
    "agreement": known_classes,
    "similarity": vectors_of_a_batch,
    "linear_softmax": vocabularies,
    "sampled": vocabularies,
    "tree_path": vocabularies,
    "adaptive_softmax": vocabularies,
}


def inputs(info: LossInfo, values: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Return inputs of the loss in float64 and integers."""
    return INPUTS[info.geometry](info, values, rng)


def array_of_lists(name: str, scores: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Return groups, pairs, gains, or a number for each item; None for what these inputs do not take."""
    if name == "label_gain":
        return np.sort(rng.random(5))
    if name == "gamma":
        return rng.random(scores.shape)
    if scores.ndim != 1 or name == "pairs_weight":
        return None
    if name == "group_ids":
        return rng.integers(0, 5, scores.shape)
    if name == "group_sizes":
        return rng.multinomial(len(scores), [0.2, 0.5, 0.3])
    return rng.integers(0, len(scores), (7, 2)) if len(scores) else None


def array_parameters(info: LossInfo, arrays: list[np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return values for the parameters that are arrays: one weight a class, or one an element."""
    drawn: dict[str, np.ndarray] = {}
    for parameter in info.parameters:
        if not isinstance(parameter, Array) or rng.random() < 0.5:
            continue
        first = arrays[0]
        if info.geometry == "risk":  # strata, or entries before the times
            several = rng.integers(0, 3, first.shape)
            drawn[parameter.name] = arrays[1] - 0.5 - several if parameter.name == "entry" else several
            continue
        if info.geometry == "brier":  # the training data belong together: neither is drawn
            if parameter.name == "eval_times":
                drawn[parameter.name] = np.sort(rng.random(first.shape[-1])) + 0.1
            continue
        if info.geometry in ("lists", "auc_margin"):
            found = array_of_lists(parameter.name, first, rng)
            if found is not None and not drawn.keys() & {"group_ids", "group_sizes", "pairs"}:
                drawn[parameter.name] = found
            continue
        own = {"scale": first.shape[:1]}
        if first.ndim > 1:
            own |= {
                "true_log_expected": (len(first), 1),
                "sampled_log_expected": (first.shape[-1] - 1,),
                "accidental_hits": (len(first), first.shape[-1] - 1),
            }
        if parameter.name in own:
            drawn[parameter.name] = np.rint(2 * rng.random(own[parameter.name])) / 2
            continue
        if info.geometry == "linear_softmax":
            drawn[parameter.name] = rng.random(len(arrays[1])) + 0.1
            continue
        per_class = info.geometry != "pointwise" or parameter.name == "pos_weight"
        shape: Shape = first.shape
        if per_class and first.ndim:
            shape = (first.shape[-1 if info.geometry == "pointwise" else 1 if first.ndim > 1 else 0],)
        drawn[parameter.name] = rng.random(shape) + 0.1
    return drawn
