"""The CTC geometry: sums over every alignment of a target with the frames of an input.

Three parts follow each other for a sample (``sample.pxd``): its rows of classes are read (``rows.pxd``), the paths are
summed, which gives derivatives by slot (``paths.pxd``, in the steps of ``steps.pxd``), and the gradient of the slots is
written (``rows.pxd``). Many samples are shared out among threads one by one; of a few the frames are, and the two
directions of the sums. Each part is computed in the same way in both cases, and no bit depends on threads.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free, malloc

from ctc.best cimport decode_sample
from ctc.call cimport LANES, CTCCall, Sequence, View, describe, is_direct, lay_out, rounded
from ctc.rows cimport write_slots
from ctc.sample cimport (
    begin_sample, finish, prepare_sums, read_chunk, settle, sum_beyond_middle, sum_to_middle, whole_sample,
)
from gate cimport ThreadGate
from job cimport FLOAT64
from memory cimport start_of, type_of
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    CHUNK = 16384          # elements of an input that one thread takes at a time, in whole frames
    STREAMING = 16777216   # bytes of a gradient from which it is stored past the caches
    MANY = 4               # samples for each thread from which they are not divided further


# ---- the driver --------------------------------------------------------------------------------------------------

# Many samples are computed one by one from start to end. Of a few, threads share the frames and the two directions: the
# passes from READ to WRITE follow each other.
cdef enum Pass:
    WHOLE = 0
    READ = 1
    TO_MIDDLE = 2
    BEYOND_MIDDLE = 3
    WRITE = 4


cdef inline Py_ssize_t chunks_of(const CTCCall* call) noexcept nogil:
    return (call.frames + call.chunk - 1) // call.chunk


cdef inline bint is_under_way(const Sequence* s) noexcept nogil:
    """True if the sample has frames and a path through them."""
    return s.frames > 0 and s.middle >= 0


cdef void run_task(CTCCall* call, Pass stage, Py_ssize_t task, int thread) noexcept nogil:
    cdef Py_ssize_t parts = 1, first, stop
    cdef Sequence* s
    if stage == WHOLE:
        whole_sample(call, task, thread)
        return
    parts = 2 if stage == TO_MIDDLE or stage == BEYOND_MIDDLE else chunks_of(call)
    s = &call.sequences[task // parts]
    if not is_under_way(s):
        return
    if stage == TO_MIDDLE:
        sum_to_middle(s, <int>(task % 2))
    elif stage == BEYOND_MIDDLE:
        sum_beyond_middle(s, <int>(task % 2))
    else:
        first = task % parts * call.chunk
        stop = min(first + call.chunk, s.frames)
        if stage == READ:
            read_chunk(call, s, first, stop, thread)
        elif s.derivative:
            write_slots(call, s, first, stop)


cdef void run_tasks(CTCCall* call, Pass stage, Py_ssize_t first, Py_ssize_t stop, int thread) noexcept nogil:
    cdef Py_ssize_t task
    for task in range(first, stop):
        run_task(call, stage, task, thread)


cdef Py_ssize_t prepare_pass(CTCCall* call, Pass stage) noexcept nogil:
    """What is done between two passes, on one thread; return the number of tasks of the pass to come."""
    cdef Py_ssize_t sample
    cdef Sequence* s
    if stage == WHOLE:
        return call.samples
    if stage == TO_MIDDLE or stage == BEYOND_MIDDLE:
        return 2 * call.samples
    for sample in range(call.samples):
        s = &call.sequences[sample]
        if stage == WRITE:
            if is_under_way(s):
                s.derivative = settle(call, s, finish(s))
        elif begin_sample(call, sample):
            lay_out(s, <double*>(call.seats + sample * call.seat_bytes))
            prepare_sums(s)
    return chunks_of(call) * call.samples if stage == READ or call.want_grad else 0


cdef int execute(CTCCall* call, const int64_t* labels, const int64_t* offsets, const int64_t* lengths,
                 Py_ssize_t most_labels, Py_ssize_t blank) except -1:
    """Describe every sample, find memory and threads, and run."""
    cdef Py_ssize_t n = call.samples, room = rounded(most_labels + 1, LANES), sample, seats, need = 0, elements = 0
    cdef Py_ssize_t states = 0, shortest, tasks, i
    cdef Sequence* s
    cdef int32_t* slot = NULL
    cdef Py_ssize_t* classes = NULL
    cdef int32_t* found = NULL
    cdef double cost
    cdef int width, stage
    cdef bint divided, failed = False
    cdef FloatMode mode = get_float_mode()
    call.seats = call.rows = NULL
    call.in_logarithms = 0
    call.row_bytes = rounded(2 * rounded(call.classes, LANES) * sizeof(double), 64) + 64
    call.chunk = max(<Py_ssize_t>1, CHUNK // call.classes)
    call.streaming = (call.want_grad and is_direct(call, &call.grad) and
                      call.frames * n * call.classes * (8 if call.double_precision else 4) >= STREAMING)
    with nogil:
        call.sequences = <Sequence*>calloc(n, sizeof(Sequence))
        slot = <int32_t*>malloc(n * room * sizeof(int32_t))
        classes = <Py_ssize_t*>malloc(n * room * sizeof(Py_ssize_t))
        found = <int32_t*>calloc(call.classes, sizeof(int32_t))
        failed = call.sequences == NULL or slot == NULL or classes == NULL or found == NULL
        if not failed:
            for sample in range(n):
                s = &call.sequences[sample]
                s.sample = sample
                s.frames = call.frames_of[sample]
                s.derivative = call.want_grad
                s.normalised = call.logits
                if s.frames < 0:
                    continue
                s.labels = lengths[sample]
                shortest = describe(s, labels + offsets[sample], blank, slot + sample * room, classes + sample * room,
                                    found)
                if s.frames < shortest:
                    s.middle = -1
                    continue
                need = max(need, lay_out(s, NULL))
                elements += s.frames * call.classes
                states += s.frames * s.width
            cost = elements * (2.0 if call.double_precision else 1.0) + states * 4.0
            width = _gate.begin(cost)
            divided = width > 1 and n < MANY * width and call.paths == NULL
            seats = n if divided else width
            call.seat_bytes = rounded(need * sizeof(double), 64) + 64
            call.seats = <char*>malloc(seats * call.seat_bytes)
            call.rows = <char*>malloc(width * call.row_bytes)
            failed = call.seats == NULL or call.rows == NULL
            if not failed:
                for stage in range(READ if divided else WHOLE, WRITE + 1 if divided else WHOLE + 1):
                    tasks = prepare_pass(call, <Pass>stage)
                    if width == 1:
                        run_tasks(call, <Pass>stage, 0, tasks, 0)
                    else:
                        for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                            set_float_mode(mode)
                            run_tasks(call, <Pass>stage, first_task(i, tasks, width), first_task(i + 1, tasks, width),
                                      threadid())
                for sample in range(n):
                    call.in_logarithms += call.sequences[sample].in_logarithms
            if width > 1:
                _gate.end()
        free(call.sequences)
        free(slot)
        free(classes)
        free(found)
        free(call.seats)
        free(call.rows)
    if failed:
        raise MemoryError(f"no memory for the lattices of {n} samples of up to {call.frames} frames")
    return 0


# ---- called from losslib.geometries.ctc --------------------------------------------------------------------------

cdef int place(View* view, object array) except -1:
    view.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    view.type = type_of(array)
    view.frame, view.sample, view.classes = array.strides
    return 0


def run(input, labels, offsets, frames, lengths, *, Py_ssize_t blank, bint logits, bint zero_infinity, scale, values,
        grad=None):
    """Compute the values, and the gradients times `scale`; everything was checked by ``losslib.geometries.ctc``.

    Parameters
    ----------
    input, grad
        Arrays (frames, samples, classes) of one type; the gradient may be the input itself.
    labels, offsets, lengths
        Int64: all labels, where each sample's begin, and how many there are. No label is the blank.
    frames
        Int64: the frames of each sample, -1 where it is masked out.
    scale, values
        Float64, one number a sample.

    Returns
    -------
    int
        Samples that were computed in logarithms.
    """
    cdef CTCCall call
    call.frames, call.samples, call.classes = input.shape
    place(&call.input, input)
    call.want_grad = grad is not None
    if call.want_grad:
        place(&call.grad, grad)
    call.logits = logits
    call.zero_infinity = zero_infinity
    call.double_precision = call.input.type == FLOAT64
    call.frames_of = <const int64_t*>start_of(frames)
    call.scale = <const double*>start_of(scale)
    call.values = <double*>start_of(values)
    call.paths = NULL
    execute(&call, <const int64_t*>start_of(labels), <const int64_t*>start_of(offsets),
            <const int64_t*>start_of(lengths), max(lengths.max(initial=0), 0), blank)
    return call.in_logarithms


def align(input, labels, offsets, frames, lengths, *, Py_ssize_t blank, values, paths):
    """Find the best path of every sample; arguments as for ``run``.

    Parameters
    ----------
    values
        Float64, one number a sample: minus the log-probability of its best path, inf where there is none.
    paths
        Int64 (samples, frames): the class of every frame; frames beyond a sample's length are left as they are.
    """
    cdef CTCCall call
    call.frames, call.samples, call.classes = input.shape
    place(&call.input, input)
    call.want_grad = call.logits = call.zero_infinity = False
    call.double_precision = call.input.type == FLOAT64
    call.frames_of = <const int64_t*>start_of(frames)
    call.scale = NULL
    call.values = <double*>start_of(values)
    call.paths = <int64_t*>start_of(paths)
    execute(&call, <const int64_t*>start_of(labels), <const int64_t*>start_of(offsets),
            <const int64_t*>start_of(lengths), max(lengths.max(initial=0), 0), blank)


def decode(input, frames, *, Py_ssize_t blank, labels, counts, scores):
    """Decode every sample greedily.

    Parameters
    ----------
    input
        Array (frames, samples, classes).
    frames
        Int64: the frames of each sample.
    labels
        Int64 (samples, frames), of which the first ``counts`` of a row are written.
    counts, scores
        Int64 and float64, one number a sample: how many labels, and the sum of the frames' largest scores.
    """
    cdef View view
    cdef Py_ssize_t most, samples, classes, sample
    cdef const int64_t* lengths = <const int64_t*>start_of(frames)
    cdef int64_t* written = <int64_t*>start_of(labels)
    cdef int64_t* count = <int64_t*>start_of(counts)
    cdef double* score = <double*>start_of(scores)
    cdef double* row
    most, samples, classes = input.shape
    place(&view, input)
    row = <double*>malloc(classes * sizeof(double))
    if row == NULL:
        raise MemoryError(f"no memory for a row of {classes} classes")
    with nogil:
        for sample in range(samples):
            count[sample] = decode_sample(&view, sample, lengths[sample], classes, blank, row, written + sample * most,
                                          score + sample)
        free(row)
