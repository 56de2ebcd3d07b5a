"""Logits that are mapped before the loss sees them, and the way back for its derivatives."""

from blocks cimport real
from softmax.call cimport Rows

cdef extern from "losslib/softmax/logits.h" namespace "losslib" nogil:
    cppclass Mapped[T]:
        T value
        T slope
        T bend
    cppclass SoftCap:
        Mapped[T] at[T](T x)

ctypedef fused AnyMap:
    SoftCap


cdef inline void map_logits(const AnyMap* parameters, const Rows* rows, Py_ssize_t sample, Py_ssize_t target,
                            real* x) noexcept nogil:
    cdef AnyMap given = parameters[0]
    cdef Py_ssize_t c
    for c in range(rows.classes):
        x[c] = given.at(x[c]).value


cdef inline void pull_back(const AnyMap* parameters, const Rows* rows, Py_ssize_t sample, Py_ssize_t target,
                           const real* x, real* grad, real* hess) noexcept nogil:
    """Turn derivatives by the mapped logits into derivatives by the logits x; hess may be NULL."""
    cdef AnyMap given = parameters[0]
    cdef Mapped[real] map
    cdef Py_ssize_t c
    if hess != NULL:
        for c in range(rows.classes):
            map = given.at(x[c])
            hess[c] = hess[c] * map.slope * map.slope + grad[c] * map.bend * map.slope
    for c in range(rows.classes):
        grad[c] = grad[c] * given.at(x[c]).slope
