"""The losses of regions against MONAI, segmentation-models, kornia, Keras and optax: the table of conventions."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import losslib
from peers.agreement import DTYPES, assert_agree

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])

SAMPLES, CLASSES, GRID = 3, 4, (5, 6)


def package(name: str) -> Any:
    """Import a package of losses."""
    return pytest.importorskip(name)


def draw(dtype: Any, *, logits: bool = True, absent: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([logits, absent])
    shape = (SAMPLES, CLASSES, *GRID)
    x = rng.normal(size=shape) * 2 if logits else rng.uniform(0.02, 0.98, shape)
    t = rng.integers(0, CLASSES, (SAMPLES, *GRID))
    if absent:
        t[t == 2] = 0
        t[1][t[1] == 3] = 1
    return x.astype(dtype), t


def one_hot(t: np.ndarray, dtype: Any) -> np.ndarray:
    return np.moveaxis(np.eye(CLASSES)[t], -1, 1).astype(dtype)


def agree(
    theirs: Callable[..., Any],
    ours: Any,
    x: np.ndarray,
    t: Any,
    given: Any,
    dtype: Any,
    size: float = 1.0,
    **options: Any,
) -> None:
    """Compare value and gradient of a peer's call on tensors with those of ours."""
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(x.copy()).requires_grad_(True)
    expected = theirs(tensor, torch.from_numpy(given))
    expected.sum().backward()
    value, grad = ours.value_and_grad(x, t, **options)
    assert_agree(value, expected.detach().numpy(), dtype, size=size)
    assert_agree(grad, tensor.grad.numpy(), dtype, size=size)


# ---- MONAI ---------------------------------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("jaccard", [False, True])
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("activation", ["none", "sigmoid", "softmax"])
def test_dice_and_jaccard_are_those_of_monai(activation: str, batch: bool, jaccard: bool, dtype: Any) -> None:
    losses = package("monai.losses")
    ours = losslib.jaccard_loss if jaccard else losslib.dice_loss
    for squared, background, reduction, soft in itertools.product(
        (False, True), (False, True), ("mean", "sum"), (False, True)
    ):
        x, t = draw(dtype, logits=activation != "none", absent=True)
        half = 2.0 if jaccard else 1.0  # its doubled denominator
        theirs = losses.DiceLoss(
            include_background=background, sigmoid=activation == "sigmoid", softmax=activation == "softmax",
            squared_pred=squared, jaccard=jaccard, batch=batch, reduction=reduction, smooth_nr=0.25, smooth_dr=0.75,
            soft_label=soft, weight=None if not background else [0.5, 1.0, 2.0, 0.25],
        )  # fmt: skip
        options: dict[str, Any] = {"weight": [0.5, 1.0, 2.0, 0.25]} if background else {"classes": (1, 2, 3)}
        given = one_hot(t, dtype)
        if soft:
            given = given * 0.75 + np.asarray(0.0625, dtype)
            options["intersection"] = "min"
        agree(theirs, ours, x, given if soft else t, given, dtype, activation=activation, squared=squared,
              per="class" if batch else "sample_class", reduction=reduction, smooth=0.25 / half, eps=0.5 / half,
              size=4.0, **options)  # fmt: skip


@each_dtype
def test_other_losses_are_those_of_monai(dtype: Any) -> None:
    losses = package("monai.losses")
    x, t = draw(dtype)
    hot, labels = one_hot(t, dtype), t[:, np.newaxis]
    agree(
        losses.TverskyLoss(softmax=True, alpha=0.3, beta=0.7, smooth_nr=0.5, smooth_dr=0.75),
        losslib.tversky_loss, x, t, hot, dtype,
        activation="softmax", alpha=0.3, beta=0.7, smooth=0.5, eps=0.25,
    )  # fmt: skip
    for batch in (False, True):
        agree(
            losses.DiceCELoss(to_onehot_y=True, softmax=True, batch=batch, lambda_dice=0.5, lambda_ce=2.0,
                              label_smoothing=0.1),
            losslib.dice_cross_entropy_loss, x, t, labels, dtype, size=4.0,
            dice_weight=0.5, ce_weight=2.0, label_smoothing=0.1, per="class" if batch else "sample_class",
        )  # fmt: skip
    agree(
        losses.DiceCELoss(sigmoid=True), losslib.dice_cross_entropy_loss, x[:, :1], hot[:, 1:2], hot[:, 1:2], dtype,
        activation="sigmoid",
    )  # fmt: skip


