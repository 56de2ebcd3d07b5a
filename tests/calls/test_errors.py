"""Every misuse has an error of its own, whose message names the argument, what came and what is expected."""

from __future__ import annotations

import pkgutil
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import losslib
from formulas import (
    LOSS_IDS,
    LOSSES,
    POINTWISE,
    POINTWISE_IDS,
    domains,
    function,
    loss_class,
    modes,
    outside,
    points,
    sample_inputs,
    settings,
)
from losslib import DomainError, DTypeError, ParameterError, ShapeError, geometries
from losslib.declaration.index import INDEX
from losslib.declaration.schema import Choice, Flag, Indices, Integer, Real

PER_LOSS = pytest.mark.parametrize("info", LOSSES, ids=LOSS_IDS)
PER_POINTWISE = pytest.mark.parametrize("info", POINTWISE, ids=POINTWISE_IDS)
MODES = ("value", "grad", "value_and_grad", "value_grad_hess")


def entry(info: Any, mode: str) -> Callable[..., Any]:
    """Return a function of a loss by mode."""
    return function(info) if mode == "value" else getattr(function(info), mode)


def good_inputs(info: Any, n: int = 6) -> list[np.ndarray]:
    """Return inputs of shape (n, 2) inside the domains."""
    return [array.reshape(n, 2) for array in points(info, {}, 2 * n).values()]


def assert_message(error: pytest.ExceptionInfo[Exception], *words: str) -> None:
    """Fail unless the message holds every word."""
    for word in words:
        assert word in str(error.value), f"{word!r} is not in {error.value}"


def test_errors_are_value_and_type_errors_with_names_of_their_own() -> None:
    assert issubclass(ShapeError, ValueError)
    assert issubclass(DomainError, ValueError)
    assert issubclass(ParameterError, ValueError)
    assert issubclass(DTypeError, TypeError)


# ---- shapes ------------------------------------------------------------------------------------------------------


@PER_POINTWISE
def test_shapes_that_differ_are_an_error_that_names_both(info: Any) -> None:
    inputs = good_inputs(info)
    for k, item in enumerate(info.inputs):
        if k == 0 or item.broadcasts:
            continue
        for mode in MODES:
            wrong = list(inputs)
            wrong[k] = inputs[k][:3]
            with pytest.raises(ShapeError) as error:
                entry(info, mode)(*wrong)
            assert_message(error, item.name, "(3, 2)", "(6, 2)", info.inputs[0].name)


@PER_POINTWISE
def test_a_column_against_a_row_is_never_an_n_by_n_result(info: Any) -> None:
    inputs = [array.reshape(-1) for array in good_inputs(info)]
    columns = [array[:, np.newaxis] for array in inputs]
    for k in range(1, len(inputs)):
        if info.inputs[k].broadcasts:
            continue
        for given in ([*columns[:k], inputs[k], *columns[k + 1 :]], [*inputs[:k], columns[k], *inputs[k + 1 :]]):
            with pytest.raises(ShapeError) as error:
                function(info)(*given)
            assert_message(error, info.inputs[k].name, "(12,)", "(12, 1)", "reshape")


def test_a_transposed_target_is_told_apart_from_a_wrong_one() -> None:
    with pytest.raises(ShapeError, match=r"target has shape \(3, 2\), expected \(2, 3\)"):
        losslib.mse_loss(np.zeros((2, 3)), np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("name", "shape"),
    [("sample_weight", (4,)), ("sample_weight", (6, 3)), ("sample_weight", (2,)), ("weight", (3,)),
     ("weight", (6, 2, 1)), ("where", (3,))],
)  # fmt: skip
def test_a_weight_or_mask_that_does_not_fit_names_itself_and_the_shape(name: str, shape: tuple[int, ...]) -> None:
    x = np.zeros((6, 2))
    argument = np.ones(shape, bool if name == "where" else float)
    with pytest.raises(ShapeError) as error:
        losslib.mse_loss(x, x, **{name: argument})
    assert_message(error, name, str(shape), "(6, 2)")


def test_a_variance_of_the_wrong_shape_says_which_shapes_fit() -> None:
    x = np.zeros((6, 2))
    for shape in ((2,), (3, 2), (6, 2, 1), (5,)):
        with pytest.raises(ShapeError) as error:
            losslib.gaussian_nll_loss(x, x, np.ones(shape))
        assert_message(error, "var", str(shape), "(6, 2)")


