"""Rows of which one class beside the target decides: `crammer_singer_loss`, the perceptron's, the categorical hinge.

A row is walked in blocks of BLOCK classes through local buffers: loops over buffers vectorise although the gradient may
overwrite the scores, and a block is read before it is written. Which class it was is looked for at the end, in the one
block that held it; of equal classes the first counts.
"""

from libc.math cimport INFINITY, NAN
from libc.string cimport memset

from blocks cimport real, sum_block
from margin.call cimport BLOCK, LANES

cdef extern from "losslib/margin/rivals.h" namespace "losslib" nogil:
    cppclass CrammerSinger:
        double value(double best, double own)
    cppclass CategoricalHinge:
        T wrong[T](T x, T y)
        T right[T](T x, T y)
        double value(double best, double own)
        T slope[T](T y, T factor)
        T slope_of_rival[T](T y, T factor)

cdef enum:
    OUTSIDE = 1
    UNORDERED = 2


cdef inline real largest(const real* values, Py_ssize_t n) noexcept nogil:
    """Return the maximum of at most BLOCK values, none of them NaN."""
    cdef real[LANES] lane
    cdef Py_ssize_t i = 0
    cdef int k
    for k in range(LANES):
        lane[k] = <real>-INFINITY
    while i + LANES <= n:
        for k in range(LANES):
            lane[k] = values[i + k] if values[i + k] > lane[k] else lane[k]
        i += LANES
    for k in range(<int>(n - i)):
        lane[k] = values[i + k] if values[i + k] > lane[k] else lane[k]
    for k in range(8):      # constant lengths: unrolled
        lane[k] = lane[k + 8] if lane[k + 8] > lane[k] else lane[k]
    for k in range(4):
        lane[k] = lane[k + 4] if lane[k + 4] > lane[k] else lane[k]
    for k in range(2):
        lane[k] = lane[k + 2] if lane[k + 2] > lane[k] else lane[k]
    return lane[1] if lane[1] > lane[0] else lane[0]


cdef inline int first_equal(const real* values, real wanted, int n) noexcept nogil:
    """Return the first position of a number among at most BLOCK values; n if it is not there."""
    cdef int i, position = n
    for i in range(n):
        position = min(position, i if values[i] == wanted else n)
    return position


# ---- one class as target -----------------------------------------------------------------------------------------

cdef inline bint copy_others(const real* x, Py_ssize_t target, Py_ssize_t start, real* others, int n) noexcept nogil:
    """Copy a block of scores, with -inf in place of the target's; return True if there is a NaN."""
    cdef int i, unordered = 0
    for i in range(n):
        others[i] = x[start + i]
        unordered |= x[start + i] != x[start + i]
    if start <= target < start + n:
        others[target - start] = <real>-INFINITY
    return unordered != 0


cdef inline double against_class(CrammerSinger loss, const real* x, Py_ssize_t target, real* grad, double scale,
                                 Py_ssize_t classes) noexcept nogil:
    cdef real[BLOCK] others
    cdef real best = <real>-INFINITY, found
    cdef double score = x[target], value
    cdef Py_ssize_t start = 0, best_start = -1, rival = -1
    cdef int n
    while start < classes:
        n = <int>min(<Py_ssize_t>BLOCK, classes - start)
        if copy_others(x, target, start, others, n):
            return NAN
        found = largest(<const real*>others, n)
        if found > best:        # strictly: the first of equal ones stays
            best = found
            best_start = start
        start += n
    value = loss.value(<double>best, score)
    if grad != NULL:
        if value > 0.0 and best_start >= 0:
            n = <int>min(<Py_ssize_t>BLOCK, classes - best_start)
            if best_start + BLOCK < classes:        # the buffer holds a later block
                copy_others(x, target, best_start, others, n)
            rival = best_start + first_equal(<const real*>others, best, n)
        memset(grad, 0, classes * sizeof(real))
        if rival >= 0:
            grad[rival] = <real>scale
            grad[target] = <real>-scale
    return value


# ---- a row of probabilities as target ----------------------------------------------------------------------------

cdef inline int weigh_scores(CategoricalHinge loss, const real* x, const real* y, real* wrong, real* right,
                             int n) noexcept nogil:
    """What the classes of a block compete with, and what the target has.

    Returns UNORDERED if some product is NaN, and OUTSIDE if some y lies outside [0, 1]; NaN does not.
    """
    cdef int i, flags = 0
    for i in range(n):
        wrong[i] = loss.wrong(x[i], y[i])
        right[i] = loss.right(x[i], y[i])
        flags |= (OUTSIDE if (y[i] < 0) | (y[i] > 1) else 0) | (UNORDERED if wrong[i] != wrong[i] else 0)
    return flags


cdef inline double against_row(CategoricalHinge loss, const real* x, const real* y, real* grad, double scale,
                               Py_ssize_t classes, char* outside) noexcept nogil:
    """Notes a y outside [0, 1] as well. The gradient may lie on either input."""
    cdef real[BLOCK] wrong, right
    cdef real best = <real>-INFINITY, found, factor = <real>scale, rival_target = 0
    cdef double sum_right = 0.0, value
    cdef Py_ssize_t start = 0, best_start = -1, rival = -1, i
    cdef int n = 0, flags
    cdef bint unordered = False
    while start < classes:
        n = <int>min(<Py_ssize_t>BLOCK, classes - start)
        flags = weigh_scores(loss, x + start, y + start, wrong, right, n)
        if flags & OUTSIDE:
            outside[0] = 1
        if flags & UNORDERED:
            unordered = True
        found = largest(<const real*>wrong, n)
        if found > best:
            best = found
            best_start = start
        sum_right += sum_block(<const real*>right, n)
        start += n
    value = NAN if unordered else loss.value(<double>best, sum_right)
    if grad != NULL:
        if not value > 0.0:
            memset(grad, 0, classes * sizeof(real))
            return value
        if best_start >= 0:
            if best_start + BLOCK < classes:        # the buffers hold a later block
                n = BLOCK
                weigh_scores(loss, x + best_start, y + best_start, wrong, right, n)
            rival = best_start + first_equal(<const real*>wrong, best, n)
            rival_target = y[rival]
        for i in range(classes):
            grad[i] = loss.slope(y[i], factor)
        if rival >= 0:
            grad[rival] = loss.slope_of_rival(rival_target, factor)
    return value
