"""Names of other packages lead to losslib losses with the meaning that they have there, or to a message."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import losslib
from losslib.cli.catalogue import describe_name
from losslib.cli.compute import bind_losses
from losslib.combine.peer_loss import PeerLoss
from losslib.declaration import registry
from losslib.declaration.schema import Equivalent
from losslib.names import plain
from losslib.names.binding import bind, case_of, losses_of, values_of
from losslib.names.calls import disagreement, read_call
from losslib.names.schema import REQUIRED, Case, Takes
from losslib.names.tables import PACKAGES, package
from losslib.names.text import describe, refusals

RNG = np.random.default_rng(11)
X, T = RNG.normal(size=(5, 3)), RNG.integers(0, 2, (5, 3)).astype(float)
P, Q = RNG.dirichlet(np.ones(3), 5), RNG.dirichlet(np.ones(3), 5)

BINDINGS = [(key, binding) for key in PACKAGES for binding in package(key).bindings]
each_binding = pytest.mark.parametrize(("key", "binding"), BINDINGS, ids=[f"{key}:{b.name}" for key, b in BINDINGS])


# ---- the calls of the source articles ----------------------------------------------------------------------------

ARTICLE_CALLS: list[tuple[str, dict[str, Any], losslib.Loss]] = [
    ("BinaryCrossentropy", {"from_logits": True}, losslib.BCEWithLogitsLoss()),
    (
        "BinaryCrossentropy",
        {"from_logits": True, "label_smoothing": 0.1, "reduction": "sum_over_batch_size"},
        losslib.BCEWithLogitsLoss(label_smoothing=0.1),
    ),
    (
        "BinaryCrossentropy",
        {"from_logits": True, "label_smoothing": 0, "reduction": "auto"},
        losslib.BCEWithLogitsLoss(),
    ),
    (
        "CategoricalCrossentropy",
        {"from_logits": False, "label_smoothing": 0, "reduction": "auto"},
        losslib.CategoricalCrossEntropy(axis=-1),
    ),
    (
        "CategoricalCrossentropy",
        {"from_logits": True, "reduction": "sum"},
        losslib.CrossEntropyLoss(axis=-1, reduction="sum"),
    ),
    ("L1Loss", {"size_average": None, "reduce": None, "reduction": "mean"}, losslib.L1Loss()),
    ("MSELoss", {"size_average": None, "reduce": None, "reduction": "mean"}, losslib.MSELoss()),
    (
        "CrossEntropyLoss",
        {
            "weight": None,
            "size_average": None,
            "ignore_index": -100,
            "reduce": None,
            "reduction": "mean",
            "label_smoothing": 0.0,
        },
        losslib.CrossEntropyLoss(),
    ),
    ("CTCLoss", {"blank": 0, "reduction": "mean", "zero_infinity": False}, losslib.CTCLoss()),
    (
        "NLLLoss",
        {"weight": None, "size_average": None, "ignore_index": -100, "reduce": None, "reduction": "mean"},
        losslib.NLLLoss(),
    ),
    (
        "PoissonNLLLoss",
        {"log_input": True, "full": False, "size_average": None, "eps": 1e-08, "reduce": None, "reduction": "mean"},
        losslib.PoissonNLLLoss(),
    ),
    ("GaussianNLLLoss", {"full": False, "eps": 1e-06, "reduction": "mean"}, losslib.GaussianNLLLoss()),
    (
        "KLDivLoss",
        {"size_average": None, "reduce": None, "reduction": "mean", "log_target": False},
        losslib.KLDivLoss(),
    ),
    ("BCELoss", {"weight": None, "size_average": None, "reduce": None, "reduction": "mean"}, losslib.BCELoss()),
    (
        "BCEWithLogitsLoss",
        {"weight": None, "size_average": None, "reduce": None, "reduction": "mean", "pos_weight": None},
        losslib.BCEWithLogitsLoss(),
    ),
    ("MarginRankingLoss", {"margin": 0.0, "size_average": None, "reduce": None}, losslib.MarginRankingLoss()),
    ("HingeEmbeddingLoss", {"margin": 1.0, "size_average": None, "reduce": None}, losslib.HingeEmbeddingLoss()),
    (
        "MultiLabelMarginLoss",
        {"size_average": None, "reduce": None, "reduction": "mean"},
        losslib.MultiLabelMarginLoss(),
    ),
    ("HuberLoss", {"reduction": "mean", "delta": 1.0}, losslib.HuberLoss()),
    ("SmoothL1Loss", {"size_average": None, "reduce": None, "reduction": "mean", "beta": 1.0}, losslib.SmoothL1Loss()),
    ("SoftMarginLoss", {"size_average": None, "reduce": None, "reduction": "mean"}, losslib.SoftMarginLoss()),
    (
        "MultiLabelSoftMarginLoss",
        {"weight": None, "size_average": None, "reduce": None},
        losslib.MultiLabelSoftMarginLoss(),
    ),
    ("CosineEmbeddingLoss", {"margin": 0.0, "size_average": None, "reduce": None}, losslib.CosineEmbeddingLoss()),
    (
        "MultiMarginLoss",
        {"p": 1, "margin": 1.0, "weight": None, "size_average": None, "reduce": None},
        losslib.MultiMarginLoss(),
    ),
    (
        "TripletMarginLoss",
        {
            "margin": 1.0,
            "p": 2.0,
            "eps": 1e-06,
            "swap": False,
            "size_average": None,
            "reduce": None,
            "reduction": "mean",
        },
        losslib.TripletMarginLoss(),
    ),
    (
        "TripletMarginWithDistanceLoss",
        {"distance_function": None, "margin": 1.0, "swap": False, "reduction": "mean"},
        losslib.TripletMarginWithDistanceLoss(),
    ),
]


@pytest.mark.parametrize(
    ("name", "parameters", "loss"), ARTICLE_CALLS, ids=[f"{n}-{len(p)}" for n, p, _ in ARTICLE_CALLS]
)
def test_the_calls_of_keras_and_pytorch_work_as_they_are_written(name: str, parameters: Any, loss: Any) -> None:
    assert losslib.get(name, **parameters) == loss
    key = "keras" if "Crossentropy" in name else "torch"
    assert losslib.get(f"{key}:{name}", **parameters) == loss


def test_a_reduction_of_keras_reduces_means_over_the_last_axis() -> None:
    elements = losslib.binary_cross_entropy_with_logits(X, T, reduction="none")
    summed = losslib.get("keras:BinaryCrossentropy", from_logits=True, reduction="sum")
    rows = losslib.get("BinaryCrossentropy", from_logits=True, reduction=None)
    assert summed(X, T) == pytest.approx(elements.mean(-1).sum(), rel=1e-15)
    np.testing.assert_allclose(rows(X, T), elements.mean(-1), rtol=1e-15)


# ---- the table ---------------------------------------------------------------------------------------------------


@each_binding
def test_a_binding_is_well_formed(key: str, binding: Any) -> None:
    assert len(set(binding.names)) == len(binding.names)
    for case in binding.cases:
        assert bool(case.loss) != bool(case.refused), "a case is a loss or a refusal"
        assert set(case.when) | set(case.without) | set(case.renames) <= set(binding.parameters)
        if case.loss:
            check_parameters(binding, case)
    assert all(reason for _, reason in refusals(binding))
    assert describe(key, binding)


def check_parameters(binding: Any, case: Case) -> None:
    """Assert that losslib's loss has the parameters that it is given."""
    known = registry.info_of(case.loss).parameter_names
    taken = [
        case.renames.get(name, item.to or name)
        for name, item in binding.parameters.items()
        if isinstance(item, Takes) and name not in case.without and name not in ("size_average", "reduce")
    ]
    assert set(taken) | set(case.sets) <= set(known)


