"""Rows of ordered classes under a softmax: the earth mover's distance, and cross entropy by distance from the class.

As in ``softmax.rows`` a function takes one row in buffers and returns the value; e becomes the gradient.
"""

from libc.math cimport INFINITY
from libc.math cimport fabs as c_fabs
from libc.math cimport log as c_log
from libc.math cimport log1p as c_log1p
from libc.math cimport pow as c_pow
from libc.math cimport sqrt as c_sqrt

from blocks cimport real
from softmax.call cimport Rows, scale_of
from softmax.noisy cimport log_sum
from softmax.reduce cimport row_max

cdef extern from "losslib/softmax/softmax.h" namespace "losslib" nogil:
    T exp[T](T x)


cdef inline double row_earth_mover(const double* numbers, const Rows* rows, Py_ssize_t sample, real* x, real* t,
                                   real* e, real* q, real* h) noexcept nogil:
    """sum_k |cumsum(p - t)_k|^r, or that over the classes to the power 1/r: Hou et al. 2016, NIMA.

    Under a root the powers are those of shares of the largest term: its own may be too small for a number.
    """
    cdef Py_ssize_t c, n = rows.classes
    cdef double r = numbers[0], scale = scale_of(rows, sample), m = <double>row_max(x, n), largest = 0.0, share
    cdef double normaliser = log_sum(x, m, n), moved = 0.0, value = 0.0, factor = 1.0, slope = 0.0, expected = 0.0, p
    cdef bint root = numbers[1] != 0.0
    if root and r != 2.0:
        for c in range(n):
            moved += exp((<double>x[c] - m) - normaliser) - <double>t[c]
            largest = max(largest, c_fabs(moved))
        moved = 0.0
    if not largest > 0.0:
        largest = 1.0
    for c in range(n):
        moved += exp((<double>x[c] - m) - normaliser) - <double>t[c]
        share = c_fabs(moved) / largest
        value += moved * moved if r == 2.0 else c_pow(share, r)
        if r == 2.0:
            h[c] = <real>(2.0 * moved)
        elif moved == 0.0:
            h[c] = 0
        else:
            h[c] = <real>(r * c_pow(share, r - 1.0) * (1.0 if moved > 0.0 else -1.0))
    if root:
        factor = c_pow(value / <double>n, 1.0 / r - 1.0) / (r * <double>n) if value != 0.0 else 0.0
        value = largest * c_pow(value / <double>n, 1.0 / r)
    c = n
    while c > 0:
        c -= 1
        slope += <double>h[c]
        h[c] = <real>slope
        expected += exp((<double>x[c] - m) - normaliser) * slope
    for c in range(n):
        p = exp((<double>x[c] - m) - normaliser)
        e[c] = <real>(p * (<double>h[c] - expected) * factor * scale)
    return value


cdef inline double distance_weight(Py_ssize_t c, Py_ssize_t target, double alpha) noexcept nogil:
    cdef double distance = c_fabs(<double>(c - target))
    if c == target:
        return 0.0
    if alpha == 0.5:
        return c_sqrt(distance)
    if alpha == 1.0:
        return distance
    return c_pow(distance, alpha)


cdef inline double row_class_distance(const double* numbers, const Rows* rows, Py_ssize_t sample, real* x, real* t,
                                      real* e, real* q, real* h) noexcept nogil:
    """-sum_c |c - y|^alpha log(1 - p_c): Polat et al. 2022.

    The largest probability may round to 1; what it lacks comes from the other classes, whose largest logit is theirs.
    """
    cdef Py_ssize_t c, n = rows.classes, target = 0, top = 0
    cdef double alpha = numbers[0], scale = scale_of(rows, sample), second = -INFINITY, others = 0.0, rest, value = 0.0
    cdef double lse, log_others, p, lacking, share, odds = 0.0, top_weight, top_p, weight = 1.0
    for c in range(n):
        if t[c] != 0:
            target = c
        if x[c] > x[top]:
            top = c
    for c in range(n):
        if c != top and (<double>x[c] > second or x[c] != x[c]):
            second = <double>x[c]
    for c in range(n):
        if c != top and second > -INFINITY:
            others += exp(<double>x[c] - second)
    if rows.class_weight != NULL:
        weight = rows.class_weight[target]
    log_others = second + c_log(others) if second != -INFINITY else -INFINITY
    rest = exp(log_others - <double>x[top])           # of all others over the largest
    lse = c_log1p(rest)                               # less the largest logit
    for c in range(n):
        if c == top:
            continue
        p = exp((<double>x[c] - <double>x[top]) - lse)
        value -= distance_weight(c, target, alpha) * c_log1p(-p)
        odds += distance_weight(c, target, alpha) * p / (1.0 - p)
    top_weight = distance_weight(top, target, alpha)
    top_p = 1.0 / (1.0 + rest)
    if top_weight != 0.0:
        value += top_weight * (lse - (log_others - <double>x[top]))
    for c in range(n):
        p = top_p if c == top else exp((<double>x[c] - <double>x[top]) - lse)
        lacking = odds
        share = 0.0
        if c != top:
            lacking -= distance_weight(c, target, alpha) * p / (1.0 - p)
            if top_weight != 0.0:
                share = top_weight * top_p * exp(<double>x[c] - log_others)
        e[c] = <real>((distance_weight(c, target, alpha) * p - p * lacking - share) * scale * weight)
    return value * weight
