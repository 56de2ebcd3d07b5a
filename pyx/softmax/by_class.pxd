"""Rows of many classes with a class as target: largest, exponentials with their sum, gradient, each in one pass."""

from libc.math cimport INFINITY
from libc.math cimport log as c_log

from blocks cimport real, stream, sum_block
from softmax.call cimport Rows, read_class, scale_of
from softmax.pick cimport Mixture, Sample, finish, mixture_of
from softmax.reduce cimport Batch, Exponentials, add_widened, row_exp, row_max

cdef extern from "losslib/simd/stream.h" namespace "losslib" nogil:
    int bytes_to_alignment(const char* target)

cdef extern from "losslib/softmax/softmax.h" namespace "losslib" nogil:
    T exp[T](T x)
    T product_or_zero[T](T coefficient, T factor)

cdef enum:
    BLOCK = 512    # numbers of a gradient that are in the first-level cache on their way past the caches
    LONG = 2048    # numbers of a row that are in the first-level cache together with the next ones


# ---- sums over the classes -------------------------------------------------------------------------------------

cdef inline double weighted_sum(const real* x, const double* weight, real m, Py_ssize_t n) noexcept nogil:
    """sum_c w_c (x_c - m); a weight of zero leaves a class out, whatever its logit is."""
    cdef Batch[double] total
    cdef Batch[real] terms
    cdef real[16] products
    cdef double[16] lane
    cdef Py_ssize_t c = 0
    cdef int k
    total.fill(0.0)
    while c < n:
        for k in range(16):
            products[k] = 0
        for k in range(<int>min(<Py_ssize_t>16, n - c)):
            products[k] = product_or_zero(<real>weight[c + k], x[c + k] - m)
        terms.load(products)
        add_widened(total, terms)
        c += 16
    total.store(lane)
    return sum_block(<const double*>lane, 16)


cdef struct Sums:
    double largest
    double exponentials    # sum of exp(x - largest)
    double weighted        # sum of w_c (x_c - largest), for smoothing only


cdef inline Sums sums_of(const Rows* rows, const real* x, real* e, real* top, Py_ssize_t n) noexcept nogil:
    """Sums over a row, and e = exp(x - top[block]), where top is the largest number so far; one block if n <= LONG.

    A long row comes from memory once, while the exponentials of the block before are computed. Whoever uses e
    multiplies a block by exp(top[block] - largest). e may be x.
    """
    cdef Sums sums
    cdef Exponentials part
    cdef bint weighted = rows.smoothing > 0.0 and rows.class_weight != NULL
    cdef Py_ssize_t start = 0, length, block = 0, c
    cdef real m = -INFINITY, largest, origin
    cdef double before = 0.0    # weights of the blocks so far
    sums.exponentials = 0.0
    sums.weighted = 0.0
    while start < n:
        length = min(<Py_ssize_t>LONG, n - start)
        largest = row_max(x + start, length)
        if largest > m:
            if start > 0:
                sums.exponentials *= exp(<double>m - <double>largest)
                if before != 0.0 and m > -INFINITY:
                    sums.weighted += before * (<double>m - <double>largest)
            m = largest
        top[block] = m
        # Where all logits so far are -inf there is no largest number yet, and their exponentials are zeros.
        origin = m if m > -INFINITY else <real>0
        if weighted:
            sums.weighted += weighted_sum(x + start, rows.class_weight + start, origin, length)
            for c in range(start, start + length):
                before += rows.class_weight[c]
        part = row_exp(x + start, origin, e + start, length)
        sums.exponentials += part.sum
        if rows.smoothing > 0.0 and not weighted:
            sums.weighted += part.exponents
            before += <double>length
        start += length
        block += 1
    sums.largest = <double>m
    return sums


