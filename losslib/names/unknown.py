"""Why a name is no loss, and which one may be meant."""

from __future__ import annotations

from collections.abc import Collection

from losslib.declaration.schema import closest
from losslib.errors import ParameterError
from losslib.names.binding import losses_of
from losslib.names.tables import PACKAGES, SYNONYMS, find, key_of, package, spellings, split

__all__ = ["no_package", "reason"]

#: Characters of a name that a message repeats.
SHOWN = 60


def reason(name: str, own: Collection[str]) -> str:
    """Say of a string that is none of losslib's own names what it is instead, and what to write."""
    if not name.strip():
        return f"the name of a loss is empty, got {name!r}; losslib.list_losses() shows all of them"
    if split(name) is not None:
        return _another_package(*split(name) or ("", ""))
    start = f"no loss is called {name[:SHOWN] + ('...' if len(name) > SHOWN else '')!r}"
    head, colon, tail = name.partition(":")
    if colon:
        family = [item for item in own if item.startswith(f"{head}:")]
        if head.strip() and family:  # such as reg:gamma, a name of losslib
            return f"{start}{closest(name, own)}; those with {head}: are {', '.join(family)}"
        here = f"; losslib's own names have no colon{closest(tail.strip(), own)}"
        return f"{start}: {no_package(head)}{here}"
    word, bracket, _ = name.partition("(")
    before, _, last = word.strip().rpartition(".")
    key = key_of(before.partition(".")[0] or word)
    if key in PACKAGES:
        title = package(key).title
        if not before:
            return f"{start}: it is a package; `losslib list {key}:` lists the names of {title} that losslib knows"
        hint = "" if last in spellings(key) else closest(last, spellings(key))
        return f"{start}: names of {title} are written {key}:{last}{hint}"
    near = f" (did you mean {last!r}?)" if last in own else closest(word, own)
    call = "; a name has no brackets, parameters follow it as keywords" if bracket else ""
    return f"{start}{near}{call}; losslib.list_losses() shows all of them"


def _another_package(key: str, name: str) -> str:
    """Say of a name of another package, where only losslib's own are taken, what it is here."""
    try:
        here = losses_of(find(key, name))
    except ParameterError as error:
        return str(error)
    return f"{key}:{name} is a name of {package(key).title}, and losslib's own are taken here" + (
        f": {' or '.join(here)}" if here else ""
    )


def no_package(head: str) -> str:
    """Say that what stands before a colon is no package."""
    if not head.strip():
        return f"there is no package before the colon; known are {', '.join(PACKAGES)}"
    return (
        f"losslib knows no package {head.strip()[:SHOWN]!r}{closest(head.strip(), (*PACKAGES, *SYNONYMS))}; "
        f"known are {', '.join(PACKAGES)}"
    )
