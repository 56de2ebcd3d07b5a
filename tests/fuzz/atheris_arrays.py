"""A coverage-guided fuzz target for the array edge: arrays of any type, shape, strides and offset over a few bytes.

To be run by hand, on a build with AddressSanitizer if there is one (``make test-asan`` leaves it in build/asan/site):

    pip install atheris
    PYTHONPATH=build/asan/site:tests python tests/fuzz/atheris_arrays.py -max_total_time=600

Every call must answer or raise ValueError or TypeError, and change none of the bytes that its inputs lie in.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import atheris
import numpy as np

with atheris.instrument_imports(include=["losslib"]):
    import losslib

TYPES = (
    "f4", "f8", "f2", ">f4", ">f8", "g", "c8", "?", "i1", "u1", "<i2", ">i4", "i8", "u8", "M8[s]", "S3", "U1", "V4",
    [("a", "u1"), ("x", "f4")],
)  # fmt: skip
MODES = ("__call__", "grad", "value_and_grad", "value_grad_hess")
FUNCTIONS = tuple(getattr(losslib, info.name) for info in losslib.list_losses())


def array_over(memory: np.ndarray, provider: Any) -> np.ndarray:
    """Return a view of the bytes; NumPy refuses a shape and strides that leave them."""
    dtype = np.dtype(TYPES[provider.ConsumeIntInRange(0, len(TYPES) - 1)])
    axes = provider.ConsumeIntInRange(0, 4)
    shape = [provider.ConsumeIntInRange(0, 9) for _ in range(axes)]
    strides = [provider.ConsumeIntInRange(-64, 64) for _ in range(axes)]
    offset = provider.ConsumeIntInRange(0, memory.size - 1)
    return np.ndarray(shape, dtype, buffer=memory, offset=offset, strides=strides)


def one_input(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    function = FUNCTIONS[provider.ConsumeIntInRange(0, len(FUNCTIONS) - 1)]
    entry = getattr(function, MODES[provider.ConsumeIntInRange(0, 3)])
    memory = np.frombuffer(provider.ConsumeBytes(512).ljust(512, b"\0"), np.uint8).copy()
    before = memory.copy()
    options: dict[str, Any] = {}
    try:
        arrays = [array_over(memory, provider) for _ in function.info.inputs]
        if provider.ConsumeBool():
            options["reduction"] = ("mean", "sum", "none")[provider.ConsumeIntInRange(0, 2)]
        if provider.ConsumeBool():
            options["sample_weight"] = array_over(memory, provider)
        if provider.ConsumeBool():
            options["where"] = array_over(memory, provider)
    except ValueError:
        return  # NumPy's refusal
    with np.errstate(all="ignore"), contextlib.suppress(ValueError, TypeError):
        entry(*arrays, **options)
    if not np.array_equal(memory, before):
        raise RuntimeError(f"{function.info.name} changed its inputs")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
