"""The lattice geometry: sums over every alignment of a target with the frames of an input (CTC).

For a sample of T frames and L labels only the classes that its target uses and the blank take part in the lattice.
They are called its slots. Three parts follow each other:

``read_frames``     each row of classes once: log-softmax where the input is logits, the gradient of all classes as if
                    none were in the target, and the slots' log-probabilities set aside.
``to_middle``, ``beyond_middle``    the sums over paths, ``lattice_paths.pxd``; derivatives by slot.
``write_slots``     the gradient of the slots, over what ``read_frames`` wrote.

The sums are of probabilities near 1; a sample that leaves their range is computed again in logarithms, from what was
set aside, so that the gradient may overwrite the input. Many samples are shared out among threads one by one; of a few
the frames are, and the two directions of the sums. Each part is computed in the same way in both cases, and no bit
depends on threads.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY, NAN, log1p
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from blocks cimport narrow_run, real, stream, stream_fence, sum_block, widen_run
from gate cimport ThreadGate
from job cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64
from ctc.paths cimport (
    BACKWARD, BORDER, FORWARD, BestPath, LogProbability, ScaledProbability, Sequence, beyond_middle, exp,
    exp_nonpositive, has_states_of_its_own, log, missed, start, to_middle, trace,
)
from softmax.reduce cimport row_exp, row_max
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    CHUNK = 16384          # elements of an input that one thread takes at a time, in whole frames
    STREAMING = 16777216   # bytes of a gradient from which it is stored past the caches
    PADDED = 256           # classes up to which a row is copied and filled up
    # Frames that go through each loop together: a vector read right after its numbers were written one by one waits
    # for all of them.
    BLOCK = 8
    MANY = 4               # samples for each thread from which they are not divided further
    LANES = 16             # of sums over states
    ROUND = 8              # doubles to which a row of slots is rounded up

cdef double NEARLY_CERTAIN = 1e-3     # below this value what the alignment misses is added up instead

cdef struct View:
    char* data
    int type
    Py_ssize_t frame, sample, classes      # strides in bytes

cdef struct Batch:
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


cdef inline char* address(const View* view, Py_ssize_t frame, Py_ssize_t sample) noexcept nogil:
    return view.data + frame * view.frame + sample * view.sample


cdef inline Py_ssize_t rounded(Py_ssize_t n, Py_ssize_t unit) noexcept nogil:
    return (n + unit - 1) // unit * unit


# ---- workspaces --------------------------------------------------------------------------------------------------

cdef Py_ssize_t lay_out(Sequence* s, double* memory) noexcept nogil:
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


cdef Py_ssize_t describe(Sequence* s, const int64_t* labels, Py_ssize_t blank, int32_t* slot, Py_ssize_t* classes,
                         int32_t* found) noexcept nogil:
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


# ---- rows of classes ---------------------------------------------------------------------------------------------

cdef inline bint is_direct(const Batch* batch, const View* view) noexcept nogil:
    """True if the classes of a frame are neighbours in the type that is computed in."""
    return (view.type == (FLOAT64 if batch.double_precision else FLOAT32)
            and view.classes == (8 if batch.double_precision else 4))


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


cdef inline const real* fetch(const Batch* batch, const char* source, real* copy, Py_ssize_t n) noexcept nogil:
    """A row of the input as numbers to compute with: where it stands, or a copy. Few classes are copied in any case and
    filled up with -inf to n numbers: loops without a remainder are worth more than the copy costs."""
    cdef Py_ssize_t c
    if n <= PADDED or not is_direct(batch, &batch.input):
        widen_run(source, batch.input.classes, batch.input.type, copy, batch.classes)
        for c in range(batch.classes, n):
            copy[c] = -INFINITY
        return copy
    return <const real*>source


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


cdef inline void read_row(const Batch* batch, Sequence* s, Py_ssize_t frame, real* copy, Py_ssize_t n,
                          bint direct) noexcept nogil:
    """One row: its largest logit (to `top`), the sum of exponentials, and the gradient without the target."""
    cdef char* target = address(&batch.grad, frame, s.sample) if batch.want_grad else NULL
    cdef real* e = <real*>target if direct else copy + n
    cdef const real* x = fetch(batch, address(&batch.input, frame, s.sample), copy, n)
    cdef real m, factor, scale = <real>batch.scale[s.sample]
    cdef double total
    cdef Py_ssize_t c
    if batch.logits:
        m = row_max(x, n)
        total = row_exp(x, m, e, n).sum
        s.outside[frame] = outside_slots(s, e, s.emission + frame * s.columns, &total, n)
        s.top[frame] = <double>m
        s.ratio[frame] = total
        if batch.want_grad:
            factor = <real>(batch.scale[s.sample] / total)
            for c in range(n):
                e[c] = e[c] * factor
    elif e == x:
        for c in range(n):
            e[c] = exp(e[c]) * scale
    else:
        for c in range(n):
            e[c] = exp(x[c]) * scale
    if batch.want_grad and not direct:
        deliver(batch, target, e)


cdef inline void read_frames(const Batch* batch, Sequence* s, Py_ssize_t first, Py_ssize_t stop, const char* buffer,
                             real tag) noexcept nogil:
    """Frames first … stop of a sample. A row of the input is read before the same row of the gradient is written."""
    cdef Py_ssize_t frame, last, n = batch.classes
    cdef real* copy = <real*>buffer
    cdef bint direct
    if n <= PADDED:
        n = rounded(n, LANES)
    direct = (batch.want_grad and not batch.streaming and n == batch.classes and is_direct(batch, &batch.grad))
    while first < stop:
        last = min(first + BLOCK, stop)
        for frame in range(first, last):
            pick(s, &batch.input, frame, s.raw + frame * s.columns)
        for frame in range(first, last):
            s.top[frame] = 0.0
            s.ratio[frame] = 1.0
            if batch.logits or batch.want_grad:
                read_row(batch, s, frame, copy, n, direct)
        for frame in range(first, last):
            relate(s, frame)
        for frame in range(first, last):
            spread(s, frame)
        for frame in range(first, last):        # ratio held the sum of exponentials
            s.lse[frame] = log(s.ratio[frame])
            s.ratio[frame] = exp(s.top[frame] - s.lse[frame])
        first = last
    if batch.streaming:
        stream_fence()


cdef inline void deliver(const Batch* batch, char* target, const real* row) noexcept nogil:
    if batch.streaming and is_direct(batch, &batch.grad):
        stream(target, <const char*>row, batch.classes * sizeof(real))
    else:
        narrow_run(row, target, batch.grad.classes, batch.grad.type, batch.classes)


cdef inline void write_slots(const Batch* batch, const Sequence* s, Py_ssize_t first, Py_ssize_t stop) noexcept nogil:
    """The gradient of the slots: the derivatives times the sample's scale."""
    cdef Py_ssize_t frame, k
    cdef const double* derivative
    cdef char* row
    cdef double scale = batch.scale[s.sample], value
    for frame in range(first, stop):
        derivative = s.emission + frame * s.columns
        row = address(&batch.grad, frame, s.sample)
        if batch.grad.type == FLOAT32:
            for k in range(s.slots):
                (<float*>(row + s.classes[k] * batch.grad.classes))[0] = <float>(derivative[k] * scale)
        else:
            for k in range(s.slots):
                value = derivative[k] * scale
                narrow_run(&value, row + s.classes[k] * batch.grad.classes, 0, batch.grad.type, 1)


