"""What a page states, executed: formula against kernel, denominators, domains, examples.

Every function returns what the page prints and raises ``Disagreement`` where text and package differ.
"""

from __future__ import annotations

import doctest
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np

import losslib
from losslib.declaration import registry, schema
from losslib.declaration.schema import Array, Domain, LossInfo, Real
from losslib.geometries import base
from losspages.formulas.symbolic import DIGITS, Formula, flag_settings

#: Largest difference between kernel and formula, relative to max(1, |formula|), in float64.
TOLERANCE = 2e-13

#: Below this size an error is measured in the unit of this number: elsewhere a zero crossing would count without end.
SMALLEST_UNIT = 2.0**-10

#: Values inside each domain, none at a kink of any loss: parameters are round numbers, these are not.
GRID: dict[str, tuple[float, ...]] = {
    "real": (-6.31, -2.717, -1.137, -0.373, -0.0417, 0.2113, 0.8371, 1.723, 3.919, 7.61),
    "nonnegative": (0.0213, 0.3371, 0.917, 1.613, 4.237, 11.03),
    "positive": (0.0213, 0.3371, 0.917, 1.613, 4.237, 11.03),
    "probability": (0.0031, 0.1137, 0.2719, 0.4837, 0.6613, 0.9171, 0.9983),
    "cosine": (-0.9, -0.31, 0.21, 0.72, 0.97),
    "above_minus_one": (-0.813, -0.3119, 0.2137, 1.719, 6.133),
    "sign": (-1.0, 1.0),
    "binary": (0.0, 1.0),
}

#: Targets may sit on the edge of their domain.
TARGETS: dict[str, tuple[float, ...]] = {
    **GRID,
    "real": (-3.13, -0.619, 0.4271, 1.933, 5.17),
    "nonnegative": (0.0, 1.0, 0.731, 2.513, 7.0),
    "probability": (0.0, 1.0, 0.3137, 0.8519),
}

#: A value outside each domain.
OUTSIDE = {
    "nonnegative": -1.0, "positive": 0.0, "probability": 1.5, "sign": 0.0, "above_minus_one": -1.0, "binary": 0.5,
    "cosine": 2.0,
}  # fmt: skip


class Disagreement(Exception):
    """A statement of a page that the package contradicts."""


def domains_of(info: LossInfo, parameters: Mapping[str, Any]) -> tuple[Domain, ...]:
    """Return the domain of every input for these parameters."""
    values = registry.class_of(info.name)(**parameters).parameters
    return tuple(base.domains_of(info, values))


def own_parameters(info: LossInfo) -> list[schema.Parameter]:
    """Return the parameters that belong to the loss alone."""
    return [item for item in info.parameters if item.name not in ("weight", "reduction", "check")]


def parameter_settings(info: LossInfo, flags: Mapping[str, bool]) -> Iterator[dict[str, Any]]:
    """Yield parameter values: the defaults, then each declared example and special value in turn."""
    yield dict(flags)
    for item in own_parameters(info):
        if isinstance(item, Real):
            for value in dict.fromkeys((*item.examples, *item.also)):
                if value != item.default:
                    yield {**flags, item.name: value}
        elif isinstance(item, Array):
            yield {**flags, item.name: 3.0}


# ---- formula against kernel ------------------------------------------------------------------------------------


@dataclass
class FormulaCheck:
    """What the comparison of a formula with the kernel has covered."""

    settings: int = 0
    #: Numbers compared, by what they are: "value", "gradient" or "Hessian".
    numbers: Counter[str] = field(default_factory=Counter)
    #: Largest difference relative to max(1, |expected|), and by what they are the largest in units of the last place.
    largest: float = 0.0
    ulps: dict[str, float] = field(default_factory=dict)
    formulas: list[Formula] = field(default_factory=list)

    def add(self, what: str, kernel: float, expected: Any) -> float:
        """Count a comparison and return the deviation."""
        wanted = float(expected)
        error = abs(float(mpmath.mpf(float(kernel)) - expected))
        deviation = error / max(1.0, abs(wanted))
        self.numbers[what] += 1
        self.largest = max(self.largest, deviation)
        self.ulps[what] = max(self.ulps.get(what, 0.0), error / float(np.spacing(max(abs(wanted), SMALLEST_UNIT))))
        return deviation


