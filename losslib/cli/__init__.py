"""The command line ``losslib``: list, describe, compute, bench, info, completion.

Exit codes: 0 done, 1 an error in what was asked for, 2 a wrong command line. Errors go to stderr in one line that says
what to do.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

import losslib
from losslib.cli import bench, catalogue, completion, compute
from losslib.errors import FormulaError

__all__ = ["main", "make_parser"]

EXAMPLES = """\
examples:
  losslib list --family regression
  losslib describe huber
  losslib describe keras:Poisson
  losslib compute quantile --set quantile=0.9 --input preds.parquet:p90 --target :y --by :region
  losslib bench mse huber
  losslib info --json"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="losslib",
        description="Loss functions with gradients and Hessians for NumPy arrays.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"losslib {losslib.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, text: str, epilog: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=text, description=text, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    listing = command("list", "the losses, a line each", "example:\n  losslib list --about 'noisy labels'")
    listing.add_argument(
        "package",
        nargs="?",
        metavar="PACKAGE:",
        help="the names of a package, such as keras: or xgboost:, and what they are",
    )
    listing.add_argument("--family", help="only losses of this family, such as regression")
    listing.add_argument(
        "--about", metavar="WORDS", help="only losses for this, such as 'noisy labels', the best first"
    )
    listing.add_argument("--json", action="store_true", help="print a JSON array")
    describe = command("describe", "formula, parameters and use of one loss", "example:\n  losslib describe BCELoss")
    describe.add_argument("name", help="function name, class name or alias, such as huber or BCELoss; or keras:Poisson")
    compute.add_arguments(command("compute", "losses over files larger than memory", compute.EXAMPLES))
    bench.add_arguments(command("bench", "speed of losses on this machine", bench.EXAMPLES))
    info = command("info", "version, instruction set, threads and compiler of this build", "example:\n  losslib info")
    info.add_argument("--json", action="store_true", help="print a JSON object")
    shell = command("completion", "a script that completes commands, options and losses", completion.EXAMPLES)
    shell.add_argument("shell", choices=completion.SHELLS, help="the shell to write it for")
    return parser


def attach_streams(words: Sequence[str]) -> list[str]:
    """Write ``--input -:column``, a column of standard input, as one word: argparse takes ``-:`` for an option."""
    attached: list[str] = []
    for word in words:
        if word.startswith("-:") and attached and attached[-1].startswith("--"):
            attached[-1] += f"={word}"
        else:
            attached.append(word)
    return attached


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = make_parser()
    arguments = parser.parse_args(attach_streams(sys.argv[1:] if argv is None else argv))
    if arguments.command == "compute" and not (arguments.losses or arguments.formula):
        parser.error("compute: name a loss, or give a --formula; losslib list shows all losses")
    try:
        if arguments.command == "info":
            if arguments.json:
                print(json.dumps(losslib.config(), indent=2))
            else:
                losslib.show_config()
        elif arguments.command == "list":
            print(catalogue.list_losses(arguments.family, arguments.json, arguments.package, arguments.about))
        elif arguments.command == "describe":
            print(catalogue.describe_name(arguments.name))
        elif arguments.command == "compute":
            compute.run(arguments)
        elif arguments.command == "bench":
            bench.run(arguments)
        else:
            print(completion.script(arguments.shell, parser))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, TypeError, OSError) as error:
        shows_place = isinstance(error, FormulaError)
        print(f"losslib: {error if shows_place else ' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("losslib: interrupted", file=sys.stderr)
        return 130
    return 0
