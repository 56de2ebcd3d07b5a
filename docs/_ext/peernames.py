"""Tables of the names of other packages, from the bindings that `losslib.get` uses."""

from __future__ import annotations

from rst import escape, table

from losslib.names.schema import Binding
from losslib.names.tables import package
from losslib.names.text import bound_to, refusals, signature

__all__ = ["table_of"]


def table_of(key: str) -> str:
    """Return the names of a package with what they are here and what has no counterpart."""
    found = package(key)
    rows = [[_there(binding), _here(key, binding), _refused(binding)] for binding in found.bindings]
    notes = "\n\n".join(found.notes)
    return f"{notes}\n\n" + table(["there", "here", "refused"], rows, "34 36 30", "loss-names")


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
