"""Sums over the paths of one sample: forward from the start and backward from the end, to the middle and beyond.

Both directions stop at the middle frame, having stored the states they came through. Then each goes on through the
half of the other, and at every frame the two sums meet: their product, normalised, is the posterior of each state.
So a state is stored once, and the two directions are work for two threads that need each other once.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from blocks cimport sum_block
from ctc.call cimport BACKWARD, BORDER, FORWARD, VECTOR, Chain, Sequence, states_of
from ctc.steps cimport (
    LogProbability, ScaledProbability, Semiring, Summation, meet_backward, meet_forward, step_backward, step_forward,
)

cdef extern from "losslib/ctc/ctc.h" namespace "losslib" nogil:
    const double least_total
    int scale_exponent(double largest)
    double power_of_two(int exponent)
    T exp[T](T x)
    T log[T](T x)

cdef enum:
    RESCALED = 8         # frames after which scaled probabilities are brought back near 1: they grow by 3 a frame


cdef inline void fill(double* states, double value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        states[i] = value


cdef inline const double* emission_of(Semiring ring, const Sequence* s, Chain* chain, Py_ssize_t frame,
                                      double* blank) noexcept nogil:
    """The emissions of the labels at a frame, and the blank's; times the factor, if one was chosen."""
    cdef const double* emission = s.label_emission + frame * s.width
    cdef Py_ssize_t i
    blank[0] = s.emission[frame * s.columns]
    if Semiring is ScaledProbability:
        if chain.exponent != 0:
            for i in range(s.width):
                chain.emission[i] = emission[i] * chain.factor
            blank[0] *= chain.factor
            chain.applied += chain.exponent
            chain.exponent = 0
            return chain.emission
    return emission


cdef inline double largest_of(const double* x, Py_ssize_t n) noexcept nogil:
    """The largest of a multiple of VECTOR numbers, leaving out NaN."""
    cdef double[VECTOR] lane
    cdef Py_ssize_t i = 0
    cdef int k
    for k in range(VECTOR):
        lane[k] = -INFINITY
    while i < n:
        for k in range(VECTOR):
            lane[k] = x[i + k] if x[i + k] > lane[k] else lane[k]
        i += VECTOR
    for k in range(1, VECTOR):
        lane[0] = lane[k] if lane[k] > lane[0] else lane[0]
    return lane[0]


cdef inline void rescale(Semiring ring, const Sequence* s, Chain* chain, Py_ssize_t frame) noexcept nogil:
    """Choose the factor of the next frame's emissions. It depends on the frame's number, not on who computes it."""
    if Semiring is ScaledProbability:
        if frame % RESCALED == 0:
            chain.exponent = -scale_exponent(largest_of(states_of(s, frame) + BORDER, 2 * s.width))
            chain.factor = power_of_two(chain.exponent)


# ---- up to the middle --------------------------------------------------------------------------------------------

cdef inline void start(Semiring ring, Sequence* s) noexcept nogil:
    """Set the state before the first frame and the one after the last, and the labels that may skip a blank."""
    cdef Py_ssize_t i
    cdef int k
    fill(states_of(s, -1), ring.zero, s.stride)
    fill(states_of(s, s.frames), ring.zero, s.stride + BORDER)
    states_of(s, -1)[BORDER + s.width] = ring.one
    states_of(s, s.frames)[BORDER + s.width + s.labels] = ring.one
    fill(s.skip, ring.zero, s.width + BORDER)
    for i in range(1, s.labels):
        if s.slot[i] != s.slot[i - 1]:
            s.skip[i] = ring.one
    for k in range(2):
        s.chain[k].exponent = 0
        s.chain[k].applied = 0
        s.chain[k].lost = False


cdef inline void forward_to(Semiring ring, Sequence* s, Py_ssize_t stop) noexcept nogil:
    cdef Chain* chain = &s.chain[FORWARD]
    cdef const double* emission
    cdef Py_ssize_t frame
    cdef double blank
    for frame in range(stop):
        emission = emission_of(ring, s, chain, frame, &blank)
        fill(states_of(s, frame), ring.zero, BORDER)
        step_forward(ring, states_of(s, frame - 1), emission, blank, s.skip, states_of(s, frame), s.width)
        rescale(ring, s, chain, frame)


