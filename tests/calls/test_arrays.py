"""Every kind of array: dtypes, layouts, outputs that share memory with inputs, and what is not an array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import losslib
from formulas import POINTWISE, POINTWISE_IDS, function, generator, loss_class, points

PER_LOSS = pytest.mark.parametrize("info", POINTWISE, ids=POINTWISE_IDS)
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

#: One loss of each kind: no domain, domains in both inputs, three inputs of which one is a label, three derivatives.
KINDS = tuple(
    info
    for info in POINTWISE
    if info.name in ("huber_loss", "binary_cross_entropy", "margin_ranking_loss", "gaussian_nll_loss")
)
PER_KIND = pytest.mark.parametrize("info", KINDS, ids=[info.name for info in KINDS])


def inputs_of(info: Any, shape: tuple[int, ...], dtype: Any = np.float64) -> list[np.ndarray]:
    """Return inputs from the inside of the domains, in a shape and dtype."""
    n = int(np.prod(shape))
    return [array.reshape(shape).astype(dtype) for array in points(info, {}, n).values()]


def all_modes(info: Any, inputs: list[Any], reduction: str = "none", **options: Any) -> list[np.ndarray]:
    """Return value, gradients and Hessians of a call as one list."""
    value, grads, hessians = function(info).value_grad_hess(
        *inputs, reduction=reduction, wrt=info.differentiable, **options
    )
    return [np.asarray(value), *grads, *hessians]


def assert_same(found: list[np.ndarray], expected: list[np.ndarray], message: str = "") -> None:
    """Fail unless all arrays hold the same bits (NaN equals NaN)."""
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=message, strict=True)


def assert_close(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Fail unless all arrays agree but for the last bits: two paths through the code may use two kernels."""
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        ulps = 16 * float(ml_dtypes.finfo(a.dtype).eps)
        wide = b.astype(np.float64)
        np.testing.assert_allclose(a.astype(np.float64), wide, rtol=ulps, atol=ulps * float(np.abs(wide).max()))


# ---- dtypes ------------------------------------------------------------------------------------------------------


@PER_LOSS
def test_float16_and_bfloat16_are_computed_in_float32_and_written_as_they_came(info: Any) -> None:
    for dtype in (np.dtype(np.float16), BFLOAT16):
        inputs = inputs_of(info, (5, 4), dtype)
        wide = [array.astype(np.float32) for array in inputs]
        if any(
            ((a >= 1) | (a <= 0)).any()
            for a, item in zip(wide, info.inputs, strict=True)
            if item.domain.name == "probability" and item.name == "input"
        ):
            wide = [
                np.clip(a, 0.01, 0.98) if item.domain.name == "probability" else a
                for a, item in zip(wide, info.inputs, strict=True)
            ]
            inputs = [a.astype(dtype) for a in wide]
            wide = [a.astype(np.float32) for a in inputs]
        for found, expected in zip(all_modes(info, inputs), all_modes(info, wide), strict=True):
            assert found.dtype == dtype
            with np.errstate(over="ignore"):
                narrowed = expected.astype(dtype)
            # The kernels of single outputs contract differently: a float32 ULP may tip a rounding.
            ulp = float(ml_dtypes.finfo(dtype).eps)
            np.testing.assert_allclose(
                found.astype(np.float64), narrowed.astype(np.float64), rtol=ulp, atol=float(ml_dtypes.finfo(dtype).tiny)
            )
        assert function(info)(*inputs) == pytest.approx(function(info)(*wide), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, BFLOAT16], ids=["float16", "bfloat16"])
def test_every_16_bit_number_is_read_and_written_without_loss(dtype: Any) -> None:
    every = np.arange(2**16, dtype=np.uint16).view(dtype)
    found = losslib.mean_bias_error(every, np.zeros_like(every), reduction="none")
    good = ~np.isnan(every.astype(np.float32))
    np.testing.assert_array_equal(found[good].astype(np.float32), every[good].astype(np.float32))
    assert np.isnan(found[~good].astype(np.float32)).all()


