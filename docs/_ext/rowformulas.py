"""Formulas of row losses, executed: value, gradient and Hessian of a whole row against the compiled kernel.

The language is that of ``LossInfo.formula`` with indices: ``x_c`` is the entry of the row ``x`` at the index ``c`` that
an enclosing ``sum_c`` or ``max_c`` runs over, ``x_t`` the entry at the target. It is evaluated with Taylor numbers,
which differentiate what is written; so one text decides value, gradient and Hessian. The gradient that the page prints
is a second text (``rowgradients``), and that is compared too.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from typing import Any

import mpmath
import numpy as np
import rowlosses
import taylor
from rowgradients import DEFINITIONS, GRADIENTS, HESSIANS
from taylor import Taylor
from verify import Disagreement, FormulaCheck

from formulas import DIGITS, FormulaError
from losslib.declaration import registry
from losslib.declaration.schema import Array, LossInfo
from losslib.formula.language import names_in, parse

#: Largest difference between kernel and formula, relative to max(1, |formula|), in float64.
TOLERANCE = 2e-13

#: What a loss adds to every squared norm; PyTorch's constant, which is 1e-12 in float32.
ADDED_TO_SQUARES = {"cosine_embedding_loss": float(np.float32(1e-12))}

#: The distances of ``triplet_margin_with_distance_loss`` by name, in the language of the formulas.
DISTANCES = {
    "euclidean": "sum_j(abs(u_j - v_j + 1e-6)**2)**(1/2)",
    "sqeuclidean": "sum_j((u_j - v_j)**2)",
    "manhattan": "sum_j(abs(u_j - v_j))",
    "cosine": "1 - cos(u, v)",
}
_CLASS_WEIGHT = (1.5, 0.5, 2.0, 3.0)


def split(info: LossInfo) -> tuple[str, str]:
    """Return the formula of the value, and of the distance d(u, v) if it has one."""
    value, _, distance = info.formula.partition(", d(u, v) = ")
    return value, distance


# ---- evaluation ------------------------------------------------------------------------------------------------


class Row:
    """One row of a batch with its parameters: what the names of a formula stand for."""

    def __init__(self, info: LossInfo, parameters: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
        self.info = info
        self.rows: dict[str, list[Taylor]] = {}
        self.numbers: dict[str, Any] = {"inf": mpmath.inf, "pi": mpmath.pi}
        self.targets: tuple[int, ...] = ()
        letters = {name: letter for letter, name in info.symbols.items()}
        for name, value in inputs.items():
            letter = letters.get(name, "t" if name == "target" else name)
            if np.ndim(value) == 0 and rowlosses.target_kind(info) == "indices":
                self.numbers["t"] = int(value)
                first = next(iter(inputs.values()))
                self.rows["t"] = [Taylor(mpmath.mpf(c == int(value))) for c in range(len(first))]
            elif np.ndim(value) == 0:
                self.numbers[letter] = taylor.taylor(value)
            elif rowlosses.target_kind(info) == "lists" and name == "target":
                self.targets = tuple(int(c) for c in value if c >= 0)
            else:
                self.rows[letter] = [taylor.taylor(number) for number in value]
        first = next(iter(self.rows.values()))
        self.numbers["C"] = len(first)
        if rowlosses.target_kind(info) == "one-hot":
            self.numbers["t"] = int(np.argmax(inputs["target"]))
        for item in info.parameters:
            value = parameters.get(item.name, item.default)
            letter = letters.get(item.name, item.name)
            if isinstance(item, Array):
                self.rows[letter] = self.rows[item.name] = [
                    taylor.taylor(number) for number in (np.ones(len(first)) if value is None else value)
                ]
            elif isinstance(value, int | float) and item.name not in ("reduction", "check"):
                self.numbers[item.name] = value
        self.distance = split(info)[1] or DISTANCES.get(parameters.get("distance", "euclidean"), "")
        self.definitions = DEFINITIONS.get(info.geometry, {}) | DEFINITIONS.get(info.name, {})
        self._defined: dict[tuple[str, Any], Any] = {}

    def evaluate(self, text: str, indices: Mapping[str, int] | None = None) -> Taylor:
        return taylor.taylor(self.node(parse(text), dict(indices or {})))

    def node(self, node: ast.expr, at: dict[str, int]) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number):
                return mpmath.mpf(str(number))
            case ast.Name(id=name):
                return self.name(name, at)
            case ast.Subscript(value=ast.Name(id=base), slice=ast.Name(id=index)):
                return self.name(f"{base}_{index}", at)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.node(operand, at)
            case ast.BinOp(left=left, op=op, right=right):
                return _combine(op, self.node(left, at), self.node(right, at))
            case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Name(id="targets")]):
                return self.node(left, at) in self.targets
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return _compare(op, self.node(left, at), self.node(right, at))
            case ast.Call(func=ast.Name(id=function), args=args):
                return self.call(function, args, at)
        raise FormulaError(f"{self.info.name}: the formula language has no {ast.unparse(node)!r}")

    def name(self, name: str, at: dict[str, int]) -> Any:
        """Look up an index, a number, an entry of a row or a definition, in this order."""
        if name in at:
            return at[name]
        if name in self.numbers:
            return self.numbers[name]
        if name in self.rows:
            return np.array(self.rows[name], dtype=object)
        base, _, index = name.rpartition("_")
        position = at.get(index, self.numbers.get(index) if index == "t" else None)
        if base and isinstance(position, int):
            if base in self.rows:
                return self.rows[base][position]
            if base in self.definitions:
                return self.defined(base, position)
        if name in self.definitions:
            return self.defined(name, None)
        raise FormulaError(f"{self.info.name}: the formula names {name!r}, which nothing here is called")

    def defined(self, name: str, position: int | None) -> Any:
        """Evaluate a definition at an index (``p_c``) or without one (``tau``), once."""
        key = (name, position)
        if key not in self._defined:
            what = self.definitions[name]
            if callable(what):
                found = what(self)
                self._defined |= {(name, k): value for k, value in enumerate(found)} if position is not None else {
                    key: found
                }  # fmt: skip
            else:
                indices = {} if position is None else {"c": position}
                self._defined[key] = self.evaluate(what, indices)
        return self._defined[key]

    def call(self, function: str, args: list[ast.expr], at: dict[str, int]) -> Any:
        if function == "where":
            return self.node(args[1] if self.node(args[0], at) else args[2], at)
        if function in ("sum_c", "sum_j", "max_c"):
            index = function[-1]
            reach = self.targets if index == "j" and self.targets else range(self.numbers["C"])
            terms = [taylor.taylor(self.node(args[0], {**at, index: c})) for c in reach]
            return max(terms) if function == "max_c" else sum(terms, Taylor(mpmath.mpf(0)))
        values = [self.node(argument, at) for argument in args]
        match function:
            case "max":
                return max(map(taylor.taylor, values))
            case "min":
                return min(map(taylor.taylor, values))
            case "log_t":
                u, temperature = taylor.taylor(values[0]), mpmath.mpf(values[1])
                return taylor.log(u) if temperature == 1 else (u ** (1 - temperature) - 1) / (1 - temperature)
            case "lse":
                return taylor.log(sum((taylor.exp(number) for number in values[0]), Taylor(mpmath.mpf(0))))
            case "cos":
                u, v = values
                return np.sum(u * v) / (self.norm(u) * self.norm(v))
            case "norm":
                return self.norm(values[0])
            case "d":
                return self.between(*values)
        plain = {"exp": taylor.exp, "log": taylor.log, "sqrt": taylor.sqrt, "abs": taylor.absolute, "sign": _sign}
        if function in plain:
            return plain[function](values[0])
        raise FormulaError(f"{self.info.name}: the formula language has no function {function!r}")

    def norm(self, u: np.ndarray) -> Taylor:
        return taylor.sqrt(np.sum(u * u) + ADDED_TO_SQUARES.get(self.info.name, 0.0))

    def between(self, u: np.ndarray, v: np.ndarray) -> Taylor:
        """Return the distance d(u, v); with p = inf it is the largest component."""
        if self.numbers.get("p") == math.inf:
            return max(taylor.absolute(number) for number in u - v + self.numbers["eps"])
        kept = self.rows
        self.rows = {**kept, "u": list(u), "v": list(v)}
        try:
            return self.evaluate(self.distance)
        finally:
            self.rows = kept


def _sign(a: Any) -> int:
    value = taylor.taylor(a).value
    return (value > 0) - (value < 0)


def _combine(op: ast.operator, a: Any, b: Any) -> Any:
    match op:
        case ast.Add():
            return a + b
        case ast.Sub():
            return a - b
        case ast.Mult():
            return a * b
        case ast.Div():
            return a / b
        case ast.Pow():
            return taylor.taylor(a) ** b
    raise FormulaError(f"the formula language has no operator {op!r}")


def _compare(op: ast.cmpop, a: Any, b: Any) -> bool:
    match op:
        case ast.Eq():
            return bool(a == b)
        case ast.Gt():
            return bool(a > b)
        case ast.Lt():
            return bool(a < b)
        case ast.GtE():
            return bool(a >= b)
    raise FormulaError(f"the formula language has no comparison {op!r}")


# ---- formula against kernel ------------------------------------------------------------------------------------


def settings(info: LossInfo) -> Iterator[dict[str, Any]]:
    """Yield the settings whose parameters the formula speaks of, with and without class weights."""
    names = {"distance"}
    for text in (*split(info), *DEFINITIONS.get(info.name, {}).values()):
        if isinstance(text, str) and text:
            names |= names_in(parse(text))
    names |= {"t2"} if "t1" in names else set()  # the tempered softmax is no text
    weight = rowlosses.class_weight_name(info)
    for parameters in rowlosses.settings(info):
        if parameters.keys() <= names:
            yield parameters
    if weight is not None:
        yield {weight: np.array(_CLASS_WEIGHT)}


def check_formula(info: LossInfo) -> FormulaCheck:
    """Compare value, gradient and Hessian of the kernel with the formula, for every setting and row."""
    result = FormulaCheck()
    with mpmath.workdps(DIGITS):
        for parameters in settings(info):
            arrays = rowlosses.batch(info, 5, 4)
            compare(info, parameters, arrays, result)
            if rowlosses.takes_probabilities(info):
                soft = rowlosses.softmax(np.random.default_rng(12).standard_normal(arrays[0].shape))
                compare(info, parameters, [arrays[0], soft], result)
            result.settings += 1
    return result


def compare(info: LossInfo, parameters: Mapping[str, Any], arrays: list[np.ndarray], result: FormulaCheck) -> None:
    """Compare one batch, number by number."""
    loss = registry.class_of(info.name)(**parameters, reduction="none")
    values = loss(*arrays)
    text = split(info)[0]
    for name in info.default_wrt:
        gradient = loss.grad(*arrays, wrt=name)
        hessian = loss.value_grad_hess(*arrays, wrt=name)[2] if info.has_hessian else None
        place = info.input_names.index(name)
        for n in range(len(values)):
            inputs = {key: array[n] for key, array in zip(info.input_names, arrays, strict=True)}
            for k in range(arrays[place].shape[1]):
                moved = [Taylor(mpmath.mpf(float(number))) for number in arrays[place][n]]
                moved[k] = Taylor(moved[k].value, mpmath.mpf(1))
                found = Row(info, parameters, {**inputs, name: moved}).evaluate(text)
                where = f"row {n}, {name}[{k}], parameters {dict(parameters)}"
                _one(info, "value", values[n], found.value, where, result)
                _one(info, "gradient", gradient[n, k], found.first, where, result)
                if hessian is not None:
                    _one(info, "Hessian", hessian[n, k], found.second, where, result)
                row = Row(info, parameters, inputs)
                for what, printed, kernel in (("gradient", GRADIENTS, gradient), ("Hessian", HESSIANS, hessian)):
                    if kernel is not None and (shown := printed_text(info, printed, name)):
                        number = row.evaluate(shown, {"k": k}).value
                        _one(info, f"printed {what}", kernel[n, k], number, where, result)


def printed_text(info: LossInfo, table: Mapping[str, Any], name: str) -> str:
    """Return the text of a derivative with respect to an input."""
    texts = table.get(info.name, {})
    return texts if isinstance(texts, str) else texts.get(name, "")


def _one(info: LossInfo, what: str, kernel: float, expected: Any, where: str, result: FormulaCheck) -> None:
    deviation = result.add(what.removeprefix("printed "), kernel, expected)
    if not deviation <= TOLERANCE:
        raise Disagreement(
            f"{info.name}: the {what} differs between formula and kernel at {where}: "
            f"the kernel gives {float(kernel):.17g}, the formula {float(expected):.17g}"
        )