def test_an_upstream_gradient_must_have_the_shape_of_the_values() -> None:
    x = np.zeros((6, 2))
    with pytest.raises(ShapeError, match=r"grad_output has shape \(6,\), expected \(6, 2\)"):
        losslib.mse_loss.grad(x, x, reduction="none", grad_output=np.ones(6))
    with pytest.raises(ShapeError, match=r"grad_output has shape \(6, 2\).*reduction='mean'"):
        losslib.mse_loss.grad(x, x, grad_output=np.ones((6, 2)))


def test_classes_of_a_number_are_a_shape_error() -> None:
    with pytest.raises(ShapeError, match="class axis"):
        losslib.multilabel_soft_margin_loss(0.5, 1.0)


# ---- dtypes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (np.array([1 + 2j, 0j]), "complex128"),
        (np.array(["a", "b"]), "<U1"),
        (np.array([b"a", b"b"]), "|S1"),
        (np.array([1, None], dtype=object), "object"),
        (np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"), "datetime64[D]"),
        (np.array([1, 2], dtype="timedelta64[s]"), "timedelta64[s]"),
        (np.zeros(2, dtype=[("a", float)]), "[('a', '<f8')]"),
        (np.zeros(2, dtype=np.longdouble), str(np.dtype(np.longdouble))),
    ],
    ids=["complex", "strings", "bytes", "objects", "dates", "durations", "records", "long double"],
)
def test_a_dtype_that_holds_no_floats_is_named_with_those_that_fit(values: np.ndarray, word: str) -> None:
    if values.dtype == np.float64:
        pytest.skip("long double is float64 on this platform")
    good = np.zeros(2)
    for arguments, name in (((values, good), "input"), ((good, values), "target")):
        for call in (losslib.mse_loss, losslib.mse_loss.grad, losslib.MSELoss().value_grad_hess):
            with pytest.raises(DTypeError) as error:
                call(*arguments)
            assert_message(error, name, word, "expected", "float32")
    with pytest.raises(DTypeError, match="sample_weight"):
        losslib.mse_loss(good, good, sample_weight=values)
    with pytest.raises(DTypeError, match="weight"):
        losslib.MSELoss(weight=values)


def test_ragged_lists_none_and_foreign_objects_are_errors_that_name_the_argument() -> None:
    with pytest.raises(ShapeError, match="input cannot be read as an array"):
        losslib.mse_loss([[1.0], [1.0, 2.0]], [0.0])
    with pytest.raises(TypeError, match="target must be an array, got None"):
        losslib.mse_loss([1.0], None)
    with pytest.raises(DTypeError, match="input has dtype object"):
        losslib.mse_loss(object(), 1.0)


def test_a_mask_must_be_boolean() -> None:
    for mask in (np.array([0, 1]), np.array([0.0, 1.0])):
        with pytest.raises(DTypeError, match=r"where has dtype (int|float)64; expected bool.*astype\(bool\)"):
            losslib.mse_loss([1.0, 2.0], [0.0, 0.0], where=mask)


# ---- domains -----------------------------------------------------------------------------------------------------


@PER_POINTWISE
def test_a_value_outside_the_domain_is_named_with_its_position(info: Any) -> None:
    for parameters in settings(info):
        of = domains(info, parameters)
        for k, name in enumerate(info.input_names):
            for bad in outside(of[name]):
                for mode in MODES:
                    for dtype in (np.float64, np.float32):
                        inputs = [array.reshape(6, 2).astype(dtype) for array in points(info, parameters, 12).values()]
                        inputs[k][4, 1] = inputs[k][5, 0] = bad
                        if float(inputs[k][4, 1]) != bad:
                            continue
                        with pytest.raises(DomainError) as error:
                            entry(info, mode)(*inputs, **parameters)
                        assert_message(error, f"{name}[4, 1] is {bad:g}", info.name, of[name].meaning, "check=False")
                        entry(info, mode)(*inputs, check=False, **parameters)


