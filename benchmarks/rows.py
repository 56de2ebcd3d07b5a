"""Losses of rows against PyTorch (eager and compiled), JAX and scikit-learn: classes, margins, pairs and triplets.

What is timed is value and gradient, or the value alone ("forward"), float32, mean, as a user of each package would
write it; losslib and scikit-learn write into arrays that exist already. PyTorch's compiled form is a function around
the same call. JAX has no loss functions, so its are put together from ``jax.nn`` and ``jax.numpy``.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from contestants import Contestant
from report import aligned, microseconds, ratio
from timing import CopyInputs, Schedule, Time, take_turns

import losslib

OWN = "losslib"
PEERS = ("PyTorch", "torch.compile", "JAX", "scikit-learn")
COPY = "copy"  #: a loop that copies the differentiated inputs: what memory allows
IGNORED = -100


@dataclass(frozen=True)
class Case:
    """One loss with one set of options on arrays of one shape, and how far ahead losslib has to be."""

    loss: str
    shape: tuple[int, ...]
    options: str  #: a name of the options in `OPTIONS`
    times_best: float
    times_pytorch: float = 0.0
    forward: bool = False  #: the value alone

    @property
    def title(self) -> str:
        notes = [self.options] * (self.options != PLAIN) + ["forward"] * self.forward
        return ", ".join([self.loss, *notes])

    @property
    def size(self) -> str:
        return "×".join(str(length) for length in self.shape)


PLAIN, SMOOTHED, WEIGHTED = "plain", "label_smoothing=0.1", "weight, ignore_index"

#: Shape -> the goals without options: times the best peer, times PyTorch.
CROSS_ENTROPY = {
    (32, 10): (4.0, 0.0),
    (65536, 10): (2.0, 0.0),
    (1024, 1000): (1.3, 3.0),
    (256, 32000): (1.3, 3.0),
    (8, 21, 128, 128): (2.0, 0.0),
}
OTHERS = ("multi_margin_loss", "multilabel_soft_margin_loss", "cosine_embedding_loss", "triplet_margin_loss")
DIVERGENCES = ("js_div", "distillation_loss")

CASES = (
    *(
        Case("cross_entropy", shape, options, *(goals if options == PLAIN else (2.0, 0.0)))
        for shape, goals in CROSS_ENTROPY.items()
        for options in (PLAIN, SMOOTHED, WEIGHTED)
    ),
    *(Case(loss, (4096, 256), PLAIN, 3.0) for loss in OTHERS),
    *(Case(loss, shape, PLAIN, 1.0) for loss in ("nll_loss", *DIVERGENCES) for shape in ((4096, 256), (65536, 10))),
    *(Case(loss, (32, 10), PLAIN, 1.0) for loss in DIVERGENCES),
    *(Case("cross_entropy", shape, PLAIN, 1.0, forward=True) for shape in CROSS_ENTROPY),
    *(
        Case("nll_loss", shape, PLAIN, 1.0, forward=True)
        for shape in ((32, 10), (4096, 256), (65536, 10), (4, 21, 128, 128))
    ),
    *(Case(loss, (4096, 256), PLAIN, 1.0, forward=True) for loss in (*OTHERS, *DIVERGENCES)),
)
QUICK_SHAPES = ((32, 10), (1024, 1000))


def cases(names: list[str] | None, quick: bool, shapes: list[tuple[int, ...]] | None = None) -> list[Case]:
    """Return what is measured: all cases, those of the losses and shapes named, or a few."""
    wanted = None if names is None else {losslib.get(name).info.name for name in names}
    chosen = [
        case for case in CASES if (wanted is None or case.loss in wanted) and (shapes is None or case.shape in shapes)
    ]
    if quick and names is None:
        chosen = [case for case in chosen if case.shape in QUICK_SHAPES and case.options == PLAIN]
    return chosen


# ---- numbers -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """The arrays of a case."""

    case: Case
    arrays: tuple[np.ndarray, ...]
    weight: np.ndarray | None

    @property
    def differentiated(self) -> tuple[int, ...]:
        info = losslib.get(self.case.loss).info
        return tuple(info.input_names.index(name) for name in info.default_wrt)

    @property
    def names(self) -> tuple[str, ...]:
        """Short names of the inputs in the statements."""
        return {"cosine_embedding_loss": ("x1", "x2", "t"), "triplet_margin_loss": ("a", "p", "n")}.get(
            self.case.loss, ("x", "t")
        )


def problem(case: Case) -> Problem:
    """Draw the inputs of a case; where targets are ignored, it is every eighth."""
    random = np.random.default_rng(21)
    x = 2.0 * random.standard_normal(case.shape, dtype=np.float32)
    if case.loss == "triplet_margin_loss":
        near, far = (x + 0.5 * random.standard_normal(case.shape, dtype=np.float32) for _ in range(2))
        return Problem(case, (x, near, far), None)
    if case.loss == "cosine_embedding_loss":
        other = x + 2.0 * random.standard_normal(case.shape, dtype=np.float32)
        return Problem(case, (x, other, (2.0 * random.integers(0, 2, len(x)) - 1.0).astype(np.float32)), None)
    if case.loss in DIVERGENCES:
        return Problem(case, (x, 2.0 * random.standard_normal(case.shape, dtype=np.float32)), None)
    if case.loss == "multilabel_soft_margin_loss":
        return Problem(case, (x, random.integers(0, 2, case.shape).astype(np.float32)), None)
    classes = case.shape[1]
    target = random.integers(0, classes, (case.shape[0], *case.shape[2:]))
    if case.options != WEIGHTED:
        return Problem(case, (x, target), None)
    target[random.random(target.shape) < 1 / 8] = IGNORED
    return Problem(case, (x, target), random.uniform(0.5, 2.0, classes).astype(np.float32))


# ---- contestants -------------------------------------------------------------------------------------------------


def contestants(task: Problem, absent: Mapping[str, str], threads: int) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Return everyone who takes part in a case, and why torch.compile does not if it fails here."""
    entered = {OWN: _losslib(task)}
    failed = {}
    if "PyTorch" not in absent:
        entered["PyTorch"] = _pytorch(task)
        try:
            compiled = _pytorch(task, compiled=True)
            compiled.gradients()
            entered["torch.compile"] = compiled
        except Exception as error:  # no compiler for it, or a bug of its own: the others are measured all the same
            lines = str(error).strip().splitlines()
            failed["torch.compile"] = f"{type(error).__name__}: {lines[0] if lines else ''}"
    if "JAX" not in absent:
        entered["JAX"] = _jax(task)
    plain_rows = task.case.loss == "cross_entropy" and task.case.options == PLAIN and len(task.case.shape) == 2
    plain_rows = plain_rows and not task.case.forward
    if "scikit-learn" not in absent and plain_rows:
        entered["scikit-learn"] = _sklearn(task, threads)
    return entered, failed


