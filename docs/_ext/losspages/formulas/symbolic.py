"""Formulas of single elements as SymPy's expressions: derivatives, and LaTeX of all of it.

The letters that a declaration defines stay symbols of their own, so that what is printed is as short as what a person
would write; derivatives pass through them by the chain rule.
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import mpmath
import sympy
from sympy.logic.boolalg import Boolean
from sympy.printing.latex import LatexPrinter

from losslib.declaration.schema import Array, Flag, LossInfo, Real
from losslib.errors import FormulaError as UnreadableFormula
from losslib.formula.declared import texts_of
from losslib.formula.language import CONSTANTS, names_in, tree_of
from losslib.formula.reader import Reader

#: Digits of the arithmetic that a formula is evaluated in: log1p and its like are written as they are in textbooks.
DIGITS = 30
#: Beyond this many characters a derivative is no help to a reader.
LONGEST_LATEX = 700
#: Expressions with more operations are left to the cheap simplifications.
MOST_OPERATIONS = 90

# How parameters are written; every other name is set upright. One table, so that a name looks the same everywhere.
TEX = {
    "x": "x", "t": "t", "v": "v", "s": "s", "w": "w", "x1": "x_1", "x2": "x_2", "d": "d", "y": "y", "k": "k",
    "r": "r", "h": "h", "p": "p",
    "alpha": r"\alpha", "beta": r"\beta", "gamma": r"\gamma", "delta": r"\delta", "epsilon": r"\epsilon",
    "eps": r"\varepsilon", "gamma_neg": r"\gamma_{-}", "gamma_pos": r"\gamma_{+}", "label_smoothing": r"\lambda",
    "pos_weight": "w", "quantile": r"\tau", "expectile": r"\tau", "scale": "s", "margin": "m", "width": "b",
    "curvature": "a", "power": "p", "dispersion": r"\alpha", "df": r"\nu", "clip": "c", "q": "q", "c": "c",
}  # fmt: skip


class sigmoid(sympy.Function):
    """1 / (1 + exp(-x)), kept whole so that derivatives stay readable."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sigmoid(self.args[0]) * sigmoid(-self.args[0])

    def _eval_is_extended_real(self) -> bool | None:
        return self.args[0].is_extended_real  # type: ignore[no-any-return]


class softplus(sympy.Function):
    """log(1 + exp(x))."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sigmoid(self.args[0])


class Guard(sympy.Function):
    """max(a, floor) where the floor only keeps a number usable; derivatives pass as if it were not there."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.Integer(1 if argindex == 1 else 0)


FUNCTIONS: dict[str, Callable[..., sympy.Expr]] = {
    "exp": sympy.exp,
    "log": sympy.log,
    "log1p": lambda a: sympy.log(1 + a),
    "expm1": lambda a: sympy.exp(a) - 1,
    "sqrt": sympy.sqrt,
    "abs": sympy.Abs,
    "sign": sympy.sign,
    "max": sympy.Max,
    "min": sympy.Min,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "loggamma": sympy.loggamma,
}

_EVALUATE = {
    "sigmoid": lambda a: 1 / (1 + mpmath.exp(-a)),
    "softplus": lambda a: mpmath.log1p(mpmath.exp(a)),
    "Guard": max,
}


class FormulaError(ValueError):
    """A formula that cannot be read, printed or evaluated."""


def input_symbols(info: LossInfo) -> dict[str, str]:
    """Return formula name -> input name, for the inputs only and in their order."""
    names = {value: key for key, value in info.symbols.items()}
    return {names.get(item.name, item.name): item.name for item in info.inputs}


