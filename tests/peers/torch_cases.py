"""The pointwise losses of PyTorch: inputs that hold their kinks, and every combination of their arguments."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SHAPE = (6, 8)
REDUCTIONS = ("mean", "sum", "none")


@dataclass(frozen=True)
class Case:
    """One loss with one choice of its parameters, and arrays to evaluate it on."""

    name: str
    class_name: str
    inputs: tuple[np.ndarray, ...]  # float64, exactly representable in float32
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)  # weight, pos_weight
    label: str = ""
    reductions: tuple[str, ...] = REDUCTIONS
    #: Inputs to differentiate; None: all that losslib offers.
    wrt: tuple[str, ...] | None = None
    #: losslib refuses values outside the domain unless it is told not to look.
    check: bool = True
    #: False if the torch.nn class lacks one of the arguments.
    has_class: bool = True
    #: Magnitude of the terms that may cancel.
    size: float = 1.0
    #: Relative bound on gradients in float64 where 1e-12 cannot be met.
    relative: float | None = None

    def __str__(self) -> str:
        words = [f"{key}={value}" for key, value in self.parameters.items()]
        words += [f"{key}{value.shape}" for key, value in self.arrays.items()]
        return "-".join([self.name, *([self.label] if self.label else []), *words]).replace(" ", "")


def exact(values: Any) -> np.ndarray:
    """Round to float32, so that both precisions see the same numbers."""
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def generator(*words: str) -> np.random.Generator:
    """Return a generator that depends on the words only."""
    return np.random.default_rng(list("-".join(words).encode()))


def fill(special: Any, rest: np.ndarray) -> np.ndarray:
    """Put special values into the first places of an array of random ones."""
    flat = rest.reshape(-1).copy()
    special = np.asarray(special, dtype=np.float64).reshape(-1)
    flat[: special.size] = special
    return exact(flat.reshape(rest.shape))


def errors_and_targets() -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets whose differences are exact and hold 0 and every threshold used below."""
    rng = generator("regression")
    target = exact(rng.integers(-16, 17, SHAPE) / 8)
    thresholds = [0.0, -0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 3.0]
    error = fill([*thresholds, *(-e for e in thresholds)], rng.integers(-2048, 2049, SHAPE) / 512)
    return exact(target + error), target


