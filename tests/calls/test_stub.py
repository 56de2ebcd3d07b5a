"""The files that are written from the declarations and from the sources: the type stub, the index of the kernels."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import losslib

WRITER = Path(__file__).resolve().parents[2] / "tools" / "stubs.py"


@pytest.fixture(name="stubs")
def writer() -> Any:
    if not WRITER.exists():
        pytest.skip("tools/ is not part of this distribution")
    spec = importlib.util.spec_from_file_location("stubs", WRITER)
    assert spec is not None
    assert spec.loader is not None
    stubs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stubs)
    return stubs


def test_the_stub_is_what_the_declarations_say(stubs: Any) -> None:
    installed = Path(losslib.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
    assert installed == stubs.text(), "run python tools/stubs.py"


def test_the_index_names_what_the_sources_register(stubs: Any) -> None:
    installed = Path(losslib.__file__).parent / "_kernels" / "index.py"
    assert installed.read_text(encoding="utf-8") == stubs.index(), "run python tools/stubs.py"
