"""Every elementwise loss, compiled from its registered formula: against its kernel, and against mpmath."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest

import losslib
import taylor
from deviations import deviations
from formulas import CASE_IDS, CASES, POINTWISE, label, own_parameters
from losslib.declaration.schema import Parameter, Real
from losslib.errors import ParameterError
from losslib.formula.rows import Row, RowReader

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


# ---- parameters at the ends of their range -----------------------------------------------------------------------


def ends(item: Parameter) -> list[float]:
    """Return the ends of the range of a number, and 0 and 1 where it may be these."""
    if not isinstance(item, Real) or item.name == "eps":  # below a floor the derivative is not that of the floor
        return []
    found = []
    for value in dict.fromkeys((item.least, item.most, *item.also, 0.0, 1.0, -1.0)):
        try:
            found += [] if value is None else [item.check(value)]
        except ParameterError:
            continue
    return found


ENDS = [(info, {item.name: value}) for info in POINTWISE for item in own_parameters(info) for value in ends(item)]


@pytest.mark.parametrize(("info", "parameters"), ENDS, ids=[label(*case) for case in ENDS])
def test_at_the_ends_of_a_range_the_formula_still_is_the_loss(info: Any, parameters: dict[str, Any]) -> None:
    for found in deviations(info, parameters, np.float64):
        assert found.from_mpmath <= TOLERANCE[np.float64], found
        assert math.isnan(found.of_kernel) or found.of_kernel <= TOLERANCE[np.float64], found


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 5.0])
def test_class_distances_leave_out_the_class_itself_as_their_formula_says(alpha: float) -> None:
    info = losslib.class_distance_cross_entropy.info
    x, target = np.random.default_rng(0).standard_normal((3, 4)), np.array([0, 2, 3])
    values = losslib.class_distance_cross_entropy(x, target, alpha=alpha, reduction="none")
    gradient = losslib.class_distance_cross_entropy.grad(x, target, alpha=alpha, reduction="none")
    with mpmath.workdps(30):
        for n, k in np.ndindex(x.shape):
            row = [taylor.Taylor(mpmath.mpf(float(number)), mpmath.mpf(int(c == k))) for c, number in enumerate(x[n])]
            rows: Any = {"x": row, "w": [taylor.taylor(1)] * 4}
            numbers: Any = {"alpha": taylor.taylor(alpha)}
            reader = RowReader(
                taylor.NUMBERS, Row(rows, numbers, {"t": int(target[n])}), dict(info.definitions), taylor.solve
            )
            found = taylor.taylor(reader.value(info.formula))
            assert values[n] == pytest.approx(float(found.value), rel=1e-13)
            assert gradient[n, k] == pytest.approx(float(found.first), rel=1e-12, abs=1e-14)
