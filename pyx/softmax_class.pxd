"""Rows of many classes with a class as target: largest, exponentials with their sum, gradient, each in one pass."""

from libc.math cimport log as c_log

from blocks cimport real, stream, sum_block
from softmax_call cimport Rows, counts, read_class, scale_of
from softmax_pick cimport Mixture, Sample, finish, mixture_of, picks
from softmax_reduce cimport row_exp, row_max

cdef extern from "losslib/core/stream.h" namespace "losslib" nogil:
    int bytes_to_alignment(const char* target)

cdef extern from "losslib/softmax.h" namespace "losslib" nogil:
    T tanh[T](T x)

cdef enum:
    BLOCK = 512    # numbers that stay in the first-level cache from one pass to the next


# ---- soft cap: the logits that the loss sees are cap * tanh(x / cap) -------------------------------------------

cdef inline void cap_row(real* x, real cap, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(n):
        x[c] = cap * tanh(x[c] / cap)


cdef inline void uncap_row(const real* x, real* grad, real* hess, real cap, Py_ssize_t n) noexcept nogil:
    """Turn derivatives by the capped logits x into derivatives by the logits; hess may be NULL.

    The slope of the cap is 1 - (x/cap)^2, its second derivative -2 x/cap^2 times that.
    """
    cdef Py_ssize_t c
    cdef real slope
    if hess != NULL:
        for c in range(n):
            slope = 1 - (x[c] / cap) * (x[c] / cap)
            hess[c] = hess[c] * slope * slope - grad[c] * (2 * x[c] / (cap * cap)) * slope
    for c in range(n):
        grad[c] = grad[c] * (1 - (x[c] / cap) * (x[c] / cap))


# ---- derivatives -----------------------------------------------------------------------------------------------

cdef inline void hessian_row(const real* e, double s, double softmax_part, double z_loss, double scale, real* hess,
                             Py_ssize_t n) noexcept nogil:
    """Diagonal of softmax_part * d2(lse)/dx2 = p (1 - p), and of the z-loss 2 z p^2 beside it, for p = e/s."""
    cdef real factor = <real>(1.0 / s), w = <real>(softmax_part * scale), u = <real>(2.0 * z_loss * scale), p
    cdef Py_ssize_t c
    for c in range(n):
        p = e[c] * factor
        hess[c] = w * p * (1 - p) + u * p * p


cdef inline double weighted_sum(const Rows* rows, const real* x) noexcept nogil:
    """sum_c w_c x_c; a weight of zero leaves a class out, whatever its logit is."""
    cdef double total = 0.0
    cdef Py_ssize_t c
    if rows.class_weight == NULL:
        return sum_block(x, rows.classes)
    for c in range(rows.classes):
        if rows.class_weight[c] != 0.0:
            total += rows.class_weight[c] * <double>x[c]
    return total


cdef inline void gradient_row(const Rows* rows, real* e, double factor, double smooth, double taken, Py_ssize_t target,
                              char* streamed) noexcept nogil:
    """e = e * factor - w_c * smooth, less what is taken off at the target; stored past the caches to `streamed` too.

    Block by block: the last pass over a block finds it in the first-level cache.
    """
    cdef Py_ssize_t c = 0, stop, n = rows.classes
    cdef real f = <real>factor, share = <real>smooth
    if streamed != NULL:        # the blocks after the first one start at whole vectors
        stop = min(n, BLOCK - <Py_ssize_t>(bytes_to_alignment(streamed) // sizeof(real)))
    else:
        stop = n
    while c < n:
        gradient_block(rows, e, c, stop, f, share)
        if c <= target < stop:
            e[target] = <real>(<double>e[target] - taken)
        if streamed != NULL:
            stream(streamed + c * sizeof(real), <const char*>(e + c), (stop - c) * sizeof(real))
        c = stop
        stop = min(n, stop + BLOCK)


cdef inline void gradient_block(const Rows* rows, real* e, Py_ssize_t start, Py_ssize_t stop, real factor,
                                real smooth) noexcept nogil:
    cdef Py_ssize_t c
    if rows.smoothing == 0.0:
        for c in range(start, stop):
            e[c] = e[c] * factor
    elif rows.class_weight == NULL:
        for c in range(start, stop):
            e[c] = e[c] * factor - smooth
    else:
        for c in range(start, stop):
            e[c] = e[c] * factor - smooth * <real>rows.class_weight[c]


cdef inline double row_by_class(Rows* rows, Py_ssize_t sample, const real* x, real* e, real* hess,
                                char* streamed) noexcept nogil:
    """Return the value of a row x; e becomes the gradient by x, hess the Hessian.

    e may be x: what is needed of the logits is read before. A gradient that is streamed goes to the address given.
    """
    cdef Py_ssize_t n = rows.classes, target = read_class(rows, sample)
    cdef Mixture mixture = mixture_of(rows)
    cdef double weight = rows.class_weight[target] if rows.class_weight != NULL else 1.0
    cdef double lp = <double>x[target], value = 0.0, slope = 0.0, weighted = 0.0, s, lse, scale = scale_of(rows, sample)
    cdef real m
    cdef Sample result
    if rows.smoothing > 0.0:
        weighted = weighted_sum(rows, x)
    m = row_max(x, n)
    s = row_exp(x, m, e, n)
    lse = <double>m + c_log(s)
    lp -= lse
    picks(rows, &lp, &value, &slope, 1)
    result = finish(mixture, value, slope, weight, lse, weighted)
    if rows.want_hess:
        hessian_row(e, s, result.softmax_part, rows.z_loss, scale, hess, n)
    if rows.want_grad:
        gradient_row(rows, e, result.softmax_part * scale / s, mixture.rest * scale, result.target_part * scale, target,
                     streamed)
    return result.value
