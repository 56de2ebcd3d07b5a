"""``losslib compute``: losses over files larger than memory."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import losslib
from losslib.cli.csv_files import TYPES
from losslib.cli.job import Job, compute_on_cluster, progress, write_gradient
from losslib.cli.results import refuse_inputs, terminable
from losslib.cli.settings import literal, read_binding_setting, read_setting
from losslib.cli.sources import COMPRESSIONS, KINDS, Format, Source, files_of, parse
from losslib.cli.streams import Streams
from losslib.declaration.registry import info_of, is_own
from losslib.declaration.schema import LossInfo, closest
from losslib.errors import ParameterError
from losslib.formula.language import names_in
from losslib.formula.language import parse as parse_formula
from losslib.formula.loss import from_formula
from losslib.names.plain import candidates, is_plain
from losslib.names.tables import find, split
from losslib.parallelism import set_num_threads
from losslib.sums.accumulator import Accumulator

__all__ = ["add_arguments", "run"]

EXAMPLES = """\
examples:
  losslib compute mse huber --set huber.delta=2 --input p.npy --target y.npy
  losslib compute quantile --set quantile=0.9 --input preds.parquet:p90 --target :y --by :region --weight :w
  losslib compute cross_entropy --input "scores.parquet:logit_*" --target :class --json
  losslib compute --formula "where(d < 0, cost*abs(d), abs(d))" --set cost=4 --input preds.parquet:p --target :y
  losslib compute triplet_margin_loss --read anchor=a.npy --read positive=p.npy --read negative=n.npy

