"""What a loss is declared by.

A declaration names a loss once: its function and class, inputs, parameters, formula, texts and kernel. Everything
that speaks about losses (signatures, docstrings, checks, tests, benchmarks, pages, command line) reads it from here.
This module knows no arrays and no kernels. Each declaration exists once, so what it is made of is compared by identity
(``eq=False``): the methods that dataclasses would generate for it take a part of the import time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral
from numbers import Real as RealNumber
from typing import Any

import numpy as np

from losslib.errors import ParameterError

__all__ = [
    "Domain",
    "Equivalent",
    "Flag",
    "Indices",
    "Input",
    "Integer",
    "LossInfo",
    "Parameter",
    "Real",
    "Reference",
    "closest",
]


def closest(word: str, choices: Iterable[str]) -> str:
    """Return ' (did you mean …?)' or an empty string; what differs in case alone is nearest."""
    import difflib  # only for messages: not worth its import time otherwise

    listed = list(choices)
    found = [item for item in listed if item.lower() == word.lower()] or difflib.get_close_matches(word, listed, n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


@dataclass(frozen=True)
class Domain:
    """A set of values that an input may hold.

    ``code`` is what the compiled check understands (``pyx/blocks.pxd``); the two texts are for messages and pages.
    """

    name: str
    code: int
    meaning: str
    fix: str = ""

    def contains(self, values: np.ndarray) -> np.ndarray:
        """Say for each value whether it lies in the domain; NaN always does, it is no error."""
        if not self.code:
            return np.ones(values.shape, bool)
        inside: np.ndarray = _CONTAINS[self.name](values) | np.isnan(values)
        return inside


_CONTAINS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "nonnegative": lambda v: v >= 0,
    "positive": lambda v: v > 0,
    "probability": lambda v: (v >= 0) & (v <= 1),
    "sign": lambda v: (v == -1) | (v == 1),
    "above_minus_one": lambda v: v > -1,
    "binary": lambda v: (v == 0) | (v == 1),
    "cosine": lambda v: np.abs(v) <= 1.01,  # rounding, in half precision too
}

REAL = Domain("real", 0, "any real number")
NONNEGATIVE = Domain("nonnegative", 1, "numbers >= 0")
POSITIVE = Domain("positive", 2, "numbers > 0")
PROBABILITY = Domain(
    "probability", 3, "probabilities in [0, 1]", "apply a sigmoid first, or use the loss that takes logits"
)
SIGN = Domain("sign", 4, "labels -1 or 1", "map 0/1 labels with 2 * target - 1")
ABOVE_MINUS_ONE = Domain("above_minus_one", 5, "numbers > -1")
BINARY = Domain("binary", 6, "labels 0 or 1", "map -1/1 labels with (target + 1) / 2")


COSINE = Domain(
    "cosine", 7, "cosines in [-1, 1]", "divide vectors by their lengths; the loss multiplies by its scale itself"
)

#: What the entries of an input are: an element of its own ("number"), part of a row of scores, probabilities or
#: components ("row"); for each sample a label such as -1 and 1 ("label"), a class ("class"), a row of classes ended by
#: -1 ("class_list"), a sequence of classes with a length elsewhere ("class_sequence"), or such a length ("length"). Of
#: survival data the time of a sample or a bound of it ("time"), whether it ended in an event, 1 or 0 ("event"), the
#: interval of a grid that it lies in ("interval"), the cause of the event, 0 for none ("cause"), and the part of the
#: interval that was lived ("fraction"). Of lists the score of an item ("score") and how good it is ("relevance"). Of
#: batches of vectors a label of which only equality counts ("member").
HOLDS = (
    *("number", "row", "label", "member", "class", "class_list", "class_sequence", "length"),
    *("time", "event", "interval", "cause", "fraction"),
    *("score", "relevance"),
)


@dataclass(frozen=True, eq=False)
class Input:
    """An array argument of a loss: its name, its domain and what it means."""

    name: str
    meaning: str
    domain: Domain = REAL
    #: What to do about a value outside the domain, where the domain's own advice does not fit this input.
    fix: str = ""
    #: True if the array may lack the last axis or have axes of length 1 (a variance); targets never broadcast.
    broadcasts: bool = False
    #: What one entry stands for, see `HOLDS`; everything that reads or draws inputs goes by it.
    holds: str = "number"
    #: True for a class that may come as a row of probabilities over the classes too.
    or_row: bool = False
    #: True if a call may leave it out, and what it is then; such inputs stand last.
    optional: bool = False
    default: float | None = None
    #: True for what all samples share, such as the weights of a layer or the centres of classes: it has no axis of
    #: samples, and every piece of the data takes the whole of it.
    shared: bool = False

    @property
    def indices(self) -> bool:
        """True for classes, lengths, intervals: addresses, whose range is checked with ``check=False`` too."""
        return self.holds in ("class", "class_list", "class_sequence", "length", "interval", "cause")


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter that a loss object binds: its name, default and meaning."""

    name: str
    default: Any
    meaning: str

    #: The word for its type in signatures and docstrings.
    kind: str = field(default="object", init=False, repr=False)

    def check(self, value: Any) -> Any:
        """Return the value in its plain Python form, or raise ``ParameterError``."""
        raise NotImplementedError

    @property
    def range_text(self) -> str:
        """The range in words, empty when there is none."""
        return ""


