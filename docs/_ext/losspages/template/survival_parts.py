"""Pages of survival losses: formulas written by hand, compared with definitions in numbers that carry derivatives.

A risk set is no expression of one sample, and a censored time has another formula than a known one. The pages show
what the declarations say in LaTeX; what is compared with the kernel is each definition as a loop over all samples, for
the value, and Taylor coefficients of it for gradient and Hessian.
"""

from __future__ import annotations

import math as mathematics
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

import losslib
import taylor
from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.checks.equivalents import EquivalentResult
from losspages.checks.examine import EXAMINERS, PageFacts, Sections
from losspages.checks.verify import Disagreement, FormulaCheck, ReductionRow, run_doctest
from losspages.formulas.symbolic import DIGITS
from losspages.pictures import risk_sets
from losspages.pictures.curves import SAMPLES, Curve, Figure, abscissa
from losspages.rst import heading, indent, math, table
from losspages.template import tables
from taylor import Taylor

#: Largest difference between kernel and definition, relative to max(1, |definition|), in float64.
TOLERANCE = 2e-12
SAMPLE_WEIGHT, WHERE = np.array([1.0, 3.0, 2.0, 1.0]), np.array([True, True, False, True])

Numbers = list[Taylor]
ZERO = mpmath.mpf(0)


# ---- definitions -----------------------------------------------------------------------------------------------


def total(numbers: Any) -> Taylor:
    return sum(numbers, Taylor(ZERO))


def softplus(x: Taylor) -> Taylor:
    return taylor.log(1 + taylor.exp(x))


def cox(x: list[Numbers], data: list[np.ndarray], parameters: dict[str, Any]) -> Taylor:
    """Return the sum over the times of events, each with its risk set."""
    (scores,), (time, event) = x, data
    found = Taylor(ZERO)
    for t in sorted(set(time[event == 1])):
        dying = [j for j in range(len(time)) if time[j] == t and event[j]]
        hazards = {j: taylor.exp(scores[j]) for j in range(len(time)) if time[j] >= t}
        whole, tied = total(hazards.values()), total(hazards[j] for j in dying)
        for position, j in enumerate(dying):
            left_out = position / mpmath.mpf(len(dying)) if parameters.get("ties", "efron") == "efron" else ZERO
            found = found + taylor.log(whole - left_out * tied) - scores[j]
    return found


def normal_below(z: Taylor) -> Taylor:
    z = taylor.taylor(z)
    density = mpmath.exp(-(z.value**2) / 2) / mpmath.sqrt(2 * mpmath.pi)
    return z.apply(mpmath.erfc(-z.value / mpmath.sqrt(2)) / 2, density, -z.value * density)


BELOW: dict[str, Callable[[Taylor], Taylor]] = {
    "normal": normal_below,
    "logistic": lambda z: 1 / (1 + taylor.exp(-z)),
    "extreme": lambda z: 1 - taylor.exp(-taylor.exp(z)),
}
MINUS_LOG_DENSITY: dict[str, Callable[[Taylor], Taylor]] = {
    "normal": lambda z: z * z / 2 + mpmath.log(2 * mpmath.pi) / 2,
    "logistic": lambda z: z + 2 * taylor.log(1 + taylor.exp(-z)),
    "extreme": lambda z: taylor.exp(z) - z,
}


def aft(x: list[Numbers], data: list[np.ndarray], parameters: dict[str, Any]) -> Taylor:
    kind, scale = parameters.get("distribution", "normal"), mpmath.mpf(parameters.get("scale", 1.0))
    found = Taylor(ZERO)
    for prediction, lower, upper in zip(x[0], *data, strict=True):
        low, high = (
            (mpmath.log(mpmath.mpf(t)) - prediction) / scale if 0 < t < np.inf else None for t in (lower, upper)
        )
        if lower == upper:
            found = found + MINUS_LOG_DENSITY[kind](low) + mpmath.log(scale * mpmath.mpf(upper))
        else:
            above = Taylor(mpmath.mpf(1)) if high is None else BELOW[kind](high)
            found = found - taylor.log(above - (Taylor(ZERO) if low is None else BELOW[kind](low)))
    return found


