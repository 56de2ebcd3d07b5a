"""The margin geometry: the scores of a row against the score of its target class (or classes).

Each loss is one function of one row below; it returns the value of the row in float64 and, if asked, writes the row's
gradient times a factor. Most walk a row in blocks of BLOCK classes through local buffers, for two reasons: loops over
buffers vectorise although the gradient may overwrite the scores, and a block of scores is read before it is written.
`multi_margin` does without, sixteen scores at a time in registers. Sums are taken in float64 lanes, so they depend on
nothing but the row. A row that gives NaN has a gradient of NaN throughout.

The driver hands out chunks of rows to threads. ``losslib.geometries.margin`` has checked shapes, types and single class
indices; lists of them and probabilities are checked on the way. This module is compiled once for each instruction set.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY, NAN, isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from blocks cimport combine, real, row_from, sum_block
from gate cimport ThreadGate
from plain cimport is_plain, is_row_shape, new_like, overlaps_any, same_shape
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib import _kernels
from losslib._kernels import threads

cnp._import_array()

cdef extern from "losslib/margin/margin.h" namespace "losslib" nogil:
    cppclass SixteenHinges[T]:
        void add(const T* x, T offset, T slope, T* grad)
        void store_sums(double* lane)
        void store_counts(T* lane)

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    BLOCK = 512          # classes that the buffers of a row hold at a time
    CHUNK = 16384        # scores that one thread takes at a time
    SMALL = 4096         # scores up to which the GIL is kept: releasing it costs more than the work
    COUNTABLE = 1 << 28  # scores of which the positive ones can be counted in float32 lanes
    LINE = 64            # bytes of a cache line: what two threads write lies apart
    LANES = 16           # of a maximum or a sum within a row
    OUTSIDE = 1
    UNORDERED = 2

cdef enum Mode:
    VALUE = 0
    GRAD = 1
    VALUE_AND_GRAD = 2
    VALUE_GRAD_AND_HESS = 3

cdef enum Kind:
    MULTI_MARGIN = 0
    MULTI_MARGIN_SQUARED = 1
    CRAMMER_SINGER = 2
    CATEGORICAL_HINGE = 3
    MULTILABEL_MARGIN = 4

# Nanoseconds per score, value and gradient, float32; they decide from which size threads pay.
cdef double[5] _cost = [0.25, 0.3, 0.2, 0.4, 1.5]

# Costs are those of AVX-512; the baseline has a quarter of its lanes.
cdef double _isa_factor = 3.0 if _kernels.ISA == "baseline" else 1.0

cdef struct Job:
    int kind
    bint double_precision
    Py_ssize_t rows
    Py_ssize_t classes
    double margin
    const char* input           # rows of `classes` scores in one piece
    Py_ssize_t input_stride     # bytes from row to row; the classes of a row lie in one piece
    const char* target          # one int64 a row, or a row of int64, or a row of probabilities
    Py_ssize_t target_stride
    const unsigned char* mask   # one a row, or NULL
    const double* scale         # factor of the gradient, one a row (step 1) or one for all (step 0)
    Py_ssize_t scale_step
    double* values
    char* grad                  # NULL: values only
    Py_ssize_t grad_stride
    char* scratch               # for each thread: a flag for a violated domain, then what multilabel margin needs
    Py_ssize_t scratch_stride
    Py_ssize_t chunk            # rows of a task


# ---- pieces of a row -------------------------------------------------------------------------------------------

cdef inline void fill(real* row, real value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        row[i] = value


cdef inline real largest(const real* values, Py_ssize_t n) noexcept nogil:
    """Return the maximum of at most BLOCK values, none of them NaN."""
    cdef real[LANES] lane
    cdef Py_ssize_t i = 0
    cdef int k
    for k in range(LANES):
        lane[k] = <real>-INFINITY
    while i + LANES <= n:
        for k in range(LANES):
            lane[k] = values[i + k] if values[i + k] > lane[k] else lane[k]
        i += LANES
    for k in range(<int>(n - i)):
        lane[k] = values[i + k] if values[i + k] > lane[k] else lane[k]
    for k in range(8):      # constant lengths: unrolled
        lane[k] = lane[k + 8] if lane[k + 8] > lane[k] else lane[k]
    for k in range(4):
        lane[k] = lane[k + 4] if lane[k + 4] > lane[k] else lane[k]
    for k in range(2):
        lane[k] = lane[k + 2] if lane[k + 2] > lane[k] else lane[k]
    return lane[1] if lane[1] > lane[0] else lane[0]


cdef inline int first_equal(const real* values, real wanted, int n) noexcept nogil:
    """Return the first position of a number among at most BLOCK values; n if it is not there."""
    cdef int i, position = n
    for i in range(n):
        position = min(position, i if values[i] == wanted else n)
    return position


# ---- the losses: one row ---------------------------------------------------------------------------------------
# Loops of one kind each: GCC vectorises no loop that clips, counts and adds in float64 at once.

cdef inline double multi_margin(const real* x, Py_ssize_t target, real* grad, double scale, double margin,
                                Py_ssize_t classes) noexcept nogil:
    """sum over i != t of max(0, margin - x_t + x_i) / C, L078 with p = 1."""
    cdef SixteenHinges[real] hinges
    cdef double[LANES] lane, counted
    cdef real[LANES] others, positive
    cdef const real* scores
    cdef real offset = <real>margin - x[target], part
    cdef double rate = scale / classes, slopes
    cdef real slope = <real>rate
    cdef Py_ssize_t apart = target - target % LANES, whole = classes - classes % LANES, i
    cdef int k
    # The scores among which the target's is are read from a copy, where its hinge is 0. If the offset is infinite and
    # leaves no number to put there, or a float32 lane might not count so far, all hinges are taken one by one.
    if classes > COUNTABLE or not isfinite(<double>offset):
        whole = 0
    elif apart < whole:
        memcpy(others, x + apart, sizeof(others))
        others[target - apart] = 0 - offset
    for i in range(0, whole, 16):      # LANES, which Cython takes for no constant
        scores = <const real*>others if i == apart else x + i       # no branch: nobody can predict it
        hinges.add(scores, offset, slope, row_from(grad, i))
    hinges.store_sums(lane)
    hinges.store_counts(positive)
    for k in range(LANES):
        counted[k] = positive[k]
    slopes = combine(counted)
    for i in range(whole, classes):
        part = offset + x[i]
        if i == target or part <= 0:        # this way round NaN stays
            part = 0
        lane[i % LANES] += <double>part
        slopes += part > 0
        if grad != NULL:
            grad[i] = slope if part > 0 else 0
    if grad != NULL:
        grad[target] = <real>(-slopes * rate) if slopes != 0 else 0
    return combine(lane) / classes


cdef inline double multi_margin_squared(const real* x, Py_ssize_t target, real* grad, double scale, double margin,
                                        Py_ssize_t classes) noexcept nogil:
    """sum over i != t of max(0, margin - x_t + x_i)^2 / C, L078 with p = 2."""
    cdef real[BLOCK] excess
    cdef real offset = <real>margin - x[target], part
    cdef double rate = 2.0 * scale / classes, total = 0.0, slopes = 0.0
    cdef real slope = <real>rate
    cdef Py_ssize_t start = 0
    cdef int i, n
    while start < classes:
        n = <int>min(<Py_ssize_t>BLOCK, classes - start)
        for i in range(n):
            part = offset + x[start + i]
            excess[i] = 0 if part <= 0 else part        # this way round NaN stays
        if start <= target < start + n:
            excess[target - start] = 0
        if grad != NULL:
            for i in range(n):
                grad[start + i] = slope * excess[i]
            slopes += sum_block(<const real*>excess, n)
        for i in range(n):
            excess[i] = excess[i] * excess[i]
        total += sum_block(<const real*>excess, n)
        start += n
    if grad != NULL:
        grad[target] = <real>(-slopes * rate) if slopes != 0 else 0
    return total / classes


cdef inline bint copy_others(const real* x, Py_ssize_t target, Py_ssize_t start, real* others, int n) noexcept nogil:
    """Copy a block of scores, with -inf in place of the target's; return True if there is a NaN."""
    cdef int i, unordered = 0
    for i in range(n):
        others[i] = x[start + i]
        unordered |= x[start + i] != x[start + i]
    if start <= target < start + n:
        others[target - start] = <real>-INFINITY
    return unordered != 0


