"""A page about coming from each package whose names `losslib.get` knows; those without a page by hand are made here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from losslib.names.tables import PACKAGES, package
from losspages.catalogue.indexes import migration_table
from losspages.checks.equivalents import EquivalentResult
from losspages.checks.examine import PageFacts
from losspages.rst import heading

__all__ = ["contents", "packages_of_equivalents", "page", "to_generate"]

#: What a package is called where the tables of equivalents name it otherwise.
IMPORTED = {"tf": "tensorflow", "smp": "segmentation_models_pytorch", "pml": "pytorch_metric_learning"}


def to_generate(folder: Path) -> list[str]:
    """Return the packages that have no page by hand."""
    return [key for key in PACKAGES if not (folder / "migrate" / f"{key}.rst").exists()]


def packages_of_equivalents(key: str) -> str:
    """Return the name by which declarations speak of a package."""
    return IMPORTED.get(key, key)


def page(key: str, examined: Sequence[PageFacts], state: Callable[[EquivalentResult], str]) -> str:
    """Return the page of a package: what differs in general, its names, and calls that were executed."""
    found = package(key)
    order = (
        f"* Arguments come as {found.order} there; here the prediction is first, then the target."
        if found.order
        else "* The order of arguments is the same: prediction first, then the target."
    )
    parts = [
        f":orphan:\n\n.. _from-{key}:\n",
        heading(f"From {found.title}", "="),
        f"{order}\n"
        '* A reduced value is a Python ``float`` here, ``reduction="none"`` gives an array; the page of each '
        "loss says what the mean divides by.\n"
        "* There is no graph: ``value_and_grad`` gives value and gradient in one call.\n\n"
        f"Paste a name or a call into :doc:`/explain` to see what it is here.\n",
        heading("By name"),
        f"\n:py:func:`losslib.get` takes the names with ``{key}:`` before them and the parameters that they have there "
        f"(:doc:`/user/other_packages`).\n\n.. include:: /generated/names_{key}.inc\n",
    ]
    name = packages_of_equivalents(key)
    if any(result.equivalent.package == name for facts in examined for result in facts.equivalents):
        parts += [
            heading("Call by call"),
            "\n``x`` is the prediction, ``t`` the target.\n\n" + migration_table(name, list(examined), state),
        ]  # fmt: skip
    return "\n".join(parts)


def contents(keys: Sequence[str]) -> str:
    """Return the list of generated pages, for the page above them."""
    listed = "\n".join(f"   /generated/from_{key}" for key in keys)
    return f".. toctree::\n   :maxdepth: 1\n\n{listed}\n"