cdef inline double share_of_block(const real* top, Py_ssize_t start, double largest) noexcept nogil:
    """What exponentials of the block that starts here are multiplied by."""
    return exp(<double>top[start // LONG] - largest)


# ---- derivatives -----------------------------------------------------------------------------------------------

cdef inline void hessian_row(const real* e, double s, double softmax_part, double z_loss, double scale, real* hess,
                             Py_ssize_t n) noexcept nogil:
    """Diagonal of softmax_part * d2(lse)/dx2 = p (1 - p), and of the z-loss 2 z p^2 beside it, for p = e/s."""
    cdef real factor = <real>(1.0 / s), w = <real>(softmax_part * scale), u = <real>(2.0 * z_loss * scale), p
    cdef Py_ssize_t c
    for c in range(n):
        p = e[c] * factor
        hess[c] = w * p * (1 - p) + u * p * p


cdef inline void gradient_block(const Rows* rows, const real* e, real* grad, Py_ssize_t start, Py_ssize_t n,
                                real factor, real smooth) noexcept nogil:
    """grad = e * factor - w_c * smooth for n classes from `start` on; grad may be e."""
    cdef Batch[real] terms, scale, share
    cdef real[16] shares
    cdef Py_ssize_t c = 0
    cdef int k
    scale.fill(factor)
    share.fill(smooth)
    if rows.smoothing == 0.0:
        while c + 16 <= n:
            terms.load(e + c)
            terms.multiply(scale)
            terms.store(grad + c)
            c += 16
        while c < n:
            grad[c] = e[c] * factor
            c += 1
    elif rows.class_weight == NULL:
        while c + 16 <= n:
            terms.load(e + c)
            terms.multiply(scale)
            terms.subtract(share)
            terms.store(grad + c)
            c += 16
        while c < n:
            grad[c] = e[c] * factor - smooth
            c += 1
    else:
        while c + 16 <= n:
            for k in range(16):
                shares[k] = smooth * <real>rows.class_weight[start + c + k]
            share.load(shares)
            terms.load(e + c)
            terms.multiply(scale)
            terms.subtract(share)
            terms.store(grad + c)
            c += 16
        while c < n:
            grad[c] = e[c] * factor - smooth * <real>rows.class_weight[start + c]
            c += 1


cdef inline void gradient_run(const Rows* rows, real* e, Py_ssize_t start, Py_ssize_t stop, double factor,
                              double smooth, double taken, Py_ssize_t target, char* streamed) noexcept nogil:
    """e = e * factor - w_c * smooth for the classes start … stop, less what is taken off at the target.

    If `streamed` is not NULL, the result is stored past the caches from there on, and e stays.
    """
    cdef real[BLOCK] block
    cdef Py_ssize_t c = start, n
    if streamed == NULL:
        gradient_block(rows, e + start, e + start, start, stop - start, <real>factor, <real>smooth)
        if start <= target < stop:
            e[target] = <real>(<double>e[target] - taken)
        return
    # The blocks after the first one start at whole vectors.
    n = BLOCK - <Py_ssize_t>(bytes_to_alignment(streamed + start * sizeof(real)) // sizeof(real))
    while c < stop:
        n = min(n, stop - c)
        gradient_block(rows, e + c, <real*>block, c, n, <real>factor, <real>smooth)
        if c <= target < c + n:
            block[target - c] = <real>(<double>block[target - c] - taken)
        stream(streamed + c * sizeof(real), <const char*>block, n * sizeof(real))
        c += n
        n = BLOCK


cdef inline double row_by_class(Rows* rows, Py_ssize_t sample, const real* x, real* e, real* hess, real* top,
                                char* streamed) noexcept nogil:
    """Return the value of a row x; e becomes the gradient by x, hess the Hessian; top is scratch.

    e may be x: what is needed of the logits is read before. A gradient that is streamed goes to the address given.
    """
    cdef Py_ssize_t n = rows.classes, target = read_class(rows, sample), start = 0, stop
    cdef Mixture mixture = mixture_of(rows)
    cdef double weight = rows.class_weight[target] if rows.class_weight != NULL else 1.0
    cdef double lp = <double>x[target], value = 0.0, slope = 0.0, log_sum, scale = scale_of(rows, sample), factor
    cdef Sums sums = sums_of(rows, x, e, top, n)
    cdef Sample result
    log_sum = c_log(sums.exponentials)
    lp = (lp - sums.largest) - log_sum
    rows.kernel.pick(rows.numbers, &lp, &value, &slope, 1)
    result = finish(mixture, value, slope, weight, sums.largest, log_sum, sums.weighted)
    factor = result.softmax_part * scale / sums.exponentials
    while start < n:
        stop = min(start + LONG, n)
        if rows.want_hess:
            hessian_row(e + start, sums.exponentials / share_of_block(top, start, sums.largest), result.softmax_part,
                        rows.z_loss, scale, hess + start, stop - start)
        if rows.want_grad:
            gradient_run(rows, e, start, stop, factor * share_of_block(top, start, sums.largest),
                         mixture.rest * scale, result.target_part * scale, target, streamed)
        start = stop
    return result.value
