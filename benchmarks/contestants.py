"""What is measured: value and gradient of one loss, as a user of each package would write it.

All contestants get the same float32 numbers. losslib and scikit-learn write into arrays that exist already,
which PyTorch and JAX do not offer; PyTorch gets a fresh ``.grad`` each time, as in a training loop.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import losslib
from formula import compose
from losslib.declaration.schema import LossInfo

OBJECT, FUNCTION = "losslib", "losslib function"
PEERS = ("PyTorch", "JAX", "scikit-learn")
MODULES = {"PyTorch": "torch", "JAX": "jax", "scikit-learn": "sklearn"}

#: What PyTorch has itself. Every other loss is composed of the operations of its formula.
PYTORCH = {
    "l1_loss": "F.l1_loss(x, t)",
    "mse_loss": "F.mse_loss(x, t)",
    "huber_loss": "F.huber_loss(x, t, delta=1.0)",
    "smooth_l1_loss": "F.smooth_l1_loss(x, t, beta=1.0)",
    "poisson_nll_loss": "F.poisson_nll_loss(x, t)",
    "gaussian_nll_loss": "F.gaussian_nll_loss(x, t, v)",
    "kl_div": 'F.kl_div(x, t, reduction="none").mean()',  # its "mean" warns, and is the same
    "binary_cross_entropy": "F.binary_cross_entropy(x, t)",
    "binary_cross_entropy_with_logits": "F.binary_cross_entropy_with_logits(x, t)",
    "multilabel_soft_margin_loss": "F.multilabel_soft_margin_loss(x, t)",
    "soft_margin_loss": "F.soft_margin_loss(x, t)",
    "hinge_embedding_loss": "F.hinge_embedding_loss(x, t)",
    "margin_ranking_loss": "F.margin_ranking_loss(x1, x2, t)",
}

#: Compositions that are better than the formula as it stands.
PYTORCH_COMPOSED = {
    "weighted_binary_cross_entropy": "F.binary_cross_entropy(x, t)",  # the default weight is 1
    "balanced_binary_cross_entropy": "0.5 * F.binary_cross_entropy(x, t)",  # the default weights are 1/2
    "half_squared_error": "0.5 * F.mse_loss(x, t)",
    "sigmoid_focal_loss": (
        "((0.25 * t + 0.75 * (1 - t)) * (torch.sigmoid(x) * (1 - t) + torch.sigmoid(-x) * t) ** 2"
        ' * F.binary_cross_entropy_with_logits(x, t, reduction="none")).mean()'
    ),
}

#: The stable forms that optax uses, in the language of the formulas.
STABLE_FORMULAS = {"log_cosh_loss": "abs(d) + softplus(-2*abs(d)) - log(2)"}

#: Classes of scikit-learn's private ``_loss`` and the arguments that make them the same loss.
SKLEARN: dict[str, tuple[str, dict[str, float]]] = {
    "half_squared_error": ("HalfSquaredError", {}),
    "l1_loss": ("AbsoluteError", {}),
    "quantile_loss": ("PinballLoss", {"quantile": 0.5}),
    "huber_loss": ("HuberLoss", {"delta": 1.0}),
    "poisson_nll_loss": ("HalfPoissonLoss", {}),
    "gamma_nll_loss": ("HalfGammaLoss", {}),
    "tweedie_nll_loss": ("HalfTweedieLoss", {"power": 1.5}),
    "binary_cross_entropy_with_logits": ("HalfBinomialLoss", {}),
    "exponential_loss": ("ExponentialLoss", {}),
}


@dataclass(frozen=True)
class Contestant:
    """A statement to time, and a way to see what it computes."""

    statement: str
    names: Mapping[str, Any]
    #: Runs the statement's computation once and returns the gradients.
    gradients: Callable[[], tuple[np.ndarray, ...]]
    #: The package has no such loss: measured on a composition of its operations.
    composed: bool = False


@dataclass(frozen=True)
class Problem:
    """One loss on one set of arrays."""

    info: LossInfo
    arrays: tuple[np.ndarray, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The inputs' names in the formula."""
        by_input = {meaning: symbol for symbol, meaning in self.info.symbols.items()}
        return tuple(by_input.get(name, name) for name in self.info.input_names)

    @property
    def wrt(self) -> tuple[int, ...]:
        """Positions of the inputs that are differentiated."""
        return tuple(self.info.input_names.index(name) for name in self.info.default_wrt)

    @property
    def formula_parameters(self) -> dict[str, Any]:
        """The defaults of the loss's own parameters, by their names in the formula."""
        return formula_parameters(self.info)

    @property
    def bytes_moved(self) -> int:
        """Bytes that value and gradient have to move: each input once in, each derivative once out."""
        return sum(array.nbytes for array in self.arrays) + sum(self.arrays[k].nbytes for k in self.wrt)


