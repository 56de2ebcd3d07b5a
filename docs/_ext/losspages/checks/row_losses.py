"""What a page of a row loss states beside its formula, executed: gradients, denominators, domains, equivalents.

Row losses give one number for a row of classes, a pair or a triplet of vectors. Their formula is executed by
``rowformulas`` for the parameters that it names; here the gradient of the kernel is compared with differences of its
own values for every parameter, and the values with the packages that are installed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import losslib
from losslib.declaration import registry
from losslib.declaration.schema import PROBABILITY, REAL, Choice, Equivalent, Flag, LossInfo, Real
from losspages.checks.equivalents import EquivalentResult, evaluate_equivalent
from losspages.checks.verify import OUTSIDE, Disagreement, ReductionRow, own_parameters

Arrays = list[np.ndarray]

#: The geometries that this module knows.
GEOMETRIES = ("softmax", "margin", "distance")

#: Losses whose target is a second row of logits, and the one whose target is a list of classes that ends at -1.
TWO_ROWS = ("js_div", "distillation_loss")
LISTS = ("multilabel_margin_loss",)

#: Settings of parameters that declare no examples of their own.
FURTHER_SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {"multi_margin_loss": ({"p": 2},)}

#: Step of the central differences, and the largest error that is put down to them.
STEP = 1e-6
TOLERANCE = 1e-6


def target_kind(info: LossInfo) -> str:
    """Say what the last input holds: "indices", "lists", "one-hot", "logits", "labels" or "vectors"."""
    if info.geometry == "distance":
        return "labels" if len(info.inputs) == 3 and info.inputs[-1].name == "target" else "vectors"
    if info.name in TWO_ROWS:
        return "logits"
    if info.name in LISTS:
        return "lists"
    return "one-hot" if info.inputs[1].domain is PROBABILITY else "indices"


def takes_probabilities(info: LossInfo) -> bool:
    """True if the target may be a row of class probabilities instead of an index."""
    return info.geometry == "softmax" and target_kind(info) == "indices" and "soft labels" in info.tags


def softmax(x: np.ndarray) -> np.ndarray:
    """Return the softmax over the last axis."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def batch(info: LossInfo, rows: int, columns: int) -> Arrays:
    """Return one array per input: numbers without ties, so that no row sits on a kink."""
    random = np.random.default_rng(11)
    arrays = []
    for item in info.inputs:
        values = 1.5 * random.standard_normal((rows, columns))
        if item.domain.name == "nonnegative":
            values = softmax(values)
        elif "log-probabilities" in info.tags:
            values = np.log(softmax(values))
        arrays.append(values)
    kind = target_kind(info)
    classes = (2 * np.arange(rows)) % columns if columns % 2 else (3 * np.arange(rows)) % columns
    if kind == "indices":
        arrays[-1] = classes.astype(np.int64)
    elif kind == "one-hot":
        arrays[-1] = np.eye(columns)[classes]
    elif kind == "lists":
        arrays[-1] = np.full((rows, columns), -1)
        arrays[-1][:, 0] = classes
        arrays[-1][::2, 1] = (classes[::2] + 1) % columns
    elif kind == "labels":
        low = -1.0 if info.inputs[-1].domain.name == "sign" else 0.0
        arrays[-1] = np.where(np.arange(rows) % 2, low, 1.0)
    return arrays


# ---- gradients -------------------------------------------------------------------------------------------------


@dataclass
class GradientCheck:
    """What the comparison of gradients with differences of values has covered."""

    settings: int = 0
    numbers: int = 0
    largest: float = 0.0


def settings(info: LossInfo) -> Iterator[dict[str, Any]]:
    """Yield parameter values: the defaults, then each declared example, word and flag in turn."""
    yield {}
    yield from FURTHER_SETTINGS.get(info.name, ())
    for item in own_parameters(info):
        if isinstance(item, Real):
            yield from ({item.name: value} for value in dict.fromkeys((*item.examples, *item.also)))
        elif isinstance(item, Choice):
            yield from ({item.name: word} for word in item.choices if word != item.default)
        elif isinstance(item, Flag):
            yield {item.name: not item.default}


def check_gradients(info: LossInfo) -> GradientCheck:
    """Compare every gradient with central differences of the value, for every setting."""
    result = GradientCheck()
    for parameters in settings(info):
        arrays = batch(info, 5, 4)
        compare_gradients(info, registry.class_of(info.name)(**parameters, reduction="sum"), arrays, result)
        if takes_probabilities(info):
            soft = softmax(np.random.default_rng(12).standard_normal(arrays[0].shape))
            compare_gradients(
                info, registry.class_of(info.name)(**parameters, reduction="sum"), [arrays[0], soft], result
            )
        result.settings += 1
    return result


def compare_gradients(info: LossInfo, loss: Any, arrays: Arrays, result: GradientCheck) -> None:
    """Compare the gradients of one loss object with differences of its values."""
    for name in info.default_wrt:
        place = info.input_names.index(name)
        gradient = loss.grad(*arrays, wrt=name)
        for position in np.ndindex(arrays[place].shape):
            ends = []
            for step in (STEP, -STEP):
                moved = [array.copy() for array in arrays]
                moved[place][position] += step
                ends.append(loss(*moved))
            expected = (ends[0] - ends[1]) / (2 * STEP)
            deviation = abs(gradient[position] - expected) / max(1.0, abs(expected))
            result.numbers += 1
            if not deviation <= TOLERANCE:
                raise Disagreement(
                    f"{info.name}: the gradient for {name}{list(position)} differs from the differences of {loss!r}: "
                    f"the kernel gives {gradient[position]:.12g}, the differences {expected:.12g}"
                )
            result.largest = max(result.largest, float(deviation))


