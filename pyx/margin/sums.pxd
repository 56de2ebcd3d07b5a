"""Rows with one class as target and a hinge for every other: `multi_margin_loss`.

The linear hinges of a row are taken sixteen at a time in registers; the loop of the others is GCC's, over a block in a
buffer. Both return the value of the row and, if asked, write its gradient times a factor.
"""

from libc.math cimport isfinite
from libc.string cimport memcpy

from blocks cimport combine, real, row_from, sum_block
from margin.call cimport BLOCK, LANES

cdef extern from "losslib/margin/hinges.h" namespace "losslib" nogil:
    cppclass LinearHinge:
        T offset[T](T score_of_target)
        T excess[T](T offset, T score)
        T term[T](T excess)
        T slope[T](T excess)
    cppclass SquaredHinge:
        double rate
        T offset[T](T score_of_target)
        T excess[T](T offset, T score)
        T term[T](T excess)
        T slope[T](T excess)
    cppclass SixteenHinges[T]:
        void add(const T* x, T offset, T slope, T* grad)
        void store_sums(double* lane)
        void store_counts(T* lane)

cdef enum:
    COUNTABLE = 1 << 28  # scores of which the positive ones can be counted in float32 lanes


cdef inline double sum_linear(LinearHinge loss, const real* x, Py_ssize_t target, real* grad, double scale,
                              Py_ssize_t classes) noexcept nogil:
    cdef SixteenHinges[real] hinges
    cdef double[LANES] lane, counted
    cdef real[LANES] others, positive
    cdef const real* scores
    cdef real offset = loss.offset(x[target]), excess
    cdef double rate = scale / classes, slopes
    cdef real slope = <real>rate
    cdef Py_ssize_t apart = target - target % LANES, whole = classes - classes % LANES, i
    cdef int k
    # The scores among which the target's is are read from a copy, where its hinge is 0. If the offset is infinite and
    # leaves no number to put there, or a float32 lane might not count so far, all hinges are taken one by one.
    if classes > COUNTABLE or not isfinite(<double>offset):
        whole = 0
    elif apart < whole:
        memcpy(others, x + apart, sizeof(others))
        others[target - apart] = 0 - offset
    for i in range(0, whole, 16):      # LANES, which Cython takes for no constant
        scores = <const real*>others if i == apart else x + i       # no branch: nobody can predict it
        hinges.add(scores, offset, slope, row_from(grad, i))
    hinges.store_sums(lane)
    hinges.store_counts(positive)
    for k in range(LANES):
        counted[k] = positive[k]
    slopes = combine(counted)
    for i in range(whole, classes):
        excess = 0 if i == target else loss.excess(offset, x[i])
        lane[i % LANES] += <double>loss.term(excess)
        slopes += <double>loss.slope(excess)
        if grad != NULL:
            grad[i] = slope if excess > 0 else 0
    if grad != NULL:
        grad[target] = <real>(-slopes * rate) if slopes != 0 else 0
    return combine(lane) / classes


cdef inline double sum_in_blocks(SquaredHinge loss, const real* x, Py_ssize_t target, real* grad, double scale,
                                 Py_ssize_t classes) noexcept nogil:
    cdef real[BLOCK] excess
    cdef real offset = loss.offset(x[target])
    cdef double rate = loss.rate * scale / classes, total = 0.0, slopes = 0.0
    cdef real factor = <real>rate
    cdef Py_ssize_t start = 0
    cdef int i, n
    while start < classes:
        n = <int>min(<Py_ssize_t>BLOCK, classes - start)
        for i in range(n):
            excess[i] = loss.excess(offset, x[start + i])
        if start <= target < start + n:
            excess[target - start] = 0
        if grad != NULL:
            for i in range(n):
                grad[start + i] = factor * loss.slope(excess[i])
            slopes += sum_block(<const real*>excess, n)     # those of a square, as above
        for i in range(n):
            excess[i] = loss.term(excess[i])
        total += sum_block(<const real*>excess, n)
        start += n
    if grad != NULL:
        grad[target] = <real>(-slopes * rate) if slopes != 0 else 0
    return total / classes
