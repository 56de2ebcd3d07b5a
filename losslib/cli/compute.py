"""``losslib compute``: losses over files larger than memory."""

from __future__ import annotations

import argparse
import json
import math
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.cli.sources import Reader, Source, aligned, count_rows, open_source, parse
from losslib.declaration.registry import class_of, info_of
from losslib.declaration.schema import LossInfo, closest
from losslib.errors import ParameterError
from losslib.formula.language import names_in
from losslib.formula.language import parse as parse_formula
from losslib.formula.loss import from_formula
from losslib.parallelism import set_num_threads
from losslib.sums.accumulator import Accumulator, grad_of_batch

__all__ = ["add_arguments", "run"]

EXAMPLES = """\
examples:
  losslib compute mse huber --set huber.delta=2 --input p.npy --target y.npy
  losslib compute quantile --set quantile=0.9 --input preds.parquet:p90 --target :y --by :region --weight :w
  losslib compute cross_entropy --input "scores.parquet:logit_*" --target :class --json
  losslib compute --formula "where(d < 0, cost*abs(d), abs(d))" --set cost=4 --input preds.parquet:p --target :y
  losslib compute triplet_margin_loss --read anchor=a.npy --read positive=p.npy --read negative=n.npy

An array is FILE or FILE:COLUMN; :COLUMN is one of the file of the first array. Several columns (a,b,c or a pattern such
as logit_*) make a row of classes or components. Files: .npy, .npz (FILE:name), .parquet, .arrow, .csv."""

#: Rows of a batch for one column; more columns, fewer rows.
BATCH = 2**17

#: Rows of a task on a cluster.
PIECE = 2**21

#: Seconds to wait for a cluster to answer.
PATIENCE = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("losses", nargs="*", metavar="LOSS", help="names of losses: one pass over the data for all")
    parser.add_argument("--formula", metavar="TEXT", action="append", default=[],
                        help="a loss from a formula of x (the prediction), t (the target) and what --set gives: "
                        "numbers, and definitions such as p='sigmoid(x)'; before a sign, --formula=-x")  # fmt: skip
    parser.add_argument("--inputs", metavar="NAMES", default="x,t", help="the inputs of the formulas: x,t or x,t,v ...")
    parser.add_argument("--input", metavar="ARRAY", help="the prediction (the first input of the loss)")
    parser.add_argument("--target", metavar="ARRAY", help="the target")
    parser.add_argument("--read", metavar="NAME=ARRAY", action="append", default=[], type=_pair,
                        help="an input by its name, such as var=preds.parquet:variance")  # fmt: skip
    parser.add_argument("--set", metavar="[LOSS.]NAME=VALUE", action="append", default=[], type=_pair, dest="settings",
                        help="a parameter, of every loss that has it or of one")  # fmt: skip
    parser.add_argument("--reduction", help="mean, sum, weighted_mean or batchmean, for every loss")
    parser.add_argument("--weight", metavar="ARRAY", help="a weight for each sample")
    parser.add_argument("--where", metavar="ARRAY", help="a boolean array: samples that count")
    parser.add_argument("--by", metavar="ARRAY", help="group of each sample: one value a group")
    parser.add_argument("--grad", metavar="FILE.npy", help="write the gradient for the prediction (of a single loss)")
    parser.add_argument("--wrt", metavar="NAME", help="the input to differentiate, if not the first")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.add_argument("--batch-rows", metavar="N", type=_positive, help="rows in memory at a time")
    parser.add_argument("--threads", metavar="N", type=_positive, help="threads of a batch")
    parser.add_argument("--dask", metavar="ADDRESS", help="compute on a cluster, such as tcp://host:8786")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def run(arguments: argparse.Namespace) -> None:
    """Compute what the arguments ask for and print it."""
    if arguments.threads:
        set_num_threads(arguments.threads)
    losses = bind_losses(
        arguments.losses, arguments.settings, arguments.reduction, arguments.formula, arguments.inputs.split(",")
    )
    job = Job(losses, find_sources(arguments, [loss.info for loss in losses]), arguments.batch_rows)
    if arguments.grad is not None:
        require_gradient(arguments, losses)
    job.open()  # before anything is computed: what is missing shows up now
    show = not arguments.no_progress and sys.stderr.isatty()
    if arguments.dask is not None:
        totals = compute_on_cluster(job, arguments.dask, show)
    else:
        with progress(job.rows, "computing", show) as advance:
            totals = job.accumulate(advance=advance)
    if arguments.grad is not None:
        with progress(job.rows, "gradient", show) as advance:
            write_gradient(job, totals[0], arguments.grad, arguments.wrt, advance)
    report(losses, totals, arguments.json)


# ---- what to compute ---------------------------------------------------------------------------------------------


