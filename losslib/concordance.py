"""How often the order of risk scores is that of the events: the concordance index, a metric without a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from losslib import _kernels
from losslib.call import arrays
from losslib.declaration.schema import Flag, Real
from losslib.errors import DomainError, ShapeError
from losslib.geometries.censoring import order_by_number, order_by_time, partners_of, read_numbers
from losslib.geometries.kaplan_meier import estimate_censoring, read_training

__all__ = ["concordance_index"]

if TYPE_CHECKING:
    from losslib._kernels.baseline import risk as _driver
else:
    _driver = _kernels.load("risk")

IPCW = Flag("ipcw", False, "")
TAU = Real("tau", None, "", also=(float("inf"),), optional=True)
TIED_TOL = Real("tied_tol", 1e-8, "", least=0.0)


def concordance_index(
    input: Any,
    time: Any,
    event: Any,
    *,
    ipcw: bool = False,
    tau: float | None = None,
    tied_tol: float = 1e-8,
    train_time: Any = None,
    train_event: Any = None,
    sample_weight: Any = None,
    where: Any = None,
) -> float:
    """Return the share of comparable pairs in which the earlier event has the higher score; equal scores count half.

    Parameters
    ----------
    input : array_like
        Risk score of each sample, N numbers; larger dies earlier.
    time : array_like
        Time at which each sample's observation ends.
    event : array_like
        1 if the event came then, 0 if the sample was censored.
    ipcw : bool, default False
        Weigh the pairs of an event by the inverse square of the probability to be uncensored at its time: Uno's index.
    tau : float, optional
        Only events before this time count.
    tied_tol : float, default 1e-8
        Scores that differ by no more are equal.
    train_time, train_event : array_like, optional
        What the censoring is estimated from; None for `time` and `event` themselves.
    sample_weight : array_like, optional
        Weight of the pairs of each event.
    where : array_like of bool, optional
        Samples to count.

    Returns
    -------
    float
        From 0 to 1; 0.5 for scores that know nothing, NaN if no two samples are comparable.

    Raises
    ------
    ShapeError, DTypeError
        If arguments do not fit together.
    DomainError
        If a time or score is NaN, an event neither 0 nor 1, or a weight negative or NaN.
    ParameterError
        If another argument is of the wrong kind.

    See Also
    --------
    survival_rank_loss : The same pairs with a gradient.

    Notes
    -----
    An event is comparable with all samples that are observed longer, and with those that are censored at its time; two
    events at one time are not comparable. One sort by time and counts in a tree over the ranks of the scores: N log N.

    Examples
    --------
    >>> import losslib
    >>> losslib.concordance_index([2.0, 0.0, 1.0], [1.0, 2.0, 3.0], [1, 1, 0])
    0.6666666666666666
    """
    by_censoring, last, tolerance = IPCW.check(ipcw), TAU.check(tau), TIED_TOL.check(tied_tol)
    assert tolerance is not None
    known = read_training("concordance_index", train_time, train_event, check=True)
    scores = arrays.read_array("input", input)
    if scores.ndim != 1:
        raise ShapeError(f"input has shape {scores.shape}, expected (N,): one score for each sample")
    score = scores.astype(np.float64)
    at, happened = (read_numbers(name, obj, "input", score.shape) for name, obj in (("time", time), ("event", event)))
    mask = None if where is None else arrays.broadcast_to("where", arrays.read_mask(where), score.shape, "the samples")
    require_sortable(score, at, happened, mask)
    order = order_by_time(at, happened != 0, mask)
    score, at, dead = score[order], at[order], happened[order] != 0
    weight = dead.astype(np.float64)
    if last is not None:
        weight[at >= last] = 0.0
    if sample_weight is not None:
        given = read_numbers("sample_weight", sample_weight, "input", scores.shape)
        arrays.require_weights("concordance_index", given, mask)
        weight *= given[order]
    if by_censoring and len(order):
        weight *= estimate_censoring(*(known or (at, dead))).inverse_at(at) ** 2
    partners = partners_of(at, dead)
    concordant, tied = count(score, dead, partners, tolerance)
    pairs = float(weight @ (len(order) - partners))
    return float(weight @ (concordant + 0.5 * tied)) / pairs if pairs > 0 else float("nan")


def require_sortable(score: np.ndarray, time: np.ndarray, event: np.ndarray, mask: np.ndarray | None) -> None:
    """Raise ``DomainError`` for the first number of a sample that counts and cannot be compared."""
    checks = (
        ("input", score, np.isnan(score)),
        ("time", time, np.isnan(time)),
        ("event", event, ~np.isin(event, (0, 1))),
    )
    for name, array, bad in checks:
        wrong = bad if mask is None else bad & mask
        if wrong.any():
            place, value = arrays.first(wrong, array)
            expected = "labels 0 or 1" if name == "event" else "numbers that can be sorted"
            raise DomainError(f"{name}{place} is {float(value):g}; concordance_index takes {expected}")


def count(score: np.ndarray, event: np.ndarray, partners: np.ndarray, tied_tol: float) -> tuple[np.ndarray, np.ndarray]:
    """Return for each event how many of those comparable with it have lower scores, and how many tied ones."""
    by_score = order_by_number(score)
    ranked = score[by_score]
    place = np.empty(len(score), np.int64)
    place[by_score] = np.arange(len(score))
    lower, upper = np.empty(len(score), np.int64), np.empty(len(score), np.int64)
    lower[by_score] = np.searchsorted(ranked, ranked - tied_tol, side="left")
    upper[by_score] = np.searchsorted(ranked, ranked + tied_tol, side="right")
    concordant, tied = np.empty(len(score), np.int64), np.empty(len(score), np.int64)
    _driver.count_concordant(partners, event.astype(np.uint8), place, lower, upper, concordant=concordant, tied=tied)
    return concordant, tied
