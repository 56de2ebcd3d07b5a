"""Every loss of include/losslib/pointwise/ against its own dual numbers, against mpmath, at kinks and at NaN.

The structs and the number of their parameters are read from the headers; a struct without a row in
jet_cases.LOSSES fails the first test.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp

import native
from jet_cases import LOSSES, Array

HEADERS = ("regression", "robust", "likelihood", "binary")
PARTIALS = ("value", "grad", "hess", "grad2", "hess2", "grad3", "hess3")
INSTRUCTION_SETS = [name for name in native.INSTRUCTION_SETS if name != "v4"]  # v4 is v3 with wider registers


@dataclass(frozen=True)
class Declared:
    """A struct as the header declares it."""

    name: str
    parameters: tuple[str, ...]
    inputs: int


def declared_losses() -> dict[str, Declared]:
    found = {}
    for header in HEADERS:
        text = (native.INCLUDE / "losslib" / "pointwise" / f"{header}.h").read_text(encoding="utf-8")
        aliases: dict[str, list[str]] = {}  # of a template: the losses that it is with one argument or another
        for alias, template in re.findall(r"^using (\w+) = (\w+)<\w+>;", text, re.MULTILINE):
            aliases.setdefault(template, []).append(alias)
        pattern = r"^(?:template <class Exponent> )?struct (\w+) \{\n(.*?)^\};"
        structs = re.findall(pattern, text, re.DOTALL | re.MULTILINE)
        for struct, body in structs:
            fields = re.match(r"\s*double ([\w, ]+);", body)
            signature = re.search(r"\bat\(([^)]*)\)", body)
            if signature is None:
                raise ValueError(f"{header}.h: struct {struct} has no method `at`")
            parameters = tuple(fields.group(1).split(", ")) if fields else ()
            for name in aliases.get(struct, [struct]):
                found[name] = Declared(name, parameters, signature.group(1).count("T "))
    return found


DECLARED = declared_losses()


def program(kinds: tuple[str, ...]) -> str:
    """Give C++ that exposes each loss on float, on double, or on dual numbers of long double (kind dual)."""
    lines = ['#include "losslib/core/dual.h"', '#include "losslib/core/evaluate.h"']
    lines += [f'#include "losslib/pointwise/{header}.h"' for header in HEADERS]
    lines.append(
        """
#include <type_traits>
using namespace losslib;

template <class Loss, class T> void jets(const Loss& loss, const T* in, T* out, long n) {
    for (long i = 0; i < n; ++i) {
        const Jet<T> j = evaluate<Loss, T>(loss, in[3 * i], in[3 * i + 1], in[3 * i + 2]);
        const T parts[] = {j.value, j.grad, j.hess, j.grad2, j.hess2, j.grad3, j.hess3};
        for (int k = 0; k < 7; ++k) out[7 * i + k] = parts[k];
    }
}

template <class Loss> void duals(const Loss& loss, const double* in, double* out, long n) {
    using D = Dual<long double>;
    for (long i = 0; i < n; ++i)
        for (int k = 0; k < 3; ++k) {
            D x[3];
            for (int m = 0; m < 3; ++m) x[m] = D(in[3 * i + m], m == k ? 1.0L : 0.0L);
            const D value = evaluate<Loss, D>(loss, x[0], x[1], x[2]).value;
            out[7 * i] = double(value.value);
            out[7 * i + 1 + 2 * k] = double(value.d1);
            out[7 * i + 2 + 2 * k] = double(value.d2);
        }
}
"""
    )
    for loss in DECLARED.values():
        fields = ", ".join(f"p[{k}]" for k in range(len(loss.parameters)))
        made = f"{loss.name}{{{fields}}}"
        unused = "" if loss.parameters else "(void)p; "
        for kind in kinds:
            scalar, call = ("double", "duals") if kind == "dual" else (kind, "jets")
            lines.append(
                f'extern "C" void {loss.name}_{kind}(const double* p, const {scalar}* in, {scalar}* out, '
                f"long n) {{ {unused}{call}({made}, in, out, n); }}"
            )
        for trait in ("is_trivially_copyable", "is_standard_layout"):
            lines.append(f"static_assert(std::{trait}_v<{loss.name}>);")
    return "\n".join(lines)


def evaluate(
    name: str, kind: str, parameters: Sequence[float], points: Array, isa: str = "baseline"
) -> dict[str, Array]:
    """Evaluate the jets (kind float, double) or the value's derivatives (kind dual) at points (n, 3)."""
    if not native.runs_here(isa):
        pytest.skip(f"this CPU cannot run {isa}")
    if kind == "dual":
        library = native.build(program(("dual",)), ("-O1",))
    else:
        flags = ("-O2", "-fno-math-errno", "-fno-trapping-math", *native.INSTRUCTION_SETS[isa])
        library = native.build(program(("float", "double")), flags)
    dtype = np.float32 if kind == "float" else np.float64
    given = np.ascontiguousarray(points, dtype=dtype)
    out = np.empty((len(given), 7), dtype=dtype)
    p = np.array([*parameters, 0.0], dtype=np.float64)
    function = getattr(library, f"{name}_{kind}")
    function.restype = None
    function(
        ctypes.c_void_p(p.ctypes.data), ctypes.c_void_p(given.ctypes.data), ctypes.c_void_p(out.ctypes.data),
        ctypes.c_long(len(given)),
    )  # fmt: skip
    return {part: out[:, k] for k, part in enumerate(PARTIALS)}