def bind_losses(
    names: Sequence[str],
    settings: Sequence[tuple[str, str]],
    reduction: str | None,
    formulas: Sequence[str] = (),
    inputs: Sequence[str] = ("x", "t"),
) -> list[Any]:
    """Return the loss objects with their parameters: those that have names, then those of formulas."""
    infos = [info_of(name) for name in names]
    common: dict[str, Any] = {} if reduction is None else {"reduction": reduction}
    values: list[dict[str, Any]] = [dict(common) for _ in infos]
    used = [names_of(text, settings) for text in formulas]
    for key, text in settings:
        owner, dot, name = key.rpartition(".")
        taken = not dot and any(name in letters for letters in used)
        for given, info, parameters in zip(names, infos, values, strict=True):
            if (not dot or owner in (given, info.name, info.class_name)) and name in info.parameter_names:
                parameters[name] = _literal(text)
                taken = True
        if not taken:
            known = sorted({word for info in infos for word in info.parameter_names} | set().union(*used))
            raise ParameterError(
                f"--set {key}={text}: {', '.join((*names, *formulas))} has no parameter {name!r}"
                f"{closest(name, known)}; known are {', '.join(known)}"
            )
    losses = [class_of(info.name)(**parameters) for info, parameters in zip(infos, values, strict=True)]
    for formula, letters in zip(formulas, used, strict=True):
        parameters = {name: _literal(text) for name, text in settings if name in letters}
        losses.append(from_formula(formula, inputs=inputs, name=formula, **common, **parameters))
    for loss in losses:
        if loss.reduction == "none":
            raise ParameterError(f"reduction none: {loss.info.name} over files is one value; use mean, sum or another")
    return losses


def names_of(formula: str, settings: Sequence[tuple[str, str]]) -> set[str]:
    """Return the names that a formula uses, those of the definitions it uses among them."""
    used = names_in(parse_formula(formula))
    for name, text in reversed(settings):  # a definition uses those before it
        if name in used and isinstance(value := _literal(text), str):
            used |= names_in(parse_formula(value, f"the definition of {name}"))
    return used


def _literal(text: str) -> Any:
    """Read a number, true, false, none or a list; anything else is a word."""
    if text.lower() in ("none", "null"):
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return float(text)  # inf
    except ValueError:
        return text


def find_sources(arguments: argparse.Namespace, infos: Sequence[LossInfo]) -> dict[str, Source]:
    """Return the arrays by role: the inputs of the losses, and weight, where and by."""
    names = infos[0].input_names
    for info in infos[1:]:
        if info.input_names != names:
            raise ParameterError(
                f"{infos[0].name} takes ({', '.join(names)}) and {info.name} ({', '.join(info.input_names)}); "
                f"losses computed together take the same inputs"
            )
    given = dict(arguments.read)
    for name in given:
        if name not in names:
            raise ParameterError(f"--read {name}=...: {infos[0].name} takes {', '.join(names)}{closest(name, names)}")
    if arguments.input is not None:
        given[names[0]] = arguments.input
    if arguments.target is not None:
        given[next((name for name in names if name.startswith("target")), names[-1])] = arguments.target
    texts = {name: given[name] for name in names if name in given}
    for name in names:
        if name not in texts:
            option = f"--{name}" if name in ("input", "target") else f"--read {name}=FILE"
            raise ParameterError(f"{infos[0].name} needs {', '.join(names)}; give {option}")
    for role in ("weight", "where", "by"):
        if getattr(arguments, role) is not None:
            texts[role] = getattr(arguments, role)
    sources: dict[str, Source] = {}
    for role, text in texts.items():
        sources[role] = parse(role, text, next(iter(sources.values()), None))
    return sources


def require_gradient(arguments: argparse.Namespace, losses: Sequence[Any]) -> None:
    """Raise unless a gradient can be written."""
    if len(losses) != 1 or arguments.by is not None:
        raise ParameterError("--grad is the gradient of one value: give a single loss, and no --by")
    if not arguments.grad.endswith(".npy"):
        raise ParameterError(f"--grad {arguments.grad}: the gradient is written in NumPy's format; name a .npy file")
    info = losses[0].info
    if arguments.wrt is not None and arguments.wrt not in info.differentiable:
        raise ParameterError(f"--wrt {arguments.wrt}: {info.name} has derivatives for {', '.join(info.differentiable)}")


# ---- one pass ----------------------------------------------------------------------------------------------------


