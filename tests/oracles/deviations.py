"""By how much every elementwise loss, compiled from its registered formula, deviates from its kernel and from mpmath.

The table of all of them:

    PYTHONPATH=tests:tests/oracles python -m deviations

A deviation is told in units of the scale of a number, what a relative change of 1 in every input would change it by to
first order, and in the table in epsilons of that: formulas are written for readers, kernels for accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import losslib
from formulas import CASES, as_dtype, defaults, function, names_in, reference_at_points

#: Points of each case.
N = 20


@dataclass(frozen=True)
class Deviation:
    """The largest deviations of a quantity: of the formula from mpmath and from the kernel, of the kernel from mpmath.

    The kernel of a loss that averages an axis gives no value of one element: NaN.
    """

    what: str
    wrt: str
    from_mpmath: float
    from_kernel: float
    of_kernel: float


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


def deviations(info: Any, parameters: dict[str, Any], dtype: Any) -> Iterator[Deviation]:
    """Go through value, gradient and Hessian for every input that a loss has derivatives for."""
    exact = reference_at_points(info, parameters, N)
    inputs = as_dtype(exact.inputs, dtype)
    loss, kernel = from_registered(info, parameters, reduction="none"), function(info)
    divisor = 4 if info.averages_last_axis else 1
    shaped = [array.reshape(-1, divisor) for array in inputs] if divisor > 1 else inputs
    for name, own_name in zip(info.input_names, loss.info.input_names, strict=True):
        if name not in info.differentiable:
            continue
        found = loss.value_grad_hess(*inputs, wrt=own_name)
        _, grad, hess = kernel.value_grad_hess(*shaped, reduction="sum", wrt=name, **parameters)
        value = np.full(N, np.nan) if divisor > 1 else kernel(*inputs, reduction="none", **parameters)
        others = (value, grad.reshape(-1) * divisor, hess.reshape(-1) * divisor)
        truths = (exact.value, exact.grad[name], exact.hess[name])
        scales = (exact.value_scale, exact.grad_scale[name], exact.hess_scale[name])
        for what, own, other, true, scale in zip(
            ("value", "gradient", "Hessian"), found, others, truths, scales, strict=True
        ):
            assert own.dtype == dtype
            if what == "value" and divisor > 1:
                yield Deviation(what, name, deviation(own, true, scale), math.nan, math.nan)
                continue
            yield Deviation(
                what, name, deviation(own, true, scale), deviation(own, other, scale), deviation(other, true, scale)
            )


def main() -> None:
    """Print the table: the largest over settings of parameters and over inputs, in epsilons of the scale."""
    print("largest deviations in epsilons of the scale: formula from kernel | formula from mpmath | kernel from mpmath")
    print(f"{'':44}{'float32':^54}{'float64':^54}")
    heads = "".join(f"{what:^18}" for what in ("value", "gradient", "Hessian") * 2)
    print(f"{'loss (settings)':44}{heads}")
    worst: dict[tuple[str, int], float] = {}
    for name in dict.fromkeys(info.name for info, _ in CASES):
        settings = [(info, parameters) for info, parameters in CASES if info.name == name]
        cells = []
        for dtype in (np.float32, np.float64):
            found = [item for info, parameters in settings for item in deviations(info, parameters, dtype)]
            for what in ("value", "gradient", "Hessian"):
                these = [item for item in found if item.what == what]
                columns = [
                    max(column) / np.finfo(dtype).eps
                    for column in zip(*((i.from_kernel, i.from_mpmath, i.of_kernel) for i in these), strict=True)
                ]
                cells.append(" |".join("  - " if math.isnan(number) else f"{number:4.1f}" for number in columns))
                for k, number in enumerate(columns):
                    key = (f"{np.dtype(dtype)} {what}", k)
                    worst[key] = max(worst.get(key, 0.0), 0.0 if math.isnan(number) else number)
        print(f"{f'{name} ({len(settings)})':44}" + "".join(f"{cell:^18}" for cell in cells), flush=True)
    print("\nlargest of all")
    for what in dict.fromkeys(what for what, _ in worst):
        print(f"{what:44}" + " |".join(f"{worst[what, k]:6.1f}" for k in range(3)))


if __name__ == "__main__":
    main()
