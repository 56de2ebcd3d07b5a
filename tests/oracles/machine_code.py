"""Reads machine code: where the kernels of a module are, the loops of a function, whether a loop is vectorised."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections import defaultdict
from itertools import pairwise
from types import ModuleType
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# The registers of full width; in the baseline they hold two float64.
REGISTERS = {"baseline": "xmm", "v3": "ymm", "v4": "zmm"}

# How many arrays each kind of kernel writes, in the order of the table in pyx/job.pxd. The last, which writes seven
# and is taken for derivatives that are seldom asked for, may be as slow as it likes.
OUTPUTS = {
    "value": 1,
    "gradient": 1,
    "value and gradient": 2,
    "value, gradient and Hessian": 3,
    "value and two gradients": 3,
}


class KernelSet(ctypes.Structure):
    """The struct of that name in pyx/job.pxd."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("inputs", ctypes.c_int),
        ("cost", ctypes.c_double),
        ("float32", ctypes.c_void_p * (len(OUTPUTS) + 1)),
        ("float64", ctypes.c_void_p * (len(OUTPUTS) + 1)),
    )


class LoadedFile(ctypes.Structure):
    """Dl_info of the C library."""

    _fields_ = (
        ("path", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


class Instruction(NamedTuple):
    text: str
    following: tuple[int, ...]  # the addresses of those that may come next


def functions(module: ModuleType) -> dict[tuple[str, str, str], int]:
    """Return loss, type and kind -> address in memory, for all kernels that a family has registered."""
    signature = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    pointer_of = signature(("PyCapsule_GetPointer", ctypes.pythonapi))
    found = {}
    for name, capsule in module.kernels.items():
        entry = KernelSet.from_address(pointer_of(capsule, b"losslib.kernel_set"))
        # The struct above is still that of job.pxd.
        assert (ctypes.string_at(entry.name).decode(), entry.inputs in (2, 3), entry.cost > 0) == (name, True, True)
        for dtype in ("float32", "float64"):
            for kind, address in zip(OUTPUTS, getattr(entry, dtype), strict=False):
                if address or kind != "value and two gradients":
                    found[name, dtype, kind] = address
    return found


def disassembly(address: int) -> dict[int, Instruction]:
    """Return address in memory -> instruction, for the whole module that an address lies in."""
    found = LoadedFile()
    assert ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(found))
    listing = subprocess.run(
        ["objdump", "--disassemble", "--no-show-raw-insn", found.path.decode()],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    lines = [(int(at, 16) + found.base, text) for at, text in re.findall(r"^ +(\w+):\t(.+)", listing, re.MULTILINE)]
    code = {}
    for (at, text), (behind, _) in pairwise(lines):
        following: tuple[int, ...] = (behind,)
        if jump := re.match(r"(?:\w+ )?j(mp)?\w*\s+(?:0x)?([0-9a-f]+)\b", text):
            target = int(jump[2], 16) + found.base
            following = (target,) if jump[1] else (target, behind)
        elif re.match(r"(\w+ )?(ret|jmp|ud2|hlt)", text):
            following = ()
        code[at] = Instruction(text, following)
    return code


def function(code: dict[int, Instruction], start: int) -> dict[int, Instruction]:
    """Return the instructions that a function may reach, calls of others left out."""
    reached = {}
    ahead = [start]
    while ahead:
        at = ahead.pop()
        if at not in reached:
            reached[at] = code[at]
            ahead += code[at].following
    return reached


def loops(code: dict[int, Instruction]) -> list[list[str]]:
    """Return the instructions of each loop in a function: those that lead to each other."""
    place = {at: k for k, at in enumerate(code)}
    edges = [(k, place[at]) for k, instruction in enumerate(code.values()) for at in instruction.following]
    graph = coo_array((np.ones(len(edges)), np.transpose(edges)), shape=(len(code), len(code)))
    bodies = defaultdict(list)
    for label, instruction in zip(connected_components(graph, connection="strong")[1], code.values(), strict=True):
        bodies[label].append(instruction.text)
    return [body for body in bodies.values() if len(body) > 1]


def is_vectorised(body: list[str], register: str, outputs: int) -> bool:
    """Whether a loop stores whole registers into every output, calls nothing and computes no number by itself."""
    # What a loop puts aside for want of registers goes on the stack.
    store = re.compile(rf"v?mov([au]p[sd]|ntp[sd]|dq[au]\d*|ntdq)\s+%{register}\d+,(?!.*\(%rsp|-\w+\(%rbp\))[^%]*\(")
    # Clang compares a parameter in each round; the integers of a vector begin with p.
    alone = re.compile(r"(?!v?(mov|broadcast|p|u?comi))\w+s[sd]\s|(\w+ )?call")
    return sum(bool(store.match(text)) for text in body) >= outputs and not any(map(alone.match, body))