@PER_POINTWISE
def test_a_value_outside_the_domain_is_found_in_every_layout_and_place(info: Any) -> None:
    of = domains(info, {})
    for k, name in enumerate(info.input_names):
        for bad in outside(of[name])[:1]:
            for position in (0, 511, 512, 16_383, 16_384, 33_332):
                inputs = [array.copy() for array in points(info, {}, 33_333).values()]
                inputs[k][position] = bad
                if info.averages_last_axis:
                    inputs = [array[np.newaxis] for array in inputs]
                index = f"0, {position}" if info.averages_last_axis else str(position)
                for given in (inputs, [array[..., ::-1].copy()[..., ::-1] for array in inputs]):
                    with pytest.raises(DomainError, match=re.escape(f"{name}[{index}]")):
                        function(info).grad(*given)
                    with pytest.raises(DomainError, match=re.escape(f"{name}[{index}]")):
                        function(info)(*given, sample_weight=np.ones(len(given[0])))


def test_nan_is_no_domain_error() -> None:
    for info in POINTWISE:
        inputs = good_inputs(info)
        for array in inputs:
            array[2, 0] = np.nan
        assert np.isnan(function(info)(*inputs))


def test_a_masked_value_outside_the_domain_does_not_hide_one_that_counts() -> None:
    x, mask = np.array([0.5, 1.5, 1.5]), np.array([True, False, True])
    with pytest.raises(DomainError, match=r"input\[2\] is 1.5"):
        losslib.binary_cross_entropy(x, np.ones(3), where=mask)


def test_likely_fixes_are_in_the_message() -> None:
    for call, fix in (
        (lambda: losslib.soft_margin_loss([1.0], [0.0]), "2 * target - 1"),
        (lambda: losslib.binary_cross_entropy([3.0], [1.0]), "sigmoid"),
        (lambda: losslib.binary_cross_entropy_with_logits([3.0], [-1.0]), "(target + 1) / 2"),
        (lambda: losslib.gaussian_nll_loss([3.0], [-1.0], [-1.0]), "softplus"),
        (lambda: losslib.poisson_nll_loss([-3.0], [1.0], log_input=False), "log_input=True"),
    ):
        with pytest.raises(DomainError) as error:
            call()
        assert_message(error, fix)


@PER_POINTWISE
def test_no_input_is_lost_when_out_shares_its_memory_and_the_domain_is_violated(info: Any) -> None:
    of = domains(info, {})
    for size in (12, 40_000):
        for k, name in enumerate(info.input_names):
            for bad in outside(of[name])[:1]:
                for target_of_out in range(len(info.inputs)):
                    inputs = [array.reshape(-1, 2) for array in points(info, {}, size).values()]
                    inputs[k][-1, -1] = bad
                    kept = [array.copy() for array in inputs]
                    with pytest.raises(DomainError):
                        function(info).grad(*inputs, wrt=info.default_wrt[0], out=inputs[target_of_out])
                    for array, before in zip(inputs, kept, strict=True):
                        np.testing.assert_array_equal(array, before)


def test_no_input_is_lost_when_out_overlaps_it_partly_and_the_domain_is_violated() -> None:
    memory = np.full(3001, 0.5)
    memory[2999] = 7.0
    kept = memory.copy()
    with pytest.raises(DomainError):
        losslib.binary_cross_entropy.grad(memory[:-1], np.ones(3000), out=memory[1:])
    np.testing.assert_array_equal(memory, kept)


def test_negative_positive_weights_are_domain_errors() -> None:
    for call in (
        lambda: losslib.BCEWithLogitsLoss(pos_weight=[1.0, -2.0]),
        lambda: losslib.binary_cross_entropy_with_logits([1.0, 1.0], [1.0, 1.0], pos_weight=[1.0, -2.0]),
    ):
        with pytest.raises(DomainError, match="pos_weight must be >= 0"):
            call()


# ---- out ---------------------------------------------------------------------------------------------------------


