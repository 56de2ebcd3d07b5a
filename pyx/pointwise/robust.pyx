"""Losses that outliers leave cold: ``include/losslib/pointwise/robust.h``."""

cdef extern from "losslib/pointwise/robust.h" namespace "losslib" nogil:
    cppclass Charbonnier
    cppclass Cauchy
    cppclass Welsch
    cppclass GemanMcClure
    cppclass TukeyBiweight
    cppclass Barron
    cppclass BarronQuadratic

ctypedef fused Loss:
    Charbonnier
    Cauchy
    Welsch
    GemanMcClure
    TukeyBiweight
    Barron
    BarronQuadratic

include "kernels.pxi"

register[Charbonnier](NULL, b"Charbonnier", 1.0)
register[Cauchy](NULL, b"Cauchy", 1.5)
register[Welsch](NULL, b"Welsch", 1.4)
register[GemanMcClure](NULL, b"GemanMcClure", 0.5)
register[TukeyBiweight](NULL, b"TukeyBiweight", 0.4)
register[Barron](NULL, b"Barron", 4.6)
register[BarronQuadratic](NULL, b"BarronQuadratic", 0.3)
