"""The compiled modules, and the choice of the instruction set: made once, when losslib is imported.

``LOSSLIB_ISA=baseline``, ``v3`` or ``v4`` forces one; a name that was not built, or that the processor does not run,
is an error rather than a silent fallback.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from types import ModuleType

from losslib._kernels import waiting
from losslib._kernels.index import MODULES

try:
    import losslib._kernels.cpu as cpu
except ModuleNotFoundError as error:
    if error.name != "losslib._kernels.cpu":
        raise
    raise ImportError(
        f"the compiled part of losslib is missing in {os.path.dirname(__file__)}: this is a checkout that has not been "
        f"built; build it with 'python setup.py build_ext --inplace' or 'pip install -e .', or leave this directory to "
        f"use an installed losslib",
        name=error.name,
    ) from None

with waiting.loading():
    import losslib._kernels.threads as threads

__all__ = ["ISA", "available", "forced", "kernel", "load", "pointwise", "threads"]

KNOWN = ("baseline", "v3", "v4")


def _is_built(name: str) -> bool:
    return importlib.util.find_spec(f"losslib._kernels.{name}.pointwise") is not None


def choose(wanted: str | None) -> str:
    """Return the instruction set to use: the wanted one, or the widest that is built and runs here."""
    built = [name for name in KNOWN if _is_built(name)]
    runs = cpu.supported()
    if not wanted:
        usable = [name for name in built if name in runs]
        if not usable:
            raise ImportError(
                f"losslib was built for {', '.join(built) or 'nothing'}; this processor runs {', '.join(runs)}"
            )
        return usable[-1]
    if wanted not in KNOWN:
        raise ImportError(f"LOSSLIB_ISA={wanted!r} is not one of {', '.join(KNOWN)}")
    if wanted not in built:
        raise ImportError(f"LOSSLIB_ISA={wanted!r} was not built into this package; it has {', '.join(built)}")
    if wanted not in runs:
        raise ImportError(f"LOSSLIB_ISA={wanted!r} does not run on this processor; it runs {', '.join(runs)}")
    return wanted


forced: str | None = os.environ.get("LOSSLIB_ISA") or None
ISA: str = choose(forced)
available: tuple[str, ...] = tuple(name for name in KNOWN if _is_built(name) and name in cpu.supported())


@functools.cache
def load(module: str) -> ModuleType:
    """Return a compiled module of the chosen instruction set, or of the widest below it that it was compiled for."""
    for name in reversed(KNOWN[: KNOWN.index(ISA) + 1]):
        path = f"{__name__}.{name}.{module}"
        try:
            return importlib.import_module(path)
        except ModuleNotFoundError as error:
            if error.name != path:
                raise
    raise ImportError(f"losslib was built without {module} for {ISA}")


def kernel(name: str) -> object:
    """Return the kernels of a pointwise loss, a capsule; the module of its family is loaded when one is asked for."""
    found: object = load(MODULES[name]).kernels[name]
    return found


pointwise: ModuleType = load("pointwise")