def bad_outs() -> list[tuple[Any, type[Exception], str]]:
    """Return arrays that cannot be `out` for a float64 gradient of shape (4, 2)."""
    frozen = np.zeros((4, 2))
    frozen.flags.writeable = False
    return [
        (np.zeros((4, 2), np.float32), DTypeError, "float32"),
        (np.zeros((4, 2), np.int64), DTypeError, "int64"),
        (np.zeros((2, 4)), ShapeError, "(2, 4)"),
        (np.zeros(8), ShapeError, "(8,)"),
        (np.zeros((1, 4, 2)), ShapeError, "(1, 4, 2)"),
        (frozen, ValueError, "read-only"),
        (np.broadcast_to(np.zeros((1, 2)), (4, 2)), ValueError, "out"),
        ([[0.0, 0.0]] * 4, ValueError, "out"),
        ("text", TypeError, "str"),
        ((np.zeros((4, 2)), np.zeros((4, 2))), ValueError, "2"),
    ]


@pytest.mark.parametrize(("out", "kind", "word"), bad_outs(), ids=range(len(bad_outs())))
def test_an_unfit_out_is_refused_before_anything_is_written(out: Any, kind: type[Exception], word: str) -> None:
    x, t = np.ones((4, 2)), np.zeros((4, 2))
    before = [np.array(part, copy=True) for part in out] if isinstance(out, tuple) else np.array(out, copy=True)
    calls: list[Callable[..., Any]] = [
        losslib.mse_loss.grad, losslib.mse_loss.value_and_grad,
        losslib.MSELoss().grad, losslib.MSELoss().value_and_grad,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(kind) as error:
            call(x, t, out=out)
        assert_message(error, "out", word)
    if not isinstance(out, tuple | list):
        with pytest.raises(kind):
            losslib.mse_loss(x, t, reduction="none", out=out)
    np.testing.assert_array_equal(np.asarray(out), np.asarray(before))


def test_hessians_need_a_tuple_of_separate_arrays() -> None:
    x, t, g = np.ones(4), np.zeros(4), np.zeros(4)
    for out, words in (
        (g, ("out", "2 arrays", "Hessian")), ((g,), ("out", "2 arrays")), ((g, g), ("share",)),
        ((g[:2], g), ("out[0]", "(2,)")), ((g, g.astype(np.float32)), ("out[1]", "float32")),
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError)) as error:
            losslib.mse_loss.value_grad_hess(x, t, out=out)
        assert_message(error, *words)
    overlapping = np.empty(6)
    with pytest.raises(ParameterError, match="shares memory"):
        losslib.mse_loss.value_grad_hess(x, t, out=(overlapping[:4], overlapping[2:]))


def test_a_reduced_value_takes_no_out() -> None:
    for reduction in ("mean", "sum"):
        with pytest.raises(ParameterError, match=f"out.*reduction='{reduction}'"):
            losslib.mse_loss(np.ones(2), np.zeros(2), reduction=reduction, out=np.empty(2))


def test_nothing_is_written_when_shapes_or_dtypes_are_wrong() -> None:
    out = np.full(4, 7.0)
    x = np.ones(4)
    for bad in (
        {"target": np.ones(3)}, {"target": np.array(["a"] * 4)}, {"sample_weight": np.ones(3)}, {"where": np.ones(4)},
        {"weight": np.ones(5)}, {"grad_output": np.ones(4)}, {"wrt": "var"}, {"delta": -1.0}, {"reduction": "avg"},
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError)):
            losslib.huber_loss.grad(**{"input": x, "target": x, "out": out, **bad})
    np.testing.assert_array_equal(out, np.full(4, 7.0))


# ---- parameters --------------------------------------------------------------------------------------------------


def bad_values(parameter: Any) -> list[Any]:
    """Return values that a parameter must refuse."""
    if isinstance(parameter, Flag):
        return [2, "yes", None, 0.5]
    if isinstance(parameter, Choice):
        means_a_word = any(given is None for given, _ in parameter.also)
        return ["avg", *([] if means_a_word else [None]), 3, ""]
    if isinstance(parameter, Integer):
        return [1.5, "1", *([] if parameter.optional else [None]), [1], np.ones(2), 2**63]
    if isinstance(parameter, Indices):
        return [1, "1", [], [0.5], [True], [None]]
    if isinstance(parameter, Real):
        values: list[Any] = [float("nan"), float("inf"), "1", [1.0], 1j, np.ones(2)]
        if not parameter.optional:
            values.append(None)
        if parameter.above is not None:
            values += [parameter.above, parameter.above - 1]
        if parameter.least is not None:
            values.append(parameter.least - 0.5)
        if parameter.below is not None:
            values.append(parameter.below)
        if parameter.most is not None:
            values.append(parameter.most + 0.5)
        return [value for value in values if not (isinstance(value, float | int) and value in parameter.also)]
    return []


