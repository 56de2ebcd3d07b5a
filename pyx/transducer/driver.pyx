"""The transducer geometry: the sum over all alignments of a label sequence with the frames of an input (RNN-T).

The joint network's output is (N, T, U + 1, C): a row of C classes for each node (t, u) of a sample's lattice. No array
of log-probabilities of that size is made. For a group of samples these passes follow each other:

``read_frame``   a row at a time: the sum of its exponentials, and the log-probabilities of the two steps that leave
                 the node.
``run_alpha``, ``run_beta``  in float64 and log space, an anti-diagonal at a time. These two need nothing of each
                 other and run in two threads; ``run_slopes`` then turns steps into derivatives.
``write_frame``  the gradient, a row at a time again. The exponentials of the first pass were left where it will stand;
                 where that is not possible (half precision, classes that are not neighbours) they are taken again.

A diagonal d = t + u of the lattice depends on its neighbour only and is one vector. It is indexed by k, the shorter
axis of the lattice, and stands in memory as [d][k] with -inf around it, so that the ends need no case of their own:
the step that leaves k alone is `stay`, the one to k + 1 is `step`; with the labels as the shorter axis these are
blank and emit.

A group is as many samples as fill the caches, at least one lattice for each pair of threads. Every row and every
lattice is computed by one thread from start to end: neither groups nor threads change a bit.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY
from libc.math cimport log as c_log
from libc.math cimport log1p
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from blocks cimport item_size, narrow_run, real, sum_block, widen_run
from gate cimport ThreadGate
from job cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64
from softmax.reduce cimport row_exp, row_max
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef extern from "losslib/transducer/transducer.h" namespace "losslib" nogil:
    T log_add[T](T a, T b)
    T exp[T](T x)
    double path_share(double to, double step, double source, double log_likelihood)

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    BLOCK = 512            # exponentials at a time, in the L1 cache
    CHUNK = 32768          # logits that one thread takes at a time, in whole frames
    GROUP = 8388608        # bytes of logits of a group: half of the last-level cache that two cores can count on
    VECTOR = 8             # doubles to which a diagonal is rounded up

cdef double NEARLY_CERTAIN = 1e-3     # below this value what the alignment misses is added up instead

cdef struct View:
    char* data
    int type
    Py_ssize_t[4] strides    # in bytes: sample, frame, label, class

# One sample of a group and its part of the workspace.
cdef struct Lattice:
    Py_ssize_t sample
    Py_ssize_t frames, columns   # T and U + 1 of this sample; no frames: no lattice
    bint by_frame          # the shorter axis, k, is the frame
    Py_ssize_t diagonals, stride
    double* stay           # [d][k], data from offset 1 of a diagonal on; log-probabilities, then derivatives
    double* step
    double* alpha          # later the share of all paths that leave the node
    double* beta
    double* outside        # [t][u]: the part of the row that leaves the lattice; for logits
    double* softmax        # [t][u]: the largest logit of the row, and 1 / sum(exp(logit - largest))
    double log_likelihood
    double value           # minus that, or what `missed` makes of it

cdef struct Transducer:
    Py_ssize_t samples, frames, columns, classes     # N, T, U + 1, C
    View logits
    View grad
    bint want_grad, want_value
    const int64_t* targets         # (N, U)
    const int64_t* frame_counts    # (N,); 0 for a sample that is masked out
    const int64_t* target_counts
    Py_ssize_t blank
    bint fused                     # the input is logits, and log-softmax is part of the loss
    double clamp, fastemit
    const double* scale            # of the gradient by sample
    double* values
    bint double_precision
    Py_ssize_t chunk, chunks       # frames of a task; chunks of a sample
    Lattice* lattices              # of the group
    char* buffers                  # for each thread: a row
    int stage                      # the pass that runs


# ---- rows ------------------------------------------------------------------------------------------------------

cdef inline char* address(const View* view, Py_ssize_t sample, Py_ssize_t t, Py_ssize_t u) noexcept nogil:
    return view.data + sample * view.strides[0] + t * view.strides[1] + u * view.strides[2]


cdef inline bint is_direct(const View* view, real tag) noexcept nogil:
    """True if the classes of a row are neighbours in the type that is computed in."""
    return view.strides[3] == sizeof(real) and view.type == (FLOAT32 if sizeof(real) == 4 else FLOAT64)


cdef inline bint keeps_terms(const Transducer* job, real tag) noexcept nogil:
    """True if the exponentials of the first pass stay where the gradient will stand."""
    return job.want_grad and is_direct(&job.grad, tag)


cdef inline double element(const View* view, const char* row, Py_ssize_t c, real tag) noexcept nogil:
    """One logit of a row."""
    cdef double value = 0.0
    if is_direct(view, tag):
        return <double>(<const real*>row)[c]
    widen_run(row + c * view.strides[3], 0, view.type, &value, 1)
    return value


cdef inline double sum_exp(const real* x, real m, real* kept, Py_ssize_t n) noexcept nogil:
    """sum(exp(x - m)) in float64, m the largest; the terms are kept where that is not NULL.

    NaN for a row of -inf, which is no distribution.
    """
    cdef real[BLOCK] e
    cdef Py_ssize_t start = 0, length
    cdef double total = 0.0
    while start < n:
        length = min(<Py_ssize_t>BLOCK, n - start)
        total += row_exp(x + start, m, <real*>e if kept == NULL else kept + start, length).sum
        start += length
    return total


cdef inline double outside_steps(const real* x, real m, real* kept, Py_ssize_t n, Py_ssize_t blank, Py_ssize_t label,
                                 double* total) noexcept nogil:
    """The part of a row's exponentials that is in neither step, -1 for none; where it is small, added up by itself, and
    the total anew. `kept` holds the exponentials if it is not NULL."""
    cdef real[BLOCK] e
    cdef real* terms = e
    cdef Py_ssize_t start = 0, length
    cdef double inside = 0.0, outside = 0.0, of_blank = 0.0, of_label = 0.0
    if blank >= 0:
        if kept == NULL:
            row_exp(x + blank, m, terms, 1)
        of_blank = <double>(kept[blank] if kept != NULL else terms[0])
    if label >= 0 and label != blank:
        if kept == NULL:
            row_exp(x + label, m, terms, 1)
        of_label = <double>(kept[label] if kept != NULL else terms[0])
    inside = of_blank + of_label
    if inside < 0.9 * total[0]:
        return (total[0] - inside) / total[0]
    while start < n:
        length = min(<Py_ssize_t>BLOCK, n - start)
        if kept != NULL:
            memcpy(terms, kept + start, length * sizeof(real))
        else:
            row_exp(x + start, m, terms, length)
        if start <= blank < start + length:
            terms[blank - start] = 0
        if start <= label < start + length:
            terms[label - start] = 0
        outside += sum_block(<const real*>terms, length)
        start += length
    total[0] = inside + outside
    return outside / total[0]


# ---- the lattice of a sample -----------------------------------------------------------------------------------

cdef inline Py_ssize_t node(const Lattice* lattice, Py_ssize_t t, Py_ssize_t u) noexcept nogil:
    """Where a node stands in the arrays of diagonals."""
    return (t + u) * lattice.stride + 1 + (t if lattice.by_frame else u)


cdef inline double* blanks(const Lattice* lattice) noexcept nogil:
    return lattice.step if lattice.by_frame else lattice.stay


cdef inline double* emissions(const Lattice* lattice) noexcept nogil:
    return lattice.stay if lattice.by_frame else lattice.step


cdef inline Py_ssize_t last_node(const Lattice* lattice) noexcept nogil:
    return node(lattice, lattice.frames - 1, lattice.columns - 1)


cdef inline Py_ssize_t stride_of(Py_ssize_t frames, Py_ssize_t columns) noexcept nogil:
    """The length of a diagonal in whole vectors, and one for the edge."""
    return (min(frames, columns) + VECTOR - 1) // VECTOR * VECTOR + 1


cdef inline Py_ssize_t doubles_needed(Py_ssize_t frames, Py_ssize_t columns, bint want_grad) noexcept nogil:
    """The workspace of a sample: arrays of diagonals with one more row's edge, and three numbers of each softmax."""
    cdef Py_ssize_t diagonals = (frames + columns - 1) * stride_of(frames, columns) + 1
    if frames == 0:
        return 0
    return 4 * diagonals + 3 * frames * columns if want_grad else 3 * diagonals + frames * columns


