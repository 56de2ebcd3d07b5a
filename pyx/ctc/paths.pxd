"""Sums over the paths of one sample: forward from the start and backward from the end, to the middle and beyond.

Both directions stop at the middle frame, having stored the states they came through. Then each goes on through the
half of the other, and at every frame the two sums meet: their product, normalised, is the posterior of each state.
So a state is stored once, and the two directions are work for two threads that need each other once.

States of a frame, as doubles: a border of BORDER zeros (of the semiring), `width` labels, `width` blanks. The label
before the first one is in the border; labels and blanks beyond those of the sample have emission zero.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from blocks cimport sum_block

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
    const double least_total
    int scale_exponent(double largest)
    double power_of_two(int exponent)
    T exp[T](T x)
    T exp_nonpositive[T](T x)
    T log[T](T x)

ctypedef fused Semiring:
    ScaledProbability
    LogProbability
    BestPath

ctypedef fused Summation:
    ScaledProbability
    LogProbability

cdef enum:
    VECTOR = 8           # states that a step takes at a time
    BORDER = 8
    FORWARD = 0
    BACKWARD = 1
    RESCALED = 8         # frames after which scaled probabilities are brought back near 1: they grow by 3 a frame

cdef struct Chain:
    double* emission         # of the labels of one frame, times the factor: [width]
    double* product          # of the two directions' sums at one frame, labels and blanks: [2 width]
    double* share            # of the products' sum, by slot: [columns]
    double* meeting          # the states of the frame before the middle: [stride]
    double factor            # of the next frame's emissions, 2^exponent
    int exponent
    int64_t applied          # sum of the exponents so far
    int64_t at_middle        # that sum when the middle was reached
    bint lost                # a total was below least_total, or NaN

cdef struct Sequence:
    Py_ssize_t sample
    Py_ssize_t frames, labels
    Py_ssize_t slots, columns    # distinct classes, the blank first; columns of a row of them
    Py_ssize_t width, stride     # labels (and blanks) rounded up; doubles of a frame's states
    Py_ssize_t middle
    const int32_t* slot          # of each label; padding has the first column after the slots, which holds zero
    const Py_ssize_t* classes    # of each slot
    double* raw                  # log-probability of each slot, or logit less the largest of the row: [frame][columns]
    double* top                  # the largest of a frame's slots: [frame]
    double* lse                  # log-sum-exp of the row relative to its largest, 0 for log-probabilities: [frame]
    double* ratio                # exp(top - lse), so that a probability is emission * ratio: [frame]
    double* outside              # the part of the row that is in no slot; for logits: [frame]
    double* emission             # of each slot, relative to the top; at the end derivatives: [frame][columns]
    double* label_emission       # of each label: [frame][width]
    double* states               # [frames + 2][stride]; frame t is at t + 1
    double* skip                 # one where a label may follow the one before without a blank: [width + BORDER]
    Chain chain[2]
    bint derivative
    bint normalised              # the input is logits: the classes of a frame have the sum 1
    bint in_logarithms
    double log_total             # log of the sum over all paths, relative to the largest emissions


cdef inline double* states_of(const Sequence* s, Py_ssize_t frame) noexcept nogil:
    return s.states + (frame + 1) * s.stride


# ---- one step ----------------------------------------------------------------------------------------------------

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


# ---- nearly certain samples --------------------------------------------------------------------------------------

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


# ---- the best path -----------------------------------------------------------------------------------------------

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
