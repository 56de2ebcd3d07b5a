"""Measures the losses against PyTorch, JAX and scikit-learn, side by side in one process.

    make bench                                    everything, transducer.py and busy_core.py too; over half an hour
    make bench ARGS="--rows"                      the losses of rows alone: classes, margins, vectors
    make bench ARGS="--rows --shapes 1024x1000"   those of one shape
    make bench ARGS="--sequences"                 CTC alone, with its memory
    make bench ARGS="--quick"                     a few losses, short turns
    make bench ARGS="--losses mse_loss huber_loss --sizes 32 1e7"

The contestants take turns, so that a disturbance of the machine meets all of them. The table shows the
shortest time of a call in microseconds; the JSON file holds the medians too. The statements that are timed
are those that a user would type, see ``contestants.py``; the goals are in ``report.py``. The losses of rows have shapes
and peers of their own, all in ``rows.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parent / "output"
SIZES = (32, 10_000, 1_000_000, 10_000_000)
QUICK_LOSSES = ("mse_loss", "huber_loss", "log_cosh_loss", "binary_cross_entropy_with_logits")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--quick", action="store_true", help="short turns; four losses unless --losses names some")
    add("--rows", action="store_true", help="only the losses of rows")
    add("--sequences", action="store_true", help="only the losses of sequences")
    add("--losses", nargs="+", metavar="NAME", help="names or aliases; default: every pointwise loss, and rows.py")
    add(
        "--sizes",
        nargs="+",
        type=_size,
        default=SIZES,
        metavar="N",
        help="of pointwise losses; default: 32 1e4 1e6 1e7",
    )
    add("--shapes", nargs="+", type=_shape, metavar="NxC", help="of losses of rows; default: all in rows.py")
    add("--threads", type=int, default=2, help="threads of each contestant; default: 2")
    add("--json", type=Path, metavar="PATH", help="where to write all numbers")
    add("--picture", type=Path, default=OUTPUT / "pointwise.png", metavar="PATH", help="where to draw")
    return parser.parse_args()


def _size(text: str) -> int:
    n = int(float(text))
    if n < 8 or n % 8:
        raise argparse.ArgumentTypeError(f"sizes are multiples of 8, got {text}")
    return n


def _shape(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(length) for length in text.replace("×", "x").split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a shape is written like 1024x1000, got {text}") from error


def limit_threads(threads: int) -> None:
    """Give every package the same number of threads; has to come before their import.

    JAX has no setting and starts as many threads as the process may use cores.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < threads:
            print(f"{threads} threads on {len(cores)} cores: expect little", file=sys.stderr)
        os.sched_setaffinity(0, cores[:threads])


def measure(options: argparse.Namespace, absent: dict[str, str]) -> Iterator[Any]:
    """Yield a row for each loss and size."""
    import contestants
    from report import LARGE, Row, count
    from timing import FULL, QUICK, CopyLoops, take_turns

    import losslib
    from formula import is_arithmetic
    from losslib.declaration.registry import info_of

    wanted = options.losses or (QUICK_LOSSES if options.quick else None)
    infos = [info_of(name) for name in wanted] if wanted else losslib.list_losses()
    infos = [info for info in infos if info.geometry == "pointwise"]
    peers = tuple(peer for peer in contestants.PEERS if peer not in absent)
    schedule = QUICK if options.quick else FULL
    copies: dict[int, CopyLoops] = {}
    progress = Progress(len(infos) * len(options.sizes))
    for info in infos:
        small = contestants.problem(info, 1000)
        memory_bound = is_arithmetic(info.formula, small.symbols, small.formula_parameters, info.definitions)
        deviations = contestants.disagreement(small, contestants.contestants(small, peers, options.threads))
        for n in options.sizes:
            progress.step(f"{info.name}, n = {count(n)}")
            task = contestants.problem(info, n)
            entered = contestants.contestants(task, peers, options.threads)
            statements = {name: (one.statement, one.names) for name, one in entered.items()}
            loops = {}
            if n >= LARGE:
                copies.setdefault(n, CopyLoops(n, options.threads))
                loops = copies[n].statements()
            times = take_turns(statements | loops, n, schedule)
            yield Row(
                loss=info.name,
                n=n,
                memory_bound=memory_bound,
                bytes_moved=task.bytes_moved,
                times={name: times[name] for name in entered},
                composed=frozenset(name for name, one in entered.items() if one.composed),
                deviating={name: size for name, size in deviations.items() if size > 1e-3},
                copies={name: times[name] for name in loops},
            )
    progress.close()


