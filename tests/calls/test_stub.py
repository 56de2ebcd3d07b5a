"""What is written from the sources: the type stub of the package, the index of names and that of the kernels."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import losslib
from losslib import _kernels

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


BUILT = sorted(
    {
        file.name.partition(".")[0]
        for folder in (Path(_kernels.__file__).parent / name for name in _kernels.KNOWN)
        for file in folder.iterdir()
        if file.suffix in (".so", ".pyd")
    }
)


@pytest.mark.parametrize("name", BUILT)
def test_the_stub_of_a_compiled_module_has_its_names_and_arguments(name: str) -> None:
    stub = Path(_kernels.__file__).parent / "baseline" / f"{name}.pyi"
    written: dict[str, Any] = {}
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            written[node.name] = [item.arg for item in (*node.args.args, *node.args.kwonlyargs)]
        elif isinstance(node, ast.ClassDef):
            written[node.name] = None
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            written[node.target.id] = None
    compiled = {
        key: None if isinstance(value, type) or not callable(value) else list(inspect.signature(value).parameters)
        for key, value in vars(_kernels.load(name)).items()
        if not key.startswith("_") and not inspect.ismodule(value)
    }
    assert written == compiled


def test_every_public_name_is_found_listed_and_completed() -> None:
    for name in losslib.__all__:
        assert getattr(losslib, name) is not None
    assert set(losslib.__all__) <= set(dir(losslib))
    with pytest.raises(AttributeError, match="no attribute 'hubber_loss'"):
        losslib.hubber_loss  # noqa: B018
