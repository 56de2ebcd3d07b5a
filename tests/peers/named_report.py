"""What the comparison with the names of other packages has found, for the summary of the run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

__all__ = ["RESULTS", "Results"]


class Results:
    """Cases, largest deviations and refusals, by package."""

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = defaultdict(set)
        self.cases: dict[str, int] = defaultdict(int)
        self.value: dict[str, tuple[float, str]] = defaultdict(lambda: (0.0, ""))
        self.gradient: dict[str, tuple[float, str]] = defaultdict(lambda: (0.0, ""))
        self.refused: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    def compare(self, key: str, name: str, value: float, gradient: float) -> None:
        """Note a case and its deviations."""
        self.names[key].add(name)
        self.cases[key] += 1
        self.value[key] = max(self.value[key], (value, name))
        self.gradient[key] = max(self.gradient[key], (gradient, name))

    def refuse(self, key: str, name: str, reason: str) -> None:
        """Note a refusal by its reason, without the parameters."""
        self.refused[key][name].add(reason.partition("counterpart in losslib: ")[2] or reason)

    def lines(self) -> Iterator[str]:
        """Yield the summary."""
        for key in self.cases:
            value, gradient = self.value[key], self.gradient[key]
            yield (
                f"{key}: {len(self.names[key])} names, {self.cases[key]} cases, largest deviation of the value "
                f"{value[0]:.1e} ({value[1]}), of the gradient {gradient[0]:.1e} ({gradient[1]})"
            )
        for key, names in self.refused.items():
            for name, reasons in names.items():
                for reason in sorted(reasons):
                    yield f"{key}:{name} refused: {reason}"


RESULTS = Results()
