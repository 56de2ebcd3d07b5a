"""Negative log-likelihoods and divergences: ``include/losslib/pointwise/likelihood.h``."""

cdef extern from "losslib/pointwise/likelihood.h" namespace "losslib" nogil:
    cppclass PoissonLog
    cppclass PoissonLogFull
    cppclass PoissonIdentity
    cppclass PoissonIdentityFull
    cppclass Gaussian
    cppclass GammaLog
    cppclass GammaIdentity
    cppclass TweedieLog
    cppclass TweedieIdentity
    cppclass HalfSquaredErrorLog
    cppclass Laplace
    cppclass StudentT
    cppclass NegativeBinomialLog
    cppclass NegativeBinomialLogFull
    cppclass NegativeBinomialIdentity
    cppclass NegativeBinomialIdentityFull
    cppclass KLDivergence
    cppclass KLDivergenceLogTarget
    cppclass GeneralizedKL

ctypedef fused Loss:
    PoissonLog
    PoissonLogFull
    PoissonIdentity
    PoissonIdentityFull
    Gaussian
    GammaLog
    GammaIdentity
    TweedieLog
    TweedieIdentity
    HalfSquaredErrorLog
    Laplace
    StudentT
    NegativeBinomialLog
    NegativeBinomialLogFull
    NegativeBinomialIdentity
    NegativeBinomialIdentityFull
    KLDivergence
    KLDivergenceLogTarget
    GeneralizedKL

include "kernels.pxi"

register[PoissonLog](NULL, b"PoissonLog", 0.9)
register[PoissonLogFull](NULL, b"PoissonLogFull", 2.2)
register[PoissonIdentity](NULL, b"PoissonIdentity", 1.3)
register[PoissonIdentityFull](NULL, b"PoissonIdentityFull", 2.7)
register[Gaussian](NULL, b"Gaussian", 1.0)
register[GammaLog](NULL, b"GammaLog", 0.7)
register[GammaIdentity](NULL, b"GammaIdentity", 1.1)
register[TweedieLog](NULL, b"TweedieLog", 1.6)
register[TweedieIdentity](NULL, b"TweedieIdentity", 3.9)
register[HalfSquaredErrorLog](NULL, b"HalfSquaredErrorLog", 0.8)
register[Laplace](NULL, b"Laplace", 1.5)
register[StudentT](NULL, b"StudentT", 1.6)
register[NegativeBinomialLog](NULL, b"NegativeBinomialLog", 2.9)
register[NegativeBinomialLogFull](NULL, b"NegativeBinomialLogFull", 9.8)
register[NegativeBinomialIdentity](NULL, b"NegativeBinomialIdentity", 2.5)
register[NegativeBinomialIdentityFull](NULL, b"NegativeBinomialIdentityFull", 8.7)
register[KLDivergence](NULL, b"KLDivergence", 0.9)
register[KLDivergenceLogTarget](NULL, b"KLDivergenceLogTarget", 0.9)
register[GeneralizedKL](NULL, b"GeneralizedKL", 1.6)
