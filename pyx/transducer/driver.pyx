"""The transducer geometry: the sum over all alignments of a label sequence with the frames of an input (RNN-T).

The joint network's output is (N, T, U + 1, C): a row of C classes for each node (t, u) of a sample's lattice. No array
of log-probabilities of that size is made. For a group of samples these passes follow each other:

``read_frame``   a row at a time: the sum of its exponentials, and the log-probabilities of the two steps that leave
                 the node (``rows.pxd``).
``run_alpha``, ``run_beta``, ``run_slopes``  in float64 and log space, an anti-diagonal at a time (``lattice.pxd``).
``write_frame``  the gradient, a row at a time again. The exponentials of the first pass were left where it will stand;
                 where that is not possible (half precision, classes that are not neighbours) they are taken again.

A group is as many samples as fill the caches, at least one lattice for each pair of threads. Every row and every
lattice is computed by one thread from start to end: neither groups nor threads change a bit.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from blocks cimport item_size, real
from gate cimport ThreadGate
from job cimport FLOAT64
from memory cimport type_of
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode
from transducer.call cimport Lattice, Transducer, View
from transducer.lattice cimport doubles_needed, lay_out, run_alpha, run_beta, run_slopes, value_of
from transducer.rows cimport read_frame, write_frame

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    CHUNK = 32768          # logits that one thread takes at a time, in whole frames
    GROUP = 8388608        # bytes of logits of a group: half of the last-level cache that two cores can count on


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
    cdef Py_ssize_t stop = min(t + job.chunk, lattice.frames if job.phase == READ else job.frames)
    cdef real* buffer = <real*>(job.buffers + slot * job.classes * sizeof(double))
    while t < stop:
        if job.phase == READ:
            read_frame(job, lattice, t, buffer)
        else:
            write_frame(job, lattice, t, buffer)
        t += 1


cdef void run_task(Transducer* job, Py_ssize_t task, int slot) noexcept nogil:
    cdef Lattice* lattice
    if job.phase == RECURSIONS:
        lattice = &job.lattices[task // 2]
        if lattice.frames > 0 and task % 2 == 0:
            run_alpha(lattice)
            lattice.value = value_of(job, lattice)
        elif lattice.frames > 0 and job.want_grad:
            run_beta(lattice)
    elif job.phase == SLOPES:
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


cdef inline Py_ssize_t tasks_of(const Transducer* job, int phase, Py_ssize_t count) noexcept nogil:
    """The tasks of a pass over a group of so many samples."""
    if phase == RECURSIONS:
        return 2 * count
    if phase == SLOPES:
        return count if job.want_grad else 0
    return count * job.chunks if phase == READ or job.want_grad else 0


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
            for job.phase in range(READ, WRITE + 1):
                tasks = tasks_of(job, job.phase, count)
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


# ---- called from losslib.geometries.transducer -------------------------------------------------------------------

cdef int place(View* view, object array) except -1:
    cdef int axis
    view.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    view.type = type_of(array)
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
