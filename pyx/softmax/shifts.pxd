"""Logits that are shifted by what is known of their classes and of the target's, and the way back."""

from libc.math cimport log as c_log

from blocks cimport real
from softmax.call cimport Rows

cdef extern from "losslib/softmax/shifts.h" namespace "losslib" nogil:
    cppclass Shifted:
        double value
        double slope
    cppclass ClassShift:
        Shifted target(double x, double offset)
        Shifted other(double x, double offset)
    cppclass TargetShift:
        Shifted target(double x, double offset)
        Shifted other(double x, double offset)
    cppclass AngularShift:
        Shifted target(double x, double offset)
        Shifted other(double x, double offset)
    cppclass Seesaw:
        double eps
        double shift(double log_count, double target_count, double log_share, double target_share)

cdef extern from "losslib/softmax/softmax.h" namespace "losslib" nogil:
    T exp[T](T x)

ctypedef fused AnyShift:
    ClassShift
    TargetShift
    AngularShift


cdef inline double offset_of(const Rows* rows, Py_ssize_t c) noexcept nogil:
    return rows.offset[c] if rows.offset != NULL else 0.0


cdef inline double stretch_of(const Rows* rows, Py_ssize_t sample) noexcept nogil:
    """What all shifted logits of a sample are multiplied by."""
    return rows.stretch[sample] if rows.stretch != NULL else 1.0


cdef inline void shift_logits(const AnyShift* parameters, const Rows* rows, Py_ssize_t sample, Py_ssize_t target,
                              real* x) noexcept nogil:
    cdef AnyShift given = parameters[0]
    cdef double stretch = stretch_of(rows, sample), own = 0.0
    cdef Py_ssize_t c
    if target >= 0:
        own = given.target(<double>x[target], offset_of(rows, target)).value
    for c in range(rows.classes):
        x[c] = <real>(stretch * given.other(<double>x[c], offset_of(rows, c)).value)
    if target >= 0:
        x[target] = <real>(stretch * own)


cdef inline void shift_back(const AnyShift* parameters, const Rows* rows, Py_ssize_t sample, Py_ssize_t target,
                            const real* x, real* grad, real* hess) noexcept nogil:
    """Turn derivatives by the shifted logits into those by the logits x; a Hessian is that of shifts without bend."""
    cdef AnyShift given = parameters[0]
    cdef double stretch = stretch_of(rows, sample), slope
    cdef Py_ssize_t c
    for c in range(rows.classes):
        if c == target:
            slope = stretch * given.target(<double>x[c], offset_of(rows, c)).slope
        else:
            slope = stretch * given.other(<double>x[c], offset_of(rows, c)).slope
        if hess != NULL:
            hess[c] = <real>(<double>hess[c] * slope * slope)
        grad[c] = <real>(<double>grad[c] * slope)


cdef inline void seesaw_logits(const Seesaw* loss, const Rows* rows, Py_ssize_t sample, Py_ssize_t target,
                               real* x) noexcept nogil:
    """The shifts depend on the softmax of the row; they are constant for the gradient, and the way back is none."""
    cdef double largest = <double>x[0], total = 0.0, share, floor
    cdef Py_ssize_t c
    for c in range(1, rows.classes):
        largest = max(largest, <double>x[c])
    for c in range(rows.classes):
        total += exp(<double>x[c] - largest)
    share = <double>x[target] - largest - c_log(total)
    floor = c_log(loss.eps)
    share = max(share, floor)
    for c in range(rows.classes):
        if c != target:
            x[c] = <real>(<double>x[c] + loss.shift(offset_of(rows, c), offset_of(rows, target),
                                                    <double>x[c] - largest - c_log(total), share))


cdef inline void leave_as_is(const void* loss, const Rows* rows, Py_ssize_t sample, Py_ssize_t target, const real* x,
                             real* grad, real* hess) noexcept nogil:
    pass
