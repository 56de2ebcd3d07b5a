"""Losses of batches of vectors against PyTorch Metric Learning, lightly and optax, value and gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import assert_agree

torch = pytest.importorskip("torch")
pml = pytest.importorskip("pytorch_metric_learning")
from pytorch_metric_learning import distances, losses, miners, reducers  # noqa: E402

ROWS, COMPONENTS, CLASSES = 18, 5, 4


def generator(*names: object) -> np.random.Generator:
    return np.random.default_rng(list(repr(names).encode()))


def batch(seed: str, classes: int = CLASSES, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    rng = generator("batch", seed)
    labels = np.resize(np.arange(classes), rows)
    return rng.normal(size=(classes, COMPONENTS))[labels] + rng.normal(size=(rows, COMPONENTS)), labels


#: losslib's loss with its parameters, and the loss of PyTorch Metric Learning with the same numbers.
LABELLED: list[tuple[str, dict[str, Any], Callable[[], Any]]] = [
    ("supcon_loss", {}, lambda: losses.SupConLoss()),
    ("supcon_loss", {"temperature": 0.5}, lambda: losses.SupConLoss(temperature=0.5)),
    ("nt_xent_loss", {}, lambda: losses.NTXentLoss()),
    ("nt_xent_loss", {"temperature": 0.5}, lambda: losses.NTXentLoss(temperature=0.5)),
    ("circle_loss", {}, lambda: losses.CircleLoss()),
    ("circle_loss", {"margin": 0.25, "gamma": 8.0}, lambda: losses.CircleLoss(m=0.25, gamma=8)),
    ("multi_similarity_loss", {}, lambda: losses.MultiSimilarityLoss()),
    ("lifted_structure_loss", {}, lambda: losses.LiftedStructureLoss()),
    ("lifted_structure_loss", {"generalized": True}, lambda: losses.GeneralizedLiftedStructureLoss()),
    ("batch_triplet_loss", {"mining": "all", "margin": 0.05}, lambda: losses.TripletMarginLoss()),
    (
        "batch_triplet_loss",
        {"mining": "all", "margin": 0.3, "distance": "sqeuclidean"},
        lambda: losses.TripletMarginLoss(margin=0.3, distance=distances.LpDistance(power=2)),
    ),
    ("pair_contrastive_loss", {}, lambda: losses.ContrastiveLoss()),
    (
        "pair_contrastive_loss",
        {"distance": "snr", "pos_margin": 0.1, "neg_margin": 1.5},
        lambda: losses.ContrastiveLoss(0.1, 1.5, distance=distances.SNRDistance()),
    ),
    ("nca_loss", {}, lambda: losses.NCALoss()),
    ("nca_loss", {"scale": 4.0}, lambda: losses.NCALoss(softmax_scale=4)),
    ("fast_ap_loss", {}, lambda: losses.FastAPLoss()),
]
each_labelled = pytest.mark.parametrize(
    ("name", "parameters", "make"), LABELLED, ids=[f"{name}-{parameters}" for name, parameters, _ in LABELLED]
)


def answer_of(theirs: Any, x: np.ndarray, *others: Any, **more: Any) -> tuple[float, np.ndarray]:
    """The value of a loss of PyTorch and its gradient by the vectors."""
    moved = torch.tensor(x, requires_grad=True)
    value = theirs(
        moved, *(torch.tensor(array) if isinstance(array, np.ndarray) else array for array in others), **more
    )
    (gradient,) = torch.autograd.grad(value, moved)
    return float(value.detach()), gradient.numpy()


@each_labelled
def test_batches_agree_with_pytorch_metric_learning(name: str, parameters: dict[str, Any], make: Any) -> None:
    x, labels = batch(name)
    value, gradient = getattr(losslib, name).value_and_grad(x, labels, wrt="input", **parameters)
    wanted, slopes = answer_of(make(), x, labels)
    assert_agree(value, wanted, np.float64, relative=1e-9)
    assert_agree(gradient, slopes, np.float64, relative=1e-6, size=1e5)


def test_a_generalized_structure_beside_a_reference_agrees_with_pytorch_metric_learning() -> None:
    """The form of pairs does not: there the negatives of a reference are taken from the references themselves."""
    (x, labels), (y, other) = batch("lifted"), batch("lifted reference", rows=11)
    theirs = {"ref_emb": torch.tensor(y), "ref_labels": torch.tensor(other)}
    value, (gradient, by_reference) = losslib.lifted_structure_loss.value_and_grad(
        x, labels, y, other, generalized=True, wrt=("input", "reference")
    )
    wanted, slopes = answer_of(losses.GeneralizedLiftedStructureLoss(), x, labels, **theirs)
    assert_agree(value, wanted, np.float64, relative=1e-9)
    assert_agree(gradient, slopes, np.float64, relative=1e-6, size=1e5)
    assert by_reference.any()
    wanted, _ = answer_of(losses.LiftedStructureLoss(), x, labels, **theirs)
    assert abs(losslib.lifted_structure_loss(x, labels, y, other) - wanted) > 1e-3


def test_borders_beside_a_reference_agree_with_pytorch_metric_learning() -> None:
    (x, labels), (y, other) = batch("border"), batch("border reference", rows=11)
    theirs = {"ref_emb": torch.tensor(y), "ref_labels": torch.tensor(other)}
    wanted, slopes = answer_of(losses.MarginLoss(beta=1.25), x, labels, **theirs)
    value, gradient = losslib.margin_loss.value_and_grad(x, labels, 1.25, y, other, wrt="input")
    assert_agree(value, wanted, np.float64, relative=1e-7)
    assert_agree(gradient, slopes, np.float64, relative=1e-6, size=1e5)


REFERENCED = (
    *("supcon_loss", "nt_xent_loss", "multi_similarity_loss", "batch_triplet_loss", "circle_loss"),
    *("nca_loss", "pair_contrastive_loss"),
)


@pytest.mark.parametrize("name", REFERENCED)
def test_references_agree_with_pytorch_metric_learning(name: str) -> None:
    (x, labels), (y, other) = batch(name), batch(f"{name} reference", rows=11)
    make = {key: make for key, parameters, make in LABELLED if parameters in ({}, {"mining": "all", "margin": 0.05})}
    parameters = {"mining": "all", "margin": 0.05} if name == "batch_triplet_loss" else {}
    value, gradient = getattr(losslib, name).value_and_grad(x, labels, y, other, wrt="input", **parameters)
    wanted, slopes = answer_of(make[name](), x, labels, ref_emb=torch.tensor(y), ref_labels=torch.tensor(other))
    assert_agree(value, wanted, np.float64, relative=1e-9)
    assert_agree(gradient, slopes, np.float64, relative=1e-6, size=1e5)


def test_the_margin_loss_agrees_with_a_border_that_float32_holds() -> None:
    x, labels = batch("margin")
    wanted, slopes = answer_of(losses.MarginLoss(beta=1.25), x, labels)
    value, gradient = losslib.margin_loss.value_and_grad(x, labels, 1.25, wrt="input")
    assert_agree(value, wanted, np.float64, relative=1e-7)
    assert_agree(gradient, slopes, np.float64, relative=1e-6, size=1e5)


def test_batch_hard_agrees_with_its_miner() -> None:
    x, labels = batch("hard")
    theirs = losses.TripletMarginLoss(margin=1.0, reducer=reducers.MeanReducer())
    wanted, slopes = answer_of(lambda moved, t: theirs(moved, t, miners.BatchHardMiner()(moved, t)), x, labels)
    value, gradient = losslib.batch_triplet_loss.value_and_grad(x, labels)
    assert_agree(value, wanted, np.float64, relative=1e-9)
    assert_agree(gradient, slopes, np.float64, relative=1e-6, size=1e5)


def test_smooth_ap_agrees_where_theirs_is_right() -> None:
    """As many classes as members of each: else it confuses the two."""
    x, labels = batch("smooth", classes=4, rows=16)
    labels = np.repeat(np.arange(4), 4)
    wanted, slopes = answer_of(losses.SmoothAPLoss(), x, labels)
    value, gradient = losslib.smooth_ap_loss.value_and_grad(x, labels)
    assert_agree(value, wanted, np.float64, relative=1e-6)
    assert_agree(gradient, slopes, np.float64, relative=1e-4, size=1e8)


@pytest.mark.parametrize(
    ("name", "make", "options"),
    [
        ("proxy_nca_loss", lambda: losses.ProxyNCALoss(CLASSES, COMPONENTS), {}),
        ("proxy_anchor_loss", lambda: losses.ProxyAnchorLoss(CLASSES, COMPONENTS), {}),
    ],
)
def test_proxies_agree_with_pytorch_metric_learning(name: str, make: Any, options: dict[str, Any]) -> None:
    x, labels = batch(name)
    theirs = make().double()
    proxies = theirs.proxies.detach().numpy()
    wanted, slopes = answer_of(theirs, x, labels)
    value, (gradient, by_proxies) = getattr(losslib, name).value_and_grad(x, labels, proxies, **options)
    assert_agree(value, wanted, np.float64, relative=1e-9)
    assert_agree(gradient, slopes, np.float64, relative=1e-6, size=1e5)
    theirs(torch.tensor(x), torch.tensor(labels)).backward()
    assert_agree(by_proxies, theirs.proxies.grad.numpy(), np.float64, relative=1e-6, size=1e5)


def test_soft_triple_agrees_with_pytorch_metric_learning() -> None:
    x, labels = batch("soft triple")
    theirs = losses.SoftTripleLoss(CLASSES, COMPONENTS, centers_per_class=3).double()
    centers = theirs.fc.detach().numpy().T.reshape(CLASSES, 3, COMPONENTS)
    value, gradient = losslib.soft_triple_loss.value_and_grad(x, labels, centers, wrt="input")
    wanted, slopes = answer_of(theirs, x, labels)
    assert_agree(value, wanted, np.float64, relative=1e-9)
    assert_agree(gradient, slopes, np.float64, relative=1e-6, size=1e5)


@pytest.mark.parametrize(
    ("name", "make", "options"),
    [
        ("arcface_loss", lambda: losses.ArcFaceLoss(CLASSES, COMPONENTS), {"margin": np.radians(28.6)}),
        ("cosface_loss", lambda: losses.CosFaceLoss(CLASSES, COMPONENTS), {}),
        (
            "arcface_loss",
            lambda: losses.SubCenterArcFaceLoss(num_classes=CLASSES, embedding_size=COMPONENTS, sub_centers=3),
            {"margin": np.radians(28.6), "sub_centers": 3},
        ),
    ],
    ids=["arcface", "cosface", "sub-centres"],
)
def test_angular_margins_agree_with_pytorch_metric_learning(name: str, make: Any, options: dict[str, Any]) -> None:
    x, labels = batch("angles")
    theirs = make().double()
    w = theirs.W.detach().numpy()
    cosines = x / np.linalg.norm(x, axis=1, keepdims=True) @ (w / np.linalg.norm(w, axis=0))
    wanted, _ = answer_of(theirs, x, labels)
    assert_agree(getattr(losslib, name)(cosines, labels, **options), wanted, np.float64, relative=1e-9)


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_sphereface_agrees_with_pytorch_metric_learning() -> None:
    x, labels = batch("sphere")
    theirs = losses.SphereFaceLoss(CLASSES, COMPONENTS, margin=4, scale=1).double()
    w, norms = theirs.W.detach().numpy(), np.linalg.norm(x, axis=1)
    cosines = x / norms[:, None] @ (w / np.linalg.norm(w, axis=0))
    wanted, _ = answer_of(theirs, x, labels)
    assert_agree(losslib.sphereface_loss(cosines, labels, scale=norms), wanted, np.float64, relative=1e-9)


def test_vicreg_agrees_with_pytorch_metric_learning() -> None:
    x, _ = batch("vicreg one")
    y, _ = batch("vicreg two")
    wanted, slopes = answer_of(losses.VICRegLoss(), x, ref_emb=torch.tensor(y))
    value, gradient = losslib.vicreg_loss.value_and_grad(x, y, wrt="input1")
    assert_agree(value, wanted, np.float64, relative=1e-9)
    assert_agree(gradient, slopes, np.float64, relative=1e-6, size=1e5)


def test_n_pairs_agrees_with_pytorch_metric_learning() -> None:
    x, _ = batch("n pairs")
    labels = np.repeat(np.arange(ROWS // 2), 2)
    theirs = losses.NPairsLoss(distance=distances.DotProductSimilarity(normalize_embeddings=False))
    wanted = float(theirs(torch.tensor(x), torch.tensor(labels)))
    assert_agree(losslib.n_pairs_loss(x[::2], x[1::2], l2_reg=0.0), wanted, np.float64, relative=1e-9)


def test_ntxent_agrees_with_optax() -> None:
    optax = pytest.importorskip("optax")
    x, labels = batch("optax")
    wanted = float(optax.losses.ntxent(x.astype(np.float32), labels, temperature=0.5))
    assert_agree(losslib.nt_xent_loss(x, labels, temperature=0.5), wanted, np.float32)


def test_views_agree_with_lightly() -> None:
    lightly = pytest.importorskip("lightly.loss")
    x, y = (torch.tensor(batch(f"lightly {k}")[0]) for k in (1, 2))
    wanted = float(lightly.NTXentLoss(0.5)(x, y))
    simclr = {"temperature": 0.5, "symmetric": True, "intra": True}
    assert_agree(losslib.info_nce_loss(x, y, **simclr), wanted, np.float64, relative=1e-9)
    wanted = float(lightly.DCLLoss(0.5)(x, y))
    assert_agree(losslib.info_nce_loss(x, y, decoupled=True, **simclr), wanted, np.float64, relative=1e-9)
    assert_agree(losslib.barlow_twins_loss(x, y), float(lightly.BarlowTwinsLoss()(x, y)), np.float64, relative=1e-6)
    assert_agree(losslib.vicreg_loss(x, y), float(lightly.VICRegLoss()(x, y)), np.float64, relative=1e-9)


def test_images_and_texts_agree_with_open_clip() -> None:
    open_clip = pytest.importorskip("open_clip.loss")
    x, y = (torch.nn.functional.normalize(torch.tensor(batch(f"clip {k}")[0])) for k in (1, 2))
    assert_agree(losslib.clip_loss(x, y, 20.0), float(open_clip.ClipLoss()(x, y, 20.0)), np.float64, relative=1e-9)
    wanted = float(open_clip.SigLipLoss()(x, y, torch.tensor(10.0).double(), torch.tensor(-10.0).double()))
    assert_agree(losslib.siglip_loss(x, y, 10.0, -10.0), wanted, np.float64, relative=1e-9)


@pytest.mark.parametrize(("name", "theirs"), [("clip_loss", "ClipLoss"), ("siglip_loss", "SigLipLoss")])
def test_scale_and_bias_are_learnt_as_in_open_clip(name: str, theirs: str) -> None:
    open_clip = pytest.importorskip("open_clip.loss")
    views = [torch.nn.functional.normalize(torch.tensor(batch(f"learnt {k}")[0])).numpy() for k in (1, 2)]
    numbers = [np.float64(10.0), np.float64(-4.0)][: 1 + (name == "siglip_loss")]
    moved = [torch.tensor(array, requires_grad=True) for array in (*views, *numbers)]
    wanted = getattr(open_clip, theirs)()(*moved)
    wanted.backward()
    loss = getattr(losslib, name)
    value, grads = loss.value_and_grad(*views, *numbers, normalize=False, wrt=loss.info.input_names)
    assert_agree(value, float(wanted.detach()), np.float64, relative=1e-9)
    for ours, tensor in zip(grads, moved, strict=True):
        assert_agree(ours, tensor.grad.numpy(), np.float64, relative=1e-8, size=1e3)
