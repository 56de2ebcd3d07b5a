"""Rows of classes: the Fenchel-Young loss of entmax, between softmax (alpha 1) and sparsemax (alpha 2).

Peters, Niculae and Martins 2019 (https://arxiv.org/abs/1905.05702). As in ``softmax.rows`` a function takes one row in
buffers and returns the value; e becomes the gradient, h the Hessian.
"""

from libc.math cimport NAN
from libc.math cimport fabs as c_fabs
from libc.math cimport pow as c_pow
from libc.math cimport sqrt as c_sqrt

from blocks cimport real, sum_block
from softmax.call cimport Rows, scale_of
from softmax.reduce cimport row_max


cdef inline double raised(double base, double exponent) noexcept nogil:
    """base^exponent, without a call for the exponents of alpha = 1.5 and 2."""
    if exponent == 1.0:
        return base
    if exponent == 2.0:
        return base * base
    if exponent == 0.0:
        return 1.0
    if exponent == 1.5:
        return base * c_sqrt(base)
    return c_pow(base, exponent)


cdef inline double row_entmax(const double* numbers, const Rows* rows, Py_ssize_t sample, real* x, real* t, real* e,
                              real* q, real* h) noexcept nogil:
    """p = [(alpha - 1) x - tau]_+^k with k = 1/(alpha - 1) and sum 1, by Newton's iteration.

    The sum is convex and falls with tau as k >= 1, so that steps from the left, where it is at least 1, stay there. The
    derivative of p by x is diag(s) - s s'/sum(s) with s = p^(2 - alpha) on the support.
    """
    cdef Py_ssize_t c, n = rows.classes
    cdef double alpha = numbers[0], inner = alpha - 1.0, k = 1.0 / inner, scale = scale_of(rows, sample)
    cdef double m = <double>row_max(x, n), tau = -1.0, total, slopes = 0.0, base, part, p, s, before, step
    cdef double inner_product = 0.0, powers = 0.0, mass = 0.0, check = sum_block(x, n)
    cdef int _step
    if check != check:          # a NaN is above no threshold: it would be lost
        for c in range(n):
            e[c] = <real>check
            h[c] = <real>check
        return check
    for _step in range(200):
        total = 0.0
        slopes = 0.0
        for c in range(n):
            base = inner * (<double>x[c] - m) - tau
            if base > 0.0:
                part = raised(base, k - 1.0)
                slopes += part
                total += part * base
        before = tau
        step = (total - 1.0) / (k * slopes)
        tau += step
        if not step > 1e-16 * c_fabs(before):
            break
    if tau != tau:
        for c in range(n):
            e[c] = <real>NAN
            h[c] = <real>NAN
        return NAN
    slopes = 0.0
    for c in range(n):
        base = inner * (<double>x[c] - m) - tau
        p = s = 0.0
        if base > 0.0:
            s = raised(base, k - 1.0)
            p = s * base
            powers += p * base
            slopes += s
            inner_product += p * (<double>x[c] - m)
        if t[c] != 0:
            inner_product -= <double>t[c] * (<double>x[c] - m)
            powers -= raised(<double>t[c], alpha)
            mass += <double>t[c]
        e[c] = <real>((p - <double>t[c]) * scale)
        h[c] = <real>s
    for c in range(n):
        s = <double>h[c]
        h[c] = <real>((s - s * s / slopes) * scale)
    return inner_product - powers / (alpha * inner) + m * (1.0 - mass)