@pytest.mark.parametrize("dtype", [np.float16, BFLOAT16], ids=["float16", "bfloat16"])
def test_numbers_are_rounded_to_16_bits_as_numpy_rounds_them(dtype: Any) -> None:
    """Halfway cases to even, overflow to infinity, gradual underflow."""
    rng = generator("rounding")
    x = np.concatenate([rng.standard_normal(4000), rng.standard_normal(4000) * 1e5, rng.standard_normal(4000) * 1e-6])
    with np.errstate(over="ignore"):
        half = x.astype(dtype)
    tenth = np.full_like(half, 0.1)
    found = losslib.mean_bias_error(half, np.zeros_like(half), weight=tenth, reduction="none")
    with np.errstate(over="ignore"):
        expected = (half.astype(np.float32) * tenth.astype(np.float32)).astype(dtype)
    np.testing.assert_array_equal(found.view(np.uint16), expected.view(np.uint16))


@pytest.mark.parametrize(
    "dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.bool_],
    ids=lambda dtype: dtype.__name__,
)  # fmt: skip
def test_integers_and_booleans_become_float64(dtype: Any) -> None:
    x, t = np.array([0, 1, 1, 0], dtype), np.array([1, 1, 0, 0], dtype)
    found = losslib.mse_loss(x, t, reduction="none")
    np.testing.assert_array_equal(found, np.array([1.0, 0.0, 1.0, 0.0]), strict=True)
    assert losslib.mse_loss.grad(x, t).dtype == np.float64


def test_lists_tuples_and_numbers_become_float64() -> None:
    assert losslib.l1_loss([1, 2.5], (0, 0)) == 1.75
    np.testing.assert_array_equal(
        losslib.l1_loss([[1], [2]], [[0], [0]], reduction="none"), [[1.0], [2.0]], strict=True
    )
    assert losslib.l1_loss(3, 1) == 2.0
    found = losslib.l1_loss(3.0, 1.0, reduction="none")
    assert found.shape == ()
    assert found.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, BFLOAT16], ids=str)
def test_a_python_number_as_target_does_not_change_the_dtype(dtype: Any) -> None:
    x = np.array([1.0, 2.0], dtype)
    for target in (1, 1.0, True):
        found = losslib.huber_loss(x, target, reduction="none")
        assert found.dtype == x.dtype
        np.testing.assert_array_equal(found.astype(float), [0.0, 0.5])
        np.testing.assert_array_equal(losslib.huber_loss.grad(x, target, reduction="sum").astype(float), [0.0, 1.0])


@pytest.mark.parametrize(
    ("first", "second"),
    [(np.float32, np.float64), (np.float16, np.float32), (np.float16, np.float64), (np.float32, np.int64),
     (BFLOAT16, np.float32), (np.float64, BFLOAT16)],
    ids=str,
)  # fmt: skip
def test_mixed_dtypes_promote_by_numpys_rule(first: Any, second: Any) -> None:
    a, b = np.array([1.5, -2.25, 3.0]).astype(first), np.array([1.0, 0.0, 2.0]).astype(second)
    promoted = np.float64 if np.dtype(second).kind == "i" else np.result_type(first, second)
    for x, t in ((a, b), (b, a)):
        value = losslib.mse_loss(x, t, reduction="none")
        assert value.dtype == promoted
        np.testing.assert_array_equal(value.astype(float), (x.astype(float) - t.astype(float)) ** 2)
        grad = losslib.mse_loss.grad(x, t, reduction="sum")
        assert grad.dtype == (np.float64 if x.dtype.kind == "i" else x.dtype)
        np.testing.assert_array_equal(grad.astype(float), 2 * (x.astype(float) - t.astype(float)))


def test_the_gradient_has_the_dtype_of_its_input() -> None:
    x, t, v = np.ones(3, np.float32), np.zeros(3, np.float64), np.ones(3, np.float16)
    for grad, dtype in zip(
        losslib.gaussian_nll_loss.grad(x, t, v, wrt=("input", "target", "var")), (x, t, v), strict=True
    ):
        assert grad.dtype == dtype.dtype


def test_weights_of_another_dtype_do_not_promote() -> None:
    x, t = np.ones(3, np.float32), np.zeros(3, np.float32)
    for options in ({"weight": np.ones(3)}, {"sample_weight": [1, 2, 3]}):
        assert losslib.mse_loss(x, t, reduction="none", **options).dtype == np.float32
        assert losslib.mse_loss.grad(x, t, **options).dtype == np.float32


