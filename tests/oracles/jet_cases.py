"""What the tests of the jets know of each loss: settings, points of its domain, its formula in mpmath."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mpmath import mp

Array = np.ndarray[Any, np.dtype[Any]]

# Points

Points = Callable[[np.random.Generator, int], list[Array]]


def signed(rng: np.random.Generator, n: int, low: float, high: float) -> Array:
    return rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(low, high, n)


def errors(rng: np.random.Generator, n: int) -> list[Array]:
    target = rng.normal(0.0, 2.0, n)
    return [target + signed(rng, n, -2.5, 2.0), target]


def positives(rng: np.random.Generator, n: int) -> list[Array]:
    return [10.0 ** rng.uniform(-3, 2, n), 10.0 ** rng.uniform(-3, 2, n)]


def counts(rng: np.random.Generator, n: int) -> list[Array]:
    return [10.0 ** rng.uniform(-2, 2, n), rng.integers(0, 40, n).astype(float)]


def log_counts(rng: np.random.Generator, n: int) -> list[Array]:
    return [rng.uniform(-6, 6, n), rng.integers(0, 40, n).astype(float)]


def log_positives(rng: np.random.Generator, n: int) -> list[Array]:
    return [rng.uniform(-6, 6, n), 10.0 ** rng.uniform(-2, 2, n)]


def with_third(points: Points, low: float, high: float) -> Points:
    return lambda rng, n: [*points(rng, n), 10.0 ** rng.uniform(low, high, n)]


def labels01(rng: np.random.Generator, n: int) -> Array:
    return np.where(rng.random(n) < 0.5, rng.integers(0, 2, n), rng.uniform(0.02, 0.98, n))


def probabilities(rng: np.random.Generator, n: int) -> list[Array]:
    p = np.where(rng.random(n) < 0.7, rng.uniform(0.02, 0.98, n), 10.0 ** rng.uniform(-5, -1, n))
    return [p, labels01(rng, n)]


def logits(rng: np.random.Generator, n: int) -> list[Array]:
    return [rng.normal(0.0, 6.0, n), labels01(rng, n)]


def scores(rng: np.random.Generator, n: int) -> list[Array]:
    return [rng.normal(0.0, 2.0, n), rng.choice([-1.0, 1.0, 0.7, -0.4], n)]


def log_probabilities(rng: np.random.Generator, n: int) -> list[Array]:
    return [np.log(rng.uniform(0.001, 1.0, n)), rng.uniform(0.001, 1.0, n)]


def two_log_probabilities(rng: np.random.Generator, n: int) -> list[Array]:
    return [np.log(rng.uniform(0.001, 1.0, n)), np.log(rng.uniform(0.001, 1.0, n))]


def pairs_of_scores(rng: np.random.Generator, n: int) -> list[Array]:
    return [rng.normal(0.0, 2.0, n), rng.normal(0.0, 2.0, n), rng.choice([-1.0, 1.0], n)]


# Textbook formulas on mpmath numbers, each written from the definition

ln = mp.log


def half_log_2pi() -> Any:
    return ln(2 * mp.pi) / 2


def sigma(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def softplus(x: Any) -> Any:
    return ln(1 + mp.exp(x))


def pseudo_huber(d: Any, delta: Any) -> Any:
    return delta**2 * (mp.sqrt(1 + (d / delta) ** 2) - 1)


def wing(d: Any, w: Any, c: Any) -> Any:
    return w * ln(1 + abs(d) / c) if abs(d) < w else abs(d) - (w - w * ln(1 + w / c))


def barron(r: Any, a: Any) -> Any:
    return abs(a - 2) / a * ((r**2 / abs(a - 2) + 1) ** (a / 2) - 1)


def tukey(d: Any, c: Any) -> Any:
    return c**2 / 6 * (1 - (1 - (d / c) ** 2) ** 3) if abs(d) <= c else c**2 / 6


def stirling(t: Any) -> Any:
    return t * ln(t) - t + ln(2 * mp.pi * t) / 2 if t > 1 else mp.mpf(0)


def term(coefficient: Any, factor: Callable[[], Any]) -> Any:
    return coefficient * factor() if coefficient else mp.mpf(0)


def poisson(x: Any, t: Any, eps: Any) -> Any:
    return x - term(t, lambda: ln(x + eps))


def tweedie(mean: Any, t: Any, p: Any) -> Any:
    return -t * mean ** (1 - p) / (1 - p) + mean ** (2 - p) / (2 - p)


def negative_binomial(mean: Any, t: Any, a: Any, eps: Any = 0) -> Any:
    return (t + 1 / a) * ln(1 + a * mean) - term(t, lambda: ln(mean + eps))


def count_terms(t: Any, a: Any) -> Any:
    return mp.loggamma(1 / a) + mp.loggamma(t + 1) - mp.loggamma(t + 1 / a) - t * ln(a)


def smooth(t: Any, s: Any) -> Any:
    return t * (1 - s) + s / 2


def cross_entropy(p: Any, t: Any, positive: Any = 1, negative: Any = 1) -> Any:
    on = max(ln(p), mp.mpf(-100)) if p > 0 else mp.mpf(-100)
    off = max(ln(1 - p), mp.mpf(-100)) if p < 1 else mp.mpf(-100)
    return -(positive * t * on + negative * (1 - t) * off)


def cross_entropy_logits(x: Any, t: Any, w: Any = 1) -> Any:
    return (1 - t) * softplus(x) + w * t * softplus(-x)


def focal(q: Any, t: Any, alpha: Any, gamma: Any, ce: Any) -> Any:
    return (1 if alpha < 0 else alpha * t + (1 - alpha) * (1 - t)) * q**gamma * ce


def modified_huber(z: Any) -> Any:
    return -4 * z if z < -1 else max(1 - z, mp.mpf(0)) ** 2


def sparse_plus(x: Any) -> Any:
    return x if x >= 1 else max(x + 1, mp.mpf(0)) ** 2 / 4


def asymmetric(x: Any, t: Any, gamma_neg: Any, gamma_pos: Any, clip: Any) -> Any:
    shifted = max(sigma(x) - clip, mp.mpf(0))
    return (
        t * softplus(-x) * sigma(-x) ** gamma_pos - (1 - t) * ln(min(sigma(-x) + clip, mp.mpf(1))) * shifted**gamma_neg
    )


def hinge_embedding(x: Any, t: Any, m: Any) -> Any:
    return (x if t != -1 else 0) + (max(m - x, mp.mpf(0)) if t != 1 else 0)


def sigmoid_of(x: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


# Rows


@dataclass(frozen=True)
class Row:
    """What the tests need to know of a loss.

    formula: the value as a function of the parameters, then the inputs.
    kinks: expressions whose zeros are kinks; points near them are left out.
    extremes: more inputs at which values and slopes are compared, tiny and huge ones.
    target, third: whether the partials with respect to these inputs are offered.
    terms: size of the terms of the definition that cancel.
    """

    points: Points
    formula: Callable[..., Any]
    settings: tuple[tuple[float, ...], ...] = ((),)
    kinks: Callable[..., Sequence[Array]] | None = None
    extremes: tuple[tuple[float, ...], ...] = ()
    target: bool = True
    third: bool = False
    terms: float = 0.0


def kink_d(*edges: int) -> Callable[..., list[Array]]:
    """Give the kinks of a loss of d at 0 (edge -1) and at |d| equal to the parameters of these numbers."""
    return lambda p, x, t, w: [np.abs(x - t) - (0.0 if e < 0 else p[e]) for e in edges]


TINY_TO_HUGE = tuple((x, 0.0) for x in (1e-18, -1e-12, 1e-5, 3e-3, -0.4, 1e4, -1e8, 2e10, 1e19, -1e30, 2e38))
LOGIT_TAILS = tuple((x, t) for x in (-1e4, -90.0, -30.0, 1e-9, 0.0, 40.0, 95.0, 3e3) for t in (0.0, 1.0))
SMALL_PROBABILITIES = ((0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (1e-30, 0.0), (1e-30, 1.0), (0.5, 0.5))

LOSSES: dict[str, Row] = {
    "AbsoluteError": Row(errors, lambda x, t: abs(x - t), kinks=kink_d(-1), extremes=TINY_TO_HUGE),
    "SquaredError": Row(errors, lambda x, t: (x - t) ** 2, extremes=TINY_TO_HUGE),
    "HalfSquaredError": Row(errors, lambda x, t: (x - t) ** 2 / 2, extremes=TINY_TO_HUGE),
    "BiasError": Row(errors, lambda x, t: x - t, extremes=TINY_TO_HUGE),
    "Huber": Row(
        errors,
        lambda k, x, t: (x - t) ** 2 / 2 if abs(x - t) <= k else k * (abs(x - t) - k / 2),
        ((1.0,), (0.3,), (25.0,)),
        kink_d(0),
        TINY_TO_HUGE,
    ),
    "SmoothL1": Row(
        errors,
        lambda k, x, t: (x - t) ** 2 / (2 * k) if abs(x - t) < k else abs(x - t) - k / 2,
        ((1.0,), (0.3,), (25.0,)),
        kink_d(0),
        TINY_TO_HUGE,
    ),
    "PseudoHuber": Row(
        errors,
        lambda k, x, t: pseudo_huber(x - t, k),
        ((1.0,), (0.3,), (25.0,)),
        extremes=TINY_TO_HUGE,
    ),
    "LogCoshError": Row(errors, lambda x, t: ln(mp.cosh(x - t)), extremes=TINY_TO_HUGE),
    "Quantile": Row(
        errors,
        lambda q, x, t: max(q * (t - x), (q - 1) * (t - x)),
        ((0.5,), (0.1,), (0.95,)),
        kink_d(-1),
        TINY_TO_HUGE,
    ),
    "Expectile": Row(
        errors,
        lambda q, x, t: abs(q - (1 if t <= x else 0)) * (x - t) ** 2,
        ((0.5,), (0.1,), (0.95,)),
        kink_d(-1),
        TINY_TO_HUGE,
    ),
    "EpsilonInsensitive": Row(
        errors,
        lambda e, x, t: max(abs(x - t) - e, mp.mpf(0)),
        ((0.1,), (0.0,), (2.0,)),
        kink_d(-1, 0),
        TINY_TO_HUGE,
    ),
    "SquaredEpsilonInsensitive": Row(
        errors,
        lambda e, x, t: max(abs(x - t) - e, mp.mpf(0)) ** 2,
        ((0.1,), (0.0,), (2.0,)),
        kink_d(-1, 0),
        TINY_TO_HUGE,
    ),
    "AbsolutePercentageError": Row(
        errors,
        lambda eps, s, x, t: s * abs(x - t) / max(abs(t), eps),
        ((1e-7, 1.0), (1e-7, 100.0), (0.5, 1.0)),
        lambda p, x, t, w: [x - t, t, np.abs(t) - p[0]],
        ((3.0, 0.0), (1e30, 1e28), (-1e-10, 1e-9), (2e38, 1e38)),
    ),
    "SymmetricAbsolutePercentageError": Row(
        errors,
        lambda eps, x, t: 2 * abs(x - t) / max(abs(x) + abs(t), eps),
        ((1e-7,), (0.5,)),
        lambda p, x, t, w: [x - t, x, t, np.abs(t) + np.abs(x) - p[0]],
        ((0.0, 0.0), (3.0, 0.0), (3e38, 1e38), (-3e38, 2e38), (1e-9, 3e-9)),
    ),
    "SquaredLogarithmicError": Row(
        positives,
        lambda x, t: (ln(1 + x) - ln(1 + t)) ** 2,
        kinks=kink_d(-1),
        extremes=(
            (0.5, 0.5),
            (1.0, 1.0 + 2**-20),
            (1e30, 3.0),
            (0.0, 1e35),
            (3e38, -1 + 2**-20),
            (-1 + 2**-20, 1e32),
            (-0.5, 1e-9),
        ),
    ),
    "Lq": Row(
        errors,
        lambda q, x, t: abs(x - t) ** q,
        ((1.3,), (2.5,), (4.0,)),
        kink_d(-1),
        ((0.0, 0.0), (1e-9, 0.0), (-1e7, 0.0), (1e28, 0.0)),
    ),
    "Fair": Row(
        errors,
        lambda c, x, t: c**2 * (abs(x - t) / c - ln(1 + abs(x - t) / c)),
        ((1.0,), (0.3,), (25.0,)),
        kink_d(-1),
        TINY_TO_HUGE,
    ),
    "Wing": Row(
        errors,
        lambda w, c, x, t: wing(x - t, w, c),
        ((5.0, 0.5), (10.0, 2.0), (0.4, 1.0)),
        kink_d(-1, 0),
        TINY_TO_HUGE,
    ),
    "Charbonnier": Row(
        errors,
        lambda s, x, t: pseudo_huber((x - t) / s, mp.mpf(1)),
        ((1.0,), (0.3,), (25.0,)),
        extremes=TINY_TO_HUGE,
    ),
    "Cauchy": Row(
        errors,
        lambda s, x, t: ln(1 + ((x - t) / s) ** 2 / 2),
        ((1.0,), (0.01,), (25.0,)),
        extremes=TINY_TO_HUGE,
    ),
    "Welsch": Row(
        errors,
        lambda s, x, t: -mp.expm1(-(((x - t) / s) ** 2) / 2),
        ((1.0,), (0.3,), (25.0,)),
        extremes=TINY_TO_HUGE,
    ),
    "GemanMcClure": Row(
        errors,
        lambda s, x, t: 2 * ((x - t) / s) ** 2 / (((x - t) / s) ** 2 + 4),
        ((1.0,), (0.3,), (25.0,)),
        extremes=TINY_TO_HUGE,
    ),
    "TukeyBiweight": Row(
        errors,
        lambda c, x, t: tukey(x - t, c),
        ((4.685,), (0.7,), (40.0,)),
        kink_d(0),
        TINY_TO_HUGE,
    ),
    "Barron": Row(
        errors,
        lambda a, s, x, t: barron((x - t) / s, a),
        (
            (1.0, 1.0),
            (1.0, 0.3),
            (-2.0, 2.0),
            (0.5, 1.0),
            (1.5, 1.0),
            (3.0, 5.0),
            (1e-9, 1.0),
            (-1e-4, 1.0),
            (2.0 - 1e-9, 1.0),
            (2.0 + 1e-5, 1.0),
            (-1e9, 20.0),
        ),
        extremes=tuple(point for point in TINY_TO_HUGE if abs(point[0]) < 1e20),
    ),
    "BarronQuadratic": Row(errors, lambda s, x, t: ((x - t) / s) ** 2 / 2, ((1.0,), (0.3,)), extremes=TINY_TO_HUGE),
    "PoissonLog": Row(log_counts, lambda x, t: mp.exp(x) - t * x, extremes=((-200.0, 0.0), (100.0, 3.0), (-1e4, 2.0))),
    "PoissonLogFull": Row(
        log_counts,
        lambda x, t: mp.exp(x) - t * x + stirling(t),
        kinks=lambda p, x, t, w: [t - 1],
        extremes=((0.0, 0.0), (0.0, 1.0), (0.0, 1e6), (100.0, 3.0)),
    ),
    "PoissonIdentity": Row(
        counts,
        lambda eps, x, t: poisson(x, t, eps),
        ((1e-8,), (0.1,)),
        extremes=((0.0, 0.0), (0.0, 2.0), (1e30, 4.0)),
    ),
    "PoissonIdentityFull": Row(
        counts,
        lambda eps, x, t: poisson(x, t, eps) + stirling(t),
        ((1e-8,),),
        lambda p, x, t, w: [t - 1],
        ((0.0, 0.0), (3.0, 1e6)),
    ),
    "Gaussian": Row(
        with_third(errors, -2, 2),
        lambda eps, full, x, t, v: (ln(max(v, eps)) + (x - t) ** 2 / max(v, eps)) / 2 + full * half_log_2pi(),
        ((1e-6, 0.0), (1e-6, 1.0)),
        extremes=((1e20, 0.0, 1e10), (1.0, 1.0, 1e-9), (3.0, 0.0, 0.0), (1e-20, 0.0, 1.0)),
        third=True,
    ),
    "GammaLog": Row(
        log_positives,
        lambda x, t: x + t * mp.exp(-x),
        extremes=((-95.0, 1e-20), (95.0, 1e30), (-1e3, 1.0), (1e3, 1.0)),
    ),
    "GammaIdentity": Row(positives, lambda x, t: ln(x) + t / x, extremes=((1e-30, 1e-25), (1e30, 1.0), (1e-30, 1e30))),
    "TweedieLog": Row(
        log_positives,
        lambda p, x, t: tweedie(mp.exp(x), t, p),
        ((1.5,), (1.9,), (3.0,), (-1.0,), (1.01,)),
        extremes=((-100.0, 0.0), (0.0, 0.0), (-150.0, 2.0), (150.0, 2.0), (-1e4, 2.0), (1e4, 2.0)),
    ),
    "TweedieIdentity": Row(
        positives,
        lambda p, x, t: tweedie(x, t, p),
        ((1.5,), (1.9,), (3.0,), (-1.0,), (1.01,)),
        extremes=((1e-20, 3.0), (1e20, 3.0)),
    ),
    "HalfSquaredErrorLog": Row(
        log_positives,
        lambda x, t: (mp.exp(x) - t) ** 2 / 2,
        extremes=((-200.0, 3.0), (100.0, 3.0)),
    ),
    "Laplace": Row(
        with_third(errors, -2, 2),
        lambda eps, full, x, t, s: abs(x - t) / max(s, eps) + ln(max(s, eps)) + full * ln(2),
        ((1e-6, 0.0), (1e-6, 1.0)),
        kink_d(-1),
        ((1e30, 0.0, 1e10), (3.0, 0.0, 0.0)),
        third=True,
    ),
    "StudentT": Row(
        errors,
        lambda n, s, c, x, t: (n + 1) / 2 * ln(1 + ((x - t) / s) ** 2 / n) + ln(s) + c,
        ((3.0, 1.0, 0.0), (1.0, 0.2, 1.5), (30.0, 10.0, 0.0)),
        extremes=TINY_TO_HUGE,
    ),
    "NegativeBinomialLog": Row(
        log_counts,
        lambda a, x, t: negative_binomial(mp.exp(x), t, a),
        ((1.0,), (0.1,), (8.0,), (1e-8,)),
        extremes=((-200.0, 0.0), (-200.0, 5.0), (300.0, 5.0), (0.0, 0.0)),
    ),
    "NegativeBinomialLogFull": Row(
        log_counts,
        lambda a, x, t: negative_binomial(mp.exp(x), t, a) + count_terms(t, a),
        ((1.0,), (0.1,), (8.0,), (1e-8,), (0.13,)),
        extremes=((0.0, 0.0), (3.0, 200.0)),
        target=False,
        terms=200.0,
    ),
    "NegativeBinomialIdentity": Row(
        counts,
        lambda a, eps, x, t: negative_binomial(x, t, a, eps),
        ((1.0, 1e-8), (0.1, 1e-8), (8.0, 0.1), (1e-8, 1e-8)),
        extremes=((0.0, 0.0), (0.0, 2.0), (1e30, 4.0)),
        terms=5.0,
    ),
    "NegativeBinomialIdentityFull": Row(
        counts,
        lambda a, eps, x, t: negative_binomial(x, t, a, eps) + count_terms(t, a),
        ((1.0, 1e-8), (0.1, 1e-8), (8.0, 0.1), (1e-8, 1e-8)),
        extremes=((0.0, 0.0), (0.0, 2.0)),
        target=False,
        terms=200.0,
    ),
    "KLDivergence": Row(
        log_probabilities,
        lambda x, t: term(t, lambda: ln(t) - x),
        extremes=((-1e4, 0.0), (0.0, 1.0), (-100.0, 1e-30)),
    ),
    "KLDivergenceLogTarget": Row(
        two_log_probabilities,
        lambda x, t: mp.exp(t) * (t - x),
        extremes=((-3.0, -2e3), (-1e4, 0.0), (0.0, 0.0)),
    ),
    "GeneralizedKL": Row(
        positives,
        lambda x, t: term(t, lambda: ln(t / x)) - t + x,
        extremes=(
            (1.0, 1.0 + 2**-20),
            (1.0 + 2**-20, 1.0),
            (2.0, 2.0),
            (0.3, 0.0),
            (1e-30, 1e30),
            (1e30, 1e-30),
            (1e-10, 1e30),
        ),
    ),
    "BinaryCrossEntropy": Row(
        probabilities,
        lambda s, x, t: cross_entropy(x, smooth(t, s)),
        ((0.0,), (0.1,)),
        extremes=SMALL_PROBABILITIES,
    ),
    "BinaryCrossEntropyLogits": Row(
        logits,
        lambda s, x, t: cross_entropy_logits(x, smooth(t, s)),
        ((0.0,), (0.1,)),
        extremes=LOGIT_TAILS,
    ),
    "BinaryCrossEntropyLogitsPosWeight": Row(
        with_third(logits, -1, 1),
        lambda s, x, t, w: cross_entropy_logits(x, smooth(t, s), w),
        ((0.0,), (0.1,)),
        extremes=tuple((x, t, 3.0) for x, t in LOGIT_TAILS),
    ),
    "WeightedBinaryCrossEntropy": Row(
        probabilities,
        lambda p, n, x, t: cross_entropy(x, t, p, n),
        ((1.0, 1.0), (3.0, 1.0), (0.2, 0.8)),
        extremes=SMALL_PROBABILITIES,
    ),
    "BinaryFocal": Row(
        probabilities,
        lambda a, g, s, x, t: focal(
            x * (1 - smooth(t, s)) + (1 - x) * smooth(t, s),
            smooth(t, s),
            a,
            g,
            cross_entropy(x, smooth(t, s)),
        ),
        ((0.25, 2.0, 0.0), (-1.0, 0.5, 0.0), (0.6, 0.0, 0.1), (0.25, 3.5, 0.1)),
        extremes=((0.0, 1.0), (1.0, 0.0), (1e-9, 0.0)),
        target=False,
    ),
    "SigmoidFocal": Row(
        logits,
        lambda a, g, x, t: focal(sigma(x) * (1 - t) + sigma(-x) * t, t, a, g, cross_entropy_logits(x, t)),
        ((0.25, 2.0), (-1.0, 0.5), (0.6, 0.0), (0.25, 3.5)),
        extremes=LOGIT_TAILS,
        target=False,
    ),
    "QualityFocal": Row(
        logits,
        lambda b, x, t: abs(t - sigma(x)) ** b * cross_entropy_logits(x, t),
        ((2.0,), (2.5,), (3.0,)),
        extremes=((40.0, 1.0), (-40.0, 0.0), (3.0, 0.25)),
        target=False,
    ),
    "Varifocal": Row(
        logits,
        lambda a, g, x, t: t * cross_entropy_logits(x, t) if t > 0 else a * sigma(x) ** g * softplus(x),
        ((0.75, 2.0), (1.0, 0.0), (0.25, 1.5)),
        extremes=LOGIT_TAILS,
        target=False,
    ),
    "GaussianFocal": Row(
        probabilities,
        lambda a, g, p, t: (
            -((1 - p) ** a) * mp.log(p + mp.mpf(10) ** -12)
            if t == 1
            else -((1 - t) ** g) * p**a * mp.log(1 - p + mp.mpf(10) ** -12)
        ),
        ((2.0, 4.0), (1.0, 2.0), (3.0, 1.0)),
        target=False,
    ),
    "SoftMargin": Row(
        scores, lambda x, t: softplus(-t * x), extremes=((1e4, 1.0), (-1e4, 1.0), (95.0, 1.0), (1e-9, -1.0))
    ),
    "Hinge": Row(
        scores,
        lambda m, x, t: max(m - t * x, mp.mpf(0)),
        ((1.0,), (0.0,), (2.5,)),
        lambda p, x, t, w: [p[0] - t * x],
        ((1e30, 1.0), (-1e30, 1.0)),
    ),
    "SquaredHinge": Row(
        scores,
        lambda m, x, t: max(m - t * x, mp.mpf(0)) ** 2,
        ((1.0,), (0.0,), (2.5,)),
        lambda p, x, t, w: [p[0] - t * x],
        ((1e30, 1.0), (-1e10, 1.0)),
    ),
    "Exponential": Row(
        logits,
        lambda x, t: t * mp.exp(-x) + (1 - t) * mp.exp(x),
        extremes=((-80.0, 0.0), (80.0, 1.0), (-95.0, 1.0), (1e4, 1.0), (1e4, 0.0), (0.0, 0.5)),
    ),
    "ModifiedHuber": Row(
        scores,
        lambda x, t: modified_huber(t * x),
        kinks=lambda p, x, t, w: [t * x - 1, t * x + 1],
        extremes=((1e30, 1.0), (-1e30, 1.0), (1.0 - 2**-20, 1.0)),
    ),
    "BinarySparsemax": Row(
        logits,
        lambda x, t: t * sparse_plus(-x) + (1 - t) * sparse_plus(x),
        kinks=lambda p, x, t, w: [x - 1, x + 1],
        extremes=((1e30, 1.0), (1e30, 0.0), (-1e30, 0.0), (-1.0 + 2**-20, 0.0)),
    ),
    "AsymmetricLoss": Row(
        logits,
        lambda n, p, c, x, t: asymmetric(x, t, n, p, c),
        ((4.0, 1.0, 0.05), (4.0, 1.0, 0.0), (0.0, 0.0, 0.0), (2.5, 0.5, 0.2), (1.0, 0.0, 1e-6)),
        lambda p, x, t, w: [(sigmoid_of(x) - p[2]) / p[2] if p[2] else np.ones_like(x)],
        LOGIT_TAILS,
        target=False,
    ),
    "HingeEmbedding": Row(
        scores,
        lambda m, x, t: hinge_embedding(x, t, m),
        ((1.0,), (0.3,)),
        lambda p, x, t, w: [p[0] - x],
        ((1e30, -1.0), (-1e30, -1.0), (2.0, 0.0)),
        target=False,
    ),
    "MarginRanking": Row(
        pairs_of_scores,
        lambda m, x, y, t: max(m - t * (x - y), mp.mpf(0)),
        ((0.0,), (0.5,)),
        lambda p, x, t, w: [p[0] - w * (x - t)],
        ((1e30, 0.0, 1.0), (-1e30, 0.0, 1.0)),
        third=True,
    ),
}
LOSSES |= {
    f"{name}Whole": replace(LOSSES[name], settings=settings)
    for name, settings in {
        "BinaryFocal": ((0.25, 2.0, 0.0), (-1.0, 1.0, 0.1), (0.6, 0.0, 0.0), (0.25, 5.0, 0.1)),
        "SigmoidFocal": ((0.25, 2.0), (-1.0, 1.0), (0.6, 0.0), (0.25, 7.0)),
        "AsymmetricLoss": ((4.0, 1.0, 0.05), (4.0, 1.0, 0.0), (0.0, 0.0, 0.0), (2.0, 7.0, 0.2), (1.0, 0.0, 1e-6)),
    }.items()
}