class Progress:
    """A line on the terminal that says what is being measured; silent elsewhere."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done, self.start = steps, 0, time.monotonic()
        self.shown = sys.stderr.isatty()

    def step(self, what: str) -> None:
        if self.shown:
            elapsed = time.monotonic() - self.start
            left = f", {elapsed / self.done * (self.steps - self.done):.0f} s left" if self.done else ""
            print(f"\r\x1b[K{self.done + 1}/{self.steps}  {what}{left}", end="", file=sys.stderr, flush=True)
        self.done += 1

    def close(self) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def setting(threads: int, absent: dict[str, str]) -> dict[str, Any]:
    """Return what the numbers depend on."""
    import losslib

    versions = {}
    for name in ("losslib-cpu", "numpy", "torch", "jax", "jaxlib", "optax", "scikit-learn"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = losslib.__version__ if name == "losslib-cpu" else "absent"
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions,
        "absent": absent,
        "losslib": losslib.config(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> int:
    options = arguments()
    limit_threads(options.threads)

    import contestants

    import losslib

    losslib.set_num_threads(options.threads)
    absent = contestants.absent_peers()
    if "PyTorch" not in absent:
        import torch

        torch.set_num_threads(options.threads)
    for peer, reason in absent.items():
        print(f"{peer} is absent: {reason}")

    facts = setting(options.threads, absent)
    print("Value and gradient, float32, mean; losslib with a preallocated out. Shortest times in µs.")
    print(f"{facts['processor']}, {options.threads} threads each; instruction set {facts['losslib']['isa']}")
    print(", ".join(f"{name} {version}" for name, version in facts["versions"].items()), flush=True)

    start = time.monotonic()
    rows = [] if options.rows or options.sequences else list(measure(options, absent))
    if rows:
        print_pointwise(rows, absent)
    row_times = [] if options.sequences else print_rows(options, absent)
    sequence_times = [] if options.rows else print_sequences(options, absent)
    print(f"\nmeasured in {time.monotonic() - start:.0f} s")

    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        numbers = {
            "setting": facts,
            "rows": [_plain(row) for row in rows],
            "row_losses": [times.plain() for times in row_times],
            "sequence_losses": [times.plain() for times in sequence_times],
        }
        options.json.write_text(json.dumps(numbers, indent=1) + "\n")
        print(f"numbers: {options.json}")
    if not rows:
        return 0
    try:
        import picture

        options.picture.parent.mkdir(parents=True, exist_ok=True)
        picture.draw(rows, facts, options.picture)
        print(f"picture: {options.picture}")
    except ImportError as error:
        print(f"no picture: {error}")
    return 0


def print_pointwise(rows: list[Any], absent: dict[str, str]) -> None:
    """Print the table of the pointwise losses, the copy loops and the goals."""
    import report

    print()
    print(report.table(rows, absent))
    print("\n* composed: the package has no such loss, its operations were put together (JAX: always)")
    print("! computes another gradient than losslib; its time says little")
    if "scikit-learn" not in absent:
        print("scikit-learn leaves values and gradients unreduced; - means that it has no such loss")
    for row in rows:
        for peer, size in row.deviating.items():
            print(f"{row.loss}, n = {report.count(row.n)}: gradient of {peer} deviates by {size:.1e} of the largest")
    copies = report.copy_lines(rows)
    if copies:
        print(f"\n{copies}")
        print("'of triad', 'of copy': bandwidth against the faster of these loops, measured in the same turns")
    print(f"\n{report.summary(rows)}")


def print_rows(options: argparse.Namespace, absent: dict[str, str]) -> list[Any]:
    """Measure the losses of rows and print their table."""
    import rows
    from timing import FULL, QUICK

    chosen = rows.cases(options.losses, options.quick, options.shapes)
    if not chosen:
        return []
    progress = Progress(len(chosen))
    schedule = QUICK if options.quick else FULL
    times = list(rows.measure(chosen, absent, options.threads, schedule, progress.step))
    progress.close()
    print("\nLosses of rows; goals are times the fastest peer\n")
    print(rows.table(times, absent))
    print("\n* put together from the package's operations   ! computes another gradient; its time says little")
    print("copy: NumPy copies each differentiated input on as many threads, the traffic of the gradients alone")
    for line in rows.reasons(times):
        print(line)
    met = sum(result.verdict == "met" for result in times)
    print(f"goals met: {met} of {len(times)} rows")
    return times


def print_sequences(options: argparse.Namespace, absent: dict[str, str]) -> list[Any]:
    """Measure CTC and print its table."""
    import sequences
    from timing import FULL, QUICK

    if options.losses and not any("ctc" in name.lower() for name in options.losses):
        return []
    chosen = [case for case in sequences.CASES if not options.quick or case.classes < 1000]
    progress = Progress(len(chosen))
    times = list(sequences.measure(chosen, absent, QUICK if options.quick else FULL, progress.step))
    progress.close()
    print("\nLosses of sequences; goals are 4 times PyTorch and ahead of optax on JAX\n")
    print(sequences.table(times, absent))
    print(f"goals met: {sum(result.verdict == 'met' for result in times)} of {len(times)} rows")
    return times


def _plain(row: Any) -> dict[str, Any]:
    """Return a row as what JSON can hold."""
    seconds = {name: {"least": t.least, "median": t.median} for name, t in (row.times | row.copies).items()}
    return {
        "loss": row.loss,
        "n": row.n,
        "memory_bound": row.memory_bound,
        "bytes_moved": row.bytes_moved,
        "seconds": seconds,
        "composed": sorted(row.composed),
        "deviating": row.deviating,
        "times_best_peer": row.times_best_peer,
        "times_pytorch": row.times_pytorch,
        "share_of_triad": row.share_of("triad"),
        "share_of_copy": row.share_of("copy"),
        "verdict": row.verdict,
    }


if __name__ == "__main__":
    sys.exit(main())