def symbol_of(info: LossInfo, name: str) -> sympy.Symbol:
    """Return the symbol of an input, a parameter or an abbreviation, with what is known about its sign."""
    inputs = input_symbols(info)
    if name in inputs:
        domain = info.inputs[list(inputs).index(name)].domain.name
        positive = domain in ("positive", "probability") or (domain == "nonnegative" and name != "t")
        if name == "t" and re.search(r"\bt\s*[<>=]", info.formula):  # cases of the target, 0 among them
            positive = False
        if info.input_domains is not None:
            positive = False
        return sympy.Symbol(name, real=True, positive=True) if positive else sympy.Symbol(name, real=True)
    if name in letters_defined(info):
        return sympy.Symbol(name, real=True)
    source = info.symbols.get(name, name)
    if source not in info.parameter_names:
        raise FormulaError(f"{info.name}: the formula names {name!r}, which is neither an input nor a parameter")
    parameter = info.parameter(source)
    if isinstance(parameter, Array):
        return sympy.Symbol(name, real=True, positive=True)
    if not isinstance(parameter, Real):
        raise FormulaError(f"{info.name}: {name!r} is a {type(parameter).__name__} and stands where a number belongs")
    if any(value in (float("inf"), float("-inf")) for value in parameter.also):
        return sympy.Symbol(name, extended_real=True)
    least = max((bound for bound in (parameter.above, parameter.least) if bound is not None), default=None)
    if least is not None and least >= 0 and all(value >= 0 for value in parameter.also):
        # `least=0.0` allows zero; simplification may divide by it, and the grid check looks at the result.
        strict = parameter.above is not None and parameter.above >= 0
        return sympy.Symbol(name, real=True, **({"positive": True} if strict else {"nonnegative": True}))
    return sympy.Symbol(name, real=True)


def letters_defined(info: LossInfo) -> list[str]:
    """Return the letters that the formula of a loss may use beside inputs and parameters."""
    return [letter for letter, _ in texts_of(info) if letter]


class Symbolic:
    """SymPy's expressions as numbers of the formula language."""

    def constant(self, value: float) -> sympy.Expr:
        if math.isinf(value):
            return sympy.oo if value > 0 else -sympy.oo
        return sympy.pi if value == math.pi else sympy.Rational(str(value))

    def truth(self, value: bool) -> Any:
        return sympy.true if value else sympy.false

    def is_truth(self, node: Any) -> bool:
        return isinstance(node, Boolean) and not isinstance(node, sympy.Symbol)

    def known(self, node: Any) -> None:
        """Nothing need be told: expressions simplify themselves."""

    def decided(self, condition: Any) -> bool | None:
        """A flag is known, so the other branch is another formula."""
        return bool(condition) if condition in (sympy.true, sympy.false) else None

    def compare(self, op: str, a: Any, b: Any) -> Any:
        relation = {"eq": sympy.Eq, "ne": sympy.Ne}.get(op) or getattr(operator, op)
        return relation(a, b)

    def select(self, condition: Any, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
        return sympy.Piecewise((a, condition), (b, True))

    def call(self, name: str, *args: sympy.Expr) -> sympy.Expr:
        if name not in FUNCTIONS:
            raise UnreadableFormula(f"pages cannot print {name}")
        return FUNCTIONS[name](*args)

    def both(self, a: Any, b: Any) -> Any:
        return sympy.And(a, b)

    def either(self, a: Any, b: Any) -> Any:
        return sympy.Or(a, b)

    def no(self, a: Any) -> Any:
        return sympy.Not(a)

    neg = staticmethod(operator.neg)
    add = staticmethod(operator.add)
    sub = staticmethod(operator.sub)
    mul = staticmethod(operator.mul)
    div = staticmethod(operator.truediv)
    power = staticmethod(operator.pow)


class _Reader(Reader[Any]):
    """Reads a formula for one setting of its flags: each setting has its own expression."""

    def __init__(self, info: LossInfo, flags: Mapping[str, bool]) -> None:
        texts = dict(texts_of(info))
        used = {name for text in texts.values() for name in names_in(tree_of(text))} - {*CONSTANTS, *flags}
        names = {name: sympy.true if value else sympy.false for name, value in flags.items()}
        super().__init__(Symbolic(), names | {name: symbol_of(info, name) for name in used})
        self.info = info

    def expression(self, text: str) -> sympy.Expr:
        try:
            return self.read(text, tree_of(text))
        except UnreadableFormula as error:
            raise FormulaError(f"{self.info.name}: {error}") from error

    def _call(self, tree: ast.Call, depth: int) -> Any:
        match tree:
            case ast.Call(func=ast.Name(id="max"), args=[first, second]):
                for floor, guarded in ((first, second), (second, first)):
                    if _is_floor(floor):
                        return Guard(self._number(guarded, depth), self._number(floor, depth))
        return super()._call(tree, depth)


def _is_floor(node: ast.expr) -> bool:
    """Recognise the floors that guard: an ``eps``, or a negative constant under a logarithm."""
    match node:
        case ast.Name(id="eps"):
            return True
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=number)):
            return number >= 10
    return False


