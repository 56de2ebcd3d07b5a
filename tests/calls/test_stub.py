"""The type stub of the package, which is written from the declarations."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import losslib

WRITER = Path(__file__).resolve().parents[2] / "tools" / "stubs.py"


@pytest.mark.skipif(not WRITER.exists(), reason="tools/ is not part of this distribution")
def test_the_stub_is_what_the_declarations_say() -> None:
    spec = importlib.util.spec_from_file_location("stubs", WRITER)
    assert spec is not None
    assert spec.loader is not None
    stubs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stubs)
    installed = Path(losslib.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
    assert installed == stubs.text(), "run python tools/stubs.py"