@dataclass
class Job:
    """Losses and the arrays they are computed on; small enough to be sent to a worker, which opens the files itself."""

    losses: list[Any]
    sources: dict[str, Source]
    batch_rows: int | None
    #: Known once the files are open, if one of them says it.
    rows: int | None = None

    def open(self) -> list[Reader]:
        """Open the files."""
        by_path: dict[str, list[Source]] = {}
        for source in self.sources.values():
            by_path.setdefault(source.path, []).append(source)
        readers = [open_source(path, sources) for path, sources in by_path.items()]
        self.rows = count_rows(readers)
        return readers

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        """Yield the inputs and the options of a call, a batch at a time."""
        readers = self.open()
        rows = self.batch_rows or max(1024, BATCH // max(1, sum(reader.width for reader in readers) // 4))
        names = self.losses[0].info.input_names
        words = {"weight": "sample_weight", "where": "where", "by": "by"}
        for batch in ahead(aligned(readers, rows, start, stop)):
            options = {words[role]: array for role, array in batch.items() if role in words}
            yield [batch[name] for name in names], options

    def accumulate(
        self, start: int = 0, stop: int | None = None, *, advance: Callable[[int], object] = lambda rows: None
    ) -> list[Accumulator]:
        """Return the accumulators of all losses over a range of rows."""
        totals = [Accumulator(loss) for loss in self.losses]
        for inputs, options in self.batches(start, stop):
            for total in totals:
                total.update(*inputs, **options)
            advance(len(inputs[0]))
        return totals


def ahead(items: Iterator[Any]) -> Iterator[Any]:
    """Yield the items of an iterator that another thread runs, one item ahead: reading and computing overlap."""
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def offer(item: tuple[bool, Any]) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def read() -> None:
        try:
            for item in items:
                offer((True, item))
                if stopped.is_set():
                    return
            offer((False, None))
        except BaseException as error:
            offer((False, error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while True:
            more, item = ready.get()
            if not more:
                if item is not None:
                    raise item
                return
            yield item
    finally:
        stopped.set()
        thread.join()


def write_gradient(job: Job, total: Accumulator, path: str, wrt: str | None, advance: Callable[[int], object]) -> None:
    """Write the gradient of the value over all rows, in a second pass over the data."""
    loss, divisors = job.losses[0], total.divisors()
    wrt = wrt or loss.info.differentiable[0]
    rows, shape = 0, ()
    with open(path, "wb") as file:
        for inputs, options in job.batches():
            part = grad_of_batch(loss, divisors, inputs, options, wrt)
            if not rows:
                shape = part.shape[1:]
                if job.rows is None:
                    job.rows = sum(len(first) for (first, *_), _ in job.batches())  # a file that does not say
                header = {"shape": (job.rows, *shape), "fortran_order": False, "descr": part.dtype.str}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(part.tobytes())
            rows += len(part)
            advance(len(part))


def compute_on_cluster(job: Job, address: str, show: bool) -> list[Accumulator]:
    """Compute pieces of the rows on the workers of a Dask cluster, and merge their accumulators."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise ValueError("--dask needs distributed: pip install 'losslib-cpu[dask]'") from None
    for reader in job.open():
        if not reader.seekable:
            raise ValueError(f"{reader.path}: only .npy, .parquet and .arrow files are cut into pieces for a cluster")
    assert job.rows is not None  # seekable files know their length
    starts = range(0, job.rows, PIECE)
    totals = [Accumulator(loss) for loss in job.losses]
    with Client(address, timeout=PATIENCE) as client, progress(job.rows, "computing", show) as advance:
        pieces = client.map(
            accumulate_piece,
            [job] * len(starts),
            starts,
            [min(start + PIECE, job.rows) for start in starts],
            pure=False,
        )
        for _, (rows, parts) in as_completed(pieces, with_results=True):
            for total, part in zip(totals, parts, strict=True):
                total.merge(part)
            advance(rows)
    return totals


def accumulate_piece(job: Job, start: int, stop: int) -> tuple[int, list[Accumulator]]:
    """What a worker does: a range of rows, with one thread of losslib."""
    from losslib.adapters.dask import serial

    with serial():
        return stop - start, job.accumulate(start, stop)


# ---- what is shown -----------------------------------------------------------------------------------------------


@contextmanager
def progress(rows: int | None, word: str, show: bool) -> Iterator[Callable[[int], object]]:
    """Give a function that takes the number of rows done, and draws a bar on a terminal if tqdm is there."""
    if not show:
        yield lambda rows: None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda rows: None
        return
    with tqdm(total=rows, desc=word, unit=" rows", unit_scale=True, leave=False, file=sys.stderr) as bar:
        yield bar.update


def report(losses: Sequence[Any], totals: Sequence[Accumulator], as_json: bool) -> None:
    """Print the values: a line a loss, or a line a group."""
    results = [total.result() for total in totals]
    if as_json:
        rows = [
            {"loss": loss.info.name, "object": repr(loss), **_json_result(result)}
            for loss, result in zip(losses, results, strict=True)
        ]
        print(json.dumps(rows, indent=2))
        return
    if isinstance(results[0], dict):
        table = [["", *(loss.info.name for loss in losses)]]
        table += [[str(key), *(f"{result[key]!r}" for result in results)] for key in results[0]]
    else:
        table = [[loss.info.name, repr(result)] for loss, result in zip(losses, results, strict=True)]
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    for row in table:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _json_result(result: Any) -> dict[str, Any]:
    """A value, or groups in a list: keys of JSON objects are strings only."""
    if isinstance(result, dict):
        return {"groups": [{"key": _json_key(key), "value": _json_number(value)} for key, value in result.items()]}
    return {"value": _json_number(result)}


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no word for NaN and infinity


def _json_key(key: Any) -> Any:
    return key if isinstance(key, str | int | bool) or key is None else str(key)
