"""The declarations, a file for each family; a family is imported when one of its losses is used.

`MODULES` is the order of the documentation. ``losslib/declaration/index.py``, which ``tools/stubs.py`` writes, says
which of them declares which names.
"""

from __future__ import annotations

__all__ = ["MODULES"]

MODULES = (
    "regression",
    "robust",
    "likelihood",
    "binary",
    "binary_margin",
    "multiclass",
    "divergence",
    "class_shifts",
    "class_evidence",
    "multiclass_margin",
    "ordinal",
    "embedding",
    "vocabulary",
    "vocabulary_structured",
    "contrast_views",
    "contrast_labels",
    "sequence",
    "segmentation",
    "boxes",
    "detection",
    "ranking",
    "ranking_lists",
    "ranking_area",
    "survival",
    "survival_order",
)
