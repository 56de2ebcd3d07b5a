"""Losses of lists and of risk sets against LightGBM, rax, numba, scikit-survival, statsmodels and torchsurv.

Float64, two threads each; contestants take turns in one process, and the table gives the least time of each in
milliseconds and its ratio to losslib's. LightGBM's objective is what one round of training takes more than the same
round with an objective that returns constants.

    python benchmarks/ranking.py              everything
    python benchmarks/ranking.py --quick      short lists alone
    python benchmarks/ranking.py --survival   risk sets and concordance alone
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from turns import define_operators

import losslib

Call = Callable[[], object]

#: Lists and items of each.
LISTS = ((2000, 100), (20, 10_000))
SAMPLES = 1_000_000


def lists(count: int, items: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, items)), rng.integers(0, 5, (count, items)).astype(np.float64)


def numba_double_loop() -> Callable[[np.ndarray, np.ndarray, int], Any]:
    """LambdaRank's gradient and Hessian as two loops over the items of each list, compiled and parallel over lists."""
    import numba

    @numba.njit(parallel=True, cache=False)
    def compute(x: np.ndarray, y: np.ndarray, level: int) -> Any:
        grad, hess = np.zeros_like(x), np.zeros_like(x)
        for k in numba.prange(len(x)):
            order = np.argsort(-x[k])
            gain = 2.0 ** y[k] - 1.0
            best = np.sort(gain)[::-1]
            ideal = 0.0
            for i in range(min(level, len(best))):
                ideal += best[i] / np.log2(2.0 + i)
            spread = x[k, order[0]] != x[k, order[-1]]
            total = 0.0
            for i in range(min(level, len(order))):
                for j in range(i + 1, len(order)):
                    high, low = order[i], order[j]
                    if y[k, high] == y[k, low]:
                        continue
                    weight = abs(gain[high] - gain[low]) * (1 / np.log2(2.0 + i) - 1 / np.log2(2.0 + j)) / ideal
                    if y[k, high] < y[k, low]:
                        high, low = low, high
                    gap = x[k, high] - x[k, low]
                    if spread:
                        weight /= 0.01 + abs(gap)
                    rho = 1 / (1 + np.exp(gap))
                    grad[k, high] -= weight * rho
                    grad[k, low] += weight * rho
                    hess[k, high] += weight * rho * (1 - rho)
                    hess[k, low] += weight * rho * (1 - rho)
                    total += 2 * weight * rho
            if total > 0:
                grad[k] *= np.log2(1 + total) / total
                hess[k] *= np.log2(1 + total) / total
        return grad, hess

    return compute


def rank_calls(count: int, items: int) -> dict[str, Call]:
    """Return LambdaRank's contestants."""
    x, y = lists(count, items)
    loss = losslib.LambdaRankLoss(reduction="sum")
    loop = numba_double_loop()
    calls: dict[str, Call] = {"losslib": lambda: loss.value_grad_hess(x, y), "numba": lambda: loop(x, y, 30)}
    if items <= 1000:
        import jax
        import rax

        jax.config.update("jax_enable_x64", True)
        pairs = jax.jit(jax.grad(lambda s, t: rax.pairwise_logistic_loss(s, t, lambdaweight_fn=rax.dcg_lambdaweight)))
        calls["rax (gradient)"] = lambda: pairs(x, y).block_until_ready()
    return calls


def lightgbm_milliseconds(count: int, items: int, rounds: int) -> float:
    """Return what LightGBM's own objective takes in a round, beyond a round without one."""
    import lightgbm

    x, y = lists(count, items)
    feature = np.random.default_rng(1).standard_normal((x.size, 1))
    options = {"num_leaves": 2, "max_bin": 3, "verbose": -1, "num_threads": 2}
    ones = np.ones(x.size)
    found = []
    for objective in ("lambdarank", lambda scores, data: (scores * 0 + 0.5, ones)):
        data = lightgbm.Dataset(feature, label=y.reshape(-1), group=[items] * count, init_score=x.reshape(-1))
        model = lightgbm.Booster({**options, "objective": objective} if isinstance(objective, str) else
                                 {**options, "objective": "none"}, data)  # fmt: skip
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            model.update(fobj=None if isinstance(objective, str) else objective)
            times.append(time.perf_counter() - start)
        found.append(min(times))
    return 1e3 * (found[0] - found[1])


