"""What a call asks for, and how the values of a loss are reduced."""

cdef enum Mode:
    VALUE = 0
    GRAD = 1
    VALUE_AND_GRAD = 2
    VALUE_GRAD_AND_HESS = 3

cdef enum Reduction:    # batchmean and weighted_mean are answered in losslib.call.answer
    MEAN = 0
    SUM = 1
    NONE = 2
