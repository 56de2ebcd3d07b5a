"""The margin geometry: the scores of a row against the score of its target class (or classes).

A kernel computes the rows of one loss: the value of each in float64 and, if asked, its gradient times a factor. The
losses are structs of ``include/losslib/margin/``; the loops over the classes of a row stand in ``sums.pxd``,
``rivals.pxd`` and ``lists.pxd``. Sums are taken in float64 lanes, so they depend on nothing but the row. A row that
gives NaN has a gradient of NaN throughout.

The driver hands out chunks of rows to threads. ``losslib.geometries.margin`` has checked shapes, types and single class
indices; lists of them and probabilities are checked on the way. This module is compiled once for each instruction set.
"""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.math cimport NAN
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from blocks cimport real, sum_values
from gate cimport ThreadGate
from margin.call cimport (
    CLASS, CLASSES, LINE, PROBABILITIES, Job, Kernel, RowsKernel, Target, fill, grad_of, is_masked, scale_of,
    scores_of, target_of,
)
from margin.lists cimport MultilabelHinge, bytes_of_lists, leaves_classes, sum_of_lists
from margin.rivals cimport CategoricalHinge, CrammerSinger, against_class, against_row
from margin.sums cimport LinearHinge, SquaredHinge, sum_in_blocks, sum_linear
from plain cimport is_plain, is_row_shape, new_like, overlaps_any, same_shape
from team cimport FloatMode, count_runs, first_task, get_float_mode, set_float_mode

from losslib import _kernels
from losslib._kernels import threads

cnp._import_array()

cdef ThreadGate* _gate = <ThreadGate*>PyCapsule_GetPointer(threads.gate, b"losslib.thread_gate")

cdef enum:
    CHUNK = 16384        # scores that one thread takes at a time
    SMALL = 4096         # scores up to which the GIL is kept: releasing it costs more than the work

cdef enum Mode:
    VALUE = 0
    GRAD = 1
    VALUE_AND_GRAD = 2
    VALUE_GRAD_AND_HESS = 3

# Costs are those of AVX-512; the baseline has a quarter of its lanes.
cdef double _isa_factor = 3.0 if _kernels.ISA == "baseline" else 1.0

ctypedef fused Loss:
    LinearHinge
    SquaredHinge
    CrammerSinger
    CategoricalHinge
    MultilabelHinge


# ---- the kernels: a range of rows --------------------------------------------------------------------------------

cdef inline Py_ssize_t read_class(const Job* job, Py_ssize_t row, char* scratch) noexcept nogil:
    """The class of a row, read once: another thread may have written since it was checked."""
    cdef int64_t wanted = (<const volatile int64_t*>target_of(job, row))[0]
    if wanted < 0 or wanted >= job.classes:
        scratch[0] = 1
        return 0
    return wanted


cdef void rows_of(const Loss* numbers, const real* tag, const Job* job, Py_ssize_t start, Py_ssize_t stop,
                  char* scratch) noexcept nogil:
    cdef Loss loss = numbers[0]
    cdef Py_ssize_t classes = job.classes, row
    cdef const real* x
    cdef real* grad
    cdef double value
    for row in range(start, stop):
        x = scores_of(job, row, <real>0)
        grad = grad_of(job, row, <real>0)
        if is_masked(job, row):
            job.values[row] = 0.0
            if grad != NULL:
                memset(grad, 0, classes * sizeof(real))
            continue
        if Loss is LinearHinge:
            value = sum_linear(loss, x, read_class(job, row, scratch), grad, scale_of(job, row), classes)
        elif Loss is SquaredHinge:
            value = sum_in_blocks(loss, x, read_class(job, row, scratch), grad, scale_of(job, row), classes)
        elif Loss is CrammerSinger:
            value = against_class(loss, x, read_class(job, row, scratch), grad, scale_of(job, row), classes)
        elif Loss is CategoricalHinge:
            value = against_row(loss, x, <const real*>target_of(job, row), grad, scale_of(job, row), classes, scratch)
        else:
            if leaves_classes(<const int64_t*>target_of(job, row), classes):
                scratch[0] = 1
            value = sum_of_lists(loss, x, <const int64_t*>target_of(job, row), grad, scale_of(job, row), classes,
                                 scratch + LINE)
        if grad != NULL and value != value:
            fill(grad, <real>NAN, classes)
        job.values[row] = value


