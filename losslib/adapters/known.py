"""What a booster knows beside scores: labels, weights, the groups of its items, and bounds of censored times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib import geometries
from losslib._kernels.loss import Loss
from losslib.adapters import binding
from losslib.errors import ParameterError

__all__ = [
    "BOUNDED",
    "SIGNED",
    "Known",
    "compares_items",
    "inputs_of",
    "is_censored",
    "options_of",
    "options_of_groups",
    "require_one_score",
    "require_samples",
    "sample_weight_of",
    "times_of",
]

#: The inputs of losses of censored times, which a booster's label can tell: the sign of a time is its event.
SIGNED = ("input", "time", "event")
BOUNDED = ("input", "lower", "upper")


@dataclass(frozen=True)
class Known:
    """Labels and weights of samples; sizes of groups and bounds of times, where the booster has them."""

    target: np.ndarray
    weight: np.ndarray | None = None
    group_sizes: np.ndarray | None = None
    bounds: tuple[np.ndarray, np.ndarray] | None = None


def compares_items(loss: Loss) -> bool:
    """True if the loss compares the items of groups."""
    return bool(binding.info_of(loss).geometry == "lists")


def require_one_score(loss: Loss, owner: str) -> None:
    """Raise unless the loss compares one score a sample with what a booster's label can say."""
    if binding.info_of(loss).input_names not in (SIGNED, BOUNDED):
        binding.require_input_and_target(loss, owner)
    elif binding.info_of(loss).geometry not in ("risk", "comparable", "lifetimes"):
        raise ParameterError(
            f"{owner} needs a loss of one score; {binding.info_of(loss).name} takes a row for each sample"
        )


def require_samples(loss: Loss, owner: str) -> None:
    """Raise for a loss that compares samples with each other, where a booster hands on any part of them."""
    term = binding.first_term(loss)
    geometry = geometries.find(term.info.geometry)
    if compares_items(loss) or geometry.meets_all(term.info, term.parameters):
        raise ParameterError(
            f"{owner} hands a loss parts of the samples, without their groups; {binding.info_of(loss).name} looks at "
            f"{geometry.uncut}"
        )


def is_censored(loss: Loss) -> bool:
    """True if the loss compares scores with censored times."""
    return binding.info_of(loss).input_names in (SIGNED, BOUNDED)


def times_of(known: Known) -> tuple[np.ndarray, np.ndarray]:
    """Return times and events from labels whose sign is the event, or from bounds: no upper one is censored."""
    if known.bounds is not None:
        lower, upper = known.bounds
        return lower, np.isfinite(upper).astype(np.float64)
    return np.abs(known.target), (known.target > 0).astype(np.float64)


def inputs_of(loss: Loss, scores: np.ndarray, known: Known) -> tuple[np.ndarray, ...]:
    """Return the inputs of a loss of censored times from labels whose sign is the event, or from bounds."""
    names = binding.info_of(loss).input_names
    if names == BOUNDED and known.bounds is not None:
        return scores, *known.bounds
    time, happened = times_of(known)
    return (scores, time, happened) if names == SIGNED else (scores, time, np.where(happened, time, np.inf))


def options_of(loss: Loss, known: Known) -> dict[str, Any]:
    """Return the keywords of a call that say what the groups are."""
    return options_of_groups(known) if compares_items(loss) else {}


def options_of_groups(known: Known) -> dict[str, Any]:
    """Return the keywords that say what the groups are, where a booster knows them."""
    return {} if known.group_sizes is None else {"group_sizes": known.group_sizes}


def sample_weight_of(known: Known, samples: int) -> np.ndarray | None:
    """Return one weight for each sample; a booster may have one for each group."""
    weight, sizes = known.weight, known.group_sizes
    if weight is not None and sizes is not None and weight.shape != (samples,):
        return np.repeat(weight, np.asarray(sizes, np.int64))
    return weight
