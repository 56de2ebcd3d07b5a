"""Losses of two classes, and of signs: ``include/losslib/pointwise/binary.h``."""

cdef extern from "losslib/pointwise/binary.h" namespace "losslib" nogil:
    cppclass BinaryCrossEntropy
    cppclass BinaryCrossEntropyLogits
    cppclass BinaryCrossEntropyLogitsPosWeight
    cppclass WeightedBinaryCrossEntropy
    cppclass BinaryFocal
    cppclass BinaryFocalWhole
    cppclass QualityFocal
    cppclass Varifocal
    cppclass GaussianFocal
    cppclass SigmoidFocal
    cppclass SigmoidFocalWhole
    cppclass SoftMargin
    cppclass Hinge
    cppclass SquaredHinge
    cppclass Exponential
    cppclass ModifiedHuber
    cppclass BinarySparsemax
    cppclass AsymmetricLoss
    cppclass AsymmetricLossWhole
    cppclass HingeEmbedding
    cppclass MarginRanking

ctypedef fused Loss:
    BinaryCrossEntropy
    BinaryCrossEntropyLogits
    BinaryCrossEntropyLogitsPosWeight
    WeightedBinaryCrossEntropy
    BinaryFocal
    BinaryFocalWhole
    SigmoidFocal
    SigmoidFocalWhole
    QualityFocal
    Varifocal
    GaussianFocal
    SoftMargin
    Hinge
    SquaredHinge
    Exponential
    ModifiedHuber
    BinarySparsemax
    AsymmetricLoss
    AsymmetricLossWhole
    HingeEmbedding
    MarginRanking

include "kernels.pxi"

register[BinaryCrossEntropy](NULL, b"BinaryCrossEntropy", 1.7)
register[BinaryCrossEntropyLogits](NULL, b"BinaryCrossEntropyLogits", 1.3)
register[BinaryCrossEntropyLogitsPosWeight](NULL, b"BinaryCrossEntropyLogitsPosWeight", 1.9)
register[WeightedBinaryCrossEntropy](NULL, b"WeightedBinaryCrossEntropy", 1.7)
register[BinaryFocal](NULL, b"BinaryFocal", 6.3)
register[BinaryFocalWhole](NULL, b"BinaryFocalWhole", 2.6)
register[SigmoidFocal](NULL, b"SigmoidFocal", 6.5)
register[SigmoidFocalWhole](NULL, b"SigmoidFocalWhole", 2.0)
register[QualityFocal](NULL, b"QualityFocal", 9.0)
register[Varifocal](NULL, b"Varifocal", 4.0)
register[GaussianFocal](NULL, b"GaussianFocal", 6.0)
register[SoftMargin](NULL, b"SoftMargin", 1.3)
register[Hinge](NULL, b"Hinge", 0.3)
register[SquaredHinge](NULL, b"SquaredHinge", 0.3)
register[Exponential](NULL, b"Exponential", 0.8)
register[ModifiedHuber](NULL, b"ModifiedHuber", 0.3)
register[BinarySparsemax](NULL, b"BinarySparsemax", 0.5)
register[AsymmetricLoss](NULL, b"AsymmetricLoss", 12.1)
register[AsymmetricLossWhole](NULL, b"AsymmetricLossWhole", 4.4)
register[HingeEmbedding](NULL, b"HingeEmbedding", 0.5)
register[MarginRanking](NULL, b"MarginRanking", 0.4)