def weibull(x: list[Numbers], data: list[np.ndarray], parameters: dict[str, Any]) -> Taylor:
    found = Taylor(ZERO)
    for log_scale, log_shape, time, event in zip(*x, *data, strict=True):
        shape, u = taylor.exp(log_shape), mpmath.log(mpmath.mpf(time)) - log_scale
        found = found + taylor.exp(shape * u) - event * (log_shape - log_scale + (shape - 1) * u)
    return found


def rows_of(x: list[Numbers], count: int) -> list[Numbers]:
    width = len(x[0]) // count
    return [x[0][n * width : (n + 1) * width] for n in range(count)]


def logistic_hazard(x: list[Numbers], data: list[np.ndarray], parameters: dict[str, Any]) -> Taylor:
    interval, event = data
    return total(
        total(softplus(number) for number in row[: j + 1]) - float(e) * row[j]
        for row, j, e in zip(rows_of(x, len(event)), interval, event, strict=True)
    )


def constant_hazard(x: list[Numbers], data: list[np.ndarray], parameters: dict[str, Any]) -> Taylor:
    interval, event, fraction = data
    return total(
        total(softplus(number) for number in row[:j])
        + float(f) * softplus(row[j])
        - float(e) * taylor.log(softplus(row[j]))
        for row, j, e, f in zip(rows_of(x, len(event)), interval, event, fraction, strict=True)
    )


def mass(x: list[Numbers], data: list[np.ndarray], parameters: dict[str, Any]) -> Taylor:
    interval, event = data
    found = Taylor(ZERO)
    for row, j, e in zip(rows_of(x, len(event)), interval, event, strict=True):
        levels = [total(row[k:]) for k in range(len(row))] if parameters.get("cumulative", False) else row
        masses = [taylor.exp(level) for level in levels]
        beyond = Taylor(mpmath.mpf(1 if parameters.get("pad", True) else 0))
        known = masses[j] if e else total(masses[j + 1 :]) + beyond
        found = found + taylor.log(total(masses) + beyond) - taylor.log(known)
    return found


def comparable(time: np.ndarray, event: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs of an event and a sample that is observed beyond it."""
    count = range(len(time))
    return [
        (i, j)
        for i in count
        for j in count
        if event[i] and (time[j] > time[i] or (time[j] == time[i] and not event[j]))
    ]


def by_time(x: list[Numbers], data: list[np.ndarray], parameters: dict[str, Any]) -> Taylor:
    time, event = data
    weight = 1 / uncensored(time, event, time) ** 2 if parameters.get("ipcw") else np.ones(len(time))
    sigma = parameters.get("sigma", 1.0)
    return total(float(weight[i]) * softplus(sigma * (x[0][j] - x[0][i])) for i, j in comparable(time, event))


def deephit(x: list[Numbers], data: list[np.ndarray], parameters: dict[str, Any]) -> Taylor:
    interval, event = data
    alpha, sigma = (mpmath.mpf(parameters.get(name, default)) for name, default in (("alpha", 0.2), ("sigma", 0.1)))
    found, reached = alpha * mass(x, data, parameters), []
    for row in rows_of(x, len(event)):
        masses = [taylor.exp(number) for number in row]
        whole = total(masses) + Taylor(mpmath.mpf(1 if parameters.get("pad", True) else 0))
        reached.append([total(masses[: k + 1]) / whole for k in range(len(row))])
    pairs = comparable(interval, event)
    costs = total(taylor.exp((reached[j][interval[i]] - reached[i][interval[i]]) / sigma) for i, j in pairs)
    return found + (1 - alpha) / len(event) * costs


def uncensored(time: np.ndarray, event: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the estimate of Kaplan and Meier for the probability to be uncensored beyond each time."""
    found = np.ones(len(at))
    for t in np.unique(time):
        lost, at_risk = ((time == t) & (event == 0)).sum(), ((time > t) | ((time == t) & (event == 0))).sum()
        found[at >= t] *= 1 - lost / at_risk if at_risk else 1
    return found


def brier(x: list[Numbers], data: list[np.ndarray], parameters: dict[str, Any]) -> Taylor:
    time, event = data
    rows, found = rows_of(x, len(time)), Taylor(ZERO)
    grid = np.arange(1.0, len(rows[0]) + 1)
    steps = np.diff(grid)
    weights = (np.append(steps, 0) + np.append(0, steps)) / 2 / (grid[-1] - grid[0])
    if not parameters.get("integrate", True):
        weights = np.full(len(grid), 1 / len(grid))
    own, at_grid = uncensored(time, event, time), uncensored(time, event, grid)
    for i, row in enumerate(rows):
        for k, number in enumerate(row):
            if time[i] <= grid[k] and event[i]:
                found = found + float(weights[k] / own[i]) * number * number
            elif time[i] > grid[k] and at_grid[k] > 0:
                found = found + float(weights[k] / at_grid[k]) * (1 - number) * (1 - number)
    return found


#: Kernel -> its definition, a sum over the samples of a batch.
DEFINITIONS: dict[str, Callable[[list[Numbers], list[np.ndarray], dict[str, Any]], Taylor]] = {
    "cox": cox,
    "aft": aft,
    "weibull": weibull,
    "logistic_hazard": logistic_hazard,
    "constant_hazard": constant_hazard,
    "mass": mass,
    "by_time": by_time,
    "deephit": deephit,
    "brier": brier,
}

#: Kernel -> the parameters under which it is compared.
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "cox": ({}, {"ties": "breslow"}),
    "aft": tuple({"distribution": kind, "scale": scale} for kind in BELOW for scale in (1.0, 0.5)),
    "mass": ({}, {"pad": False}, {"cumulative": True}),
    "by_time": ({}, {"sigma": 2.0}, {"ipcw": True}),
    "deephit": ({}, {"alpha": 0.5, "sigma": 1.0}, {"pad": False}),
    "brier": ({}, {"integrate": False}),
}

