"""Samples whose target is nearly certain: a value near 0 is the sum of what spells another target."""

from libc.stdint cimport int32_t

from ctc.call cimport FORWARD, Sequence
from ctc.paths cimport fill

cdef extern from "losslib/ctc/ctc.h" namespace "losslib" nogil:
    T exp[T](T x)


cdef inline double left_out(const double* p, Py_ssize_t slots, double outside, int32_t a, int32_t b,
                            int32_t c) noexcept nogil:
    """The probability of all classes but three slots, some of which may be the same."""
    cdef double allowed = p[a] + (p[b] if b != a else 0.0) + (p[c] if c != a and c != b else 0.0), rest = outside
    cdef int32_t k
    if allowed < 0.5:
        return 1.0 - allowed
    for k in range(<int32_t>slots):
        if k != a and k != b and k != c:
            rest += p[k]
    return rest


cdef inline bint has_states_of_its_own(const Sequence* s) noexcept nogil:
    """True if a path is in one state at a time: no label is the blank, which only check=False lets pass."""
    cdef Py_ssize_t i
    for i in range(s.labels):
        if s.slot[i] == 0:
            return False
    return True


cdef inline double missed(Sequence* s) noexcept nogil:
    """The probability that the frames spell another target, without the difference to 1.

    Every path is in one state at each frame until it takes a class that leads to none. What leaves so, and what is not
    in the last label or blank at the end, adds up; no term is negative. The arrays of the sums are free by now.
    """
    cdef double* labels = s.chain[FORWARD].meeting
    cdef double* blanks = s.chain[FORWARD].meeting + s.width
    cdef double* p = s.chain[FORWARD].share
    cdef double missing = 0.0, before, before_blank, here
    cdef int32_t own, next
    cdef Py_ssize_t frame, i, k
    fill(labels, 0.0, 2 * s.width)
    blanks[0] = 1.0
    for frame in range(s.frames):
        for k in range(s.slots):
            p[k] = exp(s.raw[frame * s.columns + k] - s.lse[frame])
        before = 0.0            # of the label before, at the frame before
        for i in range(s.labels + 1):
            before_blank = blanks[i]
            own = s.slot[i] if i < s.labels else 0
            if before_blank > 0.0:
                missing += before_blank * left_out(p, s.slots, s.outside[frame], 0, own, 0)
            blanks[i] = (before_blank + before) * p[0]
            if i == s.labels:
                break
            here = labels[i]
            next = s.slot[i + 1] if i + 1 < s.labels else 0
            if here > 0.0:
                missing += here * left_out(p, s.slots, s.outside[frame], 0, own, next)
            labels[i] = (here + before_blank + (before if i > 0 and s.slot[i - 1] != own else 0.0)) * p[own]
            before = here
    for i in range(s.labels):
        missing += blanks[i]
    for i in range(s.labels - 1):
        missing += labels[i]
    return missing
