"""Functions, classes, names and declarations: identity, pickling, signatures, documentation, sums of losses."""

from __future__ import annotations

import copy
import dataclasses
import doctest
import importlib
import inspect
import math
import pickle
import pkgutil
import re
import threading
from typing import Any

import numpy as np
import pytest

import losslib
from formulas import (
    CLASS_WEIGHT,
    LOSS_IDS,
    LOSSES,
    OWN_ARRAYS,
    POINTWISE,
    POINTWISE_IDS,
    function,
    loss_class,
    modes,
    own_parameters,
    points,
    sample_inputs,
    settings,
)
from losslib import geometries
from losslib.declaration import registry
from losslib.declaration.schema import Array, Choice, Flag, Indices, Integer, Real

PER_LOSS = pytest.mark.parametrize("info", LOSSES, ids=LOSS_IDS)
PER_POINTWISE = pytest.mark.parametrize("info", POINTWISE, ids=POINTWISE_IDS)

#: The fifty names of the catalogue's pointwise tables; a loss that disappears must fail a test.
_CATALOGUE = """
    l1_loss mse_loss half_squared_error mean_bias_error huber_loss smooth_l1_loss pseudo_huber_loss
    log_cosh_loss quantile_loss expectile_loss epsilon_insensitive_loss squared_epsilon_insensitive_loss
    mean_absolute_percentage_error symmetric_mean_absolute_percentage_error mean_squared_logarithmic_error
    lq_loss fair_loss wing_loss charbonnier_loss cauchy_loss welsch_loss geman_mcclure_loss
    tukey_biweight_loss barron_loss poisson_nll_loss gaussian_nll_loss gamma_nll_loss tweedie_nll_loss
    laplace_nll_loss student_t_nll_loss negative_binomial_nll_loss kl_div generalized_kl_div
    binary_cross_entropy binary_cross_entropy_with_logits weighted_binary_cross_entropy
    balanced_binary_cross_entropy binary_focal_loss sigmoid_focal_loss soft_margin_loss
    multilabel_soft_margin_loss hinge_loss squared_hinge_loss exponential_loss modified_huber_loss
    perceptron_loss binary_sparsemax_loss asymmetric_loss hinge_embedding_loss margin_ranking_loss
"""
CATALOGUE = tuple(_CATALOGUE.split())


def bound_losses(info: Any) -> list[Any]:
    """Return objects of a loss with all sorts of parameters, arrays and infinities among them."""
    made = [loss_class(info)(**parameters) for parameters in settings(info)]
    made += [loss_class(info)(reduction=reduction) for reduction in info.reductions]
    made.append(loss_class(info)(check=False))
    if info.geometry in (
        "risk",
        "lists",
        "auc_margin",
        "brier",
    ):  # arrays have a number for each sample or item: they are among the settings
        return made
    if info.geometry != "pointwise":
        arrays = [item.name for item in info.parameters if isinstance(item, Array) and item.name not in OWN_ARRAYS]
        return made + [loss_class(info)(**{name: CLASS_WEIGHT}) for name in arrays]
    made += [loss_class(info)(weight=[0.5, 2.0]), loss_class(info)(weight=3.0, check=False)]
    made += [
        loss_class(info)(**{item.name: np.array([[1.0, 0.25]])})
        for item in own_parameters(info)
        if isinstance(item, Array)
    ]
    return made


def entries(info: Any) -> list[Any]:
    """Return the function of a loss and those of its derivatives."""
    return [function(info), *(getattr(function(info), mode) for mode in modes(info))]


def assert_same_result(first: Any, second: Any) -> None:
    """Fail unless two results of a call hold the same bits."""
    assert type(first) is type(second)
    if isinstance(first, tuple):
        assert len(first) == len(second)
        for a, b in zip(first, second, strict=True):
            assert_same_result(a, b)
    else:
        np.testing.assert_array_equal(first, second, strict=True)


def assert_close_result(first: Any, second: Any) -> None:
    """Fail unless two results agree but for the last bits: two paths through the code, two kernels."""
    assert type(first) is type(second)
    if isinstance(first, tuple):
        for a, b in zip(first, second, strict=True):
            assert_close_result(a, b)
    else:
        np.testing.assert_allclose(first, second, rtol=1e-13, atol=1e-14 * float(np.abs(second).max()), strict=True)