@PER_LOSS
def test_every_parameter_refuses_values_outside_its_range(info: Any) -> None:
    inputs = sample_inputs(info)
    for parameter in info.parameters:
        for value in bad_values(parameter):
            for call in (
                lambda **given: loss_class(info)(**given),
                lambda **given: function(info)(*inputs, **given),
                lambda **given: function(info).grad(*inputs, **given),
            ):
                with pytest.raises(ParameterError) as error:
                    call(**{parameter.name: value})
                assert_message(error, parameter.name, repr(value), "must be", parameter.range_text)


@PER_LOSS
def test_numpy_numbers_and_zero_dimensional_arrays_are_parameters_like_any_other(info: Any) -> None:
    for parameter in info.parameters:
        if isinstance(parameter, Real) and parameter.default is not None:
            expected = loss_class(info)(**{parameter.name: parameter.default})
            for value in (np.float64(parameter.default), np.array(parameter.default)):
                assert loss_class(info)(**{parameter.name: value}) == expected


@PER_LOSS
def test_an_unknown_parameter_suggests_the_closest(info: Any) -> None:
    for parameter in info.parameters:
        wrong = parameter.name + "x"
        with pytest.raises(TypeError) as error:
            loss_class(info)(**{wrong: 1})
        assert_message(error, info.class_name, wrong, f"did you mean {parameter.name!r}")
        with pytest.raises(TypeError) as error:
            function(info)(*sample_inputs(info), **{wrong: 1})
        assert_message(error, wrong)


def test_an_unknown_reduction_suggests_the_closest() -> None:
    with pytest.raises(ParameterError, match=r"'men'.*did you mean 'mean'"):
        losslib.mse_loss([1.0], [1.0], reduction="men")
    with pytest.raises(ParameterError, match=r"reduction must be one of 'mean', 'sum', 'none'"):
        losslib.MSELoss(reduction="batchmean")


def test_an_unknown_loss_suggests_the_closest() -> None:
    with pytest.raises(ParameterError, match=r"'hubr'.*did you mean 'huber'"):
        losslib.get("hubr")
    with pytest.raises(ParameterError, match="list_losses"):
        losslib.get("qqqqqq")
    with pytest.raises(TypeError, match="name must be a string, got int"):
        losslib.get(3)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="family must be one of"):
        losslib.list_losses("regresion")
    with pytest.raises(ParameterError, match="tag must be one of"):
        losslib.list_losses(tag="qqqqqq")


def test_an_attribute_that_is_not_there_names_the_loss_that_is_meant() -> None:
    modules = {module.name for module in pkgutil.iter_modules(losslib.__path__)}
    found = 0
    for losses in INDEX.values():
        for name, class_name, *aliases in losses:
            for alias in aliases:
                if alias.isidentifier() and alias not in losslib.__all__ and alias not in modules:
                    found += 1
                    with pytest.raises(AttributeError, match=rf"'{alias}'.* {name}, .* {class_name}$"):
                        getattr(losslib, alias)
    assert found > 100
    with pytest.raises(AttributeError, match="did you mean 'HuberLoss'"):
        losslib.HuberLos  # noqa: B018
    assert not hasattr(losslib, "__wrapped__")


# ---- calls -------------------------------------------------------------------------------------------------------


@PER_LOSS
def test_a_number_in_the_place_of_a_flag_or_a_reduction_is_an_error(info: Any) -> None:
    inputs = sample_inputs(info)
    defaults = {item.name: item.default for item in info.parameters}
    for owner, order, given in (
        (loss_class(info), info.class_order, ()), (function(info), info.function_order, inputs),
    ):  # fmt: skip
        for position, name in enumerate(order):
            if name in ("size_average", "reduce", "reduction"):
                before = [defaults.get(other) for other in order[:position]]
                wrong = [0.5, np.ones(3)] if name == "reduction" else [0.5, np.ones(3), "sum"]
                for value in wrong:
                    with pytest.raises(ParameterError, match=rf"{name}.* by name"):
                        owner(*given, *before, value)
        if not order:
            with pytest.raises(TypeError, match=f"by name .*{info.parameters[0].name}"):
                owner(*given, 0.5)


