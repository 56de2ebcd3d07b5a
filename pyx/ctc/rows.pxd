"""Rows of classes: what is read of the input before the sums, and what is written to the gradient.

``read_frames``     each row once: log-softmax where the input is logits, the gradient of all classes as if none were
                    in the target, and the slots' log-probabilities set aside.
``write_slots``     the gradient of the slots, over what ``read_frames`` wrote.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t
from libc.string cimport memset

from blocks cimport narrow_run, real, stream, stream_fence, sum_block, widen_run
from ctc.call cimport LANES, CTCCall, Sequence, View, address, is_direct, rounded
from job cimport BFLOAT16, FLOAT32, FLOAT64
from softmax.reduce cimport row_exp, row_max

cdef extern from "losslib/core/vecmath.h" namespace "losslib" nogil:
    T exp[T](T x)
    T exp_nonpositive[T](T x)
    T log[T](T x)

cdef enum:
    PADDED = 256         # classes up to which a row is copied and filled up
    # Frames that go through each loop together: a vector read right after its numbers were written one by one waits
    # for all of them.
    BLOCK = 8


# ---- slots -------------------------------------------------------------------------------------------------------

cdef inline void pick(const Sequence* s, const View* view, Py_ssize_t frame, double* raw) noexcept nogil:
    """Read the slots of a frame from the array itself."""
    cdef const char* row = address(view, frame, s.sample)
    cdef Py_ssize_t k
    if view.type == FLOAT32:
        for k in range(s.slots):
            raw[k] = (<const float*>(row + s.classes[k] * view.classes))[0]
    elif view.type == FLOAT64:
        for k in range(s.slots):
            raw[k] = (<const double*>(row + s.classes[k] * view.classes))[0]
    else:
        for k in range(s.slots):
            widen_run(row + s.classes[k] * view.classes, 0, view.type, raw + k, 1)


cdef inline void relate(Sequence* s, Py_ssize_t frame) noexcept nogil:
    """Take `top` off the slots of a frame; emissions relative to the largest slot, which becomes `top`, and zero for
    padding."""
    cdef double* raw = s.raw + frame * s.columns
    cdef double* emission = s.emission + frame * s.columns
    cdef double top = s.top[frame]
    cdef Py_ssize_t k
    for k in range(s.slots):
        raw[k] -= top
    for k in range(s.slots, s.columns):
        raw[k] = -INFINITY
    top = row_max(<const double*>raw, s.columns)
    if top == -INFINITY:
        top = 0.0
    s.top[frame] = top
    for k in range(s.columns):
        emission[k] = exp_nonpositive(raw[k] - top)


cdef inline void spread(Sequence* s, Py_ssize_t frame) noexcept nogil:
    """Give each label of the sample the emission of its slot."""
    cdef const double* emission = s.emission + frame * s.columns
    cdef double* labels = s.label_emission + frame * s.width
    cdef const int32_t* slot = s.slot
    cdef Py_ssize_t i
    for i in range(s.width):
        labels[i] = emission[slot[i]]


# ---- reading -----------------------------------------------------------------------------------------------------

cdef inline const real* fetch(const CTCCall* call, const char* source, real* copy, Py_ssize_t n) noexcept nogil:
    """A row of the input as numbers to compute with: where it stands, or a copy. Few classes are copied in any case and
    filled up with -inf to n numbers: loops without a remainder are worth more than the copy costs."""
    cdef Py_ssize_t c
    if n <= PADDED or not is_direct(call, &call.input):
        widen_run(source, call.input.classes, call.input.type, copy, call.classes)
        for c in range(call.classes, n):
            copy[c] = -INFINITY
        return copy
    return <const real*>source


cdef inline void deliver(const CTCCall* call, char* target, const real* row) noexcept nogil:
    if call.streaming and is_direct(call, &call.grad):
        stream(target, <const char*>row, call.classes * sizeof(real))
    else:
        narrow_run(row, target, call.grad.classes, call.grad.type, call.classes)


cdef inline double outside_slots(const Sequence* s, real* e, double* kept, double* total,
                                 Py_ssize_t n) noexcept nogil:
    """The part of a row's exponentials that is in no slot; where small, added up by itself, and the total anew."""
    cdef double inside = 0.0, outside
    cdef Py_ssize_t k
    for k in range(s.slots):
        inside += <double>e[s.classes[k]]
    if inside < 0.9 * total[0]:
        return (total[0] - inside) / total[0]
    for k in range(s.slots):
        kept[k] = <double>e[s.classes[k]]
        e[s.classes[k]] = 0
    outside = sum_block(<const real*>e, n)
    for k in range(s.slots):
        e[s.classes[k]] = <real>kept[k]
    total[0] = inside + outside
    return outside / total[0]


