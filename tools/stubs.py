"""Writes losslib/__init__.pyi, losslib/declaration/index.py and losslib/_kernels/index.py.

The functions and classes are made from their declarations, which no static checker can follow: the stub shows editors
every signature. The indexes say which module declares a name and which holds a kernel, so that it is imported when that
is first used. Run with the package built: ``python tools/stubs.py`` rewrites the files, ``--check`` fails if one is out
of date.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import re
import sys
from pathlib import Path

from losslib import losses
from losslib.declaration import registry
from losslib.declaration.modes import ARGUMENTS
from losslib.declaration.schema import Array, Choice, Flag, Indices, Input, Integer, LossInfo, Parameter, Real
from losslib.declare import LossFunction

PACKAGE = Path(__file__).resolve().parents[1] / "losslib"
STUB, INDEX = PACKAGE / "__init__.pyi", PACKAGE / "declaration" / "index.py"

POINTWISE, KERNELS = PACKAGE.parent / "pyx" / "pointwise", PACKAGE / "_kernels" / "index.py"

INDEX_HEADER = '"""Which module of losslib.losses declares which names; written by tools/stubs.py, do not edit."""\n\n'

KERNELS_HEADER = '"""Which module holds the kernels of a pointwise loss; written by tools/stubs.py, do not edit."""\n\n'

HEADER = """\
# Written by tools/stubs.py from the declarations; do not edit.
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from losslib import adapters as adapters
from losslib._kernels.loss import Loss as Loss
from losslib._version import __version__ as __version__
from losslib.alignment import ctc_forced_align as ctc_forced_align
from losslib.alignment import ctc_greedy_decode as ctc_greedy_decode
from losslib.class_weights import class_balanced_weights as class_balanced_weights
from losslib.combine.weighted_sum import WeightedSum as WeightedSum
from losslib.concordance import concordance_index as concordance_index
from losslib.config import config as config
from losslib.config import show_config as show_config
from losslib.declare import LossFunction as LossFunction
from losslib.errors import DomainError as DomainError
from losslib.errors import DTypeError as DTypeError
from losslib.errors import FormulaError as FormulaError
from losslib.errors import ParameterError as ParameterError
from losslib.errors import ShapeError as ShapeError
from losslib.declaration.schema import LossInfo as LossInfo
from losslib.formula.loss import FormulaLoss as FormulaLoss
from losslib.formula.loss import from_formula as from_formula
from losslib.list_metrics import mean_average_precision as mean_average_precision
from losslib.list_metrics import ndcg as ndcg
from losslib.gradient_check import GradientReport as GradientReport
from losslib.gradient_check import check_grad as check_grad
from losslib.combine.multitask import MultiTask as MultiTask
from losslib.combine.multitask import MultiTaskResult as MultiTaskResult
from losslib.parallelism import get_num_threads as get_num_threads
from losslib.parallelism import set_num_threads as set_num_threads
from losslib.parallelism import threads as threads
from losslib.sums.accumulator import Accumulator as Accumulator

NLLLoss2d = NLLLoss

def get(name: str, **parameters: Any) -> Loss: ...
def list_losses(family: str | None = None, *, tag: str | None = None) -> tuple[LossInfo, ...]: ...