# ---- the registry ------------------------------------------------------------------------------------------------


def test_every_loss_of_the_catalogue_is_listed() -> None:
    listed = {info.name for info in losslib.list_losses()}
    assert set(CATALOGUE) <= listed
    assert len(CATALOGUE) == len(set(CATALOGUE)) == 50


def test_families_and_tags_select_losses() -> None:
    families = {info.family for info in LOSSES}
    assert families >= {"regression", "likelihood", "binary", "multiclass"}
    found = [info for family in families for info in losslib.list_losses(family=family)]
    assert sorted(info.name for info in found) == sorted(LOSS_IDS)
    for tag in {tag for info in LOSSES for tag in info.tags}:
        assert losslib.list_losses(tag=tag) == tuple(info for info in LOSSES if tag in info.tags)
    robust = losslib.list_losses("regression", tag="robust")
    assert robust
    assert all(info.family == "regression" and "robust" in info.tags for info in robust)


@PER_LOSS
def test_name_class_name_and_aliases_lead_to_one_class(info: Any) -> None:
    names = [info.name, info.class_name, *info.aliases, info.name.upper(), f" {info.name} ".replace("_", "-")]
    if info.name.endswith("_loss"):
        names.append(info.name.removesuffix("_loss"))
    for name in names:
        loss = losslib.get(name)
        assert type(loss) is loss_class(info), name
        assert loss == loss_class(info)()
    assert losslib.get(info.name, reduction="sum") == loss_class(info)(reduction="sum")


@PER_LOSS
def test_every_loss_is_exported(info: Any) -> None:
    assert {info.name, info.class_name} <= set(losslib.__all__)
    assert info.name in dir(losslib)
    assert issubclass(loss_class(info), losslib.Loss)
    assert isinstance(function(info), losslib.LossFunction)
    assert loss_class(info).info is info
    assert function(info).info is info


def test_everything_in_all_exists_and_nothing_twice() -> None:
    assert len(losslib.__all__) == len(set(losslib.__all__))
    for name in losslib.__all__:
        assert hasattr(losslib, name)


# ---- three ways to hold a loss -----------------------------------------------------------------------------------


@PER_LOSS
def test_function_class_and_get_give_the_same_bits(info: Any) -> None:
    for parameters in settings(info):
        inputs = sample_inputs(info, parameters)
        for reduction in info.reductions:
            given = {**parameters, "reduction": reduction}
            loss, same, call = loss_class(info)(**given), losslib.get(info.name, **given), function(info)
            assert loss == same
            assert_same_result(loss(*inputs), call(*inputs, **given))
            for mode in modes(info):
                expected = getattr(loss, mode)(*inputs)
                assert_same_result(getattr(same, mode)(*inputs), expected)
                assert_same_result(getattr(call, mode)(*inputs, **given), expected)


@PER_LOSS
def test_inputs_may_be_given_by_name_in_any_order(info: Any) -> None:
    inputs = dict(zip(info.input_names, sample_inputs(info), strict=True))
    backwards = dict(reversed(inputs.items()))
    expected = function(info).value_and_grad(*inputs.values())
    assert_close_result(function(info).value_and_grad(**backwards), expected)
    assert_close_result(loss_class(info)().value_and_grad(**backwards), expected)


@PER_LOSS
def test_positional_parameters_follow_the_declared_order(info: Any) -> None:
    inputs = sample_inputs(info)
    defaults = {item.name: item.default for item in info.parameters}
    for order, call in (
        (info.function_order, lambda *given: function(info)(*inputs, *given)),
        (info.class_order, lambda *given: loss_class(info)(*given)(*inputs)),
    ):
        given = ["sum" if name == "reduction" else defaults.get(name) for name in order]
        if "reduction" in order:
            assert_close_result(call(*given), function(info)(*inputs, reduction="sum"))
        elif order:
            assert_close_result(call(*given), function(info)(*inputs))


# ---- identity ----------------------------------------------------------------------------------------------------