@each_binding
def test_a_default_is_a_loss_or_says_what_to_write(key: str, binding: Any) -> None:
    needed = [name for name, item in binding.parameters.items() if item.default is REQUIRED]
    if needed:
        with pytest.raises(losslib.ParameterError, match=f"needs {needed[0]}"):
            bind(key, binding, {})
        return
    if case_of(key, binding, values_of(key, binding, {})).refused:
        with pytest.raises(losslib.ParameterError, match="has no exact counterpart in losslib: "):
            losslib.get(f"{key}:{binding.name}")
        return
    loss = losslib.get(f"{key}:{binding.name}")
    assert isinstance(loss, losslib.Loss)
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert copy.copy(loss) == loss
    space = {**vars(losslib), "PeerLoss": PeerLoss}
    assert eval(repr(loss), space) == loss
    assert losslib.get(f"{key}:{binding.name}") == loss
    assert hash(loss) == hash(losslib.get(f"{key}:{binding.name}"))


def test_names_of_a_package_are_distinct() -> None:
    for key in PACKAGES:
        names = [name for binding in package(key).bindings for name in binding.names]
        assert len(names) == len(set(names)), key


@pytest.mark.parametrize(
    "name", ["tensorflow:nn.sigmoid_cross_entropy_with_logits", "Keras:losses.Huber", "torch:F.mse_loss"]
)
def test_packages_and_modules_may_be_written_in_several_ways(name: str) -> None:
    assert isinstance(losslib.get(name), losslib.Loss)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("keras:Hubr", {}, "did you mean 'Huber'"),
        ("lightgbm:huber", {"delta": 1.0}, "LightGBM calls it 'alpha'"),
        ("keras:Huber", {"detla": 1.0}, "did you mean 'delta'"),
        ("keras:Huber", {"reduction": "average"}, "takes reduction='sum_over_batch_size', 'mean'"),
        ("keras:BinaryCrossentropy", {"from_logits": 2}, "takes no from_logits=2"),
        ("keras:BinaryCrossentropy", {"axis": 0}, "averages another axis"),
        ("optax:kl_divergence", {"where": T}, "pass where= to the call"),
        ("catboost:Huber", {}, "needs delta"),
        ("scipy:huber", {"delta": -1.0}, "delta must be a finite number > 0"),
    ],
)
def test_a_message_says_what_the_package_takes(name: str, parameters: Any, message: str) -> None:
    with pytest.raises((losslib.ParameterError, TypeError), match=message):
        losslib.get(name, **parameters)


