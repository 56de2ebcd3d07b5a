"""Logarithms of sums of exponentials over the columns of a matrix, a chunk of rows after the other."""

from libc.math cimport INFINITY, exp

from blocks cimport real

cdef enum:
    COLUMNS = 512          # columns that one thread adds up at a time

cdef struct Columns:
    const char* matrix
    Py_ssize_t rows, columns
    double scale
    const unsigned char* row_keep
    double* top
    double* sum
    bint wide


cdef inline void add_part(const Columns* call, Py_ssize_t first, Py_ssize_t last, real tag) noexcept nogil:
    """Go through the rows with a stretch of columns, raising largest and sum of exponentials of each."""
    cdef const real* s
    cdef Py_ssize_t i, j
    cdef double x
    for i in range(call.rows):
        if call.row_keep != NULL and not call.row_keep[i]:
            continue
        s = <const real*>call.matrix + i * call.columns
        for j in range(first, last):
            x = call.scale * <double>s[j]
            if x > call.top[j]:
                call.sum[j] = call.sum[j] * exp(call.top[j] - x) + 1.0 if call.top[j] > -INFINITY else 1.0
                call.top[j] = x
            elif x > -INFINITY:
                call.sum[j] += exp(x - call.top[j])
            elif x != x:
                call.sum[j] = x


cdef inline void add_tasks(const Columns* call, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t start = min(call.columns, first * COLUMNS), stop = min(call.columns, last * COLUMNS)
    if call.wide:
        add_part(call, start, stop, <double>0)
    else:
        add_part(call, start, stop, <float>0)
