"""What was found out about a loss is kept while nothing that it depends on changes, and no longer."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from losslib.declaration import registry
from losspages import examination
from losspages.checks import cache

INFO = registry.info_of("hinge_loss")


def test_an_examined_loss_comes_back_from_the_cache_as_it_was(tmp_path: Path) -> None:
    found = examination.examine(INFO)
    assert found.problems == []
    assert cache.read(tmp_path, INFO) is None
    cache.write(tmp_path, INFO, found)
    again = cache.read(tmp_path, INFO)
    assert again.text == found.text
    assert again.facts.info is INFO
    assert again.facts.formula.numbers == found.facts.formula.numbers
    assert again.facts.measured == found.facts.measured
    assert cache.read(tmp_path, registry.info_of("squared_hinge_loss")) is None


def test_a_change_of_a_declaration_or_of_what_it_is_made_of_makes_it_examined_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cache.key(INFO)
    source = next(iter(cache.sources_of("binary_margin")))
    copy = tmp_path / source.name
    copy.write_text(source.read_text() + "# a change\n")
    monkeypatch.setattr(cache, "sources_of", lambda module: {copy})
    assert cache.key(INFO) != before
    monkeypatch.undo()
    assert cache.key(INFO) == before
    monkeypatch.setattr(cache, "common", lambda: "another kernel")
    assert cache.key(INFO) != before


def test_a_declaration_depends_on_the_modules_that_it_takes_texts_from() -> None:
    names = {path.stem for path in cache.sources_of(cache.declaring_module(registry.info_of("cauchy_loss")))}
    assert {"robust", "regression"} <= names


def test_a_loss_that_disagrees_is_reported_and_not_kept(tmp_path: Path) -> None:
    wrong = dataclasses.replace(INFO, formula=f"-({INFO.formula})")
    found = examination.examine(wrong)
    assert any("hinge_loss: the value" in text for text in found.problems)
    assert found.facts is None
