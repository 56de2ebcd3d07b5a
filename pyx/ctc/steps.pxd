"""One step between neighbouring frames, in the arithmetic of a semiring: ``ctc.h`` has the recursion.

A `meet` is a step into a frame that holds the sums of the other direction.
"""

from ctc.call cimport BORDER, VECTOR

cdef extern from "losslib/ctc/ctc.h" namespace "losslib" nogil:
    ctypedef double* Plane
    ctypedef const double* ConstPlane
    cppclass ScaledProbability:
        double zero
        double one
        double plus(double a, double b)
        double plus(double a, double b, double c)
        double times(double a, double b)
    cppclass LogProbability:
        double zero
        double one
        double plus(double a, double b)
        double plus(double a, double b, double c)
        double times(double a, double b)
    cppclass BestPath:
        double zero
        double one
        double plus(double a, double b)
        double plus(double a, double b, double c)
        double times(double a, double b)

ctypedef fused Semiring:
    ScaledProbability
    LogProbability
    BestPath

ctypedef fused Summation:
    ScaledProbability
    LogProbability


cdef inline void step_forward(Semiring ring, ConstPlane before, ConstPlane emission, double blank, ConstPlane skip,
                              Plane after, Py_ssize_t width) noexcept nogil:
    cdef ConstPlane labels = before + BORDER
    cdef ConstPlane blanks = before + BORDER + width
    cdef Plane new_labels = after + BORDER
    cdef Plane new_blanks = after + BORDER + width
    cdef Py_ssize_t i = 0
    cdef int k
    while i < width:
        for k in range(VECTOR):
            new_blanks[i + k] = ring.times(ring.plus(blanks[i + k], labels[i + k - 1]), blank)
            new_labels[i + k] = ring.times(
                ring.plus(labels[i + k], blanks[i + k], ring.times(skip[i + k], labels[i + k - 1])), emission[i + k])
        i += VECTOR


cdef inline void step_backward(Semiring ring, ConstPlane before, ConstPlane emission, double blank, ConstPlane skip,
                               Plane after, Py_ssize_t width) noexcept nogil:
    cdef ConstPlane labels = before + BORDER
    cdef ConstPlane blanks = before + BORDER + width
    cdef Plane new_labels = after + BORDER
    cdef Plane new_blanks = after + BORDER + width
    cdef Py_ssize_t i = 0
    cdef int k
    while i < width:
        for k in range(VECTOR):
            new_blanks[i + k] = ring.times(ring.plus(blanks[i + k], labels[i + k]), blank)
            new_labels[i + k] = ring.times(
                ring.plus(labels[i + k], blanks[i + k + 1], ring.times(skip[i + k + 1], labels[i + k + 1])),
                emission[i + k])
        i += VECTOR


cdef inline void meet_forward(Summation ring, ConstPlane before, ConstPlane emission, double blank, ConstPlane skip,
                              Plane states, Plane product, Py_ssize_t width) noexcept nogil:
    """A step into a frame whose states hold the backward sums: these are multiplied and then overwritten."""
    cdef ConstPlane labels = before + BORDER
    cdef ConstPlane blanks = before + BORDER + width
    cdef Py_ssize_t i = 0
    cdef int k
    cdef double label, gap
    while i < width:
        for k in range(VECTOR):
            gap = ring.plus(blanks[i + k], labels[i + k - 1])
            label = ring.plus(labels[i + k], blanks[i + k], ring.times(skip[i + k], labels[i + k - 1]))
            product[i + k] = ring.times(label, states[BORDER + i + k])
            product[width + i + k] = ring.times(gap, states[BORDER + width + i + k])
            states[BORDER + i + k] = ring.times(label, emission[i + k])
            states[BORDER + width + i + k] = ring.times(gap, blank)
        i += VECTOR


cdef inline void meet_backward(Summation ring, ConstPlane before, ConstPlane emission, double blank, ConstPlane skip,
                               Plane states, Plane product, Py_ssize_t width) noexcept nogil:
    """A step into a frame whose states hold the forward sums: these are multiplied and then overwritten."""
    cdef ConstPlane labels = before + BORDER
    cdef ConstPlane blanks = before + BORDER + width
    cdef Py_ssize_t i = 0
    cdef int k
    cdef double label, gap
    while i < width:
        for k in range(VECTOR):
            gap = ring.plus(blanks[i + k], labels[i + k])
            label = ring.plus(labels[i + k], blanks[i + k + 1], ring.times(skip[i + k + 1], labels[i + k + 1]))
            product[i + k] = ring.times(label, states[BORDER + i + k])
            product[width + i + k] = ring.times(gap, states[BORDER + width + i + k])
            states[BORDER + i + k] = ring.times(label, emission[i + k])
            states[BORDER + width + i + k] = ring.times(gap, blank)
        i += VECTOR
