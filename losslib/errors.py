"""The exceptions of losslib: each is a ``ValueError`` or a ``TypeError`` with a name of its own."""

__all__ = ["DTypeError", "DomainError", "ParameterError", "ShapeError"]


class ShapeError(ValueError):
    """The shapes of two arguments do not fit together."""


class DTypeError(TypeError):
    """An argument has a data type that the loss cannot read or write."""


class DomainError(ValueError):
    """An array holds a value outside the domain of the loss, such as a probability of 1.2."""


class ParameterError(ValueError):
    """A parameter of a loss is unknown, missing or outside its range."""
