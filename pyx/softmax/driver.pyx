"""The softmax geometry: losses of a row of logits, log-probabilities or probabilities against a class or a distribution
of classes.

A loss that is a function f of the log-probability of one class is a struct of ``softmax/softmax.h`` in
``include/losslib``, listed in ``pick.pxd`` and entered in ``table.pxi`` under the name that its declaration gives. A
distribution as target then costs sum_c t_c f(log p_c). Losses of their own kind register what they make of a row.

An input is seen as (outer, classes, inner): the class axis may be anywhere, and nothing is transposed in memory. The
drivers share the work:

``lanes.pxd``  few classes and class-index targets: samples are the lanes of a tile (``tile.pxd``), neighbouring
               positions of an image or rows that are transposed on the way; losses of ordered classes are in
               ``ordered_tiles.pxd``, targets of the shape of the input in ``soft_tiles.pxd`` and ``divergence.pxd``.
``given.pxd``  log-probabilities come in: one number of a row is read.
``by_class.pxd``, ``rows.pxd``, ``own.pxd``, ``divergence.pxd``, ``sparse.pxd``, ``noisy.pxd``, ``evidence.pxd``,
``ordered.pxd``
               everything else: what ``samples.pxd`` asks of one row at a time, vectorised over the classes, in place
               where the classes are neighbours, in buffers of one row for each thread otherwise.

Values are written in float64, one a sample; gradients are multiplied by a factor for each sample that
``losslib.geometries.softmax`` prepares (weight, upstream gradient, denominator). A sample is computed by one thread
from start to end, so that the bits do not depend on threads.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange
from libc.math cimport NAN
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from blocks cimport SUM_PART, add_parts, leaves_domain, stream_fence, sum_block, sum_values
from gate cimport ThreadGate
from memory cimport start_of, type_of
from plain cimport new_like
from softmax.call cimport Kernel, Rows, Scan, View, is_native, sum_of_weights
from softmax.given cimport given_chunk
from softmax.lanes cimport lanes_chunk
from softmax.plain_call cimport contiguous_view, may_write, read_plain
from softmax.samples cimport picks_a_class, rows_chunk
from softmax.targets cimport SCAN, add_up, scan_part, scan_parts
from softmax.tile cimport SOFT_CLASSES, TILE_CLASSES, lanes_for
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    CHUNK = 16384          # nanoseconds of float32 numbers that one thread takes at a time, in whole samples
    KEPT_NUMBERS = 2048    # up to which, and
    KEPT_COST = 8192       # nanoseconds up to which a call keeps the GIL
    STREAMING = 8388608    # bytes of an output from which it is stored past the caches
    PLAIN_CLASSES = 64     # rows of more classes are long enough to be vectorised one by one


cdef double CLASS_COST = 0.5   # nanoseconds of a float32 number in a row against a class

include "table.pxi"


# ---- the driver ------------------------------------------------------------------------------------------------

cdef void run_rows(Rows* rows, Py_ssize_t chunk) noexcept nogil:
    if rows.double_precision:
        rows_chunk(rows, chunk, <double>0)
    else:
        rows_chunk(rows, chunk, <float>0)


cdef void run_lanes(Rows* rows, Py_ssize_t chunk) noexcept nogil:
    if rows.double_precision:
        lanes_chunk(rows, chunk, <double>0)
    else:
        lanes_chunk(rows, chunk, <float>0)


cdef inline void add_values(Rows* rows, Py_ssize_t first, Py_ssize_t stop) noexcept nogil:
    """Add the values of whole parts while they are in this core's cache."""
    while first < stop:
        rows.sums[first // SUM_PART] = sum_block(<const double*>rows.values + first,
                                                 min(<Py_ssize_t>SUM_PART, stop - first))
        first += SUM_PART


