"""``losslib bench``: how fast losses are on this machine, by themselves; benchmarks/ compares with other packages."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from losslib import geometries
from losslib.config import config
from losslib.declaration.registry import all_losses, class_of, info_of
from losslib.declaration.schema import LossInfo
from losslib.errors import ParameterError
from losslib.parallelism import set_num_threads

__all__ = ["add_arguments", "run"]

EXAMPLES = """\
examples:
  losslib bench
  losslib bench mse cross_entropy --elements 10000000 --dtype float64 --threads 1 --json"""

#: Seconds spent on each figure.
DURATION = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("losses", nargs="*", metavar="LOSS", help="names of losses; by default all")
    parser.add_argument("--elements", type=int, default=1_000_000, metavar="N", help="numbers in an input")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of a call")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> None:
    """Measure and print nanoseconds per element of value, gradient, and both in one pass."""
    if arguments.elements < 1:
        raise ParameterError(f"--elements must be at least 1, got {arguments.elements}")
    if arguments.threads:
        set_num_threads(arguments.threads)
    infos = [info_of(name) for name in arguments.losses] or list(all_losses())
    facts = config()
    rows = []
    if not arguments.json:
        print(f"losslib {facts['version']}, {facts['isa']}, {facts['threads']['num_threads']} threads, "
              f"{arguments.elements} elements of {arguments.dtype}: ns per element")  # fmt: skip
        print(f"{'':<36}{'value':>10}{'gradient':>10}{'both':>10}")
    for info in infos:
        inputs = draw_inputs(info, arguments.elements, np.dtype(arguments.dtype))
        loss = class_of(info.name)()
        gradients = tuple(np.empty_like(inputs[info.input_names.index(name)]) for name in info.default_wrt)
        outs = gradients if len(gradients) > 1 else gradients[0]
        figures = {
            "value": measure(partial(loss, *inputs)),
            "gradient": measure(partial(loss.grad, *inputs, out=outs)),
            "both": measure(partial(loss.value_and_grad, *inputs, out=outs)),
        }
        each = {name: seconds * 1e9 / inputs[0].size for name, seconds in figures.items()}
        rows.append({"loss": info.name, **each})
        if not arguments.json:
            print(f"{info.name:<36}" + "".join(f"{value:>10.3f}" for value in each.values()), flush=True)
    if arguments.json:
        print(json.dumps({"config": facts, "elements": arguments.elements, "dtype": arguments.dtype,
                          "nanoseconds_per_element": rows}, indent=2))  # fmt: skip


def measure(call: Callable[[], object]) -> float:
    """Return the seconds of the fastest call."""
    call()
    best, spent = float("inf"), 0.0
    while spent < DURATION:
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
        best, spent = min(best, seconds), spent + seconds
    return best


def draw_inputs(info: LossInfo, elements: int, dtype: np.dtype[Any]) -> list[np.ndarray]:
    """Return random inputs from the domains of a loss; classes, labels and lengths keep their type."""
    values = class_of(info.name)().parameters
    drawn = geometries.find(info.geometry).draw(info, values, np.random.default_rng(0), elements)
    return [
        array.astype(dtype) if item.holds in ("number", "row") else array
        for item, array in zip(info.inputs, drawn, strict=True)
    ]
