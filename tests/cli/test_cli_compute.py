"""``losslib compute``, ``bench`` and ``completion`` on NumPy's files: values, groups, gradients, messages, codes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib
from losslib.cli import completion, main, make_parser

N = 5003


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Arrays of 5003 samples, saved in the current directory: each as .npy, and all in one .npz."""
    rng = np.random.default_rng(0)
    arrays = {
        "p": rng.standard_normal(N).astype(np.float32),
        "y": rng.standard_normal(N).astype(np.float32),
        "v": rng.uniform(0.5, 2.0, N).astype(np.float32),
        "w": rng.random(N),
        "keep": rng.random(N) < 0.5,
        "region": rng.choice(["north", "south"], N),
        "logits": rng.standard_normal((N, 3)),
        "class": rng.integers(0, 3, N),
    }
    monkeypatch.chdir(tmp_path)
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    np.savez_compressed("all.npz", **arrays)
    return arrays


def values(capsys: Any, *arguments: str) -> dict[str, float]:
    """Run the command and read its table."""
    assert main(["compute", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return {line.split()[0]: float(line.split()[1]) for line in captured.out.splitlines()}


@pytest.mark.parametrize("batch", [[], ["--batch-rows", "1000"], ["--batch-rows", "1"]])
def test_several_losses_in_one_pass(data: Any, capsys: Any, batch: list[str]) -> None:
    if batch == ["--batch-rows", "1"]:
        np.save("p.npy", data["p"][:50])
        np.save("y.npy", data["y"][:50])
    p, y = np.load("p.npy"), np.load("y.npy")
    found = values(capsys, "mse", "HuberLoss", "quantile", "--set", "huber_loss.delta=0.5", "--set", "quantile=0.9",
                   "--input", "p.npy", "--target", "y.npy", *batch)  # fmt: skip
    assert found == pytest.approx(
        {
            "mse_loss": losslib.mse_loss(p, y),
            "huber_loss": losslib.huber_loss(p, y, delta=0.5),
            "quantile_loss": losslib.quantile_loss(p, y, quantile=0.9),
        },
        rel=1e-13,
    )


def test_archives_are_read_by_member_and_mixed_with_other_files(data: Any, capsys: Any) -> None:
    expected = {"mse_loss": pytest.approx(losslib.mse_loss(data["p"], data["y"]), rel=1e-13)}
    assert values(capsys, "mse", "--input", "all.npz:p", "--target", ":y", "--batch-rows", "999") == expected
    assert values(capsys, "mse", "--input", "p.npy", "--target", "all.npz:y") == expected


def test_weights_masks_reductions_and_further_inputs(data: Any, capsys: Any) -> None:
    found = values(capsys, "gaussian_nll_loss", "--input", "p.npy", "--target", "y.npy", "--read", "var=v.npy",
                   "--weight", "w.npy", "--where", "keep.npy", "--reduction", "weighted_mean",
                   "--batch-rows", "700")  # fmt: skip
    expected = losslib.gaussian_nll_loss(
        data["p"], data["y"], data["v"], sample_weight=data["w"], where=data["keep"], reduction="weighted_mean"
    )
    assert found == {"gaussian_nll_loss": pytest.approx(expected, rel=1e-13)}


def test_rows_of_classes(data: Any, capsys: Any) -> None:
    found = values(capsys, "cross_entropy", "--input", "logits.npy", "--target", "class.npy",
                   "--set", "weight=[0.5, 1, 2]")  # fmt: skip
    expected = losslib.cross_entropy(data["logits"], data["class"], weight=[0.5, 1, 2])
    assert found == {"cross_entropy": pytest.approx(expected, rel=1e-13)}


def test_groups_as_a_table_and_as_json(data: Any, capsys: Any) -> None:
    arguments = ["compute", "mse", "l1", "--input", "p.npy", "--target", "y.npy", "--by", "region.npy"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["mse_loss", "l1_loss"]
    for line in lines[1:]:
        key, *found = line.split()
        mine = data["region"] == key
        expected = [
            losslib.mse_loss(data["p"][mine], data["y"][mine]),
            losslib.l1_loss(data["p"][mine], data["y"][mine]),
        ]
        assert [float(text) for text in found] == pytest.approx(expected, rel=1e-13)
    assert len(lines) == 3
    assert main([*arguments, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["loss"] for row in rows] == ["mse_loss", "l1_loss"]
    assert [group["key"] for group in rows[0]["groups"]] == ["north", "south"]
    assert eval(f"losslib.{rows[0]['object']}") == losslib.MSELoss()


def test_json_writes_null_for_a_value_that_it_has_no_word_for(data: Any, capsys: Any) -> None:
    np.save("none.npy", np.zeros(N, bool))
    assert main(["compute", "mse", "--input", "p.npy", "--target", "y.npy", "--where", "none.npy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["value"] is None


@pytest.mark.parametrize("reduction", ["mean", "sum", "weighted_mean"])
def test_the_gradient_is_that_of_all_rows(data: Any, capsys: Any, reduction: str) -> None:
    values(capsys, "huber", "--input", "p.npy", "--target", "y.npy", "--weight", "w.npy", "--where", "keep.npy",
           "--reduction", reduction, "--grad", "g.npy", "--batch-rows", "999")  # fmt: skip
    expected = losslib.huber_loss.grad(
        data["p"], data["y"], sample_weight=data["w"], where=data["keep"], reduction=reduction
    )
    found = np.load("g.npy")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_gradient_of_rows_and_of_another_input(data: Any, capsys: Any) -> None:
    values(capsys, "cross_entropy", "--input", "logits.npy", "--target", "class.npy", "--grad", "g.npy")
    expected = losslib.cross_entropy.grad(data["logits"], data["class"])
    np.testing.assert_allclose(np.load("g.npy"), expected, rtol=1e-13)
    values(capsys, "gaussian_nll_loss", "--input", "p.npy", "--target", "y.npy", "--read", "var=v.npy",
           "--grad", "g.npy", "--wrt", "var")  # fmt: skip
    expected = losslib.gaussian_nll_loss.grad(data["p"], data["y"], data["v"], wrt="var")
    np.testing.assert_allclose(np.load("g.npy"), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("hubr --input p.npy --target y.npy", "did you mean"),
        ("mse p.npy y.npy", "p.npy stands where names of losses are; arrays come after --input"),
        ("mse :region --input p.npy --target y.npy", ":region stands where names of losses are"),
        ("mse --input p.npy", "give --target"),
        ("mse --input q.npy --target y.npy", "no file 'q.npy'"),
        ("mse --input :p --target y.npy", "give the first a file"),
        ("mse --input p.npy:a --target y.npy", "leave out ':a'"),
        ("mse --input all.npz --target y.npy", "say which: all.npz:p"),
        ("mse --input all.npz:regin --target y.npy", "did you mean 'region'"),
        ("mse --input text.odd --target y.npy", "known are .npy"),
        ("mse --input text.npy --target y.npy", "not in NumPy's format"),
        ("mse --input cut.npy --target y.npy", "cut off"),
        ("mse --input short.npy --target y.npy", "differ in length"),
        ("mse --input region.npy --target y.npy", "strings; convert them to numbers"),
        ("mse --input p.npy --target y.npy --set delta=2", "no parameter 'delta'"),
        ("huber --input p.npy --target y.npy --set delta=-2", "delta must be a finite number > 0"),
        ("mse --input p.npy --target y.npy --reduction none", "use mean, sum or another"),
        ("mse --input p.npy --target y.npy --reduction men", "reduction must be one of"),
        ("mse cross_entropy triplet_margin_loss --input p.npy --target y.npy", "take the same inputs"),
        ("gaussian_nll_loss --input p.npy --target y.npy", "--read var=FILE"),
        ("mse --input p.npy --target y.npy --read vr=v.npy", "mse_loss takes input, target"),
        ("mse l1 --input p.npy --target y.npy --grad g.npy", "a single loss"),
        ("mse --input p.npy --target y.npy --grad g.csv", "name a .npy file"),
        ("mse --input p.npy --target y.npy --grad g.npy --wrt weight", "has derivatives for"),
        ("mse --input p.npy --target y.npy --grad missing/g.npy", "missing/g.npy"),
        ("bce --input p.npy --target y.npy", "outside the domain"),
        ("mse --input all.npz:p --target :y --dask tcp://127.0.0.1:1", "distributed|cut into pieces"),
    ],
)
def test_a_mistake_ends_with_code_1_and_one_line_that_says_what_to_do(
    data: Any, capsys: Any, arguments: str, words: str
) -> None:
    Path("text.odd").write_text("1\n")
    Path("text.npy").write_text("1\n")
    Path("cut.npy").write_bytes(Path("p.npy").read_bytes()[:-100])
    np.save("short.npy", data["p"][:-1])
    assert main(["compute", *arguments.split()]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("losslib: ")
    assert captured.err.count("\n") == 1
    assert any(word in captured.err for word in words.split("|")), captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "mse --nonsense",
        "mse --set delta",
        "mse --set =2",
        "mse --batch-rows 0",
        "mse --batch-rows many",
        "mse --read p.npy",
    ],
)
def test_a_wrong_command_line_ends_with_code_2(arguments: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["compute", *arguments.split()])
    assert stop.value.code == 2
    assert "usage: losslib" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["list", "describe", "compute", "bench", "info", "completion"])
def test_the_help_of_every_command_has_an_example(command: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert f"  losslib {command}" in text[text.index("example") :]


def test_colours_are_for_terminals_without_no_color(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    main(["describe", "mse"])
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    main(["describe", "mse"])
    assert "\x1b[1mmse_loss" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    main(["describe", "mse"])
    assert "\x1b" not in capsys.readouterr().out


# ---- bench -------------------------------------------------------------------------------------------------------


def test_bench_measures_every_kind_of_loss(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("losslib.cli.bench.DURATION", 0.0)
    assert main(["bench", "--elements", "1000", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    measured = [row["loss"] for row in found["nanoseconds_per_element"]]
    assert measured == [info.name for info in losslib.list_losses()]
    for row in found["nanoseconds_per_element"]:
        assert all(row[name] > 0 for name in ("value", "gradient", "both"))


def test_bench_prints_a_table_and_refuses_what_it_cannot_do(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("losslib.cli.bench.DURATION", 0.0)
    assert main(["bench", "mse", "--elements", "100", "--dtype", "float64"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "100 elements of float64" in lines[0]
    assert lines[2].split()[0] == "mse_loss"
    assert main(["bench", "--elements", "0"]) == 1


# ---- completion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_completion_knows_commands_options_and_losses(shell: str, capsys: Any) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    for name, options in completion.commands_of(make_parser()).items():
        assert name in text
        for option in options:
            assert (option if shell != "fish" else option.removeprefix("--")) in text
    for info in losslib.list_losses():
        assert info.name in text


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["losslib", "comp"], {"compute", "completion"}),
        (["losslib", "describe", "triplet"], {"triplet_margin_loss", "triplet_margin_with_distance_loss"}),
        (["losslib", "compute", "mse", "--we"], {"--weight"}),
        (["losslib", "completion", "z"], {"zsh"}),
    ],
)
def test_bash_completes(words: list[str], expected: set[str], capsys: Any) -> None:
    main(["completion", "bash"])
    script = capsys.readouterr().out
    line = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _losslib; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", f"{script}\n{line}"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == expected