def survival_calls(samples: int) -> dict[str, dict[str, Call]]:
    """Return the contestants of Cox's likelihood and of the concordance index."""
    rng = np.random.default_rng(0)
    x, time_, event = rng.standard_normal(samples), rng.integers(0, 1000, samples) / 10.0, rng.random(samples) < 0.7
    cox = losslib.CoxPHLoss(reduction="sum")
    few = slice(0, 10_000)
    calls: dict[str, dict[str, Call]] = {
        f"Cox, Efron's ties, {samples:,} samples": {
            "losslib": lambda: cox.value_grad_hess(x, time_, event),
            **cox_peers(x, time_, event),
        },
        f"concordance, {samples:,} samples": {"losslib": lambda: losslib.concordance_index(x, time_, event)},
        "concordance, 10,000 samples": {"losslib": lambda: losslib.concordance_index(x[few], time_[few], event[few])},
    }
    from sksurv.metrics import concordance_index_censored

    calls["concordance, 10,000 samples"]["scikit-survival"] = lambda: concordance_index_censored(
        event[few], time_[few], x[few]
    )
    return calls


def cox_peers(x: np.ndarray, time_: np.ndarray, event: np.ndarray) -> dict[str, Call]:
    """Return what peers compute of the same partial likelihood; what they sort beforehand is not counted.

    torchsurv has the derivatives by the scores, as losslib does; the others those by one coefficient.
    """
    import warnings

    import torch
    from sksurv.linear_model.coxph import CoxPHOptimizer
    from statsmodels.duration.hazard_regression import PHReg

    define_operators()
    from torchsurv.loss.cox import neg_partial_log_likelihood

    torch.set_num_threads(2)
    warnings.filterwarnings("ignore", message="Ties in")
    score, events, times = torch.tensor(x, requires_grad=True), torch.tensor(event), torch.tensor(time_)

    def gradient() -> object:
        score.grad = None
        neg_partial_log_likelihood(score, events, times, ties_method="efron", reduction="sum").backward()
        return score.grad

    one = np.ones(1)
    theirs = CoxPHOptimizer(x[:, np.newaxis], event, time_, np.zeros(1), "efron")
    model = PHReg(time_, x[:, np.newaxis], status=event.astype(int), ties="efron")
    return {
        "torchsurv, value and gradient": gradient,
        "scikit-survival, value": lambda: theirs.nlog_likelihood(one),
        "statsmodels, value": lambda: model.loglike(one),
        "statsmodels, all three": lambda: (model.loglike(one), model.score(one), model.hessian(one)),
    }


def take_turns(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Return the least time of each call in milliseconds."""
    least = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            least[name] = min(least[name], 1e3 * (time.perf_counter() - start))
    return least


def show(title: str, found: dict[str, float]) -> None:
    print(f"\n{title}")
    for name, milliseconds in found.items():
        print(f"  {name:<30} {milliseconds:10.2f} ms   {milliseconds / found['losslib']:7.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short lists alone")
    parser.add_argument("--survival", action="store_true", help="risk sets and concordance alone")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    losslib.set_num_threads(2)
    for count, items in () if arguments.survival else LISTS[: 1 if arguments.quick else None]:
        found = take_turns(rank_calls(count, items), arguments.rounds)
        found["LightGBM"] = lightgbm_milliseconds(count, items, arguments.rounds)
        show(f"LambdaRank, gradient and Hessian, {count} lists of {items}", found)
    if not arguments.quick:
        for title, calls in survival_calls(SAMPLES).items():
            show(title, take_turns(calls, 3))


if __name__ == "__main__":
    main()