CASES = [
    pytest.param(name, setting, id=f"{name}-{'-'.join(map(str, setting))}")
    for name, row in LOSSES.items() if name in DECLARED for setting in row.settings
]  # fmt: skip


def smooth_points(name: str, parameters: Sequence[float], n: int) -> Array:
    """Give points of the loss's domain of shape (n', 3), away from its kinks."""
    row = LOSSES[name]
    rng = np.random.default_rng(len(name) * 1000 + sum(map(ord, name)))
    columns = row.points(rng, n)
    columns += [np.ones(n)] * (3 - len(columns))
    points = np.stack(columns, axis=1)
    if row.kinks is not None:
        x, t, w = points.T
        keep = np.all([np.abs(edge) > 1e-3 for edge in row.kinks(parameters, x, t, w)], axis=0)
        points = points[keep]
    return points


def condition(derivatives: Callable[[Array], Array], points: Array) -> Array:
    """Give |y| plus its change per relative change of each input: the effect of rounding the inputs."""
    h = 2.0**-22
    y = derivatives(points)
    scale = np.abs(y)
    for k in range(3):
        moved = points.copy()
        moved[:, k] *= 1 + h
        scale = scale + np.abs(derivatives(moved) - y) / h
    return scale


def test_every_struct_of_the_headers_has_a_row_and_every_row_a_struct() -> None:
    assert set(LOSSES) == set(DECLARED)


def test_every_setting_has_as_many_numbers_as_the_struct_has_fields() -> None:
    for name, row in LOSSES.items():
        assert {len(setting) for setting in row.settings} == {len(DECLARED[name].parameters)}, name
        assert len(DECLARED[name].parameters) <= 8, name


@pytest.mark.parametrize("isa", INSTRUCTION_SETS)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_slopes_and_curvatures_are_the_derivatives_of_the_value(
    name: str, parameters: tuple[float, ...], isa: str
) -> None:
    row = LOSSES[name]
    points = smooth_points(name, parameters, 300)
    assert len(points) > 100
    three = DECLARED[name].inputs == 3
    offered = {"": True, "2": row.target, "3": three and row.third}
    for suffix, is_offered in offered.items():
        at = points
        if suffix == "2":  # at 0 and 1 a term is left out, and its derivative
            at = points[(points[:, 1] != 0) & (points[:, 1] != 1)]
        for part in (f"grad{suffix}", f"hess{suffix}"):
            computed = evaluate(name, "double", parameters, at, isa)[part]
            if not is_offered:
                assert np.all(computed == 0), f"{part} is not offered and must be 0"
                continue
            exact = evaluate(name, "dual", parameters, at)[part]
            scale = condition(lambda q, part=part: evaluate(name, "dual", parameters, q)[part], at)
            error = np.abs(computed - exact)
            bound = (
                1e-14 * (scale + 0.1 * row.terms) + 1e-17
            )  # the long double of the duals rounds too where terms cancel to 0
            worst = int(np.argmax(error - bound))
            assert error[worst] <= bound[worst], (
                f"{part} at {at[worst]}: {computed[worst]!r}, the value's derivative is {exact[worst]!r}"
            )


