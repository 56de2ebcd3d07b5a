"""Formulas of row losses, executed: value, gradient and Hessian of a whole row against the compiled kernel.

The text is that of ``LossInfo.formula`` with its definitions, evaluated with Taylor numbers, which differentiate what
is written; so one text decides value, gradient and Hessian. The gradient that the page prints is a second text of the
declaration, and that is compared too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import mpmath
import numpy as np

import taylor
from losslib.declaration import registry
from losslib.declaration.schema import Array, Choice, LossInfo
from losslib.formula.declared import definitions_of, letters_of, names_used
from losslib.formula.rows import Row, RowReader
from losspages.checks import row_losses
from losspages.checks.verify import Disagreement, FormulaCheck
from losspages.formulas.symbolic import DIGITS
from taylor import Taylor

#: Largest difference between kernel and formula, relative to max(1, |formula|), in float64.
TOLERANCE = 2e-13

_CLASS_WEIGHT = (1.5, 0.5, 2.0, 3.0)


# ---- evaluation ------------------------------------------------------------------------------------------------


def reader_of(info: LossInfo, parameters: Mapping[str, Any], inputs: Mapping[str, Any]) -> RowReader[Any]:
    """Return what reads the formulas of one row of a batch with its parameters."""
    rows: dict[str, list[Taylor]] = {}
    numbers: dict[str, Any] = {}
    places: dict[str, int] = {}
    targets: tuple[int, ...] = ()
    letters, kind = letters_of(info), row_losses.target_kind(info)
    length = len(next(iter(inputs.values())))
    for name, value in inputs.items():
        letter = "t" if name == "target" else letters[name]
        if np.ndim(value) == 0 and kind == "indices":
            places["t"] = int(value)
            rows["t"] = [taylor.taylor(c == int(value)) for c in range(length)]
        elif np.ndim(value) == 0:
            numbers[letter] = taylor.taylor(value)
        elif kind == "lists" and name == "target":
            targets = tuple(int(c) for c in value if c >= 0)
        else:
            rows[letter] = [taylor.taylor(number) for number in value]
    if kind == "one-hot":
        places["t"] = int(np.argmax(inputs["target"]))
    for item in info.parameters:
        value = parameters.get(item.name, item.default)
        letter = letters[item.name]
        if isinstance(item, Array):
            rows[letter] = rows[item.name] = [
                taylor.taylor(number) for number in (np.ones(length) if value is None else value)
            ]
        elif isinstance(value, bool):
            numbers[letter] = value
        elif isinstance(value, int | float):
            numbers[letter] = taylor.taylor(value)
    row: Row[Any] = Row(rows, numbers, places, targets)
    return RowReader(taylor.NUMBERS, row, definitions_of(info, parameters), taylor.solve)


# ---- formula against kernel ------------------------------------------------------------------------------------


def settings(info: LossInfo) -> Iterator[dict[str, Any]]:
    """Yield the settings whose parameters the formula speaks of, with and without class weights."""
    names = names_used(info)
    for text in info.definitions.values():
        if not isinstance(text, str):
            names |= {
                item.name for item in info.parameters if isinstance(item, Choice) and set(text) <= {*item.choices}
            }
    weight = row_losses.class_weight_name(info)
    for parameters in row_losses.settings(info):
        if parameters.keys() <= names:
            yield parameters
    if weight is not None:
        yield {weight: np.array(_CLASS_WEIGHT)}


def check_formula(info: LossInfo) -> FormulaCheck:
    """Compare value, gradient and Hessian of the kernel with the formula, for every setting and row."""
    result = FormulaCheck()
    with mpmath.workdps(DIGITS):
        for parameters in settings(info):
            arrays = row_losses.batch(info, 5, 4)
            compare(info, parameters, arrays, result)
            if row_losses.takes_probabilities(info):
                soft = row_losses.softmax(np.random.default_rng(12).standard_normal(arrays[0].shape))
                compare(info, parameters, [arrays[0], soft], result)
            result.settings += 1
    return result


def compare(info: LossInfo, parameters: Mapping[str, Any], arrays: list[np.ndarray], result: FormulaCheck) -> None:
    """Compare one batch, number by number."""
    loss = registry.class_of(info.name)(**parameters, reduction="none")
    values = loss(*arrays)
    for name in info.default_wrt:
        gradient = loss.grad(*arrays, wrt=name)
        hessian = loss.value_grad_hess(*arrays, wrt=name)[2] if info.has_hessian else None
        place = info.input_names.index(name)
        for n in range(len(values)):
            inputs = {key: array[n] for key, array in zip(info.input_names, arrays, strict=True)}
            for k in range(arrays[place].shape[1]):
                moved = [Taylor(mpmath.mpf(float(number))) for number in arrays[place][n]]
                moved[k] = Taylor(moved[k].value, mpmath.mpf(1))
                found = taylor.taylor(reader_of(info, parameters, {**inputs, name: moved}).value(info.formula))
                where = f"row {n}, {name}[{k}], parameters {dict(parameters)}"
                _one(info, "value", values[n], found.value, where, result)
                _one(info, "gradient", gradient[n, k], found.first, where, result)
                if hessian is not None:
                    _one(info, "Hessian", hessian[n, k], found.second, where, result)
                row = reader_of(info, parameters, inputs)
                for what, printed, kernel in (
                    ("gradient", info.gradient, gradient),
                    ("Hessian", info.hessian, hessian),
                ):
                    if kernel is not None and (shown := printed.get(name)):
                        number = taylor.taylor(row.value(shown, {"k": k})).value
                        _one(info, f"printed {what}", kernel[n, k], number, where, result)


def _one(info: LossInfo, what: str, kernel: float, expected: Any, where: str, result: FormulaCheck) -> None:
    deviation = result.add(what.removeprefix("printed "), kernel, expected)
    if not deviation <= TOLERANCE:
        raise Disagreement(
            f"{info.name}: the {what} differs between formula and kernel at {where}: "
            f"the kernel gives {float(kernel):.17g}, the formula {float(expected):.17g}"
        )
