"""What is written from the sources: the type stub of the package, the index of names and that of the kernels."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import losslib

WRITER = Path(__file__).resolve().parents[2] / "tools" / "stubs.py"


@pytest.fixture(scope="module")
def stubs() -> ModuleType:
    if not WRITER.exists():
        pytest.skip("tools/ is not part of this distribution")
    spec = importlib.util.spec_from_file_location("stubs", WRITER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stub_is_what_the_declarations_say(stubs: ModuleType) -> None:
    installed = Path(losslib.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
    assert installed == stubs.text(), "run python tools/stubs.py"


def test_the_index_knows_every_name_of_every_loss_and_the_module_that_declares_it(stubs: ModuleType) -> None:
    installed = Path(losslib.__file__).with_name("declaration") / "index.py"
    assert installed.read_text(encoding="utf-8") == stubs.index(), "run python tools/stubs.py"


def test_the_index_of_the_kernels_names_what_the_families_register(stubs: ModuleType) -> None:
    installed = Path(losslib.__file__).parent / "_kernels" / "index.py"
    assert installed.read_text(encoding="utf-8") == stubs.kernels(), "run python tools/stubs.py"


def test_every_public_name_is_found_listed_and_completed() -> None:
    for name in losslib.__all__:
        assert getattr(losslib, name) is not None
    assert set(losslib.__all__) <= set(dir(losslib))
    with pytest.raises(AttributeError, match="no attribute 'hubber_loss'"):
        losslib.hubber_loss  # noqa: B018