# A value is a float when it is reduced and an array with reduction="none"; a derivative is an array for one input and
# a tuple for several.
"""

CALL_TYPES = {
    "sample_weight": "ArrayLike | None",
    "where": "ArrayLike | None",
    "out": "np.ndarray | tuple[np.ndarray, ...] | None",
    "grad_output": "ArrayLike | None",
    "wrt": "str | tuple[str, ...] | None",
}
METHODS = ("__call__", "grad", "value_and_grad", "value_grad_hess")


def returns(info: LossInfo, mode: int) -> str:
    """Return the annotation of what a call of this mode gives."""
    count = len(info.default_wrt)
    array = "np.ndarray" if count == 1 else "tuple[" + ", ".join(["np.ndarray"] * count) + "]"
    return ("Any", array, f"tuple[Any, {array}]", f"tuple[Any, {array}, {array}]")[mode]


def annotation(item: Parameter) -> str:
    """Return the annotation of a parameter."""
    if isinstance(item, Choice):
        others = "".join(f" | {kind}" for kind in dict.fromkeys(
            "None" if given is None else "bool" for given, _ in item.also
        ))  # fmt: skip
        return "Literal[" + ", ".join(f'"{word}"' for word in item.choices) + "]" + others
    if isinstance(item, Array):
        return "ArrayLike | None"
    if isinstance(item, Indices):
        return "Sequence[int] | None"
    if isinstance(item, Integer):
        return "int | None" if item.optional else "int"
    if isinstance(item, Real) and item.optional:
        return "float | None"
    return "bool" if isinstance(item, Flag) else "float"


def attribute(item: Parameter) -> str:
    """Return the annotation of a parameter as an attribute of the loss object."""
    if isinstance(item, Array):
        return "np.ndarray | None"
    return "str" if isinstance(item, Choice) else annotation(item)


def default(item: Parameter) -> str:
    """Return the default as source text."""
    return f'"{item.default}"' if isinstance(item.default, str) else repr(item.default)


def parameters(info: LossInfo) -> list[str]:
    """Return the keyword parameters of a loss as source text."""
    return [f"{item.name}: {annotation(item)} = {default(item)}" for item in info.parameters]


def _input(item: Input) -> str:
    """Write an input as an argument; one that may be left out has a default."""
    if not item.optional:
        return f"{item.name}: ArrayLike"
    return (
        f"{item.name}: ArrayLike | None = None" if item.default is None else f"{item.name}: ArrayLike = {item.default}"
    )


def method(info: LossInfo, mode: int, with_parameters: bool) -> list[str]:
    """Return the lines of one method, with the parameters of the loss for functions."""
    name = METHODS[mode]
    arguments = ["self", *map(_input, info.inputs), "*"]
    if with_parameters:
        arguments += parameters(info)
    arguments += [f"{key}: {CALL_TYPES[key]} = None" for key in ARGUMENTS[mode]]
    return [f"    def {name}({', '.join(arguments)}) -> {returns(info, mode)}: ..."]


def stub(info: LossInfo) -> str:
    """Return the declarations of the function and the class of a loss."""
    lines = []
    for mode in range(4):
        lines += [f"class _{info.name}_{METHODS[mode].strip('_')}:", *renamed(method(info, mode, True)), ""]
    lines += [f"class _{info.name}(_{info.name}_call, LossFunction):"]
    for mode in range(1, 4):
        lines.append(f"    {METHODS[mode]}: _{info.name}_{METHODS[mode]}  # type: ignore[assignment]")
    lines += ["", f"{info.name}: _{info.name}", "", f"class {info.class_name}(Loss):"]
    lines.append(f"    def __new__(cls, *_: Any, {', '.join(parameters(info))}) -> {info.class_name}: ...")
    for item in info.parameters:
        lines += ["    @property", f"    def {item.name}(self) -> {attribute(item)}: ..."]
    for mode in range(4):
        lines += method(info, mode, False)
    return "\n".join(lines) + "\n"


def renamed(lines: list[str]) -> list[str]:
    """Turn a method of any name into ``__call__``: each derivative of a function is a callable of its own."""
    first = lines[0]
    return ["    def __call__(" + first.partition("(")[2], *lines[1:]]


@functools.cache
def declared() -> dict[str, list[LossInfo]]:
    """Import every module of declarations and return what it declares, in order."""
    return {
        name: [
            value.info
            for value in vars(importlib.import_module(f"losslib.losses.{name}")).values()
            if isinstance(value, LossFunction)
        ]
        for name in losses.MODULES
    }


def text() -> str:
    """Return the whole stub."""
    body = "\n".join(stub(info) for infos in declared().values() for info in infos)
    return HEADER + "\n" + body


def index() -> str:
    """Return the index: for every module the spellings of its losses, function and class first."""
    lines = [INDEX_HEADER + "INDEX: dict[str, tuple[tuple[str, ...], ...]] = {"]
    for name, infos in declared().items():
        lines.append(f'    "{name}": (')
        for info in infos:
            names = ", ".join(f'"{spelling}"' for spelling in registry.spellings_of(info))
            lines.append(f"        ({names}),")
        lines.append("    ),")
    return "\n".join([*lines, "}", ""])


def kernels() -> str:
    """Return the index of the kernels: the name of each that a family registers, and the module of the family."""
    lines = [KERNELS_HEADER + "MODULES = {"]
    for source in sorted(POINTWISE.glob("*.pyx")):
        for name in re.findall(r"^register\[(\w+)\]", source.read_text(encoding="utf-8"), re.MULTILINE):
            lines.append(f'    "{name}": "pointwise_{source.stem}",')
    return "\n".join([*lines, "}", ""])


def main() -> int:
    """Write or check the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the file is out of date")
    arguments = parser.parse_args()
    registry._names.clear()  # written from the declarations alone, whatever the index says now
    files = {STUB: text(), INDEX: index(), KERNELS: kernels()}
    outdated = [path for path, wanted in files.items() if not path.exists() or path.read_text() != wanted]
    if not arguments.check:
        for path in outdated:
            path.write_text(files[path])
        return 0
    for path in outdated:
        print(f"{path.name} is out of date: run python tools/stubs.py", file=sys.stderr)
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