#: What the letters of the formulas are.
WORDS = {
    "cox": ":math:`R_k` is the risk set at the time :math:`t_k` of an event, :math:`D_k` its :math:`m_k` events; "
    ":math:`w` are the sample weights and :math:`\\bar w_k` the mean weight of these events, :math:`e` is 1 for an "
    "event and 0 for a censored sample. :math:`c_l = l/m_k` for Efron's ties and 0 for Breslow's.",
    "aft": ":math:`x` is ``input``, :math:`t_l` and :math:`t_u` are ``lower`` and ``upper``, :math:`\\sigma` is "
    "``scale``; :math:`f` and :math:`F` are density and distribution function of the error.",
    "weibull": ":math:`a` is ``log_scale``, :math:`b` is ``log_shape``, :math:`t` the time and :math:`e` the event.",
    "logistic_hazard": ":math:`x` is a row of ``input``, :math:`j` the interval and :math:`e` the event.",
    "constant_hazard": ":math:`x` is a row of ``input``, :math:`j` the interval, :math:`\\rho` the fraction of it that "
    "was lived and :math:`e` the event.",
    "by_time": ":math:`x` is ``input``, :math:`t` the time, :math:`e` the event, :math:`w` the weight of an event's "
    "pairs and :math:`\\sigma` is ``sigma``.",
    "deephit": ":math:`x` is what ``input`` has for a sample, :math:`t` the interval, :math:`e` the cause, :math:`p` "
    "the softmax of a sample's scores, :math:`\\ell` its ``pmf_loss``; :math:`\\alpha` is ``alpha`` and "
    ":math:`\\sigma` is ``sigma``.",
    "brier": ":math:`x` is a row of ``input``, :math:`s` are the ``eval_times`` with the weights :math:`c`, :math:`t` "
    "the time, :math:`e` the event and :math:`G` the probability to be uncensored.",
    "mass": ":math:`x` is what ``input`` has for a sample, :math:`j` the interval and :math:`e` the cause, 0 for a "
    "censored sample.",
}


# ---- executed --------------------------------------------------------------------------------------------------


