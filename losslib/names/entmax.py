"""Names of ``entmax``: sparse probabilities; functions give one value a row, classes reduce."""

from __future__ import annotations

from losslib.names.schema import Binding, Case, Ignored, Package, Parameter, Reduces, Takes

__all__ = ["PACKAGE"]

REDUCED = {
    "ignore_index": Takes(-100),
    "reduction": Reduces("elementwise_mean", words={"elementwise_mean": "mean", "sum": "sum", "none": "none"}),
}


def both(cls: str, function: str, parameters: dict[str, Parameter], /, **sets: object) -> tuple[Binding, Binding]:
    """Bind the class and the function of a loss, whose defaults differ for what has no effect."""
    case = Case("entmax_loss", sets=sets)
    return Binding((cls,), (case,), {**parameters, **REDUCED}), Binding((function,), (case,), parameters)


PACKAGE = Package(
    "entmax",
    "entmax",
    (
        *both("Entmax15Loss", "entmax15_loss", {"k": Ignored(None)}, alpha=1.5),
        *both("SparsemaxLoss", "sparsemax_loss", {"k": Ignored(None)}, alpha=2.0),
        *both("EntmaxBisectLoss", "entmax_bisect_loss", {"alpha": Takes(1.5), "n_iter": Ignored(50)}),
        *both("SparsemaxBisectLoss", "sparsemax_bisect_loss", {"n_iter": Ignored(50)}, alpha=2.0),
    ),
    prefixes=("losses.", "entmax.losses.", "entmax."),
    order="(scores, classes)",
    notes=("``k`` and ``n_iter`` say how thresholds are searched for; here they are exact to rounding.",),
)
