"""Gradients over a row, given the sums: one loop where every gradient is wanted, else one loop each.

No output may be an input of these loops; where a gradient overwrites one, its kernel sets a block of the inputs aside.
"""

from blocks cimport real
from distance.sums cimport Norm

cdef extern from "losslib/distance/range.h" namespace "losslib" nogil:
    bint is_ordinary(double number)

cdef extern from "losslib/distance/cosine.h" namespace "losslib" nogil:
    cppclass FusedResidual:
        void set_ratio(double ratio)
        float at(float x, float y)
    bint fused_available "losslib::FusedResidual::available"


# ---- pairs -------------------------------------------------------------------------------------------------------

cdef inline bint is_ratio(double ratio) noexcept nogil:
    return ratio == 0.0 or is_ordinary(ratio)


cdef inline void narrow_residuals(const float* x, const float* y, float* grad_x, float* grad_y, double c,
                                  double ratio_x, double ratio_y, Py_ssize_t n) noexcept nogil:
    """grad_x = c (y - ratio_x x) and grad_y = c (x - ratio_y y) in float32."""
    cdef FusedResidual from_x, from_y
    cdef float factor = <float>c, u, v
    cdef Py_ssize_t i
    from_x.set_ratio(ratio_x)
    from_y.set_ratio(ratio_y)
    if grad_x != NULL and grad_y != NULL:
        for i in range(n):
            u = x[i]        # read before the first store: arrays often lie at the same place in their pages, and a
            v = y[i]        # read behind a store to such a place waits for it
            grad_x[i] = factor * from_x.at(u, v)
            grad_y[i] = factor * from_y.at(v, u)
    elif grad_x != NULL:
        for i in range(n):
            grad_x[i] = factor * from_x.at(x[i], y[i])
    elif grad_y != NULL:
        for i in range(n):
            grad_y[i] = factor * from_y.at(y[i], x[i])


cdef inline void pair_residuals(const real* x, const real* y, real* grad_x, real* grad_y, double c, double ratio_x,
                                double ratio_y, double factor_x, double factor_y, Py_ssize_t n) noexcept nogil:
    """grad_x = c factor_x (y - ratio_x x) and grad_y = c factor_y (x - ratio_y y), the rows times their factors."""
    cdef Py_ssize_t i
    cdef double a, b, c_x = c * factor_x, c_y = c * factor_y, own_x = c * ratio_x, own_y = c * ratio_y
    if factor_x != 1.0 or factor_y != 1.0:
        for i in range(n):
            a = <double>x[i] * factor_x
            b = <double>y[i] * factor_y
            if grad_x != NULL:
                grad_x[i] = <real>(c_x * (b - ratio_x * a))
            if grad_y != NULL:
                grad_y[i] = <real>(c_y * (a - ratio_y * b))
        return
    if real is float:
        if fused_available and is_ordinary(c) and is_ratio(ratio_x) and is_ratio(ratio_y):
            narrow_residuals(x, y, grad_x, grad_y, c, ratio_x, ratio_y, n)
            return
    if grad_x != NULL:
        for i in range(n):
            grad_x[i] = <real>(c * <double>y[i] - own_x * <double>x[i])
    if grad_y != NULL:
        for i in range(n):
            grad_y[i] = <real>(c * <double>x[i] - own_y * <double>y[i])


cdef inline void pair_difference(const real* x, const real* y, real* grad_x, real* grad_y, double c,
                                 Py_ssize_t n) noexcept nogil:
    """grad_x = c (x - y), grad_y = -grad_x."""
    cdef Py_ssize_t i
    cdef double u
    if grad_x != NULL and grad_y != NULL:
        for i in range(n):
            u = c * (<double>x[i] - <double>y[i])
            grad_x[i] = <real>u
            grad_y[i] = <real>-u
    elif grad_x != NULL:
        for i in range(n):
            grad_x[i] = <real>(c * (<double>x[i] - <double>y[i]))
    elif grad_y != NULL:
        for i in range(n):
            grad_y[i] = <real>(c * (<double>y[i] - <double>x[i]))


# ---- triplets ----------------------------------------------------------------------------------------------------