cdef inline void write_constant(const Batch* batch, Py_ssize_t sample, Py_ssize_t first, Py_ssize_t stop,
                                double value) noexcept nogil:
    """One number for every class of frames first … stop; zero bytes are zero in every type."""
    cdef Py_ssize_t frame, c, size = 2 if batch.grad.type <= BFLOAT16 else (4 if batch.grad.type == FLOAT32 else 8)
    cdef char* row
    for frame in range(first, stop):
        row = address(&batch.grad, frame, sample)
        if value == 0.0 and batch.grad.classes == size:
            memset(row, 0, batch.classes * size)
        else:
            for c in range(batch.classes):
                narrow_run(&value, row + c * batch.grad.classes, 0, batch.grad.type, 1)


# ---- one sample --------------------------------------------------------------------------------------------------

cdef void read_chunk(const Batch* batch, Sequence* s, Py_ssize_t first, Py_ssize_t stop, int thread) noexcept nogil:
    cdef const char* buffer = batch.rows + thread * batch.row_bytes
    if batch.double_precision:
        read_frames(batch, s, first, stop, buffer, <double>0)
    else:
        read_frames(batch, s, first, stop, buffer, <float>0)


cdef void sum_to_middle(Sequence* s, int direction) noexcept nogil:
    cdef ScaledProbability ring
    to_middle(ring, s, direction)


