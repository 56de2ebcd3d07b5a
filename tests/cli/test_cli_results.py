"""``losslib compute --grad``: a file is written completely or stays as it was, and no input is ever lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losslib
from losslib.cli import main


@pytest.fixture(autouse=True)
def arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {"p": rng.random(100), "y": rng.random(100), "w": rng.random(100), "k": rng.random(100) < 0.5,
             "v": rng.random(100)}  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for name, array in found.items():
        np.save(f"{name}.npy", array)
    np.savez("all.npz", **found)
    return found


def compute(*more: str) -> list[str]:
    return ["compute", "mse", "--input", "p.npy", "--target", "y.npy", "--weight", "w.npy", "--where", "k.npy", *more]


NAMES = {
    "the same path": lambda name: name,
    "a path with a dot": lambda name: f"./{name}",
    "an absolute path": os.path.abspath,
    "a symbolic link": lambda name: link(os.symlink, name),
    "a hard link": lambda name: link(os.link, name),
    "a path through a link of the directory": lambda name: f"{link(os.symlink, os.path.abspath('.'), 'here')}/{name}",
}


def link(make: Any, name: str, called: str = "linked.npy") -> str:
    make(name, called)
    return called


@pytest.mark.parametrize("name", ["p.npy", "y.npy", "w.npy", "k.npy"])
@pytest.mark.parametrize("kind", NAMES)
def test_a_gradient_is_not_written_over_an_input(name: str, kind: str, capsys: Any) -> None:
    before = Path(name).read_bytes()
    assert main(compute("--grad", NAMES[kind](name))) == 1
    assert "this is the file of an input" in capsys.readouterr().err
    assert Path(name).read_bytes() == before
    assert not any(".part" in found for found in os.listdir("."))


def test_a_part_of_an_input_is_an_input(arrays: dict[str, np.ndarray], capsys: Any) -> None:
    os.mkdir("parts")
    np.save("parts/p-1.npy", arrays["p"])
    before = Path("parts/p-1.npy").read_bytes()
    for source in ("parts", "parts/*.npy"):
        assert main(["compute", "mse", "--input", source, "--target", "y.npy", "--grad", "parts/p-1.npy"]) == 1
        assert "this is the file of an input" in capsys.readouterr().err
    assert Path("parts/p-1.npy").read_bytes() == before


def test_a_run_that_fails_leaves_the_old_file_and_nothing_else(arrays: dict[str, np.ndarray], capsys: Any) -> None:
    Path("g.npy").write_bytes(b"old")
    before = sorted(os.listdir("."))
    y = arrays["y"].copy()
    y[90] = -1.0
    np.save("y.npy", y)
    assert (
        main(["compute", "bce", "--input", "p.npy", "--target", "y.npy", "--grad", "g.npy", "--batch-rows", "9"]) == 1
    )
    assert "target[90]" in capsys.readouterr().err
    assert Path("g.npy").read_bytes() == b"old"
    assert sorted(os.listdir(".")) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_gradient_leaves_the_old_file_and_nothing_else(
    error: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    Path("g.npy").write_bytes(b"old")
    before = sorted(os.listdir("."))
    seen = []

    def interrupted(*arguments: Any) -> Any:
        seen.append(any(name.endswith(".part") for name in os.listdir(".")))
        if len(seen) == 3:
            raise error("in the middle")
        return real(*arguments)

    real = losslib.cli.job.grad_of_batch
    monkeypatch.setattr("losslib.cli.job.grad_of_batch", interrupted)
    assert main(compute("--grad", "g.npy", "--batch-rows", "10")) in (1, 130)
    capsys.readouterr()
    assert seen == [True, True, True]
    assert Path("g.npy").read_bytes() == b"old"
    assert sorted(os.listdir(".")) == before


def listen() -> None:
    """A program that a shell started in the background ignores SIGINT, and so do all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_terminated_program_leaves_the_old_file_and_nothing_else(number: str) -> None:
    Path("g.npy").write_bytes(b"old")
    np.save("p.npy", np.zeros(30_000))
    np.save("y.npy", np.zeros(30_000))
    before = sorted(os.listdir("."))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = ["compute", "mse", "--input", "p.npy", "--target", "y.npy", "--grad", "g.npy", "--batch-rows", "1"]
    with subprocess.Popen(
        [sys.executable, "-m", "losslib", *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=listen,
    ) as process:
        deadline = time.monotonic() + 60
        while not any(name.endswith(".part") for name in os.listdir(".")) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(getattr(signal, number))
        process.communicate(timeout=60)
    assert process.returncode not in (0, -getattr(signal, number))
    assert Path("g.npy").read_bytes() == b"old"
    assert sorted(os.listdir(".")) == before


def test_a_complete_gradient_replaces_the_old_file_with_its_permissions(arrays: dict[str, np.ndarray]) -> None:
    Path("g.npy").write_bytes(b"old")
    os.chmod("g.npy", 0o640)
    os.symlink("g.npy", "named.npy")
    assert main(["compute", "mse", "--input", "p.npy", "--target", "y.npy", "--grad", "named.npy"]) == 0
    np.testing.assert_allclose(np.load("g.npy"), losslib.mse_loss.grad(arrays["p"], arrays["y"]), rtol=1e-13)
    assert os.path.islink("named.npy")
    if os.name == "posix":
        assert os.stat("g.npy").st_mode & 0o777 == 0o640


@pytest.mark.parametrize("shape", [(0,), (0, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_of_no_rows_is_an_empty_file_of_the_right_form(
    shape: tuple[int, ...], dtype: Any, capsys: Any
) -> None:
    np.save("p.npy", np.zeros(shape, dtype))
    np.save("y.npy", np.zeros(shape, dtype))
    assert main(["compute", "mse", "--input", "p.npy", "--target", "y.npy", "--grad", "g.npy"]) == 0
    assert capsys.readouterr().out.split() == ["mse_loss", "nan"]
    found = np.load("g.npy")
    assert (found.shape, found.dtype) == (shape, np.dtype(dtype))
