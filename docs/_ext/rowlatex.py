"""LaTeX of row formulas: the text that is executed (``rowformulas``), printed as mathematics with its indices."""

from __future__ import annotations

import ast

from rowgradients import DEFINITIONS, SHOWN

from formulas import TEX, FormulaError
from losslib.declaration.schema import LossInfo
from losslib.formula.language import parse

_NAMES = TEX | {
    "x1": "u", "x2": "v", "anchor": "a", "positive": "a^{+}", "negative": "a^{-}", "C": "C", "inf": r"\infty",
    "z_loss": r"\zeta", "temperature": "T", "t1": r"\tau_1", "t2": r"\tau_2", "w": "w", "weight": "w",
    "u": "u", "v": "v", "h": "h", "m": "m", "tau": r"\tau", "p": "p", "targets": "t",
}  # fmt: skip
_COMPARISONS = {ast.Eq: "=", ast.Gt: ">", ast.Lt: "<", ast.GtE: r"\ge", ast.In: r"\in"}
_SUM, _PRODUCT, _POWER, _ATOM = range(4)


def latex(info: LossInfo, text: str) -> str:
    """Print a formula of a loss."""
    return _Printer(info).text(parse(text))


def letter(name: str) -> str:
    """Return how an input, a parameter or an abbreviation is written."""
    return _NAMES.get(name, rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}")


def abbreviations(info: LossInfo) -> list[tuple[str, str]]:
    """Return the letters that a formula or its gradient introduces, with their definitions, both as LaTeX."""
    found = []
    for name in SHOWN.get(info.name, ()):
        text = definition(info, name)
        printer = _Printer(info)
        printer.replaced.pop(ast.dump(parse(text)), None)
        index = "_{c}" if any(word in text for word in ("_c", "c ==")) and not text.startswith("sum_c") else ""
        found.append((letter(name) + index, printer.text(parse(text))))
    return found


def definition(info: LossInfo, name: str) -> str:
    """Return the text that a letter stands for."""
    for key in (info.name, info.geometry):
        if name in DEFINITIONS.get(key, {}):
            return str(DEFINITIONS[key][name])
    raise FormulaError(f"{info.name}: no definition of {name!r}")


class _Printer:
    def __init__(self, info: LossInfo) -> None:
        self.info = info
        self.replaced: dict[str, str] = {}
        for name in SHOWN.get(info.name, ()):
            text = definition(info, name)
            indexed = not text.startswith("sum_c")
            key = ast.dump(parse(text))
            self.replaced[key] = f"{name}_c" if indexed else name

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
        name = self.replaced.get(ast.dump(node))
        if name is not None:
            return self.name(name), _ATOM
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
                return rf"{self.wrapped(base, _ATOM)}^{{1/{self.text(degree)}}}"
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
        if function in ("sum_c", "sum_j", "max_c"):
            return self.over(function, args[0])
        inside = r",\, ".join(self.text(argument) for argument in args)
        match function:
            case "max" | "min":
                return rf"\{function}\left({inside}\right)", _ATOM
            case "exp":
                return f"e^{{{inside}}}", _POWER
            case "log":
                return rf"\log {self.wrapped(args[0], _ATOM)}", _PRODUCT
            case "log_t":
                return rf"\log_{{\tau_1}} {self.wrapped(args[0], _ATOM)}", _PRODUCT
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
        sign, index = (r"\max" if function == "max_c" else r"\sum"), function[-1]
        under = r"j \in t" if "in targets" in self.info.formula and index == "j" else index
        match body:
            case ast.Call(func=ast.Name(id="where"), args=[condition, skipped, kept]) if _leaves_out(skipped):
                left_out = self.condition(condition)
                under = left_out.replace("=", r"\ne").replace(r"\in", r"\notin")
                body = kept
        if function == "max_c":
            return rf"\max_{{{under}}} {self.wrapped(body, _PRODUCT)}", _PRODUCT
        return rf"{sign}_{{{under}}} {self.wrapped(body, _PRODUCT)}", _PRODUCT

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