cdef inline void backward_to(Semiring ring, Sequence* s, Py_ssize_t stop) noexcept nogil:
    cdef Chain* chain = &s.chain[BACKWARD]
    cdef const double* emission
    cdef Py_ssize_t frame
    cdef double blank
    for frame in range(s.frames - 1, stop - 1, -1):
        emission = emission_of(ring, s, chain, frame, &blank)
        fill(states_of(s, frame), ring.zero, BORDER)
        step_backward(ring, states_of(s, frame + 1), emission, blank, s.skip, states_of(s, frame), s.width)
        rescale(ring, s, chain, frame)


cdef inline void to_middle(Summation ring, Sequence* s, int direction) noexcept nogil:
    """Go to the middle and keep the last states apart: the other direction will overwrite them."""
    if direction == FORWARD:
        forward_to(ring, s, s.middle)
        memcpy(s.chain[FORWARD].meeting, states_of(s, s.middle - 1), s.stride * sizeof(double))
    else:
        backward_to(ring, s, s.middle)
        memcpy(s.chain[BACKWARD].meeting, states_of(s, s.middle), s.stride * sizeof(double))
        fill(s.chain[BACKWARD].meeting + s.stride, ring.zero, BORDER)
    s.chain[direction].at_middle = s.chain[direction].applied


# ---- beyond the middle -------------------------------------------------------------------------------------------

cdef inline void posterior(Summation ring, Sequence* s, Chain* chain, Py_ssize_t frame) noexcept nogil:
    """Turn the products of a frame into derivatives by the slots' logits.

    With p the probability of a class and gamma the share of all paths that emit it at this frame, the derivative of
    the loss by the logit is p - gamma.
    """
    cdef double* row = s.emission + frame * s.columns
    cdef double* product = chain.product
    cdef double* share = chain.share
    cdef const int32_t* slot = s.slot
    cdef double origin = 0.0, blanks, total, inverse, ratio
    cdef Py_ssize_t i
    if Summation is LogProbability:
        origin = largest_of(product, 2 * s.width)
        if origin == ring.zero:
            origin = 0.0
        for i in range(2 * s.width):
            product[i] = exp(product[i] - origin)
    blanks = sum_block(<const double*>product + s.width, s.width)
    total = sum_block(<const double*>product, s.width) + blanks
    if not total >= least_total:
        chain.lost = True
    if frame == s.middle:
        s.log_total = origin + log(total)
    if not s.derivative:
        return
    inverse = 1.0 / total
    memset(share, 0, s.columns * sizeof(double))
    share[0] = blanks
    for i in range(s.labels):
        share[slot[i]] += product[i]
    if Summation is LogProbability:
        for i in range(s.columns):
            row[i] = exp(row[i])
    ratio = s.ratio[frame]
    if ratio < INFINITY:
        for i in range(s.columns):
            row[i] = row[i] * ratio - share[i] * inverse
    else:       # log-probabilities far above 0
        for i in range(s.slots):
            row[i] = exp(s.raw[frame * s.columns + i] - s.lse[frame]) - share[i] * inverse


cdef inline void beyond_middle(Summation ring, Sequence* s, int direction) noexcept nogil:
    cdef Chain* chain = &s.chain[direction]
    cdef const double* before = chain.meeting
    cdef const double* emission
    cdef Py_ssize_t frame
    cdef double blank
    if direction == FORWARD:
        for frame in range(s.middle, s.frames):
            emission = emission_of(ring, s, chain, frame, &blank)
            meet_forward(ring, before, emission, blank, s.skip, states_of(s, frame), chain.product, s.width)
            before = states_of(s, frame)
            rescale(ring, s, chain, frame)
            posterior(ring, s, chain, frame)
    else:
        for frame in range(s.middle - 1, -1, -1):
            emission = emission_of(ring, s, chain, frame, &blank)
            meet_backward(ring, before, emission, blank, s.skip, states_of(s, frame), chain.product, s.width)
            before = states_of(s, frame)
            rescale(ring, s, chain, frame)
            posterior(ring, s, chain, frame)