An array is FILE or FILE:COLUMN; :COLUMN is one of the file of the first array. Several columns (a,b,c or a pattern such
as logit_*) make a row of classes or components. Files: .npy, .npz (FILE:name), .parquet, .arrow, .csv, .tsv, .csv.gz,
a directory or pattern of parts ("parts/*.parquet"), and - for standard input."""


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
                        help="a parameter, of every loss that has it or of one: 2, true, none, a word, several numbers "
                        "such as 0.5,2, or for an array weights.npy")  # fmt: skip
    parser.add_argument("--reduction", help="mean, sum, weighted_mean or batchmean, for every loss")
    parser.add_argument("--weight", metavar="ARRAY", help="a weight for each sample")
    parser.add_argument("--where", metavar="ARRAY", help="samples that count: true/false, 1/0 or yes/no")
    parser.add_argument("--by", metavar="ARRAY", help="group of each sample, of one column or several: a value a group")
    parser.add_argument("--grad", metavar="FILE.npy", help="write the gradient for the prediction (of a single loss)")
    parser.add_argument("--wrt", metavar="NAME", help="the input to differentiate, if not the first")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.add_argument("--batch-rows", metavar="N", type=_positive, help="rows in memory at a time")
    parser.add_argument("--threads", metavar="N", type=_positive, help="threads of a batch")
    parser.add_argument("--dask", metavar="ADDRESS", help="compute on a cluster, such as tcp://host:8786")
    text = parser.add_argument_group("text files")
    text.add_argument("--delimiter", metavar="CHARACTER", type=_delimiter, help="between columns, such as ';' or tab")
    text.add_argument("--decimal", metavar="CHARACTER", choices=(".", ","), default=".", help="decimal mark, . or ,")
    text.add_argument("--types", metavar="COLUMN=TYPE", action="extend", default=[], type=_types,
                      help="float, int, string or bool: what the first rows of a column do not show")  # fmt: skip
    text.add_argument("--encoding", default="utf8", help="encoding of the text, such as latin-1")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _delimiter(text: str) -> str:
    character = {"tab": "\t", "\\t": "\t", "comma": ",", "space": " "}.get(text.lower(), text)
    if len(character) != 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a single character, nor the word tab")
    return character


def _types(text: str) -> list[tuple[str, str]]:
    """Read COLUMN=TYPE, several of them with commas between."""
    pairs = [_pair(item) for item in text.split(",")]
    for _, word in pairs:
        if word not in TYPES:
            raise argparse.ArgumentTypeError(f"{word!r} is not a type; known are {', '.join(TYPES)}")
    return pairs


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
    if arguments.grad is not None:
        require_gradient(arguments, losses)
    form = Format(arguments.delimiter, arguments.decimal, arguments.encoding, dict(arguments.types))
    with ExitStack() as stack:
        stack.enter_context(terminable())
        streams = stack.enter_context(Streams())
        sources = find_sources(arguments, [loss.info for loss in losses], streams)
        if arguments.grad is not None:
            files = [name for source in sources.values() for name in files_of(source.path)]
            refuse_inputs("--grad", arguments.grad, files)
        compute(Job(losses, sources, arguments.batch_rows, form), arguments)


def compute(job: Job, arguments: argparse.Namespace) -> None:
    """Run the passes over the data and print the values."""
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
    report(job.losses, totals, arguments.json)


# ---- what to compute ---------------------------------------------------------------------------------------------


class Settable(NamedTuple):
    """What ``--set`` may give a loss."""

    #: The names of the loss before the dot.
    spellings: tuple[str, ...]
    parameters: tuple[str, ...]
    #: From the name and the text of a parameter to its value.
    read: Callable[[str, str], Any]


def bind_losses(
    names: Sequence[str],
    settings: Sequence[tuple[str, str]],
    reduction: str | None,
    formulas: Sequence[str] = (),
    inputs: Sequence[str] = ("x", "t"),
) -> list[Any]:
    """Return the loss objects with their parameters: those that have names, then those of formulas."""
    settable = [parameters_of(name) for name in names]
    common: dict[str, Any] = {} if reduction is None else {"reduction": reduction}
    values: list[dict[str, Any]] = [dict(common) for _ in names]
    used = [names_of(text, settings) for text in formulas]
    for key, text in settings:
        owner, dot, name = key.rpartition(".")
        taken = not dot and any(name in letters for letters in used)
        for item, parameters in zip(settable, values, strict=True):
            if (not dot or owner in item.spellings) and name in item.parameters:
                parameters[name] = item.read(name, text)
                taken = True
        if not taken:
            words = sorted({word for item in settable for word in item.parameters} | set().union(*used))
            raise ParameterError(
                f"--set {key}={text}: {', '.join((*names, *formulas))} has no parameter {name!r}"
                f"{closest(name, words)}; known are {', '.join(words)}"
            )
    losses = [losslib.get(name, **parameters) for name, parameters in zip(names, values, strict=True)]
    for formula, letters in zip(formulas, used, strict=True):
        parameters = {name: literal(text) for name, text in settings if name in letters}
        losses.append(from_formula(formula, inputs=inputs, name=formula, **common, **parameters))
    for loss in losses:
        if loss.reduction == "none":
            raise ParameterError(f"reduction none: {loss.info.name} over files is one value; use mean, sum or another")
    return losses


def names_of(formula: str, settings: Sequence[tuple[str, str]]) -> set[str]:
    """Return the names that a formula uses, those of the definitions it uses among them."""
    used = names_in(parse_formula(formula))
    for name, text in reversed(settings):  # a definition uses those before it
        if name in used and isinstance(value := literal(text), str):
            used |= names_in(parse_formula(value, f"the definition of {name}"))
    return used


def parameters_of(name: str) -> Settable:
    """Return what ``--set`` may give the loss of a name."""
    if (name.startswith(":") and name != ":") or name.partition(":")[0].lower().endswith((*KINDS, *COMPRESSIONS)):
        raise ParameterError(f"{name} stands where names of losses are; arrays come after --input, --target or --read")
    parts = split(name)
    if parts is not None:
        binding = find(*parts)
        return Settable((name,), tuple(binding.parameters), partial(read_binding_setting, binding))
    if not is_own(name) and is_plain(name):
        bindings = [binding for _, binding in candidates(name)]
        readers = {word: partial(read_binding_setting, item) for item in reversed(bindings) for word in item.parameters}
        return Settable((name,), tuple(readers), lambda word, text: readers[word](word, text))
    info = info_of(name)
    return Settable((name, info.name, info.class_name), info.parameter_names, partial(read_setting, info))


def find_sources(arguments: argparse.Namespace, infos: Sequence[LossInfo], streams: Streams) -> dict[str, Source]:
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
    optional = {item.name for info in infos for item in info.inputs if item.optional}
    for name in names:
        if name not in texts and name not in optional:
            option = f"--{name}" if name in ("input", "target") else f"--read {name}=FILE"
            raise ParameterError(f"{infos[0].name} needs {', '.join(names)}; give {option}")
    for role in ("weight", "where", "by"):
        if getattr(arguments, role) is not None:
            texts[role] = getattr(arguments, role)
    sources: dict[str, Source] = {}
    for role, text in texts.items():
        real = role == "weight" or role in names
        real = real and not any(item.indices for info in infos for item in info.inputs if item.name == role)
        sources[role] = parse(role, streams.keep(text), next(iter(sources.values()), None), real=real)
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


# ---- what is shown -----------------------------------------------------------------------------------------------


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
        table += [[_text(key), *(f"{result[key]!r}" for result in results)] for key in results[0]]
    else:
        table = [[loss.info.name, repr(result)] for loss, result in zip(losses, results, strict=True)]
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    for row in table:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _text(key: Any) -> str:
    """Write a group; one of several columns has a part for each."""
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _json_result(result: Any) -> dict[str, Any]:
    """A value, or groups in a list: keys of JSON objects are strings only."""
    if isinstance(result, dict):
        return {"groups": [{"key": _json_key(key), "value": _json_number(value)} for key, value in result.items()]}
    return {"value": _json_number(result)}


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no word for NaN and infinity


def _json_key(key: Any) -> Any:
    if isinstance(key, tuple):
        return [_json_key(part) for part in key]
    return key if isinstance(key, str | int | bool) or key is None else str(key)
