"""The formulas of the declarations, evaluated with NumPy and with mpmath: what the compiled losses are compared with.

``LossInfo.formula`` is text that the kernels know nothing of. Here it is read over plain arrays, or over numbers with
160 digits, whose differences give its derivatives: no line is shared with the kernels or with their derivatives.
"""

from __future__ import annotations

import functools
import itertools
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf
from scipy import special

import class_scores
import contrast
import losslib
import vocabulary
from losslib import geometries
from losslib.declaration.schema import Array, Choice, Domain, Flag, LossInfo, Real
from losslib.formula import declared
from losslib.formula.numbers import Numbers
from losslib.geometries.censoring import INTERVALS
from losslib.geometries.lists import DRAWN

LOSSES = losslib.list_losses()


def pointwise_losses() -> tuple[LossInfo, ...]:
    """Return the losses of one value per element: the formula of the others speaks of a whole row."""
    return tuple(info for info in LOSSES if info.geometry == "pointwise")


POINTWISE = pointwise_losses()

#: Parameters that every loss has; the others are the loss's own.
COMMON = ("weight", "reduction", "check")

#: Samples and classes (or entries of a vector) of the inputs of `row_inputs`, and a weight of each class.
ROWS, CLASSES = 6, 4
CLASS_WEIGHT = [0.5, 2.0, 1.0, 0.25]

#: Losses of rows whose target is a row like the input, neither a class nor a label.
ROW_TARGETS = ("js_div", "distillation_loss", "cosine_similarity_loss")

DIGITS = 160
#: Step of the differences and of the perturbations: errors of 1e-80 with 160 digits.
STEP = "1e-40"


def function(info: LossInfo) -> Any:
    """Return the public function of a loss."""
    return getattr(losslib, info.name)


def loss_class(info: LossInfo) -> Any:
    """Return the public class of a loss."""
    return getattr(losslib, info.class_name)


def domains(info: LossInfo, parameters: Mapping[str, Any]) -> dict[str, Domain]:
    """Return the domain of each input with these parameters."""
    if info.input_domains is None:
        found = tuple(item.domain for item in info.inputs)
    else:
        found = info.input_domains({**defaults(info), **parameters})
    return dict(zip(info.input_names, found, strict=True))


# ---- parameters --------------------------------------------------------------------------------------------------


def own_parameters(info: LossInfo) -> tuple[Any, ...]:
    """Return the declared parameters without those that every loss has."""
    return tuple(item for item in info.parameters if item.name not in COMMON)


def defaults(info: LossInfo) -> dict[str, Any]:
    """Return the default of each of the loss's own parameters."""
    return {item.name: item.default for item in own_parameters(info)}