def batch(info: LossInfo) -> list[np.ndarray]:
    """Return four samples: of Cox two that die together, one before and one censored; of others all that they know."""
    random = np.random.default_rng(21)
    x = random.standard_normal(4)
    if info.kernel == "cox":
        return [x, np.array([1.0, 2.0, 2.0, 2.0]), np.array([1.0, 1.0, 0.0, 1.0])]
    if info.kernel == "aft":
        return [x, np.array([1.5, 1.5, 0.0, 0.5]), np.array([1.5, np.inf, 1.5, 2.5])]
    if info.kernel == "by_time":
        return [x, np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 1.0, 0.0, 1.0])]
    if info.kernel == "brier":
        return [random.uniform(0.1, 0.9, (4, 3)), np.array([0.5, 1.5, 2.0, 3.5]), np.array([1.0, 0.0, 1.0, 1.0])]
    event = np.array([1, 0, 0, 1])
    if info.kernel == "weibull":
        return [x, random.standard_normal(4) / 2, np.array([0.5, 1.5, 2.5, 1.0]), event.astype(float)]
    rows = [random.standard_normal((4, 3)), np.array([0, 1, 0, 2]), event]
    return [*rows, np.array([0.5, 0.25, 1.0, 0.75])] if info.kernel == "constant_hazard" else rows


def examine(info: LossInfo) -> PageFacts:
    """Execute the statements of a page about a survival loss."""
    return PageFacts(
        info=info,
        formula=check_formula(info),
        reductions=check_reductions(info),
        outside=messages_outside(info),
        examples=run_doctest(info.examples, info.name),
        equivalents=[EquivalentResult(item) for item in info.equivalents],
    )


def check_formula(info: LossInfo) -> FormulaCheck:
    """Compare value, gradient and Hessian of the kernel with the definition."""
    result, arrays = FormulaCheck(), batch(info)
    count = len(info.differentiable)
    with mpmath.workdps(DIGITS):
        for parameters in SETTINGS.get(str(info.kernel), ({},)):
            loss = registry.class_of(info.name)(**parameters, reduction="sum")
            found = loss.value_grad_hess(*arrays) if info.has_hessian else loss.value_and_grad(*arrays)
            value, *slopes = found[0], *(part if count > 1 else (part,) for part in found[1:])
            gradients, hessians = slopes if info.has_hessian else (slopes[0], None)
            for k in range(count):
                for place in range(arrays[k].size):
                    numbers = [[Taylor(mpmath.mpf(float(number))) for number in array.flat] for array in arrays[:count]]
                    numbers[k][place] = Taylor(numbers[k][place].value, mpmath.mpf(1))
                    expected = DEFINITIONS[str(info.kernel)](numbers, arrays[count:], parameters)
                    where = f"{info.input_names[k]}, number {place}, parameters {parameters}"
                    _compare(info, "value", value, expected.value, where, result)
                    _compare(info, "gradient", gradients[k].flat[place], expected.first, where, result)
                    if hessians is not None:
                        _compare(info, "Hessian", hessians[k].flat[place], expected.second, where, result)
            result.settings += 1
    return result


def _compare(info: LossInfo, what: str, kernel: float, expected: Any, where: str, result: FormulaCheck) -> None:
    if not result.add(what, kernel, expected) <= TOLERANCE:
        raise Disagreement(
            f"{info.name}: the {what} differs between the definition and the kernel at {where}: the kernel gives "
            f"{float(kernel):.17g}, the definition {float(expected):.17g}"
        )


def counted(info: LossInfo, arrays: list[np.ndarray], kept: np.ndarray) -> np.ndarray:
    """Return what each sample adds to a denominator: Cox counts events, ranking their pairs, the others samples."""
    if info.kernel == "cox":
        return arrays[2] * kept
    if info.kernel == "by_time":
        pairs = [i for i, j in comparable(arrays[1], arrays[2]) if kept[i] and kept[j]]
        return np.bincount(pairs, minlength=4)
    return kept.astype(float)


