"""Compile small C++ programs against the headers in include/, so that tests can call them through ctypes."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[2] / "include"

# What the extension modules are compiled with, apart from the instruction set.
COMMON_FLAGS = ("-O3", "-fno-math-errno", "-fno-trapping-math")

_IS_X86_64 = platform.machine().lower() in {"x86_64", "amd64"}

# Instruction set -> flags, the slowest first. Contraction to fma is on where the instruction exists.
INSTRUCTION_SETS: dict[str, tuple[str, ...]] = (
    {
        "baseline": ("-march=x86-64-v2", "-ffp-contract=off"),
        "v3": ("-march=x86-64-v3", "-ffp-contract=fast"),
        "v4": ("-march=x86-64-v4", "-ffp-contract=fast"),
    }
    if _IS_X86_64
    else {"baseline": ("-ffp-contract=off",), "contracted": ("-ffp-contract=fast",)}
)

_CPU_FEATURES = {
    "v3": ("avx", "avx2", "bmi", "bmi2", "fma"),
    "v4": ("avx", "avx2", "bmi", "bmi2", "fma", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
}


class CompilerNotFoundError(RuntimeError):
    """There is no C++ compiler to build the test programs with."""


class CompileError(RuntimeError):
    """The compiler rejected a test program."""


@functools.cache
def _directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="losslib-tests-")


def compiler() -> list[str]:
    """Return the C++ compiler as a command: $CXX if set, otherwise the first of c++, g++ and clang++."""
    candidates = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    for candidate in candidates:
        command = shlex.split(candidate)
        if shutil.which(command[0]):
            return command
    raise CompilerNotFoundError(
        f"these tests compile C++ and need a compiler; none of {', '.join(candidates)} was found. "
        "Install one or set CXX."
    )


@functools.cache
def build(source: str, flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    """Compile C++17 `source` into a shared library and load it, once per run for equal arguments."""
    command = [*compiler(), "-std=c++17", "-Wall", "-Wextra", *flags, "-fPIC", "-shared", f"-I{INCLUDE}"]
    name = hashlib.sha256("\0".join([*command, source]).encode()).hexdigest()[:16]
    program = Path(_directory().name) / f"{name}.cpp"
    library = program.with_suffix(".so")
    program.write_text(source, encoding="utf-8")
    run = subprocess.run([*command, str(program), "-o", str(library)], capture_output=True, text=True)
    if run.returncode:
        raise CompileError(f"{shlex.join(command)} failed:\n{run.stderr}")
    return ctypes.CDLL(str(library))


@functools.cache
def runs_here(instruction_set: str) -> bool:
    """Whether this CPU (and operating system) can execute code built for an entry of INSTRUCTION_SETS."""
    features = _CPU_FEATURES.get(instruction_set)
    if not features:
        return True
    condition = " && ".join(f'__builtin_cpu_supports("{feature}")' for feature in features)
    source = f'extern "C" int supported() {{ __builtin_cpu_init(); return {condition}; }}\n'
    return bool(build(source).supported())