cdef inline void narrow_difference(const float* a, const float* p, const float* q, float* grad_a, float* grad_p,
                                   float* grad_q, double c_positive, double c_negative, double eps,
                                   Py_ssize_t n) noexcept nogil:
    """The gradients of Euclidean d(a, p) - d(a, q) in float32."""
    cdef float near = <float>c_positive, far = <float>c_negative, shift = <float>eps, u, v
    cdef Py_ssize_t i
    if grad_a != NULL and grad_p != NULL and grad_q != NULL:
        for i in range(n):
            u = a[i] - p[i] + shift     # before the first store, see above
            v = a[i] - q[i] + shift
            grad_a[i] = near * u - far * v
            grad_p[i] = -near * u
            grad_q[i] = far * v
        return
    if grad_a != NULL:
        for i in range(n):
            grad_a[i] = near * (a[i] - p[i] + shift) - far * (a[i] - q[i] + shift)
    if grad_p != NULL:
        for i in range(n):
            grad_p[i] = -near * (a[i] - p[i] + shift)
    if grad_q != NULL:
        for i in range(n):
            grad_q[i] = far * (a[i] - q[i] + shift)


cdef inline void triplet_difference(Norm to_positive, Norm to_negative, Norm swapped, const real* a, const real* p,
                                    const real* q, real* grad_a, real* grad_p, real* grad_q, double c_positive,
                                    double c_negative, double c_swapped, double eps, bint narrow,
                                    Py_ssize_t n) noexcept nogil:
    """The gradients of d(a, p) - d(a, q) - d(p, q), each distance times its coefficient."""
    cdef Py_ssize_t i
    cdef double u, v, w
    if real is float:
        if narrow:
            narrow_difference(a, p, q, grad_a, grad_p, grad_q, c_positive, c_negative, eps, n)
            return
    if grad_a != NULL and grad_p != NULL and grad_q != NULL:
        if c_swapped == 0.0:
            for i in range(n):
                u = c_positive * to_positive.slope(<double>a[i] - <double>p[i] + eps)
                v = c_negative * to_negative.slope(<double>a[i] - <double>q[i] + eps)
                grad_a[i] = <real>(u - v)
                grad_p[i] = <real>-u
                grad_q[i] = <real>v
        else:
            for i in range(n):
                u = c_positive * to_positive.slope(<double>a[i] - <double>p[i] + eps)
                v = c_negative * to_negative.slope(<double>a[i] - <double>q[i] + eps)
                w = c_swapped * swapped.slope(<double>p[i] - <double>q[i] + eps)
                grad_a[i] = <real>(u - v)
                grad_p[i] = <real>(-u - w)
                grad_q[i] = <real>(v + w)
        return
    if grad_a != NULL:
        for i in range(n):
            u = c_positive * to_positive.slope(<double>a[i] - <double>p[i] + eps)
            v = c_negative * to_negative.slope(<double>a[i] - <double>q[i] + eps)
            grad_a[i] = <real>(u - v)
    if grad_p != NULL:
        for i in range(n):
            u = c_positive * to_positive.slope(<double>a[i] - <double>p[i] + eps)
            w = c_swapped * swapped.slope(<double>p[i] - <double>q[i] + eps)
            grad_p[i] = <real>(-u - w)
    if grad_q != NULL:
        for i in range(n):
            v = c_negative * to_negative.slope(<double>a[i] - <double>q[i] + eps)
            w = c_swapped * swapped.slope(<double>p[i] - <double>q[i] + eps)
            grad_q[i] = <real>(v + w)


cdef inline void triplet_combination(const real* a, const real* p, const real* q, real* grad_a, real* grad_p,
                                     real* grad_q, const double* c, const double* factor,
                                     Py_ssize_t n) noexcept nogil:
    """Gradient k is c[3k] a + c[3k+1] p + c[3k+2] q, the rows times their factors."""
    cdef double c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3], c4 = c[4], c5 = c[5], c6 = c[6], c7 = c[7], c8 = c[8]
    cdef double fa = factor[0], fp = factor[1], fq = factor[2]
    cdef Py_ssize_t i
    cdef double x, y, z
    if grad_a != NULL and grad_p != NULL and grad_q != NULL:
        for i in range(n):
            x = <double>a[i] * fa
            y = <double>p[i] * fp
            z = <double>q[i] * fq
            grad_a[i] = <real>(c0 * x + c1 * y + c2 * z)
            grad_p[i] = <real>(c3 * x + c4 * y + c5 * z)
            grad_q[i] = <real>(c6 * x + c7 * y + c8 * z)
        return
    if grad_a != NULL:
        for i in range(n):
            grad_a[i] = <real>(c0 * (<double>a[i] * fa) + c1 * (<double>p[i] * fp) + c2 * (<double>q[i] * fq))
    if grad_p != NULL:
        for i in range(n):
            grad_p[i] = <real>(c3 * (<double>a[i] * fa) + c4 * (<double>p[i] * fp) + c5 * (<double>q[i] * fq))
    if grad_q != NULL:
        for i in range(n):
            grad_q[i] = <real>(c6 * (<double>a[i] * fa) + c7 * (<double>p[i] * fp) + c8 * (<double>q[i] * fq))
