"""Rows of classes whose labels may be wrong: bootstrapped and normalised cross entropy.

As in ``softmax.rows`` a function takes one row in buffers and returns the value; e becomes the gradient.
"""

from libc.math cimport INFINITY
from libc.math cimport log as c_log

from blocks cimport real
from softmax.call cimport Rows, scale_of
from softmax.reduce cimport row_max

cdef extern from "losslib/softmax/softmax.h" namespace "losslib" nogil:
    T exp[T](T x)
    T product_or_zero[T](T coefficient, T factor)


cdef inline double log_sum(const real* x, double m, Py_ssize_t n) noexcept nogil:
    """log sum exp(x - m) in float64."""
    cdef double total = 0.0
    cdef Py_ssize_t c
    for c in range(n):
        total += exp(<double>x[c] - m)
    return c_log(total)


cdef inline double row_bootstrap(const double* numbers, const Rows* rows, Py_ssize_t sample, real* x, real* t, real* e,
                                 real* q, real* h) noexcept nogil:
    """beta CE + (1 - beta) entropy(p), or -(1 - beta) log max(p): Reed et al. 2015 (arXiv:1412.6596)."""
    cdef Py_ssize_t c, n = rows.classes, top = 0
    cdef double beta = numbers[0], rest = 1.0 - beta, scale = scale_of(rows, sample), weight = 1.0
    cdef bint hard = numbers[1] != 0.0
    cdef double m = <double>row_max(x, n), normaliser = log_sum(x, m, n), entropy = 0.0, value = 0.0, lp, p, part
    for c in range(n):
        lp = (<double>x[c] - m) - normaliser
        if x[c] > x[top]:
            top = c
        entropy -= product_or_zero(exp(lp), lp)
        if t[c] != 0:
            value -= beta * <double>t[c] * lp
            if rows.class_weight != NULL:
                weight = rows.class_weight[c]
    value += rest * (normaliser + m - <double>x[top] if hard else entropy)
    for c in range(n):
        lp = (<double>x[c] - m) - normaliser
        p = exp(lp)
        part = p - (1.0 if c == top else 0.0) if hard else -p * entropy - product_or_zero(p, lp)
        e[c] = <real>((beta * (p - <double>t[c]) + rest * part) * scale * weight)
    return value * weight


cdef inline double row_normalized(const double* numbers, const Rows* rows, Py_ssize_t sample, real* x, real* t, real* e,
                                  real* q, real* h) noexcept nogil:
    """log p_y / sum_c log p_c: Ma et al. 2020 (https://arxiv.org/abs/2006.13554)."""
    cdef Py_ssize_t c, n = rows.classes
    cdef double m = <double>row_max(x, n), normaliser = log_sum(x, m, n), scale = scale_of(rows, sample)
    cdef double own = 0.0, all_classes = 0.0, lp, p, by_own, by_all, weight = 1.0
    for c in range(n):
        lp = (<double>x[c] - m) - normaliser
        all_classes -= lp
        if t[c] != 0:
            own -= <double>t[c] * lp
            if rows.class_weight != NULL:
                weight = rows.class_weight[c]
    if all_classes == INFINITY and own < INFINITY:     # an impossible class beside the target's
        for c in range(n):
            e[c] = 0
        return 0.0
    by_own = 1.0 / all_classes
    by_all = own * by_own * by_own
    for c in range(n):
        p = exp((<double>x[c] - m) - normaliser)
        e[c] = <real>(((p - <double>t[c]) * by_own - (<double>n * p - 1.0) * by_all) * scale * weight)
    return own * by_own * weight