@PER_KIND
def test_big_endian_and_misaligned_arrays_are_read_correctly(info: Any) -> None:
    for dtype in (np.float64, np.float32, np.float16):
        inputs = inputs_of(info, (7,), dtype)
        expected = all_modes(info, inputs)
        swapped = [array.astype(array.dtype.newbyteorder(">")) for array in inputs]
        for found, part in zip(all_modes(info, swapped), expected, strict=True):
            np.testing.assert_array_equal(found, part)
        shifted = []
        for array in inputs:
            buffer = np.empty(array.nbytes + 1, np.uint8)
            view = buffer[1:].view(array.dtype)
            view[...] = array
            shifted.append(view)
        assert_same(all_modes(info, shifted), expected)


# ---- layouts -----------------------------------------------------------------------------------------------------


def layouts(array: np.ndarray) -> dict[str, np.ndarray]:
    """Return the same numbers in several memory layouts."""
    padded = np.full([2 * n for n in array.shape], np.nan, array.dtype)
    strided = padded[tuple(slice(None, None, 2) for _ in array.shape)]
    strided[...] = array
    reversed_axes = tuple(slice(None, None, -1) for _ in array.shape)
    frozen = array.copy()
    frozen.flags.writeable = False
    return {
        "fortran": np.asfortranarray(array),
        "strided": strided,
        "negative": np.ascontiguousarray(array[reversed_axes])[reversed_axes],
        "transposed": np.ascontiguousarray(array.T).T,
        "read-only": frozen,
        "subclass": array.view(type("Subclass", (np.ndarray,), {})),
    }


@PER_LOSS
def test_the_memory_layout_changes_no_result(info: Any) -> None:
    """But for the last bit: where an element stands in a block decides how the compiler rounds it."""
    for dtype, tolerance in ((np.float64, 1e-14), (np.float32, 5e-6)):
        inputs = inputs_of(info, (3, 5, 4), dtype)
        expected = all_modes(info, inputs)
        mean = function(info)(*inputs)
        several = [layouts(array) for array in inputs]
        for name in several[0]:
            arranged = [table[name] for table in several]
            kept = [array.copy() for array in arranged]
            found = all_modes(info, arranged)
            for a, b in zip(found, expected, strict=True):
                assert type(a) is np.ndarray
                largest = float(np.abs(b).max())
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * largest, err_msg=name)
            assert function(info)(*arranged) == pytest.approx(mean, rel=tolerance), name
            assert_same(arranged, kept, "an input was changed")
        mixed = [several[k][("fortran", "negative", "strided")[k]] for k in range(len(inputs))]
        for a, b in zip(all_modes(info, mixed), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * float(np.abs(b).max()))


@PER_KIND
@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (513,), (2, 3, 2, 3, 2), (1, 7, 1, 3), (3000, 7)], ids=str)
def test_every_number_of_axes_works(info: Any, shape: tuple[int, ...]) -> None:
    inputs = inputs_of(info, shape)
    flat = all_modes(info, [array.reshape(-1) for array in inputs])
    for found, expected in zip(all_modes(info, inputs), flat, strict=True):
        assert found.shape == shape
        np.testing.assert_array_equal(found.reshape(-1), expected)


@PER_KIND
def test_broadcast_views_are_read_without_being_copied_first(info: Any) -> None:
    row = inputs_of(info, (6,))
    wide = [np.broadcast_to(array, (4, 6)) for array in row]
    expected = all_modes(info, [np.ascontiguousarray(array) for array in wide])
    assert_same(all_modes(info, wide), expected)


def test_sixty_axes_work() -> None:
    x = np.arange(4.0).reshape((1,) * 58 + (2, 2))
    assert losslib.l1_loss(x, np.zeros_like(x), reduction="sum") == 6.0
    turned = x.transpose((*range(58), 59, 58))
    np.testing.assert_array_equal(
        losslib.l1_loss.grad(turned, np.ones_like(turned), reduction="sum"), np.sign(turned - 1)
    )


