"""The command line: ``losslib info``, ``list`` and ``describe``.

Exit codes: 0 done, 1 an error in what was asked for, 2 a wrong command line. Errors go to stderr in one line.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Sequence

import losslib
from losslib.registry import LossInfo, info_of

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="losslib",
        description="Loss functions with gradients and Hessians for NumPy arrays.",
        epilog="examples:\n  losslib info --json\n  losslib list --family regression\n  losslib describe huber",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"losslib {losslib.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    info = commands.add_parser("info", help="version, instruction set, threads and compiler of this build")
    info.add_argument("--json", action="store_true", help="print a JSON object")
    listing = commands.add_parser("list", help="the losses, a line each")
    listing.add_argument("--family", help="only losses of this family, such as regression")
    listing.add_argument("--json", action="store_true", help="print a JSON array")
    describe = commands.add_parser("describe", help="formula, parameters and use of one loss")
    describe.add_argument("name", help="function name, class name or alias, such as huber or BCELoss")
    return parser


def _wrap(text: str, width: int, initial_indent: str = "", subsequent_indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=initial_indent, subsequent_indent=subsequent_indent, break_on_hyphens=False
    )


def _describe(info: LossInfo) -> str:
    inputs = ", ".join(f"{item.name} ({item.domain.meaning})" for item in info.inputs)
    lines = [
        f"{info.name}, {info.class_name}",
        *_wrap(info.summary, 100),
        "",
        f"inputs      {inputs}",
    ]
    if info.formula:
        lines.append(f"value       {info.formula}")
    lines.append("parameters")
    for item in info.parameters:
        lines.append(f"  {item.name} = {item.default!r}")
        lines += _wrap(item.meaning, 100, initial_indent="      ", subsequent_indent="      ")
    for title, texts in (("use it when", info.use_when), ("avoid it when", info.avoid_when)):
        if texts:
            lines.append(title)
            for text in texts:
                lines += _wrap(text, 100, initial_indent="  - ", subsequent_indent="    ")
    if info.aliases:
        lines.append(f"aliases     {', '.join(info.aliases)}")
    return "\n".join(lines)


def _list(family: str | None, as_json: bool) -> str:
    infos = losslib.list_losses(family=family)
    if as_json:
        rows = [
            {
                "name": i.name,
                "class": i.class_name,
                "family": i.family,
                "aliases": list(i.aliases),
                "summary": i.summary,
            }
            for i in infos
        ]
        return json.dumps(rows, indent=2)
    width = max(len(info.name) for info in infos)
    return "\n".join(f"{info.name:<{width}}  {info.family:<11} {info.summary}" for info in infos)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "info":
            if arguments.json:
                print(json.dumps(losslib.config(), indent=2))
            else:
                losslib.show_config()
        elif arguments.command == "list":
            print(_list(arguments.family, arguments.json))
        else:
            print(_describe(info_of(arguments.name)))
    except ValueError as error:
        print(f"losslib: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stderr.close()
    return 0
