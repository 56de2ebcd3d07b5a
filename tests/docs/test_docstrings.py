"""Docstrings are numpydoc's, as its own validation understands them."""

from __future__ import annotations

import pytest
from numpydoc.validate import validate

import losslib

LOSSES = sorted(name for info in losslib.list_losses() for name in (info.name, info.class_name))
OTHERS = sorted(set(losslib.__all__) - set(LOSSES) - {"__version__"})

#: See also: differences in words, which are no sentences; and summaries that need a second line.
STYLE = {"SA02", "SA03", "SS06"}
#: Sections that an error class or a context manager does without; the fields of LossInfo are described in place.
OPTIONAL = {"ES01", "SA01", "EX01", "YD01", "PR01"}


def complaints(name: str, allowed: set[str]) -> list[str]:
    return [f"{code}: {text}" for code, text in validate(f"losslib.{name}")["errors"] if code not in allowed]


@pytest.mark.parametrize("name", LOSSES)
def test_docstring_of_a_loss_is_complete(name: str) -> None:
    assert complaints(name, STYLE) == []


@pytest.mark.parametrize("name", OTHERS)
def test_docstring_of_the_rest_is_well_formed(name: str) -> None:
    assert complaints(name, STYLE | OPTIONAL) == []
