"""Settings that the peers read before their first import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torchvision_operators import define_operators

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")  # otherwise float64 arrays become float32 without a word
define_operators()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what the names of other packages were compared with."""
    from peers.named_report import RESULTS

    lines = list(RESULTS.lines())
    if lines and "LOSSLIB_NAMES_COMPARED" in os.environ:
        RESULTS.write(Path(os.environ["LOSSLIB_NAMES_COMPARED"]))
    if lines:
        terminalreporter.section("names of other packages")
        for line in lines:
            terminalreporter.write_line(line)