@dataclass(frozen=True, eq=False)
class Real(Parameter):
    """A real number in an interval; ``above``/``below`` exclude the end, ``least``/``most`` include it."""

    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None
    #: Values outside the interval that have a meaning of their own, such as -1 for "off" or -inf for a limit.
    also: tuple[float, ...] = ()
    #: Parameter values for the curves of the figure and for the tests, beside the default.
    examples: tuple[float, ...] = ()
    #: True if None is a value too: it switches off what the parameter does.
    optional: bool = False
    kind: str = field(default="float", init=False, repr=False)

    def __post_init__(self) -> None:
        if self.optional:
            object.__setattr__(self, "kind", "float, optional")  # the class is frozen

    def check(self, value: Any) -> float | None:
        if value is None and self.optional:
            return None
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]
        if not isinstance(value, RealNumber | np.number) or isinstance(value, np.complexfloating):
            raise ParameterError(
                f"{self.name} must be a real number, got {value!r} of type {type(value).__name__}; "
                f"expected {self.range_text}"
            )
        try:
            number = float(value)
        except OverflowError:  # an int beyond the largest float
            raise ParameterError(f"{self.name} must be {self.range_text}, got an integer beyond every float") from None
        if number in self.also:
            return number
        good = (
            math.isfinite(number)
            and (self.above is None or number > self.above)
            and (self.least is None or number >= self.least)
            and (self.below is None or number < self.below)
            and (self.most is None or number <= self.most)
        )
        if not good:
            raise ParameterError(f"{self.name} must be {self.range_text}, got {value!r}")
        return number

    @property
    def range_text(self) -> str:
        bounds = []
        if self.above is not None:
            bounds.append(f"> {self.above:g}")
        if self.least is not None:
            bounds.append(f">= {self.least:g}")
        if self.below is not None:
            bounds.append(f"< {self.below:g}")
        if self.most is not None:
            bounds.append(f"<= {self.most:g}")
        text = "a finite number" + (" " + " and ".join(bounds) if bounds else "")
        words = [f"{value:g}" for value in self.also] + (["None"] if self.optional else [])
        if words:
            text += " (or " + ", ".join(words) + ")"
        return text


@dataclass(frozen=True, eq=False)
class Integer(Parameter):
    """An integer, such as a class index or an axis; ``least`` and ``most`` bound it, else the range of int64.

    A bounded one, such as an exponent, may come as a float without a fraction.
    """

    least: int | None = None
    most: int | None = None
    #: True if None is a value too: there is no such axis, no index to ignore.
    optional: bool = False
    kind: str = field(default="int", init=False, repr=False)

    def __post_init__(self) -> None:
        if self.optional:
            object.__setattr__(self, "kind", "int, optional")

    def check(self, value: Any) -> int | None:
        if value is None and self.optional:
            return None
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]
        if isinstance(value, float) and value.is_integer() and self.least is not None:
            value = int(value)
        if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
            raise ParameterError(f"{self.name} must be {self.range_text}, got {value!r} of type {type(value).__name__}")
        number = int(value)
        least = -(2**63) if self.least is None else self.least
        most = 2**63 - 1 if self.most is None else self.most
        if not least <= number <= most:
            raise ParameterError(f"{self.name} must be {self.range_text}, got {value!r}")
        return number

    @property
    def range_text(self) -> str:
        text = "an integer of at most 64 bits"
        if self.least is not None or self.most is not None:
            bounds = [f">= {self.least}"] if self.least is not None else []
            bounds += [f"<= {self.most}"] if self.most is not None else []
            text = "an integer " + " and ".join(bounds)
        return f"{text} (or None)" if self.optional else text


