"""Losses by what they are for: the keywords of the declarations, and the search of the command line."""

from __future__ import annotations

import pytest

import losslib
from losslib.cli.catalogue import list_losses
from losslib.declaration.keywords import SYNONYMS, found_by, places_of

LOSSES = losslib.list_losses()


def test_every_group_of_synonyms_leads_to_a_loss() -> None:
    found = {phrase for info in LOSSES for phrase in places_of(info)}
    assert [group for group in SYNONYMS if not set(group) <= found] == []


def test_no_word_is_in_two_groups_unless_as_a_tag() -> None:
    tags = {tag for info in LOSSES for tag in info.tags}
    words = [word for group in SYNONYMS for word in group if word not in tags]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("info", LOSSES, ids=lambda info: info.name)
def test_keywords_are_plain_words_with_places(info: losslib.LossInfo) -> None:
    first = {group[0] for group in SYNONYMS}
    synonyms = {word for group in SYNONYMS for word in group[1:]}
    for word, place in info.keywords.items():
        assert word == word.lower().strip()
        assert place >= 1
        assert word in first or word not in synonyms, f"declare {word!r} by the first word of its group"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("noisy labels", "generalized_cross_entropy"),
        ("imbalanced", "sigmoid_focal_loss"),
        ("Skewed classes", "sigmoid_focal_loss"),
        ("RMSE", "mse_loss"),
        ("quantiles", "quantile_loss"),
        ("pinball", "quantile_loss"),
        ("log loss", "binary_cross_entropy"),
        ("zero inflated", "tweedie_nll_loss"),
        ("censored", "cox_ph_loss"),
        ("iou", "generalized_box_iou_loss"),
    ],
)
def test_the_meant_loss_comes_first(words: str, name: str) -> None:
    assert [info.name for info in found_by(words, LOSSES)][:1] == [name]


def test_losses_with_a_hessian_are_found_by_the_word() -> None:
    assert {info.name for info in found_by("hessian", LOSSES)} >= {info.name for info in LOSSES if info.has_hessian}


def test_the_command_line_says_when_nothing_is_found() -> None:
    with pytest.raises(losslib.ParameterError, match="no loss is found by 'frobnicate'"):
        list_losses(None, False, about="frobnicate")