cdef Kernel[5] _kernel
cdef dict _index = {}


cdef void register(const Loss* kind, str name, Target target, double cost) except *:
    cdef Kernel* entry = &_kernel[len(_index)]
    entry.float32 = <RowsKernel>rows_of[Loss, float]
    entry.float64 = <RowsKernel>rows_of[Loss, double]
    entry.target = target
    entry.cost = cost
    _index[name] = len(_index)


register[LinearHinge](NULL, "multi_margin", CLASS, 0.25)
register[SquaredHinge](NULL, "multi_margin_squared", CLASS, 0.3)
register[CrammerSinger](NULL, "crammer_singer", CLASS, 0.2)
register[CategoricalHinge](NULL, "categorical_hinge", PROBABILITIES, 0.4)
register[MultilabelHinge](NULL, "multilabel_margin", CLASSES, 1.5)


# ---- the driver: any kernel --------------------------------------------------------------------------------------

cdef void run_rows(const Job* job, Py_ssize_t start, Py_ssize_t stop, int slot) noexcept nogil:
    """Rows start to stop, with the scratch of a thread. Nothing here depends on which thread runs it or when."""
    cdef RowsKernel kernel = job.kernel.float64 if job.double_precision else job.kernel.float32
    kernel(&job.margin, NULL, job, start, stop, job.scratch + slot * job.scratch_stride)


cdef inline Py_ssize_t row_stride(object array) noexcept:
    return cnp.PyArray_STRIDE(<cnp.ndarray>array, 0)


def run(str name, cnp.ndarray input, cnp.ndarray target, mask, cnp.ndarray scale, double margin, cnp.ndarray values,
        grad):
    """Compute the values of all rows and, unless `grad` is None, the gradient times `scale`.

    Parameters
    ----------
    name : str
        The kernel.
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
    job.kernel = &_kernel[<int>_index[name]]
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
    cost = job.kernel.cost * _isa_factor * job.rows * job.classes * (2.0 if job.double_precision else 1.0)
    if chunks > 1:
        width = _gate.begin(cost)
    room = LINE
    if job.kernel.target == CLASSES:
        room += bytes_of_lists(job.classes)
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

cdef class PlainMargin:
    """Answers the calls of one loss object on plain arrays without options.

    It returns NotImplemented for every other call, and for targets outside their domain, which
    ``losslib.geometries.margin`` then answers or complains about.

    Parameters
    ----------
    kernel : str
        The kernel.
    margin : float
        The margin.
    mean : bool
        Whether the values are averaged; else they are added up.
    check : bool
        Whether probabilities are checked. Classes always are.
    """

    cdef const Kernel* kernel
    cdef double margin
    cdef bint mean, check

    def __cinit__(self, str kernel, double margin, bint mean, bint check):
        self.kernel = &_kernel[<int>_index[kernel]]
        self.margin = margin
        self.mean = mean
        self.check = check or self.kernel.target == CLASSES

    def __call__(self, int mode, tuple args, out):
        cdef Job job
        cdef object scores = args[0], target = args[1], grad = None
        cdef Target held = self.kernel.target
        cdef bint violated
        cdef double* values
        cdef double total, divisor = 1.0, scale
        cdef int type_number, ndim
        if mode == VALUE_GRAD_AND_HESS or not cnp.PyArray_CheckExact(scores) or not cnp.PyArray_CheckExact(target):
            return NotImplemented
        type_number = cnp.PyArray_TYPE(<cnp.ndarray>scores)
        ndim = cnp.PyArray_NDIM(<cnp.ndarray>scores)
        if (type_number != cnp.NPY_FLOAT and type_number != cnp.NPY_DOUBLE) or ndim < 1 or ndim > 2:
            return NotImplemented
        if not is_plain(scores, type_number) or not is_plain(
                target, type_number if held == PROBABILITIES else cnp.NPY_INT64):
            return NotImplemented
        if not (is_row_shape(target, scores) if held == CLASS else same_shape(target, scores)):
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

        job.kernel = self.kernel
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
            if held == CLASS:
                if not copy_classes(<const int64_t*>job.target, <int64_t*>(values + job.rows), job.rows, job.classes):
                    return NotImplemented
                job.target = <const char*>(values + job.rows)
                job.target_stride = sizeof(int64_t)
            violated = execute(&job)
            total = sum_values(values, job.rows)
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
