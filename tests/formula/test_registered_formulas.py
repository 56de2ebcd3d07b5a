"""Every elementwise loss, compiled from its registered formula: against its kernel, and against mpmath."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from deviations import deviations
from formulas import CASE_IDS, CASES

#: By how much a formula and its kernel may differ, in units of the scale of the number: what a relative change of 1 in
#: every input would change it by, to first order. Formulas are written for readers, kernels for accuracy.
TOLERANCE = {np.float64: 2e-13, np.float32: 2e-5}

#: 1 - (1 - u)**3 as it is written loses the digits of a small u.
CANCELLING = {"tukey_biweight_loss": 10.0}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("info", "parameters"), CASES, ids=CASE_IDS)
def test_the_compiled_formula_agrees_with_its_kernel_and_with_mpmath(
    info: Any, parameters: dict[str, Any], dtype: Any
) -> None:
    tolerance = TOLERANCE[dtype] * CANCELLING.get(info.name, 1.0)
    for found in deviations(info, parameters, dtype):
        assert found.from_mpmath <= tolerance, found
        assert math.isnan(found.from_kernel) or found.from_kernel <= tolerance, found
