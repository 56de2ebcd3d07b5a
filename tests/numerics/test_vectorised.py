"""The loops of the pointwise kernels are vectorised: seen in the machine code of the modules that are tested.

The compiler may stop vectorising a loop after a harmless change of its C++; results stay right and take several times
as long. So each function in the table of kernels is looked up in the disassembly of its module, and one loop in it has
to do all the work in registers of full width. This needs no clock, and no symbols, which a wheel lacks. With GCC 12 and
Clang 22 no kernel is an exception.
"""

from __future__ import annotations

import importlib
import platform
import shutil
import sys

import pytest

import losslib
from losslib._kernels.index import MODULES
from machine_code import OUTPUTS, REGISTERS, disassembly, function, functions, is_vectorised, loops

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64", reason="reads the code of x86-64 on Linux"
    ),
    pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump, which belongs to binutils"),
]


@pytest.mark.parametrize("family", sorted(set(MODULES.values())))
@pytest.mark.parametrize("isa", REGISTERS)
def test_every_pointwise_kernel_is_vectorised(isa: str, family: str) -> None:
    if isa not in losslib.config()["isa_available"]:
        pytest.skip(f"{isa} was not built into this package, or does not run on this processor")
    kernels = functions(importlib.import_module(f"losslib._kernels.{isa}.{family}"))
    code = disassembly(next(iter(kernels.values())))
    scalar = [
        " ".join(kernel)
        for kernel, start in kernels.items()
        if not any(is_vectorised(body, REGISTERS[isa], OUTPUTS[kernel[-1]]) for body in loops(function(code, start)))
    ]
    assert not scalar, f"{len(scalar)} of {len(kernels)} loops are not vectorised:\n" + "\n".join(scalar)