cdef inline double crammer_singer(const real* x, Py_ssize_t target, real* grad, double scale, double margin,
                                  Py_ssize_t classes) noexcept nogil:
    """max(0, margin + max over i != t of x_i - x_t), L076; with margin 0 the perceptron's loss, L079."""
    cdef real[BLOCK] others
    cdef real best = <real>-INFINITY, found
    cdef double score = x[target], value
    cdef Py_ssize_t start = 0, best_start = -1, rival = -1
    cdef int n
    while start < classes:
        n = <int>min(<Py_ssize_t>BLOCK, classes - start)
        if copy_others(x, target, start, others, n):
            return NAN
        found = largest(<const real*>others, n)
        if found > best:        # strictly: the first of equal ones stays
            best = found
            best_start = start
        start += n
    value = <double>best - score + margin
    if value <= 0.0:
        value = 0.0
    if grad != NULL:
        if value > 0.0 and best_start >= 0:
            n = <int>min(<Py_ssize_t>BLOCK, classes - best_start)
            if best_start + BLOCK < classes:        # the buffer holds a later block
                copy_others(x, target, best_start, others, n)
            rival = best_start + first_equal(<const real*>others, best, n)
        memset(grad, 0, classes * sizeof(real))
        if rival >= 0:
            grad[rival] = <real>scale
            grad[target] = <real>-scale
    return value