cdef inline void lay_out(const Transducer* job, Lattice* lattice, Py_ssize_t sample, double* workspace) noexcept nogil:
    """Place the arrays of a sample in the workspace and surround the lattice with steps that cannot be taken."""
    cdef Py_ssize_t size, i
    lattice.sample = sample
    lattice.frames = job.frame_counts[sample]
    lattice.columns = job.target_counts[sample] + 1
    lattice.log_likelihood = 0.0 if lattice.columns == 1 else -INFINITY
    lattice.value = 0.0 - lattice.log_likelihood
    if lattice.frames == 0:
        return
    lattice.by_frame = lattice.frames < lattice.columns
    lattice.stride = stride_of(lattice.frames, lattice.columns)
    lattice.diagonals = lattice.frames + lattice.columns - 1
    size = lattice.diagonals * lattice.stride + 1
    lattice.stay = workspace
    lattice.step = workspace + size
    lattice.alpha = workspace + 2 * size
    lattice.outside = workspace + 3 * size
    lattice.beta = workspace + 3 * size + lattice.frames * lattice.columns
    lattice.softmax = lattice.beta + size
    for i in range(2 * size):
        workspace[i] = -INFINITY


cdef void run_alpha(Lattice* lattice) noexcept nogil:
    """alpha by diagonals from the start; the log-likelihood is that of the last node and its blank."""
    cdef Py_ssize_t d, k, stride = lattice.stride
    cdef const double* stay
    cdef const double* step
    cdef const double* before
    cdef double* here = lattice.alpha
    for k in range(stride + 1):
        here[k] = -INFINITY
    here[1] = 0.0
    for d in range(1, lattice.diagonals):
        before = here
        stay = lattice.stay + (d - 1) * stride
        step = lattice.step + (d - 1) * stride
        here = lattice.alpha + d * stride
        for k in range(1, stride):
            here[k] = log_add(before[k] + stay[k], before[k - 1] + step[k - 1])
        here[stride] = -INFINITY        # the edge of the next diagonal
    lattice.log_likelihood = lattice.alpha[last_node(lattice)] + blanks(lattice)[last_node(lattice)]