cdef void sum_beyond_middle(Sequence* s, int direction) noexcept nogil:
    cdef ScaledProbability ring
    beyond_middle(ring, s, direction)


cdef void prepare_sums(Sequence* s) noexcept nogil:
    cdef ScaledProbability ring
    start(ring, s)


cdef void sum_logarithms(Sequence* s) noexcept nogil:
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


cdef double best_path(const Batch* batch, Sequence* s) noexcept nogil:
    """Minus the log-probability of the best path, which is written to its row of the paths."""
    cdef BestPath ring
    cdef Py_ssize_t frame
    for frame in range(s.frames):
        pick(s, &batch.input, frame, s.emission + frame * s.columns)
        s.emission[frame * s.columns + s.slots] = -INFINITY
        spread(s, frame)
    start(ring, s)
    return -trace(ring, s, batch.paths + s.sample * batch.frames)


cdef double finish(Sequence* s) noexcept nogil:
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
    return -log1p(-missed(s)) if s.normalised and value < NEARLY_CERTAIN and has_states_of_its_own(s) else value


cdef inline bint settle(Batch* batch, Sequence* s, double value) noexcept nogil:
    """Store the value of a sample and write the gradient where it is one number; return whether slots remain."""
    cdef bint infinite = value == INFINITY
    batch.values[s.sample] = 0.0 if infinite and batch.zero_infinity else value
    if not batch.want_grad:
        return False
    if infinite or value != value:      # no path has a probability, or a NaN is on one
        write_constant(batch, s.sample, 0, s.frames, 0.0 if infinite and batch.zero_infinity else NAN)
        return False
    return True


cdef bint begin_sample(Batch* batch, Py_ssize_t sample) noexcept nogil:
    """Answer what needs no lattice: masked, empty and impossible samples, frames past the end. False if that is all."""
    cdef Sequence* s = &batch.sequences[sample]
    if s.frames < 0:
        batch.values[sample] = 0.0
        if batch.want_grad:
            write_constant(batch, sample, 0, batch.frames, 0.0)
        return False
    if batch.want_grad:
        write_constant(batch, sample, s.frames, batch.frames, 0.0)
    if s.middle < 0:                    # fewer frames than the shortest path
        settle(batch, s, INFINITY)
        return False
    if s.frames == 0:
        batch.values[sample] = 0.0
        return False
    return True


cdef void whole_sample(Batch* batch, Py_ssize_t sample, int thread) noexcept nogil:
    cdef Sequence* s = &batch.sequences[sample]
    if not begin_sample(batch, sample):
        return
    lay_out(s, <double*>(batch.seats + thread * batch.seat_bytes))
    if batch.paths != NULL:
        batch.values[sample] = best_path(batch, s)
        return
    read_chunk(batch, s, 0, s.frames, thread)
    prepare_sums(s)
    sum_to_middle(s, FORWARD)
    sum_to_middle(s, BACKWARD)
    sum_beyond_middle(s, FORWARD)
    sum_beyond_middle(s, BACKWARD)
    if settle(batch, s, finish(s)):
        write_slots(batch, s, 0, s.frames)


# ---- the driver --------------------------------------------------------------------------------------------------

# Many samples are computed one by one from start to end. Of a few, threads share the frames and the two directions: the
# passes from READ to WRITE follow each other.
cdef enum Pass:
    WHOLE = 0
    READ = 1
    TO_MIDDLE = 2
    BEYOND_MIDDLE = 3
    WRITE = 4


cdef inline Py_ssize_t chunks_of(const Batch* batch) noexcept nogil:
    return (batch.frames + batch.chunk - 1) // batch.chunk


cdef inline bint is_under_way(const Sequence* s) noexcept nogil:
    """True if the sample has frames and a path through them."""
    return s.frames > 0 and s.middle >= 0


