"""Facts are measured: what is measured is right where it is known, and a wrong tag or range fails the build."""

from __future__ import annotations

import dataclasses

import pytest

from losslib.declaration import registry
from losspages.catalogue import tags
from losspages.checks import facts
from losspages.checks.verify import Disagreement
from losspages.template.fact_strip import facts_of


def default(name: str) -> facts.Facts:
    return facts.measure(registry.info_of(name))[0]


@pytest.mark.parametrize(
    ("name", "convex", "smooth", "bounded"),
    [
        ("mse_loss", True, True, False),
        ("l1_loss", True, False, True),
        ("huber_loss", True, True, True),
        ("cauchy_loss", False, True, True),
        ("tukey_biweight_loss", False, True, True),
        ("hinge_loss", True, False, True),
        ("squared_hinge_loss", True, True, False),
        ("binary_cross_entropy_with_logits", True, True, True),
        ("exponential_loss", True, True, False),
    ],
)
def test_shapes_that_are_known(name: str, convex: bool, smooth: bool, bounded: bool) -> None:
    found = default(name)
    assert (found.convex, found.smooth, found.bounded_slope) == (convex, smooth, bounded)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mse_loss", "the mean"),
        ("l1_loss", "the median"),
        ("poisson_nll_loss", "the logarithm of the mean"),
        ("mean_absolute_percentage_error", "the median, weighted by 1/|target|"),
        ("binary_cross_entropy", "the probability"),
        ("binary_cross_entropy_with_logits", "the logit of the probability"),
        ("exponential_loss", "half the logit of the probability"),
        ("hinge_loss", "the class"),
    ],
)
def test_best_constants_that_are_known(name: str, words: str) -> None:
    assert default(name).estimates == words


def test_settings_are_measured_each() -> None:
    found = {str(one.parameters): one.estimates for one in facts.measure(registry.info_of("quantile_loss"))}
    assert found["{'quantile': 0.9}"] == "the quantile 0.9"
    tweedie = {str(one.parameters): one.convex for one in facts.measure(registry.info_of("tweedie_nll_loss"))}
    assert tweedie["{}"]
    assert not tweedie["{'log_input': False}"]
    assert any(one.convex is False for one in facts.measure(registry.info_of("barron_loss")))


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("huber_loss", "convex"),
        ("huber_loss", "smooth"),
        ("cauchy_loss", "convex"),
        ("cauchy_loss", "smooth"),
        ("hinge_loss", "proper"),
        ("dice_loss", "convex"),
    ],
)
def test_a_wrong_tag_is_noticed(name: str, tag: str) -> None:
    info = registry.info_of(name)
    facts.check(info)
    wrong = dataclasses.replace(info, tags=tuple(set(info.tags) ^ {tag}))
    with pytest.raises(Disagreement, match=f"the tag {tag!r} is"):
        facts.check(wrong)


@pytest.mark.parametrize(("name", "tag"), [("mse_loss", "robust"), ("cauchy_loss", "bounded")])
def test_a_tag_of_a_bound_that_there_is_not_is_noticed(name: str, tag: str) -> None:
    info = registry.info_of(name)
    with pytest.raises(Disagreement, match=f"the tag {tag!r} says"):
        facts.check(dataclasses.replace(info, tags=(*info.tags, tag)))


def test_every_tag_has_a_meaning_and_the_page_says_which_are_measured() -> None:
    infos = registry.all_losses()
    assert {tag for info in infos for tag in info.tags} - set(tags.MEANINGS) == set()
    text = tags.page(infos)
    for tag in tags.MEASURED:
        assert f":ref:`{tag} <" in text


def test_a_wrong_range_is_noticed() -> None:
    info = dataclasses.replace(registry.info_of("poisson_nll_loss"), value_range="[0, inf)")
    with pytest.raises(Disagreement, match="its values go down to"):
        facts.check(info)


@pytest.mark.parametrize("info", registry.all_losses(), ids=lambda info: info.name)
def test_every_page_has_facts(info) -> None:  # type: ignore[no-untyped-def]
    rows = dict(facts_of(info, facts.measure(info)))
    assert rows["range"]
    assert "Hessian" in rows