cdef void run_chunks(Rows* rows, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Py_ssize_t chunk, first, stop
    for chunk in range(begin, end):
        first = chunk * rows.chunk
        stop = min(first + rows.chunk, rows.samples)
        if rows.found != NULL:
            rows.found[chunk] = scan_part(rows, first, stop, rows.counted)
        rows.run(rows, chunk)
        if rows.sums != NULL:
            add_values(rows, first, stop)
    if rows.streaming:
        stream_fence()


cdef inline bint fits_lanes(const Rows* rows) noexcept nogil:
    if not is_native(rows, &rows.input) or (rows.want_grad and not is_native(rows, &rows.grad)):
        return False
    if rows.soft:
        return (rows.kernel.soft32 != NULL and rows.classes <= (SOFT_CLASSES if rows.inner > 1 else PLAIN_CLASSES)
                and rows.kernel.map32 == NULL and not rows.want_hess and not rows.want_target
                and is_native(rows, &rows.target))
    return ((picks_a_class(rows) or rows.kernel.tile32 != NULL)
            and rows.classes <= (TILE_CLASSES if rows.inner > 1 else PLAIN_CLASSES))


cdef void plan_rows(Rows* rows) noexcept:
    """Choose who computes the call, and in which chunks; a long one has whole parts of a sum."""
    cdef Py_ssize_t unit = 1
    cdef double cost = CLASS_COST if picks_a_class(rows) else rows.kernel.cost      # of a float32 number
    rows.cost = rows.samples * rows.classes * cost * (2.0 if rows.double_precision else 1.0)
    rows.chunk = max(<Py_ssize_t>1, <Py_ssize_t>(CHUNK / (cost * rows.classes)))
    rows.found = NULL
    rows.counted = NULL
    rows.sums = NULL
    rows.streaming = (rows.want_grad
                      and rows.samples * rows.classes * (8 if rows.double_precision else 4) >= STREAMING)
    if rows.kernel.given:
        rows.run = given_chunk
        if rows.want_grad:
            rows.cost = rows.samples * (5.0 + 0.1 * rows.classes)
        else:
            rows.chunk = SCAN
            rows.cost = rows.samples * 3.0
    elif fits_lanes(rows):
        rows.run = run_lanes
        unit = lanes_for(rows.classes)
    else:
        rows.run = run_rows
    if rows.chunk >= SUM_PART:
        unit = SUM_PART
    rows.chunk = (rows.chunk + unit - 1) // unit * unit
    rows.chunks = (rows.samples + rows.chunk - 1) // rows.chunk


cdef int execute_rows(Rows* rows, bint release) except -1:
    """Compute a planned call."""
    cdef Py_ssize_t chunks = rows.chunks, i
    cdef int width = 1
    cdef FloatMode mode = get_float_mode()
    rows.weight_total = sum_of_weights(rows) if rows.smoothing > 0.0 else 0.0
    rows.failed = 0
    if not release:
        run_chunks(rows, 0, chunks)
    else:
        with nogil:
            if chunks > 1:
                width = _gate.begin(rows.cost)
            if width == 1:
                run_chunks(rows, 0, chunks)
            else:
                for i in prange(count_runs(chunks, width), schedule="dynamic", num_threads=width):
                    set_float_mode(mode)
                    run_chunks(rows, first_task(i, chunks, width), first_task(i + 1, chunks, width))
                _gate.end()
    if rows.failed:
        raise MemoryError(f"no memory for a row of {rows.classes} classes")
    return 0


# ---- called from losslib.softmax -------------------------------------------------------------------------------

cdef int place(View* view, object array) except -1:
    view.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    view.type = type_of(array)
    view.outer, view.classes, view.inner = array.strides
    return 0


cdef int place_index(Rows* rows, object target) except -1:
    """Class indices as a two-dimensional array (outer, inner) of a native integer type."""
    rows.index = <const char*>cnp.PyArray_DATA(<cnp.ndarray>target)
    rows.index_size = target.dtype.itemsize
    rows.index_signed = target.dtype.kind == "i"
    rows.index_outer, rows.index_inner = target.strides
    return 0


cdef int scan_targets(const Rows* rows, unsigned char* kept, Scan* whole) except -1:
    """Scan all samples, in parts of a fixed length: the sum of the weights does not depend on threads."""
    cdef Scan one
    cdef Scan* part = &one
    cdef Py_ssize_t parts = (rows.samples + SCAN - 1) // SCAN, i
    cdef int width
    cdef FloatMode mode = get_float_mode()
    if parts <= 1:
        scan_parts(rows, kept, part, 0, parts)
    else:
        part = <Scan*>malloc(parts * sizeof(Scan))
        if part == NULL:
            raise MemoryError(f"no memory to look at {rows.samples} targets")
        with nogil:
            width = _gate.begin(rows.samples * (1.0 if rows.class_weight != NULL else 0.3))
            if width == 1:
                scan_parts(rows, kept, part, 0, parts)
            else:
                for i in prange(count_runs(parts, width), schedule="dynamic", num_threads=width):
                    set_float_mode(mode)
                    scan_parts(rows, kept, part, first_task(i, parts, width), first_task(i + 1, parts, width))
                _gate.end()
    whole[0] = add_up(rows, part, parts)
    if parts > 1:
        free(part)
    return 0


def scan(target, Py_ssize_t classes, ignore_index, mask, class_weight, keep):
    """Look at class indices once: mark the samples that count, add their weights, find the first that is no class.

    Returns
    -------
    count : int
        Samples that count.
    weight : float
        Sum of their class weights, their number without weights.
    bad : int
        The first sample whose index is no class, or -1.
    """
    cdef Rows rows
    cdef Scan found
    cdef unsigned char* kept = <unsigned char*>start_of(keep)
    rows.outer, rows.inner = target.shape
    rows.classes = classes
    rows.samples = rows.outer * rows.inner
    rows.class_weight = <const double*>start_of(class_weight)
    rows.keep = <const unsigned char*>start_of(mask)
    rows.ignoring = ignore_index is not None
    rows.ignored = ignore_index if rows.ignoring else 0
    place_index(&rows, target)
    scan_targets(&rows, kept, &found)
    return found.count, found.weight, found.bad


def run(str kernel, tuple numbers, input, target, *, bint double_precision, bint soft, class_weight=None, keep=None,
        scale=None, double scale_all=1.0, double smoothing=0.0, double z_loss=0.0, values=None,
        grad=None, hess=None, target_grad=None, offset=None, stretch=None):
    """Compute one call over arrays (outer, classes, inner), all checked by ``losslib.geometries.softmax``."""
    cdef Rows rows
    cdef int k
    rows.kernel = kernel_named(kernel)
    for k in range(len(numbers)):
        rows.numbers[k] = numbers[k]
    rows.outer, rows.classes, rows.inner = input.shape
    rows.samples = rows.outer * rows.inner
    place(&rows.input, input)
    rows.soft = soft
    if soft:
        place(&rows.target, target)
    else:
        place_index(&rows, target)
    rows.class_weight = <const double*>start_of(class_weight)
    rows.offset = <const double*>start_of(offset)
    rows.stretch = <const double*>start_of(stretch)
    rows.keep = <const unsigned char*>start_of(keep)
    rows.ignoring = False      # `keep` knows
    rows.scale = <const double*>start_of(scale)
    rows.scale_all = scale_all
    rows.smoothing = smoothing
    rows.z_loss = z_loss
    rows.values = <double*>start_of(values)
    rows.want_grad = grad is not None
    if rows.want_grad:
        place(&rows.grad, grad)
    rows.want_hess = hess is not None
    if rows.want_hess:
        place(&rows.hess, hess)
    rows.want_target = target_grad is not None
    if rows.want_target:
        place(&rows.target_grad, target_grad)
    rows.double_precision = double_precision
    plan_rows(&rows)
    execute_rows(&rows, rows.samples * rows.classes > KEPT_NUMBERS or rows.cost > KEPT_COST)


# ---- plain calls -----------------------------------------------------------------------------------------------

cdef enum:
    STACK_SAMPLES = 512    # samples whose values need no allocation


cdef bint leaves(const Rows* rows, int domain) noexcept:
    """True if a target of the shape of the input, in contiguous memory, leaves a domain."""
    cdef Py_ssize_t n = rows.samples * rows.classes
    with nogil:
        if rows.double_precision:
            return leaves_domain(<const double*>rows.target.data, NULL, False, domain, n)
        return leaves_domain(<const float*>rows.target.data, NULL, False, domain, n)


cdef class PlainSoftmax:
    """Answers the calls of one loss object on plain arrays (``plain_call.pxd``).

    It returns NotImplemented for every other call, and for targets that are no classes or no probabilities, which
    ``losslib.geometries.softmax`` then answers or complains about.

    Parameters
    ----------
    kernel, numbers
        The kernel and its numbers.
    values : dict
        The parameters of the loss object.
    classes, rows : bool
        Whether the target may be class indices, and whether it may be of the shape of the input.
    domain : int
        The code of the domain that rows as target are held to; 0 where they are not checked.
    """

    cdef const Kernel* kernel
    cdef double[8] numbers
    cdef double smoothing, z_loss
    cdef bint ignoring, mean, zero_if_empty, classes, rows
    cdef int domain
    cdef int64_t ignored
    cdef object weight     # of each class, contiguous float64, or None

    def __cinit__(self, str kernel, tuple numbers, values, bint classes, bint rows, int domain):
        cdef int k
        self.kernel = kernel_named(kernel)
        self.classes = classes
        self.rows = rows
        self.domain = domain
        for k in range(len(numbers)):
            self.numbers[k] = numbers[k]
        self.smoothing = values.get("label_smoothing") or 0.0
        self.z_loss = values.get("z_loss") or 0.0
        self.ignoring = values.get("ignore_index") is not None
        self.ignored = values["ignore_index"] if self.ignoring else 0
        self.weight = values.get("weight")
        self.mean = values["reduction"] == "mean"
        self.zero_if_empty = values.get("empty") == "zero"

    def __call__(self, int mode, tuple args, out):
        cdef object input = args[0], target = args[1], array
        cdef Rows rows
        cdef int k
        cdef double[STACK_SAMPLES] few_values
        cdef double* values = few_values
        cdef double total, divisor
        cdef Scan found
        cdef Py_ssize_t parts
        cdef bint one_look
        cdef const double* weight = <const double*>start_of(self.weight)
        if mode == 3 or not read_plain(&rows, input, target) or not (self.rows if rows.soft else self.classes):
            return NotImplemented
        if weight != NULL and cnp.PyArray_SIZE(<cnp.ndarray>self.weight) != rows.classes:
            return NotImplemented
        array = out
        if mode == 0:
            if out is not None:
                return NotImplemented
        elif out is None:
            array = new_like(input, cnp.PyArray_TYPE(<cnp.ndarray>input))
        elif not may_write(out, input, target):
            return NotImplemented

        rows.kernel = self.kernel
        for k in range(8):
            rows.numbers[k] = self.numbers[k]
        rows.class_weight = weight
        rows.offset = NULL
        rows.stretch = NULL
        rows.smoothing = self.smoothing
        rows.z_loss = self.z_loss
        rows.scale = NULL
        rows.want_grad = mode != 0
        rows.want_hess = False
        rows.want_target = False
        if rows.want_grad:
            contiguous_view(&rows, &rows.grad, array)

        rows.keep = NULL
        rows.ignoring = self.ignoring and not rows.soft
        rows.ignored = self.ignored
        if rows.soft:
            found.count = rows.samples
            found.weight = <double>rows.samples
            if self.domain and leaves(&rows, self.domain):
                return NotImplemented
        plan_rows(&rows)
        # No gradient waits for the divisor: one look is enough, if the order in which weights are added stays.
        one_look = not rows.soft and mode == 0 and (weight == NULL or rows.chunk == SCAN)
        parts = (rows.samples + SUM_PART - 1) // SUM_PART
        if rows.samples > STACK_SAMPLES or rows.chunks > 1:
            values = <double*>malloc((rows.samples + parts) * sizeof(double) + rows.chunks * sizeof(Scan))
            if values == NULL:
                raise MemoryError(f"no memory for the values of {rows.samples} samples")
            if rows.chunk % SUM_PART == 0:
                rows.sums = values + rows.samples
        rows.values = values
        rows.scale_all = 1.0
        try:
            if one_look:
                rows.found = &found if rows.chunks == 1 else <Scan*>(values + rows.samples + parts)
            else:
                if not rows.soft:
                    scan_targets(&rows, NULL, &found)
                    if found.bad >= 0:
                        return NotImplemented
                if self.mean:
                    rows.scale_all = 1.0 / found.weight
            execute_rows(&rows, rows.samples * (1 if self.kernel.given and mode == 0 else rows.classes) > KEPT_NUMBERS
                         or rows.cost > KEPT_COST)
            if one_look:
                found = add_up(&rows, rows.found, rows.chunks)
                if found.bad >= 0:
                    return NotImplemented
            divisor = found.weight if self.mean else 1.0
            total = sum_values(values, rows.samples) if rows.sums == NULL else add_parts(rows.sums, parts)
        finally:
            if values != few_values:
                free(values)
        if mode == 1:
            return array
        if found.count == 0 and self.mean:
            total = 0.0 if self.zero_if_empty else NAN
        else:
            total = total / divisor
        if mode == 0:
            return total
        return total, array