@dataclass(frozen=True, eq=False)
class Indices(Parameter):
    """Several different integers, such as classes, or None."""

    #: What None is, in words.
    without: str = "for all"
    kind: str = field(default="sequence of int, optional", init=False, repr=False)

    def check(self, value: Any) -> tuple[int, ...] | None:
        if value is None:
            return None
        if isinstance(value, np.ndarray):
            value = value.tolist()
        good = isinstance(value, Iterable) and not isinstance(value, str | bytes)
        entries = tuple(value) if good else ()
        if not entries or not all(isinstance(k, Integral) and not isinstance(k, bool) for k in entries):
            raise ParameterError(f"{self.name} must be {self.range_text}, got {value!r}")
        numbers = tuple(int(k) for k in entries)
        if len(set(numbers)) < len(numbers) or not all(-(2**63) <= k < 2**63 for k in numbers):
            raise ParameterError(f"{self.name} must name each class once, got {value!r}")
        return numbers

    @property
    def range_text(self) -> str:
        return f"a sequence of at least one integer, such as range(1, 4), or None {self.without}"


@dataclass(frozen=True, eq=False)
class Flag(Parameter):
    """True or False."""

    kind: str = field(default="bool", init=False, repr=False)

    def check(self, value: Any) -> bool:
        if isinstance(value, bool | np.bool_) or (isinstance(value, Integral) and value in (0, 1)):
            return bool(value)
        raise ParameterError(f"{self.name} must be True or False, got {value!r}")

    @property
    def range_text(self) -> str:
        return "True or False"


@dataclass(frozen=True, eq=False)
class Array(Parameter):
    """A number or an array that broadcasts against the input, or None."""

    least: float | None = None
    kind: str = field(default="array_like, optional", init=False, repr=False)

    def check(self, value: Any) -> Any:
        raise NotImplementedError("arrays are checked in losslib.call.parameters")


@dataclass(frozen=True, eq=False)
class Choice(Parameter):
    """One of several words."""

    choices: tuple[str, ...] = ()
    #: Values beside the words that mean one of them, such as None for "none".
    also: tuple[tuple[bool | None, str], ...] = ()
    kind: str = field(default="str", init=False, repr=False)

    def check(self, value: Any) -> str:
        for given, word in self.also:
            if value is given:
                return word
        if not isinstance(value, str) or value not in self.choices:
            hint = closest(value, self.choices) if isinstance(value, str) else ""
            raise ParameterError(f"{self.name} must be {self.range_text}, got {value!r}{hint}")
        return value

    @property
    def range_text(self) -> str:
        words = "".join(f" ({given!r} is {word!r})" for given, word in self.also)
        return "one of " + ", ".join(map(repr, self.choices)) + words


@dataclass(frozen=True)
class Reference:
    """A publication: text in the order author, year, title, journal, and its DOI or address."""

    text: str
    doi: str = ""
    url: str = ""


