"""What the comparison with the names of other packages has found, for the summary of the run."""

from __future__ import annotations

import importlib.metadata
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "Results"]

#: The distribution of a package, where it is called otherwise.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "tf": "tensorflow", "paddle": "paddlepaddle"}
DISTRIBUTIONS |= {
    "smp": "segmentation-models-pytorch",
    "pml": "pytorch-metric-learning",
    "open_clip": "open_clip_torch",
    "sksurv": "scikit-survival",
}


class Results:
    """Cases, largest deviations and refusals, by package."""

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = defaultdict(set)
        self.cases: dict[str, int] = defaultdict(int)
        self.value: dict[str, tuple[float, str]] = defaultdict(lambda: (0.0, ""))
        self.gradient: dict[str, tuple[float, str]] = defaultdict(lambda: (0.0, ""))
        #: Of each name: cases, largest deviations of value and gradient.
        self.each: dict[str, dict[str, tuple[int, float, float]]] = defaultdict(dict)
        self.refused: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    def compare(self, key: str, name: str, value: float, gradient: float) -> None:
        """Note a case and its deviations."""
        self.names[key].add(name)
        self.cases[key] += 1
        self.value[key] = max(self.value[key], (value, name))
        self.gradient[key] = max(self.gradient[key], (gradient, name))
        cases, *largest = self.each[key].get(name, (0, 0.0, 0.0))
        self.each[key][name] = (cases + 1, max(largest[0], value), max(largest[1], gradient))

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

    def write(self, path: Path) -> None:
        """Enter what was compared into the file that the pages read; packages that are missing stay as they are."""
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        for key, names in self.each.items():
            found[key] = {
                "version": importlib.metadata.version(DISTRIBUTIONS.get(key, key)),
                "names": {
                    name: [cases, float(f"{value:.1e}"), float(f"{gradient:.1e}")]
                    for name, (cases, value, gradient) in sorted(names.items())
                },
            }
        path.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")


RESULTS = Results()
