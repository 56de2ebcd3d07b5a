"""Losses from formulas: against the built-in kernels, careful NumPy, numexpr and JAX, and how long they take to make.

Run ``python benchmarks/own_losses.py``; numexpr and JAX are measured if they are installed. Every contestant runs on
the same number of threads, in turns, on the same float32 arrays.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

THREADS = 2
for _name in ("OMP_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS"):
    os.environ.setdefault(_name, str(THREADS))
os.environ.setdefault("XLA_FLAGS", f"--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads={THREADS}")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np  # noqa: E402 - after the number of threads

import losslib  # noqa: E402

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Case:
    """A loss in every language: its formula, its kernel, and what a careful user of NumPy and numexpr writes."""

    name: str
    formula: str
    built_in: Any
    numpy: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], float]
    numexpr: str
    jax: Callable[[Any, Any, Any], Any]
    parameters: dict[str, float] = field(default_factory=dict)


# NumPy as one writes it who counts temporaries: everything goes into three work arrays and the gradient `g`.


def huber(x: np.ndarray, t: np.ndarray, g: np.ndarray, u: np.ndarray, v: np.ndarray) -> float:
    np.subtract(x, t, out=u)
    np.clip(u, -1.0, 1.0, out=g)  # the gradient, and min(|d|, delta) with its sign
    np.multiply(g, np.float32(0.5), out=v)
    np.subtract(u, v, out=v)
    value = float(np.dot(g, v)) / x.size
    np.divide(g, np.float32(x.size), out=g)
    return value


def log_cosh(x: np.ndarray, t: np.ndarray, g: np.ndarray, u: np.ndarray, v: np.ndarray) -> float:
    np.subtract(x, t, out=u)
    np.tanh(u, out=g)
    np.abs(u, out=u)
    np.multiply(u, np.float32(-2.0), out=v)
    np.exp(v, out=v)
    np.log1p(v, out=v)
    value = float((u.sum(dtype=np.float64) + v.sum(dtype=np.float64)) / x.size - np.log(2.0))
    np.divide(g, np.float32(x.size), out=g)
    return value


def bce(x: np.ndarray, t: np.ndarray, g: np.ndarray, u: np.ndarray, v: np.ndarray) -> float:
    np.abs(x, out=u)
    np.negative(u, out=u)
    np.exp(u, out=u)
    np.log1p(u, out=v)
    total = v.sum(dtype=np.float64)
    np.maximum(x, np.float32(0.0), out=v)
    value = float((total + v.sum(dtype=np.float64) - np.dot(x, t)) / x.size)
    np.add(u, np.float32(1.0), out=v)
    np.copyto(u, np.float32(1.0), where=x > 0)
    np.divide(u, v, out=g)
    np.subtract(g, t, out=g)
    np.divide(g, np.float32(x.size), out=g)
    return value


def tukey(x: np.ndarray, t: np.ndarray, g: np.ndarray, u: np.ndarray, v: np.ndarray) -> float:
    c = np.float32(4.685)
    np.subtract(x, t, out=u)
    np.divide(u, c, out=v)
    np.multiply(v, v, out=v)
    np.subtract(np.float32(1.0), v, out=v)
    np.maximum(v, np.float32(0.0), out=v)
    np.multiply(v, v, out=g)
    np.multiply(g, v, out=v)
    value = float(c * c / 6 * (1 - v.sum(dtype=np.float64) / x.size))
    np.multiply(g, u, out=g)
    np.divide(g, np.float32(x.size), out=g)
    return value


def student(x: np.ndarray, t: np.ndarray, g: np.ndarray, u: np.ndarray, v: np.ndarray) -> float:
    df, scale = np.float32(4.0), np.float32(1.5)
    np.subtract(x, t, out=u)
    np.multiply(u, u, out=v)
    np.add(v, df * scale * scale, out=g)
    np.divide(u, g, out=g)
    np.divide(v, df * scale * scale, out=v)
    np.log1p(v, out=v)
    value = float((df + 1) / 2 * v.sum(dtype=np.float64) / x.size + np.log(scale))
    np.multiply(g, np.float32((df + 1) / x.size), out=g)
    return value


def tweedie(x: np.ndarray, t: np.ndarray, g: np.ndarray, u: np.ndarray, v: np.ndarray) -> float:
    np.multiply(x, np.float32(0.5), out=u)
    np.exp(u, out=u)
    np.divide(t, u, out=v)
    value = float(2.0 * (u.sum(dtype=np.float64) + v.sum(dtype=np.float64)) / x.size)
    np.subtract(u, v, out=g)
    np.divide(g, np.float32(x.size), out=g)
    return value


CASES = (
    Case(
        "Huber",
        "where(abs(d) <= delta, d**2/2, delta*(abs(d) - delta/2))",
        losslib.HuberLoss(delta=1.0),
        huber,
        "sum(where(abs(x - t) <= 1, (x - t)**2/2, abs(x - t) - 0.5))",
        lambda jnp, x, t: jnp.where(jnp.abs(x - t) <= 1, (x - t) ** 2 / 2, jnp.abs(x - t) - 0.5),
        {"delta": 1.0},
    ),
    Case(
        "log-cosh",
        "log(cosh(d))",
        losslib.LogCoshLoss(),
        log_cosh,
        "sum(abs(x - t) + log1p(exp(-2*abs(x - t))))",
        lambda jnp, x, t: jnp.logaddexp(x - t, t - x) - jnp.log(2.0),
    ),
    Case(
        "BCE with logits",
        "(1 - t)*softplus(x) + t*softplus(-x)",
        losslib.BCEWithLogitsLoss(),
        bce,
        "sum(where(x > 0, x, 0) - x*t + log1p(exp(-abs(x))))",
        lambda jnp, x, t: jnp.maximum(x, 0) - x * t + jnp.log1p(jnp.exp(-jnp.abs(x))),
    ),
    Case(
        "Tukey",
        "where(abs(d) <= c, c**2/6*(1 - (1 - (d/c)**2)**3), c**2/6)",
        losslib.TukeyBiweightLoss(c=4.685),
        tukey,
        "sum(where(abs(x - t) <= 4.685, 3.6582041*(1 - (1 - ((x - t)/4.685)**2)**3), 3.6582041))",
        lambda jnp, x, t: jnp.where(
            jnp.abs(x - t) <= 4.685, 4.685**2 / 6 * (1 - (1 - ((x - t) / 4.685) ** 2) ** 3), 4.685**2 / 6
        ),
        {"c": 4.685},
    ),
    Case(
        "Student t",
        "(df + 1)/2*log1p(d**2/(df*scale**2)) + log(scale)",
        losslib.StudentTNLLLoss(df=4.0, scale=1.5),
        student,
        "sum(2.5*log1p((x - t)**2/9))",
        lambda jnp, x, t: 2.5 * jnp.log1p((x - t) ** 2 / 9),
        {"df": 4.0, "scale": 1.5},
    ),
    Case(
        "Tweedie",
        "exp((2 - power)*x)/(2 - power) - t*exp((1 - power)*x)/(1 - power)",
        losslib.TweedieNLLLoss(power=1.5, log_input=True),
        tweedie,
        "sum(2*exp(x/2) + 2*t*exp(-x/2))",
        lambda jnp, x, t: 2 * jnp.exp(x / 2) + 2 * t * jnp.exp(-x / 2),
        {"power": 1.5},
    ),
)


def contestants(case: Case, n: int) -> dict[str, Callable[[], Any]]:
    """Return the calls to measure; each gives value and gradient but numexpr, which gives the value."""
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal(n).astype(np.float32), rng.random(n).astype(np.float32)
    g, u, v = (np.empty_like(x) for _ in range(3))
    own = losslib.from_formula(case.formula, **case.parameters)
    expected, gradient = case.built_in.value_and_grad(x, t)
    calls: dict[str, Callable[[], Any]] = {
        "formula": lambda: own.value_and_grad(x, t, out=g),
        "built-in": lambda: case.built_in.value_and_grad(x, t, out=g),
        "NumPy": lambda: case.numpy(x, t, g, u, v),
    }
    for name in calls:  # the same numbers, or no measurement
        found = calls[name]()
        value = found if isinstance(found, float) else found[0]
        assert abs(value - expected) <= 1e-4 * abs(expected), (case.name, name, value, expected)
        np.testing.assert_allclose(g, gradient, rtol=1e-3, atol=1e-5 / n, err_msg=f"{case.name}: {name}")
    if importlib.util.find_spec("numexpr"):
        import numexpr

        numexpr.set_num_threads(THREADS)
        names = {"x": x, "t": t}
        calls["numexpr, value"] = lambda: numexpr.evaluate(case.numexpr, local_dict=names)
    if importlib.util.find_spec("jax"):
        import jax
        import jax.numpy as jnp

        device_x, device_t = jnp.asarray(x), jnp.asarray(t)
        function = jax.jit(jax.value_and_grad(lambda a, b: case.jax(jnp, a, b).mean()))
        calls["JAX jit"] = lambda: jax.block_until_ready(function(device_x, device_t))
    return calls


def measure(calls: dict[str, Callable[[], Any]], n: int, rounds: int) -> dict[str, float]:
    """Return the median over rounds of the least microseconds of a call in a round, the contestants in turns."""
    repeat = max(2, 200_000 // n)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call()
            least = np.inf
            for _ in range(repeat):
                start = time.perf_counter()
                call()
                least = min(least, time.perf_counter() - start)
            times[name].append(least * 1e6)
    return {name: statistics.median(listed) for name, listed in times.items()}


def compile_times(case: Case, repeat: int) -> dict[str, float]:
    """Return microseconds from the text to the first value and gradient of two numbers."""
    from losslib.formula.loss import _class_of

    two = np.ones(2, np.float32)

    def own() -> None:
        _class_of.cache_clear()
        losslib.from_formula(case.formula, **case.parameters).value_and_grad(two, two)

    makers: dict[str, Callable[[], Any]] = {"formula": own}
    if importlib.util.find_spec("jax"):
        import jax
        import jax.numpy as jnp

        def with_jax() -> None:
            jax.block_until_ready(jax.jit(jax.value_and_grad(lambda a, b: case.jax(jnp, a, b).mean()))(two, two))

        makers["JAX jit"] = with_jax
    found = {}
    for name, make in makers.items():
        times = []
        for _ in range(repeat if name == "formula" else 3):
            start = time.perf_counter()
            make()
            times.append(time.perf_counter() - start)
        found[name] = statistics.median(times) * 1e6
    return found


#: The columns of ratios: a heading, whose time is divided by whose, and what it is to be.
RATIOS = (
    ("formula/built-in", "formula", "built-in", "<= 3"),
    ("NumPy/formula", "NumPy", "formula", ">= 5"),
    ("NumPy/built-in", "NumPy", "built-in", "reach"),
    ("numexpr/formula", "numexpr, value", "formula", ">= 2"),
    ("JAX/formula", "JAX jit", "formula", "> 1"),
)


def print_table(n: int, rounds: int) -> None:
    """Print the microseconds and the ratios of one size.

    NumPy/built-in is the reach of a formula against NumPy: the same loss as a kernel of its own, which keeps its
    intermediate results in registers.
    """
    print(f"\nvalue and gradient (numexpr: value alone), float32, n = {n}, {THREADS} threads: microseconds")
    measured = {case.name: measure(contestants(case, n), n, rounds) for case in CASES}
    columns = list(next(iter(measured.values())))
    print(" " * 16, *(f"{name:>14}" for name in columns))
    for name, times in measured.items():
        print(f"{name:16}", *(f"{times[column]:14.1f}" for column in columns))
    ratios = [ratio for ratio in RATIOS if ratio[1] in columns]
    print(f"\n{'ratios':16}", *(f"{heading:>16}" for heading, *_ in ratios))
    print(" " * 16, *(f"{goal:>16}" for *_, goal in ratios))
    for name, times in measured.items():
        print(f"{name:16}", *(f"{times[above] / times[below]:16.2f}" for _, above, below, _ in ratios))


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**4, 10**6])
    arguments = parser.parse_args()
    losslib.set_num_threads(THREADS)
    for n in arguments.sizes:
        print_table(n, arguments.rounds)
    print("\nfrom the text to the first result: microseconds (a formula: <= 1000)")
    for case in CASES:
        print(f"{case.name:16}", " | ".join(f"{name} {took:.0f}" for name, took in compile_times(case, 50).items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