def check_reductions(info: LossInfo) -> list[ReductionRow]:
    """Measure every mode's denominator on four samples."""
    function, arrays = registry.function_of(info.name), batch(info)
    situations: dict[str, dict[str, Any]] = {
        "no weights": {}, "``sample_weight``": {"sample_weight": SAMPLE_WEIGHT}, "``where``": {"where": WHERE},
    }  # fmt: skip
    rows = []
    for mode in info.reductions:
        if mode == "none":
            continue
        divisors = {}
        for name, arguments in situations.items():
            whole = function(*arrays, **arguments, reduction="sum")
            reduced = function(*arrays, **arguments, reduction=mode)
            weighted = mode == "weighted_mean" or info.kernel == "cox"
            counts = counted(info, arrays, arguments.get("where", np.ones(4, bool)))
            counts = counts * (arguments.get("sample_weight", 1.0) if weighted else 1.0)
            expected = 1.0 if mode == "sum" else float(counts.sum())
            if not mathematics.isclose(reduced * expected, whole, rel_tol=1e-12):
                raise Disagreement(
                    f"{info.name}: reduction={mode!r}, {name}: the sum {whole:.17g} divided by {expected:g} is not "
                    f"{reduced:.17g}"
                )
            divisors[name] = expected
        empty = function(*(array[:0] for array in arrays), reduction=mode)
        masked = function(*arrays, where=np.zeros(4, dtype=bool), reduction=mode)
        rows.append(ReductionRow(mode, divisors, empty, masked))
    return rows


def messages_outside(info: LossInfo) -> list[str]:
    """Return for each input the error's message about a value that it must not hold; empty where every one is legal."""
    messages = []
    for place, item in enumerate(info.inputs):
        arrays = batch(info)
        wrong = {"event": 2, "cause": 2, "interval": 3, "fraction": 1.5}.get(item.holds)
        if item.holds == "time":
            wrong = 9.0 if item.name == "lower" else np.nan if info.kernel in ("cox", "by_time", "brier") else -1.0
        if info.kernel == "brier" and place == 0:
            wrong = 1.5
        if wrong is None:
            messages.append("")
            continue
        arrays[place].flat[0] = wrong
        try:
            registry.function_of(info.name)(*arrays)
        except losslib.DomainError as error:
            messages.append(str(error))
            continue
        raise Disagreement(f"{info.name}: {item.name} of {wrong} should be a DomainError")
    return messages


# ---- printed ---------------------------------------------------------------------------------------------------


def sections(facts: PageFacts) -> Sections:
    """Return the sections that only these losses have in this form."""
    return Sections(*_picture(facts.info), _formula(facts.info), _inputs(facts), _reductions(facts))


def _inputs(facts: PageFacts) -> str:
    return tables.inputs(
        facts,
        "Types: float32 and float64, float16 and bfloat16, all computed in float64; times, events and intervals "
        "of any type that holds them.",
    )


def _formula(info: LossInfo) -> str:
    latex = info.latex
    parts = [heading("Formula"), "The value:\n" if info.kernel == "cox" else "The value of one sample:\n"]
    parts += [math(latex["value"]), WORDS[str(info.kernel)] + "\n", "Gradient:\n", math(latex["gradient"])]
    if "hessian" in latex:
        parts += ["Hessian, its diagonal:\n", math(latex["hessian"])]
    parts.append(
        "These formulas are written by hand. What the build compares with the kernel is the definition, computed "
        "sample by sample in numbers that carry their derivatives.\n"
    )
    return "\n".join(parts)


def _reductions(facts: PageFacts) -> str:
    cox = facts.info.kernel == "cox"
    return (
        heading("Reductions")
        + f"\nDivisors of 4 samples{', 3 of them with events' if cox else ''}; weights ``[1, 3, 2, 1]``, "
        "a mask without the third.\n\n"
        + tables.divisors(facts)
        + '\n``"none"`` gives one value for each sample, 0 where the mask is False.\n'
    )