def test_a_memory_mapped_file_is_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "input.npy"
    x = np.linspace(-3, 3, 5000).astype(np.float32)
    np.save(path, x)
    mapped = np.load(path, mmap_mode="r")
    assert losslib.huber_loss(mapped, np.zeros_like(x)) == losslib.huber_loss(x, np.zeros_like(x))
    grad = losslib.huber_loss.grad(mapped, np.zeros_like(x))
    assert type(grad) is np.ndarray
    np.testing.assert_array_equal(grad, losslib.huber_loss.grad(x, np.zeros_like(x)))


def test_the_gradient_comes_in_the_memory_order_of_the_input() -> None:
    x = np.asfortranarray(np.ones((3, 4)))
    assert losslib.mse_loss.grad(x, np.zeros((3, 4))).flags.f_contiguous


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_any_view_of_any_dtype_equals_its_contiguous_float64_copy(data: st.DataObject) -> None:
    info = data.draw(st.sampled_from(KINDS))
    dtype = data.draw(st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.int64]))
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7))
    steps = [data.draw(st.sampled_from([-2, -1, 1, 3])) for _ in shape]
    order = data.draw(st.permutations(range(len(shape))))
    views = []
    for item in info.inputs:
        low, high = {"probability": (0, 1), "sign": (-1, 1), "nonnegative": (0, 9)}.get(item.domain.name, (-9, 9))
        full = tuple(n * abs(step) for n, step in zip(shape, steps, strict=True))
        values = generator(data.draw(st.integers(0, 1000)), item.name).integers(low, high, full, endpoint=True)
        if item.domain.name == "sign":
            values = np.where(values > 0, 1, -1)
        base = values.astype(dtype)
        view = base.transpose(order)[tuple(slice(None, None, steps[axis]) for axis in order)]
        views.append(view[tuple(slice(0, shape[axis]) for axis in order)])
    copies = [np.ascontiguousarray(view, dtype=np.float64).reshape(view.shape) for view in views]
    tolerance = {2: 2e-3, 4: 1e-5}.get(np.dtype(dtype).itemsize if np.dtype(dtype).kind == "f" else 8, 1e-12)
    with np.errstate(over="ignore"):
        for found, expected in zip(all_modes(info, views), all_modes(info, copies), strict=True):
            assert found.shape == expected.shape
            limits = ml_dtypes.finfo(found.dtype)
            inside = np.abs(expected) < float(limits.max) / 2
            np.testing.assert_allclose(
                found[inside].astype(float),
                expected[inside],
                rtol=tolerance,
                atol=2e-3 if dtype is np.float16 else 1e-6,
            )
        np.testing.assert_allclose(function(info)(*views), function(info)(*copies), rtol=1e-4)


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(
    pair=hnp.array_shapes(min_dims=1, max_dims=3, max_side=6).flatmap(
        lambda shape: st.tuples(
            *(hnp.arrays(np.float64, shape, elements=st.floats(-1e300, 1e300, allow_subnormal=True)) for _ in range(2))
        )
    )
)
def test_any_finite_float64_gives_the_plain_numpy_result(pair: tuple[np.ndarray, np.ndarray]) -> None:
    x, t = pair
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(losslib.l1_loss(x, t, reduction="none"), np.abs(x - t))
        np.testing.assert_array_equal(losslib.l1_loss.grad(x, t, reduction="sum"), np.sign(x - t))
        np.testing.assert_allclose(losslib.mse_loss(x, t, reduction="none"), (x - t) ** 2, rtol=1e-15, atol=1e-320)
        np.testing.assert_array_equal(losslib.mse_loss.grad(x, t, reduction="sum"), 2 * (x - t))


# ---- out ---------------------------------------------------------------------------------------------------------


def call_with_out(loss: Any, mode: str, inputs: list[np.ndarray], out: Any, **options: Any) -> Any:
    """Call a mode of a loss object with `out`."""
    return (loss if mode == "value" else getattr(loss, mode))(*inputs, out=out, **options)


def derivatives_in(result: Any, mode: str) -> list[np.ndarray]:
    """Return what `out` receives from the result of a mode."""
    if mode in ("value", "grad"):
        parts = result
    elif mode == "value_and_grad":
        parts = result[1]
    else:
        parts = result[1:]
    flat: list[np.ndarray] = []
    for part in parts if isinstance(parts, tuple) else (parts,):
        flat += part if isinstance(part, tuple) else [part]
    return flat


