"""Every elementwise loss, compiled from its registered formula: against its kernel, and against mpmath."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import losslib
from formulas import CASE_IDS, CASES, as_dtype, defaults, function, names_in, reference_at_points

N = 20

#: By how much a formula and its kernel may differ, in units of the scale of the number: what a relative change of 1 in
#: every input would change it by, to first order. Formulas are written for readers, kernels for accuracy.
TOLERANCE = {np.float64: 2e-13, np.float32: 2e-5}

#: 1 - (1 - u)**3 as it is written loses the digits of a small u.
CANCELLING = {"tukey_biweight_loss": 10.0}


def from_registered(info: Any, parameters: dict[str, Any], **options: Any) -> Any:
    """Return the loss that ``from_formula`` makes of the formula of a declaration."""
    letters = {name: letter for letter, name in info.symbols.items()}
    inputs = [letters.get(name, name) for name in info.input_names]
    used, names = names_in(info), {}
    for name, value in {**defaults(info), **parameters}.items():
        letter = letters.get(name, name)
        if letter in inputs or letter not in used:
            continue
        if isinstance(value, float) and not math.isfinite(value):
            value = str(value)
        names[letter] = 1.0 if value is None else value
    return losslib.from_formula(info.formula, inputs=inputs, **names, **info.definitions, **options)


def deviation(found: np.ndarray, expected: np.ndarray, scale: np.ndarray) -> float:
    """Return the largest difference, in units of the scale."""
    error = np.abs(np.asarray(found, np.float64) - expected)
    return float(np.max(np.where(np.isnan(error), np.inf, error / (scale + 1e-30))))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("info", "parameters"), CASES, ids=CASE_IDS)
def test_the_compiled_formula_agrees_with_its_kernel_and_with_mpmath(
    info: Any, parameters: dict[str, Any], dtype: Any
) -> None:
    exact = reference_at_points(info, parameters, N)
    inputs = as_dtype(exact.inputs, dtype)
    loss = from_registered(info, parameters, reduction="none")
    kernel = function(info)
    tolerance = TOLERANCE[dtype] * CANCELLING.get(info.name, 1.0)
    divisor = 4 if info.averages_last_axis else 1
    shaped = [array.reshape(-1, divisor) for array in inputs] if divisor > 1 else inputs
    for name, own_name in zip(info.input_names, loss.info.input_names, strict=True):
        if name not in info.differentiable:
            continue
        value, grad, hess = loss.value_grad_hess(*inputs, wrt=own_name)
        _, kernel_grad, kernel_hess = kernel.value_grad_hess(*shaped, reduction="sum", wrt=name, **parameters)
        limits = (exact.value_scale, exact.grad_scale[name], exact.hess_scale[name])
        for what, found, true, scale in zip(
            ("value", "gradient", "Hessian"),
            (value, grad, hess),
            (exact.value, exact.grad[name], exact.hess[name]),
            limits,
            strict=True,
        ):
            assert found.dtype == dtype
            assert deviation(found, true, scale) <= tolerance, f"{what} for {name} against mpmath"
        for what, found, other, scale in (
            ("gradient", grad, kernel_grad.reshape(-1) * divisor, limits[1]),
            ("Hessian", hess, kernel_hess.reshape(-1) * divisor, limits[2]),
        ):
            assert deviation(found, other, scale) <= tolerance, f"{what} for {name} against the kernel"
    if divisor == 1:
        kernel_value = kernel(*inputs, reduction="none", **parameters)
        assert deviation(loss(*inputs), kernel_value, exact.value_scale) <= tolerance
