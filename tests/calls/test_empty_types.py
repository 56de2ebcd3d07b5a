"""Arrays without elements hold nothing that could be wrong, whatever their type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib


@pytest.mark.parametrize("dtype", [np.complex128, np.float64, bool, "U3", object])
def test_labels_and_lengths_without_elements_may_have_any_type(dtype: Any) -> None:
    nothing = np.empty(0, dtype)
    logits, blanks = np.zeros((2, 3, 1, 4)), np.zeros(2, np.int64)
    expected = losslib.rnnt_loss(logits, np.zeros((2, 0), np.int64), [3, 3], blanks)
    assert losslib.rnnt_loss(logits, np.empty((2, 0), dtype), [3, 3], blanks) == expected
    assert losslib.rnnt_loss(logits[:0], np.empty((0, 0), dtype), nothing, nothing, reduction="sum") == 0.0
    assert losslib.ctc_loss(np.zeros((5, 2, 4)), nothing, [5, 5], blanks) == 0.0
    assert losslib.ctc_loss(np.zeros((5, 0, 4)), nothing, nothing, nothing, reduction="sum") == 0.0