def exact_value(name: str, parameters: Sequence[float], point: Sequence[float]) -> tuple[Any, Any]:
    """Give the formula's value and its scale: |value| plus its change per relative change of each number."""
    numbers = [mp.mpf(float(v)) for v in (*parameters, *point)]
    formula = LOSSES[name].formula
    value = mp.mpf(formula(*numbers))
    scale = abs(value)
    h = mp.mpf(2) ** -30
    for k, number in enumerate(numbers):
        # The perturbed point must stay in the domain: probabilities at 1, logs at 0.
        moved = [*numbers[:k], number * (1 - h), *numbers[k + 1 :]]
        scale += abs(mp.mpf(formula(*moved)) - value) / h
    return value, scale


@pytest.mark.parametrize("kind", ["double", "float"])
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_values_are_those_of_the_formula_and_overflow_only_where_it_does(
    name: str, parameters: tuple[float, ...], kind: str
) -> None:
    dtype, tolerance = (np.float32, 1e-6) if kind == "float" else (np.float64, 1e-14)
    limits = np.finfo(dtype)
    inputs = DECLARED[name].inputs
    extremes = np.array([[*point, 1.0][:3] for point in LOSSES[name].extremes]).reshape(-1, 3)
    points = np.concatenate([smooth_points(name, parameters, 30), extremes]).astype(dtype).astype(np.float64)
    computed = evaluate(name, kind, parameters, points)["value"]
    with mpmath.workdps(140):
        for point, value in zip(points, computed, strict=True):
            exact, scale = exact_value(name, parameters, point[:inputs])
            if abs(exact) > limits.max:
                assert value == np.copysign(np.inf, float(mp.sign(exact))), f"{point}: {value!r}, exactly {exact}"
                continue
            error = abs(mp.mpf(float(value)) - exact)
            assert error <= tolerance * (scale + 0.1 * LOSSES[name].terms) + 4 * float(limits.smallest_subnormal), (
                f"{point}: {value!r}, exactly {mp.nstr(exact, 20)}"
            )


@pytest.mark.parametrize("kind", ["double", "float"])
@pytest.mark.parametrize("name", list(DECLARED))
def test_a_nan_in_any_input_is_in_the_value_and_in_the_gradient(name: str, kind: str) -> None:
    for parameters in LOSSES[name].settings:
        point = smooth_points(name, parameters, 50)[:8]
        for k in range(DECLARED[name].inputs):
            points = point[(point[:, 1] != 0) & (point[:, 1] != 1)] if name.startswith("KL") else point.copy()
            points[:, k] = np.nan
            jets = evaluate(name, kind, parameters, points)
            assert np.all(np.isnan(jets["value"])), (parameters, k)
            if name == "BinaryCrossEntropyLogitsPosWeight" and k == 2:
                continue  # a NaN weight of an absent term
            assert np.all(np.isnan(jets["grad"])), (parameters, k)


# Losses whose derivatives follow PyTorch's clamps, not their value, where a probability is 0 or 1.
CLAMPED = ("BinaryCrossEntropy", "WeightedBinaryCrossEntropy", "BinaryFocal", "BinaryFocalWhole")


@pytest.mark.parametrize("kind", ["double", "float"])
@pytest.mark.parametrize(("name", "parameters"), [case for case in CASES if case.values[0] not in CLAMPED])
def test_slopes_reach_their_limits_at_extreme_inputs(name: str, parameters: tuple[float, ...], kind: str) -> None:
    dtype, tolerance = (np.float32, 2e-6) if kind == "float" else (np.float64, 2e-14)
    row, inputs = LOSSES[name], DECLARED[name].inputs
    points = np.array([[*point, 1.0][:3] for point in row.extremes]).reshape(-1, 3).astype(dtype).astype(np.float64)
    if row.kinks is not None and len(points):
        edges = row.kinks(parameters, *points.T)
        points = points[np.all([edge != 0 for edge in edges], axis=0)]
    computed = evaluate(name, kind, parameters, points)["grad"]
    with mpmath.workdps(120):
        constants = [mp.mpf(v) for v in parameters]

        def slope(numbers: list[Any]) -> Any:
            return mp.diff(lambda x: row.formula(*constants, x, *numbers[1:]), numbers[0])

        for point, value in zip(points, computed, strict=True):
            numbers = [mp.mpf(float(v)) for v in point[:inputs]]
            exact = slope(numbers)
            if abs(exact) > np.finfo(dtype).max:
                assert value == np.copysign(np.inf, float(mp.sign(exact))), f"{point}: {value!r}, exactly {exact}"
                continue
            h = mp.mpf(2) ** -30
            moved = [[*numbers[:k], numbers[k] * (1 - h), *numbers[k + 1 :]] for k in range(inputs)]
            scale = abs(exact) + sum(abs(slope(m) - exact) for m in moved) / h + row.terms / 10
            error = abs(mp.mpf(float(value)) - exact)
            assert error <= tolerance * scale + 8 * float(np.finfo(dtype).smallest_subnormal), (
                f"{point}: {value!r}, exactly {mp.nstr(exact, 20)}"
            )