def _losslib(task: Problem) -> Contestant:
    out = tuple(np.zeros_like(task.arrays[k]) for k in task.differentiated)
    parameters: dict[str, Any] = {}
    if task.case.options == SMOOTHED:
        parameters["label_smoothing"] = 0.1
    if task.weight is not None:
        parameters |= {"weight": task.weight, "ignore_index": IGNORED}
    names = {
        "loss": losslib.get(task.case.loss, **parameters),
        "out": out if len(out) > 1 else out[0],
        **dict(zip(task.names, task.arrays, strict=True)),
    }
    if task.case.forward:
        statement = f"loss({', '.join(task.names)})"
        return Contestant(statement, names, lambda: (np.array([eval(statement, names)]),))
    statement = f"loss.value_and_grad({', '.join(task.names)}, out=out)"
    return Contestant(statement, names, lambda: (eval(statement, names), out)[1])


PYTORCH = {
    "cross_entropy": "F.cross_entropy(x, t{options})",
    "nll_loss": "F.nll_loss(x, t)",
    "distillation_loss": "divergence(F.log_softmax(x, 1), F.log_softmax(t, 1))",
    "js_div": "jensen_shannon(F.log_softmax(x, 1), F.log_softmax(t, 1))",
    "multi_margin_loss": "F.multi_margin_loss(x, t)",
    "multilabel_soft_margin_loss": "F.multilabel_soft_margin_loss(x, t)",
    "cosine_embedding_loss": "F.cosine_embedding_loss(x1, x2, t)",
    "triplet_margin_loss": "F.triplet_margin_loss(a, p, n)",
}
PYTORCH_OPTIONS = {PLAIN: "", SMOOTHED: ", label_smoothing=0.1", WEIGHTED: f", weight=weight, ignore_index={IGNORED}"}


