"""Tables of the names of other packages, from the bindings that `losslib.get` uses."""

from __future__ import annotations

import ast
import functools
import json
from pathlib import Path
from typing import Any

from losslib.declaration.schema import Equivalent
from losslib.names.schema import Binding
from losslib.names.tables import package
from losslib.names.text import bound_to, refusals, signature
from losspages.rst import escape, table

__all__ = ["compared_by_tests", "table_of"]


def table_of(key: str) -> str:
    """Return the names of a package with what they are here and what has no counterpart."""
    found, measured = package(key), compared().get(key)
    notes = "\n\n".join(found.notes)
    header, widths = ["there", "here", "refused"], "34 36 30"
    rows = [[_there(binding), _here(key, binding), _refused(binding)] for binding in found.bindings]
    if measured is not None:
        notes += (
            f"\n\nCompared with {found.title} {measured['version']}: the number of combinations of parameters, and the "
            "largest deviations of value and gradient, relative to numbers of at least 1."
        )
        header, widths = [*header, "compared"], "30 32 24 14"
        for row, binding in zip(rows, found.bindings, strict=True):
            row.append(_compared(binding, measured["names"]))
    return f"{notes}\n\n" + table(header, rows, widths, "loss-names")


@functools.cache
def compared() -> dict[str, Any]:
    """Return what the test of the names has found, as it was last written: see tests/peers/named_report.py."""
    found: dict[str, Any] = json.loads((Path(__file__).parents[3] / "agreement.json").read_text())
    return found


def _compared(binding: Binding, names: dict[str, list[float]]) -> str:
    """Write cases and deviations of the spellings of a function together."""
    found = [names[name] for name in binding.names if name in names]
    if not found:
        return "–"
    cases = int(sum(row[0] for row in found))
    value, gradient = (max(row[k] for row in found) for k in (1, 2))
    return f"{cases} cases, value {value:.0e}, gradient {gradient:.0e}"


#: The tests that recover gradients and Hessians from trees, as they show none, and their lists of cases.
_TRAINED = [Path(__file__).parents[4] / "tests" / "peers" / f"test_names_{of}.py" for of in ("boosters", "orders")]
_CASES = {"xgboost": "XGBOOST", "lightgbm": "LIGHTGBM"}


def compared_by_tests(equivalent: Equivalent) -> bool:
    """True if ``make test-peers`` compares the name that a row is about with what its package trains."""
    name = equivalent.name
    if equivalent.package == "catboost":  # it computes values, whose differences are compared
        named = (item for item in package("catboost").bindings if name.partition(":")[0] in item.names)
        return any(not case.refused for item in named for case in item.cases)
    return name in trained_names().get(equivalent.package, ())


@functools.cache
def trained_names() -> dict[str, set[str]]:
    """Return the objectives that the test has a case for, by package."""
    found: dict[str, set[str]] = {cases: set() for cases in _CASES.values()}
    for node in (node for path in _TRAINED for node in ast.parse(path.read_text()).body):
        named = node.target.id if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else ""
        if named in found and node.value is not None:  # type: ignore[attr-defined]  # of a typed assignment
            found[named] |= {name for name, *_ in ast.literal_eval(node.value)}  # type: ignore[attr-defined]
    return {package: found[cases] for package, cases in _CASES.items()}


def _there(binding: Binding) -> str:
    also = "".join(f", ``{name}``" for name in binding.names[1:])
    return f"``{binding.name}({signature(binding)})``{also}"


def _here(key: str, binding: Binding) -> str:
    parts = []
    for case in binding.cases:
        if case.refused:
            continue
        when = ", ".join(f"{name}={value!r}" for name, value in case.when.items())
        note = f" {escape(case.note)}" if case.note else ""
        parts.append(f"``{bound_to(case)}``" + (f" for ``{when}``" if when else "") + f".{note}")
    return " ".join(parts) or "–"


def _refused(binding: Binding) -> str:
    return " ".join(f"``{what}``: {escape(reason)}." for what, reason in refusals(binding)) or "–"
