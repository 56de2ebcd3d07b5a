"""What the pages of CTC say is checked here, against an oracle that is slow and knows nothing of lattices.

The formula of these losses sums over paths. The oracle does just that: it goes through every path of a few frames.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from losslib.declaration import registry
from losslib.declaration.schema import Equivalent, LossInfo
from losspages.checks.equivalents import EquivalentResult, evaluate_equivalent
from losspages.checks.examine import EXAMINERS, PageFacts
from losspages.checks.verify import Disagreement, FormulaCheck, ReductionRow, run_doctest

FRAMES, CLASSES = 5, 3
TOLERANCE = 1e-12
SAMPLE_WEIGHT = np.array([1.0, 3.0, 1.0, 1.0])
MASK = np.array([True, True, False, True])

#: How each column of the table of reductions is called.
SITUATIONS: dict[str, dict[str, Any]] = {
    "plain": {}, "sample_weight": {"sample_weight": SAMPLE_WEIGHT}, "where": {"where": MASK},
}  # fmt: skip


def examine(info: LossInfo) -> PageFacts:
    """Execute the statements of a page about CTC."""
    return PageFacts(
        info=info,
        formula=check_paths(info),
        reductions=check_reductions(info),
        outside=messages_outside(info),
        examples=run_doctest(info.examples, info.name),
        equivalents=[run_equivalent(info, item) for item in info.equivalents],
    )


def batch() -> list[np.ndarray]:
    """Return four samples of log-probabilities, targets and lengths."""
    scores = np.random.default_rng(4).standard_normal((8, 4, 5))
    scores -= np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    targets = np.array([[1, 2, 4], [3, 3, 1], [2, 1, 1], [4, 1, 1]])
    return [scores, targets, np.array([8, 8, 7, 6]), np.array([3, 2, 0, 1])]


def paths_of(log_probs: np.ndarray, blank: int) -> dict[tuple[int, ...], tuple[float, np.ndarray]]:
    """Return for every target its probability and the share of it with a class at a frame."""
    frames, classes = log_probs.shape
    sums: dict[tuple[int, ...], tuple[float, np.ndarray]] = {}
    for path in itertools.product(range(classes), repeat=frames):
        weight = math.exp(sum(log_probs[t, c] for t, c in enumerate(path)))
        target = tuple(c for c, _ in itertools.groupby(path) if c != blank)
        total, share = sums.get(target, (0.0, np.zeros((frames, classes))))
        share[np.arange(frames), path] += weight
        sums[target] = (total + weight, share)
    return {target: (total, share / total) for target, (total, share) in sums.items()}


def check_paths(info: LossInfo) -> FormulaCheck:
    """Compare value and gradient of every possible target with the sums over its paths, for every blank."""
    result = FormulaCheck()
    scores = np.random.default_rng(5).standard_normal((FRAMES, CLASSES))
    log_probs = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    given = scores if info.kernel == "logits" else log_probs
    for blank in range(CLASSES):
        for target, (probability, share) in paths_of(log_probs, blank).items():
            loss = registry.class_of(info.name)(blank=blank, reduction="sum")
            value, gradient = loss.value_and_grad(given, np.array(target, np.int64), FRAMES, len(target))
            deviations = [result.add("value", value, -math.log(probability))]
            for place, expected in np.ndenumerate(np.exp(log_probs) - share):
                deviations.append(result.add("gradient", gradient[place], float(expected)))
            if not max(deviations) <= TOLERANCE:
                raise Disagreement(
                    f"{info.name}: for the target {target} and blank={blank} value or gradient differ by "
                    f"{max(deviations):.1e} from the sum over all paths"
                )
        result.settings += 1
    return result


def check_reductions(info: LossInfo) -> list[ReductionRow]:
    """Compare every mode's value with the rule that the page states."""
    function = registry.function_of(info.name)
    arrays = batch()
    by_sample = function(*arrays, reduction="none")
    rows = []
    for mode in info.reductions:
        if mode == "none":
            continue
        divisors = {}
        for name, arguments in SITUATIONS.items():
            weight = arguments.get("sample_weight", np.ones(4)) * arguments.get("where", np.ones(4))
            terms = by_sample * weight / (np.maximum(arrays[3], 1) if mode != "sum" else 1)
            divisor = 1.0 if mode == "sum" else float(np.sum(arguments.get("where", np.ones(4))))
            if mode == "weighted_mean":
                divisor = float(weight.sum())
            reduced = function(*arrays, **arguments, reduction=mode)
            if not math.isclose(reduced * divisor, terms.sum(), rel_tol=1e-12):
                raise Disagreement(
                    f"{info.name}: reduction={mode!r}, {name}: {terms.sum():.17g} divided by {divisor:g} is not "
                    f"{reduced:.17g}"
                )
            divisors[name] = divisor
        empty = function(np.zeros((8, 0, 5)), np.zeros((0, 3), np.int64), [], [], reduction=mode)
        masked = function(*arrays, where=np.zeros(4, bool), reduction=mode)
        for what, value in (("empty", empty), ("masked", masked)):
            if not (value == 0.0 if mode == "sum" else math.isnan(value)):
                raise Disagreement(f"{info.name}: reduction={mode!r} of the {what} batch is {value}")
        rows.append(ReductionRow(mode, divisors, empty, masked))
    return rows


def messages_outside(info: LossInfo) -> list[str]:
    """Return what is raised for each input when it is out of range; the first has no range."""
    messages = [""]
    for place, position, value in ((1, (0, 1), 9), (2, (3,), 9), (3, (1,), 4)):
        arrays = batch()
        arrays[place][position] = value
        try:
            registry.function_of(info.name)(*arrays)
        except ValueError as error:
            messages.append(str(error))
        else:
            raise Disagreement(f"{info.name}: {value} in {info.input_names[place]} raises nothing")
    return messages


def run_equivalent(info: LossInfo, equivalent: Equivalent) -> EquivalentResult:
    """Evaluate the call in its package, if that is installed here, and compare the values."""
    arrays = batch()
    names = {letter: arrays[info.input_names.index(name)] for letter, name in info.symbols.items()}
    return evaluate_equivalent(info, equivalent, arrays, names)


EXAMINERS["ctc"] = examine
