"""Divergences of the softmax of two rows of logits: Jensen-Shannon and distillation."""

from libc.math cimport log as c_log
from libc.math cimport log1p as c_log1p

from blocks cimport combine, real
from softmax.call cimport Rows, scale_of
from softmax.reduce cimport row_exp, row_max

cdef extern from "losslib/simd/lanes.h" namespace "losslib" nogil:
    cppclass SixteenSums:
        void add[T](const T* source)
        void store(double* lane)

cdef extern from "losslib/softmax/divergence.h" namespace "losslib" nogil:
    T exp[T](T x)
    cppclass DivergenceTerm[T]:
        T value
        T slope
        T excess
    cppclass DivergenceOfTarget:
        double curvature()
        DivergenceTerm[T] at[T](T p, T y, T d)
    cppclass DivergenceOfInput:
        double curvature()
        DivergenceTerm[T] at[T](T p, T y, T d)
    cppclass DivergenceOfBoth:
        double beta
        double curvature()
        DivergenceTerm[T] at[T](T p, T y, T d)

ctypedef fused AnyDivergence:
    DivergenceOfTarget
    DivergenceOfInput
    DivergenceOfBoth


cdef inline double softmax_sum(const real* x, real largest, double inverse, real* e, Py_ssize_t n) noexcept nogil:
    """e = exp((x - largest) inverse), return the sum."""
    cdef Py_ssize_t c
    if inverse == 1.0:
        return row_exp(x, largest, e, n).sum
    for c in range(n):
        e[c] = <real>((<double>x[c] - <double>largest) * inverse)
    return row_exp(<const real*>e, <real>0, e, n).sum


cdef inline double sum_of(SixteenSums& sums) noexcept nogil:
    cdef double[16] lane
    sums.store(lane)
    return combine(lane)


cdef inline void divergence_terms(AnyDivergence given, real* e, real* q, const real* d, real factor_e, real factor_q,
                                  real* value, real* excess) noexcept nogil:
    """Sixteen classes: e and q are probabilities times factors; p is left in e, the slope in q."""
    cdef AnyDivergence loss = given
    cdef DivergenceTerm[real] term
    cdef int k
    for k in range(16):
        e[k] = e[k] * factor_e
        term = loss.at(e[k], q[k] * factor_q, d[k])
        value[k] = term.value
        q[k] = term.slope
        excess[k] = term.excess


cdef inline double far_divergence(AnyDivergence given, const real* x, const real* t, real mx, real mt, double inverse,
                                  double sum_x, double sum_t, Py_ssize_t n) noexcept nogil:
    """The value where terms leave the range of the row's type."""
    cdef AnyDivergence loss = given
    cdef double total = 0.0, u, v, offset = c_log(sum_x) - c_log(sum_t)
    cdef Py_ssize_t c
    for c in range(n):
        u = (<double>x[c] - <double>mx) * inverse
        v = (<double>t[c] - <double>mt) * inverse
        total += loss.at(exp(u) / sum_x, exp(v) / sum_t, (u - v) - offset).value
    return total


cdef inline double divergence_of(AnyDivergence given, const Rows* rows, double inverse, double factor, real* x, real* t,
                                 real* e, real* q) noexcept nogil:
    """Divergence of softmax(x inverse) from softmax(t inverse); e becomes its gradient by x inverse, times `factor`.

    Differences d of log-probabilities are taken in float64 before they are rounded: in equal rows nothing else is left
    of them. All the rest has the type of the row, sixteen classes at a time; what is behind the row is 0 everywhere.
    """
    cdef AnyDivergence loss = given
    cdef Py_ssize_t start = 0, c, n = rows.classes
    cdef real[16] d, value, excess
    cdef SixteenSums values, slopes, excesses
    cdef real mx = row_max(x, n), mt = row_max(t, n), factor_e, factor_q
    cdef double sum_x = softmax_sum(<const real*>x, mx, inverse, e, n)
    cdef double sum_t = softmax_sum(<const real*>t, mt, inverse, q, n)
    cdef double offset = c_log(sum_x) - c_log(sum_t), total, expected, rest
    cdef double high = <double>mx, low = <double>mt
    cdef int k
    factor_e = <real>(1.0 / sum_x)
    factor_q = <real>(1.0 / sum_t)
    for c in range(n, (n + 15) // 16 * 16):
        x[c] = mx
        t[c] = mt
        e[c] = 0
        q[c] = 0
    while start < n:
        for k in range(16):
            d[k] = <real>(((<double>x[start + k] - high) - (<double>t[start + k] - low)) * inverse - offset)
        divergence_terms(loss, e + start, q + start, d, factor_e, factor_q, value, excess)
        values.add(<const real*>value)
        slopes.add(<const real*>(q + start))
        excesses.add(<const real*>excess)
        start += 16
    rest = sum_of(excesses)
    expected = sum_of(slopes)
    total = sum_of(values) - loss.curvature() * (rest - c_log1p(rest))
    if total > 1e37 and real is float:
        total = far_divergence(loss, <const real*>x, <const real*>t, mx, mt, inverse, sum_x, sum_t, n)
    for c in range(n):
        e[c] = <real>((<double>q[c] - <double>e[c] * expected) * factor)
    return 0.0 if total < 0.0 else total


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