#: Arrays of shapes of their own: one number for each sample, for each sampled class, or for both.
OWN_ARRAYS: dict[str, list[Any]] = {
    "scale": [1.0, 4.0] * (ROWS // 2),
    "true_log_expected": [[-1.0], [-2.0]] * (ROWS // 2),
    "sampled_log_expected": [-0.5, -1.0, -3.0],
    "accidental_hits": [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]] * (ROWS // 2),
}


def settings(info: LossInfo) -> list[dict[str, Any]]:
    """Return parameter values to test: all flags both ways, and under each the examples of every number or word."""
    flags = [item for item in own_parameters(info) if isinstance(item, Flag)]
    single: list[dict[str, Any]] = [{}]
    for item in own_parameters(info):
        if isinstance(item, Real):
            values = dict.fromkeys((*item.examples, *item.also))
            single += [{item.name: value} for value in values if value != item.default]
        elif isinstance(item, Choice):
            single += [{item.name: word} for word in item.choices if word != item.default]
        elif isinstance(item, Array):
            if item.name in OWN_ARRAYS:
                single += [{item.name: OWN_ARRAYS[item.name]}]
                continue
            if info.geometry == "risk":  # one number for each sample
                single += [{item.name: [-1.0, -2.0] * (ROWS // 2)}]
                continue
            if info.geometry == "brier":
                continue
            if info.geometry in ("lists", "auc_margin"):  # groups and pairs are told of one long list
                single += [{item.name: [0.0, 1.0, 2.5, 3.5]}] if item.name == "label_gain" else []
                continue
            single += [{item.name: 3.0 if info.geometry == "pointwise" else CLASS_WEIGHT}]
    found = []
    for choice in itertools.product((False, True), repeat=len(flags)):
        chosen = {item.name: value for item, value in zip(flags, choice, strict=True)}
        found += [{**chosen, **change} for change in single]
    return found


def label(info: LossInfo, parameters: Mapping[str, Any]) -> str:
    """Write a loss and its parameters as the id of a test."""
    texts = [f"{name}={value}" for name, value in parameters.items()]
    return f"{info.name}({', '.join(texts)})"


def cases() -> Iterator[tuple[LossInfo, dict[str, Any]]]:
    """Go through every pointwise loss with every setting of its parameters."""
    for info in POINTWISE:
        for parameters in settings(info):
            yield info, parameters


CASES = tuple(cases())
CASE_IDS = tuple(label(info, parameters) for info, parameters in CASES)
LOSS_IDS = tuple(info.name for info in LOSSES)
POINTWISE_IDS = tuple(info.name for info in POINTWISE)


# ---- points ------------------------------------------------------------------------------------------------------


def generator(*words: object) -> np.random.Generator:
    """Return random numbers that are the same in every run and on every machine."""
    return np.random.default_rng(zlib.crc32(repr(words).encode()))


def draw(domain: Domain, rng: np.random.Generator, n: int, *, role: str) -> np.ndarray:
    """Draw `n` numbers from the inside of a domain, over several scales; labels include their extremes."""
    if domain.name == "real":
        values = rng.standard_normal(n) * rng.choice([0.05, 1.0, 4.0, 12.0], n, p=[0.2, 0.4, 0.3, 0.1])
    elif domain.name in ("positive", "nonnegative"):
        values = np.exp(rng.normal(0.3, 1.2, n))
        if role == "target":
            counts = rng.integers(2, 40, n)
            values = np.where(rng.random(n) < 0.4, counts, values)
        elif role == "third":
            values = np.exp(rng.normal(0.0, 0.8, n))
    elif domain.name == "probability":
        values = 1 / (1 + np.exp(-rng.normal(0.0, 2.5, n)))
        if role == "target":
            kind = rng.random(n)
            values = np.where(kind < 0.35, 0.0, np.where(kind < 0.7, 1.0, values))
    elif domain.name == "sign":
        values = rng.choice([-1.0, 1.0], n)
    elif domain.name == "binary":
        values = rng.choice([0.0, 1.0], n)
    elif domain.name == "cosine":
        values = np.tanh(rng.normal(0.0, 1.0, n))
    elif domain.name == "above_minus_one":
        values = np.exp(rng.normal(0.0, 1.5, n)) - 0.99
    else:
        raise KeyError(f"no points are known for the domain {domain.name!r}; add them to tests/formulas.py")
    return values.astype(np.float32).astype(np.float64)


def points(info: LossInfo, parameters: Mapping[str, Any], n: int) -> dict[str, np.ndarray]:
    """Draw `n` points inside the domains of a loss; every number is a float32, so that both precisions see it."""
    rng = generator(info.name, n)
    roles = {
        name: ("first", "target" if name == "target" else "second", "third")[k]
        for k, name in enumerate(info.input_names)
    }
    return {
        name: draw(domain, rng, n, role="target" if name == "target" else roles[name])
        for name, domain in domains(info, parameters).items()
    }


def region_inputs(info: LossInfo) -> list[np.ndarray]:
    """Draw probabilities of four classes on six small images, and a mask of each class."""
    rng = generator(info.name, "regions")
    masks = np.moveaxis(np.eye(CLASSES)[rng.integers(0, CLASSES, (ROWS, 3, 5))], -1, 1)
    inputs = [np.moveaxis(rng.dirichlet(np.ones(CLASSES), (ROWS, 3, 5)), -1, 1), masks]
    if info.inputs[1].holds == "class" and not info.inputs[1].or_row:
        return [inputs[0], masks.argmax(axis=1)]
    if "activation" not in info.parameter_names:  # one class
        return [rng.normal(size=masks[:, 0].shape), masks[:, 0]]
    return inputs


def box_inputs(info: LossInfo) -> list[np.ndarray]:
    """Draw six boxes of two corners each, near one another."""
    rng = generator(info.name, "boxes")
    corner, size = rng.uniform(0, 5, (ROWS, 2)), rng.uniform(1, 6, (ROWS, 2))
    moved, grown = corner + rng.normal(0, 1, (ROWS, 2)), size * rng.uniform(0.7, 1.4, (ROWS, 2))
    return [np.concatenate([corner, corner + size], axis=1), np.concatenate([moved, moved + grown], axis=1)]


def row_inputs(info: LossInfo) -> list[np.ndarray]:
    """Draw inputs of a loss of rows: scores of classes with a target, vectors with labels, regions or boxes."""
    if info.geometry == "ctc":
        return sequence_inputs(info)
    if info.geometry in class_scores.GEOMETRIES:
        return class_scores.draw(info, ROWS, CLASSES)
    if info.geometry == "similarity":
        return contrast.draw(info, ROWS)
    if info.geometry in vocabulary.GEOMETRIES:
        return vocabulary.draw(info, ROWS, CLASSES)
    if info.family == "segmentation":
        return region_inputs(info)
    if info.geometry == "boxes":
        return box_inputs(info)
    if info.geometry == "softmax_between":
        rng = generator(info.name, "bins")
        return [rng.standard_normal((ROWS, CLASSES)), rng.uniform(0, CLASSES - 1, ROWS)]
    rng = generator(info.name, "rows")
    arrays = []
    for item in info.inputs:
        vector = rng.standard_normal((ROWS, CLASSES))
        if item.name != "target" or info.name in ROW_TARGETS:
            if info.name == "nll_loss":  # log-probabilities
                vector = -np.abs(vector)
            positive = item.domain.name in ("nonnegative", "positive", "probability")
            arrays.append(np.exp(vector) / np.exp(vector).sum(1, keepdims=True) if positive else vector)
        elif info.geometry == "distance":
            arrays.append(draw(item.domain, rng, ROWS, role="target"))
        elif info.name == "multilabel_margin_loss":  # a list of classes that ends at -1
            arrays.append(np.array([[1, 3, -1, 0], [-1, 0, 0, 0], [0, 1, 2, 3]] * (ROWS // 3)))
        elif item.domain.name == "probability":
            arrays.append(np.eye(CLASSES)[rng.integers(0, CLASSES, ROWS)])
        else:
            arrays.append(rng.integers(0, CLASSES, ROWS))
    return arrays


def transducer_inputs(info: LossInfo) -> list[np.ndarray]:
    """Draw inputs of a transducer: samples of up to three frames and two labels, the last class as blank."""
    rng = generator(info.name, "lattices")
    return [
        rng.standard_normal((ROWS, 3, 3, CLASSES)),
        rng.integers(0, CLASSES - 1, (ROWS, 2)),
        rng.integers(1, 4, ROWS),
        rng.integers(0, 3, ROWS),
    ]


def sequence_inputs(info: LossInfo) -> list[np.ndarray]:
    """Draw inputs of a loss of sequences: scores of 7 frames, targets of at most 3 labels, and their lengths."""
    rng = generator(info.name, "sequences")
    scores = rng.standard_normal((7, ROWS, CLASSES))
    if info.input_names[0] == "log_probs":
        scores -= np.log(np.exp(scores).sum(-1, keepdims=True))
    targets = rng.integers(1, CLASSES, (ROWS, 3))
    return [scores, targets, np.array([7, 6, 7, 5, 7, 6]), np.array([3, 2, 1, 2, 0, 3])]


def survival_inputs(info: LossInfo) -> list[np.ndarray]:
    """Draw inputs of a survival loss as its geometry does; every number is a float32."""
    values = {item.name: item.default for item in info.parameters}
    elements = ROWS * {"intervals": INTERVALS, "hits": INTERVALS, "brier": 3}.get(info.geometry, 1)
    drawn = geometries.find(info.geometry).draw(info, values, generator(info.name, "survival"), elements)
    return [array.astype(np.float32).astype(array.dtype) for array in drawn]


def list_inputs(info: LossInfo, parameters: Mapping[str, Any]) -> list[np.ndarray]:
    """Draw inputs of a ranking loss as its geometry does: six lists."""
    values = {item.name: item.default for item in info.parameters} | dict(parameters)
    drawn = geometries.find(info.geometry).draw(info, values, generator(info.name, "lists"), ROWS * DRAWN)
    return [array.astype(np.float32).astype(array.dtype) for array in drawn]


def sample_inputs(info: LossInfo, parameters: Mapping[str, Any] | None = None) -> list[np.ndarray]:
    """Draw six samples of a loss of any geometry, inside its domains."""
    if info.geometry == "transducer":
        return transducer_inputs(info)
    if info.family == "survival":
        return survival_inputs(info)
    if info.family == "ranking":
        return list_inputs(info, parameters or {})
    if info.geometry != "pointwise":
        return row_inputs(info)
    return [array.reshape(ROWS, 2) for array in points(info, parameters or {}, 2 * ROWS).values()]


def modes(info: LossInfo) -> tuple[str, ...]:
    """Return the names of the methods for derivatives that a loss offers."""
    return ("grad", "value_and_grad", *(["value_grad_hess"] if info.has_hessian else []))


def outside(domain: Domain) -> list[float]:
    """Return values outside a domain, none for the real numbers."""
    return {
        "real": [],
        "nonnegative": [-1.0, -1e-30, -np.inf],
        "positive": [0.0, -0.0, -2.0],
        "probability": [1.2, -0.1, np.inf, 1.0000001192092896],
        "sign": [0.0, 2.0, -np.inf],
        "binary": [-1.0, 0.5, np.inf],
        "above_minus_one": [-1.0, -3.0],
        "cosine": [-2.0, 1.1, np.inf],
    }[domain.name]


# ---- the formula as a function -----------------------------------------------------------------------------------


def names_in(info: LossInfo) -> set[str]:
    """Return every name that the formula of a loss and its definitions use, without the letters that they define."""
    return declared.names_used(info)


def _symbols(info: LossInfo, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Give every symbol of the formula its value: inputs and parameters."""
    bound = {**defaults(info), **parameters}
    bound = {name: 1.0 if value is None else value for name, value in bound.items()}
    values = {**inputs, **{name: value for name, value in bound.items() if name not in inputs}}
    for symbol, name in info.symbols.items():
        values[symbol] = values[name]
    return values


_WITH_NUMPY: dict[str, Any] = {
    "exp": np.exp, "log": np.log, "log1p": np.log1p, "expm1": np.expm1, "sqrt": np.sqrt, "abs": np.abs,
    "sign": np.sign, "max": np.maximum, "min": np.minimum, "cosh": np.cosh, "tanh": np.tanh,
    "sigmoid": lambda v: np.exp(-np.logaddexp(0, -v)), "softplus": lambda v: np.logaddexp(0, v),
    "loggamma": lambda v: special.gammaln(np.asarray(v, dtype=np.float64)),
}  # fmt: skip


def evaluate(
    info: LossInfo, inputs: Mapping[str, Any], parameters: Mapping[str, Any], dtype: Any = np.float64
) -> np.ndarray:
    """Evaluate the formula with NumPy: one value per element."""
    arrays = {name: np.asarray(value, dtype=dtype) for name, value in inputs.items()}
    numbers = {
        name: value if isinstance(value, bool) else np.asarray(value, dtype=dtype)[()]
        for name, value in {**defaults(info), **parameters}.items()
        if value is not None
    }
    with np.errstate(all="ignore"):
        value = declared.read_element(info, Numbers(_WITH_NUMPY), _symbols(info, arrays, numbers))
    return np.asarray(value, dtype=dtype)


def _mp_softplus(v: Any) -> Any:
    return v + mp.log1p(mp.exp(-v)) if v > 0 else mp.log1p(mp.exp(v))


def _mp_sigmoid(v: Any) -> Any:
    return 1 / (1 + mp.exp(-v)) if v > 0 else mp.exp(v) / (1 + mp.exp(v))


def _mp_power(base: Any, exponent: Any) -> Any:
    return mpf(1) if exponent == 0 else mp.power(base, exponent)


def _mp_log(v: Any) -> Any:
    return mp.log(v) if v >= 0 else mp.nan


def _mp_log1p(v: Any) -> Any:
    return mp.log1p(v) if v > -1 else (-mp.inf if v == -1 else mp.nan)


@functools.cache
def _mp_loggamma(v: Any, precision: int) -> Any:
    """Slow, and asked for again and again: its argument is often a parameter or a count."""
    return mp.loggamma(v)


_WITH_MPMATH: dict[str, Any] = {
    "exp": mp.exp, "log": _mp_log, "log1p": _mp_log1p, "expm1": mp.expm1, "sqrt": mp.sqrt, "abs": abs,
    "sign": mp.sign, "max": max, "min": min, "cosh": mp.cosh, "tanh": mp.tanh, "sigmoid": _mp_sigmoid,
    "softplus": _mp_softplus, "loggamma": lambda v: _mp_loggamma(mpf(v), mp.prec),
}  # fmt: skip


class _Exact(Numbers):
    """Numbers of mpmath; pi has as many digits as are asked for."""

    def __init__(self) -> None:
        super().__init__(_WITH_MPMATH, lambda value: +mp.pi if value == math.pi else mpf(value))


def exactly(info: LossInfo, parameters: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Any]:
    """Return the formula as a function of mpmath numbers by input name; it works in the current precision."""
    numbers = {
        name: value if isinstance(value, bool) or value is None else mpf(float(value))
        for name, value in parameters.items()
    }

    def value_at(point: Mapping[str, Any]) -> Any:
        return mpmath.mpmathify(declared.read_element(info, _Exact(), _symbols(info, point, numbers)))

    return value_at


# ---- derivatives -------------------------------------------------------------------------------------------------


def stencil(f: Callable[[Mapping[str, Any]], Any], point: Mapping[str, Any], name: str) -> tuple[Any, Any, Any]:
    """Return value, first and second derivative for one input by central differences of 160-digit numbers."""
    h = mpf(STEP) * max(1, abs(point[name]))
    before, here, after = (f({**point, name: point[name] + k * h}) for k in (-1, 0, 1))
    first, second = (after - before) / (2 * h), (after - 2 * here + before) / h**2
    noise = mpf("1e-70") * (1 + abs(here))  # what rounding leaves of a derivative that is 0
    return here, first if abs(first) > noise else mpf(0), second if abs(second) > noise else mpf(0)


@dataclass
class Reference:
    """Value, gradient and Hessian of every element from the formula, with the scale that their errors go by.

    The scale of a number is its magnitude plus what a relative change of 1 in each input would change it by, to
    first order: an error of the scale times the machine epsilon is what rounding the inputs alone can cause.
    """

    inputs: dict[str, np.ndarray]
    value: np.ndarray
    value_scale: np.ndarray
    grad: dict[str, np.ndarray] = field(default_factory=dict)
    grad_scale: dict[str, np.ndarray] = field(default_factory=dict)
    hess: dict[str, np.ndarray] = field(default_factory=dict)
    hess_scale: dict[str, np.ndarray] = field(default_factory=dict)


def reference(info: LossInfo, inputs: Mapping[str, np.ndarray], parameters: Mapping[str, Any]) -> Reference:
    """Evaluate the formula and its derivatives for every differentiable input with 160 digits.

    Array parameters give one value per element.
    """
    arrays = {name: np.asarray(array, dtype=np.float64) for name, array in inputs.items()}
    shape = arrays[info.input_names[0]].shape
    found = Reference(dict(arrays), np.empty(shape), np.empty(shape))
    for table in (found.grad, found.grad_scale, found.hess, found.hess_scale):
        table.update({name: np.empty(shape) for name in info.differentiable})
    movable = [name for name, domain in domains(info, parameters).items() if domain.name not in ("sign", "binary")]
    with mp.workdps(DIGITS):
        eta = mpf(STEP)
        for index in np.ndindex(shape):
            numbers = {
                name: np.broadcast_to(value, shape)[index] if isinstance(value, np.ndarray) else value
                for name, value in parameters.items()
            }
            f = exactly(info, numbers)
            point = {name: mpf(float(array[index])) for name, array in arrays.items()}
            moved = [{**point, name: point[name] * (1 + eta)} for name in movable if point[name] != 0]
            for name in info.differentiable:
                here = stencil(f, point, name)
                scales = [abs(part) for part in here]
                for other in moved:
                    scales = [
                        scale + abs(a - b) / eta
                        for scale, a, b in zip(scales, stencil(f, other, name), here, strict=True)
                    ]
                found.value[index], found.value_scale[index] = here[0], scales[0]
                found.grad[name][index], found.grad_scale[name][index] = here[1], scales[1]
                found.hess[name][index], found.hess_scale[name][index] = here[2], scales[2]
    return found


_references: dict[tuple[Any, ...], Reference] = {}


def reference_at_points(info: LossInfo, parameters: Mapping[str, Any], n: int) -> Reference:
    """Return the reference at the points of a loss, computed once in a run."""
    key = (info.name, tuple(parameters.items()), n)
    if key not in _references:
        _references[key] = reference(info, points(info, parameters, n), parameters)
    return _references[key]


def extreme(
    info: LossInfo, point: Mapping[str, float], parameters: Mapping[str, Any], name: str
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return value and derivative for the input `name` at an extreme point.

    An infinite coordinate stands for the limit along it, which may be infinite too; NaN says that the formula has
    no value there.
    """
    with mp.workdps(_digits(point)):
        value, grad = _at_point(info, point, parameters, name, mpf("1e60"))
        if any(np.isinf(number) for number in point.values()):
            further = _at_point(info, point, parameters, name, mpf("1e120"))
            value, grad = _limit(value, further[0]), _limit(grad, further[1])
        return float(value), float(grad)


def sensitivity(
    info: LossInfo, point: Mapping[str, float], parameters: Mapping[str, Any], name: str
) -> tuple[float, float]:
    """Return by how much a relative change of the other coordinates changes value and derivative, to first order."""
    total = [0.0, 0.0]
    with mp.workdps(_digits(point)):
        here = _at_point(info, point, parameters, name, mpf("1e60"))
        for other, domain in domains(info, parameters).items():
            if domain.name in ("sign", "binary") or point[other] == 0 or np.isinf(point[other]):
                continue
            eta = mpf(STEP)
            moved = _at_point(info, {**point, other: mpf(point[other]) * (1 + eta)}, parameters, name, mpf("1e60"))
            for k in (0, 1):
                change = abs(moved[k] - here[k]) / eta
                if mp.isfinite(change):
                    total[k] += float(change)
    return total[0], total[1]


def _digits(point: Mapping[str, Any]) -> int:
    """Return the precision that holds the square of 1e-310 beside 1, with a step 1e-40 times as large."""
    far = any(value != 0 and np.isfinite(value) and abs(math.log10(abs(value))) > 60 for value in point.values())
    return 800 if far else 300


def _at_point(
    info: LossInfo, point: Mapping[str, Any], parameters: Mapping[str, Any], name: str, huge: Any
) -> tuple[Any, Any]:
    f = exactly(info, parameters)
    numbers = {key: huge * (1 if value > 0 else -1) if mp.isinf(value) else mpf(value) for key, value in point.items()}
    h = abs(numbers[name] or 1) * mpf(STEP)
    parts = []
    for k in (0, 1, -1):
        try:
            part = f({**numbers, name: numbers[name] + k * h})
        except ZeroDivisionError:
            part = mp.nan
        parts.append(mp.nan if isinstance(part, mpmath.mpc) else part)
    here, after, before = parts
    return here, (after - before) / (2 * h)


def _limit(near: Any, far: Any) -> Any:
    """Return where a sequence goes from two of its members far out."""
    if abs(far) <= abs(near) / 2:
        return mpf(0)
    if abs(far - near) > mpf("1e-30") * abs(far) and abs(far) > abs(near):
        return mp.inf * mp.sign(far)
    return far


def as_dtype(values: Mapping[str, np.ndarray], dtype: Any) -> list[np.ndarray]:
    """Return the inputs in order as arrays of a dtype."""
    return [np.asarray(array).astype(dtype) for array in values.values()]
