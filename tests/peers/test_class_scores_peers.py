"""Ordered classes and sparse probabilities against coral-pytorch, dlordinal, entmax and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest

import losslib
from peers.agreement import assert_agree

ROWS, CLASSES = 23, 6


def scores(columns: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(columns)
    return 2 * rng.normal(size=(ROWS, columns)), np.resize(rng.permutation(CLASSES), ROWS)


def test_coral_and_corn_agree_with_their_package() -> None:
    torch, coral = pytest.importorskip("torch"), pytest.importorskip("coral_pytorch.losses")
    x, t = scores(CLASSES - 1)
    levels = (t[:, None] > np.arange(CLASSES - 1)).astype(float)
    moved = torch.tensor(x, requires_grad=True)
    wanted = coral.coral_loss(moved, torch.tensor(levels))
    (slopes,) = torch.autograd.grad(wanted, moved)
    value, gradient = losslib.coral_loss.value_and_grad(x, t)
    assert_agree(value, float(wanted.detach()), np.float64)
    assert_agree(gradient, slopes.numpy(), np.float64)
    wanted = coral.corn_loss(moved, torch.tensor(t), CLASSES)
    (slopes,) = torch.autograd.grad(wanted, moved)
    value, gradient = losslib.corn_loss.value_and_grad(x, t)
    assert_agree(value, float(wanted.detach()), np.float64)
    assert_agree(gradient, slopes.numpy(), np.float64)


def test_distances_between_classes_agree_with_dlordinal() -> None:
    torch, dlordinal = pytest.importorskip("torch"), pytest.importorskip("dlordinal.losses")
    x, t = scores()
    logits, classes = torch.tensor(x), torch.tensor(t)
    assert_agree(losslib.emd_loss(x, t), float(dlordinal.EMDLoss(CLASSES)(logits, classes)), np.float64, relative=1e-6)
    wanted = float(dlordinal.CDWCELoss(CLASSES, alpha=0.5)(logits, classes))
    assert_agree(losslib.class_distance_cross_entropy(x, t), wanted, np.float64, relative=1e-5)
    wanted = float(dlordinal.WKLoss(CLASSES, use_logits=True)(logits.float(), classes))
    assert_agree(losslib.weighted_kappa_loss(x, t), wanted, np.float32)


def test_entmax_agrees_with_its_package() -> None:
    torch, entmax = pytest.importorskip("torch"), pytest.importorskip("entmax")
    x, t = scores()
    moved = torch.tensor(x, requires_grad=True)
    for alpha, theirs in (
        (1.5, entmax.entmax15_loss(moved, torch.tensor(t))),
        (1.2, entmax.entmax_bisect_loss(moved, torch.tensor(t), 1.2, 100)),
    ):
        (slopes,) = torch.autograd.grad(theirs.sum(), moved, retain_graph=True)
        value, gradient = losslib.entmax_loss.value_and_grad(x, t, alpha=alpha, reduction="none")
        assert_agree(value, theirs.detach().numpy(), np.float64, relative=1e-9)
        assert_agree(gradient, slopes.numpy(), np.float64, relative=1e-6, size=1e4)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_cumulative_links_agree_with_statsmodels(link: str) -> None:
    models = pytest.importorskip("statsmodels.miscmodels.ordinal_model")
    rng = np.random.default_rng(2)
    x, t = rng.normal(size=(40, 1)), np.resize(np.arange(4), 40)
    model = models.OrderedModel(t, x, distr=link)
    thresholds, slope = np.array([-0.7, 0.2, 1.1]), 0.8
    steps = [thresholds[0], *np.log(np.diff(thresholds))]
    wanted = -model.loglikeobs(np.array([slope, *steps]))
    found = losslib.cumulative_link_loss(slope * x, t, thresholds, link=link, reduction="none")
    assert_agree(found, wanted, np.float64, relative=1e-10)