#: Kernel -> the abscissa, and for each curve its name, the other inputs, and the place of the number that moves.
PICTURES: dict[str, tuple[str, list[tuple[str, list[Any], int]]]] = {
    "cox": (
        "score of one of four samples (the others have 0)",
        [
            (f"dies {word} of four", [np.zeros(4), [1.0, 2.0, 3.0, 4.0], np.ones(4)], place)
            for place, word in enumerate(("first", "second", "third"))
        ]
        + [("censored last", [np.zeros(4), [1.0, 2.0, 3.0, 4.0], [1, 1, 1, 0]], 3)],
    ),
    "aft": (
        "prediction of log(time)",
        [
            (name, [np.zeros(1), lower, upper], 0)
            for name, lower, upper in (
                ("time 1", 1.0, 1.0),
                ("at least 1", 1.0, np.inf),
                ("at most 1", 0.0, 1.0),
                ("from 1 to 4", 1.0, 4.0),
            )
        ],
    ),
    "weibull": (
        "log_scale (time 1)",
        [
            (f"{word}, shape {shape:g}", [np.zeros(1), np.full(1, np.log(shape)), 1.0, event], 0)
            for word, event in (("event", 1.0), ("censored", 0.0))
            for shape in (1.0, 2.0)
        ],
    ),
    "logistic_hazard": (
        "logit of the second of three intervals (the others have 0)",
        [
            (f"{word} in the {ordinal}", [np.zeros((1, 3)), [interval], [event]], 1)
            for word, event in (("dies", 1), ("censored", 0))
            for interval, ordinal in ((1, "second"), (2, "third"))
        ],
    ),
    "constant_hazard": (
        "score of the second of three intervals (the others have 0)",
        [
            (f"{word}, fraction {fraction:g}", [np.zeros((1, 3)), [1], [event], fraction], 1)
            for word, event in (("dies", 1), ("censored", 0))
            for fraction in (0.25, 1.0)
        ],
    ),
    "by_time": (
        "score of one of four samples (the others have 0)",
        [
            (f"dies {word} of four", [np.zeros(4), [1.0, 2.0, 3.0, 4.0], np.ones(4)], place)
            for place, word in enumerate(("first", "second", "last"))
        ],
    ),
    "deephit": (
        "logit of the second of three intervals (the others have 0)",
        [
            (f"{word} in the second", [np.zeros((2, 3)), [1, 2], [event, 0]], 1)
            for word, event in (("dies", 1), ("censored", 0))
        ],
    ),
    "brier": (
        "probability to live beyond 1",
        [
            (f"{word} at {time:g}", [np.full((2, 1), 0.5), [time, 3.0], [event, 1]], 0)
            for word, time, event in (("dies", 0.5, 1), ("dies", 2.0, 1), ("censored", 0.5, 0))
        ],
    ),
    "mass": (
        "logit of the second of three intervals (the others have 0)",
        [
            (f"{word} in the {ordinal}", [np.zeros((1, 3)), [interval], [event]], 1)
            for word, event in (("dies", 1), ("censored", 0))
            for interval, ordinal in ((0, "first"), (1, "second"))
        ],
    ),
}


def _picture(info: LossInfo) -> tuple[str, str]:
    """Draw the value over one number of the prediction, and its derivative."""
    axis, lines = PICTURES[str(info.kernel)]
    ends = (0.0, 1.0) if info.kernel == "brier" else (-4.0, 4.0)
    loss, x = registry.class_of(info.name)(reduction="sum"), abscissa(*ends)
    name = info.differentiable[0]
    curves = []
    for colour, (label, arrays, place) in enumerate(lines):
        values, slopes = np.empty(SAMPLES), np.empty(SAMPLES)
        for k, number in enumerate(x):
            arrays[0].flat[place] = number
            values[k] = loss(*arrays)
            slopes[k] = loss.grad(*arrays, wrt=name).flat[place]
        curves.append(Curve(label, values, slopes, colour=colour))
    drawn = Figure(axis, x, curves)
    picture = f".. raw:: html\n\n{indent(drawn.html(info.name))}\n"
    if info.kernel == "cox":
        drawing, caption = risk_sets.figure(info)
        picture = f".. raw:: html\n\n   {drawing}\n\n{caption}\n{picture}"
    numbers = table([drawn.axis, *(curve.label for curve in curves)], drawn.rows())
    return picture, heading("Numbers of the picture (value; gradient)") + "\n" + numbers


for geometry in ("risk", "lifetimes", "intervals", "comparable", "hits", "brier"):
    EXAMINERS[geometry] = examine
