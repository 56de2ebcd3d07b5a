"""What PyTorch Metric Learning and optax do otherwise on batches in which something is missing: as the pages say it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_metric_learning")
from pytorch_metric_learning import losses  # noqa: E402

X = np.random.default_rng(0).normal(size=(6, 4))
ONE_CLASS, ALL_APART = np.zeros(6, np.int64), np.arange(6)


def theirs(loss: Any, labels: np.ndarray, x: np.ndarray = X) -> float:
    return float(loss(torch.tensor(x), torch.tensor(labels)))


def test_without_negatives_the_supervised_loss_is_nothing_there() -> None:
    assert theirs(losses.SupConLoss(), ONE_CLASS) == 0.0
    assert losslib.supcon_loss(X, ONE_CLASS) > 1.0


def test_without_positive_pairs_neighbours_and_optax_have_no_number() -> None:
    assert np.isnan(theirs(losses.NCALoss(), ALL_APART))
    assert losslib.nca_loss(X, ALL_APART) == 0.0
    assert theirs(losses.NTXentLoss(), ALL_APART) == losslib.nt_xent_loss(X, ALL_APART) == 0.0
    optax = pytest.importorskip("optax")
    assert np.isnan(float(optax.losses.ntxent(X.astype(np.float32), ALL_APART)))


def test_neighbours_that_are_far_underflow_there() -> None:
    x, labels = np.array([[100.0, 0], [0, 100], [100, 1], [1, 100]]), np.array([0, 0, 1, 1])
    assert np.isnan(theirs(losses.NCALoss(softmax_scale=1000.0), labels, x))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    d = ((unit[:, None] - unit) ** 2).sum(-1)
    nearest = np.where(np.eye(4, dtype=bool), np.inf, d).min(1)
    assert losslib.nca_loss(x, labels, scale=1000.0) == pytest.approx(
        np.mean([1000.0 * (d[0, 1] - nearest[0]), 1000.0 * (d[1, 0] - nearest[1]),
                 1000.0 * (d[2, 3] - nearest[2]), 1000.0 * (d[3, 2] - nearest[3])]), rel=1e-6
    )  # fmt: skip


def test_a_generalized_structure_counts_rows_that_lack_one_kind_there() -> None:
    for labels in (ONE_CLASS, ALL_APART):
        assert theirs(losses.GeneralizedLiftedStructureLoss(), labels) > 1.0
        assert losslib.lifted_structure_loss(X, labels, generalized=True) == 0.0


def test_smooth_ap_takes_classes_for_members_there() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert abs(theirs(losses.SmoothAPLoss(), labels) - losslib.smooth_ap_loss(X, labels)) > 0.05


@pytest.mark.parametrize(
    ("name", "make", "parameters"),
    [
        ("pair_contrastive_loss", losses.ContrastiveLoss, {}),
        ("nt_xent_loss", losses.NTXentLoss, {}),
        ("supcon_loss", losses.SupConLoss, {}),
        ("multi_similarity_loss", losses.MultiSimilarityLoss, {}),
        ("circle_loss", losses.CircleLoss, {}),
    ],
)
def test_a_batch_with_one_pair_of_a_kind_is_the_same(name: str, make: Any, parameters: dict[str, Any]) -> None:
    for rows, labels in ((3, np.array([0, 0, 1])), (2, np.array([0, 1])), (2, np.array([0, 0]))):
        if name == "supcon_loss" and len(set(labels.tolist())) == 1:
            continue  # no negatives: see above
        found = getattr(losslib, name)(X[:rows], labels, **parameters)
        assert found == pytest.approx(theirs(make(), labels, X[:rows]), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("pair_contrastive_loss", losses.ContrastiveLoss),
        ("nt_xent_loss", losses.NTXentLoss),
        ("supcon_loss", losses.SupConLoss),
        ("multi_similarity_loss", losses.MultiSimilarityLoss),
        ("circle_loss", losses.CircleLoss),
    ],
)
def test_one_positive_and_one_negative_pair_are_nothing_there(name: str, make: Any) -> None:
    """A row beside a reference of two: they take a list of one pair for none."""
    row, reference, labels = X[:1], X[1:3], np.array([0, 1])
    given = [torch.tensor(array) for array in (row, labels[:1])]
    found = make()(*given, ref_emb=torch.tensor(reference), ref_labels=torch.tensor(labels))
    assert float(found) == 0.0
    assert getattr(losslib, name)(row, labels[:1], reference, labels) > 0.0