cdef inline int weigh_scores(const real* x, const real* y, real* wrong, real* right, int n) noexcept nogil:
    """wrong = (1 - y) x and right = y x, where the coefficient 0 leaves nothing of an infinite score.

    Returns UNORDERED if some product is NaN, and OUTSIDE if some y lies outside [0, 1]; NaN does not.
    """
    cdef int i, flags = 0
    cdef real coefficient
    for i in range(n):
        coefficient = 1 - y[i]
        wrong[i] = 0 if coefficient == 0 else coefficient * x[i]
        right[i] = 0 if y[i] == 0 else y[i] * x[i]
        flags |= (OUTSIDE if (y[i] < 0) | (y[i] > 1) else 0) | (UNORDERED if wrong[i] != wrong[i] else 0)
    return flags


cdef inline double categorical_hinge(const real* x, const real* y, real* grad, double scale, double margin,
                                     Py_ssize_t classes, char* outside) noexcept nogil:
    """max(0, margin + max over i of (1 - y_i) x_i - sum of y_i x_i), L075; notes a y outside [0, 1]."""
    cdef real[BLOCK] wrong, right
    cdef real best = <real>-INFINITY, found, factor = <real>scale, rival_target = 0
    cdef double sum_right = 0.0, value
    cdef Py_ssize_t start = 0, best_start = -1, rival = -1, i
    cdef int n = 0, flags
    cdef bint unordered = False
    while start < classes:
        n = <int>min(<Py_ssize_t>BLOCK, classes - start)
        flags = weigh_scores(x + start, y + start, wrong, right, n)
        if flags & OUTSIDE:
            outside[0] = 1
        if flags & UNORDERED:
            unordered = True
        found = largest(<const real*>wrong, n)
        if found > best:
            best = found
            best_start = start
        sum_right += sum_block(<const real*>right, n)
        start += n
    value = NAN if unordered else <double>best - sum_right + margin
    if value <= 0.0:
        value = 0.0
    if grad != NULL:
        if not value > 0.0:
            memset(grad, 0, classes * sizeof(real))
            return value
        if best_start >= 0:
            if best_start + BLOCK < classes:        # the buffers hold a later block
                n = BLOCK
                weigh_scores(x + best_start, y + best_start, wrong, right, n)
            rival = best_start + first_equal(<const real*>wrong, best, n)
            rival_target = y[rival]
        for i in range(classes):
            grad[i] = 0 - factor * y[i]
        if rival >= 0:
            grad[rival] = factor * (1 - 2 * rival_target)
    return value


cdef inline bint leaves_classes(const int64_t* target, Py_ssize_t classes) noexcept nogil:
    """True if an entry of a list is neither a class nor -1."""
    cdef Py_ssize_t i
    cdef int64_t bad = 0
    for i in range(classes):
        bad |= <int64_t>(target[i] < -1) | <int64_t>(target[i] >= classes)
    return bad != 0


