"""Reductions over the classes of one row, in 16 lanes: what every loss with a softmax in it begins with.

The order of the additions depends on the number of classes alone. Everything is inlined into the geometries.
"""

from libc.math cimport INFINITY

from blocks cimport real

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T exp_nonpositive[T](T x)

cdef extern from "losslib/core/lanes.h" namespace "losslib" nogil:
    cppclass SixteenSums:
        void add[T](const T* x)
        void store(double* lane)


cdef inline real row_max(const real* x, Py_ssize_t n) noexcept nogil:
    cdef real[16] lane
    cdef Py_ssize_t i = 0
    cdef int k
    for k in range(16):
        lane[k] = -INFINITY
    while i + 16 <= n:
        for k in range(16):
            lane[k] = x[i + k] if x[i + k] > lane[k] else lane[k]
        i += 16
    for k in range(<int>(n - i)):
        lane[k] = x[i + k] if x[i + k] > lane[k] else lane[k]
    for k in range(8):
        lane[k] = lane[k + 8] if lane[k + 8] > lane[k] else lane[k]
    for k in range(4):
        lane[k] = lane[k + 4] if lane[k + 4] > lane[k] else lane[k]
    for k in range(2):
        lane[k] = lane[k + 2] if lane[k + 2] > lane[k] else lane[k]
    return lane[1] if lane[1] > lane[0] else lane[0]


cdef inline double add_lanes(double* lane) noexcept nogil:
    cdef int k
    for k in range(8):
        lane[k] += lane[k + 8]
    for k in range(4):
        lane[k] += lane[k + 4]
    return (lane[0] + lane[2]) + (lane[1] + lane[3])


cdef inline double row_sum(const real* x, Py_ssize_t n) noexcept nogil:
    cdef double[16] lane
    cdef SixteenSums sums
    cdef Py_ssize_t i = 0
    cdef int k
    while i + 16 <= n:
        sums.add(x + i)
        i += 16
    sums.store(lane)
    for k in range(<int>(n - i)):
        lane[k] += <double>x[i + k]
    return add_lanes(lane)


cdef inline double row_exp(const real* x, real m, real* e, Py_ssize_t n) noexcept nogil:
    """e = exp(x - m); return the sum in float64. e may be x.

    Two plain loops over a block in the L1 cache: both vectorise, which one loop with the float64 lanes inside does not.
    """
    cdef Py_ssize_t start = 0, length, i
    cdef double total = 0.0
    while start < n:
        length = min(<Py_ssize_t>512, n - start)
        if e == x:          # one pointer, or the compiler would take the scalar loop for overlapping ones
            for i in range(start, start + length):
                e[i] = exp_nonpositive(e[i] - m)
        else:
            for i in range(start, start + length):
                e[i] = exp_nonpositive(x[i] - m)
        total += row_sum(e + start, length)
        start += length
    return total
