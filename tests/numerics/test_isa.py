"""Every instruction set that this processor runs gives the same answers; an impossible one is an error."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib
from formulas import LOSSES, label, settings
from losslib import _kernels

AVAILABLE = tuple(losslib.config()["isa_available"])

PROGRAM = """
import sys
import numpy as np
from formulas import CASES, LOSSES, as_dtype, function, label, modes, points, sample_inputs, settings

results = {}
for info, parameters in CASES:
    for dtype in (np.float32, np.float64):
        inputs = [array.reshape(-1, 2) for array in as_dtype(points(info, parameters, 1302), dtype)]
        value, grads, hessians = function(info).value_grad_hess(
            *inputs, reduction="none", wrt=info.differentiable, **parameters)
        total, plain = function(info).value_and_grad(*inputs, wrt=info.differentiable[0], **parameters)
        name = label(info, parameters) + " " + np.dtype(dtype).name
        for k, part in enumerate((value, *grads, *hessians, np.float64(total), plain)):
            results[f"{name} {k}"] = part
for info in LOSSES:
    for parameters in settings(info) if info.geometry != "pointwise" else ():
        for dtype in (np.float32, np.float64):
            inputs = [a if a.dtype.kind == "i" else a.astype(dtype) for a in sample_inputs(info, parameters)]
            finest = {"reduction": "none"} if "none" in info.reductions else {}
            parts = [function(info)(*inputs, **finest, **parameters)]
            parts += getattr(function(info), modes(info)[-1])(*inputs, wrt=info.differentiable[0], **parameters)
            for k, part in enumerate(parts):
                results[f"{label(info, parameters)} {np.dtype(dtype).name} {k}"] = part
np.savez(sys.argv[1], **results)
"""

#: Every setting of every loss.
LABELS = {label(info, parameters) for info in LOSSES for parameters in settings(info)}


def start(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process with its own environment variables."""
    inherited = {name: value for name, value in os.environ.items() if name != "LOSSLIB_ISA"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments], capture_output=True, text=True, timeout=120,
        env={**inherited, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]), **environment},
    )  # fmt: skip


@functools.cache
def results_of(name: str) -> dict[str, np.ndarray]:
    """Compute every loss with every setting under an instruction set."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "results.npz")
        done = start(PROGRAM, path, LOSSLIB_ISA=name)
        assert done.returncode == 0, done.stderr
        with np.load(path) as archive:
            return dict(archive)


@pytest.mark.parametrize("name", AVAILABLE)
def test_each_instruction_set_can_be_forced_and_is_reported(name: str) -> None:
    program = "import sys; sys.argv = ['losslib', 'info', '--json']; from losslib.cli import main; main()"
    done = start(program, LOSSLIB_ISA=name)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["isa"], facts["isa_forced"], facts["isa_available"]) == (name, True, list(AVAILABLE))
    assert f"{name} (forced by LOSSLIB_ISA)" in start("import losslib; losslib.show_config()", LOSSLIB_ISA=name).stdout


def test_without_the_variable_the_widest_instruction_set_is_taken() -> None:
    for environment in ({}, {"LOSSLIB_ISA": ""}):
        done = start("import losslib; c = losslib.config(); print(c['isa'], c['isa_forced'])", **environment)
        assert done.stdout.split() == [AVAILABLE[-1], "False"], done.stderr


@pytest.mark.parametrize("name", AVAILABLE)
def test_values_and_derivatives_agree_between_instruction_sets(name: str) -> None:
    """To a few ULP of the largest number of each array: contraction to fused multiply-add differs."""
    expected, found = results_of(AVAILABLE[-1]), results_of(name)
    assert found.keys() == expected.keys()
    assert {key.rsplit(" ", 2)[0] for key in found} == LABELS
    for key, part in expected.items():
        ulps = 64 * float(np.finfo(np.float32 if " float32 " in key else np.float64).eps)
        finite = part[np.isfinite(part)] if part.ndim else part
        size = float(np.abs(finite).max()) if finite.size else 1.0
        np.testing.assert_allclose(found[key], part, rtol=ulps, atol=ulps * size, err_msg=key)


@pytest.mark.skipif(not {"v3", "v4"} <= set(AVAILABLE), reason="needs a processor with AVX-512")
def test_v3_and_v4_agree_to_one_unit_in_the_last_place() -> None:
    """Sinkhorn's thirty rounds hand the last unit of neural_ndcg_loss on and on: sixteen units there."""
    # The same operations in the same order, but the compiler fuses multiply and add differently where a block ends.
    narrow, wide = results_of("v3"), results_of("v4")
    for key, part in narrow.items():
        computed_in = np.float32 if "float32" in str(key) else np.float64
        spacing = np.spacing(computed_in(np.max(np.abs(part[np.isfinite(part)]), initial=0.0)))
        units = 16 if str(key).startswith("neural_ndcg_loss") else 1
        np.testing.assert_allclose(part, wide[key], rtol=0, atol=units * spacing, equal_nan=True, err_msg=str(key))


@pytest.mark.parametrize("name", ["v5", "avx2", "V3", "baseline ", "../v3"])
def test_an_unknown_instruction_set_is_an_import_error(name: str) -> None:
    done = start("import losslib", LOSSLIB_ISA=name)
    assert done.returncode != 0
    assert f"ImportError: LOSSLIB_ISA={name!r} is not one of baseline, v3, v4" in done.stderr


def test_an_instruction_set_that_was_not_built_or_does_not_run_is_an_import_error(monkeypatch: Any) -> None:
    monkeypatch.setattr(_kernels, "_is_built", lambda name: name != "v4")
    with pytest.raises(ImportError, match="LOSSLIB_ISA='v4' was not built into this package; it has baseline, v3"):
        _kernels.choose("v4")
    monkeypatch.setattr(_kernels, "_is_built", lambda name: True)
    monkeypatch.setattr(_kernels.cpu, "supported", lambda: ("baseline",))
    with pytest.raises(ImportError, match="LOSSLIB_ISA='v3' does not run on this processor; it runs baseline"):
        _kernels.choose("v3")
    assert _kernels.choose(None) == "baseline"
    monkeypatch.setattr(_kernels, "_is_built", lambda name: name == "v4")
    with pytest.raises(ImportError, match="losslib was built for v4; this processor runs baseline"):
        _kernels.choose(None)


def test_every_built_instruction_set_has_the_kernels_of_the_index() -> None:
    program = """
from losslib import _kernels
from losslib._kernels.index import MODULES

print({name: module for module in sorted(set(MODULES.values())) for name in _kernels.load(module).kernels} == MODULES)
"""
    for name in AVAILABLE:
        assert start(program, LOSSLIB_ISA=name).stdout == "True\n"
