"""``--set`` reads back what is written plainly, for every parameter of every loss and of other packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formulas import LOSS_IDS, LOSSES, loss_class, settings
from losslib.cli import main
from losslib.cli.compute import bind_losses
from losslib.declaration.schema import Array, Choice, Indices, Real
from losslib.errors import ParameterError

PER_LOSS = pytest.mark.parametrize("info", LOSSES, ids=LOSS_IDS)


def write(value: Any, *, brackets: bool = False) -> str:
    """Write the value of a parameter as people do."""
    if isinstance(value, np.ndarray | range | tuple):
        value = np.asarray(value).tolist()
    if isinstance(value, list):
        text = json.dumps(value)
        return text if brackets or len(np.shape(value)) > 1 else text.strip("[]")
    return (
        {None: "none", True: "true", False: "false"}[value] if value is None or value in (True, False) else str(value)
    )


def written(info: Any, name: str, value: Any, **form: Any) -> Any:
    return bind_losses([info.name], [(f"{info.name}.{name}", write(value, **form))], None)[0]


@PER_LOSS
def test_every_parameter_is_set_by_its_text(info: Any) -> None:
    for parameters in settings(info):
        for brackets in (False, True):
            pairs = [(name, write(value, brackets=brackets)) for name, value in parameters.items()]
            assert bind_losses([info.name], pairs, None) == [loss_class(info)(**parameters)]
    for item in info.parameters:
        values = [word for word in item.choices if item.name != "reduction"] if isinstance(item, Choice) else []
        if isinstance(item, Indices):
            values = [(0,), (2, 4)]
        if getattr(item, "optional", False) or isinstance(item, Array | Indices):
            values.append(None)
        if isinstance(item, Real):
            values += [value for value in item.also if np.isfinite(value)]
        for value in values:
            assert written(info, item.name, value) == loss_class(info)(**{item.name: value}), (item.name, value)


@PER_LOSS
def test_what_a_parameter_cannot_be_is_said_with_its_name(info: Any) -> None:
    for item in info.parameters:
        for text in ("word", "{}", "1,word"):
            with pytest.raises(ParameterError, match=f"^(--set )?{item.name}( must be|={text}: expected)"):
                bind_losses([info.name], [(item.name, text)], None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2 4", "several such as 0.5,2"),
        ("[[1,2],[3]]", "rows such as [[0,1],[1,0]]"),
        ("missing.npy", "there is no file 'missing.npy'"),
        ("text.npy", "--set weight=text.npy: "),
        ("weights.csv", "or a .npy file"),
    ],
)
def test_a_wrong_array_is_answered_with_what_it_may_be(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.npy").write_text("1\n")
    with pytest.raises(ParameterError) as error:
        bind_losses(["cross_entropy"], [("weight", text)], None)
    assert words in str(error.value)


def test_weights_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("w.npy", [0.5, 1.0, 2.0])
    ours, theirs = bind_losses(["cross_entropy", "torch:CrossEntropyLoss"], [("weight", "w.npy")], None)
    assert ours == theirs == bind_losses(["cross_entropy"], [("weight", "0.5, 1, 2")], None)[0]


@pytest.mark.parametrize("name", ["keras:BinaryCrossentropy", "BinaryCrossentropy"])
def test_names_of_other_packages_take_their_parameters(name: str, capsys: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", [[0.0, 2.0]])
    np.save(tmp_path / "y.npy", [[0.0, 1.0]])
    words = ["--set", "from_logits=true", "--input", f"{tmp_path}/p.npy", "--target", f"{tmp_path}/y.npy"]
    assert main(["compute", name, *words]) == 0
    found = float(capsys.readouterr().out.split()[-1])
    assert found == pytest.approx(np.mean([np.log(2), np.log1p(np.exp(-2))]), rel=1e-12)