@each_dtype
def test_ratios_over_classes_are_those_of_monai(dtype: Any) -> None:
    losses = package("monai.losses")
    torch = pytest.importorskip("torch")
    x, t = draw(dtype, absent=True)
    hot = one_hot(t, dtype)
    for kind, batch in itertools.product(("square", "simple", "uniform"), (False, True)):
        theirs = losses.GeneralizedDiceLoss(softmax=True, w_type=kind, batch=batch, smooth_nr=0.25, smooth_dr=0.5)
        # Its weights are rounded to float32 whatever the input is.
        agree(theirs, losslib.generalized_dice_loss, x, t, hot, np.float32, activation="softmax", weighting=kind,
              per="all" if batch else "sample", smooth=0.25, eps=0.25)  # fmt: skip
    distances = np.array([[0, 1, 1, 1], [1, 0, 0.5, 0.25], [1, 0.5, 0, 0.5], [1, 0.25, 0.5, 0]])
    for kind, ours in (("default", "foreground"), ("GDL", "size")):
        theirs = losses.GeneralizedWassersteinDiceLoss(torch.from_numpy(distances.astype(dtype)), kind)
        agree(theirs, losslib.generalized_wasserstein_dice_loss, x, t, t[:, np.newaxis], np.float32,
              activation="softmax", distances=distances, weighting=ours)  # fmt: skip


@each_dtype
def test_unified_focal_is_that_of_monai(dtype: Any) -> None:
    losses = package("monai.losses")
    rng = np.random.default_rng(0)
    p, t = rng.uniform(0.02, 0.98, (SAMPLES, 2, *GRID)).astype(dtype), rng.integers(0, 2, (SAMPLES, *GRID))
    hot = np.moveaxis(np.eye(2)[t], -1, 1).astype(dtype)
    for weight, delta, gamma in ((0.5, 0.7, 0.5), (0.25, 0.6, 0.2)):
        theirs = losses.AsymmetricUnifiedFocalLoss(weight=weight, delta=delta, gamma=gamma)
        agree(theirs, losslib.unified_focal_loss, p, t, hot, dtype, weight=weight, delta=delta, gamma=gamma)


@each_dtype
def test_masked_positions_are_those_of_monai(dtype: Any) -> None:
    losses = package("monai.losses")
    torch = pytest.importorskip("torch")
    x, t = draw(dtype)
    keep = np.random.default_rng(0).random((SAMPLES, 1, *GRID)) < 0.7
    theirs = losses.MaskedDiceLoss(softmax=True)
    mask = torch.from_numpy(keep.astype(dtype))
    agree(
        lambda a, b: theirs(a, b, mask), losslib.dice_loss, x, t, one_hot(t, dtype), dtype,
        activation="softmax", where=keep[:, 0],
    )  # fmt: skip


# ---- segmentation-models-pytorch -----------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("mode", ["multiclass", "multilabel"])
def test_ratios_are_those_of_segmentation_models(mode: str, log: bool, dtype: Any) -> None:
    losses = package("segmentation_models_pytorch.losses")
    x, t = draw(dtype, absent=True)
    given = t if mode == "multiclass" else one_hot(t, dtype)
    shared: dict[str, Any] = {
        "activation": "softmax" if mode == "multiclass" else "sigmoid", "per": "class", "absent": "zero", "log": log,
    }  # fmt: skip
    agree(losses.DiceLoss(mode, smooth=0.5, log_loss=log), losslib.dice_loss, x, t, given, dtype,
          smooth=1.0, size=4.0, **shared)  # fmt: skip
    agree(losses.JaccardLoss(mode, smooth=0.5, log_loss=log), losslib.jaccard_loss, x, t, given, dtype,
          smooth=0.5, size=4.0, **shared)  # fmt: skip
    agree(losses.TverskyLoss(mode, smooth=0.5, log_loss=log, alpha=0.3, beta=0.7), losslib.tversky_loss, x, t, given,
          dtype, smooth=0.5, alpha=0.3, beta=0.7, size=4.0, **shared)  # fmt: skip