@PER_LOSS
def test_a_missing_input_is_named(info: Any) -> None:
    inputs = sample_inputs(info)
    needed = sum(not item.optional for item in info.inputs)
    for mode in ("value", *modes(info)):
        for count in range(needed):
            with pytest.raises(TypeError) as error:
                entry(info, mode)(*inputs[:count])
            assert_message(error, info.name, repr(info.input_names[count]))
    with pytest.raises(TypeError, match=f"missing.*{info.input_names[needed - 1]}"):
        loss_class(info)()(*inputs[: needed - 1])


@PER_LOSS
def test_too_many_positional_arguments_are_an_error(info: Any) -> None:
    inputs = sample_inputs(info)
    with pytest.raises(TypeError, match="positional"):
        function(info)(*inputs, *([None] * (len(info.function_order) + 1)))
    with pytest.raises(TypeError, match="positional"):
        loss_class(info)(*([None] * (len(info.class_order) + 1)))
    with pytest.raises(TypeError, match="positional"):
        loss_class(info)()(*inputs, inputs[0])


@PER_LOSS
def test_an_argument_given_twice_is_an_error(info: Any) -> None:
    inputs = sample_inputs(info)
    with pytest.raises(TypeError, match=f"{info.input_names[0]!r} twice"):
        function(info)(*inputs, **{info.input_names[0]: inputs[0]})
    if info.class_order and info.class_order[0] in {item.name for item in info.parameters}:
        first = info.class_order[0]
        default = next(item.default for item in info.parameters if item.name == first)
        with pytest.raises(TypeError, match=f"{first!r} twice"):
            loss_class(info)(default, **{first: default})


