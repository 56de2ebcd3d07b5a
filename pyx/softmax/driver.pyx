"""The softmax geometry: losses of a row of logits, log-probabilities or probabilities against a class or a distribution
of classes.

A loss that is a function f of the log-probability of one class is a struct of ``softmax/softmax.h`` in
``include/losslib``, listed in ``pick.pxd`` and registered below under the name that its declaration gives. A
distribution as target then costs sum_c t_c f(log p_c). Losses of their own kind register what they make of a row.

An input is seen as (outer, classes, inner): the class axis may be anywhere, and nothing is transposed in memory. The
drivers share the work:

``lanes.pxd``  few classes and class-index targets: samples are the lanes of a tile, neighbouring positions of an image
               or rows that are transposed on the way.
``given.pxd``  log-probabilities come in: one number of a row is read.
``by_class.pxd``, ``rows.pxd``, ``own.pxd``, ``divergence.pxd``, ``sparse.pxd``, ``noisy.pxd``, ``evidence.pxd``,
``ordered.pxd``
               everything else: one row at a time, vectorised over the classes, in place where the classes are
               neighbours, in buffers of one row for each thread otherwise.

Values are written in float64, one a sample; gradients are multiplied by a factor for each sample that
``losslib.geometries.softmax`` prepares (weight, upstream gradient, denominator). A sample is computed by one thread
from start to end, so that the bits do not depend on threads.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cython.parallel cimport prange
from libc.math cimport NAN
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc

from blocks cimport narrow_run, real, stream, stream_fence, sum_block, widen_run
from gate cimport ThreadGate
from job cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64
from memory cimport start_of
from softmax.by_class cimport row_by_class
from softmax.call cimport (
    Kernel, MapDouble, MapFloat, Pick, PullDouble, PullFloat, RowDouble, RowFloat, Rows, Scan, View, address,
    counts, is_direct, is_native, read_class, sum_of_weights,
)
from softmax.divergence cimport row_distillation, row_jensen_shannon
from softmax.evidence cimport row_evidential
from softmax.given cimport given_chunk
from softmax.lanes cimport TILE_CLASSES, lanes_chunk, lanes_for
from softmax.logits cimport AnyMap, SoftCap, map_logits, pull_back
from softmax.noisy cimport row_bootstrap, row_normalized
from softmax.ordered cimport row_class_distance, row_earth_mover
from softmax.own cimport row_bi_tempered, row_categorical, row_sparsemax
from softmax.pick cimport (
    AnyPick, CrossEntropyPick, FocalPick, GeneralizedPick, PolyPick, SymmetricPick, picks_of,
)
from softmax.rows cimport row_cross_entropy, row_of_picks, row_symmetric
from softmax.shifts cimport (
    AngularShift, AnyShift, ClassShift, TargetShift, leave_as_is, seesaw_logits, shift_back, shift_logits,
)
from softmax.sparse cimport row_entmax
from softmax.targets cimport SCAN, scan_part
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    CHUNK = 32768          # elements that one thread takes at a time, in whole samples
    STREAMING = 8388608    # bytes of an output from which it is stored past the caches
    PLAIN_CLASSES = 64     # rows of more classes are long enough to be vectorised one by one


# ---- the table -------------------------------------------------------------------------------------------------

cdef dict _table = {}      # name -> capsule of a Kernel that stays for good


cdef Kernel* enter(const char* name, RowFloat float32, RowDouble float64) except NULL:
    """Enter a kernel by what it makes of a row with a distribution as target, or with a class as a row of 0 and 1."""
    cdef Kernel* kernel = <Kernel*>calloc(1, sizeof(Kernel))
    if kernel == NULL:
        raise MemoryError("no memory for the table of kernels")
    kernel.float32 = float32
    kernel.float64 = float64
    _table[name.decode()] = PyCapsule_New(kernel, b"losslib.softmax_kernel", NULL)
    return kernel


cdef Kernel* register(const AnyPick* tag, const char* name) except NULL:
    """Enter a loss of the log-probability of a class."""
    cdef Kernel* kernel = enter(name, <RowFloat>row_of_picks[AnyPick, float], <RowDouble>row_of_picks[AnyPick, double])
    kernel.pick = <Pick>picks_of[AnyPick]
    return kernel


cdef Kernel* register_cross_entropy(const char* name) except NULL:
    cdef Kernel* kernel = enter(name, <RowFloat>row_cross_entropy[float], <RowDouble>row_cross_entropy[double])
    kernel.pick = <Pick>picks_of[CrossEntropyPick]
    kernel.linear = True
    return kernel


cdef int enter_given(const AnyPick* tag, const char* name) except -1:
    """Enter a loss of the log-probability of a class that reads log-probabilities."""
    cdef Kernel* kernel = enter(name, NULL, NULL)
    kernel.pick = <Pick>picks_of[AnyPick]
    kernel.given = True
    return 0


cdef int see(const AnyMap* tag, Kernel* kernel, int first_number) except -1:
    """Let a kernel see mapped logits; the numbers of the map follow those of the loss."""
    kernel.map32 = <MapFloat>map_logits[AnyMap, float]
    kernel.map64 = <MapDouble>map_logits[AnyMap, double]
    kernel.pull32 = <PullFloat>pull_back[AnyMap, float]
    kernel.pull64 = <PullDouble>pull_back[AnyMap, double]
    kernel.map_numbers = first_number
    return 0


cdef int see_shifted(const AnyShift* tag, Kernel* kernel) except -1:
    """Let a kernel see shifted logits; all numbers are those of the shift."""
    kernel.map32 = <MapFloat>shift_logits[AnyShift, float]
    kernel.map64 = <MapDouble>shift_logits[AnyShift, double]
    kernel.pull32 = <PullFloat>shift_back[AnyShift, float]
    kernel.pull64 = <PullDouble>shift_back[AnyShift, double]
    return 0


cdef int see_seesaw(Kernel* kernel) except -1:
    kernel.map32 = <MapFloat>seesaw_logits[float]
    kernel.map64 = <MapDouble>seesaw_logits[double]
    kernel.pull32 = <PullFloat>leave_as_is[float]
    kernel.pull64 = <PullDouble>leave_as_is[double]
    return 0


cdef const Kernel* kernel_named(str name) except NULL:
    return <const Kernel*>PyCapsule_GetPointer(_table[name], b"losslib.softmax_kernel")


register_cross_entropy(b"cross_entropy")
see[SoftCap](NULL, register_cross_entropy(b"capped_cross_entropy"), 0)
see_shifted[ClassShift](NULL, register_cross_entropy(b"class_shift"))
see_shifted[TargetShift](NULL, register_cross_entropy(b"target_shift"))
see_shifted[AngularShift](NULL, register_cross_entropy(b"angular_shift"))
see_seesaw(register_cross_entropy(b"seesaw"))
enter_given[CrossEntropyPick](NULL, b"nll")
register[FocalPick](NULL, b"focal")
register[PolyPick](NULL, b"poly1")
register[GeneralizedPick](NULL, b"generalized")
enter(b"symmetric", <RowFloat>row_symmetric[float], <RowDouble>row_symmetric[double]).pick = (
    <Pick>picks_of[SymmetricPick])
enter(b"categorical_cross_entropy", <RowFloat>row_categorical[float], <RowDouble>row_categorical[double])
enter(b"bi_tempered", <RowFloat>row_bi_tempered[float], <RowDouble>row_bi_tempered[double])
enter(b"sparsemax", <RowFloat>row_sparsemax[float], <RowDouble>row_sparsemax[double])
enter(b"entmax", <RowFloat>row_entmax[float], <RowDouble>row_entmax[double])
enter(b"bootstrap", <RowFloat>row_bootstrap[float], <RowDouble>row_bootstrap[double])
enter(b"normalized", <RowFloat>row_normalized[float], <RowDouble>row_normalized[double])
enter(b"evidential", <RowFloat>row_evidential[float], <RowDouble>row_evidential[double])
enter(b"earth_mover", <RowFloat>row_earth_mover[float], <RowDouble>row_earth_mover[double])
enter(b"class_distance", <RowFloat>row_class_distance[float], <RowDouble>row_class_distance[double])
enter(b"js_div", <RowFloat>row_jensen_shannon[float], <RowDouble>row_jensen_shannon[double])
enter(b"distillation", <RowFloat>row_distillation[float], <RowDouble>row_distillation[double])


# ---- rows: one sample at a time --------------------------------------------------------------------------------

cdef inline void fetch(const Rows* rows, const View* view, Py_ssize_t sample, real* buffer) noexcept nogil:
    widen_run(address(rows, view, sample), view.classes, view.type, buffer, rows.classes)


cdef inline void deliver(const Rows* rows, const View* view, Py_ssize_t sample, const real* buffer) noexcept nogil:
    cdef char* target = address(rows, view, sample)
    if rows.streaming and is_direct(rows, view):
        stream(target, <const char*>buffer, rows.classes * sizeof(real))
    else:
        narrow_run(buffer, target, view.classes, view.type, rows.classes)


cdef inline void direct_row(Rows* rows, Py_ssize_t sample, real* buffer, real* top) noexcept nogil:
    """A row whose classes are neighbours, against a class: the gradient arises where it will stand, without a copy."""
    cdef const real* x = <const real*>address(rows, &rows.input, sample)
    cdef real* e = buffer
    cdef char* streamed = NULL
    cdef double value
    if rows.streaming:
        streamed = address(rows, &rows.grad, sample)
    elif rows.want_grad:
        e = <real*>address(rows, &rows.grad, sample)
    value = row_by_class(rows, sample, x, e, <real*>NULL, top, streamed)
    if rows.values != NULL:
        rows.values[sample] = value


cdef inline bint takes_distribution(const Rows* rows) noexcept nogil:
    """True if a class as target is handed over as a row of zeros and a one."""
    return not rows.soft and (rows.kernel.pick == NULL or (rows.smoothing > 0.0 and not rows.kernel.linear))


cdef inline void buffered_row(Rows* rows, Py_ssize_t sample, real* x, real* t, real* e, real* q,
                              real* h) noexcept nogil:
    """Any row: read into a buffer, computed there, written from there."""
    cdef Py_ssize_t c, n = rows.classes, target = -1
    cdef const Kernel* kernel = rows.kernel
    cdef const double* numbers = rows.numbers
    cdef double value = 0.0
    if not counts(rows, sample):
        for c in range(n):
            e[c] = 0
            h[c] = 0
            t[c] = 0
    else:
        fetch(rows, &rows.input, sample, x)
        if rows.soft:
            fetch(rows, &rows.target, sample, t)
        else:
            target = read_class(rows, sample)
        if kernel.map32 != NULL:
            if real is float:
                kernel.map32(numbers + kernel.map_numbers, rows, sample, target, x)
            else:
                kernel.map64(numbers + kernel.map_numbers, rows, sample, target, x)
        if takes_distribution(rows):
            for c in range(n):
                t[c] = 0
            t[target] = 1
        if rows.soft or takes_distribution(rows):
            if real is float:
                value = kernel.float32(numbers, rows, sample, x, t, e, q, h)
            else:
                value = kernel.float64(numbers, rows, sample, x, t, e, q, h)
        else:
            value = row_by_class(rows, sample, x, e, h, q, NULL)
        if kernel.map32 != NULL:
            fetch(rows, &rows.input, sample, x)
            if real is float:
                kernel.pull32(numbers + kernel.map_numbers, rows, sample, target, x, e,
                              h if rows.want_hess else <float*>NULL)
            else:
                kernel.pull64(numbers + kernel.map_numbers, rows, sample, target, x, e,
                              h if rows.want_hess else <double*>NULL)
    if rows.values != NULL:
        rows.values[sample] = value
    if rows.want_grad:
        deliver(rows, &rows.grad, sample, <const real*>e)
    if rows.want_hess:
        deliver(rows, &rows.hess, sample, <const real*>h)
    if rows.want_target:
        deliver(rows, &rows.target_grad, sample, <const real*>t)


cdef inline bint picks_a_class(const Rows* rows) noexcept nogil:
    """True for losses of the log-probability of one class, without what only `buffered_row` does."""
    return (rows.kernel.pick != NULL and not rows.soft and not takes_distribution(rows) and rows.kernel.map32 == NULL
            and not rows.want_hess)


cdef void rows_chunk(Rows* rows, Py_ssize_t chunk, real tag) noexcept nogil:
    cdef Py_ssize_t sample = chunk * rows.chunk, stop = min(sample + rows.chunk, rows.samples), n = rows.classes
    cdef real* buffer = <real*>malloc(5 * (n + 16) * sizeof(real))
    cdef bint direct = (picks_a_class(rows) and is_direct(rows, &rows.input)
                        and (not rows.want_grad or is_direct(rows, &rows.grad)))
    if buffer == NULL:
        rows.failed = 1
        return
    while sample < stop:
        if direct and counts(rows, sample):
            direct_row(rows, sample, buffer, buffer + (n + 16))
        else:
            buffered_row(rows, sample, buffer, buffer + (n + 16), buffer + 2 * (n + 16), buffer + 3 * (n + 16),
                         buffer + 4 * (n + 16))
        sample += 1
    free(buffer)


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


cdef void run_chunks(Rows* rows, Py_ssize_t first, Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t chunk
    for chunk in range(first, stop):
        rows.run(rows, chunk)
    if rows.streaming:
        stream_fence()


cdef inline bint fits_lanes(const Rows* rows) noexcept nogil:
    return (picks_a_class(rows) and rows.classes <= (TILE_CLASSES if rows.inner > 1 else PLAIN_CLASSES)
            and is_native(rows, &rows.input) and (not rows.want_grad or is_native(rows, &rows.grad)))


cdef int execute_rows(Rows* rows, bint release) except -1:
    cdef Py_ssize_t chunks, unit, i
    cdef int width = 1
    cdef FloatMode mode = get_float_mode()
    cdef double cost = rows.samples * rows.classes * (1.0 if rows.double_precision else 0.5)
    rows.chunk = max(<Py_ssize_t>1, CHUNK // rows.classes)
    rows.streaming = (rows.want_grad
                      and rows.samples * rows.classes * (8 if rows.double_precision else 4) >= STREAMING)
    if rows.kernel.given:
        rows.run = given_chunk
        if rows.want_grad:
            cost = rows.samples * (5.0 + 0.1 * rows.classes)
        else:
            rows.chunk = SCAN
            cost = rows.samples * 3.0
    elif fits_lanes(rows):
        rows.run = run_lanes
        unit = lanes_for(rows.classes)
        rows.chunk = (rows.chunk + unit - 1) // unit * unit
    else:
        rows.run = run_rows
    chunks = (rows.samples + rows.chunk - 1) // rows.chunk
    rows.weight_total = sum_of_weights(rows) if rows.smoothing > 0.0 else 0.0
    rows.failed = 0
    if not release:
        run_chunks(rows, 0, chunks)
    else:
        with nogil:
            if chunks > 1:
                width = _gate.begin(cost)
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

cdef dict _types = {"float16": FLOAT16, "bfloat16": BFLOAT16, "float32": FLOAT32, "float64": FLOAT64}


cdef int place(View* view, object array) except -1:
    view.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    view.type = _types[array.dtype.name]
    view.outer, view.classes, view.inner = array.strides
    return 0


cdef int place_index(Rows* rows, object target) except -1:
    """Class indices as a two-dimensional array (outer, inner) of a native integer type."""
    rows.index = <const char*>cnp.PyArray_DATA(<cnp.ndarray>target)
    rows.index_size = target.dtype.itemsize
    rows.index_signed = target.dtype.kind == "i"
    rows.index_outer, rows.index_inner = target.strides
    return 0


def total(values):
    """Add float64 values in the order that plain calls use, so that every path gives the same bits."""
    return sum_block(<const double*>start_of(values), cnp.PyArray_SIZE(<cnp.ndarray>values))


cdef void scan_parts(const Rows* rows, unsigned char* kept, Scan* part, Py_ssize_t first,
                     Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(first, stop):
        part[k] = scan_part(rows, k * SCAN, min(rows.samples, (k + 1) * SCAN), kept)


cdef Scan add_up(const Rows* rows, const Scan* part, Py_ssize_t parts) noexcept nogil:
    cdef Scan whole
    cdef Py_ssize_t k
    whole.count = 0
    whole.weight = 0.0
    whole.bad = -1
    for k in range(parts):
        whole.count += part[k].count
        whole.weight += part[k].weight
        if whole.bad < 0:
            whole.bad = part[k].bad
    if rows.class_weight == NULL:
        whole.weight = <double>whole.count
    return whole


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
    rows.found = NULL
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
    execute_rows(&rows, rows.samples * rows.classes > 2048)


# ---- plain calls -----------------------------------------------------------------------------------------------

cdef enum:
    STACK_SAMPLES = 512    # samples whose values need no allocation


cdef class Quick:
    """Answers the calls of one loss object on plain arrays: C-contiguous logits, int64 or int32 classes, no option.

    It returns NotImplemented for every other call, and for targets that are no classes, which
    ``losslib.geometries.softmax`` then answers or complains about.
    """

    cdef const Kernel* kernel
    cdef double[8] numbers
    cdef double smoothing, z_loss
    cdef bint ignoring, mean, zero_if_empty
    cdef int64_t ignored
    cdef object weight     # of each class, contiguous float64, or None

    def __cinit__(self, str kernel, tuple numbers, values):
        cdef int k
        self.kernel = kernel_named(kernel)
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
        cdef int ndim, k, type_number
        cdef double[STACK_SAMPLES] few_values
        cdef double* values = few_values
        cdef double total, divisor
        cdef Scan found
        cdef Py_ssize_t parts
        cdef const double* weight = <const double*>start_of(self.weight)
        cdef Py_ssize_t* shape
        cdef Py_ssize_t* target_shape
        if mode == 3 or not (cnp.PyArray_CheckExact(input) and cnp.PyArray_CheckExact(target)):
            return NotImplemented
        type_number = cnp.PyArray_TYPE(<cnp.ndarray>input)
        ndim = cnp.PyArray_NDIM(<cnp.ndarray>input)
        if (type_number != cnp.NPY_FLOAT and type_number != cnp.NPY_DOUBLE) or ndim < 1:
            return NotImplemented
        if not (cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>input) and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>target)):
            return NotImplemented
        k = cnp.PyArray_TYPE(<cnp.ndarray>target)
        if k != cnp.NPY_INT64 and k != cnp.NPY_INT32:
            return NotImplemented
        shape = <Py_ssize_t*>cnp.PyArray_DIMS(<cnp.ndarray>input)
        target_shape = <Py_ssize_t*>cnp.PyArray_DIMS(<cnp.ndarray>target)
        if cnp.PyArray_NDIM(<cnp.ndarray>target) != ndim - 1:
            return NotImplemented
        rows.inner = 1
        if ndim == 1:
            rows.outer = 1
            rows.classes = shape[0]
        else:
            rows.outer = shape[0]
            rows.classes = shape[1]
            if target_shape[0] != shape[0]:
                return NotImplemented
        for k in range(2, ndim):
            rows.inner *= shape[k]
            if target_shape[k - 1] != shape[k]:
                return NotImplemented
        rows.samples = rows.outer * rows.inner
        if rows.samples == 0 or rows.classes == 0:
            return NotImplemented
        if weight != NULL and cnp.PyArray_SIZE(<cnp.ndarray>self.weight) != rows.classes:
            return NotImplemented

        array = out
        if mode == 0:
            if out is not None:
                return NotImplemented
        elif out is None:
            array = cnp.PyArray_SimpleNew(ndim, cnp.PyArray_DIMS(<cnp.ndarray>input), type_number)
        else:
            if not (cnp.PyArray_CheckExact(out) and cnp.PyArray_TYPE(<cnp.ndarray>out) == type_number
                    and cnp.PyArray_ISCARRAY(<cnp.ndarray>out) and cnp.PyArray_NDIM(<cnp.ndarray>out) == ndim):
                return NotImplemented
            for k in range(ndim):
                if cnp.PyArray_DIMS(<cnp.ndarray>out)[k] != shape[k]:
                    return NotImplemented
            if touches(out, input) and cnp.PyArray_DATA(<cnp.ndarray>out) != cnp.PyArray_DATA(<cnp.ndarray>input):
                return NotImplemented
            if touches(out, target):
                return NotImplemented

        rows.double_precision = type_number == cnp.NPY_DOUBLE
        rows.kernel = self.kernel
        for k in range(8):
            rows.numbers[k] = self.numbers[k]
        contiguous_view(&rows, &rows.input, input)
        rows.soft = False
        rows.index = <const char*>cnp.PyArray_DATA(<cnp.ndarray>target)
        rows.index_size = cnp.PyArray_ITEMSIZE(<cnp.ndarray>target)
        rows.index_signed = True
        rows.index_inner = rows.index_size
        rows.index_outer = rows.index_size * rows.inner
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
        rows.ignoring = self.ignoring
        rows.ignored = self.ignored
        rows.found = NULL
        parts = (rows.samples + SCAN - 1) // SCAN
        if rows.samples > STACK_SAMPLES:
            values = <double*>malloc(rows.samples * sizeof(double) + parts * sizeof(Scan))
            if values == NULL:
                raise MemoryError(f"no memory for the values of {rows.samples} samples")
        rows.values = values
        try:
            if self.kernel.given and mode == 0:     # no gradient waits for the divisor: one look is enough
                rows.found = &found if parts == 1 else <Scan*>(values + rows.samples)
            else:
                scan_targets(&rows, NULL, &found)
                if found.bad >= 0:
                    return NotImplemented
                rows.scale_all = 1.0 / found.weight if self.mean else 1.0
            execute_rows(&rows, rows.samples * (1 if rows.found != NULL else rows.classes) > 2048)
            if rows.found != NULL:
                found = add_up(&rows, rows.found, parts)
                if found.bad >= 0:
                    return NotImplemented
            divisor = found.weight if self.mean else 1.0
            total = sum_block(<const double*>values, rows.samples)
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


cdef inline bint touches(object a, object b) noexcept:
    cdef char* p = <char*>cnp.PyArray_DATA(<cnp.ndarray>a)
    cdef char* q = <char*>cnp.PyArray_DATA(<cnp.ndarray>b)
    return p < q + cnp.PyArray_NBYTES(<cnp.ndarray>b) and q < p + cnp.PyArray_NBYTES(<cnp.ndarray>a)


cdef inline void contiguous_view(const Rows* rows, View* view, object array) noexcept:
    view.data = <char*>cnp.PyArray_DATA(<cnp.ndarray>array)
    view.type = FLOAT64 if rows.double_precision else FLOAT32
    view.inner = 8 if rows.double_precision else 4
    view.classes = view.inner * rows.inner
    view.outer = view.classes * rows.classes
