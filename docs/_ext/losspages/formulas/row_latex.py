"""LaTeX of row formulas: the text that is executed (``row_formulas``), printed as mathematics with its indices."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from losslib.declaration.letters import function_of_key, is_equation, is_indexed
from losslib.declaration.schema import LossInfo
from losslib.formula.language import tree_of
from losslib.formula.rows import OVER, TARGETS_INDEX
from losspages.formulas.symbolic import TEX, FormulaError

_NAMES = TEX | {
    "x1": "u", "x2": "v", "anchor": "a", "positive": "a^{+}", "negative": "a^{-}", "C": "C", "inf": r"\infty",
    "z_loss": r"\zeta", "temperature": "T", "t1": r"\tau_1", "t2": r"\tau_2", "w": "w", "weight": "w",
    "u": "u", "v": "v", "h": "h", "m": "m", "tau": r"\tau", "p": "p", "a": "a", "b": "b", "targets": "t",
}  # fmt: skip
_COMPARISONS = {ast.Eq: "=", ast.Gt: ">", ast.Lt: "<", ast.GtE: r"\ge", ast.In: r"\in"}
_SUM, _PRODUCT, _POWER, _ATOM = range(4)


def latex(info: LossInfo, text: str) -> str:
    """Print a formula of a loss."""
    return _Printer(info).text(tree_of(text))


def letter(name: str) -> str:
    """Return how an input, a parameter or an abbreviation is written."""
    return _NAMES.get(name, rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}")


def printed_texts(info: LossInfo) -> list[str]:
    """Return the texts of value and derivatives that a page prints."""
    return [info.formula, *info.gradient.values(), *info.hessian.values()]


def definitions(info: LossInfo) -> Iterator[str]:
    """Yield what each letter and function that the printed texts use stands for, as lines of an aligned formula.

    Functions that a word of a parameter chooses are left out: there is one for each word.
    """
    printer, chosen = _Printer(info), [(k, v) for k, v in info.definitions.items() if isinstance(v, str)]
    texts, needed = printed_texts(info), set()
    for key, text in reversed(chosen):
        name, _ = function_of_key(key) or (key, ())
        if any(re.search(rf"\b{name}(_[a-z])?\b", used) for used in texts):
            needed.add(key)
            texts.append(text)
    for key, text in chosen:
        if key in needed:
            yield definition(printer, key, text)


def definition(printer: _Printer, key: str, text: str) -> str:
    tree, function = tree_of(text), function_of_key(key)
    if is_equation(key, tree) and isinstance(tree, ast.Compare):
        return (
            rf"{printer.text(tree.left)} &= {printer.text(tree.comparators[0])} \quad\text{{determines }} {letter(key)}"
        )
    if function is not None:
        left = printer.call(function[0], [ast.Name(name) for name in function[1]])[0]
    else:
        left = letter(key) + ("_{c}" if is_indexed(tree) else "")
    return f"{left} &= {printer.text(tree)}"


def by_word(info: LossInfo) -> Mapping[str, str]:
    """Return the definitions of a function that a parameter chooses, by its words."""
    return next((value for value in info.definitions.values() if not isinstance(value, str)), {})


class _Printer:
    def __init__(self, info: LossInfo) -> None:
        self.info = info
        self.functions = {found[0] for found in map(function_of_key, info.definitions) if found}

    def text(self, node: ast.expr) -> str:
        return self.render(node)[0]

    def wrapped(self, node: ast.expr, least: int) -> str:
        """Print an operand, in parentheses if it binds less than the operator around it."""
        text, binding = self.render(node)
        return text if binding >= least else rf"\left({text}\right)"

    def subtracted(self, node: ast.expr) -> str:
        text = self.wrapped(node, _PRODUCT)
        return rf"\left({text}\right)" if text.startswith("-") else text

    def render(self, node: ast.expr) -> tuple[str, int]:
        match node:
            case ast.Constant(value=number):
                return self.number(number)
            case ast.Name(id=name):
                return self.name(name), _ATOM
            case ast.Subscript(value=ast.Name(id=base), slice=ast.Name(id=index)):
                return f"{letter(base)}_{{{index}}}", _ATOM
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                # A minus sign in front of a product needs no parentheses around its first factor.
                return f"-{self.wrapped(operand, _PRODUCT)}", _PRODUCT
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return f"{self.text(left)} + {self.text(right)}", _SUM
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return f"{self.text(left)} - {self.subtracted(right)}", _SUM
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return rf"{self.wrapped(left, _PRODUCT)} \, {self.wrapped(right, _PRODUCT)}", _PRODUCT
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return rf"\frac{{{self.text(left)}}}{{{self.text(right)}}}", _PRODUCT
            case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
                return self.power(base, exponent), _POWER
            case ast.Compare():
                return rf"\mathbf{{1}}[{self.condition(node)}]", _ATOM
            case ast.Call(func=ast.Name(id=function), args=args):
                return self.call(function, args)
        raise FormulaError(f"{self.info.name}: no LaTeX for {ast.unparse(node)!r}")

    @staticmethod
    def number(number: float) -> tuple[str, int]:
        if isinstance(number, float) and abs(number) < 1e-3:
            mantissa, exponent = f"{number:e}".split("e")
            factor = "" if float(mantissa) == 1 else rf"{float(mantissa):g} \cdot "
            return rf"{factor}10^{{{int(exponent)}}}", _PRODUCT
        return f"{number:g}", _ATOM

    def name(self, name: str) -> str:
        if name in self.info.parameter_names or name in _NAMES:
            return letter(name)
        base, _, index = name.rpartition("_")
        return f"{letter(base)}_{{{index}}}" if base else name

    def power(self, base: ast.expr, exponent: ast.expr) -> str:
        match exponent:
            case ast.BinOp(left=ast.Constant(value=1), op=ast.Div(), right=degree):
                return rf"{self.wrapped(base, _ATOM)}^{{1/{self.wrapped(degree, _ATOM)}}}"
        match base:  # log squared, max squared: the exponent goes behind the parentheses
            case ast.Call(func=ast.Name(id="lse" | "norm" | "abs" | "max")):
                return f"{self.text(base)}^{{{self.text(exponent)}}}"
        return f"{self.wrapped(base, _ATOM)}^{{{self.text(exponent)}}}"

    def condition(self, node: ast.expr) -> str:
        match node:
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return f"{self.text(left)} {_COMPARISONS[type(op)]} {self.text(right)}"
            case ast.Name(id=flag):
                return rf"\text{{{flag}}}"
        raise FormulaError(f"{self.info.name}: no LaTeX for the condition {ast.unparse(node)!r}")

    def call(self, function: str, args: list[ast.expr]) -> tuple[str, int]:
        if function == "where":
            return self.cases(args)
        if OVER.fullmatch(function):
            return self.over(function, args[0])
        if function in self.functions and function.endswith("_t"):  # a logarithm of another temperature
            head = rf"\{function.removesuffix('_t')}_{{{self.text(args[1])}}}"
            return rf"{head} {self.wrapped(args[0], _ATOM)}", _PRODUCT
        inside = r",\, ".join(self.text(argument) for argument in args)
        match function:
            case "max" | "min":
                return rf"\{function}\left({inside}\right)", _ATOM
            case "exp":
                return f"e^{{{inside}}}", _POWER
            case "log":
                return rf"\log {self.wrapped(args[0], _ATOM)}", _PRODUCT
            case "sqrt":
                return rf"\sqrt{{{inside}}}", _ATOM
            case "norm":
                return rf"\lVert {inside} \rVert", _ATOM
            case "abs":
                return rf"\left|{inside}\right|", _ATOM
            case "lse" | "cos":
                name = r"\cos" if function == "cos" else r"\operatorname{lse}"
                return rf"{name}\left({inside}\right)", _ATOM
        return rf"{function}\left({inside}\right)", _ATOM

    def over(self, function: str, body: ast.expr) -> tuple[str, int]:
        """Print a sum or a maximum over an index; a case that leaves indices out goes below the sign."""
        index = function[-1]
        under = r"j \in t" if "in targets" in self.info.formula and index == TARGETS_INDEX else index
        match body:
            case ast.Call(func=ast.Name(id="where"), args=[condition, skipped, kept]) if _leaves_out(skipped):
                left_out = self.condition(condition)
                under = left_out.replace("=", r"\ne").replace(r"\in", r"\notin")
                body = kept
        if function.startswith("max"):
            return rf"\max_{{{under}}} {self.wrapped(body, _PRODUCT)}", _PRODUCT
        return rf"\sum_{{{under}}} {self.wrapped(body, _PRODUCT)}", _PRODUCT

    def cases(self, args: list[ast.expr]) -> tuple[str, int]:
        condition, first, second = args
        if (
            isinstance(first, ast.Constant)
            and isinstance(second, ast.Constant)
            and (first.value, second.value) == (1, 0)
        ):
            return rf"\mathbf{{1}}[{self.condition(condition)}]", _ATOM
        rows = []
        while True:
            rows.append(rf"{self.text(first)} & \text{{if }} {self.condition(condition)}")
            match second:
                case ast.Call(func=ast.Name(id="where"), args=[condition, first, later]) if not _is_step(second):
                    second = later
                    continue
            rows.append(rf"{self.text(second)} & \text{{otherwise}}")
            break
        return r"\begin{dcases} " + r" \\[0.5em] ".join(rows) + r" \end{dcases}", _ATOM


def _leaves_out(node: ast.expr) -> bool:
    return ast.unparse(node) in ("0", "-inf")


def _is_step(node: ast.Call) -> bool:
    return [ast.unparse(argument) for argument in node.args[1:]] == ["1", "0"]
