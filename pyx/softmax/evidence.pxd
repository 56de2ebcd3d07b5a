"""Rows of classes as evidence: alpha = evidence + 1 are the parameters of a Dirichlet distribution over probabilities.

As in ``softmax.rows`` a function takes one row in buffers and returns the value; e becomes the gradient.
"""

from libc.math cimport log as c_log

from blocks cimport real
from softmax.call cimport Rows, scale_of

cdef extern from "losslib/softmax/evidence.h" namespace "losslib" nogil:
    cppclass Evidence:
        double amount
        double slope
    Evidence evidence_of(double x, int kind)

cdef extern from "losslib/core/special.h" namespace "losslib" nogil:
    T log_gamma[T](T y)
    T digamma[T](T x)
    T trigamma[T](T x)

cdef enum Form:
    SQUARED = 0
    LOGARITHM = 1
    DIGAMMA = 2


cdef inline double row_evidential(const double* numbers, const Rows* rows, Py_ssize_t sample, real* x, real* t, real* e,
                                  real* q, real* h) noexcept nogil:
    """The error under the Dirichlet distribution, and the divergence of its misleading part from ignorance."""
    cdef Py_ssize_t c, n = rows.classes
    cdef int form = <int>numbers[0], kind = <int>numbers[1]
    cdef double kl_weight = numbers[2], scale = scale_of(rows, sample)
    cdef double total = 0.0, misleading = 0.0, value = 0.0, common = 0.0, kl = 0.0, excesses = 0.0
    cdef double alpha, tilde, share, slope, y
    cdef Evidence evidence
    for c in range(n):
        evidence = evidence_of(<double>x[c], kind)
        total += evidence.amount + 1.0
        misleading += <double>t[c] + (1.0 - <double>t[c]) * (evidence.amount + 1.0)
    # What every class adds, and the part of the slope by the total: d/dalpha_c = own_c + common.
    for c in range(n):
        alpha = evidence_of(<double>x[c], kind).amount + 1.0
        y = <double>t[c]
        if form == SQUARED:
            share = alpha / total
            value += (y - share) * (y - share) + share * (1.0 - share) / (total + 1.0)
            slope = -2.0 * (y - share) + (1.0 - 2.0 * share) / (total + 1.0)      # by the share alpha/total
            common -= slope * share / total + share * (1.0 - share) / ((total + 1.0) * (total + 1.0))
        elif y != 0.0:
            if form == LOGARITHM:
                value += y * (c_log(total) - c_log(alpha))
                common += y / total
            else:
                value += y * (digamma(total) - digamma(alpha))
                common += y * trigamma(total)
        tilde = y + (1.0 - y) * alpha
        if kl_weight != 0.0:
            kl += (tilde - 1.0) * (digamma(tilde) - digamma(misleading)) - log_gamma(tilde)
            excesses += tilde - 1.0
    if kl_weight != 0.0:
        kl += log_gamma(misleading) - log_gamma(<double>n)
        value += kl_weight * (kl if not kl < 0.0 else 0.0)      # by rounding: a divergence is not below 0
    for c in range(n):
        evidence = evidence_of(<double>x[c], kind)
        alpha = evidence.amount + 1.0
        y = <double>t[c]
        share = alpha / total
        slope = common
        if form == SQUARED:
            slope += (-2.0 * (y - share) + (1.0 - 2.0 * share) / (total + 1.0)) / total
        elif form == LOGARITHM:
            slope -= y / alpha
        else:
            slope -= y * trigamma(alpha)
        if kl_weight != 0.0:
            tilde = y + (1.0 - y) * alpha
            slope += kl_weight * (1.0 - y) * ((tilde - 1.0) * trigamma(tilde) - excesses * trigamma(misleading))
        e[c] = <real>(slope * evidence.slope * scale)
    return value
