"""``from_formula``: a loss like every other, made from one line of mathematics.

A `Definition` is what the user wrote, read and checked once. A class of losses is made from it as from a declaration;
its kernel is a program (`losslib.formula.tape`), made for the values of the parameters when a loss object binds them,
so that choices among formulas and whole exponents cost nothing.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from losslib import _kernels
from losslib._kernels.loss import Loss
from losslib.call import parameters
from losslib.declaration import schema
from losslib.declaration.schema import Flag, Input, LossInfo, Parameter, Real, closest
from losslib.declare import CHECK, WEIGHT, make_class, reduction_parameter
from losslib.errors import FormulaError, ParameterError
from losslib.formula import derivatives, language
from losslib.formula.expression import Graph, TooLargeError
from losslib.formula.reader import Reader
from losslib.formula.tape import Tape, compile_tape

__all__ = ["FormulaLoss", "from_formula"]

DOMAINS = {
    domain.name: domain
    for domain in (
        schema.REAL, schema.NONNEGATIVE, schema.POSITIVE, schema.PROBABILITY, schema.SIGN, schema.BINARY,
        schema.ABOVE_MINUS_ONE,
    )
}  # fmt: skip

#: Those that every elementwise loss has.
REDUCTIONS = ("mean", "sum", "none", "weighted_mean")

#: What the letters of a formula are called in a call.
INPUT_NAMES = {"x": "input", "t": "target"}
MOST_INPUTS = 3

#: Words that a formula may not use for its own: arguments of calls and attributes of losses.
RESERVED = {"sample_weight", "where", "out", "grad_output", "wrt", "weight", "reduction", "check", "d", "name", "doc"}

#: Kernels by number, as ``pyx/job.pxd`` has them: the planes that each writes.
_VALUE_ONLY, _GRAD_ONLY, _VALUE_GRAD, _VALUE_GRAD_HESS, _PAIR, _ALL = range(6)

Number = float | bool


@dataclass(frozen=True)
class Definition:
    """What `from_formula` was given, apart from values: two losses of equal definitions and values are equal."""

    formula: str
    definitions: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, bool], ...]  # the names, and whether each is a flag
    inputs: tuple[str, ...]
    domains: tuple[tuple[str, str], ...]
    name: str
    doc: str

    @functools.cached_property
    def trees(self) -> tuple[tuple[str, str, Any], ...]:
        """Name, text and syntax tree of every definition, the formula last."""
        texts = [*self.definitions, ("", self.formula)]
        return tuple((name, text, language.parse(text, _what(name))) for name, text in texts)

    def build(self, values: Mapping[str, Number]) -> tuple[Graph, int]:
        """Return a graph with the node of the loss, for values of the parameters."""
        graph = Graph()
        names = {letter: graph.input(k) for k, letter in enumerate(self.inputs)}
        if "x" in names and "t" in names:
            names["d"] = graph.sub(names["x"], names["t"])  # language.ABBREVIATIONS
        for name, flag in self.parameters:
            names[name] = graph.truth(bool(values[name])) if flag else graph.constant(float(values[name]))
        reader = Reader(
            graph,
            names,
            (
                "a parameter is given as a keyword with its value, a further input is named by "
                f"inputs=({', '.join(map(repr, self.inputs))}, ...)",
            ),
        )
        node = graph.zero
        for name, text, tree in self.trees:
            node = reader.read(text, tree, _what(name))
            if name:
                reader.define(name, node)
        for name in (*(name for name, _ in self.parameters), *(name for name, _ in self.definitions)):
            if name not in reader.used:
                raise FormulaError(f"the formula does not use {name!r}{closest(name, reader.used)}")
        return graph, node

    def make_tape(self, values: Mapping[str, Number], kernel: int) -> Tape:
        """Return the tape of a kernel."""
        graph, node = self.build(values)
        try:
            return compile_tape(graph, _outputs(graph, node, kernel, len(self.inputs)))
        except TooLargeError:
            raise FormulaError("the derivatives of the formula have too many operations") from None


def _what(name: str) -> str:
    return f"the definition of {name}" if name else "the formula"


def _outputs(graph: Graph, node: int, kernel: int, inputs: int) -> dict[int, int]:
    """Return what a kernel writes: 0 is the value, 1 and 2 the derivatives for the first input, and so on."""
    outputs = {} if kernel == _GRAD_ONLY else {0: node}
    if kernel != _VALUE_ONLY:
        for position in range(inputs if kernel == _ALL else 1):
            slope = derivatives.derivative(graph, node, position)
            outputs[2 * position + 1] = slope
            if kernel in (_VALUE_GRAD_HESS, _ALL):
                outputs[2 * position + 2] = derivatives.derivative(graph, slope, position)
    return outputs


class FormulaLoss(Loss):
    """A loss made by `losslib.from_formula`; it is called as every other loss is."""

    __slots__ = ()
    #: What the loss was made from; each class of formula losses has its own.
    definition: Definition

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if type(self).info is None:
            raise TypeError("losslib.FormulaLoss has no objects of its own; make one with losslib.from_formula(...)")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FormulaLoss):
            return NotImplemented
        return (self.definition, parameters.key_of(self.parameters)) == (
            other.definition,
            parameters.key_of(other.parameters),
        )

    def __hash__(self) -> int:
        return hash((self.definition, parameters.key_of(self.parameters)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.definition, dict(self.parameters))

    def __repr__(self) -> str:
        definition = self.definition
        texts = [repr(definition.formula)]
        texts += [f"{name}={text!r}" for name, text in definition.definitions]
        if definition.inputs != ("x", "t"):
            texts.append(f"inputs={definition.inputs!r}")
        if definition.domains:
            texts.append(f"domains={dict(definition.domains)!r}")
        texts += [f"{key}={value!r}" for key, value in (("name", definition.name), ("doc", definition.doc)) if value]
        return f"from_formula({', '.join([*texts, parameters.class_arguments(self.parameters, self.info)])})"


def _rebuild(definition: Definition, values: dict[str, Any]) -> Loss:
    """Make a loss again; what pickle calls."""
    own = tuple((name, values[name]) for name, _ in definition.parameters)
    loss: Loss = _class_of(definition, own)(**values)
    return loss


@functools.lru_cache(maxsize=256)
def _class_of(definition: Definition, defaults: tuple[tuple[str, Number], ...]) -> type[Loss]:
    """Return the class of the losses of a definition; ``defaults`` are what its parameters are if nothing is said."""
    flags = dict(definition.parameters)
    listed: list[Parameter] = [
        Flag(name, value, f"The choice {name} of the formula.")
        if flags[name]
        else Real(name, value, f"The number {name} of the formula.")
        for name, value in defaults
    ]
    domains = dict(definition.domains)
    inputs = tuple(
        Input(
            INPUT_NAMES.get(letter, letter),
            {"x": "Predictions.", "t": "Targets."}.get(letter, f"The input {letter} of the formula."),
            domain=DOMAINS[domains.get(letter, "real")],
            broadcasts=k >= 2,
        )
        for k, letter in enumerate(definition.inputs)
    )
    names = tuple(item.name for item in inputs)
    summary, _, rest = definition.doc.strip().partition("\n\n")
    text = definition.formula.strip() + "".join(f", {name} = {text.strip()}" for name, text in definition.definitions)

    programs: dict[tuple[Number, ...], Any] = {}

    def kernel(values: Mapping[str, Any]) -> tuple[Any, tuple[float, ...]]:
        key = tuple(values[name] for name in flags)
        program = programs.get(key)
        if program is None:
            if len(programs) >= 64:
                programs.clear()  # losses hold theirs
            own = dict(zip(flags, key, strict=True))
            # the tape that tells the cost is the one that most calls ask for first
            make_tape = functools.lru_cache(maxsize=1)(functools.partial(definition.make_tape, own))
            cost = make_tape(_VALUE_GRAD).cost
            program = programs[key] = _driver().Program(len(inputs), cost, make_tape)
        return program, ()

    info = LossInfo(
        name=definition.name or "formula_loss",
        class_name="FormulaLoss",
        family="formula",
        geometry="pointwise",
        summary=" ".join(summary.split()) or "A loss from a formula.",
        description=textwrap.dedent(rest).strip(),
        inputs=inputs,
        parameters=(*listed, WEIGHT, reduction_parameter("pointwise", REDUCTIONS, "count", False), CHECK),
        formula=text,
        symbols={letter: name for letter, name in zip(definition.inputs, names, strict=True) if letter != name},
        differentiable=names,
        default_wrt=names[:1],
        reductions=REDUCTIONS,
        kernel=kernel,
        value_range="(-inf, inf)",
    )
    return make_class(info, FormulaLoss, definition=definition)


@functools.cache
def _driver() -> Any:
    """Return the compiled interpreter, loaded at the first formula."""
    return _kernels.load("formula")


def from_formula(
    formula: str,
    *,
    inputs: Sequence[str] = ("x", "t"),
    domains: Mapping[str, str] | None = None,
    name: str = "",
    doc: str = "",
    weight: Any = None,
    reduction: str = "mean",
    check: bool = True,
    **names: Any,
) -> FormulaLoss:
    """Return a loss that is computed by a formula, with exact derivatives.

    Parameters
    ----------
    formula : str
        The value of one element, as an expression in Python's syntax over the inputs, the parameters and the
        definitions. ``d`` is ``x - t``. There are numbers, ``pi``, ``+ - * / **``, comparisons, ``and or not``, and the
        functions ``where abs sign max min clip exp expm1 log log1p sqrt sin cos tanh cosh sigmoid softplus erf loggamma
        digamma``.
    inputs : sequence of str, default ("x", "t")
        The names of one to three inputs in the formula, in the order of a call. In a call ``x`` is called `input` and
        ``t`` `target`; others keep their names.
    domains : mapping of str, optional
        What the values of an input must be, by its name in the formula: "real", "nonnegative", "positive",
        "probability", "sign", "binary" or "above_minus_one". It is checked as for every loss.
    name, doc : str, optional
        What the loss is called in messages, and its docstring.
    weight : array_like, optional
        Weight of each element, as for every loss.
    reduction : str, default "mean"
        "mean", "sum", "none" or "weighted_mean", as for every loss.
    check : bool, default True
        Check the domains of the inputs, as for every loss.
    **names
        A number (or a truth value) is a parameter with its default; it is an attribute of the loss, and ``replace``
        changes it. A string is a definition: an expression that the formula, and definitions after it, use by name.

    Returns
    -------
    FormulaLoss
        A loss object: immutable, hashable, comparable, picklable, safe to share between threads.

    Raises
    ------
    FormulaError
        If the formula cannot be read; the message shows the place.
    ParameterError
        If a name, a domain or a parameter is not what it should be.

    Notes
    -----
    Derivatives are exact, by every input (``wrt``). ``where`` chooses between derivatives: infinities and NaN of the
    side that is not taken never show. At a kink, ``abs`` and ``sign`` have the derivative 0, ``max`` and ``min`` the
    mean of both sides. A formula is never evaluated as Python; compiling it takes about a millisecond.

    Examples
    --------
    >>> loss = losslib.from_formula("where(abs(d) <= delta, d**2/2, delta*(abs(d) - delta/2))", delta=1.0)
    >>> loss.value_and_grad(np.array([0.5, 3.0]), np.array([0.0, 0.0]))
    (1.3125, array([0.25, 0.5 ]))
    >>> loss.replace(delta=2.0).delta
    2.0
    >>> losslib.from_formula("-(t*log(p) + (1 - t)*log(1 - p))", p="sigmoid(x)")(np.array([800.0]), np.array([0.0]))
    800.0
    """
    letters = _read_inputs(inputs)
    read_domains = _read_domains(domains or {}, letters)
    for what, text in (("name", name), ("doc", doc)):
        if not isinstance(text, str):
            raise ParameterError(f"{what} must be a string, got {text!r}")
    definitions: list[tuple[str, str]] = []
    defaults: list[tuple[str, Number]] = []
    for key, value in names.items():
        _require_free(key, letters)
        if isinstance(value, str):
            definitions.append((key, value))
        elif isinstance(value, bool):
            defaults.append((key, value))
        else:
            number = Real(key, 0.0, "").check(value)
            assert number is not None
            defaults.append((key, number))
    definition = Definition(
        formula,
        tuple(definitions),
        tuple((key, isinstance(value, bool)) for key, value in defaults),
        letters,
        read_domains,
        name,
        doc,
    )
    language.parse(formula)  # what is no string is no key of a table either
    loss: FormulaLoss = _class_of(definition, tuple(defaults))(  # type: ignore[assignment]
        weight=weight, reduction=reduction, check=check
    )
    return loss


def _read_inputs(inputs: Sequence[str]) -> tuple[str, ...]:
    letters = (inputs,) if isinstance(inputs, str) else tuple(inputs)
    if not 1 <= len(letters) <= MOST_INPUTS:
        raise ParameterError(f"inputs must name one to {MOST_INPUTS} inputs, got {inputs!r}")
    for k, letter in enumerate(letters):
        if letter in INPUT_NAMES.values():
            short = next(short for short, long in INPUT_NAMES.items() if long == letter)
            raise ParameterError(f"inputs: {letter!r} is called {short!r} in a formula")
        _require_free(letter, letters[:k])
    return letters


def _require_free(name: Any, taken: Sequence[str]) -> None:
    """Raise unless a name may be given to an input, a parameter or a definition."""
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        raise ParameterError(f"{name!r} is no name for a formula; take letters, digits and underscores")
    if name in taken:
        raise ParameterError(f"{name!r} names an input already")
    if name in language.CONSTANTS:
        raise ParameterError(f"{name!r} has a meaning in the formula language; take another name")
    if name in RESERVED or name.startswith("_") or hasattr(Loss, name):
        raise ParameterError(f"{name!r} is a word of the losses themselves; take another name")


def _read_domains(domains: Mapping[str, str], letters: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    for letter, domain in domains.items():
        if letter not in letters:
            raise ParameterError(f"domains: no input is named {letter!r}; the inputs are {', '.join(letters)}")
        if domain not in DOMAINS:
            hint = closest(domain, DOMAINS) if isinstance(domain, str) else ""
            raise ParameterError(f"domains: {letter} must be one of {', '.join(DOMAINS)}, got {domain!r}{hint}")
    return tuple(sorted((letter, domain) for letter, domain in domains.items() if domain != "real"))
