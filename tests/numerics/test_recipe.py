"""The recipe in docs/develop/adding_a_loss.rst: its example, pasted, builds, vectorises and computes what it says."""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

import native
from machine_code import OUTPUTS, REGISTERS, disassembly, function, functions, is_vectorised, loops

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "develop" / "adding_a_loss.rst"
WIDEST = [name for name in native.INSTRUCTION_SETS if native.runs_here(name)][-1]

pytestmark = [
    pytest.mark.skipif(not PAGE.exists() or not (ROOT / "pyx").exists(), reason="reads the sources"),
    pytest.mark.skipif(importlib.util.find_spec("Cython") is None, reason="needs Cython"),
    pytest.mark.skipif(sys.platform != "linux", reason="links as Linux does"),
]

# In a process of its own, so that the registry of this one does not change.
CALL = """
import importlib.machinery, importlib.util, sys
import numpy as np
import losslib
from losslib import _kernels
from losslib.losses.robust import *
from losslib.losses.robust import BOTH, INPUT, SYMBOLS, TARGET, Real, pointwise

spec = importlib.util.spec_from_file_location("robust", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
_kernels.kernel = module.kernels.__getitem__
exec(sys.argv[2])
x, t = np.random.default_rng(7).normal(0.0, 3.0, (2, 1003))
d, c = x - t, 1.5
inside = np.abs(d) <= c
value, grad, hess = talwar_loss.value_grad_hess(x, t, c=c, reduction="none")
np.testing.assert_allclose(value, np.where(inside, d**2, c**2) / 2, rtol=1e-15)
np.testing.assert_allclose(grad, np.where(inside, d, 0.0), rtol=1e-15)
np.testing.assert_array_equal(hess, np.where(inside, 1.0, 0.0))
grads = talwar_loss.grad(x, t, c=c, reduction="sum", wrt=("target", "input"))
np.testing.assert_array_equal(grads[0], -grads[1])
np.testing.assert_array_equal(grads[1], grad)
"""


def block(language: str) -> str:
    """Return the first block of code in this language, without its indentation."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    assert found is not None, f"the page has no {language}"
    return textwrap.dedent(found[1])


def paste(text: str, line: str, added: str) -> str:
    """Return a text with lines added behind one of its own."""
    assert text.count(f"{line}\n") == 1, line
    return text.replace(f"{line}\n", f"{line}\n{added}\n")


@functools.cache
def family(folder: Path) -> Path:
    """Paste the example into a copy of the family, compile that, and return the module."""
    shutil.copytree(ROOT / "include", folder / "include")
    shutil.copytree(ROOT / "pyx", folder / "pyx")
    header = folder / "include" / "losslib" / "pointwise" / "robust.h"
    end = "}  // namespace losslib"
    header.write_text(header.read_text(encoding="utf-8").replace(end, f"{block('cpp')}\n{end}"), encoding="utf-8")
    source = folder / "pyx" / "pointwise" / "robust.pyx"
    text = source.read_text(encoding="utf-8")
    declared, member, entry = block("cython").strip().split("\n\n")
    for lines in (declared, member):
        first, added = lines.split("\n")
        text = paste(text, first, added)
    source.write_text(f"{text}{entry}\n", encoding="utf-8")

    translated = folder / "robust.cpp"
    directives = [f"-X{name}" for name in ("boundscheck=False", "wraparound=False", "cdivision=True")]
    run(sys.executable, "-m", "cython", "-3", "--cplus", f"-I{folder / 'pyx'}", *directives, source, "-o", translated)
    module = folder / f"robust{sysconfig.get_config_var('EXT_SUFFIX')}"
    flags = ["-std=c++17", "-fPIC", "-shared", *native.COMMON_FLAGS, *native.INSTRUCTION_SETS[WIDEST]]
    includes = [f"-I{folder / 'include'}", f"-I{sysconfig.get_path('include')}"]
    if WIDEST == "v4":
        flags.append("-mprefer-vector-width=512")  # as in setup.py
    run(*native.compiler(), *flags, *includes, translated, "-o", module)
    return module


def run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stderr}"


@pytest.fixture(name="module", scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family(tmp_path_factory.mktemp("recipe"))


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("robust", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(
    platform.machine() != "x86_64" or shutil.which("objdump") is None, reason="reads the code of x86-64 with objdump"
)
def test_the_example_of_the_recipe_is_vectorised(module: Path) -> None:
    kernels = {key: at for key, at in functions(loaded(module)).items() if key[0] == "Talwar"}
    assert len(kernels) == 2 * (len(OUTPUTS) - 1)  # no second prediction
    code = disassembly(next(iter(kernels.values())))
    for key, start in kernels.items():
        bodies = loops(function(code, start))
        assert any(is_vectorised(body, REGISTERS[WIDEST], OUTPUTS[key[-1]]) for body in bodies), key


def test_the_example_of_the_recipe_computes_what_it_says(module: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CALL, str(module), block("python")],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
