"""Which loss: every loss is reached by three questions or declared special, and no answer is a long list."""

from __future__ import annotations

from pathlib import Path

import losslib
from losspages.catalogue import choices

DOCS = Path(__file__).parents[2] / "docs"


def test_every_loss_is_reached_and_no_list_is_long() -> None:
    leaves, special = choices.read(DOCS)
    assert list(choices.complaints(leaves, special, losslib.list_losses())) == []


def test_a_loss_that_nobody_comes_to_is_noticed() -> None:
    leaves, special = choices.read(DOCS)
    fewer = [leaf for leaf in leaves if "huber_loss" not in leaf.losses]
    assert any("huber_loss" in text for text in choices.complaints(fewer, special, losslib.list_losses()))


def test_every_group_belongs_to_one_door() -> None:
    leaves, _ = choices.read(DOCS)
    doors = {(leaf.group, leaf.door) for leaf in leaves}
    assert len(doors) == len({group for group, _ in doors})
    assert len({leaf.door for leaf in leaves}) <= 7