@dataclass
class Formula:
    """The formula of a loss for one setting of its flags."""

    info: LossInfo
    flags: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        reader = _Reader(self.info, self.flags)
        *texts, (_, formula) = texts_of(self.info)
        self.value: sympy.Expr = flatten(reader.expression(formula))
        self.inputs: dict[str, str] = input_symbols(self.info)
        #: What the letters of this setting stand for; further ones belong to a branch that the flags leave out.
        self.abbreviations: dict[sympy.Symbol, sympy.Expr] = {}
        needed = set(self.value.free_symbols)
        for letter, text in reversed(texts):
            symbol = symbol_of(self.info, letter)
            if symbol in needed:
                self.abbreviations[symbol] = reader.expression(text)
                needed |= self.abbreviations[symbol].free_symbols
        self.abbreviations = dict(reversed(self.abbreviations.items()))
        #: The definitions down to inputs and parameters.
        self.definitions: dict[sympy.Symbol, sympy.Expr] = {}
        for symbol, expression in self.abbreviations.items():
            self.definitions[symbol] = expression.subs(self.definitions)
        self._derivatives: dict[tuple[str, ...], sympy.Expr] = {}
        self._check_letters()

    def _check_letters(self) -> None:
        seen: dict[str, str] = {}
        for symbol in self.symbols:
            letter = self.tex_of(symbol)
            if letter in seen:
                raise FormulaError(f"{self.info.name}: {seen[letter]} and {symbol.name} are both written {letter}")
            seen[letter] = symbol.name

    @cached_property
    def symbols(self) -> list[sympy.Symbol]:
        """All symbols: inputs first, then parameters, then abbreviations."""
        free = set(self.value.free_symbols)
        for definition in self.definitions.values():
            free |= definition.free_symbols
        inputs = [symbol_of(self.info, name) for name in self.inputs]
        order = {name: k for k, name in enumerate(self.info.parameter_names)}
        rest = [s for s in free if s not in inputs and s not in self.definitions]
        rest.sort(key=lambda s: order[self.info.symbols.get(s.name, s.name)])
        return [*inputs, *rest, *self.abbreviations]

    def derivative(self, *names: str) -> sympy.Expr:
        """Differentiate with respect to the inputs named, one after the other; kinks carry no mass here."""
        if names not in self._derivatives:
            below = self.derivative(*names[:-1]) if len(names) > 1 else _without_max(self.value)
            formula_name = {value: key for key, value in self.inputs.items()}[names[-1]]
            symbol = symbol_of(self.info, formula_name)
            total = sympy.diff(below, symbol)
            for letter, definition in self.definitions.items():
                total += sympy.diff(below, letter) * sympy.diff(definition, symbol)
            self._derivatives[names] = tidy(_without_deltas(total))
        return self._derivatives[names]

    # ---- evaluation

    def evaluator(self, expression: sympy.Expr) -> Callable[..., Any]:
        """Return a function of the inputs and parameters by formula name that evaluates in ``DIGITS`` digits."""
        letters = list(self.abbreviations)
        plain = [symbol for symbol in self.symbols if symbol not in self.abbreviations]
        outer = sympy.lambdify([*plain, *letters], expression, modules=[_EVALUATE, "mpmath"], cse=True)
        inner = [sympy.lambdify(plain, self.definitions[letter], modules=[_EVALUATE, "mpmath"]) for letter in letters]

        def evaluate(numbers: Mapping[str, Any]) -> Any:
            arguments = [mpmath.mpf(numbers[symbol.name]) for symbol in plain]
            return outer(*arguments, *(function(*arguments) for function in inner))

        return evaluate

    def kinks(self) -> list[sympy.Expr]:
        """Return the expressions whose zeros are places where a derivative may jump."""
        found: list[sympy.Expr] = []
        for node in sympy.preorder_traversal(_without_max(self.value)):
            if isinstance(node, sympy.Abs | sympy.sign):
                found.append(node.args[0])
            elif isinstance(node, sympy.StrictLessThan | sympy.LessThan | sympy.StrictGreaterThan | sympy.GreaterThan):
                found.append(node.lhs - node.rhs)
        return found

    def guards(self) -> list[sympy.Expr]:
        """Return, for every guard, what is positive while it is inactive."""
        return [guard.args[0] - guard.args[1] for guard in self.value.atoms(Guard)]

    # ---- print

    def tex_of(self, symbol: sympy.Symbol) -> str:
        return TEX.get(symbol.name, rf"\mathrm{{{symbol.name.replace('_', chr(92) + '_')}}}")

    def latex(self, expression: sympy.Expr) -> str:
        """Print an expression with the letters of this loss."""
        names = {symbol: self.tex_of(symbol) for symbol in expression.free_symbols}
        return _Printer({"symbol_names": names, "fold_short_frac": False, "ln_notation": False}).doprint(expression)