def test_arguments_of_another_mode_are_unknown() -> None:
    x = np.ones(2)
    for call, name in (
        (losslib.mse_loss, "wrt"), (losslib.mse_loss, "grad_output"), (losslib.mse_loss.value_grad_hess, "grad_output"),
        (losslib.MSELoss(), "wrt"), (losslib.MSELoss(), "reduction"), (losslib.HuberLoss().grad, "delta"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=f"{name!r}"):
            call(x, x, **{name: 1.0})
    with pytest.raises(TypeError, match="did you mean 'sample_weight'"):
        losslib.MSELoss()(x, x, sample_weights=x)


@PER_LOSS
def test_derivatives_of_inputs_that_have_none_are_refused(info: Any) -> None:
    inputs = sample_inputs(info)
    refused = [name for name in info.input_names if name not in info.differentiable]
    for name in ["weight", "x", *refused]:
        with pytest.raises(ParameterError) as error:
            function(info).grad(*inputs, wrt=name)
        assert_message(error, "wrt", repr(name), *info.differentiable)


@pytest.mark.parametrize("wrt", [(), ("input", "input"), 3, (3,), None.__class__])
def test_wrt_must_name_inputs_each_once(wrt: Any) -> None:
    with pytest.raises((ParameterError, TypeError), match="wrt"):
        losslib.mse_loss.grad([1.0], [2.0], wrt=wrt)


# ---- PyTorch's deprecated flags ----------------------------------------------------------------------------------


LEGACY = [info for info in LOSSES if "size_average" in info.class_order]


@pytest.mark.parametrize("info", LEGACY, ids=lambda info: info.name)
def test_size_average_and_reduce_work_as_in_pytorch_and_warn(info: Any) -> None:
    inputs = sample_inputs(info)
    for flags, reduction in (
        ({"size_average": False}, "sum"), ({"size_average": True}, "mean"), ({"reduce": False}, "none"),
        ({"reduce": True, "size_average": False}, "sum"), ({"reduce": False, "size_average": False}, "none"),
    ):  # fmt: skip
        with pytest.warns(DeprecationWarning, match=f"reduction={reduction!r}"):
            loss = loss_class(info)(**flags)
        assert loss.reduction == reduction
        with pytest.warns(DeprecationWarning, match=f"reduction={reduction!r}"):
            found = function(info)(*inputs, **flags)
        # A call with a parameter may take a longer path, whose sum runs in another order.
        np.testing.assert_allclose(found, function(info)(*inputs, reduction=reduction), rtol=1e-14)
        position = info.function_order.index("size_average")
        defaults = {item.name: item.default for item in info.parameters}
        before = [defaults[name] for name in info.function_order[:position]]
        if "size_average" in flags and "reduce" not in flags:
            with pytest.warns(DeprecationWarning, match=f"reduction={reduction!r}"):
                again = function(info)(*inputs, *before, flags["size_average"])
            np.testing.assert_allclose(again, found, rtol=1e-14)


def test_losses_that_pytorch_does_not_have_know_no_deprecated_flags() -> None:
    with pytest.raises(TypeError, match="size_average"):
        losslib.HuberLoss(size_average=True)
    with pytest.raises(TypeError, match="size_average"):
        losslib.log_cosh_loss([1.0], [1.0], size_average=True)


def test_the_deprecation_warning_points_at_the_callers_line() -> None:
    for call in (lambda: losslib.L1Loss(size_average=False), lambda: losslib.l1_loss([1.0], [1.0], size_average=False),
                 lambda: losslib.l1_loss([1.0], [1.0], False)):  # fmt: skip
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        assert [warning.filename for warning in caught] == [__file__]


# ---- calls that used to be answered wrongly -------------------------------------------------------------------------


def masked(*values: Any) -> np.ma.MaskedArray:
    """Return a masked array whose last element is masked out."""
    return np.ma.masked_array(values, [False] * (len(values) - 1) + [True])


def test_a_masked_array_is_refused_wherever_an_array_is_taken() -> None:
    x = np.zeros((2, 3))
    calls: dict[str, Callable[[], Any]] = {
        "where": lambda: losslib.mse_loss(x[0, :2], x[0, :2], where=masked(True, True)),
        "target": lambda: losslib.cross_entropy(x, masked(0, 1)),
        "input": lambda: losslib.mse_loss(masked(0.0, 1.0), x[0, :2]),
        "sample_weight": lambda: losslib.mse_loss(x, x, sample_weight=masked(1.0, 1.0)),
        "targets": lambda: losslib.ctc_loss(x[:, np.newaxis], np.ma.masked_array([[1]], [[True]]), [2], [1]),
        "target_lengths": lambda: losslib.ctc_loss(x[:, np.newaxis], [[1]], [2], masked(1)),
    }
    for name, call in calls.items():
        with pytest.raises(DTypeError, match=f"^{name} is a masked array; pass its data and the mask apart"):
            call()
    with pytest.raises(DTypeError, match="target is a masked array"):
        losslib.multi_margin_loss(x, masked(0, 1))
    with pytest.raises(TypeError, match=r"out must be a numpy\.ndarray, got MaskedArray"):
        losslib.mse_loss([1.0, 2.0], [0.0, 0.0], reduction="none", out=masked(1.0, 2.0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: losslib.cross_entropy(x, [0, 1], sample_weights=[1.0, 2.0]), ("sample_weights", "'sample_weight'?")),
        (lambda x: losslib.mse_loss(x, x, wher=[True]), ("mse_loss has no argument 'wher'", "did you mean 'where'?")),
        (lambda x: losslib.mse_loss.grad(x, x, grad_outptu=1.0), ("mse_loss.grad", "did you mean 'grad_output'?")),
        (
            lambda x: losslib.huber_loss(x, x, delat=1.0),
            ("huber_loss", "did you mean 'delta'?", "input, target, delta"),
        ),
    ],
)
def test_a_misspelt_keyword_of_a_function_suggests_parameters_and_arguments(call: Any, words: tuple[str, ...]) -> None:
    with pytest.raises(TypeError) as error:
        call(np.zeros((2, 3)))
    assert_message(error, *words)


def test_a_parameter_is_checked_whatever_was_asked_before() -> None:
    x, t = np.zeros((2, 3)), [0, 1]
    assert losslib.cross_entropy(x, t, axis=1) == losslib.cross_entropy(x, t)
    with pytest.raises(ParameterError, match="axis must be an integer"):
        losslib.cross_entropy(x, t, axis=1.0)
    losslib.multi_margin_loss(x, t, p=1)
    with pytest.raises(ParameterError, match="p must be"):
        losslib.multi_margin_loss(x, t, p=True)


