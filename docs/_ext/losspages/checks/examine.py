"""Execute everything that the pages state, and count it."""

from __future__ import annotations

import dataclasses
import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import losslib
from losslib.declaration import registry
from losslib.declaration.schema import LossInfo
from losspages.checks import row_losses, verify
from losspages.checks.equivalents import EquivalentResult, run_equivalent
from losspages.checks.facts import Facts
from losspages.formulas import javascript, row_formulas

#: Fields of a declaration that no page can do without.
REQUIRED = (
    "summary", "description", "formula", "notes", "use_when", "avoid_when", "pitfalls", "examples", "see_also",
    "references", "equivalents", "tags",
)  # fmt: skip


@dataclass
class PageFacts:
    """Everything that was executed for one page."""

    info: LossInfo
    formula: verify.FormulaCheck
    reductions: list[verify.ReductionRow]
    #: For each input the message about a value outside its domain; empty if every value is legal.
    outside: list[str]
    examples: int
    equivalents: list[EquivalentResult]
    #: Gradients compared with differences of the kernel's values, for losses whose formula leaves parameters out.
    differences: row_losses.GradientCheck | None = None
    #: Convexity and the like, measured for the defaults and every other setting.
    measured: list[Facts] = field(default_factory=list)
    #: The small picture for lists, as SVG.
    spark: str = ""

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what other processes have themselves: the declaration, and expressions."""
        formula = dataclasses.replace(self.formula, formulas=[])
        return {**self.__dict__, "info": self.info.name, "formula": formula}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"info": registry.info_of(state["info"])}


@dataclass
class Sections:
    """The sections of a page that each kind of loss writes in its own way."""

    figure: str
    #: The points of the picture as a table; empty where it is no curve.
    numbers: str
    formula: str
    inputs: str
    reductions: str


def examine_elements(info: LossInfo) -> PageFacts:
    """Execute the statements of a page about a loss of single elements."""
    verify.check_inputs(info, verify.shaped(info, verify.sample(info, {}, 4)))
    return PageFacts(
        info=info,
        formula=verify.check_formula(info),
        reductions=verify.check_reductions(info),
        outside=[verify.message_outside(info, k, {}) for k in range(len(info.inputs))],
        examples=verify.run_doctest(info.examples, info.name),
        equivalents=[run_equivalent(info, item) for item in info.equivalents],
    )


def examine_rows(info: LossInfo) -> PageFacts:
    """Execute the statements of a page about a loss of rows."""
    verify.check_inputs(info, row_losses.batch(info, 4, 3))
    return PageFacts(
        info=info,
        formula=row_formulas.check_formula(info),
        reductions=row_losses.check_reductions(info),
        outside=row_losses.messages_outside(info),
        examples=verify.run_doctest(info.examples, info.name),
        equivalents=[row_losses.run_equivalent(info, item) for item in info.equivalents],
        differences=row_losses.check_gradients(info),
    )


#: Geometry -> what executes the statements of its pages.
EXAMINERS: dict[str, Callable[[LossInfo], PageFacts]] = {
    "pointwise": examine_elements,
    "softmax": examine_rows,
    "margin": examine_rows,
    "distance": examine_rows,
}


def examiner_of(info: LossInfo) -> Callable[[LossInfo], PageFacts]:
    """Return what executes the statements of a loss's page, by its geometry or else by what every loss has."""
    return EXAMINERS.get(info.geometry) or EXAMINERS["other"]


def complaints_about_fields(info: LossInfo) -> Iterator[str]:
    """Yield what is missing in a declaration, and names in it that lead nowhere."""
    for name in REQUIRED:
        if not getattr(info, name):
            yield f"{info.name}: the field {name!r} of its declaration is empty"
    for name, _ in info.see_also:
        try:
            registry.lookup(name)
        except losslib.ParameterError:
            yield f"{info.name}: see_also names {name!r}, which is no loss"


def documented_texts(folder: Path) -> Iterator[tuple[str, str, str | None]]:
    """Yield the texts outside the losses that hold examples: pages, and docstrings of the public names."""
    for path in sorted(folder.rglob("*.rst")):
        parts = path.relative_to(folder).parts
        if not {"generated", "gallery", "_build"} & set(parts):
            yield path.read_text(), "/".join(parts), str(path)
    losses = {name for info in registry.all_losses() for name in (info.name, info.class_name)}
    for name in ("", *losslib.__all__):
        text = inspect.getdoc(getattr(losslib, name) if name else losslib) or ""
        if name not in losses and ">>>" in text:
            yield text, f"losslib.{name}".rstrip("."), None


# ---- the numbers ---------------------------------------------------------------------------------------------------


@dataclass
class Summary:
    """What the build has executed."""

    losses: int = 0
    settings: int = 0
    facts: int = 0
    numbers: Counter[str] = field(default_factory=Counter)
    largest: tuple[float, str] = (0.0, "")
    differences: int = 0
    largest_difference: tuple[float, str] = (0.0, "")
    denominators: int = 0
    examples: int = 0
    equivalents: Counter[str] = field(default_factory=Counter)
    unchecked: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    scripts: javascript.Check | None = None
    bindings: int = 0

    def count(self, facts: PageFacts) -> None:
        name, check = facts.info.name, facts.formula
        self.losses += 1
        self.facts += sum(value not in (None, "") for one in facts.measured for value in vars(one).values())
        self.settings += check.settings
        self.numbers += check.numbers
        self.largest = max(self.largest, (check.largest, name))
        if facts.differences is not None:
            self.differences += facts.differences.numbers
            self.largest_difference = max(self.largest_difference, (facts.differences.largest, name))
        self.denominators += sum(len(row.divisors) for row in facts.reductions)
        self.examples += facts.examples
        for result in facts.equivalents:
            if result.version:
                self.equivalents[f"{result.equivalent.package} {result.version}"] += 1
            elif result.equivalent.call:
                self.unchecked[result.equivalent.package] += 1

    def rows(self) -> list[tuple[str, Any]]:
        """Return the table that the build prints."""
        kinds = ", ".join(f"{self.numbers[what]} of the {what}" for what in ("value", "gradient", "Hessian"))
        return [
            ("losses", self.losses),
            ("formulas checked", f"{self.settings} settings; numbers: {kinds}"),
            ("largest deviation", f"{self.largest[0]:.1e} ({self.largest[1]})"),
            *self.script_rows(),
            ("gradients by differences", f"{self.differences} numbers"),
            ("largest deviation", f"{self.largest_difference[0]:.1e} ({self.largest_difference[1]})"),
            ("facts measured", f"{self.facts} (convex, smooth, slope, range, best constant, proper)"),
            ("denominators measured", self.denominators),
            ("doctests run", f"{self.examples} lines"),
            ("equivalents executed", _listed(self.equivalents)),
            ("equivalents not checked", _listed(self.unchecked)),
        ]

    def script_rows(self) -> list[tuple[str, Any]]:
        """Return what was compared of the formulas that browsers compute."""
        if self.scripts is None:
            return []
        done = self.scripts
        return [
            ("formulas as JavaScript", f"{done.losses} losses, {done.settings} settings, {done.points} points"),
            ("names as JavaScript", f"{self.bindings} calls of other packages"),
        ]


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{name}: {n}" for name, n in sorted(counter.items())) or "none"