# ---- names that nothing has --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsense:foo", "no package 'nonsense'; known are torch, keras, "),
        ("kers:MSE", r"no package 'kers' \(did you mean 'keras'\?\); .* no colon \(did you mean 'mse'\?\)"),
        ("https://example.org/mse", "no package 'https'"),
        (":", "no package before the colon"),
        (" : mse", "no package before the colon"),
        ("reg:gama", r"did you mean 'reg:gamma'\?\); those with reg: are .*reg:tweedie"),
        ("keras:", "stands before a name of Keras; `losslib list keras:`"),
        ("keras:meansquarederror", "did you mean 'MeanSquaredError'"),
        ("MSELOSs", "did you mean 'MSELoss'"),
        ("", "name of a loss is empty, got ''"),
        (" \t", r"name of a loss is empty, got ' \\t'"),
        ("huber_loss(delta=2)", "did you mean 'huber_loss'.*a name has no brackets"),
        ("losslib.mse_loss", "did you mean 'mse_loss'"),
        ("nn.MSELoss", "did you mean 'MSELoss'"),
        ("keras.losses.MeanSquaredError", "written keras:MeanSquaredError$"),
        ("torch.nn.functional.mse_los", r"written torch:mse_los \(did you mean 'mse_loss'\?\)"),
        ("keras", "it is a package; `losslib list keras:`"),
        ("mse\u200b_loss", r"'mse\\u200b_loss' \(did you mean 'mse_loss'"),
        ("\ud800", r"'\\ud800'"),
        ("a" * 100_000, r"'a{60}\.\.\.'; losslib.list_losses"),
    ],
)
def test_a_name_that_nothing_has_is_answered_with_what_may_be_meant(name: str, message: str) -> None:
    with pytest.raises(losslib.ParameterError, match=message):
        losslib.get(name)
    with pytest.raises(losslib.ParameterError, match=message):
        describe_name(name)
    with pytest.raises(losslib.ParameterError, match=message):
        bind_losses([name], [], None)


@pytest.mark.parametrize("key", PACKAGES)
def test_names_with_their_module_are_answered_with_the_colon(key: str) -> None:
    binding = package(key).bindings[0]
    if not {".", ":"} & {*binding.name}:
        with pytest.raises(losslib.ParameterError, match=f"written {key}:{re.escape(binding.name)}$"):
            losslib.get(f"{key}.module.{binding.name}")


@pytest.mark.parametrize("key", PACKAGES)
def test_where_losslibs_own_names_are_taken_another_is_translated(key: str) -> None:
    for binding in package(key).bindings:
        with pytest.raises(losslib.ParameterError) as error:
            registry.info_of(f"{key}:{binding.name}")
        assert f"a name of {package(key).title}, and losslib's own are taken here" in str(error.value)
        assert all(name in str(error.value) for name in losses_of(binding))