@each_dtype
def test_matthews_is_that_of_segmentation_models(dtype: Any) -> None:
    losses = package("segmentation_models_pytorch.losses")
    x, t = draw(dtype, logits=False)
    p, mask = x[:, 0], one_hot(t, dtype)[:, 1]
    agree(losses.MCCLoss(eps=1e-3), losslib.mcc_loss, p[:, np.newaxis], mask[:, np.newaxis], mask[:, np.newaxis],
          dtype, per="all", smooth=1e-3, eps=0.0)  # fmt: skip


def test_lovasz_losses_are_those_of_segmentation_models_and_kornia() -> None:
    dtype = np.float32  # the peers multiply by float32 arrays
    losses, others = package("segmentation_models_pytorch.losses"), package("kornia.losses")
    x, t = draw(dtype, absent=True)
    agree(losses.LovaszLoss("multiclass"), losslib.lovasz_softmax_loss, x, t, t, dtype, activation="softmax")
    # Per image it takes a mean over the samples of means over the classes that are present.
    agree(losses.LovaszLoss("multiclass", per_image=True), losslib.lovasz_softmax_loss, x, t, t, dtype,
          activation="softmax", per="sample_class")  # fmt: skip
    mask = (t == 1).astype(dtype)
    agree(losses.LovaszLoss("binary"), losslib.lovasz_hinge_loss, x[:, 0], mask, mask, dtype, size=4.0)
    agree(losses.LovaszLoss("binary", per_image=True), losslib.lovasz_hinge_loss, x[:, 0], mask, mask, dtype,
          per="sample", size=4.0)  # fmt: skip
    agree(others.lovasz_softmax_loss, losslib.lovasz_softmax_loss, x, t, t, dtype,
          activation="softmax", per="sample_class", absent="include")  # fmt: skip
    agree(others.lovasz_hinge_loss, losslib.lovasz_hinge_loss, x[:, :1], mask[:, np.newaxis], mask.astype("i8"), dtype,
          axis=1, per="sample", size=4.0)  # fmt: skip


# ---- kornia --------------------------------------------------------------------------------------------------------


@each_dtype
def test_dice_and_tversky_are_those_of_kornia(dtype: Any) -> None:
    losses = package("kornia.losses")
    x, t = draw(dtype)
    agree(lambda a, b: losses.dice_loss(a, b, average="micro"), losslib.dice_loss, x, t, t, dtype,
          activation="softmax", per="sample", smooth=0.0, eps=1e-8)  # fmt: skip


# ---- Keras, optax --------------------------------------------------------------------------------------------------


@each_dtype
def test_dice_and_tversky_are_those_of_keras(dtype: Any) -> None:
    keras = pytest.importorskip("keras")
    x, t = draw(dtype, logits=False)
    hot = one_hot(t, dtype)
    shared: dict[str, Any] = {"per": "all", "smooth": 0.0, "eps": 1e-7}
    theirs = float(keras.losses.Dice()(hot, x))
    assert_agree(losslib.dice_loss(x, hot, **shared), theirs, np.float32)
    swapped = tuple(map(int, keras.__version__.split(".")[:3])) <= (3, 15, 1)  # alpha and beta are exchanged until then
    given = {"alpha": 0.7, "beta": 0.3} if swapped else {"alpha": 0.3, "beta": 0.7}
    theirs = float(keras.losses.Tversky(**given)(hot, x))
    assert_agree(losslib.tversky_loss(x, hot, alpha=0.3, beta=0.7, **shared), theirs, np.float32)


def test_dice_is_that_of_optax() -> None:
    segmentation = importlib.import_module("optax").losses
    if not hasattr(segmentation, "dice_loss"):
        pytest.skip("this optax has no dice_loss")
    x, t = draw(np.float32)
    last, hot = np.moveaxis(x, 1, -1), np.moveaxis(one_hot(t, np.float32), 1, -1)
    theirs = np.asarray(segmentation.dice_loss(last, hot))
    ours = losslib.dice_loss(last, hot, axis=-1, activation="softmax", smooth=2.0, reduction="none").mean(axis=1)
    np.testing.assert_allclose(ours, theirs.reshape(ours.shape), rtol=2e-6)
