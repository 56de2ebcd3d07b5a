"""Rows of classes with a distribution as target: losses of the softmax.

Each function takes one row in buffers of the type that is computed in: logits x, target t, and scratch. It returns the
value; e becomes the gradient, h the Hessian, t the gradient of the target. What is left in x means nothing.
"""

from libc.math cimport log as c_log
from libc.string cimport memcpy

from blocks cimport real, sum_block
from softmax.call cimport Rows, scale_of
from softmax.by_class cimport hessian_row
from softmax.pick cimport AnyPick, CrossEntropyPick, Picked, SymmetricPick
from softmax.reduce cimport row_dot, row_exp, row_max

cdef extern from "losslib/softmax/softmax.h" namespace "losslib" nogil:
    T product_or_zero[T](T coefficient, T factor)
    T reverse_cost[T](T t)


cdef struct Softmax:
    double largest         # logit
    double sum             # of exp(x - largest)
    double log_sum


cdef inline Softmax softmax_of(const Rows* rows, const real* x, real* t, real* e, real* q) noexcept nogil:
    """t becomes the smoothed target, q that times the class weights, e = exp(x - largest).

    In floating point the log-probability is (x - largest) - log(sum): two terms of one sign, each accurate.
    """
    cdef Softmax softmax
    cdef Py_ssize_t c, n = rows.classes
    cdef real keep = <real>(1.0 - rows.smoothing), rest = <real>(rows.smoothing / <double>n)
    cdef real m
    for c in range(n):
        t[c] = t[c] * keep + rest
    if rows.class_weight != NULL:
        for c in range(n):
            q[c] = t[c] * <real>rows.class_weight[c]
    else:
        memcpy(q, t, n * sizeof(real))
    m = row_max(x, n)
    softmax.largest = <double>m
    softmax.sum = row_exp(x, m, e, n).sum
    softmax.log_sum = c_log(softmax.sum)
    return softmax


cdef inline double row_cross_entropy(const CrossEntropyPick* loss, const Rows* rows, Py_ssize_t sample, real* x,
                                     real* t, real* e, real* q, real* h) noexcept nogil:
    cdef Softmax softmax = softmax_of(rows, x, t, e, q)
    cdef Py_ssize_t c, n = rows.classes
    cdef double mass = sum_block(q, n), part = mass, scale = scale_of(rows, sample), lse, value
    cdef real keep = <real>(1.0 - rows.smoothing), m = <real>softmax.largest, logarithm = <real>softmax.log_sum
    cdef real factor, w
    # A zero target makes its term zero, also where a logit is -inf.
    value = mass * softmax.log_sum - row_dot(q, x, m, h, n)
    if rows.z_loss > 0.0:
        lse = softmax.largest + softmax.log_sum
        value += rows.z_loss * lse * lse
        part += 2.0 * rows.z_loss * lse
    if rows.want_hess:
        hessian_row(e, softmax.sum, part, rows.z_loss, scale, h, n)
    if rows.want_target:
        for c in range(n):
            w = keep * <real>scale if rows.class_weight == NULL else keep * <real>(scale * rows.class_weight[c])
            t[c] = w * (logarithm - (x[c] - m))
    factor = <real>(part * scale / softmax.sum)
    w = <real>scale
    for c in range(n):
        e[c] = e[c] * factor - q[c] * w
    return value


cdef inline double row_symmetric(const SymmetricPick* loss, const Rows* rows, Py_ssize_t sample, real* x, real* t,
                                 real* e, real* q, real* h) noexcept nogil:
    """Cross entropy and its reverse, sum p r with r = -log(max(t, exp(-4))), which is no sum of t_c f(log p_c)."""
    cdef Softmax softmax = softmax_of(rows, x, t, e, q)
    cdef Py_ssize_t c, n = rows.classes
    cdef double mass = sum_block(q, n), scale = scale_of(rows, sample), expected, value
    cdef real m = <real>softmax.largest, factor = <real>(1.0 / softmax.sum), w, u
    value = product_or_zero(loss.alpha, mass * softmax.log_sum - row_dot(q, x, m, h, n))
    for c in range(n):
        e[c] = e[c] * factor
    for c in range(n):
        h[c] = reverse_cost(t[c])
    expected = row_dot(e, h, 0, x, n)
    value += loss.beta * expected
    w = <real>(loss.alpha * scale)
    u = <real>(loss.beta * scale)
    for c in range(n):
        e[c] = w * (<real>mass * e[c] - q[c]) + u * e[c] * (h[c] - <real>expected)
    return value


cdef inline void jets_of(AnyPick given, const real* lp, const real* t, real* f, real* slope,
                         Py_ssize_t n) noexcept nogil:
    """f = t f(lp), slope = t f'(lp) for every class; a zero target makes both zero."""
    cdef AnyPick loss = given
    cdef Picked[real] jet
    cdef Py_ssize_t c
    for c in range(n):
        jet = loss.at(lp[c])
        f[c] = 0 if t[c] == 0 else t[c] * jet.value
        slope[c] = product_or_zero(t[c], jet.slope)


cdef inline double row_of_picks(const AnyPick* loss, const Rows* rows, Py_ssize_t sample, real* x, real* t, real* e,
                                real* q, real* h) noexcept nogil:
    """sum_c t_c f(log p_c) for any pick f."""
    cdef Softmax softmax = softmax_of(rows, x, t, e, q)
    cdef Py_ssize_t c, n = rows.classes
    cdef real m = <real>softmax.largest, logarithm = <real>softmax.log_sum, factor = <real>(1.0 / softmax.sum)
    cdef real w = <real>scale_of(rows, sample), part
    cdef double value
    for c in range(n):
        e[c] = e[c] * factor
        x[c] = (x[c] - m) - logarithm      # log-probabilities
    jets_of(loss[0], x, q, h, t, n)
    value = sum_block(h, n)
    part = <real>sum_block(t, n)
    for c in range(n):
        e[c] = w * (t[c] - e[c] * part)
    return value
