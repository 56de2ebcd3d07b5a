"""Losses of the error, and of the error relative to the target: ``include/losslib/pointwise/regression.h``."""

cdef extern from "losslib/pointwise/regression.h" namespace "losslib" nogil:
    cppclass AbsoluteError
    cppclass SquaredError
    cppclass HalfSquaredError
    cppclass BiasError
    cppclass Huber
    cppclass SmoothL1
    cppclass PseudoHuber
    cppclass LogCoshError
    cppclass Quantile
    cppclass Expectile
    cppclass EpsilonInsensitive
    cppclass SquaredEpsilonInsensitive
    cppclass AbsolutePercentageError
    cppclass SymmetricAbsolutePercentageError
    cppclass SquaredLogarithmicError
    cppclass Lq
    cppclass Fair
    cppclass Wing

ctypedef fused Loss:
    AbsoluteError
    SquaredError
    HalfSquaredError
    BiasError
    Huber
    SmoothL1
    PseudoHuber
    LogCoshError
    Quantile
    Expectile
    EpsilonInsensitive
    SquaredEpsilonInsensitive
    AbsolutePercentageError
    SymmetricAbsolutePercentageError
    SquaredLogarithmicError
    Lq
    Fair
    Wing

include "kernels.pxi"

register[AbsoluteError](NULL, b"AbsoluteError", 0.3)
register[SquaredError](NULL, b"SquaredError", 0.3)
register[HalfSquaredError](NULL, b"HalfSquaredError", 0.3)
register[BiasError](NULL, b"BiasError", 0.3)
register[Huber](NULL, b"Huber", 0.4)
register[SmoothL1](NULL, b"SmoothL1", 0.3)
register[PseudoHuber](NULL, b"PseudoHuber", 1.0)
register[LogCoshError](NULL, b"LogCoshError", 1.7)
register[Quantile](NULL, b"Quantile", 0.4)
register[Expectile](NULL, b"Expectile", 0.3)
register[EpsilonInsensitive](NULL, b"EpsilonInsensitive", 0.4)
register[SquaredEpsilonInsensitive](NULL, b"SquaredEpsilonInsensitive", 0.4)
register[AbsolutePercentageError](NULL, b"AbsolutePercentageError", 0.4)
register[SymmetricAbsolutePercentageError](NULL, b"SymmetricAbsolutePercentageError", 0.7)
register[SquaredLogarithmicError](NULL, b"SquaredLogarithmicError", 2.3)
register[Lq](NULL, b"Lq", 4.9)
register[Fair](NULL, b"Fair", 1.3)
register[Wing](NULL, b"Wing", 1.5)
