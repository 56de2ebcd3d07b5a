"""Calls of other packages, evaluated where the package is installed and compared with losslib's value and gradient."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib.declaration import registry
from losslib.declaration.schema import Equivalent, LossInfo
from losslib.names.calls import disagreement
from losspages.checks.verify import Disagreement, sample
from torchvision_operators import define_operators

#: What a distribution is called where it differs from the name it is imported by.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "paddle": "paddlepaddle"}
#: Elements that an elementwise loss is compared on.
ELEMENTS = 60
#: Packages whose arrays are PyTorch's. Several import torchvision if it is installed, and Keras may.
_OF_TORCH = (
    "torch", "torchvision", "torchmetrics", "kornia", "robust_loss_pytorch", "monai", "segmentation_models_pytorch",
    "entmax", "pytorch_metric_learning", "coral_pytorch", "libauc",
)  # fmt: skip
#: Those of them whose values it differentiates.
_AUTOGRAD = tuple(name for name in _OF_TORCH if name != "torchmetrics")
#: Functions of other packages that compute a part in float32.
_PARTLY_SINGLE = ("HausdorffDTLoss",)
_SINGLE_PRECISION = ("jax", "optax", "keras", "tensorflow", "paddle", "torchmetrics", "kornia")


@dataclass
class EquivalentResult:
    """The outcome of one row of the table of equivalents."""

    equivalent: Equivalent
    version: str = ""
    tolerance: float = 0.0
    #: How many numbers were compared. Slopes are those of packages that differentiate by themselves.
    values: int = 0
    gradients: int = 0


def run_equivalent(info: LossInfo, equivalent: Equivalent) -> EquivalentResult:
    """Evaluate the call in its package on some elements, if that is installed here, and compare the numbers."""
    parameters = {name: value for name, value in equivalent.arguments.items() if name in info.parameter_names}
    inputs = sample(info, parameters, ELEMENTS, plain=True)
    if info.averages_last_axis:
        inputs = [array.reshape(-1, 3) for array in inputs]
    names = {"x": inputs[0], "t": inputs[1]}
    if len(inputs) == 3:
        names = {"x": inputs[0], "t": inputs[1], "v": inputs[2]}
        if info.input_names[0] == "input1":
            names = {"x1": inputs[0], "x2": inputs[1], "t": inputs[2], "x": inputs[0], "v": inputs[2]}
    return evaluate_equivalent(info, equivalent, inputs, names)


def evaluate_equivalent(
    info: LossInfo, equivalent: Equivalent, inputs: list[np.ndarray], names: Mapping[str, np.ndarray]
) -> EquivalentResult:
    """Evaluate a call with these names in its package, if that is installed, and compare it with losslib's value."""
    try:
        version = importlib.metadata.version(DISTRIBUTIONS.get(equivalent.package, equivalent.package))
    except importlib.metadata.PackageNotFoundError:
        return EquivalentResult(equivalent)
    if not equivalent.call:
        return EquivalentResult(equivalent)
    try:
        modules = _modules(equivalent.call)
    except ImportError:  # installed, but without something that it needs
        return EquivalentResult(equivalent)
    if difference := disagreement(info, equivalent):
        raise Disagreement(f"{info.name}: {difference}")
    arguments = dict(equivalent.arguments)
    expected = np.asarray(registry.function_of(info.name)(*inputs, **arguments))
    namespace = {**modules, "np": np}
    namespace |= {name: _as_package_array(equivalent.package, array) for name, array in names.items()}
    try:
        answer = _number(eval(equivalent.call, namespace))
        slopes = _gradient(equivalent, namespace, info, inputs, names)
    except Exception as error:
        raise Disagreement(f"{info.name}: {equivalent.call} raised {type(error).__name__}: {error}") from error
    tolerance = 1e-5 if equivalent.package in _SINGLE_PRECISION else 1e-10
    if equivalent.name in _PARTLY_SINGLE:
        tolerance = 1e-7
    if answer.shape != expected.shape or not np.allclose(answer, expected, rtol=tolerance, atol=tolerance):
        raise Disagreement(
            f"{info.name}: {equivalent.call} ({equivalent.package} {version}) gives {answer}, "
            f"losslib with {arguments} gives {expected}"
        )
    result = EquivalentResult(equivalent, version, tolerance, values=answer.size)
    if slopes is None and answer.size == 1:
        result.values += _compare_without_each(info, equivalent, modules, inputs, names, tolerance)
    if slopes is not None:
        wanted = registry.function_of(info.name).grad(*inputs, **arguments, wrt=info.input_names[0])
        if not np.allclose(slopes, wanted, rtol=tolerance, atol=tolerance):
            raise Disagreement(
                f"{info.name}: the gradient of {equivalent.call} ({equivalent.package} {version}) is {slopes}, "
                f"losslib's with {arguments} is {wanted}"
            )
        result.gradients = slopes.size
    return result


