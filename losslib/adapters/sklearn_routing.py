"""What scikit-learn asks of a scorer that takes sample weights and other metadata."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from sklearn.metrics import make_scorer

__all__ = ["RoutedScorer"]


class RoutedScorer:
    """A scorer whose metadata, those that its measure takes, are requested and routed as scikit-learn's own are."""

    def __init__(self, measure: Callable[..., float], *, larger_is_better: bool) -> None:
        # Carries the requests, which are of no concern to the score itself.
        self._requests = make_scorer(measure, greater_is_better=larger_is_better)

    def set_score_request(self, **requests: Any) -> Self:
        """Say which metadata are wanted, ``sample_weight`` among them, where metadata routing is enabled."""
        self._requests.set_score_request(**requests)
        return self

    def get_metadata_routing(self) -> Any:
        """Return what was requested."""
        return self._requests.get_metadata_routing()

    def _accept_sample_weight(self) -> bool:
        return True  # searches ask so where routing is not enabled