INF = np.inf
FLOOR = float(np.float32(1e-12))  # PyTorch's constant is a float, for double inputs too

# Struct, parameters, inputs, what is expected: PyTorch's derivative where PyTorch has the loss, 0 elsewhere.
KINKS: list[tuple[str, tuple[float, ...], tuple[float, ...], dict[str, float]]] = [
    ("AbsoluteError", (), (2.0, 2.0), {"value": 0, "grad": 0, "grad2": 0}),
    ("Huber", (1.5,), (1.5, 0.0), {"value": 1.125, "grad": 1.5, "hess": 1}),
    ("Huber", (1.5,), (-1.5, 0.0), {"grad": -1.5}),
    ("SmoothL1", (0.5,), (0.5, 0.0), {"value": 0.25, "grad": 1}),
    ("SmoothL1", (0.5,), (0.0, 0.5), {"grad": -1}),
    ("Quantile", (0.3,), (2.0, 2.0), {"value": 0, "grad": 0}),
    ("Expectile", (0.25,), (2.0, 2.0), {"value": 0, "grad": 0, "hess": 1.5}),
    ("EpsilonInsensitive", (0.5,), (0.5, 0.0), {"value": 0, "grad": 0}),
    ("EpsilonInsensitive", (0.0,), (1.0, 1.0), {"value": 0, "grad": 0}),
    ("SquaredEpsilonInsensitive", (0.5,), (-0.5, 0.0), {"value": 0, "grad": 0, "hess": 0}),
    ("AbsolutePercentageError", (1e-7, 100.0), (3.0, 3.0), {"value": 0, "grad": 0}),
    ("SymmetricAbsolutePercentageError", (1e-7,), (0.0, 0.0), {"value": 0, "grad": 0, "grad2": 0}),
    ("SymmetricAbsolutePercentageError", (1e-7,), (3.0, 3.0), {"value": 0, "grad": 0}),
    ("Lq", (1.5,), (1.0, 1.0), {"value": 0, "grad": 0, "hess": INF}),
    ("Lq", (3.0,), (1.0, 1.0), {"value": 0, "grad": 0, "hess": 0}),
    ("Wing", (5.0, 0.5), (1.0, 1.0), {"value": 0, "grad": 0}),
    ("Wing", (5.0, 0.5), (5.0, 0.0), {"grad": 1}),
    ("TukeyBiweight", (2.0,), (2.0, 0.0), {"value": 2 / 3, "grad": 0, "hess": 0}),
    ("Laplace", (1e-6, 0.0), (1.0, 1.0, 2.0), {"value": np.log(2.0), "grad": 0}),
    ("Laplace", (0.5, 0.0), (2.0, 1.0, 0.25), {"grad3": -2, "hess3": 12}),
    ("Gaussian", (0.5, 0.0), (2.0, 1.0, 0.25), {"grad": 2, "grad3": -1, "hess3": 6}),
    ("GammaIdentity", (), (0.0, 2.0), {"value": INF, "grad": -INF}),
    ("TweedieIdentity", (1.5,), (0.0, 0.0), {"value": 0}),
    ("TweedieIdentity", (1.5,), (0.0, 2.0), {"value": INF, "grad": -INF}),
    ("KLDivergence", (), (-3.0, 0.0), {"value": 0, "grad": 0, "grad2": -INF}),
    ("KLDivergence", (), (-INF, 0.0), {"value": 0, "grad": 0, "grad2": -INF}),
    ("KLDivergenceLogTarget", (), (-INF, -INF), {"value": 0, "grad": 0, "grad2": 0}),
    ("GeneralizedKL", (), (0.0, 0.0), {"value": 0, "grad": 1}),
    ("GeneralizedKL", (), (0.0, 2.0), {"value": INF, "grad": -INF}),
    ("BinaryCrossEntropy", (0.0,), (0.0, 1.0), {"value": 100, "grad": -1 / FLOOR, "grad2": 100}),
    ("BinaryCrossEntropy", (0.0,), (1.0, 0.0), {"value": 100, "grad": 1 / FLOOR, "grad2": -100}),
    ("BinaryCrossEntropy", (0.0,), (1.0, 1.0), {"value": 0, "grad": 0, "hess": 1}),
    ("BinaryFocal", (-1.0, 0.5, 0.0), (1.0, 1.0), {"value": 0, "grad": 0, "hess": 0}),
    ("BinaryCrossEntropyLogits", (0.0,), (INF, 1.0), {"value": 0, "grad": 0, "hess": 0}),
    ("BinaryCrossEntropyLogits", (0.0,), (INF, 0.0), {"value": INF, "grad": 1, "hess": 0}),
    ("BinaryCrossEntropyLogits", (0.0,), (-INF, 0.0), {"value": 0, "grad": 0}),
    ("BinaryCrossEntropyLogitsPosWeight", (0.0,), (-INF, 1.0, 3.0), {"value": INF, "grad": -3}),
    ("BinaryCrossEntropyLogitsPosWeight", (0.0,), (-INF, 1.0, 0.0), {"value": 0, "grad": 0}),
    ("SigmoidFocal", (0.25, 2.0), (INF, 1.0), {"value": 0, "grad": 0, "hess": 0}),
    ("SigmoidFocal", (0.25, 2.0), (-INF, 1.0), {"value": INF, "grad": -0.25, "hess": 0}),
    ("SigmoidFocal", (-1.0, 0.0), (INF, 1.0), {"value": 0, "grad": 0}),
    ("SigmoidFocal", (-1.0, 2.0), (INF, 0.0), {"value": INF, "grad": 1}),
    ("SoftMargin", (), (-INF, 1.0), {"value": INF, "grad": -1}),
    ("SoftMargin", (), (-INF, -1.0), {"value": 0, "grad": 0}),
    ("Hinge", (1.0,), (1.0, 1.0), {"value": 0, "grad": 0}),
    ("Hinge", (0.0,), (0.0, -1.0), {"value": 0, "grad": 0}),
    ("SquaredHinge", (1.0,), (-1.0, -1.0), {"value": 0, "grad": 0, "hess": 0}),
    ("Exponential", (), (-INF, 0.0), {"value": 0, "grad": 0}),
    ("Exponential", (), (INF, 1.0), {"value": 0, "grad": 0}),
    ("ModifiedHuber", (), (1.0, 1.0), {"value": 0, "grad": 0, "hess": 0}),
    ("ModifiedHuber", (), (-1.0, 1.0), {"value": 4, "grad": -4, "hess": 2}),
    ("BinarySparsemax", (), (1.0, 1.0), {"value": 0, "grad": 0, "hess": 0}),
    ("BinarySparsemax", (), (INF, 1.0), {"value": 0, "grad": 0}),
    ("BinarySparsemax", (), (INF, 0.0), {"value": INF, "grad": 1}),
    ("AsymmetricLoss", (1.0, 1.0, 0.5), (0.0, 0.0), {"value": 0, "grad": 0, "hess": 0}),
    ("AsymmetricLoss", (4.0, 1.0, 0.05), (INF, 1.0), {"value": 0, "grad": 0}),
    ("AsymmetricLoss", (4.0, 1.0, 0.0), (INF, 0.0), {"value": INF, "grad": 1}),
    ("AsymmetricLoss", (4.0, 1.0, 0.0), (-INF, 1.0), {"value": INF, "grad": -1}),
    ("AsymmetricLoss", (4.0, 1.0, 0.0), (-INF, 0.0), {"value": 0, "grad": 0}),
    ("HingeEmbedding", (1.0,), (1.0, -1.0), {"value": 0, "grad": -1}),
    ("HingeEmbedding", (1.0,), (0.25, 0.0), {"value": 1, "grad": 0}),
    ("MarginRanking", (0.0,), (1.0, 1.0, 1.0), {"value": 0, "grad": -1, "grad2": 1}),
    ("PoissonLog", (), (INF, 2.0), {"value": INF, "grad": INF}),
    ("PoissonLog", (), (-INF, 0.0), {"value": 0, "grad": 0}),
    ("NegativeBinomialLog", (0.5,), (-INF, 0.0), {"value": 0, "grad": 0}),
    ("NegativeBinomialLog", (0.5,), (INF, 2.0), {"value": INF, "grad": 2}),
    ("PseudoHuber", (2.0,), (INF, 0.0), {"value": INF, "grad": 2, "hess": 0}),
    ("Cauchy", (1.0,), (-INF, 0.0), {"value": INF, "grad": 0, "hess": 0}),
    ("Welsch", (1.0,), (INF, 0.0), {"value": 1, "grad": 0, "hess": 0}),
    ("GemanMcClure", (1.0,), (-INF, 0.0), {"value": 2, "grad": 0, "hess": 0}),
    ("Fair", (2.0,), (-INF, 0.0), {"value": INF, "grad": -2, "hess": 0}),
    ("Barron", (1.0, 2.0), (-INF, 0.0), {"value": INF, "grad": -0.5, "hess": 0}),
    ("Barron", (0.5, 1.0), (INF, 0.0), {"value": INF, "grad": 0, "hess": 0}),
    ("Barron", (-2.0, 1.0), (INF, 0.0), {"value": 2, "grad": 0, "hess": 0}),
]