def _number(value: Any) -> np.ndarray:
    return np.asarray(value.detach() if hasattr(value, "detach") else value, dtype=np.float64)


#: Samples that are left out, each in turn, of a call that gives one number and no gradient.
LEFT_OUT = 20


def _compare_without_each(
    info: LossInfo,
    equivalent: Equivalent,
    modules: Mapping[str, Any],
    inputs: list[np.ndarray],
    names: Mapping[str, np.ndarray],
    tolerance: float,
) -> int:
    """Compare the value without one of the samples, in turn: one number for all of them might agree by chance."""
    count = len(inputs[0])
    compared = 0
    for k in range(min(LEFT_OUT, count) if count > 2 else 0):
        kept = np.arange(count) != k
        fewer = [array[kept] if len(array) == count else array for array in inputs]
        renamed = {name: fewer[j] for name, array in names.items() for j, one in enumerate(inputs) if one is array}
        space = {**modules, "np": np}
        space |= {name: _as_package_array(equivalent.package, array) for name, array in renamed.items()}
        answer = _number(eval(equivalent.call, space))
        expected = np.asarray(registry.function_of(info.name)(*fewer, **equivalent.arguments))
        if not np.allclose(answer, expected, rtol=tolerance, atol=tolerance):
            raise Disagreement(
                f"{info.name}: {equivalent.call} ({equivalent.package}) without sample {k} gives {answer}, "
                f"losslib gives {expected}"
            )
        compared += 1
    return compared


def _gradient(
    equivalent: Equivalent,
    namespace: Mapping[str, Any],
    info: LossInfo,
    inputs: list[np.ndarray],
    names: Mapping[str, np.ndarray],
) -> np.ndarray | None:
    """Return the package's own gradient of the sum of its values by the first input, or None if it has none."""
    if info.input_names[0] not in info.differentiable:
        return None
    letters = [name for name, array in names.items() if array is inputs[0]]
    if equivalent.package in _AUTOGRAD or _is_keras_on_torch(equivalent.package):
        torch = importlib.import_module("torch")
        moved = torch.tensor(inputs[0], requires_grad=True)
        value = eval(equivalent.call, {**namespace, **dict.fromkeys(letters, moved)})
        if not isinstance(value, torch.Tensor) or not value.requires_grad:
            return None
        (slopes,) = torch.autograd.grad(value.sum(), moved)
        return np.asarray(slopes.detach(), dtype=np.float64)
    if equivalent.package in ("jax", "optax"):
        jax = importlib.import_module("jax")

        def total(moved: Any) -> Any:
            return jax.numpy.sum(eval(equivalent.call, {**namespace, **dict.fromkeys(letters, moved)}))

        return np.asarray(jax.grad(total)(jax.numpy.asarray(inputs[0])), dtype=np.float64)
    return None


def _is_keras_on_torch(package: str) -> bool:
    return package == "keras" and importlib.import_module("keras").backend.backend() == "torch"


def _modules(call: str) -> dict[str, Any]:
    """Import the modules that a call names by their dotted paths; return the packages by name."""
    found: dict[str, Any] = {}
    for dotted in re.findall(r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", call):
        parts = dotted.split(".")
        if importlib.util.find_spec(parts[0]) is None:
            continue
        if parts[0] in (*_OF_TORCH, "keras"):
            define_operators()
        if parts[0] == "keras":
            backends = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
            os.environ.setdefault("KERAS_BACKEND", backends[0] if backends else "tensorflow")
        for length in range(1, len(parts)):
            try:
                importlib.import_module(".".join(parts[:length]))
            except ImportError:
                break
        found[parts[0]] = importlib.import_module(parts[0])
    return found


def _as_package_array(package: str, array: np.ndarray) -> Any:
    if package in _OF_TORCH:
        return importlib.import_module("torch").tensor(array)
    if package == "paddle":
        return importlib.import_module("paddle").to_tensor(array)
    return array