cdef inline double multilabel_margin(const real* x, const int64_t* target, real* grad, double scale, double margin,
                                     Py_ssize_t classes, char* scratch) noexcept nogil:
    """Sum over targets j and other classes i of max(0, margin - x_j + x_i) / C, L080.

    The targets end at the first -1; one that is listed twice counts twice. `scratch` holds for each listed target the
    number of classes within its margin, its score (the gradient may overwrite the scores) and its class, which is
    read once and compared here, since another thread may change the caller's list; and for each class whether it is a
    target. This last part comes zeroed and is left so.
    """
    cdef double* inside = <double*>scratch
    cdef real* score = <real*>(scratch + classes * sizeof(double))
    cdef int64_t* label = <int64_t*>(scratch + 2 * classes * sizeof(double))
    cdef unsigned char* listed = <unsigned char*>(scratch + 3 * classes * sizeof(double))
    cdef int64_t c
    cdef real[BLOCK] other, counted, excess, slope
    cdef real offset, part, factor = <real>(scale / classes)
    cdef double total = 0.0
    cdef Py_ssize_t start = 0, labels = 0, j
    cdef int i, n, active
    while labels < classes:
        c = (<const volatile int64_t*>target)[labels]
        if c < 0 or c >= classes:
            break
        label[labels] = c
        inside[labels] = 0.0
        score[labels] = x[c]
        listed[c] = 1
        labels += 1
    while start < classes:
        n = <int>min(<Py_ssize_t>BLOCK, classes - start)
        for i in range(n):
            other[i] = x[start + i]
            slope[i] = 0
            counted[i] = <real>(1 - <int>listed[start + i])
        for j in range(labels):
            offset = <real>margin - score[j]
            for i in range(n):
                part = offset + other[i]
                excess[i] = 0 if (part <= 0) | (counted[i] == 0) else part
            total += sum_block(<const real*>excess, n)
            if grad != NULL:
                active = 0
                for i in range(n):
                    active += excess[i] > 0
                    slope[i] += <real>1 if excess[i] > 0 else <real>0
                inside[j] += active
        if grad != NULL:
            for i in range(n):
                grad[start + i] = slope[i] * factor
        start += n
    for j in range(labels):
        listed[label[j]] = 0
        if grad != NULL and inside[j] > 0.0:
            grad[label[j]] -= <real>(inside[j] * (scale / classes))
    return total / classes


# ---- the driver ------------------------------------------------------------------------------------------------

cdef void run_row(Job* job, Py_ssize_t row, char* scratch, real tag) noexcept nogil:
    cdef Py_ssize_t classes = job.classes
    cdef const real* x = <const real*>(job.input + row * job.input_stride)
    cdef const char* target = job.target + row * job.target_stride
    cdef real* grad = NULL
    cdef double scale = job.scale[row * job.scale_step], value
    cdef int64_t wanted = 0
    if job.grad != NULL:
        grad = <real*>(job.grad + row * job.grad_stride)
    if job.mask != NULL and not job.mask[row]:
        job.values[row] = 0.0
        if grad != NULL:
            memset(grad, 0, classes * sizeof(real))
        return
    if job.kind in (MULTI_MARGIN, MULTI_MARGIN_SQUARED, CRAMMER_SINGER):
        wanted = (<const volatile int64_t*>target)[0]   # once: another thread may have written since it was checked
        if wanted < 0 or wanted >= classes:
            scratch[0] = 1
            wanted = 0
    if job.kind == MULTI_MARGIN:
        value = multi_margin(x, wanted, grad, scale, job.margin, classes)
    elif job.kind == MULTI_MARGIN_SQUARED:
        value = multi_margin_squared(x, wanted, grad, scale, job.margin, classes)
    elif job.kind == CRAMMER_SINGER:
        value = crammer_singer(x, wanted, grad, scale, job.margin, classes)
    elif job.kind == CATEGORICAL_HINGE:
        value = categorical_hinge(x, <const real*>target, grad, scale, job.margin, classes, scratch)
    else:
        if leaves_classes(<const int64_t*>target, classes):
            scratch[0] = 1
        value = multilabel_margin(x, <const int64_t*>target, grad, scale, job.margin, classes, scratch + LINE)
    if grad != NULL and value != value:
        fill(grad, <real>NAN, classes)
    job.values[row] = value


cdef void run_rows(Job* job, Py_ssize_t start, Py_ssize_t stop, int slot) noexcept nogil:
    cdef char* scratch = job.scratch + slot * job.scratch_stride
    cdef Py_ssize_t row
    if job.double_precision:
        for row in range(start, stop):
            run_row(job, row, scratch, <double>0)
    else:
        for row in range(start, stop):
            run_row(job, row, scratch, <float>0)


cdef inline Py_ssize_t row_stride(object array) noexcept:
    return cnp.PyArray_STRIDE(<cnp.ndarray>array, 0)