MODES = ("value", "grad", "value_and_grad", "value_grad_hess")


@PER_LOSS
def test_out_receives_the_result_of_every_mode(info: Any) -> None:
    for dtype in (np.float32, np.float64, np.float16):
        inputs = inputs_of(info, (6, 2), dtype)
        kept = [array.copy() for array in inputs]
        for mode in MODES:
            loss = loss_class(info)(reduction="none" if mode == "value" else "mean")
            fresh = call_with_out(loss, mode, inputs, None)
            expected = derivatives_in(fresh, mode)
            out = [np.full(part.shape, np.nan, part.dtype) for part in expected]
            result = call_with_out(loss, mode, inputs, out[0] if len(out) == 1 else tuple(out))
            assert_close(out, expected)
            for part, given_array in zip(derivatives_in(result, mode), out, strict=True):
                assert part is given_array
            strided = [
                np.full(tuple(2 * n for n in part.shape), np.nan, part.dtype)[tuple([slice(None, None, 2)] * part.ndim)]
                for part in expected
            ]
            call_with_out(loss, mode, inputs, strided[0] if len(strided) == 1 else tuple(strided))
            assert_close(strided, expected)
            assert_same(inputs, kept, "an input was changed")


@PER_LOSS
def test_out_may_be_the_very_input_that_is_overwritten(info: Any) -> None:
    for dtype in (np.float32, np.float64):
        for size in (3, 5000):
            inputs = inputs_of(info, (size, 2), dtype)
            name = info.default_wrt[0]
            expected = function(info).grad(*inputs, wrt=name)
            for k in range(len(inputs)):
                fresh = [array.copy() for array in inputs]
                result = function(info).grad(*fresh, wrt=name, out=fresh[k])
                assert result is fresh[k]
                np.testing.assert_array_equal(result, expected)
                for other, array in enumerate(fresh):
                    if other != k:
                        np.testing.assert_array_equal(array, inputs[other])


@PER_LOSS
def test_values_may_overwrite_an_input(info: Any) -> None:
    if info.averages_last_axis:
        return  # its values have another shape than its input
    inputs = inputs_of(info, (1100,))
    expected = function(info)(*inputs, reduction="none")
    for k in range(len(inputs)):
        fresh = [array.copy() for array in inputs]
        function(info)(*fresh, reduction="none", out=fresh[k])
        np.testing.assert_array_equal(fresh[k], expected)


@PER_KIND
def test_out_that_overlaps_an_input_partly_gets_the_right_numbers(info: Any) -> None:
    n = 40_000  # several tasks: a block that is written must not be read afterwards
    inputs = inputs_of(info, (n,))
    name = info.default_wrt[0]
    expected = function(info).grad(*inputs, wrt=name)
    for shift in (1, 7, 600):
        for forward in (True, False):
            memory = np.empty(n + shift)
            source, out = (memory[:n], memory[shift:]) if forward else (memory[shift:], memory[:n])
            source[...] = inputs[0]
            function(info).grad(source, *inputs[1:], wrt=name, out=out)
            np.testing.assert_array_equal(out, expected)
    reversed_source = inputs[0].copy()
    function(info).grad(reversed_source, *inputs[1:], wrt=name, out=reversed_source[::-1])
    np.testing.assert_array_equal(reversed_source[::-1], expected)


@PER_KIND
def test_one_array_as_several_inputs_and_out_is_read_before_it_is_written(info: Any) -> None:
    if any(item.domain.name == "sign" for item in info.inputs):
        both = np.sign(inputs_of(info, (3000,))[0]) + 0.0
    else:
        both = np.abs(inputs_of(info, (3000,))[0]).clip(0.01, 0.99)
    copies = [both.copy() for _ in info.inputs]
    expected = function(info).grad(*copies, wrt=info.default_wrt[0])
    function(info).grad(*([both] * len(info.inputs)), wrt=info.default_wrt[0], out=both)
    np.testing.assert_array_equal(both, expected)