cdef inline void read_row(const CTCCall* call, Sequence* s, Py_ssize_t frame, real* copy, Py_ssize_t n,
                          bint direct) noexcept nogil:
    """One row: its largest logit (to `top`), the sum of exponentials, and the gradient without the target."""
    cdef char* target = address(&call.grad, frame, s.sample) if call.want_grad else NULL
    cdef real* e = <real*>target if direct else copy + n
    cdef const real* x = fetch(call, address(&call.input, frame, s.sample), copy, n)
    cdef real m, factor, scale = <real>call.scale[s.sample]
    cdef double total
    cdef Py_ssize_t c
    if call.logits:
        m = row_max(x, n)
        total = row_exp(x, m, e, n).sum
        s.outside[frame] = outside_slots(s, e, s.emission + frame * s.columns, &total, n)
        s.top[frame] = <double>m
        s.ratio[frame] = total
        if call.want_grad:
            factor = <real>(call.scale[s.sample] / total)
            for c in range(n):
                e[c] = e[c] * factor
    elif e == x:
        for c in range(n):
            e[c] = exp(e[c]) * scale
    else:
        for c in range(n):
            e[c] = exp(x[c]) * scale
    if call.want_grad and not direct:
        deliver(call, target, e)


cdef inline void read_frames(const CTCCall* call, Sequence* s, Py_ssize_t first, Py_ssize_t stop,
                             const char* buffer, real tag) noexcept nogil:
    """Frames first … stop of a sample. A row of the input is read before the same row of the gradient is written."""
    cdef Py_ssize_t frame, last, n = call.classes
    cdef real* copy = <real*>buffer
    cdef bint direct
    if n <= PADDED:
        n = rounded(n, LANES)
    direct = (call.want_grad and not call.streaming and n == call.classes and is_direct(call, &call.grad))
    while first < stop:
        last = min(first + BLOCK, stop)
        for frame in range(first, last):
            pick(s, &call.input, frame, s.raw + frame * s.columns)
        for frame in range(first, last):
            s.top[frame] = 0.0
            s.ratio[frame] = 1.0
            if call.logits or call.want_grad:
                read_row(call, s, frame, copy, n, direct)
        for frame in range(first, last):
            relate(s, frame)
        for frame in range(first, last):
            spread(s, frame)
        for frame in range(first, last):        # ratio held the sum of exponentials
            s.lse[frame] = log(s.ratio[frame])
            s.ratio[frame] = exp(s.top[frame] - s.lse[frame])
        first = last
    if call.streaming:
        stream_fence()

# ---- writing -----------------------------------------------------------------------------------------------------

cdef inline void write_slots(const CTCCall* call, const Sequence* s, Py_ssize_t first, Py_ssize_t stop) noexcept nogil:
    """The gradient of the slots: the derivatives times the sample's scale."""
    cdef Py_ssize_t frame, k
    cdef const double* derivative
    cdef char* row
    cdef double scale = call.scale[s.sample], value
    for frame in range(first, stop):
        derivative = s.emission + frame * s.columns
        row = address(&call.grad, frame, s.sample)
        if call.grad.type == FLOAT32:
            for k in range(s.slots):
                (<float*>(row + s.classes[k] * call.grad.classes))[0] = <float>(derivative[k] * scale)
        else:
            for k in range(s.slots):
                value = derivative[k] * scale
                narrow_run(&value, row + s.classes[k] * call.grad.classes, 0, call.grad.type, 1)


cdef inline void write_constant(const CTCCall* call, Py_ssize_t sample, Py_ssize_t first, Py_ssize_t stop,
                                double value) noexcept nogil:
    """One number for every class of frames first … stop; zero bytes are zero in every type."""
    cdef Py_ssize_t frame, c, size = 2 if call.grad.type <= BFLOAT16 else (4 if call.grad.type == FLOAT32 else 8)
    cdef char* row
    for frame in range(first, stop):
        row = address(&call.grad, frame, sample)
        if value == 0.0 and call.grad.classes == size:
            memset(row, 0, call.classes * size)
        else:
            for c in range(call.classes):
                narrow_run(&value, row + c * call.grad.classes, 0, call.grad.type, 1)
