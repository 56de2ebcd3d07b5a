"""The order of the arguments: losslib's is (input, target), the prediction first, also for names of other packages.

Keras, scikit-learn and others take the target first. A call that fails, and would not if its two arguments changed
places, is told so; so is one with the keywords of another package.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from losslib.call import arrays
from losslib.declaration.schema import LossInfo
from losslib.errors import DomainError

__all__ = ["add_hint", "keyword_hint"]

#: What other packages call the prediction and the target.
PREDICTION = ("y_pred", "predictions", "preds", "pred", "logits", "outputs", "y_score", "probas_pred")
TARGET = ("y_true", "labels", "label", "targets", "y")


def keyword_hint(info: LossInfo, given: Collection[str]) -> str:
    """Return what to say about a call without an input, if it was given under the name of another package."""
    if info.input_names != ("input", "target"):
        return ""
    words = [f"{name} is input" for name in PREDICTION if name in given]
    words += [f"{name} is target" for name in TARGET if name in given]
    return f": {', '.join(words)} here" if words else ""


def add_hint(info: LossInfo, values: Any, args: Sequence[Any], error: Exception) -> None:
    """Add to the message of a failed call that its first two arguments look exchanged, if they do."""
    if info.input_names != ("input", "target") or len(args) != 2:
        return
    if info.geometry == "pointwise" and not isinstance(error, DomainError):  # of an element, shapes say nothing
        return
    if _look_exchanged(info, values, *args):
        error.args = (
            f"{error}; the arguments look exchanged: losslib takes (input, target), the prediction first",
            *error.args[1:],
        )


def _look_exchanged(info: LossInfo, values: Any, first: Any, second: Any) -> bool:
    """True if the first argument could be the target and the second the input."""
    try:
        target, source = (np.asarray(arrays.to_numpy("input", obj)) for obj in (first, second))
        if not (target.size and source.size) or {target.dtype.kind, source.dtype.kind} - set("biuf"):
            return False
        if info.geometry == "pointwise":
            from losslib.geometries.base import domains_of  # loaded by now: a call has failed

            domains = domains_of(info, values)
            return (
                target.shape == source.shape
                and bool(domains[1].contains(target.astype(np.float64)).all())
                and bool(domains[0].contains(source.astype(np.float64)).all())
            )
        return source.dtype.kind == "f" and source.ndim == target.ndim + 1 and bool((target == np.floor(target)).all())
    except (TypeError, ValueError):
        return False