cdef double missed(const Lattice* lattice) noexcept nogil:
    """The probability of other labels, without the difference to 1: that of all steps that leave the lattice."""
    cdef double missing = 0.0
    cdef Py_ssize_t t, u
    for t in range(lattice.frames):
        for u in range(lattice.columns):
            missing += exp(lattice.alpha[node(lattice, t, u)]) * lattice.outside[t * lattice.columns + u]
    return missing


cdef inline bint blank_is_no_label(const Transducer* job, Py_ssize_t sample) noexcept nogil:
    """True if the two steps of every node are different classes: only check=False lets others pass."""
    cdef Py_ssize_t u
    for u in range(job.target_counts[sample]):
        if job.targets[sample * (job.columns - 1) + u] == job.blank:
            return False
    return True


cdef double value_of(const Transducer* job, const Lattice* lattice) noexcept nogil:
    """The loss of a sample, while alpha is still there."""
    cdef double value = 0.0 - lattice.log_likelihood
    if job.fused and value < NEARLY_CERTAIN and blank_is_no_label(job, lattice.sample):
        value = -log1p(-missed(lattice))
    return value


cdef void run_beta(Lattice* lattice) noexcept nogil:
    """beta by diagonals from the end."""
    cdef Py_ssize_t d = lattice.diagonals - 1, k, stride = lattice.stride
    cdef const double* stay
    cdef const double* step
    cdef const double* after
    cdef double* here = lattice.beta + d * stride
    for k in range(stride + 1):
        here[k] = -INFINITY
    lattice.beta[last_node(lattice)] = blanks(lattice)[last_node(lattice)]
    while d > 0:
        d -= 1
        after = here
        stay = lattice.stay + d * stride
        step = lattice.step + d * stride
        here = lattice.beta + d * stride
        for k in range(1, stride):
            here[k] = log_add(after[k] + stay[k], after[k + 1] + step[k])
        here[0] = -INFINITY             # the edge of the diagonal before


