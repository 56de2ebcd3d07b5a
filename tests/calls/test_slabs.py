"""Rows that have to be converted are converted a slab at a time: the same results, and no copy of a whole array."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import losslib
from losslib.geometries import rows

COUNT, COLUMNS = 23, 12
LOSSES = {info.name: info for info in losslib.list_losses() if info.geometry in ("margin", "distance")}

#: Losses whose target is a class or a label; that of two more has a row, and the others compare rows.
CLASSES = ("multi_margin_loss", "crammer_singer_loss", "multiclass_perceptron_loss")
LABELS = {"cosine_embedding_loss": (-1, 1), "contrastive_loss": (0, 1)}

per_loss = pytest.mark.parametrize("name", LOSSES)


def inputs_of(name: str, count: int = COUNT, columns: int = COLUMNS, dtype: Any = np.float16) -> list[np.ndarray]:
    """Inputs in the form of a loss."""
    rng = np.random.default_rng(7)
    given: list[np.ndarray] = []
    for position in range(len(LOSSES[name].inputs)):
        last = position == len(LOSSES[name].inputs) - 1
        if last and name in CLASSES:
            given.append(rng.integers(0, columns, count))
        elif last and name == "multilabel_margin_loss":
            order = np.argsort(rng.random((count, columns)), axis=1)
            given.append(np.where(np.arange(columns) < rng.integers(0, columns, (count, 1)), order, -1))
        elif last and name == "categorical_hinge_loss":
            given.append(np.eye(columns, dtype=dtype)[rng.integers(0, columns, count)])
        elif last and name in LABELS:
            given.append(rng.choice(LABELS[name], count))
        else:
            given.append(rng.standard_normal((count, columns)).astype(dtype))
    return given


def both(name: str, inputs: list[np.ndarray], **options: Any) -> Any:
    return getattr(losslib, name).value_and_grad(*inputs, **options)


def assert_same(found: Any, expected: Any) -> None:
    assert np.array_equal(found[0], expected[0], equal_nan=True)
    grads, others = ((item,) if isinstance(item, np.ndarray) else item for item in (found[1], expected[1]))
    for grad, other in zip(grads, others, strict=True):
        np.testing.assert_array_equal(grad.astype(np.float64), other.astype(np.float64), strict=True)


@per_loss
@pytest.mark.parametrize("slab", [1, 5 * COLUMNS, (COUNT - 1) * COLUMNS])
def test_slabs_do_not_change_a_bit(name: str, slab: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    options: dict[str, Any] = {"sample_weight": rng.random(COUNT), "where": rng.random(COUNT) < 0.7}
    for dtype in (np.float16, np.float32, np.float64):
        inputs = inputs_of(name, dtype=dtype)
        forms = [inputs, [np.asfortranarray(array) for array in inputs], [array[::-1] for array in inputs]]
        for form in forms:
            for given in ({}, options, {"reduction": "none", "grad_output": rng.random(COUNT)}):
                expected = both(name, form, **given)
                with monkeypatch.context() as patch:
                    patch.setattr(rows, "SLAB", slab)
                    assert_same(both(name, form, **given), expected)


@per_loss
def test_gradients_may_lie_on_inputs_that_are_read_slab_by_slab(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = inputs_of(name)
    expected = both(name, inputs)
    monkeypatch.setattr(rows, "SLAB", 3 * COLUMNS)
    first = LOSSES[name].default_wrt[0]
    position = [item.name for item in LOSSES[name].inputs].index(first)
    gradient = expected[1] if isinstance(expected[1], np.ndarray) else expected[1][0]
    memory = np.concatenate([inputs[position]] * 2)
    for place, target in ((0, 0), (0, 1), (4, 0), (5, 5)):
        memory[place : place + COUNT] = inputs[position]
        given = [memory[place : place + COUNT] if k == position else array for k, array in enumerate(inputs)]
        found = both(name, given, wrt=first, out=memory[target : target + COUNT])
        assert_same(found, (expected[0], gradient))
    backwards = inputs[position].copy()
    given = [backwards if k == position else array for k, array in enumerate(inputs)]
    assert_same(both(name, given, wrt=first, out=backwards[::-1]), (expected[0], gradient))


@per_loss
def test_the_copies_of_half_precision_stay_small(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = inputs_of(name, 4000, 200)
    gradients = tuple(np.empty_like(inputs[0]) for _ in LOSSES[name].default_wrt)
    out = gradients if len(gradients) > 1 else gradients[0]
    monkeypatch.setattr(rows, "SLAB", 100 * 200)
    both(name, inputs, out=out)
    tracemalloc.start()
    try:
        both(name, inputs, out=out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.6 * inputs[0].size * 4  # a copy of one input in float32, and its gradient's, were 2