def test_weights_of_rows_belong_to_the_first_axis_or_to_each_sample() -> None:
    x, t = np.zeros((2, 3, 4)), np.zeros((2, 4), int)
    with pytest.raises(ShapeError, match=r"sample_weight has shape \(4,\); expected \(2,\) for one weight a sample"):
        losslib.cross_entropy(x, t, sample_weight=[1.0, 2.0, 3.0, 4.0])
    with pytest.raises(ShapeError, match="sample_weight has shape"):
        losslib.cosine_similarity_loss(x.swapaxes(1, 2), x.swapaxes(1, 2), sample_weight=np.ones(4))
    first = losslib.cross_entropy(x, t, sample_weight=[1.0, 3.0], reduction="none")
    np.testing.assert_allclose(first, np.log(3) * np.array([[1.0], [3.0]]) * np.ones((2, 4)))
    for call in (
        losslib.cross_entropy(x, t, sample_weight=2.0),
        losslib.cross_entropy(x, t, sample_weight=np.float64(2)),
    ):
        assert call == 2 * losslib.cross_entropy(x, t)
    assert losslib.mse_loss([1.0, 2.0], [0.0, 0.0], sample_weight=2.0) == 5.0


@pytest.mark.parametrize("shape", [(0, 3), (0,)])
def test_an_empty_gradient_may_be_written_into_an_empty_array(shape: tuple[int, ...]) -> None:
    x = np.empty(shape)
    for dtype in (np.float16, np.float32, np.float64):
        for weight in (None, np.empty(0)):
            out = np.empty(shape, dtype)
            found = losslib.mse_loss.grad(x.astype(dtype), x.astype(dtype), sample_weight=weight, out=out)
            assert found is out
    if len(shape) == 2:
        out = np.empty(shape)
        assert losslib.cross_entropy.grad(x, np.empty(0, int), out=out) is out
        assert losslib.multi_margin_loss.grad(x, np.empty(0, int), out=out) is out
        assert losslib.cosine_embedding_loss.grad(x, x, np.empty(0), wrt="input1", out=out) is out


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss", "multi_margin_loss", "softmax_focal_loss"])
def test_an_empty_list_holds_no_class(name: str) -> None:
    assert np.isnan(getattr(losslib, name)(np.empty((0, 3)), []))
    with pytest.raises(DTypeError, match="class indices must be integers"):
        getattr(losslib, name)(np.empty((0, 3)), np.empty(0))


def test_probabilities_that_are_none_get_advice_for_targets() -> None:
    with pytest.raises(DomainError, match=r"target\[1, 2\] is 1.7.*divide each row by its sum; class indices are"):
        losslib.cross_entropy(np.zeros((2, 3)), [[0.5, 0.5, 0.0], [0.2, 0.2, 1.7]])


def test_a_type_of_eight_bits_is_no_structured_array() -> None:
    narrow = pytest.importorskip("ml_dtypes").float8_e4m3fn
    with pytest.raises(DTypeError) as error:
        losslib.mse_loss(np.zeros(2, narrow), [0.0, 0.0])
    assert_message(error, "float8_e4m3fn", "convert it with .astype")
    with pytest.raises(DTypeError, match="one field of the structured array"):
        losslib.mse_loss(np.zeros(2, [("a", "f4")]), [0.0, 0.0])


OF_SAMPLES = [
    (info, k)
    for info in losslib.list_losses()
    for k, item in enumerate(info.inputs)
    if item.holds in ("time", "event", "interval", "cause", "fraction")
]


@pytest.mark.parametrize(
    ("info", "position"), OF_SAMPLES, ids=[f"{info.name}-{info.input_names[k]}" for info, k in OF_SAMPLES]
)
def test_a_nan_in_what_is_known_of_a_sample_is_no_number(info: Any, position: int) -> None:
    """It reaches the value, or is refused where samples are sorted or chosen by it."""
    drawing: Any = geometries.find(info.geometry)
    given = drawing.draw(info, losslib.get(info.name).parameters, np.random.default_rng(0), 12)
    given[position] = np.array(given[position], float)
    given[position][0] = np.nan
    try:
        value = function(info)(*given)
    except (DomainError, DTypeError) as error:
        assert info.input_names[position] in str(error)  # noqa: PT017
    else:
        assert np.isnan(value)
