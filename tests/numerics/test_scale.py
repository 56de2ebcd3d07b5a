"""Losses that scale with their inputs, or do not change with them, do so where the squares of the inputs overflow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import losslib
from losslib import geometries
from losslib.declaration.schema import REAL, Choice, Flag, Input, LossInfo

#: Inputs whose squares overflow: in float64, and in float32 if it were computed in.
SCALES = {"float64": 2.0**660, "float32": 2.0**100}
#: These compare squares themselves, differences of squared lengths from a product of matrices, or classes.
SQUARES = {"distance": ("snr",), "normalize": (False,), "metric": ("map",)}
#: The derivative is PyTorch's, by what the inputs are the logarithms of.
OF_PROBABILITIES = ("ctc",)


def variants(info: LossInfo) -> list[dict[str, Any]]:
    """Return the defaults of a loss, and those with one word or flag changed."""
    found: list[dict[str, Any]] = [{}]
    for parameter in info.parameters:
        if parameter.name in ("reduction", "check"):
            continue
        words = parameter.choices if isinstance(parameter, Choice) else ()
        words = (True, False) if isinstance(parameter, Flag) else words
        found += [{parameter.name: word} for word in words if word != parameter.default]
    return [v for v in found if all(word not in SQUARES.get(name, ()) for name, word in v.items())]


def is_real(item: Input) -> bool:
    return item.domain is REAL and item.holds in ("number", "row", "score", "relevance")


def is_scaled(item: Input, array: Any) -> bool:
    return is_real(item) and array is not None and np.asarray(array).dtype.kind == "f"


CASES = [
    (info, variant)
    for info in losslib.list_losses()
    if info.geometry not in OF_PROBABILITIES and is_real(info.inputs[0])
    for variant in variants(info)
]


def scaled_call(info: LossInfo, variant: dict[str, Any], given: list[Any], scale: float, dtype: Any) -> list[Any]:
    """Return the value and the gradient by the first input, with all real inputs times a number."""
    inputs = [
        (np.asarray(array, np.float64) * scale).astype(dtype) if is_scaled(item, array) else array
        for item, array in zip(info.inputs, given, strict=True)
    ]
    reduction = "mean" if "mean" in info.reductions else "sum"
    first = info.inputs[0].name
    function = getattr(losslib, info.name)
    return list(function.value_and_grad(*inputs, reduction=reduction, wrt=first, **variant))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("info", "variant"), CASES, ids=[f"{info.name}-{' '.join(map(str, v.values()))}" for info, v in CASES]
)
def test_a_loss_that_scales_with_its_inputs_does_so_where_squares_overflow(
    info: LossInfo, variant: dict[str, Any], dtype: str
) -> None:
    parameters = losslib.get(info.name, **variant).parameters
    given = geometries.find(info.geometry).draw(info, parameters, np.random.default_rng(0), 24)
    given = [
        np.float32(array) if is_scaled(item, array) else array for item, array in zip(info.inputs, given, strict=True)
    ]
    plain = scaled_call(info, variant, given, 1.0, "float64")[0]
    others = {scale: scaled_call(info, variant, given, scale, "float64")[0] for scale in (0.125, 2.0, 8.0, 32.0)}
    degrees = [
        degree
        for degree in (0, 1)
        if all(other == pytest.approx(plain * scale**degree, rel=1e-12) for scale, other in others.items())
    ]
    if not degrees or not plain:
        pytest.skip("it does not scale")
    scale = SCALES[dtype]
    value, grad = scaled_call(info, variant, given, 1.0, dtype)
    far, far_grad = scaled_call(info, variant, given, scale, dtype)
    within = 1e-10 if dtype == "float64" else 1e-4
    assert far == pytest.approx(value * scale ** degrees[0], rel=within)
    expected = np.asarray(grad, np.float64) * scale ** (degrees[0] - 1)
    np.testing.assert_allclose(far_grad, expected, rtol=10 * within, atol=within * np.abs(expected).max(initial=0.0))