def own_parameters(info: LossInfo) -> dict[str, Any]:
    """Return the defaults of the parameters that belong to this loss alone."""
    shared = ("weight", "reduction", "check")
    return {item.name: item.default for item in info.parameters if item.name not in shared}


def formula_parameters(info: LossInfo) -> dict[str, Any]:
    """Return the defaults under the names of the formula; an absent weight is 1."""
    values = {name: 1.0 if value is None else value for name, value in own_parameters(info).items()}
    return values | {symbol: values[name] for symbol, name in info.symbols.items() if name in values}


# ---- numbers ------------------------------------------------------------------------------------------


def problem(info: LossInfo, n: int) -> Problem:
    """Draw inputs from the domains of a loss."""
    random = np.random.default_rng(20)
    defaults = {item.name: item.default for item in info.parameters}
    domains = info.input_domains(defaults) if info.input_domains else tuple(item.domain for item in info.inputs)
    shape = (n // 8, 8) if info.averages_last_axis else (n,)
    arrays = []
    for item, domain in zip(info.inputs, domains, strict=True):
        values = _draw(random, domain.name, item.name == "target", n)
        arrays.append(np.ascontiguousarray(values.reshape(shape), dtype=np.float32))
    return Problem(info, tuple(arrays))


def _draw(random: np.random.Generator, domain: str, is_target: bool, n: int) -> np.ndarray:
    match domain:
        case "real":
            return 2.0 * random.standard_normal(n, dtype=np.float32)
        case "probability" if not is_target:
            return random.uniform(0.01, 0.99, n)
        case "probability" | "binary":
            return random.integers(0, 2, n)
        case "sign":
            return 2.0 * random.integers(0, 2, n) - 1.0
        case "nonnegative" if is_target:
            return random.poisson(2.0, n)
        case "nonnegative" | "positive" | "above_minus_one":
            return random.exponential(1.0, n) + 0.05
    raise ValueError(f"the benchmark has no numbers for the domain {domain!r}")


# ---- contestants --------------------------------------------------------------------------------------


def absent_peers() -> dict[str, str]:
    """Return the peers that cannot be imported, with the reason."""
    absent = {}
    for peer, module in MODULES.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            absent[peer] = str(error)
    return absent


def contestants(task: Problem, peers: tuple[str, ...], threads: int) -> dict[str, Contestant]:
    """Return everyone who takes part in this loss."""
    entered = {OBJECT: _losslib_object(task), FUNCTION: _losslib_function(task)}
    if "PyTorch" in peers:
        entered["PyTorch"] = _pytorch(task)
    if "JAX" in peers:
        entered["JAX"] = _jax(task)
    if "scikit-learn" in peers and task.info.name in SKLEARN:
        entered["scikit-learn"] = _sklearn(task, threads)
    return entered


def _outputs(task: Problem) -> tuple[np.ndarray, ...]:
    return tuple(np.zeros_like(task.arrays[k]) for k in task.wrt)


def _losslib_object(task: Problem) -> Contestant:
    out = _outputs(task)
    loss = losslib.get(task.info.name)
    names = {
        "loss": loss,
        "out": out if len(out) > 1 else out[0],
        **dict(zip(task.symbols, task.arrays, strict=True)),
    }
    statement = f"loss.value_and_grad({', '.join(task.symbols)}, out=out)"
    return Contestant(statement, names, lambda: (eval(statement, names), out)[1])


def _losslib_function(task: Problem) -> Contestant:
    out = _outputs(task)
    keywords = {name: value for name, value in own_parameters(task.info).items() if value is not None}
    written = "".join(f", {name}={value!r}" for name, value in {**keywords, "reduction": "mean"}.items())
    names = {
        "losslib": losslib,
        "inf": math.inf,
        "out": out if len(out) > 1 else out[0],
        **dict(zip(task.symbols, task.arrays, strict=True)),
    }
    statement = f"losslib.{task.info.name}.value_and_grad({', '.join(task.symbols)}{written}, out=out)"
    return Contestant(statement, names, lambda: (eval(statement, names), out)[1])


def _pytorch(task: Problem) -> Contestant:
    import torch

    tensors = [torch.from_numpy(array.copy()) for array in task.arrays]
    for k in task.wrt:
        tensors[k].requires_grad_()
    names = {
        "torch": torch,
        "F": torch.nn.functional,
        **dict(zip(task.symbols, tensors, strict=True)),
    }
    name = task.info.name
    expression = PYTORCH.get(name) or PYTORCH_COMPOSED.get(name)
    if expression is None:
        formula = STABLE_FORMULAS.get(name, task.info.formula)
        names["loss"] = compose(
            formula, task.symbols, task.formula_parameters, _torch_functions(), task.info.definitions
        )
        expression = f"loss({', '.join(task.symbols)}).mean()"
    fresh = "; ".join(f"{task.symbols[k]}.grad = None" for k in task.wrt)
    statement = f"{fresh}; ({expression}).backward()"

    def gradients() -> tuple[np.ndarray, ...]:
        exec(statement, names)
        return tuple(tensors[k].grad.numpy() for k in task.wrt)

    return Contestant(statement, names, gradients, composed=name not in PYTORCH)


def _torch_functions() -> dict[str, Any]:
    import torch

    def bounded(choose: Any, bound: str) -> Any:
        def function(a: Any, b: Any) -> Any:
            if not isinstance(b, torch.Tensor):
                return torch.clamp(a, **{bound: b})
            if not isinstance(a, torch.Tensor):
                return torch.clamp(b, **{bound: a})
            return choose(a, b)

        return function

    names = ("exp", "log", "log1p", "expm1", "sqrt", "abs", "sign", "cosh", "tanh", "sigmoid", "where")
    return {name: getattr(torch, name) for name in names} | {
        "max": bounded(torch.maximum, "min"),
        "min": bounded(torch.minimum, "max"),
        "softplus": torch.nn.functional.softplus,
        "loggamma": torch.lgamma,
    }


def _jax(task: Problem) -> Contestant:
    import jax
    import jax.numpy as jnp

    functions = {
        name: getattr(jnp, name)
        for name in ("exp", "log", "log1p", "expm1", "sqrt", "abs", "sign", "cosh", "tanh", "where")
    } | {
        "max": jnp.maximum,
        "min": jnp.minimum,
        "sigmoid": jax.nn.sigmoid,
        "softplus": jax.nn.softplus,
        "loggamma": jax.lax.lgamma,
    }
    formula = STABLE_FORMULAS.get(task.info.name, task.info.formula)
    loss = compose(formula, task.symbols, task.formula_parameters, functions, task.info.definitions)
    step = jax.jit(jax.value_and_grad(lambda *inputs: jnp.mean(loss(*inputs)), argnums=task.wrt))
    arrays = [jax.device_put(array.copy()) for array in task.arrays]
    names = {"jax": jax, "step": step, **dict(zip(task.symbols, arrays, strict=True))}
    statement = f"jax.block_until_ready(step({', '.join(task.symbols)}))"
    return Contestant(statement, names, lambda: tuple(np.asarray(grad) for grad in step(*arrays)[1]), composed=True)


def _sklearn(task: Problem, threads: int) -> Contestant:
    losses = importlib.import_module("sklearn._loss.loss")
    class_name, arguments = SKLEARN[task.info.name]
    x, t = task.arrays
    value, out = np.zeros_like(x), np.zeros_like(x)
    names = {"loss": getattr(losses, class_name)(**arguments), "x": x, "t": t, "value": value, "out": out}
    statement = f"loss.loss_gradient(t, x, loss_out=value, gradient_out=out, n_threads={threads})"
    # Values and gradients come unreduced: the division by n that "mean" needs is left out of the measurement.
    return Contestant(statement, names, lambda: (eval(statement, names), (out / x.size,))[1])


def disagreement(task: Problem, entered: Mapping[str, Contestant]) -> dict[str, float]:
    """Return for each peer the largest deviation of its gradients, relative to the largest gradient."""
    expected = [grad.copy() for grad in entered[OBJECT].gradients()]
    largest = {}
    for name, contestant in entered.items():
        found = contestant.gradients()
        largest[name] = max(
            float(np.max(np.abs(a - b), initial=0.0) / max(np.max(np.abs(b), initial=0.0), 1e-30))
            for a, b in zip(found, expected, strict=True)
        )
    return largest