def grid_points(info: LossInfo, parameters: Mapping[str, Any]) -> list[np.ndarray]:
    """Return one flat array per input: every combination of the grid values."""
    domains = domains_of(info, parameters)
    values = [
        TARGETS[domain.name] if item.name == "target" else GRID[domain.name]
        for item, domain in zip(info.inputs, domains, strict=True)
    ]
    rows = np.array(list(itertools.product(*values)))
    return [np.ascontiguousarray(column) for column in rows.T]


def check_formula(info: LossInfo, formulas: list[Formula] | None = None) -> FormulaCheck:
    """Compare value, gradient and Hessian of the kernel with the formula, for every setting and grid point."""
    result = FormulaCheck(formulas=formulas or [Formula(info, flags) for flags in flag_settings(info)])
    with mpmath.workdps(DIGITS):
        for formula in result.formulas:
            plan = _Plan(formula)
            for parameters in parameter_settings(info, formula.flags):
                _check_setting(info, plan, parameters, result)
                result.settings += 1
    return result


class _Plan:
    """The functions that evaluate one formula, made once."""

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        info = formula.info
        self.value = formula.evaluator(formula.value)
        self.gradients = {name: formula.evaluator(formula.derivative(name)) for name in info.differentiable}
        self.hessians = {
            name: formula.evaluator(formula.derivative(name, name)) for name in info.default_wrt if info.has_hessian
        }
        self.kinks = [formula.evaluator(expression) for expression in formula.kinks()]
        self.guards = [formula.evaluator(expression) for expression in formula.guards()]


def _check_setting(info: LossInfo, plan: _Plan, parameters: Mapping[str, Any], result: FormulaCheck) -> None:
    inputs = grid_points(info, parameters)
    kernel = kernel_results(info, parameters, inputs)
    loss = registry.class_of(info.name)(**parameters)
    numbers = {}
    for symbol in plan.formula.symbols:
        if symbol.name not in plan.formula.inputs and symbol not in plan.formula.definitions:
            value = loss.parameters[info.symbols.get(symbol.name, symbol.name)]
            numbers[symbol.name] = 1.0 if value is None else float(value)
    domains = domains_of(info, parameters)
    for k in range(len(inputs[0])):
        point = {**numbers, **{name: array[k] for name, array in zip(plan.formula.inputs, inputs, strict=True)}}
        compare(info, "value", kernel["value"][k], plan.value(point), point, parameters, result)
        if any(guard(point) <= 0 for guard in plan.guards) or any(abs(kink(point)) < 1e-9 for kink in plan.kinks):
            continue
        for name in info.differentiable:
            place = info.input_names.index(name)
            if name == "target" and _on_edge(domains[place], inputs[place][k]):
                continue
            expected = plan.gradients[name](point)
            compare(info, f"gradient for {name}", kernel[name][k], expected, point, parameters, result)
        for name, function in plan.hessians.items():
            compare(info, f"Hessian for {name}", kernel[f"{name} 2"][k], function(point), point, parameters, result)


def _on_edge(domain: Domain, value: float) -> bool:
    edges = {"probability": (0.0, 1.0), "nonnegative": (0.0,), "sign": (-1.0, 1.0), "binary": (0.0, 1.0)}
    return value in edges.get(domain.name, ())