cdef inline void slope_of(double* alpha, double* blank, double* emit, double after_blank, double after_emit,
                          double likelihood, double emphasis, bint fused) noexcept nogil:
    """At one node: alpha becomes the share of all paths that leave it, blank and emit the derivatives by their logits.

    With p the probability of a class and s its share, the derivative is p * (s_blank + s_emit) - s; without the
    softmax -s alone. FastEmit's emphasis is a factor of s_emit.
    """
    cdef double share_blank = path_share(alpha[0], blank[0], after_blank, likelihood)
    cdef double share_emit = path_share(alpha[0], emit[0], after_emit, likelihood) * emphasis
    cdef double both = share_blank + share_emit if fused else 0.0
    alpha[0] = both
    blank[0] = both * exp(blank[0]) - share_blank if fused else -share_blank
    emit[0] = both * exp(emit[0]) - share_emit if fused else -share_emit


cdef void run_slopes(const Transducer* job, Lattice* lattice) noexcept nogil:
    """Derivatives by the logits of the two steps, in the place of their log-probabilities."""
    cdef Py_ssize_t d, k, stride = lattice.stride, last = last_node(lattice)
    cdef double* blank
    cdef double* emit
    cdef double* alpha
    cdef const double* after
    cdef Py_ssize_t blank_moves = 1 if lattice.by_frame else 0
    cdef double likelihood = lattice.log_likelihood, emphasis = 1.0 + job.fastemit
    cdef bint fused = job.fused
    for d in range(lattice.diagonals - 1):
        blank = blanks(lattice) + d * stride
        emit = emissions(lattice) + d * stride
        alpha = lattice.alpha + d * stride
        after = lattice.beta + (d + 1) * stride
        for k in range(1, stride):
            slope_of(alpha + k, blank + k, emit + k, after[k + blank_moves], after[k + 1 - blank_moves], likelihood,
                     emphasis, fused)
    slope_of(lattice.alpha + last, blanks(lattice) + last, emissions(lattice) + last, 0.0, -INFINITY, likelihood,
             emphasis, fused)


# ---- passes over rows ------------------------------------------------------------------------------------------

