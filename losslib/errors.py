"""The exceptions of losslib: each is a ``ValueError`` or a ``TypeError`` with a name of its own."""

from __future__ import annotations

__all__ = ["DTypeError", "DomainError", "FormulaError", "ParameterError", "ShapeError"]


class ShapeError(ValueError):
    """The shapes of two arguments do not fit together."""


class DTypeError(TypeError):
    """An argument has a data type that the loss cannot read or write."""


class DomainError(ValueError):
    """An array holds a value outside the domain of the loss, such as a probability of 1.2."""


class ParameterError(ValueError):
    """A parameter of a loss is unknown, missing or outside its range."""


class FormulaError(ParameterError):
    """A formula cannot be read; the message shows the place.

    Attributes
    ----------
    formula : str
        The text.
    start, stop : int or None
        The columns that the message is about, if it is about a place.
    """

    def __init__(self, message: str, formula: str = "", start: int | None = None, stop: int | None = None) -> None:
        self.message, self.formula, self.start, self.stop = message, formula, start, stop
        super().__init__(message if start is None else f"{message}\n{_pointed(formula, start, stop or start + 1)}")

    def __reduce__(self) -> tuple[type[FormulaError], tuple[str, str, int | None, int | None]]:
        return type(self), (self.message, self.formula, self.start, self.stop)


#: Characters of a formula that are shown on either side of a place.
_AROUND = 40


def _pointed(formula: str, start: int, stop: int) -> str:
    """Return the part of a formula around a place, with carets below it."""
    first, last = max(0, start - _AROUND), min(len(formula), max(stop, start + 1) + _AROUND)
    stop = min(max(stop, start + 1), last)
    before, after = "..." if first else "", "..." if last < len(formula) else ""
    line = "".join(letter if letter.isprintable() else " " for letter in formula[first:last])
    carets = "^" * min(stop - start, 2 * _AROUND)
    return f"    {before}{line}{after}\n    {' ' * (len(before) + start - first)}{carets}"