def positive(*words: str, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return exact(generator(*words).uniform(0.25, 3.0, shape))


def signs(*words: str) -> np.ndarray:
    return generator(*words).choice([-1.0, 1.0], SHAPE)


def weightings(shapes: list[tuple[int, ...]]) -> Iterator[dict[str, np.ndarray]]:
    """Yield no weight and weights of these shapes, the full one with some zeros in it."""
    yield {}
    for shape in shapes:
        weight = positive("weight", shape=shape)
        yield {"weight": weight * (generator("zeros").random(SHAPE) > 0.2) if shape == SHAPE else weight}


def regression_cases() -> Iterator[Case]:
    inputs = errors_and_targets()
    for arrays in weightings([SHAPE]):
        plain = not arrays
        yield Case("l1_loss", "L1Loss", inputs, arrays=arrays, has_class=plain)
        yield Case("mse_loss", "MSELoss", inputs, arrays=arrays, has_class=plain)
        for delta in (0.25, 0.5, 1.0, 2.0):
            yield Case("huber_loss", "HuberLoss", inputs, {"delta": delta}, arrays, has_class=plain)
    for beta in (0.0, 0.25, 0.5, 1.0, 2.0):
        yield Case("smooth_l1_loss", "SmoothL1Loss", inputs, {"beta": beta})


def poisson_cases() -> Iterator[Case]:
    rng = generator("poisson")
    # Stirling's term starts above 1. It is not differentiable at 0 in PyTorch: see the limits.
    for log_input, full, eps in itertools.product((True, False), (True, False), (1e-8, 1e-3)):
        smallest = 0.25 if full else 0.0
        target = fill([smallest, 0.5, 1.0, 1.0000001192092896, 2.0, 20.0] * 2, rng.uniform(0.3, 9.0, SHAPE))
        x = rng.uniform(-3, 3, SHAPE) if log_input else fill([0.0, 1e-6], rng.uniform(0.1, 9, SHAPE))
        parameters = {"log_input": log_input, "full": full, "eps": eps}
        yield Case("poisson_nll_loss", "PoissonNLLLoss", (exact(x), target), parameters, size=64.0)


def gaussian_cases() -> Iterator[Case]:
    x, target = errors_and_targets()
    eps = 2.0**-10
    rest = positive("variance")
    variances = {
        "full": fill([0.0, 1e-9, eps, eps / 2, eps * 2, 1.0], rest),
        "rows": fill([0.0, eps], rest[:, 0]),
        "column": fill([0.0, eps], rest[:, :1]),
        "row": fill([0.0, eps], rest[:1]),
    }
    for (label, var), full, floor in itertools.product(variances.items(), (True, False), (1e-6, eps)):
        parameters = {"full": full, "eps": floor}
        yield Case("gaussian_nll_loss", "GaussianNLLLoss", (x, target, var), parameters, label=f"var-{label}")
    yield Case(
        "gaussian_nll_loss",
        "GaussianNLLLoss",
        (x[0], target[0], np.array(0.5)),
        {"full": True},
        label="var-number",
    )


def kl_cases() -> Iterator[Case]:
    rng = generator("kl")
    logits = rng.normal(size=SHAPE) * 2
    log_q = exact(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
    p = exact(rng.dirichlet(np.ones(SHAPE[1]), SHAPE[0]))
    reductions = (*REDUCTIONS, "batchmean")
    for log_target in (False, True):
        target = exact(np.log(p)) if log_target else p
        yield Case("kl_div", "KLDivLoss", (log_q, target), {"log_target": log_target}, reductions=reductions)
    sparse = np.where(p < 0.1, 0.0, p)  # PyTorch's gradient of the target is NaN at 0: see the limits
    yield Case("kl_div", "KLDivLoss", (log_q, sparse), label="zeros", reductions=reductions, wrt=("input",))


def soft_labels(*words: str) -> np.ndarray:
    return fill([0, 1, 0, 1, 0.5, 0.25], generator(*words).random(SHAPE))


def bce_cases() -> Iterator[Case]:
    rng = generator("bce")
    x = fill([1e-10, 1e-7, 0.5, 0.5, 1 - 2.0**-24, 1 - 2.0**-24], rng.random(SHAPE))
    inputs = x, soft_labels("bce")
    # Certain predictions. PyTorch clamps the denominator of the gradient at 1e-12 rounded to float32,
    # 4e-9 off in float64, and does not clamp its gradient of the target: see the limits.
    certain = fill([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1e-30, 1e-13], x), fill([0, 1, 0.5] * 2 + [1, 1], inputs[1])
    for arrays in weightings([SHAPE, SHAPE[1:], (SHAPE[0], 1), (1,), ()]):
        yield Case("binary_cross_entropy", "BCELoss", inputs, arrays=arrays)
        yield Case(
            "binary_cross_entropy",
            "BCELoss",
            certain,
            arrays=arrays,
            label="certain",
            wrt=("input",),
            relative=5e-9,
        )


def logits() -> np.ndarray:
    special = [0.0, -0.0, 20.0, -20.0, 90.0, -90.0, 800.0, -800.0, 1e6, -1e6, 1e-6]
    return fill(special, generator("logits").normal(size=SHAPE) * 4)


def logit_cases() -> Iterator[Case]:
    inputs = logits(), soft_labels("logits")
    weights = list(weightings([SHAPE, SHAPE[1:], (SHAPE[0], 1), ()]))
    pos_weights: list[dict[str, np.ndarray]] = [{}]
    for shape in (SHAPE, SHAPE[1:], (SHAPE[0], 1), (1,), ()):
        pos_weights.append({"pos_weight": positive("pos_weight", shape=shape)})
    for weight, pos_weight in itertools.product(weights, pos_weights):
        arrays = {**weight, **pos_weight}
        yield Case("binary_cross_entropy_with_logits", "BCEWithLogitsLoss", inputs, arrays=arrays)
    for weight in weights:
        yield Case("multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss", inputs, arrays=weight)
    vector = inputs[0][0], inputs[1][0]
    yield Case("multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss", vector, label="vector")
    cube = inputs[0].reshape(2, 3, 8), inputs[1].reshape(2, 3, 8)
    yield Case("multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss", cube, label="cube")


def margin_cases() -> Iterator[Case]:
    rng = generator("margin")
    scores = fill([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0] * 2, rng.normal(size=SHAPE) * 3)
    labels = fill([1] * 8 + [-1] * 8, signs("margin"))
    odd = rng.choice([-2.0, -0.5, 0.0, 0.5, 1.0, 3.0], SHAPE)
    yield Case("soft_margin_loss", "SoftMarginLoss", (scores, labels))
    yield Case("soft_margin_loss", "SoftMarginLoss", (scores, odd), label="any-label", check=False)
    for margin in (1.0, 0.5, 2.0, 0.0, -0.5):
        parameters = {"margin": margin}
        yield Case("hinge_embedding_loss", "HingeEmbeddingLoss", (scores, labels), parameters)
        second = exact(scores - rng.choice([-0.5, 0.0, 0.5, 1.0, 2.0], SHAPE))
        yield Case("margin_ranking_loss", "MarginRankingLoss", (scores, second, labels), parameters)
        yield Case(
            "hinge_embedding_loss",
            "HingeEmbeddingLoss",
            (scores, odd),
            parameters,
            label="any-label",
            check=False,
        )
        yield Case(
            "margin_ranking_loss",
            "MarginRankingLoss",
            (scores, second, odd),
            parameters,
            label="any-label",
            check=False,
        )


CASES = (
    *regression_cases(),
    *poisson_cases(),
    *gaussian_cases(),
    *kl_cases(),
    *bce_cases(),
    *logit_cases(),
    *margin_cases(),
)

#: The first case of each loss: its function, its class and ordinary inputs.
LOSSES = tuple({case.name: case for case in reversed(CASES)}.values())[::-1]