def _pytorch(task: Problem, compiled: bool = False) -> Contestant:
    import torch

    tensors = [torch.from_numpy(array.copy()) for array in task.arrays]
    for k in task.differentiated:
        tensors[k].requires_grad_(not task.case.forward)

    def divergence(log_p: Any, log_q: Any) -> Any:
        return torch.nn.functional.kl_div(log_p, log_q, log_target=True, reduction="batchmean")

    def jensen_shannon(log_p: Any, log_q: Any) -> Any:
        log_m = torch.logaddexp(log_p, log_q) - math.log(2.0)
        return 0.5 * (divergence(log_m, log_p) + divergence(log_m, log_q))

    names: dict[str, Any] = {"torch": torch, "F": torch.nn.functional}
    names |= {"divergence": divergence, "jensen_shannon": jensen_shannon}
    if task.weight is not None:
        names["weight"] = torch.from_numpy(task.weight)
    names |= dict(zip(task.names, tensors, strict=True))
    expression = PYTORCH[task.case.loss].format(options=PYTORCH_OPTIONS[task.case.options])
    if compiled:
        torch._dynamo.reset()  # each case is compiled for its own shape and options
        function = eval(f"lambda {', '.join(task.names)}: {expression}", names)
        names["compiled"] = torch.compile(function, dynamic=False)
        expression = f"compiled({', '.join(task.names)})"
    if task.case.forward:
        return Contestant(expression, names, lambda: (np.array([float(eval(expression, names))]),))
    fresh = "; ".join(f"{task.names[k]}.grad = None" for k in task.differentiated)
    statement = f"{fresh}; {expression}.backward()"

    def gradients() -> tuple[np.ndarray, ...]:
        exec(statement, names)
        return tuple(tensors[k].grad.numpy() for k in task.differentiated)

    return Contestant(statement, names, gradients)


def _jax(task: Problem) -> Contestant:
    import jax

    loss = _jax_loss(task)
    step = jax.jit(loss if task.case.forward else jax.value_and_grad(loss, argnums=task.differentiated))
    arrays = [jax.device_put(array.astype(np.int32) if array.dtype == np.int64 else array) for array in task.arrays]
    names = {"jax": jax, "step": step, **dict(zip(task.names, arrays, strict=True))}
    statement = f"jax.block_until_ready(step({', '.join(task.names)}))"
    if task.case.forward:
        return Contestant(statement, names, lambda: (np.asarray(step(*arrays)).reshape(1),), composed=True)
    return Contestant(statement, names, lambda: tuple(np.asarray(grad) for grad in step(*arrays)[1]), composed=True)