# ---- inputs outside their domain -------------------------------------------------------------------------------


def messages_outside(info: LossInfo) -> list[str]:
    """Put one value outside the domain of each input and return the errors' messages; empty if any value is legal."""
    messages = []
    for place, item in enumerate(info.inputs):
        arrays = batch(info, 4, 3)
        if item.domain is not REAL:
            arrays[place][(2,) * arrays[place].ndim] = OUTSIDE[item.domain.name]
        elif item.name == "target" and target_kind(info) in ("indices", "lists"):
            arrays[place][(2,) + (0,) * (arrays[place].ndim - 1)] = 3
        else:
            messages.append("")
            continue
        try:
            registry.function_of(info.name)(*arrays)
        except losslib.DomainError as error:
            messages.append(str(error))
            continue
        raise Disagreement(f"{info.name}: a wrong value of {item.name} should be a DomainError")
    return messages


# ---- reductions ------------------------------------------------------------------------------------------------

CLASS_WEIGHT = np.array([1.0, 2.0, 4.0])
SAMPLE_WEIGHT = np.array([1.0, 3.0, 1.0, 1.0])
WHERE = np.array([True, True, False, True])


def class_weight_name(info: LossInfo) -> str | None:
    """Return the name of the parameter that holds a weight for each class."""
    return next((name for name in ("weight", "alpha") if name in info.array_parameter_names), None)


def situations(info: LossInfo) -> dict[str, dict[str, Any]]:
    """Return what a call is given beside the inputs, by the heading of the table's column."""
    found: dict[str, dict[str, Any]] = {"no weights": {}}
    weight = class_weight_name(info)
    if weight is not None:
        found[f"``{weight}``"] = {weight: CLASS_WEIGHT}
    found["``sample_weight``"] = {"sample_weight": SAMPLE_WEIGHT}
    found["``where``"] = {"where": WHERE}
    if "ignore_index" in info.parameter_names:
        found["``ignore_index``"] = {"ignore_index": -100}
    return found


def check_reductions(info: LossInfo) -> list[ReductionRow]:
    """Measure every mode's denominator on four rows and compare it with the rule that the page states."""
    function = registry.function_of(info.name)
    plain = batch(info, 4, 3)
    nothing = np.zeros(4, dtype=bool)
    rows = []
    for mode in info.reductions:
        if mode == "none":
            continue
        divisors = {}
        for heading, arguments in situations(info).items():
            arrays = [array.copy() for array in plain]
            if "ignore_index" in arguments:
                arrays[-1][2] = arguments["ignore_index"]
            total = float(np.sum(function(*arrays, **arguments, reduction="none")))
            reduced = function(*arrays, **arguments, reduction=mode)
            expected = _divisor(info, mode, arguments, arrays)
            if not math.isclose(reduced * expected, total, rel_tol=1e-12):
                raise Disagreement(
                    f"{info.name}: reduction={mode!r}, {heading}: the sum {total:.17g} divided by {expected:g} is not "
                    f"{reduced:.17g}"
                )
            divisors[heading] = expected
        empty = function(*(array[:0] for array in plain), reduction=mode)
        masked = function(*plain, where=nothing, reduction=mode)
        for what, value in (("empty", empty), ("masked", masked)):
            if not (value == 0.0 if mode == "sum" else math.isnan(value)):
                raise Disagreement(f"{info.name}: reduction={mode!r} of the {what} batch is {value}")
        rows.append(ReductionRow(mode, divisors, empty, masked))
    return rows


def _divisor(info: LossInfo, mode: str, arguments: Mapping[str, Any], arrays: Arrays) -> float:
    """Return the stated denominator for the four rows."""
    if mode == "sum":
        return 1.0
    if "weight" in arguments and (info.mean_divisor == "weight" or mode == "weighted_mean"):
        target = arrays[-1]
        return float((CLASS_WEIGHT[target] if target.ndim == 1 else target @ CLASS_WEIGHT).sum())
    if "sample_weight" in arguments and mode == "weighted_mean":
        return float(SAMPLE_WEIGHT.sum())
    return 3.0 if "where" in arguments or "ignore_index" in arguments else 4.0


# ---- equivalents -----------------------------------------------------------------------------------------------


def run_equivalent(info: LossInfo, equivalent: Equivalent) -> EquivalentResult:
    """Evaluate the call in its package on rows of shape (12, 5), if that is installed here, and compare the numbers."""
    arrays = batch(info, 12, 5)
    names = dict(zip(info.input_names, arrays, strict=True))
    names |= {letter: names[name] for letter, name in info.symbols.items() if name in names}
    names.setdefault("x", arrays[0])
    names.setdefault("t", arrays[-1])
    return evaluate_equivalent(info, equivalent, arrays, names)