cdef inline void read_frame(const Transducer* job, Lattice* lattice, Py_ssize_t t, real* buffer) noexcept nogil:
    """Softmax and steps of the nodes of a frame.

    A log-probability is (x - largest) - log(sum): exact where all logits of a row share a large number.
    """
    cdef Py_ssize_t u, place
    cdef const int64_t* labels = job.targets + lattice.sample * (job.columns - 1)
    cdef const char* row
    cdef const real* x
    cdef real* kept = NULL
    cdef real largest
    cdef double blank, emit, m = 0.0, log_sum = 0.0, total
    cdef bint ends
    for u in range(lattice.columns):
        row = address(&job.logits, lattice.sample, t, u)
        blank = element(&job.logits, row, job.blank, <real>0)
        emit = -INFINITY
        if u < lattice.columns - 1:
            emit = element(&job.logits, row, labels[u], <real>0)
        if job.fused:
            x = <const real*>row
            if not is_direct(&job.logits, <real>0):
                widen_run(row, job.logits.strides[3], job.logits.type, buffer, job.classes)
                x = buffer
            if keeps_terms(job, <real>0):   # from here on the row may be gone
                kept = <real*>address(&job.grad, lattice.sample, t, u)
            largest = row_max(x, job.classes)
            total = sum_exp(x, largest, kept, job.classes)
            ends = t == lattice.frames - 1 and u < lattice.columns - 1      # the blank would leave the lattice
            lattice.outside[t * lattice.columns + u] = outside_steps(
                x, largest, kept, job.classes, -1 if ends else job.blank,
                labels[u] if u < lattice.columns - 1 else -1, &total)
            m = <double>largest
            log_sum = c_log(total)
            if job.want_grad:
                lattice.softmax[2 * (t * lattice.columns + u)] = m
                lattice.softmax[2 * (t * lattice.columns + u) + 1] = 1.0 / total
        place = node(lattice, t, u)
        # A blank that leaves the last frame ends the path: only the last node may take it.
        if t < lattice.frames - 1 or u == lattice.columns - 1:
            blanks(lattice)[place] = (blank - m) - log_sum
        emissions(lattice)[place] = (emit - m) - log_sum


cdef inline double clamped(const Transducer* job, double slope) noexcept nogil:
    """Limit a derivative by `clamp`, which is off unless it is positive; NaN passes."""
    if job.clamp > 0.0:
        if slope > job.clamp:
            return job.clamp
        if slope < -job.clamp:
            return -job.clamp
    return slope


cdef inline void write_row(const Transducer* job, const Lattice* lattice, Py_ssize_t t, Py_ssize_t u,
                           real* buffer) noexcept nogil:
    """The gradient of a row: p_c times the share of the paths that leave the node, but for the two classes of a step.
    """
    cdef const char* row = address(&job.logits, lattice.sample, t, u)
    cdef char* target = address(&job.grad, lattice.sample, t, u)
    cdef Py_ssize_t c, label = -1, place = node(lattice, t, u)
    cdef double scale = job.scale[lattice.sample], slope, both = 0.0
    cdef real* g = <real*>target
    cdef real m = 0, factor = 0, most
    cdef bint direct = is_direct(&job.grad, <real>0)    # then the terms of the softmax stand there already
    if not direct:
        g = buffer

    if job.fused:
        m = <real>lattice.softmax[2 * (t * lattice.columns + u)]
        factor = <real>(lattice.alpha[place] * lattice.softmax[2 * (t * lattice.columns + u) + 1]
                        * (1.0 if job.clamp > 0.0 else scale))
    if factor == 0:
        memset(g, 0, job.classes * sizeof(real))
    else:
        if not direct:
            widen_run(row, job.logits.strides[3], job.logits.type, g, job.classes)
            row_exp(<const real*>g, m, g, job.classes)
        both = (lattice.alpha[place] * lattice.softmax[2 * (t * lattice.columns + u) + 1]) * <double>g[job.blank]
        for c in range(job.classes):
            g[c] = g[c] * factor
    if job.clamp > 0.0:
        most = <real>job.clamp
        for c in range(job.classes):
            g[c] = (most if g[c] > most else g[c]) * <real>scale
    if u < lattice.columns - 1:
        label = job.targets[lattice.sample * (job.columns - 1) + u]
        g[label] = <real>(clamped(job, emissions(lattice)[place]) * scale)
    if t < lattice.frames - 1 or u == lattice.columns - 1:
        slope = blanks(lattice)[place]
        if label == job.blank:      # with check=False: two steps of one class, whose softmax part counts once
            slope += emissions(lattice)[place] - both
        g[job.blank] = <real>(clamped(job, slope) * scale)

    if not direct:
        narrow_run(g, target, job.grad.strides[3], job.grad.type, job.classes)