def test_gradient_and_hessian_may_overwrite_both_inputs() -> None:
    x, t = np.linspace(-3, 3, 20_000), np.zeros(20_000)
    value, grad, hess = losslib.pseudo_huber_loss.value_grad_hess(x, t)
    a, b = x.copy(), t.copy()
    again, *_ = losslib.pseudo_huber_loss.value_grad_hess(a, b, out=(a, b))
    assert again == value
    np.testing.assert_array_equal(a, grad)
    np.testing.assert_array_equal(b, hess)


def test_weights_masks_and_upstream_gradients_may_be_overwritten_by_out() -> None:
    x, t, w = np.linspace(-3, 3, 3000), np.zeros(3000), np.linspace(0.5, 2, 3000)
    for name in ("weight", "sample_weight", "grad_output"):
        reduction = "none"
        expected = losslib.huber_loss.grad(x, t, reduction=reduction, **{name: w})
        out = w.copy()
        losslib.huber_loss.grad(x, t, reduction=reduction, out=out, **{name: out})
        np.testing.assert_array_equal(out, expected)


@PER_KIND
def test_out_of_foreign_byte_order_or_alignment_is_refused_or_filled(info: Any) -> None:
    inputs = inputs_of(info, (9,))
    name = info.default_wrt[0]
    expected = function(info).grad(*inputs, wrt=name)
    buffer = np.zeros(9 * 8 + 1, np.uint8)
    out = buffer[1:].view(np.float64)
    function(info).grad(*inputs, wrt=name, out=out)
    np.testing.assert_array_equal(out, expected)
    with pytest.raises(losslib.DTypeError):
        function(info).grad(*inputs, wrt=name, out=np.zeros(9, ">f8"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0, 1, 3])
def test_outputs_too_large_for_the_caches_hold_the_same_numbers(dtype: Any, offset: int) -> None:
    """They are written in another way than small ones: at aligned addresses, with ordinary ends."""
    n = (17 << 20) // np.dtype(dtype).itemsize + 77
    x = np.resize(np.linspace(-3, 3, 10_007), n).astype(dtype)
    t = np.resize(np.linspace(-1, 2, 4_001), n).astype(dtype)
    d = x - t
    grad, hess = np.full(n + offset, 7, dtype)[offset:], np.full(n + offset, 7, dtype)[offset:]
    losslib.HalfSquaredError(reduction="sum").value_grad_hess(x, t, out=(grad, hess))
    np.testing.assert_array_equal(grad, d)
    np.testing.assert_array_equal(hess, np.ones(n, dtype))
    assert (grad.base[:offset] == 7).all()
    losslib.l1_loss(x, t, reduction="none", out=hess)
    np.testing.assert_array_equal(hess, np.abs(d))
    losslib.half_squared_error.grad(grad, np.zeros_like(t), reduction="sum", sample_weight=hess, out=grad)
    np.testing.assert_array_equal(grad, d * np.abs(d))


# ---- what is not an ndarray --------------------------------------------------------------------------------------


class DLPackOnly:
    """A CPU tensor of another library: it speaks DLPack and nothing else."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


class ArrayProtocol:
    """An object with ``__array__``, as data frames' columns are."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._array


@pytest.mark.parametrize("wrapper", [DLPackOnly, ArrayProtocol])
def test_objects_of_other_libraries_are_read_in_place(wrapper: Any) -> None:
    for dtype in (np.float32, np.float64):
        x, t = np.linspace(-2, 2, 40).astype(dtype).reshape(8, 5), np.zeros((8, 5), dtype)
        value, grad = losslib.huber_loss.value_and_grad(wrapper(x), wrapper(t), sample_weight=wrapper(np.ones(8)))
        assert value == losslib.huber_loss(x, t)
        np.testing.assert_array_equal(grad, losslib.huber_loss.grad(x, t), strict=True)


def test_a_masked_array_is_an_error_that_says_what_to_pass() -> None:
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    for arguments in ((masked, [1.0, 2.0]), ([1.0, 2.0], masked)):
        with pytest.raises(losslib.DTypeError, match=r"masked array.*where=~"):
            losslib.mse_loss(*arguments)
    with pytest.raises(losslib.DTypeError, match="sample_weight is a masked array"):
        losslib.mse_loss([1.0, 2.0], [1.0, 2.0], sample_weight=masked)
