"""core/vecmath.h and core/special.h against mpmath, and core/dual.h against mpmath's numerical derivatives."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

import native

INF, NAN = np.inf, np.nan
TYPES = {"float": np.float32, "double": np.float64}


class Case(NamedTuple):
    expression: str  # C++, in x (and y)
    reference: Callable[..., mpf]
    domain: str
    bounds: tuple[float, float]  # largest error allowed in ULP, float and double, as stated in the header


def _softplus(x):
    return max(x, 0) + mpmath.log1p(mpmath.exp(-abs(x)))


def _sigmoid(x):
    return (mpmath.exp(x) if x < 0 else 1) / (1 + mpmath.exp(-abs(x)))


def _log_cosh(x):
    return mpmath.log(mpmath.cosh(x)) if abs(x) < 1 else abs(x) + mpmath.log1p(mpmath.exp(-2 * abs(x))) - mp.ln2


CASES = {
    "exp": Case("exp(x)", mpmath.exp, "real", (0.93, 0.93)),
    "exp_nonpositive": Case("exp_nonpositive(x)", mpmath.exp, "nonpositive", (0.93, 0.93)),
    "expm1": Case("expm1(x)", mpmath.expm1, "real", (1.7, 1.6)),
    "log": Case("log(x)", mpmath.log, "positive", (0.84, 0.84)),
    "log1p": Case("log1p(x)", mpmath.log1p, "above -1", (0.85, 0.85)),
    "log1p_unit": Case("log1p_unit(x)", mpmath.log1p, "unit", (1.6, 1.4)),
    "x_minus_log1p": Case("x_minus_log1p(x)", lambda x: x - mpmath.log1p(x), "positive", (2.2, 2.2)),
    "tanh": Case("tanh(x)", mpmath.tanh, "real", (2.5, 2.5)),
    "sigmoid": Case("sigmoid(x)", _sigmoid, "real", (2.4, 2.4)),
    "softplus": Case("softplus(x)", _softplus, "real", (2.2, 1.7)),
    "logistic.sigma": Case("logistic(x).sigma", _sigmoid, "real", (2.9, 2.9)),
    "logistic.sigma_neg": Case("logistic(x).sigma_neg", lambda x: _sigmoid(-x), "real", (2.9, 2.9)),
    "logistic.softplus": Case("logistic(x).softplus", _softplus, "real", (2.2, 1.7)),
    "logistic.softplus_neg": Case("logistic(x).softplus_neg", lambda x: _softplus(-x), "real", (2.2, 1.7)),
    "log_cosh.value": Case("log_cosh(x).value", _log_cosh, "real", (4.4, 4.4)),
    "log_cosh.tanh": Case("log_cosh(x).tanh", mpmath.tanh, "real", (2.5, 2.5)),
    "sqrt": Case("sqrt(x)", mpmath.sqrt, "positive", (0.5, 0.5)),
    "abs": Case("abs(x)", abs, "real", (0.0, 0.0)),
    "power": Case("power(x, y)", mpmath.power, "power", (1.0, 1.8)),
    "sin": Case("sin(x)", mpmath.sin, "angle", (0.51, 1.2)),
    "cos": Case("cos(x)", mpmath.cos, "angle", (0.51, 1.2)),
    "cosh": Case("cosh(x)", mpmath.cosh, "real", (1.7, 1.7)),
    "sinh": Case("sinh(x)", mpmath.sinh, "real", (3.2, 3.2)),
    "erf": Case("erf(x)", mpmath.erf, "real", (2.5, 1.5)),
    "trigamma": Case("trigamma(x)", lambda x: mpmath.psi(1, x), "positive", (0.6, 4.0)),
    "tetragamma": Case("tetragamma(x)", lambda x: mpmath.psi(2, x), "positive", (0.6, 6.0)),
}
#: Of core/special.h: the dual numbers have none of them.
WITHOUT_DUALS = ("sin", "cos", "cosh", "sinh", "erf", "trigamma", "tetragamma")
BATCH_EXP_BOUNDS = {"float": 1.2, "double": 1.25}  # of core/batch.h, as stated there
FUNCTIONS = [name for name in CASES if name != "power"]


@cache
def library(instruction_set: str) -> ctypes.CDLL:
    if not native.runs_here(instruction_set):
        pytest.skip(f"this CPU does not run {instruction_set} code")
    source = '#include "losslib/core/special.h"\n'
    for name, case in CASES.items():
        symbol = name.replace(".", "_")
        for t in TYPES:
            source += (
                f'extern "C" void {symbol}_{t}'
                f"(const {t}* xs, const {t}* ys, {t}* __restrict out, long n) {{\n"
                f"    for (long i = 0; i < n; i++) {{\n"
                f"        const {t} x = xs[i], y = ys[i]; (void)y;\n"
                f"        out[i] = losslib::{case.expression};\n"
                f"    }}\n}}\n"
            )
    return native.build(source, (*native.COMMON_FLAGS, *native.INSTRUCTION_SETS[instruction_set]))


def evaluate(instruction_set: str, name: str, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    x = np.ascontiguousarray(x)
    y = x if y is None else np.ascontiguousarray(y, dtype=x.dtype)
    out = np.empty_like(x)
    suffix = "float" if x.dtype == np.float32 else "double"
    function = getattr(library(instruction_set), f"{name.replace('.', '_')}_{suffix}")
    function(*(ctypes.c_void_p(a.ctypes.data) for a in (x, y, out)), ctypes.c_long(x.size))
    return out


def neighbours(values: list[float], dtype: type) -> np.ndarray:
    """Return the values with the three next numbers on either side."""
    up = down = np.array(values, dtype)
    result = [up]
    for _ in range(3):
        up, down = np.nextafter(up, dtype(INF)), np.nextafter(down, dtype(-INF))
        result += [up, down]
    return np.concatenate(result)


@cache
def arguments(domain: str, dtype: type) -> tuple[np.ndarray, ...]:
    """Grids, random numbers and both sides of every threshold in the code, for one domain."""
    rng = np.random.default_rng(20240229)
    info = np.finfo(dtype)
    lowest, highest = float(np.log(float(info.smallest_subnormal))), float(np.log(float(info.max)))
    bits = np.uint32 if dtype is np.float32 else np.uint64
    any_positive = rng.integers(1, np.array(info.max, dtype).view(bits), 400, dtype=bits).view(dtype)
    tiny = [float(info.smallest_subnormal) * k for k in (1, 2, 3, 1000)] + [float(info.tiny)]
    if domain == "power":
        near_one = np.concatenate([rng.uniform(0.5, 2, 500), rng.uniform(0.999, 1.001, 300)]).astype(dtype)
        exponents = rng.uniform(lowest, highest, near_one.size) / np.log(near_one.astype(np.float64))
        ordinary = rng.uniform(0, 20, 600)
        return (
            np.concatenate([near_one, ordinary, any_positive]).astype(dtype),
            np.concatenate([exponents, rng.uniform(-4, 4, 600), rng.uniform(-1.2, 1.2, 400)]).astype(dtype),
        )
    positive = np.concatenate(
        [
            any_positive,
            np.exp(rng.uniform(-30, 5, 300)).astype(dtype),
            rng.uniform(0.25, 4, 400).astype(dtype),
            rng.uniform(0.9999, 1.0001, 100).astype(dtype),
            neighbours(tiny, dtype),
            neighbours([float(info.eps) / 4, 0.5, 0.5**0.5, 2**0.5, 2**0.5 - 1, 0.88, 1.0, 2.0], dtype),
        ]
    )
    positive = positive[positive > 0]
    if domain == "positive":
        return (positive,)
    if domain == "unit":
        return (np.concatenate([positive[positive <= 1], rng.uniform(0, 1, 500).astype(dtype)]),)
    if domain == "above -1":
        negative = np.concatenate([-positive[positive < 1], rng.uniform(-1, 0, 400).astype(dtype)])
        return (np.concatenate([positive, negative[negative > -1]]),)
    if domain == "angle":
        multiples = (rng.integers(0, 600_000, 300) * (np.pi / 2)).astype(dtype)
        sizes = np.concatenate([positive[positive <= 1e6], rng.uniform(0, 1e6, 400).astype(dtype), multiples])
        sizes = sizes[sizes <= 1e6]
        return (np.concatenate([sizes, -sizes, neighbours([0.5 * np.pi, np.pi, 1e4 * np.pi], dtype)]),)
    halves = [0.5 * np.log(2), 1.5 * np.log(2)]
    edges = [*halves, 9.0, 18.0, 19.0, 38.0, 87.3, 88.0, highest, -lowest, 104.0, 708.4, 746.0]
    magnitudes = np.concatenate(
        [positive, np.linspace(0, 3, 300), np.linspace(3, -lowest + 1, 500), neighbours(edges, dtype)]
    ).astype(dtype)
    return (-magnitudes,) if domain == "nonpositive" else (np.concatenate([magnitudes, -magnitudes]),)


class Exact(NamedTuple):
    """(head + tail) * 2^exponent, with 1 <= |head| < 2 or zero."""

    head: np.ndarray
    tail: np.ndarray
    exponent: np.ndarray


@cache
def exact(name: str, dtype: type) -> Exact:
    rows = []
    for point in zip(*(a.tolist() for a in arguments(CASES[name].domain, dtype)), strict=True):
        # x - log1p(x) and log(cosh(x)) cancel all but x^2/2 of numbers near 1.
        with mp.workprec(140 - 2 * min(0, int(np.frexp(point[0])[1]))):
            value = CASES[name].reference(*map(mpf, point))
            exponent = mpmath.frexp(value)[1] - 1 if value else 0
            scaled = mpmath.ldexp(value, -exponent)
            # Beyond 5000 every result over- or underflows in both types.
            rows.append((float(scaled), float(scaled - float(scaled)), max(-5000, min(5000, exponent))))
    head, tail, exponents = zip(*rows, strict=True)
    return Exact(np.array(head), np.array(tail), np.array(exponents))


def errors_in_ulp(got: np.ndarray, truth: Exact) -> np.ndarray:
    """Return |got - truth| in units of the last place of truth; inf for NaN and for a wrong overflow."""
    info = np.finfo(got.dtype)
    unit = np.clip(truth.exponent, info.minexp, info.maxexp) - info.nmant  # subnormals share the smallest one
    half_above_max = 2 - 0.5 ** (info.nmant + 2)
    overflows = (truth.exponent >= info.maxexp) | (
        (truth.exponent == info.maxexp - 1) & (np.abs(truth.head) >= half_above_max)
    )
    with np.errstate(all="ignore"):
        head, tail = (np.ldexp(part, truth.exponent - unit) for part in (truth.head, truth.tail))
        error = np.abs(np.ldexp(got.astype(np.float64), -unit) - head - tail)
    error = np.where(overflows, np.where(got == np.copysign(INF, truth.head), 0.0, INF), error)
    return np.where(np.isnan(got), INF, error)


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
def test_error_stays_within_the_stated_ulps(instruction_set, name, type_name):
    dtype = TYPES[type_name]
    points = arguments(CASES[name].domain, dtype)
    errors = errors_in_ulp(evaluate(instruction_set, name, *points), exact(name, dtype))
    worst = int(np.argmax(errors))
    bound = CASES[name].bounds[type_name == "double"]
    assert errors[worst] <= bound, [float(axis[worst]) for axis in points]


@cache
def batch_library(instruction_set: str) -> ctypes.CDLL:
    if not native.runs_here(instruction_set):
        pytest.skip(f"this CPU does not run {instruction_set} code")
    source = '#include "losslib/simd/batch.h"\n'
    for t in TYPES:
        source += (
            f'extern "C" void exp_{t}(const {t}* xs, {t}* out) {{\n'
            f"    losslib::Batch<{t}> batch;\n    batch.load(xs);\n    batch.become_exp();\n    batch.store(out);\n}}\n"
            f'extern "C" void widened_{t}(const {t}* xs, double* sums) {{\n'
            f"    losslib::Batch<{t}> batch;\n    losslib::Batch<double> sum;\n"
            f"    batch.load(xs);\n    sum.load(sums);\n"
            f"    losslib::add_widened(sum, batch);\n    sum.store(sums);\n}}\n"
            f'extern "C" void transposed_{t}(const {t}* xs, long from, {t}* out, long to) {{\n'
            f"    losslib::transpose_four(xs, from, out, to);\n}}\n"
        )
    return native.build(source, (*native.COMMON_FLAGS, *native.INSTRUCTION_SETS[instruction_set]))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def exp_of_batches(instruction_set: str, x: np.ndarray) -> np.ndarray:
    suffix = "float" if x.dtype == np.float32 else "double"
    padded = np.zeros((x.size + 15) // 16 * 16, x.dtype)
    padded[: x.size] = x
    out = np.empty_like(padded)
    for start in range(0, padded.size, 16):
        getattr(batch_library(instruction_set), f"exp_{suffix}")(pointer(padded[start:]), pointer(out[start:]))
    return out[: x.size]


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
def test_exp_in_registers_stays_within_the_stated_ulps_and_is_zero_below_normal_numbers(instruction_set, type_name):
    dtype = TYPES[type_name]
    (x,) = arguments("nonpositive", dtype)
    got, truth = exp_of_batches(instruction_set, x), exact("exp_nonpositive", dtype)
    normal = truth.exponent >= np.finfo(dtype).minexp
    errors = errors_in_ulp(got, truth)
    # Between the least normal number and the threshold, 4.5e-6 above it, there is one float32.
    edge = (got == 0) & (truth.exponent == np.finfo(dtype).minexp) & (truth.head < 1 + 1e-5)
    worst = int(np.argmax(np.where(normal & ~edge, errors, 0)))
    assert errors[worst] <= BATCH_EXP_BOUNDS[type_name], float(x[worst])
    assert not got[~normal].any()
    ends = exp_of_batches(instruction_set, np.array([-np.inf, np.nan, 0.0, -0.0, np.finfo(dtype).min], dtype))
    np.testing.assert_array_equal(ends, [0, np.nan, 1, 1, 0])


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
def test_batches_are_widened_and_blocks_transposed_in_place(instruction_set, type_name):
    dtype = TYPES[type_name]
    rng = np.random.default_rng(3)
    x, sums = rng.standard_normal(16).astype(dtype), rng.standard_normal(16)
    expected = sums + x.astype(np.float64)
    getattr(batch_library(instruction_set), f"widened_{type_name}")(pointer(x), pointer(sums))
    np.testing.assert_array_equal(sums, expected)

    rows, out = rng.standard_normal((4, 7)).astype(dtype), np.zeros((4, 5), dtype)
    getattr(batch_library(instruction_set), f"transposed_{type_name}")(
        pointer(rows), ctypes.c_long(rows.strides[0]), pointer(out), ctypes.c_long(out.strides[0])
    )
    np.testing.assert_array_equal(out[:, :4], rows[:, :4].T)
    assert not out[:, 4].any()


def test_ulp_measure_sees_an_error_of_one_unit():
    """The measure itself, at a normal, a subnormal and an overflowing result."""
    truth = Exact(np.array([1.0, 1.0, 1.5]), np.zeros(3), np.array([0, -1074, 1024]))
    assert errors_in_ulp(np.array([1.0, 5e-324, INF]), truth).tolist() == [0, 0, 0]
    assert errors_in_ulp(np.array([1 + 2**-52, 1e-323, 1e308]), truth).tolist() == [1, 1, INF]


def test_bounds_are_the_ones_stated_in_the_header():
    header = "\n\n".join(
        (native.INCLUDE / f"losslib/core/{name}.h").read_text(encoding="utf-8") for name in ("vecmath", "special")
    )
    # A comment, the struct it may be about, and the first function after it.
    commented = r"^((?:// .*\n)+)(?:template <class T> struct (?:.*\n)+?\n)?.*LOSSLIB_INLINE .*?(\w+)\(T"
    stated = {}
    for comment, name in re.findall(commented, header, flags=re.MULTILINE):
        if found := re.findall(r"([\d.]+)/([\d.]+) \(|ULP ([\d.]+)/([\d.]+)", comment):
            stated[name] = {tuple(float(x) for x in row if x) for row in found}
    tested: dict[str, set[tuple[float, float]]] = {}
    for name, case in CASES.items():
        tested.setdefault(name.partition(".")[0], set()).add(case.bounds)
    assert stated == {name: bounds for name, bounds in tested.items() if name not in {"sqrt", "abs"}}


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
def test_digamma_and_log_gamma_are_accurate_in_units_of_the_larger_of_one_and_their_size(instruction_set, type_name):
    """Both have zeros, where only the absolute error is small."""
    dtype = TYPES[type_name]
    (x,) = arguments("positive", dtype)
    for name, reference, bound in (("digamma", mpmath.digamma, 5.0), ("log_gamma", mpmath.loggamma, 40.0)):
        x = x[np.abs(np.log10(x.astype(np.float64))) < (30 if type_name == "float" else 300)]
        found = gamma_family(instruction_set, name, x)
        for point, value in zip(x.tolist(), found.tolist(), strict=True):
            with mp.workprec(140):
                true = reference(mpf(point))
                error = abs(mpf(value) - true) / max(abs(true), 1)
            assert error <= bound * np.finfo(dtype).eps, (name, point)


@cache
def gamma_library(instruction_set: str) -> ctypes.CDLL:
    if not native.runs_here(instruction_set):
        pytest.skip(f"this CPU does not run {instruction_set} code")
    source = '#include "losslib/core/special.h"\n'
    for t in TYPES:
        for name in ("digamma", "log_gamma"):
            source += (
                f'extern "C" void {name}_{t}(const {t}* xs, {t}* __restrict out, long n) {{\n'
                f"    for (long i = 0; i < n; i++) out[i] = losslib::{name}(xs[i]);\n}}\n"
            )
    return native.build(source, (*native.COMMON_FLAGS, *native.INSTRUCTION_SETS[instruction_set]))


def gamma_family(instruction_set: str, name: str, x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    function = getattr(gamma_library(instruction_set), f"{name}_{'float' if x.dtype == np.float32 else 'double'}")
    function(pointer(x), pointer(out), ctypes.c_long(x.size))
    return out


ODD_ZERO = [(0.0, 0.0), (-0.0, -0.0)]
ODD_TINY = [("tiny", "tiny"), ("-tiny", "-tiny")]

# Pairs rather than a mapping: 0.0 and -0.0 are the same key.
SPECIAL = {
    "exp": [(0.0, 1), (-0.0, 1), (INF, INF), (-INF, 0), ("max", INF), ("-max", 0), ("tiny", 1)],
    "exp_nonpositive": [(0.0, 1), (-0.0, 1), (-INF, 0), ("-max", 0), ("-tiny", 1)],
    "expm1": [*ODD_ZERO, (INF, INF), (-INF, -1), ("max", INF), ("-max", -1), *ODD_TINY],
    "log": [(0.0, -INF), (-0.0, -INF), (INF, INF), (1.0, 0.0), (-1.0, NAN), (-INF, NAN), ("-tiny", NAN)],
    "log1p": [*ODD_ZERO, (INF, INF), (-1.0, -INF), (-2.0, NAN), (-INF, NAN), *ODD_TINY],
    "log1p_unit": [(0.0, 0.0), ("tiny", "tiny")],
    "x_minus_log1p": [(0.0, 0.0), (INF, INF), ("max", "max"), ("tiny", 0.0)],
    "tanh": [*ODD_ZERO, (INF, 1), (-INF, -1), ("max", 1), ("-max", -1), *ODD_TINY],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (INF, 1), (-INF, 0), ("max", 1), ("-max", 0)],
    "softplus": [(INF, INF), (-INF, 0), ("max", "max"), ("-max", 0)],
    "logistic.sigma": [(0.0, 0.5), (INF, 1), (-INF, 0), ("max", 1), ("-max", 0)],
    "logistic.sigma_neg": [(0.0, 0.5), (INF, 0), (-INF, 1), ("max", 0), ("-max", 1)],
    "logistic.softplus": [(INF, INF), (-INF, 0), ("max", "max"), ("-max", 0)],
    "logistic.softplus_neg": [(INF, 0), (-INF, INF), ("max", 0), ("-max", "max")],
    "log_cosh.value": [
        (0.0, 0.0),
        (-0.0, 0.0),
        (INF, INF),
        (-INF, INF),
        ("max", "max"),
        ("-max", "max"),
        ("tiny", 0.0),
    ],
    "log_cosh.tanh": [*ODD_ZERO, (INF, 1), (-INF, -1), ("max", 1), *ODD_TINY],
    "sqrt": [(0.0, 0.0), (INF, INF), (-1.0, NAN)],
    "abs": [(0.0, 0.0), (-0.0, 0.0), (-INF, INF), (INF, INF), ("-max", "max"), ("-tiny", "tiny")],
    "sin": [*ODD_ZERO, *ODD_TINY],
    "cos": [(0.0, 1), (-0.0, 1), ("tiny", 1)],
    "cosh": [(0.0, 1), (INF, INF), (-INF, INF), ("max", INF), ("-max", INF), ("tiny", 1)],
    "sinh": [*ODD_ZERO, (INF, INF), (-INF, -INF), ("max", INF), ("-max", -INF), *ODD_TINY],
    "erf": [*ODD_ZERO, (INF, 1), (-INF, -1), ("max", 1), ("-max", -1), ("tiny", "tiny")],
    "trigamma": [(0.0, INF), (INF, 0.0), (-1.0, NAN), ("tiny", INF)],
    "tetragamma": [(0.0, -INF), (INF, -0.0), (-1.0, NAN), ("tiny", -INF)],
}


def test_every_function_has_special_values():
    assert set(SPECIAL) == set(FUNCTIONS)


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
def test_special_values_are_exact(instruction_set, name, type_name):
    dtype = TYPES[type_name]
    names = {"max": float(np.finfo(dtype).max), "tiny": float(np.finfo(dtype).smallest_subnormal)}
    names |= {f"-{key}": -value for key, value in names.items()}
    pairs = [*SPECIAL[name], (NAN, NAN)]
    x, expected = np.array([[names.get(v, v) for v in pair] for pair in pairs], dtype).T
    got = evaluate(instruction_set, name, x)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(np.signbit(got[got == 0]), np.signbit(expected[expected == 0]))


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
def test_power_at_the_edges_is_that_of_c_except_that_nan_stays(instruction_set, type_name):
    dtype = TYPES[type_name]
    info = np.finfo(dtype)
    bases = [0.0, float(info.smallest_subnormal), 1e-30, 0.5, 1.0, 1.5, 1e30, float(info.max), INF]
    exponents = [0.0, 1.0, 2.0, 1e-30, float(info.smallest_subnormal), float(info.max), INF]
    grid = [(base, sign * exponent) for base in bases for exponent in exponents for sign in (1, -1)]
    x, y = np.array(grid, dtype).T
    with np.errstate(all="ignore"):
        expected = np.power(x, y)
    np.testing.assert_array_max_ulp(evaluate(instruction_set, "power", x, y), expected, maxulp=1)
    pairs = [(NAN, 0), (NAN, 1), (0, NAN), (1, NAN), (INF, NAN), (-1, 2), (-INF, 3)]
    missing = evaluate(instruction_set, "power", *np.array(pairs, dtype).T)
    assert np.isnan(missing).all()


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
def test_an_element_does_not_depend_on_its_place_in_the_array(instruction_set, name, type_name):
    """Vector body and scalar remainder of a loop give the same bits."""
    points = [axis[:77] for axis in arguments(CASES[name].domain, TYPES[type_name])]
    whole = evaluate(instruction_set, name, *points)
    alone = [evaluate(instruction_set, name, *(axis[i : i + 1] for axis in points)) for i in range(77)]
    np.testing.assert_array_equal(whole, np.concatenate(alone))


@pytest.mark.skipif("v4" not in native.INSTRUCTION_SETS, reason="not an x86-64 machine")
@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("name", CASES)
def test_v3_and_v4_give_the_same_bits(name, type_name):
    points = arguments(CASES[name].domain, TYPES[type_name])
    np.testing.assert_array_equal(evaluate("v3", name, *points), evaluate("v4", name, *points))


# Duals: x(t) = x + 1.5 t - 0.4 t^2 and y(t) = y - 0.5 t + 0.3 t^2 at t = 0.
DUAL_X, DUAL_Y = (1.5, -0.8), (-0.5, 0.6)
DUAL_CASES = {name: (case.expression, case.reference) for name, case in CASES.items() if name not in WITHOUT_DUALS} | {
    "arithmetic": ("arithmetic(x, y)", lambda x, y: ((x + y) * (x - 2) - -y) / (x * x + 3) / y),
    "select": ("select(x > y, square(x), y)", lambda x, y: x * x if x > y else y),
}
DUAL_POINTS = {
    "real": [(-30.0,), (-2.5,), (-0.3,), (1e-3,), (0.7,), (1.0,), (4.0,), (40.0,)],
    "nonpositive": [(-30.0,), (-2.5,), (-1e-3,)],
    "positive": [(1e-3,), (0.03,), (0.4,), (1.0,), (17.0,), (1e3,)],
    "above -1": [(-0.9,), (-1e-3,), (0.4,), (17.0,)],
    "unit": [(1e-3,), (0.3,), (0.9,)],
    "power": [(0.3, 2.5), (1.0, -1.5), (7.0, 0.4), (2.0, 3.0)],
}


@cache
def dual_library() -> ctypes.CDLL:
    source = """
        #include "losslib/core/dual.h"
        namespace losslib {
        using D = Dual<double>;
        D arithmetic(D x, D y) { return ((x + y) * (x - 2) - -y) / (x * x + 3) / y; }
    """
    for name, (expression, _) in DUAL_CASES.items():
        source += (
            f'extern "C" void dual_{name.replace(".", "_")}(const double* in, double* out) {{\n'
            f"    const D x(in[0], in[1], in[2]), y(in[3], in[4], in[5]); (void)y;\n"
            f"    const D f = {expression};\n"
            f"    out[0] = f.value; out[1] = f.d1; out[2] = f.d2;\n}}\n"
        )
    return native.build(source + "}", ("-O1", "-ffp-contract=off"))


@pytest.mark.parametrize("name", DUAL_CASES)
def test_dual_numbers_carry_the_first_two_derivatives(name):
    reference = DUAL_CASES[name][1]
    function = getattr(dual_library(), f"dual_{name.replace('.', '_')}")
    for point in DUAL_POINTS[CASES[name].domain if name in CASES else "power"]:
        x, y = point[0], point[1] if len(point) > 1 else 0.0
        given = (ctypes.c_double * 6)(x, *DUAL_X, y, *DUAL_Y)
        got = (ctypes.c_double * 3)()
        function(given, got)

        start = [(x, DUAL_X), (y, DUAL_Y)][: len(point)]

        def along(t, start=start):
            return reference(*(mpf(v) + mpf(d1) * t + mpf(d2) / 2 * t * t for v, (d1, d2) in start))

        with mp.workdps(60):
            expected = [float(mpmath.diff(along, 0, n)) for n in range(3)]
        assert list(got) == pytest.approx(expected, rel=1e-13, abs=0.0), point


def test_a_constant_dual_has_no_derivative_even_where_the_slope_is_infinite():
    got = (ctypes.c_double * 3)()
    for name in ("log", "sqrt", "power"):
        getattr(dual_library(), f"dual_{name}")((ctypes.c_double * 6)(0.0, 0.0, 0.0, 0.5, 0.0, 0.0), got)
        assert list(got)[1:] == [0.0, 0.0]
