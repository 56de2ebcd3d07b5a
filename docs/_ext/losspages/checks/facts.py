"""Facts about a loss that are measured with its kernel: convexity, smoothness, slope, range, and what it estimates.

Each is decided by numbers on fixed points, for the defaults and for every other setting that the page shows. That
cannot prove that a loss is convex, but it finds every loss that is not on the scale of its parameters; a tag that says
otherwise fails the build.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import losslib
from losslib import geometries
from losslib.declaration import registry
from losslib.declaration.schema import Choice, Flag, LossInfo, Real
from losspages.checks.verify import Disagreement, domains_of, own_parameters

__all__ = ["Facts", "complaints", "measure", "settings_of"]

#: Points along the first input of an elementwise loss, by its domain: ends of where it is looked at.
ENDS = {"probability": (0.002, 0.998), "nonnegative": (0.02, 12.0), "positive": (0.02, 12.0)}
ENDS |= {"above_minus_one": (-0.95, 12.0)}
POINTS = 1201

#: Targets that a constant prediction is fitted to: samples whose mean, median and quantiles differ, so that what is
#: called the median is no coincidence; real ones of small and of large errors.
SAMPLES: dict[str, tuple[tuple[float, ...], ...]] = {
    "real": ((-1.5, 0.5, 1.0, 2.0, 5.0), (-4.0, -3.0, 0.6, 0.8, 1.4), (-30.0, 0.5, 1.0, 2.0, 40.0)),
    "nonnegative": ((0.0, 1.0, 1.0, 2.0, 6.0), (0.0, 0.0, 3.0, 4.0, 4.5)),
    "positive": ((0.5, 1.0, 1.5, 2.0, 5.0), (0.3, 0.4, 3.0, 4.0, 4.5)),
    "above_minus_one": ((0.0, 1.0, 1.5, 2.0, 5.0), (-0.5, 0.2, 3.0, 4.0, 4.5)),
    "sign": ((*[-1.0] * 7, *[1.0] * 3),) * 2,
    "binary": ((*[0.0] * 7, *[1.0] * 3),) * 2,
}
SAMPLES["probability"] = SAMPLES["binary"]

#: Shares of positives whose best constant predictions say whether a loss of labels is proper.
SHARES = (0.15, 0.3, 0.45, 0.6, 0.8)


@dataclass
class Facts:
    """What was measured for one setting; None where it has no meaning for the loss."""

    parameters: dict[str, Any] = field(default_factory=dict)
    convex: bool | None = None
    smooth: bool | None = None
    bounded_slope: bool | None = None
    least: float | None = None
    most: float | None = None
    #: In words: "the mean", "the quantile 0.9", "the logit of the probability".
    estimates: str = ""
    proper: bool | None = None


def settings_of(info: LossInfo) -> Iterator[dict[str, Any]]:
    """Yield the defaults, then each example and the other side of each flag that changes the formula."""
    yield {}
    for item in own_parameters(info):
        if isinstance(item, Real) and item.name != "eps":
            yield from ({item.name: value} for value in dict.fromkeys((*item.examples, *item.also)))
        elif isinstance(item, Flag) and item.name != "check":
            yield {item.name: not item.default}
        elif isinstance(item, Choice) and item.name in ("distance", "distribution"):
            yield from ({item.name: word} for word in item.choices if word != item.default)


def measure(info: LossInfo) -> list[Facts]:
    """Measure every setting of a loss; one that the inputs do not allow is left out."""
    found = []
    for parameters in settings_of(info):
        try:
            kind = _of_elements if info.geometry == "pointwise" else _of_samples
            found.append(kind(info, parameters))
        except losslib.ParameterError:
            continue
    return found


# ---- losses of single elements ---------------------------------------------------------------------------------------


class _Curves:
    """Value and slope of one setting of an elementwise loss along its first input."""

    def __init__(self, info: LossInfo, parameters: Mapping[str, Any]) -> None:
        self.info = info
        self.loss = registry.class_of(info.name)(**parameters, reduction="none")
        domains = domains_of(info, parameters)
        self.low, self.high = ENDS.get(domains[0].name, (-8.0, 8.0))
        self.unbounded = domains[0].name == "real" and "log link" not in info.tags
        if domains[0].name == "real" and not self.unbounded:
            self.low, self.high = -4.0, 4.0
        self.x = np.linspace(self.low, self.high, POINTS)
        self.step = float(self.x[1] - self.x[0])
        self.x[np.argmin(abs(self.x))] += self.step / 7  # no target of the sample lies on a point
        named = "target" in info.input_names
        place = info.input_names.index("target") if named else 1
        self.others = [k for k in range(1, len(info.inputs)) if k != place and named]
        self.samples = [np.array(sample) for sample in SAMPLES.get(domains[place].name, SAMPLES["real"])]
        self.lines = {target: self.at(self.x, target) for target in sorted({*itertools.chain(*self.samples)})}

    def at(self, x: np.ndarray, target: float) -> tuple[np.ndarray, np.ndarray]:
        """Return value and slope for a target; a third input, such as a variance, is 1."""
        inputs = [x, *(np.full_like(x, 1.0 if k in self.others else target) for k in range(1, len(self.info.inputs)))]
        if self.info.averages_last_axis:
            inputs = [array[:, np.newaxis] for array in inputs]
        return np.ravel(self.loss(*inputs)), np.ravel(self.loss.grad(*inputs, wrt=self.info.input_names[0]))


def _of_elements(info: LossInfo, parameters: dict[str, Any]) -> Facts:
    curves = _Curves(info, parameters)
    x, values = curves.x, [value for value, _ in curves.lines.values()]
    facts = Facts(dict(parameters))
    slopes = np.array([np.diff(value) / np.diff(x) for value in values])
    facts.convex = bool((np.diff(slopes, axis=1) >= -1e-7 * max(1e-9, float(np.abs(slopes).max()))).all())
    if facts.convex and len(set(info.differentiable) - {"target"}) > 1:  # jointly, with a variance or the like
        facts.convex = _of_samples(info, parameters).convex
    facts.smooth = all(
        _is_smooth(functools.partial(curves.at, target=target), x, slope) for target, (_, slope) in curves.lines.items()
    )
    facts.least = min(float(value.min()) for value in values)
    if curves.unbounded:
        target = float(curves.samples[0][0])
        sizes = [float(np.abs(curves.at(np.array([-s, s]), target)[1]).max()) for s in (1e2, 1e4)]
        facts.bounded_slope = bool(sizes[1] <= 1.01 * sizes[0] + 1e-6)
        ends = [float(curves.at(np.array([-s, s]), target)[0].max()) for s in (1e4, 1e6)]
        facts.most = max(ends) if ends[1] - ends[0] < 1e-3 * abs(ends[1]) + 1e-9 else math.inf
    if "distance" in info.tags or info.input_names[1] != "target":
        return facts  # a distance, or two scores, estimates nothing
    facts.estimates = _estimate(curves, convex=facts.convex)
    if len(curves.lines) == 2:  # labels, 0 and 1 or -1 and 1
        facts.proper = any(_has_link(curves, words) for words in LINKS)
    return facts


def _is_smooth(at: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], x: np.ndarray, known: np.ndarray) -> bool:
    """Look closer at the largest steps of a gradient: a jump stays, however close one looks."""
    steps = np.abs(np.diff(known))
    size = max(1e-12, float(np.ptp(known)))
    for place in np.argsort(steps)[-3:]:
        if steps[place] < 1e-4 * size:
            continue
        low, high = x[place], x[place + 1]
        for _ in range(5):
            inside = np.linspace(low, high, 33)
            found = at(inside)[1]
            worst = int(np.argmax(np.abs(np.diff(found))))
            low, high = inside[worst], inside[worst + 1]
        if abs(float(np.diff(at(np.array([low, high]))[1])[0])) > 0.2 * steps[place]:
            return False
    return True


def _functionals(sample: np.ndarray, parameters: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield what a constant may stand for, in words and as a number of the sample."""
    mean = float(sample.mean())
    yield "the mean", mean
    yield "the median", float(np.quantile(sample, 0.5, method="inverted_cdf"))
    for name in ("quantile", "expectile"):
        if isinstance(parameters.get(name), float):
            level = parameters[name]
            find = _expectile if name == "expectile" else lambda s, q: np.quantile(s, q, method="inverted_cdf")
            yield f"the {name} {level:g}", float(find(sample, level))
    if mean > 0 and (sample >= 0).all():
        yield "the logarithm of the mean", math.log(mean)
    if (sample > -1).all():
        yield "the geometric mean of 1 + the target, minus 1", float(np.expm1(np.log1p(sample).mean()))
    if (sample != 0).all():
        yield "the median, weighted by 1/|target|", _weighted_median(sample, 1 / np.abs(sample))