cdef inline void write_frame(const Transducer* job, const Lattice* lattice, Py_ssize_t t, real* buffer) noexcept nogil:
    """The gradient of a frame, exactly zero past the lengths."""
    cdef Py_ssize_t u, c
    cdef Py_ssize_t inside = lattice.columns if t < lattice.frames else 0
    cdef char* row
    for u in range(inside):
        write_row(job, lattice, t, u, buffer)
    for u in range(inside, job.columns):
        row = address(&job.grad, lattice.sample, t, u)
        if job.grad.strides[3] == item_size(job.grad.type):
            memset(row, 0, job.classes * item_size(job.grad.type))
        else:
            for c in range(job.classes):
                memset(row + c * job.grad.strides[3], 0, item_size(job.grad.type))


# ---- tasks and threads -----------------------------------------------------------------------------------------

cdef enum Pass:
    READ = 0
    RECURSIONS = 1         # alpha and beta are tasks of their own
    SLOPES = 2
    WRITE = 3


cdef void frames_task(Transducer* job, Py_ssize_t task, int slot, real tag) noexcept nogil:
    """The frames of one chunk of one sample."""
    cdef Lattice* lattice = &job.lattices[task // job.chunks]
    cdef Py_ssize_t t = task % job.chunks * job.chunk
    cdef Py_ssize_t stop = min(t + job.chunk, lattice.frames if job.stage == READ else job.frames)
    cdef real* buffer = <real*>(job.buffers + slot * job.classes * sizeof(double))
    while t < stop:
        if job.stage == READ:
            read_frame(job, lattice, t, buffer)
        else:
            write_frame(job, lattice, t, buffer)
        t += 1


cdef void run_task(Transducer* job, Py_ssize_t task, int slot) noexcept nogil:
    cdef Lattice* lattice
    if job.stage == RECURSIONS:
        lattice = &job.lattices[task // 2]
        if lattice.frames > 0 and task % 2 == 0:
            run_alpha(lattice)
            lattice.value = value_of(job, lattice)
        elif lattice.frames > 0 and job.want_grad:
            run_beta(lattice)
    elif job.stage == SLOPES:
        if job.lattices[task].frames > 0:
            run_slopes(job, &job.lattices[task])
    elif job.double_precision:
        frames_task(job, task, slot, <double>0)
    else:
        frames_task(job, task, slot, <float>0)


cdef void run_tasks(Transducer* job, Py_ssize_t first, Py_ssize_t stop, int slot) noexcept nogil:
    cdef Py_ssize_t task
    for task in range(first, stop):
        run_task(job, task, slot)


cdef inline Py_ssize_t tasks_of(const Transducer* job, int stage, Py_ssize_t count) noexcept nogil:
    """The tasks of a pass over a group of so many samples."""
    if stage == RECURSIONS:
        return 2 * count
    if stage == SLOPES:
        return count if job.want_grad else 0
    return count * job.chunks if stage == READ or job.want_grad else 0


cdef void lay_out_group(Transducer* job, Py_ssize_t first, Py_ssize_t count, double* workspace) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(count):
        lay_out(job, &job.lattices[k], first + k, workspace)
        workspace += doubles_needed(job.lattices[k].frames, job.lattices[k].columns, job.want_grad)


cdef inline Py_ssize_t group_size(const Transducer* job, int width) noexcept nogil:
    """Samples of a group: their logits, or their lattices where these are larger, fill the caches."""
    cdef Py_ssize_t logits = job.frames * job.columns * job.classes * item_size(job.logits.type)
    cdef Py_ssize_t lattice = sizeof(Lattice) + sizeof(double) * doubles_needed(job.frames, job.columns, job.want_grad)
    cdef Py_ssize_t fitting = GROUP // max(logits, lattice)
    return min(max(fitting, <Py_ssize_t>((width + 1) // 2)), job.samples)


cdef Py_ssize_t doubles_of_groups(const Transducer* job, Py_ssize_t count) noexcept nogil:
    """The workspace that the largest group of so many samples needs."""
    cdef Py_ssize_t sample, doubles = 0, most = 0
    for sample in range(job.samples):
        if sample % count == 0:
            doubles = 0
        doubles += doubles_needed(job.frame_counts[sample], job.target_counts[sample] + 1, job.want_grad)
        most = max(most, doubles)
    return most


cdef bint execute(Transducer* job, double cost) noexcept:
    """Compute everything; False if there is no memory, and then nothing was written."""
    cdef Py_ssize_t group, count, first = 0, tasks, i, k
    cdef double* workspace
    cdef int width
    cdef bint good
    cdef FloatMode mode = get_float_mode()
    with nogil:
        width = _gate.begin(cost)
        group = group_size(job, width)
        workspace = <double*>malloc((doubles_of_groups(job, group) + 1) * sizeof(double))
        job.lattices = <Lattice*>malloc(group * sizeof(Lattice))
        job.buffers = <char*>malloc(width * job.classes * sizeof(double))
        good = workspace != NULL and job.lattices != NULL and job.buffers != NULL
        while good and first < job.samples:
            count = min(group, job.samples - first)
            lay_out_group(job, first, count, workspace)
            for job.stage in range(READ, WRITE + 1):
                tasks = tasks_of(job, job.stage, count)
                if width == 1 or tasks == 1:
                    run_tasks(job, 0, tasks, 0)
                else:
                    for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                        set_float_mode(mode)
                        run_tasks(job, first_task(i, tasks, width), first_task(i + 1, tasks, width), threadid())
            if job.want_value:
                for k in range(count):
                    job.values[first + k] = job.lattices[k].value
            first += count
        free(job.buffers)
        free(job.lattices)
        free(workspace)
        if width > 1:
            _gate.end()
    return good


# ---- called from losslib.transducer ----------------------------------------------------------------------------

cdef dict _types = {"float16": FLOAT16, "bfloat16": BFLOAT16, "float32": FLOAT32, "float64": FLOAT64}


cdef int place(View* view, object array) except -1:
    cdef int axis
    view.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    view.type = _types[array.dtype.name]
    for axis in range(4):
        view.strides[axis] = array.strides[axis]
    return 0


def run(logits, targets, frame_counts, target_counts, *, Py_ssize_t blank, bint fused, double clamp, double fastemit,
        scale, values, grad):
    """Compute one call; everything was checked by ``losslib.geometries.transducer``.

    ``targets`` (N, U) and the lengths are contiguous int64, ``scale`` and ``values`` (None without a value) contiguous
    float64; ``grad`` (None without a gradient) has the shape and type of ``logits`` and may be the same memory.
    """
    cdef Transducer job
    cdef double cost
    job.samples, job.frames, job.columns, job.classes = logits.shape
    place(&job.logits, logits)
    job.want_grad = grad is not None
    if job.want_grad:
        place(&job.grad, grad)
    job.want_value = values is not None
    job.values = <double*>cnp.PyArray_DATA(<cnp.ndarray>values) if job.want_value else NULL
    job.targets = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>targets)
    job.frame_counts = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>frame_counts)
    job.target_counts = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>target_counts)
    job.scale = <const double*>cnp.PyArray_DATA(<cnp.ndarray>scale)
    job.blank = blank
    job.fused = fused
    job.clamp = clamp
    job.fastemit = fastemit
    job.double_precision = job.logits.type == FLOAT64
    job.chunk = max(<Py_ssize_t>1, CHUNK // (job.columns * job.classes))
    job.chunks = (job.frames + job.chunk - 1) // job.chunk
    # Nanoseconds: a node of the lattice, and an exponential of each logit with what goes with it.
    cost = (25.0 if job.want_grad else 10.0)
    if fused:
        cost += 45.0 + job.classes * (0.75 if job.want_grad else 0.5) * (2.0 if job.double_precision else 1.0)
    cost *= <double>job.samples * job.frames * job.columns
    if not execute(&job, cost):
        raise MemoryError(f"no memory for the lattices of {job.frames} frames and {job.columns - 1} labels")
