"""How close losslib and a peer have to be."""

from __future__ import annotations

from typing import Any

import numpy as np

DTYPES = (np.float64, np.float32)

#: Relative bounds against a library that computes in the same precision.
RELATIVE = {np.float64: 1e-12, np.float32: 1e-5}


def assert_agree(actual: Any, expected: Any, dtype: Any, *, relative: float | None = None, size: float = 1.0) -> None:
    """Compare element by element; equal infinities agree, and so do NaN.

    Near zero the bound is eight roundings of numbers of magnitude `size`, the largest term of the formula.
    """
    dtype = np.dtype(dtype).type
    expected = np.asarray(expected, dtype=np.float64)
    actual = np.asarray(actual, dtype=np.float64)
    assert actual.shape == expected.shape
    np.testing.assert_allclose(
        actual,
        expected,
        rtol=RELATIVE[dtype] if relative is None else relative,
        atol=8 * float(np.finfo(dtype).eps) * size,
    )