@pytest.mark.parametrize("kind", ["double", "float"])
@pytest.mark.parametrize(("name", "parameters", "point", "expected"), KINKS)
def test_ties_clamps_and_infinite_inputs_follow_the_stated_convention(
    name: str, parameters: tuple[float, ...], point: tuple[float, ...], expected: dict[str, float], kind: str
) -> None:
    jets = evaluate(name, kind, parameters, np.array([[*point, 1.0][:3]]))
    for part, number in expected.items():
        assert jets[part][0] == pytest.approx(number, rel=1e-6 if kind == "float" else 1e-14, abs=0.0), part


@pytest.mark.parametrize("kind", ["double", "float"])
def test_focal_losses_with_gamma_0_are_the_cross_entropies_to_the_bit(kind: str) -> None:
    for focal_name, parameters, name, points in (
        ("SigmoidFocal", (-1.0, 0.0), "BinaryCrossEntropyLogits", smooth_points("SigmoidFocal", (), 500)),
        ("BinaryFocal", (-1.0, 0.0, 0.0), "BinaryCrossEntropy", smooth_points("BinaryFocal", (), 500)),
        ("SigmoidFocalWhole", (-1.0, 0.0), "BinaryCrossEntropyLogits", smooth_points("SigmoidFocal", (), 500)),
        ("BinaryFocalWhole", (-1.0, 0.0, 0.0), "BinaryCrossEntropy", smooth_points("BinaryFocal", (), 500)),
        (
            "WeightedBinaryCrossEntropy",
            (1.0, 1.0),
            "BinaryCrossEntropy",
            smooth_points("BinaryFocal", (), 500),
        ),
    ):
        one, other = evaluate(focal_name, kind, parameters, points), evaluate(name, kind, (0.0,), points)
        for part in ("value", "grad", "hess"):
            np.testing.assert_array_equal(one[part], other[part], err_msg=f"{focal_name} {part}")


