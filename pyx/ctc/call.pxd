"""One call of the CTC geometry, as its passes read it: arrays (frames, samples, classes), and each sample's lattice.

For a sample of T frames and L labels only the classes that its target uses and the blank take part in the lattice.
They are called its slots. The arrays of a sample lie in one workspace.

States of a frame, as doubles: a border of BORDER zeros (of the semiring), `width` labels, `width` blanks. The label
before the first one is in the border; labels and blanks beyond those of the sample have emission zero.
"""

from libc.stdint cimport int32_t, int64_t

from job cimport FLOAT32, FLOAT64

cdef enum:
    VECTOR = 8           # states that a step takes at a time
    BORDER = 8
    LANES = 16           # of sums over states
    ROUND = 8            # doubles to which a row of slots is rounded up
    FORWARD = 0
    BACKWARD = 1

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

cdef struct View:
    char* data
    int type
    Py_ssize_t frame, sample, classes      # strides in bytes

cdef struct CTCCall:
    Py_ssize_t frames, samples, classes    # of the input's array
    View input
    View grad
    bint want_grad, logits, zero_infinity
    bint double_precision, streaming
    const int64_t* frames_of               # by sample; -1 where it is masked out
    const double* scale                    # of derivatives by sample
    double* values                         # by sample; of the best path where paths are wanted
    int64_t* paths                         # a row of frames for each sample, or NULL
    Sequence* sequences
    char* seats                            # workspaces of samples under way
    Py_ssize_t seat_bytes
    char* rows                             # buffers of two rows for each thread
    Py_ssize_t row_bytes
    Py_ssize_t chunk                       # frames of a task
    Py_ssize_t in_logarithms               # samples computed in logarithms


cdef inline double* states_of(const Sequence* s, Py_ssize_t frame) noexcept nogil:
    return s.states + (frame + 1) * s.stride


cdef inline char* address(const View* view, Py_ssize_t frame, Py_ssize_t sample) noexcept nogil:
    return view.data + frame * view.frame + sample * view.sample


cdef inline Py_ssize_t rounded(Py_ssize_t n, Py_ssize_t unit) noexcept nogil:
    return (n + unit - 1) // unit * unit


cdef inline bint is_direct(const CTCCall* call, const View* view) noexcept nogil:
    """True if the classes of a frame are neighbours in the type that is computed in."""
    return (view.type == (FLOAT64 if call.double_precision else FLOAT32)
            and view.classes == (8 if call.double_precision else 4))


# ---- a sample ----------------------------------------------------------------------------------------------------

cdef inline Py_ssize_t lay_out(Sequence* s, double* memory) noexcept nogil:
    """Place the arrays of a sample in its workspace; return how many doubles they take."""
    cdef double* next = memory
    cdef int k
    s.raw = next
    next += s.frames * s.columns
    s.emission = next
    next += s.frames * s.columns
    s.label_emission = next
    next += s.frames * s.width
    s.top = next
    next += s.frames
    s.lse = next
    next += s.frames
    s.ratio = next
    next += s.frames
    s.outside = next
    next += s.frames
    s.states = next
    next += (s.frames + 2) * s.stride + BORDER
    s.skip = next
    next += s.width + BORDER
    for k in range(2):
        s.chain[k].emission = next
        next += s.width
        s.chain[k].product = next
        next += 2 * s.width
        s.chain[k].share = next
        next += s.columns
        s.chain[k].meeting = next
        next += s.stride + BORDER
    return next - memory


cdef inline Py_ssize_t describe(Sequence* s, const int64_t* labels, Py_ssize_t blank, int32_t* slot,
                                Py_ssize_t* classes, int32_t* found) noexcept nogil:
    """Give every label of a sample its slot; return the frames that its shortest path takes.

    `found` holds zeros for every class, and does so again afterwards.
    """
    cdef Py_ssize_t i, shortest = s.labels
    cdef int32_t k
    classes[0] = blank
    s.slots = 1
    for i in range(s.labels):
        k = found[labels[i]]
        if k == 0 and labels[i] != blank:       # a label that is the blank, where check=False let it pass, is slot 0
            k = <int32_t>s.slots
            found[labels[i]] = k
            classes[k] = labels[i]
            s.slots += 1
        slot[i] = k
        if i > 0 and labels[i] == labels[i - 1]:
            shortest += 1
    for i in range(s.labels):
        found[labels[i]] = 0
    s.width = rounded(s.labels + 1, LANES)
    s.stride = BORDER + 2 * s.width
    s.columns = rounded(s.slots + 1, ROUND)
    for i in range(s.labels, s.width):
        slot[i] = <int32_t>s.slots
    s.slot = slot
    s.classes = classes
    s.middle = s.frames // 2
    return shortest