cdef void run_task(Batch* batch, Pass stage, Py_ssize_t task, int thread) noexcept nogil:
    cdef Py_ssize_t parts = 1, first, stop
    cdef Sequence* s
    if stage == WHOLE:
        whole_sample(batch, task, thread)
        return
    parts = 2 if stage == TO_MIDDLE or stage == BEYOND_MIDDLE else chunks_of(batch)
    s = &batch.sequences[task // parts]
    if not is_under_way(s):
        return
    if stage == TO_MIDDLE:
        sum_to_middle(s, <int>(task % 2))
    elif stage == BEYOND_MIDDLE:
        sum_beyond_middle(s, <int>(task % 2))
    else:
        first = task % parts * batch.chunk
        stop = min(first + batch.chunk, s.frames)
        if stage == READ:
            read_chunk(batch, s, first, stop, thread)
        elif s.derivative:
            write_slots(batch, s, first, stop)


cdef void run_tasks(Batch* batch, Pass stage, Py_ssize_t first, Py_ssize_t stop, int thread) noexcept nogil:
    cdef Py_ssize_t task
    for task in range(first, stop):
        run_task(batch, stage, task, thread)


cdef Py_ssize_t prepare_pass(Batch* batch, Pass stage) noexcept nogil:
    """What is done between two passes, on one thread; return the number of tasks of the pass to come."""
    cdef Py_ssize_t sample
    cdef Sequence* s
    if stage == WHOLE:
        return batch.samples
    if stage == TO_MIDDLE or stage == BEYOND_MIDDLE:
        return 2 * batch.samples
    for sample in range(batch.samples):
        s = &batch.sequences[sample]
        if stage == WRITE:
            if is_under_way(s):
                s.derivative = settle(batch, s, finish(s))
        elif begin_sample(batch, sample):
            lay_out(s, <double*>(batch.seats + sample * batch.seat_bytes))
            prepare_sums(s)
    return chunks_of(batch) * batch.samples if stage == READ or batch.want_grad else 0


cdef int execute(Batch* batch, const int64_t* labels, const int64_t* offsets, const int64_t* lengths,
                 Py_ssize_t most_labels, Py_ssize_t blank) except -1:
    """Describe every sample, find memory and threads, and run."""
    cdef Py_ssize_t n = batch.samples, room = rounded(most_labels + 1, LANES), sample, seats, need = 0, elements = 0
    cdef Py_ssize_t states = 0, shortest, tasks, i
    cdef Sequence* s
    cdef int32_t* slot = NULL
    cdef Py_ssize_t* classes = NULL
    cdef int32_t* found = NULL
    cdef double cost
    cdef int width, stage
    cdef bint divided, failed = False
    cdef FloatMode mode = get_float_mode()
    batch.seats = batch.rows = NULL
    batch.in_logarithms = 0
    batch.row_bytes = rounded(2 * rounded(batch.classes, LANES) * sizeof(double), 64) + 64
    batch.chunk = max(<Py_ssize_t>1, CHUNK // batch.classes)
    batch.streaming = (batch.want_grad and is_direct(batch, &batch.grad) and
                       batch.frames * n * batch.classes * (8 if batch.double_precision else 4) >= STREAMING)
    with nogil:
        batch.sequences = <Sequence*>calloc(n, sizeof(Sequence))
        slot = <int32_t*>malloc(n * room * sizeof(int32_t))
        classes = <Py_ssize_t*>malloc(n * room * sizeof(Py_ssize_t))
        found = <int32_t*>calloc(batch.classes, sizeof(int32_t))
        failed = batch.sequences == NULL or slot == NULL or classes == NULL or found == NULL
        if not failed:
            for sample in range(n):
                s = &batch.sequences[sample]
                s.sample = sample
                s.frames = batch.frames_of[sample]
                s.derivative = batch.want_grad
                s.normalised = batch.logits
                if s.frames < 0:
                    continue
                s.labels = lengths[sample]
                shortest = describe(s, labels + offsets[sample], blank, slot + sample * room, classes + sample * room,
                                    found)
                if s.frames < shortest:
                    s.middle = -1
                    continue
                need = max(need, lay_out(s, NULL))
                elements += s.frames * batch.classes
                states += s.frames * s.width
            cost = elements * (2.0 if batch.double_precision else 1.0) + states * 4.0
            width = _gate.begin(cost)
            divided = width > 1 and n < MANY * width and batch.paths == NULL
            seats = n if divided else width
            batch.seat_bytes = rounded(need * sizeof(double), 64) + 64
            batch.seats = <char*>malloc(seats * batch.seat_bytes)
            batch.rows = <char*>malloc(width * batch.row_bytes)
            failed = batch.seats == NULL or batch.rows == NULL
            if not failed:
                for stage in range(READ if divided else WHOLE, WRITE + 1 if divided else WHOLE + 1):
                    tasks = prepare_pass(batch, <Pass>stage)
                    if width == 1:
                        run_tasks(batch, <Pass>stage, 0, tasks, 0)
                    else:
                        for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                            set_float_mode(mode)
                            run_tasks(batch, <Pass>stage, first_task(i, tasks, width), first_task(i + 1, tasks, width),
                                      threadid())
                for sample in range(n):
                    batch.in_logarithms += batch.sequences[sample].in_logarithms
            if width > 1:
                _gate.end()
        free(batch.sequences)
        free(slot)
        free(classes)
        free(found)
        free(batch.seats)
        free(batch.rows)
    if failed:
        raise MemoryError(f"no memory for the lattices of {n} samples of up to {batch.frames} frames")
    return 0


# ---- called from losslib.lattice ---------------------------------------------------------------------------------

cdef dict _types = {"float16": FLOAT16, "bfloat16": BFLOAT16, "float32": FLOAT32, "float64": FLOAT64}


cdef int place(View* view, object array) except -1:
    view.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    view.type = _types[array.dtype.name]
    view.frame, view.sample, view.classes = array.strides
    return 0


cdef inline void* data_of(object array) noexcept:
    """Where a contiguous array starts; NULL for None."""
    return NULL if array is None else cnp.PyArray_DATA(<cnp.ndarray>array)


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
    cdef Batch batch
    batch.frames, batch.samples, batch.classes = input.shape
    place(&batch.input, input)
    batch.want_grad = grad is not None
    if batch.want_grad:
        place(&batch.grad, grad)
    batch.logits = logits
    batch.zero_infinity = zero_infinity
    batch.double_precision = batch.input.type == FLOAT64
    batch.frames_of = <const int64_t*>data_of(frames)
    batch.scale = <const double*>data_of(scale)
    batch.values = <double*>data_of(values)
    batch.paths = NULL
    execute(&batch, <const int64_t*>data_of(labels), <const int64_t*>data_of(offsets), <const int64_t*>data_of(lengths),
            max(lengths.max(initial=0), 0), blank)
    return batch.in_logarithms


def align(input, labels, offsets, frames, lengths, *, Py_ssize_t blank, values, paths):
    """Find the best path of every sample; arguments as for ``run``.

    Parameters
    ----------
    values
        Float64, one number a sample: minus the log-probability of its best path, inf where there is none.
    paths
        Int64 (samples, frames): the class of every frame; frames beyond a sample's length are left as they are.
    """
    cdef Batch batch
    batch.frames, batch.samples, batch.classes = input.shape
    place(&batch.input, input)
    batch.want_grad = batch.logits = batch.zero_infinity = False
    batch.double_precision = batch.input.type == FLOAT64
    batch.frames_of = <const int64_t*>data_of(frames)
    batch.scale = NULL
    batch.values = <double*>data_of(values)
    batch.paths = <int64_t*>data_of(paths)
    execute(&batch, <const int64_t*>data_of(labels), <const int64_t*>data_of(offsets), <const int64_t*>data_of(lengths),
            max(lengths.max(initial=0), 0), blank)


cdef Py_ssize_t decode_sample(const View* view, Py_ssize_t sample, Py_ssize_t frames, Py_ssize_t classes,
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
    cdef const int64_t* lengths = <const int64_t*>data_of(frames)
    cdef int64_t* written = <int64_t*>data_of(labels)
    cdef int64_t* count = <int64_t*>data_of(counts)
    cdef double* score = <double*>data_of(scores)
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