def test_the_negative_binomial_of_small_dispersion_is_the_poisson_loss() -> None:
    for suffix, parameters in (("", ()), ("Full", ())):
        points = smooth_points(f"NegativeBinomialLog{suffix}", (1.0,), 300)
        points = points[points[:, 1] > 1]
        one = evaluate(f"NegativeBinomialLog{suffix}", "double", (1e-13,), points)
        other = evaluate(f"PoissonLog{suffix}", "double", parameters, points)
        # Stirling's formula is 1/(12 t) short of log(t!)
        difference = 1 / (12 * points[:, 1]) if suffix else 0.0
        np.testing.assert_allclose(one["value"], other["value"] + difference, rtol=1e-9, atol=2e-3 if suffix else 1e-9)
        np.testing.assert_allclose(one["grad"], other["grad"], rtol=1e-9, atol=1e-9)


def test_the_generalised_divergence_equals_scipy() -> None:
    special = pytest.importorskip("scipy.special")
    points = smooth_points("GeneralizedKL", (), 500)
    expected = special.kl_div(points[:, 1], points[:, 0])
    np.testing.assert_allclose(
        evaluate("GeneralizedKL", "double", (), points)["value"], expected, rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize(("alpha", "limit"), [(1e-14, "Cauchy"), (2 - 1e-13, "BarronQuadratic"), (-1e16, "Welsch")])
def test_the_adaptive_loss_is_continuous_in_its_limits(alpha: float, limit: str) -> None:
    points = smooth_points("Barron", (), 300)
    one, other = evaluate("Barron", "double", (alpha, 1.5), points), evaluate(limit, "double", (1.5,), points)
    for part in ("value", "grad", "hess"):
        np.testing.assert_allclose(one[part], other[part], rtol=2e-11, atol=1e-12)
