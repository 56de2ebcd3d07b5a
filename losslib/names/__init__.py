"""Names of other packages: ``get("keras:BinaryCrossentropy", from_logits=True)`` means what it means there.

One module a package holds its table, data only: the package's spellings, parameters and defaults, and the losslib
objects with the same numbers (`losslib.names.schema`). `losslib.names.binding` turns a name and parameters into a loss,
`losslib.names.plain` decides about names without a package. Nothing here is imported until a name asks for it.
"""

from __future__ import annotations

from losslib.names.tables import PACKAGES, is_qualified

__all__ = ["PACKAGES", "is_qualified"]