def _jax_loss(task: Problem) -> Callable[..., Any]:
    """Return the loss as its formula reads in JAX."""
    import jax
    import jax.numpy as jnp

    def picked(x: Any, t: Any) -> Any:
        return jnp.take_along_axis(x, jnp.expand_dims(t, 1), axis=1).squeeze(1)

    def cross_entropy(x: Any, t: Any) -> Any:
        log_p = jax.nn.log_softmax(x, axis=1)
        if task.case.options == SMOOTHED:
            return jnp.mean(-0.9 * picked(log_p, t) - 0.1 * log_p.mean(axis=1))
        if task.weight is None:
            return -jnp.mean(picked(log_p, t))
        kept = t != IGNORED
        t = jnp.where(kept, t, 0)
        weight = jnp.where(kept, jnp.asarray(task.weight)[t], 0.0)
        return -jnp.sum(weight * picked(log_p, t)) / jnp.sum(weight)

    def divergence(log_p: Any, log_q: Any) -> Any:
        return jnp.mean(jnp.sum(jnp.exp(log_q) * (log_q - log_p), axis=1))

    def distillation(x: Any, t: Any) -> Any:
        return divergence(jax.nn.log_softmax(x, axis=1), jax.nn.log_softmax(t, axis=1))

    def jensen_shannon(x: Any, t: Any) -> Any:
        log_p, log_q = jax.nn.log_softmax(x, axis=1), jax.nn.log_softmax(t, axis=1)
        log_m = jnp.logaddexp(log_p, log_q) - jnp.log(2.0)
        return 0.5 * (divergence(log_m, log_p) + divergence(log_m, log_q))

    def multi_margin(x: Any, t: Any) -> Any:
        missing = jnp.maximum(1.0 - jnp.expand_dims(picked(x, t), 1) + x, 0.0)
        others = jnp.arange(x.shape[1]) != jnp.expand_dims(t, 1)
        return jnp.mean(jnp.sum(jnp.where(others, missing, 0.0), axis=1) / x.shape[1])

    def multilabel_soft_margin(x: Any, t: Any) -> Any:
        return jnp.mean(jax.nn.softplus(x) - t * x)

    def cosine_embedding(x1: Any, x2: Any, t: Any) -> Any:
        squares = (jnp.sum(x1 * x1, axis=1) + 1e-12) * (jnp.sum(x2 * x2, axis=1) + 1e-12)
        cosine = jnp.sum(x1 * x2, axis=1) / jnp.sqrt(squares)
        return jnp.mean(jnp.where(t == 1, 1 - cosine, jnp.maximum(cosine, 0.0)))

    def triplet_margin(a: Any, p: Any, n: Any) -> Any:
        near, far = (jnp.sqrt(jnp.sum((a - other + 1e-6) ** 2, axis=1)) for other in (p, n))
        return jnp.mean(jnp.maximum(1.0 + near - far, 0.0))

    losses: dict[str, Callable[..., Any]] = {
        "cross_entropy": cross_entropy,
        "nll_loss": lambda x, t: -jnp.mean(picked(x, t)),
        "distillation_loss": distillation,
        "js_div": jensen_shannon,
        "multi_margin_loss": multi_margin,
        "multilabel_soft_margin_loss": multilabel_soft_margin,
        "cosine_embedding_loss": cosine_embedding,
        "triplet_margin_loss": triplet_margin,
    }
    return losses[task.case.loss]


def _sklearn(task: Problem, threads: int) -> Contestant:
    losses = importlib.import_module("sklearn._loss.loss")
    x, target = task.arrays
    value, out = np.zeros(len(x), np.float32), np.zeros_like(x)
    names = {
        "loss": losses.HalfMultinomialLoss(n_classes=x.shape[1]),
        "x": x,
        "t": target.astype(np.float32),
        "value": value,
        "out": out,
    }
    statement = f"loss.loss_gradient(t, x, loss_out=value, gradient_out=out, n_threads={threads})"
    # Values and gradients come unreduced: the division by n that "mean" needs is left out of the measurement.
    return Contestant(statement, names, lambda: (eval(statement, names), (out / len(x),))[1])