class _Printer(LatexPrinter):
    """SymPy's printer with a sum's positive terms first and comparisons read from the variable."""

    def _as_ordered_terms(self, expr: sympy.Expr, order: str | None = None) -> list[sympy.Expr]:
        terms = super()._as_ordered_terms(expr, order=order)
        return sorted(terms, key=lambda term: term.could_extract_minus_sign())  # stable: the order within stays

    def _print_Relational(self, expr: sympy.Basic) -> str:
        if expr.rhs == 0 and isinstance(expr.lhs, sympy.Add):  # a - b > 0 reads better as a > b
            negative = [term for term in expr.lhs.args if term.could_extract_minus_sign()]
            if negative and len(negative) < len(expr.lhs.args):
                move = sympy.Add(*negative)
                expr = expr.func(expr.lhs - move, -move, evaluate=False)
        variables = {"x", "t", "d", "x1", "x2"}
        names = [{symbol.name for symbol in side.free_symbols} & variables for side in (expr.lhs, expr.rhs)]
        if names[1] and not names[0]:
            expr = expr.reversed
        return super()._print_Relational(expr)

    def _print_loggamma(self, expr: sympy.Expr, exp: str | None = None) -> str:
        return self._call(r"\log\Gamma", expr.args[0], exp)

    def _call(self, head: str, argument: sympy.Expr, exponent: str | None) -> str:
        power = "" if exponent is None else f"^{{{exponent}}}"
        return rf"{head}{power}\left({self._print(argument)}\right)"

    def _print_sigmoid(self, expr: sympy.Expr, exp: str | None = None) -> str:
        return self._call(r"\sigma", expr.args[0], exp)

    def _print_softplus(self, expr: sympy.Expr, exp: str | None = None) -> str:
        return self._call(r"\operatorname{softplus}", expr.args[0], exp)

    def _print_Guard(self, expr: sympy.Expr, exp: str | None = None) -> str:
        inside = rf"\max\left({self._print(expr.args[0])},\, {self._print(expr.args[1])}\right)"
        return inside if exp is None else rf"{inside}^{{{exp}}}"

    def _print_Piecewise(self, expr: sympy.Expr) -> str:
        rows = []
        for value, condition in expr.args:
            when = r"\text{otherwise}" if condition == sympy.true else rf"\text{{if }} {self._print(condition)}"
            rows.append(rf"{self._print(value)} & {when}")
        return r"\begin{dcases} " + r" \\[0.5em] ".join(rows) + r" \end{dcases}"


