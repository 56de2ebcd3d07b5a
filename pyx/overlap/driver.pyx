"""The overlap geometry: losses of regions, from counts of what predictions and targets have in common.

Two passes: `count` adds up the counts of each sample and class, and `differentiate` turns the derivatives of the loss
by the counts into those by the input. Between them stand the ratios of ``losslib/overlap/ratios.h`` on a small table,
which ``losslib.geometries.overlap`` pools and reduces. A task is a fixed run of positions of one sample with its own
table of sums, and tables are added in the order of the tasks: the number of threads changes no bit. This module is
compiled once for each instruction set.
"""

cimport numpy as cnp
from cpython.bytearray cimport PyByteArray_AsString
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from gate cimport ThreadGate
from memory cimport type_of
from overlap.call cimport (
    COUNTS, EXTRAS, INT8, INT16, INT32, INT64, MAX_LANES, SOFTMAX, UINT8, UINT16, UINT32, UINT64, Job,
    View,
)
from overlap.indices cimport by_indices, index_scratch
from overlap.lovasz cimport Segments
from overlap.ratios cimport (
    DiceRatio, JaccardRatio, MatthewsRatio, MeanRatio, Ratio, TverskyRatio, ratio_rows,
)
from overlap.sigmoids cimport all_by_sigmoid
from overlap.tasks cimport count_task, distance_task, gradient_task, probability_task, segment_task
from overlap.transform cimport MAX_AXES, Transform, transform_scratch
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    TILE = 2048          # numbers of a tile
    TASK = 65536         # numbers of an input that a thread takes at a time
    LEAST = 1024         # positions of a task, at least: a table of sums is small beside it
    SMALL = 4096         # numbers up to which the GIL is kept
    LINE = 64            # bytes of a line of the cache
    STREAMING = 1048576  # numbers from which a gradient is stored past the caches

ACTIVATIONS = ("none", "sigmoid", "softmax")
COUNTINGS = ("product", "squared", "min")
ADDENDS = ("none", "cross_entropy", "unified_focal")


# ---- ratios ------------------------------------------------------------------------------------------------------

ctypedef void (*TaggedRatio)(const void* kind, const double* numbers, const double* table, double* jets,
                             Py_ssize_t count) noexcept nogil

cdef TaggedRatio[8] _ratios
cdef dict _index = {}


cdef void register(const Ratio* kind, str name) except *:
    _ratios[len(_index)] = <TaggedRatio>ratio_rows[Ratio]
    _index[name] = len(_index)


register[DiceRatio](NULL, "Dice")
register[JaccardRatio](NULL, "Jaccard")
register[TverskyRatio](NULL, "Tversky")
register[MatthewsRatio](NULL, "Matthews")
register[MeanRatio](NULL, "Mean")


def ratios(str name, tuple numbers, cnp.ndarray table, cnp.ndarray jets):
    """Write value and derivatives by the three counts of each ratio into `jets` of shape (n, 4).

    Parameters
    ----------
    name, numbers
        The ratio; whether its logarithm is taken, the power that it is raised to, whether log cosh of it is taken, and
        its own parameters.
    table
        Float64 of shape (n, 4): common, false positive, false negative, number of positions.
    """
    cdef double[8] values
    cdef Py_ssize_t k
    for k in range(len(numbers)):
        values[k] = numbers[k]
    _ratios[<int>_index[name]](NULL, values, <const double*>cnp.PyArray_DATA(table),
                               <double*>cnp.PyArray_DATA(jets), cnp.PyArray_DIMS(table)[0])


cdef inline Py_ssize_t whole_lines(Py_ssize_t size) noexcept nogil:
    """The bytes of a scratch behind which the next one may begin."""
    return (size + LINE - 1) // LINE * LINE


# Context, number of the task, number of the thread: each thread has a scratch of its own.
ctypedef void (*Task)(void*, Py_ssize_t, int) noexcept nogil


cdef void run_tasks(Task task, void* context, Py_ssize_t first, Py_ssize_t last, int slot) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(first, last):
        task(context, k, slot)


cdef int run_all(Task task, void* context, Py_ssize_t tasks, int width) except -1:
    """All tasks, by so many threads as the gate has given."""
    cdef FloatMode mode = get_float_mode()
    cdef Py_ssize_t i
    with nogil:
        if width == 1:
            run_tasks(task, context, 0, tasks, 0)
        else:
            for i in prange(count_runs(tasks, width), schedule="dynamic", num_threads=width):
                set_float_mode(mode)
                run_tasks(task, context, first_task(i, tasks, width), first_task(i + 1, tasks, width), threadid())
    return 0


