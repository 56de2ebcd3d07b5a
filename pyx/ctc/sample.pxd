"""One sample from start to end, and the parts of it that threads share where there are few samples.

The sums are of probabilities near 1; a sample that leaves their range is computed again in logarithms, from what was
set aside, so that the gradient may overwrite the input.
"""

from libc.math cimport INFINITY, NAN, log1p

from ctc.best cimport best_path
from ctc.call cimport BACKWARD, FORWARD, CTCCall, Sequence, lay_out
from ctc.certain cimport has_states_of_its_own, missed
from ctc.paths cimport beyond_middle, start, to_middle
from ctc.rows cimport read_frames, spread, write_constant, write_slots
from ctc.steps cimport LogProbability, ScaledProbability

cdef extern from "losslib/ctc/ctc.h" namespace "losslib" nogil:
    const double nearly_certain


cdef inline void read_chunk(const CTCCall* call, Sequence* s, Py_ssize_t first, Py_ssize_t stop,
                            int thread) noexcept nogil:
    cdef const char* buffer = call.rows + thread * call.row_bytes
    if call.double_precision:
        read_frames(call, s, first, stop, buffer, <double>0)
    else:
        read_frames(call, s, first, stop, buffer, <float>0)


cdef inline void sum_to_middle(Sequence* s, int direction) noexcept nogil:
    cdef ScaledProbability ring
    to_middle(ring, s, direction)


cdef inline void sum_beyond_middle(Sequence* s, int direction) noexcept nogil:
    cdef ScaledProbability ring
    beyond_middle(ring, s, direction)


cdef inline void prepare_sums(Sequence* s) noexcept nogil:
    cdef ScaledProbability ring
    start(ring, s)


cdef inline void sum_logarithms(Sequence* s) noexcept nogil:
    """The same sums in logarithms, from the raw slots."""
    cdef LogProbability ring
    cdef Py_ssize_t frame, k
    for frame in range(s.frames):
        for k in range(s.columns):
            s.emission[frame * s.columns + k] = s.raw[frame * s.columns + k] - s.top[frame]
        spread(s, frame)
    start(ring, s)
    to_middle(ring, s, FORWARD)
    to_middle(ring, s, BACKWARD)
    beyond_middle(ring, s, FORWARD)
    beyond_middle(ring, s, BACKWARD)


cdef inline double finish(Sequence* s) noexcept nogil:
    """The value of a sample whose sums are done; a sum that left the range is done again."""
    cdef double offset = 0.0, value
    cdef Py_ssize_t frame
    if s.chain[FORWARD].lost or s.chain[BACKWARD].lost:
        sum_logarithms(s)
        s.in_logarithms = True
    for frame in range(s.frames):
        offset += s.top[frame] - s.lse[frame]
    # Scaling multiplied the sum by a power of two.
    offset -= 0.6931471805599453 * <double>(s.chain[FORWARD].at_middle + s.chain[BACKWARD].at_middle)
    value = -(s.log_total + offset)
    return -log1p(-missed(s)) if s.normalised and value < nearly_certain and has_states_of_its_own(s) else value


cdef inline bint settle(CTCCall* call, Sequence* s, double value) noexcept nogil:
    """Store the value of a sample and write the gradient where it is one number; return whether slots remain."""
    cdef bint infinite = value == INFINITY
    call.values[s.sample] = 0.0 if infinite and call.zero_infinity else value
    if not call.want_grad:
        return False
    if infinite or value != value:      # no path has a probability, or a NaN is on one
        write_constant(call, s.sample, 0, s.frames, 0.0 if infinite and call.zero_infinity else NAN)
        return False
    return True


cdef inline bint begin_sample(CTCCall* call, Py_ssize_t sample) noexcept nogil:
    """Answer what needs no lattice: masked, empty and impossible samples, frames past the end. False if that is all."""
    cdef Sequence* s = &call.sequences[sample]
    if s.frames < 0:
        call.values[sample] = 0.0
        if call.want_grad:
            write_constant(call, sample, 0, call.frames, 0.0)
        return False
    if call.want_grad:
        write_constant(call, sample, s.frames, call.frames, 0.0)
    if s.middle < 0:                    # fewer frames than the shortest path
        settle(call, s, INFINITY)
        return False
    if s.frames == 0:
        call.values[sample] = 0.0
        return False
    return True


cdef inline void whole_sample(CTCCall* call, Py_ssize_t sample, int thread) noexcept nogil:
    cdef Sequence* s = &call.sequences[sample]
    if not begin_sample(call, sample):
        return
    lay_out(s, <double*>(call.seats + thread * call.seat_bytes))
    if call.paths != NULL:
        call.values[sample] = best_path(call, s)
        return
    read_chunk(call, s, 0, s.frames, thread)
    prepare_sums(s)
    sum_to_middle(s, FORWARD)
    sum_to_middle(s, BACKWARD)
    sum_beyond_middle(s, FORWARD)
    sum_beyond_middle(s, BACKWARD)
    if settle(call, s, finish(s)):
        write_slots(call, s, 0, s.frames)