# ---- expressions -----------------------------------------------------------------------------------------------


def _as_cases(extreme: sympy.Expr) -> sympy.Expr:
    """Write max(a, b) or min(a, b) as cases; a zero goes last, so that the condition speaks of the other."""
    first, second = sorted(extreme.args, key=lambda e: e.is_number)
    condition = first > second if isinstance(extreme, sympy.Max) else first < second
    return sympy.Piecewise((first, condition), (second, True))


def _without_max(expression: sympy.Expr) -> sympy.Expr:
    """Write max and min as cases, whose derivatives print better than Heaviside functions."""
    return expression.replace(lambda e: isinstance(e, sympy.Max | sympy.Min), _as_cases)


def flatten(expression: sympy.Expr) -> sympy.Expr:
    """Turn cases within the last case into further cases of the outer one."""
    if not isinstance(expression, sympy.Piecewise):
        return expression
    *rows, (last, condition) = expression.args
    inner = flatten(last)
    if isinstance(inner, sympy.Piecewise) and condition == sympy.true:
        return sympy.Piecewise(*rows, *inner.args, evaluate=False)
    return expression


def _possible(condition: sympy.Basic) -> bool:
    """False for a condition on one symbol that no number meets; folding leaves such cases behind."""
    if isinstance(condition, sympy.And) and len(condition.free_symbols) == 1:
        return condition.as_set() is not sympy.S.EmptySet
    return True


def _without_deltas(expression: sympy.Expr) -> sympy.Expr:
    expression = expression.replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    return expression.replace(
        lambda e: e.is_Pow and isinstance(e.base, sympy.sign) and e.exp == 2, lambda e: sympy.Integer(1)
    )


def tidy(expression: sympy.Expr) -> sympy.Expr:
    """Return the shortest of a few equal forms; cases are treated one by one."""
    if expression.has(sympy.Piecewise):
        if not isinstance(expression, sympy.Piecewise) or any(e.has(sympy.Piecewise) for e, _ in expression.args):
            expression = sympy.piecewise_fold(expression)
        if isinstance(expression, sympy.Piecewise):
            return sympy.Piecewise(*((tidy(value), when) for value, when in expression.args if _possible(when)))
        return expression
    forms = [expression, sympy.factor_terms(expression), sympy.powsimp(expression)]
    if expression.count_ops() <= MOST_OPERATIONS:
        for simplify in (sympy.simplify, sympy.factor, sympy.together):
            forms.append(_without_deltas(simplify(expression)))
    forms = [form for form in forms if not form.has(sympy.re, sympy.im, sympy.arg) and not _abs_of_power(form)]
    return min(forms, key=lambda form: (form.count_ops(), len(str(form))))


def _abs_of_power(expression: sympy.Expr) -> bool:
    return any(isinstance(node.args[0], sympy.Pow) for node in expression.atoms(sympy.Abs))


def flag_settings(info: LossInfo) -> Iterator[dict[str, bool]]:
    """Yield every combination of the flags that the formula knows, the default first."""
    flags = formula_flags(info)
    choices = [(flag.default, not flag.default) for flag in flags]
    for values in itertools.product(*choices):
        yield {flag.name: value for flag, value in zip(flags, values, strict=True)}


def formula_flags(info: LossInfo) -> list[Flag]:
    """Return the flags that occur in the formula."""
    names = {name for _, text in texts_of(info) for name in names_in(tree_of(text))}
    return [item for item in info.parameters if isinstance(item, Flag) and item.name in names]
