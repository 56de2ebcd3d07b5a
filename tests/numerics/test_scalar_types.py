"""Half precision and bfloat16 as stored by core/scalar.h, against NumPy's float16 and ml_dtypes' bfloat16."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
import pytest

import native

EVERY_PATTERN = np.arange(1 << 16, dtype=np.uint16)

pytestmark = pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)


@cache
def library(instruction_set: str) -> ctypes.CDLL:
    if not native.runs_here(instruction_set):
        pytest.skip(f"this CPU does not run {instruction_set} code")
    source = '#include "losslib/core/scalar.h"\n'
    for name, source_type, target_type in (
        ("float_from_half", "std::uint16_t", "float"),
        ("half_from_float", "float", "std::uint16_t"),
        ("float_from_bfloat16", "std::uint16_t", "float"),
        ("bfloat16_from_float", "float", "std::uint16_t"),
    ):
        source += (
            f'extern "C" void {name}(const {source_type}* x, {target_type}* __restrict out, long n) {{\n'
            f"    for (long i = 0; i < n; i++) out[i] = losslib::{name}(x[i]);\n}}\n"
        )
    return native.build(source, (*native.COMMON_FLAGS, *native.INSTRUCTION_SETS[instruction_set]))


def convert(instruction_set: str, name: str, x: np.ndarray) -> np.ndarray:
    out = np.empty(x.shape, np.float32 if x.dtype == np.uint16 else np.uint16)
    function = getattr(library(instruction_set), name)
    function(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(out.ctypes.data), ctypes.c_long(x.size))
    return out


def bfloat16() -> np.dtype:
    return np.dtype(pytest.importorskip("ml_dtypes").bfloat16)


def floats_around(representable: np.ndarray) -> np.ndarray:
    """Return the representable numbers, the midpoints, the neighbours of all these, and random bits."""
    exact = np.unique(representable[np.isfinite(representable)]).astype(np.float64)
    overflow = exact[-1] + (exact[-1] - exact[-2]) / 2
    middle = np.concatenate([(exact[:-1] + exact[1:]) / 2, [overflow, -overflow, 2 * overflow]])
    with np.errstate(over="ignore"):
        x = np.concatenate([exact, middle]).astype(np.float32)
    random = np.random.default_rng(7).integers(0, 1 << 32, 200_000, dtype=np.uint32).view(np.float32)
    special = np.array([np.inf, -np.inf, 0.0, -0.0], np.float32)
    up, down = np.nextafter(x, np.float32(np.inf)), np.nextafter(x, np.float32(-np.inf))
    return np.concatenate([x, up, down, random[~np.isnan(random)], special])


def nan_patterns() -> np.ndarray:
    """Return NaN of both signs, quiet and signalling, with payloads high and low."""
    payloads = np.array([1, 2, 0xFFF, 0x1000, 0xFFFF, 0x10000, 0x3FFFFF, 0x400000, 0x7FFFFF], np.uint32)
    positive = payloads | np.uint32(0x7F800000)
    return np.concatenate([positive, positive | np.uint32(0x80000000)]).view(np.float32)


def test_every_half_widens_as_numpy_does(instruction_set):
    widened = convert(instruction_set, "float_from_half", EVERY_PATTERN)
    expected = EVERY_PATTERN.view(np.float16).astype(np.float32)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(widened), ~number)
    np.testing.assert_array_equal(widened[number].view(np.uint32), expected[number].view(np.uint32))


def test_every_bfloat16_widens_as_ml_dtypes_does(instruction_set):
    widened = convert(instruction_set, "float_from_bfloat16", EVERY_PATTERN)
    expected = EVERY_PATTERN.view(bfloat16()).astype(np.float32)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(widened), ~number)
    np.testing.assert_array_equal(widened[number].view(np.uint32), expected[number].view(np.uint32))


@pytest.mark.parametrize(("kind", "infinity"), [("half", 0x7C00), ("bfloat16", 0x7F80)])
def test_every_pattern_survives_the_round_trip(instruction_set, kind, infinity):
    widened = convert(instruction_set, f"float_from_{kind}", EVERY_PATTERN)
    back = convert(instruction_set, f"{kind}_from_float", widened)
    number = infinity >= (EVERY_PATTERN & 0x7FFF)
    np.testing.assert_array_equal(back[number], EVERY_PATTERN[number])
    quiet_bit = np.uint16(0x0200 if kind == "half" else 0x0040)
    np.testing.assert_array_equal(back[~number], EVERY_PATTERN[~number] | quiet_bit)


def test_narrowing_to_half_rounds_as_numpy_does(instruction_set):
    x = floats_around(EVERY_PATTERN.view(np.float16))
    with np.errstate(over="ignore", under="ignore"):
        expected = x.astype(np.float16).view(np.uint16)
    np.testing.assert_array_equal(convert(instruction_set, "half_from_float", x), expected)


def test_narrowing_to_bfloat16_rounds_as_ml_dtypes_does(instruction_set):
    dtype = bfloat16()
    x = floats_around(convert(instruction_set, "float_from_bfloat16", EVERY_PATTERN))
    with np.errstate(over="ignore", under="ignore"):
        expected = x.astype(dtype).view(np.uint16)
    np.testing.assert_array_equal(convert(instruction_set, "bfloat16_from_float", x), expected)


@pytest.mark.parametrize(("kind", "infinity"), [("half", 0x7C00), ("bfloat16", 0x7F80)])
def test_nan_stays_nan_and_keeps_its_sign(instruction_set, kind, infinity):
    x = nan_patterns()
    narrowed = convert(instruction_set, f"{kind}_from_float", x)
    assert ((narrowed & 0x7FFF) > infinity).all()
    np.testing.assert_array_equal(narrowed >> 15, np.signbit(x))


def test_narrowing_to_half_at_the_ends_of_its_range(instruction_set):
    x = np.array([65504, 65519.996, 65520, -65520, 2**-24, 2**-25, 3 * 2**-26, -(2**-26), 1e-45], np.float32)
    expected = [0x7BFF, 0x7BFF, 0x7C00, 0xFC00, 1, 0, 1, 0x8000, 0]
    assert convert(instruction_set, "half_from_float", x).tolist() == expected