def kernel_results(info: LossInfo, parameters: Mapping[str, Any], inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Return value, gradients and Hessians of every element by what they are called here."""
    loss = registry.class_of(info.name)(**parameters, reduction="none")
    if info.averages_last_axis:  # one class: the mean over the last axis is the element itself
        inputs = [array[:, np.newaxis] for array in inputs]
    results = {"value": loss(*inputs).ravel()}
    for name in info.differentiable:
        results[name] = loss.grad(*inputs, wrt=name).ravel()
    if info.has_hessian:
        for name in info.default_wrt:
            results[f"{name} 2"] = loss.value_grad_hess(*inputs, wrt=name)[2].ravel()
    return results


def compare(
    info: LossInfo,
    what: str,
    kernel: float,
    expected: Any,
    point: Mapping[str, float],
    parameters: Mapping[str, Any],
    result: FormulaCheck,
) -> None:
    """Compare one number of the kernel with the formula's."""
    deviation = result.add(what.partition(" ")[0], kernel, expected)
    if not deviation <= TOLERANCE:
        where = ", ".join(f"{name}={float(value)!r}" for name, value in point.items())
        raise Disagreement(
            f"{info.name}: the {what} differs between formula and kernel at {where} (parameters {dict(parameters)}): "
            f"the kernel gives {float(kernel):.17g}, the formula {float(expected):.17g}"
        )


# ---- inputs outside their domain -------------------------------------------------------------------------------


def sample(info: LossInfo, parameters: Mapping[str, Any], count: int, *, plain: bool = False) -> list[np.ndarray]:
    """Return ``count`` elements of every input; ``plain`` chooses targets that every package takes (0/1, counts)."""
    arrays = []
    for item, domain in zip(info.inputs, domains_of(info, parameters), strict=True):
        values: tuple[float, ...] = TARGETS[domain.name] if item.name == "target" else GRID[domain.name]
        if plain and item.name == "target":
            values = {"probability": (0.0, 1.0, 1.0), "nonnegative": (0.0, 1.0, 5.0, 2.0)}.get(domain.name, values)
        if plain and domain.name == "above_minus_one":  # elsewhere often clipped at 0
            values = GRID["nonnegative"][item.name == "target" :]
        step = {"target": 2, "input": 3}.get(item.name, 1)
        while len(values) > 1 and math.gcd(step, len(values)) > 1:
            step += 1
        arrays.append(np.array([values[(1 + k * step) % len(values)] for k in range(count)]))
    return arrays


def message_outside(info: LossInfo, position: int, parameters: Mapping[str, Any]) -> str:
    """Put one value outside the domain of an input and return the error's message; empty if any value is legal."""
    domain = domains_of(info, parameters)[position]
    if domain.name not in OUTSIDE:
        return ""
    inputs = sample(info, parameters, 4)
    inputs[position][2] = OUTSIDE[domain.name]
    try:
        registry.function_of(info.name)(*shaped(info, inputs), **parameters)
    except losslib.DomainError as error:
        return str(error)
    raise Disagreement(f"{info.name}: {info.inputs[position].name}={OUTSIDE[domain.name]:g} should be a DomainError")


def shaped(info: LossInfo, inputs: list[np.ndarray]) -> list[np.ndarray]:
    return [array.reshape(2, -1) for array in inputs] if info.averages_last_axis else inputs


# ---- types, shapes and NaN -----------------------------------------------------------------------------------------


def check_inputs(info: LossInfo, inputs: list[np.ndarray]) -> None:
    """Execute what a page says about the types of its inputs, about NaN and about shapes that do not agree."""
    loss = registry.class_of(info.name)(reduction="none")
    name = info.default_wrt[0]
    for dtype in (np.float16, np.float32, np.float64):
        cast = [array.astype(dtype) if array.dtype.kind == "f" else array for array in inputs]
        if any(not np.isfinite(array).all() for array in cast):
            continue
        for what, found in (("values", loss(*cast)), ("gradient", loss.grad(*cast, wrt=name))):
            if found.dtype != dtype:
                raise Disagreement(f"{info.name}: {np.dtype(dtype)} inputs give {what} of {found.dtype}")
    lists = loss(*(array.tolist() for array in inputs))
    if lists.dtype != np.float64 or not np.array_equal(lists, loss(*inputs)):
        raise Disagreement(f"{info.name}: lists do not give what float64 arrays give")
    place = info.input_names.index(name)
    holed = [array.copy() for array in inputs]
    holed[place][(0,) * holed[place].ndim] = np.nan
    values, gradient = loss(*holed), loss.grad(*holed, wrt=name)
    if not np.isnan(values.ravel()[0]) or not (np.isnan(gradient).any() or info.geometry != "pointwise"):
        raise Disagreement(f"{info.name}: a NaN of {name} does not reach value and gradient")
    if np.isnan(values.ravel()[1:]).any() or np.isnan(gradient[1:]).any():
        raise Disagreement(f"{info.name}: a NaN of {name} reaches other samples")
    try:
        loss(*inputs[:-1], inputs[-1][:-1])
    except losslib.ShapeError:
        return
    raise Disagreement(f"{info.name}: a {info.input_names[-1]} with a sample less is no ShapeError")


# ---- reductions ------------------------------------------------------------------------------------------------


@dataclass
class ReductionRow:
    """One mode: what the sum is divided by in each situation, and the values of batches without elements."""

    mode: str
    divisors: dict[str, float]
    empty: float
    masked: float


REDUCTION_WEIGHT = np.array([[1.0, 2.0], [3.0, 4.0]])
REDUCTION_SAMPLE_WEIGHT = np.array([1.0, 3.0])
REDUCTION_WHERE = np.array([[True, True], [False, True]])


def check_reductions(info: LossInfo) -> list[ReductionRow]:
    """Measure every mode's denominator on a 2 x 2 batch and compare it with the rule that the page states."""
    inputs = [array.reshape(2, 2) for array in sample(info, {}, 4)]
    function = registry.function_of(info.name)
    situations: dict[str, dict[str, Any]] = {
        "plain": {},
        "weight": {"weight": REDUCTION_WEIGHT},
        "sample_weight": {"sample_weight": REDUCTION_SAMPLE_WEIGHT},
        "where": {"where": REDUCTION_WHERE},
    }
    empty = [array[:0] for array in inputs]
    nothing = np.zeros((2, 2), dtype=bool)
    rows = []
    for mode in info.reductions:
        if mode == "none":
            continue
        divisors = {}
        for situation, arguments in situations.items():
            values = np.asarray(function(*inputs, **arguments, reduction="none"))
            total = float(values.sum()) * (inputs[0].shape[-1] if info.averages_last_axis else 1)
            reduced = function(*inputs, **arguments, reduction=mode)
            expected = _divisor(info, mode, situation)
            if not math.isclose(reduced * expected, total, rel_tol=1e-12):
                raise Disagreement(
                    f"{info.name}: reduction={mode!r}, {situation}: the sum {total:.17g} divided by {expected:g} is "
                    f"not {reduced:.17g}"
                )
            divisors[situation] = expected
        rows.append(
            ReductionRow(
                mode, divisors, function(*empty, reduction=mode), function(*inputs, where=nothing, reduction=mode)
            )
        )
    for row in rows:
        for what, value, wanted in (("empty", row.empty, _empty(row.mode)), ("masked", row.masked, _masked(row.mode))):
            if not (value == wanted or (math.isnan(value) and math.isnan(wanted))):
                raise Disagreement(f"{info.name}: reduction={row.mode!r} of the {what} batch is {value}, not {wanted}")
    return rows


def _divisor(info: LossInfo, mode: str, situation: str) -> float:
    """Return the stated denominator for the 2 x 2 batch."""
    count = float(REDUCTION_WHERE.sum()) if situation == "where" else 4.0
    if mode == "mean":
        by_weight = situation == "weight" and info.mean_divisor == "weight"
        return float(REDUCTION_WEIGHT.sum()) if by_weight else count
    if mode == "weighted_mean":
        sums = {"weight": REDUCTION_WEIGHT.sum(), "sample_weight": 2 * REDUCTION_SAMPLE_WEIGHT.sum()}
        return float(sums.get(situation, count))
    if mode == "batchmean":
        return 2.0
    return 2.0 if info.averages_last_axis else 1.0


def _empty(mode: str) -> float:
    return 0.0 if mode == "sum" else math.nan


def _masked(mode: str) -> float:
    return math.nan if mode in ("mean", "weighted_mean") else 0.0


# ---- examples --------------------------------------------------------------------------------------------------


def run_doctest(text: str, name: str, filename: str | None = None) -> int:
    """Run the examples of a text; return how many there were."""
    test = doctest.DocTestParser().get_doctest(text, {"np": np, "losslib": losslib}, name, filename, 0)
    complaints: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    # NumPy prints with the user's options; the page shows the defaults.
    with np.printoptions(legacy=False):
        runner.run(test, out=complaints.append)
    if complaints:
        raise Disagreement(f"{name}: an example does not print what the page shows\n" + "".join(complaints))
    return len(test.examples)