# ---- the arrays of a call ----------------------------------------------------------------------------------------

cdef int element_type(cnp.ndarray array) except -1:
    """The code of a type that regions come in: integers beside what all drivers read."""
    cdef Py_ssize_t size = cnp.PyArray_ITEMSIZE(array)
    if cnp.PyArray_ISSIGNED(array):
        return INT8 if size == 1 else INT16 if size == 2 else INT32 if size == 4 else INT64
    if cnp.PyArray_ISUNSIGNED(array):
        return UINT8 if size == 1 else UINT16 if size == 2 else UINT32 if size == 4 else UINT64
    return type_of(array)


cdef class Region:
    """A call as the loops read it, and the arrays that it points into.

    Parameters
    ----------
    input : ndarray
        Of shape (samples, classes, positions), a float type, any strides.
    target : ndarray
        Of the same shape, or of shape (samples, positions) with class indices.
    wide : bool
        Compute in float64.
    keep, weight : ndarray or None
        Bool of shape (samples, positions); float64 of that shape or of the shape of the input.
    """

    cdef Job job
    cdef list held
    cdef double isa_factor

    def __cinit__(self, cnp.ndarray input, cnp.ndarray target, *, bint wide, str activation, str counting="product",
                  bint check=True, ignore_index=None, keep=None, weight=None, str addend="none", double clip=0.0,
                  class_weight=None, double smoothing=0.0, double delta=0.0, double gamma=0.0, distances=None,
                  double isa_factor=1.0):
        cdef Job* job = &self.job
        cdef Py_ssize_t k
        memset(job, 0, sizeof(Job))
        self.held = []
        self.isa_factor = isa_factor
        job.samples = cnp.PyArray_DIMS(input)[0]
        job.classes = cnp.PyArray_DIMS(input)[1]
        job.positions = cnp.PyArray_DIMS(input)[2]
        job.wide = wide
        job.activation = ACTIVATIONS.index(activation)
        job.counting = COUNTINGS.index(counting)
        job.addend = ADDENDS.index(addend)
        job.check = check
        job.indices = cnp.PyArray_NDIM(target) == 2
        job.ignoring = ignore_index is not None
        job.ignored = 0 if ignore_index is None else ignore_index
        self.place(&job.input, input)
        self.place(&job.target, target)
        if keep is not None:
            self.place(&job.keep, keep)
        if weight is not None:
            self.place(&job.weight, weight)
        job.clip = clip
        if class_weight is not None:
            self.held.append(class_weight)
            job.class_weight = <const double*>cnp.PyArray_DATA(<cnp.ndarray>class_weight)
        job.smoothing = smoothing
        job.delta = delta
        job.gamma = gamma
        if distances is not None:
            self.held.append(distances)
            job.distances = <const double*>cnp.PyArray_DATA(<cnp.ndarray>distances)
        job.lanes = MAX_LANES
        if job.activation == SOFTMAX:
            k = TILE if wide or not by_indices(job) else 2 * TILE     # of which one tile is in the cache, or two
            job.lanes = max(<Py_ssize_t>16, min(<Py_ssize_t>MAX_LANES, k // job.classes // 16 * 16))
        job.chunk = max(<Py_ssize_t>LEAST, TASK // max(<Py_ssize_t>1, job.classes))
        job.chunk = (job.chunk + job.lanes - 1) // job.lanes * job.lanes
        job.chunks = (job.positions + job.chunk - 1) // job.chunk
        job.tasks = job.chunks * job.samples
        # A tile and the slopes of its classes, of the type that is computed in.
        job.scratch_size = 2 * job.lanes * max(<Py_ssize_t>1, job.classes) * sizeof(double)
        if job.activation != SOFTMAX:
            job.scratch_size = 2 * job.lanes * sizeof(double)
        elif by_indices(job):
            job.scratch_size = max(job.scratch_size, index_scratch(job))
        job.scratch_size = whole_lines(job.scratch_size)

    cdef int place(self, View* view, cnp.ndarray array) except -1:
        cdef int last = cnp.PyArray_NDIM(array) - 1
        self.held.append(array)
        view.data = <char*>cnp.PyArray_DATA(array)
        view.type = element_type(array)
        view.samples = cnp.PyArray_STRIDES(array)[0]
        view.classes = cnp.PyArray_STRIDES(array)[1] if last == 2 else 0
        view.positions = cnp.PyArray_STRIDES(array)[last]
        return 0

    cdef int run(self, Task function, double cost) except -1:
        """Run a function over all tasks, with as many threads as the gate gives."""
        cdef Job* job = &self.job
        cdef double numbers = <double>job.samples * <double>job.classes * <double>job.positions
        return self.run_each(function, job, job.tasks, &job.scratch, job.scratch_size,
                             cost * numbers * (2.0 if job.wide else 1.0), numbers <= SMALL)

    cdef int run_each(self, Task function, void* context, Py_ssize_t tasks, char** scratch, Py_ssize_t size,
                      double cost, bint small) except -1:
        """Run tasks of some context, each thread with a scratch of so many bytes at `scratch`, a place in the context.

        A scratch begins with a line of the cache. Small calls keep the GIL.
        """
        cdef int width = 1
        cdef char* memory
        if tasks > 1:
            width = _gate.begin(cost * self.isa_factor)
        memory = <char*>malloc(<size_t>(width * size + LINE))
        if memory == NULL:
            if width > 1:
                _gate.end()
            raise MemoryError(f"no memory for {width} times {size} bytes")
        scratch[0] = memory + (LINE - <uintptr_t>memory % LINE)
        if small:
            run_tasks(function, context, 0, tasks, 0)
        else:
            run_all(function, context, tasks, width)
        if width > 1:
            _gate.end()
        free(memory)
        return 0

    cdef bint takes(self, cnp.ndarray grad) noexcept:
        """Whether rows of the type that is computed in stand in one piece in the array."""
        return (cnp.PyArray_TYPE(grad) == (cnp.NPY_DOUBLE if self.job.wide else cnp.NPY_FLOAT)
                and cnp.PyArray_STRIDES(grad)[2] == cnp.PyArray_ITEMSIZE(grad))

    def count(self, cnp.ndarray table, cnp.ndarray extras, grad=None):
        """Write the counts and return what left its domain: 1 the input, 2 the target, 4 a class index.

        Parameters
        ----------
        table
            Float64 of shape (samples, classes, 4): common, false positive, false negative, target.
        extras
            Float64 of shape (samples, 3): addend, divisor of its mean, positions.
        grad
            The array that is to take the derivatives by the input, and may be used for what the second pass needs
            until then: it shares no memory with the input or the target. Or None.
        """
        cdef Job* job = &self.job
        cdef double* counts = <double*>cnp.PyArray_DATA(table)
        cdef double* rest = <double*>cnp.PyArray_DATA(extras)
        cdef Py_ssize_t size = COUNTS * job.classes + EXTRAS, task, n, k
        cdef const double* part
        cdef int bad = 0
        memset(counts, 0, job.samples * COUNTS * job.classes * sizeof(double))
        memset(rest, 0, job.samples * EXTRAS * sizeof(double))
        if job.tasks == 0 or job.classes == 0:
            return 0
        if grad is not None and all_by_sigmoid(job) and self.takes(grad):
            self.place(&job.grad, grad)
            kept = bytearray(job.tasks)
            self.held.append(kept)
            job.kept = <unsigned char*>PyByteArray_AsString(kept)
        job.partials = <double*>malloc(<size_t>(job.tasks * size) * sizeof(double))
        job.violations = <int*>malloc(<size_t>job.tasks * sizeof(int))
        if job.partials == NULL or job.violations == NULL:
            free(job.partials)
            free(job.violations)
            raise MemoryError(f"no memory for the sums of {job.tasks} tasks")
        try:
            self.run(count_task, 1.5 if job.activation != 0 else 0.6)
            for task in range(job.tasks):
                n = task // job.chunks
                part = job.partials + task * size
                for k in range(COUNTS * job.classes):
                    counts[n * COUNTS * job.classes + k] += part[k]
                for k in range(EXTRAS):
                    rest[n * EXTRAS + k] += part[COUNTS * job.classes + k]
                bad |= job.violations[task]
        finally:
            free(job.partials)
            free(job.violations)
        return bad

    def differentiate(self, grad, target_grad, *, slopes, addend_scale=None, field=None):
        """Write the derivatives by input and target.

        Parameters
        ----------
        grad, target_grad
            Arrays of the shape of the input in a float type, any strides, or None. The gradient may be the input.
        slopes
            Float64 of shape (samples, classes, 3): derivatives by the counts.
        addend_scale
            Float64, one for each sample: factor of the derivatives of the addend; or None for 0.
        field
            Derivatives by the probabilities, of the shape of the input; the first of the slopes is a factor of them.
        """
        cdef Job* job = &self.job
        if job.tasks == 0 or job.classes == 0:
            return
        if target_grad is not None or grad is None or job.grad.data != <char*>cnp.PyArray_DATA(<cnp.ndarray>grad):
            job.kept = NULL
        job.grad.data = job.target_grad.data = job.field.data = NULL
        if grad is not None:
            self.place(&job.grad, grad)
            job.streaming = (job.positions * job.classes * job.samples > STREAMING and self.takes(grad)
                             and target_grad is None)
        if target_grad is not None:
            self.place(&job.target_grad, target_grad)
        if field is not None:
            self.place(&job.field, field)
        self.held.append(slopes)
        job.slopes = <const double*>cnp.PyArray_DATA(<cnp.ndarray>slopes)
        job.addend_scale = NULL
        if addend_scale is not None:
            self.held.append(addend_scale)
            job.addend_scale = <const double*>cnp.PyArray_DATA(<cnp.ndarray>addend_scale)
        self.run(gradient_task, 0.3 if job.kept != NULL else 2.0 if job.activation != 0 else 0.8)

    def lovasz(self, cnp.ndarray field, cnp.ndarray values, cnp.ndarray used, *, bint pools_samples, bint hinge):
        """Write the Lovász losses of the segments, and into `field` their slopes by the probabilities.

        Parameters
        ----------
        field
            Contiguous, of the shape of the input and the type that is computed in.
        values
            Float64, one number for each class, or with `pools_samples` false for each sample and class.
        used
            Bool, one for each class: whether it counts.
        hinge
            Errors are those of the hinge, of logits.
        """
        cdef Job* job = &self.job
        cdef Segments segments
        cdef Py_ssize_t count = job.classes if pools_samples else job.samples * job.classes
        cdef Py_ssize_t item = sizeof(double) if job.wide else sizeof(float)
        if job.tasks == 0 or job.classes == 0:
            cnp.PyArray_FILLWBYTE(values, 0)
            return
        segments.job = job
        segments.field = <char*>cnp.PyArray_DATA(field)
        segments.values = <double*>cnp.PyArray_DATA(values)
        segments.used = <const unsigned char*>cnp.PyArray_DATA(used)
        segments.pools_samples = pools_samples
        segments.hinge = hinge
        segments.capacity = job.positions * (job.samples if pools_samples else 1)
        if segments.capacity >= 4294967295:
            raise ValueError(f"a Lovász loss sorts at most 4294967294 positions at once, got {segments.capacity}")
        job.grad.data = segments.field
        self.run(probability_task, 1.0)
        # Two arrays of errors with places, their marks and their weights.
        segments.scratch_size = whole_lines(segments.capacity * (4 * item + 2 * item))
        self.run_each(segment_task, &segments, count, &segments.scratch, segments.scratch_size,
                      20.0 * <double>segments.capacity * <double>count, False)

    def distances(self, cnp.ndarray field, cnp.ndarray weight, cnp.ndarray used, *, tuple lengths, double alpha):
        """Write how far each position is from the boundaries of the predicted and the true region.

        Parameters
        ----------
        field
            Contiguous, of the shape of the input and the type that is computed in: takes the probabilities.
        weight
            Contiguous float64 of that shape: takes the distances, raised to `alpha` and added. 0 where a region has no
            boundary, and for classes that do not count.
        used
            Bool, one for each class: whether it counts.
        lengths
            Of the axes that the positions have.
        """
        cdef Job* job = &self.job
        cdef Transform transform
        cdef Py_ssize_t k
        if job.tasks == 0 or job.classes == 0:
            return
        transform.job = job
        transform.field = <char*>cnp.PyArray_DATA(field)
        transform.weight = <double*>cnp.PyArray_DATA(weight)
        transform.used = <const unsigned char*>cnp.PyArray_DATA(used)
        transform.axes = len(lengths)
        transform.longest = 0
        for k in range(min(transform.axes, <Py_ssize_t>MAX_AXES)):
            transform.lengths[k] = lengths[k]
            transform.longest = max(transform.longest, transform.lengths[k])
        transform.alpha = alpha
        job.grad.data = transform.field
        self.run(probability_task, 1.0)
        transform.scratch_size = whole_lines(transform_scratch(&transform))
        self.run_each(distance_task, &transform, job.samples * job.classes, &transform.scratch, transform.scratch_size,
                      60.0 * <double>job.samples * <double>job.classes * <double>job.positions, False)


def kernels():
    """Return the names of the ratios."""
    return tuple(_index)