# ---- names without a package -------------------------------------------------------------------------------------

ALIASES = [(info, alias) for info in losslib.list_losses() for alias in info.aliases]


@pytest.mark.parametrize(("info", "alias"), ALIASES, ids=[alias for _, alias in ALIASES])
def test_an_alias_is_our_own_or_means_the_same_in_every_package(info: Any, alias: str) -> None:
    others = plain.candidates(alias)
    same = [plain.agrees(key, item) and losses_of(item)[-1] == info.name for key, item in others]
    assert all(same) != (alias in plain.OWN), "a word of the field with several meanings is listed, and no other"


def test_what_is_listed_as_contested_is_another_function_somewhere() -> None:
    for name, ours in plain.NEAREST.items():
        assert registry.info_of(ours).name == ours
        with pytest.raises(losslib.ParameterError) as caught:
            losslib.get(name)
        assert f'losslib.get("{ours}")' in str(caught.value)


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("KLDivergence", ['losslib.get("keras:KLDivergence")', 'losslib.get("kl_div")', "TorchMetrics"]),
        (
            "Poisson",
            ['losslib.get("keras:Poisson")', 'losslib.get("catboost:Poisson")', 'losslib.get("poisson_nll_loss")'],
        ),
        (
            "SparseCategoricalCrossentropy",
            ['losslib.get("keras:SparseCategoricalCrossentropy")', 'losslib.get("cross_entropy")'],
        ),
        ("l2_loss", ['losslib.get("optax:l2_loss")', 'losslib.get("tf:l2_loss")']),
    ],
)
def test_a_name_with_several_meanings_is_asked_about(name: str, calls: list[str]) -> None:
    with pytest.raises(losslib.ParameterError) as caught:
        losslib.get(name)
    assert all(call in str(caught.value) for call in calls)


def test_a_parameter_can_say_whose_function_is_meant() -> None:
    assert losslib.get("SparseCategoricalCrossentropy", from_logits=True).info.name == "cross_entropy"
    assert losslib.get("MeanSquaredError") == losslib.MSELoss()
    assert losslib.get("Huber", delta=2.0) == losslib.HuberLoss(delta=2.0)


def test_names_of_other_packages_cost_an_import_nothing() -> None:
    code = "import losslib, sys; losslib.get('huber'); print([m for m in sys.modules if 'losslib.names' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


ROWS = [(info, item) for info in losslib.list_losses() for item in info.equivalents if item.call]


@pytest.mark.parametrize(("info", "item"), ROWS, ids=[f"{info.name}-{item.call}" for info, item in ROWS])
def test_a_row_about_the_same_elsewhere_is_what_the_name_gives(info: Any, item: Any) -> None:
    assert not disagreement(info, item)


def test_rows_are_read_as_names() -> None:
    assert sum(read_call(item.call) is not None for _, item in ROWS) > 100
    key, binding, given = read_call("keras.losses.Huber(delta=2.0)(t, x)") or pytest.fail("no name")
    assert (key, binding.name, given) == ("keras", "Huber", {"delta": 2.0})
    wrong = Equivalent("keras", "Huber", "keras.losses.Huber(delta=2.0)(t, x)", {"delta": 1.0})
    assert "delta is 2.0 by name and 1.0 on the page" in disagreement(registry.info_of("huber"), wrong)


# ---- a loss in the frame of another package -----------------------------------------------------------------------

FRAMED = [
    losslib.get("keras:BinaryCrossentropy", label_smoothing=0.1, reduction=word)
    for word in ("sum_over_batch_size", "sum", "none", "mean_with_sample_weight")
]
FRAMED += [
    losslib.get("keras:KLDivergence", reduction=word) for word in ("mean", "sum", None, "mean_with_sample_weight")
]
FRAMED += [losslib.get("mxnet:L2Loss"), losslib.get("optax:kl_divergence"), 0.5 * losslib.get("keras:KLDivergence")]