@PER_LOSS
def test_objects_with_equal_parameters_are_equal_and_hash_alike(info: Any) -> None:
    first, second = bound_losses(info), bound_losses(info)
    for a, b in zip(first, second, strict=True):
        assert a == b
        assert hash(a) == hash(b)
        assert (a != b) is False
    if "weight" in info.array_parameter_names:
        assert loss_class(info)(weight=[1.0, 2.0]) != loss_class(info)(weight=[[1.0, 2.0]])
        assert loss_class(info)(weight=[1.0, 2.0]) != loss_class(info)(weight=[1.0, 3.0])
    assert loss_class(info)(reduction="sum") != loss_class(info)()
    assert loss_class(info)(check=False) != loss_class(info)()
    assert loss_class(info)() != info.name
    assert len({*first, *second}) == len(set(first))


@PER_LOSS
def test_every_parameter_takes_part_in_equality(info: Any) -> None:
    default = loss_class(info)()
    for parameter in own_parameters(info):
        if isinstance(parameter, Real):
            assert parameter.examples, f"{parameter.name} has no example value"
            assert loss_class(info)(**{parameter.name: parameter.examples[0]}) != default
        elif isinstance(parameter, Flag):
            assert loss_class(info)(**{parameter.name: not parameter.default}) != default
        elif isinstance(parameter, Integer):
            assert (
                loss_class(info)(**{parameter.name: max((parameter.default or 0) + 1, parameter.least or 0)}) != default
            )
        elif isinstance(parameter, Indices):
            assert loss_class(info)(**{parameter.name: range(1, 3)}) != default
        elif isinstance(parameter, Choice):
            assert loss_class(info)(**{parameter.name: parameter.choices[-1]}) != default


def test_losses_of_different_classes_are_never_equal() -> None:
    objects = [loss_class(info)() for info in LOSSES]
    assert len(set(objects)) == len(objects)


