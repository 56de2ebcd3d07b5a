"""Losses over a sample of the classes against TensorFlow, which does not load beside Paddle."""

from __future__ import annotations

import numpy as np
import pytest

import losslib
from peers.agreement import assert_agree

ROWS, COMPONENTS = 9, 6


@pytest.mark.parametrize("true", [1, 2])
@pytest.mark.parametrize("remove", [False, True])
@pytest.mark.parametrize("name", ["sampled_softmax_loss", "nce_loss"])
def test_sampled_losses_are_tensorflows(name: str, remove: bool, true: int) -> None:
    """There the function gathers the vectors; here it is the caller, by whom gradients go back to hidden states."""
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(len(name))
    classes, sample = 12, np.array([0, 3, 4, 7, 11])
    hidden, weight, bias = (
        rng.normal(size=(ROWS, COMPONENTS)),
        rng.normal(size=(classes, COMPONENTS)),
        rng.normal(size=12),
    )
    labels = np.stack([rng.permutation(classes)[:true] for _ in range(ROWS)])
    of_true, of_sample = rng.uniform(0.1, 1, (ROWS, true)), rng.uniform(0.1, 1, len(sample))
    moved = tf.constant(hidden)
    with tf.GradientTape() as tape:
        tape.watch(moved)
        theirs = getattr(tf.nn, name)(
            tf.constant(weight), tf.constant(bias), tf.constant(labels), moved, len(sample), classes, num_true=true,
            sampled_values=(tf.constant(sample), tf.constant(of_true), tf.constant(of_sample)),
            remove_accidental_hits=remove,
        )  # fmt: skip
    hits = (sample == labels[:, :, None]).any(1).astype(float)
    assert hits.any()
    logits = np.concatenate(
        [np.einsum("nd,ntd->nt", hidden, weight[labels]) + bias[labels], hidden @ weight[sample].T + bias[sample]],
        axis=1,
    )
    values, gradient = getattr(losslib, name).value_and_grad(
        logits, num_true=true, true_log_expected=np.log(of_true), sampled_log_expected=np.log(of_sample),
        accidental_hits=hits if remove else None, reduction="none",
    )  # fmt: skip
    assert_agree(values, theirs.numpy(), np.float64, relative=1e-9)
    back = np.einsum("nt,ntd->nd", gradient[:, :true], weight[labels]) + gradient[:, true:] @ weight[sample]
    assert_agree(back, tape.gradient(theirs, moved).numpy(), np.float64, relative=1e-7, size=1e3)
