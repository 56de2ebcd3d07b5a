"""Rows with a list of classes as target: `multilabel_margin_loss`. Blocks of classes go through local buffers."""

from libc.stdint cimport int64_t

from blocks cimport real, sum_block
from margin.call cimport BLOCK

cdef extern from "losslib/margin/hinges.h" namespace "losslib" nogil:
    cppclass MultilabelHinge:
        T offset[T](T score_of_target)
        T excess[T](T offset, T score)
        T term[T](T excess)
        T slope[T](T excess)


cdef inline Py_ssize_t bytes_of_lists(Py_ssize_t classes) noexcept nogil:
    """The scratch that a row needs."""
    return classes * (3 * sizeof(double) + 1)


cdef inline bint leaves_classes(const int64_t* target, Py_ssize_t classes) noexcept nogil:
    """True if an entry of a list is neither a class nor -1."""
    cdef Py_ssize_t i
    cdef int64_t bad = 0
    for i in range(classes):
        bad |= <int64_t>(target[i] < -1) | <int64_t>(target[i] >= classes)
    return bad != 0


cdef inline double sum_of_lists(MultilabelHinge loss, const real* x, const int64_t* target, real* grad, double scale,
                                Py_ssize_t classes, char* scratch) noexcept nogil:
    """The value of a row; its gradient, if asked, times `scale`.

    The targets end at the first -1; one that is listed twice counts twice. `scratch` holds for each listed target the
    number of classes within its margin, its score (the gradient may overwrite the scores) and its class, which is
    read once and compared here, since another thread may change the caller's list; and for each class whether it is a
    target. This last part comes zeroed and is left so.
    """
    cdef double* inside = <double*>scratch
    cdef real* score = <real*>(scratch + classes * sizeof(double))
    cdef int64_t* label = <int64_t*>(scratch + 2 * classes * sizeof(double))
    cdef unsigned char* listed = <unsigned char*>(scratch + 3 * classes * sizeof(double))
    cdef int64_t c
    cdef real[BLOCK] other, counted, excess, slope
    cdef real offset, factor = <real>(scale / classes)
    cdef double total = 0.0
    cdef Py_ssize_t start = 0, labels = 0, j
    cdef int i, n, active
    while labels < classes:
        c = (<const volatile int64_t*>target)[labels]
        if c < 0 or c >= classes:
            break
        label[labels] = c
        inside[labels] = 0.0
        score[labels] = x[c]
        listed[c] = 1
        labels += 1
    while start < classes:
        n = <int>min(<Py_ssize_t>BLOCK, classes - start)
        for i in range(n):
            other[i] = x[start + i]
            slope[i] = 0
            counted[i] = <real>(1 - <int>listed[start + i])
        for j in range(labels):
            offset = loss.offset(score[j])
            for i in range(n):
                excess[i] = 0 if counted[i] == 0 else loss.term(loss.excess(offset, other[i]))
            total += sum_block(<const real*>excess, n)
            if grad != NULL:
                active = 0
                for i in range(n):
                    active += excess[i] > 0
                    slope[i] += loss.slope(excess[i])
                inside[j] += active
        if grad != NULL:
            for i in range(n):
                grad[start + i] = slope[i] * factor
        start += n
    for j in range(labels):
        listed[label[j]] = 0
        if grad != NULL and inside[j] > 0.0:
            grad[label[j]] -= <real>(inside[j] * (scale / classes))
    return total / classes
