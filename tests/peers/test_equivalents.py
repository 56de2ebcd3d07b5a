"""Calls of other packages that the declarations name as equivalents give the value of the losslib call."""

from __future__ import annotations

import ast
import builtins
import importlib
from typing import Any

import numpy as np
import pytest

import losslib
from formulas import row_inputs
from losslib.declaration.schema import Equivalent, LossInfo
from losslib.geometries.base import domains_of
from peers.agreement import DTYPES, assert_agree

#: The agreement asked of packages with other formulas: cancellation and clips of their own.
#: What calls name two views.
VIEWS = {"x1": "input1", "x2": "input2", "x": "input", "t": "target"}
BOUNDS = {np.float64: 1e-10, np.float32: 1e-5}

ENTRIES = [(info, equivalent) for info in losslib.list_losses() for equivalent in info.equivalents if equivalent.call]
each_entry = pytest.mark.parametrize(
    ("info", "equivalent"),
    ENTRIES,
    ids=[f"{info.name}-{e.package}-{e.call}".replace(" ", "") for info, e in ENTRIES],
)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])

pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss:UserWarning")


def names_in(call: str) -> list[str]:
    """Return the dotted names of a call, longest first, such as sklearn.metrics.log_loss."""
    nodes = [node for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Attribute | ast.Name)]
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    known = bound | set(dir(builtins))
    return [text for text in map(ast.unparse, nodes) if text.split(".")[0] not in known]


def packages(call: str, variables: set[str]) -> dict[str, Any]:
    """Import the packages that a call uses, with the submodules that it names."""
    found: dict[str, Any] = {"np": np}
    for name in names_in(call):
        root, *rest = name.split(".")
        if root == "np":
            continue
        if root in variables or not root.isidentifier():
            continue
        found[root] = pytest.importorskip(root)
        path = root
        for part in rest:
            path += f".{part}"
            try:
                importlib.import_module(path)
            except ImportError:
                break
    return found


def draw(rng: np.random.Generator, domain: str, shape: tuple[int, ...], hard: bool) -> np.ndarray:
    """Return values of a domain, none of them at its border."""
    if domain == "real":
        return rng.normal(size=shape) * 2
    if domain == "sign":
        return rng.choice([-1.0, 1.0], shape)
    if domain == "binary" or (domain == "probability" and hard):
        return rng.integers(0, 2, shape).astype(np.float64)
    if domain == "probability":
        return rng.uniform(0.02, 0.98, shape)
    if domain == "nonnegative" and hard:
        return rng.poisson(2.0, shape).astype(np.float64)
    return rng.gamma(2.0, 1.0, shape) + 0.1


def inputs_for(info: LossInfo, equivalent: Equivalent, dtype: Any) -> list[np.ndarray]:
    """Return inputs as wide as the entry claims; its note says if it takes one axis or hard labels only."""
    if info.geometry != "pointwise":
        return [array if array.dtype.kind == "i" else array.astype(dtype) for array in row_inputs(info)]
    rng = np.random.default_rng(list(info.name.encode()))
    note = equivalent.note.lower()
    shape = (60,) if "one axis" in note else (12, 5)
    domains = domains_of(info, losslib.get(info.name, **equivalent.arguments).parameters)
    counts = "counts" in info.tags
    arrays = []
    for item, domain in zip(info.inputs, domains, strict=True):
        hard = item.name == "target" and (counts or "hard label" in note)
        arrays.append(draw(rng, domain.name, shape, hard).astype(dtype))
    return arrays


def as_arrays_of(package: str, arrays: list[np.ndarray]) -> list[Any]:
    """Turn arrays into those of the package that the call belongs to."""
    if package in ("torch", "torchvision", "torchmetrics", "monai", "kornia", "segmentation_models_pytorch", "entmax"):
        torch = pytest.importorskip("torch")
        return [torch.from_numpy(array) for array in arrays]
    if package in ("jax", "optax", "keras"):
        jax = pytest.importorskip("jax")
        return [jax.numpy.asarray(array) for array in arrays]
    if package == "tensorflow":
        return [pytest.importorskip("tensorflow").constant(array) for array in arrays]
    if package == "paddle":
        return [pytest.importorskip("paddle").to_tensor(array) for array in arrays]
    return list(arrays)


def variables_of(info: LossInfo, arrays: list[Any]) -> dict[str, Any]:
    """Name the inputs x, t and v, and as in the formula of the loss."""
    named = dict(zip("xtv", arrays, strict=False))
    by_input = dict(zip(info.input_names, arrays, strict=True))
    named.update(by_input)
    named.update({letter: by_input[name] for letter, name in VIEWS.items() if name in by_input})
    named.update({symbol: by_input[name] for symbol, name in info.symbols.items() if name in by_input})
    return named


@each_dtype
@each_entry
def test_the_equivalent_call_gives_the_same_value(info: LossInfo, equivalent: Equivalent, dtype: Any) -> None:
    arrays = inputs_for(info, equivalent, dtype)
    namespace = variables_of(info, as_arrays_of(equivalent.package, arrays))
    modules = packages(equivalent.call, set(namespace))
    expected = np.asarray(eval(equivalent.call, {**modules, **namespace}))
    actual = getattr(losslib, info.name)(*arrays, **equivalent.arguments)
    precision = np.float32 if equivalent.package == "keras" else dtype  # it rounds to float32 unless TensorFlow runs it
    assert_agree(actual, expected, precision, relative=BOUNDS[precision], size=8.0)


@each_entry
def test_an_equivalent_call_names_its_package_and_known_parameters(info: LossInfo, equivalent: Equivalent) -> None:
    roots = {name.split(".")[0] for name in names_in(equivalent.call)}
    assert equivalent.package in roots
    assert set(equivalent.arguments) <= set(info.parameter_names)
    losslib.get(info.name, **equivalent.arguments)
