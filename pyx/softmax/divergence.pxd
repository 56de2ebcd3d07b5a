"""Divergences of the softmax of two rows of logits: Jensen-Shannon and distillation."""

from libc.math cimport log as c_log

from blocks cimport real, sum_block
from softmax.call cimport Rows, scale_of
from softmax.reduce cimport row_max

cdef extern from "losslib/softmax/divergence.h" namespace "losslib" nogil:
    T exp[T](T x)
    cppclass DivergenceTerm[T]:
        T value
        T slope
        T even
    cppclass DivergenceOfTarget:
        DivergenceTerm[T] at[T](T p, T y, T d)
    cppclass DivergenceOfInput:
        DivergenceTerm[T] at[T](T p, T y, T d)
    cppclass DivergenceOfBoth:
        double beta
        DivergenceTerm[T] at[T](T p, T y, T d)

ctypedef fused AnyDivergence:
    DivergenceOfTarget
    DivergenceOfInput
    DivergenceOfBoth

cdef enum:
    BLOCK = 256    # classes that are in local buffers together


cdef inline double log_sum_of(const real* x, real m, double inverse, real* e, Py_ssize_t n) noexcept nogil:
    """log sum exp((x - m) inverse), and the exponentials over their sum to e; computed in float64."""
    cdef double[BLOCK] terms
    cdef double total = 0.0, factor
    cdef Py_ssize_t start = 0, c, length
    while start < n:
        length = min(<Py_ssize_t>BLOCK, n - start)
        for c in range(length):
            terms[c] = exp((<double>x[start + c] - <double>m) * inverse)
        total += sum_block(<const double*>terms, length)
        for c in range(length):
            e[start + c] = <real>terms[c]
        start += length
    factor = 1.0 / total
    for c in range(n):
        e[c] = <real>(<double>e[c] * factor)
    return c_log(total)


cdef inline void divergence_terms(AnyDivergence given, const real* p, const real* y, const double* d, double* value,
                                  double* slope, double* even, Py_ssize_t n) noexcept nogil:
    cdef AnyDivergence loss = given
    cdef DivergenceTerm[double] term
    cdef Py_ssize_t c
    for c in range(n):
        term = loss.at(<double>p[c], <double>y[c], d[c])
        value[c] = term.value
        slope[c] = term.slope
        even[c] = term.even


cdef inline double divergence_of(AnyDivergence given, const Rows* rows, double inverse, double factor, real* x, real* t,
                                 real* e, real* q) noexcept nogil:
    """Divergence of softmax(x inverse) from softmax(t inverse); e becomes its gradient by x inverse, times `factor`."""
    cdef Py_ssize_t start = 0, c, length, n = rows.classes
    cdef double[BLOCK] d, value, slope, even
    cdef double total = 0.0, expected = 0.0, offset
    cdef real mx = row_max(x, n), mt = row_max(t, n)
    offset = log_sum_of(x, mx, inverse, e, n) - log_sum_of(t, mt, inverse, q, n)
    while start < n:
        length = min(<Py_ssize_t>BLOCK, n - start)
        for c in range(length):
            d[c] = ((<double>x[start + c] - <double>mx) - (<double>t[start + c] - <double>mt)) * inverse - offset
        divergence_terms(given, e + start, q + start, d, value, slope, even, length)
        total += sum_block(<const double*>value, length)
        expected += sum_block(<const double*>even, length)
        for c in range(length):
            q[start + c] = <real>slope[c]
        start += length
    for c in range(n):
        e[c] = <real>((<double>q[c] - <double>e[c] * expected) * factor)
    return total


cdef inline double row_jensen_shannon(const DivergenceOfBoth* loss, const Rows* rows, Py_ssize_t sample, real* x,
                                      real* t, real* e, real* q, real* h) noexcept nogil:
    cdef DivergenceOfTarget of_target
    cdef DivergenceOfInput of_input
    cdef double scale = scale_of(rows, sample)
    if loss.beta == 0.0:
        return divergence_of(of_target, rows, 1.0, scale, x, t, e, q)
    if loss.beta == 1.0:
        return divergence_of(of_input, rows, 1.0, scale, x, t, e, q)
    return divergence_of(loss[0], rows, 1.0, scale, x, t, e, q)


cdef inline double row_distillation(const double* temperature, const Rows* rows, Py_ssize_t sample, real* x, real* t,
                                    real* e, real* q, real* h) noexcept nogil:
    """The divergence from the target at a temperature, times its square; of the gradient one factor is left."""
    cdef DivergenceOfTarget loss
    cdef double heat = temperature[0]
    return heat * heat * divergence_of(loss, rows, 1.0 / heat, scale_of(rows, sample) * heat, x, t, e, q)
