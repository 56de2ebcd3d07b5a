"""What a name of another package is here, as text: for ``losslib describe``, ``losslib list`` and the pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from losslib.errors import ParameterError
from losslib.names.binding import bind, losses_of, write
from losslib.names.schema import REQUIRED, Binding, Case, Chooses, Ignored, Joins, Only, Parameter, Reduces, Takes
from losslib.names.tables import PACKAGES, package

__all__ = ["all_names", "bound_to", "describe", "list_names", "parameter_text", "refusals", "rows_of", "signature"]


def signature(binding: Binding) -> str:
    """Write the parameters of a function as its package declares them."""
    return ", ".join(
        name if item.default is REQUIRED else f"{name}={item.default!r}" for name, item in binding.parameters.items()
    )


def parameter_text(name: str, item: Parameter) -> str:
    """Say what a parameter of another package is here."""
    if isinstance(item, Takes):
        here = item.to or name
        text = "the same here" if here == name else f"{here} here"
        return f"{text}; {item.meaning}" if item.meaning else text
    if isinstance(item, Joins):
        return f"{item.meaning}; {item.refused}" if item.refused else item.meaning
    if isinstance(item, Only):
        values = ", ".join(repr(value) for value in (item.default, *item.also))
        return f"{values} only: {item.reason}"
    if isinstance(item, Reduces):
        words = [f"{word!r} is {ours!r}" for word, ours in item.words.items() if not ours.startswith("!")]
        refused = [f"{word!r} is refused: {ours[1:]}" for word, ours in item.words.items() if ours.startswith("!")]
        return "; ".join([", ".join(words), *refused])
    if isinstance(item, Chooses):
        return "chooses the loss"
    return "has no effect on the numbers" if isinstance(item, Ignored) else ""


def bound_to(case: Case) -> str:
    """Write what a case is: the loss, its constants, and the frame around it."""
    constants = ", ".join(f"{name}={value!r}" for name, value in case.sets.items())
    text = f"{case.loss}({constants})" if constants else case.loss
    if case.factor != 1.0:
        text = f"{case.factor:g} * {text}"
    frame = [f"log({name})" for name in case.log]
    frame += [f"{name} clipped to [{low:g}, {high:.8g}]" for name, (low, high) in case.clip.items()]
    if case.rows:
        frame.append(f"{case.rows} over {'the last axis' if case.axes == 'last' else 'all axes but the first'}")
    return f"{text}, {', '.join(frame)}" if frame else text


def _when(case: Case) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in case.when.items())


def refusals(binding: Binding) -> Iterator[tuple[str, str]]:
    """Yield what has no exact counterpart, and the reason with what to write."""
    for case in binding.cases:
        if case.refused:
            yield _when(case) or ("otherwise" if len(binding.cases) > 1 else "always"), case.refused
    for name, item in binding.parameters.items():
        if isinstance(item, Only):
            yield f"{name} other than {item.default!r}", item.reason
        if isinstance(item, Joins) and item.refused:
            yield name, item.refused
        if isinstance(item, Reduces):
            for word, ours in item.words.items():
                if ours.startswith("!"):
                    yield f"{name}={word!r}", ours[1:]


def default_object(key: str, binding: Binding) -> str:
    """Write the loss at the defaults of the package; empty where there is none."""
    needed: Mapping[str, Any] = {
        name: next((case.when[name] for case in binding.cases if name in case.when), 2.0)
        for name, item in binding.parameters.items()
        if item.default is REQUIRED
    }
    if needed and any(value == 2.0 for value in needed.values()):
        return ""
    try:
        return repr(bind(key, binding, needed))
    except ParameterError:
        return ""


def describe(key: str, binding: Binding) -> list[tuple[str, str]]:
    """Return (title, text) pairs that say all about a name of another package."""
    table = package(key)
    lines = [("", f"{key}:{binding.name}"), ("package", table.title)]
    if len(binding.names) > 1:
        lines.append(("also", ", ".join(binding.names[1:])))
    lines.append(("there", f"{binding.name}({signature(binding)})"))
    for case in binding.cases:
        where = f"for {_when(case)}: " if case.when else ""
        lines.append(("refused" if case.refused else "here", where + (case.refused or bound_to(case))))
        if case.note:
            lines.append(("", case.note))
    default = default_object(key, binding)
    if default:
        lines.append(("default", f"{write(key, binding)} is {default}"))
    lines += [("parameter", f"{name}: {parameter_text(name, item)}") for name, item in binding.parameters.items()]
    order = f", not {table.order} as there" if table.order else ""
    losses = losses_of(binding)
    if losses:
        lines.append(
            ("order", f"called with losslib's order{order}: see `losslib describe {losses[0]}` for the inputs")
        )
    return lines


def rows_of(key: str) -> Iterator[tuple[str, str]]:
    """Yield the names of a package with what they are here."""
    for binding in package(key).bindings:
        texts = [bound_to(case) for case in binding.cases if not case.refused]
        yield f"{key}:{binding.name}", " or ".join(dict.fromkeys(texts)) or "refused: no exact counterpart"


def list_names(key: str) -> str:
    """Return the names of a package, a line each."""
    listed = list(rows_of(key))
    width = max(len(name) for name, _ in listed)
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in listed)


def all_names() -> list[str]:
    """Return every qualified name, for the completion of shells."""
    return [f"{key}:{binding.name}" for key in PACKAGES for binding in package(key).bindings]
