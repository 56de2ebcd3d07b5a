"""What a table of another package's names is made of.

A `Binding` is one function of the package: its spellings, its own parameters with its own defaults, and its `Case`
entries, the losslib losses with the same numbers, of which the values of the parameters choose one. What has no exact
counterpart is stated as `Refused` or by `Only`, with what to write in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "REQUIRED", "Binding", "Case", "Chooses", "Ignored", "Joins", "Only", "Package", "Parameter", "Reduces", "Takes",
]  # fmt: skip


class _Required:
    """The default of a parameter that has none there."""

    def __repr__(self) -> str:
        return "required"


REQUIRED = _Required()


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter of the other package with its default there."""

    default: Any = None


@dataclass(frozen=True, eq=False)
class Takes(Parameter):
    """A parameter that losslib has too, under this or another name, perhaps after a conversion."""

    to: str = ""
    convert: Callable[[Any], Any] | None = None
    #: The conversion in words, such as "None is -100".
    meaning: str = ""


@dataclass(frozen=True, eq=False)
class Only(Parameter):
    """A parameter of which only some values have a counterpart."""

    #: What another value does there, and what to write here in its place.
    reason: str = ""
    #: The values beside the default.
    also: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Chooses(Parameter):
    """A parameter whose value chooses the `Case`; the losslib loss that is chosen has no such parameter."""


@dataclass(frozen=True, eq=False)
class Joins(Parameter):
    """A parameter of which, together with others, `Case.makes` makes parameters of the losslib loss."""

    #: What it is here, in words.
    meaning: str = ""
    #: The values that have no counterpart, with the reason; "" if all have.
    refused: str = ""


@dataclass(frozen=True, eq=False)
class Ignored(Parameter):
    """A parameter without any effect on value and gradient, such as a name."""


@dataclass(frozen=True, eq=False)
class Reduces(Parameter):
    """The reduction: the package's words and losslib's. A word that is refused maps to its reason after ``!``."""

    words: Mapping[Any, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Case:
    """A losslib loss with the numbers of the other package's function, for some values of its parameters."""

    #: The function name of the loss.
    loss: str = ""
    #: The values of `Chooses` parameters for which this is the case; the first case that fits is taken.
    when: Mapping[str, Any] = field(default_factory=dict)
    #: Parameters of the losslib loss that are constants of the other package.
    sets: Mapping[str, Any] = field(default_factory=dict)
    #: What makes parameters of the losslib loss of the values there; it raises a ParameterError that gives the reason
    #: where they have no counterpart.
    makes: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    #: Parameters there that play no part in this case.
    without: tuple[str, ...] = ()
    #: Parameters of losslib that are called otherwise in this case.
    renames: Mapping[str, str] = field(default_factory=dict)
    factor: float = 1.0
    #: Input name -> the interval that it is clipped to first.
    clip: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    #: Names of the inputs whose logarithm the loss is given, after the clips.
    log: tuple[str, ...] = ()
    #: "mean" or "sum": the elements are averaged or added over `axes` before the reduction; "" if they are not.
    rows: str = ""
    #: "last", or "samples" for all axes but the first.
    axes: str = "last"
    #: The reduction of a function that has no such parameter.
    reduction: str = "none"
    #: In place of a loss: what differs, and what to write.
    refused: str = ""
    #: What a reader has to know, such as the labels that it takes.
    note: str = ""


@dataclass(frozen=True, eq=False)
class Binding:
    """One function of another package."""

    #: Its spellings there; the first stands for it in messages and pages.
    names: tuple[str, ...]
    cases: tuple[Case, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    #: How it is called there, over x (input) and t (target), where that is not ``name(parameters)(x, t)``.
    note: str = ""

    @property
    def name(self) -> str:
        return self.names[0]


@dataclass(frozen=True, eq=False)
class Package:
    """The names of one package."""

    key: str
    title: str
    bindings: tuple[Binding, ...]
    #: What may stand before a name: the modules that it is found in.
    prefixes: tuple[str, ...] = ()
    #: The order of the arguments there, in its own words; "" where it is (input, target).
    order: str = ""
    #: Paragraphs for the pages.
    notes: tuple[str, ...] = ()
