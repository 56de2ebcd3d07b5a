"""The commands of the page about the command line print what the page says."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import pytest

from losslib.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "user" / "command_line.rst"


def blocks(kind: str) -> list[str]:
    """Return the code blocks of a language."""
    text = PAGE.read_text(encoding="utf-8")
    pattern = rf"^\.\. code-block:: {kind}\n\n((?:   .*\n|\n)+)"
    return [textwrap.dedent(found).strip("\n") for found in re.findall(pattern, text, flags=re.M)]


def test_the_commands_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for program in blocks("python"):
        exec(compile(program, str(PAGE), "exec"), {})
    commands = blocks("console")
    assert len(commands) >= 3
    for block in commands:
        command, _, expected = block.partition("\n")
        words = shlex.split(command.removeprefix("$ "))
        assert words[0] == "losslib"
        assert main(words[1:]) == 0
        shown = [line.strip() for line in capsys.readouterr().out.splitlines()]
        assert shown == [line.strip() for line in expected.splitlines()]
