"""The command line: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

import losslib
from formulas import LOSS_IDS, LOSSES
from losslib.cli import main

PER_LOSS = pytest.mark.parametrize("info", LOSSES, ids=LOSS_IDS)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m losslib`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "losslib", *arguments], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip


def test_info_prints_version_instruction_set_and_threads(capsys: Any) -> None:
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    facts = losslib.config()
    assert text.splitlines()[0].split() == ["losslib", losslib.__version__]
    for word in (facts["isa"], "threads", facts["compiler"], facts["numpy"], facts["python"]):
        assert word in text
    losslib.show_config()
    assert capsys.readouterr().out == text


def test_info_as_json_is_the_configuration(capsys: Any) -> None:
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(losslib.config()))


def test_the_module_runs_as_a_program() -> None:
    done = run("info", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["version"] == losslib.__version__
    assert facts["isa"] in facts["isa_available"]
    assert set(facts["threads"]) >= {"openmp", "num_threads", "affinity", "cgroup_quota", "forked_child"}
    done = run("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"losslib {losslib.__version__}")


def test_list_prints_one_line_a_loss(capsys: Any) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(LOSS_IDS)
    for line, info in zip(lines, LOSSES, strict=True):
        assert info.family in line
        assert line.endswith(info.summary)
    assert main(["list", "--family", "binary"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [info.name for info in losslib.list_losses("binary")]


def test_list_as_json_names_class_family_and_aliases(capsys: Any) -> None:
    assert main(["list", "--json", "--family", "likelihood"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [info.name for info in losslib.list_losses("likelihood")]
    for row in rows:
        assert losslib.get(row["class"]).info.name == row["name"]
        assert row["family"] == "likelihood"
        for alias in row["aliases"]:
            assert losslib.get(alias).info.name == row["name"]


@PER_LOSS
def test_describe_shows_formula_parameters_and_use(info: Any, capsys: Any) -> None:
    for name in (info.name, info.class_name, *info.aliases[:1]):
        assert main(["describe", name]) == 0
        text = " ".join(capsys.readouterr().out.split())
        for words in (info.name, info.class_name, info.summary, info.formula, *info.use_when, *info.avoid_when):
            assert " ".join(words.split()) in text
        for item in info.parameters:
            assert f"{item.name} = {item.default!r}" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["describe", "hubr"], ("hubr", "did you mean")),
        (["list", "--family", "regresion"], ("regresion", "regression")),
        (["describe", "nonsense:foo"], ("no package 'nonsense'", "keras")),
        (["describe", ""], ("empty",)),
        (["list", "kers:"], ("no package 'kers'", "did you mean 'keras'")),
        (["list", ""], ("no package before the colon",)),
        (["list", "keras:MSE"], ("losslib describe keras:MSE",)),
        (["list", "--about", " "], ("no loss is found by ' '",)),
        (["bench", "keras:MSE"], ("losslib's own are taken here: mse_loss",)),
        (["bench", "mse:loss"], ("no package 'mse'",)),
    ],
)
def test_what_does_not_exist_ends_with_code_1_and_one_line_on_stderr(
    arguments: list[str], words: tuple[str, ...], capsys: Any
) -> None:
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    for word in ("losslib:", *words):
        assert word in captured.err


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["describe"], ["list", "--nonsense"], ["info", "extra"]])
def test_a_wrong_command_line_ends_with_code_2(arguments: list[str], capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: losslib" in capsys.readouterr().err


def test_help_shows_examples(capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "losslib describe huber" in capsys.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="pipes of a POSIX shell")
def test_a_reader_that_leaves_early_is_no_error() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "losslib", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert errors == b""
    assert process.returncode in (0, 1)