@dataclass(frozen=True, eq=False)
class Equivalent:
    """The same loss in another package.

    ``call`` is a Python expression over ``x`` and ``t`` (and ``v`` for a third input) whose value equals the
    losslib call with ``arguments``; ``note`` says what differs.
    """

    package: str
    name: str
    call: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class LossInfo:
    """Everything that is known about a loss; the declaration that its function and class were made from."""

    name: str
    class_name: str
    family: str
    geometry: str
    #: One sentence of meaning.
    summary: str
    inputs: tuple[Input, ...]
    parameters: tuple[Parameter, ...] = ()
    aliases: tuple[str, ...] = ()
    #: What an unreduced value belongs to, in the words of texts and tables: "element", "sample", "box", "list" …
    per: str = "sample"
    #: Value per element as an expression in Python syntax over `x` (input), `t` (target), the third input's name,
    #: the abbreviation `d = x - t`, the parameters and the definitions, in the formula language
    #: (losslib/formula/language.py; rows.py for losses of rows). The value of a row has indices: `sum_c(t_c*x_c)`.
    formula: str = ""
    #: Letters of the formula and of its derivatives that stand for more, e.g. {"p": "sigmoid(x)"}, each for those after
    #: it; a function, {"d(u, v)": ...}; a letter that solves an equation. A mapping in place of a text is one text for
    #: each word of the parameter that has these choices.
    definitions: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    #: For losses of rows: input name -> its gradient for the entry `k`, and the diagonal of the Hessian, as pages print
    #: them. The build compares them with the kernel; losses of elements have theirs from the formula.
    gradient: Mapping[str, str] = field(default_factory=dict)
    hessian: Mapping[str, str] = field(default_factory=dict)
    #: For a loss whose formula is no expression: hand-written LaTeX of what is printed, e.g. {"value": ...}.
    latex: Mapping[str, str] = field(default_factory=dict)
    #: Names in the formula that differ from the input names, e.g. {"x": "input"}.
    symbols: Mapping[str, str] = field(default_factory=dict)
    #: Paragraphs after the summary: what it does and when it is the right one.
    description: str = ""
    #: Numerical notes: overflow, clamps, kinks, conventions.
    notes: str = ""
    use_when: tuple[str, ...] = ()
    avoid_when: tuple[str, ...] = ()
    pitfalls: tuple[str, ...] = ()
    #: (name of a loss, the difference in words)
    see_also: tuple[tuple[str, str], ...] = ()
    references: tuple[Reference, ...] = ()
    equivalents: tuple[Equivalent, ...] = ()
    #: A doctest, without the import lines (`import numpy as np`, `import losslib`).
    examples: str = ""
    #: What people type who know neither its name nor that of another package, with its place among the answers, 1 for
    #: the best. One word of a group in losslib/declaration/keywords.py stands for all of it.
    keywords: Mapping[str, int] = field(default_factory=dict)
    #: Words for the indexes: "robust", "convex", "smooth", "proper", "probabilities", "logits", ...
    tags: tuple[str, ...] = ()
    #: The domains of the inputs where they depend on the parameters (a log link takes any real input).
    input_domains: Callable[[Mapping[str, Any]], tuple[Domain, ...]] | None = None
    #: Names of the inputs that a derivative is offered for, and those it is taken for by default.
    differentiable: tuple[str, ...] = ("input",)
    default_wrt: tuple[str, ...] = ("input",)
    has_hessian: bool = True
    reductions: tuple[str, ...] = ("mean", "sum", "none", "weighted_mean")
    #: What "mean" divides by: "count" (elements), "weight" (sum of `weight` when given, as torch's l1 and mse),
    #: "target_length" (each value by the length of its target, then the number of samples) "pairs" (of a
    #: list) or "item weights".
    mean_divisor: str = "count"
    #: True when the last axis is averaged before the reduction (multilabel_soft_margin_loss).
    averages_last_axis: bool = False
    #: Name of the kernel in pyx/, or a function of the parameters that gives (name, parameter values).
    kernel: str | Callable[[Mapping[str, Any]], tuple[str, tuple[float, ...]]] = ""
    #: Positional order after the inputs in torch.nn.functional and in torch.nn; empty: keywords only.
    function_order: tuple[str, ...] = ()
    class_order: tuple[str, ...] = ()
    #: Entries of the catalogue of conventions, e.g. ("L004",).
    entries: tuple[str, ...] = ()
    #: The range of the value, as text: "[0, inf)".
    value_range: str = "[0, inf)"

    def __repr__(self) -> str:
        return f"<LossInfo {self.name}: {self.summary}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A copy of a declaration in the table is the declaration itself, here and in another process."""
        from losslib.declaration import registry  # the table knows what is declared, not the other way round

        return (registry.info_of, (self.name,)) if registry.holds(self) else super().__reduce_ex__(protocol)

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.inputs)

    @cached_property
    def default_positions(self) -> tuple[int, ...]:
        """The positions of the inputs that derivatives are taken for by default."""
        return tuple(self.input_names.index(name) for name in self.default_wrt)

    @cached_property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.parameters)

    @cached_property
    def array_parameters(self) -> tuple[Array, ...]:
        return tuple(item for item in self.parameters if isinstance(item, Array))

    @cached_property
    def array_parameter_names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.array_parameters)

    def parameter(self, name: str) -> Parameter:
        """Return the declared parameter of this name."""
        for item in self.parameters:
            if item.name == name:
                return item
        raise KeyError(name)

    def resolve_kernel(self, values: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
        """Name the kernel that computes the loss with these parameter values, and its numbers in order."""
        if callable(self.kernel):
            return self.kernel(values)
        numbers = tuple(
            float(values[item.name])
            for item in self.parameters
            if isinstance(item, Real | Flag) and item.name != "check"
        )
        return self.kernel, numbers