@pytest.mark.parametrize("loss", FRAMED, ids=range(len(FRAMED)))
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
def test_the_derivatives_of_a_framed_loss_are_those_of_its_value(loss: Any, masked: bool, weighted: bool) -> None:
    options: dict[str, Any] = {"where": RNG.random(P.shape) < 0.8} if masked else {}
    if weighted:
        options["sample_weight"] = np.linspace(0.5, 2.0, 5)
    above = np.linspace(1.0, 2.0, 5) if loss.reduction == "none" else 1.5
    inputs = (np.log(P), Q) if loss == losslib.get("optax:kl_divergence") else (P, Q)
    value, gradient = loss.value_and_grad(*inputs, **options, grad_output=above)
    assert np.array_equal(value, loss(*inputs, **options))
    assert np.array_equal(gradient, loss.grad(*inputs, **options, grad_output=above))
    expected = np.zeros_like(P)
    for position in np.ndindex(P.shape):
        step = np.zeros_like(P)
        step[position] = 1e-6
        sides = [np.sum(above * loss(inputs[0] + sign * step, inputs[1], **options)) for sign in (1, -1)]
        expected[position] = (sides[0] - sides[1]) / 2e-6
    np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("loss", FRAMED[:-1], ids=range(len(FRAMED) - 1))
def test_the_hessian_of_a_framed_loss_is_that_of_its_gradient(loss: Any) -> None:
    x = RNG.uniform(0.1, 0.9, (4, 3))
    t = RNG.uniform(0.1, 0.9, (4, 3))
    _, gradient, hessian = loss.value_grad_hess(x, t)
    np.testing.assert_array_equal(gradient, loss.grad(x, t))
    for position in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[position] = 1e-6
        rise = loss.grad(x + step, t)[position] - loss.grad(x - step, t)[position]
        assert hessian[position] == pytest.approx(rise / 2e-6, rel=1e-6, abs=1e-8)


def test_a_clip_bounds_the_value_and_stops_the_gradient() -> None:
    loss = losslib.get("keras:BinaryCrossentropy", reduction=None)
    value, gradient = loss.value_and_grad(np.array([[0.0], [1.0], [0.5]]), np.array([[1.0], [0.0], [1.0]]))
    np.testing.assert_allclose(value, [-np.log(1e-7), -np.log(1e-7), np.log(2.0)], rtol=1e-8)
    np.testing.assert_array_equal(gradient[:, 0], [0.0, 0.0, -2.0])
    with pytest.raises(losslib.DomainError, match="apply a sigmoid first"):
        loss(X, T)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_results_have_the_type_of_the_input_and_go_where_they_are_wanted(dtype: Any) -> None:
    loss = losslib.get("keras:BinaryCrossentropy", reduction=None)
    x, t = P.astype(dtype), T.astype(dtype)
    out = np.empty_like(x)
    value, gradient = loss.value_and_grad(x, t, out=out)
    assert gradient is out
    assert (value.dtype, gradient.dtype) == (dtype, dtype)
    assert value.shape == (5,)
    rows = np.empty(5, dtype)
    assert loss(x, t, out=rows) is rows
    np.testing.assert_array_equal(rows, value)


def test_a_framed_loss_says_what_it_does_not_take() -> None:
    loss = losslib.get("keras:KLDivergence")
    with pytest.raises(TypeError, match="no argument 'weights'"):
        loss(P, Q, weights=1.0)
    with pytest.raises(losslib.ParameterError, match="not added up over pieces"):
        losslib.Accumulator(loss)
    with pytest.raises(losslib.ParameterError, match="loss of elements"):
        PeerLoss(losslib.CrossEntropyLoss(reduction="none"))
    with pytest.raises(AttributeError, match="immutable"):
        loss._rows = ""
    assert loss.replace(reduction="sum").reduction == "sum"


# ---- the order of the arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("keras:BinaryCrossentropy", (T, X)),
        ("hinge_loss", (2 * T - 1, X)),
        ("sparse_categorical_crossentropy", (np.arange(5) % 3, X)),
        ("keras:hinge", (2 * T - 1, X)),
    ],
)
def test_exchanged_arguments_are_noticed(name: str, arguments: Any) -> None:
    logits = {"from_logits": True} if "entropy" in name.lower() else {}
    loss = losslib.get(name, **logits)
    with pytest.raises(ValueError, match=r"losslib takes \(input, target\), the prediction first"):
        loss(*arguments)


def test_the_keywords_of_another_package_are_translated() -> None:
    with pytest.raises(TypeError, match="y_pred is input, y_true is target here"):
        losslib.get("keras:Huber")(y_true=T, y_pred=X)


def test_a_message_about_a_domain_does_not_guess() -> None:
    with pytest.raises(losslib.DomainError) as caught:
        losslib.binary_cross_entropy_with_logits(X, T + 2)
    assert "exchanged" not in str(caught.value)