def _expectile(sample: np.ndarray, level: float) -> float:
    grid = np.linspace(sample.min(), sample.max(), 200_001)
    d = sample[:, np.newaxis] - grid
    return float(grid[np.argmin((np.where(d > 0, level, 1 - level) * d**2).sum(0))])


def _weighted_median(sample: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(sample)
    shares = np.cumsum(weight[order]) / weight.sum()
    return float(sample[order][np.searchsorted(shares, 0.5)])


#: What a score may tell of the share p of positives, in words and as a function of it.
LINKS: dict[str, Callable[[float], float]] = {
    "the probability": lambda p: p,
    "the logit of the probability": lambda p: math.log(p / (1 - p)),
    "half the logit of the probability": lambda p: math.log(p / (1 - p)) / 2,
    "2p − 1": lambda p: 2 * p - 1,
}


def _estimate(curves: _Curves, *, convex: bool) -> str:
    """Say what the best constant prediction is, by minimising the kernel over it."""
    near = 1.5 * curves.step
    lowest = [(sample, _lowest(curves, sample)) for sample in curves.samples]
    inside = [(sample, place) for sample, place in lowest if place is not None]
    if len(inside) < 2:
        return ""
    places = [place for _, place in inside]
    if len(curves.lines) == 2:
        links = [words for words in LINKS if _has_link(curves, words)]
        return links[0] if links else "the class" if abs(abs(places[0]) - 1) <= near else ""
    named = [
        {words for words, number in _functionals(sample, curves.loss.parameters) if abs(best - number) <= near}
        for sample, best in inside
    ]
    order = [words for words, _ in _functionals(curves.samples[0], curves.loss.parameters)]
    # Where a kink makes a local minimum of every target, the middle one wins by chance.
    order = [words for words in order if convex or "median" not in words]
    found = [words for words in order if all(words in names for names in named)]
    if found:
        return found[0]
    sample = inside[0][0]
    return f"{places[0]:.2g} of a sample with mean {sample.mean():.2g} and median {np.median(sample):.2g}"


def _lowest(curves: _Curves, sample: np.ndarray) -> float | None:
    """Return the best constant prediction of a sample, None if it lies at an end of the points or beyond."""
    total = np.sum([curves.lines[target][0] for target in sample], axis=0)
    if not np.isfinite(total).all() or np.argmin(total) in (0, len(curves.x) - 1):
        return None
    return float(curves.x[np.argmin(total)])


def _best(curves: _Curves, share: float) -> float:
    negative, positive = (value for value, _ in curves.lines.values())
    return float(curves.x[np.argmin((1 - share) * negative + share * positive)])


def _has_link(curves: _Curves, words: str) -> bool:
    """True if the best constants for several shares of positives are this function of the share."""
    return all(abs(_best(curves, share) - LINKS[words](share)) <= 1.5 * curves.step for share in SHARES)


# ---- losses of samples -----------------------------------------------------------------------------------------------


def _of_samples(info: LossInfo, parameters: dict[str, Any]) -> Facts:
    """Look at places halfway between drawn predictions: a convex loss lies below the mean of both ends there."""
    alone = "none" if "none" in info.reductions else "sum"
    loss = registry.class_of(info.name)(**parameters, reduction=alone)
    geometry = geometries.find(info.geometry)
    moved = [info.input_names.index(name) for name in info.differentiable if name != "target"]
    facts = Facts(dict(parameters), convex=True)
    values = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        first, second = (geometry.draw(info, loss.parameters, rng, 60) for _ in range(2))
        if any(first[place].shape != second[place].shape for place in moved):
            return Facts(dict(parameters))
        free = all(info.inputs[place].domain.name == "real" for place in moved) and info.geometry != "boxes"
        for scale in (1.0, 4.0) if free else (1.0,):
            ends, middle = ([*first], [*first]), [*first]
            for place in moved:
                ends[0][place], ends[1][place] = scale * first[place], scale * second[place]
                middle[place] = (ends[0][place] + ends[1][place]) / 2
            a, b, between = (np.ravel(loss(*arrays)) for arrays in (*ends, middle))
            values += [float(a.min()), float(b.min())]
            if (between > (a + b) / 2 + 1e-9 * (1 + np.abs(a) + np.abs(b))).any():
                facts.convex = False
    facts.least = min(values)
    return facts


# ---- tags ------------------------------------------------------------------------------------------------------------


def complaints(info: LossInfo, measured: list[Facts]) -> Iterator[str]:
    """Yield the tags that the measurement of the defaults contradicts."""
    default = measured[0]
    checked = {"convex": default.convex, "smooth": default.smooth, "proper": default.proper}
    for tag, holds in checked.items():
        # Samples can show that a loss is not convex; that it is, they cannot.
        proven = holds is not None and (info.geometry == "pointwise" or not holds)
        if proven and (tag in info.tags) != holds:
            yield f"{info.name}: the tag {tag!r} is {tag in info.tags}, measured is {holds}"
    if "robust" in info.tags and default.bounded_slope is False:
        yield f"{info.name}: the tag 'robust' says that the slope is bounded, measured is that it is not"
    if "bounded" in info.tags and default.most == math.inf:
        yield f"{info.name}: the tag 'bounded' says that the value is, measured is that it grows on"
    low, high = _stated_range(info)
    if default.least is not None and info.geometry == "pointwise" and default.least < low - 1e-9:
        yield f"{info.name}: its values go down to {default.least:.6g}, its range is {info.value_range}"
    if default.most is not None and default.most > high:
        yield f"{info.name}: its values go up to {default.most:.6g}, its range is {info.value_range}"


def _stated_range(info: LossInfo) -> tuple[float, float]:
    """Return the ends of a range that is stated as two numbers, else none."""
    found = re.fullmatch(r"[\[(](-?inf|-?[\d.]+), (inf|-?[\d.]+)[\])]", info.value_range)
    return (float(found[1]), float(found[2])) if found else (-math.inf, math.inf)


def check(info: LossInfo) -> list[Facts]:
    """Measure a loss and compare its tags."""
    measured = measure(info)
    for complaint in complaints(info, measured):
        raise Disagreement(complaint)
    return measured