@PER_LOSS
def test_an_object_cannot_be_changed(info: Any) -> None:
    arrays = info.array_parameter_names[:1]
    loss = loss_class(info)(**{name: np.array([1.0, 2.0]) for name in arrays})
    for name in (*(item.name for item in info.parameters), "info", "new"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(loss, name, 1)
        with pytest.raises((AttributeError, TypeError)):
            delattr(loss, name)
    before = hash(loss)
    loss.parameters["reduction"] = "sum"
    for name in arrays:
        with pytest.raises(ValueError, match="read-only"):
            getattr(loss, name)[0] = 9.0
    assert hash(loss) == before
    assert loss.reduction == "mean"


def test_a_bound_weight_is_a_copy_of_the_callers_array() -> None:
    weight = np.array([1.0, 2.0])
    loss = losslib.L1Loss(weight=weight)
    weight[0] = 100.0
    assert loss([1.0, 1.0], [0.0, 0.0], sample_weight=None) == 1.0
    assert loss.weight[0] == 1.0


@PER_LOSS
def test_parameters_are_attributes(info: Any) -> None:
    for loss in bound_losses(info):
        assert list(loss.parameters) == [item.name for item in info.parameters]
        for name, value in loss.parameters.items():
            assert getattr(loss, name) is value
            assert name in dir(loss)
    with pytest.raises(AttributeError, match="no attribute 'no_such_parameter'"):
        _ = loss.no_such_parameter


@PER_LOSS
def test_pickle_and_copy_give_an_equal_object(info: Any) -> None:
    for loss in bound_losses(info):
        inputs = sample_inputs(info, {item.name: loss.parameters[item.name] for item in own_parameters(info)})
        others = [pickle.loads(pickle.dumps(loss, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
        others += [copy.copy(loss), copy.deepcopy(loss), loss.replace()]
        expected = loss.value_and_grad(*inputs)
        for other in others:
            assert type(other) is type(loss)
            assert other == loss
            assert hash(other) == hash(loss)
            assert_same_result(other.value_and_grad(*inputs), expected)


@PER_LOSS
def test_a_declaration_is_pickled_and_copied_as_itself(info: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(info, protocol)) is info
    assert copy.copy(info) is info
    assert copy.deepcopy(info) is info
    changed = dataclasses.replace(info, summary="Another.")
    assert copy.copy(changed).summary == "Another."


@PER_LOSS
def test_functions_and_their_derivatives_are_pickled_by_name(info: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(function(info), protocol)) is function(info)
        for mode in ("grad", "value_and_grad", "value_grad_hess"):
            entry = getattr(function(info), mode)
            assert pickle.loads(pickle.dumps(entry, protocol)) is entry
    assert pickle.loads(pickle.dumps(info.name)) == info.name


@PER_LOSS
def test_repr_evaluates_back(info: Any) -> None:
    for loss in bound_losses(info):
        again = eval(repr(loss), {info.class_name: loss_class(info)})
        assert again == loss
        assert repr(again) == repr(loss)


@PER_LOSS
def test_replace_changes_what_is_named_and_nothing_else(info: Any) -> None:
    arrays = {name: np.array([1.0, 2.0]) for name in info.array_parameter_names[:1]}
    loss = loss_class(info)(**arrays, check=False)
    changed = loss.replace(reduction="sum")
    assert changed.reduction == "sum"
    assert loss.reduction == "mean"
    assert changed.check is False
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(changed, name), array)
    for parameter in own_parameters(info):
        if isinstance(parameter, Real):
            value = parameter.examples[0]
            assert getattr(loss.replace(**{parameter.name: value}), parameter.name) == value
    with pytest.raises(TypeError, match="no_such_parameter"):
        loss.replace(no_such_parameter=1)


# ---- signatures --------------------------------------------------------------------------------------------------


@PER_LOSS
def test_signatures_show_inputs_parameters_and_call_arguments(info: Any) -> None:
    parameters = [item.name for item in info.parameters]
    arguments = {
        function(info): ["sample_weight", "where", "out"],
        function(info).grad: ["sample_weight", "where", "out", "grad_output", "wrt"],
        function(info).value_and_grad: ["sample_weight", "where", "out", "grad_output", "wrt"],
        function(info).value_grad_hess: ["sample_weight", "where", "out", "wrt"],
    }
    for entry, extra in arguments.items():
        signature = inspect.signature(entry)
        assert list(signature.parameters) == [*info.input_names, *parameters, *extra]
        for item in info.parameters:
            assert signature.parameters[item.name].default == item.default
            assert signature.parameters[item.name].kind is inspect.Parameter.KEYWORD_ONLY
    signature = inspect.signature(loss_class(info))
    assert list(signature.parameters) == parameters
    assert all(signature.parameters[item.name].default == item.default for item in info.parameters)


@PER_LOSS
def test_what_the_signature_shows_is_accepted(info: Any) -> None:
    inputs = sample_inputs(info)
    for entry in entries(info):
        bound = inspect.signature(entry).bind(*inputs)
        bound.apply_defaults()
        assert_close_result(entry(*bound.args, **bound.kwargs), entry(*inputs))
    bound = inspect.signature(loss_class(info)).bind()
    bound.apply_defaults()
    assert loss_class(info)(**bound.kwargs) == loss_class(info)()


@PER_LOSS
def test_names_and_modules_are_those_of_the_public_package(info: Any) -> None:
    assert function(info).__name__ == function(info).__qualname__ == info.name
    assert function(info).__module__ == loss_class(info).__module__ == "losslib"
    assert function(info).grad.__qualname__ == f"{info.name}.grad"
    assert function(info).grad.__name__ == "grad"
    assert repr(function(info)) == f"<function losslib.{info.name}>"
    assert loss_class(info).__qualname__ == info.class_name


# ---- documentation -----------------------------------------------------------------------------------------------


@PER_LOSS
def test_docstrings_have_every_section_and_name_every_argument(info: Any) -> None:
    for entry in entries(info):
        text = inspect.getdoc(entry)
        assert text
        for section in ("Parameters\n----------", "Returns\n-------", "Raises\n------"):
            assert section in text
        for name in inspect.signature(entry).parameters:
            assert f"\n{name} : " in text, name
    for documented in (function(info), loss_class(info)):
        text = inspect.getdoc(documented)
        assert text
        for section in ("Notes\n-----", "References\n----------", "Examples\n--------", "See Also\n--------"):
            assert section in text, section
        assert info.formula in text
        for item in info.parameters:
            assert f"\n{item.name} : " in text
            assert item.range_text in " ".join(text.split()) or not isinstance(item, Real)


DOCTEST_FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.FAIL_FAST


def run_examples(text: str, name: str) -> int:
    """Run the examples of a docstring; return how many there were."""
    test = doctest.DocTestParser().get_doctest(text, {"np": np, "losslib": losslib}, name, name, 0)
    runner = doctest.DocTestRunner(optionflags=DOCTEST_FLAGS)
    messages: list[str] = []
    runner.run(test, out=messages.append)
    assert runner.failures == 0, "".join(messages)
    return len(test.examples)


@PER_LOSS
def test_the_examples_of_function_and_class_run(info: Any) -> None:
    assert run_examples(function(info).__doc__, info.name) >= 2
    assert run_examples(loss_class(info).__doc__, info.class_name) >= 2
    assert "value_and_grad" in info.examples


def test_the_examples_of_the_package_and_its_modules_run() -> None:
    assert run_examples(losslib.__doc__ or "", "losslib") >= 3
    modules = [
        importlib.import_module(f"losslib.{item.name}")
        for item in pkgutil.iter_modules(losslib.__path__)
        if item.name not in ("__main__", "_kernels", "adapters")
    ]
    count = 0
    for module in modules:
        assert module.__doc__, f"{module.__name__} has no docstring"
        for name, thing in vars(module).items():
            if getattr(thing, "__module__", None) == module.__name__ and inspect.getdoc(thing):
                count += run_examples(inspect.getdoc(thing) or "", f"{module.__name__}.{name}")
    for name in ("get", "list_losses", "threads"):
        assert run_examples(inspect.getdoc(getattr(losslib, name)) or "", name) >= 1
    assert count > 0


def test_everything_public_has_a_docstring() -> None:
    for name in losslib.__all__:
        if name != "__version__":
            assert inspect.getdoc(getattr(losslib, name)), name
    for name in ("__call__", "grad", "value_and_grad", "value_grad_hess", "replace", "parameters"):
        assert inspect.getdoc(getattr(losslib.Loss, name)), name


@PER_LOSS
def test_the_declaration_is_filled_in(info: Any) -> None:
    assert info.summary.endswith(".")
    assert "\n" not in info.summary
    assert len(info.description) > 80
    assert info.notes
    assert info.formula
    assert len(info.use_when) >= 2
    assert len(info.avoid_when) >= 2
    assert info.pitfalls
    assert info.tags
    assert info.references
    assert geometries.find(info.geometry).draw(info, loss_class(info)().parameters, np.random.default_rng(0), 100)
    assert info.value_range
    assert set(info.default_wrt) <= set(info.differentiable) <= set(info.input_names)
    for reference in info.references:
        assert reference.doi or reference.url or reference.text
    for entry in info.entries:
        assert entry.startswith("L")
        assert len(entry) == 4
        assert entry[1:].isdigit()
    for item in own_parameters(info):
        assert item.meaning.endswith((".", ")"))


@PER_LOSS
def test_a_description_speaks_of_no_parameter_that_the_loss_has_not(info: Any) -> None:
    own = {*info.parameter_names, *info.input_names}
    own |= {word for item in info.parameters if isinstance(item, Choice) for word in item.choices}
    elsewhere = {name for other in LOSSES for name in other.parameter_names} - own
    named = re.findall(r"`+(\w+)`+", f"{info.description} {info.notes}")
    assert not elsewhere.intersection(named)


@PER_LOSS
def test_see_also_names_other_losses_that_exist(info: Any) -> None:
    names = [name for name, _ in info.see_also]
    assert names
    assert len(set(names)) == len(names)
    assert info.name not in names
    assert set(names) <= {*LOSS_IDS}
    assert all(text for _, text in info.see_also)


@PER_LOSS
def test_the_value_range_holds_at_many_points(info: Any) -> None:
    bounds = info.value_range.partition(" for ")[0]  # other parameters may have other bounds
    low, high = (part.strip() for part in bounds.strip()[1:-1].rsplit(",", 1))
    names = {"inf": math.inf, "log": math.log, **{item.name: item.default for item in own_parameters(info)}}
    bottom, top = (eval(part, {"__builtins__": {}}, names) for part in (low, high))
    if info.geometry == "pointwise":
        inputs = [array[:, np.newaxis] for array in points(info, {}, 400).values()]
    else:
        inputs = sample_inputs(info)
    # A sum of two means has no unreduced form.
    value = np.asarray(function(info)(*inputs, reduction="none" if "none" in info.reductions else "mean"))
    assert value.min() >= bottom - 1e-15
    assert value.max() <= top


def test_a_name_that_is_taken_twice_is_refused() -> None:
    info = LOSSES[0]
    known = dict(registry._names)
    with pytest.raises(RuntimeError, match="names both"):
        registry.add(
            dataclasses.replace(info, name="another", class_name=info.class_name, aliases=("a", "b", "c")), None, None
        )
    assert registry._names == known


# ---- sums of losses ----------------------------------------------------------------------------------------------

X, T = np.array([1.0, -2.0, 0.25, 4.0]), np.array([0.0, 0.5, 0.25, -1.0])


def test_a_weighted_sum_adds_values_gradients_and_hessians() -> None:
    total = 0.3 * losslib.L1Loss() + 0.7 * losslib.MSELoss(reduction="sum") + losslib.HuberLoss(delta=2.0)
    parts = [(0.3, losslib.L1Loss()), (0.7, losslib.MSELoss(reduction="sum")), (1.0, losslib.HuberLoss(delta=2.0))]
    assert total.terms == tuple(parts)
    assert total(X, T) == pytest.approx(math.fsum(c * loss(X, T) for c, loss in parts), rel=1e-15)
    value, grad, hess = total.value_grad_hess(X, T)
    np.testing.assert_allclose(grad, sum(c * loss.grad(X, T) for c, loss in parts), rtol=1e-14)
    np.testing.assert_allclose(hess, sum(c * loss.value_grad_hess(X, T)[2] for c, loss in parts), rtol=1e-14)
    again, grad_again = total.value_and_grad(X, T)
    assert again == value == total(X, T)
    np.testing.assert_array_equal(grad_again, grad)
    np.testing.assert_array_equal(total.grad(X, T), grad)


def test_sums_take_the_arguments_of_a_call() -> None:
    a, b = losslib.L1Loss(), losslib.HuberLoss(delta=0.5)
    total = 2 * a + b * 0.5
    options = {"sample_weight": [1.0, 0.0, 2.0, 1.0], "where": [True, True, False, True]}
    assert total(X, T, **options) == pytest.approx(2 * a(X, T, **options) + 0.5 * b(X, T, **options))
    for wrt in ("target", ("input", "target")):
        found = total.grad(X, T, wrt=wrt, grad_output=3.0, **options)
        one, two = (loss.grad(X, T, wrt=wrt, grad_output=3.0, **options) for loss in (a, b))
        np.testing.assert_allclose(found, 2 * np.asarray(one) + 0.5 * np.asarray(two), rtol=1e-15)


def test_sums_write_into_out_after_every_term_has_read_its_inputs() -> None:
    total = 2 * losslib.L1Loss() + losslib.MSELoss()
    expected = total.grad(X, T)
    x = X.copy()
    assert total.grad(x, T, out=x) is x
    np.testing.assert_array_equal(x, expected)
    value, grad, hess = total.value_grad_hess(X, T)
    outs = np.empty(4), np.empty(4)
    assert total.value_grad_hess(X, T, out=outs)[0] == value
    np.testing.assert_array_equal(outs, (grad, hess))
    elements = 2 * losslib.L1Loss(reduction="none") + losslib.MSELoss(reduction="none")
    out = np.empty(4)
    elements(X, T, out=out)
    np.testing.assert_array_equal(out, elements(X, T))
    for bad in (np.empty(3), np.empty(4, np.float32)):
        with pytest.raises((ValueError, TypeError)):
            total.grad(X, T, out=bad)


def test_sums_are_values_too() -> None:
    total = 0.5 * losslib.L1Loss(weight=[1.0, 2.0]) + 2.0 * losslib.BarronLoss(alpha=-math.inf)
    names = {"L1Loss": losslib.L1Loss, "BarronLoss": losslib.BarronLoss}
    assert eval(repr(total), names) == total
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(total, protocol)) == total
    assert copy.deepcopy(total) == total
    assert hash(copy.copy(total)) == hash(total)
    assert total != 2 * total
    assert sum([losslib.L1Loss(), losslib.MSELoss()]) == losslib.L1Loss() + losslib.MSELoss()
    assert (2 * total).terms[0][0] == 1.0
    assert len((total + total).terms) == 4
    assert np.float64(2.0) * losslib.L1Loss() == losslib.L1Loss() * 2
    with pytest.raises(AttributeError):
        total.new = 1
    assert total.reduction == "mean"


def test_sums_of_losses_that_do_not_fit_are_refused() -> None:
    with pytest.raises(losslib.ParameterError, match="same inputs"):
        losslib.L1Loss() + losslib.GaussianNLLLoss()
    with pytest.raises(losslib.ParameterError, match="none"):
        losslib.L1Loss() + losslib.MSELoss(reduction="none")
    for wrong in (lambda: losslib.L1Loss() + 1, lambda: losslib.L1Loss() * losslib.L1Loss(),
                  lambda: losslib.L1Loss() * "2", lambda: losslib.L1Loss() * True):  # fmt: skip
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(losslib.ParameterError, match="finite"):
        math.nan * losslib.L1Loss()
    with pytest.raises(losslib.ParameterError, match="at least one"):
        losslib.WeightedSum(())


@PER_LOSS
def test_every_loss_can_be_scaled(info: Any) -> None:
    inputs = sample_inputs(info)
    loss = loss_class(info)()
    value, grad = (2.0 * loss).value_and_grad(*inputs)
    expected, slope = loss.value_and_grad(*inputs)
    assert value == 2.0 * expected
    pairs = zip(grad, slope, strict=True) if isinstance(grad, tuple) else [(grad, slope)]
    for twice, once in pairs:
        np.testing.assert_array_equal(twice, 2.0 * np.asarray(once))
    assert eval(repr(2.0 * loss), {info.class_name: loss_class(info)}) == 2.0 * loss


# ---- many callers ------------------------------------------------------------------------------------------------


def test_one_object_serves_many_threads_at_once() -> None:
    loss = losslib.BCEWithLogitsLoss(pos_weight=2.0)
    rng = np.random.default_rng(3)
    work = [(rng.standard_normal((200 + k, 10)), rng.random((200 + k, 10))) for k in range(8)]
    expected = [loss.value_and_grad(*pair) for pair in work]
    failures: list[str] = []
    start = threading.Barrier(len(work))

    def call(k: int) -> None:
        start.wait()
        for _ in range(60):
            value, grad = loss.value_and_grad(*work[k])
            keyword = losslib.binary_cross_entropy_with_logits(*work[k], label_smoothing=k / 20)
            if value != expected[k][0] or not np.array_equal(grad, expected[k][1]) or not np.isfinite(keyword):
                failures.append(f"thread {k}")

    callers = [threading.Thread(target=call, args=(k,)) for k in range(len(work))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failures


def test_a_function_called_with_ever_new_parameters_stays_right() -> None:
    for k in range(1, 400):
        delta = k / 100
        assert losslib.huber_loss([10.0], [0.0], delta=delta) == pytest.approx(delta * (10 - delta / 2), rel=1e-14)


# ---- what an object is not ---------------------------------------------------------------------------------------


def test_a_bound_weight_cannot_be_made_writeable() -> None:
    loss = losslib.CrossEntropyLoss(weight=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="WRITEABLE"):
        loss.weight.flags.writeable = True
    assert pickle.loads(pickle.dumps(loss)) == loss


def test_a_weight_that_is_not_finite_has_a_repr_that_evaluates_back() -> None:
    loss = losslib.MSELoss(weight=[[np.nan, np.inf], [-np.inf, 1.0]])
    assert eval(repr(loss), vars(losslib)) == loss


def test_an_object_shows_the_signature_of_its_call_and_a_declaration_one_line() -> None:
    assert list(inspect.signature(losslib.HuberLoss()).parameters)[:2] == ["input", "target"]
    assert list(inspect.signature(losslib.HuberLoss).parameters)[:2] == ["delta", "weight"]
    assert repr(losslib.HuberLoss.info).startswith("<LossInfo huber_loss: ")
    assert "\n" not in repr(losslib.HuberLoss.info)


def test_the_base_class_has_no_objects() -> None:
    with pytest.raises(TypeError, match="has no objects of its own"):
        losslib.Loss()


def test_the_old_name_of_the_loss_for_images_is_there() -> None:
    assert losslib.NLLLoss2d is losslib.NLLLoss
    assert "NLLLoss2d" in losslib.__all__
