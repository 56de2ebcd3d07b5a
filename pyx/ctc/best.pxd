"""The best path of a sample, which aligns its target, and the best class of each frame, which decodes without one."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from blocks cimport widen_run
from ctc.call cimport BORDER, CTCCall, Sequence, View, address, states_of
from ctc.paths cimport forward_to, start
from ctc.rows cimport pick, spread
from ctc.steps cimport BestPath


cdef inline double trace(BestPath ring, Sequence* s, int64_t* path) noexcept nogil:
    """Go forward through the maxima of all frames and back along the best path; return its log-probability.

    The path holds the class of every frame. Where two ways are equally good it stays in its state as long as it can,
    and it ends in the last label rather than in the blank behind it.
    """
    cdef const double* before
    cdef Py_ssize_t frame, j = s.labels     # blank j or, in_label, label j
    cdef bint in_label = False
    cdef double best, stay, other
    forward_to(ring, s, s.frames)
    before = states_of(s, s.frames - 1) + BORDER
    best = before[s.width + s.labels]
    if s.labels > 0 and before[s.labels - 1] >= best:
        best = before[s.labels - 1]
        in_label = True
        j = s.labels - 1
    for frame in range(s.frames - 1, -1, -1):
        path[frame] = s.classes[s.slot[j] if in_label else 0]
        before = states_of(s, frame - 1) + BORDER
        if in_label:
            stay = before[j]
            other = ring.times(s.skip[j], before[j - 1])
            if before[s.width + j] > stay and before[s.width + j] >= other:
                in_label = False
            elif other > stay:
                j -= 1
        elif j > 0 and before[j - 1] > before[s.width + j]:
            in_label = True
            j -= 1
    return best


cdef inline double best_path(const CTCCall* call, Sequence* s) noexcept nogil:
    """Minus the log-probability of the best path, which is written to its row of the paths."""
    cdef BestPath ring
    cdef Py_ssize_t frame
    for frame in range(s.frames):
        pick(s, &call.input, frame, s.emission + frame * s.columns)
        s.emission[frame * s.columns + s.slots] = -INFINITY
        spread(s, frame)
    start(ring, s)
    return -trace(ring, s, call.paths + s.sample * call.frames)


cdef inline Py_ssize_t decode_sample(const View* view, Py_ssize_t sample, Py_ssize_t frames, Py_ssize_t classes,
                                     Py_ssize_t blank, double* row, int64_t* labels, double* score) noexcept nogil:
    """The best class of every frame without repetitions and blanks; return how many remain."""
    cdef Py_ssize_t frame, c, best, before = blank, count = 0
    score[0] = 0.0
    for frame in range(frames):
        widen_run(address(view, frame, sample), view.classes, view.type, row, classes)
        best = 0
        for c in range(1, classes):
            if row[c] > row[best] or row[best] != row[best]:
                best = c
        score[0] += row[best]
        if best != blank and best != before:
            labels[count] = best
            count += 1
        before = best
    return count