# ---- measuring ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RowTimes:
    """The times of one case."""

    case: Case
    times: dict[str, Time]
    composed: frozenset[str] = frozenset()
    #: Peers that computed another gradient, with the relative deviation.
    deviating: dict[str, float] = field(default_factory=dict)
    #: Peers that could not take part, with the reason.
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def peers(self) -> list[str]:
        return [peer for peer in PEERS if peer in self.times]

    def times_peer(self, peer: str) -> float:
        return self.times[peer].least / self.times[OWN].least

    @property
    def times_best(self) -> float | None:
        """How many times faster losslib is than the fastest peer."""
        return min((self.times_peer(peer) for peer in self.peers), default=None)

    @property
    def verdict(self) -> str:
        missed = []
        if self.times_best is not None and self.times_best < self.case.times_best:
            best = min(self.peers, key=self.times_peer)
            missed.append(f"{self.times_best:.2f}x {best}, goal {self.case.times_best:g}")
        if "PyTorch" in self.times and self.times_peer("PyTorch") < self.case.times_pytorch:
            missed.append(f"{self.times_peer('PyTorch'):.2f}x PyTorch, goal {self.case.times_pytorch:g}")
        if not self.peers:
            return "no peer"
        return "missed: " + "; ".join(missed) if missed else "met"

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "loss": self.case.loss,
            "shape": list(self.case.shape),
            "options": self.case.options,
            "forward": self.case.forward,
            "seconds": {name: {"least": t.least, "median": t.median} for name, t in self.times.items()},
            "composed": sorted(self.composed),
            "deviating": self.deviating,
            "failed": self.failed,
            "times_best_peer": self.times_best,
            "goal": self.case.times_best,
            "verdict": self.verdict,
        }


def measure(
    chosen: list[Case], absent: Mapping[str, str], threads: int, schedule: Schedule, step: Callable[[str], None]
) -> Iterator[RowTimes]:
    """Yield the times of each case; ``step`` hears what is being measured."""
    for case in chosen:
        step(f"{case.title}, {case.size}")
        task = problem(case)
        entered, failed = contestants(task, absent, threads)
        expected = [gradient.copy() for gradient in entered[OWN].gradients()]
        deviations = {name: _deviation(one.gradients(), expected) for name, one in entered.items()}
        statements = {name: (one.statement, one.names) for name, one in entered.items()}
        loop = CopyInputs([task.arrays[k] for k in task.differentiated], threads)
        statements[COPY] = ("loop.copy()", {"loop": loop})
        yield RowTimes(
            case,
            take_turns(statements, task.arrays[0].size, schedule),
            frozenset(name for name, one in entered.items() if one.composed),
            {name: size for name, size in deviations.items() if size > 1e-3},
            failed,
        )


def _deviation(found: tuple[np.ndarray, ...], expected: list[np.ndarray]) -> float:
    """Return the largest difference of two sets of gradients, relative to the largest gradient."""
    largest = max(float(np.abs(b).max()) for b in expected)
    return max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True)) / max(largest, 1e-30)


def table(results: list[RowTimes], absent: Mapping[str, str]) -> str:
    """Return the aligned table; times in microseconds."""
    lines: list[tuple[str, ...]] = [
        ("loss", "options", "shape", OWN, *PEERS, COPY, "x best", "x PyTorch", "goal", "verdict")
    ]
    for result in results:
        cells = []
        for peer in PEERS:
            if peer in result.times:
                mark = "!" if peer in result.deviating else "*" if peer in result.composed else " "
                cells.append(microseconds(result.times[peer].least) + mark)
            else:
                cells.append("failed " if peer in result.failed else "absent " if peer in absent else "- ")
        lines.append(
            (
                result.case.loss,
                result.case.title.removeprefix(result.case.loss).removeprefix(", "),
                result.case.size,
                microseconds(result.times[OWN].least),
                *cells,
                microseconds(result.times[COPY].least),
                ratio(result.times_best),
                ratio(result.times_peer("PyTorch") if "PyTorch" in result.times else None),
                f"{result.case.times_best:g}",
                result.verdict,
            )
        )
    return aligned(lines)


def reasons(results: list[RowTimes]) -> list[str]:
    """Return a line for each peer that failed or computed something else."""
    lines = []
    for result in results:
        where = f"{result.case.title}, {result.case.size}"
        lines += [f"{where}: {peer} is left out: {reason}" for peer, reason in result.failed.items()]
        lines += [
            f"{where}: gradient of {peer} deviates by {size:.1e} of the largest"
            for peer, size in result.deviating.items()
        ]
    return lines
