"""Names of ``scipy.special``: values of elements, without derivatives."""

from __future__ import annotations

from losslib.names.schema import REQUIRED, Binding, Case, Package, Takes

__all__ = ["PACKAGE"]

PACKAGE = Package(
    "scipy",
    "SciPy",
    (
        Binding(
            ("huber",),
            (Case("huber_loss", note="There it is huber(delta, input - target)."),),
            {"delta": Takes(REQUIRED)},
        ),
        Binding(
            ("pseudo_huber",),
            (Case("pseudo_huber_loss", note="There it is pseudo_huber(delta, input - target)."),),
            {"delta": Takes(REQUIRED)},
        ),
        Binding(("kl_div",), (Case("generalized_kl_div", note="There it is kl_div(target, input)."),)),
        Binding(
            ("rel_entr",),
            (Case("kl_div", log=("input",), note="There it is rel_entr(target, input)."),),
        ),
    ),
    prefixes=("special.", "scipy.special."),
    order="(target, input), or a parameter first",
    notes=("Functions of elements: ``reduction='none'``.",),
)