def run(int kind, cnp.ndarray input, cnp.ndarray target, mask, cnp.ndarray scale, double margin, cnp.ndarray values,
        grad):
    """Compute the values of all rows and, unless `grad` is None, the gradient times `scale`.

    Parameters
    ----------
    kind : int
        Which loss: the order of ``losslib.geometries.margin.KINDS``.
    input : ndarray of float32 or float64, shape (rows, classes)
        The scores; the classes of a row must lie in one piece.
    target : ndarray
        int64 of shape (rows, 1), each checked to be a class; or int64 of shape (rows, classes), checked here; or of the
        type and shape of the scores. The entries of a row must lie in one piece.
    mask : ndarray of bool, shape (rows,), or None
        Rows to compute, C-contiguous; the others give 0.
    scale : ndarray of float64, shape (1,) or (rows,)
        Factor of the gradient, C-contiguous.
    margin : float
        The margin.
    values : ndarray of float64, shape (rows,)
        Written; C-contiguous.
    grad : ndarray or None
        Written; of the type and shape of the scores, the classes of a row in one piece. It may be `input` or `target`
        itself.

    Returns
    -------
    bool
        True if a float target lies outside [0, 1], an entry of a list is neither a class nor -1, or a single index is
        no class any more.
    """
    cdef Job job
    job.kind = kind
    job.rows = cnp.PyArray_DIM(input, 0)
    job.classes = cnp.PyArray_DIM(input, 1)
    if job.rows == 0 or job.classes == 0:
        return False
    job.double_precision = cnp.PyArray_TYPE(input) == cnp.NPY_DOUBLE
    job.margin = margin
    job.input = <const char*>cnp.PyArray_DATA(input)
    job.input_stride = row_stride(input)
    job.target = <const char*>cnp.PyArray_DATA(target)
    job.target_stride = row_stride(target)
    job.mask = NULL
    if mask is not None:
        job.mask = <const unsigned char*>cnp.PyArray_DATA(<cnp.ndarray>mask)
    job.scale = <const double*>cnp.PyArray_DATA(scale)
    job.scale_step = 0 if cnp.PyArray_SIZE(scale) == 1 else 1
    job.values = <double*>cnp.PyArray_DATA(values)
    job.grad = NULL
    job.grad_stride = 0
    if grad is not None:
        job.grad = <char*>cnp.PyArray_DATA(<cnp.ndarray>grad)
        job.grad_stride = row_stride(grad)
    return execute(&job)


cdef bint execute(Job* job) except *:
    """Run the job; its size decides about threads and GIL. Returns True if a target left its domain."""
    cdef int width = 1, k
    cdef Py_ssize_t chunks, room, i
    cdef double cost
    cdef bint violated = False
    cdef FloatMode mode = get_float_mode()
    job.chunk = max(<Py_ssize_t>1, CHUNK // job.classes)
    chunks = (job.rows + job.chunk - 1) // job.chunk
    cost = _cost[job.kind] * _isa_factor * job.rows * job.classes * (2.0 if job.double_precision else 1.0)
    if chunks > 1:
        width = _gate.begin(cost)
    room = LINE
    if job.kind == MULTILABEL_MARGIN:
        room += job.classes * (3 * sizeof(double) + 1)
    job.scratch_stride = (room + LINE - 1) // LINE * LINE
    job.scratch = <char*>calloc(width, job.scratch_stride)
    if job.scratch == NULL:
        if width > 1:
            _gate.end()
        raise MemoryError(f"no memory for {width} rows of {job.classes} classes")
    if job.rows * job.classes <= SMALL:
        run_rows(job, 0, job.rows, 0)
    else:
        with nogil:
            if width == 1:
                run_rows(job, 0, job.rows, 0)
            else:
                for i in prange(count_runs(chunks, width), schedule="dynamic", num_threads=width):
                    set_float_mode(mode)
                    run_rows(job, job.chunk * first_task(i, chunks, width),
                             min(job.chunk * first_task(i + 1, chunks, width), job.rows), threadid())
                _gate.end()
    for k in range(width):
        violated = violated or job.scratch[k * job.scratch_stride] != 0
    free(job.scratch)
    return violated


# ---- plain calls -----------------------------------------------------------------------------------------------

cdef class Quick:
    """Answers the calls of one loss object on plain arrays without options.

    It returns NotImplemented for every other call, and for targets outside their domain, which
    ``losslib.geometries.margin`` then answers or complains about.

    Parameters
    ----------
    kind : int
        Which loss: the order of ``losslib.geometries.margin.KINDS``.
    margin : float
        The margin.
    mean : bool
        Whether the values are averaged; else they are added up.
    check : bool
        Whether probabilities are checked. Classes always are.
    """

    cdef int kind
    cdef double margin
    cdef bint mean, check

    def __cinit__(self, int kind, double margin, bint mean, bint check):
        self.kind = kind
        self.margin = margin
        self.mean = mean
        self.check = check or kind == MULTILABEL_MARGIN

    def __call__(self, int mode, tuple args, out):
        cdef Job job
        cdef object scores = args[0], target = args[1], grad = None
        cdef bint dense = self.kind == CATEGORICAL_HINGE, lists = self.kind == MULTILABEL_MARGIN, violated
        cdef double* values
        cdef double total, divisor = 1.0, scale
        cdef int type_number, ndim
        if mode == VALUE_GRAD_AND_HESS or not cnp.PyArray_CheckExact(scores) or not cnp.PyArray_CheckExact(target):
            return NotImplemented
        type_number = cnp.PyArray_TYPE(<cnp.ndarray>scores)
        ndim = cnp.PyArray_NDIM(<cnp.ndarray>scores)
        if (type_number != cnp.NPY_FLOAT and type_number != cnp.NPY_DOUBLE) or ndim < 1 or ndim > 2:
            return NotImplemented
        if not is_plain(scores, type_number) or not is_plain(target, type_number if dense else cnp.NPY_INT64):
            return NotImplemented
        if not (same_shape(target, scores) if dense or lists else is_row_shape(target, scores)):
            return NotImplemented
        if cnp.PyArray_SIZE(<cnp.ndarray>scores) == 0:
            return NotImplemented
        if mode == VALUE:
            if out is not None:
                return NotImplemented
        elif out is None:
            grad = new_like(scores, type_number)
        elif (is_plain(out, type_number) and same_shape(out, scores) and cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out)
              and not overlaps_any(out, args)):
            grad = out
        else:
            return NotImplemented

        job.kind = self.kind
        job.classes = cnp.PyArray_DIM(<cnp.ndarray>scores, ndim - 1)
        job.rows = cnp.PyArray_SIZE(<cnp.ndarray>scores) // job.classes
        job.double_precision = type_number == cnp.NPY_DOUBLE
        job.margin = self.margin
        job.input = <const char*>cnp.PyArray_DATA(<cnp.ndarray>scores)
        job.input_stride = job.classes * cnp.PyArray_ITEMSIZE(<cnp.ndarray>scores)
        job.target = <const char*>cnp.PyArray_DATA(<cnp.ndarray>target)
        job.target_stride = job.classes * cnp.PyArray_ITEMSIZE(<cnp.ndarray>target)
        job.mask = NULL
        if self.mean:
            divisor = <double>job.rows
        scale = 1.0 / divisor
        job.scale = &scale
        job.scale_step = 0
        job.grad = NULL
        if grad is not None:
            job.grad = <char*>cnp.PyArray_DATA(<cnp.ndarray>grad)
        job.grad_stride = job.input_stride
        values = <double*>malloc(job.rows * (sizeof(double) + sizeof(int64_t)))
        if values == NULL:
            raise MemoryError(f"no memory for the values of {job.rows} samples")
        job.values = values
        try:
            if not (dense or lists):
                if not copy_classes(<const int64_t*>job.target, <int64_t*>(values + job.rows), job.rows, job.classes):
                    return NotImplemented
                job.target = <const char*>(values + job.rows)
                job.target_stride = sizeof(int64_t)
            violated = execute(&job)
            total = sum_block(<const double*>values, job.rows)
        finally:
            free(values)
        if violated and self.check:
            return NotImplemented
        if mode == GRAD:
            return grad
        return total / divisor if mode == VALUE else (total / divisor, grad)


cdef bint copy_classes(const int64_t* target, int64_t* classes, Py_ssize_t rows, Py_ssize_t count) noexcept nogil:
    """Copy class indices, which another thread may change, and return True if all of the copies are classes."""
    cdef Py_ssize_t row
    cdef int64_t bad = 0
    memcpy(classes, target, rows * sizeof(int64_t))
    for row in range(rows):
        bad |= <int64_t>(classes[row] < 0) | <int64_t>(classes[row] >= count)
    return bad == 0
